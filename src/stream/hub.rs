//! The hub: one task per instance that follows every room this instance streams. It asks each
//! database one question for all of its rooms, reads and encodes new rows once, and writes to all
//! readers itself, so that no wake-up crosses tasks. Handlers only leave readers in the inbox.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use buddy_domain::{Error, comment};
use buddy_host::{log, now_ms, sleep, spawn};
use buddy_store::database::Database;
use buddy_store::room::{Known, RowKey, find_again};
use futures::future::{LocalBoxFuture, poll_fn};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::WRITE_DEADLINE;
use crate::limits::Limits;
use crate::poll::{Asked, End, Update, poll};
use crate::reader::{Next, Reader, Written};

/// How long a room counts as active after an event, or while somebody types.
const ACTIVE_MS: i64 = 10_000;
/// How long signals are gathered into one frame.
const SIGNALS_MS: i64 = 1000;
/// How often readers are looked through for those that need a heartbeat or an end.
const LOOK_MS: i64 = 200;
/// How long a database that failed is left alone.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// A database is asked again only after so many times what its answers take. Where many hubs ask at once, or the
/// machine is slow, answers take longer, and all find a pace at which they leave it time for other work.
const PACE: u32 = 10;
/// After a batch that left rows behind, the next one is read so soon, however seldom there is usually a look.
const NEXT_BATCH: Duration = Duration::from_millis(5);

