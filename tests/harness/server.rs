//! One Buddy server as a child process, on a state folder of its own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use procfs::WithCurrentSystemInfo;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{Api, DEADLINE, Database, PushService, Room, Storage, manifest};

/// The program and leading arguments that start a server, such as `spin up`.
const SERVER_VARIABLE: &str = "BUDDY_SERVER";

/// The private key of a deployment that pushes messages, and where people find it.
pub const PUSH_KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
pub const PUBLIC_ADDRESS: &str = "https://chat.example";

/// The folder that holds `spin.toml`.
pub fn project_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests live in a folder of the project")
}

/// How a server is to be started.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    variables: Vec<(String, String)>,
    /// Labels of further databases.
    databases: Vec<String>,
    /// Further servers that may be asked by who may ask any.
    hosts: Vec<String>,
    /// Variables that no component gets.
    hidden: Vec<String>,
    elsewhere: bool,
    unhealthy: bool,
}

impl Setup {
    /// Sets one of the variables of `spin.toml`.
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => self.variables.push((name.to_owned(), value)),
        }
        self
    }

    /// Lifts every limit on rates, for tests that are not about them.
    pub fn without_rate_limits(mut self) -> Self {
        for name in [
            "posts_per_author_per_ten_s",
            "posts_per_room_per_ten_s",
            "posts_per_address_per_ten_s",
            "posts_per_address_per_room_per_ten_s",
            "changes_per_room_per_ten_s",
            "signals_per_author_per_ten_s",
            "signals_per_room_per_ten_s",
            "rooms_per_address_per_hour",
            "rotations_per_room_per_hour",
            "link_openings_per_address_per_ten_s",
            "file_parts_per_address_per_ten_s",
            "push_registrations_per_address_per_hour",
        ] {
            self = self.variable(name, 1_000_000);
        }
        self
    }

    /// Grants every component that has a database further ones, by their labels. Whether rooms may live there is still
    /// up to the variable `databases`.
    pub fn grant_databases(mut self, labels: &[&str]) -> Self {
        self.databases = labels.iter().map(|label| (*label).to_owned()).collect();
        self
    }

    /// Pushes messages, by this service alone.
    pub fn push(mut self, service: &PushService) -> Self {
        self.hosts.push(service.origin().to_owned());
        self.variable("push_key", PUSH_KEY)
            .variable("public_address", PUBLIC_ADDRESS)
            .variable("push_services", service.origin())
    }

    /// Keeps a variable from every component, so that none can read it.
    pub fn hide_variable(mut self, name: &str) -> Self {
        self.hidden.push(name.to_owned());
        self
    }

    /// Keeps all data in libSQL and Redis, whatever the others do.
    pub fn on_libsql(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    /// Does not wait for `/api/health` to answer 200.
    pub fn expect_unhealthy(mut self) -> Self {
        self.unhealthy = true;
        self
    }

    /// Starts a server on a new, empty state folder.
    pub async fn start(self) -> Server {
        let folder = tempfile::Builder::new().prefix("buddy-test-").tempdir().expect("a temporary folder can be made");
        let elsewhere = self.elsewhere || Storage::is_asked_for();
        let storage = elsewhere.then(|| Arc::new(Storage::start(folder.path(), &self.databases)));
        if let Some(storage) = &storage {
            storage.runtime_config(folder.path());
        } else if !self.databases.is_empty() {
            manifest::runtime_config(folder.path(), &self.databases);
        }
        self.start_on(Arc::new(folder), storage).await
    }

    async fn start_on(self, folder: Arc<TempDir>, storage: Option<Arc<Storage>>) -> Server {
        let log = log_file(folder.path());
        let child = self.spawn(folder.path(), &log);
        let mut server = Server { setup: self, storage, folder, log, child: Some(child), address: String::new() };
        server.wait_until_serving().await;
        server
    }

    fn spawn(&self, folder: &Path, log: &Path) -> Child {
        let mut command = server_command();
        let output = File::create(log).expect("the log file can be made");
        let errors = output.try_clone().expect("a file handle can be copied");
        command.arg("--listen").arg("127.0.0.1:0").arg("--state-dir").arg(folder);
        if self.databases.is_empty() && self.hosts.is_empty() && self.hidden.is_empty() {
            command.arg("--from").arg(manifest::path());
        } else {
            command.arg("--from").arg(manifest::derived(folder, &self.databases, &self.hosts, &self.hidden));
        }
        let config = manifest::runtime_config_file(folder);
        if config.exists() {
            command.arg("--runtime-config-file").arg(config);
        }
        for (name, value) in &self.variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        // `spin up` runs its trigger as a child: a group of its own lets both be ended together.
        command.process_group(0).stdin(Stdio::null()).stdout(output).stderr(errors);
        command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {:?} ({error}); `cargo xtask test` builds what is missing", command.get_program())
        })
    }
}

/// A running server. It is killed when dropped, and where the test has failed its log goes to the output.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    // Its processes end before their folder goes.
    storage: Option<Arc<Storage>>,
    folder: Arc<TempDir>,
    log: PathBuf,
    child: Option<Child>,
    address: String,
}

impl Server {
    /// Starts a server with the defaults of `spin.toml`.
    pub async fn start() -> Self {
        Self::setup().start().await
    }

    /// A setup to be refined before it starts.
    pub fn setup() -> Setup {
        Setup::default()
    }

