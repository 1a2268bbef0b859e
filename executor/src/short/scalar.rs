//! Expressions over one row of values.
//!
//! The kernels are those of [`crate::eval`], over vectors of one row. Left out: whatever decides by rows what is evaluated (AND, CASE,
//! COALESCE), subplans, and casts that go through text. A statement with such an expression takes the way of batches.

use crate::eval::run_kernel;
use damask_functions::{ScalarFunction, Session};
use damask_planner::expr::{ColumnId, Expr, ExprKind};
use damask_types::{Mask, Result, SqlType, TypeId, Value, Vector};
use smallvec::SmallVec;

/// An expression ready to run over one row.
#[derive(Debug)]
pub(super) enum Scalar {
    /// The value at this place of the row.
    Column(usize),
    Constant(Value),
    Parameter(usize),
    Call(Box<Call>),
    /// A sum of integers; the call is for what is not plainly one.
    Sum(Box<Sum>),
}

/// `lhs + rhs` or `lhs - rhs`.
#[derive(Debug)]
pub(super) struct Sum {
    is_difference: bool,
    /// With both sides.
    call: Call,
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
                let call = Call { function, args, result: expr.ty };
                match function.name {
                    "int4pl" | "int8pl" | "int48pl" | "int84pl" => {
                        Self::Sum(Box::new(Sum { is_difference: false, call }))
                    }
                    "int4mi" | "int8mi" | "int48mi" | "int84mi" => {
                        Self::Sum(Box::new(Sum { is_difference: true, call }))
                    }
                    _ => Self::Call(Box::new(call)),
                }
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
            Self::Sum(sum) => sum.value(row, given),
        }
    }
}

/// Whether values of the type are [`Value::Text`].
fn is_text(ty: TypeId) -> bool {
    matches!(ty, TypeId::Text | TypeId::Varchar | TypeId::BpChar | TypeId::Name)
}

impl Sum {
    fn value(&self, row: &[Value], given: Given<'_>) -> Result<Value> {
        let [(lhs, _), (rhs, _)] = &self.call.args[..] else {
            return self.call.value(row, given);
        };
        let (lhs, rhs) = (lhs.value(row, given)?, rhs.value(row, given)?);
        // The kernel raises what there is to raise.
        match self.plain(&lhs, &rhs) {
            Some(sum) => Ok(sum),
            None => self.call.value_of(&[lhs, rhs], given),
        }
    }

    /// The sum, unless it is null or out of range.
    fn plain(&self, lhs: &Value, rhs: &Value) -> Option<Value> {
        let (lhs, rhs): (i64, i64) = match (lhs, rhs) {
            (Value::Int4(lhs), Value::Int4(rhs)) => {
                let sum =
                    if self.is_difference { lhs.checked_sub(*rhs) } else { lhs.checked_add(*rhs) };
                return sum.map(Value::Int4);
            }
            (Value::Int8(lhs), Value::Int8(rhs)) => (*lhs, *rhs),
            (Value::Int8(lhs), Value::Int4(rhs)) => (*lhs, (*rhs).into()),
            (Value::Int4(lhs), Value::Int8(rhs)) => ((*lhs).into(), *rhs),
            _ => return None,
        };
        let sum = if self.is_difference { lhs.checked_sub(rhs) } else { lhs.checked_add(rhs) };
        sum.map(Value::Int8)
    }
}

impl Call {
    fn value(&self, row: &[Value], given: Given<'_>) -> Result<Value> {
        let mut values = SmallVec::<[Value; 2]>::new();
        for (arg, _) in &self.args {
            values.push(arg.value(row, given)?);
        }
        self.value_of(&values, given)
    }

    /// The result for these arguments.
    fn value_of(&self, values: &[Value], given: Given<'_>) -> Result<Value> {
        let types = self.args.iter().map(|(_, ty)| *ty);
        let args: SmallVec<[Vector; 2]> =
            types.zip(values).map(|(ty, value)| Vector::constant(ty, value, 1)).collect();
        let result =
            run_kernel(self.function, &args, self.result, 1, &Mask::first(1), given.session)?;
        Ok(result.value(0))
    }
}
