//! Arithmetic of float4 and float8: what leaves the range is an error (22003), not an infinity or zero.

use super::integer::division_by_zero;
use crate::lanes::{binary_fallible, unary};
use crate::registry::{ScalarFunction, family};
use damask_types::{Error, Result, SqlState};

/// 22003: finite operands, infinite result.
#[cold]
pub(crate) fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// 22003: a result that is zero only because it is too small.
#[cold]
pub(crate) fn underflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

#[inline]
fn add_f32(x: f32, y: f32) -> Result<f32> {
    let result = x + y;
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        Err(overflow())
    } else {
        Ok(result)
    }
}

#[inline]
fn sub_f32(x: f32, y: f32) -> Result<f32> {
    let result = x - y;
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        Err(overflow())
    } else {
        Ok(result)
    }
}

#[inline]
fn mul_f32(x: f32, y: f32) -> Result<f32> {
    let result = x * y;
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        Err(overflow())
    } else if result == 0.0 && x != 0.0 && y != 0.0 {
        Err(underflow())
    } else {
        Ok(result)
    }
}

#[inline]
fn div_f32(x: f32, y: f32) -> Result<f32> {
    if y == 0.0 && !x.is_nan() {
        return Err(division_by_zero());
    }
    let result = x / y;
    if result.is_infinite() && !x.is_infinite() {
        Err(overflow())
    } else if result == 0.0 && x != 0.0 && !y.is_infinite() {
        Err(underflow())
    } else {
        Ok(result)
    }
}

#[inline]
fn add_f64(x: f64, y: f64) -> Result<f64> {
    let result = x + y;
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        Err(overflow())
    } else {
        Ok(result)
    }
}

#[inline]
fn sub_f64(x: f64, y: f64) -> Result<f64> {
    let result = x - y;
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        Err(overflow())
    } else {
        Ok(result)
    }
}

#[inline]
fn mul_f64(x: f64, y: f64) -> Result<f64> {
    let result = x * y;
    if result.is_infinite() && !x.is_infinite() && !y.is_infinite() {
        Err(overflow())
    } else if result == 0.0 && x != 0.0 && y != 0.0 {
        Err(underflow())
    } else {
        Ok(result)
    }
}

#[inline]
fn div_f64(x: f64, y: f64) -> Result<f64> {
    if y == 0.0 && !x.is_nan() {
        return Err(division_by_zero());
    }
    let result = x / y;
    if result.is_infinite() && !x.is_infinite() {
        Err(overflow())
    } else if result == 0.0 && x != 0.0 && !y.is_infinite() {
        Err(underflow())
    } else {
        Ok(result)
    }
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    204 float4pl(Float4, Float4) -> Float4: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f32| add_f32(x, y));
    205 float4mi(Float4, Float4) -> Float4: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f32| sub_f32(x, y));
    202 float4mul(Float4, Float4) -> Float4: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f32| mul_f32(x, y));
    203 float4div(Float4, Float4) -> Float4: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f32| div_f32(x, y));
    218 float8pl(Float8, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f64| add_f64(x, y));
    219 float8mi(Float8, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f64| sub_f64(x, y));
    216 float8mul(Float8, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f64| mul_f64(x, y));
    217 float8div(Float8, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f64| div_f64(x, y));
    281 float48pl(Float4, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f64| add_f64(f64::from(x), y));
    282 float48mi(Float4, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f64| sub_f64(f64::from(x), y));
    279 float48mul(Float4, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f64| mul_f64(f64::from(x), y));
    280 float48div(Float4, Float8) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f32, y: f64| div_f64(f64::from(x), y));
    285 float84pl(Float8, Float4) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f32| add_f64(x, f64::from(y)));
    286 float84mi(Float8, Float4) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f32| sub_f64(x, f64::from(y)));
    283 float84mul(Float8, Float4) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f32| mul_f64(x, f64::from(y)));
    284 float84div(Float8, Float4) -> Float8: strict immutable raises = |c, a| binary_fallible(c, a, |x: f64, y: f32| div_f64(x, f64::from(y)));
    206 float4um(Float4) -> Float4: strict immutable = |c, a| unary(c, a, |x: f32| -x);
    1913 float4up(Float4) -> Float4: strict immutable = |_, a| Ok(a[0].clone());
    207 float4abs(Float4) -> Float4: strict immutable = |c, a| unary(c, a, f32::abs);
    1394 abs(Float4) -> Float4: strict immutable = |c, a| unary(c, a, f32::abs);
    220 float8um(Float8) -> Float8: strict immutable = |c, a| unary(c, a, |x: f64| -x);
    1914 float8up(Float8) -> Float8: strict immutable = |_, a| Ok(a[0].clone());
    221 float8abs(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::abs);
    1395 abs(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::abs);
};
