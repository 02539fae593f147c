//! The tables `file` and `part`: what messages have besides their text, in parts that clients encrypted. One statement
//! settles a part, as one settles a post; what refused it is asked after.

use buddy_domain::{Access, Address, Error, FileId, RoomId, sealed_limits};
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, variables};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

use crate::access::{self, caller, had_access, is_kept, may_post, may_read, open_slot};
use crate::database::Database;
use crate::room::Room;
use crate::settle::{Attempt, Reason, may_write};
use crate::{address, refusals, slot};

/// A part to be stored.
pub struct Upload {
    pub file: FileId,
    pub part: i64,
    pub body: Vec<u8>,
}

/// A part that is stored, and where. `repeated`: it had been before.
pub struct Stored {
    pub database: Database,
    pub repeated: bool,
}

/// What is here of a file.
pub struct Here {
    /// Numbers and bytes of its parts, ascending.
    pub parts: Vec<(i64, i64)>,
    /// Of the message that it belongs to.
    pub seq: Option<i64>,
}

/// Some bytes of a part.
pub struct Bytes {
    pub body: Vec<u8>,
    /// How many the whole part has.
    pub of: i64,
}

/// The windows of the limits per address.
const PARTS_WINDOW_MS: i64 = 10_000;
const BYTES_WINDOW_MS: i64 = 3_600_000;

/// What a part counts in its room besides its bytes: the page that it may begin.
macro_rules! part_counts {
    () => {
        "4096"
    };
}

macro_rules! address_limits {
    () => {
        "CASE WHEN r.owner_hash IS ?3 THEN ?12 ELSE ?11 END"
    };
}

/// A key of the address under which no more is taken.
macro_rules! used_up {
    () => {
        "j LEFT JOIN address a ON a.address=j.key AND a.ends_at_ms>?4
      WHERE coalesce(a.count,0)+json_extract(j.value,'$[2]')>json_extract(j.value,'$[0]')"
    };
}

/// `?5` file, `?6` part, `?7` its hash, `?8` its bytes, `?9` file_max_bytes, `?10` room_max_bytes, `?11` the address's
/// limits, `?12` those of an owner's address, `?13` the database is full, `?14` the part. The view's trigger stores it.
const UPLOAD: &str = concat!(
    "INSERT INTO upload(room_id,file,part,sent_at_ms,hash,address,body)
  SELECT r.id,?5,?6,?4,?7,",
    address_limits!(),
    ",?14 FROM room r ",
    open_slot!(),
    " LEFT JOIN file f ON f.room_id=r.id AND f.file=?5
  WHERE r.room=?1 AND r.slot=?2 AND r.expires_at_ms>?4 AND ",
    may_post!(),
    " AND (r.locked=0 OR r.owner_hash=?3)
    AND (f.id IS NULL OR (f.seq IS NULL AND f.sweep_at_ms>?4
      AND NOT EXISTS(SELECT 1 FROM part p WHERE p.file_id=f.id AND p.part=?6)))
    AND coalesce(f.bytes,0)+?8<=?9 AND r.bytes+",
    part_counts!(),
    "+?8<=?10 AND ?13=0 AND NOT EXISTS(SELECT 1 FROM json_each(",
    address_limits!(),
    ") ",
    used_up!(),
    ") LIMIT 1 RETURNING part"
);

/// Why a part was refused, with all of the parameters but the last.
const WHY: &str = concat!(
    "SELECT s.state AS state, d.farewell AS farewell, r.id IS NOT NULL AS found, ",
    may_read!(),
    " AS reads, ",
    may_post!(),
    " AS posts, p.hash=?7 AS same, r.locked=1 AND r.owner_hash IS NOT ?3 AS locked, f.seq IS NOT NULL AS sent,
    coalesce(f.sweep_at_ms<=?4,0) AS over, coalesce(f.bytes,0)+?8>?9 AS large, r.bytes+",
    part_counts!(),
    "+?8>?10 AS full, (SELECT max(coalesce(a.ends_at_ms,?4+json_extract(j.value,'$[1]')))-?4 FROM json_each(",
    address_limits!(),
    ") ",
    used_up!(),
    ") AS address_waits_ms, ?13=1 AS storage_full ",
    caller!(),
    " LEFT JOIN room r ON r.room=?1 AND r.expires_at_ms>?4 AND r.deleted_at_ms=0 AND (",
    may_read!(),
    " OR ",
    had_access!(),
    ") LEFT JOIN file f ON f.room_id=r.id AND f.file=?5 LEFT JOIN part p ON p.file_id=f.id AND p.part=?6
  WHERE s.slot=?2 LIMIT 1"
);

/// The file `?3` of the room `?1` with the log `?2` is there for its readers at `?4`: until its message is there while it
/// is not swept, then as long as its message is kept.
macro_rules! readable {
    () => {
        concat!(
            "FROM room r JOIN slot s ON s.slot=r.slot AND s.state IN('open','frozen')
    JOIN file f ON f.room_id=r.id AND f.file=?3 AND coalesce(f.sweep_at_ms>?4,1)
    LEFT JOIN event e ON e.room_id=r.id AND e.seq=f.seq AND e.body<>'' AND ",
            is_kept!("e"),
            " JOIN part p ON p.file_id=f.id"
        )
    };
}
const PARTS: &str = concat!(
    "SELECT p.part AS part, length(p.body) AS bytes, f.seq AS seq ",
    readable!(),
    " WHERE r.id=?1 AND r.log=?2 AND (f.seq IS NULL OR e.seq IS NOT NULL) ORDER BY p.part LIMIT 100000"
);
/// `?5` part, `?6` the first byte (NULL: counted from the end), `?7` how many bytes.
const PART: &str = concat!(
    "SELECT length(p.body) AS whole,
    substr(p.body,1+CASE WHEN ?6 IS NULL THEN max(length(p.body)-?7,0) ELSE ?6 END,?7) AS body ",
    readable!(),
    " AND p.part=?5 WHERE r.id=?1 AND r.log=?2 AND (f.seq IS NULL OR e.seq IS NOT NULL) LIMIT 1"
);

