//! A host of a test's own: SQLite in memory, a map for key-value, the manifest's variables, and a clock that goes
//! on when the test says so or something sleeps. Each thread, and so each test, has its own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{FutureExt, LocalBoxFuture};

type Hook = Box<dyn FnMut(&str) -> Result<(), String>>;

thread_local! {
    static AHEAD_MS: Cell<i64> = const { Cell::new(0) };
    static TASKS: RefCell<Vec<LocalBoxFuture<'static, ()>>> = RefCell::default();
    static DATABASES: RefCell<HashMap<String, Rc<rusqlite::Connection>>> = RefCell::default();
    static HOOK: RefCell<Option<Hook>> = RefCell::default();
    static KEY_VALUE: RefCell<HashMap<String, Vec<u8>>> = RefCell::default();
    static VARIABLES: RefCell<HashMap<String, String>> = RefCell::default();
}

/// Runs a future, and the tasks that it left, to their ends.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let outcome = block_on(future);
    while let Some(task) = TASKS.with_borrow_mut(Vec::pop) {
        block_on(task);
    }
    outcome
}

/// Lets time pass.
pub fn pass(duration: Duration) {
    AHEAD_MS.set(AHEAD_MS.get() + i64::try_from(duration.as_millis()).expect("a test's time"));
}

/// Gives a variable another value than the manifest's default, before it is read for the first time.
pub fn set_variable(name: &str, value: &str) {
    VARIABLES.with_borrow_mut(|variables| variables.insert(name.to_owned(), value.to_owned()));
}

/// A database as it is, to look into or to break something.
pub fn database(label: &str) -> Rc<rusqlite::Connection> {
    DATABASES.with_borrow_mut(|databases| {
        let database = databases.entry(label.to_owned()).or_insert_with(|| {
            Rc::new(rusqlite::Connection::open_in_memory().expect("a database in memory needs no file"))
        });
        Rc::clone(database)
    })
}

/// Sees each statement from now on before it runs, and may refuse it. What it runs itself it does not see.
pub fn before_each_statement(hook: impl FnMut(&str) -> Result<(), String> + 'static) {
    HOOK.set(Some(Box::new(hook)));
}

/// Runs a future that waits for nothing, from within another one.
pub fn run_within<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing on this host waits")
}

/// Loses all that stands in the key-value store.
pub fn forget_key_value() {
    KEY_VALUE.with_borrow_mut(HashMap::clear);
}

fn ask_hook(sql: &str) -> Result<(), String> {
    let Some(mut hook) = HOOK.take() else { return Ok(()) };
    let outcome = hook(sql);
    HOOK.with_borrow_mut(|place| {
        place.get_or_insert(hook);
    });
    outcome
}

pub(crate) fn now_ms() -> i64 {
    crate::system_ms() + AHEAD_MS.get()
}

/// Nobody waits for a clock that one can move.
pub(crate) async fn sleep(duration: Duration) {
    pass(duration);
}

pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    TASKS.with_borrow_mut(|tasks| tasks.push(task.boxed_local()));
}

pub(crate) mod sqlite {
    use std::rc::Rc;

    use rusqlite::types;

    use crate::sqlite::Value;

    pub(crate) struct Connection(Rc<rusqlite::Connection>);

    impl Connection {
        pub(crate) async fn open(label: &str) -> Result<Self, String> {
            Ok(Self(super::database(label)))
        }

        pub(crate) async fn run(
            &self,
            sql: &str,
            parameters: &[Value],
        ) -> Result<(Vec<String>, Vec<Vec<Value>>), String> {
            super::ask_hook(sql)?;
            let run = || {
                let mut statement = self.0.prepare_cached(sql)?;
                let columns: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
                let parameters = parameters.iter().cloned().map(types::Value::from);
                let rows = statement
                    .query_map(rusqlite::params_from_iter(parameters), |row| {
                        (0..columns.len()).map(|index| row.get::<_, types::Value>(index).map(Value::from)).collect()
                    })?
                    .collect::<Result<_, _>>()?;
                Ok((columns, rows))
            };
            run().map_err(|error: rusqlite::Error| error.to_string())
        }
    }

    crate::sqlite::cells!(types::Value);
}

pub(crate) mod key_value {
    use super::KEY_VALUE;

    pub(crate) async fn get(key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(KEY_VALUE.with_borrow(|store| store.get(key).cloned()))
    }

    pub(crate) async fn set(key: &str, value: &[u8]) -> Result<(), String> {
        KEY_VALUE.with_borrow_mut(|store| store.insert(key.to_owned(), value.to_vec()));
        Ok(())
    }
}

pub(crate) mod variables {
    use super::VARIABLES;

    /// The defaults stand in one place.
    const MANIFEST: &str = include_str!("../../spin.toml");

    pub(crate) async fn get(name: &str) -> Result<String, String> {
        if let Some(value) = VARIABLES.with_borrow(|variables| variables.get(name).cloned()) {
            return Ok(value);
        }
        let manifest: toml::Table = MANIFEST.parse().expect("the manifest is TOML");
        let default = manifest["variables"].get(name).and_then(|variable| variable.get("default"));
        default.and_then(toml::Value::as_str).map(str::to_owned).ok_or_else(|| "no such variable".to_owned())
    }
}
