//! The component that streams a room's log to its readers as server-sent events: replay from a
//! cursor by the request's own task, then the hub, which follows for all readers of the instance.

mod hub;

use std::time::Duration;

use buddy_domain::{Error, Mark, RoomId, cursor, frame, retry};
use buddy_platform::room::Room;
use buddy_platform::{Answer, Request, Writer, event, event_stream, now_ms, preflight, random, room};
use buddy_platform::{signal, spawn, sweep};

buddy_platform::serve!(handle);

const STREAM: &str = "GET, OPTIONS";
/// Rows of one page of replay: with the largest bodies some 2 MB.
const PAGE: i64 = 100;
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
    let limits = hub::Limits::read().await?;
    let room = room::read(&id, &request.caller.access()).await?;
    let place = hub::Place::take(limits.streams)?;
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
async fn replay(
    room: Room,
    cursor: Option<i64>,
    mut writer: Writer,
    place: hub::Place,
    limits: &hub::Limits,
) -> Option<hub::Reader> {
    let ends_at_ms = limits.ends_at_ms(now_ms());
    let wanted = cursor.unwrap_or(room.last_seq);
    let known = wanted >= room.first_seq - 1 && wanted <= room.last_seq;
    let mut last_seq = if known { wanted } else { room.last_seq };
    let data = Mark { log: &room.log, first_seq: room.first_seq, last_seq: room.last_seq };
    let pause = 1000 + u32::from_le_bytes(random()) % 4001;
    let mut greeting = retry(pause);
    greeting.extend(frame(Some(last_seq), if known { "hello" } else { "reset" }, &data));
    send(&mut writer, greeting).await?;

    let mut first_seq = room.first_seq;
    loop {
        // A failing database ends the replay; the client comes back with its cursor.
        let events = event::after(&room.database, room.id, first_seq, last_seq, PAGE).await.ok()?;
        let is_short = (events.len() as i64) < PAGE;
        for event in events {
            if event.seq != last_seq + 1 {
                last_seq = room.last_seq.max(event.seq);
                let data = Mark { log: &room.log, first_seq: event.seq, last_seq };
                first_seq = event.seq;
                send(&mut writer, frame(Some(last_seq), "reset", &data)).await?;
                break;
            }
            last_seq = event.seq;
            send(&mut writer, frame(Some(event.seq), &event.kind, &event)).await?;
        }
        if is_short {
            break;
        }
    }
    let signals = signal::since(&room.database, room.id, 0).await.ok()?;
    if !signals.is_empty() {
        send(&mut writer, hub::signal_frame(&signals)).await?;
    }
    Some(hub::Reader::new(room, writer, last_seq, ends_at_ms, place))
}

async fn send(writer: &mut Writer, frame: Vec<u8>) -> Option<()> {
    hub::in_time(writer.send(frame), WRITE_DEADLINE).await.filter(|sent| *sent).map(drop)
}
