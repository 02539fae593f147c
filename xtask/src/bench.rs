//! `cargo xtask bench`: builds what is to be measured and what measures it. The benchmark is a program
//! of its own, `xtask/bench`, so that this one stays quick to compile.

use std::process::Command;

use anyhow::Result;

use crate::components::{self, Target};
use crate::{root, server, step, target};

/// Runs the benchmark; `flags` are its own.
pub(crate) fn bench(flags: &[String]) -> Result<()> {
    let has = |wanted: &str| flags.iter().any(|flag| flag.split('=').next() == Some(wanted));
    let elsewhere = has("--address") || has("--help") || has("-h");
    let mut cargo = Command::new(env!("CARGO"));
    if !elsewhere {
        components::build(Target::Spin)?;
        if !has("--server") && std::env::var_os("BUDDY_SERVER").is_none() {
            server::embedded()?;
            let program = server::embedded_program();
            cargo.env("BUDDY_SERVER", format!("{} up {}", program.display(), server::FEWER_INSTANCES.join(" ")));
        }
    }
    cargo.args(["run", "--quiet", "--profile", "native", "--package", "buddy-bench", "--target-dir"]).arg(target());
    // The flags' paths and commands are the caller's, relative to the caller's folder.
    step::run(cargo.arg("--manifest-path").arg(root().join("Cargo.toml")).arg("--").args(flags))
}
