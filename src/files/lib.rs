//! The component that takes and gives out the parts of a room's files. Which message a file belongs to is said by the
//! message's post.

use buddy_domain::{Error, FileId, PART_MAX_BYTES, Range, RoomId, part};
use buddy_host::api::{binary, json, preflight};
use buddy_host::http::{Answer, Request};
use buddy_store::file::{self, Upload};
use buddy_store::{room, sweep, tally};
use serde_json::json;

buddy_host::serve_api!(handle, tally::refused);

const FILE: &str = "GET, OPTIONS";
const PART: &str = "GET, PUT, OPTIONS";

async fn handle(request: Request) -> Result<Answer, Error> {
    let method = request.caller.method.clone();
    match request.caller.segments().as_slice() {
        ["api", "rooms", room, "files", file] => {
            let named = RoomId::parse(room).and_then(|room| Ok((room, FileId::parse(file)?)));
            match method.as_str() {
                "GET" => {
                    let (room, file) = named?;
                    list(&request, &room, &file).await
                }
                "OPTIONS" => Ok(preflight(FILE)),
                _ => Err(Error::MethodNotAllowed(FILE)),
            }
        }
        ["api", "rooms", room, "files", file, number] => {
            let named = RoomId::parse(room).and_then(|room| Ok((room, FileId::parse(file)?, part(number)?)));
            match method.as_str() {
                "GET" => {
                    let (room, file, part) = named?;
                    send(&request, &room, &file, part).await
                }
                "PUT" => {
                    let (room, file, part) = named?;
                    store(request, &room, file, part).await
                }
                "OPTIONS" => Ok(preflight(PART)),
                _ => Err(Error::MethodNotAllowed(PART)),
            }
        }
        _ => Err(Error::NotFound),
    }
}

async fn list(request: &Request, id: &RoomId, file: &FileId) -> Result<Answer, Error> {
    let room = room::read(id, &request.caller.access()).await?;
    let here = file::parts(&room, file).await?;
    sweep::later(&room.database);
    let parts: Vec<_> = here.parts.iter().map(|(part, bytes)| json!({"part": part, "bytes": bytes})).collect();
    Ok(json(200, &json!({"parts": parts, "seq": here.seq})))
}

async fn send(request: &Request, id: &RoomId, file: &FileId, part: i64) -> Result<Answer, Error> {
    let room = room::read(id, &request.caller.access()).await?;
    let all = PART_MAX_BYTES as i64;
    let (first, count) = match Range::parse(request.caller.header("range")) {
        Range::All => (Some(0), all),
        Range::From(first, count) => (Some(first), count),
        Range::Last(count) => (None, count),
    };
    let is_whole = (first, count) == (Some(0), all);
    let bytes = file::part(&room, file, part, first, count).await?;
    if bytes.body.is_empty() {
        return Err(Error::RangeNotSatisfiable { bytes: bytes.of });
    }
    let first = first.unwrap_or(bytes.of - bytes.body.len() as i64);
    Ok(binary(bytes.body, (!is_whole).then_some((first, bytes.of))))
}

async fn store(request: Request, id: &RoomId, file: FileId, part: i64) -> Result<Answer, Error> {
    let access = request.caller.access();
    let address = request.caller.address().await?;
    let body = request.bytes(PART_MAX_BYTES).await?;
    let upload = Upload { file, part, body };
    let stored = file::upload(id, &access, &upload, &address).await?;
    sweep::later(&stored.database);
    Ok(json(if stored.repeated { 200 } else { 201 }, &json!({"part": part, "bytes": upload.body.len()})))
}
