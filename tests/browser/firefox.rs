//! The page in another browser than the other tests': whether Firefox and Chromium understand each other.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use buddy_tests::{eventually, project_root};
use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tempfile::TempDir;

use crate::files::pictures_go_from;
use crate::profile::Profile;
use crate::scene::Scene;

const BROWSER: &str = "/usr/bin/firefox-esr";

#[tokio::test]
async fn firefox_and_chromium_talk_with_each_other() {
    let mut scene = Scene::set().await;
    let firefox = Firefox::start().await;

    let (ana, link) = scene.host("Ana").await;
    ana.say("Hello from Chromium").await;
    let ben = firefox.profile().await;
    ben.joins(&link).await;
    ben.reads(&["Hello from Chromium"]).await;
    ben.calls_themself("Ben").await;
    ben.say("Hello from Firefox").await;
    let both = ["Hello from Chromium", "Hello from Firefox"];
    ana.reads_in_order(&both).await;
    ben.reads_in_order(&both).await;
    pictures_go_from(&ben, &ana, 1).await;
    pictures_go_from(&ana, &ben, 2).await;

    // The stream comes back, what was written meanwhile goes out, and what was read is kept.
    scene.server.kill();
    scene.door.shut();
    ben.sees("The server can’t be reached").await;
    ben.say("Anybody there?").await;
    scene.server.restart().await;
    scene.door.lead_to(&scene.server);
    scene.door.reopen();
    ana.sees("Anybody there?").await;
    ana.say("Yes").await;
    let all = [both[0], both[1], "Anybody there?", "Yes"];
    ben.reads_in_order(&all).await;
    ben.refresh().await;
    ben.reads_in_order(&all).await;
    ben.keeps_the_page().await;
    // Firefox's driver loads again past the service worker, so the page is left and opened again.
    ben.goto("about:blank").await;
    scene.door.shut();
    ben.goto(&link).await;
    ben.reads_in_order(&all).await;
    scene.door.reopen();

    // And the other way round: Firefox owns the room.
    let link = ben.makes_room(&scene.start()).await;
    ben.say("A room from Firefox").await;
    ana.joins(&link).await;
    ana.reads(&["A room from Firefox"]).await;
    ben.press("Manage room").await;
    ben.press("Lock the room").await;
    ana.sees("The owner has locked this room").await;
}

/// `geckodriver` and the browsers that it starts, all in one process group; they end together.
pub(crate) struct Firefox {
    child: Child,
    address: String,
    /// Holds all that the browsers write, and goes after them.
    folder: TempDir,
}

impl Firefox {
    pub(crate) async fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("buddy-firefox-").tempdir().expect("a temporary folder can be made");
        let log = folder.path().join("driver.log");
        let output = File::create(&log).expect("the log file can be made");
        let program = geckodriver();
        let child = Command::new(&program)
            .args(["--port", "0"])
            .env("TMPDIR", folder.path())
            // Firefox insists on a home of its owner's.
            .env("HOME", folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let mut firefox = Self { child, address: String::new(), folder };
        firefox.address = eventually("geckodriver tells its address", async || {
            let text = fs::read_to_string(&log).ok()?;
            let (_, rest) = text.split_once("Listening on ")?;
            rest.split_once('\n').map(|(address, _)| format!("http://{}", address.trim()))
        })
        .await;
        firefox
    }

    /// The browser of a person who was never here before.
    pub(crate) async fn profile(&self) -> Profile {
        let options = json!({
            "binary": BROWSER,
            "args": ["-headless"],
            // What the page says is in the language that the browser asks for.
            "prefs": { "intl.accept_languages": "en-US, en" },
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities([("moz:firefoxOptions".to_owned(), options)].into_iter().collect())
            .connect(&self.address)
            .await
            .expect("Firefox starts");
        Profile::new(client, self.address.clone(), None).await
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("driver.log")).unwrap_or_default();
            eprintln!("--- log of geckodriver ---\n{log}--- end of the log ---");
        }
    }
}

/// The one that `cargo xtask test` has built, or else whatever is on the path.
fn geckodriver() -> PathBuf {
    let built = project_root().join("target/tools/bin/geckodriver");
    if built.exists() { built } else { PathBuf::from("geckodriver") }
}
