//! Functions of arrays: shape, search, change, and to and from text.

use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values, map1, map2};
use crate::text_io::output;
use damask_types::array::ArrayValue;
use damask_types::compare::not_distinct;
use damask_types::{Error, Result, SqlState, TypeId, Value, Vector};

fn dimension(array: &ArrayValue, number: i32) -> Option<(i32, i32)> {
    usize::try_from(number).ok().and_then(|number| array.dims.get(number.checked_sub(1)?).copied())
}

/// `[1:2][1:3]`.
fn dims_text(array: &ArrayValue) -> Option<String> {
    let text = array
        .dims
        .iter()
        .map(|&(len, lower)| format!("[{lower}:{}]", i64::from(lower) + i64::from(len) - 1));
    (!array.dims.is_empty()).then(|| text.collect())
}

fn no_multidimensional(array: &ArrayValue, what: &str) -> Result<()> {
    if array.dims.len() > 1 {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("{what} multidimensional arrays is not supported"),
        ));
    }
    Ok(())
}

const SEARCHING: &str = "searching for elements in";
const REMOVING: &str = "removing elements from";

fn position(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        let Value::Array(array) = &values[0] else {
            return Ok(Value::Null);
        };
        no_multidimensional(array, SEARCHING)?;
        let lower = array.dims.first().map_or(1, |dim| dim.1);
        let start = match values.get(2) {
            None => lower,
            Some(Value::Int4(start)) => *start,
            Some(_) => {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "initial position must not be null",
                ));
            }
        };
        let skip = (i64::from(start) - i64::from(lower)).max(0) as usize;
        let found = array
            .values
            .iter()
            .skip(skip)
            .position(|value| not_distinct(array.element, value, &values[1]));
        Ok(found.map_or(Value::Null, |at| Value::Int4(lower + (at + skip) as i32)))
    })
}

fn positions(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        let Value::Array(array) = &values[0] else {
            return Ok(Value::Null);
        };
        no_multidimensional(array, SEARCHING)?;
        let lower = array.dims.first().map_or(1, |dim| dim.1);
        let found = array.values.iter().enumerate();
        let found = found.filter(|(_, value)| not_distinct(array.element, value, &values[1]));
        Ok(Value::array(
            TypeId::Int4,
            found.map(|(at, _)| Value::Int4(lower + at as i32)).collect(),
        ))
    })
}

fn remove(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        let Value::Array(array) = &values[0] else {
            return Ok(Value::Null);
        };
        no_multidimensional(array, REMOVING)?;
        let kept = array.values.iter();
        let kept: Vec<Value> =
            kept.filter(|value| !not_distinct(array.element, value, &values[1])).cloned().collect();
        if kept.len() == array.values.len() {
            return Ok(values[0].clone());
        }
        let lower = array.dims.first().map_or(1, |dim| dim.1);
        let dims = if kept.is_empty() { vec![] } else { vec![(kept.len() as i32, lower)] };
        Ok(ArrayValue { element: array.element, dims, values: kept }.into())
    })
}

fn replace(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        let Value::Array(array) = &values[0] else {
            return Ok(Value::Null);
        };
        let swap = |value: &Value| {
            if not_distinct(array.element, value, &values[1]) {
                values[2].clone()
            } else {
                value.clone()
            }
        };
        Ok(ArrayValue {
            element: array.element,
            dims: array.dims.clone(),
            values: array.values.iter().map(swap).collect(),
        }
        .into())
    })
}

/// Most elements of an array.
pub(super) const ELEMENTS_MAX: i64 = 0x7ff_ffff;

fn fill(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let element = ctx.result.id.element().unwrap_or(TypeId::Text);
    let null_array = || {
        Error::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "dimension array or low bound array cannot be null",
        )
    };
    let integers = |value: &Value| -> Result<Vec<i32>> {
        let Value::Array(array) = value else { return Err(null_array()) };
        let number = |value: &Value| match value {
            Value::Int4(value) => Ok(*value),
            _ => {
                Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null"))
            }
        };
        array.values.iter().map(number).collect()
    };
    map_values(ctx, args, Calls::Once, |values| {
        let lengths = integers(&values[1])?;
        let lowers = match values.get(2) {
            None => vec![1; lengths.len()],
            Some(lowers) => integers(lowers)?,
        };
        if lowers.len() != lengths.len() {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "wrong number of array subscripts",
            )
            .detail("Low bound array has different size than dimensions array."));
        }
        let mut total = 1i64;
        for &length in &lengths {
            total = total.saturating_mul(length.max(0).into());
            if total > ELEMENTS_MAX {
                return Err(Error::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})"),
                ));
            }
        }
        if lengths.is_empty() || total == 0 {
            return Ok(Value::array(element, vec![]));
        }
        let dims = lengths.into_iter().zip(lowers).collect();
        Ok(ArrayValue { element, dims, values: vec![values[0].clone(); total as usize] }.into())
    })
}

