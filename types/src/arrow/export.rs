//! Vectors to Arrow.

use super::{failed, out_of_range};
use crate::datetime::{UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS, is_infinite};
use crate::format::{FormatSettings, write_text_at};
use crate::vector::ViewsBuilder;
use crate::{
    Batch, Error, Mask, Numeric, Result, TILE_ROWS, TypeId, Value, Vector, VectorBuilder,
    VectorData, Views,
};
use arrow_array::types::{ArrowPrimitiveType, IntervalMonthDayNanoType};
use arrow_array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    ListArray, PrimitiveArray, RecordBatch, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt32Array, UInt64Array, make_array,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use arrow_data::transform::MutableArrayData;
use arrow_schema::{DataType, Field, Schema};
use std::sync::Arc;

/// Digits of every decimal.
const PRECISION: u8 = 38;

/// The bits of the first `rows` rows.
fn bits(mask: &Mask, rows: usize) -> BooleanBuffer {
    BooleanBuffer::new(Buffer::from_vec(mask.words.to_vec()), 0, rows)
}

fn primitive<T>(
    values: &ScalarBuffer<T::Native>,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<PrimitiveArray<T>>
where
    T: ArrowPrimitiveType,
    T::Native: ArrowNativeType,
{
    PrimitiveArray::try_new(values.slice(0, rows), nulls).map_err(failed)
}

/// The vector with an entry for each row.
fn spread(vector: &Vector) -> Vector {
    if !vector.is_const() {
        return vector.clone();
    }
    let value = if vector.rows() == 0 { Value::Null } else { vector.value(0) };
    let mut builder = VectorBuilder::new(vector.ty, vector.rows());
    for _ in 0..vector.rows() {
        builder.push(&value);
    }
    builder.finish()
}

/// The vector as an Arrow array of as many rows.
///
/// # Errors
/// 22008 for dates and intervals that Arrow cannot hold, 0A000 for records and arrays of several dimensions.
pub fn to_array(vector: &Vector) -> Result<ArrayRef> {
    let vector = &spread(vector);
    let rows = vector.rows();
    let nulls = vector.validity().map(|validity| NullBuffer::new(bits(validity, rows)));
    Ok(match &vector.data {
        VectorData::Bool(v) => Arc::new(BooleanArray::new(bits(v, rows), nulls)),
        VectorData::Int2(v) => Arc::new(primitive::<_>(v, rows, nulls).map(|a: Int16Array| a)?),
        VectorData::Int4(v) if vector.ty == TypeId::Date => {
            let days = shift_dates(vector, v)?;
            Arc::new(Date32Array::try_new(days.into(), nulls).map_err(failed)?)
        }
        VectorData::Int4(v) => Arc::new(primitive::<_>(v, rows, nulls).map(|a: Int32Array| a)?),
        VectorData::Int8(v) => match vector.ty {
            TypeId::Time => {
                Arc::new(primitive::<_>(v, rows, nulls).map(|a: Time64MicrosecondArray| a)?)
            }
            TypeId::Timestamp | TypeId::TimestampTz => {
                let micros = shift_timestamps(vector, v)?;
                let array =
                    TimestampMicrosecondArray::try_new(micros.into(), nulls).map_err(failed)?;
                Arc::new(if vector.ty == TypeId::TimestampTz {
                    array.with_timezone("UTC")
                } else {
                    array
                })
            }
            TypeId::TimeTz | TypeId::Tid => text_array(vector, nulls)?,
            TypeId::Xid8 => {
                let words: Vec<u64> = v[..rows].iter().map(|word| *word as u64).collect();
                Arc::new(UInt64Array::try_new(words.into(), nulls).map_err(failed)?)
            }
            _ => Arc::new(primitive::<_>(v, rows, nulls).map(|a: Int64Array| a)?),
        },
        VectorData::Oid(v) => Arc::new(primitive::<_>(v, rows, nulls).map(|a: UInt32Array| a)?),
        VectorData::Float4(v) => Arc::new(primitive::<_>(v, rows, nulls).map(|a: Float32Array| a)?),
        VectorData::Float8(v) => Arc::new(primitive::<_>(v, rows, nulls).map(|a: Float64Array| a)?),
        VectorData::Decimal64 { scale, values } if *scale <= PRECISION => {
            let wide: Vec<i128> = values[..rows].iter().map(|value| i128::from(*value)).collect();
            decimal(wide.into(), *scale, nulls)?
        }
        VectorData::Decimal128 { scale, values } if *scale <= PRECISION => {
            decimal(values.slice(0, rows), *scale, nulls)?
        }
        VectorData::Decimal64 { .. } | VectorData::Decimal128 { .. } | VectorData::Numeric(_) => {
            text_array(vector, nulls)?
        }
        VectorData::Interval(v) => {
            let mut out = Vec::with_capacity(rows);
            for interval in &v[..rows] {
                let nanos =
                    interval.micros.checked_mul(1000).ok_or_else(|| out_of_range("interval"))?;
                out.push(IntervalMonthDayNanoType::make_value(
                    interval.months,
                    interval.days,
                    nanos,
                ));
            }
            Arc::new(IntervalMonthDayNanoArray::try_new(out.into(), nulls).map_err(failed)?)
        }
        VectorData::Uuid(v) => {
            let bytes = Buffer::from_vec(v[..rows].concat());
            Arc::new(FixedSizeBinaryArray::try_new(16, bytes, nulls).map_err(failed)?)
        }
        VectorData::Bytes(v) => views(vector.ty, v, rows, nulls)?,
        VectorData::Boxed(v) => match vector.ty.element() {
            Some(element) => list(element, &v[..rows], nulls)?,
            None => return Err(Error::unsupported("a record in Arrow's form")),
        },
    })
}

fn decimal(values: ScalarBuffer<i128>, scale: u8, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let array = Decimal128Array::try_new(values, nulls)
        .and_then(|array| array.with_precision_and_scale(PRECISION, scale as i8))
        .map_err(failed)?;
    Ok(Arc::new(array))
}

fn shift_dates(vector: &Vector, values: &[i32]) -> Result<Vec<i32>> {
    let mut out = Vec::with_capacity(vector.rows());
    for (row, &days) in values[..vector.rows()].iter().enumerate() {
        let infinite = days == i32::MIN || days == i32::MAX;
        out.push(match days.checked_add(UNIX_EPOCH_DAYS).filter(|_| !infinite) {
            Some(days) => days,
            None if vector.is_null(row) => 0,
            None => return Err(out_of_range("date")),
        });
    }
    Ok(out)
}

fn shift_timestamps(vector: &Vector, values: &[i64]) -> Result<Vec<i64>> {
    let mut out = Vec::with_capacity(vector.rows());
    for (row, &micros) in values[..vector.rows()].iter().enumerate() {
        let shifted = micros.checked_add(UNIX_EPOCH_MICROS).filter(|_| !is_infinite(micros));
        out.push(match shifted {
            Some(micros) => micros,
            None if vector.is_null(row) => 0,
            None => return Err(out_of_range("timestamp")),
        });
    }
    Ok(out)
}

fn views(ty: TypeId, views: &Views, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let slice = views.views.slice(0, rows);
    let buffers = Arc::clone(&views.buffers);
    Ok(if ty == TypeId::Bytea {
        Arc::new(BinaryViewArray::try_new(slice, buffers, nulls).map_err(failed)?)
    } else {
        Arc::new(StringViewArray::try_new(slice, buffers, nulls).map_err(failed)?)
    })
}

/// Every row in its text form.
fn text_array(vector: &Vector, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let settings = FormatSettings::default();
    let mut builder = ViewsBuilder::with_capacity(vector.rows());
    let mut text = Vec::new();
    for row in 0..vector.rows() {
        text.clear();
        write_text_at(vector, row, &settings, &mut text);
        builder.push(&text);
    }
    views(TypeId::Text, &builder.finish(), vector.rows(), nulls)
}

fn list(element: TypeId, arrays: &[Value], nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let mut lengths = Vec::with_capacity(arrays.len());
    let mut values = vec![];
    for array in arrays {
        let elements = match array {
            Value::Array(array) if array.dims.is_empty() => &[][..],
            Value::Array(array) if array.dims.len() == 1 && array.dims[0].1 == 1 => &array.values,
            Value::Array(_) => {
                return Err(Error::unsupported("an array with bounds of its own in Arrow's form"));
            }
            _ => &[],
        };
        lengths.push(elements.len());
        values.extend_from_slice(elements);
    }
    if i32::try_from(values.len()).is_err() {
        return Err(Error::unsupported("a list of so many elements in Arrow's form"));
    }
    let child = elements(element, &values)?;
    let field = Arc::new(Field::new_list_field(child.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field, offsets, child, nulls).map_err(failed)?))
}

