//! SQL's order and equality of two values of one type, and a hash that agrees with it.
//!
//! Invariants
//! - C1: `compare` is a total order on the values of a type; null is above everything and equal to itself.
//! - C2: values that compare equal hash equally.
//!
//! Text compares by bytes (the `C` collation); bpchar does not see blanks at its end; floats put NaN above everything
//! and hold -0 equal to 0; intervals compare by [`crate::Interval::cmp_key`].

use crate::array::ArrayValue;
use crate::{TypeId, Value};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// Order of two float8s: NaN is highest and equal to itself.
#[inline]
pub fn compare_f64(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Order of two float4s: NaN is highest and equal to itself.
#[inline]
pub fn compare_f32(a: f32, b: f32) -> Ordering {
    compare_f64(a.into(), b.into())
}

/// The one bit pattern of all float8s that are equal to `value`.
#[inline]
pub fn canonical_f64(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        // -0 + 0 is 0.
        (value + 0.0).to_bits()
    }
}

/// `text` without the blanks at its end, which bpchar does not see.
#[inline]
pub fn trim_blanks(text: &[u8]) -> &[u8] {
    let len = text.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
    &text[..len]
}

/// Order of two values of type `ty`.
///
/// # Panics
/// If the values are of different kinds.
pub fn compare(ty: TypeId, a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int2(a), Value::Int2(b)) => a.cmp(b),
        (Value::Int4(a), Value::Int4(b)) | (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Int8(a), Value::Int8(b))
        | (Value::Time(a), Value::Time(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::TimestampTz(a), Value::TimestampTz(b)) => a.cmp(b),
        (Value::Oid(a), Value::Oid(b)) => a.cmp(b),
        (Value::Float4(a), Value::Float4(b)) => compare_f32(*a, *b),
        (Value::Float8(a), Value::Float8(b)) => compare_f64(*a, *b),
        (Value::Numeric(a), Value::Numeric(b)) => a.compare(b),
        (Value::Text(a), Value::Text(b)) if ty == TypeId::BpChar => {
            trim_blanks(a.as_bytes()).cmp(trim_blanks(b.as_bytes()))
        }
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Interval(a), Value::Interval(b)) => a.cmp_key().cmp(&b.cmp_key()),
        (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => compare_arrays(ty, a, b),
        (Value::Record(a), Value::Record(b)) => a
            .iter()
            .zip(b.iter())
            .map(|((ty, a), (_, b))| compare(*ty, a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        // Values of two kinds are never compared by a bound statement; any fixed order keeps C1.
        _ => rank(a).cmp(&rank(b)),
    }
}

fn compare_arrays(ty: TypeId, a: &ArrayValue, b: &ArrayValue) -> Ordering {
    if ty == TypeId::OidVector {
        // oidvector alone compares its length first.
        let lengths = a.values.len().cmp(&b.values.len());
        if lengths.is_ne() {
            return lengths;
        }
    }
    a.values
        .iter()
        .zip(&b.values)
        .map(|(x, y)| compare(a.element, x, y))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.values.len().cmp(&b.values.len()))
        .then_with(|| a.dims.len().cmp(&b.dims.len()))
        .then_with(|| a.dims.iter().map(|dim| dim.0).cmp(b.dims.iter().map(|dim| dim.0)))
        .then_with(|| a.dims.iter().map(|dim| dim.1).cmp(b.dims.iter().map(|dim| dim.1)))
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 0,
        Value::Int2(_) => 1,
        Value::Int4(_) => 2,
        Value::Int8(_) => 3,
        Value::Oid(_) => 4,
        Value::Float4(_) => 5,
        Value::Float8(_) => 6,
        Value::Numeric(_) => 7,
        Value::Text(_) => 8,
        Value::Bytes(_) => 9,
        Value::Date(_) => 10,
        Value::Time(_) => 11,
        Value::Timestamp(_) => 12,
        Value::TimestampTz(_) => 13,
        Value::Interval(_) => 14,
        Value::Uuid(_) => 15,
        Value::Array(_) => 16,
        Value::Record(_) => 17,
        Value::Null => 18,
    }
}

/// Whether two values of type `ty` are equal; null equals null (`IS NOT DISTINCT FROM`).
pub fn not_distinct(ty: TypeId, a: &Value, b: &Value) -> bool {
    compare(ty, a, b).is_eq()
}

/// Feeds `value` of type `ty` into `state`; equal values feed the same bytes.
pub fn hash<H: Hasher>(ty: TypeId, value: &Value, state: &mut H) {
    match value {
        Value::Null => state.write_u8(0xFF),
        Value::Bool(v) => state.write_u8((*v).into()),
        Value::Int2(v) => state.write_i64((*v).into()),
        Value::Int4(v) | Value::Date(v) => state.write_i64((*v).into()),
        Value::Int8(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => {
            state.write_i64(*v);
        }
        Value::Oid(v) => state.write_i64(v.0.into()),
        Value::Float4(v) => state.write_u64(canonical_f64((*v).into())),
        Value::Float8(v) => state.write_u64(canonical_f64(*v)),
        Value::Numeric(v) => v.hash(state),
        Value::Text(v) if ty == TypeId::BpChar => {
            state.write(trim_blanks(v.as_bytes()));
            state.write_u8(0xFF);
        }
        Value::Text(v) => {
            state.write(v.as_bytes());
            state.write_u8(0xFF);
        }
        Value::Bytes(v) => {
            state.write(v);
            state.write_usize(v.len());
        }
        Value::Interval(v) => v.cmp_key().hash(state),
        Value::Uuid(v) => state.write(v),
        Value::Array(v) => {
            state.write_usize(v.values.len());
            v.values.iter().for_each(|element| hash(v.element, element, state));
        }
        Value::Record(v) => {
            state.write_usize(v.len());
            v.iter().for_each(|(ty, field)| hash(*ty, field, state));
        }
    }
}
