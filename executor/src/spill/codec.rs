//! Batches as the payload of a temporary file's block, and back.
//!
//! ```text
//! rows u16 | columns: form u8, validity u8 (0: no null; 1: a bit a row follows, in words of 8 bytes), values
//! ```
//! Numbers are little-endian; strings are their lengths (u32 each) and then their bytes; values that lie boxed are a tag and their
//! content. Blocks live as long as a statement, so there is no version and types are the reader's to know.
//!
//! Invariants
//! - C1: what is decoded equals what was encoded, display scales of numerics and signs of zeros and NaNs included.
//! - C2: bytes that [`encode`] did not write are XX001, never a panic.

use damask_types::array::ArrayValue;
use damask_types::numeric::BigDecimal;
use damask_types::vector::ViewsBuilder;
use damask_types::{
    Batch, Error, Interval, Mask, Numeric, Oid, Result, SqlState, TILE_ROWS, TypeId, Value, Vector,
    VectorData,
};
use std::sync::Arc;

/// Deepest nesting of a value: expressions cannot be nested as far.
const DEPTH_MAX: usize = 500;

/// Appends a batch's active rows to `out`.
///
/// # Errors
/// 54001 for a value nested too deeply.
pub(crate) fn encode(batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
    let active = batch.active();
    let rows: Vec<u32> = active.iter().map(|row| row as u32).collect();
    out.extend_from_slice(&(rows.len() as u16).to_le_bytes());
    batch.columns.iter().try_for_each(|column| encode_column(column, &rows, out))
}

fn encode_column(vector: &Vector, rows: &[u32], out: &mut Vec<u8>) -> Result<()> {
    out.push(form(&vector.data));
    if vector.validity().is_some() {
        out.push(1);
        let valid = Mask::from_fn(rows.len(), |i| !vector.is_null(rows[i] as usize));
        encode_bits(&valid, rows.len(), out);
    } else {
        out.push(0);
    }
    let places = || rows.iter().map(|&row| vector.index(row as usize));
    macro_rules! fixed {
        ($values:expr) => {
            places().for_each(|at| out.extend_from_slice(&$values[at].to_le_bytes()))
        };
    }
    match &vector.data {
        VectorData::Bool(v) => {
            let bits = Mask::from_fn(rows.len(), |i| v.get(vector.index(rows[i] as usize)));
            encode_bits(&bits, rows.len(), out);
        }
        VectorData::Int2(v) => fixed!(v),
        VectorData::Int4(v) => fixed!(v),
        VectorData::Int8(v) => fixed!(v),
        VectorData::Oid(v) => fixed!(v),
        VectorData::Float4(v) => fixed!(v),
        VectorData::Float8(v) => fixed!(v),
        VectorData::Decimal64 { scale, values } => {
            out.push(*scale);
            fixed!(values);
        }
        VectorData::Decimal128 { scale, values } => {
            out.push(*scale);
            fixed!(values);
        }
        VectorData::Numeric(v) => places().for_each(|at| encode_numeric(&v[at], out)),
        VectorData::Interval(v) => places().for_each(|at| encode_interval(v[at], out)),
        VectorData::Uuid(v) => places().for_each(|at| out.extend_from_slice(&v[at])),
        VectorData::Bytes(v) => {
            places().for_each(|at| out.extend_from_slice(&(v.get(at).len() as u32).to_le_bytes()));
            places().for_each(|at| out.extend_from_slice(v.get(at)));
        }
        VectorData::Boxed(v) => {
            for at in places() {
                encode_value(&v[at], 0, out)?;
            }
        }
    }
    Ok(())
}

const fn form(data: &VectorData) -> u8 {
    match data {
        VectorData::Bool(_) => 0,
        VectorData::Int2(_) => 1,
        VectorData::Int4(_) => 2,
        VectorData::Int8(_) => 3,
        VectorData::Oid(_) => 4,
        VectorData::Float4(_) => 5,
        VectorData::Float8(_) => 6,
        VectorData::Decimal64 { .. } => 7,
        VectorData::Decimal128 { .. } => 8,
        VectorData::Numeric(_) => 9,
        VectorData::Interval(_) => 10,
        VectorData::Uuid(_) => 11,
        VectorData::Bytes(_) => 12,
        VectorData::Boxed(_) => 13,
    }
}

fn encode_bits(mask: &Mask, rows: usize, out: &mut Vec<u8>) {
    for word in 0..rows.div_ceil(64) {
        let bits = (0..64.min(rows - word * 64))
            .fold(0_u64, |bits, bit| bits | u64::from(mask.get(word * 64 + bit)) << bit);
        out.extend_from_slice(&bits.to_le_bytes());
    }
}

