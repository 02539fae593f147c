//! The table `event`: a room's log. One statement settles a post; what refused it is asked after.

use buddy_domain::{Access, Error, Event, Page, Post, RoomId};

use crate::database::{Database, Row, Value, blob, integer, text};
use crate::room::{Room, token};
use crate::{now_ms, settings, slot};

/// A post that is stored. `repeated`: it had been before.
pub struct Stored {
    pub seq: i64,
    pub sent_at_ms: i64,
    pub repeated: bool,
}

/// `?1` room, `?2` slot, `?3` token, `?4` author, `?5` kind, `?6` target, `?7` client_id, `?8` body, `?9` now,
/// `?10` room_max_bytes, `?11` per room, `?12` per author, `?13` address, `?14` per address.
/// An author's posts are counted only where the room's own limit would not refuse them first.
/// `LIMIT ?12` alone would have SQLite prepare the statement anew at each execution, in 350 µs: it looks at
/// what is bound there. At a sum it does not look, here and in all other statements.
const APPEND: &str = "INSERT INTO event(room_id,seq,kind,sent_at_ms,author,target,client_id,address,body)
  SELECT r.id, r.last_seq+1, ?5, max(?9,r.last_at_ms), ?4, ?6, ?7, ?13, ?8
  FROM room r JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE r.room=?1 AND r.slot=?2 AND r.expires_at_ms>?9
    AND (r.post_hash IS NULL OR r.post_hash=?3 OR r.owner_hash=?3)
    AND (r.locked=0 OR r.owner_hash=?3 OR (?5='delete' AND EXISTS(SELECT 1 FROM event t
      WHERE t.room_id=r.id AND t.seq=?6 AND t.author=?4)))
    AND (?8='' OR r.bytes+length(CAST(?8 AS BLOB))<=?10)
    AND NOT EXISTS(SELECT 1 FROM event e WHERE e.room_id=r.id AND e.seq=r.last_seq+1-?11 AND e.sent_at_ms>?9-10000)
    AND (?12>=?11 OR (SELECT count(*) FROM (SELECT 1 FROM event e WHERE e.room_id=r.id AND e.seq>r.last_seq-?11
      AND e.sent_at_ms>?9-10000 AND e.author IS ?4 AND e.kind<>'room' LIMIT ?12+0)) < ?12)
    AND NOT EXISTS(SELECT 1 FROM address a WHERE a.address=?13 AND a.ends_at_ms>?9 AND a.count>=?14)
    AND CASE WHEN ?6 IS NULL THEN ?5='message' ELSE EXISTS(
      SELECT 1 FROM event t WHERE t.room_id=r.id AND t.seq=?6 AND t.seq>r.floor_seq AND t.kind='message'
      AND (r.message_ttl_ms=0 OR t.sent_at_ms>?9-r.message_ttl_ms) AND t.body<>''
      AND CASE ?5 WHEN 'edit' THEN t.author=?4 WHEN 'delete' THEN (t.author=?4 OR r.owner_hash=?3) ELSE 1 END) END
  LIMIT 1
  ON CONFLICT(room_id,client_id) DO NOTHING RETURNING seq, sent_at_ms";

/// Why a post was refused, with the same parameters.
const WHY: &str = "SELECT s.state, r.id IS NOT NULL,
    r.post_hash IS NULL OR r.post_hash=?3 OR r.owner_hash=?3,
    e.seq, e.sent_at_ms,
    e.seq IS NOT NULL AND e.kind=?5 AND e.author IS ?4 AND e.target IS ?6 AND (e.body=?8 OR e.body=''),
    r.locked=1 AND r.owner_hash IS NOT ?3 AND NOT (?5='delete' AND t.author IS NOT NULL AND t.author IS ?4),
    t.seq IS NOT NULL AND t.kind='message' AND t.seq>r.floor_seq AND t.body<>''
      AND (r.message_ttl_ms=0 OR t.sent_at_ms>?9-r.message_ttl_ms),
    t.author IS NOT NULL AND t.author IS ?4, r.owner_hash IS ?3,
    ?8<>'' AND r.bytes+length(CAST(?8 AS BLOB))>?10,
    (SELECT l.sent_at_ms+10000-?9 FROM event l WHERE l.room_id=r.id AND l.seq=r.last_seq+1-?11),
    (SELECT l.sent_at_ms+10000-?9 FROM event l WHERE l.room_id=r.id AND l.seq>r.last_seq-?11 AND l.author IS ?4
      AND l.kind<>'room' AND l.sent_at_ms>?9-10000 ORDER BY l.seq DESC LIMIT 1 OFFSET max(?12-1,0)),
    (SELECT a.ends_at_ms-?9 FROM address a WHERE a.address=?13 AND a.ends_at_ms>?9 AND a.count>=?14), ?7 IS NULL
  FROM slot s
  LEFT JOIN room r ON r.room=?1 AND r.expires_at_ms>?9 AND r.deleted_at_ms=0
    AND (r.read_hash IS NULL OR r.read_hash=?3 OR r.post_hash=?3 OR r.owner_hash=?3)
  LEFT JOIN event e ON e.room_id=r.id AND e.client_id=?7
    AND e.seq>r.floor_seq AND (r.message_ttl_ms=0 OR e.sent_at_ms>?9-r.message_ttl_ms)
  LEFT JOIN event t ON t.room_id=r.id AND t.seq=?6
  WHERE s.slot=?2 LIMIT 1";

