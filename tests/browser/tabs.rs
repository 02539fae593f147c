//! Several tabs of one browser: they share a stream for each room, and none of them depends on another.

use buddy_tests::{Server, eventually};
use fantoccini::wd::WindowHandle;
use serde_json::json;

use crate::insider::Insider;
use crate::profile::Profile;
use crate::scene::Scene;

/// Whether the tab holds its room's lock.
const LEADS: &str = "
    const { held } = await navigator.locks.query();
    const room = location.pathname.split('/').at(-1);
    const lock = held.find(({ name }) => name === `buddy/stream/${room}`);
    // A client's id cannot be asked for, but a lock of one's own tells it.
    const own = await navigator.locks.request(`whoami/${Math.random()}`, async ({ name }) =>
        (await navigator.locks.query()).held.find((one) => one.name === name).clientId);
    return lock?.clientId === own;
";

impl Profile {
    /// Whether it is the tab in front that holds the room's stream.
    async fn leads(&self) -> bool {
        self.execute_async(LEADS, vec![]).await == json!(true)
    }

    /// Brings a tab to the front, so that the others are hidden.
    async fn shows_tab(&self, tab: &WindowHandle) {
        self.turn_to(tab).await;
        self.cdp("Page.bringToFront", json!({})).await;
        self.finds("the tab is looked at", "return !document.hidden").await;
    }

    async fn is_live(&self) {
        self.finds("the room is live", "return document.querySelector('.chat')?.dataset.connection === 'live'").await;
    }
}

#[tokio::test]
async fn tabs_share_one_stream_and_survive_each_other() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("In the first tab").await;
    let insider = Insider::with(&scene.server, &link, "Ivo").await;
    let first = ana.tab().await;
    ana.is_live().await;
    let second = ana.new_tab().await;
    ana.goto(&link).await;
    ana.reads(&["In the first tab"]).await;
    let third = ana.new_tab().await;
    ana.goto(&link).await;
    ana.reads(&["In the first tab"]).await;
    ana.is_live().await;
    scene.door.holds_streams(1).await;

    insider.say("To all tabs").await;
    for tab in [&first, &second, &third] {
        ana.shows_tab(tab).await;
        ana.reads(&["In the first tab", "To all tabs"]).await;
        ana.is_live().await;
        // Who is looked at leads, so that a hidden one, which a browser may freeze, holds up nobody.
        ana.eventually("the tab in front leads", async || ana.leads().await.then_some(())).await;
        scene.door.holds_streams(1).await;
    }
    // What is written in one tab shows in all, once.
    ana.say("In the third tab").await;
    ana.shows_tab(&second).await;
    let all = ["In the first tab", "To all tabs", "In the third tab"];
    ana.reads_in_order(&all).await;

    // The leader closes.
    ana.eventually("the second tab leads", async || ana.leads().await.then_some(())).await;
    ana.client().close_window().await.expect("a tab can be closed");
    ana.shows_tab(&third).await;
    insider.say("After the second tab").await;
    ana.reads_in_order(&[&all[..], &["After the second tab"]].concat()).await;
    ana.is_live().await;
    scene.door.holds_streams(1).await;
}

#[tokio::test]
async fn a_frozen_leader_holds_up_nobody_and_comes_back_without_a_gap() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let (ana, link) = scene.host("Ana").await;
    let insider = Insider::with(&scene.server, &link, "Ivo").await;
    insider.say("One").await;
    ana.reads(&["One"]).await;
    ana.eventually("the first tab leads", async || ana.leads().await.then_some(())).await;
    let first = ana.tab().await;
    ana.cdp("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;

    // Its lock is not to be had, and it answers nobody.
    let second = ana.new_tab().await;
    ana.goto(&link).await;
    ana.reads(&["One"]).await;
    insider.say("Two").await;
    ana.reads_in_order(&["One", "Two"]).await;
    ana.is_live().await;
    ana.calls_themself("Ana").await;
    ana.say("Three").await;
    // The frozen tab may hold the right to send, too.
    eventually("the server has it", async || (insider.messages().await.len() == 3).then_some(())).await;

    ana.turn_to(&first).await;
    ana.cdp("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    ana.shows_tab(&first).await;
    ana.reads_in_order(&["One", "Two", "Three"]).await;
    ana.is_live().await;
    scene.door.holds_streams(1).await;
    insider.say("Four").await;
    for tab in [&second, &first] {
        ana.shows_tab(tab).await;
        ana.reads_in_order(&["One", "Two", "Three", "Four"]).await;
    }
}

#[tokio::test]
async fn with_more_than_three_rooms_hidden_ones_leave_the_connections_to_what_is_looked_at() {
    let scene = Scene::on(Server::setup().without_rate_limits()).await;
    let ana = scene.newcomer().await;
    let mut tabs = Vec::new();
    for number in 1..=6 {
        if number > 1 {
            ana.new_tab().await;
        }
        let link = ana.makes_room(&scene.start()).await;
        let insider = Insider::with(&scene.server, &link, "Ivo").await;
        insider.say(&format!("Room {number}")).await;
        // With six connections taken by six streams, nothing of this would come through any more.
        ana.reads(&[&format!("Room {number}")]).await;
        ana.is_live().await;
        tabs.push((ana.tab().await, insider));
    }
    ana.eventually("at most three streams are open", async || (scene.door.open_streams() <= 3).then_some(())).await;
    for (number, (tab, insider)) in (1..).zip(&tabs) {
        insider.say("While you were away").await;
        ana.shows_tab(tab).await;
        ana.reads_in_order(&[&format!("Room {number}"), "While you were away"]).await;
        ana.is_live().await;
        assert!(scene.door.open_streams() <= 4, "{} streams are open", scene.door.open_streams());
        insider.say("Now that you are here").await;
        ana.reads_in_order(&[&format!("Room {number}"), "While you were away", "Now that you are here"]).await;
    }
}

#[tokio::test]
async fn a_room_forgotten_in_one_tab_is_left_in_the_others_and_leaves_nothing_behind() {
    let scene = Scene::set().await;
    let (ana, link) = scene.host("Ana").await;
    ana.say("Forget me").await;
    ana.reads(&["Forget me"]).await;
    ana.type_into("Message", "A draft").await;
    let first = ana.tab().await;
    ana.new_tab().await;
    ana.goto(&link).await;
    ana.reads(&["Forget me"]).await;
    ana.type_into("Message", "Another draft").await;
    ana.press("Manage room").await;
    ana.press("Danger").await;
    ana.press("Forget this room").await;
    ana.press("Forget").await;
    ana.sees("New room").await;
    ana.shows_tab(&first).await;
    ana.sees("New room").await;
    assert!(!ana.address().await.contains("/r/"));
    for table in ["rooms", "events", "outbox", "drafts"] {
        let what = format!("nothing is left in {table}");
        ana.eventually(&what, async || ana.stored(table).await.is_empty().then_some(())).await;
    }
}
