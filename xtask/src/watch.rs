//! `cargo xtask watch`: serves, and builds and serves anew whenever a file changes. What does not build changes
//! nothing: the server that runs goes on.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use notify_debouncer_mini::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_mini::{DebounceEventResult, Debouncer, new_debouncer};

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
        // What changed while the last build ran, or came in several pieces, is in this one.
        while changes.try_recv().is_ok() {}
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
fn changes(root: &Path) -> Result<(Debouncer<RecommendedWatcher>, Receiver<()>)> {
    let (sender, receiver) = channel();
    let mut debouncer = new_debouncer(QUIET, move |events: DebounceEventResult| {
        if events.is_ok_and(|events| !events.is_empty()) {
            // Nobody listens any more while the program ends.
            let _ = sender.send(());
        }
    })?;
    for name in WATCHED {
        let path = root.join(name);
        let watched = debouncer.watcher().watch(&path, RecursiveMode::Recursive);
        watched.with_context(|| format!("cannot watch {}", path.display()))?;
    }
    Ok((debouncer, receiver))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_noticed() {
        let folder = std::env::temp_dir().join(format!("buddy-watch-{}", std::process::id()));
        for name in WATCHED {
            std::fs::create_dir_all(folder.join(name)).expect("a folder can be made");
        }
        let (_watcher, changes) = changes(&folder).expect("folders can be watched");
        std::fs::write(folder.join("static/new.js"), "1").expect("a file can be written");
        changes.recv_timeout(Duration::from_secs(30)).expect("the change is noticed");
        std::fs::remove_dir_all(folder).expect("the folder can be removed");
    }
}
