//! Exact decimal numbers with PostgreSQL's meaning: a display scale for each value, NaN and the infinities.
//!
//! Invariants
//! - N1: a number whose mantissa has at most 38 digits is [`Numeric::Decimal`], any other [`Numeric::Big`]; so the two
//!   forms never hold the same value at the same scale.
//! - N2: at most 131072 digits stand before the point and 16383 after it. Every operation that could pass them ends in
//!   [`Dec::finish`], which raises 22003.
//! - N3: zero has no sign, and a [`BigDecimal`] has no leading zero limb.
//!
//! Reading order: [`limbs`] is magnitudes, [`arith`] the operators with their scale rules, [`round`] everything that
//! moves the scale, [`text`] and [`convert`] the edges, [`transcendental`] roots, exponentials and logarithms.

mod arith;
mod convert;
mod integer;
pub(crate) mod limbs;
mod round;
mod sum;
mod text;
mod transcendental;

use crate::{Error, Result, SqlState};
use limbs::Limbs;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub(crate) use convert::numeric_from_decimal;
pub use sum::NumericSum;

/// Magnitudes of inline mantissas are below this: 10^38.
pub(crate) const MANTISSA_LIMIT: u128 = 10u128.pow(38);
/// Most digits before the point.
pub(crate) const WHOLE_DIGITS_MAX: usize = 131_072;
/// Most digits after the point.
pub(crate) const SCALE_MAX: usize = 16_383;
/// Most digits after the point that an operation chooses by itself.
pub(crate) const DISPLAY_SCALE_MAX: i32 = 1000;
/// Digits that an inexact result has at least.
pub(crate) const SIGNIFICANT_MIN: i32 = 16;

/// A numeric value.
///
/// Values whose mantissa fits 38 digits are held inline; others on the heap. `1.10` and `1.1` are equal in SQL but keep
/// their display scales. `PartialEq` compares representations; SQL's order is [`Numeric::compare`].
#[derive(Clone, Debug, PartialEq)]
pub enum Numeric {
    /// `mantissa` * 10^-`scale`; the display scale is `scale`.
    Decimal {
        /// The digits with their sign; its magnitude is below 10^38.
        mantissa: i128,
        /// Digits after the point, shown even when they are zero.
        scale: u16,
    },
    /// A number whose digits do not fit [`Numeric::Decimal`].
    Big(Arc<BigDecimal>),
    /// Not a number; equal to itself and above every number.
    NaN,
    /// Above every number but NaN.
    PositiveInfinity,
    /// Below every number.
    NegativeInfinity,
}

/// A number of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BigDecimal {
    /// Whether it is below zero.
    pub negative: bool,
    /// The mantissa's magnitude in base 10^9, least significant limb first, without leading zero limbs.
    pub limbs: Vec<u32>,
    /// Digits after the point.
    pub scale: u16,
}

/// A finite number under computation: any scale, any length.
#[derive(Clone, Debug)]
pub(crate) struct Dec {
    /// Below zero; meaningless for zero.
    pub(crate) negative: bool,
    /// The mantissa's magnitude.
    pub(crate) limbs: Limbs,
    /// Digits after the point.
    pub(crate) scale: usize,
}

/// A value that is not finite, or a number.
pub(crate) enum Kind {
    Finite(Dec),
    NaN,
    Infinite { negative: bool },
}

#[cold]
pub(crate) fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

impl Dec {
    pub(crate) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    pub(crate) fn from_i64(value: i64) -> Self {
        Self { negative: value < 0, limbs: limbs::from_u128(value.unsigned_abs().into()), scale: 0 }
    }

    /// The exponent of the first digit (0 for 1.5); `None` for zero.
    pub(crate) fn exponent(&self) -> Option<i64> {
        (!self.is_zero()).then(|| limbs::digits(&self.limbs) as i64 - 1 - self.scale as i64)
    }

    /// The value, in its canonical form (N1).
    ///
    /// # Errors
    /// 22003 if it is too long (N2).
    pub(crate) fn finish(self) -> Result<Numeric> {
        if self.scale > SCALE_MAX
            || limbs::digits(&self.limbs).saturating_sub(self.scale) > WHOLE_DIGITS_MAX
        {
            return Err(overflow());
        }
        let scale = self.scale as u16;
        Ok(match limbs::to_u128(&self.limbs) {
            Some(magnitude) => {
                let magnitude = magnitude as i128;
                let mantissa = if self.negative { -magnitude } else { magnitude };
                Numeric::Decimal { mantissa, scale }
            }
            None => Numeric::Big(Arc::new(BigDecimal {
                negative: self.negative,
                limbs: self.limbs,
                scale,
            })),
        })
    }
}

impl Numeric {
    /// 0 without digits after the point.
    pub const ZERO: Self = Self::Decimal { mantissa: 0, scale: 0 };

    /// `mantissa` * 10^-`scale`, of any magnitude.
    #[inline]
    pub fn from_parts(mantissa: i128, scale: u16) -> Self {
        if mantissa.unsigned_abs() < MANTISSA_LIMIT {
            return Self::Decimal { mantissa, scale };
        }
        Self::Big(Arc::new(BigDecimal {
            negative: mantissa < 0,
            limbs: limbs::from_u128(mantissa.unsigned_abs()),
            scale,
        }))
    }

