//! The handover under schedules that a model checker chooses: [`handover`](super::handover)'s own file, on its mutex, atomics and threads.
//!
//! Committers append and wait, some without waiting, one may fail to write. Checked is that everybody comes back (a deadlock fails
//! the model), that nothing is acknowledged that no write covered, that one writes at a time, and that a failure reaches all. Planted
//! defects must be found.

use shuttle::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the handover runs on here.
mod sync {
    pub(super) use shuttle::sync::MutexGuard;
    pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(super) use shuttle::thread::{Thread, current, park, yield_now};

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
#[path = "handover.rs"]
mod modelled;

use modelled::{Collect, Handover, Turn};

/// Schedules tried of each case.
const SCHEDULES: usize = 2_000;
/// Committers at once.
const COMMITTERS: u64 = 4;

/// Collects how far it goes.
struct Numbers(u64);

impl Collect for Numbers {
    type Batch = u64;

    fn take(&mut self) -> u64 {
        self.0
    }

    fn put_back(&mut self, _batch: u64) {}
}

/// The disk: how far it has been written, and by how many at the moment.
#[derive(Default)]
struct Disk {
    written: AtomicU64,
    is_writing: AtomicBool,
    writes: AtomicU64,
    /// The write of this number fails.
    fails_at: Option<u64>,
}

impl Disk {
    fn write(&self, up_to: u64) -> bool {
        assert!(!self.is_writing.swap(true, Ordering::SeqCst), "two write at once");
        thread::yield_now();
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        if self.fails_at.is_none_or(|at| number < at) {
            self.written.store(up_to, Ordering::SeqCst);
        }
        self.is_writing.store(false, Ordering::SeqCst);
        self.fails_at.is_none_or(|at| number < at)
    }
}

/// Whether everything up to `position` was made durable.
fn flush(handover: &Handover<Numbers>, disk: &Disk, position: u64) -> bool {
    loop {
        match handover.turn(position) {
            Turn::Durable => return true,
            Turn::Broken => return false,
            Turn::Lead(leader) => {
                if !disk.write(*leader.batch()) {
                    return false;
                }
                leader.succeed();
            }
        }
    }
}

fn append(handover: &Handover<Numbers>) -> u64 {
    handover.expect_writer();
    thread::yield_now();
    handover.unexpect_writer();
    handover.append(|numbers| {
        numbers.0 += 1;
        1
    })
}

/// Committers that come back twice each; number 0 does not wait the first time.
fn committers(fails_at: Option<u64>) {
    let handover = Arc::new(Handover::new(0, Numbers(0)));
    let disk = Arc::new(Disk { fails_at, ..Disk::default() });
    let threads = (0..COMMITTERS).map(|number| {
        let (handover, disk) = (Arc::clone(&handover), Arc::clone(&disk));
        thread::spawn(move || {
            for round in 0..2 {
                let position = append(&handover);
                if (number, round) == (0, 0) {
                    continue;
                }
                if flush(&handover, &disk, position) {
                    let written = disk.written.load(Ordering::SeqCst);
                    assert!(written >= position, "{position} is acknowledged at {written}");
                } else {
                    assert!(disk.fails_at.is_some(), "only a failed write breaks it");
                }
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let all = COMMITTERS * 2;
    assert_eq!(flush(&handover, &disk, all), disk.written.load(Ordering::SeqCst) == all);
    assert!(fails_at.is_some() || disk.writes.load(Ordering::SeqCst) <= all);
}

#[test]
fn everybody_comes_back_and_nothing_is_acknowledged_early() {
    shuttle::check_random(|| committers(None), SCHEDULES);
    shuttle::check_pct(|| committers(None), SCHEDULES, 3);
}

#[test]
fn a_failed_write_reaches_everybody() {
    for fails_at in [0, 1, 2] {
        shuttle::check_random(move || committers(Some(fails_at)), SCHEDULES);
    }
}

/// Waiters for the next write who are not told to write sleep for ever: the model finds that.
#[test]
#[should_panic(expected = "deadlock")]
fn a_lost_handover_is_found() {
    let lost = || {
        let handover = Arc::new(Handover::new(0, Numbers(0)));
        let position = append(&handover);
        let Turn::Lead(leader) = handover.turn(position) else { panic!("nobody else is there") };
        let other = Arc::clone(&handover);
        let waits = thread::spawn(move || {
            let position = append(&other);
            let _ = other.turn(position);
        });
        // A leader that never ends: nobody is woken.
        waits.join().unwrap();
        drop(leader);
    };
    shuttle::check_random(lost, SCHEDULES);
}
