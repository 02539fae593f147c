//! `tests/vectors/protocol.json`: from fixed secrets, everything that follows from them, as this library makes it. The
//! page's tests hold the page to the same file, so the two implementations check each other. After a change that is
//! meant, `BUDDY_WRITE_VECTORS=1 cargo test -p buddy-client vectors` writes the file anew.

use std::path::{Path, PathBuf};

use hpke::kem::X25519HkdfSha256;
use hpke::{Kem, Serializable};
use serde_json::{Value, json};

use crate::bytes::{Base64, Hex, RoomId, encode};
use crate::content::{After, Content, Kept, SignalContent, State};
use crate::envelope::{self, Place};
use crate::keys::{Identity, LinkSecret, MemberKey, OwnerSecret, Secret, Signer, room_id};
use crate::link::{Gift, Holds, Link, Note, Role, gift_place, invite_place, note_place, open_invite, seal_invite};
use crate::random::counted;
use crate::rotation::{self, Made, Origin, Renewal, grant_info, past_place, people_hash, private_place};
use crate::seal::{open_box, open_box_with, seal_box};
use crate::window::{Line, Lines};
use crate::{card, seal};

const AT_MS: u64 = 1_700_000_000_000;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/protocol.json")
}

fn counting<const N: usize>(start: u8) -> [u8; N] {
    std::array::from_fn(|at| start.wrapping_add(at as u8))
}

fn client_id(number: u8) -> String {
    format!("00112233-4455-4677-8899-aabbccddee{number:02x}")
}

/// What is made anew must be, to the byte, what the file holds: all randomness counts up.
#[test]
fn the_vectors_are_what_this_client_makes() {
    let made = format!("{:#}\n", vectors()).replace("  ", "\t");
    if std::env::var_os("BUDDY_WRITE_VECTORS").is_some() {
        std::fs::write(file(), &made).expect("the file of vectors can be written");
    }
    let kept = std::fs::read_to_string(file()).expect("the file of vectors can be read");
    assert!(kept == made, "tests/vectors/protocol.json differs from what is made now");
}

struct Cast {
    owner: OwnerSecret,
    owner_identity: Identity,
    alice: Identity,
    bob: Identity,
    room: RoomId,
    made: Vec<Made>,
    link: LinkSecret,
    seed: Base64<16>,
    reading: LinkSecret,
}

fn cast() -> Cast {
    let owner = OwnerSecret::new(Secret::new(counting(0x00)));
    let owner_identity = owner.identity();
    let (alice, bob) = (Identity::new(Secret::new(counting(0x40))), Identity::new(Secret::new(counting(0x60))));
    let room = room_id(&owner_identity.signer());
    let seed = Base64(counting(0xc0));
    let link = owner.link(&seed);
    let reading = owner.link(&Base64(counting(0xd0)));
    let state = |epoch, member: &MemberKey| State {
        name: "Summer trip 🏖".to_owned(),
        locked: false,
        message_ttl_s: Some(86_400),
        expires_in_s: 2_592_000,
        ever_ttl: Some(3_600),
        invite: Some(seal_invite(member, &room, epoch, &link)),
        pins: Vec::new(),
    };

    counted::start(0x10);
    let zero = rotation::found(&owner, Base64(counting(0x80)), AT_MS, vec![link.id()], |_, member| state(0, member));
    counted::start(0x20);
    let kept = |person: &Identity, name: &str| Kept {
        signer: person.signer(),
        author: person.author(),
        box_key: Base64(*person.box_key().bytes()),
        name: name.to_owned(),
    };
    let renewal = Renewal {
        kept: vec![kept(&owner_identity, "Olga"), kept(&alice, "Zoë"), kept(&bob, "Bob")],
        removed: vec![],
        links: vec![link.id(), reading.id()],
        with_past: true,
        head: lines(7).window(&room),
        at_ms: AT_MS + 1,
        salt: Some(Base64(counting(0x90))),
    };
    let one = rotation::renew(&owner, &zero.rotation, &zero.member, renewal, state);
    counted::start(0x30);
    let renewal = Renewal {
        kept: vec![kept(&owner_identity, "Olga"), kept(&alice, "Zoë")],
        removed: vec![bob.author()],
        links: vec![],
        with_past: false,
        head: None,
        at_ms: AT_MS + 2,
        salt: Some(Base64(counting(0xa0))),
    };
    let two = rotation::renew(&owner, &one.rotation, &one.member, renewal, state);
    Cast { owner, owner_identity, alice, bob, room, made: vec![zero, one, two], link, seed, reading }
}

