//! Arrow to vectors.

use super::{failed, out_of_range};
use crate::datetime::{UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS, check_timestamp};
use crate::numeric::numeric_from_decimal;
use crate::vector::ViewsBuilder;
use crate::{
    Batch, Error, Interval, Mask, Numeric, Result, SqlState, TILE_ROWS, TypeId, Value, Vector,
    VectorData, Views,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use std::sync::Arc;

/// The array as a vector; buffers are shared where the form is the same.
///
/// # Errors
/// 0A000 for types without a counterpart and for more than [`TILE_ROWS`] rows (slice the array first), 22008 for times
/// out of range, 22021 for text with NUL bytes.
pub fn from_array(array: &ArrayRef) -> Result<Vector> {
    let rows = array.len();
    if rows > TILE_ROWS {
        return Err(Error::unsupported(format_args!("an array of {rows} rows at once")));
    }
    let validity = array
        .logical_nulls()
        .filter(|nulls| nulls.null_count() > 0)
        .map(|nulls| Mask::from_fn(rows, |i| nulls.is_valid(i)));
    let is_valid = |i: usize| validity.as_ref().is_none_or(|validity| validity.get(i));
    let (ty, data) = match array.data_type() {
        DataType::Null => return Ok(Vector::nulls(TypeId::Text, rows)),
        DataType::Boolean => {
            let values = array.as_boolean();
            let mask = Mask::from_fn(rows, |i| is_valid(i) && values.value(i));
            (TypeId::Bool, VectorData::Bool(Arc::new(mask)))
        }
        DataType::Int8 => {
            (TypeId::Int2, VectorData::Int2(map::<Int8Type, _>(array, i16::from).into()))
        }
        DataType::UInt8 => {
            (TypeId::Int2, VectorData::Int2(map::<UInt8Type, _>(array, i16::from).into()))
        }
        DataType::Int16 => {
            (TypeId::Int2, VectorData::Int2(array.as_primitive::<Int16Type>().values().clone()))
        }
        DataType::UInt16 => {
            (TypeId::Int4, VectorData::Int4(map::<UInt16Type, _>(array, i32::from).into()))
        }
        DataType::Int32 => {
            (TypeId::Int4, VectorData::Int4(array.as_primitive::<Int32Type>().values().clone()))
        }
        DataType::Int64 => {
            (TypeId::Int8, VectorData::Int8(array.as_primitive::<Int64Type>().values().clone()))
        }
        DataType::UInt32 => {
            (TypeId::Oid, VectorData::Oid(array.as_primitive::<UInt32Type>().values().clone()))
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values().clone();
            (TypeId::Float4, VectorData::Float4(values))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values().clone();
            (TypeId::Float8, VectorData::Float8(values))
        }
        DataType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            let numerics: Vec<Numeric> = (0..rows)
                .map(|i| {
                    if is_valid(i) {
                        numeric_from_decimal(values[i], *scale)
                    } else {
                        Ok(Numeric::ZERO)
                    }
                })
                .collect::<Result<_>>()?;
            (TypeId::Numeric, crate::vector::numeric_data(numerics, validity.as_ref()))
        }
        DataType::Date32 => {
            let mut days = Vec::with_capacity(rows);
            for (i, value) in array.as_primitive::<Date32Type>().values().iter().enumerate() {
                let shifted = value
                    .checked_sub(UNIX_EPOCH_DAYS)
                    .filter(|days| crate::datetime::check_date(*days).is_ok());
                days.push(match shifted {
                    Some(days) => days,
                    None if !is_valid(i) => 0,
                    None => return Err(out_of_range("date")),
                });
            }
            (TypeId::Date, VectorData::Int4(days.into()))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let values = array.as_primitive::<Time64MicrosecondType>().values().clone();
            if (0..rows).any(|i| is_valid(i) && crate::datetime::check_time(values[i]).is_err()) {
                return Err(out_of_range("time"));
            }
            (TypeId::Time, VectorData::Int8(values))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let mut micros = Vec::with_capacity(rows);
            let values = array.as_primitive::<TimestampMicrosecondType>().values();
            for (i, value) in values.iter().enumerate() {
                let shifted = value
                    .checked_sub(UNIX_EPOCH_MICROS)
                    .filter(|micros| check_timestamp(*micros).is_ok());
                micros.push(match shifted {
                    Some(micros) => micros,
                    None if !is_valid(i) => 0,
                    None => return Err(out_of_range("timestamp")),
                });
            }
            let ty = if zone.is_some() { TypeId::TimestampTz } else { TypeId::Timestamp };
            (ty, VectorData::Int8(micros.into()))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>().values();
            let intervals: Vec<Interval> = values
                .iter()
                .map(|value| Interval {
                    months: value.months,
                    days: value.days,
                    micros: value.nanoseconds / 1000,
                })
                .collect();
            (TypeId::Interval, VectorData::Interval(intervals.into()))
        }
        DataType::FixedSizeBinary(16) => {
            let values = array.as_fixed_size_binary();
            let uuids: Vec<[u8; 16]> =
                (0..rows).map(|i| values.value(i).try_into().unwrap_or([0; 16])).collect();
            (TypeId::Uuid, VectorData::Uuid(uuids.into()))
        }
        DataType::Utf8View => {
            let values = array.as_string_view();
            for i in (0..rows).filter(|i| is_valid(*i)) {
                check_text(values.value(i))?;
            }
            let views =
                Views { views: values.views().clone(), buffers: Arc::clone(values.data_buffers()) };
            (TypeId::Text, VectorData::Bytes(views))
        }
        DataType::BinaryView => {
            let values = array.as_binary_view();
            let views =
                Views { views: values.views().clone(), buffers: Arc::clone(values.data_buffers()) };
            (TypeId::Bytea, VectorData::Bytes(views))
        }
        DataType::Utf8 | DataType::LargeUtf8 => {
            let mut builder = ViewsBuilder::with_capacity(rows);
            for i in 0..rows {
                let text = match array.data_type() {
                    DataType::Utf8 => array.as_string::<i32>().value(i),
                    _ => array.as_string::<i64>().value(i),
                };
                builder.push(if is_valid(i) { check_text(text)?.as_bytes() } else { &[] });
            }
            (TypeId::Text, VectorData::Bytes(builder.finish()))
        }
        DataType::Binary | DataType::LargeBinary => {
            let mut builder = ViewsBuilder::with_capacity(rows);
            for i in 0..rows {
                builder.push(match array.data_type() {
                    DataType::Binary => array.as_binary::<i32>().value(i),
                    _ => array.as_binary::<i64>().value(i),
                });
            }
            (TypeId::Bytea, VectorData::Bytes(builder.finish()))
        }
        DataType::List(_) => return lists(array, validity),
        other => return Err(Error::unsupported(format_args!("Arrow's type {other}"))),
    };
    Ok(Vector::flat(ty, rows, data, validity))
}

