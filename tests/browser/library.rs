//! The client library by itself, as another page might use it: in Chromium, against the real server, without any of
//! what shows rooms.

use buddy_tests::Server;
use serde_json::{Value, json};

use crate::scene::Scene;

/// Follows an open room from its beginning, and tells what came.
const FOLLOW: &str = "
    const [{ Api }, { Sequencer }, { RoomStream }] =
        await Promise.all(['/wire/api.js', '/wire/sequencer.js', '/wire/stream.js'].map((module) => import(module)));
    const room = arguments[0];
    const api = new Api();
    const access = { token: null };
    const seen = (window.seen = { events: [], states: [], missing: [], closed: [] });
    const sequencer = new Sequencer({ cursor: 0, log: null }, (range) => api.history(room, access, range), {
        events: (events) => void seen.events.push(...events.map(({ seq, body }) => [seq, body])),
        missing: (seq) => void seen.missing.push(seq),
        diverged: (mark) => mark.last_seq,
    });
    window.stream = new RoomStream({
        open: (cursor, signal) => api.stream(room, access, cursor, signal),
        sequencer,
        wakes: window,
        follower: {
            connection: ({ state, code }) => void seen.states.push([state, code]),
            signals: () => {},
            closed: (reason) => void seen.closed.push(reason),
        },
    });
    window.stream.start();
";

#[tokio::test]
async fn the_client_library_follows_a_room_through_cuts_and_a_restart_and_says_how_it_stands() {
    let mut scene = Scene::on(Server::setup().without_rate_limits()).await;
    let page = scene.newcomer().await;
    let room = scene.server.open_room().await;
    room.say_many(1..=250).await;
    page.goto(&scene.start()).await;
    page.execute_async(FOLLOW, vec![json!(room.id)]).await;
    let state = async |state: &str| {
        let script = format!("return window.seen.states.at(-1)?.[0] === '{state}'");
        page.finds(&format!("the reader is {state}"), &script).await;
    };
    let has = async |last: u64| {
        let expected: Vec<Value> = (1..=last).map(|seq| json!([seq, format!("message {seq}")])).collect();
        let seen = async || {
            (page.client().execute("return window.seen.events", vec![]).await.ok()? == json!(expected)).then_some(())
        };
        page.eventually(&format!("all {last} events have come once and in order"), seen).await;
    };
    has(250).await;
    state("live").await;

    // Cut off, while others go on.
    scene.door.shut();
    state("offline").await;
    room.say_many(251..=480).await;
    scene.door.reopen();
    has(480).await;
    state("live").await;

    // The server dies and comes back at another address, which only the door knows.
    scene.server.kill();
    state("offline").await;
    scene.server.restart().await;
    scene.door.lead_to(&scene.server);
    let room = room.at(&scene.server.api());
    room.say_many(481..=500).await;
    // As when the device wakes: without this it would come, too, but later.
    page.execute("dispatchEvent(new Event('online'))", vec![]).await;
    has(500).await;
    state("live").await;
    let states = page.execute("return window.seen.states.map(([state]) => state)", vec![]).await;
    let states: Vec<&str> = states.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(states[..3], ["connecting", "catching_up", "live"]);

    room.delete().send().await.must_be(204);
    state("closed").await;
    assert_eq!(
        page.execute("return [window.seen.closed, window.seen.missing]", vec![]).await,
        json!([[{ "reason": "deleted", "farewell": null }], []])
    );
}

#[tokio::test]
async fn the_client_library_says_that_a_room_is_refused_and_asks_no_more() {
    let scene = Scene::set().await;
    let page = scene.newcomer().await;
    page.goto(&scene.start()).await;
    page.execute_async(FOLLOW, vec![json!("00".repeat(32))]).await;
    let refused = "return JSON.stringify(window.seen.states.at(-1)) === '[\"refused\",\"room_not_found\"]'";
    page.finds("the reader is refused", refused).await;
    let asked = "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/stream')).length";
    assert_eq!(page.execute(asked, vec![]).await, 1);
    page.execute("dispatchEvent(new Event('online'))", vec![]).await;
    assert_eq!(page.execute(asked, vec![]).await, 1);
}
