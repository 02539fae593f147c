//! `cargo xtask test`: sets up what the tests need, builds everything and passes all tests.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{components, debian, root, server, step, target};

#[derive(clap::Args)]
pub(crate) struct Test {
    /// The server to test: a command before its flags, for example "spin up" [default: the embedded server]
    #[arg(long, value_name = "COMMAND", env = "BUDDY_SERVER")]
    server: Option<String>,
}

/// Programs that only the tests use, and the Debian packages they are in.
const PROGRAMS: [(&str, &str); 6] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("firefox-esr", "firefox-esr"),
    ("nginx", "nginx"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// What steers Firefox. Debian has no package of it; crates.io has its source.
const GECKODRIVER: (&str, &str) = ("geckodriver", "0.37.1");

/// Runs all tests. Where some fail, the others run all the same.
pub(crate) fn test(options: &Test) -> Result<()> {
    install_programs()?;
    // For the browser tests too: they run an audit that comes from npm.
    let page = root().join("tests/page");
    install_npm_packages(&page)?;
    install_geckodriver()?;
    components::build()?;
    let server = match &options.server {
        Some(server) => server.clone(),
        None => {
            server::embedded()?;
            format!("{} up", server::embedded_program().display())
        }
    };

    let mut all = Counts::default();
    let mut failures = Vec::new();
    for (name, outcome) in [("Rust", rust_tests(&server)), ("page", page_tests(&page))] {
        match outcome {
            Ok(Counts { passed: 0, failed: 0 }) => failures.push(format!("{name}: no test ran")),
            Ok(counts) => {
                all = all.plus(counts);
                if counts.failed > 0 {
                    failures.push(format!("{name}: {counts}"));
                }
            }
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    println!("\n{all}");
    if !failures.is_empty() {
        bail!("not all is well\n    {}", failures.join("\n    "));
    }
    Ok(())
}

/// Runs the chaos test for as long and with the seed that `flags` ask for.
pub(crate) fn chaos(flags: &[String]) -> Result<()> {
    components::build()?;
    server::embedded()?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--package", "buddy-tests", "--bin", "chaos", "--target-dir"]).arg(target());
    step::run(cargo.arg("--").args(flags).current_dir(root()))
}

fn install_programs() -> Result<()> {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !step::is_installed(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { debian::install("what the tests need", &missing) }
}

/// Unit tests of all crates, and the black-box and browser tests against `server`.
fn rust_tests(server: &str) -> Result<Counts> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--workspace", "--no-fail-fast", "--target-dir"]).arg(target());
    // nginx lies where only root looks for programs.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    let (status, printed) = step::tee(cargo.env("BUDDY_SERVER", server).env("PATH", path).current_dir(root()))?;
    let counts = Counts::of_cargo(&printed);
    if !status.success() && counts.failed == 0 {
        bail!("`cargo test` ended with {status}");
    }
    Ok(counts)
}

/// The page's modules under Node, and their types.
fn page_tests(folder: &Path) -> Result<Counts> {
    step::run(npm(folder).args(["run", "check"])).context("the page's types do not hold")?;
    let (status, printed) = step::tee(npm(folder).args(["test", "--", "--test-reporter=spec"]))?;
    let counts = Counts::of_node(&printed);
    if !status.success() && counts.failed == 0 {
        bail!("`npm test` ended with {status}");
    }
    Ok(counts)
}

/// `npm ci`, unless what is installed is what the lock file asks for.
fn install_npm_packages(folder: &Path) -> Result<()> {
    let changed = |file: &str| fs::metadata(folder.join(file)).and_then(|metadata| metadata.modified());
    // npm writes this file last.
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_ok_and(|installed| changed("package-lock.json").is_ok_and(|wanted| wanted <= installed)) {
        return Ok(());
    }
    step::quietly("Installing the page tests' packages", npm(folder).args(["ci", "--no-audit", "--no-fund"]))
}

/// Builds geckodriver into `target/tools`, where the browser tests look for it, unless it is there.
fn install_geckodriver() -> Result<()> {
    let (name, version) = GECKODRIVER;
    let tools = target().join("tools");
    if step::is_installed(name) || tools.join("bin").join(name).exists() {
        return Ok(());
    }
    let mut cargo = Command::new(env!("CARGO"));
    // Only tests use it, so it need not be fast; it need not be slow to build either.
    cargo.args(["install", name, "--version", version, "--locked", "--debug", "--config", "profile.dev.debug=false"]);
    cargo.arg("--root").arg(&tools).current_dir(root());
    step::quietly("Building geckodriver, which steers Firefox", &mut cargo)
}

fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder);
    npm
}

/// How many tests passed and how many failed. Shown in a form that tools which read logs know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }

    /// Adds up the lines `test result: ok. 4 passed; 0 failed; …`, one for each test program.
    fn of_cargo(printed: &str) -> Self {
        let results = printed.lines().filter_map(|line| line.strip_prefix("test result: "));
        let sum = |what: &str| {
            results
                .clone()
                .flat_map(|result| result.split([';', '.']))
                .filter_map(|part| part.trim().strip_suffix(what))
                .filter_map(|number| number.parse::<u64>().ok())
                .sum()
        };
        Self { passed: sum(" passed"), failed: sum(" failed") }
    }

    /// Reads the closing lines `# pass 4` or, on a terminal, `ℹ pass 4`.
    fn of_node(printed: &str) -> Self {
        let sum = |what: &str| {
            printed
                .lines()
                .filter_map(|line| line.trim_start_matches(['#', 'ℹ']).trim_start().strip_prefix(what))
                .filter_map(|number| number.parse::<u64>().ok())
                .sum()
        };
        Self { passed: sum("pass "), failed: sum("fail ") + sum("cancelled ") }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_counts_are_added_up() {
        let printed = "running 2 tests\ntest a ... ok\n\n\
                       test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                       test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.50s\n";
        assert_eq!(Counts::of_cargo(printed), Counts { passed: 14, failed: 2 });
        assert_eq!(Counts::of_cargo("error: could not compile"), Counts::default());
    }

    #[test]
    fn nodes_counts_are_read_in_both_its_forms() {
        let tap = "# tests 7\n# suites 0\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 0\n";
        assert_eq!(Counts::of_node(tap), Counts { passed: 5, failed: 2 });
        assert_eq!(Counts::of_node("ℹ tests 3\nℹ pass 3\nℹ fail 0\n"), Counts { passed: 3, failed: 0 });
    }
}
