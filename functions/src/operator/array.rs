//! Arrays and records: comparison, containment, concatenation.

use super::comparison::Test;
use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values, map2};
use damask_types::array::ArrayValue;
use damask_types::compare::compare;
use damask_types::{Error, Result, SqlState, TypeId, Value, Vector};

/// Comparison of values of the first argument's type.
fn ordered(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    let ty = args[0].ty;
    map2(ctx, args, |x: Value, y: Value| test.holds(compare(ty, &x, &y)))
}

/// Comparison of records, whose fields must be of the same types.
fn records(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    let ty = args[0].ty;
    let wrong = |message: String| Error::new(SqlState::DATATYPE_MISMATCH, message);
    map2(ctx, args, |x: Value, y: Value| {
        if let (Value::Record(a), Value::Record(b)) = (&x, &y) {
            if a.len() != b.len() {
                return Err(wrong(
                    "cannot compare record types with different numbers of columns".to_owned(),
                ));
            }
            if let Some((at, ((s, _), (t, _)))) =
                a.iter().zip(b.iter()).enumerate().find(|(_, ((s, _), (t, _)))| s != t)
            {
                return Err(wrong(format!(
                    "cannot compare dissimilar column types {} and {} at record column {}",
                    crate::resolve::type_text(*s),
                    crate::resolve::type_text(*t),
                    at + 1
                )));
            }
        }
        Ok(test.holds(compare(ty, &x, &y)))
    })
}

fn has(array: &ArrayValue, wanted: &Value) -> bool {
    !wanted.is_null()
        && array
            .values
            .iter()
            .any(|value| !value.is_null() && compare(array.element, value, wanted).is_eq())
}

/// Whether every element of `part` is in `whole`; a null is in nothing.
fn contains(whole: &ArrayValue, part: &ArrayValue) -> bool {
    part.values.iter().all(|value| has(whole, value))
}

fn overlaps(x: &ArrayValue, y: &ArrayValue) -> bool {
    x.values.iter().any(|value| has(y, value))
}

/// Elements of the array argument's type; its own element type if it is null.
fn element_of(ty: TypeId) -> TypeId {
    ty.element().unwrap_or(TypeId::Text)
}

fn one_dimensional(array: &ArrayValue) -> Result<()> {
    if array.dims.len() > 1 {
        return Err(Error::new(
            SqlState::DATA_EXCEPTION,
            "argument must be empty or one-dimensional array",
        ));
    }
    Ok(())
}

/// An array with one more element; a null array is an empty one.
fn extended(ty: TypeId, array: &Value, element: &Value, front: bool) -> Result<Value> {
    let Value::Array(array) = array else {
        return Ok(Value::array(element_of(ty), vec![element.clone()]));
    };
    one_dimensional(array)?;
    let lower = array.dims.first().map_or(1, |dim| dim.1);
    let mut values = Vec::with_capacity(array.values.len() + 1);
    if front {
        values.push(element.clone());
    }
    values.extend(array.values.iter().cloned());
    if !front {
        values.push(element.clone());
    }
    let dims = vec![(values.len() as i32, lower)];
    Ok(ArrayValue { element: array.element, dims, values }.into())
}

fn append(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        extended(ctx.result.id, &values[0], &values[1], false)
    })
}

fn prepend(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        extended(ctx.result.id, &values[1], &values[0], true)
    })
}

