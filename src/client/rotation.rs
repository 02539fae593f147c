//! Renewals (docs/protocol.md, "Renewing"): making the keys of the next epoch as the owner, and following them as
//! somebody who stays. The owner's signature counts, and nothing that the server says.

use serde::{Deserialize, Deserializer, Serialize};

use crate::bytes::{Base64, Hex, LinkId, MemberId, RoomId, Sealed, TokenHash, encode, sha256};
use crate::content::{Kept, State, parse_object};
use crate::envelope::{self, Place};
use crate::keys::{BoxKey, Identity, MemberKey, OwnerSecret, ReaderKey, Secret, Signer, room_id};
use crate::link::Gift;
use crate::outbox::request_id;
use crate::window::Window;
use crate::{random, seal};

/// The part of a rotation that everybody reads, the server too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicPart {
    pub room: RoomId,
    pub epoch: u64,
    pub owner: Signer,
    pub owner_token_hash: TokenHash,
    pub salt: Base64<16>,
    /// SHA-256 of the text of the previous public part; null in epoch 0.
    #[serde(deserialize_with = "present")]
    pub previous: Option<Base64<32>>,
    /// What the owner's device had seen of the log; null where it had seen nothing.
    #[serde(deserialize_with = "present")]
    pub head: Option<Window>,
    pub read_token_hash: TokenHash,
    pub post_token_hash: TokenHash,
    pub admit: Signer,
    /// SHA-256 over the granted member ids, sorted, joined by newlines.
    pub people: Base64<32>,
    /// Whom this rotation shuts out.
    pub removed: Vec<MemberId>,
    /// The reader's key of the epoch before; null where newcomers are not to see what was said before.
    #[serde(deserialize_with = "present")]
    pub past: Option<Sealed>,
}

/// Without a default, a missing member is refused where null would be taken.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Why something is no rotation of this room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRotation {
    #[error("it is not in the form of a rotation")]
    Malformed,
    #[error("it is another room's")]
    OtherRoom,
    #[error("the owner's key does not fit the room")]
    ForeignOwner,
    #[error("the owner did not sign it")]
    Forged,
    #[error("it does not follow the rotation before it")]
    OutOfOrder,
    #[error("the key that was given for it does not fit it")]
    WrongKey,
    #[error("the key of the epoch before does not fit that epoch")]
    WrongPast,
    #[error("what it keeps cannot be read")]
    Unreadable,
}

/// A public part with the owner's signature, both as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    text: String,
    signature: Base64<64>,
    part: PublicPart,
}

impl Rotation {
    /// Takes a public part that is of this room and signed by its owner. Whether it follows what is known is another
    /// question: see [`Rotation::follows`].
    ///
    /// # Errors
    /// See [`NoRotation`].
    pub fn verify(room: &RoomId, text: &str, signature: &str) -> Result<Self, NoRotation> {
        let part: PublicPart = parse_object(text.as_bytes()).map_err(|_| NoRotation::Malformed)?;
        let signature = Base64::<64>::parse(signature).map_err(|_| NoRotation::Malformed)?;
        if part.room != *room {
            return Err(NoRotation::OtherRoom);
        }
        if room_id(&part.owner) != *room {
            return Err(NoRotation::ForeignOwner);
        }
        if !part.owner.signed(&signed_bytes(text), &signature.0) {
            return Err(NoRotation::Forged);
        }
        let first = part.epoch == 0;
        let begins = part.previous.is_none() && part.head.is_none() && part.past.is_none() && part.removed.is_empty();
        if (first && !begins) || (!first && part.previous.is_none()) {
            return Err(NoRotation::Malformed);
        }
        Ok(Self { text: text.to_owned(), signature, part })
    }

