//! Values without a fixed width: numerics of any shape, arrays and records.
//!
//! ```text
//! numeric   tag u8 | ...
//!           0 decimal:  scale u16, mantissa: little-endian two's complement, 1..=16 bytes, as few as hold it
//!           1 big > 0, 2 big < 0:  scale u16, limbs u32...
//!           3 NaN, 4 infinity, 5 -infinity
//! array     0x80 | element type u32 | dimensions u8 | (length i32, lower bound i32)... | count u32 | items
//! record    0x81 | count u32 | (type u32, item)...
//! item      tag u8 | ...
//!           0 null; 1 bool, 2 int2, 3 int4, 4 int8, 5 oid, 6 float4, 7 float8, 8 date, 9 time, 10 timestamp,
//!           11 timestamptz, 12 interval, 13 uuid in their fixed widths;
//!           14 numeric, 15 text, 16 bytea: length u32, bytes; 0x80, 0x81 as above
//! ```
//! Nesting is bounded by [`DEPTH_MAX`], for writing as for reading.

use super::bad_row;
use super::decode::{array, interval, text};
use damask_types::array::ArrayValue;
use damask_types::numeric::BigDecimal;
use damask_types::{Error, Numeric, Oid, Result, SqlState, TypeId, Value};
use std::sync::Arc;

/// The magnitude that a mantissa of [`Numeric::Decimal`] stays below.
pub(crate) const DECIMAL_LIMIT: u128 = 10u128.pow(38);

/// Deepest nesting of arrays and records in a stored value.
pub(crate) const DEPTH_MAX: usize = 64;

/// Most dimensions of an array, PostgreSQL's limit.
const DIMENSIONS_MAX: usize = 6;

const LIMB_LIMIT: u32 = 1_000_000_000;

const NUMERIC_DECIMAL: u8 = 0;
const NUMERIC_BIG: u8 = 1;
const NUMERIC_BIG_NEGATIVE: u8 = 2;
const NUMERIC_NAN: u8 = 3;
const NUMERIC_INFINITY: u8 = 4;
const NUMERIC_NEGATIVE_INFINITY: u8 = 5;

const ITEM_NULL: u8 = 0;
const ITEM_BOOL: u8 = 1;
const ITEM_INT2: u8 = 2;
const ITEM_INT4: u8 = 3;
const ITEM_INT8: u8 = 4;
const ITEM_OID: u8 = 5;
const ITEM_FLOAT4: u8 = 6;
const ITEM_FLOAT8: u8 = 7;
const ITEM_DATE: u8 = 8;
const ITEM_TIME: u8 = 9;
const ITEM_TIMESTAMP: u8 = 10;
const ITEM_TIMESTAMPTZ: u8 = 11;
const ITEM_INTERVAL: u8 = 12;
const ITEM_UUID: u8 = 13;
const ITEM_NUMERIC: u8 = 14;
const ITEM_TEXT: u8 = 15;
const ITEM_BYTES: u8 = 16;
const ITEM_ARRAY: u8 = 0x80;
const ITEM_RECORD: u8 = 0x81;

/// Appends a numeric.
pub(crate) fn write_numeric(value: &Numeric, out: &mut Vec<u8>) {
    match value {
        Numeric::Decimal { mantissa, scale } => {
            out.push(NUMERIC_DECIMAL);
            out.extend_from_slice(&scale.to_le_bytes());
            // The sign bit counts, so a positive mantissa may need a zero byte on top.
            let bits = 129 - mantissa.unsigned_abs().leading_zeros() as usize;
            out.extend_from_slice(&mantissa.to_le_bytes()[..bits.div_ceil(8).min(16)]);
        }
        Numeric::Big(big) => {
            out.push(if big.negative { NUMERIC_BIG_NEGATIVE } else { NUMERIC_BIG });
            out.extend_from_slice(&big.scale.to_le_bytes());
            out.extend(big.limbs.iter().flat_map(|limb| limb.to_le_bytes()));
        }
        Numeric::NaN => out.push(NUMERIC_NAN),
        Numeric::PositiveInfinity => out.push(NUMERIC_INFINITY),
        Numeric::NegativeInfinity => out.push(NUMERIC_NEGATIVE_INFINITY),
    }
}

