//! Masks: one bit for each row of a tile.

use crate::TILE_ROWS;

/// Words in a mask.
pub const MASK_WORDS: usize = TILE_ROWS / 64;

/// A set of rows of one tile: row `i` is bit `i % 64` of word `i / 64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The bits. Bits at and past a tile's row count are zero unless a method says otherwise.
    pub words: [u64; MASK_WORDS],
}

impl Mask {
    /// No row.
    pub const NONE: Self = Self { words: [0; MASK_WORDS] };

    /// The first `rows` rows.
    pub fn first(rows: usize) -> Self {
        debug_assert!(rows <= TILE_ROWS, "a tile has at most TILE_ROWS rows");
        let mut words = [0; MASK_WORDS];
        words[..rows / 64].fill(u64::MAX);
        if !rows.is_multiple_of(64) {
            words[rows / 64] = (1 << (rows % 64)) - 1;
        }
        Self { words }
    }

    /// The rows for which `test` holds, of the first `rows`.
    #[inline]
    pub fn from_fn(rows: usize, mut test: impl FnMut(usize) -> bool) -> Self {
        let mut mask = Self::NONE;
        for word in 0..rows.div_ceil(64) {
            let base = word * 64;
            let mut bits = 0;
            for bit in 0..(rows - base).min(64) {
                bits |= u64::from(test(base + bit)) << bit;
            }
            mask.words[word] = bits;
        }
        mask
    }

    /// Whether row `i` is in.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    /// Puts row `i` in or takes it out.
    #[inline]
    pub fn set(&mut self, i: usize, value: bool) {
        let bit = 1 << (i % 64);
        if value {
            self.words[i / 64] |= bit;
        } else {
            self.words[i / 64] &= !bit;
        }
    }

    /// How many rows are in.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no row is in.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// Rows in both.
    pub fn and(&self, other: &Self) -> Self {
        Self { words: std::array::from_fn(|i| self.words[i] & other.words[i]) }
    }

    /// Rows in either.
    pub fn or(&self, other: &Self) -> Self {
        Self { words: std::array::from_fn(|i| self.words[i] | other.words[i]) }
    }

    /// Rows in `self` that are not in `other`.
    pub fn and_not(&self, other: &Self) -> Self {
        Self { words: std::array::from_fn(|i| self.words[i] & !other.words[i]) }
    }

    /// The rows, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(word, &bits)| {
            std::iter::successors((bits != 0).then_some(bits), |bits| {
                let rest = bits & (bits - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |bits| word * 64 + bits.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_iter_agree() {
        for rows in [0, 1, 63, 64, 65, 1000, TILE_ROWS] {
            let mask = Mask::first(rows);
            assert_eq!(mask.count(), rows);
            assert!(mask.iter().eq(0..rows));
            assert_eq!(mask, Mask::from_fn(rows, |_| true));
        }
        assert!(Mask::from_fn(130, |i| i % 64 == 1).iter().eq([1, 65, 129]));
    }
}
