//! The four operators, remainder and sign, with PostgreSQL's scale of each result.
//!
//! Sums have the larger scale of their operands, products the sum of both, and quotients at least 16 significant
//! digits: [`division_scale`] follows PostgreSQL's estimate digit for digit, because it decides how many digits
//! clients see. Operands that fit 38 digits stay in i128 as long as the result does.

use super::round::pow10;
use super::{
    DISPLAY_SCALE_MAX, Dec, Kind, MANTISSA_LIMIT, Numeric, SCALE_MAX, SIGNIFICANT_MIN, limbs,
};
use crate::{Error, Result, SqlState};
use std::cmp::Ordering;

/// 22012.
#[cold]
pub(crate) fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// The exponent in base 10^4 and the first digit in that base, as PostgreSQL's format has them; zeros for zero.
fn base_10000(value: &Numeric) -> (i64, u32) {
    match value {
        Numeric::Decimal { mantissa: 0, .. }
        | Numeric::NaN
        | Numeric::PositiveInfinity
        | Numeric::NegativeInfinity => (0, 0),
        Numeric::Decimal { mantissa, scale } => {
            let magnitude = mantissa.unsigned_abs();
            let weight = (i64::from(magnitude.ilog10()) - i64::from(*scale)).div_euclid(4);
            let drop = weight * 4 + i64::from(*scale);
            let first = if drop >= 0 {
                magnitude / 10u128.pow(drop as u32)
            } else {
                magnitude * 10u128.pow(drop.unsigned_abs() as u32)
            };
            (weight, first as u32)
        }
        Numeric::Big(big) => {
            let exponent = limbs::digits(&big.limbs) as i64 - 1 - i64::from(big.scale);
            let weight = exponent.div_euclid(4);
            let drop = weight * 4 + i64::from(big.scale);
            let first = (0..4).fold(0, |first, i| {
                let place = drop + 3 - i;
                first * 10 + if place < 0 { 0 } else { limbs::digit(&big.limbs, place as usize) }
            });
            (weight, first)
        }
    }
}

/// Digits after the point of `a / b`.
pub(crate) fn division_scale(a: &Numeric, b: &Numeric) -> i32 {
    let (weight_a, first_a) = base_10000(a);
    let (weight_b, first_b) = base_10000(b);
    let mut weight = weight_a - weight_b;
    if first_a <= first_b {
        weight -= 1;
    }
    let scale = |value: &Numeric| i64::from(value.scale().unwrap_or(0));
    (i64::from(SIGNIFICANT_MIN) - weight * 4)
        .max(scale(a))
        .max(scale(b))
        .clamp(0, DISPLAY_SCALE_MAX.into()) as i32
}

impl Dec {
    /// self + other, at the larger scale.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let scale = self.scale.max(other.scale);
        let a = limbs::shift_up(&self.limbs, scale - self.scale);
        let b = limbs::shift_up(&other.limbs, scale - other.scale);
        let (negative, limbs) = if self.negative == other.negative {
            (self.negative, limbs::add(&a, &b))
        } else if limbs::compare(&a, &b).is_ge() {
            (self.negative, limbs::sub(&a, &b))
        } else {
            (other.negative, limbs::sub(&b, &a))
        };
        Self { negative: negative && !limbs.is_empty(), limbs, scale }
    }

    /// self - other, at the larger scale.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut other = other.clone();
        other.negative = !other.negative;
        self.plus(&other)
    }

    /// self * other, exact.
    pub(crate) fn times(&self, other: &Self) -> Self {
        Self {
            negative: self.negative != other.negative,
            limbs: limbs::mul(&self.limbs, &other.limbs),
            scale: self.scale + other.scale,
        }
    }

    /// self / other at `scale`, rounded (halves away from zero) or cut off. `other` is not zero.
    pub(crate) fn divided(&self, other: &Self, scale: usize, round: bool) -> Self {
        // (a / 10^s) / (b / 10^t) * 10^scale = a * 10^(scale + t - s) / b.
        let shift = (scale + other.scale) as i64 - self.scale as i64;
        let scaled;
        let (top, bottom) = if shift >= 0 {
            (limbs::shift_up(&self.limbs, shift as usize), &other.limbs)
        } else {
            scaled = limbs::shift_up(&other.limbs, shift.unsigned_abs() as usize);
            (self.limbs.clone(), &scaled)
        };
        let (mut limbs, rest) = limbs::div_rem(&top, bottom);
        if round && limbs::compare(&limbs::add(&rest, &rest), bottom).is_ge() {
            limbs = limbs::add(&limbs, &[1]);
        }
        let negative = self.negative != other.negative && !limbs.is_empty();
        Self { negative, limbs, scale }
    }
}

