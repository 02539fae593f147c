//! Builds the components where `spin.toml` looks for them.

use std::fs;

use anyhow::{Context, Result};
use buddy_page::Page;

use crate::wasm::Compiler;
use crate::{root, step, target};

/// The packages that become components; `spin.toml` names the file that each one builds.
const COMPONENTS: [&str; 7] =
    ["buddy-rooms", "buddy-messages", "buddy-keys", "buddy-links", "buddy-stream", "buddy-router", "buddy-web"];

/// Builds all components, after installing a compiler for them if there is none.
pub(crate) fn build() -> Result<()> {
    let mut cargo = Compiler::find_or_install()?.cargo_build()?;
    for package in COMPONENTS {
        cargo.args(["--package", package]);
    }
    step::run(cargo.arg("--target-dir").arg(target()).current_dir(root()))?;
    write_manifest()
}

/// Writes what `web` gives out as the page, by name and hash, beside what was built.
fn write_manifest() -> Result<()> {
    let page = Page::read(&root().join("static")).context("static/ cannot be read")?;
    let manifest = target().join("page.sha256");
    fs::write(&manifest, page.manifest()).with_context(|| format!("{} cannot be written", manifest.display()))?;
    println!("The page is {} ({})", buddy_page::spoken(&page.name()), manifest.display());
    Ok(())
}
