//! Inserting many rows: those with consecutive ids go into the pages leaf by leaf, and take no version each.
//!
//! Rows are encoded first ([`Table::push_row`]) and then inserted together ([`Table::insert_rows`]). A *run* of them, whose ids go up one by one
//! and have no rows yet, takes one descent a leaf, a range in [`crate::births`] that says whose it is, and one entry in the list of what to
//! undo and in that of garbage. Whatever the rows violate is found in their order, as if each had been inserted alone.
//!
//! A table's own ids are always such runs. Where they are keys of the client's, rows that come in no order are inserted in that of their keys, since
//! neighbours share a leaf; only if they violate something, they are tried in their own. A row whose place is taken, or just becoming free,
//! goes the way of a single row ([`crate::write`]), and so do all rows of a table with a further unique key: a place that is taken before the
//! keys of the rows before it are known to be free might make two transactions wait for each other.

use crate::directory::{Heap, Relation};
use crate::engine::Engine;
use crate::schema::AliasKey;
use crate::table::Table;
use crate::txn::{Txn, Undo};
use crate::upsert::Arbiters;
use damask_storage::tree::RowFlags;
use damask_types::{Result, RowId, Value, Vector};
use std::ops::Range;
use std::sync::Arc;

/// Between so many rows one looks whether the statement is to stop.
const ROWS_PER_LOOK: usize = 1024;

/// Rows that are inserted together take one part of this many of the pool, so that few pages become dirty between two looks at how many are.
const RUN_PART: usize = 256;

/// Rows that are to be inserted into one table.
#[derive(Debug, Default)]
pub struct NewRows {
    /// The encoded rows, one after the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Their ids, if keys are ids.
    ids: Vec<RowId>,
    /// Whether these do not go up.
    is_scattered: bool,
    /// Which one failed last, if that is known.
    failed: Option<usize>,
}

/// Rows of a heap that a command inserted, without versions; all ids from the first to the last are there.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) heap: Arc<Heap>,
    pub(crate) first: RowId,
    pub(crate) last: RowId,
}

impl NewRows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..]) + size_of_val(&self.ids[..])
    }

    /// Whether their keys are ids and come in no order: the more of them are inserted together, the fewer pages are visited for each.
    pub fn is_scattered(&self) -> bool {
        self.is_scattered
    }

    /// If [`Table::insert_rows`] failed: how many rows came before the one that did, if that is known.
    pub fn failed(&self) -> Option<usize> {
        self.failed
    }

    /// The row whose bytes were put behind the others is whole.
    fn end_row(&mut self, id: Option<RowId>) {
        self.is_scattered |= id.is_some() && self.ids.last() > id.as_ref();
        self.ids.extend(id);
        self.ends.push(self.bytes.len());
    }

    /// Forgets them and keeps their memory.
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.ids.clear();
        self.is_scattered = false;
    }

    fn rows(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]).collect()
    }
}

impl Table {
    /// Adds a row, one value for each column, or leaves `rows` as they were if that fails.
    ///
    /// # Errors
    /// 54000 when the row is too large.
    pub fn push_row(&self, rows: &mut NewRows, values: &[Value]) -> Result<()> {
        let alias = self.relation.alias.as_ref();
        let id = alias.map(|alias| alias.row(values)).transpose()?;
        self.relation.layout.load().append(values, &mut rows.bytes)?;
        rows.end_row(id);
        Ok(())
    }

    /// Adds rows `from` of vectors, one for each column, up to the first that cannot be added; what has no vector is null.
    ///
    /// # Errors
    /// As [`Table::push_row`].
    pub fn push_rows(
        &self,
        rows: &mut NewRows,
        vectors: &[Option<&Vector>],
        from: Range<usize>,
    ) -> Result<()> {
        let layout = self.relation.layout.load();
        for row in from {
            let key = |alias: &AliasKey| {
                let vector = vectors.get(usize::from(alias.column.0)).copied().flatten();
                AliasKey::row_of(vector.map(|vector| vector.value(row)).as_ref())
            };
            let id = self.relation.alias.as_ref().map(key).transpose()?;
            layout.append_row(vectors, row, &mut rows.bytes)?;
            rows.end_row(id);
        }
        Ok(())
    }

    /// Inserts the rows, in their order, and empties `rows`; returns their ids. All or none of them are there afterwards.
    ///
    /// # Errors
    /// As for [`Table::insert`].
    pub fn insert_rows(&self, txn: &mut Txn, rows: &mut NewRows) -> Result<Vec<RowId>> {
        let inserted = self.engine.insert_rows(txn, &self.relation, rows);
        rows.clear();
        inserted
    }
}

