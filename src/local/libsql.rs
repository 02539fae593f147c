//! Databases of a libSQL server as Spin offers them: the same client in the same version, a client and its TCP
//! connection for each connection that a component opens, each statement through `/v3/cursor`.
//!
//! Spin's quirks are kept, for components must live with them there. A stream that the server has forgotten (after
//! 10 s idle) fails for ever with its connection. The client refuses most PRAGMAs unsent. `changes` and
//! `last_insert_rowid` stay 0, since a cursor's answer does not tell. Nothing here waits with a deadline.

use std::sync::Arc;

use tokio::sync::{OnceCell, mpsc, oneshot};

use crate::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};
use crate::database::{Answer, Rest};
use crate::page::{PAGE_BYTES, PAGE_ROWS};
use crate::runtime_config::Secret;

/// Where a database is, and what opens it.
pub(crate) struct Server {
    url: Secret,
    token: Secret,
}

impl Server {
    pub(crate) fn new(url: &Secret, token: &Secret) -> Arc<Self> {
        Arc::new(Self { url: url.clone(), token: token.clone() })
    }

    async fn connect(&self) -> libsql::Result<libsql::Connection> {
        libsql::Builder::new_remote(self.url.0.clone(), self.token.0.clone()).build().await?.connect()
    }
}

/// A component's connection. Its client is made with the first statement, as under Spin.
#[derive(Clone)]
pub(crate) struct Session(Arc<SessionInner>);

struct SessionInner {
    server: Arc<Server>,
    client: OnceCell<libsql::Connection>,
}

impl Session {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self(Arc::new(SessionInner { server, client: OnceCell::new() }))
    }

    /// Runs the first statement in `sql`. What the server refuses is in the answer's end.
    pub(crate) async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Answer, Error> {
        let client = self.0.client.get_or_try_init(|| self.0.server.connect()).await;
        let client = client.map_err(|_| Error::InvalidConnection)?;
        let parameters: Vec<_> = parameters.into_iter().map(libsql::Value::from).collect();
        Ok(match client.query(sql, parameters).await {
            Ok(rows) => answer(rows).await,
            Err(error) => {
                Answer { columns: Vec::new(), rows: Vec::new(), rest: Rest::End(Err(Error::Io(error.to_string()))) }
            }
        })
    }

    pub(crate) fn changes(&self) -> u64 {
        self.0.client.get().map_or(0, libsql::Connection::changes)
    }

    pub(crate) fn last_insert_rowid(&self) -> i64 {
        self.0.client.get().map_or(0, libsql::Connection::last_insert_rowid)
    }
}

/// The first page at once, so that what fits one needs no task of its own.
async fn answer(mut rows: libsql::Rows) -> Answer {
    let columns = (0..rows.column_count()).map(|index| rows.column_name(index).unwrap_or_default().to_owned());
    let columns: Vec<_> = columns.collect();
    let mut first = Vec::new();
    if let Some(end) = fill(&mut rows, columns.len(), &mut first).await {
        return Answer { columns, rows: first, rest: Rest::End(end) };
    }
    let (pages, more) = mpsc::channel(4);
    let (end, ended) = oneshot::channel();
    let width = columns.len();
    tokio::spawn(async move {
        loop {
            let mut page = Vec::new();
            let outcome = fill(&mut rows, width, &mut page).await;
            let taken = pages.send(page).await;
            match outcome {
                Some(outcome) => return drop(end.send(outcome)),
                // Nobody reads on, so nobody is left to be told.
                None if taken.is_err() => return,
                None => {}
            }
        }
    });
    Answer { columns, rows: first, rest: Rest::More { pages: more, end: ended } }
}

/// Reads rows until the page is full or the statement is done; then how it ended.
async fn fill(rows: &mut libsql::Rows, width: usize, page: &mut Vec<RowResult>) -> Option<Result<(), Error>> {
    let mut bytes = 0;
    while page.len() < PAGE_ROWS && bytes < PAGE_BYTES {
        let values = match rows.next().await {
            Ok(Some(row)) => (0..width).map(|column| row.get_value(column as i32)).collect::<Result<Vec<_>, _>>(),
            Ok(None) => return Some(Ok(())),
            Err(error) => Err(error),
        };
        let values = match values {
            Ok(values) => values,
            Err(error) => return Some(Err(Error::Io(error.to_string()))),
        };
        bytes += values.iter().map(size).sum::<usize>();
        page.push(RowResult { values: values.into_iter().map(Value::from).collect() });
    }
    None
}

fn size(value: &libsql::Value) -> usize {
    match value {
        libsql::Value::Text(text) => text.len(),
        libsql::Value::Blob(blob) => blob.len(),
        _ => 0,
    }
}

impl From<libsql::Value> for Value {
    fn from(value: libsql::Value) -> Self {
        match value {
            libsql::Value::Null => Self::Null,
            libsql::Value::Integer(integer) => Self::Integer(integer),
            libsql::Value::Real(real) => Self::Real(real),
            libsql::Value::Text(text) => Self::Text(text),
            libsql::Value::Blob(blob) => Self::Blob(blob),
        }
    }
}

impl From<Value> for libsql::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(integer) => Self::Integer(integer),
            Value::Real(real) => Self::Real(real),
            Value::Text(text) => Self::Text(text),
            Value::Blob(blob) => Self::Blob(blob),
        }
    }
}
