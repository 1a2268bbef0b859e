//! Numerics from and to integers and floats.

use super::{Kind, Numeric, limbs};
use crate::{Error, Result, SqlState};

macro_rules! from_integer {
    ($($ty:ty),*) => {$(
        impl From<$ty> for Numeric {
            #[inline]
            fn from(value: $ty) -> Self {
                Self::Decimal { mantissa: value.into(), scale: 0 }
            }
        }
    )*};
}
from_integer!(i16, i32, i64, u32, u64);

impl Numeric {
    /// A float8 rounded to 15 significant digits, as PostgreSQL converts it.
    pub fn from_f64(value: f64) -> Self {
        Self::from_short(value).unwrap_or_else(|| Self::from_digits(value, 15))
    }

    /// A float8 that is the nearest to a number of few decimals. 15 digits survive a float8, so what is the nearest to a number of
    /// no more than that is rounded to it.
    fn from_short(value: f64) -> Option<Self> {
        const TENS: [f64; 5] = [1.0, 10.0, 100.0, 1e3, 1e4];
        TENS.iter().zip(0..).find_map(|(ten, scale)| {
            let mantissa = (value * ten).round();
            // Both are exact as f64, so the one division rounds correctly.
            let is_it = mantissa.abs() < 1e15 && mantissa / ten == value;
            is_it.then_some(Self::Decimal { mantissa: mantissa as i128, scale })
        })
    }

    /// A float4 rounded to 6 significant digits, as PostgreSQL converts it.
    pub fn from_f32(value: f32) -> Self {
        Self::from_digits(value.into(), 6)
    }

    fn from_digits(value: f64, significant: usize) -> Self {
        if value.is_nan() {
            return Self::NaN;
        }
        if value.is_infinite() {
            return Self::infinity(value < 0.0);
        }
        let text = format!("{:.*e}", significant - 1, value);
        let (digits, exponent) = text.split_once('e').expect("{:e} writes an exponent");
        // Zeros at the end would count as scale.
        let digits = match digits.trim_end_matches('0') {
            stripped if digits.contains('.') => stripped.trim_end_matches('.'),
            _ => digits,
        };
        Self::parse(&format!("{digits}e{exponent}")).expect("a float's digits fit a numeric")
    }

    /// The nearest float8.
    ///
    /// # Errors
    /// 22003 if it is too large or too small for one.
    pub fn to_f64(&self) -> Result<f64> {
        match self {
            Self::NaN => Ok(f64::NAN),
            Self::PositiveInfinity => Ok(f64::INFINITY),
            Self::NegativeInfinity => Ok(f64::NEG_INFINITY),
            Self::Decimal { mantissa, scale }
                if mantissa.unsigned_abs() < 1 << 53 && *scale <= 22 =>
            {
                // Both are exact as f64, so the one division rounds correctly.
                Ok(*mantissa as f64 / 10f64.powi((*scale).into()))
            }
            Self::Decimal { .. } | Self::Big(_) => {
                crate::format::number::parse_f64(&self.to_string())
            }
        }
    }

    /// The nearest float8, infinite or zero where none is near.
    pub fn to_f64_lossy(&self) -> f64 {
        self.to_f64().unwrap_or_else(|_| self.to_string().parse().unwrap_or(f64::NAN))
    }

    /// The nearest float4.
    ///
    /// # Errors
    /// 22003 if it is too large or too small for one.
    pub fn to_f32(&self) -> Result<f32> {
        match self {
            Self::NaN => Ok(f32::NAN),
            Self::PositiveInfinity => Ok(f32::INFINITY),
            Self::NegativeInfinity => Ok(f32::NEG_INFINITY),
            Self::Decimal { .. } | Self::Big(_) => {
                crate::format::number::parse_f32(&self.to_string())
            }
        }
    }

