//! The server-sent-events stream, byte by byte where it matters: section 5.

use std::time::{Duration, Instant};

use buddy_tests::{Block, Room, Server, Stream, eventually, is_hex, message, messages, now_ms, token_hash};
use serde_json::{Value, json};

async fn say_many(room: &Room, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        room.say(&format!("message {number}")).await;
    }
}

/// The ids of the blocks that have one, in order.
fn ids(blocks: &[Block]) -> Vec<u64> {
    blocks.iter().filter_map(Block::id).collect()
}

#[tokio::test]
async fn a_stream_begins_with_these_bytes() {
    let server = Server::start().await;
    let room = server.open_room().await;
    say_many(&room, 1..=3).await;
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
    let history = room.history("?after=3").send().await.must_be(200).json();
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
    say_many(&room, 1..=5).await;
    let mut stream = room.stream().await;
    assert_eq!(stream.hello().await.id(), Some(5));
    room.say("six").await;
    assert_eq!(stream.next_event().await.id(), Some(6));
}

#[tokio::test]
async fn a_cursor_replays_everything_after_it_and_then_follows() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    say_many(&room, 1..=450).await;
    for cursor in [0, 1, 199, 200, 449, 450] {
        let mut stream = room.stream_after(cursor).await;
        let hello = stream.hello().await;
        assert_eq!(hello.id(), Some(cursor), "hello carries the cursor");
        assert_eq!(hello.data()["last_seq"], 450);
        let mut expected = cursor;
        while expected < 450 {
            let event = stream.next_event().await;
            expected += 1;
            assert_eq!(event.id(), Some(expected));
            assert_eq!(event.data()["body"], format!("message {expected}"));
        }
    }
    let mut stream = room.stream_after(449).await;
    stream.hello().await;
    stream.events_until(450).await;
    room.say("live").await;
    assert_eq!(stream.next_event().await.id(), Some(451));
}

#[tokio::test]
async fn a_long_replay_meets_live_events_without_gap_or_repeat() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    say_many(&room, 1..=300).await;
    let reading = async {
        let mut readers = Vec::new();
        for cursor in [0, 100, 299] {
            let mut stream = room.stream_after(cursor).await;
            readers.push(async move { (cursor, stream.events_until(400).await) });
        }
        futures::future::join_all(readers).await
    };
    let (read, ()) = futures::join!(reading, say_many(&room, 301..=400));
    for (cursor, events) in read {
        let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64().expect("a sequence")).collect();
        assert_eq!(seqs, (cursor + 1..=400).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_reconnecting_reader_receives_only_newer_events() {
    let server = Server::start().await;
    let room = server.open_room().await;
    say_many(&room, 1..=3).await;
    let mut stream = room.stream_with("", &[("Last-Event-ID", "1")]).await;
    assert_eq!(stream.hello().await.id(), Some(1));
    let events = stream.events_until(3).await;
    assert_eq!(events.len(), 2);
    drop(stream);
    say_many(&room, 4..=5).await;
    let mut stream = room.stream_with("", &[("Last-Event-ID", "3")]).await;
    stream.hello().await;
    assert_eq!(stream.events_until(5).await.len(), 2);
}

#[tokio::test]
async fn last_event_id_wins_over_after_and_counts_as_none_when_empty() {
    let server = Server::start().await;
    let room = server.open_room().await;
    say_many(&room, 1..=4).await;
    for (query, header, expected) in
        [("?after=1", "3", 3), ("?after=3", "0", 0), ("?after=2", "", 2), ("", "", 4), ("?after=4", "4", 4)]
    {
        let mut stream = room.stream_with(query, &[("last-event-id", header)]).await;
        assert_eq!(stream.hello().await.id(), Some(expected), "{query} with {header:?}");
    }
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for query in ["?after=-1", "?after=x", "?after=1.5", "?after=99999999999999999999"] {
        room.refused_stream(query, &[]).await.must_fail(400, "invalid_request");
    }
    for header in ["-1", "x", "1.5", "99999999999999999999"] {
        room.refused_stream("", &[("last-event-id", header)]).await.must_fail(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_cursor_from_the_future_is_reset() {
    let server = Server::start().await;
    let room = server.open_room().await;
    say_many(&room, 1..=3).await;
    let mut stream = room.stream_after(4).await;
    let reset = stream.next_named("reset").await;
    assert_eq!(reset.id(), Some(3), "a reset carries its last_seq");
    let data = reset.data();
    assert!(data["log"].is_string(), "data as in hello: {reset:?}");
    assert_eq!((&data["first_seq"], &data["last_seq"]), (&json!(1), &json!(3)));
    room.say("four").await;
    assert_eq!(stream.next_event().await.id(), Some(4), "and goes on from there");
}

#[tokio::test]
async fn a_cursor_before_the_first_event_still_kept_is_reset() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 1 })).await;
    say_many(&room, 1..=3).await;
    eventually("all expires", async || (room.state().await["first_seq"] == 4).then_some(())).await;
    room.patch(json!({ "message_ttl_s": null })).send().await.must_be(200);
    say_many(&room, 5..=5).await;
    // Kept are 4 (the change) and 5. A reader that has seen up to 3 has missed nothing.
    for cursor in [0, 2] {
        let mut stream = room.stream_after(cursor).await;
        let reset = stream.next_named("reset").await;
        assert_eq!(reset.id(), Some(5), "after {cursor}");
        assert_eq!((&reset.data()["first_seq"], &reset.data()["last_seq"]), (&json!(4), &json!(5)));
    }
    let mut stream = room.stream_after(3).await;
    assert_eq!(stream.hello().await.id(), Some(3));
    assert_eq!(stream.next_event().await.id(), Some(4));
    assert_eq!(stream.next_event().await.id(), Some(5));
}

