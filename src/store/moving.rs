//! Moves a slot with all of its rooms from one database to another, a little with each call, so that no request lasts.
//!
//! Each step is one conditional statement or a copy that can be repeated; whoever is killed between two of them is
//! followed by the next call. `A` is where the slot is open, `B` where it goes:
//!
//! 1. at B what an earlier stay left goes; then B is `arriving`, of a higher epoch than A;
//! 2. while A stays open it notes which rooms change (the tables `departure` and `touched`); all are copied in the
//!    order of their ids, and then those that changed, until that takes no time;
//! 3. A is `frozen`;
//! 4. those that changed last are copied, and what A no longer has goes at B;
//! 5. B is `open`: from here on it is the owner;
//! 6. A is `gone`; 7. key-value says so; 8. A's rows go in batches.
//!
//! Should step 4 take too long, B gets a still higher epoch, so that nobody can open it who believed A frozen, and
//! A is opened again. What writes to B names its epoch.

use std::collections::{HashMap, HashSet};

use buddy_domain::Error;
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, random};

use crate::database::Database;
use crate::slot::{self, Ownership};

/// How long a call works before it says how far it has come.
const CALL_MS: i64 = 2000;
/// How long a slot may be frozen. Writers are told to come back in a second.
const FROZEN_MS: i64 = 700;
/// A slot is frozen once what changed lately was copied as quickly as this.
const QUICK_MS: i64 = 200;
/// Rows at a time: of those that may be large, and of those that are small.
const LARGE_ROWS: i64 = 100;
const ROWS: i64 = 200;
/// Rooms that are compared at once, unless so many openings of links, parts of files and registrations belong to fewer.
const ROOMS: usize = 200;
const OPENINGS: i64 = 20_000;
/// Parts of files at a time, each of which has 256 KiB.
const PARTS: usize = 8;
/// More rows of one table than this are not compared. The limits of a room leave it far below.
const MOST_ROWS: usize = 200_000;
/// Rooms that changed, at a time.
const TOUCHED: usize = 1000;

/// How far a move has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress {
    /// `clearing`, `copying`, `cleaning`, or `open` once all is done.
    pub state: &'static str,
    pub rooms: i64,
    pub rooms_copied: i64,
}

/// A table whose rows are few or change: it is compared, and only what differs is written.
struct Compared {
    name: &'static str,
    /// Selects the rows of the rooms from `?1` on and below `?2`: first the columns that name a row, then all.
    rows: &'static str,
    /// How many columns name a row.
    key: usize,
    /// The row numbers that a database gives out itself, by the column and what finds it from the key (`v.column1` …).
    numbers: &'static [(&'static str, &'static str)],
    conflict: &'static str,
    /// Which row a key names: `?3` and so on.
    named: &'static str,
}

const ROOM_NUMBER: &str = "(SELECT r.id FROM room r WHERE r.room=v.column1)";

const LINK_NUMBER: &str =
    "(SELECT l.id FROM room r JOIN link l ON l.room_id=r.id WHERE r.room=v.column1 AND l.link=v.column2)";

const FILE_NUMBER: &str =
    "(SELECT f.id FROM room r JOIN file f ON f.room_id=r.id WHERE r.room=v.column1 AND f.file=v.column2)";

/// A table of which a room has as many rows as there are values in one column.
macro_rules! of_room {
    ($table:literal, $key:literal) => {
        Compared {
            name: $table,
            rows: concat!(
                "SELECT r.room AS row_key, t.",
                $key,
                " AS row_key, t.* FROM room r CROSS JOIN ",
                $table,
                " t ON t.room_id=r.id
          WHERE r.room>=?1 AND r.room<?2 LIMIT 200001"
            ),
            key: 2,
            numbers: &[("room_id", ROOM_NUMBER)],
            conflict: concat!("room_id,", $key),
            named: concat!("room_id=(SELECT r.id FROM room r WHERE r.room=?3) AND ", $key, "=?4"),
        }
    };
}

