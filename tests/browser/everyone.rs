//! For everyone: with a keyboard alone, with large letters, in any script, on a slow line and a small screen.

use std::time::{Duration, Instant};

use buddy_tests::eventually;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::profile::Profile;
use crate::scene::Scene;

/// What has the focus: what it is called, and what is wrong with how it shows.
const FOCUSED: &str = "
    const one = document.activeElement;
    const label = one.labels?.[0]?.innerText.split('\\n')[0];
    const heard = one.cloneNode(true);
    for (const hidden of heard.querySelectorAll('[aria-hidden=true]')) hidden.remove();
    const name = (one.getAttribute('aria-label') ?? label ?? heard.textContent).trim();
    const wrong = [];
    const rings = (element) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
        return (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2) || boxShadow !== 'none';
    };
    if (one !== document.body) {
        if (!rings(one) && !(one.matches('textarea') && rings(one.closest('.composer')))) wrong.push('no ring');
        const { left, right, top, bottom } = one.getBoundingClientRect();
        const shown = [(left + right) / 2, Math.max(0, Math.min(innerHeight - 1, (top + bottom) / 2))];
        const front = document.elementFromPoint(...shown);
        if (!front || !(one.contains(front) || front.contains(one))) wrong.push(`beneath ${front?.outerHTML.slice(0, 80)}`);
        if (bottom < 0 || top > innerHeight) wrong.push('out of sight');
    }
    return { name, wrong, tag: one.localName };";

#[tokio::test]
async fn a_whole_conversation_is_held_with_the_keyboard_alone() {
    let scene = Scene::set().await;

    let ana = scene.newcomer().await;
    ana.goto(&scene.start()).await;
    ana.sees("New room").await;
    ana.tab_to("New room").await;
    ana.strike(Key::Enter).await;
    let link = ana.link().await;
    // One is where one begins: at one's name, then at the message.
    ana.holds_focus("Your name").await;
    ana.types("Ana").await;
    ana.tab_to("Message").await;
    ana.types("First line").await;
    ana.strike_with(Key::Shift, Key::Enter).await;
    ana.types("second line").await;
    ana.strike(Key::Enter).await;
    ana.reads(&["First line\nsecond line"]).await;

    let ben = scene.guest("Ben", &link).await;
    ben.say("Hello from Ben").await;
    ana.reads(&["First line\nsecond line", "Hello from Ben"]).await;
    // Who hears the page is told, politely, and can find the log by its name.
    ana.finds(
        "the message was announced",
        "return document.getElementById('announcer').textContent.includes('Ben: Hello from Ben')",
    )
    .await;
    let log = "const log = document.querySelector('[role=log]');
        return log.getAttribute('aria-label') === 'Messages' && document.getElementById('announcer').ariaLive === 'polite'";
    ana.finds("the log has a name", log).await;

    // From the composer back into the log, to a message, to its tools.
    ana.holds_focus("Message").await;
    ana.back_to_log().await;
    ana.strike(Key::Down).await;
    ana.strike(Key::End).await;
    ana.focus_is_on("Hello from Ben").await;
    // Between both stands that Ben joined.
    ana.strike(Key::Up).await;
    ana.strike(Key::Up).await;
    ana.focus_is_on("First line").await;
    ana.strike(Key::Down).await;
    ana.strike(Key::Down).await;
    ana.strike(Key::Enter).await;
    ana.holds_focus("React").await;
    ana.strike(Key::Enter).await;
    ana.holds_focus("React with 👍").await;
    ana.strike(Key::Right).await;
    ana.strike(Key::Right).await;
    ana.strike(Key::Right).await;
    ana.holds_focus("React with 🎉").await;
    ana.strike(Key::Enter).await;
    ben.sees("🎉").await;
    // The message was drawn anew, and the focus is where it was.
    ana.sees_at("[data-emoji='🎉']:not([data-pending])").await;
    ana.holds_focus("React").await;
    ana.strike(Key::Right).await;
    ana.holds_focus("Reply").await;
    ana.strike(Key::Enter).await;
    ana.holds_focus("Message").await;
    ana.sees("Answering Ben").await;
    ana.types("An answer").await;
    ana.strike(Key::Enter).await;
    ben.sees("An answer").await;

    // The last own message is changed from an empty composer, and given up with Escape.
    ana.has_sent_all().await;
    ana.strike(Key::Up).await;
    ana.sees("Editing your message").await;
    ana.strike(Key::Escape).await;
    ana.sees_no("Editing your message").await;
    ana.strike(Key::Up).await;
    ana.types(", a better one").await;
    ana.strike(Key::Enter).await;
    ben.sees("An answer, a better one").await;

    // Deleting asks; the dialog closes with Escape and hands the focus back.
    ana.back_to_log().await;
    ana.strike(Key::End).await;
    ana.focus_is_on("An answer, a better one").await;
    ana.strike(Key::Enter).await;
    ana.strike(Key::Left).await;
    ana.holds_focus("More").await;
    ana.strike(Key::Enter).await;
    ana.sees("Copy text").await;
    ana.strike(Key::Escape).await;
    ana.sees_no("Copy text").await;
    ana.holds_focus("More").await;
    ana.strike(Key::Enter).await;
    ana.tab_to("Delete").await;
    ana.strike(Key::Enter).await;
    ana.holds_focus("Cancel").await;
    ana.tab_to("Delete").await;
    ana.strike(Key::Enter).await;
    ben.sees("Deleted by its author").await;
    ana.sees("You deleted this").await;

    // Inviting, and everything that an owner does.
    ana.strike(Key::Escape).await;
    ana.holds_focus("Message").await;
    ana.tab_to("Invite").await;
    ana.strike(Key::Enter).await;
    ana.sees("The room’s link").await;
    ana.strike(Key::Escape).await;
    ana.holds_focus("Invite").await;
    ana.tab_to("Manage room").await;
    ana.strike(Key::Enter).await;
    ana.sees("Everyone sees in the room what you change").await;
    ana.tab_to("Room name").await;
    ana.types("By hand").await;
    ana.tab_to("Lock the room").await;
    ana.strike(Key::Enter).await;
    ben.sees("The owner has locked this room").await;
    // What was filled in beside the switch is asked about.
    ana.strike(Key::Escape).await;
    ana.sees("Leave without saving?").await;
    ana.tab_to("Discard changes").await;
    ana.strike(Key::Enter).await;
    ana.holds_focus("Manage room").await;
    ana.tab_to("Unlock").await;
    ana.strike(Key::Space).await;
    ben.sees_at("textarea").await;
    ana.tab_to("All rooms").await;
    ana.strike(Key::Enter).await;
    ana.sees("Your rooms").await;
    ana.tab_to("Unnamed room").await;
    ana.strike(Key::Enter).await;
    ana.sees("Hello from Ben").await;
}

