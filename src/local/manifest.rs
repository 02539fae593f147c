//! The manifest, `spin.toml` version 2, as far as this server understands it.
//!
//! A server that ignores what it does not know would run another application than the one that
//! was written down. So every unknown key, trigger type and source is refused by name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de::value::MapAccessDeserializer};

/// An application: what runs, under which routes, with what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    spin_manifest_version: u32,
    pub(crate) application: Application,
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Variable>,
    pub(crate) trigger: Triggers,
    pub(crate) component: BTreeMap<String, Component>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    pub(crate) name: String,
    #[serde(default, rename = "version")]
    _version: Ignored,
    #[serde(default, rename = "description")]
    _description: Ignored,
    #[serde(default, rename = "authors")]
    _authors: Ignored,
}

/// An application variable.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) default: Option<String>,
    /// Somebody must give a value where the server starts.
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default, rename = "secret")]
    _secret: Ignored,
    #[serde(default, rename = "description")]
    _description: Ignored,
}

/// What starts a component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Triggers {
    pub(crate) http: Vec<HttpTrigger>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpTrigger {
    pub(crate) route: Route,
    pub(crate) component: String,
    #[serde(default, rename = "id")]
    _id: Ignored,
}

/// Where requests for a component come in.
#[derive(Debug, PartialEq)]
pub(crate) enum Route {
    /// A pattern: exact, with `:name` for one segment, with `/...` at the end for all below.
    Pattern(String),
    /// `{ private = true }`: only other components could call it, so no route leads here.
    Private,
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RouteVisitor;

        impl<'de> Visitor<'de> for RouteVisitor {
            type Value = Route;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a route such as \"/api/...\" or { private = true }")
            }

            fn visit_str<E: Error>(self, pattern: &str) -> Result<Route, E> {
                Ok(Route::Pattern(pattern.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Route, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Table {
                    private: bool,
                }
                match Table::deserialize(MapAccessDeserializer::new(map))? {
                    Table { private: true } => Ok(Route::Private),
                    Table { private: false } => Err(A::Error::custom("a route as a table must be { private = true }")),
                }
            }
        }

        deserializer.deserialize_any(RouteVisitor)
    }
}

/// A component and what it may use.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Component {
    pub(crate) source: Source,
    /// Templates for the variables that the component reads.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    /// Environment variables of the component.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) key_value_stores: Vec<String>,
    #[serde(default)]
    pub(crate) sqlite_databases: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_outbound_hosts: Vec<String>,
    #[serde(default, rename = "description")]
    _description: Ignored,
    /// For `spin build`; this server only runs what was built.
    #[serde(default, rename = "build")]
    _build: Ignored,
}

/// The path of a component's file, relative to the manifest.
#[derive(Debug)]
pub(crate) struct Source(pub(crate) PathBuf);

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SourceVisitor;

        impl<'de> Visitor<'de> for SourceVisitor {
            type Value = Source;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the path of a component's file")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Source, E> {
                Ok(Source(path.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Source, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry::<String, _>()? {
                    keys.push(key);
                }
                let keys = keys.join("`, `");
                Err(A::Error::custom(format!("a source with `{keys}` is not supported here: only the path of a file")))
            }
        }

        deserializer.deserialize_any(SourceVisitor)
    }
}

/// Something that is valid in a manifest and means nothing to this server.
#[derive(Debug, Default)]
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|IgnoredAny| Self)
    }
}

impl Manifest {
    /// Reads the manifest at `path`.
    ///
    /// # Errors
    ///
    /// Names file, line and key of what is missing, broken or not supported.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read the manifest {}", path.display()))?;
        Self::parse(&text).map_err(|error| anyhow!("{}{error}", path.display()))
    }

    /// The error starts with `:line: ` where the line is known, to follow a file's name.
    fn parse(text: &str) -> Result<Self> {
        let manifest: Self = parse_toml(text)?;
        let version = manifest.spin_manifest_version;
        if version != 2 {
            bail!(": spin_manifest_version = {version} is not supported, only 2");
        }
        for HttpTrigger { route, component, .. } in &manifest.trigger.http {
            if !manifest.component.contains_key(component) {
                bail!(": {route:?} leads to component `{component}`, which is not declared");
            }
        }
        Ok(manifest)
    }
}

/// Parses TOML with errors of one line: `:line: what is wrong`.
pub(crate) fn parse_toml<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().replace('\n', " ");
        match error.span() {
            Some(span) => anyhow!(":{}: {message}", text[..span.start].lines().count().max(1)),
            None => anyhow!(": {message}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        spin_manifest_version = 2
        application = { name = "small" }
        [[trigger.http]]
        route = "/..."
        component = "web"
        [component.web]
        source = "web.wasm"
    "#;

    #[test]
    fn the_projects_own_manifest_is_understood() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
        let manifest = Manifest::read(&path).expect("the manifest is valid");
        assert_eq!(manifest.application.name, "buddy");
        assert!(manifest.trigger.http.iter().any(|trigger| trigger.route == Route::Pattern("/...".to_owned())));
        assert_eq!(manifest.component["rooms"].sqlite_databases, ["default"]);
        assert_eq!(manifest.component["rooms"].variables["databases"], "{{ databases }}");
        assert_eq!(manifest.variables["heartbeat_s"].default.as_deref(), Some("15"));
    }

    #[test]
    fn everything_that_means_nothing_here_is_accepted() {
        let more = r#"
            description = "a page"
            allowed_outbound_hosts = []
            [component.web.build]
            command = "cargo build"
            watch = ["src/**"]
            [variables]
            token = { required = true, secret = true, description = "lets in" }
            [[trigger.http]]
            id = "inside"
            route = { private = true }
            component = "web"
        "#;
        let manifest = Manifest::parse(&format!("{SMALL}{more}")).expect("all keys are known");
        assert_eq!(manifest.trigger.http[1].route, Route::Private);
        assert!(manifest.variables["token"].required);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name_and_line() {
        let cases = [
            ("surprise = 1", ":9: unknown field `surprise`"),
            ("files = ['static/*']", ":9: unknown field `files`"),
            ("allowed_outbound_hosts = 'https://example.com'", "expected a sequence"),
            ("[[trigger.redis]]\nchannel = 'c'", "unknown field `redis`"),
            ("[[trigger.http]]\nroute = '/a'\ncomponent = 'other'", "`other`, which is not declared"),
            ("[[trigger.http]]\nroute = { private = false }\ncomponent = 'web'", "{ private = true }"),
            ("[[trigger.http]]\nroute = '/a'\ncomponent = 'web'\nexecutor = {type = 'wagi'}", "`executor`"),
            (
                "[component.far]\nsource = { url = 'https://example.com/a.wasm', digest = 'sha256:0' }",
                "`digest`, `url`",
            ),
            ("[variables]\na = { default = 1 }", "expected a string"),
            ("sqlite_databases = 'default'", "expected a sequence"),
            ("source = 'twice.wasm'", "duplicate key"),
            ("this is not TOML", ":9: "),
        ];
        for (lines, expected) in cases {
            let error = Manifest::parse(&format!("{SMALL}{lines}")).expect_err(lines).to_string();
            assert!(error.contains(expected), "{lines}: {error:?} should contain {expected:?}");
            assert!(!error.contains('\n'), "{error:?} should be one line");
        }
    }

    #[test]
    fn only_version_2_is_read() {
        let error = Manifest::parse(&SMALL.replace("version = 2", "version = 1")).expect_err("version 1").to_string();
        assert!(error.contains("spin_manifest_version = 1"), "{error:?}");
    }
}