/// Rooms come first: all others name them.
const COMPARED: [Compared; 10] = [
    Compared {
        name: "room",
        rows: "SELECT r.room AS row_key, r.* FROM room r WHERE r.room>=?1 AND r.room<?2 LIMIT 200001",
        key: 1,
        numbers: &[],
        conflict: "room",
        named: "room=?3",
    },
    of_room!("signal", "author"),
    of_room!("link", "link"),
    of_room!("file", "file"),
    Compared {
        name: "opening",
        rows: "SELECT r.room AS row_key, l.link AS row_key, t.client_id AS row_key, t.* FROM room r CROSS JOIN link l ON l.room_id=r.id
          JOIN opening t ON t.link_id=l.id WHERE r.room>=?1 AND r.room<?2 LIMIT 200001",
        key: 3,
        numbers: &[("link_id", LINK_NUMBER)],
        conflict: "link_id,client_id",
        named: "link_id=(SELECT l.id FROM room r JOIN link l ON l.room_id=r.id WHERE r.room=?3 AND l.link=?4)
          AND client_id=?5",
    },
    of_room!("card", "author"),
    of_room!("registration", "endpoint"),
    Compared {
        name: "statement",
        rows: "SELECT r.room AS row_key, t.* FROM room r CROSS JOIN statement t ON t.room_id=r.id
          WHERE r.room>=?1 AND r.room<?2 LIMIT 200001",
        key: 1,
        numbers: &[("room_id", ROOM_NUMBER)],
        conflict: "room_id",
        named: "room_id=(SELECT r.id FROM room r WHERE r.room=?3)",
    },
    Compared {
        name: "token",
        rows: "SELECT t.room AS row_key, t.hash AS row_key, t.* FROM token t
          WHERE t.room>=?1 AND t.room<?2 LIMIT 200001",
        key: 2,
        numbers: &[],
        conflict: "room,hash",
        named: "room=?3 AND hash=?4",
    },
    Compared {
        name: "tombstone",
        rows: "SELECT t.room AS row_key, t.* FROM tombstone t
          WHERE t.room>=?1 AND t.room<?2 LIMIT 200001",
        key: 1,
        numbers: &[],
        conflict: "room",
        named: "room=?3",
    },
];

/// A table whose rows are only ever added, in the order of some columns, and deleted from its beginning.
struct Added {
    name: &'static str,
    /// Of room `?1` what comes after the key `?2` (and `?3`), `?4` rows at the most.
    rows: &'static str,
    /// The key of the last row of room `?1`.
    last: &'static str,
    conflict: &'static str,
}

const ADDED: [Added; 3] = [
    Added {
        name: "event",
        rows: "SELECT t.* FROM room r JOIN event t ON t.room_id=r.id
      WHERE r.room=?1 AND t.seq>?2 AND ?3 IS NULL ORDER BY t.seq LIMIT ?4+0",
        last: "SELECT coalesce(max(t.seq),0) AS first_key, NULL AS second_key FROM room r JOIN event t ON t.room_id=r.id
      WHERE r.room=?1 LIMIT 1",
        conflict: "room_id,seq",
    },
    Added {
        name: "rotation",
        rows: "SELECT t.* FROM room r JOIN rotation t ON t.room_id=r.id
          WHERE r.room=?1 AND t.epoch>?2 AND ?3 IS NULL ORDER BY t.epoch LIMIT ?4+0",
        last: "SELECT coalesce(max(t.epoch),-1) AS first_key, NULL AS second_key FROM room r JOIN rotation t ON t.room_id=r.id
          WHERE r.room=?1 LIMIT 1",
        conflict: "room_id,epoch",
    },
    Added {
        name: "grant",
        rows: "SELECT t.* FROM room r JOIN \"grant\" t ON t.room_id=r.id
          WHERE r.room=?1 AND (t.epoch,t.author)>(?2,?3) ORDER BY t.epoch,t.author LIMIT ?4+0",
        last: "SELECT coalesce(max(g.epoch),-1) AS first_key, coalesce(max(g.author),'') AS second_key
          FROM (SELECT t.epoch AS epoch, t.author AS author FROM room r JOIN \"grant\" t ON t.room_id=r.id
            WHERE r.room=?1 ORDER BY t.epoch DESC, t.author DESC LIMIT 1) g LIMIT 1",
        conflict: "room_id,epoch,author",
    },
];

/// Which parts there are of the files of rooms from `?1` on and below `?2`. A part never changes, but a file may come
/// again under the same id.
const PARTS_OF: &str = "SELECT r.room AS room, f.file AS file, p.part AS part, p.hash AS hash
  FROM room r CROSS JOIN file f ON f.room_id=r.id CROSS JOIN part p ON p.file_id=f.id
  WHERE r.room>=?1 AND r.room<?2 LIMIT 200001";
/// The parts that `?1` names as JSON: [[room, file, part]].
const NAMED_PARTS: &str = "SELECT r.room AS row_key, f.file AS row_key, t.part AS part, t.hash AS hash, t.body AS body
  FROM json_each(?1) j JOIN room r ON lower(hex(r.room))=json_extract(j.value,'$[0]') AND r.room>=?2 AND r.room<?3
  JOIN file f ON f.room_id=r.id AND f.file=json_extract(j.value,'$[1]')
  JOIN part t ON t.file_id=f.id AND t.part=json_extract(j.value,'$[2]') LIMIT 8";
/// Deletes at B one part of file `?4` of room `?3` that is not what A has: `?5`.
const DROP_PART: &str = "DELETE FROM part WHERE file_id=(SELECT f.id FROM room r JOIN file f ON f.room_id=r.id
    WHERE r.room=?3 AND f.file=?4) AND part=?5 AND ";

