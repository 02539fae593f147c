//! What callers send, checked here once: bodies, queries and the headers that say who they are.

use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::file::{NamedFile, named};
use crate::link::RawLink;
use crate::object::{Object, object};
use crate::rotation::{Fingerprint, Founding, RawRotation, fingerprint};
use crate::{Author, Error, Kind, MAX_SEQ, TokenHash, base64url};

/// Bytes of `about` at the most.
const ABOUT_MAX: usize = 4096;
/// The longest lifetime in seconds: a year.
pub(crate) const LIFETIME_MAX_S: i64 = 31_536_000;

/// Who asks: the hash of the bearer token, and the member id behind `buddy-author`.
#[derive(Clone, Copy, Default)]
pub struct Access {
    pub token: Option<TokenHash>,
    pub author: Option<Author>,
}

impl Access {
    /// # Errors
    /// `InvalidRequest` without an author: rooms with keys have no anonymous posts.
    pub fn need_author(&self) -> Result<Author, Error> {
        self.author.ok_or_else(|| Error::invalid("In a room with keys, say who you are: send buddy-author."))
    }
}

/// A new room, plain or with keys.
pub enum NewRoom {
    Plain(CreateRoom),
    WithKeys(Box<Founding>),
}

/// A new plain room. `None` stands for the server's default.
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
    room: Option<String>,
    rotation: Option<Object<RawRotation>>,
    link: Option<Object<RawLink>>,
}

impl NewRoom {
    /// # Errors
    /// `InvalidRequest`: not an object of these fields, out of range, or parts that make no sense together.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Ok(Self::Plain(CreateRoom::default()));
        }
        let raw: RawRoom = object(body)?;
        let is_plain = raw.room.is_none() && raw.rotation.is_none() && raw.link.is_none();
        if is_plain {
            return CreateRoom::new(raw).map(Self::Plain);
        }
        let named = [&raw.read_token_hash, &raw.post_token_hash, &raw.owner_token_hash, &raw.about];
        if named.iter().any(|field| field.is_some()) {
            return Err(Error::invalid("A room with keys has its token hashes in its rotation, and no about."));
        }
        let (Some(room), Some(rotation), Some(link)) = (raw.room, raw.rotation, raw.link) else {
            return Err(Error::invalid("A room with keys is made with room, rotation and link."));
        };
        Founding::new(&room, rotation.0, link.0, raw.expires_in_s, raw.message_ttl_s)
            .map(|founding| Self::WithKeys(Box::new(founding)))
    }
}

