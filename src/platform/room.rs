//! The table `room`: making, reading, changing and deleting a room, and who may do what in it.

use std::collections::HashMap;

use buddy_domain::{Access, Change, CreateRoom, Error, RoomId, Secret};
use serde_json::{Map, Value as Json, json};

use crate::database::{Database, Row, Value, blob, integer, text};
use crate::{now_ms, random, settings, slot};

/// What a caller may do. Each may all that the ones before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Right {
    Read,
    Post,
    Own,
}

/// A room as its readers see it. Times are Unix milliseconds, lifetimes milliseconds.
#[derive(Clone)]
pub struct Room {
    pub database: Database,
    /// The row's key, good for this database only.
    pub id: i64,
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
    pub expires_in_ms: i64,
    pub message_ttl_ms: i64,
    pub locked: bool,
    pub about: Option<String>,
    pub log: String,
    pub first_seq: i64,
    pub last_seq: i64,
    pub last_at_ms: i64,
    pub signal_seq: i64,
    pub right: Right,
}

/// A room's row key and the sequences that somebody who follows it knows.
pub struct Known {
    pub id: i64,
    pub last_seq: i64,
    pub signal_seq: i64,
}

/// What has become of a followed room.
pub enum News {
    /// Its sequences, at least one of which is not the known one.
    Moved { last_seq: i64, signal_seq: i64 },
    /// It is no more; the reason as a stream tells it.
    Closed(&'static str),
    /// It belongs to another database now, or was deleted for good.
    Elsewhere,
}

const CREATE: &str = "INSERT INTO room(room,slot,log,created_at_ms,expires_at_ms,expires_in_ms,message_ttl_ms,
    last_at_ms,sweep_at_ms,read_hash,post_hash,owner_hash,about)
  SELECT ?1,s.slot,?2,?3,?3+?4,?4,?5,0,?3+?6,?7,?8,?9,?10 FROM slot s WHERE s.slot=?11 AND s.state='open' LIMIT 1
  ON CONFLICT(room) DO NOTHING RETURNING id";

/// Counts a caller's new room unless that would be one too many. The window begins with its first room.
const COUNT: &str = "INSERT INTO address(address,ends_at_ms,count) VALUES(?1,?2,1)
  ON CONFLICT(address) DO UPDATE SET count=CASE WHEN ends_at_ms>?4 THEN count+1 ELSE 1 END,
    ends_at_ms=CASE WHEN ends_at_ms>?4 THEN ends_at_ms ELSE excluded.ends_at_ms END
  WHERE address.ends_at_ms<=?4 OR address.count<?3 RETURNING count";
const COUNT_ENDS: &str = "SELECT ends_at_ms FROM address WHERE address=?1 LIMIT 1";

/// The room and what the caller may do in it, or only the slot's state. A room that is missing and
/// one that may not be read look the same, in work done as well. `?1` room, `?2` token, `?3` now, `?4` slot.
const READ: &str = "SELECT s.state, r.id, r.created_at_ms, r.expires_at_ms, r.expires_in_ms, r.message_ttl_ms,
    r.locked, r.about, r.log,
    coalesce((SELECT e.seq FROM event e WHERE e.room_id=r.id AND e.seq>r.floor_seq
      AND (r.message_ttl_ms=0 OR e.sent_at_ms>?3-r.message_ttl_ms) ORDER BY e.seq LIMIT 1), r.last_seq+1),
    r.last_seq, r.last_at_ms, r.signal_seq,
    CASE WHEN r.owner_hash=?2 THEN 2 WHEN r.post_hash IS NULL OR r.post_hash=?2 THEN 1 ELSE 0 END
  FROM slot s LEFT JOIN room r ON r.room=?1 AND r.deleted_at_ms=0 AND r.expires_at_ms>?3
    AND (r.read_hash IS NULL OR r.read_hash=?2 OR r.post_hash=?2 OR r.owner_hash=?2)
  WHERE s.slot=?4 AND s.state IN('open','frozen') LIMIT 1";

/// `?1` room row, `?2` now, `?3` client_id, `?4` body. The trigger on room events does what it says.
const CHANGE: &str = "INSERT INTO event(room_id,seq,kind,sent_at_ms,client_id,body)
  SELECT r.id,r.last_seq+1,'room',max(?2,r.last_at_ms),?3,?4 FROM room r
  JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE r.id=?1 AND r.deleted_at_ms=0 AND r.expires_at_ms>?2 LIMIT 1
  ON CONFLICT(room_id,client_id) DO UPDATE SET kind=kind RETURNING seq";

