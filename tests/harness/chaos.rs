//! The chaos test: people who write and read in several rooms, end to end encrypted through the native client, behind
//! a proxy that mistreats their connections, while servers over the same data are killed and restarted, slots move
//! between two databases, and owners renew the keys and remove people. In the end everybody who stayed holds exactly
//! what was acknowledged, in order, dense, and equal to what a newcomer reads; who was removed holds nothing that was
//! said afterwards; and nobody raised an alarm.
//!
//! Every random choice follows from one seed. The machine's timing does not, so a seed replays the same faults
//! against the same traffic, not the same interleaving.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use buddy_client::api::Api as ClientApi;
use buddy_client::bytes::MemberId;
use buddy_client::content::Content;
use buddy_client::link::Link;
use buddy_client::log::{Entry, Log};
use buddy_client::room::{Error, NewRoom, Revocation, Room, Update};
use buddy_client::rotation;
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use crate::fault_proxy::FaultProxy;
use crate::{Api, Server};

/// How much is going on.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub duration: Duration,
    /// How many servers there are over the same data; connections go to them by turns. One at least.
    pub servers: usize,
    pub rooms: usize,
    pub writers_per_room: usize,
    pub readers_per_room: usize,
    /// How many people each room's owner removes, one renewal each.
    pub removed_per_room: usize,
}

/// What a run that found nothing wrong has put the servers through.
#[derive(Debug)]
pub struct Outcome {
    pub acknowledged: usize,
    pub renewals: u64,
    pub removed: usize,
    pub streams_opened: u64,
    pub kills: u32,
    /// How often a room's slot arrived in the other database.
    pub moves: u64,
    /// How often all connections were cut at once, and all readers came back at once.
    pub herds: u64,
    pub connections: u64,
    pub cuts: u64,
    pub stalls: u64,
}

const OPERATOR: &str = "the operator of the chaos test";
/// How long readers may take to catch up once the faults have stopped.
const CATCH_UP: Duration = Duration::from_secs(90);
/// A reader that hears nothing for this long, several heartbeats, takes its connection for dead.
const SILENCE: Duration = Duration::from_secs(4);

/// What all writers and readers see of the run.
#[derive(Debug, Default)]
struct Progress {
    herds: AtomicU64,
    /// Writers finish what they have begun, and begin nothing new.
    closing: AtomicBool,
    streams_opened: AtomicU64,
    moves: AtomicU64,
    /// Where a server is now: they move with each restart.
    address: Mutex<String>,
}

impl Progress {
    fn is_at(&self, address: &str) {
        address.clone_into(&mut self.address.lock().expect("nobody panics with the lock"));
    }

    fn address(&self) -> String {
        self.address.lock().expect("nobody panics with the lock").clone()
    }
}

/// What one person's posts came to: the text of each sequence that was acknowledged.
type Acknowledged = BTreeMap<u64, String>;

/// How somebody's part in a room ended.
struct Written {
    acknowledged: Acknowledged,
    removed: Option<Removed>,
}

/// Somebody who was removed, and the last thing that they could read.
struct Removed {
    author: MemberId,
    last_read: u64,
    /// What was on its way then: it may have been stored before, and no answer came.
    unanswered: Vec<String>,
}

impl Removed {
    fn of(room: &Room) -> Self {
        let read = room.log().entries().filter(|entry| entry.content.is_some());
        let last_read = read.last().map_or(0, |entry| entry.event.seq);
        let unanswered = room.outbox().posts().iter().filter_map(|post| post.words.text.clone()).collect();
        Self { author: room.identity().author(), last_read, unanswered }
    }
}

/// Runs the plan. An error names what was lost, doubled or out of order; the caller prints the seed.
pub async fn run(plan: Plan) -> Result<Outcome> {
    // All people share one thread; the server has the others.
    LocalSet::new().run_until(run_here(plan)).await
}

