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

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::{Block, client_id, hex, member_id, now_ms};

/// What ends with a connection and is not passed on (RFC 9110, section 7.6.1), and what follows from the body.
const OWN_HEADERS: [&str; 5] = ["connection", "content-length", "host", "keep-alive", "transfer-encoding"];
/// How many events a page of history has where nobody says.
const PAGE: usize = 50;
/// The most that a page of history holds, in bytes of JSON.
const PAGE_BYTES: usize = 1024 * 1024;

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
/// From a signal or `closed` that the server sends to those that arrive.
type FrameLie = Box<dyn FnMut(&str, Value) -> Vec<(String, Value)> + Send>;

#[derive(Default)]
struct Lies {
    log: Vec<LogLie>,
    instead: Vec<OwnAnswer>,
    after: Vec<OtherAnswer>,
    frames: Vec<FrameLie>,
    /// The name of the log that `hello` and `reset` tell.
    log_name: Option<String>,
    /// Nothing reaches the server any more: everybody here lives in what was known by then.
    isolated: bool,
    /// The liar reads the log with this token, whatever the reader may.
    token: Option<String>,
}

/// What the server holds of a room, as far as anybody here was told.
#[derive(Debug, Default)]
struct Room {
    events: BTreeMap<u64, Value>,
    first_seq: u64,
    log: String,
    /// What nobody but the liar has: posts that it accepted and kept to itself.
    own: Vec<Value>,
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
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
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

/// Gives events the sequence of their place, from the first one's on, and makes targets follow.
pub fn renumbered(mut log: Vec<Value>) -> Vec<Value> {
    let first = log.iter().filter_map(|event| event["seq"].as_u64()).min().unwrap_or(1);
    let mut places = HashMap::new();
    for (event, seq) in log.iter().zip(first..) {
        if let Some(was) = event["seq"].as_u64() {
            places.entry(was).or_insert(seq);
        }
    }
    for (event, seq) in log.iter_mut().zip(first..) {
        event["seq"] = json!(seq);
        if let Some(place) = event["target"].as_u64().and_then(|target| places.get(&target)) {
            event["target"] = json!(place);
        }
    }
    log
}

impl Room {
    fn last_seq(&self) -> u64 {
        self.events.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// Takes a page of the true history.
    fn learn(&mut self, page: &Value) {
        self.first_seq = page["first_seq"].as_u64().unwrap_or(1);
        for event in page["messages"].as_array().into_iter().flatten() {
            self.events.insert(event["seq"].as_u64().unwrap_or(0), event.clone());
        }
        self.events = self.events.split_off(&self.first_seq);
    }
}

/// The log that is told of a room, and its two ends.
struct ToldLog {
    events: Vec<Value>,
    first_seq: u64,
    last_seq: u64,
}

impl Shared {
    fn told_log(&self, id: &str) -> ToldLog {
        let rooms = lock(&self.rooms);
        let Some(room) = rooms.get(id) else { return ToldLog { events: Vec::new(), first_seq: 1, last_seq: 0 } };
        let mut events: Vec<Value> = room.events.values().cloned().collect();
        let (first, last) = (room.first_seq.max(1), room.last_seq());
        let mut own = room.own.clone();
        drop(rooms);
        let lies = lock(&self.lies);
        for lie in &lies.log {
            events = lie(id, events);
        }
        // What only this liar has comes after all that it tells of the truth.
        let end = events.last().and_then(|event| event["seq"].as_u64());
        for (event, seq) in own.iter_mut().zip(end.unwrap_or(0) + 1..) {
            event["seq"] = json!(seq);
        }
        events.append(&mut own);
        let seq = |event: Option<&Value>| event.and_then(|event| event["seq"].as_u64());
        let first_seq = seq(events.first()).map_or(last + 1, |told| told.max(first));
        let last_seq = seq(events.last()).unwrap_or(first_seq.saturating_sub(1));
        ToldLog { events, first_seq, last_seq }
    }

    /// The sequence under which an event is told, from the one that the server gave it.
    fn told_seq(&self, id: &str, true_seq: u64) -> Option<u64> {
        let event = lock(&self.rooms).get(id)?.events.get(&true_seq)?.clone();
        let told = self.told_log(id);
        told.events.iter().find(|told| told["client_id"] == event["client_id"])?["seq"].as_u64()
    }

