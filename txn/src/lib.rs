//! Transactions, and tables under them: the clock, snapshots, versions, locks, commit and recovery.
//!
//! `storage` gives pages, trees and a log; this crate gives rows that many sessions change at once. Pages hold the newest
//! state of each row, committed or not; what older snapshots need lies in memory ([`version`]) and is gone when nobody
//! needs it. `docs/mvcc.md` tells the whole story; the modules below are in reading order.
//!
//! Invariants
//! - M1: commit order in the log and the order of timestamps are one order, made in one critical section ([`engine`]).
//! - M2: no commit that waits for its flush is shown before it is durable; a writer that meets one waits until it is, or
//!   builds on it and lets nothing out before it is ([`Txn::settle`]).
//! - M3: a change of a page is made inside the gate (see [`engine`]), so that a checkpoint sees no half-made change.
//! - M4: no gate, latch or stripe is held while waiting for a transaction or for the disk to flush the log.
//! - M5: indexes are a function of rows: they are never logged, and `verify` recomputes them.
//!
//! Left out: freezing rows into segments.

#![cfg_attr(
    test,
    expect(clippy::duplicate_mod, reason = "a model runs weak locks on threads of its own")
)]

pub mod interrupt;
pub mod isolation;
pub mod program;
pub mod schema;

mod bytes;
mod cell;
mod clock;
mod gate;
mod horizon;
mod image;
mod spread;
mod version;
mod version_copy;

mod births;
mod wait;

pub mod advisory;
mod lock;
mod row_queue;
pub mod sequence;

mod directory;
mod fragments;
mod redo;

mod background;
mod checkpointer;
mod flusher;

pub mod engine;
pub mod txn;

mod serializable;

mod admission;
mod buffer;
mod reach;
mod read;
mod runs;
mod write;

mod deferred;
mod keys;
mod undo;
mod upsert;

mod build;
mod ddl;
mod gc;
mod recover;
mod replay;
mod verify;

#[cfg(test)]
mod checkpoint_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod full_disk_tests;
#[cfg(test)]
mod panic_tests;
mod scan;
pub mod table;

/// Whether a commit's frames are compressed in the log, how the log becomes durable, and what compresses pages. Who grants
/// memory, and what for.
pub use damask_storage::{
    Governor, HugePages, IoMethod, LANES_MAX, LogCompression, LogSync, PageCodec, Purpose,
};

/// Advisory locks.
pub use advisory::{SessionLocks, TxnHandle};
pub use clock::SnapshotHolder;
/// What [`Engine::open`] takes the clock, the disk and chance from.
pub use damask_storage::env::Env;
pub use damask_storage::key::is_lossless as key_is_lossless;
/// Where statements put what does not fit in memory.
pub use damask_storage::temp::{TempBlock, TempFile, TempFolder, TempStats};
/// What an [`Env`]'s files are made of: simulated disks for the tests of crates above.
pub use damask_storage::vfs;
pub use deferred::Deferred;
pub use engine::{Engine, EngineOptions, Holdings, Location, Metrics, VerifyReport};
pub use fragments::LogHolder;
pub use interrupt::{Interrupt, NoInterrupt};
pub use isolation::{IsolationLevel, ReadView};
pub use lock::{LockInfo, LockTag, TableLock};
pub use program::{NoPrograms, ProgramCompiler, RowProgram};
pub use runs::NewRows;
pub use scan::{IndexScan, Lookup, Scan};
pub use schema::{
    AliasKey, ColumnRange, Direction, IndexDesc, KeyColumn, KeyRange, KeySource, RelationDesc,
    TableEngine,
};
pub use sequence::{SequenceSpec, SequenceState};
pub use table::{LockOutcome, RowLock, ScanSpec, Table, Wait, WriteOutcome};
pub use txn::{CommitTicket, Durability, Savepoint, Txn};
pub use upsert::{Arbiters, ConflictOutcome, InsertOutcome};
