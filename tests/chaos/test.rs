//! The chaos test in bounded form, as part of the suite.

use std::time::Duration;

use buddy_tests::chaos::{Plan, run};

/// Where it is set, the test replays the faults of an earlier run.
const SEED_VARIABLE: &str = "BUDDY_CHAOS_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_ends_with_exactly_the_acknowledged_events_in_order() {
    let seed = match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => u64::from(rand::random::<u32>()),
    };
    let duration = Duration::from_secs(20);
    let plan = Plan { seed, duration, rooms: 3, writers_per_room: 3, readers_per_room: 4 };
    let outcome = run(plan).await.unwrap_or_else(|error| {
        panic!("{error:#}\nreplay with {SEED_VARIABLE}={seed} or `cargo xtask chaos --seed {seed}`")
    });
    println!("{outcome:#?}");
    // Chaos that did not happen proves nothing.
    assert!(outcome.kills >= 2 && outcome.cuts >= 20 && outcome.stalls >= 5, "seed {seed}: {outcome:?}");
    assert!(outcome.acknowledged >= 100, "seed {seed}: {outcome:?}");
}
