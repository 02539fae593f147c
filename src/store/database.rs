//! Connections by label, and running one statement to its end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use buddy_domain::Error;
use buddy_host::sqlite::{Connection, Row, Value};
use buddy_host::variables;

use crate::schema;
use crate::turn::{self, Turn};

/// A database may refuse them, as remote ones do. Waiting for other writers is this crate's own affair.
const CONNECTION_PRAGMAS: [&str; 2] = ["PRAGMA busy_timeout = 0", "PRAGMA secure_delete = ON"];

thread_local! {
    static OPEN: RefCell<HashMap<Database, Rc<Connection>>> = RefCell::default();
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

    /// Runs one statement and collects its rows. Tried again while another writer holds the database, and once
    /// more on a fresh connection after any other failure, so a statement must be repeatable.
    ///
    /// # Errors
    /// `Unavailable` with the cause for the log.
    pub(crate) async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
        let turn = Turn::take(turn::writes(sql)).await;
        let mut before = None;
        loop {
            let cause = match self.try_to_run(sql, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(cause) => cause,
            };
            if turn::is_busy(&cause) {
                if turn.again().await {
                    continue;
                }
                return Err(Error::Unavailable(format!("database {}: {cause} for too long", self.label)));
            }
            OPEN.with_borrow_mut(|open| open.remove(self));
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
        let connection = self.connection().await?;
        connection.run(sql, parameters).await.map_err(|failure| failure.to_string())
    }

    async fn connection(&self) -> Result<Rc<Connection>, String> {
        if let Some(connection) = OPEN.with_borrow(|open| open.get(self).cloned()) {
            return Ok(connection);
        }
        let connection = Connection::open(&self.label).await.map_err(|failure| failure.to_string())?;
        for pragma in CONNECTION_PRAGMAS {
            let _refused = connection.run(pragma, &[]).await;
        }
        schema::prepare(&connection).await.map_err(|error| match error {
            Error::Unavailable(cause) => cause,
            error => error.to_string(),
        })?;
        let connection = Rc::new(connection);
        OPEN.with_borrow_mut(|open| open.insert(self.clone(), Rc::clone(&connection)));
        Ok(connection)
    }
}
