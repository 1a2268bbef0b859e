//! Arrays: element by element conversion, `op ANY` and `op ALL`, constructors, subscripts and slices.

use super::{Eval, Input, bools, by_row, call};
use crate::context::State;
use damask_functions::ScalarFunction;
use damask_types::array::ArrayValue;
use damask_types::{Batch, Error, Mask, Result, SqlState, TypeId, Value, Vector};

pub(super) fn array_cast(
    arrays: &Vector,
    element: &Eval,
    ty: TypeId,
    active: &Mask,
    state: &mut State<'_>,
) -> Result<Vector> {
    let target = ty.element().unwrap_or(TypeId::Text);
    by_row(ty, arrays.rows(), active, |row| {
        let Value::Array(array) = arrays.value(row) else {
            return Ok(Value::Null);
        };
        let mut values = Vec::with_capacity(array.values.len());
        for chunk in array.values.chunks(damask_types::TILE_ROWS) {
            let vector = Vector::from_values(array.element, chunk);
            let batch = Batch::new(vec![], chunk.len());
            let input = Input { batch: &batch, element: Some(vector) };
            let converted = element.eval(&input, &Mask::first(chunk.len()), state)?;
            values.extend((0..chunk.len()).map(|i| converted.value(i)));
        }
        Ok(ArrayValue { element: target, dims: array.dims.clone(), values }.into())
    })
}

pub(super) fn any_all(
    lhs: &Vector,
    function: &'static ScalarFunction,
    arrays: &Vector,
    is_all: bool,
    active: &Mask,
    state: &mut State<'_>,
) -> Result<Vector> {
    let rows = lhs.rows();
    // One array for all rows: compare the whole vector with each element in turn.
    if arrays.is_const() {
        let Value::Array(array) = arrays.value(0) else {
            return Ok(Vector::nulls(TypeId::Bool, rows));
        };
        let (mut decided, mut unknown) = (Mask::NONE, Mask::NONE);
        for item in &array.values {
            let left = active.and_not(&decided);
            if left.is_empty() {
                break;
            }
            let item = Vector::constant(array.element, item, rows);
            let result =
                call(function, &[lhs.clone(), item], TypeId::Bool.into(), rows, &left, state)?;
            let (valid, is_true) = (result.valid_rows(), result.true_rows());
            let hit = if is_all { valid.and_not(&is_true) } else { is_true };
            decided = decided.or(&hit.and(&left));
            unknown = unknown.or(&left.and_not(&valid));
        }
        let all = Mask::first(rows);
        let valid = all.and_not(&unknown.and_not(&decided));
        return Ok(bools(rows, if is_all { all.and_not(&decided) } else { decided }, valid));
    }
    by_row(TypeId::Bool, rows, active, |row| {
        let Value::Array(array) = arrays.value(row) else {
            return Ok(Value::Null);
        };
        let mut unknown = false;
        for chunk in array.values.chunks(damask_types::TILE_ROWS) {
            let items = Vector::from_values(array.element, chunk);
            let left = Vector::constant(lhs.ty, &lhs.value(row), chunk.len());
            let mask = Mask::first(chunk.len());
            let result =
                call(function, &[left, items], TypeId::Bool.into(), chunk.len(), &mask, state)?;
            let (valid, is_true) = (result.valid_rows(), result.true_rows());
            let hit = if is_all { valid.and_not(&is_true) } else { is_true };
            if !hit.is_empty() {
                return Ok(Value::Bool(!is_all));
            }
            unknown |= valid != mask;
        }
        Ok(if unknown { Value::Null } else { Value::Bool(is_all) })
    })
}

/// ARRAY[...]: of arrays, one more dimension.
pub(super) fn make_array(element: TypeId, values: Vec<Value>) -> Result<Value> {
    if !values.iter().any(|value| matches!(value, Value::Array(_))) {
        return Ok(Value::array(element, values));
    }
    let mismatch = || {
        Error::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "multidimensional arrays must have array expressions with matching dimensions",
        )
    };
    let mut dims: Option<Vec<(i32, i32)>> = None;
    let mut all = vec![];
    let count = values.len() as i32;
    for value in values {
        let Value::Array(array) = value else {
            return Err(mismatch());
        };
        if *dims.get_or_insert_with(|| array.dims.clone()) != array.dims {
            return Err(mismatch());
        }
        all.extend(array.values.iter().cloned());
    }
    let inner = dims.unwrap_or_default();
    if inner.is_empty() {
        return Ok(Value::array(element, vec![]));
    }
    let mut dims = vec![(count, 1)];
    dims.extend(inner);
    Ok(ArrayValue { element, dims, values: all }.into())
}

/// An element; null outside, for null subscripts, and for a wrong number of them.
pub(super) fn subscript(array: &Value, subscripts: impl Iterator<Item = Option<i64>>) -> Value {
    let Value::Array(array) = array else {
        return Value::Null;
    };
    let mut place = 0_usize;
    let mut dims = array.dims.iter();
    for subscript in subscripts {
        let (Some(subscript), Some(&(len, lower))) = (subscript, dims.next()) else {
            return Value::Null;
        };
        let offset = subscript - i64::from(lower);
        if offset < 0 || offset >= i64::from(len) {
            return Value::Null;
        }
        place = place * len as usize + offset as usize;
    }
    if dims.next().is_some() {
        return Value::Null;
    }
    array.values.get(place).cloned().unwrap_or(Value::Null)
}

/// A slice of the first dimension, with lower bound 1.
pub(super) fn slice(array: &Value, lower: Option<Value>, upper: Option<Value>) -> Value {
    let Value::Array(array) = array else {
        return Value::Null;
    };
    let Some(&(len, base)) = array.dims.first() else {
        return Value::array(array.element, vec![]);
    };
    let bound = |bound: Option<Value>, default: i64| match bound {
        None => Some(default),
        Some(value) => value.as_i64(),
    };
    let last = i64::from(base) + i64::from(len) - 1;
    let (Some(from), Some(to)) = (bound(lower, base.into()), bound(upper, last)) else {
        return Value::Null;
    };
    let (from, to) = (from.max(base.into()), to.min(last));
    if from > to {
        return Value::array(array.element, vec![]);
    }
    let stride: usize = array.dims[1..].iter().map(|dim| dim.0 as usize).product();
    let start = (from - i64::from(base)) as usize * stride;
    let end = (to - i64::from(base) + 1) as usize * stride;
    let mut dims = vec![((to - from + 1) as i32, 1)];
    dims.extend(array.dims[1..].iter().map(|dim| (dim.0, 1)));
    ArrayValue { element: array.element, dims, values: array.values[start..end].to_vec() }.into()
}
