//! Slots that move between databases while people write and read: docs/protocol.md, "API", and docs/operating.md.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use buddy_tests::{Answer, Database, Room, Server, Setup, eventually, message, messages};
use rusqlite::params;
use serde_json::{Value, json};

const TOKEN: &str = "the operator's token";

fn setup() -> Setup {
    Server::setup()
        .without_rate_limits()
        .grant_databases(&["second", "third"])
        .variable("databases", "default,second")
        .variable("admin_token", TOKEN)
}

fn slot(room: &Room) -> i64 {
    i64::from_str_radix(&room.id[..2], 16).expect("an id is hex")
}

/// The state of a slot in a database, where there is one.
fn state(database: &Database, slot: i64) -> Option<String> {
    database.column::<String>("SELECT state FROM slot WHERE slot=?1", [slot]).pop()
}

/// Which of the two databases owns a room's slot, then the other one.
fn home_of(server: &Server, room: &Room) -> (&'static str, &'static str) {
    let owns = |label| state(&server.database_of(label), slot(room)).as_deref() == Some("open");
    if owns("default") { ("default", "second") } else { ("second", "default") }
}

async fn call(server: &Server, room: &Room, to: &str) -> Answer {
    let path = format!("/internal/router/slots/{}/move", &room.id[..2]);
    server.api().post(&path).token(TOKEN).json(&json!({ "to": to })).send().await
}

/// Calls until the slot has arrived, and returns how often.
async fn move_to(server: &Server, room: &Room, to: &str) -> u32 {
    let mut calls = 0;
    eventually("the slot arrives", async || {
        calls += 1;
        let answer = call(server, room, to).await;
        let json = answer.json();
        match answer.status() {
            200 => {
                assert_eq!((&json["state"], &json["to"]), (&json!("open"), &json!(to)));
                assert_eq!(json["rooms"], json["rooms_copied"]);
                Some(())
            }
            202 => {
                assert!(["clearing", "copying", "cleaning"].iter().any(|state| json["state"] == *state), "{json}");
                None
            }
            _ => panic!("{answer}"),
        }
    })
    .await;
    calls
}

/// Rows of a slot in any table of a database.
fn rows_of(database: &Database, slot: i64) -> i64 {
    database.value(
        "SELECT (SELECT count(*) FROM room WHERE slot=?1)
           + (SELECT count(*) FROM room r JOIN event e ON e.room_id=r.id WHERE r.slot=?1)
           + (SELECT count(*) FROM departure WHERE slot=?1) + (SELECT count(*) FROM touched WHERE slot=?1)",
        [slot],
    )
}

fn bodies(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["body"].as_str().expect("a body").to_owned()).collect()
}

