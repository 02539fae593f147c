//! Two servers over the same data: writers at one, readers at the other, and one of them is killed and started again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use buddy_tests::{Room, Server, Setup, eventually};

use crate::talk;

async fn survive(setup: Setup) {
    let first = setup.start().await;
    let mut second = first.sibling().await;
    let room = first.open_room().await;
    let stop = AtomicBool::new(false);
    let last = AtomicU64::new(0);
    // The one that is killed has another address each time.
    let moving = Mutex::new(second.address().to_owned());
    let writing_at = |person: usize| {
        let moving = moving.lock().expect("nobody panicked").clone();
        // Most write at the one that stays; two at the one that does not, so that both give out sequences.
        if person < 4 { first.address().to_owned() } else { moving }
    };
    let writing = async {
        let written = talk::write(&room, 6, &stop, writing_at).await;
        last.store(written.posts.len() as u64, Ordering::Relaxed);
        written
    };
    let known = || match last.load(Ordering::Relaxed) {
        0 => None,
        last => Some(last),
    };
    let reading = futures::future::join_all((0..4).map(|reader| {
        let at = || moving.lock().expect("nobody panicked").clone();
        let (stays, goes) = (first.address().to_owned(), at);
        let room = room.clone();
        async move { talk::read(&room, known, || if reader == 0 { stays.clone() } else { goes() }).await }
    }));
    let killing = async {
        for round in 1..=3 {
            reached(&room, round * 60).await;
            second.restart().await;
            *moving.lock().expect("nobody panicked") = second.address().to_owned();
        }
        reached(&room, 300).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (written, readers, ()) = tokio::join!(writing, reading, killing);
    written.must_be_all_of(&room).await;
    written.must_be_all_of(&room.at(&second.api())).await;
    for seen in readers {
        assert!(seen.iter().copied().eq(1..=written.posts.len() as u64), "a reader saw each once, in order: {seen:?}");
    }
    println!("{} posts, refused {:?}", written.posts.len(), written.refusals);
}

async fn reached(room: &Room, least: u64) {
    eventually("posts get through", async || {
        let state = room.get().answer().await.ok()?;
        (state.status() == 200 && state.json()["last_seq"].as_u64()? >= least).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_files_while_one_is_killed() {
    survive(Server::setup().without_rate_limits().variable("heartbeat_s", 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_libsql_and_redis_while_one_is_killed() {
    survive(Server::setup().without_rate_limits().variable("heartbeat_s", 1).on_libsql()).await;
}