fn vectors() -> Value {
    let cast = cast();
    let Cast { owner, owner_identity, alice, bob, room, link, .. } = &cast;
    let member_zero = &cast.made[0].member;
    json!({
        "about": "Secrets, keys and hashes of raw bytes are hex; everything else has the form that the protocol gives it.",
        "room": room,
        "owner": {
            "secret": hex::encode(owner.secret().bytes()),
            "token": owner.token().text(),
            "token_hash": owner.token().hash(),
            "note_key": hex::encode(owner.note_key().bytes()),
        },
        "identities": {
            "owner": identity_vector(owner_identity),
            "alice": identity_vector(alice),
            "bob": identity_vector(bob),
        },
        "epochs": cast.made.iter().map(|made| epoch_vector(&cast, made)).collect::<Vec<_>>(),
        "links": {
            "owner": address(room, Holds::Owner(owner.secret().clone())),
            "member": address(room, Holds::Member { link: link.clone(), identity: None }),
            "device": address(room, Holds::Member { link: link.clone(), identity: Some(alice.secret().clone()) }),
            "reader": address(room, Holds::Reader(cast.reading.clone())),
            "member_link": link_vector(&cast, link, &cast.seed, &Gift::Member(member_zero.clone()), Role::Member),
            "reader_link": link_vector(&cast, &cast.reading, &Base64(counting(0xd0)), &Gift::Reader(member_zero.reader()), Role::Reader),
        },
        "rotations": cast.made.iter().map(|made| rotation_vector(&cast, made)).collect::<Vec<_>>(),
        "boxes": boxes(&cast),
        "windows": windows(room),
        "envelopes": envelopes(&cast),
        "farewell": rotation::farewell(owner_identity, room),
        "refused": refused(&cast),
    })
}

fn address(room: &RoomId, holds: Holds) -> String {
    Link { origin: String::new(), room: *room, holds }.to_string()
}

fn identity_vector(identity: &Identity) -> Value {
    json!({
        "secret": hex::encode(identity.secret().bytes()),
        "sign_seed": hex::encode(identity.secret().derive("buddy/v2/sign").bytes()),
        "signer": identity.signer(),
        "box_private": hex::encode(identity.box_private().bytes()),
        "box": identity.box_key(),
        "author_secret": identity.author_secret().text(),
        "author": identity.author(),
    })
}

fn epoch_vector(cast: &Cast, made: &Made) -> Value {
    let part = made.rotation.part();
    let (member, reader) = (&made.member, made.member.reader());
    json!({
        "epoch": part.epoch,
        "salt": part.salt,
        "fresh": hex::encode(cast.owner.fresh(part.epoch, &part.salt).bytes()),
        "member": hex::encode(member.secret().bytes()),
        "post_token": member.post_token().text(),
        "post_token_hash": member.post_token().hash(),
        "admit_seed": hex::encode(member.admit_key().to_bytes()),
        "admit": member.admit(),
        "invite_key": hex::encode(member.invite_key().bytes()),
        "reader": hex::encode(reader.secret().bytes()),
        "content_key": hex::encode(reader.content_key().bytes()),
        "read_token": reader.read_token().text(),
        "read_token_hash": reader.read_token().hash(),
        "past_key": hex::encode(reader.past_key().bytes()),
    })
}

fn link_vector(cast: &Cast, link: &LinkSecret, seed: &Base64<16>, gift: &Gift, role: Role) -> Value {
    let Cast { owner, room, .. } = cast;
    let note = Note { seed: *seed, name: "Friends & family".to_owned(), role, epoch: 0 };
    counted::start(0x50);
    let (sealed, sealed_note) = (gift.seal(link, room, 0), note.seal(&owner.note_key(), room, &link.id()));
    assert_eq!(Gift::open(link, room, 0, &sealed).as_ref(), Ok(gift));
    assert_eq!(Note::open(&owner.note_key(), room, &link.id(), &sealed_note).as_ref(), Ok(&note));
    json!({
        "seed": seed,
        "secret": hex::encode(link.secret().bytes()),
        "id": link.id(),
        "token": link.token().text(),
        "token_hash": link.token().hash(),
        "key": hex::encode(link.key().bytes()),
        "gift": text(&gift.plain(0)),
        "sealed_additional_data": gift_place(link, room, 0),
        "sealed_nonce": hex::encode(&sealed.0[..12]),
        "sealed": sealed,
        "note_text": text(&note.plain()),
        "note_additional_data": note_place(room, &link.id()),
        "note_nonce": hex::encode(&sealed_note.0[..12]),
        "note": sealed_note,
    })
}

