//! Expressions over one row of values.
//!
//! The kernels are those of [`crate::eval`], over vectors of one row. Left out: subplans, arrays and records. A statement with such an
//! expression takes the way of batches.

use crate::eval::{cast_by_text, record_is, retype, run_kernel};
use damask_functions::{ScalarFunction, Session};
use damask_planner::expr::{ColumnId, Expr, ExprKind};
use damask_planner::physical::{Node, Operator};
use damask_types::format::apply_typmod;
use damask_types::{Mask, Numeric, Result, SqlType, TypeId, Value, Vector};
use smallvec::SmallVec;

/// An expression ready to run over one row.
#[derive(Debug)]
pub(super) enum Scalar {
    /// The value at this place of the row.
    Column(usize),
    Constant(Value),
    Parameter(usize),
    Call(Box<Call>),
    /// A value as one of another type that lies alike.
    Retype(Box<Cast>),
    /// A cast through text.
    ByText(Box<Cast>),
    /// AND or OR: the value that decides, and the parts.
    Connective(bool, Vec<Self>),
    Not(Box<Self>),
    IsNull {
        arg: Box<Self>,
        is_record: bool,
        negated: bool,
    },
    IsBool {
        arg: Box<Self>,
        value: Option<bool>,
        negated: bool,
    },
    Case(Vec<(Self, Self)>, Option<Box<Self>>),
    Coalesce(Vec<Self>),
}

#[derive(Debug)]
pub(super) struct Cast {
    arg: Scalar,
    from: TypeId,
    to: SqlType,
}

#[derive(Debug)]
pub(super) struct Call {
    function: &'static ScalarFunction,
    usual: Option<Usual>,
    /// With the types that the kernel sees.
    args: Vec<(Scalar, TypeId)>,
    result: SqlType,
}

/// Functions that are computed without vectors for most values. Their kernels do the others, and raise what there is to raise.
#[derive(Clone, Copy, Debug)]
enum Usual {
    /// Of integers or numerics.
    Add,
    Subtract,
    /// A value to its type's modifier.
    Fit(TypeId),
    /// A numeric to a float8.
    Float,
    /// A float8 to a numeric.
    Numeric,
}

impl Usual {
    fn of(function: &ScalarFunction) -> Option<Self> {
        use TypeId::{Bool, BpChar, Float8, Int4, Numeric, Varchar};
        Some(match (function.name, function.args) {
            ("int4pl" | "int8pl" | "int48pl" | "int84pl" | "numeric_add", _) => Self::Add,
            ("int4mi" | "int8mi" | "int48mi" | "int84mi" | "numeric_sub", _) => Self::Subtract,
            ("numeric", [Numeric, Int4])
            | ("varchar", [Varchar, Int4, Bool])
            | ("bpchar", [BpChar, Int4, Bool]) => Self::Fit(function.result),
            ("float8", [Numeric]) => Self::Float,
            ("numeric", [Float8]) => Self::Numeric,
            _ => return None,
        })
    }

