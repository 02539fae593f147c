//! What was measured, as tables and as JSON, and beside it what was to be reached.

use anyhow::Result;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use serde::{Deserialize, Serialize};

use crate::crowd::Arrival;
use crate::delivery::{Delivery, Joined};
use crate::median::median;
use crate::publish::Publish;
use crate::replay::Replay;
use crate::room::Service;
use crate::sockets::Writes;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Whether the server is Spin; of the embedded server other figures are expected.
    pub(crate) spin: bool,
    pub(crate) publish: Vec<Publish>,
    pub(crate) writes: Vec<Writes>,
    pub(crate) joined: Vec<Joined>,
    pub(crate) delivery: Vec<Delivery>,
    pub(crate) replay: Vec<Replay>,
    pub(crate) ratios: Vec<Ratio>,
    pub(crate) goals: Vec<Goal>,
}

/// Buddy's figures divided by those of what it was measured beside.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ratio {
    readers: usize,
    arrival: Arrival,
    rate: u32,
    p50: f64,
    p99: f64,
    greeted: Option<f64>,
    cores: Option<f64>,
    memory: Option<f64>,
}

/// One of the figures that were set as the goal.
#[derive(Serialize, Deserialize)]
pub(crate) struct Goal {
    what: String,
    wanted: String,
    got: String,
    met: bool,
}

impl Report {
    /// Joins what several runs measured, and compares it with what was to be reached.
    pub(crate) fn median(runs: &[Self]) -> Result<Self> {
        let runs = runs.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let mut report: Self = serde_json::from_value(median(&runs.iter().collect::<Vec<_>>())?)?;
        report.ratios = report.ratios();
        report.goals = report.goals();
        Ok(report)
    }

    fn delivered(&self, service: Service, arrival: Arrival, readers: usize, rate: u32) -> Option<&Delivery> {
        let all = self.delivery.iter().filter(|d| d.rooms == 1 && d.service == service);
        all.filter(|d| d.arrival == arrival && d.readers == readers).find(|d| d.rate == rate)
    }

    fn joined(&self, service: Service, arrival: Arrival, readers: usize) -> Option<&Joined> {
        let all = self.joined.iter().filter(|j| j.rooms == 1 && j.service == service);
        all.filter(|j| j.arrival == arrival).find(|j| j.readers == readers)
    }

    fn ratios(&self) -> Vec<Ratio> {
        let own = self.delivery.iter().filter(|d| d.service == Service::Buddy && d.rooms == 1);
        let quotient = |own: Option<f64>, other: Option<f64>| Some(own? / other.filter(|other| *other > 0.0)?);
        own.filter_map(|own| {
            let Delivery { readers, arrival, rate, .. } = *own;
            let other = self.delivered(Service::Nchan, arrival, readers, rate)?;
            let greeted = |service| self.joined(service, arrival, readers).map(|joined| joined.greeted_ms);
            Some(Ratio {
                readers,
                arrival,
                rate,
                p50: own.latency.p50_ms / other.latency.p50_ms,
                p99: own.latency.p99_ms / other.latency.p99_ms,
                greeted: quotient(greeted(Service::Buddy), greeted(Service::Nchan)),
                cores: quotient(own.cores, other.cores),
                memory: quotient(own.kib_per_reader, other.kib_per_reader),
            })
        })
        .collect()
    }

