//! Values of the embedded API as the parameters of a statement.

use crate::session::Session;
use damask_types::format::format_type;
use damask_types::{Error, Numeric, Oid, PhysicalType, Result, SqlState, SqlType, TypeId, Value};

/// Values for a statement's parameters, of any types that become a [`Value`].
///
/// ```
/// # fn main() -> damask::Result<()> {
/// # let mut connection = damask::Database::open_in_memory()?.connect()?;
/// let rows = connection.query("SELECT $1::int + 1, $2::date", &damask::params![41, "2026-01-31"])?;
/// assert_eq!(rows.get::<i32>(0, 0)?, 42);
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::Value::from($value)),*]
    };
}

/// The value as one of the parameter's type.
///
/// # Errors
/// What reading text raises; 22003 for a number out of range, 42804 for a value of another type.
pub(crate) fn conform(
    session: &mut Session,
    number: usize,
    value: &Value,
    ty: SqlType,
) -> Result<Value> {
    if lies_as(value, ty.id) {
        return Ok(value.clone());
    }
    let out_of_range = || {
        Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value for parameter ${number} is out of range for type {}", format_type(ty)),
        )
    };
    if let Some(text) = value.as_text() {
        return session.read_text(ty, text);
    }
    match (value.as_i64(), ty.id) {
        (Some(integer), TypeId::Int2) => {
            return integer.try_into().map(Value::Int2).map_err(|_| out_of_range());
        }
        (Some(integer), TypeId::Int4) => {
            return integer.try_into().map(Value::Int4).map_err(|_| out_of_range());
        }
        (Some(integer), TypeId::Int8) => return Ok(Value::Int8(integer)),
        (Some(integer), TypeId::Numeric) => return Ok(Value::Numeric(Numeric::from(integer))),
        (Some(integer), TypeId::Oid) => {
            return integer.try_into().map(|oid| Value::Oid(Oid(oid))).map_err(|_| out_of_range());
        }
        _ => {}
    }
    match (value, ty.id) {
        (Value::Float4(float), TypeId::Float8) => Ok(Value::Float8((*float).into())),
        (Value::Int2(integer), TypeId::Float4) => Ok(Value::Float4((*integer).into())),
        (Value::Int2(integer), TypeId::Float8) => Ok(Value::Float8((*integer).into())),
        (Value::Int4(integer), TypeId::Float8) => Ok(Value::Float8((*integer).into())),
        _ => Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!("parameter ${number} is of type {}, not of {value:?}", format_type(ty)),
        )),
    }
}

/// Whether vectors of this type hold such values.
pub(crate) fn lies_as(value: &Value, ty: TypeId) -> bool {
    // The usual types without a look at what lies how.
    match (value, ty) {
        (Value::Int4(_), TypeId::Int4)
        | (Value::Int8(_), TypeId::Int8)
        | (Value::Text(_), TypeId::Text | TypeId::Varchar) => return true,
        _ => {}
    }
    let physical = ty.physical();
    match value {
        Value::Null => true,
        Value::Bool(_) => physical == PhysicalType::Bool,
        Value::Int2(_) => physical == PhysicalType::Int2,
        Value::Int4(_) => ty == TypeId::Int4,
        Value::Int8(_) => ty == TypeId::Int8,
        Value::Oid(_) => physical == PhysicalType::Oid,
        Value::Float4(_) => physical == PhysicalType::Float4,
        Value::Float8(_) => physical == PhysicalType::Float8,
        Value::Numeric(_) => physical == PhysicalType::Numeric,
        Value::Text(_) => {
            physical == PhysicalType::Bytes
                && matches!(ty.info().category, 'S' | 'X')
                && ty != TypeId::Name
        }
        Value::Bytes(_) => ty == TypeId::Bytea,
        Value::Date(_) => ty == TypeId::Date,
        Value::Time(_) => ty == TypeId::Time,
        Value::Timestamp(_) => ty == TypeId::Timestamp,
        Value::TimestampTz(_) => ty == TypeId::TimestampTz,
        Value::Interval(_) => physical == PhysicalType::Interval,
        Value::Uuid(_) => physical == PhysicalType::Uuid,
        Value::Array(array) => ty.element() == Some(array.element),
        Value::Record(_) => ty == TypeId::Record,
    }
}