/// Watches how long a slot is frozen at a time, until it is told to stop.
fn watch_frozen(server: &Server, slot: i64, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Duration> {
    let databases = [server.database(), server.database_of("second")];
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let (mut longest, mut since) = (Duration::ZERO, None::<Instant>);
        while !stop.load(Ordering::Relaxed) {
            let is_writable = databases.iter().any(|database| state(database, slot).as_deref() == Some("open"));
            match since {
                _ if is_writable => since = None,
                None => since = Some(Instant::now()),
                Some(began) => longest = longest.max(began.elapsed()),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        longest
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_to_and_fro_under_load_and_nobody_misses_anything() {
    let server = setup().start().await;
    let room = server.open_room().await;
    room.say_many(1..=300).await;
    let stop = Arc::new(AtomicBool::new(false));
    let frozen = watch_frozen(&server, slot(&room), &stop);
    let write = |writer: usize| {
        let (room, stop) = (room.at(&server.api()), Arc::clone(&stop));
        async move {
            let mut acknowledged = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let post = message(&format!("writer {writer}, {}", acknowledged.len()));
                loop {
                    let answer = room.post(&post).send().await;
                    if answer.status() == 503 {
                        // Told when to come back; whoever comes sooner is refused or served, never hurt.
                        assert!(answer.retry_after() >= 1, "{answer}");
                        continue;
                    }
                    assert!(matches!(answer.status(), 200 | 201), "{answer}");
                    let seq = answer.json()["seq"].as_u64().expect("a seq");
                    acknowledged.push((seq, post["body"].as_str().expect("a body").to_owned()));
                    break;
                }
            }
            acknowledged
        }
    };
    let writers: Vec<_> = (0..3).map(|writer| tokio::spawn(write(writer))).collect();
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(room.stream_after(0).await);
    }
    let (home, away) = home_of(&server, &room);
    for to in [away, home, away, home, away, home] {
        move_to(&server, &room, to).await;
        let other = if to == home { away } else { home };
        assert_eq!(rows_of(&server.database_of(other), slot(&room)), 0, "nothing is left behind");
    }
    stop.store(true, Ordering::Relaxed);
    let longest = frozen.join().expect("it watched");
    assert!(longest < Duration::from_secs(1), "frozen for {longest:?}");
    let mut acknowledged = BTreeSet::new();
    for writer in writers {
        for post in writer.await.expect("no writer was refused for good") {
            assert!(acknowledged.insert(post), "acknowledged twice");
        }
    }
    let last = room.state().await["last_seq"].as_u64().expect("a seq");
    assert_eq!(acknowledged.len() as u64 + 300, last, "all that was acknowledged, and no more");
    let stored = room.events_after(0).await;
    for mut stream in streams {
        let seen = stream.events_until(last).await;
        assert_eq!(seen, stored, "a stream that was open all the time has neither gap nor repeat");
    }
    for (seq, body) in &acknowledged {
        let event = &stored[usize::try_from(*seq).expect("it fits") - 1];
        assert_eq!((&event["seq"], &event["body"]), (&json!(seq), &json!(body)));
    }
}

/// Where a move is stopped: which database's trigger refuses which statement.
const STEPS: [(&str, &str, &str); 8] = [
    ("before it begins", "there", "BEFORE INSERT ON slot WHEN NEW.state='arriving'"),
    ("before changes are noted", "here", "BEFORE INSERT ON departure"),
    ("in the middle of a room", "there", "BEFORE INSERT ON event WHEN NEW.seq=150"),
    ("before what was copied is noted", "here", "BEFORE UPDATE ON departure"),
    ("before it is frozen", "here", "BEFORE UPDATE ON slot WHEN NEW.state='frozen'"),
    ("while it is frozen", "there", "BEFORE UPDATE ON slot WHEN NEW.state='open'"),
    ("after it is open elsewhere", "here", "BEFORE UPDATE ON slot WHEN NEW.state='gone'"),
    ("while what is left goes", "here", "BEFORE DELETE ON event"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_at_any_step_finishes_the_move_or_takes_it_back() {
    let mut server = setup().start().await;
    let room = server.open_room().await;
    room.say_many(1..=200).await;
    let mut said = 200;
    for (step, side, statement) in STEPS {
        for finishes in [true, false] {
            let (home, away) = home_of(&server, &room.at(&server.api()));
            let stopped = server.database_of(if side == "here" { home } else { away });
            stopped
                .execute(&format!("CREATE TRIGGER stop_here {statement} BEGIN SELECT RAISE(ABORT,'stopped'); END"), []);
            let answer = call(&server, &room, away).await;
            answer.must_fail_inside();
            server.kill();
            stopped.execute("DROP TRIGGER stop_here", []);
            drop(stopped);
            server.restart().await;
            let room = room.at(&server.api());
            let to = if finishes { away } else { home };
            let before = call(&server, &room, to).await;
            if before.status() == 400 {
                // It had not begun, so there is nothing to take back.
                assert_eq!((step, to), (STEPS[0].0, home), "{before}");
            } else {
                move_to(&server, &room, to).await;
            }
            let other = if to == home { away } else { home };
            assert_eq!(state(&server.database_of(to), slot(&room)).as_deref(), Some("open"), "{step}");
            assert_ne!(state(&server.database_of(other), slot(&room)).as_deref(), Some("open"), "{step}");
            assert_eq!(rows_of(&server.database_of(other), slot(&room)), 0, "{step}: nothing is left behind");
            said += 1;
            assert_eq!(room.say(&format!("message {said}")).await, said, "{step}");
            let expected: Vec<_> = (1..=said).map(|number| format!("message {number}")).collect();
            assert_eq!(bodies(&room.events_after(0).await), expected, "{step}");
        }
    }
}

trait FailsInside {
    fn must_fail_inside(self);
}

impl FailsInside for Answer {
    /// 503, with when to come back, and nothing of the cause. Operators' answers are for no browser.
    fn must_fail_inside(self) {
        let answer = self.must_be(503);
        assert_eq!(answer.json()["error"]["code"], "unavailable", "{answer}");
        assert!(answer.retry_after() >= 1 && !answer.text().contains("stopped"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_while_it_waits_for_a_database_loses_nothing() {
    let mut server = setup().start().await;
    let room = server.open_room().await;
    room.say_many(1..=50).await;
    for held in ["default", "second"] {
        let (_, away) = home_of(&server, &room.at(&server.api()));
        let lock = server.database_of(held);
        lock.execute("BEGIN IMMEDIATE", []);
        let api = server.api();
        let path = format!("/internal/router/slots/{}/move", &room.id[..2]);
        let moving =
            tokio::spawn(async move { api.post(&path).token(TOKEN).json(&json!({ "to": away })).answer().await });
        // It waits for the lock; whether it has come so far is for the clock of a loaded machine to say.
        let waited = tokio::time::timeout(Duration::from_millis(300), moving).await;
        server.kill();
        lock.execute("ROLLBACK", []);
        drop(waited);
        server.restart().await;
        let room = room.at(&server.api());
        move_to(&server, &room, away).await;
        assert_eq!(room.events_after(0).await.len(), 50);
    }
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused_and_changes_nothing() {
    let server = setup().start().await;
    let room = server.open_room().await;
    room.say("hello").await;
    let (home, away) = home_of(&server, &room);
    let map = async || server.api().get("/internal/router").token(TOKEN).send().await.must_be(200).json();
    let before = map().await;
    let code = |answer: &Answer| answer.json()["error"]["code"].as_str().map(str::to_owned);
    for to in [home, "third", "unheard-of", "", "default,second", " second"] {
        let answer = call(&server, &room, to).await.must_be(400);
        assert_eq!(code(&answer).as_deref(), Some("invalid_request"), "{to:?}: {answer}");
    }
    let path = format!("/internal/router/slots/{}/move", &room.id[..2]);
    for body in [json!({}), json!({ "to": 7 }), json!({ "to": away, "fast": true }), json!([away]), Value::Null] {
        let answer = server.api().post(&path).token(TOKEN).header("content-type", "application/json");
        let answer = answer.body(body.to_string()).send().await.must_be(400);
        assert_eq!(code(&answer).as_deref(), Some("invalid_request"), "{body}: {answer}");
    }
    for slot in ["3F", "3", "3f0", "0x", "zz", "%33f", "-1", "256"] {
        let path = format!("/internal/router/slots/{slot}/move");
        server.api().post(&path).token(TOKEN).json(&json!({ "to": away })).send().await.must_be(404);
    }
    server.api().get(&path).token(TOKEN).send().await.must_be(405);
    assert_eq!(map().await, before);
    assert_eq!(room.say("still here").await, 2);
}

#[tokio::test]
async fn a_move_while_another_runs_is_refused_until_that_is_taken_back() {
    let server = setup().variable("databases", "default,second,third").start().await;
    let room = server.open_room().await;
    room.say("hello").await;
    let labels = ["default", "second", "third"];
    let owns = |label: &&str| state(&server.database_of(label), slot(&room)).as_deref() == Some("open");
    let (home, others): (Vec<_>, Vec<_>) = labels.into_iter().partition(owns);
    // One that was begun, as a call leaves it that ran out of time.
    let arriving = "INSERT INTO slot(slot,epoch,state) VALUES(?1,2,'arriving')";
    server.database_of(others[0]).execute(arriving, params![slot(&room)]);
    let answer = call(&server, &room, others[1]).await.must_be(409);
    assert_eq!(answer.json()["error"]["code"], "slot_moving");
    assert_eq!(state(&server.database_of(others[1]), slot(&room)), None, "nothing changed");
    move_to(&server, &room, home[0]).await;
    assert_eq!(state(&server.database_of(others[0]), slot(&room)).as_deref(), Some("gone"));
    move_to(&server, &room, others[1]).await;
    assert_eq!(bodies(messages(&room.page("").await)), ["hello"]);
}

#[tokio::test]
async fn two_who_move_the_same_slot_at_once_do_no_harm() {
    let server = setup().start().await;
    let room = server.open_room().await;
    room.say_many(1..=300).await;
    let (home, away) = home_of(&server, &room);
    for to in [away, home] {
        let calls = (0..4).map(|_| async {
            eventually("the slot arrives", async || {
                let answer = call(&server, &room, to).await;
                // One who comes late is told so by who was quicker.
                matches!(answer.status(), 200 | 400).then_some(())
            })
            .await;
        });
        futures::future::join_all(calls).await;
        assert_eq!(state(&server.database_of(to), slot(&room)).as_deref(), Some("open"));
        assert_eq!(room.events_after(0).await.len(), 300);
    }
    assert_eq!(room.say("after").await, 301);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_waits_for_a_slot_that_is_frozen_for_a_moment() {
    let server = setup().start().await;
    let room = server.open_room().await;
    let (home, _) = home_of(&server, &room);
    let database = server.database_of(home);
    let freeze = |is: &str, becomes: &str| {
        database.execute("UPDATE slot SET state=?3 WHERE slot=?1 AND state=?2", params![slot(&room), is, becomes])
    };
    freeze("open", "frozen");
    let waiting = tokio::spawn({
        let room = room.clone();
        async move { room.post(&message("patience")).send().await }
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!waiting.is_finished(), "it waits");
    freeze("frozen", "open");
    waiting.await.expect("it was answered").must_be(201);
    freeze("open", "frozen");
    let began = Instant::now();
    let refused = room.post(&message("too long")).send().await.must_fail(503, "unavailable");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}: {refused}", began.elapsed());
    // Whoever reads is not concerned.
    assert_eq!(bodies(messages(&room.page("").await)), ["patience"]);
    freeze("frozen", "open");
}
