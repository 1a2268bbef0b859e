//! The naive interpreter.

use damask_functions::FixedSession;
use damask_functions::{KernelContext, ScalarFunction};
use damask_planner::expr::{ColumnId, Expr, ExprKind};
use damask_types::{Mask, Result, SqlType, TypeId, Value, Vector};

/// A small generator of numbers (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn call(function: &ScalarFunction, args: &[(Value, TypeId)], result: SqlType) -> Result<Value> {
    if function.strict && args.iter().any(|arg| arg.0.is_null()) {
        return Ok(Value::Null);
    }
    let args: Vec<Vector> =
        args.iter().map(|(value, ty)| Vector::from_values(*ty, [value])).collect();
    let session = FixedSession::default();
    let ctx = KernelContext { rows: 1, active: &Mask::first(1), result, session: &session };
    Ok((function.kernel)(&ctx, &args)?.value(0))
}

fn test(function: &ScalarFunction, a: Value, b: Value, ty: TypeId) -> Result<Value> {
    call(function, &[(a, ty), (b, ty)], TypeId::Bool.into())
}

/// The value of an expression for one row.
pub(crate) fn value(expr: &Expr, input: &dyn Fn(ColumnId) -> Value) -> Result<Value> {
    let of = |expr: &Expr| value(expr, input);
    Ok(match &expr.kind {
        ExprKind::Column(id) => input(*id),
        ExprKind::Literal(value) => value.clone(),
        ExprKind::Call { function, args } => {
            let args =
                args.iter().map(|arg| Ok((of(arg)?, arg.ty.id))).collect::<Result<Vec<_>>>()?;
            call(function, &args, expr.ty)?
        }
        ExprKind::And(parts) | ExprKind::Or(parts) => {
            let decides = Value::Bool(matches!(expr.kind, ExprKind::Or(_)));
            let mut unknown = false;
            for part in parts {
                match of(part)? {
                    Value::Null => unknown = true,
                    value if value == decides => return Ok(decides),
                    _ => {}
                }
            }
            if unknown { Value::Null } else { Value::Bool(decides == Value::Bool(false)) }
        }
        ExprKind::Not(arg) => match of(arg)? {
            Value::Bool(value) => Value::Bool(!value),
            other => other,
        },
        ExprKind::IsNull { arg, negated } => Value::Bool(of(arg)?.is_null() != *negated),
        ExprKind::IsBool { arg, value, negated } => {
            let wanted = value.map_or(Value::Null, Value::Bool);
            let arg = of(arg)?;
            let same = if wanted.is_null() { arg.is_null() } else { arg == wanted };
            Value::Bool(same != *negated)
        }
        ExprKind::IsDistinct { lhs, rhs, equality, negated } => {
            let (a, b) = (of(lhs)?, of(rhs)?);
            let same = match (a.is_null(), b.is_null()) {
                (true, true) => true,
                (false, false) => test(equality, a, b, lhs.ty.id)? == Value::Bool(true),
                _ => false,
            };
            Value::Bool(same == *negated)
        }
        ExprKind::Case { branches, otherwise } => {
            for (condition, result) in branches {
                if of(condition)? == Value::Bool(true) {
                    return of(result);
                }
            }
            otherwise.as_deref().map_or(Ok(Value::Null), of)?
        }
        ExprKind::Coalesce(parts) => {
            for part in parts {
                let value = of(part)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Value::Null
        }
        ExprKind::NullIf { lhs, rhs, equality } => {
            let (a, b) = (of(lhs)?, of(rhs)?);
            let equal = test(equality, a.clone(), b, lhs.ty.id)? == Value::Bool(true);
            if equal { Value::Null } else { a }
        }
        ExprKind::MinMax { args, least, less } => {
            let mut best = Value::Null;
            for arg in args {
                let next = of(arg)?;
                if next.is_null() {
                    continue;
                }
                let (a, b) = if *least {
                    (next.clone(), best.clone())
                } else {
                    (best.clone(), next.clone())
                };
                if best.is_null() || test(less, a, b, arg.ty.id)? == Value::Bool(true) {
                    best = next;
                }
            }
            best
        }
        ExprKind::AnyAll { lhs, function, array, all } => {
            let ExprKind::Array(items) = &array.kind else { panic!("a list") };
            let (lhs_value, mut unknown) = (of(lhs)?, false);
            for item in items {
                match test(function, lhs_value.clone(), of(item)?, lhs.ty.id)? {
                    Value::Null => unknown = true,
                    Value::Bool(hit) if hit != *all => return Ok(Value::Bool(hit)),
                    _ => {}
                }
            }
            if unknown { Value::Null } else { Value::Bool(*all) }
        }
        other => panic!("the tests do not make {other:?}"),
    })
}
