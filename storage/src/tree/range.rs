//! Ranges of index entries, and the way a scan goes through them.

use crate::key::prefix_successor;
use std::ops::Bound;

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
    pub(super) start: Vec<u8>,
    /// Lowest position above; `None` for no limit.
    pub(super) end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every entry.
    pub fn all() -> Self {
        Self { start: Vec::new(), end: None }
    }

    /// Entries whose key begins with `prefix`: a whole key, or the encoding of its first columns.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { start: prefix.to_vec(), end: prefix_successor(prefix) }
    }

    /// Entries between two prefixes. `Included` takes every key that begins with the bound, `Excluded` none of them.
    pub fn between(low: Bound<&[u8]>, high: Bound<&[u8]>) -> Self {
        let start = match low {
            Bound::Unbounded => Some(Vec::new()),
            Bound::Included(low) => Some(low.to_vec()),
            Bound::Excluded(low) => prefix_successor(low),
        };
        let end = match high {
            Bound::Unbounded => None,
            Bound::Included(high) => prefix_successor(high),
            Bound::Excluded(high) => Some(high.to_vec()),
        };
        match start {
            Some(start) => Self { start, end },
            None => Self { start: Vec::new(), end: Some(Vec::new()) },
        }
    }

    /// Whether no entry can be inside.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// Leaves nothing in the range.
    pub(super) fn close(&mut self) {
        self.end = Some(self.start.clone());
    }
}
