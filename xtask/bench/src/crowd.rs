//! Many readers of streams on one thread, at a few microseconds an event, so that what is measured is
//! the server and not the crowd.

use std::collections::VecDeque;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};

use crate::http::Address;
use crate::latency::Latencies;
use crate::room;
use crate::stream_bytes::{Said, StreamBytes};

/// How readers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrival {
    /// A few at a time, as over a day
    Gentle,
    /// All at once: every request is under way before the first answer is read
    Herd,
    /// All at once, from where they were when the server was killed and started again
    Resumed,
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().expect("none is skipped").get_name())
    }
}

impl Arrival {
    /// How many readers may wait for their `hello` at once. Spin lets an instance have 16 requests that
    /// it has not answered; with more it starts further ones.
    fn greeted_at_once(self) -> usize {
        match self {
            Self::Gentle => 8,
            Self::Herd | Self::Resumed => usize::MAX,
        }
    }
}

/// How long all readers together may take for what they wait for, beyond the time it should take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long nothing at all may come before what is missing is given up.
const STANDSTILL: Duration = Duration::from_secs(10);

/// When each event's post began, so that whoever receives it knows how long it took.
pub(crate) struct Starts {
    zero: Instant,
    /// Per room, from the first measured sequence on: nanoseconds after `zero`; 0 is unknown.
    rooms: Vec<(u64, Vec<AtomicU64>)>,
}

impl Starts {
    /// For rooms whose last sequence is known, and at most `count` posts to each.
    pub(crate) fn new(last: &[u64], count: usize) -> Self {
        let table = |last: &u64| (last + 1, (0..count).map(|_| AtomicU64::new(0)).collect());
        Self { zero: Instant::now(), rooms: last.iter().map(table).collect() }
    }

    /// Notes that the post that will have this sequence begins now.
    pub(crate) fn begin(&self, room: usize, seq: u64) {
        if let Some(cell) = self.cell(room, seq) {
            let now = u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX);
            cell.store(now.max(1), Ordering::Release);
        }
    }

    fn began(&self, room: usize, seq: u64) -> Option<Instant> {
        let nanos = self.cell(room, seq)?.load(Ordering::Acquire);
        (nanos > 0).then(|| self.zero + Duration::from_nanos(nanos))
    }

    fn cell(&self, room: usize, seq: u64) -> Option<&AtomicU64> {
        let (first, cells) = self.rooms.get(room)?;
        cells.get(usize::try_from(seq.checked_sub(*first)?).ok()?)
    }
}

/// Readers, spread evenly over rooms.
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    readers: Vec<Reader>,
    buffer: Vec<u8>,
    pub(crate) received: Received,
}

struct Reader {
    socket: TcpStream,
    room: usize,
    bytes: StreamBytes,
    greeted: bool,
    last: u64,
    open: bool,
}

/// What the readers received since this was last taken away.
pub(crate) struct Received {
    pub(crate) latencies: Latencies,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    /// Events that came twice, too early or not in order, streams that said `reset` or `closed`, and
    /// streams that ended.
    pub(crate) faults: u64,
    /// Why the first of the ended streams ended.
    pub(crate) first_end: Option<String>,
}

impl Received {
    fn new() -> Self {
        Self { latencies: Latencies::new(), events: 0, bytes: 0, faults: 0, first_end: None }
    }
}

