//! One entry of a room's log, as every reader gets it.

use serde::{Deserialize, Serialize};

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Message,
    Edit,
    Delete,
    React,
    Card,
    Room,
    Change,
    Rotate,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::React => "react",
            Self::Card => "card",
            Self::Room => "room",
            Self::Change => "change",
            Self::Rotate => "rotate",
        }
    }
}

/// An event in JSON. `seq` is dense from 1; `client_id` a hyphenated UUID; `author` 32 hex
/// characters or null; `body` opaque text, empty once erased; times are Unix milliseconds.
#[derive(Debug, Serialize)]
pub struct Event {
    pub seq: i64,
    pub kind: String,
    pub client_id: String,
    pub author: Option<String>,
    pub target: Option<i64>,
    pub body: String,
    pub sent_at_ms: i64,
    /// Of a room with keys, and not in its JSON: the envelope says it.
    #[serde(skip)]
    pub epoch: Option<i64>,
    /// SHA-256 of the body as it was appended, in 64 hex characters, where the body was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased: Option<String>,
}

/// A signal as a stream shows it. `author` as in an event.
#[derive(Debug, Serialize)]
pub struct SentSignal {
    pub kind: String,
    pub author: Option<String>,
    pub body: String,
    pub sent_at_ms: i64,
    pub expires_at_ms: i64,
}

/// A card in a list of members: its event, and the epoch it belongs to.
#[derive(Debug, Serialize)]
pub struct SentCard {
    #[serde(flatten)]
    pub event: Event,
    pub epoch: i64,
}

/// Where a room's log stands, as `hello` and `reset` tell it. `log` names its incarnation.
#[derive(Debug, Serialize)]
pub struct Mark<'a> {
    pub log: &'a str,
    pub first_seq: i64,
    pub last_seq: i64,
    /// For how many seconds a stream lasts, where that is short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_max_s: Option<i64>,
}
