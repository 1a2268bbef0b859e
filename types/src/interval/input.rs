//! Intervals from text: PostgreSQL's own form, the SQL standard's and ISO 8601's.
//!
//! The fields are read from right to left, so that a unit is known before its number. A unit given twice is an error.

use super::Interval;
use super::typmod::{self, DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
use crate::datetime::input::{Failure, Kind, Parse, leading_i64, read_clock, split};
use crate::datetime::{DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS};
use crate::format::IntervalStyle;
use crate::{Error, Result, SqlState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

/// Words longer than this are cut before they are compared.
const WORD_MAX: usize = 10;
const SECONDS_SEEN: u32 =
    1 << Unit::Second as u32 | 1 << Unit::Millisecond as u32 | 1 << Unit::Microsecond as u32;
const CLOCK_SEEN: u32 =
    1 << Unit::Hour as u32 | 1 << Unit::Minute as u32 | 1 << Unit::Second as u32;

fn unit(word: &str) -> Option<Unit> {
    Some(match &word[..word.len().min(WORD_MAX)] {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" => Unit::Microsecond,
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" => Unit::Millisecond,
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        "dec" | "decs" | "decade" | "decades" => Unit::Decade,
        "c" | "cent" | "century" | "centuries" => Unit::Century,
        "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
        _ => return None,
    })
}

/// The sum of what was read.
#[derive(Default)]
struct Sum {
    years: i64,
    months: i64,
    days: i64,
    micros: i64,
}

fn add(slot: &mut i64, value: i64, scale: i64) -> Parse<()> {
    let sum = value.checked_mul(scale).and_then(|value| slot.checked_add(value));
    *slot = sum.ok_or(Failure::Overflow)?;
    Ok(())
}

/// The same for parts that are held in 32 bits.
fn add_small(slot: &mut i64, value: i64, scale: i64) -> Parse<()> {
    add(slot, value, scale)?;
    if i32::try_from(*slot).is_ok() { Ok(()) } else { Err(Failure::Overflow) }
}

impl Sum {
    fn add_fraction_micros(&mut self, fraction: f64, scale: i64) -> Parse<()> {
        if fraction == 0.0 {
            return Ok(());
        }
        let scaled = fraction * scale as f64;
        let whole = scaled as i64;
        let rest = scaled - whole as f64;
        let rounded = if rest > 0.5 {
            whole + 1
        } else if rest < -0.5 {
            whole - 1
        } else {
            whole
        };
        add(&mut self.micros, rounded, 1)
    }

    fn add_fraction_days(&mut self, fraction: f64, scale: i64) -> Parse<()> {
        if fraction == 0.0 {
            return Ok(());
        }
        let scaled = fraction * scale as f64;
        let whole = scaled as i64;
        add_small(&mut self.days, whole, 1)?;
        self.add_fraction_micros(scaled - whole as f64, DAY_MICROS)
    }

    fn add_years(&mut self, value: i64, fraction: f64, scale: i64) -> Parse<()> {
        add_small(&mut self.years, value, scale)?;
        let months = (fraction * 12.0 * scale as f64).round_ties_even() as i64;
        add_small(&mut self.months, months, 1)
    }

    fn add(&mut self, unit: Unit, value: i64, fraction: f64) -> Parse<()> {
        let micros = |sum: &mut Self, scale: i64| {
            add(&mut sum.micros, value, scale)?;
            sum.add_fraction_micros(fraction, scale)
        };
        match unit {
            Unit::Microsecond => micros(self, 1),
            Unit::Millisecond => micros(self, 1000),
            Unit::Second => micros(self, SECOND_MICROS),
            Unit::Minute => micros(self, MINUTE_MICROS),
            Unit::Hour => micros(self, HOUR_MICROS),
            Unit::Day => {
                add_small(&mut self.days, value, 1)?;
                self.add_fraction_micros(fraction, DAY_MICROS)
            }
            Unit::Week => {
                add_small(&mut self.days, value, 7)?;
                self.add_fraction_days(fraction, 7)
            }
            Unit::Month => {
                add_small(&mut self.months, value, 1)?;
                self.add_fraction_days(fraction, 30)
            }
            Unit::Year => self.add_years(value, fraction, 1),
            Unit::Decade => self.add_years(value, fraction, 10),
            Unit::Century => self.add_years(value, fraction, 100),
            Unit::Millennium => self.add_years(value, fraction, 1000),
        }
    }

    fn negated(self) -> Parse<Self> {
        Ok(Self {
            years: -self.years,
            months: -self.months,
            days: -self.days,
            micros: self.micros.checked_neg().ok_or(Failure::Overflow)?,
        })
    }
}

/// The unit of a number without one, by the modifier's last field.
fn default_unit(range: i32) -> Unit {
    const YEAR_MONTH: i32 = YEAR | MONTH;
    const DAY_HOUR: i32 = DAY | HOUR;
    const HOUR_MINUTE: i32 = HOUR | MINUTE;
    const DAY_MINUTE: i32 = DAY | HOUR | MINUTE;
    match range {
        YEAR => Unit::Year,
        MONTH | YEAR_MONTH => Unit::Month,
        DAY => Unit::Day,
        HOUR | DAY_HOUR => Unit::Hour,
        MINUTE | HOUR_MINUTE | DAY_MINUTE => Unit::Minute,
        _ => Unit::Second,
    }
}

/// hh:mm:ss in microseconds.
fn clock_micros(text: &str, range: i32) -> Parse<i64> {
    let (hour, minute, second, micros) = read_clock(text, range == MINUTE | SECOND)?;
    let mut total = 0;
    add(&mut total, hour, HOUR_MICROS)?;
    add(&mut total, minute, MINUTE_MICROS)?;
    add(&mut total, second, SECOND_MICROS)?;
    add(&mut total, micros, 1)?;
    Ok(total)
}

fn read(text: &str, style: IntervalStyle, range: i32) -> Parse<Sum> {
    let fields = split(text)?;
    // The standard's leading sign is that of every part, if no other part has one.
    let signed = |text: &str| text.starts_with(['+', '-']);
    let all_negative = style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|field| field.text.starts_with('-'))
        && !fields[1..].iter().any(|field| signed(&field.text));
    let mut sum = Sum::default();
    let mut seen = 0u32;
    let mut ago = false;
    let mut current: Option<Unit> = None;
    for field in fields.iter().rev() {
        let text = field.text.as_str();
        let found = match field.kind {
            Kind::Time => {
                let micros = clock_micros(text, range)?;
                sum.micros = if all_negative { -micros } else { micros };
                current = Some(Unit::Day);
                CLOCK_SEEN
            }
            Kind::Zone if text.contains(':') && clock_micros(&text[1..], range).is_ok() => {
                let micros = clock_micros(&text[1..], range)?;
                let negative = text.starts_with('-') || all_negative;
                sum.micros = if negative { -micros } else { micros };
                current = Some(Unit::Day);
                CLOCK_SEEN
            }
            Kind::Zone | Kind::Date | Kind::Number => {
                let mut unit = current.unwrap_or_else(|| default_unit(range));
                let (mut value, rest) = leading_i64(text)?;
                let mut fraction = 0.0;
                if let Some(rest) = rest.strip_prefix('-') {
                    // The standard's "years-months".
                    let (months, rest) = leading_i64(rest)?;
                    if !(0..12).contains(&months) {
                        return Err(Failure::Overflow);
                    }
                    if !rest.is_empty() {
                        return Err(Failure::Format);
                    }
                    unit = Unit::Month;
                    let months = if text.starts_with('-') { -months } else { months };
                    let years = value;
                    value = months;
                    add(&mut value, years, 12)?;
                } else if let Some(digits) = rest.strip_prefix('.') {
                    if !digits.bytes().all(|b| b.is_ascii_digit()) {
                        return Err(Failure::Format);
                    }
                    fraction = format!("0.{digits}0").parse().map_err(|_| Failure::Format)?;
                    if text.starts_with('-') {
                        fraction = -fraction;
                    }
                } else if !rest.is_empty() {
                    return Err(Failure::Format);
                }
                if all_negative {
                    value = -value.abs();
                    fraction = -f64::abs(fraction);
                }
                sum.add(unit, value, fraction)?;
                current = Some(if unit == Unit::Hour { Unit::Day } else { unit });
                match unit {
                    Unit::Second if fraction != 0.0 => SECONDS_SEEN,
                    unit => 1 << unit as u32,
                }
            }
            Kind::Word | Kind::Special => {
                if text == "ago" {
                    ago = true;
                    current = None;
                } else if !matches!(text, "at" | "on") {
                    current = Some(unit(text).ok_or(Failure::Format)?);
                }
                0
            }
        };
        if seen & found != 0 {
            return Err(Failure::Format);
        }
        seen |= found;
    }
    if seen == 0 {
        return Err(Failure::Format);
    }
    if ago { sum.negated() } else { Ok(sum) }
}

/// A number at the start of `text`: whole part, fraction, what follows.
fn iso_number(text: &str) -> Parse<(i64, f64, &str)> {
    let sign = usize::from(text.starts_with('-'));
    let len = text[sign..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, rest) = text.split_at(sign + len);
    let digits = &number[sign..];
    if digits.is_empty() || digits == "." {
        return Err(Failure::Format);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.contains('.') {
        return Err(Failure::Format);
    }
    let mut value: i64 =
        if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Failure::Overflow)? };
    let mut part: f64 = format!("0.{fraction}0").parse().map_err(|_| Failure::Format)?;
    if sign == 1 {
        value = -value;
        part = -part;
    }
    Ok((value, part, rest))
}

