//! Physical plans: what the executor runs. Immutable once made; run-time state lives in operators.
//!
//! Nodes lie in an arena and may be shared (a CTE read twice). Each node says which columns it gives, by id and in order;
//! expressions of a node refer to columns of its inputs.

use crate::expr::{ColumnId, Expr};
use damask_catalog::object::{Index, Relation};
use damask_functions::aggregate::AggregateFunction;
use damask_functions::registry::TableFunction;
use damask_types::{ColumnIndex, SqlType};
use std::sync::Arc;

/// A node of a [`Plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlanId(pub u32);

/// A planned statement.
#[derive(Debug)]
pub struct Plan {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The node whose rows (or count) are the result.
    pub root: PlanId,
    /// Name and type of each result column, in the order of the root's output; empty for statements without rows.
    pub columns: Arc<[OutputColumn]>,
    /// Types of `$1`, `$2`, ...
    pub parameters: Arc<[SqlType]>,
    /// Relations read or written, for locks, privileges and invalidation.
    pub relations: Vec<RelationUse>,
    /// Whether it changes rows.
    pub writes: bool,
    /// Whether it locks rows without changing them.
    pub locks_rows: bool,
}

/// A result column.
#[derive(Clone, Debug)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// The table column it comes from unchanged (`RowDescription`'s table OID and attribute number from 1).
    pub origin: Option<(damask_types::Oid, u16)>,
}

/// How a plan uses a relation.
#[derive(Clone, Debug)]
pub struct RelationUse {
    /// The relation.
    pub relation: Arc<Relation>,
    /// Whether it is written.
    pub written: bool,
    /// Whether the statement's own text names it; else only that of a view does.
    pub is_direct: bool,
    /// The columns that the statement's own text reads, by number.
    pub columns: Vec<ColumnIndex>,
}

/// An operator with what it gives and what that should cost.
#[derive(Debug)]
pub struct Node {
    /// What it does.
    pub operator: Operator,
    /// The columns it gives, in order.
    pub output: Vec<ColumnId>,
    /// Their types.
    pub types: Vec<SqlType>,
    /// Expected rows.
    pub rows: f64,
    /// Cost in PostgreSQL's units until the first row and until the last.
    pub cost: (f64, f64),
}

