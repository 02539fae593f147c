//! The tables `rotation` and `grant`: what begins an epoch, and lets people follow. One statement settles a
//! renewal, by compare-and-set on the epoch; what stands against it is asked before.

use buddy_domain::{Access, Error, KeysPage, LinkId, Renewal, RoomId, SentRotation};
use buddy_host::sqlite::{Row, Value};
use buddy_host::{now_ms, variables};
use serde_json::json;

use crate::database::Database;
use crate::event;
use crate::room::{self, Right, Room};

const HOUR_MS: i64 = 3_600_000;
/// A page of rotations ends with the one that makes it reach so many bytes.
const PAGE_BYTES: i64 = 1 << 20;

/// A renewal that is stored, and where. `repeated`: it had been before.
pub struct Renewed {
    pub database: Database,
    pub epoch: i64,
    pub seq: i64,
    pub sent_at_ms: i64,
    pub repeated: bool,
}

/// A live link is in neither list, or one that is to stay has gone. `?5` the ids in both, `?6` those that stay, JSON.
macro_rules! links_changed {
    () => {
        "(EXISTS(SELECT 1 FROM link l WHERE l.room_id=r.id AND (l.expires_at_ms IS NULL OR l.expires_at_ms>?4)
      AND (l.openings IS NULL OR l.opened<l.openings) AND lower(hex(l.link)) NOT IN(SELECT j.value FROM json_each(?5) j))
    OR (SELECT count(*) FROM link l WHERE l.room_id=r.id
      AND lower(hex(l.link)) IN(SELECT j.value FROM json_each(?6) j))<>json_array_length(?6))"
    };
}

/// `?7` the last card that the owner knows.
macro_rules! people_changed {
    () => {
        "(?7 IS NOT NULL AND EXISTS(SELECT 1 FROM card c WHERE c.room_id=r.id AND c.seq>?7))"
    };
}

/// What stands against a renewal. `?1` row number, `?2` client_id, `?3` fingerprint, `?4` now, `?5` to `?7` as above,
/// `?8` per hour, `?9` log.
const AGAINST: &str = concat!(
    "SELECT o.epoch AS made_epoch, o.seq AS made_seq, o.sent_at_ms AS made_at_ms, o.fingerprint=?3 AS same,
    EXISTS(SELECT 1 FROM event e WHERE e.room_id=r.id AND e.client_id=?2) AS used, r.epoch AS epoch, ",
    links_changed!(),
    " AS links_changed, ",
    people_changed!(),
    " AS people_changed,
    (SELECT p.sent_at_ms+3600000-?4 FROM rotation p WHERE p.room_id=r.id AND p.epoch=r.epoch+1-?8 AND p.epoch>0) AS waits_ms
  FROM room r LEFT JOIN rotation o ON o.room_id=r.id AND o.client_id=?2
  WHERE r.id=?1 AND r.log=?9 LIMIT 1"
);

/// `?1` to `?7` as above, `?8` owner's token, `?9` log, `?10` epoch, `?11` author, `?12` hash of the body, `?13` body,
/// `?14` public, `?15` signature, `?16` private part, `?17` reading, `?18` posting, `?19` grants, `?20` links, JSON.
const RENEW: &str = concat!(
    "INSERT INTO renewal(room_id,room,epoch,seq,sent_at_ms,author,client_id,fingerprint,hash,body,
    public,signature,private,read_hash,post_hash,grants,links)
  SELECT r.id,r.room,?10,r.last_seq+1,max(?4,r.last_at_ms),?11,?2,?3,?12,?13,?14,?15,?16,?17,?18,?19,?20
  FROM room r JOIN slot s ON s.slot=r.slot AND s.state='open'
  WHERE r.id=?1 AND r.log=?9 AND r.owner_hash=?8 AND r.deleted_at_ms=0 AND r.expires_at_ms>?4 AND r.epoch+1=?10
    AND NOT EXISTS(SELECT 1 FROM event e WHERE e.room_id=r.id AND e.client_id=?2)
    AND NOT EXISTS(SELECT 1 FROM rotation o WHERE o.room_id=r.id AND o.client_id=?2)
    AND NOT ",
    links_changed!(),
    " AND NOT ",
    people_changed!(),
    " LIMIT 1 RETURNING epoch, seq, sent_at_ms"
);

/// `?1` row number, `?2` epochs above, `?3` rows, `?4` author, `?5` whether private parts are shown without a grant,
/// `?6` bytes.
const KEYS: &str = "WITH near AS (SELECT o.epoch AS epoch, sum(o.bytes) OVER
      (ORDER BY o.epoch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (SELECT epoch, bytes FROM rotation WHERE room_id=?1 AND epoch>?2 ORDER BY epoch LIMIT ?3+0) o)
  SELECT o.epoch AS epoch, o.seq AS seq, o.public AS public, o.signature AS signature,
    CASE WHEN ?5 OR g.sealed IS NOT NULL THEN o.private END AS private, g.sealed AS sealed
  FROM near n JOIN rotation o ON o.room_id=?1 AND o.epoch=n.epoch
    LEFT JOIN \"grant\" g ON g.room_id=?1 AND g.epoch=n.epoch AND g.author=?4
  WHERE n.before IS NULL OR n.before<?6 ORDER BY o.epoch LIMIT ?3+0";

