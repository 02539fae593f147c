//! A room in which much was said: how soon it is there, and what holds up the page while one reads and searches it.
//! The bounded test is one of all; the measurement runs by `cargo xtask bench --browser`.

use std::time::{Duration, Instant};

use buddy_tests::{Server, now_ms};
use serde_json::{Value, json};

use crate::insider::{Insider, Operator};
use crate::profile::Profile;
use crate::scene::Scene;

/// Pixels that are scrolled in a frame: 24,000 a second, where nobody reads any more.
const FLING: i32 = 400;

/// Notes every frame and every task over 50 ms from here on, and gives `scroll(by, done)`.
const MEASURE: &str = "
    const scroller = document.querySelector('.timeline');
    // From here on it is the reader who moves.
    scroller.dispatchEvent(new Event('wheel'));
    window.measured = { tasks: [], frames: [], most: 0, done: false };
    window.observing?.disconnect();
    window.observing = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.measured.tasks.push(Math.round(duration));
    });
    window.observing.observe({ type: 'longtask' });
    window.scroll = (by, done) => {
        window.measured.done = false;
        let before;
        const step = (now) => {
            if (before !== undefined) window.measured.frames.push(now - before);
            before = now;
            window.measured.most = Math.max(window.measured.most, document.querySelectorAll('.entry').length);
            window.measured.done = done();
            if (window.measured.done) return;
            scroller.scrollTop += by;
            requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
    };
    // Their numbers, which stand at the end of the first word.
    window.numberOf = (text) => Number(/\\d+/u.exec(text.textContent)?.[0] ?? NaN);
    window.upTo = (number) => () => numberOf(document.querySelector('.message .text:not([hidden])')) <= number;
    window.downTo = (number) => () =>
        numberOf([...document.querySelectorAll('.message .text:not([hidden])')].at(-1)) >= number;
";

/// Notes when the last message stands there, painted.
const OPENED: &str = "
    const watching = new MutationObserver(() => {
        const texts = document.querySelectorAll('.message .text');
        if (!texts[texts.length - 1]?.textContent.startsWith('Message 100000')) return;
        watching.disconnect();
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => (window.openedAfterMs = performance.now());
            port2.postMessage(null);
        });
    });
    watching.observe(document, { childList: true, subtree: true });
";

/// Small pictures as the page makes them: WebP of at most 5,000 bytes, in base64url, none like another.
const PICTURES: &str = "
    const [count] = arguments;
    const canvas = new OffscreenCanvas(320, 240);
    const context = canvas.getContext('2d');
    const all = [];
    for (let number = 0; number < count; number += 1) {
        const sky = context.createLinearGradient(0, 0, 320, 240);
        sky.addColorStop(0, `hsl(${number * 47} 70% 40%)`);
        sky.addColorStop(1, `hsl(${number * 47 + 120} 70% 70%)`);
        context.fillStyle = sky;
        context.fillRect(0, 0, 320, 240);
        for (let spot = 0; spot < 40; spot += 1) {
            context.fillStyle = `hsl(${spot * number} 60% 50% / 0.5)`;
            context.beginPath();
            context.arc((spot * 83 + number * 31) % 320, (spot * 57 + number * 17) % 240, 4 + (spot % 24), 0, 7);
            context.fill();
        }
        const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.5 });
        const bytes = new Uint8Array(await blob.arrayBuffer());
        all.push(btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''));
    }
    return all;
";

/// What [`MEASURE`] noted.
struct Measured {
    /// In milliseconds, ascending.
    frames: Vec<f64>,
    /// Tasks over 50 ms, in milliseconds.
    tasks: Vec<u64>,
    /// The most entries that stood in the document.
    most: u64,
}

impl Measured {
    async fn by(reader: &Profile) -> Self {
        let measured = reader.execute("return window.measured", vec![]).await;
        let list = |field: &str| measured[field].as_array().expect("a list").iter();
        let mut frames: Vec<f64> = list("frames").filter_map(Value::as_f64).collect();
        frames.sort_by(f64::total_cmp);
        let tasks = list("tasks").filter_map(Value::as_u64).collect();
        Self { frames, tasks, most: measured["most"].as_u64().expect("a number") }
    }

