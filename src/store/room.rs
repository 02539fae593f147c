//! The table `room`: making, reading, changing and deleting a room, and who may do what in it.

use std::collections::HashMap;

use buddy_domain::{Access, Address, Change, CreateRoom, Error, Founding, RoomId, Secret};
use buddy_host::sqlite::Row;
use buddy_host::{now_ms, random, variables};
use serde_json::{Map, Value as Json, json};

use crate::access::{self, caller, had_access, is_kept, may_post, may_read, open_slot};
use crate::database::Database;
use crate::{address, event, slot};

/// What a caller may do. Each may all that the ones before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Right {
    /// Holds a token of an earlier epoch, which opens nothing but the keys.
    Former,
    Read,
    Post,
    Own,
}

/// A room's row: its number, good for this database only, and its log's incarnation. Whoever remembers a
/// room beyond one request does it by both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RowKey {
    pub id: i64,
    pub log: [u8; 16],
}

/// A room as its readers see it. Times are Unix milliseconds, lifetimes milliseconds.
#[derive(Clone)]
pub struct Room {
    pub database: Database,
    pub key: RowKey,
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
    pub expires_in_ms: i64,
    pub message_ttl_ms: i64,
    pub locked: bool,
    pub about: Option<String>,
    pub first_seq: i64,
    pub last_seq: i64,
    pub last_at_ms: i64,
    pub signal_seq: i64,
    /// `None`: it has no keys.
    pub epoch: Option<i64>,
    /// The newest renewal's; 0: none.
    pub rotate_seq: i64,
    pub right: Right,
    /// The last epoch that the caller's token belonged to; 0 in a room without keys.
    pub token_epoch: i64,
}

/// A room that was just made.
pub struct Created {
    pub id: RoomId,
    /// Where the caller gave no hash of an owner's token.
    pub owner_token: Option<Secret>,
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
    pub message_ttl_ms: i64,
    /// It had been made before.
    pub repeated: bool,
}

/// A room's row and the sequences that somebody who follows it knows.
pub struct Known {
    pub key: RowKey,
    pub last_seq: i64,
    pub signal_seq: i64,
}

/// What has become of a followed room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// Its sequences, at least one of which is not the known one, and that of its newest renewal.
    Moved { last_seq: i64, signal_seq: i64, rotate_seq: i64 },
    /// It is no more; the reason as a stream tells it, and the farewell of a room with keys that was deleted.
    Closed { reason: &'static str, farewell: Option<String> },
    /// It belongs to another database now, was deleted for good, or has another log.
    Elsewhere,
}

const HOUR_MS: i64 = 3_600_000;

/// `?1` room, `?2` log, `?3` now, `?4` expires in, `?5` messages expire in, `?6` swept in, `?7` reading, `?8` posting,
/// `?9` owning, `?10` about, `?11` slot.
const CREATE: &str = "INSERT INTO room(room,slot,log,created_at_ms,expires_at_ms,expires_in_ms,message_ttl_ms,
    last_at_ms,sweep_at_ms,read_hash,post_hash,owner_hash,about)
  SELECT ?1,s.slot,?2,?3,?3+?4,?4,?5,0,?3+?6,?7,?8,?9,?10 FROM slot s WHERE s.slot=?11 AND s.state='open' LIMIT 1
  ON CONFLICT(room) DO NOTHING RETURNING id";

