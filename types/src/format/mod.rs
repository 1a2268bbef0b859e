//! Text and binary forms of every type, as PostgreSQL reads and writes them.

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
