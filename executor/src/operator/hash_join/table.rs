//! The built side of a hash join.

use super::Shape;
use crate::context::{Grant, State};
use crate::hash::{Chains, hash_rows};
use crate::operator::Rows;
use damask_planner::physical::JoinKind;
use damask_types::{Batch, Mask, Result, Vector};

/// Right rows by their keys.
pub(super) struct Table {
    pub(super) rows: Rows,
    pub(super) keys: Rows,
    pub(super) chains: Chains,
    grant: Grant,
    /// Row of `rows` for each row of `keys` (rows with null keys are not among the keys).
    pub(super) sources: Vec<u32>,
    /// Which rows have met a match (right and full joins).
    pub(super) matched: Vec<bool>,
    /// If the join is [`Shape::compares_unknown`]: the keys of all rows, and the rows with a null key.
    pub(super) all_keys: Rows,
    pub(super) null_rows: Vec<u32>,
}

/// What the kinds that know about nulls ask about the whole right side, however it is divided.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    pub(super) rows: u64,
    /// Whether a row has a null key.
    pub(super) has_null: bool,
}

/// Right rows with their keys.
pub(super) struct Keyed {
    pub(super) batch: Batch,
    pub(super) keys: Vec<Vector>,
    pub(super) hashes: Vec<u64>,
    /// Rows whose keys can be equal to something.
    pub(super) usable: Mask,
}

impl Keyed {
    pub(super) fn new(
        batch: Batch,
        keys: &[crate::eval::Eval],
        shape: &Shape,
        state: &mut State<'_>,
    ) -> Result<Self> {
        let active = batch.active();
        let keys =
            keys.iter().map(|key| key.run(&batch, &active, state)).collect::<Result<Vec<_>>>()?;
        let mut hashes = vec![];
        hash_rows(&keys, batch.rows(), &mut hashes);
        let usable = shape.usable(&keys, &active);
        Ok(Self { batch, keys, hashes, usable })
    }
}

impl Table {
    pub(super) fn new(shape: &Shape) -> Self {
        Self {
            rows: Rows::new(&shape.right_types),
            keys: Rows::new(&shape.key_types),
            chains: Chains::default(),
            grant: Grant::default(),
            sources: vec![],
            matched: vec![],
            all_keys: Rows::new(&shape.key_types),
            null_rows: vec![],
        }
    }

    /// Takes the active rows of a batch.
    pub(super) fn insert(&mut self, keyed: &Keyed, shape: &Shape, state: &State<'_>) -> Result<()> {
        let Keyed { batch, keys, hashes, usable } = keyed;
        let active = batch.active();
        let base = self.rows.store.len() as u32;
        self.rows.append(batch, state)?;
        let mut key_rows: Vec<u32> = Vec::with_capacity(batch.rows());
        for (row, source) in active.iter().zip(base..) {
            if usable.get(row) {
                self.chains.insert(hashes[row]);
                self.sources.push(source);
                key_rows.push(row as u32);
            } else if shape.compares_unknown() {
                self.null_rows.push(source);
            }
        }
        if shape.compares_unknown() {
            let mut all = Batch::new(keys.clone(), batch.rows());
            all.selection = batch.selection;
            self.all_keys.append(&all, state)?;
        }
        self.keys.store.append(keys, &key_rows);
        self.keys.account(&state.run.memory)?;
        if shape.keeps_unmatched_right() {
            self.matched.resize(self.rows.store.len(), false);
        }
        self.grant.grow(self.side_bytes(), &state.run.memory)
    }

    /// Bytes besides rows and keys.
    fn side_bytes(&self) -> usize {
        self.chains.bytes() + self.sources.len() * 4 + self.matched.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.store.bytes() + self.keys.store.bytes() + self.side_bytes()
    }
}

impl Shape {
    /// Whether right rows without a match come out.
    pub(super) fn keeps_unmatched_right(&self) -> bool {
        matches!(self.kind, JoinKind::Right | JoinKind::Full)
    }
}