fn encode_numeric(value: &Numeric, out: &mut Vec<u8>) {
    match value {
        Numeric::Decimal { mantissa, scale } => {
            out.push(0);
            out.extend_from_slice(&mantissa.to_le_bytes());
            out.extend_from_slice(&scale.to_le_bytes());
        }
        Numeric::Big(number) => {
            out.push(1);
            out.push(number.negative.into());
            out.extend_from_slice(&number.scale.to_le_bytes());
            out.extend_from_slice(&(number.limbs.len() as u32).to_le_bytes());
            number.limbs.iter().for_each(|limb| out.extend_from_slice(&limb.to_le_bytes()));
        }
        Numeric::NaN => out.push(2),
        Numeric::PositiveInfinity => out.push(3),
        Numeric::NegativeInfinity => out.push(4),
    }
}

fn encode_interval(value: Interval, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.months.to_le_bytes());
    out.extend_from_slice(&value.days.to_le_bytes());
    out.extend_from_slice(&value.micros.to_le_bytes());
}

fn encode_value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "a value is nested too deeply"));
    }
    let mut fixed = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Null => fixed(0, &[]),
        Value::Bool(v) => fixed(1, &[u8::from(*v)]),
        Value::Int2(v) => fixed(2, &v.to_le_bytes()),
        Value::Int4(v) => fixed(3, &v.to_le_bytes()),
        Value::Int8(v) => fixed(4, &v.to_le_bytes()),
        Value::Oid(v) => fixed(5, &v.0.to_le_bytes()),
        Value::Float4(v) => fixed(6, &v.to_le_bytes()),
        Value::Float8(v) => fixed(7, &v.to_le_bytes()),
        Value::Date(v) => fixed(8, &v.to_le_bytes()),
        Value::Time(v) => fixed(9, &v.to_le_bytes()),
        Value::Timestamp(v) => fixed(10, &v.to_le_bytes()),
        Value::TimestampTz(v) => fixed(11, &v.to_le_bytes()),
        Value::Uuid(v) => fixed(12, v),
        Value::Text(v) => {
            fixed(13, &(v.len() as u32).to_le_bytes());
            out.extend_from_slice(v.as_bytes());
        }
        Value::Bytes(v) => {
            fixed(14, &(v.len() as u32).to_le_bytes());
            out.extend_from_slice(v);
        }
        Value::Interval(v) => {
            out.push(15);
            encode_interval(*v, out);
        }
        Value::Numeric(v) => {
            out.push(16);
            encode_numeric(v, out);
        }
        Value::Array(v) => {
            fixed(17, &v.element.oid().0.to_le_bytes());
            out.extend_from_slice(&(v.dims.len() as u32).to_le_bytes());
            for (len, lower) in &v.dims {
                out.extend_from_slice(&len.to_le_bytes());
                out.extend_from_slice(&lower.to_le_bytes());
            }
            out.extend_from_slice(&(v.values.len() as u32).to_le_bytes());
            for value in &v.values {
                encode_value(value, depth + 1, out)?;
            }
        }
        Value::Record(fields) => {
            fixed(18, &(fields.len() as u32).to_le_bytes());
            for (ty, value) in fields.iter() {
                out.extend_from_slice(&ty.oid().0.to_le_bytes());
                encode_value(value, depth + 1, out)?;
            }
        }
    }
    Ok(())
}

/// The batch of a block, its columns being of these types.
///
/// # Errors
/// XX001 if the bytes are not an encoded batch.
pub(crate) fn decode(types: &[TypeId], bytes: &[u8]) -> Result<Batch> {
    let mut reader = Reader { bytes };
    let rows = usize::from(u16::from_le_bytes(reader.array()?));
    if rows > TILE_ROWS {
        return Err(damaged());
    }
    let columns =
        types.iter().map(|&ty| reader.column(ty, rows)).collect::<Result<Vec<Vector>>>()?;
    if !reader.bytes.is_empty() {
        return Err(damaged());
    }
    Ok(Batch::new(columns, rows))
}

