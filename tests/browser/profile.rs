//! One person's browser, which shares nothing with the others: what they do with it and what they see in it.

use std::fmt::Write;
use std::fs;

use buddy_tests::{DEADLINE, project_root};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{TimeoutConfiguration, WindowHandle};
use fantoccini::{Client, Locator};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::driver::Browser;

/// The texts of all messages on show.
const TEXTS: &str = "return [...document.querySelectorAll('.message .text')].map((text) => text.textContent)";
/// What can be read on the page. What is only said aloud, and for a moment, does not count.
const VISIBLE: &str = "return [...document.body.children].filter(({ id }) => id !== 'announcer')
    .map(({ innerText }) => innerText ?? '').join('\\n')";
/// What can be pressed.
const PRESSABLE: &str = "(self::button or self::a or self::summary or self::label)";
/// What can be filled in.
const FIELD: &str = "(self::input or self::textarea or self::select)";

pub(crate) struct Profile {
    client: Client,
    /// The driver's address.
    driver: String,
    /// How it was started; none where it is not Chromium, which alone knows the tricks below.
    browser: Option<Browser>,
}

impl Profile {
    pub(crate) async fn new(client: Client, driver: String, browser: Option<Browser>) -> Self {
        let timeouts = TimeoutConfiguration::new(Some(DEADLINE), Some(DEADLINE), Some(Duration::ZERO));
        client.update_timeouts(timeouts).await.expect("timeouts can be set");
        Self { client, driver, browser }
    }

    /// WebDriver itself, for what no word here says.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    // Going somewhere.

    pub(crate) async fn goto(&self, address: &str) {
        self.client.goto(address).await.unwrap_or_else(|error| panic!("{address} cannot be loaded: {error}"));
    }

    pub(crate) async fn refresh(&self) {
        self.client.refresh().await.expect("the page can be loaded again");
    }

    /// What the address bar shows.
    pub(crate) async fn address(&self) -> String {
        let address = self.execute("return location.href", vec![]).await;
        address.as_str().expect("an address is text").to_owned()
    }

    /// The room's address, once the page has gone there.
    pub(crate) async fn link(&self) -> String {
        self.eventually("the address is a room's link", async || {
            let address = self.client.execute("return location.href", vec![]).await.ok()?;
            address.as_str().filter(|address| address.contains("#m.") || address.contains("#r.")).map(str::to_owned)
        })
        .await
    }

    /// Opens a further tab and turns to it.
    pub(crate) async fn new_tab(&self) -> WindowHandle {
        let tab = self.client.new_window(true).await.expect("a tab can be opened").handle;
        self.turn_to(&tab).await;
        tab
    }

    /// The tab that is in front.
    pub(crate) async fn tab(&self) -> WindowHandle {
        self.client.window().await.expect("there is a tab")
    }

    pub(crate) async fn turn_to(&self, tab: &WindowHandle) {
        self.client.switch_to_window(tab.clone()).await.expect("the tab is there");
    }

