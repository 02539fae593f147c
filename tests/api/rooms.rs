//! Making, reading, changing and deleting a room: section 4, the first four rows of its table.

use buddy_tests::{Server, client_id, eventually, is_hex, message, messages, sequences, token_hash};
use serde_json::{Value, json};

const DAY_MS: u64 = 86_400_000;

#[tokio::test]
async fn a_room_can_be_made_without_any_body() {
    let server = Server::start().await;
    let made = server.api().post("/api/rooms").send().await.must_be(201);
    made.must_have_type("application/json");
    let room = made.json();
    assert!(is_hex(room["room"].as_str().expect("an id"), 64), "{room}");
    assert!(!room["owner_token"].as_str().expect("a token for the owner").is_empty());
    let created = room["created_at_ms"].as_u64().expect("a time");
    assert!(created.abs_diff(buddy_tests::now_ms()) < 60_000, "{room}");
    assert_eq!(room["expires_at_ms"], created + 30 * DAY_MS, "30 days by default");
    assert!(room["message_ttl_s"].is_null(), "no lifetime by default: {room}");
    let names: Vec<_> = room.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["created_at_ms", "expires_at_ms", "message_ttl_s", "owner_token", "room"]);
}

#[tokio::test]
async fn a_body_of_nothing_needs_no_content_type_and_one_of_json_may_be_empty() {
    let server = Server::start().await;
    server.api().post("/api/rooms").header("content-type", "application/json").send().await.must_be(201);
    server.api().post("/api/rooms").json(&json!({})).send().await.must_be(201);
}

#[tokio::test]
async fn no_two_rooms_have_the_same_id_or_owner() {
    let server = Server::start().await;
    let (first, second) = (server.open_room().await, server.open_room().await);
    assert_ne!(first.id, second.id);
    assert_ne!(first.owner(), second.owner());
    let stranger = server.api().delete(&first.path()).token(second.owner());
    stranger.send().await.must_fail(403, "not_allowed");
}

#[tokio::test]
async fn an_owner_token_is_made_exactly_when_no_owner_hash_was_given() {
    let server = Server::start().await;
    let own = json!({ "owner_token_hash": token_hash("mine") });
    let made = server.api().post("/api/rooms").json(&own).send().await.must_be(201).json();
    assert!(made.get("owner_token").is_none(), "{made}");
    let path = format!("/api/rooms/{}", made["room"].as_str().expect("an id"));
    server.api().delete(&path).token("mine").send().await.must_be(204);

    let posters = json!({ "post_token_hash": token_hash("p") });
    let room = server.room(posters).await;
    room.delete().send().await.must_be(204);
}

#[tokio::test]
async fn a_room_is_read_as_it_was_made() {
    let server = Server::start().await;
    let body = json!({ "expires_in_s": 3600, "message_ttl_s": 600, "about": "v1.opaque \u{1f30d}\n\"" });
    let made = server.api().post("/api/rooms").json(&body).send().await.must_be(201).json();
    let created = made["created_at_ms"].as_u64().expect("a time");
    assert_eq!(made["expires_at_ms"], created + 3_600_000);
    assert_eq!(made["message_ttl_s"], 600);
    let path = format!("/api/rooms/{}", made["room"].as_str().expect("an id"));
    let read = server.api().get(&path).send().await.must_be(200).json();
    let expected = json!({
        "room": made["room"], "created_at_ms": created, "expires_at_ms": created + 3_600_000, "message_ttl_s": 600,
        "locked": false, "about": body["about"], "first_seq": 1, "last_seq": 0,
    });
    assert_eq!(read, expected);
}

#[tokio::test]
async fn null_or_zero_asks_for_the_defaults() {
    let server = Server::setup().variable("room_ttl_days", 2).start().await;
    for body in [json!({ "expires_in_s": null, "message_ttl_s": null, "about": null }), json!({ "message_ttl_s": 0 })] {
        let made = server.api().post("/api/rooms").json(&body).send().await.must_be(201).json();
        let created = made["created_at_ms"].as_u64().expect("a time");
        assert_eq!(made["expires_at_ms"], created + 2 * DAY_MS, "the server's default: {made}");
        assert!(made["message_ttl_s"].is_null(), "{made}");
    }
    let nobody = json!({ "read_token_hash": null, "post_token_hash": null, "owner_token_hash": null });
    let room = server.room(nobody).await;
    assert!(room.owner_token.is_some(), "null is no hash");
    assert!(room.state().await["about"].is_null());
}

#[tokio::test]
async fn retention_outside_its_range_is_refused() {
    let server = Server::start().await;
    for field in ["expires_in_s", "message_ttl_s"] {
        for value in [json!(-1), json!(31_536_001), json!(1.5), json!("60"), json!(true), json!(u64::MAX)] {
            let body = json!({ field: value });
            server.api().post("/api/rooms").json(&body).send().await.must_fail(400, "invalid_request");
            let room = server.open_room().await;
            room.patch(body).send().await.must_fail(400, "invalid_request");
        }
        server.room(json!({ field: 31_536_000 })).await;
        server.room(json!({ field: 1 })).await;
    }
    let never = json!({ "expires_in_s": 0 });
    server.api().post("/api/rooms").json(&never).send().await.must_fail(400, "invalid_request");
}