fn rotation_vector(cast: &Cast, made: &Made) -> Value {
    let Cast { room, owner_identity, link, .. } = cast;
    let part = made.rotation.part();
    let origin = Origin::named(part.epoch, made.rotation.text(), owner_identity.author());
    assert_eq!(origin, made.origin);
    let private = made.rotation.open_private(&made.member.reader(), &origin, &made.private).expect("it opens");
    let invite = private.state.invite.clone().expect("the room has a link");
    assert_eq!(open_invite(&made.member, room, part.epoch, &invite).as_ref(), Ok(link));
    json!({
        "public": made.rotation.text(),
        "signature": made.rotation.signature(),
        "hash": made.rotation.hash(),
        "past": part.past.as_ref().map(|past| json!({
            "additional_data": past_place(room, part.epoch),
            "nonce": hex::encode(&past.0[..12]),
        })),
        "private_additional_data": private_place(room, part.epoch, &origin).additional_data(),
        "private_content": text(&serde_json::to_vec(&private).expect("plain data")),
        "private": made.private,
        "invite_additional_data": invite_place(room, part.epoch),
        "invite_nonce": hex::encode(&invite.0[..12]),
        "invite": invite,
        "grants": made.grants.iter().map(|grant| json!({ "author": grant.author, "sealed": grant.sealed })).collect::<Vec<_>>(),
        "event_body": (part.epoch > 0).then(|| rotation::event_body(&made.rotation, &made.private)),
    })
}

/// RFC 9180's own vector for this suite (from the file of test vectors that it names; base mode, first encryption),
/// and a grant whose ephemeral key is known.
fn boxes(cast: &Cast) -> Value {
    let from_hex = |hex: &str| hex::decode(hex).expect("hex");
    let ikm = from_hex("2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9");
    let (ephemeral, encapsulated) = X25519HkdfSha256::derive_keypair(&ikm);
    let private: [u8; 32] =
        from_hex("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d").try_into().expect("32 bytes");
    let enc = "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256";
    let cipher_text = "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a";
    assert_eq!(hex::encode(encapsulated.to_bytes()), enc);
    let public = Hex::<32>::parse("430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c").expect("hex");
    assert_eq!(x25519_dalek::x25519(private, x25519_dalek::X25519_BASEPOINT_BYTES), public.0);
    // A box has no additional data, which the RFC's has: its opening is checked with the crate itself.
    let opened = hpke::single_shot_open::<hpke::aead::AesGcm256, hpke::kdf::HkdfSha256, X25519HkdfSha256>(
        &hpke::OpModeR::Base,
        &hpke::Deserializable::from_bytes(&private).expect("a private key"),
        &hpke::Deserializable::from_bytes(&from_hex(enc)).expect("an encapsulated key"),
        b"Ode on a Grecian Urn",
        &from_hex(cipher_text),
        b"Count-0",
    );
    assert_eq!(opened.expect("the RFC's vector opens"), b"Beauty is truth, truth beauty");

    let (Cast { room, alice, .. }, epoch) = (cast, 1);
    let info = grant_info(room, epoch, &alice.signer());
    let fresh = cast.owner.fresh(epoch, &cast.made[1].rotation.part().salt);
    counted::start(0x70);
    let sealed = seal_box(&alice.box_key(), &info, fresh.bytes());
    let ikm: [u8; 32] = counting(0x70);
    let (grant_ephemeral, grant_encapsulated) = X25519HkdfSha256::derive_keypair(&ikm);
    assert_eq!(sealed[..32], grant_encapsulated.to_bytes()[..]);
    assert_eq!(open_box(alice, &info, &sealed).as_deref(), Ok(&fresh.bytes()[..]));
    json!({
        "rfc9180": {
            "suite": "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; base mode",
            "info": hex::encode("Ode on a Grecian Urn"),
            "additional_data": hex::encode("Count-0"),
            "recipient_private": hex::encode(private),
            "recipient_public": public,
            "ephemeral_private": hex::encode(ephemeral.to_bytes()),
            "encapsulated": enc,
            "plaintext": hex::encode("Beauty is truth, truth beauty"),
            "ciphertext": cipher_text,
        },
        "grant": {
            "info": info,
            "recipient_private": hex::encode(alice.box_private().bytes()),
            "recipient_public": hex::encode(alice.box_key().bytes()),
            "ephemeral_private": hex::encode(grant_ephemeral.to_bytes()),
            "plaintext": hex::encode(fresh.bytes()),
            "sealed": encode(&sealed),
        },
    })
}

