//! libSQL's server and Redis fail, hang, forget and come back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use buddy_tests::{Room, Server, eventually, messages, now_ms};

use crate::talk;

/// A stream may wait so long for something that is wrong before it is told.
const IDLE: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_idle_for_fifteen_seconds_goes_on_at_once() {
    // Streams keep their instance, and so its connections, which sqld forgets after ten seconds.
    let server = Server::setup().without_rate_limits().on_libsql().start().await;
    let room = server.open_room().await;
    room.say_many(1..=3).await;
    // So many that their replay takes the second connection.
    let long = server.open_room().await;
    for _ in 0..6 {
        futures::future::join_all((0..40).map(|_| long.say("x"))).await;
    }
    let mut follower = room.stream_after(0).await;
    follower.events_until(3).await;
    let mut replayed = long.stream_after(0).await;
    assert_eq!(replayed.events_until(240).await.len(), 240);
    tokio::time::sleep(IDLE).await;

    let began = now_ms();
    assert_eq!(room.say("after the silence").await, 4);
    assert_eq!(follower.events_until(4).await.len(), 1);
    let mut again = long.stream_after(0).await;
    assert_eq!(again.events_until(240).await.len(), 240);
    let took = now_ms() - began;
    assert!(took < 3000, "it took {took} ms");
    assert!(!server.log().contains("STREAM_EXPIRED"), "nothing failed on the way:\n{}", server.log());
    talk::no_secret_in_logs(&server);
}

/// Writers and readers while something happens; all of it must be there afterwards, once, in order.
async fn survive(server: &Server, room: &Room, happening: impl Future<Output = ()>) -> talk::Written {
    let stop = AtomicBool::new(false);
    let last = AtomicU64::new(0);
    let address = || server.address().to_owned();
    let known = || match last.load(Ordering::Relaxed) {
        0 => None,
        last => Some(last),
    };
    let writing = async {
        let written = talk::write(room, 6, &stop, |_| address()).await;
        last.store(written.posts.len() as u64, Ordering::Relaxed);
        written
    };
    let happening = async {
        happening.await;
        stop.store(true, Ordering::Relaxed);
    };
    let readers = futures::future::join_all((0..3).map(|_| talk::read(room, known, address)));
    let (written, (), readers) = tokio::join!(writing, happening, readers);
    written.must_be_all_of(room).await;
    for seen in readers {
        assert!(seen.iter().copied().eq(1..=written.posts.len() as u64), "a reader saw each once, in order: {seen:?}");
    }
    written
}

async fn posts_get_through(room: &Room, least: u64) {
    eventually("posts get through", async || {
        let state = room.get().answer().await.ok()?;
        (state.status() == 200 && state.json()["last_seq"].as_u64()? >= least).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqld_killed_and_started_again_under_load_loses_and_doubles_nothing() {
    let server = Server::setup().without_rate_limits().on_libsql().start().await;
    let room = server.open_room().await;
    let sqld = server.storage().sqld("default");
    let written = survive(&server, &room, async {
        for round in 1..=3 {
            posts_get_through(&room, round * 60).await;
            sqld.kill();
            eventually("its absence is noticed", async || {
                let health = server.api().get("/api/health").answer().await.ok()?;
                (health.status() == 503).then_some(())
            })
            .await;
            sqld.start();
        }
        posts_get_through(&room, 300).await;
    })
    .await;
    println!("{} posts, refused {:?}", written.posts.len(), written.refusals);
    talk::no_secret_in_logs(&server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqld_that_hangs_is_said_to_be_away_and_nothing_is_lost_when_it_goes_on() {
    let server = Server::setup().without_rate_limits().on_libsql().start().await;
    let room = server.open_room().await;
    let sqld = server.storage().sqld("default");
    survive(&server, &room, async {
        posts_get_through(&room, 60).await;
        sqld.stop();
        let refused = eventually("somebody is refused", async || {
            let answer = server.api().get("/api/health").answer().await.ok()?;
            (answer.status() == 503).then_some(answer)
        });
        refused.await.must_fail(503, "unavailable");
        sqld.go_on();
        let reached = eventually("it answers again", async || {
            let state = room.get().answer().await.ok()?;
            (state.status() == 200).then(|| state.json()["last_seq"].as_u64()).flatten()
        });
        let reached = reached.await;
        posts_get_through(&room, reached + 60).await;
    })
    .await;
    talk::no_secret_in_logs(&server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_stopped_emptied_and_started_again_loses_nothing() {
    let labels = ["second"];
    let setup = Server::setup().without_rate_limits().on_libsql().grant_databases(&labels);
    let server = setup.variable("databases", "default,second").start().await;
    let room = server.open_room().await;
    let mut others = Vec::new();
    for number in 0..8 {
        let other = server.open_room().await;
        other.say(&format!("room {number}")).await;
        others.push(other);
    }
    let redis = server.storage().redis();
    survive(&server, &room, async {
        posts_get_through(&room, 40).await;
        // Nothing is saved, so it comes back empty.
        redis.kill();
        let health = eventually("its absence is noticed", async || {
            let health = server.api().get("/api/health").answer().await.ok()?;
            (health.status() == 503).then_some(health)
        });
        assert!(health.await.text().contains("key-value"), "health names the store");
        // What instances remember lasts a second at most: from then on the databases themselves are asked.
        let reached = room.state().await["last_seq"].as_u64().expect("a sequence");
        posts_get_through(&room, reached + 60).await;
        redis.start();
        eventually("it is there again", async || {
            let health = server.api().get("/api/health").answer().await.ok()?;
            (health.status() == 200).then_some(())
        })
        .await;
        let reached = room.state().await["last_seq"].as_u64().expect("a sequence");
        posts_get_through(&room, reached + 40).await;
    })
    .await;
    for (number, other) in others.iter().enumerate() {
        assert_eq!(messages(&other.page("").await)[0]["body"], format!("room {number}"));
        assert_eq!(other.say("after the loss").await, 2);
    }
    talk::no_secret_in_logs(&server);
}
