//! Which database owns a slot. Key-value and the instance's cache are hints; the truth stands in
//! the databases' slot tables (and, for a slot nobody owned yet, in the first database's claims).

use std::cell::RefCell;
use std::collections::HashMap;

use buddy_domain::{Error, owner};
use buddy_host::{key_value, log, now_ms, variables};
use serde::{Deserialize, Serialize};

use crate::database::Database;

/// How long an instance believes what it has read.
const CACHE_MS: i64 = 1000;

const STATE: &str = "SELECT epoch, state FROM slot WHERE slot=?1 LIMIT 1";
const OPEN: &str = "INSERT INTO slot(slot,epoch,state) VALUES(?1,1,'open') ON CONFLICT(slot) DO NOTHING";
const CLAIM: &str = "INSERT INTO claim(slot,database) VALUES(?1,?2) ON CONFLICT(slot) DO NOTHING";
const CLAIMED: &str = "SELECT database FROM claim WHERE slot=?1 LIMIT 1";
const ALL: &str = "SELECT slot, epoch, state FROM slot ORDER BY slot LIMIT 256";

thread_local! {
    static CACHE: RefCell<HashMap<u8, (Database, i64)>> = RefCell::default();
}

#[derive(Serialize, Deserialize)]
struct Hint {
    database: String,
    epoch: i64,
}

/// A row of a database's slot table.
pub struct Ownership {
    pub slot: i64,
    pub database: String,
    pub epoch: i64,
    pub state: String,
}

/// The database that owns a slot as far as this instance knows; claims the slot where nobody does.
///
/// # Errors
/// `Unavailable` while the owner cannot be found.
pub async fn locate(slot: u8) -> Result<Database, Error> {
    let now = now_ms();
    let cached = CACHE.with_borrow(|cache| cache.get(&slot).filter(|(_, until)| *until > now).cloned());
    if let Some((database, _)) = cached {
        return Ok(database);
    }
    let labels = variables::databases().await?;
    let database = match labels.as_slice() {
        // Whoever asks it learns whether the slot is there.
        [only] => Database::new(only),
        _ => match hint(slot).await.filter(|hint| labels.contains(&hint.database)) {
            Some(hint) => Database::new(&hint.database),
            None => find(slot, &labels).await?,
        },
    };
    remember(slot, &database);
    Ok(database)
}

/// Asks the databases themselves, after one of them said that the slot is not there.
///
/// # Errors
/// As `locate`.
pub async fn relocate(slot: u8) -> Result<Database, Error> {
    CACHE.with_borrow_mut(|cache| cache.remove(&slot));
    let database = find(slot, &variables::databases().await?).await?;
    remember(slot, &database);
    Ok(database)
}

/// Every row of every slot table, by slot.
///
/// # Errors
/// `Unavailable` where a database does not answer.
pub async fn map() -> Result<Vec<Ownership>, Error> {
    let mut map = Vec::new();
    for label in variables::databases().await? {
        for mut row in Database::new(&label).run(ALL, &[]).await? {
            map.push(Ownership {
                slot: row.take("slot")?,
                database: label.clone(),
                epoch: row.take("epoch")?,
                state: row.take("state")?,
            });
        }
    }
    map.sort_by_key(|ownership| ownership.slot);
    Ok(map)
}

/// Notes where a slot is now.
pub(crate) async fn moved(slot: u8, label: &str, epoch: i64) {
    remember(slot, &Database::new(label));
    hint_at(slot, &Hint { database: label.to_owned(), epoch }).await;
}

/// Whether the key-value store answers.
///
/// # Errors
/// `Unavailable` with the cause.
pub async fn check_hints() -> Result<(), Error> {
    key_value::get("slot/00").await.map(drop)
}

fn remember(slot: u8, database: &Database) {
    CACHE.with_borrow_mut(|cache| cache.insert(slot, (database.clone(), now_ms() + CACHE_MS)));
}

async fn find(slot: u8, labels: &[String]) -> Result<Database, Error> {
    let (mut found, mut known) = (None, false);
    for label in labels {
        let row = Database::new(label).row(STATE, &[slot.into()]).await?;
        let Some(mut row) = row else { continue };
        known = true;
        let (epoch, state): (i64, String) = (row.take("epoch")?, row.take("state")?);
        if matches!(state.as_str(), "open" | "frozen") && found.as_ref().is_none_or(|(_, newest)| epoch > *newest) {
            found = Some((label, epoch));
        }
    }
    let (label, epoch) = match found {
        Some((label, epoch)) => (label.clone(), epoch),
        None if known => return Err(Error::Unavailable(format!("slot {slot:02x} is open in no database"))),
        None => (claim(slot, labels).await?, 1),
    };
    hint_at(slot, &Hint { database: label.clone(), epoch }).await;
    Ok(Database::new(&label))
}

/// The first database settles it, so two instances cannot disagree.
async fn claim(slot: u8, labels: &[String]) -> Result<String, Error> {
    let first = Database::new(&labels[0]);
    let wanted = owner(slot, labels).expect("there is a database");
    first.run(CLAIM, &[slot.into(), wanted.into()]).await?;
    let row = first.row(CLAIMED, &[slot.into()]).await?;
    let label: Option<String> = row.map(|mut row| row.take("database")).transpose()?;
    let label = label.filter(|label| labels.contains(label)).ok_or_else(|| {
        Error::Unavailable(format!("slot {slot:02x} was given to a database that is not listed any more"))
    })?;
    Database::new(&label).run(OPEN, &[slot.into()]).await?;
    Ok(label)
}

/// What key-value says. A hint that cannot be read costs a search, and is noted.
async fn hint(slot: u8) -> Option<Hint> {
    let value = key_value::get(&key(slot)).await.unwrap_or_else(|error| {
        note(slot, &error);
        None
    })?;
    serde_json::from_slice(&value).map_err(|_| log(format_args!("slot {slot:02x}: key-value holds no hint"))).ok()
}

/// A lost hint costs a search, so a failing store is only noted.
async fn hint_at(slot: u8, hint: &Hint) {
    let value = serde_json::to_vec(hint).expect("a hint is plain data");
    if let Err(error) = key_value::set(&key(slot), &value).await {
        note(slot, &error);
    }
}

fn note(slot: u8, error: &Error) {
    if let Error::Unavailable(cause) = error {
        log(format_args!("slot {slot:02x}: {cause}"));
    }
}

fn key(slot: u8) -> String {
    format!("slot/{slot:02x}")
}
