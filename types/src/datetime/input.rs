//! Dates and times from text, in every form that PostgreSQL takes.
//!
//! Text is first cut into fields ([`split`]) whose kind follows from their characters alone: a time has a colon, a date
//! a separator, a zone a sign. Then the fields are read from left to right into [`Parts`]; what a bare number means
//! depends on what was seen before it and on `DateStyle`'s order. A part given twice is an error, which is what [`Seen`]
//! is for. The grammar is that of PostgreSQL's `DecodeDateTime` and `DecodeTimeOnly`, heuristics included, since dumps
//! and drivers rely on them.

use super::abbreviations::{self, Abbreviation};
use super::civil::{EPOCH_JULIAN, civil_from_days, days_from_civil, days_in_month};
use super::time::{
    DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS,
    check_date, check_timestamp, split as split_micros,
};
use super::{timetz, zone};
use crate::format::{DateOrder, FormatSettings, TimeZone, is_space};
use crate::{Error, Result, SqlState};

/// Most fields of a date or time.
const FIELDS_MAX: usize = 25;
/// Longest text that is looked at.
const TEXT_MAX: usize = 128 + FIELDS_MAX;
/// Words longer than this are cut before they are compared.
const WORD_MAX: usize = 10;

/// Why text is not a date; [`Failure::error`] makes PostgreSQL's error of it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 22007.
    Format,
    /// 22008.
    Overflow,
    /// 22008, with a hint about `DateStyle`.
    MonthOverflow,
    /// 22015.
    IntervalOverflow,
    /// 22009.
    ZoneOverflow,
    /// Anything else.
    Other(Error),
}

pub(crate) type Parse<T> = std::result::Result<T, Failure>;

impl Failure {
    #[cold]
    pub(crate) fn error(self, type_name: &str, text: &str) -> Error {
        let overflow =
            |what: &str, state| Error::new(state, format!("{what} out of range: \"{text}\""));
        match self {
            Self::Format => Error::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type {type_name}: \"{text}\""),
            ),
            Self::Overflow => overflow("date/time field value", SqlState::DATETIME_FIELD_OVERFLOW),
            Self::MonthOverflow => {
                overflow("date/time field value", SqlState::DATETIME_FIELD_OVERFLOW)
                    .hint("Perhaps you need a different \"datestyle\" setting.")
            }
            Self::IntervalOverflow => {
                overflow("interval field value", SqlState::INTERVAL_FIELD_OVERFLOW)
            }
            Self::ZoneOverflow => {
                overflow("time zone displacement", SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE)
            }
            Self::Other(error) => error,
        }
    }
}

/// What a field's characters make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Digits, perhaps with one point.
    Number,
    /// Digits with colons.
    Time,
    /// Digits and words with separators; also names of zones.
    Date,
    /// A sign and digits.
    Zone,
    /// Letters.
    Word,
    /// A sign and letters.
    Special,
}

