//! The advisory lock functions, and what `pg_locks` and `pg_blocking_pids` show.

use super::env::StatementEnv;
use super::settings::Level;
use damask_catalog::system::{LockRow, LockTarget};
use damask_txn::{LockTag, TableLock, TxnHandle};
use damask_types::{Error, Oid, Result, SqlState, TxnId, TypeId, Value};
use hashbrown::{HashMap, HashSet};

/// A transaction's number as SQL shows it.
pub(super) fn shown_id(txn: TxnId) -> u64 {
    txn.0 & i64::MAX as u64
}

impl StatementEnv {
    /// Runs `pg_advisory_lock` and its family; none for another function.
    pub(super) fn advisory(&self, function: &str, args: &[Value]) -> Option<Result<Value>> {
        let name = function.strip_prefix("pg_")?;
        if name == "advisory_unlock_all" {
            self.state.locks.unlock_all();
            return Some(Ok(Value::text("")));
        }
        let (name, wait) = match name.strip_prefix("try_") {
            Some(rest) => (rest, false),
            None => (name, true),
        };
        let name = name.strip_prefix("advisory_")?;
        let (name, mode) = match name.strip_suffix("_shared") {
            Some(rest) => (rest, TableLock::Share),
            None => (name, TableLock::Exclusive),
        };
        let tag = match args {
            [Value::Int8(key)] => LockTag::Advisory(*key),
            [Value::Int4(first), Value::Int4(second)] => LockTag::AdvisoryPair(*first, *second),
            _ => return None,
        };
        match name {
            "unlock" => Some(Ok(Value::Bool(self.advisory_unlock(tag, mode)))),
            "lock" => Some(self.advisory_lock(tag, mode, wait, false)),
            "xact_lock" => Some(self.advisory_lock(tag, mode, wait, true)),
            _ => None,
        }
    }

    fn advisory_lock(
        &self,
        tag: LockTag,
        mode: TableLock,
        wait: bool,
        for_transaction: bool,
    ) -> Result<Value> {
        let txn: &TxnHandle = self
            .txn
            .as_ref()
            .ok_or_else(|| Error::internal("an advisory lock is taken outside a transaction"))?;
        let (locks, interrupt) = (&self.state.locks, &*self.state.backend);
        let taken = if for_transaction {
            locks.lock_for_transaction(txn, tag, mode, wait, interrupt)?
        } else {
            locks.lock(txn, tag, mode, wait, interrupt)?
        };
        Ok(if wait { Value::text("") } else { Value::Bool(taken) })
    }

    fn advisory_unlock(&self, tag: LockTag, mode: TableLock) -> bool {
        let held = self.state.locks.unlock(tag, mode);
        if !held {
            let message = format!("you don't own a lock of type {}", mode.name());
            self.state.notice(Level::Warning, Error::new(SqlState::WARNING, message));
        }
        held
    }

    /// The backends by the ids under which they hold locks.
    pub(super) fn lock_owners(&self) -> HashMap<TxnId, i32> {
        let mut owners = HashMap::new();
        for (pid, session, txn) in self.state.backends.lock_owners() {
            owners.insert(session, pid);
            if let Some(txn) = txn {
                owners.insert(txn, pid);
            }
        }
        owners
    }

    /// The backends that a backend waits for (`pg_blocking_pids`).
    pub(super) fn blocking_pids(&self, pid: i32) -> Value {
        let owners = self.lock_owners();
        let sessions: HashSet<TxnId> =
            self.state.backends.lock_owners().into_iter().map(|(_, session, _)| session).collect();
        let mut pids: Vec<i32> = vec![];
        for (waiter, holders) in self.state.catalog.engine().waits() {
            // A session "waits" for its own transaction: that is no wait.
            if owners.get(&waiter) == Some(&pid) && !sessions.contains(&waiter) {
                pids.extend(holders.iter().filter_map(|holder| owners.get(holder)));
            }
        }
        pids.sort_unstable();
        pids.dedup();
        Value::array(TypeId::Int4, pids.into_iter().map(Value::Int4).collect())
    }

    /// The rows of `pg_locks`: relations and advisory locks, the virtual and the real ids of transactions. A transaction
    /// shows a real id once it has changed or locked something for others to wait for.
    pub(super) fn lock_rows(&self) -> Vec<LockRow> {
        let engine = self.state.catalog.engine();
        let backends = self.state.backends.lock_owners();
        let owners: HashMap<TxnId, i32> = self.lock_owners();
        let virtual_id =
            |pid: i32, txn: Option<TxnId>| format!("{pid}/{}", txn.map_or(0, shown_id));
        let current: HashMap<i32, Option<TxnId>> =
            backends.iter().map(|&(pid, _, txn)| (pid, txn)).collect();
        let mut rows = vec![];
        let mut row = |pid: i32, target: LockTarget, mode: &'static str, granted: bool| {
            let txn = current.get(&pid).copied().flatten();
            rows.push(LockRow { pid, target, mode, granted, transaction: virtual_id(pid, txn) });
        };
        let mut real = HashSet::new();
        let mut queued = HashSet::new();
        for lock in engine.locks() {
            let Some(&pid) = owners.get(&lock.owner) else { continue };
            let target = match lock.tag {
                LockTag::Relation(oid) => {
                    if lock.granted && lock.mode >= TableLock::RowExclusive {
                        real.insert(lock.owner);
                    }
                    LockTarget::Relation(oid)
                }
                LockTag::Advisory(key) => LockTarget::Advisory(
                    Oid((key.cast_unsigned() >> 32) as u32),
                    Oid(key.cast_unsigned() as u32),
                    1,
                ),
                LockTag::AdvisoryPair(first, second) => {
                    LockTarget::Advisory(Oid(first.cast_unsigned()), Oid(second.cast_unsigned()), 2)
                }
            };
            if !lock.granted {
                queued.insert(pid);
            }
            row(pid, target, lock.mode.name(), lock.granted);
        }
        let sessions: HashSet<TxnId> = backends.iter().map(|&(_, session, _)| session).collect();
        for (waiter, holders) in engine.waits() {
            let Some(&pid) = owners.get(&waiter) else { continue };
            if sessions.contains(&waiter) || queued.contains(&pid) {
                continue;
            }
            // It waits for a row, that is for whoever changed or locked it.
            real.insert(waiter);
            for holder in holders {
                real.insert(holder);
                row(pid, LockTarget::Transaction(shown_id(holder) as u32), "ShareLock", false);
            }
        }
        for &(pid, _, txn) in &backends {
            let Some(txn) = txn else { continue };
            row(pid, LockTarget::Virtual(virtual_id(pid, Some(txn))), "ExclusiveLock", true);
            if real.contains(&txn) {
                let target = LockTarget::Transaction(shown_id(txn) as u32);
                row(pid, target, "ExclusiveLock", true);
            }
        }
        rows
    }
}
