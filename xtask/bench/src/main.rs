//! `cargo xtask bench`: measures a Buddy server with a load generator of its own.
//!
//! - [`server`] starts what is measured, and [`usage`] reads what it uses;
//! - [`http`], [`room`] and [`stream_bytes`] speak to it, [`crowd`] is its many readers;
//! - [`commits`], [`publish`], [`delivery`] and [`replay`] each measure one thing;
//! - [`latency`] gathers, [`report`] shows.
//!
//! The generator shares the machine with the server, so it is made to use as little as it can; its
//! share is in every figure all the same.

mod commits;
mod crowd;
mod delivery;
mod http;
mod latency;
mod publish;
mod replay;
mod report;
mod room;
mod server;
mod stream_bytes;
mod usage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::report::Report;
use crate::server::Server;

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
enum Part {
    /// Posts a second with 1, 8 and 32 writers, beside what bare SQLite commits
    Publish,
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
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut report = Report::default();

    if wanted(Part::Publish) {
        for writers in [1, 8, 32] {
            publish(arguments, &mut report, writers, 1)?;
        }
    }
    if wanted(Part::Delivery) {
        for readers in &arguments.readers {
            // So many readers are asked for at a lower rate, too.
            let mut rates = if *readers >= 5000 { vec![10] } else { Vec::new() };
            rates.extend(arguments.rates.iter().filter(|rate| **rate != 10 || *readers < 5000));
            deliver(arguments, &mut report, *readers, 1, &rates)?;
        }
    }
    if wanted(Part::Rooms) {
        let readers = if arguments.quick { 100 } else { 1000 };
        for rooms in [1, 10, 100] {
            // What was measured above need not be measured again.
            if !report.publish.iter().any(|p| p.writers == 8 && p.rooms == rooms) {
                publish(arguments, &mut report, 8, rooms)?;
            }
            if !report.delivery.iter().any(|d| d.readers == readers && d.rooms == rooms && d.rate == 50) {
                deliver(arguments, &mut report, readers, rooms, &[50])?;
            }
        }
    }
    if wanted(Part::Replay) {
        let server = server(arguments)?;
        eprintln!("filling a room with {} events", arguments.replay_events);
        let room = replay::fill(&server.address, arguments.replay_events)?;
        for readers in [1, 10] {
            eprintln!("replay: readers {readers}");
            report.replay.push(replay::measure(&server, &room, arguments.replay_events, readers)?);
        }
    }

    report.compare_with_goals();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.tables());
    }
    Ok(())
}

fn publish(arguments: &Arguments, report: &mut Report, writers: usize, rooms: usize) -> Result<()> {
    eprintln!("publishing: writers {writers}, rooms {rooms}");
    let duration = Duration::from_secs(arguments.seconds) / 2;
    let server = server(arguments)?;
    // Other programs slow a disk down, so the limit is measured anew each time. Which disk is behind a
    // server elsewhere is not known.
    let bare = match arguments.address {
        Some(_) => None,
        None => {
            let folder = tempfile::tempdir_in(data_folder()?)?;
            Some(commits::per_second(folder.path(), duration / 2)?)
        }
    };
    report.publish.push(publish::measure(&server.address, writers, rooms, duration, bare)?);
    Ok(())
}

fn deliver(arguments: &Arguments, report: &mut Report, readers: usize, rooms: usize, rates: &[u32]) -> Result<()> {
    eprintln!("delivery: readers {readers}, rooms {rooms}, messages a second {rates:?}");
    let server = server(arguments)?;
    let (idle, deliveries) = delivery::measure(&server, readers, rooms, rates, Duration::from_secs(arguments.seconds))
        .with_context(|| format!("delivery to {readers} readers in {rooms} rooms"))?;
    report.idle.extend(idle);
    report.delivery.extend(deliveries);
    Ok(())
}

/// A new server for each measurement, so that none inherits another's memory, rooms and instances.
fn server(arguments: &Arguments) -> Result<Server> {
    if let Some(url) = &arguments.address {
        return Server::at(url);
    }
    let target = root().join("target");
    let embedded = || format!("{} up", target.join("native/buddy-local").display());
    let command = arguments.server.clone().unwrap_or_else(embedded);
    Server::start(&command, &root().join("spin.toml"), &arguments.variable, &data_folder()?)
}

/// Where measured databases lie: on the checkout's disk, which is a real one where `/tmp` may not be.
fn data_folder() -> Result<PathBuf> {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the benchmark lies two folders deep")
}

/// A connection is a file to both sides; the server inherits the limit.
fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).context("raising the limit of open files")
}
