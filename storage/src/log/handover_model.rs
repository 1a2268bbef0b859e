//! The handover under schedules that a model checker chooses: [`handover`](super::handover)'s own file, on its mutex, atomics and threads.
//!
//! Committers append and wait, some without waiting, one may fail to write or panic; there are one to three lanes. Checked is that
//! everybody comes back (a deadlock fails the model), that nothing is acknowledged that no write covered or that an earlier write that is
//! not done should have covered, that one writes at a time in a lane and one puts in order, in the order of the stream, and that a failure
//! reaches all whom it concerns. Planted defects must be found.

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
/// Things that they append, each twice.
const APPENDED_MAX: usize = 2 * COMMITTERS as usize + 1;
/// Lanes of the largest case.
const LANES: usize = 3;

/// Collects how far it goes, from where.
struct Numbers {
    taken: u64,
    appended: u64,
}

impl Collect for Numbers {
    /// Behind which number, and up to which.
    type Batch = (u64, u64);
    type Mark = u64;

    fn take(&mut self) -> ((u64, u64), u64) {
        let from = std::mem::replace(&mut self.taken, self.appended);
        ((from, self.appended), self.appended)
    }

    fn put_back(&mut self, _batch: (u64, u64)) {}
}

/// The disk: what has been written, and by whom at the moment.
struct Disk {
    is_written: [AtomicBool; APPENDED_MAX],
    is_writing: [AtomicBool; LANES],
    /// How far what was taken is put in order.
    ordered: AtomicU64,
    /// The last mark that was reached.
    reached: AtomicU64,
    writes: AtomicU64,
    /// The write of this number fails.
    fails_at: Option<u64>,
}

impl Disk {
    fn new(fails_at: Option<u64>) -> Self {
        Self {
            is_written: Default::default(),
            is_writing: Default::default(),
            ordered: AtomicU64::new(0),
            reached: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            fails_at,
        }
    }

    /// Puts a batch in order.
    fn order(&self, (from, up_to): (u64, u64)) {
        let before = self.ordered.load(Ordering::SeqCst);
        assert_eq!(before, from, "batches are put in order one after another");
        thread::yield_now();
        assert_eq!(self.ordered.swap(up_to, Ordering::SeqCst), from, "two put in order at once");
    }

    fn write(&self, (from, up_to): (u64, u64), lane: usize) -> bool {
        let is_writing = &self.is_writing[lane];
        assert!(!is_writing.swap(true, Ordering::SeqCst), "two write at once in a lane");
        thread::yield_now();
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let is_done = self.fails_at != Some(number);
        if is_done {
            (from..up_to).for_each(|i| self.is_written[i as usize].store(true, Ordering::SeqCst));
        }
        is_writing.store(false, Ordering::SeqCst);
        is_done
    }

    /// How far all is written.
    fn written(&self) -> u64 {
        let is_written = |is: &AtomicBool| is.load(Ordering::SeqCst);
        self.is_written.iter().take_while(|is| is_written(is)).count() as u64
    }

    fn reach(&self, mark: u64) {
        let before = self.reached.swap(mark, Ordering::SeqCst);
        assert!(before < mark && mark <= self.written(), "{mark} is reached after {before}");
    }
}

/// Whether everything up to `position` was made durable.
fn flush(handover: &Handover<Numbers>, disk: &Disk, position: u64) -> bool {
    loop {
        match handover.turn(position) {
            Turn::Durable => return true,
            Turn::Broken => return false,
            Turn::Lead(mut leader) => {
                let batch = *leader.batch();
                disk.order(batch);
                leader.begun();
                if !disk.write(batch, leader.lane()) {
                    return false;
                }
                leader.succeed(|mark| disk.reach(*mark));
            }
        }
    }
}

fn append(handover: &Handover<Numbers>) -> u64 {
    handover.expect_writer();
    thread::yield_now();
    handover.unexpect_writer();
    handover.append(|numbers| {
        numbers.appended += 1;
        1
    })
}

