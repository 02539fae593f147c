//! `cargo xtask watch`: serves, and builds and serves anew whenever a file changes. What does not build changes
//! nothing: the server that runs goes on.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::root;
use crate::up::{self, Running, Up};

/// What a server is made of.
const WATCHED: [&str; 4] = ["src", "static", "migrations", "spin.toml"];
/// Editors write a file in several steps, and several files at once.
const QUIET: Duration = Duration::from_millis(200);

/// Serves until it is told to stop.
pub(crate) fn watch(options: &Up) -> Result<ExitCode> {
    let command = up::prepare(options)?;
    let stopping = up::stop_on_signals()?;
    let (_watcher, changes) = changes(&root())?;
    let mut running = Some(Running::start(command)?);
    while !stopping.load(Ordering::SeqCst) {
        if let Some(server) = &mut running
            && let Some(status) = server.ended()?
        {
            eprintln!("The server ended by itself ({status}); waiting for a change.");
            running = None;
        }
        if changes.try_recv().is_err() {
            thread::sleep(up::LOOK);
            continue;
        }
        // What changed while the last build ran, or comes in several pieces, is in this one.
        while changes.recv_timeout(QUIET).is_ok() {}
        match up::build(options) {
            Ok(command) => {
                if let Some(server) = running.take() {
                    server.stop()?;
                }
                running = Some(Running::start(command)?);
            }
            Err(error) => eprintln!("{error:#}; waiting for a change."),
        }
    }
    if let Some(server) = running {
        server.stop()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says whenever something below `root` changed that a server is made of.
fn changes(root: &Path) -> Result<(RecommendedWatcher, Receiver<()>)> {
    let (sender, receiver) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // A build reads all of it, which is no reason for another.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Nobody listens any more while the program ends.
            let _ = sender.send(());
        }
    })?;
    for name in WATCHED {
        let path = root.join(name);
        watcher.watch(&path, RecursiveMode::Recursive).with_context(|| format!("cannot watch {}", path.display()))?;
    }
    Ok((watcher, receiver))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_is_noticed_and_one_that_is_read_is_not() {
        let folder = std::env::temp_dir().join(format!("buddy-watch-{}", std::process::id()));
        for name in WATCHED {
            std::fs::create_dir_all(folder.join(name)).expect("a folder can be made");
        }
        std::fs::write(folder.join("src/old.rs"), "1").expect("a file can be written");
        let (watcher, changes) = changes(&folder).expect("folders can be watched");
        assert_eq!(std::fs::read(folder.join("src/old.rs")).expect("a file can be read"), b"1");
        std::fs::write(folder.join("static/new.js"), "1").expect("a file can be written");
        changes.recv_timeout(Duration::from_secs(30)).expect("the change is noticed");
        while changes.recv_timeout(QUIET).is_ok() {}
        // What is read is told before what is written after it: once this is told, nothing else comes.
        for _ in 0..3 {
            assert_eq!(std::fs::read(folder.join("src/old.rs")).expect("a file can be read"), b"1");
        }
        drop(watcher);
        assert_eq!(changes.iter().count(), 0, "to read is not to change");
        std::fs::remove_dir_all(folder).expect("the folder can be removed");
    }
}
