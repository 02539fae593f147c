//! Cards (docs/protocol.md, "Cards"): what somebody shows before they speak. A card says a name and a box key, and is
//! admitted by the key that only holders of a member link of its epoch have.

use ed25519_dalek::Signer as _;

use crate::bytes::{Base64, LinkId, RoomId};
use crate::content::Content;
use crate::keys::{MemberKey, Signer};

/// The longest name that is shown, in characters.
pub const NAME_MAX_CHARS: usize = 40;

/// Signs a person into an epoch.
pub fn admit(member: &MemberKey, room: &RoomId, epoch: u64, signer: &Signer, box_key: &Base64<32>) -> Base64<64> {
    Base64(member.admit_key().sign(&admitted_bytes(room, epoch, signer, box_key)).to_bytes())
}

/// Whether a card's content admits `signer` to the epoch whose admit key is given.
pub fn is_admitted(admit: &Signer, room: &RoomId, epoch: u64, signer: &Signer, card: &Content) -> bool {
    let (Some(box_key), Some(Base64(signature))) = (&card.box_key, &card.admit) else { return false };
    card.name.is_some() && admit.signed(&admitted_bytes(room, epoch, signer, box_key), signature)
}

/// The content of a card, without what it says of the log.
pub fn content(
    member: &MemberKey,
    room: &RoomId,
    epoch: u64,
    (signer, box_key): (&Signer, Base64<32>),
    name: &str,
    via: Option<LinkId>,
) -> Content {
    Content {
        name: Some(name.to_owned()),
        admit: Some(admit(member, room, epoch, signer, &box_key)),
        box_key: Some(box_key),
        via,
        ..Content::default()
    }
}

fn admitted_bytes(room: &RoomId, epoch: u64, signer: &Signer, box_key: &Base64<32>) -> Vec<u8> {
    format!("buddy/v2/admit\0{room}|{epoch}|{signer}|{box_key}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Hex;
    use crate::keys::{Identity, Secret};

    #[test]
    fn a_card_admits_its_holder_to_its_room_and_epoch_only() {
        let room = Hex([1; 32]);
        let member = MemberKey::new(Secret::random());
        let (alice, bob) = (Identity::random(), Identity::random());
        let card = content(&member, &room, 4, (&alice.signer(), Base64(*alice.box_key().bytes())), "Alice", None);
        let admits = |key: &MemberKey, room, epoch, who: &Identity, card| {
            is_admitted(&key.admit(), &room, epoch, &who.signer(), card)
        };
        assert!(admits(&member, room, 4, &alice, &card));
        assert!(!admits(&member, Hex([2; 32]), 4, &alice, &card), "another room");
        assert!(!admits(&member, room, 5, &alice, &card), "another epoch");
        assert!(!admits(&member, room, 4, &bob, &card), "another person");
        assert!(!admits(&MemberKey::new(Secret::random()), room, 4, &alice, &card), "the key of another epoch");
        let swapped = Content { box_key: Some(Base64(*bob.box_key().bytes())), ..card.clone() };
        assert!(!admits(&member, room, 4, &alice, &swapped), "another's box key");
        // Whoever only reads has no admit key: what they could derive from is not the member's secret.
        let reader = MemberKey::new(member.reader().secret().clone());
        let forged = content(&reader, &room, 4, (&bob.signer(), Base64(*bob.box_key().bytes())), "Bob", None);
        assert!(!admits(&member, room, 4, &bob, &forged));
    }
}
