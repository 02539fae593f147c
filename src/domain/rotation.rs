//! Rotations: what begins an epoch of a room with keys (docs/protocol.md, "Renewing"). The server
//! takes rooms, epochs and token hashes from the public part, and checks no signature: what readers
//! have to check it could lie about all the same.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::link::{LinkId, NewLink, RawLink};
use crate::object::{Object, nullable, object};
use crate::request::{client_id, expires_in, message_ttl, opaque};
use crate::{Author, Error, MAX_SEQ, RoomId, TokenHash, base64url};

/// SHA-256 over all that a request asks for, by which the same request again is known.
pub type Fingerprint = [u8; 32];

/// One epoch's beginning, as it was sent.
pub struct Rotation {
    /// JSON text (or its base64url, where it was sent so).
    pub public: String,
    /// Base64url of 64 bytes.
    pub signature: String,
    /// Opaque text.
    pub private: String,
    pub part: PublicPart,
}

/// What the server takes from a public part.
pub struct PublicPart {
    pub room: RoomId,
    /// 0 to `MAX_SEQ`.
    pub epoch: i64,
    pub owner_token_hash: TokenHash,
    pub read_token_hash: TokenHash,
    pub post_token_hash: TokenHash,
}

/// All fields are there, none is there twice, and nothing else is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPublicPart {
    room: String,
    epoch: u64,
    owner: String,
    owner_token_hash: String,
    #[serde(rename = "salt")]
    _salt: String,
    #[serde(rename = "previous", deserialize_with = "nullable")]
    _previous: Option<String>,
    #[serde(rename = "head", deserialize_with = "nullable")]
    _head: Option<Object<RawHead>>,
    read_token_hash: String,
    post_token_hash: String,
    #[serde(rename = "admit")]
    _admit: String,
    #[serde(rename = "people")]
    _people: String,
    #[serde(rename = "removed")]
    _removed: Vec<String>,
    #[serde(rename = "past", deserialize_with = "nullable")]
    _past: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(rename = "from")]
    _from: u64,
    #[serde(rename = "digest")]
    _digest: String,
}

impl PublicPart {
    /// # Errors
    /// `InvalidRequest`: not an object of exactly these fields, or a room that is not named by its owner's key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let raw: RawPublicPart = object(text.as_bytes()).map_err(|error| Error::invalid(format!("public: {error}")))?;
        let owner =
            base64url::array::<32>(&raw.owner).ok_or_else(|| Error::invalid("owner must be 32 bytes in base64url."))?;
        let room = RoomId::parse(&raw.room).map_err(|_| Error::invalid("public names no room."))?;
        if room != RoomId::of_owner(&owner) {
            return Err(Error::invalid("A room with keys is named by the hash of its owner's key."));
        }
        let epoch = i64::try_from(raw.epoch)
            .ok()
            .filter(|epoch| *epoch <= MAX_SEQ)
            .ok_or_else(|| Error::invalid(format!("epoch must be from 0 to {MAX_SEQ}.")))?;
        let part = Self {
            room,
            epoch,
            owner_token_hash: TokenHash::parse("owner_token_hash", &raw.owner_token_hash)?,
            read_token_hash: TokenHash::parse("read_token_hash", &raw.read_token_hash)?,
            post_token_hash: TokenHash::parse("post_token_hash", &raw.post_token_hash)?,
        };
        let (owner, read, post) = (part.owner_token_hash, part.read_token_hash, part.post_token_hash);
        if owner == read || owner == post || read == post {
            return Err(Error::invalid("The token hashes of a room must differ from each other."));
        }
        Ok(part)
    }
}

impl Rotation {
    fn new(public: String, signature: String, private: String) -> Result<Self, Error> {
        let part = PublicPart::parse(&json_text(&public)?)?;
        if base64url::array::<64>(&signature).is_none() {
            return Err(Error::invalid("signature must be 64 bytes in base64url."));
        }
        opaque("private", Some(&private), usize::MAX)?;
        Ok(Self { public, signature, private, part })
    }

    /// The body of its event: public part, signature and private part, each in base64url.
    pub fn body(&self) -> String {
        format!("{}.{}.{}", in_base64url(&self.public), self.signature, in_base64url(&self.private))
    }
}

