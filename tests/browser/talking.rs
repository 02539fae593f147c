//! Talking: writing and its keys, answering, changing, reacting, and finding one's place in a long conversation.

use buddy_tests::{Server, now_ms};
use fantoccini::key::Key;
use serde_json::json;

use crate::insider::{Insider, Operator};
use crate::profile::Profile;
use crate::scene::Scene;

const DAY_MS: u64 = 86_400_000;

impl Profile {
    /// The list item of the message with this text.
    async fn presses_message(&self, text: &str) {
        let xpath = format!("//li[contains(@class,'message')][.//*[contains(@class,'text') and .='{text}']]//time");
        self.press_at(&xpath, text).await;
        let script = "return document.activeElement.querySelector('.text')?.textContent === arguments[0]
            && !!document.activeElement.querySelector('.tools')";
        let at = async || (self.client().execute(script, vec![json!(text)]).await.ok()? == json!(true)).then_some(());
        self.eventually(&format!("the tools of {text:?} are there"), at).await;
    }

    /// Opens the menu of a message and chooses something.
    async fn chooses_for(&self, text: &str, choice: &str) {
        self.presses_message(text).await;
        self.press("More").await;
        self.choose(choice).await;
    }

    async fn has_written(&self, text: &str) {
        let script = "return document.querySelector('textarea')?.value";
        let found = async || (self.client().execute(script, vec![]).await.ok()? == json!(text)).then_some(());
        self.eventually(&format!("{text:?} stands in the field"), found).await;
    }

    /// Turns the mouse's wheel above the messages; up is negative.
    async fn turns_wheel(&self, pixels: i32) {
        let wheel = json!({ "type": "mouseWheel", "x": 640, "y": 400, "deltaX": 0, "deltaY": pixels });
        self.cdp("Input.dispatchMouseEvent", wheel).await;
    }

    /// A number that a script finds.
    async fn measures(&self, script: &str) -> f64 {
        self.execute(script, vec![]).await.as_f64().unwrap_or_else(|| panic!("a number: {script}"))
    }
}

#[tokio::test]
async fn people_answer_change_delete_and_react() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Shall we go on Friday").await;
    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["Shall we go on Friday"]).await;

    ben.presses_message("Shall we go on Friday").await;
    ben.press("Reply").await;
    ben.sees("Answering Ana: Shall we go on Friday").await;
    ben.say("Friday is good").await;
    let quotes = "return [...document.querySelectorAll('.quote')].map((quote) => quote.textContent)";
    for (reader, quoted) in [(&ana, "YouShall we go on Friday"), (&ben, "AnaShall we go on Friday")] {
        reader.reads(&["Shall we go on Friday", "Friday is good"]).await;
        assert_eq!(reader.execute(quotes, vec![]).await, json!([quoted]));
    }
    // A quote is drawn from what is answered, so it follows its changes.
    ana.chooses_for("Shall we go on Friday", "Edit").await;
    ana.fill("Message", "Shall we go on Saturday").await;
    ana.press("Save").await;
    for reader in [&ana, &ben] {
        reader.reads(&["Shall we go on Saturday", "Friday is good"]).await;
        reader.sees("edited").await;
    }
    ben.finds(
        "the quote follows",
        "return document.querySelector('.quote')?.textContent === 'AnaShall we go on Saturday'",
    )
    .await;
    ben.press_css(".quote").await;
    let jumped = "return document.activeElement.querySelector('.text')?.textContent === 'Shall we go on Saturday'";
    ben.finds("the quote leads to its message", jumped).await;

    ben.presses_message("Shall we go on Saturday").await;
    ben.press("React").await;
    ben.press("React with 🎉").await;
    let reaction = |count: u32, pressed: bool| {
        format!(
            "const press = document.querySelector('[data-emoji=\"🎉\"]');
             return press?.textContent === '🎉{count}' && press.getAttribute('aria-pressed') === '{pressed}'"
        )
    };
    ana.finds("Ben has reacted", &reaction(1, false)).await;
    ana.press_css("[data-emoji='🎉']").await;
    ana.finds("both have reacted", &reaction(2, true)).await;
    ben.finds("both have reacted", &reaction(2, true)).await;
    ben.press_css("[data-emoji='🎉']").await;
    ben.finds("Ben has taken it back", &reaction(1, false)).await;
    ana.finds("Ben has taken it back", &reaction(1, true)).await;

    ben.chooses_for("Friday is good", "Delete").await;
    ben.press_css("dialog .danger").await;
    ben.sees("You deleted this").await;
    ana.sees("Deleted by its author").await;
    ana.reads(&["Shall we go on Saturday", "Deleted by its author"]).await;
    ana.sees_no("Friday is good").await;

    // A line of somebody's own name costs little height, and what is said and what is written share their edges.
    let height = "return [...document.querySelectorAll('.message:not([data-own])')].at(-1).offsetHeight";
    assert!(ana.measures(height).await <= 52.0, "one line with its name takes {} px", ana.measures(height).await);
    let edges = "const box = (css) => document.querySelector(css).getBoundingClientRect();
        const composer = box('.composer');
        return Math.abs(composer.left - box('.message > .avatar').left) < 1
            && Math.abs(composer.right - box('.message[data-own] .bubble').right) < 1";
    ana.finds("messages and composer share their edges", edges).await;
}

