//! Assignment to elements and slices of arrays: what `UPDATE t SET b[1] = x, b[2:3] = y` computes.
//!
//! Helpers without a name in SQL ([`ARRAY_SET`], [`ARRAY_SET_SLICE`]): (array, value, subscripts...) give the array with
//! the value in it, in the semantics of PostgreSQL's `array_set_element` and `array_set_slice`:
//!
//! - a null array is an empty one; assigning to an element of an empty array makes an array of just that element, with the
//!   subscript as its lower bound;
//! - an array of one dimension grows at either end, with nulls between; others do not grow (2202E);
//! - a slice takes as many elements of the value as it holds, whatever the value's shape; too few are 2202E, a null value
//!   changes nothing;
//! - a null subscript is 22004.
//!
//! A slice has two subscripts a dimension. An omitted one, as in `b[2:]`, is an argument of type `bool`.

use super::array::ELEMENTS_MAX;
use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values};
use damask_types::array::ArrayValue;
use damask_types::{Error, Result, SqlState, TypeId, Value, Vector};

/// OID of `array_set(array, value, subscript...)`.
pub const ARRAY_SET: u32 = 0xffff_0010;
/// OID of `array_set_slice(array, value, lower, upper, ...)`.
pub const ARRAY_SET_SLICE: u32 = 0xffff_0011;

fn subscript_error(message: &str) -> Error {
    Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
}

fn subscript(value: &Value) -> Result<i32> {
    match value {
        Value::Int4(subscript) => Ok(*subscript),
        _ => Err(Error::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "array subscript in assignment must not be null",
        )),
    }
}

/// Number of elements of an array with these dimensions.
///
/// # Errors
/// 54000 if that is too many, or if a subscript does not fit an `int4`.
fn count(dims: &[(i64, i64)]) -> Result<usize> {
    let limit = |message: String| Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    let mut total = 1i64;
    for &(len, _) in dims {
        total = total.saturating_mul(len);
        if total > ELEMENTS_MAX {
            return limit(format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})"));
        }
    }
    for &(len, lower) in dims {
        if lower + len > i64::from(i32::MAX) {
            return limit(format!("array lower bound is too large: {lower}"));
        }
    }
    Ok(total as usize)
}

fn wide(dims: &[(i32, i32)]) -> Vec<(i64, i64)> {
    dims.iter().map(|&(len, lower)| (len.into(), lower.into())).collect()
}

/// Back to what an array holds, after [`count`] has checked it.
fn narrow(dims: &[(i64, i64)]) -> Vec<(i32, i32)> {
    dims.iter().map(|&(len, lower)| (len as i32, lower as i32)).collect()
}

/// Makes room for the subscripts `from..=to` in an array of one dimension.
fn grow(array: &mut ArrayValue, from: i64, to: i64) -> Result<()> {
    let [(len, lower)] = wide(&array.dims)[..] else { return Ok(()) };
    let before = (lower - from).max(0);
    let after = (to + 1 - (lower + len)).max(0);
    if before == 0 && after == 0 {
        return Ok(());
    }
    let dims = [(len + before + after, lower - before)];
    let total = count(&dims)?;
    let mut values = Vec::with_capacity(total);
    values.resize(before as usize, Value::Null);
    values.append(&mut array.values);
    values.resize(total, Value::Null);
    array.values = values;
    array.dims = narrow(&dims);
    Ok(())
}

fn set_element(mut array: ArrayValue, value: &Value, subscripts: &[i32]) -> Result<ArrayValue> {
    if array.dims.is_empty() {
        let dims: Vec<_> = subscripts.iter().map(|&at| (1, i64::from(at))).collect();
        count(&dims)?;
        array.dims = narrow(&dims);
        array.values = vec![value.clone()];
        return Ok(array);
    }
    if array.dims.len() != subscripts.len() {
        return Err(subscript_error("wrong number of array subscripts"));
    }
    if let [at] = subscripts {
        grow(&mut array, (*at).into(), (*at).into())?;
    }
    let mut place = 0;
    for (&at, &(len, lower)) in subscripts.iter().zip(&array.dims) {
        let offset = i64::from(at) - i64::from(lower);
        if !(0..i64::from(len)).contains(&offset) {
            return Err(subscript_error("array subscript out of range"));
        }
        place = place * len as usize + offset as usize;
    }
    array.values[place] = value.clone();
    Ok(array)
}