    /// Host and port, such as `127.0.0.1:41234`.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn api(&self) -> Api {
        Api::new(&self.address)
    }

    /// A room that everybody who knows its id may read and write.
    pub async fn open_room(&self) -> Room {
        Room::create(&self.api(), serde_json::json!({})).await
    }

    /// A room made with the given body.
    pub async fn room(&self, body: serde_json::Value) -> Room {
        Room::create(&self.api(), body).await
    }

    /// The file of the database labelled `default`.
    pub fn database_file(&self) -> PathBuf {
        self.folder.path().join("sqlite_db.db")
    }

    /// The database labelled `default`.
    pub fn database(&self) -> Database {
        self.database_of("default")
    }

    /// The database with this label: `default`, or one that was granted.
    pub fn database_of(&self, label: &str) -> Database {
        match &self.storage {
            Some(storage) => Database::at(Arc::clone(storage), label),
            None if label == "default" => Database::open(&self.database_file()),
            None => Database::open(&manifest::database_file(self.folder.path(), label)),
        }
    }

    /// What holds its data, where that is not in its own files.
    pub fn storage(&self) -> &Storage {
        self.storage.as_ref().expect("this server was set up with libSQL and Redis")
    }

    /// Its state folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file behind the key-value store labelled `default`, where that is one.
    pub fn key_value_file(&self) -> PathBuf {
        self.folder.path().join("sqlite_key_value.db")
    }

    /// Everything that the server has printed since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The memory that the server holds now, with what it started, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let group = self.child.as_ref().expect("a running server has a process").id();
        let processes = procfs::process::all_processes().expect("/proc can be listed");
        // One that ended meanwhile holds nothing.
        let stats = processes.filter_map(|process| process.ok()?.stat().ok());
        stats.filter(|stat| u32::try_from(stat.pgrp) == Ok(group)).map(|stat| stat.rss_bytes().get()).sum()
    }

    /// SIGKILL: the server gets no chance to finish anything.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let group = Pid::from_child(&child);
            // The group may be gone already, where the server ended by itself; then there is nothing to end.
            let _ = kill_process_group(group, Signal::KILL);
            child.wait().expect("a killed child can be waited for");
        }
    }

    /// Kills the server and starts it again on the same data. Its address changes.
    pub async fn restart(&mut self) {
        self.restart_with(self.setup.clone()).await;
    }

    /// Kills the server and starts it with another setup on the same data.
    pub async fn restart_with(&mut self, setup: Setup) {
        self.kill();
        self.setup = setup;
        self.log = log_file(self.folder.path());
        self.child = Some(self.setup.spawn(self.folder.path(), &self.log));
        self.wait_until_serving().await;
    }

    /// Copies all that the server has stored into a new folder, as an operator makes a backup: while nothing runs.
    /// Afterwards the server runs again; its address changes.
    pub async fn back_up(&mut self) -> TempDir {
        self.kill();
        let backup = tempfile::tempdir().expect("a temporary folder can be made");
        copy_databases(self.folder.path(), backup.path());
        self.restart().await;
        backup
    }

    /// Puts a backup in the place of what the server has stored, and starts it again; its address changes.
    pub async fn restore(&mut self, backup: &TempDir) {
        self.kill();
        for file in databases(self.folder.path()) {
            fs::remove_file(&file).expect("a stored file can be removed");
        }
        copy_databases(backup.path(), self.folder.path());
        self.restart().await;
    }

    /// A second server beside this one, on the same data.
    pub async fn sibling(&self) -> Self {
        self.setup.clone().start_on(Arc::clone(&self.folder), self.storage.clone()).await
    }

    async fn wait_until_serving(&mut self) {
        let end = Instant::now() + DEADLINE;
        self.address = loop {
            if let Some(address) = serving_address(&self.log()) {
                break address;
            }
            let child = self.child.as_mut().expect("a starting server has a process");
            if let Some(status) = child.try_wait().expect("a child can be asked for its status") {
                panic!("the server ended before it served: {status}");
            }
            assert!(Instant::now() < end, "the server printed no `Serving` line");
            sleep(Duration::from_millis(5)).await;
        };
        if self.setup.unhealthy {
            return;
        }
        loop {
            let answer = self.api().get("/api/health").send().await;
            if answer.status() == 200 {
                return;
            }
            assert!(Instant::now() < end, "the server is not healthy: {answer}");
            sleep(Duration::from_millis(25)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}--- end of the log ---", self.log());
        }
    }
}

/// The database files of a state folder, with their write-ahead logs.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a state folder can be listed");
    let paths = files.map(|file| file.expect("a file can be listed").path());
    paths.filter(|path| path.is_file() && path.to_string_lossy().contains(".db")).collect()
}

fn copy_databases(from: &Path, to: &Path) {
    for file in databases(from) {
        let name = file.file_name().expect("a file has a name");
        fs::copy(&file, to.join(name)).expect("a stored file can be copied");
    }
}

/// What starts a server, before its flags.
fn server_command() -> Command {
    match std::env::var(SERVER_VARIABLE) {
        Ok(words) if !words.trim().is_empty() => {
            let mut words = words.split_whitespace();
            let mut command = Command::new(words.next().expect("the command is not empty"));
            command.args(words);
            command
        }
        _ => embedded_server_command(),
    }
}

/// What starts the embedded server, before its flags.
pub fn embedded_server_command() -> Command {
    let mut command = Command::new(project_root().join("target/native/buddy-local"));
    command.arg("up");
    command
}

/// A log file of its own for every start, so that nobody takes an earlier `Serving` line for a new one.
fn log_file(folder: &Path) -> PathBuf {
    let (_, path) = tempfile::Builder::new()
        .prefix("server-")
        .suffix(".log")
        .tempfile_in(folder)
        .and_then(|file| Ok(file.keep()?))
        .expect("a log file can be made in the state folder");
    path
}

fn serving_address(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("Serving"))?;
    let (_, address) = line.split_once("http://")?;
    let length = address.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(address.len());
    // A line that is still being written may lack part of the port.
    log.contains(&format!("{}\n", line)).then(|| address[..length].to_owned())
}
