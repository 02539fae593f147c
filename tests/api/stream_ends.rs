//! How streams end, and when none is begun: section 5.

use std::time::{Duration, Instant};

use buddy_tests::{Block, Server, eventually, manifest, message, now_ms};
use serde_json::{Value, json};

/// The ids of the blocks that have one, in order.
fn ids(blocks: &[Block]) -> Vec<u64> {
    blocks.iter().filter_map(Block::id).collect()
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
async fn what_was_said_just_before_a_room_was_deleted_comes_before_the_end() {
    // So rarely that both happen between two looks.
    let server = Server::setup().variable("poll_active_ms", 1000).variable("poll_idle_ms", 1000).start().await;
    let room = server.open_room().await;
    let mut stream = room.stream().await;
    stream.hello().await;
    room.say("the last words").await;
    room.delete().send().await.must_be(204);
    assert_eq!(stream.next_event().await.id(), Some(1));
    assert_eq!(stream.next_event().await.event(), Some("closed"));
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
    const MAX: Duration = Duration::from_secs(8);
    // The server looks for streams that are due a few times a second: so far apart come ends that were meant to
    // come at once.
    const LOOK: Duration = Duration::from_millis(200);
    let server = Server::setup().variable("stream_max_s", MAX.as_secs()).start().await;
    let room = server.open_room().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let asked = Instant::now();
        streams.push((asked, room.stream().await));
    }
    // Each counted from its own beginning, so that opening them one after another spreads nothing.
    let lasted = futures::future::join_all(streams.iter_mut().map(|(asked, stream)| async move {
        stream.rest().await;
        asked.elapsed()
    }))
    .await;
    let shortest = *lasted.iter().min().expect("twenty streams");
    let longest = *lasted.iter().max().expect("twenty streams");
    assert!(shortest >= MAX * 9 / 10, "{shortest:?} is less than {MAX:?} minus 10 %");
    let spread = longest - shortest;
    assert!(
        spread > LOOK * 3,
        "20 streams last {MAX:?} ± 10 % each, and these all between {shortest:?} and {longest:?}"
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
    if manifest::is_for_cloud() {
        assert_eq!(refused.status(), 200, "each stream is the only one of its instance");
        return;
    }
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
