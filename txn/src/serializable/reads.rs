//! What a serializable transaction has read.
//!
//! A read is a *place* (one row id, a range of row ids, a range of index keys), conjuncts that narrow it, and the columns
//! that were looked at. It would have come out otherwise if a row came into it or left it, or if one of the columns
//! differs in a row that stayed. Whatever is not known for certain counts as a difference.
//!
//! Invariants
//! - S1: a read is in the set before its first row is looked at.
//! - S2: the set is bounded: what is too much for it is taken for a read of the whole table.

use super::intervals::Intervals;
use crate::directory::Index;
use crate::schema::ColumnRange;
use damask_storage::row::RowLayout;
use damask_storage::tree;
use damask_types::compare::compare;
use damask_types::{ColumnIndex, RelId, RowId, Value};
use hashbrown::HashMap;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

/// Rows and ranges of a table that are kept apart.
const PLACES_MAX: usize = 16 << 10;
/// Reads of a table with conjuncts that are kept apart. Each is tested with each changed row.
const NARROWED_MAX: usize = 1 << 10;
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

/// Places that were read in the same columns.
#[derive(Debug)]
enum Layer {
    /// Ranges of row ids.
    Rows(Columns, Intervals<u64>),
    /// Ranges of keys of an index.
    Keys(Columns, Arc<Index>, Intervals<Vec<u8>>),
}

impl Layer {
    fn new(place: &Place, columns: Columns) -> Self {
        match place {
            Place::Rows(..) => Self::Rows(columns, Intervals::default()),
            Place::Keys(index, _) => Self::Keys(columns, Arc::clone(index), Intervals::default()),
        }
    }

    fn columns(&self) -> &Columns {
        match self {
            Self::Rows(columns, _) | Self::Keys(columns, ..) => columns,
        }
    }

    /// Adds a place if it is of this kind.
    fn add(&mut self, place: &Place) -> bool {
        match (self, place) {
            (Self::Rows(_, intervals), Place::Rows(first, last)) => {
                intervals.add(first.0, last.0.checked_add(1));
                true
            }
            (Self::Keys(_, own, intervals), Place::Keys(index, range))
                if Arc::ptr_eq(own, index) =>
            {
                let (start, end) = range.limits();
                intervals.add(start.to_vec(), end.map(<[u8]>::to_vec));
                true
            }
            (Self::Rows(..) | Self::Keys(..), _) => false,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Rows(_, intervals) => intervals.len(),
            Self::Keys(_, _, intervals) => intervals.len(),
        }
    }

    /// Whether a row that is `bytes` may be in one of the places.
    fn has(&self, layout: &RowLayout, row: RowId, bytes: &[u8]) -> bool {
        match self {
            Self::Rows(_, intervals) => intervals.contains(&row.0),
            Self::Keys(_, index, intervals) => {
                let mut key = Vec::new();
                match index.key_of(layout, bytes, &mut key) {
                    Ok(made) => made.is_indexed && intervals.contains(&key[..]),
                    Err(_) => true,
                }
            }
        }
    }
}

/// A place of which only the rows for which the conjuncts hold were read.
#[derive(Debug)]
struct Narrowed {
    place: Layer,
    conjuncts: Vec<ColumnRange>,
}

impl Narrowed {
    /// Whether the read may have found a row that is `bytes`.
    fn has(&self, layout: &RowLayout, row: RowId, bytes: &[u8]) -> bool {
        self.conjuncts.iter().all(|conjunct| may_hold(conjunct, layout, bytes))
            && self.place.has(layout, row, bytes)
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
    // None if the bound is no value of the column's type after all: then nothing is known.
    let order = |bound: &Value| {
        let is_same = std::mem::discriminant(bound) == std::mem::discriminant(&value);
        is_same.then(|| compare(ty, &value, bound))
    };
    let is_above = match &conjunct.lower {
        Bound::Unbounded => true,
        Bound::Included(bound) => order(bound).is_none_or(Ordering::is_ge),
        Bound::Excluded(bound) => order(bound).is_none_or(Ordering::is_gt),
    };
    let is_below = match &conjunct.upper {
        Bound::Unbounded => true,
        Bound::Included(bound) => order(bound).is_none_or(Ordering::is_le),
        Bound::Excluded(bound) => order(bound).is_none_or(Ordering::is_lt),
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
    layers: Vec<Layer>,
    narrowed: Vec<Narrowed>,
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
        if self.rows.len() > PLACES_MAX {
            for (_, columns) in std::mem::take(&mut self.rows) {
                self.add_whole(&columns);
            }
        }
    }

    fn add_place(&mut self, place: &Place, columns: Columns) {
        if self.is_covered(&columns) {
            return;
        }
        let is_added =
            self.layers.iter_mut().any(|layer| *layer.columns() == columns && layer.add(place));
        if !is_added {
            let mut layer = Layer::new(place, columns);
            layer.add(place);
            self.layers.push(layer);
        }
        if self.layers.iter().map(Layer::len).sum::<usize>() > PLACES_MAX {
            for layer in std::mem::take(&mut self.layers) {
                self.add_whole(layer.columns());
            }
        }
    }

    fn add_narrowed(&mut self, place: &Place, conjuncts: Vec<ColumnRange>, columns: Columns) {
        let is_known =
            |known: &Narrowed| known.conjuncts == conjuncts && *known.place.columns() == columns;
        if self.is_covered(&columns) {
            return;
        }
        // Loops read the same again and again.
        if let Some(last) = self.narrowed.last_mut().filter(|last| is_known(last))
            && last.place.add(place)
        {
            return;
        }
        let mut layer = Layer::new(place, columns);
        layer.add(place);
        self.narrowed.push(Narrowed { place: layer, conjuncts });
        if self.narrowed.len() > NARROWED_MAX {
            for narrowed in std::mem::take(&mut self.narrowed) {
                self.add_whole(narrowed.place.columns());
            }
        }
    }

    fn is_touched(&self, layout: &RowLayout, change: &RowChange) -> bool {
        let differs = |columns: &Columns| change.differs_in(columns, layout);
        // A row came into what was read, left it, or is another in a column that was looked at.
        let touches = |columns: &Columns, has: &dyn Fn(&[u8]) -> bool| {
            let had = change.before.as_deref().is_some_and(has);
            let has = change.after.as_deref().is_some_and(has);
            if had && has { differs(columns) } else { had || has }
        };
        self.whole.as_ref().is_some_and(differs)
            || self.rows.get(&change.row).is_some_and(differs)
            || self.layers.iter().any(|layer| {
                touches(layer.columns(), &|bytes| layer.has(layout, change.row, bytes))
            })
            || self.narrowed.iter().any(|read| {
                touches(read.place.columns(), &|bytes| read.has(layout, change.row, bytes))
            })
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
            place if conjuncts.is_empty() => reads.add_place(&place, columns),
            place => reads.add_narrowed(&place, conjuncts, columns),
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
