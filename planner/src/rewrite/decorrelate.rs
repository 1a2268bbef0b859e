//! Correlated subqueries become joins.
//!
//! A dependent join's right side reads columns of its left side. The conjuncts that do so are pulled up, through filters, projections,
//! inner joins and the preserved side of outer ones, until the join itself can test them; then nothing is dependent any more.
//!
//! Through an aggregation the way is grouping by the inner side of `inner = outer`: each left row finds its group by an equality. An
//! aggregation without groups gives a row even over nothing (the count bug), so what is computed from it is computed above the
//! join, where a missing group is seen as nulls and counts as zeros.
//!
//! What does not fit (LIMIT, set operations, inequalities under an aggregation, outer columns elsewhere than in conjuncts)
//! stays a dependent join and runs as an apply: slow, never wrong.

use crate::bind::Binder;
use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Call, Join, Logical};
use crate::lower::join_key;
use crate::physical::JoinKind;
use damask_types::{TypeId, Value};

/// Unnests every dependent join of a plan, innermost first.
pub(crate) fn decorrelate(binder: &mut Binder<'_>, plan: &mut Logical) {
    for input in plan.inputs_mut() {
        decorrelate(binder, input);
    }
    if let Logical::Join(join) = plan
        && join.right.free_columns().intersects(&join.left.output_set())
    {
        let whole = std::mem::replace(plan, Logical::one_row());
        let Logical::Join(join) = whole else {
            return;
        };
        *plan = unnest(binder, join);
    }
}

fn unnest(binder: &mut Binder<'_>, mut join: Join) -> Logical {
    let outer = join.left.output_set();
    match join.kind {
        JoinKind::Semi | JoinKind::Anti | JoinKind::Mark => {
            strip(&mut join.right, join.predicates.is_empty());
            let was_exists = join.predicates.is_empty();
            let mut pulled = vec![];
            let mut right = (*join.right).clone();
            if !pull(&mut right, &outer, &mut pulled) || right.free_columns().intersects(&outer) {
                return Logical::Join(join);
            }
            // IN keeps unknown apart from false; a conjunct that only says which rows there are must not make it unknown.
            if join.kind == JoinKind::Mark && !was_exists {
                for predicate in &mut pulled {
                    let arg = Box::new(std::mem::replace(predicate, Expr::bool(true)));
                    *predicate = Expr::new(
                        ExprKind::IsBool { arg, value: Some(true), negated: false },
                        TypeId::Bool,
                    );
                }
            }
            join.predicates.extend(pulled);
            join.right = Box::new(right);
            join.is_dependent = false;
            if join.kind == JoinKind::Mark && was_exists {
                // EXISTS is never unknown: the mark is read through IS TRUE.
                let Some(mark) = join.mark else {
                    return Logical::Join(join);
                };
                let raw = binder.new_column(TypeId::Bool.into());
                join.mark = Some(raw);
                let arg = Box::new(binder.column_expr(raw));
                let known = Expr::new(
                    ExprKind::IsBool { arg, value: Some(true), negated: false },
                    TypeId::Bool,
                );
                let mut exprs: Vec<_> =
                    join.left.output().into_iter().map(|id| (id, binder.column_expr(id))).collect();
                exprs.push((mark, known));
                return Logical::Project { input: Box::new(Logical::Join(join)), exprs };
            }
            Logical::Join(join)
        }
        JoinKind::Single => unnest_single(binder, join, &outer),
        JoinKind::Inner | JoinKind::Left => {
            let mut pulled = vec![];
            let mut right = (*join.right).clone();
            if !pull(&mut right, &outer, &mut pulled) || right.free_columns().intersects(&outer) {
                return Logical::Join(join);
            }
            join.right = Box::new(right);
            join.predicates.extend(pulled);
            join.is_dependent = false;
            Logical::Join(join)
        }
        JoinKind::Right | JoinKind::Full | JoinKind::NullAwareAnti => Logical::Join(join),
    }
}

