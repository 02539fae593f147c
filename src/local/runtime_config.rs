//! The runtime configuration file (`--runtime-config-file`): where a label of a database or store leads.
//! The label `default` needs no entry.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use crate::manifest::parse_toml;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuntimeConfig {
    #[serde(default)]
    sqlite_database: BTreeMap<String, DatabaseAt>,
    #[serde(default)]
    key_value_store: BTreeMap<String, StoreAt>,
}

/// Where a database is. Spin has no other kinds.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum DatabaseAt {
    /// A local file.
    #[serde(rename = "spin")]
    File { path: PathBuf },
    /// A libSQL server, asked over HTTP.
    Libsql { url: Secret, token: Secret },
}

/// Where a store is. Spin also knows Azure's and Amazon's.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum StoreAt {
    /// A local file.
    #[serde(rename = "spin")]
    File { path: PathBuf },
    /// A Redis server, in which keys stand as they are, without the label.
    Redis { url: Secret },
}

/// A text that no log and no error may show: a token, or a URL, which may hold a password.
#[derive(Clone, Deserialize, PartialEq)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// What all labels lead to.
#[derive(Debug, PartialEq)]
pub(crate) struct Places {
    pub(crate) databases: BTreeMap<String, DatabaseAt>,
    pub(crate) stores: BTreeMap<String, StoreAt>,
}

impl RuntimeConfig {
    /// Reads the file, if one was given. Paths of stores in it are relative to its folder, paths of
    /// databases to the working directory, as under Spin.
    ///
    /// # Errors
    ///
    /// Names file, line and key of what is missing, broken or not supported.
    pub(crate) fn read(path: Option<&Path>, state_dir: &Path) -> Result<Places> {
        let Some(path) = path else {
            return Self::default().places(Path::new(""), state_dir);
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the runtime configuration {}", path.display()))?;
        let config: Self = parse_toml(&text).map_err(|error| anyhow!("{}{error}", path.display()))?;
        config.places(path.parent().unwrap_or(Path::new("")), state_dir).with_context(|| path.display().to_string())
    }

    /// Files lie where Spin puts its own, so a state folder serves either.
    fn places(self, folder: &Path, state_dir: &Path) -> Result<Places> {
        let mut databases = self.sqlite_database;
        for (label, database) in &databases {
            if let DatabaseAt::Libsql { url: Secret(url), .. } = database
                && !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
            {
                bail!("[sqlite_database.{label}]: `url` must begin with http:// or https://");
            }
        }
        let file = DatabaseAt::File { path: state_dir.join("sqlite_db.db") };
        databases.entry("default".to_owned()).or_insert(file);

        let mut stores = self.key_value_store;
        for (label, store) in &mut stores {
            match store {
                StoreAt::File { path } => *path = folder.join(&*path),
                StoreAt::Redis { url: Secret(url) } if redis::parse_redis_url(url).is_none() => {
                    bail!("[key_value_store.{label}]: `url` must be one of Redis, such as redis://host:6379")
                }
                StoreAt::Redis { .. } => {}
            }
        }
        let file = StoreAt::File { path: state_dir.join("sqlite_key_value.db") };
        stores.entry("default".to_owned()).or_insert(file);
        Ok(Places { databases, stores })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Result<Places> {
        parse_toml::<RuntimeConfig>(text)?.places(Path::new("config"), Path::new("state"))
    }

    fn database(path: &str) -> DatabaseAt {
        DatabaseAt::File { path: path.into() }
    }

    fn labelled<T, const N: usize>(places: [(&str, T); N]) -> BTreeMap<String, T> {
        places.into_iter().map(|(label, place)| (label.to_owned(), place)).collect()
    }

    #[test]
    fn labels_lead_to_the_places_that_spin_would_use() {
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
        let expected = Places {
            databases: labelled([
                ("default", database("state/sqlite_db.db")),
                ("second", database("second.db")),
                ("third", database("/data/third.db")),
            ]),
            stores: labelled([("default", StoreAt::File { path: "config/mine.db".into() })]),
        };
        assert_eq!(places(text).expect("all is known"), expected);
    }

    #[test]
    fn the_default_labels_may_lead_to_servers() {
        let text = r#"
            [sqlite_database.default]
            type = "libsql"
            url = "http://127.0.0.1:8080"
            token = "a token"
            [key_value_store.default]
            type = "redis"
            url = "redis://:a-password@127.0.0.1:6379/3"
        "#;
        let expected = Places {
            databases: labelled([(
                "default",
                DatabaseAt::Libsql { url: Secret("http://127.0.0.1:8080".into()), token: Secret("a token".into()) },
            )]),
            stores: labelled([(
                "default",
                StoreAt::Redis { url: Secret("redis://:a-password@127.0.0.1:6379/3".into()) },
            )]),
        };
        let found = places(text).expect("all is known");
        assert_eq!(found, expected);
        let shown = format!("{found:?}");
        assert!(!shown.contains("a token") && !shown.contains("a-password"), "{shown}");
    }

    #[test]
    fn other_backends_and_keys_are_refused_by_name() {
        let cases = [
            ("[sqlite_database.a]\ntype = 'postgres'\nurl = 'https://example.com'", "`postgres`"),
            ("[key_value_store.a]\ntype = 'azure_cosmos'\nkey = 'x'", "`azure_cosmos`"),
            ("[sqlite_database.a]\ntype = 'libsql'\nurl = 'https://example.com'", "`token`"),
            ("[sqlite_database.a]\ntype = 'libsql'\ntoken = 'x'", "`url`"),
            ("[sqlite_database.a]\ntype = 'libsql'\nurl = 'libsql://example.com'\ntoken = 'x'", "http:// or https://"),
            ("[key_value_store.a]\ntype = 'redis'", "`url`"),
            ("[key_value_store.a]\ntype = 'redis'\nurl = 'http://example.com'", "[key_value_store.a]"),
            ("[sqlite_database.a]\ntype = 'spin'", "`path`"),
            ("[sqlite_database.a]\ntype = 'spin'\npath = 'a.db'\nallow_attach_file = true", "`allow_attach_file`"),
            ("[llm_compute]\ntype = 'spin'", "`llm_compute`"),
        ];
        for (text, expected) in cases {
            let error = places(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error:?} should contain {expected:?}");
        }
    }
}
