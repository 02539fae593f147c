//! Reads an event stream's raw bytes just far enough to know which events it carries: HTTP head,
//! chunked framing (RFC 9112 section 7.1) where there is one, and of server-sent events (WHATWG HTML
//! section 9.2) the fields `id` and `event`. No JSON is parsed: thousands of readers share the server's
//! processor.
//!
//! A stream of nchan differs: it greets with the comment `hi`, and its ids count nothing, so the
//! sequence is the one with which the message begins.

use anyhow::{Result, bail};

use crate::http::Head;

/// What a stream said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The stream goes on from this sequence.
    Hello(u64),
    /// An event of the room's log, with its sequence.
    Event(u64),
    /// The cursor was of no use, or the room has gone.
    Broken,
}

/// One stream's state between two reads.
#[derive(Default)]
pub(crate) struct StreamBytes {
    frame: Frame,
    /// The beginning of a line whose end has not come yet. Of long lines nothing but the beginning
    /// matters, so it stays short.
    line: Vec<u8>,
    id: Option<u64>,
    kind: Kind,
}

/// What comes next in the HTTP message.
enum Frame {
    Head(Vec<u8>),
    /// A chunk's length, in hexadecimal digits; `true` once a character that ends them has come.
    Length(usize, bool),
    Chunk(usize),
    /// The line break after a chunk.
    AfterChunk,
    /// Not chunked: all that comes until the connection ends.
    Rest,
}

impl Default for Frame {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    Hello,
    /// What carries no sequence of its own.
    Signal,
    Broken,
    #[default]
    Log,
}

/// Longer than any field this looks at.
const LINE_START: usize = 32;

impl StreamBytes {
    /// Takes the next bytes and reports what they said, in order.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut report: impl FnMut(Said)) -> Result<()> {
        while !bytes.is_empty() {
            match &mut self.frame {
                Frame::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    let Some(head) = Head::parse(head)? else { return Ok(()) };
                    if head.status != 200 {
                        bail!("a stream was answered {}", head.status);
                    }
                    bytes = &bytes[head.bytes - before..];
                    self.frame = if head.chunked { Frame::Length(0, false) } else { Frame::Rest };
                }
                Frame::Length(length, ended) => {
                    match (char::from(bytes[0]).to_digit(16), bytes[0]) {
                        (Some(digit), _) if !*ended => *length = *length * 16 + digit as usize,
                        (_, b'\n') if *length == 0 => bail!("the server ended the stream"),
                        (_, b'\n') => self.frame = Frame::Chunk(*length),
                        _ => *ended = true,
                    }
                    bytes = &bytes[1..];
                }
                Frame::Chunk(left) => {
                    let (chunk, rest) = bytes.split_at(bytes.len().min(*left));
                    *left -= chunk.len();
                    if *left == 0 {
                        self.frame = Frame::AfterChunk;
                    }
                    bytes = rest;
                    self.take_lines(chunk, &mut report);
                }
                Frame::Rest => {
                    self.take_lines(bytes, &mut report);
                    return Ok(());
                }
                Frame::AfterChunk => {
                    if bytes[0] == b'\n' {
                        self.frame = Frame::Length(0, false);
                    }
                    bytes = &bytes[1..];
                }
            }
        }
        Ok(())
    }

    fn take_lines(&mut self, mut bytes: &[u8], report: &mut impl FnMut(Said)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.line.is_empty() {
                self.take_line(&bytes[..end], report);
            } else {
                self.keep(&bytes[..end]);
                let mut line = std::mem::take(&mut self.line);
                self.take_line(&line, report);
                line.clear();
                self.line = line;
            }
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_START.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take_line(&mut self, line: &[u8], report: &mut impl FnMut(Said)) {
        if let Some(id) = line.strip_prefix(b"id: ") {
            self.id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        } else if let Some(json) = line.strip_prefix(b"data: {\"seq\":").filter(|_| self.id.is_none()) {
            let digits = json.iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.id = std::str::from_utf8(&json[..digits]).ok().and_then(|seq| seq.parse().ok());
        } else if line == b": hi" {
            report(Said::Hello(0));
        } else if let Some(kind) = line.strip_prefix(b"event: ") {
            self.kind = match kind {
                b"hello" => Kind::Hello,
                b"signal" => Kind::Signal,
                b"reset" | b"closed" => Kind::Broken,
                _ => Kind::Log,
            };
        } else if line.is_empty() {
            match (self.kind, self.id) {
                (Kind::Hello, Some(id)) => report(Said::Hello(id)),
                (Kind::Log, Some(id)) => report(Said::Event(id)),
                (Kind::Broken, _) => report(Said::Broken),
                _ => {}
            }
            self.id = None;
            self.kind = Kind::Log;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn chunked(text: &str, size: usize) -> Vec<u8> {
        let chunks = text.as_bytes().chunks(size);
        chunks.flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).collect()
    }

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let text = format!(
            "retry: 2350\n\nid: 41\nevent: hello\ndata: {{}}\n\n: keep-alive\n\nevent: signal\ndata: {{}}\n\n\
             id: 42\nevent: message\ndata: {{\"body\":\"{}\"}}\n\nid: 43\nevent: message\ndata: {{}}\n\n",
            "id: 7".repeat(20)
        );
        for chunk in [1, 7, 1000] {
            for read in [1, 3, 64, 10_000] {
                let bytes = [HEAD.as_bytes(), &chunked(&text, chunk)].concat();
                let mut stream = StreamBytes::default();
                let mut said = Vec::new();
                for piece in bytes.chunks(read) {
                    stream.take(piece, |what| said.push(what)).expect("a valid stream");
                }
                assert_eq!(said, [Said::Hello(41), Said::Event(42), Said::Event(43)], "chunks {chunk}, reads {read}");
            }
        }
    }

    #[test]
    fn a_stream_of_nchan_is_read_too() {
        let text =
            ": hi\n\nid: 1795569117:0\ndata: {\"seq\":1,\"body\":\"x\"}\n\nid: 1795569117:1\ndata: {\"seq\":2}\n\n";
        let bytes = format!("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n{text}");
        for read in [1, 20, 1000] {
            let (mut stream, mut said) = (StreamBytes::default(), Vec::new());
            for piece in bytes.as_bytes().chunks(read) {
                stream.take(piece, |what| said.push(what)).expect("a valid stream");
            }
            assert_eq!(said, [Said::Hello(0), Said::Event(1), Said::Event(2)], "reads {read}");
        }
    }

    #[test]
    fn a_stream_that_ends_or_never_begins_is_an_error() {
        let ended = [HEAD.as_bytes(), b"0\r\n\r\n"].concat();
        assert!(StreamBytes::default().take(&ended, |_| {}).is_err());
        assert!(StreamBytes::default().take(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", |_| {}).is_err());
    }
}
