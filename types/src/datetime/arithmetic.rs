//! Arithmetic of dates and timestamps: adding intervals, differences, ages, conversions.
//!
//! Adding an interval moves by months first (a day past the month's end becomes its last day), then by days, then by
//! microseconds. A timestamptz moves by months and days on the local calendar. Infinities stay what they are.

use super::civil::{civil_from_days, days_from_civil, days_in_month};
use super::time::out_of_range;
use super::zone::{local_to_utc, utc_to_local};
use super::{
    DAY_MICROS, TIMESTAMP_END, TIMESTAMP_MIN, check_date, check_timestamp, is_infinite, split,
};
use crate::format::TimeZone;
use crate::{Error, Interval, Result, SqlState};

/// A timestamp at the start of a date.
///
/// # Errors
/// 22008 `date out of range for timestamp`.
pub fn date_to_timestamp(days: i32) -> Result<i64> {
    match days {
        i32::MIN => Ok(i64::MIN),
        i32::MAX => Ok(i64::MAX),
        _ => {
            let micros = i64::from(days).checked_mul(DAY_MICROS);
            micros.filter(|micros| (TIMESTAMP_MIN..TIMESTAMP_END).contains(micros)).ok_or_else(
                || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp"),
            )
        }
    }
}

/// The date of a timestamp.
pub fn timestamp_to_date(micros: i64) -> i32 {
    match micros {
        i64::MIN => i32::MIN,
        i64::MAX => i32::MAX,
        // A timestamp's days are far within i32.
        _ => split(micros).0 as i32,
    }
}

/// `date + days`.
pub fn date_add_days(date: i32, days: i32) -> Result<i32> {
    if date == i32::MIN || date == i32::MAX {
        return Ok(date);
    }
    let sum = date.checked_add(days).filter(|&sum| sum != i32::MIN && sum != i32::MAX);
    check_date(sum.ok_or_else(|| out_of_range("date"))?)
}

/// `date - date` in days.
pub fn date_sub(a: i32, b: i32) -> Result<i32> {
    if [a, b].iter().any(|&date| date == i32::MIN || date == i32::MAX) {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite dates",
        ));
    }
    Ok(a.wrapping_sub(b))
}

/// Moves a local timestamp by months and days.
fn move_calendar(micros: i64, months: i32, days: i32) -> Result<i64> {
    let (mut date, time) = split(micros);
    if months != 0 {
        let (year, month, day) = civil_from_days(date);
        let total = year * 12 + i64::from(month) - 1 + i64::from(months);
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
        let day = day.min(days_in_month(year, month));
        date = days_from_civil(year, month, day.into());
    }
    date += i64::from(days);
    let moved = date.checked_mul(DAY_MICROS).and_then(|micros| micros.checked_add(time));
    let moved = moved.filter(|&moved| !is_infinite(moved));
    check_timestamp(moved.ok_or_else(|| out_of_range("timestamp"))?)
}

fn move_micros(timestamp: i64, micros: i64) -> Result<i64> {
    let moved = timestamp.checked_add(micros).filter(|&moved| !is_infinite(moved));
    check_timestamp(moved.ok_or_else(|| out_of_range("timestamp"))?)
}

/// `timestamp + interval`.
pub fn timestamp_add(timestamp: i64, interval: Interval) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let moved = if interval.months == 0 && interval.days == 0 {
        timestamp
    } else {
        move_calendar(timestamp, interval.months, interval.days)?
    };
    move_micros(moved, interval.micros)
}

/// `timestamptz + interval` in a zone.
pub fn timestamptz_add(timestamp: i64, interval: Interval, zone: &TimeZone) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let mut moved = timestamp;
    // Months and days one after the other: the day between may be moved by a change of the clock.
    if interval.months != 0 {
        let local = move_calendar(utc_to_local(zone, moved)?, interval.months, 0)?;
        moved = local_to_utc(zone, local)?;
    }
    if interval.days != 0 {
        let local = move_calendar(utc_to_local(zone, moved)?, 0, interval.days)?;
        moved = local_to_utc(zone, local)?;
    }
    move_micros(moved, interval.micros)
}

