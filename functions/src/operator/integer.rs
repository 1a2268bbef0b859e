//! Arithmetic and bits of int2, int4 and int8. Results are checked (22003); mixed widths compute in the wider one.

use crate::lanes::{binary, binary_checked, binary_fallible, unary, unary_checked};
use crate::registry::{ScalarFunction, family};
use damask_types::{Error, Result, SqlState};

/// 22003 for int2.
#[cold]
pub(crate) fn smallint() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "smallint out of range")
}

/// 22003 for int4.
#[cold]
pub(crate) fn integer() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range")
}

/// 22003 for int8.
#[cold]
pub(crate) fn bigint() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")
}

/// 22012.
#[cold]
pub(crate) fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

fn divide_i16(x: i16, y: i16) -> Result<i16> {
    if y == 0 {
        return Err(division_by_zero());
    }
    x.checked_div(y).ok_or_else(smallint)
}

/// The remainder has the sign of `x`; that of MIN by -1 is 0.
fn modulo_i16(x: i16, y: i16) -> Result<i16> {
    if y == 0 {
        return Err(division_by_zero());
    }
    Ok(x.wrapping_rem(y))
}

fn divide_i32(x: i32, y: i32) -> Result<i32> {
    if y == 0 {
        return Err(division_by_zero());
    }
    x.checked_div(y).ok_or_else(integer)
}

/// The remainder has the sign of `x`; that of MIN by -1 is 0.
fn modulo_i32(x: i32, y: i32) -> Result<i32> {
    if y == 0 {
        return Err(division_by_zero());
    }
    Ok(x.wrapping_rem(y))
}

fn divide_i64(x: i64, y: i64) -> Result<i64> {
    if y == 0 {
        return Err(division_by_zero());
    }
    x.checked_div(y).ok_or_else(bigint)
}

/// The remainder has the sign of `x`; that of MIN by -1 is 0.
fn modulo_i64(x: i64, y: i64) -> Result<i64> {
    if y == 0 {
        return Err(division_by_zero());
    }
    Ok(x.wrapping_rem(y))
}

