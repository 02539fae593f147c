//! Deleting what has expired: a little at a time, by whatever request comes along. What has
//! expired is never shown, swept yet or not; here its rows go, and their pages are given back.

use std::cell::Cell;
use std::time::Duration;

use buddy_domain::Error;

use buddy_host::{log, now_ms, random, sleep, spawn};

use crate::database::Database;
use crate::tombstone;

/// At most once in this time, an instance sweeps.
const PAUSE_MS: i64 = 1000;

thread_local! {
    static SWEPT_AT_MS: Cell<i64> = const { Cell::new(0) };
}

const DUE: &str =
    "SELECT r.id AS id, r.deleted_at_ms>0 OR r.expires_at_ms<=?1 AS over, r.message_ttl_ms AS message_ttl_ms,
    max(r.deleted_at_ms,r.last_at_ms,r.created_at_ms) AS touched_at_ms FROM room r
  JOIN slot s ON s.slot=r.slot AND s.state='open' WHERE r.sweep_at_ms<=?1 ORDER BY r.sweep_at_ms LIMIT 8";
const RAISE_FLOOR: &str = "UPDATE room SET floor_seq=max(floor_seq, coalesce((SELECT e.seq-1 FROM event e
    WHERE e.room_id=room.id AND e.seq>room.floor_seq AND e.sent_at_ms>?2-room.message_ttl_ms
    ORDER BY e.seq LIMIT 1), last_seq)) WHERE id=?1 AND message_ttl_ms>0
  AND EXISTS(SELECT 1 FROM slot s WHERE s.slot=room.slot AND s.state='open')";
/// Rooms of which nothing is left but their row go together, so that many of them keep nobody else waiting.
const DELETE_EMPTY_ROOMS: &str = "DELETE FROM room WHERE id IN(SELECT r.id FROM room r
    JOIN slot s ON s.slot=r.slot AND s.state='open'
    WHERE r.sweep_at_ms<=?1 AND (r.deleted_at_ms>0 OR r.expires_at_ms<=?1) AND r.epoch IS NULL
      AND max(r.deleted_at_ms,r.last_at_ms,r.created_at_ms)<=?1-10000
      AND NOT EXISTS(SELECT 1 FROM event e WHERE e.room_id=r.id)
      AND NOT EXISTS(SELECT 1 FROM file f WHERE f.room_id=r.id)
      AND NOT EXISTS(SELECT 1 FROM registration g WHERE g.room_id=r.id) LIMIT 200)";
/// Rows younger than 10 s stay, so that streams see what became of them.
const DELETE_EVENTS: &str = "DELETE FROM event WHERE pos IN(SELECT e.pos FROM event e JOIN room r ON r.id=e.room_id
    JOIN slot s ON s.slot=r.slot AND s.state='open'
    WHERE e.room_id=?1 AND e.sent_at_ms<=?2-10000
      AND (e.seq<=r.floor_seq OR r.deleted_at_ms>0 OR r.expires_at_ms<=?2) ORDER BY e.seq LIMIT 200) RETURNING pos";
const DELETE_ROOM: &str = "DELETE FROM room WHERE id=?1 AND (deleted_at_ms>0 OR expires_at_ms<=?2)
  AND max(deleted_at_ms,last_at_ms,created_at_ms)<=?2-10000 AND NOT EXISTS(SELECT 1 FROM event e WHERE e.room_id=?1)
  AND EXISTS(SELECT 1 FROM slot s WHERE s.slot=room.slot AND s.state='open') RETURNING id";
const DELETE_ROOM_SIGNALS: &str =
    "DELETE FROM signal WHERE rowid IN(SELECT rowid FROM signal WHERE room_id=?1 LIMIT 200)";
