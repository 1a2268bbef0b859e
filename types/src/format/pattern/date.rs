//! Patterns for dates: their items, and writing by them.

use crate::datetime::civil::{
    EPOCH_JULIAN, civil_from_days, day_of_week, days_from_civil, iso_week, iso_week_start,
};
use crate::datetime::{HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, is_infinite, split};
use crate::format::digits::{write_i64, write_padded};
use crate::{Interval, Result};

/// Full names of the months.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Full names of the days, from Sunday.
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// Roman numerals of the months.
pub(super) const ROMAN_MONTHS: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Title,
    Lower,
}

impl Case {
    pub(super) fn apply(self, word: &str) -> String {
        match self {
            Self::Upper => word.to_ascii_uppercase(),
            Self::Title => word.to_owned(),
            Self::Lower => word.to_ascii_lowercase(),
        }
    }
}

/// A keyword of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Hour12,
    Hour24,
    Minute,
    Second,
    SecondOfDay,
    Millisecond,
    Microsecond,
    /// Digits of a second, 1 to 6.
    Fraction(u8),
    Meridian {
        dots: bool,
    },
    Era {
        dots: bool,
    },
    YearComma,
    Year(u8),
    IsoYear(u8),
    MonthName,
    MonthShort,
    Month,
    RomanMonth,
    DayName,
    DayShort,
    DayOfYear,
    IsoDayOfYear,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    WeekOfMonth,
    WeekOfYear,
    IsoWeek,
    Century,
    Julian,
    Quarter,
    Zone,
    ZoneHour,
    ZoneMinute,
    Offset,
    Exact,
}

/// The keywords, longer ones before their beginnings.
const KEYS: &[(&str, Key)] = &[
    ("A.D.", Key::Era { dots: true }),
    ("A.M.", Key::Meridian { dots: true }),
    ("AD", Key::Era { dots: false }),
    ("AM", Key::Meridian { dots: false }),
    ("B.C.", Key::Era { dots: true }),
    ("BC", Key::Era { dots: false }),
    ("CC", Key::Century),
    ("DAY", Key::DayName),
    ("DDD", Key::DayOfYear),
    ("DD", Key::Day),
    ("DY", Key::DayShort),
    ("D", Key::DayOfWeek),
    ("FF1", Key::Fraction(1)),
    ("FF2", Key::Fraction(2)),
    ("FF3", Key::Fraction(3)),
    ("FF4", Key::Fraction(4)),
    ("FF5", Key::Fraction(5)),
    ("FF6", Key::Fraction(6)),
    ("FX", Key::Exact),
    ("HH24", Key::Hour24),
    ("HH12", Key::Hour12),
    ("HH", Key::Hour12),
    ("IDDD", Key::IsoDayOfYear),
    ("ID", Key::IsoDayOfWeek),
    ("IW", Key::IsoWeek),
    ("IYYY", Key::IsoYear(4)),
    ("IYY", Key::IsoYear(3)),
    ("IY", Key::IsoYear(2)),
    ("I", Key::IsoYear(1)),
    ("J", Key::Julian),
    ("MI", Key::Minute),
    ("MM", Key::Month),
    ("MONTH", Key::MonthName),
    ("MON", Key::MonthShort),
    ("MS", Key::Millisecond),
    ("OF", Key::Offset),
    ("P.M.", Key::Meridian { dots: true }),
    ("PM", Key::Meridian { dots: false }),
    ("Q", Key::Quarter),
    ("RM", Key::RomanMonth),
    ("SSSSS", Key::SecondOfDay),
    ("SSSS", Key::SecondOfDay),
    ("SS", Key::Second),
    ("TZH", Key::ZoneHour),
    ("TZM", Key::ZoneMinute),
    ("TZ", Key::Zone),
    ("US", Key::Microsecond),
    ("WW", Key::WeekOfYear),
    ("W", Key::WeekOfMonth),
    ("Y,YYY", Key::YearComma),
    ("YYYY", Key::Year(4)),
    ("YYY", Key::Year(3)),
    ("YY", Key::Year(2)),
    ("Y", Key::Year(1)),
];

/// A piece of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A keyword, with what stands around it.
    Field {
        key: Key,
        case: Case,
        /// `FM`: without blanks and zeros that only fill.
        fill: bool,
        /// `TH` or `th`: an ordinal's ending, and whether in capitals.
        ordinal: Option<bool>,
    },
    /// Text that stands for itself; `quoted` if it cannot be a separator.
    Text { text: String, quoted: bool },
}