fn line(seq: u64) -> Line {
    let (author, target) =
        if seq.is_multiple_of(3) { (None, Some(seq - 1)) } else { (Some(Hex([seq as u8; 16])), None) };
    Line {
        seq,
        kind: if target.is_some() { "edit" } else { "message" }.to_owned(),
        client_id: client_id(seq as u8),
        author,
        target,
        sent_at_ms: AT_MS + seq * 10,
        body_hash: Hex(crate::bytes::sha256(format!("body {seq}").as_bytes())),
    }
}

fn lines(last: u64) -> Lines {
    let mut lines = Lines::default();
    (1..=last).for_each(|seq| lines.insert(line(seq)));
    lines
}

fn windows(room: &RoomId) -> Value {
    let window = |last| json!(lines(last).window(room));
    json!({
        "lines": lines(70).iter().map(|line| json!({
            "event": {
                "seq": line.seq, "kind": line.kind, "client_id": line.client_id, "author": line.author,
                "target": line.target, "body": format!("body {}", line.seq), "sent_at_ms": line.sent_at_ms,
            },
            "line": line.text(),
        })).collect::<Vec<_>>(),
        "windows": ([1, 3, 63, 64, 65, 70].map(window)),
    })
}

fn envelopes(cast: &Cast) -> Value {
    let Cast { room, alice, owner_identity, made, .. } = cast;
    let prev = lines(41).window(room);
    let said = Content { at_ms: AT_MS, prev, ..Content::default() };
    let target_id = Some(client_id(7));
    let text_of = |length: usize| Content { text: Some("x".repeat(length)), ..said.clone() };
    let bare = text_of(0).to_json().len();
    let after = Some(After { client_id: client_id(43), seq: 43 });
    let state = State { name: "Trip".to_owned(), expires_in_s: 2_592_000, ..State::default() };
    let own_card = card::content(
        &made[1].member,
        room,
        1,
        (&alice.signer(), Base64(*alice.box_key().bytes())),
        "Zoë",
        Some(cast.link.id()),
    );
    let signal = SignalContent { at_ms: AT_MS, head: prev }.to_json();
    type Case<'a> = (&'a str, &'a str, Option<u64>, &'a Identity, Vec<u8>);
    let cases: Vec<Case<'_>> = vec![
        ("a message", "message", None, alice, Content { text: Some("hello 👋".to_owned()), ..said.clone() }.to_json()),
        (
            "the first message of a room",
            "message",
            None,
            alice,
            Content { text: Some("first".to_owned()), prev: None, ..said.clone() }.to_json(),
        ),
        (
            "an answer after an own post",
            "message",
            Some(7),
            alice,
            Content { text: Some("yes".to_owned()), target_id: target_id.clone(), after, ..said.clone() }.to_json(),
        ),
        (
            "an edit",
            "edit",
            Some(7),
            alice,
            Content { text: Some("hello".to_owned()), target_id: target_id.clone(), ..said.clone() }.to_json(),
        ),
        (
            "a deletion by the owner",
            "delete",
            Some(7),
            owner_identity,
            Content { target_id: target_id.clone(), ..said.clone() }.to_json(),
        ),
        (
            "a reaction",
            "react",
            Some(7),
            alice,
            Content { emoji: Some("🎉".to_owned()), on: Some(true), target_id, ..said.clone() }.to_json(),
        ),
        ("a card", "card", None, alice, Content { at_ms: AT_MS, prev, ..own_card }.to_json()),
        ("a statement", "change", None, owner_identity, Content { state: Some(state), ..said.clone() }.to_json()),
        (
            "a post sealed anew",
            "message",
            None,
            alice,
            Content { text: Some("hello".to_owned()), again: Some(client_id(9)), ..said.clone() }.to_json(),
        ),
        ("a content that fills its padding", "message", None, alice, text_of(512 - 96 - 1 - bare).to_json()),
        ("a content one byte longer", "message", None, alice, text_of(512 - 96 - bare).to_json()),
        ("presence", "signal/here", None, alice, signal.clone()),
        ("typing", "signal/typing", None, alice, signal.clone()),
        ("leaving", "signal/gone", None, alice, signal),
    ];
    let key = made[1].member.reader().content_key();
    let made = cases.into_iter().enumerate().map(|(at, (name, kind, target, writer, content))| {
        let id = client_id(at as u8);
        let client_id = (!kind.starts_with("signal/")).then_some(id.as_str());
        let place = Place { room, epoch: 1, kind, client_id, author: Some(writer.author()), target };
        let nonce = counting(0xb0 + at as u8);
        let body = envelope::seal_with(&key, writer, &place, &content, nonce);
        assert_eq!(envelope::open(&key, &place, &body).expect("it opens").content, content);
        json!({
            "name": name,
            "kind": kind,
            "client_id": client_id,
            "author": writer.author(),
            "target": target,
            "additional_data": place.additional_data(),
            "nonce": hex::encode(nonce),
            "signer": writer.signer(),
            "content": text(&content),
            "body": body,
        })
    });
    made.collect()
}

