//! What a device had seen when it wrote (docs/protocol.md, "Windows"): a digest over the last lines of the log as it
//! held them. Whoever holds the same lines can tell whether the server showed both the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bytes::{Base64, Hex, MemberId, RoomId, sha256};

/// The most lines that one window covers.
pub const WINDOW_LINES: u64 = 64;

/// What stands for an event in a window: everything but its body, and the body's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub seq: u64,
    pub kind: String,
    pub client_id: String,
    pub author: Option<MemberId>,
    pub target: Option<u64>,
    pub sent_at_ms: u64,
    /// SHA-256 of the body as it was appended.
    pub body_hash: Hex<32>,
}

impl Line {
    /// `seq|kind|client_id|author|target|sent_at_ms|H(body)`, absent fields empty.
    pub fn text(&self) -> String {
        let author = self.author.map(|author| author.to_string()).unwrap_or_default();
        let target = self.target.map(|target| target.to_string()).unwrap_or_default();
        let Self { seq, kind, client_id, sent_at_ms, body_hash, .. } = self;
        format!("{seq}|{kind}|{client_id}|{author}|{target}|{sent_at_ms}|{body_hash}")
    }
}

/// The signed part of an event's content that says what its writer had seen: the lines `from` to `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub seq: u64,
    pub from: u64,
    pub digest: Base64<32>,
}

/// How a window compares with the lines that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Fits,
    /// The server showed the two of them something different, or the writer lies.
    Differs,
    /// Some of its lines are not held, so nothing can be said.
    NotHeld,
}

/// The lines of a room's log that are held, with whatever gaps there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<u64, Held>);

/// A line with its text, which every window over it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    line: Line,
    text: String,
}

impl Lines {
    pub fn insert(&mut self, line: Line) {
        self.0.insert(line.seq, Held { text: line.text(), line });
    }

    pub fn get(&self, seq: u64) -> Option<&Line> {
        self.0.get(&seq).map(|held| &held.line)
    }

    /// The last sequence held; 0 for none.
    pub fn last(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// All lines, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.0.values().map(|held| &held.line)
    }

    /// Forgets all but the newest `count`, which must be at least [`WINDOW_LINES`] for windows to be judged.
    pub fn keep_newest(&mut self, count: usize) {
        while self.0.len() > count {
            self.0.pop_first();
        }
    }

    /// Forgets what stands after a sequence.
    pub fn forget_after(&mut self, seq: u64) {
        self.0.split_off(&(seq + 1));
    }

    /// The window that ends with the last line held; none where nothing was seen.
    pub fn window(&self, room: &RoomId) -> Option<Window> {
        let seq = self.last();
        let held = (1..=seq).rev().take_while(|at| self.0.contains_key(at)).take(WINDOW_LINES as usize);
        let from = held.last()?;
        Some(Window { seq, from, digest: self.digest(room, from, seq)? })
    }

    /// Judges another's window.
    pub fn judge(&self, room: &RoomId, window: &Window) -> Fit {
        let size = window.seq.checked_sub(window.from);
        if window.from == 0 || size.is_none_or(|size| size >= WINDOW_LINES) {
            return Fit::Differs;
        }
        match self.digest(room, window.from, window.seq) {
            None => Fit::NotHeld,
            Some(digest) if digest == window.digest => Fit::Fits,
            Some(_) => Fit::Differs,
        }
    }

    fn digest(&self, room: &RoomId, from: u64, to: u64) -> Option<Base64<32>> {
        let texts: Option<Vec<&str>> = (from..=to).map(|seq| self.0.get(&seq).map(|held| held.text.as_str())).collect();
        let text = format!("buddy/v2/log\0{room}\0{}", texts?.join("\n"));
        Some(Base64(sha256(text.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: RoomId = Hex([0xab; 32]);

    fn line(seq: u64) -> Line {
        Line {
            seq,
            kind: "message".to_owned(),
            client_id: format!("id {seq}"),
            author: None,
            target: None,
            sent_at_ms: 1_000 + seq,
            body_hash: Hex([seq as u8; 32]),
        }
    }

    fn lines(range: std::ops::RangeInclusive<u64>) -> Lines {
        let mut lines = Lines::default();
        range.for_each(|seq| lines.insert(line(seq)));
        lines
    }

    #[test]
    fn a_window_covers_what_was_held_without_a_gap() {
        assert_eq!(Lines::default().window(&ROOM), None);
        let window = |lines: Lines| lines.window(&ROOM).map(|window| (window.from, window.seq));
        assert_eq!(window(lines(1..=3)), Some((1, 3)));
        assert_eq!(window(lines(1..=100)), Some((37, 100)));
        let mut gap = lines(1..=10);
        gap.0.remove(&6);
        assert_eq!(window(gap), Some((7, 10)));
    }

    #[test]
    fn what_is_not_wholly_held_is_not_judged() {
        let window = lines(1..=100).window(&ROOM).expect("lines are held");
        assert_eq!(lines(37..=100).judge(&ROOM, &window), Fit::Fits);
        assert_eq!(lines(38..=100).judge(&ROOM, &window), Fit::NotHeld);
        assert_eq!(lines(37..=99).judge(&ROOM, &window), Fit::NotHeld);
        assert_eq!(lines(37..=100).judge(&Hex([1; 32]), &window), Fit::Differs, "another room");
    }

    #[test]
    fn a_window_of_no_form_is_a_lie() {
        let digest = Base64([0; 32]);
        for (from, seq) in [(0, 3), (4, 3), (1, 65), (1, u64::MAX)] {
            assert_eq!(lines(1..=100).judge(&ROOM, &Window { seq, from, digest }), Fit::Differs, "{from} to {seq}");
        }
    }

    proptest! {
        #[test]
        fn any_change_of_any_line_shows(last in 1u64..150, at in any::<u64>(), what in 0..6) {
            let honest = lines(1..=last);
            let window = honest.window(&ROOM).expect("lines are held");
            let at = window.from + at % (window.seq - window.from + 1);
            let mut shown = honest.clone();
            let mut line = shown.get(at).expect("it is held").clone();
            match what {
                0 => line.kind.push('x'),
                1 => line.client_id.push('x'),
                2 => line.author = Some(Hex([1; 16])),
                3 => line.target = Some(1),
                4 => line.sent_at_ms += 1,
                _ => line.body_hash = Hex([0xff; 32]),
            }
            shown.insert(line);
            prop_assert_eq!(shown.judge(&ROOM, &window), Fit::Differs);
            prop_assert_eq!(honest.judge(&ROOM, &window), Fit::Fits);
        }
    }
}
