//! Intervals as text, in the four styles.

use super::Interval;
use crate::datetime::{HOUR_MICROS, MINUTE_MICROS, SECOND_MICROS};
use crate::format::IntervalStyle;
use crate::format::digits::{write_i64, write_padded, write_u64};

/// An interval's parts as they are printed; each has its own sign.
struct Fields {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Fields {
    fn of(interval: Interval) -> Self {
        Self {
            years: (interval.months / 12).into(),
            months: (interval.months % 12).into(),
            days: interval.days.into(),
            hours: interval.micros / HOUR_MICROS,
            minutes: interval.micros / MINUTE_MICROS % 60,
            seconds: interval.micros / SECOND_MICROS % 60,
            micros: interval.micros % SECOND_MICROS,
        }
    }

    fn all(&self) -> [i64; 7] {
        [self.years, self.months, self.days, self.hours, self.minutes, self.seconds, self.micros]
    }

    fn has_time(&self) -> bool {
        self.all()[3..].iter().any(|&part| part != 0)
    }

    fn time_is_negative(&self) -> bool {
        self.all()[3..].iter().any(|&part| part < 0)
    }
}

/// Seconds with their fraction, without a sign.
fn write_seconds(fields: &Fields, width: usize, out: &mut Vec<u8>) {
    write_padded(out, fields.seconds.unsigned_abs(), width);
    crate::datetime::write_fraction(fields.micros.unsigned_abs(), out);
}

impl Interval {
    /// Appends the text form in `style`.
    pub fn write(self, style: IntervalStyle, out: &mut Vec<u8>) {
        let fields = Fields::of(self);
        match style {
            IntervalStyle::Postgres => write_postgres(&fields, out),
            IntervalStyle::PostgresVerbose => write_verbose(&fields, out),
            IntervalStyle::SqlStandard => write_sql(fields, out),
            IntervalStyle::Iso8601 => write_iso(&fields, out),
        }
    }
}

fn write_postgres(fields: &Fields, out: &mut Vec<u8>) {
    let start = out.len();
    let mut after_negative = false;
    for (value, unit) in [(fields.years, "year"), (fields.months, "mon"), (fields.days, "day")] {
        if value == 0 {
            continue;
        }
        if out.len() > start {
            out.push(b' ');
        }
        // A plus keeps a positive part from being read with the sign before it.
        if after_negative && value > 0 {
            out.push(b'+');
        }
        write_i64(out, value);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        after_negative = value < 0;
    }
    let is_zero = out.len() == start;
    if !is_zero && !fields.has_time() {
        return;
    }
    if !is_zero {
        out.push(b' ');
    }
    if fields.time_is_negative() {
        out.push(b'-');
    } else if after_negative {
        out.push(b'+');
    }
    write_padded(out, fields.hours.unsigned_abs(), 2);
    out.push(b':');
    write_padded(out, fields.minutes.unsigned_abs(), 2);
    out.push(b':');
    write_seconds(fields, 2, out);
}

fn write_verbose(fields: &Fields, out: &mut Vec<u8>) {
    out.push(b'@');
    let start = out.len();
    let mut ago = false;
    let units = [
        (fields.years, "year"),
        (fields.months, "mon"),
        (fields.days, "day"),
        (fields.hours, "hour"),
        (fields.minutes, "min"),
    ];
    for (value, unit) in units {
        if value == 0 {
            continue;
        }
        if out.len() == start {
            ago = value < 0;
        }
        let shown = if ago { -value } else { value };
        out.push(b' ');
        write_i64(out, shown);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if shown != 1 {
            out.push(b's');
        }
    }
    if fields.seconds != 0 || fields.micros != 0 {
        let negative = fields.seconds < 0 || fields.micros < 0;
        if out.len() == start {
            ago = negative;
        }
        out.push(b' ');
        if negative != ago {
            out.push(b'-');
        }
        write_seconds(fields, 1, out);
        out.extend_from_slice(b" sec");
        if fields.seconds.abs() != 1 || fields.micros != 0 {
            out.push(b's');
        }
    }
    if out.len() == start {
        out.extend_from_slice(b" 0");
    }
    if ago {
        out.extend_from_slice(b" ago");
    }
}

fn write_sql(mut fields: Fields, out: &mut Vec<u8>) {
    let negative = fields.all().iter().any(|&part| part < 0);
    let positive = fields.all().iter().any(|&part| part > 0);
    let has_months = fields.years != 0 || fields.months != 0;
    let has_day_time = fields.days != 0 || fields.has_time();
    if !negative && !positive {
        return out.push(b'0');
    }
    let write_clock = |fields: &Fields, out: &mut Vec<u8>| {
        write_u64(out, fields.hours.unsigned_abs());
        out.push(b':');
        write_padded(out, fields.minutes.unsigned_abs(), 2);
        out.push(b':');
        write_seconds(fields, 2, out);
    };
    let mixed = (negative && positive) || (has_months && has_day_time);
    if mixed {
        // The standard has no such value: every group gets its sign.
        let sign = |negative: bool| if negative { b'-' } else { b'+' };
        out.push(sign(fields.years < 0 || fields.months < 0));
        write_u64(out, fields.years.unsigned_abs());
        out.push(b'-');
        write_u64(out, fields.months.unsigned_abs());
        out.push(b' ');
        out.push(sign(fields.days < 0));
        write_u64(out, fields.days.unsigned_abs());
        out.push(b' ');
        out.push(sign(fields.time_is_negative()));
        return write_clock(&fields, out);
    }
    if negative {
        out.push(b'-');
        fields.days = -fields.days;
    }
    if has_months {
        write_u64(out, fields.years.unsigned_abs());
        out.push(b'-');
        return write_u64(out, fields.months.unsigned_abs());
    }
    if fields.days != 0 {
        write_i64(out, fields.days);
        out.push(b' ');
    }
    write_clock(&fields, out);
}

fn write_iso(fields: &Fields, out: &mut Vec<u8>) {
    if fields.all().iter().all(|&part| part == 0) {
        return out.extend_from_slice(b"PT0S");
    }
    let part = |value: i64, unit: u8, out: &mut Vec<u8>| {
        if value != 0 {
            write_i64(out, value);
            out.push(unit);
        }
    };
    out.push(b'P');
    part(fields.years, b'Y', out);
    part(fields.months, b'M', out);
    part(fields.days, b'D', out);
    if !fields.has_time() {
        return;
    }
    out.push(b'T');
    part(fields.hours, b'H', out);
    part(fields.minutes, b'M', out);
    if fields.seconds != 0 || fields.micros != 0 {
        if fields.seconds < 0 || fields.micros < 0 {
            out.push(b'-');
        }
        write_seconds(fields, 1, out);
        out.push(b'S');
    }
}
