//! Presence and typing, which come and go beside the log: section 5, and the row for `signals` in section 4.

use std::time::{Duration, Instant};

use buddy_tests::{Block, Room, Server, Stream, eventually, member_id, now_ms};
use serde_json::{Value, json};

fn signal(kind: &str, body: &str) -> Value {
    json!({ "kind": kind, "body": body })
}

async fn send(room: &Room, author: &str, kind: &str, body: &str) {
    let sent = room.signal(&signal(kind, body)).author(author).send().await.must_be(204);
    assert!(sent.body().is_empty());
}

async fn next_signal(stream: &mut Stream) -> Block {
    stream.next_named("signal").await
}

#[tokio::test]
async fn a_signal_reaches_open_streams_and_has_no_id() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let mut stream = room.stream().await;
    stream.hello().await;
    for kind in ["here", "typing", "gone"] {
        let before = now_ms();
        send(&room, "ann", kind, &format!("body of {kind}")).await;
        let event = next_signal(&mut stream).await;
        assert_eq!(event.field("id"), None, "a signal moves no cursor: {event:?}");
        let data = event.data();
        let sent = data["sent_at_ms"].as_u64().expect("a time");
        assert!(sent + 1000 >= before && sent <= now_ms() + 1000, "{data}");
        let expected = json!({
            "kind": kind, "author": member_id("ann"), "body": format!("body of {kind}"),
            "sent_at_ms": sent, "expires_at_ms": sent + 30_000,
        });
        assert_eq!(data, expected);
    }
}

#[tokio::test]
async fn a_signal_is_not_in_the_log() {
    let server = Server::start().await;
    let room = server.open_room().await;
    send(&room, "ann", "here", "x").await;
    let page = room.page("").await;
    assert_eq!(page, json!({ "messages": [], "first_seq": 1, "last_seq": 0 }));
    assert_eq!(room.say("first").await, 1);
}

#[tokio::test]
async fn a_new_reader_gets_the_signals_that_are_still_valid_one_an_author() {
    let server = Server::start().await;
    let room = server.open_room().await;
    send(&room, "ann", "here", "old").await;
    send(&room, "ann", "typing", "new").await;
    send(&room, "ben", "here", "ben's").await;
    let mut stream = room.stream().await;
    stream.hello().await;
    let mut found = [next_signal(&mut stream).await.data(), next_signal(&mut stream).await.data()];
    found.sort_by_key(|data| data["body"].as_str().map(str::to_owned));
    assert_eq!((&found[0]["body"], &found[0]["author"]), (&json!("ben's"), &json!(member_id("ben"))));
    assert_eq!((&found[1]["body"], &found[1]["author"]), (&json!("new"), &json!(member_id("ann"))));
    room.say("then a message").await;
    assert_eq!(stream.next_event().await.event(), Some("message"), "ann's first signal was replaced");
}

