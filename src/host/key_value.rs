//! The application's key-value store. What stands in it can be lost at any moment.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use buddy_domain::Error;
use futures::future::{Either, select};

use crate::{backend, now_ms, sleep};

/// How long the store may take for an answer: Spin's client of Redis tries without end to reach one that is away.
const ANSWER: Duration = Duration::from_millis(500);
/// How long nobody asks a store that did not answer.
const AWAY_MS: i64 = 3000;

thread_local! {
    static AWAY_UNTIL_MS: Cell<i64> = const { Cell::new(0) };
}

/// # Errors
/// `Unavailable` with the cause, after half a second at most; where the host answers only when it is done (WASI 0.2), as
/// soon as it does.
pub async fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    answer(backend::key_value::get(key)).await
}

/// # Errors
/// `Unavailable` with the cause, like [`get`].
pub async fn set(key: &str, value: &[u8]) -> Result<(), Error> {
    answer(backend::key_value::set(key, value)).await
}

async fn answer<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, Error> {
    if now_ms() < AWAY_UNTIL_MS.get() {
        return Err(unavailable("it did not answer a moment ago"));
    }
    let cause = match select(pin!(asked), pin!(sleep(ANSWER))).await {
        Either::Left((Ok(said), _)) => return Ok(said),
        Either::Left((Err(cause), _)) => cause,
        Either::Right(_) => "no answer in time".to_owned(),
    };
    AWAY_UNTIL_MS.set(now_ms() + AWAY_MS);
    Err(unavailable(&cause))
}

fn unavailable(cause: &str) -> Error {
    Error::Unavailable(format!("key-value: {cause}"))
}
