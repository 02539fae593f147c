//! The component that makes, reads, changes and deletes rooms, tells whether the service is
//! healthy, and answers every address under `/api` that is nobody's.

use buddy_domain::{Error, NewRoom, Patch, RoomId, farewell};
use buddy_host::api::{empty, json, preflight};
use buddy_host::http::{Answer, Request};
use buddy_host::{log, variables};
use buddy_store::database::Database;
use buddy_store::room::{Right, Room};
use buddy_store::{room, slot, statement, sweep, tally};
use serde_json::{Value as Json, json};

buddy_host::serve_api!(handle, tally::refused);

const ROOMS: &str = "POST, OPTIONS";
const ROOM: &str = "GET, PATCH, DELETE, OPTIONS";
const HEALTH: &str = "GET, OPTIONS";

async fn handle(request: Request) -> Result<Answer, Error> {
    let method = request.caller.method.clone();
    match request.caller.segments().as_slice() {
        ["api", "rooms"] => match method.as_str() {
            "POST" => create(request).await,
            "OPTIONS" => Ok(preflight(ROOMS)),
            _ => Err(Error::MethodNotAllowed(ROOMS)),
        },
        ["api", "rooms", room] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "GET" => read(&request, &room?).await,
                "PATCH" => change(request, &room?).await,
                "DELETE" => delete(&request, &room?).await,
                "OPTIONS" => Ok(preflight(ROOM)),
                _ => Err(Error::MethodNotAllowed(ROOM)),
            }
        }
        ["api", "health"] => match method.as_str() {
            "GET" => health().await,
            "OPTIONS" => Ok(preflight(HEALTH)),
            _ => Err(Error::MethodNotAllowed(HEALTH)),
        },
        _ => Err(Error::NotFound),
    }
}

async fn create(request: Request) -> Result<Answer, Error> {
    let address = request.caller.address().await?;
    let access = request.caller.access();
    let made = match NewRoom::parse(&request.body(true).await?)? {
        NewRoom::Plain(wanted) => room::create(wanted, &address).await?,
        NewRoom::WithKeys(founding) => room::found(&founding, &access, &address).await?,
    };
    let mut answer = json!({
        "room": made.id.to_string(),
        "created_at_ms": made.created_at_ms,
        "expires_at_ms": made.expires_at_ms,
        "message_ttl_s": seconds(made.message_ttl_ms),
    });
    if let Some(token) = made.owner_token {
        answer["owner_token"] = token.reveal().into();
    }
    Ok(json(if made.repeated { 200 } else { 201 }, &answer))
}

async fn read(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let room = room::read(id, &request.caller.access()).await?;
    sweep::later(&room.database);
    Ok(json(200, &shown(&room, id).await?))
}

async fn change(request: Request, id: &RoomId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let max_body_bytes = usize::try_from(variables::number("max_body_bytes").await?).unwrap_or(usize::MAX);
    match Patch::parse(&request.body(false).await?, max_body_bytes)? {
        Patch::Stated(stated) => statement::make(id, &access, &stated).await?,
        Patch::Plain(change) => {
            let room = room::read(id, &access).await?;
            room.need(Right::Own)?;
            if room.epoch.is_some() {
                return Err(Error::invalid("In a room with keys, a change comes with a statement."));
            }
            room::change(&room, id, &access, change).await?;
        }
    }
    let room = room::read(id, &access).await?;
    Ok(json(200, &shown(&room, id).await?))
}

async fn delete(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let farewell = request.caller.header("buddy-farewell").map(farewell).transpose()?;
    let room = room::read(id, &access).await?;
    room.need(Right::Own)?;
    if room.epoch.is_some() && farewell.is_none() {
        return Err(Error::invalid("A room with keys is deleted with a farewell: send buddy-farewell."));
    }
    room::delete(&room, id, &access, farewell).await?;
    Ok(empty())
}

/// A room as its readers see it.
async fn shown(room: &Room, id: &RoomId) -> Result<Json, Error> {
    let mut shown = json!({
        "room": id.to_string(),
        "created_at_ms": room.created_at_ms,
        "expires_at_ms": room.expires_at_ms,
        "message_ttl_s": seconds(room.message_ttl_ms),
        "locked": room.locked,
        "about": room.about,
        "first_seq": room.first_seq,
        "last_seq": room.last_seq,
    });
    if let Some(epoch) = room.epoch {
        let state = statement::newest(room).await?;
        room.need_here().await?;
        shown["epoch"] = epoch.into();
        shown["state"] = state.body.into();
        shown["state_seq"] = state.seq.into();
    }
    Ok(shown)
}

/// How the API writes a lifetime: whole seconds, or null for none.
fn seconds(milliseconds: i64) -> Option<i64> {
    (milliseconds > 0).then_some(milliseconds / 1000)
}

/// Ready when every database and the key-value store answer.
async fn health() -> Result<Answer, Error> {
    let mut failing = Vec::new();
    for label in variables::databases().await? {
        if let Err(Error::Unavailable(cause)) = Database::new(&label).check().await {
            log(format_args!("health: {cause}"));
            failing.push(format!("database {label}"));
        }
    }
    if let Err(Error::Unavailable(cause)) = slot::check_hints().await {
        log(format_args!("health: {cause}"));
        failing.push("key-value store default".to_owned());
    }
    if failing.is_empty() {
        return Ok(json(200, &json!({"status": "ok"})));
    }
    let error = Error::Unavailable(failing.join(", "));
    let mut body = error.to_json();
    body["error"]["message"] = format!("Not answering: {}.", failing.join(", ")).into();
    let mut answer = json(503, &body);
    answer.retry_after(error.retry_after_s());
    Ok(answer)
}
