//! `cargo xtask rebalance`: the program is one of its own, `xtask/rebalance`, so that this one stays quick to compile.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{root, target};

/// Becomes the program, which asks and is interrupted by itself, and whose exit code tells how it ended.
pub(crate) fn rebalance(flags: &[String]) -> Result<ExitCode> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--package", "buddy-rebalance", "--target-dir"]).arg(target());
    // Paths among the flags are relative to the caller's folder.
    cargo.arg("--manifest-path").arg(root().join("Cargo.toml")).arg("--").args(flags);
    Err(cargo.exec()).context("cannot run cargo")
}
