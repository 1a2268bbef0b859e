//! Queries and the statements that change rows.

use super::{Assignment, ColumnDefinition, Expr, Ident, IndexColumn, Name, Span, WindowDefinition};

/// A query with its clauses that apply to the whole of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `WITH`.
    pub with: Option<With>,
    /// What produces the rows.
    pub body: QueryBody,
    /// `ORDER BY`.
    pub order_by: Vec<OrderBy>,
    /// `LIMIT n` or `FETCH FIRST n ROWS`; none also for `LIMIT ALL`.
    pub limit: Option<Expr>,
    /// `FETCH FIRST n ROWS WITH TIES`.
    pub with_ties: bool,
    /// `OFFSET n`.
    pub offset: Option<Expr>,
    /// `FOR UPDATE` and its family, in order.
    pub locking: Vec<Locking>,
    /// All of its text, without parentheses around it.
    pub span: Span,
}

/// What produces rows.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryBody {
    /// `SELECT ...`; `TABLE t` is `SELECT * FROM t`.
    Select(Box<Select>),
    /// `VALUES (...), (...)`.
    Values(Vec<Vec<Expr>>),
    /// `left UNION right` and its family; an arm with its own `WITH`, `ORDER BY` or `LIMIT` stood in parentheses.
    SetOperation(Box<SetOperation>),
}

/// A set operation.
#[derive(Clone, Debug, PartialEq)]
pub struct SetOperation {
    /// Which.
    pub kind: SetOperationKind,
    /// With `ALL`.
    pub all: bool,
    /// Left arm.
    pub left: Query,
    /// Right arm.
    pub right: Query,
    /// The keyword's place.
    pub span: Span,
}

/// The set operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperationKind {
    /// `UNION`.
    Union,
    /// `INTERSECT`, which binds tighter than the others.
    Intersect,
    /// `EXCEPT`.
    Except,
}

/// `WITH`.
#[derive(Clone, Debug, PartialEq)]
pub struct With {
    /// `RECURSIVE`.
    pub recursive: bool,
    /// Its queries, one or more.
    pub tables: Vec<CommonTable>,
    /// The whole clause.
    pub span: Span,
}

/// One query of a `WITH`.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonTable {
    /// Its name.
    pub name: Ident,
    /// Names for its columns.
    pub columns: Vec<Ident>,
    /// `MATERIALIZED` or `NOT MATERIALIZED`.
    pub materialized: Option<bool>,
    /// A query, or `INSERT | UPDATE | DELETE ... RETURNING`.
    pub statement: Box<super::Statement>,
    /// `SEARCH` or `CYCLE` followed, which have no tree: where.
    pub search_or_cycle: Option<Span>,
}

/// One `SELECT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// `DISTINCT`.
    pub distinct: Distinct,
    /// The select list; may be empty.
    pub items: Vec<SelectItem>,
    /// `INTO table`.
    pub into: Option<IntoTable>,
    /// `FROM`, joined crosswise.
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `GROUP BY`.
    pub group_by: Vec<GroupItem>,
    /// `GROUP BY DISTINCT`.
    pub group_distinct: bool,
    /// `HAVING`.
    pub having: Option<Expr>,
    /// `WINDOW`.
    pub windows: Vec<NamedWindow>,
    /// All of its text.
    pub span: Span,
}

/// `DISTINCT`.
#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    /// Absent, or `ALL`.
    No,
    /// `DISTINCT`.
    Rows,
    /// `DISTINCT ON (...)`.
    On(Vec<Expr>),
}

/// An entry of a select list or of `RETURNING`.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectItem {
    /// The value; [`super::ExprKind::Wildcard`] for `*`.
    pub expr: Expr,
    /// `AS alias`.
    pub alias: Option<Ident>,
}

/// `SELECT ... INTO [TEMP | UNLOGGED] t`.
#[derive(Clone, Debug, PartialEq)]
pub struct IntoTable {
    /// The new table.
    pub name: Name,
    /// Temporary or unlogged.
    pub persistence: super::Persistence,
}

