//! What a process and those it started use, from `/proc` (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What the whole tree of processes under one has used up to a moment.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    processor: Duration,
    pub(crate) resident_bytes: u64,
}

impl Usage {
    /// Spin serves from a process that it starts, so children count as well.
    pub(crate) fn of_tree(pid: u32) -> Result<Self> {
        let mut usage = Self { at: Instant::now(), processor: Duration::ZERO, resident_bytes: 0 };
        let processes = processes()?;
        let mut tree = vec![pid];
        while let Some(pid) = tree.pop() {
            let process = processes.get(&pid).with_context(|| format!("process {pid} has ended"))?;
            usage.processor += process.processor;
            usage.resident_bytes += process.resident_bytes;
            tree.extend(processes.iter().filter(|(_, child)| child.parent == pid).map(|(child, _)| *child));
        }
        Ok(usage)
    }

    /// This program alone, without the server that it started.
    pub(crate) fn of_this_program() -> Result<Self> {
        let process = processes()?.remove(&std::process::id()).context("/proc does not show this program")?;
        Ok(Self { at: Instant::now(), processor: process.processor, resident_bytes: process.resident_bytes })
    }

    /// Processor time per time since `earlier`, in cores.
    pub(crate) fn cores_since(&self, earlier: &Self) -> f64 {
        self.processor.saturating_sub(earlier.processor).as_secs_f64() / (self.at - earlier.at).as_secs_f64()
    }
}

struct Process {
    parent: u32,
    processor: Duration,
    resident_bytes: u64,
}

fn processes() -> Result<BTreeMap<u32, Process>> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("resource usage is read from /proc, which this system lacks")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that ended meanwhile is none of ours.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(process) = parse_stat(&stat) {
            processes.insert(pid, process);
        }
    }
    Ok(processes)
}

/// Reads `/proc/<pid>/stat`. The name, in parentheses, may hold anything, so fields count from its end.
fn parse_stat(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)?;
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        processor: Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64),
        resident_bytes: number(21)? * rustix::param::page_size() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_shifts_no_field() {
        let stat = "7 (a b) c)) S 3 7 7 0 -1 4194560 100 0 0 0 200 50 0 0 20 0 1 0 5 1000 25 18446744073709551615";
        let process = parse_stat(stat).expect("valid");
        assert_eq!(process.parent, 3);
        assert_eq!(process.processor, Duration::from_secs_f64(250.0 / rustix::param::clock_ticks_per_second() as f64));
        assert_eq!(process.resident_bytes, 25 * rustix::param::page_size() as u64);
    }

    #[test]
    fn this_process_uses_memory() {
        let alone = Usage::of_this_program().expect("this process runs");
        let tree = Usage::of_tree(std::process::id()).expect("this process runs");
        assert!(alone.resident_bytes > 0 && tree.resident_bytes > 0);
    }
}