/// Splits a pattern.
pub(super) fn items(pattern: &str) -> Vec<Item> {
    let mut items = vec![];
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let (mut fill, mut translate) = (false, false);
        let mut at = rest;
        loop {
            let upper = at.get(..2).map(str::to_ascii_uppercase);
            match upper.as_deref() {
                Some("FM") => fill = true,
                Some("TM") => translate = true,
                _ => break,
            }
            at = &at[2..];
        }
        let found = KEYS.iter().find(|(name, key)| {
            let Some(text) = at.get(..name.len()) else {
                return false;
            };
            // Keywords are in capitals or in lower case; names also with one capital.
            match key {
                Key::MonthName | Key::MonthShort | Key::DayName | Key::DayShort => {
                    text.eq_ignore_ascii_case(name)
                        && (text == *name
                            || text[1..] == name[1..].to_ascii_lowercase()
                            || text == name.to_ascii_lowercase())
                }
                _ => text == *name || text == name.to_ascii_lowercase(),
            }
        });
        if let Some(&(name, key)) = found {
            let text = &at[..name.len()];
            let case = if text.starts_with(|c: char| c.is_ascii_lowercase()) {
                Case::Lower
            } else if text.len() > 1 && text[1..].starts_with(|c: char| c.is_ascii_lowercase()) {
                Case::Title
            } else {
                Case::Upper
            };
            rest = &at[name.len()..];
            let ordinal = match rest.get(..2) {
                Some("TH") => Some(true),
                Some("th") => Some(false),
                _ => None,
            };
            // Spelled numbers are accepted and not spelled.
            let spelled = rest.get(..2).is_some_and(|text| text.eq_ignore_ascii_case("SP"));
            if ordinal.is_some() || spelled {
                rest = &rest[2..];
            }
            // Translated names are as long as they are.
            fill |= translate && matches!(key, Key::MonthName | Key::DayName);
            items.push(Item::Field { key, case, fill, ordinal });
            continue;
        }
        if at.len() != rest.len() {
            // A prefix without a keyword is dropped, as far as anybody can tell.
            rest = at;
            continue;
        }
        if c == '"' {
            let mut text = String::new();
            let mut chars = rest[1..].char_indices();
            let mut end = rest.len();
            while let Some((i, c)) = chars.next() {
                match c {
                    '"' => {
                        end = i + 2;
                        break;
                    }
                    '\\' => text.extend(chars.next().map(|(_, c)| c)),
                    c => text.push(c),
                }
            }
            rest = &rest[end..];
            items.push(Item::Text { text, quoted: true });
        } else if rest.starts_with("\\\"") {
            rest = &rest[2..];
            items.push(Item::Text { text: "\"".to_owned(), quoted: false });
        } else {
            rest = &rest[c.len_utf8()..];
            items.push(Item::Text { text: c.to_string(), quoted: false });
        }
    }
    items
}

/// What is written: a point in time or a span.
pub(super) struct Moment {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) micros: i64,
    /// Days since 2000-01-01; none for spans.
    pub(super) days: Option<i64>,
    /// Seconds east and abbreviation.
    pub(super) zone: Option<(i32, Option<String>)>,
}

impl Moment {
    pub(super) fn local(micros: i64) -> Self {
        let (days, time) = if is_infinite(micros) { (0, 0) } else { split(micros) };
        let (year, month, day) = civil_from_days(days);
        Self {
            year,
            month: month.into(),
            day: day.into(),
            hour: time / HOUR_MICROS,
            minute: time / MINUTE_MICROS % 60,
            second: time / SECOND_MICROS % 60,
            micros: time % SECOND_MICROS,
            days: Some(days),
            zone: None,
        }
    }

    pub(super) fn span(interval: Interval) -> Self {
        let time = interval.micros;
        Self {
            year: (interval.months / 12).into(),
            month: (interval.months % 12).into(),
            day: interval.days.into(),
            hour: time / HOUR_MICROS,
            minute: time / MINUTE_MICROS % 60,
            second: time / SECOND_MICROS % 60,
            micros: time % SECOND_MICROS,
            days: None,
            zone: None,
        }
    }

