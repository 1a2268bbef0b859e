//! UNION ALL, INTERSECT, EXCEPT, and rows that several operators read.

use super::Operator;
use super::aggregate::Groups;
use crate::build::build;
use crate::context::State;
use crate::spill::spool::{Spool, SpoolPlace};
use damask_planner::physical::{PlanId, SetKind};
use damask_types::{Batch, Mask, Result, TypeId};
use std::sync::Arc;

/// The rows of each input in turn.
pub(crate) struct Append {
    inputs: Vec<Box<dyn Operator>>,
    at: usize,
}

impl Append {
    pub(crate) fn new(inputs: Vec<Box<dyn Operator>>) -> Self {
        Self { inputs, at: 0 }
    }
}

impl Operator for Append {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        while let Some(input) = self.inputs.get_mut(self.at) {
            state.check()?;
            if let Some(batch) = input.next(state)? {
                return Ok(Some(batch));
            }
            self.at += 1;
        }
        Ok(None)
    }

    fn rewind(&mut self) {
        self.at = 0;
        for input in &mut self.inputs {
            input.rewind();
        }
    }
}

/// INTERSECT and EXCEPT, nulls equal: the right side is counted by row, the left side is held against it.
pub(crate) struct SetOperation {
    kind: SetKind,
    all: bool,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    types: Vec<TypeId>,
    /// The rows met, and how many of each the right side still has to offer.
    table: Option<(Groups, Vec<u64>)>,
    /// Without ALL: which rows were given.
    given: Vec<bool>,
}

impl SetOperation {
    pub(crate) fn new(
        kind: SetKind,
        all: bool,
        left: Box<dyn Operator>,
        right: Box<dyn Operator>,
        types: Vec<TypeId>,
    ) -> Self {
        Self { kind, all, left, right, types, table: None, given: vec![] }
    }

    fn build(&mut self, state: &mut State<'_>) -> Result<(Groups, Vec<u64>)> {
        let mut groups = Groups::new(&self.types);
        let mut counts = vec![];
        let (mut numbers, mut fresh) = (vec![], vec![]);
        while let Some(batch) = self.right.next(state)? {
            state.check()?;
            let active = batch.active();
            groups.find(&batch.columns, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
            counts.resize(groups.len(), 0);
            for row in active.iter() {
                counts[numbers[row] as usize] += 1;
            }
        }
        Ok((groups, counts))
    }

    /// Whether a left row of this group comes out.
    fn takes(&mut self, group: usize, counts: &mut [u64]) -> bool {
        let on_right = counts[group] > 0;
        if self.all {
            counts[group] = counts[group].saturating_sub(1);
            return on_right == (self.kind == SetKind::Intersect);
        }
        on_right == (self.kind == SetKind::Intersect)
            && !std::mem::replace(&mut self.given[group], true)
    }
}

impl Operator for SetOperation {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let (mut groups, mut counts) = match self.table.take() {
            Some(table) => table,
            None => self.build(state)?,
        };
        let (mut numbers, mut fresh) = (vec![], vec![]);
        let result = loop {
            state.check()?;
            let Some(mut batch) = self.left.next(state)? else { break None };
            let active = batch.active();
            groups.find(&batch.columns, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
            counts.resize(groups.len(), 0);
            self.given.resize(groups.len(), false);
            let mut kept = Mask::NONE;
            for row in active.iter() {
                if self.takes(numbers[row] as usize, &mut counts) {
                    kept.set(row, true);
                }
            }
            batch.select(&kept);
            if batch.selected_count() > 0 {
                break Some(batch);
            }
        };
        self.table = Some((groups, counts));
        Ok(result)
    }

    fn rewind(&mut self) {
        self.table = None;
        self.given.clear();
        self.left.rewind();
        self.right.rewind();
    }
}

/// Rows computed once for all that read them.
pub(crate) struct Shared {
    source: PlanId,
    types: Vec<TypeId>,
    rows: Option<Arc<Spool>>,
    place: SpoolPlace,
}

impl Shared {
    pub(crate) fn new(source: PlanId, types: Vec<TypeId>) -> Self {
        Self { source, types, rows: None, place: SpoolPlace::default() }
    }

    fn rows(&self, state: &mut State<'_>) -> Result<Arc<Spool>> {
        if let Some(rows) = state.run.shared.get(&self.source) {
            return Ok(Arc::clone(rows));
        }
        let plan = Arc::clone(&state.run.plan);
        let mut operator = build(&plan, self.source, state)?;
        let rows = Arc::new(Spool::fill(&self.types, &mut *operator, state)?);
        state.run.shared.insert(self.source, Arc::clone(&rows));
        Ok(rows)
    }
}

impl Operator for Shared {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        state.check()?;
        if self.rows.is_none() {
            self.rows = Some(self.rows(state)?);
        }
        let Some(rows) = &self.rows else { return Ok(None) };
        Ok(rows.read(&mut self.place)?.map(|(batch, _)| batch))
    }

    fn rewind(&mut self) {
        self.place.restart();
    }
}
