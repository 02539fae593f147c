//! A server that lies: a proxy that understands the API and the stream, and tells whoever comes through it what a
//! test wants them to hear.
//!
//! What one liar tells stays with those who connect to it. Two people behind two liars before the same server are
//! forked as soon as one of the two lies.
//!
//! A lie about the log is a function from what the server holds to what is told: it may drop, swap, repeat, change
//! and invent events as it likes, and [`renumbered`] makes the result dense again, as a careful liar's would be.
//! History, streams, cursors, targets and the answers to posts all follow from that one told log. Everything else is
//! a lie about an answer: it sees what was asked and what the server said, and may say something else.

mod log;
mod serve;
mod stream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use hyper::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use log::renumbered;

use self::log::Room;
use crate::{client_id, hex, now_ms};

/// A request as the liar hears it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `POST` …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Without the question mark; empty where there is none.
    pub query: String,
    /// The bearer's token.
    pub token: Option<String>,
    /// The author's secret.
    pub author: Option<String>,
    /// The body; null where there is none or it is no JSON.
    pub body: Value,
}

impl Asked {
    /// Whether this is a request with this method for a path that ends so, for instance `POST` and `/rotations`.
    pub fn is(&self, method: &str, ending: &str) -> bool {
        self.method == method && self.path.ends_with(ending)
    }

    /// The room that was asked about, if any.
    pub fn room(&self) -> Option<&str> {
        self.path.strip_prefix("/api/rooms/")?.split('/').next().filter(|room| !room.is_empty())
    }

    /// What stands behind the room in the path, without a slash; empty for the room itself.
    fn part(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("/api/rooms/")?;
        rest.split_once('/').map_or(Some(""), |(_, part)| Some(part)).filter(|_| self.room().is_some())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.pairs().find(|(known, _)| *known == name)?.1.parse().ok()
    }

