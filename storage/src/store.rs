//! One database file with its log.
use crate::env::Env;
use crate::log::Log;
use crate::page::{PageId, PageKind, TreeId};
use crate::pool::Pool;
use damask_types::{Error, Result, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// How a store is made and run.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Page size in bytes for a new store: 4096, 8192 or 16384. An existing store keeps its own.
    pub page_bytes: usize,
    /// Most bytes of pages in memory.
    pub pool_bytes: usize,
    /// Bytes of a log segment in a new store; a multiple of 4096.
    pub log_segment_bytes: u64,
    /// Makes the store if there is none.
    pub create: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            page_bytes: crate::page::PAGE_BYTES,
            pool_bytes: 256 << 20,
            log_segment_bytes: 64 << 20,
            create: true,
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
}

/// An open database file: pool, log, tree roots, checkpoints.
pub struct Store {
    pool: Arc<Pool>,
    log: Arc<Log>,
}

/// What [`Store::open`] found.
pub struct Recovered {
    /// What the last checkpoint was given as `meta`; `None` for a new store.
    pub meta: Option<Vec<u8>>,
    /// The last checkpoint's time; 0 for a new store.
    pub checkpoint_ts: Timestamp,
    /// Frames logged after it, in order.
    pub frames: Frames,
}

/// Frames to replay, in the order of their timestamps.
pub struct Frames {}

impl Iterator for Frames {
    type Item = Result<(Timestamp, Vec<u8>)>;
    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl Store {
    /// Opens the store in file `path`, or a new one in memory if `path` is `:memory:`.
    pub fn open(env: Env, path: &Path, options: StoreOptions) -> Result<(Self, Recovered)> {
        let _ = (env, options);
        Err(Error::unsupported(format!("opening {}", path.display())))
    }

    /// The pages.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Makes the state of all pages, the trees' roots and `meta` durable as of `ts`; the log before it is let go.
    ///
    /// The caller has stopped every page change and every append for the time of the call.
    pub fn checkpoint(&self, ts: Timestamp, meta: &[u8]) -> Result<()> {
        Err(Error::unsupported(format!("a checkpoint at {ts} with {} bytes", meta.len())))
    }

    /// The tree of this number.
    pub fn tree(&self, tree: TreeId) -> Option<TreeDescriptor> {
        let _ = tree;
        None
    }

    /// Every tree, by number.
    pub fn trees(&self) -> Vec<TreeDescriptor> {
        Vec::new()
    }

    /// Adds a tree or moves its root.
    pub fn set_tree(&self, descriptor: TreeDescriptor) {
        let _ = descriptor;
    }

    /// Forgets a tree; its pages are the caller's to free.
    pub fn remove_tree(&self, tree: TreeId) {
        let _ = tree;
    }

    /// A tree number that no tree has had yet.
    pub fn next_tree_id(&self) -> TreeId {
        TreeId(1)
    }

    /// Checkpoints and closes: what is left is one file.
    pub fn close(self, ts: Timestamp, meta: &[u8]) -> Result<()> {
        self.checkpoint(ts, meta)
    }
}
