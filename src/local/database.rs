//! SQLite files as a Spin host offers them, made fast for many small statements.
//!
//! Every connection that a component opens is a connection of its own here, with rollback when it
//! goes. Three ways lead into SQLite, by what a statement can wait for:
//!
//! - a read whose rows fit one page runs right on the calling thread: in WAL mode nothing can
//!   block it, and a hop to another thread and back would cost more than the read itself;
//! - a write outside a transaction goes to its database's write queue, one thread that takes them
//!   in order. SQLite allows one writer at a time anyway, and whoever waits in a queue is served
//!   at once when it is free, whereas SQLite's own busy handler sleeps up to 100 ms at a time;
//! - all else (large reads, transactions, a connection in use) gets a thread from Tokio's pool,
//!   as every statement does under Spin.
//!
//! Another process may write to the same files; then SQLite's busy handler does the waiting, for
//! 5 s at most, as under Spin.

use std::path::{Path, PathBuf};
use std::sync::mpsc as queue;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::ffi;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};
use crate::page::{Filled, Page, Parameter, column_names};

/// How long a statement waits for another process's write lock: rusqlite's default, which Spin keeps.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection, enough for every statement of a component.
const STATEMENT_CACHE: usize = 128;

type Job = Box<dyn FnOnce() + Send>;

/// One SQLite file and its write queue.
pub(crate) struct Database {
    path: PathBuf,
    write_queue: queue::Sender<Job>,
}

impl Database {
    /// Starts the write queue of the file at `path`; the file is made when a component first uses it.
    pub(crate) fn new(path: &Path) -> std::io::Result<Arc<Self>> {
        let (write_queue, jobs) = queue::channel::<Job>();
        std::thread::Builder::new()
            .name("sqlite-writes".into())
            .spawn(move || jobs.into_iter().for_each(|job| job()))?;
        Ok(Arc::new(Self { path: path.to_owned(), write_queue }))
    }

    fn enqueue(&self, job: Job) {
        self.write_queue.send(job).expect("the queue's thread ends only with the database");
    }

    fn connect(&self) -> rusqlite::Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        connection.authorizer(Some(deny_attaching_files))?;
        Ok(connection)
    }
}