    /// The public part's text, as it is hashed, signed and sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn signature(&self) -> &Base64<64> {
        &self.signature
    }

    pub fn part(&self) -> &PublicPart {
        &self.part
    }

    pub fn epoch(&self) -> u64 {
        self.part.epoch
    }

    /// SHA-256 of the text: what the next rotation names.
    pub fn hash(&self) -> Base64<32> {
        Base64(sha256(self.text.as_bytes()))
    }

    /// # Errors
    /// [`NoRotation::OutOfOrder`] unless this is the very next epoch after `previous` and names it.
    pub fn follows(&self, previous: &Self) -> Result<(), NoRotation> {
        let (part, before) = (&self.part, &previous.part);
        let next = before.epoch.checked_add(1) == Some(part.epoch) && part.previous == Some(previous.hash());
        let same_owner = part.owner_token_hash == before.owner_token_hash;
        if next && same_owner { Ok(()) } else { Err(NoRotation::OutOfOrder) }
    }

    /// # Errors
    /// [`NoRotation::WrongKey`] unless the tokens and the admit key that follow from the key are this rotation's.
    pub fn fits(&self, gift: &Gift) -> Result<(), NoRotation> {
        let reads = gift.reader().read_token().hash() == self.part.read_token_hash;
        let posts = gift.member().is_none_or(|member| {
            member.post_token().hash() == self.part.post_token_hash && member.admit() == self.part.admit
        });
        if reads && posts { Ok(()) } else { Err(NoRotation::WrongKey) }
    }

    /// The reader's key of the epoch before, where newcomers may have it.
    ///
    /// # Errors
    /// [`NoRotation::WrongPast`] if it does not open, or does not fit the previous rotation.
    pub fn past(&self, reader: &ReaderKey, previous: &Self) -> Result<Option<ReaderKey>, NoRotation> {
        let Some(sealed) = &self.part.past else { return Ok(None) };
        let place = past_place(&self.part.room, self.part.epoch);
        let plain = seal::open(&reader.past_key(), &place, &sealed.0).map_err(|_| NoRotation::WrongPast)?;
        let before =
            plain.try_into().map(|bytes| ReaderKey::new(Secret::new(bytes))).map_err(|_| NoRotation::WrongPast)?;
        let fits = before.read_token().hash() == previous.part.read_token_hash;
        if fits { Ok(Some(before)) } else { Err(NoRotation::WrongPast) }
    }

    /// Follows a grant from the epoch before: the key of this epoch, checked against all that is known.
    ///
    /// # Errors
    /// See [`NoRotation`].
    pub fn follow(
        &self,
        previous: &Self,
        member: &MemberKey,
        identity: &Identity,
        grant: &Sealed,
    ) -> Result<MemberKey, NoRotation> {
        self.follows(previous)?;
        let PublicPart { room, epoch, .. } = &self.part;
        let info = grant_info(room, *epoch, &identity.signer());
        let fresh = seal::open_box(identity, &info, &grant.0).map_err(|_| NoRotation::WrongKey)?;
        let fresh = fresh.try_into().map(Secret::new).map_err(|_| NoRotation::WrongKey)?;
        self.accept(previous, MemberKey::next(&fresh, Some(member), room, *epoch))
    }

    /// As [`Rotation::follow`], for the owner, who recovers every epoch from its salt.
    ///
    /// # Errors
    /// See [`NoRotation`].
    pub fn recover(&self, owner: &OwnerSecret, before: Option<(&Self, &MemberKey)>) -> Result<MemberKey, NoRotation> {
        let PublicPart { room, epoch, salt, .. } = &self.part;
        let fresh = owner.fresh(*epoch, salt);
        let member = MemberKey::next(&fresh, before.map(|(_, member)| member), room, *epoch);
        match before {
            Some((previous, _)) => {
                self.follows(previous)?;
                self.accept(previous, member)
            }
            None if *epoch == 0 => self.fits(&Gift::Member(member.clone())).map(|()| member),
            None => Err(NoRotation::OutOfOrder),
        }
    }

    fn accept(&self, previous: &Self, member: MemberKey) -> Result<MemberKey, NoRotation> {
        self.fits(&Gift::Member(member.clone()))?;
        self.past(&member.reader(), previous)?;
        Ok(member)
    }

    /// Opens the private part.
    ///
    /// # Errors
    /// [`NoRotation::Unreadable`], and [`NoRotation::Forged`] where somebody else than the owner signed it.
    pub fn open_private(&self, reader: &ReaderKey, origin: &Origin, sealed: &str) -> Result<PrivatePart, NoRotation> {
        let place = private_place(&self.part.room, self.part.epoch, origin);
        let opened = envelope::open(&reader.content_key(), &place, sealed).map_err(|_| NoRotation::Unreadable)?;
        if opened.signer != self.part.owner {
            return Err(NoRotation::Forged);
        }
        parse_object(&opened.content).map_err(|_| NoRotation::Unreadable)
    }
}

