//! Statements that find few rows by key, or write one or rows that they spell out: run by value, without operators and batches.
//!
//! A [`Short`] is made of a plan once and kept beside it. It stands for the same plan, and does what its operators do, in their order:
//! [`Short::of`] takes only plans whose operators add nothing to that. What it leaves to them: ranges of keys, CHECK
//! constraints, foreign keys that the statement concerns, ON CONFLICT, subqueries, groups.
//!
//! | plan | here |
//! |---|---|
//! | [Project, Limit of] index scan for a whole key, or the beginning of one; inner joins of such scans | each row that has it, straight to the sink |
//! | [Project of] aggregates over the same | its rows' values, gathered, to the aggregates' states |
//! | Project of LockRows of an index scan for a unique key | the row, locked, as it is then |
//! | Insert of rows of expressions | for each its values, NOT NULL, the row |
//! | Update or Delete over an index scan for a unique key | the row, and again if another transaction changed it meanwhile |
//!
//! Invariants
//! - S1: cancellation is looked for once, and at each row found or inserted; at most [`ROWS_MAX`] rows are expected of a key, or wanted.
//! - S2: whatever runs here gives the rows, the changes and the errors that the plan's operators give; `damask/tests/it/short_path.rs` runs both.

mod find;
mod lock;
mod scalar;
mod select;
mod write;

use crate::build::types;
use damask_catalog::CatalogSnapshot;
use damask_functions::Session;
use damask_planner::expr::ColumnId;
use damask_planner::physical::{Operator, Plan};
use damask_txn::{Table, Txn};
use damask_types::{ColumnIndex, RelId, Result, TypeId, Value};
use lock::Lock;
use select::Select;
use write::{Delete, Insert, Update};

/// Most rows that a key may be expected to have.
const ROWS_MAX: f64 = 64.0;

/// A plan that runs by value.
#[derive(Debug)]
pub struct Short {
    kind: Kind,
    /// Types of the rows it gives.
    types: Vec<TypeId>,
    /// It gives at most one row.
    is_unique: bool,
    keeps_more: bool,
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
    /// The tables that [`Short::tables`] tells, in that order.
    pub tables: &'a [Table],
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
        let (is_unique, keeps_more) = match &kind {
            Kind::Select(select) => (select.is_unique(), select.keeps_more()),
            Kind::Lock(_) | Kind::Insert(_) | Kind::Update(_) | Kind::Delete(_) => (true, false),
        };
        Some(Self { kind, types: types(node), is_unique, keeps_more })
    }

    /// The tables that it reads or writes.
    pub fn tables(&self) -> Vec<RelId> {
        match &self.kind {
            Kind::Select(select) => select.tables(),
            Kind::Lock(lock) => vec![lock.table()],
            Kind::Insert(insert) => vec![insert.table()],
            Kind::Update(update) => vec![update.table()],
            Kind::Delete(delete) => vec![delete.table()],
        }
    }

    /// Types of the rows it gives.
    pub fn types(&self) -> &[TypeId] {
        &self.types
    }

    /// Whether it gives at most one row.
    pub fn is_unique(&self) -> bool {
        self.is_unique
    }

    /// Whether a transaction that keeps its reads would keep more of them than the plan's operators do.
    pub fn keeps_more(&self) -> bool {
        self.keeps_more
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