#[tokio::test]
async fn links_and_code_are_shown_as_such_and_nothing_else_is() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    let insider = Insider::with(&scene.server, &link, "Ivo").await;
    insider.say("See https://example.org/a_(b)?c=d#e, or `rm -rf *`.").await;
    insider.say("```rust\nfn main() {\n    <b>\n}\n```\nand that").await;
    insider.say("**strong** *so* ||hidden|| <b>nor this</b> javascript:alert(1)").await;
    insider.say("> who *said*\n> so\n- one\n  - of it\n- two\n12. twelve").await;
    ana.sees("and that").await;
    ana.sees("nor this").await;
    ana.sees("twelve").await;
    let html = "return [...document.querySelectorAll('.message .text')].map((text) => text.innerHTML)";
    let rel = "rel=\"noopener noreferrer nofollow ugc\" target=\"_blank\"";
    let address = "https://example.org/a_(b)?c=d#e";
    assert_eq!(
        ana.execute(html, vec![]).await,
        json!([
            format!("See <a href=\"{address}\" {rel}>{address}</a>, or <code>rm -rf *</code>."),
            "<div class=\"code\"><pre dir=\"auto\" tabindex=\"0\" role=\"group\" aria-label=\"Code\"><code>fn main() {\n    &lt;b&gt;\n}</code></pre><button type=\"button\" class=\"plain\" data-part=\"copyCode\">Copy</button></div>and that",
            "<strong>strong</strong> <em>so</em> <button type=\"button\" class=\"spoiler\" aria-label=\"Hidden words. Show them\">hidden</button> &lt;b&gt;nor this&lt;/b&gt; javascript:alert(1)",
            "<blockquote dir=\"auto\">who <em>said</em>\nso</blockquote><ul dir=\"auto\"><li>one<ul dir=\"auto\"><li>of it</li></ul></li><li>two</li></ul><ol dir=\"auto\" style=\"--digits: 2;\"><li value=\"12\">twelve</li></ol>",
        ])
    );
    ana.press("Hidden words. Show them").await;
    ana.finds("the words are there", "return !document.querySelector('.spoiler').hasAttribute('aria-label')").await;

    // Code is copied as it is, without what stands around it.
    let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    ana.cdp("Browser.grantPermissions", permissions).await;
    ana.press("Copy").await;
    ana.sees("Copied").await;
    let copied = ana.execute_async("return navigator.clipboard.readText()", vec![]).await;
    assert_eq!(copied, json!("fn main() {\n    <b>\n}"));

    // What is long is folded, unfolded, and folded again.
    insider.say(&(1..=40).map(|line| format!("Line {line}\n")).collect::<String>()).await;
    let is_folded = |folded: bool| {
        format!(
            "const text = [...document.querySelectorAll('.message .text')].at(-1);
             return text.textContent.includes('Line 40') && (text.clientHeight < text.scrollHeight) === {folded}"
        )
    };
    ana.finds("the beginning shows", &is_folded(true)).await;
    ana.press("Show all of it").await;
    ana.finds("all of it shows", &is_folded(false)).await;
    ana.press("Show less").await;
    ana.finds("the beginning shows again", &is_folded(true)).await;
    ana.sees("Show all of it").await;
}

