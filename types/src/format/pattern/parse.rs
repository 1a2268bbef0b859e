//! Reading dates by a pattern.
//!
//! Blanks and separators of text and pattern need not be the same: any run of them in the pattern passes over any run in
//! the text, and text in quotes passes over as many characters. A number takes as many digits as its keyword has places,
//! or all of them where no other number follows at once.

use super::date::{Case, DAYS, Item, Key, MONTHS, ROMAN_MONTHS, items};
use crate::datetime::civil::{EPOCH_JULIAN, days_from_civil, days_in_month, iso_week_start};
use crate::datetime::{
    DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, check_date, check_timestamp, zone,
};
use crate::format::{TimeZone, is_space};
use crate::{Error, Result, SqlState};

/// What was read.
#[derive(Default)]
pub(super) struct Read {
    year: Option<i64>,
    year_digits: u8,
    iso_year: Option<i64>,
    century: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_day_of_year: Option<i64>,
    /// 1 for Monday.
    iso_day_of_week: Option<i64>,
    week: Option<i64>,
    week_of_month: Option<i64>,
    iso_week: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    hour_is_12: bool,
    pm: Option<bool>,
    minute: i64,
    second: i64,
    second_of_day: Option<i64>,
    micros: i64,
    before_christ: bool,
    zone_sign: i64,
    zone_hour: Option<i64>,
    zone_minute: i64,
    zone: Option<TimeZone>,
}

#[cold]
fn invalid(message: String) -> Error {
    Error::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

fn is_separator(c: char) -> bool {
    c.is_ascii_graphic() && !c.is_ascii_alphanumeric()
}

/// The most digits of a key's number, and its name.
fn number_key(key: Key) -> Option<(usize, &'static str)> {
    Some(match key {
        Key::Hour12 => (2, "HH12"),
        Key::Hour24 => (2, "HH24"),
        Key::Minute => (2, "MI"),
        Key::Second => (2, "SS"),
        Key::SecondOfDay => (5, "SSSS"),
        Key::Millisecond => (3, "MS"),
        Key::Microsecond => (6, "US"),
        Key::Fraction(1) => (1, "FF1"),
        Key::Fraction(2) => (2, "FF2"),
        Key::Fraction(3) => (3, "FF3"),
        Key::Fraction(4) => (4, "FF4"),
        Key::Fraction(5) => (5, "FF5"),
        Key::Fraction(_) => (6, "FF6"),
        Key::Year(4) => (4, "YYYY"),
        Key::Year(3) => (3, "YYY"),
        Key::Year(2) => (2, "YY"),
        Key::Year(_) => (1, "Y"),
        Key::IsoYear(4) => (4, "IYYY"),
        Key::IsoYear(3) => (3, "IYY"),
        Key::IsoYear(2) => (2, "IY"),
        Key::IsoYear(_) => (1, "I"),
        Key::Month => (2, "MM"),
        Key::DayOfYear => (3, "DDD"),
        Key::IsoDayOfYear => (4, "IDDD"),
        Key::Day => (2, "DD"),
        Key::DayOfWeek => (1, "D"),
        Key::IsoDayOfWeek => (1, "ID"),
        Key::WeekOfMonth => (1, "W"),
        Key::WeekOfYear => (2, "WW"),
        Key::IsoWeek => (2, "IW"),
        Key::Century => (2, "CC"),
        Key::Julian => (10, "J"),
        Key::Quarter => (1, "Q"),
        Key::ZoneHour => (2, "TZH"),
        Key::ZoneMinute => (2, "TZM"),
        Key::YearComma
        | Key::Meridian { .. }
        | Key::Era { .. }
        | Key::MonthName
        | Key::MonthShort
        | Key::RomanMonth
        | Key::DayName
        | Key::DayShort
        | Key::Zone
        | Key::Offset
        | Key::Exact => return None,
    })
}

/// A year of less than four digits in the century around 2020.
fn widen_year(year: i64) -> i64 {
    match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

/// Reads `text` by `pattern`.
pub(super) fn read(text: &str, pattern: &str) -> Result<Read> {
    let items = items(pattern);
    let mut read = Read::default();
    let mut rest = text.trim_start_matches(is_space);
    // Characters of the text that were passed over without one of the pattern (below zero: the other way round).
    let mut spare = (text.len() - rest.len()) as i64;
    let mut last = ' ';
    for (i, item) in items.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        match item {
            Item::Text { text, quoted } => {
                for c in text.chars() {
                    let Some(found) = rest.chars().next() else {
                        break;
                    };
                    let separates = is_space(found) || is_separator(found);
                    if !quoted && (is_space(c) || is_separator(c)) {
                        if separates {
                            last = found;
                            rest = &rest[found.len_utf8()..];
                        } else {
                            spare -= 1;
                        }
                    } else if spare > 0 {
                        spare -= 1;
                    } else {
                        rest = &rest[found.len_utf8()..];
                    }
                }
            }
            Item::Field { key, case, fill, ordinal } => {
                while rest.starts_with(is_space) {
                    last = ' ';
                    rest = &rest[1..];
                    spare += 1;
                }
                // A minus that a separator took may belong to the zone.
                read.zone_sign = if spare > 0 && last == '-' { -1 } else { 1 };
                // A number runs on unless another number follows at once.
                let alone = match items.get(i + 1) {
                    None => true,
                    Some(Item::Text { text, .. }) => {
                        !text.starts_with(|c: char| c.is_ascii_digit())
                    }
                    Some(Item::Field { key, .. }) => {
                        number_key(*key).is_none() && *key != Key::YearComma
                    }
                };
                rest = read.field(*key, *case, rest, *fill || alone)?;
                spare = 0;
                last = ' ';
                if ordinal.is_some() {
                    rest = rest.get(2..).unwrap_or("");
                }
            }
        }
    }
    Ok(read)
}

/// One of `names` at the start of `text`, by their first `len` letters or all.
fn match_name<'a>(
    text: &'a str,
    names: &[&str],
    short: bool,
    key: &str,
) -> Result<(usize, &'a str)> {
    let found = names.iter().enumerate().find_map(|(i, name)| {
        let name = if short { &name[..3] } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (i, &text[name.len()..]))
    });
    found.ok_or_else(|| {
        let word = text.split(is_space).next().unwrap_or("");
        invalid(format!("invalid value \"{word}\" for \"{key}\""))
            .detail("The given value did not match any of the allowed values for this field.")
    })
}