/// Both mantissas at the larger scale, if they fit.
#[inline]
fn align(a: i128, s: u16, b: i128, t: u16) -> Option<(i128, i128, u16)> {
    match s.cmp(&t) {
        Ordering::Equal => Some((a, b, s)),
        Ordering::Less => Some((a.checked_mul(pow10((t - s).into())?)?, b, t)),
        Ordering::Greater => Some((a, b.checked_mul(pow10((s - t).into())?)?, s)),
    }
}

/// The inline value, if it fits.
#[inline]
fn inline(mantissa: i128, scale: u16) -> Option<Numeric> {
    (mantissa.unsigned_abs() < MANTISSA_LIMIT).then_some(Numeric::Decimal { mantissa, scale })
}

impl Numeric {
    /// self + other.
    pub fn add(&self, other: &Self) -> Result<Self> {
        if let (
            &Self::Decimal { mantissa: a, scale: s },
            &Self::Decimal { mantissa: b, scale: t },
        ) = (self, other)
        {
            let fast = align(a, s, b, t).and_then(|(a, b, scale)| inline(a.checked_add(b)?, scale));
            if let Some(value) = fast {
                return Ok(value);
            }
        }
        match (self.kind(), other.kind()) {
            (Kind::Finite(a), Kind::Finite(b)) => a.plus(&b).finish(),
            (Kind::NaN, _) | (_, Kind::NaN) => Ok(Self::NaN),
            (Kind::Infinite { negative: a }, Kind::Infinite { negative: b }) if a != b => {
                Ok(Self::NaN)
            }
            (Kind::Infinite { negative }, _) | (_, Kind::Infinite { negative }) => {
                Ok(Self::infinity(negative))
            }
        }
    }

