//! Units, limits and rounding of times and timestamps.

use super::civil;
use crate::{Error, Result, SqlState};

/// Microseconds in a day.
pub const DAY_MICROS: i64 = 86_400_000_000;
/// Microseconds in an hour.
pub const HOUR_MICROS: i64 = 3_600_000_000;
/// Microseconds in a minute.
pub const MINUTE_MICROS: i64 = 60_000_000;
/// Microseconds in a second.
pub const SECOND_MICROS: i64 = 1_000_000;
/// The first date: 4713-11-24 BC, Julian day 0.
pub const DATE_MIN: i32 = -civil::EPOCH_JULIAN;
/// The last date, 5874897-12-31.
pub const DATE_MAX: i32 = 2_147_483_493 - civil::EPOCH_JULIAN;
/// The first timestamp: 4713-11-24 BC 00:00.
pub const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
/// The first microsecond past the last timestamp: 294277-01-01.
pub const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;
/// Days from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_DAYS: i32 = 10_957;
/// Microseconds from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_MICROS: i64 = UNIX_EPOCH_DAYS as i64 * DAY_MICROS;

/// 22008 for a value of `type_name` that its type cannot hold.
#[cold]
pub(crate) fn out_of_range(type_name: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{type_name} out of range"))
}

/// Whether this is -infinity or infinity.
#[inline]
pub fn is_infinite(timestamp: i64) -> bool {
    timestamp == i64::MIN || timestamp == i64::MAX
}

/// The date, if it is infinite or in range.
pub fn check_date(days: i32) -> Result<i32> {
    if (DATE_MIN..=DATE_MAX).contains(&days) || days == i32::MIN || days == i32::MAX {
        Ok(days)
    } else {
        Err(out_of_range("date"))
    }
}

/// The timestamp, if it is infinite or in range.
pub fn check_timestamp(micros: i64) -> Result<i64> {
    if (TIMESTAMP_MIN..TIMESTAMP_END).contains(&micros) || is_infinite(micros) {
        Ok(micros)
    } else {
        Err(out_of_range("timestamp"))
    }
}

/// The time, if it is in range; 24:00 is.
pub fn check_time(micros: i64) -> Result<i64> {
    if (0..=DAY_MICROS).contains(&micros) { Ok(micros) } else { Err(out_of_range("time")) }
}

/// Microseconds rounded to `precision` digits of a second, halves away from zero.
pub fn round_micros(micros: i64, precision: i32) -> i64 {
    let unit = 10i64.pow(6 - precision.clamp(0, 6) as u32);
    let half = unit / 2;
    let magnitude = (micros.unsigned_abs() + half as u64) / unit as u64 * unit as u64;
    if micros < 0 { (magnitude as i64).wrapping_neg() } else { magnitude as i64 }
}

/// A timestamp rounded to `precision` digits of a second.
pub fn round_timestamp(micros: i64, precision: i32) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    // Not checked: PostgreSQL lets the last microseconds round up past the end.
    Ok(round_micros(micros, precision))
}

/// A packed timetz rounded to `precision` digits of a second.
pub fn round_timetz(packed: i64, precision: i32) -> i64 {
    let (time, zone) = super::timetz::unpack(packed);
    super::timetz::pack(round_micros(time, precision), zone)
}

/// Days (rounded down) and microseconds of the day of a finite timestamp.
#[inline]
pub fn split(micros: i64) -> (i64, i64) {
    (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS))
}
