//! Fields of dates, times and intervals: `extract`, `date_part` and `date_trunc`.

use super::arithmetic::{date_to_timestamp, timestamp_to_date};
use super::civil::{
    EPOCH_JULIAN, civil_from_days, day_of_week, days_from_civil, iso_week, iso_week_start,
};
use super::zone::{local_to_utc, offset_at, utc_to_local};
use super::{
    DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS,
    check_timestamp, is_infinite, split,
};
use crate::format::TimeZone;
use crate::{Error, Interval, Numeric, Result, SqlState};

/// What `extract` and `date_trunc` can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are SQL's")]
pub enum Field {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Julian,
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    TimeZone,
    TimeZoneHour,
    TimeZoneMinute,
}

impl Field {
    /// The field of a name in any case, with PostgreSQL's synonyms.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "microsecon" | "microsecond" | "microseconds" | "us" | "usec" | "usecond"
            | "useconds" | "usecs" => Self::Microseconds,
            "millisecon" | "millisecond" | "milliseconds" | "ms" | "msec" | "mseconds"
            | "msecs" => Self::Milliseconds,
            "s" | "sec" | "second" | "seconds" | "secs" => Self::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "h" | "hour" | "hours" | "hr" | "hrs" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            "w" | "week" | "weeks" => Self::Week,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "qtr" | "quarter" => Self::Quarter,
            "y" | "year" | "years" | "yr" | "yrs" => Self::Year,
            "dec" | "decade" | "decades" | "decs" => Self::Decade,
            "c" | "cent" | "centuries" | "century" => Self::Century,
            "mil" | "millennia" | "millennium" | "mils" => Self::Millennium,
            "j" | "jd" | "julian" => Self::Julian,
            "isoyear" => Self::IsoYear,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "epoch" => Self::Epoch,
            "timezone" => Self::TimeZone,
            "timezone_h" | "timezone_hour" => Self::TimeZoneHour,
            "timezone_m" | "timezone_minute" => Self::TimeZoneMinute,
            _ => return None,
        })
    }

    /// Whether it grows with time (and is infinite at infinity) instead of coming round.
    fn grows(self) -> bool {
        matches!(
            self,
            Self::Year
                | Self::Decade
                | Self::Century
                | Self::Millennium
                | Self::Julian
                | Self::IsoYear
                | Self::Epoch
        )
    }
}

/// 22023 `unit "x" not recognized for type ...`.
#[cold]
pub fn unrecognized(name: &str, type_name: &str) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("unit \"{}\" not recognized for type {type_name}", name.to_ascii_lowercase()),
    )
}

/// 0A000 `unit "x" not supported for type ...`.
#[cold]
pub fn unsupported(name: &str, type_name: &str) -> Error {
    Error::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("unit \"{}\" not supported for type {type_name}", name.to_ascii_lowercase()),
    )
}

fn field(name: &str, type_name: &str) -> Result<Field> {
    Field::parse(name).ok_or_else(|| unrecognized(name, type_name))
}

fn whole(value: i64) -> Numeric {
    Numeric::from_parts(value.into(), 0)
}

fn scaled(value: i128, scale: u16) -> Numeric {
    Numeric::from_parts(value, scale)
}

/// The number of a century or millennium; there is no zeroth.
fn period(year: i64, length: i64) -> i64 {
    // Year 0 of the calendar's arithmetic is 1 BC.
    if year > 0 { (year + length - 1) / length } else { -((length - year) / length) }
}

fn time_field(field: Field, micros: i64) -> Option<Numeric> {
    let second = micros % MINUTE_MICROS;
    Some(match field {
        Field::Microseconds => whole(second),
        Field::Milliseconds => scaled(second.into(), 3),
        Field::Second => scaled(second.into(), 6),
        Field::Minute => whole(micros / MINUTE_MICROS % 60),
        Field::Hour => whole(micros / HOUR_MICROS),
        _ => return None,
    })
}

fn date_field(field: Field, days: i64) -> Option<Numeric> {
    let (year, month, day) = civil_from_days(days);
    // Years before 1 AD are shown as BC years, without a zero.
    let shown = |year: i64| if year > 0 { year } else { year - 1 };
    Some(whole(match field {
        Field::Day => day.into(),
        Field::Week => iso_week(days).1.into(),
        Field::Month => month.into(),
        Field::Quarter => i64::from((month - 1) / 3 + 1),
        Field::Year => shown(year),
        Field::Decade => year.div_euclid(10),
        Field::Century => period(year, 100),
        Field::Millennium => period(year, 1000),
        Field::Julian => days + i64::from(EPOCH_JULIAN),
        Field::IsoYear => shown(iso_week(days).0),
        Field::DayOfWeek => day_of_week(days).into(),
        Field::IsoDayOfWeek => match day_of_week(days) {
            0 => 7,
            day => day.into(),
        },
        Field::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
        _ => return None,
    }))
}

