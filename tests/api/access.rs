//! Who may do what, and that a room shows nothing of itself to those who may not: section 4, "Access".

use buddy_tests::{Answer, Api, Request, Room, Server, Stream, act, client_id, message, token_hash};
use serde_json::{Value, json};

/// The requests that the table of section 4 lists for a room.
const REQUESTS: [&str; 7] = ["read", "change", "delete", "post", "history", "stream", "signal"];

fn closed_room() -> Value {
    json!({
        "read_token_hash": token_hash("r"), "post_token_hash": token_hash("p"), "owner_token_hash": token_hash("o"),
    })
}

fn request(api: &Api, id: &str, name: &str) -> Request {
    let path = format!("/api/rooms/{id}");
    match name {
        "read" => api.get(&path),
        "change" => api.patch(&path).json(&json!({ "about": client_id() })),
        "delete" => api.delete(&path),
        "post" => api.post(&format!("{path}/messages")).json(&message("x")),
        "history" => api.get(&format!("{path}/messages")),
        "stream" => api.get(&format!("{path}/stream")),
        "signal" => api.post(&format!("{path}/signals")).json(&json!({ "kind": "here", "body": "x" })),
        other => panic!("no request {other}"),
    }
}

/// What a request is answered: status, and the code where it failed.
async fn outcome(room: &Room, api: &Api, name: &str, token: Option<&str>) -> (u16, Option<String>) {
    if name == "stream" {
        // An open stream has no end to wait for.
        let bearer = format!("Bearer {}", token.unwrap_or_default());
        let headers = [("authorization", bearer.as_str())];
        let headers = if token.is_some() { &headers[..] } else { &[] };
        let stream = room.stream_with("", headers).await;
        let code = (stream.status() != 200).then(|| {
            let error: Value = serde_json::from_slice(stream.body()).expect("an error is JSON");
            error["error"]["code"].as_str().expect("an error has a code").to_owned()
        });
        return (stream.status(), code);
    }
    let request = request(api, &room.id, name);
    let request = if let Some(token) = token { request.token(token) } else { request };
    let answer = request.send().await;
    let status = answer.status();
    let code = (status >= 400).then(|| {
        let code = answer.json()["error"]["code"].as_str().expect("an error has a code").to_owned();
        answer.must_fail(status, &code);
        code
    });
    (status, code)
}

/// Checks every request with one token against the statuses expected, in the order of [`REQUESTS`].
async fn expect(server: &Server, body: &Value, token: Option<&str>, expected: [u16; 7]) {
    for (name, status) in REQUESTS.into_iter().zip(expected) {
        let room = server.room(body.clone()).await;
        let code = match status {
            403 => Some("not_allowed".to_owned()),
            404 => Some("room_not_found".to_owned()),
            _ => None,
        };
        let found = outcome(&room, &server.api(), name, token).await;
        assert_eq!(found, (status, code), "{name} with {token:?} in a room made with {body}");
    }
}

async fn unlimited() -> Server {
    Server::setup().without_rate_limits().start().await
}

#[tokio::test]
async fn the_owner_may_all() {
    let server = unlimited().await;
    expect(&server, &closed_room(), Some("o"), [200, 200, 204, 201, 200, 200, 204]).await;
}

#[tokio::test]
async fn a_poster_may_also_read_but_not_change() {
    let server = unlimited().await;
    expect(&server, &closed_room(), Some("p"), [200, 403, 403, 201, 200, 200, 204]).await;
}

#[tokio::test]
async fn a_reader_may_only_read() {
    let server = unlimited().await;
    expect(&server, &closed_room(), Some("r"), [200, 403, 403, 403, 200, 200, 403]).await;
}

#[tokio::test]
async fn whoever_has_no_token_or_a_wrong_one_sees_no_room() {
    let server = unlimited().await;
    for token in [None, Some("wrong"), Some(""), Some(token_hash("r").as_str())] {
        expect(&server, &closed_room(), token, [404; 7]).await;
    }
}