/// ISO 8601, with designators (P1Y2M3DT4H5M6S) or in the alternative form (P0001-02-03T04:05:06).
fn read_iso(text: &str) -> Parse<Sum> {
    let mut rest = text.strip_prefix('P').ok_or(Failure::Format)?;
    if rest.is_empty() {
        return Err(Failure::Format);
    }
    let mut sum = Sum::default();
    let mut in_date = true;
    let mut has_field = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (in_date, has_field, rest) = (false, false, after);
            continue;
        }
        let start = rest;
        let (value, fraction, after) = iso_number(rest)?;
        let width = start.trim_start_matches('-').bytes().take_while(u8::is_ascii_digit).count();
        let designator = after.chars().next();
        let skip = designator.map_or(0, char::len_utf8);
        let unit = match (in_date, designator) {
            (true, Some('Y')) => Unit::Year,
            (true, Some('M')) => Unit::Month,
            (true, Some('W')) => Unit::Week,
            (true, Some('D')) => Unit::Day,
            (false, Some('H')) => Unit::Hour,
            (false, Some('M')) => Unit::Minute,
            (false, Some('S')) => Unit::Second,
            // Basic form: yyyymmdd and hhmmss.
            (true, Some('T') | None) if width == 8 && !has_field => {
                sum.add(Unit::Year, value / 10_000, 0.0)?;
                sum.add(Unit::Month, value / 100 % 100, 0.0)?;
                sum.add(Unit::Day, value % 100, fraction)?;
                (in_date, has_field, rest) = (false, false, &after[skip..]);
                continue;
            }
            (false, None) if width == 6 && !has_field => {
                sum.add(Unit::Hour, value / 10_000, 0.0)?;
                sum.add(Unit::Minute, value / 100 % 100, 0.0)?;
                sum.add(Unit::Second, value % 100, fraction)?;
                return Ok(sum);
            }
            (true, Some('T' | '-') | None) | (false, Some(':') | None) if !has_field => {
                let (separator, units) = if in_date {
                    ('-', [Unit::Year, Unit::Month, Unit::Day])
                } else {
                    (':', [Unit::Hour, Unit::Minute, Unit::Second])
                };
                rest = read_iso_extended(&mut sum, start, separator, units)?;
                if rest.is_empty() {
                    return Ok(sum);
                }
                if !in_date || !rest.starts_with('T') {
                    return Err(Failure::Format);
                }
                continue;
            }
            _ => return Err(Failure::Format),
        };
        sum.add(unit, value, fraction)?;
        has_field = true;
        rest = &after[skip..];
    }
    Ok(sum)
}