/// `WINDOW name AS (...)`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedWindow {
    /// Its name.
    pub name: Ident,
    /// Its definition.
    pub definition: WindowDefinition,
}

/// An entry of `GROUP BY`.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupItem {
    /// An expression, a column number, an alias.
    Expr(Expr),
    /// `()`.
    Empty(Span),
    /// `ROLLUP (...)`; a parenthesised group is an implicit row.
    Rollup(Vec<Expr>, Span),
    /// `CUBE (...)`.
    Cube(Vec<Expr>, Span),
    /// `GROUPING SETS (...)`.
    Sets(Vec<GroupItem>, Span),
}

/// An entry of `ORDER BY`.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    /// The key: an expression, a column number, an alias.
    pub expr: Expr,
    /// The direction.
    pub direction: OrderDirection,
    /// `NULLS FIRST` (true) or `NULLS LAST` (false).
    pub nulls_first: Option<bool>,
}

/// The direction of a sort key.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderDirection {
    /// None written: ascending.
    Default,
    /// `ASC`.
    Ascending,
    /// `DESC`.
    Descending,
    /// `USING operator`.
    Using(super::Operator),
}

/// `FOR UPDATE` and its family.
#[derive(Clone, Debug, PartialEq)]
pub struct Locking {
    /// How strong.
    pub strength: LockStrength,
    /// `OF t, u`; empty for all.
    pub tables: Vec<Name>,
    /// What to do about a row that is locked.
    pub wait: LockWait,
    /// All of its text.
    pub span: Span,
}

/// The strength of a row lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockStrength {
    /// `FOR KEY SHARE`.
    KeyShare,
    /// `FOR SHARE`.
    Share,
    /// `FOR NO KEY UPDATE`.
    NoKeyUpdate,
    /// `FOR UPDATE`.
    Update,
}

/// What to do about a locked row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Wait.
    Block,
    /// `NOWAIT`.
    NoWait,
    /// `SKIP LOCKED`.
    SkipLocked,
}

/// An entry of `FROM`.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRef {
    /// What it is.
    pub kind: TableRefKind,
    /// `AS t (a, b)`.
    pub alias: Option<TableAlias>,
    /// All of its text.
    pub span: Span,
}

/// The kinds of `FROM` entry.
#[derive(Clone, Debug, PartialEq)]
pub enum TableRefKind {
    /// A table, a view or a common table.
    Table {
        /// Its name.
        name: Name,
        /// `ONLY t`.
        only: bool,
        /// `TABLESAMPLE`.
        sample: Option<Box<TableSample>>,
    },
    /// `(SELECT ...)`, `(VALUES ...)`.
    Subquery {
        /// `LATERAL`.
        lateral: bool,
        /// The query.
        query: Box<Query>,
    },
    /// `f(...)` or `ROWS FROM (f(...), g(...))`.
    Function {
        /// `LATERAL`.
        lateral: bool,
        /// The calls, one or more.
        functions: Vec<TableFunction>,
        /// Written as `ROWS FROM`.
        rows_from: bool,
        /// `WITH ORDINALITY`.
        ordinality: bool,
    },
    /// A join; an alias on it hides the names inside.
    Join(Box<Join>),
}

/// A function in `FROM`.
#[derive(Clone, Debug, PartialEq)]
pub struct TableFunction {
    /// The call (or a value function such as `CURRENT_DATE`).
    pub call: Expr,
    /// `AS (a int, b text)`.
    pub columns: Vec<ColumnDefinition>,
}

/// `TABLESAMPLE method (args) REPEATABLE (seed)`.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSample {
    /// The method.
    pub method: Name,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// `REPEATABLE`.
    pub repeatable: Option<Expr>,
}

/// The alias of a `FROM` entry.
#[derive(Clone, Debug, PartialEq)]
pub struct TableAlias {
    /// The alias; none only for `f() AS (a int, ...)`.
    pub name: Option<Ident>,
    /// Names for the columns.
    pub columns: Vec<Ident>,
    /// `AS t (a int, b text)`, of a function.
    pub definitions: Vec<ColumnDefinition>,
}

