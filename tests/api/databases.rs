//! Rooms in three databases: each part of the API follows the map, and what holds one up holds up no other.

use std::collections::BTreeMap;
use std::time::Duration;

use buddy_tests::{Room, Server, Setup, message, messages};
use serde_json::json;
use tokio::time::{Instant, timeout};

const LABELS: [&str; 3] = ["default", "second", "third"];

fn setup() -> Setup {
    Server::setup()
        .without_rate_limits()
        .grant_databases(&["second", "third"])
        .variable("databases", "default,second,third")
}

/// A room in each of the databases.
async fn a_room_in_each(server: &Server) -> BTreeMap<&'static str, Room> {
    let mut rooms = BTreeMap::new();
    while rooms.len() < LABELS.len() {
        let room = server.open_room().await;
        let holds = |label: &&str| {
            let count = "SELECT count(*) FROM room WHERE lower(hex(room))=?1";
            server.database_of(label).value::<i64>(count, [&room.id]) == 1
        };
        let held: Vec<_> = LABELS.into_iter().filter(holds).collect();
        assert_eq!(held.len(), 1, "a room lives in one database");
        rooms.entry(held[0]).or_insert(room);
    }
    rooms
}

#[tokio::test]
async fn rooms_of_all_databases_are_used_alike() {
    let server = setup().start().await;
    let rooms = a_room_in_each(&server).await;
    let mut streams = BTreeMap::new();
    for (label, room) in &rooms {
        let mut stream = room.stream_after(0).await;
        stream.hello().await;
        streams.insert(label, stream);
    }
    for (label, room) in &rooms {
        assert_eq!(room.say(&format!("in {label}")).await, 1);
        room.signal(&json!({ "kind": "here", "body": "hello" })).send().await.must_be(204);
        room.patch(json!({ "about": format!("of {label}") })).send().await.must_be(200);
    }
    for (label, room) in &rooms {
        let stream = streams.get_mut(label).expect("it is open");
        let events = stream.events_until(2).await;
        assert_eq!((&events[0]["body"], &events[1]["kind"]), (&json!(format!("in {label}")), &json!("room")));
        assert_eq!(messages(&room.page("").await).len(), 2);
        assert_eq!(room.state().await["about"], format!("of {label}"));
        let stored = "SELECT count(*) FROM event WHERE body=?1";
        for other in LABELS {
            let count = server.database_of(other).value::<i64>(stored, [format!("in {label}")]);
            assert_eq!(count, i64::from(other == *label), "{label} in {other}");
        }
    }
    for (label, room) in &rooms {
        room.delete().send().await.must_be(204);
        assert_eq!(streams.get_mut(label).expect("it is open").next_named("closed").await.data()["reason"], "deleted");
    }
    server.api().get("/api/health").send().await.must_be(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_held_up_holds_up_no_other() {
    let server = setup().start().await;
    let rooms = a_room_in_each(&server).await;
    let mut streams = Vec::new();
    for label in ["second", "third"] {
        let mut stream = rooms[label].stream_after(0).await;
        stream.hello().await;
        streams.push(stream);
    }
    let lock = server.database();
    lock.execute("BEGIN IMMEDIATE", []);
    let held = tokio::spawn({
        let room = rooms["default"].clone();
        async move { room.post(&message("sooner or later")).send().await }
    });
    let began = Instant::now();
    for number in 1..=10 {
        for label in ["second", "third"] {
            assert_eq!(rooms[label].say(&format!("message {number}")).await, number);
        }
    }
    for stream in &mut streams {
        assert_eq!(stream.events_until(10).await.len(), 10);
    }
    assert!(!held.is_finished() || began.elapsed() > Duration::from_secs(4), "it waits for its own database");
    lock.execute("ROLLBACK", []);
    let answer = timeout(buddy_tests::DEADLINE, held).await.expect("it is answered").expect("no panic");
    assert!(matches!(answer.status(), 201 | 503), "{answer}");
}

#[tokio::test]
async fn health_names_the_database_that_does_not_answer() {
    let server = setup().variable("databases", "default,second,unheard-of").expect_unhealthy().start().await;
    let answer = server.api().get("/api/health").send().await.must_fail(503, "unavailable");
    let text = answer.json()["error"]["message"].as_str().expect("a text").to_owned();
    assert!(text.contains("unheard-of") && !text.contains("second"), "{text}");
}
