//! Links (docs/protocol.md, "Links"): what stands in an address, what a link gives to whoever opens it, and the note
//! that its owner keeps about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::{Base64, Hex, LinkId, RoomId, Sealed};
use crate::content::parse_object;
use crate::keys::{LinkSecret, MemberKey, ReaderKey, Secret};
use crate::seal;

/// An address that opens a room, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Scheme and host, such as `https://chat.example`; empty where the text had none.
    pub origin: String,
    pub room: RoomId,
    pub holds: Holds,
}

/// What the fragment of an address holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// `#o.`: the room is the holder's.
    Owner(Secret),
    /// `#m.`: to take part; with an identity, as the same person on another device.
    Member { link: LinkSecret, identity: Option<Secret> },
    /// `#r.`: to read.
    Reader(LinkSecret),
}

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLink {
    #[error("this is not the address of a room")]
    NoRoom,
    #[error("the link is incomplete: the part after the # is missing or cut short")]
    Incomplete,
    #[error("the link was made by a newer Buddy")]
    Newer,
}

impl Link {
    /// # Errors
    /// See [`NoLink`].
    pub fn parse(text: &str) -> Result<Self, NoLink> {
        let text = text.trim();
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (origin, room) = address.split_once("/r/").ok_or(NoLink::NoRoom)?;
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let plain_origin =
            origin.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '@', '?']));
        let room = Hex::parse(room).map_err(|_| NoLink::NoRoom)?;
        if !plain_origin || text.contains(char::is_whitespace) {
            return Err(NoLink::NoRoom);
        }
        Ok(Self { origin: origin.to_owned(), room, holds: Holds::parse(fragment)? })
    }
}

impl Holds {
    fn parse(fragment: &str) -> Result<Self, NoLink> {
        let (letter, secrets) = fragment.split_once('.').ok_or(NoLink::Incomplete)?;
        let secret = |text| Secret::parse(text).map_err(|_| NoLink::Incomplete);
        match letter {
            "o" => secret(secrets).map(Self::Owner),
            "r" => secret(secrets).map(LinkSecret::new).map(Self::Reader),
            "m" => {
                let (link, identity) = match secrets.split_once('.') {
                    Some((link, identity)) => (link, Some(secret(identity)?)),
                    None => (secrets, None),
                };
                Ok(Self::Member { link: LinkSecret::new(secret(link)?), identity })
            }
            letter if letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_lowercase()) => Err(NoLink::Newer),
            _ => Err(NoLink::Incomplete),
        }
    }

    fn fragment(&self) -> String {
        match self {
            Self::Owner(secret) => format!("o.{}", secret.reveal()),
            Self::Member { link, identity: None } => format!("m.{}", link.secret().reveal()),
            Self::Member { link, identity: Some(identity) } => {
                format!("m.{}.{}", link.secret().reveal(), identity.reveal())
            }
            Self::Reader(link) => format!("r.{}", link.secret().reveal()),
        }
    }
}

/// The whole address: this shows the secret, so it goes to its user and nowhere else.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/r/{}#{}", self.origin, self.room, self.holds.fragment())
    }
}

/// What a link lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Member,
    Reader,
}

/// What a link gives: the key of its epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gift {
    Member(MemberKey),
    Reader(ReaderKey),
}

/// A link's gift is none: changed, of another link or epoch, or of no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the link should give cannot be read")]
pub struct Unreadable;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGift {
    role: Role,
    epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<Base64<32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reader: Option<Base64<32>>,
}

impl Gift {
    pub fn role(&self) -> Role {
        match self {
            Self::Member(_) => Role::Member,
            Self::Reader(_) => Role::Reader,
        }
    }

    pub fn reader(&self) -> ReaderKey {
        match self {
            Self::Member(member) => member.reader(),
            Self::Reader(reader) => reader.clone(),
        }
    }