#[tokio::test]
async fn about_may_have_4096_bytes_and_no_more() {
    let server = Server::start().await;
    // Bytes count, not characters: 1,365 times three bytes and one more.
    let longest = format!("{}x", "€".repeat(1365));
    let room = server.room(json!({ "about": longest })).await;
    assert_eq!(room.state().await["about"], longest);
    for too_long in ["a".repeat(4097), "€".repeat(1366)] {
        let refused = server.api().post("/api/rooms").json(&json!({ "about": too_long })).send().await;
        assert!(matches!(refused.status(), 400 | 413), "{refused}");
        let refused = room.patch(json!({ "about": too_long })).send().await;
        assert!(matches!(refused.status(), 400 | 413), "{refused}");
    }
    assert_eq!(room.state().await["about"], longest, "a refused change changes nothing");
}

#[tokio::test]
async fn token_hashes_are_checked_when_a_room_is_made() {
    let server = Server::start().await;
    let (a, b, c) = (token_hash("a"), token_hash("b"), token_hash("c"));
    let refused = [
        json!({ "read_token_hash": a }),
        json!({ "read_token_hash": a, "owner_token_hash": b }),
        json!({ "read_token_hash": a, "post_token_hash": a }),
        json!({ "post_token_hash": a, "owner_token_hash": a }),
        json!({ "read_token_hash": a, "post_token_hash": b, "owner_token_hash": a }),
        json!({ "post_token_hash": a[..63] }),
        json!({ "post_token_hash": format!("{a}0") }),
        json!({ "post_token_hash": a.to_uppercase() }),
        json!({ "post_token_hash": "g".repeat(64) }),
        json!({ "post_token_hash": "" }),
        json!({ "post_token_hash": 7 }),
        json!({ "owner_token_hash": [a] }),
    ];
    for body in refused {
        let answer = server.api().post("/api/rooms").json(&body).send().await;
        assert_eq!(answer.status(), 400, "{body} was accepted: {answer}");
        answer.must_fail(400, "invalid_request");
    }
    for body in [
        json!({ "post_token_hash": a }),
        json!({ "owner_token_hash": a }),
        json!({ "post_token_hash": a, "owner_token_hash": b }),
        json!({ "read_token_hash": a, "post_token_hash": b }),
        json!({ "read_token_hash": a, "post_token_hash": b, "owner_token_hash": c }),
    ] {
        server.api().post("/api/rooms").json(&body).send().await.must_be(201);
    }
}

#[tokio::test]
async fn an_owner_changes_a_room_and_the_log_says_so() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("hello").await;
    let changed = room.patch(json!({ "locked": true })).send().await.must_be(200).json();
    assert_eq!(changed["locked"], true);
    assert_eq!(changed["last_seq"], 2, "the change is an event: {changed}");
    assert_eq!(changed, room.state().await, "PATCH answers as GET does");

    let page = room.page("").await;
    let event = &messages(&page)[1];
    assert_eq!((&event["kind"], &event["seq"]), (&json!("room"), &json!(2)));
    assert!(event["target"].is_null(), "{event}");
    let id = event["client_id"].as_str().expect("a client_id made by the server");
    assert_eq!(uuid::Uuid::parse_str(id).expect("a UUID").to_string(), id, "canonical lowercase");
    let said: Value = serde_json::from_str(event["body"].as_str().expect("text")).expect("the body is JSON");
    assert_eq!(said["locked"], true, "the body says what changed: {event}");
}

#[tokio::test]
async fn every_kind_of_change_is_announced_once() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let changes = [
        json!({ "about": "v1.name" }),
        json!({ "locked": true }),
        json!({ "expires_in_s": 7200 }),
        json!({ "message_ttl_s": 900 }),
        json!({ "locked": false, "message_ttl_s": null, "about": "v1.other" }),
    ];
    for (number, change) in changes.iter().enumerate() {
        let state = room.patch(change.clone()).send().await.must_be(200).json();
        assert_eq!(state["last_seq"], number + 1, "one event for {change}");
        let again = room.patch(change.clone()).send().await.must_be(200).json();
        assert_eq!(again["last_seq"], number + 1, "the same again changes nothing: {change}");
    }
    let state = room.state().await;
    assert_eq!((&state["locked"], &state["about"]), (&json!(false), &json!("v1.other")));
    assert!(state["message_ttl_s"].is_null(), "{state}");
    let page = room.page("").await;
    for (event, change) in messages(&page).iter().zip(&changes) {
        let said: Value = serde_json::from_str(event["body"].as_str().expect("text")).expect("JSON");
        for name in change.as_object().expect("an object").keys() {
            assert!(
                said.as_object()
                    .expect("an object")
                    .keys()
                    .any(|said| said.starts_with(name.trim_end_matches("_in_s"))),
                "{said} does not mention {name}"
            );
        }
    }
}