/// A field of the text, in lower case.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// Cuts text into fields.
pub(crate) fn split(text: &str) -> Parse<Vec<Field>> {
    let bytes = text.as_bytes();
    if bytes.len() > TEXT_MAX {
        return Err(Failure::Format);
    }
    let mut fields = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let peek = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let run = |mut at: usize, test: &dyn Fn(u8) -> bool| {
            while at < bytes.len() && test(bytes[at]) {
                at += 1;
            }
            at
        };
        let digits = |at| run(at, &|b| b.is_ascii_digit());
        let kind = match bytes[at] {
            b if is_space(b as char) => {
                at += 1;
                continue;
            }
            b'0'..=b'9' => {
                at = digits(at);
                match peek(at) {
                    b':' => {
                        at = run(at, &|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
                        Kind::Time
                    }
                    separator @ (b'-' | b'/' | b'.') => {
                        at += 1;
                        if peek(at).is_ascii_digit() {
                            at = digits(at);
                            if peek(at) == separator {
                                at = run(at, &|b| b.is_ascii_digit() || b == separator);
                                Kind::Date
                            } else if separator == b'.' {
                                Kind::Number
                            } else {
                                Kind::Date
                            }
                        } else {
                            at = run(at, &|b| b.is_ascii_alphanumeric() || b == separator);
                            Kind::Date
                        }
                    }
                    _ => Kind::Number,
                }
            }
            b'.' => {
                at = digits(at + 1);
                Kind::Number
            }
            b if b.is_ascii_alphabetic() => {
                at = run(at, &|b| b.is_ascii_alphabetic());
                let joined = match peek(at) {
                    b'-' | b'/' | b'.' => true,
                    // "EST5EDT", but not "t040506".
                    b'+' | b'0'..=b'9' => {
                        word(&text[start..at].to_ascii_lowercase()) == Word::Unknown
                    }
                    _ => false,
                };
                if joined {
                    at = run(at, &|b| {
                        b.is_ascii_alphanumeric()
                            || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':')
                    });
                    Kind::Date
                } else {
                    Kind::Word
                }
            }
            sign @ (b'+' | b'-') => {
                at = run(at + 1, &|b| is_space(b as char));
                let body = at;
                let kind = if peek(at).is_ascii_digit() {
                    at = run(at, &|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
                    Kind::Zone
                } else if peek(at).is_ascii_alphabetic() {
                    at = run(at, &|b| b.is_ascii_alphabetic());
                    Kind::Special
                } else {
                    return Err(Failure::Format);
                };
                if fields.len() == FIELDS_MAX {
                    return Err(Failure::Format);
                }
                let text = format!("{}{}", sign as char, text[body..at].to_ascii_lowercase());
                fields.push(Field { kind, text });
                continue;
            }
            b if b.is_ascii_punctuation() => {
                at += 1;
                continue;
            }
            _ => return Err(Failure::Format),
        };
        if fields.len() == FIELDS_MAX {
            return Err(Failure::Format);
        }
        fields.push(Field { kind, text: text[start..at].to_ascii_lowercase() });
    }
    Ok(fields)
}

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Month(u32),
    Weekday,
    Am,
    Pm,
    Ad,
    Bc,
    /// "at", "on".
    Ignored,
    /// A field's label in front of its number.
    Label(Label),
    IsoTime,
    /// "dst".
    DstModifier,
    Now,
    Today,
    Tomorrow,
    Yesterday,
    Zulu,
    Epoch,
    Infinity,
    MinusInfinity,
    /// A word of another use ("dow", "isoyear").
    Misplaced,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Julian,
    Time,
}

fn word(text: &str) -> Word {
    match text {
        "jan" | "january" => Word::Month(1),
        "feb" | "february" => Word::Month(2),
        "mar" | "march" => Word::Month(3),
        "apr" | "april" => Word::Month(4),
        "may" => Word::Month(5),
        "jun" | "june" => Word::Month(6),
        "jul" | "july" => Word::Month(7),
        "aug" | "august" => Word::Month(8),
        "sep" | "sept" | "september" => Word::Month(9),
        "oct" | "october" => Word::Month(10),
        "nov" | "november" => Word::Month(11),
        "dec" | "december" => Word::Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds"
        | "wednesday" | "thu" | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat"
        | "saturday" => Word::Weekday,
        "am" => Word::Am,
        "pm" => Word::Pm,
        "ad" => Word::Ad,
        "bc" => Word::Bc,
        "at" | "on" => Word::Ignored,
        "y" => Word::Label(Label::Year),
        "m" => Word::Label(Label::Month),
        "d" => Word::Label(Label::Day),
        "h" => Word::Label(Label::Hour),
        "mm" => Word::Label(Label::Minute),
        "s" => Word::Label(Label::Second),
        "j" | "jd" | "julian" => Word::Label(Label::Julian),
        "t" => Word::IsoTime,
        "dst" => Word::DstModifier,
        "now" => Word::Now,
        "today" => Word::Today,
        "tomorrow" => Word::Tomorrow,
        "yesterday" => Word::Yesterday,
        "allballs" => Word::Zulu,
        "epoch" => Word::Epoch,
        "infinity" => Word::Infinity,
        "-infinity" => Word::MinusInfinity,
        "dow" | "doy" | "isodow" | "isoyear" => Word::Misplaced,
        _ => Word::Unknown,
    }
}

/// Which parts were given, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen(u32);