fn gcd_i32(x: i32, y: i32) -> Result<i32> {
    let (mut a, mut b) = (x.unsigned_abs(), y.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i32::try_from(a).map_err(|_| integer())
}

fn lcm_i32(x: i32, y: i32) -> Result<i32> {
    if x == 0 || y == 0 {
        return Ok(0);
    }
    let gcd = gcd_i32(x, y)?;
    (x / gcd).checked_mul(y).and_then(i32::checked_abs).ok_or_else(integer)
}

fn gcd_i64(x: i64, y: i64) -> Result<i64> {
    let (mut a, mut b) = (x.unsigned_abs(), y.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).map_err(|_| bigint())
}

fn lcm_i64(x: i64, y: i64) -> Result<i64> {
    if x == 0 || y == 0 {
        return Ok(0);
    }
    let gcd = gcd_i64(x, y)?;
    (x / gcd).checked_mul(y).and_then(i64::checked_abs).ok_or_else(bigint)
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    176 int2pl(Int2, Int2) -> Int2: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i16| x.overflowing_add(y), smallint);
    180 int2mi(Int2, Int2) -> Int2: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i16| x.overflowing_sub(y), smallint);
    152 int2mul(Int2, Int2) -> Int2: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i16| x.overflowing_mul(y), smallint);
    153 int2div(Int2, Int2) -> Int2: strict immutable raises = |c, a| binary_fallible(c, a, |x: i16, y: i16| divide_i16(x, y));
    178 int24pl(Int2, Int4) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i32| i32::from(x).overflowing_add(y), integer);
    182 int24mi(Int2, Int4) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i32| i32::from(x).overflowing_sub(y), integer);
    170 int24mul(Int2, Int4) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i32| i32::from(x).overflowing_mul(y), integer);
    172 int24div(Int2, Int4) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, |x: i16, y: i32| divide_i32(x.into(), y));
    841 int28pl(Int2, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i64| i64::from(x).overflowing_add(y), bigint);
    942 int28mi(Int2, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i64| i64::from(x).overflowing_sub(y), bigint);
    943 int28mul(Int2, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i16, y: i64| i64::from(x).overflowing_mul(y), bigint);
    948 int28div(Int2, Int8) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, |x: i16, y: i64| divide_i64(x.into(), y));
    179 int42pl(Int4, Int2) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i16| x.overflowing_add(i32::from(y)), integer);
    183 int42mi(Int4, Int2) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i16| x.overflowing_sub(i32::from(y)), integer);
    171 int42mul(Int4, Int2) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i16| x.overflowing_mul(i32::from(y)), integer);
    173 int42div(Int4, Int2) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, |x: i32, y: i16| divide_i32(x, y.into()));
    177 int4pl(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i32| x.overflowing_add(y), integer);
    181 int4mi(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i32| x.overflowing_sub(y), integer);
    141 int4mul(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i32| x.overflowing_mul(y), integer);
    154 int4div(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, |x: i32, y: i32| divide_i32(x, y));
    1278 int48pl(Int4, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i64| i64::from(x).overflowing_add(y), bigint);
    1279 int48mi(Int4, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i64| i64::from(x).overflowing_sub(y), bigint);
    1280 int48mul(Int4, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i32, y: i64| i64::from(x).overflowing_mul(y), bigint);
    1281 int48div(Int4, Int8) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, |x: i32, y: i64| divide_i64(x.into(), y));
    837 int82pl(Int8, Int2) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i16| x.overflowing_add(i64::from(y)), bigint);
    838 int82mi(Int8, Int2) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i16| x.overflowing_sub(i64::from(y)), bigint);
    839 int82mul(Int8, Int2) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i16| x.overflowing_mul(i64::from(y)), bigint);
    840 int82div(Int8, Int2) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, |x: i64, y: i16| divide_i64(x, y.into()));
    1274 int84pl(Int8, Int4) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i32| x.overflowing_add(i64::from(y)), bigint);
    1275 int84mi(Int8, Int4) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i32| x.overflowing_sub(i64::from(y)), bigint);
    1276 int84mul(Int8, Int4) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i32| x.overflowing_mul(i64::from(y)), bigint);
    1277 int84div(Int8, Int4) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, |x: i64, y: i32| divide_i64(x, y.into()));
    463 int8pl(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i64| x.overflowing_add(y), bigint);
    464 int8mi(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i64| x.overflowing_sub(y), bigint);
    465 int8mul(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_checked(c, a, |x: i64, y: i64| x.overflowing_mul(y), bigint);
    466 int8div(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, |x: i64, y: i64| divide_i64(x, y));
    155 int2mod(Int2, Int2) -> Int2: strict immutable raises = |c, a| binary_fallible(c, a, |x: i16, y: i16| modulo_i16(x, y));
    940 mod(Int2, Int2) -> Int2: strict immutable raises = |c, a| binary_fallible(c, a, |x: i16, y: i16| modulo_i16(x, y));
    213 int2um(Int2) -> Int2: strict immutable raises = |c, a| unary_checked(c, a, i16::overflowing_neg, smallint);
    1911 int2up(Int2) -> Int2: strict immutable = |_, a| Ok(a[0].clone());
    1253 int2abs(Int2) -> Int2: strict immutable raises = |c, a| unary_checked(c, a, i16::overflowing_abs, smallint);
    1398 abs(Int2) -> Int2: strict immutable raises = |c, a| unary_checked(c, a, i16::overflowing_abs, smallint);
    1892 int2and(Int2, Int2) -> Int2: strict immutable = |c, a| binary(c, a, |x: i16, y: i16| x & y);
    1893 int2or(Int2, Int2) -> Int2: strict immutable = |c, a| binary(c, a, |x: i16, y: i16| x | y);
    1894 int2xor(Int2, Int2) -> Int2: strict immutable = |c, a| binary(c, a, |x: i16, y: i16| x ^ y);
    1895 int2not(Int2) -> Int2: strict immutable = |c, a| unary(c, a, |x: i16| !x);
    1896 int2shl(Int2, Int4) -> Int2: strict immutable = |c, a| binary(c, a, |x: i16, y: i32| i32::from(x).wrapping_shl(y as u32) as i16);
    1897 int2shr(Int2, Int4) -> Int2: strict immutable = |c, a| binary(c, a, |x: i16, y: i32| i32::from(x).wrapping_shr(y as u32) as i16);
    156 int4mod(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, |x: i32, y: i32| modulo_i32(x, y));
    941 mod(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, |x: i32, y: i32| modulo_i32(x, y));
    212 int4um(Int4) -> Int4: strict immutable raises = |c, a| unary_checked(c, a, i32::overflowing_neg, integer);
    1912 int4up(Int4) -> Int4: strict immutable = |_, a| Ok(a[0].clone());
    1251 int4abs(Int4) -> Int4: strict immutable raises = |c, a| unary_checked(c, a, i32::overflowing_abs, integer);
    1397 abs(Int4) -> Int4: strict immutable raises = |c, a| unary_checked(c, a, i32::overflowing_abs, integer);
    1898 int4and(Int4, Int4) -> Int4: strict immutable = |c, a| binary(c, a, |x: i32, y: i32| x & y);
    1899 int4or(Int4, Int4) -> Int4: strict immutable = |c, a| binary(c, a, |x: i32, y: i32| x | y);
    1900 int4xor(Int4, Int4) -> Int4: strict immutable = |c, a| binary(c, a, |x: i32, y: i32| x ^ y);
    1901 int4not(Int4) -> Int4: strict immutable = |c, a| unary(c, a, |x: i32| !x);
    1902 int4shl(Int4, Int4) -> Int4: strict immutable = |c, a| binary(c, a, |x: i32, y: i32| x.wrapping_shl(y as u32));
    1903 int4shr(Int4, Int4) -> Int4: strict immutable = |c, a| binary(c, a, |x: i32, y: i32| x.wrapping_shr(y as u32));
    945 int8mod(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, |x: i64, y: i64| modulo_i64(x, y));
    947 mod(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, |x: i64, y: i64| modulo_i64(x, y));
    462 int8um(Int8) -> Int8: strict immutable raises = |c, a| unary_checked(c, a, i64::overflowing_neg, bigint);
    1910 int8up(Int8) -> Int8: strict immutable = |_, a| Ok(a[0].clone());
    1230 int8abs(Int8) -> Int8: strict immutable raises = |c, a| unary_checked(c, a, i64::overflowing_abs, bigint);
    1396 abs(Int8) -> Int8: strict immutable raises = |c, a| unary_checked(c, a, i64::overflowing_abs, bigint);
    1904 int8and(Int8, Int8) -> Int8: strict immutable = |c, a| binary(c, a, |x: i64, y: i64| x & y);
    1905 int8or(Int8, Int8) -> Int8: strict immutable = |c, a| binary(c, a, |x: i64, y: i64| x | y);
    1906 int8xor(Int8, Int8) -> Int8: strict immutable = |c, a| binary(c, a, |x: i64, y: i64| x ^ y);
    1907 int8not(Int8) -> Int8: strict immutable = |c, a| unary(c, a, |x: i64| !x);
    1908 int8shl(Int8, Int4) -> Int8: strict immutable = |c, a| binary(c, a, |x: i64, y: i32| x.wrapping_shl(y as u32));
    1909 int8shr(Int8, Int4) -> Int8: strict immutable = |c, a| binary(c, a, |x: i64, y: i32| x.wrapping_shr(y as u32));
    5044 gcd(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, gcd_i32);
    5046 lcm(Int4, Int4) -> Int4: strict immutable raises = |c, a| binary_fallible(c, a, lcm_i32);
    5045 gcd(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, gcd_i64);
    5047 lcm(Int8, Int8) -> Int8: strict immutable raises = |c, a| binary_fallible(c, a, lcm_i64);
};
