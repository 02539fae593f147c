//! How streams of rooms with keys end: docs/protocol.md, "Stream".

use buddy_tests::{Block, KeyedRoom, Server, Stream, base64url};

async fn unlimited() -> Server {
    Server::setup().without_rate_limits().start().await
}

async fn stream(room: &KeyedRoom, token: &str, query: &str) -> Stream {
    room.room.stream_with(query, &[("authorization", &format!("Bearer {token}"))]).await
}

fn names(blocks: &[Block]) -> Vec<(String, Option<u64>)> {
    blocks.iter().filter_map(|block| Some((block.event()?.to_owned(), block.id()))).collect()
}

#[tokio::test]
async fn a_renewal_ends_the_streams_of_its_room() {
    let server = unlimited().await;
    let (room, other) = (KeyedRoom::create(&server.api()).await, KeyedRoom::create(&server.api()).await);
    let mut streams = vec![
        stream(&room, &room.read_token(0), "").await,
        stream(&room, &room.post_token(0), "?after=0").await,
        stream(&room, room.owner(), "").await,
    ];
    let mut untouched = stream(&other, &other.read_token(0), "").await;
    for stream in streams.iter_mut().chain([&mut untouched]) {
        stream.hello().await;
    }
    room.say_as("ann", 0, "before").await;
    room.renew_for(1, &["ann"]).await;
    room.say_as("ann", 1, "after").await;
    for stream in &mut streams {
        let blocks = stream.rest().await;
        let expected = [("message".to_owned(), Some(1)), ("rotate".to_owned(), Some(2)), ("closed".to_owned(), None)];
        assert_eq!(names(&blocks), expected);
        assert_eq!(blocks.last().and_then(|closed| closed.field("data")), Some(r#"{"reason":"renewed"}"#));
    }
    let mut next = stream(&room, &room.read_token(1), "?after=2").await;
    next.hello().await;
    assert_eq!(next.next_event().await.id(), Some(3));
    other.say_as("ann", 0, "unharmed").await;
    assert_eq!(untouched.next_event().await.id(), Some(1));
    assert_eq!(stream(&room, &room.read_token(0), "").await.status(), 403);
}

#[tokio::test]
async fn the_owners_stream_goes_on_from_where_its_token_is() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.say_as("ann", 0, "1").await;
    room.renew_for(1, &["ann"]).await;
    room.say_as("ann", 1, "3").await;
    room.renew_for(2, &["ann"]).await;
    // Earlier rotations are history to whoever holds a token of today.
    for token in [room.owner().to_owned(), room.read_token(2)] {
        let mut replayed = stream(&room, &token, "?after=0").await;
        replayed.hello().await;
        for seq in 1..=4 {
            assert_eq!(replayed.next_event().await.id(), Some(seq));
        }
        room.room.get().token(&token).send().await.must_be(200);
    }
    let mut live = stream(&room, room.owner(), "").await;
    live.hello().await;
    room.renew_for(3, &["ann"]).await;
    assert_eq!(live.next_event().await.event(), Some("rotate"));
    assert_eq!(live.next_event().await.event(), Some("closed"));
    assert_eq!(live.rest().await, []);
}

#[tokio::test]
async fn a_replay_ends_at_a_renewal_that_comes_while_it_runs() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    // More than a stalled connection takes at once.
    let text = "x".repeat(16_000);
    for number in 0..1200 {
        room.say_as(&format!("author {}", number % 8), 0, &text).await;
    }
    let mut replayed = stream(&room, &room.read_token(0), "?after=0").await;
    replayed.hello().await;
    room.renew_for(1, &[]).await;
    for _ in 0..3 {
        room.say_as("ann", 1, "not for those of epoch 0").await;
    }
    let blocks = replayed.rest().await;
    let names = names(&blocks);
    assert_eq!(names.len(), 1202, "{:?}", names.last());
    assert_eq!(names[1200..], [("rotate".to_owned(), Some(1201)), ("closed".to_owned(), None)]);
    assert_eq!(blocks.last().and_then(|closed| closed.field("data")), Some(r#"{"reason":"renewed"}"#));
}

#[tokio::test]
async fn a_renewal_whose_event_has_gone_ends_a_stream_all_the_same() {
    // So rarely that the event has expired before anybody looks.
    let server = Server::setup()
        .without_rate_limits()
        .variable("poll_active_ms", 3000)
        .variable("poll_idle_ms", 3000)
        .start()
        .await;
    let room = KeyedRoom::create_with(&server.api(), serde_json::json!({ "message_ttl_s": 1 })).await;
    let mut open = stream(&room, &room.read_token(0), "").await;
    open.hello().await;
    room.renew_for(1, &[]).await;
    let blocks = open.rest().await;
    let closed = blocks.iter().rfind(|block| block.event().is_some()).expect("a last event");
    assert_eq!(closed.field("data"), Some(r#"{"reason":"renewed"}"#), "{blocks:?}");
}

#[tokio::test]
async fn a_deleted_rooms_streams_end_with_the_farewell() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let mut open = stream(&room, &room.read_token(0), "").await;
    open.hello().await;
    room.say_as("ann", 0, "the last words").await;
    let farewell = base64url([7; 64]);
    room.delete(&farewell).send().await.must_be(204);
    assert_eq!(open.next_event().await.id(), Some(1));
    let closed = open.next_event().await;
    assert_eq!(closed.event(), Some("closed"));
    assert_eq!(closed.data(), serde_json::json!({ "reason": "deleted", "farewell": farewell }));
    assert_eq!(open.rest().await, []);
}
