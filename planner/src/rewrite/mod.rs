//! Equivalences, applied in a fixed order.
//!
//! One rule a file. Every rule keeps the ids of the columns that a plan gives, so nothing above it needs to change.

mod ctes;
mod decorrelate;
mod factor;
mod fold;
mod pushdown;

use crate::bind::Binder;
use crate::logical::Logical;
use crate::physical::JoinKind;

pub(crate) use ctes::{cte_copy, inline_ctes};
pub(crate) use factor::implied;
pub(crate) use fold::fold;

/// Rewrites a plan.
pub(crate) fn rewrite(binder: &mut Binder<'_>, plan: &mut Logical) {
    plan.transform_exprs(&mut |expr| {
        fold(binder.ctx, expr);
        factor::factor(expr);
    });
    fold_conditions(plan);
    decorrelate::decorrelate(binder, plan);
    let whole = std::mem::replace(plan, Logical::one_row());
    *plan = pushdown::push_down(whole);
}

fn fold_conditions(plan: &mut Logical) {
    match plan {
        Logical::Filter { predicates, .. } => fold::fold_condition(predicates),
        Logical::Join(join) if join.kind == JoinKind::Inner => {
            fold::fold_condition(&mut join.predicates);
        }
        _ => {}
    }
    plan.inputs_mut().into_iter().for_each(fold_conditions);
}
