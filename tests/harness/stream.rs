//! Reads a server-sent-events stream from a bare TCP connection, so that nothing between the server's bytes
//! and a test can smooth them over. Fields are taken as `docs/protocol.md` writes them: `name: value`, lines
//! ending in a line feed, a blank line after each block.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::DEADLINE;
use crate::contract::{self, Exchange};

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    head: Head,
    /// Bytes from the socket that have not been taken apart yet.
    unread: Vec<u8>,
    /// The chunk being read: how many of its bytes are to come.
    left_in_chunk: usize,
    ended: bool,
    /// Whether events are held to `docs/openapi.yaml`.
    is_described: bool,
    /// Content that has not been handed out yet.
    content: Vec<u8>,
    /// The chunks received so far, as the server framed them.
    chunks: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

/// The connection ended in the middle of the answer.
#[derive(Debug)]
pub struct BrokenOff(String);

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stream broke off: {}", self.0)
    }
}

impl From<std::io::Error> for BrokenOff {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// The lines up to a blank line: an event, `retry`, or a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    text: String,
}

impl Block {
    pub(crate) fn of(text: String) -> Self {
        Self { text }
    }

    /// Exactly as sent, without the blank line that ends it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value of a field, or none where the block has no such line.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.text.split('\n').find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The event's name; a comment or `retry` alone has none.
    pub fn event(&self) -> Option<&str> {
        self.field("event")
    }

    /// The `id` as a sequence.
    pub fn id(&self) -> Option<u64> {
        self.field("id").map(|id| id.parse().unwrap_or_else(|_| panic!("an id is a sequence: {self:?}")))
    }

    /// The event's data.
    #[track_caller]
    pub fn data(&self) -> Value {
        let data = self.field("data").unwrap_or_else(|| panic!("no data in {self:?}"));
        serde_json::from_str(data).unwrap_or_else(|error| panic!("the data of {self:?} is not JSON: {error}"))
    }

    /// Whether every line is a comment.
    pub fn is_comment(&self) -> bool {
        self.text.split('\n').all(|line| line.starts_with(':'))
    }
}

impl Stream {
    /// Sends the request and reads the head of the answer; a broken connection fails the test.
    pub async fn open(address: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        timeout(DEADLINE, Self::try_open(address, path, headers))
            .await
            .unwrap_or_else(|_| panic!("no answer to GET {path}"))
            .unwrap_or_else(|broken| panic!("GET {path}: {broken}"))
    }

    /// Like [`Stream::open`], for tests in which connections are meant to break.
    pub async fn try_open(address: &str, path: &str, headers: &[(&str, &str)]) -> Result<Self, BrokenOff> {
        let mut socket = TcpStream::connect(address).await?;
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut stream = Self {
            socket,
            head: Head::default(),
            unread: Vec::new(),
            left_in_chunk: 0,
            ended: false,
            is_described: false,
            content: Vec::new(),
            chunks: Vec::new(),
        };
        let head = stream.read_until(b"\r\n\r\n").await?;
        stream.head = parse_head(&head)?;
        // An answer that is not a stream says how long it is; it is read as if it were one chunk.
        if let Some(length) = stream.header("content-length") {
            let length = length.parse().map_err(|_| BrokenOff("bad content-length".to_owned()))?;
            while stream.unread.len() < length {
                stream.fill().await?;
            }
            stream.content = std::mem::take(&mut stream.unread);
            stream.ended = true;
        }
        Ok(stream)
    }