async fn run_here(plan: Plan) -> Result<Outcome> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let server = Server::setup()
        .without_rate_limits()
        .variable("rotations_per_room_per_hour", 1_000_000)
        .variable("heartbeat_s", 1)
        .grant_databases(&["second"])
        .variable("databases", "default,second")
        .variable("admin_token", OPERATOR)
        .start()
        .await;
    let mut servers = vec![server];
    for _ in 1..plan.servers {
        servers.push(servers[0].sibling().await);
    }
    let proxy = FaultProxy::start(addresses(&servers), random.random()).await;
    let address = format!("http://{}", proxy.address());
    let progress = Arc::new(Progress::default());

    let mut rooms = Vec::new();
    for number in 0..plan.rooms {
        rooms.push(People::enter(&servers[0], &address, number, &plan, &mut random, &progress).await?);
    }
    progress.is_at(servers[0].address());
    let slots: BTreeSet<_> = rooms.iter().map(|people| people.link.room.to_string()[..2].to_owned()).collect();
    let movers: Vec<_> =
        slots.into_iter().map(|slot| spawn_local(move_to_and_fro(slot, Arc::clone(&progress)))).collect();
    let kills = kill_and_cut_now_and_then(&mut servers, &proxy, &progress, &mut random, plan.duration).await;
    proxy.calm_down();
    progress.closing.store(true, Ordering::Relaxed);
    timeout(CATCH_UP, joined(movers)).await.context("a slot does not arrive")??;

    let mut outcome = Outcome {
        acknowledged: 0,
        renewals: 0,
        removed: 0,
        streams_opened: 0,
        kills,
        moves: progress.moves.load(Ordering::Relaxed),
        herds: progress.herds.load(Ordering::Relaxed),
        connections: 0,
        cuts: 0,
        stalls: 0,
    };
    for (number, people) in rooms.into_iter().enumerate() {
        people.leave(&servers[0], &mut outcome).await.with_context(|| format!("room {number}"))?;
    }
    (outcome.connections, outcome.cuts, outcome.stalls) = proxy.counts();
    outcome.streams_opened = progress.streams_opened.load(Ordering::Relaxed);
    Ok(outcome)
}

/// Everybody in one room.
struct People {
    link: Link,
    owner: JoinHandle<Result<Room>>,
    writers: Vec<JoinHandle<Result<Written>>>,
    readers: Vec<JoinHandle<Result<()>>>,
    end: watch::Sender<Option<u64>>,
}

impl People {
    async fn enter(
        server: &Server,
        address: &str,
        number: usize,
        plan: &Plan,
        random: &mut StdRng,
        progress: &Arc<Progress>,
    ) -> Result<Self> {
        // Made without faults: what is tested is what goes on in a room.
        let direct = ClientApi::new(&format!("http://{}", server.address()))?;
        let (mut owner, _, link) = Room::create(direct, &NewRoom::default(), "Owner").await?;
        let through = |link: &Link| Link { origin: address.to_owned(), ..link.clone() };
        let faulty = || ClientApi::new(address).map(|api| api.with_silence(SILENCE));

        let mut victims = Vec::new();
        let mut writers = Vec::new();
        for at in 0..plan.writers_per_room + plan.removed_per_room {
            let name = format!("Writer {number}.{at}");
            let mut room = Room::open(ClientApi::new(&direct_address(server))?, &link, &name, None).await?;
            // A first word brings the card, so that a renewal finds everybody.
            room.say(&format!("{name} is here"))?;
            let mut acknowledged = Acknowledged::new();
            let stored = room.send(|_| ()).await?;
            acknowledged.extend(stored.last().map(|seq| (*seq, format!("{name} is here"))));
            let is_to_go = at >= plan.writers_per_room;
            if is_to_go {
                victims.push(room.identity().author());
            }
            room.move_to(faulty()?);
            let random = StdRng::seed_from_u64(random.random());
            writers.push(spawn_local(write(room, name, is_to_go, acknowledged, random, Arc::clone(progress))));
        }
        let (end, ended) = watch::channel(None);
        let mut readers = Vec::new();
        for at in 0..plan.readers_per_room {
            let (link, api) = (through(&link), faulty()?);
            // A person with a card of their own is kept at every renewal.
            let mut room =
                Room::open(ClientApi::new(&direct_address(server))?, &link, &format!("Reader {at}"), None).await?;
            room.say(&format!("Reader {number}.{at} is here"))?;
            room.send(|_| ()).await?;
            room.move_to(api);
            let random = StdRng::seed_from_u64(random.random());
            readers.push(spawn_local(read(room, random, ended.clone(), Arc::clone(progress))));
        }
        owner.sync().await?;
        owner.move_to(faulty()?);
        let random = StdRng::seed_from_u64(random.random());
        let every = plan.duration / (plan.removed_per_room as u32 + 1);
        let owner = spawn_local(renew(owner, victims, every, random));
        Ok(Self { link, owner, writers, readers, end })
    }

