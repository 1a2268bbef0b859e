//! One thing in parts, each for some of the threads, so that threads on different processors write to different cache lines.
//!
//! What a thread writes goes to its own part; what is asked of the whole is put together from all of them.

use crossbeam_utils::CachePadded;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// Parts where there are many processors: who looks at the whole looks at each.
const PARTS_MAX: usize = 64;

/// See the head of the file.
#[derive(Debug)]
pub(crate) struct Spread<T>(Box<[CachePadded<T>]>);

impl<T: Default> Default for Spread<T> {
    fn default() -> Self {
        // More parts than processors, so that threads which run beside each other rarely share one.
        let processors = available_parallelism().map_or(1, usize::from);
        let count = (2 * processors).next_power_of_two().min(PARTS_MAX);
        Self((0..count).map(|_| CachePadded::default()).collect())
    }
}

impl<T> Spread<T> {
    /// The number of the calling thread's part.
    pub(crate) fn own(&self) -> usize {
        number() & (self.0.len() - 1)
    }

    /// A part by its number.
    pub(crate) fn part(&self, number: usize) -> &T {
        &self.0[number]
    }

    /// All parts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|part| &**part)
    }
}

/// The calling thread's number: from 0, in the order in which threads first asked.
fn number() -> usize {
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if let Some(number) = NUMBER.get() {
        return number;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    NUMBER.set(Some(number));
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[test]
    fn a_thread_keeps_to_its_part() {
        let spread = Spread::<Mutex<u32>>::default();
        let count = spread.parts().count();
        assert!(count.is_power_of_two() && count <= PARTS_MAX);
        let add = || {
            let own = spread.own();
            for _ in 0..100 {
                assert_eq!(spread.own(), own);
                *spread.part(own).lock() += 1;
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 * count {
                scope.spawn(add);
            }
        });
        let sums: Vec<u32> = spread.parts().map(|part| *part.lock()).collect();
        assert_eq!(sums.iter().sum::<u32>(), 200 * count as u32);
        // Threads of other tests have numbers, too, so they are not dealt out evenly.
        assert!(sums.iter().filter(|sum| **sum > 0).count() > count / 2);
    }
}
