//! Dates and times as text, in the four styles.

use super::civil::{civil_from_days, day_of_week};
use super::time::{HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, split};
use super::{timetz, zone};
use crate::format::digits::{write_2, write_padded};
use crate::format::{DateOrder, DateStyle, FormatSettings};

/// Three-letter names of the months.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Three-letter names of the days, from Sunday.
pub(crate) const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Years before year 1 are counted backwards from 1 BC.
#[inline]
fn shown_year(year: i64) -> u64 {
    if year > 0 { year as u64 } else { (1 - year) as u64 }
}

/// Appends a date's numbers in style and order.
fn write_date_numbers(
    year: i64,
    month: u32,
    day: u32,
    settings: &FormatSettings,
    out: &mut Vec<u8>,
) {
    let year = shown_year(year);
    let (first, second, separator) = match (settings.date_style, settings.date_order) {
        (DateStyle::Iso, _) => {
            write_padded(out, year, 4);
            out.push(b'-');
            write_2(out, month);
            out.push(b'-');
            return write_2(out, day);
        }
        (DateStyle::German, _) => (day, month, b'.'),
        (DateStyle::Sql, DateOrder::Dmy) => (day, month, b'/'),
        (DateStyle::Sql, DateOrder::Mdy | DateOrder::Ymd) => (month, day, b'/'),
        (DateStyle::Postgres, DateOrder::Dmy) => (day, month, b'-'),
        (DateStyle::Postgres, DateOrder::Mdy | DateOrder::Ymd) => (month, day, b'-'),
    };
    write_2(out, first);
    out.push(separator);
    write_2(out, second);
    out.push(separator);
    write_padded(out, year, 4);
}

/// Appends a date.
pub fn write_date(days: i32, settings: &FormatSettings, out: &mut Vec<u8>) {
    match days {
        i32::MIN => return out.extend_from_slice(b"-infinity"),
        i32::MAX => return out.extend_from_slice(b"infinity"),
        _ => {}
    }
    let (year, month, day) = civil_from_days(days.into());
    write_date_numbers(year, month, day, settings, out);
    if year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// Appends the fraction of a second with its point; nothing for zero.
#[inline]
pub(crate) fn write_fraction(micros: u64, out: &mut Vec<u8>) {
    if micros == 0 {
        return;
    }
    out.push(b'.');
    write_padded(out, micros, 6);
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// Appends `hh:mm:ss[.ffffff]`.
#[inline]
pub fn write_time(micros: i64, out: &mut Vec<u8>) {
    write_2(out, (micros / HOUR_MICROS) as u32);
    out.push(b':');
    write_2(out, (micros / MINUTE_MICROS % 60) as u32);
    out.push(b':');
    write_2(out, (micros / SECOND_MICROS % 60) as u32);
    write_fraction((micros % SECOND_MICROS) as u64, out);
}

/// Appends an offset of `seconds` east: `+hh[:mm[:ss]]`.
pub(crate) fn write_offset(seconds: i32, out: &mut Vec<u8>) {
    out.push(if seconds < 0 { b'-' } else { b'+' });
    let size = seconds.unsigned_abs();
    write_2(out, size / 3600);
    if !size.is_multiple_of(3600) {
        out.push(b':');
        write_2(out, size / 60 % 60);
        if !size.is_multiple_of(60) {
            out.push(b':');
            write_2(out, size % 60);
        }
    }
}

/// Appends a packed timetz.
pub fn write_timetz(packed: i64, _settings: &FormatSettings, out: &mut Vec<u8>) {
    let (time, zone) = timetz::unpack(packed);
    write_time(time, out);
    write_offset(-zone, out);
}

fn write_infinity(micros: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(if micros < 0 { b"-infinity" } else { b"infinity" });
}

/// Appends a timestamp.
pub fn write_timestamp(micros: i64, settings: &FormatSettings, out: &mut Vec<u8>) {
    if super::is_infinite(micros) {
        return write_infinity(micros, out);
    }
    write_local(micros, None, settings, out);
}

/// Appends a timestamptz in the settings' zone.
pub fn write_timestamptz(micros: i64, settings: &FormatSettings, out: &mut Vec<u8>) {
    if super::is_infinite(micros) {
        return write_infinity(micros, out);
    }
    let zone = &settings.time_zone;
    let offset = zone::offset_at(zone, micros);
    let local = micros.saturating_add(i64::from(offset) * SECOND_MICROS);
    write_local(local, Some((micros, offset)), settings, out);
}

/// `zone`: the UTC time and the offset in seconds east.
fn write_local(local: i64, zone: Option<(i64, i32)>, settings: &FormatSettings, out: &mut Vec<u8>) {
    let (days, time) = split(local);
    let (year, month, day) = civil_from_days(days);
    if settings.date_style == DateStyle::Postgres {
        out.extend_from_slice(DAYS[day_of_week(days) as usize].as_bytes());
        out.push(b' ');
        let name = MONTHS[month as usize - 1].as_bytes();
        if settings.date_order == DateOrder::Dmy {
            write_2(out, day);
            out.push(b' ');
            out.extend_from_slice(name);
        } else {
            out.extend_from_slice(name);
            out.push(b' ');
            write_2(out, day);
        }
        out.push(b' ');
        write_time(time, out);
        out.push(b' ');
        write_padded(out, shown_year(year), 4);
    } else {
        write_date_numbers(year, month, day, settings, out);
        out.push(b' ');
        write_time(time, out);
    }
    if let Some((utc, offset)) = zone {
        let abbreviation = match settings.date_style {
            DateStyle::Iso => None,
            _ => zone::abbreviation_at(&settings.time_zone, utc),
        };
        if let Some(abbreviation) = abbreviation {
            out.push(b' ');
            out.extend_from_slice(abbreviation.as_bytes());
        } else {
            // A space keeps the offset apart from the year.
            if settings.date_style == DateStyle::Postgres {
                out.push(b' ');
            }
            write_offset(offset, out);
        }
    }
    if year <= 0 {
        out.extend_from_slice(b" BC");
    }
}
