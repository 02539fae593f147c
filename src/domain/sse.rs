//! Server-sent events (WHATWG HTML, section 9.2): what leaves as one frame each.

use serde::Serialize;

/// One event on one `data` line; JSON escapes every line break there may be in it.
pub fn frame(id: Option<i64>, event: &str, data: &impl Serialize) -> Vec<u8> {
    let mut frame = id.map_or_else(String::new, |id| format!("id: {id}\n")).into_bytes();
    frame.extend_from_slice(format!("event: {event}\ndata: ").as_bytes());
    serde_json::to_writer(&mut frame, data).expect("events are plain data");
    frame.extend_from_slice(b"\n\n");
    frame
}

/// How long a client waits before it comes back, in milliseconds.
pub fn retry(milliseconds: u32) -> Vec<u8> {
    format!("retry: {milliseconds}\n\n").into_bytes()
}

/// A comment, which keeps proxies and clients from giving the connection up.
pub fn comment() -> Vec<u8> {
    b": keep-alive\n\n".to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_stays_on_one_line(text in any::<String>(), id in proptest::option::of(1i64..1000)) {
            let bytes = frame(id, "message", &text);
            let frame = String::from_utf8(bytes).expect("UTF-8");
            let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).expect("a data line");
            prop_assert_eq!(serde_json::from_str::<String>(data).expect("JSON"), text);
            prop_assert_eq!(frame.matches(['\n', '\r']).count(), if id.is_some() { 4 } else { 3 });
        }
    }
}