    /// Compares what was measured with what was to be reached; what was not measured is left out.
    fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        let mut at_most = |what: &str, got: Option<f64>, most: f64| {
            if let Some(got) = got {
                goals.push(Goal {
                    what: what.to_owned(),
                    wanted: format!("≤ {most}"),
                    got: format!("{got:.2}"),
                    met: got <= most,
                });
            }
        };
        // Spin itself costs more than the embedded server, mostly where instances start.
        let by = |embedded: f64, spin: f64| if self.spin { spin } else { embedded };
        let thousand = |arrival| self.delivered(Service::Buddy, arrival, 1000, 50);
        let ratio = |arrival| self.ratios.iter().find(|r| r.readers == 1000 && r.rate == 50 && r.arrival == arrival);
        let (gentle, herd) = (thousand(Arrival::Gentle), thousand(Arrival::Herd));
        let beside = ratio(Arrival::Gentle);
        at_most("1,000 readers, 50/s: p50, of nchan's", beside.map(|r| r.p50), 1.5);
        at_most("1,000 readers, 50/s: p99, of nchan's", beside.map(|r| r.p99), 3.0);
        at_most("1,000 readers, 50/s: cores, of nchan's", beside.and_then(|r| r.cores), 2.0);
        let both = gentle.zip(herd);
        at_most(
            "1,000 at once, 50/s: p50, of gentle",
            both.map(|(gentle, herd)| herd.latency.p50_ms / gentle.latency.p50_ms),
            1.5,
        );
        at_most(
            "1,000 at once, 50/s: p99, of gentle",
            both.map(|(gentle, herd)| herd.latency.p99_ms / gentle.latency.p99_ms),
            2.0,
        );
        let joined = |arrival| self.joined(Service::Buddy, arrival, 1000);
        let greeted = joined(Arrival::Herd).map(|joined| joined.greeted_ms / 1e3);
        at_most("1,000 at once: s until all are greeted", greeted, by(0.5, 0.8));
        let memory = |arrival| joined(arrival).and_then(|joined| joined.kib_per_reader);
        at_most("KiB a reader, gentle", memory(Arrival::Gentle), 30.0);
        at_most("KiB a reader, at once", memory(Arrival::Herd), 35.0);
        let lost: u64 = self.delivery.iter().map(|d| d.missing + d.faults).sum();
        at_most("lost or doubled in all deliveries", (!self.delivery.is_empty()).then_some(lost as f64), 0.0);
        let publish = |writers| self.publish.iter().find(move |p| p.writers == writers && p.rooms == 1);
        at_most("32 writers: p99, of their p50", publish(32).map(|p| p.latency.p99_ms / p.latency.p50_ms), 5.0);
        for (writers, wanted) in [(32, by(40.0, 35.0)), (1, by(25.0, 20.0))] {
            let of_bare = publish(writers).and_then(|p| Some(100.0 * p.per_second / p.bare_commits_per_second?));
            if let Some(got) = of_bare {
                goals.push(Goal {
                    what: format!("{writers} writers: posts/s, % of bare commits"),
                    wanted: format!("≥ {wanted}"),
                    got: format!("{got:.1}"),
                    met: got >= wanted,
                });
            }
        }
        goals
    }

    pub(crate) fn tables(&self) -> String {
        let sections = [
            self.publish_table(),
            self.writes_table(),
            self.joined_table(),
            self.delivery_table(),
            self.ratios_table(),
            self.replay_table(),
            self.goals_table(),
        ];
        sections.into_iter().flatten().collect()
    }

    fn publish_table(&self) -> Option<String> {
        section(
            "Publishing: posts stored a second, each writer waiting for its answer",
            &[
                "writers",
                "rooms",
                "databases",
                "posts/s",
                "bare commits/s",
                "%",
                "p50 ms",
                "p99 ms",
                "max ms",
                "retries",
            ],
            self.publish.iter().map(|p| {
                vec![
                    p.writers.to_string(),
                    p.rooms.to_string(),
                    p.databases.to_string(),
                    format!("{:.0}", p.per_second),
                    optional(p.bare_commits_per_second, 0),
                    optional(p.bare_commits_per_second.map(|bare| 100.0 * p.per_second / bare), 0),
                    format!("{:.2}", p.latency.p50_ms),
                    format!("{:.2}", p.latency.p99_ms),
                    format!("{:.1}", p.latency.max_ms),
                    p.retries.to_string(),
                ]
            }),
        )
    }

    fn writes_table(&self) -> Option<String> {
        section(
            "The machine itself: one message written to each of many sockets by a bare loop",
            &["sockets", "ms for all", "µs each"],
            self.writes
                .iter()
                .map(|w| vec![w.sockets.to_string(), format!("{:.1}", w.pass_ms), format!("{:.1}", w.us_per_write)]),
        )
    }

    fn joined_table(&self) -> Option<String> {
        section(
            "Arrival, and readers to whom nothing is sent",
            &[
                "server",
                "readers",
                "arrival",
                "rooms",
                "all greeted ms",
                "caught up ms",
                "restart ms",
                "processor ms",
                "open databases",
                "idle cores",
                "KiB/reader",
            ],
            self.joined.iter().map(|j| {
                vec![
                    name(j.service).to_owned(),
                    j.readers.to_string(),
                    j.arrival.to_string(),
                    j.rooms.to_string(),
                    format!("{:.0}", j.greeted_ms),
                    known(j.caught_up_ms, 0),
                    known(j.restarted_ms, 0),
                    optional(j.processor_ms, 0),
                    optional(j.databases, 0),
                    optional(j.cores, 3),
                    optional(j.kib_per_reader, 1),
                ]
            }),
        )
    }

    fn delivery_table(&self) -> Option<String> {
        section(
            "Delivery: from the start of a post until a reader has it",
            &[
                "server",
                "readers",
                "arrival",
                "rooms",
                "posts/s",
                "reached",
                "p50 ms",
                "p99 ms",
                "max ms",
                "publish p50 ms",
                "events",
                "missing",
                "faults",
                "held",
                "cores",
                "KiB/reader",
                "generator cores",
            ],
            self.delivery.iter().map(|d| {
                vec![
                    name(d.service).to_owned(),
                    d.readers.to_string(),
                    d.arrival.to_string(),
                    d.rooms.to_string(),
                    d.rate.to_string(),
                    format!("{:.1}", d.reached_rate),
                    format!("{:.1}", d.latency.p50_ms),
                    format!("{:.1}", d.latency.p99_ms),
                    format!("{:.1}", d.latency.max_ms),
                    format!("{:.2}", d.publish.p50_ms),
                    d.expected.to_string(),
                    d.missing.to_string(),
                    d.faults.to_string(),
                    d.still_open.to_string(),
                    optional(d.cores, 2),
                    optional(d.kib_per_reader, 1),
                    format!("{:.2}", d.generator_cores),
                ]
            }),
        )
    }

    fn ratios_table(&self) -> Option<String> {
        section(
            "Buddy's figures divided by nchan's",
            &["readers", "arrival", "posts/s", "p50", "p99", "all greeted", "cores", "memory"],
            self.ratios.iter().map(|r| {
                vec![
                    r.readers.to_string(),
                    r.arrival.to_string(),
                    r.rate.to_string(),
                    format!("{:.1}", r.p50),
                    format!("{:.1}", r.p99),
                    known(r.greeted, 1),
                    known(r.cores, 1),
                    known(r.memory, 1),
                ]
            }),
        )
    }

    fn replay_table(&self) -> Option<String> {
        section(
            "Replay of a whole room",
            &["readers", "events each", "hello ms", "events/s", "MB/s", "grown MiB"],
            self.replay.iter().map(|r| {
                vec![
                    r.readers.to_string(),
                    r.events.to_string(),
                    format!("{:.1}", r.hello_ms),
                    format!("{:.0}", r.events_per_second),
                    format!("{:.1}", r.mb_per_second),
                    optional(r.grown_mib, 1),
                ]
            }),
        )
    }

    fn goals_table(&self) -> Option<String> {
        section(
            "Goals",
            &["what", "wanted", "got", "met"],
            self.goals.iter().map(|goal| {
                let met = if goal.met { "yes" } else { "no" };
                vec![goal.what.clone(), goal.wanted.clone(), goal.got.clone(), met.to_owned()]
            }),
        )
    }
}

/// A table with its title; nothing where it would have no rows.
fn section(title: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Option<String> {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(head.to_vec()).add_rows(rows);
    // Words stand left, figures right.
    let words = usize::from(["what", "server"].contains(&head[0]));
    table.column_iter_mut().skip(words).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    (!table.is_empty()).then(|| format!("\n{title}\n\n{table}\n"))
}

/// A figure that only a server started here has.
fn optional(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(|| "?".to_owned(), |number| format!("{number:.digits$}"))
}

/// A figure that not every row has.
fn known(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(String::new, |number| format!("{number:.digits$}"))
}

fn name(service: Service) -> &'static str {
    match service {
        Service::Buddy => "Buddy",
        Service::Nchan => "nchan",
    }
}
