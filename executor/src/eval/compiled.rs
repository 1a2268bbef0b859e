//! Parts that run as machine code once many rows have come, and beside it the interpreter as the meaning of that code.

use super::{Eval, Input};
use crate::context::{Jit, State};
use damask_jit::{Group, OPERATIONS_MIN, Outcome, ROWS_MIN};
use damask_planner::expr::{Expr, ExprKind};
use damask_types::{Error, Mask, Result, SqlState, Value, Vector};
use std::sync::atomic::{AtomicBool, Ordering};

/// The two forms of a compiled part.
#[derive(Debug)]
pub(super) struct Compiled {
    /// What it is, for EXPLAIN.
    pub(super) expr: Expr,
    pub(super) group: Group,
    pub(super) inputs: Vec<Eval>,
    pub(super) interpreted: Eval,
    /// Whether it has been counted among the statement's functions.
    pub(super) is_counted: AtomicBool,
}

/// Whether an expression may have enough operations to be compiled: a cheap look that short statements can afford.
pub(super) fn is_large(expr: &Expr) -> bool {
    fn weigh(expr: &Expr, left: &mut usize, depth: usize) {
        let mut down = |exprs: &[Expr]| {
            for expr in exprs {
                if *left > 0 && depth < OPERATIONS_MIN {
                    weigh(expr, left, depth + 1);
                }
            }
        };
        match &expr.kind {
            ExprKind::Call { args, .. } | ExprKind::MinMax { args, .. } => down(args),
            ExprKind::And(parts) | ExprKind::Or(parts) | ExprKind::Coalesce(parts) => down(parts),
            ExprKind::Not(arg)
            | ExprKind::Retype(arg)
            | ExprKind::IsNull { arg, .. }
            | ExprKind::IsBool { arg, .. } => down(std::slice::from_ref(arg)),
            ExprKind::IsDistinct { lhs, rhs, .. } | ExprKind::NullIf { lhs, rhs, .. } => {
                down(std::slice::from_ref(lhs));
                down(std::slice::from_ref(rhs));
            }
            // Several operations in one; the group counts them.
            ExprKind::Case { .. } | ExprKind::AnyAll { .. } => *left = 0,
            _ => return,
        }
        *left = left.saturating_sub(1);
    }
    let mut left = OPERATIONS_MIN;
    weigh(expr, &mut left, 0);
    left == 0
}

impl Compiled {
    pub(super) fn eval(
        &self,
        input: &Input<'_>,
        active: &Mask,
        state: &mut State<'_>,
    ) -> Result<Vector> {
        let rows_min = match state.ctx.jit {
            Jit::Off => u64::MAX,
            Jit::On => ROWS_MIN,
            Jit::Force | Jit::Verify => 0,
        };
        let rows = input.rows();
        if state.ctx.jit == Jit::Off || !self.group.is_due(rows, rows_min) {
            return self.interpreted.eval(input, active, state);
        }
        let inputs = self
            .inputs
            .iter()
            .map(|part| part.eval(input, active, state))
            .collect::<Result<Vec<_>>>()?;
        let functions = self.group.functions();
        let start = state.ctx.timing.then(|| state.ctx.control.now());
        let outcome = self.group.run(&inputs, rows, active, rows_min);
        if let Some(start) = start
            && self.group.functions() > functions
        {
            // The tile that compiles; running it is little beside that.
            state.run.jit.time += state.ctx.control.now().saturating_sub(start);
        }
        match outcome {
            Outcome::Interpret => {
                state.run.jit.tiles_interpreted += 1;
                self.interpreted.eval(input, active, state)
            }
            Outcome::Done(vector) => {
                state.run.jit.tiles += 1;
                if !self.is_counted.swap(true, Ordering::Relaxed) {
                    state.run.jit.functions += 1;
                    if let Some(node) = state.run.node {
                        state.run.compiled.push((node, self.expr.clone()));
                    }
                }
                if state.ctx.jit == Jit::Verify {
                    self.verify(&vector, input, active, state)?;
                }
                Ok(vector)
            }
        }
    }

    /// Compares with the interpreter.
    fn verify(
        &self,
        compiled: &Vector,
        input: &Input<'_>,
        active: &Mask,
        state: &mut State<'_>,
    ) -> Result<()> {
        let report = |what: String| {
            Err(Error::new(SqlState::INTERNAL_ERROR, "compiled code differs from the interpreter")
                .detail(what))
        };
        let interpreted = match self.interpreted.eval(input, active, state) {
            Ok(vector) => vector,
            Err(error) => return report(format!("The interpreter raises: {error}.")),
        };
        for row in active.iter() {
            let (got, wanted) = (compiled.value(row), interpreted.value(row));
            if !is_same(&got, &wanted) {
                return report(format!("Row {row} of a tile is {got:?}, not {wanted:?}."));
            }
        }
        Ok(())
    }
}

/// Equal bit for bit, but any NaN is like any other.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float8(a), Value::Float8(b)) => {
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
        }
        (Value::Numeric(a), Value::Numeric(b)) => a.scale() == b.scale() && a == b,
        (a, b) => a == b,
    }
}
