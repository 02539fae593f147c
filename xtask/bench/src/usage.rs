//! What a process and those it started use, from `/proc` (proc(5)).

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use procfs::process::{FDTarget, Process, all_processes};

/// What the whole tree of processes under one has used up to a moment.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    processor: Duration,
    /// Memory that several processes of the tree share counts once.
    pub(crate) resident_bytes: u64,
    /// Open files named `*.db`. Each instance of a component that speaks to a database holds one or two.
    pub(crate) databases: usize,
}

impl Usage {
    /// Spin and nginx serve from processes that they start, so children count as well.
    pub(crate) fn of_tree(pid: u32) -> Result<Self> {
        let mut usage = Self::nothing();
        let mut tree = vec![i32::try_from(pid)?];
        let all = all_processes().context("resource usage is read from /proc, which this system lacks")?;
        // One that ended meanwhile is none of ours.
        let all: Vec<_> = all.flatten().filter_map(|process| Some((process.stat().ok()?.ppid, process))).collect();
        while let Some(pid) = tree.pop() {
            let process = Process::new(pid).with_context(|| format!("process {pid} has ended"))?;
            usage.add(&process)?;
            tree.extend(all.iter().filter(|(parent, _)| *parent == pid).map(|(_, process)| process.pid));
        }
        Ok(usage)
    }

    /// This program alone, without the server that it started.
    pub(crate) fn of_this_program() -> Result<Self> {
        let mut usage = Self::nothing();
        usage.add(&Process::myself()?)?;
        Ok(usage)
    }

    fn nothing() -> Self {
        Self { at: Instant::now(), processor: Duration::ZERO, resident_bytes: 0, databases: 0 }
    }

    fn add(&mut self, process: &Process) -> Result<()> {
        let stat = process.stat()?;
        let ticks = (stat.utime + stat.stime) as f64;
        self.processor += Duration::from_secs_f64(ticks / rustix::param::clock_ticks_per_second() as f64);
        let memory = process.smaps_rollup()?;
        let shares = memory.memory_map_rollup.iter().filter_map(|map| map.extension.map.get("Pss"));
        self.resident_bytes += shares.sum::<u64>();
        let is_database = |path: &Path| path.extension().is_some_and(|extension| extension == "db");
        let files = process.fd()?.flatten();
        self.databases +=
            files.filter(|file| matches!(&file.target, FDTarget::Path(path) if is_database(path))).count();
        Ok(())
    }

    /// Processor time per time since `earlier`, in cores.
    pub(crate) fn cores_since(&self, earlier: &Self) -> f64 {
        self.processor_since(earlier).as_secs_f64() / (self.at - earlier.at).as_secs_f64()
    }

    pub(crate) fn processor_since(&self, earlier: &Self) -> Duration {
        self.processor.saturating_sub(earlier.processor)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn this_process_uses_memory_and_its_open_databases_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = Usage::of_tree(std::process::id()).expect("this process runs");
        let _open = File::create(folder.path().join("some.db")).expect("a file");
        let after = Usage::of_this_program().expect("this process runs");
        assert!(before.resident_bytes > 0 && after.resident_bytes > 0);
        assert!(after.databases > before.databases);
    }
}