fn concatenated(x: &ArrayValue, y: &ArrayValue) -> Result<ArrayValue> {
    if x.dims.is_empty() {
        return Ok(y.clone());
    }
    if y.dims.is_empty() {
        return Ok(x.clone());
    }
    let mismatch = |detail: String| {
        Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays")
            .detail(detail)
    };
    let lengths = |dims: &[(i32, i32)]| dims.iter().map(|dim| dim.0).collect::<Vec<_>>();
    let (a, b) = (lengths(&x.dims), lengths(&y.dims));
    let dims = match a.len() as i64 - b.len() as i64 {
        0 if a[1..] == b[1..] => {
            let mut dims = x.dims.clone();
            dims[0].0 += b[0];
            dims
        }
        0 => {
            return Err(mismatch(
                "Arrays with differing element dimensions are not compatible for concatenation."
                    .to_owned(),
            ));
        }
        1 if a[1..] == b => {
            let mut dims = x.dims.clone();
            dims[0].0 += 1;
            dims
        }
        -1 if b[1..] == a => {
            let mut dims = y.dims.clone();
            dims[0].0 += 1;
            dims
        }
        1 | -1 => {
            return Err(mismatch(
                "Arrays with differing dimensions are not compatible for concatenation.".to_owned(),
            ));
        }
        _ => {
            return Err(mismatch(format!(
                "Arrays of {} and {} dimensions are not compatible for concatenation.",
                a.len(),
                b.len()
            )));
        }
    };
    let values = x.values.iter().chain(&y.values).cloned().collect();
    Ok(ArrayValue { element: x.element, dims, values })
}

fn concatenate(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| match (&values[0], &values[1]) {
        (Value::Array(x), Value::Array(y)) => concatenated(x, y).map(Value::from),
        (Value::Null, other) | (other, _) => Ok(other.clone()),
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    744 array_eq(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| ordered(c, a, Test::Equal);
    390 array_ne(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| ordered(c, a, Test::NotEqual);
    391 array_lt(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| ordered(c, a, Test::Less);
    393 array_le(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| ordered(c, a, Test::LessEqual);
    392 array_gt(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| ordered(c, a, Test::Greater);
    396 array_ge(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| ordered(c, a, Test::GreaterEqual);
    679 oidvectoreq(OidVector, OidVector) -> Bool: strict immutable = |c, a| ordered(c, a, Test::Equal);
    619 oidvectorne(OidVector, OidVector) -> Bool: strict immutable = |c, a| ordered(c, a, Test::NotEqual);
    677 oidvectorlt(OidVector, OidVector) -> Bool: strict immutable = |c, a| ordered(c, a, Test::Less);
    678 oidvectorle(OidVector, OidVector) -> Bool: strict immutable = |c, a| ordered(c, a, Test::LessEqual);
    681 oidvectorgt(OidVector, OidVector) -> Bool: strict immutable = |c, a| ordered(c, a, Test::Greater);
    680 oidvectorge(OidVector, OidVector) -> Bool: strict immutable = |c, a| ordered(c, a, Test::GreaterEqual);
    2981 record_eq(Record, Record) -> Bool: strict immutable raises = |c, a| records(c, a, Test::Equal);
    2982 record_ne(Record, Record) -> Bool: strict immutable raises = |c, a| records(c, a, Test::NotEqual);
    2983 record_lt(Record, Record) -> Bool: strict immutable raises = |c, a| records(c, a, Test::Less);
    2985 record_le(Record, Record) -> Bool: strict immutable raises = |c, a| records(c, a, Test::LessEqual);
    2984 record_gt(Record, Record) -> Bool: strict immutable raises = |c, a| records(c, a, Test::Greater);
    2986 record_ge(Record, Record) -> Bool: strict immutable raises = |c, a| records(c, a, Test::GreaterEqual);
    2748 arraycontains(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| map2(c, a, contains);
    2749 arraycontained(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| map2(c, a, |x: &ArrayValue, y: &ArrayValue| contains(y, x));
    2747 arrayoverlap(AnyArray, AnyArray) -> Bool: strict immutable = |c, a| map2(c, a, overlaps);
    378 array_append(AnyCompatibleArray, AnyCompatible) -> AnyCompatibleArray: immutable raises = append;
    379 array_prepend(AnyCompatible, AnyCompatibleArray) -> AnyCompatibleArray: immutable raises = prepend;
    383 array_cat(AnyCompatibleArray, AnyCompatibleArray) -> AnyCompatibleArray: immutable raises = concatenate;
};