/// Any number of values as one array.
fn elements(element: TypeId, values: &[Value]) -> Result<ArrayRef> {
    let chunk = |values: &[Value]| to_array(&Vector::from_values(element, values));
    if values.len() <= TILE_ROWS {
        return chunk(values);
    }
    let parts = values.chunks(TILE_ROWS).map(chunk).collect::<Result<Vec<_>>>()?;
    if parts.iter().any(|part| part.data_type() != parts[0].data_type()) {
        return Err(Error::unsupported("a list of numerics of many shapes in Arrow's form"));
    }
    let data: Vec<_> = parts.iter().map(|part| part.to_data()).collect();
    let mut joined = MutableArrayData::new(data.iter().collect(), true, values.len());
    for (i, part) in data.iter().enumerate() {
        joined.try_extend(i, 0, part.len()).map_err(failed)?;
    }
    Ok(make_array(joined.freeze()))
}

/// The scale at which every numeric of a column fits `Decimal128(38, scale)`: the largest of theirs.
fn common_scale(column: impl Iterator<Item = Vector>) -> Option<u8> {
    let mut scale = 0u16;
    let mut integer_digits = 0;
    for vector in column {
        for row in 0..vector.rows() {
            match vector.value(row) {
                Value::Numeric(Numeric::Decimal { mantissa, scale: own }) => {
                    let digits = mantissa.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
                    integer_digits = integer_digits.max(digits.saturating_sub(own.into()));
                    scale = scale.max(own);
                }
                Value::Null => {}
                _ => return None,
            }
        }
    }
    let scale = u8::try_from(scale).ok()?;
    (integer_digits + u32::from(scale) <= PRECISION.into()).then_some(scale)
}

