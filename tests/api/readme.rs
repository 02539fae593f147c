//! The README's examples work as they are printed.

use std::fs;
use std::process::Stdio;

use buddy_tests::{Server, project_root};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// The address that the README's examples speak to.
const PRINTED: &str = "http://127.0.0.1:3000";

/// An example must not fail unnoticed, and one that follows a stream must end.
const PRELUDE: &str = "
set -euo pipefail
curl() {
  local status=0
  command curl --silent --show-error --fail-with-body --max-time 3 \"$@\" || status=$?
  case \" $* \" in
    *' -N '*|*' --no-buffer '*) [ $status = 0 ] || [ $status = 28 ] ;;
    *) return $status ;;
  esac
}
";

/// The shell blocks of a Markdown text that use curl, one after the other.
fn examples(text: &str) -> String {
    let mut script = String::new();
    for block in text.split("\n```sh\n").skip(1) {
        let block = block.split("\n```").next().expect("splitting yields at least one part");
        if block.contains("curl ") {
            script.push_str(block);
            script.push('\n');
        }
    }
    script
}

#[tokio::test]
async fn the_readmes_curl_examples_work_as_printed() {
    let server = Server::start().await;
    let text = fs::read_to_string(project_root().join("README.md")).expect("README.md can be read");
    let script = examples(&text);
    assert!(script.matches("curl ").count() >= 4 && script.contains(PRINTED), "the README has examples:\n{script}");
    let script = script.replace(PRINTED, &format!("http://{}", server.address()));

    let mut shell = Command::new("bash");
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut running = shell.spawn().expect("bash runs");
    let mut input = running.stdin.take().expect("its input is a pipe");
    input.write_all(format!("{PRELUDE}{script}").as_bytes()).await.expect("bash reads");
    drop(input);
    let finished = timeout(buddy_tests::DEADLINE, running.wait_with_output()).await.expect("the examples end");
    let output = finished.expect("bash ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}\n{}\n{}", text(&output.stdout), text(&output.stderr));
}