/// Stores a part, once.
///
/// # Errors
/// Every reason to refuse it, in the order of docs/protocol.md, "Files"; `Unavailable`.
pub async fn upload(id: &RoomId, access: &Access, upload: &Upload, from: &Address) -> Result<Stored, Error> {
    let now = now_ms();
    let bytes = upload.body.len() as i64;
    let limit = variables::number("file_max_bytes").await?;
    let (most, last_part) = sealed_limits(limit);
    // No part of a file that fits has such a number; and where there are to be none, an empty one is none.
    let most = if upload.part > last_part || limit == 0 { -1 } else { most };
    let parts_limit = variables::number("file_parts_per_address_per_ten_s").await?;
    let bytes_limit = variables::number("file_bytes_per_address_per_hour").await?;
    let known = refusals::uncounted(from, now);
    let of_address = address::limits(from.limits("parts", parts_limit), known);
    let counted = |purpose: &str| {
        let parts = from.limits(&format!("parts{purpose}"), parts_limit).into_iter();
        let parts = parts.map(|(key, limit)| (key, json!([limit - known, PARTS_WINDOW_MS, 1])));
        let sizes = from.limits(&format!("file bytes{purpose}"), bytes_limit).into_iter();
        let sizes = sizes.map(|(key, limit)| (key, json!([limit, BYTES_WINDOW_MS, bytes])));
        serde_json::Value::Object(parts.chain(sizes).collect::<Map<_, _>>()).to_string()
    };
    let hash: [u8; 32] = Sha256::digest(&upload.body).into();
    let database = slot::locate(id.slot()).await?;
    let mut parameters = access::parameters(id, access, now);
    parameters.extend([
        upload.file.to_string().into(),
        upload.part.into(),
        hash.into(),
        bytes.into(),
        most.into(),
        variables::number("room_max_bytes").await?.into(),
        counted("").into(),
        counted(" as owner").into(),
        i64::from(database.is_full(upload.body.len()).await?).into(),
        Value::Blob(upload.body.clone()),
    ]);
    // The body is of no use to who asks why it was refused.
    let why_takes = parameters.len() - 1;
    let attempt =
        Attempt { what: "a part", id, from, limits: &of_address, store: UPLOAD, why: WHY, parameters, why_takes, now };
    let settled = attempt.settle(database, |_| Ok(()), reason).await?;
    Ok(Stored { database: settled.database, repeated: settled.repeated })
}

/// The reason in a row of `WHY`.
fn reason(mut row: Row) -> Result<Reason<()>, Error> {
    let Some(is_frozen) = may_write(&mut row)? else { return Ok(Reason::Elsewhere) };
    let same: Option<i64> = row.take("same")?;
    let (locked, sent, over): (bool, bool, bool) = (row.take("locked")?, row.take("sent")?, row.take("over")?);
    match same {
        Some(0) => return Err(Error::PartExists),
        Some(_) if !over => return Ok(Reason::Repeated(())),
        _ => {}
    }
    if locked {
        return Err(Error::RoomLocked);
    }
    if sent {
        return Err(Error::FileSent);
    }
    if over {
        return Err(Error::FileMissing);
    }
    if row.take("large")? {
        return Err(Error::TooLarge("a file may have file_max_bytes.".to_owned()));
    }
    if row.take("full")? {
        return Err(Error::RoomFull);
    }
    if let Some(wait_ms) = row.take::<Option<i64>>("address_waits_ms")?.filter(|wait_ms| *wait_ms > 0) {
        return Err(Error::RateLimited { retry_after_s: (wait_ms + 999) / 1000 });
    }
    if row.take("storage_full")? {
        return Err(Error::StorageFull);
    }
    Ok(Reason::of_none(is_frozen))
}

/// What is here of a file.
///
/// # Errors
/// `FileNotFound`: no part of it, or its message is no more. `Unavailable`.
pub async fn parts(room: &Room, file: &FileId) -> Result<Here, Error> {
    let mut here = Here { parts: Vec::new(), seq: None };
    for mut row in room.database.run(PARTS, &readable(room, file)).await? {
        here.parts.push((row.take("part")?, row.take("bytes")?));
        here.seq = row.take("seq")?;
    }
    if here.parts.is_empty() {
        room.need_here().await?;
        return Err(Error::FileNotFound);
    }
    Ok(here)
}

/// Some bytes of a part: `first` (`None`: counted from the end) and how many.
///
/// # Errors
/// As `parts`.
pub async fn part(room: &Room, file: &FileId, part: i64, first: Option<i64>, count: i64) -> Result<Bytes, Error> {
    let mut parameters = readable(room, file);
    parameters.extend([part.into(), first.into(), count.into()]);
    let Some(mut row) = room.database.row(PART, &parameters).await? else {
        room.need_here().await?;
        return Err(Error::FileNotFound);
    };
    Ok(Bytes { of: row.take("whole")?, body: row.take("body")? })
}

fn readable(room: &Room, file: &FileId) -> Vec<Value> {
    vec![room.key.id.into(), room.key.log.into(), file.to_string().into(), now_ms().into()]
}