/// Begins the room's next epoch, once.
///
/// # Errors
/// Every reason to refuse it, in the order of docs/protocol.md, "API"; `Unavailable`.
pub async fn renew(id: &RoomId, access: &Access, renewal: &Renewal) -> Result<Renewed, Error> {
    let limit = variables::number("rotations_per_room_per_hour").await?;
    let stay = renewal.links.iter().map(|link| link.id.clone()).collect::<Vec<_>>();
    let taken_back = renewal.taken_back.iter().map(LinkId::to_string);
    let listed = stay.iter().cloned().chain(taken_back).collect::<Vec<_>>();
    for _ in 0..3 {
        let room = room::read(id, access).await?;
        room.need(Right::Own)?;
        room.need_keys()?;
        let author = access.need_author()?;
        let part = &renewal.rotation.part;
        if access.token != Some(part.owner_token_hash) {
            return Err(Error::invalid("owner_token_hash must be the same in every rotation of a room."));
        }
        let mut parameters: Vec<Value> = vec![
            room.key.id.into(),
            renewal.client_id.into_bytes().into(),
            renewal.fingerprint.into(),
            now_ms().into(),
            json!(listed).to_string().into(),
            json!(stay).to_string().into(),
            renewal.cards_seen.into(),
            limit.into(),
            room.key.log.into(),
        ];
        let Some(row) = room.database.row(AGAINST, &parameters).await? else { continue };
        if let Some(made) = against(row, &room, part.epoch, limit)? {
            return Ok(made);
        }
        let body = renewal.rotation.body();
        parameters[7] = part.owner_token_hash.bytes().into();
        parameters.extend([
            part.epoch.into(),
            author.bytes().into(),
            event::hash(&body).into(),
            body.into(),
            renewal.rotation.public.as_str().into(),
            renewal.rotation.signature.as_str().into(),
            renewal.rotation.private.as_str().into(),
            part.read_token_hash.bytes().into(),
            part.post_token_hash.bytes().into(),
            json!(renewal.grants).to_string().into(),
            json!(renewal.links).to_string().into(),
        ]);
        if let Some(mut row) = room.database.row(RENEW, &parameters).await? {
            let (epoch, seq, sent_at_ms) = (row.take("epoch")?, row.take("seq")?, row.take("sent_at_ms")?);
            return Ok(Renewed { database: room.database, epoch, seq, sent_at_ms, repeated: false });
        }
    }
    Err(Error::Unavailable(format!("room {}: a renewal was refused for no reason that lasts", id.short())))
}

/// What a row of `AGAINST` says: nothing, that this is a repeat, or why not.
fn against(mut row: Row, room: &Room, epoch: i64, limit: i64) -> Result<Option<Renewed>, Error> {
    let (made, seq, at): (Option<i64>, Option<i64>, Option<i64>) =
        (row.take("made_epoch")?, row.take("made_seq")?, row.take("made_at_ms")?);
    let (same, used): (bool, bool) = (row.take("same")?, row.take("used")?);
    if let (Some(epoch), Some(seq), Some(sent_at_ms), true) = (made, seq, at, same) {
        return Ok(Some(Renewed { database: room.database.clone(), epoch, seq, sent_at_ms, repeated: true }));
    }
    if used || made.is_some() {
        return Err(Error::ClientIdReused);
    }
    let current: i64 = row.take("epoch")?;
    if current + 1 != epoch {
        return Err(Error::StaleEpoch);
    }
    if row.take("links_changed")? {
        return Err(Error::LinksChanged);
    }
    if row.take("people_changed")? {
        return Err(Error::PeopleChanged);
    }
    let waits_ms = if limit == 0 { Some(HOUR_MS) } else { row.take("waits_ms")? };
    match waits_ms {
        Some(wait_ms) if wait_ms > 0 => Err(Error::RateLimited { retry_after_s: (wait_ms + 999) / 1000 }),
        _ => Ok(None),
    }
}

/// The rotations of epochs above one, oldest first: for a former token only those after its own epoch, and what is
/// private only beside a grant. `room` as `room::read_by_any` gives it.
///
/// # Errors
/// `InvalidRequest` for a room without keys; `Unavailable`.
pub async fn keys(room: &Room, access: &Access, page: &KeysPage) -> Result<Vec<SentRotation>, Error> {
    room.need_keys()?;
    let is_current = room.right > Right::Former;
    let since = if is_current { page.since } else { page.since.max(room.token_epoch) };
    let author = access.author.map(|author| hex::encode(author.bytes()));
    let parameters = [
        room.key.id.into(),
        since.into(),
        page.limit.into(),
        author.into(),
        i64::from(is_current).into(),
        PAGE_BYTES.into(),
    ];
    room.database.run(KEYS, &parameters).await?.into_iter().map(rotation).collect()
}

fn rotation(mut row: Row) -> Result<SentRotation, Error> {
    Ok(SentRotation {
        epoch: row.take("epoch")?,
        seq: row.take("seq")?,
        public: row.take("public")?,
        signature: row.take("signature")?,
        private: row.take("private")?,
        grant: row.take("sealed")?,
    })
}
