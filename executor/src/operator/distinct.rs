//! DISTINCT and DISTINCT ON: the first row of each key, as rows come.

use super::Operator;
use super::aggregate::Groups;
use crate::context::State;
use damask_types::{Batch, Mask, Result, TypeId, Vector};

/// Rows whose key was not there before.
pub(crate) struct Distinct {
    input: Box<dyn Operator>,
    keys: Vec<usize>,
    key_types: Vec<TypeId>,
    groups: Groups,
}

impl Distinct {
    pub(crate) fn new(input: Box<dyn Operator>, keys: Vec<usize>, types: &[TypeId]) -> Self {
        let key_types: Vec<TypeId> = keys.iter().map(|&key| types[key]).collect();
        let groups = Groups::new(&key_types);
        Self { input, keys, key_types, groups }
    }
}

impl Operator for Distinct {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let (mut numbers, mut fresh) = (vec![], vec![]);
        loop {
            state.check()?;
            let Some(mut batch) = self.input.next(state)? else {
                return Ok(None);
            };
            let keys: Vec<Vector> =
                self.keys.iter().map(|&key| batch.columns[key].clone()).collect();
            let active = batch.active();
            self.groups.find(&keys, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
            let mut kept = Mask::NONE;
            for &row in &fresh {
                kept.set(row as usize, true);
            }
            batch.select(&kept);
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        self.groups = Groups::new(&self.key_types);
        self.input.rewind();
    }
}
