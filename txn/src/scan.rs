//! Scans: rows in row-id order or in an index's order, a tile at a time.
//!
//! A scan visits one leaf at a time under its shared latch and holds nothing between leaves. Rows without versions go
//! from the page straight to the columns; for others the version table says what the view sees.
//!
//! An index entry tells no transaction. It is believed (the row has this key, and is visible) if it is not marked and its
//! row has no version, both seen under the index leaf's latch: changers push the version before they touch the index, and
//! rollbacks take the index back before they pop it. Every other entry is checked against the row as the view sees it.
//! Columns that the key gives back are read from it, and the row of an entry that is believed is not visited at all.

use crate::directory::{Heap, Index, index_of};
use crate::engine::Engine;
use crate::isolation::ReadView;
use crate::schema::{ColumnRange, Direction, KeyRange};
use crate::serializable::ReadSet;
use crate::serializable::reads::Place;
use crate::table::{ScanSpec, Table};
use damask_storage::key::{decode_key, encode_key_into};
use damask_storage::row::{ColumnGatherer, RowLayout};
use damask_storage::tree::{self, EntryFlags, RowFlags};
use damask_types::{Batch, ColumnIndex, Error, RelId, Result, RowId, TILE_ROWS, Value};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Rows of a scan's first tile. Each tile has [`TILE_GROWTH`] times the rows of the one before, [`TILE_ROWS`] at most, so that who
/// wants a few rows does not pay for a thousand.
const FIRST_TILE_ROWS: usize = 16;
const TILE_GROWTH: usize = 4;

/// A scan of a table; holds no latch between calls.
pub struct Scan {
    engine: Arc<Engine>,
    heap: Arc<Heap>,
    view: ReadView,
    gatherer: ColumnGatherer,
    tile_rows: usize,
    want_row_ids: bool,
    direction: Direction,
    /// Where to go on; `None` at the end.
    next: Option<RowId>,
    /// The row id of the range that is visited last.
    last: RowId,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("next", &self.next).finish_non_exhaustive()
    }
}

/// A range of row ids as its first and last; `None` if it is empty.
fn row_range(range: Option<(Bound<RowId>, Bound<RowId>)>) -> Option<(RowId, RowId)> {
    let (lower, upper) = range.unwrap_or((Bound::Unbounded, Bound::Unbounded));
    let first = match lower {
        Bound::Unbounded => RowId(0),
        Bound::Included(row) => row,
        Bound::Excluded(row) => RowId(row.0.checked_add(1)?),
    };
    let last = match upper {
        Bound::Unbounded => RowId(u64::MAX),
        Bound::Included(row) => row,
        Bound::Excluded(row) => RowId(row.0.checked_sub(1)?),
    };
    (first <= last).then_some((first, last))
}

impl Scan {
    pub(crate) fn new(table: &Table, view: ReadView, spec: ScanSpec) -> Result<Self> {
        let layout = table.relation.layout.load_full();
        let range = row_range(spec.row_range);
        if let (Some(reads), Some((first, last))) = (&view.reads, range) {
            let place = Place::Rows(first, last);
            reads.range(table.relation.rel, place, &spec.columns, &spec.conjuncts);
        }
        Ok(Self {
            engine: Arc::clone(&table.engine),
            heap: table.relation.heap.load_full(),
            view,
            gatherer: ColumnGatherer::new(&layout, &spec.columns)?,
            tile_rows: FIRST_TILE_ROWS,
            want_row_ids: spec.want_row_ids,
            direction: spec.direction,
            next: range.map(|(first, last)| match spec.direction {
                Direction::Forward => first,
                Direction::Backward => last,
            }),
            last: range.map_or(RowId(0), |(first, last)| match spec.direction {
                Direction::Forward => last,
                Direction::Backward => first,
            }),
        })
    }

    /// The next rows, at most a tile of them, with their ids if the spec wants them.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and lends nothing")]
    pub fn next(&mut self) -> Result<Option<(Batch, Vec<RowId>)>> {
        self.gatherer.set_tile_rows(self.tile_rows);
        let mut rows = Vec::new();
        if self.want_row_ids {
            rows.reserve(self.tile_rows);
        }
        self.tile_rows = TILE_ROWS.min(self.tile_rows * TILE_GROWTH);
        while let Some(from) = self.next
            && self.gatherer.room() > 0
        {
            self.next = match self.direction {
                Direction::Forward => self.visit_leaf(from, &mut rows)?,
                Direction::Backward => self.visit_leaf_backward(from, &mut rows)?,
            };
        }
        self.engine.stop.check()?;
        let count = self.gatherer.len();
        if count == 0 {
            return Ok(None);
        }
        Ok(Some((Batch::new(self.gatherer.finish()?, count), rows)))
    }

