//! Predicates move down to where their columns come from.
//!
//! Through projections (columns replaced by what computes them), inner joins, the preserved side of outer joins, below an aggregation
//! on its group keys, into every arm of UNION ALL. On the way an outer join whose missing rows a predicate would throw away becomes an
//! inner join. A predicate that may raise or is volatile stays above a join or an aggregation: below, it would see rows that the join drops (N2).
//! It does go into the scan of the only table there is.

use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::{Join, Logical};
use crate::physical::JoinKind;

/// Pushes every filter of a plan down.
pub(crate) fn push_down(plan: Logical) -> Logical {
    push(plan, vec![])
}

/// `plan` with `predicates` true for every row it gives.
fn push(plan: Logical, mut predicates: Vec<Expr>) -> Logical {
    match plan {
        Logical::Filter { input, predicates: own } => {
            let mut all = vec![];
            for predicate in own {
                predicate.conjuncts(&mut all);
            }
            all.append(&mut predicates);
            push(*input, all)
        }
        Logical::Get(mut get) => {
            get.predicates.append(&mut predicates);
            Logical::Get(get)
        }
        Logical::Project { input, exprs } => {
            let is_movable = |predicate: &Expr| {
                exprs.iter().all(|(id, expr)| {
                    expr.as_column() == Some(*id)
                        || !predicate.columns().contains(*id)
                        || !expr.is_volatile() && !has_subplan(expr)
                })
            };
            let (mut below, above): (Vec<_>, Vec<_>) = predicates.into_iter().partition(is_movable);
            for predicate in &mut below {
                predicate.replace_columns(&|id| replacement(&exprs, id));
            }
            let input = Box::new(push(*input, below));
            Logical::Project { input, exprs }.filter(above)
        }
        Logical::Sort { input, keys } => {
            Logical::Sort { input: Box::new(push(*input, predicates)), keys }
        }
        Logical::Distinct { input, keys } => {
            // Below DISTINCT ON only what depends on the keys.
            let set: ColumnSet = keys.iter().copied().collect();
            let (below, above): (Vec<_>, Vec<_>) = predicates.into_iter().partition(|predicate| {
                is_safe(predicate) && set.contains_all(&own_columns(predicate, &input))
            });
            Logical::Distinct { input: Box::new(push(*input, below)), keys }.filter(above)
        }
        Logical::Aggregate { input, groups, calls } => {
            let set: ColumnSet = groups.iter().map(|(id, _)| *id).collect();
            let (mut below, above): (Vec<_>, Vec<_>) =
                predicates.into_iter().partition(|predicate| {
                    let calls: ColumnSet = calls.iter().map(|(id, _)| *id).collect();
                    let columns = predicate.columns();
                    is_safe(predicate) && columns.intersects(&set) && !columns.intersects(&calls)
                });
            for predicate in &mut below {
                predicate.replace_columns(&|id| replacement(&groups, id));
            }
            Logical::Aggregate { input: Box::new(push(*input, below)), groups, calls }.filter(above)
        }
        Logical::Append { inputs, sources, columns } => {
            let (below, above): (Vec<_>, Vec<_>) = predicates.into_iter().partition(is_safe);
            let inputs = inputs
                .into_iter()
                .zip(&sources)
                .map(|(input, source)| {
                    let mut own = below.clone();
                    for predicate in &mut own {
                        predicate.transform(&mut |expr| {
                            if let ExprKind::Column(id) = expr.kind
                                && let Some(place) = columns.iter().position(|column| *column == id)
                            {
                                expr.kind = ExprKind::Column(source[place]);
                            }
                        });
                    }
                    push(input, own)
                })
                .collect();
            Logical::Append { inputs, sources, columns }.filter(above)
        }
        Logical::Join(join) => push_join(join, predicates),
        Logical::SetOperation { kind, all, left, right, left_columns, right_columns, columns } => {
            Logical::SetOperation {
                kind,
                all,
                left: Box::new(push(*left, vec![])),
                right: Box::new(push(*right, vec![])),
                left_columns,
                right_columns,
                columns,
            }
            .filter(predicates)
        }
        Logical::ProjectSet { input, functions } => {
            let made: ColumnSet = functions.iter().map(|(id, ..)| *id).collect();
            let (below, above): (Vec<_>, Vec<_>) = predicates.into_iter().partition(|predicate| {
                is_safe(predicate) && !predicate.columns().intersects(&made)
            });
            Logical::ProjectSet { input: Box::new(push(*input, below)), functions }.filter(above)
        }
        Logical::Limit { input, limit, offset } => {
            Logical::Limit { input: Box::new(push(*input, vec![])), limit, offset }
                .filter(predicates)
        }
        Logical::Lock { input, tables, kept } => {
            Logical::Lock { input: Box::new(push(*input, vec![])), tables, kept }.filter(predicates)
        }
        other => other.filter(predicates),
    }
}

