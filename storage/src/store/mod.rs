//! One database: a data file, its log, its lock; opening, checkpoints, closing.
//!
//! ```text
//!   NAME        superblocks A and B, then pages, page-table nodes and checkpoint roots, in units of 4 KiB
//!   NAME.wal/   log segments; gone after a close
//!   NAME.lock   held while the store is open
//! ```
//!
//! States of the data file, by the superblock in force (the valid one of higher generation)
//! - *closed* (clean flag set): complete in itself; a log directory, if one is left over, means nothing.
//! - *open* (flag not set): the state is the checkpoint plus the log behind its position. [`Store::open`] moves closed
//!   to open before anything is logged, [`Store::close`] moves back.
//!
//! Invariants
//! - C1: a superblock is written only when everything it names is durable, and what the superblock before it names is
//!   reused only when it is durable itself.
//! - C2: a checkpoint is the state of one instant, in which the caller has stopped page changes and appends. They go on
//!   while it is written.
//! - C3: an error that leaves the disk's content unknown poisons the store ([`Health`]); a full disk does not, since
//!   everything a failed checkpoint wrote can be forgotten.
//!
//! Left out: free-space maps on disk.

mod checkpoint;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod full_disk_tests;
#[cfg(test)]
mod lane_tests;
mod open;
#[cfg(test)]
mod tests;
mod verify;

use crate::codec::PageCodec;
use crate::env::Env;
use crate::health::Health;
use crate::huge_pages::HugePages;
use crate::log::{Frames, Log, LogSync};
use crate::page::{PAGE_BYTES, PageId, PageKind, TreeId};
use crate::pool::Pool;
use crate::superblock::{BlockRef, FEATURE_COMPRESSED_PAGES, FEATURE_WRITE_BUFFERS, Superblock};
use crate::vfs::{VfsFile, VfsLock};
use crate::{alloc::Run, vfs};
use damask_types::{Result, Timestamp};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use checkpoint::{CHECKPOINT_BATCH, CheckpointMeta, CheckpointProgress, CheckpointStart};
pub use verify::{VerifyReport, verify_file};

/// How a store is made and run.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Page size in bytes for a new store: 4096, 8192 or 16384. An existing store keeps its own.
    pub page_bytes: usize,
    /// Most bytes of pages in memory; at least sixteen pages are kept.
    pub pool_bytes: usize,
    /// Whether the memory of pages is to lie in huge pages.
    pub huge_pages: HugePages,
    /// Bytes of a log segment in a new store; a multiple of 4096, at least 8192.
    pub log_segment_bytes: u64,
    /// How the log becomes durable.
    pub log_sync: LogSync,
    /// How many flushes of the log may be under way at a time, each in a lane of its own: 1 to 16.
    pub log_lanes: usize,
    /// Makes the store if there is none.
    pub create: bool,
    /// A defect that a test plants, to see that it is found.
    #[cfg(test)]
    pub(crate) planted: Planted,
    /// When leaves are split because they are fought for.
    #[cfg(test)]
    pub(crate) contention: crate::pool::ContentionRule,
}

/// Defects for tests of the tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Planted {
    /// None.
    #[default]
    Nothing,
    /// The superblock is written before what it names is durable (breaks C1).
    SuperblockBeforeSync,
    /// Units of the checkpoint in force are reused at once (breaks C1).
    EarlyReuse,
    /// A page that changes while a checkpoint is written is not copied aside (breaks C2).
    NoCopyAside,
    /// The page table of a checkpoint has places that pages got after its instant (breaks C2).
    NoFrozenPlace,
    /// On a full disk a page is written over its place, also if a checkpoint names that (breaks C1).
    WrittenOver,
    /// A page that changes keeps its copy (breaks Y1 of the pool's copies).
    StaleCopies,
    /// A flush of the log is acknowledged when one behind it is done (breaks W2).
    OutOfOrder,
    /// The log goes on after a crash without a group of random bytes (breaks W4).
    NoRestart,
    /// A checkpoint that is to keep the log lets it go.
    LogLetGo,
    /// Frames are appended though there can be no room for them in the log (breaks R1 of its room).
    NoRoom,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            page_bytes: PAGE_BYTES,
            pool_bytes: 256 << 20,
            huge_pages: HugePages::Try,
            log_segment_bytes: 64 << 20,
            log_sync: LogSync::default(),
            log_lanes: 1,
            create: true,
            #[cfg(test)]
            planted: Planted::Nothing,
            #[cfg(test)]
            contention: crate::pool::ContentionRule::default(),
        }
    }
}

/// Where a tree begins; kept by checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeDescriptor {
    /// The tree's number.
    pub tree: TreeId,
    /// The kind of its leaves.
    pub kind: PageKind,
    /// Its root page.
    pub root: PageId,
    /// What compresses its pages when they are written.
    pub codec: PageCodec,
}

