//! The hub: one task per instance that follows every room this instance streams. It asks each
//! database one question for all of its rooms, reads and encodes new rows once, and writes to all
//! readers itself, so that no wake-up crosses tasks. Handlers only leave readers in the inbox.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use crate::WRITE_DEADLINE;
use buddy_domain::{Error, Mark, comment, frame};
use buddy_platform::database::Database;
use buddy_platform::room::{News, Room};
use buddy_platform::signal::Sent;
use buddy_platform::{Writer, event, now_ms, random, room, settings, signal, sleep, spawn};
use futures::future::{AbortHandle, Either, LocalBoxFuture, abortable, select};
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::json;

/// Bytes that may wait for a reader before it is cut off.
const QUEUE_MAX: usize = 1 << 20;
/// Rows read of a room at one tick.
const ROWS: i64 = 200;
/// How long a room counts as active after an event.
const ACTIVE_MS: i64 = 10_000;
/// How long a database may take to answer the hub.
const POLL_DEADLINE: Duration = Duration::from_secs(10);

thread_local! {
    static INBOX: RefCell<Vec<Reader>> = const { RefCell::new(Vec::new()) };
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    static STREAMS: Cell<i64> = const { Cell::new(0) };
}

/// The settings of streams.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) streams: i64,
    stream_max_ms: i64,
    heartbeat_ms: i64,
    active_ms: i64,
    idle_ms: i64,
}

impl Limits {
    pub(crate) async fn read() -> Result<Self, Error> {
        Ok(Self {
            streams: settings::number("streams_per_instance").await?,
            stream_max_ms: settings::number("stream_max_s").await? * 1000,
            heartbeat_ms: settings::number("heartbeat_s").await?.max(1) * 1000,
            active_ms: settings::number("poll_active_ms").await?.max(1),
            idle_ms: settings::number("poll_idle_ms").await?.max(1),
        })
    }

    /// When a stream that starts now ends itself: plus or minus 10 %, so that not all return at once.
    pub(crate) fn ends_at_ms(&self, now: i64) -> i64 {
        if self.stream_max_ms == 0 {
            return i64::MAX;
        }
        let tenths = i64::from(u32::from_le_bytes(random()) % 2001);
        now + self.stream_max_ms * (9000 + tenths) / 10_000
    }
}

/// One of the streams that an instance may have.
pub(crate) struct Place(());