impl Seen {
    const NONE: Self = Self(0);
    const YEAR: Self = Self(1);
    const MONTH: Self = Self(1 << 1);
    const DAY: Self = Self(1 << 2);
    const HOUR: Self = Self(1 << 3);
    const MINUTE: Self = Self(1 << 4);
    const SECOND: Self = Self(1 << 5);
    const FRACTION: Self = Self(1 << 6);
    const ZONE: Self = Self(1 << 7);
    const DST: Self = Self(1 << 8);
    const DST_MODIFIER: Self = Self(1 << 9);
    const DAY_OF_YEAR: Self = Self(1 << 10);
    const MERIDIAN: Self = Self(1 << 11);
    const ERA: Self = Self(1 << 12);
    const WEEKDAY: Self = Self(1 << 13);
    const RESERVED: Self = Self(1 << 14);
    const DATE: Self = Self(7);
    const TIME: Self = Self(7 << 3);

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    const fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }
    const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meridian {
    None,
    Am,
    Pm,
}

enum Zone {
    None,
    /// Seconds east of UTC.
    Offset(i32),
    Named(TimeZone),
}

/// A whole value or one in parts.
enum Outcome {
    Parts,
    Epoch,
    Infinity,
    MinusInfinity,
}

/// What was read so far.
struct Parts<'a> {
    settings: &'a FormatSettings,
    now: i64,
    seen: Seen,
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    zone: Zone,
    meridian: Meridian,
    before_christ: bool,
    julian: bool,
    /// The year had one or two digits.
    short_year: bool,
    text_month: bool,
    /// The value is a time of day: numbers are times, and a date only serves the zone.
    time_only: bool,
}

/// An integer at the start of `text` as C's `strtol` reads it, and what follows.
fn leading_integer(text: &str) -> Parse<(i64, &str)> {
    let (value, rest) = leading_i64(text)?;
    if i32::try_from(value).is_err() {
        return Err(Failure::Overflow);
    }
    Ok((value, rest))
}

/// The same with 64 bits.
pub(crate) fn leading_i64(text: &str) -> Parse<(i64, &str)> {
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(sign + digits);
    if digits == 0 {
        return Ok((0, text));
    }
    match number.parse() {
        Ok(value) => Ok((value, rest)),
        Err(_) => Err(Failure::Overflow),
    }
}

/// `.ffff` in microseconds, rounded half to even as `rint` does.
pub(crate) fn fraction(text: &str) -> Parse<i64> {
    let digits = text.strip_prefix('.').ok_or(Failure::Format)?;
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Failure::Format);
    }
    let value: f64 = format!("0.{digits}").parse().map_err(|_| Failure::Format)?;
    Ok((value * 1e6).round_ties_even() as i64)
}

fn digits_value(text: &str) -> i64 {
    text.bytes().fold(0i64, |value, b| {
        value.saturating_mul(10).saturating_add(i64::from(b.wrapping_sub(b'0') % 10))
    })
}

impl<'a> Parts<'a> {
    fn new(settings: &'a FormatSettings, now: i64, time_only: bool) -> Self {
        Self {
            settings,
            now,
            seen: Seen::NONE,
            year: 0,
            month: 0,
            day: 0,
            day_of_year: 0,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
            zone: Zone::None,
            meridian: Meridian::None,
            before_christ: false,
            julian: false,
            short_year: false,
            text_month: false,
            time_only,
        }
    }

    /// Parts that count as seen when a number is interpreted: a time of day has no date to find.
    fn context(&self) -> Seen {
        if self.time_only { self.seen.or(Seen::DATE) } else { self.seen }
    }

    fn local_now(&self) -> i64 {
        zone::utc_to_local(&self.settings.time_zone, self.now).unwrap_or(self.now)
    }

    fn set_date(&mut self, days: i64) {
        let (year, month, day) = civil_from_days(days);
        (self.year, self.month, self.day) = (year, month.into(), day.into());
        self.julian = true;
    }

    fn set_time(&mut self, micros: i64) {
        self.hour = micros / HOUR_MICROS;
        self.minute = micros / MINUTE_MICROS % 60;
        self.second = micros / SECOND_MICROS % 60;
        self.micros = micros % SECOND_MICROS;
    }

