//! Bodies: what is said, signed by who says it and sealed under the epoch's content key (docs/protocol.md,
//! "Envelopes"). An envelope is bound to the place it was made for; moved anywhere else it does not open.

use crate::bytes::{MemberId, RoomId, decode, encode};
use crate::keys::{Identity, Secret, Signer};
use crate::{random, seal};

const SIGNER_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
/// Lengths show only in steps of this.
const PADDING_STEP: usize = 256;

/// Where an envelope belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub room: &'a RoomId,
    pub epoch: u64,
    /// Of an event; of a signal `signal/<kind>`.
    pub kind: &'a str,
    pub client_id: Option<&'a str>,
    pub author: Option<MemberId>,
    pub target: Option<u64>,
}

impl Place<'_> {
    /// What the seal and the signature are bound to; an absent field is empty.
    pub fn additional_data(&self) -> String {
        let author = self.author.map(|author| author.to_string()).unwrap_or_default();
        let target = self.target.map(|target| target.to_string()).unwrap_or_default();
        let Self { room, epoch, kind, client_id, .. } = self;
        format!("v2|{room}|{epoch}|{kind}|{}|{author}|{target}", client_id.unwrap_or_default())
    }
}

/// What an envelope held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose signature holds.
    pub signer: Signer,
    /// JSON, unread.
    pub content: Vec<u8>,
}

/// Why an envelope did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("written by a newer version")]
    Newer,
    #[error("not in the form of an envelope")]
    Malformed,
    #[error("sealed under another key, or moved from elsewhere")]
    Undecryptable,
    #[error("not signed by whom it names")]
    Forged,
}

/// `v2.<epoch>.<base64url(nonce ‖ ciphertext)>`
pub fn seal(content_key: &Secret, writer: &Identity, place: &Place, content: &[u8]) -> String {
    seal_with(content_key, writer, place, content, random::bytes())
}

/// As [`seal()`], with a nonce that is given. Only for test vectors: a nonce used twice breaks the encryption.
pub fn seal_with(
    content_key: &Secret,
    writer: &Identity,
    place: &Place,
    content: &[u8],
    nonce: [u8; seal::NONCE_BYTES],
) -> String {
    let additional_data = place.additional_data();
    let signature = writer.sign(&signed_bytes(&additional_data, content));
    let mut plain = [&writer.signer().bytes()[..], &signature, content, &[0x80]].concat();
    plain.resize(plain.len().next_multiple_of(PADDING_STEP), 0);
    let sealed = seal::seal_with(content_key, nonce, &additional_data, &plain);
    format!("v2.{}.{}", place.epoch, encode(&sealed))
}

/// The epoch that a body says it belongs to.
///
/// # Errors
/// [`Fault::Newer`] and [`Fault::Malformed`].
pub fn epoch_of(body: &str) -> Result<u64, Fault> {
    split(body).map(|(epoch, _)| epoch)
}

/// # Errors
/// See [`Fault`]. A body of another epoch than the place's is [`Fault::Undecryptable`].
pub fn open(content_key: &Secret, place: &Place, body: &str) -> Result<Opened, Fault> {
    let (epoch, sealed) = split(body)?;
    let sealed = decode(sealed).map_err(|_| Fault::Malformed)?;
    if epoch != place.epoch {
        return Err(Fault::Undecryptable);
    }
    let additional_data = place.additional_data();
    let padded = seal::open(content_key, &additional_data, &sealed).map_err(|_| Fault::Undecryptable)?;
    let plain = unpadded(&padded).ok_or(Fault::Malformed)?;
    let (signer, rest) = plain.split_first_chunk::<SIGNER_BYTES>().ok_or(Fault::Malformed)?;
    let (signature, content) = rest.split_first_chunk::<SIGNATURE_BYTES>().ok_or(Fault::Malformed)?;
    let signer = Signer::new(*signer).map_err(|_| Fault::Forged)?;
    if !signer.signed(&signed_bytes(&additional_data, content), signature) {
        return Err(Fault::Forged);
    }
    Ok(Opened { signer, content: content.to_vec() })
}

