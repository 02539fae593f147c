//! What the server prints: section 4, "Logs hold no token, no body, no address and no whole room id".

use buddy_tests::{Server, act, client_id, eventually, message, token_hash};
use serde_json::json;

#[tokio::test]
async fn logs_give_nobody_away() {
    let server = Server::setup()
        .variable("client_address_header", "x-real-address")
        .variable("posts_per_room_per_ten_s", 4)
        .variable("admin_token", "the-operators-word")
        .start()
        .await;
    let api = server.api();
    let made = api.post("/api/rooms").header("x-real-address", "203.0.113.99").json(&json!({
        "read_token_hash": token_hash("the-readers-word"), "post_token_hash": token_hash("the-posters-word"),
        "about": "the-name-of-the-room",
    }));
    let made = made.send().await.must_be(201).json();
    let id = made["room"].as_str().expect("an id").to_owned();
    let owner = made["owner_token"].as_str().expect("a token").to_owned();
    let room = server.open_room().await.with_id(&id);
    for number in 0..6 {
        let post = room.post(&message(&format!("the-body-of-post-{number}")));
        post.token("the-posters-word").author("the-authors-word").header("x-real-address", "203.0.113.99").send().await;
    }
    room.post(&act("react", 99, "the-body-of-post-x")).token("the-posters-word").send().await;
    room.post(&json!({ "client_id": client_id(), "body": 7, "x": "the-body-of-post-y" })).send().await;
    room.history("?after=x").token("the-readers-word").send().await;
    room.history("").token("a-wrong-word").send().await;
    api.get("/internal/router").token("the-operators-word").send().await.must_be(200);
    room.stream_with("?after=0", &[("authorization", "Bearer the-readers-word")]).await.hello().await;
    // Something that fails inside, whose cause is logged: what is looked for below is really the log.
    let before = server.log();
    server.database().execute("UPDATE slot SET state = 'gone'", []);
    let failing = room.post(&message("the-body-of-post-z")).token("the-posters-word");
    failing.send().await.must_fail(503, "unavailable");
    api.delete(&room.path()).token(&owner).send().await.must_fail(503, "unavailable");
    let log = eventually("both causes are logged", async || {
        let log = server.log();
        let causes = log.strip_prefix(&before).expect("a log only grows").lines();
        (causes.filter(|line| line.contains("unavailable: ")).count() >= 2).then_some(log)
    })
    .await;

    for secret in [
        "the-readers-word",
        "the-posters-word",
        "the-authors-word",
        "the-operators-word",
        "a-wrong-word",
        "the-body-of-post",
        "the-name-of-the-room",
        "203.0.113.99",
        &owner,
        &id,
        &id[..9],
        &token_hash("the-readers-word"),
        &token_hash("the-posters-word"),
        &token_hash(&owner),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn a_proxy_that_nobody_told_of_is_warned_about() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let warnings = |log: &str| log.matches("client_address_header").count();
    assert_eq!(warnings(&server.log()), 0, "no proxy, no warning");
    room.post(&message("x")).header("x-forwarded-for", "203.0.113.98").send().await.must_be(201);
    let log = eventually("the log says so", async || Some(server.log()).filter(|log| warnings(log) > 0)).await;
    assert!(!log.contains("203.0.113.98"), "{log}");

    let told = Server::setup().variable("client_address_header", "x-forwarded-for").start().await;
    let room = told.open_room().await;
    room.post(&message("x")).header("x-forwarded-for", "203.0.113.98").send().await.must_be(201);
    assert_eq!(warnings(&told.log()), 0);
}
