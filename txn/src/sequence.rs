//! Sequences: counters that no rollback turns back.
//!
//! A value is given out only after the log says that values up to [`LOG_AHEAD`] steps further may have been: recovery goes
//! on behind those, so it skips some values and repeats none. The frame becomes durable with the commit that uses the
//! value (a commit of a transaction that only read waits for it, too). What a crash takes before any commit was
//! acknowledged, nobody was told; in PostgreSQL it is the same.

use crate::bytes::{Reader, put_signed, put_varint};
use crate::engine::Engine;
use crate::redo::kind;
use damask_storage::LogCompression;
use damask_storage::log::{LogFrame, LogRoom};
use damask_types::{Error, RelId, Result, SqlState, Timestamp};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Values logged ahead of those given out.
const LOG_AHEAD: i64 = 32;

/// How a sequence counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceSpec {
    /// First value.
    pub start: i64,
    /// Step; not zero.
    pub increment: i64,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Whether it starts over at its end.
    pub cycle: bool,
}

impl SequenceSpec {
    /// Where `last_value` goes after `steps` values; `None` past the end.
    fn after(&self, from: i64, steps: i64) -> Option<i64> {
        let step = i128::from(self.increment) * i128::from(steps);
        i64::try_from(i128::from(from) + step).ok().filter(|v| (self.min..=self.max).contains(v))
    }
}

/// Where a sequence stands, as PostgreSQL shows it (`last_value`, `is_called`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// The last value given out, or the next one if `is_called` is false.
    pub last_value: i64,
    /// Whether `last_value` has been given out.
    pub is_called: bool,
}

/// A sequence in memory.
#[derive(Clone, Copy, Debug)]
struct Sequence {
    state: SequenceState,
    /// Values that may still be given out without a new frame.
    logged: i64,
}

/// The longest frame of a sequence: a kind, a relation, a value, and whether it was given out.
pub(crate) const FRAME_BYTES_MAX: usize = 1 + 5 + 10 + 1;

/// All sequences.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    all: Mutex<HashMap<RelId, Sequence>>,
    /// Timestamp of the newest frame of a sequence.
    last_frame: AtomicU64,
}

#[cold]
fn missing(rel: RelId) -> Error {
    Error::internal(format!("there is no sequence {rel}"))
}

impl Sequences {
    pub(crate) fn create(&self, rel: RelId, state: SequenceState) {
        self.all.lock().insert(rel, Sequence { state, logged: 0 });
    }

    /// Takes a sequence out; its state.
    pub(crate) fn remove(&self, rel: RelId) -> Option<SequenceState> {
        self.all.lock().remove(&rel).map(|sequence| sequence.state)
    }

    pub(crate) fn get(&self, rel: RelId) -> Result<SequenceState> {
        self.all.lock().get(&rel).map(|sequence| sequence.state).ok_or_else(|| missing(rel))
    }

    /// The next value; none if that is to be logged and there is no room.
    pub(crate) fn next(
        &self,
        engine: &Engine,
        rel: RelId,
        spec: &SequenceSpec,
        room: Option<&mut LogRoom<'_>>,
    ) -> Result<Option<i64>> {
        let mut all = self.all.lock();
        let sequence = all.get_mut(&rel).ok_or_else(|| missing(rel))?;
        let next = if sequence.state.is_called {
            match spec.after(sequence.state.last_value, 1) {
                Some(next) => next,
                None if spec.cycle && spec.increment > 0 => spec.min,
                None if spec.cycle => spec.max,
                None => return Err(exhausted(spec)),
            }
        } else {
            sequence.state.last_value
        };
        let state = SequenceState { last_value: next, is_called: true };
        if sequence.logged == 0 {
            let Some(room) = room else { return Ok(None) };
            // What recovery takes for given out: far ahead, or the end; a cycle starts from there as well.
            let last_value = spec.after(next, LOG_AHEAD).unwrap_or(if spec.increment > 0 {
                spec.max
            } else {
                spec.min
            });
            self.log(engine, rel, SequenceState { last_value, is_called: true }, room)?;
            let steps = (i128::from(last_value) - i128::from(next)) / i128::from(spec.increment);
            sequence.logged = i64::try_from(steps).unwrap_or(LOG_AHEAD).clamp(0, LOG_AHEAD);
        } else {
            sequence.logged -= 1;
        }
        sequence.state = state;
        Ok(Some(next))
    }

    pub(crate) fn set(
        &self,
        engine: &Engine,
        rel: RelId,
        state: SequenceState,
        room: &mut LogRoom<'_>,
    ) -> Result<()> {
        let mut all = self.all.lock();
        let sequence = all.get_mut(&rel).ok_or_else(|| missing(rel))?;
        self.log(engine, rel, state, room)?;
        *sequence = Sequence { state, logged: 0 };
        Ok(())
    }

    /// For a checkpoint: the states as they are. The next value of each is logged again.
    pub(crate) fn checkpoint(&self) -> Vec<(RelId, SequenceState)> {
        let mut all = self.all.lock();
        let mut states: Vec<_> = all
            .iter_mut()
            .map(|(rel, sequence)| {
                sequence.logged = 0;
                (*rel, sequence.state)
            })
            .collect();
        states.sort_by_key(|(rel, _)| *rel);
        states
    }

    /// The newest frame, if it is not durable yet: what a commit that logs nothing itself has to wait for.
    pub(crate) fn unflushed(&self) -> Timestamp {
        Timestamp(self.last_frame.load(Ordering::Acquire))
    }

    fn log(
        &self,
        engine: &Engine,
        rel: RelId,
        state: SequenceState,
        room: &mut LogRoom<'_>,
    ) -> Result<()> {
        let mut frame = vec![kind::SEQUENCE];
        put_varint(&mut frame, rel.0.into());
        put_state(&mut frame, state);
        debug_assert!(frame.len() <= FRAME_BYTES_MAX);
        let frame = LogFrame::Borrowed(&frame);
        let timestamp = engine.log_frame(frame, LogCompression::Off, room)?;
        self.last_frame.fetch_max(timestamp.0, Ordering::AcqRel);
        Ok(())
    }
}

/// Appends a state: `last signed | called u8`.
pub(crate) fn put_state(out: &mut Vec<u8>, state: SequenceState) {
    put_signed(out, state.last_value);
    out.push(u8::from(state.is_called));
}

pub(crate) fn read_state(reader: &mut Reader<'_>) -> Result<SequenceState> {
    Ok(SequenceState { last_value: reader.signed()?, is_called: reader.bool()? })
}

/// 2200H; the session layer adds the sequence's name.
#[cold]
fn exhausted(spec: &SequenceSpec) -> Error {
    let (what, limit) =
        if spec.increment > 0 { ("maximum", spec.max) } else { ("minimum", spec.min) };
    Error::new(
        SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        format!("nextval: reached {what} value of sequence ({limit})"),
    )
}
