//! `make_date` and its relatives, `to_timestamp(float8)`, zones of `AT TIME ZONE`.

use super::abbreviations::{self, Abbreviation};
use super::civil::{days_from_civil, days_in_month};
use super::input::read_offset;
use super::time::{
    DATE_MAX, DATE_MIN, DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, UNIX_EPOCH_MICROS,
    check_timestamp,
};
use super::zone;
use crate::format::{IntervalStyle, TimeZone};
use crate::{Error, Interval, Result, SqlState};

#[cold]
fn overflow(message: String) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// `make_date`: a negative year is BC.
pub fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    let out_of_range =
        || overflow(format!("date field value out of range: {year}-{month:02}-{day:02}"));
    let astronomical = match year {
        0 => return Err(out_of_range()),
        year if year < 0 => i64::from(year) + 1,
        year => i64::from(year),
    };
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(astronomical, month as u32) as i32
    {
        return Err(out_of_range());
    }
    let days = days_from_civil(astronomical, month as u32, day.into());
    if (i64::from(DATE_MIN)..=i64::from(DATE_MAX)).contains(&days) {
        Ok(days as i32)
    } else {
        Err(overflow(format!("date out of range: {year}-{month:02}-{day:02}")))
    }
}

/// `make_time`.
pub fn make_time(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let micros = (second * SECOND_MICROS as f64).round_ties_even();
    let time = || {
        if second.is_nan()
            || !(0..=24).contains(&hour)
            || !(0..60).contains(&minute)
            || !(0.0..=60.0).contains(&second)
            || (hour == 24 && (minute > 0 || micros > 0.0))
        {
            return None;
        }
        let time =
            i64::from(hour) * HOUR_MICROS + i64::from(minute) * MINUTE_MICROS + micros as i64;
        (time <= DAY_MICROS).then_some(time)
    };
    time().ok_or_else(|| {
        let mut shown = Vec::new();
        crate::format::number::write_significant(&mut shown, second, 6);
        let shown = String::from_utf8_lossy(&shown);
        overflow(format!("time field value out of range: {hour}:{minute:02}:{shown:0>2}"))
    })
}

/// `make_timestamp`.
pub fn make_timestamp(
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: f64,
) -> Result<i64> {
    let date = make_date(year, month, day)?;
    let time = make_time(hour, minute, second)?;
    i64::from(date)
        .checked_mul(DAY_MICROS)
        .and_then(|micros| micros.checked_add(time))
        .and_then(|micros| check_timestamp(micros).ok())
        .ok_or_else(|| {
            overflow(format!(
                "timestamp out of range: {year}-{month:02}-{day:02} {hour}:{minute:02}:{second:02}"
            ))
        })
}

/// `make_timestamptz`, the parts being local in `zone`.
pub fn make_timestamptz(
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: f64,
    zone: &TimeZone,
) -> Result<i64> {
    zone::local_to_utc(zone, make_timestamp(year, month, day, hour, minute, second)?)
}

/// The zone that `make_timestamptz` means by `name`: as [`conversion_zone`], but numbers are east of UTC.
pub fn make_zone(name: &str) -> Result<TimeZone> {
    if name.starts_with(['+', '-']) {
        return read_offset(name)
            .ok()
            .and_then(|offset| zone::fixed(offset, name.to_owned()))
            .ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("invalid input syntax for type numeric time zone: \"{name}\""),
                )
                .hint("Numeric time zones must have \"-\" or \"+\" as first character.")
            });
    }
    conversion_zone(name)
}

/// The zone that `AT TIME ZONE name` means: an abbreviation first, then a name, then POSIX's notation, in which numbers
/// are west of UTC.
///
/// # Errors
/// 22023 if there is no such zone.
pub fn conversion_zone(name: &str) -> Result<TimeZone> {
    let found = match abbreviations::find(&name.to_lowercase()) {
        Some(Abbreviation::Fixed { seconds, .. }) => zone::fixed(seconds, name.to_owned()),
        Some(Abbreviation::Zone(full)) => zone::named(full),
        None => zone::named(name),
    };
    found.ok_or_else(|| {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("time zone \"{name}\" not recognized"),
        )
    })
}

/// The zone that `AT TIME ZONE interval` means.
///
/// # Errors
/// 22023 if the interval has months or days or is too long.
pub fn interval_zone(interval: Interval) -> Result<TimeZone> {
    let error = |what: &str| {
        let mut text = Vec::new();
        interval.write(IntervalStyle::Postgres, &mut text);
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("interval time zone \"{}\" {what}", String::from_utf8_lossy(&text)),
        )
    };
    if interval.months != 0 || interval.days != 0 {
        return Err(error("must not include months or days"));
    }
    let seconds = interval.micros / SECOND_MICROS;
    i32::try_from(seconds)
        .ok()
        .and_then(|seconds| zone::fixed(seconds, format!("{seconds}")))
        .ok_or_else(|| error("is out of range"))
}

/// `to_timestamp(float8)`: seconds since 1970.
pub fn timestamptz_from_unix(seconds: f64) -> Result<i64> {
    if seconds.is_nan() {
        return Err(overflow("timestamp cannot be NaN".to_owned()));
    }
    if seconds.is_infinite() {
        return Ok(if seconds < 0.0 { i64::MIN } else { i64::MAX });
    }
    let micros = (seconds * SECOND_MICROS as f64).round_ties_even() - UNIX_EPOCH_MICROS as f64;
    let shifted = (seconds - (UNIX_EPOCH_MICROS / SECOND_MICROS) as f64) * SECOND_MICROS as f64;
    let value = shifted.round_ties_even();
    if micros.abs() >= 9.3e18 || check_timestamp(value as i64).is_err() {
        let mut shown = Vec::new();
        crate::format::number::write_significant(&mut shown, seconds, 6);
        return Err(overflow(format!(
            "timestamp out of range: \"{}\"",
            String::from_utf8_lossy(&shown)
        )));
    }
    Ok(value as i64)
}