impl Read {
    /// Reads a field from the start of `text`; gives what is left.
    fn field<'a>(&mut self, key: Key, case: Case, text: &'a str, alone: bool) -> Result<&'a str> {
        let styled = |upper: &str| case.apply(upper);
        Ok(match key {
            Key::Exact => text,
            Key::Meridian { dots } => {
                let names = if dots { ["A.M.", "P.M."] } else { ["AM", "PM"] };
                let (index, rest) = match_name(text, &names, false, &styled(names[0]))?;
                self.pm = Some(index == 1);
                self.hour_is_12 = true;
                rest
            }
            Key::Era { dots } => {
                let names = if dots { ["A.D.", "B.C."] } else { ["AD", "BC"] };
                let (index, rest) = match_name(text, &names, false, &styled(names[0]))?;
                self.before_christ = index == 1;
                rest
            }
            Key::MonthName => {
                let (index, rest) = match_name(text, &MONTHS, false, &styled("Month"))?;
                self.month = Some(index as i64 + 1);
                rest
            }
            Key::MonthShort => {
                let (index, rest) = match_name(text, &MONTHS, true, &styled("Mon"))?;
                self.month = Some(index as i64 + 1);
                rest
            }
            Key::RomanMonth => {
                // Longest first, so that "I" does not hide "IV".
                let mut order: Vec<usize> = (0..12).collect();
                order.sort_by_key(|&i| std::cmp::Reverse(ROMAN_MONTHS[i].len()));
                let names: Vec<&str> = order.iter().map(|&i| ROMAN_MONTHS[i]).collect();
                let (index, rest) = match_name(text, &names, false, &styled("RM"))?;
                self.month = Some(order[index] as i64 + 1);
                rest
            }
            Key::DayName | Key::DayShort => {
                let short = key == Key::DayShort;
                let (index, rest) =
                    match_name(text, &DAYS, short, &styled(if short { "Dy" } else { "Day" }))?;
                self.iso_day_of_week = Some(if index == 0 { 7 } else { index as i64 });
                rest
            }
            Key::YearComma => {
                let len =
                    text.find(|c: char| !(c.is_ascii_digit() || c == ',')).unwrap_or(text.len());
                let digits: String = text[..len].chars().filter(char::is_ascii_digit).collect();
                let year = digits
                    .parse()
                    .map_err(|_| invalid("invalid input string for \"Y,YYY\"".to_owned()))?;
                self.year = Some(year);
                self.year_digits = 4;
                &text[len..]
            }
            Key::Zone | Key::Offset => self.zone(text)?,
            Key::ZoneHour => {
                if text.starts_with('-') {
                    self.zone_sign = -1;
                }
                let text = text.strip_prefix(['+', '-', ' ']).unwrap_or(text);
                self.number(key, text, alone)?
            }
            _ => self.number(key, text, alone)?,
        })
    }

    /// A zone's name or offset.
    fn zone<'a>(&mut self, text: &'a str) -> Result<&'a str> {
        let len = text
            .find(|c: char| {
                !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | ':' | '/' | '_'))
            })
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(len);
        let found = if name.starts_with(['+', '-']) {
            crate::datetime::make_zone(name)
        } else {
            crate::datetime::conversion_zone(name)
        };
        self.zone = Some(found.map_err(|_| {
            invalid(format!("invalid value \"{name}\" for \"TZ\""))
                .detail("Time zone abbreviation is not recognized.")
        })?);
        Ok(rest)
    }

    fn number<'a>(&mut self, key: Key, text: &'a str, alone: bool) -> Result<&'a str> {
        let Some((width, name)) = number_key(key) else {
            return Err(Error::internal("every other key was handled"));
        };
        let sign = usize::from(text.starts_with(['+', '-']));
        let available = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let digits = if alone { available } else { available.min(width - sign.min(width - 1)) };
        let shown = || text.chars().take(width).collect::<String>();
        if digits == 0 {
            return Err(invalid(format!("invalid value \"{}\" for \"{name}\"", shown()))
                .detail("Value must be an integer."));
        }
        if !alone && digits + sign < width && text.len() < width {
            return Err(invalid(format!(
                "source string too short for \"{name}\" formatting field"
            ))
            .detail(format!("Field requires {width} characters, but only {} remain.", text.len()))
            .hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
        }
        if !alone && digits + sign < width {
            return Err(invalid(format!("invalid value \"{}\" for \"{name}\"", shown()))
                .detail(format!(
                    "Field requires {width} characters, but only {} could be parsed.",
                    digits + sign
                ))
                .hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
        }
        let (number, rest) = text.split_at(sign + digits);
        let value = number.parse::<i32>().map_err(|_| {
            Error::new(
                SqlState::DATETIME_FIELD_OVERFLOW,
                format!("value for \"{name}\" in source string is out of range"),
            )
            .detail("Value must be in the range -2147483648 to 2147483647.")
        })?;
        self.set(key, value.into(), digits);
        Ok(rest)
    }

    fn set(&mut self, key: Key, value: i64, digits: usize) {
        // A fraction's digits count from the left.
        let fraction = |places: usize| {
            let shift = places as i32 - digits as i32;
            if shift >= 0 {
                value * 10i64.pow(shift as u32)
            } else {
                value / 10i64.pow(-shift as u32)
            }
        };
        match key {
            Key::Hour12 => {
                self.hour = value;
                self.hour_is_12 = true;
            }
            Key::Hour24 => self.hour = value,
            Key::Minute => self.minute = value,
            Key::Second => self.second = value,
            Key::SecondOfDay => self.second_of_day = Some(value),
            Key::Millisecond => self.micros += fraction(3) * 1000,
            Key::Microsecond | Key::Fraction(_) => self.micros += fraction(6),
            Key::Year(places) => {
                self.year = Some(if places < 4 && digits < 4 { widen_year(value) } else { value });
                self.year_digits = places;
            }
            Key::IsoYear(places) => {
                self.iso_year =
                    Some(if places < 4 && digits < 4 { widen_year(value) } else { value });
            }
            Key::Month => self.month = Some(value),
            Key::DayOfYear => self.day_of_year = Some(value),
            Key::IsoDayOfYear => self.iso_day_of_year = Some(value),
            Key::Day => self.day = Some(value),
            Key::DayOfWeek => self.iso_day_of_week = Some((value + 5).rem_euclid(7) + 1),
            Key::IsoDayOfWeek => self.iso_day_of_week = Some(value),
            Key::WeekOfMonth => self.week_of_month = Some(value),
            Key::WeekOfYear => self.week = Some(value),
            Key::IsoWeek => self.iso_week = Some(value),
            Key::Century => self.century = Some(value),
            Key::Julian => self.julian = Some(value),
            Key::ZoneHour => self.zone_hour = Some(value),
            Key::ZoneMinute => self.zone_minute = value,
            // A quarter says nothing that a date needs.
            _ => {}
        }
    }

    /// Days since 2000-01-01 and microseconds of the day.
    fn resolve(&self, text: &str) -> Result<(i64, i64)> {
        let out_of_range = || {
            Error::new(
                SqlState::DATETIME_FIELD_OVERFLOW,
                format!("date/time field value out of range: \"{text}\""),
            )
        };
        let mut hour = self.hour;
        if self.hour_is_12 {
            if !(1..=12).contains(&hour) && (self.pm.is_some() || hour != 0) {
                return Err(invalid(format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                    .hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            match self.pm {
                Some(true) if hour < 12 => hour += 12,
                Some(true) => {}
                _ if hour == 12 => hour = 0,
                _ => {}
            }
        }
        let (mut minute, mut second) = (self.minute, self.second);
        if let Some(total) = self.second_of_day {
            (hour, minute, second) = (total / 3600, total / 60 % 60, total % 60);
        }
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
            return Err(out_of_range());
        }
        let time =
            hour * HOUR_MICROS + minute * MINUTE_MICROS + second * SECOND_MICROS + self.micros;
        Ok((self.days().ok_or_else(out_of_range)?, time))
    }

    /// The astronomical year.
    fn full_year(&self) -> i64 {
        let mut year = match (self.year, self.century) {
            (Some(year), Some(century)) if self.year_digits <= 2 => {
                let short = year % 100;
                if century >= 0 {
                    (century - i64::from(short != 0)) * 100 + short
                } else {
                    (century + 1) * 100 - short + 1
                }
            }
            (Some(year), _) => year,
            (None, Some(century)) => (century - 1) * 100 + 1,
            (None, None) => 0,
        };
        if year < 0 {
            // A negative year is BC already.
            year += 1;
            return if self.before_christ { -year + 1 } else { year };
        }
        if self.before_christ && year > 0 { 1 - year } else { year }
    }

    fn days(&self) -> Option<i64> {
        if let Some(julian) = self.julian {
            return Some(julian - i64::from(EPOCH_JULIAN));
        }
        if let Some(week) = self.iso_week {
            let monday = iso_week_start(self.iso_year.unwrap_or_else(|| self.full_year()), week);
            return Some(monday + self.iso_day_of_week.unwrap_or(1) - 1);
        }
        if let (Some(year), Some(day)) = (self.iso_year, self.iso_day_of_year) {
            return Some(iso_week_start(year, 1) + day - 1);
        }
        let year =
            self.iso_year.filter(|_| self.year.is_none()).unwrap_or_else(|| self.full_year());
        let day_of_year = self.day_of_year.or_else(|| self.week.map(|week| (week - 1) * 7 + 1));
        if let Some(day) = day_of_year
            && self.month.is_none()
        {
            if !(1..=366).contains(&day) {
                return None;
            }
            return Some(days_from_civil(year, 1, day));
        }
        let month = self.month.unwrap_or(1);
        let day =
            self.day.or_else(|| self.week_of_month.map(|week| (week - 1) * 7 + 1)).unwrap_or(1);
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month as u32).into() {
            return None;
        }
        Some(days_from_civil(year, month as u32, day))
    }

    /// The date.
    pub(super) fn date(&self, text: &str) -> Result<i32> {
        let (days, _) = self.resolve(text)?;
        i32::try_from(days)
            .ok()
            .filter(|days| *days != i32::MIN && *days != i32::MAX)
            .and_then(|days| check_date(days).ok())
            .ok_or_else(|| {
                Error::new(
                    SqlState::DATETIME_FIELD_OVERFLOW,
                    format!("date out of range: \"{text}\""),
                )
            })
    }

    /// The UTC time.
    pub(super) fn timestamptz(&self, text: &str, default: &TimeZone) -> Result<i64> {
        let (days, time) = self.resolve(text)?;
        let overflow = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range");
        let local = days
            .checked_mul(DAY_MICROS)
            .and_then(|micros| micros.checked_add(time))
            .and_then(|local| check_timestamp(local).ok())
            .ok_or_else(overflow)?;
        if let Some(hour) = self.zone_hour {
            let offset = (hour * 3600 + self.zone_minute * 60) * self.zone_sign;
            return local.checked_sub(offset * SECOND_MICROS).ok_or_else(overflow);
        }
        zone::local_to_utc(self.zone.as_ref().unwrap_or(default), local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::civil::civil_from_days;

    #[test]
    fn the_year_of_days_is_the_calendars() {
        let read = read("2000 060", "YYYY DDD").expect("a day of the year");
        assert_eq!(civil_from_days(read.days().expect("in range")), (2000, 2, 29));
    }
}
