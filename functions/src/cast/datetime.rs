//! Casts among dates, times, timestamps and intervals, and their precisions.

use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2};
use damask_types::datetime::arithmetic::{date_to_timestamp, timestamp_of};
use damask_types::datetime::zone::{local_to_utc, utc_to_local};
use damask_types::datetime::{DAY_MICROS, is_infinite, round_micros, round_timestamp, split};
use damask_types::{Interval, Result};

/// The time of day; an infinite timestamp has none.
fn time(timestamp: i64) -> Option<i64> {
    (!is_infinite(timestamp)).then(|| split(timestamp).1)
}

fn precision(timestamp: i64, typmod: i32) -> Result<i64> {
    if typmod < 0 { Ok(timestamp) } else { round_timestamp(timestamp, typmod) }
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    2024 timestamp(Date) -> Timestamp: strict immutable raises = |c, a| map1(c, a, date_to_timestamp);
    2025 timestamp(Date, Time) -> Timestamp: strict immutable raises = |c, a| map2(c, a, timestamp_of);
    1174 timestamptz(Date) -> TimestampTz: strict stable raises = |c, a| map1(c, a, |v: i32| local_to_utc(c.session.time_zone(), date_to_timestamp(v)?));
    1176 timestamptz(Date, Time) -> TimestampTz: strict stable raises = |c, a| map2(c, a, |date: i32, time: i64| local_to_utc(c.session.time_zone(), timestamp_of(date, time)?));
    2028 timestamptz(Timestamp) -> TimestampTz: strict stable raises = |c, a| map1(c, a, |v: i64| local_to_utc(c.session.time_zone(), v));
    2027 timestamp(TimestampTz) -> Timestamp: strict stable raises = |c, a| map1(c, a, |v: i64| utc_to_local(c.session.time_zone(), v));
    1316 time(Timestamp) -> Time: strict immutable = |c, a| map1(c, a, time);
    2019 time(TimestampTz) -> Time: strict stable raises = |c, a| map1(c, a, |v: i64| Ok(time(utc_to_local(c.session.time_zone(), v)?)));
    1419 time(Interval) -> Time: strict immutable = |c, a| map1(c, a, |v: Interval| v.micros.rem_euclid(DAY_MICROS));
    1370 interval(Time) -> Interval: strict immutable = |c, a| map1(c, a, |micros: i64| Interval { months: 0, days: 0, micros });
    1961 timestamp(Timestamp, Int4) -> Timestamp: strict immutable raises = |c, a| map2(c, a, precision);
    1967 timestamptz(TimestampTz, Int4) -> TimestampTz: strict immutable raises = |c, a| map2(c, a, precision);
    1968 time(Time, Int4) -> Time: strict immutable = |c, a| map2(c, a, |v: i64, typmod: i32| if typmod < 0 { v } else { round_micros(v, typmod) });
    1200 interval(Interval, Int4) -> Interval: strict immutable raises = |c, a| map2(c, a, Interval::apply_typmod);
};
