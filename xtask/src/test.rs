//! `cargo xtask test`: sets up what the tests need, builds what they need, and passes them: all of them, or one
//! group for a short loop.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::components::{self, Target};
use crate::{debian, lint, root, server, sqld, step, target};

#[derive(clap::Args)]
pub(crate) struct Test {
    /// Only this group [default: all]
    #[arg(value_enum)]
    group: Option<Group>,
    /// Only tests whose names contain this
    #[arg(requires = "group")]
    filter: Option<String>,
    /// The server to test: a command before its flags, for example "spin up" [default: the embedded server]
    #[arg(long, value_name = "COMMAND", env = "BUDDY_SERVER")]
    server: Option<String>,
    /// Where the servers of the API's tests keep their data [default: files of their own]
    #[arg(long, value_enum, value_name = "KIND", requires = "group")]
    database: Option<Kind>,
    /// Tests what is built for this place
    #[arg(long, value_enum, default_value_t)]
    target: Target,
}

/// Where data may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A server of libSQL for each database, and Redis for the key-value store
    Libsql,
}

/// What can be run alone, each with no more than it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Group {
    /// Formatting, lints, documentation, unused dependencies; needs no server
    Lint,
    /// The HTTP API and the stream, against a server
    Api,
    /// The page's modules under Node, and their types; needs no Rust
    Page,
    /// The page in Chromium and Firefox, against a server
    Browser,
    /// Data in libSQL and Redis, and several servers over the same data
    Storage,
    /// The native client, its program `buddy`, and chaos and lies around them, against a server
    Client,
    /// The SQL over native SQLite; needs no server
    Store,
}

/// Programs that only the tests use, and a font, and the Debian packages they are in.
const NODE: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];
const DEPLOYED: [(&str, &str); 4] =
    [("nginx", "nginx"), ("openssl", "openssl"), ("curl", "curl"), ("sqlite3", "sqlite3")];
const REDIS: [(&str, &str); 1] = [("redis-server", "redis-server")];
const BROWSERS: [(&str, &str); 4] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("firefox-esr", "firefox-esr"),
    // Without it the pictures that the tests take show boxes in place of emoji.
    ("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", "fonts-noto-color-emoji"),
];

const API: [&str; 4] = ["--package", "buddy-tests", "--test", "api"];
const BROWSER: [&str; 4] = ["--package", "buddy-tests", "--test", "browser"];
/// Tests that meet each component and each kind of statement, and chaos, for the short run on libSQL.
const ON_LIBSQL: [&str; 9] = [
    "messages::",
    "rooms::",
    "signals::",
    "statements::",
    "rotations::",
    "link_openings::",
    "router::",
    "push::",
    "everybody_who_stays",
];
/// Tests that are about files, which they copy, hold up, exchange or look into, and one that takes no 503 for an answer:
/// on libSQL the group `storage` has a crowd that comes again.
const IN_FILES_ONLY: [&str; 11] = [
    "losing_the_key_value_store_loses_nothing",
    "a_stale_hint_loses_nothing",
    "a_new_room_claims_its_slot_and_leaves_a_hint",
    "forty_clients_posting_at_once_with_repeats_lose_and_double_nothing",
    "a_live_database_is_backed_up_and_restored_and_clients_notice",
    "a_database_that_is_held_up_holds_up_no_other",
    "a_server_is_set_back_to_its_backup",
    "a_full_database_takes_no_new_rooms_and_posts",
    "a_server_that_is_killed_while_it_waits_for_a_database_loses_nothing",
    "figures_come_from_the_databases",
    "freed_pages_are_given_back",
];

/// What steers Firefox. Debian has no package of it; crates.io has its source.
const GECKODRIVER: (&str, &str) = ("geckodriver", "0.37.1");

