//! The chaos test: writers and readers over several rooms, through a proxy that mistreats their connections,
//! while the server is killed and restarted. In the end every reader must hold exactly the acknowledged events,
//! in order, dense, and equal to history.
//!
//! Every random choice follows from one seed. The machine's timing does not, so a seed replays the same faults
//! against the same traffic, not the same interleaving.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::fault_proxy::FaultProxy;
use crate::{Api, Room, Server, Stream, act, message};

/// How much is going on.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub duration: Duration,
    pub rooms: usize,
    pub writers_per_room: usize,
    pub readers_per_room: usize,
}

/// What a run that found nothing wrong has put the server through.
#[derive(Debug)]
pub struct Outcome {
    pub acknowledged: usize,
    pub attempts: u64,
    pub streams_opened: u64,
    pub kills: u32,
    pub connections: u64,
    pub cuts: u64,
    pub stalls: u64,
}

/// How long readers may take to catch up once the faults have stopped.
const CATCH_UP: Duration = Duration::from_secs(60);
/// A reader that hears nothing for this long, several heartbeats, takes its connection for dead.
const SILENCE: Duration = Duration::from_secs(4);
/// How long a writer waits for an answer before it sends the same post again.
const PATIENCE: Duration = Duration::from_secs(3);

/// What all writers and readers see of the run.
#[derive(Debug, Default)]
struct Progress {
    /// Writers finish what they have begun, and begin nothing new.
    closing: AtomicBool,
    attempts: AtomicU64,
    streams_opened: AtomicU64,
}

/// A post that the server has acknowledged.
struct Acknowledged {
    seq: u64,
    author: String,
    post: Value,
}

/// Runs the plan. An error names what was lost, doubled or out of order; the caller prints the seed.
pub async fn run(plan: Plan) -> Result<Outcome> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut server = Server::setup().without_rate_limits().variable("heartbeat_s", 1).start().await;
    let proxy = FaultProxy::start(server.address(), random.random()).await;
    let progress = Arc::new(Progress::default());

    let mut rooms = Vec::new();
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for _ in 0..plan.rooms {
        let room = server.open_room().await;
        writers.push(
            (0..plan.writers_per_room)
                .map(|number| {
                    // A client of its own: connections are not shared between writers.
                    let room = room.at(&Api::new(&proxy.address()));
                    let author = format!("writer {number}");
                    tokio::spawn(write(room, author, StdRng::seed_from_u64(random.random()), Arc::clone(&progress)))
                })
                .collect::<Vec<_>>(),
        );
        let (tell_end, end) = tokio::sync::watch::channel(None);
        readers.push((
            tell_end,
            (0..plan.readers_per_room)
                .map(|_| {
                    let random = StdRng::seed_from_u64(random.random());
                    let path = format!("{}/stream", room.path());
                    tokio::spawn(read(proxy.address(), path, random, end.clone(), Arc::clone(&progress)))
                })
                .collect::<Vec<_>>(),
        ));
        rooms.push(room);
    }

    let kills = kill_now_and_then(&mut server, &proxy, &mut random, plan.duration).await;
    proxy.calm_down();
    progress.closing.store(true, Ordering::Relaxed);

    let mut acknowledged_in_all = 0;
    for ((room, writers), (tell_end, readers)) in rooms.iter().zip(writers).zip(readers) {
        let written = timeout(CATCH_UP, joined(writers)).await.context("writers do not get their posts through")??;
        let acknowledged: Vec<Acknowledged> = written.into_iter().flatten().collect();
        acknowledged_in_all += acknowledged.len();
        let history = room.at(&server.api()).events_after(0).await;
        compare_with_acknowledged(&history, &acknowledged)?;
        tell_end.send_replace(Some(history.len() as u64));
        let seen = timeout(CATCH_UP, joined(readers)).await.context("readers do not catch up")??;
        for (number, events) in seen.iter().enumerate() {
            compare_with_history(events, &history).with_context(|| format!("reader {number} of room {}", room.id))?;
        }
    }
    let (connections, cuts, stalls) = proxy.counts();
    Ok(Outcome {
        acknowledged: acknowledged_in_all,
        attempts: progress.attempts.load(Ordering::Relaxed),
        streams_opened: progress.streams_opened.load(Ordering::Relaxed),
        kills,
        connections,
        cuts,
        stalls,
    })
}

async fn joined<T: Send + 'static>(tasks: Vec<JoinHandle<Result<T>>>) -> Result<Vec<T>> {
    try_join_all(tasks).await.context("a task panicked")?.into_iter().collect()
}

async fn kill_now_and_then(server: &mut Server, proxy: &FaultProxy, random: &mut StdRng, duration: Duration) -> u32 {
    let end = Instant::now() + duration;
    let mut kills = 0;
    loop {
        let pause = Duration::from_millis(random.random_range(1500..6000));
        if Instant::now() + pause >= end {
            sleep(end.saturating_duration_since(Instant::now())).await;
            return kills;
        }
        sleep(pause).await;
        server.kill();
        sleep(Duration::from_millis(random.random_range(0..500))).await;
        server.restart().await;
        proxy.set_upstream(server.address());
        kills += 1;
    }
}

