//! `cargo xtask bench`: measures a Buddy server with a load generator of its own.
//!
//! - [`plan`] says what is measured, one figure after the other;
//! - [`server`] and [`nchan`] start what is measured, and [`usage`] reads what it uses;
//! - [`http`], [`room`] and [`stream_bytes`] speak to it, [`crowd`] is its many readers;
//! - [`publish`], [`delivery`] and [`replay`] each measure one thing, [`commits`] and [`sockets`] what the
//!   machine itself can do;
//! - [`latency`] gathers, [`median`] joins several runs, [`report`] shows.
//!
//! The generator shares the machine with the server, so it is made to use as little as it can; what
//! it uses all the same stands beside the figures.

mod commits;
mod crowd;
mod delivery;
mod http;
mod latency;
mod median;
mod nchan;
mod plan;
mod publish;
mod replay;
mod report;
mod room;
mod server;
mod sockets;
mod stream_bytes;
mod usage;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::crowd::Arrival;
use crate::plan::Bench;
use crate::report::Report;

/// Measures how fast Buddy stores, delivers and replays, and what readers cost.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Measures a server that runs already; its limits must allow it, and what it uses is not known
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    address: Option<String>,
    /// The server to start: a command before its flags, for example "spin up" [default: the embedded server]
    #[arg(long, value_name = "COMMAND", env = "BUDDY_SERVER")]
    server: Option<String>,
    /// Sets a variable of the server that is started; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    variable: Vec<String>,
    /// Measures only these
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<Part>,
    /// How many readers follow one room (for the part `delivery`)
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_values_t = [1, 100, 1000, 5000])]
    readers: Vec<usize>,
    /// How many messages a second they get
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_values_t = [20, 50])]
    rates: Vec<u32>,
    /// How the readers come
    #[arg(long, value_name = "HOW", value_delimiter = ',', default_values_t = [Arrival::Gentle, Arrival::Herd, Arrival::Resumed])]
    arrivals: Vec<Arrival>,
    /// Measures delivery by another server too, in the same run
    #[arg(long, value_name = "SERVER", conflicts_with = "address")]
    beside: Option<Beside>,
    /// How often all of it is measured; the figures are medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=9))]
    runs: u64,
    /// How long each figure is measured
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    seconds: u64,
    /// How many events the replayed room has
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    replay_events: u64,
    /// A rough look: 2 seconds for each figure and few readers
    #[arg(long)]
    quick: bool,
    /// Prints JSON instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Beside {
    /// Debian's nginx with its module nchan, on loopback
    Nchan,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Posts a second with 1, 8 and 32 writers, beside what bare SQLite commits
    Publish,
    /// The same to 60 rooms in one database, and in three
    Databases,
    /// Delivery to readers of one room, and what they cost
    Delivery,
    /// The same with 1, 10 and 100 rooms, the same number of readers and messages spread over them
    Rooms,
    /// Reading a room from its beginning
    Replay,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        arguments.seconds = 2;
        arguments.readers = vec![1, 100];
        arguments.replay_events = 2_000;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    raise_file_limit()?;
    let reports = (0..arguments.runs).map(|_| Bench::new(arguments)?.measure()).collect::<Result<Vec<_>>>()?;
    let report = Report::median(&reports)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.tables());
    }
    Ok(())
}

/// A connection is a file to both sides; the server inherits the limit.
fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).context("raising the limit of open files")
}