/// Runs what `options` ask for. Where some fail, the others run all the same, and the last line counts both.
pub(crate) fn test(options: &Test) -> Result<ExitCode> {
    let outcomes = match options.group {
        None => everything(options)?,
        Some(group) => vec![(group.name(), one_group(group, options))],
    };
    let mut all = Counts::default();
    let mut failures = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Ok(Counts { passed: 0, failed: 0 }) => failures.push(format!("{name}: no test ran")),
            Ok(counts) => {
                all = all.plus(counts);
                if counts.failed > 0 {
                    failures.push(format!("{name}: {counts}"));
                }
            }
            // What could not be run did not pass.
            Err(error) => {
                all.failed += 1;
                failures.push(format!("{name}: {error:#}"));
            }
        }
    }
    if !failures.is_empty() {
        eprintln!("\nnot all is well\n    {}", failures.join("\n    "));
    }
    println!("\n{all}");
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Api => "api",
            Self::Page => "page",
            Self::Browser => "browser",
            Self::Storage => "storage",
            Self::Client => "client",
            Self::Store => "store",
        }
    }
}

fn everything(options: &Test) -> Result<Vec<(&'static str, Result<Counts>)>> {
    let page = page_folder();
    install_programs(&[&NODE[..], &DEPLOYED[..], &REDIS[..], &BROWSERS[..]].concat())?;
    // For the browser tests too: they run an audit that comes from npm.
    install_npm_packages(&page)?;
    install_geckodriver()?;
    let lints = lint::lint(&page);
    let server = built_server(options)?;
    // What needs it fails by name where it cannot be had.
    let sqld = sqld::install();
    let mut outcomes = vec![
        ("lint", lints),
        ("Rust", rust_tests(&["--workspace", "--exclude", server::EMBEDDED], &[], &server)),
        // As it is built for all others: a second build of the engine takes minutes.
        (
            "the embedded server",
            rust_tests(&["--package", server::EMBEDDED, "--profile", server::PROFILE], &[], &server),
        ),
    ];
    if options.target == Target::Spin {
        let on_libsql = Served { database: Some(Kind::Libsql), ..server.clone() };
        let short = |()| rust_tests(&[&API[..], &["--test", "chaos"]].concat(), &ON_LIBSQL, &on_libsql);
        outcomes.push(("the API and chaos on libSQL", sqld.and_then(short)));
        outcomes.push(("the API on WASI 0.2", on_wasi_2(server)));
    }
    outcomes.push(("page", page_tests(&page, "")));
    Ok(outcomes)
}

/// What is different where an instance serves one request, in short; `--target cloud` passes all tests there.
fn on_wasi_2(server: Served) -> Result<Counts> {
    components::build(Target::Cloud)?;
    rust_tests(
        &API,
        &["components_import", "messages::", "stream::"],
        &Served { manifest: Target::Cloud.manifest(), ..server },
    )
}

fn one_group(group: Group, options: &Test) -> Result<Counts> {
    let page = page_folder();
    let filter = options.filter.as_deref().unwrap_or_default();
    if options.database == Some(Kind::Libsql) {
        ensure!(group == Group::Api, "--database is for the group `api`");
        install_programs(&REDIS)?;
        sqld::install()?;
    }
    match group {
        Group::Lint => {
            install_programs(&NODE)?;
            install_npm_packages(&page)?;
            lint::lint(&page)
        }
        Group::Api => {
            install_programs(&DEPLOYED)?;
            let server = built_server(options)?;
            let api = rust_tests(&API, &[filter], &server)?;
            if options.database.is_some() {
                return Ok(api);
            }
            Ok(api.plus(rust_tests(&["--package", "buddy-rebalance"], &[filter], &server)?))
        }
        Group::Storage => {
            install_programs(&REDIS)?;
            sqld::install()?;
            rust_tests(&["--package", "buddy-tests", "--test", "storage"], &[filter], &built_server(options)?)
        }
        Group::Page => {
            install_programs(&NODE)?;
            install_npm_packages(&page)?;
            page_tests(&page, filter)
        }
        Group::Browser => {
            install_programs(&[&NODE[..], &BROWSERS[..]].concat())?;
            install_npm_packages(&page)?;
            install_geckodriver()?;
            rust_tests(&BROWSER, &[filter], &built_server(options)?)
        }
        Group::Client => {
            let server = built_server(options)?;
            let client = rust_tests(&["--package", "buddy-client"], &[filter], &server)?;
            Ok(client.plus(rust_tests(&["--package", "buddy-tests", "--test", "chaos"], &[filter], &server)?))
        }
        Group::Store => rust_tests(&["--package", "buddy-store"], &[filter], &Served::default()),
    }
}