/// A join.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Left input.
    pub left: TableRef,
    /// Right input.
    pub right: TableRef,
    /// Its kind.
    pub kind: JoinKind,
    /// Its condition.
    pub condition: JoinCondition,
}

/// The kinds of join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// `CROSS JOIN`.
    Cross,
    /// `[INNER] JOIN`.
    Inner,
    /// `LEFT [OUTER] JOIN`.
    Left,
    /// `RIGHT [OUTER] JOIN`.
    Right,
    /// `FULL [OUTER] JOIN`.
    Full,
}

/// The condition of a join.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinCondition {
    /// Of a cross join.
    None,
    /// `ON`.
    On(Expr),
    /// `USING (a, b) [AS alias]`.
    Using(Vec<Ident>, Option<Ident>),
    /// `NATURAL`.
    Natural,
}

/// `INSERT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// `WITH`.
    pub with: Option<With>,
    /// The target.
    pub table: Name,
    /// `AS alias`.
    pub alias: Option<Ident>,
    /// The target columns; empty for all. A column may be a part of one: `a[1]`, `a.b`.
    pub columns: Vec<ColumnTarget>,
    /// `OVERRIDING`.
    pub overriding: Option<Overriding>,
    /// The rows; none for `DEFAULT VALUES`.
    pub source: Option<Box<Query>>,
    /// `ON CONFLICT`.
    pub on_conflict: Option<Box<OnConflict>>,
    /// `RETURNING`.
    pub returning: Vec<SelectItem>,
    /// All of its text.
    pub span: Span,
}

/// A column that is assigned to, perhaps in part.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnTarget {
    /// The column.
    pub name: Ident,
    /// `.field` and `[subscript]` after it.
    pub path: Vec<TargetStep>,
}

/// One step into a column.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetStep {
    /// `.field`.
    Field(Ident),
    /// `[...]`.
    Subscript(super::Subscript),
}

/// `OVERRIDING ... VALUE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overriding {
    /// `OVERRIDING SYSTEM VALUE`.
    System,
    /// `OVERRIDING USER VALUE`.
    User,
}

/// `ON CONFLICT`.
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflict {
    /// Which conflicts.
    pub target: ConflictTarget,
    /// The text of `target`; that of the clause if there is none.
    pub target_span: Span,
    /// `DO UPDATE SET ... WHERE ...`; none for `DO NOTHING`.
    pub update: Option<(Vec<Assignment>, Option<Expr>)>,
    /// All of its text.
    pub span: Span,
}

/// Which conflicts.
#[derive(Clone, Debug, PartialEq)]
pub enum ConflictTarget {
    /// Any.
    None,
    /// `ON CONSTRAINT name`.
    Constraint(Ident),
    /// `(a, lower(b)) WHERE ...`.
    Columns(Vec<IndexColumn>, Option<Expr>),
}

/// `UPDATE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// `WITH`.
    pub with: Option<With>,
    /// The target.
    pub table: Name,
    /// `ONLY`.
    pub only: bool,
    /// `AS alias`.
    pub alias: Option<Ident>,
    /// `SET`.
    pub assignments: Vec<Assignment>,
    /// `FROM`.
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `RETURNING`.
    pub returning: Vec<SelectItem>,
    /// All of its text.
    pub span: Span,
}

/// `DELETE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// `WITH`.
    pub with: Option<With>,
    /// The target.
    pub table: Name,
    /// `ONLY`.
    pub only: bool,
    /// `AS alias`.
    pub alias: Option<Ident>,
    /// `USING`.
    pub using: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `RETURNING`.
    pub returning: Vec<SelectItem>,
    /// All of its text.
    pub span: Span,
}

/// `TRUNCATE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Truncate {
    /// The tables, one or more, each with its `ONLY`.
    pub tables: Vec<(Name, bool)>,
    /// `RESTART IDENTITY`.
    pub restart_identity: bool,
    /// `CASCADE`.
    pub cascade: bool,
}
