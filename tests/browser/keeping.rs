//! Never losing a word: what was written arrives, once and in order, whatever happens on the way; what was read can
//! be read again without a network, and no longer than it should.

use buddy_tests::{Server, eventually};
use serde_json::{Value, json};

use crate::insider::{Insider, Owner};
use crate::profile::Profile;
use crate::scene::Scene;

/// What this browser's storage holds of a table, as one text.
const STORED: &str = "
    const opening = indexedDB.open('buddy');
    const database = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
    const reading = database.transaction(arguments[0]).objectStore(arguments[0]).getAll();
    const rows = await new Promise((resolve) => (reading.onsuccess = () => resolve(reading.result)));
    database.close();
    return rows;
";

impl Profile {
    /// The rows of a table of this browser's storage.
    pub(crate) async fn stored(&self, table: &str) -> Vec<Value> {
        let rows = self.execute_async(STORED, vec![json!(table)]).await;
        rows.as_array().expect("a table has rows").clone()
    }

    /// How many messages with their bodies this browser's storage holds.
    async fn messages_kept(&self) -> usize {
        let events = self.stored("events").await;
        events.iter().filter(|row| row["event"]["kind"] == "message" && row["event"]["body"] != "").count()
    }

    /// Waits until the page can be loaded without a network.
    async fn is_kept(&self) {
        let kept = "await navigator.serviceWorker.ready; return (await caches.keys()).length > 0";
        assert_eq!(self.execute_async(kept, vec![]).await, json!(true));
    }

    /// Sets the page's clock back until it is loaded again.
    async fn set_clock_back(&self, minutes: u32) {
        let script = "const now = Date.now.bind(Date); Date.now = () => now() - arguments[0] * 60_000;";
        self.execute(script, vec![json!(minutes)]).await;
    }

    /// The times below each message, in order.
    async fn times(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('.message time')].map((time) => time.textContent)";
        let times = self.execute(script, vec![]).await;
        times.as_array().expect("a list").iter().map(|time| time.as_str().expect("a text").to_owned()).collect()
    }

    /// Says something, and waits until the server has it and the page shows so.
    async fn has_said(&self, text: &str) {
        self.say(text).await;
        let script = "const last = [...document.querySelectorAll('.message')].pop();
            return last?.querySelector('.text').textContent === arguments[0] && !last.dataset.state";
        let sent = async || (self.client().execute(script, vec![json!(text)]).await.ok()? == json!(true)).then_some(());
        self.eventually(&format!("{text:?} is sent"), sent).await;
    }

    async fn waits_for_state(&self, state: &str) {
        let script = format!("return document.querySelectorAll('.message[data-state={state}]').length > 0");
        self.finds(&format!("a message is {state}"), &script).await;
    }
}

const ALL_SENT: &str = "return !!document.querySelector('.message') && !document.querySelector('.message[data-state]')";

#[tokio::test]
async fn what_was_written_offline_survives_a_reload_and_arrives_once_and_in_order() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let ana = scene.newcomer().await;
    let asked = "navigator.storage.persist = async () => (window.askedToPersist = true)";
    ana.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": asked })).await;
    let link = ana.makes_room(&scene.start()).await;
    ana.finds("the browser is asked to keep what is stored", "return window.askedToPersist").await;
    ana.calls_themself("Ana").await;
    ana.has_said("With a network").await;
    let ben = scene.newcomer().await;
    ben.joins(&link).await;
    ben.reads(&["With a network"]).await;
    ana.is_kept().await;

    ana.set_offline(true).await;
    ana.sees("You are offline").await;
    ana.set_clock_back(68).await;
    for text in ["In a tunnel", "Still in it", "It is a long one"] {
        ana.say(text).await;
    }
    let all = ["With a network", "In a tunnel", "Still in it", "It is a long one"];
    ana.reads_in_order(&all).await;
    ana.waits_for_state("sending").await;
    ana.refresh().await;
    ana.reads_in_order(&all).await;
    ana.waits_for_state("sending").await;
    ana.say("Light ahead").await;
    ben.reads(&["With a network"]).await;

    ana.set_offline(false).await;
    let all = ["With a network", "In a tunnel", "Still in it", "It is a long one", "Light ahead"];
    ben.reads_in_order(&all).await;
    ana.finds("everything is sent", ALL_SENT).await;
    ana.reads_in_order(&all).await;
    for reader in [&ana, &ben] {
        let late: Vec<bool> = reader.times().await.iter().map(|time| is_late(time)).collect();
        assert_eq!(late, [false, true, true, true, false], "{:?}", reader.times().await);
    }
    assert_eq!(Insider::with(&scene.server, &link, "").await.messages().await.len(), 5, "nothing is there twice");
    ana.eventually("nothing waits in the storage", async || ana.stored("outbox").await.is_empty().then_some(())).await;
}

