//! Posting messages to a room's log: the row for `messages` in section 4.

use buddy_tests::{Server, client_id, is_hex, member_id, message, messages};
use serde_json::{Value, json};

#[tokio::test]
async fn a_posted_message_is_read_back_as_it_was_sent() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let before = buddy_tests::now_ms();
    let post = json!({ "client_id": client_id(), "kind": "message", "body": "hello" });
    let stored = room.post(&post).author("my secret").send().await.must_be(201);
    stored.must_have_type("application/json");
    let stored = stored.json();
    assert_eq!(stored["seq"], 1);
    let at = stored["sent_at_ms"].as_u64().expect("a time");
    assert!((before.saturating_sub(1000)..=buddy_tests::now_ms() + 1000).contains(&at), "{stored}");
    assert_eq!(stored.as_object().expect("an object").len(), 2, "{stored}");

    let history = room.page("").await;
    let expected = json!({
        "seq": 1, "kind": "message", "client_id": post["client_id"], "author": member_id("my secret"),
        "target": null, "body": "hello", "sent_at_ms": at,
    });
    assert_eq!(history, json!({ "messages": [expected], "first_seq": 1, "last_seq": 1 }));
}

#[tokio::test]
async fn kind_and_target_may_be_absent_or_null() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for post in [
        json!({ "client_id": client_id(), "body": "a" }),
        json!({ "client_id": client_id(), "body": "b", "target": null }),
        json!({ "client_id": client_id(), "body": "c", "kind": "message", "target": null }),
    ] {
        room.post(&post).send().await.must_be(201);
    }
    for event in messages(&room.page("").await) {
        assert_eq!(event["kind"], "message");
        assert!(event["target"].is_null());
    }
}

#[tokio::test]
async fn any_text_comes_back_unchanged() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let texts = [
        "'; DROP TABLE event; --",
        "line\nbreaks\r\nand\ttabs",
        "\u{1}\u{7f}\u{85}\u{2028}\u{2029}\u{feff}\u{202e}",
        "emoji \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\"quoted\" \\ back / slashed",
        "data: x\n\nevent: closed\n",
        " ",
        "\u{10ffff}",
        "NULL",
        "0",
    ];
    for text in texts {
        room.say(text).await;
    }
    let history = room.page("").await;
    let found: Vec<_> = messages(&history).iter().map(|event| event["body"].as_str().expect("text")).collect();
    assert_eq!(found, texts);
    let mut stream = room.stream_after(0).await;
    let streamed = stream.events_until(texts.len() as u64).await;
    assert_eq!(&streamed, messages(&history), "the stream says the same");
}

#[tokio::test]
async fn a_body_may_have_exactly_as_many_bytes_as_allowed() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let full = "€".repeat(16_384 / 3) + "x";
    assert_eq!(full.len(), 16_384);
    room.say(&full).await;
    // Each byte escaped as \uXXXX: six raw bytes for one that counts.
    let escaped = "\\u0041".repeat(16_384);
    let raw = format!(r#"{{"client_id":"{}","body":"{escaped}"}}"#, client_id());
    let path = format!("{}/messages", room.path());
    server.api().post(&path).header("content-type", "application/json").body(raw).send().await.must_be(201);
    room.post(&message(&format!("{full}y"))).send().await.must_fail(413, "too_large");
    let history = room.page("").await;
    assert_eq!(messages(&history)[0]["body"], full);
    assert_eq!(messages(&history)[1]["body"], "A".repeat(16_384));
    assert_eq!(history["last_seq"], 2);
}

#[tokio::test]
async fn the_longest_body_can_be_set() {
    let server = Server::setup().variable("max_body_bytes", 10).start().await;
    let room = server.open_room().await;
    room.say("0123456789").await;
    room.post(&message("0123456789a")).send().await.must_fail(413, "too_large");
}

#[tokio::test]
async fn a_body_must_not_be_empty_or_missing_but_that_of_a_delete_may() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "x").await;
    for kind in ["message", "edit", "react"] {
        let target = if kind == "message" { Value::Null } else { json!(target) };
        let empty = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "" });
        room.post(&empty).author("me").send().await.must_fail(400, "invalid_request");
        let missing = json!({ "client_id": client_id(), "kind": kind, "target": target });
        room.post(&missing).author("me").send().await.must_fail(400, "invalid_request");
    }
    assert_eq!(room.state().await["last_seq"], 1);
    let without = json!({ "client_id": client_id(), "kind": "delete", "target": target });
    room.post(&without).author("me").send().await.must_be(201);
    let second = room.say_as("me", "y").await;
    room.act_as("me", "delete", second, "a signed reason").await;
    let history = room.page("").await;
    assert_eq!(messages(&history)[1]["body"], "");
    assert_eq!(messages(&history)[3]["body"], "a signed reason", "a delete's body is kept like any other");
}

#[tokio::test]
async fn a_member_id_is_public_and_the_secret_is_not() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say_as("a secret of mine", "hello").await;
    let history = room.history("").send().await.must_be(200);
    assert!(!history.text().contains("a secret of mine"));
    let author = messages(&history.json())[0]["author"].as_str().expect("a member id").to_owned();
    assert!(is_hex(&author, 32), "{author}");
    assert!(!server.database().contains("a secret of mine"));
}

#[tokio::test]
async fn clients_cannot_post_room_events_or_unknown_kinds() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say("x").await;
    for kind in [json!("room"), json!("Message"), json!("signal"), json!(""), json!(1), json!(["message"])] {
        for target in [Value::Null, json!(target)] {
            let post = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "{}" });
            room.post(&post).token(room.owner()).send().await.must_fail(400, "invalid_request");
        }
    }
}
