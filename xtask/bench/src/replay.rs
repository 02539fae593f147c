//! How fast a reader who was away gets what it missed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::crowd::{Arrival, Crowd};
use crate::http::Address;
use crate::room::{self, Writer};
use crate::server::Server;

/// As many as fill a room quickly without waiting for each other.
const WRITERS: usize = 8;

#[derive(Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) readers: usize,
    /// In the room; every reader gets them all.
    pub(crate) events: u64,
    pub(crate) hello_ms: f64,
    pub(crate) events_per_second: f64,
    pub(crate) mb_per_second: f64,
    /// By how much the server's memory grew. Known only of a server started here.
    pub(crate) grown_mib: Option<f64>,
}

/// Makes a room with this many events.
pub(crate) fn fill(address: &Address, events: u64) -> Result<String> {
    let room = room::create(address)?;
    thread::scope(|scope| {
        let room = &room;
        let share = |writer| (events + writer) / WRITERS as u64;
        let threads: Vec<_> = (0..WRITERS as u64)
            .map(|writer| {
                scope.spawn(move || {
                    let count = share(writer);
                    let mut writer = Writer::connect(address)?;
                    (0..count).try_for_each(|_| writer.post(room, 0).map(drop))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a writer does not panic"))
    })?;
    Ok(room)
}

/// Has `readers` replay the whole room at the same time.
pub(crate) fn measure(server: &Server, room: &str, events: u64, readers: usize) -> Result<Replay> {
    let before = server.usage()?;
    let mut crowd = Crowd::new()?;
    let started = Instant::now();
    let hello = crowd.join(&server.address, &[room.to_owned()], readers, Some(0), Arrival::Gentle)?;
    let missing = crowd.listen_until(None, || Some(vec![events]))?;
    let elapsed = started.elapsed();
    let received = crowd.take_received();
    if missing > 0 || received.faults > 0 {
        bail!(
            "of a replay of {events} events to {readers} readers {missing} are missing, with {} faults",
            received.faults
        );
    }
    let after = server.usage()?;
    let per_second = |count: f64, time: Duration| count / time.as_secs_f64();
    Ok(Replay {
        readers,
        events,
        hello_ms: hello.as_secs_f64() * 1e3,
        events_per_second: per_second(received.events as f64, elapsed),
        mb_per_second: per_second(received.bytes as f64 / 1e6, elapsed),
        grown_mib: before
            .zip(after)
            .map(|(before, after)| after.resident_bytes.saturating_sub(before.resident_bytes) as f64 / 1024.0 / 1024.0),
    })
}
