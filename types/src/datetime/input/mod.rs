//! Dates and times from text, in every form that PostgreSQL takes.
//!
//! Text is first cut into fields ([`cut`]) whose kind follows from their characters alone: a time has a colon, a date
//! a separator, a zone a sign. Then the fields are read from left to right into [`Parts`]; what a bare number means
//! depends on what was seen before it and on `DateStyle`'s order. A part given twice is an error, which is what [`Seen`]
//! is for. The grammar is that of PostgreSQL's `DecodeDateTime` and `DecodeTimeOnly`, heuristics included, since dumps
//! and drivers rely on them.

mod cut;
mod failure;
mod number;
mod parts;
mod word;

pub(crate) use cut::{Kind, split};
pub(crate) use failure::{Failure, Parse};
pub(crate) use number::{leading_i64, read_clock, read_offset};

use super::civil::{days_from_civil, days_in_month};
use super::time::{
    DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS,
    check_date, check_timestamp, split as split_micros,
};
use super::{timetz, zone};
use crate::format::FormatSettings;
use crate::{Error, Result, SqlState};
use parts::{Outcome, Parts, Seen, Zone};

/// A date and time of day.
struct Moment {
    /// Local time.
    local: i64,
    days: i64,
    /// Seconds east of UTC that the text says; `None` if it says nothing.
    offset: Option<i32>,
}

enum Read {
    Moment(Moment),
    Epoch,
    Infinity,
    MinusInfinity,
}

fn read_moment(text: &str, settings: &FormatSettings, now: i64) -> Parse<Read> {
    if let Some((days, time)) = read_iso(text) {
        return Ok(Read::Moment(Moment { local: days * DAY_MICROS + time, days, offset: None }));
    }
    let fields = split(text)?;
    if fields.is_empty() {
        return Err(Failure::Format);
    }
    let mut parts = Parts::new(settings, now, false);
    match parts.read(&fields)? {
        Outcome::Parts => {}
        Outcome::Epoch => return Ok(Read::Epoch),
        Outcome::Infinity => return Ok(Read::Infinity),
        Outcome::MinusInfinity => return Ok(Read::MinusInfinity),
    }
    parts.validate()?;
    if !parts.seen.has(Seen::DATE) {
        return Err(Failure::Format);
    }
    // Far beyond every limit already; the caller names the type.
    if parts.year.abs() > 6_000_000 {
        return Ok(Read::Moment(Moment { local: i64::MAX, days: i64::MAX, offset: None }));
    }
    let days = parts.days();
    let local = parts.local().unwrap_or(i64::MAX);
    let offset = match &parts.zone {
        Zone::None => None,
        Zone::Offset(offset) => Some(*offset),
        Zone::Named(zone) => Some(zone::offset_of_local(zone, local)),
    };
    Ok(Read::Moment(Moment { local, days, offset }))
}

/// The form that PostgreSQL itself writes, without a zone: `yyyy-mm-dd[ hh:mm:ss[.f]]`.
fn read_iso(text: &str) -> Option<(i64, i64)> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| {
        bytes[range]
            .iter()
            .try_fold(0i64, |value, b| b.is_ascii_digit().then(|| value * 10 + i64::from(b - b'0')))
    };
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    if day > i64::from(days_in_month(year, month as u32)) {
        return None;
    }
    let days = days_from_civil(year, month as u32, day);
    if bytes.len() == 10 {
        return Some((days, 0));
    }
    if bytes.len() < 19 || bytes[10] != b' ' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if bytes.len() > 19 {
        let digits = bytes.len() - 20;
        if bytes[19] != b'.' || !(1..=6).contains(&digits) {
            return None;
        }
        micros = number(20..bytes.len())? * 10i64.pow(6 - digits as u32);
    }
    let time = hour * HOUR_MICROS + minute * MINUTE_MICROS + second * SECOND_MICROS + micros;
    Some((days, time))
}

/// Reads a date: days since 2000-01-01.
///
/// # Errors
/// 22007 for malformed text, 22008 for parts out of range, 22009 for a zone out of range.
pub fn parse_date(text: &str, settings: &FormatSettings, now: i64) -> Result<i32> {
    let moment = match read_moment(text, settings, now).map_err(|f| f.error("date", text))? {
        Read::Epoch => return Ok(-UNIX_EPOCH_DAYS),
        Read::Infinity => return Ok(i32::MAX),
        Read::MinusInfinity => return Ok(i32::MIN),
        Read::Moment(moment) => moment,
    };
    i32::try_from(moment.days)
        .ok()
        .filter(|days| *days != i32::MAX && *days != i32::MIN)
        .and_then(|days| check_date(days).ok())
        .ok_or_else(|| {
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\""))
        })
}

