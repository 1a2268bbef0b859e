//! Rows as they were: in memory, or in a temporary file if they are many.
//!
//! Old rows that a snapshot holds back stay in memory up to [`undo_bytes`](crate::EngineOptions::undo_bytes); the collector writes what it meets
//! above that to temporary files. A file goes when the last row in it goes, and a crash needs none of them: recovery
//! starts without old snapshots.
//!
//! A reader of such a row reads the file under the shared latch of the row's leaf, without the version table's mutex. That is the
//! one place where a latch is held across a read; only snapshots older than a spilled change come here.

use crate::engine::Engine;
use damask_storage::Purpose;
use damask_storage::temp::{TempBlock, TempFile};
use damask_types::Result;
use parking_lot::RwLock;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes in a temporary file after which the next is begun, so that space comes back in pieces.
const SPILL_FILE_BYTES: u64 = 64 << 20;

/// A file of images.
pub(crate) type SpillFile = RwLock<TempFile>;

/// A row as it was before a change.
#[derive(Clone, Debug)]
pub(crate) enum Image {
    /// In memory.
    Memory(Box<[u8]>),
    /// In a temporary file.
    Spilled(Arc<SpillFile>, TempBlock),
}

impl Image {
    /// Its bytes.
    ///
    /// # Errors
    /// XX001, 58030 if it cannot be read back.
    pub(crate) fn load(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Spilled(file, block) => {
                let mut buffer = Vec::new();
                let bytes = file.read().read(*block, &mut buffer)?.to_vec();
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Bytes in memory, and in files.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        match self {
            Self::Memory(bytes) => (bytes.len() as u64, 0),
            Self::Spilled(_, block) => (0, block.bytes() as u64),
        }
    }
}

/// About what a version takes beside its image: its row's entry in the version table, and in the lists of its transaction and of the
/// collector.
const VERSION_BYTES: u64 = 256;
/// About what a range of rows takes: itself, and in these lists.
const RANGE_BYTES: u64 = 128;

impl Engine {
    /// Tells the governor what versions take.
    ///
    /// # Errors
    /// 53200 if that, with all else, is more than there may be.
    pub(crate) fn count_versions(&self) -> Result<()> {
        let count = self.counters.versions.load(Ordering::Relaxed);
        let ranges = self.counters.ranges.load(Ordering::Relaxed) as u64;
        let images = self.counters.undo_bytes.load(Ordering::Relaxed);
        let memory = &self.store.env().memory;
        memory.note(
            Purpose::Versions,
            (count * VERSION_BYTES + ranges * RANGE_BYTES + images) as usize,
        )
    }

    /// The same, when there are fewer: whether they are still too many is the next writer's to find.
    pub(crate) fn recount_versions(&self) {
        let _ = self.count_versions();
    }

    /// Counts an image that came.
    pub(crate) fn count_image(&self, image: &Image) {
        let (memory, spilled) = image.bytes();
        self.counters.undo_bytes.fetch_add(memory, Ordering::Relaxed);
        if spilled > 0 {
            self.counters.undo_spilled.fetch_add(spilled, Ordering::Relaxed);
        }
    }

    /// Counts an image that goes.
    pub(crate) fn discount_image(&self, image: &Image) {
        let (memory, spilled) = image.bytes();
        self.counters.undo_bytes.fetch_sub(memory, Ordering::Relaxed);
        if spilled > 0 {
            self.counters.undo_spilled.fetch_sub(spilled, Ordering::Relaxed);
        }
    }

    /// Whether old rows take more memory than they should.
    pub(crate) fn is_over_undo_budget(&self) -> bool {
        self.counters.undo_bytes.load(Ordering::Relaxed) > self.options.undo_bytes
    }

    /// Moves an image to `file`, which is replaced when it is full; leaves it where it is if the disk does not take it.
    pub(crate) fn spill(&self, image: &mut Image, file: &mut Option<Arc<SpillFile>>) {
        let Image::Memory(bytes) = &*image else {
            return;
        };
        if file.as_ref().is_none_or(|file| file.read().bytes() >= SPILL_FILE_BYTES) {
            let Ok(new) = self.temp_folder().create() else {
                return;
            };
            *file = Some(Arc::new(RwLock::new(new)));
        }
        let Some(target) = file else {
            return;
        };
        // A full disk is no reason to fail: the row stays in memory.
        let Ok(block) = target.write().append(bytes) else {
            return;
        };
        self.discount_image(image);
        *image = Image::Spilled(Arc::clone(target), block);
        self.count_image(image);
    }
}
