//! The physical limit of durable publishing: what bare SQLite commits on the same disk.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::Connection;

/// Commits per second of one connection to a new database in `folder`: WAL, `synchronous = FULL`, one row of a message's size each.
pub(crate) fn per_second(folder: &Path, duration: Duration) -> Result<f64> {
    let folder = tempfile::tempdir_in(folder)?;
    let connection = Connection::open(folder.path().join("commits.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute("CREATE TABLE event(pos INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT", [])?;
    let body = "x".repeat(520);
    let mut insert = connection.prepare("INSERT INTO event(body) VALUES(?1)")?;
    let started = Instant::now();
    let mut commits = 0;
    while started.elapsed() < duration {
        insert.execute([&body])?;
        commits += 1;
    }
    Ok(f64::from(commits) / started.elapsed().as_secs_f64())
}
