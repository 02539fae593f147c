//! Which database owns a slot. Key-value and the instance's cache are hints; the truth stands in
//! the databases' slot tables (and, for a slot nobody owned yet, in the first database's claims).

use std::cell::RefCell;
use std::collections::HashMap;

use buddy_domain::{Error, owner};
use serde::{Deserialize, Serialize};
use spin_sdk::key_value::Store;

use crate::database::{Database, Value, integer, text};
use crate::{now_ms, settings};

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
#[derive(Clone, Serialize)]
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
    let labels = settings::databases().await;
    let hinted = hint(slot).await.filter(|hint| labels.contains(&hint.database));
    let database = match hinted {
        Some(hint) => Database::new(&hint.database),
        None => find(slot, &labels).await?,
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
    let database = find(slot, &settings::databases().await).await?;
    remember(slot, &database);
    Ok(database)
}

/// Every row of every slot table, by slot.
///
/// # Errors
/// `Unavailable` where a database does not answer.
pub async fn map() -> Result<Vec<Ownership>, Error> {
    let mut map = Vec::new();
    for label in settings::databases().await {
        for row in Database::new(&label).run(ALL, &[]).await? {
            map.push(Ownership {
                slot: integer(&row, 0),
                database: label.clone(),
                epoch: integer(&row, 1),
                state: text(&row, 2).unwrap_or_default(),
            });
        }
    }
    map.sort_by_key(|ownership| ownership.slot);
    Ok(map)
}

/// Whether the key-value store answers.
///
/// # Errors
/// `Unavailable` with the cause.
pub async fn check_hints() -> Result<(), Error> {
    let failed = |error| Error::Unavailable(format!("key-value: {error:?}"));
    let store = Store::open_default().await.map_err(failed)?;
    store.get("slot/00").await.map(drop).map_err(failed)
}

fn remember(slot: u8, database: &Database) {
    CACHE.with_borrow_mut(|cache| cache.insert(slot, (database.clone(), now_ms() + CACHE_MS)));
}

async fn find(slot: u8, labels: &[String]) -> Result<Database, Error> {
    let (mut found, mut known) = (None, false);
    for label in labels {
        let row = Database::new(label).row(STATE, &[slot.into()]).await?;
        let Some(row) = row else { continue };
        known = true;
        if matches!(text(&row, 1).as_deref(), Some("open" | "frozen")) {
            let epoch = integer(&row, 0);
            if found.as_ref().is_none_or(|(_, newest)| epoch > *newest) {
                found = Some((label, epoch));
            }
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
    first.run(CLAIM, &[slot.into(), Value::from(wanted)]).await?;
    let row = first.row(CLAIMED, &[slot.into()]).await?;
    let label = row.and_then(|row| text(&row, 0)).filter(|label| labels.contains(label)).ok_or_else(|| {
        Error::Unavailable(format!("slot {slot:02x} was given to a database that is not listed any more"))
    })?;
    Database::new(&label).run(OPEN, &[slot.into()]).await?;
    Ok(label)
}

async fn hint(slot: u8) -> Option<Hint> {
    let store = Store::open_default().await.ok()?;
    let value = store.get(key(slot)).await.ok()??;
    serde_json::from_slice(&value).ok()
}

/// A lost hint costs a search, so a failing store is only noted.
async fn hint_at(slot: u8, hint: &Hint) {
    let value = serde_json::to_vec(hint).expect("a hint is plain data");
    let written = match Store::open_default().await {
        Ok(store) => store.set(key(slot), value).await,
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        eprintln!("slot {slot:02x}: key-value: {error:?}");
    }
}

fn key(slot: u8) -> String {
    format!("slot/{slot:02x}")
}
