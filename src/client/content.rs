//! What stands inside envelopes: JSON, of which unknown members are ignored and repeated ones are refused.

use serde::{Deserialize, Serialize};

use crate::bytes::{Base64, LinkId, MemberId, Sealed};
use crate::keys::Signer;
use crate::window::Window;

/// What somebody says. Which members there are follows from the event's kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// When it was written, by the writer's clock, in Unix milliseconds.
    pub at_ms: u64,
    /// Of a message or an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<SentFile>>,
    /// Of a reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Whether a reaction is added or taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// The `client_id` of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// Of a card: what its holder is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a card: the holder's box key. Whether it is a key at all is asked where a box is made: a weak one leaves its
    /// holder out of renewals, and changes nothing else.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub box_key: Option<Base64<32>>,
    /// Of a card: the signature of the epoch's admit key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admit: Option<Base64<64>>,
    /// Of a card: the link that its holder came by. A hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<LinkId>,
    /// Of a statement: all that the owner says of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What the writer's device had seen; null where it had seen nothing.
    #[serde(default)]
    pub prev: Option<Window>,
    /// The last post of the writer's device that was acknowledged, where it lies after `prev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// The `client_id` of the writer's earlier post that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

impl Content {
    /// # Errors
    /// Not UTF-8, not a JSON object, a repeated member, or one of another type.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        parse_object(bytes)
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a content is plain data")
    }
}

/// A file of a message, as whoever sent it calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFile {
    pub id: String,
    pub key: Base64<32>,
    pub name: String,
    #[serde(rename = "type")]
    pub media_type: String,
    /// Before it was filled up.
    pub size: u64,
    /// Of a voice message: how long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Of a voice message: how loud it is from its beginning to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waveform: Option<Base64<48>>,
}

/// What a signal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalContent {
    pub at_ms: u64,
    /// What the writer's device had seen; null where it had seen nothing.
    #[serde(default)]
    pub head: Option<Window>,
}

impl SignalContent {
    /// # Errors
    /// As [`Content::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        parse_object(bytes)
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a content is plain data")
    }
}

/// An own post and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    pub client_id: String,
    pub seq: u64,
}

/// All that the owner says of a room; every statement holds the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Empty for a room without a name.
    pub name: String,
    pub locked: bool,
    /// Null: messages stay as long as the room.
    pub message_ttl_s: Option<u64>,
    /// Counted from the last event. Never left to the server's default, which nobody signs.
    pub expires_in_s: u64,
    /// The shortest lifetime of messages that was ever in force, or null: what explains a log that begins late.
    pub ever_ttl: Option<u64>,
    /// The room's link, sealed so that members can pass it on and readers cannot.
    pub invite: Option<Sealed>,
    /// At most five. This client shows none, and leaves them as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
}

/// A message that the owner pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub seq: u64,
    /// Its `client_id`.
    pub id: String,
}

/// A person who stays at a renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub signer: Signer,
    pub author: MemberId,
    #[serde(rename = "box")]
    pub box_key: Base64<32>,
    pub name: String,
}

/// Serde reads a struct from an array as well; what is signed must have one reading.
pub(crate) fn parse_object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(serde::de::Error::custom("not a JSON object"));
    }
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_may_know_more_but_says_nothing_twice() {
        let read = |text: &str| Content::parse(text.as_bytes());
        let content = read(r#"{"at_ms":1,"text":"a","mood":"good","prev":null}"#).expect("unknown members are ignored");
        assert_eq!(content, Content { at_ms: 1, text: Some("a".to_owned()), ..Content::default() });
        assert_eq!(content.to_json(), br#"{"at_ms":1,"text":"a","prev":null}"#);
        let file = r#"{"id":"0a","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","name":"n","type":"t","size":1,"thumb":"AA"}"#;
        let content = read(&format!(r#"{{"at_ms":1,"text":"","files":[{file}]}}"#)).expect("with a file");
        assert_eq!(content.files.expect("one").first().map(|file| file.name.as_str()), Some("n"));
        let spoken = |heights: usize| {
            let waveform = "A".repeat(heights);
            file.replace("\"thumb\":\"AA\"", &format!("\"duration_ms\":1200,\"waveform\":\"{waveform}\""))
        };
        let content =
            read(&format!(r#"{{"at_ms":1,"text":"","files":[{}]}}"#, spoken(64))).expect("with a voice message");
        assert_eq!(content.files.expect("one").first().and_then(|file| file.duration_ms), Some(1200));
        assert!(read(&format!(r#"{{"at_ms":1,"text":"","files":[{}]}}"#, spoken(60))).is_err(), "too few heights");
        for refused in [
            r#"{"at_ms":1,"text":"a","files":[{"name":"n"}]}"#,
            r#"{"at_ms":1,"text":"a","text":"b"}"#,
            r#"{"at_ms":-1}"#,
            r#"{"text":"a"}"#,
            r#"[1,"a"]"#,
            r#"{"at_ms":1} {}"#,
            r#"{"at_ms":1,"prev":{"seq":1,"from":1,"digest":"AA"}}"#,
            "",
        ] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_state_keeps_what_is_pinned_though_this_client_shows_none() {
        let read = |text: &str| serde_json::from_str::<State>(text);
        let bare = r#"{"name":"","locked":false,"message_ttl_s":null,"expires_in_s":60,"ever_ttl":null,"invite":null"#;
        for text in [format!("{bare}}}"), format!(r#"{bare},"pins":[{{"seq":7,"id":"x"}}]}}"#)] {
            let mut state = read(&text).expect("a state");
            assert_eq!(serde_json::to_string(&state).expect("JSON"), text);
            state.locked = true;
            assert_eq!(serde_json::to_string(&state).expect("JSON"), text.replacen("false", "true", 1));
        }
        assert!(read(&format!(r#"{bare},"pins":[7]}}"#)).is_err());
    }
}