const DELETE: &str = "UPDATE room SET deleted_at_ms=?2, expires_at_ms=0, sweep_at_ms=?2+10000
  WHERE id=?1 AND deleted_at_ms=0
    AND EXISTS(SELECT 1 FROM slot s WHERE s.slot=room.slot AND s.state='open') RETURNING id";

/// What the hub asks of all rooms it follows at once: `?1` their row keys, each with the sum of the two
/// sequences that are known of it, as a JSON object, `?2` now. The quiet ones, nearly all, give no row.
const NEWS: &str = "SELECT j.key, s.slot IS NULL, r.last_seq, r.signal_seq, r.deleted_at_ms>0, r.expires_at_ms<=?2
  FROM json_each(?1) j LEFT JOIN room r ON r.id=CAST(j.key AS INTEGER)
    LEFT JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen')
  WHERE s.slot IS NULL OR r.last_seq+r.signal_seq<>j.value OR r.deleted_at_ms>0 OR r.expires_at_ms<=?2 LIMIT 100000";

/// The news of many rooms of one database, by row key, in one question. Rooms without any are missing.
///
/// # Errors
/// `Unavailable`.
pub async fn news(database: &Database, known: &[Known]) -> Result<HashMap<i64, News>, Error> {
    let sums: Map<_, _> =
        known.iter().map(|room| (room.id.to_string(), json!(room.last_seq + room.signal_seq))).collect();
    let rows = database.run(NEWS, &[Json::Object(sums).to_string().into(), now_ms().into()]).await?;
    let news = |row: &Row| {
        let id = text(row, 0)?.parse().ok()?;
        let news = if integer(row, 1) != 0 {
            News::Elsewhere
        } else if integer(row, 4) != 0 {
            News::Closed("deleted")
        } else if integer(row, 5) != 0 {
            News::Closed("expired")
        } else {
            News::Moved { last_seq: integer(row, 2), signal_seq: integer(row, 3) }
        };
        Some((id, news))
    };
    Ok(rows.iter().filter_map(news).collect())
}

/// Makes a room and returns it as the API shows it. `address` is the caller's, hashed.
///
/// # Errors
/// `RateLimited` over `rooms_per_address_per_hour`; `Unavailable`.
pub async fn create(wanted: CreateRoom, address: Vec<u8>) -> Result<Json, Error> {
    const HOUR_MS: i64 = 3_600_000;
    let now = now_ms();
    let id = RoomId::new(random());
    let expires_in_ms = lifetime_ms(wanted.expires_in_s).await?;
    let ttl_ms = wanted.message_ttl_s * 1000;
    let made = wanted.owner_token_hash.is_none().then(|| Secret::new(random()));
    let owner_hash =
        wanted.owner_token_hash.or_else(|| made.as_ref().map(Secret::hash)).expect("one of the two is there");
    let limit = settings::number("rooms_per_address_per_hour").await?;

    let mut database = slot::locate(id.slot()).await?;
    let counted = [address.clone().into(), (now + HOUR_MS).into(), limit.into(), now.into()];
    if limit == 0 || database.run(COUNT, &counted).await?.is_empty() {
        let ends = database.row(COUNT_ENDS, &[address.into()]).await?.and_then(|row| row.get::<i64>(0));
        let wait_ms = ends.unwrap_or(now + HOUR_MS) - now;
        return Err(Error::RateLimited { retry_after_s: wait_ms.max(0) / 1000 + 1 });
    }
    let log: [u8; 16] = random();
    let sweep_in_ms = if ttl_ms == 0 { expires_in_ms } else { expires_in_ms.min(ttl_ms) };
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
        database = slot::relocate(id.slot()).await?;
        // A repeat on a fresh connection may find the row it wrote itself.
        let again = database.run(CREATE, &parameters).await?;
        let access = Access { token: Some(owner_hash), author: None };
        if again.is_empty() && read(&id, &access).await.is_err() {
            return Err(Error::Unavailable(format!("slot {:02x} takes no rooms", id.slot())));
        }
    }
    let mut answer = json!({
        "room": id.to_string(),
        "created_at_ms": now,
        "expires_at_ms": now + expires_in_ms,
        "message_ttl_s": seconds(ttl_ms),
    });
    if let Some(token) = made {
        answer["owner_token"] = token.reveal().into();
    }
    Ok(answer)
}

