//! Everything that follows from a secret (docs/protocol.md, "Keys"): one owner's secret for a room, one identity for a
//! person, one chain of keys for each epoch. There is no way back up a step. No secret is ever printed.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroize;

use crate::bytes::{Base64, Hex, LinkId, MemberId, NotCanonical, RoomId, TokenHash, encode, sha256};
use crate::random;

/// Every secret, drawn or derived, is this long.
pub const SECRET_BYTES: usize = 32;

/// 32 secret bytes. They are wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// A secret drawn from the system's generator.
    pub fn random() -> Self {
        Self(random::bytes())
    }

    /// # Errors
    /// Not the canonical base64url of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, NotCanonical> {
        Base64::<SECRET_BYTES>::parse(text).map(|Base64(bytes)| Self(bytes))
    }

    pub fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// Base64url: what stands in a link, and in what is sealed.
    pub fn reveal(&self) -> String {
        encode(&self.0)
    }

    /// One step down: HKDF-SHA256 (RFC 5869) with an empty salt.
    pub fn derive(&self, info: &str) -> Self {
        self.derive_salted(&[], info)
    }

    /// One step down with a salt.
    pub fn derive_salted(&self, salt: &[u8], info: &str) -> Self {
        let mut derived = [0; SECRET_BYTES];
        Hkdf::<Sha256>::new(Some(salt), &self.0)
            .expand(info.as_bytes(), &mut derived)
            .expect("32 bytes are within HKDF's limit");
        Self(derived)
    }

    fn token(&self, info: &str) -> Token {
        Token(self.derive(info).reveal())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A bearer token's text.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What the server keeps: SHA-256 over the text.
    pub fn hash(&self) -> TokenHash {
        Hex(sha256(self.0.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(token)")
    }
}

/// A public Ed25519 key (RFC 8032) that somebody signs with, or the admit key of an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signer([u8; 32]);

/// A public key that no honest person has: of small order, or not written as its point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key that an honest person has")]
pub struct WeakKey;

impl Signer {
    /// # Errors
    /// No point of the curve, one of small order, or one that is not written in its canonical form.
    pub fn new(bytes: [u8; 32]) -> Result<Self, WeakKey> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| WeakKey)?;
        // Decoding takes a second form of a few points.
        let canonical = key.to_edwards().compress().to_bytes() == bytes;
        if canonical && !key.is_weak() { Ok(Self(bytes)) } else { Err(WeakKey) }
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this key signed `bytes`; the strict rule, under which a signature has one form.
    pub fn signed(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        let key = VerifyingKey::from_bytes(&self.0).expect("a signer is a point");
        key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok()
    }

    fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }
}

/// A public X25519 key (RFC 7748) that boxes are made for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoxKey([u8; 32]);

