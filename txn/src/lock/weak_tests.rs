//! Weak locks: when they move to the table, that nothing is left of them, and threads that take all modes at random.
//!
//! The threads write down what they hold, after they got it and until before they give it back; two of them never hold what
//! conflicts, and each holds what the engine says it does.

use super::weak::counter_index;
use super::{CONFLICTS, LockInfo, LockTag, TableLock};
use crate::{Engine, EngineOptions, Interrupt, IsolationLevel, Location, Savepoint, Txn};
use TableLock::{
    AccessExclusive, AccessShare, RowExclusive, RowShare, Share, ShareUpdateExclusive,
};
use damask_storage::Env;
use damask_storage::env::SeededRandom;
use damask_types::{Error, Oid, Result, SqlState, TxnId};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const T: Oid = Oid(1);
const U: Oid = Oid(2);

fn memory() -> Arc<Engine> {
    let options = EngineOptions { pool_bytes: 16 << 20, page_bytes: 4096, ..Default::default() };
    Engine::open(Env::in_memory(1), Location::Memory, options).unwrap()
}

fn begin(engine: &Arc<Engine>) -> Txn {
    engine.begin(IsolationLevel::ReadCommitted, false).unwrap()
}

fn lock(txn: &mut Txn, relation: Oid, mode: TableLock) -> Result<()> {
    txn.lock_relation(LockTag::Relation(relation), mode, true)
}

/// Whether a lock can be had at once, which it then is.
fn try_lock(txn: &mut Txn, relation: Oid, mode: TableLock) -> bool {
    match txn.lock_relation(LockTag::Relation(relation), mode, false) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.sqlstate(), SqlState::LOCK_NOT_AVAILABLE);
            false
        }
    }
}

/// Runs `then` once somebody waits for a lock who did not before `start`.
fn once_blocked<T>(engine: &Engine, start: impl FnOnce() -> T, then: impl FnOnce()) -> T {
    let before = engine.metrics().lock_waits;
    let started = start();
    while engine.metrics().lock_waits == before {
        thread::yield_now();
    }
    then();
    started
}

/// What is granted, in order.
fn held(engine: &Engine) -> Vec<(TxnId, Oid, TableLock)> {
    let shown = |info: LockInfo| match info.tag {
        LockTag::Relation(relation) if info.granted => Some((info.owner, relation, info.mode)),
        LockTag::Relation(_) | LockTag::Advisory(_) | LockTag::AdvisoryPair(..) => None,
    };
    let mut held: Vec<_> = engine.locks().into_iter().filter_map(shown).collect();
    held.sort_unstable();
    held
}

/// How many holders the table knows.
fn in_table(engine: &Engine) -> usize {
    let shards = engine.lock_table.shards.iter();
    shards.map(|shard| shard.entries.lock().values().map(|e| e.granted.len()).sum::<usize>()).sum()
}

/// That nobody holds anything, and nobody is counted.
fn assert_idle(engine: &Engine) {
    assert_eq!((engine.locks(), in_table(engine)), (vec![], 0));
    assert_eq!(engine.lock_table.weak.counted(), 0);
}

#[test]
fn weak_locks_are_no_business_of_the_table() {
    let engine = memory();
    let (mut a, mut b) = (begin(&engine), begin(&engine));
    for mode in [AccessShare, RowShare, RowExclusive, AccessShare] {
        lock(&mut a, T, mode).unwrap();
        lock(&mut b, T, mode).unwrap();
    }
    lock(&mut b, U, AccessShare).unwrap();
    assert_eq!(in_table(&engine), 0);
    let mut expected: Vec<_> = [a.id(), b.id()]
        .into_iter()
        .flat_map(|id| [AccessShare, RowShare, RowExclusive].map(|mode| (id, T, mode)))
        .collect();
    expected.push((b.id(), U, AccessShare));
    assert_eq!(held(&engine), expected);
    a.rollback().unwrap();
    b.commit().unwrap().wait().unwrap();
    assert_idle(&engine);
}

