//! The tables `tombstone` and `token`: rooms with keys that are gone, and every token that a room with keys ever had.
//! Triggers write both; here what has stood long enough goes.

use buddy_domain::Error;
use buddy_host::variables;

use crate::database::Database;

const DAY_MS: i64 = 86_400_000;

const DUE: &str = "SELECT room FROM tombstone WHERE gone_at_ms<=?1 ORDER BY gone_at_ms LIMIT 1";
/// The tokens go first, in batches: without its tombstone a room's id could be used again.
const DELETE_TOKENS: &str = "DELETE FROM token WHERE room=?1
  AND hash IN(SELECT t.hash FROM token t WHERE t.room=?1 LIMIT 200)";
const DELETE: &str = "DELETE FROM tombstone WHERE room=?1 AND NOT EXISTS(SELECT 1 FROM token t WHERE t.room=?1)";

/// A room that went then, or before, has had its tombstone for long enough.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn gone_at_ms(now: i64) -> Result<i64, Error> {
    Ok(now - variables::number("tombstone_days").await? * DAY_MS)
}

/// Deletes some of what has stood long enough.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn delete(database: &Database, now: i64) -> Result<(), Error> {
    let gone = gone_at_ms(now).await?;
    let Some(mut row) = database.row(DUE, &[gone.into()]).await? else { return Ok(()) };
    let room: [u8; 32] = row.take("room")?;
    database.run(DELETE_TOKENS, &[room.into()]).await?;
    database.run(DELETE, &[room.into()]).await.map(drop)
}
