//! `timetz` in 64 bits whose order is the type's.
//!
//! PostgreSQL orders by the time in UTC, then by the zone west of Greenwich. So the word is the UTC time (shifted to
//! stay positive) above 18 bits of zone.

use super::time::{DAY_MICROS, check_time};
use crate::{Error, Result, SqlState};

const ZONE_BITS: u32 = 18;
const ZONE_BIAS: i64 = 1 << (ZONE_BITS - 1);
const SECOND: i64 = 1_000_000;
/// Zones are less than this many seconds from UTC.
pub(crate) const ZONE_LIMIT: i32 = 16 * 3600;
/// Keeps the UTC time positive.
const TIME_BIAS: i64 = ZONE_LIMIT as i64 * SECOND;

/// The word for a local time and a zone in seconds *west* of UTC.
pub fn pack(time: i64, zone: i32) -> i64 {
    debug_assert!((0..=DAY_MICROS).contains(&time) && zone.abs() < ZONE_LIMIT);
    let utc = time + i64::from(zone) * SECOND + TIME_BIAS;
    utc << ZONE_BITS | (i64::from(zone) + ZONE_BIAS)
}

/// Local time in microseconds and zone in seconds west of UTC.
pub fn unpack(packed: i64) -> (i64, i32) {
    let zone = (packed & ((1 << ZONE_BITS) - 1)) - ZONE_BIAS;
    let time = (packed >> ZONE_BITS) - TIME_BIAS - zone * SECOND;
    (time, zone as i32)
}

/// The word for parts that come from outside.
pub(crate) fn pack_checked(time: i64, zone: i32) -> Result<i64> {
    let time = check_time(time)?;
    if zone <= -ZONE_LIMIT || zone >= ZONE_LIMIT {
        return Err(Error::new(
            SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
            "time zone displacement out of range",
        ));
    }
    Ok(pack(time, zone))
}
