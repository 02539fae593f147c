//! The page as people use it: Chromium, a server, and a link between strangers. The other tests of the page
//! run its modules without a browser; only here does everything meet.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use buddy_tests::{Server, eventually, project_root};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const DRIVER: &str = "/usr/bin/chromedriver";
const BROWSER: &str = "/usr/bin/chromium";
const ANA: &str = "Ana of the first profile";
const BEN: &str = "Ben of the second profile";
/// The texts of all messages on show.
const TEXTS: &str = "return [...document.querySelectorAll('.message .text')].map((text) => text.textContent)";

#[tokio::test]
async fn two_people_talk_through_a_link_and_survive_a_crash() {
    let mut server = Server::start().await;
    let door = Door::open(server.address()).await;
    let driver = Driver::start().await;

    let ana = driver.profile().await;
    ana.goto(&format!("http://{}/", door.address)).await;
    ana.press("//button[normalize-space()='New room']").await;
    let link = ana.link().await;
    ana.fill(".name-row input", ANA).await;
    ana.say("The kettle is on").await;
    ana.reads(&["The kettle is on"]).await;

    let ben = driver.profile().await;
    ben.goto(&link).await;
    ben.press("//button[@data-part='join']").await;
    ben.reads(&["The kettle is on"]).await;
    ben.fill(".name-row input", BEN).await;
    ben.say("I bring the biscuits").await;
    let before = ["The kettle is on", "I bring the biscuits"];
    ana.reads(&before).await;
    ben.reads(&before).await;

    let cleo = driver.profile().await;
    cleo.goto(&link).await;
    cleo.press("//button[@data-part='join']").await;
    cleo.reads(&before).await;

    server.kill();
    server.restart().await;
    door.lead_to(server.address());
    ana.say("Was that a power cut").await;
    ben.say("The biscuits are unharmed").await;
    let all = [before[0], before[1], "Was that a power cut", "The biscuits are unharmed"];
    let everyone = [&ana, &ben, &cleo];
    for person in everyone {
        person.reads(&all).await;
    }
    // Put together anew, from what the browser kept and what the server has, it is still each once.
    for person in everyone {
        person.client.refresh().await.expect("the page can be loaded again");
        person.reads(&all).await;
    }
    ana.save_screenshot("room.png").await;

    let stored = stored_bytes(server.key_value_file().parent().expect("the file lies in the state folder"));
    let bodies: Vec<String> = server.database().column("SELECT body FROM event WHERE kind = 'message'", []);
    assert!(bodies.len() >= all.len());
    for body in bodies {
        assert!(holds(&stored, body.as_bytes()), "these are the files that hold the messages");
    }
    for text in all.into_iter().chain([ANA, BEN]) {
        assert!(!holds(&stored, text.as_bytes()), "the server's files contain {text:?}");
    }
    let (_, key) = link.split_once("#m.").expect("a link has a key");
    let bare_key = URL_SAFE_NO_PAD.decode(key).expect("a link's key is base64url");
    for key in [key.as_bytes(), &bare_key] {
        assert!(!holds(&stored, key), "the server's files contain the room's key");
    }
}

/// One person's browser, which shares nothing with the others.
struct Profile {
    client: Client,
}

impl Profile {
    async fn goto(&self, address: &str) {
        self.client.goto(address).await.expect("the page can be loaded");
    }

    /// The room's address, once the page has gone there.
    async fn link(&self) -> String {
        eventually("the address is a room's link", async || {
            let address = self.client.execute("return location.href", vec![]).await.ok()?;
            address.as_str().filter(|address| address.contains("#m.")).map(str::to_owned)
        })
        .await
    }

    /// Presses what `xpath` finds, as soon as it can be pressed.
    async fn press(&self, xpath: &str) {
        eventually(&format!("{xpath} can be pressed"), async || {
            self.client.find(Locator::XPath(xpath)).await.ok()?.click().await.ok()
        })
        .await;
    }

    /// Types into a field as soon as it is shown.
    async fn fill(&self, css: &str, text: &str) {
        let field = eventually(&format!("{css} is shown"), async || {
            let field = self.client.find(Locator::Css(css)).await.ok()?;
            field.is_displayed().await.ok()?.then_some(field)
        })
        .await;
        field.send_keys(text).await.expect("a shown field takes keys");
    }

    async fn say(&self, text: &str) {
        self.fill(".composer textarea", text).await;
        self.press("//button[@data-part='send']").await;
    }

    /// Waits until exactly these messages are shown, each once, in whatever order the server gave them.
    async fn reads(&self, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        eventually(&format!("exactly {expected:?} are shown"), async || {
            let shown = self.client.execute(TEXTS, vec![]).await.ok()?;
            let mut shown: Vec<&str> = shown.as_array()?.iter().filter_map(|text| text.as_str()).collect();
            shown.sort_unstable();
            (shown == expected).then_some(())
        })
        .await;
    }

    async fn save_screenshot(&self, name: &str) {
        let folder = project_root().join("target/screenshots");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let image = self.client.screenshot().await.expect("a screenshot can be taken");
        fs::write(folder.join(name), image).expect("a screenshot can be saved");
    }
}

/// `chromedriver` as a child process. When dropped it ends its browsers and then itself.
struct Driver {
    child: Child,
    port: u16,
    /// Holds all that the browsers write, and goes after them.
    folder: TempDir,
}

impl Driver {
    async fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("buddy-browser-").tempdir().expect("a temporary folder can be made");
        let log = folder.path().join("driver.log");
        let output = File::create(&log).expect("the log file can be made");
        let child = Command::new(DRIVER)
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {DRIVER}: {error}"));
        let mut driver = Self { child, port: 0, folder };
        driver.port = eventually("chromedriver tells its port", async || {
            let text = fs::read_to_string(&log).ok()?;
            let (_, rest) = text.split_once("started successfully on port ")?;
            rest.split_once('.')?.0.parse().ok()
        })
        .await;
        driver
    }

    async fn profile(&self) -> Profile {
        let folder = tempfile::tempdir_in(&self.folder).expect("a folder can be made in another").keep();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,800",
            &format!("--user-data-dir={}", folder.display()),
        ];
        let options = json!({ "binary": BROWSER, "args": arguments });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities([("goog:chromeOptions".to_owned(), options)].into_iter().collect())
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .expect("Chromium starts");
        Profile { client }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Killed outright it would leave its browsers behind.
        if let Ok(mut stream) = BlockingStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let request =
                format!("GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A fixed address before a server whose own address changes when it restarts: to a browser another port would
/// be another site.
struct Door {
    address: SocketAddr,
    server: Arc<Mutex<String>>,
    accepting: JoinHandle<()>,
}

impl Door {
    async fn open(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let server = Arc::new(Mutex::new(server.to_owned()));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&server)));
        Self { address, server, accepting }
    }

    fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.server.lock().expect("nobody panics with the lock"));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: Arc<Mutex<String>>) {
    loop {
        let Ok((mut client, _)) = listener.accept().await else { continue };
        let address = server.lock().expect("nobody panics with the lock").clone();
        tokio::spawn(async move {
            // A dead server refuses, and the client's connection ends at once.
            let Ok(mut server) = TcpStream::connect(address).await else { return };
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

/// The bytes of all database files in a state folder, with their write-ahead logs.
fn stored_bytes(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).expect("the state folder can be listed");
    let paths = files.map(|file| file.expect("a file can be listed").path());
    let databases = paths.filter(|path| path.to_string_lossy().contains(".db"));
    databases.flat_map(|path| fs::read(path).expect("a database file can be read")).collect()
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
