//! What must hold of the source without running it: its form, and mistakes that programs find by reading.
//!
//! All have the fewest rules that keep the code as it looks. Where `rustfmt` or Prettier complains,
//! `cargo xtask format` mends it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::test::Counts;
use crate::{root, step, target};

/// Finds dependencies that no code uses. It comes from crates.io.
const MACHETE: (&str, &str) = ("cargo-machete", "0.9.2");

/// Runs every lint, and counts each as a test. `page` is the folder of the page's tests, whose npm packages must
/// be installed.
pub(crate) fn lint(page: &Path) -> Result<Counts> {
    let machete = step::cargo_install(MACHETE.0, MACHETE.1)?;
    let mut counts = Counts::default();
    let mut check = |name: &str, command: &mut Command| -> Result<()> {
        println!("{name} …");
        let passed = step::status(command.current_dir(root()))?.success();
        println!("{name}: {}", if passed { "ok" } else { "FAILED" });
        counts = counts.plus(Counts { passed: passed.into(), failed: (!passed).into() });
        Ok(())
    };
    check("rustfmt", cargo().args(["fmt", "--all", "--check"]))?;
    // The components too: the SDK compiles for this machine as far as checking needs it.
    let clippy = ["clippy", "--workspace", "--all-targets", "--target-dir"];
    check("clippy", cargo().args(clippy).arg(target()).args(["--", "-D", "warnings"]))?;
    let doc = ["doc", "--workspace", "--no-deps", "--document-private-items", "--target-dir"];
    check("cargo doc", cargo().args(doc).arg(target()).env("RUSTDOCFLAGS", "-D warnings"))?;
    check("cargo machete", Command::new(machete).arg("--with-metadata").args(["src", "tests", "xtask"]))?;
    check("Prettier", prettier(page).arg("--check"))?;
    let eslint = ["--config", "tests/page/eslint.config.js", "static", "tests/page"];
    // What the page itself is checked for, `npm run check` says in the group `page`.
    check("tsc", Command::new(program(page, "tsc")).args(["--project", "tests/page/tsconfig.tests.json"]))?;
    check("ESLint", Command::new(program(page, "eslint")).args(eslint))?;
    check("Stylelint", Command::new(program(page, "stylelint")).arg("static/**/*.css"))?;
    Ok(counts)
}

/// Brings all source into the form that the lints want.
pub(crate) fn format(page: &Path) -> Result<()> {
    step::run(cargo().args(["fmt", "--all"]).current_dir(root()))?;
    step::run(prettier(page).args(["--write", "--log-level", "warn"]).current_dir(root()))
}

fn prettier(page: &Path) -> Command {
    let mut command = Command::new(program(page, "prettier"));
    command.args(["static", "tests/page"]);
    command
}

fn program(page: &Path, name: &str) -> std::path::PathBuf {
    page.join("node_modules/.bin").join(name)
}

fn cargo() -> Command {
    Command::new(env!("CARGO"))
}
