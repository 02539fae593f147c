//! Buddy as the README deploys it: behind exactly `deploy/nginx.conf`, of which only names of files and ports are
//! exchanged. Clients are curl, which speaks TLS and HTTP/2 and can have several addresses on one machine.

use std::fs;
use std::process::Stdio;

use buddy_tests::{DEADLINE, Server, client_id, eventually, project_root};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::nginx::{Nginx, free_port};

/// The name in the configuration.
const NAME: &str = "buddy.example";

/// A server behind the configuration.
struct Site {
    nginx: Nginx,
    /// Where it speaks TLS.
    port: u16,
}

/// Somebody with an address, for whom the site is far away.
struct Client<'a> {
    site: &'a Site,
    from: &'static str,
}

/// What curl got.
#[derive(Debug)]
struct Got {
    status: u16,
    version: String,
    body: String,
}

impl Site {
    async fn before(server: &Server) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        make_certificate(&folder);
        let (plain, port) = (free_port().await, free_port().await);
        let path = folder.path().display();
        let mut config = fs::read_to_string(project_root().join("deploy/nginx.conf")).expect("it can be read");
        let mut exchange = |from: &str, to: &str| {
            assert_eq!(config.matches(from).count(), 1, "deploy/nginx.conf says {from:?} once");
            config = config.replace(from, to);
        };
        exchange("pid /run/nginx.pid;", &format!("daemon off; pid {path}/nginx.pid;"));
        exchange("/var/log/nginx/buddy.log", &format!("{path}/error.log"));
        // Debian's nginx has its temporary files where only root may write.
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = temporary.map(|name| format!("{name}_temp_path {path}/{name};\n")).concat();
        exchange("    server_tokens off;", &format!("{temporary}    server_tokens off;"));
        exchange("server 127.0.0.1:3000;", &format!("server {};", server.address()));
        exchange("listen 80;", &format!("listen 127.0.0.1:{plain};"));
        exchange("listen 443 ssl http2;", &format!("listen 127.0.0.1:{port} ssl http2;"));
        // A machine without IPv6 cannot listen there.
        let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
        let ipv6 =
            |port: u16, words: &str| if has_ipv6 { format!("listen [::1]:{port}{words};") } else { String::new() };
        exchange("listen [::]:80;", &ipv6(plain, ""));
        exchange("listen [::]:443 ssl http2;", &ipv6(port, " ssl http2"));
        exchange("/etc/buddy/fullchain.pem", &format!("{path}/fullchain.pem"));
        exchange("/etc/buddy/privkey.pem", &format!("{path}/privkey.pem"));
        let nginx = Nginx::start(folder, &config, format!("127.0.0.1:{plain}")).await;
        Self { nginx, port }
    }

    /// Somebody whose address is `from`, one of the machine's own.
    fn client(&self, from: &'static str) -> Client<'_> {
        Client { site: self, from }
    }
}

