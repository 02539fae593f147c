//! Chromium and the program that steers it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use buddy_tests::eventually;
use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::profile::Profile;

const DRIVER: &str = "/usr/bin/chromedriver";
const BROWSER: &str = "/usr/bin/chromium";
/// The name of chromedriver's log in its folder.
const LOG: &str = "driver.log";

/// `chromedriver` as a child process. When dropped it ends its browsers and then itself.
pub(crate) struct Driver {
    child: Child,
    port: u16,
    /// Holds all that the browsers write, and goes after them.
    folder: TempDir,
}

/// How a browser is to be started, and where it keeps what it remembers. Started a second time it is the same
/// person's browser again.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    folder: PathBuf,
    arguments: Vec<String>,
}

impl Driver {
    pub(crate) async fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("buddy-browser-").tempdir().expect("a temporary folder can be made");
        let mut driver = Self { child: spawn(folder.path()), port: 0, folder };
        driver.port = eventually("chromedriver tells its port", async || {
            // It takes a port that is free for IPv4, and ends where somebody has the same one for IPv6.
            if driver.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                driver.child = spawn(driver.folder.path());
            }
            let text = driver.log();
            let (_, rest) = text.split_once("started successfully on port ")?;
            rest.split_once('.')?.0.parse().ok()
        })
        .await;
        driver
    }

    /// What chromedriver has printed.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default()
    }

    /// A browser of a person who was never here before, 1280 × 800 and with everything as Chromium has it.
    pub(crate) async fn profile(&self) -> Profile {
        self.open(&self.browser()).await
    }

    /// A browser of a person who was never here before, to be refined before it is opened.
    pub(crate) fn browser(&self) -> Browser {
        let folder = tempfile::tempdir_in(&self.folder).expect("a folder can be made in another").keep();
        Browser { folder, arguments: Vec::new() }
    }

    /// Starts a browser.
    pub(crate) async fn open(&self, browser: &Browser) -> Profile {
        let driver = format!("http://127.0.0.1:{}", self.port);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(browser.capabilities())
            .connect(&driver)
            .await
            .expect("Chromium starts");
        Profile::new(client, driver, Some(browser.clone())).await
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Killed outright it would leave its browsers behind.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let request =
                format!("GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of chromedriver ---\n{}--- end of the log ---", self.log());
        }
    }
}

fn spawn(folder: &Path) -> Child {
    let output = File::create(folder.join(LOG)).expect("the log file can be made");
    let errors = output.try_clone().expect("a file handle can be copied");
    Command::new(DRIVER)
        .arg("--port=0")
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {DRIVER}: {error}"))
}

impl Browser {
    /// Adds an argument to Chromium's command line.
    pub(crate) fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    fn capabilities(&self) -> serde_json::Map<String, Value> {
        let own = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,800",
            // What the page says is in the language that the browser asks for.
            "--lang=en-US",
            "--accept-lang=en-US,en",
        ];
        let mut arguments: Vec<String> = own.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", self.folder.display()));
        arguments.extend_from_slice(&self.arguments);
        [
            ("goog:chromeOptions".to_owned(), json!({ "binary": BROWSER, "args": arguments })),
            ("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" })),
        ]
        .into_iter()
        .collect()
    }
}
