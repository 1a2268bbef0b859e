//! Arithmetic of dates, times, timestamps and intervals, and comparisons across them.
//!
//! What mixes timestamptz with local time asks the session for its zone.

use super::comparison::Test;
use crate::KernelContext;
use crate::lanes::{binary_fallible, predicate};
use crate::registry::{ScalarFunction, family};
use crate::rows::map1;
use damask_types::datetime::arithmetic::{
    date_add_days, date_sub, time_add, timestamp_add, timestamp_of, timestamp_sub, timestamptz_add,
};
use damask_types::datetime::fields::compare_date_timestamp;
use damask_types::datetime::zone::local_to_utc;
use damask_types::datetime::{arithmetic::date_to_timestamp, is_infinite};
use damask_types::{Interval, Result, Vector};
use std::cmp::Ordering;

/// The order of a date (at its start in the session's zone) and a timestamptz.
fn order_date_timestamptz(ctx: &KernelContext<'_>, date: i32, timestamp: i64) -> Ordering {
    match date_to_timestamp(date).and_then(|local| local_to_utc(ctx.session.time_zone(), local)) {
        Ok(start) => start.cmp(&timestamp),
        Err(_) => compare_date_timestamp(date, timestamp),
    }
}

/// The order of a local timestamp and a timestamptz.
fn order_timestamp_timestamptz(ctx: &KernelContext<'_>, local: i64, timestamp: i64) -> Ordering {
    match local_to_utc(ctx.session.time_zone(), local) {
        Ok(utc) => utc.cmp(&timestamp),
        Err(_) => local.cmp(&timestamp),
    }
}

fn date_timestamp(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    predicate(ctx, args, |date: i32, timestamp: i64| {
        test.holds(compare_date_timestamp(date, timestamp))
    })
}

fn timestamp_date(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    predicate(ctx, args, |timestamp: i64, date: i32| {
        test.holds(compare_date_timestamp(date, timestamp).reverse())
    })
}

fn date_timestamptz(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    predicate(ctx, args, |date: i32, timestamp: i64| {
        test.holds(order_date_timestamptz(ctx, date, timestamp))
    })
}

fn timestamptz_date(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    predicate(ctx, args, |timestamp: i64, date: i32| {
        test.holds(order_date_timestamptz(ctx, date, timestamp).reverse())
    })
}

fn timestamp_timestamptz(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    predicate(ctx, args, |local: i64, timestamp: i64| {
        test.holds(order_timestamp_timestamptz(ctx, local, timestamp))
    })
}

fn timestamptz_timestamp(ctx: &KernelContext<'_>, args: &[Vector], test: Test) -> Result<Vector> {
    predicate(ctx, args, |timestamp: i64, local: i64| {
        test.holds(order_timestamp_timestamptz(ctx, local, timestamp).reverse())
    })
}

fn date_add(date: i32, interval: Interval) -> Result<i64> {
    timestamp_add(date_to_timestamp(date)?, interval)
}

