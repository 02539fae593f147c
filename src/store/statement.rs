//! The table `statement`: the owner's newest statement about a room with keys. It comes with what makes the server
//! do the same, in one statement.

use buddy_domain::{Access, Error, RoomId, Statement};
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, variables};

use crate::access::{self, is_kept};
use crate::event;
use crate::room::{self, Right, Room};

/// The window of the limit on changes.
const WINDOW_MS: i64 = 10_000;

/// What the owner says a room is, and the sequence of the event that said so; 0: rotation 0.
pub struct State {
    pub body: String,
    pub seq: i64,
}

const NEWEST: &str = "SELECT coalesce(n.body,o.private) AS body, coalesce(n.seq,0) AS seq
  FROM rotation o LEFT JOIN statement n ON n.room_id=o.room_id WHERE o.room_id=?1 AND o.epoch=0 LIMIT 1";

/// What stands against a statement. `?1` row number, `?2` client_id, `?3` fingerprint, `?4` now, `?5` log, `?6` author,
/// `?7` body, `?8` per room. The window is one that the owner alone fills.
const AGAINST: &str = concat!(
    "SELECT e.seq IS NOT NULL AS used,
    n.fingerprint=?3 OR (e.kind='change' AND e.author=?6 AND (e.body=?7 OR e.body='') AND n.seq<>e.seq) AS same,
    r.epoch AS epoch, coalesce(n.seq,0) AS state_seq,
    (SELECT c.sent_at_ms+10000-?4 FROM event c WHERE c.room_id=r.id AND c.seq>r.last_seq-1000 AND c.sent_at_ms>?4-10000
      AND c.kind='change' ORDER BY c.seq DESC LIMIT 1 OFFSET max(?8-1,0)) AS waits_ms
  FROM room r LEFT JOIN statement n ON n.room_id=r.id LEFT JOIN event e ON e.room_id=r.id AND e.client_id=?2 AND ",
    is_kept!("e"),
    " WHERE r.id=?1 AND r.log=?5 LIMIT 1"
);

/// `?1` to `?7` as above, `?8` the owner's token, `?9` epoch, `?10` the sequence it goes on from, `?11` hash of the body,
/// `?12` locked, `?13` expires in, `?14` messages expire in.
const STATE: &str = "INSERT INTO change(room_id,epoch,seq,sent_at_ms,author,client_id,fingerprint,hash,body,
    locked,expires_in_ms,message_ttl_ms)
  SELECT r.id,r.epoch,r.last_seq+1,max(?4,r.last_at_ms),?6,?2,?3,?11,?7,?12,?13,?14
  FROM room r JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE r.id=?1 AND r.log=?5 AND r.owner_hash=?8 AND r.deleted_at_ms=0 AND r.expires_at_ms>?4 AND r.epoch=?9
    AND coalesce((SELECT n.seq FROM statement n WHERE n.room_id=r.id),0)=?10
    AND NOT EXISTS(SELECT 1 FROM event e WHERE e.room_id=r.id AND e.client_id=?2)
  LIMIT 1 RETURNING seq";

/// The state of a room with keys.
///
/// # Errors
/// `Unavailable`.
pub async fn newest(room: &Room) -> Result<State, Error> {
    let row = room.database.row(NEWEST, &[room.key.id.into()]).await?;
    let mut row = row.ok_or_else(|| Error::Unavailable("a room with keys has no rotation 0".into()))?;
    Ok(State { body: row.take("body")?, seq: row.take("seq")? })
}

/// Appends a statement and does what it comes with, once.
///
/// # Errors
/// Every reason to refuse it, in the order of docs/protocol.md, "API"; `Unavailable`.
pub async fn make(id: &RoomId, access: &Access, statement: &Statement) -> Result<(), Error> {
    let expires_in_ms = match statement.change.expires_in_s {
        Some(seconds) => Some(room::lifetime_ms(seconds).await?),
        None => None,
    };
    let limit = variables::number("changes_per_room_per_ten_s").await?;
    for _ in 0..3 {
        let room = room::read(id, access).await?;
        room.need(Right::Own)?;
        room.need_keys()?;
        let mut parameters: Vec<Value> = vec![
            room.key.id.into(),
            statement.client_id.into_bytes().into(),
            statement.fingerprint.into(),
            now_ms().into(),
            room.key.log.into(),
            access.need_author()?.bytes().into(),
            statement.statement.as_str().into(),
            limit.into(),
        ];
        let Some(row) = room.database.row(AGAINST, &parameters).await? else { continue };
        if against(row, statement, limit)? {
            return Ok(());
        }
        parameters[7] = access::token(access);
        parameters.extend([
            statement.epoch.into(),
            statement.state_seq.into(),
            event::hash(&statement.statement).into(),
            statement.change.locked.map(i64::from).into(),
            expires_in_ms.into(),
            statement.change.message_ttl_s.map(|seconds| seconds * 1000).into(),
        ]);
        if room.database.row(STATE, &parameters).await?.is_some() {
            return Ok(());
        }
    }
    Err(Error::Unavailable(format!("room {}: a statement was refused for no reason that lasts", id.short())))
}

/// What a row of `AGAINST` says: whether this very statement was made, or why not.
fn against(mut row: Row, statement: &Statement, limit: i64) -> Result<bool, Error> {
    let (used, same): (bool, bool) = (row.take("used")?, row.take("same")?);
    if same {
        return Ok(true);
    }
    if used {
        return Err(Error::ClientIdReused);
    }
    let (epoch, state_seq): (i64, i64) = (row.take("epoch")?, row.take("state_seq")?);
    if epoch != statement.epoch {
        return Err(Error::StaleEpoch);
    }
    if state_seq != statement.state_seq {
        return Err(Error::StateChanged);
    }
    let waits_ms: Option<i64> = row.take("waits_ms")?;
    if let Some(wait_ms) = if limit == 0 { Some(WINDOW_MS) } else { waits_ms } {
        return Err(Error::RateLimited { retry_after_s: (wait_ms + 999).max(1000) / 1000 });
    }
    Ok(false)
}
