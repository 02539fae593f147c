//! The component that streams a room's log to its readers as server-sent events: replay from a
//! cursor by the request's own task, then the hub, which follows for all readers of the instance.
//!
//! - `arrival`: access, asked once for all who arrive together;
//! - `hub`: the instance's one task that polls and writes;
//! - `poll`: what it asks of a database;
//! - `reader`: a client, what waits for it, and the end to write to;
//! - `limits`: settings, and how many streams an instance may have.

mod arrival;
mod hub;
mod limits;
mod poll;
mod reader;

use std::pin::pin;
use std::time::Duration;

use buddy_domain::{Error, Mark, RoomId, cursor, frame, retry};
use buddy_host::api::{event_stream, preflight};
use buddy_host::http::{Answer, Request, Writer};
use buddy_host::{log, now_ms, random, sleep, spawn};
use buddy_store::room::{Room, find_again};
use buddy_store::{event, signal, sweep, tally};
use futures::FutureExt;
use futures::future::{Either, LocalBoxFuture, select};

use crate::limits::{Limits, Place};
use crate::poll::End;
use crate::reader::Reader;

buddy_host::serve_api!(handle, tally::refused);

const STREAM: &str = "GET, OPTIONS";
/// A client that takes no byte for so long has gone.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// What waits for a reader leaves in chunks of whole events, of so many bytes at most unless one event alone has
/// more: a write costs the host far more than its bytes.
pub(crate) const CHUNK_MAX: usize = 64 << 10;

async fn handle(request: Request) -> Result<Answer, Error> {
    let ["api", "rooms", id, "stream"] = request.caller.segments()[..] else { return Err(Error::NotFound) };
    match request.caller.method.as_str() {
        "GET" => {}
        "OPTIONS" => return Ok(preflight(STREAM)),
        _ => return Err(Error::MethodNotAllowed(STREAM)),
    }
    let id = RoomId::parse(id)?;
    let last_event_id = match request.caller.headers.get("last-event-id") {
        Some(value) => Some(value.to_str().map_err(|_| Error::invalid("Last-Event-ID must be a whole number."))?),
        None => None,
    };
    let cursor = cursor(last_event_id, &request.caller.query)?;
    let limits = Limits::read().await?;
    let room = arrival::read(&id, &request.caller.access()).await?;
    let place = Place::take(&limits)?;
    sweep::later(&room.database);
    let (answer, writer) = event_stream()?;
    spawn(async move {
        match replay(id, room, cursor, writer, place, &limits).await {
            Ok(reader) => hub::join(reader, limits),
            // The client comes back with its cursor.
            Err(Ended::Failed(Error::Unavailable(cause))) => log(format_args!("a replay ends: {cause}")),
            Err(Ended::Failed(error)) => log(format_args!("a replay ends: {error}")),
            Err(Ended::Left | Ended::Closed) => {}
        }
    });
    Ok(answer)
}

