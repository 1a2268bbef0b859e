//! Copies of pages that many read and few change: the inner nodes of trees.
//!
//! Every descent reads a tree's root and the nodes below it, and each latch it takes there writes to a cache line that all processors want.
//! So a page that was read often enough is copied, and who reads the copy writes nothing: neither latch nor count. Changes of inner nodes are
//! rare (splits and merges below them), and each takes the copy away.
//!
//! ```text
//!   read, read, ... read      copied under the shared latch      read, read ...      to be changed: the copy goes, then the page is changed
//! ```
//!
//! Invariants
//! - Y1: a copy is made under the page's shared latch, and taken away under its exclusive latch before the first byte is changed and before
//!   the page leaves its frame. So who finds a copy has what the page had at a moment since it looked, as if it had latched it then.
//! - Y2: who still has a copy that was taken away reads what was so before; it learns of the change from what it latches next
//!   ([`crate::tree`]).

use super::entries::Entry;
use super::{PageRead, Pool, Usage};
use crate::governor::{Governor, Purpose};
use crate::page::{PAGE_BYTES_MAX, PageId};
use arc_swap::Guard;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often a page is read under its latch, and not changed, before it is copied: a node whose children split all the time has no copy.
const READS_BEFORE: u8 = if cfg!(test) { 1 } else { 200 };

/// The bytes of a page, right where the pointer leads, so that a reader meets no line of memory that it would not
/// have met in a frame.
#[repr(C, align(64))]
pub(super) struct Copied {
    bytes: [u8; PAGE_BYTES_MAX],
    len: usize,
    memory: Arc<Governor>,
}

impl std::fmt::Debug for Copied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Copied({} bytes)", self.len)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.memory.give_back(Purpose::Pages, size_of::<Self>());
    }
}

/// What a page had at a moment since it was asked for.
pub(crate) struct PageCopy(Guard<Option<Arc<Copied>>>);

impl Deref for PageCopy {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], |copied| &copied.bytes[..copied.len])
    }
}

impl Entry {
    /// Takes the copy away (Y1). The caller has the page's exclusive latch, so nobody makes one.
    #[inline]
    pub(super) fn clear_copy(&self) {
        if self.reads.load(Ordering::Relaxed) > 0 {
            self.take_copy_away();
        }
    }

    #[cold]
    fn take_copy_away(&self) {
        self.reads.store(0, Ordering::Relaxed);
        self.copy.store(None);
    }
}

impl Pool {
    /// The copy of a page, if there is one.
    #[inline]
    pub(crate) fn copy(&self, page: PageId) -> Option<PageCopy> {
        let entry = self.entries.get(page)?;
        if entry.reads.load(Ordering::Relaxed) < READS_BEFORE {
            return None;
        }
        let copy = entry.copy.load();
        copy.is_some().then(|| {
            entry.touch(Usage::Point);
            PageCopy(copy)
        })
    }

    /// Notes a read of a page that is rarely changed, and copies the page if it is due and there is memory.
    #[inline]
    pub(crate) fn note_read(&self, page: &PageRead<'_>) {
        let Some(entry) = self.entries.get(page.page()) else { return };
        let reads = entry.reads.load(Ordering::Relaxed);
        if reads < READS_BEFORE {
            // Lost updates only put it off.
            entry.reads.store(reads + 1, Ordering::Relaxed);
        } else {
            self.make_copy(page, entry);
        }
    }

    #[cfg(not(test))]
    pub(super) const fn leaves_copies(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(test)]
    pub(super) fn leaves_copies(&self) -> bool {
        self.planted == crate::store::Planted::StaleCopies
    }

    #[cold]
    fn make_copy(&self, page: &PageRead<'_>, entry: &Entry) {
        if !self.memory.try_take(Purpose::Pages, size_of::<Copied>()) {
            return entry.reads.store(1, Ordering::Relaxed);
        }
        let mut bytes = [0; PAGE_BYTES_MAX];
        bytes[..page.len()].copy_from_slice(page);
        let memory = Arc::clone(&self.memory);
        entry.copy.store(Some(Arc::new(Copied { bytes, len: page.len(), memory })));
    }
}