    /// The sequence that the server gave to what is told under another.
    fn true_seq(&self, id: &str, told_seq: u64) -> Option<u64> {
        let told = self.told_log(id);
        let event = told.events.iter().find(|event| event["seq"] == told_seq)?;
        let rooms = lock(&self.rooms);
        let found = rooms.get(id)?.events.iter().find(|(_, held)| held["client_id"] == event["client_id"])?;
        Some(*found.0)
    }

    /// The headers with which the log is read for somebody.
    fn reader(&self, of: &HeaderMap) -> HeaderMap {
        let mut headers = of.clone();
        headers.remove("last-event-id");
        if let Some(token) = &lock(&self.lies).token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is plain text");
            headers.insert("authorization", bearer);
        }
        headers
    }

    fn isolated(&self) -> bool {
        lock(&self.lies).isolated
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Goes with this task, and all connections with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let _ = client.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { serve(&shared, request).await }
            });
            // Clients come and go as they like.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await;
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;
/// A server that is away breaks its connections off, and so does the liar before it.
type Served = Result<Response<Body>, reqwest::Error>;

async fn serve(shared: &Arc<Shared>, request: Request<Incoming>) -> Served {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        token: text("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
        author: text("buddy-author"),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let request = Passed { headers: head.headers, body };
    if !asked.path.starts_with("/api/") {
        return pass(shared, &asked, &request).await;
    }
    let instead = lock(&shared.lies).instead.iter_mut().find_map(|lie| lie(&asked));
    if let Some(told) = instead {
        return Ok(in_json(&told));
    }
    match (head.method, asked.part()) {
        (Method::GET, Some("stream")) => stream(shared, asked, request).await,
        (Method::GET, Some("messages")) => history(shared, &asked, &request).await,
        (Method::POST, Some("messages")) => post(shared, asked, request).await,
        _ if shared.isolated() => Ok(in_json(&from_memory(shared, &asked))),
        _ => pass(shared, &asked, &request).await,
    }
}

/// What of a request goes on to the server.
struct Passed {
    headers: HeaderMap,
    body: Bytes,
}

impl Passed {
    async fn send(&self, shared: &Shared, method: &str, path: &str) -> Result<reqwest::Response, reqwest::Error> {
        let url = format!("http://{}{path}", lock(&shared.upstream));
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method stays one");
        let mut request = shared.client.request(method, url).body(self.body.clone());
        for (name, value) in &self.headers {
            if !OWN_HEADERS.contains(&name.as_str()) {
                request = request.header(name.as_str(), value.as_bytes());
            }
        }
        request.send().await
    }
}

/// Passes a request on, and the answer back with all lies about it.
async fn pass(shared: &Shared, asked: &Asked, request: &Passed) -> Served {
    let path = if asked.query.is_empty() { asked.path.clone() } else { format!("{}?{}", asked.path, asked.query) };
    let answer = request.send(shared, &asked.method, &path).await?;
    give_back(shared, asked, answer).await
}

async fn give_back(shared: &Shared, asked: &Asked, answer: reqwest::Response) -> Served {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await?;
    let mut told = match serde_json::from_slice(&body) {
        Ok(body) if asked.path.starts_with("/api/") => Told { status: status.as_u16(), body },
        _ if asked.path.starts_with("/api/") && body.is_empty() => Told { status: status.as_u16(), body: Value::Null },
        _ => return Ok(response(status.as_u16(), &headers, Full::new(body).boxed())),
    };
    lock(&shared.heard).push((asked.clone(), told.clone()));
    let before = told.clone();
    if let (Some(id), Some("")) = (asked.room(), asked.part())
        && told.body["last_seq"].is_u64()
    {
        let log = shared.told_log(id);
        if lock(&shared.rooms).contains_key(id) {
            told.body["first_seq"] = json!(log.first_seq);
            told.body["last_seq"] = json!(log.last_seq);
        }
    }
    for lie in &mut lock(&shared.lies).after {
        lie(asked, &mut told);
    }
    let body = if told == before { body } else { Bytes::from(told.body.to_string()) };
    Ok(response(told.status, &headers, Full::new(body).boxed()))
}

/// Reads the whole true history with whatever token was brought along; true if the server allowed it.
async fn learn(shared: &Shared, id: &str, request: &Passed) -> Result<bool, reqwest::Error> {
    let mut after = 0;
    let request = Passed { headers: shared.reader(&request.headers), body: Bytes::new() };
    loop {
        let path = format!("/api/rooms/{id}/messages?after={after}&limit=200");
        let answer = request.send(shared, "GET", &path).await?;
        if answer.status() != 200 {
            return Ok(false);
        }
        let page: Value = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
        let mut rooms = lock(&shared.rooms);
        let room = rooms.entry(id.to_owned()).or_default();
        room.learn(&page);
        match page["messages"].as_array().and_then(|events| events.last()) {
            Some(event) => after = event["seq"].as_u64().unwrap_or(u64::MAX),
            None => return Ok(true),
        }
    }
}

async fn history(shared: &Shared, asked: &Asked, request: &Passed) -> Served {
    let id = asked.room().expect("the path names a room");
    // What is wrong about a question the server says better.
    let sound = asked.has_only_numbers(&["after", "before", "limit"]);
    if !sound || (!shared.isolated() && !learn(shared, id, request).await?) {
        return pass(shared, asked, request).await;
    }
    let log = shared.told_log(id);
    let limit = asked.number("limit").map_or(PAGE, |limit| limit as usize);
    let seq = |event: &Value| event["seq"].as_u64().unwrap_or(0);
    let kept = log.events.into_iter().filter(|event| seq(event) >= log.first_seq);
    let mut messages: Vec<Value> = match (asked.number("after"), asked.number("before")) {
        (Some(after), None) => kept.filter(|event| seq(event) > after).take(limit).collect(),
        (None, before) => {
            let all: Vec<Value> = kept.filter(|event| before.is_none_or(|before| seq(event) < before)).collect();
            all[all.len().saturating_sub(limit)..].to_vec()
        }
        _ => return pass(shared, asked, request).await,
    };
    let mut bytes = 0;
    let fits = messages.iter().take_while(|event| {
        let fits = bytes < PAGE_BYTES;
        bytes += event.to_string().len();
        fits
    });
    let fitting = fits.count();
    match asked.number("before").is_some() || asked.number("after").is_none() {
        true => messages = messages.split_off(messages.len() - fitting),
        false => messages.truncate(fitting),
    }
    let page = json!({ "messages": messages, "first_seq": log.first_seq, "last_seq": log.last_seq });
    let mut told = Told::ok(page);
    for lie in &mut lock(&shared.lies).after {
        lie(asked, &mut told);
    }
    Ok(in_json(&told))
}

async fn post(shared: &Shared, asked: Asked, mut request: Passed) -> Served {
    let id = asked.room().expect("the path names a room").to_owned();
    if shared.isolated() {
        return Ok(in_json(&keep_to_oneself(shared, &id, &asked)));
    }
    let mut body = asked.body.clone();
    if let Some(seq) = body["target"].as_u64().and_then(|told| shared.true_seq(&id, told)) {
        body["target"] = json!(seq);
        request.body = Bytes::from(body.to_string());
    }
    let answer = request.send(shared, "POST", &asked.path).await?;
    let (status, headers, bytes) = (answer.status(), answer.headers().clone(), answer.bytes().await?);
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut told = Told { status: status.as_u16(), body };
    lock(&shared.heard).push((asked.clone(), told.clone()));
    if let Some(seq) = told.body["seq"].as_u64() {
        // The event itself may not be known here yet; who posts may also read.
        learn(shared, &id, &request).await?;
        if let Some(seq) = shared.told_seq(&id, seq) {
            told.body["seq"] = json!(seq);
        }
    }
    for lie in &mut lock(&shared.lies).after {
        lie(&asked, &mut told);
    }
    Ok(response(told.status, &headers, Full::new(Bytes::from(told.body.to_string())).boxed()))
}

/// Takes a post as a server would, and keeps it from everybody who is not here.
fn keep_to_oneself(shared: &Shared, id: &str, asked: &Asked) -> Told {
    let field = |name: &str| asked.body[name].clone();
    let log = shared.told_log(id);
    if let Some(known) = log.events.iter().find(|event| event["client_id"] == asked.body["client_id"]) {
        return Told::ok(json!({ "seq": known["seq"], "sent_at_ms": known["sent_at_ms"] }));
    }
    let kind = asked.body["kind"].as_str().unwrap_or("message");
    let event = json!({
        "seq": log.last_seq + 1, "kind": kind, "client_id": field("client_id"),
        "author": asked.author.as_deref().map(member_id), "target": field("target"), "body": field("body"),
        "sent_at_ms": now_ms(),
    });
    let told = json!({ "seq": event["seq"], "sent_at_ms": event["sent_at_ms"] });
    lock(&shared.rooms).entry(id.to_owned()).or_default().own.push(event);
    shared.changed.send_modify(|count| *count += 1);
    Told { status: 201, body: told }
}

/// What was last heard to the same question, or else that nothing has changed.
fn from_memory(shared: &Shared, asked: &Asked) -> Told {
    let id = asked.room().unwrap_or_default();
    let heard = lock(&shared.heard);
    let same =
        |(known, told): &&(Asked, Told)| known.method == asked.method && known.path == asked.path && told.status == 200;
    let known = heard.iter().rev().find(same).map(|(_, told)| told.clone());
    drop(heard);
    match (asked.method.as_str(), asked.part().unwrap_or_default()) {
        ("POST", "signals") => Told { status: 204, body: Value::Null },
        ("GET", "keys") => {
            let last = known.as_ref().and_then(|told| told.body["epoch"].as_u64()).unwrap_or(0);
            Told::ok(json!({ "epoch": asked.number("since").unwrap_or(last), "rotations": [] }))
        }
        ("GET", "") => {
            let mut told = known.unwrap_or_else(|| Told::error(503, "unavailable"));
            let log = shared.told_log(id);
            told.body["first_seq"] = json!(log.first_seq);
            told.body["last_seq"] = json!(log.last_seq);
            told
        }
        _ => known.unwrap_or_else(|| Told::error(503, "unavailable")),
    }
}

async fn stream(shared: &Arc<Shared>, asked: Asked, request: Passed) -> Served {
    let id = asked.room().expect("the path names a room").to_owned();
    let given = request.headers.get("last-event-id").map_or("", |value| value.to_str().unwrap_or("?"));
    if !asked.has_only_numbers(&["after"]) || !given.bytes().all(|byte| byte.is_ascii_digit()) {
        return pass(shared, &asked, &request).await;
    }
    let isolated = shared.isolated();
    if !isolated {
        // Where the token may not read any more, the server's own answer says so below.
        learn(shared, &id, &request).await?;
    }
    let cursor = given.parse().ok().or_else(|| asked.number("after"));
    let upstream = if isolated {
        None
    } else {
        // From where the truth is known; with a token of an earlier epoch, from where its reader stands.
        let known = match cursor.and_then(|cursor| shared.true_seq(&id, cursor)) {
            Some(seq) => seq,
            None => lock(&shared.rooms).get(&id).map_or(0, Room::last_seq).min(cursor.unwrap_or(u64::MAX)),
        };
        let headers = shared.reader(&request.headers);
        let path = format!("{}?after={known}", asked.path);
        let answer = Passed { headers, body: Bytes::new() }.send(shared, "GET", &path).await?;
        if answer.status() != 200 {
            return give_back(shared, &asked, answer).await;
        }
        Some(answer)
    };
    let headers = upstream.as_ref().map_or_else(stream_headers, |answer| answer.headers().clone());
    let (send, receive) = mpsc::unbounded_channel();
    tokio::spawn(tell(Arc::clone(shared), id, cursor, upstream, send));
    let frames = futures::stream::unfold(receive, async |mut receive: mpsc::UnboundedReceiver<Bytes>| {
        let bytes = receive.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), receive))
    });
    Ok(response(200, &headers, BodyExt::boxed(StreamBody::new(Box::pin(frames) as SyncFrames))))
}