    /// The year without a sign for BC, as patterns show it.
    fn shown_year(&self) -> i64 {
        if self.days.is_some() && self.year <= 0 { 1 - self.year } else { self.year }
    }

    fn iso(&self) -> (i64, i64, i64) {
        let days = self.days.unwrap_or(0);
        let (year, week) = iso_week(days);
        (if year <= 0 { 1 - year } else { year }, week.into(), days - iso_week_start(year, 1) + 1)
    }

    fn day_of_year(&self) -> i64 {
        match self.days {
            Some(days) => days - days_from_civil(self.year, 1, 1) + 1,
            None => self.year * 360 + self.month * 30 + self.day,
        }
    }
}

/// "st", "nd", "rd" or "th".
pub(super) fn ordinal(digits: &str, upper: bool) -> &'static str {
    let bytes = digits.as_bytes();
    let last = bytes.last().copied().unwrap_or(b'0');
    let teen = bytes.len() > 1 && bytes[bytes.len() - 2] == b'1';
    match (last, teen, upper) {
        (b'1', false, true) => "ST",
        (b'2', false, true) => "ND",
        (b'3', false, true) => "RD",
        (_, _, true) => "TH",
        (b'1', false, false) => "st",
        (b'2', false, false) => "nd",
        (b'3', false, false) => "rd",
        (_, _, false) => "th",
    }
}

/// The same where the width counts the sign.
fn padded_signed(value: i64, width: usize, fill: bool) -> String {
    padded(value, width - usize::from(value < 0).min(width), fill)
}

/// `value` with at least `width` digits, or as short as it is.
fn padded(value: i64, width: usize, fill: bool) -> String {
    let mut out = Vec::new();
    if fill {
        write_i64(&mut out, value);
    } else {
        if value < 0 {
            out.push(b'-');
        }
        write_padded(&mut out, value.unsigned_abs(), width);
    }
    String::from_utf8(out).expect("digits are ASCII")
}

/// Writes a moment.
pub(super) fn write(moment: &Moment, pattern: &str) -> Result<String> {
    let mut out = String::new();
    for item in items(pattern) {
        match item {
            Item::Text { text, .. } => out.push_str(&text),
            Item::Field { key, case, fill, ordinal: ending } => {
                let text = field(moment, key, case, fill)?;
                out.push_str(&text);
                if let Some(upper) = ending
                    && text.bytes().any(|b| b.is_ascii_digit())
                {
                    out.push_str(ordinal(&text, upper));
                }
            }
        }
    }
    Ok(out)
}

/// A name, filled up to `width` unless `FM`.
fn name(word: &str, width: usize, case: Case, fill: bool) -> String {
    let word = case.apply(word);
    if fill { word } else { format!("{word:<width$}") }
}

