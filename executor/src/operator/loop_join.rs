//! Joins by any condition: each left row meets every right row, kept in memory or made anew.

use super::Operator;
use super::simple::apply_predicates;
use crate::build::Layout;
use crate::context::State;
use crate::eval::Eval;
use crate::spill::spool::{Spool, SpoolPlace};
use crate::store::Store;
use damask_planner::expr::ColumnId;
use damask_planner::physical::JoinKind;
use damask_types::{Batch, Error, Mask, Result, SqlState, TILE_ROWS, TypeId, Value, Vector};

/// The right side.
pub(crate) struct Inner {
    operator: Box<dyn Operator>,
    /// Columns of the left row that the right side reads as outer ones; `None` if it reads none and is kept.
    outer: Option<Vec<ColumnId>>,
    kept: Option<Spool>,
}

impl Inner {
    /// A right side that is the same for every left row.
    pub(crate) fn kept(operator: Box<dyn Operator>) -> Self {
        Self { operator, outer: None, kept: None }
    }

    /// A right side that is run for each left row.
    pub(crate) fn rerun(operator: Box<dyn Operator>, left: Layout) -> Self {
        Self { operator, outer: Some(left.columns().to_vec()), kept: None }
    }
}

/// A nested loop join or apply of any kind.
pub(crate) struct LoopJoin {
    kind: JoinKind,
    left: Box<dyn Operator>,
    inner: Inner,
    predicates: Vec<Eval>,
    left_types: Vec<TypeId>,
    right_types: Vec<TypeId>,
    /// The left tile at hand, its rows still to come, and where the present row stands.
    current: Option<Current>,
    /// Right rows that have met a match (right and full joins), and where giving the rest stands.
    matched: Vec<bool>,
    rest: Option<SpoolPlace>,
    /// Rows that are found but not given yet: less than two tiles.
    out: Store,
}

struct Current {
    batch: Batch,
    rows: std::vec::IntoIter<usize>,
    row: Option<RowState>,
}

/// One left row on its way through the right side.
struct RowState {
    row: usize,
    constants: Vec<Vector>,
    /// Where in the kept rows it stands.
    at: SpoolPlace,
    has_match: bool,
    has_unknown: bool,
}

impl LoopJoin {
    pub(crate) fn new(
        kind: JoinKind,
        left: Box<dyn Operator>,
        inner: Inner,
        predicates: Vec<Eval>,
        left_types: Vec<TypeId>,
        right_types: Vec<TypeId>,
    ) -> Self {
        let out = Self::empty(kind, &left_types, &right_types);
        Self {
            kind,
            left,
            inner,
            predicates,
            left_types,
            right_types,
            current: None,
            matched: vec![],
            rest: None,
            out,
        }
    }

    fn empty(kind: JoinKind, left: &[TypeId], right: &[TypeId]) -> Store {
        let mut types = left.to_vec();
        if kind.gives_right() {
            types.extend_from_slice(right);
        }
        if kind == JoinKind::Mark {
            types.push(TypeId::Bool);
        }
        Store::new(types)
    }

    /// Sets the outer columns that the right side reads.
    fn set_outer(&self, row: usize, state: &mut State<'_>) {
        if let (Some(outer), Some(current)) = (&self.inner.outer, &self.current) {
            for (id, column) in outer.iter().zip(&current.batch.columns) {
                state.run.outer.insert(*id, column.value(row));
            }
        }
    }

    /// The left row that is not through, or the next one; `None` at the end of the left side.
    fn next_row(&mut self, state: &mut State<'_>) -> Result<Option<RowState>> {
        loop {
            if let Some(row) = self.current.as_mut().and_then(|current| current.row.take()) {
                // Somebody else may have run the same plan meanwhile (see [`super::recheck`]).
                self.set_outer(row.row, state);
                return Ok(Some(row));
            }
            if let Some(row) = self.current.as_mut().and_then(|current| current.rows.next()) {
                self.set_outer(row, state);
                if self.inner.outer.is_some() {
                    self.inner.operator.rewind();
                }
                let Some(current) = &self.current else { return Ok(None) };
                let constants = current
                    .batch
                    .columns
                    .iter()
                    .map(|column| column.gather(&[row as u32]))
                    .collect();
                let at = SpoolPlace::default();
                let (has_match, has_unknown) = (false, false);
                return Ok(Some(RowState { row, constants, at, has_match, has_unknown }));
            }
            state.check()?;
            let Some(batch) = self.left.next(state)? else {
                self.current = None;
                return Ok(None);
            };
            let rows: Vec<usize> = batch.active().iter().collect();
            self.current = Some(Current { batch, rows: rows.into_iter(), row: None });
        }
    }

    /// The next right rows for the present left row, and the number of the first among the kept ones.
    fn next_right(
        &mut self,
        at: &mut SpoolPlace,
        state: &mut State<'_>,
    ) -> Result<Option<(Batch, usize)>> {
        if self.inner.outer.is_some() {
            return Ok(self.inner.operator.next(state)?.map(|batch| (batch.compact(), 0)));
        }
        self.inner.kept.as_ref().expect("the right side was read before").read(at)
    }

    /// Whether the rest of the right side can change nothing for this left row.
    fn is_settled(&self, row: &RowState) -> bool {
        row.has_match
            && matches!(
                self.kind,
                JoinKind::Semi | JoinKind::Anti | JoinKind::Mark | JoinKind::NullAwareAnti
            )
    }