#[tokio::test]
async fn a_change_of_nothing_is_no_event() {
    let server = Server::start().await;
    let room = server.room(json!({ "about": "v1.same", "message_ttl_s": 60, "expires_in_s": 600 })).await;
    let before = room.state().await;
    for same in [
        json!({}),
        json!({ "locked": false }),
        json!({ "about": "v1.same" }),
        json!({ "message_ttl_s": 60 }),
        json!({ "expires_in_s": 600 }),
    ] {
        assert_eq!(room.patch(same).send().await.must_be(200).json(), before);
    }
}

#[tokio::test]
async fn absent_members_of_a_change_leave_things_alone() {
    let server = Server::start().await;
    let room = server.room(json!({ "about": "v1.a", "message_ttl_s": 3600, "expires_in_s": 7200 })).await;
    let state = room.patch(json!({ "locked": true })).send().await.must_be(200).json();
    assert_eq!((&state["about"], &state["message_ttl_s"]), (&json!("v1.a"), &json!(3600)));
    let page = room.page("").await;
    let at = messages(&page)[0]["sent_at_ms"].as_u64().expect("a time");
    assert_eq!(state["expires_at_ms"], at + 7_200_000, "expiry counts from the last event");
}

#[tokio::test]
async fn a_changed_expiry_counts_from_the_last_event() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("hello").await;
    let state = room.patch(json!({ "expires_in_s": 100 })).send().await.must_be(200).json();
    let page = room.page("").await;
    let last = messages(&page)[1]["sent_at_ms"].as_u64().expect("a time");
    assert_eq!(state["expires_at_ms"], last + 100_000);
    room.say("again").await;
    let page = room.page("").await;
    let last = messages(&page)[2]["sent_at_ms"].as_u64().expect("a time");
    assert_eq!(room.state().await["expires_at_ms"], last + 100_000, "every event moves it");

    let state = room.patch(json!({ "expires_in_s": null })).send().await.must_be(200).json();
    let page = room.page("").await;
    let last = messages(&page)[3]["sent_at_ms"].as_u64().expect("a time");
    assert_eq!(state["expires_at_ms"], last + 30 * DAY_MS, "null is the server's default");
}

#[tokio::test]
async fn a_deleted_room_is_gone_for_everybody() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("a secret for the bin").await;
    let deleted = room.delete().send().await.must_be(204);
    assert!(deleted.body().is_empty());
    assert_eq!(deleted.header("access-control-allow-origin"), Some("*"));
    room.get().send().await.must_fail(404, "room_not_found");
    room.get().token(room.owner()).send().await.must_fail(404, "room_not_found");
    room.history("").send().await.must_fail(404, "room_not_found");
    room.post(&message("x")).send().await.must_fail(404, "room_not_found");
    room.post(&message("x")).token(room.owner()).send().await.must_fail(404, "room_not_found");
    room.patch(json!({ "locked": true })).send().await.must_fail(404, "room_not_found");
    room.delete().send().await.must_fail(404, "room_not_found");
    assert_eq!(room.stream().await.status(), 404);
    let kept = server.open_room().await;
    eventually("the deleted room's rows are deleted", async || {
        kept.get().send().await.must_be(200);
        (!server.database().contains("a secret for the bin")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn deleting_one_room_leaves_the_others_alone() {
    let server = Server::start().await;
    let (first, second) = (server.open_room().await, server.open_room().await);
    first.say("one").await;
    second.say("two").await;
    first.delete().send().await.must_be(204);
    let page = second.page("").await;
    assert_eq!(sequences(&page), [1]);
    assert_eq!(messages(&page)[0]["body"], "two");
}

#[tokio::test]
async fn rooms_do_not_share_sequences_or_client_ids() {
    let server = Server::start().await;
    let (first, second) = (server.open_room().await, server.open_room().await);
    let id = client_id();
    for (room, body) in [(&first, "one"), (&second, "two")] {
        let post = json!({ "client_id": id, "body": body });
        assert_eq!(room.post(&post).send().await.must_be(201).json()["seq"], 1);
    }
}

#[tokio::test]
async fn health_answers_anyone() {
    let server = Server::start().await;
    server.api().get("/api/health").token("whoever").send().await.must_be(200).must_have_type("application/json");
}

#[tokio::test]
async fn health_names_the_database_that_fails() {
    let server = Server::setup().variable("databases", "default,nowhere").expect_unhealthy().start().await;
    let answer = eventually("health is answered", async || {
        let answer = server.api().get("/api/health").send().await;
        (answer.status() != 500).then_some(answer)
    })
    .await;
    assert!(answer.text().contains("nowhere"), "{answer}");
    answer.must_fail(503, "unavailable");
}

#[tokio::test]
async fn rooms_are_found_by_their_id_alone() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let other = room.with_id(room.id.chars().rev().collect::<String>());
    other.get().send().await.must_fail(404, "room_not_found");
}
