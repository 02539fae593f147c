//! The component that appends to a room's log, reads pages of it, and takes signals.

use buddy_domain::{Error, Event, Page, Post, RoomId, Signal, page};
use buddy_host::api::{empty, json, preflight};
use buddy_host::http::{Answer, Request};
use buddy_host::variables;
use buddy_store::{event, room, signal, sweep, tally};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

buddy_host::serve_api!(handle, tally::refused);

const MESSAGES: &str = "GET, POST, OPTIONS";
const SIGNALS: &str = "POST, OPTIONS";

async fn handle(request: Request) -> Result<Answer, Error> {
    let method = request.caller.method.clone();
    match request.caller.segments().as_slice() {
        ["api", "rooms", room, "messages"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "GET" => history(&request, &room?).await,
                "POST" => append(request, &room?).await,
                "OPTIONS" => Ok(preflight(MESSAGES)),
                _ => Err(Error::MethodNotAllowed(MESSAGES)),
            }
        }
        ["api", "rooms", room, "signals"] => {
            let room = RoomId::parse(room);
            match method.as_str() {
                "POST" => send(request, &room?).await,
                "OPTIONS" => Ok(preflight(SIGNALS)),
                _ => Err(Error::MethodNotAllowed(SIGNALS)),
            }
        }
        _ => Err(Error::NotFound),
    }
}

async fn append(request: Request, id: &RoomId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let address = request.caller.address().await?;
    let post = Post::parse(&request.body(false).await?, max_body_bytes().await?)?;
    let stored = event::append(id, &access, &post, &address).await?;
    sweep::later(&stored.database);
    let status = if stored.repeated { 200 } else { 201 };
    Ok(json(status, &json!({"seq": stored.seq, "sent_at_ms": stored.sent_at_ms})))
}

async fn history(request: &Request, id: &RoomId) -> Result<Answer, Error> {
    let wanted = page(&request.caller.query)?;
    let access = request.caller.access();
    let mut room = room::read(id, &access).await?;
    let mut read = event::page(&room, &wanted).await?;
    if read.is_none() {
        room = room::read(id, &access).await?;
        read = event::page(&room, &wanted).await?;
    }
    let events = read.ok_or_else(|| Error::Unavailable(format!("room {} moves to and fro", id.short())))?;
    sweep::later(&room.database);
    // Events may have come between the two statements.
    let last_seq = events.last().map_or(room.last_seq, |event| event.seq.max(room.last_seq));
    let messages = fitting(&events, &wanted);
    Ok(json(200, &json!({"messages": messages, "first_seq": room.first_seq, "last_seq": last_seq})))
}

/// As many of the events as are next to the cursor and reach a page's bytes in JSON.
fn fitting(events: &[Event], wanted: &Page) -> Vec<Box<RawValue>> {
    let json = |event| to_raw_value(event).expect("events are plain data");
    let mut left = event::PAGE_BYTES;
    let mut fits = |event: &RawValue| {
        let had_room = left > 0;
        left = left.saturating_sub(event.get().len());
        had_room
    };
    if let Page::After { .. } = wanted {
        return events.iter().map(json).take_while(|event| fits(event)).collect();
    }
    let mut page: Vec<_> = events.iter().rev().map(json).take_while(|event| fits(event)).collect();
    page.reverse();
    page
}

async fn send(request: Request, id: &RoomId) -> Result<Answer, Error> {
    let access = request.caller.access();
    let signal = Signal::parse(&request.body(false).await?, max_body_bytes().await?)?;
    signal::send(id, &access, &signal).await?;
    Ok(empty())
}

async fn max_body_bytes() -> Result<usize, Error> {
    Ok(usize::try_from(variables::number("max_body_bytes").await?).unwrap_or(usize::MAX))
}
