//! Huge pages that a test makes up.

use super::HugePageSource;
use parking_lot::Mutex;
use std::ops::Range;

/// Agrees to the first few wishes and refuses the others; notes all.
#[derive(Debug)]
pub struct SimulatedHugePages {
    granted_max: usize,
    asked: Mutex<Vec<Range<usize>>>,
}

impl SimulatedHugePages {
    /// Agrees to so many wishes.
    pub fn new(granted_max: usize) -> Self {
        Self { granted_max, asked: Mutex::default() }
    }

    /// How many wishes it agrees to.
    pub fn granted_max(&self) -> usize {
        self.granted_max
    }

    /// The memory of each wish so far.
    pub fn asked(&self) -> Vec<Range<usize>> {
        self.asked.lock().clone()
    }
}

impl HugePageSource for SimulatedHugePages {
    fn ask(&self, memory: &mut [u8]) -> Result<(), String> {
        let range = memory.as_ptr_range();
        let mut asked = self.asked.lock();
        asked.push(range.start.addr()..range.end.addr());
        if asked.len() <= self.granted_max { Ok(()) } else { Err("All are given.".to_owned()) }
    }
}
