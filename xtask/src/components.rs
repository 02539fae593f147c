//! Builds the components where the manifest looks for them: `spin.toml`, or the one that is derived from it for
//! Fermyon Cloud.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use buddy_page::Page;
use toml::{Table, Value};

use crate::wasm::{Compiler, TARGET};
use crate::{root, step, target};

/// The packages that become components; `spin.toml` names the file that each one builds.
const COMPONENTS: [&str; 9] = [
    "buddy-rooms",
    "buddy-messages",
    "buddy-keys",
    "buddy-links",
    "buddy-files",
    "buddy-push",
    "buddy-stream",
    "buddy-router",
    "buddy-web",
];

/// Where components are to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// Spin 4.1 or newer, which has WASI 0.3
    #[default]
    Spin,
    /// Fermyon Cloud, which has WASI 0.2: an instance serves one request
    Cloud,
}

impl Target {
    pub(crate) fn manifest(self) -> PathBuf {
        match self {
            Self::Spin => root().join("spin.toml"),
            Self::Cloud => self.folder().join("spin.toml"),
        }
    }

    /// Both builds write files of the same names.
    fn folder(self) -> PathBuf {
        match self {
            Self::Spin => target(),
            Self::Cloud => target().join("cloud"),
        }
    }
}

/// Builds all components, after installing a compiler for them if there is none.
pub(crate) fn build(place: Target) -> Result<()> {
    let mut cargo = Compiler::find_or_install()?.cargo_build()?;
    for package in COMPONENTS {
        cargo.args(["--package", package]);
    }
    if place == Target::Cloud {
        cargo.args(["--features", "buddy-host/p2"]);
    }
    step::run(cargo.arg("--target-dir").arg(place.folder()).current_dir(root()))?;
    if place == Target::Cloud {
        write_cloud_manifest().context("cannot derive the manifest for Fermyon Cloud")?;
    }
    write_page_manifest()
}

/// Writes what `web` gives out as the page, by name and hash, beside what was built.
fn write_page_manifest() -> Result<()> {
    let page = Page::read(&root().join("static")).context("static/ cannot be read")?;
    let manifest = target().join("page.sha256");
    fs::write(&manifest, page.manifest()).with_context(|| format!("{} cannot be written", manifest.display()))?;
    let verifier = target().join("verify.html");
    fs::write(&verifier, &page.files()[buddy_page::VERIFIER])
        .with_context(|| format!("{} cannot be written", verifier.display()))?;
    println!("The page is {} ({})", buddy_page::spoken(&page.name()), manifest.display());
    Ok(())
}

fn write_cloud_manifest() -> Result<()> {
    let read = |path: PathBuf| -> Result<Table> { Ok(fs::read_to_string(path)?.parse()?) };
    let mut manifest = read(Target::Spin.manifest())?;
    let mut differences = read(root().join("deploy/cloud.toml"))?;
    derive(&mut manifest, &mut differences)?;
    let note = "# Made by `cargo xtask build --target cloud` from spin.toml and deploy/cloud.toml.\n";
    fs::write(Target::Cloud.manifest(), format!("{note}{manifest}"))?;
    Ok(())
}

/// The same routes and grants, other defaults, and components that lie beside the manifest.
fn derive(manifest: &mut Table, differences: &mut Table) -> Result<()> {
    let declared = table(manifest, "variables")?;
    for (name, default) in std::mem::take(table(differences, "variables")?) {
        let variable = declared.get_mut(&name).with_context(|| format!("spin.toml has no variable {name}"))?;
        variable.as_table_mut().context("a variable is a table")?.insert("default".to_owned(), default);
    }
    for (id, component) in table(manifest, "component")?.iter_mut() {
        let component = component.as_table_mut().context("a component is a table")?;
        // Already built, by a command that needs the checkout.
        component.remove("build");
        let source = component.get("source").and_then(Value::as_str).with_context(|| format!("{id} has no source"))?;
        let file = source.rsplit('/').next().unwrap_or(source);
        let source = format!("{TARGET}/release/{file}");
        component.insert("source".to_owned(), source.into());
    }
    Ok(())
}

fn table<'a>(parent: &'a mut Table, name: &str) -> Result<&'a mut Table> {
    parent.get_mut(name).and_then(Value::as_table_mut).with_context(|| format!("there is no table [{name}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Table {
        text.parse().expect("TOML")
    }

    #[test]
    fn the_clouds_manifest_differs_in_defaults_and_sources_only() {
        let mut manifest = parsed(
            "[variables]\na = { default = '1', secret = true }\nb = { default = '2' }\n\
             [component.web]\nsource = 'target/wasm32-wasip2/release/web.wasm'\nsqlite_databases = ['default']\n\
             [component.web.build]\ncommand = 'cargo build'",
        );
        derive(&mut manifest, &mut parsed("[variables]\na = '3'")).expect("all is known");
        let expected = "[variables]\na = { default = '3', secret = true }\nb = { default = '2' }\n\
             [component.web]\nsource = 'wasm32-wasip2/release/web.wasm'\nsqlite_databases = ['default']";
        assert_eq!(manifest, parsed(expected));
    }

    #[test]
    fn a_default_of_a_variable_that_is_none_is_refused_by_name() {
        let mut manifest = parsed("[variables]\na = { default = '1' }\n[component]");
        let error = derive(&mut manifest, &mut parsed("[variables]\nb = '3'")).expect_err("b is unknown");
        assert!(error.to_string().contains("variable b"), "{error}");
    }
}
