//! The lock table: relations and advisory locks, in PostgreSQL's eight modes, with its conflict table and its queue.
//!
//! A request is granted when it conflicts neither with what others hold nor with what others wait for in front of it; so
//! a waiting ACCESS EXCLUSIVE is not starved by readers. A holder that asks for more goes before the queue, because
//! whoever waits there already waits for it.
//!
//! A holder is a transaction, or a session for advisory locks that outlive transactions ([`crate::advisory`]). The two ids
//! of one session never stand in each other's way.
//!
//! # Weak modes
//!
//! Every statement locks its tables in ACCESS SHARE, ROW SHARE or ROW EXCLUSIVE. These *weak* modes never conflict among
//! themselves, and those that conflict with one, the *strong* ones from SHARE on, are rare. (SHARE UPDATE EXCLUSIVE is neither.)
//! So a transaction notes its weak modes in a record of its own ([`WeakLocks`]), of which others need to know nothing:
//!
//! ```text
//! weak                                        strong
//! 1  locks its record                         1  counts itself, by a hash of the relation
//! 2  nobody is counted: `here`, granted       2  locks each record in turn, and moves what is `here`
//!    else unlocks it and asks the table,         to the table's entry, and the mode to `there`
//!    and notes `there` when it is granted     3  asks the table
//! ```
//!
//! Giving back a mode that is `here` changes the record and nothing else. The way of a weak mode that meets no strong one touches
//! no memory that other sessions write.
//!
//! Invariants
//! - L1: a mode of a transaction is in its record exactly once: `here`, and the table does not know of it, or `there`, and it is
//!   in the table's entry. So the record alone tells whether a request is new.
//! - L2: from when a strong request asks the table until it fails or its lock is given back, no record has a mode of that
//!   relation `here`.
//! - L3: a relation's counter is at least the number of strong requests that are past step 1 and of strong locks that are held.
//!
//! L3 holds because a request counts itself first, and is taken off only when it has failed, found its mode held already, or given
//! it back to the table. L2 follows: take a record, and the moment at which the strong request locks it. What was `here` is moved.
//! Whoever locks the record later sees the counter, which was written before (the mutex orders the two), and goes to the table. A
//! record that is entered among the others only after the request went through them is ordered in the same way by the mutex over
//! them all. And a mode is moved under the record's mutex, so whoever gives it back sees it `here`, before the move, or `there`; a
//! request that meets it in the table waits, and is woken by the table. So no lock is lost, and no two that conflict miss each other.
//!
//! L2 also keeps the queue fair: a holder of a weak mode who asks for more while a strong request waits has its mode in the
//! entry, and goes before the queue.
//!
//! The source is PostgreSQL's fast-path locks (`src/backend/storage/lmgr/README`). There a record takes 16 relations, and a backend
//! has a list of all its locks besides; here the record is that list (L1), of any length. There the records are gone through one by
//! one; here under a mutex over all of them too, so that nothing moves while [`LockTable::all`] looks.
//!
//! Latch order: the mutex over all records, one record's, one shard's; two of a kind never together, and none with a latch from
//! elsewhere.

mod weak;
#[cfg(test)]
mod weak_model;
#[cfg(test)]
mod weak_tests;

use crate::interrupt::Interrupt;
use crate::wait::WaitGraph;
use damask_types::{Error, Oid, Result, SqlState, TxnId};
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use weak::{Shared, Strength};

pub(crate) use weak::WeakLocks;

/// What weak locks run on, outside their model.
mod sync {
    pub(super) use parking_lot::{Mutex, MutexGuard};
    pub(super) use std::sync::atomic::{AtomicU32, Ordering};
}

/// Parts of the lock table. A power of two.
const SHARDS: usize = 16;
/// Entries that a part keeps although nobody holds them: what was locked is most often locked again.
const IDLE_ENTRIES_MAX: usize = 64;

/// Bits of the modes that each mode conflicts with, weakest mode first; mode `m` is bit `m as u8`.
const CONFLICTS: [u8; 8] = [
    0b1000_0000,
    0b1100_0000,
    0b1111_0000,
    0b1111_1000,
    0b1110_1100,
    0b1111_1100,
    0b1111_1110,
    0b1111_1111,
];

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

