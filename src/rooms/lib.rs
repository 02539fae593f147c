//! The component that makes, reads, changes and deletes rooms, tells whether the service is
//! healthy, and answers every address under `/api` that is nobody's.

use buddy_domain::{Change, CreateRoom, Error, RoomId};
use buddy_platform::database::Database;
use buddy_platform::room::Right;
use buddy_platform::{Answer, Request, empty, json, preflight, room, settings, slot, sweep};
use serde_json::json;

buddy_platform::serve!(handle);

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
    let address = request.caller.address("rooms").await;
    let wanted = CreateRoom::parse(&request.body(true).await?)?;
    Ok(json(201, &room::create(wanted, address).await?))
}

async fn read(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let room = room::read(id, &request.caller.access()).await?;
    sweep::later(&room.database);
    Ok(json(200, &room.to_json(id)))
}

async fn change(request: Request, id: &RoomId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let change = Change::parse(&request.body(false).await?)?;
    let room = room::read(id, &access).await?;
    room.need(Right::Own)?;
    let room = if room.change(change).await? { room::read(id, &access).await? } else { room };
    Ok(json(200, &room.to_json(id)))
}

async fn delete(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let room = room::read(id, &request.caller.access()).await?;
    room.need(Right::Own)?;
    room.delete().await?;
    Ok(empty())
}

/// Ready when every database and the key-value store answer.
async fn health() -> Result<Answer, Error> {
    let mut failing = Vec::new();
    for label in settings::databases().await {
        if let Err(Error::Unavailable(cause)) = Database::new(&label).run("SELECT 1 LIMIT 1", &[]).await {
            eprintln!("health: {cause}");
            failing.push(format!("database {label}"));
        }
    }
    if let Err(Error::Unavailable(cause)) = slot::check_hints().await {
        eprintln!("health: {cause}");
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
