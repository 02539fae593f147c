//! How a liar streams: its told log to each reader, and everything else as the server sends it or the lies have it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::log::Room;
use super::serve::{Passed, Served, give_back, learn, pass, response};
use super::{Asked, Shared, lock};
use crate::Block;

pub(super) async fn stream(shared: &Arc<Shared>, asked: Asked, request: Passed) -> Served {
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

type SyncFrames = Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync>>;

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
