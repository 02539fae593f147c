//! What a stream does with the cursor it is opened with: replay, or `reset` where it cannot. Section 5.

use buddy_tests::{Block, Database, Server, eventually, manifest, message, now_ms, token_hash};
use serde_json::json;

/// The ids of the blocks that have one, in order.
fn ids(blocks: &[Block]) -> Vec<u64> {
    blocks.iter().filter_map(Block::id).collect()
}

#[tokio::test]
async fn a_cursor_replays_everything_after_it_and_then_follows() {
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    room.say_many(1..=450).await;
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
    room.say_many(1..=300).await;
    let reading = async {
        let mut readers = Vec::new();
        for cursor in [0, 100, 299] {
            let mut stream = room.stream_after(cursor).await;
            readers.push(async move { (cursor, stream.events_until(400).await) });
        }
        futures::future::join_all(readers).await
    };
    let (read, ()) = futures::join!(reading, room.say_many(301..=400));
    for (cursor, events) in read {
        let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64().expect("a sequence")).collect();
        assert_eq!(seqs, (cursor + 1..=400).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_reconnecting_reader_receives_only_newer_events() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say_many(1..=3).await;
    let mut stream = room.stream_with("", &[("Last-Event-ID", "1")]).await;
    assert_eq!(stream.hello().await.id(), Some(1));
    let events = stream.events_until(3).await;
    assert_eq!(events.len(), 2);
    drop(stream);
    room.say_many(4..=5).await;
    let mut stream = room.stream_with("", &[("Last-Event-ID", "3")]).await;
    stream.hello().await;
    assert_eq!(stream.events_until(5).await.len(), 2);
}

#[tokio::test]
async fn last_event_id_wins_over_after_and_counts_as_none_when_empty() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say_many(1..=4).await;
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
    room.say_many(1..=3).await;
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
    room.say_many(1..=3).await;
    eventually("all expires", async || (room.state().await["first_seq"] == 4).then_some(())).await;
    room.patch(json!({ "message_ttl_s": null })).send().await.must_be(200);
    room.say_many(5..=5).await;
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
    room.say_many(1..=6).await;
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
async fn events_that_are_gone_before_an_open_stream_had_them_reset_it() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.say_many(1..=2).await;
    let mut stream = room.stream_after(2).await;
    stream.hello().await;
    // As after a message that expired while the database could not be read.
    assert_eq!(server.database().execute("UPDATE room SET last_seq = last_seq + 3", []), 1);
    let reset = stream.next_named("reset").await;
    assert_eq!(reset.id(), Some(5));
    assert_eq!(reset.data()["last_seq"], 5);
    room.say("six").await;
    assert_eq!(stream.next_event().await.id(), Some(6));
}

/// Fills the only room's log with more than the buffers of a loopback connection hold.
fn fill(database: &Database, body: &str) {
    let fill = "WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?1)
        INSERT INTO event(room_id, seq, kind, sent_at_ms, client_id, hash, body)
        SELECT (SELECT id FROM room), seq, 'message', ?2, randomblob(16), randomblob(32), printf('%16000s', ?3) FROM n";
    // Long enough ago to count towards no rate.
    let parameters = (MANY.cast_signed(), now_ms().cast_signed() - 60_000, body);
    assert_eq!(database.execute(fill, parameters) as u64, MANY);
}

const MANY: u64 = 2000;

#[tokio::test]
async fn a_stalled_replay_notices_that_its_room_has_gone() {
    for (reason, go) in
        [("deleted", "UPDATE room SET deleted_at_ms = 1"), ("expired", "UPDATE room SET expires_at_ms = 1")]
    {
        let server = Server::start().await;
        let room = server.open_room().await;
        fill(&server.database(), "words");
        let mut stream = room.stream_after(0).await;
        stream.hello().await;
        assert_eq!(server.database().execute(go, []), 1);
        let blocks = stream.rest().await;
        let last = blocks.last().expect("at least the end");
        assert_eq!(last.event(), Some("closed"), "{reason}: what the client gets last");
        assert_eq!(last.data()["reason"], reason);
        assert!((blocks.len() as u64) < MANY, "{reason}: what was not on its way yet is not shown any more");
    }
}