#[tokio::test]
async fn enter_sends_shift_enter_breaks_and_an_input_method_keeps_its_enter() {
    let scene = Scene::set().await;
    let (ana, _) = scene.host("Ana").await;
    ana.type_into("Message", "First line").await;
    let break_line = format!("{}{}{}", Key::Shift, Key::Enter, Key::Null);
    ana.keys(&break_line).await;
    ana.keys("second line").await;
    ana.has_written("First line\nsecond line").await;
    ana.keys(&Key::Enter.to_string()).await;
    ana.reads(&["First line\nsecond line"]).await;
    ana.has_written("").await;
    // Nothing but white space is nothing to say.
    ana.keys(&format!("  {break_line}  {}", Key::Enter)).await;
    ana.keys("x").await;
    ana.has_written("  \n  x").await;
    ana.fill("Message", "").await;

    // An input method composes: its Enter takes the candidate, and is not the message's end.
    ana.cdp("Input.imeSetComposition", json!({ "text": "にほん", "selectionStart": 3, "selectionEnd": 3 })).await;
    ana.has_written("にほん").await;
    let enter = |event: &str| json!({ "type": event, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229 });
    ana.cdp("Input.dispatchKeyEvent", enter("rawKeyDown")).await;
    ana.cdp("Input.dispatchKeyEvent", enter("keyUp")).await;
    let composing = "return document.querySelector('textarea').dispatchEvent(new KeyboardEvent('keydown',
        { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))";
    assert_eq!(ana.execute(composing, vec![]).await, true, "nobody has taken this Enter");
    ana.has_written("にほん").await;
    ana.cdp("Input.insertText", json!({ "text": "日本" })).await;
    ana.has_written("日本").await;
    ana.keys(&Key::Enter.to_string()).await;
    ana.reads(&["First line\nsecond line", "日本"]).await;
}

#[tokio::test]
async fn with_fingers_enter_breaks_the_line_and_a_message_is_held_or_drawn_aside() {
    let scene = Scene::set().await;
    let ana = scene.newcomer().await;
    let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
    ana.cdp("Emulation.setDeviceMetricsOverride", phone).await;
    ana.cdp("Emulation.setTouchEmulationEnabled", json!({ "enabled": true, "maxTouchPoints": 5 })).await;
    // A touch screen alone: Chromium's emulation leaves the machine's mouse in place.
    let coarse = "const match = matchMedia.bind(window);
        window.matchMedia = (query) => match(query.includes('any-pointer: fine') ? 'not all' : query)";
    ana.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": coarse })).await;
    ana.makes_room(&scene.start()).await;
    ana.finds("the pointer is a finger", "return matchMedia('(pointer: coarse)').matches").await;
    ana.calls_themself("Ana").await;
    ana.type_into("Message", &format!("One{}two", Key::Enter)).await;
    ana.has_written("One\ntwo").await;
    ana.press("Send").await;
    ana.reads(&["One\ntwo"]).await;
    ana.has_sent_all().await;

    // A finger that rests on it brings up what can be done with it; one that draws it aside answers it.
    ana.touches("touchStart", Some(0)).await;
    ana.sees_at("dialog[open]").await;
    ana.touches("touchEnd", None).await;
    ana.sees("Copy").await;
    ana.press("Close").await;
    ana.finds("the sheet is gone", "return !document.querySelector('dialog')").await;
    for (kind, aside) in [("touchStart", Some(0)), ("touchMove", Some(40)), ("touchMove", Some(75)), ("touchEnd", None)]
    {
        ana.touches(kind, aside).await;
    }
    ana.sees("Answering yourself: One").await;
}

impl Profile {
    /// A finger on the last message, so many pixels beside where it was put down; `None`: it is gone.
    async fn touches(&self, kind: &str, aside: Option<i64>) {
        let mut points = json!([]);
        if let Some(aside) = aside {
            let middle = "const { left, top, height } = [...document.querySelectorAll('.message .text')].at(-1).getBoundingClientRect();
                return { x: Math.round(left) + 10, y: Math.round(top + height / 2) }";
            if kind == "touchStart" {
                self.execute(&format!("globalThis.finger = (() => {{ {middle} }})()"), vec![]).await;
            }
            let put = self.execute("return finger", vec![]).await;
            points = json!([{ "x": put["x"].as_i64().expect("a number") + aside, "y": put["y"] }]);
        }
        self.cdp("Input.dispatchTouchEvent", json!({ "type": kind, "touchPoints": points })).await;
    }
}

