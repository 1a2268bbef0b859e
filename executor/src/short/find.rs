//! How rows are found: by a whole key of an index or the beginning of one, and for each the rows that another index has for it.

use super::scalar::{Given, Scalar, all};
use super::{ROWS_MAX, ShortContext};
use crate::Control;
use damask_catalog::object::{Index, IndexMethod, Relation};
use damask_planner::expr::ColumnId;
use damask_planner::physical::{self, JoinKind, KeyBounds, Node, Operator, Plan};
use damask_txn::{Direction, Lookup, ReadView, Table};
use damask_types::{ColumnIndex, RelId, Result, RowId, Value};
use smallvec::SmallVec;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Most tables that are joined.
const STEPS_MAX: usize = 4;

/// A key of an index, or its first columns.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) relation: Arc<Relation>,
    pub(super) index: Arc<Index>,
    key: Vec<Scalar>,
    direction: Direction,
    /// At most one row has it.
    pub(super) is_unique: bool,
}

impl Access {
    /// Of an index scan; `place` tells where in the rows found before a column stands. At most `rows_max` rows are to be expected.
    pub(super) fn of<'p>(
        node: &'p Node,
        rows_max: f64,
        place: &mut impl FnMut(ColumnId) -> Option<usize>,
    ) -> Option<(Self, &'p physical::Scan)> {
        let Operator::IndexScan { scan, index, bounds, backward, index_only } = &node.operator
        else {
            return None;
        };
        let KeyBounds { equal, any: false, lower: None, upper: None } = bounds else {
            return None;
        };
        let key = all(equal, place)?;
        let is_whole = key.len() == index.keys.len();
        let is_unique = is_whole && index.tells_rows_apart();
        // Many rows are better read from the index alone, if it has all that is wanted.
        let is_prefix = index.method == IndexMethod::Btree && !key.is_empty() && !index_only;
        let fits = (is_whole || is_prefix)
            && scan.table_oid.is_none()
            && (is_unique || node.rows <= rows_max);
        let direction = if *backward { Direction::Backward } else { Direction::Forward };
        let (relation, index) = (Arc::clone(&scan.table), Arc::clone(index));
        fits.then_some((Self { relation, index, key, direction, is_unique }, scan))
    }

    /// The key for a row found before; none if a part of it is null, which no row matches.
    pub(super) fn key(
        &self,
        row: &[Value],
        given: Given<'_>,
    ) -> Result<Option<SmallVec<[Value; 2]>>> {
        let mut values = SmallVec::new();
        for part in &self.key {
            let value = part.value(row, given)?;
            if value.is_null() {
                return Ok(None);
            }
            values.push(value);
        }
        Ok(Some(values))
    }

    /// Calls `give` with each row that has the key, until it breaks off; about `wanted` rows are.
    pub(super) fn rows(
        &self,
        key: &[Value],
        table: &Table,
        view: &ReadView,
        columns: &[ColumnIndex],
        wanted: usize,
        room: &mut Vec<Value>,
        mut give: impl FnMut(RowId, &mut Vec<Value>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let (index, direction) = (self.index.rel, self.direction);
        let lookup = Lookup { index, key, columns, direction, wanted };
        table.lookup(view, &lookup, room, |row, values| {
            let flow = give(row, values)?;
            Ok(if self.is_unique { ControlFlow::Break(()) } else { flow })
        })
    }
}

/// Rows of one table, for each row that the steps before found.
#[derive(Debug)]
struct Step {
    access: Access,
    columns: Vec<ColumnIndex>,
    /// Over the columns of this step and those before.
    predicates: Vec<Scalar>,
}

/// Rows of a table, or of a join in which each table is asked for by key.
#[derive(Debug)]
pub(super) struct Reader {
    steps: Vec<Step>,
    /// The columns of a row that it gives.
    layout: Vec<ColumnId>,
}

/// What the steps of a reader share while it runs.
struct Running<'a> {
    given: Given<'a>,
    tables: &'a [Table],
    view: &'a ReadView,
    control: &'a dyn Control,
}

