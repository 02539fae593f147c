//! How a liar answers requests: by itself, from what it remembers, or with what the server says.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::stream::stream;
use super::{Asked, Shared, Told, lock};
use crate::{member_id, now_ms};

/// What ends with a connection and is not passed on (RFC 9110, section 7.6.1), and what follows from the body.
const OWN_HEADERS: [&str; 5] = ["connection", "content-length", "host", "keep-alive", "transfer-encoding"];
/// How many events a page of history has where nobody says.
const PAGE: usize = 50;
/// The most that a page of history holds, in bytes of JSON.
const PAGE_BYTES: usize = 1024 * 1024;

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
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
pub(super) type Served = Result<Response<Body>, reqwest::Error>;

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
        return page(shared, &asked, request).await;
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
pub(super) struct Passed {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Passed {
    pub(super) async fn send(
        &self,
        shared: &Shared,
        method: &str,
        path: &str,
    ) -> Result<reqwest::Response, reqwest::Error> {
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
pub(super) async fn pass(shared: &Shared, asked: &Asked, request: &Passed) -> Served {
    let path = if asked.query.is_empty() { asked.path.clone() } else { format!("{}?{}", asked.path, asked.query) };
    let answer = request.send(shared, &asked.method, &path).await?;
    give_back(shared, asked, answer).await
}

/// A file of the page.
async fn page(shared: &Shared, asked: &Asked, mut request: Passed) -> Served {
    if lock(&shared.lies).files.is_empty() {
        return pass(shared, asked, &request).await;
    }
    request.headers.remove("accept-encoding");
    request.headers.remove("if-none-match");
    let answer = request.send(shared, &asked.method, &asked.path).await?;
    let mut told = Response::builder().status(answer.status().as_u16());
    *told.headers_mut().expect("nothing went wrong so far") = answer.headers().clone();
    let mut told = told.body(answer.bytes().await?.to_vec()).expect("headers that have come may go");
    for change in &mut lock(&shared.lies).files {
        change(&asked.path, &mut told);
    }
    let (head, body) = told.into_parts();
    Ok(response(head.status.as_u16(), &head.headers, Full::new(Bytes::from(body)).boxed()))
}

pub(super) async fn give_back(shared: &Shared, asked: &Asked, answer: reqwest::Response) -> Served {
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
pub(super) async fn learn(shared: &Shared, id: &str, request: &Passed) -> Result<bool, reqwest::Error> {
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

pub(super) fn response(status: u16, headers: &HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        if !OWN_HEADERS.contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    response.body(body).expect("headers that have come may go")
}
