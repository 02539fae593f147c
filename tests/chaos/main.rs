//! The chaos test for as long as one likes: `cargo xtask chaos --minutes N --seed S`, and with `--adversary` a server
//! that lies at random.

use std::time::Duration;

use anyhow::{Context, Result};
use buddy_tests::adversary;
use buddy_tests::chaos::{Plan, run};
use clap::Parser;

#[derive(Parser)]
struct Flags {
    /// How long writers, readers and faults go on, in minutes
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Replays the faults of an earlier run [default: a random one]
    #[arg(long)]
    seed: Option<u64>,
    /// How many servers there are over the same data
    #[arg(long, default_value_t = 1)]
    servers: usize,
    /// How many rooms are written and read at once
    #[arg(long, default_value_t = 4)]
    rooms: usize,
    /// Instead of an honest server behind bad connections, one that lies
    #[arg(long)]
    adversary: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let flags = Flags::parse();
    let seed = flags.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let duration = Duration::try_from_secs_f64(flags.minutes * 60.0).context("--minutes is a duration")?;
    if flags.adversary {
        println!("{duration:?} of lies with seed {seed}");
        let end = std::time::Instant::now() + duration;
        let outcome = adversary::run(seed, |_| std::time::Instant::now() >= end).await;
        let outcome = outcome.with_context(|| format!("failed with --adversary --seed {seed}"))?;
        println!("{outcome:#?}\neverybody has the true log or an alarm, and no honest run has one");
        return Ok(());
    }
    println!("{duration:?} of chaos with seed {seed}");
    let plan = Plan {
        seed,
        duration,
        servers: flags.servers,
        rooms: flags.rooms,
        writers_per_room: 4,
        readers_per_room: 20,
        removed_per_room: 6,
    };
    let outcome = run(plan).await.with_context(|| format!("failed with --seed {seed}"))?;
    println!("{outcome:#?}\nnothing lost, nothing doubled, nothing out of order");
    Ok(())
}