/// Each a batch of what rooms from `?2` on and below `?3` have; their rows last of all.
const OF_ROOMS: [&str; 12] = [
    "DELETE FROM part WHERE id IN(SELECT p.id FROM room r CROSS JOIN file f ON f.room_id=r.id
      CROSS JOIN part p ON p.file_id=f.id WHERE r.room>=?2 AND r.room<?3 LIMIT 16)",
    "DELETE FROM file WHERE id IN(SELECT f.id FROM room r CROSS JOIN file f ON f.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM event WHERE pos IN(SELECT e.pos FROM room r CROSS JOIN event e ON e.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM signal WHERE rowid IN(SELECT g.rowid FROM room r CROSS JOIN signal g ON g.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM rotation WHERE id IN(SELECT t.id FROM room r CROSS JOIN rotation t ON t.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 100)",
    "DELETE FROM \"grant\" WHERE id IN(SELECT t.id FROM room r CROSS JOIN \"grant\" t ON t.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM opening WHERE id IN(SELECT t.id FROM room r CROSS JOIN link l ON l.room_id=r.id
      CROSS JOIN opening t ON t.link_id=l.id WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM link WHERE id IN(SELECT t.id FROM room r CROSS JOIN link t ON t.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM card WHERE id IN(SELECT t.id FROM room r CROSS JOIN card t ON t.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM registration WHERE id IN(SELECT t.id FROM room r CROSS JOIN registration t ON t.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM statement WHERE room_id IN(SELECT t.room_id FROM room r CROSS JOIN statement t ON t.room_id=r.id
      WHERE r.room>=?2 AND r.room<?3 LIMIT 500)",
    "DELETE FROM room WHERE id IN(SELECT r.id FROM room r WHERE r.room>=?2 AND r.room<?3
      AND NOT EXISTS(SELECT 1 FROM event e WHERE e.room_id=r.id) LIMIT 500)",
];
/// As `OF_ROOMS`, of what outlives a room.
const OF_IDS: [&str; 2] = [
    "DELETE FROM token WHERE (room,hash) IN(SELECT t.room,t.hash FROM token t
      WHERE t.room>=?2 AND t.room<?3 LIMIT 500)",
    "DELETE FROM tombstone WHERE room IN(SELECT t.room FROM tombstone t WHERE t.room>=?2 AND t.room<?3 LIMIT 500)",
];
/// What a slot that is gone goes without first: from then on nothing that is deleted is noted.
const OF_DEPARTURE: [&str; 2] = [
    "DELETE FROM departure WHERE slot=?1 AND ?2 IS NOT ?3",
    "DELETE FROM touched WHERE room IN(SELECT t.room FROM touched t WHERE t.slot=?1 AND ?2 IS NOT ?3 LIMIT 500)",
];
/// Nothing is cleaned where the slot is, or comes to.
const IS_GONE: &str =
    " AND NOT EXISTS(SELECT 1 FROM slot s WHERE s.slot=?1 AND s.state<>'gone') RETURNING 1 AS deleted";
/// The slot is on its way here under epoch `?4`.
const STILL_ARRIVES: &str =
    " AND EXISTS(SELECT 1 FROM slot s WHERE s.slot=?1 AND s.state='arriving' AND s.epoch=?4) RETURNING 1 AS deleted";

const ARRIVE: &str = "INSERT INTO slot(slot,epoch,state) VALUES(?1,?2,'arriving')
  ON CONFLICT(slot) DO UPDATE SET epoch=excluded.epoch, state='arriving' WHERE state='gone' RETURNING epoch";
const RENUMBER: &str = "UPDATE slot SET epoch=epoch+1 WHERE slot=?1 AND state='arriving' AND epoch=?2 RETURNING epoch";
const SET_STATE: &str = "UPDATE slot SET state=?4 WHERE slot=?1 AND epoch=?2 AND state=?3 RETURNING epoch";
/// Only whoever copied all of the very departure that goes on: `?3` its id.
const FREEZE: &str = "UPDATE slot SET state='frozen' WHERE slot=?1 AND epoch=?2 AND state='open'
  AND EXISTS(SELECT 1 FROM departure d WHERE d.slot=?1 AND d.id=?3 AND d.is_copied=1) RETURNING epoch";