fn new_handover(lane_count: usize) -> Arc<Handover<Numbers>> {
    Arc::new(Handover::new(0, Numbers { taken: 0, appended: 0 }, lane_count))
}

/// Committers that come back twice each; number 0 does not wait the first time.
fn committers(lane_count: usize, fails_at: Option<u64>, skips_order: bool) {
    let handover = new_handover(lane_count);
    handover.skip_order(skips_order);
    let disk = Arc::new(Disk::new(fails_at));
    let threads = (0..COMMITTERS).map(|number| {
        let (handover, disk) = (Arc::clone(&handover), Arc::clone(&disk));
        thread::spawn(move || {
            for round in 0..2 {
                let position = append(&handover);
                if (number, round) == (0, 0) {
                    continue;
                }
                if flush(&handover, &disk, position) {
                    let written = disk.written();
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
    let is_durable = flush(&handover, &disk, all);
    assert_eq!(is_durable, disk.written() == all);
    assert_eq!(handover.durable(), disk.reached.load(Ordering::SeqCst));
    assert!(!is_durable || handover.durable() == all);
    assert!(disk.writes.load(Ordering::SeqCst) <= all);
}

#[test]
fn everybody_comes_back_and_nothing_is_acknowledged_early() {
    for lane_count in 1..=LANES {
        shuttle::check_random(move || committers(lane_count, None, false), SCHEDULES);
        shuttle::check_pct(move || committers(lane_count, None, false), SCHEDULES, 3);
    }
}

#[test]
fn a_failed_write_reaches_everybody() {
    for lane_count in 1..=LANES {
        for fails_at in [0, 1, 2] {
            let case = move || committers(lane_count, Some(fails_at), false);
            shuttle::check_random(case, SCHEDULES);
        }
    }
}

/// A flush that is acknowledged with a later one is not written yet: the model finds that.
#[test]
#[should_panic(expected = "is reached after")]
fn an_acknowledgement_before_an_earlier_one_is_found() {
    shuttle::check_random(|| committers(2, None, true), SCHEDULES);
}

/// Flights that end in the other order, step by step: who is covered sleeps until all before is done, and is woken then.
#[test]
fn flights_are_acknowledged_in_their_order() {
    let case = || {
        let handover = new_handover(2);
        let disk = Arc::new(Disk::new(None));
        let mut flights = Vec::new();
        for _ in 0..2 {
            append(&handover);
            let mut leader = handover.try_lead().expect("a lane is free");
            disk.order(*leader.batch());
            leader.begun();
            flights.push(leader);
        }
        let third = append(&handover);
        assert!(handover.try_lead().is_none(), "no lane is free");
        let waits: Vec<_> = (1..=third)
            .map(|position| {
                let (handover, disk) = (Arc::clone(&handover), Arc::clone(&disk));
                thread::spawn(move || assert!(flush(&handover, &disk, position)))
            })
            .collect();
        let later = flights.pop().unwrap();
        assert!(disk.write(*later.batch(), later.lane()));
        later.succeed(|_| panic!("it is not reached"));
        assert_eq!(handover.durable(), 0);
        let earlier = flights.pop().unwrap();
        assert!(disk.write(*earlier.batch(), earlier.lane()));
        earlier.succeed(|mark| disk.reach(*mark));
        for thread in waits {
            thread.join().unwrap();
        }
        assert_eq!(handover.durable(), third);
    };
    shuttle::check_random(case, SCHEDULES);
}

/// Who waits for a lane while another puts its batch in order leads as soon as that is done, not when it is written.
#[test]
fn a_free_lane_is_handed_on_when_a_flight_has_begun() {
    let case = || {
        let handover = new_handover(2);
        let disk = Arc::new(Disk::new(None));
        append(&handover);
        let mut first = handover.try_lead().expect("a lane is free");
        let waits = {
            let (handover, disk) = (Arc::clone(&handover), Arc::clone(&disk));
            thread::spawn(move || {
                let position = append(&handover);
                let Turn::Lead(mut leader) = handover.turn(position) else { panic!("nobody else") };
                disk.order(*leader.batch());
                leader.begun();
                assert!(disk.write(*leader.batch(), leader.lane()));
                leader.succeed(|_| panic!("it is not reached"));
            })
        };
        thread::yield_now();
        disk.order(*first.batch());
        first.begun();
        waits.join().unwrap();
        assert!(disk.write(*first.batch(), first.lane()));
        first.succeed(|mark| disk.reach(*mark));
        assert_eq!(handover.durable(), 2);
    };
    shuttle::check_random(case, SCHEDULES);
}

/// A flight begins beside another when as much has collected as is under way there, and not before.
#[test]
fn a_flight_begins_beside_another_when_it_is_as_large() {
    let case = || {
        let handover = new_handover(2);
        let disk = Arc::new(Disk::new(None));
        append(&handover);
        append(&handover);
        let mut first = handover.try_lead().expect("a lane is free");
        disk.order(*first.batch());
        first.begun();
        let committers: Vec<_> = (0..2)
            .map(|_| {
                let (handover, disk) = (Arc::clone(&handover), Arc::clone(&disk));
                thread::spawn(move || {
                    let position = append(&handover);
                    if let Turn::Lead(mut leader) = handover.turn(position) {
                        assert_eq!(*leader.batch(), (2, 4), "one alone waits for the other");
                        disk.order(*leader.batch());
                        leader.begun();
                        assert!(disk.write(*leader.batch(), leader.lane()));
                        leader.succeed(|mark| disk.reach(*mark));
                    }
                })
            })
            .collect();
        // Nobody waits for the first before both have come.
        while !disk.is_written[3].load(Ordering::SeqCst) {
            thread::yield_now();
        }
        assert!(disk.write(*first.batch(), first.lane()));
        first.succeed(|mark| disk.reach(*mark));
        for committer in committers {
            committer.join().unwrap();
        }
        assert_eq!(handover.durable(), 4);
    };
    shuttle::check_random(case, SCHEDULES);
}

/// A failed flight takes those behind it along, and none before it.
#[test]
fn a_failure_leaves_what_is_before_it() {
    let case = || {
        let handover = new_handover(3);
        let mut flights = Vec::new();
        for _ in 0..3 {
            append(&handover);
            let mut leader = handover.try_lead().expect("a lane is free");
            leader.begun();
            flights.push(leader);
        }
        let waits: Vec<_> = (1..=3)
            .map(|position| {
                let handover = Arc::clone(&handover);
                thread::spawn(move || match handover.turn(position) {
                    Turn::Durable => true,
                    Turn::Broken => false,
                    Turn::Lead(_) => panic!("all is under way"),
                })
            })
            .collect();
        let last = flights.pop().unwrap();
        drop(flights.pop());
        last.succeed(|_| panic!("it is behind one that failed"));
        flights.pop().unwrap().succeed(|mark| assert_eq!(*mark, 1));
        let durable: Vec<bool> = waits.into_iter().map(|wait| wait.join().unwrap()).collect();
        assert_eq!(durable, [true, false, false]);
        let position = append(&handover);
        assert!(matches!(handover.turn(position), Turn::Broken));
        assert!(handover.try_lead().is_none());
        assert_eq!(handover.durable(), 1);
    };
    shuttle::check_random(case, SCHEDULES);
}

/// A leader that panics has not written: whoever waits is told.
#[test]
fn a_panic_breaks_it() {
    let case = || {
        let handover = new_handover(2);
        append(&handover);
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _leader = handover.try_lead();
            std::panic::resume_unwind(Box::new("planted"));
        }));
        assert!(panics.is_err());
        assert!(matches!(handover.turn(1), Turn::Broken));
    };
    shuttle::check_random(case, 100);
}

/// Waiters for the next write who are not told to write sleep for ever: the model finds that.
#[test]
#[should_panic(expected = "deadlock")]
fn a_lost_handover_is_found() {
    let lost = || {
        let handover = new_handover(1);
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
