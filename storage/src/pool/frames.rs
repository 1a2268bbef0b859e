//! The memory that pages live in, and who must leave when it is full.
//!
//! S3-FIFO (Yang et al., SOSP 2023): new pages enter a small queue; those used again move to the main queue, the others
//! leave and are remembered as ghosts; a ghost that returns goes straight to the main queue. So a scan passes through
//! the small queue and does not wash out what is used often. Differences: the ghost queue holds page numbers, and a
//! latched page is passed over.
//!
//! Invariants
//! - F1: frames in pages plus spare frames never exceed the capacity, and beyond [`FRAMES_MIN`] what the governor grants.
//! - F2: a queue holds a page number at most once, and [`Slot::queued`] says so.
//! - F3: the queues' lock is held only for picking; a page's latch is only *tried* under it, so there is no order to
//!   break.

use super::entries::{Entries, Slot};
use crate::governor::{Governor, Purpose};
use crate::page::PageId;
use parking_lot::{Mutex, RwLockWriteGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Fewest frames a pool works with: a split holds several latches, and threads do so at once.
pub(super) const FRAMES_MIN: usize = 16;

/// The memory for pages.
#[derive(Debug)]
pub(super) struct Frames {
    page_bytes: usize,
    /// Most frames there may be.
    capacity: usize,
    memory: Arc<Governor>,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    /// Frames without a page.
    spare: Vec<Box<[u8]>>,
    /// Frames there are.
    made_count: usize,
    small: VecDeque<PageId>,
    main: VecDeque<PageId>,
    ghosts: VecDeque<PageId>,
}

/// What a search for a frame came to.
pub(super) enum Found<'p> {
    /// A frame.
    Frame(Box<[u8]>),
    /// A page to evict, latched; it is in no queue any more.
    Victim(PageId, RwLockWriteGuard<'p, Slot>),
    /// Every page is latched (or dirty, if only clean ones were wanted).
    Nothing,
}

impl Frames {
    pub(super) fn new(page_bytes: usize, capacity: usize, memory: Arc<Governor>) -> Self {
        let capacity = capacity.max(FRAMES_MIN);
        Self { page_bytes, capacity, memory, queues: Mutex::default() }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Frames there are, spare ones included.
    pub(super) fn made_count(&self) -> usize {
        self.queues.lock().made_count
    }

    /// Frames there are, and those of them that are spare.
    pub(super) fn counts(&self) -> (usize, usize) {
        let queues = self.queues.lock();
        (queues.made_count, queues.spare.len())
    }

    /// Finds a frame or someone who must give one up.
    pub(super) fn find<'p>(&self, entries: &'p Entries, clean_only: bool) -> Found<'p> {
        let mut queues = self.queues.lock();
        if let Some(frame) = queues.spare.pop() {
            return Found::Frame(frame);
        }
        if queues.made_count < self.capacity && self.may_grow(queues.made_count) {
            queues.made_count += 1;
            return Found::Frame(vec![0; self.page_bytes].into_boxed_slice());
        }
        // Each page can be passed over three times for its usage and once for its latch.
        let tries = 5 * (queues.small.len() + queues.main.len());
        let mut passed_over = [0, 0];
        for _ in 0..tries {
            // A queue of which every page was passed over leaves it to the other.
            let [passed_small, passed_main] = passed_over;
            let small_is_long = queues.small.len() > self.capacity / 10;
            let from_small = queues.main.is_empty()
                || passed_main >= queues.main.len() && !queues.small.is_empty()
                || small_is_long && passed_small < queues.small.len();
            let queue = if from_small { &mut queues.small } else { &mut queues.main };
            let Some(page) = queue.pop_front() else { break };
            let entry = entries.get(page).expect("a queued page has an entry");
            let Some(mut slot) = entry.latch.try_write() else {
                queue.push_back(page);
                passed_over[usize::from(!from_small)] += 1;
                continue;
            };
            if slot.bytes.is_none() {
                // Freed while it was queued.
                slot.queued = false;
                continue;
            }
            let usage = entry.usage.load(Ordering::Relaxed);
            if from_small && usage > 1 {
                entry.usage.store(0, Ordering::Relaxed);
                queues.main.push_back(page);
                continue;
            }
            if !from_small && usage > 0 {
                entry.usage.store(usage - 1, Ordering::Relaxed);
                queues.main.push_back(page);
                continue;
            }
            if clean_only && slot.is_dirty() {
                queue.push_back(page);
                passed_over[usize::from(!from_small)] += 1;
                continue;
            }
            slot.queued = false;
            if from_small {
                entry.ghost.store(true, Ordering::Relaxed);
                queues.ghosts.push_back(page);
                if queues.ghosts.len() > self.capacity
                    && let Some(forgotten) = queues.ghosts.pop_front()
                    && let Some(entry) = entries.get(forgotten)
                {
                    entry.ghost.store(false, Ordering::Relaxed);
                }
            }
            return Found::Victim(page, slot);
        }
        Found::Nothing
    }

    /// Takes memory for a frame, if there is some.
    fn may_grow(&self, made_count: usize) -> bool {
        if made_count < FRAMES_MIN {
            self.memory.take_anyway(Purpose::Pages, self.page_bytes);
            return true;
        }
        self.memory.try_take(Purpose::Pages, self.page_bytes)
    }

    /// Enters a page whose slot was just given a frame; the caller holds its latch.
    pub(super) fn enqueue(&self, entries: &Entries, page: PageId, slot: &mut Slot) {
        if std::mem::replace(&mut slot.queued, true) {
            return;
        }
        let entry = entries.get(page).expect("a page in memory has an entry");
        let mut queues = self.queues.lock();
        if entry.ghost.swap(false, Ordering::Relaxed) {
            queues.main.push_back(page);
        } else {
            queues.small.push_back(page);
        }
    }

    /// Takes back a frame that holds no page any more.
    pub(super) fn give_back(&self, frame: Box<[u8]>) {
        self.queues.lock().spare.push(frame);
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.memory.give_back(Purpose::Pages, self.made_count() * self.page_bytes);
    }
}