/// What else a room has, a table a statement.
const DELETE_REST: [&str; 7] = [
    "DELETE FROM part WHERE id IN(SELECT p.id FROM file f JOIN part p ON p.file_id=f.id WHERE f.room_id=?1 LIMIT 16)
      RETURNING id",
    "DELETE FROM file WHERE id IN(SELECT id FROM file WHERE room_id=?1 LIMIT 200) RETURNING id",
    "DELETE FROM rotation WHERE id IN(SELECT id FROM rotation WHERE room_id=?1 LIMIT 200) RETURNING id",
    "DELETE FROM \"grant\" WHERE id IN(SELECT id FROM \"grant\" WHERE room_id=?1 LIMIT 200) RETURNING id",
    "DELETE FROM card WHERE id IN(SELECT id FROM card WHERE room_id=?1 LIMIT 200) RETURNING id",
    "DELETE FROM link WHERE id IN(SELECT id FROM link WHERE room_id=?1 LIMIT 200) RETURNING id",
    "DELETE FROM registration WHERE id IN(SELECT id FROM registration WHERE room_id=?1 LIMIT 200) RETURNING id",
];
/// Files without a message, and those whose message is no more. A batch is 4 MiB at the most.
const DELETE_PARTS: &str = "DELETE FROM part WHERE id IN(SELECT p.id FROM file f JOIN room r ON r.id=f.room_id
    JOIN slot s ON s.slot=r.slot AND s.state='open' JOIN part p ON p.file_id=f.id WHERE f.sweep_at_ms<=?1 LIMIT 16)";
const DELETE_FILES: &str = "DELETE FROM file WHERE id IN(SELECT f.id FROM file f JOIN room r ON r.id=f.room_id
    JOIN slot s ON s.slot=r.slot AND s.state='open' WHERE f.sweep_at_ms<=?1
      AND NOT EXISTS(SELECT 1 FROM part p WHERE p.file_id=f.id) LIMIT 200)";
macro_rules! a_file_is_due {
    () => {
        "EXISTS(SELECT 1 FROM file f JOIN room r ON r.id=f.room_id JOIN slot s ON s.slot=r.slot AND s.state='open'
    WHERE f.sweep_at_ms<=?1)"
    };
}
const FILES_ARE_DUE: &str = concat!("SELECT ", a_file_is_due!(), " AS is_due LIMIT 1");
/// Who opened links that are no more, one link at a time.
const ENDED_LINK: &str = "SELECT min(link_id) AS link_id FROM ended_link LIMIT 1";
const DELETE_OPENINGS: &str =
    "DELETE FROM opening WHERE id IN(SELECT o.id FROM opening o WHERE o.link_id=?1 LIMIT 200)";
const DELETE_ENDED_LINK: &str =
    "DELETE FROM ended_link WHERE link_id=?1 AND NOT EXISTS(SELECT 1 FROM opening o WHERE o.link_id=?1)";
/// Due again when the room expires, or the oldest event that is left of one whose messages expire; `?3` at the soonest.
/// A room without events is due when it expires: its first event makes it due sooner.
const NEXT: &str = "UPDATE room SET sweep_at_ms=max(?3,min(expires_at_ms,coalesce(
    (SELECT e.sent_at_ms+max(room.message_ttl_ms,10000) FROM event e WHERE e.room_id=room.id AND room.message_ttl_ms>0
      ORDER BY e.seq LIMIT 1),expires_at_ms)))
  WHERE id=?1 AND sweep_at_ms<=?2
    AND EXISTS(SELECT 1 FROM slot s WHERE s.slot=room.slot AND s.state='open')";
const DELETE_SIGNALS: &str =
    "DELETE FROM signal WHERE rowid IN(SELECT rowid FROM signal WHERE expires_at_ms<=?1 LIMIT 200)";
const DELETE_COUNTS: &str =
    "DELETE FROM address WHERE rowid IN(SELECT rowid FROM address WHERE ends_at_ms<=?1 LIMIT 200)";
/// Whether there is anything to do at all: nearly always there is not, and what deletes nothing would still take
/// the write lock.
const IS_DUE: &str = concat!(
    "SELECT EXISTS(SELECT 1 FROM room r JOIN slot s ON s.slot=r.slot AND s.state='open'
    WHERE r.sweep_at_ms<=?1)
  OR EXISTS(SELECT 1 FROM signal WHERE expires_at_ms<=?1)
  OR EXISTS(SELECT 1 FROM address WHERE ends_at_ms<=?1)
  OR ",
    a_file_is_due!(),
    " OR EXISTS(SELECT 1 FROM ended_link) OR EXISTS(SELECT 1 FROM tombstone WHERE gone_at_ms<=?2) AS is_due LIMIT 1"
);
const FREE_PAGES: &str = "PRAGMA freelist_count";
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(200)";
/// So many pages at a time.
const GIVEN_BACK: i64 = 200;

