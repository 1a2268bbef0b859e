//! The hand-overs under schedules that a model checker chooses: [`turn`](super::turn)'s and [`crew`](super::crew)'s own files, on its
//! mutex, atomics and threads.
//!
//! Checked is that no signal is lost and no task is run by two (R1), that there are never more permits than there may be (C1), and that
//! everything is served though tasks wait for tasks that come after them (R2), by workers that rest, too (C4). A crew that nobody watches must be
//! found, and one that nobody rouses.

use shuttle::sync::Condvar;
use shuttle::thread::{self, JoinHandle};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What the files run on here.
mod sync {
    pub(super) use shuttle::sync::MutexGuard;
    pub(super) use shuttle::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering,
    };
    pub(super) use shuttle::thread::{Thread, current, park, park_timeout};

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
#[path = "crew.rs"]
mod crew;
#[path = "turn.rs"]
mod turn;

use crew::{Crew, Seat};
use turn::Turn;

/// Schedules tried of each case.
const SCHEDULES: usize = 2_000;
const KEEP: Duration = Duration::ZERO;

/// One task, to which things happen.
struct Inbox {
    turn: Turn,
    arrived: sync::AtomicU64,
    seen: AtomicU64,
    is_running: AtomicBool,
}

impl Inbox {
    /// Something happens, and whoever becomes the owner looks.
    fn happen(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        if self.turn.signal() {
            assert!(!self.is_running.swap(true, Ordering::SeqCst), "two own it");
            loop {
                self.turn.begin();
                let arrived = self.arrived.load(Ordering::SeqCst);
                thread::yield_now();
                self.seen.store(arrived, Ordering::SeqCst);
                self.is_running.store(false, Ordering::SeqCst);
                if self.turn.release() {
                    break;
                }
                assert!(!self.is_running.swap(true, Ordering::SeqCst), "two own it");
            }
        }
    }
}

#[test]
fn no_signal_is_lost_and_nobody_runs_twice() {
    let signals = || {
        let inbox = Arc::new(Inbox {
            turn: Turn::new(),
            arrived: sync::AtomicU64::new(0),
            seen: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
        });
        let threads = (0..3).map(|_| {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                inbox.happen();
                inbox.happen();
            })
        });
        let threads: Vec<_> = threads.collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(inbox.seen.load(Ordering::SeqCst), 6);
        assert!(!inbox.turn.is_owned());
    };
    shuttle::check_random(signals, SCHEDULES);
    shuttle::check_pct(signals, SCHEDULES, 3);
}

/// What a worker is given to do.
#[derive(Clone, Copy)]
enum Job {
    /// Waits until another job has opened the gate. Announced, or to be noticed.
    Wait { is_announced: bool },
    /// Opens the gate.
    Open,
}

/// A pool in small: a list instead of sockets, a gate instead of locks.
struct World {
    crew: Crew,
    /// None when there is nothing to come.
    jobs: sync::Mutex<Option<VecDeque<Job>>>,
    came: Condvar,
    gate: sync::Mutex<bool>,
    opened: Condvar,
    left: AtomicUsize,
    threads: sync::Mutex<Vec<JoinHandle<()>>>,
}

impl World {
    fn take(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            match &mut *jobs {
                None => return None,
                Some(waiting) => match waiting.pop_front() {
                    Some(job) => return Some(job),
                    None => jobs = self.came.wait(jobs).unwrap(),
                },
            }
        }
    }

    fn spawn(self: &Arc<Self>, node: usize) {
        let world = Arc::clone(self);
        let thread = thread::spawn(move || world.work(node));
        self.threads.lock().push(thread);
    }

    fn work(self: Arc<Self>, node: usize) {
        let seat = self.crew.join(node);
        let enough = || self.left.load(Ordering::SeqCst).max(1);
        loop {
            match self.crew.poll(&seat, enough, || false, || self.take()) {
                // It has rested.
                None => {}
                Some(None) => break,
                Some(Some(job)) => {
                    seat.begin();
                    self.run(job, &seat);
                    self.left.fetch_sub(1, Ordering::SeqCst);
                    if !self.crew.end(&seat, KEEP) {
                        return;
                    }
                }
            }
        }
        self.crew.leave(&seat);
    }

    /// One more job, which somebody is roused for if there are others.
    fn add(&self, job: Job, rouses: bool) {
        let others = self.left.fetch_add(1, Ordering::SeqCst);
        if rouses && others > 0 {
            self.crew.rouse();
        }
        self.jobs.lock().as_mut().expect("there is more to come").push_back(job);
        self.came.notify_one();
    }

    fn run(self: &Arc<Self>, job: Job, seat: &Seat) {
        match job {
            Job::Open => {
                *self.gate.lock() = true;
                self.opened.notify_all();
            }
            Job::Wait { is_announced } => {
                let hands_over = is_announced && self.crew.is_unpolled() && !self.crew.rouse();
                if hands_over && let Some(node) = self.crew.detach(seat, seat.word()) {
                    self.spawn(node);
                }
                let mut is_open = self.gate.lock();
                while !*is_open {
                    is_open = self.opened.wait(is_open).unwrap();
                }
            }
        }
    }

    /// The watch thread: looks until all is done.
    fn watch(self: &Arc<Self>) {
        let mut seen = Vec::new();
        while self.left.load(Ordering::SeqCst) > 0 {
            if self.crew.is_unpolled() {
                if !self.crew.rouse() {
                    for node in self.crew.detach_stuck(&mut seen) {
                        self.spawn(node);
                    }
                }
            } else {
                seen.clear();
            }
            thread::yield_now();
        }
    }
}

