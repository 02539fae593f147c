//! The application's variables. An instance reads each one once.

use std::cell::RefCell;
use std::collections::HashMap;

use buddy_domain::Error;
use spin_sdk::variables;

thread_local! {
    static KNOWN: RefCell<HashMap<&'static str, String>> = RefCell::default();
}

/// A variable's text; empty where the component has no such variable.
pub async fn text(name: &'static str) -> String {
    if let Some(value) = KNOWN.with_borrow(|known| known.get(name).cloned()) {
        return value;
    }
    let value = variables::get(name).await.unwrap_or_default();
    KNOWN.with_borrow_mut(|known| known.insert(name, value.clone()));
    value
}

/// A variable that counts something.
///
/// # Errors
/// `Unavailable` where it is no whole number: an operator's mistake must not become another limit.
pub async fn number(name: &'static str) -> Result<i64, Error> {
    let value = text(name).await;
    value
        .trim()
        .parse()
        .ok()
        .filter(|number| *number >= 0)
        .ok_or_else(|| Error::Unavailable(format!("the variable {name} is not a whole number")))
}

/// The labels of the databases; the first one settles who owns a slot.
pub async fn databases() -> Vec<String> {
    let labels = text("databases").await;
    let labels: Vec<_> =
        labels.split(',').map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned).collect();
    if labels.is_empty() { vec!["default".to_owned()] } else { labels }
}
