//! The interface `spin:key-value/key-value@3.0.0`, over a Redis server (`redis.rs`) or over an SQLite file laid out
//! as Spin lays out its own, so that a state folder serves either.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::aio::ConnectionManager;
use rusqlite::OptionalExtension;
use wasmtime::component::{Accessor, FutureReader, HasSelf, Linker, Resource, ResourceTable, StreamReader};

use crate::bindings::spin::key_value::key_value::{self, Error, Host, HostStore, HostStoreWithStore};
use crate::redis;

/// How many stores an instance may hold open at once, as under Spin.
const MAX_STORES: usize = 256;

/// The stores that the manifest grants to a component, by label.
pub(crate) type Grants = HashMap<String, Stores>;

/// Where stores are.
#[derive(Clone)]
pub(crate) enum Stores {
    File(Arc<StoreFile>),
    Server(Arc<redis::Server>),
}

impl Stores {
    pub(crate) async fn open(self, label: String) -> Result<Store, Error> {
        match self {
            Self::File(file) => Ok(Store::File(InFile { label: label.into(), file })),
            Self::Server(server) => server.connect().await.map(Store::Server),
        }
    }
}

/// A file of stores. Calls are few (components cache what they read), so they share one connection
/// and run on Tokio's pool.
pub(crate) struct StoreFile {
    path: PathBuf,
    connection: Mutex<Option<rusqlite::Connection>>,
}

impl StoreFile {
    /// The file at `path`, made when a component first uses it.
    pub(crate) fn new(path: &Path) -> Arc<Self> {
        Arc::new(Self { path: path.to_owned(), connection: Mutex::new(None) })
    }

    fn with<T>(&self, run: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        match &*connection {
            Some(open) => run(open),
            None => run(connection.insert(self.connect()?)),
        }
    }

    fn connect(&self) -> rusqlite::Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(&self.path)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS spin_key_value (
               store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))",
        )?;
        Ok(connection)
    }
}

/// A store that a component has open.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Store {
    File(InFile),
    Server(ConnectionManager),
}

impl Store {
    pub(crate) async fn get(self, key: String) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::File(store) => store.get(key).await,
            Self::Server(connection) => redis::get(connection, key).await,
        }
    }

    pub(crate) async fn set(self, key: String, value: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::File(store) => store.set(key, value).await,
            Self::Server(connection) => redis::set(connection, key, value).await,
        }
    }

    async fn delete(self, key: String) -> Result<(), Error> {
        match self {
            Self::File(store) => store.delete(key).await,
            Self::Server(connection) => redis::delete(connection, key).await,
        }
    }

    async fn keys(self) -> Result<Vec<String>, Error> {
        match self {
            Self::File(store) => store.keys().await,
            Self::Server(connection) => redis::keys(connection).await,
        }
    }
}

/// A store of a file.
#[derive(Clone)]
pub(crate) struct InFile {
    label: Arc<str>,
    file: Arc<StoreFile>,
}

impl InFile {
    async fn run<T: Send + 'static>(
        &self,
        run: impl FnOnce(&rusqlite::Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let Self { label, file } = self.clone();
        match tokio::task::spawn_blocking(move || file.with(|connection| run(connection, &label))).await {
            Ok(result) => result.map_err(|error| Error::Other(error.to_string())),
            Err(error) => Err(Error::Other(error.to_string())),
        }
    }

    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.run(move |connection, label| {
            let mut select =
                connection.prepare_cached("SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2")?;
            select.query_row([label, &key], |row| row.get(0)).optional()
        })
        .await
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.run(move |connection, label| {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT (store, key) DO UPDATE SET value = excluded.value",
            )?;
            upsert.execute(rusqlite::params![label, key, value]).map(drop)
        })
        .await
    }

    async fn delete(&self, key: String) -> Result<(), Error> {
        self.run(move |connection, label| {
            let mut delete = connection.prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")?;
            delete.execute([label, &key]).map(drop)
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<String>, Error> {
        self.run(move |connection, label| {
            let mut select = connection.prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")?;
            select.query_map([label], |row| row.get(0))?.collect()
        })
        .await
    }
}

/// An instance's stores.
pub(crate) struct KeyValue {
    grants: Arc<Grants>,
    stores: ResourceTable,
}

impl KeyValue {
    pub(crate) fn new(grants: Arc<Grants>) -> Self {
        let mut stores = ResourceTable::new();
        stores.set_max_capacity(MAX_STORES);
        Self { grants, stores }
    }

    pub(crate) fn granted(&self, label: &str) -> Result<Stores, Error> {
        self.grants.get(label).cloned().ok_or(Error::AccessDenied)
    }

    pub(crate) fn keep(&mut self, store: Store) -> Result<Resource<Store>, Error> {
        self.stores.push(store).map_err(|_| Error::StoreTableFull)
    }

    pub(crate) fn store(&self, store: &Resource<Store>) -> Result<Store, Error> {
        self.stores.get(store).cloned().map_err(|_| Error::NoSuchStore)
    }
}

/// Offers the interface to components; `get` finds an instance's [`KeyValue`] in its store.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut KeyValue,
) -> wasmtime::Result<()> {
    key_value::add_to_linker::<T, HasSelf<KeyValue>>(linker, get)
}

impl Host for KeyValue {}

impl HostStore for KeyValue {
    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.stores.delete(store)?;
        Ok(())
    }
}

impl<T: Send> HostStoreWithStore<T> for HasSelf<KeyValue> {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> wasmtime::Result<Result<Resource<Store>, Error>> {
        let store = match accessor.with(|mut access| access.get().granted(&label)) {
            Ok(stores) => stores.open(label).await,
            Err(error) => Err(error),
        };
        Ok(store.and_then(|store| accessor.with(|mut access| access.get().keep(store))))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        on(accessor, &store, |store| async move { store.get(key).await }).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        on(accessor, &store, |store| async move { store.set(key, value).await }).await
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        on(accessor, &store, |store| async move { store.delete(key).await }).await
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        on(accessor, &store, |store| async move { Ok(store.get(key).await?.is_some()) }).await
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let (keys, end) = match on(accessor, &store, |store| async move { store.keys().await }).await? {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            Ok((keys, FutureReader::new(&mut access, std::future::ready(wasmtime::error::Ok(end)))?))
        })
    }
}

/// Calls a store. Its instance's table is free meanwhile, for other tasks of the instance.
async fn on<T, R, F>(
    accessor: &Accessor<T, HasSelf<KeyValue>>,
    store: &Resource<Store>,
    call: impl FnOnce(Store) -> F + Send,
) -> wasmtime::Result<Result<R, Error>>
where
    T: Send,
    F: Future<Output = Result<R, Error>> + Send,
{
    Ok(match accessor.with(|mut access| access.get().store(store)) {
        Ok(store) => call(store).await,
        Err(error) => Err(error),
    })
}
