//! The server-sent-events stream of a room, byte by byte where it matters: section 5.

use std::time::{Duration, Instant};

use buddy_tests::{Room, Server, Stream, is_hex, message, messages, token_hash};
use serde_json::{Value, json};

#[tokio::test]
async fn a_stream_begins_with_these_bytes() {
    let server = Server::setup().variable("stream_max_s", 1800).start().await;
    let room = server.open_room().await;
    room.say_many(1..=3).await;
    let mut stream = room.stream().await;
    assert_eq!(stream.status(), 200);

    let retry = stream.next().await.expect("a block");
    let wait = retry.text().strip_prefix("retry: ").expect("the first block is retry");
    assert!(wait.len() == 4 && (1000..=5000).contains(&wait.parse::<u32>().expect("digits")), "{retry:?}");

    let hello = stream.next().await.expect("a block");
    let lines: Vec<_> = hello.text().split('\n').collect();
    assert_eq!(lines[..2], ["id: 3", "event: hello"]);
    let log = hello.data()["log"].as_str().expect("the log's name").to_owned();
    assert!(!log.is_empty());
    assert_eq!(lines[2..], [format!(r#"data: {{"log":"{log}","first_seq":1,"last_seq":3}}"#)]);

    let stored = room.post(&message("news \u{1f30d}\n")).author("ann").send().await.must_be(201).json();
    let event = stream.next_event().await;
    let history = room.page("?after=3").await;
    assert_eq!(event.data(), messages(&history)[0], "an event is what history shows");
    let lines: Vec<_> = event.text().split('\n').collect();
    assert_eq!(lines.len(), 3, "the JSON is on one line: {event:?}");
    assert_eq!(lines[..2], ["id: 4", "event: message"]);
    assert!(lines[2].starts_with(r#"data: {"seq":4,"kind":"message","#), "{event:?}");
    assert_eq!(event.data()["sent_at_ms"], stored["sent_at_ms"]);
}

#[tokio::test]
async fn a_stream_says_what_it_is_and_that_nobody_may_keep_it() {
    let server = Server::start().await;
    let stream = server.open_room().await.stream().await;
    assert_eq!(stream.status(), 200);
    let media_type = stream.header("content-type").unwrap_or_default();
    assert_eq!(media_type.split(';').next(), Some("text/event-stream"));
    assert_eq!(stream.header("cache-control"), Some("no-store"));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    assert_eq!(stream.header("access-control-allow-origin"), Some("*"));
    assert_eq!(stream.header("content-length"), None);
}

#[tokio::test]
async fn retry_differs_from_reader_to_reader() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..12 {
        seen.insert(room.stream().await.next().await.expect("a block").text().to_owned());
    }
    assert!(seen.len() > 6, "random, so that readers do not all come back at once: {seen:?}");
}

#[tokio::test]
async fn a_stream_says_for_how_long_it_lasts_where_that_is_short() {
    for (lasts_s, said) in [(60, json!(60)), (61, Value::Null), (0, Value::Null)] {
        let server = Server::setup().variable("stream_max_s", lasts_s).start().await;
        let room = server.open_room().await;
        assert_eq!(room.stream().await.hello().await.data()["stream_max_s"], said, "{lasts_s}");
        let reset = room.stream_after(7).await.next_event().await;
        assert_eq!((reset.event(), &reset.data()["stream_max_s"]), (Some("reset"), &said), "{lasts_s}");
    }
}

#[tokio::test]
async fn an_empty_room_greets_from_zero() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for mut stream in [room.stream().await, room.stream_after(0).await] {
        let hello = stream.hello().await;
        assert_eq!(hello.id(), Some(0));
        assert_eq!((&hello.data()["first_seq"], &hello.data()["last_seq"]), (&json!(1), &json!(0)));
    }
    let mut stream = room.stream().await;
    stream.hello().await;
    room.say("first").await;
    assert_eq!(stream.next_event().await.id(), Some(1));
}

#[tokio::test]
async fn a_stream_without_a_cursor_starts_at_the_live_end() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say_many(1..=5).await;
    let mut stream = room.stream().await;
    assert_eq!(stream.hello().await.id(), Some(5));
    room.say("six").await;
    assert_eq!(stream.next_event().await.id(), Some(6));
}

#[tokio::test]
async fn every_kind_of_event_is_streamed_under_its_name() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let mut stream = room.stream().await;
    stream.hello().await;
    let target = room.say_as("me", "x").await;
    room.act_as("me", "edit", target, "y").await;
    room.act_as("me", "react", target, "+1").await;
    room.patch(json!({ "about": "v1.a" })).send().await.must_be(200);
    room.act_as("me", "delete", target, "gone").await;
    for (seq, kind) in (1..).zip(["message", "edit", "react", "room", "delete"]) {
        let event = stream.next_event().await;
        assert_eq!((event.id(), event.event()), (Some(seq), Some(kind)));
        assert_eq!((&event.data()["seq"], &event.data()["kind"]), (&json!(seq), &json!(kind)));
    }
}

#[tokio::test]
async fn the_log_is_named_alike_for_all_readers_of_a_room_and_no_other() {
    let mut server = Server::start().await;
    let (room, other) = (server.open_room().await, server.open_room().await);
    let log = async |room: &Room| room.stream().await.hello().await.data()["log"].as_str().map(str::to_owned);
    let name = log(&room).await.expect("a name");
    assert!(is_hex(&name, name.len()) && name.len() >= 16, "random: {name}");
    assert_eq!(log(&room).await.as_ref(), Some(&name));
    assert_ne!(log(&other).await.as_ref(), Some(&name));
    server.restart().await;
    assert_eq!(log(&room.at(&server.api())).await.as_ref(), Some(&name), "it outlives the server");
}

#[tokio::test]
async fn a_frame_never_ends_within_an_event() {
    let server = Server::setup().without_rate_limits().variable("heartbeat_s", 1).start().await;
    let room = server.open_room().await;
    room.say_many(1..=20).await;
    room.say(&"long ".repeat(3000)).await;
    let mut stream = room.stream_after(0).await;
    stream.events_until(21).await;
    room.say_many(22..=30).await;
    stream.events_until(30).await;
    while !stream.next().await.expect("a block").is_comment() {}
    for chunk in stream.chunks() {
        assert!(chunk.ends_with(b"\n\n"), "{:?}", String::from_utf8_lossy(chunk));
    }
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_with_comments() {
    let server = Server::setup().variable("heartbeat_s", 1).start().await;
    let room = server.open_room().await;
    let mut stream = room.stream().await;
    stream.hello().await;
    let start = Instant::now();
    for _ in 0..3 {
        let beat = stream.next().await.expect("a block");
        assert_eq!(beat.text(), ": keep-alive");
    }
    assert!(start.elapsed() >= Duration::from_millis(1500), "a second apart: {:?}", start.elapsed());
    room.say("still there").await;
    assert_eq!(stream.next_event().await.id(), Some(1));
}

#[tokio::test]
async fn a_stream_outlives_the_requests_that_one_instance_takes() {
    // By default Spin gives an instance 128 requests and then starts another.
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let mut first = room.stream().await;
    first.hello().await;
    for number in 1..=300 {
        let mut passing = room.stream().await;
        passing.hello().await;
        if number % 50 == 0 {
            room.say("x").await;
            assert_eq!(passing.next_event().await.id(), Some(number / 50));
            assert_eq!(first.next_event().await.id(), Some(number / 50));
        }
    }
}

#[tokio::test]
async fn many_readers_of_several_rooms_each_get_their_own_rooms_events() {
    let server = Server::setup().without_rate_limits().start().await;
    let rooms = [server.open_room().await, server.open_room().await, server.open_room().await];
    let mut readers = Vec::new();
    for number in 0..30 {
        let mut stream = rooms[number % 3].stream().await;
        stream.hello().await;
        readers.push((number % 3, stream));
    }
    for number in 1..=20 {
        for (at, room) in rooms.iter().enumerate() {
            room.say(&format!("room {at}, {number}")).await;
        }
    }
    for (at, stream) in &mut readers {
        let events = stream.events_until(20).await;
        let bodies: Vec<_> = events.iter().map(|event| event["body"].as_str().expect("text").to_owned()).collect();
        let expected: Vec<_> = (1..=20).map(|number| format!("room {at}, {number}")).collect();
        assert_eq!(bodies, expected);
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_does_not_hold_up_the_others() {
    let server = Server::setup()
        .without_rate_limits()
        .variable("stream_max_s", 1800)
        .variable("poll_active_ms", 20)
        .start()
        .await;
    let room = server.open_room().await;
    let mut stuck = room.stream().await;
    let mut quick = room.stream().await;
    quick.hello().await;
    // Far more than the buffers of a loopback connection hold, in parts that may wait for a reader who takes them.
    let body = "b".repeat(16_000);
    for written in (50..=900).step_by(50) {
        for _ in 0..50 {
            room.say(&body).await;
        }
        assert_eq!(quick.events_until(written).await.len(), 50);
    }
    // The stuck one was cut off, or gets the rest now; either way it resumes from its own cursor.
    let mut cursor = 0;
    while let Ok(Ok(Some(block))) = tokio::time::timeout(Duration::from_secs(5), stuck.try_next()).await {
        if let Some(id) = block.id() {
            assert!(block.event() == Some("hello") || id == cursor + 1, "{id} after {cursor}");
            cursor = id;
        }
        if cursor == 900 {
            break;
        }
    }
    let mut resumed = room.stream_after(cursor).await;
    assert_eq!(resumed.hello().await.id(), Some(cursor));
    if cursor < 900 {
        let events = resumed.events_until(900).await;
        assert_eq!(events.len() as u64, 900 - cursor);
    }
}

#[tokio::test]
async fn a_stream_of_a_closed_room_needs_a_token_in_its_header() {
    let server = Server::start().await;
    let hashes = json!({ "read_token_hash": token_hash("r"), "post_token_hash": token_hash("p") });
    let room = server.room(hashes).await;
    let mut stream = room.stream_with("", &[("authorization", "Bearer r")]).await;
    assert_eq!(stream.status(), 200);
    stream.hello().await;
    room.post(&message("x")).token("p").send().await.must_be(201);
    assert_eq!(stream.next_event().await.id(), Some(1));
    assert_eq!(room.stream_with("?token=r&access_token=r", &[]).await.status(), 404);
}

#[tokio::test]
async fn an_open_stream_learns_of_changes_made_through_another_server() {
    let first = Server::start().await;
    let second = first.sibling().await;
    let room = first.open_room().await;
    let there = room.at(&second.api());
    let mut here = room.stream().await;
    here.hello().await;
    let mut beyond = Stream::open(second.address(), &format!("{}/stream", room.path()), &[]).await;
    beyond.hello().await;
    for number in 1..=10 {
        let by = if number % 2 == 0 { &room } else { &there };
        assert_eq!(by.say("x").await, number);
    }
    assert_eq!(here.events_until(10).await, beyond.events_until(10).await);
    there.delete().send().await.must_be(204);
    assert_eq!(here.next_event().await.event(), Some("closed"));
}
