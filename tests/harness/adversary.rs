//! A server that lies at random to people who are all honest, each of whom it stands before by itself, so that it may
//! tell each another story. Afterwards each of them holds exactly the true log, or has raised an alarm, or was refused;
//! never neither. Where it tells the truth throughout, nobody raises an alarm.
//!
//! Every random choice follows from one seed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use buddy_client::api::Api as ClientApi;
use buddy_client::link::Link;
use buddy_client::room::{Error, NewRoom, Revocation, Room};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::{Liar, Server, client_id};

/// What the runs came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub rounds: u32,
    pub honest: u32,
    pub lies: u32,
    pub alarms: usize,
    pub refused: u32,
    /// How many were lied to, and hold the true log all the same: the lie was about nothing they had asked for.
    pub unharmed: u32,
}

/// How many people there are besides the owner.
const PEOPLE: usize = 3;

/// Plays rounds until `done` says so, which is asked after each.
pub async fn run(seed: u64, mut done: impl FnMut(&Outcome) -> bool) -> Result<Outcome> {
    let mut random = StdRng::seed_from_u64(seed);
    let server = Server::setup().without_rate_limits().variable("rotations_per_room_per_hour", 1_000_000).start().await;
    let mut outcome = Outcome::default();
    while !done(&outcome) {
        let round = outcome.rounds;
        let mut story = String::new();
        play(&server, &mut random, &mut outcome, &mut story)
            .await
            .with_context(|| format!("round {round}: {story}"))?;
        outcome.rounds += 1;
    }
    Ok(outcome)
}

/// Somebody behind a liar of their own.
struct Person {
    room: Room,
    liar: Liar,
    lied_to: bool,
    cut_off: bool,
}

async fn play(server: &Server, random: &mut StdRng, outcome: &mut Outcome, story: &mut String) -> Result<()> {
    let direct = || ClientApi::new(&format!("http://{}", server.address()));
    let (mut owner, _, link) = Room::create(direct()?, &NewRoom::default(), "Owner").await?;
    let mut people = Vec::new();
    for at in 0..PEOPLE {
        let liar = Liar::before(server.address()).await;
        let link = Link { origin: format!("http://{}", liar.address()), ..link.clone() };
        let room = Room::open(ClientApi::new(&link.origin)?, &link, &format!("Person {at}"), None).await?;
        people.push(Person { room, liar, lied_to: false, cut_off: false });
    }
    // Everybody talks in peace.
    for _ in 0..random.random_range(2..6) {
        for person in &mut people {
            speak(&mut person.room, random).await?;
        }
        say(&mut owner, "a word of the owner's").await?;
    }
    if random.random_bool(0.4) {
        owner.revoke(&Revocation::default()).await?;
        for person in &mut people {
            speak(&mut person.room, random).await?;
        }
    }
    for person in &mut people {
        person.room.sync().await?;
        ensure!(person.room.take_alarms().is_empty(), "an alarm before any lie");
    }

    // Then lies begin, to none, some or all of them.
    let last = owner_last(&mut owner).await?;
    for (at, person) in people.iter_mut().enumerate() {
        // The first round is honest, whatever the seed.
        if outcome.rounds > 0 && random.random_bool(0.6) {
            let lie = tell(&person.liar, last, random);
            // Nothing can be noticed of what comes from outside while nothing comes from outside.
            person.cut_off = lie.starts_with("isolates") || lie.starts_with("withholds");
            story.push_str(&format!("to person {at}: {lie}; "));
            person.lied_to = true;
            outcome.lies += 1;
        }
    }
    let honest = people.iter().all(|person| !person.lied_to);
    outcome.honest += u32::from(honest);
    let renews = random.random_bool(0.4);
    for turn in 0..3 {
        for person in &mut people {
            // Whoever is lied to may be refused; that is no secret to them.
            let spoken = speak(&mut person.room, random).await;
            ensure!(spoken.is_ok() || person.lied_to, "an honest server refuses: {spoken:?}");
        }
        say(&mut owner, "another word of the owner's").await?;
        if turn == 1 && renews {
            owner.revoke(&Revocation::default()).await?;
        }
    }
    for person in people.iter().filter(|person| person.cut_off) {
        person.liar.confesses();
    }
    say(&mut owner, "the last word, which reaches everybody in some way").await?;

    owner.sync().await?;
    let truth: Vec<String> = newcomer(direct()?, &owner).await?;
    for (at, person) in people.iter_mut().enumerate() {
        let refused = person.room.sync().await.err();
        let alarms = person.room.take_alarms();
        let held: Vec<String> = person.room.log().lines().iter().map(|line| line.text()).collect();
        let holds_truth = refused.is_none() && held == truth && readable(&person.room);
        ensure!(
            holds_truth || !alarms.is_empty() || refused.as_ref().is_some_and(is_shown),
            "person {at} holds {} lines of {} and has no alarm ({refused:?})",
            held.len(),
            truth.len(),
        );
        if honest {
            ensure!(alarms.is_empty() && refused.is_none(), "person {at} raises {alarms:?} ({refused:?})");
        }
        outcome.alarms += alarms.len();
        outcome.refused += u32::from(refused.is_some());
        outcome.unharmed += u32::from(person.lied_to && holds_truth && alarms.is_empty());
    }
    Ok(())
}