/// Which event a rotation came with: none for rotation 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub client_id: Option<String>,
    pub author: Option<MemberId>,
}

impl Origin {
    /// As an owner's client names its requests: after what they say, so that the private part opens when the event has
    /// expired.
    pub fn named(epoch: u64, text: &str, owner: MemberId) -> Self {
        match epoch {
            0 => Self::default(),
            _ => Self { client_id: Some(request_id(text)), author: Some(owner) },
        }
    }
}

/// The part of a rotation that only its epoch's people read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivatePart {
    pub at_ms: u64,
    pub state: State,
    /// The links that stay.
    pub links: Vec<LinkId>,
    /// The people who stay.
    pub kept: Vec<Kept>,
}

/// A person that a renewal leaves in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub author: MemberId,
    pub sealed: Sealed,
}

/// What the owner sends to begin an epoch.
#[derive(Clone, Debug)]
pub struct Made {
    pub rotation: Rotation,
    /// The event that it is to come with.
    pub origin: Origin,
    /// The private part, sealed.
    pub private: String,
    pub grants: Vec<Grant>,
    pub member: MemberKey,
    /// Who could not be granted, since no box can be made for their key.
    pub left_out: Vec<MemberId>,
}

/// Makes rotation 0, with which a room begins. `state` is made with the epoch's key, which seals the invite.
pub fn found(
    owner: &OwnerSecret,
    salt: Base64<16>,
    at_ms: u64,
    links: Vec<LinkId>,
    state: impl FnOnce(&RoomId, &MemberKey) -> State,
) -> Made {
    let identity = owner.identity();
    let room = room_id(&identity.signer());
    let member = MemberKey::next(&owner.fresh(0, &salt), None, &room, 0);
    let part = PublicPart {
        head: None,
        previous: None,
        removed: Vec::new(),
        past: None,
        ..public_part(owner, &room, 0, salt, &member, &[])
    };
    let private = PrivatePart { at_ms, state: state(&room, &member), links, kept: Vec::new() };
    finish(&identity, part, &private, member, Vec::new(), Vec::new())
}

/// What a renewal is to change.
#[derive(Clone, Debug, Default)]
pub struct Renewal {
    /// Everybody who stays.
    pub kept: Vec<Kept>,
    pub removed: Vec<MemberId>,
    /// Every link that stays.
    pub links: Vec<LinkId>,
    /// Whether newcomers see what was said before.
    pub with_past: bool,
    pub head: Option<Window>,
    pub at_ms: u64,
    pub salt: Option<Base64<16>>,
}

/// Makes the rotation after `previous`, whose key is `before`.
pub fn renew(
    owner: &OwnerSecret,
    previous: &Rotation,
    before: &MemberKey,
    renewal: Renewal,
    state: impl FnOnce(u64, &MemberKey) -> State,
) -> Made {
    let identity = owner.identity();
    let room = previous.part.room;
    let epoch = previous.part.epoch + 1;
    let salt = renewal.salt.unwrap_or_else(|| Base64(random::bytes()));
    let fresh = owner.fresh(epoch, &salt);
    let member = MemberKey::next(&fresh, Some(before), &room, epoch);

    let mut grants = Vec::new();
    let mut left_out = Vec::new();
    let (mut kept, mut removed) = (renewal.kept, renewal.removed);
    kept.sort_by_key(|person| person.author);
    kept.dedup_by_key(|person| person.author);
    removed.sort();
    removed.dedup();
    kept.retain(|person| {
        if person.signer == identity.signer() {
            // The owner needs no grant.
            return true;
        }
        match BoxKey::new(person.box_key.0) {
            Ok(key) => {
                let info = grant_info(&room, epoch, &person.signer);
                let sealed = Sealed(seal::seal_box(&key, &info, fresh.bytes()));
                grants.push(Grant { author: person.author, sealed });
                true
            }
            Err(_) => {
                left_out.push(person.author);
                false
            }
        }
    });
    let granted: Vec<MemberId> = grants.iter().map(|grant| grant.author).collect();
    let past = renewal.with_past.then(|| {
        let place = past_place(&room, epoch);
        Sealed(seal::seal(&member.reader().past_key(), &place, before.reader().secret().bytes()))
    });
    let part = PublicPart {
        previous: Some(previous.hash()),
        head: renewal.head,
        removed,
        past,
        ..public_part(owner, &room, epoch, salt, &member, &granted)
    };
    let private = PrivatePart { at_ms: renewal.at_ms, state: state(epoch, &member), links: renewal.links, kept };
    finish(&identity, part, &private, member, grants, left_out)
}

