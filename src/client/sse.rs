//! Server-sent events (WHATWG HTML, section 9.2), read from whatever pieces the network hands over.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// `message` where the server gave no name.
    pub event: String,
    pub data: String,
    /// The last `id` on the stream so far.
    pub id: Option<String>,
}

/// Takes bytes in, and gives events out once they are whole.
#[derive(Debug, Default)]
pub struct Parser {
    unread: Vec<u8>,
    event: String,
    data: Option<String>,
    id: Option<String>,
    retry_ms: Option<u64>,
    after_return: bool,
}

impl Parser {
    /// How long the server asks clients to wait before they come back, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Takes the next bytes; gives the events that they complete. What is not UTF-8 is replaced, as browsers do.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for byte in bytes {
            // A line ends with a line feed, a return, or both.
            let follows_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned();
                    frames.extend(self.take_line(&line));
                }
                _ => self.unread.push(*byte),
            }
        }
        frames
    }

    fn take_line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let data = self.data.take()?;
            let event = if event.is_empty() { "message".to_owned() } else { event };
            return Some(Frame { event, data, id: self.id.clone() });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            // A comment has an empty name; other fields are for later versions.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "retry: 2350\n\n: keep-alive\n\nid: 41\nevent: hello\ndata: {\"a\":1}\n\nid: 42\nevent: message\ndata: é\ndata:two\n\n";

    #[test]
    fn events_comments_and_retry_are_told_apart() {
        let mut parser = Parser::default();
        let frames = parser.push(TEXT.as_bytes());
        let frame = |event: &str, data: &str, id: &str| Frame {
            event: event.to_owned(),
            data: data.to_owned(),
            id: Some(id.to_owned()),
        };
        assert_eq!(frames, [frame("hello", "{\"a\":1}", "41"), frame("message", "é\ntwo", "42")]);
        assert_eq!(parser.retry_ms(), Some(2350));
    }

    proptest! {
        #[test]
        fn pieces_and_line_ends_make_no_difference(cuts in proptest::collection::vec(any::<usize>(), 0..12), end in 0usize..3) {
            let text = TEXT.replace('\n', ["\n", "\r", "\r\n"][end]);
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let frames: Vec<Frame> = cuts.windows(2).flat_map(|cut| parser.push(&bytes[cut[0]..cut[1]])).collect();
            prop_assert_eq!(frames, Parser::default().push(TEXT.as_bytes()));
        }
    }
}