    fn read(&mut self, fields: &[Field]) -> Parse<Outcome> {
        let mut outcome = Outcome::Parts;
        let mut label = None;
        for (i, field) in fields.iter().enumerate() {
            let text = field.text.as_str();
            let found = match field.kind {
                Kind::Date => self.read_date_field(fields, i, &mut label)?,
                Kind::Time => {
                    let found = self.read_time(text)?;
                    if self.hour > 24
                        || (self.hour == 24
                            && (self.minute > 0 || self.second > 0 || self.micros > 0))
                    {
                        return Err(Failure::Overflow);
                    }
                    found
                }
                Kind::Zone => {
                    self.zone = Zone::Offset(read_offset(text)?);
                    Seen::ZONE
                }
                Kind::Number => match label.take() {
                    Some(label) => self.read_labelled(label, text)?,
                    None => self.read_plain(fields, i)?,
                },
                Kind::Word | Kind::Special => {
                    match self.read_word(fields, i, &mut label, &mut outcome)? {
                        Some(found) => found,
                        None => continue,
                    }
                }
            };
            if self.seen.any(found) {
                return Err(Failure::Format);
            }
            self.seen = self.seen.or(found);
        }
        if label.is_some() {
            return Err(Failure::Format);
        }
        Ok(outcome)
    }

