//! Time on whose passing a disk has room again.

use super::SimVfs;
use crate::env::{Clock, Signal, VirtualClock};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A virtual clock: when somebody sleeps, the simulated disk is full no longer. So who waits for room gets it.
pub struct RoomClock {
    clock: VirtualClock,
    vfs: SimVfs,
    sleeps: AtomicUsize,
}

impl RoomClock {
    /// The clock of a disk.
    pub fn new(vfs: SimVfs) -> Self {
        Self { clock: VirtualClock::default(), vfs, sleeps: AtomicUsize::new(0) }
    }

    /// How often somebody slept.
    pub fn sleeps(&self) -> usize {
        self.sleeps.load(Ordering::Relaxed)
    }
}

impl Clock for RoomClock {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn wall_micros(&self) -> i64 {
        self.clock.wall_micros()
    }

    fn sleep(&self, duration: Duration) {
        self.sleeps.fetch_add(1, Ordering::Relaxed);
        self.vfs.make_room();
        self.clock.sleep(duration);
    }

    fn wait(&self, signal: &Signal, timeout: Duration) -> bool {
        self.clock.wait(signal, timeout)
    }
}
