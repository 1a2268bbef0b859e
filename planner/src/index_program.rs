//! What an index computes of one row: the values of its key expressions, and whether its predicate is true.
//!
//! It runs for single rows inside of storage, without a session, a transaction or anything else that could differ from one run to
//! the next; recovery runs it too. So it is an interpreter of its own, by values, over the kernels that everything else calls. It
//! knows what [`can_run`] says; other expressions cannot be in an index.

use crate::expr::{Expr, ExprKind};
use crate::index_expr::bind_text;
use damask_functions::FixedSession;
use damask_functions::{KernelContext, ScalarFunction};
use damask_types::array::ArrayValue;
use damask_types::format::{parse_text, to_text};
use damask_types::{ColumnIndex, Error, Mask, Result, SqlType, TypeId, Value, Vector};
use std::sync::Arc;

/// The computed part of an index, ready to run.
#[derive(Debug)]
pub struct IndexProgram {
    exprs: Vec<Expr>,
    predicate: Option<Expr>,
    columns: Vec<ColumnIndex>,
    session: FixedSession,
}

impl IndexProgram {
    /// Prepares stored texts over a table with columns of these types.
    ///
    /// # Errors
    /// What binding them raises.
    pub fn compile(exprs: &[String], predicate: Option<&str>, types: &[SqlType]) -> Result<Self> {
        let mut exprs: Vec<Expr> =
            exprs.iter().map(|text| bind_text(text, types)).collect::<Result<_>>()?;
        let mut predicate = predicate.map(|text| bind_text(text, types)).transpose()?;
        // Parameters become places in what is read of a row.
        let mut columns = vec![];
        for expr in exprs.iter_mut().chain(&mut predicate) {
            expr.transform(&mut |expr| {
                if let ExprKind::Parameter(number) = &mut expr.kind {
                    let column = ColumnIndex(*number as u16);
                    *number =
                        columns.iter().position(|known| *known == column).unwrap_or_else(|| {
                            columns.push(column);
                            columns.len() - 1
                        });
                }
            });
        }
        Ok(Self { exprs, predicate, columns, session: FixedSession::default() })
    }

    /// The columns it reads.
    pub fn columns(&self) -> &[ColumnIndex] {
        &self.columns
    }

    /// The key expressions' values for a row with these values in [`IndexProgram::columns`]; none if the index does not have it.
    ///
    /// # Errors
    /// What they raise.
    pub fn run(&self, values: &[Value]) -> Result<Option<Vec<Value>>> {
        let row = Row { values, session: &self.session };
        if let Some(predicate) = &self.predicate
            && row.value(predicate)? != Value::Bool(true)
        {
            return Ok(None);
        }
        self.exprs.iter().map(|expr| row.value(expr)).collect::<Result<_>>().map(Some)
    }
}

/// Whether an expression over one row is one that runs here.
pub(crate) fn can_run(expr: &Expr) -> bool {
    !expr.any(&|expr| match &expr.kind {
        ExprKind::Outer(_)
        | ExprKind::Subplan(_)
        | ExprKind::Exists(_)
        | ExprKind::ArraySubplan(_)
        | ExprKind::ArrayCast { .. }
        | ExprKind::Element
        | ExprKind::Subscript { .. }
        | ExprKind::Slice { .. }
        | ExprKind::Row(_)
        | ExprKind::Field { .. } => true,
        ExprKind::IsNull { arg, .. } => arg.ty.id == TypeId::Record,
        // Arrays of arrays.
        ExprKind::Array(items) => items.iter().any(|item| item.ty.id.is_array()),
        _ => false,
    })
}

/// One row under evaluation.
struct Row<'a> {
    values: &'a [Value],
    session: &'a FixedSession,
}

