//! SERIALIZABLE by precision locking: commits are tested against what the transaction has read.
//!
//! A serializable transaction that may write keeps what it reads ([`reads`]): row ids, ranges of index keys, scans with
//! the conjuncts that compare a column with a value, each with the columns that were looked at. While there is such a
//! transaction, every commit of any level leaves the rows it changed, before and after ([`writes`]). A serializable
//! transaction that has written something tests all commits that its snapshot does not see before it commits itself, the last
//! of them inside the commit section; if one of them would have changed what it read, it is 40001. Then whatever it read is
//! so at the moment of its commit, too: the order of commits is a serial order.
//!
//! A transaction that has written nothing is right as it is, at its snapshot, and tests nothing; one that is READ ONLY keeps
//! nothing either.
//!
//! Invariants
//! - Z1: a serializable snapshot sees a prefix of the commits, without the gaps that a [`Horizon`] may have: with a gap, a reader
//!   could see a commit and not one before it that the order of commits puts first (see `docs/mvcc.md`).
//! - Z2: every commit after the snapshot of an open serializable transaction that keeps its reads is in the list, or not after
//!   [`Serializable::unrecorded`], and then the snapshot is refused at its test. The number of such transactions rises before the
//!   snapshot is taken, and the commit section is passed in between.
//! - Z3: the list is in the order of commits, and appended to inside the commit section only.
//!
//! Source: Neumann, Mühlbauer, Kemper, "Fast Serializable Multi-Version Concurrency Control for Main-Memory Database Systems",
//! SIGMOD 2015. There the undo log's images are tested; here the list has its own, since versions go when no snapshot
//! needs them. Reads stay when a savepoint is rolled back to: the client has seen them.

mod intervals;
pub(crate) mod reads;
#[cfg(test)]
mod tests;
mod writes;

use crate::clock::SnapshotPin;
use crate::engine::Engine;
use crate::horizon::Horizon;
use damask_types::{Error, Result, SqlState, Timestamp, TxnId};
use parking_lot::Mutex;
pub(crate) use reads::ReadSet;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
pub(crate) use writes::Changes;

/// Memory of the list. What does not fit is forgotten, oldest first, and with it the chance of the transactions that
/// would have to test it.
const LIST_BYTES_MAX: usize = if cfg!(test) { 256 << 10 } else { 64 << 20 };

/// What all serializable transactions share.
#[derive(Debug, Default)]
pub(crate) struct Serializable {
    /// Transactions that keep their reads; raised before they take their snapshot.
    active: AtomicUsize,
    /// The last commit that is missing in the list; written in the commit section, and where the list is cut.
    unrecorded: AtomicU64,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    /// How many open transactions have which snapshot.
    snapshots: BTreeMap<u64, u32>,
    /// Ascending.
    commits: VecDeque<(Timestamp, Arc<Changes>)>,
    /// Memory of the commits.
    bytes: usize,
}