/// Whether everything that stands in a log is believed, and nothing of it is blank without a reason.
fn readable(room: &Room) -> bool {
    room.log().entries().all(|entry| entry.event.kind == "rotate" || entry.believed)
}

/// Whether a program shows its user that it goes no further.
fn is_shown(error: &Error) -> bool {
    !matches!(error, Error::ReadOnly | Error::NotOwner)
}

async fn owner_last(owner: &mut Room) -> Result<u64> {
    owner.sync().await?;
    Ok(owner.log().last())
}

async fn newcomer(api: ClientApi, owner: &Room) -> Result<Vec<String>> {
    let link = owner.invitation().context("the room has a link")?;
    let mut room = Room::open(api, &link, "Newcomer", None).await?;
    room.read_from(Some(0)).await?;
    ensure!(room.take_alarms().iter().all(|_| true), "whatever a liar's victims wrote may differ");
    Ok(room.log().lines().iter().map(|line| line.text()).collect())
}

async fn speak(room: &mut Room, random: &mut StdRng) -> Result<(), Error> {
    if random.random_bool(0.5) {
        room.sync().await?;
    }
    say(room, "a word of somebody's").await
}

async fn say(room: &mut Room, text: &str) -> Result<(), Error> {
    room.say(text)?;
    room.send(|_| ()).await.map(|_| ())
}

/// Begins one lie, for good, about the log as it is or as it will be.
fn tell(liar: &Liar, last: u64, random: &mut StdRng) -> String {
    let at = random.random_range(1..=last + 2);
    let other = random.random_range(1..=last + 2);
    let is = move |event: &Value| event["seq"] == at;
    match random.random_range(0..12) {
        0 => {
            liar.drops(is);
            format!("drops {at}")
        }
        1 => {
            liar.loses(is);
            format!("loses {at}")
        }
        2 => {
            liar.swaps(at, other);
            format!("swaps {at} and {other}")
        }
        3 => {
            let renamed = random.random_bool(0.5);
            liar.repeats(at, other.max(at), renamed);
            format!("repeats {at} after {other}, renamed: {renamed}")
        }
        4 => {
            liar.blanks(is);
            format!("blanks {at}")
        }
        5 => {
            let field = ["sent_at_ms", "client_id", "author", "kind"][random.random_range(0..4)];
            liar.alters(move |event| {
                if event["seq"] == at {
                    event[field] = match field {
                        "sent_at_ms" => json!(event["sent_at_ms"].as_u64().unwrap_or(0) + 1),
                        "client_id" => json!(client_id()),
                        "author" => json!("ab".repeat(16)),
                        _ => json!("react"),
                    };
                }
            });
            format!("alters {field} of {at}")
        }
        6 => {
            liar.alters(move |event| {
                if event["seq"] == at {
                    let body = event["body"].as_str().unwrap_or_default();
                    let half = body.len() / 2;
                    event["body"] = json!(format!("{}A{}", &body[..half], &body[(half + 1).min(body.len())..]));
                }
            });
            format!("alters the body of {at}")
        }
        7 => {
            liar.rolls_back_to(at.min(last));
            format!("rolls back to {}", at.min(last))
        }
        8 => {
            let event = json!({
                "kind": "message", "client_id": client_id(), "author": "ab".repeat(16), "target": null,
                "body": "v2.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "sent_at_ms": 1_700_000_000_000_u64,
            });
            liar.forges(at, event);
            format!("forges one after {at}")
        }
        9 => {
            liar.isolates();
            "isolates".to_owned()
        }
        10 => {
            liar.tells(move |_, log| log.into_iter().filter(|event| event["seq"].as_u64() <= Some(at)).collect());
            format!("withholds what follows {at}")
        }
        _ => {
            liar.renames_log();
            "renames the log".to_owned()
        }
    }
}

/// How long a bounded run in the suite takes at most, apart from its last round.
pub const BOUND: Duration = Duration::from_secs(20);