fn make_certificate(folder: &tempfile::TempDir) {
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={NAME}"), "-addext", &format!("subjectAltName=DNS:{NAME}")])
        .args(["-keyout", "privkey.pem", "-out", "fullchain.pem"])
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("cannot run openssl ({error}); `cargo xtask test` installs it"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Client<'_> {
    fn curl(&self, path: &str) -> Command {
        let Site { nginx, port } = self.site;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--no-buffer", "--interface", self.from, "--cacert"]);
        curl.arg(nginx.folder.path().join("fullchain.pem"));
        curl.args(["--resolve", &format!("{NAME}:{port}:127.0.0.1"), &format!("https://{NAME}:{port}{path}")]);
        curl.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        curl
    }

    async fn get(&self, path: &str) -> Got {
        self.ask(path, &[]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        self.ask(path, &["--json", &body.to_string()]).await
    }

    async fn ask(&self, path: &str, flags: &[&str]) -> Got {
        let mut curl = self.curl(path);
        curl.args(["--write-out", "\n%{http_code} %{http_version}"]).args(flags);
        let output = curl.output().await.expect("curl runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let (body, (status, version)) = text
            .rsplit_once('\n')
            .and_then(|(body, last)| Some((body, last.split_once(' ')?)))
            .unwrap_or_else(|| panic!("curl said {text:?}"));
        Got { status: status.parse().expect("a status"), version: version.to_owned(), body: body.to_owned() }
    }

    /// The lines of an answer that goes on, as they come.
    fn follow(&self, path: &str) -> (Child, tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) {
        let mut child = self.curl(path).spawn().expect("curl runs");
        let output = child.stdout.take().expect("stdout is piped");
        (child, BufReader::new(output).lines())
    }

    async fn make_room(&self) -> String {
        let made = self.post("/api/rooms", &json!({})).await;
        assert_eq!(made.status, 201, "{made:?}");
        let made: Value = serde_json::from_str(&made.body).expect("JSON");
        format!("/api/rooms/{}", made["room"].as_str().expect("a room"))
    }
}

fn message(body: &str) -> Value {
    json!({ "client_id": client_id(), "body": body })
}

fn setup() -> buddy_tests::Setup {
    // What the configuration's first lines say.
    Server::setup().variable("client_address_header", "x-real-ip")
}

#[tokio::test]
async fn operators_do_not_come_through_nginx() {
    let server = Server::setup().variable("admin_token", "the-operators-token").start().await;
    let site = Site::before(&server).await;
    let client = site.client("127.0.0.1");
    for path in ["/internal/router", "/internal/metrics"] {
        let got = client.ask(path, &["--header", "authorization: Bearer the-operators-token"]).await;
        assert_eq!(got.status, 404, "{path}: {got:?}");
        server.api().get(path).token("the-operators-token").send().await.must_be(200);
    }
}

#[tokio::test]
async fn the_deployed_nginx_speaks_tls_and_passes_events_at_once() {
    let server = setup().variable("heartbeat_s", 1).start().await;
    let site = Site::before(&server).await;
    let client = site.client("127.0.0.1");
    let page = client.get("/").await;
    assert_eq!((page.status, page.version.as_str()), (200, "2"));
    assert!(page.body.contains("<title>"), "{page:?}");
    let room = client.make_room().await;
    let (_curl, mut lines) = client.follow(&format!("{room}/stream"));
    let mut next = async |wanted: &str| loop {
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("a line in time");
        let line = line.expect("curl can be read").expect("the stream goes on");
        if line.starts_with(wanted) {
            return line;
        }
    };
    next("event: hello").await;
    for seq in 1..=3 {
        assert_eq!(client.post(&format!("{room}/messages"), &message("said")).await.status, 201);
        // A buffer that waits to be full would hold it back for ever.
        assert_eq!(next("id: ").await, format!("id: {seq}"));
    }
    next(": keep-alive").await;
}

#[tokio::test]
async fn who_comes_without_tls_is_sent_to_it() {
    let server = setup().start().await;
    let site = Site::before(&server).await;
    let answer =
        buddy_tests::Api::new(&site.nginx.address).get("/r/x?y").header("host", NAME).send().await.must_be(301);
    assert_eq!(answer.header("location"), Some("https://buddy.example/r/x?y"));
}

#[tokio::test]
async fn behind_the_deployed_nginx_every_client_has_limits_of_its_own() {
    let server = setup().variable("rooms_per_address_per_hour", 2).start().await;
    let site = Site::before(&server).await;
    for from in ["127.0.0.2", "127.0.0.3"] {
        let client = site.client(from);
        for _ in 0..2 {
            client.make_room().await;
        }
        let refused = client.post("/api/rooms", &json!({})).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        // Who names another address is still counted by their own.
        let pretending = ["--json", "{}", "-H", "x-real-ip: 192.0.2.1", "-H", "x-forwarded-for: 192.0.2.1"];
        assert_eq!(client.ask("/api/rooms", &pretending).await.status, 429);
    }
}

#[tokio::test]
async fn the_deployed_nginx_bounds_the_streams_of_one_address_and_leaves_others_theirs() {
    let server = setup().start().await;
    let site = Site::before(&server).await;
    let (greedy, other) = (site.client("127.0.0.2"), site.client("127.0.0.3"));
    let room = greedy.make_room().await;
    // Beyond its last sequence a stream resets, and goes on until curl ends it.
    let mut many = greedy.curl(&format!("{room}/stream?after=[1-130]"));
    many.args(["--parallel", "--parallel-max", "130", "--parallel-immediate", "--max-time", "10"]);
    many.args(["--dump-header", "-", "--output", "/dev/null"]).stderr(Stdio::null());
    let stream = format!("{room}/stream");
    let (many, others) = tokio::join!(many.output(), other.ask(&stream, &["--max-time", "5"]));
    let heads = String::from_utf8(many.expect("curl runs").stdout).expect("UTF-8");
    let count = |wanted: &str| heads.lines().filter(|line| line.starts_with(wanted)).count();
    assert_eq!((count("HTTP/2 200"), count("HTTP/2 429")), (100, 30));
    assert_eq!(others.status, 200, "{others:?}");
    assert_eq!(greedy.post(&format!("{room}/messages"), &message("posts still pass")).await.status, 201);
}

#[tokio::test]
async fn the_deployed_nginx_bounds_the_requests_of_one_address_in_the_form_of_the_api() {
    let server = setup().start().await;
    let site = Site::before(&server).await;
    let (hasty, other) = (site.client("127.0.0.2"), site.client("127.0.0.3"));
    let mut many = hasty.curl("/api/health?[1-600]");
    many.args(["--parallel", "--parallel-max", "50", "--dump-header", "-", "--output", "/dev/null"]);
    let heads = String::from_utf8(many.output().await.expect("curl runs").stdout).expect("UTF-8");
    let count = |wanted: &str| heads.lines().filter(|line| line.starts_with(wanted)).count();
    assert!(count("HTTP/2 200") >= 200, "a burst passes: {}", count("HTTP/2 200"));
    assert!(count("HTTP/2 429") >= 1, "no more than that: {}", count("HTTP/2 429"));
    assert!(count("retry-after: 1") >= count("HTTP/2 429"), "{heads}");
    assert_eq!(other.get("/api/health").await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_gone_is_told_in_the_form_of_the_api() {
    let mut server = setup().start().await;
    let site = Site::before(&server).await;
    server.kill();
    let answer = site.client("127.0.0.1").get("/api/health").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let error: Value = serde_json::from_str(&answer.body).expect("the API's own form");
    assert_eq!(error["error"]["code"], "unavailable", "{answer:?}");
}

#[tokio::test]
async fn an_operator_who_forgets_the_address_header_is_warned_and_only_then() {
    let (forgetful, careful) = (Server::start().await, setup().start().await);
    for server in [&forgetful, &careful] {
        let site = Site::before(server).await;
        site.client("127.0.0.2").make_room().await;
    }
    let warned = |server: &Server| server.log().contains("client_address_header").then_some(());
    eventually("the warning is in the log", async || warned(&forgetful)).await;
    assert_eq!(warned(&careful), None);
}
