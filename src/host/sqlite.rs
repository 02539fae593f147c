//! SQLite as Spin offers it: connections by label, one statement at a time, rows that are read in order by name.

use std::fmt;
use std::rc::Rc;
use std::vec;

use buddy_domain::Error;

use crate::backend;

/// What a database keeps in a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// Why a statement failed, in the database's words, which differ between databases. For the log only.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An open connection. It runs one statement at a time.
pub struct Connection(backend::sqlite::Connection);

impl Connection {
    /// # Errors
    /// Where the host knows no such label, or cannot open the database.
    pub async fn open(label: &str) -> Result<Self, Failure> {
        backend::sqlite::Connection::open(label).await.map(Self).map_err(Failure)
    }

    /// Runs one statement and collects its rows: it has succeeded only when all of them have arrived.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Failure> {
        let (columns, rows) = self.0.run(sql, parameters).await.map_err(Failure)?;
        let columns: Rc<[String]> = columns.into();
        Ok(rows.into_iter().map(|values| Row::new(&columns, values)).collect())
    }
}

/// A row whose columns are taken in order, each by its name, so that a statement and what reads it cannot
/// drift apart unnoticed.
#[derive(Debug)]
pub struct Row {
    columns: Rc<[String]>,
    values: vec::IntoIter<Value>,
}

impl Row {
    fn new(columns: &Rc<[String]>, values: Vec<Value>) -> Self {
        Self { columns: Rc::clone(columns), values: values.into_iter() }
    }

    /// The names of all columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The values that were not taken yet, all of them at first.
    pub fn values(&self) -> &[Value] {
        self.values.as_slice()
    }

    /// The next column, which must have this name.
    ///
    /// # Errors
    /// `Unavailable` where the next column is another one or holds something else.
    pub fn take<T: Column>(&mut self, name: &str) -> Result<T, Error> {
        let index = self.columns.len() - self.values.len();
        let found = self.columns.get(index).map_or("nothing", String::as_str);
        if found != name {
            return Err(Error::Unavailable(format!("a row has {found} where {name} was expected")));
        }
        let value = self.values.next().unwrap_or(Value::Null);
        T::read(value).ok_or_else(|| Error::Unavailable(format!("a row's {name} is of another type")))
    }
}

/// What a column can be read as.
pub trait Column: Sized {
    /// `None` where the value is of another type.
    fn read(value: Value) -> Option<Self>;
}

impl Column for Value {
    fn read(value: Value) -> Option<Self> {
        Some(value)
    }
}

impl Column for i64 {
    fn read(value: Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(number) } else { None }
    }
}

/// SQLite has no truth values: 0 is false, and so is what cannot be told (NULL).
impl Column for bool {
    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(number != 0),
            Value::Null => Some(false),
            _ => None,
        }
    }
}

impl Column for String {
    fn read(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl Column for Vec<u8> {
    fn read(value: Value) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes) } else { None }
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(value: Value) -> Option<Self> {
        if let Value::Blob(bytes) = value { bytes.try_into().ok() } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: Value) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::read(value).map(Some) }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Self::Integer(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A backend's own cells say the same under the same names.
macro_rules! cells {
    ($theirs:ty) => {
        impl From<$crate::sqlite::Value> for $theirs {
            fn from(value: $crate::sqlite::Value) -> Self {
                use $crate::sqlite::Value;
                match value {
                    Value::Null => Self::Null,
                    Value::Integer(number) => Self::Integer(number),
                    Value::Real(number) => Self::Real(number),
                    Value::Text(text) => Self::Text(text),
                    Value::Blob(bytes) => Self::Blob(bytes),
                }
            }
        }

        impl From<$theirs> for $crate::sqlite::Value {
            fn from(value: $theirs) -> Self {
                type Theirs = $theirs;
                match value {
                    Theirs::Null => Self::Null,
                    Theirs::Integer(number) => Self::Integer(number),
                    Theirs::Real(number) => Self::Real(number),
                    Theirs::Text(text) => Self::Text(text),
                    Theirs::Blob(bytes) => Self::Blob(bytes),
                }
            }
        }
    };
}

pub(crate) use cells;