fn timestamp_minus(timestamp: i64, interval: Interval) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    timestamp_add(timestamp, interval.checked_neg()?)
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1141 date_pli(Date, Int4) -> Date: strict immutable raises = |c, a| binary_fallible(c, a, date_add_days);
    1142 date_mii(Date, Int4) -> Date: strict immutable raises = |c, a| binary_fallible(c, a, |date: i32, days: i32| date_add_days(date, days.wrapping_neg()));
    2550 integer_pl_date(Int4, Date) -> Date: strict immutable raises = |c, a| binary_fallible(c, a, |days: i32, date: i32| date_add_days(date, days));
    1140 date_mi(Date, Date) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, date_sub);
    2071 date_pl_interval(Date, Interval) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, date_add);
    2072 date_mi_interval(Date, Interval) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, |date: i32, interval: Interval| timestamp_minus(date_to_timestamp(date)?, interval));
    2546 interval_pl_date(Interval, Date) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, |interval: Interval, date: i32| date_add(date, interval));
    2032 timestamp_pl_interval(Timestamp, Interval) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, timestamp_add);
    2033 timestamp_mi_interval(Timestamp, Interval) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, timestamp_minus);
    2548 interval_pl_timestamp(Interval, Timestamp) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, |interval: Interval, timestamp: i64| timestamp_add(timestamp, interval));
    1189 timestamptz_pl_interval(TimestampTz, Interval) -> TimestampTz: strict stable raises = |c, a| binary_fallible(c, a, |timestamp: i64, interval: Interval| timestamptz_add(timestamp, interval, c.session.time_zone()));
    1190 timestamptz_mi_interval(TimestampTz, Interval) -> TimestampTz: strict stable raises = |c, a| binary_fallible(c, a, |timestamp: i64, interval: Interval| timestamptz_add(timestamp, interval.checked_neg()?, c.session.time_zone()));
    2549 interval_pl_timestamptz(Interval, TimestampTz) -> TimestampTz: strict stable raises = |c, a| binary_fallible(c, a, |interval: Interval, timestamp: i64| timestamptz_add(timestamp, interval, c.session.time_zone()));
    2031 timestamp_mi(Timestamp, Timestamp) -> Interval: strict immutable raises = |c, a| binary_fallible(c, a, timestamp_sub);
    1188 timestamptz_mi(TimestampTz, TimestampTz) -> Interval: strict immutable raises = |c, a| binary_fallible(c, a, timestamp_sub);
    1272 datetime_pl(Date, Time) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, timestamp_of);
    1296 timedate_pl(Time, Date) -> Timestamp: strict immutable raises = |c, a| binary_fallible(c, a, |time: i64, date: i32| timestamp_of(date, time));
    1747 time_pl_interval(Time, Interval) -> Time: strict immutable = |c, a| binary_fallible(c, a, |time: i64, interval: Interval| Ok(time_add(time, interval)));
    1848 interval_pl_time(Interval, Time) -> Time: strict immutable = |c, a| binary_fallible(c, a, |interval: Interval, time: i64| Ok(time_add(time, interval)));
    1748 time_mi_interval(Time, Interval) -> Time: strict immutable = |c, a| binary_fallible(c, a, |time: i64, interval: Interval| Ok(time_add(time, Interval { micros: interval.micros.wrapping_neg(), ..interval })));
    1690 time_mi_time(Time, Time) -> Interval: strict immutable = |c, a| binary_fallible(c, a, |x: i64, y: i64| Ok(Interval { months: 0, days: 0, micros: x - y }));
    1169 interval_pl(Interval, Interval) -> Interval: strict immutable raises = |c, a| binary_fallible(c, a, Interval::checked_add);
    1170 interval_mi(Interval, Interval) -> Interval: strict immutable raises = |c, a| binary_fallible(c, a, Interval::checked_sub);
    1168 interval_um(Interval) -> Interval: strict immutable raises = |c, a| map1(c, a, Interval::checked_neg);
    1618 interval_mul(Interval, Float8) -> Interval: strict immutable raises = |c, a| binary_fallible(c, a, Interval::mul);
    1624 mul_d_interval(Float8, Interval) -> Interval: strict immutable raises = |c, a| binary_fallible(c, a, |factor: f64, interval: Interval| interval.mul(factor));
    1326 interval_div(Interval, Float8) -> Interval: strict immutable raises = |c, a| binary_fallible(c, a, Interval::div);
    2340 date_eq_timestamp(Date, Timestamp) -> Bool: strict immutable = |c, a| date_timestamp(c, a, Test::Equal);
    2366 timestamp_eq_date(Timestamp, Date) -> Bool: strict immutable = |c, a| timestamp_date(c, a, Test::Equal);
    2353 date_eq_timestamptz(Date, TimestampTz) -> Bool: strict stable = |c, a| date_timestamptz(c, a, Test::Equal);
    2379 timestamptz_eq_date(TimestampTz, Date) -> Bool: strict stable = |c, a| timestamptz_date(c, a, Test::Equal);
    2522 timestamp_eq_timestamptz(Timestamp, TimestampTz) -> Bool: strict stable = |c, a| timestamp_timestamptz(c, a, Test::Equal);
    2529 timestamptz_eq_timestamp(TimestampTz, Timestamp) -> Bool: strict stable = |c, a| timestamptz_timestamp(c, a, Test::Equal);
    2343 date_ne_timestamp(Date, Timestamp) -> Bool: strict immutable = |c, a| date_timestamp(c, a, Test::NotEqual);
    2369 timestamp_ne_date(Timestamp, Date) -> Bool: strict immutable = |c, a| timestamp_date(c, a, Test::NotEqual);
    2356 date_ne_timestamptz(Date, TimestampTz) -> Bool: strict stable = |c, a| date_timestamptz(c, a, Test::NotEqual);
    2382 timestamptz_ne_date(TimestampTz, Date) -> Bool: strict stable = |c, a| timestamptz_date(c, a, Test::NotEqual);
    2525 timestamp_ne_timestamptz(Timestamp, TimestampTz) -> Bool: strict stable = |c, a| timestamp_timestamptz(c, a, Test::NotEqual);
    2532 timestamptz_ne_timestamp(TimestampTz, Timestamp) -> Bool: strict stable = |c, a| timestamptz_timestamp(c, a, Test::NotEqual);
    2338 date_lt_timestamp(Date, Timestamp) -> Bool: strict immutable = |c, a| date_timestamp(c, a, Test::Less);
    2364 timestamp_lt_date(Timestamp, Date) -> Bool: strict immutable = |c, a| timestamp_date(c, a, Test::Less);
    2351 date_lt_timestamptz(Date, TimestampTz) -> Bool: strict stable = |c, a| date_timestamptz(c, a, Test::Less);
    2377 timestamptz_lt_date(TimestampTz, Date) -> Bool: strict stable = |c, a| timestamptz_date(c, a, Test::Less);
    2520 timestamp_lt_timestamptz(Timestamp, TimestampTz) -> Bool: strict stable = |c, a| timestamp_timestamptz(c, a, Test::Less);
    2527 timestamptz_lt_timestamp(TimestampTz, Timestamp) -> Bool: strict stable = |c, a| timestamptz_timestamp(c, a, Test::Less);
    2339 date_le_timestamp(Date, Timestamp) -> Bool: strict immutable = |c, a| date_timestamp(c, a, Test::LessEqual);
    2365 timestamp_le_date(Timestamp, Date) -> Bool: strict immutable = |c, a| timestamp_date(c, a, Test::LessEqual);
    2352 date_le_timestamptz(Date, TimestampTz) -> Bool: strict stable = |c, a| date_timestamptz(c, a, Test::LessEqual);
    2378 timestamptz_le_date(TimestampTz, Date) -> Bool: strict stable = |c, a| timestamptz_date(c, a, Test::LessEqual);
    2521 timestamp_le_timestamptz(Timestamp, TimestampTz) -> Bool: strict stable = |c, a| timestamp_timestamptz(c, a, Test::LessEqual);
    2528 timestamptz_le_timestamp(TimestampTz, Timestamp) -> Bool: strict stable = |c, a| timestamptz_timestamp(c, a, Test::LessEqual);
    2341 date_gt_timestamp(Date, Timestamp) -> Bool: strict immutable = |c, a| date_timestamp(c, a, Test::Greater);
    2367 timestamp_gt_date(Timestamp, Date) -> Bool: strict immutable = |c, a| timestamp_date(c, a, Test::Greater);
    2354 date_gt_timestamptz(Date, TimestampTz) -> Bool: strict stable = |c, a| date_timestamptz(c, a, Test::Greater);
    2380 timestamptz_gt_date(TimestampTz, Date) -> Bool: strict stable = |c, a| timestamptz_date(c, a, Test::Greater);
    2523 timestamp_gt_timestamptz(Timestamp, TimestampTz) -> Bool: strict stable = |c, a| timestamp_timestamptz(c, a, Test::Greater);
    2530 timestamptz_gt_timestamp(TimestampTz, Timestamp) -> Bool: strict stable = |c, a| timestamptz_timestamp(c, a, Test::Greater);
    2342 date_ge_timestamp(Date, Timestamp) -> Bool: strict immutable = |c, a| date_timestamp(c, a, Test::GreaterEqual);
    2368 timestamp_ge_date(Timestamp, Date) -> Bool: strict immutable = |c, a| timestamp_date(c, a, Test::GreaterEqual);
    2355 date_ge_timestamptz(Date, TimestampTz) -> Bool: strict stable = |c, a| date_timestamptz(c, a, Test::GreaterEqual);
    2381 timestamptz_ge_date(TimestampTz, Date) -> Bool: strict stable = |c, a| timestamptz_date(c, a, Test::GreaterEqual);
    2524 timestamp_ge_timestamptz(Timestamp, TimestampTz) -> Bool: strict stable = |c, a| timestamp_timestamptz(c, a, Test::GreaterEqual);
    2531 timestamptz_ge_timestamp(TimestampTz, Timestamp) -> Bool: strict stable = |c, a| timestamptz_timestamp(c, a, Test::GreaterEqual);
};
