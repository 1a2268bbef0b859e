//! Inserting many rows: those with consecutive ids go into the pages leaf by leaf, and take no version each.
//!
//! Rows are encoded first ([`Table::push_row`]) and then inserted together ([`Table::insert_rows`]). A *run* of them, whose ids go up one by one
//! and have no rows yet, takes one descent a leaf, a range in [`crate::births`] that says whose it is, and one entry in the list of what to
//! undo and in that of garbage. Whatever the rows violate is found in their order, as if each had been inserted alone.
//!
//! A table's own ids are always such runs. Where they are keys of the client's, a row whose place is taken, or just becoming free,
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

/// Rows that are to be inserted into one table.
#[derive(Debug, Default)]
pub struct NewRows {
    /// The encoded rows, one after the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Their ids, if keys are ids.
    ids: Vec<RowId>,
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

    /// Forgets them and keeps their memory.
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.ids.clear();
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
        rows.ids.extend(id);
        rows.ends.push(rows.bytes.len());
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
            rows.ids.extend(id);
            rows.ends.push(rows.bytes.len());
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
        new: &NewRows,
    ) -> Result<Vec<RowId>> {
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
        let is_checked_alone = relation.alias.is_some()
            && heap.indexes.load().iter().any(|index| index.unique && !index.deferrable);
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
        Self::atomically(txn, |txn| {
            let mut at = 0;
            while at < rows.len() {
                self.tend(&heap)?;
                let run = run_at(&ids[..rows.len()], at);
                let mut placed = 0;
                if !is_checked_alone {
                    placed = self.insert_run(txn, relation, &heap, ids[at], &rows[run])?;
                }
                if placed == 0 {
                    let none = &Arbiters::NONE;
                    self.insert_at(txn, relation, &heap, ids[at], rows[at], none)?;
                    placed = 1;
                }
                at += placed;
            }
            unwritable
        })?;
        Ok(ids)
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

/// The places from `at` on whose ids go up one by one.
fn run_at(ids: &[RowId], at: usize) -> Range<usize> {
    let steps = ids[at..].windows(2).take_while(|pair| pair[0].0.checked_add(1) == Some(pair[1].0));
    at..at + 1 + steps.count()
}
