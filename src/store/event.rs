//! The table `event`: a room's log. One statement settles a post; what refused it is asked after.

use buddy_domain::{Access, Address, Error, Event, Kind, Page, Post, RoomId};
use buddy_host::sqlite::Row;
use buddy_host::{now_ms, variables};
use sha2::{Digest, Sha256};

use crate::access::{self, caller, had_access, is_kept, may_post, may_read, open_slot};
use crate::database::Database;
use crate::room::{self, Room, RowKey};
use crate::settle::{Attempt, Reason, may_write};
use crate::{address, refusals, slot};

/// A post that is stored, and where. `repeated`: it had been before.
pub struct Stored {
    pub database: Database,
    pub seq: i64,
    pub sent_at_ms: i64,
    pub repeated: bool,
}

/// Posts that count as the caller's own: the owner's apart from all others, and anonymous ones as one author's.
macro_rules! own_posts {
    () => {
        "FROM event e WHERE e.room_id=r.id AND e.seq>r.last_seq-?12-?13 AND e.sent_at_ms>?4-10000
      AND e.kind NOT IN('room','change','rotate')
      AND e.by_owner=(r.owner_hash IS ?3) AND (e.by_owner=1 OR e.author IS ?10)"
    };
}

/// What the room's size becomes is too much. What blanks at least as much as it says may stand in a full room: there
/// is at most one such event for each message.
macro_rules! is_too_much {
    () => {
        "(r.bytes+256+length(CAST(?8 AS BLOB))>?11 AND NOT (?5='delete' AND length(CAST(?8 AS BLOB))<=
      coalesce((SELECT length(CAST(t.body AS BLOB)) FROM event t WHERE t.room_id=r.id AND t.seq=?6),0)+
      coalesce((SELECT sum(length(CAST(t.body AS BLOB))) FROM event t
        WHERE t.room_id=r.id AND t.target=?6 AND t.kind='edit'),0)))"
    };
}

/// The keys under which the caller's address is counted in this room, with their limits.
macro_rules! address_limits {
    () => {
        "CASE WHEN r.owner_hash IS ?3 THEN ?15 ELSE ?14 END"
    };
}

/// A file that a message names is not here with all of its parts, or nobody gets it any more.
macro_rules! lacks_files {
    () => {
        "EXISTS(SELECT 1 FROM json_each(?19) j LEFT JOIN file f ON f.room_id=r.id AND f.file=json_extract(j.value,'$.id')
      WHERE f.id IS NULL OR coalesce(f.sweep_at_ms<=?4,0) OR f.parts<>json_extract(j.value,'$.parts')
        OR EXISTS(SELECT 1 FROM part p WHERE p.file_id=f.id AND p.part>=json_extract(j.value,'$.parts')))"
    };
}

/// Another message has one of the files.
macro_rules! files_are_sent {
    () => {
        "EXISTS(SELECT 1 FROM json_each(?19) j JOIN file f ON f.room_id=r.id AND f.file=json_extract(j.value,'$.id')
      WHERE f.seq IS NOT NULL)"
    };
}

