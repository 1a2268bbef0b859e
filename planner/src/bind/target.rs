//! Targets of INSERT and UPDATE: whole columns, and elements and slices of arrays.
//!
//! Assigning to a part of a column computes the whole: `SET b[1] = x, b[2] = y` stores
//! `array_set(array_set(b, x, 1), y, 2)`, with the helpers of `functions::registry`. The innermost array is the old value
//! in UPDATE and null in INSERT, whatever the column's default; right-hand sides see the old row.
//!
//! Left out: fields of composite columns, which do not exist yet.

use super::expr::Env;
use super::{Binder, at};
use crate::expr::{Expr, ExprKind};
use damask_catalog::object::{Column, Relation};
use damask_functions::registry::{ARRAY_SET, ARRAY_SET_SLICE, CastContext, function_by_oid};
use damask_functions::resolve::{can_coerce, type_text};
use damask_sql::ast::{self, ColumnTarget, Subscript, TargetStep};
use damask_types::{ColumnIndex, Error, Oid, Result, SqlState, SqlType, TypeId};

/// Most dimensions of an array.
const DIMENSIONS_MAX: usize = 6;

impl Binder<'_> {
    /// A column that is assigned to, wholly or in part.
    ///
    /// # Errors
    /// 42703 if there is none.
    pub(super) fn target_column<'r>(
        relation: &'r Relation,
        target: &ColumnTarget,
    ) -> Result<(ColumnIndex, &'r Column)> {
        let name = target.name.as_str();
        relation.column(name).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
            )
            .at(at(target.name.span))
        })
    }

    /// The new value of `column` after `value` is assigned to `target`, which names the column or a part of it. `whole` is
    /// the value that a part is put into.
    ///
    /// # Errors
    /// 42804 if the value has another type, or the column no parts.
    pub(super) fn assign_target(
        &mut self,
        target: &ColumnTarget,
        column: &Column,
        whole: Expr,
        value: Expr,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        if target.path.is_empty() {
            return self.assign(value, &column.name, column.ty);
        }
        self.assign_part(target, column, whole, value, env)
            .map_err(|error| error.at(at(target.name.span)))
    }

    fn assign_part(
        &mut self,
        target: &ColumnTarget,
        column: &Column,
        whole: Expr,
        value: Expr,
        env: &mut Env<'_>,
    ) -> Result<Expr> {
        let mismatch = |message: String| Error::new(SqlState::DATATYPE_MISMATCH, message);
        let no_field = |field: &ast::Ident, ty: TypeId| {
            mismatch(format!(
                "cannot assign to field \"{}\" of column \"{}\" because its type {} is not a composite type",
                field.as_str(),
                column.name,
                type_text(ty)
            ))
        };
        let mut subscripts = vec![];
        for step in &target.path {
            match step {
                TargetStep::Subscript(subscript) => subscripts.push(subscript),
                TargetStep::Field(field) => {
                    let element = column.ty.id.element().filter(|_| !subscripts.is_empty());
                    return Err(no_field(field, element.unwrap_or(column.ty.id)));
                }
            }
        }
        let Some(element) = column.ty.id.element() else {
            return Err(mismatch(format!(
                "cannot subscript type {} because it does not support subscripting",
                type_text(column.ty.id)
            )));
        };
        if subscripts.len() > DIMENSIONS_MAX {
            return Err(Error::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "number of array dimensions ({}) exceeds the maximum allowed ({DIMENSIONS_MAX})",
                    subscripts.len()
                ),
            ));
        }
        let is_slice = subscripts.iter().any(|part| matches!(part, Subscript::Slice(..)));
        let mut indices = vec![];
        for subscript in subscripts {
            let mut bound = |binder: &mut Self, expr: &Option<ast::Expr>| match expr {
                Some(expr) => binder.array_index(expr, env),
                // The helper's mark of an omitted bound.
                None => Ok(Expr::bool(false)),
            };
            match subscript {
                Subscript::Slice(lower, upper) => {
                    indices.push(bound(self, lower)?);
                    indices.push(bound(self, upper)?);
                }
                Subscript::Index(expr) => {
                    if is_slice {
                        // Among slices, one subscript is the upper bound from 1.
                        let one = damask_types::Value::Int4(1);
                        indices.push(Expr::literal(one, TypeId::Int4));
                    }
                    indices.push(self.array_index(expr, env)?);
                }
            }
        }
        let wanted = SqlType { id: if is_slice { column.ty.id } else { element }, ..column.ty };
        if !can_coerce(value.ty.id, wanted.id, CastContext::Assignment) {
            return Err(mismatch(format!(
                "subscripted assignment to \"{}\" requires type {} but expression is of type {}",
                column.name,
                type_text(wanted.id),
                type_text(value.ty.id)
            ))
            .hint("You will need to rewrite or cast the expression."));
        }
        let value = self.coerce(value, wanted, CastContext::Assignment)?;
        let helper = Oid(if is_slice { ARRAY_SET_SLICE } else { ARRAY_SET });
        let function = function_by_oid(helper)
            .ok_or_else(|| Error::internal("the helpers of array assignment are registered"))?;
        let mut args = vec![whole, value];
        args.append(&mut indices);
        Ok(Expr::new(ExprKind::Call { function, args }, column.ty))
    }

    /// A subscript of an array.
    ///
    /// # Errors
    /// 42804 if it is no number.
    pub(super) fn array_index(&mut self, expr: &ast::Expr, env: &mut Env<'_>) -> Result<Expr> {
        let bound = self.bind_expr(expr, env)?;
        if !can_coerce(bound.ty.id, TypeId::Int4, CastContext::Assignment) {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                "array subscript must have type integer",
            )
            .at(bound.position.unwrap_or_default()));
        }
        self.coerce(bound, TypeId::Int4.into(), CastContext::Assignment)
    }
}

/// # Errors
/// 0A000 if DEFAULT is assigned to a part of a column.
pub(super) fn check_default(target: &ColumnTarget) -> Result<()> {
    let what = match target.path.first() {
        None => return Ok(()),
        Some(TargetStep::Subscript(_)) => "cannot set an array element to DEFAULT",
        Some(TargetStep::Field(_)) => "cannot set a subfield to DEFAULT",
    };
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, what).at(at(target.name.span)))
}