impl BoxKey {
    /// # Errors
    /// A number that is not below the field's prime, or a point of small order.
    pub fn new(bytes: [u8; 32]) -> Result<Self, WeakKey> {
        // The prime is 2^255 - 19, written from its least byte on.
        let below_prime = bytes[31] < 0x7f
            || (bytes[31] == 0x7f && (bytes[1..31].iter().any(|byte| *byte != 0xff) || bytes[0] < 0xed));
        // A private key is a multiple of eight, so it takes any point of small order to zero.
        let any_private = [0x40; 32];
        if below_prime && x25519_dalek::x25519(any_private, bytes) != [0; 32] { Ok(Self(bytes)) } else { Err(WeakKey) }
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

macro_rules! public_key_text {
    ($key:ident) => {
        impl $key {
            /// # Errors
            /// Not the canonical base64url of a key that an honest person has.
            pub fn parse(text: &str) -> Result<Self, WeakKey> {
                Base64::parse(text).map_err(|_| WeakKey).and_then(|Base64(bytes)| Self::new(bytes))
            }
        }

        impl fmt::Display for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(&self.0))
            }
        }

        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(&self.0))
            }
        }

        impl serde::Serialize for $key {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $key {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

public_key_text!(Signer);
public_key_text!(BoxKey);

/// What the owner's link holds. It recovers every epoch of the room from the salts.
#[derive(Clone, Debug)]
pub struct OwnerSecret(Secret);

impl OwnerSecret {
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// The owner as a person, the same on every device.
    pub fn identity(&self) -> Identity {
        Identity::new(self.0.derive("buddy/v2/identity"))
    }

    pub fn token(&self) -> Token {
        self.0.token("buddy/v2/owner-token")
    }

    /// The AES key around the notes about links.
    pub fn note_key(&self) -> Secret {
        self.0.derive("buddy/v2/note")
    }

    /// What a renewal boxes to everybody who stays.
    pub fn fresh(&self, epoch: u64, salt: &Base64<16>) -> Secret {
        self.0.derive(&format!("buddy/v2/fresh|{epoch}|{salt}"))
    }

    pub fn link(&self, seed: &Base64<16>) -> LinkSecret {
        LinkSecret::new(self.0.derive(&format!("buddy/v2/link|{seed}")))
    }
}

/// One person in one room, on one browser or program.
#[derive(Clone, Debug)]
pub struct Identity {
    secret: Secret,
    signing: SigningKey,
    box_private: Secret,
    author_secret: Token,
}

impl Identity {
    pub fn new(secret: Secret) -> Self {
        Self {
            signing: SigningKey::from_bytes(secret.derive("buddy/v2/sign").bytes()),
            box_private: secret.derive("buddy/v2/box"),
            author_secret: secret.token("buddy/v2/author"),
            secret,
        }
    }

    pub fn random() -> Self {
        Self::new(Secret::random())
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The public key that others know this person by.
    pub fn signer(&self) -> Signer {
        Signer::of(&self.signing)
    }

    /// Ed25519.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.signing.sign(bytes).to_bytes()
    }

    /// The public key that boxes for this person are made with.
    pub fn box_key(&self) -> BoxKey {
        BoxKey(x25519_dalek::x25519(*self.box_private.bytes(), x25519_dalek::X25519_BASEPOINT_BYTES))
    }

    pub(crate) fn box_private(&self) -> &Secret {
        &self.box_private
    }

    /// The header `buddy-author`.
    pub fn author_secret(&self) -> &Token {
        &self.author_secret
    }

    /// What the server knows this person by: the first 16 bytes of the header's SHA-256.
    pub fn author(&self) -> MemberId {
        let Hex(hash) = self.author_secret.hash();
        Hex(hash[..16].try_into().expect("a hash has 16 bytes and more"))
    }
}

/// The room that is named by its owner's key.
pub fn room_id(owner: &Signer) -> RoomId {
    Hex(sha256(&[b"buddy/v2/room\0", &owner.bytes()[..]].concat()))
}

/// What those who take part hold of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberKey(Secret);

impl MemberKey {
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// `member_e` from `fresh_e` and `member_{e-1}`, which epoch 0 has none of.
    pub fn next(fresh: &Secret, previous: Option<&Self>, room: &RoomId, epoch: u64) -> Self {
        let salt = previous.map_or(&[][..], |previous| previous.0.bytes());
        Self(fresh.derive_salted(salt, &format!("buddy/v2/member|{room}|{epoch}")))
    }

    pub fn secret(&self) -> &Secret {
        &self.0
    }

    pub fn post_token(&self) -> Token {
        self.0.token("buddy/v2/post-token")
    }

    /// The public half of the key that cards of this epoch are admitted with.
    pub fn admit(&self) -> Signer {
        Signer::of(&self.admit_key())
    }

    pub(crate) fn admit_key(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.derive("buddy/v2/admit").bytes())
    }

    /// The AES key around the room's link.
    pub fn invite_key(&self) -> Secret {
        self.0.derive("buddy/v2/invite")
    }

    pub fn reader(&self) -> ReaderKey {
        ReaderKey(self.0.derive("buddy/v2/reader"))
    }
}

/// What those who only read hold of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderKey(Secret);

impl ReaderKey {
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// The AES key of all that is said in the epoch.
    pub fn content_key(&self) -> Secret {
        self.0.derive("buddy/v2/content")
    }

    pub fn read_token(&self) -> Token {
        self.0.token("buddy/v2/read-token")
    }

    /// The AES key around the reader's key of the epoch before.
    pub fn past_key(&self) -> Secret {
        self.0.derive("buddy/v2/past")
    }
}

/// What a link to take part or to read holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSecret(Secret);

impl LinkSecret {
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// The first 16 bytes of what is derived for it.
    pub fn id(&self) -> LinkId {
        let derived = self.0.derive("buddy/v2/link-id");
        Hex(derived.bytes()[..16].try_into().expect("a secret has 16 bytes and more"))
    }

    pub fn token(&self) -> Token {
        self.0.token("buddy/v2/link-token")
    }

    /// The AES key around what the link gives.
    pub fn key(&self) -> Secret {
        self.0.derive("buddy/v2/link-key")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every encoding of a point of small order on curve25519 or its twist (RFC 7748; <https://cr.yp.to/ecdh.html>).
    const SMALL_ORDER: [&str; 7] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    fn bytes(hex: &str) -> [u8; 32] {
        Hex::parse(hex).expect("32 bytes in hex").0
    }

    #[test]
    fn boxes_are_made_for_no_weak_key() {
        for weak in SMALL_ORDER {
            assert_eq!(BoxKey::new(bytes(weak)), Err(WeakKey), "{weak}");
        }
        let mut high_bit = *Identity::random().box_key().bytes();
        high_bit[31] |= 0x80;
        assert_eq!(BoxKey::new(high_bit), Err(WeakKey));
    }

    #[test]
    fn nobody_signs_with_a_weak_key() {
        for weak in [
            // The neutral element, and its second form.
            "0100000000000000000000000000000000000000000000000000000000000000",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000080",
            // Of order 2, 4 and 8.
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            // No point.
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert_eq!(Signer::new(bytes(weak)), Err(WeakKey), "{weak}");
        }
    }

    proptest! {
        #[test]
        fn every_derived_key_is_one_that_is_taken(secret in any::<[u8; 32]>()) {
            let identity = Identity::new(Secret::new(secret));
            prop_assert_eq!(Signer::new(*identity.signer().bytes()), Ok(identity.signer()));
            prop_assert_eq!(BoxKey::new(*identity.box_key().bytes()), Ok(identity.box_key()));
            let signature = identity.sign(b"text");
            prop_assert!(identity.signer().signed(b"text", &signature));
            prop_assert!(!identity.signer().signed(b"texT", &signature));
        }

        #[test]
        fn an_epoch_needs_both_the_fresh_key_and_the_epoch_before(fresh in any::<[u8; 32]>(), one in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
            prop_assume!(one != other);
            let room = Hex([7; 32]);
            let next = |member| MemberKey::next(&Secret::new(fresh), Some(&MemberKey::new(Secret::new(member))), &room, 3);
            prop_assert_ne!(next(one), next(other));
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let secret = Secret::random();
        let owner = OwnerSecret::new(secret.clone());
        let printed =
            format!("{owner:?} {:?} {:?} {:?}", owner.identity(), owner.token(), MemberKey::new(secret.clone()));
        for hidden in [secret.reveal(), hex::encode(secret.bytes()), owner.token().text().to_owned()] {
            assert!(!printed.contains(&hidden), "{printed}");
        }
    }
}