impl Reader {
    /// Of a plan's node, if it finds rows so. At most `rows_max` rows are to be expected of each table.
    pub(super) fn of(plan: &Plan, node: &Node, rows_max: f64) -> Option<Self> {
        let mut reader = Self { steps: vec![], layout: vec![] };
        reader.add(plan, node, rows_max)?;
        Some(reader)
    }

    fn add(&mut self, plan: &Plan, node: &Node, rows_max: f64) -> Option<()> {
        let predicates = match &node.operator {
            Operator::IndexScan { .. } => {
                if self.steps.len() == STEPS_MAX {
                    return None;
                }
                let mut place = |id| self.layout.iter().position(|column| *column == id);
                let (access, scan) = Access::of(node, rows_max, &mut place)?;
                // A right side that does not depend on the left one is read first, and raises what there is to raise.
                if scan.row_id.is_some()
                    || !self.steps.is_empty() && !access.key.iter().all(Scalar::is_plain)
                {
                    return None;
                }
                let columns = scan.columns.iter().chain(&scan.filter_columns);
                self.layout.extend(columns.clone().map(|(_, id)| *id));
                let columns = columns.map(|(column, _)| *column).collect();
                self.steps.push(Step { access, columns, predicates: vec![] });
                &scan.predicates
            }
            Operator::Filter { input, predicates } => {
                self.add(plan, plan.node(*input), rows_max)?;
                predicates
            }
            Operator::NestedLoopJoin { kind: JoinKind::Inner, left, right, predicates }
            | Operator::Apply { kind: JoinKind::Inner, left, right, predicates } => {
                self.add(plan, plan.node(*left), ROWS_MAX)?;
                self.add(plan, plan.node(*right), ROWS_MAX)?;
                predicates
            }
            _ => return None,
        };
        let mut place = |id| self.layout.iter().position(|column| *column == id);
        let predicates = all(predicates, &mut place)?;
        self.steps.last_mut()?.predicates.extend(predicates);
        Some(())
    }

    pub(super) fn layout(&self) -> &[ColumnId] {
        &self.layout
    }

    /// The tables of its steps.
    pub(super) fn tables(&self) -> Vec<RelId> {
        self.steps.iter().map(|step| step.access.relation.rel).collect()
    }

    /// Whether it gives at most one row.
    pub(super) fn is_unique(&self) -> bool {
        self.steps.iter().all(|step| step.access.is_unique)
    }

    /// Whether a transaction that keeps its reads would keep more of it than batches do, which know what the predicates leave out.
    pub(super) fn keeps_more(&self) -> bool {
        self.steps.iter().any(|step| !step.predicates.is_empty())
    }

    /// Calls `give` with each row, until it breaks off; about `wanted` rows are.
    pub(super) fn rows(
        &self,
        ctx: &mut ShortContext<'_>,
        view: &ReadView,
        wanted: usize,
        mut give: impl FnMut(&[Value]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let running = Running {
            given: Given { params: ctx.params, session: ctx.session },
            tables: ctx.tables,
            view,
            control: ctx.control,
        };
        self.run(&running, 0, &[], wanted, ctx.room, &mut give).map(drop)
    }

    /// Runs the steps from number `at` on for a row of those before.
    fn run(
        &self,
        running: &Running<'_>,
        at: usize,
        before: &[Value],
        wanted: usize,
        room: &mut Vec<Value>,
        give: &mut dyn FnMut(&[Value]) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let Running { given, tables, view, control } = running;
        let Step { access, columns, predicates } = &self.steps[at];
        let Some(key) = access.key(before, *given)? else {
            return Ok(ControlFlow::Continue(()));
        };
        let mut flow = ControlFlow::Continue(());
        access.rows(&key, &tables[at], view, columns, wanted, room, |_, values| {
            control.check()?;
            if !before.is_empty() {
                values.splice(0..0, before.iter().cloned());
            }
            for predicate in predicates {
                if !predicate.is_true(values, *given)? {
                    return Ok(ControlFlow::Continue(()));
                }
            }
            flow = if at + 1 == self.steps.len() {
                give(values)?
            } else {
                self.run(running, at + 1, values, usize::MAX, &mut vec![], give)?
            };
            Ok(flow)
        })?;
        Ok(flow)
    }
}