    /// Ends the browser as a crash does: at once, and without a last word.
    pub(crate) async fn crash(self) -> Browser {
        let capabilities = self.client.capabilities().expect("the session has capabilities");
        let id = capabilities["goog:processID"].as_i64().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).expect("the driver tells its browser's process");
        kill_process(id, Signal::KILL).expect("the browser can be killed");
        // The driver notices, and forgets the session.
        let _ = self.client.close().await;
        self.browser.expect("what crashes is Chromium")
    }

    // Doing something.

    /// Presses the button, link or summary that carries these words, or is called so, as soon as it can be pressed.
    pub(crate) async fn press(&self, words: &str) {
        let words = quoted(words);
        let named = format!("normalize-space()={words} or @aria-label={words} or @title={words}");
        self.press_at(&format!("//*[{PRESSABLE} and ({named})]"), &words).await;
    }

    /// Presses the option of an opened dialog or menu that begins with these words.
    pub(crate) async fn choose(&self, words: &str) {
        let words = quoted(words);
        self.press_at(&format!("//*[{PRESSABLE} and starts-with(normalize-space(), {words})]"), &words).await;
    }

    /// Presses what `css` finds. For what has no words of its own.
    pub(crate) async fn press_css(&self, css: &str) {
        self.act(css, Locator::Css(css), async |element: Element| element.click().await).await;
    }

    /// Opens what is folded beneath a line that begins with these words.
    pub(crate) async fn choose_summary(&self, words: &str) {
        let xpath = format!("//summary[contains(normalize-space(), {})]", quoted(words));
        self.press_at(&xpath, words).await;
    }

    /// Presses a button of the toolbar that belongs to a message.
    pub(crate) async fn press_in(&self, message: &str, words: &str) {
        let text = format!("//li[contains(@class, 'message')]//*[@data-part='text'][contains(., {})]", quoted(message));
        // In the middle of a short text's line stands the time, which is the bubble's.
        let bubble = format!("{text}/ancestor::*[contains(@class, 'bubble')]");
        let button = format!("{text}/ancestor::li//button[@aria-label={}]", quoted(words));
        self.eventually(&format!("{words:?} of {message:?} can be pressed"), async || {
            // As with a mouse: the toolbar comes to the message that is pressed.
            self.client.find(Locator::XPath(&bubble)).await.ok()?.click().await.ok()?;
            self.client.find(Locator::XPath(&button)).await.ok()?.click().await.ok()
        })
        .await;
    }

    pub(crate) async fn press_at(&self, xpath: &str, what: &str) {
        self.act(what, Locator::XPath(xpath), async |element: Element| element.click().await).await;
    }

    /// Empties the field that is called so and types into it, as soon as it is shown.
    pub(crate) async fn fill(&self, field: &str, text: &str) {
        self.act(field, Locator::XPath(&field_called(field)), async |element: Element| {
            element.clear().await?;
            element.send_keys(text).await
        })
        .await;
    }

    /// Types into the field that is called so, after what it already holds.
    pub(crate) async fn type_into(&self, field: &str, text: &str) {
        let xpath = field_called(field);
        self.act(field, Locator::XPath(&xpath), async |element: Element| element.send_keys(text).await).await;
    }

    /// Chooses an option of the field that is called so.
    pub(crate) async fn select(&self, field: &str, option: &str) {
        let xpath = field_called(field);
        self.act(field, Locator::XPath(&xpath), async |element: Element| element.select_by_label(option).await).await;
    }

    /// Types to whatever has the focus. [`fantoccini::key::Key`] holds what is not a letter.
    pub(crate) async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("what has the focus takes keys");
    }

    /// Does something with the first that is found and shown and lets it be done.
    async fn act(&self, what: &str, search: Locator<'_>, act: impl AsyncFn(Element) -> Result<(), CmdError>) {
        let mut refusal = "nothing of that kind is shown".to_owned();
        let end = Instant::now() + DEADLINE;
        loop {
            for element in self.client.find_all(search).await.unwrap_or_default() {
                if !element.is_displayed().await.unwrap_or(false) {
                    continue;
                }
                match act(element).await {
                    Ok(()) => return,
                    Err(error) => refusal = error.to_string(),
                }
            }
            if Instant::now() > end {
                panic!("waited {DEADLINE:?} in vain for {what}: {refusal}\n{}", self.describe().await);
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    // Rooms.

    /// Makes a room from the start page of this origin and returns its link.
    pub(crate) async fn makes_room(&self, start: &str) -> String {
        self.goto(start).await;
        self.press("New room").await;
        self.link().await
    }

    /// Makes a room that has a name from the beginning, and returns its link.
    pub(crate) async fn makes_room_called(&self, name: &str, start: &str) -> String {
        self.goto(start).await;
        self.press("Name, expiry, disappearing messages").await;
        self.fill("Room name", name).await;
        self.press("New room").await;
        self.link().await
    }

    /// Opens a link and says yes.
    pub(crate) async fn joins(&self, link: &str) {
        self.goto(link).await;
        self.press(if link.contains("#r.") { "Read" } else { "Join" }).await;
        self.eventually("the room is open", async || self.shows(".chat").await.then_some(())).await;
    }

    /// Fills in who they are; others hear of it with what is said next.
    pub(crate) async fn calls_themself(&self, name: &str) {
        self.fill("Your name", name).await;
    }

    pub(crate) async fn say(&self, text: &str) {
        self.type_into("Message", text).await;
        self.press("Send").await;
    }

    /// Puts text into the composer as pasting does, line breaks and all.
    pub(crate) async fn pastes(&self, text: &str) {
        self.type_into("Message", "").await;
        let script = "document.querySelector('.composer textarea').focus();
            return document.execCommand('insertText', false, arguments[0])";
        assert_eq!(self.execute(script, vec![json!(text)]).await, json!(true), "the composer takes what is pasted");
    }

    /// Waits until nothing that was written here is still on its way.
    pub(crate) async fn has_sent_all(&self) {
        self.eventually("all is sent", async || (!self.shows(".message[data-state]").await).then_some(())).await;
    }

    /// Waits until exactly these messages are shown, each once, in whatever order the server gave them.
    pub(crate) async fn reads(&self, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        self.eventually(&format!("exactly {expected:?} are shown"), async || {
            let mut shown = self.texts().await?;
            shown.sort_unstable();
            (shown == expected).then_some(())
        })
        .await;
    }

    /// Waits until exactly these messages are shown in this order.
    pub(crate) async fn reads_in_order(&self, expected: &[&str]) {
        self.eventually(&format!("{expected:?} are shown in this order"), async || {
            (self.texts().await? == expected).then_some(())
        })
        .await;
    }

    /// Waits until this is the last message.
    pub(crate) async fn reads_last(&self, expected: &str) {
        self.eventually(&format!("{expected:?} is the last message"), async || {
            (self.texts().await?.last()? == expected).then_some(())
        })
        .await;
    }

    async fn texts(&self) -> Option<Vec<String>> {
        let shown = self.client.execute(TEXTS, vec![]).await.ok()?;
        shown.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    }

    // Seeing.

    /// Waits until these words can be read somewhere on the page.
    pub(crate) async fn sees(&self, words: &str) {
        self.eventually(&format!("{words:?} can be read"), async || {
            let visible = self.client.execute(VISIBLE, vec![]).await.ok()?;
            squeezed(visible.as_str()?).contains(&squeezed(words)).then_some(())
        })
        .await;
    }

    /// Waits until these words can be read nowhere on the page any more.
    pub(crate) async fn sees_no(&self, words: &str) {
        self.eventually(&format!("{words:?} cannot be read"), async || {
            let visible = self.client.execute(VISIBLE, vec![]).await.ok()?;
            (!squeezed(visible.as_str()?).contains(&squeezed(words))).then_some(())
        })
        .await;
    }

    /// Whether something that `css` finds is shown now.
    pub(crate) async fn shows(&self, css: &str) -> bool {
        let script = "return [...document.querySelectorAll(arguments[0])].some((one) => one.checkVisibility())";
        self.client.execute(script, vec![json!(css)]).await.is_ok_and(|shown| shown == json!(true))
    }

    /// The text of what `css` finds, as soon as it is there.
    pub(crate) async fn text_at(&self, css: &str) -> String {
        self.eventually(&format!("{css} has a text"), async || {
            self.client.find(Locator::Css(css)).await.ok()?.text().await.ok().filter(|text| !text.is_empty())
        })
        .await
    }

    /// Waits until something that `css` finds is shown.
    pub(crate) async fn sees_at(&self, css: &str) {
        self.eventually(&format!("{css} is shown"), async || self.shows(css).await.then_some(())).await;
    }

    /// Waits until `script` returns true.
    pub(crate) async fn finds(&self, what: &str, script: &str) {
        self.eventually(what, async || (self.client.execute(script, vec![]).await.ok()? == json!(true)).then_some(()))
            .await;
    }

    /// Waits like [`buddy_tests::eventually`]; a failure tells what the page showed instead.
    pub(crate) async fn eventually<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            if Instant::now() > end {
                panic!("waited {DEADLINE:?} in vain: {what}\n{}", self.describe().await);
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    async fn describe(&self) -> String {
        let mut text = String::new();
        let focus = "return document.activeElement?.outerHTML.slice(0, 200)";
        for (what, script) in [("address", "return location.href"), ("focus", focus), ("page", VISIBLE)] {
            let answer = self.client.execute(script, vec![]).await;
            let _ = match answer {
                Ok(value) => writeln!(text, "--- {what} ---\n{}", value.as_str().unwrap_or_default()),
                Err(error) => writeln!(text, "--- {what} --- {error}"),
            };
        }
        for line in self.console().await {
            let _ = writeln!(text, "console: {line}");
        }
        text
    }

    /// What the browser has complained about since the last time this was asked.
    pub(crate) async fn console(&self) -> Vec<String> {
        if self.browser.is_none() {
            return Vec::new();
        }
        let entries = self.command("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect()
    }

    pub(crate) async fn save_screenshot(&self, name: &str) {
        let folder = project_root().join("target/screenshots");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let image = self.client.screenshot().await.expect("a screenshot can be taken");
        fs::write(folder.join(name), image).expect("a screenshot can be saved");
    }

    // Looking and playing tricks.

    /// Runs a script in the page and returns what it returns.
    pub(crate) async fn execute(&self, script: &str, arguments: Vec<Value>) -> Value {
        let answer = self.client.execute(script, arguments).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Runs the body of an async function in the page and returns what it resolves to.
    pub(crate) async fn execute_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        // WebDriver waits for promises.
        self.execute(&format!("return (async (...arguments) => {{ {script} }})(...arguments)"), arguments).await
    }

    /// A command of the Chrome DevTools Protocol, for the tab in front.
    pub(crate) async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Lets the page use what a person would be asked for, such as `notifications`.
    pub(crate) async fn lets(&self, what: &str) {
        self.command("permissions", json!({ "descriptor": { "name": what }, "state": "granted" })).await;
    }

    /// Pulls this browser's plug, or puts it in again.
    pub(crate) async fn set_offline(&self, offline: bool) {
        let conditions = json!({ "offline": offline, "latency": 0, "throughput": 0 });
        self.command("chromium/network_conditions", json!({ "network_conditions": conditions })).await;
    }

    /// Lets only so many bytes a second through, and has each answer come so much later. [`Profile::set_offline`] with
    /// `false` ends it.
    pub(crate) async fn slow_down(&self, bytes_per_s: u32, latency_ms: u32) {
        let conditions = json!({ "offline": false, "latency": latency_ms, "throughput": bytes_per_s });
        self.command("chromium/network_conditions", json!({ "network_conditions": conditions })).await;
    }

    /// Refuses to load what these patterns fit, such as `*/app.js`.
    pub(crate) async fn block(&self, patterns: &[&str]) {
        self.cdp("Network.enable", json!({})).await;
        self.cdp("Network.setBlockedURLs", json!({ "urls": patterns })).await;
        self.cdp("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
    }

    /// Runs a script in every page from now on, before any of the page's own.
    pub(crate) async fn before_each_page(&self, script: &str) {
        self.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// Waits until the service worker holds the page, so that it opens without a server.
    pub(crate) async fn keeps_the_page(&self) {
        self.execute_async("await navigator.serviceWorker.ready", vec![]).await;
    }

    /// Shows the page on a screen of another size.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Ends what [`Profile::resize`] began.
    pub(crate) async fn unsize(&self) {
        self.cdp("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }

    /// Sets what the person prefers, such as `prefers-color-scheme` to `dark`. What is not named is as in the
    /// beginning.
    pub(crate) async fn prefer(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.cdp("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A command of chromedriver's own that fantoccini does not know.
    async fn command(&self, path: &str, body: Value) -> Value {
        let session = self.client.session_id().await.ok().flatten().expect("the session is open");
        let url = format!("{}/session/{session}/{path}", self.driver);
        let request = reqwest::Client::new().post(url).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.expect("chromedriver answers");
        let text = answer.text().await.expect("an answer can be read");
        let answer: Value = serde_json::from_str(&text).expect("chromedriver answers in JSON");
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {text}");
        answer["value"].clone()
    }
}

/// Finds a field by its label, its accessible name or its placeholder.
fn field_called(name: &str) -> String {
    let name = quoted(name);
    let label = format!("self::label and starts-with(normalize-space(), {name})");
    let named = format!("@aria-label={name} or @placeholder={name}");
    format!("//*[{FIELD} and ({named} or ancestor::*[{label}] or @id=//*[{label}]/@for)]")
}

/// A string in XPath, which knows no escapes.
fn quoted(text: &str) -> String {
    assert!(!text.contains('"'), "no word on the page has a straight quotation mark: {text}");
    format!("\"{text}\"")
}

/// One space wherever there was any white space.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
