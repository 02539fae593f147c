//! How fast posts are stored, and how long each takes.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::http::Address;
use crate::latency::{Latencies, Summary};
use crate::room::{self, Writer};

#[derive(Serialize, Deserialize)]
pub(crate) struct Publish {
    pub(crate) writers: usize,
    pub(crate) rooms: usize,
    /// Over which the rooms are spread; of a server elsewhere that is its own affair.
    pub(crate) databases: usize,
    pub(crate) per_second: f64,
    /// What bare SQLite committed on the same disk just before. Unknown of a server elsewhere.
    pub(crate) bare_commits_per_second: Option<f64>,
    pub(crate) latency: Summary,
    /// Posts that the server, being busy, asked to send again. Their latency includes that.
    pub(crate) retries: u64,
}

/// What one writer did: the sequences it was given, with the room's index.
struct Written {
    latencies: Latencies,
    sequences: Vec<(usize, u64)>,
    retries: u64,
}

/// Has `writers` post as fast as they can, each waiting for one answer before its next post, to all
/// rooms in turn. An error if any sequence is missing or was given twice.
pub(crate) fn measure(
    address: &Address,
    writers: usize,
    rooms: usize,
    duration: Duration,
    bare_commits_per_second: Option<f64>,
) -> Result<Publish> {
    let rooms = (0..rooms).map(|_| room::create(address)).collect::<Result<Vec<_>>>()?;
    // Connected before the clock starts, and an instance of the component is there.
    let mut connected = (0..writers).map(|_| Writer::connect(address)).collect::<Result<Vec<_>>>()?;
    for room in &rooms {
        connected[0].post(room, 1)?;
    }
    let started = Instant::now();
    let written = thread::scope(|scope| {
        let threads: Vec<_> = connected
            .into_iter()
            .enumerate()
            .map(|(first, writer)| {
                scope.spawn({
                    let rooms = &rooms;
                    move || write(writer, rooms, first, started + duration)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a writer does not panic")).collect::<Result<Vec<_>>>()
    })?;
    let elapsed = started.elapsed();

    let mut latencies = Latencies::new();
    let mut sequences = vec![vec![1]; rooms.len()];
    let mut retries = 0;
    for one in &written {
        latencies.add(&one.latencies);
        retries += one.retries;
        one.sequences.iter().for_each(|(room, seq)| sequences[*room].push(*seq));
    }
    for mut room in sequences {
        room.sort_unstable();
        if !room.iter().copied().eq(1..=room.len() as u64) {
            bail!("the sequences given to {writers} writers are not dense: one is missing or was given twice");
        }
    }
    let per_second = latencies.count() as f64 / elapsed.as_secs_f64();
    Ok(Publish {
        writers,
        rooms: rooms.len(),
        databases: 1,
        per_second,
        bare_commits_per_second,
        latency: latencies.summary(),
        retries,
    })
}

fn write(mut writer: Writer, rooms: &[String], first: usize, until: Instant) -> Result<Written> {
    let mut written = Written { latencies: Latencies::new(), sequences: Vec::new(), retries: 0 };
    for room in (0..rooms.len()).cycle().skip(first) {
        let began = Instant::now();
        if began >= until {
            break;
        }
        let seq = writer.post(&rooms[room], 0)?;
        written.latencies.record(began.elapsed());
        written.sequences.push((room, seq));
    }
    written.retries = writer.retries;
    Ok(written)
}
