//! What a client does with a room's secrets, from nothing but `docs/protocol.md`: derive, sign, seal. Tests use
//! it to hold the page to the contract, and to write what an honest page never would: each part of an envelope can
//! be wrong by itself.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use crate::member_id;

pub const PUBLIC_KEY_BYTES: usize = 32;
pub const SIGNATURE_BYTES: usize = 64;
pub const NONCE_BYTES: usize = 12;
const PADDING_STEP: usize = 256;

/// A secret, or what is derived from one.
pub type Secret = [u8; 32];

/// HKDF-SHA256 with an empty salt, 32 bytes out.
pub fn derive(parent: &[u8], label: &str) -> Secret {
    let mut derived = [0; 32];
    Hkdf::<Sha256>::new(None, parent).expand(label.as_bytes(), &mut derived).expect("32 bytes are within HKDF's limit");
    derived
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a text that must be base64url.
pub fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_else(|error| panic!("{text} is not base64url: {error}"))
}

/// One person in one room.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The header `buddy-author`.
    pub author_secret: String,
    /// The public member id.
    pub author: String,
    pub key: SigningKey,
}

impl Identity {
    pub fn new(secret: &[u8]) -> Self {
        let author_secret = base64url(&derive(secret, "buddy/v1/author"));
        let author = member_id(&author_secret);
        Self { author_secret, author, key: SigningKey::from_bytes(&derive(secret, "buddy/v1/sign")) }
    }
}

/// The additional data of an event's body; an absent field is empty.
pub fn additional_data(room: &str, kind: &str, client_id: &str, author: &str, target: Option<u64>) -> String {
    let target = target.map_or_else(String::new, |seq| seq.to_string());
    format!("v1|{room}|{kind}|{client_id}|{author}|{target}")
}

/// What a signature covers.
pub fn signed_bytes(additional_data: &str, content: &[u8]) -> Vec<u8> {
    [b"buddy/v1/signature\0", additional_data.as_bytes(), b"\0", content].concat()
}

/// What an envelope holds: the signer's key, the signature and the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub public_key: [u8; PUBLIC_KEY_BYTES],
    pub signature: [u8; SIGNATURE_BYTES],
    pub content: Vec<u8>,
}

impl Letter {
    /// A letter as it should be.
    pub fn signed(key: &SigningKey, additional_data: &str, content: &[u8]) -> Self {
        let signature = key.sign(&signed_bytes(additional_data, content)).to_bytes();
        Self { public_key: key.verifying_key().to_bytes(), signature, content: content.to_vec() }
    }

    /// What a padded plain text holds.
    pub fn read(plain_text: &[u8]) -> Self {
        let end = plain_text.iter().rposition(|byte| *byte != 0).expect("a plain text ends with its mark");
        let (public_key, rest) = plain_text[..end].split_at(PUBLIC_KEY_BYTES);
        let (signature, content) = rest.split_at(SIGNATURE_BYTES);
        Self {
            public_key: public_key.try_into().expect("32 bytes"),
            signature: signature.try_into().expect("64 bytes"),
            content: content.to_vec(),
        }
    }

    /// The padded plain text.
    pub fn plain_text(&self) -> Vec<u8> {
        let mut plain = [&self.public_key[..], &self.signature, &self.content, &[0x80]].concat();
        plain.resize(plain.len().next_multiple_of(PADDING_STEP), 0);
        plain
    }
}

/// Seals any plain text, whether it is a letter or not: `v1.<nonce>.<ciphertext>`.
pub fn seal(content_key: &Secret, nonce: [u8; NONCE_BYTES], additional_data: &str, plain_text: &[u8]) -> String {
    let payload = Payload { msg: plain_text, aad: additional_data.as_bytes() };
    let cipher_text = cipher(content_key).encrypt(&Nonce::from(nonce), payload).expect("the plain text is short");
    format!("v1.{}.{}", base64url(&nonce), base64url(&cipher_text))
}

/// The plain text of an envelope that must open, and its nonce.
pub fn open(content_key: &Secret, additional_data: &str, body: &str) -> ([u8; NONCE_BYTES], Vec<u8>) {
    let parts: Vec<&str> = body.split('.').collect();
    let [version, nonce, cipher_text] = parts[..] else { panic!("{body} has not three parts") };
    assert_eq!(version, "v1", "{body}");
    let nonce: [u8; NONCE_BYTES] = from_base64url(nonce).try_into().expect("a nonce has 12 bytes");
    let msg = from_base64url(cipher_text);
    let payload = Payload { msg: &msg, aad: additional_data.as_bytes() };
    let plain = cipher(content_key).decrypt(&Nonce::from(nonce), payload).expect("the envelope opens");
    (nonce, plain)
}

/// SHA-256 over a body's text as `prev` has it.
pub fn body_hash(body: &str) -> String {
    base64url(&Sha256::digest(body.as_bytes()))
}

fn cipher(content_key: &Secret) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*content_key))
}
