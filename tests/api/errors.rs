//! Requests that are refused whatever room they mean: section 4, "Errors" and "Details that clients rely on".

use buddy_tests::{Request, Server, act, client_id, message};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends raw bytes, then reads until the server closes or `enough` bytes of an answer are there.
async fn raw_exchange(address: &str, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.expect("the server accepts");
    // The server may have answered and closed before it took everything.
    let _ = socket.write_all(request).await;
    let mut answer = Vec::new();
    let complete = async {
        while !answer_is_complete(&answer) {
            if socket.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                break;
            }
        }
    };
    timeout(buddy_tests::DEADLINE, complete).await.expect("the server answers without waiting for the rest");
    String::from_utf8_lossy(&answer).into_owned()
}

fn answer_is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .to_ascii_lowercase()
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next().and_then(|length| length.trim().parse::<usize>().ok()));
    length.is_some_and(|length| body.len() >= length)
}

fn json_body(request: Request, body: impl Into<reqwest::Body>) -> Request {
    request.header("content-type", "application/json").body(body)
}

#[tokio::test]
async fn what_is_not_the_json_asked_for_is_refused() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let id = client_id();
    let bodies = [
        "",
        "{",
        "not json",
        "null",
        "[]",
        "\"text\"",
        "7",
        "{}",
        "{\"client_id\":}",
        "{'client_id':'x'}",
        &format!(r#"{{"client_id":"{id}","body":"x"}} trailing"#),
        &format!(r#"{{"client_id":"{id}","body":"x",}}"#),
        &format!(r#"{{"client_id":"{id}","body":7}}"#),
        &format!(r#"{{"client_id":"{id}","body":null}}"#),
        &format!(r#"{{"client_id":"{id}","body":["x"]}}"#),
        &format!(r#"{{"client_id":"{id}","body":"x","surprise":1}}"#),
        &format!(r#"{{"client_id":"{id}","body":"x","author":"me"}}"#),
        &format!(r#"{{"client_id":"{id}","body":"x","Body":"x"}}"#),
        &format!(r#"{{"client_id":"{id}","body":"x","body":"y"}}"#),
        &format!(r#"{{"client_id":"{id}","client_id":"{id}","body":"y"}}"#),
        &format!(r#"{{"client_id":"{id}","body":"nul \u0000 within"}}"#),
        &format!(r#"{{"client_id":"{id}","body":"lone \ud800 surrogate"}}"#),
        &format!("{{\"client_id\":\"{id}\",\"body\":\"raw \u{0} nul\"}}"),
        &format!("{{\"client_id\":\"{id}\",\"body\":\"raw \n line\"}}"),
        &format!(r#"["{id}","message",null,"x"]"#),
        &"[".repeat(4000),
    ];
    let path = format!("{}/messages", room.path());
    for body in bodies {
        let answer = json_body(server.api().post(&path), body.to_owned()).send().await;
        assert_eq!(answer.status(), 400, "{body:?} was accepted: {answer}");
        answer.must_fail(400, "invalid_request");
    }
    assert_eq!(room.state().await["last_seq"], 0);
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_refused() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let path = format!("{}/messages", room.path());
    for bytes in [&b"\xff\xfe"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"] {
        let mut body = format!(r#"{{"client_id":"{}","body":""#, client_id()).into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\"}");
        json_body(server.api().post(&path), body).send().await.must_fail(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_room_is_made_and_changed_only_with_known_members() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for body in [
        "{",
        "[]",
        "7",
        "\"x\"",
        r#"{"surprise":true}"#,
        r#"{"about":7}"#,
        r#"{"about":"a","about":"b"}"#,
        r#"{"message_ttl_s":"60"}"#,
        r#"{"expires_in_s":{}}"#,
        r#"{"expires_in_s":1e99}"#,
    ] {
        json_body(server.api().post("/api/rooms"), body).send().await.must_fail(400, "invalid_request");
        let change = json_body(server.api().patch(&room.path()), body).token(room.owner());
        change.send().await.must_fail(400, "invalid_request");
    }
    for body in [json!({ "locked": "yes" }), json!({ "locked": 1 }), json!({ "owner_token_hash": "0".repeat(64) })] {
        room.patch(body).send().await.must_fail(400, "invalid_request");
    }
    server.api().post("/api/rooms").json(&json!({ "locked": true })).send().await.must_fail(400, "invalid_request");
    assert_eq!(room.state().await["last_seq"], 0);
}

#[tokio::test]
async fn json_must_be_called_json() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let messages = format!("{}/messages", room.path());
    let body = || message("x").to_string();
    for right in
        ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"]
    {
        server.api().post(&messages).header("content-type", right).body(body()).send().await.must_be(201);
    }
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", "text/json", ""] {
        let post = server.api().post(&messages).header("content-type", wrong).body(body());
        post.send().await.must_fail(415, "unsupported_media_type");
        let make = server.api().post("/api/rooms").header("content-type", wrong).body("{}");
        make.send().await.must_fail(415, "unsupported_media_type");
        let change = server.api().patch(&room.path()).header("content-type", wrong).body("{}").token(room.owner());
        change.send().await.must_fail(415, "unsupported_media_type");
    }
    server.api().post(&messages).body(body()).send().await.must_fail(415, "unsupported_media_type");
    server.api().post("/api/rooms").body("{}").send().await.must_fail(415, "unsupported_media_type");
    server
        .api()
        .patch(&room.path())
        .body("{}")
        .token(room.owner())
        .send()
        .await
        .must_fail(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_raw_body_over_the_limit_is_refused_without_reading_it_to_the_end() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let limit = 6 * 16_384 + 4096;
    for path in [format!("{}/messages", room.path()), "/api/rooms".to_owned()] {
        // Announced too long, and never sent in full: an answer shows that nobody waits for the rest.
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{{\"body\":\"",
            server.address(),
            limit + 1,
        );
        let answer = raw_exchange(server.address(), head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("\"too_large\""), "{answer}");
    }
}

#[tokio::test]
async fn a_body_of_unannounced_length_is_refused_once_it_is_too_long() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let mut request = format!(
        "POST {}/messages HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        room.path(),
        server.address(),
    );
    // No last chunk: the client would go on for ever.
    let chunk = " ".repeat(4096);
    for _ in 0..27 {
        request.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    let answer = raw_exchange(server.address(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("\"too_large\""), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up_after_ten_seconds() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let started = std::time::Instant::now();
    let request = format!(
        "POST {}/messages HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"body\"",
        room.path(),
        server.address(),
    );
    let answer = raw_exchange(server.address(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("\"invalid_request\""), "{answer}");
    let waited = started.elapsed().as_millis();
    assert!((9_900..14_000).contains(&waited), "{waited} ms");
}

#[tokio::test]
async fn a_raw_body_of_exactly_the_limit_is_read() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let path = format!("{}/messages", room.path());
    let post = message("x").to_string();
    let padded = |length: usize| format!("{post}{}", " ".repeat(length - post.len()));
    let limit = 6 * 16_384 + 4096;
    json_body(server.api().post(&path), padded(limit + 1)).send().await.must_fail(413, "too_large");
    json_body(server.api().post(&path), padded(limit)).send().await.must_be(201);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let paths: [(&str, &[&str]); 6] = [
        ("/api/rooms", &["POST"]),
        (&room.path(), &["GET", "PATCH", "DELETE"]),
        (&format!("{}/messages", room.path()), &["GET", "POST"]),
        (&format!("{}/stream", room.path()), &["GET"]),
        (&format!("{}/signals", room.path()), &["POST"]),
        ("/api/health", &["GET"]),
    ];
    for (path, allowed) in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"] {
            if allowed.contains(&method) {
                continue;
            }
            let answer = server.api().request(method, path).token(room.owner()).send().await;
            assert_eq!(answer.status(), 405, "{method} {path}: {answer}");
            let answer = answer.must_fail(405, "method_not_allowed");
            let told: Vec<_> = answer.header("allow").expect("checked").split(',').map(str::trim).collect();
            for method in allowed {
                assert!(told.contains(method), "{path} allows {method}: {answer}");
            }
            let right = |told: &&str| allowed.contains(told) || matches!(*told, "OPTIONS" | "HEAD");
            assert!(told.iter().all(right), "{path} allows no more than {allowed:?}: {answer}");
        }
    }
    assert_eq!(room.state().await["last_seq"], 0);
}

#[tokio::test]
async fn unknown_paths_under_api_say_so_in_json() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let below = ["nothing", "messages/1", "stream/1", "signals/here", "messages/1/2"];
    let mut paths: Vec<_> = below.iter().map(|end| format!("{}/{end}", room.path())).collect();
    paths.extend(["/api/nothing", "/api/room", "/api/rooms.json", "/api/health/x"].map(str::to_owned));
    for path in paths {
        for method in ["GET", "POST", "DELETE"] {
            let answer = server.api().request(method, &path).send().await;
            assert_eq!(answer.status(), 404, "{method} {path}: {answer}");
            answer.must_fail(404, "not_found");
        }
    }
}

#[tokio::test]
async fn browsers_of_any_origin_may_ask() {
    let server = Server::start().await;
    let room = server.open_room().await;
    for path in [
        "/api/rooms".to_owned(),
        room.path(),
        format!("{}/messages", room.path()),
        format!("{}/stream", room.path()),
        format!("{}/signals", room.path()),
        "/api/health".to_owned(),
    ] {
        let preflight = server
            .api()
            .request("OPTIONS", &path)
            .header("origin", "https://elsewhere.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .send()
            .await;
        assert!(matches!(preflight.status(), 200 | 204), "{preflight}");
        assert!(preflight.body().is_empty(), "{preflight}");
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
        assert!(preflight.header("access-control-allow-credentials").is_none(), "there are no cookies");
        let headers = preflight.header("access-control-allow-headers").unwrap_or_default().to_ascii_lowercase();
        let headers: Vec<_> = headers.split(',').map(str::trim).collect();
        for header in ["authorization", "content-type", "buddy-author", "last-event-id"] {
            assert!(headers.contains(&header), "{header}: {preflight}");
        }
        let methods = preflight.header("access-control-allow-methods").unwrap_or_default();
        assert!(!methods.is_empty(), "{preflight}");
        if path == room.path() {
            for method in ["PATCH", "DELETE"] {
                assert!(methods.contains(method), "a method that needs leave: {preflight}");
            }
        }
    }
}

#[tokio::test]
async fn every_answer_may_be_read_by_any_origin() {
    let server = Server::setup().variable("posts_per_author_per_ten_s", 1).start().await;
    let room = server.open_room().await;
    let limited = {
        room.say("one").await;
        room.post(&message("two")).send().await.must_fail(429, "rate_limited")
    };
    let exposed = limited.header("access-control-expose-headers").unwrap_or_default().to_ascii_lowercase();
    assert!(exposed.contains("retry-after"), "{limited}");
    for answer in [
        room.get().send().await.must_be(200),
        room.history("").send().await.must_be(200),
        server.api().get("/api/health").send().await.must_be(200),
        server.api().post("/api/rooms").send().await.must_be(201),
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer}");
    }
}

#[tokio::test]
async fn an_error_says_nothing_of_the_inside() {
    let server = Server::start().await;
    let room = server.open_room().await;
    let answers = [
        room.post(&act("react", 9, "x")).send().await,
        room.history("?after=x").send().await,
        json_body(server.api().post("/api/rooms"), "{").send().await,
        room.with_id("5a".repeat(32)).get().send().await,
    ];
    for answer in answers {
        let text = answer.text().to_ascii_lowercase();
        for inside in ["sqlite", "select ", "insert ", "panicked", "src/", "wasm", "serde", "stack", "thread"] {
            assert!(!text.contains(inside), "{inside}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_small_answer_leaves_in_one_write() {
    // Spin leaves Nagle's algorithm on: a second write waits for the client's delayed acknowledgement, which
    // Linux sends after 40 ms. One write takes well under a millisecond.
    let server = Server::setup().without_rate_limits().start().await;
    let room = server.open_room().await;
    for what in ["read", "history", "post", "health"] {
        let mut times = Vec::new();
        for number in 0..50 {
            let request = match what {
                "read" => room.get(),
                "history" => room.history(""),
                "post" => room.post(&message("x")),
                _ => server.api().get("/api/health"),
            };
            let start = std::time::Instant::now();
            let answer = request.send().await;
            let elapsed = start.elapsed();
            assert!(answer.header("content-length").is_some(), "the length is known: {answer}");
            // A young connection acknowledges at once, whatever the server does.
            if number >= 20 {
                times.push(elapsed);
            }
        }
        // The quicker third: on a busy machine others may be late for other reasons.
        times.sort();
        let time = times[times.len() / 3];
        assert!(time.as_millis() < 35, "{what} takes {time:?}, as if it waited for a delayed acknowledgement");
    }
}
