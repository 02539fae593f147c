//! A manifest derived from `spin.toml` in which every component with a database has further ones, and none has some
//! of the variables.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::project_root;

/// Writes the derived manifest into `folder` and returns its path.
pub(crate) fn derived(folder: &Path, labels: &[String], hidden: &[String]) -> PathBuf {
    let source = fs::read_to_string(project_root().join("spin.toml")).expect("spin.toml can be read");
    let mut manifest: Table = source.parse().expect("spin.toml is TOML");
    let components = manifest["component"].as_table_mut().expect("spin.toml has components");
    for (_, component) in components.iter_mut() {
        let component = component.as_table_mut().expect("a component is a table");
        // The derived manifest lies elsewhere, and paths in a manifest are relative to it.
        let wasm = component["source"].as_str().expect("a component's source is a path");
        let wasm = project_root().join(wasm).display().to_string();
        component.insert("source".to_owned(), Value::String(wasm));
        if let Some(Value::Array(granted)) = component.get_mut("sqlite_databases") {
            granted.extend(labels.iter().cloned().map(Value::String));
        }
        if let Some(Value::Table(variables)) = component.get_mut("variables") {
            variables.retain(|name, _| !hidden.iter().any(|hidden| hidden == name));
        }
    }
    let path = folder.join("spin.toml");
    fs::write(&path, manifest.to_string()).expect("the derived manifest can be written");
    path
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
