//! Pages that a scan is about to come to.
//!
//! A scan that comes to a page that is not in memory most likely wants the next ones, too, and a disk that is asked for several at a time gives
//! them sooner than one after the other. The pages are the children of one inner node. How many are loaded, and in which direction, the pool
//! tells from what it has: as many as are in memory on the side where the scan seems to come from. So a scan that has just begun loads one page,
//! then two, four and so on up to [`AHEAD_MAX`], and nobody keeps count. Of as many behind them the system is told, so that the disk goes on while
//! the scan looks at what it has.
//!
//! ```text
//!   children   . . . M M M [.] . . . . . . .      M: in memory, [.]: wanted
//!                          |loaded| |soon|
//! ```
//!
//! Whoever goes from index entries to rows knows which pages come next. When the first of them is not in memory, they are loaded in the same way.
//!
//! Loading ahead is a wish. It only tries latches, so whoever asks for it may hold others. What cannot be read or is damaged stays where it is,
//! and who comes to it is told.

use super::entries::{Entry, Slot};
use super::frame::Frame;
use super::frames::Leaving;
use super::{InIo, Pool};
use crate::codec::{PageRef, Wanted};
use crate::page::{PageId, UNIT_BYTES};
use crate::vfs::Part;
use damask_types::Result;
use parking_lot::RwLockWriteGuard;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most pages that are loaded at a time, if the pool is not small.
pub(crate) const AHEAD_MAX: usize = 32;
/// The part of the pool's frames that one scan may take for pages that it did not come to yet.
const AHEAD_PART: usize = 32;
/// The part of them that are loaded into by all scans at a time: who needs a frame must find one that nobody holds.
const AHEAD_ALL_PART: usize = 8;

/// A page that is being loaded, under its exclusive latch.
struct Loading<'p> {
    page: PageId,
    slot: RwLockWriteGuard<'p, Slot>,
    location: PageRef,
    frame: Frame,
    _io: InIo<'p>,
}

/// Frames that are counted as loaded into, until this is dropped.
struct Share<'p> {
    all: &'p AtomicUsize,
    count: usize,
    /// What was counted before.
    others: usize,
}

impl<'p> Share<'p> {
    fn of(all: &'p AtomicUsize, count: usize) -> Self {
        Self { all, count, others: all.fetch_add(count, Ordering::Relaxed) }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl Pool {
    /// Whether a page that exists is not in memory, as far as can be told without waiting.
    pub(crate) fn is_absent(&self, page: PageId) -> bool {
        self.entries.get(page).is_some_and(Entry::is_absent)
    }

    /// Loads page `index` of `siblings`, which a scan has come to, and those that it is likely to come to next.
    pub(crate) fn read_ahead(&self, siblings: &[PageId], index: usize) {
        let count_max = self.ahead_max();
        let is_there = |page: &&PageId| !self.is_absent(**page);
        let below = siblings[..index].iter().rev().take(count_max).take_while(is_there).count();
        let above = siblings[index + 1..].iter().take(count_max).take_while(is_there).count();
        let wanted = 1 + below.max(above).min(count_max.saturating_sub(1));
        if wanted == 1 {
            return;
        }
        if below >= above {
            self.load_together(siblings[index..].iter(), wanted);
        } else {
            self.load_together(siblings[..=index].iter().rev(), wanted);
        }
    }

    /// Loads the first of these pages, none of which is in memory, and has the system get the others.
    pub(crate) fn load_ahead(&self, pages: &[PageId]) {
        if pages.len() > 1 {
            self.load_together(pages.iter(), self.ahead_max());
        }
    }

    /// Most pages that are loaded at a time; of a small pool one at most.
    pub(crate) fn ahead_max(&self) -> usize {
        AHEAD_MAX.min(self.frames.capacity() / AHEAD_PART)
    }

    /// Loads the first `count` of `pages`, and has the system get as many behind them; nothing if others load too much already.
    fn load_together<'a>(&self, pages: impl Iterator<Item = &'a PageId>, count: usize) {
        let share = Share::of(&self.ahead_frames, count);
        if share.others + count <= self.frames.capacity() / AHEAD_ALL_PART {
            self.load_now(pages, count);
        }
    }

    fn load_now<'a>(&self, mut pages: impl Iterator<Item = &'a PageId>, count: usize) {
        let mut loading: SmallVec<[Loading<'_>; AHEAD_MAX]> = SmallVec::new();
        for page in pages.by_ref().take(count) {
            match self.begin_load(*page) {
                Ok(begun) => loading.extend(begun),
                Err(_) => break,
            }
        }
        let soon: SmallVec<[Part; AHEAD_MAX]> =
            pages.take(count).filter_map(|page| self.absent_part(*page)).collect();
        let mut wanted: SmallVec<[Wanted<'_>; AHEAD_MAX]> = loading
            .iter_mut()
            .map(|Loading { page, location, frame, .. }| Wanted {
                number: page.0.into(),
                location: *location,
                bytes: frame,
            })
            .collect();
        let read = self.coders.read_together(&*self.file, self.seed, &mut wanted, &soon);
        drop(wanted);
        let Ok(problems) = read else {
            return loading.into_iter().for_each(|loading| self.frames.give_back(loading.frame));
        };
        let mut loaded = 0;
        for (loading, problem) in loading.into_iter().zip(problems) {
            let Loading { page, mut slot, frame, .. } = loading;
            if problem.is_some() {
                self.frames.give_back(frame);
                continue;
            }
            slot.bytes = Some(frame);
            loaded += 1;
            self.frames.enqueue(&self.entries, page, &mut slot);
        }
        self.load_count.fetch_add(loaded, Ordering::Relaxed);
        // One is what the scan has come to.
        self.ahead_count.fetch_add(loaded.saturating_sub(1), Ordering::Relaxed);
    }

    /// Where the file has a page that is not in memory.
    fn absent_part(&self, page: PageId) -> Option<Part> {
        let slot = self.entries.get(page)?.latch.try_read()?;
        let run = slot.location.filter(|_| slot.is_absent())?.run;
        Some(Part { offset: run.offset(), len: run.count as usize * UNIT_BYTES })
    }

    /// A frame for a page that is not in memory, and its latch; `None` if it is there, somebody has the latch, or there is no frame.
    fn begin_load(&self, page: PageId) -> Result<Option<Loading<'_>>> {
        let Some(entry) = self.entries.get(page).filter(|entry| entry.is_absent()) else {
            return Ok(None);
        };
        let Some(frame) = self.try_frame(Leaving::Any)? else { return Ok(None) };
        let io = InIo::begin(entry);
        if let Some(slot) = entry.latch.try_write()
            && slot.is_absent()
            && let Some(location) = slot.location
        {
            return Ok(Some(Loading { page, slot, location, frame, _io: io }));
        }
        self.frames.give_back(frame);
        Ok(None)
    }
}

impl Slot {
    fn is_absent(&self) -> bool {
        self.live && self.bytes.is_none()
    }
}

impl Entry {
    fn is_absent(&self) -> bool {
        self.latch.try_read().is_some_and(|slot| slot.is_absent())
    }
}
