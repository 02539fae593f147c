//! A look into a server's database file, for promises that the API itself cannot show: what is no longer
//! stored, and how the server behaves where the truth in the database changes under it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Params};

use crate::Storage;

/// A connection to a database that a server may be using at the same time.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// The server to which it belongs, by its label, where it is not the file's own master.
    served: Option<(Arc<Storage>, String)>,
}

impl Database {
    pub fn open(file: &Path) -> Self {
        let connection = Connection::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        connection.busy_timeout(Duration::from_secs(20)).expect("a timeout can be set");
        Self { connection, served: None }
    }

    /// One that a server of libSQL has: its file is read, and the server changes it.
    pub(crate) fn at(storage: Arc<Storage>, label: &str) -> Self {
        let file = storage.file(label);
        let connection = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        connection.busy_timeout(Duration::from_secs(20)).expect("a timeout can be set");
        Self { connection, served: Some((storage, label.to_owned())) }
    }

    /// Runs one statement and returns how many rows it changed.
    #[track_caller]
    pub fn execute(&self, sql: &str, parameters: impl Params) -> usize {
        let Some((storage, label)) = &self.served else {
            return self.connection.execute(sql, parameters).unwrap_or_else(|error| panic!("{sql}: {error}"));
        };
        let bind = || -> rusqlite::Result<String> {
            let mut statement = self.connection.prepare(sql)?;
            parameters.__bind_in(&mut statement)?;
            Ok(statement.expanded_sql().expect("a bound statement has a text"))
        };
        storage.execute(label, &bind().unwrap_or_else(|error| panic!("{sql}: {error}")))
    }

    /// The first column of the only row.
    #[track_caller]
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str, parameters: impl Params) -> T {
        self.connection.query_row(sql, parameters, |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The first column of every row.
    #[track_caller]
    pub fn column<T: rusqlite::types::FromSql>(&self, sql: &str, parameters: impl Params) -> Vec<T> {
        let read = || -> rusqlite::Result<Vec<T>> {
            self.connection.prepare(sql)?.query_map(parameters, |row| row.get(0))?.collect()
        };
        read().unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Whether any text or blob of any row of any table contains `needle`.
    #[track_caller]
    pub fn contains(&self, needle: &str) -> bool {
        self.tables().iter().any(|table| self.count_in(table, needle) > 0)
    }

    /// How many rows of all tables contain `needle` in some text or blob.
    #[track_caller]
    pub fn count(&self, needle: &str) -> usize {
        self.tables().iter().map(|table| self.count_in(table, needle)).sum()
    }

    fn tables(&self) -> Vec<String> {
        self.column("SELECT name FROM sqlite_schema WHERE type = 'table'", [])
    }

    fn count_in(&self, table: &str, needle: &str) -> usize {
        let mut statement =
            self.connection.prepare(&format!("SELECT * FROM \"{table}\"")).expect("a listed table can be read");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("a listed table can be read");
        let mut found = 0;
        while let Some(row) = rows.next().expect("a row can be read") {
            let hit = (0..columns).any(|column| match row.get_ref(column).expect("the column exists") {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => holds(bytes, needle.as_bytes()),
                _ => false,
            });
            found += usize::from(hit);
        }
        found
    }
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
