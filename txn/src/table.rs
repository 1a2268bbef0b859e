//! Tables: rows by id, by scan and by index, and their changes.

use crate::{Direction, KeyRange, ReadView, Txn};
use damask_types::{Batch, ColumnIndex, Error, RelId, Result, RowId, SqlType, Value};
use std::ops::Bound;

/// A handle on a table's storage; cheap to get and to share.
#[derive(Debug)]
pub struct Table {
    rel: RelId,
}

/// What a scan reads.
#[derive(Clone, Debug)]
pub struct ScanSpec {
    /// Columns of the batches, in this order.
    pub columns: Vec<ColumnIndex>,
    /// The row ids to visit; all if `None`. Morsels are ranges of [`Table::row_bounds`].
    pub row_range: Option<(Bound<RowId>, Bound<RowId>)>,
    /// Whether `next` says the rows' ids.
    pub want_row_ids: bool,
}

impl ScanSpec {
    /// A scan of the whole table.
    pub fn new(columns: Vec<ColumnIndex>) -> Self {
        Self { columns, row_range: None, want_row_ids: false }
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
    /// READ COMMITTED: another transaction changed the row after our snapshot. We hold its lock now; read it with
    /// [`Table::latest`], test the predicate again, and call again to change the newest version.
    Changed,
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
    /// READ COMMITTED: locked, but another transaction changed it after our snapshot; see [`Table::latest`].
    Changed,
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
        self.rel
    }

    /// Types of the columns, the newest layout's.
    pub fn columns(&self) -> Vec<SqlType> {
        Vec::new()
    }

    /// The smallest and the largest row id in use, for cutting morsels; `None` when there are no rows.
    pub fn row_bounds(&self) -> Result<Option<(RowId, RowId)>> {
        Err(Error::unsupported("row bounds"))
    }

    /// Rows in the table, roughly and at once (for the planner).
    pub fn row_count_estimate(&self) -> u64 {
        0
    }

    /// Pages in the table, roughly.
    pub fn page_count_estimate(&self) -> u64 {
        0
    }

    /// The columns of a row, if the view sees it.
    pub fn get(
        &self,
        _view: &ReadView,
        _row: RowId,
        _columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        Err(Error::unsupported("reading a row"))
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
        _txn: &Txn,
        _row: RowId,
        _columns: &[ColumnIndex],
    ) -> Result<Option<Vec<Value>>> {
        Err(Error::unsupported("reading a row"))
    }

    /// Starts a scan in row-id order.
    pub fn scan(&self, _view: &ReadView, _spec: ScanSpec) -> Result<Scan> {
        Err(Error::unsupported("scanning"))
    }

    /// Starts a scan of an index; `next` gives rows in its order.
    pub fn index_scan(
        &self,
        _view: &ReadView,
        _index: RelId,
        _range: KeyRange,
        _direction: Direction,
        _columns: Vec<ColumnIndex>,
    ) -> Result<IndexScan> {
        Err(Error::unsupported("scanning an index"))
    }

    /// The row whose key in the unique index `index` is `key` (all key columns, none null).
    pub fn index_get(
        &self,
        _view: &ReadView,
        _index: RelId,
        _key: &[Value],
        _columns: &[ColumnIndex],
    ) -> Result<Option<(RowId, Vec<Value>)>> {
        Err(Error::unsupported("reading an index"))
    }

    /// Inserts a row: one value for each column. Waits for a transaction that is inserting or deleting an equal unique key.
    ///
    /// Undoes itself when it fails.
    ///
    /// # Errors
    /// 23505 on a duplicate key; 40P01; 54000 when a row or key is too large.
    pub fn insert(&self, _txn: &mut Txn, _values: &[Value]) -> Result<RowId> {
        Err(Error::unsupported("INSERT"))
    }

    /// Inserts the selected rows of a batch with a column for each of the table's; returns their ids.
    pub fn insert_batch(&self, _txn: &mut Txn, _batch: &Batch) -> Result<Vec<RowId>> {
        Err(Error::unsupported("INSERT"))
    }

    /// Sets columns of a row that the statement's view sees (or whose newest version we have locked).
    ///
    /// Changing the column of an alias key moves the row: use `delete` and `insert` (the executor does), or call this,
    /// which does the same.
    ///
    /// # Errors
    /// 40001 at REPEATABLE READ when another transaction changed it since; 23505; 40P01.
    pub fn update(
        &self,
        _txn: &mut Txn,
        _row: RowId,
        _changes: &[(ColumnIndex, Value)],
    ) -> Result<WriteOutcome> {
        Err(Error::unsupported("UPDATE"))
    }

    /// Deletes a row that the statement's view sees (or whose newest version we have locked).
    ///
    /// # Errors
    /// As for `update`.
    pub fn delete(&self, _txn: &mut Txn, _row: RowId) -> Result<WriteOutcome> {
        Err(Error::unsupported("DELETE"))
    }

    /// Locks a row until the transaction ends.
    ///
    /// # Errors
    /// 40001 at REPEATABLE READ when another transaction changed it since; 55P03 with `Wait::NoWait`; 40P01.
    pub fn lock_row(
        &self,
        _txn: &mut Txn,
        _row: RowId,
        _lock: RowLock,
        _wait: Wait,
    ) -> Result<LockOutcome> {
        Err(Error::unsupported("SELECT FOR UPDATE"))
    }
}

/// A scan of a table; holds no latch between calls.
#[derive(Debug)]
pub struct Scan {}

impl Scan {
    /// The next rows, at most a tile of them, with their ids if the spec wants them.
    pub fn next(&mut self) -> Result<Option<(Batch, Vec<RowId>)>> {
        Err(Error::unsupported("scanning"))
    }
}

/// A scan of an index; holds no latch between calls.
#[derive(Debug)]
pub struct IndexScan {}

impl IndexScan {
    /// The next rows in index order, at most a tile of them, with their ids.
    pub fn next(&mut self) -> Result<Option<(Batch, Vec<RowId>)>> {
        Err(Error::unsupported("scanning an index"))
    }
}