    /// Whether the query holds nothing but these, each a number.
    fn has_only_numbers(&self, names: &[&str]) -> bool {
        self.pairs().all(|(name, value)| names.contains(&name) && value.parse::<u64>().is_ok())
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// An answer in JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub status: u16,
    pub body: Value,
}

impl Told {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// An error in the one form that all have.
    pub fn error(status: u16, code: &str) -> Self {
        Self { status, body: json!({ "error": { "code": code, "message": "That is what the server says." } }) }
    }
}

/// A lie about the log of a room: from the events that the server holds to those it tells.
type LogLie = Box<dyn Fn(&str, Vec<Value>) -> Vec<Value> + Send>;
/// Answers instead of the server, or lets it answer.
type OwnAnswer = Box<dyn FnMut(&Asked) -> Option<Told> + Send>;
/// Changes what the server has answered.
type OtherAnswer = Box<dyn FnMut(&Asked, &mut Told) + Send>;
/// Changes a file of the page as the server gives it out, by its path; what changes is not compressed.
type OtherFile = Box<dyn FnMut(&str, &mut Response<Vec<u8>>) + Send>;
/// From a signal or `closed` that the server sends to those that arrive.
type FrameLie = Box<dyn FnMut(&str, Value) -> Vec<(String, Value)> + Send>;

#[derive(Default)]
struct Lies {
    log: Vec<LogLie>,
    instead: Vec<OwnAnswer>,
    after: Vec<OtherAnswer>,
    frames: Vec<FrameLie>,
    files: Vec<OtherFile>,
    /// The name of the log that `hello` and `reset` tell.
    log_name: Option<String>,
    /// Nothing reaches the server any more: everybody here lives in what was known by then.
    isolated: bool,
    /// The liar reads the log with this token, whatever the reader may.
    token: Option<String>,
}
struct Shared {
    upstream: Mutex<String>,
    client: reqwest::Client,
    lies: Mutex<Lies>,
    rooms: Mutex<HashMap<String, Room>>,
    heard: Mutex<Vec<(Asked, Told)>>,
    /// Counts up with each new lie, so that open streams tell it.
    changed: watch::Sender<u64>,
    /// Counts up when all streams are to end.
    cut: watch::Sender<u64>,
}

/// A liar before one server.
pub struct Liar {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Liar {
    /// Begins honestly. `server` is host and port.
    pub async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a plain client can be built");
        let shared = Arc::new(Shared {
            upstream: Mutex::new(server.to_owned()),
            client,
            lies: Mutex::default(),
            rooms: Mutex::default(),
            heard: Mutex::default(),
            changed: watch::Sender::new(0),
            cut: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(serve::accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// Host and port for clients.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The same link through this liar.
    pub fn link(&self, link: &str) -> String {
        let (_, path) = link.split_once("/r/").expect("a link leads to a room");
        format!("http://{}/r/{path}", self.address)
    }

    /// Stands before another server from now on, or the same one at another address.
    pub fn lead_to(&self, server: &str) {
        server.clone_into(&mut lock(&self.shared.upstream));
    }

    /// Gives out other files as the page, or the same with other headers. Where this changes anything, it sees all
    /// files as they are without compression.
    pub fn serves(&self, change: impl FnMut(&str, &mut Response<Vec<u8>>) + Send + 'static) {
        lock(&self.shared.lies).files.push(Box::new(change));
    }

    /// Gives out the true page again.
    pub fn serves_the_page(&self) {
        lock(&self.shared.lies).files.clear();
    }

    // Lies about the log. Those told later work on what the earlier ones left.

    /// Tells a log that follows from the true one, of the room with this id.
    pub fn tells(&self, lie: impl Fn(&str, Vec<Value>) -> Vec<Value> + Send + 'static) {
        self.add(|lies| lies.log.push(Box::new(lie)));
    }

    /// Leaves out events, and closes the gap.
    pub fn drops(&self, which: impl Fn(&Value) -> bool + Send + 'static) {
        self.tells(move |_, log| renumbered(log.into_iter().filter(|event| !which(event)).collect()));
    }

    /// Leaves out events, and leaves the gap.
    pub fn loses(&self, which: impl Fn(&Value) -> bool + Send + 'static) {
        self.tells(move |_, log| log.into_iter().filter(|event| !which(event)).collect());
    }

    /// Changes events as they are told.
    pub fn alters(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.tells(move |_, mut log| {
            log.iter_mut().for_each(&change);
            log
        });
    }

    /// Says that a body was erased.
    pub fn blanks(&self, which: impl Fn(&Value) -> bool + Send + 'static) {
        self.alters(move |event| {
            if which(event) && event["body"] != "" {
                event["erased"] = json!(hex(&Sha256::digest(event["body"].as_str().unwrap_or_default())));
                event["body"] = json!("");
            }
        });
    }

    /// Exchanges the places of two events.
    pub fn swaps(&self, one: u64, other: u64) {
        self.tells(move |_, mut log| {
            let at = |seq: u64| log.iter().position(|event| event["seq"] == seq);
            if let (Some(one), Some(other)) = (at(one), at(other)) {
                let times = [log[one]["sent_at_ms"].clone(), log[other]["sent_at_ms"].clone()];
                log.swap(one, other);
                [log[one]["sent_at_ms"], log[other]["sent_at_ms"]] = times;
            }
            renumbered(log)
        });
    }

    /// Tells an event a second time, after the event with the sequence `after`; under another `client_id` where
    /// `renamed`.
    pub fn repeats(&self, seq: u64, after: u64, renamed: bool) {
        let id = client_id();
        self.tells(move |_, mut log| {
            let found = log.iter().find(|event| event["seq"] == seq).cloned();
            let place = log.iter().position(|event| event["seq"] == after);
            if let (Some(mut event), Some(place)) = (found, place) {
                if renamed {
                    event["client_id"] = json!(id);
                }
                event["sent_at_ms"] = log[place]["sent_at_ms"].clone();
                log.insert(place + 1, event);
            }
            renumbered(log)
        });
    }

    /// Invents an event, and tells it after the event with the sequence `after` once that is there.
    pub fn forges(&self, after: u64, event: Value) {
        self.tells(move |_, mut log| {
            let place = log.iter().position(|event| event["seq"] == after).map(|place| place + 1);
            if let Some(place) = place.or((after == 0).then_some(0)) {
                let mut event = event.clone();
                event["sent_at_ms"] = match place.checked_sub(1) {
                    Some(before) => log[before]["sent_at_ms"].clone(),
                    None => json!(now_ms()),
                };
                log.insert(place, event);
            }
            renumbered(log)
        });
    }

    /// Forgets what came after `seq`; what comes from now on stands where that stood. Whoever is connected is cut
    /// off and has to come back.
    pub fn rolls_back_to(&self, seq: u64) {
        let last: HashMap<String, u64> =
            lock(&self.shared.rooms).iter().map(|(id, room)| (id.clone(), room.last_seq())).collect();
        self.tells(move |room, log| {
            let forgotten = seq + 1..=last.get(room).copied().unwrap_or(0);
            let kept = |event: &Value| event["seq"].as_u64().is_none_or(|seq| !forgotten.contains(&seq));
            renumbered(log.into_iter().filter(kept).collect())
        });
        self.cuts_streams();
    }

    /// Gives the log another name, as an operator does who has restored a backup.
    pub fn renames_log(&self) {
        let name = hex(&Sha256::digest(client_id())[..16]);
        self.add(|lies| lies.log_name = Some(name));
        self.cuts_streams();
    }

    /// Reads the log with this token from now on, as a server may that holds it: also for whom it renewed the room's
    /// keys without telling them.
    pub fn reads_with(&self, token: &str) {
        let token = token.to_owned();
        self.add(|lies| lies.token = Some(token));
        self.cuts_streams();
    }

    // Lies about everything else.

    /// Answers by itself where the function says so.
    pub fn answers(&self, instead: impl FnMut(&Asked) -> Option<Told> + Send + 'static) {
        self.add(|lies| lies.instead.push(Box::new(instead)));
    }

    /// Refuses requests with this method whose path ends so.
    pub fn refuses(&self, method: &str, ending: &str, status: u16, code: &str) {
        let (method, ending, told) = (method.to_owned(), ending.to_owned(), Told::error(status, code));
        self.answers(move |asked| asked.is(&method, &ending).then(|| told.clone()));
    }

    /// Changes what the server has answered.
    pub fn changes(&self, change: impl FnMut(&Asked, &mut Told) + Send + 'static) {
        self.add(|lies| lies.after.push(Box::new(change)));
    }

    /// Changes what streams tell beside the log: a `signal` or `closed` becomes whatever the function returns.
    pub fn interferes(&self, frames: impl FnMut(&str, Value) -> Vec<(String, Value)> + Send + 'static) {
        self.add(|lies| lies.frames.push(Box::new(frames)));
    }

    /// Hides every renewal from now on: whoever is here goes on in the epoch they are in, among themselves. What
    /// they post is taken, and told to nobody else.
    pub fn isolates(&self) {
        self.add(|lies| lies.isolated = true);
        self.cuts_streams();
    }

    /// Tells the truth again. Streams go on; what was told stays told.
    pub fn confesses(&self) {
        self.add(|lies| *lies = Lies::default());
        self.cuts_streams();
    }

    /// Ends every open stream without a word.
    pub fn cuts_streams(&self) {
        self.shared.cut.send_modify(|count| *count += 1);
    }

    // What a liar remembers.

    /// What the server has answered to requests with this method whose path ends so, oldest first. To be said again
    /// when it is no longer true, or to somebody else.
    pub fn heard(&self, method: &str, ending: &str) -> Vec<(Asked, Told)> {
        lock(&self.shared.heard).iter().filter(|(asked, _)| asked.is(method, ending)).cloned().collect()
    }

    /// The true log of a room, as far as anybody here was told.
    pub fn truth(&self, room: &str) -> Vec<Value> {
        lock(&self.shared.rooms).get(room).map(|room| room.events.values().cloned().collect()).unwrap_or_default()
    }

    fn add(&self, change: impl FnOnce(&mut Lies)) {
        change(&mut lock(&self.shared.lies));
        self.shared.changed.send_modify(|count| *count += 1);
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cuts_streams();
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("nobody panics with the lock")
}