    /// Fails unless the head, and the body of a refusal, are as `docs/openapi.yaml` says, and the log's events from now on.
    pub(crate) fn must_be_described(mut self, path: &str) -> Self {
        let fields = self.head.headers.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        });
        let headers = HeaderMap::from_iter(fields);
        let status = self.head.status;
        let exchange = Exchange { method: "GET", path, sent: None, status, headers: &headers, body: &self.content };
        if let Err(wrong) = contract::check(&exchange) {
            panic!("GET {path}: not as docs/openapi.yaml says: {wrong}\n{:?}", self.head);
        }
        self.is_described = true;
        self
    }

    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// A header's value by its lowercase name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The content of an answer that is not a stream.
    pub fn body(&self) -> &[u8] {
        &self.content
    }

    /// The chunks received so far: the frames that the server wrote.
    pub fn chunks(&self) -> &[Vec<u8>] {
        &self.chunks
    }

    /// The next block, or none where the server ended the answer properly.
    pub async fn try_next(&mut self) -> Result<Option<Block>, BrokenOff> {
        loop {
            if let Some(end) = find(&self.content, b"\n\n") {
                let block: Vec<u8> = self.content.drain(..end + 2).take(end).collect();
                let text = String::from_utf8(block).map_err(|_| BrokenOff("not UTF-8".to_owned()))?;
                let block = Block { text };
                if let (true, Some(event), Some(data)) = (self.is_described, block.event(), block.field("data"))
                    && let Err(wrong) = contract::check_event(event, data)
                {
                    panic!("not an event as docs/openapi.yaml says: {wrong}\n{block:?}");
                }
                return Ok(Some(block));
            }
            if self.ended {
                return match self.content.is_empty() {
                    true => Ok(None),
                    false => Err(BrokenOff("the answer ended within an event".to_owned())),
                };
            }
            self.read_chunk_part().await?;
        }
    }

    /// The next block, or none at the proper end; a broken connection or silence fails the test.
    pub async fn next(&mut self) -> Option<Block> {
        timeout(DEADLINE, self.try_next())
            .await
            .unwrap_or_else(|_| panic!("the stream stayed silent"))
            .unwrap_or_else(|broken| panic!("{broken}"))
    }

    /// The next event, comments and `retry` passed over.
    pub async fn next_event(&mut self) -> Block {
        let silence = tokio::time::Instant::now() + DEADLINE;
        loop {
            assert!(tokio::time::Instant::now() < silence, "no event came, only comments");
            let block = self.next().await.unwrap_or_else(|| panic!("the stream ended"));
            if block.event().is_some() {
                return block;
            }
        }
    }

    /// The data of the first event, which must be `hello`.
    pub async fn hello(&mut self) -> Block {
        let hello = self.next_event().await;
        assert_eq!(hello.event(), Some("hello"), "{hello:?}");
        hello
    }

    /// The next event of the given name; others before it are passed over.
    pub async fn next_named(&mut self, name: &str) -> Block {
        loop {
            let event = self.next_event().await;
            if event.event() == Some(name) {
                return event;
            }
        }
    }

    /// The log's events up to and including the one with this sequence; `hello` and signals are passed over.
    pub async fn events_until(&mut self, seq: u64) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let block = self.next_event().await;
            assert_ne!(block.event(), Some("reset"), "{block:?}");
            let Some(id) = block.id().filter(|_| block.event() != Some("hello")) else { continue };
            let data = block.data();
            assert_eq!(data["seq"], id, "{block:?}");
            events.push(data);
            if id >= seq {
                return events;
            }
        }
    }

    /// Reads on to the end that the server makes, and returns the events on the way.
    pub async fn rest(&mut self) -> Vec<Block> {
        let mut events = Vec::new();
        while let Some(block) = self.next().await {
            if block.event().is_some() {
                events.push(block);
            }
        }
        events
    }

    async fn read_chunk_part(&mut self) -> Result<(), BrokenOff> {
        if self.left_in_chunk == 0 {
            let line = self.read_until(b"\r\n").await?;
            let text = std::str::from_utf8(&line).unwrap_or_default().trim();
            let size = usize::from_str_radix(text, 16).map_err(|_| BrokenOff(format!("chunk size {text:?}")))?;
            if size == 0 {
                self.ended = true;
                return Ok(());
            }
            self.left_in_chunk = size;
            self.chunks.push(Vec::with_capacity(size));
        }
        while self.unread.is_empty() {
            self.fill().await?;
        }
        let part: Vec<u8> = self.unread.drain(..self.left_in_chunk.min(self.unread.len())).collect();
        self.left_in_chunk -= part.len();
        self.chunks.last_mut().expect("a chunk was begun").extend_from_slice(&part);
        self.content.extend_from_slice(&part);
        if self.left_in_chunk == 0 {
            self.read_until(b"\r\n").await?;
        }
        Ok(())
    }

    async fn read_until(&mut self, mark: &[u8]) -> Result<Vec<u8>, BrokenOff> {
        loop {
            if let Some(at) = find(&self.unread, mark) {
                return Ok(self.unread.drain(..at + mark.len()).collect());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), BrokenOff> {
        match self.socket.read_buf(&mut self.unread).await? {
            0 => Err(BrokenOff("the connection was closed within the answer".to_owned())),
            _ => Ok(()),
        }
    }
}

fn parse_head(head: &[u8]) -> Result<Head, BrokenOff> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(head).map_err(|error| BrokenOff(format!("a malformed head: {error}")))?;
    let status = response.code.filter(|_| parsed.is_complete());
    let status = status.ok_or_else(|| BrokenOff("a head that is not complete".to_owned()))?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response.headers.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect();
    Ok(Head { status, headers })
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