/// Whether a time says both when something was written and when it was sent.
fn is_late(time: &str) -> bool {
    let Some((written, sent)) = time.strip_prefix("written ").and_then(|times| times.split_once(", sent ")) else {
        return false;
    };
    assert_ne!(written, sent);
    [written, sent].iter().all(|time| time.contains(':'))
}

#[tokio::test]
async fn a_crash_while_sending_neither_loses_nor_doubles_a_word() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.has_said("Before").await;
    let insider = Insider::with(&scene.server, &link, "").await;

    // The server has it, but Ana never hears so.
    scene.door.mute();
    ana.say("Half-way").await;
    eventually("the server has it", async || (insider.messages().await.len() == 2).then_some(())).await;
    ana.say("Not even on its way").await;
    ana.reads_in_order(&["Before", "Half-way", "Not even on its way"]).await;
    ana.eventually("both are stored", async || (ana.stored("outbox").await.len() == 2).then_some(())).await;
    let browser = ana.crash().await;
    scene.door.unmute();

    let ana = scene.driver.open(&browser).await;
    ana.goto(&link).await;
    let all = ["Before", "Half-way", "Not even on its way"];
    ana.reads_in_order(&all).await;
    ana.finds("everything is sent", ALL_SENT).await;
    ana.reads_in_order(&all).await;
    assert_eq!(insider.messages().await.len(), 3, "nothing is there twice");
    let ben = scene.newcomer().await;
    ben.joins(&link).await;
    ben.reads_in_order(&all).await;
}

#[tokio::test]
async fn a_crash_while_the_server_is_away_loses_nothing() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.has_said("Before").await;
    ana.is_kept().await;
    scene.door.shut();
    ana.sees("The server can’t be reached").await;
    ana.say("Into the void").await;
    ana.type_into("Message", "A thought that is not finished").await;
    ana.eventually("all is stored", async || {
        let drafts = ana.stored("drafts").await;
        let draft = drafts.first()?["text"].as_str()?.to_owned();
        (draft.ends_with("finished") && ana.stored("outbox").await.len() == 1).then_some(())
    })
    .await;
    let browser = ana.crash().await;

    let ana = scene.driver.open(&browser).await;
    ana.goto(&link).await;
    ana.reads_in_order(&["Before", "Into the void"]).await;
    ana.waits_for_state("sending").await;
    ana.finds(
        "the draft is there",
        "return document.querySelector('textarea')?.value === 'A thought that is not finished'",
    )
    .await;
    scene.door.reopen();
    ana.finds("it is sent", ALL_SENT).await;
    assert_eq!(Insider::with(&scene.server, &link, "").await.messages().await.len(), 2);
}

#[tokio::test]
async fn what_was_refused_can_be_tried_again_or_discarded() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Welcome").await;
    let ben = scene.guest("Ben", &link).await;
    ben.say("Thanks").await;
    ana.reads(&["Welcome", "Thanks"]).await;

    ben.set_offline(true).await;
    ben.say("Keep this").await;
    ben.say("Drop this").await;
    ana.press("Manage room").await;
    ana.press("Lock the room").await;
    ana.sees("only you can write").await;
    ana.press("Close").await;
    ben.set_offline(false).await;
    ben.finds("both have failed", "return document.querySelectorAll('.message[data-state=failed]').length === 2").await;
    ben.sees("Not sent: the room is locked.").await;
    ana.press("Unlock").await;
    ben.sees_at("textarea").await;
    let of = |text: &str, button: &str| format!("//li[.//*[text()='{text}']]//button[normalize-space()='{button}']");
    ben.press_at(&of("Keep this", "Try again"), "trying again").await;
    ana.reads(&["Welcome", "Thanks", "Keep this"]).await;
    ben.press_at(&of("Drop this", "Discard"), "discarding").await;
    ben.reads_in_order(&["Welcome", "Thanks", "Keep this"]).await;
    ben.refresh().await;
    ben.reads_in_order(&["Welcome", "Thanks", "Keep this"]).await;
    ben.finds("everything is sent", ALL_SENT).await;
    ana.reads_in_order(&["Welcome", "Thanks", "Keep this"]).await;
}

