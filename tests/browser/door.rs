//! A fixed address before a server whose own address changes when it restarts: to a browser another port would
//! be another site. What goes through can be counted and cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use buddy_tests::{Server, eventually};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

/// What stands in the head of every answer that is a stream, and of no other.
const STREAM: &[u8] = b"content-type: text/event-stream";
/// Ends the last chunk of an answer.
const END: &[u8] = b"\r\n0\r\n\r\n";

pub(crate) struct Door {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    server: String,
    /// Nobody gets through.
    shut: bool,
    /// What the server answers is held back.
    muted: bool,
    open_streams: usize,
    /// One for each connection.
    connections: Vec<AbortHandle>,
}

impl Door {
    /// A door to `server`, at a port that it keeps.
    pub(crate) async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let state = State { server: server.address().to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, accepting }
    }

    /// The address of a page behind the door; `path` begins with a slash.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Leads to another server, or to the same one after a restart.
    pub(crate) fn lead_to(&self, server: &Server) {
        server.address().clone_into(&mut lock(&self.state).server);
    }

    /// Cuts every connection, and each new one as soon as it is made: the server cannot be reached.
    pub(crate) fn shut(&self) {
        let mut state = lock(&self.state);
        state.shut = true;
        for connection in state.connections.drain(..) {
            connection.abort();
        }
    }

    /// Lets people through again.
    pub(crate) fn reopen(&self) {
        lock(&self.state).shut = false;
    }

    /// From now on requests reach the server, but its answers do not come back.
    pub(crate) fn mute(&self) {
        lock(&self.state).muted = true;
    }

    /// Ends what [`Door::mute`] began. Answers that were swallowed stay lost: their connections end.
    pub(crate) fn unmute(&self) {
        lock(&self.state).muted = false;
    }

    /// How many streams are open through this door.
    pub(crate) fn open_streams(&self) -> usize {
        lock(&self.state).open_streams
    }

    /// Waits until exactly as many streams are open.
    pub(crate) async fn holds_streams(&self, count: usize) {
        eventually(&format!("{count} streams are open"), async || (self.open_streams() == count).then_some(())).await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A stream while it is open.
struct OpenStream<'a>(&'a Mutex<State>);

impl<'a> OpenStream<'a> {
    fn begin(state: &'a Mutex<State>) -> Self {
        lock(state).open_streams += 1;
        Self(state)
    }
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        lock(self.0).open_streams -= 1;
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().expect("nobody panics with the lock")
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    // Goes with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let server = {
            let state = lock(&state);
            if state.shut {
                continue;
            }
            state.server.clone()
        };
        while connections.try_join_next().is_some() {}
        let connection = connections.spawn(connect(client, server, Arc::clone(&state)));
        let mut state = lock(&state);
        state.connections.retain(|connection| !connection.is_finished());
        state.connections.push(connection);
    }
}

async fn connect(client: TcpStream, server: String, state: Arc<Mutex<State>>) {
    // A dead server refuses, and the client's connection ends at once.
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server) => {}
        () = answer(from_server, to_client, &state) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Passes on what the server says, and keeps count of the streams among it.
async fn answer(mut from: impl AsyncRead + Unpin, mut to: OwnedWriteHalf, state: &Mutex<State>) {
    let mut buffer = vec![0; 64 * 1024];
    let mut stream = None;
    // The end of what came before, where a mark may have been cut in two.
    let mut tail = Vec::new();
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if lock(state).muted {
            // Not a byte of this answer gets through, not even later.
            swallow(from, state).await;
            return;
        }
        tail.extend_from_slice(&buffer[..length]);
        if stream.is_none() && holds(&tail, STREAM) {
            stream = Some(OpenStream::begin(state));
        } else if stream.is_some() && tail.ends_with(END) {
            stream = None;
        }
        let kept = tail.len().saturating_sub(STREAM.len());
        tail.drain(..kept);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Reads on for as long as the door is mute, so that the server notices nothing.
async fn swallow(mut from: impl AsyncRead + Unpin, state: &Mutex<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while lock(state).muted {
        let silence = std::time::Duration::from_millis(25);
        match tokio::time::timeout(silence, from.read(&mut buffer)).await {
            Ok(Ok(1..)) | Err(_) => {}
            Ok(_) => return,
        }
    }
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}
