//! The README's examples of the program work as they are printed.

use std::path::Path;
use std::process::Stdio;

use buddy_tests::{DEADLINE, Server, project_root};
use tokio::process::Command;
use tokio::time::timeout;

/// The address that the README's examples speak to.
const PRINTED: &str = "http://127.0.0.1:3000";

/// The bot is asked, must answer, and is ended.
const TRAILER: &str = "
until buddy history --link-file bot.link > /dev/null; do :; done
buddy send --as Olga --link-file owner.link 'status?'
until buddy history --link-file room.link | grep -q 'Bot: Build 812 is being repeated'; do :; done
kill %1
";

#[tokio::test]
async fn the_readmes_examples_of_the_program_work_as_printed() {
    let server = Server::start().await;
    let text = std::fs::read_to_string(project_root().join("README.md")).expect("README.md can be read");
    let (_, section) = text.split_once("\n## From a shell\n").expect("the README has the section");
    let section = section.split("\n## ").next().expect("splitting yields at least one part");
    let blocks = section.split("\n```sh\n").skip(1).map(|block| block.split("\n```").next().expect("it ends"));
    let mut script = "set -euo pipefail\n".to_owned();
    for block in blocks.filter(|block| block.contains("buddy ")) {
        script.push_str(block);
        // The bot goes on in the background.
        script.push_str(if block.contains("buddy follow") { " &\n" } else { "\n" });
    }
    assert!(script.matches("buddy ").count() >= 6 && script.contains(PRINTED), "the README has examples:\n{script}");
    script.push_str(TRAILER);
    let script = script.replace(PRINTED, &format!("http://{}", server.address()));

    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let program = Path::new(env!("CARGO_BIN_EXE_buddy")).parent().expect("it lies in a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell.args(["-m", "-c", &script]).current_dir(folder.path()).env("PATH", path).env("BUDDY_DATA", folder.path());
    shell
        .env_remove("BUDDY_LINK")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = timeout(DEADLINE, shell.output()).await.expect("the examples end").expect("bash runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("CI: Build 812 failed: 3 of 940 tests"), "{}", text(&output.stdout));
}