/// The numeric that is all of `bytes`.
pub(crate) fn read_numeric(bytes: &[u8]) -> Result<Numeric> {
    let (&tag, rest) = bytes.split_first().ok_or_else(bad_numeric)?;
    match tag {
        NUMERIC_DECIMAL => {
            let (scale, digits) = rest.split_first_chunk().ok_or_else(bad_numeric)?;
            let top = *digits.last().ok_or_else(bad_numeric)?;
            if digits.len() > 16 {
                return Err(bad_numeric());
            }
            let mut mantissa = [if top >= 0x80 { 0xff } else { 0 }; 16];
            mantissa[..digits.len()].copy_from_slice(digits);
            let mantissa = i128::from_le_bytes(mantissa);
            if mantissa.unsigned_abs() >= DECIMAL_LIMIT {
                return Err(bad_numeric());
            }
            Ok(Numeric::Decimal { mantissa, scale: u16::from_le_bytes(*scale) })
        }
        NUMERIC_BIG | NUMERIC_BIG_NEGATIVE => {
            let (scale, limbs) = rest.split_first_chunk().ok_or_else(bad_numeric)?;
            if !limbs.len().is_multiple_of(4) {
                return Err(bad_numeric());
            }
            let limbs: Vec<u32> =
                limbs.chunks_exact(4).map(|limb| u32::from_le_bytes(array(limb))).collect();
            if limbs.last().is_none_or(|&limb| limb == 0) || limbs.iter().any(|&l| l >= LIMB_LIMIT)
            {
                return Err(bad_numeric());
            }
            Ok(Numeric::Big(Arc::new(BigDecimal {
                negative: tag == NUMERIC_BIG_NEGATIVE,
                limbs,
                scale: u16::from_le_bytes(*scale),
            })))
        }
        NUMERIC_NAN if rest.is_empty() => Ok(Numeric::NaN),
        NUMERIC_INFINITY if rest.is_empty() => Ok(Numeric::PositiveInfinity),
        NUMERIC_NEGATIVE_INFINITY if rest.is_empty() => Ok(Numeric::NegativeInfinity),
        _ => Err(bad_numeric()),
    }
}

#[cold]
fn bad_numeric() -> Error {
    bad_row("a numeric is malformed")
}

/// Appends an array or record.
///
/// # Errors
/// 54001 past [`DEPTH_MAX`] levels.
pub(crate) fn write_boxed(value: &Value, out: &mut Vec<u8>) -> Result<()> {
    write_item(value, 0, out)
}

fn write_item(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::new(
            SqlState::STATEMENT_TOO_COMPLEX,
            "arrays and records are nested too deeply",
        ));
    }
    fn put<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; N]) {
        out.push(tag);
        out.extend_from_slice(&bytes);
    }
    fn put_long(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
        put(out, tag, (bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    }
    match value {
        Value::Null => out.push(ITEM_NULL),
        Value::Bool(v) => put(out, ITEM_BOOL, [(*v).into()]),
        Value::Int2(v) => put(out, ITEM_INT2, v.to_le_bytes()),
        Value::Int4(v) => put(out, ITEM_INT4, v.to_le_bytes()),
        Value::Int8(v) => put(out, ITEM_INT8, v.to_le_bytes()),
        Value::Oid(v) => put(out, ITEM_OID, v.0.to_le_bytes()),
        Value::Float4(v) => put(out, ITEM_FLOAT4, v.to_le_bytes()),
        Value::Float8(v) => put(out, ITEM_FLOAT8, v.to_le_bytes()),
        Value::Date(v) => put(out, ITEM_DATE, v.to_le_bytes()),
        Value::Time(v) => put(out, ITEM_TIME, v.to_le_bytes()),
        Value::Timestamp(v) => put(out, ITEM_TIMESTAMP, v.to_le_bytes()),
        Value::TimestampTz(v) => put(out, ITEM_TIMESTAMPTZ, v.to_le_bytes()),
        Value::Interval(v) => {
            put(out, ITEM_INTERVAL, v.months.to_le_bytes());
            out.extend_from_slice(&v.days.to_le_bytes());
            out.extend_from_slice(&v.micros.to_le_bytes());
        }
        Value::Uuid(v) => put(out, ITEM_UUID, *v),
        Value::Numeric(v) => {
            let mut bytes = Vec::new();
            write_numeric(v, &mut bytes);
            put_long(out, ITEM_NUMERIC, &bytes);
        }
        Value::Text(v) => put_long(out, ITEM_TEXT, v.as_bytes()),
        Value::Bytes(v) => put_long(out, ITEM_BYTES, v),
        Value::Array(v) => {
            if v.dims.len() > DIMENSIONS_MAX {
                return Err(Error::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    format!(
                        "number of array dimensions ({}) exceeds the maximum allowed ({DIMENSIONS_MAX})",
                        v.dims.len()
                    ),
                ));
            }
            put(out, ITEM_ARRAY, v.element.oid().0.to_le_bytes());
            out.push(v.dims.len() as u8);
            for (length, lower) in &v.dims {
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(&lower.to_le_bytes());
            }
            out.extend_from_slice(&(v.values.len() as u32).to_le_bytes());
            for item in &v.values {
                write_item(item, depth + 1, out)?;
            }
        }
        Value::Record(fields) => {
            put(out, ITEM_RECORD, (fields.len() as u32).to_le_bytes());
            for (ty, item) in &**fields {
                out.extend_from_slice(&ty.oid().0.to_le_bytes());
                write_item(item, depth + 1, out)?;
            }
        }
    }
    Ok(())
}

