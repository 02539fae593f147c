//! Checks what the page derives, signs and seals against independent implementations.
//!
//! `page/vectors.json` is made by the page's own code (`npm run vectors` in `tests/page`), and the
//! page's tests hold the code to it. Here the same values come out of other crates, from nothing but
//! the inputs and DESIGN.md, section 6: a client that somebody writes in Rust can talk to the page.

use buddy_tests::envelope::{
    Identity as Person, Letter, PUBLIC_KEY_BYTES, base64url, derive, open, seal, signed_bytes,
};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};

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

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[test]
fn the_page_derives_secrets_and_tokens_as_hkdf_does() {
    let Derivation { owner, member, reader, .. } = vectors().derivation;
    let expected = vectors().derivation;
    let (owner, member_bytes, reader_bytes) = (bytes(&owner), bytes(&member), bytes(&reader));

    assert_eq!(derive(&owner, "buddy/v1/member")[..], member_bytes);
    assert_eq!(derive(&member_bytes, "buddy/v1/reader")[..], reader_bytes);
    assert_eq!(derive(&reader_bytes, "buddy/v1/content")[..], bytes(&expected.content_key));
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
    assert_eq!(derive(&bytes(&derivation.owner), "buddy/v1/identity")[..], bytes(&identities.owner.secret));
    for identity in [identities.owner, identities.member] {
        let person = Person::new(&bytes(&identity.secret));
        assert_eq!(person.author_secret, identity.author_secret);
        assert_eq!(person.author, identity.author);
        assert_eq!(person.key.to_bytes()[..], bytes(&identity.sign_seed));
        assert_eq!(person.key.verifying_key().as_bytes()[..], bytes(&identity.public_key));
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
    let key = bytes(&derivation.content_key).try_into().expect("32 bytes");
    let people = [identities.owner, identities.member].map(|identity| Person::new(&bytes(&identity.secret)));
    assert!(envelopes.len() >= 9, "a message, changes, a signal, the about and the edges of the padding");

    for envelope in envelopes {
        let name = &envelope.name;
        assert!(envelope.body.len() <= 16_384, "{name}");
        let additional_data = &envelope.additional_data;
        let (nonce, plain) = open(&key, additional_data, &envelope.body);
        assert_eq!(nonce[..], bytes(&envelope.nonce), "{name}");

        let content = envelope.content.as_bytes();
        let public: [u8; PUBLIC_KEY_BYTES] = plain[..PUBLIC_KEY_BYTES].try_into().expect("the plain text has a key");
        assert_eq!(public[..], bytes(&envelope.public_key), "{name}");
        let writer = people.iter().map(|person| &person.key).find(|key| key.verifying_key().as_bytes() == &public);
        // Ed25519 signatures are deterministic: the whole plain text can be made anew.
        let letter = Letter::signed(writer.expect("a known identity"), additional_data, content);
        assert_eq!(plain, letter.plain_text(), "{name}");
        let signature = Signature::from_bytes(&letter.signature);
        let public = VerifyingKey::from_bytes(&public).expect("a point");
        public.verify_strict(&signed_bytes(additional_data, content), &signature).expect("the signature holds");
        assert_eq!(seal(&key, nonce, additional_data, &plain), envelope.body, "{name}");
    }
}
