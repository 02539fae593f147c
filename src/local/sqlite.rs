//! The interface `spin:sqlite/sqlite@3.1.0`: what a component may open, and how its statements'
//! rows reach it. SQLite itself is in `database.rs`, servers of libSQL in `libsql.rs`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasSelf, Linker, Resource, ResourceTable, StreamProducer, StreamReader,
    StreamResult, VecBuffer,
};

use crate::bindings::spin::sqlite::sqlite::{
    self, Connection, Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::database::{self, Answer, Rest};
use crate::libsql;

/// How many connections an instance may hold open at once, as under Spin.
const MAX_CONNECTIONS: usize = 256;

/// The databases that the manifest grants to a component, by label.
pub(crate) type Grants = HashMap<String, Database>;

/// A database, wherever it is.
#[derive(Clone)]
pub(crate) enum Database {
    File(Arc<database::Database>),
    Server(Arc<libsql::Server>),
}

impl Database {
    fn connect(&self) -> Session {
        match self {
            Self::File(file) => Session::File(database::Session::new(Arc::clone(file))),
            Self::Server(server) => Session::Server(libsql::Session::new(Arc::clone(server))),
        }
    }
}

/// A component's connection.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Session {
    File(database::Session),
    Server(libsql::Session),
}

impl Session {
    /// Runs the first statement in `sql`. An error is a connection that could not be made; those of the statement
    /// are in the answer's end.
    async fn query(&self, sql: String, parameters: Vec<Value>) -> Result<Answer, Error> {
        match self {
            Self::File(session) => Ok(session.query(sql, parameters).await),
            Self::Server(session) => session.query(&sql, parameters).await,
        }
    }

    async fn changes(&self) -> u64 {
        match self {
            Self::File(session) => session.changes().await,
            Self::Server(session) => session.changes(),
        }
    }

    async fn last_insert_rowid(&self) -> i64 {
        match self {
            Self::File(session) => session.last_insert_rowid().await,
            Self::Server(session) => session.last_insert_rowid(),
        }
    }
}

/// An instance's databases.
pub(crate) struct Sqlite {
    grants: Arc<Grants>,
    connections: ResourceTable,
}

impl Sqlite {
    pub(crate) fn new(grants: Arc<Grants>) -> Self {
        let mut connections = ResourceTable::new();
        connections.set_max_capacity(MAX_CONNECTIONS);
        Self { grants, connections }
    }

    pub(crate) fn open(&mut self, label: &str) -> Result<Resource<Connection>, Error> {
        let database = self.grants.get(label).ok_or(Error::AccessDenied)?;
        self.connections.push(database.connect()).map_err(|_| Error::Io("too many connections opened".into()))
    }

    fn session(&self, connection: &Resource<Connection>) -> Result<Session, Error> {
        self.connections.get(connection).cloned().map_err(|_| Error::InvalidConnection)
    }
}

/// Offers the interface to components; `get` finds an instance's [`Sqlite`] in its store.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut Sqlite,
) -> wasmtime::Result<()> {
    sqlite::add_to_linker::<T, HasSelf<Sqlite>>(linker, get)
}

impl Host for Sqlite {}

impl HostConnection for Sqlite {
    async fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(Sqlite::open(self, &database))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        Ok(match self.session(&connection) {
            Ok(session) => match session.query(statement, parameters).await {
                Ok(answer) => collect(answer).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        })
    }

    async fn last_insert_rowid(&mut self, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(self.session(&connection)?.last_insert_rowid().await)
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(self.session(&connection)?.changes().await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.connections.delete(connection)?;
        Ok(())
    }
}

type Rows = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl<T: Send> HostConnectionWithStore<T> for HasSelf<Sqlite> {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(accessor.with(|mut access| access.get().open(&database)))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Rows, Error>> {
        let session = match accessor.with(|mut access| access.get().session(&connection)) {
            Ok(session) => session,
            Err(error) => return Ok(Err(error)),
        };
        let Answer { columns, rows, rest } = match session.query(statement, parameters).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            Ok(Ok(match rest {
                Rest::End(end) => {
                    let rows = StreamReader::new(&mut access, rows)?;
                    (columns, rows, FutureReader::new(&mut access, std::future::ready(wasmtime::error::Ok(end)))?)
                }
                Rest::More { pages, end } => {
                    let rows = StreamReader::new(&mut access, PagedRows { first: rows, pages })?;
                    (columns, rows, FutureReader::new(&mut access, end)?)
                }
            }))
        })
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        let session = accessor.with(|mut access| access.get().session(&connection))?;
        Ok(session.last_insert_rowid().await)
    }

    async fn changes_async(accessor: &Accessor<T, Self>, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        let session = accessor.with(|mut access| access.get().session(&connection))?;
        Ok(session.changes().await)
    }
}

/// All rows of an answer at once, for the blocking form of the call.
async fn collect(answer: Answer) -> Result<QueryResult, Error> {
    let Answer { columns, mut rows, rest } = answer;
    let end = match rest {
        Rest::End(end) => end,
        Rest::More { mut pages, end } => {
            while let Some(page) = pages.recv().await {
                rows.extend(page);
            }
            end.await.unwrap_or_else(|_| Err(Error::Io("the statement's thread panicked".into())))
        }
    };
    end.map(|()| QueryResult { columns, rows })
}

/// Hands a large result's rows to the component page by page, as fast as it takes them.
struct PagedRows {
    first: Vec<RowResult>,
    pages: mpsc::Receiver<Vec<RowResult>>,
}

impl<D> StreamProducer<D> for PagedRows {
    type Item = RowResult;
    type Buffer = VecBuffer<RowResult>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, RowResult, VecBuffer<RowResult>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        // A read of no rows only asks whether some are there.
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        if !self.first.is_empty() {
            destination.set_buffer(std::mem::take(&mut self.first).into());
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.pages.poll_recv(context) {
            Poll::Ready(Some(page)) if page.is_empty() => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Some(page)) => {
                destination.set_buffer(page.into());
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}
