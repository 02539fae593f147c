//! The README's examples work as they are printed, and its tables say what there is.

use std::collections::BTreeSet;
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

fn readme() -> String {
    fs::read_to_string(project_root().join("README.md")).expect("README.md can be read")
}

/// The cells of the table below a heading, its own heading left out.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the section is there");
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>();
    rows.skip(2).map(|row| cells(row.trim_matches('|'))).collect()
}

#[test]
fn the_readmes_table_of_variables_is_that_of_the_manifest() {
    let manifest = fs::read_to_string(project_root().join("spin.toml")).expect("spin.toml can be read");
    let manifest: toml::Table = manifest.parse().expect("spin.toml is TOML");
    let declared: BTreeSet<_> = manifest["variables"]
        .as_table()
        .expect("variables")
        .iter()
        .map(|(name, variable)| {
            let default = variable["default"].as_str().expect("every variable has a default");
            (name.clone(), if default.is_empty() { "empty" } else { default }.to_owned())
        })
        .collect();
    let listed: BTreeSet<_> =
        table(&readme(), "Limits and settings").iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(listed, declared);
}

#[test]
fn the_tables_of_errors_list_every_error_there_is() {
    let source = fs::read_to_string(project_root().join("src/domain/error.rs")).expect("error.rs can be read");
    let (_, codes) = source.split_once("fn code(").expect("codes are in one place");
    let (codes, _) = codes.split_once("\n    }").expect("a function ends");
    let known: BTreeSet<_> = codes.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(known.len() > 10, "{known:?}");
    let listed: BTreeSet<_> = table(&readme(), "Errors").iter().map(|row| row[1].clone()).collect();
    assert_eq!(listed, known);
    for file in ["docs/protocol.md", "docs/openapi.yaml"] {
        let text = fs::read_to_string(project_root().join(file)).expect(file);
        for code in &known {
            assert!(text.contains(code.as_str()), "{file} does not name {code}");
        }
    }
}

#[test]
fn every_test_that_the_readme_names_is_there() {
    let text = readme();
    let (_, section) = text.split_once("## What it protects, and what it does not").expect("the section is there");
    let (section, _) = section.split_once("\n## ").expect("another section follows");
    let quoted = |mark: char| section.split(mark).skip(1).step_by(2);
    let rust = quoted('`').filter(|name| name.matches('_').count() > 3).map(|name| format!("fn {name}("));
    let page = quoted('"').map(|name| format!("test('{name}'"));
    let named: Vec<_> = rust.chain(page).collect();
    assert!(named.len() >= 18, "only {named:?}");
    let mut sources = String::new();
    let mut folders = vec![project_root().join("tests"), project_root().join("src/client")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "js") {
                sources.push_str(&fs::read_to_string(path).expect("source can be read"));
            }
        }
    }
    for test in named {
        assert!(sources.contains(&test), "there is no test {test}");
    }
}
