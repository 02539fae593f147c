//! The two ways of closing something: AES-256-GCM under a key that both sides hold, and a box for one person's public
//! key (HPKE, RFC 9180).

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};

use crate::keys::{BoxKey, Identity, Secret};
use crate::random;

pub const NONCE_BYTES: usize = 12;
const ENCAPSULATED_BYTES: usize = 32;

/// What does not open: made with another key, for another place, or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not open")]
pub struct Undecryptable;

/// `nonce ‖ ciphertext` under a nonce that is drawn.
pub fn seal(key: &Secret, additional_data: &str, plain: &[u8]) -> Vec<u8> {
    seal_with(key, random::bytes(), additional_data, plain)
}

/// As [`seal`], with a nonce that is given. Only for test vectors: a nonce used twice breaks the encryption.
pub fn seal_with(key: &Secret, nonce: [u8; NONCE_BYTES], additional_data: &str, plain: &[u8]) -> Vec<u8> {
    let payload = Payload { msg: plain, aad: additional_data.as_bytes() };
    let cipher =
        cipher(key).encrypt(&Nonce::from(nonce), payload).expect("the plain text is far below AES-GCM's limit");
    [&nonce[..], &cipher].concat()
}

/// # Errors
/// See [`Undecryptable`].
pub fn open(key: &Secret, additional_data: &str, sealed: &[u8]) -> Result<Vec<u8>, Undecryptable> {
    let (nonce, cipher_text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Undecryptable)?;
    let payload = Payload { msg: cipher_text, aad: additional_data.as_bytes() };
    cipher(key).decrypt(&Nonce::from(*nonce), payload).map_err(|_| Undecryptable)
}

fn cipher(key: &Secret) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.bytes()))
}

/// `encapsulated key ‖ ciphertext`, which only the holder of the private key opens, and only with the same `info`.
pub fn seal_box(to: &BoxKey, info: &str, plain: &[u8]) -> Vec<u8> {
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to.bytes()).expect("a box key has 32 bytes");
    let sealed = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &to,
        info.as_bytes(),
        plain,
        b"",
        &mut random::Source,
    );
    let (encapsulated, cipher_text) = sealed.expect("a box key is not of small order");
    [&encapsulated.to_bytes()[..], &cipher_text].concat()
}

/// # Errors
/// See [`Undecryptable`].
pub fn open_box(identity: &Identity, info: &str, sealed: &[u8]) -> Result<Vec<u8>, Undecryptable> {
    open_box_with(identity.box_private().bytes(), info, sealed)
}

pub(crate) fn open_box_with(private: &[u8; 32], info: &str, sealed: &[u8]) -> Result<Vec<u8>, Undecryptable> {
    let (encapsulated, cipher_text) = sealed.split_at_checked(ENCAPSULATED_BYTES).ok_or(Undecryptable)?;
    let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(private).map_err(|_| Undecryptable)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| Undecryptable)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        info.as_bytes(),
        cipher_text,
        b"",
    )
    .map_err(|_| Undecryptable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_box_opens_for_its_person_and_purpose_only() {
        let (alice, bob) = (Identity::random(), Identity::random());
        let sealed = seal_box(&alice.box_key(), "for alice", b"secret");
        assert_eq!(open_box(&alice, "for alice", &sealed), Ok(b"secret".to_vec()));
        assert_eq!(open_box(&bob, "for alice", &sealed), Err(Undecryptable));
        assert_eq!(open_box(&alice, "for bob", &sealed), Err(Undecryptable));
        // A key of small order where the encapsulated key belongs.
        let forged = [&[0; 32][..], &sealed[32..]].concat();
        assert_eq!(open_box(&alice, "for alice", &forged), Err(Undecryptable));
        assert_eq!(open_box(&alice, "for alice", &sealed[..20]), Err(Undecryptable));
    }

    proptest! {
        #[test]
        fn what_was_changed_does_not_open(plain in any::<Vec<u8>>(), at in any::<usize>(), flip in 1u8..) {
            let key = Secret::random();
            let sealed = seal(&key, "here", &plain);
            prop_assert_eq!(open(&key, "here", &sealed), Ok(plain));
            prop_assert_eq!(open(&key, "there", &sealed), Err(Undecryptable));
            let mut changed = sealed.clone();
            let at = at % changed.len();
            changed[at] ^= flip;
            prop_assert_eq!(open(&key, "here", &changed), Err(Undecryptable));
        }
    }
}