/// Keeps a component to the databases it was granted, as Spin does: only databases in memory and
/// temporary ones can be attached.
fn deny_attaching_files(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

/// A component's connection. SQLite opens it with the first statement, as under Spin.
#[derive(Clone)]
pub(crate) struct Session(Arc<SessionInner>);

struct SessionInner {
    database: Arc<Database>,
    connection: Mutex<Option<rusqlite::Connection>>,
}

/// What a statement answered: its first rows, and how the others arrive.
pub(crate) struct Answer {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<RowResult>,
    pub(crate) rest: Rest,
}

/// What comes after an answer's first rows.
pub(crate) enum Rest {
    /// Nothing; all went well or it failed.
    End(Result<(), Error>),
    /// More rows, a page at a time, then the statement's outcome.
    More { pages: mpsc::Receiver<Vec<RowResult>>, end: oneshot::Receiver<Result<(), Error>> },
}

impl Answer {
    fn failed(error: rusqlite::Error) -> Self {
        Self { columns: Vec::new(), rows: Vec::new(), rest: Rest::End(Err(io_error(error))) }
    }
}

enum Route {
    Done(Answer),
    WriteQueue,
    ThreadPool,
}

impl Session {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self(Arc::new(SessionInner { database, connection: Mutex::new(None) }))
    }

    /// Runs the first statement in `sql`. Errors of SQLite are in the answer's end, never here.
    pub(crate) async fn query(&self, sql: String, parameters: Vec<Value>) -> Answer {
        let route = self.read_at_once(&sql, &parameters);
        let (answer, answered) = oneshot::channel();
        let session = self.clone();
        match route {
            Route::Done(answer) => return answer,
            // The queue must never wait for a component to take its rows, of this or another statement.
            Route::WriteQueue => {
                let pool = Handle::current();
                self.0.database.enqueue(Box::new(move || {
                    if let Some(guard) = session.try_lock() {
                        return run(&session.0.database, guard, &sql, &parameters, Page::unlimited(), answer);
                    }
                    pool.spawn_blocking(move || session.run(&sql, &parameters, answer));
                }));
            }
            Route::ThreadPool => drop(tokio::task::spawn_blocking(move || {
                session.run(&sql, &parameters, answer);
            })),
        }
        answered.await.unwrap_or_else(|_| Answer {
            columns: Vec::new(),
            rows: Vec::new(),
            rest: Rest::End(Err(Error::Io("the statement's thread panicked".into()))),
        })
    }

    /// Rows changed by the last `INSERT`, `UPDATE` or `DELETE`; 0 before the first statement.
    pub(crate) async fn changes(&self) -> u64 {
        self.inspect(rusqlite::Connection::changes).await
    }

    /// The rowid of the last `INSERT`; 0 before the first.
    pub(crate) async fn last_insert_rowid(&self) -> i64 {
        self.inspect(rusqlite::Connection::last_insert_rowid).await
    }

    async fn inspect<T: Default + Send + 'static>(&self, read: fn(&rusqlite::Connection) -> T) -> T {
        let session = self.clone();
        let value = tokio::task::spawn_blocking(move || session.lock().as_ref().map(read).unwrap_or_default()).await;
        value.unwrap_or_default()
    }

    /// Runs a read that needs no waiting on the calling thread, or says where the statement goes.
    fn read_at_once(&self, sql: &str, parameters: &[Value]) -> Route {
        let Some(guard) = self.try_lock() else {
            return Route::ThreadPool;
        };
        let Some(connection) = guard.as_ref().filter(|connection| connection.is_autocommit()) else {
            return Route::ThreadPool;
        };
        // Should the file be locked after all, a pool's thread does the waiting.
        if connection.busy_timeout(Duration::ZERO).is_err() {
            return Route::ThreadPool;
        }
        let route = read_one_page(connection, sql, parameters);
        if connection.busy_timeout(BUSY_TIMEOUT).is_err() {
            return Route::ThreadPool;
        }
        route
    }

    fn run(&self, sql: &str, parameters: &[Value], answer: oneshot::Sender<Answer>) {
        run(&self.0.database, self.lock(), sql, parameters, Page::default(), answer);
    }

    fn lock(&self) -> MutexGuard<'_, Option<rusqlite::Connection>> {
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while a statement runs or its rows are still taken.
    fn try_lock(&self) -> Option<MutexGuard<'_, Option<rusqlite::Connection>>> {
        match self.0.connection.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Drop for SessionInner {
    /// Closing rolls back and may run a checkpoint, which is no work for a thread that serves, nor
    /// for the write queue: whoever is in it may be waiting for this very rollback.
    fn drop(&mut self) {
        let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(connection), Ok(runtime)) = (connection, Handle::try_current()) {
            runtime.spawn_blocking(move || drop(connection));
        }
    }
}

/// Runs a statement to its end, answering as soon as the first page of rows is there.
fn run(
    database: &Database,
    mut guard: MutexGuard<'_, Option<rusqlite::Connection>>,
    sql: &str,
    parameters: &[Value],
    mut page: Page,
    answer: oneshot::Sender<Answer>,
) {
    if guard.is_none() {
        match database.connect() {
            Ok(connection) => *guard = Some(connection),
            Err(error) => return drop(answer.send(Answer::failed(error))),
        }
    }
    let connection = guard.as_ref().expect("connected above");
    let mut statement = match connection.prepare_cached(sql) {
        Ok(statement) => statement,
        Err(error) => return drop(answer.send(Answer::failed(error))),
    };
    let columns = column_names(&statement);
    let mut rows = match statement.query(rusqlite::params_from_iter(parameters.iter().map(Parameter))) {
        Ok(rows) => rows,
        Err(error) => {
            return drop(answer.send(Answer { columns, rows: Vec::new(), rest: Rest::End(Err(io_error(error))) }));
        }
    };
    let first = page.fill(&mut rows);
    if let Filled::End(end) = first {
        // The connection is free again before the answer leaves, so that the next statement
        // need not wait for it.
        drop(rows);
        drop(statement);
        drop(guard);
        return drop(answer.send(Answer { columns, rows: page.take(), rest: Rest::End(end.map_err(io_error)) }));
    }
    let (pages, more) = mpsc::channel(4);
    let (end, ended) = oneshot::channel();
    let rest = Rest::More { pages: more, end: ended };
    if answer.send(Answer { columns, rows: page.take(), rest }).is_err() {
        return;
    }
    let outcome = loop {
        let filled = page.fill(&mut rows);
        let taken = pages.blocking_send(page.take());
        match filled {
            Filled::End(outcome) => break outcome.map_err(io_error),
            // Nobody reads on, so nobody is left to be told.
            Filled::Full if taken.is_err() => return,
            Filled::Full => {}
        }
    };
    drop(rows);
    drop(statement);
    drop(guard);
    drop(end.send(outcome));
}

