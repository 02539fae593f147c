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

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Result<Files> {
        Ok(parse_toml::<RuntimeConfig>(text)?.files(Path::new("config"), Path::new("state")))
    }

    fn paths(pairs: &[(&str, &str)]) -> BTreeMap<String, PathBuf> {
        pairs.iter().map(|(label, path)| ((*label).to_owned(), PathBuf::from(path))).collect()
    }

    #[test]
    fn labels_lead_to_the_files_that_spin_would_use() {
        let text = r#"
            [sqlite_database.second]
            type = "spin"
            path = "second.db"
            [sqlite_database.third]
            type = "spin"
            path = "/data/third.db"
            [key_value_store.default]
            type = "spin"
            path = "mine.db"
        "#;
        let expected = Files {
            databases: paths(&[
                ("default", "state/sqlite_db.db"),
                ("second", "second.db"),
                ("third", "/data/third.db"),
            ]),
            stores: paths(&[("default", "config/mine.db")]),
        };
        assert_eq!(files(text).expect("all is known"), expected);
    }

    #[test]
    fn other_backends_and_keys_are_refused_by_name() {
        let cases = [
            ("[sqlite_database.a]\ntype = 'libsql'\nurl = 'https://example.com'", "`libsql`"),
            ("[key_value_store.a]\ntype = 'redis'\nurl = 'redis://example.com'", "`redis`"),
            ("[sqlite_database.a]\ntype = 'spin'", "`path`"),
            ("[sqlite_database.a]\ntype = 'spin'\npath = 'a.db'\nallow_attach_file = true", "`allow_attach_file`"),
            ("[llm_compute]\ntype = 'spin'", "`llm_compute`"),
        ];
        for (text, expected) in cases {
            let error = files(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error:?} should contain {expected:?}");
        }
    }
}
