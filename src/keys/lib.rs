//! The component that renews the keys of a room, and hands out what lets people follow: rotations, and the cards of
//! the room's members.

use buddy_domain::{Error, Renewal, RoomId, keys_page, members_page};
use buddy_host::api::{json, preflight};
use buddy_host::http::{Answer, Request};
use buddy_host::variables;
use buddy_store::{card, room, rotation, sweep, tally};
use serde_json::json;

buddy_host::serve_api!(handle, tally::refused);

const ROTATIONS: &str = "POST, OPTIONS";
const KEYS: &str = "GET, OPTIONS";
const MEMBERS: &str = "GET, OPTIONS";

async fn handle(request: Request) -> Result<Answer, Error> {
    let method = request.caller.method.clone();
    match request.caller.segments().as_slice() {
        ["api", "rooms", room, "rotations"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "POST" => renew(request, &room?).await,
                "OPTIONS" => Ok(preflight(ROTATIONS)),
                _ => Err(Error::MethodNotAllowed(ROTATIONS)),
            }
        }
        ["api", "rooms", room, "keys"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "GET" => keys(&request, &room?).await,
                "OPTIONS" => Ok(preflight(KEYS)),
                _ => Err(Error::MethodNotAllowed(KEYS)),
            }
        }
        ["api", "rooms", room, "members"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "GET" => members(&request, &room?).await,
                "OPTIONS" => Ok(preflight(MEMBERS)),
                _ => Err(Error::MethodNotAllowed(MEMBERS)),
            }
        }
        _ => Err(Error::NotFound),
    }
}

async fn renew(request: Request, id: &RoomId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let (people_max, bytes_max) = (count("people_max").await?, count("rotation_max_bytes").await?);
    let renewal = Renewal::parse(&request.body_up_to(bytes_max).await?, id, people_max)?;
    let made = rotation::renew(id, &access, &renewal).await?;
    sweep::later(&made.database);
    let status = if made.repeated { 200 } else { 201 };
    Ok(json(status, &json!({"epoch": made.epoch, "seq": made.seq, "sent_at_ms": made.sent_at_ms})))
}

async fn keys(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let page = keys_page(&request.caller.query)?;
    let access = request.caller.access();
    let room = room::read_by_any(id, &access).await?;
    let epoch = room.need_keys()?;
    let rotations = rotation::keys(&room, &access, &page).await?;
    room.need_here().await?;
    sweep::later(&room.database);
    // One may have come between the two statements.
    let epoch = rotations.last().map_or(epoch, |rotation| rotation.epoch.max(epoch));
    Ok(json(200, &json!({"epoch": epoch, "rotations": rotations})))
}

async fn members(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let page = members_page(&request.caller.query)?;
    let room = room::read(id, &request.caller.access()).await?;
    room.need_keys()?;
    let (cards, more) = card::after(&room, &page).await?;
    room.need_here().await?;
    sweep::later(&room.database);
    Ok(json(200, &json!({"cards": cards, "more": more})))
}

async fn count(variable: &'static str) -> Result<usize, Error> {
    Ok(usize::try_from(variables::number(variable).await?).unwrap_or(usize::MAX))
}
