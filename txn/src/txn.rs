//! A transaction.

use crate::{IndexDesc, Interrupt, IsolationLevel, ReadView, RelationDesc, SequenceSpec};
use damask_types::{ColumnIndex, Error, RelId, Result, SqlType, TxnId, Value};
use std::sync::Arc;

/// PostgreSQL's table lock modes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableLock {
    /// ACCESS SHARE: SELECT.
    AccessShare,
    /// ROW SHARE: SELECT FOR UPDATE and the like.
    RowShare,
    /// ROW EXCLUSIVE: INSERT, UPDATE, DELETE.
    RowExclusive,
    /// SHARE UPDATE EXCLUSIVE: ANALYZE, CREATE INDEX CONCURRENTLY.
    ShareUpdateExclusive,
    /// SHARE: CREATE INDEX.
    Share,
    /// SHARE ROW EXCLUSIVE: CREATE TRIGGER, foreign keys.
    ShareRowExclusive,
    /// EXCLUSIVE.
    Exclusive,
    /// ACCESS EXCLUSIVE: ALTER TABLE, DROP, TRUNCATE.
    AccessExclusive,
}

/// What a relation lock is held on: any number the callers agree on, usually a relation's OID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockTag(pub u64);

/// A point that a transaction can be rolled back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint {
    pub(crate) undo: usize,
    pub(crate) redo: usize,
}

/// A transaction; rolled back if dropped while open.
#[derive(Debug)]
pub struct Txn {}

impl Txn {
    /// Its id.
    pub fn id(&self) -> TxnId {
        TxnId(0)
    }

    /// Its level.
    pub fn isolation(&self) -> IsolationLevel {
        IsolationLevel::ReadCommitted
    }

    /// Whether it may not write (25006 is raised by the session layer, and by `insert` and its like).
    pub fn is_read_only(&self) -> bool {
        false
    }

    /// Whether it has written anything.
    pub fn has_writes(&self) -> bool {
        false
    }

    /// Sets what its waits poll.
    pub fn set_interrupt(&mut self, _interrupt: Arc<dyn Interrupt>) {}

    /// Begins a statement: READ COMMITTED takes a new snapshot, and changes made so far become visible to the transaction.
    pub fn begin_statement(&mut self) -> Result<()> {
        Err(Error::unsupported("statement"))
    }

    /// What the current statement sees.
    pub fn view(&self) -> Result<ReadView> {
        Err(Error::unsupported("snapshot"))
    }

    /// Marks a point to come back to. Statement-level atomicity is a savepoint before each statement.
    pub fn savepoint(&mut self) -> Savepoint {
        Savepoint { undo: 0, redo: 0 }
    }

    /// Undoes everything since `savepoint`, which stays valid; later ones do not.
    pub fn rollback_to(&mut self, _savepoint: Savepoint) -> Result<()> {
        Err(Error::unsupported("ROLLBACK TO"))
    }

    /// Forgets a savepoint; its changes stay. Costs nothing.
    pub fn release(&mut self, _savepoint: Savepoint) {}

    /// Makes the changes visible; they are acknowledged when the ticket says so.
    pub fn commit(self) -> Result<CommitTicket> {
        Err(Error::unsupported("COMMIT"))
    }

    /// Undoes the changes.
    pub fn rollback(self) -> Result<()> {
        Err(Error::unsupported("ROLLBACK"))
    }

    /// Makes a table. In a new database relations (tables, indexes, sequences) are numbered from 1 in the order they are made.
    pub fn create_relation(&mut self, _desc: RelationDesc) -> Result<RelId> {
        Err(Error::unsupported("CREATE TABLE"))
    }

    /// Drops a table with its indexes. The caller holds ACCESS EXCLUSIVE.
    pub fn drop_relation(&mut self, _rel: RelId) -> Result<()> {
        Err(Error::unsupported("DROP TABLE"))
    }

    /// Empties a table (for every snapshot, as PostgreSQL does). The caller holds ACCESS EXCLUSIVE.
    pub fn truncate(&mut self, _rel: RelId) -> Result<()> {
        Err(Error::unsupported("TRUNCATE"))
    }

    /// Makes an index and fills it. The caller holds at least SHARE.
    ///
    /// # Errors
    /// 23505 `could not create unique index "NAME"` with the duplicate in the detail.
    pub fn add_index(&mut self, _rel: RelId, _desc: IndexDesc) -> Result<RelId> {
        Err(Error::unsupported("CREATE INDEX"))
    }

    /// Drops an index. The caller holds ACCESS EXCLUSIVE on the table.
    pub fn drop_index(&mut self, _rel: RelId, _index: RelId) -> Result<()> {
        Err(Error::unsupported("DROP INDEX"))
    }

    /// Changes the names an index uses in errors.
    pub fn rename_index(
        &mut self,
        _rel: RelId,
        _index: RelId,
        _name: String,
        _key_names: Vec<String>,
    ) -> Result<()> {
        Err(Error::unsupported("ALTER INDEX"))
    }

    /// Adds columns at the end: `columns` are all the columns, `missing` what older rows hold in each (by position; null
    /// where nothing else was said). No row is rewritten. Existing columns keep their types; a dropped column stays.
    /// The caller holds ACCESS EXCLUSIVE.
    pub fn set_columns(
        &mut self,
        _rel: RelId,
        _columns: Vec<SqlType>,
        _missing: Vec<Value>,
    ) -> Result<()> {
        Err(Error::unsupported("ALTER TABLE"))
    }

    /// Makes a sequence.
    pub fn create_sequence(&mut self, _spec: &SequenceSpec) -> Result<RelId> {
        Err(Error::unsupported("CREATE SEQUENCE"))
    }

    /// Drops a sequence.
    pub fn drop_sequence(&mut self, _rel: RelId) -> Result<()> {
        Err(Error::unsupported("DROP SEQUENCE"))
    }

    /// Locks a relation until the transaction ends, waiting for conflicting holders and for waiters before it.
    ///
    /// # Errors
    /// 40P01 on a deadlock, whatever the interrupt says, 55P03 if `wait` is false and the lock is not free.
    pub fn lock_relation(&mut self, _tag: LockTag, _lock: TableLock, _wait: bool) -> Result<()> {
        Err(Error::unsupported("LOCK TABLE"))
    }

    /// The columns of a table that take part in a key (alias, unique index): changing none takes the weaker row lock.
    pub fn key_columns(&self, _rel: RelId) -> Result<Vec<ColumnIndex>> {
        Err(Error::unsupported("key columns"))
    }
}

/// A commit that is decided and perhaps not yet durable.
#[derive(Debug)]
#[must_use = "a commit may be acknowledged only after `wait`"]
pub struct CommitTicket {}

impl CommitTicket {
    /// Waits until the commit is durable.
    ///
    /// # Errors
    /// 58030 if the log could not be written: whether the commit survives is then unknown, and the database has stopped.
    pub fn wait(self) -> Result<()> {
        Err(Error::unsupported("waiting for a commit"))
    }

    /// Whether `wait` would return at once.
    pub fn is_durable(&self) -> bool {
        false
    }
}