/// What a node does.
#[derive(Debug)]
pub enum Operator {
    /// Rows of expressions without input columns (`VALUES`, `SELECT 1`); one empty row for `SELECT` without FROM.
    Values {
        /// The rows.
        rows: Vec<Vec<Expr>>,
    },
    /// Rows that the execution is fed from outside (COPY FROM): its `output` columns, in order; `planner::plan_copy_from` puts it under an
    /// [`Operator::Insert`]. Also the two rows of a [`ConflictUpdate::source`].
    Input,
    /// Every visible row of a table.
    SeqScan(Scan),
    /// Rows of a table through an index (or its alias row id), in key order.
    IndexScan {
        /// What is read.
        scan: Scan,
        /// The index; the primary key's of an alias table has no storage: the key is the row id.
        index: Arc<Index>,
        /// Which keys.
        bounds: KeyBounds,
        /// Descending key order.
        backward: bool,
        /// Whether the index holds every column that `scan` reads.
        index_only: bool,
    },
    /// Rows of a relation that the catalog computes.
    SystemScan(Scan),
    /// Rows of a set-returning function.
    FunctionScan {
        /// The function.
        function: &'static TableFunction,
        /// Its arguments, without input columns (but perhaps with outer ones).
        args: Vec<Expr>,
        /// Its columns; the last is the row's number from 1 if `ordinality`.
        ordinality: bool,
    },
    /// Rows of the input for which every conjunct is true.
    Filter {
        /// Input.
        input: PlanId,
        /// Conjuncts, cheapest and safest first.
        predicates: Vec<Expr>,
    },
    /// Expressions over the input; `output[i]` is `exprs[i]`.
    Project {
        /// Input.
        input: PlanId,
        /// One for each output column.
        exprs: Vec<Expr>,
    },
    /// Set-returning functions in a select list, expanded in step (shorter ones padded with nulls).
    /// The output is the input's columns, then one column for each function.
    ProjectSet {
        /// Input.
        input: PlanId,
        /// The functions with their arguments.
        functions: Vec<(&'static TableFunction, Vec<Expr>)>,
    },
    /// Join by equality of keys. The right side is built, the left side probes.
    HashJoin {
        /// Which rows come out.
        kind: JoinKind,
        /// Probe side.
        left: PlanId,
        /// Build side.
        right: PlanId,
        /// Pairs of keys.
        keys: Vec<JoinKey>,
        /// What else must hold, over both sides' columns.
        residual: Vec<Expr>,
    },
    /// Join by any condition. The right side is kept, the left side streams.
    NestedLoopJoin {
        /// Which rows come out.
        kind: JoinKind,
        /// Outer side.
        left: PlanId,
        /// Inner side, kept in memory.
        right: PlanId,
        /// The condition.
        predicates: Vec<Expr>,
    },
    /// For each row of the left side, run the right side anew: `ExprKind::Outer` in it reads the left row. Lookups through an index
    /// (nested loop with inner index scan), LATERAL, and correlated subqueries that could not be unnested.
    Apply {
        /// Which rows come out.
        kind: JoinKind,
        /// Outer side.
        left: PlanId,
        /// Run for each outer row.
        right: PlanId,
        /// The condition over both sides' columns.
        predicates: Vec<Expr>,
    },
    /// Groups and their aggregates. Output: the group columns, then the aggregates. Without groups: one row, also over no input.
    Aggregate {
        /// Input.
        input: PlanId,
        /// Group keys.
        groups: Vec<Expr>,
        /// Aggregates.
        aggregates: Vec<AggregateCall>,
        /// How.
        strategy: AggregateStrategy,
    },
    /// Rows without duplicates (nulls equal). `keys` counts the leading columns that matter (DISTINCT ON keeps the first row of each).
    Distinct {
        /// Input.
        input: PlanId,
        /// The columns that must differ.
        keys: Vec<ColumnId>,
        /// Whether rows with equal keys come one after the other, and the order is to be kept.
        sorted: bool,
    },
    /// Rows in order.
    Sort {
        /// Input.
        input: PlanId,
        /// The order.
        keys: Vec<SortKey>,
    },
    /// The first rows in an order.
    TopN {
        /// Input.
        input: PlanId,
        /// The order.
        keys: Vec<SortKey>,
        /// How many; constant for the statement (literal, parameter, subplan).
        limit: Expr,
        /// How many to leave out first.
        offset: Option<Expr>,
    },
    /// The first rows. A null or absent limit is none. Negative ones raise 2201W and 2201X.
    Limit {
        /// Input.
        input: PlanId,
        /// How many.
        limit: Option<Expr>,
        /// How many to leave out first.
        offset: Option<Expr>,
    },
    /// UNION ALL: the rows of each input, columns by position.
    Append {
        /// Inputs.
        inputs: Vec<PlanId>,
    },
    /// INTERSECT or EXCEPT, columns by position, nulls equal. (UNION is Distinct over Append.)
    SetOperation {
        /// Which.
        kind: SetKind,
        /// Keep duplicates by count.
        all: bool,
        /// Left input.
        left: PlanId,
        /// Right input.
        right: PlanId,
    },
    /// Rows computed once and read by several nodes (a CTE). Every `Shared` with one `source` reads the same rows.
    Shared {
        /// The plan that makes them.
        source: PlanId,
    },
    /// INSERT: the input's columns are the new row, one for each live column of the table in order.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// Locks the rows it passes on (SELECT ... FOR UPDATE and its kin).
    LockRows {
        /// Input.
        input: PlanId,
        /// For each locked table: the column that holds its row id.
        tables: Vec<LockedTable>,
        /// Columns of the input that tell which rows of the other tables belong to one of its rows: row ids of stored tables, every
        /// column of what else there is. A row that is tried again keeps them.
        kept: Vec<ColumnId>,
    },
}

/// A table locked by [`Operator::LockRows`].
#[derive(Debug)]
pub struct LockedTable {
    /// The table.
    pub table: Arc<Relation>,
    /// Its row id in the input.
    pub row_id: ColumnId,
    /// How strong.
    pub strength: LockStrength,
    /// What to do about other holders.
    pub wait: LockWait,
}

/// FOR UPDATE and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockStrength {
    /// FOR KEY SHARE.
    KeyShare,
    /// FOR SHARE.
    Share,
    /// FOR NO KEY UPDATE.
    NoKeyUpdate,
    /// FOR UPDATE.
    Update,
}