    /// Runs a left row through the right side; gives it back when a tile has gathered before it is through.
    fn run_row(&mut self, mut row: RowState, state: &mut State<'_>) -> Result<Option<RowState>> {
        while !self.is_settled(&row) {
            state.check()?;
            if self.out.len() >= TILE_ROWS {
                return Ok(Some(row));
            }
            let Some((right, from)) = self.next_right(&mut row.at, state)? else { break };
            let rows = right.rows();
            let repeat = vec![0; rows];
            let mut columns: Vec<Vector> =
                row.constants.iter().map(|column| column.gather(&repeat)).collect();
            columns.extend(right.columns);
            let mut pairs = Batch::new(columns, rows);
            if self.kind == JoinKind::Mark || self.kind == JoinKind::NullAwareAnti {
                let (is_true, is_unknown) = self.three_valued(&pairs, state)?;
                row.has_match |= !is_true.is_empty();
                row.has_unknown |= !is_unknown.is_empty();
                continue;
            }
            apply_predicates(&self.predicates, &mut pairs, state)?;
            let kept = pairs.active();
            let count = kept.count();
            if count == 0 {
                continue;
            }
            if self.kind == JoinKind::Single && (row.has_match || count > 1) {
                return Err(Error::new(
                    SqlState::CARDINALITY_VIOLATION,
                    "more than one row returned by a subquery used as an expression",
                ));
            }
            row.has_match = true;
            if !self.matched.is_empty() {
                for pair in kept.iter() {
                    self.matched[from + pair] = true;
                }
            }
            if self.kind.gives_right() {
                self.out.append_batch(&pairs);
            }
        }
        self.finish_row(&row);
        Ok(None)
    }

    /// Pairs for which the condition is true, and for which it is unknown.
    fn three_valued(&self, pairs: &Batch, state: &mut State<'_>) -> Result<(Mask, Mask)> {
        let all = Mask::first(pairs.rows());
        let (mut open, mut unknown) = (all, Mask::NONE);
        for predicate in &self.predicates {
            let value = predicate.run(pairs, &open, state)?;
            let valid = value.valid_rows();
            unknown = unknown.or(&open.and_not(&valid));
            open = open.and_not(&valid.and_not(&value.true_rows()));
        }
        unknown = unknown.and(&open);
        Ok((open.and_not(&unknown), unknown))
    }

    /// What comes out for a left row that is through.
    fn finish_row(&mut self, row: &RowState) {
        let alone = |out: &mut Store, constants: &[Vector], right: &[TypeId]| {
            let mut columns = constants.to_vec();
            columns.extend(right.iter().map(|&ty| Vector::nulls(ty, 1)));
            out.append(&columns, &[0]);
        };
        match self.kind {
            JoinKind::Inner | JoinKind::Right => {}
            JoinKind::Left | JoinKind::Full | JoinKind::Single => {
                if !row.has_match {
                    alone(&mut self.out, &row.constants, &self.right_types);
                }
            }
            JoinKind::Semi => {
                if row.has_match {
                    self.out.append(&row.constants, &[0]);
                }
            }
            JoinKind::Anti => {
                if !row.has_match {
                    self.out.append(&row.constants, &[0]);
                }
            }
            JoinKind::NullAwareAnti => {
                if !row.has_match && !row.has_unknown {
                    self.out.append(&row.constants, &[0]);
                }
            }
            JoinKind::Mark => {
                let mark = match (row.has_match, row.has_unknown) {
                    (true, _) => Value::Bool(true),
                    (false, true) => Value::Null,
                    (false, false) => Value::Bool(false),
                };
                let mut columns = row.constants.clone();
                columns.push(Vector::constant(TypeId::Bool, &mark, 1));
                self.out.append(&columns, &[0]);
            }
        }
    }

    /// What has gathered, if it is a tile's worth or `all` is asked for.
    fn flush(&mut self, all: bool) -> Option<Batch> {
        if self.out.len() == 0 || !all && self.out.len() < TILE_ROWS {
            return None;
        }
        let empty = Self::empty(self.kind, &self.left_types, &self.right_types);
        let out = std::mem::replace(&mut self.out, empty);
        let batch = out.tile(0);
        if batch.rows() < out.len() {
            self.out.append_batch(&out.tile(batch.rows()));
        }
        Some(batch)
    }

    /// Right rows without a match.
    fn unmatched(&mut self) -> Result<Option<Batch>> {
        let Some(kept) = &self.inner.kept else { return Ok(None) };
        let place = self.rest.get_or_insert_default();
        while let Some((right, from)) = kept.read(place)? {
            let rows = right.rows();
            let mut columns: Vec<Vector> =
                self.left_types.iter().map(|&ty| Vector::nulls(ty, rows)).collect();
            columns.extend(right.columns);
            let mut batch = Batch::new(columns, rows);
            batch.select(&Mask::from_fn(rows, |row| !self.matched[from + row]));
            if batch.selected_count() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

impl Operator for LoopJoin {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.inner.outer.is_none() && self.inner.kept.is_none() {
            let kept = Spool::fill(&self.right_types, &mut *self.inner.operator, state)?;
            if matches!(self.kind, JoinKind::Right | JoinKind::Full) {
                self.matched = vec![false; kept.len()];
            }
            self.inner.kept = Some(kept);
        }
        if self.rest.is_some() {
            return self.unmatched();
        }
        loop {
            // Rows gather over left rows.
            if let Some(batch) = self.flush(false) {
                return Ok(Some(batch));
            }
            let Some(row) = self.next_row(state)? else { break };
            let row = self.run_row(row, state)?;
            if let Some(current) = &mut self.current {
                current.row = row;
            }
        }
        if let Some(batch) = self.flush(true) {
            return Ok(Some(batch));
        }
        if self.matched.is_empty() { Ok(None) } else { self.unmatched() }
    }

    fn rewind(&mut self) {
        (self.current, self.rest, self.inner.kept) = (None, None, None);
        self.matched.clear();
        self.out = Self::empty(self.kind, &self.left_types, &self.right_types);
        self.left.rewind();
        self.inner.operator.rewind();
    }
}
