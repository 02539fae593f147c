//! The component that makes, lists and opens the links of a room with keys. Renewing the keys is what takes them back.

use buddy_domain::{Error, LinkId, NewLink, RoomId, opening};
use buddy_host::api::{json, preflight};
use buddy_host::http::{Answer, Request};
use buddy_host::variables;
use buddy_store::room::Right;
use buddy_store::{link, room, sweep, tally};
use serde_json::json;

buddy_host::serve_api!(handle, tally::refused);

const LINKS: &str = "GET, POST, OPTIONS";
const OPEN: &str = "POST, OPTIONS";

async fn handle(request: Request) -> Result<Answer, Error> {
    let method = request.caller.method.clone();
    match request.caller.segments().as_slice() {
        ["api", "rooms", room, "links"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "GET" => list(&request, &room?).await,
                "POST" => make(request, &room?).await,
                "OPTIONS" => Ok(preflight(LINKS)),
                _ => Err(Error::MethodNotAllowed(LINKS)),
            }
        }
        ["api", "rooms", room, "links", link, "open"] => {
            // A malformed id is an unknown one.
            let named = RoomId::parse(room).and_then(|room| {
                let link = LinkId::parse(link).map_err(|_| Error::RoomNotFound)?;
                Ok((room, link))
            });
            match method.as_str() {
                "POST" => {
                    let (room, link) = named?;
                    open(request, &room, &link).await
                }
                "OPTIONS" => Ok(preflight(OPEN)),
                _ => Err(Error::MethodNotAllowed(OPEN)),
            }
        }
        _ => Err(Error::NotFound),
    }
}

async fn list(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let room = room::read(id, &request.caller.access()).await?;
    room.need(Right::Own)?;
    room.need_keys()?;
    let links = link::list(&room).await?;
    room.need_here().await?;
    sweep::later(&room.database);
    Ok(json(200, &json!({"links": links})))
}

async fn make(request: Request, id: &RoomId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let openings_max = variables::number("link_openings_max").await?;
    let wanted = NewLink::parse(&request.body(false).await?, openings_max)?;
    let made = link::make(id, &access, &wanted).await?;
    sweep::later(&made.database);
    let status = if made.repeated { 200 } else { 201 };
    Ok(json(status, &json!({"id": wanted.id.to_string(), "created_at_ms": made.created_at_ms})))
}

async fn open(request: Request, id: &RoomId, link: &LinkId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let address = request.caller.address().await?;
    let client_id = opening(&request.body(false).await?)?;
    Ok(json(200, &link::open(id, link, &access, client_id, &address).await?))
}