#[tokio::test]
async fn what_runs_from_right_to_left_does_so_and_nothing_else() {
    let scene = Scene::set().await;

    let ana = scene.newcomer().await;
    let link = ana.makes_room_called("رحلة الصيف", &scene.start()).await;
    ana.calls_themself("ليلى").await;
    ana.say("أين نلتقي؟ Gate 4").await;
    ana.say("Gate 4, or שער 4").await;
    ana.has_sent_all().await;
    let ben = scene.newcomer().await;
    ben.goto(&link).await;
    ben.sees("Join رحلة الصيف").await;
    ben.press("Join").await;
    ben.sees("أين نلتقي؟ Gate 4").await;
    let directions = "return [...document.querySelectorAll('.message .text, .message .name')]
        .map((one) => `${one.dir} ${one.matches(':dir(rtl)') ? 'rtl' : 'ltr'} ${getComputedStyle(one).unicodeBidi}`)";
    let directions = ben.execute(directions, vec![]).await;
    let expected = ["auto rtl isolate", "auto rtl isolate", "auto rtl isolate", "auto ltr isolate"];
    assert_eq!(directions, json!(expected), "name and text, twice");
    // A name that runs the other way moves neither what stands beside it nor the page.
    let order = "const name = document.querySelector('.who .name').getBoundingClientRect();
        const role = document.querySelector('.who .role').getBoundingClientRect();
        return name.right <= role.left + 1
            && document.querySelector('h1').matches(':dir(ltr)')
            && document.documentElement.scrollWidth <= innerWidth";
    ben.finds("the line keeps its order", order).await;
}

