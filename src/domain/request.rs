//! What callers send, checked here once: bodies, queries and the headers that say who they are.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Author, Error, Kind, MAX_SEQ, TokenHash};

/// Bytes of `about` at the most.
const ABOUT_MAX: usize = 4096;
/// The longest lifetime in seconds: a year.
const LIFETIME_MAX_S: i64 = 31_536_000;

/// Who asks: the hash of the bearer token, and the member id behind `buddy-author`.
#[derive(Clone, Copy, Default)]
pub struct Access {
    pub token: Option<TokenHash>,
    pub author: Option<Author>,
}

/// A new room. `None` stands for the server's default.
#[derive(Default)]
pub struct CreateRoom {
    pub read_token_hash: Option<TokenHash>,
    pub post_token_hash: Option<TokenHash>,
    pub owner_token_hash: Option<TokenHash>,
    pub expires_in_s: Option<i64>,
    /// 0: messages stay as long as the room.
    pub message_ttl_s: i64,
    pub about: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoom {
    read_token_hash: Option<String>,
    post_token_hash: Option<String>,
    owner_token_hash: Option<String>,
    expires_in_s: Option<i64>,
    message_ttl_s: Option<i64>,
    about: Option<String>,
}

impl CreateRoom {
    /// # Errors
    /// `InvalidRequest`: not an object of these fields, out of range, or hashes that make no sense together.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let raw: RawRoom = object(body)?;
        let hash = |name, text: Option<String>| text.map(|text| TokenHash::parse(name, &text)).transpose();
        let room = Self {
            read_token_hash: hash("read_token_hash", raw.read_token_hash)?,
            post_token_hash: hash("post_token_hash", raw.post_token_hash)?,
            owner_token_hash: hash("owner_token_hash", raw.owner_token_hash)?,
            expires_in_s: expires_in(raw.expires_in_s)?,
            message_ttl_s: message_ttl(raw.message_ttl_s)?,
            about: about(raw.about)?,
        };
        let hashes = [room.read_token_hash, room.post_token_hash, room.owner_token_hash];
        if room.read_token_hash.is_some() && room.post_token_hash.is_none() {
            return Err(Error::invalid("A read_token_hash needs a post_token_hash, or anyone could write."));
        }
        for (index, hash) in hashes.iter().enumerate() {
            if hash.is_some() && hashes[..index].contains(hash) {
                return Err(Error::invalid("The token hashes of a room must differ from each other."));
            }
        }
        Ok(room)
    }
}

/// A change of a room: the outer `None` leaves a thing as it is.
pub struct Change {
    pub locked: Option<bool>,
    pub expires_in_s: Option<Option<i64>>,
    pub message_ttl_s: Option<i64>,
    pub about: Option<Option<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChange {
    locked: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    expires_in_s: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    message_ttl_s: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    about: Option<Option<String>>,
}

impl Change {
    /// # Errors
    /// `InvalidRequest`: not an object of these fields, or out of range.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let raw: RawChange = object(body)?;
        Ok(Self {
            locked: raw.locked,
            expires_in_s: raw.expires_in_s.map(expires_in).transpose()?,
            message_ttl_s: raw.message_ttl_s.map(message_ttl).transpose()?,
            about: raw.about.map(about).transpose()?,
        })
    }
}

/// Something to append to a room's log.
pub struct Post {
    pub client_id: Uuid,
    pub kind: Kind,
    pub target: Option<i64>,
    pub body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPost {
    client_id: String,
    kind: Option<Kind>,
    target: Option<i64>,
    body: Option<String>,
}

impl Post {
    /// # Errors
    /// `InvalidRequest` for what is malformed, `TooLarge` for a body over `max_body_bytes`.
    pub fn parse(body: &[u8], max_body_bytes: usize) -> Result<Self, Error> {
        let raw: RawPost = object(body)?;
        let client_id = Uuid::parse_str(&raw.client_id)
            .ok()
            .filter(|id| id.hyphenated().to_string() == raw.client_id)
            .ok_or_else(|| Error::invalid("client_id must be a UUID in lowercase with hyphens."))?;
        let kind = raw.kind.unwrap_or(Kind::Message);
        if kind == Kind::Room {
            return Err(Error::invalid("Only the server appends events of kind room."));
        }
        if kind != Kind::Message && raw.target.is_none() {
            return Err(Error::invalid(format!("An event of kind {} needs a target.", kind.as_str())));
        }
        if raw.target.is_some_and(|target| !(1..=MAX_SEQ).contains(&target)) {
            return Err(Error::invalid("target must be the sequence number of a message."));
        }
        let body = match raw.body {
            None if kind == Kind::Delete => String::new(),
            Some(body) if body.is_empty() && kind == Kind::Delete => body,
            body => opaque(body.as_deref(), max_body_bytes)?.to_owned(),
        };
        Ok(Self { client_id, kind, target: raw.target, body })
    }
}

/// What a signal says.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    Here,
    Typing,
    Gone,
}