/// Takes away what does not matter to whether there is a row, or what the rows' values are without their order.
fn strip(plan: &mut Logical, is_exists: bool) {
    loop {
        match plan {
            Logical::Sort { input, .. } => *plan = std::mem::replace(input, Logical::one_row()),
            // DISTINCT ON chooses among rows; plain DISTINCT only drops copies.
            Logical::Distinct { input, keys }
                if is_exists || keys.len() == input.output().len() =>
            {
                *plan = std::mem::replace(input, Logical::one_row());
            }
            Logical::Limit { input, limit, offset: None } if is_exists => {
                let positive = limit.as_ref().is_none_or(|limit| {
                    limit.as_literal().and_then(Value::as_i64).is_some_and(|limit| limit > 0)
                });
                if !positive {
                    return;
                }
                *plan = std::mem::replace(input, Logical::one_row());
            }
            // EXISTS does not look at the select list.
            Logical::Project { input, exprs }
                if is_exists && !exprs.iter().any(|(_, expr)| expr.is_volatile()) =>
            {
                *plan = std::mem::replace(input, Logical::one_row());
            }
            _ => return,
        }
    }
}

/// Moves conjuncts that read `outer` out of a plan; the columns they need besides are given by it afterwards.
/// False if something that reads `outer` has to stay.
fn pull(plan: &mut Logical, outer: &ColumnSet, pulled: &mut Vec<Expr>) -> bool {
    if !plan.free_columns().intersects(outer) {
        return true;
    }
    match plan {
        Logical::Filter { input, predicates } => {
            if !pull(input, outer, pulled) {
                return false;
            }
            let (out, stay): (Vec<_>, Vec<_>) = std::mem::take(predicates)
                .into_iter()
                .partition(|predicate| predicate.columns().intersects(outer));
            if out.iter().any(Expr::is_volatile) {
                return false;
            }
            pulled.extend(out);
            let input = std::mem::replace(&mut **input, Logical::one_row());
            *plan = input.filter(stay);
            true
        }
        Logical::Get(get) => {
            let (out, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut get.predicates)
                .into_iter()
                .partition(|predicate| predicate.columns().intersects(outer));
            get.predicates = stay;
            pulled.extend(out);
            true
        }
        Logical::Project { input, exprs } => {
            let mut own = vec![];
            if exprs.iter().any(|(_, expr)| expr.columns().intersects(outer))
                || !pull(input, outer, &mut own)
            {
                return false;
            }
            pass_on(exprs, &own, outer, &input.output());
            pulled.extend(own);
            true
        }
        Logical::Join(join) => {
            match join.kind {
                JoinKind::Inner => {
                    if !pull(&mut join.left, outer, pulled) || !pull(&mut join.right, outer, pulled)
                    {
                        return false;
                    }
                    let (out, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut join.predicates)
                        .into_iter()
                        .partition(|predicate| predicate.columns().intersects(outer));
                    join.predicates = stay;
                    pulled.extend(out);
                    true
                }
                JoinKind::Left
                | JoinKind::Semi
                | JoinKind::Anti
                | JoinKind::Mark
                | JoinKind::Single
                | JoinKind::NullAwareAnti => {
                    // Only what filters the preserved side may come out.
                    if join.right.free_columns().intersects(outer)
                        || join
                            .predicates
                            .iter()
                            .any(|predicate| predicate.columns().intersects(outer))
                    {
                        return false;
                    }
                    pull(&mut join.left, outer, pulled)
                }
                JoinKind::Right | JoinKind::Full => false,
            }
        }
        Logical::Aggregate { input, groups, calls } if !groups.is_empty() => {
            // Each conjunct must be an equality with an outer value: its inner side becomes one more group key.
            let mut own = vec![];
            if reads(groups, calls, outer) || !pull(input, outer, &mut own) {
                return false;
            }
            group_by_keys(input, groups, own, outer, pulled)
        }
        Logical::Distinct { input, keys } => {
            let mut own = vec![];
            if !pull(input, outer, &mut own) {
                return false;
            }
            let set: ColumnSet = keys.iter().copied().collect();
            let inner = inner_columns(&own, outer);
            if !set.contains_all(&inner) {
                return false;
            }
            pulled.extend(own);
            true
        }
        Logical::Sort { input, keys } => {
            if keys.iter().any(|key| key.expr.columns().intersects(outer)) {
                return false;
            }
            pull(input, outer, pulled)
        }
        _ => false,
    }
}

