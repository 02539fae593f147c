//! The runtime configuration file (`--runtime-config-file`): which file a label of a database or
//! store means. The label `default` needs no entry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;

use crate::manifest::parse_toml;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuntimeConfig {
    #[serde(default)]
    sqlite_database: BTreeMap<String, Backend>,
    #[serde(default)]
    key_value_store: BTreeMap<String, Backend>,
}

/// Spin knows remote backends too; here a database or store is a local file.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Backend {
    Spin { path: PathBuf },
}

/// The files behind all labels.
#[derive(Debug, PartialEq)]
pub(crate) struct Files {
    pub(crate) databases: BTreeMap<String, PathBuf>,
    pub(crate) stores: BTreeMap<String, PathBuf>,
}

impl RuntimeConfig {
    /// Reads the file, if one was given. Paths of stores in it are relative to its folder, paths of
    /// databases to the working directory, as under Spin.
    ///
    /// # Errors
    ///
    /// Names file, line and key of what is missing, broken or not supported.
    pub(crate) fn read(path: Option<&Path>, state_dir: &Path) -> Result<Files> {
        let Some(path) = path else {
            return Ok(Self::default().files(Path::new(""), state_dir));
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the runtime configuration {}", path.display()))?;
        let config: Self = parse_toml(&text).map_err(|error| anyhow!("{}{error}", path.display()))?;
        Ok(config.files(path.parent().unwrap_or(Path::new("")), state_dir))
    }

    /// Files lie where Spin puts its own, so a state folder serves either.
    fn files(self, folder: &Path, state_dir: &Path) -> Files {
        let paths = |backends: BTreeMap<String, Backend>, folder: &Path, default: &str| {
            let default = ("default".to_owned(), state_dir.join(default));
            let configured = backends.into_iter().map(|(label, Backend::Spin { path })| (label, folder.join(path)));
            std::iter::once(default).chain(configured).collect()
        };
        Files {
            databases: paths(self.sqlite_database, Path::new(""), "sqlite_db.db"),
            stores: paths(self.key_value_store, folder, "sqlite_key_value.db"),
        }
    }
}
