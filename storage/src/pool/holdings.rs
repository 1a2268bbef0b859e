//! What callers hold of a pool at this moment; nothing, when nothing runs. Tests ask it after failures.

use super::Pool;
use crate::page::PageId;

/// What is out of a pool's hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolHoldings {
    /// Pages that someone has latched.
    pub latched_pages: usize,
    /// Frames that neither hold a page nor are spare.
    pub frames_astray: usize,
}

impl Pool {
    /// What callers hold. Exact if nothing runs meanwhile; O(pages).
    pub fn holdings(&self) -> PoolHoldings {
        let (mut latched_pages, mut resident) = (0, 0);
        for number in 0..self.page_bound().0 {
            let Some(entry) = self.entries.get(PageId(number)) else { continue };
            match entry.latch.try_write() {
                Some(slot) => resident += usize::from(slot.bytes.is_some()),
                None => latched_pages += 1,
            }
        }
        let (made, spare) = self.frames.counts();
        // A latched page has its frame.
        let frames_astray = made.saturating_sub(spare + resident + latched_pages);
        PoolHoldings { latched_pages, frames_astray }
    }
}