/// What a lock is held on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockTag {
    /// A relation.
    Relation(Oid),
    /// A number that applications agree on.
    Advisory(i64),
    /// Two such numbers; never the same as one number.
    AdvisoryPair(i32, i32),
}

/// One number, so that a hasher has one step; tags of different kinds may have the same.
impl Hash for LockTag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(match *self {
            Self::Relation(oid) => oid.0.into(),
            Self::Advisory(key) => key.cast_unsigned(),
            Self::AdvisoryPair(first, second) => {
                u64::from(first.cast_unsigned()) << 32 | u64::from(second.cast_unsigned())
            }
        });
    }
}

impl TableLock {
    fn bit(self) -> u8 {
        1 << self as u8
    }

    /// All of them, weakest first.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// PostgreSQL's name in messages and `pg_locks`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// Whether two transactions may not hold the two at once.
    pub fn conflicts_with(self, other: Self) -> bool {
        CONFLICTS[self as usize] & other.bit() != 0
    }
}

/// Who asks for a lock: the one that will hold it, and the other id of the same session, which is never in the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) id: TxnId,
    pub(crate) kin: TxnId,
}

impl Owner {
    /// A transaction by itself.
    pub(crate) fn alone(id: TxnId) -> Self {
        Self { id, kin: id }
    }

    fn is(self, holder: TxnId) -> bool {
        holder == self.id || holder == self.kin
    }
}

/// A lock that is held or waited for, as `pg_locks` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockInfo {
    /// What it is on.
    pub tag: LockTag,
    /// A transaction's id, or a session's ([`crate::SessionLocks::id`]).
    pub owner: TxnId,
    /// The mode.
    pub mode: TableLock,
    /// Held, not waited for.
    pub granted: bool,
}

/// What a holder of these modes has.
fn granted(tag: LockTag, owner: TxnId, modes: u8) -> impl Iterator<Item = LockInfo> {
    let held = TableLock::ALL.into_iter().filter(move |mode| modes & mode.bit() != 0);
    held.map(move |mode| LockInfo { tag, owner, mode, granted: true })
}

#[derive(Default)]
struct Entry {
    /// Modes held, by holder.
    granted: SmallVec<[(TxnId, u8); 2]>,
    waiting: VecDeque<(TxnId, TableLock)>,
}

impl Entry {
    fn held_by(&self, txn: TxnId) -> u8 {
        self.granted.iter().find(|(holder, _)| *holder == txn).map_or(0, |(_, modes)| *modes)
    }

    /// Whether nobody stands in the way.
    fn is_free(&self, owner: Owner, lock: TableLock) -> bool {
        self.blockers(owner, lock).next().is_none()
    }

    /// Who stands in the way.
    fn blockers(&self, owner: Owner, lock: TableLock) -> impl Iterator<Item = TxnId> + '_ {
        let conflicts = CONFLICTS[lock as usize];
        let holders = self
            .granted
            .iter()
            .filter(move |(holder, modes)| modes & conflicts != 0 && !owner.is(*holder))
            .map(|(holder, _)| *holder);
        let holds =
            !self.waiting.is_empty() && (self.held_by(owner.id) | self.held_by(owner.kin)) != 0;
        let ahead = self
            .waiting
            .iter()
            .take_while(move |(waiter, _)| !owner.is(*waiter) && !holds)
            .filter(move |(_, wanted)| wanted.bit() & conflicts != 0)
            .map(|(waiter, _)| *waiter);
        holders.chain(ahead)
    }

    fn infos(&self, tag: LockTag) -> impl Iterator<Item = LockInfo> + '_ {
        let held = self.granted.iter().flat_map(move |&(owner, modes)| granted(tag, owner, modes));
        let waiting = self.waiting.iter();
        held.chain(waiting.map(move |&(owner, mode)| LockInfo { tag, owner, mode, granted: false }))
    }

    fn grant(&mut self, txn: TxnId, new: u8) {
        match self.granted.iter_mut().find(|(holder, _)| *holder == txn) {
            Some((_, modes)) => *modes |= new,
            None => self.granted.push((txn, new)),
        }
    }
}