/// Sweeps a database beside the request, if this instance has not just done so.
pub fn later(database: &Database) {
    let now = now_ms();
    if now - SWEPT_AT_MS.get() < PAUSE_MS {
        return;
    }
    SWEPT_AT_MS.set(now);
    let database = database.clone();
    spawn(async move {
        // Instances that begin at once, as after a restart, have more urgent things to do, and need not meet.
        sleep(Duration::from_millis(u64::from(random::<1>()[0]) * 2)).await;
        // The next request tries again; what has expired is hidden all the same.
        if let Err(Error::Unavailable(cause)) = sweep(&database, now).await {
            log(format_args!("sweeping: {cause}"));
        }
    });
}

/// Deletes all that has expired, as far as there is time until `deadline_ms`. False: there was not enough.
///
/// # Errors
/// `Unavailable`.
pub async fn all(database: &Database, deadline_ms: i64) -> Result<bool, Error> {
    while is_due(database, now_ms()).await? {
        if now_ms() >= deadline_ms {
            return Ok(false);
        }
        delete(database, now_ms(), 0).await?;
    }
    while give_back(database).await? {
        if now_ms() >= deadline_ms {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_due(database: &Database, now: i64) -> Result<bool, Error> {
    let due = database.row(IS_DUE, &[now.into(), tombstone::gone_at_ms(now).await?.into()]).await?;
    due.map_or(Ok(false), |mut row| row.take("is_due"))
}

async fn sweep(database: &Database, now: i64) -> Result<(), Error> {
    if is_due(database, now).await? {
        delete(database, now, PAUSE_MS).await?;
    }
    give_back(database).await.map(drop)
}

/// Shrinks the file by some of the pages that nothing uses any more. True: there are more.
async fn give_back(database: &Database) -> Result<bool, Error> {
    // A server's client refuses both, and a connection that refused something is given up.
    if database.is_server() {
        return Ok(false);
    }
    let free = database.row(FREE_PAGES, &[]).await?;
    let free = free.map_or(Ok(0), |mut row| row.take::<i64>("freelist_count"))?;
    if free > 0 {
        database.run(GIVE_BACK, &[]).await?;
    }
    Ok(free > GIVEN_BACK)
}

/// One batch. What is left of a room is due again after `pause_ms`.
async fn delete(database: &Database, now: i64, pause_ms: i64) -> Result<(), Error> {
    let mut left = 200;
    database.run(DELETE_EMPTY_ROOMS, &[now.into()]).await?;
    for mut row in database.run(DUE, &[now.into()]).await? {
        let (id, over, ttl_ms): (i64, bool, i64) = (row.take("id")?, row.take("over")?, row.take("message_ttl_ms")?);
        let touched_at_ms: i64 = row.take("touched_at_ms")?;
        if ttl_ms > 0 {
            database.run(RAISE_FLOOR, &[id.into(), now.into()]).await?;
        }
        let deleted = if over || ttl_ms > 0 {
            i64::try_from(database.run(DELETE_EVENTS, &[id.into(), now.into()]).await?.len()).unwrap_or(left)
        } else {
            0
        };
        left -= deleted;
        if over {
            database.run(DELETE_ROOM_SIGNALS, &[id.into()]).await?;
            if delete_rest(database, id, deleted).await?
                && !database.run(DELETE_ROOM, &[id.into(), now.into()]).await?.is_empty()
            {
                continue;
            }
        }
        let soonest = (now + pause_ms).max(if over { touched_at_ms + 10_000 } else { 0 });
        database.run(NEXT, &[id.into(), now.into(), soonest.into()]).await?;
        if left <= 0 {
            break;
        }
    }
    if database.row(FILES_ARE_DUE, &[now.into()]).await?.map_or(Ok(false), |mut row| row.take("is_due"))? {
        database.run(DELETE_PARTS, &[now.into()]).await?;
        database.run(DELETE_FILES, &[now.into()]).await?;
    }
    database.run(DELETE_SIGNALS, &[now.into()]).await?;
    database.run(DELETE_COUNTS, &[now.into()]).await?;
    let ended: Option<i64> = database.row(ENDED_LINK, &[]).await?.map_or(Ok(None), |mut row| row.take("link_id"))?;
    if let Some(link) = ended {
        database.run(DELETE_OPENINGS, &[link.into()]).await?;
        database.run(DELETE_ENDED_LINK, &[link.into()]).await?;
    }
    tombstone::delete(database, now).await?;
    Ok(())
}

/// Deletes what a dead room has besides its log, once that is empty. False: there may be more.
async fn delete_rest(database: &Database, room_id: i64, events_deleted: i64) -> Result<bool, Error> {
    if events_deleted > 0 {
        return Ok(false);
    }
    for statement in DELETE_REST {
        if !database.run(statement, &[room_id.into()]).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