/// The room and what the caller may do in it, or only that the slot is here. A room that is missing and
/// one that may not be read look the same, in work done as well.
const READ: &str = concat!(
    "SELECT d.farewell AS farewell, r.id AS id, r.log AS log, r.created_at_ms AS created_at_ms,
    r.expires_at_ms AS expires_at_ms,
    r.expires_in_ms AS expires_in_ms, r.message_ttl_ms AS message_ttl_ms, r.locked AS locked, r.about AS about,
    coalesce((SELECT e.seq FROM event e WHERE e.room_id=r.id AND ",
    is_kept!("e"),
    " ORDER BY e.seq LIMIT 1), r.last_seq+1) AS first_seq,
    r.last_seq AS last_seq, r.last_at_ms AS last_at_ms, r.signal_seq AS signal_seq, r.epoch AS epoch,
    r.rotate_seq AS rotate_seq, r.owner_hash IS ?3 AS owns, ",
    may_post!(),
    " AS posts, ",
    may_read!(),
    " AS reads, k.epoch AS token_epoch ",
    caller!(),
    " LEFT JOIN room r ON r.room=?1 AND r.deleted_at_ms=0 AND r.expires_at_ms>?4 AND (",
    may_read!(),
    " OR ",
    had_access!(),
    ") WHERE s.slot=?2 AND s.state IN('open','frozen') LIMIT 1"
);

/// The caller's changes of the last 10 s: a window that the owner alone fills.
macro_rules! recent_changes {
    () => {
        "FROM event e WHERE e.room_id=r.id AND e.seq>r.last_seq-1000 AND e.sent_at_ms>?4-10000 AND e.kind='room'"
    };
}

/// `?5` client_id, `?6` body, `?7` its hash, `?8` room_max_bytes, `?9` per room. The trigger on room events does what
/// it says. A repeat on a fresh connection finds the row that it wrote itself.
const CHANGE: &str = concat!(
    "INSERT INTO event(room_id,seq,kind,sent_at_ms,client_id,hash,body)
  SELECT r.id,r.last_seq+1,'room',max(?4,r.last_at_ms),?5,?7,?6 FROM room r ",
    open_slot!(),
    " WHERE r.room=?1 AND r.slot=?2 AND r.owner_hash=?3 AND r.deleted_at_ms=0 AND r.expires_at_ms>?4
    AND (EXISTS(SELECT 1 FROM event o WHERE o.room_id=r.id AND o.client_id=?5)
      OR (r.bytes+256+length(CAST(?6 AS BLOB))<=?8 AND (SELECT count(*) ",
    recent_changes!(),
    ") < ?9)) LIMIT 1
  ON CONFLICT(room_id,client_id) DO UPDATE SET kind=kind RETURNING seq"
);

/// What stands against a change, with the same parameters.
const CHANGE_REFUSED: &str = concat!(
    "SELECT r.bytes+256+length(CAST(?6 AS BLOB))>?8 AS full,
    (SELECT e.sent_at_ms+10000-?4 ",
    recent_changes!(),
    " ORDER BY e.seq DESC LIMIT 1 OFFSET max(?9-1,0)) AS waits_ms, ?5 IS NULL OR ?7 IS NULL AS unused
  FROM room r WHERE r.room=?1 AND r.slot=?2 AND r.owner_hash=?3 LIMIT 1"
);

/// What stands where a room with keys is to be made. `?5` its request's fingerprint.
const STANDING: &str = concat!(
    "SELECT r.created_at_ms AS created_at_ms, r.fingerprint=?5 AS same,
    r.deleted_at_ms>0 OR r.expires_at_ms<=?4 OR EXISTS(SELECT 1 FROM tombstone g WHERE g.room=?1) AS gone,
    d.farewell AS farewell ",
    caller!(),
    " LEFT JOIN room r ON r.room=?1 WHERE s.slot=?2 AND s.state IN('open','frozen') LIMIT 1"
);

/// `?1` room, `?2` slot, `?3` log, `?4` now, `?5` fingerprint, `?6` expires in, `?7` messages expire in, `?8` swept in,
/// `?9` owning, `?10` reading, `?11` posting, `?12` public, `?13` signature, `?14` private part, `?15` link, `?16` its token,
/// `?17` its fingerprint, `?18` sealed, `?19` note.
const FOUND: &str =
    "INSERT INTO founding(room,slot,log,created_at_ms,expires_in_ms,message_ttl_ms,sweep_at_ms,fingerprint,
    owner_hash,read_hash,post_hash,public,signature,private,link,link_hash,link_fingerprint,sealed,note)
  SELECT ?1,s.slot,?3,?4,?6,?7,?4+?8,?5,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19
  FROM slot s WHERE s.slot=?2 AND s.state='open' AND NOT EXISTS(SELECT 1 FROM room r WHERE r.room=?1)
    AND NOT EXISTS(SELECT 1 FROM tombstone d WHERE d.room=?1)
  LIMIT 1 RETURNING created_at_ms";

/// `?5` the farewell of a room with keys.
const DELETE: &str = "UPDATE room SET farewell=?5, deleted_at_ms=?4, expires_at_ms=0, sweep_at_ms=?4+10000
  WHERE room=?1 AND slot=?2 AND owner_hash=?3 AND deleted_at_ms=0
    AND EXISTS(SELECT 1 FROM slot s WHERE s.slot=room.slot AND s.state='open') RETURNING id";

/// What the hub asks of all rooms it follows at once: `?1` their row numbers, each with the sum of the two
/// sequences that are known of it, as a JSON object, `?2` now. The quiet ones, nearly all, give no row.
const NEWS: &str = "SELECT CAST(j.key AS INTEGER) AS id, r.log AS log, s.slot IS NULL AS elsewhere,
    r.deleted_at_ms>0 AS deleted, r.expires_at_ms<=?2 AS expired, r.farewell AS farewell, r.last_seq AS last_seq,
    r.signal_seq AS signal_seq, r.rotate_seq AS rotate_seq
  FROM json_each(?1) j LEFT JOIN room r ON r.id=CAST(j.key AS INTEGER)
    LEFT JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen')
  WHERE s.slot IS NULL OR r.last_seq+r.signal_seq<>j.value OR r.deleted_at_ms>0 OR r.expires_at_ms<=?2 LIMIT 100000";

/// The news of many rooms of one database, by row number, in one question. Rooms without any are missing.
///
/// # Errors
/// `Unavailable`.
pub async fn news(database: &Database, known: &[Known]) -> Result<HashMap<i64, News>, Error> {
    let sums: Map<_, _> =
        known.iter().map(|room| (room.key.id.to_string(), json!(room.last_seq + room.signal_seq))).collect();
    let logs: HashMap<_, _> = known.iter().map(|room| (room.key.id, room.key.log)).collect();
    let rows = database.run(NEWS, &[Json::Object(sums).to_string().into(), now_ms().into()]).await?;
    rows.into_iter().map(|row| news_of(row, &logs)).collect()
}

fn news_of(mut row: Row, logs: &HashMap<i64, [u8; 16]>) -> Result<(i64, News), Error> {
    let id = row.take("id")?;
    let log: Option<[u8; 16]> = row.take("log")?;
    if row.take("elsewhere")? || logs.get(&id) != log.as_ref() {
        return Ok((id, News::Elsewhere));
    }
    let news = match (row.take("deleted")?, row.take("expired")?) {
        (true, _) => News::Closed { reason: "deleted", farewell: row.take("farewell")? },
        (_, true) => News::Closed { reason: "expired", farewell: None },
        _ => {
            let _none: Option<String> = row.take("farewell")?;
            News::Moved {
                last_seq: row.take("last_seq")?,
                signal_seq: row.take("signal_seq")?,
                rotate_seq: row.take("rotate_seq")?,
            }
        }
    };
    Ok((id, news))
}

/// Makes a room.
///
/// # Errors
/// `RateLimited` over `rooms_per_address_per_hour`; `Unavailable`.
pub async fn create(wanted: CreateRoom, address: &Address) -> Result<Created, Error> {
    let now = now_ms();
    let id = RoomId::new(random());
    let expires_in_ms = lifetime_ms(wanted.expires_in_s).await?;
    let ttl_ms = wanted.message_ttl_s * 1000;
    let owner_token = wanted.owner_token_hash.is_none().then(|| Secret::new(random()));
    let owner_hash =
        wanted.owner_token_hash.or_else(|| owner_token.as_ref().map(Secret::hash)).expect("one of the two is there");
    let database = slot::locate(id.slot()).await?;
    count(&database, address, now).await?;
    let log: [u8; 16] = random();
    // Rows younger than 10 s stay in any case.
    let sweep_in_ms = expires_in_ms.max(10_000);
    let parameters = [
        id.bytes().into(),
        log.into(),
        now.into(),
        expires_in_ms.into(),
        ttl_ms.into(),
        sweep_in_ms.into(),
        wanted.read_token_hash.map(|hash| hash.bytes()).into(),
        wanted.post_token_hash.map(|hash| hash.bytes()).into(),
        owner_hash.bytes().into(),
        wanted.about.into(),
        id.slot().into(),
    ];
    if database.run(CREATE, &parameters).await?.is_empty() {
        let database = slot::relocate(id.slot()).await?;
        // A repeat on a fresh connection may find the row it wrote itself.
        let again = database.run(CREATE, &parameters).await?;
        let access = Access { token: Some(owner_hash), author: None };
        if again.is_empty() && read(&id, &access).await.is_err() {
            return Err(Error::Unavailable(format!("slot {:02x} takes no rooms", id.slot())));
        }
    }
    Ok(Created {
        id,
        owner_token,
        created_at_ms: now,
        expires_at_ms: now + expires_in_ms,
        message_ttl_ms: ttl_ms,
        repeated: false,
    })
}

/// Counts one more room of the address, where the database has a place for it.
async fn count(database: &Database, address: &Address, now: i64) -> Result<(), Error> {
    let limit = variables::number("rooms_per_address_per_hour").await?;
    if limit == 0 {
        return Err(Error::RateLimited { retry_after_s: HOUR_MS / 1000 });
    }
    if database.is_full(0).await? {
        return Err(Error::StorageFull);
    }
    let limits = address::limits(address.limits("rooms", limit), 0);
    address::count(database, &limits, 1, HOUR_MS, now).await
}

/// Makes a room with keys, once. `address` is the caller's, hashed; only what makes a room is counted.
///
/// # Errors
/// `RoomExists` where it was made otherwise; `RoomGone`, with its farewell for whoever shows a token it had;
/// `RateLimited` over `rooms_per_address_per_hour`; `Unavailable`.
pub async fn found(founding: &Founding, access: &Access, address: &Address) -> Result<Created, Error> {
    let part = &founding.rotation.part;
    let (id, link) = (part.room, &founding.link);
    let (expires_in_ms, ttl_ms) = (founding.expires_in_s * 1000, founding.message_ttl_s * 1000);
    let created = |created_at_ms, repeated| Created {
        id,
        owner_token: None,
        created_at_ms,
        expires_at_ms: created_at_ms + expires_in_ms,
        message_ttl_ms: ttl_ms,
        repeated,
    };
    let mut database = slot::locate(id.slot()).await?;
    let mut is_counted = false;
    for _ in 0..3 {
        let now = now_ms();
        let mut parameters = access::parameters(&id, access, now);
        parameters.push(founding.fingerprint.into());
        let Some(row) = database.row(STANDING, &parameters).await? else {
            database = slot::relocate(id.slot()).await?;
            continue;
        };
        if let Some(created_at_ms) = standing(row)? {
            return Ok(created(created_at_ms, true));
        }
        if !is_counted {
            count(&database, address, now).await?;
            is_counted = true;
        }
        parameters[2] = random::<16>().into();
        parameters.extend([
            expires_in_ms.into(),
            ttl_ms.into(),
            expires_in_ms.max(10_000).into(),
            part.owner_token_hash.bytes().into(),
            part.read_token_hash.bytes().into(),
            part.post_token_hash.bytes().into(),
            founding.rotation.public.as_str().into(),
            founding.rotation.signature.as_str().into(),
            founding.rotation.private.as_str().into(),
            link.id.bytes().into(),
            link.token_hash.bytes().into(),
            link.fingerprint.into(),
            link.sealed.as_str().into(),
            link.note.as_str().into(),
        ]);
        if database.row(FOUND, &parameters).await?.is_some() {
            return Ok(created(now, false));
        }
    }
    Err(Error::Unavailable(format!("room {}: it was not made for no reason that lasts", id.short())))
}

/// What a row of `STANDING` says: nothing, when this very room was made, or why it cannot be.
fn standing(mut row: Row) -> Result<Option<i64>, Error> {
    let (created_at_ms, same, gone): (Option<i64>, bool, bool) =
        (row.take("created_at_ms")?, row.take("same")?, row.take("gone")?);
    if gone {
        return Err(Error::RoomGone { farewell: row.take("farewell")? });
    }
    match created_at_ms {
        Some(_) if !same => Err(Error::RoomExists),
        standing => Ok(standing),
    }
}

/// A room that the caller may read.
///
/// # Errors
/// `RoomNotFound` where there is none or the caller may not read it; `RoomGone` and `Renewed` for whoever could read it
/// once; `Unavailable`.
pub async fn read(id: &RoomId, access: &Access) -> Result<Room, Error> {
    let room = read_by_any(id, access).await?;
    if room.right == Right::Former { Err(Error::Renewed) } else { Ok(room) }
}

/// A room that the caller may read, or could read before its keys were renewed.
///
/// # Errors
/// As `read`, without `Renewed`.
pub async fn read_by_any(id: &RoomId, access: &Access) -> Result<Room, Error> {
    let mut database = slot::locate(id.slot()).await?;
    for attempt in 0..2 {
        let parameters = access::parameters(id, access, now_ms());
        if let Some(row) = database.row(READ, &parameters).await? {
            return room(database, row);
        }
        if attempt == 0 {
            database = slot::relocate(id.slot()).await?;
        }
    }
    Err(Error::Unavailable(format!("slot {:02x} is elsewhere", id.slot())))
}

const IS_HERE: &str = "SELECT 1 AS here FROM room r JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen')
  WHERE r.id=?1 AND r.log=?2 LIMIT 1";

/// Whether a room is still in this database. What was read by its number before that is whole.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn is_here(database: &Database, key: &RowKey) -> Result<bool, Error> {
    Ok(database.row(IS_HERE, &[key.id.into(), key.log.into()]).await?.is_some())
}

const FOUND_AGAIN: &str = "SELECT r.id AS id FROM room r JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen')
  WHERE r.room=?1 AND r.log=?2 LIMIT 1";

/// Where a room is that its slot took to another database, and its row there. `None`: it is no more.
///
/// # Errors
/// `Unavailable`, also while the slot is on its way.
pub async fn find_again(id: &RoomId, log: [u8; 16]) -> Result<Option<(Database, RowKey)>, Error> {
    let database = slot::relocate(id.slot()).await?;
    let row = database.row(FOUND_AGAIN, &[id.bytes().into(), log.into()]).await?;
    let id = row.map(|mut row| row.take("id")).transpose()?;
    Ok(id.map(|id| (database, RowKey { id, log })))
}

/// Changes what differs, and tells the log about it. False where nothing did.
///
/// # Errors
/// `TooLarge` where what the log is told is longer than a message may be, `RoomFull`, `RateLimited` over
/// `changes_per_room_per_ten_s`; `Unavailable` where the slot does not take the change.
pub async fn change(room: &Room, id: &RoomId, access: &Access, change: Change) -> Result<bool, Error> {
    let mut body = Map::new();
    if let Some(locked) = change.locked.filter(|locked| *locked != room.locked) {
        body.insert("locked".into(), locked.into());
    }
    if let Some(expires_in_s) = change.expires_in_s {
        let expires_in_ms = lifetime_ms(expires_in_s).await?;
        if expires_in_ms != room.expires_in_ms {
            body.insert("expires_in_s".into(), (expires_in_ms / 1000).into());
        }
    }
    if let Some(ttl_s) = change.message_ttl_s.filter(|ttl_s| ttl_s * 1000 != room.message_ttl_ms) {
        body.insert("message_ttl_s".into(), json!((ttl_s > 0).then_some(ttl_s)));
    }
    if let Some(about) = change.about.filter(|about| *about != room.about) {
        body.insert("about".into(), json!(about));
    }
    if body.is_empty() {
        return Ok(false);
    }
    let client_id = uuid::Builder::from_random_bytes(random()).into_uuid();
    let says_about = body.contains_key("about");
    let body = Json::Object(body).to_string();
    let most = variables::number("max_body_bytes").await?;
    if body.len() as i64 > most {
        return Err(Error::TooLarge(format!("what a change says may have {most} bytes of JSON.")));
    }
    let limit = variables::number("changes_per_room_per_ten_s").await?;
    let mut parameters = access::parameters(id, access, now_ms());
    let hash = event::hash(&body);
    parameters.extend([client_id.into_bytes().into(), body.into(), hash.into()]);
    // A full room can still be locked and given other lifetimes, so often that it does not grow without end.
    let spare = if says_about { 0 } else { 4096 };
    parameters.extend([(variables::number("room_max_bytes").await?.saturating_add(spare)).into(), limit.into()]);
    if !room.database.run(CHANGE, &parameters).await?.is_empty() {
        return Ok(true);
    }
    if let Some(mut row) = room.database.row(CHANGE_REFUSED, &parameters).await? {
        if row.take("full")? {
            return Err(Error::RoomFull);
        }
        if let Some(wait_ms) = row.take::<Option<i64>>("waits_ms")? {
            return Err(Error::RateLimited { retry_after_s: (wait_ms + 999).max(1000) / 1000 });
        }
    }
    Err(Error::Unavailable(format!("room {} takes no change right now", id.short())))
}

/// Makes the room unreachable; its rows go later, in batches.
///
/// # Errors
/// `Unavailable` where the slot does not take the change.
pub async fn delete(room: &Room, id: &RoomId, access: &Access, farewell: Option<&str>) -> Result<(), Error> {
    let mut parameters = access::parameters(id, access, now_ms());
    parameters.push(farewell.into());
    if room.database.run(DELETE, &parameters).await?.is_empty() {
        return Err(Error::Unavailable(format!("room {} cannot be deleted right now", id.short())));
    }
    Ok(())
}

impl Room {
    /// # Errors
    /// `NotAllowed` where the caller may read, but not do this.
    pub fn need(&self, right: Right) -> Result<(), Error> {
        if self.right >= right {
            return Ok(());
        }
        Err(Error::NotAllowed(match right {
            Right::Own => "Only the room's owner can do this.",
            _ => "This token may read the room, not write to it.",
        }))
    }

    /// The epoch of a room with keys.
    ///
    /// # Errors
    /// `InvalidRequest` for a plain room.
    pub fn need_keys(&self) -> Result<i64, Error> {
        self.epoch.ok_or_else(|| Error::invalid("This room has no keys."))
    }

    /// Whether what names this epoch (`None`: none) belongs into the room now.
    ///
    /// # Errors
    /// `InvalidRequest` where an epoch is missing or has no use; `StaleEpoch`.
    pub fn need_epoch(&self, epoch: Option<i64>) -> Result<(), Error> {
        fits(self.epoch.is_some(), epoch)?;
        if self.epoch == epoch { Ok(()) } else { Err(Error::StaleEpoch) }
    }

    /// Sees to it that what was read by the room's number is whole: that its slot was here all the time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn need_here(&self) -> Result<(), Error> {
        if is_here(&self.database, &self.key).await? {
            return Ok(());
        }
        Err(Error::Unavailable("a slot went to another database while one of its rooms was read".to_owned()))
    }

    /// The log's incarnation as streams name it.
    pub fn log(&self) -> String {
        hex::encode(self.key.log)
    }
}

/// Whether an epoch is named exactly where the room has keys.
pub(crate) fn fits(has_keys: bool, epoch: Option<i64>) -> Result<(), Error> {
    match (has_keys, epoch) {
        (true, None) => Err(Error::invalid("In a room with keys, name the epoch.")),
        (false, Some(_)) => Err(Error::invalid("This room has no keys, so there is no epoch.")),
        _ => Ok(()),
    }
}

pub(crate) async fn lifetime_ms(seconds: Option<i64>) -> Result<i64, Error> {
    match seconds {
        Some(seconds) => Ok(seconds * 1000),
        None => Ok(variables::number("room_ttl_days").await? * 86_400_000),
    }
}

fn room(database: Database, mut row: Row) -> Result<Room, Error> {
    let farewell = row.take("farewell")?;
    let Some(id) = row.take("id")? else { return Err(missing(farewell)) };
    Ok(Room {
        database,
        key: RowKey { id, log: row.take("log")? },
        created_at_ms: row.take("created_at_ms")?,
        expires_at_ms: row.take("expires_at_ms")?,
        expires_in_ms: row.take("expires_in_ms")?,
        message_ttl_ms: row.take("message_ttl_ms")?,
        locked: row.take("locked")?,
        about: row.take("about")?,
        first_seq: row.take("first_seq")?,
        last_seq: row.take("last_seq")?,
        last_at_ms: row.take("last_at_ms")?,
        signal_seq: row.take("signal_seq")?,
        epoch: row.take("epoch")?,
        rotate_seq: row.take("rotate_seq")?,
        right: match (row.take("owns")?, row.take("posts")?, row.take("reads")?) {
            (true, _, _) => Right::Own,
            (_, true, _) => Right::Post,
            (_, _, true) => Right::Read,
            _ => Right::Former,
        },
        token_epoch: row.take::<Option<i64>>("token_epoch")?.unwrap_or(0),
    })
}

/// The error for a room that the caller does not find: gone for whoever shows a token it had, and so its farewell.
pub(crate) fn missing(farewell: Option<String>) -> Error {
    if farewell.is_some() { Error::RoomGone { farewell } } else { Error::RoomNotFound }
}