#[tokio::test]
async fn drafts_are_kept_for_each_room_and_survive_changing_an_old_message() {
    let scene = Scene::set().await;
    let (ana, first) = scene.host("Ana").await;
    ana.say("Helo").await;
    ana.reads(&["Helo"]).await;
    ana.presses_message("Helo").await;
    ana.press("Reply").await;
    ana.type_into("Message", "A long thought").await;
    // A typing error is mended in between, and another one left as it is.
    ana.chooses_for("Helo", "Edit").await;
    ana.has_written("Helo").await;
    ana.fill("Message", "Hello").await;
    ana.press("Save").await;
    ana.reads(&["Hello"]).await;
    ana.has_written("A long thought").await;
    ana.sees("Answering yourself: Helo").await;
    ana.chooses_for("Hello", "Edit").await;
    ana.has_written("Hello").await;
    ana.press("Cancel").await;
    ana.has_written("A long thought").await;

    ana.press("All rooms").await;
    let second = ana.makes_room(&scene.start()).await;
    assert_ne!(first, second);
    ana.has_written("").await;
    ana.type_into("Message", "Another thought").await;
    ana.press("All rooms").await;
    ana.goto(&first).await;
    ana.has_written("A long thought").await;
    ana.sees("Answering yourself").await;
    ana.refresh().await;
    ana.has_written("A long thought").await;
    ana.goto(&second).await;
    ana.has_written("Another thought").await;
    ana.goto(&first).await;
    ana.press("Send").await;
    ana.reads(&["Hello", "A long thought"]).await;
    ana.refresh().await;
    ana.reads(&["Hello", "A long thought"]).await;
    ana.has_written("").await;
    assert_eq!(ana.execute("return document.querySelectorAll('.quote').length", vec![]).await, 1);
}

/// How far the reader is from the end, and whether anybody is told that there is more.
const BELOW: &str = "const { scrollHeight, scrollTop, clientHeight } = document.querySelector('.timeline');
    return scrollHeight - scrollTop - clientHeight";

/// Whether the line above what is new is in view, and this is the first message below it.
fn unread_line(first: &str) -> String {
    format!(
        "const line = document.querySelector('li.unread');
         const {{ top, bottom }} = document.querySelector('.timeline').getBoundingClientRect();
         const box = line?.getBoundingClientRect();
         return line?.nextElementSibling?.querySelector('.text').textContent === '{first}'
             && box.top >= top && box.bottom <= bottom"
    )
}

#[tokio::test]
async fn the_end_is_followed_only_by_who_is_near_it_and_the_unread_line_stays() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    let insider = Insider::with(&scene.server, &link, "Ivo").await;
    for number in 1..=40 {
        insider.say(&format!("Message {number}")).await;
    }
    ana.sees("Message 40").await;
    insider.say("Followed").await;
    ana.sees("Followed").await;
    ana.finds("the end is followed", &format!("{BELOW} < 2")).await;

    // Who has scrolled up is left alone, and told.
    ana.turns_wheel(-5_000).await;
    ana.finds("Ana has scrolled up", &format!("{BELOW} > 500")).await;
    let top = "return document.querySelector('.message').getBoundingClientRect().top";
    let before = ana.measures(top).await;
    insider.say("Missed").await;
    ana.sees("1 new message").await;
    insider.say("Missed, too").await;
    ana.sees("2 new messages").await;
    assert!((ana.measures(top).await - before).abs() < 1.0, "nothing has moved");
    ana.press("2 new messages").await;
    ana.finds("Ana is at the end", &format!("{BELOW} < 2")).await;
    ana.finds("nothing is new any more", "return !document.querySelector('.jump').checkVisibility()").await;

    // What came while the tab was not looked at begins above what is seen; a button leads there, and back to the end.
    let hide = "Object.defineProperty(document, 'hidden', { value: true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))";
    ana.execute(hide, vec![]).await;
    for number in 1..=40 {
        insider.say(&format!("Away {number}")).await;
    }
    ana.sees("Away 40").await;
    ana.execute("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))", vec![]).await;
    ana.press("First new message").await;
    ana.finds("the line is in view, above the first of them", &unread_line("Away 1")).await;
    ana.press("Latest").await;
    ana.finds("Ana is at the end again", &format!("{BELOW} < 2")).await;

    // What comes while nobody looks stands below a line.
    ana.goto(&scene.start()).await;
    ana.press("New room").await;
    for number in 1..=30 {
        insider.say(&format!("Overnight {number}")).await;
    }
    ana.goto(&link).await;
    ana.finds("the unread line is in view, above the first unread message", &unread_line("Overnight 1")).await;
    ana.turns_wheel(50_000).await;
    ana.sees("Overnight 30").await;
    let stays = "return document.querySelector('li.unread')?.nextElementSibling?.textContent.includes('Overnight 1')";
    ana.finds("the line stays while the room is open", stays).await;
    ana.refresh().await;
    ana.sees("Overnight 30").await;
    ana.finds("what was read is not new", "return !document.querySelector('li.unread')").await;
}

