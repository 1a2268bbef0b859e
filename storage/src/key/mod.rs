//! Index keys as bytes whose order is the values' order, so that a tree compares with `memcmp` alone.
//!
//! A key is its columns' encodings in a row. Each opens with a marker, null or not, whose order says NULLS FIRST or
//! LAST; then the value. DESC inverts the bytes of the value, not the marker.
//!
//! | type | encoding | comes back |
//! |---|---|---|
//! | bool | one byte | yes |
//! | int2, int4, int8, date, time, timestamps, money | big-endian, sign bit flipped | yes |
//! | oid and its aliases | big-endian | yes |
//! | float4, float8 | big-endian bits; all flipped if negative, else the sign bit; one NaN, above all; -0 is 0 | no |
//! | numeric | [`numeric`]: exact, equal numbers of different scales are equal | no |
//! | text types, C collation | the bytes, then 0 | yes |
//! | char(n) | the same without trailing blanks | no |
//! | bytea | 0 becomes `00 FF`; then `00 00` | yes |
//! | interval | length with 30-day months, ten bytes, big-endian, sign bit flipped | no |
//! | uuid | as it is | yes |
//! | arrays | `01 element` or `02` (null), each; `00`; then dimensions | no |
//! | records | `01 field` or `02` (null), each; `00` | no |
//!
//! Invariants
//! - K1: for keys of the same columns, byte order is PostgreSQL's order of the values.
//! - K2: no encoding of a column's value is a proper prefix of another of the same column, so what follows a column (the
//!   next column, the row id) cannot disturb the order.
//! - K3: the encoding of the first columns is a prefix of all keys that have those values there, and of no other.
//!
//! Left out: collations other than C.

mod decode;
mod hash;
mod numeric;
#[cfg(test)]
mod tests;

pub use decode::decode_key;
pub use hash::{HASH_BYTES, hash_key};

use damask_types::array::ArrayValue;
use damask_types::{Error, PhysicalType, Result, SqlState, SqlType, TypeId, Value};

/// The column is null, and nulls come first.
const NULL_FIRST: u8 = 0;
/// A value follows.
const NOT_NULL: u8 = 1;
/// The column is null, and nulls come last.
const NULL_LAST: u8 = 2;

/// No more elements.
const ITEMS_END: u8 = 0;
/// An element follows.
const ITEM: u8 = 1;
/// A null element: above all others.
const ITEM_NULL: u8 = 2;

/// Deepest nesting of arrays and records in a key.
const DEPTH_MAX: usize = 64;

/// Bytes of an interval's length.
const INTERVAL_BYTES: usize = 10;

/// How one column of an index is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Type of its values.
    pub ty: SqlType,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

impl KeyColumn {
    /// ASC NULLS LAST, the default.
    pub fn ascending(ty: impl Into<SqlType>) -> Self {
        Self { ty: ty.into(), descending: false, nulls_first: false }
    }

    /// Whether [`decode_key`] gives the very value back, so that an index-only scan may use it.
    pub fn is_lossless(&self) -> bool {
        is_lossless(self.ty.id)
    }
}

/// Whether the key of a value of this type gives the very value back.
pub fn is_lossless(ty: TypeId) -> bool {
    match ty.physical() {
        PhysicalType::Bool
        | PhysicalType::Int2
        | PhysicalType::Int4
        | PhysicalType::Int8
        | PhysicalType::Oid
        | PhysicalType::Uuid => true,
        PhysicalType::Bytes => ty != TypeId::BpChar,
        PhysicalType::Float4
        | PhysicalType::Float8
        | PhysicalType::Numeric
        | PhysicalType::Interval
        | PhysicalType::Boxed => false,
    }
}

/// The encoding of `values`: a whole key or, with fewer values than columns, the prefix of all keys that begin so.
///
/// # Errors
/// XX000 for a value that is not of its column's type.
pub fn encode_key(columns: &[KeyColumn], values: &[Value]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    encode_key_into(columns, values, &mut out)?;
    Ok(out)
}

/// Appends what [`encode_key`] makes.
pub fn encode_key_into(columns: &[KeyColumn], values: &[Value], out: &mut Vec<u8>) -> Result<()> {
    if values.len() > columns.len() {
        return Err(Error::internal(format!(
            "a key of {} columns was given {} values",
            columns.len(),
            values.len()
        )));
    }
    for (column, value) in columns.iter().zip(values) {
        if value.is_null() {
            out.push(if column.nulls_first { NULL_FIRST } else { NULL_LAST });
            continue;
        }
        out.push(NOT_NULL);
        let start = out.len();
        encode_value(column.ty.id, value, out)?;
        if column.descending {
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    Ok(())
}

/// The least byte string above everything that begins with `prefix`; `None` if nothing is.
pub fn prefix_successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut successor = prefix[..=keep].to_vec();
    successor[keep] += 1;
    Some(successor)
}

/// Longest entry (key and row id) of an index tree over pages of this size: two fences and four entries of any length
/// fit a page, which splits need. 2704 for the usual page, which is PostgreSQL's limit too.
pub const fn entry_bytes_max(page_bytes: usize) -> usize {
    (page_bytes - crate::page::PAGE_HEADER_BYTES) / 6 - 16
}

const _: () = assert!(entry_bytes_max(crate::page::PAGE_BYTES) == 2704);

/// Whether a key fits an index over pages of `page_bytes`.
///
/// # Errors
/// 54000 if it is too long.
pub fn check_key_len(key: &[u8], page_bytes: usize, index_name: &str) -> Result<()> {
    let (bytes, max) = (key.len() + 8, entry_bytes_max(page_bytes));
    if bytes <= max {
        return Ok(());
    }
    let message = format!(
        "index row size {bytes} exceeds btree version 4 maximum {max} for index \"{index_name}\""
    );
    Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).hint(
        "Values larger than 1/3 of a buffer page cannot be indexed.\n\
         Consider a function index of an MD5 hash of the value, or use full text indexing.",
    ))
}

