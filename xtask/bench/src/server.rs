//! The server that is measured: one started for it, in a folder of its own, or one that runs already.
//! It can be killed and started again where it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use crate::http::Address;
use crate::nchan;
use crate::room::Service;
use crate::usage::Usage;

pub(crate) struct Server {
    pub(crate) address: Address,
    process: Option<Process>,
}

struct Process {
    child: Child,
    command: Command,
    /// Holds the server's databases; removed when the measurement is over.
    _state: TempDir,
}

impl Server {
    /// A server that someone else runs. What it uses cannot be measured.
    pub(crate) fn at(url: &str) -> Result<Self> {
        Ok(Self { address: Address::parse(url, Service::Buddy)?, process: None })
    }

    /// Starts `command`, a program and arguments to which the flags of `spin up` are added, with its
    /// data in a new folder inside `folder`. `variables` are `name=value`; rooms are spread over so many `databases`.
    pub(crate) fn start(
        command: &str,
        manifest: &Path,
        variables: &[String],
        folder: &Path,
        databases: usize,
    ) -> Result<Self> {
        let state = tempfile::Builder::new().prefix("bench-").tempdir_in(folder)?;
        let mut words = command.split_whitespace();
        let mut program = Command::new(words.next().context("the server's command is empty")?);
        // A port of its own, so that readers find the server where it was when it comes back.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let further: Vec<_> = (2..=databases).map(|number| format!("database-{number}")).collect();
        if further.is_empty() {
            program.args(words).arg("--from").arg(manifest);
        } else {
            program.args(words).args(with_databases(manifest, &further, state.path())?);
            program.arg("--variable").arg(format!("databases=default,{}", further.join(",")));
        }
        program.arg("--listen").arg(format!("127.0.0.1:{port}"));
        program.arg("--state-dir").arg(state.path());
        let mut settings = unlimited(&fs::read_to_string(manifest)?)?;
        let own = variables.iter().filter_map(|variable| variable.split_once('='));
        settings.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (name, value) in settings {
            program.arg("--variable").arg(format!("{name}={value}"));
        }
        program.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let (child, url) = serve(&mut program)?;
        let process = Process { child, command: program, _state: state };
        Ok(Self { address: Address::parse(&url, Service::Buddy)?, process: Some(process) })
    }