/// Workers with all permits, and what they have to do.
fn start(permits: usize, jobs: &[Job]) -> Arc<World> {
    let world = Arc::new(World {
        crew: Crew::new((0..permits).collect()),
        jobs: sync::Mutex::new(Some(jobs.iter().copied().collect())),
        came: Condvar::new(),
        gate: sync::Mutex::new(false),
        opened: Condvar::new(),
        left: AtomicUsize::new(jobs.len()),
        threads: sync::Mutex::new(Vec::new()),
    });
    while let Some(node) = world.crew.reserve() {
        world.spawn(node);
    }
    world
}

/// Waits until all is done, which nobody watches.
fn wait(world: &World) {
    while world.left.load(Ordering::SeqCst) > 0 {
        // Another job opens the gate: whoever waits for all of them waits with them.
        let is_open = world.gate.lock();
        if !*is_open {
            drop(world.opened.wait(is_open).unwrap());
        }
        thread::yield_now();
    }
}

/// All is done: sends the workers home.
fn finish(world: &World, permits: usize) {
    *world.jobs.lock() = None;
    world.crew.dismiss();
    world.came.notify_all();
    loop {
        let Some(thread) = world.threads.lock().pop() else { break };
        thread.join().unwrap();
    }
    assert_eq!(world.crew.nodes_left(), (0..permits).collect::<Vec<_>>(), "C3");
}

fn serve(permits: usize, jobs: &[Job], is_watched: bool) {
    let world = start(permits, jobs);
    if is_watched {
        world.watch();
    } else {
        wait(&world);
    }
    assert!(world.threads.lock().len() <= permits + jobs.len(), "too many threads");
    finish(&world, permits);
}

/// A job for each worker, which come one after the other while the workers rest.
fn arrive(permits: usize, rouses: bool) {
    let world = start(permits, &[]);
    for _ in 1..permits {
        world.add(NOTICED, rouses);
    }
    world.add(Job::Open, rouses);
    wait(&world);
    assert_eq!(world.threads.lock().len(), permits);
    finish(&world, permits);
}

const NOTICED: Job = Job::Wait { is_announced: false };
const ANNOUNCED: Job = Job::Wait { is_announced: true };

#[test]
fn what_others_wait_for_is_served() {
    for permits in [1, 2] {
        for jobs in [
            [NOTICED, NOTICED, NOTICED, Job::Open],
            [ANNOUNCED, ANNOUNCED, ANNOUNCED, Job::Open],
            [ANNOUNCED, NOTICED, ANNOUNCED, Job::Open],
        ] {
            shuttle::check_random(move || serve(permits, &jobs, true), SCHEDULES);
        }
    }
}

#[test]
fn announced_waits_need_no_watch() {
    let jobs = [ANNOUNCED, ANNOUNCED, Job::Open];
    shuttle::check_random(move || serve(1, &jobs, false), SCHEDULES);
}

#[test]
fn those_who_rest_are_roused() {
    for permits in [2, 3] {
        shuttle::check_random(move || arrive(permits, true), SCHEDULES);
        shuttle::check_pct(move || arrive(permits, true), SCHEDULES, 3);
    }
}

/// A job that nobody is roused for, while others wait for it: the model finds that.
#[test]
#[should_panic(expected = "deadlock")]
fn a_crew_that_goes_on_resting_is_found() {
    shuttle::check_random(|| arrive(2, false), SCHEDULES);
}

/// More waits than permits, nobody to notice: the model finds that.
#[test]
#[should_panic(expected = "deadlock")]
fn a_crew_that_nobody_watches_is_found() {
    shuttle::check_random(|| serve(1, &[NOTICED, Job::Open], false), SCHEDULES);
}