    fn show(&self, what: &str) {
        let at = |share: f64| self.frames[((self.frames.len() - 1) as f64 * share) as usize];
        println!(
            "{what}: {} frames, p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms; tasks over 50 ms: {:?}",
            self.frames.len(),
            at(0.5),
            at(0.99),
            at(1.0),
            self.tasks
        );
    }
}

impl Profile {
    /// Scrolls until a message is reached.
    async fn flings(&self, by: i32, until: &str) {
        self.execute(&format!("scroll({by}, {until})"), vec![]).await;
        self.finds(&format!("{until} is reached"), "return window.measured.done").await;
    }

    /// Opens the room again and again, and says how long that took.
    async fn opens(&self, how: &str) {
        let mut opened = Vec::new();
        for _ in 0..7 {
            self.refresh().await;
            let after = self.eventually("the room is open", async || {
                self.execute("return window.openedAfterMs", vec![]).await.as_f64()
            });
            opened.push(after.await);
            self.is_settled().await;
        }
        opened.sort_by(f64::total_cmp);
        println!("opened {how}: median {:.0} ms, longest {:.0} ms of {}", opened[3], opened[6], opened.len());
    }

    /// Waits until nothing that opening a room began is still on its way.
    async fn is_settled(&self) {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn a_room_of_ten_thousand_messages_scrolls_without_holding_up_the_page() {
    const COUNT: u64 = 10_000;
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (_ana, link) = scene.host("Ana").await;
    let insider = Insider::with(&scene.server, &link, "Ivo").await;
    let now = now_ms();
    let texts = (1..=COUNT).map(|number| format!("Message {number} https://example.org/{number} `code`"));
    insider.introduces_themself().await;
    Operator::of(&scene.server).fill(&insider, texts, |number| now - (COUNT - number) * 1000);

    let ben = scene.newcomer().await;
    ben.joins(&link).await;
    ben.sees("Message 10000").await;
    ben.execute(MEASURE, vec![]).await;
    // In parts, each of which has its own deadline.
    for number in [8_000, 6_000, 4_000, 2_000, 1] {
        ben.flings(-FLING, &format!("upTo({number})")).await;
    }
    ben.flings(900, "downTo(2000)").await;
    ben.press("Latest").await;
    ben.sees("Message 10000").await;

    let measured = Measured::by(&ben).await;
    measured.show("up through all of them, and down again through 2,000");
    assert!(measured.most <= 500, "{} messages stood in the document", measured.most);
    // Other work on the machine makes tasks long, too; were it scrolling itself, most steps would be.
    let (tasks, frames) = (measured.tasks.len(), measured.frames.len());
    assert!(tasks * 3 <= frames, "{tasks} long tasks in {frames} frames");
    assert!(measured.tasks.iter().all(|task| *task < 2_000), "{:?}", measured.tasks);
}

/// What is said in a large room: short words mostly, several lines, code, addresses, now and then a picture.
fn said(number: u64, thumb: Option<&str>) -> Value {
    let text = match number % 8 {
        1 => format!("Message {number}: see https://example.org/{number} and `code {number}`"),
        3 => format!("Message {number}\nhas more than one line\nand ends here"),
        5 => format!("Message {number} {}", "is longer than the others, and goes on for a while ".repeat(4)),
        7 => format!("Message {number} says *this* and **that**"),
        _ => format!("Message {number} says something short"),
    };
    let Some(thumb) = thumb else { return json!({ "text": text }) };
    let id = format!("{number:021}A");
    let key = "A".repeat(43);
    let file = json!({
        "id": id, "key": key, "name": format!("picture-{number}.webp"), "type": "image/webp", "size": 250_000,
        "width": 1600, "height": 1200, "thumb": thumb,
    });
    json!({ "text": text, "files": [file] })
}

#[tokio::test]
#[ignore = "a measurement of minutes: `cargo xtask bench --browser`"]
async fn a_room_of_a_hundred_thousand_messages_and_500_pictures_is_measured() {
    const COUNT: u64 = 100_000;
    const PICTURE_EACH: u64 = 200;
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    let thumbs = ana.execute_async(PICTURES, vec![json!(COUNT / PICTURE_EACH)]).await;
    let thumbs: Vec<String> = serde_json::from_value(thumbs).expect("a list of texts");
    let bytes = thumbs.iter().map(String::len).sum::<usize>() * 3 / 4 / thumbs.len();
    println!("{COUNT} messages, {} pictures of {bytes} bytes on average", thumbs.len());
    // Her browser would load and judge all of it, on the cores that are measured.
    ana.goto("about:blank").await;
    let people = [
        Insider::with(&scene.server, &link, "Ivo").await,
        Insider::with(&scene.server, &link, "Mia").await,
        Insider::with(&scene.server, &link, "Ole").await,
    ];
    for person in &people {
        person.introduces_themself().await;
    }
    let now = now_ms();
    Operator::of(&scene.server).fill_with((1..=COUNT).map(|number| {
        // The last one stands in view, at whichever end.
        let at = (number + 2) % PICTURE_EACH;
        let thumb = (at == 0).then(|| thumbs[((number - 1) / PICTURE_EACH) as usize].as_str());
        let who = &people[(number / 3 % 3) as usize];
        (who, said(number, thumb), now - (COUNT - number) * 60_000)
    }));

    let ben = scene.newcomer().await;
    ben.before_each_page(OPENED).await;
    let begun = Instant::now();
    ben.joins(&link).await;
    ben.sees("Message 100000").await;
    println!("a newcomer is in {:.2} s after coming by the link", begun.elapsed().as_secs_f64());
    ben.is_settled().await;

    ben.execute(MEASURE, vec![]).await;
    for number in [99_000, 98_000, 97_000, 96_000, 95_000] {
        ben.flings(-FLING, &format!("upTo({number})")).await;
    }
    Measured::by(&ben).await.show("up through 5,000 that come from the server");

    ben.opens("from the cache").await;
    ben.execute(MEASURE, vec![]).await;
    for number in [99_000, 98_000, 97_000, 96_000, 95_100] {
        ben.flings(-FLING, &format!("upTo({number})")).await;
    }
    ben.flings(FLING, "downTo(100000)").await;
    Measured::by(&ben).await.show("up through 5,000 that come from the cache, and down again");

    ben.press_css("[aria-label='Find']").await;
    ben.sees_at(".finder input").await;
    ben.execute(MEASURE, vec![]).await;
    let begun = Instant::now();
    ben.press("Search everything").await;
    while !ben.text_at(".finder-more").await.contains("The whole room is searched") {
        assert!(begun.elapsed() < Duration::from_secs(600), "the room is not loaded");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let Measured { tasks, .. } = Measured::by(&ben).await;
    println!("all is loaded and judged after {:.1} s; tasks over 50 ms: {tasks:?}", begun.elapsed().as_secs_f64());
    ben.execute(MEASURE, vec![]).await;
    let hit = ben.execute_async(TYPING, vec![json!("1234 short")]).await;
    let Measured { tasks, .. } = Measured::by(&ben).await;
    println!("the first hit is there {hit} ms after the last letter; tasks over 50 ms while typing: {tasks:?}");

    // As on a phone of some years ago.
    ben.resize(390, 844).await;
    ben.cdp("Emulation.setCPUThrottlingRate", json!({ "rate": 4 })).await;
    ben.opens("from the cache, on a phone four times slower").await;
    ben.execute(MEASURE, vec![]).await;
    ben.flings(-FLING / 4, "upTo(99500)").await;
    Measured::by(&ben).await.show("up through 500 there, at a quarter of the pace");
}

/// Types into the search, a letter each 80 ms, and waits for the first hit.
const TYPING: &str = "
    const [words] = arguments;
    const field = document.querySelector('.finder input');
    const count = document.querySelector('.finder-count');
    for (const letter of words) {
        field.value += letter;
        field.dispatchEvent(new Event('input', { bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve, 80));
    }
    const typed = performance.now() - 80;
    while (!/^1 /u.test(count.textContent)) await new Promise((resolve) => requestAnimationFrame(resolve));
    return Math.round(performance.now() - typed);
";
