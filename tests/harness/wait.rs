//! Waiting on conditions. A deadline here only bounds how long a broken server holds up the suite; it is
//! generous, because the machine may be busy with other tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep};

/// How long anything that should happen soon may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(45);

/// Asks again and again until the answer is `Some`, and fails with `what` once [`DEADLINE`] is over.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain: {what}");
        sleep(Duration::from_millis(25)).await;
    }
}

/// This machine's clock in Unix milliseconds, which the servers under test share.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(since.as_millis()).expect("milliseconds fit")
}
