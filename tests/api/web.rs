//! What a browser gets before any script runs: the page's addresses, its headers, and what is not there.

use buddy_tests::{Answer, Server};

fn must_be_strict(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("no policy: {answer}"));
    assert!(policy.contains("default-src 'none'"), "{answer}");
    assert!(!policy.contains("unsafe-"), "{answer}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer}");
    assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{answer}");
    assert_eq!(answer.header("cross-origin-embedder-policy"), Some("require-corp"), "{answer}");
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{answer}");
    assert_eq!(answer.header("origin-agent-cluster"), Some("?1"), "{answer}");
    let permissions = answer.header("permissions-policy").unwrap_or_default();
    for held in ["camera=()", "microphone=(self)", "geolocation=()"] {
        assert!(permissions.contains(held), "{answer}");
    }
    assert!(answer.header("etag").is_some() || answer.status() != 200, "{answer}");
}

#[tokio::test]
async fn the_start_page_and_every_room_are_one_shell() {
    let server = Server::start().await;
    let start = server.api().get("/").send().await.must_be(200);
    start.must_have_type("text/html");
    must_be_strict(&start);
    let room = server.open_room().await;
    for path in [format!("/r/{}", room.id), format!("/r/{}", "5a".repeat(32))] {
        let shell = server.api().get(&path).send().await.must_be(200);
        assert_eq!(shell.body(), start.body());
        must_be_strict(&shell);
    }
}

#[tokio::test]
async fn a_missing_asset_is_really_missing() {
    let server = Server::start().await;
    for path in ["/nothing.js", "/nothing", "/static/nothing.css", "/app.js.map", "/..%2fspin.toml"] {
        let answer = server.api().get(path).send().await.must_be(404);
        must_be_strict(&answer);
    }
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let server = Server::start().await;
    let first = server.api().get("/").send().await.must_be(200);
    let tag = first.header("etag").expect("an etag").to_owned();
    let again = server.api().get("/").header("if-none-match", &tag).send().await.must_be(304);
    assert!(again.body().is_empty());
    server.api().get("/").header("if-none-match", "\"another\"").send().await.must_be(200);
}

#[tokio::test]
async fn everything_the_shell_names_is_there_with_its_type() {
    let server = Server::start().await;
    let shell = server.api().get("/").send().await.must_be(200);
    let text = shell.text();
    let mut found = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in text.split(attribute).skip(1) {
            let path = rest.split('"').next().expect("a closing quote");
            if !path.starts_with('/') || path == "/" {
                assert!(!path.contains("//"), "no third-party origin: {path}");
                continue;
            }
            let asset = server.api().get(path).send().await.must_be(200);
            let expected = match path.rsplit('.').next() {
                Some("js") => "text/javascript",
                Some("css") => "text/css",
                Some("svg") => "image/svg+xml",
                Some("png") => "image/png",
                Some("webmanifest") => "application/manifest+json",
                _ => panic!("{path} has no known type"),
            };
            asset.must_have_type(expected);
            must_be_strict(&asset);
            found += 1;
        }
    }
    assert!(found >= 2, "at least a script and a style sheet");
}

#[tokio::test]
async fn the_page_is_only_read() {
    let server = Server::start().await;
    let answer = server.api().post("/").send().await.must_be(405);
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")), "{answer}");
}

#[tokio::test]
async fn browsers_are_kept_to_tls_only_where_the_operator_says_so() {
    let server = Server::setup().variable("hsts_max_age_s", 0).start().await;
    assert_eq!(server.api().get("/").send().await.must_be(200).header("strict-transport-security"), None);
    let server = Server::setup().variable("hsts_max_age_s", 31_536_000).start().await;
    for path in ["/", "/app.js", "/nothing"] {
        let answer = server.api().get(path).send().await;
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{answer}");
    }
}