/// Passes the columns that pulled conjuncts read on through a projection.
fn pass_on(
    exprs: &mut Vec<(ColumnId, Expr)>,
    pulled: &[Expr],
    outer: &ColumnSet,
    available: &[ColumnId],
) {
    let wanted = inner_columns(pulled, outer);
    for id in wanted.iter() {
        if !exprs.iter().any(|(other, _)| *other == id) && available.contains(&id) {
            let mut ty = None;
            for predicate in pulled {
                predicate.walk(&mut |expr| {
                    if expr.as_column() == Some(id) {
                        ty = Some(expr.ty);
                    }
                });
            }
            if let Some(ty) = ty {
                exprs.push((id, Expr::column(id, ty)));
            }
        }
    }
}

fn inner_columns(predicates: &[Expr], outer: &ColumnSet) -> ColumnSet {
    let mut columns = ColumnSet::default();
    for predicate in predicates {
        predicate.add_columns(&mut columns);
    }
    columns.subtract(outer);
    columns
}

fn reads(groups: &[(ColumnId, Expr)], calls: &[(ColumnId, Call)], outer: &ColumnSet) -> bool {
    let hits = |expr: &Expr| expr.columns().intersects(outer);
    groups.iter().any(|(_, expr)| hits(expr))
        || calls.iter().any(|(_, call)| {
            call.args.iter().any(hits)
                || call.filter.as_ref().is_some_and(hits)
                || call.order.iter().any(|key| hits(&key.expr))
        })
}

/// Adds the inner side of each `inner = outer` to the groups.
fn group_by_keys(
    input: &Logical,
    groups: &mut Vec<(ColumnId, Expr)>,
    conjuncts: Vec<Expr>,
    outer: &ColumnSet,
    pulled: &mut Vec<Expr>,
) -> bool {
    let inner = input.output_set();
    for conjunct in conjuncts {
        let Some(key) = join_key(&conjunct, outer, &inner) else {
            return false;
        };
        // A plain column keeps its id; anything else would need a new one, which the conjunct does not know.
        let Some(id) = key.right.as_column() else {
            return false;
        };
        if !groups.iter().any(|(other, _)| *other == id) {
            groups.push((id, key.right.clone()));
        }
        pulled.push(conjunct);
    }
    true
}

/// A scalar subquery.
fn unnest_single(binder: &mut Binder<'_>, mut join: Join, outer: &ColumnSet) -> Logical {
    // Above an aggregation without groups: projections and filters that are computed after the join.
    let mut above: Vec<Vec<(ColumnId, Expr)>> = vec![];
    let mut plan = (*join.right).clone();
    let mut conditions = vec![];
    loop {
        match plan {
            Logical::Project { input, exprs } if conditions.is_empty() => {
                above.push(exprs);
                plan = *input;
            }
            Logical::Filter { input, predicates } => {
                if above.len() == 1 && conditions.is_empty() {
                    conditions.extend(predicates);
                    plan = *input;
                    continue;
                }
                return unnest_rows(join, outer);
            }
            // One row needs no order and is the first.
            Logical::Sort { input, .. } => plan = *input,
            Logical::Limit { input, limit, offset: None }
                if limit.as_ref().is_none_or(|limit| {
                    limit.as_literal().and_then(Value::as_i64).is_some_and(|n| n >= 1)
                }) && matches!(
                    &*input,
                    Logical::Project { .. } | Logical::Aggregate { .. } | Logical::Sort { .. }
                ) =>
            {
                plan = *input;
            }
            Logical::Aggregate { input, groups, calls } if groups.is_empty() => {
                return unnest_aggregate(binder, join, outer, *input, calls, above, conditions);
            }
            _ => break,
        }
    }
    join.is_dependent = true;
    unnest_rows(join, outer)
}

/// A scalar subquery that gives rows: at most one may match, which the join checks.
fn unnest_rows(mut join: Join, outer: &ColumnSet) -> Logical {
    let mut pulled = vec![];
    let mut right = (*join.right).clone();
    while let Logical::Sort { input, .. } = right {
        right = *input;
    }
    if !pull(&mut right, outer, &mut pulled) || right.free_columns().intersects(outer) {
        return Logical::Join(join);
    }
    join.right = Box::new(right);
    join.predicates.extend(pulled);
    join.is_dependent = false;
    Logical::Join(join)
}

