//! Holds answers to `docs/openapi.yaml`: whatever the tests read is checked here before a test sees it, and so is what
//! was asked where the server took it. The file is read once, and each schema is compiled when it is first needed.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::project_root;

/// The description as it stands in the repository.
static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
    let text = fs::read_to_string(project_root().join("docs/openapi.yaml")).expect("docs/openapi.yaml can be read");
    Description::parse(&text)
});

/// What every answer of the API has, so that browsers of any origin may read it and nobody keeps or sniffs it.
const HEADERS_OF_ALL: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "retry-after"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
];

/// The kinds of a stream's events that are entries of the log.
const LOGGED: [&str; 8] = ["message", "edit", "delete", "react", "card", "room", "change", "rotate"];

/// An OpenAPI description, and what was compiled of it.
#[derive(Debug)]
struct Description {
    document: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One exchange to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    pub method: &'a str,
    /// With its query, if there is one.
    pub path: &'a str,
    /// What was sent as JSON.
    pub sent: Option<&'a Value>,
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Whether an answer is one that the description allows; else what is wrong with it. What is neither under `/api` nor
/// under `/internal`, such as the page, is not described, and what a proxy says in its own name is not Buddy's.
///
/// # Errors
/// What is wrong, in words.
pub fn check(exchange: &Exchange<'_>) -> Result<(), String> {
    DESCRIPTION.check(exchange)
}

/// Whether the data of a stream's event that is an entry of the log has an event's form.
///
/// # Errors
/// What is wrong, in words.
pub fn check_event(kind: &str, data: &str) -> Result<(), String> {
    if !LOGGED.contains(&kind) {
        return Ok(());
    }
    let data: Value = serde_json::from_str(data).map_err(|error| format!("data that is not JSON: {error}"))?;
    DESCRIPTION.fits("#/components/schemas/Event", &data)
}

/// All that the description says may be answered: method, path and status.
pub fn answers() -> BTreeSet<(String, String, u16)> {
    let mut answers = BTreeSet::new();
    for (path, item) in object(&DESCRIPTION.document["paths"]) {
        for (method, operation) in object(item).iter().filter(|(name, _)| *name != "parameters") {
            for status in object(&operation["responses"]).keys() {
                let status = status.parse().expect("a status is a number");
                answers.insert((method.to_ascii_uppercase(), path.clone(), status));
            }
        }
    }
    answers
}

/// The path of the description that a request's path belongs to.
pub fn described_path(path: &str) -> Option<String> {
    DESCRIPTION.path_item(path).map(|(template, _)| template.clone())
}

/// Where the description leaves an object of an answer open for members that it does not name.
pub fn open_objects() -> Vec<String> {
    let mut open = Vec::new();
    find_open(&DESCRIPTION.document["components"]["schemas"], "#/components/schemas", &mut open);
    find_open(&DESCRIPTION.document["paths"], "#/paths", &mut open);
    open
}

/// An object that another one refers to and closes need not be closed itself, nor one that a browser writes.
fn find_open(schema: &Value, place: &str, open: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            let is_object = members.get("type").is_some_and(|kind| kind == "object");
            let closed = ["additionalProperties", "unevaluatedProperties"];
            let is_closed = closed.iter().any(|name| members.get(*name) == Some(&Value::Bool(false)));
            let is_part =
                ["EventFields", "Error", "Registration"].iter().any(|name| place.contains(&format!("schemas/{name}")));
            if is_object && !is_closed && !is_part {
                open.push(place.to_owned());
            }
            for (name, member) in members {
                find_open(member, &format!("{place}/{name}"), open);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_open(item, place, open)),
        _ => {}
    }
}

impl Description {
    fn parse(text: &str) -> Self {
        let document = serde_saphyr::from_str(text).expect("docs/openapi.yaml is YAML");
        Self { document, compiled: Mutex::default() }
    }