    /// The nearest integer (halves away from zero), if it fits; `type_name` is for the error.
    fn to_integer(&self, type_name: &str) -> Result<i64> {
        let unsupported = |what: &str| {
            Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("cannot convert {what} to {type_name}"),
            )
        };
        match self {
            Self::NaN => return Err(unsupported("NaN")),
            Self::PositiveInfinity | Self::NegativeInfinity => return Err(unsupported("infinity")),
            Self::Decimal { .. } | Self::Big(_) => {}
        }
        if let Self::Decimal { mantissa, .. } = self.round(0)?
            && let Ok(value) = i64::try_from(mantissa)
        {
            return Ok(value);
        }
        Err(out_of_range(type_name))
    }

    /// The nearest int8, halves away from zero.
    pub fn to_i64(&self) -> Result<i64> {
        self.to_integer("bigint")
    }

    /// The nearest int4, halves away from zero.
    pub fn to_i32(&self) -> Result<i32> {
        self.to_integer("integer")?.try_into().map_err(|_| out_of_range("integer"))
    }

    /// The nearest int2, halves away from zero.
    pub fn to_i16(&self) -> Result<i16> {
        self.to_integer("smallint")?.try_into().map_err(|_| out_of_range("smallint"))
    }

    /// The digits as (negative, decimal digits without leading zeros, scale); `None` unless finite.
    pub fn to_digits(&self) -> Option<(bool, Vec<u8>, u16)> {
        let Kind::Finite(dec) = self.kind() else {
            return None;
        };
        let mut digits = Vec::new();
        if !dec.is_zero() {
            limbs::write_digits(&dec.limbs, &mut digits);
        }
        for digit in &mut digits {
            *digit -= b'0';
        }
        Some((dec.negative, digits, dec.scale as u16))
    }
}

#[cold]
fn out_of_range(type_name: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
}

impl Numeric {
    /// From groups of four ASCII digits, the first worth 10000^`weight`; what is past `scale` is cut off.
    pub(crate) fn from_base_10000(
        negative: bool,
        digits: &[u8],
        weight: i64,
        scale: u16,
    ) -> Result<Self> {
        let places = (digits.len() / 4) as i64 - 1 - weight;
        let limbs = limbs::from_digits(digits);
        let dec = if places < 0 {
            let limbs = limbs::shift_up(&limbs, places.unsigned_abs() as usize * 4);
            super::Dec { negative, limbs, scale: 0 }
        } else {
            super::Dec { negative, limbs, scale: places as usize * 4 }
        };
        dec.truncated(scale.into()).finish()
    }

    /// (negative, (digits in base 10^4 from the first, weight of the first), scale); `None` unless finite.
    pub(crate) fn to_base_10000(&self) -> Option<(bool, (Vec<u16>, i16), u16)> {
        let Kind::Finite(dec) = self.kind() else {
            return None;
        };
        let scale = dec.scale;
        let places = scale.div_ceil(4);
        let padded = limbs::shift_up(&dec.limbs, places * 4 - scale);
        let mut text = Vec::new();
        limbs::write_digits(&padded, &mut text);
        let mut groups: Vec<u16> = text
            .rchunks(4)
            .map(|chunk| chunk.iter().fold(0, |value, b| value * 10 + u16::from(b - b'0')))
            .collect();
        let weight = groups.len() as i64 - 1 - places as i64;
        groups.reverse();
        while groups.last() == Some(&0) {
            groups.pop();
        }
        let weight = if groups.is_empty() { 0 } else { weight };
        Some((dec.negative, (groups, weight as i16), scale as u16))
    }
}

/// `mantissa` * 10^-`scale`, where the scale may be below zero.
///
/// # Errors
/// 22003 if it has too many digits.
pub(crate) fn numeric_from_decimal(mantissa: i128, scale: i8) -> Result<Numeric> {
    let value = Numeric::from_parts(mantissa, scale.max(0) as u16);
    if scale >= 0 {
        return Ok(value);
    }
    value.mul(&Numeric::parse(&format!("1e{}", scale.unsigned_abs()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_floats_become_what_their_digits_say() {
        let mut state = 7_u64;
        let mut short_count = 0;
        for round in 0..40_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let mantissa = ((state >> 8) as i64 >> (round % 50)) as f64;
            let value = match round % 3 {
                0 => mantissa / 10f64.powi((state % 7) as i32),
                1 => mantissa * 1e-3 + 0.1,
                _ => f64::from_bits(state),
            };
            let digits = Numeric::from_digits(value, 15);
            let whole = Numeric::from_f64(value);
            assert_eq!(whole.to_string(), digits.to_string(), "{value:?}");
            short_count += usize::from(Numeric::from_short(value).is_some());
        }
        assert!(short_count > 10_000, "{short_count} were short");
        for value in
            [0.0, -0.0, 1.0, 0.5, 1e14, 999_999_999_999_999.0, 1e15, 0.1 + 0.2, 12.3456, 1e-5]
        {
            let digits = Numeric::from_digits(value, 15);
            assert_eq!(Numeric::from_f64(value).to_string(), digits.to_string(), "{value:?}");
        }
    }
}
