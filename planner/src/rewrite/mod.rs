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

pub(crate) use ctes::{cte_copy, inline_ctes};
pub(crate) use fold::fold;

/// Rewrites a plan.
pub(crate) fn rewrite(binder: &mut Binder<'_>, plan: &mut Logical) {
    plan.transform_exprs(&mut |expr| {
        fold(binder.ctx, expr);
        factor::factor(expr);
    });
    decorrelate::decorrelate(binder, plan);
    let whole = std::mem::replace(plan, Logical::one_row());
    *plan = pushdown::push_down(whole);
}