impl Engine {
    fn insert_rows(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        new: &mut NewRows,
    ) -> Result<Vec<RowId>> {
        new.failed = None;
        if new.is_empty() {
            return Ok(Vec::new());
        }
        txn.begin_change()?;
        txn.expect();
        let heap = relation.heap.load_full();
        let ids: Vec<RowId> = if relation.alias.is_some() {
            new.ids.clone()
        } else {
            let first = heap.allocate_rows(new.len() as u64);
            (first..).take(new.len()).map(RowId).collect()
        };
        let is_scattered = new.is_scattered;
        let mut rows = new.rows();
        // Of a row that cannot be written nothing may be there, and what those before it violate comes first.
        let mut unwritable = Ok(());
        if heap.indexes.load().iter().any(|index| index.program.is_some()) {
            let layout = relation.layout.load();
            let check = |row: &[u8]| Self::check_programs(&heap, &layout, row).err();
            let failing = rows.iter().enumerate().find_map(|(i, row)| Some((i, check(row)?)));
            if let Some((i, error)) = failing {
                rows.truncate(i);
                unwritable = Err(error);
            }
        }
        if is_scattered && unwritable.is_ok() {
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by_key(|&i| ids[i]);
            let sorted_ids: Vec<RowId> = order.iter().map(|&i| ids[i]).collect();
            let sorted_rows: Vec<&[u8]> = order.iter().map(|&i| rows[i]).collect();
            let mut at = 0;
            let inserted = Self::atomically(txn, |txn| {
                self.insert_all(txn, relation, &heap, &sorted_ids, &sorted_rows, &mut at)
            });
            match inserted {
                // Which one violates it depends on their order.
                Err(error) if error.sqlstate().is_integrity_violation() => {}
                inserted => return inserted.map(|()| ids),
            }
        }
        let mut failed = 0;
        let inserted = Self::atomically(txn, |txn| {
            self.insert_all(txn, relation, &heap, &ids[..rows.len()], &rows, &mut failed)?;
            unwritable
        });
        new.failed = inserted.is_err().then_some(failed);
        inserted.map(|()| ids)
    }

    /// Inserts rows in their order, whose ids are these; `at` says how far it came.
    fn insert_all(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        ids: &[RowId],
        rows: &[&[u8]],
        at: &mut usize,
    ) -> Result<()> {
        let is_checked_alone = relation.alias.is_some()
            && heap.indexes.load().iter().any(|index| index.unique && !index.deferrable);
        let mut looked_at = 0;
        while *at < rows.len() {
            if *at - looked_at >= ROWS_PER_LOOK {
                looked_at = *at;
                txn.interrupt.check()?;
            }
            self.before_change(heap)?;
            let run = run_at(ids, rows, *at, self.options.pool_bytes / RUN_PART);
            let mut placed = 0;
            if !is_checked_alone {
                placed = self.insert_run(txn, relation, heap, ids[*at], &rows[run])?;
            }
            if placed == 0 {
                self.insert_at(txn, relation, heap, ids[*at], rows[*at], &Arbiters::NONE)?;
                placed = 1;
            }
            *at += placed;
        }
        Ok(())
    }

    /// Inserts rows whose ids go up one by one from `first`, up to the first whose place is not free. Returns how many.
    fn insert_run(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        first: RowId,
        rows: &[&[u8]],
    ) -> Result<usize> {
        let placed = self.place_run(txn, relation, heap, first, rows)?;
        let ids = (0..placed as u64).map(|i| RowId(first.0 + i));
        for (row, bytes) in ids.clone().zip(&rows[..placed]) {
            txn.redo.insert(relation.rel, row, bytes);
        }
        // After the rows are there (see [`crate::build`]).
        let indexes = heap.indexes.load();
        if !indexes.is_empty() {
            let layout = relation.layout.load();
            for (row, bytes) in ids.zip(&rows[..placed]) {
                self.before_change(heap)?;
                for index in indexes.iter() {
                    self.add_entry(txn, heap, &layout, index, row, bytes)?;
                }
            }
        }
        Ok(placed)
    }

    /// Puts rows whose ids go up one by one from `first` into the pages, up to the first whose place is not free. Returns how many. Those
    /// that are there when it fails are noted to be undone.
    fn place_run(
        &self,
        txn: &mut Txn,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        first: RowId,
        rows: &[&[u8]],
    ) -> Result<usize> {
        let _gate = self.enter();
        let mut placed = 0;
        let mut result = Ok(());
        while placed < rows.len() {
            match Self::place_some(txn, heap, RowId(first.0 + placed as u64), &rows[placed..]) {
                Ok(0) => break,
                Ok(count) => placed += count,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if placed > 0 {
            let bytes: usize = rows[..placed].iter().map(|row| row.len()).sum();
            heap.count(placed as i64, bytes as i64);
            let run =
                Run { heap: Arc::clone(heap), first, last: RowId(first.0 + (placed as u64 - 1)) };
            txn.undo.push(Undo::Run { relation: Arc::clone(relation), run });
        }
        result.map(|()| placed)
    }

    /// Puts rows into one leaf, one at least if the place of the first is free. Each is in a range before it is there (B3 of
    /// [`crate::births`]).
    fn place_some(txn: &Txn, heap: &Heap, first: RowId, rows: &[&[u8]]) -> Result<usize> {
        let (births, cell, command) = (&heap.births, &txn.cell, txn.command);
        let placed = heap.tree.insert_run(first, rows, |count| {
            births.add(first, RowId(first.0 + (count as u64 - 1)), cell, command);
        })?;
        if placed > 0 {
            return Ok(placed);
        }
        // The leaf is full, the row is long, or its place is taken.
        let mut is_added = false;
        let is_placed = heap.tree.modify(first, |slot| {
            is_added = slot.current().is_none();
            if is_added {
                births.add(first, first, cell, command);
                slot.put(rows[0], RowFlags::NONE);
            }
            Ok(is_added)
        });
        if is_placed.is_err() && is_added {
            births.exclude(first);
        }
        is_placed.map(usize::from)
    }
}

/// The places from `at` on whose ids go up one by one: at most [`ROWS_PER_LOOK`], and no more than `bytes_max` if it is several.
fn run_at(ids: &[RowId], rows: &[&[u8]], at: usize, bytes_max: usize) -> Range<usize> {
    let ends = ids.len().min(at + ROWS_PER_LOOK);
    let mut bytes = rows[at].len();
    let steps = (at + 1..ends).take_while(|&next| {
        bytes += rows[next].len();
        bytes <= bytes_max && ids[next - 1].0.checked_add(1) == Some(ids[next].0)
    });
    at..at + 1 + steps.count()
}
