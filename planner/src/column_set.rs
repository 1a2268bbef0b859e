//! Sets of columns as bitmaps: plans ask "which columns" all the time, and ids are small and dense.

use crate::expr::ColumnId;
use smallvec::SmallVec;

/// A set of [`ColumnId`]s.
#[derive(Clone, Debug, Default)]
pub struct ColumnSet(SmallVec<[u64; 4]>);

impl ColumnSet {
    /// Puts a column in.
    pub fn insert(&mut self, column: ColumnId) {
        let word = column.0 as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (column.0 % 64);
    }

    /// Whether a column is in.
    pub fn contains(&self, column: ColumnId) -> bool {
        self.0.get(column.0 as usize / 64).is_some_and(|word| word >> (column.0 % 64) & 1 == 1)
    }

    /// Whether every column of `other` is in.
    pub fn contains_all(&self, other: &Self) -> bool {
        other
            .0
            .iter()
            .enumerate()
            .all(|(i, &word)| word & !self.0.get(i).copied().unwrap_or(0) == 0)
    }

    /// Whether the sets share a column.
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Adds every column of `other`.
    pub fn union(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// Takes every column of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= !other;
        }
    }

    /// Whether no column is in.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// How many columns are in.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The columns in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ColumnId> + '_ {
        self.0.iter().enumerate().flat_map(|(i, &word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| ColumnId(i as u32 * 64 + bit))
        })
    }
}

impl FromIterator<ColumnId> for ColumnSet {
    fn from_iter<I: IntoIterator<Item = ColumnId>>(columns: I) -> Self {
        let mut set = Self::default();
        set.extend(columns);
        set
    }
}

impl Extend<ColumnId> for ColumnSet {
    fn extend<I: IntoIterator<Item = ColumnId>>(&mut self, columns: I) {
        for column in columns {
            self.insert(column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_operations() {
        let a: ColumnSet = [1, 70, 300].map(ColumnId).into_iter().collect();
        let b: ColumnSet = [70, 5].map(ColumnId).into_iter().collect();
        assert!(a.contains(ColumnId(300)) && !a.contains(ColumnId(2)) && a.intersects(&b));
        let mut c = a.clone();
        c.union(&b);
        assert!(c.contains_all(&a) && c.contains_all(&b) && c.len() == 4 && !b.contains_all(&c));
        c.subtract(&a);
        assert_eq!(c.iter().collect::<Vec<_>>(), [ColumnId(5)]);
        assert!(!c.is_empty() && ColumnSet::default().is_empty());
    }
}
