//! Where a Buddy's data is when it is not in files of its own: `sqld`, libSQL's server, one for each database, and
//! Redis for the key-value store. Each is a process of the test's own on a free port, with a token or a password that
//! the test can look for, and goes with the test.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use toml::Table;

use crate::{DEADLINE, manifest, project_root};

/// Chooses where the servers of all tests keep their data: `libsql`, or nothing for files.
const STORAGE_VARIABLE: &str = "BUDDY_DATABASE";
/// The program; `cargo xtask test` brings it to the place that is the default.
const SQLD_VARIABLE: &str = "BUDDY_SQLD";

/// What a server keeps its data in.
#[derive(Debug)]
pub struct Storage {
    databases: BTreeMap<String, Service>,
    store: Service,
    token: String,
    password: String,
}

/// A program with data of its own, which can be killed and started again on it.
#[derive(Debug)]
pub struct Service {
    folder: PathBuf,
    port: u16,
    arguments: Vec<String>,
    program: PathBuf,
    process: Mutex<Option<Child>>,
}

impl Storage {
    /// Whether all servers are to have one.
    pub(crate) fn is_asked_for() -> bool {
        match std::env::var(STORAGE_VARIABLE).as_deref() {
            Err(_) | Ok("" | "spin") => false,
            Ok("libsql") => true,
            Ok(other) => panic!("{STORAGE_VARIABLE} is {other:?}, not `libsql`"),
        }
    }

    /// Starts what holds the databases with these labels, and a store.
    pub(crate) fn start(folder: &Path, labels: &[String]) -> Self {
        let key = SigningKey::from_bytes(&rand::random());
        let token = token(&key);
        let password = format!("redis-{}", uuid::Uuid::new_v4());
        let open = |label: &str| {
            let folder = folder.join(format!("sqld-{label}"));
            std::fs::create_dir_all(&folder).expect("a folder can be made");
            std::fs::write(folder.join("key"), URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()))
                .expect("the key can be written");
            (label.to_owned(), Service::sqld(folder))
        };
        let databases = std::iter::once("default").chain(labels.iter().map(String::as_str)).map(open).collect();
        let store = Service::redis(folder.join("redis"), &password);
        Self { databases, store, token, password }
    }

    /// The server that has the database with this label.
    pub fn sqld(&self, label: &str) -> &Service {
        &self.databases[label]
    }

    pub fn redis(&self) -> &Service {
        &self.store
    }

    /// What no log may hold: sqld's token and the store's password.
    pub fn secrets(&self) -> [&str; 2] {
        [&self.token, &self.password]
    }

    /// Writes the runtime configuration that leads to all of them into a server's folder.
    pub fn runtime_config(&self, folder: &Path) {
        self.write_config(folder, &self.token);
    }

    /// The same with a token that opens nothing, which it returns.
    pub fn runtime_config_with_a_wrong_token(&self, folder: &Path) -> String {
        let token = token(&SigningKey::from_bytes(&[7; 32]));
        self.write_config(folder, &token);
        token
    }

    fn write_config(&self, folder: &Path, token: &str) {
        let text = |text: String| toml::Value::String(text);
        let place = |(label, sqld): (&String, &Service)| {
            let place = Table::from_iter([
                ("type".to_owned(), text("libsql".to_owned())),
                ("url".to_owned(), text(format!("http://127.0.0.1:{}", sqld.port))),
                ("token".to_owned(), text(token.to_owned())),
            ]);
            (label.clone(), toml::Value::Table(place))
        };
        let databases = Table::from_iter(self.databases.iter().map(place));
        let store = Table::from_iter([
            ("type".to_owned(), text("redis".to_owned())),
            ("url".to_owned(), text(format!("redis://:{}@127.0.0.1:{}", self.password, self.store.port))),
        ]);
        let stores = Table::from_iter([("default".to_owned(), toml::Value::Table(store))]);
        let config = Table::from_iter([
            ("sqlite_database".to_owned(), toml::Value::Table(databases)),
            ("key_value_store".to_owned(), toml::Value::Table(stores)),
        ]);
        let path = manifest::runtime_config_file(folder);
        std::fs::write(path, config.to_string()).expect("the runtime configuration can be written");
    }

    /// Has the server run a statement that changes something, for another program must not write to its file. How many
    /// rows that changed.
    pub(crate) fn execute(&self, label: &str, sql: &str) -> usize {
        let body = json!({"requests": [{"type": "execute", "stmt": {"sql": sql}}, {"type": "close"}]});
        let answer = self.sqld(label).ask(&self.token, &body);
        let result = &answer["results"][0]["response"]["result"];
        let changed = result["affected_row_count"].as_u64();
        usize::try_from(changed.unwrap_or_else(|| panic!("{sql}: {answer}"))).expect("a number of rows")
    }

    /// The file that holds the database, to be read only.
    pub(crate) fn file(&self, label: &str) -> PathBuf {
        self.databases[label].folder.join("data/dbs/default/data")
    }
}

