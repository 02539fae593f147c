//! The tables `link` and `opening`: links into a room with keys, and who opened them.

use buddy_domain::{Access, Address, Error, LinkId, NewLink, OpenedLink, RoomId, SentLink};
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, variables};
use uuid::Uuid;

use crate::access::{self, caller};
use crate::database::Database;
use crate::room::{self, Right, Room};
use crate::{address, slot};

/// The window of the limit per address.
const WINDOW_MS: i64 = 10_000;

/// A link that is stored, and where. `repeated`: it had been before.
pub struct Made {
    pub database: Database,
    pub created_at_ms: i64,
    pub repeated: bool,
}

/// What stands against a new link. `?1` row number, `?2` link, `?3` fingerprint, `?4` how many there may be, `?5` log.
const AGAINST: &str = "SELECT l.created_at_ms AS created_at_ms, l.fingerprint=?3 AS same, r.epoch AS epoch,
    (SELECT count(*) FROM link o WHERE o.room_id=r.id)>=?4 AS full
  FROM room r LEFT JOIN link l ON l.room_id=r.id AND l.link=?2 WHERE r.id=?1 AND r.log=?5 LIMIT 1";

/// `?1` to `?5` as above, `?6` owner's token, `?7` now, `?8` epoch, `?9` openings, `?10` expires in, `?11` its token,
/// `?12` sealed, `?13` note.
const MAKE: &str = "INSERT INTO link(room_id,link,token_hash,fingerprint,epoch,openings,created_at_ms,expires_at_ms,
    sealed,note)
  SELECT r.id,?2,?11,?3,r.epoch,?9,?7,?7+?10,?12,?13 FROM room r JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE r.id=?1 AND r.log=?5 AND r.owner_hash=?6 AND r.deleted_at_ms=0 AND r.expires_at_ms>?7 AND r.epoch=?8
    AND (SELECT count(*) FROM link o WHERE o.room_id=r.id)<?4
  LIMIT 1 ON CONFLICT(room_id,link) DO NOTHING RETURNING created_at_ms";

const LIST: &str = "SELECT lower(hex(l.link)) AS id, l.epoch AS epoch, l.note AS note, l.opened AS opened,
    l.openings AS openings, l.created_at_ms AS created_at_ms, l.opened_at_ms AS opened_at_ms,
    l.expires_at_ms AS expires_at_ms
  FROM link l WHERE l.room_id=?1 ORDER BY l.id LIMIT 10000";

/// A link as who opens it finds it; `?5` link, `?6` client_id. A link that is not there and one with another token
/// look the same, in work done as well.
const FIND: &str = concat!(
    "SELECT d.farewell AS farewell, l.id AS id, o.id IS NOT NULL AS known, l.expires_at_ms<=?4 AS expired,
    l.opened>=l.openings AS used_up, l.openings IS NULL AS unlimited, l.opened AS opened, l.sealed AS sealed,
    q.public AS public, q.signature AS signature ",
    caller!(),
    " LEFT JOIN room r ON r.room=?1 AND r.deleted_at_ms=0 AND r.expires_at_ms>?4
    LEFT JOIN link l ON l.room_id=r.id AND l.link=?5 AND l.token_hash=?3
    LEFT JOIN opening o ON o.link_id=l.id AND o.client_id=?6
    LEFT JOIN rotation q ON q.room_id=l.room_id AND q.epoch=l.epoch
  WHERE s.slot=?2 AND s.state IN('open','frozen') LIMIT 1"
);

/// `?1` link's number, `?2` client_id, `?3` now. Its trigger counts.
const OPEN: &str = "INSERT INTO opening(link_id,client_id,opened_at_ms)
  SELECT l.id,?2,?3 FROM link l JOIN room r ON r.id=l.room_id JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE l.id=?1 AND (l.openings IS NULL OR l.opened<l.openings) AND (l.expires_at_ms IS NULL OR l.expires_at_ms>?3)
    AND r.deleted_at_ms=0 AND r.expires_at_ms>?3
  LIMIT 1 ON CONFLICT(link_id,client_id) DO NOTHING RETURNING id";

/// Forgets all but the last `?2` who opened a link.
const FORGET: &str = "DELETE FROM opening WHERE link_id=?1
  AND id<=(SELECT o.id FROM opening o WHERE o.link_id=?1 ORDER BY o.id DESC LIMIT 1 OFFSET ?2+0)";

