//! SQLite as a peer, through its library: WAL, and a sync at each commit (`synchronous = FULL`) unless told otherwise.

use crate::Failure;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_mins(1);

/// Opens a database file.
pub(crate) fn open(path: &Path, cache_mb: usize, synchronous: &str) -> Result<Connection, Failure> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Negative: KiB instead of pages.
    connection.pragma_update(None, "cache_size", -((cache_mb << 10) as i64))?;
    Ok(connection)
}

/// Removes a database and what lies beside it, if it is there.
pub(crate) fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // It is most often not there.
        drop(std::fs::remove_file(name));
    }
}