    /// The result, unless it is null, out of range, or something that takes more than this.
    fn value(self, args: &[Value]) -> Option<Value> {
        let is_sum = matches!(self, Self::Add);
        let (lhs, rhs): (i64, i64) = match (self, args) {
            (Self::Fit(ty), [value, Value::Int4(modifier), explicit @ ..]) => {
                let ty = SqlType { id: ty, typmod: *modifier };
                let is_explicit = matches!(explicit, [Value::Bool(true)]);
                return apply_typmod(ty, value.clone(), is_explicit).ok();
            }
            (Self::Float, [Value::Numeric(value)]) => {
                return value.to_f64().ok().map(Value::Float8);
            }
            (Self::Numeric, [Value::Float8(value)]) => {
                return Some(Value::Numeric(Numeric::from_f64(*value)));
            }
            (Self::Add | Self::Subtract, [Value::Numeric(lhs), Value::Numeric(rhs)]) => {
                let sum = if is_sum { lhs.add(rhs) } else { lhs.sub(rhs) };
                return sum.ok().map(Value::Numeric);
            }
            (Self::Add | Self::Subtract, [Value::Int4(lhs), Value::Int4(rhs)]) => {
                let sum = if is_sum { lhs.checked_add(*rhs) } else { lhs.checked_sub(*rhs) };
                return sum.map(Value::Int4);
            }
            (Self::Add | Self::Subtract, [Value::Int8(lhs), Value::Int8(rhs)]) => (*lhs, *rhs),
            (Self::Add | Self::Subtract, [Value::Int8(lhs), Value::Int4(rhs)]) => {
                (*lhs, (*rhs).into())
            }
            (Self::Add | Self::Subtract, [Value::Int4(lhs), Value::Int8(rhs)]) => {
                ((*lhs).into(), *rhs)
            }
            _ => return None,
        };
        let sum = if is_sum { lhs.checked_add(rhs) } else { lhs.checked_sub(rhs) };
        sum.map(Value::Int8)
    }
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
            // What the right side of a join reads of the left one stands in the same row.
            ExprKind::Column(id) | ExprKind::Outer(id) => Self::Column(place(*id)?),
            ExprKind::Literal(value) => Self::Constant(value.clone()),
            ExprKind::Parameter(index) => Self::Parameter(*index),
            ExprKind::Call { function, args } => {
                let types = args.iter().map(|arg| arg.ty.id);
                let args = all(args, place)?.into_iter().zip(types).collect();
                let usual = Usual::of(function);
                Self::Call(Box::new(Call { function, usual, args, result: expr.ty }))
            }
            ExprKind::Retype(arg) if is_text(arg.ty.id) && is_text(expr.ty.id) => {
                Self::of(arg, place)?
            }
            ExprKind::Retype(arg) => Self::Retype(Box::new(Cast::of(arg, expr.ty, place)?)),
            ExprKind::InOut(arg) => Self::ByText(Box::new(Cast::of(arg, expr.ty, place)?)),
            ExprKind::And(parts) => Self::Connective(false, all(parts, place)?),
            ExprKind::Or(parts) => Self::Connective(true, all(parts, place)?),
            ExprKind::Not(arg) => Self::Not(Box::new(Self::of(arg, place)?)),
            ExprKind::IsNull { arg, negated } => Self::IsNull {
                is_record: arg.ty.id == TypeId::Record,
                arg: Box::new(Self::of(arg, place)?),
                negated: *negated,
            },
            ExprKind::IsBool { arg, value, negated } => Self::IsBool {
                arg: Box::new(Self::of(arg, place)?),
                value: *value,
                negated: *negated,
            },
            ExprKind::Case { branches, otherwise } => {
                let mut branch = |(condition, result): &(Expr, Expr)| {
                    Some((Self::of(condition, place)?, Self::of(result, place)?))
                };
                let branches = branches.iter().map(&mut branch).collect::<Option<_>>()?;
                let otherwise = match otherwise {
                    Some(otherwise) => Some(Box::new(Self::of(otherwise, place)?)),
                    None => None,
                };
                Self::Case(branches, otherwise)
            }
            ExprKind::Coalesce(parts) => Self::Coalesce(all(parts, place)?),
            _ => return None,
        })
    }

    /// An expression that reads no column.
    pub(super) fn constant(expr: &Expr) -> Option<Self> {
        Self::of(expr, &mut |_| None)
    }

    /// Whether it raises nothing, whatever the row.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Column(_) | Self::Constant(_) | Self::Parameter(_))
    }

    /// Its value.
    pub(super) fn value(&self, row: &[Value], given: Given<'_>) -> Result<Value> {
        match self {
            Self::Column(place) => Ok(row[*place].clone()),
            Self::Constant(value) => Ok(value.clone()),
            Self::Parameter(index) => Ok(given.params.get(*index).cloned().unwrap_or(Value::Null)),
            Self::Call(call) => call.value(row, given),
            Self::Retype(cast) => {
                let value = Vector::constant(cast.from, &cast.arg.value(row, given)?, 1);
                Ok(retype(value, cast.to.id).value(0))
            }
            Self::ByText(cast) => {
                let value = cast.arg.value(row, given)?;
                cast_by_text(given.session, cast.from, cast.to, &value)
            }
            Self::Connective(is_or, parts) => {
                let mut outcome = Value::Bool(!is_or);
                for part in parts {
                    match part.value(row, given)? {
                        Value::Bool(value) if value == *is_or => return Ok(Value::Bool(value)),
                        Value::Bool(_) => {}
                        _ => outcome = Value::Null,
                    }
                }
                Ok(outcome)
            }
            Self::Not(arg) => Ok(match arg.value(row, given)? {
                Value::Bool(value) => Value::Bool(!value),
                _ => Value::Null,
            }),
            Self::IsNull { arg, is_record, negated } => {
                let value = arg.value(row, given)?;
                let is_null = if *is_record {
                    record_is(&value, !negated)
                } else {
                    value.is_null() != *negated
                };
                Ok(Value::Bool(is_null))
            }
            Self::IsBool { arg, value: wanted, negated } => {
                let value = match arg.value(row, given)? {
                    Value::Bool(value) => Some(value),
                    _ => None,
                };
                Ok(Value::Bool((value == *wanted) != *negated))
            }
            Self::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.is_true(row, given)? {
                        return result.value(row, given);
                    }
                }
                otherwise.as_ref().map_or(Ok(Value::Null), |result| result.value(row, given))
            }
            Self::Coalesce(parts) => {
                for part in parts {
                    let value = part.value(row, given)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
        }
    }

    /// Whether it is true of a row.
    pub(super) fn is_true(&self, row: &[Value], given: Given<'_>) -> Result<bool> {
        Ok(matches!(self.value(row, given)?, Value::Bool(true)))
    }
}