impl CreateRoom {
    fn new(raw: RawRoom) -> Result<Self, Error> {
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

/// What a `PATCH` asks for: of a plain room, or of a room with keys.
pub enum Patch {
    Plain(Change),
    Stated(Box<Statement>),
}

/// A change of a room: the outer `None` leaves a thing as it is.
pub struct Change {
    pub locked: Option<bool>,
    pub expires_in_s: Option<Option<i64>>,
    pub message_ttl_s: Option<i64>,
    pub about: Option<Option<String>>,
}

/// A change of a room with keys: the owner's statement, and what the server is to do.
pub struct Statement {
    pub client_id: Uuid,
    pub epoch: i64,
    /// The sequence of the statement that this one goes on from; 0: rotation 0.
    pub state_seq: i64,
    pub statement: String,
    /// Its `about` is `None`.
    pub change: Change,
    pub fingerprint: Fingerprint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPatch {
    client_id: Option<String>,
    epoch: Option<i64>,
    state_seq: Option<i64>,
    statement: Option<String>,
    locked: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    expires_in_s: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    message_ttl_s: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    about: Option<Option<String>>,
}

impl Patch {
    /// # Errors
    /// `InvalidRequest`: not an object of these fields, or out of range; `TooLarge` for a statement over
    /// `max_body_bytes`.
    pub fn parse(body: &[u8], max_body_bytes: usize) -> Result<Self, Error> {
        let raw: RawPatch = object(body)?;
        let change = Change {
            locked: raw.locked,
            expires_in_s: raw.expires_in_s.map(expires_in).transpose()?,
            message_ttl_s: raw.message_ttl_s.map(message_ttl).transpose()?,
            about: raw.about.map(about).transpose()?,
        };
        match (raw.client_id, raw.epoch, raw.state_seq, raw.statement) {
            (None, None, None, None) => Ok(Self::Plain(change)),
            (Some(id), Some(number), Some(state_seq), Some(statement)) => {
                if change.about.is_some() {
                    return Err(Error::invalid("A room with keys has its name in the statement, and no about."));
                }
                if !(0..=MAX_SEQ).contains(&state_seq) {
                    return Err(Error::invalid("state_seq must be a sequence number or 0."));
                }
                opaque("statement", Some(&statement), max_body_bytes)?;
                let asked =
                    (&id, &statement, number, state_seq, change.locked, change.expires_in_s, change.message_ttl_s);
                let fingerprint = fingerprint(&asked);
                let (client_id, epoch) = (client_id(&id)?, epoch(number)?);
                let stated = Statement { client_id, epoch, state_seq, statement, change, fingerprint };
                Ok(Self::Stated(Box::new(stated)))
            }
            _ => Err(Error::invalid("A statement comes with client_id, epoch, state_seq and statement.")),
        }
    }
}

/// The owner's proof that a room was deleted: 64 bytes in base64url, which the server does not check.
///
/// # Errors
/// `InvalidRequest` for anything else.
pub fn farewell(text: &str) -> Result<&str, Error> {
    Some(text)
        .filter(|text| base64url::array::<64>(text).is_some())
        .ok_or_else(|| Error::invalid("buddy-farewell must be 64 bytes in base64url."))
}

/// Something to append to a room's log.
pub struct Post {
    pub client_id: Uuid,
    pub kind: Kind,
    pub target: Option<i64>,
    pub body: String,
    /// Rooms with keys ask for it, plain rooms refuse it.
    pub epoch: Option<i64>,
    /// A message's files, as they are stored.
    pub files: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPost {
    client_id: String,
    kind: Option<Kind>,
    target: Option<i64>,
    body: Option<String>,
    epoch: Option<i64>,
    files: Option<Vec<Object<NamedFile>>>,
}

impl Post {
    /// # Errors
    /// `InvalidRequest` for what is malformed, `TooLarge` for a body over `max_body_bytes`.
    pub fn parse(body: &[u8], max_body_bytes: usize) -> Result<Self, Error> {
        let raw: RawPost = object(body)?;
        let client_id = client_id(&raw.client_id)?;
        let kind = raw.kind.unwrap_or(Kind::Message);
        match (kind, raw.target) {
            (Kind::Room | Kind::Change | Kind::Rotate, _) => {
                return Err(Error::invalid(format!("An event of kind {} comes with what it does.", kind.as_str())));
            }
            (Kind::Card, Some(_)) => return Err(Error::invalid("A card has no target.")),
            (Kind::Edit | Kind::Delete | Kind::React, None) => {
                return Err(Error::invalid(format!("An event of kind {} needs a target.", kind.as_str())));
            }
            _ => {}
        }
        if raw.target.is_some_and(|target| !(1..=MAX_SEQ).contains(&target)) {
            return Err(Error::invalid("target must be the sequence number of a message."));
        }
        let body = match raw.body {
            None if kind == Kind::Delete => String::new(),
            Some(body) if body.is_empty() && kind == Kind::Delete => body,
            body => opaque("body", body.as_deref(), max_body_bytes)?.to_owned(),
        };
        let files = named(raw.files.map(|files| files.into_iter().map(|file| file.0).collect()))?;
        if files.is_some() && kind != Kind::Message {
            return Err(Error::invalid("Only a message has files."));
        }
        Ok(Self { client_id, kind, target: raw.target, body, epoch: raw.epoch.map(epoch).transpose()?, files })
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
    /// As a post's.
    pub epoch: Option<i64>,
}

impl Signal {
    /// # Errors
    /// As `Post::parse`.
    pub fn parse(body: &[u8], max_body_bytes: usize) -> Result<Self, Error> {
        let signal: Self = object(body)?;
        opaque("body", Some(&signal.body), max_body_bytes)?;
        signal.epoch.map(epoch).transpose()?;
        Ok(signal)
    }
}

/// Where an operator wants a slot to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveSlot {
    pub to: String,
}

impl MoveSlot {
    /// # Errors
    /// `InvalidRequest`: not an object of this field.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        object(body)
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

/// Which rotations are asked for: those of epochs above `since`, oldest first.
pub struct KeysPage {
    /// -1: from rotation 0.
    pub since: i64,
    pub limit: i64,
}

/// # Errors
/// `InvalidRequest`: out of range or doubled.
pub fn keys_page(query: &str) -> Result<KeysPage, Error> {
    let since = parameter(query, "since")?.map_or(Ok(-1), |text| number("since", &text, 0, MAX_SEQ))?;
    let limit = parameter(query, "limit")?.map_or(Ok(50), |text| number("limit", &text, 1, 50))?;
    Ok(KeysPage { since, limit })
}

/// Which cards are asked for: those after a sequence, ascending.
pub struct MembersPage {
    pub after: i64,
    pub limit: i64,
}

/// # Errors
/// `InvalidRequest`: out of range or doubled.
pub fn members_page(query: &str) -> Result<MembersPage, Error> {
    let after = parameter(query, "after")?.map_or(Ok(0), |text| number("after", &text, 0, MAX_SEQ))?;
    let limit = parameter(query, "limit")?.map_or(Ok(50), |text| number("limit", &text, 1, 200))?;
    Ok(MembersPage { after, limit })
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

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Text that is nobody's business: 1 to `max_bytes` bytes of UTF-8 without NUL.
pub(crate) fn opaque<'a>(name: &str, text: Option<&'a str>, max_bytes: usize) -> Result<&'a str, Error> {
    let text =
        text.filter(|text| !text.is_empty()).ok_or_else(|| Error::invalid(format!("{name} must not be empty.")))?;
    if text.len() > max_bytes {
        return Err(Error::TooLarge(format!("{name} may have {max_bytes} bytes of UTF-8.")));
    }
    if text.contains('\0') {
        return Err(Error::invalid(format!("{name} must not contain NUL.")));
    }
    Ok(text)
}

pub(crate) fn client_id(text: &str) -> Result<Uuid, Error> {
    Uuid::parse_str(text)
        .ok()
        .filter(|id| id.hyphenated().to_string() == text)
        .ok_or_else(|| Error::invalid("client_id must be a UUID in lowercase with hyphens."))
}

pub(crate) fn epoch(number: i64) -> Result<i64, Error> {
    Some(number)
        .filter(|epoch| (0..=MAX_SEQ).contains(epoch))
        .ok_or_else(|| Error::invalid(format!("epoch must be from 0 to {MAX_SEQ}.")))
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

pub(crate) fn expires_in(seconds: Option<i64>) -> Result<Option<i64>, Error> {
    match seconds {
        Some(seconds) if !(1..=LIFETIME_MAX_S).contains(&seconds) => {
            Err(Error::invalid(format!("expires_in_s must be from 1 to {LIFETIME_MAX_S}, or null.")))
        }
        seconds => Ok(seconds),
    }
}

pub(crate) fn message_ttl(seconds: Option<i64>) -> Result<i64, Error> {
    match seconds.unwrap_or(0) {
        seconds if (0..=LIFETIME_MAX_S).contains(&seconds) => Ok(seconds),
        _ => Err(Error::invalid(format!("message_ttl_s must be from 1 to {LIFETIME_MAX_S}, or null for none."))),
    }
}
