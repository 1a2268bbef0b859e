//! One SQL value.

use crate::array::ArrayValue;
use crate::{Interval, Numeric, Oid, TypeId};
use std::sync::Arc;

/// One value, by its physical kind; its SQL type stands beside it wherever it matters.
///
/// `PartialEq` compares representations (so `NaN` differs from `NaN` and `1.0` numeric from `1.00`);
/// SQL's comparisons are in [`crate::compare`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The null of any type.
    Null,
    /// bool.
    Bool(bool),
    /// int2.
    Int2(i16),
    /// int4.
    Int4(i32),
    /// int8, and types that lie as int8 without a variant of their own.
    Int8(i64),
    /// oid and its aliases (`regclass`, `xid`, ...).
    Oid(Oid),
    /// float4.
    Float4(f32),
    /// float8.
    Float8(f64),
    /// numeric.
    Numeric(Numeric),
    /// text, varchar, bpchar (padded to its length), name, "char", json, unknown literals and other text-like types.
    Text(Arc<str>),
    /// bytea.
    Bytes(Arc<[u8]>),
    /// date: days since 2000-01-01; `i32::MIN`/`MAX` are -infinity/infinity.
    Date(i32),
    /// time: microseconds since midnight.
    Time(i64),
    /// timestamp: microseconds since 2000-01-01 00:00; `i64::MIN`/`MAX` are -infinity/infinity.
    Timestamp(i64),
    /// timestamptz: microseconds since 2000-01-01 00:00 UTC; infinities as for `timestamp`.
    TimestampTz(i64),
    /// interval.
    Interval(Interval),
    /// uuid.
    Uuid([u8; 16]),
    /// An array of any element type.
    Array(Arc<ArrayValue>),
    /// A row value.
    Record(Arc<[(TypeId, Value)]>),
}

impl Value {
    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A one-dimensional array.
    pub fn array(element: TypeId, values: Vec<Self>) -> Self {
        Self::Array(Arc::new(ArrayValue::new(element, values)))
    }

    /// The text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of any integer value (also oid).
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int2(v) => Some(v.into()),
            Self::Int4(v) => Some(v.into()),
            Self::Int8(v) => Some(v),
            Self::Oid(v) => Some(v.0.into()),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($ty:ty: $value:pat => $result:expr;)*) => {$(
        impl From<$ty> for Value {
            fn from($value: $ty) -> Self {
                $result
            }
        }
    )*};
}

from! {
    bool: value => Self::Bool(value);
    i16: value => Self::Int2(value);
    i32: value => Self::Int4(value);
    i64: value => Self::Int8(value);
    f32: value => Self::Float4(value);
    f64: value => Self::Float8(value);
    &str: value => Self::Text(value.into());
    String: value => Self::Text(value.into());
    &[u8]: value => Self::Bytes(value.into());
    Vec<u8>: value => Self::Bytes(value.into());
    Numeric: value => Self::Numeric(value);
    Interval: value => Self::Interval(value);
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