impl Place {
    pub(crate) fn take(most: i64) -> Result<Self, Error> {
        if STREAMS.get() >= most {
            return Err(Error::Unavailable("streams_per_instance is reached".into()));
        }
        STREAMS.set(STREAMS.get() + 1);
        Ok(Self(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        STREAMS.set(STREAMS.get() - 1);
    }
}

/// A client that follows a room.
pub(crate) struct Reader {
    room: Room,
    /// Absent while a write is under way.
    writer: Option<Writer>,
    last_seq: i64,
    ends_at_ms: i64,
    written_at_ms: i64,
    queue: VecDeque<Rc<[u8]>>,
    queued: usize,
    /// No more frames: the stream ends when the queue is empty.
    ending: bool,
    abort: Option<AbortHandle>,
    _place: Place,
}

impl Reader {
    pub(crate) fn new(room: Room, writer: Writer, last_seq: i64, ends_at_ms: i64, place: Place) -> Self {
        Self {
            room,
            writer: Some(writer),
            last_seq,
            ends_at_ms,
            written_at_ms: now_ms(),
            queue: VecDeque::new(),
            queued: 0,
            ending: false,
            abort: None,
            _place: place,
        }
    }

    fn push(&mut self, frame: &Rc<[u8]>) {
        self.queued += frame.len();
        self.queue.push_back(frame.clone());
    }
}

/// A room that somebody follows.
struct Followed {
    last_seq: i64,
    signal_seq: i64,
    signals_at_ms: i64,
    active_at_ms: i64,
    readers: Vec<u64>,
}

type Key = (String, i64);
type Written = (u64, Option<Writer>);
type Polled = (String, Result<Vec<Update>, Error>);

/// What a tick found out about a room. `None` news: the room is elsewhere or gone.
struct Update {
    id: i64,
    news: Option<News>,
    events: Vec<(i64, Rc<[u8]>)>,
    signals: Option<Rc<[u8]>>,
}

/// Leaves a reader to the hub, and starts one where none runs.
pub(crate) fn join(reader: Reader, limits: Limits) {
    INBOX.with_borrow_mut(|inbox| inbox.push(reader));
    if !RUNNING.replace(true) {
        spawn(Hub::new(limits).run());
    }
}

/// The future's outcome, or `None` after the deadline.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>, deadline: Duration) -> Option<T> {
    match select(pin!(future), pin!(sleep(deadline))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(_) => None,
    }
}

/// All signals of a room in one frame.
pub(crate) fn signal_frame(signals: &[Sent]) -> Vec<u8> {
    signals.iter().flat_map(|signal| frame(None, "signal", signal)).collect()
}

struct Hub {
    limits: Limits,
    rooms: HashMap<Key, Followed>,
    readers: HashMap<u64, Reader>,
    next_reader: u64,
    writes: FuturesUnordered<LocalBoxFuture<'static, Result<Written, u64>>>,
    polls: FuturesUnordered<LocalBoxFuture<'static, Polled>>,
    /// When each database is asked next; absent while it is being asked.
    due: HashMap<String, i64>,
    looked_at_ms: i64,
}

impl Hub {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            rooms: HashMap::new(),
            readers: HashMap::new(),
            next_reader: 0,
            writes: FuturesUnordered::new(),
            polls: FuturesUnordered::new(),
            due: HashMap::new(),
            looked_at_ms: 0,
        }
    }

    async fn run(mut self) {
        loop {
            self.take_inbox();
            // No await between finding the inbox empty and saying that no hub runs.
            if self.readers.is_empty() {
                RUNNING.set(false);
                return;
            }
            let now = now_ms();
            if now - self.looked_at_ms >= 200 {
                self.looked_at_ms = now;
                self.look_after_readers(now);
            }
            self.start_polls(now);
            let next_due = self.due.values().min().map_or(0, |due| due - now);
            let pause = next_due.min(self.limits.idle_ms).max(self.limits.active_ms);
            let tick = sleep(Duration::from_millis(pause.unsigned_abs()));
            let mut tick = pin!(tick);
            loop {
                let step = futures::future::poll_fn(|context| {
                    use std::task::Poll;
                    if let Poll::Ready(Some(written)) = self.writes.poll_next_unpin(context) {
                        return Poll::Ready(Step::Written(written));
                    }
                    if let Poll::Ready(Some(polled)) = self.polls.poll_next_unpin(context) {
                        return Poll::Ready(Step::Polled(polled));
                    }
                    tick.as_mut().poll(context).map(|()| Step::Tick)
                });
                match step.await {
                    Step::Written(written) => self.written(written),
                    Step::Polled(polled) => self.polled(polled),
                    Step::Tick => break,
                }
            }
        }
    }

    fn take_inbox(&mut self) {
        for reader in INBOX.take() {
            let room = &reader.room;
            let key = (room.database.label().to_owned(), room.id);
            let number = self.next_reader;
            self.next_reader += 1;
            let followed = self.rooms.entry(key).or_insert_with(|| Followed {
                last_seq: reader.last_seq,
                signal_seq: room.signal_seq,
                signals_at_ms: 0,
                active_at_ms: now_ms(),
                readers: Vec::new(),
            });
            // Rows between the reader's cursor and the hub's are read again; others skip them.
            followed.last_seq = followed.last_seq.min(reader.last_seq);
            followed.readers.push(number);
            self.due.entry(room.database.label().to_owned()).and_modify(|due| *due = 0).or_insert(0);
            self.readers.insert(number, reader);
        }
    }

    /// Heartbeats, and ends of streams that have lasted long enough.
    fn look_after_readers(&mut self, now: i64) {
        let heartbeat: Rc<[u8]> = comment().into();
        let (mut waiting, mut stuck) = (Vec::new(), Vec::new());
        for (number, reader) in &mut self.readers {
            let silent_ms = now - reader.written_at_ms;
            if reader.writer.is_none() {
                if silent_ms >= WRITE_DEADLINE.as_millis() as i64 {
                    stuck.push(*number);
                }
            } else if now >= reader.ends_at_ms {
                reader.ending = true;
                waiting.push(*number);
            } else if silent_ms >= self.limits.heartbeat_ms {
                reader.push(&heartbeat);
                waiting.push(*number);
            }
        }
        for number in waiting {
            self.write_next(number);
        }
        for number in stuck {
            self.remove(number);
        }
    }

    fn start_polls(&mut self, now: i64) {
        let due: Vec<_> = self.due.iter().filter(|(_, at)| **at <= now).map(|(label, _)| label.clone()).collect();
        for label in due {
            let asked: Vec<_> = self
                .rooms
                .iter()
                .filter(|((database, _), _)| *database == label)
                .map(|((_, id), room)| (*id, room.last_seq, room.signal_seq, room.signals_at_ms <= now))
                .collect();
            self.due.remove(&label);
            if asked.is_empty() {
                continue;
            }
            let database = Database::new(&label);
            self.polls.push(Box::pin(async move {
                let late = || Error::Unavailable(format!("database {}: no answer in time", database.label()));
                let updates = in_time(poll(&database, &asked), POLL_DEADLINE).await.unwrap_or_else(|| Err(late()));
                (label, updates)
            }));
        }
    }

    fn polled(&mut self, (label, updates): Polled) {
        let now = now_ms();
        match updates {
            Ok(updates) => {
                for update in updates {
                    self.update(&label, update, now);
                }
                let active = self
                    .rooms
                    .iter()
                    .any(|((database, _), room)| *database == label && now - room.active_at_ms < ACTIVE_MS);
                let pause = if active { 0 } else { self.limits.idle_ms };
                self.due.insert(label, now + pause);
            }
            // A database error never ends the hub.
            Err(Error::Unavailable(cause)) => {
                eprintln!("stream: {cause}");
                self.due.insert(label, now + 1000);
            }
            Err(_) => {
                self.due.insert(label, now + 1000);
            }
        }
    }

    fn update(&mut self, label: &str, update: Update, now: i64) {
        let Some(room) = self.rooms.get_mut(&(label.to_owned(), update.id)) else { return };
        let numbers = room.readers.clone();
        if let Some((seq, _)) = update.events.last() {
            room.last_seq = room.last_seq.max(*seq);
            room.active_at_ms = now;
        }
        if update.signals.is_some() {
            room.signals_at_ms = now + 1000;
            if let Some(news) = &update.news {
                room.signal_seq = news.signal_seq;
            }
        }
        let closed = match &update.news {
            None => Some(None),
            Some(news) => news.closed.map(Some),
        };
        let last_frame = closed.flatten().map(|reason| Rc::from(frame(None, "closed", &json!({"reason": reason}))));
        for number in numbers {
            let Some(reader) = self.readers.get_mut(&number).filter(|reader| !reader.ending) else { continue };
            for (seq, bytes) in &update.events {
                if *seq <= reader.last_seq {
                    continue;
                }
                if *seq != reader.last_seq + 1 {
                    let last = update.events.last().map_or(*seq, |(last, _)| *last);
                    let data = Mark { log: &reader.room.log, first_seq: *seq, last_seq: last };
                    reader.push(&Rc::from(frame(Some(last), "reset", &data)));
                    reader.last_seq = last;
                    continue;
                }
                reader.last_seq = *seq;
                reader.push(bytes);
            }
            if let Some(signals) = update.signals.as_ref().filter(|frame| !frame.is_empty()) {
                reader.push(signals);
            }
            if let Some(frame) = &last_frame {
                reader.push(frame);
            }
            if closed.is_some() {
                reader.ending = true;
            }
            if reader.queued > QUEUE_MAX {
                self.remove(number);
            } else {
                self.write_next(number);
            }
        }
    }

    /// Starts the reader's next write, or ends its stream.
    fn write_next(&mut self, number: u64) {
        let Some(reader) = self.readers.get_mut(&number) else { return };
        if reader.writer.is_none() {
            return;
        }
        let Some(bytes) = reader.queue.pop_front() else {
            if reader.ending {
                self.remove(number);
            }
            return;
        };
        reader.queued -= bytes.len();
        reader.written_at_ms = now_ms();
        let mut writer = reader.writer.take().expect("checked above");
        let (write, abort) = abortable(async move {
            let sent = writer.send(bytes.to_vec()).await;
            (number, sent.then_some(writer))
        });
        reader.abort = Some(abort);
        self.writes.push(Box::pin(async move { write.await.map_err(|_| number) }));
    }

    fn written(&mut self, written: Result<Written, u64>) {
        let Ok((number, writer)) = written else { return };
        match (self.readers.get_mut(&number), writer) {
            (Some(reader), Some(writer)) => {
                reader.writer = Some(writer);
                self.write_next(number);
            }
            _ => self.remove(number),
        }
    }

    fn remove(&mut self, number: u64) {
        let Some(reader) = self.readers.remove(&number) else { return };
        if let Some(abort) = &reader.abort {
            abort.abort();
        }
        let key = (reader.room.database.label().to_owned(), reader.room.id);
        if let Some(room) = self.rooms.get_mut(&key) {
            room.readers.retain(|other| *other != number);
            if room.readers.is_empty() {
                self.rooms.remove(&key);
            }
        }
    }
}

