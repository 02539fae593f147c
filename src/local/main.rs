//! `buddy-local`: a small server that runs this project's components the way `spin up` does, for
//! machines that have no `spin` and for the tests.
//!
//! It is for development and tests. What it lacks on purpose: TLS, triggers other than HTTP,
//! components from elsewhere than a file, outbound requests but to exact HTTP hosts, component files.
//! Each is refused by name. Production runs on Spin.
//!
//! - [`manifest`] and [`runtime_config`] read what is to run, [`application`] makes it ready;
//! - [`serve`] takes requests, [`route`] finds their component, [`instance`] runs it, [`outbound`] sends what it asks
//!   of others;
//! - [`sqlite`] over [`database`] and [`page`] or [`libsql`], [`key_value`] over files or [`redis`], and
//!   [`variables`] are what components may call, [`spin_2`] the same for those of WASI 0.2.

mod application;
mod bindings;
mod database;
mod instance;
mod key_value;
mod libsql;
mod manifest;
mod outbound;
mod page;
mod redis;
mod route;
mod runtime_config;
mod serve;
mod spin_2;
mod sqlite;
mod variables;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

/// Runs a Spin application from its manifest, for development and tests; production runs on Spin
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Serves the application; the flags are those of `spin up`
    Up(Up),
}

#[derive(clap::Args)]
struct Up {
    /// The manifest, or the folder it is in
    #[arg(short, long, value_name = "PATH", default_value = "spin.toml")]
    from: PathBuf,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000", value_parser = parse_address)]
    listen: SocketAddr,
    /// Where databases and stores are kept [default: .spin beside the manifest]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Sets a variable of the application (also: the environment variable SPIN_VARIABLE_NAME)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    variable: Vec<(String, String)>,
    /// Says where databases and stores are: files, libSQL servers, Redis
    #[arg(long, value_name = "FILE", env = "RUNTIME_CONFIG_FILE")]
    runtime_config_file: Option<PathBuf>,
    #[command(flatten)]
    reuse: instance::Reuse,
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| "no such address".to_owned())
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((_, value)) if value.starts_with('@') => Err("values from files are not supported here".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("expected NAME=VALUE".to_owned()),
    }
}

fn main() -> ExitCode {
    let Command::Up(up) = Command::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();

    allow_many_connections();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(up.run());
    // Streams never end by themselves, and what was acknowledged is on the disk. So, like Spin,
    // leave at once, without taking the runtime apart.
    std::mem::forget(runtime);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Raises the limit on open files, 1,024 by default, as far as the system lets a process do it:
/// every stream keeps a connection open. Where that fails, the default has to do.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!("cannot raise the limit on open files: {error}");
    }
}

/// Says what went wrong in one line, whatever the causes look like.
fn fail(error: &anyhow::Error) -> ExitCode {
    let text = format!("{error:#}");
    eprintln!("Error: {}", text.lines().map(str::trim).collect::<Vec<_>>().join(" "));
    ExitCode::FAILURE
}

impl Up {
    async fn run(self) -> Result<()> {
        let manifest_path = if self.from.is_dir() { self.from.join("spin.toml") } else { self.from };
        let folder = manifest_path.parent().unwrap_or(Path::new(""));
        let state_dir = self.state_dir.unwrap_or_else(|| folder.join(".spin"));
        let manifest = manifest::Manifest::read(&manifest_path)?;
        let places = runtime_config::RuntimeConfig::read(self.runtime_config_file.as_deref(), &state_dir)?;
        let variables: BTreeMap<_, _> = self.variable.into_iter().collect();

        // Taken first, so that a port in use is told at once and not after minutes of compiling.
        let listener = listen(self.listen)?;
        let name = manifest.application.name.clone();
        eprintln!("Running {name} on buddy-local, a server for development and tests. Production runs on Spin.");
        let router = Arc::new(application::load(manifest, folder, &places, &variables, self.reuse)?);

        announce(&listener, &router)?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = serve::serve(listener, router) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        Ok(())
    }
}

/// How many connections may wait to be taken. With the 128 that are usual, those that come at once beyond them try
/// again only after one second and after three.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    match bound() {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("{address} is already in use: end what listens there, or choose another with --listen")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}

/// Says where the application is, in Spin's words, which tests and tools wait for.
fn announce(listener: &TcpListener, router: &route::Router<application::Handler>) -> Result<()> {
    let address = format!("http://{}", listener.local_addr()?);
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\nServing {address}\nAvailable Routes:")?;
    for (pattern, handler) in router.iter() {
        let (path, note) = match pattern.strip_suffix("/...") {
            Some(path) => (path, " (wildcard)"),
            None => (pattern, ""),
        };
        writeln!(stdout, "  {}: {address}{path}{note}", handler.id)?;
    }
    Ok(stdout.flush()?)
}
