//! Times with a zone: comparison, arithmetic, casts, fields, other zones.
//!
//! Values are packed words whose order is the type's (`damask_types::datetime::timetz`), so comparison and aggregates are
//! those of integers. Zones are seconds west of Greenwich, as in PostgreSQL's `TimeTzADT`.

use crate::lanes::predicate;
use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2};
use crate::scalar::datetime::{interval_offset, zone};
use damask_types::datetime::arithmetic::timestamp_of;
use damask_types::datetime::fields::extract_timetz;
use damask_types::datetime::timetz::{pack, unpack};
use damask_types::datetime::zone::{offset_at, offset_of_local, utc_to_local};
use damask_types::datetime::{DAY_MICROS, check_timestamp, is_infinite, round_timetz, split};
use damask_types::format::TimeZone;
use damask_types::{Error, Interval, Result, SqlState};

const SECOND: i64 = 1_000_000;

/// `timetz(timestamptz)`: the time of day in the session's zone; an infinite timestamp has none.
fn from_timestamptz(zone: &TimeZone, timestamp: i64) -> Result<Option<i64>> {
    if is_infinite(timestamp) {
        return Ok(None);
    }
    let time = split(utc_to_local(zone, timestamp)?).1;
    Ok(Some(pack(time, -offset_at(zone, timestamp))))
}

/// `timetz(time)`: in the zone's offset of today.
fn from_time(zone: &TimeZone, now: i64, time: i64) -> Result<i64> {
    let today = split(utc_to_local(zone, now)?).0 * DAY_MICROS;
    Ok(pack(time, -offset_of_local(zone, today + time)))
}

fn moved(packed: i64, interval: Interval, sign: i64) -> i64 {
    let (time, zone) = unpack(packed);
    // Whole days fall away, and so does the sum's overflow.
    let micros = interval.micros % DAY_MICROS * sign;
    pack((time + micros).rem_euclid(DAY_MICROS), zone)
}

/// A date and a time with its zone.
fn on_date(date: i32, packed: i64) -> Result<i64> {
    let (time, west) = unpack(packed);
    let local = timestamp_of(date, time)?;
    if is_infinite(local) {
        return Ok(local);
    }
    check_timestamp(local + i64::from(west) * SECOND).map_err(|_| {
        Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
    })
}

/// The same moment in a zone so many seconds west of Greenwich.
fn in_zone(packed: i64, west: i32) -> i64 {
    let (time, own) = unpack(packed);
    let time = time + i64::from(own - west) * SECOND;
    pack(time.rem_euclid(DAY_MICROS), west)
}

fn in_offset(offset: Interval, packed: i64) -> Result<i64> {
    let east = interval_offset(offset)? / SECOND;
    // PostgreSQL takes any; what cannot be stored is refused here.
    let west = i32::try_from(-east).ok().filter(|west| west.abs() < 16 * 3600);
    let west = west.ok_or_else(|| {
        Error::new(
            SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
            "time zone displacement out of range",
        )
    })?;
    Ok(in_zone(packed, west))
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1352 timetz_eq(TimeTz, TimeTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x == y);
    1353 timetz_ne(TimeTz, TimeTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x != y);
    1354 timetz_lt(TimeTz, TimeTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x < y);
    1355 timetz_le(TimeTz, TimeTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x <= y);
    1356 timetz_ge(TimeTz, TimeTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x >= y);
    1357 timetz_gt(TimeTz, TimeTz) -> Bool: strict immutable = |c, a| predicate(c, a, |x: i64, y: i64| x > y);
    1388 timetz(TimestampTz) -> TimeTz: strict stable raises = |c, a| map1(c, a, |v: i64| from_timestamptz(c.session.time_zone(), v));
    2047 timetz(Time) -> TimeTz: strict stable raises = |c, a| map1(c, a, |v: i64| from_time(c.session.time_zone(), c.session.transaction_timestamp(), v));
    2046 time(TimeTz) -> Time: strict immutable = |c, a| map1(c, a, |v: i64| Some(unpack(v).0));
    1969 timetz(TimeTz, Int4) -> TimeTz: strict immutable = |c, a| map2(c, a, |v: i64, typmod: i32| Some(if typmod < 0 { v } else { round_timetz(v, typmod) }));
    1749 timetz_pl_interval(TimeTz, Interval) -> TimeTz: strict immutable = |c, a| map2(c, a, |v: i64, by: Interval| Some(moved(v, by, 1)));
    1750 timetz_mi_interval(TimeTz, Interval) -> TimeTz: strict immutable = |c, a| map2(c, a, |v: i64, by: Interval| Some(moved(v, by, -1)));
    2547 interval_pl_timetz(Interval, TimeTz) -> TimeTz: strict immutable = |c, a| map2(c, a, |by: Interval, v: i64| Some(moved(v, by, 1)));
    1297 datetimetz_pl(Date, TimeTz) -> TimestampTz: strict immutable raises = |c, a| map2(c, a, on_date);
    1298 timetzdate_pl(TimeTz, Date) -> TimestampTz: strict immutable raises = |c, a| map2(c, a, |v: i64, date: i32| on_date(date, v));
    1359 timestamptz(Date, TimeTz) -> TimestampTz: strict immutable raises = |c, a| map2(c, a, on_date);
    6201 extract(Text, TimeTz) -> Numeric: strict immutable raises = |c, a| map2(c, a, extract_timetz);
    1273 date_part(Text, TimeTz) -> Float8: strict immutable raises = |c, a| map2(c, a, |name: &str, v: i64| extract_timetz(name, v).map(|value| value.to_f64_lossy()));
    2037 timezone(Text, TimeTz) -> TimeTz: strict stable raises = |c, a| map2(c, a, |name: &str, v: i64| zone(name).map(|zone| Some(in_zone(v, -offset_at(&zone, c.session.transaction_timestamp())))));
    2038 timezone(Interval, TimeTz) -> TimeTz: strict immutable raises = |c, a| map2(c, a, in_offset);
};
