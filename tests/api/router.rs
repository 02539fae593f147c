//! Which database owns a room: section 2, and the operator's view of it in section 4.

use std::fs;

use buddy_tests::{Database, Room, Server, Setup, act, message, messages};
use rusqlite::params;
use serde_json::{Value, json};

fn two_databases() -> Setup {
    Server::setup().without_rate_limits().grant_databases(&["second"]).variable("databases", "default,second")
}

/// The slot of a room: its id's first byte.
fn slot(room: &Room) -> i64 {
    i64::from_str_radix(&room.id[..2], 16).expect("an id is hex")
}

fn set_state(database: &Database, slot: i64, state: &str) {
    assert_eq!(database.execute("UPDATE slot SET state = ?2 WHERE slot = ?1", params![slot, state]), 1);
}

/// The rooms stored in a database, by their ids.
fn rooms_in(database: &Database) -> Vec<String> {
    database.column("SELECT lower(hex(room)) FROM room", [])
}

/// Slots that both databases hold to be theirs.
fn claimed_twice(server: &Server) -> Vec<i64> {
    let open = |database: Database| database.column::<i64>("SELECT slot FROM slot WHERE state = 'open'", []);
    let second = open(server.database_of("second"));
    open(server.database()).into_iter().filter(|slot| second.contains(slot)).collect()
}

#[tokio::test]
async fn a_new_room_claims_its_slot_and_leaves_a_hint() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let database = server.database();
    let (epoch, state): (i64, String) = (
        database.value("SELECT epoch FROM slot WHERE slot = ?1", [slot(&room)]),
        database.value("SELECT state FROM slot WHERE slot = ?1", [slot(&room)]),
    );
    assert_eq!((epoch, state.as_str()), (1, "open"));
    let key = format!("slot/{}", &room.id[..2]);
    let hints = Database::open(&server.key_value_file());
    let hint: Vec<u8> = hints.value("SELECT value FROM spin_key_value WHERE key = ?1", [&key]);
    let hint: Value = serde_json::from_slice(&hint).expect("the hint is JSON");
    assert_eq!(hint, json!({ "database": "default", "epoch": 1 }));
}

#[tokio::test]
async fn rooms_are_spread_over_the_databases_and_each_lives_in_one() {
    let server = two_databases().start().await;
    let mut rooms = Vec::new();
    for number in 0..40 {
        let room = server.open_room().await;
        room.say(&format!("in room {number}")).await;
        rooms.push(room);
    }
    let (first, second) = (rooms_in(&server.database()), rooms_in(&server.database_of("second")));
    assert!(first.len() >= 5 && second.len() >= 5, "{} and {}", first.len(), second.len());
    assert_eq!(first.len() + second.len(), 40);
    for room in &rooms {
        assert!(first.contains(&room.id) ^ second.contains(&room.id), "{} lives in one database", room.id);
    }
    assert_eq!(claimed_twice(&server), Vec::<i64>::new());
    for (number, room) in rooms.iter().enumerate() {
        let page = room.page("").await;
        assert_eq!(messages(&page)[0]["body"], format!("in room {number}"));
        room.post(&act("react", 1, "+1")).send().await.must_be(201);
        let mut stream = room.stream_after(0).await;
        assert_eq!(stream.events_until(2).await.len(), 2);
    }
}

#[tokio::test]
async fn two_servers_never_claim_a_slot_for_different_databases() {
    let first = two_databases().start().await;
    let second = first.sibling().await;
    let make = |server: &Server| {
        let api = server.api();
        async move { Room::create(&api, json!({})).await }
    };
    let mut making = Vec::new();
    for _ in 0..40 {
        making.push(make(&first));
        making.push(make(&second));
    }
    let rooms = futures::future::join_all(making).await;
    assert_eq!(claimed_twice(&first), Vec::<i64>::new());
    for room in rooms {
        for server in [&first, &second] {
            room.at(&server.api()).get().send().await.must_be(200);
        }
    }
}