    /// Waits for everybody, and compares what each of them has.
    async fn leave(self, server: &Server, outcome: &mut Outcome) -> Result<()> {
        let mut owner = timeout(CATCH_UP, self.owner).await.context("the owner does not get through")???;
        let written =
            timeout(CATCH_UP, joined(self.writers)).await.context("writers do not get their posts through")??;
        let mut acknowledged = Acknowledged::new();
        let mut removed = Vec::new();
        for written in written {
            removed.extend(written.removed);
            for (seq, text) in written.acknowledged {
                ensure!(acknowledged.insert(seq, text).is_none(), "{seq} was acknowledged for two posts");
            }
        }
        outcome.acknowledged += acknowledged.len();

        owner.move_to(ClientApi::new(&direct_address(server))?);
        eventually(async || owner.sync().await).await.context("the owner cannot read")?;
        no_alarms(&mut owner, "the owner")?;
        outcome.renewals += owner.epoch().unwrap_or(0);

        // Somebody who was never here reads all of it, past renewals too.
        let link = owner.invitation().context("the room has a link")?;
        ensure!(removed.is_empty() || link.holds != self.link.holds, "removing somebody makes a new link");
        let newcomer = Room::open(ClientApi::new(&direct_address(server))?, &link, "Newcomer", None).await;
        let mut newcomer = newcomer.context("a newcomer is not let in")?;
        newcomer.read_from(Some(0)).await.context("a newcomer cannot read")?;
        no_alarms(&mut newcomer, "a newcomer")?;
        compare(newcomer.log(), &acknowledged, &removed)?;
        for somebody in &removed {
            let until = removal_of(&newcomer, somebody.author).context("the log says who was removed")?;
            ensure!(somebody.last_read < until, "somebody who was removed at {until} read {}", somebody.last_read);
        }
        outcome.removed += removed.len();

        let last = newcomer.log().last();
        self.end.send_replace(Some(last));
        timeout(CATCH_UP, joined(self.readers)).await.context("readers do not catch up")??;
        Ok(())
    }
}

/// Where a person was removed.
fn removal_of(room: &Room, author: MemberId) -> Option<u64> {
    let removes = |entry: &&Entry| {
        let rotation = rotation::parse_event_body(room.id(), &entry.event.body);
        rotation.is_ok_and(|(rotation, _)| rotation.part().removed.contains(&author))
    };
    room.log().entries().find(removes).map(|entry| entry.event.seq)
}

fn direct_address(server: &Server) -> String {
    format!("http://{}", server.address())
}

async fn joined<T: 'static>(tasks: Vec<JoinHandle<Result<T>>>) -> Result<Vec<T>> {
    try_join_all(tasks).await.context("a task panicked")?.into_iter().collect()
}

fn addresses(servers: &[Server]) -> Vec<String> {
    servers.iter().map(|server| server.address().to_owned()).collect()
}

/// Kills one of the servers at times, and more often cuts all connections at once. Returns how often it killed.
async fn kill_and_cut_now_and_then(
    servers: &mut [Server],
    proxy: &FaultProxy,
    progress: &Progress,
    random: &mut StdRng,
    duration: Duration,
) -> u32 {
    let end = Instant::now() + duration;
    let mut kills = 0;
    loop {
        let pause = Duration::from_millis(random.random_range(1500..6000));
        if Instant::now() + pause >= end {
            sleep(end.saturating_duration_since(Instant::now())).await;
            return kills;
        }
        for _ in 0..3 {
            sleep(pause / 3).await;
            progress.herds.fetch_add(1, Ordering::Relaxed);
            proxy.cut_all();
        }
        let victim = random.random_range(0..servers.len());
        servers[victim].kill();
        sleep(Duration::from_millis(random.random_range(0..500))).await;
        servers[victim].restart().await;
        progress.is_at(servers[victim].address());
        proxy.set_upstreams(addresses(servers));
        kills += 1;
    }
}