    /// Takes rows of one leaf from `from` on; says where to go on.
    fn visit_leaf(&mut self, from: RowId, rows: &mut Vec<RowId>) -> Result<Option<RowId>> {
        let Self { engine, heap, view, gatherer, want_row_ids, last, .. } = self;
        heap.tree.scan_leaf_runs(from, *last, |flags, ids, found| {
            if gatherer.room() == 0 {
                return Ok(0);
            }
            if flags == RowFlags::NONE {
                // Stretch by stretch of rows that are hidden together, or shown.
                let mut at = 0;
                while at < ids.len() {
                    let (is_hidden, last) = heap.births.hides_up_to(view, ids[at]);
                    let end = at + ids[at..].partition_point(|row| *row <= last);
                    if !is_hidden {
                        let taken = gatherer.push_rows(&found[at..end])?;
                        if *want_row_ids {
                            rows.extend_from_slice(&ids[at..at + taken]);
                        }
                        if taken < end - at {
                            return Ok(at + taken);
                        }
                    }
                    at = end;
                }
                return Ok(at);
            }
            for (i, (row, bytes)) in ids.iter().zip(found).enumerate() {
                if gatherer.room() == 0 {
                    return Ok(i);
                }
                let taken =
                    engine.resolve(view, heap, *row, flags, bytes, |row| gatherer.push(row))?;
                if taken.is_some() && *want_row_ids {
                    rows.push(*row);
                }
            }
            Ok(found.len())
        })
    }

    /// The same from `from` down.
    fn visit_leaf_backward(&mut self, from: RowId, rows: &mut Vec<RowId>) -> Result<Option<RowId>> {
        let Self { engine, heap, view, gatherer, want_row_ids, last, .. } = self;
        let next = heap.tree.scan_leaf_reverse(from, |row, flags, bytes| {
            if row < *last {
                return Ok(ControlFlow::Break(()));
            }
            let taken = engine.resolve(view, heap, row, flags, bytes, |row| gatherer.push(row))?;
            if taken.is_some() && *want_row_ids {
                rows.push(row);
            }
            Ok(if gatherer.room() == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(next.filter(|next| next >= last))
    }
}

/// A scan of an index; holds no latch between calls.
pub struct IndexScan {
    engine: Arc<Engine>,
    heap: Arc<Heap>,
    layout: Arc<RowLayout>,
    index: Arc<Index>,
    view: ReadView,
    columns: Vec<ColumnIndex>,
    /// Where in the key the columns are, if it gives all of them back.
    carried: Option<Vec<usize>>,
    gatherer: ColumnGatherer,
    tile_rows: usize,
    direction: Direction,
    range: tree::KeyRange,
    /// Of a hash index, the key that is looked for; others may have its hash.
    unhashed: Option<Vec<u8>>,
    is_done: bool,
    /// What a serializable transaction is to keep of it, until the first rows are asked for.
    unkept: Option<Unkept>,
    /// Entries read and not yet given out.
    entries: Vec<Entry>,
    /// Rows of those that the index does not tell all of.
    visited: Vec<RowId>,
    /// Keys of the entries that are checked or read, one after the other.
    keys: Vec<u8>,
}

/// A read of an index that was not kept yet.
struct Unkept {
    rel: RelId,
    reads: Arc<ReadSet>,
    conjuncts: Vec<ColumnRange>,
}

/// An index entry to be visited.
#[derive(Clone, Copy, Debug)]
struct Entry {
    row: RowId,
    /// The row is known to be visible, with this key.
    is_believed: bool,
    /// Where its key lies, if it is to be checked against the row or read.
    key: (usize, usize),
}

impl std::fmt::Debug for IndexScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexScan").field("index", &self.index.rel).finish_non_exhaustive()
    }
}

fn encode_bound(index: &Index, bound: &Bound<Vec<Value>>) -> Result<Bound<Vec<u8>>> {
    let encode = |values: &[Value]| {
        let mut key = Vec::new();
        index.encode(values, &mut key)?;
        Ok::<_, Error>(key)
    };
    Ok(match bound {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(values) => Bound::Included(encode(values)?),
        Bound::Excluded(values) => Bound::Excluded(encode(values)?),
    })
}

/// The key that a scan of a hash index looks for.
fn unhashed(index: &Index, range: &KeyRange) -> Result<Vec<u8>> {
    match (&range.lower, &range.upper) {
        (Bound::Included(lower), Bound::Included(upper)) if lower == upper && lower.len() == 1 => {
            let mut key = Vec::new();
            encode_key_into(&index.columns, lower, &mut key)?;
            Ok(key)
        }
        _ => Err(Error::internal("a hash index is asked for a range")),
    }
}

impl IndexScan {
    pub(crate) fn new(
        table: &Table,
        view: ReadView,
        index: RelId,
        range: &KeyRange,
        direction: Direction,
        columns: Vec<ColumnIndex>,
    ) -> Result<Self> {
        let heap = table.relation.heap.load_full();
        let layout = table.relation.layout.load_full();
        let index = heap.index(index)?;
        let unhashed = if index.hash { Some(unhashed(&index, range)?) } else { None };
        let lower = encode_bound(&index, &range.lower)?;
        let upper = encode_bound(&index, &range.upper)?;
        let as_slice = |bound: &Bound<Vec<u8>>| bound.clone();
        let range = tree::KeyRange::between(
            as_slice(&lower).as_ref().map(|key| &key[..]),
            as_slice(&upper).as_ref().map(|key| &key[..]),
        );
        let unkept = view.reads.as_ref().map(|reads| Unkept {
            rel: table.relation.rel,
            reads: Arc::clone(reads),
            conjuncts: Vec::new(),
        });
        Ok(Self {
            engine: Arc::clone(&table.engine),
            gatherer: ColumnGatherer::new(&layout, &columns)?,
            tile_rows: FIRST_TILE_ROWS,
            heap,
            layout,
            view,
            carried: index.carried(&columns),
            columns,
            direction,
            is_done: range.is_empty(),
            range,
            unkept,
            unhashed,
            index,
            entries: Vec::new(),
            visited: Vec::new(),
            keys: Vec::new(),
        })
    }

