//! Between SQLite's values and a component's: parameters on their way in, and rows on their way
//! out, a page at a time.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::bindings::spin::sqlite::sqlite::{RowResult, Value};

/// How many rows are collected before a statement answers, and sent at a time after that.
pub(crate) const PAGE_ROWS: usize = 256;
/// A page is also full at this many bytes of text and blobs.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// Rows on their way to a component.
pub(crate) struct Page {
    rows: Vec<RowResult>,
    max_rows: usize,
    max_bytes: usize,
}

/// How far a page came.
pub(crate) enum Filled {
    /// The page is full, and there may be more.
    Full,
    /// The statement is done.
    End(rusqlite::Result<()>),
}

impl Default for Page {
    fn default() -> Self {
        Self { rows: Vec::new(), max_rows: PAGE_ROWS, max_bytes: PAGE_BYTES }
    }
}

impl Page {
    /// For rows that must not wait for anybody to take them.
    pub(crate) fn unlimited() -> Self {
        Self { rows: Vec::new(), max_rows: usize::MAX, max_bytes: usize::MAX }
    }

    /// The rows so far; the page is empty again.
    pub(crate) fn take(&mut self) -> Vec<RowResult> {
        std::mem::take(&mut self.rows)
    }

    /// Runs the statement on until the page is full or it is done.
    pub(crate) fn fill(&mut self, rows: &mut rusqlite::Rows<'_>) -> Filled {
        let mut bytes = 0;
        while self.rows.len() < self.max_rows && bytes < self.max_bytes {
            match rows.next().and_then(|row| row.map(read_row).transpose()) {
                Ok(Some((row, size))) => {
                    self.rows.push(row);
                    bytes += size;
                }
                Ok(None) => return Filled::End(Ok(())),
                Err(error) => return Filled::End(Err(error)),
            }
        }
        Filled::Full
    }
}

pub(crate) fn column_names(statement: &rusqlite::Statement<'_>) -> Vec<String> {
    statement.column_names().into_iter().map(str::to_owned).collect()
}

/// A row and the size of its texts and blobs.
fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(RowResult, usize)> {
    let count = row.as_ref().column_count();
    let mut values = Vec::with_capacity(count);
    let mut size = 0;
    for column in 0..count {
        values.push(match row.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => Value::Integer(integer),
            ValueRef::Real(real) => Value::Real(real),
            ValueRef::Text(text) => {
                size += text.len();
                Value::Text(String::from_utf8(text.to_vec()).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
                })?)
            }
            ValueRef::Blob(blob) => {
                size += blob.len();
                Value::Blob(blob.to_vec())
            }
        });
    }
    Ok((RowResult { values }, size))
}

/// A component's value as SQLite takes it, without a copy.
pub(crate) struct Parameter<'a>(pub(crate) &'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}
