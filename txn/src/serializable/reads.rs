//! What a serializable transaction has read.
//!
//! A read is a *place* (one row id, a range of row ids, a range of index keys), conjuncts that narrow it, and the columns
//! that were looked at. It would have come out otherwise if a row came into it or left it, or if one of the columns
//! differs in a row that stayed. Whatever is not known for certain counts as a difference.
//!
//! Invariants
//! - S1: a read is in the set before its first row is looked at.
//! - S2: the set is bounded: what is too much for it is taken for a read of the whole table.

use crate::directory::Index;
use crate::schema::ColumnRange;
use damask_storage::row::RowLayout;
use damask_storage::tree;
use damask_types::compare::compare;
use damask_types::{ColumnIndex, RelId, RowId, Value};
use hashbrown::HashMap;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::ops::Bound;
use std::sync::Arc;

/// Single rows of a table that are kept apart.
const ROWS_MAX: usize = 16 << 10;
/// Ranges of a table that are kept apart. Each is tested with each changed row.
const RANGES_MAX: usize = 1 << 10;
/// A longer value does not narrow a read; see S2.
const VALUE_BYTES_MAX: usize = 1 << 10;

/// A set of columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns(SmallVec<[u64; 2]>);

impl Columns {
    fn insert(&mut self, column: ColumnIndex) {
        let word = usize::from(column.0) / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (column.0 % 64);
    }

    fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    fn covers(&self, other: &Self) -> bool {
        other.0.iter().enumerate().all(|(i, word)| word & !self.0.get(i).unwrap_or(&0) == 0)
    }

    fn iter(&self) -> impl Iterator<Item = ColumnIndex> + '_ {
        self.0.iter().enumerate().flat_map(|(i, word)| {
            let bits = (0..64u16).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| ColumnIndex(i as u16 * 64 + bit))
        })
    }
}

impl<'a> FromIterator<&'a ColumnIndex> for Columns {
    fn from_iter<I: IntoIterator<Item = &'a ColumnIndex>>(columns: I) -> Self {
        let mut set = Self::default();
        columns.into_iter().for_each(|column| set.insert(*column));
        set
    }
}

/// Rows among which a read looked.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The first and the last row id.
    Rows(RowId, RowId),
    /// Keys of an index.
    Keys(Arc<Index>, tree::KeyRange),
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rows(first, last), Self::Rows(a, b)) => (first, last) == (a, b),
            (Self::Keys(index, range), Self::Keys(a, b)) => Arc::ptr_eq(index, a) && range == b,
            (Self::Rows(..), Self::Keys(..)) | (Self::Keys(..), Self::Rows(..)) => false,
        }
    }
}

/// Rows of a place for which the conjuncts hold.
#[derive(Debug, PartialEq)]
struct Range {
    place: Place,
    conjuncts: Vec<ColumnRange>,
    columns: Columns,
}

impl Range {
    /// Whether the read may have found a row that is `bytes`.
    fn has(&self, layout: &RowLayout, row: RowId, bytes: &[u8]) -> bool {
        let is_placed = match &self.place {
            Place::Rows(first, last) => (*first..=*last).contains(&row),
            Place::Keys(index, range) => {
                let mut key = Vec::new();
                match index.key_of(layout, bytes, &mut key) {
                    Ok(made) => made.is_indexed && range.contains(&key),
                    Err(_) => true,
                }
            }
        };
        is_placed && self.conjuncts.iter().all(|conjunct| may_hold(conjunct, layout, bytes))
    }
}

fn may_hold(conjunct: &ColumnRange, layout: &RowLayout, bytes: &[u8]) -> bool {
    let Ok(value) = layout.column(bytes, conjunct.column) else {
        return true;
    };
    if value.is_null() {
        return false;
    }
    let ty = layout.columns()[usize::from(conjunct.column.0)].ty.id;
    let order = |bound: &Value| compare(ty, &value, bound);
    let is_above = match &conjunct.lower {
        Bound::Unbounded => true,
        Bound::Included(bound) => order(bound).is_ge(),
        Bound::Excluded(bound) => order(bound).is_gt(),
    };
    let is_below = match &conjunct.upper {
        Bound::Unbounded => true,
        Bound::Included(bound) => order(bound).is_le(),
        Bound::Excluded(bound) => order(bound).is_lt(),
    };
    is_above && is_below
}

/// A change of a row, as a read is tested against it.
#[derive(Debug)]
pub(crate) struct RowChange {
    pub(crate) row: RowId,
    /// None if there was no row, and none if there is none any more.
    pub(crate) before: Option<Box<[u8]>>,
    pub(crate) after: Option<Box<[u8]>>,
}

impl RowChange {
    /// Whether a reader of these columns may tell one state from the other.
    fn differs_in(&self, columns: &Columns, layout: &RowLayout) -> bool {
        let (Some(before), Some(after)) = (&self.before, &self.after) else {
            return true;
        };
        columns.iter().any(|column| {
            match (layout.column(before, column), layout.column(after, column)) {
                (Ok(before), Ok(after)) => before != after,
                _ => true,
            }
        })
    }
}

