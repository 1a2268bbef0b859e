//! Everything that moves the display scale: rounding, cutting off, typmods.

use super::{Dec, Kind, Numeric, SCALE_MAX, limbs};
use crate::{Error, Result, SqlState};

impl Dec {
    /// The value at `scale`, halves rounded away from zero; a negative scale rounds before the point.
    pub(crate) fn rounded(mut self, scale: i64) -> Self {
        self.move_scale(scale, limbs::round_down);
        self
    }

    /// The value at `scale`, cut off.
    pub(crate) fn truncated(mut self, scale: i64) -> Self {
        self.move_scale(scale, limbs::shift_down);
        self
    }

    fn move_scale(&mut self, scale: i64, shrink: fn(&[u32], usize) -> limbs::Limbs) {
        let current = self.scale as i64;
        if scale >= current {
            self.limbs = limbs::shift_up(&self.limbs, (scale - current) as usize);
            self.scale = scale as usize;
        } else {
            self.limbs = shrink(&self.limbs, (current - scale) as usize);
            if scale < 0 {
                self.limbs = limbs::shift_up(&self.limbs, scale.unsigned_abs() as usize);
            }
            self.scale = scale.max(0) as usize;
        }
    }

    /// Digits after the point that are needed.
    pub(crate) fn min_scale(&self) -> usize {
        if self.is_zero() {
            return 0;
        }
        self.scale - limbs::trailing_zeros(&self.limbs).min(self.scale)
    }
}

/// 10^n, if it fits.
pub(crate) fn pow10(n: u32) -> Option<i128> {
    10i128.checked_pow(n)
}

impl Numeric {
    /// The value with `scale` digits after the point, halves away from zero; a negative scale rounds before the point.
    pub fn round(&self, scale: i32) -> Result<Self> {
        let scale = i64::from(scale).clamp(-2000, 2000);
        if let Self::Decimal { mantissa, scale: current } = *self
            && let Some(value) = move_decimal(mantissa, current, scale, true)
        {
            return Ok(value);
        }
        match self.kind() {
            Kind::Finite(dec) => dec.rounded(scale).finish(),
            Kind::NaN | Kind::Infinite { .. } => Ok(self.clone()),
        }
    }

    /// The value cut off to `scale` digits after the point.
    pub fn trunc(&self, scale: i32) -> Result<Self> {
        let scale = i64::from(scale).clamp(-2000, 2000);
        if let Self::Decimal { mantissa, scale: current } = *self
            && let Some(value) = move_decimal(mantissa, current, scale, false)
        {
            return Ok(value);
        }
        match self.kind() {
            Kind::Finite(dec) => dec.truncated(scale).finish(),
            Kind::NaN | Kind::Infinite { .. } => Ok(self.clone()),
        }
    }

    /// The least whole number that is not less.
    pub fn ceil(&self) -> Result<Self> {
        self.whole(false)
    }

    /// The greatest whole number that is not greater.
    pub fn floor(&self) -> Result<Self> {
        self.whole(true)
    }

    fn whole(&self, down: bool) -> Result<Self> {
        let Kind::Finite(dec) = self.kind() else {
            return Ok(self.clone());
        };
        let has_fraction = dec.min_scale() > 0;
        let mut whole = dec.truncated(0);
        if has_fraction && whole.negative == down {
            whole.limbs = limbs::add(&whole.limbs, &[1]);
        }
        whole.finish()
    }

    /// The least scale that shows the value; `None` for NaN and the infinities.
    pub fn min_scale(&self) -> Option<u16> {
        match self.kind() {
            Kind::Finite(dec) => Some(dec.min_scale() as u16),
            Kind::NaN | Kind::Infinite { .. } => None,
        }
    }

    /// The same value without zeros at the end of its fraction.
    pub fn trim_scale(&self) -> Self {
        match self.min_scale() {
            Some(scale) => self.trunc(scale.into()).unwrap_or_else(|_| self.clone()),
            None => self.clone(),
        }
    }

    /// The same value at a scale that is not smaller.
    pub(crate) fn with_scale_at_least(self, scale: u16) -> Result<Self> {
        match self.scale() {
            Some(current) if current < scale => self.round(scale.into()),
            _ => Ok(self),
        }
    }

    /// Fits the value into `numeric(precision, scale)`.
    ///
    /// # Errors
    /// 22003 if it has too many digits before the point.
    pub fn constrain(&self, precision: u16, scale: i16) -> Result<Self> {
        let overflow = |detail: String| {
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow")
                .detail(detail)
        };
        match self {
            Self::NaN => return Ok(self.clone()),
            Self::PositiveInfinity | Self::NegativeInfinity => {
                return Err(overflow(format!(
                    "A field with precision {precision}, scale {scale} cannot hold an infinite value."
                )));
            }
            Self::Decimal { .. } | Self::Big(_) => {}
        }
        let rounded = self.round(scale.into())?;
        // The magnitude must stay below 10^(precision - scale).
        let whole_digits = i64::from(precision) - i64::from(scale);
        let exponent = match &rounded {
            Self::Decimal { mantissa: 0, .. } => None,
            Self::Decimal { mantissa, scale } => {
                Some(i64::from(mantissa.unsigned_abs().ilog10()) - i64::from(*scale))
            }
            Self::Big(big) => Some(limbs::digits(&big.limbs) as i64 - 1 - i64::from(big.scale)),
            Self::NaN | Self::PositiveInfinity | Self::NegativeInfinity => None,
        };
        if exponent.is_some_and(|exponent| exponent >= whole_digits) {
            let power =
                if whole_digits == 0 { String::new() } else { format!("10^{whole_digits}") };
            let bound = if whole_digits == 0 { "1" } else { &power };
            return Err(overflow(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
            )));
        }
        Ok(rounded)
    }
}

/// The inline value at another scale, if that is inline too.
fn move_decimal(mantissa: i128, current: u16, scale: i64, round: bool) -> Option<Numeric> {
    let by = scale - i64::from(current);
    if by == 0 {
        return Some(Numeric::Decimal { mantissa, scale: current });
    }
    if by > 0 {
        if scale > SCALE_MAX as i64 {
            return None;
        }
        let value = if mantissa == 0 { 0 } else { mantissa.checked_mul(pow10(by as u32)?)? };
        return (value.unsigned_abs() < super::MANTISSA_LIMIT)
            .then_some(Numeric::Decimal { mantissa: value, scale: scale as u16 });
    }
    let Some(power) = pow10(by.unsigned_abs() as u32) else {
        // Every digit is cut off, and 38 digits are less than half of 10^39.
        return Some(Numeric::Decimal { mantissa: 0, scale: scale.max(0) as u16 });
    };
    let mut value = mantissa / power;
    if round && (mantissa % power).unsigned_abs() * 2 >= power.unsigned_abs() {
        value += mantissa.signum();
    }
    if scale < 0 {
        value = value.checked_mul(pow10(scale.unsigned_abs() as u32)?)?;
    }
    (value.unsigned_abs() < super::MANTISSA_LIMIT)
        .then_some(Numeric::Decimal { mantissa: value, scale: scale.max(0) as u16 })
}
