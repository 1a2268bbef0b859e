//! The world a database lives in: files, time, chance, background work, the machine's nodes and huge pages, each behind a trait, and how much
//! memory there is.
//!
//! Everything above this module asks an [`Env`], so a test can replace the disk by a simulated one, stand the clock
//! still and repeat every random choice. [`Env::real`] is the only code of the workspace that reads the machine's clock.
//!
//! Invariants
//! - E1: no code outside this module reads a clock, a random source or starts a thread for background work.
//! - E2: background work is a [`Step`] function; whoever owns the [`Spawn`] decides when it runs. [`InlineSpawn`] runs
//!   steps only when it is polled, so an embedded database needs no helper thread.
//!
//! Left out: a scheduler with priorities.

use crate::governor::Governor;
use crate::huge_pages::{self, HugePageSource, NoHugePages};
use crate::topology::{self, OneNode, Topology};
use crate::vfs::{IoMethod, MemoryVfs, OsVfs, Vfs, memory_bytes};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Microseconds between 1970-01-01 and 2000-01-01, PostgreSQL's epoch.
const UNIX_TO_2000_MICROS: i64 = 946_684_800_000_000;

/// Files, time, chance, background work and memory of one database.
#[derive(Clone)]
pub struct Env {
    /// Where files are.
    pub vfs: Arc<dyn Vfs>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where random bits come from.
    pub random: Arc<dyn Random>,
    /// Who runs background steps.
    pub spawn: Arc<dyn Spawn>,
    /// Who grants memory.
    pub memory: Arc<Governor>,
    /// Which memory is near whom.
    pub topology: Arc<dyn Topology>,
    /// Who is asked for huge pages.
    pub huge_pages: Arc<dyn HugePageSource>,
}

impl Env {
    /// The machine's files, clock, random source, nodes and huge pages; background steps run on threads of their own. Four fifths of the
    /// machine's memory may be held.
    pub fn real() -> Self {
        Self {
            vfs: Arc::new(OsVfs::default()),
            clock: Arc::new(RealClock),
            random: Arc::new(RealRandom),
            spawn: Arc::new(ThreadSpawn),
            memory: Arc::new(
                memory_bytes().map_or_else(Governor::default, |bytes| Governor::new(bytes / 5 * 4)),
            ),
            topology: topology::of_machine(),
            huge_pages: huge_pages::of_machine(),
        }
    }

    /// The machine's files, read by `method`, and all else as it was.
    #[must_use]
    pub fn with_io(self, method: IoMethod) -> Self {
        Self { vfs: Arc::new(OsVfs::new(method)), ..self }
    }

    /// Files in memory, a clock that moves only when someone sleeps, seeded chance, steps run when polled, memory without a limit, one
    /// node, no huge pages.
    ///
    /// Two environments of one seed behave alike.
    pub fn simulated(vfs: Arc<dyn Vfs>, seed: u64) -> Self {
        Self {
            vfs,
            clock: Arc::new(VirtualClock::default()),
            random: Arc::new(SeededRandom::new(seed)),
            spawn: Arc::new(InlineSpawn::default()),
            memory: Arc::default(),
            topology: Arc::new(OneNode::default()),
            huge_pages: Arc::new(NoHugePages),
        }
    }

    /// [`Env::simulated`] over files in memory that lose nothing.
    pub fn in_memory(seed: u64) -> Self {
        Self::simulated(Arc::new(MemoryVfs::default()), seed)
    }
}

/// Time: how long things take, what the wall says, and waiting.
pub trait Clock: Send + Sync {
    /// Time since some fixed moment; never moves back.
    fn now(&self) -> Duration;

    /// Microseconds since 2000-01-01 00:00:00 UTC by the wall clock, which may jump.
    fn wall_micros(&self) -> i64;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration);

    /// Waits until `signal` is raised or `timeout` has passed; says whether it was raised. The signal is lowered.
    fn wait(&self, signal: &Signal, timeout: Duration) -> bool;
}

/// Where random bits come from.
pub trait Random: Send + Sync {
    /// Sixty-four random bits.
    fn next_u64(&self) -> u64;

    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// What a background step wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing any more; it is forgotten.
    Done,
    /// To run again at once: there is more to do.
    Again,
    /// To run again after a while.
    After(Duration),
}

/// A piece of background work, called again and again until it is done.
pub type Work = Box<dyn FnMut() -> Step + Send>;

/// Who runs background steps.
pub trait Spawn: Send + Sync {
    /// Takes over `work`. `name` shows in thread lists and logs. `clock` times the pauses the work asks for.
    fn spawn(&self, name: &'static str, clock: Arc<dyn Clock>, work: Work);

    /// Runs every step that is due and waits for a caller to run it; the number run. Zero where threads do the work.
    fn run_due(&self) -> usize;
}

/// A flag that can be waited for.
#[derive(Default)]
pub struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Raises the flag and wakes whoever waits for it.
    pub fn raise(&self) {
        *self.raised.lock() = true;
        self.changed.notify_all();
    }

