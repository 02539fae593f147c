//! Posts and signals in rooms with keys, and former tokens: docs/protocol.md, "API" and "Sending across a renewal".

use buddy_tests::{Answer, KeyedRoom, OWNER, Server, act, client_id, message};
use serde_json::{Value, json};

async fn unlimited() -> Server {
    Server::setup().without_rate_limits().start().await
}

fn in_epoch(mut body: Value, epoch: Value) -> Value {
    body["epoch"] = epoch;
    body
}

#[tokio::test]
async fn a_post_names_its_epoch_and_its_author() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let token = room.post_token(0);
    let post = |body: &Value| room.room.post(body).token(&token);
    post(&message("x")).author("ann").send().await.must_fail(400, "invalid_request");
    for wrong in [json!(null), json!("0"), json!(0.0), json!(-1), json!([0]), json!(9_007_199_254_740_992_u64)] {
        let body = in_epoch(message("x"), wrong);
        post(&body).author("ann").send().await.must_fail(400, "invalid_request");
    }
    post(&in_epoch(message("x"), json!(0))).send().await.must_fail(400, "invalid_request");
    for later in [1_u64, 9_007_199_254_740_991] {
        post(&in_epoch(message("x"), json!(later))).author("ann").send().await.must_fail(409, "stale_epoch");
    }
    let first = room.say_as("ann", 0, "hello").await;
    assert_eq!(first, 1, "what was refused took no number");
    let events = room.room.history("").token(&token).send().await.must_be(200).json();
    assert!(events["messages"][0].get("epoch").is_none(), "the envelope says it: {events}");
}

#[tokio::test]
async fn a_signal_names_its_epoch_and_its_author() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let signal = |epoch: Value| {
        let body = in_epoch(json!({ "kind": "here", "body": "x" }), epoch);
        room.room.signal(&body).token(&room.post_token(0))
    };
    signal(json!(null)).author("ann").send().await.must_fail(400, "invalid_request");
    signal(json!(0)).send().await.must_fail(400, "invalid_request");
    signal(json!(1)).author("ann").send().await.must_fail(409, "stale_epoch");
    signal(json!(0)).author("ann").send().await.must_be(204);
    room.renew_for(1, &[]).await;
    signal(json!(1)).author("ann").send().await.must_fail(403, "renewed");
}

#[tokio::test]
async fn only_the_owners_requests_append_what_changes_the_room() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    for kind in ["room", "change", "rotate", "Card", "anything"] {
        let post = json!({ "client_id": client_id(), "kind": kind, "body": "x", "epoch": 0 });
        room.room.post(&post).token(room.owner()).author(OWNER).send().await.must_fail(400, "invalid_request");
    }
    let first = room.say_as("ann", 0, "x").await;
    let card = in_epoch(act("card", first, "x"), json!(0));
    room.room.post(&card).token(&room.post_token(0)).author("ann").send().await.must_fail(400, "invalid_request");
}

#[tokio::test]
async fn a_reader_may_not_post_and_a_stranger_finds_nothing() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let post = in_epoch(message("x"), json!(0));
    room.room.post(&post).token(&room.read_token(0)).author("ann").send().await.must_fail(403, "not_allowed");
    // What a reader may not do is refused before its form in this room is looked at.
    room.room.post(&message("x")).token(&room.read_token(0)).send().await.must_fail(403, "not_allowed");
    for token in ["a stranger's", &room.link_token("first")] {
        room.room.post(&post).token(token).author("ann").send().await.must_fail(404, "room_not_found");
        room.room.get().token(token).send().await.must_fail(404, "room_not_found");
        room.keys(token, "ann", "").send().await.must_fail(404, "room_not_found");
        room.members(token, "").send().await.must_fail(404, "room_not_found");
    }
    room.room.post(&post).author("ann").send().await.must_fail(404, "room_not_found");
}

/// Everything that one can ask of a room, with one token.
async fn everything(room: &KeyedRoom, token: &str) -> Vec<(&'static str, Answer)> {
    let (api, path) = (room.room.api(), room.room.path());
    let bearer = format!("Bearer {token}");
    let post = in_epoch(message("x"), json!(1));
    let signal = json!({ "kind": "here", "body": "x", "epoch": 1 });
    let statement = room.statement(1, 0, "x", json!({}));
    let requests = [
        ("read", room.room.get()),
        ("history", room.room.history("")),
        ("post", room.room.post(&post)),
        ("signal", room.room.signal(&signal)),
        ("members", api.get(&format!("{path}/members"))),
        ("links", api.get(&format!("{path}/links"))),
        ("a link", api.post(&format!("{path}/links")).json(&in_epoch(room.link("another"), json!(1)))),
        ("a renewal", api.post(&format!("{path}/rotations")).json(&room.renewal(2, &["first"], &[]))),
        ("a change", api.patch(&path).json(&statement)),
        ("deletion", api.delete(&path)),
    ];
    let mut answers = Vec::new();
    for (name, request) in requests {
        answers.push((name, request.token(token).author("ann").send().await));
    }
    answers.push(("stream", room.room.refused_stream("", &[("authorization", &bearer)]).await));
    answers
}