#[tokio::test]
async fn the_first_load_is_small_and_nothing_on_it_moves() {
    /// Bytes over the wire: bodies as they were sent, and their headers. A room is shown only after its link was
    /// opened and its keys were checked, which takes all that judges what a server says.
    const MOST: [(&str, u64); 2] = [("the start page", 45_000), ("a room", 80_000)];
    let scene = Scene::set().await;

    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello").await;
    ana.has_sent_all().await;

    for ((what, most), address) in MOST.into_iter().zip([scene.start(), link]) {
        let ben = scene.newcomer().await;
        ben.before_each_page(
            "globalThis.shifts = [];
             new PerformanceObserver((list) => shifts.push(...list.getEntries()))
                 .observe({ type: 'layout-shift', buffered: true });",
        )
        .await;
        ben.resize(360, 740).await;
        ben.goto(&address).await;
        let ready = if what == "a room" { "Join this room" } else { "No account" };
        ben.sees(ready).await;
        // Once a room's first screen is there, what an open room needs comes ahead.
        let sent = "const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
            const ahead = all.find(({ name }) => name.endsWith('/chat/ahead.js'))?.startTime ?? Infinity;
            return all.filter(({ startTime }) => startTime < ahead).reduce((sum, { transferSize }) => sum + transferSize, 0)";
        let sent = ben.execute(sent, vec![]).await.as_u64().expect("a number of bytes");
        println!("{what}: {sent} bytes");
        assert!(sent > 10_000, "the browser has counted: {sent}");
        assert!(sent < most, "{what} takes {sent} bytes");
        if what == "a room" {
            ben.press("Join").await;
            ben.sees("Hello").await;
            ben.sees("Live").await;
        }
        // What one has pressed may move the page; what loads by itself may not.
        let shifts = "return shifts.filter(({ hadRecentInput }) => !hadRecentInput).map(({ value, sources }) =>
            `${value}: ${sources.map(({ node }) => node?.outerHTML?.slice(0, 100))}`)";
        assert_eq!(ben.execute(shifts, vec![]).await, json!([]), "{what} moves while it loads");
    }
}

#[tokio::test]
async fn on_a_slow_line_whoever_joins_has_what_they_need_by_then() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello").await;
    ana.has_sent_all().await;

    let ben = scene.newcomer().await;
    // 400 kbit/s, and as far away as a bad mobile network.
    ben.slow_down(50_000, 400).await;
    let begun = Instant::now();
    ben.goto(&link).await;
    ben.sees("Join this room").await;
    println!("Join is there after {:?}", begun.elapsed());
    // A generous deadline: the bytes alone take 1.6 s, and each round trip 0.4 s.
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?} to Join", begun.elapsed());
    // Meanwhile one reads what one joins.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let begun = Instant::now();
    ben.press("Join").await;
    let text = ben.execute("return document.body.innerText", vec![]).await;
    assert!(!text.as_str().expect("a text").contains("Send this link"), "nobody new is told to invite: {text}");
    ben.sees("Hello").await;
    println!("the first message after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?} to read", begun.elapsed());
}