#[tokio::test]
async fn losing_the_key_value_store_loses_nothing() {
    let mut server = two_databases().start().await;
    let mut rooms = Vec::new();
    for number in 0..12 {
        let room = server.open_room().await;
        room.say(&format!("room {number}")).await;
        rooms.push(room);
    }
    server.kill();
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", server.key_value_file().display());
        if suffix.is_empty() {
            fs::remove_file(file).expect("the store exists");
        } else {
            // Present only in some journal modes.
            let _ = fs::remove_file(file);
        }
    }
    server.restart().await;
    for (number, room) in rooms.iter().enumerate() {
        let room = room.at(&server.api());
        let page = room.page("").await;
        assert_eq!(messages(&page)[0]["body"], format!("room {number}"));
        assert_eq!(room.say("after the loss").await, 2);
    }
    assert_eq!(claimed_twice(&server), Vec::<i64>::new());
}

#[tokio::test]
async fn a_stale_hint_loses_nothing() {
    let mut server = two_databases().start().await;
    let mut rooms = Vec::new();
    for _ in 0..12 {
        let room = server.open_room().await;
        room.say("before").await;
        rooms.push(room);
    }
    server.kill();
    let hints = Database::open(&server.key_value_file());
    let wrong = [
        r#"{"database":"default","epoch":1}"#,
        r#"{"database":"second","epoch":7}"#,
        r#"{"database":"unheard-of","epoch":1}"#,
        "not json",
    ];
    for (room, hint) in rooms.iter().zip(wrong.iter().cycle()) {
        let key = format!("slot/{}", &room.id[..2]);
        let sql = "UPDATE spin_key_value SET value = ?2 WHERE key = ?1";
        assert!(hints.execute(sql, params![key, hint.as_bytes()]) > 0, "a hint was kept for {key}");
    }
    drop(hints);
    server.restart().await;
    for room in &rooms {
        let room = room.at(&server.api());
        assert_eq!(room.state().await["last_seq"], 1);
        assert_eq!(room.say("after").await, 2);
    }
    assert_eq!(claimed_twice(&server), Vec::<i64>::new());
}

#[tokio::test]
async fn adding_a_database_moves_nothing() {
    let alone = Server::setup().without_rate_limits().grant_databases(&["second"]);
    let mut server = alone.start().await;
    let mut rooms = Vec::new();
    for _ in 0..30 {
        let room = server.open_room().await;
        room.say("before").await;
        rooms.push(room);
    }
    server.restart_with(two_databases()).await;
    for room in &rooms {
        assert_eq!(room.at(&server.api()).say("after").await, 2);
    }
    let moved = rooms_in(&server.database_of("second"));
    assert!(rooms.iter().all(|room| !moved.contains(&room.id)), "the old rooms stay where they are");
    for _ in 0..40 {
        server.open_room().await;
    }
    assert!(!rooms_in(&server.database_of("second")).is_empty(), "new slots go to the new database too");
    assert_eq!(claimed_twice(&server), Vec::<i64>::new());
}

#[tokio::test]
async fn a_frozen_slot_is_read_but_not_written() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("before").await;
    let database = server.database();
    set_state(&database, slot(&room), "frozen");

    room.post(&message("x")).send().await.must_fail(503, "unavailable");
    room.patch(json!({ "locked": true })).send().await.must_fail(503, "unavailable");
    room.delete().send().await.must_fail(503, "unavailable");
    assert_eq!(room.state().await["last_seq"], 1, "nothing was written");
    assert_eq!(messages(&room.page("").await).len(), 1);
    // A room that is not there can be told from a slot that is merely frozen.
    let missing = room.with_id(format!("{}{}", &room.id[..2], "5a".repeat(31)));
    missing.get().send().await.must_fail(404, "room_not_found");

    set_state(&database, slot(&room), "open");
    assert_eq!(room.say("after").await, 2);
}