    /// A field with separators: a date, a zone's name, or a time run together with a zone.
    fn read_date_field(
        &mut self,
        fields: &[Field],
        i: usize,
        label: &mut Option<Label>,
    ) -> Parse<Seen> {
        let text = fields[i].text.as_str();
        if *label == Some(Label::Julian) {
            *label = None;
            let (julian, rest) = leading_integer(text)?;
            if julian < 0 {
                return Err(Failure::Overflow);
            }
            self.set_date(julian - i64::from(EPOCH_JULIAN));
            self.zone = Zone::Offset(read_offset(rest)?);
            return Ok(Seen::DATE.or(Seen::TIME).or(Seen::ZONE));
        }
        let date_expected = if self.time_only {
            i == 0
                && fields.len() >= 2
                && (fields[fields.len() - 1].kind == Kind::Date || fields[1].kind == Kind::Time)
        } else {
            label.is_none() && !self.seen.has(Seen::MONTH.or(Seen::DAY))
        };
        if date_expected {
            return self.read_date(text);
        }
        if label.is_some_and(|label| label != Label::Time) {
            return Err(Failure::Format);
        }
        if label.take().is_some() || text.starts_with(|c: char| c.is_ascii_digit()) {
            // hhmmss-zz
            if self.seen.has(Seen::TIME) {
                return Err(Failure::Format);
            }
            let at = text.find('-').ok_or(Failure::Format)?;
            self.zone = Zone::Offset(read_offset(&text[at..])?);
            let found = self.read_run(&text[..at], self.context())?;
            return Ok(found.or(Seen::ZONE));
        }
        match zone::named(text) {
            Some(zone) => self.zone = Zone::Named(zone),
            None => {
                return Err(Failure::Other(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("time zone \"{text}\" not recognized"),
                )));
            }
        }
        Ok(Seen::ZONE)
    }

    /// A date with separators.
    fn read_date(&mut self, text: &str) -> Parse<Seen> {
        let mut pieces: Vec<&str> = vec![];
        let mut rest = text;
        while !rest.is_empty() && pieces.len() < FIELDS_MAX {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            if rest.is_empty() {
                return Err(Failure::Format);
            }
            let is_digit = rest.as_bytes()[0].is_ascii_digit();
            let len = rest
                .bytes()
                .take_while(|b| if is_digit { b.is_ascii_digit() } else { b.is_ascii_alphabetic() })
                .count();
            pieces.push(&rest[..len]);
            rest = &rest[len..];
            // One character after a piece is a separator, whatever it is.
            if let Some(c) = rest.chars().next()
                && !c.is_ascii_alphanumeric()
            {
                rest = &rest[c.len_utf8()..];
                if rest.is_empty() {
                    break;
                }
            }
        }
        let mut seen = self.seen;
        let mut found = Seen::NONE;
        let mut text_month = false;
        // A month's name is unambiguous, so it is taken first.
        for piece in pieces.iter().filter(|piece| piece.as_bytes()[0].is_ascii_alphabetic()) {
            match word(piece) {
                Word::Ignored => {}
                Word::Month(month) => {
                    self.month = month.into();
                    text_month = true;
                    if seen.any(Seen::MONTH) {
                        return Err(Failure::Format);
                    }
                    seen = seen.or(Seen::MONTH);
                    found = found.or(Seen::MONTH);
                }
                _ => return Err(Failure::Format),
            }
        }
        for piece in pieces.iter().filter(|piece| piece.as_bytes()[0].is_ascii_digit()) {
            let part = self.read_number(piece, text_month, seen)?;
            if seen.any(part) {
                return Err(Failure::Format);
            }
            seen = seen.or(part);
            found = found.or(part);
        }
        let rest = seen.0 & !(Seen::DAY_OF_YEAR.0 | Seen::ZONE.0);
        if rest != Seen::DATE.0 {
            return Err(Failure::Format);
        }
        Ok(found)
    }

    /// hh:mm[:ss[.f]], or mm:ss.f
    fn read_time(&mut self, text: &str) -> Parse<Seen> {
        let (hour, minute, second, micros) = read_clock(text, false)?;
        (self.hour, self.minute, self.second, self.micros) = (hour, minute, second, micros);
        Ok(Seen::TIME)
    }

    /// A number with a label before it: "y2001m02d04".
    fn read_labelled(&mut self, label: Label, text: &str) -> Parse<Seen> {
        let (value, rest) = leading_integer(text)?;
        if rest.starts_with('.') {
            if !matches!(label, Label::Julian | Label::Time | Label::Second) {
                return Err(Failure::Format);
            }
        } else if !rest.is_empty() {
            return Err(Failure::Format);
        }
        Ok(match label {
            Label::Year => {
                self.year = value;
                Seen::YEAR
            }
            Label::Month if self.seen.has(Seen::MONTH.or(Seen::HOUR)) => {
                self.minute = value;
                Seen::MINUTE
            }
            Label::Month => {
                self.month = value;
                Seen::MONTH
            }
            Label::Day => {
                self.day = value;
                Seen::DAY
            }
            Label::Hour => {
                self.hour = value;
                Seen::HOUR
            }
            Label::Minute => {
                self.minute = value;
                Seen::MINUTE
            }
            Label::Second => {
                self.second = value;
                if rest.is_empty() {
                    Seen::SECOND
                } else {
                    self.micros = fraction(rest)?;
                    Seen::SECOND.or(Seen::FRACTION)
                }
            }
            Label::Julian => {
                if value < 0 {
                    return Err(Failure::Overflow);
                }
                self.set_date(value - i64::from(EPOCH_JULIAN));
                if rest.is_empty() {
                    return Ok(Seen::DATE);
                }
                let part: f64 = format!("0{rest}").parse().map_err(|_| Failure::Format)?;
                self.set_time((part * DAY_MICROS as f64) as i64);
                Seen::DATE.or(Seen::TIME)
            }
            Label::Time => {
                let found = self.read_run(text, self.context().or(Seen::DATE))?;
                if found != Seen::TIME {
                    return Err(Failure::Format);
                }
                found
            }
        })
    }

    /// A number without a label.
    fn read_plain(&mut self, fields: &[Field], i: usize) -> Parse<Seen> {
        let text = fields[i].text.as_str();
        let point = text.find('.');
        if self.time_only {
            return match point {
                Some(_)
                    if i == 0
                        && fields.len() >= 2
                        && fields[fields.len() - 1].kind == Kind::Date =>
                {
                    self.read_date(text)
                }
                Some(point) if point > 2 => self.read_run(text, self.context()),
                Some(_) => Err(Failure::Format),
                None if text.len() > 4 => self.read_run(text, self.context()),
                None => self.read_number(text, false, self.context()),
            };
        }
        match point {
            Some(_) if !self.seen.any(Seen::DATE) => self.read_date(text),
            Some(point) if point > 2 => self.read_run(text, self.seen),
            // A number joined to a zone's sign is digits run together.
            _ if text.len() >= 6 && !(self.seen.has(Seen::DATE) && self.seen.has(Seen::TIME)) => {
                self.read_run(text, self.seen)
            }
            _ => self.read_number(text, self.text_month, self.seen),
        }
    }

    /// One part of a date, by what is known already.
    fn read_number(&mut self, text: &str, text_month: bool, seen: Seen) -> Parse<Seen> {
        let (value, rest) = leading_integer(text)?;
        let whole = text.len() - rest.len();
        if whole == 0 {
            return Err(Failure::Format);
        }
        if rest.starts_with('.') {
            if whole > 2 {
                return self.read_run(text, seen.or(Seen::DATE));
            }
            self.micros = fraction(rest)?;
        } else if !rest.is_empty() {
            return Err(Failure::Format);
        }
        let date = seen.and(Seen::DATE);
        if text.len() == 3 && date == Seen::YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(Seen::DAY_OF_YEAR.or(Seen::MONTH).or(Seen::DAY));
        }
        let order = self.settings.date_order;
        let long = text.len() >= 3;
        const YEAR_MONTH: Seen = Seen::YEAR.or(Seen::MONTH);
        const MONTH_DAY: Seen = Seen::MONTH.or(Seen::DAY);
        let found = match date {
            Seen::NONE if long || order == DateOrder::Ymd => Seen::YEAR,
            Seen::NONE if order == DateOrder::Dmy => Seen::DAY,
            Seen::NONE => Seen::MONTH,
            Seen::YEAR => Seen::MONTH,
            Seen::MONTH if text_month && (long || order == DateOrder::Ymd) => Seen::YEAR,
            Seen::MONTH => Seen::DAY,
            YEAR_MONTH => {
                if text_month && long && self.short_year {
                    // What was taken for the year was the day.
                    self.day = self.year;
                    self.year = value;
                    self.short_year = false;
                    return Ok(Seen::DAY);
                }
                Seen::DAY
            }
            Seen::DAY => Seen::MONTH,
            MONTH_DAY => Seen::YEAR,
            Seen::DATE => return self.read_run(text, seen),
            _ => return Err(Failure::Format),
        };
        match found {
            Seen::YEAR => {
                self.year = value;
                self.short_year = text.len() <= 2;
            }
            Seen::MONTH => self.month = value,
            _ => self.day = value,
        }
        Ok(found)
    }

    /// Digits run together: a date (yyyymmdd, yymmdd) or a time (hhmmss, hhmm).
    fn read_run(&mut self, text: &str, seen: Seen) -> Parse<Seen> {
        let (digits, has_point) = match text.find('.') {
            Some(point) => {
                self.micros = fraction(&text[point..])?;
                (&text[..point], true)
            }
            None => (text, false),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Failure::Format);
        }
        let len = digits.len();
        if !has_point && !seen.has(Seen::DATE) && len >= 6 {
            self.day = digits_value(&digits[len - 2..]);
            self.month = digits_value(&digits[len - 4..len - 2]);
            self.year = digits_value(&digits[..len - 4]);
            if len == 6 {
                self.short_year = true;
            }
            return Ok(Seen::DATE);
        }
        if !seen.has(Seen::TIME) {
            match len {
                6 => {
                    self.hour = digits_value(&digits[..2]);
                    self.minute = digits_value(&digits[2..4]);
                    self.second = digits_value(&digits[4..]);
                    return Ok(Seen::TIME);
                }
                4 => {
                    self.hour = digits_value(&digits[..2]);
                    self.minute = digits_value(&digits[2..]);
                    self.second = 0;
                    return Ok(Seen::TIME);
                }
                _ => {}
            }
        }
        Err(Failure::Format)
    }

    /// A word; `None` if it means nothing.
    fn read_word(
        &mut self,
        fields: &[Field],
        i: usize,
        label: &mut Option<Label>,
        outcome: &mut Outcome,
    ) -> Parse<Option<Seen>> {
        let text = fields[i].text.as_str();
        let short =
            if text.starts_with(['+', '-']) { text } else { &text[..text.len().min(WORD_MAX)] };
        if let Some(abbreviation) = abbreviations::find(short) {
            return self.read_abbreviation(abbreviation).map(Some);
        }
        let now = matches!(
            word(short),
            Word::Today
                | Word::Tomorrow
                | Word::Yesterday
                | Word::Epoch
                | Word::Infinity
                | Word::MinusInfinity
        );
        if now && self.time_only {
            return Err(Failure::Format);
        }
        Ok(Some(match word(short) {
            Word::Ignored => return Ok(None),
            Word::Now if self.time_only => {
                self.set_time(split_micros(self.local_now()).1);
                Seen::TIME
            }
            Word::Now => {
                let local = self.local_now();
                let (days, time) = split_micros(local);
                self.set_date(days);
                self.set_time(time);
                let offset = zone::offset_at(&self.settings.time_zone, self.now);
                self.zone = Zone::Offset(offset);
                Seen::DATE.or(Seen::TIME).or(Seen::ZONE)
            }
            word @ (Word::Today | Word::Tomorrow | Word::Yesterday) => {
                let shift = match word {
                    Word::Tomorrow => 1,
                    Word::Yesterday => -1,
                    _ => 0,
                };
                self.set_date(split_micros(self.local_now()).0 + shift);
                Seen::DATE
            }
            Word::Zulu => {
                self.set_time(0);
                self.zone = Zone::Offset(0);
                Seen::TIME.or(Seen::ZONE)
            }
            Word::Epoch => {
                *outcome = Outcome::Epoch;
                Seen::RESERVED
            }
            Word::Infinity => {
                *outcome = Outcome::Infinity;
                Seen::RESERVED
            }
            Word::MinusInfinity => {
                *outcome = Outcome::MinusInfinity;
                Seen::RESERVED
            }
            Word::Month(_) if self.time_only => return Err(Failure::Format),
            Word::Month(month) => {
                let mut found = Seen::MONTH;
                if self.seen.has(Seen::MONTH)
                    && !self.text_month
                    && !self.seen.any(Seen::DAY)
                    && (1..=31).contains(&self.month)
                {
                    // The number taken for the month was the day.
                    self.day = self.month;
                    found = Seen::DAY;
                }
                self.text_month = true;
                self.month = month.into();
                found
            }
            Word::Weekday => Seen::WEEKDAY,
            Word::Am => {
                self.meridian = Meridian::Am;
                Seen::MERIDIAN
            }
            Word::Pm => {
                self.meridian = Meridian::Pm;
                Seen::MERIDIAN
            }
            Word::Ad => Seen::ERA,
            Word::Bc => {
                self.before_christ = true;
                Seen::ERA
            }
            Word::Label(new) => {
                // Two labels in a row leave the first without a number.
                if label.replace(new).is_some() {
                    return Err(Failure::Format);
                }
                Seen::NONE
            }
            Word::IsoTime => {
                if !self.time_only && !self.seen.has(Seen::DATE) {
                    return Err(Failure::Format);
                }
                let next = fields.get(i + 1).map(|field| field.kind);
                if !matches!(next, Some(Kind::Number | Kind::Time | Kind::Date)) {
                    return Err(Failure::Format);
                }
                // A field with colons needs no label.
                if next != Some(Kind::Time) && label.replace(Label::Time).is_some() {
                    return Err(Failure::Format);
                }
                Seen::NONE
            }
            Word::DstModifier => {
                if let Zone::Offset(offset) = &mut self.zone {
                    *offset += 3600;
                }
                Seen::DST_MODIFIER.or(Seen::DST)
            }
            Word::Misplaced => return Err(Failure::Format),
            Word::Unknown => match zone::named(text) {
                Some(zone) => {
                    self.zone = Zone::Named(zone);
                    Seen::ZONE
                }
                None => return Err(Failure::Format),
            },
        }))
    }

    fn read_abbreviation(&mut self, abbreviation: Abbreviation) -> Parse<Seen> {
        match abbreviation {
            Abbreviation::Fixed { seconds, dst } => {
                self.zone = Zone::Offset(seconds);
                Ok(if dst { Seen::ZONE.or(Seen::DST) } else { Seen::ZONE })
            }
            Abbreviation::Zone(name) => {
                self.zone = Zone::Named(zone::named(name).ok_or(Failure::Format)?);
                Ok(Seen::ZONE)
            }
        }
    }

    /// Checks the date's parts and completes them.
    fn validate(&mut self) -> Parse<()> {
        if self.seen.any(Seen::YEAR) && !self.julian {
            if self.before_christ {
                if self.year <= 0 {
                    return Err(Failure::Overflow);
                }
                self.year = 1 - self.year;
            } else if self.short_year {
                if self.year < 70 {
                    self.year += 2000;
                } else if self.year < 100 {
                    self.year += 1900;
                }
            } else if self.year <= 0 {
                return Err(Failure::Overflow);
            }
        }
        if self.seen.any(Seen::DAY_OF_YEAR) {
            let (year, month, day) =
                civil_from_days(days_from_civil(self.year, 1, self.day_of_year));
            (self.year, self.month, self.day) = (year, month.into(), day.into());
        }
        if self.seen.any(Seen::MONTH) && !(1..=12).contains(&self.month) {
            return Err(Failure::MonthOverflow);
        }
        if self.seen.any(Seen::DAY) && !(1..=31).contains(&self.day) {
            return Err(Failure::MonthOverflow);
        }
        if self.seen.has(Seen::DATE)
            && self.day > i64::from(days_in_month(self.year, self.month as u32))
        {
            return Err(Failure::Overflow);
        }
        if self.meridian != Meridian::None && self.hour > 12 {
            return Err(Failure::Overflow);
        }
        match self.meridian {
            Meridian::Am if self.hour == 12 => self.hour = 0,
            Meridian::Pm if self.hour != 12 => self.hour += 12,
            Meridian::None | Meridian::Am | Meridian::Pm => {}
        }
        let clock_is_valid = (0..=24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..=60).contains(&self.second)
            && !(self.hour == 24 && (self.minute > 0 || self.second > 0 || self.micros > 0));
        if !clock_is_valid {
            return Err(Failure::Overflow);
        }
        if self.seen.any(Seen::DST_MODIFIER)
            && (matches!(self.zone, Zone::Named(_)) || !self.seen.any(Seen::ZONE))
        {
            return Err(Failure::Format);
        }
        Ok(())
    }

    fn days(&self) -> i64 {
        days_from_civil(self.year, self.month as u32, self.day)
    }

    fn time_of_day(&self) -> i64 {
        self.hour * HOUR_MICROS
            + self.minute * MINUTE_MICROS
            + self.second * SECOND_MICROS
            + self.micros
    }

    /// The local time in microseconds, unless it is far out of range.
    fn local(&self) -> Parse<i64> {
        let days = self.days();
        days.checked_mul(DAY_MICROS)
            .and_then(|micros| micros.checked_add(self.time_of_day()))
            .ok_or(Failure::Overflow)
    }
}