fn infinite(positive: bool, field: Field) -> Option<Numeric> {
    let infinity = if positive { Numeric::PositiveInfinity } else { Numeric::NegativeInfinity };
    field.grows().then_some(infinity)
}

/// `extract(name from date)`; `None` is null.
///
/// # Errors
/// 22023 for an unknown field, 0A000 for one that the type does not have; the same for the others here.
pub fn extract_date(name: &str, days: i32) -> Result<Option<Numeric>> {
    const TYPE: &str = "date";
    let field = field(name, TYPE)?;
    let supported = date_field(field, days.into());
    if days == i32::MIN || days == i32::MAX {
        return match supported {
            Some(_) => Ok(infinite(days > 0, field)),
            None if field == Field::Epoch => Ok(infinite(days > 0, field)),
            None => Err(unsupported(name, TYPE)),
        };
    }
    if field == Field::Epoch {
        return Ok(Some(whole((i64::from(days) + i64::from(UNIX_EPOCH_DAYS)) * 86_400)));
    }
    supported.map(Some).ok_or_else(|| unsupported(name, TYPE))
}

/// `extract(name from time)`.
pub fn extract_time(name: &str, micros: i64) -> Result<Numeric> {
    const TYPE: &str = "time without time zone";
    let field = field(name, TYPE)?;
    if field == Field::Epoch {
        return Ok(scaled(micros.into(), 6));
    }
    time_field(field, micros).ok_or_else(|| unsupported(name, TYPE))
}

/// `extract(name from timetz)`, packed.
pub fn extract_timetz(name: &str, packed: i64) -> Result<Numeric> {
    const TYPE: &str = "time with time zone";
    let field = field(name, TYPE)?;
    let (micros, west) = super::timetz::unpack(packed);
    let offset = -i64::from(west);
    Ok(match field {
        Field::Epoch => scaled((micros - offset * SECOND_MICROS).into(), 6),
        Field::TimeZone => whole(offset),
        Field::TimeZoneHour => whole(offset / 3600),
        Field::TimeZoneMinute => whole(offset / 60 % 60),
        _ => time_field(field, micros).ok_or_else(|| unsupported(name, TYPE))?,
    })
}

fn timestamp_field(field: Field, micros: i64) -> Result<Option<Numeric>> {
    let (days, time) = split(micros);
    if field == Field::Epoch {
        return Ok(Some(scaled(i128::from(micros) + i128::from(UNIX_EPOCH_MICROS), 6)));
    }
    if field == Field::Julian {
        let share = whole(time).div(&whole(DAY_MICROS))?;
        return Ok(Some(whole(days + i64::from(EPOCH_JULIAN)).add(&share)?));
    }
    Ok(time_field(field, time).or_else(|| date_field(field, days)))
}

/// `extract(name from timestamp)`; `None` is null.
pub fn extract_timestamp(name: &str, micros: i64) -> Result<Option<Numeric>> {
    const TYPE: &str = "timestamp without time zone";
    let field = field(name, TYPE)?;
    // PostgreSQL answers null for infinities before it looks whether the field exists.
    if is_infinite(micros) {
        return Ok(infinite(micros > 0, field));
    }
    timestamp_field(field, micros)?.map(Some).ok_or_else(|| unsupported(name, TYPE))
}

/// `extract(name from timestamptz)` in a zone; `None` is null.
pub fn extract_timestamptz(name: &str, micros: i64, zone: &TimeZone) -> Result<Option<Numeric>> {
    const TYPE: &str = "timestamp with time zone";
    let field = field(name, TYPE)?;
    if is_infinite(micros) {
        return Ok(infinite(micros > 0, field));
    }
    let offset = i64::from(offset_at(zone, micros));
    Ok(Some(match field {
        Field::TimeZone => whole(offset),
        Field::TimeZoneHour => whole(offset / 3600),
        Field::TimeZoneMinute => whole(offset / 60 % 60),
        Field::Epoch => scaled(i128::from(micros) + i128::from(UNIX_EPOCH_MICROS), 6),
        _ => {
            let local = utc_to_local(zone, micros)?;
            timestamp_field(field, local)?.ok_or_else(|| unsupported(name, TYPE))?
        }
    }))
}

/// `extract(name from interval)`.
pub fn extract_interval(name: &str, interval: Interval) -> Result<Numeric> {
    const TYPE: &str = "interval";
    let field = field(name, TYPE)?;
    let (years, months) = (i64::from(interval.months / 12), i64::from(interval.months % 12));
    Ok(match field {
        Field::Day => whole(interval.days.into()),
        Field::Month => whole(months),
        Field::Quarter => whole(months / 3 + 1),
        Field::Year => whole(years),
        Field::Decade => whole(years / 10),
        Field::Century => whole(years / 100),
        Field::Millennium => whole(years / 1000),
        Field::Epoch => {
            // A year counts for 365.25 days, a month for 30.
            let quarter_days = i128::from(years) * 1461
                + (i128::from(months) * 30 + i128::from(interval.days)) * 4;
            scaled(quarter_days * i128::from(DAY_MICROS / 4) + i128::from(interval.micros), 6)
        }
        _ => time_field(field, interval.micros).ok_or_else(|| unsupported(name, TYPE))?,
    })
}

