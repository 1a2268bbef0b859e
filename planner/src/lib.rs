//! From syntax to plan: bind, rewrite, choose, lower, explain.
//!
//! [`bind_and_plan`] is the way through: names are resolved and types agreed on ([`mod@bind`]) in an algebra of operators over
//! global columns (`logical`), equivalences improve the tree (`rewrite`), estimates from [`Statistics`] (row counts and samples) order its joins and choose
//! access paths (`cost`, `join_order`), and `lower` makes the [`physical::Plan`] that the executor runs.
//!
//! Invariants
//! - N1: no statement makes planning panic or recurse without a bound: trees are as high as the parser lets them be.
//! - N2: a rewrite never makes a query raise that would not have: folding leaves [`expr::ExprKind::Raise`] in place, and
//!   expressions that may raise are not moved below what would have kept rows from them.
//! - N3: plans depend on the snapshot, the search path and the settings in [`PlanContext`] alone.
//!
//! Left out: window functions, grouping sets, recursive queries, data-modifying common table expressions (0A000).

mod bind;
mod column_set;
mod cost;
pub mod explain;
pub mod expr;
mod expr_ops;
mod index_expr;
mod index_program;
mod join_order;
mod logical;
mod lower;
pub mod physical;
mod rewrite;
mod sample;
mod statistics;
mod tuning;

pub use bind::{check_collation, parse_error, resolve_type, serial_type, without_database};
pub use index_expr::{bind_index_expr, bind_index_predicate, rebind_index_text};
pub use index_program::IndexProgram;
pub use lower::bounds;
pub use statistics::{ColumnSample, NoStatistics, Statistics, TableSample};
pub use tuning::Tuning;

use bind::Binder;
use damask_catalog::object::Relation;
use damask_catalog::{CatalogSnapshot, SearchPath};
use damask_functions::Session;
use damask_sql::ast;
use damask_types::{ColumnIndex, Result, SqlType, TypeId};
use expr::{ColumnId, Expr};
use physical::{OutputColumn, Plan};
use std::sync::Arc;

/// What planning may look at besides the statement.
#[derive(Clone, Copy)]
pub struct PlanContext<'a> {
    /// The objects there are.
    pub catalog: &'a CatalogSnapshot,
    /// Where unqualified names are looked up.
    pub path: &'a SearchPath,
    /// The session on whose behalf constants are folded.
    pub session: &'a dyn Session,
    /// Text of the statement, into which positions point.
    pub text: &'a str,
    /// Types of `$1`, `$2`, ... as the client gave them; others are inferred.
    pub parameters: &'a [Option<TypeId>],
    /// Sizes of tables.
    pub statistics: &'a dyn Statistics,
    /// What to prefer.
    pub tuning: Tuning,
}

/// Plans SELECT, VALUES, INSERT, UPDATE or DELETE.
///
/// # Errors
/// What binding finds wrong (class 42, with a position), 42P18 for a parameter whose type nothing tells, 0A000 for what is
/// not supported.
pub fn bind_and_plan(statement: &ast::Statement, ctx: &PlanContext<'_>) -> Result<Plan> {
    let mut binder = Binder::new(ctx);
    let bound = binder.bind_statement(statement)?;
    binder.finish_parameters()?;
    lower::plan(binder, bound)
}

/// Plans a query that stands inside another statement (CREATE TABLE AS, COPY, DECLARE).
///
/// # Errors
/// As [`bind_and_plan`].
pub fn plan_query(query: &ast::Query, ctx: &PlanContext<'_>) -> Result<Plan> {
    let mut binder = Binder::new(ctx);
    let bound = binder.bind_root_query(query)?;
    binder.finish_parameters()?;
    lower::plan(binder, bound)
}

/// Plans COPY FROM: an insert of rows handed in from outside into `columns` of `table`, other columns by their defaults.
/// [`physical::Operator::Input`] gives `columns` in this order, already of their types.
///
/// # Errors
/// 428C9 for a generated column; what a default's text raises when bound.
pub fn plan_copy_from(
    table: &Arc<Relation>,
    columns: &[ColumnIndex],
    ctx: &PlanContext<'_>,
) -> Result<Plan> {
    let mut binder = Binder::new(ctx);
    let bound = binder.bind_copy(table, columns)?;
    lower::plan(binder, bound)
}

/// Result columns and parameter types of a statement, without planning it.
///
/// # Errors
/// As [`bind_and_plan`].
pub fn describe(
    statement: &ast::Statement,
    ctx: &PlanContext<'_>,
) -> Result<(Vec<OutputColumn>, Vec<SqlType>)> {
    let mut binder = Binder::new(ctx);
    let bound = binder.bind_statement(statement)?;
    binder.finish_parameters()?;
    Ok((binder.output_columns(&bound), binder.parameter_types()))
}

/// What an expression of a table's definition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnUse<'a> {
    /// The DEFAULT of a column of this name and type; reads no columns.
    Default(&'a str, SqlType),
    /// A CHECK constraint.
    Check,
    /// A key of an index.
    IndexKey,
    /// The predicate of an index.
    IndexPredicate,
    /// The USING of ALTER COLUMN TYPE for a column of this name, to this type.
    Using(&'a str, SqlType),
}

/// Binds an expression of a table's definition. Column `i` of `columns` is `ColumnId(i)`.
///
/// # Errors
/// 42804 `column "a" is of type integer but default expression is of type text`; 42703, 42803, 0A000 for what may not be in it.
pub fn bind_column_expression(
    expr: &ast::Expr,
    table: &str,
    columns: &[(String, SqlType)],
    purpose: ColumnUse<'_>,
    ctx: &PlanContext<'_>,
) -> Result<Expr> {
    Binder::new(ctx).bind_column_expression(expr, table, columns, purpose)
}

/// Names of columns that an expression reads, in the order of their first appearance (for a CHECK constraint's columns).
pub fn columns_read(expr: &Expr) -> Vec<ColumnId> {
    let mut columns = vec![];
    expr.walk(&mut |expr| {
        if let Some(id) = expr.as_column()
            && !columns.contains(&id)
        {
            columns.push(id);
        }
    });
    columns
}