/// Reads of one table.
#[derive(Debug, Default)]
struct Reads {
    /// Columns of all rows.
    whole: Option<Columns>,
    rows: HashMap<RowId, Columns>,
    ranges: Vec<Range>,
}

impl Reads {
    fn add_whole(&mut self, columns: &Columns) {
        self.whole.get_or_insert_default().add(columns);
    }

    fn is_covered(&self, columns: &Columns) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.covers(columns))
    }

    fn add_row(&mut self, row: RowId, columns: &Columns) {
        if self.is_covered(columns) {
            return;
        }
        self.rows.entry(row).or_default().add(columns);
        if self.rows.len() > ROWS_MAX {
            for (_, columns) in std::mem::take(&mut self.rows) {
                self.add_whole(&columns);
            }
        }
    }

    fn add_range(&mut self, range: Range) {
        // Loops read the same again and again.
        if self.is_covered(&range.columns) || self.ranges.last() == Some(&range) {
            return;
        }
        self.ranges.push(range);
        if self.ranges.len() > RANGES_MAX {
            for range in std::mem::take(&mut self.ranges) {
                self.add_whole(&range.columns);
            }
        }
    }

    fn is_touched(&self, layout: &RowLayout, change: &RowChange) -> bool {
        let differs = |columns: &Columns| change.differs_in(columns, layout);
        let touches = |range: &Range| {
            let has = |bytes: &Option<Box<[u8]>>| {
                bytes.as_deref().is_some_and(|bytes| range.has(layout, change.row, bytes))
            };
            match (has(&change.before), has(&change.after)) {
                (false, false) => false,
                (true, true) => differs(&range.columns),
                (true, false) | (false, true) => true,
            }
        };
        self.whole.as_ref().is_some_and(differs)
            || self.rows.get(&change.row).is_some_and(differs)
            || self.ranges.iter().any(touches)
    }
}

/// What a transaction has read. Its scans share it.
#[derive(Debug, Default)]
pub(crate) struct ReadSet(Mutex<HashMap<RelId, Reads>>);

impl ReadSet {
    /// Adds columns of one row, which may not be there.
    pub(crate) fn row(&self, rel: RelId, row: RowId, columns: &[ColumnIndex]) {
        self.0.lock().entry(rel).or_default().add_row(row, &columns.iter().collect());
    }

    /// Adds columns of the rows of a place for which the conjuncts hold.
    pub(crate) fn range(
        &self,
        rel: RelId,
        place: Place,
        columns: &[ColumnIndex],
        conjuncts: &[ColumnRange],
    ) {
        let mut columns: Columns = columns.iter().collect();
        if let Place::Keys(index, _) = &place {
            // Rows come in the order of their keys, which the reader may see.
            index.key_columns().for_each(|column| columns.insert(column));
        }
        let mut all = self.0.lock();
        let reads = all.entry(rel).or_default();
        let conjuncts: Vec<_> = conjuncts.iter().filter_map(ColumnRange::narrowing).collect();
        match place {
            Place::Rows(first, last) if first == last => reads.add_row(first, &columns),
            Place::Rows(RowId(0), RowId(u64::MAX)) if conjuncts.is_empty() => {
                reads.add_whole(&columns);
            }
            place => reads.add_range(Range { place, conjuncts, columns }),
        }
    }

    /// Whether anything of this table was read.
    pub(crate) fn has(&self, rel: RelId) -> bool {
        self.0.lock().contains_key(&rel)
    }

    /// Whether a change of a row may have changed what was read.
    pub(crate) fn is_touched(&self, rel: RelId, layout: &RowLayout, change: &RowChange) -> bool {
        self.0.lock().get(&rel).is_some_and(|reads| reads.is_touched(layout, change))
    }
}

impl ColumnRange {
    /// The range as it is kept: without bounds that are too long. None if nothing is left of it.
    fn narrowing(&self) -> Option<Self> {
        let bound = |bound: &Bound<Value>| {
            let (Bound::Included(value) | Bound::Excluded(value)) = bound else {
                return Bound::Unbounded;
            };
            let is_short = match value {
                Value::Text(text) => text.len() <= VALUE_BYTES_MAX,
                Value::Bytes(bytes) => bytes.len() <= VALUE_BYTES_MAX,
                value => !value.is_null() && !matches!(value, Value::Array(_)),
            };
            if is_short { bound.clone() } else { Bound::Unbounded }
        };
        let (lower, upper) = (bound(&self.lower), bound(&self.upper));
        let is_open = matches!((&lower, &upper), (Bound::Unbounded, Bound::Unbounded));
        (!is_open).then_some(Self { column: self.column, lower, upper })
    }
}
