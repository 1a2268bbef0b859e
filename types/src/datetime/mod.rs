//! Dates, times and timestamps: the calendar, their text, their zones and their arithmetic.
//!
//! Everything counts from 2000-01-01 (T3 of the crate): dates in days, the others in microseconds; `timetz` lies packed
//! ([`timetz`]). The extreme integers are the infinities.

pub mod abbreviations;
pub mod arithmetic;
pub mod civil;
pub mod fields;
pub(crate) mod input;
mod make;
mod output;
pub mod time;
pub mod timetz;
pub mod zone;

pub use input::{parse_date, parse_time, parse_timestamp, parse_timestamptz, parse_timetz};
pub use make::{
    conversion_zone, interval_zone, make_date, make_time, make_timestamp, make_timestamptz,
    make_zone, timestamptz_from_unix,
};
pub(crate) use output::write_fraction;
pub use output::{write_date, write_time, write_timestamp, write_timestamptz, write_timetz};
pub use time::{
    DATE_MAX, DATE_MIN, DAY_MICROS, HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS, TIMESTAMP_END,
    TIMESTAMP_MIN, UNIX_EPOCH_DAYS, UNIX_EPOCH_MICROS, check_date, check_time, check_timestamp,
    is_infinite, round_micros, round_timestamp, round_timetz, split,
};
