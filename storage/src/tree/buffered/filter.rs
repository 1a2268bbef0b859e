//! A blocked Bloom filter of row ids: "surely not there" or "perhaps there".
//!
//! A row id's bits are all in one block of a cache line, so a look costs one miss (Putze, Sanders, Singler: "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007). With [`BITS_A_ROW`] bits a row about one answer in eighty is a false "perhaps".
//!
//! A filter grows by parts, each for eight times the rows of the one before, so that small tables take little memory. A look asks
//! all parts. Rows are added while others look: a look says nothing of rows that are being added meanwhile. A part that the governor grants
//! no memory for leaves the filter full: it says "perhaps" of every row.

use crate::governor::{Governor, Purpose};
use damask_types::RowId;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

const BITS_A_ROW: usize = 10;
/// Bits that a row sets in its block.
const PROBES: u32 = 6;
const BLOCK_WORDS: usize = 8;
const BLOCK_BITS: usize = BLOCK_WORDS * 64;
/// Rows that the first part is for.
const FIRST_ROWS: u64 = 4096;
/// Each part is for so many times the rows of the one before.
const GROWTH: u64 = 8;
const PARTS_MAX: usize = 8;

/// A set of row ids that may take in some more than were added.
pub(super) struct Filter {
    /// Nothing in a part for which there was no memory.
    parts: [OnceLock<Option<Box<[AtomicU64]>>>; PARTS_MAX],
    memory: Arc<Governor>,
    /// Rows added.
    rows: AtomicU64,
    /// Most rows that it takes.
    rows_max: u64,
    /// Whether rows may be in the set that were not added.
    is_open: AtomicBool,
}

/// Rows that a filter of so many bytes is for.
pub(super) const fn rows_in(bytes: usize) -> u64 {
    (bytes * 8 / BITS_A_ROW) as u64
}

/// Zeros for so many rows, whole blocks of them; none if there is no memory.
fn words(rows: u64, memory: &Governor) -> Option<Box<[AtomicU64]>> {
    let count = (rows as usize * BITS_A_ROW).div_ceil(BLOCK_BITS) * BLOCK_WORDS;
    let is_granted = memory.try_take(Purpose::Pages, count * size_of::<AtomicU64>());
    is_granted.then(|| (0..count).map(|_| AtomicU64::new(0)).collect())
}

/// Stafford's mix of a word's bits (variant 13), the end of SplitMix64.
fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// Where a row's bits are.
#[derive(Clone, Copy)]
struct Place {
    block: u64,
    bits: u64,
}

impl Place {
    fn of(row: RowId) -> Self {
        let block = mix(row.0);
        // Not the bits that choose the block.
        Self { block, bits: mix(block ^ 0x9e37_79b9_7f4a_7c15) }
    }

    /// The row's block in a part.
    fn block(self, words: &[AtomicU64]) -> &[AtomicU64] {
        let blocks = words.len() / BLOCK_WORDS;
        let block = ((u128::from(self.block) * blocks as u128) >> 64) as usize;
        &words[block * BLOCK_WORDS..][..BLOCK_WORDS]
    }

    /// The words of its bits in the block, and the bits.
    fn bits(self) -> impl Iterator<Item = (usize, u64)> {
        (0..PROBES).map(move |probe| {
            let bit = (self.bits >> (probe * BLOCK_BITS.trailing_zeros())) as usize % BLOCK_BITS;
            (bit / 64, 1 << (bit % 64))
        })
    }

    fn is_in(self, words: &[AtomicU64]) -> bool {
        let block = self.block(words);
        self.bits().all(|(word, bit)| block[word].load(Ordering::Relaxed) & bit != 0)
    }
}

impl Filter {
    /// An empty set that takes at most so many rows; with more, it says "perhaps" of every row.
    pub(super) fn new(rows_max: u64, memory: Arc<Governor>) -> Self {
        Self {
            parts: [const { OnceLock::new() }; PARTS_MAX],
            memory,
            rows: AtomicU64::new(0),
            rows_max,
            is_open: AtomicBool::new(false),
        }
    }

    /// Says that there may be rows that were not added.
    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// Says that all rows are added. It does not help if they were too many.
    pub(super) fn close(&self) {
        let is_full = self.rows.load(Ordering::Relaxed) > self.rows_max;
        self.is_open.store(is_full, Ordering::Release);
    }

    /// Whether it says "perhaps" of every row.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Adds a row.
    pub(super) fn add(&self, row: RowId) {
        let place = Place::of(row);
        if self.has(place) {
            return;
        }
        let mut rows = self.rows.fetch_add(1, Ordering::Relaxed);
        if rows >= self.rows_max {
            self.open();
            return;
        }
        let mut size = FIRST_ROWS;
        for (i, part) in self.parts.iter().enumerate() {
            if rows < size || i + 1 == PARTS_MAX {
                let Some(words) = part.get_or_init(|| words(size, &self.memory)) else {
                    self.rows.fetch_max(self.rows_max + 1, Ordering::Relaxed);
                    self.open();
                    return;
                };
                let block = place.block(words);
                for (word, bit) in place.bits() {
                    block[word].fetch_or(bit, Ordering::Relaxed);
                }
                return;
            }
            (rows, size) = (rows - size, size * GROWTH);
        }
    }

    fn has(&self, place: Place) -> bool {
        self.parts.iter().map_while(OnceLock::get).flatten().any(|part| place.is_in(part))
    }

    /// Whether the row may have been added.
    pub(super) fn may_have(&self, row: RowId) -> bool {
        self.is_open() || self.has(Place::of(row))
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        let words = self.parts.iter().map_while(OnceLock::get).flatten();
        let bytes = words.map(|words| size_of_val(&**words)).sum();
        self.memory.give_back(Purpose::Pages, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_and_few_others() {
        for rows in [0, 100, FIRST_ROWS, 200_000] {
            let filter = Filter::new(200_000, Arc::default());
            for row in 0..rows {
                filter.add(RowId(row << 20));
            }
            assert!((0..rows).all(|row| filter.may_have(RowId(row << 20))));
            let wrong = (0..100_000).filter(|row| filter.may_have(RowId(row << 20 | 1))).count();
            assert!(wrong < 4000, "{wrong} of 100,000 with {rows} rows");
        }
    }

    #[test]
    fn a_filter_that_does_not_know_says_perhaps() {
        let filter = Filter::new(10, Arc::default());
        for row in 0..10 {
            filter.add(RowId(row));
        }
        assert!(!filter.may_have(RowId(77)));
        filter.open();
        assert!(filter.may_have(RowId(77)));
        filter.close();
        assert!(!filter.may_have(RowId(77)));
        for row in 0..12 {
            filter.add(RowId(row * 1000));
        }
        filter.close();
        assert!(filter.may_have(RowId(77)), "it is full");
    }
    #[test]
    fn without_memory_a_filter_says_perhaps() {
        // Enough for the first part, and not for the second.
        let memory = Arc::new(Governor::new(20_000));
        let filter = Filter::new(1_000_000, Arc::clone(&memory));
        for row in 0..FIRST_ROWS {
            filter.add(RowId(row));
        }
        let held = memory.held(Purpose::Pages);
        assert!(held > 5000 && !filter.is_open(), "{held}");
        // Some of them were taken for rows that were there already.
        for row in FIRST_ROWS..2 * FIRST_ROWS {
            filter.add(RowId(row));
        }
        assert_eq!(memory.held(Purpose::Pages), held);
        filter.close();
        assert!(filter.may_have(RowId(u64::MAX)), "it does not know");
        drop(filter);
        assert_eq!(memory.total(), 0);
    }
}