fn read_one_page(connection: &rusqlite::Connection, sql: &str, parameters: &[Value]) -> Route {
    let mut statement = match connection.prepare_cached(sql) {
        Ok(statement) if statement.readonly() => statement,
        Ok(_) => return Route::WriteQueue,
        Err(error) if is_busy(&error) => return Route::ThreadPool,
        Err(error) => return Route::Done(Answer::failed(error)),
    };
    let columns = column_names(&statement);
    let mut page = Page::default();
    let filled = match statement.query(rusqlite::params_from_iter(parameters.iter().map(Parameter))) {
        Ok(mut rows) => page.fill(&mut rows),
        Err(error) => Filled::End(Err(error)),
    };
    match filled {
        Filled::End(Err(error)) if is_busy(&error) => Route::ThreadPool,
        Filled::End(end) => Route::Done(Answer { columns, rows: page.take(), rest: Rest::End(end.map_err(io_error)) }),
        // Nothing was answered yet, so a pool's thread may start over and stream.
        Filled::Full => Route::ThreadPool,
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked))
}

fn io_error(error: rusqlite::Error) -> Error {
    Error::Io(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PAGE_ROWS;

    /// A database in a folder of its own, which goes with it.
    struct Fixture {
        folder: tempfile::TempDir,
        database: Arc<Database>,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let database = Database::new(&folder.path().join("test.db")).expect("a thread for the write queue");
            Self { folder, database }
        }

        async fn session(&self, statements: &[&str]) -> Session {
            let session = Session::new(Arc::clone(&self.database));
            for statement in statements {
                rows(session.query((*statement).to_owned(), Vec::new()).await).await.expect(statement);
            }
            session
        }
    }

    async fn rows(answer: Answer) -> Result<Vec<Vec<Value>>, Error> {
        let mut rows = answer.rows;
        let end = match answer.rest {
            Rest::End(end) => end,
            Rest::More { mut pages, end } => {
                while let Some(page) = pages.recv().await {
                    rows.extend(page);
                }
                end.await.expect("the statement's thread says how it ended")
            }
        };
        end.map(|()| rows.into_iter().map(|row| row.values).collect())
    }

    async fn first_integer(session: &Session, query: &str) -> i64 {
        let rows = rows(session.query(query.to_owned(), Vec::new()).await).await.expect(query);
        match rows[0][..] {
            [Value::Integer(integer)] => integer,
            _ => panic!("{query} should give one integer"),
        }
    }

    const TABLE: &str = "CREATE TABLE t (x)";
    const COUNT: &str = "SELECT count(*) FROM t";

    #[tokio::test]
    async fn values_of_every_type_come_back_as_they_were() {
        let fixture = Fixture::new();
        let session = fixture.session(&[]).await;
        let values = vec![
            Value::Integer(-1),
            Value::Real(0.5),
            Value::Text("ä\0".into()),
            Value::Blob(vec![0, 255]),
            Value::Null,
        ];
        let answer = session.query("SELECT ?, ?, ?, ?, ? AS last".to_owned(), values.clone()).await;
        assert_eq!(answer.columns[4], "last");
        let rows = rows(answer).await.expect("it is a valid query");
        assert_eq!(format!("{:?}", rows[0]), format!("{values:?}"));
    }

    #[tokio::test]
    async fn large_results_arrive_whole_and_in_order() {
        let fixture = Fixture::new();
        let session = fixture.session(&[]).await;
        let count = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n";
        let rows = rows(session.query(count.to_owned(), Vec::new()).await).await.expect(count);
        let integers: Vec<i64> = rows.iter().map(|row| if let [Value::Integer(i)] = row[..] { i } else { 0 }).collect();
        assert_eq!(integers, (1..=5000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_large_result_that_nobody_reads_on_frees_the_connection() {
        let fixture = Fixture::new();
        let session = fixture.session(&[]).await;
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
        let answer = session.query(endless.to_owned(), Vec::new()).await;
        assert_eq!(answer.rows.len(), PAGE_ROWS);
        drop(answer);
        assert_eq!(first_integer(&session, "SELECT 7").await, 7);
    }

    #[tokio::test]
    async fn errors_come_at_the_end_of_an_answer() {
        let fixture = Fixture::new();
        let session = fixture.session(&["CREATE TABLE t (x UNIQUE)"]).await;
        for (statement, expected) in [
            ("SELEC", "syntax error"),
            ("SELECT y FROM t", "no such column"),
            ("INSERT INTO t VALUES (1), (1)", "UNIQUE constraint failed"),
            ("SELECT ?", "parameters"),
            ("ATTACH '/tmp/other.db' AS other", "not authorized"),
            ("VACUUM INTO '/tmp/other.db'", "authorization denied"),
        ] {
            match rows(session.query(statement.to_owned(), Vec::new()).await).await {
                Err(Error::Io(text)) => assert!(text.contains(expected), "{statement}: {text}"),
                other => panic!("{statement} should fail, not {other:?}"),
            }
        }
        rows(session.query("ATTACH ':memory:' AS scratch".to_owned(), Vec::new()).await).await.expect("in memory");
    }

    #[tokio::test]
    async fn a_transaction_left_open_is_rolled_back_when_its_connection_goes() {
        let fixture = Fixture::new();
        let other = fixture.session(&["PRAGMA journal_mode = WAL", TABLE]).await;
        let session = fixture.session(&["BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"]).await;
        assert_eq!(first_integer(&session, COUNT).await, 1);
        drop(session);
        // This write waits in the queue behind the closing of the connection.
        rows(other.query("INSERT INTO t VALUES (2)".to_owned(), Vec::new()).await).await.expect("the lock is free");
        assert_eq!(first_integer(&other, COUNT).await, 1);
    }

    #[tokio::test]
    async fn writes_of_many_connections_all_happen() {
        let fixture = Fixture::new();
        let first = fixture.session(&["PRAGMA journal_mode = WAL", TABLE]).await;
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let session = fixture.session(&["SELECT 1"]).await;
            writers.spawn(async move {
                for _ in 0..20 {
                    let answer = session.query("INSERT INTO t VALUES (1)".to_owned(), Vec::new()).await;
                    rows(answer).await.expect("a write waits for its turn");
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer.expect("no writer panics");
        }
        assert_eq!(first_integer(&first, COUNT).await, 400);
    }

    #[tokio::test]
    async fn a_write_waits_for_another_processs_lock() {
        let fixture = Fixture::new();
        let session = fixture.session(&["PRAGMA journal_mode = WAL", TABLE]).await;
        let other_process = rusqlite::Connection::open(fixture.folder.path().join("test.db")).expect("a connection");
        other_process.execute_batch("BEGIN IMMEDIATE").expect("the lock is free");
        let write = session.query("INSERT INTO t VALUES (1)".to_owned(), Vec::new());
        let release = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(50));
            other_process.execute_batch("COMMIT")
        });
        rows(write.await).await.expect("the lock is given back in time");
        release.await.expect("no panic").expect("the commit needs nothing");
        assert_eq!(session.changes().await, 1);
        assert_eq!(session.last_insert_rowid().await, 1);
    }
}