    pub fn member(&self) -> Option<&MemberKey> {
        match self {
            Self::Member(member) => Some(member),
            Self::Reader(_) => None,
        }
    }

    pub fn seal(&self, link: &LinkSecret, room: &RoomId, epoch: u64) -> Sealed {
        Sealed(seal::seal(&link.key(), &gift_place(link, room, epoch), &self.plain(epoch)))
    }

    pub(crate) fn plain(&self, epoch: u64) -> Vec<u8> {
        let (member, reader) = match self {
            Self::Member(key) => (Some(Base64(*key.secret().bytes())), None),
            Self::Reader(key) => (None, Some(Base64(*key.secret().bytes()))),
        };
        serde_json::to_vec(&RawGift { role: self.role(), epoch, member, reader }).expect("a gift is plain data")
    }

    /// # Errors
    /// See [`Unreadable`].
    pub fn open(link: &LinkSecret, room: &RoomId, epoch: u64, sealed: &Sealed) -> Result<Self, Unreadable> {
        let plain = seal::open(&link.key(), &gift_place(link, room, epoch), &sealed.0).map_err(|_| Unreadable)?;
        let raw: RawGift = parse_object(&plain).map_err(|_| Unreadable)?;
        match raw {
            RawGift { role: Role::Member, epoch: given, member: Some(key), reader: None } if given == epoch => {
                Ok(Self::Member(MemberKey::new(Secret::new(key.0))))
            }
            RawGift { role: Role::Reader, epoch: given, member: None, reader: Some(key) } if given == epoch => {
                Ok(Self::Reader(ReaderKey::new(Secret::new(key.0))))
            }
            _ => Err(Unreadable),
        }
    }
}

pub(crate) fn gift_place(link: &LinkSecret, room: &RoomId, epoch: u64) -> String {
    format!("v2|link|{room}|{}|{epoch}", link.id())
}

/// What the owner remembers of a link. The server keeps it sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The link's secret follows from it and the owner's secret.
    pub seed: Base64<16>,
    pub name: String,
    pub role: Role,
    /// The epoch in which the link was made.
    pub epoch: u64,
}

impl Note {
    pub fn seal(&self, note_key: &Secret, room: &RoomId, id: &LinkId) -> Sealed {
        Sealed(seal::seal(note_key, &note_place(room, id), &self.plain()))
    }

    pub(crate) fn plain(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a note is plain data")
    }

    /// # Errors
    /// See [`Unreadable`].
    pub fn open(note_key: &Secret, room: &RoomId, id: &LinkId, sealed: &Sealed) -> Result<Self, Unreadable> {
        let plain = seal::open(note_key, &note_place(room, id), &sealed.0).map_err(|_| Unreadable)?;
        parse_object(&plain).map_err(|_| Unreadable)
    }
}

pub(crate) fn note_place(room: &RoomId, id: &LinkId) -> String {
    format!("v2|note|{room}|{id}")
}

/// The room's link as its state carries it: members of the epoch read it, readers cannot.
pub fn seal_invite(member: &MemberKey, room: &RoomId, epoch: u64, link: &LinkSecret) -> Sealed {
    Sealed(seal::seal(&member.invite_key(), &invite_place(room, epoch), link.secret().bytes()))
}

/// # Errors
/// See [`Unreadable`].
pub fn open_invite(member: &MemberKey, room: &RoomId, epoch: u64, sealed: &Sealed) -> Result<LinkSecret, Unreadable> {
    let plain = seal::open(&member.invite_key(), &invite_place(room, epoch), &sealed.0).map_err(|_| Unreadable)?;
    plain.try_into().map(|bytes| LinkSecret::new(Secret::new(bytes))).map_err(|_| Unreadable)
}