impl SignalKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Typing => "typing",
            Self::Gone => "gone",
        }
    }
}

/// Presence or typing, forgotten after 30 s.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    pub kind: SignalKind,
    pub body: String,
}

impl Signal {
    /// # Errors
    /// As `Post::parse`.
    pub fn parse(body: &[u8], max_body_bytes: usize) -> Result<Self, Error> {
        let signal: Self = object(body)?;
        opaque(Some(&signal.body), max_body_bytes)?;
        Ok(signal)
    }
}

/// Which part of the log is asked for.
pub enum Page {
    Newest { limit: i64 },
    After { seq: i64, limit: i64 },
    Before { seq: i64, limit: i64 },
}

/// The page that a query string asks for.
///
/// # Errors
/// `InvalidRequest`: out of range, doubled, or both cursors at once.
pub fn page(query: &str) -> Result<Page, Error> {
    let after = parameter(query, "after")?.map(|text| number("after", &text, 0, MAX_SEQ)).transpose()?;
    let before = parameter(query, "before")?.map(|text| number("before", &text, 1, MAX_SEQ)).transpose()?;
    let limit = parameter(query, "limit")?.map_or(Ok(50), |text| number("limit", &text, 1, 200))?;
    match (after, before) {
        (Some(_), Some(_)) => Err(Error::invalid("Give after or before, not both.")),
        (Some(seq), None) => Ok(Page::After { seq, limit }),
        (None, Some(seq)) => Ok(Page::Before { seq, limit }),
        (None, None) => Ok(Page::Newest { limit }),
    }
}

/// A stream's cursor: `Last-Event-ID` wins over `after`; an empty one counts as none.
///
/// # Errors
/// `InvalidRequest`: not a whole number in range.
pub fn cursor(last_event_id: Option<&str>, query: &str) -> Result<Option<i64>, Error> {
    if let Some(text) = last_event_id.filter(|text| !text.is_empty()) {
        return number("Last-Event-ID", text, 0, MAX_SEQ).map(Some);
    }
    parameter(query, "after")?.map(|text| number("after", &text, 0, MAX_SEQ)).transpose()
}

fn parameter(query: &str, name: &str) -> Result<Option<String>, Error> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let first = values.next();
    if values.next().is_some() {
        return Err(Error::invalid(format!("Give {name} once.")));
    }
    Ok(first)
}

fn number(name: &str, text: &str, least: i64, most: i64) -> Result<i64, Error> {
    Some(text)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| Error::invalid(format!("{name} must be a whole number from {least} to {most}.")))
}

/// Serde reads a struct from an array as well; an API of objects must not.
fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("The body is not UTF-8."))?;
    if !text.trim_start().starts_with('{') {
        return Err(Error::invalid("The body must be a JSON object."));
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        // The message of a data error may quote the value, which may be a secret.
        serde_json::error::Category::Data => {
            Error::invalid(format!("The body does not fit: {}.", unquoted(&error.to_string())))
        }
        _ => Error::invalid(format!("The body is not JSON: line {}, column {}.", error.line(), error.column())),
    })
}

/// Keeps field names, which serde puts in backticks, and drops values, which it puts in quotes.
fn unquoted(text: &str) -> String {
    text.split('"').step_by(2).collect::<Vec<_>>().join("…")
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn opaque(body: Option<&str>, max_bytes: usize) -> Result<&str, Error> {
    let body = body.filter(|body| !body.is_empty()).ok_or_else(|| Error::invalid("body must not be empty."))?;
    if body.len() > max_bytes {
        return Err(Error::TooLarge(format!("body may have {max_bytes} bytes of UTF-8.")));
    }
    if body.contains('\0') {
        return Err(Error::invalid("body must not contain NUL."));
    }
    Ok(body)
}

fn about(about: Option<String>) -> Result<Option<String>, Error> {
    match about {
        Some(text) if text.len() > ABOUT_MAX => {
            Err(Error::invalid(format!("about may have {ABOUT_MAX} bytes of UTF-8.")))
        }
        Some(text) if text.contains('\0') => Err(Error::invalid("about must not contain NUL.")),
        about => Ok(about),
    }
}

fn expires_in(seconds: Option<i64>) -> Result<Option<i64>, Error> {
    match seconds {
        Some(seconds) if !(1..=LIFETIME_MAX_S).contains(&seconds) => {
            Err(Error::invalid(format!("expires_in_s must be from 1 to {LIFETIME_MAX_S}, or null.")))
        }
        seconds => Ok(seconds),
    }
}

fn message_ttl(seconds: Option<i64>) -> Result<i64, Error> {
    match seconds.unwrap_or(0) {
        seconds if (0..=LIFETIME_MAX_S).contains(&seconds) => Ok(seconds),
        _ => Err(Error::invalid(format!("message_ttl_s must be from 1 to {LIFETIME_MAX_S}, or null for none."))),
    }
}