/// Makes a link, once.
///
/// # Errors
/// Every reason to refuse it, in the order of docs/protocol.md, "API"; `Unavailable`.
pub async fn make(id: &RoomId, access: &Access, link: &NewLink) -> Result<Made, Error> {
    let most = variables::number("links_max").await?;
    for _ in 0..3 {
        let room = room::read(id, access).await?;
        room.need(Right::Own)?;
        room.need_keys()?;
        let mut parameters: Vec<Value> =
            vec![room.key.id.into(), link.id.bytes().into(), link.fingerprint.into(), most.into(), room.key.log.into()];
        let Some(row) = room.database.row(AGAINST, &parameters).await? else { continue };
        if let Some(created_at_ms) = against(row, link)? {
            return Ok(Made { database: room.database, created_at_ms, repeated: true });
        }
        parameters.extend([
            access::token(access),
            now_ms().into(),
            link.epoch.into(),
            link.openings.into(),
            link.expires_in_s.map(|seconds| seconds * 1000).into(),
            link.token_hash.bytes().into(),
            link.sealed.as_str().into(),
            link.note.as_str().into(),
        ]);
        if let Some(mut row) = room.database.row(MAKE, &parameters).await? {
            return Ok(Made { database: room.database, created_at_ms: row.take("created_at_ms")?, repeated: false });
        }
    }
    Err(Error::Unavailable(format!("room {}: a link was refused for no reason that lasts", id.short())))
}

/// What a row of `AGAINST` says: nothing, when this very link was made, or why not.
fn against(mut row: Row, link: &NewLink) -> Result<Option<i64>, Error> {
    let (created_at_ms, same): (Option<i64>, bool) = (row.take("created_at_ms")?, row.take("same")?);
    if created_at_ms.is_some() {
        return if same { Ok(created_at_ms) } else { Err(Error::LinkExists) };
    }
    let current: i64 = row.take("epoch")?;
    if current != link.epoch {
        return Err(Error::StaleEpoch);
    }
    if row.take("full")? {
        return Err(Error::Full("The room has as many links as it may have: take some back."));
    }
    Ok(None)
}

/// The room's links, in the order they were made.
///
/// # Errors
/// `Unavailable`.
pub async fn list(room: &Room) -> Result<Vec<SentLink>, Error> {
    room.database.run(LIST, &[room.key.id.into()]).await?.into_iter().map(sent).collect()
}

fn sent(mut row: Row) -> Result<SentLink, Error> {
    Ok(SentLink {
        id: row.take("id")?,
        epoch: row.take("epoch")?,
        note: row.take("note")?,
        opened: row.take("opened")?,
        openings: row.take("openings")?,
        created_at_ms: row.take("created_at_ms")?,
        opened_at_ms: row.take("opened_at_ms")?,
        expires_at_ms: row.take("expires_at_ms")?,
    })
}

/// Opens a link for whoever has its token, counted once for each `client_id`. `address` is the caller's, hashed.
///
/// # Errors
/// `RoomNotFound` for an unknown link or another token; `RoomGone`; `LinkExpired` and `LinkUsedUp`, but not for who
/// opened it before; `RateLimited`; `Unavailable`.
pub async fn open(
    id: &RoomId,
    link: &LinkId,
    access: &Access,
    client_id: Uuid,
    address: &Address,
) -> Result<OpenedLink, Error> {
    let mut database = slot::locate(id.slot()).await?;
    let mut is_counted = false;
    for _ in 0..4 {
        let now = now_ms();
        let mut parameters = access::parameters(id, access, now);
        parameters.extend([link.bytes().into(), client_id.into_bytes().into()]);
        let Some(row) = database.row(FIND, &parameters).await? else {
            database = slot::relocate(id.slot()).await?;
            continue;
        };
        let found = found(row)?;
        if let Some(opened) = found.opened {
            return Ok(opened);
        }
        if !is_counted {
            let limit = variables::number("link_openings_per_address_per_ten_s").await?;
            if limit == 0 {
                return Err(Error::RateLimited { retry_after_s: WINDOW_MS / 1000 });
            }
            let limits = address::limits(address.limits("openings", limit), 0);
            address::count(&database, &limits, 1, WINDOW_MS, now).await?;
            is_counted = true;
        }
        let opening = [found.id.into(), client_id.into_bytes().into(), now.into()];
        database.run(OPEN, &opening).await?;
        let remembered = variables::number("link_openings_max").await?;
        if found.is_unlimited && found.count >= remembered {
            database.run(FORGET, &[found.id.into(), remembered.into()]).await?;
        }
    }
    Err(Error::Unavailable(format!("room {}: a link does not open for no reason that lasts", id.short())))
}

struct Found {
    id: i64,
    /// For who has opened it before.
    opened: Option<OpenedLink>,
    is_unlimited: bool,
    count: i64,
}

fn found(mut row: Row) -> Result<Found, Error> {
    let farewell: Option<String> = row.take("farewell")?;
    let Some(id) = row.take("id")? else {
        return Err(room::missing(farewell));
    };
    let (known, expired, used_up): (bool, bool, bool) =
        (row.take("known")?, row.take("expired")?, row.take("used_up")?);
    if !known && expired {
        return Err(Error::LinkExpired);
    }
    if !known && used_up {
        return Err(Error::LinkUsedUp);
    }
    let (is_unlimited, count) = (row.take("unlimited")?, row.take("opened")?);
    let opened =
        OpenedLink { sealed: row.take("sealed")?, public: row.take("public")?, signature: row.take("signature")? };
    Ok(Found { id, opened: known.then_some(opened), is_unlimited, count })
}
