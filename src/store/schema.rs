//! The schema's migrations: compiled in, and applied by whoever opens a database first.

use buddy_domain::Error;
use buddy_host::sqlite::{Connection, Failure};

/// In the order they are applied. A list of single statements each (separator line `--;`).
const MIGRATIONS: [(i64, &str); 9] = [
    (1, include_str!("../../migrations/0001_create_tables.sql")),
    (2, include_str!("../../migrations/0002_create_keys.sql")),
    (3, include_str!("../../migrations/0003_create_links.sql")),
    (4, include_str!("../../migrations/0004_create_cards.sql")),
    (5, include_str!("../../migrations/0005_create_tombstones.sql")),
    (6, include_str!("../../migrations/0006_note_departures.sql")),
    (7, include_str!("../../migrations/0007_count_refusals.sql")),
    (8, include_str!("../../migrations/0008_create_files.sql")),
    (9, include_str!("../../migrations/0009_create_registrations.sql")),
];

/// These count only before the first table, in this order, and stay in the file. Asking for
/// `auto_vacuum` once more would cost each new connection a commit. A database may refuse them, as remote
/// ones do, and is none the worse for it.
const FILE_PRAGMAS: [&str; 2] = ["PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL"];

/// Brings a database up to date. One that is so already is only read.
///
/// # Errors
/// `Unavailable` where a statement fails.
pub(crate) async fn prepare(connection: &Connection) -> Result<(), Error> {
    // It fails where there is no table yet.
    if applied(connection).await.ok() == MIGRATIONS.last().map(|(version, _)| *version) {
        return Ok(());
    }
    migrate(connection).await
}

/// The version of the schema.
async fn applied(connection: &Connection) -> Result<i64, Error> {
    const APPLIED: &str = "SELECT coalesce(max(version),0) AS version FROM migration LIMIT 1";
    let rows = connection.run(APPLIED, &[]).await.map_err(unavailable)?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.take("version"))
}

/// Applies what is missing. There are no transactions across statements and two instances may do
/// this at once: every statement can be repeated, and the version is written last.
async fn migrate(connection: &Connection) -> Result<(), Error> {
    const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration(version INTEGER PRIMARY KEY) STRICT";
    const APPLY: &str = "INSERT INTO migration(version) VALUES(?1) ON CONFLICT(version) DO NOTHING";

    for pragma in FILE_PRAGMAS {
        let _refused = connection.run(pragma, &[]).await;
    }
    connection.run(TABLE, &[]).await.map_err(unavailable)?;
    let applied = applied(connection).await?;
    for (version, statements) in MIGRATIONS.iter().filter(|(version, _)| *version > applied) {
        for statement in statements.split("\n--;\n") {
            match connection.run(statement, &[]).await {
                // SQLite has no way to add a column only where there is none.
                Err(failure) if failure.to_string().contains("duplicate column") => {}
                ran => drop(ran.map_err(unavailable)?),
            }
        }
        connection.run(APPLY, &[(*version).into()]).await.map_err(unavailable)?;
    }
    Ok(())
}

fn unavailable(failure: Failure) -> Error {
    Error::Unavailable(format!("migrating: {failure}"))
}