impl Row<'_> {
    fn value(&self, expr: &Expr) -> Result<Value> {
        Ok(match &expr.kind {
            ExprKind::Literal(value) => value.clone(),
            ExprKind::Parameter(place) => self.values.get(*place).cloned().unwrap_or(Value::Null),
            ExprKind::Call { function, args } => {
                let values: Vec<Value> =
                    args.iter().map(|arg| self.value(arg)).collect::<Result<_>>()?;
                let args: Vec<(TypeId, &Value)> =
                    args.iter().map(|arg| arg.ty.id).zip(&values).collect();
                self.call(function, &args, expr.ty)?
            }
            ExprKind::Retype(arg) => {
                Vector::constant(arg.ty.id, &self.value(arg)?, 1).retype(expr.ty.id).value(0)
            }
            ExprKind::InOut(arg) => self.in_out(arg.ty.id, self.value(arg)?, expr.ty)?,
            ExprKind::And(parts) => self.junction(parts, false)?,
            ExprKind::Or(parts) => self.junction(parts, true)?,
            ExprKind::Not(arg) => match self.value(arg)? {
                Value::Bool(value) => Value::Bool(!value),
                _ => Value::Null,
            },
            ExprKind::IsNull { arg, negated } => {
                Value::Bool(self.value(arg)?.is_null() != *negated)
            }
            ExprKind::IsBool { arg, value, negated } => {
                let found = match self.value(arg)? {
                    Value::Bool(found) => Some(found),
                    _ => None,
                };
                Value::Bool((found == *value) != *negated)
            }
            ExprKind::IsDistinct { lhs, rhs, equality, negated } => {
                let (a, b) = (self.value(lhs)?, self.value(rhs)?);
                let is_distinct = if a.is_null() || b.is_null() {
                    a.is_null() != b.is_null()
                } else {
                    !self.is_true(equality, (lhs, &a), (rhs, &b))?
                };
                Value::Bool(is_distinct != *negated)
            }
            ExprKind::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    if self.value(condition)? == Value::Bool(true) {
                        return self.value(result);
                    }
                }
                otherwise.as_deref().map_or(Ok(Value::Null), |otherwise| self.value(otherwise))?
            }
            ExprKind::Coalesce(parts) => {
                for part in parts {
                    let value = self.value(part)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Value::Null
            }
            ExprKind::NullIf { lhs, rhs, equality } => {
                let (a, b) = (self.value(lhs)?, self.value(rhs)?);
                let is_equal =
                    !a.is_null() && !b.is_null() && self.is_true(equality, (lhs, &a), (rhs, &b))?;
                if is_equal { Value::Null } else { a }
            }
            ExprKind::MinMax { args, least, less } => {
                let mut best: Option<(&Expr, Value)> = None;
                for arg in args {
                    let value = self.value(arg)?;
                    if value.is_null() {
                        continue;
                    }
                    let is_better = match &best {
                        None => true,
                        Some((other, known)) if *least => {
                            self.is_true(less, (arg, &value), (other, known))?
                        }
                        Some((other, known)) => {
                            self.is_true(less, (other, known), (arg, &value))?
                        }
                    };
                    if is_better {
                        best = Some((arg, value));
                    }
                }
                best.map_or(Value::Null, |(_, value)| value)
            }
            ExprKind::AnyAll { lhs, function, array, all } => {
                self.any_all((lhs, self.value(lhs)?), function, &self.value(array)?, *all)?
            }
            ExprKind::Array(items) => {
                let values = items.iter().map(|item| self.value(item)).collect::<Result<_>>()?;
                Value::array(expr.ty.id.element().unwrap_or(TypeId::Text), values)
            }
            ExprKind::Raise(error) => {
                return Err(Error::new(error.sqlstate(), error.message()));
            }
            ExprKind::Column(_)
            | ExprKind::Outer(_)
            | ExprKind::Subplan(_)
            | ExprKind::Exists(_)
            | ExprKind::ArraySubplan(_)
            | ExprKind::ArrayCast { .. }
            | ExprKind::Element
            | ExprKind::Subscript { .. }
            | ExprKind::Slice { .. }
            | ExprKind::Row(_)
            | ExprKind::Field { .. } => {
                return Err(Error::internal("an index cannot compute this"));
            }
        })
    }

    fn call(
        &self,
        function: &'static ScalarFunction,
        args: &[(TypeId, &Value)],
        result: SqlType,
    ) -> Result<Value> {
        if function.strict && args.iter().any(|(_, value)| value.is_null()) {
            return Ok(Value::Null);
        }
        let vectors: Vec<Vector> =
            args.iter().map(|(ty, value)| Vector::constant(*ty, value, 1)).collect();
        let active = Mask::first(1);
        let ctx = KernelContext { rows: 1, active: &active, result, session: self.session };
        Ok((function.kernel)(&ctx, &vectors)?.value(0))
    }

    fn is_true(
        &self,
        function: &'static ScalarFunction,
        (lhs, a): (&Expr, &Value),
        (rhs, b): (&Expr, &Value),
    ) -> Result<bool> {
        let result = self.call(function, &[(lhs.ty.id, a), (rhs.ty.id, b)], TypeId::Bool.into())?;
        Ok(result == Value::Bool(true))
    }

    /// AND (`absorbing` false) and OR (true), operands from the left until one decides.
    fn junction(&self, parts: &[Expr], absorbing: bool) -> Result<Value> {
        let mut result = Value::Bool(!absorbing);
        for part in parts {
            match self.value(part)? {
                Value::Bool(value) if value == absorbing => return Ok(Value::Bool(absorbing)),
                Value::Bool(_) => {}
                _ => result = Value::Null,
            }
        }
        Ok(result)
    }

    fn any_all(
        &self,
        (lhs, value): (&Expr, Value),
        function: &'static ScalarFunction,
        array: &Value,
        is_all: bool,
    ) -> Result<Value> {
        let Value::Array(array) = array else {
            return Ok(Value::Null);
        };
        let array: &Arc<ArrayValue> = array;
        let mut result = Value::Bool(is_all);
        for item in &array.values {
            let args = [(lhs.ty.id, &value), (array.element, item)];
            match self.call(function, &args, TypeId::Bool.into())? {
                // ANY is decided by a true, ALL by a false.
                Value::Bool(found) if found != is_all => return Ok(Value::Bool(found)),
                Value::Bool(_) => {}
                _ => result = Value::Null,
            }
        }
        Ok(result)
    }

    fn in_out(&self, source: TypeId, value: Value, target: SqlType) -> Result<Value> {
        let settings = &self.session.format;
        let text = match value {
            Value::Null => return Ok(Value::Null),
            Value::Text(text) => text.as_ref().to_owned(),
            value => to_text(source, &value, settings),
        };
        parse_text(target, &text, settings, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(exprs: &[&str], predicate: Option<&str>, row: &[Value]) -> Result<Option<Vec<Value>>> {
        let types = [TypeId::Int4, TypeId::Text].map(SqlType::plain);
        let exprs: Vec<String> = exprs.iter().map(|&text| text.to_owned()).collect();
        let program = IndexProgram::compile(&exprs, predicate, &types)?;
        let read: Vec<Value> =
            program.columns().iter().map(|column| row[usize::from(column.0)].clone()).collect();
        program.run(&read)
    }

    #[test]
    fn keys_and_predicates_of_a_row() {
        let row = [Value::Int4(5), Value::text("Ab")];
        let found = run(&["lower($2)", "($1 + 1)"], None, &row).unwrap();
        assert_eq!(found, Some(vec![Value::text("ab"), Value::Int4(6)]));
        for (predicate, is_in) in [
            ("($1 = 5)", true),
            ("(($1 = 6) OR ($2 IS NULL))", false),
            ("($1 = ANY (ARRAY[4, 5]))", true),
            ("($1 <> ALL (ARRAY[4, 5]))", false),
            ("(NULLIF($1, 5) IS NULL)", true),
            ("(GREATEST($1, 7) = 7)", true),
            ("(LEAST($1, NULL::integer) = 5)", true),
            ("(CASE WHEN ($1 > 5) THEN 1 ELSE 2 END = 2)", true),
            ("(($1)::text = '5'::text)", true),
            ("($1 IS DISTINCT FROM 5)", false),
            ("(NULL::boolean OR ($1 = 6))", false),
        ] {
            assert_eq!(run(&[], Some(predicate), &row).unwrap().is_some(), is_in, "{predicate}");
        }
        let error = run(&["(1 / ($1 - 5))"], None, &row).unwrap_err();
        assert_eq!(error.sqlstate().as_str(), "22012");
        assert_eq!(run(&["($1 / 0)"], Some("($1 > 9)"), &row).unwrap(), None);
    }
}
