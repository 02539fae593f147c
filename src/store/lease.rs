//! Writers of all instances take turns at a database that a server has: libSQL's stops, for seconds or for good, where
//! as many of them meet as it has threads, one a core by default.
//!
//! Which instance may write stands in the key-value store for a moment at a time. That store knows no conditions, so
//! whoever wants to write says so, waits until another who said so at the same time would be seen, and looks who was
//! last. Nothing depends on it: where two write after all, or the store is away, writers meet and the server is slow.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use buddy_host::{key_value, now_ms, random, sleep, spawn};

/// How long an instance may write before others may. Whoever wants to write may have to wait so long for each of them.
const TERM_MS: i64 = 40;
/// An instance that has written nothing for so long gives the rest of its term away.
const IDLE_MS: i64 = 4;
/// The same where it had to wait for the term: others wait by now.
const IDLE_IN_A_CROWD_MS: i64 = 1;
/// How long a word in the store takes to be seen by all, at a generous estimate.
const SETTLED: Duration = Duration::from_millis(2);
/// Whoever had the last term leaves others this time to ask for the next one.
const AFTER_YOU: Duration = Duration::from_millis(3);
/// How long a writer waits in all. Then something is wrong with the store or a clock, and it writes all the same.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    static ME: [u8; 8] = random();
    /// This instance's terms, by database.
    static MINE: RefCell<HashMap<String, Term>> = RefCell::default();
}

#[derive(Clone, Copy, Default)]
struct Term {
    until_ms: i64,
    is_writing: bool,
    written_at_ms: i64,
}

/// Waits until this instance may write to the database with this label. Without a store there are no turns.
pub(crate) async fn obtain(label: &str) {
    let now = now_ms();
    let until = MINE.with_borrow_mut(|mine| {
        let term = mine.entry(label.to_owned()).or_default();
        term.is_writing = true;
        term.until_ms
    });
    if now < until {
        return;
    }
    if now < until + TERM_MS {
        sleep(AFTER_YOU).await;
    }
    let key = format!("writer/{label}");
    let began = Instant::now();
    let mut idle_ms = IDLE_MS;
    while began.elapsed() < PATIENCE {
        let Ok(word) = key_value::get(&key).await else { return };
        if word.is_none_or(|word| is_over(&word)) {
            let until = now_ms() + TERM_MS;
            let word = ME.with(|me| [&me[..], &until.to_be_bytes()].concat());
            if key_value::set(&key, &word).await.is_err() {
                return;
            }
            sleep(SETTLED).await;
            if key_value::get(&key).await.is_ok_and(|last| last.is_some_and(|last| last == word)) {
                let term = Term { until_ms: until, is_writing: true, written_at_ms: 0 };
                MINE.with_borrow_mut(|mine| mine.insert(label.to_owned(), term));
                spawn(give_back(label.to_owned(), key, idle_ms));
                return;
            }
        }
        idle_ms = IDLE_IN_A_CROWD_MS;
        // 0.5 to 2.5 ms, at random.
        sleep(Duration::from_micros(500 + u64::from(random::<1>()[0]) * 8)).await;
    }
}

/// Notes that a statement has ended.
pub(crate) fn wrote(label: &str) {
    MINE.with_borrow_mut(|mine| {
        let term = mine.entry(label.to_owned()).or_default();
        (term.is_writing, term.written_at_ms) = (false, now_ms());
    });
}

/// Ends a term early once nothing more is written.
async fn give_back(label: String, key: String, idle_ms: i64) {
    loop {
        sleep(Duration::from_millis(idle_ms.unsigned_abs())).await;
        let now = now_ms();
        let is_idle = MINE.with_borrow_mut(|mine| {
            let term = mine.entry(label.clone()).or_default();
            if now >= term.until_ms {
                return None;
            }
            let is_idle = !term.is_writing && now - term.written_at_ms >= idle_ms;
            if is_idle {
                term.until_ms = 0;
            }
            Some(is_idle)
        });
        match is_idle {
            None => return,
            // Whoever waits sees the end of the term instead, should this fail.
            Some(true) => {
                key_value::set(&key, &[]).await.ok();
                return;
            }
            Some(false) => {}
        }
    }
}

/// Whether the term that a word speaks of has ended, or lies further ahead than any: somebody's clock is wrong.
fn is_over(word: &[u8]) -> bool {
    let until = word.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes);
    let left = until - now_ms();
    left <= 0 || left > 10 * TERM_MS
}
