//! The application's variables. An instance reads each one once, unless it cannot be read.

use std::cell::RefCell;
use std::collections::HashMap;

use buddy_domain::Error;

use crate::backend;

thread_local! {
    static KNOWN: RefCell<HashMap<&'static str, String>> = RefCell::default();
}

/// A variable's text.
///
/// # Errors
/// `Unavailable` where it cannot be read: another value than the operator's is none to go on with.
pub async fn text(name: &'static str) -> Result<String, Error> {
    if let Some(value) = KNOWN.with_borrow(|known| known.get(name).cloned()) {
        return Ok(value);
    }
    let value = backend::variables::get(name)
        .await
        .map_err(|cause| Error::Unavailable(format!("the variable {name}: {cause}")))?;
    KNOWN.with_borrow_mut(|known| known.insert(name, value.clone()));
    Ok(value)
}

/// A variable that counts something.
///
/// # Errors
/// `Unavailable` where it is no whole number: an operator's mistake must not become another limit.
pub async fn number(name: &'static str) -> Result<i64, Error> {
    let value = text(name).await?;
    value
        .trim()
        .parse()
        .ok()
        .filter(|number| *number >= 0)
        .ok_or_else(|| Error::Unavailable(format!("the variable {name} is not a whole number")))
}

/// The labels of the databases; the first one settles who owns a slot.
///
/// # Errors
/// As `text`.
pub async fn databases() -> Result<Vec<String>, Error> {
    let labels = text("databases").await?;
    let labels: Vec<_> =
        labels.split(',').map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned).collect();
    Ok(if labels.is_empty() { vec!["default".to_owned()] } else { labels })
}
