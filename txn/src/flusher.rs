//! Flushes that nobody waits for: what follows commits that do not wait for one, and what large transactions log while they run.
//!
//! The first such commit starts a background step that flushes the log after [`flush_delay`](crate::EngineOptions::flush_delay) and goes on while
//! there is more; nothing runs while nothing is due. Any other flush (a commit that waits, a checkpoint) takes them along,
//! since the log is one stream. So what a crash can take back is bounded in time, and in memory: a committer that
//! meets more than [`UNFLUSHED_BYTES_MAX`] flushes itself, and so does one for whom no step can be started.
//!
//! Fragments ([`crate::fragments`]) are flushed at once by another step, so that a commit beside them, whose flush takes along what has collected, finds
//! little.

use crate::background::EngineOfStep;
use crate::engine::Engine;
use damask_storage::env::Step;
use damask_types::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Log that may lie in memory while nobody waits for it.
const UNFLUSHED_BYTES_MAX: u64 = 8 << 20;

/// Fragments that may lie in memory: who commits beside them waits for their flush.
const FRAGMENTS_UNFLUSHED_MAX: u64 = 2 << 20;

/// The background step that flushes fragments.
struct FragmentFlusher {
    engine: EngineOfStep,
    /// Whether [`Engine::fragments_are_due`] is ours to lower.
    is_due: bool,
}

impl FragmentFlusher {
    fn step(&mut self) -> Step {
        let is_due = &mut self.is_due;
        self.engine.with(|engine| {
            // Lowered first: a fragment that this flush does not take along finds it so.
            *is_due = false;
            engine.fragments_are_due.store(false, Ordering::SeqCst);
            // A failure stops the log, and whoever commits reports it.
            let _ = engine.store.log().flush_all();
        });
        Step::Done
    }
}

impl Drop for FragmentFlusher {
    fn drop(&mut self) {
        if self.is_due {
            self.engine.with(|engine| engine.fragments_are_due.store(false, Ordering::SeqCst));
        }
    }
}

/// The background step.
struct Flusher {
    engine: EngineOfStep,
    delay: Duration,
    has_waited: bool,
    /// Whether [`Engine::flush_is_due`] is ours to lower.
    is_due: bool,
}

impl Flusher {
    fn step(&mut self) -> Step {
        if !std::mem::replace(&mut self.has_waited, true) {
            return Step::After(self.delay);
        }
        let (is_due, delay) = (&mut self.is_due, self.delay);
        let next = self.engine.with(|engine| {
            // Lowered first: a commit that this flush does not take along finds it so, or is seen below.
            *is_due = false;
            engine.flush_is_due.store(false, Ordering::SeqCst);
            // A failure stops the log, and every later commit reports it.
            let is_flushed = engine.store.log().flush_all().is_ok();
            let is_more = !engine.is_durable(engine.unflushed.last_relaxed());
            if is_flushed && is_more && !engine.flush_is_due.swap(true, Ordering::SeqCst) {
                *is_due = true;
                return Step::After(delay);
            }
            Step::Done
        });
        next.unwrap_or(Step::Done)
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        if self.is_due {
            self.engine.with(|engine| engine.flush_is_due.store(false, Ordering::SeqCst));
        }
    }
}

impl Engine {
    /// Sees to it that what is logged by now is flushed soon.
    pub(crate) fn flush_soon(self: &Arc<Self>) -> Result<()> {
        let log = self.store.log();
        if log.unflushed_bytes() > UNFLUSHED_BYTES_MAX {
            return log.flush_all();
        }
        if self.flush_is_due.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let mut flusher = Flusher {
            engine: EngineOfStep::new(self),
            delay: self.options.flush_delay,
            has_waited: false,
            is_due: true,
        };
        let env = self.store.env();
        env.spawn.spawn("damask-flush", Arc::clone(&env.clock), Box::new(move || flusher.step()));
        // Nobody took the step if the flag is down already.
        if self.flush_is_due.load(Ordering::SeqCst) { Ok(()) } else { log.flush_all() }
    }
}

impl Engine {
    /// Sees to it that the fragments logged by now are flushed meanwhile.
    pub(crate) fn flush_fragments(self: &Arc<Self>) -> Result<()> {
        let log = self.store.log();
        if log.unflushed_bytes() > FRAGMENTS_UNFLUSHED_MAX {
            return log.flush_all();
        }
        if !self.fragments_are_due.swap(true, Ordering::SeqCst) {
            let mut flusher = FragmentFlusher { engine: EngineOfStep::new(self), is_due: true };
            let env = self.store.env();
            let work = Box::new(move || flusher.step());
            env.spawn.spawn("damask-flush", Arc::clone(&env.clock), work);
        }
        Ok(())
    }
}

/// What is committed is not lost when the engine is let go without being closed.
impl Drop for Engine {
    fn drop(&mut self) {
        if !self.is_durable(self.unflushed.last_relaxed()) {
            // Nobody is left to be told of an error.
            let _ = self.store.log().flush_all();
        }
    }
}