#[test]
fn a_strong_request_waits_for_the_weak_lock_that_it_moves() {
    let engine = memory();
    let (mut a, mut b) = (begin(&engine), begin(&engine));
    lock(&mut a, T, AccessShare).unwrap();
    assert!(!try_lock(&mut b, T, AccessExclusive));
    assert_eq!((held(&engine), in_table(&engine)), (vec![(a.id(), T, AccessShare)], 1));
    assert_eq!(engine.lock_table.weak.counted(), 0);
    // Others are not concerned, and modes that are new go where they went before.
    lock(&mut a, T, AccessShare).unwrap();
    lock(&mut a, T, RowShare).unwrap();
    lock(&mut a, U, AccessShare).unwrap();
    assert_eq!(in_table(&engine), 1);

    let b = once_blocked(
        &engine,
        || thread::spawn(move || lock(&mut b, T, AccessExclusive).map(|()| b)),
        || {
            let first = [AccessShare, RowShare].map(|mode| (a.id(), T, mode));
            assert_eq!(held(&engine)[..2], first);
            // One who holds something goes before who waits; another one does not.
            assert!(try_lock(&mut a, T, RowExclusive));
            assert!(!try_lock(&mut begin(&engine), T, AccessShare));
            a.rollback().unwrap();
        },
    );
    let b = b.join().unwrap().unwrap();
    assert_eq!(held(&engine), [(b.id(), T, AccessExclusive)]);
    drop(b);
    assert_idle(&engine);
}

#[test]
fn a_weak_request_waits_for_a_strong_lock() {
    let engine = memory();
    let (mut a, mut b, mut c) = (begin(&engine), begin(&engine), begin(&engine));
    lock(&mut a, T, Share).unwrap();
    // One that the strong lock does not mind goes to the table all the same.
    lock(&mut c, T, RowShare).unwrap();
    assert_eq!(in_table(&engine), 2);
    let b = once_blocked(
        &engine,
        || thread::spawn(move || lock(&mut b, T, RowExclusive).map(|()| b)),
        || {
            let id = a.id();
            assert_eq!(held(&engine), [(id, T, Share), (c.id(), T, RowShare)]);
            a.commit().unwrap().wait().unwrap();
        },
    );
    let b = b.join().unwrap().unwrap();
    assert_eq!(held(&engine), [(b.id(), T, RowExclusive), (c.id(), T, RowShare)]);
    // The strong lock is gone, and with it the reason to go to the table.
    lock(&mut c, T, AccessShare).unwrap();
    assert_eq!(in_table(&engine), 2);
    drop((b, c));
    assert_idle(&engine);
}

#[test]
fn a_savepoint_gives_back_what_was_taken_after_it_wherever_it_is() {
    let engine = memory();
    let (mut a, mut b) = (begin(&engine), begin(&engine));
    lock(&mut a, T, AccessShare).unwrap();
    for moves in [[false, false], [true, false], [false, true], [true, true]] {
        let mut look = |moved: bool| {
            let strong = if moved { Some(try_lock(&mut b, T, AccessExclusive)) } else { None };
            assert_ne!(strong, Some(true));
        };
        let savepoint = a.savepoint();
        look(moves[0]);
        for mode in [AccessShare, RowExclusive, RowShare] {
            lock(&mut a, T, mode).unwrap();
        }
        lock(&mut a, U, RowExclusive).unwrap();
        look(moves[1]);
        a.rollback_to(savepoint).unwrap();
        assert_eq!(held(&engine), [(a.id(), T, AccessShare)], "{moves:?}");
        assert!(!try_lock(&mut b, T, AccessExclusive));
    }
    let savepoint = b.savepoint();
    for strong in [Share, AccessExclusive] {
        assert!(try_lock(&mut b, U, strong));
    }
    b.rollback_to(savepoint).unwrap();
    a.rollback().unwrap();
    assert!(try_lock(&mut b, T, AccessExclusive));
    drop(b);
    assert_idle(&engine);
}

#[test]
fn an_owner_asks_for_more_than_its_weak_lock() {
    let engine = memory();
    let (mut a, mut b) = (begin(&engine), begin(&engine));
    lock(&mut a, T, RowExclusive).unwrap();
    let savepoint = a.savepoint();
    for mode in [ShareUpdateExclusive, Share, AccessExclusive, Share, AccessShare, RowExclusive] {
        lock(&mut a, T, mode).unwrap();
    }
    assert_eq!((held(&engine).len(), in_table(&engine)), (5, 1));
    assert_eq!(engine.lock_table.weak.counted(), 2);
    assert!(!try_lock(&mut b, T, AccessShare));
    a.rollback_to(savepoint).unwrap();
    assert_eq!(held(&engine), [(a.id(), T, RowExclusive)]);
    assert!(try_lock(&mut b, T, AccessShare));
    assert!(!try_lock(&mut b, T, Share));
    drop((a, b));
    assert_idle(&engine);
}

