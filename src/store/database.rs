//! Connections by label, and running one statement to its end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use buddy_domain::Error;
use buddy_host::sqlite::{Connection, Row, Value};
use buddy_host::{now_ms, sleep, variables};
use futures::future::{Either, select};

use crate::busy::{Patience, is_busy, writes};
use crate::{lease, queue, schema};

/// Waiting for other writers is this crate's own affair. A server refuses it, and is none the worse for it.
const WAIT_FOR_NOBODY: &str = "PRAGMA busy_timeout = 0";
/// Whether it is refused tells a server from a file: libSQL's client does so by itself, without asking.
const ERASE: &str = "PRAGMA secure_delete = ON";
/// How long a server may take for a statement. Its client has no deadline, and a server that hangs would hold all up.
const DEADLINE: Duration = Duration::from_secs(10);
/// A server forgets what was not used for 10 s, and every statement on that connection fails from then on.
const FRESH_MS: i64 = 8000;

thread_local! {
    static OPEN: RefCell<HashMap<Database, Rc<Open>>> = RefCell::default();
}

struct Open {
    connection: Connection,
    is_server: bool,
    used_at_ms: Cell<i64>,
}

impl Open {
    fn is_fresh(&self) -> bool {
        !self.is_server || now_ms() - self.used_at_ms.get() < FRESH_MS
    }
}

/// A statement that a server has not answered yet. Where nobody waits for the answer any more, its connection must not
/// be used again: the next statement would follow this one before it has ended.
struct Unanswered<'a>(Option<&'a Database>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(database) = self.0 {
            database.close();
        }
    }
}

/// A database by its Spin label. One connection per instance serves all its requests, and a second
/// one the long reads of replay.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Database {
    label: Rc<str>,
    aside: bool,
}

impl Database {
    pub fn new(label: &str) -> Self {
        Self { label: label.into(), aside: false }
    }

    /// The same database over its second connection, where reads that take long hold nobody up.
    pub fn aside(&self) -> Self {
        Self { aside: true, ..self.clone() }
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` with the cause for the log.
    pub async fn check(&self) -> Result<(), Error> {
        self.run("SELECT 1 LIMIT 1", &[]).await.map(drop)
    }

    /// Whether so many bytes more would make the database's file larger than `database_max_bytes`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn is_full(&self, bytes: usize) -> Result<bool, Error> {
        // Pages that were given up are used again before the file grows. A row may need two more than its bytes.
        const USED: &str = "SELECT (p.page_count-f.freelist_count+2)*s.page_size AS bytes
          FROM pragma_page_count() p, pragma_freelist_count() f, pragma_page_size() s LIMIT 1";
        let most = variables::number("database_max_bytes").await?;
        if most == 0 {
            return Ok(false);
        }
        let used: i64 = self.row(USED, &[]).await?.map_or(Ok(0), |mut row| row.take("bytes"))?;
        Ok(used.saturating_add(bytes as i64) > most)
    }

    /// Whether it belongs to a server, which gives no pages back and does not say how many are free. False where
    /// nothing was run yet.
    pub(crate) fn is_server(&self) -> bool {
        self.open().is_some_and(|open| open.is_server)
    }

    /// Whether it is a file, whose statements may meet. False where nothing was run yet.
    pub(crate) fn is_file(&self) -> bool {
        self.open().is_some_and(|open| !open.is_server)
    }

    /// Runs one statement and collects its rows. Tried again while another writer holds the database, and once
    /// more on a fresh connection after any other failure, so a statement must be repeatable.
    ///
    /// # Errors
    /// `Unavailable` with the cause for the log.
    pub(crate) async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
        // Whoever comes while a connection is opened waits for it, which would otherwise be opened once for each.
        if self.is_file() && !writes(sql) {
            return self.run_now(sql, parameters).await;
        }
        queue::run(self, sql, parameters).await
    }

    /// Runs one statement without waiting for others of this instance.
    ///
    /// # Errors
    /// `Unavailable` with the cause for the log.
    pub(crate) async fn run_now(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
        let patience = Patience::new();
        let mut before = None;
        loop {
            let cause = match self.try_to_run(sql, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(cause) => cause,
            };
            if is_busy(&cause) {
                if patience.again().await {
                    continue;
                }
                return Err(Error::Unavailable(format!("database {}: {cause} for too long", self.label)));
            }
            self.close();
            if let Some(before) = before {
                let causes = format!("database {}: {cause}; before that: {before}", self.label);
                return Err(Error::Unavailable(causes));
            }
            before = Some(cause);
        }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As `run`.
    pub(crate) async fn row(&self, sql: &str, parameters: &[Value]) -> Result<Option<Row>, Error> {
        Ok(self.run(sql, parameters).await?.into_iter().next())
    }

    async fn try_to_run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, String> {
        if self.is_file() {
            return self.run_once(sql, parameters).await;
        }
        let mut unanswered = Unanswered(Some(self));
        match select(pin!(self.run_once(sql, parameters)), pin!(sleep(DEADLINE))).await {
            Either::Left((outcome, _)) => {
                unanswered.0 = None;
                outcome
            }
            Either::Right(_) => Err("no answer for too long".to_owned()),
        }
    }

    async fn run_once(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, String> {
        let open = self.connection().await?;
        if open.is_server {
            if writes(sql) {
                lease::obtain(&self.label).await;
            }
            open.used_at_ms.set(now_ms());
        }
        let outcome = open.connection.run(sql, parameters).await;
        if open.is_server {
            lease::wrote(&self.label);
        }
        outcome.map_err(|failure| failure.to_string())
    }

    fn close(&self) {
        OPEN.with_borrow_mut(|open| open.remove(self));
    }

    fn open(&self) -> Option<Rc<Open>> {
        OPEN.with_borrow(|open| open.get(self).cloned())
    }

    async fn connection(&self) -> Result<Rc<Open>, String> {
        if let Some(open) = self.open().filter(|open| open.is_fresh()) {
            return Ok(open);
        }
        let connection = Connection::open(&self.label).await.map_err(|failure| failure.to_string())?;
        let _refused = connection.run(WAIT_FOR_NOBODY, &[]).await;
        let is_server = connection.run(ERASE, &[]).await.is_err();
        schema::prepare(&connection).await.map_err(|error| match error {
            Error::Unavailable(cause) => cause,
            error => error.to_string(),
        })?;
        let open = Rc::new(Open { connection, is_server, used_at_ms: Cell::new(now_ms()) });
        OPEN.with_borrow_mut(|opened| opened.insert(self.clone(), Rc::clone(&open)));
        Ok(open)
    }
}