    /// Takes it apart for the general algorithms.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Decimal { mantissa, scale } => Kind::Finite(Dec {
                negative: *mantissa < 0,
                limbs: limbs::from_u128(mantissa.unsigned_abs()),
                scale: usize::from(*scale),
            }),
            Self::Big(big) => Kind::Finite(Dec {
                negative: big.negative,
                limbs: big.limbs.clone(),
                scale: usize::from(big.scale),
            }),
            Self::NaN => Kind::NaN,
            Self::PositiveInfinity => Kind::Infinite { negative: false },
            Self::NegativeInfinity => Kind::Infinite { negative: true },
        }
    }

    /// An infinity.
    pub(crate) fn infinity(negative: bool) -> Self {
        if negative { Self::NegativeInfinity } else { Self::PositiveInfinity }
    }

    /// Whether this is NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self, Self::NaN)
    }

    /// Whether this is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        matches!(self, Self::PositiveInfinity | Self::NegativeInfinity)
    }

    /// Whether this is the number zero.
    pub fn is_zero(&self) -> bool {
        matches!(self, Self::Decimal { mantissa: 0, .. })
    }

    /// -1, 0 or 1; `None` for NaN.
    pub fn signum(&self) -> Option<i32> {
        match self {
            Self::Decimal { mantissa, .. } => Some(mantissa.signum() as i32),
            Self::Big(big) => Some(if big.negative { -1 } else { 1 }),
            Self::NaN => None,
            Self::PositiveInfinity => Some(1),
            Self::NegativeInfinity => Some(-1),
        }
    }

    /// The display scale; `None` for NaN and the infinities.
    pub fn scale(&self) -> Option<u16> {
        match self {
            Self::Decimal { scale, .. } => Some(*scale),
            Self::Big(big) => Some(big.scale),
            Self::NaN | Self::PositiveInfinity | Self::NegativeInfinity => None,
        }
    }

    /// SQL's order: NaN is highest and equal to itself; 1.10 equals 1.1.
    pub fn compare(&self, other: &Self) -> Ordering {
        if let (Self::Decimal { mantissa: a, scale: s }, Self::Decimal { mantissa: b, scale: t }) =
            (self, other)
        {
            if s == t {
                return a.cmp(b);
            }
            if a.signum() != b.signum() {
                return a.cmp(b);
            }
            let widen = |value: &i128, by: u16| {
                10i128.checked_pow(by.into()).and_then(|power| value.checked_mul(power))
            };
            if s < t {
                if let Some(a) = widen(a, t - s) {
                    return a.cmp(b);
                }
            } else if let Some(b) = widen(b, s - t) {
                return a.cmp(&b);
            }
        }
        self.compare_slow(other)
    }

    fn compare_slow(&self, other: &Self) -> Ordering {
        let rank = |value: &Self| match value {
            Self::NegativeInfinity => 0,
            Self::Decimal { .. } | Self::Big(_) => 1,
            Self::PositiveInfinity => 2,
            Self::NaN => 3,
        };
        match (self.kind(), other.kind()) {
            (Kind::Finite(a), Kind::Finite(b)) => a.compare(&b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl Dec {
    /// Order of the values.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let sign = |dec: &Self| match (dec.is_zero(), dec.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        };
        let signs = sign(self).cmp(&sign(other));
        if signs.is_ne() || self.is_zero() {
            return signs;
        }
        let order = self.compare_magnitude(other);
        if self.negative { order.reverse() } else { order }
    }

    /// Order of the magnitudes.
    pub(crate) fn compare_magnitude(&self, other: &Self) -> Ordering {
        let (a, b) = (self.exponent(), other.exponent());
        if a.is_none() || b.is_none() || a != b {
            return a.cmp(&b);
        }
        match self.scale.cmp(&other.scale) {
            Ordering::Equal => limbs::compare(&self.limbs, &other.limbs),
            Ordering::Less => limbs::compare(
                &limbs::shift_up(&self.limbs, other.scale - self.scale),
                &other.limbs,
            ),
            Ordering::Greater => limbs::compare(
                &self.limbs,
                &limbs::shift_up(&other.limbs, self.scale - other.scale),
            ),
        }
    }
}

/// Consistent with [`Numeric::compare`]: trailing zeros after the point do not count.
impl Hash for Numeric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Decimal { mantissa, scale } => {
                let (mut mantissa, mut scale) = (*mantissa, *scale);
                while scale > 0 && mantissa % 10 == 0 {
                    mantissa /= 10;
                    scale -= 1;
                }
                mantissa.hash(state);
                scale.hash(state);
            }
            Self::Big(big) => {
                let zeros = limbs::trailing_zeros(&big.limbs).min(usize::from(big.scale));
                let rest = limbs::shift_down(&big.limbs, zeros);
                let scale = big.scale - zeros as u16;
                // The same number may be inline at a smaller scale.
                if let Some(magnitude) = limbs::to_u128(&rest) {
                    let magnitude = magnitude as i128;
                    (if big.negative { -magnitude } else { magnitude }).hash(state);
                } else {
                    big.negative.hash(state);
                    rest.hash(state);
                }
                scale.hash(state);
            }
            Self::NaN => state.write_u8(1),
            Self::PositiveInfinity => state.write_u8(2),
            Self::NegativeInfinity => state.write_u8(3),
        }
    }
}
