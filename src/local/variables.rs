//! Application variables: where their values come from, the templates that hand them to components,
//! and the interface `spin:variables/variables@3.0.0`.
//!
//! A value is taken from `--variable name=value`, else from the environment variable
//! `SPIN_VARIABLE_NAME`, else it is the manifest's default. All are settled when the server starts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use wasmtime::component::{Accessor, HasSelf, Linker};

use crate::bindings::spin::variables::variables::{self, Error, Host, HostWithStore};
use crate::manifest::Variable;

/// A component's variables, by name.
pub(crate) type Values = HashMap<String, String>;

/// Settles every variable of the application.
///
/// # Errors
///
/// Says by name which variable is required but has no value, or is set but not declared.
pub(crate) fn resolve(
    declared: &BTreeMap<String, Variable>,
    given: &BTreeMap<String, String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Values> {
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        bail!("the manifest declares no variable `{name}`");
    }
    let mut values = Values::new();
    for (name, variable) in declared {
        check_name(name)?;
        let environment_name = environment_name(name);
        let value = given.get(name).cloned().or_else(|| environment(&environment_name));
        let Some(value) = value.or_else(|| variable.default.clone()) else {
            if variable.required {
                bail!("the variable `{name}` needs a value: pass --variable {name}=… or set {environment_name}");
            }
            bail!("the variable `{name}` has neither a default nor `required = true`");
        };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

fn environment_name(name: &str) -> String {
    format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())
}

/// A component's own variables, their templates filled in.
///
/// # Errors
///
/// Names the variable whose template is broken or asks for an unknown variable.
pub(crate) fn fill_in(templates: &BTreeMap<String, String>, application: &Values) -> Result<Values> {
    let fill = |(name, template): (&String, &String)| {
        check_name(name)?;
        let value = fill_in_one(template, application).with_context(|| format!("the variable `{name}`"))?;
        Ok((name.clone(), value))
    };
    templates.iter().map(fill).collect()
}

/// Replaces each `{{ name }}` by the variable's value.
fn fill_in_one(template: &str, application: &Values) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").with_context(|| format!("`{template}` lacks a closing `}}}}`"))?;
        let name = name.trim();
        let value =
            application.get(name).with_context(|| format!("`{template}` asks for the unknown variable `{name}`"))?;
        filled.push_str(literal);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Names are words of lowercase letters and digits, joined by single underscores, the first one
/// starting with a letter.
fn check_name(name: &str) -> Result<()> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9'));
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.split('_').all(is_word) {
        bail!("`{name}` is no valid variable name: use lowercase letters, digits and single underscores");
    }
    Ok(())
}

/// An instance's variables.
pub(crate) struct Variables(pub(crate) Arc<Values>);

/// Offers the interface to components; `get` finds an instance's [`Variables`] in its store.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut Variables,
) -> wasmtime::Result<()> {
    variables::add_to_linker::<T, HasSelf<Variables>>(linker, get)
}

impl Variables {
    pub(crate) fn get(&self, name: &str) -> Result<String, Error> {
        check_name(name).map_err(|error| Error::InvalidName(error.to_string()))?;
        let value = self.0.get(name).cloned();
        value.ok_or_else(|| Error::Undefined(format!("no variable `{name}` is given to this component")))
    }
}

impl Host for Variables {}

impl<T: Send> HostWithStore<T> for HasSelf<Variables> {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(accessor.with(|mut access| access.get().get(&name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &str, variable: &str) -> BTreeMap<String, Variable> {
        BTreeMap::from([(name.to_owned(), toml::from_str(variable).expect("a valid declaration"))])
    }

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_given_value_wins_over_the_environment_and_that_over_the_default() {
        let declared = declared("max_size", "default = 'default'");
        let given = BTreeMap::from([("max_size".to_owned(), "given".to_owned())]);
        let environment = |name: &str| (name == "SPIN_VARIABLE_MAX_SIZE").then(|| "environment".to_owned());
        let resolved = |given: &BTreeMap<_, _>, environment: &dyn Fn(&str) -> Option<String>| {
            resolve(&declared, given, environment).expect("all have values")["max_size"].clone()
        };
        let nothing = BTreeMap::new();
        assert_eq!(resolved(&given, &environment), "given");
        assert_eq!(resolved(&nothing, &environment), "environment");
        assert_eq!(resolved(&nothing, &|_| None), "default");
    }

    #[test]
    fn variables_without_a_value_or_a_declaration_are_refused_by_name() {
        let nothing = BTreeMap::new();
        let typo = BTreeMap::from([("typo".to_owned(), String::new())]);
        let cases = [
            (declared("token", "required = true"), &nothing, "--variable token="),
            (declared("token", ""), &nothing, "neither a default"),
            (declared("Token", "default = ''"), &nothing, "`Token` is no valid"),
            (BTreeMap::new(), &typo, "declares no variable `typo`"),
        ];
        for (declared, given, expected) in cases {
            let error = resolve(&declared, given, |_| None).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error:?} should contain {expected:?}");
        }
    }

    #[test]
    fn templates_are_filled_in() {
        let application = values(&[("a", "1"), ("long_name", "{{ a }}")]);
        let cases = [
            ("", ""),
            ("plain", "plain"),
            ("{{ a }}", "1"),
            ("{{a}}", "1"),
            ("x-{{ a }}-{{a}}-y", "x-1-1-y"),
            // A value is never a template itself.
            ("{{ long_name }}", "{{ a }}"),
            ("} { }}", "} { }}"),
        ];
        for (template, expected) in cases {
            assert_eq!(fill_in_one(template, &application).expect(template), expected);
        }
    }

    #[test]
    fn broken_templates_are_refused_by_name() {
        for (template, expected) in
            [("{{ a", "closing"), ("{{ b }}", "unknown variable `b`"), ("{{ }}", "unknown variable ``")]
        {
            let error = fill_in_one(template, &values(&[("a", "1")])).expect_err(template).to_string();
            assert!(error.contains(expected), "{error:?} should contain {expected:?}");
        }
    }

    #[test]
    fn names_follow_spins_rules() {
        for name in ["a", "a1", "max_body_bytes", "posts_per_author_per_ten_s"] {
            check_name(name).unwrap_or_else(|error| panic!("{error}"));
        }
        for name in ["", "A", "1a", "a__b", "_a", "a_", "a-b", "ä"] {
            assert!(check_name(name).is_err(), "{name:?} should be refused");
        }
    }
}