/// `?5` kind, `?6` target, `?7` client_id, `?8` body, `?9` its hash, `?10` author, `?11` room_max_bytes,
/// `?12` per room, `?13` per author, `?14` the address's limits, `?15` those of an owner's address, `?16` the
/// database is full, `?17` epoch, `?18` cards per author, `?19` files, which a trigger makes the message's own.
/// An author's posts are counted only where the room's own limit would not refuse them first. That one is
/// not for the owner, who is never refused for what others post.
/// `LIMIT ?13` alone would have SQLite prepare the statement anew at each execution, in 350 µs: it looks at
/// what is bound there. At a sum it does not look, here and in all other statements.
const APPEND: &str = concat!(
    "INSERT INTO event(room_id,seq,kind,sent_at_ms,author,target,client_id,epoch,by_owner,address,files,hash,body)
  SELECT r.id, r.last_seq+1, ?5, max(?4,r.last_at_ms), ?10, ?6, ?7, r.epoch, r.owner_hash IS ?3, ",
    address_limits!(),
    ", ?19, ?9, ?8
  FROM room r ",
    open_slot!(),
    " WHERE r.room=?1 AND r.slot=?2 AND r.expires_at_ms>?4 AND ",
    may_post!(),
    " AND r.epoch IS ?17 AND (r.epoch IS NULL OR ?10 IS NOT NULL)
    AND (?5<>'card' OR (r.epoch IS NOT NULL
      AND coalesce((SELECT c.count FROM card c WHERE c.room_id=r.id AND c.author=?10),0)<?18))
    AND (r.locked=0 OR r.owner_hash=?3 OR (?5='delete' AND EXISTS(SELECT 1 FROM event t
      WHERE t.room_id=r.id AND t.seq=?6 AND t.author=?10)))
    AND NOT ",
    is_too_much!(),
    " AND (?16=0 OR ?5='delete')
    AND (r.owner_hash IS ?3 OR (?12>0 AND NOT EXISTS(SELECT 1 FROM event e
      WHERE e.room_id=r.id AND e.seq=r.last_seq+1-?12 AND e.sent_at_ms>?4-10000)))
    AND ((?13>=?12 AND r.owner_hash IS NOT ?3) OR (SELECT count(*) FROM (SELECT 1 ",
    own_posts!(),
    " LIMIT ?13+0)) < ?13)
    AND NOT EXISTS(SELECT 1 FROM json_each(",
    address_limits!(),
    ") j LEFT JOIN address a ON a.address=j.key AND a.ends_at_ms>?4 WHERE coalesce(a.count,0)>=j.value)
    AND CASE WHEN ?6 IS NULL THEN ?5 IN('message','card') ELSE EXISTS(
      SELECT 1 FROM event t WHERE t.room_id=r.id AND t.seq=?6 AND t.kind='message' AND t.body<>'' AND ",
    is_kept!("t"),
    " AND CASE ?5 WHEN 'edit' THEN t.author=?10 WHEN 'delete' THEN (t.author=?10 OR r.owner_hash=?3) ELSE 1 END) END
    AND (?19 IS NULL OR NOT (",
    files_are_sent!(),
    " OR ",
    lacks_files!(),
    "))
  LIMIT 1
  ON CONFLICT(room_id,client_id) DO NOTHING RETURNING seq, sent_at_ms"
);

/// Why a post was refused, with the same parameters.
const WHY: &str = concat!(
    "SELECT s.state AS state, d.farewell AS farewell, r.id IS NOT NULL AS found, ",
    may_read!(),
    " AS reads, ",
    may_post!(),
    " AS posts, r.epoch AS epoch, e.seq AS seq, e.sent_at_ms AS sent_at_ms,
    e.kind=?5 AND e.author IS ?10 AND e.target IS ?6 AND e.files IS ?19 AND (e.body=?8 OR e.body='') AS same,
    coalesce((SELECT c.count FROM card c WHERE c.room_id=r.id AND c.author=?10),0)>=?18 AS cards_full,
    r.locked=1 AND r.owner_hash IS NOT ?3 AND NOT (?5='delete' AND t.author IS NOT NULL AND t.author IS ?10) AS locked,
    t.kind='message' AND t.body<>'' AND ",
    is_kept!("t"),
    " AS target_kept, t.author IS NOT NULL AND t.author IS ?10 AS mine, r.owner_hash IS ?3 AS owns, ",
    files_are_sent!(),
    " AS files_sent, ",
    lacks_files!(),
    " AS files_lack, ",
    is_too_much!(),
    " AS full,
    CASE WHEN ?12>0 THEN (SELECT l.sent_at_ms+10000-?4 FROM event l
      WHERE l.room_id=r.id AND l.seq=r.last_seq+1-?12 AND r.owner_hash IS NOT ?3)
      WHEN r.owner_hash IS NOT ?3 THEN 10000 END AS room_waits_ms,
    CASE WHEN ?13>0 THEN (SELECT e.sent_at_ms+10000-?4 ",
    own_posts!(),
    " ORDER BY e.seq DESC LIMIT 1 OFFSET max(?13-1,0)) ELSE 10000 END AS author_waits_ms,
    (SELECT max(coalesce(a.ends_at_ms,?4+10000))-?4 FROM json_each(",
    address_limits!(),
    ") j LEFT JOIN address a ON a.address=j.key AND a.ends_at_ms>?4
      WHERE coalesce(a.count,0)>=j.value) AS address_waits_ms,
    ?16=1 AND ?5<>'delete' AS storage_full, ?7 IS NULL OR ?9 IS NULL OR ?17 IS NULL AS unused ",
    caller!(),
    " LEFT JOIN room r ON r.room=?1 AND r.expires_at_ms>?4 AND r.deleted_at_ms=0 AND (",
    may_read!(),
    " OR ",
    had_access!(),
    ") LEFT JOIN event e ON e.room_id=r.id AND e.client_id=?7 AND ",
    is_kept!("e"),
    " LEFT JOIN event t ON t.room_id=r.id AND t.seq=?6
  WHERE s.slot=?2 LIMIT 1"
);

/// The columns of an event; an edit of what has expired shows no text any more. `?4` is the first sequence.
const COLUMNS: &str = "SELECT seq,kind,client_id,author,target,sent_at_ms,epoch,hash,
  CASE WHEN kind='edit' AND target<?4 THEN '' ELSE body END AS body FROM event";

/// Appends to the room's log, once.
///
/// # Errors
/// Every reason to refuse a post, in the order of docs/protocol.md, "API"; `Unavailable`.
pub async fn append(id: &RoomId, access: &Access, post: &Post, from: &Address) -> Result<Stored, Error> {
    let now = now_ms();
    let limit = variables::number("posts_per_address_per_ten_s").await?;
    let room_limit = variables::number("posts_per_address_per_room_per_ten_s").await?;
    let known = refusals::uncounted(from, now);
    let of_address = address::limits(from.limits("posts", limit), known);
    let in_room = from.limits(&format!("posts in {id}"), room_limit);
    let counted = address::limits(from.limits("posts", limit).into_iter().chain(in_room), known);
    let counted_of_owner = address::limits(from.limits("posts as owner", limit), 0);
    let database = slot::locate(id.slot()).await?;
    let mut parameters = access::parameters(id, access, now);
    parameters.extend([
        post.kind.as_str().into(),
        post.target.into(),
        post.client_id.into_bytes().into(),
        post.body.as_str().into(),
        hash(&post.body).into(),
        access.author.map(|author| author.bytes()).into(),
        variables::number("room_max_bytes").await?.into(),
        variables::number("posts_per_room_per_ten_s").await?.into(),
        variables::number("posts_per_author_per_ten_s").await?.into(),
        counted.into(),
        counted_of_owner.into(),
        i64::from(database.is_full(post.body.len()).await?).into(),
        post.epoch.into(),
        variables::number("cards_per_author").await?.into(),
        post.files.clone().into(),
    ]);
    let why_takes = parameters.len();
    let attempt =
        Attempt { what: "a post", id, from, limits: &of_address, store: APPEND, why: WHY, parameters, why_takes, now };
    let stored = |mut row: Row| Ok((row.take("seq")?, row.take("sent_at_ms")?));
    let settled = attempt.settle(database, stored, |row| reason(row, access, post)).await?;
    let (seq, sent_at_ms) = settled.outcome;
    Ok(Stored { database: settled.database, seq, sent_at_ms, repeated: settled.repeated })
}

/// The reason in a row of `WHY`.
fn reason(mut row: Row, access: &Access, post: &Post) -> Result<Reason<(i64, i64)>, Error> {
    let Some(is_frozen) = may_write(&mut row)? else { return Ok(Reason::Elsewhere) };
    let epoch: Option<i64> = row.take("epoch")?;
    room::fits(epoch.is_some(), post.epoch)?;
    if epoch.is_some() {
        access.need_author()?;
    } else if post.kind == Kind::Card {
        return Err(Error::invalid("This room has no keys, so there are no cards."));
    }
    let (seq, sent_at_ms): (Option<i64>, Option<i64>) = (row.take("seq")?, row.take("sent_at_ms")?);
    let same = row.take("same")?;
    if let (Some(seq), Some(sent_at_ms)) = (seq, sent_at_ms) {
        return if same { Ok(Reason::Repeated((seq, sent_at_ms))) } else { Err(Error::ClientIdReused) };
    }
    if epoch != post.epoch {
        return Err(Error::StaleEpoch);
    }
    let cards_full: bool = row.take("cards_full")?;
    if row.take("locked")? {
        return Err(Error::RoomLocked);
    }
    if post.kind == Kind::Card && cards_full {
        return Err(Error::Full("You have had as many cards in this room as one may have."));
    }
    let (target_kept, mine, owns): (bool, bool, bool) =
        (row.take("target_kept")?, row.take("mine")?, row.take("owns")?);
    if post.target.is_some() {
        if !target_kept {
            return Err(Error::invalid("target must be a message that is still kept."));
        }
        if post.kind == Kind::Edit && !mine {
            return Err(Error::NotAllowed("Only its author can edit a message."));
        }
        if post.kind == Kind::Delete && !mine && !owns {
            return Err(Error::NotAllowed("Only its author or the room's owner can delete a message."));
        }
    }
    let (files_sent, files_lack): (bool, bool) = (row.take("files_sent")?, row.take("files_lack")?);
    if files_sent {
        return Err(Error::FileSent);
    }
    if files_lack {
        return Err(Error::FileMissing);
    }
    if row.take("full")? {
        return Err(Error::RoomFull);
    }
    let mut wait_ms = 0;
    for limit in ["room_waits_ms", "author_waits_ms", "address_waits_ms"] {
        wait_ms = wait_ms.max(row.take::<Option<i64>>(limit)?.unwrap_or(0));
    }
    if wait_ms > 0 {
        return Err(Error::RateLimited { retry_after_s: (wait_ms + 999) / 1000 });
    }
    if row.take("storage_full")? {
        return Err(Error::StorageFull);
    }
    Ok(Reason::of_none(is_frozen))
}

/// A page ends with the event that brings its bodies to so many bytes, counted from the cursor.
pub const PAGE_BYTES: usize = 1 << 20;

/// `?1` row number, `?2` cursor, `?3` rows, `?4` first sequence, `?5` bytes, `?6` log. A room that has gone to another
/// database shows nothing here, for its rows go one after another.
macro_rules! page {
    ($side:literal, $order:literal) => {
        concat!(
            "WITH near AS (SELECT seq, length(CAST(body AS BLOB)) AS size FROM event
    WHERE EXISTS(SELECT 1 FROM room r JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen')
      WHERE r.id=?1 AND r.log=?6) AND room_id=?1 AND seq",
            $side,
            "?2 AND seq>=?4 ORDER BY seq ",
            $order,
            " LIMIT ?3+0),
  fitting AS (SELECT seq FROM (SELECT seq, sum(size) OVER
      (ORDER BY seq ",
            $order,
            " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM near) WHERE before IS NULL OR before<?5)"
        )
    };
}
const PAGE_AFTER: &str = page!(">", "ASC");
const PAGE_BEFORE: &str = page!("<", "DESC");
const IN_PAGE: &str = "WHERE room_id=?1 AND seq>=(SELECT min(seq) FROM fitting) AND seq<=(SELECT max(seq) FROM fitting)
  ORDER BY seq LIMIT ?3+0";

/// A page of the log, ascending, of what is kept at `room.first_seq` and later. `None`: the room was there a moment ago,
/// and is to be looked for again.
///
/// # Errors
/// `Unavailable`.
pub async fn page(room: &Room, page: &Page) -> Result<Option<Vec<Event>>, Error> {
    let (near, cursor, limit) = match *page {
        Page::After { seq, limit } => (PAGE_AFTER, seq, limit),
        Page::Before { seq, limit } => (PAGE_BEFORE, seq, limit),
        Page::Newest { limit } => (PAGE_BEFORE, room.last_seq + 1, limit),
    };
    let bytes = PAGE_BYTES as i64;
    let log = room.key.log.into();
    let parameters = [room.key.id.into(), cursor.into(), limit.into(), room.first_seq.into(), bytes.into(), log];
    let rows = room.database.run(&format!("{near} {COLUMNS} {IN_PAGE}"), &parameters).await?;
    if rows.is_empty() && !room::is_here(&room.database, &room.key).await? {
        return Ok(None);
    }
    rows.into_iter().map(event).collect::<Result<_, _>>().map(Some)
}

/// The next events of a log for those who stream it.
pub struct Batch {
    pub events: Vec<Event>,
    /// There was no more.
    pub is_last: bool,
}

/// A batch has at most so many rows, and ends with the one that makes its bodies reach so many bytes.
pub const BATCH_ROWS: i64 = 200;
const BATCH_BYTES: usize = 128 << 10;

/// `?1` row number, `?2` after this sequence, `?3` rows, `?4` first sequence, `?5` bytes, `?6` now, `?7` log,
/// `?8` whether the room must still be there. Adding up sizes first and reading only what fits takes a third of the
/// time of cutting what was read.
const NEAR: &str = "WITH near AS (SELECT e.seq AS seq, length(CAST(e.body AS BLOB)) AS size
    FROM room r JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen') JOIN event e ON e.room_id=r.id
    WHERE r.id=?1 AND r.log=?7 AND e.seq>max(?2,r.floor_seq)
      AND (?8=0 OR (r.deleted_at_ms=0 AND r.expires_at_ms>?6))
      AND (r.message_ttl_ms=0 OR e.sent_at_ms>?6-r.message_ttl_ms) ORDER BY e.seq LIMIT ?3+0)";
const IN_BATCH: &str = "WHERE room_id=?1 AND seq>=(SELECT min(seq) FROM near) AND seq<=(SELECT max(seq) FROM
    (SELECT seq, sum(size) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM near)
    WHERE before IS NULL OR before<?5)
  ORDER BY seq LIMIT ?3+0";

/// The events after `seq` that are still shown, ascending, as many as fit a batch. Edits of what came
/// before `first_seq` show no text. A room whose log is another one by now, or that has gone to another database, has
/// none; of one that has gone only those get what was said last who had followed it until then.
///
/// # Errors
/// `Unavailable`.
pub async fn batch_after(
    database: &Database,
    key: &RowKey,
    first_seq: i64,
    seq: i64,
    had_followed: bool,
) -> Result<Batch, Error> {
    let sql = format!("{NEAR} {COLUMNS} {IN_BATCH}");
    let (rows, bytes) = (BATCH_ROWS, BATCH_BYTES as i64);
    let parameters = [
        key.id.into(),
        seq.into(),
        rows.into(),
        first_seq.into(),
        bytes.into(),
        now_ms().into(),
        key.log.into(),
        i64::from(!had_followed).into(),
    ];
    let events: Vec<_> = database.run(&sql, &parameters).await?.into_iter().map(event).collect::<Result<_, _>>()?;
    let read: usize = events.iter().map(|event| event.body.len()).sum();
    let is_last = (events.len() as i64) < BATCH_ROWS && read < BATCH_BYTES;
    Ok(Batch { events, is_last })
}

/// What is kept of a body for good: it stands in for a text that was erased.
pub(crate) fn hash(body: &str) -> [u8; 32] {
    Sha256::digest(body.as_bytes()).into()
}

fn event(mut row: Row) -> Result<Event, Error> {
    let (seq, kind) = (row.take("seq")?, row.take("kind")?);
    let client_id = uuid::Uuid::from_bytes(row.take("client_id")?).hyphenated().to_string();
    let author: Option<[u8; 16]> = row.take("author")?;
    let (target, sent_at_ms, epoch) = (row.take("target")?, row.take("sent_at_ms")?, row.take("epoch")?);
    let (appended, body): ([u8; 32], String) = (row.take("hash")?, row.take("body")?);
    let erased = (body.is_empty() && appended != hash("")).then(|| hex::encode(appended));
    Ok(Event { seq, kind, client_id, author: author.map(hex::encode), target, body, sent_at_ms, epoch, erased })
}
