//! The server's encoder of events and the page's parser against each other: whatever is said, and wherever the
//! network cuts it, comes out as it went in. The encoder is linked into this test, the parser runs as it is in
//! Node, and neither knows the other.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buddy_domain::{comment, frame, retry};
use buddy_tests::project_root;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

/// Reads lines of JSON, each an array of chunks in base64 that make up one stream, and answers with what the
/// parser made of them.
const PARSE: &str = r"
    import { createInterface } from 'node:readline';
    const { SseParser } = await import(process.argv[1]);
    for await (const line of createInterface({ input: process.stdin })) {
        const parser = new SseParser();
        const frames = JSON.parse(line).flatMap((chunk) => parser.push(Buffer.from(chunk, 'base64')));
        process.stdout.write(JSON.stringify({ frames, retry: parser.retry }) + '\n');
    }
";

/// The page's parser in a process of its own, which ends with its input.
struct Parser {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

#[derive(Debug, Deserialize)]
struct Parsed {
    frames: Vec<Frame>,
    retry: Option<u32>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Frame {
    event: String,
    data: String,
    /// The last id seen, of this frame or an earlier one.
    id: String,
}

impl Parser {
    fn start() -> Self {
        let module = project_root().join("static/wire/sse.js");
        let mut child = Command::new("node")
            .args(["--input-type=module", "--eval", PARSE])
            .arg(format!("file://{}", module.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("the output is piped"));
        Self { child, input, output }
    }

    fn parse(&mut self, chunks: &[&[u8]]) -> Parsed {
        let chunks: Vec<String> = chunks.iter().map(|chunk| STANDARD.encode(chunk)).collect();
        let input = self.input.as_mut().expect("the input is open until the end");
        writeln!(input, "{}", json!(chunks)).expect("Node reads");
        input.flush().expect("Node reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("Node answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// What a server may say.
#[derive(Clone, Debug)]
enum Said {
    Event { id: Option<i64>, event: &'static str, data: Value },
    Retry(u32),
    Comment,
}

impl Said {
    fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Event { id, event, data } => frame(*id, event, data),
            Self::Retry(milliseconds) => retry(*milliseconds),
            Self::Comment => comment(),
        }
    }
}

const NAMES: &[&str] = &["hello", "reset", "message", "edit", "delete", "react", "room", "signal", "closed"];

/// What a careless encoder or parser would take for something else.
const HARD: &[&str] =
    &["\n", "\r", "\r\n", "\u{feff}", "\0", "data: ", ":", "id: 9\n\n", "\u{2028}", "😀", "e\u{301}", ""];

/// Any text; ends of lines, marks of byte order and what looks like a field more often than chance has it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), vec(proptest::sample::select(HARD), 0..12).prop_map(|parts| parts.concat())]
}

/// Data as the server sends it: an object of texts and numbers, or an array of such.
fn data() -> impl Strategy<Value = Value> {
    prop_oneof![object(), vec(object(), 0..3).prop_map(Value::Array), text().prop_map(Value::String)]
}

fn object() -> impl Strategy<Value = Value> {
    let value = prop_oneof![text().prop_map(Value::String), any::<i64>().prop_map(Value::from), Just(Value::Null)];
    vec((text(), value), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn said() -> impl Strategy<Value = Said> {
    let event = (option::of(0_i64..), proptest::sample::select(NAMES), data());
    prop_oneof![
        8 => event.prop_map(|(id, event, data)| Said::Event { id, event, data }),
        1 => any::<u32>().prop_map(Said::Retry),
        1 => Just(Said::Comment),
    ]
}

/// Cuts bytes after each of these lengths in turn; what is left is the last piece.
fn cut<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &length in lengths {
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

#[test]
fn whatever_the_server_encodes_the_page_reads_however_it_is_cut() {
    let parser = Mutex::new(Parser::start());
    let lengths = prop_oneof![vec(0_usize..40, 0..200), vec(0_usize..4, 0..2000)];
    proptest!(ProptestConfig::with_cases(600), |(stream in vec(said(), 0..12), lengths in lengths)| {
        let bytes: Vec<u8> = stream.iter().flat_map(Said::encoded).collect();
        let mut expected = Vec::new();
        let (mut last_id, mut retry) = (String::new(), None);
        for said in &stream {
            match said {
                Said::Event { id, event, data } => {
                    last_id = id.map_or(last_id, |id| id.to_string());
                    expected.push((last_id.clone(), (*event).to_owned(), data.clone()));
                }
                Said::Retry(milliseconds) => retry = Some(*milliseconds),
                Said::Comment => {}
            }
        }
        let parsed = parser.lock().expect("nobody panics with the lock").parse(&cut(&bytes, &lengths));
        let read: Vec<_> = parsed
            .frames
            .into_iter()
            .map(|Frame { id, event, data }| (id, event, serde_json::from_str(&data).expect("the data is JSON")))
            .collect();
        prop_assert_eq!(read, expected);
        prop_assert_eq!(parsed.retry, retry);
    });
}

#[test]
fn a_stream_cut_at_any_one_byte_says_the_same() {
    let mut parser = Parser::start();
    let event = json!({ "seq": 7, "kind": "message", "body": "Zoë: 😀\u{feff}\r\n\u{2028}data: x" });
    let bytes = [retry(2350), frame(Some(7), "message", &event), comment()].concat();
    for at in 0..=bytes.len() {
        let (before, after) = bytes.split_at(at);
        let parsed = parser.parse(&[before, after]);
        assert_eq!(parsed.retry, Some(2350), "cut at {at}");
        let [Frame { event: name, data, id }] = &parsed.frames[..] else { panic!("cut at {at}: {parsed:?}") };
        assert_eq!((name.as_str(), id.as_str()), ("message", "7"), "cut at {at}");
        assert_eq!(serde_json::from_str::<Value>(data).expect("the data is JSON"), event, "cut at {at}");
    }
}
