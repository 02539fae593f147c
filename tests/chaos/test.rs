//! The chaos test in bounded form, as part of the suite.

use std::time::Duration;

use buddy_tests::adversary;
use buddy_tests::chaos::{Plan, run};

/// Where it is set, the test replays the faults of an earlier run.
const SEED_VARIABLE: &str = "BUDDY_CHAOS_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_who_stays_ends_with_exactly_the_acknowledged_posts_in_order() {
    let seed = seed();
    let duration = Duration::from_secs(30);
    let plan =
        Plan { seed, duration, servers: 2, rooms: 3, writers_per_room: 3, readers_per_room: 12, removed_per_room: 2 };
    let outcome = run(plan).await.unwrap_or_else(|error| {
        panic!("{error:#}\nreplay with {SEED_VARIABLE}={seed} or `cargo xtask chaos --servers 2 --seed {seed}`")
    });
    println!("{outcome:#?}");
    // Chaos that did not happen proves nothing.
    assert!(outcome.herds >= 6, "seed {seed}: {outcome:?}");
    assert!(outcome.kills >= 2 && outcome.cuts >= 20 && outcome.stalls >= 5, "seed {seed}: {outcome:?}");
    assert!(outcome.moves >= 6, "seed {seed}: {outcome:?}");
    assert!(outcome.acknowledged >= 100, "seed {seed}: {outcome:?}");
    assert!(outcome.renewals >= 6 && outcome.removed == 6, "seed {seed}: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_lies_everybody_has_the_true_log_or_an_alarm_and_an_honest_run_has_none() {
    let seed = seed();
    let end = std::time::Instant::now() + adversary::BOUND;
    let enough = |outcome: &adversary::Outcome| outcome.rounds >= 12 || std::time::Instant::now() >= end;
    let outcome = adversary::run(seed, enough).await.unwrap_or_else(|error| {
        panic!("{error:#}\nreplay with {SEED_VARIABLE}={seed} or `cargo xtask chaos --adversary --seed {seed}`")
    });
    println!("{outcome:#?}");
    assert!(outcome.honest >= 1 && outcome.lies >= 2 && outcome.alarms >= 1, "seed {seed}: {outcome:?}");
}

fn seed() -> u64 {
    match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => u64::from(rand::random::<u32>()),
    }
}