enum Step {
    Written(Result<Written, u64>),
    Polled(Polled),
    Tick,
}

/// One question for all rooms, then the rows of those that have news.
async fn poll(database: &Database, asked: &[(i64, i64, i64, bool)]) -> Result<Vec<Update>, Error> {
    let ids: Vec<_> = asked.iter().map(|(id, ..)| *id).collect();
    let mut found: HashMap<_, _> = room::news(database, &ids).await?.into_iter().map(|news| (news.id, news)).collect();
    let mut updates = Vec::new();
    for (id, last_seq, signal_seq, signals_due) in asked {
        let news = found.remove(id);
        let mut events = Vec::new();
        let mut signals = None;
        if let Some(news) = &news {
            if news.last_seq > *last_seq {
                for event in event::after(database, *id, 0, *last_seq, ROWS).await? {
                    events.push((event.seq, Rc::from(frame(Some(event.seq), &event.kind, &event))));
                }
            }
            if news.signal_seq > *signal_seq && *signals_due {
                let sent = signal::since(database, *id, *signal_seq).await?;
                signals = Some(Rc::from(signal_frame(&sent)));
            }
        }
        if news.as_ref().is_none_or(|news| news.closed.is_some()) || !events.is_empty() || signals.is_some() {
            updates.push(Update { id: *id, news, events, signals });
        }
    }
    Ok(updates)
}
