//! The component that has browsers told that there is something new in a room, by Web Push (RFC 8030), whether or not a
//! page is open. It is the only one that sends requests to other servers: to the push services that the manifest names.

mod sender;
mod tell;

use buddy_domain::{Error, Registration, RoomId, endpoint, own_endpoint};
use buddy_host::api::{empty, json, preflight};
use buddy_host::http::{Answer, Request};
use buddy_host::spawn;
use buddy_store::{push, room, sweep, tally};
use serde_json::json;

use crate::sender::Sender;

buddy_host::serve_api!(handle, tally::refused);

const PUSH: &str = "GET, POST, DELETE, OPTIONS";
const NOTIFY: &str = "POST, OPTIONS";

async fn handle(request: Request) -> Result<Answer, Error> {
    let method = request.caller.method.clone();
    match request.caller.segments().as_slice() {
        ["api", "rooms", room, "push"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "GET" => key(&request, room).await,
                "POST" => register(request, room).await,
                "DELETE" => unregister(request, room).await,
                "OPTIONS" => Ok(preflight(PUSH)),
                _ => Err(Error::MethodNotAllowed(PUSH)),
            }
        }
        ["api", "rooms", room, "push", "notify"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "POST" => notify(request, room).await,
                "OPTIONS" => Ok(preflight(NOTIFY)),
                _ => Err(Error::MethodNotAllowed(NOTIFY)),
            }
        }
        _ => Err(Error::NotFound),
    }
}

async fn key(request: &Request, id: Result<RoomId, Error>) -> Result<Answer, Error> {
    let sender = Sender::read().await?;
    let room = room::read(&id?, &request.caller.access()).await?;
    sweep::later(&room.database);
    Ok(json(200, &json!({"key": sender.public_key()})))
}

async fn register(request: Request, id: Result<RoomId, Error>) -> Result<Answer, Error> {
    let sender = Sender::read().await?;
    let (id, access) = (id?, request.caller.access());
    let address = request.caller.address().await?;
    let registration = Registration::parse(&request.body(false).await?, sender.services())?;
    sender::need_key(&registration)?;
    let stored = push::register(&id, &access, &registration, &address).await?;
    sweep::later(&stored.database);
    Ok(json(if stored.repeated { 200 } else { 201 }, &json!({})))
}

async fn unregister(request: Request, id: Result<RoomId, Error>) -> Result<Answer, Error> {
    Sender::read().await?;
    let (id, access) = (id?, request.caller.access());
    push::unregister(&id, &access, &endpoint(&request.body(false).await?)?).await?;
    Ok(empty())
}

async fn notify(request: Request, id: Result<RoomId, Error>) -> Result<Answer, Error> {
    let sender = match Sender::read().await {
        // Whoever writes asks, and should not have to know: nobody wants to be told.
        Err(Error::PushOff) => None,
        sender => Some(sender?),
    };
    let (id, access) = (id?, request.caller.access());
    let own = own_endpoint(&request.body(true).await?)?;
    let Some(sender) = sender else {
        push::need_post(&id, &access).await?;
        return Ok(told(0, 0));
    };
    let due = push::due(&id, &access, own.as_deref()).await?;
    sweep::later(&due.room.database);
    let answer = told(due.again_in_s, due.count);
    if !due.registrations.is_empty() {
        spawn(tell::all(sender, due));
    }
    Ok(answer)
}

fn told(again_in_s: i64, registrations: i64) -> Answer {
    json(202, &json!({"again_in_s": again_in_s, "registrations": registrations}))
}
