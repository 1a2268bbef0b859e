//! Text and binary forms of every type, as PostgreSQL reads and writes them.
//!
//! [`parse_text`] and [`write_text`] are the types' input and output functions, [`parse_binary`] and [`write_binary`]
//! the receive and send functions; [`write_text_at`] and [`write_binary_at`] do the same for a row of a vector without
//! making a [`crate::Value`], for the wire. [`apply_typmod`] is the length coercion that casts use.
//!
//! Invariants
//! - O1: every text that [`write_text`] gives is taken by [`parse_text`] and means the same value (floats if
//!   `extra_float_digits` is above 0).
//! - O2: bytes and text from outside never panic; they are values or errors.
//!
//! Reading order: this file is the settings; [`text`] and [`binary`] dispatch over the types.

pub(crate) mod array;
pub mod binary;
pub(crate) mod bytes;
pub mod digits;
pub(crate) mod json;
pub mod names;
pub mod number;
pub mod pattern;
pub mod text;
pub mod typmod;
mod utf8;

pub use array::parse_record;
pub use binary::{parse_binary, write_binary, write_binary_at};
pub use names::{format_type, type_by_name, type_name};
pub use pattern::{to_char, to_date, to_number, to_timestamp};
pub use text::{parse_text, parse_text_into, to_text, write_text, write_text_at};
pub use typmod::apply_typmod;
pub use utf8::utf8;

use crate::{Error, Result, SqlState};

/// White space as C's `isspace` sees it, which text input skips around most values.
#[inline]
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// 22P02 for text that is not a `type_name`.
#[cold]
pub(crate) fn invalid_text(type_name: &str, text: &str) -> Error {
    Error::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!("invalid input syntax for type {type_name}: \"{text}\""),
    )
}

/// A time zone: a name of the IANA database, or a fixed offset.
#[derive(Clone, Debug)]
pub struct TimeZone {
    /// As `SHOW TimeZone` prints it.
    pub name: String,
    /// Its rules.
    pub zone: jiff::tz::TimeZone,
}

/// Settings that shape text forms.
#[derive(Clone, Debug)]
pub struct FormatSettings {
    /// `DateStyle`: style and field order.
    pub date_style: DateStyle,
    /// `DateStyle`: order of day, month and year in ambiguous input and in the SQL and German styles.
    pub date_order: DateOrder,
    /// `IntervalStyle`.
    pub interval_style: IntervalStyle,
    /// `extra_float_digits`: above 0 shortest round-trip form, else rounded to 15 (6) + that many digits.
    pub extra_float_digits: i32,
    /// `bytea_output`: hex if set, escape otherwise.
    pub bytea_hex: bool,
    /// `TimeZone`.
    pub time_zone: TimeZone,
}

/// Output style of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateStyle {
    /// 1997-12-17 07:37:16-08
    Iso,
    /// 12/17/1997 07:37:16.00 PST
    Sql,
    /// Wed Dec 17 07:37:16 1997 PST
    Postgres,
    /// 17.12.1997 07:37:16.00 PST
    German,
}

/// Order of the fields of ambiguous dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// Year, month, day.
    Ymd,
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
}

/// Output style of intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalStyle {
    /// 1 day 02:03:04
    Postgres,
    /// @ 1 day 2 hours 3 mins 4 secs
    PostgresVerbose,
    /// 1 2:03:04
    SqlStandard,
    /// P1DT2H3M4S
    Iso8601,
}

impl TimeZone {
    /// UTC.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: jiff::tz::TimeZone::UTC }
    }

    /// The zone of a name (any case), an abbreviation, or an offset in PostgreSQL's or POSIX's notation.
    ///
    /// # Errors
    /// 22023 if there is no such zone.
    pub fn parse(name: &str) -> Result<Self> {
        crate::datetime::zone::parse_zone(name)
    }
}

impl Default for FormatSettings {
    fn default() -> Self {
        Self {
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            extra_float_digits: 1,
            bytea_hex: true,
            time_zone: TimeZone::utc(),
        }
    }
}
