//! Which join, and which side is built.

use super::access::widen;
use super::{Lower, is_dependent, order_predicates};
use crate::column_set::ColumnSet;
use crate::cost::is_equality;
use crate::expr::{Expr, ExprKind};
use crate::logical::{Get, Join, Logical};
use crate::physical::{JoinKey, JoinKind, Operator, PlanId};
use crate::tuning::penalty;
use damask_types::{Result, TypeId};

/// Cost of starting the right side of an apply anew.
const RUN: f64 = 2.0;

impl Lower<'_> {
    pub(super) fn join(&mut self, mut join: Join, required: &ColumnSet) -> Result<PlanId> {
        let mut needed = required.clone();
        join.predicates.iter().for_each(|predicate| predicate.add_columns(&mut needed));
        let left_columns = join.left.output_set();
        if is_dependent(&join.right, &left_columns) {
            return self.apply(join, needed, left_columns);
        }
        let (left_rows, right_rows) =
            (self.estimator.rows(&join.left), self.estimator.rows(&join.right));
        let rows = self.estimator.join_rows(&join, left_rows, right_rows);
        // A lookup in an index for each row of a small side.
        let tuning = self.tuning;
        let hash_cost = |outer: f64, inner: f64| {
            (outer * 2.0 + inner * 3.0) * tuning.cpu_tuple_cost + penalty(tuning.enable_hashjoin)
        };
        let loop_penalty = penalty(tuning.enable_nestloop);
        if matches!(join.kind, JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti) {
            // Of a lookup on either side, beside reading the other; none if reading both and hashing is cheaper.
            let (left_scan, right_scan) = (self.scan_cost(&join.left), self.scan_cost(&join.right));
            let total = |outer: (f64, f64), lookup: Option<f64>, hashed: f64| {
                let total = outer.0 + outer.1 * (lookup? + RUN) + loop_penalty;
                (total < left_scan + right_scan + hashed).then_some(total)
            };
            let lookup = self.lookup(&join.right, &join.predicates, &left_columns);
            let in_right = total((left_scan, left_rows), lookup, hash_cost(left_rows, right_rows));
            let in_left = if join.kind == JoinKind::Inner {
                let right_columns = join.right.output_set();
                let lookup = self.lookup(&join.left, &join.predicates, &right_columns);
                total((right_scan, right_rows), lookup, hash_cost(right_rows, left_rows))
            } else {
                None
            };
            if in_left.is_some_and(|left| in_right.is_none_or(|right| left < right)) {
                std::mem::swap(&mut join.left, &mut join.right);
                return self.index_join(join, needed, rows);
            }
            if in_right.is_some() {
                return self.index_join(join, needed, rows);
            }
        }
        let loops = !tuning.enable_hashjoin
            && tuning.enable_nestloop
            && matches!(
                join.kind,
                JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti
            );
        let (mut keys, residual) = if loops {
            (vec![], join.predicates)
        } else {
            Self::split(join.predicates, &left_columns, &join.right.output_set())
        };
        let mut kind = join.kind;
        let (mut left, mut right) = (*join.left, *join.right);
        // The smaller side is built.
        if left_rows < right_rows && !keys.is_empty() {
            let swapped = match kind {
                JoinKind::Inner => Some(JoinKind::Inner),
                JoinKind::Left if left_rows * 4.0 < right_rows => Some(JoinKind::Right),
                JoinKind::Full => Some(JoinKind::Full),
                _ => None,
            };
            if let Some(swapped) = swapped {
                kind = swapped;
                std::mem::swap(&mut left, &mut right);
                for key in &mut keys {
                    std::mem::swap(&mut key.left, &mut key.right);
                }
            }
        }
        // What a nested loop keeps is the smaller side too.
        if keys.is_empty() && kind == JoinKind::Inner && left_rows < right_rows {
            std::mem::swap(&mut left, &mut right);
        }
        let left = self.lower(left, &needed)?;
        let right = self.lower(right, &needed)?;
        let mut output = self.at(left).output.clone();
        if kind.gives_right() {
            output.extend(self.at(right).output.iter().copied());
        }
        output.extend(join.mark);
        let (left_cost, right_cost) = (self.at(left).cost, self.at(right).cost);
        let (outer, inner) = (self.at(left).rows, self.at(right).rows);
        let residual = self.exprs(order_predicates(residual))?;
        if keys.is_empty() {
            let total = left_cost.1
                + right_cost.1
                + outer * inner * tuning.cpu_operator_cost * residual.len().max(1) as f64
                + loop_penalty;
            let operator = Operator::NestedLoopJoin { kind, left, right, predicates: residual };
            return Ok(self.node(operator, output, rows, (left_cost.0 + right_cost.0, total)));
        }
        let mut lowered = vec![];
        for key in keys {
            lowered.push(JoinKey {
                left: self.expr(key.left)?,
                right: self.expr(key.right)?,
                null_safe: key.null_safe,
            });
        }
        let start = right_cost.1
            + left_cost.0
            + inner * tuning.cpu_tuple_cost
            + penalty(tuning.enable_hashjoin);
        let total = start
            + (left_cost.1 - left_cost.0)
            + outer * self.tuning.cpu_tuple_cost
            + rows * self.tuning.cpu_operator_cost;
        let operator = Operator::HashJoin { kind, left, right, keys: lowered, residual };
        Ok(self.node(operator, output, rows, (start, total)))
    }

    /// Runs the right side for each left row.
    fn apply(&mut self, join: Join, needed: ColumnSet, left_columns: ColumnSet) -> Result<PlanId> {
        let mut left_needed = needed.clone();
        left_needed.union(&join.right.free_columns());
        let rows = self.estimator.join_rows(
            &join,
            self.estimator.rows(&join.left),
            self.estimator.rows(&join.right),
        );
        let left = self.lower(*join.left, &left_needed)?;
        let before = self.outer.clone();
        self.outer.union(&left_columns);
        let right = self.lower(*join.right, &needed);
        self.outer = before;
        let right = right?;
        self.finish_apply(join.kind, left, right, join.predicates, join.mark, rows)
    }

    fn finish_apply(
        &mut self,
        kind: JoinKind,
        left: PlanId,
        right: PlanId,
        predicates: Vec<Expr>,
        mark: Option<crate::expr::ColumnId>,
        rows: f64,
    ) -> Result<PlanId> {
        let mut output = self.at(left).output.clone();
        if kind.gives_right() {
            output.extend(self.at(right).output.iter().copied());
        }
        output.extend(mark);
        let (left_cost, right_cost) = (self.at(left).cost, self.at(right).cost);
        let total = left_cost.1
            + self.at(left).rows * (RUN + right_cost.1)
            + penalty(self.tuning.enable_nestloop);
        let predicates = self.exprs(order_predicates(predicates))?;
        let operator = Operator::Apply { kind, left, right, predicates };
        Ok(self.node(operator, output, rows, (left_cost.0 + right_cost.0, total)))
    }

    /// Cost of looking the join's matches up in an index of `inner`, a table perhaps under projections that only pass columns on.
    fn lookup(
        &self,
        inner: &Logical,
        predicates: &[Expr],
        outer_columns: &ColumnSet,
    ) -> Option<f64> {
        let Logical::Get(get) = inner else {
            return None;
        };
        let usable: Vec<Expr> = pushable(get, predicates, outer_columns);
        self.lookup_cost(get, &usable)
    }

    fn scan_cost(&self, plan: &Logical) -> f64 {
        match plan {
            Logical::Get(get) => {
                self.estimator.table_rows(&get.table)
                    * (self.tuning.cpu_tuple_cost * 0.5
                        + self.tuning.cpu_operator_cost * get.predicates.len() as f64)
                    + penalty(self.tuning.enable_seqscan)
            }
            other => self.estimator.rows(other) * self.tuning.cpu_tuple_cost,
        }
    }

    /// An apply whose right side is an index scan with the join's conjuncts.
    fn index_join(&mut self, join: Join, needed: ColumnSet, rows: f64) -> Result<PlanId> {
        let left_columns = join.left.output_set();
        let Logical::Get(mut get) = *join.right else {
            return Err(damask_types::Error::internal("an index join without a table"));
        };
        let left = self.lower(*join.left, &needed)?;
        let before = self.outer.clone();
        self.outer.union(&left_columns);
        // Inside, the conjuncts read the outer row.
        get.predicates.extend(join.predicates);
        let right = self.scan(get, &needed, &[]);
        self.outer = before;
        let right = right?;
        self.finish_apply(join.kind, left, right, vec![], join.mark, rows)
    }

    /// Splits conjuncts into equalities of the two sides and the rest.
    fn split(
        predicates: Vec<Expr>,
        left: &ColumnSet,
        right: &ColumnSet,
    ) -> (Vec<JoinKey>, Vec<Expr>) {
        let mut keys = vec![];
        let mut residual = vec![];
        for predicate in predicates {
            match join_key(&predicate, left, right) {
                Some(key) => keys.push(key),
                None => residual.push(predicate),
            }
        }
        (keys, residual)
    }
}

