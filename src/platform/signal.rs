//! The table `signal`: presence and typing, one row an author, forgotten after 30 s.

use buddy_domain::{Access, Error, RoomId, Signal};
use serde::Serialize;

use crate::database::{Database, Row, blob, integer, text};
use crate::room::{self, Right, token};
use crate::{now_ms, settings};

/// How long a signal is kept, and how many of a room are alive at once.
const KEPT_MS: i64 = 30_000;
const LIVE_MAX: i64 = 200;
/// The window of the limits per author and per room.
const WINDOW_MS: i64 = 10_000;

/// A signal as a stream shows it.
#[derive(Serialize)]
pub struct Sent {
    pub kind: String,
    pub author: Option<String>,
    pub body: String,
    pub sent_at_ms: i64,
    pub expires_at_ms: i64,
}

/// `?1` room, `?2` slot, `?3` token, `?4` author (empty: anonymous), `?5` kind, `?6` body, `?7` now,
/// `?8` kept, `?9` end of a window that begins
/// now, `?10` per author, `?11` per room, `?12` live ones. A window begins with the first signal in it.
const SEND: &str =
    "INSERT OR REPLACE INTO signal(room_id,author,seq,kind,sent_at_ms,expires_at_ms,window_ends_at_ms,count,body)
  SELECT r.id, ?4, 0, ?5, ?7, ?7+?8,
    coalesce((SELECT g.window_ends_at_ms FROM signal g
      WHERE g.room_id=r.id AND g.author=?4 AND g.window_ends_at_ms>?7),?9),
    1+coalesce((SELECT g.count FROM signal g WHERE g.room_id=r.id AND g.author=?4 AND g.window_ends_at_ms>?7),0), ?6
  FROM room r JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE r.room=?1 AND r.slot=?2 AND r.expires_at_ms>?7
    AND (r.post_hash IS NULL OR r.post_hash=?3 OR r.owner_hash=?3) AND (r.locked=0 OR r.owner_hash=?3)
    AND NOT EXISTS(SELECT 1 FROM signal g WHERE g.room_id=r.id AND g.author=?4 AND g.window_ends_at_ms>?7
      AND g.count>=?10)
    AND NOT (r.window_ends_at_ms>?7 AND r.signal_count>=?11)
    AND (SELECT count(*) FROM signal g WHERE g.room_id=r.id AND g.expires_at_ms>?7 AND g.author<>?4) < ?12
  LIMIT 1 RETURNING room_id";

/// When the author's and the room's windows end.
const ENDS: &str = "SELECT max(r.window_ends_at_ms,coalesce((SELECT g.window_ends_at_ms FROM signal g
    WHERE g.room_id=r.id AND g.author=?2),0)) FROM room r WHERE r.id=?1 LIMIT 1";

const SINCE: &str = "SELECT kind, author, body, sent_at_ms, expires_at_ms FROM signal
  WHERE room_id=?1 AND seq>?2 AND expires_at_ms>?3 ORDER BY seq LIMIT 200";

/// Sends a signal to the room's readers.
///
/// # Errors
/// `RoomNotFound`, `NotAllowed`, `RoomLocked`, `RateLimited`, `Unavailable`.
pub async fn send(id: &RoomId, access: &Access, signal: &Signal) -> Result<(), Error> {
    let room = room::read(id, access).await?;
    room.need(Right::Post)?;
    if room.locked && room.right < Right::Own {
        return Err(Error::RoomLocked);
    }
    let now = now_ms();
    let author = access.author.map_or_else(Vec::new, |author| author.bytes().to_vec());
    let parameters = [
        id.bytes().into(),
        id.slot().into(),
        token(access),
        author.clone().into(),
        signal.kind.as_str().into(),
        signal.body.as_str().into(),
        now.into(),
        KEPT_MS.into(),
        (now + WINDOW_MS).into(),
        settings::number("signals_per_author_per_ten_s").await?.into(),
        settings::number("signals_per_room_per_ten_s").await?.into(),
        LIVE_MAX.into(),
    ];
    if room.database.run(SEND, &parameters).await?.is_empty() {
        let ends = room.database.row(ENDS, &[room.id.into(), author.into()]).await?.map_or(now, |row| integer(&row, 0));
        return Err(Error::RateLimited { retry_after_s: (ends - now + 999).max(1000) / 1000 });
    }
    Ok(())
}

/// The signals of a room that came after `seq` and are still valid.
///
/// # Errors
/// `Unavailable`.
pub async fn since(database: &Database, room_id: i64, seq: i64) -> Result<Vec<Sent>, Error> {
    let rows = database.run(SINCE, &[room_id.into(), seq.into(), now_ms().into()]).await?;
    Ok(rows.iter().map(sent).collect())
}

fn sent(row: &Row) -> Sent {
    Sent {
        kind: text(row, 0).unwrap_or_default(),
        author: blob(row, 1).filter(|author| !author.is_empty()).map(hex::encode),
        body: text(row, 2).unwrap_or_default(),
        sent_at_ms: integer(row, 3),
        expires_at_ms: integer(row, 4),
    }
}
