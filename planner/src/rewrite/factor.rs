//! What every arm of an OR has in common moves out of it: `(a AND b) OR (a AND c)` is `a AND (b OR c)`.
//!
//! Also true under three-valued logic. It turns the join condition that TPC-H's Q19 repeats in each arm into one that a hash join can use. What each arm says of one table alone
//! ([`implied`]) holds for the whole OR, and can be tested before the join.

use crate::expr::{ColumnId, Expr, ExprKind};

/// Factors every OR in an expression.
pub(super) fn factor(expr: &mut Expr) {
    expr.transform(&mut factor_one);
}

fn factor_one(expr: &mut Expr) {
    let ExprKind::Or(arms) = &mut expr.kind else {
        return;
    };
    let parts = |arm: &Expr| match &arm.kind {
        ExprKind::And(parts) => parts.clone(),
        _ => vec![arm.clone()],
    };
    let Some(first) = arms.first() else {
        return;
    };
    let common: Vec<Expr> = parts(first)
        .into_iter()
        .filter(|part| {
            !part.is_volatile()
                && arms[1..].iter().all(|arm| parts(arm).iter().any(|other| other.same(part)))
        })
        .collect();
    if common.is_empty() || arms.iter().any(Expr::may_raise) && common.iter().any(Expr::may_raise) {
        return;
    }
    let mut rest = vec![];
    for arm in std::mem::take(arms) {
        let left: Vec<Expr> = parts(&arm)
            .into_iter()
            .filter(|part| !common.iter().any(|other| other.same(part)))
            .collect();
        rest.push(Expr::and(left));
    }
    let mut whole = common;
    // An arm with nothing left is always true where the rest holds.
    if !rest.iter().any(|arm| matches!(arm.as_literal(), Some(damask_types::Value::Bool(true)))) {
        whole.push(Expr::or(rest));
    }
    let position = expr.position;
    *expr = Expr { position, ..Expr::and(whole) };
}

/// The OR of what each arm of `or` says of columns that are `within` alone; `None` if an arm says nothing of them.
pub(crate) fn implied(or: &Expr, within: &dyn Fn(ColumnId) -> bool) -> Option<Expr> {
    let ExprKind::Or(arms) = &or.kind else {
        return None;
    };
    let mut implied = vec![];
    for arm in arms {
        let parts = match &arm.kind {
            ExprKind::And(parts) => &parts[..],
            _ => std::slice::from_ref(arm),
        };
        let own: Vec<Expr> = parts
            .iter()
            .filter(|part| {
                let columns = part.columns();
                !columns.is_empty() && columns.iter().all(within)
            })
            .cloned()
            .collect();
        if own.is_empty() {
            return None;
        }
        implied.push(Expr::and(own));
    }
    Some(Expr::or(implied))
}
