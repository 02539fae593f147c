//! How long a message takes from the start of its post until a reader has it, and what readers cost.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::crowd::{Arrival, Crowd, Starts};
use crate::latency::{Latencies, Summary};
use crate::room::{self, Service, Writer};
use crate::server::Server;
use crate::usage::Usage;

/// What is delivered to whom.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) readers: usize,
    pub(crate) rooms: usize,
    pub(crate) arrival: Arrival,
}

/// How long readers waited until they were in, and what they cost while nothing is sent to them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Joined {
    pub(crate) service: Service,
    pub(crate) readers: usize,
    pub(crate) rooms: usize,
    pub(crate) arrival: Arrival,
    /// Until the last one had its `hello`.
    pub(crate) greeted_ms: f64,
    /// Until the last one who resumed had what it had missed, and how long the server was away before.
    pub(crate) caught_up_ms: Option<f64>,
    pub(crate) restarted_ms: Option<f64>,
    /// Processor time that arriving took. Known only of a server started here, as are the others below.
    pub(crate) processor_ms: Option<f64>,
    /// Open files of databases: one or two
    /// for each instance.
    pub(crate) databases: Option<f64>,
    pub(crate) cores: Option<f64>,
    pub(crate) kib_per_reader: Option<f64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) service: Service,
    pub(crate) readers: usize,
    pub(crate) rooms: usize,
    pub(crate) arrival: Arrival,
    /// Messages a second over all rooms, as asked for and as reached.
    pub(crate) rate: u32,
    pub(crate) reached_rate: f64,
    pub(crate) latency: Summary,
    /// Of the posts behind these deliveries.
    pub(crate) publish: Summary,
    /// How many events the readers should have got in all, and how many they did not get.
    pub(crate) expected: u64,
    pub(crate) missing: u64,
    /// Events twice, out of order or after a gap; streams that ended or were reset.
    pub(crate) faults: u64,
    pub(crate) still_open: usize,
    /// Processor time per time while messages were sent. Known only of a server started here.
    pub(crate) cores: Option<f64>,
    pub(crate) kib_per_reader: Option<f64>,
    /// What this program used meanwhile, of the same machine.
    pub(crate) generator_cores: f64,
}

/// How many messages were said while the readers who resume were away.
const MISSED: usize = 20;

