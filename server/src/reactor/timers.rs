//! Deadlines of parked tasks, most of which are moved on before they come.
//!
//! A deadline is an atomic of its task. The heap has at most one entry for a task, at or before its deadline: moving it on costs a store,
//! and the entry finds out when its time comes.
//!
//! Invariant D1: a task whose deadline is not zero has an entry at or before it.

use super::sync::{AtomicU64, Ordering};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A task's deadline.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    /// Nanoseconds of the pool's clock; 0 is none.
    at: AtomicU64,
    /// When the heap looks at the task; 0 if it does not.
    entry: AtomicU64,
}

impl Deadline {
    /// Sets it. True if the heap needs an entry for it ([`Timers::push`]).
    pub(super) fn set(&self, at: Option<Duration>) -> bool {
        let Some(at) = at else {
            if self.at.load(Ordering::Relaxed) != 0 {
                self.at.store(0, Ordering::SeqCst);
            }
            return false;
        };
        let at = nanos(at).max(1);
        self.at.store(at, Ordering::SeqCst);
        !(1..=at).contains(&self.entry.load(Ordering::SeqCst))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The heap; whoever has it in hands looks at it.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(u64, u64)>>);

impl Timers {
    /// Adds the entry of a task. True if it is the first that is due.
    pub(super) fn push(&mut self, key: u64, deadline: &Deadline) -> bool {
        let at = deadline.at.load(Ordering::SeqCst);
        if at == 0 {
            return false;
        }
        deadline.entry.store(at, Ordering::SeqCst);
        self.0.push(Reverse((at, key)));
        self.0.peek() == Some(&Reverse((at, key)))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets the entries of tasks that are no more.
    pub(super) fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        self.0.retain(|Reverse((_, key))| is_there(*key));
    }

    /// When the first entry is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.peek().map(|Reverse((at, _))| Duration::from_nanos(*at))
    }

    /// Takes an entry that is due: its task's key. [`Timers::is_over`] says what to do with it.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(u64, u64)> {
        let &Reverse((at, key)) = self.0.peek()?;
        (at <= nanos(now)).then(|| self.0.pop())?;
        Some((at, key))
    }

    /// Whether the deadline of the task whose entry was taken has passed; if it is later the task gets another entry.
    pub(super) fn is_over(
        &mut self,
        (entry, key): (u64, u64),
        deadline: &Deadline,
        now: Duration,
    ) -> bool {
        // An earlier deadline that was set later has an entry of its own.
        if deadline.entry.compare_exchange(entry, 0, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return false;
        }
        let at = deadline.at.load(Ordering::SeqCst);
        if at > nanos(now) {
            self.push(key, deadline);
            return false;
        }
        at != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn due(timers: &mut Timers, deadline: &Deadline, now: Duration) -> bool {
        let mut is_over = false;
        while let Some(entry) = timers.pop(now) {
            is_over |= timers.is_over(entry, deadline, now);
        }
        is_over
    }

    #[test]
    fn deadlines_move_and_come() {
        let (mut timers, deadline) = (Timers::default(), Deadline::default());
        assert!(deadline.set(Some(at(10))));
        assert!(timers.push(1, &deadline));
        // Later: the entry stays.
        assert!(!deadline.set(Some(at(20))));
        assert!(!due(&mut timers, &deadline, at(15)));
        assert_eq!(timers.next(), Some(at(20)));
        // Earlier: another entry.
        assert!(deadline.set(Some(at(17))));
        assert!(timers.push(1, &deadline));
        assert!(due(&mut timers, &deadline, at(17)));
        // None: the entry that is left finds nothing.
        assert!(!deadline.set(None));
        assert!(!due(&mut timers, &deadline, at(30)));
        assert_eq!(timers.next(), None);
        assert!(deadline.set(Some(at(40))));
    }
}