    fn check(&self, exchange: &Exchange<'_>) -> Result<(), String> {
        let Exchange { method, path, status, headers, body, .. } = *exchange;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_api = is_below(path, "/api");
        if !is_api && !is_below(path, "/internal") {
            return Ok(());
        }
        for (name, value) in HEADERS_OF_ALL {
            let expected = (is_api || !name.starts_with("access-control")).then_some(value);
            // A stream is no file that anybody might take for another.
            let is_stream = text("content-type") == Some("text/event-stream") && name == "x-content-type-options";
            if text(name) != expected && !is_stream {
                return Err(format!("{name} is {:?}, not {expected:?}", text(name)));
            }
        }
        let item = self.path_item(path).map(|(_, item)| item);
        let operation = item.and_then(|item| item.get(method.to_ascii_lowercase()));
        if method == "OPTIONS" && is_api && item.is_some() {
            return if status == 204 { Ok(()) } else { Err(format!("a preflight is answered {status}")) };
        }
        let response = match (item, operation) {
            (_, Some(operation)) => operation["responses"]
                .get(status.to_string())
                .ok_or_else(|| format!("{status} is not described for this operation"))?,
            (Some(_), None) if status == 405 => &self.document["components"]["responses"]["MethodNotAllowed"],
            _ if status == 404 => &self.document["components"]["responses"]["NotFound"],
            (Some(_), None) => return Err(format!("a method that there is not is answered {status}")),
            (None, None) => return Err(format!("a path that there is not is answered {status}")),
        };
        let response = self.resolved(response);
        for (name, header) in response.get("headers").map(object).into_iter().flatten() {
            let value = text(name).ok_or_else(|| format!("{name} is missing"))?;
            let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
            self.fits_schema(&header["schema"], &value).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        let Some(content) = response.get("content") else {
            return if body.is_empty() { Ok(()) } else { Err(format!("{status} has a body")) };
        };
        let media_type = text("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let media = content.get(media_type).ok_or_else(|| format!("{media_type:?} is not a described media type"))?;
        if media_type == "application/json" {
            let answer = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
            self.fits_schema(&media["schema"], &answer)?;
        }
        match (exchange.sent, operation) {
            (Some(sent), Some(operation)) if status < 300 => {
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                self.fits_schema(schema, sent).map_err(|wrong| format!("a request that is not described: {wrong}"))
            }
            _ => Ok(()),
        }
    }

    /// Templates match segment by segment; a trailing slash is nothing to Spin.
    fn path_item(&self, path: &str) -> Option<(&String, &Value)> {
        let path = path.split('?').next().unwrap_or_default();
        let path = path.strip_suffix('/').unwrap_or(path);
        let matches = |template: &str| {
            let (mut named, mut given) = (template.split('/'), path.split('/'));
            loop {
                match (named.next(), given.next()) {
                    (None, None) => return true,
                    (Some(name), Some(given)) if name == given || (name.starts_with('{') && !given.is_empty()) => {}
                    _ => return false,
                }
            }
        };
        object(&self.document["paths"]).iter().find(|(template, _)| matches(template))
    }

    /// What a reference stands for.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let pointer = reference.strip_prefix('#').expect("references stay within the file");
        self.document.pointer(pointer).unwrap_or_else(|| panic!("docs/openapi.yaml has no {reference}"))
    }

    fn fits(&self, reference: &str, value: &Value) -> Result<(), String> {
        self.fits_schema(&json!({ "$ref": reference }), value)
    }

    fn fits_schema(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.validator(schema);
        let wrong: Vec<_> = validator
            .iter_errors(value)
            .map(|error| format!("{} at {:?}", error, error.instance_path().to_string()))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let key = schema.to_string();
        let mut compiled = self.compiled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let validator = compiled.entry(key).or_insert_with(|| {
            // References point into the file, so what they may name comes along.
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "components": self.document["components"],
                "allOf": [schema],
            });
            Arc::new(jsonschema::validator_for(&whole).unwrap_or_else(|error| panic!("{schema} is no schema: {error}")))
        });
        Arc::clone(validator)
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.split('?').next().unwrap_or_default().strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn object(value: &Value) -> &serde_json::Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} is not an object of the description"))
}
