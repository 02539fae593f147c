//! A post sent again: what section 3 says of the `client_id`.

use buddy_tests::{Server, act, client_id, message, messages};
use serde_json::{Value, json};

#[tokio::test]
async fn the_same_post_again_gets_the_first_answer() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say_as("me", "zero").await;
    for post in [
        message("one"),
        act("message", target, "two"),
        act("edit", target, "three"),
        act("react", target, "four"),
        json!({ "client_id": client_id(), "kind": "delete", "target": target }),
    ] {
        let first = room.post(&post).author("me").send().await.must_be(201).json();
        room.say("something between").await;
        let again = room.post(&post).author("me").send().await.must_be(200).json();
        assert_eq!(again, first, "{post}");
    }
    assert_eq!(room.state().await["last_seq"], 11, "repeats add nothing");
}

#[tokio::test]
async fn a_client_id_with_other_content_is_refused() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let (target, other) = (room.say_as("me", "a").await, room.say_as("me", "b").await);
    let post = act("edit", target, "text");
    room.post(&post).author("me").send().await.must_be(201);
    let with = |name: &str, value: Value| {
        let mut post = post.clone();
        post[name] = value;
        post
    };
    for changed in [with("body", json!("other text")), with("kind", json!("react")), with("target", json!(other))] {
        room.post(&changed).author("me").send().await.must_fail(409, "client_id_reused");
    }
    let mine = message("anyone's");
    room.post(&mine).author("me").send().await.must_be(201);
    room.post(&mine).author("you").send().await.must_fail(409, "client_id_reused");
    room.post(&mine).send().await.must_fail(409, "client_id_reused");
    assert_eq!(room.state().await["last_seq"], 4);
}

#[tokio::test]
async fn a_blanked_body_is_not_compared() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let post = message("to be erased");
    let first = room.post(&post).author("me").send().await.must_be(201).json();
    room.act_as("me", "delete", 1, "x").await;
    assert_eq!(room.post(&post).author("me").send().await.must_be(200).json(), first);
    let other = json!({ "client_id": post["client_id"], "body": "something else" });
    assert_eq!(room.post(&other).author("me").send().await.must_be(200).json(), first);
    room.post(&other).author("you").send().await.must_fail(409, "client_id_reused");
    let history = room.page("").await;
    assert_eq!(messages(&history)[0]["body"], "", "a repeat brings nothing back");
}

#[tokio::test]
async fn a_client_id_is_a_canonical_lowercase_uuid() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let id = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    for wrong in [
        json!(id.to_uppercase()),
        json!(id.replace('-', "")),
        json!(format!("{{{id}}}")),
        json!(format!("urn:uuid:{id}")),
        json!(format!(" {id}")),
        json!(&id[..35]),
        json!(format!("{id}0")),
        json!(""),
        json!(null),
        json!(7),
        json!("6f9619ff-8b86-d011-b42d-00c04fc964fg"),
        json!("6f9619ff8-b86-d011-b42d-00c04fc964ff"),
    ] {
        let answer = room.post(&json!({ "client_id": wrong, "body": "x" })).send().await;
        assert_eq!(answer.status(), 400, "{wrong} was accepted: {answer}");
        answer.must_fail(400, "invalid_request");
    }
    room.post(&json!({ "body": "x" })).send().await.must_fail(400, "invalid_request");
    room.post(&json!({ "client_id": id, "body": "x" })).send().await.must_be(201);
}