/// A public part's JSON, which begins with a brace as no base64url does.
fn json_text(public: &str) -> Result<String, Error> {
    if public.trim_start().starts_with('{') {
        return Ok(public.to_owned());
    }
    base64url::decode(public)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Error::invalid("public must be a JSON object in text."))
}

/// What is base64url already stays as it is.
fn in_base64url(text: &str) -> String {
    if base64url::decode(text).is_some() { text.to_owned() } else { base64url::encode(text.as_bytes()) }
}

/// A new room with keys: its first rotation and its first link.
pub struct Founding {
    pub rotation: Rotation,
    pub link: NewLink,
    pub expires_in_s: i64,
    /// 0: messages stay as long as the room.
    pub message_ttl_s: i64,
    pub fingerprint: Fingerprint,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRotation {
    public: String,
    signature: String,
    private: String,
}

impl Founding {
    /// # Errors
    /// `InvalidRequest`, for a room that is not the hash of the owner's key too.
    pub(crate) fn new(
        room: &str,
        rotation: RawRotation,
        link: RawLink,
        expires_in_s: Option<i64>,
        message_ttl_s: Option<i64>,
    ) -> Result<Self, Error> {
        let fingerprint = fingerprint(&(room, &rotation, &link, expires_in_s, message_ttl_s));
        let rotation = Rotation::new(rotation.public, rotation.signature, rotation.private)?;
        if RoomId::parse(room).ok() != Some(rotation.part.room) {
            return Err(Error::invalid("room must be the one that the rotation's public part names."));
        }
        if rotation.part.epoch != 0 {
            return Err(Error::invalid("A room begins with epoch 0."));
        }
        let expires_in_s = expires_in(expires_in_s)?
            .ok_or_else(|| Error::invalid("A room with keys says how long it is kept: give expires_in_s."))?;
        let message_ttl_s = message_ttl(message_ttl_s)?;
        Ok(Self { rotation, link: NewLink::of_founding(link)?, expires_in_s, message_ttl_s, fingerprint })
    }
}

/// A rotation as those see it who may follow it.
#[derive(Serialize)]
pub struct SentRotation {
    pub epoch: i64,
    /// Of its event; 0 for rotation 0.
    pub seq: i64,
    pub public: String,
    pub signature: String,
    /// With a former token only beside a grant.
    pub private: Option<String>,
    pub grant: Option<String>,
}

/// A request to renew a room's keys.
pub struct Renewal {
    pub client_id: Uuid,
    pub rotation: Rotation,
    pub grants: Vec<Grant>,
    /// The links that stay, sealed anew.
    pub links: Vec<Resealed>,
    pub taken_back: Vec<LinkId>,
    /// The sequence of the last card that the owner knows; `None`: never mind.
    pub cards_seen: Option<i64>,
    pub fingerprint: Fingerprint,
}

/// What lets one person follow. In JSON as the tables take it.
#[derive(Serialize)]
pub struct Grant {
    /// A member id in hex.
    pub author: String,
    pub sealed: String,
}

/// A link that stays. In JSON as the tables take it.
#[derive(Serialize)]
pub struct Resealed {
    /// A link's id in hex.
    pub id: String,
    pub sealed: String,
    pub note: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawRenewal {
    client_id: String,
    public: String,
    signature: String,
    private: String,
    grants: Vec<Object<RawGrant>>,
    links: Vec<Object<RawResealed>>,
    taken_back: Vec<String>,
    /// What the owner had seen is not what is asked for: a client may drop it and try again.
    #[serde(skip_serializing)]
    cards_seen: Option<i64>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    author: String,
    sealed: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawResealed {
    id: String,
    sealed: String,
    note: String,
}

impl Renewal {
    /// # Errors
    /// `InvalidRequest`: not an object of these fields, another room's, epoch 0, more than `people_max` grants,
    /// or somebody or something named twice.
    pub fn parse(body: &[u8], room: &RoomId, people_max: usize) -> Result<Self, Error> {
        let raw: RawRenewal = object(body)?;
        let fingerprint = fingerprint(&raw);
        if raw.grants.len() > people_max {
            return Err(Error::invalid(format!("grants may name {people_max} people.")));
        }
        let rotation = Rotation::new(raw.public, raw.signature, raw.private)?;
        if rotation.part.room != *room {
            return Err(Error::invalid("public names another room."));
        }
        if rotation.part.epoch == 0 {
            return Err(Error::invalid("Epoch 0 begins with the room."));
        }
        let mut grants = Vec::new();
        for Object(grant) in raw.grants {
            Author::parse("author", &grant.author)?;
            sealed("sealed", &grant.sealed)?;
            grants.push(Grant { author: grant.author, sealed: grant.sealed });
        }
        let mut links = Vec::new();
        for Object(link) in raw.links {
            LinkId::parse(&link.id)?;
            sealed("sealed", &link.sealed)?;
            sealed("note", &link.note)?;
            links.push(Resealed { id: link.id, sealed: link.sealed, note: link.note });
        }
        once("grants", grants.iter().map(|grant| &*grant.author))?;
        let stay = links.iter().map(|link| &*link.id);
        once("links and taken_back", stay.chain(raw.taken_back.iter().map(|id| &**id)))?;
        if raw.cards_seen.is_some_and(|seq| !(0..=MAX_SEQ).contains(&seq)) {
            return Err(Error::invalid("cards_seen must be a sequence number."));
        }
        Ok(Self {
            client_id: client_id(&raw.client_id)?,
            rotation,
            grants,
            links,
            taken_back: raw.taken_back.iter().map(|id| LinkId::parse(id)).collect::<Result<_, _>>()?,
            cards_seen: raw.cards_seen,
            fingerprint,
        })
    }
}

/// Bytes of a sealed value or a note at the most.
const SEALED_MAX: usize = 1024;

pub(crate) fn sealed(name: &str, text: &str) -> Result<(), Error> {
    match opaque(name, Some(text), SEALED_MAX) {
        Err(Error::TooLarge(text)) => Err(Error::InvalidRequest(text)),
        outcome => outcome.map(drop),
    }
}

fn once<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid(format!("{what} must name each one once.")));
    }
    Ok(())
}

