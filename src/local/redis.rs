//! Stores of a Redis server as Spin offers them: one connection for all components, made again in the background
//! whenever it breaks; keys stand in the database that the URL names as they are.

use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::{AsyncCommands, RedisError};
use tokio::sync::OnceCell;

use crate::bindings::spin::key_value::key_value::Error;
use crate::runtime_config::Secret;

/// A Redis server.
pub(crate) struct Server {
    url: Secret,
    connection: OnceCell<ConnectionManager>,
}

impl Server {
    pub(crate) fn new(url: &Secret) -> Arc<Self> {
        Arc::new(Self { url: url.clone(), connection: OnceCell::new() })
    }

    /// The connection, made when a component first opens the store.
    pub(crate) async fn connect(&self) -> Result<ConnectionManager, Error> {
        let connect = || async { redis::Client::open(self.url.0.as_str())?.get_connection_manager().await };
        self.connection.get_or_try_init(connect).await.cloned().map_err(other)
    }
}

pub(crate) async fn get(mut connection: ConnectionManager, key: String) -> Result<Option<Vec<u8>>, Error> {
    connection.get(key).await.map_err(other)
}

pub(crate) async fn set(mut connection: ConnectionManager, key: String, value: Vec<u8>) -> Result<(), Error> {
    connection.set(key, value).await.map_err(other)
}

pub(crate) async fn delete(mut connection: ConnectionManager, key: String) -> Result<(), Error> {
    connection.del(key).await.map_err(other)
}

pub(crate) async fn keys(mut connection: ConnectionManager) -> Result<Vec<String>, Error> {
    connection.keys("*").await.map_err(other)
}

fn other(error: RedisError) -> Error {
    Error::Other(error.to_string())
}
