//! What was measured, as tables and as JSON, and beside it what was to be reached.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::delivery::{Delivery, Idle};
use crate::publish::Publish;
use crate::replay::Replay;

#[derive(Default, Serialize)]
pub(crate) struct Report {
    pub(crate) publish: Vec<Publish>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) delivery: Vec<Delivery>,
    pub(crate) replay: Vec<Replay>,
    pub(crate) goals: Vec<Goal>,
}

/// One of the figures that were set as the goal for a machine of two cores with the load on it too.
#[derive(Serialize)]
pub(crate) struct Goal {
    what: &'static str,
    wanted: String,
    got: String,
    met: bool,
}

impl Report {
    /// Compares what was measured with what was to be reached; what was not measured is left out.
    pub(crate) fn compare_with_goals(&mut self) {
        let mut goals = Vec::new();
        let mut goal = |what, wanted: String, got: String, met| goals.push(Goal { what, wanted, got, met });
        let publish = |writers| self.publish.iter().find(move |p| p.writers == writers && p.rooms == 1);
        if let Some((one, bare)) = publish(1).and_then(|one| Some((one, one.bare_commits_per_second?))) {
            let wanted = bare / 4.0;
            goal(
                "publishes/s, 1 writer: a quarter of bare commits",
                format!("≥ {wanted:.0}"),
                format!("{:.0}", one.per_second),
                one.per_second >= wanted,
            );
        }
        if let (Some(one), Some(many)) = (publish(1), publish(32)) {
            let (wanted, got) = (one.per_second, many.per_second);
            goal("publishes/s, 32 writers: as with 1", format!("≥ {wanted:.0}"), format!("{got:.0}"), got >= wanted);
        }
        let delivery = |readers, rooms, rate| {
            self.delivery.iter().find(move |d| d.readers == readers && d.rooms == rooms && d.rate == rate)
        };
        if let Some(one) = delivery(1, 1, 20) {
            let wanted = one.publish.p50_ms + 4.0;
            goal(
                "1 reader: p50 ms, publish p50 + 4",
                format!("≤ {wanted:.1}"),
                format!("{:.1}", one.latency.p50_ms),
                one.latency.p50_ms <= wanted,
            );
        }
        if let Some(d) = delivery(1000, 1, 50) {
            goal(
                "1,000 readers, 50/s: lost, p50 ms, p99 ms",
                "0, ≤ 12, ≤ 40".to_owned(),
                format!("{}, {:.1}, {:.1}", d.missing + d.faults, d.latency.p50_ms, d.latency.p99_ms),
                d.missing + d.faults == 0 && d.latency.p50_ms <= 12.0 && d.latency.p99_ms <= 40.0,
            );
        }
        if let Some(d) = delivery(5000, 1, 10) {
            goal(
                "5,000 readers, 10/s: lost, held",
                "0, 5000".to_owned(),
                format!("{}, {}", d.missing + d.faults, d.still_open),
                d.missing + d.faults == 0 && d.still_open == 5000,
            );
        }
        if let Some(idle) = self.idle.iter().find(|idle| idle.readers == 1000 && idle.rooms == 1) {
            let (kib, cores) = (idle.kib_per_reader, idle.cores);
            if let Some(kib) = kib {
                goal("KiB per idle reader (of 1,000)", "≤ 32".to_owned(), format!("{kib:.1}"), kib <= 32.0);
            }
            goal("cores for 1,000 idle readers", "≤ 0.1".to_owned(), format!("{cores:.3}"), cores <= 0.1);
        }
        let cores = |rooms| delivery(1000, rooms, 50).and_then(|d| d.cores);
        if let (Some(one), Some(hundred)) = (cores(1), cores(100)) {
            goal(
                "cores, 1,000 readers in 100 rooms: twice of 1 room",
                format!("≤ {:.2}", one * 2.0),
                format!("{hundred:.2}"),
                hundred <= one * 2.0,
            );
        }
        self.goals = goals;
    }

    pub(crate) fn tables(&self) -> String {
        let mut text = String::new();
        let mut section = |title: &str, head: &[&str], rows: Vec<Vec<String>>| {
            if !rows.is_empty() {
                let mut table = Table::new();
                table.load_preset(ASCII_MARKDOWN).set_header(head.to_vec()).add_rows(rows);
                table.column_iter_mut().skip(usize::from(title == "Goals")).for_each(|column| {
                    column.set_cell_alignment(CellAlignment::Right);
                });
                text.push_str(&format!("\n{title}\n\n{table}\n"));
            }
        };
        let optional =
            |number: Option<f64>, digits| number.map_or_else(|| "?".to_owned(), |number| format!("{number:.digits$}"));
        section(
            "Publishing: posts stored a second, each writer waiting for its answer",
            &["writers", "rooms", "posts/s", "bare commits/s", "%", "p50 ms", "p99 ms", "max ms", "retries"],
            self.publish
                .iter()
                .map(|p| {
                    vec![
                        p.writers.to_string(),
                        p.rooms.to_string(),
                        format!("{:.0}", p.per_second),
                        optional(p.bare_commits_per_second, 0),
                        optional(p.bare_commits_per_second.map(|bare| 100.0 * p.per_second / bare), 0),
                        format!("{:.2}", p.latency.p50_ms),
                        format!("{:.2}", p.latency.p99_ms),
                        format!("{:.1}", p.latency.max_ms),
                        p.retries.to_string(),
                    ]
                })
                .collect(),
        );
        section(
            "Idle readers",
            &["readers", "rooms", "cores", "KiB/reader"],
            self.idle
                .iter()
                .map(|idle| {
                    vec![
                        idle.readers.to_string(),
                        idle.rooms.to_string(),
                        format!("{:.3}", idle.cores),
                        optional(idle.kib_per_reader, 1),
                    ]
                })
                .collect(),
        );
        section(
            "Delivery: from the start of a post until a reader has it",
            &[
                "readers",
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
            self.delivery
                .iter()
                .map(|d| {
                    vec![
                        d.readers.to_string(),
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
                })
                .collect(),
        );
        section(
            "Replay of a whole room",
            &["readers", "events each", "hello ms", "events/s", "MB/s", "grown MiB"],
            self.replay
                .iter()
                .map(|r| {
                    vec![
                        r.readers.to_string(),
                        r.events.to_string(),
                        format!("{:.1}", r.hello_ms),
                        format!("{:.0}", r.events_per_second),
                        format!("{:.1}", r.mb_per_second),
                        optional(r.grown_mib, 1),
                    ]
                })
                .collect(),
        );
        section(
            "Goals",
            &["what", "wanted", "got", "met"],
            self.goals
                .iter()
                .map(|goal| {
                    let met = if goal.met { "yes" } else { "no" };
                    vec![goal.what.to_owned(), goal.wanted.clone(), goal.got.clone(), met.to_owned()]
                })
                .collect(),
        );
        text
    }
}
