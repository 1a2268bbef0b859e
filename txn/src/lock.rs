//! The lock table: relations and advisory locks, in PostgreSQL's eight modes, with its conflict table and its queue.
//!
//! A request is granted when it conflicts neither with what others hold nor with what others wait for in front of it; so
//! a waiting ACCESS EXCLUSIVE is not starved by readers. A holder that asks for more goes before the queue, because
//! whoever waits there already waits for it.
//!
//! A holder is a transaction, or a session for advisory locks that outlive transactions ([`crate::advisory`]). The two ids
//! of one session never stand in each other's way.
//!
//! Latch order: one shard's mutex at a time, never with another latch.

use crate::interrupt::Interrupt;
use crate::wait::WaitGraph;
use damask_types::{Error, Oid, Result, SqlState, TxnId};
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

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

    fn grant(&mut self, txn: TxnId, lock: TableLock) {
        match self.granted.iter_mut().find(|(holder, _)| *holder == txn) {
            Some((_, modes)) => *modes |= lock.bit(),
            None => self.granted.push((txn, lock.bit())),
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
}

impl LockTable {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
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

    /// Takes a lock for `owner`; whether it did not have this mode yet. `waiter` is the transaction that waits.
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
            entry.grant(owner.id, lock);
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
                    entry.grant(owner.id, lock);
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

    /// Everything that is held or waited for, in no order that means something.
    pub(crate) fn all(&self) -> Vec<LockInfo> {
        let mut all = Vec::new();
        for shard in &self.shards {
            for (&tag, entry) in shard.entries.lock().iter() {
                for &(owner, modes) in &entry.granted {
                    let held = TableLock::ALL.into_iter().filter(|mode| modes & mode.bit() != 0);
                    all.extend(held.map(|mode| LockInfo { tag, owner, mode, granted: true }));
                }
                let waiting = entry.waiting.iter();
                all.extend(waiting.map(|&(owner, mode)| LockInfo {
                    tag,
                    owner,
                    mode,
                    granted: false,
                }));
            }
        }
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