fn split(body: &str) -> Result<(u64, &str), Fault> {
    let (version, rest) = body.split_once('.').ok_or(Fault::Malformed)?;
    if version != "v2" {
        let number = version.strip_prefix('v').filter(|digits| is_decimal(digits) && digits.len() <= 4);
        let newer = number.and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|number| number > 2);
        return Err(if newer { Fault::Newer } else { Fault::Malformed });
    }
    let (epoch, sealed) = rest.split_once('.').ok_or(Fault::Malformed)?;
    let epoch = Some(epoch).filter(|digits| is_decimal(digits)).and_then(|digits| digits.parse().ok());
    Ok((epoch.ok_or(Fault::Malformed)?, sealed))
}

/// Digits without a leading zero or a sign, which Rust's own parser would take.
fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

fn signed_bytes(additional_data: &str, content: &[u8]) -> Vec<u8> {
    [b"buddy/v2/signature\0", additional_data.as_bytes(), b"\0", content].concat()
}

/// What stands before the padding, which has one form for each length.
fn unpadded(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    let canonical =
        padded.len().is_multiple_of(PADDING_STEP) && padded[end] == 0x80 && padded.len() - end <= PADDING_STEP;
    canonical.then(|| &padded[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bytes::Hex;

    const ROOM: RoomId = Hex([0xab; 32]);
    const ID: &str = "00112233-4455-4677-8899-aabbccddeeff";

    fn place(author: MemberId) -> Place<'static> {
        Place { room: &ROOM, epoch: 3, kind: "edit", client_id: Some(ID), author: Some(author), target: Some(7) }
    }

    proptest! {
        #[test]
        fn an_envelope_gives_back_what_was_said_and_by_whom(content in proptest::collection::vec(any::<u8>(), 0..600)) {
            let (key, writer) = (Secret::random(), Identity::random());
            let place = place(writer.author());
            let body = seal(&key, &writer, &place, &content);
            prop_assert_eq!(epoch_of(&body), Ok(3));
            let opened = open(&key, &place, &body);
            prop_assert_eq!(opened, Ok(Opened { signer: writer.signer(), content }));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(body in "(v[0-9]{1,3}|.{0,4})\\.[0-9+-]{0,22}\\.[A-Za-z0-9_=-]{0,80}") {
            let writer = Identity::random();
            prop_assert!(open(&Secret::random(), &place(writer.author()), &body).is_err());
        }
    }

    #[test]
    fn moved_anywhere_else_an_envelope_does_not_open() {
        let (key, writer) = (Secret::random(), Identity::random());
        let here = place(writer.author());
        let body = seal(&key, &writer, &here, b"{}");
        let room = Hex([1; 32]);
        for there in [
            Place { room: &room, ..here },
            Place { kind: "delete", ..here },
            Place { client_id: None, ..here },
            Place { author: None, ..here },
            Place { target: Some(8), ..here },
            Place { epoch: 4, ..here },
        ] {
            assert_eq!(open(&key, &there, &body), Err(Fault::Undecryptable), "{there:?}");
        }
        assert_eq!(open(&Secret::random(), &here, &body), Err(Fault::Undecryptable));
        assert_eq!(open(&key, &here, &format!("{body}=")), Err(Fault::Malformed));
        assert_eq!(open(&key, &here, &body.replace("v2.3.", "v2.03.")), Err(Fault::Malformed));
        assert_eq!(open(&key, &here, &body.replace("v2.", "v3.")), Err(Fault::Newer));
        assert_eq!(open(&key, &here, &body.replace("v2.", "v1.")), Err(Fault::Malformed));
    }

    #[test]
    fn who_holds_the_content_key_still_cannot_speak_for_another() {
        let (key, writer, liar) = (Secret::random(), Identity::random(), Identity::random());
        let place = place(writer.author());
        let data = place.additional_data();
        let signature = liar.sign(&signed_bytes(&data, b"{}"));
        let mut plain = [&writer.signer().bytes()[..], &signature, b"{}", &[0x80]].concat();
        plain.resize(256, 0);
        let body = format!("v2.3.{}", encode(&seal::seal(&key, &data, &plain)));
        assert_eq!(open(&key, &place, &body), Err(Fault::Forged));

        // The padding has one form.
        let mut longer = [&plain[..100], &[0x80]].concat();
        longer.resize(512, 0);
        let body = format!("v2.3.{}", encode(&seal::seal(&key, &data, &longer)));
        assert_eq!(open(&key, &place, &body), Err(Fault::Malformed));
    }
}
