//! Connections, the schema's migrations, and running one statement to its end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use buddy_domain::Error;
use spin_sdk::sqlite::{self, Connection};

pub use spin_sdk::sqlite::{RowResult as Row, Value};

/// In the order they are applied. A list of single statements each (separator line `--;`).
const MIGRATIONS: [(i64, &str); 1] = [(1, include_str!("../../migrations/0001_create_tables.sql"))];

/// These count only before the first table, in this order, and stay in the file. Asking for
/// `auto_vacuum` once more would cost each new connection a commit. A database may refuse them and the
/// one below, as remote ones do, and is none the worse for it.
const FILE_PRAGMAS: [&str; 2] = ["PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL"];
const CONNECTION_PRAGMA: &str = "PRAGMA secure_delete = ON";

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

    /// Runs one statement and collects its rows: a statement has succeeded only when all of them
    /// have arrived. Tried once more on a fresh connection, so a statement must be repeatable.
    ///
    /// # Errors
    /// `Unavailable` with the cause for the log.
    pub async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Error> {
        let first = match self.connection().await {
            Ok(connection) => match collect(&connection, sql, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            },
            Err(error) => error,
        };
        OPEN.with_borrow_mut(|open| open.remove(self));
        let again = async {
            let connection = self.connection().await?;
            collect(&connection, sql, parameters).await
        };
        again.await.map_err(|error| {
            Error::Unavailable(format!("database {}: {}; before that: {}", self.label, cause(&error), cause(&first)))
        })
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As `run`.
    pub async fn row(&self, sql: &str, parameters: &[Value]) -> Result<Option<Row>, Error> {
        Ok(self.run(sql, parameters).await?.into_iter().next())
    }

    async fn connection(&self) -> Result<Rc<Connection>, sqlite::Error> {
        if let Some(connection) = OPEN.with_borrow(|open| open.get(self).cloned()) {
            return Ok(connection);
        }
        let connection = Rc::new(Connection::open(&*self.label).await?);
        let _ = collect(&connection, CONNECTION_PRAGMA, &[]).await;
        // A database that is up to date is only read.
        if applied(&connection).await.ok() != MIGRATIONS.last().map(|(version, _)| *version) {
            migrate(&connection).await?;
        }
        OPEN.with_borrow_mut(|open| open.insert(self.clone(), connection.clone()));
        Ok(connection)
    }
}

/// The version of the schema.
async fn applied(connection: &Connection) -> Result<i64, sqlite::Error> {
    const APPLIED: &str = "SELECT coalesce(max(version),0) FROM migration LIMIT 1";
    let rows = collect(connection, APPLIED, &[]).await?;
    Ok(rows.first().map_or(0, |row| integer(row, 0)))
}

/// Applies what is missing. There are no transactions across statements and two instances may do
/// this at once: every statement can be repeated, and the version is written last.
async fn migrate(connection: &Connection) -> Result<(), sqlite::Error> {
    const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration(version INTEGER PRIMARY KEY) STRICT";
    const APPLY: &str = "INSERT INTO migration(version) VALUES(?1) ON CONFLICT(version) DO NOTHING";

    for pragma in FILE_PRAGMAS {
        let _ = collect(connection, pragma, &[]).await;
    }
    collect(connection, TABLE, &[]).await?;
    let applied = applied(connection).await?;
    for (version, statements) in MIGRATIONS.iter().filter(|(version, _)| *version > applied) {
        for statement in statements.split("\n--;\n") {
            collect(connection, statement, &[]).await?;
        }
        collect(connection, APPLY, &[Value::Integer(*version)]).await?;
    }
    Ok(())
}

async fn collect(connection: &Connection, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, sqlite::Error> {
    connection.execute(sql, parameters.iter().cloned()).await?.collect().await
}

/// An error's text may quote a statement, never a bound value.
fn cause(error: &sqlite::Error) -> String {
    format!("{error:?}")
}

/// An integer column that the statement always returns.
pub fn integer(row: &Row, index: usize) -> i64 {
    row.get(index).unwrap_or_default()
}

/// A text column, or `None` where it is NULL.
pub fn text(row: &Row, index: usize) -> Option<String> {
    row.get::<&str>(index).map(str::to_owned)
}

/// A blob column, or `None` where it is NULL.
pub fn blob(row: &Row, index: usize) -> Option<Vec<u8>> {
    row.get::<&[u8]>(index).map(<[u8]>::to_vec)
}