/// Bounds of one dimension of a slice; `None` is omitted.
type Bounds = (Option<i32>, Option<i32>);

fn set_slice(mut array: ArrayValue, source: &ArrayValue, bounds: &[Bounds]) -> Result<ArrayValue> {
    let ordered = |from: i64, to: i64| {
        if from > to {
            return Err(subscript_error("upper bound cannot be less than lower bound"));
        }
        Ok((from, to))
    };
    let small = || subscript_error("source array too small");
    if array.dims.is_empty() {
        let mut dims = vec![];
        for bound in bounds {
            let (Some(from), Some(to)) = bound else {
                return Err(subscript_error("array slice subscript must provide both boundaries")
                    .detail("When assigning to a slice of an empty array value, slice boundaries must be fully specified."));
            };
            let (from, to) = ordered((*from).into(), (*to).into())?;
            dims.push((to - from + 1, from));
        }
        let values = source.values.get(..count(&dims)?).ok_or_else(small)?;
        return Ok(ArrayValue {
            element: array.element,
            dims: narrow(&dims),
            values: values.to_vec(),
        });
    }
    if array.dims.len() < bounds.len() {
        return Err(subscript_error("wrong number of array subscripts"));
    }
    let mut ranges = vec![];
    for (at, &(len, lower)) in wide(&array.dims).iter().enumerate() {
        // Dimensions without a subscript are taken whole.
        let (from, to) = bounds.get(at).copied().unwrap_or((None, None));
        let last = lower + len - 1;
        ranges.push(ordered(from.map_or(lower, i64::from), to.map_or(last, i64::from))?);
    }
    if let [(from, to)] = ranges[..] {
        grow(&mut array, from, to)?;
    }
    // Places of the slice's elements, in row-major order.
    let mut places = vec![0usize];
    for (&(from, to), &(len, lower)) in ranges.iter().zip(&wide(&array.dims)) {
        if from < lower || to >= lower + len {
            return Err(subscript_error("array subscript out of range"));
        }
        let inner = (from - lower) as usize..=(to - lower) as usize;
        places = places
            .iter()
            .flat_map(|outer| inner.clone().map(move |offset| outer * len as usize + offset))
            .collect();
    }
    if source.values.len() < places.len() {
        return Err(small());
    }
    for (place, value) in places.into_iter().zip(&source.values) {
        array.values[place] = value.clone();
    }
    Ok(array)
}

fn array_or_empty(value: &Value, element: TypeId) -> ArrayValue {
    match value {
        Value::Array(array) => ArrayValue::clone(array),
        _ => ArrayValue::new(element, vec![]),
    }
}

fn element_set(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let element = ctx.result.id.element().unwrap_or(TypeId::Text);
    map_values(ctx, args, Calls::Once, |values| {
        let subscripts = values[2..].iter().map(subscript).collect::<Result<Vec<_>>>()?;
        set_element(array_or_empty(&values[0], element), &values[1], &subscripts).map(Value::from)
    })
}

