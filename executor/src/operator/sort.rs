//! Orders: whole and the first few rows.

use super::simple::limits;
use super::{Operator, Rows};
use crate::build::Layout;
use crate::context::State;
use crate::eval::Eval;
use crate::store::{Column, Store};
use damask_planner::physical::SortKey;
use damask_types::compare::compare;
use damask_types::{Batch, Result, TILE_ROWS, TypeId, Vector};
use std::cmp::Ordering;

/// How rows compare: the keys' values stand in columns of their own.
#[derive(Debug)]
pub(crate) struct Order {
    keys: Vec<(bool, bool)>,
}

impl Order {
    pub(crate) fn new(keys: &[SortKey]) -> Self {
        Self { keys: keys.iter().map(|key| (key.descending, key.nulls_first)).collect() }
    }

    /// Compares two rows of the key columns.
    pub(crate) fn compare(&self, columns: &[Column], a: usize, b: usize) -> Ordering {
        for (column, &(descending, nulls_first)) in columns.iter().zip(&self.keys) {
            let ordering = match (column.is_null(a), column.is_null(b)) {
                (true, true) => continue,
                (true, false) => {
                    if nulls_first {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, true) => {
                    if nulls_first {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (false, false) => {
                    let ordering = compare_values(column, a, b);
                    if descending { ordering.reverse() } else { ordering }
                }
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    }

    /// The rows in order; rows that compare equal keep theirs.
    pub(crate) fn sort(&self, columns: &[Column], rows: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..rows as u32).collect();
        // One integer key without nulls: compare numbers rather than rows.
        if let ([column], [(descending, _)]) = (columns, &self.keys[..])
            && column.len() == rows
            && rows > 0
            && column.as_i64(0).is_some()
            && (0..rows).all(|row| !column.is_null(row))
        {
            let mut pairs: Vec<(i64, u32)> =
                (0..rows).map(|row| (column.as_i64(row).unwrap_or(0), row as u32)).collect();
            if *descending {
                pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            } else {
                pairs.sort_unstable();
            }
            return pairs.into_iter().map(|pair| pair.1).collect();
        }
        order.sort_by(|&a, &b| self.compare(columns, a as usize, b as usize));
        order
    }
}

/// Compares two values of a column that are not null.
fn compare_values(column: &Column, a: usize, b: usize) -> Ordering {
    if let (Some(a), Some(b)) = (column.as_i64(a), column.as_i64(b)) {
        return a.cmp(&b);
    }
    if column.ty != TypeId::BpChar
        && let (Some(a), Some(b)) = (column.as_bytes(a), column.as_bytes(b))
    {
        return a.cmp(b);
    }
    compare(column.ty, &column.value(a), &column.value(b))
}

/// Every row in order.
pub(crate) struct Sort {
    input: Box<dyn Operator>,
    keys: Vec<Eval>,
    key_types: Vec<TypeId>,
    order: Order,
    types: Vec<TypeId>,
    sorted: Option<(Rows, Vec<u32>)>,
    at: usize,
}

impl Sort {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        layout: &Layout,
        keys: &[SortKey],
        types: Vec<TypeId>,
    ) -> Self {
        Self {
            input,
            keys: layout.evals(keys.iter().map(|key| &key.expr)),
            key_types: keys.iter().map(|key| key.expr.ty.id).collect(),
            order: Order::new(keys),
            types,
            sorted: None,
            at: 0,
        }
    }

    fn fill(&mut self, state: &mut State<'_>) -> Result<(Rows, Vec<u32>)> {
        let mut rows = Rows::new(&self.types);
        let mut keys = Rows::new(&self.key_types);
        while let Some(batch) = self.input.next(state)? {
            state.check()?;
            keys.append(&key_batch(&self.keys, &batch, state)?, state)?;
            rows.append(&batch, state)?;
        }
        let order = self.order.sort(&keys.store.columns, rows.store.len());
        Ok((rows, order))
    }
}

/// The keys of a batch's rows, with its selection.
fn key_batch(keys: &[Eval], batch: &Batch, state: &mut State<'_>) -> Result<Batch> {
    let active = batch.active();
    let columns: Vec<Vector> =
        keys.iter().map(|key| key.run(batch, &active, state)).collect::<Result<_>>()?;
    let mut out = Batch::new(columns, batch.rows());
    out.selection = batch.selection;
    Ok(out)
}

impl Operator for Sort {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.sorted.is_none() {
            self.sorted = Some(self.fill(state)?);
        }
        state.check()?;
        let Some((rows, order)) = &self.sorted else { return Ok(None) };
        if self.at == order.len() {
            return Ok(None);
        }
        let to = (self.at + TILE_ROWS).min(order.len());
        let batch = rows.store.gather(&order[self.at..to]);
        self.at = to;
        Ok(Some(batch))
    }

    fn rewind(&mut self) {
        (self.sorted, self.at) = (None, 0);
        self.input.rewind();
    }
}

/// The first rows in an order: keeps some multiple of what is asked for and cuts it back now and then.
pub(crate) struct TopN {
    input: Box<dyn Operator>,
    keys: Vec<Eval>,
    key_types: Vec<TypeId>,
    order: Order,
    types: Vec<TypeId>,
    limit: Eval,
    offset: Option<Eval>,
    result: Option<(Store, usize)>,
}

impl TopN {
    pub(crate) fn new(
        input: Box<dyn Operator>,
        layout: &Layout,
        keys: &[SortKey],
        types: Vec<TypeId>,
        limit: Eval,
        offset: Option<Eval>,
    ) -> Self {
        Self {
            input,
            keys: layout.evals(keys.iter().map(|key| &key.expr)),
            key_types: keys.iter().map(|key| key.expr.ty.id).collect(),
            order: Order::new(keys),
            types,
            limit,
            offset,
            result: None,
        }
    }

    fn fill(&mut self, state: &mut State<'_>) -> Result<(Store, usize)> {
        let (skip, take) = limits(Some(&self.limit), self.offset.as_ref(), state)?;
        let wanted = usize::try_from(skip.saturating_add(take)).unwrap_or(usize::MAX);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut rows = Rows::new(&self.types);
        let mut keys = Rows::new(&self.key_types);
        // Cutting back costs a sort; doing it at twice the size keeps the total linear.
        let cut_at = wanted.saturating_mul(2).max(4 * TILE_ROWS);
        if take > 0 {
            while let Some(batch) = self.input.next(state)? {
                state.check()?;
                keys.append(&key_batch(&self.keys, &batch, state)?, state)?;
                rows.append(&batch, state)?;
                if rows.store.len() >= cut_at {
                    self.cut(&mut rows, &mut keys, wanted);
                }
            }
        }
        self.cut(&mut rows, &mut keys, wanted);
        let store = std::mem::replace(&mut rows.store, Store::new([]));
        Ok((store, skip))
    }

    /// Keeps the first `wanted` rows, in order.
    fn cut(&self, rows: &mut Rows, keys: &mut Rows, wanted: usize) {
        let mut order = self.order.sort(&keys.store.columns, rows.store.len());
        order.truncate(wanted);
        rows.store = pick(&rows.store, &order);
        keys.store = pick(&keys.store, &order);
    }
}

/// The rows named, in that order.
fn pick(store: &Store, rows: &[u32]) -> Store {
    let mut picked = Store::new(store.columns.iter().map(|column| column.ty));
    for chunk in rows.chunks(TILE_ROWS) {
        picked.append_batch(&store.gather(chunk));
    }
    picked
}

impl Operator for TopN {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.result.is_none() {
            self.result = Some(self.fill(state)?);
        }
        let Some((store, at)) = &mut self.result else { return Ok(None) };
        if *at >= store.len() {
            return Ok(None);
        }
        let batch = store.tile(*at);
        *at += batch.rows();
        Ok(Some(batch))
    }

    fn rewind(&mut self) {
        self.result = None;
        self.input.rewind();
    }
}
