//! Format patterns: `to_char` and its opposites `to_date`, `to_timestamp` and `to_number`.
//!
//! [`date`] splits a pattern for dates into items and writes a moment by them, [`parse`] reads one; [`number`] does both
//! for numbers. Month and day names are English, and the locale's signs those of `C`; `TM` and `FX` are accepted, `FX`
//! without its stricter matching.

mod date;
mod number;
mod parse;

use super::FormatSettings;
use crate::datetime::arithmetic::date_to_timestamp;
use crate::datetime::zone;
use crate::{Error, Interval, Numeric, Result, TypeId, Value};

/// A number, date, timestamp or interval in the form that `pattern` describes; none for infinite times.
///
/// # Errors
/// 42601 for patterns that contradict themselves, 0A000 for values of other types.
pub fn to_char(
    ty: TypeId,
    value: &Value,
    pattern: &str,
    settings: &FormatSettings,
) -> Result<Option<String>> {
    let moment = match value {
        Value::Int2(v) => return number::write(&Numeric::from(*v), pattern).map(Some),
        Value::Int4(v) => return number::write(&Numeric::from(*v), pattern).map(Some),
        Value::Int8(v) => return number::write(&Numeric::from(*v), pattern).map(Some),
        Value::Numeric(v) => return number::write(v, pattern).map(Some),
        Value::Float4(v) => return number::write_float((*v).into(), 6, pattern).map(Some),
        Value::Float8(v) => return number::write_float(*v, 15, pattern).map(Some),
        Value::Date(i32::MIN | i32::MAX)
        | Value::Timestamp(i64::MIN | i64::MAX)
        | Value::TimestampTz(i64::MIN | i64::MAX) => return Ok(None),
        Value::Date(v) => date::Moment::local(date_to_timestamp(*v)?),
        Value::Timestamp(v) => date::Moment::local(*v),
        Value::TimestampTz(v) => {
            let zone = &settings.time_zone;
            let mut moment = date::Moment::local(zone::utc_to_local(zone, *v)?);
            moment.zone = Some((zone::offset_at(zone, *v), zone::abbreviation_at(zone, *v)));
            moment
        }
        Value::Interval(v) => date::Moment::span(*v),
        Value::Time(v) => date::Moment::span(Interval { months: 0, days: 0, micros: *v }),
        _ => return Err(Error::unsupported(format_args!("to_char of {}", super::type_name(ty)))),
    };
    date::write(&moment, pattern).map(Some)
}

/// The date (days since 2000-01-01) that `text` means under `pattern`.
///
/// # Errors
/// 22007 where text and pattern do not match, 22008 for parts out of range.
pub fn to_date(text: &str, pattern: &str) -> Result<i32> {
    parse::read(text, pattern)?.date(text)
}

/// The timestamptz that `text` means under `pattern`; without a zone in the text, the settings' zone counts.
///
/// # Errors
/// 22007 where text and pattern do not match, 22008 for parts out of range.
pub fn to_timestamp(text: &str, pattern: &str, settings: &FormatSettings) -> Result<i64> {
    parse::read(text, pattern)?.timestamptz(text, &settings.time_zone)
}

/// The number that `text` means under `pattern`.
///
/// # Errors
/// 22P02 if there is no number, 42601 for patterns that contradict themselves.
pub fn to_number(text: &str, pattern: &str) -> Result<Numeric> {
    number::read(text, pattern)
}
