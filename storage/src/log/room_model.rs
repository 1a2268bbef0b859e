//! Promises of room under schedules that a model checker chooses: [`room`](super::room)'s own file, on its atomics.
//!
//! Committers have room promised, make it while the disk has some, and append or do without; some then write all that has collected, in
//! any lane. Checked is that a write always finds its room and leaves the block that is set aside, that nobody is refused while the disk has
//! room, and that nothing stays promised. A planted defect must be found.

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::Mutex;
use shuttle::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a room is of here.
mod sync {
    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};
}

use super::group;

#[expect(dead_code, reason = "the model uses a part of it")]
#[path = "room.rs"]
mod modelled;

use modelled::{RESTART_BYTES, Room};

/// Schedules tried of each case.
const SCHEDULES: usize = 3_000;
/// Committers at once.
const COMMITTERS: u64 = 4;
/// Lanes.
const LANES: usize = 2;
/// Bytes that each commit takes.
const COMMIT_BYTES: u64 = 10;

struct Files {
    room: Room,
    /// Bytes of each lane's files behind what is written, as they are. The lock is that of who makes room.
    growing: [Mutex<()>; LANES],
    ahead: [AtomicU64; LANES],
    /// Bytes that each lane may still grow by.
    disk: [AtomicU64; LANES],
    /// Commits that have collected, and those that are written in each lane by one at a time.
    collected: Mutex<u64>,
    writing: [Mutex<()>; LANES],
    was_refused: AtomicBool,
}

impl Files {
    fn new(disk_bytes: u64, promises_all: bool) -> Self {
        let room = Room::new(LANES);
        room.promises_all.store(promises_all, Ordering::Relaxed);
        Self {
            room,
            growing: Default::default(),
            ahead: Default::default(),
            disk: std::array::from_fn(|_| AtomicU64::new(disk_bytes)),
            collected: Mutex::new(0),
            writing: Default::default(),
            was_refused: AtomicBool::new(false),
        }
    }

    /// Makes what is missing; whether the disk had it.
    fn grow(&self) -> bool {
        let mut had = true;
        for (lane, growing) in self.growing.iter().enumerate() {
            let _growing = growing.lock().unwrap();
            let missing = self.room.needed().saturating_sub(self.room.ahead(lane));
            let left = self.disk[lane].load(Ordering::Relaxed);
            if missing > left {
                had = false;
                continue;
            }
            self.disk[lane].store(left - missing, Ordering::Relaxed);
            self.ahead[lane].fetch_add(missing, Ordering::Relaxed);
            self.room.made(lane, missing);
        }
        had
    }

    /// Whether there is room for a commit.
    fn reserve(&self) -> bool {
        let promise = self.room.promise(COMMIT_BYTES);
        loop {
            let had = self.room.keeps(promise, 0) || self.grow();
            if self.room.keeps(promise, 0) {
                return true;
            }
            if !had {
                self.room.take_back(promise.bytes);
                return false;
            }
        }
    }

    /// Writes what has collected, which may take less than was promised.
    fn write(&self, lane: usize) {
        let _writing = self.writing[lane].lock().unwrap();
        let count = std::mem::take(&mut *self.collected.lock().unwrap());
        if count == 0 {
            return;
        }
        let bytes = count * COMMIT_BYTES - count / 2;
        let before = self.ahead[lane].fetch_sub(bytes, Ordering::Relaxed);
        assert!(before >= bytes + RESTART_BYTES, "{bytes} are written, {before} are there");
        self.room.written(lane, bytes, count * COMMIT_BYTES);
    }
}

/// Committers that come three times each on a disk that has room for so many commits in each lane.
fn committers(commits: u64, promises_all: bool) {
    let files = Arc::new(Files::new(RESTART_BYTES + commits * COMMIT_BYTES, promises_all));
    let threads = (0..COMMITTERS).map(|_| {
        let files = Arc::clone(&files);
        thread::spawn(move || {
            for _ in 0..3 {
                if !files.reserve() {
                    files.was_refused.store(true, Ordering::Relaxed);
                    continue;
                }
                *files.collected.lock().unwrap() += 1;
                if thread_rng().gen_bool(0.5) {
                    files.write(thread_rng().gen_range(0..LANES));
                }
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        thread.join().unwrap();
    }
    files.write(0);
    assert_eq!(files.room.needed(), RESTART_BYTES, "nothing is promised");
    let was_refused = files.was_refused.load(Ordering::Relaxed);
    // A bit more room than is needed is made beside one who writes.
    assert!(!was_refused || commits < 6 * COMMITTERS, "the disk had room for all");
}

#[test]
fn who_writes_finds_the_room_that_was_promised() {
    for commits in [1, 3, 6, 6 * COMMITTERS] {
        shuttle::check_random(move || committers(commits, false), SCHEDULES);
        shuttle::check_pct(move || committers(commits, false), SCHEDULES, 3);
    }
}

/// Promises that are not kept: the model finds that.
#[test]
#[should_panic(expected = "are there")]
fn a_promise_that_is_not_kept_is_found() {
    shuttle::check_random(|| committers(3, true), SCHEDULES);
}
