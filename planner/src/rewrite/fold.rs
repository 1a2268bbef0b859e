//! Constant folding: calls of immutable functions on constants are made now, by the kernels that would run them later.
//!
//! An error found here stays where it was found ([`ExprKind::Raise`]): it is raised only if a row gets there (N2).

use crate::PlanContext;
use crate::expr::{Expr, ExprKind};
use damask_functions::{KernelContext, ScalarFunction, Volatility};
use damask_types::{Mask, TypeId, Value, Vector};
use std::sync::Arc;

/// Folds an expression from the leaves up.
pub(crate) fn fold(ctx: &PlanContext<'_>, expr: &mut Expr) {
    expr.transform(&mut |expr| fold_one(ctx, expr));
}

fn fold_one(ctx: &PlanContext<'_>, expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Call { function, args } => {
            // The other arguments are not evaluated then, whatever they might raise; what already raised, does.
            if function.strict && args.iter().any(is_null) && !args.iter().any(raised) {
                expr.kind = ExprKind::Literal(Value::Null);
                return;
            }
            if function.volatility != Volatility::Immutable {
                return;
            }
            narrow_date(function, args);
            let constants: Option<Vec<&Value>> = args.iter().map(Expr::as_literal).collect();
            let Some(values) = constants else {
                return;
            };
            let vectors: Vec<Vector> = args
                .iter()
                .zip(values)
                .map(|(arg, value)| Vector::constant(arg.ty.id, value, 1))
                .collect();
            let active = Mask::first(1);
            let context =
                KernelContext { rows: 1, active: &active, result: expr.ty, session: ctx.session };
            expr.kind = match (function.kernel)(&context, &vectors) {
                Ok(vector) => ExprKind::Literal(vector.value(0)),
                Err(error) => ExprKind::Raise(Arc::new(error)),
            };
        }
        ExprKind::Retype(arg) => {
            if let Some(value) = arg.as_literal()
                && arg.ty.id.physical() == expr.ty.id.physical()
            {
                expr.kind = ExprKind::Literal(
                    Vector::constant(arg.ty.id, value, 1).retype(expr.ty.id).value(0),
                );
            }
        }
        ExprKind::And(_) => fold_junction(expr, false),
        ExprKind::Or(_) => fold_junction(expr, true),
        ExprKind::Not(arg) => match &arg.kind {
            ExprKind::Literal(Value::Bool(value)) => {
                expr.kind = ExprKind::Literal(Value::Bool(!value));
            }
            ExprKind::Literal(Value::Null) => expr.kind = ExprKind::Literal(Value::Null),
            _ => {}
        },
        ExprKind::IsNull { arg, negated } => {
            if let Some(value) = arg.as_literal() {
                expr.kind = ExprKind::Literal(Value::Bool(value.is_null() != *negated));
            }
        }
        ExprKind::IsBool { arg, value, negated } => {
            let found = match arg.as_literal() {
                Some(Value::Bool(found)) => Some(*found),
                Some(Value::Null) => None,
                _ => return,
            };
            expr.kind = ExprKind::Literal(Value::Bool((found == *value) != *negated));
        }
        ExprKind::Case { branches, otherwise } => {
            // Branches that are never taken go; one that is always taken ends the list.
            branches.retain(|(condition, _)| {
                !matches!(condition.kind, ExprKind::Literal(Value::Bool(false) | Value::Null))
            });
            if let Some(taken) = branches.iter().position(|(condition, _)| {
                matches!(condition.kind, ExprKind::Literal(Value::Bool(true)))
            }) {
                let (_, result) = branches.swap_remove(taken);
                branches.truncate(taken);
                *otherwise = Some(Box::new(result));
            }
            if branches.is_empty() {
                let ty = expr.ty;
                *expr = match otherwise.take() {
                    Some(result) => Expr { position: expr.position, ..*result },
                    None => Expr::null(ty),
                };
            }
        }
        ExprKind::Coalesce(parts) => {
            parts.retain(|part| !matches!(part.kind, ExprKind::Literal(Value::Null)));
            if let Some(end) = parts.iter().position(|part| part.as_literal().is_some()) {
                parts.truncate(end + 1);
            }
            match parts.len() {
                0 => expr.kind = ExprKind::Literal(Value::Null),
                1 => *expr = parts.remove(0),
                _ => {}
            }
        }
        ExprKind::NullIf { lhs, rhs, .. } if is_null(lhs) && !raised(rhs) || is_null(rhs) => {
            *expr = std::mem::replace(&mut **lhs, Expr::bool(true));
        }
        ExprKind::Array(items) => {
            let values: Option<Vec<Value>> =
                items.iter().map(|item| item.as_literal().cloned()).collect();
            let element = expr.ty.id.element();
            if let (Some(values), Some(element)) = (values, element)
                && !items.iter().any(|item| item.ty.id.is_array())
            {
                expr.kind = ExprKind::Literal(Value::array(element, values));
            }
        }
        _ => {}
    }
}

