//! `cargo xtask up`: sets up what is missing, builds, and serves Buddy until Ctrl-C.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::components::{self, Target};
use crate::{root, server};

/// How long a server that was told to stop may take for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a running server is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub(crate) struct Up {
    /// Uses the embedded server even if there is a Spin on the PATH
    #[arg(long)]
    embedded: bool,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: String,
    /// Where the databases are kept [default: .spin in the checkout]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Sets a variable of spin.toml; may be repeated (also: the environment variable SPIN_VARIABLE_NAME)
    #[arg(long, value_name = "NAME=VALUE")]
    variable: Vec<String>,
    /// Names further databases and key-value stores, as for `spin up`
    #[arg(long, value_name = "FILE")]
    runtime_config_file: Option<PathBuf>,
    /// The manifest [default: spin.toml in the checkout, or the one derived from it for the cloud]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Serves what is built for another place than this machine's Spin
    #[arg(long, value_enum, default_value_t)]
    target: Target,
}

/// Serves until a signal or the server itself ends it. Being told to stop is success.
pub(crate) fn up(options: &Up) -> Result<ExitCode> {
    let command = prepare(options)?;
    let stopping = stop_on_signals()?;
    let mut running = Running::start(command)?;
    loop {
        if stopping.load(Ordering::SeqCst) {
            running.stop()?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(status) = running.ended()? {
            bail!("the server ended by itself ({status}); what it said is above");
        }
        thread::sleep(LOOK);
    }
}

/// Builds what is served and what serves it; the command that starts it.
pub(crate) fn prepare(options: &Up) -> Result<Command> {
    // Before the long steps: nobody should wait minutes to learn that the port is taken.
    check_address(&options.listen)?;
    build(options)
}

/// [`prepare`], while an earlier server may still have the port.
pub(crate) fn build(options: &Up) -> Result<Command> {
    components::build(options.target)?;
    let mut command = match server::spin().filter(|_| !options.embedded) {
        Some(spin) => spin,
        None => server::embedded()?,
    };
    command.args(["--listen", &options.listen]);
    if options.target == Target::Spin {
        command.args(server::FEWER_INSTANCES);
    }
    command.arg("--from").arg(options.from.clone().unwrap_or_else(|| options.target.manifest()));
    command.arg("--state-dir").arg(options.state_dir.clone().unwrap_or_else(|| root().join(".spin")));
    for variable in &options.variable {
        command.arg("--variable").arg(variable);
    }
    if let Some(file) = &options.runtime_config_file {
        command.arg("--runtime-config-file").arg(file);
    }
    Ok(command)
}

fn check_address(address: &str) -> Result<()> {
    let addresses: Vec<SocketAddr> =
        address.to_socket_addrs().with_context(|| format!("--listen {address}: not an address with a port"))?.collect();
    let port = addresses.first().map_or(0, SocketAddr::port);
    let Err(error) = TcpListener::bind(addresses.as_slice()) else { return Ok(()) };
    Err(match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "{address} is in use by another program, perhaps a Buddy that still runs. End that program \
             (`ss -ltnp 'sport = :{port}'` names it) or choose another port, for example --listen 127.0.0.1:0 for any free one"
        ),
        ErrorKind::PermissionDenied => anyhow!(
            "you may not listen on {address}: ports below 1024 are root's. Choose a higher one, for example --listen 127.0.0.1:3000"
        ),
        ErrorKind::AddrNotAvailable => anyhow!(
            "{address} is no address of this machine. 127.0.0.1 serves this machine alone, 0.0.0.0 every network it is in"
        ),
        _ => anyhow!("cannot listen on {address}: {error}"),
    })
}

/// Becomes true once this program is told to stop.
pub(crate) fn stop_on_signals() -> Result<&'static AtomicBool> {
    static STOPPING: AtomicBool = AtomicBool::new(false);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for _ in &mut signals {
            STOPPING.store(true, Ordering::SeqCst);
        }
    });
    Ok(&STOPPING)
}

/// A server that was started here.
pub(crate) struct Running {
    server: Child,
    announcer: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        // A group of its own: a Ctrl-C typed at the terminal reaches the server once, through here, and
        // a program that only signals this one ends the server just as well.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut server = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let output = server.stdout.take().expect("stdout is piped");
        Ok(Self { server, announcer: thread::spawn(move || announce(output)) })
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.server.try_wait()?)
    }

    /// Tells it to stop, and kills it if it does not in time.
    pub(crate) fn stop(mut self) -> Result<()> {
        let group = Pid::from_child(&self.server);
        // It may have ended meanwhile. Spin hands on no other signal to the processes it starts.
        let _ = kill_process_group(group, Signal::INT);
        let deadline = Instant::now() + PATIENCE;
        while self.ended()?.is_none() {
            if Instant::now() > deadline {
                kill_process_group(group, Signal::KILL)?;
            }
            thread::sleep(LOOK);
        }
        let _ = self.announcer.join();
        Ok(())
    }
}

/// Passes on what the server prints. Once it serves, has the schema applied and prints the address.
fn announce(output: impl Read) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        println!("{line}");
        if let Some(address) = served_address(&line).map(str::to_owned) {
            // Meanwhile the server goes on printing, and must not have to wait for itself.
            thread::spawn(move || match health(&address) {
                Ok(200) => println!("\nBuddy is ready: open {address} (Ctrl-C ends it)"),
                Ok(status) => {
                    eprintln!("Buddy answers on {address}, but is not healthy: {address}/api/health says {status}")
                }
                Err(error) => eprintln!("Buddy does not answer on {address}: {error:#}"),
            });
        }
    }
}

/// The address in the line with which a server says that it serves, such as `Serving http://127.0.0.1:3000`.
fn served_address(line: &str) -> Option<&str> {
    let address = &line[line.find("Serving")?..];
    let address = &address[address.find("http://")?..];
    let end = address.find(|c: char| c.is_whitespace() || c.is_control()).unwrap_or(address.len());
    Some(address[..end].trim_end_matches('/'))
}

/// The status with which the server's health check answers. Asking also has the schema applied.
fn health(address: &str) -> Result<u16> {
    let host = address.trim_start_matches("http://");
    let mut connection = TcpStream::connect(host)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(connection, "GET /api/health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).context("no HTTP answer")?;
    Ok(status.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_what_servers_print() {
        assert_eq!(served_address("Serving http://127.0.0.1:3000"), Some("http://127.0.0.1:3000"));
        assert_eq!(served_address("\u{1b}[1mServing\u{1b}[0m http://[::1]:80/\u{1b}[0m"), Some("http://[::1]:80"));
        assert_eq!(served_address("  web: http://127.0.0.1:3000 (wildcard)"), None);
    }

    #[test]
    fn a_port_in_use_is_explained() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("bound").to_string();
        let error = check_address(&address).expect_err("the port is taken").to_string();
        assert!(error.contains("in use") && error.contains("--listen"), "{error}");
    }

    #[test]
    fn what_is_no_address_is_explained() {
        let error = check_address("3000").expect_err("no host").to_string();
        assert!(error.contains("--listen 3000"), "{error}");
    }
}
