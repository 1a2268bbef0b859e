//! The trees: rows by row id, index entries by key.
//!
//! Both are B+ trees over pages of the pool: leaves hold the data, inner nodes the lowest key of each child. A tree's
//! root keeps its page number for life, so whoever knows a tree needs to be told once.
//!
//! - [`RowTree`] maps a [`damask_types::RowId`] to a row's bytes and two flags.
//! - [`BufferedTree`] is a row tree with a write buffer before it; [`HeapTree`] is either.
//! - [`IndexTree`] is an ordered set of (memcomparable key, row id) with one flag.
//!
//! Latching: there is none of a tree as a whole. Whoever looks for a leaf latches one node after the other and holds none while it waits
//! for the next ([`descent`]); a change where its leaf has room takes that leaf exclusively, and nothing else. Splits and merges
//! take, with the leaf latched, the right to change the tree's structure, and under it the inner nodes they change ([`restructure`]);
//! inserts into a unique index take a stripe of its keys before the leaf. So the order in a tree is
//!
//! ```text
//!   stripe -> leaf -> right to change the structure -> inner nodes        (other leaves, under the right: tried, never waited for)
//! ```
//!
//! which [`crate::ledger`] checks. A leaf that changes of different entries often wait for is split between them ([`contention`]). No latch is held while a page on the way to a leaf is loaded; a split's parents, should they have left memory
//! a moment after they were passed, overflow pages, and what a closure reads of another tree are the exceptions.
//!
//! The interface does not promise it: closures passed in run under *some* latch that covers
//! the entry they are given, so they must be short, must not wait for locks or the log, and must not call the same
//! tree. A closure of an index tree may read or modify the table's row tree; not the other way round. Nothing is promised of what two calls
//! see: between the leaves of a scan others change the tree. Whoever verifies, destroys or builds a tree has it alone.
//!
//! Invariants
//! - B1: keys ascend in a node, and all lie between its fences.
//! - B2: the children of an inner node tile its key range: each one's low fence is its separator, its high fence the
//!   next separator.
//! - B3: all leaves are at level 0; a child's level is its parent's less one.
//! - B4: an inner node has a child at least. A leaf left empty is merged away at once, unless no neighbour has room for
//!   its range, or those that have are in use at that moment.
//!
//! Inner nodes that are read often and rarely change are read as copies, without a latch ([`crate::pool`]).
//!
//! Left out: links between siblings (scans go down again by fence), hints.

mod base;
mod buffered;
mod build;
mod contention;
#[cfg(test)]
mod contention_tests;
mod descent;
#[cfg(test)]
mod descent_model;
mod heap;
mod index;
mod index_node;
mod overflow;
mod range;
mod restructure;
mod row;
mod row_node;
mod search;
#[cfg(test)]
mod stress_tests;
#[cfg(test)]
mod tests;
mod verify;

/// What [`descent`] runs on.
mod sync {
    pub(super) use parking_lot::{Mutex, MutexGuard};
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

pub use buffered::{BUFFER_BYTES, BufferLimits, BufferedTree, LayerIds, MergedLayer, Tended};
pub use heap::{HeapReader, HeapTree};
pub use index::{EntryFlags, IndexBuilder, IndexEntry, IndexTree};
pub use range::{Direction, KeyRange};
pub use row::{RUN_ROWS_MAX, RowBuilder, RowFlags, RowReader, RowSlot, RowTree};

/// Names for what `docs/format.md` says of trees, for the test that compares.
#[cfg(test)]
pub(crate) mod layout {
    pub(crate) use super::index_node::{
        FLAGS_BYTES as INDEX_FLAGS_BYTES, HEAD_SKIP as INDEX_HEAD_SKIP,
        LAYOUT_FIXED as INDEX_LAYOUT_FIXED, MARK as INDEX_MARK, SLOT_BYTES as INDEX_SLOT_BYTES,
        STRIDE as INDEX_STRIDE,
    };
    pub(crate) use super::overflow::{NEXT as OVERFLOW_NEXT, USED as OVERFLOW_USED};
    pub(crate) use super::row_node::{
        CHILD_BYTES as ROW_CHILD_BYTES, HIGH as ROW_HIGH, LOW as ROW_LOW,
        SLOT_BYTES as ROW_SLOT_BYTES, WIDE as ROW_WIDE, WIDE_SLOT_BYTES as ROW_WIDE_SLOT_BYTES,
    };
}

/// What a verification counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeStatistics {
    /// Rows or entries.
    pub entries: u64,
    /// Entries with a flag that says they are not plainly there (GHOST, DELETE_MARK).
    pub marked: u64,
    /// Leaf pages.
    pub leaves: u64,
    /// Inner pages.
    pub inners: u64,
    /// Overflow pages.
    pub overflows: u64,
    /// Levels, 1 for a root that is a leaf.
    pub height: u32,
}