/// The array or record that is all of `bytes`.
pub(crate) fn read_boxed(bytes: &[u8]) -> Result<Value> {
    let mut reader = Reader { rest: bytes };
    let value = reader.item(0)?;
    if !reader.rest.is_empty() || !matches!(value, Value::Array(_) | Value::Record(_)) {
        return Err(bad_boxed());
    }
    Ok(value)
}

#[cold]
fn bad_boxed() -> Error {
    bad_row("an array or record is malformed")
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(bad_boxed)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn long(&mut self) -> Result<&[u8]> {
        let len = u32::from_le_bytes(self.take()?) as usize;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(bad_boxed)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A count of items that take at least `item_bytes` each, so that a damaged count reserves no memory.
    fn count(&mut self, item_bytes: usize) -> Result<usize> {
        let count = u32::from_le_bytes(self.take()?) as usize;
        if count > self.rest.len() / item_bytes {
            return Err(bad_boxed());
        }
        Ok(count)
    }

    fn type_id(&mut self) -> Result<TypeId> {
        TypeId::from_oid(Oid(u32::from_le_bytes(self.take()?))).ok_or_else(bad_boxed)
    }

    fn item(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return Err(bad_boxed());
        }
        let [tag] = self.take()?;
        Ok(match tag {
            ITEM_NULL => Value::Null,
            ITEM_BOOL => Value::Bool(self.take::<1>()? != [0]),
            ITEM_INT2 => Value::Int2(i16::from_le_bytes(self.take()?)),
            ITEM_INT4 => Value::Int4(i32::from_le_bytes(self.take()?)),
            ITEM_INT8 => Value::Int8(i64::from_le_bytes(self.take()?)),
            ITEM_OID => Value::Oid(Oid(u32::from_le_bytes(self.take()?))),
            ITEM_FLOAT4 => Value::Float4(f32::from_le_bytes(self.take()?)),
            ITEM_FLOAT8 => Value::Float8(f64::from_le_bytes(self.take()?)),
            ITEM_DATE => Value::Date(i32::from_le_bytes(self.take()?)),
            ITEM_TIME => Value::Time(i64::from_le_bytes(self.take()?)),
            ITEM_TIMESTAMP => Value::Timestamp(i64::from_le_bytes(self.take()?)),
            ITEM_TIMESTAMPTZ => Value::TimestampTz(i64::from_le_bytes(self.take()?)),
            ITEM_INTERVAL => Value::Interval(interval(self.take()?)),
            ITEM_UUID => Value::Uuid(self.take()?),
            ITEM_NUMERIC => Value::Numeric(read_numeric(self.long()?)?),
            ITEM_TEXT => Value::Text(text(self.long()?)?.into()),
            ITEM_BYTES => Value::Bytes(self.long()?.into()),
            ITEM_ARRAY => self.array(depth)?,
            ITEM_RECORD => {
                let count = self.count(5)?;
                let mut fields = Vec::with_capacity(count);
                for _ in 0..count {
                    fields.push((self.type_id()?, self.item(depth + 1)?));
                }
                Value::Record(fields.into())
            }
            _ => return Err(bad_boxed()),
        })
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        let element = self.type_id()?;
        let [dimensions] = self.take()?;
        if usize::from(dimensions) > DIMENSIONS_MAX {
            return Err(bad_boxed());
        }
        let mut dims = Vec::with_capacity(dimensions.into());
        let mut product = Some(usize::from(dimensions != 0));
        for _ in 0..dimensions {
            let length = i32::from_le_bytes(self.take()?);
            dims.push((length, i32::from_le_bytes(self.take()?)));
            let length = usize::try_from(length).map_err(|_| bad_boxed())?;
            product = product.and_then(|product| product.checked_mul(length));
        }
        let count = self.count(1)?;
        if product != Some(count) {
            return Err(bad_boxed());
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.item(depth + 1)?);
        }
        Ok(ArrayValue { element, dims, values }.into())
    }
}