#[tokio::test]
async fn little_room_and_little_motion_are_enough() {
    let scene = Scene::set().await;

    let ana = scene.newcomer().await;
    ana.prefer(&[("prefers-reduced-motion", "reduce")]).await;
    ana.makes_room(&scene.start()).await;
    ana.calls_themself("Ana").await;
    ana.say("Hello").await;
    ana.press("Invite").await;
    ana.sees("The room’s link").await;
    let moving = "return document.getAnimations().map((one) => one.animationName ?? one.transitionProperty)";
    assert_eq!(ana.execute(moving, vec![]).await, json!([]), "nothing moves");
    ana.press("Close").await;
    ana.prefer(&[]).await;
    ana.press("Invite").await;
    eventually("where it may, it does", async || {
        let style = "return getComputedStyle(document.querySelector('dialog')).animationName";
        (ana.execute(style, vec![]).await == json!("rise")).then_some(())
    })
    .await;
    ana.press("Close").await;

    // A phone's keyboard takes half of the screen; one still sees what one writes, and the last message.
    ana.resize(360, 740).await;
    ana.press_css("textarea").await;
    ana.resize(360, 340).await;
    let fits = "const box = document.querySelector('.composer').getBoundingClientRect();
        const last = [...document.querySelectorAll('.bubble')].pop().getBoundingClientRect();
        return box.top > 0 && box.bottom <= innerHeight && last.bottom <= box.top && last.top > 0";
    ana.finds("the composer and the last message are in sight", fits).await;
    let meta =
        "return document.querySelector('meta[name=viewport]').content.includes('interactive-widget=resizes-content')";
    ana.finds("the keyboard takes its room from the page", meta).await;

    // With text at 200 % all is within reach: the bar in one row, its title below, the notice with its ways out of it,
    // a message, and where one writes.
    ana.resize(360, 740).await;
    for text in ["How are you?", "I am well", "So are the others"] {
        ana.say(text).await;
    }
    ana.sees("You own this room in this browser only").await;
    ana.execute("document.documentElement.style.fontSize = '200%'", vec![]).await;
    let fits = "const tops = [...document.querySelectorAll('.bar > :is(button, .button)')].map((one) => one.getBoundingClientRect().top);
        const within = (selector) => {
            const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight;
        };
        return tops.length === 4 && new Set(tops).size === 1 && document.querySelector('.chat').scrollTop === 0 && within('.banners') &&
            within('.composer') && document.querySelector('.timeline').clientHeight >= 80";
    ana.save_screenshot("room-owner-large-letters.png").await;
    ana.finds("large letters push nothing off the screen", fits).await;
}

impl Profile {
    /// Presses and releases a key.
    async fn strike(&self, key: Key) {
        self.play(&[KeyAction::Down { value: key.into() }, KeyAction::Up { value: key.into() }]).await;
    }

    /// Strikes a key while another is held.
    async fn strike_with(&self, held: Key, key: Key) {
        let [held, key] = [held, key].map(char::from);
        let actions = [
            KeyAction::Down { value: held },
            KeyAction::Down { value: key },
            KeyAction::Up { value: key },
            KeyAction::Up { value: held },
        ];
        self.play(&actions).await;
    }

    async fn types(&self, text: &str) {
        let actions: Vec<KeyAction> =
            text.chars().flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }]).collect();
        self.play(&actions).await;
    }

    async fn play(&self, actions: &[KeyAction]) {
        let keys =
            actions.iter().fold(KeyActions::new("keyboard".to_owned()), |keys, action| keys.then(action.clone()));
        self.client().perform_actions(keys).await.expect("keys can be pressed");
    }

    /// Presses Tab until what is called so has the focus. Wherever the focus stops on the way, it must show.
    async fn tab_to(&self, name: &str) {
        let mut passed = Vec::new();
        for _ in 0..60 {
            self.strike(Key::Tab).await;
            let focused = self.focused().await;
            if focused.starts_with(name) {
                return;
            }
            passed.push(focused);
        }
        panic!("Tab does not lead to {name:?}, only to {passed:?}");
    }

    /// Presses Shift and Tab until the focus is on a message.
    async fn back_to_log(&self) {
        for _ in 0..10 {
            self.strike_with(Key::Shift, Key::Tab).await;
            self.focused().await;
            let inside = "return document.activeElement.matches('.entry')";
            if self.execute(inside, vec![]).await == json!(true) {
                return;
            }
        }
        panic!("Shift and Tab do not lead to the log");
    }

    /// Waits until what is called so has the focus.
    async fn holds_focus(&self, name: &str) {
        self.eventually(&format!("{name} has the focus"), async || {
            (self.client().execute(FOCUSED, vec![]).await.ok()?["name"].as_str()? == name).then_some(())
        })
        .await;
        self.focused().await;
    }

    /// Waits until the message that begins so has the focus.
    async fn focus_is_on(&self, text: &str) {
        self.eventually(&format!("{text} has the focus"), async || {
            let script = "const one = document.activeElement;
                return one.matches('.entry') ? one.querySelector('[data-part=text]').textContent : ''";
            self.client().execute(script, vec![]).await.ok()?.as_str()?.starts_with(text).then_some(())
        })
        .await;
        self.focused().await;
    }

    /// The name of what has the focus, which must show that it has.
    async fn focused(&self) -> String {
        let focused = self.execute(FOCUSED, vec![]).await;
        assert_eq!(focused["wrong"], Value::Array(vec![]), "the focus on {focused} shows");
        focused["name"].as_str().unwrap_or_default().to_owned()
    }
}
