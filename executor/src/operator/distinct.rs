//! DISTINCT and DISTINCT ON: the first row of each key, as rows come.
//!
//! Rows that are sorted by the keys are compared with the row before; others go through a hash table ([`super::groups`]).

use super::Operator;
use super::groups::Dedup;
use crate::context::State;
use crate::execution::NodeNote;
use crate::order::equal_vectors;
use damask_types::{Batch, Mask, Result, TypeId, Vector};
use std::sync::Arc;

/// Rows whose key was not there before.
pub(crate) struct Distinct {
    input: Box<dyn Operator>,
    dedup: Dedup,
    is_input_read: bool,
    note: NodeNote,
}

impl Distinct {
    pub(crate) fn new(input: Box<dyn Operator>, keys: Vec<usize>, types: Vec<TypeId>) -> Self {
        let types: Arc<[TypeId]> = types.into();
        let dedup = Dedup::new(keys, &types);
        Self { input, dedup, is_input_read: false, note: NodeNote::default() }
    }
}

impl Operator for Distinct {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        while !self.is_input_read {
            state.check()?;
            let Some(mut batch) = self.input.next(state)? else {
                self.is_input_read = true;
                break;
            };
            self.dedup.push(&mut batch, state)?;
            self.note.hashed(1, self.dedup.groups().buckets(), self.dedup.bytes(), 0);
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
        let batch = self.dedup.next_postponed(state)?;
        let postponed = self.dedup.postponed();
        self.note.hashed(postponed.batches(), 0, self.dedup.bytes(), postponed.disk_bytes());
        Ok(batch)
    }

    fn rewind(&mut self) {
        self.dedup.reset();
        self.is_input_read = false;
        self.input.rewind();
    }

    fn note(&self) -> NodeNote {
        self.note
    }
}

/// Rows whose key is not that of the row before.
pub(crate) struct Unique {
    input: Box<dyn Operator>,
    keys: Vec<usize>,
    /// The keys of the last row, in vectors of one row.
    last: Option<Vec<Vector>>,
}

impl Unique {
    pub(crate) fn new(input: Box<dyn Operator>, keys: Vec<usize>) -> Self {
        Self { input, keys, last: None }
    }

    fn narrow(&mut self, batch: &mut Batch) {
        let columns: Vec<&Vector> = self.keys.iter().map(|&key| &batch.columns[key]).collect();
        let mut kept = Mask::NONE;
        let mut before: Option<usize> = None;
        for row in batch.active().iter() {
            let is_same = match (before, &self.last) {
                (Some(before), _) => {
                    columns.iter().all(|column| equal_vectors(column, before, column, row))
                }
                (None, Some(last)) => {
                    last.iter().zip(&columns).all(|(last, now)| equal_vectors(last, 0, now, row))
                }
                (None, None) => false,
            };
            kept.set(row, !is_same);
            before = Some(row);
        }
        if let Some(row) = before {
            self.last = Some(columns.iter().map(|column| column.gather(&[row as u32])).collect());
        }
        batch.select(&kept);
    }
}

impl Operator for Unique {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        loop {
            state.check()?;
            let Some(mut batch) = self.input.next(state)? else { return Ok(None) };
            self.narrow(&mut batch);
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        self.last = None;
        self.input.rewind();
    }
}
