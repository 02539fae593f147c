//! What an operator wants to know of a database, read from its tables when it is asked for.

use buddy_domain::Error;
use buddy_host::now_ms;

use crate::database::Database;

/// One database in figures.
#[derive(Debug, Default)]
pub struct Measures {
    /// Rooms that are there, what they hold, and the bytes that this counts for.
    pub rooms: i64,
    pub events: i64,
    pub bytes: i64,
    /// Files of these rooms, and the bytes of their parts.
    pub files: i64,
    pub files_bytes: i64,
    /// Events that were ever appended in rooms of this database, of rooms that are no more too.
    pub appended: i64,
    /// How long the oldest row that is due to be deleted has waited, in milliseconds.
    pub overdue_ms: i64,
    /// How many slots are in which state, by its name.
    pub slots: Vec<(String, i64)>,
    /// How often what was refused, by its code. All of it stands in the first database.
    pub refusals: Vec<(String, i64)>,
    /// `None` where the database does not tell.
    pub file_bytes: Option<i64>,
}

/// Rooms that are still on their way here are counted where they come from.
const ROOMS: &str = "SELECT count(*) FILTER(WHERE r.deleted_at_ms=0 AND r.expires_at_ms>?1) AS rooms,
    coalesce(sum(r.last_seq-r.floor_seq) FILTER(WHERE r.deleted_at_ms=0 AND r.expires_at_ms>?1),0) AS events,
    coalesce(sum(r.bytes) FILTER(WHERE r.deleted_at_ms=0 AND r.expires_at_ms>?1),0) AS bytes,
    coalesce(sum(r.last_seq),0)+coalesce((SELECT t.count FROM tally t WHERE t.kind='event' AND t.code=''),0) AS appended
  FROM room r JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen') LIMIT 1";
const FILES: &str =
    "SELECT count(*) AS files, coalesce(sum(f.bytes),0) AS bytes FROM file f JOIN room r ON r.id=f.room_id
    AND r.deleted_at_ms=0 AND r.expires_at_ms>?1 JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen') LIMIT 1";
const OVERDUE: &str = "SELECT max(0,?1-coalesce((SELECT min(r.sweep_at_ms) FROM room r
    JOIN slot s ON s.slot=r.slot AND s.state='open' WHERE r.sweep_at_ms BETWEEN 1 AND ?1),?1)) AS overdue_ms LIMIT 1";
const SLOTS: &str = "SELECT state AS name, count(*) AS count FROM slot GROUP BY state ORDER BY state LIMIT 10";
const REFUSALS: &str = "SELECT code AS name, count FROM tally WHERE kind='refusal' ORDER BY code LIMIT 100";
const FILE: &str = "SELECT p.page_count*s.page_size AS bytes FROM pragma_page_count() p, pragma_page_size() s LIMIT 1";

/// # Errors
/// `Unavailable`.
pub async fn measure(database: &Database) -> Result<Measures, Error> {
    let now = now_ms();
    let mut measures = Measures::default();
    if let Some(mut row) = database.row(ROOMS, &[now.into()]).await? {
        (measures.rooms, measures.events) = (row.take("rooms")?, row.take("events")?);
        (measures.bytes, measures.appended) = (row.take("bytes")?, row.take("appended")?);
    }
    if let Some(mut row) = database.row(FILES, &[now.into()]).await? {
        (measures.files, measures.files_bytes) = (row.take("files")?, row.take("bytes")?);
    }
    if let Some(mut row) = database.row(OVERDUE, &[now.into()]).await? {
        measures.overdue_ms = row.take("overdue_ms")?;
    }
    measures.slots = named(database, SLOTS).await?;
    measures.refusals = named(database, REFUSALS).await?;
    // A server's client refuses to tell.
    if !database.is_server() {
        let file = database.row(FILE, &[]).await?;
        measures.file_bytes = file.map(|mut row| row.take("bytes")).transpose()?;
    }
    Ok(measures)
}

async fn named(database: &Database, sql: &str) -> Result<Vec<(String, i64)>, Error> {
    let rows = database.run(sql, &[]).await?;
    rows.into_iter().map(|mut row| Ok((row.take("name")?, row.take("count")?))).collect()
}
