//! Exact decimal numbers with PostgreSQL's meaning: a display scale for each value, NaN and the infinities.

use std::sync::Arc;

/// A numeric value.
///
/// Values whose mantissa fits 38 digits are held inline; others on the heap. `1.10` and `1.1` are equal in SQL but keep
/// their display scales.
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
