//! Weak locks under schedules that a model checker chooses: [`weak`](super::weak)'s own file, on its mutex and atomics, beside a table of
//! one entry.
//!
//! Checked is that no two ever hold what conflicts, that everybody gets on (a deadlock fails the model), and that nothing is left in
//! the end. A move that does not reach the table must be found.

use super::CONFLICTS;
use super::TableLock::{
    self, AccessExclusive, AccessShare, RowExclusive, Share, ShareUpdateExclusive,
};
use damask_types::{Error, Oid, Result, SqlState, TxnId};
use shuttle::sync::Condvar;
use shuttle::thread;
use std::sync::Arc;

/// What weak locks run on here.
mod sync {
    pub(super) use shuttle::sync::MutexGuard;
    pub(super) use shuttle::sync::atomic::{AtomicU32, Ordering};

    /// A mutex that does without poisoning.
    pub(super) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

#[expect(dead_code, reason = "the model uses a part of it")]
#[path = "weak.rs"]
mod modelled;

use modelled::{Shared, Strength, WeakLocks};

/// Schedules tried of each case.
const SCHEDULES: usize = 2_000;
const T: Oid = Oid(1);

/// Modes by holder, as bits.
type Holders = Vec<(TxnId, u8)>;

fn add(holders: &mut Holders, txn: TxnId, modes: u8) {
    match holders.iter_mut().find(|(holder, _)| *holder == txn) {
        Some((_, held)) => *held |= modes,
        None => holders.push((txn, modes)),
    }
}

fn remove(holders: &mut Holders, txn: TxnId, mode: TableLock) {
    for (holder, held) in holders.iter_mut() {
        if *holder == txn {
            assert!(*held & mode.bit() != 0, "it is held");
            *held &= !mode.bit();
        }
    }
    holders.retain(|(_, held)| *held != 0);
}

fn is_free(holders: &Holders, txn: TxnId, mode: TableLock) -> bool {
    let conflicts = CONFLICTS[mode as usize];
    holders.iter().all(|(holder, held)| *holder == txn || held & conflicts == 0)
}

/// A lock table in small.
struct World {
    weak: Arc<Shared>,
    table: sync::Mutex<Holders>,
    changed: Condvar,
    /// What each says that he holds, after he got it and until before he gives it back.
    inside: sync::Mutex<Holders>,
    /// Moved locks get lost.
    is_planted: bool,
}

impl World {
    fn ask(&self, txn: TxnId, mode: TableLock, wait: bool) -> Result<bool> {
        let mut holders = self.table.lock();
        while !is_free(&holders, txn, mode) {
            if !wait {
                return Err(Error::new(SqlState::LOCK_NOT_AVAILABLE, "could not obtain lock"));
            }
            holders = self.changed.wait(holders).unwrap();
        }
        let held = holders.iter().find(|(holder, _)| *holder == txn).map_or(0, |(_, held)| *held);
        add(&mut holders, txn, mode.bit());
        Ok(held & mode.bit() == 0)
    }

    /// As `LockTable::lock_for_txn`.
    fn lock(&self, own: &WeakLocks, txn: TxnId, mode: TableLock, wait: bool) -> Result<()> {
        let is_new = match Strength::of(mode) {
            Strength::Weak => own.take(txn, T, mode, || self.ask(txn, mode, wait))?,
            Strength::Between => self.ask(txn, mode, wait)?,
            Strength::Strong => {
                let announced = self.weak.announce(T, |owner, modes| {
                    if !self.is_planted {
                        add(&mut self.table.lock(), owner, modes);
                    }
                });
                let is_new = self.ask(txn, mode, wait)?;
                announced.keep();
                is_new
            }
        };
        assert!(is_new, "each asks for a mode once");
        let mut inside = self.inside.lock();
        assert!(is_free(&inside, txn, mode), "two hold what conflicts");
        add(&mut inside, txn, mode.bit());
        Ok(())
    }

    /// As `LockTable::release_for_txn`.
    fn release(&self, own: &WeakLocks, txn: TxnId, mode: TableLock) {
        remove(&mut self.inside.lock(), txn, mode);
        let is_there = match Strength::of(mode) {
            Strength::Weak => own.give_back(T, mode),
            Strength::Between | Strength::Strong => true,
        };
        if is_there {
            remove(&mut self.table.lock(), txn, mode);
            self.changed.notify_all();
        }
        if Strength::of(mode) == Strength::Strong {
            self.weak.withdraw(T);
        }
    }

    /// A session: one transaction after the other, each with these modes, in turn.
    fn session(&self, number: u64, modes: &[TableLock], wait: bool) {
        let own = WeakLocks::new(&self.weak, TxnId(number));
        for txn in [number, number + 10].map(TxnId) {
            let locked = |mode: &&TableLock| self.lock(&own, txn, **mode, wait).is_ok();
            let held: Vec<_> = modes.iter().filter(locked).collect();
            for mode in held {
                self.release(&own, txn, *mode);
            }
        }
    }
}

/// Sessions that take these modes, and wait or do not.
fn sessions(cases: &[(&'static [TableLock], bool)], is_planted: bool) {
    let world = Arc::new(World {
        weak: Arc::new(Shared::new()),
        table: sync::Mutex::new(vec![]),
        changed: Condvar::new(),
        inside: sync::Mutex::new(vec![]),
        is_planted,
    });
    let threads = (1..).zip(cases).map(|(number, &(modes, wait))| {
        let world = Arc::clone(&world);
        thread::spawn(move || world.session(number, modes, wait))
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(world.table.lock().is_empty(), "everything was given back");
    assert_eq!((world.weak.counted(), world.weak.record_count()), (0, 0));
}

#[test]
fn no_two_hold_what_conflicts() {
    const READERS_AND_AN_OWNER: [(&[TableLock], bool); 3] =
        [(&[AccessShare], true), (&[AccessExclusive], true), (&[AccessShare], true)];
    const WRITERS_AND_OWNERS: [(&[TableLock], bool); 3] =
        [(&[RowExclusive, AccessShare], true), (&[Share], true), (&[AccessExclusive], false)];
    const WHO_ASKS_FOR_MORE: [(&[TableLock], bool); 3] = [
        (&[AccessShare, Share], false),
        (&[RowExclusive, AccessExclusive], false),
        (&[ShareUpdateExclusive, AccessShare], true),
    ];
    for cases in [READERS_AND_AN_OWNER, WRITERS_AND_OWNERS, WHO_ASKS_FOR_MORE] {
        shuttle::check_random(move || sessions(&cases, false), SCHEDULES);
        shuttle::check_pct(move || sessions(&cases, false), SCHEDULES, 3);
    }
}

#[test]
#[should_panic(expected = "two hold what conflicts")]
fn a_move_that_gets_lost_is_found() {
    const CASES: [(&[TableLock], bool); 2] = [(&[AccessShare], true), (&[AccessExclusive], true)];
    shuttle::check_random(|| sessions(&CASES, true), SCHEDULES);
}