const DEPART: &str = "INSERT INTO departure(slot,id,cursor) VALUES(?1,?2,?3) ON CONFLICT(slot) DO NOTHING";
const DEPARTURE: &str = "SELECT id, cursor, is_copied FROM departure WHERE slot=?1 LIMIT 1";
const ADVANCE: &str = "UPDATE departure SET cursor=?3, is_copied=?4 WHERE slot=?1 AND id=?2 RETURNING slot";
const STAY: &str = "DELETE FROM departure WHERE slot=?1";
const NEXT_ROOMS: &str = "SELECT r.room AS room,
    coalesce((SELECT sum(l.opened) FROM link l WHERE l.room_id=r.id),0)
      +coalesce((SELECT sum(f.parts) FROM file f WHERE f.room_id=r.id),0)
      +(SELECT count(*) FROM registration g WHERE g.room_id=r.id) AS openings
  FROM room r WHERE r.room>=?1 AND r.room<?2 ORDER BY r.room LIMIT 200";
const NEXT_TOUCHED: &str = "SELECT room, version FROM touched WHERE slot=?1 LIMIT 1000";
const STRIKE_OFF: &str = "DELETE FROM touched WHERE room=?1 AND version=?2";
const COUNT: &str = "SELECT count(*) AS rooms FROM room WHERE slot=?1 LIMIT 1";
const OVERVIEW: &str = "SELECT r.room AS room, (SELECT min(e.seq) FROM event e WHERE e.room_id=r.id) AS first_seq,
    coalesce((SELECT max(e.seq) FROM event e WHERE e.room_id=r.id),0) AS last_seq,
    coalesce((SELECT max(t.epoch) FROM rotation t WHERE t.room_id=r.id),-1) AS last_epoch,
    (SELECT count(*) FROM \"grant\" g WHERE g.room_id=r.id) AS grants
  FROM room r WHERE r.room>=?1 AND r.room<?2 LIMIT 1000";

/// Goes on with the move of a slot to a database, and begins it where there is none. Called again until its state is
/// `open`; a call with the database that still owns the slot takes a move back.
///
/// # Errors
/// `InvalidRequest` where the database is not listed or owns the slot anyway, `SlotMoving` where the slot is on its
/// way elsewhere, `Unavailable`. Then nothing has changed, but that a next call goes on.
pub async fn move_slot(slot: u8, to: &str) -> Result<Progress, Error> {
    let labels = buddy_host::variables::databases().await?;
    if !labels.iter().any(|label| label == to) {
        return Err(Error::invalid("to must be one of the databases in the variable databases."));
    }
    slot::relocate(slot).await?;
    let known: Vec<_> = slot::map().await?.into_iter().filter(|row| row.slot == i64::from(slot)).collect();
    let owner = known
        .iter()
        .filter(|row| matches!(row.state.as_str(), "open" | "frozen"))
        .max_by_key(|row| row.epoch)
        .ok_or_else(|| Error::Unavailable(format!("slot {slot:02x} is open in no database")))?;
    // A move that was opened at its goal is not finished where it came from.
    let left = |row: &&Ownership| row.state == "frozen" && row.database != owner.database;
    for row in known.iter().filter(left) {
        set_state(slot, row, row.epoch, "gone").await?;
    }
    let elsewhere = known.iter().find(|row| row.state == "arriving" && row.database != to);
    if owner.database == to {
        return settle(slot, owner, &known, elsewhere).await;
    }
    if elsewhere.is_some() {
        return Err(Error::SlotMoving);
    }
    let there = known.iter().find(|row| row.database == to);
    Move::new(slot, owner, to, there).go_on().await
}

/// What is left to do where the slot has arrived, or stays.
async fn settle(
    slot: u8,
    owner: &Ownership,
    known: &[Ownership],
    arriving: Option<&Ownership>,
) -> Result<Progress, Error> {
    let mut did_something = owner.epoch > 1;
    // First nobody may open it elsewhere any more.
    if let Some(row) = arriving {
        did_something = true;
        set_state(slot, row, row.epoch, "gone").await?;
        Database::new(&owner.database).run(STAY, &[slot.into()]).await?;
    }
    if owner.state == "frozen" {
        did_something = true;
        set_state(slot, owner, owner.epoch, "open").await?;
    }
    if !did_something {
        return Err(Error::invalid("The slot is in this database already."));
    }
    slot::moved(slot, &owner.database, owner.epoch).await;
    let deadline = now_ms() + CALL_MS;
    let mut state = "open";
    for row in known.iter().filter(|row| row.database != owner.database) {
        if !clean(&Database::new(&row.database), slot, deadline).await? {
            state = "cleaning";
        }
    }
    let rooms = count(&Database::new(&owner.database), slot).await?;
    Ok(Progress { state, rooms, rooms_copied: rooms })
}

async fn set_state(slot: u8, row: &Ownership, epoch: i64, state: &str) -> Result<bool, Error> {
    let parameters = [slot.into(), epoch.into(), row.state.as_str().into(), state.into()];
    Ok(!Database::new(&row.database).run(SET_STATE, &parameters).await?.is_empty())
}

/// Deletes what is left of a slot where it is gone. False: there was no time for all of it.
async fn clean(database: &Database, slot: u8, deadline: i64) -> Result<bool, Error> {
    let Range { from, to } = Range::of_slot(slot);
    let parameters = [slot.into(), from.into(), to.into()];
    for statement in OF_DEPARTURE.iter().chain(&OF_ROOMS).chain(&OF_IDS) {
        while !database.run(&format!("{statement}{IS_GONE}"), &parameters).await?.is_empty() {
            if now_ms() > deadline {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// How many rooms of a slot a database holds.
async fn count(database: &Database, slot: u8) -> Result<i64, Error> {
    database.row(COUNT, &[slot.into()]).await?.map_or(Ok(0), |mut row| row.take("rooms"))
}

/// Rooms from an id on and below another one. Their slot is their first byte, so those of a slot lie together.
#[derive(Clone)]
struct Range {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Range {
    fn of_slot(slot: u8) -> Self {
        // Beyond the last id that there may be.
        let to = slot.checked_add(1).map_or_else(|| vec![u8::MAX; 33], |next| vec![next]);
        Self { from: vec![slot], to }
    }

    fn of_room(room: &[u8]) -> Self {
        Self { from: room.to_vec(), to: behind(room) }
    }

    fn parameters(&self) -> [Value; 2] {
        [self.from.clone().into(), self.to.clone().into()]
    }
}

/// What comes right behind a room's id.
fn behind(room: &[u8]) -> Vec<u8> {
    [room, &[0]].concat()
}

/// How far the tables of a room reach that only grow.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Reach {
    first_seq: Option<i64>,
    last_seq: i64,
    last_epoch: i64,
    grants: i64,
}

/// That of a room which is not there.
const NOTHING: Reach = Reach { first_seq: None, last_seq: 0, last_epoch: -1, grants: 0 };

async fn overview(database: &Database, range: &Range) -> Result<HashMap<Vec<u8>, Reach>, Error> {
    let reach = |mut row: Row| -> Result<_, Error> {
        let room = row.take("room")?;
        let reach = Reach {
            first_seq: row.take("first_seq")?,
            last_seq: row.take("last_seq")?,
            last_epoch: row.take("last_epoch")?,
            grants: row.take("grants")?,
        };
        Ok((room, reach))
    };
    database.run(OVERVIEW, &range.parameters()).await?.into_iter().map(reach).collect()
}

/// A part of a file, by what tells it from all others.
#[derive(PartialEq, Eq, Hash)]
struct PartOf {
    room: Vec<u8>,
    file: String,
    number: i64,
    hash: Vec<u8>,
}

async fn parts_of(database: &Database, range: &Range) -> Result<HashSet<PartOf>, Error> {
    let part = |mut row: Row| -> Result<_, Error> {
        Ok(PartOf {
            room: row.take("room")?,
            file: row.take("file")?,
            number: row.take("part")?,
            hash: row.take("hash")?,
        })
    };
    let rows = database.run(PARTS_OF, &range.parameters()).await?;
    if rows.len() > MOST_ROWS {
        return Err(Error::Unavailable("too many parts of files to move".to_owned()));
    }
    rows.into_iter().map(part).collect()
}

/// What the database that a slot leaves remembers of it.
struct Departure {
    id: [u8; 16],
    cursor: Vec<u8>,
    is_copied: bool,
}

struct Move {
    slot: u8,
    from: Database,
    from_epoch: i64,
    is_frozen: bool,
    to: Database,
    /// Of the slot where it goes; `None` while it is not on its way yet.
    to_epoch: Option<i64>,
    deadline: i64,
}

impl Move {
    fn new(slot: u8, owner: &Ownership, to: &str, there: Option<&Ownership>) -> Self {
        Self {
            slot,
            from: Database::new(&owner.database),
            from_epoch: owner.epoch,
            is_frozen: owner.state == "frozen",
            to: Database::new(to),
            to_epoch: there.filter(|row| row.state == "arriving").map(|row| row.epoch),
            deadline: now_ms() + CALL_MS,
        }
    }

    async fn go_on(mut self) -> Result<Progress, Error> {
        let rooms = count(&self.from, self.slot).await?;
        let state = self.advance().await?;
        let rooms_copied = if state == "clearing" { 0 } else { count(&self.to, self.slot).await?.min(rooms) };
        Ok(Progress { state, rooms, rooms_copied })
    }

    /// One call's share of the work, and the state it ends in.
    async fn advance(&mut self) -> Result<&'static str, Error> {
        let epoch = match self.to_epoch {
            Some(epoch) => epoch,
            None => {
                // One that was taken back, and knows nothing of what is copied now.
                self.from.run(STAY, &[self.slot.into()]).await?;
                if !clean(&self.to, self.slot, self.deadline).await? {
                    return Ok("clearing");
                }
                let parameters = [self.slot.into(), (self.from_epoch + 1).into()];
                let Some(mut row) = self.to.row(ARRIVE, &parameters).await? else { return Ok("copying") };
                row.take("epoch")?
            }
        };
        self.to_epoch = Some(epoch);
        if self.is_frozen {
            // Whoever froze it has stopped: nobody has to wait for us from now on.
            self.thaw().await?;
            return Ok("copying");
        }
        let departure = self.depart().await?;
        if !self.copy_all(&departure).await? || !self.copy_touched(QUICK_MS).await? {
            return Ok("copying");
        }
        let parameters = [self.slot.into(), self.from_epoch.into(), departure.id.into()];
        if self.from.row(FREEZE, &parameters).await?.is_none() {
            return Ok("copying");
        }
        self.deadline = now_ms() + FROZEN_MS;
        let copied = self.copy_touched(FROZEN_MS).await;
        let has_arrived = match &copied {
            Ok(true) => self.set(&self.to, epoch, "arriving", "open").await?,
            _ => false,
        };
        if !has_arrived {
            self.thaw().await?;
            copied?;
            return Ok("copying");
        }
        self.set(&self.from, self.from_epoch, "frozen", "gone").await?;
        slot::moved(self.slot, self.to.label(), epoch).await;
        let is_clean = clean(&self.from, self.slot, now_ms() + CALL_MS).await?;
        Ok(if is_clean { "open" } else { "cleaning" })
    }

    /// Opens the slot again where it comes from, after making sure that nobody opens it where it goes.
    async fn thaw(&self) -> Result<(), Error> {
        let epoch = self.to_epoch.expect("the slot is on its way");
        if self.to.row(RENUMBER, &[self.slot.into(), epoch.into()]).await?.is_some() {
            self.set(&self.from, self.from_epoch, "frozen", "open").await?;
        }
        Ok(())
    }

    /// False: somebody else was quicker.
    async fn set(&self, database: &Database, epoch: i64, is: &str, becomes: &str) -> Result<bool, Error> {
        let parameters = [self.slot.into(), epoch.into(), is.into(), becomes.into()];
        Ok(database.row(SET_STATE, &parameters).await?.is_some())
    }

    fn is_late(&self) -> bool {
        now_ms() > self.deadline
    }

    /// Has A note what changes, if it does not yet.
    async fn depart(&self) -> Result<Departure, Error> {
        let begun = [self.slot.into(), random::<16>().into(), Range::of_slot(self.slot).from.into()];
        self.from.run(DEPART, &begun).await?;
        let row = self.from.row(DEPARTURE, &[self.slot.into()]).await?;
        let mut row =
            row.ok_or_else(|| Error::Unavailable(format!("slot {:02x}: its move was taken back", self.slot)))?;
        Ok(Departure { id: row.take("id")?, cursor: row.take("cursor")?, is_copied: row.take("is_copied")? })
    }

    /// Copies all rooms once, beginning where the last call stopped. False: there was no time for all of them.
    async fn copy_all(&self, departure: &Departure) -> Result<bool, Error> {
        let mut rest = Range { from: departure.cursor.clone(), ..Range::of_slot(self.slot) };
        let mut is_copied = departure.is_copied;
        while !is_copied {
            let (room, is_last) = self.next_rooms(&rest).await?;
            let range = Range { to: room.unwrap_or_else(|| rest.to.clone()), ..rest.clone() };
            if !self.copy(&range).await? {
                return Ok(false);
            }
            is_copied = is_last;
            rest.from = range.to;
            let parameters =
                [self.slot.into(), departure.id.into(), rest.from.clone().into(), i64::from(is_copied).into()];
            if self.from.row(ADVANCE, &parameters).await?.is_none() || (self.is_late() && !is_copied) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Up to where rooms are copied next (`None`: all that are left), and whether that is the end.
    async fn next_rooms(&self, rest: &Range) -> Result<(Option<Vec<u8>>, bool), Error> {
        let rows = self.from.run(NEXT_ROOMS, &rest.parameters()).await?;
        let count = rows.len();
        let mut openings = 0;
        for (index, mut row) in rows.into_iter().enumerate() {
            let room: Vec<u8> = row.take("room")?;
            openings += row.take::<i64>("openings")?;
            if openings > OPENINGS || index + 1 == ROOMS {
                return Ok((Some(behind(&room)), false));
            }
        }
        Ok((None, count < ROOMS))
    }

    /// Copies rooms that changed since they were copied, until all that there are took so little time. False: there
    /// was not enough of it.
    async fn copy_touched(&self, quick_ms: i64) -> Result<bool, Error> {
        loop {
            let began = now_ms();
            let rows = self.from.run(NEXT_TOUCHED, &[self.slot.into()]).await?;
            let were_all = rows.len() < TOUCHED;
            for mut row in rows {
                let (room, version): (Vec<u8>, i64) = (row.take("room")?, row.take("version")?);
                if self.is_late() || !self.copy(&Range::of_room(&room)).await? {
                    return Ok(false);
                }
                self.from.run(STRIKE_OFF, &[room.into(), version.into()]).await?;
            }
            if were_all && now_ms() - began <= quick_ms {
                return Ok(true);
            }
            if self.is_late() {
                return Ok(false);
            }
        }
    }

    /// Makes some rooms' rows at B those of A. False: there was no time for all of them.
    async fn copy(&self, range: &Range) -> Result<bool, Error> {
        let (here, there) = (overview(&self.from, range).await?, overview(&self.to, range).await?);
        for room in there.keys().filter(|room| !here.contains_key(*room)) {
            self.remove(room).await?;
        }
        let (rooms, rest) = COMPARED.split_first().expect("rooms come first");
        // A room that came back as another one after a backup is not told apart here: its rows are.
        self.compare(rooms, range).await?;
        let mut has_grown = false;
        for (room, reach) in &here {
            let had = there.get(room).copied().unwrap_or(NOTHING);
            if had == *reach {
                continue;
            }
            has_grown = true;
            if had.first_seq.is_some() && had.first_seq < reach.first_seq.or(Some(i64::MAX)) {
                self.drop_before(room, reach.first_seq.unwrap_or(i64::MAX)).await?;
            }
            for table in &ADDED {
                if !self.add(table, room).await? {
                    return Ok(false);
                }
            }
        }
        for table in rest {
            self.compare(table, range).await?;
        }
        if has_grown {
            // What was just added counted in the rooms at B.
            self.compare(rooms, range).await?;
        }
        self.copy_parts(range).await
    }

    /// Makes the parts of files at B those of A, whose rows are there. False: there was no time for all of them.
    async fn copy_parts(&self, range: &Range) -> Result<bool, Error> {
        let (here, there) = (parts_of(&self.from, range).await?, parts_of(&self.to, range).await?);
        for part in there.difference(&here) {
            let sql = format!("{DROP_PART}{IS_ARRIVING}");
            let parameters = [
                self.slot.into(),
                self.to_epoch.into(),
                part.room.clone().into(),
                part.file.as_str().into(),
                part.number.into(),
            ];
            self.to.run(&sql, &parameters).await?;
        }
        let missing: Vec<_> = here.difference(&there).collect();
        for batch in missing.chunks(PARTS) {
            let names: Vec<_> =
                batch.iter().map(|part| serde_json::json!([hex::encode(&part.room), part.file, part.number])).collect();
            let [from, to] = range.parameters();
            let named = [serde_json::Value::from(names).to_string().into(), from, to];
            let rows = self.from.run(NAMED_PARTS, &named).await?;
            if !rows.is_empty() {
                let keyed = rows.into_iter().map(|row| (row.values()[..2].to_vec(), row));
                self.insert("part", &[("file_id", FILE_NUMBER)], "file_id,part", false, keyed).await?;
            }
            if self.is_late() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes a room at B that A no longer has. What outlives it is compared.
    async fn remove(&self, room: &[u8]) -> Result<(), Error> {
        let Range { from, to } = Range::of_room(room);
        let parameters = [self.slot.into(), from.into(), to.into(), self.to_epoch.into()];
        for statement in &OF_ROOMS {
            while !self.to.run(&format!("{statement}{STILL_ARRIVES}"), &parameters).await?.is_empty() {}
        }
        Ok(())
    }

    /// Deletes events at B that A no longer has.
    async fn drop_before(&self, room: &[u8], seq: i64) -> Result<(), Error> {
        let sql = format!(
            "DELETE FROM event WHERE pos IN(SELECT e.pos FROM room r JOIN event e ON e.room_id=r.id
              WHERE r.room=?3 AND e.seq<?4 LIMIT 500) AND {} RETURNING 1 AS deleted",
            IS_ARRIVING
        );
        let parameters = [self.slot.into(), self.to_epoch.into(), room.to_vec().into(), seq.into()];
        while !self.to.run(&sql, &parameters).await?.is_empty() {}
        Ok(())
    }

    /// Copies what a room has more in a table that only grows.
    async fn add(&self, table: &Added, room: &[u8]) -> Result<bool, Error> {
        loop {
            let last = self.to.row(table.last, &[room.to_vec().into()]).await?;
            let Some(mut last) = last else { return Ok(true) };
            let (first, second) = (last.take::<Value>("first_key")?, last.take::<Value>("second_key")?);
            let parameters = [room.to_vec().into(), first, second, LARGE_ROWS.into()];
            let rows = self.from.run(table.rows, &parameters).await?;
            if rows.is_empty() {
                return Ok(true);
            }
            let is_last = (rows.len() as i64) < LARGE_ROWS;
            let keyed = rows.into_iter().map(|row| (vec![room.to_vec().into()], row));
            self.insert(table.name, &[("room_id", ROOM_NUMBER)], table.conflict, false, keyed).await?;
            if is_last {
                return Ok(true);
            }
            if self.is_late() {
                return Ok(false);
            }
        }
    }

    /// Writes at B what differs in a table.
    async fn compare(&self, table: &Compared, range: &Range) -> Result<(), Error> {
        let parameters = range.parameters();
        let numbers: HashSet<_> = table.numbers.iter().map(|(column, _)| *column).chain(["id", "row_key"]).collect();
        let read = async |database: &Database| -> Result<HashMap<String, (Vec<Value>, Row)>, Error> {
            let rows = database.run(table.rows, &parameters).await?;
            if rows.len() > MOST_ROWS {
                return Err(Error::Unavailable(format!("too many rows of {} to move", table.name)));
            }
            Ok(rows
                .into_iter()
                .map(|row| {
                    let key: Vec<_> = row.values()[..table.key].to_vec();
                    (format!("{key:?}"), (key, row))
                })
                .collect())
        };
        let same = |row: &Row| -> Vec<(String, Value)> {
            let cells = row.columns().iter().zip(row.values());
            cells.filter(|(name, _)| !numbers.contains(name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
        };
        let (mut here, there) = (read(&self.from).await?, read(&self.to).await?);
        for (name, (key, row)) in &there {
            match here.get(name) {
                Some((_, wanted)) if same(wanted) == same(row) => drop(here.remove(name)),
                Some(_) => {}
                None => {
                    let sql = format!("DELETE FROM \"{}\" WHERE {} AND {IS_ARRIVING}", table.name, table.named);
                    let mut parameters = vec![self.slot.into(), self.to_epoch.into()];
                    parameters.extend(key.iter().cloned());
                    self.to.run(&sql, &parameters).await?;
                }
            }
        }
        let mut rows: Vec<_> = here.into_values().collect();
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(ROWS as usize));
            self.insert(table.name, table.numbers, table.conflict, true, rows.into_iter()).await?;
            rows = rest;
        }
        Ok(())
    }

    /// Writes rows to B under numbers of its own. What is there already is replaced where `replaces`.
    async fn insert(
        &self,
        table: &str,
        numbers: &[(&str, &str)],
        conflict: &str,
        replaces: bool,
        rows: impl Iterator<Item = (Vec<Value>, Row)>,
    ) -> Result<(), Error> {
        let mut parameters = vec![self.slot.into(), self.to_epoch.into()];
        let (mut columns, mut tuples) = (Vec::new(), Vec::new());
        let mut keys = 0;
        for (key, row) in rows {
            keys = key.len();
            let own = |name: &str| !matches!(name, "id" | "pos" | "row_key") && numbers.iter().all(|(n, _)| *n != name);
            if columns.is_empty() {
                columns = row.columns().iter().filter(|name| own(name)).cloned().collect();
            }
            let first = parameters.len() + 1;
            parameters.extend(key);
            let cells = row.columns().iter().zip(row.values());
            parameters.extend(cells.filter(|(name, _)| own(name)).map(|(_, value)| value.clone()));
            let marks: Vec<_> = (first..=parameters.len()).map(|number| format!("?{number}")).collect();
            tuples.push(format!("({})", marks.join(",")));
        }
        let quoted: Vec<_> = numbers
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .chain(columns.iter().cloned())
            .map(|name| format!("\"{name}\""))
            .collect();
        let found = numbers.iter().map(|(_, sql)| (*sql).to_owned());
        let given = (keys + 1..=keys + columns.len()).map(|number| format!("v.column{number}"));
        let selected: Vec<_> = found.chain(given).collect();
        let then = if replaces {
            let set: Vec<_> = columns.iter().map(|name| format!("\"{name}\"=excluded.\"{name}\"")).collect();
            format!("UPDATE SET {}", set.join(","))
        } else {
            "NOTHING".to_owned()
        };
        // A room that was made meanwhile comes with the next call.
        let is_known: String = numbers.iter().map(|(_, sql)| format!(" AND {sql} IS NOT NULL")).collect();
        let sql = format!(
            "INSERT INTO \"{table}\"({}) SELECT {} FROM (VALUES {}) v WHERE {IS_ARRIVING}{is_known}
             ON CONFLICT({conflict}) DO {then}",
            quoted.join(","),
            selected.join(","),
            tuples.join(","),
        );
        self.to.run(&sql, &parameters).await?;
        Ok(())
    }
}

/// Slot `?1` is on its way here under epoch `?2`.
const IS_ARRIVING: &str = "EXISTS(SELECT 1 FROM slot s WHERE s.slot=?1 AND s.state='arriving' AND s.epoch=?2)";
