//! The frame of most aggregates: one state a group, and a fold that knows states and rows.
//!
//! [`Grouped`] does what every aggregate does alike (rows to fold, strictness, merging, results); a [`Fold`] is the rest.
//! Its `update` is generic over how a row finds its group, so that grouped and ungrouped loops are compiled apart.

use crate::Session;
use crate::aggregate::Accumulator;
use crate::lanes::valid_in_all;
use damask_types::{Error, Mask, Result, SqlType, Value, Vector, VectorBuilder};
use std::any::Any;
use std::fmt;

/// What an aggregate does with its states.
pub(crate) trait Fold: Send + fmt::Debug + 'static {
    /// The state of one group; the default is that of no rows.
    type State: Default + Send + fmt::Debug;

    /// Folds `rows` of `args` in; `group` maps a row to its state. Rows with nulls are left out already if [`Fold::STRICT`].
    fn update(
        &self,
        states: &mut [Self::State],
        args: &[Vector],
        rows: &Mask,
        group: impl Fn(usize) -> usize + Copy,
    ) -> Result<()>;

    /// Folds all of `rows` into one state; the same as `update` with a constant group unless there is a faster loop.
    fn update_one(&self, state: &mut Self::State, args: &[Vector], rows: &Mask) -> Result<()> {
        self.update(std::slice::from_mut(state), args, rows, |_| 0)
    }

    /// Joins another state of the same group.
    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()>;

    /// The result; `Value::Null` or zero over no rows.
    fn finish(&self, session: &dyn Session, state: &Self::State) -> Result<Value>;

    /// Heap bytes of a state.
    fn heap_bytes(_: &Self::State) -> usize {
        0
    }

    /// Whether rows with a null argument are left out.
    const STRICT: bool = true;
}

/// The states of one call.
#[derive(Debug)]
pub(crate) struct Grouped<F: Fold> {
    fold: F,
    states: Vec<F::State>,
    result: SqlType,
}

impl<F: Fold> Grouped<F> {
    /// An accumulator without groups.
    pub(crate) fn boxed(fold: F, result: SqlType) -> Box<dyn Accumulator> {
        Box::new(Self { fold, states: Vec::new(), result })
    }

    fn rows(args: &[Vector], active: &Mask) -> Mask {
        if !F::STRICT {
            return *active;
        }
        valid_in_all(args).map_or(*active, |valid| active.and(&valid))
    }
}

impl<F: Fold> Accumulator for Grouped<F> {
    fn resize(&mut self, groups: usize) {
        if groups > self.states.len() {
            self.states.resize_with(groups, F::State::default);
        }
    }

    fn update(
        &mut self,
        _: &dyn Session,
        groups: &[u32],
        args: &[Vector],
        active: &Mask,
    ) -> Result<()> {
        let rows = Self::rows(args, active);
        self.fold.update(&mut self.states, args, &rows, |row| groups[row] as usize)
    }

    fn update_one(
        &mut self,
        _: &dyn Session,
        group: u32,
        args: &[Vector],
        active: &Mask,
    ) -> Result<()> {
        let rows = Self::rows(args, active);
        self.fold.update_one(&mut self.states[group as usize], args, &rows)
    }

    fn merge(&mut self, other: Box<dyn Accumulator>, groups: &[u32]) -> Result<()> {
        let other = other
            .as_any()
            .downcast::<Self>()
            .map_err(|_| Error::internal("accumulators of two functions cannot be merged"))?;
        for (state, &group) in other.states.into_iter().zip(groups) {
            self.fold.merge(&mut self.states[group as usize], state)?;
        }
        Ok(())
    }

    fn finish(&self, session: &dyn Session, from: usize, rows: usize) -> Result<Vector> {
        let mut builder = VectorBuilder::new(self.result.id, rows);
        for state in &self.states[from..from + rows] {
            builder.push(&self.fold.finish(session, state)?);
        }
        Ok(builder.finish())
    }

    fn bytes(&self) -> usize {
        self.states.capacity() * size_of::<F::State>()
            + self.states.iter().map(F::heap_bytes).sum::<usize>()
    }

    fn as_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
