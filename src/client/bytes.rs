//! Bytes and their two text forms: lowercase hex for ids and hashes that the server compares, base64url without
//! padding (RFC 4648, section 5) for everything else. Only the one canonical spelling of each is taken, so that two
//! different texts never name the same bytes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A text that is not the canonical form of bytes of the length that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical text of bytes of this length")]
pub struct NotCanonical;

/// Base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes that [`encode`] to exactly this text.
///
/// # Errors
/// Padding, other characters, and stray bits in the last character.
pub fn decode(text: &str) -> Result<Vec<u8>, NotCanonical> {
    // The engine refuses padding and trailing bits by itself.
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotCanonical)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// `N` bytes that are written in lowercase hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// `N` bytes that are written in base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Base64<const N: usize>(pub [u8; N]);

impl<const N: usize> Hex<N> {
    /// # Errors
    /// Not `2 * N` characters of lowercase hex.
    pub fn parse(text: &str) -> Result<Self, NotCanonical> {
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotCanonical)?;
        // The decoder takes capitals too.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Err(NotCanonical) } else { Ok(Self(bytes)) }
    }
}

impl<const N: usize> Base64<N> {
    /// # Errors
    /// Not the canonical base64url of `N` bytes.
    pub fn parse(text: &str) -> Result<Self, NotCanonical> {
        decode(text)?.try_into().map(Self).map_err(|_| NotCanonical)
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> fmt::Display for Base64<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

macro_rules! text_form {
    ($form:ident) => {
        impl<const N: usize> fmt::Debug for $form<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl<const N: usize> Serialize for $form<N> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de, const N: usize> Deserialize<'de> for $form<N> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

text_form!(Hex);
text_form!(Base64);

/// Any number of bytes that are written in base64url: what is sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed(pub Vec<u8>);

impl Sealed {
    /// # Errors
    /// Not canonical base64url.
    pub fn parse(text: &str) -> Result<Self, NotCanonical> {
        decode(text).map(Self)
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A room: the hash of its owner's key, or random where it has no keys.
pub type RoomId = Hex<32>;
/// What the server knows a person by.
pub type MemberId = Hex<16>;
/// What the server knows a link by.
pub type LinkId = Hex<16>;
/// What the server keeps of a token.
pub type TokenHash = Hex<32>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_have_one_text_and_no_other_is_taken(bytes in any::<Vec<u8>>(), at in any::<usize>(), other in any::<char>()) {
            let text = encode(&bytes);
            prop_assert_eq!(decode(&text), Ok(bytes.clone()));
            let mut letters: Vec<char> = text.chars().collect();
            if !letters.is_empty() {
                let at = at % letters.len();
                letters[at] = other;
                let changed: String = letters.into_iter().collect();
                if let Ok(decoded) = decode(&changed) {
                    prop_assert_eq!(encode(&decoded), changed);
                }
            }
        }

        #[test]
        fn hex_is_lowercase_and_of_one_length(text in "[0-9a-fA-F]{30,34}") {
            let fits = text.len() == 32 && text.to_lowercase() == text;
            prop_assert_eq!(MemberId::parse(&text).is_ok(), fits);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["AA==", "AA=", "AB", "A", "A A", "A+", "A/", "AA\n", "Ä"] {
            assert_eq!(decode(text), Err(NotCanonical), "{text}");
        }
        assert!(Base64::<2>::parse("AA").is_err(), "another length");
    }
}
