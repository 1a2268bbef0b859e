//! Sums, products and justification of intervals.

use super::Interval;
use crate::datetime::{DAY_MICROS, SECOND_MICROS};
use crate::{Error, Result, SqlState};

const DAYS_PER_MONTH: f64 = 30.0;

/// 22008.
#[cold]
pub(crate) fn out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

/// `value` rounded at the sixth digit, as PostgreSQL does against the noise of products.
fn six_digits(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

fn to_i32(value: f64) -> Result<i32> {
    if value.is_nan() || value > i32::MAX.into() || value < i32::MIN.into() {
        return Err(out_of_range());
    }
    Ok(value as i32)
}

impl Interval {
    /// self + other.
    pub fn checked_add(self, other: Self) -> Result<Self> {
        let sum = || {
            Some(Self {
                months: self.months.checked_add(other.months)?,
                days: self.days.checked_add(other.days)?,
                micros: self.micros.checked_add(other.micros)?,
            })
        };
        sum().ok_or_else(out_of_range)
    }

    /// self - other.
    pub fn checked_sub(self, other: Self) -> Result<Self> {
        let difference = || {
            Some(Self {
                months: self.months.checked_sub(other.months)?,
                days: self.days.checked_sub(other.days)?,
                micros: self.micros.checked_sub(other.micros)?,
            })
        };
        difference().ok_or_else(out_of_range)
    }

    /// -self.
    pub fn checked_neg(self) -> Result<Self> {
        Self::default().checked_sub(self)
    }

    /// self * factor; what is left of months becomes days, what is left of days becomes time.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn mul(self, factor: f64) -> Result<Self> {
        self.scale(f64::from(self.months) * factor, f64::from(self.days) * factor, |micros| {
            micros * factor
        })
    }

    /// self / divisor.
    ///
    /// # Errors
    /// 22012 for zero, 22008 out of range.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn div(self, divisor: f64) -> Result<Self> {
        if divisor == 0.0 {
            return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        self.scale(f64::from(self.months) / divisor, f64::from(self.days) / divisor, |micros| {
            micros / divisor
        })
    }

    fn scale(self, months: f64, days: f64, micros: impl Fn(f64) -> f64) -> Result<Self> {
        let whole_months = to_i32(months)?;
        let mut whole_days = to_i32(days)?;
        // A fraction of a month is days of thirty; a fraction of a day is seconds.
        let month_days = six_digits((months - f64::from(whole_months)) * DAYS_PER_MONTH);
        let mut seconds = (days - f64::from(whole_days) + month_days - f64::trunc(month_days))
            * (DAY_MICROS / SECOND_MICROS) as f64;
        seconds = six_digits(seconds);
        // Rounding may have made a whole day of it.
        if seconds.abs() >= (DAY_MICROS / SECOND_MICROS) as f64 {
            let extra = (seconds / (DAY_MICROS / SECOND_MICROS) as f64) as i32;
            whole_days = whole_days.checked_add(extra).ok_or_else(out_of_range)?;
            seconds -= f64::from(extra) * (DAY_MICROS / SECOND_MICROS) as f64;
        }
        let whole_days =
            whole_days.checked_add(to_i32(month_days.trunc())?).ok_or_else(out_of_range)?;
        let micros =
            (micros(self.micros as f64) + seconds * SECOND_MICROS as f64).round_ties_even();
        if micros.is_nan() || micros >= 9_223_372_036_854_775_808.0 || micros < i64::MIN as f64 {
            return Err(out_of_range());
        }
        Ok(Self { months: whole_months, days: whole_days, micros: micros as i64 })
    }

    /// `justify_hours`: 24 hours become a day.
    pub fn justify_hours(self) -> Result<Self> {
        let mut days =
            self.days.checked_add((self.micros / DAY_MICROS) as i32).ok_or_else(out_of_range)?;
        let mut micros = self.micros % DAY_MICROS;
        if days > 0 && micros < 0 {
            micros += DAY_MICROS;
            days -= 1;
        } else if days < 0 && micros > 0 {
            micros -= DAY_MICROS;
            days += 1;
        }
        Ok(Self { months: self.months, days, micros })
    }

    /// `justify_days`: 30 days become a month.
    pub fn justify_days(self) -> Result<Self> {
        let mut months = self.months.checked_add(self.days / 30).ok_or_else(out_of_range)?;
        let mut days = self.days % 30;
        if months > 0 && days < 0 {
            days += 30;
            months -= 1;
        } else if months < 0 && days > 0 {
            days -= 30;
            months += 1;
        }
        Ok(Self { months, days, micros: self.micros })
    }

    /// `justify_interval`: both, and one sign for all parts.
    pub fn justify(self) -> Result<Self> {
        let (mut months, mut days, mut micros) =
            (i64::from(self.months), i64::from(self.days), self.micros);
        // Days are brought in first where that keeps the sum from overflowing.
        if (days > 0 && micros > 0) || (days < 0 && micros < 0) {
            months += days / 30;
            days %= 30;
        }
        days += micros / DAY_MICROS;
        micros %= DAY_MICROS;
        months += days / 30;
        days %= 30;
        if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
            days += 30;
            months -= 1;
        } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
            days -= 30;
            months += 1;
        }
        if days > 0 && micros < 0 {
            micros += DAY_MICROS;
            days -= 1;
        } else if days < 0 && micros > 0 {
            micros -= DAY_MICROS;
            days += 1;
        }
        Ok(Self {
            months: months.try_into().map_err(|_| out_of_range())?,
            days: days as i32,
            micros,
        })
    }

    /// `make_interval`.
    pub fn make(
        years: i32,
        months: i32,
        weeks: i32,
        days: i32,
        hours: i32,
        minutes: i32,
        seconds: f64,
    ) -> Result<Self> {
        let parts = || {
            let months = years.checked_mul(12)?.checked_add(months)?;
            let days = weeks.checked_mul(7)?.checked_add(days)?;
            if !seconds.is_finite() {
                return None;
            }
            let seconds = (seconds * SECOND_MICROS as f64).round_ties_even();
            if seconds.abs() >= 9_223_372_036_854_775_808.0 {
                return None;
            }
            let micros = (i64::from(hours) * 3600 + i64::from(minutes) * 60)
                .checked_mul(SECOND_MICROS)?
                .checked_add(seconds as i64)?;
            Some(Self { months, days, micros })
        };
        parts().ok_or_else(out_of_range)
    }
}
