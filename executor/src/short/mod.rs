//! Statements that find few rows by key, or write one or rows that they spell out: run by value, without operators and batches.
//!
//! A [`Short`] is made of a plan once and kept beside it. It stands for the same plan, and does what its operators do, in their order:
//! [`Short::of`] takes only plans whose operators add nothing to that. What it leaves to them: predicates beside the key, CHECK
//! constraints, foreign keys that the statement concerns, ON CONFLICT, subqueries, limits.
//!
//! | plan | here |
//! |---|---|
//! | [Project of] index scan for a whole key, or the beginning of one | each row that has it, straight to the sink |
//! | Project of LockRows of an index scan for a unique key | the row, locked, as it is then |
//! | Insert of rows of expressions | for each its values, NOT NULL, the row |
//! | Update or Delete over an index scan for a unique key | the row, and again if another transaction changed it meanwhile |
//!
//! Invariants
//! - S1: cancellation is looked for once, and at each row given or inserted; at most [`ROWS_MAX`] rows are expected of a key.
//! - S2: whatever runs here gives the rows, the changes and the errors that the plan's operators give; tests run both.

mod lock;
mod scalar;
mod write;

use damask_catalog::CatalogSnapshot;
use damask_catalog::object::{Index, IndexMethod, Relation};
use damask_functions::Session;
use damask_planner::expr::ColumnId;
use damask_planner::physical::{self, KeyBounds, Node, Operator, Plan};
use damask_txn::{Engine, ReadView, Table, Txn};
use damask_types::{ColumnIndex, RelId, Result, RowId, TypeId, Value};
use lock::Lock;
use scalar::{Given, Scalar};
use std::ops::ControlFlow;
use std::sync::Arc;
use write::{Delete, Insert, Update};

/// Most rows that a key may be expected to have.
const ROWS_MAX: f64 = 64.0;

/// A plan that runs by value.
#[derive(Debug)]
pub struct Short {
    kind: Kind,
    /// Types of the rows it gives.
    types: Vec<TypeId>,
    /// At most one row has the key.
    is_unique: bool,
}

#[derive(Debug)]
enum Kind {
    Select(Select),
    Lock(Lock),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
}

/// What a short plan runs with.
pub struct ShortContext<'a> {
    /// Values of `$1`, `$2`, ...
    pub params: &'a [Value],
    /// What functions may ask.
    pub session: &'a (dyn Session + Send + Sync),
    /// Where tables live.
    pub engine: &'a Arc<Engine>,
    /// The catalog the plan was made under.
    pub catalog: &'a CatalogSnapshot,
    /// What stops it.
    pub control: &'a dyn crate::Control,
    /// Room for a row, kept between statements.
    pub room: &'a mut Vec<Value>,
}

impl std::fmt::Debug for ShortContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShortContext").finish_non_exhaustive()
    }
}

/// Takes the rows that a statement gives.
pub type Give<'a> = dyn FnMut(&[Value]) -> Result<()> + 'a;

/// How rows are found: by a whole key of an index, or by its first columns.
#[derive(Debug)]
struct Access {
    relation: Arc<Relation>,
    index: Arc<Index>,
    key: Vec<Scalar>,
    is_unique: bool,
}

impl Access {
    /// Of a scan that looks at nothing but the key.
    fn of(node: &Node) -> Option<(Self, &physical::Scan)> {
        let Operator::IndexScan { scan, index, bounds, backward, index_only } = &node.operator
        else {
            return None;
        };
        let KeyBounds { equal, any: false, lower: None, upper: None } = bounds else {
            return None;
        };
        let key = equal.iter().map(Scalar::constant).collect::<Option<Vec<_>>>()?;
        let is_whole = key.len() == index.keys.len();
        let is_unique = is_whole && index.unique && index.immediate && index.predicate.is_none();
        // Many rows are better read from the index alone, if it has all that is wanted.
        let is_prefix = index.method == IndexMethod::Btree && !key.is_empty() && !index_only;
        let fits = (is_whole || is_prefix)
            && scan.predicates.is_empty()
            && scan.table_oid.is_none()
            && (is_unique || !*backward && node.rows <= ROWS_MAX);
        let relation = Arc::clone(&scan.table);
        fits.then(|| (Self { relation, index: Arc::clone(index), key, is_unique }, scan))
    }

    /// The key; none if a part of it is null, which no row matches.
    fn key(&self, given: Given<'_>) -> Result<Option<smallvec::SmallVec<[Value; 2]>>> {
        let mut values = smallvec::SmallVec::new();
        for part in &self.key {
            let value = part.value(&[], given)?;
            if value.is_null() {
                return Ok(None);
            }
            values.push(value);
        }
        Ok(Some(values))
    }

