//! The conditions that many statements share, and the parameters they need. Whatever asks about a room by its id
//! binds `?1` the room, `?2` its slot, `?3` the caller's token, `?4` now. In all of it `r` is the room.

use buddy_domain::{Access, RoomId};
use buddy_host::sqlite::Value;

/// The first four parameters.
pub(crate) fn parameters(id: &RoomId, access: &Access, now: i64) -> Vec<Value> {
    vec![id.bytes().into(), id.slot().into(), token(access), now.into()]
}

/// A parameter for the caller's token. No token matches no hash.
pub(crate) fn token(access: &Access) -> Value {
    access.token.map(|token| token.bytes()).into()
}

/// The slot of a room takes writes here.
macro_rules! open_slot {
    () => {
        "JOIN slot s ON s.slot=r.slot AND s.state='open'"
    };
}

macro_rules! may_read {
    () => {
        "(r.read_hash IS NULL OR r.read_hash=?3 OR r.post_hash=?3 OR r.owner_hash=?3)"
    };
}

macro_rules! may_post {
    () => {
        "(r.post_hash IS NULL OR r.post_hash=?3 OR r.owner_hash=?3)"
    };
}

/// The caller shows the room a token of an earlier epoch of its keys. A link's token is none. `k` is its token.
macro_rules! had_access {
    () => {
        "k.epoch IS NOT NULL"
    };
}

/// What a statement about one room begins with: its slot, the caller's token where it ever was one of the room's, and
/// the tombstone for whoever shows one. A room that is missing, and one for others, cost the same.
macro_rules! caller {
    () => {
        "FROM slot s LEFT JOIN token k ON k.room=?1 AND k.hash=?3 LEFT JOIN tombstone d ON d.room=k.room"
    };
}

/// The event has not expired.
macro_rules! is_kept {
    ($event:literal) => {
        concat!($event, ".seq>r.floor_seq AND (r.message_ttl_ms=0 OR ", $event, ".sent_at_ms>?4-r.message_ttl_ms)")
    };
}

pub(crate) use {caller, had_access, is_kept, may_post, may_read, open_slot};
