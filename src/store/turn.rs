//! Waiting for a database that another writer holds. SQLite's own handler sleeps up to 100 ms at a time, on a
//! thread of the host, so writers that meet would wait for many turns of others. Here a statement fails at once and
//! its task sleeps a little, at random. Writers of one instance never meet: who comes while another one writes gets
//! in line, and the statements of a line are run one right after the other, in the order in which they came.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use buddy_domain::Error;
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, random, sleep, spawn};

use crate::database::Database;

/// How long a statement waits for writers elsewhere, as SQLite's own handler would under Spin.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a statement waits in line before it goes on by itself. A line does not grow so long where all is well.
const PATIENCE_IN_LINE_MS: i64 = 1000;
/// How often who is next in line looks for what came of their statement: tasks of an instance cannot wake each other.
const LOOK: Duration = Duration::from_micros(300);
/// Those further back look so much less often.
const LOOK_FAR: Duration = Duration::from_millis(8);

thread_local! {
    /// The databases that somebody of this instance writes to.
    static WRITTEN: RefCell<HashSet<Database>> = RefCell::default();
    static LINES: RefCell<HashMap<Database, VecDeque<Rc<Job>>>> = RefCell::default();
}

/// A statement in line.
struct Job {
    sql: String,
    parameters: Vec<Value>,
    outcome: Cell<Option<Result<Vec<Row>, Error>>>,
}

/// Runs a statement that writes to a file, after those that came before.
///
/// # Errors
/// `Unavailable` with the cause for the log.
pub(crate) async fn run(database: &Database, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
    if let Some(pen) = Pen::take(database) {
        return pen.write(sql, parameters).await;
    }
    let job = Rc::new(Job { sql: sql.to_owned(), parameters: parameters.to_vec(), outcome: Cell::default() });
    LINES.with_borrow_mut(|lines| lines.entry(database.clone()).or_default().push_back(Rc::clone(&job)));
    let began_ms = now_ms();
    loop {
        let place = place(database, &job);
        sleep(LOOK_FAR.min(LOOK * place.map_or(1, |before| before + 2))).await;
        if let Some(outcome) = job.outcome.take() {
            return outcome;
        }
        if now_ms() - began_ms > PATIENCE_IN_LINE_MS && withdraw(database, &job) {
            return database.run_now(sql, parameters).await;
        }
        // Who wrote has ended without a word, perhaps in the middle of this statement, which can be repeated.
        if let Some(pen) = Pen::take(database) {
            withdraw(database, &job);
            return pen.write(sql, parameters).await;
        }
    }
}

/// How many are before a statement; `None` where it is being run.
fn place(database: &Database, job: &Rc<Job>) -> Option<u32> {
    LINES
        .with_borrow(|lines| lines.get(database)?.iter().position(|other| Rc::ptr_eq(other, job)))
        .map(|before| before as u32)
}

/// Takes a statement out of its line. False: it is being run.
fn withdraw(database: &Database, job: &Rc<Job>) -> bool {
    LINES.with_borrow_mut(|lines| {
        let Some(line) = lines.get_mut(database) else { return false };
        let before = line.len();
        line.retain(|other| !Rc::ptr_eq(other, job));
        line.len() < before
    })
}

/// Held by the one of an instance who writes to a database.
struct Pen(Database);

impl Pen {
    fn take(database: &Database) -> Option<Self> {
        WRITTEN.with_borrow_mut(|written| written.insert(database.clone())).then(|| Self(database.clone()))
    }

    /// Runs a statement, and has those run that came meanwhile, and those that come while they are run.
    async fn write(self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
        let outcome = self.0.run_now(sql, parameters).await;
        if let Some(first) = self.next() {
            spawn(async move {
                let mut next = Some(first);
                while let Some(job) = next {
                    job.outcome.set(Some(self.0.run_now(&job.sql, &job.parameters).await));
                    next = self.next();
                }
            });
        }
        outcome
    }

    fn next(&self) -> Option<Rc<Job>> {
        LINES.with_borrow_mut(|lines| lines.get_mut(&self.0)?.pop_front())
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        WRITTEN.with_borrow_mut(|written| written.remove(&self.0));
    }
}

/// One statement's patience with writers elsewhere.
pub(crate) struct Turn {
    began: Instant,
}

impl Turn {
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