fn push_join(mut join: Join, mut predicates: Vec<Expr>) -> Logical {
    reduce(&mut join, &predicates);
    let left_columns = join.left.output_set();
    let right_columns = join.right.output_set();
    match join.kind {
        JoinKind::Inner => {
            let mut own = vec![];
            for predicate in std::mem::take(&mut join.predicates) {
                predicate.conjuncts(&mut own);
            }
            own.append(&mut predicates);
            let (mut left, mut right, mut above) = (vec![], vec![], vec![]);
            for predicate in own {
                let columns = predicate.columns();
                if predicate.is_volatile() {
                    above.push(predicate);
                } else if !columns.intersects(&right_columns)
                    && is_safe(&predicate)
                    && columns.intersects(&left_columns)
                {
                    left.push(predicate);
                } else if !columns.intersects(&left_columns) && is_safe(&predicate) {
                    right.push(predicate);
                } else {
                    for (columns, side) in
                        [(&left_columns, &mut left), (&right_columns, &mut right)]
                    {
                        let implied = super::implied(&predicate, &|id| columns.contains(id));
                        side.extend(implied.filter(is_safe));
                    }
                    join.predicates.push(predicate);
                }
            }
            join.left = Box::new(push(*join.left, left));
            join.right = Box::new(push(*join.right, right));
            Logical::Join(join).filter(above)
        }
        JoinKind::Full => {
            join.left = Box::new(push(*join.left, vec![]));
            join.right = Box::new(push(*join.right, vec![]));
            Logical::Join(join).filter(predicates)
        }
        JoinKind::Left
        | JoinKind::Right
        | JoinKind::Semi
        | JoinKind::Anti
        | JoinKind::NullAwareAnti
        | JoinKind::Mark
        | JoinKind::Single => {
            // Filters on the left side's columns go left; the join's own conjuncts over the right side alone go right.
            let mut hidden = right_columns.clone();
            hidden.extend(join.mark);
            let (left, above): (Vec<_>, Vec<_>) = predicates.into_iter().partition(|predicate| {
                is_safe(predicate) && !predicate.columns().intersects(&hidden)
            });
            let mut right = vec![];
            // An unknown comparison of NOT IN and of a mark is not the same as a missing row.
            if !matches!(join.kind, JoinKind::NullAwareAnti | JoinKind::Mark) {
                let (below, rest): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut join.predicates).into_iter().partition(|predicate| {
                        let columns = predicate.columns();
                        is_safe(predicate)
                            && columns.intersects(&right_columns)
                            && !columns.intersects(&left_columns)
                    });
                right = below;
                join.predicates = rest;
            }
            let mut left = left;
            if join.kind == JoinKind::Semi {
                let (more, rest): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut join.predicates).into_iter().partition(|predicate| {
                        is_safe(predicate) && !predicate.columns().intersects(&right_columns)
                    });
                left.extend(more);
                join.predicates = rest;
            }
            join.left = Box::new(push(*join.left, left));
            join.right = Box::new(push(*join.right, right));
            Logical::Join(join).filter(above)
        }
    }
}

/// An outer join whose null rows no predicate lets pass is an inner join.
fn reduce(join: &mut Join, predicates: &[Expr]) {
    if !matches!(join.kind, JoinKind::Left | JoinKind::Full) {
        return;
    }
    let (left, right) = (&join.left.output_set(), &join.right.output_set());
    let rejects = |columns: &ColumnSet| {
        predicates.iter().any(|predicate| predicate.rejects_nulls_of(columns))
    };
    match join.kind {
        JoinKind::Left if rejects(right) => join.kind = JoinKind::Inner,
        JoinKind::Full => match (rejects(left), rejects(right)) {
            (true, true) => join.kind = JoinKind::Inner,
            (true, false) => join.kind = JoinKind::Left,
            (false, true) => {
                join.kind = JoinKind::Left;
                std::mem::swap(&mut join.left, &mut join.right);
            }
            (false, false) => {}
        },
        _ => {}
    }
}

fn own_columns(predicate: &Expr, input: &Logical) -> ColumnSet {
    // Columns of outer queries are constants here.
    let output = input.output_set();
    predicate.columns().iter().filter(|id| output.contains(*id)).collect()
}

fn replacement(exprs: &[(ColumnId, Expr)], id: ColumnId) -> Option<Expr> {
    exprs
        .iter()
        .find(|(other, expr)| *other == id && expr.as_column() != Some(id))
        .map(|(_, expr)| expr.clone())
}

fn has_subplan(expr: &Expr) -> bool {
    expr.any(&|expr| matches!(expr.kind, ExprKind::Subplan(_) | ExprKind::ArraySubplan(_)))
}

/// Whether a predicate may be evaluated for rows that it would not have seen.
pub(super) fn is_safe(predicate: &Expr) -> bool {
    !predicate.is_volatile() && !raises_in_practice(predicate)
}

/// Whether evaluating it early could show an error: subplans that are run once anyway do not count.
fn raises_in_practice(predicate: &Expr) -> bool {
    predicate.any(&|expr| match &expr.kind {
        ExprKind::Call { function, .. } | ExprKind::AnyAll { function, .. } => {
            function.may_raise && !is_mild(function.name)
        }
        ExprKind::Raise(_) => true,
        ExprKind::InOut(_) | ExprKind::ArrayCast { .. } => expr.may_raise(),
        _ => false,
    })
}

/// Functions that raise for extreme values alone. PostgreSQL moves all of them; these are the ones where it pays.
fn is_mild(name: &str) -> bool {
    const MILD: &[&str] = &[
        "like",
        "nlike",
        "notlike",
        "textlike",
        "textnlike",
        "bpcharlike",
        "bpcharnlike",
        "extract",
        "date_part",
        "substring",
        "substr",
        "numeric_mul",
        "numeric_add",
        "numeric_sub",
        "int4pl",
        "int4mi",
        "int4mul",
        "int8pl",
        "int8mi",
        "int8mul",
        "float8mul",
        "float8pl",
        "float8mi",
        "date_pli",
        "date_mii",
        "date_pl_interval",
        "date_mi_interval",
        "timestamp_pl_interval",
        "timestamp_mi_interval",
        "textregexeq",
        "textregexne",
        "nameregexeq",
        "nameregexne",
        "pg_table_is_visible",
        "numeric",
        "int48pl",
        "int84pl",
    ];
    MILD.contains(&name)
}
