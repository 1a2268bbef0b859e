//! Tables: rows by id, by scan and by index, and their changes.

use crate::directory::Relation;
use crate::horizon::Horizon;
use crate::runs::NewRows;
use crate::scan;
use crate::{
    ColumnRange, Direction, Engine, IndexScan, KeyRange, Lookup, ReadView, Scan, TableEngine, Txn,
};
use damask_storage::PageCodec;
use damask_types::{Batch, ColumnIndex, Error, RelId, Result, RowId, SqlType, Value};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A handle on a table's storage; cheap to get and to share.
#[derive(Debug)]
pub struct Table {
    pub(crate) engine: Arc<Engine>,
    pub(crate) relation: Arc<Relation>,
}

/// What a scan reads.
#[derive(Clone, Debug)]
pub struct ScanSpec {
    /// Columns of the batches, in this order.
    pub columns: Vec<ColumnIndex>,
    /// The row ids to visit; all if `None`. Morsels are ranges of [`Table::row_bounds`].
    pub row_range: Option<(Bound<RowId>, Bound<RowId>)>,
    /// In which order of row ids.
    pub direction: Direction,
    /// Whether `next` says the rows' ids.
    pub want_row_ids: bool,
    /// What the caller will do without: rows for which one of these does not hold. The scan gives them all the same; a serializable
    /// transaction does not mind when others change them.
    pub conjuncts: Vec<ColumnRange>,
}

impl ScanSpec {
    /// A scan of the whole table.
    pub fn new(columns: Vec<ColumnIndex>) -> Self {
        Self {
            columns,
            row_range: None,
            direction: Direction::Forward,
            want_row_ids: false,
            conjuncts: Vec::new(),
        }
    }

    /// The same, with row ids.
    pub fn with_row_ids(mut self) -> Self {
        self.want_row_ids = true;
        self
    }
}

/// What came of an update or a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum WriteOutcome {
    /// Done.
    Done,
    /// READ COMMITTED: another transaction changed the row after our snapshot. It has this id now (another one if its alias
    /// key was changed), and we hold its lock; read it with [`Table::latest`], test the predicate again, and call
    /// [`Table::update_latest`] or [`Table::delete_latest`].
    Changed(RowId),
    /// READ COMMITTED: another transaction deleted the row after our snapshot.
    Gone,
    /// An earlier command of this transaction changed it after our view was taken, or this command did already.
    SelfModified,
}

/// Row lock strengths, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowLock {
    /// FOR KEY SHARE: the key must not change (foreign keys).
    KeyShare,
    /// FOR SHARE.
    Share,
    /// FOR NO KEY UPDATE: what an UPDATE of no key column takes.
    NoKeyUpdate,
    /// FOR UPDATE: what DELETE and an UPDATE of a key column take.
    Update,
}

/// What to do when a row is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wait {
    /// Wait.
    #[default]
    Wait,
    /// NOWAIT: 55P03 `could not obtain lock on row in relation ...` (the caller adds the name).
    NoWait,
    /// SKIP LOCKED.
    Skip,
}

/// What came of locking a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum LockOutcome {
    /// Locked, and the row is as our snapshot shows it.
    Locked,
    /// READ COMMITTED: locked, but another transaction changed it after our snapshot; it has this id now. See
    /// [`Table::latest`].
    Changed(RowId),
    /// READ COMMITTED: another transaction deleted it.
    Gone,
    /// Somebody holds it and `Wait::Skip` was asked for.
    Skipped,
    /// An earlier command of this transaction (after our view was taken) changed or deleted it.
    SelfModified,
}

impl Table {
    /// The storage it is a handle on.
    pub fn rel(&self) -> RelId {
        self.relation.rel
    }

    /// Types of the columns, dropped ones included.
    pub fn columns(&self) -> Vec<SqlType> {
        self.relation.layout.load().columns().iter().map(|column| column.ty).collect()
    }

