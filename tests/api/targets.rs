//! Answers, edits, reactions and deletions, and who may make them: section 3, and "Authors" in section 4.

use buddy_tests::{Server, act, client_id, messages, sequences};
use serde_json::{Value, json};

#[tokio::test]
async fn a_message_answers_edits_and_reactions_name_their_target() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("ann", "original").await;
    room.act_as("ben", "message", target, "an answer").await;
    room.act_as("ann", "edit", target, "better").await;
    room.act_as("ben", "react", target, "+1").await;
    let history = room.page("").await;
    assert_eq!(sequences(&history), [1, 2, 3, 4]);
    for (event, kind) in messages(&history).iter().zip(["message", "message", "edit", "react"]) {
        assert_eq!(event["kind"], kind);
        assert_eq!(event["target"], if event["seq"] == 1 { Value::Null } else { json!(target) });
    }
    assert_eq!(messages(&history)[0]["body"], "original", "an edit is an event of its own");
}

#[tokio::test]
async fn only_messages_that_are_kept_can_be_targets() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "x").await;
    let edit = room.act_as("me", "edit", target, "y").await;
    let reaction = room.act_as("me", "react", target, "+1").await;
    let change = room.patch(json!({ "about": "v1.x" })).send().await.must_be(200).json()["last_seq"].clone();
    let nothing = change.as_u64().expect("a sequence") + 1;
    for kind in ["message", "edit", "delete", "react"] {
        for target in [json!(edit), json!(reaction), change.clone(), json!(nothing), json!(0), json!(1_000_000)] {
            let post = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "x" });
            let answer = room.post(&post).author("me").send().await;
            assert_eq!(answer.status(), 400, "{post}: {answer}");
            answer.must_fail(400, "invalid_request");
        }
        for target in [json!(-1), json!("1"), json!(1.5), json!(true), json!([1])] {
            let post = json!({ "client_id": client_id(), "kind": kind, "target": target, "body": "x" });
            room.post(&post).author("me").send().await.must_fail(400, "invalid_request");
        }
    }
    for kind in ["edit", "delete", "react"] {
        let post = json!({ "client_id": client_id(), "kind": kind, "body": "x" });
        room.post(&post).author("me").send().await.must_fail(400, "invalid_request");
    }
    assert_eq!(room.state().await["last_seq"], change);
}

#[tokio::test]
async fn a_target_in_another_room_is_no_target() {
    let server = Server::start().await;
    let (full, empty) = (server.open_room().await, server.open_room().await);
    full.say_many(1..=3).await;
    empty.post(&act("react", 2, "+1")).send().await.must_fail(400, "invalid_request");
    assert_eq!(full.state().await["last_seq"], 3);
}

#[tokio::test]
async fn only_the_author_edits_a_message() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("ann", "mine").await;
    room.post(&act("edit", target, "stolen")).author("ben").send().await.must_fail(403, "not_allowed");
    room.post(&act("edit", target, "stolen")).send().await.must_fail(403, "not_allowed");
    let owner = room.post(&act("edit", target, "overruled")).token(room.owner()).author("own");
    owner.send().await.must_fail(403, "not_allowed");
    assert_eq!(room.act_as("ann", "edit", target, "still mine").await, 2);
}

#[tokio::test]
async fn the_author_or_the_owner_deletes_a_message_and_nobody_else() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let (first, second) = (room.say_as("ann", "one").await, room.say_as("ann", "two").await);
    room.post(&act("delete", first, "x")).author("ben").send().await.must_fail(403, "not_allowed");
    room.post(&act("delete", first, "x")).send().await.must_fail(403, "not_allowed");
    room.act_as("ann", "delete", first, "x").await;
    room.post(&act("delete", second, "x")).token(room.owner()).send().await.must_be(201);
    let history = room.page("").await;
    assert_eq!(messages(&history)[0]["body"], "");
    assert_eq!(messages(&history)[1]["body"], "");
}

#[tokio::test]
async fn an_anonymous_post_belongs_to_nobody() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say("who was that").await;
    assert!(messages(&room.page("").await)[0]["author"].is_null());
    for author in [None, Some("ann")] {
        for kind in ["edit", "delete"] {
            let post = room.post(&act(kind, target, "x"));
            let post = if let Some(author) = author { post.author(author) } else { post };
            post.send().await.must_fail(403, "not_allowed");
        }
    }
    room.post(&act("delete", target, "x")).token(room.owner()).send().await.must_be(201);
}

#[tokio::test]
async fn a_deletion_blanks_the_message_and_its_edits_in_the_table_too() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let kept = room.say_as("ann", "kept for good").await;
    let target = room.say_as("ann", "first wording").await;
    room.act_as("ann", "edit", target, "second wording").await;
    room.act_as("ann", "edit", kept, "kept wording").await;
    room.act_as("ann", "edit", target, "third wording").await;
    room.act_as("ben", "message", target, "an answer to it").await;
    assert_eq!(server.database().count("wording"), 4);
    room.act_as("ann", "delete", target, "gone").await;

    let database = server.database();
    for text in ["first wording", "second wording", "third wording"] {
        assert!(!database.contains(text), "{text} is still stored");
    }
    assert!(database.contains("kept wording") && database.contains("kept for good"));
    let history = room.page("").await;
    let bodies: Vec<_> = messages(&history).iter().map(|event| event["body"].as_str().expect("text")).collect();
    assert_eq!(bodies, ["kept for good", "", "", "kept wording", "", "an answer to it", "gone"]);
    assert_eq!(sequences(&history), [1, 2, 3, 4, 5, 6, 7], "the log stays dense");
    let mut stream = room.stream_after(0).await;
    assert_eq!(&stream.events_until(7).await, messages(&history), "a replay shows nothing more");
}

#[tokio::test]
async fn an_erased_message_is_no_target() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "x").await;
    room.act_as("me", "delete", target, "x").await;
    for kind in ["message", "edit", "delete", "react"] {
        room.post(&act(kind, target, "y")).author("me").send().await.must_fail(400, "invalid_request");
    }
    room.post(&act("delete", target, "y")).token(room.owner()).send().await.must_fail(400, "invalid_request");
    assert_eq!(room.state().await["last_seq"], 2);
}
