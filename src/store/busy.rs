//! Waiting for a database that another writer holds. SQLite's own handler sleeps up to 100 ms at a time, on a
//! thread of the host, so writers that meet would wait for many turns of others. Here a statement fails at once and
//! its task sleeps a little, at random.

use std::time::{Duration, Instant};

use buddy_host::{random, sleep};

/// How long a statement waits for writers elsewhere, as SQLite's own handler would under Spin.
const PATIENCE: Duration = Duration::from_secs(5);

/// One statement's patience with writers elsewhere.
pub(crate) struct Patience {
    began: Instant,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Waits for the next try after the database was busy. False: that has lasted too long.
    pub(crate) async fn again(&self) -> bool {
        let chance = u64::from(u16::from_le_bytes(random()));
        // 0.3 to 1.3 ms.
        sleep(Duration::from_micros(300 + chance * 1000 / u64::from(u16::MAX))).await;
        self.began.elapsed() <= PATIENCE
    }
}

/// Whether a failure says that another writer holds the database. There are no codes, and each database has words of
/// its own; where one is not known, the statement is tried once more, as after any failure.
pub(crate) fn is_busy(cause: &str) -> bool {
    cause.contains("locked") || cause.contains("SQLITE_BUSY")
}

/// Whether a statement writes, and so may find the database held.
pub(crate) fn writes(sql: &str) -> bool {
    !["SELECT", "WITH", "PRAGMA"].iter().any(|word| sql.starts_with(word))
}
