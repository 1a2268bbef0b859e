//! Roots, exponentials, logarithms and powers.
//!
//! Results are exact to their last digit but for ties no series can decide; the number of digits is PostgreSQL's, which
//! gives at least 16 significant ones and estimates where the first will stand ([`logarithm_exponent`] and the
//! comments at each scale). Work is done in fixed point: a magnitude times 10^-digits, with guard digits.

use super::arith::division_by_zero;
use super::{
    DISPLAY_SCALE_MAX, Dec, Kind, Numeric, SIGNIFICANT_MIN, WHOLE_DIGITS_MAX, limbs, overflow,
};
use crate::{Error, Result, SqlState};
use std::cmp::Ordering;
use std::f64::consts::LOG10_E;

/// Guard digits of intermediate results.
const GUARD: usize = 12;
/// Results with more digits than this are out of range whatever they are.
const RESULT_SCALE_MAX: f64 = 2000.0;

#[cold]
fn bad_logarithm(what: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, format!("cannot take logarithm of {what}"))
}

#[cold]
fn bad_power(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

/// The scale that gives at least 16 significant digits when the first stands at `exponent`, and is not below others.
fn result_scale(exponent: i64, at_least: usize) -> usize {
    (i64::from(SIGNIFICANT_MIN) - exponent).max(at_least as i64).clamp(0, DISPLAY_SCALE_MAX.into())
        as usize
}

impl Dec {
    fn one() -> Self {
        Self::from_i64(1)
    }

    /// The nearest float, saturating.
    fn approximate(&self) -> f64 {
        let digits = limbs::digits(&self.limbs);
        // 18 digits are more than a float holds.
        let drop = digits.saturating_sub(18);
        let head = limbs::shift_down(&self.limbs, drop);
        let head = head.iter().rev().fold(0.0, |value, limb| value * 1e9 + f64::from(*limb));
        let exponent = drop as i64 - self.scale as i64;
        let value = if exponent >= 0 {
            head * 10f64.powi(exponent.min(400) as i32)
        } else {
            // Two steps keep subnormal powers of ten out.
            let first = (-exponent).min(300) as i32;
            let rest = (-exponent - i64::from(first)).min(300) as i32;
            head / 10f64.powi(first) / 10f64.powi(rest)
        };
        if self.negative { -value } else { value }
    }

    /// self * other, cut to `scale`.
    fn times_at(&self, other: &Self, scale: usize) -> Self {
        self.times(other).truncated(scale as i64)
    }

    /// Halved `n` times, at a scale.
    fn halved(&self, n: u32, scale: usize) -> Self {
        let mut half = self.clone().truncated(scale as i64);
        for _ in 0..n {
            limbs::div_small(&mut half.limbs, 2);
        }
        half
    }

    /// The root at `scale`, rounded.
    fn root(&self, scale: usize) -> Self {
        // One digit more than wanted decides the rounding.
        let digits = scale + 1;
        let shift = 2 * digits as i64 - self.scale as i64;
        let square = if shift >= 0 {
            limbs::shift_up(&self.limbs, shift as usize)
        } else {
            limbs::shift_down(&self.limbs, shift.unsigned_abs() as usize)
        };
        let root = integer_root(&square);
        Self { negative: false, limbs: root, scale: digits }.rounded(scale as i64)
    }

    /// e^self with `scale` digits.
    fn exponential(&self, scale: usize) -> Self {
        let size = self.approximate();
        // Digits before the point of the result, as many again are lost in squaring.
        let whole = (size * LOG10_E).max(0.0) as usize + 1;
        // Halve until the argument is below 2^-8; each squaring doubles the error.
        let halvings =
            if size.abs() < 1.0 / 256.0 { 0 } else { (size.abs().log2() + 9.0).max(0.0) as u32 };
        let digits = scale + whole + GUARD + halvings as usize / 3 + 1;
        let x = self.halved(halvings, digits);
        let mut sum = Self::one().plus(&x).truncated(digits as i64);
        let mut term = x.clone();
        let mut n = 2u32;
        while !term.is_zero() {
            term = term.times_at(&x, digits);
            limbs::div_small(&mut term.limbs, n);
            sum = sum.plus(&term);
            n += 1;
        }
        for _ in 0..halvings {
            sum = sum.times_at(&sum, digits);
        }
        sum.rounded(scale as i64)
    }

    /// ln(self) with `scale` digits; self is above zero.
    fn logarithm(&self, scale: usize) -> Self {
        // self = m * 10^e with m near 1, roots until m is within 1 ± 0.01: ln = 2^k ln(m) + e ln(10).
        let exponent = self.exponent().unwrap_or(0);
        // Close to 1 nothing may be scaled away, or the digits would cancel.
        let near_one = self.compare(&Self { negative: false, limbs: vec![9], scale: 1 }).is_ge()
            && self.compare(&Self { negative: false, limbs: vec![11], scale: 1 }).is_le();
        let exponent = if near_one { 0 } else { exponent };
        let digits =
            scale + GUARD + limbs::digits(&limbs::from_u128(exponent.unsigned_abs().into())) + 6;
        let mantissa = {
            let shifted = self.scale as i64 + exponent;
            if shifted >= 0 {
                Self { scale: shifted as usize, ..self.clone() }
            } else {
                Self {
                    limbs: limbs::shift_up(&self.limbs, shifted.unsigned_abs() as usize),
                    scale: 0,
                    negative: false,
                }
            }
        };
        let reduced = near_logarithm(mantissa, digits);
        if exponent == 0 {
            return reduced.rounded(scale as i64);
        }
        let ten = near_logarithm(Self::from_i64(10), digits);
        reduced.plus(&ten.times(&Self::from_i64(exponent))).rounded(scale as i64)
    }

    /// self^n with `scale` digits after the point.
    fn integer_power(&self, n: i64, scale: usize) -> Result<Self> {
        // The place of the result's first digit, by floats.
        let first = self.exponent().map_or(0, |exponent| exponent);
        let head = Self { scale: (self.scale as i64 + first).max(0) as usize, ..self.clone() };
        let head = if self.scale as i64 + first >= 0 { head.approximate().abs() } else { 1.0 };
        let weight = (first as f64 + head.log10()) * n as f64;
        if weight > (WHOLE_DIGITS_MAX as f64 + 64.0) {
            return Err(overflow());
        }
        if weight + (scale as f64) < -2.0 {
            return Ok(Self { negative: false, limbs: vec![], scale });
        }
        // Significant digits: those shown, and guards against the error of each multiplication.
        let count = n.unsigned_abs();
        let significant = (weight.max(-(scale as f64)) as i64 + scale as i64 + 8).max(8) as usize
            + GUARD
            + count.max(1).ilog10() as usize
            + 1;
        let mut result: Option<Self> = None;
        let mut square = self.clone();
        // The exponents of what is cut: a magnitude stands for limbs * 10^-scale, scale may be below zero.
        let mut rest = count;
        let mut square_scale = square.scale as i64;
        let mut result_scale = 0i64;
        loop {
            if rest & 1 == 1 {
                let (limbs, scale) = match &result {
                    None => (square.limbs.clone(), square_scale),
                    Some(value) => {
                        (limbs::mul(&value.limbs, &square.limbs), result_scale + square_scale)
                    }
                };
                let (limbs, scale) = cut(limbs, scale, significant);
                result = Some(Self { negative: false, limbs, scale: 0 });
                result_scale = scale;
            }
            rest >>= 1;
            if rest == 0 {
                break;
            }
            let (limbs, scale) =
                cut(limbs::mul(&square.limbs, &square.limbs), square_scale * 2, significant);
            square = Self { negative: false, limbs, scale: 0 };
            square_scale = scale;
        }
        let mut value = result.unwrap_or_else(Self::one);
        value.negative = self.negative && count & 1 == 1;
        if n >= 0 {
            if result_scale < 0 {
                value.limbs = limbs::shift_up(&value.limbs, result_scale.unsigned_abs() as usize);
                result_scale = 0;
            }
            value.scale = result_scale as usize;
            return Ok(value.rounded(scale as i64));
        }
        // 1 / (limbs * 10^-scale) = 10^scale / limbs.
        let shift = result_scale + scale as i64 + 1;
        if shift < 0 {
            return Ok(Self { negative: false, limbs: vec![], scale });
        }
        let (limbs, _) = limbs::div_rem(&limbs::shift_up(&[1], shift as usize), &value.limbs);
        Ok(Self { negative: value.negative, limbs, scale: scale + 1 }.rounded(scale as i64))
    }
}

/// A magnitude with at most `significant` digits, and its scale.
fn cut(magnitude: limbs::Limbs, scale: i64, significant: usize) -> (limbs::Limbs, i64) {
    let excess = limbs::digits(&magnitude).saturating_sub(significant);
    if excess == 0 {
        return (magnitude, scale);
    }
    (limbs::shift_down(&magnitude, excess), scale - excess as i64)
}

/// The greatest integer whose square is not above `square` (Newton's method).
fn integer_root(square: &[u32]) -> limbs::Limbs {
    if square.is_empty() {
        return vec![];
    }
    // Start above the root: the float's root, a little larger.
    let digits = limbs::digits(square);
    let mut drop = digits.saturating_sub(16);
    drop += drop % 2;
    let head = limbs::shift_down(square, drop);
    let head = head.iter().rev().fold(0.0f64, |value, limb| value * 1e9 + f64::from(*limb));
    let start = (head + 1.0).sqrt().ceil() as u128 + 1;
    let mut root = limbs::shift_up(&limbs::from_u128(start), drop / 2);
    loop {
        let (quotient, _) = limbs::div_rem(square, &root);
        let mut next = limbs::add(&root, &quotient);
        limbs::div_small(&mut next, 2);
        if limbs::compare(&next, &root) != Ordering::Less {
            return root;
        }
        root = next;
    }
}

/// ln(x) for x in 0.1..=10, by roots and the series of artanh.
fn near_logarithm(x: Dec, digits: usize) -> Dec {
    let mut x = x;
    let mut roots = 0;
    // Each root halves the logarithm; the error doubles on the way back.
    let digits = digits + 4;
    while (x.approximate() - 1.0).abs() > 0.01 {
        x = x.root(digits);
        roots += 1;
    }
    // ln(x) = 2 artanh((x - 1) / (x + 1)).
    let top = x.minus(&Dec::one());
    let bottom = x.plus(&Dec::one());
    let z = top.divided(&bottom, digits, false);
    let square = z.times_at(&z, digits);
    let mut sum = z.clone();
    let mut power = z;
    let mut n = 3u32;
    while !power.is_zero() {
        power = power.times_at(&square, digits);
        let mut term = power.clone();
        limbs::div_small(&mut term.limbs, n);
        sum = sum.plus(&term);
        n += 2;
    }
    limbs::mul_small(&mut sum.limbs, 1 << (roots + 1), 0);
    sum
}

/// PostgreSQL's estimate of the place of ln's first digit (0 for 1.5).
fn logarithm_exponent(value: &Dec) -> i64 {
    let tenths = |limb: u32| Dec { negative: false, limbs: vec![limb], scale: 1 };
    if value.is_zero() || value.negative {
        return 0;
    }
    if value.compare(&tenths(9)).is_ge() && value.compare(&tenths(11)).is_le() {
        // ln(1 + x) is about x.
        return value.minus(&Dec::one()).exponent().unwrap_or(0);
    }
    // From the first two digits in base 10^4.
    let exponent = value.exponent().unwrap_or(0);
    let weight = exponent.div_euclid(4) * 4;
    // Places below the last digit that are needed to have two groups.
    let places = value.scale as i64 + weight - 4;
    let head = if places >= 0 {
        limbs::shift_down(&value.limbs, places as usize)
    } else {
        limbs::shift_up(&value.limbs, places.unsigned_abs() as usize)
    };
    let head = head.iter().rev().fold(0.0f64, |sum, limb| sum * 1e9 + f64::from(*limb));
    let logarithm = head.ln() + (weight - 4) as f64 * std::f64::consts::LN_10;
    logarithm.abs().log10() as i64
}

impl Numeric {
    /// The square root.
    ///
    /// # Errors
    /// 2201F for negative numbers.
    pub fn sqrt(&self) -> Result<Self> {
        if self.signum() == Some(-1) {
            return Err(bad_power("cannot take square root of a negative number"));
        }
        let Kind::Finite(dec) = self.kind() else {
            return Ok(self.clone());
        };
        // Zero's weight is 0 in base 10^4.
        let weight = dec.exponent().map_or(0, |exponent| exponent.div_euclid(4));
        let scale = result_scale(weight * 2 + 1, dec.scale);
        dec.root(scale).finish()
    }

    /// e^self.
    ///
    /// # Errors
    /// 22003 if the result is too large.
    pub fn exp(&self) -> Result<Self> {
        let dec = match self.kind() {
            Kind::Finite(dec) => dec,
            Kind::NaN => return Ok(Self::NaN),
            Kind::Infinite { negative: true } => return Ok(Self::ZERO),
            Kind::Infinite { negative: false } => return Ok(self.clone()),
        };
        let size = dec.approximate();
        let exponent = (size * LOG10_E).clamp(-RESULT_SCALE_MAX, RESULT_SCALE_MAX) as i64;
        let scale = result_scale(exponent, dec.scale);
        exponential_checked(&dec, size, scale)?.finish()
    }

    /// The natural logarithm.
    ///
    /// # Errors
    /// 2201E for zero and negative numbers.
    pub fn ln(&self) -> Result<Self> {
        let dec = match self.logarithm_argument()? {
            Ok(dec) => dec,
            Err(special) => return Ok(special),
        };
        let scale = result_scale(logarithm_exponent(&dec), dec.scale);
        dec.logarithm(scale).finish()
    }

    /// The number, if it is finite and above zero; itself if it is NaN or infinity.
    fn logarithm_argument(&self) -> Result<std::result::Result<Dec, Self>> {
        match self.signum() {
            Some(-1) => return Err(bad_logarithm("a negative number")),
            Some(0) => return Err(bad_logarithm("zero")),
            _ => {}
        }
        Ok(match self.kind() {
            Kind::Finite(dec) => Ok(dec),
            Kind::NaN | Kind::Infinite { .. } => Err(self.clone()),
        })
    }

    /// The logarithm to base 10.
    ///
    /// # Errors
    /// 2201E for zero and negative numbers.
    pub fn log10(&self) -> Result<Self> {
        self.log(&Self::from(10i64))
    }

    /// The logarithm of self to `base`.
    ///
    /// # Errors
    /// 2201E for zero and negative numbers, 22012 for base 1.
    pub fn log(&self, base: &Self) -> Result<Self> {
        if self.is_nan() || base.is_nan() {
            return Ok(Self::NaN);
        }
        if self.is_infinite() || base.is_infinite() {
            for value in [base, self] {
                if value.signum() == Some(-1) {
                    return Err(bad_logarithm("a negative number"));
                }
            }
            for value in [base, self] {
                if value.is_zero() {
                    return Err(bad_logarithm("zero"));
                }
            }
            return Ok(match (base.is_infinite(), self.is_infinite()) {
                (true, true) => Self::NaN,
                (true, false) => Self::ZERO,
                _ => Self::PositiveInfinity,
            });
        }
        let (Ok(base), Ok(value)) = (base.logarithm_argument()?, self.logarithm_argument()?) else {
            return Err(Error::internal("both operands are finite here"));
        };
        let base_exponent = logarithm_exponent(&base);
        let exponent = logarithm_exponent(&value) - base_exponent;
        let scale = result_scale(exponent, base.scale.max(value.scale));
        let digits = (scale as i64 + exponent.abs() + base_exponent.abs()) as usize + GUARD + 8;
        let bottom = base.logarithm(digits);
        if bottom.is_zero() {
            return Err(division_by_zero());
        }
        value.logarithm(digits).divided(&bottom, scale, true).finish()
    }

    /// Whether this is a whole number.
    fn is_integral(&self) -> bool {
        self.is_infinite() || self.min_scale() == Some(0)
    }

    /// self ^ exponent.
    ///
    /// # Errors
    /// 2201F where the result is no real number, 22003 if it is too large.
    pub fn power(&self, exponent: &Self) -> Result<Self> {
        if let Some(value) = self.power_special(exponent) {
            return value;
        }
        let signs = (self.signum(), exponent.signum());
        if signs == (Some(0), Some(-1)) {
            return Err(bad_power("zero raised to a negative power is undefined"));
        }
        if signs.0 == Some(-1) && !exponent.is_integral() {
            return Err(bad_power(
                "a negative number raised to a non-integer power yields a complex result",
            ));
        }
        let (Kind::Finite(base), Kind::Finite(power)) = (self.kind(), exponent.kind()) else {
            return Err(Error::internal("both operands are finite here"));
        };
        if exponent.is_integral()
            && let Self::Decimal { mantissa, .. } = exponent.trunc(0)?
            && let Ok(n) = i32::try_from(mantissa)
        {
            let scale = result_scale(0, base.scale);
            if base.is_zero() && n != 0 {
                return Dec { scale, ..base }.finish();
            }
            return base.integer_power(n.into(), scale)?.finish();
        }
        if base.is_zero() {
            return Dec { scale: SIGNIFICANT_MIN as usize, ..base }.finish();
        }
        power_of_logarithm(base, &power)?.finish()
    }

    /// Powers with NaN or an infinity.
    fn power_special(&self, exponent: &Self) -> Option<Result<Self>> {
        let one = Self::from(1i64);
        let is_one = self.compare(&one).is_eq();
        if self.is_nan() || exponent.is_nan() {
            return Some(Ok(if exponent.is_zero() || (is_one && !self.is_nan()) {
                one
            } else {
                Self::NaN
            }));
        }
        if !self.is_infinite() && !exponent.is_infinite() {
            return None;
        }
        let (sign, power_sign) = (self.signum(), exponent.signum());
        if sign == Some(0) && power_sign == Some(-1) {
            return Some(Err(bad_power("zero raised to a negative power is undefined")));
        }
        if sign == Some(-1) && !exponent.is_integral() {
            return Some(Err(bad_power(
                "a negative number raised to a non-integer power yields a complex result",
            )));
        }
        if is_one || power_sign == Some(0) {
            return Some(Ok(one));
        }
        if sign == Some(0) {
            return Some(Ok(Self::ZERO));
        }
        if exponent.is_infinite() {
            let size = self.abs();
            if size.compare(&one).is_eq() {
                return Some(Ok(one));
            }
            let grows = size.compare(&one).is_gt();
            return Some(Ok(if grows == (power_sign == Some(1)) {
                Self::PositiveInfinity
            } else {
                Self::ZERO
            }));
        }
        if power_sign == Some(-1) {
            return Some(Ok(Self::ZERO));
        }
        let odd = exponent.modulo(&Self::from(2i64)).is_ok_and(|rest| !rest.is_zero());
        Some(Ok(Self::infinity(sign == Some(-1) && odd)))
    }
}

fn exponential_checked(dec: &Dec, size: f64, scale: usize) -> Result<Dec> {
    if size.abs() >= RESULT_SCALE_MAX * 3.0 {
        if size > 0.0 {
            return Err(overflow());
        }
        return Ok(Dec { negative: false, limbs: vec![], scale });
    }
    Ok(dec.exponential(scale))
}

/// base^power by logarithms; base is not zero, and negative only for a whole power.
fn power_of_logarithm(mut base: Dec, power: &Dec) -> Result<Dec> {
    let odd = limbs::digit(&power.clone().truncated(0).limbs, 0) % 2 == 1;
    let negative = base.negative && odd;
    base.negative = false;
    let exponent = logarithm_exponent(&base);
    // To eight digits, and the product to as many: the scale depends on them.
    let rough_scale = (8 - exponent).max(0);
    let rough =
        base.logarithm(rough_scale as usize).times(power).rounded(rough_scale).approximate();
    if rough.abs() > RESULT_SCALE_MAX * 3.01 {
        if rough > 0.0 {
            return Err(overflow());
        }
        return Ok(Dec { negative: false, limbs: vec![], scale: DISPLAY_SCALE_MAX as usize });
    }
    let weight = rough * LOG10_E;
    let scale = result_scale(weight as i64, base.scale.max(power.scale));
    // The logarithm's absolute error is the result's relative one.
    let power_digits = power.exponent().unwrap_or(0).max(0) as usize;
    let digits = (scale as i64 + weight as i64).max(0) as usize + power_digits + GUARD + 8;
    let argument = base.logarithm(digits).times(power).rounded(digits as i64);
    let mut value = exponential_checked(&argument, rough, scale)?;
    value.negative = negative && !value.is_zero();
    Ok(value)
}
