//! Figures in OpenMetrics 1.0 text (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), read from the databases
//! at each request.

use buddy_domain::Error;
use buddy_host::{log, variables};
use buddy_store::database::Database;
use buddy_store::measure::{Measures, measure};

pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A family of figures, each with the labels that tell it from the others.
struct Family {
    name: &'static str,
    kind: &'static str,
    unit: Option<&'static str>,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// A database that does not answer is `0` in `buddy_database_up`, and has no other figures.
///
/// # Errors
/// `Unavailable` where it cannot be read which databases there are.
pub(crate) async fn metrics() -> Result<String, Error> {
    let mut databases = Vec::new();
    for label in variables::databases().await? {
        let measures = measure(&Database::new(&label)).await;
        if let Err(Error::Unavailable(cause)) = &measures {
            log(format_args!("metrics: {cause}"));
        }
        databases.push((label, measures.ok()));
    }
    // What has no figures is not told of.
    let families = families(&databases).into_iter().filter(|family| !family.samples.is_empty());
    let mut text: String = families.map(|family| family.text()).collect();
    text.push_str("# EOF\n");
    Ok(text)
}

fn families(databases: &[(String, Option<Measures>)]) -> Vec<Family> {
    let up = databases.iter().map(|(label, measures)| (of(label), f64::from(u8::from(measures.is_some())))).collect();
    let known: Vec<_> =
        databases.iter().filter_map(|(label, known)| known.as_ref().map(|known| (label, known))).collect();
    let each = |figure: &dyn Fn(&Measures) -> Option<f64>| {
        known.iter().filter_map(|(label, known)| Some((of(label), figure(known)?))).collect()
    };
    let gauge = |name, help, samples| Family { name, kind: "gauge", unit: None, help, samples };
    let of_unit = |name, unit, help, samples| Family { name, kind: "gauge", unit: Some(unit), help, samples };
    let counter = |name, help, samples| Family { name, kind: "counter", unit: None, help, samples };
    let slots = known.iter().flat_map(|(label, known)| {
        let labels = |state: &String| [of(label), vec![("state", state.clone())]].concat();
        known.slots.iter().map(move |(state, count)| (labels(state), *count as f64))
    });
    let refusals = known.iter().flat_map(|(_, known)| &known.refusals);
    // A slot that moves takes its events along, so only their sum never decreases.
    let appended = known.iter().map(|(_, known)| known.appended as f64).sum();
    // Nor does that of those that answer.
    let appended = if known.len() == databases.len() { vec![(vec![], appended)] } else { vec![] };
    vec![
        gauge("buddy_database_up", "Whether a database answers.", up),
        gauge("buddy_rooms", "Rooms.", each(&|known| Some(known.rooms as f64))),
        gauge("buddy_events", "Events that rooms hold.", each(&|known| Some(known.events as f64))),
        of_unit(
            "buddy_rooms_bytes",
            "bytes",
            "What rooms count for: their events' bodies and 256 bytes each, their files' parts and 4,096 bytes each.",
            each(&|known| Some(known.bytes as f64)),
        ),
        gauge("buddy_files", "Files that rooms hold.", each(&|known| Some(known.files as f64))),
        of_unit(
            "buddy_files_bytes",
            "bytes",
            "The parts of the rooms' files.",
            each(&|known| Some(known.files_bytes as f64)),
        ),
        of_unit(
            "buddy_database_bytes",
            "bytes",
            "A database's file.",
            each(&|known| known.file_bytes.map(|bytes| bytes as f64)),
        ),
        counter("buddy_posts", "Events that were appended.", appended),
        counter(
            "buddy_refusals",
            "Requests that were refused, by the error's code.",
            refusals.map(|(code, count)| (vec![("code", code.clone())], *count as f64)).collect(),
        ),
        gauge("buddy_slots", "Slots of a database, by their state.", slots.collect()),
        of_unit(
            "buddy_sweep_overdue_seconds",
            "seconds",
            "How long the oldest row that is due to be deleted has waited.",
            each(&|known| Some(known.overdue_ms as f64 / 1000.0)),
        ),
    ]
}

fn of(database: &str) -> Vec<(&'static str, String)> {
    vec![("database", database.to_owned())]
}

impl Family {
    fn text(&self) -> String {
        let Self { name, kind, unit, help, samples } = self;
        let mut text = format!("# TYPE {name} {kind}\n");
        if let Some(unit) = unit {
            text.push_str(&format!("# UNIT {name} {unit}\n"));
        }
        text.push_str(&format!("# HELP {name} {help}\n"));
        let suffix = if *kind == "counter" { "_total" } else { "" };
        for (labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            text.push_str(&format!("{name}{suffix}{labels} {value}\n"));
        }
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