#[cold]
fn timestamp_out_of_range(text: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("timestamp out of range: \"{text}\""))
}

fn checked(micros: Option<i64>, text: &str) -> Result<i64> {
    micros
        .filter(|micros| !super::is_infinite(*micros))
        .and_then(|micros| check_timestamp(micros).ok())
        .ok_or_else(|| timestamp_out_of_range(text))
}

/// Reads a timestamp; a zone in the text is not looked at.
///
/// # Errors
/// 22007 for malformed text, 22008 for parts out of range, 22009 for a zone out of range.
pub fn parse_timestamp(text: &str, settings: &FormatSettings, now: i64) -> Result<i64> {
    match read_moment(text, settings, now).map_err(|f| f.error("timestamp", text))? {
        Read::Epoch => Ok(-UNIX_EPOCH_MICROS),
        Read::Infinity => Ok(i64::MAX),
        Read::MinusInfinity => Ok(i64::MIN),
        Read::Moment(moment) => checked(Some(moment.local), text),
    }
}

/// Reads a timestamptz; without a zone in the text, the settings' zone counts.
///
/// # Errors
/// 22007 for malformed text, 22008 for parts out of range, 22009 for a zone out of range.
pub fn parse_timestamptz(text: &str, settings: &FormatSettings, now: i64) -> Result<i64> {
    let read = read_moment(text, settings, now);
    match read.map_err(|f| f.error("timestamp with time zone", text))? {
        Read::Epoch => Ok(-UNIX_EPOCH_MICROS),
        Read::Infinity => Ok(i64::MAX),
        Read::MinusInfinity => Ok(i64::MIN),
        Read::Moment(moment) => {
            let offset = moment
                .offset
                .unwrap_or_else(|| zone::offset_of_local(&settings.time_zone, moment.local));
            checked(moment.local.checked_sub(i64::from(offset) * SECOND_MICROS), text)
        }
    }
}

/// A time of day in parts; those of a zone are read also where the type has none.
fn read_time_of_day<'a>(text: &str, settings: &'a FormatSettings, now: i64) -> Parse<Parts<'a>> {
    let fields = split(text)?;
    if fields.is_empty() {
        return Err(Failure::Format);
    }
    let mut parts = Parts::new(settings, now, true);
    parts.read(&fields)?;
    parts.validate()?;
    if !parts.seen.has(Seen::TIME) {
        return Err(Failure::Format);
    }
    Ok(parts)
}

/// Reads a time of day in microseconds; a zone in the text is not looked at.
///
/// # Errors
/// 22007 for malformed text, 22008 for parts out of range.
pub fn parse_time(text: &str, settings: &FormatSettings, now: i64) -> Result<i64> {
    let parts = read_time_of_day(text, settings, now).map_err(|f| f.error("time", text))?;
    // A named zone whose offset changes needs a date.
    if let Zone::Named(zone) = &parts.zone
        && zone.zone.to_fixed_offset().is_err()
        && !parts.seen.has(Seen::DATE)
    {
        return Err(Failure::Format.error("time", text));
    }
    Ok(parts.time_of_day())
}

/// Reads a timetz, packed ([`timetz`]); without a zone in the text, the settings' zone at the date counts.
///
/// # Errors
/// 22007 for malformed text, 22008 for parts out of range, 22009 for a zone out of range.
pub fn parse_timetz(text: &str, settings: &FormatSettings, now: i64) -> Result<i64> {
    const NAME: &str = "time with time zone";
    let parts = read_time_of_day(text, settings, now).map_err(|f| f.error(NAME, text))?;
    let has_date = parts.seen.has(Seen::DATE);
    let date = || if has_date { parts.days() } else { split_micros(parts.local_now()).0 };
    let local = || date().saturating_mul(DAY_MICROS).saturating_add(parts.time_of_day());
    let offset = match &parts.zone {
        Zone::Offset(offset) => *offset,
        Zone::Named(zone) => match zone.zone.to_fixed_offset() {
            Ok(offset) => offset.seconds(),
            Err(_) if has_date => zone::offset_of_local(zone, local()),
            Err(_) => return Err(Failure::Format.error(NAME, text)),
        },
        Zone::None => zone::offset_of_local(&settings.time_zone, local()),
    };
    Ok(timetz::pack(parts.time_of_day(), -offset))
}
