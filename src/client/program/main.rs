//! `buddy`: rooms from a shell or a script. What was asked for goes to standard output, everything else to standard
//! error; the exit code says how it ended. A link's secret is never taken from the arguments, which other users of a
//! machine can see and shells remember: it comes from a variable, a file or a prompt.

mod commands;
mod keep;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use buddy_client::link::Link;
use buddy_client::room::Error;
use clap::{Args, Parser, Subcommand};

/// How a run may end, as the README lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done = 0,
    /// Wrong arguments are 2, as clap has it.
    Failed = 1,
    /// The server was caught: what it shows does not fit what was signed.
    Alarmed = 3,
    /// The link is used up or gone, or its holder was removed.
    ShutOut = 4,
    /// The server cannot be reached now; what was to be sent is kept and goes out with the next run.
    Unreachable = 5,
    /// The room is gone.
    Gone = 6,
}

/// Private chat rooms opened by a link, from a shell or a script
#[derive(Parser)]
#[command(name = "buddy", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What you are called in the room
    #[arg(long = "as", value_name = "NAME", env = "BUDDY_NAME", global = true, default_value = "")]
    name: String,
    #[command(flatten)]
    source: LinkSource,
    /// Where rooms are remembered [default: the folder for user data]
    #[arg(long, value_name = "FOLDER", env = "BUDDY_DATA", global = true)]
    data: Option<PathBuf>,
}

const EXIT_CODES: &str = "\
The room's link is taken from the variable BUDDY_LINK, from --link-file, or asked for.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 the server was caught lying, 4 shut out,
5 the server cannot be reached now (what was to be sent goes out with the next run), 6 the room is gone";

#[derive(Args)]
struct LinkSource {
    /// A file that holds the room's link; `-` reads it from standard input
    #[arg(long, value_name = "FILE", global = true)]
    link_file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Make a room; prints the owner's link, then the link for everybody else
    New {
        /// The server's address
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
        server: String,
        /// The room's name
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// How long the room is kept after its last event, in seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
        expires_in: Option<u64>,
        /// How long messages are kept, in seconds [default: as long as the room]
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
        message_ttl: Option<u64>,
    },
    /// Send a message
    Send {
        /// The text; `-` or nothing reads it from standard input
        text: Option<String>,
    },
    /// Print what is said from now on, until interrupted
    Follow {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Begin after this sequence instead of now
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
    },
    /// Print what was said
    History {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Begin after this sequence [default: the newest 200 events]
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
    },
    /// List the people who were let in
    Members {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// List the room's links, or make one; only for its owner
    Links {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Make a link of this name and print its address
        #[arg(long, value_name = "NAME")]
        make: Option<String>,
        /// The link that is made only reads
        #[arg(long, requires = "make")]
        read_only: bool,
        /// How often the link that is made may be opened
        #[arg(long, value_name = "COUNT", requires = "make")]
        openings: Option<u64>,
        /// How long the link that is made works, in seconds
        #[arg(long, value_name = "SECONDS", requires = "make")]
        expires_in: Option<u64>,
    },
    /// Take back links, or remove people, by renewing the room's keys; only for its owner
    Revoke {
        /// Ids or names, as `buddy links` and `buddy members` list them
        #[arg(required = true, value_name = "LINK or MEMBER")]
        what: Vec<String>,
        /// A link that stays although somebody is removed, by its id or name; may be repeated
        #[arg(long, value_name = "LINK")]
        keep_link: Vec<String>,
        /// Newcomers do not see what was said before
        #[arg(long)]
        hide_past: bool,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(ending) => ExitCode::from(ending as u8),
        Err(error) => {
            eprintln!("buddy: {error:#}");
            ExitCode::from(ending_of(&error) as u8)
        }
    }
}

async fn run(arguments: Arguments) -> Result<Ending> {
    let Arguments { command, name, source, data } = arguments;
    let keeper = keep::Keeper::new(data)?;
    if let Command::New { server, name: room_name, expires_in, message_ttl } = command {
        return commands::make(&keeper, &server, &room_name, expires_in, message_ttl, &name).await;
    }
    let text_from_input = matches!(&command, Command::Send { text } if text.as_deref().is_none_or(|text| text == "-"));
    let link = source.read(text_from_input)?;
    let mut visit = commands::Visit::begin(&keeper, link, &name).await?;
    let outcome = match command {
        Command::New { .. } => unreachable!("it needs no link"),
        Command::Send { text } => visit.send(text).await,
        Command::Follow { json, since } => visit.follow(json, since).await,
        Command::History { json, since } => visit.history(json, since).await,
        Command::Members { json } => visit.members(json).await,
        Command::Links { json, make: None, .. } => visit.links(json).await,
        Command::Links { make: Some(name), read_only, openings, expires_in, .. } => {
            visit.make_link(&name, read_only, openings, expires_in).await
        }
        Command::Revoke { what, keep_link, hide_past } => visit.revoke(&what, &keep_link, hide_past).await,
    };
    visit.end(outcome)
}

impl LinkSource {
    fn read(&self, text_from_input: bool) -> Result<Link> {
        let text = match (&self.link_file, std::env::var("BUDDY_LINK")) {
            (Some(file), _) if file.as_os_str() == "-" => {
                if text_from_input {
                    bail!("standard input cannot hold both the link and the text");
                }
                std::io::read_to_string(std::io::stdin()).context("the link cannot be read from standard input")?
            }
            (Some(file), _) => std::fs::read_to_string(file)
                .with_context(|| format!("the link cannot be read from {}", file.display()))?,
            (None, Ok(text)) if !text.trim().is_empty() => text,
            (None, _) => ask_for_link()?,
        };
        let link = Link::parse(&text)?;
        if link.origin.is_empty() {
            bail!("the link names no server: it begins with https:// or http://");
        }
        Ok(link)
    }
}

/// Asks without showing what is typed. Where nobody can be asked, says where the link may come from.
fn ask_for_link() -> Result<String> {
    use std::io::IsTerminal;
    if !std::io::stdin().is_terminal() {
        bail!("which room? Set BUDDY_LINK or give --link-file (not an argument, which others could see)");
    }
    rpassword::prompt_password("Link: ").context("the link cannot be asked for")
}

fn ending_of(error: &anyhow::Error) -> Ending {
    match error.downcast_ref::<Error>() {
        Some(Error::Removed | Error::ShutOut) => Ending::ShutOut,
        Some(Error::Deleted | Error::Expired) => Ending::Gone,
        Some(Error::ClaimedGone | Error::NoKeys(_)) => Ending::Alarmed,
        Some(Error::Server(failure)) if failure.retry_after_s().is_some() => Ending::Unreachable,
        Some(Error::Server(failure)) if matches!(failure.code(), Some("link_ended" | "not_allowed")) => Ending::ShutOut,
        Some(Error::Server(failure)) if failure.code() == Some("room_not_found") => Ending::Gone,
        _ => Ending::Failed,
    }
}