/// A token as sqld takes them: a JSON Web Token (RFC 7519) signed with Ed25519 (RFC 8037) that may do everything.
fn token(key: &SigningKey) -> String {
    let [header, claims] = [json!({"alg": "EdDSA", "typ": "JWT"}), json!({"a": "rw"})];
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
    format!("{signed}.{signature}")
}

impl Service {
    fn sqld(folder: PathBuf) -> Self {
        let program =
            std::env::var_os(SQLD_VARIABLE).map_or_else(|| project_root().join("target/tools/sqld"), PathBuf::from);
        let port = free_port();
        let arguments = [
            "--db-path".to_owned(),
            folder.join("data").display().to_string(),
            "--auth-jwt-key-file".to_owned(),
            folder.join("key").display().to_string(),
            "--http-listen-addr".to_owned(),
            format!("127.0.0.1:{port}"),
        ];
        Self::new(program, folder, port, arguments.into())
    }

    fn redis(folder: PathBuf, password: &str) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let port = free_port();
        let arguments = [
            "--save".to_owned(),
            String::new(),
            "--dir".to_owned(),
            folder.display().to_string(),
            "--bind".to_owned(),
            "127.0.0.1".to_owned(),
            "--port".to_owned(),
            port.to_string(),
            "--requirepass".to_owned(),
            password.to_owned(),
        ];
        Self::new("redis-server".into(), folder, port, arguments.into())
    }

    fn new(program: PathBuf, folder: PathBuf, port: u16, arguments: Vec<String>) -> Self {
        let service = Self { folder, port, arguments, program, process: Mutex::new(None) };
        service.start();
        service
    }

    /// Starts it, on the data it has, and waits until it takes connections.
    pub fn start(&self) {
        let log = File::create(self.folder.join("log")).expect("a log file can be made");
        let errors = log.try_clone().expect("a file handle can be copied");
        let mut command = Command::new(&self.program);
        // What it writes of its own, in a folder of its own.
        command.args(&self.arguments).current_dir(&self.folder).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {} ({error}); `cargo xtask test` installs what is missing", self.program.display())
        });
        *self.process() = Some(child);
        let end = Instant::now() + DEADLINE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let status = self.process().as_mut().and_then(|child| child.try_wait().expect("it can be asked"));
            assert!(status.is_none(), "{} ended with {status:?}:\n{}", self.program.display(), self.log());
            assert!(Instant::now() < end, "{} takes no connections:\n{}", self.program.display(), self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL.
    pub fn kill(&self) {
        if let Some(mut child) = self.process().take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child can be waited for");
        }
    }

    /// It hangs, as far as anybody can tell, until [`Service::go_on`].
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Everything that it has printed since it was last started.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// How much processor time it has taken since it was last started.
    pub fn processor_time(&self) -> Duration {
        let id = self.process().as_ref().expect("it runs").id();
        let process = procfs::process::Process::new(i32::try_from(id).expect("a process id")).expect("it runs");
        let stat = process.stat().expect("a process has a status");
        Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
    }

    fn signal(&self, signal: Signal) {
        let process = self.process();
        let child = process.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("a child takes signals");
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, token: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("sqld takes connections");
        connection.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        write!(
            connection,
            "POST /v2/pipeline HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("sqld reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("sqld answers");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("sqld said {answer:?}"));
        // In chunks or whole: it is one object either way.
        let object = body.find('{').zip(body.rfind('}')).map(|(begin, end)| &body[begin..=end]);
        object.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| panic!("sqld said {answer:?}"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}--- end of the log ---", self.program.display(), self.log());
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}