/// Why a stream ended before its reader had reached the end of the log.
enum Ended {
    /// The client has left, or takes nothing.
    Left,
    /// The room is not to be followed here any longer, as the client was told.
    Closed,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Greets, sends what is missing, and gives the reader back once it is at the end.
async fn replay(
    id: RoomId,
    mut room: Room,
    cursor: Option<i64>,
    writer: Writer,
    place: Place,
    limits: &Limits,
) -> Result<Reader, Ended> {
    let mut sender = Sender::new(writer);
    let ends_at_ms = limits.ends_at_ms(now_ms());
    let wanted = cursor.unwrap_or(room.last_seq);
    let known = wanted >= room.first_seq - 1 && wanted <= room.last_seq;
    let mut last_seq = if known { wanted } else { room.last_seq };
    let log = room.log();
    let data = Mark { log: &log, first_seq: room.first_seq, last_seq: room.last_seq, stream_max_s: limits.short_s() };
    let pause = 1000 + u32::from_le_bytes(random()) % 4001;
    let mut greeting = retry(pause);
    greeting.extend(frame(Some(last_seq), if known { "hello" } else { "reset" }, &data));
    sender.send(greeting).await?;

    // What a short absence missed is read as quickly as over a second connection, which has to be opened first.
    let is_long = room.last_seq - last_seq > event::BATCH_ROWS;
    let aside = |room: &Room| if is_long { room.database.aside() } else { room.database.clone() };
    let mut database = aside(&room);
    let mut first_seq = room.first_seq;
    // What is said from now on comes from the hub: a reader at the end asks nothing here.
    let mut is_behind = last_seq < room.last_seq;
    while is_behind {
        let batch = event::batch_after(&database, &room.key, first_seq, last_seq, false).await?;
        // The client may have taken so long over what came before that the room has gone meanwhile.
        if batch.events.is_empty()
            && let Some(end) = poll::end(&database, &room.key).await?
        {
            if let End::Closed(frame) = end {
                sender.send(frame.to_vec()).await?;
                return Err(Ended::Closed);
            }
            let Some((found, key)) = find_again(&id, room.key.log).await? else { return Err(Ended::Closed) };
            (room.database, room.key) = (found, key);
            database = aside(&room);
            continue;
        }
        let mut chunk = Vec::new();
        for event in batch.events {
            // Nothing of a later epoch is for this token, but what began it.
            if event.epoch > room.epoch {
                if event.kind == "rotate" && event.seq == last_seq + 1 {
                    chunk.extend(frame(Some(event.seq), &event.kind, &event));
                }
                chunk.extend_from_slice(&poll::renewed());
                sender.send(chunk).await?;
                return Err(Ended::Closed);
            }
            if event.seq != last_seq + 1 {
                last_seq = room.last_seq.max(event.seq);
                let log = room.log();
                let data = Mark { log: &log, first_seq: event.seq, last_seq, stream_max_s: None };
                first_seq = event.seq;
                chunk.extend(frame(Some(last_seq), "reset", &data));
                break;
            }
            last_seq = event.seq;
            let frame = frame(Some(event.seq), &event.kind, &event);
            if chunk.len() + frame.len() > CHUNK_MAX {
                sender.send(std::mem::take(&mut chunk)).await?;
            }
            chunk.extend(frame);
        }
        if !chunk.is_empty() {
            sender.send(chunk).await?;
        }
        is_behind = !batch.is_last;
    }
    if room.signal_seq > 0 {
        let signals = signal::since(&room.database, &room.key, 0).await?;
        if !signals.is_empty() {
            sender.send(poll::signal_frame(&signals)).await?;
        }
    }
    Ok(Reader::new(id, &room, sender.writer, last_seq, ends_at_ms, place))
}

/// Writes a replay's frames, and gives a client up that takes none of them for long enough.
struct Sender {
    writer: Writer,
    /// Shared by many writes: a timer for each would cost more than most of them.
    timer: LocalBoxFuture<'static, ()>,
}

impl Sender {
    fn new(writer: Writer) -> Self {
        Self { writer, timer: sleep(WRITE_DEADLINE).boxed_local() }
    }

    /// # Errors
    /// `Left`: the client has left, or has taken nothing for one to two deadlines.
    async fn send(&mut self, frame: Vec<u8>) -> Result<(), Ended> {
        let mut write = pin!(self.writer.send(frame));
        let mut is_own = false;
        loop {
            match select(write.as_mut(), &mut self.timer).await {
                Either::Left((sent, _)) => return if sent { Ok(()) } else { Err(Ended::Left) },
                Either::Right(_) if is_own => return Err(Ended::Left),
                // Earlier writes had their share of this time.
                Either::Right(_) => self.timer = sleep(WRITE_DEADLINE).boxed_local(),
            }
            is_own = true;
        }
    }
}

/// The future's outcome, or `None` after the deadline.
async fn in_time<T>(future: impl Future<Output = T>, deadline: Duration) -> Option<T> {
    match select(pin!(future), pin!(sleep(deadline))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(_) => None,
    }
}