#[tokio::test]
async fn without_storage_people_talk_and_are_told_that_nothing_is_kept() {
    let scene = Scene::set().await;
    let ana = scene.newcomer().await;
    let blocked = "Object.defineProperty(window, 'indexedDB', {
        get() { throw new DOMException('The operation is insecure.', 'SecurityError') },
    })";
    ana.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": blocked })).await;
    ana.goto(&scene.start()).await;
    ana.sees("This browser lets Buddy keep nothing").await;
    ana.press("New room").await;
    let link = ana.link().await;
    ana.sees("This browser keeps nothing for Buddy").await;
    ana.calls_themself("Ana").await;
    ana.say("From memory").await;
    let ben = scene.guest("Ben", &link).await;
    ben.reads(&["From memory"]).await;
    ben.say("Heard").await;
    ana.reads(&["From memory", "Heard"]).await;
    // What is kept nowhere is not left behind unasked.
    let asks = "return !dispatchEvent(new Event('beforeunload', { cancelable: true }))";
    ana.finds("everything is sent", ALL_SENT).await;
    ana.finds("the page may be left", &asks.replace('!', "")).await;
    scene.door.shut();
    ana.say("Not sent yet").await;
    ana.finds("the browser asks before leaving", asks).await;
    scene.door.reopen();
    ben.reads(&["From memory", "Heard", "Not sent yet"]).await;
    ana.refresh().await;
    ana.sees("Join").await;
}

#[tokio::test]
async fn what_was_read_can_be_read_offline_and_deletions_are_obeyed_in_what_is_kept() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    for text in ["To be kept", "To be regretted"] {
        ana.say(text).await;
    }
    let ben = scene.newcomer().await;
    ben.joins(&link).await;
    ben.reads(&["To be kept", "To be regretted"]).await;
    ben.is_kept().await;
    ben.set_offline(true).await;
    ben.refresh().await;
    ben.reads_in_order(&["To be kept", "To be regretted"]).await;
    ben.sees("You are offline").await;

    ana.press_css(".message:last-of-type").await;
    ana.press("More").await;
    ana.choose("Delete").await;
    ana.press_css("dialog button.danger").await;
    ana.sees("You deleted this").await;
    ben.set_offline(false).await;
    ben.sees("Deleted by its author").await;
    ben.eventually("the body is wiped from Ben's storage, too", async || {
        let events = ben.stored("events").await;
        let kept = events.iter().filter(|row| row["event"]["kind"] != "card");
        let bodies: Vec<bool> = kept.map(|row| row["event"]["body"] == "").collect();
        (bodies == [false, true, false]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lifetime_ends_messages_without_a_network_and_the_end_of_a_room_ends_all() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    let owner = Owner::of(&scene.server, &ana.own_link().await).await;
    owner
        .sets(|state| {
            state.message_ttl_s = Some(12);
            state.ever_ttl = Some(12);
        })
        .await;
    ana.say("For your eyes only").await;
    let ben = scene.newcomer().await;
    ben.joins(&link).await;
    ben.reads(&["For your eyes only"]).await;
    ben.eventually("it is kept", async || (ben.messages_kept().await == 1).then_some(())).await;
    ben.set_offline(true).await;
    ben.type_into("Message", "A draft").await;
    ben.reads(&[]).await;
    ben.eventually("nothing of it is kept", async || (ben.messages_kept().await == 0).then_some(())).await;
    ben.set_offline(false).await;

    ana.say("One more").await;
    ben.reads(&["One more"]).await;
    ben.eventually("there is a draft", async || (ben.stored("drafts").await.len() == 1).then_some(())).await;
    let insider = Insider::with(&scene.server, &link, "").await;
    insider.say("And one by a stranger").await;
    ana.press("Manage room").await;
    for press in ["Danger", "Delete the room", "Delete the room…", "Delete for everyone"] {
        ana.press(press).await;
    }
    ben.sees("This room was deleted").await;
    for table in ["events", "drafts", "outbox"] {
        let what = format!("nothing is left in {table}");
        ben.eventually(&what, async || ben.stored(table).await.is_empty().then_some(())).await;
    }
}
