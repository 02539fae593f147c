//! Links into a room with keys (docs/protocol.md, "Links"): making one and opening one.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::object::object;
use crate::request::{LIFETIME_MAX_S, client_id, epoch};
use crate::rotation::{Fingerprint, fingerprint, sealed};
use crate::{Error, TokenHash};

/// A link's id: 16 bytes, in 32 lowercase hex characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LinkId([u8; 16]);

impl LinkId {
    /// # Errors
    /// `InvalidRequest` for anything but 32 lowercase hex characters.
    pub fn parse(text: &str) -> Result<Self, Error> {
        crate::id::lower_hex(text)
            .map(Self)
            .ok_or_else(|| Error::invalid("A link's id has 32 lowercase hex characters."))
    }

    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// A link to be made.
pub struct NewLink {
    pub id: LinkId,
    pub token_hash: TokenHash,
    pub sealed: String,
    pub note: String,
    pub epoch: i64,
    /// How often it may be opened; `None`: any number of times.
    pub openings: Option<i64>,
    /// `None`: it does not expire by itself.
    pub expires_in_s: Option<i64>,
    pub fingerprint: Fingerprint,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawNewLink {
    id: String,
    token_hash: String,
    sealed: String,
    note: String,
    epoch: i64,
    openings: Option<i64>,
    expires_in_s: Option<i64>,
}

/// The link that a room is made with.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLink {
    id: String,
    token_hash: String,
    sealed: String,
    note: String,
}

impl NewLink {
    /// # Errors
    /// `InvalidRequest`: not an object of these fields, or out of range.
    pub fn parse(body: &[u8], openings_max: i64) -> Result<Self, Error> {
        let raw: RawNewLink = object(body)?;
        if raw.openings.is_some_and(|openings| !(1..=openings_max).contains(&openings)) {
            return Err(Error::invalid(format!("openings must be from 1 to {openings_max}, or null for any number.")));
        }
        if raw.expires_in_s.is_some_and(|seconds| !(1..=LIFETIME_MAX_S).contains(&seconds)) {
            return Err(Error::invalid(format!("expires_in_s must be from 1 to {LIFETIME_MAX_S}, or null for never.")));
        }
        Self::new(raw)
    }

    pub(crate) fn of_founding(raw: RawLink) -> Result<Self, Error> {
        let RawLink { id, token_hash, sealed, note } = raw;
        Self::new(RawNewLink { id, token_hash, sealed, note, epoch: 0, openings: None, expires_in_s: None })
    }

    fn new(raw: RawNewLink) -> Result<Self, Error> {
        sealed("sealed", &raw.sealed)?;
        sealed("note", &raw.note)?;
        Ok(Self {
            id: LinkId::parse(&raw.id)?,
            token_hash: TokenHash::parse("token_hash", &raw.token_hash)?,
            epoch: epoch(raw.epoch)?,
            openings: raw.openings,
            expires_in_s: raw.expires_in_s,
            fingerprint: fingerprint(&raw),
            sealed: raw.sealed,
            note: raw.note,
        })
    }
}

/// A link as the owner sees it. `openings` null: any number; times null: never.
#[derive(Serialize)]
pub struct SentLink {
    pub id: String,
    pub epoch: i64,
    pub note: String,
    pub opened: i64,
    pub openings: Option<i64>,
    pub created_at_ms: i64,
    pub opened_at_ms: Option<i64>,
    pub expires_at_ms: Option<i64>,
}

/// What an opened link gives: something that only its secret opens, and the rotation it belongs to.
#[derive(Serialize)]
pub struct OpenedLink {
    pub sealed: String,
    pub public: String,
    pub signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOpening {
    client_id: String,
}

/// Who opens a link: an id that the client made and keeps with the link.
///
/// # Errors
/// `InvalidRequest`: not an object of this field.
pub fn opening(body: &[u8]) -> Result<Uuid, Error> {
    let raw: RawOpening = object(body)?;
    client_id(&raw.client_id)
}