/// What to do about other holders of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Wait.
    Wait,
    /// NOWAIT: raise 55P03.
    NoWait,
    /// SKIP LOCKED: leave the row out.
    Skip,
}

/// What a scan reads.
#[derive(Debug)]
pub struct Scan {
    /// The relation.
    pub table: Arc<Relation>,
    /// Alias in the statement, for EXPLAIN.
    pub alias: String,
    /// The columns it gives, with their place in the table.
    pub columns: Vec<(ColumnIndex, ColumnId)>,
    /// If set, the row id is given as an int8 column of this id (for updates, deletes, locks, `ctid`).
    pub row_id: Option<ColumnId>,
    /// `tableoid`, if asked for.
    pub table_oid: Option<ColumnId>,
    /// Conjuncts over its columns (those it gives and those in `filter_columns`), cheapest and safest first.
    pub predicates: Vec<Expr>,
    /// Columns read by `predicates` alone and not given.
    pub filter_columns: Vec<(ColumnIndex, ColumnId)>,
}

/// Which keys of an index a scan visits: a prefix of equalities, then at most one range.
#[derive(Debug, Default)]
pub struct KeyBounds {
    /// Values of the first key columns (already of the column's type); a null matches nothing. Several alternatives (IN lists) are `any`.
    pub equal: Vec<Expr>,
    /// If set, the last of `equal` is an array whose elements are tried in turn, sorted and without duplicates.
    pub any: bool,
    /// Lower bound of the next column: the value and whether it is in.
    pub lower: Option<(Expr, bool)>,
    /// Upper bound of the next column.
    pub upper: Option<(Expr, bool)>,
}

/// Which rows a join gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// Pairs. Output: left columns, right columns.
    Inner,
    /// Pairs, and left rows without a match with nulls.
    Left,
    /// Pairs, and right rows without a match with nulls.
    Right,
    /// Pairs, and rows of either side without a match.
    Full,
    /// Left rows with a match. Output: left columns.
    Semi,
    /// Left rows without a match (NOT EXISTS).
    Anti,
    /// Left rows for which NOT IN holds: no match, and no comparison unknown.
    NullAwareAnti,
    /// Left rows with one more bool column: whether there is a match; null if only unknown comparisons say no (IN as a value).
    Mark,
    /// Like `Left`, but a second match raises 21000 (scalar subquery).
    Single,
}

/// One equality of a hash join.
#[derive(Debug)]
pub struct JoinKey {
    /// Over the left side.
    pub left: Expr,
    /// Over the right side, of the same type.
    pub right: Expr,
    /// IS NOT DISTINCT FROM rather than `=`.
    pub null_safe: bool,
}

/// One aggregate of an [`Operator::Aggregate`].
#[derive(Debug)]
pub struct AggregateCall {
    /// The function.
    pub function: &'static AggregateFunction,
    /// Its arguments, of the types of its signature.
    pub args: Vec<Expr>,
    /// DISTINCT.
    pub distinct: bool,
    /// FILTER (WHERE ...).
    pub filter: Option<Expr>,
    /// ORDER BY inside the call.
    pub order: Vec<SortKey>,
    /// Result type.
    pub ty: SqlType,
}

/// How groups are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateStrategy {
    /// No group keys.
    Plain,
    /// A hash table.
    Hash,
    /// The input brings equal keys together.
    Streaming,
}

/// One key of an order.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// What is compared.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// INTERSECT or EXCEPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// INTERSECT.
    Intersect,
    /// EXCEPT.
    Except,
}

/// Checks that a changed row must pass. Expressions read [`RowChecks::columns`].
#[derive(Debug, Default)]
pub struct RowChecks {
    /// The new row: the id under which each live column is read.
    pub columns: Vec<(ColumnIndex, ColumnId)>,
    /// CHECK constraints: name and expression; a row passes unless it is false.
    pub checks: Vec<(String, Expr)>,
}