/// Appends a value that is not null.
fn encode_value(ty: TypeId, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let integer = |value: &Value| value.as_i64().ok_or_else(|| mismatch(ty, value));
    let in_range = |_| mismatch(ty, value);
    match ty.physical() {
        PhysicalType::Bool => match value {
            Value::Bool(v) => out.push((*v).into()),
            _ => return Err(mismatch(ty, value)),
        },
        PhysicalType::Int2 => {
            let v = i16::try_from(integer(value)?).map_err(in_range)?;
            out.extend_from_slice(&(v ^ i16::MIN).to_be_bytes());
        }
        PhysicalType::Int4 => {
            let v = match value {
                Value::Date(v) => *v,
                _ => i32::try_from(integer(value)?).map_err(in_range)?,
            };
            out.extend_from_slice(&(v ^ i32::MIN).to_be_bytes());
        }
        PhysicalType::Int8 => {
            let v = match value {
                Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => *v,
                _ => integer(value)?,
            };
            out.extend_from_slice(&(v ^ i64::MIN).to_be_bytes());
        }
        PhysicalType::Oid => {
            let v = u32::try_from(integer(value)?).map_err(in_range)?;
            out.extend_from_slice(&v.to_be_bytes());
        }
        PhysicalType::Float4 => match value {
            Value::Float4(v) => out.extend_from_slice(&float4_bits(*v).to_be_bytes()),
            _ => return Err(mismatch(ty, value)),
        },
        PhysicalType::Float8 => match value {
            Value::Float8(v) => out.extend_from_slice(&float8_bits(*v).to_be_bytes()),
            _ => return Err(mismatch(ty, value)),
        },
        PhysicalType::Numeric => match value {
            Value::Numeric(v) => numeric::encode(v, out),
            _ => return Err(mismatch(ty, value)),
        },
        PhysicalType::Interval => match value {
            Value::Interval(v) => {
                let length = v.cmp_key() + (1 << (INTERVAL_BYTES * 8 - 1));
                out.extend_from_slice(&length.to_be_bytes()[16 - INTERVAL_BYTES..]);
            }
            _ => return Err(mismatch(ty, value)),
        },
        PhysicalType::Uuid => match value {
            Value::Uuid(v) => out.extend_from_slice(v),
            _ => return Err(mismatch(ty, value)),
        },
        PhysicalType::Bytes => match value {
            Value::Text(v) if ty == TypeId::BpChar => encode_text(v.trim_end_matches(' '), out)?,
            Value::Text(v) => encode_text(v, out)?,
            Value::Bytes(v) => encode_bytes(v, out),
            _ => return Err(mismatch(ty, value)),
        },
        PhysicalType::Boxed => encode_boxed(ty, value, 0, out)?,
    }
    Ok(())
}

#[cold]
fn mismatch(ty: TypeId, value: &Value) -> Error {
    Error::internal(format!("a key column of type {} was given {value:?}", ty.name()))
}

/// NaNs are one value above all; zeros are one value.
fn float4_bits(v: f32) -> u32 {
    let v = if v.is_nan() { f32::NAN.abs() } else { v + 0.0 };
    let bits = v.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn float8_bits(v: f64) -> u64 {
    let v = if v.is_nan() { f64::NAN.abs() } else { v + 0.0 };
    let bits = v.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Text has no 0 byte (T2), so one ends it.
fn encode_text(v: &str, out: &mut Vec<u8>) -> Result<()> {
    if v.as_bytes().contains(&0) {
        return Err(Error::internal("text has a NUL character"));
    }
    out.extend_from_slice(v.as_bytes());
    out.push(0);
    Ok(())
}

fn encode_bytes(v: &[u8], out: &mut Vec<u8>) {
    for &byte in v {
        out.push(byte);
        if byte == 0 {
            out.push(u8::MAX);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

fn encode_boxed(ty: TypeId, value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::new(
            SqlState::STATEMENT_TOO_COMPLEX,
            "arrays and records are nested too deeply",
        ));
    }
    let item = |ty: TypeId, value: &Value, out: &mut Vec<u8>| -> Result<()> {
        if value.is_null() {
            out.push(ITEM_NULL);
            return Ok(());
        }
        out.push(ITEM);
        match value {
            Value::Array(_) | Value::Record(_) => encode_boxed(ty, value, depth + 1, out),
            _ => encode_value(ty, value, out),
        }
    };
    match value {
        Value::Array(array) => {
            for value in &array.values {
                item(array.element, value, out)?;
            }
            out.push(ITEMS_END);
            encode_dimensions(array, out);
        }
        Value::Record(fields) => {
            for (ty, value) in &**fields {
                item(*ty, value, out)?;
            }
            out.push(ITEMS_END);
        }
        _ => return Err(mismatch(ty, value)),
    }
    Ok(())
}

/// What orders arrays with the same elements.
fn encode_dimensions(array: &ArrayValue, out: &mut Vec<u8>) {
    out.push(array.dims.len() as u8);
    for (length, _) in &array.dims {
        out.extend_from_slice(&(length ^ i32::MIN).to_be_bytes());
    }
    for (_, lower) in &array.dims {
        out.extend_from_slice(&(lower ^ i32::MIN).to_be_bytes());
    }
}
