//! When checkpoints are made, by whom, and how fast.
//!
//! A committer that finds the log grown by [`checkpoint_log_bytes`](crate::EngineOptions::checkpoint_log_bytes), or the last
//! checkpoint older than [`checkpoint_interval`](crate::EngineOptions::checkpoint_interval), starts a background step. It
//! closes the gate for the one instant whose state is kept, and then writes that state beside the writers, a batch of pages at a
//! time, at the pace of the log: with [`COMPLETION`] of the log or of the time until the next one gone, it is done. Nothing
//! runs while nothing is due.
//!
//! `CHECKPOINT` and a close do not wait for that: whoever calls writes batches too, without a pause. With twice the log there should be the
//! background does not rest, and each committer writes a batch: it does not get on, or there is none.
//!
//! Invariants
//! - K1: the instant is taken with the gate closed: every operation and every commit is wholly in the checkpoint or wholly
//!   after it.
//! - K2: no page is written and no sync awaited with the gate closed; what is done there is proportional to relations, to
//!   dirty pages' numbers and to ranges of rows that open transactions inserted. Versions are copied afterwards ([`crate::version_copy`]).

use crate::background::EngineOfStep;
use crate::engine::Engine;
use damask_storage::env::Step;
use damask_storage::{CHECKPOINT_BATCH, CheckpointProgress};
use damask_types::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The part of the way to the next checkpoint that the pages of one are spread over.
const COMPLETION: f64 = 0.5;
/// How long a checkpoint that is ahead of its pace rests.
const REST: Duration = Duration::from_millis(20);
/// How long after a failure another is tried.
const RETRY: Duration = Duration::from_secs(1);

/// The background step.
struct Checkpointer {
    engine: EngineOfStep,
    /// Since the instant; `None` before.
    pace: Option<Pace>,
    has_failed: bool,
}

/// Where time and the log stood at the instant.
struct Pace {
    now: Duration,
    log_bytes: u64,
}

impl Checkpointer {
    fn step(&mut self) -> Step {
        if self.has_failed {
            return Step::Done;
        }
        let pace = &mut self.pace;
        let next = self.engine.with(|engine| Self::advance(engine, pace));
        // A full disk is met again, or not; what is worse stops the store, and every commit reports it.
        next.unwrap_or(Ok(Step::Done)).unwrap_or_else(|_| {
            self.has_failed = true;
            Step::After(RETRY)
        })
    }

    fn advance(engine: &Engine, pace: &mut Option<Pace>) -> Result<Step> {
        let Some(pace) = pace else {
            engine.begin_checkpoint()?;
            *pace = Some(Pace::start(engine));
            return Ok(Step::Again);
        };
        Ok(match engine.continue_checkpoint(CHECKPOINT_BATCH)? {
            CheckpointProgress::Idle | CheckpointProgress::Finished => Step::Done,
            CheckpointProgress::Writing { done, total } if pace.is_ahead(engine, done, total) => {
                Step::After(REST)
            }
            CheckpointProgress::Writing { .. } => Step::Again,
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.engine.with(|engine| engine.checkpoint_is_due.store(false, Ordering::Release));
    }
}

impl Pace {
    fn start(engine: &Engine) -> Self {
        let now = engine.store.env().clock.now();
        Self { now, log_bytes: engine.store.log().bytes_since_checkpoint() }
    }

    /// Whether more of the pages is written than the log or the time asks for.
    fn is_ahead(&self, engine: &Engine, done: usize, total: usize) -> bool {
        let log_bytes = engine.store.log().bytes_since_checkpoint();
        if log_bytes >= engine.options.hurry_log_bytes() {
            return false;
        }
        let log_bytes = log_bytes.saturating_sub(self.log_bytes);
        let log_part = log_bytes as f64 / engine.options.checkpoint_log_bytes as f64;
        let time = engine.store.env().clock.now().saturating_sub(self.now);
        let time_part = time.as_secs_f64() / engine.options.checkpoint_interval.as_secs_f64();
        done as f64 > log_part.max(time_part) / COMPLETION * total as f64
    }
}

impl Engine {
    /// Writes a checkpoint of a state not older than this call; recovery then starts from it.
    pub fn checkpoint(&self) -> Result<()> {
        self.check_open()?;
        self.finish_checkpoint()?;
        self.begin_checkpoint()?;
        self.finish_checkpoint()
    }

    /// Sees to it that a checkpoint is made if the log has grown enough or enough time has passed.
    pub(crate) fn checkpoint_if_due(self: &Arc<Self>) -> Result<()> {
        let log_bytes = self.store.log().bytes_since_checkpoint();
        if log_bytes == 0 {
            return Ok(());
        }
        let wanted = self.options.checkpoint_log_bytes;
        let env = self.store.env();
        let since = Duration::from_nanos(self.checkpointed_nanos.load(Ordering::Relaxed));
        let is_due = log_bytes >= wanted
            || env.clock.now().saturating_sub(since) >= self.options.checkpoint_interval;
        if is_due && !self.checkpoint_is_due.swap(true, Ordering::AcqRel) {
            let engine = EngineOfStep::new(self);
            let mut checkpointer = Checkpointer { engine, pace: None, has_failed: false };
            let work = Box::new(move || checkpointer.step());
            env.spawn.spawn("damask-ckpt", Arc::clone(&env.clock), work);
        }
        if log_bytes < self.options.hurry_log_bytes() {
            return Ok(());
        }
        if !self.store.is_checkpointing() {
            self.begin_checkpoint()?;
        }
        self.continue_checkpoint(CHECKPOINT_BATCH).map(drop)
    }

    /// Takes the instant of a checkpoint, unless one is being written.
    pub(crate) fn begin_checkpoint(&self) -> Result<()> {
        let _one = self.checkpoint_begin.lock();
        if self.store.is_checkpointing() {
            return Ok(());
        }
        self.collect_if_room()?;
        let now = self.store.env().clock.now();
        self.checkpointed_nanos.store(now.as_nanos() as u64, Ordering::Relaxed);
        let mut start = self.store.prepare_checkpoint()?;
        let _gate = self.gate.close();
        self.check_open()?;
        if !self.lets_log_go() {
            self.kept_log.keep_in(&mut start);
        }
        let timestamp = *self.commit.lock();
        self.store.begin_checkpoint(&start, timestamp, self.meta(timestamp)?)
    }

    /// Writes about `pages_max` pages of the checkpoint that is being written.
    pub(crate) fn continue_checkpoint(&self, pages_max: usize) -> Result<CheckpointProgress> {
        // A panic leaves a checkpoint that nobody knows the state of.
        let _stop = self.stop.on_panic();
        self.stop.check()?;
        let progress = self.store.continue_checkpoint(pages_max)?;
        if progress == CheckpointProgress::Finished {
            self.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
        }
        Ok(progress)
    }

    pub(crate) fn finish_checkpoint(&self) -> Result<()> {
        while let CheckpointProgress::Writing { .. } = self.continue_checkpoint(CHECKPOINT_BATCH)? {
        }
        Ok(())
    }
}