    /// The smallest and the largest row id in use, for cutting morsels; `None` when there are no rows.
    pub fn row_bounds(&self) -> Result<Option<(RowId, RowId)>> {
        let heap = self.relation.heap.load();
        let Some(last) = heap.tree.max_rowid()? else {
            return Ok(None);
        };
        let mut first = None;
        let mut from = Some(RowId(0));
        while let Some(start) = from.filter(|_| first.is_none()) {
            from = heap.tree.scan_leaf(start, |row, _, _| {
                first = Some(row);
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(first.map(|first| (first, last)))
    }

    /// Rows in the table, roughly and at once (for the planner).
    pub fn row_count_estimate(&self) -> u64 {
        self.relation.heap.load().counts.rows.load(Ordering::Relaxed).max(0) as u64
    }

    /// Pages in the table, roughly.
    pub fn page_count_estimate(&self) -> u64 {
        let heap = self.relation.heap.load();
        let bytes = heap.counts.bytes.load(Ordering::Relaxed).max(0) as u64;
        let slots = heap.counts.rows.load(Ordering::Relaxed).max(0) as u64 * 8;
        (bytes + slots).div_ceil(self.engine.store.pool().page_bytes() as u64)
    }

    /// Whether its rows take so much that the buffer pool may not keep them all: more than half of it.
    pub fn outgrows_pool(&self) -> bool {
        self.stored_bytes() > self.engine.pool_bytes() as u64 / 2
    }

    /// Bytes that the table's rows have in the file: of its row trees with the pages of long rows, as they are stored.
    /// Pages that were never written count whole; old versions that a checkpoint keeps do not count.
    pub fn stored_bytes(&self) -> u64 {
        let heap = self.relation.heap.load();
        let pool = self.engine.store.pool();
        heap.tree.ids().into_iter().map(|tree| pool.tree_bytes(tree)).sum()
    }

    /// The same of one of its indexes.
    ///
    /// # Errors
    /// XX000 if the table has no such index.
    pub fn index_stored_bytes(&self, index: RelId) -> Result<u64> {
        let index = self.relation.heap.load().index(index)?;
        Ok(self.engine.store.pool().tree_bytes(index.tree.id()))
    }

    /// What compresses its pages and those of its indexes.
    pub fn codec(&self) -> PageCodec {
        self.engine.codec(&self.relation.heap.load())
    }

    /// What its rows are kept in.
    pub fn kind(&self) -> TableEngine {
        self.relation.heap.load().engine()
    }

    /// The columns of a row, if the view sees it.
    pub fn get(
        &self,
        view: &ReadView,
        row: RowId,
        columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        let relation = &self.relation;
        if let Some(reads) = &view.reads {
            reads.row(relation.rel, row, columns);
        }
        self.engine.get_row(view, &relation.heap.load(), &relation.layout.load(), row, columns)
    }

    /// The row id that an alias key stands for.
    pub fn alias_row(key: i64) -> RowId {
        RowId(key as u64 ^ 1 << 63)
    }

    /// The alias key of a row id.
    pub fn alias_key(row: RowId) -> i64 {
        (row.0 ^ 1 << 63) as i64
    }

    /// The newest committed version, or our own change, of a row that `txn` has locked or changed.
    pub fn latest(
        &self,
        txn: &Txn,
        row: RowId,
        columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        self.engine.newest(txn, &self.relation, row, columns)
    }

    /// Starts a scan in the order of row ids.
    pub fn scan(&self, view: &ReadView, spec: ScanSpec) -> Result<Scan> {
        Scan::new(self, view.clone(), spec)
    }

    /// Starts a scan of an index; `next` gives rows in its order.
    pub fn index_scan(
        &self,
        view: &ReadView,
        index: RelId,
        range: KeyRange,
        direction: Direction,
        columns: Vec<ColumnIndex>,
    ) -> Result<IndexScan> {
        IndexScan::new(self, view.clone(), index, &range, direction, columns)
    }

    /// The row whose key in the unique index `index` is `key` (all key columns, none null).
    pub fn index_get(
        &self,
        view: &ReadView,
        index: RelId,
        key: &[Value],
        columns: &[ColumnIndex],
    ) -> Result<Option<(RowId, Vec<Value>)>> {
        let mut found = None;
        let lookup = Lookup::all(index, key, columns);
        self.lookup(view, &lookup, &mut Vec::new(), |row, values| {
            found = Some((row, std::mem::take(values)));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Calls `give` with the id and the columns of each row that the view sees and that is looked for, in the index's order, until it
    /// breaks off. Nothing is latched meanwhile. `values` is room for a row's columns.
    ///
    /// For keys that few rows have: nothing but `give` looks for cancellation.
    pub fn lookup(
        &self,
        view: &ReadView,
        lookup: &Lookup<'_>,
        values: &mut Vec<Value>,
        mut give: impl FnMut(RowId, &mut Vec<Value>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if lookup.index != RelId(0) {
            return scan::lookup(self, view, lookup, values, give);
        }
        if let Some(row) = lookup.key[0].as_i64().map(Self::alias_row)
            && self.read(view, row, lookup.columns, values)?
        {
            let _ = give(row, values)?;
        }
        Ok(())
    }

    /// Reads the columns of a row into `values`, if the view sees it; says whether it does.
    fn read(
        &self,
        view: &ReadView,
        row: RowId,
        columns: &[ColumnIndex],
        values: &mut Vec<Value>,
    ) -> Result<bool> {
        let Self { engine, relation } = self;
        let layout = relation.layout.load();
        if let Some(reads) = &view.reads {
            reads.row(relation.rel, row, columns);
        }
        let seen = engine.with_visible(view, &relation.heap.load(), row, |bytes| {
            layout.columns_into(bytes, columns, values)
        })?;
        engine.stop.check()?;
        Ok(seen.is_some())
    }

    /// Inserts a row: one value for each column. Waits for a transaction that is inserting or deleting an equal unique key.
    ///
    /// Undoes itself when it fails.
    ///
    /// # Errors
    /// 23505 on a duplicate key; 40P01; 54000 when a row or key is too large.
    pub fn insert(&self, txn: &mut Txn, values: &[Value]) -> Result<RowId> {
        let bytes = self.relation.layout.load().encode(values)?;
        self.engine.insert_row(txn, &self.relation, values, &bytes)
    }

    /// Inserts the selected rows of a batch with a column for each of the table's; returns their ids.
    ///
    /// All or none of them are there afterwards.
    pub fn insert_batch(&self, txn: &mut Txn, batch: &Batch) -> Result<Vec<RowId>> {
        if batch.columns.len() != self.relation.layout.load().column_count() {
            return Err(Error::internal("a batch to insert lacks columns of its table"));
        }
        let mut rows = NewRows::default();
        let mut values = Vec::with_capacity(batch.columns.len());
        for i in batch.active().iter() {
            values.clear();
            values.extend(batch.columns.iter().map(|column| column.value(i)));
            self.push_row(&mut rows, &values)?;
        }
        self.insert_rows(txn, &mut rows)
    }

    /// Sets columns of a row that the statement's view sees.
    ///
    /// Changing the column of an alias key moves the row: it is deleted and inserted under another id.
    ///
    /// # Errors
    /// 40001 at REPEATABLE READ when another transaction changed it since; 23505; 40P01.
    pub fn update(
        &self,
        txn: &mut Txn,
        row: RowId,
        changes: &[(ColumnIndex, Value)],
    ) -> Result<WriteOutcome> {
        let seen = txn.view_ref()?.horizon.clone();
        self.engine.update_row(txn, &self.relation, row, changes, &seen)
    }

    /// Sets columns of the newest version of a row, after `Changed` has given us its lock.
    ///
    /// # Errors
    /// As for `update`.
    pub fn update_latest(
        &self,
        txn: &mut Txn,
        row: RowId,
        changes: &[(ColumnIndex, Value)],
    ) -> Result<WriteOutcome> {
        self.engine.update_row(txn, &self.relation, row, changes, &Horizon::ALL)
    }

    /// Deletes a row that the statement's view sees.
    ///
    /// # Errors
    /// As for `update`.
    pub fn delete(&self, txn: &mut Txn, row: RowId) -> Result<WriteOutcome> {
        let seen = txn.view_ref()?.horizon.clone();
        self.engine.delete_row(txn, &self.relation, row, &seen)
    }

    /// Deletes the newest version of a row, after `Changed` has given us its lock.
    ///
    /// # Errors
    /// As for `update`.
    pub fn delete_latest(&self, txn: &mut Txn, row: RowId) -> Result<WriteOutcome> {
        self.engine.delete_row(txn, &self.relation, row, &Horizon::ALL)
    }

    /// Locks a row until the transaction ends.
    ///
    /// # Errors
    /// 40001 at REPEATABLE READ when another transaction changed it since; 55P03 with `Wait::NoWait`; 40P01.
    pub fn lock_row(
        &self,
        txn: &mut Txn,
        row: RowId,
        lock: RowLock,
        wait: Wait,
    ) -> Result<LockOutcome> {
        let seen = txn.view_ref()?.horizon.clone();
        self.engine.lock_row(txn, &self.relation, row, lock, wait, &seen)
    }

    /// Locks a row that `view` shows, which need not be the statement's: `Changed`, `Gone` and 40001 are then about what
    /// happened after `view`.
    ///
    /// # Errors
    /// As for `lock_row`.
    pub fn lock_row_of(
        &self,
        txn: &mut Txn,
        view: &ReadView,
        row: RowId,
        lock: RowLock,
        wait: Wait,
    ) -> Result<LockOutcome> {
        self.engine.lock_row(txn, &self.relation, row, lock, wait, &view.horizon)
    }
}