fn unnest_aggregate(
    binder: &mut Binder<'_>,
    join: Join,
    outer: &ColumnSet,
    mut input: Logical,
    calls: Vec<(ColumnId, Call)>,
    above: Vec<Vec<(ColumnId, Expr)>>,
    conditions: Vec<Expr>,
) -> Logical {
    let mut own = vec![];
    if reads(&[], &calls, outer)
        || !pull(&mut input, outer, &mut own)
        || input.free_columns().intersects(outer)
    {
        return Logical::Join(join);
    }
    let inner = input.output_set();
    let mut groups: Vec<(ColumnId, Expr)> = vec![];
    let mut predicates = vec![];
    for conjunct in &own {
        let Some(key) = join_key(conjunct, outer, &inner) else {
            return Logical::Join(join);
        };
        let existing = groups.iter().find(|(_, expr)| expr.same(&key.right)).map(|(id, _)| *id);
        let id = existing.unwrap_or_else(|| {
            let id = binder.new_column(key.right.ty);
            groups.push((id, key.right.clone()));
            id
        });
        // The conjunct over the group's column.
        let group = Expr::column(id, key.right.ty);
        let mut conjunct = conjunct.clone();
        let replaced = replace_side(&mut conjunct, &inner, &group);
        if !replaced {
            return Logical::Join(join);
        }
        predicates.push(conjunct);
    }
    if groups.is_empty() {
        return Logical::Join(join);
    }
    // Counts over nothing are zero: read them through COALESCE.
    let mut made: Vec<(ColumnId, Expr)> = vec![];
    let mut grouped_calls = vec![];
    for (id, call) in calls {
        if call.function.empty_is_zero {
            let raw = binder.new_column(call.ty);
            let zero = Expr::literal(Value::Int8(0), call.ty);
            let raw_expr = Expr::column(raw, call.ty);
            made.push((id, Expr::new(ExprKind::Coalesce(vec![raw_expr, zero]), call.ty)));
            grouped_calls.push((raw, call));
        } else {
            made.push((id, Expr::column(id, call.ty)));
            grouped_calls.push((id, call));
        }
    }
    let aggregate = Logical::Aggregate { input: Box::new(input), groups, calls: grouped_calls };
    let passed: Vec<(ColumnId, Expr)> =
        join.left.output().into_iter().map(|id| (id, binder.column_expr(id))).collect();
    let joined = Logical::Join(Join {
        kind: JoinKind::Left,
        left: join.left,
        right: Box::new(aggregate),
        predicates,
        mark: None,
        is_dependent: false,
    });
    let mut plan = joined;
    let mut layer = passed.clone();
    layer.extend(made);
    plan = Logical::Project { input: Box::new(plan), exprs: layer };
    let count = above.len();
    for (index, exprs) in above.into_iter().rev().enumerate() {
        let is_last = index + 1 == count;
        let mut layer = passed.clone();
        for (id, mut expr) in exprs {
            if is_last && !conditions.is_empty() {
                // A row that HAVING drops is no row: null. Its condition was computed over the layer below the last.
                let ty = expr.ty;
                let branches = vec![(Expr::and(conditions.clone()), expr)];
                expr = Expr::new(ExprKind::Case { branches, otherwise: None }, ty);
            }
            if !layer.iter().any(|(other, _)| *other == id) {
                layer.push((id, expr));
            }
        }
        plan = Logical::Project { input: Box::new(plan), exprs: layer };
    }
    if join.predicates.is_empty() { plan } else { plan.filter(join.predicates) }
}

/// Replaces the side of an equality that reads `inner` columns.
fn replace_side(conjunct: &mut Expr, inner: &ColumnSet, with: &Expr) -> bool {
    let sides: Vec<&mut Expr> = match &mut conjunct.kind {
        ExprKind::Call { args, .. } => args.iter_mut().collect(),
        ExprKind::IsDistinct { lhs, rhs, .. } => vec![lhs, rhs],
        _ => return false,
    };
    for side in sides {
        if side.columns().intersects(inner) {
            if side.ty.id != with.ty.id {
                return false;
            }
            *side = with.clone();
            return true;
        }
    }
    false
}
