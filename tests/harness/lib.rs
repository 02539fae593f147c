//! What the black-box tests share: a server of their own, a client that speaks the documented API and
//! nothing else, a reader of raw stream bytes, and a view of the server's database files.
//!
//! Nothing here knows how Buddy is built. The contract is restated independently, so that a mistake in the
//! components cannot hide behind the same mistake in the tests: this crate does not depend on them. What talks end to
//! end encrypted uses the native client, which shares no code with the page or the components.

pub mod adversary;
mod answer;
pub mod chaos;
pub mod contract;
mod database;
mod fault_proxy;
mod keyed;
mod liar;
pub mod manifest;
pub mod push;
mod request;
mod room;
mod server;
mod storage;
mod stream;
mod wait;

pub use answer::Answer;
pub use database::Database;
pub use keyed::{KeyedRoom, OWNER, base64url};
pub use liar::{Asked, Liar, Told, renumbered};
pub use push::{Push, PushService, Subscription};
pub use request::{Api, Request};
pub use room::{Room, act, message};
pub use server::{PUBLIC_ADDRESS, PUSH_KEY, Server, Setup, embedded_server_command, project_root};
pub use storage::{Service, Storage};
pub use stream::{Block, BrokenOff, Stream};
pub use wait::{DEADLINE, eventually, now_ms};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A fresh `client_id`, in the canonical form that the API asks for.
pub fn client_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What the server stores of a token: SHA-256 over the token's text, in lowercase hex.
pub fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// The public member id that belongs to an author's secret: the first 16 bytes of its SHA-256, in hex.
pub fn member_id(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes())[..16])
}

/// Whether `text` is `length` characters of lowercase hex.
pub fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The sequence numbers of the events in a history page, in its order.
pub fn sequences(page: &Value) -> Vec<u64> {
    messages(page).iter().map(|event| event["seq"].as_u64().expect("an event has a seq")).collect()
}

/// The events of a history page.
pub fn messages(page: &Value) -> &Vec<Value> {
    page["messages"].as_array().expect("a history page has messages")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