pub(crate) fn invite_place(room: &RoomId, epoch: u64) -> String {
    format!("v2|invite|{room}|{epoch}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: RoomId = Hex([0xab; 32]);

    fn secret(byte: u8) -> Secret {
        Secret::new([byte; 32])
    }

    #[test]
    fn links_are_read_as_they_are_written() {
        for holds in [
            Holds::Owner(secret(1)),
            Holds::Reader(LinkSecret::new(secret(2))),
            Holds::Member { link: LinkSecret::new(secret(3)), identity: None },
            Holds::Member { link: LinkSecret::new(secret(3)), identity: Some(secret(4)) },
        ] {
            for origin in ["https://chat.example", "http://127.0.0.1:3000", ""] {
                let link = Link { origin: origin.to_owned(), room: ROOM, holds: holds.clone() };
                assert_eq!(Link::parse(&format!("  {link}\n")), Ok(link));
            }
        }
    }

    #[test]
    fn what_is_no_whole_link_is_refused_for_what_it_lacks() {
        let room = format!("https://chat.example/r/{ROOM}");
        let whole = secret(1).reveal();
        let cases = [
            (String::new(), NoLink::NoRoom),
            ("https://chat.example/".to_owned(), NoLink::NoRoom),
            (format!("https://chat.example/r/abc#m.{whole}"), NoLink::NoRoom),
            (format!("https://somebody@chat.example/r/{ROOM}#m.{whole}"), NoLink::NoRoom),
            (format!("ftp://chat.example/r/{ROOM}#m.{whole}"), NoLink::NoRoom),
            (room.clone(), NoLink::Incomplete),
            (format!("{room}#m"), NoLink::Incomplete),
            (format!("{room}#m.{}", &whole[1..]), NoLink::Incomplete),
            (format!("{room}#m.{whole}."), NoLink::Incomplete),
            (format!("{room}#o.{whole}.{whole}"), NoLink::Incomplete),
            (format!("{room}#m.{whole}="), NoLink::Incomplete),
            (format!("{room}#x.{whole}"), NoLink::Newer),
        ];
        for (text, fault) in cases {
            assert_eq!(Link::parse(&text), Err(fault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_gift_opens_with_its_own_link_room_and_epoch_only(key in any::<[u8; 32]>(), epoch in 0u64..9, member in any::<bool>()) {
            let link = LinkSecret::new(secret(1));
            let key = Secret::new(key);
            let gift = if member { Gift::Member(MemberKey::new(key)) } else { Gift::Reader(ReaderKey::new(key)) };
            let sealed = gift.seal(&link, &ROOM, epoch);
            prop_assert_eq!(Gift::open(&link, &ROOM, epoch, &sealed), Ok(gift));
            for (link, room, epoch) in [
                (LinkSecret::new(secret(2)), ROOM, epoch),
                (link.clone(), Hex([1; 32]), epoch),
                (link.clone(), ROOM, epoch + 1),
            ] {
                prop_assert_eq!(Gift::open(&link, &room, epoch, &sealed), Err(Unreadable));
            }
        }
    }

    #[test]
    fn notes_cannot_be_swapped_and_readers_cannot_pass_the_room_on() {
        let (one, other) = (LinkSecret::new(secret(1)), LinkSecret::new(secret(2)));
        let note = Note { seed: Base64([5; 16]), name: "Friends".to_owned(), role: Role::Member, epoch: 0 };
        let sealed = note.seal(&secret(9), &ROOM, &one.id());
        assert_eq!(Note::open(&secret(9), &ROOM, &one.id(), &sealed), Ok(note));
        assert_eq!(Note::open(&secret(9), &ROOM, &other.id(), &sealed), Err(Unreadable));

        let member = MemberKey::new(secret(7));
        let invite = seal_invite(&member, &ROOM, 2, &one);
        assert_eq!(open_invite(&member, &ROOM, 2, &invite), Ok(one));
        assert_eq!(open_invite(&member, &ROOM, 3, &invite), Err(Unreadable));
        let as_reader = MemberKey::new(member.reader().secret().clone());
        assert_eq!(open_invite(&as_reader, &ROOM, 2, &invite), Err(Unreadable));
    }
}