/// The columns of an event; an edit of what has expired shows no text any more. `?4` is the first sequence.
const COLUMNS: &str = "SELECT seq,kind,client_id,author,target,
  CASE WHEN kind='edit' AND target<?4 THEN '' ELSE body END,sent_at_ms FROM event";

/// Appends to the room's log, once.
///
/// # Errors
/// Every reason of DESIGN's section 3, in its order; `Unavailable`.
pub async fn append(id: &RoomId, access: &Access, post: &Post, address: Vec<u8>) -> Result<Stored, Error> {
    let author_limit = settings::number("posts_per_author_per_ten_s").await?;
    let address_limit = settings::number("posts_per_address_per_ten_s").await?;
    let mut parameters = [
        id.bytes().into(),
        id.slot().into(),
        token(access),
        access.author.map(|author| author.bytes()).into(),
        Value::from(post.kind.as_str()),
        post.target.into(),
        post.client_id.into_bytes().into(),
        Value::from(post.body.as_str()),
        Value::Null,
        settings::number("room_max_bytes").await?.into(),
        settings::number("posts_per_room_per_ten_s").await?.into(),
        author_limit.into(),
        address.into(),
        address_limit.into(),
    ];
    let mut database = slot::locate(id.slot()).await?;
    for _ in 0..3 {
        parameters[8] = now_ms().into();
        if let Some(row) = database.row(APPEND, &parameters).await? {
            return Ok(Stored { seq: integer(&row, 0), sent_at_ms: integer(&row, 1), repeated: false });
        }
        match database.row(WHY, &parameters).await? {
            Some(row) if matches!(text(&row, 0).as_deref(), Some("open" | "frozen")) => {
                if let Some(stored) = reason(&row, post)? {
                    return Ok(stored);
                }
                if text(&row, 0).as_deref() == Some("frozen") {
                    return Err(Error::Unavailable(format!("slot {:02x} is moving", id.slot())));
                }
            }
            _ => database = slot::relocate(id.slot()).await?,
        }
    }
    Err(Error::Unavailable(format!("room {}: a post was refused for no reason that lasts", id.short())))
}

/// The reason in a row of `WHY`, or the first answer of a repeat. `None`: none that lasts.
fn reason(row: &Row, post: &Post) -> Result<Option<Stored>, Error> {
    let holds = |index| integer(row, index) != 0;
    if !holds(1) {
        return Err(Error::RoomNotFound);
    }
    if !holds(2) {
        return Err(Error::NotAllowed("This token may read the room, not write to it."));
    }
    if let Some(seq) = row.get::<i64>(3) {
        return if holds(5) {
            Ok(Some(Stored { seq, sent_at_ms: integer(row, 4), repeated: true }))
        } else {
            Err(Error::ClientIdReused)
        };
    }
    if holds(6) {
        return Err(Error::RoomLocked);
    }
    if post.target.is_some() {
        use buddy_domain::Kind;
        if !holds(7) {
            return Err(Error::invalid("target must be a message that is still kept."));
        }
        let (mine, owner) = (holds(8), holds(9));
        if post.kind == Kind::Edit && !mine {
            return Err(Error::NotAllowed("Only its author can edit a message."));
        }
        if post.kind == Kind::Delete && !mine && !owner {
            return Err(Error::NotAllowed("Only its author or the room's owner can delete a message."));
        }
    }
    if holds(10) {
        return Err(Error::RoomFull);
    }
    let wait_ms = [11, 12, 13].iter().filter_map(|index| row.get::<i64>(*index)).max().unwrap_or(0);
    if wait_ms > 0 {
        return Err(Error::RateLimited { retry_after_s: (wait_ms + 999) / 1000 });
    }
    Ok(None)
}

