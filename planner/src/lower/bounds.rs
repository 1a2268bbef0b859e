//! Which values of single columns a scan's conjuncts let through.
//!
//! Serializable transactions keep it with what they read, so that others may change rows which the conjuncts reject anyway.
//! What is compared with a column is evaluated before the first row is read, so it is of plain parts only: it must not run a subquery
//! that the scan might never have run.

use super::access::{any_of, equality, range};
use crate::column_set::ColumnSet;
use crate::expr::{Expr, ExprKind};
use crate::physical::Scan;
use damask_types::ColumnIndex;

/// What one conjunct says of one column.
#[derive(Clone, Debug)]
pub struct ColumnBound {
    /// The column.
    pub column: ColumnIndex,
    /// How its values are compared.
    pub comparison: Comparison,
    /// With what: of the column's type, for [`Comparison::Any`] an array of it; nothing is true of null.
    pub value: Expr,
}

/// A comparison of a column with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Equal to an element.
    Any,
    /// Greater, or equal if `inclusive`.
    Above {
        /// Whether the value is in.
        inclusive: bool,
    },
    /// Less, or equal if `inclusive`.
    Below {
        /// Whether the value is in.
        inclusive: bool,
    },
}

/// What the scan's conjuncts say of single columns; those that say something else are left out.
pub fn column_bounds(scan: &Scan) -> Vec<ColumnBound> {
    let columns = || scan.columns.iter().chain(&scan.filter_columns);
    let own: ColumnSet =
        columns().map(|(_, id)| *id).chain(scan.row_id).chain(scan.table_oid).collect();
    let bound = |predicate: &Expr| {
        columns().find_map(|&(column, id)| {
            let ty = scan.table.columns[usize::from(column.0)].ty;
            let (comparison, value) = if let Some(value) = equality(predicate, id, ty, &own) {
                (Comparison::Equal, value)
            } else if let Some(array) = any_of(predicate, id, ty, &own) {
                (Comparison::Any, array)
            } else {
                let (value, is_lower, inclusive) = range(predicate, id, ty, &own)?;
                let above = Comparison::Above { inclusive };
                (if is_lower { above } else { Comparison::Below { inclusive } }, value)
            };
            is_plain(&value).then_some(ColumnBound { column, comparison, value })
        })
    };
    scan.predicates.iter().filter_map(bound).collect()
}

/// Whether nothing but values and functions is in it.
fn is_plain(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Parameter(_) | ExprKind::Outer(_) => true,
        ExprKind::Call { args, .. } | ExprKind::Array(args) => args.iter().all(is_plain),
        ExprKind::Retype(arg) | ExprKind::InOut(arg) => is_plain(arg),
        _ => false,
    }
}
