//! The manifest under test, and one derived from it in which every component with a database has further ones, whoever
//! may ask other servers may ask further ones, and none has some of the variables.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::project_root;

/// The manifest to be served where it is not `spin.toml`.
const VARIABLE: &str = "BUDDY_MANIFEST";

/// The manifest of the components under test.
pub fn path() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(|| project_root().join("spin.toml"), PathBuf::from)
}

/// Whether each request has an instance of its own, which shares nothing with any other.
pub fn is_for_cloud() -> bool {
    path().parent().is_some_and(|folder| folder.ends_with("target/cloud"))
}

/// Writes the derived manifest into `folder` and returns its path.
pub(crate) fn derived(folder: &Path, labels: &[String], hosts: &[String], hidden: &[String]) -> PathBuf {
    let original = path();
    let original_folder = original.parent().expect("a file lies in a folder");
    let source = fs::read_to_string(&original).expect("the manifest can be read");
    let mut manifest: Table = source.parse().expect("the manifest is TOML");
    let components = manifest["component"].as_table_mut().expect("the manifest has components");
    for (_, component) in components.iter_mut() {
        let component = component.as_table_mut().expect("a component is a table");
        // The derived manifest lies elsewhere, and paths in a manifest are relative to it.
        let wasm = component["source"].as_str().expect("a component's source is a path");
        let wasm = original_folder.join(wasm).display().to_string();
        component.insert("source".to_owned(), Value::String(wasm));
        if let Some(Value::Array(granted)) = component.get_mut("sqlite_databases") {
            granted.extend(labels.iter().cloned().map(Value::String));
        }
        if let Some(Value::Array(allowed)) = component.get_mut("allowed_outbound_hosts") {
            allowed.extend(hosts.iter().cloned().map(Value::String));
        }
        if let Some(Value::Table(variables)) = component.get_mut("variables") {
            variables.retain(|name, _| !hidden.iter().any(|hidden| hidden == name));
        }
    }
    let derived = folder.join("spin.toml");
    fs::write(&derived, manifest.to_string()).expect("the derived manifest can be written");
    derived
}

/// Writes the runtime configuration that says where the further databases are.
pub(crate) fn runtime_config(folder: &Path, labels: &[String]) {
    let place = |label: &String| {
        let mut database = Table::new();
        database.insert("type".to_owned(), Value::String("spin".to_owned()));
        database.insert("path".to_owned(), Value::String(database_file(folder, label).display().to_string()));
        (label.clone(), Value::Table(database))
    };
    let places = Table::from_iter(labels.iter().map(place));
    let config = Table::from_iter([("sqlite_database".to_owned(), Value::Table(places))]);
    fs::write(runtime_config_file(folder), config.to_string()).expect("the runtime configuration can be written");
}

/// Where a state folder's runtime configuration is, if there is one.
pub(crate) fn runtime_config_file(folder: &Path) -> PathBuf {
    folder.join("runtime.toml")
}

pub(crate) fn database_file(folder: &Path, label: &str) -> PathBuf {
    folder.join(format!("{label}.db"))
}