/// `timestamp - timestamp`: days and microseconds.
///
/// # Errors
/// 22008 for infinities.
pub fn timestamp_sub(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let micros = a.checked_sub(b).ok_or_else(crate::interval::arith::out_of_range)?;
    Interval { months: 0, days: 0, micros }.justify_hours()
}

/// `time + interval`: only its microseconds count, and the clock goes round.
pub fn time_add(time: i64, interval: Interval) -> i64 {
    (time.rem_euclid(DAY_MICROS) + interval.micros.rem_euclid(DAY_MICROS)).rem_euclid(DAY_MICROS)
}

/// `age(a, b)`: years, months, days and time between two local timestamps, as a person counts.
pub fn age(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(out_of_range("timestamp"));
    }
    let negative = a < b;
    let (later, earlier) = if negative { (b, a) } else { (a, b) };
    let ((later_date, later_time), (earlier_date, earlier_time)) = (split(later), split(earlier));
    let (y1, m1, d1) = civil_from_days(later_date);
    let (y2, m2, d2) = civil_from_days(earlier_date);
    let mut months = (y1 - y2) * 12 + i64::from(m1) - i64::from(m2);
    let mut days = i64::from(d1) - i64::from(d2);
    let mut micros = later_time - earlier_time;
    if micros < 0 {
        micros += DAY_MICROS;
        days -= 1;
    }
    // A missing day is borrowed from the month of the earlier time, whichever argument that is.
    let (year, month) = (y2, m2);
    while days < 0 {
        days += i64::from(days_in_month(year, month));
        months -= 1;
    }
    let interval = Interval { months: months as i32, days: days as i32, micros };
    if negative { interval.checked_neg() } else { Ok(interval) }
}

/// A date and a time of day as a timestamp.
pub fn timestamp_of(date: i32, time: i64) -> Result<i64> {
    let start = date_to_timestamp(date)?;
    if is_infinite(start) {
        return Ok(start);
    }
    move_micros(start, time)
}

/// `date_bin`: the start of the `stride`-long bin, counted from `origin`, that holds `timestamp`.
pub fn date_bin(stride: Interval, timestamp: i64, origin: i64) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    if is_infinite(origin) {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "origin out of range"));
    }
    if stride.months != 0 {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let overflow = crate::interval::arith::out_of_range;
    let stride = i64::from(stride.days)
        .checked_mul(DAY_MICROS)
        .and_then(|micros| micros.checked_add(stride.micros))
        .ok_or_else(overflow)?;
    if stride <= 0 {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "stride must be greater than zero",
        ));
    }
    let difference = timestamp.checked_sub(origin).ok_or_else(overflow)?;
    let bins = difference.div_euclid(stride);
    bins.checked_mul(stride).and_then(|micros| origin.checked_add(micros)).ok_or_else(overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i64, month: u32, day: i64) -> i64 {
        days_from_civil(year, month, day) * DAY_MICROS
    }

    #[test]
    fn months_end_where_the_month_ends() {
        let month = Interval { months: 1, ..Interval::default() };
        assert_eq!(timestamp_add(day(2001, 1, 31), month).ok(), Some(day(2001, 2, 28)));
        let back = Interval { months: -1, days: 1, micros: 0 };
        assert_eq!(timestamp_add(day(2004, 3, 31), back).ok(), Some(day(2004, 3, 1)));
    }

    #[test]
    fn ages() {
        let got = age(day(2001, 4, 10), day(1957, 6, 13)).expect("finite");
        assert_eq!(got, Interval { months: 43 * 12 + 9, days: 27, micros: 0 });
        let got = age(day(1957, 6, 13), day(2001, 4, 10)).expect("finite");
        assert_eq!(got, Interval { months: -(43 * 12 + 9), days: -27, micros: 0 });
    }
}
