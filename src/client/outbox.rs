//! What was written and is not in the log yet (docs/protocol.md, "Sending across a renewal"). A post is sealed just
//! before its first attempt; from then on the same bytes are sent until the server has answered. Pure.

use serde::{Deserialize, Serialize};

use crate::bytes::{Hex, sha256};
use crate::content::{After, Content};
use crate::log::Acknowledged;
use crate::window::Window;

/// A post on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub client_id: String,
    pub kind: String,
    pub target: Option<u64>,
    /// What is said, without what was seen.
    pub words: Content,
    /// Sealed at the first attempt.
    pub sealed: Option<SealedPost>,
}

/// The bytes that every attempt sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPost {
    pub epoch: u64,
    pub body: String,
}

/// What the outbox knows of this device's own posts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    posts: Vec<Post>,
    /// This device's last acknowledged post.
    last: Option<After>,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// What waits, in the order in which it goes out.
    pub fn posts(&self) -> &[Post] {
        &self.posts
    }

    pub fn push(&mut self, kind: &str, target: Option<u64>, words: Content) -> String {
        let client_id = new_client_id();
        let post = Post { client_id: client_id.clone(), kind: kind.to_owned(), target, words, sealed: None };
        self.posts.push(post);
        client_id
    }

    /// Puts a card before everything else. What was sealed already goes out as it is.
    pub fn push_card(&mut self, words: Content) {
        let client_id = new_client_id();
        let card = Post { client_id, kind: "card".to_owned(), target: None, words, sealed: None };
        self.posts.insert(0, card);
    }

    pub fn first(&self) -> Option<&Post> {
        self.posts.first()
    }

    /// The first post's content, complete with what this device has seen.
    pub fn content(&self, prev: Option<Window>) -> Option<Content> {
        let post = self.posts.first()?;
        let seen = prev.map_or(0, |window| window.seq);
        let after = self.last.clone().filter(|after| after.seq > seen);
        Some(Content { prev, after, ..post.words.clone() })
    }

    /// Fixes the bytes of the first post.
    pub fn seal(&mut self, epoch: u64, body: String) {
        if let Some(post) = self.posts.first_mut() {
            post.sealed = Some(SealedPost { epoch, body });
        }
    }

    /// The server has stored the first post.
    pub fn acknowledge(&mut self, seq: u64) -> Option<Acknowledged> {
        if self.posts.is_empty() {
            return None;
        }
        let post = self.posts.remove(0);
        self.last = Some(After { client_id: post.client_id.clone(), seq });
        let body = post.sealed.map(|sealed| sealed.body).unwrap_or_default();
        Some(Acknowledged { seq, client_id: post.client_id, body_hash: Hex(sha256(body.as_bytes())) })
    }

    /// The first post's epoch is over, and it will never be in the log: its words are to be sealed anew. A card is
    /// dropped, for whether another is needed is a new question.
    pub fn seal_anew(&mut self) {
        let Some(post) = self.posts.first_mut() else { return };
        if post.kind == "card" {
            self.posts.remove(0);
            return;
        }
        let before = std::mem::replace(&mut post.client_id, new_client_id());
        post.words.again = Some(before);
        post.sealed = None;
    }

    /// Gives the first post up.
    pub fn discard(&mut self) -> Option<Post> {
        (!self.posts.is_empty()).then(|| self.posts.remove(0))
    }

    /// The log that own posts stood in is gone.
    pub fn forget_last(&mut self) {
        self.last = None;
    }
}

/// A fresh `client_id`: a random UUID in its canonical form (RFC 9562, version 4).
pub fn new_client_id() -> String {
    uuid(crate::random::bytes(), 4)
}

/// The `client_id` of an owner's request that is sealed for its own event: it follows from what the request says, so
/// that the seal can be opened again when the event has expired (RFC 9562, version 8).
pub fn request_id(text: &str) -> String {
    let hash = sha256(format!("buddy/v2/request\0{text}").as_bytes());
    uuid(hash[..16].try_into().expect("a hash has 16 bytes and more"), 8)
}

fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Base64;

    fn words(text: &str) -> Content {
        Content { at_ms: 1, text: Some(text.to_owned()), ..Content::default() }
    }

    #[test]
    fn what_is_sent_again_is_the_same_until_its_epoch_is_over() {
        let mut outbox = Outbox::default();
        let id = outbox.push("message", None, words("one"));
        outbox.push("message", None, words("two"));
        outbox.seal(0, "bytes".to_owned());
        let sent = outbox.first().cloned();
        assert_eq!(outbox.first().cloned(), sent);

        outbox.seal_anew();
        let anew = outbox.first().expect("it still waits");
        assert_eq!((anew.words.again.as_ref(), anew.sealed.as_ref()), (Some(&id), None));
        assert_ne!(anew.client_id, id);
        assert_eq!(anew.words.text.as_deref(), Some("one"), "and it still comes first");
    }

    #[test]
    fn after_names_the_last_own_post_only_where_it_was_not_seen_yet() {
        let mut outbox = Outbox::default();
        outbox.push("message", None, words("one"));
        outbox.push("message", None, words("two"));
        outbox.seal(0, "bytes".to_owned());
        let done = outbox.acknowledge(7).expect("it waited");
        assert_eq!(done.body_hash, Hex(sha256(b"bytes")));
        let window = |seq| Some(Window { seq, from: 1, digest: Base64([0; 32]) });
        let after = |outbox: &Outbox, prev| outbox.content(prev).expect("one waits").after.map(|after| after.seq);
        assert_eq!(after(&outbox, window(6)), Some(7));
        assert_eq!(after(&outbox, window(7)), None);
        assert_eq!(after(&outbox, None), Some(7));
    }

    #[test]
    fn a_card_goes_out_first_and_is_not_sealed_anew() {
        let mut outbox = Outbox::default();
        outbox.push("message", None, words("one"));
        outbox.push_card(words("card"));
        assert_eq!(outbox.first().map(|post| post.kind.as_str()), Some("card"));
        outbox.seal_anew();
        assert_eq!(outbox.posts().len(), 1);
    }

    #[test]
    fn ids_are_random_uuids() {
        let id = new_client_id();
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
        assert!("89ab".contains(&id[19..20]), "{id}");
    }
}
