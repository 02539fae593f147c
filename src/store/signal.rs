//! The table `signal`: presence and typing, one row an author, forgotten after 30 s.

use buddy_domain::{Access, Error, RoomId, SentSignal, Signal};
use buddy_host::sqlite::Row;
use buddy_host::{now_ms, variables};

use crate::access::{self, may_post, open_slot};
use crate::database::Database;
use crate::room::{self, Right, Room, RowKey};

/// How long a signal is kept, and how many of a room are alive at once.
const KEPT_MS: i64 = 30_000;
const LIVE_MAX: i64 = 200;
/// The window of the limits per author and per room.
const WINDOW_MS: i64 = 10_000;

/// `?5` author (empty: anonymous), `?6` kind, `?7` body, `?8` kept, `?9` end of a window that begins now,
/// `?10` per author, `?11` per room, `?12` live ones, `?13` epoch. A window begins with the first signal in it.
const SEND: &str = concat!(
    "INSERT OR REPLACE INTO signal(room_id,author,seq,kind,sent_at_ms,expires_at_ms,window_ends_at_ms,count,body)
  SELECT r.id, ?5, 0, ?6, ?4, ?4+?8,
    coalesce((SELECT g.window_ends_at_ms FROM signal g
      WHERE g.room_id=r.id AND g.author=?5 AND g.window_ends_at_ms>?4),?9),
    1+coalesce((SELECT g.count FROM signal g WHERE g.room_id=r.id AND g.author=?5 AND g.window_ends_at_ms>?4),0), ?7
  FROM room r ",
    open_slot!(),
    " WHERE r.room=?1 AND r.slot=?2 AND r.expires_at_ms>?4 AND ",
    may_post!(),
    " AND r.epoch IS ?13 AND (r.locked=0 OR r.owner_hash=?3)
    AND ?10>0 AND ?11>0
    AND NOT EXISTS(SELECT 1 FROM signal g WHERE g.room_id=r.id AND g.author=?5 AND g.window_ends_at_ms>?4
      AND g.count>=?10)
    AND NOT (r.window_ends_at_ms>?4 AND r.signal_count>=?11)
    AND (SELECT count(*) FROM signal g WHERE g.room_id=r.id AND g.expires_at_ms>?4 AND g.author<>?5) < ?12
  LIMIT 1 RETURNING room_id"
);

/// When the author's and the room's windows end.
const ENDS: &str = "SELECT max(r.window_ends_at_ms,coalesce((SELECT g.window_ends_at_ms FROM signal g
    WHERE g.room_id=r.id AND g.author=?2),0)) AS ends_at_ms FROM room r WHERE r.id=?1 LIMIT 1";

const SINCE: &str = "SELECT g.kind AS kind, g.author AS author, g.body AS body, g.sent_at_ms AS sent_at_ms,
    g.expires_at_ms AS expires_at_ms
  FROM room r JOIN signal g ON g.room_id=r.id
  WHERE r.id=?1 AND r.log=?2 AND g.seq>?3 AND g.expires_at_ms>?4 ORDER BY g.seq LIMIT 200";

/// Sends a signal to the room's readers.
///
/// # Errors
/// `RoomNotFound`, `NotAllowed`, `RoomLocked`, `RateLimited`, `Unavailable`.
pub async fn send(id: &RoomId, access: &Access, signal: &Signal) -> Result<(), Error> {
    let room = permitted(id, access, signal).await?;
    let now = now_ms();
    let author = access.author.map_or_else(Vec::new, |author| author.bytes().to_vec());
    let mut parameters = access::parameters(id, access, now);
    parameters.extend([
        author.clone().into(),
        signal.kind.as_str().into(),
        signal.body.as_str().into(),
        KEPT_MS.into(),
        (now + WINDOW_MS).into(),
        variables::number("signals_per_author_per_ten_s").await?.into(),
        variables::number("signals_per_room_per_ten_s").await?.into(),
        LIVE_MAX.into(),
        signal.epoch.into(),
    ]);
    if room.database.run(SEND, &parameters).await?.is_empty() {
        // The room may have been renewed, locked or deleted between the two statements.
        permitted(id, access, signal).await?;
        let row = room.database.row(ENDS, &[room.key.id.into(), author.into()]).await?;
        let ends: i64 = row.map_or(Ok(now), |mut row| row.take("ends_at_ms"))?;
        return Err(Error::RateLimited { retry_after_s: (ends - now + 999).max(1000) / 1000 });
    }
    Ok(())
}

/// The room, where the caller may send this signal now.
async fn permitted(id: &RoomId, access: &Access, signal: &Signal) -> Result<Room, Error> {
    let room = room::read(id, access).await?;
    room.need(Right::Post)?;
    room.need_epoch(signal.epoch)?;
    if room.epoch.is_some() {
        access.need_author()?;
    }
    if room.locked && room.right < Right::Own {
        return Err(Error::RoomLocked);
    }
    Ok(room)
}

/// The signals of a room that came after `seq` and are still valid.
///
/// # Errors
/// `Unavailable`.
pub async fn since(database: &Database, key: &RowKey, seq: i64) -> Result<Vec<SentSignal>, Error> {
    let rows = database.run(SINCE, &[key.id.into(), key.log.into(), seq.into(), now_ms().into()]).await?;
    rows.into_iter().map(sent).collect()
}

fn sent(mut row: Row) -> Result<SentSignal, Error> {
    let kind = row.take("kind")?;
    let author: Vec<u8> = row.take("author")?;
    Ok(SentSignal {
        kind,
        author: (!author.is_empty()).then(|| hex::encode(author)),
        body: row.take("body")?,
        sent_at_ms: row.take("sent_at_ms")?,
        expires_at_ms: row.take("expires_at_ms")?,
    })
}
