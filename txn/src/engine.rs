//! The engine: everything sessions share.

use crate::{IsolationLevel, SequenceSpec, SequenceState, Table, Txn};
use damask_types::{Error, RelId, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the data lives.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file; its log lies beside it.
    File(PathBuf),
    /// Memory, gone when the engine is.
    Memory,
}

/// How an engine runs.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Memory for pages.
    pub pool_bytes: usize,
    /// Log since the last checkpoint that makes a committer run the next one.
    pub checkpoint_log_bytes: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { pool_bytes: 256 << 20, checkpoint_log_bytes: 256 << 20 }
    }
}

/// What `verify` found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Pages read and checked.
    pub pages: u64,
    /// Rows visited.
    pub rows: u64,
    /// Index entries compared with their rows.
    pub index_entries: u64,
    /// What is wrong, a sentence each; empty if all is well.
    pub errors: Vec<String>,
}

/// Counters since the engine was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metrics {
    /// Transactions committed, pure readers included.
    pub commits: u64,
    /// Transactions rolled back.
    pub rollbacks: u64,
    /// Deadlocks resolved.
    pub deadlocks: u64,
    /// Waits for another transaction.
    pub lock_waits: u64,
    /// Versions in memory.
    pub versions: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
}

/// A database's storage under transactions; shared by all sessions.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Opens a database, creating it if there is none, and recovers it if it was not closed.
    ///
    /// TODO: takes a `damask_storage::Env` before the other arguments as soon as that type is there.
    pub fn open(_location: Location, _options: EngineOptions) -> Result<Arc<Self>> {
        Err(Error::unsupported("opening a database"))
    }

    /// Whether `open` created the database, so that nothing is in it.
    pub fn is_new(&self) -> bool {
        false
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// 0A000 for SERIALIZABLE (until it exists; offer the user REPEATABLE READ, do not take it silently).
    pub fn begin(self: &Arc<Self>, _level: IsolationLevel, _read_only: bool) -> Result<Txn> {
        Err(Error::unsupported("BEGIN"))
    }

    /// The table whose storage is `rel`; cheap, also for a table that an open transaction made.
    ///
    /// # Errors
    /// XX000 if there is none.
    pub fn table(self: &Arc<Self>, _rel: RelId) -> Result<Arc<Table>> {
        Err(Error::unsupported("reading a table"))
    }

    /// Writes a checkpoint; recovery then starts from it.
    pub fn checkpoint(&self) -> Result<()> {
        Err(Error::unsupported("CHECKPOINT"))
    }

    /// Checks every page, tree and index; no session may write meanwhile.
    pub fn verify(&self) -> Result<VerifyReport> {
        Err(Error::unsupported("verify"))
    }

    /// Writes a checkpoint and lets go of the files; every later call fails. Open transactions must have ended.
    pub fn close(&self) -> Result<()> {
        Err(Error::unsupported("close"))
    }

    /// The next value of a sequence (`nextval`), never given out twice, also not after a crash or a rollback.
    ///
    /// # Errors
    /// 2200H when it has come to its end and does not cycle.
    pub fn sequence_next(&self, _rel: RelId, _spec: &SequenceSpec) -> Result<i64> {
        Err(Error::unsupported("nextval"))
    }

    /// Sets a sequence (`setval`); not undone by a rollback.
    pub fn sequence_set(&self, _rel: RelId, _state: SequenceState) -> Result<()> {
        Err(Error::unsupported("setval"))
    }

    /// Where a sequence stands.
    pub fn sequence_get(&self, _rel: RelId) -> Result<SequenceState> {
        Err(Error::unsupported("reading a sequence"))
    }

    /// Counters.
    pub fn metrics(&self) -> Metrics {
        Metrics::default()
    }
}