#[derive(Default)]
struct Shard {
    entries: Mutex<HashMap<LockTag, Entry>>,
    changed: Condvar,
}

/// A place in a queue, given up however the wait ends.
struct Queued<'s> {
    shard: &'s Shard,
    txn: TxnId,
    tag: LockTag,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut entries = self.shard.entries.lock();
        if let Some(entry) = entries.get_mut(&self.tag) {
            entry.waiting.retain(|(waiter, _)| *waiter != self.txn);
            if entry.granted.is_empty() && entry.waiting.is_empty() {
                entries.remove(&self.tag);
            }
        }
        drop(entries);
        // Whoever queued behind us may go on, whether we got the lock or gave up.
        self.shard.changed.notify_all();
    }
}

/// All locks.
pub(crate) struct LockTable {
    shards: Box<[Shard]>,
    weak: Arc<Shared>,
}

impl LockTable {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { shards, weak: Arc::new(Shared::new()) }
    }

    /// The weak locks of a transaction that begins, and of those that are begun in its place.
    pub(crate) fn weak_locks(&self, first: TxnId) -> WeakLocks {
        WeakLocks::new(&self.weak, first)
    }

    /// Takes a lock for a transaction, whose weak locks `own` are; whether it did not have this mode yet.
    ///
    /// # Errors
    /// As for [`LockTable::lock`].
    pub(crate) fn lock_for_txn(
        &self,
        own: &WeakLocks,
        txn: TxnId,
        tag: LockTag,
        lock: TableLock,
        wait: bool,
        graph: &WaitGraph,
        interrupt: &dyn Interrupt,
    ) -> Result<bool> {
        let ask = || self.lock(Owner::alone(txn), txn, tag, lock, wait, graph, interrupt);
        match (tag, Strength::of(lock)) {
            (LockTag::Relation(relation), Strength::Weak) => own.take(txn, relation, lock, ask),
            (LockTag::Relation(relation), Strength::Strong) => {
                let announced = self.weak.announce(relation, |owner, modes| {
                    let mut entries = self.shard(tag).entries.lock();
                    entries.entry(tag).or_default().grant(owner, modes);
                });
                let is_new = ask()?;
                if is_new {
                    announced.keep();
                }
                Ok(is_new)
            }
            (LockTag::Relation(_), Strength::Between)
            | (LockTag::Advisory(_) | LockTag::AdvisoryPair(..), _) => ask(),
        }
    }

    /// Gives back a mode that [`LockTable::lock_for_txn`] took.
    pub(crate) fn release_for_txn(
        &self,
        own: &WeakLocks,
        txn: TxnId,
        tag: LockTag,
        lock: TableLock,
    ) {
        match (tag, Strength::of(lock)) {
            (LockTag::Relation(relation), Strength::Weak) => {
                if own.give_back(relation, lock) {
                    self.release(txn, tag, lock);
                }
            }
            (LockTag::Relation(relation), Strength::Strong) => {
                // In this order: a weak request that finds nobody counted is granted (L3).
                self.release(txn, tag, lock);
                self.weak.withdraw(relation);
            }
            (LockTag::Relation(_), Strength::Between)
            | (LockTag::Advisory(_) | LockTag::AdvisoryPair(..), _) => self.release(txn, tag, lock),
        }
    }

    fn shard(&self, tag: LockTag) -> &Shard {
        let number = match tag {
            LockTag::Relation(oid) => u64::from(oid.0),
            LockTag::Advisory(key) => key.cast_unsigned(),
            LockTag::AdvisoryPair(first, second) => {
                u64::from(first.cast_unsigned()) ^ u64::from(second.cast_unsigned())
            }
        };
        &self.shards[(number ^ number >> 32) as usize & (SHARDS - 1)]
    }

    /// Takes a lock for `owner` in the table; whether it did not have this mode yet. `waiter` is the transaction that waits.
    /// Relations are locked by [`LockTable::lock_for_txn`].
    ///
    /// # Errors
    /// 55P03 if the lock is not free and `wait` is false; 40P01; what the interrupt says.
    pub(crate) fn lock(
        &self,
        owner: Owner,
        waiter: TxnId,
        tag: LockTag,
        lock: TableLock,
        wait: bool,
        graph: &WaitGraph,
        interrupt: &dyn Interrupt,
    ) -> Result<bool> {
        let shard = self.shard(tag);
        let mut entries = shard.entries.lock();
        // Most often it is there.
        let entry = match entries.get_mut(&tag) {
            Some(entry) => entry,
            None => entries.entry(tag).or_default(),
        };
        if entry.held_by(owner.id) & lock.bit() != 0 {
            return Ok(false);
        }
        if entry.is_free(owner, lock) {
            entry.grant(owner.id, lock.bit());
            return Ok(true);
        }
        if !wait {
            return Err(Error::new(SqlState::LOCK_NOT_AVAILABLE, "could not obtain lock"));
        }
        entry.waiting.push_back((owner.id, lock));
        drop(entries);
        let _queued = Queued { shard, txn: owner.id, tag };
        Self::wait(shard, owner, waiter, tag, lock, graph, interrupt).map(|()| true)
    }

    fn wait(
        shard: &Shard,
        owner: Owner,
        waiter: TxnId,
        tag: LockTag,
        lock: TableLock,
        graph: &WaitGraph,
        interrupt: &dyn Interrupt,
    ) -> Result<()> {
        loop {
            let blockers = {
                let mut entries = shard.entries.lock();
                let entry = entries.entry(tag).or_default();
                let blockers: SmallVec<[TxnId; 4]> = entry.blockers(owner, lock).collect();
                if blockers.is_empty() {
                    entry.grant(owner.id, lock.bit());
                    return Ok(());
                }
                blockers
            };
            graph.blocked(waiter, blockers.iter().copied().collect(), interrupt, |timeout| {
                let mut entries = shard.entries.lock();
                let unchanged = |entries: &HashMap<LockTag, Entry>| {
                    entries.get(&tag).is_some_and(|entry| {
                        entry.blockers(owner, lock).eq(blockers.iter().copied())
                    })
                };
                if unchanged(&entries) {
                    shard.changed.wait_for(&mut entries, timeout);
                }
                !unchanged(&entries)
            })?;
        }
    }

    /// Everything that is held or waited for, in no order that means something. What is held all the while is there once.
    pub(crate) fn all(&self) -> Vec<LockInfo> {
        let mut all = Vec::new();
        let records = self.weak.records();
        records.for_each_here(|relation, owner, modes| {
            all.extend(granted(LockTag::Relation(relation), owner, modes));
        });
        for shard in &self.shards {
            for (&tag, entry) in shard.entries.lock().iter() {
                all.extend(entry.infos(tag));
            }
        }
        drop(records);
        all
    }

    /// Gives back one mode that `txn` holds on `tag`.
    pub(crate) fn release(&self, txn: TxnId, tag: LockTag, lock: TableLock) {
        let shard = self.shard(tag);
        let mut entries = shard.entries.lock();
        let Some(entry) = entries.get_mut(&tag) else {
            return;
        };
        if let Some(at) = entry.granted.iter().position(|(holder, _)| *holder == txn) {
            entry.granted[at].1 &= !lock.bit();
            if entry.granted[at].1 == 0 {
                entry.granted.swap_remove(at);
            }
        }
        if entry.waiting.is_empty() {
            if entry.granted.is_empty() && entries.len() > IDLE_ENTRIES_MAX {
                entries.remove(&tag);
            }
        } else {
            drop(entries);
            shard.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_postgresqls() {
        let modes = TableLock::ALL;
        // The table of PostgreSQL's manual, 13.3.1: a row is the mode asked for, x a conflict.
        let table = [
            ".......x", "......xx", "....xxxx", "...xxxxx", "..xx.xxx", "..xxxxxx", ".xxxxxxx",
            "xxxxxxxx",
        ];
        for (i, row) in table.iter().enumerate() {
            for (j, cell) in row.bytes().enumerate() {
                assert_eq!(modes[i].conflicts_with(modes[j]), cell == b'x', "{i} {j}");
            }
        }
    }
}