/// Prepares several expressions.
pub(super) fn all<'a>(
    exprs: impl IntoIterator<Item = &'a Expr>,
    place: &mut impl FnMut(ColumnId) -> Option<usize>,
) -> Option<Vec<Scalar>> {
    exprs.into_iter().map(|expr| Scalar::of(expr, place)).collect()
}

/// Lists of expressions, each over the values of the one before, as projections above each other are; without any, the row itself.
#[derive(Debug, Default)]
pub(super) struct Stages(Vec<Vec<Scalar>>);

impl Stages {
    /// Of the projections above a row of such a layout, the uppermost first; `output` is wanted in the end.
    pub(super) fn of(
        projections: &[&Node],
        layout: &[ColumnId],
        output: &[ColumnId],
    ) -> Option<Self> {
        let mut stages = vec![];
        let mut layout = layout;
        for node in projections.iter().rev() {
            let Operator::Project { exprs, .. } = &node.operator else { return None };
            let mut place = |id| layout.iter().position(|column| *column == id);
            stages.push(all(exprs, &mut place)?);
            layout = &node.output;
        }
        if layout != output {
            let place = |id: &ColumnId| layout.iter().position(|column| column == id);
            let columns = output.iter().map(|id| place(id).map(Scalar::Column));
            stages.push(columns.collect::<Option<_>>()?);
        }
        Some(Self(stages))
    }

    /// Calls `give` with what becomes of a row.
    pub(super) fn run<R>(
        &self,
        row: &[Value],
        given: Given<'_>,
        give: impl FnOnce(&[Value]) -> Result<R>,
    ) -> Result<R> {
        let Some((first, others)) = self.0.split_first() else { return give(row) };
        let mut values = values_of(first, row, given)?;
        for exprs in others {
            values = values_of(exprs, &values, given)?;
        }
        give(&values)
    }
}

/// The values of expressions over a row.
pub(super) fn values_of(
    exprs: &[Scalar],
    row: &[Value],
    given: Given<'_>,
) -> Result<SmallVec<[Value; 8]>> {
    exprs.iter().map(|expr| expr.value(row, given)).collect()
}

impl Cast {
    fn of(
        arg: &Expr,
        to: SqlType,
        place: &mut impl FnMut(ColumnId) -> Option<usize>,
    ) -> Option<Self> {
        Some(Self { arg: Scalar::of(arg, place)?, from: arg.ty.id, to })
    }
}

/// Whether values of the type are [`Value::Text`].
fn is_text(ty: TypeId) -> bool {
    matches!(ty, TypeId::Text | TypeId::Varchar | TypeId::BpChar | TypeId::Name)
}

impl Call {
    fn value(&self, row: &[Value], given: Given<'_>) -> Result<Value> {
        let mut values = SmallVec::<[Value; 3]>::new();
        for (arg, _) in &self.args {
            values.push(arg.value(row, given)?);
        }
        if let Some(value) = self.usual.and_then(|usual| usual.value(&values)) {
            return Ok(value);
        }
        let types = self.args.iter().map(|(_, ty)| *ty);
        let args: SmallVec<[Vector; 3]> =
            types.zip(&values).map(|(ty, value)| Vector::constant(ty, value, 1)).collect();
        let result =
            run_kernel(self.function, &args, self.result, 1, &Mask::first(1), given.session)?;
        Ok(result.value(0))
    }
}