fn map<T: ArrowPrimitiveType, U>(array: &ArrayRef, convert: impl Fn(T::Native) -> U) -> Vec<U> {
    array.as_primitive::<T>().values().iter().map(|value| convert(*value)).collect()
}

/// Text without NUL bytes (T2).
fn check_text(text: &str) -> Result<&str> {
    if text.contains('\0') {
        return Err(Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\": 0x00",
        ));
    }
    Ok(text)
}

fn lists(array: &ArrayRef, validity: Option<Mask>) -> Result<Vector> {
    let lists = array.as_list::<i32>();
    let mut element = None;
    let mut values = Vec::with_capacity(lists.len());
    for i in 0..lists.len() {
        if lists.is_null(i) {
            values.push(Value::Null);
            continue;
        }
        let items = lists.value(i);
        let mut found = Vec::with_capacity(items.len());
        for start in (0..items.len()).step_by(TILE_ROWS) {
            let part = from_array(&items.slice(start, TILE_ROWS.min(items.len() - start)))?;
            found.extend((0..part.rows()).map(|row| part.value(row)));
            element = Some(part.ty);
        }
        values.push(Value::array(element.unwrap_or(TypeId::Text), found));
    }
    let element = match element {
        Some(element) => element,
        None => from_array(&lists.values().slice(0, 0))?.ty,
    };
    let ty = element
        .array()
        .filter(|_| !element.is_array())
        .ok_or_else(|| Error::unsupported("a list of lists from Arrow"))?;
    // Lists without an element learnt their type late.
    for value in &mut values {
        if let Value::Array(array) = value
            && array.element != element
        {
            *value = Value::array(element, vec![]);
        }
    }
    let rows = values.len();
    Ok(Vector::flat(ty, rows, VectorData::Boxed(values.into()), validity))
}

/// The record batch as a batch in which every row counts.
///
/// # Errors
/// As [`from_array`].
pub fn from_record_batch(batch: &RecordBatch) -> Result<Batch> {
    let columns = batch.columns().iter().map(from_array).collect::<Result<Vec<_>>>()?;
    if batch.num_rows() > TILE_ROWS {
        return Err(failed(arrow_schema::ArrowError::InvalidArgumentError(
            "slice the record batch first".to_owned(),
        )));
    }
    Ok(Batch::new(columns, batch.num_rows()))
}