/// Has the operator move a slot to the other database and back, until the run closes and it has arrived.
async fn move_to_and_fro(slot: String, progress: Arc<Progress>) -> Result<()> {
    for to in ["second", "default"].into_iter().cycle() {
        loop {
            let path = format!("/internal/router/slots/{slot}/move");
            let call = Api::new(&progress.address()).post(&path).token(OPERATOR).json(&json!({ "to": to }));
            match call.answer().await {
                Ok(answer) if answer.status() == 200 => {
                    progress.moves.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                // It is there, for nobody has moved it yet.
                Ok(answer) if answer.status() == 400 => break,
                Ok(answer) => ensure!(matches!(answer.status(), 202 | 503), "a move is refused: {answer}"),
                // The server is gone for the moment.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
        if progress.closing.load(Ordering::Relaxed) {
            break;
        }
        sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

/// Whether the same may well work later.
fn passes(error: &Error) -> bool {
    matches!(error, Error::Server(failure) if failure.retry_after_s().is_some())
}

/// Does something again until the server is there for it.
async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        match attempt().await {
            Err(error) if passes(&error) => sleep(Duration::from_millis(50)).await,
            outcome => return outcome,
        }
    }
}

/// Writes until the run closes, or, for whoever is to go, until they are removed. Each post is sent until it is acknowledged.
async fn write(
    mut room: Room,
    name: String,
    is_to_go: bool,
    mut acknowledged: Acknowledged,
    mut random: StdRng,
    progress: Arc<Progress>,
) -> Result<Written> {
    let mut count = 0;
    let mut messages: Vec<u64> = acknowledged.keys().copied().collect();
    while is_to_go || !progress.closing.load(Ordering::Relaxed) {
        count += 1;
        let mut text = format!("{name} {count} ");
        text.push_str(&"x".repeat([0, 10, 300, 6000][random.random_range(0..4)]));
        let own: Vec<u64> = messages.iter().copied().filter(|seq| room.log().lines().get(*seq).is_some()).collect();
        let says = own.is_empty() || !random.random_bool(0.2);
        if !says {
            let kind = if random.random_bool(0.5) { "edit" } else { "react" };
            let target = own[random.random_range(0..own.len())];
            let emoji = (kind == "react").then(|| "🎉".to_owned());
            let on = emoji.is_some().then_some(true);
            room.act(kind, target, Content { text: Some(text.clone()), emoji, on, ..Content::default() })?;
        } else {
            room.say(&text)?;
        }
        match eventually(async || room.send(|_| ()).await).await {
            // What failed before and went out now comes first; the last is this one.
            Ok(stored) => {
                let seq = stored.last().context("a stored post has a seq")?;
                acknowledged.insert(*seq, text);
                if says {
                    messages.push(*seq);
                }
            }
            Err(Error::Removed) => return Ok(Written { acknowledged, removed: Some(Removed::of(&room)) }),
            Err(error) => return Err(error).with_context(|| format!("a good post of {name} was refused")),
        }
        if random.random_bool(0.3) {
            match eventually(async || room.sync().await).await {
                Err(Error::Removed) => return Ok(Written { acknowledged, removed: Some(Removed::of(&room)) }),
                read => read.with_context(|| format!("{name} cannot read"))?,
            }
        }
        no_alarms(&mut room, &name)?;
        sleep(Duration::from_millis(random.random_range(0..120))).await;
    }
    match eventually(async || room.sync().await).await {
        Err(Error::Removed) => return Ok(Written { acknowledged, removed: Some(Removed::of(&room)) }),
        read => read.with_context(|| format!("{name} cannot read in the end"))?,
    }
    no_alarms(&mut room, &name)?;
    Ok(Written { acknowledged, removed: None })
}

/// The owner removes people, one after the other.
async fn renew(mut room: Room, victims: Vec<MemberId>, every: Duration, mut random: StdRng) -> Result<Room> {
    for victim in victims {
        sleep(every.mul_f64(random.random_range(0.7..1.0))).await;
        let removal = Revocation { people: vec![victim], ..Revocation::default() };
        eventually(async || room.revoke(&removal).await).await.context("a renewal was refused")?;
        no_alarms(&mut room, "the owner")?;
    }
    Ok(room)
}

/// Follows a room until `end` names the last sequence, reconnecting from its cursor.
async fn read(
    mut room: Room,
    mut random: StdRng,
    mut end: watch::Receiver<Option<u64>>,
    progress: Arc<Progress>,
) -> Result<()> {
    eventually(async || room.read_from(Some(0)).await).await.context("a reader cannot begin")?;
    let mut herds = 0;
    loop {
        if end.borrow().is_some_and(|end| room.log().last() >= end) {
            break;
        }
        let last = room.log().last();
        let update = tokio::select! {
            update = room.next_update() => update,
            _ = end.wait_for(|end| end.is_some_and(|end| last >= end)) => continue,
        };
        match update {
            Ok(Update::Reset) => bail!("nothing was lost, and yet the server resets after {last}"),
            Ok(Update::Disconnected) => {
                let pause = Duration::from_millis(random.random_range(5..200));
                // Where all were cut at once, all come back at once.
                if herds == progress.herds.load(Ordering::Relaxed) {
                    sleep(pause).await;
                }
                herds = progress.herds.load(Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(error) if passes(&error) => sleep(Duration::from_millis(50)).await,
            Err(error) => return Err(error).context("a reader is shut out"),
        }
        no_alarms(&mut room, "a reader")?;
    }
    progress.streams_opened.fetch_add(room.opened_streams(), Ordering::Relaxed);
    let dense =
        room.log().lines().iter().zip(room.log().lines().iter().skip(1)).all(|(one, next)| one.seq + 1 == next.seq);
    ensure!(dense, "a reader's log has a gap");
    let unread = room.log().entries().find(|entry| entry.event.kind != "rotate" && !entry.believed);
    if let Some(Entry { event, signer, content, .. }) = unread {
        let (opens, knows) = (content.is_some(), signer.is_some_and(|signer| room.log().person(&signer).is_some()));
        bail!(
            "a reader who stayed does not believe {}, of kind {}: it opens: {opens}; its signer is known: {knows}; the \
             reader is in epoch {:?}",
            event.seq,
            event.kind,
            room.epoch()
        );
    }
    Ok(())
}

fn no_alarms(room: &mut Room, who: &str) -> Result<()> {
    let alarms = room.take_alarms();
    ensure!(alarms.is_empty(), "the server is honest, and yet {who} raises {alarms:?}");
    Ok(())
}

/// What was acknowledged stands where it was acknowledged, each once; besides it there are cards and renewals, what a
/// reader said of being here, and at most once what somebody was still sending when they were removed.
fn compare(log: &Log, acknowledged: &Acknowledged, removed: &[Removed]) -> Result<()> {
    let mut unanswered: Vec<&str> = removed.iter().flat_map(|gone| &gone.unanswered).map(String::as_str).collect();
    let mut seqs = 1..;
    for entry in log.entries() {
        let seq = seqs.next().expect("it has no end");
        ensure!(entry.event.seq == seq, "history is not dense: {} where {seq} belongs", entry.event.seq);
        let text = entry.content.as_ref().and_then(|content| content.text.as_deref());
        match (acknowledged.get(&seq), text) {
            (Some(expected), Some(text)) => {
                ensure!(expected == text, "{seq} says {text:?}, acknowledged was {expected:?}")
            }
            (Some(expected), None) => bail!("{seq} cannot be read; acknowledged was {expected:?}"),
            (None, Some(text)) if text.starts_with("Reader ") => {}
            (None, Some(text)) if unanswered.contains(&text) => unanswered.retain(|other| *other != text),
            (None, Some(text)) => bail!("{seq} was stored but never acknowledged: {text:?}"),
            (None, None) => {
                let kind = entry.event.kind.as_str();
                ensure!(matches!(kind, "card" | "rotate"), "{seq}, of kind {kind}, cannot be read");
            }
        }
    }
    let last = log.last();
    let beyond = acknowledged.keys().find(|seq| **seq > last);
    ensure!(beyond.is_none(), "{beyond:?} was acknowledged, and the log ends at {last}");
    let times: Vec<u64> = log.lines().iter().map(|line| line.sent_at_ms).collect();
    ensure!(times.is_sorted(), "sent_at_ms decreases along the log");
    Ok(())
}