impl List {
    /// Drops the commits that every open and every coming snapshot sees.
    fn trim(&mut self, horizon: Timestamp) {
        let oldest = self.snapshots.keys().next().map_or(horizon.0, |first| horizon.0.min(*first));
        while self.commits.front().is_some_and(|(at, _)| at.0 <= oldest) {
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Timestamp> {
        let (at, changes) = self.commits.pop_front()?;
        self.bytes -= changes.bytes();
        Some(at)
    }

    /// The commits after `seen`.
    fn after(&self, seen: Timestamp) -> Vec<(Timestamp, Arc<Changes>)> {
        let from = self.commits.partition_point(|(at, _)| *at <= seen);
        self.commits.range(from..).cloned().collect()
    }
}

impl Serializable {
    /// Whether commits have to leave what they changed.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst) > 0
    }

    /// Takes a commit in; in the commit section (Z3), before anybody sees it. Its changes are none if nobody wanted them.
    pub(crate) fn note(&self, at: Timestamp, changes: Option<Changes>, engine: &Engine) {
        let Some(changes) = changes else {
            self.unrecorded.store(at.0, Ordering::Release);
            return;
        };
        let mut list = self.list.lock();
        list.trim(engine.horizon().settled());
        list.bytes += changes.bytes();
        list.commits.push_back((at, Arc::new(changes)));
        while list.bytes > LIST_BYTES_MAX {
            let Some(forgotten) = list.pop() else { break };
            self.unrecorded.fetch_max(forgotten.0, Ordering::AcqRel);
        }
    }

    fn unrecorded(&self) -> Timestamp {
        Timestamp(self.unrecorded.load(Ordering::Acquire))
    }
}

/// A serializable transaction's part.
#[derive(Debug)]
pub(crate) struct Serial {
    active: Active,
    /// Up to where its snapshot sees.
    snapshot: Timestamp,
    /// Up to where commits have been tested.
    tested: Timestamp,
    reads: Arc<ReadSet>,
}

/// Counts a transaction among the active ones.
#[derive(Debug)]
struct Active(Arc<Engine>);

impl Active {
    fn new(engine: &Arc<Engine>) -> Self {
        engine.serializable.active.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(engine))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.serializable.active.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A serializable snapshot (Z1) for a transaction that only reads.
pub(crate) fn snapshot(engine: &Engine, owner: TxnId) -> Result<SnapshotPin> {
    reach(engine, Timestamp(0))?;
    Ok(pin(engine, owner))
}

/// Waits until everything that is shown, and the commit at `least`, is durable, so that it is a prefix of the commits.
fn reach(engine: &Engine, least: Timestamp) -> Result<()> {
    let horizon = engine.horizon();
    let wanted = horizon.timestamp.max(least);
    if horizon.settled() < wanted { engine.wait_durable(wanted) } else { Ok(()) }
}

fn pin(engine: &Engine, owner: TxnId) -> SnapshotPin {
    engine.snapshots.pin(owner, engine.next_txn(), || Horizon::up_to(engine.horizon().settled()))
}

impl Serial {
    /// Takes the snapshot of a transaction that may write.
    pub(crate) fn begin(engine: &Arc<Engine>, owner: TxnId) -> Result<(Self, SnapshotPin)> {
        let active = Active::new(engine);
        let shared = &engine.serializable;
        // Whoever was in the commit section before has said what is unrecorded; whoever comes later finds us counted (Z2).
        drop(engine.commit.lock());
        reach(engine, shared.unrecorded())?;
        let mut list = shared.list.lock();
        // Under the list's mutex, so that nothing that this snapshot does not see is dropped before it is registered.
        let pin = pin(engine, owner);
        let snapshot = pin.horizon.timestamp;
        *list.snapshots.entry(snapshot.0).or_insert(0) += 1;
        drop(list);
        let reads = Arc::default();
        Ok((Self { active, snapshot, tested: snapshot, reads }, pin))
    }

    pub(crate) fn reads(&self) -> &Arc<ReadSet> {
        &self.reads
    }

    /// Tests the commits since the last test; one that changed what was read, or may have.
    pub(crate) fn test(&mut self) -> std::result::Result<(), Lost> {
        self.tested = self.look()?;
        Ok(())
    }

    /// Looks at the commits since the last test; the last of them if none changed what was read.
    pub(crate) fn look(&self) -> std::result::Result<Timestamp, Lost> {
        let tested = self.tested;
        #[cfg(test)]
        if self.active.0.is_planted(crate::engine::Planted::NoValidation) {
            return Ok(tested);
        }
        let shared = &self.active.0.serializable;
        let commits = shared.list.lock().after(tested);
        let unrecorded = shared.unrecorded();
        if unrecorded > self.snapshot {
            return Err(Lost(unrecorded));
        }
        let mut last = tested;
        for (at, changes) in commits {
            if changes.meet(&self.reads) {
                return Err(Lost(at));
            }
            last = at;
        }
        Ok(last)
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        let shared = &self.active.0.serializable;
        let mut list = shared.list.lock();
        if let Some(count) = list.snapshots.get_mut(&self.snapshot.0) {
            *count -= 1;
            if *count == 0 {
                list.snapshots.remove(&self.snapshot.0);
            }
        }
        list.trim(self.active.0.horizon().settled());
    }
}

/// A commit changed what a serializable transaction has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost(pub(crate) Timestamp);

impl Lost {
    /// 40001.
    #[cold]
    pub(crate) fn error() -> Error {
        Error::new(
            SqlState::SERIALIZATION_FAILURE,
            "could not serialize access due to read/write dependencies among transactions",
        )
        .detail("A transaction that committed meanwhile changed what this one has read.")
        .hint("The transaction might succeed if retried.")
    }
}