/// An open database: pages, log, tree roots, checkpoints.
pub struct Store {
    env: Env,
    path: PathBuf,
    /// Starts every checksum of a page.
    seed: u32,
    file: Arc<dyn VfsFile>,
    pool: Arc<Pool>,
    log: Arc<Log>,
    health: Arc<Health>,
    trees: RwLock<Trees>,
    /// What is in force on disk; `None` for a store in memory. Held for the time of a checkpoint's step.
    disk: Option<Mutex<Disk>>,
    #[cfg(test)]
    planted: Planted,
}

/// Tree roots as of now.
#[derive(Debug)]
struct Trees {
    descriptors: BTreeMap<TreeId, TreeDescriptor>,
    next: u32,
}

/// What the data file holds durably.
struct Disk {
    superblock: Superblock,
    /// The page table's nodes.
    nodes: Vec<BlockRef>,
    /// The root's pieces.
    root_runs: Vec<Run>,
    /// The checkpoint that is being written.
    running: Option<checkpoint::Running>,
    /// Released by a close.
    lock: Option<Box<dyn VfsLock>>,
}

/// What [`Store::open`] found.
#[derive(Debug)]
pub struct Recovered {
    /// What the last checkpoint was given as `meta`; `None` for a new store.
    pub meta: Option<Vec<u8>>,
    /// The last checkpoint's time; 0 for a new store.
    pub checkpoint_ts: Timestamp,
    /// The log's frames, in order; to be taken before the next checkpoint. Those that are not above the checkpoint's time are in it:
    /// the first few may be such, and more if the log was kept ([`CheckpointStart::keep_log`]).
    pub frames: Frames,
}

impl Store {
    /// The pages.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Files, clock, chance and background work.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The data file's name; `:memory:` for a store in memory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing is kept on disk.
    pub fn in_memory(&self) -> bool {
        self.disk.is_none()
    }

    /// Fails once the store takes no more writes.
    ///
    /// # Errors
    /// 58030, with the first error as detail.
    pub fn check_health(&self) -> Result<()> {
        self.health.check()
    }

    /// The tree of this number.
    pub fn tree(&self, tree: TreeId) -> Option<TreeDescriptor> {
        self.trees.read().descriptors.get(&tree).copied()
    }

    /// Every tree, by number.
    pub fn trees(&self) -> Vec<TreeDescriptor> {
        self.trees.read().descriptors.values().copied().collect()
    }

    /// Adds a tree or moves its root. A page change in the sense of C2.
    pub fn set_tree(&self, descriptor: TreeDescriptor) {
        let mut trees = self.trees.write();
        trees.next = trees.next.max(descriptor.tree.0.saturating_add(1));
        self.pool.set_codec(descriptor.tree, descriptor.codec);
        trees.descriptors.insert(descriptor.tree, descriptor);
    }

    /// Forgets a tree; its pages are the caller's to free. A page change in the sense of C2.
    pub fn remove_tree(&self, tree: TreeId) {
        self.trees.write().descriptors.remove(&tree);
        self.pool.set_codec(tree, PageCodec::None);
    }

    /// What compresses a tree's pages when they are written.
    pub fn codec(&self, tree: TreeId) -> PageCodec {
        self.pool.codec(tree)
    }

    /// Says what compresses a tree's pages from now on; those in the file stay as they are until they are written again. The
    /// tree may be one that is only being made. A page change in the sense of C2.
    ///
    /// [`Store::allow_codecs`] comes before the first.
    pub fn set_codec(&self, tree: TreeId, codec: PageCodec) {
        let mut trees = self.trees.write();
        self.pool.set_codec(tree, codec);
        if let Some(descriptor) = trees.descriptors.get_mut(&tree) {
            descriptor.codec = codec;
        }
    }

    /// Marks the file as one that only readers open which know compression; it does so once, and waits for the disk then. So
    /// neither the file nor its log ever names a codec to a reader that does not know any.
    ///
    /// # Errors
    /// 58030 if the mark cannot be written: the store takes no more writes.
    pub fn allow_codecs(&self) -> Result<()> {
        self.require_feature(FEATURE_COMPRESSED_PAGES)
    }

    /// Marks the file, as [`Store::allow_codecs`] does, as one that only readers open which know row trees with write buffers.
    ///
    /// # Errors
    /// As there.
    pub fn allow_write_buffers(&self) -> Result<()> {
        self.require_feature(FEATURE_WRITE_BUFFERS)
    }

    /// A tree number that no tree has had yet.
    pub fn next_tree_id(&self) -> TreeId {
        let mut trees = self.trees.write();
        let next = trees.next;
        trees.next = next.checked_add(1).expect("fewer than 2^32 trees are ever made");
        TreeId(next)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({}, {:?})", self.path.display(), self.pool)
    }
}

/// The log directory of a data file.
fn log_directory(path: &Path) -> PathBuf {
    vfs::with_suffix(path, ".wal")
}
