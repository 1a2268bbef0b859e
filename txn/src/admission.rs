//! What comes before a change of rows, outside the gate: clean pages for those who read, and a write buffer that is not too full.
//!
//! On a full disk a dirty page may have no place to go. So that there are always clean ones to take frames from, whoever changes rows sees to it first
//! that enough are (`storage/src/pool/mod.rs`, L6):
//! - a *statement* is refused (53100) if less than an eighth of them is clean and no page can be written. It is taken back then;
//! - who *takes back* goes on with a 64th, mostly since pages can be written where they are, and then waits for room. It cannot be refused:
//!   what is half taken back would stop the engine. Its rows stay locked, and others read what they were;
//! - *garbage* is left for later.

use crate::directory::Heap;
use crate::engine::Engine;
use damask_storage::Change;
use damask_types::Result;
use std::time::Duration;

/// How long who takes back waits before it looks for room again.
const RETRY: Duration = Duration::from_millis(100);

impl Engine {
    /// To be called before rows of a heap are changed.
    ///
    /// # Errors
    /// 53100 if the disk is full; what reading and writing pages raises. Nothing is changed then.
    #[inline]
    pub(crate) fn before_change(&self, heap: &Heap) -> Result<()> {
        self.store.pool().admit(Change::Forward)?;
        self.tend(heap)
    }

    /// To be called before changes of rows are taken back; waits while the disk is full.
    ///
    /// # Errors
    /// 58030 if a page cannot be written; 57P01 if the database was closed meanwhile, and recovery takes back the rest.
    #[inline]
    pub(crate) fn before_undo(&self, heap: &Heap) -> Result<()> {
        while let Err(error) = self.store.pool().admit(Change::Back) {
            if !error.is_disk_full() {
                return Err(error);
            }
            self.check_open()?;
            self.store.env().clock.sleep(RETRY);
        }
        // If it cannot be, the buffer grows for a while.
        self.tend(heap).ok();
        Ok(())
    }
}