/// Posts until the run closes; each post is sent again, the same to the letter, until it is acknowledged.
async fn write(room: Room, author: String, mut random: StdRng, progress: Arc<Progress>) -> Result<Vec<Acknowledged>> {
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    while !progress.closing.load(Ordering::Relaxed) {
        let number = acknowledged.len();
        let mut text = format!("{author} {number} ");
        text.push_str(&"x".repeat([0, 10, 300, 6000][random.random_range(0..4)]));
        let own: Vec<u64> =
            acknowledged.iter().filter(|done| done.post.get("kind").is_none()).map(|done| done.seq).collect();
        let post = match own.is_empty() {
            false if random.random_bool(0.2) => {
                let kind = if random.random_bool(0.5) { "edit" } else { "react" };
                act(kind, own[random.random_range(0..own.len())], &text)
            }
            _ => message(&text),
        };
        let seq = send_until_acknowledged(&room, &author, &post, &mut random, &progress).await?;
        acknowledged.push(Acknowledged { seq, author: author.clone(), post });
        sleep(Duration::from_millis(random.random_range(0..120))).await;
    }
    Ok(acknowledged)
}

async fn send_until_acknowledged(
    room: &Room,
    author: &str,
    post: &Value,
    random: &mut StdRng,
    progress: &Progress,
) -> Result<u64> {
    loop {
        progress.attempts.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(PATIENCE, room.post(post).author(author).answer()).await;
        if let Ok(Ok(answer)) = answer {
            match answer.status() {
                200 | 201 => return answer.json()["seq"].as_u64().context("a stored post has a seq"),
                503 => {}
                _ => bail!("a good post was refused: {answer}"),
            }
        }
        sleep(Duration::from_millis(random.random_range(5..150))).await;
    }
}

/// Follows a room from its beginning until `end` names the last sequence, reconnecting from its cursor.
async fn read(
    address: String,
    path: String,
    mut random: StdRng,
    mut end: tokio::sync::watch::Receiver<Option<u64>>,
    progress: Arc<Progress>,
) -> Result<Vec<Value>> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let cursor = events.len();
        let done = |events: &Vec<Value>, end: Option<u64>| end.is_some_and(|end| events.len() as u64 >= end);
        if done(&events, *end.borrow()) {
            return Ok(events);
        }
        let cursor_text = cursor.to_string();
        // Both ways of naming a cursor are documented.
        let by_header = random.random_bool(0.5);
        let target = if by_header { path.clone() } else { format!("{path}?after={cursor}") };
        let headers = [("last-event-id", cursor_text.as_str())];
        let headers = if by_header { &headers[..] } else { &[] };
        if let Ok(Ok(mut stream)) = timeout(SILENCE, Stream::try_open(&address, &target, headers)).await
            && stream.status() == 200
        {
            progress.streams_opened.fetch_add(1, Ordering::Relaxed);
            loop {
                let next = tokio::select! {
                    next = timeout(SILENCE, stream.try_next()) => next,
                    _ = end.wait_for(|end| done(&events, *end)) => return Ok(events),
                };
                // Silence, a broken connection or a proper end: back to the cursor.
                let Ok(Ok(Some(block))) = next else { break };
                match block.event() {
                    None => {}
                    Some("hello") => ensure!(block.id() == Some(events.len() as u64), "{block:?} after {cursor}"),
                    Some("reset" | "closed") => bail!("nothing was deleted, and yet: {block:?} after {cursor}"),
                    Some(_) => {
                        let last = events.len() as u64;
                        ensure!(block.id() == Some(last + 1), "after {last} came {block:?}");
                        events.push(block.data());
                    }
                }
            }
        }
        sleep(Duration::from_millis(random.random_range(5..200))).await;
    }
}

/// History must consist of what was acknowledged, each once, under the sequence that was answered.
fn compare_with_acknowledged(history: &[Value], acknowledged: &[Acknowledged]) -> Result<()> {
    let by_seq: HashMap<u64, &Acknowledged> = acknowledged.iter().map(|done| (done.seq, done)).collect();
    ensure!(by_seq.len() == acknowledged.len(), "one sequence was acknowledged for two posts");
    for (at, event) in history.iter().enumerate() {
        let seq = at as u64 + 1;
        ensure!(event["seq"] == seq, "history is not dense: {} where {seq} belongs", event["seq"]);
        let done = by_seq.get(&seq).with_context(|| format!("{seq} was stored but never acknowledged"))?;
        let expected = json!({
            "seq": seq,
            "kind": done.post.get("kind").cloned().unwrap_or(json!("message")),
            "client_id": done.post["client_id"],
            "author": crate::member_id(&done.author),
            "target": done.post.get("target").cloned().unwrap_or(Value::Null),
            "body": done.post["body"],
            "sent_at_ms": event["sent_at_ms"],
        });
        ensure!(*event == expected, "history has {event} where {expected} was acknowledged");
    }
    let (acknowledged, kept) = (acknowledged.len(), history.len());
    ensure!(acknowledged == kept, "{acknowledged} posts were acknowledged, history has {kept}");
    let times: Vec<_> = history.iter().map(|event| event["sent_at_ms"].as_u64()).collect();
    ensure!(times.is_sorted(), "sent_at_ms decreases along the log");
    Ok(())
}

fn compare_with_history(events: &[Value], history: &[Value]) -> Result<()> {
    if let Some((seen, kept)) = events.iter().zip(history).find(|(seen, kept)| seen != kept) {
        bail!("saw {seen}, history has {kept}");
    }
    ensure!(events.len() == history.len(), "saw {} events, history has {}", events.len(), history.len());
    Ok(())
}