pub(crate) fn fingerprint(request: &impl Serialize) -> Fingerprint {
    Sha256::digest(serde_json::to_vec(request).expect("a request is plain data")).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::NewRoom;

    const OWNER: [u8; 32] = [7; 32];

    fn public(epoch: u64) -> Value {
        json!({
            "room": RoomId::of_owner(&OWNER).to_string(), "epoch": epoch, "owner": base64url::encode(&OWNER),
            "owner_token_hash": "0a".repeat(32), "salt": "AAAA", "previous": null, "head": null,
            "read_token_hash": "0b".repeat(32), "post_token_hash": "0c".repeat(32), "admit": "AAAA",
            "people": "AAAA", "removed": [], "past": null,
        })
    }

    fn renewal() -> Value {
        json!({
            "client_id": "0b7ad1a5-3f1a-4d6c-9f1e-000000000001", "public": public(1).to_string(),
            "signature": base64url::encode(&[1; 64]), "private": "v2.1.AAAA",
            "grants": [{"author": "0d".repeat(16), "sealed": "AAAA"}],
            "links": [{"id": "0e".repeat(16), "sealed": "AAAA", "note": "AAAA"}],
            "taken_back": ["0f".repeat(16)], "cards_seen": 3,
        })
    }

    fn founding() -> Value {
        json!({
            "room": RoomId::of_owner(&OWNER).to_string(),
            "rotation": {"public": public(0).to_string(), "signature": base64url::encode(&[1; 64]), "private": "v2.0.AAAA"},
            "link": {"id": "0e".repeat(16), "token_hash": "0f".repeat(32), "sealed": "AAAA", "note": "AAAA"},
            "expires_in_s": 60,
        })
    }

    fn parse(renewal: &Value) -> Result<Renewal, Error> {
        Renewal::parse(renewal.to_string().as_bytes(), &RoomId::of_owner(&OWNER), 2)
    }

    fn with(mut value: Value, pointer: &str, to: Value) -> Value {
        *value.pointer_mut(pointer).expect("the field is there") = to;
        value
    }

    #[test]
    fn a_room_is_the_hash_of_its_owners_key() {
        let named: [u8; 32] = Sha256::digest([&b"buddy/v2/room\0"[..], &OWNER].concat()).into();
        assert_eq!(RoomId::of_owner(&OWNER).bytes(), named);
    }

    #[test]
    fn a_public_part_has_each_field_once_and_no_other() {
        PublicPart::parse(&public(3).to_string()).expect("a public part");
        let fields: Vec<_> = public(3).as_object().expect("an object").keys().cloned().collect();
        for field in &fields {
            let mut missing = public(3);
            missing.as_object_mut().expect("an object").remove(field);
            assert!(PublicPart::parse(&missing.to_string()).is_err(), "without {field}");
            let twice =
                format!("{},{}:{}}}", public(3).to_string().trim_end_matches('}'), json!(field), public(3)[field]);
            assert!(PublicPart::parse(&twice).is_err(), "{field} twice");
            assert!(
                PublicPart::parse(&with(public(3), &format!("/{field}"), json!({})).to_string()).is_err(),
                "{field}"
            );
        }
        let mut more = public(3);
        more["more"] = json!(1);
        assert!(PublicPart::parse(&more.to_string()).is_err());
        let head = json!({"seq": 3, "from": 1, "digest": "AAAA"});
        PublicPart::parse(&with(public(3), "/head", head.clone()).to_string()).expect("a head");
        for wrong in [json!([3, 1, "AAAA"]), with(head.clone(), "/seq", json!(-1)), json!({"seq": 3, "from": 1})] {
            assert!(PublicPart::parse(&with(public(3), "/head", wrong.clone()).to_string()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_public_part_is_of_a_room_that_its_owner_names() {
        for (field, wrong) in [
            ("/room", json!("0f".repeat(32))),
            ("/owner", json!(base64url::encode(&[8; 32]))),
            ("/owner", json!(format!("{}=", base64url::encode(&OWNER)))),
            ("/epoch", json!(-1)),
            ("/epoch", json!(1.0)),
            ("/epoch", json!("1")),
            ("/epoch", json!(MAX_SEQ + 1)),
            ("/epoch", json!(u64::MAX)),
            ("/read_token_hash", json!("0a".repeat(32))),
            ("/post_token_hash", json!("0b".repeat(32))),
            ("/post_token_hash", json!("0C".repeat(32))),
        ] {
            assert!(PublicPart::parse(&with(public(3), field, wrong.clone()).to_string()).is_err(), "{field} {wrong}");
        }
        for number in ["1e0", "1E0", "1.", "01", "+1", "0x1", "NaN", "1 1"] {
            let text = public(3).to_string().replace("\"epoch\":3", &format!("\"epoch\":{number}"));
            assert!(PublicPart::parse(&text).is_err(), "{number}");
        }
        assert!(PublicPart::parse(&with(public(3), "/epoch", json!(MAX_SEQ)).to_string()).is_ok());
    }

    #[test]
    fn the_body_of_an_event_holds_what_was_sent_in_base64url() {
        let renewal = parse(&renewal()).expect("a renewal");
        let parts: Vec<_> =
            renewal.rotation.body().split('.').map(|part| base64url::decode(part).expect("base64url")).collect();
        assert_eq!(parts, [public(1).to_string().into_bytes(), vec![1; 64], b"v2.1.AAAA".to_vec()]);
        assert_eq!(renewal.rotation.public, public(1).to_string());
    }

    #[test]
    fn parts_that_are_base64url_already_stay_as_they_are() {
        let public = base64url::encode(public(1).to_string().as_bytes());
        let private = base64url::encode(b"v2.1.AAAA");
        let sent = with(with(renewal(), "/public", json!(public)), "/private", json!(private));
        let parsed = parse(&sent).expect("a renewal");
        assert_eq!(parsed.rotation.body(), parse(&renewal()).expect("a renewal").rotation.body());
        assert_eq!((parsed.rotation.public, parsed.rotation.private), (public, private));
    }

    #[test]
    fn a_renewal_names_each_person_and_link_once() {
        let person = renewal()["grants"][0].clone();
        let link = renewal()["links"][0].clone();
        for (field, wrong) in [
            ("/grants", json!([person, person])),
            ("/grants", json!([["0d", "AAAA"]])),
            ("/grants", json!({})),
            ("/grants/0/author", json!("0D".repeat(16))),
            ("/grants/0/sealed", json!("")),
            ("/grants/0/sealed", json!("A".repeat(1025))),
            ("/links", json!([link, link])),
            ("/links/0/note", json!("A".repeat(1025))),
            ("/links/0/sealed", json!("\0")),
            ("/taken_back", json!(["0e".repeat(16)])),
            ("/taken_back", json!(["0f".repeat(16), "0f".repeat(16)])),
            ("/taken_back", json!(["0f"])),
            ("/cards_seen", json!(-1)),
            ("/cards_seen", json!("1")),
            ("/client_id", json!("0B7AD1A5-3F1A-4D6C-9F1E-000000000001")),
            ("/signature", json!(base64url::encode(&[1; 63]))),
            ("/private", json!("")),
            ("/public", json!(public(0).to_string())),
            ("/public", json!(format!("[{}]", public(1)))),
            ("/public", public(1)),
        ] {
            assert!(parse(&with(renewal(), field, wrong.clone())).is_err(), "{field} {wrong}");
        }
        parse(&with(renewal(), "/grants/0/sealed", json!("A".repeat(1024)))).expect("1,024 bytes");
        let people = |count: u8| {
            let grant = |number| json!({"author": format!("{number:032x}"), "sealed": "AAAA"});
            with(renewal(), "/grants", (0..count).map(grant).collect())
        };
        parse(&people(2)).expect("as many as may be");
        assert!(parse(&people(3)).is_err());
        assert!(Renewal::parse(renewal().to_string().as_bytes(), &RoomId::new([9; 32]), 2).is_err(), "another room's");
    }

    #[test]
    fn only_what_is_asked_for_makes_a_fingerprint() {
        let fingerprint = |renewal: Value| parse(&renewal).expect("a renewal").fingerprint;
        assert_eq!(fingerprint(renewal()), fingerprint(with(renewal(), "/cards_seen", json!(null))));
        for (field, other) in [
            ("/grants/0/sealed", json!("BBBB")),
            ("/links/0/note", json!("BBBB")),
            ("/taken_back", json!([])),
            ("/private", json!("v2.1.BBBB")),
        ] {
            assert_ne!(fingerprint(renewal()), fingerprint(with(renewal(), field, other)), "{field}");
        }
    }

    #[test]
    fn a_room_with_keys_is_made_from_all_its_parts() {
        let parse = |value: &Value| NewRoom::parse(value.to_string().as_bytes());
        assert!(matches!(parse(&founding()), Ok(NewRoom::WithKeys(_))));
        for field in ["room", "rotation", "link", "expires_in_s"] {
            let mut missing = founding();
            missing.as_object_mut().expect("an object").remove(field);
            assert!(parse(&missing).is_err(), "without {field}");
        }
        for (field, wrong) in [
            ("/room", json!("0f".repeat(32))),
            ("/rotation/public", json!(public(1).to_string())),
            ("/rotation", json!([public(0).to_string(), base64url::encode(&[1; 64]), "v2.0.AAAA"])),
            ("/link/token_hash", json!("0f")),
            ("/expires_in_s", json!(null)),
            ("/expires_in_s", json!(0)),
        ] {
            assert!(parse(&with(founding(), field, wrong.clone())).is_err(), "{field} {wrong}");
        }
        for (field, more) in [("about", json!("x")), ("owner_token_hash", json!("0a".repeat(32))), ("more", json!(1))] {
            let mut founding = founding();
            founding[field] = more;
            assert!(parse(&founding).is_err(), "{field}");
        }
        let mut openings = founding();
        openings["link"]["openings"] = json!(1);
        assert!(parse(&openings).is_err(), "the room's link may be opened by all");
    }

    proptest! {
        #[test]
        fn no_change_of_a_byte_makes_it_panic(at in 0usize..900, byte in any::<u8>()) {
            let mut body = renewal().to_string().into_bytes();
            let at = at % body.len();
            body[at] = byte;
            let _ = Renewal::parse(&body, &RoomId::of_owner(&OWNER), 2);
        }

        #[test]
        fn no_text_makes_a_public_part_panic(text in any::<String>()) {
            prop_assert!(PublicPart::parse(&text).is_err());
        }
    }
}