/// Inputs that every implementation refuses. Those of `rotations` are signed by the owner, so only their form is wrong.
fn refused(cast: &Cast) -> Value {
    let Cast { room, alice, owner_identity, made, .. } = cast;
    let public = made[0].rotation.text();
    let rotations: Vec<Value> = [
        ("an unknown member", "{", r#"{"more":1,"#),
        ("a repeated member", r#""epoch":0"#, r#""epoch":0,"epoch":0"#),
        ("a repeated member, once escaped", r#""epoch":0"#, r#""epoch":0,"\u0065poch":0"#),
        ("a missing member", r#","past":null"#, ""),
        ("a member of another type", r#""epoch":0"#, r#""epoch":"0""#),
        ("a salt that is too short", r#""salt":"gIGC"#, r#""salt":""#),
        ("a salt that is padded", r#"","previous""#, r#"==","previous""#),
        ("an id in capitals", r#""removed":[]"#, r#""removed":["ABABABABABABABABABABABABABABABAB"]"#),
        (
            "a first rotation that shuts somebody out",
            r#""removed":[]"#,
            r#""removed":["abababababababababababababababab"]"#,
        ),
        ("no object", "{", "[{"),
    ]
    .into_iter()
    .map(|(name, from, to)| {
        assert!(public.contains(from), "{name}");
        let text = public.replacen(from, to, 1);
        let signature = Base64(owner_identity.sign(format!("buddy/v2/rotation\0{text}").as_bytes())).to_string();
        assert!(rotation::Rotation::verify(room, &text, &signature).is_err(), "{name}");
        json!({ "name": name, "public": text, "signature": signature })
    })
    .collect();

    let box_keys = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0900000000000000000000000000000000000000000000000000000000000080",
        "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let signers = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ];
    let bytes = |hex: &str| Hex::<32>::parse(hex).expect("hex").0;
    assert!(box_keys.iter().all(|key| crate::keys::BoxKey::new(bytes(key)).is_err()));
    assert!(signers.iter().all(|key| Signer::new(bytes(key)).is_err()));

    let base64url = ["AA==", "AA=", "AB", "A", "A+", "A/", "A A", "AA\n", "Ä"];
    assert!(base64url.iter().all(|text| crate::bytes::decode(text).is_err()));

    // A box whose encapsulated key is of small order, opened with Alice's key.
    let weak_box = [&[0; 32][..], &[0; 48]].concat();
    assert!(open_box_with(alice.box_private().bytes(), "info", &weak_box).is_err());

    let place = Place { room, epoch: 1, kind: "message", client_id: None, author: None, target: None };
    let key = made[1].member.reader().content_key();
    let data = place.additional_data();
    let signed = [b"buddy/v2/signature\0", data.as_bytes(), b"\0{}"].concat();
    let letter = [&alice.signer().bytes()[..], &alice.sign(&signed), b"{}"].concat();
    let padded = |length: usize, mark: u8| {
        let mut plain = [&letter[..], &[mark]].concat();
        plain.resize(length, 0);
        plain
    };
    let forged = [&cast.bob.signer().bytes()[..], &letter[32..], &[0x80], &[0; 157]].concat();
    let envelopes: Vec<Value> = [
        ("padding of more than one step", padded(512, 0x80)),
        ("padding that does not fill its step", padded(200, 0x80)),
        ("padding without its mark", padded(256, 0)),
        ("no signature", [&[0; 40][..], &[0x80], &[0; 215]].concat()),
        ("another's signature", forged),
    ]
    .into_iter()
    .map(|(name, plain)| {
        let body = format!("v2.1.{}", encode(&seal::seal_with(&key, counting(0xf0), &data, &plain)));
        assert!(envelope::open(&key, &place, &body).is_err(), "{name}");
        json!({ "name": name, "body": body })
    })
    .collect();
    json!({
        "base64url": base64url,
        "box_keys": box_keys,
        "signers": signers,
        "rotations": rotations,
        "weak_box": encode(&weak_box),
        "envelopes_additional_data": data,
        "envelopes": envelopes,
        "people_of_nobody": people_hash(&[]),
    })
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("JSON is text")
}