#[tokio::test]
async fn a_stalled_replay_never_goes_on_in_a_room_that_has_its_rooms_number() {
    let server = Server::start().await;
    let database = server.database();
    let own = server.open_room().await;
    fill(&database, "own words");
    let mut stream = own.stream_after(0).await;
    stream.hello().await;
    assert!(stream.next_event().await.text().contains("own words"), "it reads");
    own.delete().send().await.must_be(204);
    // What sweeping does later, and then the worst that could happen to numbers: another room gets this one.
    let number: i64 = database.value("SELECT id FROM room", []);
    database.execute("DELETE FROM event", []);
    assert_eq!(database.execute("DELETE FROM room", []), 1);
    let hashes = json!({ "read_token_hash": token_hash("reader"), "post_token_hash": token_hash("poster") });
    let other = server.room(hashes).await;
    assert_eq!(database.execute("UPDATE room SET id = ?1", [number]), 1);
    fill(&database, "a secret");
    let post = other.post(&message("another secret")).token("poster");
    post.send().await.must_be(201);
    let heard = stream.rest().await;
    assert!(!heard.iter().any(|block| block.text().contains("secret")), "a stranger read the other room");
    assert_eq!(other.stream().await.status(), 404);
}

#[tokio::test]
async fn two_hundred_thousand_events_replay_from_any_cursor_in_bounded_memory() {
    const EVENTS: u64 = 200_000;
    const BODY_BYTES: u64 = 500;
    let server = Server::setup().variable("stream_max_s", 1800).start().await;
    let room = server.open_room().await;
    let fill = "WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?1)
        INSERT INTO event(room_id, seq, kind, sent_at_ms, client_id, hash, body)
        SELECT (SELECT id FROM room), seq, 'message', ?2, randomblob(16), randomblob(32), printf('%0*d', ?3, seq) FROM n";
    let parameters = [EVENTS, now_ms(), BODY_BYTES].map(u64::cast_signed);
    assert_eq!(server.database().execute(fill, parameters) as u64, EVENTS);
    for cursor in [0, 1, EVENTS / 2, EVENTS - 1] {
        let mut stream = room.stream_after(cursor).await;
        assert_eq!(stream.hello().await.id(), Some(cursor));
        assert_eq!(stream.next_event().await.id(), Some(cursor + 1));
    }

    let before = server.resident_bytes();
    // These take nothing, and stay where they are while another one reads everything.
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(room.stream_after(0).await);
    }
    let mut stream = room.stream_after(0).await;
    stream.hello().await;
    for seq in 1..=EVENTS {
        assert_eq!(stream.next_event().await.id(), Some(seq));
    }
    let grown = server.resident_bytes().saturating_sub(before);
    // An instance has a few megabytes before it holds anything.
    let instances = if manifest::is_for_cloud() { 21 * (4 << 20) } else { 0 };
    assert!(grown < EVENTS * BODY_BYTES / 2 + instances, "21 replays of 100 MB took {} MiB of memory", grown >> 20);
    room.say("live").await;
    assert_eq!(stream.next_event().await.id(), Some(EVENTS + 1));
}

#[tokio::test]
async fn expired_messages_are_not_replayed() {
    let server = Server::start().await;
    let room = server.room(json!({ "message_ttl_s": 2 })).await;
    room.say_many(1..=2).await;
    eventually("they expire", async || (room.state().await["first_seq"] == 3).then_some(())).await;
    room.say("fresh").await;
    let mut stream = room.stream_after(2).await;
    stream.hello().await;
    assert_eq!(stream.next_event().await.id(), Some(3));
    let mut stream = room.stream_after(0).await;
    assert_eq!(stream.next_event().await.event(), Some("reset"));
}
