//! Whether a server gives out the page of this checkout, as `cargo xtask verify` tells.

use std::process::Command;
use std::time::Duration;

use buddy_page::Page;
use buddy_tests::{Liar, Server, project_root};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn page() -> Page {
    Page::read(&project_root().join("static")).expect("static/ can be read")
}

/// What differs at a server, a line each.
async fn differences(server: &str) -> Vec<String> {
    let found = buddy_verify::compare(&format!("http://{server}"), &page()).await.expect("the server answers");
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_server_with_this_page_gives_out_no_other_through_a_proxy_too() {
    let server = Server::start().await;
    assert_eq!(differences(server.address()).await, Vec::<String>::new());
    let proxy = Liar::before(server.address()).await;
    assert_eq!(differences(&proxy.address()).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_change_of_the_page_is_named() {
    let server = Server::start().await;
    let liar = Liar::before(server.address()).await;
    let only = async |what: &str, address: &str, expected: &str| {
        let found = differences(&liar.address()).await;
        assert!(!found.is_empty(), "{what}: nothing was found");
        for line in &found {
            assert!(line.starts_with(&format!("{address} (")) && line.contains(expected), "{what}: {line}");
        }
        liar.serves_the_page();
    };

    liar.serves(|path, answer| {
        if path == "/room/log.js" {
            let last = answer.body().len() - 1;
            answer.body_mut()[last] ^= 1;
        }
    });
    only("one byte", "/room/log.js", "its content is ").await;

    liar.serves(|path, answer| {
        if path == "/icon.svg" {
            *answer.status_mut() = 404.try_into().expect("a status");
        }
    });
    only("a missing file", "/icon.svg", "it answers 404, not 200").await;

    liar.serves(|path, answer| {
        if path == "/sw.js" {
            answer.headers_mut().insert("service-worker-allowed", "/api/".parse().expect("a value"));
        }
    });
    only("another scope", "/sw.js", "a header service-worker-allowed").await;

    liar.serves(|path, answer| {
        if path == "/" {
            let policy = "default-src 'self' 'unsafe-inline'".parse().expect("a value");
            answer.headers_mut().insert("content-security-policy", policy);
        }
    });
    only("another policy", "/", "its header content-security-policy is “default-src 'self' 'unsafe-inline'”").await;

    liar.serves(|path, answer| {
        if path == "/" {
            answer.headers_mut().remove("referrer-policy");
        }
    });
    only("a header less", "/", "its header referrer-policy is missing").await;

    liar.serves(|path, answer| {
        if path == "/app.js" {
            *answer.status_mut() = 302.try_into().expect("a status");
            answer.headers_mut().insert("location", "/app2.js".parse().expect("a value"));
        }
    });
    only("a redirect", "/app.js", "it answers 302, not 200 and leads to /app2.js").await;

    liar.serves(|path, answer| {
        if path.starts_with("/r/") {
            answer.body_mut().extend_from_slice(b"<script src=/x.js></script>");
        }
    });
    only("more in a room than at the start", &format!("/r/{}", "0".repeat(64)), "longer than").await;

    liar.serves(|path, answer| {
        if path == "/nothing-is-here" {
            answer.headers_mut().insert("content-encoding", "zstd".parse().expect("a value"));
        }
    });
    only("an encoding nobody asked for", "/nothing-is-here", "it is encoded as zstd").await;
}

/// Runs what `cargo xtask verify` runs.
fn verified(url: &str) -> (Option<i32>, String) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--package", "buddy-verify", "--", url]).current_dir(project_root());
    let output = cargo.output().expect("cargo runs");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_ends_with_what_it_found() {
    let server = Server::start().await;
    let (code, said) = verified(&format!("http://{}", server.address()));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&buddy_page::spoken(&page().name())), "{said}");

    let liar = Liar::before(server.address()).await;
    liar.serves(|path, answer| {
        if path == "/app.js" {
            answer.body_mut().push(b' ');
        }
    });
    let (code, said) = verified(&format!("http://{}", liar.address()));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("differs: /app.js (br): "), "{said}");

    for url in ["http://127.0.0.1:1", "ftp://example.org", "http://127.0.0.1:1/r/0", "no address"] {
        let (code, said) = verified(url);
        assert_eq!(code, Some(2), "{url}: {said}");
        assert!(said.contains("error: "), "{url}: {said}");
    }
}

#[tokio::test]
async fn an_answer_without_end_ends_the_comparison() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    let serving = tokio::spawn(async move {
        let mut clients = tokio::task::JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            clients.spawn(async move {
                let mut asked = [0; 4_096];
                let _ = client.read(&mut asked).await;
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                let mut open = client.write_all(head).await.is_ok();
                while open {
                    open = client.write_all(&[b"1000\r\n", &[b'x'; 4_096][..], b"\r\n"].concat()).await.is_ok();
                }
            });
        }
    });
    let address = address.to_string();
    let found = tokio::time::timeout(Duration::from_secs(60), differences(&address)).await.expect("it ends");
    assert!(found.iter().any(|line| line.contains("its content cannot be read: it is longer than")), "{found:?}");
    serving.abort();
}
