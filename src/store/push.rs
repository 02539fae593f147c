//! The table `registration`: where browsers want to be told that there is something new in a room, and when they were
//! last told. Triggers delete a room's registrations when it is deleted or renewed.

use buddy_domain::{Access, Address, Error, Registration, RoomId};
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, variables};

use crate::address;
use crate::database::Database;
use crate::room::{self, Right, Room};

const HOUR_MS: i64 = 3_600_000;
/// A room is told of at most once in this time.
const PAUSE_MS: i64 = 10_000;

/// A registration that is stored, and where. `repeated`: it had been before.
pub struct Registered {
    pub database: Database,
    pub repeated: bool,
}

/// Who is to be told now.
pub struct Due {
    pub room: Room,
    pub registrations: Vec<Registration>,
    /// How many have registered.
    pub count: i64,
    /// 0: all are told; else after so many seconds they can be, for the room was told of just now.
    pub again_in_s: i64,
}

/// What stands against a registration. `?1` row number, `?2` log, `?3` endpoint, `?4` p256dh, `?5` auth, `?6` how many
/// there may be.
const AGAINST: &str = "SELECT g.id IS NOT NULL AS known, g.p256dh=?4 AND g.auth=?5 AS same,
    (SELECT count(*) FROM registration o WHERE o.room_id=r.id)>=?6 AS full
  FROM room r LEFT JOIN registration g ON g.room_id=r.id AND g.endpoint=?3 WHERE r.id=?1 AND r.log=?2 LIMIT 1";
/// `?1` to `?6` as above, `?7` now, `?8` the epoch in which the caller's token opens the room.
const REGISTER: &str = "INSERT INTO registration(room_id,endpoint,p256dh,auth,created_at_ms)
  SELECT r.id,?3,?4,?5,?7 FROM room r JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE r.id=?1 AND r.log=?2 AND r.deleted_at_ms=0 AND r.expires_at_ms>?7 AND r.epoch IS ?8
    AND ((SELECT count(*) FROM registration o WHERE o.room_id=r.id)<?6
      OR EXISTS(SELECT 1 FROM registration o WHERE o.room_id=r.id AND o.endpoint=?3)) LIMIT 1
  ON CONFLICT(room_id,endpoint) DO UPDATE SET p256dh=excluded.p256dh, auth=excluded.auth RETURNING id";

const IS_THERE: &str = "SELECT 1 AS there FROM registration g JOIN room r ON r.id=g.room_id AND r.log=?2
  WHERE g.room_id=?1 AND g.endpoint=?3 LIMIT 1";
const UNREGISTER: &str = "DELETE FROM registration WHERE room_id=?1 AND endpoint=?3 AND EXISTS(SELECT 1 FROM room r
    JOIN slot s ON s.slot=r.slot AND s.state='open' WHERE r.id=?1 AND r.log=?2) RETURNING id";

/// How many are to be told, and when they last were. `?1` row number, `?2` log, `?3` who is left out. libSQL gives a
/// column that is called like a word of SQL, `others` too, in capital letters.
const WAITING: &str = "SELECT r.pushed_at_ms AS pushed_at_ms,
    (SELECT count(*) FROM registration g WHERE g.room_id=r.id AND g.endpoint IS NOT ?3) AS registered
  FROM room r WHERE r.id=?1 AND r.log=?2 LIMIT 1";
/// `?1` and `?2` as above, `?3` now, `?4` the pause. Whoever gets a row tells the others. A time that lies ahead was
/// taken from a clock that was wrong.
const TAKE_TURN: &str =
    "UPDATE room SET pushed_at_ms=?3 WHERE id=?1 AND log=?2 AND deleted_at_ms=0 AND expires_at_ms>?3
    AND NOT (pushed_at_ms>?3-?4 AND pushed_at_ms<?3)
    AND EXISTS(SELECT 1 FROM slot s WHERE s.slot=room.slot AND s.state='open') RETURNING id";
const LIST: &str = "SELECT g.endpoint AS endpoint, g.p256dh AS p256dh, g.auth AS auth
  FROM room r JOIN registration g ON g.room_id=r.id WHERE r.id=?1 AND r.log=?2 AND g.endpoint IS NOT ?3
  ORDER BY g.id LIMIT 10000";

