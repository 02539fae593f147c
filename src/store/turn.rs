//! Waiting for a database that another writer holds. SQLite's own handler sleeps up to 100 ms at a time, on a
//! thread of the host, so writers that meet would wait for many turns of others. Here a statement fails at once and
//! its task sleeps a little, at random. Those of one instance go in the order in which they came.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use buddy_host::{random, sleep};

/// How long a statement waits in all, as SQLite's own handler would under Spin.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many of an instance's writers try at the same time. With one alone, the others' turns would be lost while it
/// sleeps; with all, who came last could go first.
const TRYING: usize = 2;
/// Who has waited so long asks more often than those who came later, of other instances too.
const LONG: Duration = Duration::from_millis(8);

thread_local! {
    static LAST: Cell<u64> = const { Cell::new(0) };
    /// The tickets of those who wait.
    static WAITING: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// One statement's place among those that wait.
pub(crate) struct Turn {
    ticket: u64,
    began: Instant,
}

impl Turn {
    /// A turn for a statement; one that writes goes behind those that wait already.
    pub(crate) async fn take(writes: bool) -> Self {
        let ticket = LAST.get() + 1;
        LAST.set(ticket);
        let turn = Self { ticket, began: Instant::now() };
        if writes && !WAITING.with_borrow(BTreeSet::is_empty) {
            turn.wait().await;
        }
        turn
    }

    /// Waits for the next try after the database was busy. False: that has lasted too long.
    pub(crate) async fn again(&self) -> bool {
        if self.began.elapsed() > PATIENCE {
            return false;
        }
        self.wait().await;
        true
    }

    async fn wait(&self) {
        WAITING.with_borrow_mut(|waiting| waiting.insert(self.ticket));
        loop {
            let chance = u64::from(u16::from_le_bytes(random()));
            // 0.3 to 1.8 ms, or a third of that.
            let pause = Duration::from_micros(300 + chance * 1500 / u64::from(u16::MAX));
            sleep(if self.began.elapsed() > LONG { pause / 3 } else { pause }).await;
            let is_among_the_first =
                WAITING.with_borrow(|waiting| waiting.iter().take(TRYING).any(|ticket| *ticket == self.ticket));
            if is_among_the_first || self.began.elapsed() > PATIENCE {
                return;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| waiting.remove(&self.ticket));
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