/// Numerics at one scale, which [`common_scale`] found; `None` is text.
fn numerics(vector: &Vector, scale: Option<u8>) -> Result<ArrayRef> {
    let vector = &spread(vector);
    let validity = vector.validity();
    let nulls = validity.map(|validity| NullBuffer::new(bits(validity, vector.rows())));
    let Some(scale) = scale else {
        return text_array(vector, nulls);
    };
    let mut mantissas = Vec::with_capacity(vector.rows());
    for row in 0..vector.rows() {
        mantissas.push(match vector.value(row) {
            Value::Numeric(Numeric::Decimal { mantissa, scale: own }) => 10i128
                .checked_pow(u32::from(scale) - u32::from(own))
                .and_then(|power| mantissa.checked_mul(power))
                .ok_or_else(|| Error::internal("a numeric is larger than it was"))?,
            _ => 0,
        });
    }
    decimal(mantissas.into(), scale, nulls)
}

/// A whole result under its columns' names: every record batch has the same schema, and there is at least one.
///
/// A column of numerics is `Decimal128(38, scale)` with the largest scale among its values where all fit, else text.
///
/// # Errors
/// As [`to_array`].
pub fn to_record_batches(
    batches: &[Batch],
    columns: &[(&str, TypeId)],
) -> Result<Vec<RecordBatch>> {
    let empty = || Batch::new(columns.iter().map(|(_, ty)| Vector::nulls(*ty, 0)).collect(), 0);
    let mut dense: Vec<Batch> = batches.iter().map(|batch| batch.clone().compact()).collect();
    if dense.is_empty() {
        dense.push(empty());
    }
    let scales: Vec<Option<u8>> = columns
        .iter()
        .enumerate()
        .map(|(column, (_, ty))| match ty {
            TypeId::Numeric => {
                common_scale(dense.iter().map(|batch| batch.columns[column].clone()))
            }
            _ => None,
        })
        .collect();
    let mut records = Vec::with_capacity(dense.len());
    for batch in &dense {
        let mut arrays = Vec::with_capacity(columns.len());
        for ((vector, scale), (_, ty)) in batch.columns.iter().zip(&scales).zip(columns) {
            arrays.push(match ty {
                TypeId::Numeric => numerics(vector, *scale)?,
                _ => to_array(vector)?,
            });
        }
        records.push(record_batch(arrays, columns.iter().map(|(name, _)| *name), batch.rows())?);
    }
    Ok(records)
}

fn record_batch<'a>(
    arrays: Vec<ArrayRef>,
    names: impl Iterator<Item = &'a str>,
    rows: usize,
) -> Result<RecordBatch> {
    let fields: Vec<Field> = names
        .zip(&arrays)
        .map(|(name, array)| Field::new(name, DataType::clone(array.data_type()), true))
        .collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(failed)
}

/// The rows of a batch that count, under the columns' names.
///
/// # Errors
/// As [`to_array`].
pub fn to_record_batch(batch: &Batch, names: &[&str]) -> Result<RecordBatch> {
    let batch = batch.clone().compact();
    let arrays = batch.columns.iter().map(to_array).collect::<Result<Vec<_>>>()?;
    record_batch(arrays, names.iter().copied(), batch.rows())
}
