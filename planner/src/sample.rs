//! Conditions run on a table's sample.
//!
//! A small evaluator over the kernels that execution uses: calls, connectives and tests, over one tile. What it does not know,
//! and what raises, has no answer (`None`), and is estimated by other means.

use crate::expr::{ColumnId, Expr, ExprKind};
use crate::statistics::TableSample;
use damask_functions::{KernelContext, ScalarFunction, Session, Volatility};
use damask_types::{ColumnIndex, Mask, SqlType, TypeId, Value, Vector};

/// A sample under the ids of one statement.
pub(crate) struct SampleEval<'a> {
    pub(crate) sample: &'a TableSample,
    pub(crate) column: &'a dyn Fn(ColumnId) -> Option<ColumnIndex>,
    pub(crate) session: &'a dyn Session,
}

impl SampleEval<'_> {
    /// Rows of the sample for which a condition is true.
    pub(crate) fn true_rows(&self, condition: &Expr) -> Option<Mask> {
        Some(self.eval(condition).filter(|vector| vector.ty == TypeId::Bool)?.true_rows())
    }

    /// The value of an expression for each row of the sample.
    pub(crate) fn eval(&self, expr: &Expr) -> Option<Vector> {
        let rows = self.sample.rows;
        match &expr.kind {
            ExprKind::Column(id) => {
                let index = (self.column)(*id)?;
                self.sample.columns.get(usize::from(index.0))?.values.clone()
            }
            ExprKind::Literal(value) => Some(Vector::constant(expr.ty.id, value, rows)),
            ExprKind::Retype(arg) => {
                let vector = self.eval(arg)?;
                (vector.ty.physical() == expr.ty.id.physical()).then(|| vector.retype(expr.ty.id))
            }
            ExprKind::Call { function, args } => {
                let args: Option<Vec<Vector>> = args.iter().map(|arg| self.eval(arg)).collect();
                self.call(function, &args?, expr.ty)
            }
            ExprKind::And(parts) => {
                let (mut all_true, mut any_false) = (Mask::first(rows), Mask::NONE);
                for part in parts {
                    let (is_true, is_false) = self.truth(part)?;
                    all_true = all_true.and(&is_true);
                    any_false = any_false.or(&is_false);
                }
                Some(Vector::bools(rows, all_true, Some(all_true.or(&any_false))))
            }
            ExprKind::Or(parts) => {
                let (mut any_true, mut all_false) = (Mask::NONE, Mask::first(rows));
                for part in parts {
                    let (is_true, is_false) = self.truth(part)?;
                    any_true = any_true.or(&is_true);
                    all_false = all_false.and(&is_false);
                }
                Some(Vector::bools(rows, any_true, Some(any_true.or(&all_false))))
            }
            ExprKind::Not(arg) => {
                let (is_true, is_false) = self.truth(arg)?;
                Some(Vector::bools(rows, is_false, Some(is_true.or(&is_false))))
            }
            ExprKind::IsNull { arg, negated } if !matches!(arg.kind, ExprKind::Row(_)) => {
                let valid = self.eval(arg)?.valid_rows();
                let is_true = if *negated { valid } else { Mask::first(rows).and_not(&valid) };
                Some(Vector::bools(rows, is_true, None))
            }
            ExprKind::IsBool { arg, value, negated } => {
                let (is_true, is_false) = self.truth(arg)?;
                let all = Mask::first(rows);
                let asked = match value {
                    Some(true) => is_true,
                    Some(false) => is_false,
                    None => all.and_not(&is_true.or(&is_false)),
                };
                let asked = if *negated { all.and_not(&asked) } else { asked };
                Some(Vector::bools(rows, asked, None))
            }
            ExprKind::AnyAll { lhs, function, array, all: false } => {
                let lhs = self.eval(lhs)?;
                let mut any_true = Mask::NONE;
                for item in self.items(array)? {
                    let found = self.call(function, &[lhs.clone(), item], expr.ty)?;
                    any_true = any_true.or(&found.true_rows());
                }
                Some(Vector::bools(rows, any_true, None))
            }
            _ => None,
        }
    }

    /// The elements of an array that is written out.
    fn items(&self, array: &Expr) -> Option<Vec<Vector>> {
        match &array.kind {
            ExprKind::Array(items) => items.iter().map(|item| self.eval(item)).collect(),
            ExprKind::Literal(Value::Array(items)) => Some(
                items
                    .values
                    .iter()
                    .map(|value| Vector::constant(items.element, value, self.sample.rows))
                    .collect(),
            ),
            _ => None,
        }
    }

    /// Rows for which a condition is true, and for which it is false.
    fn truth(&self, condition: &Expr) -> Option<(Mask, Mask)> {
        let vector = self.eval(condition).filter(|vector| vector.ty == TypeId::Bool)?;
        let is_true = vector.true_rows();
        Some((is_true, vector.valid_rows().and_not(&is_true)))
    }

    fn call(&self, function: &ScalarFunction, args: &[Vector], result: SqlType) -> Option<Vector> {
        if function.volatility == Volatility::Volatile {
            return None;
        }
        let rows = self.sample.rows;
        let active = Mask::first(rows);
        let ctx = KernelContext { rows, active: &active, result, session: self.session };
        let vector = (function.kernel)(&ctx, args).ok()?;
        (vector.ty == result.id && vector.rows() == rows).then_some(vector)
    }
}
