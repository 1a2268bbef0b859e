//! The buffer pool: pages in memory under a hard limit.
use crate::page::{PageId, PageKind, TreeId};
use damask_types::{Error, Result};
use parking_lot::{RwLockReadGuard, RwLockWriteGuard};
use std::ops::{Deref, DerefMut};

/// Pages in memory, found by their logical number, at most as many bytes as allowed.
pub struct Pool {
    page_bytes: usize,
}

/// A page's place in memory.
struct Slot {
    bytes: Option<Box<[u8]>>,
}

/// A page under its shared latch.
pub struct PageRead<'p> {
    page: PageId,
    slot: RwLockReadGuard<'p, Slot>,
}

/// A page under its exclusive latch; taking `&mut` marks it dirty.
pub struct PageWrite<'p> {
    pool: &'p Pool,
    page: PageId,
    slot: RwLockWriteGuard<'p, Slot>,
}

impl Pool {
    /// Bytes of a page.
    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Takes a page's shared latch, loading the page if needed.
    pub fn read(&self, page: PageId) -> Result<PageRead<'_>> {
        Err(Error::unsupported(format!("reading page {page}")))
    }

    /// Takes a page's exclusive latch, loading the page if needed.
    pub fn write(&self, page: PageId) -> Result<PageWrite<'_>> {
        Err(Error::unsupported(format!("writing page {page}")))
    }

    /// Makes a page: zeroed but for the header's common part, latched exclusively.
    pub fn allocate(&self, kind: PageKind, tree: TreeId) -> Result<PageWrite<'_>> {
        Err(Error::unsupported(format!("a page of kind {kind:?} for tree {tree}")))
    }

    /// Gives a page back. Nobody may hold its latch in this thread; its number will be given out again.
    pub fn free(&self, page: PageId) -> Result<()> {
        Err(Error::unsupported(format!("freeing page {page}")))
    }
}

impl PageRead<'_> {
    /// The page's number.
    pub fn page(&self) -> PageId {
        self.page
    }
}

impl Deref for PageRead<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.slot.bytes.as_deref().expect("a latched page is in memory")
    }
}

impl PageWrite<'_> {
    /// The page's number.
    pub fn page(&self) -> PageId {
        self.page
    }

    /// Gives the latched page back, as [`Pool::free`] does.
    pub fn free(self) -> Result<()> {
        let (pool, page) = (self.pool, self.page);
        drop(self);
        pool.free(page)
    }
}

impl Deref for PageWrite<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.slot.bytes.as_deref().expect("a latched page is in memory")
    }
}

impl DerefMut for PageWrite<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.slot.bytes.as_deref_mut().expect("a latched page is in memory")
    }
}