fn slice_set(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let element = ctx.result.id.element().unwrap_or(TypeId::Text);
    let is_given: Vec<bool> = args[2..].iter().map(|arg| arg.ty != TypeId::Bool).collect();
    map_values(ctx, args, Calls::Once, |values| {
        let bounds = values[2..]
            .iter()
            .zip(&is_given)
            .map(|(value, &is_given)| is_given.then(|| subscript(value)).transpose())
            .collect::<Result<Vec<_>>>()?;
        let bounds: Vec<Bounds> = bounds.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let array = array_or_empty(&values[0], element);
        match &values[1] {
            Value::Array(source) => set_slice(array, source, &bounds).map(Value::from),
            _ => Ok(array.into()),
        }
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    0xffff_0010 array_set(AnyArray, AnyElement, Int4Array) -> AnyArray: immutable raises variadic = element_set;
    0xffff_0011 array_set_slice(AnyArray, AnyArray, Int4Array) -> AnyArray: immutable raises variadic = slice_set;
};

#[cfg(test)]
mod tests {
    use super::*;

    fn array(values: &[i32]) -> ArrayValue {
        ArrayValue::new(TypeId::Int4, values.iter().map(|&value| Value::Int4(value)).collect())
    }

    fn shown(result: Result<ArrayValue>) -> String {
        match result {
            Ok(array) => {
                let values: Vec<String> = array
                    .values
                    .iter()
                    .map(|value| value.as_i64().map_or("NULL".to_owned(), |v| v.to_string()))
                    .collect();
                format!("{:?} {}", array.dims, values.join(","))
            }
            Err(error) => error.fields().message.clone(),
        }
    }

    #[test]
    fn elements_grow_one_dimension_with_nulls() {
        let set =
            |values: &[i32], at: &[i32]| shown(set_element(array(values), &Value::Int4(9), at));
        assert_eq!(set(&[1, 2], &[2]), "[(2, 1)] 1,9");
        assert_eq!(set(&[1, 2], &[5]), "[(5, 1)] 1,2,NULL,NULL,9");
        assert_eq!(set(&[1, 2], &[-1]), "[(4, -1)] 9,NULL,1,2");
        assert_eq!(set(&[], &[5]), "[(1, 5)] 9");
        assert_eq!(set(&[], &[2, 3]), "[(1, 2), (1, 3)] 9");
        assert_eq!(set(&[1], &[1, 1]), "wrong number of array subscripts");
        assert_eq!(set(&[1], &[i32::MAX]), "array size exceeds the maximum allowed (134217727)");
        assert_eq!(set(&[1], &[i32::MIN]), "array size exceeds the maximum allowed (134217727)");
        assert_eq!(set(&[], &[i32::MAX]), "array lower bound is too large: 2147483647");
    }

    #[test]
    fn slices_take_what_they_hold() {
        let set = |values: &[i32], source: &[i32], bounds: &[Bounds]| {
            shown(set_slice(array(values), &array(source), bounds))
        };
        let both = |from, to| [(Some(from), Some(to))];
        assert_eq!(set(&[1, 2, 3], &[7, 8, 9], &both(2, 3)), "[(3, 1)] 1,7,8");
        assert_eq!(set(&[1, 2, 3], &[7], &both(2, 3)), "source array too small");
        assert_eq!(set(&[1], &[7, 8], &both(3, 4)), "[(4, 1)] 1,NULL,7,8");
        assert_eq!(set(&[], &[7, 8], &both(2, 3)), "[(2, 2)] 7,8");
        assert_eq!(set(&[1, 2, 3], &[7, 8, 9], &[(None, Some(2))]), "[(3, 1)] 7,8,3");
        assert_eq!(
            set(&[], &[7], &[(None, Some(2))]),
            "array slice subscript must provide both boundaries"
        );
        assert_eq!(set(&[1], &[7], &both(2, 1)), "upper bound cannot be less than lower bound");
    }

    #[test]
    fn more_dimensions_do_not_grow() {
        let square = || ArrayValue { dims: vec![(2, 1), (2, 1)], ..array(&[1, 2, 3, 4]) };
        let element = |at: &[i32]| shown(set_element(square(), &Value::Int4(9), at));
        assert_eq!(element(&[2, 1]), "[(2, 1), (2, 1)] 1,2,9,4");
        assert_eq!(element(&[3, 1]), "array subscript out of range");
        let slice =
            |source: &[i32], bounds: &[Bounds]| shown(set_slice(square(), &array(source), bounds));
        assert_eq!(slice(&[8, 9], &[(Some(2), Some(2))]), "[(2, 1), (2, 1)] 1,2,8,9");
        let second = [(None, None), (Some(2), Some(2))];
        assert_eq!(slice(&[8, 9], &second), "[(2, 1), (2, 1)] 1,8,3,9");
        assert_eq!(slice(&[8, 9], &[(Some(3), Some(3))]), "array subscript out of range");
    }
}