/// Registers a browser, once. Whoever may read may do this.
///
/// # Errors
/// `RoomNotFound`, `RoomGone`, `Renewed`; `Full` at `push_registrations_max`; `RateLimited` over
/// `push_registrations_per_address_per_hour`; `Unavailable`.
pub async fn register(
    id: &RoomId,
    access: &Access,
    registration: &Registration,
    from: &Address,
) -> Result<Registered, Error> {
    let most = variables::number("push_registrations_max").await?;
    let limit = variables::number("push_registrations_per_address_per_hour").await?;
    let mut is_counted = false;
    for _ in 0..3 {
        let room = room::read(id, access).await?;
        let mut parameters = named(&room, &registration.endpoint);
        parameters.extend([registration.p256dh.into(), registration.auth.into(), most.into()]);
        let Some(mut row) = room.database.row(AGAINST, &parameters).await? else { continue };
        let (known, same, full): (bool, bool, bool) = (row.take("known")?, row.take("same")?, row.take("full")?);
        if same {
            return Ok(Registered { database: room.database, repeated: true });
        }
        if full && !known {
            return Err(Error::Full("The room has as many registrations for push messages as it may have."));
        }
        let now = now_ms();
        if !is_counted {
            address::count(&room.database, &address::limits(from.limits("push", limit), 0), 1, HOUR_MS, now).await?;
            is_counted = true;
        }
        parameters.extend([now.into(), room.epoch.into()]);
        if room.database.row(REGISTER, &parameters).await?.is_some() {
            return Ok(Registered { database: room.database, repeated: known });
        }
    }
    Err(Error::Unavailable(format!("room {}: a registration was refused for no reason that lasts", id.short())))
}

/// Takes a registration back. Afterwards it is not there, whether it was or not.
///
/// # Errors
/// `RoomNotFound`, `RoomGone`, `Renewed`; `Unavailable`.
pub async fn unregister(id: &RoomId, access: &Access, endpoint: &str) -> Result<(), Error> {
    for _ in 0..3 {
        let room = room::read(id, access).await?;
        if forget(&room, endpoint).await? {
            return Ok(());
        }
        let is_there = room.database.row(IS_THERE, &named(&room, endpoint)).await?.is_some();
        if !is_there && room::is_here(&room.database, &room.key).await? {
            return Ok(());
        }
    }
    Err(Error::Unavailable(format!("room {}: a registration stays for no reason that lasts", id.short())))
}

/// Deletes a registration. False: there was none, or its slot takes no writes here.
///
/// # Errors
/// `Unavailable`.
pub async fn forget(room: &Room, endpoint: &str) -> Result<bool, Error> {
    Ok(room.database.row(UNREGISTER, &named(room, endpoint)).await?.is_some())
}

/// The room, for whoever may post in it now.
///
/// # Errors
/// `RoomNotFound`, `RoomGone`, `Renewed`, `NotAllowed`, `RoomLocked`; `Unavailable`.
pub async fn need_post(id: &RoomId, access: &Access) -> Result<Room, Error> {
    let room = room::read(id, access).await?;
    room.need(Right::Post)?;
    if room.locked && room.right < Right::Own {
        return Err(Error::RoomLocked);
    }
    Ok(room)
}

/// Takes the turn to tell all who registered, but for `own`. Whoever may post may do this.
///
/// # Errors
/// `RoomNotFound`, `RoomGone`, `Renewed`, `NotAllowed`, `RoomLocked`; `Unavailable`.
pub async fn due(id: &RoomId, access: &Access, own: Option<&str>) -> Result<Due, Error> {
    for _ in 0..3 {
        let room = need_post(id, access).await?;
        let others = [room.key.id.into(), room.key.log.into(), own.into()];
        let Some(mut row) = room.database.row(WAITING, &others).await? else { continue };
        let (pushed_at_ms, count): (i64, i64) = (row.take("pushed_at_ms")?, row.take("registered")?);
        let nobody = |again_in_s| Due { room: room.clone(), registrations: Vec::new(), count, again_in_s };
        if count == 0 {
            return Ok(nobody(0));
        }
        let now = now_ms();
        let wait_ms = pushed_at_ms + PAUSE_MS - now;
        if (1..PAUSE_MS).contains(&wait_ms) {
            return Ok(nobody((wait_ms + 999) / 1000));
        }
        let turn = [room.key.id.into(), room.key.log.into(), now.into(), PAUSE_MS.into()];
        if room.database.row(TAKE_TURN, &turn).await?.is_some() {
            let rows = room.database.run(LIST, &others).await?;
            let registrations = rows.into_iter().map(registration).collect::<Result<_, _>>()?;
            return Ok(Due { room, registrations, count, again_in_s: 0 });
        }
    }
    Err(Error::Unavailable(format!("room {}: nobody is told for no reason that lasts", id.short())))
}

fn named(room: &Room, endpoint: &str) -> Vec<Value> {
    vec![room.key.id.into(), room.key.log.into(), endpoint.into()]
}

fn registration(mut row: Row) -> Result<Registration, Error> {
    Ok(Registration { endpoint: row.take("endpoint")?, p256dh: row.take("p256dh")?, auth: row.take("auth")? })
}