fn public_part(
    owner: &OwnerSecret,
    room: &RoomId,
    epoch: u64,
    salt: Base64<16>,
    member: &MemberKey,
    granted: &[MemberId],
) -> PublicPart {
    PublicPart {
        room: *room,
        epoch,
        owner: owner.identity().signer(),
        owner_token_hash: owner.token().hash(),
        salt,
        previous: None,
        head: None,
        read_token_hash: member.reader().read_token().hash(),
        post_token_hash: member.post_token().hash(),
        admit: member.admit(),
        people: people_hash(granted),
        removed: Vec::new(),
        past: None,
    }
}

fn finish(
    identity: &Identity,
    part: PublicPart,
    private: &PrivatePart,
    member: MemberKey,
    grants: Vec<Grant>,
    left_out: Vec<MemberId>,
) -> Made {
    let text = serde_json::to_string(&part).expect("a public part is plain data");
    let signature = Base64(identity.sign(&signed_bytes(&text)));
    let origin = Origin::named(part.epoch, &text, identity.author());
    let place = private_place(&part.room, part.epoch, &origin);
    let content = serde_json::to_vec(private).expect("a private part is plain data");
    let private = envelope::seal(&member.reader().content_key(), identity, &place, &content);
    Made { rotation: Rotation { text, signature, part }, origin, private, grants, member, left_out }
}

/// SHA-256 over the member ids, sorted, joined by newlines.
pub fn people_hash(granted: &[MemberId]) -> Base64<32> {
    let mut ids: Vec<String> = granted.iter().map(Hex::to_string).collect();
    ids.sort();
    Base64(sha256(ids.join("\n").as_bytes()))
}

/// The body of a `rotate` event: its three parts, each in base64url, joined by dots.
pub fn event_body(rotation: &Rotation, private: &str) -> String {
    let [public, signature, private] =
        [rotation.text.as_bytes(), &rotation.signature.0, private.as_bytes()].map(encode);
    format!("{public}.{signature}.{private}")
}

/// The rotation and the sealed private part in the body of a `rotate` event.
///
/// # Errors
/// As [`Rotation::verify`].
pub fn parse_event_body(room: &RoomId, body: &str) -> Result<(Rotation, String), NoRotation> {
    let parts: Vec<&str> = body.split('.').collect();
    let [public, signature, private] = parts[..] else { return Err(NoRotation::Malformed) };
    let text = |part| {
        let bytes = crate::bytes::decode(part).map_err(|_| NoRotation::Malformed)?;
        String::from_utf8(bytes).map_err(|_| NoRotation::Malformed)
    };
    Ok((Rotation::verify(room, &text(public)?, signature)?, text(private)?))
}

/// What the owner signs to have the room deleted, unsealed, so that whoever asks later can be shown it.
pub fn farewell(owner: &Identity, room: &RoomId) -> Base64<64> {
    Base64(owner.sign(&farewell_bytes(room)))
}

/// Whether a farewell is of the room's owner.
pub fn is_farewell(owner: &Signer, room: &RoomId, farewell: &str) -> bool {
    Base64::parse(farewell).is_ok_and(|Base64(signature)| owner.signed(&farewell_bytes(room), &signature))
}

fn farewell_bytes(room: &RoomId) -> Vec<u8> {
    format!("buddy/v2/farewell\0{room}").into_bytes()
}

fn signed_bytes(text: &str) -> Vec<u8> {
    format!("buddy/v2/rotation\0{text}").into_bytes()
}

pub(crate) fn grant_info(room: &RoomId, epoch: u64, signer: &Signer) -> String {
    format!("buddy/v2/grant|{room}|{epoch}|{signer}")
}

pub(crate) fn past_place(room: &RoomId, epoch: u64) -> String {
    format!("v2|past|{room}|{epoch}")
}

