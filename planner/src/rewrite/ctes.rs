//! Common table expressions that are read once, or depend on an outer row, are put where they are read.

use crate::bind::Binder;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::logical::Logical;
use hashbrown::HashMap;

/// Puts common table expressions in their places, in `plans`, in subplans and in one another.
pub(crate) fn inline_ctes(binder: &mut Binder<'_>, mut plans: Vec<&mut Logical>) {
    if binder.ctes.is_empty() {
        return;
    }
    // A later expression may read an earlier one, never the other way round.
    for id in 0..binder.ctes.len() {
        let cte = &binder.ctes[id];
        let is_correlated = !cte.plan.free_columns().is_empty();
        let is_once =
            cte.references == 1 && cte.materialized != Some(true) && !is_volatile(&cte.plan);
        let wanted = is_correlated || is_once || cte.materialized == Some(false);
        if !wanted {
            continue;
        }
        let source = cte.plan.clone();
        let columns: Vec<ColumnId> = cte.columns.iter().map(|column| column.id).collect();
        let inline = |binder: &mut Binder<'_>, plan: &mut Logical| {
            replace(binder, plan, id, &source, &columns);
        };
        for plan in &mut plans {
            inline(binder, plan);
        }
        for index in 0..binder.subplans.len() {
            let mut subplan = std::mem::replace(&mut binder.subplans[index], Logical::one_row());
            inline(binder, &mut subplan);
            binder.subplans[index] = subplan;
        }
        for index in id + 1..binder.ctes.len() {
            let mut later = std::mem::replace(&mut binder.ctes[index].plan, Logical::one_row());
            inline(binder, &mut later);
            binder.ctes[index].plan = later;
        }
    }
}

fn is_volatile(plan: &Logical) -> bool {
    let mut found = false;
    plan.for_each_expr(&mut |expr| found = found || expr.is_volatile());
    found || plan.inputs().into_iter().any(is_volatile)
}

fn replace(
    binder: &mut Binder<'_>,
    plan: &mut Logical,
    wanted: usize,
    source: &Logical,
    columns: &[ColumnId],
) {
    if let Logical::Cte { id, columns: own, .. } = plan
        && *id == wanted
    {
        let own = std::mem::take(own);
        *plan = cte_copy(binder, source, columns, own);
        return;
    }
    for input in plan.inputs_mut() {
        replace(binder, input, wanted, source, columns);
    }
}

/// A copy of a common table expression that gives its `columns` as `own`.
pub(crate) fn cte_copy(
    binder: &mut Binder<'_>,
    source: &Logical,
    columns: &[ColumnId],
    own: Vec<ColumnId>,
) -> Logical {
    let (copy, map) = instantiate(binder, source);
    let exprs = own
        .into_iter()
        .zip(columns)
        .map(|(id, from)| (id, binder.column_expr(map.get(from).copied().unwrap_or(*from))))
        .collect();
    Logical::Project { input: Box::new(copy), exprs }
}

/// A copy of a plan whose columns are its own.
fn instantiate(binder: &mut Binder<'_>, plan: &Logical) -> (Logical, HashMap<ColumnId, ColumnId>) {
    let mut map = HashMap::new();
    collect(plan, &mut |id| {
        if !map.contains_key(&id) {
            let fresh = binder.new_column(binder.type_of(id));
            let origin = binder.origins[id.0 as usize].clone();
            binder.origins[fresh.0 as usize] = origin;
            map.insert(id, fresh);
        }
    });
    let mut copy = plan.clone();
    rename(&mut copy, &map);
    (copy, map)
}

fn collect(plan: &Logical, f: &mut dyn FnMut(ColumnId)) {
    plan.output().into_iter().for_each(&mut *f);
    if let Logical::Get(get) = plan {
        for (_, id) in &get.columns {
            f(*id);
        }
    }
    for input in plan.inputs() {
        collect(input, f);
    }
}

fn rename(plan: &mut Logical, map: &HashMap<ColumnId, ColumnId>) {
    let swap = |id: &mut ColumnId| {
        if let Some(new) = map.get(id) {
            *id = *new;
        }
    };
    plan.for_each_expr_mut(&mut |expr: &mut Expr| {
        expr.transform(&mut |expr| {
            if let ExprKind::Column(id) = &mut expr.kind {
                swap(id);
            }
        });
    });
    match plan {
        Logical::Values { columns, .. }
        | Logical::Input { columns, .. }
        | Logical::Function { columns, .. }
        | Logical::Append { columns, .. }
        | Logical::SetOperation { columns, .. }
        | Logical::Cte { columns, .. } => columns.iter_mut().for_each(swap),
        Logical::Get(get) => {
            for (_, id) in &mut get.columns {
                swap(id);
            }
            get.row_id.iter_mut().for_each(swap);
            get.table_oid.iter_mut().for_each(swap);
        }
        Logical::Project { exprs, .. } => exprs.iter_mut().for_each(|(id, _)| swap(id)),
        Logical::ProjectSet { functions, .. } => functions.iter_mut().for_each(|(id, ..)| swap(id)),
        Logical::Join(join) => join.mark.iter_mut().for_each(swap),
        Logical::Aggregate { groups, calls, .. } => {
            for (id, _) in groups {
                swap(id);
            }
            for (id, _) in calls {
                swap(id);
            }
        }
        Logical::Distinct { keys, .. } => keys.iter_mut().for_each(swap),
        Logical::Lock { tables, kept, .. } => {
            for (_, id, ..) in tables {
                swap(id);
            }
            kept.iter_mut().for_each(swap);
        }
        Logical::Filter { .. } | Logical::Sort { .. } | Logical::Limit { .. } => {}
    }
    match plan {
        Logical::Append { sources, .. } => sources.iter_mut().flatten().for_each(swap),
        Logical::SetOperation { left_columns, right_columns, .. } => {
            left_columns.iter_mut().chain(right_columns).for_each(swap);
        }
        _ => {}
    }
    for input in plan.inputs_mut() {
        rename(input, map);
    }
}
