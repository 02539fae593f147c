//! What the hub asks of a database: one question for all rooms, then what is new in those that have
//! news, read and encoded once for all readers.

use std::rc::Rc;
use std::time::Duration;

use buddy_domain::{Error, SentSignal, frame};
use buddy_store::database::Database;
use buddy_store::room::{Known, News, RowKey};
use buddy_store::{event, room, signal};
use serde_json::json;

use crate::in_time;

/// How long a database may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A room as the hub knows it.
pub(crate) struct Asked {
    pub(crate) known: Known,
    /// Signals are gathered: whether it is time for the next ones.
    pub(crate) signals_due: bool,
}

/// An event as every reader gets it.
pub(crate) struct Framed {
    pub(crate) seq: i64,
    /// Of a room with keys.
    pub(crate) epoch: Option<i64>,
    /// It begins that epoch.
    pub(crate) renews: bool,
    pub(crate) bytes: Rc<[u8]>,
}

/// All new signals of a room in one frame, which may be empty.
pub(crate) struct Signals {
    pub(crate) frame: Rc<[u8]>,
    /// The room's signal sequence when they were read, or an earlier one.
    pub(crate) seq: i64,
    /// Somebody is about to say something.
    pub(crate) typing: bool,
}

/// What is new in a room.
pub(crate) struct Update {
    pub(crate) room: RowKey,
    /// The events are those after this sequence,
    pub(crate) after: i64,
    /// up to this one, as far as they are still shown.
    pub(crate) last_seq: i64,
    pub(crate) events: Vec<Framed>,
    /// A batch is bounded: later events wait in the database.
    pub(crate) has_more: bool,
    /// That of the room's newest renewal.
    pub(crate) rotate_seq: i64,
    pub(crate) signals: Option<Signals>,
    pub(crate) end: Option<End>,
}

/// The room is not to be followed here any longer.
pub(crate) enum End {
    /// It is no more; the frame says so.
    Closed(Rc<[u8]>),
    /// Its row is not here any more: its slot went to another database, or it was swept.
    Elsewhere,
}

impl End {
    fn of(news: &News) -> Option<Self> {
        match news {
            News::Closed { reason, farewell } => {
                let mut data = json!({"reason": reason});
                if let Some(farewell) = farewell {
                    data["farewell"] = farewell.as_str().into();
                }
                Some(Self::Closed(frame(None, "closed", &data).into()))
            }
            News::Elsewhere => Some(Self::Elsewhere),
            News::Moved { .. } => None,
        }
    }
}

/// What a stream ends with whose token is of an earlier epoch by now.
pub(crate) fn renewed() -> Rc<[u8]> {
    frame(None, "closed", &json!({"reason": "renewed"})).into()
}

/// # Errors
/// `Unavailable`, also where the database takes too long.
pub(crate) async fn poll(database: Database, asked: Vec<Asked>) -> Result<Vec<Update>, Error> {
    let late = || Error::Unavailable(format!("database {}: no answer in time", database.label()));
    in_time(updates(&database, asked), DEADLINE).await.unwrap_or_else(|| Err(late()))
}

async fn updates(database: &Database, asked: Vec<Asked>) -> Result<Vec<Update>, Error> {
    let (known, due): (Vec<_>, Vec<_>) = asked.into_iter().map(|asked| (asked.known, asked.signals_due)).unzip();
    let news = room::news(database, &known).await?;
    let mut updates = Vec::new();
    for (room, signals_due) in known.into_iter().zip(due) {
        let Some(news) = news.get(&room.key.id) else { continue };
        let mut update = Update {
            room: room.key,
            after: room.last_seq,
            last_seq: room.last_seq,
            events: Vec::new(),
            has_more: false,
            rotate_seq: 0,
            signals: None,
            end: None,
        };
        update.end = End::of(news);
        match news {
            News::Closed { .. } => {
                // What was said last comes before the farewell.
                update.events = framed(database, &room).await?;
                update.last_seq = update.events.last().map_or(room.last_seq, |last| last.seq);
            }
            News::Elsewhere => {}
            News::Moved { last_seq, signal_seq, rotate_seq } => {
                update.rotate_seq = *rotate_seq;
                if *last_seq > room.last_seq {
                    update.events = framed(database, &room).await?;
                    update.last_seq = update.events.last().map_or(*last_seq, |last| last.seq);
                    // Its slot may have gone between the two statements.
                    if update.events.is_empty()
                        && let Some(end) = end(database, &room.key).await?
                    {
                        (update.last_seq, update.end) = (room.last_seq, Some(end));
                    }
                    update.has_more = update.end.is_none() && update.last_seq < *last_seq;
                }
                if *signal_seq > room.signal_seq && signals_due {
                    let sent = signal::since(database, &room.key, room.signal_seq).await?;
                    let typing = sent.iter().any(|signal| signal.kind == "typing");
                    update.signals = Some(Signals { frame: signal_frame(&sent).into(), seq: *signal_seq, typing });
                }
            }
        }
        updates.push(update);
    }
    Ok(updates)
}

/// Whether a room is still to be followed here.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn end(database: &Database, room: &RowKey) -> Result<Option<End>, Error> {
    let known = Known { key: *room, last_seq: 0, signal_seq: 0 };
    let news = room::news(database, &[known]).await?;
    Ok(news.get(&room.id).and_then(End::of))
}

async fn framed(database: &Database, room: &Known) -> Result<Vec<Framed>, Error> {
    let batch = event::batch_after(database, &room.key, 0, room.last_seq, true).await?;
    let framed = |event: &buddy_domain::Event| Framed {
        seq: event.seq,
        epoch: event.epoch,
        renews: event.kind == "rotate",
        bytes: frame(Some(event.seq), &event.kind, event).into(),
    };
    Ok(batch.events.iter().map(framed).collect())
}

/// All signals of a room in one frame.
pub(crate) fn signal_frame(signals: &[SentSignal]) -> Vec<u8> {
    signals.iter().flat_map(|signal| frame(None, "signal", signal)).collect()
}