/// AND (`absorbing` false) and OR (true): the absorbing constant wins, its opposite goes, nulls alone are null.
fn fold_junction(expr: &mut Expr, absorbing: bool) {
    let (ExprKind::And(parts) | ExprKind::Or(parts)) = &mut expr.kind else {
        return;
    };
    let mut flat = vec![];
    for part in std::mem::take(parts) {
        match (part.kind, absorbing) {
            (ExprKind::And(inner), false) | (ExprKind::Or(inner), true) => flat.extend(inner),
            (kind, _) => flat.push(Expr { kind, ty: part.ty, position: part.position }),
        }
    }
    flat.retain(
        |part| !matches!(part.kind, ExprKind::Literal(Value::Bool(value)) if value != absorbing),
    );
    if let Some(at) = flat.iter().position(
        |part| matches!(part.kind, ExprKind::Literal(Value::Bool(value)) if value == absorbing),
    ) {
        // Only a constant that raised before it is still seen: rows do not get to the others.
        if !flat[..at].iter().any(raised) {
            expr.kind = ExprKind::Literal(Value::Bool(absorbing));
            return;
        }
        // It raises for every row that gets so far, so that nothing after it counts.
        flat.truncate(at);
    }
    if flat.len() > 1 && flat.iter().all(is_null) {
        flat.truncate(1);
    }
    let position = expr.position;
    let folded = match flat.len() {
        0 => Expr::bool(!absorbing),
        1 => flat.remove(0),
        _ if absorbing => Expr::new(ExprKind::Or(flat), TypeId::Bool),
        _ => Expr::new(ExprKind::And(flat), TypeId::Bool),
    };
    *expr = Expr { position: folded.position.or(position), ..folded };
}

/// Folds the conjuncts of a condition that passes a row only when they are true: a null among them is as good as false.
pub(super) fn fold_condition(predicates: &mut Vec<Expr>) {
    predicates.iter_mut().for_each(null_to_false);
    let is_false = |part: &Expr| matches!(part.kind, ExprKind::Literal(Value::Bool(false)));
    if let Some(at) = predicates.iter().position(is_false) {
        if predicates[..at].iter().any(raised) {
            predicates.truncate(at);
        } else {
            *predicates = vec![Expr::bool(false)];
        }
    }
}

/// A null that only an AND or an OR stands over, in a condition.
fn null_to_false(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Literal(Value::Null) => expr.kind = ExprKind::Literal(Value::Bool(false)),
        ExprKind::And(parts) => {
            parts.iter_mut().for_each(null_to_false);
            fold_junction(expr, false);
        }
        ExprKind::Or(parts) => {
            parts.iter_mut().for_each(null_to_false);
            fold_junction(expr, true);
        }
        _ => {}
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(Value::Null))
}

/// Whether a constant below raised when it was folded.
fn raised(expr: &Expr) -> bool {
    expr.any(&|expr| matches!(expr.kind, ExprKind::Raise(_)))
}

/// `date < timestamp 'midnight'` compares dates: half the bytes, no conversion, and indexes and zone maps of the column apply.
fn narrow_date(function: &mut &'static ScalarFunction, args: &mut [Expr]) {
    const DAY: i64 = 86_400_000_000;
    let symbol = match function.name {
        "date_lt_timestamp" => "<",
        "date_le_timestamp" => "<=",
        "date_gt_timestamp" => ">",
        "date_ge_timestamp" => ">=",
        "date_eq_timestamp" => "=",
        "date_ne_timestamp" => "<>",
        _ => return,
    };
    let [_, rhs] = args else {
        return;
    };
    let Some(Value::Timestamp(at)) = rhs.as_literal() else {
        return;
    };
    let days = i32::try_from(at / DAY)
        .ok()
        .filter(|_| at % DAY == 0 && *at != i64::MIN && *at != i64::MAX);
    let found = damask_functions::registry::operator(symbol, Some(TypeId::Date), TypeId::Date);
    if let (Some(days), Some(operator)) = (days, found) {
        *function = operator.function;
        rhs.kind = ExprKind::Literal(Value::Date(days));
        rhs.ty = TypeId::Date.into();
    }
}
