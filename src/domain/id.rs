//! Identifiers and secrets, parsed once at the edge and never checked again.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{Error, base64url};

/// A room's id: 32 bytes, written as 64 lowercase hex characters. Random for a plain room, and the
/// hash of the owner's key for a room with keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomId([u8; 32]);

impl RoomId {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The id of the room with keys that belongs to this Ed25519 public key (docs/protocol.md, "Keys").
    pub fn of_owner(signer: &[u8; 32]) -> Self {
        Self(Sha256::new().chain_update(b"buddy/v2/room\0").chain_update(signer).finalize().into())
    }

    /// # Errors
    /// `RoomNotFound` for anything but 64 lowercase hex characters: a malformed id is an unknown one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        lower_hex(text).map(Self).ok_or(Error::RoomNotFound)
    }

    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Which of the 256 slots the room lives in: its first byte.
    pub fn slot(&self) -> u8 {
        self.0[0]
    }

    /// The only part of the id that may be logged: its first 8 characters.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// SHA-256 over a token's text, all that the server keeps of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token as it stands in `authorization: Bearer`.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// # Errors
    /// `InvalidRequest` for anything but 64 lowercase hex characters.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        lower_hex(text)
            .map(Self)
            .ok_or_else(|| Error::invalid(format!("{name} must be a SHA-256 in 64 lowercase hex characters.")))
    }

    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

/// 32 random bytes as a token: base64url, 43 characters, no padding (RFC 4648, section 5).
pub struct Secret(String);

impl Secret {
    pub fn new(random: [u8; 32]) -> Self {
        Self(base64url::encode(&random))
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    pub fn reveal(self) -> String {
        self.0
    }
}

/// A public member id: the first 16 bytes of the SHA-256 of the `buddy-author` secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Author([u8; 16]);

impl Author {
    pub fn of(secret: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        Self(digest[..16].try_into().expect("a digest has 32 bytes"))
    }

    /// # Errors
    /// `InvalidRequest` for anything but 32 lowercase hex characters.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        lower_hex(text)
            .map(Self)
            .ok_or_else(|| Error::invalid(format!("{name} must be a member id in 32 lowercase hex characters.")))
    }

    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

pub(crate) fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_of_an_id_is_one() {
        let text = "0f".repeat(32);
        assert_eq!(RoomId::parse(&text).expect("canonical").to_string(), text);
        for wrong in ["", "0f", &"0F".repeat(32), &"0g".repeat(32), &format!("{text}0f")] {
            assert!(RoomId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_slot_is_the_first_byte() {
        assert_eq!(RoomId::parse(&format!("3f{}", "00".repeat(31))).expect("canonical").slot(), 0x3f);
    }
}