/// A field that `date_trunc` knows; the words for other fields are no units.
fn unit(name: &str, type_name: &str) -> Result<Field> {
    match field(name, type_name)? {
        Field::DayOfWeek
        | Field::IsoDayOfWeek
        | Field::DayOfYear
        | Field::IsoYear
        | Field::Julian
        | Field::Epoch => Err(unrecognized(name, type_name)),
        field => Ok(field),
    }
}

/// The first year of the decade, century or millennium of a year.
fn period_start(year: i64, field: Field) -> i64 {
    match field {
        Field::Decade => year.div_euclid(10) * 10,
        Field::Century => (year - 1).div_euclid(100) * 100 + 1,
        Field::Millennium => (year - 1).div_euclid(1000) * 1000 + 1,
        _ => year,
    }
}

/// The start of the field's unit in local time; `None` if it has none.
fn truncate(field: Field, micros: i64) -> Option<i64> {
    let (days, time) = split(micros);
    let (year, month, _) = civil_from_days(days);
    let start = match field {
        Field::Microseconds => return Some(micros),
        Field::Milliseconds => return Some(micros - time % 1000),
        Field::Second => return Some(micros - time % SECOND_MICROS),
        Field::Minute => return Some(micros - time % MINUTE_MICROS),
        Field::Hour => return Some(micros - time % HOUR_MICROS),
        Field::Day => days,
        Field::Week => {
            let (year, week) = iso_week(days);
            iso_week_start(year, week.into())
        }
        Field::Month => days_from_civil(year, month, 1),
        Field::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        Field::Year | Field::Decade | Field::Century | Field::Millennium => {
            days_from_civil(period_start(year, field), 1, 1)
        }
        _ => return None,
    };
    Some(start * DAY_MICROS)
}

/// `date_trunc(name, timestamp)`.
pub fn trunc_timestamp(name: &str, micros: i64) -> Result<i64> {
    const TYPE: &str = "timestamp without time zone";
    if is_infinite(micros) {
        return Ok(micros);
    }
    let field = unit(name, TYPE)?;
    check_timestamp(truncate(field, micros).ok_or_else(|| unsupported(name, TYPE))?)
}

/// `date_trunc(name, timestamptz, zone)`.
pub fn trunc_timestamptz(name: &str, micros: i64, zone: &TimeZone) -> Result<i64> {
    const TYPE: &str = "timestamp with time zone";
    if is_infinite(micros) {
        return Ok(micros);
    }
    let field = unit(name, TYPE)?;
    let local = utc_to_local(zone, micros)?;
    let start = truncate(field, local).ok_or_else(|| unsupported(name, TYPE))?;
    // Below a day the offset is the one at hand, so that both sides of a change of the clock keep apart.
    match field {
        Field::Microseconds | Field::Milliseconds | Field::Second | Field::Minute | Field::Hour => {
            check_timestamp(micros - (local - start))
        }
        _ => local_to_utc(zone, start),
    }
}

/// `date_trunc(name, interval)`.
pub fn trunc_interval(name: &str, interval: Interval) -> Result<Interval> {
    const TYPE: &str = "interval";
    let field = unit(name, TYPE)?;
    let months = |unit: i32| Interval { months: interval.months / unit * unit, days: 0, micros: 0 };
    let micros = |unit: i64| Interval { micros: interval.micros / unit * unit, ..interval };
    Ok(match field {
        Field::Millennium => months(12_000),
        Field::Century => months(1200),
        Field::Decade => months(120),
        Field::Year => months(12),
        Field::Quarter => months(3),
        Field::Month => months(1),
        Field::Day => Interval { micros: 0, ..interval },
        Field::Hour => micros(HOUR_MICROS),
        Field::Minute => micros(MINUTE_MICROS),
        Field::Second => micros(SECOND_MICROS),
        Field::Milliseconds => micros(1000),
        Field::Microseconds => interval,
        Field::Week => {
            return Err(unsupported(name, TYPE).detail("Months usually have fractional weeks."));
        }
        _ => return Err(unsupported(name, TYPE)),
    })
}

/// The order of a date and a timestamp, exact even where the date is out of a timestamp's range.
pub fn compare_date_timestamp(date: i32, timestamp: i64) -> std::cmp::Ordering {
    match date_to_timestamp(date) {
        Ok(start) => start.cmp(&timestamp),
        Err(_) if timestamp == i64::MAX => std::cmp::Ordering::Less,
        Err(_) => date.cmp(&timestamp_to_date(timestamp)),
    }
}
