//! The stream behind nginx with its defaults: nothing is tuned for streams.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use buddy_tests::{Api, DEADLINE, Server, Stream, eventually, message};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// nginx before a server, with a folder of its own; killed when dropped.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) folder: TempDir,
    /// Where it listens.
    pub(crate) address: String,
}

impl Nginx {
    /// nginx with its defaults, which speaks HTTP/1.0 to the server and HTTP/1.1 to clients.
    async fn before(server: &Server) -> Self {
        Self::with(server, "").await
    }

    async fn with(server: &Server, directives: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let address = format!("127.0.0.1:{}", free_port().await);
        let path = folder.path().display();
        // Nothing but where things are: every directive about proxying keeps its default.
        let config = format!(
            "daemon off; worker_processes 1; pid {path}/nginx.pid; error_log {path}/error.log;
             events {{ worker_connections 64; }}
             http {{
               access_log off;
               client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
               uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
               server {{ listen {address}; location / {{ proxy_pass http://{}; {directives} }} }}
             }}",
            server.address()
        );
        Self::start(folder, &config, address).await
    }

    /// nginx with a whole configuration, by which it listens on `address`.
    pub(crate) async fn start(folder: TempDir, config: &str, address: String) -> Self {
        fs::write(folder.path().join("nginx.conf"), config).expect("the configuration can be written");
        let child = Command::new("nginx")
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .arg("-p")
            .arg(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start nginx ({error}); `cargo xtask test` installs it"));
        let nginx = Self { child, folder, address };
        eventually("nginx listens", async || TcpStream::connect(&nginx.address).await.ok()).await;
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default());
        }
    }
}

/// nginx cannot tell which port it was given, so it gets one that was free a moment ago.
pub(crate) async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

#[tokio::test]
async fn nginx_passes_events_and_heartbeats_on_at_once() {
    let server = Server::setup().variable("heartbeat_s", 1).start().await;
    for directives in ["", "proxy_http_version 1.1;"] {
        let nginx = Nginx::with(&server, directives).await;
        let room = server.open_room().await;
        let through = room.at(&Api::new(&nginx.address));
        room.say("one").await;
        let mut stream = through.stream_after(0).await;
        assert_eq!(stream.status(), 200);
        assert_eq!(stream.hello().await.id(), Some(0));
        assert_eq!(stream.next_event().await.id(), Some(1), "a replay is not held back until a buffer is full");
        for seq in 2..=4 {
            assert_eq!(through.say("live").await, seq);
            assert_eq!(stream.next_event().await.id(), Some(seq));
        }
        let beat = stream.next().await.expect("a block");
        assert_eq!(beat.text(), ": keep-alive");
    }
}

#[tokio::test]
async fn nginx_passes_the_end_of_a_stream_on() {
    let server = Server::start().await;
    let nginx = Nginx::before(&server).await;
    let room = server.open_room().await;
    let mut stream = room.at(&Api::new(&nginx.address)).stream().await;
    stream.hello().await;
    room.delete().send().await.must_be(204);
    assert_eq!(stream.next_event().await.event(), Some("closed"));
    assert_eq!(stream.rest().await, []);
}

#[tokio::test]
async fn an_idle_stream_outlives_nginxs_timeout_of_sixty_seconds() {
    let server = Server::setup().variable("stream_max_s", 1800).start().await;
    let nginx = Nginx::before(&server).await;
    let room = server.open_room().await;
    let mut stream = Stream::open(&nginx.address, &format!("{}/stream", room.path()), &[]).await;
    stream.hello().await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(65) {
        let beat = tokio::time::timeout(DEADLINE, stream.next()).await.expect("a heartbeat within its time");
        assert!(beat.expect("the stream goes on").is_comment());
    }
    room.post(&message("after a minute of silence")).send().await.must_be(201);
    assert_eq!(stream.next_event().await.id(), Some(1));
}