type SyncFrames = std::pin::Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync>>;

/// Tells one reader the log as this liar has it, until either side has enough.
async fn tell(
    shared: Arc<Shared>,
    id: String,
    cursor: Option<u64>,
    upstream: Option<reqwest::Response>,
    reader: mpsc::UnboundedSender<Bytes>,
) {
    let (mut changed, mut cut) = (shared.changed.subscribe(), shared.cut.subscribe());
    let mut source = upstream.map(Source::new);
    // What the server begins with names its log.
    let mut early = Vec::new();
    while let Some(open) = &mut source {
        match open.next().await {
            Some(block) if block.event() == Some("hello") || block.event() == Some("reset") => {
                let mark = block.data();
                let mut rooms = lock(&shared.rooms);
                let room = rooms.entry(id.clone()).or_default();
                room.log = mark["log"].as_str().unwrap_or_default().to_owned();
                room.first_seq = mark["first_seq"].as_u64().unwrap_or(1);
                break;
            }
            Some(block) => early.push(block),
            None => return,
        }
    }
    let log = shared.told_log(&id);
    let fits = cursor.is_none_or(|cursor| (log.first_seq.saturating_sub(1)..=log.last_seq).contains(&cursor));
    let mut told = if fits { cursor.unwrap_or(log.last_seq) } else { log.last_seq };
    let name = lock(&shared.lies).log_name.clone();
    let name = name.or_else(|| lock(&shared.rooms).get(&id).map(|room| room.log.clone())).unwrap_or_default();
    let mark = json!({ "log": name, "first_seq": log.first_seq, "last_seq": log.last_seq });
    let mut beginning = String::from("retry: 1000\n\n");
    beginning.push_str(&frame(Some(told), if fits { "hello" } else { "reset" }, &mark));
    let mut enough = reader.send(Bytes::from(beginning)).is_err();
    while !enough {
        let log = shared.told_log(&id);
        for event in &log.events {
            let seq = event["seq"].as_u64().unwrap_or(0);
            if seq > told {
                told = seq;
                let kind = event["kind"].as_str().unwrap_or("message");
                enough |= reader.send(Bytes::from(frame(Some(seq), kind, event))).is_err();
            }
        }
        let next = async {
            match (early.pop(), &mut source) {
                (Some(block), _) => Some(block),
                (None, Some(open)) => open.next().await,
                (None, None) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = reader.closed() => return,
            _ = cut.changed() => return,
            _ = changed.changed() => {}
            block = next => match block {
                Some(block) => enough |= !pass_block(&shared, &id, &block, &reader),
                // Where the end of the stream was kept secret, it goes on without the server.
                None if lock(&shared.lies).isolated => source = None,
                None => return,
            },
        }
    }
}

/// Takes a block of the server's stream; false where the reader is gone or has been told the end.
fn pass_block(shared: &Shared, id: &str, block: &Block, reader: &mpsc::UnboundedSender<Bytes>) -> bool {
    let Some(name) = block.event() else {
        return reader.send(Bytes::from(format!("{}\n\n", block.text()))).is_ok();
    };
    match name {
        "hello" | "reset" => true,
        "signal" | "closed" => {
            let mut frames = vec![(name.to_owned(), block.data())];
            for lie in &mut lock(&shared.lies).frames {
                frames = frames.into_iter().flat_map(|(name, data)| lie(&name, data)).collect();
            }
            let ends = frames.iter().any(|(name, _)| name == "closed");
            let sent = frames.iter().all(|(name, data)| reader.send(Bytes::from(frame(None, name, data))).is_ok());
            sent && !ends
        }
        _ => {
            let event = block.data();
            let seq = event["seq"].as_u64().unwrap_or(0);
            lock(&shared.rooms).entry(id.to_owned()).or_default().events.insert(seq, event);
            true
        }
    }
}

/// A stream of the server's, block by block.
struct Source {
    answer: reqwest::Response,
    unread: Vec<u8>,
}

impl Source {
    fn new(answer: reqwest::Response) -> Self {
        Self { answer, unread: Vec::new() }
    }

    async fn next(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
                return Some(Block::of(String::from_utf8_lossy(&block).into_owned()));
            }
            self.unread.extend_from_slice(&self.answer.chunk().await.ok()??);
        }
    }
}

fn frame(id: Option<u64>, name: &str, data: &Value) -> String {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: {name}\ndata: {data}\n\n")
}

fn stream_headers() -> HeaderMap {
    let pairs =
        [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("access-control-allow-origin", "*")];
    pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).into_iter().collect()
}

fn in_json(told: &Told) -> Response<Body> {
    let pairs = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
        ("retry-after", "1"),
    ];
    let headers = pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let body = if told.body.is_null() { Bytes::new() } else { Bytes::from(told.body.to_string()) };
    response(told.status, &headers.into_iter().collect(), Full::new(body).boxed())
}

fn response(status: u16, headers: &HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        if !OWN_HEADERS.contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    response.body(body).expect("headers that have come may go")
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("nobody panics with the lock")
}