    /// Says what the caller does without, before the first rows are asked for: as [`ScanSpec::conjuncts`].
    pub fn set_conjuncts(&mut self, conjuncts: Vec<ColumnRange>) {
        if let Some(unkept) = &mut self.unkept {
            unkept.conjuncts = conjuncts;
        }
    }

    /// The next rows in index order, at most a tile of them, with their ids.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and lends nothing")]
    pub fn next(&mut self) -> Result<Option<(Batch, Vec<RowId>)>> {
        if let Some(Unkept { rel, reads, conjuncts }) = self.unkept.take() {
            let place = Place::Keys(Arc::clone(&self.index), self.range.clone());
            reads.range(rel, place, &self.columns, &conjuncts);
        }
        let mut rows = Vec::new();
        while rows.is_empty() && !self.is_done {
            self.read_entries()?;
            self.visit_rows(&mut rows)?;
        }
        self.engine.stop.check()?;
        if rows.is_empty() {
            return Ok(None);
        }
        let columns = if self.columns.is_empty() { Vec::new() } else { self.gatherer.finish()? };
        Ok(Some((Batch::new(columns, rows.len()), rows)))
    }

    /// Reads up to a tile of entries.
    fn read_entries(&mut self) -> Result<()> {
        let tile_rows = self.tile_rows;
        self.tile_rows = TILE_ROWS.min(tile_rows * TILE_GROWTH);
        self.gatherer.set_tile_rows(tile_rows);
        let Self {
            engine,
            heap,
            view,
            index,
            range,
            direction,
            entries,
            visited,
            keys,
            carried,
            is_done,
            ..
        } = self;
        let direction = (*direction).into();
        entries.clear();
        visited.clear();
        keys.clear();
        while !*is_done && entries.len() < tile_rows {
            let more = index.tree.scan_leaf(range, direction, |entry| {
                let is_believed = !entry.flags.has(EntryFlags::DELETE_MARK)
                    && !engine.has_versions(heap, entry.rowid)
                    && !heap.births.hides(view, entry.rowid);
                let start = keys.len();
                if !is_believed || carried.is_some() {
                    keys.extend_from_slice(entry.key);
                }
                if !is_believed || carried.is_none() {
                    visited.push(entry.rowid);
                }
                entries.push(Entry { row: entry.rowid, is_believed, key: (start, keys.len()) });
                Ok(if entries.len() == tile_rows {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
            *is_done = !more;
        }
        Ok(())
    }

    /// Takes the rows of the entries read that the view sees under these keys.
    fn visit_rows(&mut self, rows: &mut Vec<RowId>) -> Result<()> {
        let Self {
            engine,
            heap,
            layout,
            index,
            view,
            carried,
            gatherer,
            entries,
            visited,
            keys,
            unhashed,
            ..
        } = self;
        let needed = carried.iter().flatten().max().map_or(0, |last| last + 1);
        let mut found = Vec::new();
        let mut values = Vec::new();
        let mut reader = heap.tree.reader(visited);
        for entry in entries.iter() {
            let key = &keys[entry.key.0..entry.key.1];
            let is_taken = (entry.is_believed && carried.is_some())
                || engine.with_next_visible(&mut reader, view, heap, entry.row, |bytes| {
                    if !entry.is_believed {
                        index.key_of(layout, bytes, &mut found)?;
                        if found != key {
                            return Ok(false);
                        }
                    }
                    if let Some(unhashed) = unhashed {
                        index.unhashed_key_of(layout, bytes, &mut found)?;
                        if found != *unhashed {
                            return Ok(false);
                        }
                    }
                    if carried.is_none() {
                        gatherer.push(bytes)?;
                    }
                    Ok(true)
                })? == Some(true);
            if !is_taken {
                continue;
            }
            if let Some(places) = carried
                && needed > 0
            {
                values.clear();
                decode_key(&index.columns[..needed], key, &mut values)?;
                gatherer.push_values(places.iter().map(|place| &values[*place]))?;
            }
            rows.push(entry.row);
        }
        Ok(())
    }
}

impl Engine {
    /// Whether a row may have versions. False is certain for a caller that holds the latch of an index entry of the row.
    #[inline]
    fn has_versions(&self, heap: &Heap, row: RowId) -> bool {
        heap.counts.versions.load(Ordering::Acquire) > 0
            && self
                .versions
                .with(heap.id, row, |state| state.is_some_and(|state| !state.versions.is_empty()))
    }
}

/// Rows to look for, for [`Table::lookup`].
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// In this index; 0 is that of a table whose row id is its key, which has no storage.
    pub index: RelId,
    /// Their key, or the beginning of it; no part is null.
    pub key: &'a [Value],
    /// What is read of them.
    pub columns: &'a [ColumnIndex],
    /// Which comes first.
    pub direction: Direction,
    /// How many are likely to be taken, at least one: no more entries are read at first.
    pub wanted: usize,
}

impl<'a> Lookup<'a> {
    /// All rows of a key.
    pub const fn all(index: RelId, key: &'a [Value], columns: &'a [ColumnIndex]) -> Self {
        Self { index, key, columns, direction: Direction::Forward, wanted: usize::MAX }
    }
}

/// See [`Table::lookup`]. The entries of a leaf are taken under its latch, and their rows visited when it is let go.
pub(crate) fn lookup(
    table: &Table,
    view: &ReadView,
    lookup: &Lookup<'_>,
    values: &mut Vec<Value>,
    mut give: impl FnMut(RowId, &mut Vec<Value>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let Table { engine, relation } = table;
    let Lookup { index, key, columns, direction, mut wanted } = *lookup;
    let heap = relation.heap.load();
    let layout = relation.layout.load();
    let indexes = heap.indexes.load();
    let index = index_of(&indexes, index)?;
    let mut encoded = Vec::new();
    index.encode(key, &mut encoded)?;
    let mut unhashed = Vec::new();
    if index.hash {
        encode_key_into(&index.columns, key, &mut unhashed)?;
    }
    let mut range = tree::KeyRange::prefix(&encoded);
    if let Some(reads) = &view.reads {
        let place = Place::Keys(Arc::clone(index), range.clone());
        reads.range(table.relation.rel, place, columns, &[]);
    }
    let mut entries = smallvec::SmallVec::<[Entry; 4]>::new();
    let mut rows = smallvec::SmallVec::<[RowId; 4]>::new();
    // Keys of the entries that are checked, one after the other.
    let (mut keys, mut found) = (Vec::new(), Vec::new());
    let mut more = true;
    while more {
        entries.clear();
        rows.clear();
        keys.clear();
        more = index.tree.scan_leaf(&mut range, direction.into(), |entry| {
            let is_believed = !entry.flags.has(EntryFlags::DELETE_MARK)
                && !engine.has_versions(&heap, entry.rowid);
            let start = keys.len();
            if !is_believed {
                keys.extend_from_slice(entry.key);
            }
            rows.push(entry.rowid);
            entries.push(Entry { row: entry.rowid, is_believed, key: (start, keys.len()) });
            let is_enough = entries.len() >= wanted;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        wanted = wanted.saturating_mul(TILE_GROWTH);
        engine.stop.check()?;
        let mut reader = heap.tree.reader(&rows);
        for entry in &entries {
            let is_taken =
                engine.with_next_visible(&mut reader, view, &heap, entry.row, |bytes| {
                    if !entry.is_believed {
                        index.key_of(&layout, bytes, &mut found)?;
                        if found != keys[entry.key.0..entry.key.1] {
                            return Ok(false);
                        }
                    }
                    if index.hash {
                        index.unhashed_key_of(&layout, bytes, &mut found)?;
                        if found != unhashed {
                            return Ok(false);
                        }
                    }
                    layout.columns_into(bytes, columns, values)?;
                    Ok(true)
                })?;
            reader.let_go();
            if is_taken == Some(true) && give(entry.row, values)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EngineOptions, IndexDesc, IsolationLevel, KeyColumn, Location, RelationDesc};
    use damask_storage::Env;
    use damask_storage::vfs::SimVfs;
    use damask_types::{Numeric, SqlType, TypeId};

    /// The rows are taken out of the table behind the index's back: who still finds values did not look there.
    #[test]
    fn columns_that_the_key_gives_back_are_read_without_the_row() {
        let env = Env::simulated(Arc::new(SimVfs::default()), 1);
        let engine =
            Engine::open(env, Location::Memory, EngineOptions::default()).expect("it opens");
        let mut txn = engine.begin(IsolationLevel::ReadCommitted, false).expect("it begins");
        txn.begin_statement().expect("a statement begins");
        let types = [TypeId::Int4, TypeId::Text, TypeId::Numeric, TypeId::Int4];
        let index = IndexDesc {
            name: "t_all".to_owned(),
            keys: (0..4).map(|place| KeyColumn::ascending(ColumnIndex(place))).collect(),
            key_names: ["a", "b", "c", "d"].map(str::to_owned).into(),
            ..IndexDesc::default()
        };
        let columns = types.map(SqlType::plain).into();
        let desc = RelationDesc { columns, alias: None, ..RelationDesc::default() };
        let rel = txn.create_relation(desc).expect("a table is made");
        let index = txn.add_index(rel, index).expect("an index is made");
        let table = engine.table(rel).expect("the table is there");
        let one = Value::Numeric(Numeric::parse("1.50").expect("a number"));
        let row = [Value::Int4(7), Value::Null, one, Value::Int4(9)];
        let id = table.insert(&mut txn, &row).expect("a row is inserted");
        txn.commit().and_then(crate::CommitTicket::wait).expect("it commits");

        let mut txn = engine.begin(IsolationLevel::ReadCommitted, false).expect("it begins");
        txn.begin_statement().expect("a statement begins");
        let view = txn.view().expect("a view");
        let read = |places: &[u16]| {
            let columns = places.iter().copied().map(ColumnIndex).collect();
            let mut scan =
                table.index_scan(&view, index, KeyRange::all(), Direction::Forward, columns)?;
            let found = scan.next()?;
            Ok::<_, Error>(found.map(|(batch, rows)| {
                assert_eq!(rows, [id]);
                batch.columns.iter().map(|column| column.value(0)).collect::<Vec<_>>()
            }))
        };
        let whole = read(&[0, 1, 2, 3]).expect("the row is read");
        assert_eq!(whole.as_deref(), Some(&row[..]));
        let heap = table.relation.heap.load();
        assert!(heap.counts.versions.load(Ordering::Relaxed) == 0, "nothing is left to collect");
        assert!(heap.tree.remove(id).expect("the tree is sound"));
        let carried = read(&[1, 0]).expect("the key is read");
        assert_eq!(carried, Some(vec![Value::Null, Value::Int4(7)]));
        // A numeric's key does not tell its scale, and hides where the column behind it begins.
        assert_eq!(read(&[2]).expect("nothing is wrong"), None);
        assert_eq!(read(&[0, 3]).expect("nothing is wrong"), None);
    }
}