#[tokio::test]
async fn a_replay_that_finds_a_gap_resets() {
    let server = Server::start().await;
    let room = server.open_room().await;
    say_many(&room, 1..=6).await;
    assert_eq!(server.database().execute("DELETE FROM event WHERE seq = 4", []), 1);
    let mut stream = room.stream_after(1).await;
    let mut seen = Vec::new();
    let reset = loop {
        let event = stream.next_event().await;
        match event.event() {
            Some("reset") => break event,
            Some("hello") => {}
            _ => seen.push(event),
        }
    };
    assert_eq!(ids(&seen), [2, 3], "nothing beyond the gap came before the reset");
    assert_eq!(reset.id(), Some(6));
    room.say("seven").await;
    assert_eq!(stream.next_event().await.id(), Some(7));
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
    say_many(&room, 1..=20).await;
    room.say(&"long ".repeat(3000)).await;
    let mut stream = room.stream_after(0).await;
    stream.events_until(21).await;
    say_many(&room, 22..=30).await;
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
async fn deleting_a_room_closes_its_streams() {
    let server = Server::start().await;
    let (room, other) = (server.open_room().await, server.open_room().await);
    let mut streams = vec![room.stream().await, room.stream_after(0).await, room.stream().await];
    let mut untouched = other.stream().await;
    for stream in streams.iter_mut().chain([&mut untouched]) {
        stream.hello().await;
    }
    room.delete().send().await.must_be(204);
    for stream in &mut streams {
        let closed = stream.next_event().await;
        assert_eq!(closed.event(), Some("closed"));
        assert_eq!(closed.field("data"), Some(r#"{"reason":"deleted"}"#));
        assert_eq!(stream.rest().await, [], "then the stream ends properly");
    }
    assert_eq!(room.stream().await.status(), 404);
    other.say("unharmed").await;
    assert_eq!(untouched.next_event().await.id(), Some(1));
}

#[tokio::test]
async fn an_expiring_room_closes_its_streams() {
    let server = Server::start().await;
    let room = server.room(json!({ "expires_in_s": 2 })).await;
    let mut stream = room.stream().await;
    stream.hello().await;
    let sent = room.post(&message("the last words")).send().await.must_be(201).json();
    let expiry = sent["sent_at_ms"].as_u64().expect("a time") + 2000;
    assert_eq!(stream.next_event().await.id(), Some(1));
    let closed = stream.next_event().await;
    assert!(now_ms() >= expiry, "not before its time");
    assert_eq!(closed.event(), Some("closed"));
    assert_eq!(closed.field("data"), Some(r#"{"reason":"expired"}"#));
    assert_eq!(stream.rest().await, []);
    assert_eq!(room.stream().await.status(), 404);
}

#[tokio::test]
async fn a_stream_ends_itself_in_time_and_properly() {
    let server = Server::setup().variable("stream_max_s", 2).start().await;
    let room = server.open_room().await;
    room.say("one").await;
    let start = Instant::now();
    let mut stream = room.stream_after(0).await;
    let events = stream.rest().await;
    // 2 s ± 10 %, as seen from a client that read the beginning a little late.
    assert!(start.elapsed() >= Duration::from_millis(1700), "{:?}", start.elapsed());
    assert_eq!(ids(&events), [0, 1]);
    room.say("two").await;
    let mut resumed = room.stream_with("", &[("last-event-id", "1")]).await;
    resumed.hello().await;
    assert_eq!(resumed.next_event().await.id(), Some(2), "the next stream goes on where this one ended");
}

#[tokio::test]
async fn streams_do_not_all_end_at_once() {
    let server = Server::setup().variable("stream_max_s", 3).start().await;
    let room = server.open_room().await;
    let start = Instant::now();
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(room.stream().await);
    }
    let opened_within = start.elapsed();
    let ends = futures::future::join_all(streams.iter_mut().map(|stream| async move {
        stream.rest().await;
        start.elapsed()
    }))
    .await;
    let first = ends.iter().min().expect("twenty streams");
    let last = ends.iter().max().expect("twenty streams");
    let spread = *last - *first;
    assert!(
        spread > Duration::from_millis(150),
        "20 ends spread over ± 10 % of 3 s, not {spread:?} ({opened_within:?})"
    );
}

#[tokio::test]
async fn too_many_streams_are_told_to_come_back_later() {
    let server = Server::setup().variable("streams_per_instance", 2).variable("heartbeat_s", 1).start().await;
    let room = server.open_room().await;
    let mut open = vec![room.stream().await, room.stream().await];
    for stream in &mut open {
        stream.hello().await;
    }
    let refused = room.stream().await;
    assert_eq!(refused.status(), 503);
    let wait: u64 = refused.header("retry-after").expect("when to come back").parse().expect("seconds");
    assert!(wait >= 1);
    let error: Value = serde_json::from_slice(refused.body()).expect("JSON");
    assert_eq!(error["error"]["code"], "unavailable");
    open.pop();
    eventually("a reader that left makes room for another", async || {
        (room.stream().await.status() == 200).then_some(())
    })
    .await;
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
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    let mut stuck = room.stream().await;
    let mut quick = room.stream().await;
    quick.hello().await;
    // Far more than the buffers of a loopback connection hold.
    let body = "b".repeat(16_000);
    let reading = quick.events_until(900);
    let writing = async {
        for _ in 0..900 {
            room.say(&body).await;
        }
    };
    let (events, ()) = futures::join!(reading, writing);
    assert_eq!(events.len(), 900);
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
async fn expired_messages_are_not_replayed() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 2 })).await;
    say_many(&room, 1..=2).await;
    eventually("they expire", async || (room.state().await["first_seq"] == 3).then_some(())).await;
    room.say("fresh").await;
    let mut stream = room.stream_after(2).await;
    stream.hello().await;
    assert_eq!(stream.next_event().await.id(), Some(3));
    let mut stream = room.stream_after(0).await;
    assert_eq!(stream.next_event().await.event(), Some("reset"));
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