    /// Starts nginx with nchan, which says nothing when it serves.
    pub(crate) fn start_nchan(folder: &Path) -> Result<Self> {
        let state = tempfile::Builder::new().prefix("nchan-").tempdir_in(folder)?;
        let (mut command, url) = nchan::command(state.path())?;
        command.process_group(0).stdin(Stdio::null());
        let child = spawn(&mut command)?;
        let process = Process { child, command, _state: state };
        let address = Address::parse(&url, Service::Nchan)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Err(error) = address.connect() {
            if Instant::now() > deadline {
                return Err(error.context("nginx does not serve"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { address, process: Some(process) })
    }

    /// Kills the server without warning and starts it again with the same data at the same address.
    /// Returns how long it was away.
    pub(crate) fn restart(&mut self) -> Result<Duration> {
        let process = self.process.as_mut().context("only a server that was started here can be restarted")?;
        end_running();
        process.child.wait()?;
        let ended = Instant::now();
        process.child = serve(&mut process.command)?.0;
        Ok(ended.elapsed())
    }

    /// What the server uses by now, if it was started here.
    pub(crate) fn usage(&self) -> Result<Option<Usage>> {
        self.process.as_ref().map(|process| Usage::of_tree(process.child.id())).transpose()
    }
}

/// The flags that grant every component with a database further ones, as files in `folder`.
fn with_databases(manifest: &Path, labels: &[String], folder: &Path) -> Result<[PathBuf; 4]> {
    let root = manifest.parent().context("a manifest lies in a folder")?;
    let mut derived: toml::Table = fs::read_to_string(manifest)?.parse()?;
    let components = derived.get_mut("component").and_then(toml::Value::as_table_mut);
    for (_, component) in components.context("a manifest without components")? {
        // Paths are relative to the manifest.
        let source = component.get("source").and_then(toml::Value::as_str).context("a component without a source")?;
        let source = root.join(source).display().to_string();
        let component = component.as_table_mut().context("a component is a table")?;
        component.insert("source".to_owned(), source.into());
        if let Some(granted) = component.get_mut("sqlite_databases").and_then(toml::Value::as_array_mut) {
            granted.extend(labels.iter().cloned().map(toml::Value::String));
        }
    }
    let places = labels.iter().map(|label| {
        let mut place = toml::Table::new();
        place.insert("type".to_owned(), "spin".into());
        place.insert("path".to_owned(), folder.join(format!("{label}.db")).display().to_string().into());
        (label.clone(), toml::Value::Table(place))
    });
    let places = toml::Table::from_iter(places);
    let config = toml::Table::from_iter([("sqlite_database".to_owned(), toml::Value::Table(places))]);
    let (from, runtime) = (folder.join("spin.toml"), folder.join("runtime.toml"));
    fs::write(&from, derived.to_string())?;
    fs::write(&runtime, config.to_string())?;
    Ok(["--from".into(), from, "--runtime-config-file".into(), runtime])
}

/// Starts a program and waits for the address at which it says that it serves.
fn serve(program: &mut Command) -> Result<(Child, String)> {
    let mut child = spawn(program)?;
    let output = child.stdout.take().expect("stdout is piped");
    let url = served_address(output).with_context(|| format!("{program:?} did not say that it serves"))?;
    Ok((child, url))
}

fn spawn(program: &mut Command) -> Result<Child> {
    let child = program.spawn().with_context(|| format!("cannot start {program:?}"))?;
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(Pid::from_child(&child));
    Ok(child)
}

/// The manifest's limits, set so high that they limit nothing: those that protect a public server
/// would end a measurement after a second.
fn unlimited(manifest: &str) -> Result<BTreeMap<String, String>> {
    let manifest: toml::Table = manifest.parse()?;
    let variables =
        manifest.get("variables").and_then(toml::Value::as_table).context("a manifest without variables")?;
    let limits = variables.keys().filter(|name| name.contains("_per_"));
    let mut unlimited: BTreeMap<_, _> = limits.map(|name| (name.clone(), "1000000".to_owned())).collect();
    unlimited.insert("stream_max_s".to_owned(), "0".to_owned());
    Ok(unlimited)
}

/// Waits for the line `Serving http://…` and from then on drops what the server prints.
fn served_address(output: impl Read + Send + 'static) -> Result<String> {
    let (found, address) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(start) = line.find("http://").filter(|_| line.contains("Serving")) {
                let end = line[start..].find(|c: char| c.is_whitespace() || c.is_control());
                // Nobody listens any more once the first address is found.
                let _ = found.send(line[start..end.map_or(line.len(), |end| start + end)].to_owned());
            }
        }
    });
    match address.recv_timeout(Duration::from_secs(120)) {
        Ok(address) => Ok(address),
        Err(mpsc::RecvTimeoutError::Timeout) => bail!("nothing within two minutes"),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(anyhow!("it ended; what it said is above")),
    }
}

/// The process group of the server that runs, for there is never more than one.
static RUNNING: Mutex<Option<Pid>> = Mutex::new(None);

impl Drop for Process {
    fn drop(&mut self) {
        end_running();
        let _ = self.child.wait();
    }
}

/// Ends the group, for Spin serves from a process that it starts.
fn end_running() {
    if let Some(group) = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// From now on a signal that ends this program also ends the server that it started and removes
/// `folder`, where the data is.
pub(crate) fn clean_up_on_signals(folder: PathBuf) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end_running();
            let _ = fs::remove_dir_all(&folder);
            // What shells say of a program that a signal ended.
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_lifted_and_nothing_else_is_set() {
        let manifest = "[variables]\nposts_per_room = { default = \"200\" }\nadmin_token = { default = \"\" }\n";
        let set = unlimited(manifest).expect("a manifest");
        assert_eq!(set.into_keys().collect::<Vec<_>>(), ["posts_per_room", "stream_max_s"]);
    }
}