impl Crowd {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            readers: Vec::new(),
            buffer: vec![0; 256 * 1024],
            received: Received::new(),
        })
    }

    /// Adds readers that follow from after `cursor`, or else from the live end, and waits until the last
    /// one has got its `hello`. Returns how long that took.
    pub(crate) fn join(
        &mut self,
        address: &Address,
        rooms: &[String],
        count: usize,
        cursor: Option<u64>,
        arrival: Arrival,
    ) -> Result<Duration> {
        let cursors = (0..count).map(|index| (index % rooms.len(), cursor)).collect();
        self.arrive(address, rooms, cursors, arrival)
    }

    /// Ends all streams at once.
    pub(crate) fn cut(&mut self) -> Vec<(usize, Option<u64>)> {
        self.readers.drain(..).map(|reader| (reader.room, Some(reader.last))).collect()
    }

    /// Adds readers, each of a room by its index and with a cursor. The clock runs from the first
    /// connection to the last `hello`.
    pub(crate) fn arrive(
        &mut self,
        address: &Address,
        rooms: &[String],
        cursors: Vec<(usize, Option<u64>)>,
        arrival: Arrival,
    ) -> Result<Duration> {
        let count = cursors.len();
        let started = Instant::now();
        let deadline = started + PATIENCE + Duration::from_millis(20) * u32::try_from(count)?;
        let mut waiting = VecDeque::new();
        for (index, (room, cursor)) in cursors.into_iter().enumerate() {
            waiting.push_back(self.connect(address, rooms, room, cursor)?);
            while waiting.len() >= arrival.greeted_at_once() || (index + 1 == count && !waiting.is_empty()) {
                self.turn(None, Duration::from_millis(10))?;
                waiting.retain(|reader: &usize| !self.readers[*reader].greeted);
                if let Some(end) = &self.received.first_end {
                    bail!("a reader was lost while {count} joined: {end}");
                }
                if Instant::now() > deadline {
                    bail!("{} of {count} readers got no hello in time", waiting.len() + count - index - 1);
                }
            }
        }
        Ok(started.elapsed())
    }

    fn connect(&mut self, address: &Address, rooms: &[String], room: usize, cursor: Option<u64>) -> Result<usize> {
        let mut socket = address.connect()?;
        let cursor = cursor.map(|cursor| format!("last-event-id: {cursor}\r\n")).unwrap_or_default();
        let path = room::stream_path(address.service, &rooms[room]);
        write!(socket, "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n{cursor}\r\n", address.host())?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        let index = self.readers.len();
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
        self.readers.push(Reader { socket, room, bytes: StreamBytes::default(), greeted: false, last: 0, open: true });
        Ok(index)
    }

    /// Reads for this long.
    pub(crate) fn listen_for(&mut self, duration: Duration) -> Result<()> {
        let until = Instant::now() + duration;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.turn(None, left)?;
        }
        Ok(())
    }

    /// Reads until `last` tells each room's last sequence and every reader has got that far, or until
    /// they do not get on any more or take too long. Returns how many events are missing then.
    pub(crate) fn listen_until(&mut self, starts: Option<&Starts>, last: impl Fn() -> Option<Vec<u64>>) -> Result<u64> {
        let mut known = None;
        let mut published = Instant::now();
        let mut progress = (0, published);
        loop {
            self.turn(starts, Duration::from_millis(20))?;
            if known.is_none() {
                known = last();
                published = Instant::now();
                progress.1 = published;
            }
            if self.received.events > progress.0 {
                progress = (self.received.events, Instant::now());
            }
            let Some(last) = &known else { continue };
            let missing = self.readers.iter().map(|reader| last[reader.room].saturating_sub(reader.last)).sum();
            if missing == 0 || progress.1.elapsed() > STANDSTILL || published.elapsed() > PATIENCE {
                return Ok(missing);
            }
        }
    }

    /// What was received since the last call.
    pub(crate) fn take_received(&mut self) -> Received {
        std::mem::replace(&mut self.received, Received::new())
    }

    pub(crate) fn still_open(&self) -> usize {
        self.readers.iter().filter(|reader| reader.open).count()
    }

    /// The sequence that the readers of each room have reached.
    pub(crate) fn last(&self, rooms: usize) -> Vec<u64> {
        let mut last = vec![0; rooms];
        for reader in &self.readers {
            last[reader.room] = reader.last.max(last[reader.room]);
        }
        last
    }

    /// Waits for news, at most this long, and reads it.
    fn turn(&mut self, starts: Option<&Starts>, timeout: Duration) -> Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout)) {
            if error.kind() == ErrorKind::Interrupted {
                return Ok(());
            }
            return Err(error).context("waiting for streams");
        }
        for event in &self.events {
            let reader = &mut self.readers[event.token().0];
            while reader.open {
                match reader.socket.read(&mut self.buffer) {
                    Ok(0) => reader.end("the server closed the connection", &mut self.received),
                    Ok(count) => {
                        self.received.bytes += count as u64;
                        reader.take(&self.buffer[..count], starts, &mut self.received);
                        // There was no more just now, and what comes later is announced again, but
                        // an end that is announced already is not.
                        if count < self.buffer.len() && !event.is_read_closed() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => reader.end(&error.to_string(), &mut self.received),
                }
            }
        }
        Ok(())
    }
}

impl Reader {
    fn take(&mut self, bytes: &[u8], starts: Option<&Starts>, received: &mut Received) {
        let now = Instant::now();
        let Self { bytes: stream, room, greeted, last, .. } = self;
        let result = stream.take(bytes, |said| match said {
            Said::Hello(seq) => {
                *greeted = true;
                *last = seq;
            }
            Said::Event(seq) => {
                received.events += 1;
                if seq != *last + 1 {
                    received.faults += 1;
                }
                *last = seq;
                if let Some(began) = starts.and_then(|starts| starts.began(*room, seq)) {
                    received.latencies.record(now.saturating_duration_since(began));
                }
            }
            Said::Broken => received.faults += 1,
        });
        if let Err(error) = result {
            self.end(&error.to_string(), received);
        }
    }

    fn end(&mut self, why: &str, received: &mut Received) {
        self.open = false;
        received.faults += 1;
        received.first_end.get_or_insert_with(|| why.to_owned());
    }
}
