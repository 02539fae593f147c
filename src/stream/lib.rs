//! The component that streams a room's log to its readers as server-sent events: replay from a
//! cursor by the request's own task, then the hub, which follows for all readers of the instance.
//!
//! - `hub`: the instance's one task that polls and writes;
//! - `poll`: what it asks of a database;
//! - `reader`: a client, what waits for it, and the end to write to;
//! - `limits`: settings, and how many streams an instance may have.

mod hub;
mod limits;
mod poll;
mod reader;

use std::pin::pin;
use std::time::Duration;

use buddy_domain::{Error, Mark, RoomId, cursor, frame, retry};
use buddy_host::api::{event_stream, preflight};
use buddy_host::http::{Answer, Request, Writer};
use buddy_host::{now_ms, random, sleep, spawn};
use buddy_store::room::Room;
use buddy_store::{event, room, signal, sweep};
use futures::FutureExt;
use futures::future::{Either, LocalBoxFuture, select};

use crate::limits::{Limits, Place};
use crate::reader::Reader;

buddy_host::serve_api!(handle);

const STREAM: &str = "GET, OPTIONS";
/// A client that takes no byte for so long has gone.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(30);

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
    let room = room::read(&id, &request.caller.access()).await?;
    let place = Place::take(&limits)?;
    sweep::later(&room.database);
    let (answer, writer) = event_stream()?;
    spawn(async move {
        if let Some(reader) = replay(room, cursor, writer, place, &limits).await {
            hub::join(reader, limits);
        }
    });
    Ok(answer)
}

/// Greets, sends what is missing, and hands the reader on once it is at the end. `None`: it left.
async fn replay(room: Room, cursor: Option<i64>, writer: Writer, place: Place, limits: &Limits) -> Option<Reader> {
    let mut sender = Sender::new(writer);
    let ends_at_ms = limits.ends_at_ms(now_ms());
    let wanted = cursor.unwrap_or(room.last_seq);
    let known = wanted >= room.first_seq - 1 && wanted <= room.last_seq;
    let mut last_seq = if known { wanted } else { room.last_seq };
    let log = room.log();
    let data = Mark { log: &log, first_seq: room.first_seq, last_seq: room.last_seq };
    let pause = 1000 + u32::from_le_bytes(random()) % 4001;
    let mut greeting = retry(pause);
    greeting.extend(frame(Some(last_seq), if known { "hello" } else { "reset" }, &data));
    sender.send(greeting).await?;

    // A reader at the end needs no connection for long reads.
    let database = if last_seq < room.last_seq { room.database.aside() } else { room.database.clone() };
    let mut first_seq = room.first_seq;
    loop {
        // A failing database ends the replay; the client comes back with its cursor.
        let batch = event::batch_after(&database, &room.key, first_seq, last_seq).await.ok()?;
        for event in batch.events {
            if event.seq != last_seq + 1 {
                last_seq = room.last_seq.max(event.seq);
                let log = room.log();
                let data = Mark { log: &log, first_seq: event.seq, last_seq };
                first_seq = event.seq;
                sender.send(frame(Some(last_seq), "reset", &data)).await?;
                break;
            }
            last_seq = event.seq;
            sender.send(frame(Some(event.seq), &event.kind, &event)).await?;
        }
        if batch.is_last {
            break;
        }
    }
    let signals = signal::since(&room.database, &room.key, 0).await.ok()?;
    if !signals.is_empty() {
        sender.send(poll::signal_frame(&signals)).await?;
    }
    Some(Reader::new(&room, sender.writer, last_seq, ends_at_ms, place))
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

    /// `None`: the client has left, or has taken nothing for one to two deadlines.
    async fn send(&mut self, frame: Vec<u8>) -> Option<()> {
        let mut write = pin!(self.writer.send(frame));
        let mut is_own = false;
        loop {
            match select(write.as_mut(), &mut self.timer).await {
                Either::Left((sent, _)) => return sent.then_some(()),
                Either::Right(_) if is_own => return None,
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
