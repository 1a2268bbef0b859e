//! Room for what is appended: bytes are promised room in the log's files before a frame is appended, so a disk that is full refuses a commit
//! before it is one, and no flush meets it.
//!
//! ```text
//!   a lane's files:   ... written | room ahead                 | end of the files
//!                                 | promised to frames | rest  |
//! ```
//!
//! Any lane may get all that has collected, so each has room for all. A promise is of what a frame takes if it is flushed alone; together
//! they take no more ([`bytes_for`]).
//!
//! Invariants
//! - R1: in each lane there is ahead of what is written what is promised, and a block more (for a restart, W4). Room is taken off before the
//!   promises that it was for are; promises are made before room is looked at.
//!
//! The atomics come from the module's parent, so that a model can run this very file on others (see `room_model`).

use super::group::{BLOCK_BYTES, GROUP_HEADER_BYTES, PAYLOAD_BYTES_MAX};
use super::sync::{AtomicU64, Ordering};

/// Set aside in each lane.
pub(super) const RESTART_BYTES: u64 = BLOCK_BYTES as u64;

/// How much room there is, and what is promised of it.
#[derive(Debug)]
pub(super) struct Room {
    /// Bytes promised and not written.
    promised: AtomicU64,
    /// Bytes of room in each lane ahead of what is written.
    ahead: Box<[AtomicU64]>,
    /// A defect for tests of the tests: every promise counts as kept, if with nothing to spare (breaks R1).
    #[cfg(test)]
    pub(super) promises_all: std::sync::atomic::AtomicBool,
}

/// Bytes that were promised by [`Room::promise`]; kept if [`Room::keeps`] says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    pub(super) bytes: u64,
    /// All that was promised then, with it.
    total: u64,
}

/// The most bytes that `len` bytes of the stream take, in segments of a size.
///
/// A batch takes at most the sum over its parts: only the last group of a part ends in padding, all others end with the segment or are as long
/// as groups may be.
pub(super) fn bytes_for(len: usize, segment_bytes: u64) -> u64 {
    let payload_max = PAYLOAD_BYTES_MAX.min(segment_bytes as usize - GROUP_HEADER_BYTES);
    // One that ends with a segment, one that is shorter, and those between.
    let groups = 2 + 2 * (len / payload_max);
    ((len + groups * GROUP_HEADER_BYTES).div_ceil(BLOCK_BYTES) * BLOCK_BYTES) as u64
}

impl Room {
    /// No room yet.
    pub(super) fn new(lane_count: usize) -> Self {
        Self {
            promised: AtomicU64::new(0),
            ahead: (0..lane_count).map(|_| AtomicU64::new(0)).collect(),
            #[cfg(test)]
            promises_all: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Promises bytes, to be taken back with [`Room::take_back`] or [`Room::written`].
    pub(super) fn promise(&self, bytes: u64) -> Promise {
        Promise { bytes, total: self.promised.fetch_add(bytes, Ordering::AcqRel) + bytes }
    }

    /// Whether a promise is kept with so much to spare.
    pub(super) fn keeps(&self, promise: Promise, spare: u64) -> bool {
        #[cfg(test)]
        if spare == 0 && self.promises_all.load(Ordering::Relaxed) {
            return true;
        }
        // What was promised before it may be written, then both are less. Promises made since look for themselves.
        let needed = promise.total.min(self.promised.load(Ordering::Acquire));
        (0..self.ahead.len()).all(|lane| self.ahead(lane) >= needed + RESTART_BYTES + spare)
    }

    /// Takes back what was promised and is not needed.
    pub(super) fn take_back(&self, bytes: u64) {
        self.promised.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Room in a lane.
    pub(super) fn ahead(&self, lane: usize) -> u64 {
        self.ahead[lane].load(Ordering::Acquire)
    }

    /// Bytes that each lane should have ahead for all that is promised.
    pub(super) fn needed(&self) -> u64 {
        self.promised.load(Ordering::Acquire) + RESTART_BYTES
    }

    /// There is more room in a lane.
    pub(super) fn made(&self, lane: usize, bytes: u64) {
        self.ahead[lane].fetch_add(bytes, Ordering::AcqRel);
    }

    /// So many bytes were written in a lane, which were promised `promised`.
    pub(super) fn written(&self, lane: usize, bytes: u64, promised: u64) {
        self.ahead[lane].fetch_sub(bytes, Ordering::AcqRel);
        self.take_back(promised);
    }
}
