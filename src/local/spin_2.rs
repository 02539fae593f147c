//! The interfaces of `fermyon:spin@2.0.0`, which components of WASI 0.2 import: the same stores, databases and
//! variables as those of Spin 4, with calls that hold their instance up until they are answered.

use wasmtime::component::{HasSelf, Linker, Resource};

use crate::bindings::fermyon::spin::{key_value as kv2, sqlite as sqlite2, variables as variables2};
use crate::bindings::spin::key_value::key_value as kv3;
use crate::bindings::spin::sqlite::sqlite as sqlite3;
use crate::bindings::spin::variables::variables as variables3;
use crate::key_value::{KeyValue, Store};
use crate::sqlite::{Session, Sqlite};
use crate::variables::Variables;

/// Offers the interfaces to components; the functions find an instance's parts in its store.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    key_value: fn(&mut T) -> &mut KeyValue,
    sqlite: fn(&mut T) -> &mut Sqlite,
    variables: fn(&mut T) -> &mut Variables,
) -> wasmtime::Result<()> {
    kv2::add_to_linker::<T, HasSelf<KeyValue>>(linker, key_value)?;
    sqlite2::add_to_linker::<T, HasSelf<Sqlite>>(linker, sqlite)?;
    variables2::add_to_linker::<T, HasSelf<Variables>>(linker, variables)
}

impl kv2::Host for KeyValue {}

impl kv2::HostStore for KeyValue {
    async fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Store>, kv2::Error>> {
        let store = match self.granted(&label) {
            Ok(stores) => stores.open(label).await,
            Err(error) => Err(error),
        };
        Ok(store.and_then(|store| self.keep(store)).map_err(Into::into))
    }

    async fn get(
        &mut self,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, kv2::Error>> {
        Ok(match self.store(&store) {
            Ok(store) => store.get(key).await.map_err(Into::into),
            Err(error) => Err(error.into()),
        })
    }

    async fn set(
        &mut self,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), kv2::Error>> {
        Ok(match self.store(&store) {
            Ok(store) => store.set(key, value).await.map_err(Into::into),
            Err(error) => Err(error.into()),
        })
    }

    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        kv3::HostStore::drop(self, store).await
    }
}

impl sqlite2::Host for Sqlite {}

impl sqlite2::HostConnection for Sqlite {
    async fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<Session>, sqlite2::Error>> {
        Ok(Sqlite::open(self, &database).map_err(Into::into))
    }

    async fn execute(
        &mut self,
        connection: Resource<Session>,
        statement: String,
        parameters: Vec<sqlite2::Value>,
    ) -> wasmtime::Result<Result<sqlite2::QueryResult, sqlite2::Error>> {
        let parameters = parameters.into_iter().map(Into::into).collect();
        let answer = sqlite3::HostConnection::execute(self, connection, statement, parameters).await?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }

    async fn drop(&mut self, connection: Resource<Session>) -> wasmtime::Result<()> {
        sqlite3::HostConnection::drop(self, connection).await
    }
}

impl variables2::Host for Variables {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, variables2::Error>> {
        Ok(Variables::get(self, &name).map_err(Into::into))
    }
}

impl From<kv3::Error> for kv2::Error {
    fn from(error: kv3::Error) -> Self {
        match error {
            kv3::Error::StoreTableFull => Self::StoreTableFull,
            kv3::Error::NoSuchStore => Self::NoSuchStore,
            kv3::Error::AccessDenied => Self::AccessDenied,
            kv3::Error::Other(cause) => Self::Other(cause),
        }
    }
}

impl From<variables3::Error> for variables2::Error {
    fn from(error: variables3::Error) -> Self {
        match error {
            variables3::Error::InvalidName(cause) => Self::InvalidName(cause),
            variables3::Error::Undefined(cause) => Self::Undefined(cause),
            variables3::Error::Provider(cause) => Self::Provider(cause),
            variables3::Error::Other(cause) => Self::Other(cause),
        }
    }
}

impl From<sqlite3::Error> for sqlite2::Error {
    fn from(error: sqlite3::Error) -> Self {
        match error {
            sqlite3::Error::NoSuchDatabase => Self::NoSuchDatabase,
            sqlite3::Error::AccessDenied => Self::AccessDenied,
            sqlite3::Error::InvalidConnection => Self::InvalidConnection,
            sqlite3::Error::DatabaseFull => Self::DatabaseFull,
            sqlite3::Error::Io(cause) => Self::Io(cause),
        }
    }
}

impl From<sqlite2::Value> for sqlite3::Value {
    fn from(value: sqlite2::Value) -> Self {
        match value {
            sqlite2::Value::Integer(number) => Self::Integer(number),
            sqlite2::Value::Real(number) => Self::Real(number),
            sqlite2::Value::Text(text) => Self::Text(text),
            sqlite2::Value::Blob(bytes) => Self::Blob(bytes),
            sqlite2::Value::Null => Self::Null,
        }
    }
}

impl From<sqlite3::QueryResult> for sqlite2::QueryResult {
    fn from(result: sqlite3::QueryResult) -> Self {
        let value = |value| match value {
            sqlite3::Value::Integer(number) => sqlite2::Value::Integer(number),
            sqlite3::Value::Real(number) => sqlite2::Value::Real(number),
            sqlite3::Value::Text(text) => sqlite2::Value::Text(text),
            sqlite3::Value::Blob(bytes) => sqlite2::Value::Blob(bytes),
            sqlite3::Value::Null => sqlite2::Value::Null,
        };
        let row = |row: sqlite3::RowResult| sqlite2::RowResult { values: row.values.into_iter().map(value).collect() };
        Self { columns: result.columns, rows: result.rows.into_iter().map(row).collect() }
    }
}
