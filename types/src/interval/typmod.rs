//! Modifiers of intervals: which fields they keep, and how many digits of a second.

use super::Interval;
use crate::Result;

pub(crate) const MONTH: i32 = 1 << 1;
pub(crate) const YEAR: i32 = 1 << 2;
pub(crate) const DAY: i32 = 1 << 3;
pub(crate) const HOUR: i32 = 1 << 10;
pub(crate) const MINUTE: i32 = 1 << 11;
pub(crate) const SECOND: i32 = 1 << 12;
const FULL_RANGE: i32 = 0x7FFF;
const FULL_PRECISION: i32 = 0xFFFF;

/// The fields and the precision of a modifier.
pub(crate) fn parts(typmod: i32) -> (i32, i32) {
    if typmod < 0 {
        (FULL_RANGE, FULL_PRECISION)
    } else {
        (typmod >> 16 & FULL_RANGE, typmod & FULL_PRECISION)
    }
}

/// What `format_type` puts behind "interval".
pub(crate) fn format(typmod: i32) -> String {
    let (range, precision) = parts(typmod);
    let fields = match range {
        YEAR => " year",
        MONTH => " month",
        DAY => " day",
        HOUR => " hour",
        MINUTE => " minute",
        SECOND => " second",
        _ if range == YEAR | MONTH => " year to month",
        _ if range == DAY | HOUR => " day to hour",
        _ if range == DAY | HOUR | MINUTE => " day to minute",
        _ if range == DAY | HOUR | MINUTE | SECOND => " day to second",
        _ if range == HOUR | MINUTE => " hour to minute",
        _ if range == HOUR | MINUTE | SECOND => " hour to second",
        _ if range == MINUTE | SECOND => " minute to second",
        _ => "",
    };
    if precision == FULL_PRECISION { fields.to_owned() } else { format!("{fields}({precision})") }
}

impl Interval {
    /// The interval without the fields and digits that the modifier leaves out.
    pub fn apply_typmod(self, typmod: i32) -> Result<Self> {
        use crate::datetime::{HOUR_MICROS, MINUTE_MICROS, round_micros};
        let (range, precision) = parts(typmod);
        let mut out = self;
        match range {
            YEAR => out = Self { months: self.months / 12 * 12, days: 0, micros: 0 },
            MONTH => out = Self { days: 0, micros: 0, ..self },
            DAY => out.micros = 0,
            HOUR => out.micros = self.micros / HOUR_MICROS * HOUR_MICROS,
            MINUTE => out.micros = self.micros / MINUTE_MICROS * MINUTE_MICROS,
            _ if range == YEAR | MONTH => out = Self { days: 0, micros: 0, ..self },
            _ if range == DAY | HOUR => out.micros = self.micros / HOUR_MICROS * HOUR_MICROS,
            _ if range == DAY | HOUR | MINUTE || range == HOUR | MINUTE => {
                out.micros = self.micros / MINUTE_MICROS * MINUTE_MICROS;
            }
            _ => {}
        }
        if precision != FULL_PRECISION {
            out.micros = round_micros(out.micros, precision);
        }
        Ok(out)
    }
}
