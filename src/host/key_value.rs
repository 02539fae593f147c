//! The application's key-value store. What stands in it can be lost at any moment.

use buddy_domain::Error;

use crate::backend;

/// # Errors
/// `Unavailable` with the cause.
pub async fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    backend::key_value::get(key).await.map_err(unavailable)
}

/// # Errors
/// `Unavailable` with the cause.
pub async fn set(key: &str, value: &[u8]) -> Result<(), Error> {
    backend::key_value::set(key, value).await.map_err(unavailable)
}

fn unavailable(cause: String) -> Error {
    Error::Unavailable(format!("key-value: {cause}"))
}