#[tokio::test]
async fn an_open_room_is_open_and_a_token_that_matches_nothing_counts_as_none() {
    let server = unlimited().await;
    for token in [None, Some("wrong")] {
        expect(&server, &json!({}), token, [200, 403, 403, 201, 200, 200, 204]).await;
    }
}

#[tokio::test]
async fn a_room_with_a_post_hash_alone_is_readable_by_all() {
    let server = unlimited().await;
    let body = json!({ "post_token_hash": token_hash("p") });
    for token in [None, Some("wrong")] {
        expect(&server, &body, token, [200, 403, 403, 403, 200, 200, 403]).await;
    }
    expect(&server, &body, Some("p"), [200, 403, 403, 201, 200, 200, 204]).await;
}

#[tokio::test]
async fn only_bearer_tokens_count() {
    let server = Server::start().await;
    let room = server.room(closed_room()).await;
    for value in ["r", "Basic r", "Bearer", "Bearer ", "Token r", "Bearer r r", "Bearerr"] {
        let answer = room.get().header("authorization", value).send().await;
        assert_eq!(answer.status(), 404, "{value:?}: {answer}");
    }
    room.get().header("authorization", "bearer r").send().await.must_be(200);
    // A token in the query would end up in logs; it is no token.
    server.api().get(&format!("{}?token=r", room.path())).send().await.must_fail(404, "room_not_found");
}

#[tokio::test]
async fn the_path_names_the_room_and_no_header_does() {
    // Spin appends the headers it derives from the path to whatever the client sent under the same names.
    let server = Server::start().await;
    let (named, meant) = (server.open_room().await, server.open_room().await);
    for request in [named.get(), named.history(""), named.post(&message("x"))] {
        request.header("spin-path-match-room", &meant.id).send().await;
    }
    assert_eq!(named.state().await["last_seq"], 1);
    assert_eq!(meant.state().await["last_seq"], 0);
    let read = named.get().header("spin-path-match-room", &meant.id).send().await.must_be(200).json();
    assert_eq!(read["room"], named.id);
}

/// Everything of an answer that a stranger could tell two rooms apart by.
fn face(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str() != "date")
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    headers.sort();
    (answer.status(), headers, answer.body().to_vec())
}

#[tokio::test]
async fn a_missing_room_and_one_that_cannot_be_read_look_the_same() {
    let server = Server::start().await;
    let room = server.room(closed_room()).await;
    let missing = "5a".repeat(32);
    let api = server.api();
    for name in REQUESTS {
        for token in [None, Some("wrong")] {
            let with = |request: Request| if let Some(token) = token { request.token(token) } else { request };
            let there = with(request(&api, &room.id, name)).send().await;
            let nowhere = with(request(&api, &missing, name)).send().await;
            assert_eq!(face(&there), face(&nowhere), "{name}");
            there.must_fail(404, "room_not_found");
        }
    }
}

