//! Where each logical page is: an array of slots, indexed by page number, that grows without moving.
//!
//! The array is made of chunks of doubling size, so a slot's address never changes and finding it takes no lock.

use super::copies::Copied;
use super::frame::Frame;
use crate::alloc::Run;
use crate::codec::PageRef;
use crate::page::PageId;
use arc_swap::ArcSwapOption;
use parking_lot::RwLock;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};

/// Slots of the first chunk, as a power of two.
const FIRST_BITS: u32 = 10;
/// Chunks that cover every u32.
const CHUNKS: usize = (33 - FIRST_BITS) as usize;

/// A page number's state, under its latch.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The page's bytes, if it is in memory.
    pub(super) bytes: Option<Frame>,
    /// Where the file has its newest version; `None` if it was never written.
    pub(super) location: Option<PageRef>,
    /// The epoch whose state that version belongs to.
    pub(super) written_epoch: u32,
    /// Changes of the leaf that the page is ([`super::Pool::write_counted`]), counted anew when it is split because it is fought for.
    pub(super) change_count: u32,
    /// The epoch of the last change that the file does not have; 0 if it has all.
    pub(super) dirty_epoch: u32,
    /// The number stands for a page.
    pub(super) live: bool,
    /// One of the eviction queues has the number.
    pub(super) queued: bool,
    /// It was split since changes waited for each other; their count began anew then.
    pub(super) is_apart: bool,
}

impl Slot {
    /// Whether the bytes differ from the file's.
    #[inline]
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty_epoch != 0
    }

    /// Where a dirty page may be written over: its place in the file, if that is of the same epoch, so that no checkpoint names it.
    pub(super) fn own_place(&self) -> Option<Run> {
        let location = self.location.filter(|_| self.written_epoch == self.dirty_epoch)?;
        Some(location.run)
    }
}

/// A slot with its latch and what eviction wants to know without it.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) latch: RwLock<Slot>,
    /// Uses since it was last considered for eviction, 0 to 3.
    pub(super) usage: AtomicU8,
    /// It was evicted not long ago after little use.
    pub(super) ghost: AtomicBool,
    /// How many hold its latch, or soon will, to read it from the file or write it there.
    pub(super) in_io: AtomicU16,
    /// Reads of an inner node noted since it was changed; what that is for is told in [`super::copies`].
    pub(super) reads: AtomicU8,
    /// What is read instead of the page.
    pub(super) copy: ArcSwapOption<Copied>,
}

/// How a page is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// For itself.
    Point,
    /// As one of many that follow each other: however often a scan looks at it, that counts once.
    Scan,
}

/// A pool of 100 GB has millions of them, and one is looked at for each page on the way to a leaf.
const _: () = assert!(size_of::<Entry>() <= 88);

impl Entry {
    /// Whether its latch is held, or soon will be, by someone who reads it from the file or writes it there.
    pub(super) fn is_in_io(&self) -> bool {
        self.in_io.load(Ordering::Acquire) > 0
    }

    /// Notes a use.
    #[inline]
    pub(super) fn touch(&self, how: Usage) {
        let usage = self.usage.load(Ordering::Relaxed);
        if usage < 3 && (usage == 0 || how == Usage::Point) {
            // Lost updates only blur a statistic.
            self.usage.store(usage + 1, Ordering::Relaxed);
        }
    }
}

/// The array.
#[derive(Debug)]
pub(super) struct Entries {
    chunks: [OnceLock<Box<[Entry]>>; CHUNKS],
}

/// Chunk and place in it.
#[inline]
const fn place(page: u32) -> (usize, usize) {
    let shifted = page as u64 + (1 << FIRST_BITS);
    let bits = shifted.ilog2();
    ((bits - FIRST_BITS) as usize, (shifted - (1 << bits)) as usize)
}

impl Entries {
    pub(super) fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS] }
    }

    /// The slot of a page number that was made before.
    #[inline]
    pub(super) fn get(&self, page: PageId) -> Option<&Entry> {
        let (chunk, index) = place(page.0);
        self.chunks[chunk].get().map(|entries| &entries[index])
    }

    /// The slot of a page number; made with its whole chunk if needed.
    pub(super) fn get_or_make(&self, page: PageId) -> &Entry {
        let (chunk, index) = place(page.0);
        let make = || (0..1_usize << (chunk as u32 + FIRST_BITS)).map(|_| Entry::default());
        &self.chunks[chunk].get_or_init(|| make().collect())[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other() {
        let mut expected = (0, 0);
        for page in 0..100_000 {
            assert_eq!(place(page), expected);
            expected.1 += 1;
            if expected.1 == 1 << (expected.0 as u32 + FIRST_BITS) {
                expected = (expected.0 + 1, 0);
            }
        }
        assert!(place(u32::MAX).0 < CHUNKS);
    }
}
