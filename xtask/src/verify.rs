//! `cargo xtask verify`: compares a running server with this checkout. What compares is a program of its own,
//! `xtask/verify`, so that this one stays quick to compile.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::{root, step, target};

/// Runs the comparison; `flags` are its own, and so is how it ends.
pub(crate) fn verify(flags: &[String]) -> Result<ExitCode> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "buddy-verify", "--features", "tls", "--target-dir"]).arg(target());
    // A build of its own: else a mistake in it could not be told from a difference.
    step::run(cargo.current_dir(root()))?;
    let status = step::status(Command::new(target().join("debug/buddy-verify")).args(flags))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(ExitCode::from(code)),
        None => bail!("the comparison was ended ({status})"),
    }
}