fn trim(array: &ArrayValue, count: i32) -> Result<ArrayValue> {
    let (len, lower) = array.dims.first().copied().unwrap_or((0, 1));
    if count < 0 || count > len {
        return Err(Error::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            format!("number of elements to trim must be between 0 and {len}"),
        ));
    }
    let keep = len - count;
    if keep == 0 {
        return Ok(ArrayValue::new(array.element, vec![]));
    }
    let each = array.values.len() / len as usize;
    let mut dims = array.dims.clone();
    dims[0] = (keep, lower);
    let values = array.values[..each * keep as usize].to_vec();
    Ok(ArrayValue { element: array.element, dims, values })
}

fn to_string(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        let (Value::Array(array), Some(separator)) = (&values[0], values[1].as_text()) else {
            return Ok(Value::Null);
        };
        let null = values.get(2).and_then(Value::as_text);
        let texts = array.values.iter().filter_map(|value| {
            output(ctx.session, array.element, value).or_else(|| null.map(str::to_owned))
        });
        Ok(Value::text(texts.collect::<Vec<_>>().join(separator)))
    })
}

/// The fields of a text: characters without separator, nothing of an empty text.
pub(crate) fn split_fields<'a>(text: &'a str, separator: Option<&str>) -> Vec<&'a str> {
    match separator {
        _ if text.is_empty() => vec![],
        None => text.char_indices().map(|(at, char)| &text[at..at + char.len_utf8()]).collect(),
        Some("") => vec![text],
        Some(separator) => text.split(separator).collect(),
    }
}

fn from_string(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        let Some(text) = values[0].as_text() else {
            return Ok(Value::Null);
        };
        let null = values.get(2).and_then(Value::as_text);
        let fields = split_fields(text, values[1].as_text());
        let fields = fields
            .into_iter()
            .map(|field| if Some(field) == null { Value::Null } else { Value::text(field) });
        Ok(Value::array(TypeId::Text, fields.collect()))
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    748 array_ndims(AnyArray) -> Int4: strict immutable = |c, a| map1(c, a, |array: &ArrayValue| (!array.dims.is_empty()).then_some(array.dims.len() as i32));
    747 array_dims(AnyArray) -> Text: strict immutable = |c, a| map1(c, a, dims_text);
    2176 array_length(AnyArray, Int4) -> Int4: strict immutable = |c, a| map2(c, a, |array: &ArrayValue, number: i32| dimension(array, number).map(|dim| dim.0));
    2091 array_lower(AnyArray, Int4) -> Int4: strict immutable = |c, a| map2(c, a, |array: &ArrayValue, number: i32| dimension(array, number).map(|dim| dim.1));
    2092 array_upper(AnyArray, Int4) -> Int4: strict immutable = |c, a| map2(c, a, |array: &ArrayValue, number: i32| dimension(array, number).map(|dim| dim.0 + dim.1 - 1));
    3179 cardinality(AnyArray) -> Int4: strict immutable = |c, a| map1(c, a, |array: &ArrayValue| array.values.len() as i32);
    3277 array_position(AnyCompatibleArray, AnyCompatible) -> Int4: immutable raises = position;
    3278 array_position(AnyCompatibleArray, AnyCompatible, Int4) -> Int4: immutable raises = position;
    3279 array_positions(AnyCompatibleArray, AnyCompatible) -> Int4Array: immutable raises = positions;
    3167 array_remove(AnyCompatibleArray, AnyCompatible) -> AnyCompatibleArray: immutable raises = remove;
    3168 array_replace(AnyCompatibleArray, AnyCompatible, AnyCompatible) -> AnyCompatibleArray: immutable = replace;
    1193 array_fill(AnyElement, Int4Array) -> AnyArray: immutable raises = fill;
    1286 array_fill(AnyElement, Int4Array, Int4Array) -> AnyArray: immutable raises = fill;
    6172 trim_array(AnyArray, Int4) -> AnyArray: strict immutable raises = |c, a| map2(c, a, trim);
    395 array_to_string(AnyArray, Text) -> Text: strict stable = to_string;
    384 array_to_string(AnyArray, Text, Text) -> Text: stable = to_string;
    394 string_to_array(Text, Text) -> TextArray: immutable = from_string;
    376 string_to_array(Text, Text, Text) -> TextArray: immutable = from_string;
};
