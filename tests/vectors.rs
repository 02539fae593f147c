//! Checks what the page derives, signs and seals against independent implementations.
//!
//! `page/vectors.json` is made by the page's own code (`npm run vectors` in `tests/page`), and the
//! page's tests hold the code to it. Here the same values come out of other crates, from nothing but
//! the inputs and DESIGN.md, section 6: a client that somebody writes in Rust can talk to the page.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use serde::Deserialize;
use sha2::{Digest, Sha256};

const PUBLIC_KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const PADDING_STEP: usize = 256;

#[derive(Deserialize)]
struct Vectors {
    room: String,
    derivation: Derivation,
    identities: Identities,
    links: Links,
    envelopes: Vec<Envelope>,
}

#[derive(Deserialize)]
struct Derivation {
    owner: String,
    member: String,
    reader: String,
    content_key: String,
    owner_token: String,
    post_token: String,
    read_token: String,
    owner_token_hash: String,
    post_token_hash: String,
    read_token_hash: String,
}

#[derive(Deserialize)]
struct Identities {
    owner: Identity,
    member: Identity,
}

#[derive(Deserialize)]
struct Identity {
    secret: String,
    author_secret: String,
    author: String,
    sign_seed: String,
    public_key: String,
}

#[derive(Deserialize)]
struct Links {
    owner: String,
    member: String,
    reader: String,
    device: String,
}

#[derive(Deserialize)]
struct Envelope {
    name: String,
    additional_data: String,
    nonce: String,
    public_key: String,
    content: String,
    body: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("page/vectors.json")).expect("the vectors are of this form")
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).expect("the vectors hold lowercase hex")
}

/// HKDF-SHA256 with an empty salt, 32 bytes out.
fn derive(parent: &[u8], label: &str) -> Vec<u8> {
    let mut derived = vec![0; 32];
    Hkdf::<Sha256>::new(None, parent).expand(label.as_bytes(), &mut derived).expect("32 bytes are within HKDF's limit");
    derived
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[test]
fn the_page_derives_secrets_and_tokens_as_hkdf_does() {
    let Derivation { owner, member, reader, .. } = vectors().derivation;
    let expected = vectors().derivation;
    let (owner, member_bytes, reader_bytes) = (bytes(&owner), bytes(&member), bytes(&reader));

    assert_eq!(derive(&owner, "buddy/v1/member"), member_bytes);
    assert_eq!(derive(&member_bytes, "buddy/v1/reader"), reader_bytes);
    assert_eq!(derive(&reader_bytes, "buddy/v1/content"), bytes(&expected.content_key));
    for (parent, label, token, hash) in [
        (&owner, "buddy/v1/owner-token", expected.owner_token, expected.owner_token_hash),
        (&member_bytes, "buddy/v1/post-token", expected.post_token, expected.post_token_hash),
        (&reader_bytes, "buddy/v1/read-token", expected.read_token, expected.read_token_hash),
    ] {
        assert_eq!(base64url(&derive(parent, label)), token, "{label}");
        assert_eq!(token.len(), 43, "{label}");
        assert_eq!(sha256_hex(&token), hash, "{label}");
    }
}

#[test]
fn the_page_derives_identities_as_ed25519_and_the_server_do() {
    let Vectors { derivation, identities, .. } = vectors();
    assert_eq!(derive(&bytes(&derivation.owner), "buddy/v1/identity"), bytes(&identities.owner.secret));
    for identity in [identities.owner, identities.member] {
        let secret = bytes(&identity.secret);
        assert_eq!(base64url(&derive(&secret, "buddy/v1/author")), identity.author_secret);
        assert_eq!(sha256_hex(&identity.author_secret)[..32], identity.author);
        let seed: [u8; 32] = derive(&secret, "buddy/v1/sign").try_into().expect("32 bytes");
        assert_eq!(seed[..], bytes(&identity.sign_seed));
        let public = SigningKey::from_bytes(&seed).verifying_key();
        assert_eq!(public.as_bytes()[..], bytes(&identity.public_key));
    }
}

#[test]
fn links_hold_the_secrets_in_their_fragment_only() {
    let Vectors { room, derivation, identities, links, .. } = vectors();
    let [owner, member, reader, identity] =
        [derivation.owner, derivation.member, derivation.reader, identities.member.secret]
            .map(|hex| base64url(&bytes(&hex)));
    assert_eq!(links.owner, format!("/r/{room}#o.{owner}"));
    assert_eq!(links.member, format!("/r/{room}#m.{member}"));
    assert_eq!(links.reader, format!("/r/{room}#r.{reader}"));
    assert_eq!(links.device, format!("/r/{room}#m.{member}.{identity}"));
}

#[test]
fn envelopes_open_and_verify_with_other_implementations() {
    let Vectors { derivation, identities, envelopes, .. } = vectors();
    let key = bytes(&derivation.content_key);
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::try_from(&key[..]).expect("32 bytes"));
    let signers = [identities.owner, identities.member].map(|identity| {
        let seed: [u8; 32] = bytes(&identity.sign_seed).try_into().expect("32 bytes");
        SigningKey::from_bytes(&seed)
    });
    assert!(envelopes.len() >= 9, "a message, changes, a signal, the about and the edges of the padding");

    for envelope in envelopes {
        let name = &envelope.name;
        let parts: Vec<&str> = envelope.body.split('.').collect();
        let [version, nonce, ciphertext] = parts[..] else { panic!("{name}: three parts") };
        assert_eq!(version, "v1", "{name}");
        let nonce = URL_SAFE_NO_PAD.decode(nonce).expect("base64url");
        assert_eq!(nonce, bytes(&envelope.nonce), "{name}");
        let ciphertext = URL_SAFE_NO_PAD.decode(ciphertext).expect("base64url");
        assert!(envelope.body.len() <= 16_384, "{name}");

        let nonce = Nonce::try_from(&nonce[..]).expect("12 bytes");
        let aad = envelope.additional_data.as_bytes();
        let plain = cipher.decrypt(&nonce, Payload { msg: &ciphertext, aad }).expect("the envelope opens");
        let content = envelope.content.as_bytes();

        let public: [u8; PUBLIC_KEY_BYTES] = plain[..PUBLIC_KEY_BYTES].try_into().expect("the plain text has a key");
        assert_eq!(public[..], bytes(&envelope.public_key), "{name}");
        let body_starts = PUBLIC_KEY_BYTES + SIGNATURE_BYTES;
        let signature = Signature::from_slice(&plain[PUBLIC_KEY_BYTES..body_starts]).expect("64 bytes");
        assert_eq!(&plain[body_starts..body_starts + content.len()], content, "{name}");

        let signed = [b"buddy/v1/signature\0", aad, b"\0", content].concat();
        VerifyingKey::from_bytes(&public)
            .expect("a point")
            .verify_strict(&signed, &signature)
            .expect("the signature holds");
        let signer = signers.iter().find(|key| key.verifying_key().as_bytes() == &public).expect("a known identity");
        assert_eq!(signer.sign(&signed), signature, "{name}: Ed25519 signatures are deterministic");

        let mut expected = [&public[..], &signature.to_bytes(), content, &[0x80]].concat();
        expected.resize(expected.len().next_multiple_of(PADDING_STEP), 0);
        assert_eq!(plain, expected, "{name}");
        let sealed = cipher.encrypt(&nonce, Payload { msg: &expected, aad }).expect("the plain text is short");
        assert_eq!(sealed, ciphertext, "{name}");
    }
}
