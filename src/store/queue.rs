//! Statements of one instance that would meet: those that write to a file, which SQLite allows to one at a time, and
//! all on a connection to a server. libSQL's client sends a second one down the same stream before the first has
//! ended, and the server then never answers again, neither these nor anybody else's.
//!
//! Who comes while another one's statement is run gets in line, and the statements of a line are run one right after
//! the other, in the order in which they came.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use buddy_domain::Error;
use buddy_host::sqlite::{Row, Value};
use buddy_host::{sleep, spawn};

use crate::database::Database;

/// How long a statement waits in line before it goes on by itself, where it may meet others. A line does not grow so
/// long where all is well.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same where it may not, and fails. At the pace of a server that is well this is many hundreds of statements.
const PATIENCE_WITH_A_SERVER: Duration = Duration::from_secs(5);
/// How often who is next in line looks for what came of their statement: tasks of an instance cannot wake each other.
const LOOK: Duration = Duration::from_micros(300);
/// Those further back look so much less often.
const LOOK_FAR: Duration = Duration::from_millis(8);

thread_local! {
    /// The connections on which somebody's statement is run.
    static BUSY: RefCell<HashSet<Database>> = RefCell::default();
    static LINES: RefCell<HashMap<Database, VecDeque<Rc<Job>>>> = RefCell::default();
}

/// A statement in line.
struct Job {
    sql: String,
    parameters: Vec<Value>,
    outcome: Cell<Option<Result<Vec<Row>, Error>>>,
}

/// Runs a statement after those that came before.
///
/// # Errors
/// `Unavailable` with the cause for the log.
pub(crate) async fn run(database: &Database, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
    if let Some(turn) = Turn::take(database) {
        return turn.run(sql, parameters).await;
    }
    let job = Rc::new(Job { sql: sql.to_owned(), parameters: parameters.to_vec(), outcome: Cell::default() });
    LINES.with_borrow_mut(|lines| lines.entry(database.clone()).or_default().push_back(Rc::clone(&job)));
    let began = Instant::now();
    loop {
        let place = place(database, &job);
        sleep(LOOK_FAR.min(LOOK * place.map_or(1, |before| before + 2))).await;
        if let Some(outcome) = job.outcome.take() {
            return outcome;
        }
        let may_meet_others = database.is_file();
        let patience = if may_meet_others { PATIENCE } else { PATIENCE_WITH_A_SERVER };
        if began.elapsed() > patience && withdraw(database, &job) {
            if may_meet_others {
                return database.run_now(sql, parameters).await;
            }
            return Err(Error::Unavailable(format!("database {}: too many statements wait", database.label())));
        }
        // Whose turn it was has ended without a word, perhaps in the middle of this statement, which can be repeated.
        if let Some(turn) = Turn::take(database) {
            withdraw(database, &job);
            return turn.run(sql, parameters).await;
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

/// Held by the one of an instance whose statements are run.
struct Turn(Database);

impl Turn {
    fn take(database: &Database) -> Option<Self> {
        BUSY.with_borrow_mut(|busy| busy.insert(database.clone())).then(|| Self(database.clone()))
    }

    /// Runs a statement, and has those run that came meanwhile, and those that come while they are run.
    async fn run(self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
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

impl Drop for Turn {
    fn drop(&mut self) {
        BUSY.with_borrow_mut(|busy| busy.remove(&self.0));
    }
}
