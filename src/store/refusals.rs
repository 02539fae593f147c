//! What this instance refused lately. A refused post must not cost the write lock, so where there was a refusal the
//! reason is asked for before a post is tried; and refusals count towards the address's limit, in steps, so that
//! counting them costs little. All of it can be lost at any moment.

use std::cell::RefCell;
use std::collections::HashMap;

use buddy_domain::{Address, Error, RoomId};

use crate::address;
use crate::database::Database;

/// How long a refusal is remembered: the window of the limits.
const LATELY_MS: i64 = 10_000;
/// How many refusals of one address are counted at once, but for the first.
const STEP: i64 = 10;
/// More rooms and addresses than this are not remembered.
const MOST: usize = 10_000;

#[derive(Default)]
struct Lately {
    /// Until when a post to a room is looked at first.
    rooms: HashMap<[u8; 32], i64>,
    addresses: HashMap<Address, Refused>,
}

#[derive(Default)]
struct Refused {
    until_ms: i64,
    /// How many no table knows of yet.
    uncounted: i64,
    counted_until_ms: i64,
}

thread_local! {
    static LATELY: RefCell<Lately> = RefCell::default();
}

/// Whether a post of this address to this room should be looked at before it is tried.
pub(crate) fn expected(id: &RoomId, from: &Address, now: i64) -> bool {
    LATELY.with_borrow(|lately| {
        lately.rooms.get(&id.bytes()).is_some_and(|until| *until > now)
            || lately.addresses.get(from).is_some_and(|refused| refused.until_ms > now)
    })
}

/// How many refusals of this address no table knows of.
pub(crate) fn uncounted(from: &Address, now: i64) -> i64 {
    LATELY.with_borrow(|lately| {
        lately.addresses.get(from).filter(|refused| refused.until_ms > now).map_or(0, |refused| refused.uncounted)
    })
}

/// Remembers a refusal. `limits` are those of the address alone, under which refusals count.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn note(
    database: &Database,
    id: &RoomId,
    from: &Address,
    limits: &str,
    error: &Error,
    now: i64,
) -> Result<(), Error> {
    let times = LATELY.with_borrow_mut(|lately| {
        if lately.rooms.len() + lately.addresses.len() > MOST {
            *lately = Lately::default();
        }
        if matches!(error, Error::RoomNotFound | Error::NotAllowed(_)) {
            lately.rooms.insert(id.bytes(), now + LATELY_MS);
        }
        let refused = lately.addresses.entry(from.clone()).or_default();
        if refused.until_ms <= now {
            refused.uncounted = 0;
        }
        refused.until_ms = now + LATELY_MS;
        refused.uncounted += 1;
        let due = refused.uncounted >= STEP || refused.counted_until_ms <= now;
        if due {
            refused.counted_until_ms = now + LATELY_MS;
        }
        if due { std::mem::take(&mut refused.uncounted) } else { 0 }
    });
    if times == 0 {
        return Ok(());
    }
    match address::count(database, limits, times, LATELY_MS, now).await {
        // It is used up: there is nothing more to count.
        Err(Error::RateLimited { .. }) => Ok(()),
        counted => counted,
    }
}
