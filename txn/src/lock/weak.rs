//! What each transaction holds in weak modes, and who is to be asked about it. [`super`] tells how that fits together.

use super::TableLock;
use super::sync::{AtomicU32, Mutex, MutexGuard, Ordering};
use damask_types::{Oid, Result, TxnId};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bits of the weak modes: none conflicts with another of them.
const WEAK: u8 = 0b0000_0111;
/// Counters of strong requests. A power of two.
const COUNTERS: usize = 256;
/// Relations in a record that takes no further memory.
const RELATIONS_INLINE: usize = 8;

/// How a mode stands to the weak ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// One of them.
    Weak,
    /// Conflicts with none of them.
    Between,
    /// Conflicts with one of them at least.
    Strong,
}

impl Strength {
    pub(super) fn of(lock: TableLock) -> Self {
        if lock.bit() & WEAK != 0 {
            Self::Weak
        } else if super::CONFLICTS[lock as usize] & WEAK == 0 {
            Self::Between
        } else {
            Self::Strong
        }
    }
}

/// The relation's counter: the upper bits of the product depend on all bits of the oid.
pub(super) fn counter_index(relation: Oid) -> usize {
    (relation.0.wrapping_mul(0x9E37_79B9) >> (u32::BITS - COUNTERS.ilog2())) as usize
}

/// Strong requests that wait or are granted, by a hash of the relation. Read by everybody and written by few, so on cache lines of its own.
#[repr(align(64))]
struct StrongCounts([AtomicU32; COUNTERS]);

impl StrongCounts {
    fn of(&self, relation: Oid) -> &AtomicU32 {
        &self.0[counter_index(relation)]
    }
}

/// What all transactions share.
pub(super) struct Shared {
    strong: StrongCounts,
    /// The records of all transactions, by the id of the first that each was made for.
    records: Mutex<BTreeMap<TxnId, Arc<Record>>>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let strong = StrongCounts(std::array::from_fn(|_| AtomicU32::new(0)));
        Self { strong, records: Mutex::new(BTreeMap::new()) }
    }

    /// Says that a strong mode is wanted, then has `grant` put into the table's entry what is held in records: the owner, and its
    /// modes. Until the result is dropped, or withdrawn if it is kept, weak requests go to the table (L2).
    pub(super) fn announce(
        &self,
        relation: Oid,
        mut grant: impl FnMut(TxnId, u8),
    ) -> Announced<'_> {
        self.strong.of(relation).fetch_add(1, Ordering::SeqCst);
        let announced = Announced { shared: self, relation, is_kept: false };
        for record in self.records.lock().values() {
            record.held.lock().move_out(relation, &mut grant);
        }
        announced
    }

    /// A strong mode was given back.
    pub(super) fn withdraw(&self, relation: Oid) {
        let before = self.strong.of(relation).fetch_sub(1, Ordering::SeqCst);
        assert!(before > 0, "it was announced");
    }

    /// The records of all transactions. While they are held no lock moves to the table.
    pub(super) fn records(&self) -> Records<'_> {
        Records(self.records.lock())
    }

    /// How many strong requests are counted.
    #[cfg(test)]
    pub(super) fn counted(&self) -> u32 {
        self.strong.0.iter().map(|count| count.load(Ordering::SeqCst)).sum()
    }

    /// How many records there are.
    #[cfg(test)]
    pub(super) fn record_count(&self) -> usize {
        self.records.lock().len()
    }
}

/// All records.
pub(super) struct Records<'s>(MutexGuard<'s, BTreeMap<TxnId, Arc<Record>>>);

impl Records<'_> {
    /// What the table does not know of: relation, owner, modes.
    pub(super) fn for_each_here(&self, mut each: impl FnMut(Oid, TxnId, u8)) {
        for record in self.0.values() {
            let held = record.held.lock();
            for modes in held.relations.iter().filter(|modes| modes.here != 0) {
                each(modes.relation, held.owner, modes.here);
            }
        }
    }
}

/// A strong request.
pub(super) struct Announced<'s> {
    shared: &'s Shared,
    relation: Oid,
    is_kept: bool,
}

impl Announced<'_> {
    /// It was granted; [`Shared::withdraw`] is called when the lock is given back.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.shared.withdraw(self.relation);
        }
    }
}

