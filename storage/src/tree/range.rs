//! Ranges of index entries, and the way a scan goes through them.

use smallvec::SmallVec;
use std::ops::Bound;

/// A limit of a range; the usual key needs no allocation.
pub(super) type Limit = SmallVec<[u8; 64]>;

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending.
    Forward,
    /// Descending.
    Backward,
}

/// What is left of a range of entries; scans take from its start or its end.
///
/// Its limits are positions among entries, that is among key || row id, so a scan can stop and go on between two
/// entries of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Lowest position inside.
    pub(super) start: Limit,
    /// Lowest position above; `None` for no limit.
    pub(super) end: Option<Limit>,
    /// A scan has left a leaf behind, and goes on from there.
    pub(super) goes_on: bool,
}

impl KeyRange {
    fn new(start: Limit, end: Option<Limit>) -> Self {
        Self { start, end, goes_on: false }
    }

    /// Every entry.
    pub fn all() -> Self {
        Self::new(Limit::new(), None)
    }

    /// Entries whose key begins with `prefix`: a whole key, or the encoding of its first columns.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self::new(Limit::from_slice(prefix), successor(prefix))
    }

    /// Entries between two prefixes. `Included` takes every key that begins with the bound, `Excluded` none of them.
    pub fn between(low: Bound<&[u8]>, high: Bound<&[u8]>) -> Self {
        let start = match low {
            Bound::Unbounded => Some(Limit::new()),
            Bound::Included(low) => Some(Limit::from_slice(low)),
            Bound::Excluded(low) => successor(low),
        };
        let end = match high {
            Bound::Unbounded => None,
            Bound::Included(high) => successor(high),
            Bound::Excluded(high) => Some(Limit::from_slice(high)),
        };
        match start {
            Some(start) => Self::new(start, end),
            None => Self::new(Limit::new(), Some(Limit::new())),
        }
    }

    /// Whether no entry can be inside.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// Where whole keys begin that are inside, and where those begin that are above; of a range that no scan has taken from.
    pub fn limits(&self) -> (&[u8], Option<&[u8]>) {
        (&self.start, self.end.as_deref())
    }

    /// Leaves nothing in the range.
    pub(super) fn close(&mut self) {
        self.end = Some(self.start.clone());
    }
}

/// [`crate::key::prefix_successor`] as a limit.
fn successor(prefix: &[u8]) -> Option<Limit> {
    let keep = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut successor = Limit::from_slice(&prefix[..=keep]);
    successor[keep] += 1;
    Some(successor)
}