/// A page of the log, ascending, of what is kept at `room.first_seq` and later.
///
/// # Errors
/// `Unavailable`.
pub async fn page(room: &Room, page: &Page) -> Result<Vec<Event>, Error> {
    match *page {
        Page::After { seq, limit } => {
            let sql = format!("{COLUMNS} WHERE room_id=?1 AND seq>?2 AND seq>=?4 ORDER BY seq LIMIT ?3+0");
            let rows =
                room.database.run(&sql, &[room.id.into(), seq.into(), limit.into(), room.first_seq.into()]).await?;
            Ok(rows.iter().map(event).collect())
        }
        Page::Newest { limit } => before(room, room.last_seq + 1, limit).await,
        Page::Before { seq, limit } => before(room, seq, limit).await,
    }
}

async fn before(room: &Room, seq: i64, limit: i64) -> Result<Vec<Event>, Error> {
    let sql = format!("{COLUMNS} WHERE room_id=?1 AND seq<?2 AND seq>=?4 ORDER BY seq DESC LIMIT ?3+0");
    let rows = room.database.run(&sql, &[room.id.into(), seq.into(), limit.into(), room.first_seq.into()]).await?;
    Ok(rows.iter().rev().map(event).collect())
}

/// The next events of a log for those who stream it.
pub struct Batch {
    pub events: Vec<Event>,
    /// There was no more.
    pub is_last: bool,
}

/// A batch has at most so many rows, and ends with the one that makes its bodies reach so many bytes.
const BATCH_ROWS: usize = 200;
const BATCH_BYTES: usize = 128 << 10;

/// `?1` room row, `?2` after this sequence, `?3` rows, `?4` first sequence, `?5` bytes, `?6` now. Adding up
/// sizes first and reading only what fits takes a third of the time of cutting what was read.
const NEAR: &str = "WITH near AS (SELECT e.seq AS seq, length(CAST(e.body AS BLOB)) AS size
    FROM room r JOIN event e ON e.room_id=r.id WHERE r.id=?1 AND e.seq>max(?2,r.floor_seq)
      AND (r.message_ttl_ms=0 OR e.sent_at_ms>?6-r.message_ttl_ms) ORDER BY e.seq LIMIT ?3+0)";
const IN_BATCH: &str = "WHERE room_id=?1 AND seq>=(SELECT min(seq) FROM near) AND seq<=(SELECT max(seq) FROM
    (SELECT seq, sum(size) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM near)
    WHERE before IS NULL OR before<?5)
  ORDER BY seq LIMIT ?3+0";

/// The events after `seq` that are still shown, ascending, as many as fit a batch. Edits of what came
/// before `first_seq` show no text.
///
/// # Errors
/// `Unavailable`.
pub async fn batch_after(database: &Database, room_id: i64, first_seq: i64, seq: i64) -> Result<Batch, Error> {
    let sql = format!("{NEAR} {COLUMNS} {IN_BATCH}");
    let (rows, bytes) = (BATCH_ROWS as i64, BATCH_BYTES as i64);
    let parameters = [room_id.into(), seq.into(), rows.into(), first_seq.into(), bytes.into(), now_ms().into()];
    let events: Vec<_> = database.run(&sql, &parameters).await?.iter().map(event).collect();
    let read: usize = events.iter().map(|event| event.body.len()).sum();
    let is_last = events.len() < BATCH_ROWS && read < BATCH_BYTES;
    Ok(Batch { events, is_last })
}

fn event(row: &Row) -> Event {
    let client_id = blob(row, 2).and_then(|bytes| uuid::Uuid::from_slice(&bytes).ok()).unwrap_or_default();
    Event {
        seq: integer(row, 0),
        kind: text(row, 1).unwrap_or_default(),
        client_id: client_id.hyphenated().to_string(),
        author: blob(row, 3).map(hex::encode),
        target: row.get(4),
        body: text(row, 5).unwrap_or_default(),
        sent_at_ms: integer(row, 6),
    }
}