#[cold]
fn damaged() -> Error {
    Error::corrupted("a block of a temporary file does not hold the rows that were written")
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(damaged)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take gives what was asked for"))
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn count(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    /// `count` entries of `N` bytes.
    fn entries<const N: usize, T>(
        &mut self,
        count: usize,
        from: fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let bytes = self.take(count.checked_mul(N).ok_or_else(damaged)?)?;
        let (entries, _) = bytes.as_chunks::<N>();
        Ok(entries.iter().map(|&entry| from(entry)).collect())
    }

    fn bits(&mut self, rows: usize) -> Result<Mask> {
        let words = self.entries(rows.div_ceil(64), u64::from_le_bytes)?;
        Ok(Mask::from_fn(rows, |row| words[row / 64] >> (row % 64) & 1 == 1))
    }

    fn column(&mut self, ty: TypeId, rows: usize) -> Result<Vector> {
        let form = self.byte()?;
        let validity = match self.byte()? {
            0 => None,
            1 => Some(self.bits(rows)?),
            _ => return Err(damaged()),
        };
        let data = match form {
            0 => VectorData::Bool(Arc::new(self.bits(rows)?)),
            1 => VectorData::Int2(self.entries(rows, i16::from_le_bytes)?.into()),
            2 => VectorData::Int4(self.entries(rows, i32::from_le_bytes)?.into()),
            3 => VectorData::Int8(self.entries(rows, i64::from_le_bytes)?.into()),
            4 => VectorData::Oid(self.entries(rows, u32::from_le_bytes)?.into()),
            5 => VectorData::Float4(self.entries(rows, f32::from_le_bytes)?.into()),
            6 => VectorData::Float8(self.entries(rows, f64::from_le_bytes)?.into()),
            7 => VectorData::Decimal64 {
                scale: self.byte()?,
                values: self.entries(rows, i64::from_le_bytes)?.into(),
            },
            8 => VectorData::Decimal128 {
                scale: self.byte()?,
                values: self.entries(rows, i128::from_le_bytes)?.into(),
            },
            9 => VectorData::Numeric((0..rows).map(|_| self.numeric()).collect::<Result<_>>()?),
            10 => VectorData::Interval((0..rows).map(|_| self.interval()).collect::<Result<_>>()?),
            11 => VectorData::Uuid((0..rows).map(|_| self.array()).collect::<Result<_>>()?),
            12 => {
                let lens = self.entries(rows, u32::from_le_bytes)?;
                let mut builder = ViewsBuilder::with_capacity(rows);
                let is_text = ty != TypeId::Bytea;
                for len in lens {
                    let bytes = self.take(len as usize)?;
                    if is_text && str::from_utf8(bytes).is_err() {
                        return Err(damaged());
                    }
                    builder.push(bytes);
                }
                VectorData::Bytes(builder.finish())
            }
            13 => VectorData::Boxed((0..rows).map(|_| self.value(0)).collect::<Result<_>>()?),
            _ => return Err(damaged()),
        };
        Ok(Vector::flat(ty, rows, data, validity))
    }

    fn numeric(&mut self) -> Result<Numeric> {
        Ok(match self.byte()? {
            0 => Numeric::Decimal {
                mantissa: i128::from_le_bytes(self.array()?),
                scale: u16::from_le_bytes(self.array()?),
            },
            1 => {
                let negative = self.byte()? != 0;
                let scale = u16::from_le_bytes(self.array()?);
                let count = self.count()?;
                let limbs = self.entries(count, u32::from_le_bytes)?;
                Numeric::Big(Arc::new(BigDecimal { negative, limbs, scale }))
            }
            2 => Numeric::NaN,
            3 => Numeric::PositiveInfinity,
            4 => Numeric::NegativeInfinity,
            _ => return Err(damaged()),
        })
    }

    fn interval(&mut self) -> Result<Interval> {
        Ok(Interval {
            months: i32::from_le_bytes(self.array()?),
            days: i32::from_le_bytes(self.array()?),
            micros: i64::from_le_bytes(self.array()?),
        })
    }

    fn type_id(&mut self) -> Result<TypeId> {
        TypeId::from_oid(Oid(u32::from_le_bytes(self.array()?))).ok_or_else(damaged)
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return Err(damaged());
        }
        Ok(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bool(self.byte()? != 0),
            2 => Value::Int2(i16::from_le_bytes(self.array()?)),
            3 => Value::Int4(i32::from_le_bytes(self.array()?)),
            4 => Value::Int8(i64::from_le_bytes(self.array()?)),
            5 => Value::Oid(Oid(u32::from_le_bytes(self.array()?))),
            6 => Value::Float4(f32::from_le_bytes(self.array()?)),
            7 => Value::Float8(f64::from_le_bytes(self.array()?)),
            8 => Value::Date(i32::from_le_bytes(self.array()?)),
            9 => Value::Time(i64::from_le_bytes(self.array()?)),
            10 => Value::Timestamp(i64::from_le_bytes(self.array()?)),
            11 => Value::TimestampTz(i64::from_le_bytes(self.array()?)),
            12 => Value::Uuid(self.array()?),
            13 => {
                let count = self.count()?;
                Value::text(str::from_utf8(self.take(count)?).map_err(|_| damaged())?)
            }
            14 => {
                let count = self.count()?;
                Value::Bytes(self.take(count)?.into())
            }
            15 => Value::Interval(self.interval()?),
            16 => Value::Numeric(self.numeric()?),
            17 => {
                let element = self.type_id()?;
                let dims_count = self.count()?;
                let numbers = self.entries(dims_count.saturating_mul(2), i32::from_le_bytes)?;
                let dims = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                let count = self.count()?;
                let values = (0..count).map(|_| self.value(depth + 1)).collect::<Result<_>>()?;
                ArrayValue { element, dims, values }.into()
            }
            18 => {
                let count = self.count()?;
                let fields = (0..count)
                    .map(|_| Ok((self.type_id()?, self.value(depth + 1)?)))
                    .collect::<Result<Vec<_>>>()?;
                Value::Record(fields.into())
            }
            _ => return Err(damaged()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(TypeId, Vec<Value>)> {
        let number = |mantissa, scale| Value::Numeric(Numeric::Decimal { mantissa, scale });
        let big = Numeric::Big(Arc::new(BigDecimal {
            negative: true,
            limbs: vec![1, 2, 3, 4, 5, 6],
            scale: 7,
        }));
        let record =
            Value::Record(vec![(TypeId::Int4, Value::Int4(1)), (TypeId::Text, Value::Null)].into());
        vec![
            (TypeId::Bool, vec![Value::Bool(true), Value::Null, Value::Bool(false)]),
            (TypeId::Int2, vec![Value::Int2(-1), Value::Int2(i16::MAX)]),
            (TypeId::Int4, vec![Value::Int4(i32::MIN), Value::Null]),
            (TypeId::Int8, vec![Value::Int8(i64::MIN), Value::Int8(7)]),
            (TypeId::Float8, vec![Value::Float8(-0.0), Value::Float8(f64::INFINITY)]),
            (TypeId::Date, vec![Value::Date(i32::MAX), Value::Null]),
            (TypeId::TimestampTz, vec![Value::TimestampTz(5), Value::Null]),
            (TypeId::Numeric, vec![number(110, 2), number(-5, 2), Value::Null]),
            (TypeId::Numeric, vec![number(110, 2), number(11, 1), Value::Numeric(Numeric::NaN)]),
            (TypeId::Numeric, vec![number(i128::from(i64::MAX) * 9, 3), number(1, 3)]),
            (TypeId::Numeric, vec![Value::Numeric(big), Value::Null]),
            (
                TypeId::Text,
                vec![Value::text(""), Value::Null, Value::text("more than twelve bytes")],
            ),
            (TypeId::Bytea, vec![Value::from(vec![0_u8, 255]), Value::from(vec![])]),
            (TypeId::Uuid, vec![Value::Uuid([7; 16]), Value::Null]),
            (
                TypeId::Interval,
                vec![Value::Interval(Interval { months: -1, days: 2, micros: 3 }), Value::Null],
            ),
            (
                TypeId::Int4Array,
                vec![Value::array(TypeId::Int4, vec![Value::Int4(1), Value::Null]), Value::Null],
            ),
            (TypeId::Record, vec![record, Value::Null]),
        ]
    }

    #[test]
    fn values_of_every_form_come_back() {
        for (ty, values) in samples() {
            let count = values.len();
            let vector = Vector::from_values(ty, &values);
            let mut bytes = vec![];
            let repeated = Vector::constant(ty, &values[0], count);
            encode(&Batch::new(vec![vector, repeated], count), &mut bytes).unwrap();
            let batch = decode(&[ty, ty], &bytes).unwrap();
            let show = |value: &Value| format!("{value:?}");
            for (row, value) in values.iter().enumerate() {
                assert_eq!(show(&batch.columns[0].value(row)), show(value));
                assert_eq!(show(&batch.columns[1].value(row)), show(&values[0]));
            }
        }
    }

    #[test]
    fn damaged_bytes_are_errors() {
        for (ty, values) in samples() {
            let mut bytes = vec![];
            let vector = Vector::from_values(ty, &values);
            encode(&Batch::new(vec![vector], values.len()), &mut bytes).unwrap();
            for len in 0..bytes.len() {
                let error = decode(&[ty], &bytes[..len]).unwrap_err();
                assert_eq!(error.sqlstate(), SqlState::DATA_CORRUPTED);
            }
            for at in 0..bytes.len() {
                let mut wrong = bytes.clone();
                wrong[at] ^= 0x55;
                // Some of these are rows too; none may panic.
                drop(decode(&[ty], &wrong));
            }
        }
    }

    #[test]
    fn only_active_rows_are_kept() {
        let values: Vec<Value> = (0..1000).map(Value::Int4).collect();
        let mut batch = Batch::new(vec![Vector::from_values(TypeId::Int4, &values)], 1000);
        batch.select(&Mask::from_fn(1000, |row| row % 7 == 0));
        let mut bytes = vec![];
        encode(&batch, &mut bytes).unwrap();
        let back = decode(&[TypeId::Int4], &bytes).unwrap();
        assert_eq!(back.rows(), 143);
        assert_eq!(back.columns[0].value(142), Value::Int4(994));
    }
}