/// Hours, minutes, seconds and microseconds; `minute_first` reads two parts as mm:ss.
pub(crate) fn read_clock(text: &str, minute_first: bool) -> Parse<(i64, i64, i64, i64)> {
    let (hour, rest) = leading_i64(text)?;
    let rest = rest.strip_prefix(':').ok_or(Failure::Format)?;
    let (minute, rest) = leading_integer(rest)?;
    let (hour, minute, second, micros) = if rest.is_empty() {
        if minute_first { (0, hour, minute, 0) } else { (hour, minute, 0, 0) }
    } else if rest.starts_with('.') {
        (0, hour, minute, fraction(rest)?)
    } else {
        let rest = rest.strip_prefix(':').ok_or(Failure::Format)?;
        let (second, rest) = leading_integer(rest)?;
        let micros = if rest.is_empty() { 0 } else { fraction(rest)? };
        (hour, minute, second, micros)
    };
    if hour < 0 || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return Err(Failure::Overflow);
    }
    Ok((hour, minute, second, micros))
}

/// `±hh[:mm[:ss]]` or `±hhmm`, in seconds east.
pub(crate) fn read_offset(text: &str) -> Parse<i32> {
    let negative = match text.as_bytes().first() {
        Some(b'-') => true,
        Some(b'+') => false,
        _ => return Err(Failure::Format),
    };
    let overflow = |_| Failure::ZoneOverflow;
    let (mut hour, mut rest) = leading_integer(&text[1..]).map_err(overflow)?;
    let (mut minute, mut second) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        (minute, rest) = leading_integer(after).map_err(overflow)?;
        if let Some(after) = rest.strip_prefix(':') {
            (second, rest) = leading_integer(after).map_err(overflow)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        minute = hour % 100;
        hour /= 100;
    }
    if !(0..16).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Failure::ZoneOverflow);
    }
    if !rest.is_empty() {
        return Err(Failure::Format);
    }
    let seconds = (hour * 3600 + minute * 60 + second) as i32;
    Ok(if negative { -seconds } else { seconds })
}

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

fn read_time_of_day<'a>(
    text: &str,
    settings: &'a FormatSettings,
    now: i64,
    with_zone: bool,
) -> Parse<Parts<'a>> {
    let fields = split(text)?;
    if fields.is_empty() {
        return Err(Failure::Format);
    }
    let mut parts = Parts::new(settings, now, true);
    // A time without zone still takes one in its text, to throw it away.
    let _ = with_zone;
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
    let parts = read_time_of_day(text, settings, now, false).map_err(|f| f.error("time", text))?;
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
    let parts = read_time_of_day(text, settings, now, true).map_err(|f| f.error(NAME, text))?;
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