#[tokio::test]
async fn an_old_token_opens_nothing_but_the_keys() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.renew_for(1, &[]).await;
    for token in [room.post_token(0), room.read_token(0)] {
        for (name, answer) in everything(&room, &token).await {
            assert_eq!(answer.status(), 403, "{name}: {answer}");
            answer.must_fail(403, "renewed");
        }
        room.keys(&token, "ann", "").send().await.must_be(200);
    }
    for token in ["a stranger's", &room.link_token("first")] {
        for (name, answer) in everything(&room, token).await {
            assert_eq!(answer.status(), 404, "{name}: {answer}");
            answer.must_fail(404, "room_not_found");
        }
    }
    // Another room's former token is a stranger's.
    let other = KeyedRoom::create(&server.api()).await;
    other.renew_for(1, &[]).await;
    room.room.get().token(&other.read_token(0)).send().await.must_fail(404, "room_not_found");
    room.room.get().token(&room.read_token(1)).send().await.must_be(200);
    room.say_as("ann", 1, "on we go").await;
}

#[tokio::test]
async fn an_old_token_is_refused_in_the_very_next_request_also_of_another_instance() {
    let server = unlimited().await;
    let sibling = server.sibling().await;
    let room = KeyedRoom::create(&server.api()).await;
    let elsewhere = room.room.at(&sibling.api());
    for epoch in 1..=5 {
        elsewhere.get().token(&room.read_token(epoch - 1)).send().await.must_be(200);
        room.renew_for(epoch, &[]).await;
        elsewhere.get().token(&room.read_token(epoch - 1)).send().await.must_fail(403, "renewed");
        let post = in_epoch(message("x"), json!(epoch - 1));
        let refused = elsewhere.post(&post).token(&room.post_token(epoch - 1)).author("ann").send().await;
        refused.must_fail(403, "renewed");
        elsewhere.get().token(&room.read_token(epoch)).send().await.must_be(200);
    }
}

#[tokio::test]
async fn a_repeat_is_answered_before_its_epoch_is_looked_at() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    let post = in_epoch(message("said before"), json!(0));
    let send = |token: String, post: Value| {
        let request = room.room.post(&post).token(&token).author("ann");
        async move { request.send().await }
    };
    let first = send(room.post_token(0), post.clone()).await.must_be(201).json();
    room.renew_for(1, &[]).await;
    send(room.post_token(0), post.clone()).await.must_fail(403, "renewed");
    assert_eq!(send(room.post_token(1), post.clone()).await.must_be(200).json(), first);
    let mut other = post.clone();
    other["body"] = json!("said otherwise");
    send(room.post_token(1), other).await.must_fail(409, "client_id_reused");
    send(room.post_token(1), in_epoch(message("new"), json!(0))).await.must_fail(409, "stale_epoch");
    send(room.owner().to_owned(), in_epoch(message("new"), json!(0))).await.must_fail(409, "stale_epoch");
}

#[tokio::test]
async fn a_stale_epoch_comes_before_the_lock_and_after_permission() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    room.change(&room.statement(0, 0, "v2.0.locked", json!({ "locked": true }))).send().await.must_be(200);
    let post = |epoch: u64| in_epoch(act("react", 99, "x"), json!(epoch));
    let by = |token: String, epoch: u64| room.room.post(&post(epoch)).token(&token).author("ann");
    by(room.read_token(0), 7).send().await.must_fail(403, "not_allowed");
    by(room.post_token(0), 7).send().await.must_fail(409, "stale_epoch");
    by(room.post_token(0), 0).send().await.must_fail(403, "room_locked");
    by(room.owner().to_owned(), 0).send().await.must_fail(400, "invalid_request");
}

#[tokio::test]
async fn whatever_races_a_renewal_is_before_it_or_refused() {
    let server = unlimited().await;
    let room = KeyedRoom::create(&server.api()).await;
    for epoch in 0..5 {
        let posts = (0..12).map(|number| {
            let post = in_epoch(message(&format!("{epoch} {number}")), json!(epoch));
            let request = room.room.post(&post).token(&room.post_token(epoch)).author(&format!("author {number}"));
            async move { request.send().await }
        });
        let (answers, rotated) = futures::join!(futures::future::join_all(posts), room.renew_for(epoch + 1, &[]));
        let rotated = rotated["seq"].as_u64().expect("a sequence");
        for answer in answers {
            match answer.status() {
                201 => assert!(answer.json()["seq"].as_u64() < Some(rotated), "{answer} after {rotated}"),
                _ => drop(answer.must_fail(403, "renewed")),
            }
        }
    }
    // The log agrees: an event's epoch is the one that the last rotation before it began.
    let log = room.room.history("?after=0&limit=200").token(room.owner()).send().await.must_be(200).json();
    let mut epoch = 0;
    for event in buddy_tests::messages(&log) {
        if event["kind"] == "rotate" {
            epoch += 1;
        } else {
            let body = event["body"].as_str().expect("a body");
            assert!(body.starts_with(&format!("{epoch} ")), "{body} in epoch {epoch}");
        }
    }
    assert_eq!(epoch, 5);
}
