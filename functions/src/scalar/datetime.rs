//! Functions of dates, times, timestamps and intervals: the clock, fields, truncation, making and taking apart, zones.

use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values, map0, map1, map2, map3, map6, map7};
use damask_types::datetime::arithmetic::{
    age, date_bin, date_to_timestamp, timestamp_of, timestamp_to_date,
};
use damask_types::datetime::civil::{days_from_civil, days_in_month};
use damask_types::datetime::conversion_zone;
use damask_types::datetime::zone::{abbreviation_at, local_to_utc, utc_to_local};
use damask_types::datetime::{
    DATE_MAX, DATE_MIN, DAY_MICROS, UNIX_EPOCH_MICROS, check_timestamp, fields, is_infinite, split,
};
use damask_types::format::TimeZone;
use damask_types::format::pattern;
use damask_types::{Error, Interval, Numeric, Result, SqlState, TypeId, Value, Vector};
use std::rc::Rc;

#[cold]
fn overflow(message: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

fn float(value: Numeric) -> f64 {
    value.to_f64_lossy()
}

/// Midnight of the current date in the session's zone, as local time.
fn today(ctx: &KernelContext<'_>) -> Result<i64> {
    let now = utc_to_local(ctx.session.time_zone(), ctx.session.transaction_timestamp())?;
    Ok(split(now).0 * DAY_MICROS)
}

fn local(ctx: &KernelContext<'_>, timestamp: i64) -> Result<i64> {
    utc_to_local(ctx.session.time_zone(), timestamp)
}

fn utc(ctx: &KernelContext<'_>, timestamp: i64) -> Result<i64> {
    local_to_utc(ctx.session.time_zone(), timestamp)
}

thread_local! {
    /// The zone named last: statements name one zone for many rows.
    static ZONE: std::cell::RefCell<Option<(String, Rc<TimeZone>)>> =
        const { std::cell::RefCell::new(None) };
}

/// The zone of a name in `AT TIME ZONE`.
pub(crate) fn zone(name: &str) -> Result<Rc<TimeZone>> {
    ZONE.with_borrow_mut(|last| match last {
        Some((key, zone)) if key == name => Ok(Rc::clone(zone)),
        _ => {
            let zone = Rc::new(conversion_zone(name)?);
            *last = Some((name.to_owned(), Rc::clone(&zone)));
            Ok(zone)
        }
    })
}

/// Seconds east of UTC that an interval means as a zone.
pub(crate) fn interval_offset(interval: Interval) -> Result<i64> {
    if interval.months != 0 || interval.days != 0 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "interval time zone must not include months or days",
        ));
    }
    Ok(interval.micros)
}

/// A finite timestamp moved by the offset, forth or back.
fn shifted(timestamp: i64, offset: Interval, sign: i64) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let micros = interval_offset(offset)?.checked_mul(sign);
    let moved = micros.and_then(|micros| timestamp.checked_add(micros));
    check_timestamp(moved.ok_or_else(|| overflow("timestamp out of range"))?)
}

fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    let out_of_range =
        || overflow(&format!("date field value out of range: {year}-{month:02}-{day:02}"));
    // Year -1 is 1 BC.
    let number = i64::from(if year < 0 { year.wrapping_add(1) } else { year });
    let valid = year != 0
        && (1..=12).contains(&month)
        && day >= 1
        && day as u32 <= days_in_month(number, month as u32);
    if !valid {
        return Err(out_of_range());
    }
    let days = days_from_civil(number, month as u32, day.into());
    if (i64::from(DATE_MIN)..=i64::from(DATE_MAX)).contains(&days) {
        Ok(days as i32)
    } else {
        Err(overflow(&format!("date out of range: {year}-{month:02}-{day:02}")))
    }
}

fn make_time(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let micros = (second * 1_000_000.0).round_ties_even();
    let in_range = (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..=60_000_000.0).contains(&micros)
        && !(hour == 24 && (minute > 0 || micros > 0.0));
    if !in_range {
        return Err(overflow(&format!(
            "time field value out of range: {hour}:{minute:02}:{second:02}"
        )));
    }
    Ok((i64::from(hour) * 60 + i64::from(minute)) * 60_000_000 + micros as i64)
}

