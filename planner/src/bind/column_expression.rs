//! Expressions of table definitions: defaults, checks, and how ALTER TABLE converts a column.

use super::Binder;
use super::expr::{DEFAULT_CLAUSE, Env};
use super::scope::{Scope, ScopeColumn, ScopeTable};
use crate::ColumnUse;
use crate::expr::{Expr, ExprKind};
use damask_functions::registry::CastContext;
use damask_functions::resolve::{can_coerce, type_text};
use damask_sql::ast;
use damask_types::{Error, Result, SqlState, SqlType};

impl Binder<'_> {
    /// An expression of a table's definition; column `i` has id `i`.
    pub(crate) fn bind_column_expression(
        &mut self,
        expr: &ast::Expr,
        table: &str,
        columns: &[(String, SqlType)],
        purpose: ColumnUse<'_>,
    ) -> Result<Expr> {
        let scope_columns: Vec<ScopeColumn> = columns
            .iter()
            .map(|(name, ty)| ScopeColumn {
                name: name.clone(),
                id: self.new_column(*ty),
                is_merged: false,
            })
            .collect();
        let mut scope = Scope::root();
        scope.tables.push(ScopeTable {
            alias: table.to_owned(),
            columns: scope_columns,
            relation: None,
            named: None,
            row_id: None,
            table_oid: None,
            xmax: None,
        });
        let clause = match purpose {
            ColumnUse::Default(..) => DEFAULT_CLAUSE,
            ColumnUse::Check => "check constraints",
            ColumnUse::IndexKey => "index expressions",
            ColumnUse::IndexPredicate => "index predicates",
            ColumnUse::Using(..) => "transform expressions",
        };
        let mut env = Env::plain(&scope, clause);
        let bound = self.bind_expr(expr, &mut env)?;
        let has_subplan = bound.any(&|expr| {
            matches!(
                expr.kind,
                ExprKind::Subplan(_) | ExprKind::Exists(_) | ExprKind::ArraySubplan(_)
            )
        });
        if !env.pending.is_empty() || has_subplan {
            let what = if clause == "check constraints" {
                "check constraint"
            } else {
                clause.trim_end_matches('s')
            };
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("cannot use subquery in {what}"),
            )
            .at(bound.position.unwrap_or_default()));
        }
        match purpose {
            ColumnUse::Check => self.condition(bound, "CHECK"),
            ColumnUse::IndexPredicate => self.condition(bound, "WHERE"),
            ColumnUse::IndexKey => self.known(bound),
            ColumnUse::Default(name, ty) => {
                if !bound.columns().is_empty() {
                    return Err(Error::new(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        "cannot use column reference in DEFAULT expression",
                    )
                    .at(bound.position.unwrap_or_default()));
                }
                if !can_coerce(bound.ty.id, ty.id, CastContext::Assignment) {
                    return Err(Error::new(
                        SqlState::DATATYPE_MISMATCH,
                        format!(
                            "column \"{name}\" is of type {} but default expression is of type {}",
                            type_text(ty.id),
                            type_text(bound.ty.id)
                        ),
                    )
                    .hint("You will need to rewrite or cast the expression."));
                }
                self.coerce(bound, ty, CastContext::Assignment)
            }
            ColumnUse::Using(name, ty) => {
                if !can_coerce(bound.ty.id, ty.id, CastContext::Assignment) {
                    return Err(Error::new(
                        SqlState::DATATYPE_MISMATCH,
                        format!(
                            "result of USING clause for column \"{name}\" cannot be cast automatically to type {}",
                            type_text(ty.id)
                        ),
                    )
                    .hint("You might need to add an explicit cast."));
                }
                self.coerce(bound, ty, CastContext::Assignment)
            }
        }
    }
}

pub(super) fn without_position(mut error: Error) -> Error {
    error.fields_mut().position = None;
    error
}

pub(super) fn forget_positions(expr: &mut Expr) {
    expr.transform(&mut |expr| expr.position = None);
}