fn field(moment: &Moment, key: Key, case: Case, fill: bool) -> Result<String> {
    let is_span = moment.days.is_none();
    let no_span = || {
        crate::Error::new(
            crate::SqlState::INVALID_DATETIME_FORMAT,
            "invalid format specification for an interval value",
        )
        .hint("Intervals are not tied to specific calendar dates.")
    };
    let dotted = |text: &str, dots: bool| {
        let text =
            if dots { text.chars().flat_map(|c| [c, '.']).collect() } else { text.to_owned() };
        match case {
            Case::Lower => text.to_ascii_lowercase(),
            Case::Upper | Case::Title => text,
        }
    };
    let month_index = || {
        let month = if is_span { moment.month.rem_euclid(12) } else { moment.month };
        (month > 0).then(|| month as usize - 1)
    };
    Ok(match key {
        Key::Exact => String::new(),
        Key::Hour12 => {
            let hour = moment.hour % 12;
            let hour = if hour == 0 { 12 } else { hour };
            let hour = if moment.hour < 0 && hour == 12 { 12 } else { hour };
            padded(hour, 2, fill)
        }
        Key::Hour24 => padded(moment.hour, 2, fill),
        Key::Minute => padded(moment.minute, 2, fill),
        Key::Second => padded(moment.second, 2, fill),
        Key::SecondOfDay => (moment.hour * 3600 + moment.minute * 60 + moment.second).to_string(),
        Key::Millisecond => padded(moment.micros / 1000, 3, false),
        Key::Microsecond => padded(moment.micros, 6, false),
        Key::Fraction(digits) => {
            padded(moment.micros / 10i64.pow(6 - u32::from(digits)), digits.into(), false)
        }
        Key::Meridian { dots } => dotted(if moment.hour % 24 >= 12 { "PM" } else { "AM" }, dots),
        Key::Era { dots } if !is_span => dotted(if moment.year <= 0 { "BC" } else { "AD" }, dots),
        Key::YearComma => {
            let year = moment.shown_year();
            let thousands = year / 1000;
            format!("{thousands},{:03}", year.abs() % 1000)
        }
        Key::Year(4) => padded(moment.shown_year(), 4, fill),
        Key::Year(digits) => {
            let year = moment.shown_year() % 10i64.pow(digits.into());
            padded(year, digits.into(), fill)
        }
        Key::Month => padded(moment.month, 2, fill),
        Key::RomanMonth => match month_index() {
            Some(index) => {
                let word = ROMAN_MONTHS[index];
                name(word, 4, if case == Case::Lower { Case::Lower } else { Case::Upper }, fill)
            }
            None => String::new(),
        },
        Key::DayOfYear => padded_signed(moment.day_of_year(), 3, fill),
        Key::Day => padded_signed(moment.day, 2, fill),
        Key::WeekOfMonth => ((moment.day - 1) / 7 + 1).to_string(),
        Key::WeekOfYear => padded_signed((moment.day_of_year() - 1) / 7 + 1, 2, fill),
        Key::Century => {
            let century = if is_span {
                moment.year / 100
            } else if moment.year > 0 {
                (moment.year - 1) / 100 + 1
            } else {
                moment.year / 100 - 1
            };
            padded(century, 2, fill)
        }
        Key::Quarter => {
            if moment.month == 0 {
                String::new()
            } else {
                ((moment.month - 1) / 3 + 1).to_string()
            }
        }
        Key::Julian => {
            let days = moment.days.unwrap_or_else(|| {
                days_from_civil(moment.year, moment.month.clamp(1, 12) as u32, moment.day)
            });
            (days + i64::from(EPOCH_JULIAN)).to_string()
        }
        Key::IsoYear(digits) if !is_span => {
            padded(moment.iso().0 % 10i64.pow(digits.max(1).into()), digits.into(), fill)
        }
        Key::IsoWeek if !is_span => padded(moment.iso().1, 2, fill),
        Key::IsoDayOfYear if !is_span => padded(moment.iso().2, 3, fill),
        Key::MonthName if !is_span => name(MONTHS[moment.month as usize - 1], 9, case, fill),
        Key::MonthShort if !is_span => case.apply(&MONTHS[moment.month as usize - 1][..3]),
        Key::DayName | Key::DayShort | Key::DayOfWeek | Key::IsoDayOfWeek if !is_span => {
            let day = day_of_week(moment.days.unwrap_or(0)) as usize;
            match key {
                Key::DayName => name(DAYS[day], 9, case, fill),
                Key::DayShort => case.apply(&DAYS[day][..3]),
                Key::DayOfWeek => (day + 1).to_string(),
                _ => (if day == 0 { 7 } else { day }).to_string(),
            }
        }
        Key::Zone | Key::ZoneHour | Key::ZoneMinute | Key::Offset if !is_span => {
            zone_field(moment, key, case)
        }
        Key::Era { .. }
        | Key::IsoYear(_)
        | Key::IsoWeek
        | Key::IsoDayOfYear
        | Key::MonthName
        | Key::MonthShort
        | Key::DayName
        | Key::DayShort
        | Key::DayOfWeek
        | Key::IsoDayOfWeek
        | Key::Zone
        | Key::ZoneHour
        | Key::ZoneMinute
        | Key::Offset => return Err(no_span()),
    })
}

fn zone_field(moment: &Moment, key: Key, case: Case) -> String {
    let (offset, abbreviation) = match &moment.zone {
        Some((offset, abbreviation)) => (*offset, abbreviation.as_deref()),
        None => (0, None),
    };
    let sign = if offset < 0 { '-' } else { '+' };
    let size = offset.unsigned_abs();
    match key {
        Key::Zone => case.apply(abbreviation.unwrap_or("")),
        Key::ZoneHour => format!("{sign}{:02}", size / 3600),
        Key::ZoneMinute => format!("{:02}", size % 3600 / 60),
        _ if size % 3600 == 0 => format!("{sign}{:02}", size / 3600),
        _ => format!("{sign}{:02}:{:02}", size / 3600, size % 3600 / 60),
    }
}