#[test]
fn a_commit_that_is_not_settled_has_its_locks() {
    let engine = memory();
    let (mut a, mut b) = (begin(&engine), begin(&engine));
    lock(&mut a, T, AccessShare).unwrap();
    lock(&mut a, U, AccessShare).unwrap();
    assert!(!try_lock(&mut b, U, AccessExclusive));
    let expected = [(a.id(), T, AccessShare), (a.id(), U, AccessShare)];
    let ticket = a.commit().unwrap();
    assert_eq!(held(&engine), expected);
    for relation in [T, U] {
        assert!(!try_lock(&mut b, relation, AccessExclusive));
    }
    ticket.wait().unwrap();
    assert_eq!(held(&engine), []);
    for relation in [T, U] {
        assert!(try_lock(&mut b, relation, AccessExclusive));
    }
    drop(b);
    assert_idle(&engine);
}

#[test]
fn records_are_those_of_transactions_that_there_are() {
    let engine = memory();
    let records = || engine.lock_table.weak.record_count();
    let (mut a, mut b, mut c) = (begin(&engine), begin(&engine), begin(&engine));
    assert_eq!(records(), 3);
    lock(&mut a, T, RowExclusive).unwrap();
    lock(&mut b, T, AccessShare).unwrap();
    assert!(!try_lock(&mut c, T, AccessExclusive));
    drop(c);
    let ticket = b.commit().unwrap();
    assert_eq!(records(), 2);
    drop(ticket);
    assert_eq!(records(), 1);
    // The next transaction in its place has the record under its own id.
    a.end(crate::Durability::Flushed).unwrap();
    assert_idle(&engine);
    a.restart(IsolationLevel::ReadCommitted, false).unwrap();
    lock(&mut a, T, RowShare).unwrap();
    assert_eq!((held(&engine), records()), (vec![(a.id(), T, RowShare)], 1));
    drop(a);
    assert_eq!(records(), 0);
    assert_idle(&engine);
}

#[test]
fn a_transaction_has_locks_on_as_many_relations_as_it_likes() {
    let engine = memory();
    let (mut a, mut b) = (begin(&engine), begin(&engine));
    let relations = || (0..1000).map(|i| Oid(i * 7919 % 1000));
    for mode in [AccessShare, RowExclusive] {
        for relation in relations() {
            lock(&mut a, relation, mode).unwrap();
        }
        let savepoint = a.savepoint();
        for relation in relations() {
            lock(&mut a, relation, RowShare).unwrap();
        }
        a.rollback_to(savepoint).unwrap();
    }
    assert_eq!((held(&engine).len(), in_table(&engine)), (2000, 0));
    assert!(relations().all(|relation| !try_lock(&mut b, relation, AccessExclusive)));
    assert_eq!((held(&engine).len(), in_table(&engine)), (2000, 1000));
    a.rollback().unwrap();
    assert_idle(&engine);
}

/// Polls of one transaction's waits before the test says that it hangs.
const POLLS_MAX: u32 = 3000;

/// Looks for deadlocks early.
#[derive(Default)]
struct Hasty {
    polls: AtomicU32,
}

impl Interrupt for Hasty {
    fn check(&self) -> Result<()> {
        if self.polls.fetch_add(1, Ordering::Relaxed) < POLLS_MAX {
            return Ok(());
        }
        Err(Error::internal("nobody gives the lock back"))
    }

    fn deadlock_wait(&self) -> Duration {
        Duration::from_millis(1)
    }
}

const THREADS: usize = 4;
const ROUNDS: usize = 30_000;

/// Modes that one thread holds on each relation, as bits.
type Modes = [u8; 3];

/// What each thread says that it holds.
#[derive(Default)]
struct Inside(Mutex<[Modes; THREADS]>);

impl Inside {
    /// The thread holds this now, and perhaps less than before.
    fn set(&self, thread: usize, modes: Modes) {
        let mut inside = self.0.lock();
        inside[thread] = modes;
        for other in (0..THREADS).filter(|other| *other != thread) {
            for (mine, theirs) in modes.iter().zip(&inside[other]) {
                for mode in TableLock::ALL.into_iter().filter(|mode| mine & mode.bit() != 0) {
                    let both = CONFLICTS[mode as usize] & theirs;
                    assert_eq!(both, 0, "{thread} has {} beside {other}", mode.name());
                }
            }
        }
    }
}

/// A thread that takes locks.
struct Locker {
    engine: Arc<Engine>,
    relations: [Oid; 3],
    inside: Arc<Inside>,
    thread: usize,
    random: SeededRandom,
    modes: Modes,
    savepoint: Option<(Savepoint, Modes)>,
    refused: usize,
    deadlocks: usize,
}

