//! Expressions over one row of values.
//!
//! The kernels are those of [`crate::eval`], over vectors of one row. Left out: whatever decides by rows what is evaluated (AND, CASE,
//! COALESCE), subplans, and casts that go through text. A statement with such an expression takes the way of batches.

use crate::eval::run_kernel;
use damask_functions::{ScalarFunction, Session};
use damask_planner::expr::{ColumnId, Expr, ExprKind};
use damask_types::{Mask, Result, SqlType, TypeId, Value, Vector};

/// An expression ready to run over one row.
#[derive(Debug)]
pub(super) enum Scalar {
    /// The value at this place of the row.
    Column(usize),
    Constant(Value),
    Parameter(usize),
    Call(Box<Call>),
}

#[derive(Debug)]
pub(super) struct Call {
    function: &'static ScalarFunction,
    /// With the types that the kernel sees.
    args: Vec<(Scalar, TypeId)>,
    result: SqlType,
}

/// What expressions read besides their row.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) params: &'a [Value],
    pub(super) session: &'a dyn Session,
}

impl Scalar {
    /// Prepares an expression; `place` tells where in the row a column stands. None if it is not one of those that run here.
    pub(super) fn of(
        expr: &Expr,
        place: &mut impl FnMut(ColumnId) -> Option<usize>,
    ) -> Option<Self> {
        Some(match &expr.kind {
            ExprKind::Column(id) => Self::Column(place(*id)?),
            ExprKind::Literal(value) => Self::Constant(value.clone()),
            ExprKind::Parameter(index) => Self::Parameter(*index),
            ExprKind::Call { function, args } => {
                let args = args
                    .iter()
                    .map(|arg| Some((Self::of(arg, place)?, arg.ty.id)))
                    .collect::<Option<Vec<_>>>()?;
                Self::Call(Box::new(Call { function, args, result: expr.ty }))
            }
            ExprKind::Retype(arg) if arg.ty.id.physical() == expr.ty.id.physical() => {
                let value = Self::of(arg, place)?;
                // Where types that lie alike have different values (`Value::Date` and `Value::Int4`) batches do it.
                if !is_text(arg.ty.id) || !is_text(expr.ty.id) {
                    return None;
                }
                value
            }
            _ => return None,
        })
    }

    /// An expression that reads no column.
    pub(super) fn constant(expr: &Expr) -> Option<Self> {
        Self::of(expr, &mut |_| None)
    }

    /// Its value.
    pub(super) fn value(&self, row: &[Value], given: Given<'_>) -> Result<Value> {
        match self {
            Self::Column(place) => Ok(row[*place].clone()),
            Self::Constant(value) => Ok(value.clone()),
            Self::Parameter(index) => Ok(given.params.get(*index).cloned().unwrap_or(Value::Null)),
            Self::Call(call) => call.value(row, given),
        }
    }
}

/// Whether values of the type are [`Value::Text`].
fn is_text(ty: TypeId) -> bool {
    matches!(ty, TypeId::Text | TypeId::Varchar | TypeId::BpChar | TypeId::Name)
}

impl Call {
    fn value(&self, row: &[Value], given: Given<'_>) -> Result<Value> {
        let args = self
            .args
            .iter()
            .map(|(arg, ty)| Ok(Vector::constant(*ty, &arg.value(row, given)?, 1)))
            .collect::<Result<Vec<_>>>()?;
        let result =
            run_kernel(self.function, &args, self.result, 1, &Mask::first(1), given.session)?;
        Ok(result.value(0))
    }
}
