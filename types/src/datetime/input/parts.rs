//! What was read of a date or time so far, and how the next field is read in its light.

use super::cut::{FIELDS_MAX, Field, Kind};
use super::number::{digits_value, fraction, leading_integer, read_clock, read_offset};
use super::word::{Label, Word, word};
use super::{Failure, Parse};
use crate::datetime::abbreviations::{self, Abbreviation};
use crate::datetime::civil::{EPOCH_JULIAN, civil_from_days, days_from_civil, days_in_month};
use crate::datetime::time::{
    DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, split as split_micros,
};
use crate::datetime::zone;
use crate::format::{DateOrder, FormatSettings, TimeZone};
use crate::{Error, SqlState};

/// Words longer than this are cut before they are compared.
const WORD_MAX: usize = 10;

/// Which parts were given, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(u32);

impl Seen {
    pub(super) const NONE: Self = Self(0);
    pub(super) const YEAR: Self = Self(1);
    pub(super) const MONTH: Self = Self(1 << 1);
    pub(super) const DAY: Self = Self(1 << 2);
    pub(super) const HOUR: Self = Self(1 << 3);
    pub(super) const MINUTE: Self = Self(1 << 4);
    pub(super) const SECOND: Self = Self(1 << 5);
    pub(super) const FRACTION: Self = Self(1 << 6);
    pub(super) const ZONE: Self = Self(1 << 7);
    pub(super) const DST: Self = Self(1 << 8);
    pub(super) const DST_MODIFIER: Self = Self(1 << 9);
    pub(super) const DAY_OF_YEAR: Self = Self(1 << 10);
    pub(super) const MERIDIAN: Self = Self(1 << 11);
    pub(super) const ERA: Self = Self(1 << 12);
    pub(super) const WEEKDAY: Self = Self(1 << 13);
    pub(super) const RESERVED: Self = Self(1 << 14);
    pub(super) const DATE: Self = Self(7);
    pub(super) const TIME: Self = Self(7 << 3);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub(super) const fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }
    pub(super) const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meridian {
    None,
    Am,
    Pm,
}

pub(super) enum Zone {
    None,
    /// Seconds east of UTC.
    Offset(i32),
    Named(TimeZone),
}

/// A whole value or one in parts.
pub(super) enum Outcome {
    Parts,
    Epoch,
    Infinity,
    MinusInfinity,
}

/// What was read so far.
pub(super) struct Parts<'a> {
    settings: &'a FormatSettings,
    now: i64,
    pub(super) seen: Seen,
    pub(super) year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    pub(super) zone: Zone,
    meridian: Meridian,
    before_christ: bool,
    julian: bool,
    /// The year had one or two digits.
    short_year: bool,
    text_month: bool,
    /// The value is a time of day: numbers are times, and a date only serves the zone.
    time_only: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn new(settings: &'a FormatSettings, now: i64, time_only: bool) -> Self {
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

    pub(super) fn local_now(&self) -> i64 {
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

    pub(super) fn read(&mut self, fields: &[Field]) -> Parse<Outcome> {
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
    pub(super) fn validate(&mut self) -> Parse<()> {
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

    pub(super) fn days(&self) -> i64 {
        days_from_civil(self.year, self.month as u32, self.day)
    }

    pub(super) fn time_of_day(&self) -> i64 {
        self.hour * HOUR_MICROS
            + self.minute * MINUTE_MICROS
            + self.second * SECOND_MICROS
            + self.micros
    }

    /// The local time in microseconds, unless it is far out of range.
    pub(super) fn local(&self) -> Parse<i64> {
        let days = self.days();
        days.checked_mul(DAY_MICROS)
            .and_then(|micros| micros.checked_add(self.time_of_day()))
            .ok_or(Failure::Overflow)
    }
}