    /// self - other.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        if let (
            &Self::Decimal { mantissa: a, scale: s },
            &Self::Decimal { mantissa: b, scale: t },
        ) = (self, other)
        {
            let fast = align(a, s, b, t).and_then(|(a, b, scale)| inline(a.checked_sub(b)?, scale));
            if let Some(value) = fast {
                return Ok(value);
            }
        }
        self.add(&other.neg())
    }

    /// self * other.
    pub fn mul(&self, other: &Self) -> Result<Self> {
        if let (&Self::Decimal { mantissa: a, scale: s }, &Self::Decimal { mantissa: b, scale: t }) =
            (self, other)
            && usize::from(s) + usize::from(t) <= SCALE_MAX
            && let Some(value) = a.checked_mul(b).and_then(|product| inline(product, s + t))
        {
            return Ok(value);
        }
        match (self.kind(), other.kind()) {
            (Kind::Finite(a), Kind::Finite(b)) => {
                let product = a.times(&b);
                if product.scale > SCALE_MAX {
                    return product.rounded(SCALE_MAX as i64).finish();
                }
                product.finish()
            }
            (Kind::NaN, _) | (_, Kind::NaN) => Ok(Self::NaN),
            // One of them is infinite: zero times it is nothing.
            _ => match (self.signum(), other.signum()) {
                (Some(0), _) | (_, Some(0)) => Ok(Self::NaN),
                (a, b) => Ok(Self::infinity(a != b)),
            },
        }
    }

    /// What division gives when an operand is not finite; `whole` is for `div` and `%`'s quotient.
    fn divide_special(&self, other: &Self) -> Result<Option<Self>> {
        Ok(match (self, other) {
            (Self::NaN, _) | (_, Self::NaN) => Some(Self::NaN),
            _ if self.is_infinite() => {
                if other.is_infinite() {
                    return Ok(Some(Self::NaN));
                }
                match other.signum() {
                    Some(0) => return Err(division_by_zero()),
                    sign => Some(Self::infinity(sign != self.signum())),
                }
            }
            _ if other.is_infinite() => Some(Self::ZERO),
            _ => None,
        })
    }

    /// self / other, at the scale PostgreSQL chooses.
    ///
    /// # Errors
    /// 22012 if `other` is zero.
    pub fn div(&self, other: &Self) -> Result<Self> {
        if let Some(value) = self.divide_special(other)? {
            return Ok(value);
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        self.div_scaled(other, division_scale(self, other), true)
    }

    /// The quotient of two finite numbers at `scale`; `other` is not zero.
    pub(crate) fn div_scaled(&self, other: &Self, scale: i32, round: bool) -> Result<Self> {
        if let (&Self::Decimal { mantissa: a, scale: s }, &Self::Decimal { mantissa: b, scale: t }) =
            (self, other)
            && let Some((a, b)) = {
                let shift = scale + i32::from(t) - i32::from(s);
                let power = pow10(shift.unsigned_abs());
                power.and_then(|power| {
                    if shift >= 0 {
                        Some((a.checked_mul(power)?, b))
                    } else {
                        Some((a, b.checked_mul(power)?))
                    }
                })
            }
        {
            let mut quotient = a / b;
            if round && (a % b).unsigned_abs() >= b.unsigned_abs().div_ceil(2) {
                quotient += if (a < 0) == (b < 0) { 1 } else { -1 };
            }
            if let Some(value) = inline(quotient, scale as u16) {
                return Ok(value);
            }
        }
        match (self.kind(), other.kind()) {
            (Kind::Finite(a), Kind::Finite(b)) => a.divided(&b, scale as usize, round).finish(),
            _ => Err(Error::internal("the quotient at a scale is of finite numbers")),
        }
    }

    /// The whole part of self / other (`div`).
    ///
    /// # Errors
    /// 22012 if `other` is zero.
    pub fn div_trunc(&self, other: &Self) -> Result<Self> {
        if let Some(value) = self.divide_special(other)? {
            return Ok(value);
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        self.div_scaled(other, 0, false)
    }

    /// What is left of self after subtracting `other` as often as it goes (`%`); has the sign of self.
    ///
    /// # Errors
    /// 22012 if `other` is zero.
    pub fn modulo(&self, other: &Self) -> Result<Self> {
        if self.is_nan() || other.is_nan() {
            return Ok(Self::NaN);
        }
        if self.is_infinite() {
            if other.is_zero() {
                return Err(division_by_zero());
            }
            return Ok(Self::NaN);
        }
        if other.is_infinite() {
            return Ok(self.clone());
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if let (&Self::Decimal { mantissa: a, scale: s }, &Self::Decimal { mantissa: b, scale: t }) =
            (self, other)
            && let Some((a, b, scale)) = align(a, s, b, t)
            && let Some(value) = inline(a % b, scale)
        {
            return Ok(value);
        }
        match (self.kind(), other.kind()) {
            (Kind::Finite(a), Kind::Finite(b)) => {
                let scale = a.scale.max(b.scale);
                let top = limbs::shift_up(&a.limbs, scale - a.scale);
                let bottom = limbs::shift_up(&b.limbs, scale - b.scale);
                let (_, rest) = limbs::div_rem(&top, &bottom);
                Dec { negative: a.negative, limbs: rest, scale }.finish()
            }
            _ => Err(Error::internal("both operands are finite here")),
        }
    }

    /// The negated value.
    pub fn neg(&self) -> Self {
        match self {
            Self::Decimal { mantissa, scale } => {
                Self::Decimal { mantissa: -mantissa, scale: *scale }
            }
            Self::Big(big) => {
                let mut big = (**big).clone();
                big.negative = !big.negative;
                Self::Big(big.into())
            }
            Self::NaN => Self::NaN,
            Self::PositiveInfinity => Self::NegativeInfinity,
            Self::NegativeInfinity => Self::PositiveInfinity,
        }
    }

    /// The magnitude.
    pub fn abs(&self) -> Self {
        if self.signum() == Some(-1) { self.neg() } else { self.clone() }
    }

    /// -1, 0 or 1 as a numeric; NaN for NaN.
    pub fn sign(&self) -> Self {
        self.signum().map_or(Self::NaN, |sign| Self::from(i64::from(sign)))
    }

    /// self + 1.
    pub fn inc(&self) -> Result<Self> {
        self.add(&Self::from(1i64))
    }
}