/// INSERT.
#[derive(Debug)]
pub struct Insert {
    /// The table.
    pub table: Arc<Relation>,
    /// The rows; its columns are the live columns of the table, defaults filled in.
    pub input: PlanId,
    /// ON CONFLICT.
    pub conflict: Option<OnConflict>,
    /// CHECK constraints. NOT NULL, unique and foreign keys are in the table's description.
    pub checks: RowChecks,
    /// The node's output over the new row (ids as in `checks.columns`, and [`ConflictUpdate::xmax`]); empty without RETURNING.
    pub returning: Vec<Expr>,
}

/// What happens to a row whose key is there already.
#[derive(Debug)]
pub struct OnConflict {
    /// The unique indexes whose keys are meant; none for all that the table has.
    pub arbiters: Option<Vec<Arc<Index>>>,
    /// DO UPDATE; none for DO NOTHING.
    pub update: Option<ConflictUpdate>,
}

/// DO UPDATE. It sees the row that is there in its newest version, and the one that was to be inserted.
#[derive(Debug)]
pub struct ConflictUpdate {
    /// `ctid` and `tableoid` of the row that is there, and its live columns.
    pub row_id: ColumnId,
    /// See `row_id`.
    pub table_oid: ColumnId,
    /// See `row_id`.
    pub old: Vec<(ColumnIndex, ColumnId)>,
    /// The columns of `excluded`.
    pub excluded: Vec<(ColumnIndex, ColumnId)>,
    /// WHERE over these columns, if there is no `source`.
    pub predicates: Vec<Expr>,
    /// Assignments over these columns, or over `source`'s.
    pub assignments: Vec<(ColumnIndex, Expr)>,
    /// With subqueries that read the two rows, or give several columns: what becomes of them, given as [`Operator::Input`] (`row_id`,
    /// `table_oid`, `old`, `excluded`, in this order). At most one row, none if WHERE does not hold.
    pub source: Option<PlanId>,
    /// `xmax` in RETURNING: 0 for an inserted row, else the transaction that updated it.
    pub xmax: ColumnId,
}

/// UPDATE. The input gives the row id, the old row's columns as needed, and whatever the assignments read.
#[derive(Debug)]
pub struct Update {
    /// The table.
    pub table: Arc<Relation>,
    /// Rows to change. A row id that comes twice is changed once (the first wins).
    pub input: PlanId,
    /// The row id in the input.
    pub row_id: ColumnId,
    /// The old row in the input: every live column, under the ids that the qualification and the assignments read.
    pub old: Vec<(ColumnIndex, ColumnId)>,
    /// Assignments over the input's columns.
    pub assignments: Vec<(ColumnIndex, Expr)>,
    /// The qualification over the old row and the other input columns, tried again when another transaction changed the row (READ COMMITTED).
    pub recheck: Vec<Expr>,
    /// With subqueries in the qualification or the assignments: the input runs again for a row that changed, with the other tables' rows
    /// as these columns tell them; see `kept` of [`Operator::LockRows`].
    pub rerun: Option<Vec<ColumnId>>,
    /// CHECK constraints over the new row.
    pub checks: RowChecks,
    /// The node's output, over the new row (`checks.columns`) and the other input columns.
    pub returning: Vec<Expr>,
}

/// DELETE.
#[derive(Debug)]
pub struct Delete {
    /// The table.
    pub table: Arc<Relation>,
    /// Rows to delete. A row id that comes twice is deleted once.
    pub input: PlanId,
    /// The row id in the input.
    pub row_id: ColumnId,
    /// The old row in the input, as far as `recheck`, `returning` and foreign keys read it.
    pub old: Vec<(ColumnIndex, ColumnId)>,
    /// The qualification, tried again when another transaction changed the row (READ COMMITTED).
    pub recheck: Vec<Expr>,
    /// As in [`Update`].
    pub rerun: Option<Vec<ColumnId>>,
    /// The node's output over the input's columns; empty without RETURNING.
    pub returning: Vec<Expr>,
}

impl Plan {
    /// A node.
    pub fn node(&self, id: PlanId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

impl JoinKind {
    /// Whether the right side's columns come out.
    pub fn gives_right(self) -> bool {
        match self {
            Self::Inner | Self::Left | Self::Right | Self::Full | Self::Single => true,
            Self::Semi | Self::Anti | Self::NullAwareAnti | Self::Mark => false,
        }
    }
}