    /// Lowers the flag; whether it was raised.
    pub fn take(&self) -> bool {
        std::mem::take(&mut *self.raised.lock())
    }
}

/// The machine's clock.
struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Duration {
        use std::sync::OnceLock;
        use std::time::Instant;
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else asks")]
        let now = Instant::now();
        now.saturating_duration_since(*ORIGIN.get_or_init(|| now))
    }

    fn wall_micros(&self) -> i64 {
        use std::time::{SystemTime, UNIX_EPOCH};
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else asks")]
        let now = SystemTime::now();
        let unix = match now.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        unix.saturating_sub(UNIX_TO_2000_MICROS)
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn wait(&self, signal: &Signal, timeout: Duration) -> bool {
        let mut raised = signal.raised.lock();
        if !*raised {
            signal.changed.wait_while_for(&mut raised, |raised| !*raised, timeout);
        }
        std::mem::take(&mut *raised)
    }
}

/// A clock that moves only when someone sleeps or waits on it; it starts at zero.
#[derive(Default)]
pub struct VirtualClock {
    nanos: AtomicU64,
}

impl VirtualClock {
    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn wall_micros(&self) -> i64 {
        i64::try_from(self.now().as_micros()).unwrap_or(i64::MAX)
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn wait(&self, signal: &Signal, timeout: Duration) -> bool {
        let raised = signal.take();
        if !raised {
            self.advance(timeout);
        }
        raised
    }
}

/// The machine's random source.
struct RealRandom;

impl Random for RealRandom {
    fn next_u64(&self) -> u64 {
        getrandom::u64().expect("the system's random source works on every platform we run on")
    }
}

/// Random numbers that depend on a seed alone (SplitMix64).
pub struct SeededRandom {
    state: AtomicU64,
}

impl SeededRandom {
    /// The sequence that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// A number below `bound`; zero if `bound` is.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }
}

impl Random for SeededRandom {
    fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// One thread for each background work; it ends when the work is done.
struct ThreadSpawn;

impl Spawn for ThreadSpawn {
    fn spawn(&self, name: &'static str, clock: Arc<dyn Clock>, mut work: Work) {
        let run = move || {
            loop {
                match work() {
                    Step::Done => return,
                    Step::Again => {}
                    Step::After(pause) => clock.sleep(pause),
                }
            }
        };
        // Background work only hurries what others can do themselves, so a machine without threads is served too.
        drop(std::thread::Builder::new().name(name.to_owned()).spawn(run));
    }

    fn run_due(&self) -> usize {
        0
    }
}

/// Background work that runs only when someone calls [`Spawn::run_due`]: for tests and for thread-less embedding.
#[derive(Default)]
pub struct InlineSpawn {
    works: Mutex<Vec<Waiting>>,
}

struct Waiting {
    due: Duration,
    clock: Arc<dyn Clock>,
    work: Work,
}

impl Spawn for InlineSpawn {
    fn spawn(&self, _name: &'static str, clock: Arc<dyn Clock>, work: Work) {
        let due = clock.now();
        self.works.lock().push(Waiting { due, clock, work });
    }

    fn run_due(&self) -> usize {
        // Works are taken out while they run, so that one of them may spawn another.
        let works = std::mem::take(&mut *self.works.lock());
        let mut run_count = 0;
        let mut kept = Vec::with_capacity(works.len());
        for mut waiting in works {
            if waiting.due > waiting.clock.now() {
                kept.push(waiting);
                continue;
            }
            run_count += 1;
            match (waiting.work)() {
                Step::Done => continue,
                Step::Again => {}
                Step::After(pause) => waiting.due = waiting.clock.now() + pause,
            }
            kept.push(waiting);
        }
        self.works.lock().append(&mut kept);
        run_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers() {
        let (one, two) = (SeededRandom::new(7), SeededRandom::new(7));
        assert!((0..100).all(|_| one.next_u64() == two.next_u64()));
        assert!((0..100).all(|_| one.below(10) < 10));
    }

    #[test]
    fn inline_work_runs_when_it_is_due() {
        let clock = Arc::new(VirtualClock::default());
        let spawn = InlineSpawn::default();
        let mut left = 2;
        let work = Box::new(move || {
            left -= 1;
            if left == 0 { Step::Done } else { Step::After(Duration::from_secs(1)) }
        });
        spawn.spawn("test", Arc::clone(&clock) as Arc<dyn Clock>, work);
        assert_eq!(spawn.run_due(), 1);
        assert_eq!(spawn.run_due(), 0);
        clock.advance(Duration::from_secs(1));
        assert_eq!(spawn.run_due(), 1);
        clock.advance(Duration::from_secs(9));
        assert_eq!(spawn.run_due(), 0);
    }

    #[test]
    fn a_raised_signal_ends_the_wait() {
        let clock = RealClock;
        let signal = Signal::default();
        signal.raise();
        assert!(clock.wait(&signal, Duration::from_secs(100)));
        assert!(!clock.wait(&signal, Duration::ZERO));
    }
}