/// The conjuncts that can be tested inside a scan of the table, given an outer row.
fn pushable(get: &Get, predicates: &[Expr], outer: &ColumnSet) -> Vec<Expr> {
    let mut visible: ColumnSet = get.columns.iter().map(|(_, id)| *id).collect();
    visible.union(outer);
    predicates
        .iter()
        .filter(|predicate| visible.contains_all(&predicate.columns()))
        .cloned()
        .collect()
}

/// The equality of a left and a right expression that a hash table can test.
pub(crate) fn join_key(predicate: &Expr, left: &ColumnSet, right: &ColumnSet) -> Option<JoinKey> {
    let (a, b, null_safe) = match &predicate.kind {
        ExprKind::Call { function, args }
            if is_equality(function.name) && function.result == TypeId::Bool =>
        {
            let [a, b] = &args[..] else {
                return None;
            };
            (a, b, false)
        }
        ExprKind::IsDistinct { lhs, rhs, equality, negated: true }
            if is_equality(equality.name) =>
        {
            (&**lhs, &**rhs, true)
        }
        _ => return None,
    };
    let (in_a, in_b) = (a.columns(), b.columns());
    if in_a.is_empty() || in_b.is_empty() || a.is_volatile() || b.is_volatile() {
        return None;
    }
    let (mut a, mut b) = if left.contains_all(&in_a) && right.contains_all(&in_b) {
        (a.clone(), b.clone())
    } else if left.contains_all(&in_b) && right.contains_all(&in_a) {
        (b.clone(), a.clone())
    } else {
        return None;
    };
    if a.ty.id != b.ty.id {
        // Integers of different widths meet in the wider one; other pairs are compared one by one.
        (a, b) = match (widen(a.clone(), b.ty.id), widen(b.clone(), a.ty.id)) {
            (Some(a), _) => (a, b),
            (None, Some(b)) => (a, b),
            (None, None) => return None,
        };
    }
    Some(JoinKey { left: a, right: b, null_safe })
}
