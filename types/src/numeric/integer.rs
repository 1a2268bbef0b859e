//! Greatest common divisors, least common multiples, factorials.

use super::{Kind, Numeric, limbs, overflow};
use crate::{Error, Result, SqlState};

/// Factorials of more than this have too many digits.
const FACTORIAL_MAX: i64 = 32_177;

impl Numeric {
    /// The greatest numeric that divides both; 0 if both are zero, NaN if one is not finite.
    pub fn gcd(&self, other: &Self) -> Result<Self> {
        let (Kind::Finite(a), Kind::Finite(b)) = (self.kind(), other.kind()) else {
            return Ok(Self::NaN);
        };
        let scale = a.scale.max(b.scale);
        let mut x = limbs::shift_up(&a.limbs, scale - a.scale);
        let mut y = limbs::shift_up(&b.limbs, scale - b.scale);
        while !y.is_empty() {
            let (_, rest) = limbs::div_rem(&x, &y);
            (x, y) = (y, rest);
        }
        super::Dec { negative: false, limbs: x, scale }.finish()
    }

    /// The least positive numeric that both divide; 0 if one is zero, NaN if one is not finite.
    pub fn lcm(&self, other: &Self) -> Result<Self> {
        let scale = match (self.scale(), other.scale()) {
            (Some(a), Some(b)) => a.max(b),
            _ => return Ok(Self::NaN),
        };
        if self.is_zero() || other.is_zero() {
            return Self::ZERO.with_scale_at_least(scale);
        }
        let part = self.div_scaled(&self.gcd(other)?, 0, false)?;
        part.mul(other)?.abs().round(scale.into())
    }

    /// n!
    ///
    /// # Errors
    /// 22003 for a negative number or one whose factorial is too long.
    pub fn factorial(n: i64) -> Result<Self> {
        if n < 0 {
            return Err(Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "factorial of a negative number is undefined",
            ));
        }
        if n > FACTORIAL_MAX {
            return Err(overflow());
        }
        let mut product = vec![1];
        for factor in 2..=n {
            limbs::mul_small(&mut product, factor as u32, 0);
        }
        super::Dec { negative: false, limbs: product, scale: 0 }.finish()
    }
}