impl Locker {
    fn begin(&self) -> Txn {
        let mut txn = begin(&self.engine);
        txn.set_interrupt(Arc::new(Hasty::default()));
        txn
    }

    /// Says what it holds, before it gives back or after it has got something.
    fn say(&mut self, modes: Modes) {
        self.modes = modes;
        self.inside.set(self.thread, modes);
    }

    /// Weak modes more often than not.
    fn mode(&self) -> TableLock {
        let count = if self.random.below(4) == 0 { TableLock::ALL.len() } else { 3 };
        TableLock::ALL[self.random.below(count as u64) as usize]
    }

    /// Whether the transaction is still of use.
    fn lock(&mut self, txn: &mut Txn) -> bool {
        let (at, mode) = (self.random.below(3) as usize, self.mode());
        let tag = LockTag::Relation(self.relations[at]);
        match txn.lock_relation(tag, mode, self.random.below(2) == 0) {
            Ok(()) => {
                let mut modes = self.modes;
                modes[at] |= mode.bit();
                self.say(modes);
            }
            Err(error) if error.sqlstate() == SqlState::LOCK_NOT_AVAILABLE => self.refused += 1,
            Err(error) => {
                assert_eq!(error.sqlstate(), SqlState::DEADLOCK_DETECTED, "{error}");
                self.deadlocks += 1;
                return false;
            }
        }
        true
    }

    fn savepoint(&mut self, txn: &mut Txn) {
        match self.savepoint.take() {
            Some((savepoint, modes)) => {
                self.say(modes);
                txn.rollback_to(savepoint).unwrap();
            }
            None => self.savepoint = Some((txn.savepoint(), self.modes)),
        }
    }

    /// The engine says that the transaction holds what it should.
    fn look(&self, txn: &Txn) {
        let held = held(&self.engine).into_iter().filter(|(owner, ..)| *owner == txn.id());
        let mut expected = vec![];
        for (relation, modes) in self.relations.iter().zip(self.modes) {
            let modes = TableLock::ALL.into_iter().filter(|mode| modes & mode.bit() != 0);
            expected.extend(modes.map(|mode| (txn.id(), *relation, mode)));
        }
        expected.sort_unstable();
        assert_eq!(held.collect::<Vec<_>>(), expected);
    }

    /// Ends the transaction in some way; it may go on with another in its place.
    fn end(&mut self, mut txn: Txn) -> Txn {
        self.savepoint = None;
        self.say(Modes::default());
        match self.random.below(4) {
            0 => txn.commit().and_then(crate::CommitTicket::wait).unwrap(),
            1 => txn.rollback().unwrap(),
            2 => drop(txn),
            _ => {
                txn.end(crate::Durability::Flushed).unwrap();
                txn.restart(IsolationLevel::ReadCommitted, false).unwrap();
                return txn;
            }
        }
        self.begin()
    }

    fn run(mut self) -> (usize, usize) {
        let mut txn = self.begin();
        for _ in 0..ROUNDS {
            for _ in 0..=self.random.below(6) {
                match self.random.below(8) {
                    0 => self.savepoint(&mut txn),
                    1 => self.look(&txn),
                    2 => thread::yield_now(),
                    _ => {
                        if !self.lock(&mut txn) {
                            break;
                        }
                    }
                }
            }
            txn = self.end(txn);
        }
        (self.refused, self.deadlocks)
    }
}

#[test]
fn threads_never_hold_what_conflicts() {
    let engine = memory();
    let inside = Arc::<Inside>::default();
    // Two of the relations have one counter.
    let twin = (3..100_000).map(Oid).find(|oid| counter_index(*oid) == counter_index(T));
    let relations = [T, U, twin.expect("there are more relations than counters")];
    let lockers = (0..THREADS).map(|thread| Locker {
        engine: Arc::clone(&engine),
        relations,
        inside: Arc::clone(&inside),
        thread,
        random: SeededRandom::new(thread as u64),
        modes: Modes::default(),
        savepoint: None,
        refused: 0,
        deadlocks: 0,
    });
    let lockers: Vec<_> = lockers.map(|locker| thread::spawn(move || locker.run())).collect();
    let outcomes = lockers.into_iter().map(|locker| locker.join().unwrap());
    let (refused, deadlocks): (Vec<_>, Vec<_>) = outcomes.unzip();
    // It was not all quiet.
    assert!(refused.iter().sum::<usize>() > 100, "{refused:?} {deadlocks:?}");
    assert!(engine.metrics().lock_waits > 100);
    assert_idle(&engine);
}