thread_local! {
    static INBOX: RefCell<Vec<Reader>> = const { RefCell::new(Vec::new()) };
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Leaves a reader to the hub, and starts one where none runs.
pub(crate) fn join(reader: Reader, limits: Limits) {
    INBOX.with_borrow_mut(|inbox| inbox.push(reader));
    if !RUNNING.replace(true) {
        spawn(Hub::new(limits).run());
    }
}

/// A room that somebody follows.
struct Followed {
    /// The sequence that all of its readers have reached.
    last_seq: i64,
    signal_seq: i64,
    signals_at_ms: i64,
    /// It is not here any more, and is being looked for.
    is_missing: bool,
    readers: BTreeSet<u64>,
}

/// The followed rooms of one database, by their rows.
struct Source {
    rooms: HashMap<RowKey, Followed>,
    active_until_ms: i64,
    /// When it is asked next; `None` while it is being asked.
    due: Option<Instant>,
    /// How long its answers take of late.
    answers_take: Duration,
}

/// A database's answer and how long it took.
type Polled = (Database, Result<Vec<Update>, Error>, Duration);

/// A room that is not where it was, and where it is now, if it is anywhere.
type Found = (Database, RowKey, Result<Option<(Database, RowKey)>, Error>);

struct Hub {
    limits: Limits,
    sources: HashMap<Database, Source>,
    readers: HashMap<u64, Reader>,
    next_reader: u64,
    writes: FuturesUnordered<LocalBoxFuture<'static, Written>>,
    polls: FuturesUnordered<LocalBoxFuture<'static, Polled>>,
    searches: FuturesUnordered<LocalBoxFuture<'static, Found>>,
    looked_at_ms: i64,
}

impl Drop for Hub {
    /// However a hub ends, the next reader starts another one.
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

enum Step {
    Written(Written),
    Polled(Polled),
    Found(Found),
    Tick,
}

impl Hub {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            sources: HashMap::new(),
            readers: HashMap::new(),
            next_reader: 0,
            writes: FuturesUnordered::new(),
            polls: FuturesUnordered::new(),
            searches: FuturesUnordered::new(),
            looked_at_ms: 0,
        }
    }

    async fn run(mut self) {
        loop {
            self.take_inbox();
            // No await between finding the inbox empty and, by dropping this, saying that no hub runs.
            if self.readers.is_empty() {
                return;
            }
            let ticked = Instant::now();
            self.look_after_readers();
            self.start_polls(ticked);
            // Counted from tick to tick, so that what a tick does makes no tick later.
            let due = self.sources.values().filter_map(|source| source.due).min();
            let pause = due.map_or(Duration::ZERO, |due| due.saturating_duration_since(ticked));
            let next = ticked + pause.clamp(NEXT_BATCH.min(self.limits.active), self.limits.idle);
            let mut tick = pin!(sleep(next.saturating_duration_since(Instant::now())));
            loop {
                match self.step(tick.as_mut()).await {
                    Step::Written((number, Some(writer))) => {
                        if let Some(reader) = self.readers.get_mut(&number) {
                            reader.written(writer);
                            self.write_next(number);
                        }
                    }
                    Step::Written((number, None)) => self.remove(number),
                    Step::Polled((database, updates, took)) => {
                        if self.polled(&database, updates, took) {
                            break;
                        }
                    }
                    Step::Found(found) => self.found(found),
                    Step::Tick => break,
                }
            }
        }
    }

    async fn step(&mut self, mut tick: Pin<&mut impl Future<Output = ()>>) -> Step {
        poll_fn(|context| {
            if let Poll::Ready(Some(written)) = self.writes.poll_next_unpin(context) {
                return Poll::Ready(Step::Written(written));
            }
            if let Poll::Ready(Some(polled)) = self.polls.poll_next_unpin(context) {
                return Poll::Ready(Step::Polled(polled));
            }
            if let Poll::Ready(Some(found)) = self.searches.poll_next_unpin(context) {
                return Poll::Ready(Step::Found(found));
            }
            tick.as_mut().poll(context).map(|()| Step::Tick)
        })
        .await
    }

    fn take_inbox(&mut self) {
        for reader in INBOX.take() {
            let number = self.next_reader;
            self.next_reader += 1;
            let now = Instant::now();
            let source = self.source(&reader.database);
            source.active_until_ms = source.active_until_ms.max(reader.last_at_ms + ACTIVE_MS);
            // What came since the reader's replay is not to wait for an idle tick.
            source.due = source.due.map(|_| now);
            let room = source.rooms.entry(reader.room).or_insert_with(|| Followed {
                last_seq: reader.last_seq,
                signal_seq: reader.signal_seq,
                signals_at_ms: 0,
                is_missing: false,
                readers: BTreeSet::new(),
            });
            // Rows between the reader's cursor and the hub's are read again; others skip them.
            room.last_seq = room.last_seq.min(reader.last_seq);
            room.readers.insert(number);
            self.readers.insert(number, reader);
        }
    }

    /// Heartbeats, ends of streams that have lasted long enough, and of those that take nothing.
    fn look_after_readers(&mut self) {
        let now = now_ms();
        if now - self.looked_at_ms < LOOK_MS {
            return;
        }
        self.looked_at_ms = now;
        let heartbeat = comment().into();
        let (mut waiting, mut stuck) = (Vec::new(), Vec::new());
        for (number, reader) in &mut self.readers {
            let silent_ms = now - reader.written_at_ms;
            if reader.is_writing() {
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

    fn start_polls(&mut self, ticked: Instant) {
        let now = now_ms();
        for (database, source) in &mut self.sources {
            if source.due.is_none_or(|due| due > ticked) {
                continue;
            }
            source.due = None;
            let asked = source.rooms.iter().filter(|(_, room)| !room.is_missing).map(|(key, room)| Asked {
                known: Known { key: *key, last_seq: room.last_seq, signal_seq: room.signal_seq },
                signals_due: room.signals_at_ms <= now,
            });
            let asked = asked.collect();
            let database = database.clone();
            self.polls.push(Box::pin(async move {
                let updates = poll(database.clone(), asked).await;
                (database, updates, ticked.elapsed())
            }));
        }
    }

    /// Whether the database has more, which is to be read before the next tick.
    fn polled(&mut self, database: &Database, updates: Result<Vec<Update>, Error>, took: Duration) -> bool {
        let mut has_more = false;
        let pause = match updates {
            Ok(updates) => {
                for update in updates {
                    self.update(database, &update);
                    has_more |= update.has_more;
                }
                match self.sources.get_mut(database) {
                    Some(source) if now_ms() < source.active_until_ms => {
                        source.answers_take = (source.answers_take * 3 + took) / 4;
                        (source.answers_take * PACE).clamp(self.limits.active, self.limits.idle)
                    }
                    _ => self.limits.idle,
                }
            }
            // A database error never ends the hub.
            Err(error) => {
                if let Error::Unavailable(cause) = error {
                    log(format_args!("stream: {cause}"));
                }
                FAILED_PAUSE
            }
        };
        if let Some(source) = self.sources.get_mut(database) {
            source.due = Some(Instant::now() + if has_more { NEXT_BATCH.min(pause) } else { pause });
        }
        has_more
    }

    /// Hands what is new in a room to its readers.
    fn update(&mut self, database: &Database, update: &Update) {
        let Some(source) = self.sources.get_mut(database) else { return };
        let Some(room) = source.rooms.get_mut(&update.room) else { return };
        if let Some(End::Elsewhere) = update.end {
            return self.search(database, update.room);
        }
        let now = now_ms();
        if !update.events.is_empty() || update.signals.as_ref().is_some_and(|signals| signals.typing) {
            source.active_until_ms = now + ACTIVE_MS;
        }
        if let Some(signals) = &update.signals {
            room.signals_at_ms = now + SIGNALS_MS;
            room.signal_seq = signals.seq;
        }
        let numbers: Vec<_> = room.readers.iter().copied().collect();
        let mut reached = i64::MAX;
        for number in &numbers {
            let Some(reader) = self.readers.get_mut(number).filter(|reader| !reader.ending) else { continue };
            reader.push_update(update);
            reached = reached.min(reader.last_seq);
        }
        if reached < i64::MAX {
            room.last_seq = reached;
        }
        for number in numbers {
            if self.readers.get(&number).is_some_and(Reader::is_overrun) {
                self.remove(number);
            } else {
                self.write_next(number);
            }
        }
    }

    /// Looks for a room whose slot has gone to another database.
    fn search(&mut self, database: &Database, key: RowKey) {
        let Some(room) = self.sources.get_mut(database).and_then(|source| source.rooms.get_mut(&key)) else { return };
        let id = room.readers.first().and_then(|number| self.readers.get(number)).map(|reader| reader.id);
        let Some(id) = id.filter(|_| !room.is_missing) else { return };
        room.is_missing = true;
        let database = database.clone();
        self.searches.push(Box::pin(async move {
            let found = find_again(&id, key.log).await;
            if found.is_err() {
                sleep(FAILED_PAUSE).await;
            }
            (database, key, found)
        }));
    }

    /// Readers go on where their room is now; nothing that was said meanwhile is passed over.
    fn found(&mut self, (database, key, found): Found) {
        let Some(source) = self.sources.get_mut(&database) else { return };
        let Some(mut room) = source.rooms.remove(&key) else { return };
        room.is_missing = false;
        let (place, new_key) = match found {
            Ok(Some(place)) => place,
            Ok(None) => {
                let numbers = room.readers.clone();
                source.rooms.insert(key, room);
                for number in numbers {
                    if let Some(reader) = self.readers.get_mut(&number) {
                        reader.ending = true;
                    }
                    self.write_next(number);
                }
                return;
            }
            // It is asked for once more where it was, and looked for again.
            Err(error) => {
                if let Error::Unavailable(cause) = error {
                    log(format_args!("stream: {cause}"));
                }
                source.rooms.insert(key, room);
                return;
            }
        };
        if source.rooms.is_empty() {
            self.sources.remove(&database);
        }
        for number in &room.readers {
            if let Some(reader) = self.readers.get_mut(number) {
                (reader.database, reader.room) = (place.clone(), new_key);
            }
        }
        let now = Instant::now();
        let source = self.source(&place);
        source.due = source.due.map(|_| now);
        match source.rooms.get_mut(&new_key) {
            // Somebody has found it already.
            Some(known) => {
                known.last_seq = known.last_seq.min(room.last_seq);
                known.readers.append(&mut room.readers);
            }
            None => drop(source.rooms.insert(new_key, room)),
        }
    }

    /// What is followed of a database.
    fn source(&mut self, database: &Database) -> &mut Source {
        self.sources.entry(database.clone()).or_insert_with(|| Source {
            rooms: HashMap::new(),
            active_until_ms: 0,
            due: Some(Instant::now()),
            answers_take: Duration::ZERO,
        })
    }

    /// Starts the reader's next write, or ends its stream.
    fn write_next(&mut self, number: u64) {
        match self.readers.get_mut(&number).map(|reader| reader.next(number)) {
            Some(Next::Write(write)) => self.writes.push(write),
            Some(Next::End) => self.remove(number),
            Some(Next::Nothing) | None => {}
        }
    }

    fn remove(&mut self, number: u64) {
        let Some(reader) = self.readers.remove(&number) else { return };
        let Some(source) = self.sources.get_mut(&reader.database) else { return };
        if let Some(room) = source.rooms.get_mut(&reader.room) {
            room.readers.remove(&number);
            if room.readers.is_empty() {
                source.rooms.remove(&reader.room);
            }
        }
        if source.rooms.is_empty() {
            self.sources.remove(&reader.database);
        }
    }
}