/// Joins readers, spread over rooms, leaves them idle for a while, and then sends at each of the
/// `rates`, for `duration` each.
pub(crate) fn measure(
    server: &mut Server,
    case: Case,
    rates: &[u32],
    duration: Duration,
) -> Result<(Joined, Vec<Delivery>)> {
    let Case { readers, arrival, .. } = case;
    let service = server.address.service;
    let rooms = (0..case.rooms).map(|_| room::create(&server.address)).collect::<Result<Vec<_>>>()?;
    let mut crowd = Crowd::new()?;
    let mut resumed = None;
    let before = if arrival == Arrival::Resumed {
        crowd.join(&server.address, &rooms, readers, None, Arrival::Gentle)?;
        let cursors = crowd.cut();
        let restarted = server.restart()?;
        let mut writer = Writer::connect(&server.address)?;
        let mut last = vec![0; rooms.len()];
        for room in (0..rooms.len()).cycle().take(MISSED) {
            last[room] = writer.post(&rooms[room], last[room] + 1)?;
        }
        resumed = Some((cursors, last, restarted));
        server.usage()?
    } else {
        server.usage()?
    };
    let per_reader = |now: &Usage| {
        let grown = now.resident_bytes.saturating_sub(before?.resident_bytes) as f64 / 1024.0;
        // Of a few readers, all that could be told is the first request's share.
        (readers >= 100).then_some(grown / readers as f64)
    };
    let started = Instant::now();
    let (greeted, caught_up, restarted) = match resumed {
        None => (crowd.join(&server.address, &rooms, readers, None, arrival)?, None, None),
        Some((cursors, last, restarted)) => {
            let greeted = crowd.arrive(&server.address, &rooms, cursors, arrival)?;
            let missing = crowd.listen_until(None, || Some(last.clone()))?;
            let received = crowd.take_received();
            if missing > 0 || received.faults > 0 {
                bail!("{readers} readers resumed: {missing} events are missing, with {} faults", received.faults);
            }
            (greeted, Some(started.elapsed()), Some(restarted))
        }
    };
    let arrived = server.usage()?;

    crowd.listen_for(Duration::from_secs(2))?;
    let joined = server.usage()?;
    crowd.listen_for(duration / 2)?;
    let idle = joined.zip(server.usage()?);
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let joined = Joined {
        service,
        readers,
        rooms: rooms.len(),
        arrival,
        greeted_ms: ms(greeted),
        caught_up_ms: caught_up.map(ms),
        restarted_ms: restarted.map(ms),
        processor_ms: before.zip(arrived).map(|(before, arrived)| ms(arrived.processor_since(&before))),
        databases: arrived.map(|usage| usage.databases as f64),
        cores: idle.map(|(earlier, later)| later.cores_since(&earlier)),
        kib_per_reader: idle.and_then(|(_, later)| per_reader(&later)),
    };

    let mut deliveries = Vec::new();
    let mut writer = Writer::connect(&server.address)?;
    for rate in rates {
        crowd.take_received();
        let last = crowd.last(rooms.len());
        let messages = usize::try_from(*rate)? * usize::try_from(duration.as_secs())?;
        let starts = Starts::new(&last, messages);
        let began = server.usage()?;
        let began_here = Usage::of_this_program()?;
        let (missing, sent) = send(&mut crowd, &mut writer, &rooms, last, &starts, *rate, messages)?;
        let ended = server.usage()?;
        let generator_cores = Usage::of_this_program()?.cores_since(&began_here);
        let received = crowd.take_received();
        deliveries.push(Delivery {
            service,
            readers,
            rooms: rooms.len(),
            arrival,
            rate: *rate,
            reached_rate: messages as f64 / sent.elapsed.as_secs_f64(),
            latency: received.latencies.summary(),
            publish: sent.latencies.summary(),
            expected: received.events + missing,
            missing,
            faults: received.faults,
            still_open: crowd.still_open(),
            cores: began.zip(ended).map(|(earlier, later)| later.cores_since(&earlier)),
            kib_per_reader: ended.as_ref().and_then(per_reader),
            generator_cores,
        });
    }
    Ok((joined, deliveries))
}

struct Sent {
    latencies: Latencies,
    elapsed: Duration,
}

/// Posts to all rooms in turn, and has the crowd read meanwhile. Returns how many events are missing.
fn send(
    crowd: &mut Crowd,
    writer: &mut Writer,
    rooms: &[String],
    mut last: Vec<u64>,
    starts: &Starts,
    rate: u32,
    messages: usize,
) -> Result<(u64, Sent)> {
    let finally = OnceLock::new();
    thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let sent = post_paced(writer, rooms, &mut last, starts, rate, messages);
            finally.set(last).expect("it is set only here");
            sent
        });
        let missing = crowd.listen_until(Some(starts), || finally.get().cloned())?;
        Ok((missing, publisher.join().expect("the publisher does not panic")?))
    })
}

fn post_paced(
    writer: &mut Writer,
    rooms: &[String],
    last: &mut [u64],
    starts: &Starts,
    rate: u32,
    messages: usize,
) -> Result<Sent> {
    let mut latencies = Latencies::new();
    let started = Instant::now();
    for (count, room) in (0..rooms.len()).cycle().take(messages).enumerate() {
        let due = started + Duration::from_secs(1) * u32::try_from(count)? / rate;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let expected = last[room] + 1;
        let began = Instant::now();
        starts.begin(room, expected);
        let seq = writer.post(&rooms[room], expected)?;
        latencies.record(began.elapsed());
        if seq != expected {
            bail!("someone else posts to the measured room: {seq} came instead of {expected}");
        }
        last[room] = seq;
    }
    // The last message's share of the time belongs to it, or few messages would look like more.
    let elapsed = started.elapsed().max(Duration::from_secs(1) * u32::try_from(messages)? / rate);
    Ok(Sent { latencies, elapsed })
}