pub(crate) fn private_place<'a>(room: &'a RoomId, epoch: u64, origin: &'a Origin) -> Place<'a> {
    Place { room, epoch, kind: "rotate", client_id: origin.client_id.as_deref(), author: origin.author, target: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::LinkSecret;
    use crate::link::seal_invite;

    fn founded() -> (OwnerSecret, Made) {
        let owner = OwnerSecret::new(Secret::random());
        let made = found(&owner, Base64(random::bytes()), 1, Vec::new(), |room, member| State {
            name: "Trip".to_owned(),
            invite: Some(seal_invite(member, room, 0, &LinkSecret::new(Secret::random()))),
            ..State::default()
        });
        (owner, made)
    }

    fn kept(person: &Identity, name: &str) -> Kept {
        let box_key = Base64(*person.box_key().bytes());
        Kept { signer: person.signer(), author: person.author(), box_key, name: name.to_owned() }
    }

    fn renewed(owner: &OwnerSecret, before: &Made, people: &[&Identity], with_past: bool) -> Made {
        let kept = people.iter().map(|person| kept(person, "somebody")).collect();
        let renewal = Renewal { kept, with_past, ..Renewal::default() };
        renew(owner, &before.rotation, &before.member, renewal, |_, _| State::default())
    }

    fn read(made: &Made) -> Result<Rotation, NoRotation> {
        let room = made.rotation.part.room;
        Rotation::verify(&room, made.rotation.text(), &made.rotation.signature().to_string())
    }

    #[test]
    fn who_stays_follows_several_renewals_and_who_does_not_stays_out() {
        let (owner, zero) = founded();
        let (alice, bob) = (Identity::random(), Identity::random());
        let one = renewed(&owner, &zero, &[&alice, &bob], true);
        let two = renewed(&owner, &one, &[&alice], true);
        assert_eq!((one.grants.len(), two.grants.len()), (2, 1));
        let grant = |made: &Made, person: &Identity| {
            made.grants.iter().find(|grant| grant.author == person.author()).map(|grant| grant.sealed.clone())
        };
        let follow = |made: &Made, before: &Made, member: &MemberKey, person: &Identity, sealed: &Sealed| {
            made.rotation.follow(&before.rotation, member, person, sealed)
        };
        let at_one = follow(&one, &zero, &zero.member, &alice, &grant(&one, &alice).expect("granted"));
        assert_eq!(at_one.as_ref(), Ok(&one.member));
        let granted = grant(&two, &alice).expect("granted");
        assert_eq!(follow(&two, &one, &one.member, &alice, &granted), Ok(two.member.clone()));

        assert_eq!(grant(&two, &bob), None);
        assert_eq!(follow(&two, &one, &one.member, &bob, &granted), Err(NoRotation::WrongKey));
        // Boxes broken, but never a link held: what is boxed opens nothing without the epoch before.
        let stranger = MemberKey::new(Secret::random());
        assert_eq!(follow(&two, &one, &stranger, &alice, &granted), Err(NoRotation::WrongKey));
        assert_eq!(follow(&two, &zero, &zero.member, &alice, &granted), Err(NoRotation::OutOfOrder));

        // The owner's other device needs no grant.
        assert_eq!(zero.rotation.recover(&owner, None), Ok(zero.member.clone()));
        assert_eq!(one.rotation.recover(&owner, Some((&zero.rotation, &zero.member))), Ok(one.member.clone()));
        assert_eq!(one.rotation.recover(&owner, None), Err(NoRotation::OutOfOrder));
    }

    #[test]
    fn what_was_said_before_is_shared_where_the_owner_says_so() {
        let (owner, zero) = founded();
        let with = renewed(&owner, &zero, &[], true);
        let past = with.rotation.past(&with.member.reader(), &zero.rotation);
        assert_eq!(past, Ok(Some(zero.member.reader())));
        let without = renewed(&owner, &zero, &[], false);
        assert_eq!(without.rotation.past(&without.member.reader(), &zero.rotation), Ok(None));
        let (_, other) = founded();
        assert_eq!(with.rotation.past(&with.member.reader(), &other.rotation), Err(NoRotation::WrongPast));
    }

    #[test]
    fn a_private_part_is_the_owners() {
        let (owner, zero) = founded();
        let reader = zero.member.reader();
        let part = zero.rotation.open_private(&reader, &Origin::default(), &zero.private).expect("it opens");
        assert_eq!(part.state.name, "Trip");
        let identity = Identity::random();
        let room = zero.rotation.part.room;
        let content = serde_json::to_vec(&part).expect("plain data");
        let origin = Origin::default();
        let place = private_place(&room, 0, &origin);
        let forged = envelope::seal(&reader.content_key(), &identity, &place, &content);
        assert_eq!(zero.rotation.open_private(&reader, &origin, &forged), Err(NoRotation::Forged));
        let one = renewed(&owner, &zero, &[], true);
        assert_eq!(one.rotation.open_private(&reader, &origin, &zero.private), Err(NoRotation::Unreadable));
    }

    #[test]
    fn a_weak_box_key_leaves_its_holder_out_and_stops_nobody_else() {
        let (owner, zero) = founded();
        let (alice, mallory) = (Identity::random(), Identity::random());
        let weak = Kept { box_key: Base64([0; 32]), ..kept(&mallory, "Mallory") };
        let renewal = Renewal { kept: vec![weak, kept(&alice, "Alice")], ..Renewal::default() };
        let made = renew(&owner, &zero.rotation, &zero.member, renewal, |_, _| State::default());
        assert_eq!(made.left_out, [mallory.author()]);
        assert_eq!(made.grants.iter().map(|grant| grant.author).collect::<Vec<_>>(), [alice.author()]);
        assert_eq!(made.rotation.part.people, people_hash(&[alice.author()]));
    }

    #[test]
    fn a_public_part_is_taken_as_it_was_signed_or_not_at_all() {
        let (owner, zero) = founded();
        let (_, other) = founded();
        let room = zero.rotation.part.room;
        assert_eq!(read(&zero), Ok(zero.rotation.clone()));
        assert_eq!(
            Rotation::verify(&room, other.rotation.text(), &other.rotation.signature().to_string()),
            Err(NoRotation::OtherRoom),
        );
        let signed = |text: &str| {
            let signature = Base64(owner.identity().sign(&signed_bytes(text))).to_string();
            Rotation::verify(&room, text, &signature).map(|_| ())
        };
        let text = zero.rotation.text();
        assert_eq!(signed(text), Ok(()));
        for (from, to) in [
            ("{", r#"{"more":1,"#),
            (r#""epoch":0"#, r#""epoch":0,"epoch":0"#),
            (r#","past":null"#, ""),
            (r#""previous":null,"#, ""),
            (r#""removed":[]"#, r#""removed":["AB"]"#),
            (r#""epoch":0"#, r#""epoch":"0""#),
            (r#""epoch":0"#, r#""epoch":1"#),
        ] {
            assert!(text.contains(from), "{from}");
            assert_eq!(signed(&text.replacen(from, to, 1)), Err(NoRotation::Malformed), "{from} to {to}");
        }
        let spaced = text.replacen(':', ": ", 1);
        assert_eq!(signed(&spaced), Ok(()), "its form is its writer's");
        let stolen = Rotation::verify(&room, &spaced, &zero.rotation.signature().to_string());
        assert_eq!(stolen, Err(NoRotation::Forged));
        let foreign = text.replace(&zero.rotation.part.owner.to_string(), &other.rotation.part.owner.to_string());
        assert_eq!(signed(&foreign), Err(NoRotation::ForeignOwner));
    }

    #[test]
    fn a_farewell_is_of_the_rooms_own_owner() {
        let (owner, zero) = founded();
        let room = zero.rotation.part.room;
        let signer = owner.identity().signer();
        let text = farewell(&owner.identity(), &room).to_string();
        assert!(is_farewell(&signer, &room, &text));
        assert!(!is_farewell(&signer, &Hex([1; 32]), &text));
        assert!(!is_farewell(&Identity::random().signer(), &room, &text));
        assert!(!is_farewell(&signer, &room, &format!("{text}=")));
    }

    proptest! {
        #[test]
        fn the_body_of_an_event_gives_back_what_was_sent(with_past in any::<bool>(), cut in any::<usize>()) {
            let (owner, zero) = founded();
            let made = renewed(&owner, &zero, &[&Identity::random()], with_past);
            let room = made.rotation.part.room;
            let body = event_body(&made.rotation, &made.private);
            prop_assert_eq!(parse_event_body(&room, &body), Ok((made.rotation, made.private)));
            let cut = cut % body.len();
            prop_assert!(parse_event_body(&room, &body[..cut]).is_err() || body[cut..].find('.').is_none());
        }
    }
}