/// A room that the caller may read.
///
/// # Errors
/// `RoomNotFound` where there is none or the caller may not read it; `Unavailable`.
pub async fn read(id: &RoomId, access: &Access) -> Result<Room, Error> {
    let mut database = slot::locate(id.slot()).await?;
    for attempt in 0..2 {
        let parameters = [id.bytes().into(), token(access), now_ms().into(), id.slot().into()];
        if let Some(row) = database.row(READ, &parameters).await? {
            return room(database, &row).ok_or(Error::RoomNotFound);
        }
        if attempt == 0 {
            database = slot::relocate(id.slot()).await?;
        }
    }
    Err(Error::Unavailable(format!("slot {:02x} is elsewhere", id.slot())))
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

    /// The room as the API shows it.
    pub fn to_json(&self, id: &RoomId) -> Json {
        json!({
            "room": id.to_string(),
            "created_at_ms": self.created_at_ms,
            "expires_at_ms": self.expires_at_ms,
            "message_ttl_s": seconds(self.message_ttl_ms),
            "locked": self.locked,
            "about": self.about,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
        })
    }

    /// Changes what differs, and tells the log about it. False where nothing did.
    ///
    /// # Errors
    /// `Unavailable` where the slot does not take the change.
    pub async fn change(&self, change: Change) -> Result<bool, Error> {
        let mut body = Map::new();
        if let Some(locked) = change.locked.filter(|locked| *locked != self.locked) {
            body.insert("locked".into(), locked.into());
        }
        if let Some(expires_in_s) = change.expires_in_s {
            let expires_in_ms = lifetime_ms(expires_in_s).await?;
            if expires_in_ms != self.expires_in_ms {
                body.insert("expires_in_s".into(), (expires_in_ms / 1000).into());
            }
        }
        if let Some(ttl_s) = change.message_ttl_s.filter(|ttl_s| ttl_s * 1000 != self.message_ttl_ms) {
            body.insert("message_ttl_s".into(), json!(seconds(ttl_s * 1000)));
        }
        if let Some(about) = change.about.filter(|about| *about != self.about) {
            body.insert("about".into(), json!(about));
        }
        if body.is_empty() {
            return Ok(false);
        }
        let client_id = uuid::Builder::from_random_bytes(random()).into_uuid();
        let body = Json::Object(body).to_string();
        let parameters = [self.id.into(), now_ms().into(), client_id.into_bytes().into(), body.into()];
        if self.database.run(CHANGE, &parameters).await?.is_empty() {
            return Err(Error::Unavailable("the room takes no change right now".into()));
        }
        Ok(true)
    }

    /// Makes the room unreachable; its rows go later, in batches.
    ///
    /// # Errors
    /// `Unavailable` where the slot does not take the change.
    pub async fn delete(&self) -> Result<(), Error> {
        if self.database.run(DELETE, &[self.id.into(), now_ms().into()]).await?.is_empty() {
            return Err(Error::Unavailable("the room cannot be deleted right now".into()));
        }
        Ok(())
    }
}

/// A parameter for the caller's token. No token matches no hash.
pub(crate) fn token(access: &Access) -> Value {
    access.token.map(|token| token.bytes()).into()
}

async fn lifetime_ms(seconds: Option<i64>) -> Result<i64, Error> {
    match seconds {
        Some(seconds) => Ok(seconds * 1000),
        None => Ok(settings::number("room_ttl_days").await? * 86_400_000),
    }
}

/// How the API writes a lifetime: whole seconds, or null for none.
fn seconds(milliseconds: i64) -> Option<i64> {
    (milliseconds > 0).then_some(milliseconds / 1000)
}

fn room(database: Database, row: &Row) -> Option<Room> {
    let id: i64 = row.get(1)?;
    Some(Room {
        database,
        id,
        created_at_ms: integer(row, 2),
        expires_at_ms: integer(row, 3),
        expires_in_ms: integer(row, 4),
        message_ttl_ms: integer(row, 5),
        locked: integer(row, 6) != 0,
        about: text(row, 7),
        log: hex::encode(blob(row, 8).unwrap_or_default()),
        first_seq: integer(row, 9),
        last_seq: integer(row, 10),
        last_at_ms: integer(row, 11),
        signal_seq: integer(row, 12),
        right: match integer(row, 13) {
            2 => Right::Own,
            1 => Right::Post,
            _ => Right::Read,
        },
    })
}