fn page_folder() -> PathBuf {
    root().join("tests/page")
}

/// What tests are to start.
#[derive(Clone, Default)]
struct Served {
    /// A program and its first arguments.
    command: String,
    manifest: PathBuf,
    /// Where its data is [default: files].
    database: Option<Kind>,
}

/// Builds the components, and the embedded server where no other is to be tested.
fn built_server(options: &Test) -> Result<Served> {
    components::build(options.target)?;
    let command = match &options.server {
        Some(server) => server.clone(),
        None => embedded_command()?,
    };
    Ok(Served { command, manifest: options.target.manifest(), database: options.database })
}

/// Builds the embedded server.
fn embedded_command() -> Result<String> {
    server::embedded()?;
    Ok(format!("{} up", server::embedded_program().display()))
}

/// Brings all source into the form that the lints want.
pub(crate) fn format() -> Result<()> {
    install_programs(&NODE)?;
    install_npm_packages(&page_folder())?;
    lint::format(&page_folder())
}

/// Measures what the page's modules cost under Node.
pub(crate) fn bench_page() -> Result<()> {
    install_programs(&NODE)?;
    step::run(Command::new("node").arg("bench.js").current_dir(page_folder()))
}

/// Measures a large room in Chromium, on the embedded server.
pub(crate) fn bench_browser() -> Result<()> {
    install_programs(&BROWSERS)?;
    components::build(Target::Spin)?;
    let served = Served { command: embedded_command()?, manifest: Target::Spin.manifest(), database: None };
    let counts = rust_tests(&BROWSER, &["--ignored", "--nocapture", "large_room::"], &served)?;
    ensure!(counts == Counts { passed: 1, failed: 0 }, "the measurement did not come to its end: {counts}");
    Ok(())
}

/// Runs the chaos test for as long and with the seed that `flags` ask for.
pub(crate) fn chaos(flags: &[String]) -> Result<()> {
    components::build(Target::Spin)?;
    server::embedded()?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--package", "buddy-tests", "--bin", "chaos", "--target-dir"]).arg(target());
    step::run(cargo.arg("--").args(flags).current_dir(root()))
}

fn install_programs(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| !step::is_installed(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { debian::install("what the tests need", &missing) }
}

/// Tests written in Rust: those that `selection` names and whose names contain one of `filters`. What needs a server
/// starts `served`.
fn rust_tests(selection: &[&str], filters: &[&str], served: &Served) -> Result<Counts> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("test").args(selection).args(["--no-fail-fast", "--target-dir"]).arg(target()).arg("--").args(filters);
    cargo.env("BUDDY_SQLD", sqld::program());
    if served.database == Some(Kind::Libsql) {
        cargo.env("BUDDY_DATABASE", "libsql").args(IN_FILES_ONLY.iter().flat_map(|name| ["--skip", *name]));
    }
    // nginx lies where only root looks for programs.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    cargo.env("BUDDY_SERVER", &served.command).env("BUDDY_MANIFEST", &served.manifest);
    let (status, printed) = step::tee(cargo.env("PATH", path).current_dir(root()))?;
    let counts = Counts::of_cargo(&printed);
    if !status.success() && counts.failed == 0 {
        bail!("`cargo test` ended with {status}");
    }
    Ok(counts)
}

/// The page's modules under Node, and their types.
fn page_tests(folder: &Path, filter: &str) -> Result<Counts> {
    step::run(npm(folder).args(["run", "check"])).context("the page's types do not hold")?;
    let mut tests = npm(folder);
    tests.args(["test", "--", "--test-reporter=spec"]);
    if !filter.is_empty() {
        tests.arg(format!("--test-name-pattern={filter}"));
    }
    let (status, printed) = step::tee(&mut tests)?;
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

/// Builds geckodriver where the browser tests look for it, unless it is there.
fn install_geckodriver() -> Result<()> {
    let (name, version) = GECKODRIVER;
    if step::is_installed(name) { Ok(()) } else { step::cargo_install(name, version).map(drop) }
}

fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder);
    npm
}

/// How many tests passed and how many failed. Shown in a form that tools which read logs know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    pub(crate) fn plus(self, other: Self) -> Self {
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
