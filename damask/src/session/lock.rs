//! `LOCK TABLE`.
//!
//! A view is locked with everything it reads, in the same mode, as PostgreSQL does; what is not there and what cannot be
//! locked is told without a position.

use super::Session;
use damask_catalog::object::{Relation, RelationKind};
use damask_sql::ast;
use damask_txn::{LockTag, TableLock};
use damask_types::{Error, Oid, Result, SqlState};
use std::sync::Arc;

fn mode(mode: ast::TableLockMode) -> TableLock {
    match mode {
        ast::TableLockMode::AccessShare => TableLock::AccessShare,
        ast::TableLockMode::RowShare => TableLock::RowShare,
        ast::TableLockMode::RowExclusive => TableLock::RowExclusive,
        ast::TableLockMode::ShareUpdateExclusive => TableLock::ShareUpdateExclusive,
        ast::TableLockMode::Share => TableLock::Share,
        ast::TableLockMode::ShareRowExclusive => TableLock::ShareRowExclusive,
        ast::TableLockMode::Exclusive => TableLock::Exclusive,
        ast::TableLockMode::AccessExclusive => TableLock::AccessExclusive,
    }
}

fn cannot_lock(name: &str, kind: &str) -> Error {
    Error::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot lock relation \"{name}\""))
        .detail(format!("This operation is not supported for {kind}."))
}

impl Session {
    pub(super) fn lock_tables(&mut self, lock: &ast::LockTable) -> Result<String> {
        self.require_block("LOCK TABLE")?;
        self.begin_statement()?;
        for (name, _) in &lock.tables {
            let relation = self.lockable(name)?;
            self.lock_with_reads(&relation, mode(lock.mode), lock.no_wait)?;
        }
        Ok("LOCK TABLE".to_owned())
    }

    /// The table or view of a name.
    fn lockable(&mut self, name: &ast::Name) -> Result<Arc<Relation>> {
        let Some(relation) = self.find(name)? else {
            if self.is_index(name)? {
                return Err(cannot_lock(name.base().as_str(), "indexes"));
            }
            return self.resolve(name);
        };
        match relation.kind {
            RelationKind::Sequence => Err(cannot_lock(&relation.name, "sequences")),
            _ => Ok(relation),
        }
    }

    /// Locks a relation and, if it is a view, what it reads.
    fn lock_with_reads(
        &mut self,
        relation: &Arc<Relation>,
        mode: TableLock,
        no_wait: bool,
    ) -> Result<()> {
        let mut seen: Vec<Oid> = vec![relation.oid];
        let mut next = vec![Arc::clone(relation)];
        while let Some(relation) = next.pop() {
            let txn = self.txn.as_mut().expect("a statement runs in a transaction");
            let locked = txn.lock_relation(LockTag::Relation(relation.oid), mode, !no_wait);
            locked.map_err(|mut error| {
                if error.sqlstate() == SqlState::LOCK_NOT_AVAILABLE && no_wait {
                    error.fields_mut().message =
                        format!("could not obtain lock on relation \"{}\"", relation.name);
                }
                error
            })?;
            self.catalog.refresh();
            for read in &relation.reads {
                if !seen.contains(&read.relation)
                    && let Some(read) = self.catalog.snapshot().relation(read.relation)
                {
                    seen.push(read.oid);
                    next.push(Arc::clone(read));
                }
            }
        }
        Ok(())
    }
}
