//! `cargo xtask rebalance`: moves slots until all databases own as many, through the operator's API. It shows what it
//! is going to do and asks first; it can be stopped at any moment, and the next run goes on.

mod plan;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::plan::{Map, Plan, Step};

/// Where the operator's token stands, unless a file holds it.
const TOKEN_VARIABLE: &str = "BUDDY_ADMIN_TOKEN";
/// How long a server may refuse for the moment before it counts as failing.
const PATIENCE: Duration = Duration::from_secs(60);
/// It was stopped, by its user, before all was done.
const STOPPED: u8 = 3;

/// Spreads the slots evenly over the databases of a running Buddy.
///
/// The operator's token (the variable admin_token) comes from the environment variable BUDDY_ADMIN_TOKEN or from a file,
/// never from the arguments, which others on the machine can see.
///
/// Exit codes: 0 done, or nothing to do; 1 failed; 2 wrong arguments; 3 stopped before all was done.
#[derive(Parser)]
#[command(name = "cargo xtask rebalance", bin_name = "cargo xtask rebalance")]
struct Flags {
    /// Where Buddy listens, without TLS, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL")]
    address: String,
    /// A file that holds the operator's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Shows what would move, and moves nothing
    #[arg(long)]
    dry_run: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    let operator = match Operator::new(&flags) {
        Ok(operator) => operator,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    match rebalance(&operator, &flags).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(STOPPED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False: its user did not want all of it.
async fn rebalance(operator: &Operator, flags: &Flags) -> Result<bool> {
    let plan = operator.map().await?.plan();
    print!("{plan}");
    if plan.steps.is_empty() {
        println!("nothing to do");
        return Ok(true);
    }
    if flags.dry_run {
        return Ok(true);
    }
    if !flags.yes && !wants(&plan)? {
        println!("nothing was moved");
        return Ok(false);
    }
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second one ends the program at once: whatever ends a call, the next one goes on.
        signal_hook::flag::register_conditional_shutdown(signal, i32::from(STOPPED), Arc::clone(&stopped))?;
        signal_hook::flag::register(signal, Arc::clone(&stopped))?;
    }
    let shows = std::io::stderr().is_terminal();
    let bar = if shows { ProgressBar::new(plan.steps.len() as u64) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} slots, {elapsed} gone, {eta} to go  {msg}");
    bar.set_style(style.expect("the template is valid"));
    for (done, step) in plan.steps.iter().enumerate() {
        if !operator.make(step, &bar, &stopped).await.with_context(|| format!("slot {}", step.slot))? {
            bar.abandon();
            println!("stopped after {done} of {} slots; the next run goes on", plan.steps.len());
            return Ok(false);
        }
        bar.inc(1);
        if !shows {
            println!("slot {} is in {}", step.slot, step.to);
        }
    }
    bar.finish_and_clear();
    println!("{} slots have moved", plan.steps.len());
    Ok(true)
}

/// Asks whether the plan is wanted.
fn wants(plan: &Plan) -> Result<bool> {
    print!("Move {} slots? [y/N] ", plan.steps.len());
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("no answer can be read; --yes does not ask")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The operator's side of a server.
struct Operator {
    address: String,
    token: String,
    client: Client,
}

/// How far a slot has come.
#[derive(Deserialize)]
struct Progress {
    state: String,
    rooms: u64,
    rooms_copied: u64,
}

/// An error as the API writes it.
#[derive(Deserialize)]
struct Refusal {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: String,
}

impl Operator {
    fn new(flags: &Flags) -> Result<Self> {
        if !flags.address.starts_with("http://") {
            bail!("--address begins with http://: run this where Buddy can be reached without TLS");
        }
        let token = match &flags.token_file {
            Some(file) => {
                std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?
            }
            None => std::env::var(TOKEN_VARIABLE).with_context(|| {
                format!("the operator's token is missing: set {TOKEN_VARIABLE} or give --token-file")
            })?,
        };
        let token = token.trim().to_owned();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            bail!("the operator's token is empty, or holds what no header can");
        }
        // A call works for two seconds or so.
        let client = Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { address: flags.address.trim_end_matches('/').to_owned(), token, client })
    }

    async fn map(&self) -> Result<Map> {
        let url = format!("{}/internal/router", self.address);
        // Who mistyped the address need not wait to hear of it.
        let answer = self.ask(|| self.client.get(&url), Duration::ZERO).await?;
        answer.json().await.context("the server shows no map")
    }

    /// Moves one slot to its end. False: stopped before.
    async fn make(&self, step: &Step, bar: &ProgressBar, stopped: &AtomicBool) -> Result<bool> {
        let url = format!("{}/internal/router/slots/{}/move", self.address, step.slot);
        let mut is_cleaning = false;
        // Once it has arrived, only what it left behind is deleted: that is done to its end.
        while is_cleaning || !stopped.load(Ordering::Relaxed) {
            let answer = self.ask(|| self.client.post(&url).json(&json!({ "to": step.to })), PATIENCE).await?;
            let has_arrived = answer.status() == StatusCode::OK;
            let progress: Progress = answer.json().await.context("the server tells no progress")?;
            bar.set_message(format!(
                "slot {}: {}, {} of {} rooms",
                step.slot, progress.state, progress.rooms_copied, progress.rooms
            ));
            if has_arrived {
                return Ok(true);
            }
            is_cleaning = progress.state == "cleaning";
        }
        Ok(false)
    }

    /// Asks until the answer is more than "not now", or patience is at its end.
    async fn ask(&self, request: impl Fn() -> RequestBuilder, patience: Duration) -> Result<Response> {
        let began = Instant::now();
        loop {
            let outcome = request().bearer_auth(&self.token).send().await;
            let (cause, wait) = match outcome {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) => {
                    let status = answer.status();
                    let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
                    let refusal: Option<Refusal> = answer.json().await.ok();
                    let reason = refusal.map_or_else(String::new, |refusal| {
                        format!(": {} ({})", refusal.error.message, refusal.error.code)
                    });
                    let hint = if status == StatusCode::NOT_FOUND {
                        "; is the variable admin_token set, and this its value?"
                    } else {
                        ""
                    };
                    let cause = anyhow::anyhow!("the server answers {status}{reason}{hint}");
                    if status != StatusCode::SERVICE_UNAVAILABLE {
                        return Err(cause);
                    }
                    (cause, Duration::from_secs(wait.unwrap_or(1).min(10)))
                }
                // Perhaps it is being started anew. A repeat changes nothing.
                Err(error) => (error.into(), Duration::from_secs(1)),
            };
            if began.elapsed() >= patience {
                return Err(cause);
            }
            tokio::time::sleep(wait).await;
        }
    }
}