/// The weak modes of a transaction. On cache lines of its own: the transaction writes it with every statement.
#[repr(align(64))]
struct Record {
    shared: Arc<Shared>,
    held: Mutex<Held>,
}

struct Held {
    /// Whose modes these are; changes only while there are none.
    owner: TxnId,
    /// Relations with any modes, ascending by oid.
    relations: SmallVec<[Modes; RELATIONS_INLINE]>,
}

/// The weak modes on one relation; no mode is in both (L1).
#[derive(Clone, Copy)]
struct Modes {
    relation: Oid,
    /// Those that only this record tells of.
    here: u8,
    /// Those that are in the table's entry.
    there: u8,
}

impl Held {
    fn find(&self, relation: Oid) -> std::result::Result<usize, usize> {
        self.relations.binary_search_by_key(&relation, |modes| modes.relation)
    }

    fn has(&self, relation: Oid, bit: u8) -> bool {
        self.find(relation).is_ok_and(|at| {
            let modes = &self.relations[at];
            (modes.here | modes.there) & bit != 0
        })
    }

    fn modes(&mut self, owner: TxnId, relation: Oid) -> &mut Modes {
        if self.relations.is_empty() {
            self.owner = owner;
        }
        debug_assert_eq!(self.owner, owner, "the last transaction gave everything back");
        let at = self.find(relation).unwrap_or_else(|at| {
            self.relations.insert(at, Modes { relation, here: 0, there: 0 });
            at
        });
        &mut self.relations[at]
    }

    fn move_out(&mut self, relation: Oid, grant: &mut impl FnMut(TxnId, u8)) {
        let Ok(at) = self.find(relation) else { return };
        let modes = &mut self.relations[at];
        let here = std::mem::take(&mut modes.here);
        modes.there |= here;
        if here != 0 {
            grant(self.owner, here);
        }
    }

    /// Takes a mode out; whether the table has it.
    fn take_out(&mut self, relation: Oid, bit: u8) -> bool {
        let Ok(at) = self.find(relation) else { return false };
        let modes = &mut self.relations[at];
        let is_there = modes.there & bit != 0;
        modes.here &= !bit;
        modes.there &= !bit;
        if modes.here | modes.there == 0 {
            self.relations.remove(at);
            if self.relations.is_empty() && self.relations.spilled() {
                self.relations = SmallVec::new();
            }
        }
        is_there
    }
}

/// The weak modes that a transaction holds, and then those of the transactions that are begun in its place. Others find them until this
/// is dropped.
pub(crate) struct WeakLocks {
    record: Arc<Record>,
    /// Its key in [`Shared::records`].
    first: TxnId,
}

impl Drop for WeakLocks {
    fn drop(&mut self) {
        self.record.shared.records.lock().remove(&self.first);
    }
}

impl std::fmt::Debug for WeakLocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakLocks").finish_non_exhaustive()
    }
}

impl WeakLocks {
    pub(super) fn new(shared: &Arc<Shared>, first: TxnId) -> Self {
        let held = Mutex::new(Held { owner: first, relations: SmallVec::new() });
        let record = Arc::new(Record { shared: Arc::clone(shared), held });
        shared.records.lock().insert(first, Arc::clone(&record));
        Self { record, first }
    }

    /// Takes a mode for `owner`, by `ask` from the table if a strong one is wanted or held; whether it did not have it yet.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(super) fn take(
        &self,
        owner: TxnId,
        relation: Oid,
        lock: TableLock,
        ask: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        let Record { shared, held } = &*self.record;
        {
            let mut held = held.lock();
            if held.has(relation, lock.bit()) {
                return Ok(false);
            }
            // Under the mutex: whoever announces himself later finds what is written here (L2).
            if shared.strong.of(relation).load(Ordering::SeqCst) == 0 {
                held.modes(owner, relation).here |= lock.bit();
                return Ok(true);
            }
        }
        let is_new = ask()?;
        debug_assert!(is_new, "the record tells of all modes that the table has (L1)");
        held.lock().modes(owner, relation).there |= lock.bit();
        Ok(is_new)
    }

    /// Gives a mode back; whether it is to be given back to the table, too.
    pub(super) fn give_back(&self, relation: Oid, lock: TableLock) -> bool {
        self.record.held.lock().take_out(relation, lock.bit())
    }
}
