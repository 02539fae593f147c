//! `cargo xtask`: everything done with Buddy from a checkout, on a machine where nothing was prepared.
//!
//! Few dependencies, for it is compiled before anything else happens: the benchmark, which needs
//! many, is a program of its own (`xtask/bench`).
//!
//! - [`step`]: runs other programs and shows what they are doing.
//! - [`debian`]: installs what is missing with Debian's package manager.
//! - [`wasm`]: a compiler for the components, wherever one can be had.
//! - [`components`]: builds the components where `spin.toml` looks for them.
//! - [`server`]: chooses the server and builds it if it is the embedded one.
//! - [`up`], [`watch`], [`mod@test`], [`lint`], [`mod@bench`], [`mod@rebalance`]: what these tasks do.

mod bench;
mod components;
mod debian;
mod lint;
mod rebalance;
mod server;
mod sqld;
mod step;
mod test;
mod up;
mod verify;
mod wasm;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, runs and tests Buddy.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the components where `spin up` finds them, after installing a compiler for them if there is none
    Build {
        /// Where they are to run; for the cloud the manifest is target/cloud/spin.toml
        #[arg(long, value_enum, default_value_t)]
        target: components::Target,
    },
    /// Serves Buddy, after setting up and building what is missing
    Up(up::Up),
    /// Serves Buddy, and builds and serves it anew whenever a file changes
    Watch(up::Up),
    /// Passes all tests or a group of them, after setting up and building what is missing
    Test(test::Test),
    /// Brings all source into the form that the lints want
    Format,
    /// Measures publishing, delivery, replay and what readers cost; with --page or --browser, the page
    #[command(disable_help_flag = true)]
    Bench {
        /// Measure what the page's modules cost under Node, without a server
        #[arg(long)]
        page: bool,
        /// Measure a room of 100,000 messages in Chromium: opening, scrolling, searching
        #[arg(long, conflicts_with = "page")]
        browser: bool,
        /// Flags of the benchmark; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
    /// Spreads the slots of a running Buddy evenly over its databases
    #[command(disable_help_flag = true)]
    Rebalance {
        /// Flags of the program; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
    /// Compares the page that a running server gives out with this checkout's: 0 the same, 1 not, 2 not to be told
    #[command(disable_help_flag = true)]
    Verify {
        /// The server's address; --help says more
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        flags: Vec<String>,
    },
    /// Cuts, stalls and kills everything at random for a while, and checks that no event is lost or doubled
    #[command(disable_help_flag = true)]
    Chaos {
        /// Flags of the chaos test, for example --minutes 10 --seed 7; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Build { target } => components::build(target).map(|()| ExitCode::SUCCESS),
        Task::Up(options) => up::up(&options),
        Task::Watch(options) => watch::watch(&options),
        Task::Test(options) => test::test(&options),
        Task::Format => test::format().map(|()| ExitCode::SUCCESS),
        Task::Bench { page: true, .. } => test::bench_page().map(|()| ExitCode::SUCCESS),
        Task::Bench { browser: true, .. } => test::bench_browser().map(|()| ExitCode::SUCCESS),
        Task::Bench { flags, .. } => bench::bench(&flags).map(|()| ExitCode::SUCCESS),
        Task::Rebalance { flags } => rebalance::rebalance(&flags),
        Task::Verify { flags } => verify::verify(&flags),
        Task::Chaos { flags } => test::chaos(&flags).map(|()| ExitCode::SUCCESS),
    }
}

/// The top of the checkout, so that every task works from any folder inside it.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's root").to_path_buf()
}

/// Where cargo puts what it builds. `spin.toml` names this folder, so no setting may move it.
fn target() -> PathBuf {
    root().join("target")
}