fn make_timestamp(
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: f64,
) -> Result<i64> {
    timestamp_of(make_date(year, month, day)?, make_time(hour, minute, second)?)
}

/// Years, months, weeks, days, hours, minutes, seconds; the binder leaves out trailing ones.
fn make_interval(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    crate::rows::map_values_strict(ctx, args, Calls::Once, |values| {
        let part = |at: usize| match values.get(at) {
            Some(Value::Int4(part)) => *part,
            _ => 0,
        };
        let seconds = match values.get(6) {
            Some(Value::Float8(seconds)) => *seconds,
            _ => 0.0,
        };
        let interval =
            Interval::make(part(0), part(1), part(2), part(3), part(4), part(5), seconds)?;
        Ok(Value::Interval(interval))
    })
}

fn to_timestamp(seconds: f64) -> Result<i64> {
    if seconds.is_nan() {
        return Err(overflow("timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { i64::MAX } else { i64::MIN });
    }
    let out = || overflow(&format!("timestamp out of range: \"{seconds}\""));
    let micros = (seconds * 1_000_000.0).round_ties_even();
    if micros.abs() > 9.3e18 {
        return Err(out());
    }
    check_timestamp((micros as i64).checked_sub(UNIX_EPOCH_MICROS).ok_or_else(out)?)
        .map_err(|_| out())
}

/// `Thu Jan 01 00:00:00.000000 1970 UTC`.
fn time_of_day(ctx: &KernelContext<'_>) -> Result<String> {
    let now = ctx.session.clock_timestamp();
    let zone = ctx.session.time_zone();
    let text = pattern::to_char(
        TypeId::Timestamp,
        &Value::Timestamp(utc_to_local(zone, now)?),
        "Dy Mon DD HH24:MI:SS.US YYYY",
        ctx.session.format(),
    )?;
    let text = text.unwrap_or_default();
    Ok(format!("{text} {}", abbreviation_at(zone, now).unwrap_or_default()))
}

fn to_char(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let ty = args[0].ty;
    map2(ctx, args, |value: Value, pattern: &str| {
        pattern::to_char(ty, &value, pattern, ctx.session.format())
    })
}

/// One period of OVERLAPS: its ends in order; a single known end is a point.
fn period(start: &Value, end: &Value) -> Option<(i64, Option<i64>)> {
    let number = |value: &Value| match value {
        Value::Timestamp(v) | Value::TimestampTz(v) | Value::Time(v) => Some(*v),
        _ => None,
    };
    match (number(start), number(end)) {
        (Some(a), Some(b)) => Some((a.min(b), Some(a.max(b)))),
        (Some(one), None) | (None, Some(one)) => Some((one, None)),
        (None, None) => None,
    }
}

/// OVERLAPS of (start, end) pairs: half-open periods, a null end leaves it unknown unless the known ends decide.
fn overlaps(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| {
        let (Some((s1, e1)), Some((s2, e2))) =
            (period(&values[0], &values[1]), period(&values[2], &values[3]))
        else {
            return Ok(Value::Null);
        };
        let answer = |known: Option<bool>| known.map_or(Value::Null, Value::Bool);
        Ok(match s1.cmp(&s2) {
            std::cmp::Ordering::Greater => answer(match e2 {
                Some(e2) if s1 < e2 => Some(true),
                Some(_) if e1.is_some() => Some(false),
                _ => None,
            }),
            std::cmp::Ordering::Less => answer(match e1 {
                Some(e1) if s2 < e1 => Some(true),
                Some(_) if e2.is_some() => Some(false),
                _ => None,
            }),
            std::cmp::Ordering::Equal => answer((e1.is_some() && e2.is_some()).then_some(true)),
        })
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1299 now() -> TimestampTz: strict stable = |c, _| map0(c, || c.session.transaction_timestamp());
    2647 transaction_timestamp() -> TimestampTz: strict stable = |c, _| map0(c, || c.session.transaction_timestamp());
    2648 statement_timestamp() -> TimestampTz: strict stable = |c, _| map0(c, || c.session.statement_timestamp());
    2649 clock_timestamp() -> TimestampTz: strict volatile = |c, _| map0(c, || c.session.clock_timestamp());
    274 timeofday() -> Text: strict volatile raises = |c, _| map0(c, || time_of_day(c));
    6199 extract(Text, Date) -> Numeric: strict immutable raises = |c, a| map2(c, a, fields::extract_date);
    6200 extract(Text, Time) -> Numeric: strict immutable raises = |c, a| map2(c, a, fields::extract_time);
    6202 extract(Text, Timestamp) -> Numeric: strict immutable raises = |c, a| map2(c, a, fields::extract_timestamp);
    6203 extract(Text, TimestampTz) -> Numeric: strict stable raises = |c, a| map2(c, a, |name: &str, v: i64| fields::extract_timestamptz(name, v, c.session.time_zone()));
    6204 extract(Text, Interval) -> Numeric: strict immutable raises = |c, a| map2(c, a, fields::extract_interval);
    1384 date_part(Text, Date) -> Float8: strict immutable raises = |c, a| map2(c, a, |name: &str, v: i32| Ok(fields::extract_timestamp(name, date_to_timestamp(v)?)?.map(float)));
    1385 date_part(Text, Time) -> Float8: strict immutable raises = |c, a| map2(c, a, |name: &str, v: i64| fields::extract_time(name, v).map(float));
    2021 date_part(Text, Timestamp) -> Float8: strict immutable raises = |c, a| map2(c, a, |name: &str, v: i64| Ok(fields::extract_timestamp(name, v)?.map(float)));
    1171 date_part(Text, TimestampTz) -> Float8: strict stable raises = |c, a| map2(c, a, |name: &str, v: i64| Ok(fields::extract_timestamptz(name, v, c.session.time_zone())?.map(float)));
    1172 date_part(Text, Interval) -> Float8: strict immutable raises = |c, a| map2(c, a, |name: &str, v: Interval| fields::extract_interval(name, v).map(float));
    2020 date_trunc(Text, Timestamp) -> Timestamp: strict immutable raises = |c, a| map2(c, a, fields::trunc_timestamp);
    1217 date_trunc(Text, TimestampTz) -> TimestampTz: strict stable raises = |c, a| map2(c, a, |name: &str, v: i64| fields::trunc_timestamptz(name, v, c.session.time_zone()));
    1284 date_trunc(Text, TimestampTz, Text) -> TimestampTz: strict stable raises = |c, a| map3(c, a, |name: &str, v: i64, zone_name: &str| fields::trunc_timestamptz(name, v, &*zone(zone_name)?));
    1218 date_trunc(Text, Interval) -> Interval: strict immutable raises = |c, a| map2(c, a, fields::trunc_interval);
    6177 date_bin(Interval, Timestamp, Timestamp) -> Timestamp: strict immutable raises = |c, a| map3(c, a, date_bin);
    6178 date_bin(Interval, TimestampTz, TimestampTz) -> TimestampTz: strict immutable raises = |c, a| map3(c, a, date_bin);
    2058 age(Timestamp, Timestamp) -> Interval: strict immutable raises = |c, a| map2(c, a, age);
    1199 age(TimestampTz, TimestampTz) -> Interval: strict immutable raises = |c, a| map2(c, a, |x: i64, y: i64| age(local(c, x)?, local(c, y)?));
    2059 age(Timestamp) -> Interval: strict stable raises = |c, a| map1(c, a, |x: i64| age(today(c)?, x));
    1386 age(TimestampTz) -> Interval: strict stable raises = |c, a| map1(c, a, |x: i64| age(today(c)?, local(c, x)?));
    1373 isfinite(Date) -> Bool: strict immutable = |c, a| map1(c, a, |v: i32| v != i32::MIN && v != i32::MAX);
    2048 isfinite(Timestamp) -> Bool: strict immutable = |c, a| map1(c, a, |v: i64| !is_infinite(v));
    1389 isfinite(TimestampTz) -> Bool: strict immutable = |c, a| map1(c, a, |v: i64| !is_infinite(v));
    1390 isfinite(Interval) -> Bool: strict immutable = |c, a| map1(c, a, |_: Interval| true);
    1295 justify_days(Interval) -> Interval: strict immutable raises = |c, a| map1(c, a, Interval::justify_days);
    1175 justify_hours(Interval) -> Interval: strict immutable raises = |c, a| map1(c, a, Interval::justify_hours);
    2711 justify_interval(Interval) -> Interval: strict immutable raises = |c, a| map1(c, a, Interval::justify);
    3846 make_date(Int4, Int4, Int4) -> Date: strict immutable raises = |c, a| map3(c, a, make_date);
    3847 make_time(Int4, Int4, Float8) -> Time: strict immutable raises = |c, a| map3(c, a, make_time);
    3461 make_timestamp(Int4, Int4, Int4, Int4, Int4, Float8) -> Timestamp: strict immutable raises = |c, a| map6(c, a, make_timestamp);
    3462 make_timestamptz(Int4, Int4, Int4, Int4, Int4, Float8) -> TimestampTz: strict stable raises = |c, a| map6(c, a, |y: i32, m: i32, d: i32, h: i32, min: i32, s: f64| utc(c, make_timestamp(y, m, d, h, min, s)?));
    3463 make_timestamptz(Int4, Int4, Int4, Int4, Int4, Float8, Text) -> TimestampTz: strict stable raises = |c, a| map7(c, a, |y: i32, m: i32, d: i32, h: i32, min: i32, s: f64, name: &str| local_to_utc(&*zone(name)?, make_timestamp(y, m, d, h, min, s)?));
    3464 make_interval(Int4, Int4, Int4, Int4, Int4, Int4, Float8) -> Interval: strict immutable raises defaults_7 = make_interval;
    1159 timezone(Text, TimestampTz) -> Timestamp: strict immutable raises = |c, a| map2(c, a, |name: &str, v: i64| utc_to_local(&*zone(name)?, v));
    2069 timezone(Text, Timestamp) -> TimestampTz: strict immutable raises = |c, a| map2(c, a, |name: &str, v: i64| local_to_utc(&*zone(name)?, v));
    1026 timezone(Interval, TimestampTz) -> Timestamp: strict immutable raises = |c, a| map2(c, a, |offset: Interval, v: i64| shifted(v, offset, 1));
    2070 timezone(Interval, Timestamp) -> TimestampTz: strict immutable raises = |c, a| map2(c, a, |offset: Interval, v: i64| shifted(v, offset, -1));
    1158 to_timestamp(Float8) -> TimestampTz: strict immutable raises = |c, a| map1(c, a, to_timestamp);
    1778 to_timestamp(Text, Text) -> TimestampTz: strict stable raises = |c, a| map2(c, a, |text: &str, pattern: &str| pattern::to_timestamp(text, pattern, c.session.format()));
    1780 to_date(Text, Text) -> Date: strict stable raises = |c, a| map2(c, a, pattern::to_date);
    1777 to_number(Text, Text) -> Numeric: strict stable raises = |c, a| map2(c, a, pattern::to_number);
    2049 to_char(Timestamp, Text) -> Text: strict stable raises = to_char;
    1770 to_char(TimestampTz, Text) -> Text: strict stable raises = to_char;
    1768 to_char(Interval, Text) -> Text: strict stable raises = to_char;
    1772 to_char(Numeric, Text) -> Text: strict stable raises = to_char;
    1773 to_char(Int4, Text) -> Text: strict stable raises = to_char;
    1774 to_char(Int8, Text) -> Text: strict stable raises = to_char;
    1775 to_char(Float4, Text) -> Text: strict stable raises = to_char;
    1776 to_char(Float8, Text) -> Text: strict stable raises = to_char;
    2041 overlaps(Timestamp, Timestamp, Timestamp, Timestamp) -> Bool: immutable raises = overlaps;
    1304 overlaps(TimestampTz, TimestampTz, TimestampTz, TimestampTz) -> Bool: immutable raises = overlaps;
    1308 overlaps(Time, Time, Time, Time) -> Bool: immutable raises = overlaps;
    2029 date(Timestamp) -> Date: strict immutable raises = |c, a| map1(c, a, timestamp_to_date);
    1178 date(TimestampTz) -> Date: strict stable raises = |c, a| map1(c, a, |v: i64| Ok(timestamp_to_date(local(c, v)?)));
};