    /// Calls `give` with each row that has the key.
    fn rows(
        &self,
        key: &[Value],
        table: &Table,
        view: &ReadView,
        columns: &[ColumnIndex],
        room: &mut Vec<Value>,
        mut give: impl FnMut(RowId, &mut Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        if self.index.rel == RelId(0) {
            let row = key[0].as_i64().map(Table::alias_row);
            return match row {
                Some(row) if table.read(view, row, columns, room)? => give(row, room),
                _ => Ok(()),
            };
        }
        table.lookup(view, self.index.rel, key, columns, room, |row, values| {
            give(row, values)?;
            Ok(if self.is_unique { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }
}

/// SELECT by key.
#[derive(Debug)]
struct Select {
    access: Access,
    columns: Vec<ColumnIndex>,
    /// What is given, over the columns; none for the columns themselves.
    exprs: Option<Vec<Scalar>>,
}

impl Select {
    fn of(plan: &Plan, node: &Node) -> Option<Self> {
        let (input, exprs) = match &node.operator {
            Operator::Project { input, exprs } => (plan.node(*input), Some(exprs)),
            _ => (node, None),
        };
        let (access, scan) = Access::of(input)?;
        if scan.row_id.is_some() {
            return None;
        }
        let mut place = |id| scan.columns.iter().position(|(_, column)| *column == id);
        let exprs = match exprs {
            None => None,
            Some(exprs) => {
                Some(exprs.iter().map(|expr| Scalar::of(expr, &mut place)).collect::<Option<_>>()?)
            }
        };
        let columns = scan.columns.iter().map(|(column, _)| *column).collect();
        Some(Self { access, columns, exprs })
    }

    fn run(&self, ctx: &mut ShortContext<'_>, txn: &Txn, give: &mut Give<'_>) -> Result<u64> {
        let given = Given { params: ctx.params, session: ctx.session };
        let Some(key) = self.access.key(given)? else {
            return Ok(0);
        };
        let table = ctx.engine.table_handle(self.access.relation.rel)?;
        let mut rows = 0;
        let mut shown = vec![];
        self.access.rows(&key, &table, txn.view_ref()?, &self.columns, ctx.room, |_, values| {
            rows += 1;
            ctx.control.check()?;
            let Some(exprs) = &self.exprs else {
                return give(values);
            };
            shown.clear();
            for expr in exprs {
                shown.push(expr.value(values, given)?);
            }
            give(&shown)
        })?;
        Ok(rows)
    }
}

impl Short {
    /// The short form of a plan, if it has one.
    pub fn of(plan: &Plan) -> Option<Self> {
        let node = plan.node(plan.root);
        let kind = match &node.operator {
            Operator::Insert(insert) => Kind::Insert(Insert::of(plan, insert)?),
            Operator::Update(update) => Kind::Update(Update::of(plan, update)?),
            Operator::Delete(delete) => Kind::Delete(Delete::of(plan, delete)?),
            _ => match Lock::of(plan, node) {
                Some(lock) => Kind::Lock(lock),
                None => Kind::Select(Select::of(plan, node)?),
            },
        };
        let is_unique = match &kind {
            Kind::Select(select) => select.access.is_unique,
            Kind::Lock(_) | Kind::Insert(_) | Kind::Update(_) | Kind::Delete(_) => true,
        };
        Some(Self { kind, types: node.types.iter().map(|ty| ty.id).collect(), is_unique })
    }

    /// Types of the rows it gives.
    pub fn types(&self) -> &[TypeId] {
        &self.types
    }

    /// Whether it gives at most one row.
    pub fn is_unique(&self) -> bool {
        self.is_unique
    }

    /// Runs it under the transaction's present view; says how many rows it gave or changed.
    ///
    /// # Errors
    /// What the statement raises, and what `give` does.
    pub fn run(
        &self,
        mut ctx: ShortContext<'_>,
        txn: &mut Txn,
        give: &mut Give<'_>,
    ) -> Result<u64> {
        ctx.control.check()?;
        match &self.kind {
            Kind::Select(select) => select.run(&mut ctx, txn, give),
            Kind::Lock(lock) => lock.run(&mut ctx, txn, give),
            Kind::Insert(insert) => insert.run(&ctx, txn, give),
            Kind::Update(update) => update.run(&mut ctx, txn, give),
            Kind::Delete(delete) => delete.run(&mut ctx, txn, give),
        }
    }
}

/// The row that expressions read, as it is put together: columns of the table, each once.
#[derive(Debug, Default)]
struct Places {
    columns: Vec<ColumnIndex>,
}

impl Places {
    fn place(&mut self, column: ColumnIndex) -> usize {
        self.columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        })
    }
}

/// The column of a table that an id stands for.
fn column_of(columns: &[(ColumnIndex, ColumnId)], id: ColumnId) -> Option<ColumnIndex> {
    columns.iter().find(|(_, known)| *known == id).map(|(column, _)| *column)
}
