//! Time zones: offsets at an instant, and the instant of a local time.
//!
//! The rules come from jiff's copy of the IANA database, whose range is the years -9999 to 9999. PostgreSQL's is larger;
//! the Gregorian calendar and the rules repeat every 400 years, so later times are asked at the same place of the last
//! cycles, and earlier ones at the beginning.

use super::civil::CYCLE_DAYS;
use super::time::{SECOND_MICROS, UNIX_EPOCH_MICROS};
use crate::format::TimeZone;
use crate::{Error, Result, SqlState};
use jiff::tz::{AmbiguousOffset, Offset};

/// 400 years in seconds.
const CYCLE_SECONDS: i64 = CYCLE_DAYS * 86_400;
/// 9000-01-01 in seconds since 1970: later times are moved before it.
const LATE_SECONDS: i64 = 221_845_392_000;
/// -9000-01-01, about: earlier times are taken as this one.
const EARLY_SECONDS: i64 = -346_000_000_000;

/// Seconds since 1970 that the database can answer for.
fn askable(seconds: i64) -> i64 {
    if seconds > LATE_SECONDS {
        LATE_SECONDS - CYCLE_SECONDS + (seconds - LATE_SECONDS).rem_euclid(CYCLE_SECONDS)
    } else {
        seconds.max(EARLY_SECONDS)
    }
}

fn instant(utc_micros: i64) -> jiff::Timestamp {
    let seconds = utc_micros.div_euclid(SECOND_MICROS) + UNIX_EPOCH_MICROS / SECOND_MICROS;
    jiff::Timestamp::from_second(askable(seconds)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Seconds east of UTC at a UTC time (microseconds since 2000-01-01).
#[inline]
pub fn offset_at(zone: &TimeZone, utc_micros: i64) -> i32 {
    match zone.zone.to_fixed_offset() {
        Ok(offset) => offset.seconds(),
        Err(_) => zone.zone.to_offset(instant(utc_micros)).seconds(),
    }
}

/// Whether daylight saving time is in force at a UTC time.
pub fn is_dst_at(zone: &TimeZone, utc_micros: i64) -> bool {
    zone.zone.to_offset_info(instant(utc_micros)).dst().is_dst()
}

/// The zone's abbreviation at a UTC time; none if the database has only a number.
pub fn abbreviation_at(zone: &TimeZone, utc_micros: i64) -> Option<String> {
    if zone.zone == jiff::tz::TimeZone::UTC {
        return Some("UTC".to_owned());
    }
    let info = zone.zone.to_offset_info(instant(utc_micros));
    let abbreviation = info.abbreviation();
    let named = abbreviation.bytes().any(|b| b.is_ascii_alphabetic());
    named.then(|| abbreviation.to_owned())
}

/// Seconds east of UTC for a local time: before the change in a gap, after it in a fold.
pub fn offset_of_local(zone: &TimeZone, local_micros: i64) -> i32 {
    if let Ok(offset) = zone.zone.to_fixed_offset() {
        return offset.seconds();
    }
    let local = instant(local_micros);
    let civil = Offset::UTC.to_datetime(local);
    match zone.zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
        AmbiguousOffset::Gap { before, .. } => before.seconds(),
        AmbiguousOffset::Fold { after, .. } => after.seconds(),
    }
}

/// The UTC time of a local time in `zone`; infinities stay.
///
/// # Errors
/// 22008 if it is out of range.
pub fn local_to_utc(zone: &TimeZone, local_micros: i64) -> Result<i64> {
    if super::is_infinite(local_micros) {
        return Ok(local_micros);
    }
    let offset = i64::from(offset_of_local(zone, local_micros)) * SECOND_MICROS;
    let utc = local_micros.checked_sub(offset).filter(|utc| !super::is_infinite(*utc));
    utc.and_then(|utc| super::check_timestamp(utc).ok())
        .ok_or_else(|| super::time::out_of_range("timestamp"))
}

/// The local time in `zone` of a UTC time; infinities stay.
///
/// # Errors
/// 22008 if it is out of range.
pub fn utc_to_local(zone: &TimeZone, utc_micros: i64) -> Result<i64> {
    if super::is_infinite(utc_micros) {
        return Ok(utc_micros);
    }
    let offset = i64::from(offset_at(zone, utc_micros)) * SECOND_MICROS;
    let local = utc_micros.checked_add(offset).filter(|local| !super::is_infinite(*local));
    local
        .and_then(|local| super::check_timestamp(local).ok())
        .ok_or_else(|| super::time::out_of_range("timestamp"))
}

/// A zone at a fixed number of seconds east of UTC, named in POSIX's notation.
pub(crate) fn fixed(seconds: i32, name: String) -> Option<TimeZone> {
    let offset = Offset::from_seconds(seconds).ok()?;
    Some(TimeZone { name, zone: jiff::tz::TimeZone::fixed(offset) })
}

/// `<+05>-05`: how a zone of a bare offset is called.
fn offset_name(seconds: i32) -> String {
    let digits = |sign: char| {
        let size = seconds.unsigned_abs();
        let (hours, minutes, seconds) = (size / 3600, size / 60 % 60, size % 60);
        match (minutes, seconds) {
            (0, 0) => format!("{sign}{hours:02}"),
            (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
            _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
        }
    };
    let (own, posix) = if seconds < 0 { ('-', '+') } else { ('+', '-') };
    format!("<{}>{}", digits(own), digits(posix).trim_start_matches('+'))
}

/// See [`TimeZone::parse`].
pub(crate) fn parse_zone(name: &str) -> Result<TimeZone> {
    let invalid = || {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"TimeZone\": \"{name}\""),
        )
    };
    let word = name.trim();
    if let Ok(hours) = word.parse::<f64>() {
        if hours.is_nan() || hours.abs() >= 168.0 {
            return Err(invalid());
        }
        let seconds = (hours * 3600.0) as i32;
        return fixed(seconds, offset_name(seconds)).ok_or_else(invalid);
    }
    named(word).ok_or_else(invalid)
}

/// The zone of a name of the database or of a POSIX description.
pub(crate) fn named(name: &str) -> Option<TimeZone> {
    if name.is_empty() {
        return None;
    }
    if name.eq_ignore_ascii_case("utc") {
        return Some(TimeZone::utc());
    }
    if let Ok(zone) = jiff::tz::db().get(name) {
        let name = zone.iana_name().unwrap_or(name).to_owned();
        return Some(TimeZone { name, zone });
    }
    posix(name)
}

/// `UTC+3`, `<+05>-05`, `EST5EDT`: offsets are west of UTC.
fn posix(name: &str) -> Option<TimeZone> {
    if !name.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    if let Ok(zone) = jiff::tz::TimeZone::posix(name) {
        return Some(TimeZone { name: name.to_owned(), zone });
    }
    // PostgreSQL also takes a short or missing name before the offset.
    let rest = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let (negative, digits) = match rest.as_bytes().first()? {
        b'-' => (true, &rest[1..]),
        b'+' => (false, &rest[1..]),
        _ => (false, rest),
    };
    let mut parts = digits.split(':').map(|part| {
        let digits =
            !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<i32>().ok()).flatten()
    });
    let hours = parts.next()??;
    let minutes = parts.next().map_or(Some(0), |part| part)?;
    let seconds = parts.next().map_or(Some(0), |part| part)?;
    if parts.next().is_some() || minutes > 59 || seconds > 59 {
        return None;
    }
    let west = hours * 3600 + minutes * 60 + seconds;
    fixed(if negative { west } else { -west }, name.to_owned())
}