#[tokio::test]
async fn syntax_is_judged_before_access_so_that_it_shows_nothing_of_a_room() {
    let server = Server::start().await;
    let room = server.room(closed_room()).await;
    let missing = room.with_id("5a".repeat(32));
    for room in [&room, &missing] {
        room.post(&json!({ "client_id": "no uuid", "body": "x" })).send().await.must_fail(400, "invalid_request");
        room.post(&message(&"x".repeat(16_385))).send().await.must_fail(413, "too_large");
        room.patch(json!({ "surprise": 1 })).send().await.must_fail(400, "invalid_request");
        let path = format!("{}/messages", room.path());
        server.api().post(&path).body("{}").send().await.must_fail(415, "unsupported_media_type");
        server.api().request("PUT", &path).send().await.must_fail(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_post_shows_only_to_those_who_may_post() {
    let server = Server::start().await;
    let room = server.room(closed_room()).await;
    let post = message("x");
    room.post(&post).token("p").send().await.must_be(201);
    for (token, status, code) in [(None, 404, "room_not_found"), (Some("r"), 403, "not_allowed")] {
        let with = |request: Request| if let Some(token) = token { request.token(token) } else { request };
        with(room.post(&post)).send().await.must_fail(status, code);
        with(room.post(&json!({ "client_id": post["client_id"], "body": "other" })))
            .send()
            .await
            .must_fail(status, code);
        with(room.post(&act("react", 99, "x"))).send().await.must_fail(status, code);
    }
}

#[tokio::test]
async fn a_room_id_in_the_wrong_form_is_a_room_that_is_not_there() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let upper = room.id.to_uppercase();
    assert_ne!(upper, room.id, "64 digits without a letter are too unlikely");
    for id in
        [upper.as_str(), &room.id[..63], &format!("{}0", room.id), "x", "%00", "..%2f", &"g".repeat(64), "%F0%9F%92%AC"]
    {
        for name in REQUESTS {
            let answer = request(&server.api(), id, name).send().await;
            assert_eq!(answer.status(), 404, "{name} {id}: {answer}");
            answer.must_fail(404, "room_not_found");
        }
    }
    server.api().get("/api/rooms//messages").send().await.must_fail(404, "room_not_found");
}

#[tokio::test]
async fn a_locked_room_refuses_all_but_the_owner() {
    let server = unlimited().await;
    let room = server.room(closed_room()).await;
    let post = |body: &Value, token: &str, author: &str| room.post(body).token(token).author(author);
    post(&message("mine"), "p", "ann").send().await.must_be(201);
    let earlier = message("before the lock");
    let first = post(&earlier, "p", "ann").send().await.must_be(201).json();
    let lock = json!({ "locked": true });
    server.api().patch(&room.path()).json(&lock).token("o").send().await.must_be(200);

    for refused in [message("more"), act("react", 1, "+1"), act("edit", 1, "changed"), act("message", 1, "re")] {
        post(&refused, "p", "ann").send().await.must_fail(403, "room_locked");
    }
    let again = post(&earlier, "p", "ann").send().await.must_be(200).json();
    assert_eq!(again, first, "a repeat is answered in a locked room too");
    post(&act("delete", 1, "x"), "p", "ann").send().await.must_be(201);
    post(&message("the owner speaks"), "o", "own").send().await.must_be(201);
    post(&act("delete", 2, "x"), "o", "own").send().await.must_be(201);
    room.history("").token("r").send().await.must_be(200);
    room.post(&message("x")).token("r").send().await.must_fail(403, "not_allowed");

    let unlock = json!({ "locked": false });
    server.api().patch(&room.path()).json(&unlock).token("o").send().await.must_be(200);
    post(&message("again"), "p", "ann").send().await.must_be(201);
}

#[tokio::test]
async fn an_anonymous_post_in_a_locked_room_is_refused() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let target = room.say("nobody's").await;
    room.patch(json!({ "locked": true })).send().await.must_be(200);
    room.post(&message("x")).send().await.must_fail(403, "room_locked");
    let answer = room.post(&act("delete", target, "x")).send().await;
    assert_eq!(answer.status(), 403, "{answer}");
}

#[tokio::test]
async fn refused_posts_leave_no_trace() {
    let server = Server::start().await;
    let room = server.room(closed_room()).await;
    for token in ["r", "wrong"] {
        room.post(&message("unwelcome words")).token(token).send().await;
    }
    let state = room.get().token("o").send().await.must_be(200).json();
    assert_eq!(state["last_seq"], 0);
    assert!(!server.database().contains("unwelcome words"));
}

#[tokio::test]
async fn tokens_are_kept_as_hashes_only() {
    let server = Server::start().await;
    let room = server.open_room().await;
    room.patch(json!({ "locked": true })).send().await.must_be(200);
    assert!(!server.database().contains(room.owner()));
}

#[tokio::test]
async fn a_stream_is_refused_as_history_is() {
    let server = Server::start().await;
    let room = server.room(closed_room()).await;
    let path = format!("{}/stream", room.path());
    let refused = Stream::open(server.address(), &path, &[]).await;
    assert_eq!(refused.status(), 404);
    let history = room.history("").send().await.must_fail(404, "room_not_found");
    assert_eq!(refused.body(), history.body());
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
}
