//! What the parts of Buddy agree on: identifiers, requests, events, errors, the stream's encoding
//! and who owns a slot. No I/O and no Spin: everything here compiles and is tested natively.

mod address;
mod base64url;
mod error;
mod event;
mod file;
mod id;
mod link;
mod object;
mod push;
mod rendezvous;
mod request;
mod rotation;
mod sse;

pub use address::Address;
pub use error::Error;
pub use event::{Event, Kind, Mark, SentCard, SentSignal};
pub use file::{FileId, NamedFile, PART_MAX_BYTES, Range, part, sealed_limits};
pub use id::{Author, RoomId, Secret, TokenHash};
pub use link::{LinkId, NewLink, OpenedLink, SentLink, opening};
pub use push::{Registration, endpoint, own_endpoint};
pub use rendezvous::owner;
pub use request::{Access, Change, CreateRoom, MoveSlot, NewRoom, Page, Patch, Post, Signal, SignalKind, Statement};
pub use request::{KeysPage, MembersPage, cursor, farewell, keys_page, members_page, page};
pub use rotation::{Fingerprint, Founding, Grant, PublicPart, Renewal, Resealed, Rotation, SentRotation};
pub use sse::{comment, frame, retry};

/// The largest sequence and cursor: what JavaScript's numbers hold exactly.
pub const MAX_SEQ: i64 = (1 << 53) - 1;