#[tokio::test]
async fn a_signal_is_forgotten_after_thirty_seconds() {
    let server = Server::setup().variable("heartbeat_s", 1).start().await;
    let room = server.open_room().await;
    let before = now_ms();
    send(&room, "ann", "here", "soon forgotten").await;
    assert_eq!(next_signal(&mut room.stream().await).await.data()["body"], "soon forgotten");
    eventually("thirty seconds pass", async || (now_ms() > before + 31_000).then_some(())).await;
    let mut stream = room.stream().await;
    stream.hello().await;
    // A heartbeat is later than whatever a new reader is told at once.
    let block = stream.next().await.expect("a block");
    assert!(block.is_comment(), "{block:?}");
    let database = server.database();
    eventually("its row is deleted", async || {
        room.history("").send().await.must_be(200);
        (!database.contains("soon forgotten")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn signals_are_gathered_into_at_most_one_frame_a_second() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let mut stream = room.stream().await;
    stream.hello().await;
    let begun = stream.chunks().len();
    let start = Instant::now();
    let mut number = 0;
    let sending = async {
        while start.elapsed() < Duration::from_secs(4) {
            number += 1;
            send(&room, &format!("author {}", number % 40), "typing", "x").await;
        }
    };
    let (_, ()) = futures::join!(tokio::time::timeout(Duration::from_secs(5), stream.rest()), sending);
    // By the server's clock: when the newest signal of each frame was sent.
    let newest = |chunk: &Vec<u8>| {
        let text = String::from_utf8(chunk.clone()).expect("UTF-8");
        let signals = text.lines().filter_map(|line| line.strip_prefix("data: "));
        signals
            .map(|data| serde_json::from_str::<Value>(data).expect("JSON")["sent_at_ms"].as_u64().expect("a time"))
            .max()
    };
    let frames: Vec<u64> = stream.chunks()[begun..].iter().filter_map(newest).collect();
    assert!(frames.len() >= 3, "signals came all the time, and only {} frames", frames.len());
    let span = frames[frames.len() - 1] - frames[0];
    // Of n frames a second apart, the last is n - 1 seconds after the first; half a second for what was under way.
    let most = (span + 500) / 1000 + 1;
    assert!(frames.len() as u64 <= most, "{} frames within {span} ms", frames.len());
}

#[tokio::test]
async fn an_anonymous_signal_has_no_author() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let mut stream = room.stream().await;
    stream.hello().await;
    room.signal(&signal("here", "x")).send().await.must_be(204);
    assert!(next_signal(&mut stream).await.data()["author"].is_null());
}

#[tokio::test]
async fn signals_are_checked_like_posts() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for body in [
        json!({}),
        json!({ "kind": "here" }),
        json!({ "body": "x" }),
        signal("message", "x"),
        signal("Here", "x"),
        signal("here", ""),
        signal("here", "nul \u{0}"),
        json!({ "kind": "here", "body": 7 }),
        json!({ "kind": "here", "body": "x", "surprise": 1 }),
    ] {
        let answer = room.signal(&body).send().await;
        assert_eq!(answer.status(), 400, "{body} was accepted: {answer}");
        answer.must_fail(400, "invalid_request");
    }
    room.signal(&signal("here", &"x".repeat(16_385))).send().await.must_fail(413, "too_large");
    let path = format!("{}/signals", room.path());
    let untyped = server.api().post(&path).body(signal("here", "x").to_string());
    untyped.send().await.must_fail(415, "unsupported_media_type");
}

#[tokio::test]
async fn an_author_may_signal_ten_times_in_ten_seconds() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for _ in 0..10 {
        send(&room, "ann", "typing", "x").await;
    }
    let refused = room.signal(&signal("typing", "x")).author("ann").send().await.must_fail(429, "rate_limited");
    assert!((1..=10).contains(&refused.retry_after()), "{refused}");
    send(&room, "ben", "typing", "x").await;
}

#[tokio::test]
async fn a_room_takes_so_many_signals_in_ten_seconds() {
    let server = Server::setup().variable("signals_per_room_per_ten_s", 5).start().await;
    let room = server.open_room().await;
    for number in 0..5 {
        send(&room, &format!("author {number}"), "here", "x").await;
    }
    room.signal(&signal("here", "x")).author("another").send().await.must_fail(429, "rate_limited");
    room.say("messages are another matter").await;
}

#[tokio::test]
async fn a_deleted_room_takes_its_signals_along() {
    let server = Server::start().await;
    let room = server.open_room().await;
    send(&room, "ann", "here", "a sign of life").await;
    room.delete().send().await.must_be(204);
    room.signal(&signal("here", "x")).send().await.must_fail(404, "room_not_found");
    let other = server.open_room().await;
    let database = server.database();
    eventually("its signals are deleted", async || {
        other.get().send().await.must_be(200);
        (!database.contains("a sign of life")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_signal_between_two_messages_moves_no_cursor() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say("one").await;
    send(&room, "ann", "here", "x").await;
    let mut stream = room.stream_after(1).await;
    assert_eq!(stream.hello().await.id(), Some(1));
    next_signal(&mut stream).await;
    room.say("two").await;
    assert_eq!(stream.next_event().await.id(), Some(2));
}
