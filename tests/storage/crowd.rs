//! Many clients at once on libSQL, whose server stops for good where their statements meet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use buddy_tests::{Room, Server};

use crate::talk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_clients_at_once_lose_and_double_nothing_and_sqld_answers_afterwards() {
    let server = Server::setup().without_rate_limits().on_libsql().start().await;
    // What the machine and sqld can do, for comparison.
    crowd(&server, 1, Duration::from_secs(4)).await;
    let room = crowd(&server, 40, Duration::from_secs(8)).await;
    // It is asked itself: Buddy might answer from what it knows.
    assert_eq!(server.database().execute("UPDATE room SET about = 'asked'", []), 2, "sqld answers");
    assert_eq!(room.state().await["about"], "asked");
    talk::no_secret_in_logs(&server);
}

/// Has clients write in a new room, one post after the other each.
async fn crowd(server: &Server, clients: usize, duration: Duration) -> Room {
    let room = server.open_room().await;
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let before = server.storage().sqld("default").processor_time();
    let writing = talk::write(&room, clients, &stop, |_| server.address().to_owned());
    let ending = async {
        tokio::time::sleep(duration).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(writing, ending);
    let seconds = began.elapsed().as_secs_f64();
    let processor = server.storage().sqld("default").processor_time() - before;
    println!(
        "{clients} clients: {:.0} posts a second; p50 {:?}, p99 {:?}, longest {:?}; sqld took {:.2} cores; refused {:?}",
        written.took.len() as f64 / seconds,
        written.quantile(0.5),
        written.quantile(0.99),
        written.quantile(1.0),
        processor.as_secs_f64() / seconds,
        written.refusals,
    );
    written.must_be_all_of(&room).await;
    room
}
