//! What the parts of Buddy agree on: identifiers, requests, events, errors, the stream's encoding
//! and who owns a slot. No I/O and no Spin: everything here compiles and is tested natively.

mod address;
mod error;
mod event;
mod id;
mod rendezvous;
mod request;
mod sse;

pub use address::Address;
pub use error::Error;
pub use event::{Event, Kind, Mark, SentSignal};
pub use id::{Author, RoomId, Secret, TokenHash};
pub use rendezvous::owner;
pub use request::{Access, Change, CreateRoom, Page, Post, Signal, SignalKind, cursor, page};
pub use sse::{comment, frame, retry};

/// The largest sequence and cursor: what JavaScript's numbers hold exactly.
pub const MAX_SEQ: i64 = (1 << 53) - 1;