#[tokio::test]
async fn older_history_loads_without_a_jump_and_days_are_told_apart() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (_ana, link) = scene.host("Ana").await;
    let insider = Insider::with(&scene.server, &link, "Ivo").await;
    let operator = Operator::of(&scene.server);
    let now = now_ms();
    let texts = (1..=260).map(|number| format!("Message {number}\n{}", "line\n".repeat(number % 5)));
    // A hundred the day before yesterday, a hundred yesterday, the rest today.
    operator.fill(&insider, texts, |number| now - DAY_MS * 2_u64.saturating_sub(number / 100));
    insider.introduces_themself().await;
    let ben = scene.newcomer().await;
    ben.joins(&link).await;
    ben.sees("Message 260").await;

    // Scrolls up by wheel-like steps, and notes by how much what is in view moves beyond them.
    let climb = "
        const scroller = document.querySelector('.timeline');
        // From here on it is the reader who moves.
        scroller.dispatchEvent(new Event('wheel'));
        window.climb = { jumps: [], done: false };
        const edge = scroller.getBoundingClientRect().top;
        const anchor = () => [...scroller.querySelectorAll('.message')].find((one) => one.getBoundingClientRect().top > edge + 200);
        const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
        (async () => {
            for (;;) {
                const held = anchor();
                const before = held.getBoundingClientRect().top;
                const from = scroller.scrollTop;
                scroller.scrollTop -= 120;
                const moved = from - scroller.scrollTop;
                await frame();
                await frame();
                // An element may be drawn anew; the same message stands where it stood.
                const now = document.querySelector(`[data-key=\"${held.dataset.key}\"]`);
                const jump = Math.round(now.getBoundingClientRect().top - before - moved);
                if (Math.abs(jump) > 1) window.climb.jumps.push(jump);
                if (scroller.scrollTop === 0 && document.querySelector('.beginning > *')?.checkVisibility()) break;
            }
            window.climb.done = true;
        })();
    ";
    ben.execute(climb, vec![]).await;
    ben.finds("Ben reaches the beginning", "return window.climb.done").await;
    assert_eq!(ben.execute("return window.climb.jumps", vec![]).await, json!([]), "nothing jumped");
    ben.sees("Message 1").await;
    let days = "return [...document.querySelectorAll('li.day')].map((day) => [day.textContent,
        document.evaluate('following-sibling::li[contains(@class, \"message\")]//*[@data-part=\"text\"]', day)
            .iterateNext().textContent.split('\\n')[0]])";
    let days = ben.execute(days, vec![]).await;
    let days = days.as_array().expect("a list");
    assert_eq!(days.len(), 3, "{days:?}");
    assert_eq!(days[1], json!(["Yesterday", "Message 100"]));
    assert_eq!(days[2], json!(["Today", "Message 200"]));
    // While one scrolls it is said which day it is, to who sees it.
    let yesterday = "document.querySelector('.timeline').scrollTop += 60;
        const day = document.querySelector('.floating-day[data-shown]');
        return day?.textContent === 'Yesterday' && day.closest('[aria-hidden=true]') !== null";
    ben.finds("it is yesterday", yesterday).await;
    ben.save_screenshot("room-scrolling.png").await;
    ben.finds("nothing is left of it", "return document.querySelector('.floating-day[data-shown]') === null").await;
    let all = ben.measures("return document.querySelectorAll('.entry').length").await;
    assert!(all <= 500.0, "{all} messages are in the document");
}
