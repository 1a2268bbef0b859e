//! Files, pages, the log and the trees: everything that knows bytes on disk.
//!
//! Reading order: [`env`], [`vfs`], [`topology`] and [`huge_pages`] are the world outside; [`page`] the shape of a block, `codec` how one is stored;
//! [`pool`] keeps pages in memory; [`log`] makes commits durable; [`store`] puts them together into one database file with checkpoints,
//! recovery and verification; [`row`] and [`key`] lay rows and index keys out as bytes, [`tree`] finds them.
//!
//! Invariants of the crate
//! - S1: no page and no log block that a crash could need is overwritten in place.
//! - S2: every block on disk has a checksum and its own identity; bytes from disk never panic.
//! - S3: after a failed sync the store takes no more writes; reopening recovers.
//!
//! Left out: what rows and commits mean (crate `txn` above), column segments.

#![cfg_attr(
    test,
    expect(
        clippy::duplicate_mod,
        reason = "a model runs the log's handover on threads of its own"
    )
)]

mod alloc;
mod codec;
pub mod env;
#[cfg(test)]
mod format_tests;
pub mod governor;
mod health;
pub mod huge_pages;
pub mod key;
pub mod ledger;
pub mod log;
pub mod page;
mod page_table;
pub mod pool;
mod root;
pub mod row;
pub mod store;
mod superblock;
pub mod temp;
#[cfg(test)]
mod testing;
pub mod topology;
pub mod tree;
pub mod vfs;

pub use codec::PageCodec;
pub use env::{Clock, Env, Random, Signal, Spawn, Step};
pub use governor::{Governor, Purpose};
pub use huge_pages::{HugePageSource, HugePages, NoHugePages, SimulatedHugePages};
pub use log::{Flush, Frames, LANES_MAX, Log, LogCompression, LogPosition, LogSync};
pub use page::{PageId, PageKind, TreeId};
pub use pool::{Change, PageRead, PageWrite, Pool};
pub use store::{
    CHECKPOINT_BATCH, CheckpointMeta, CheckpointProgress, CheckpointStart, Recovered, Store,
    StoreOptions, TreeDescriptor, VerifyReport,
};
pub use temp::{TempBlock, TempFile, TempFolder, TempStats};
pub use topology::{OneNode, SimulatedTopology, Topology};
pub use vfs::{IoMethod, OpenOptions, Vfs, VfsFile};