#[tokio::test]
async fn a_slot_that_is_elsewhere_is_unavailable_rather_than_missing() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("before").await;
    let database = server.database();
    for state in ["gone", "arriving"] {
        set_state(&database, slot(&room), state);
        room.post(&message("x")).send().await.must_fail(503, "unavailable");
        let missing = room.with_id(format!("{}{}", &room.id[..2], "5a".repeat(31)));
        missing.get().send().await.must_fail(503, "unavailable");
        missing.post(&message("x")).send().await.must_fail(503, "unavailable");
        missing.delete().send().await.must_fail(503, "unavailable");
        assert_eq!(missing.stream().await.status(), 503);
        if state == "gone" {
            room.get().send().await.must_fail(503, "unavailable");
            room.history("").send().await.must_fail(503, "unavailable");
        }
    }
    set_state(&database, slot(&room), "open");
    assert_eq!(room.say("after").await, 2);
}

#[tokio::test]
async fn a_room_is_followed_to_the_database_its_slot_went_to() {
    let server = two_databases().start().await;
    // A slot as a move leaves it: gone in one database, open with a higher epoch in the other.
    let room = server.open_room().await;
    let (default, second) = (server.database(), server.database_of("second"));
    let (old, new) = if rooms_in(&default).contains(&room.id) { (default, second) } else { (second, default) };
    let slot = slot(&room);
    set_state(&old, slot, "gone");
    new.execute(
        "INSERT INTO slot(slot, epoch, state) VALUES(?1, 2, 'open')
         ON CONFLICT(slot) DO UPDATE SET epoch = 2, state = 'open'",
        [slot],
    );
    // No row of the room was copied, so the new owner says that it is not there; it says so at once, for `gone`
    // at the old owner makes the caches ask again.
    room.get().send().await.must_fail(404, "room_not_found");
    room.post(&message("x")).send().await.must_fail(404, "room_not_found");
}

#[tokio::test]
async fn rooms_that_never_were_are_simply_not_found() {
    let server = two_databases().start().await;
    for first_byte in ["00", "3f", "80", "ff"] {
        let room = server.open_room().await.with_id(format!("{first_byte}{}", "5a".repeat(31)));
        room.get().send().await.must_fail(404, "room_not_found");
        room.post(&message("x")).send().await.must_fail(404, "room_not_found");
        assert_eq!(room.stream().await.status(), 404);
    }
}

#[tokio::test]
async fn an_operator_sees_the_ownership_map() {
    let server = two_databases().variable("admin_token", "operator's secret").start().await;
    let room = server.open_room().await;
    let answer = server.api().get("/internal/router").token("operator's secret").send().await.must_be(200);
    answer.must_have_type("application/json");
    assert!(answer.header("access-control-allow-origin").is_none(), "no browser has business here: {answer}");
    let text = answer.text();
    assert!(text.contains("default") && text.contains("second"), "{answer}");
    assert!(text.contains(&room.id[..2]) || text.contains(&slot(&room).to_string()), "{answer}");
    assert!(!text.contains(&room.id), "slots, not rooms: {answer}");
}

#[tokio::test]
async fn the_map_is_not_there_for_anyone_else() {
    let off = Server::start().await;
    let on = Server::setup().variable("admin_token", "operator's secret").start().await;
    for path in ["/internal/router", "/internal/router/slots/3f/move", "/internal/router/nothing", "/internal/nothing"]
    {
        for method in ["GET", "POST", "OPTIONS", "DELETE"] {
            for (server, token) in
                [(&off, None), (&off, Some("")), (&off, Some("x")), (&on, None), (&on, Some("x")), (&on, Some(""))]
            {
                let request = server.api().request(method, path).header("origin", "https://elsewhere.example");
                let request = if let Some(token) = token { request.token(token) } else { request };
                let answer = request.send().await.must_be(404);
                for name in answer.headers().keys() {
                    assert!(!name.as_str().starts_with("access-control-"), "{answer}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_operators_token_opens_no_room() {
    let server = Server::setup().variable("admin_token", "operator's secret").start().await;
    let room = server.open_room().await;
    server.api().delete(&room.path()).token("operator's secret").send().await.must_fail(403, "not_allowed");
    server.api().get("/internal/router").token(room.owner()).send().await.must_be(404);
}