/// Up to three numbers with separators.
fn read_iso_extended<'a>(
    sum: &mut Sum,
    text: &'a str,
    separator: char,
    units: [Unit; 3],
) -> Parse<&'a str> {
    let mut rest = text;
    for (i, unit) in units.into_iter().enumerate() {
        let (value, fraction, after) = iso_number(rest)?;
        sum.add(unit, value, fraction)?;
        rest = after;
        match rest.strip_prefix(separator) {
            Some(after) if i < 2 => rest = after,
            _ => break,
        }
    }
    Ok(rest)
}

impl Interval {
    /// Reads the text form; `typmod` says what a number without a unit is, and which parts are kept.
    ///
    /// # Errors
    /// 22007 for malformed text, 22015 for parts out of range, 22008 if the whole is.
    pub fn parse(text: &str, style: IntervalStyle, typmod: i32) -> Result<Self> {
        let (range, _) = typmod::parts(typmod);
        let sum = match read(text, style, range) {
            Err(Failure::Format) => read_iso(text.trim_start_matches(crate::format::is_space)),
            other => other,
        };
        let sum = sum.map_err(|failure| {
            let failure = match failure {
                Failure::Overflow => Failure::IntervalOverflow,
                other => other,
            };
            failure.error("interval", text)
        })?;
        let months = sum.years * 12 + sum.months;
        let Ok(months) = i32::try_from(months) else {
            return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"));
        };
        Self { months, days: sum.days as i32, micros: sum.micros }.apply_typmod(typmod)
    }
}
