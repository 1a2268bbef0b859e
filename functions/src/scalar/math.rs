//! Mathematics of float8 and numeric.

use super::libm;
use crate::KernelContext;
use crate::lanes::unary;
use crate::operator::float::{overflow, underflow};
use crate::operator::integer::integer;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values_strict, map0, map1, map2, map4};
use damask_types::array::ArrayValue;
use damask_types::{Error, Numeric, Result, SqlState, TypeId, Value, Vector, VectorData};

#[cold]
fn power_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

#[cold]
fn log_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, message)
}

#[cold]
fn out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

/// A result that is infinite or zero though its argument was neither is an error.
fn checked(result: f64, arg: f64) -> Result<f64> {
    if result.is_infinite() && !arg.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && arg != 0.0 && !arg.is_infinite() {
        return Err(underflow());
    }
    Ok(result)
}

fn sqrt(x: f64) -> Result<f64> {
    if x < 0.0 {
        return Err(power_error("cannot take square root of a negative number"));
    }
    checked(x.sqrt(), x)
}

fn exp(x: f64) -> Result<f64> {
    if x.is_nan() || x.is_infinite() {
        return Ok(x.exp());
    }
    let result = x.exp();
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 { Err(underflow()) } else { Ok(result) }
}

fn logarithm(x: f64, f: fn(f64) -> f64) -> Result<f64> {
    if x == 0.0 {
        return Err(log_error("cannot take logarithm of zero"));
    }
    if x < 0.0 {
        return Err(log_error("cannot take logarithm of a negative number"));
    }
    Ok(f(x))
}

/// `x ^ y` with PostgreSQL's view of zero, negative bases, NaN and the infinities.
pub(crate) fn power(x: f64, y: f64) -> Result<f64> {
    if x.is_nan() || y.is_nan() {
        return Ok(if y == 0.0 || x == 1.0 { 1.0 } else { f64::NAN });
    }
    if x == 0.0 && y < 0.0 {
        return Err(power_error("zero raised to a negative power is undefined"));
    }
    if x < 0.0 && y.floor() != y {
        return Err(power_error(
            "a negative number raised to a non-integer power yields a complex result",
        ));
    }
    let result = x.powf(y);
    if x.is_infinite() || y.is_infinite() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && x != 0.0 { Err(underflow()) } else { Ok(result) }
}

/// Sine and others: an infinity has none.
fn circular(x: f64, f: fn(f64) -> f64) -> Result<f64> {
    if x.is_infinite() {
        return Err(out_of_range());
    }
    let result = f(x);
    if result.is_infinite() { Err(overflow()) } else { Ok(result) }
}

/// Arcus functions: NaN stays, what is outside the domain is an error.
fn inverse(x: f64, domain: fn(f64) -> bool, f: fn(f64) -> f64) -> Result<f64> {
    if x.is_nan() {
        return Ok(x);
    }
    if domain(x) { Ok(f(x)) } else { Err(out_of_range()) }
}

fn within_one(x: f64) -> bool {
    (-1.0..=1.0).contains(&x)
}

/// Sine of degrees from 0 to 90, exact at 0, 30 and 90.
fn sine_0_to_90(degrees: f64) -> f64 {
    if degrees <= 30.0 {
        degrees.to_radians().sin() / 30f64.to_radians().sin() / 2.0
    } else {
        cosine_0_to_60(90.0 - degrees)
    }
}

/// Cosine of degrees from 0 to 60, exact at 0 and 60.
fn cosine_0_to_60(degrees: f64) -> f64 {
    let one_minus = 1.0 - degrees.to_radians().cos();
    1.0 - one_minus / (1.0 - 60f64.to_radians().cos()) / 2.0
}

fn cosine_0_to_90(degrees: f64) -> f64 {
    if degrees <= 60.0 { cosine_0_to_60(degrees) } else { sine_0_to_90(90.0 - degrees) }
}

fn sind(x: f64) -> f64 {
    let (mut degrees, mut sign) = (x % 360.0, 1.0);
    if degrees < 0.0 {
        (degrees, sign) = (-degrees, -1.0);
    }
    if degrees > 180.0 {
        (degrees, sign) = (360.0 - degrees, -sign);
    }
    if degrees > 90.0 {
        degrees = 180.0 - degrees;
    }
    sign * sine_0_to_90(degrees)
}

fn cosd(x: f64) -> f64 {
    let (mut degrees, mut sign) = ((x % 360.0).abs(), 1.0);
    if degrees > 180.0 {
        degrees = 360.0 - degrees;
    }
    if degrees > 90.0 {
        (degrees, sign) = (180.0 - degrees, -1.0);
    }
    sign * cosine_0_to_90(degrees)
}

fn tand(x: f64) -> f64 {
    // Exact at 45 degrees by the same quotient that it is measured in.
    let result = sind(x) / cosd(x) / (sind(45.0) / cosd(45.0));
    if result == 0.0 { 0.0 } else { result }
}

fn cotd(x: f64) -> f64 {
    let result = cosd(x) / sind(x) / (cosd(45.0) / sind(45.0));
    if result == 0.0 { 0.0 } else { result }
}

fn asind(x: f64) -> f64 {
    if x < 0.0 {
        return -asind(-x);
    }
    if x <= 0.5 { x.asin() / 0.5f64.asin() * 30.0 } else { 90.0 - x.acos() / 0.5f64.acos() * 60.0 }
}

fn acosd(x: f64) -> f64 {
    90.0 - asind(x)
}

fn atand(x: f64) -> f64 {
    x.atan() / 1f64.atan() * 45.0
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        // The zeros and NaN, as in PostgreSQL.
        0.0
    }
}

fn bucket_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message)
}

fn width_bucket(x: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if x.is_nan() || low.is_nan() || high.is_nan() {
        return Err(bucket_error("operand, lower bound, and upper bound cannot be NaN"));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(bucket_error("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let (before, past, share) = if low < high {
        (x < low, x >= high, (x - low) / (high - low))
    } else {
        (x > low, x <= high, (low - x) / (low - high))
    };
    if before {
        return Ok(0);
    }
    if past {
        return count.checked_add(1).ok_or_else(integer);
    }
    // Rounding may carry the share to the end.
    Ok(((f64::from(count) * share) as i32).min(count - 1) + 1)
}

fn width_bucket_numeric(x: &Numeric, low: &Numeric, high: &Numeric, count: i32) -> Result<i32> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if x.is_nan() || low.is_nan() || high.is_nan() {
        return Err(bucket_error("operand, lower bound, and upper bound cannot be NaN"));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(bucket_error("lower and upper bounds must be finite"));
    }
    let order = low.compare(high);
    if order.is_eq() {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    if x.compare(low) == order {
        return Ok(0);
    }
    if x.compare(high) != order {
        return count.checked_add(1).ok_or_else(integer);
    }
    let buckets = Numeric::from(i64::from(count));
    let share = x.sub(low)?.mul(&buckets)?;
    share.div_trunc(&high.sub(low)?)?.add(&Numeric::from(1i64))?.to_i32()
}

/// The bucket among sorted thresholds of any type: how many are not above the operand.
fn width_bucket_array(ty: TypeId, x: &Value, thresholds: &ArrayValue) -> Result<i32> {
    if thresholds.dims.len() > 1 {
        return Err(Error::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "thresholds must be one-dimensional array",
        ));
    }
    if thresholds.values.iter().any(Value::is_null) {
        return Err(Error::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "thresholds array must not contain NULLs",
        ));
    }
    Ok(thresholds
        .values
        .partition_point(|threshold| damask_types::compare::compare(ty, threshold, x).is_le())
        as i32)
}

/// One random number a row.
fn random(ctx: &KernelContext<'_>, _: &[Vector]) -> Result<Vector> {
    let values: Vec<f64> = (0..ctx.rows)
        .map(|row| if ctx.active.get(row) { ctx.session.random() } else { 0.0 })
        .collect();
    Ok(Vector::flat(TypeId::Float8, ctx.rows, VectorData::Float8(values.into()), None))
}

fn setseed(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map_values_strict(ctx, args, Calls::EachRow, |values| {
        let Value::Float8(seed) = values[0] else { return Ok(Value::Null) };
        if !within_one(seed) {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("setseed parameter {seed} is out of allowed range [-1,1]"),
            ));
        }
        ctx.session.set_seed(seed);
        Ok(Value::text(""))
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    2308 ceil(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::ceil);
    2320 ceiling(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::ceil);
    2309 floor(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::floor);
    1342 round(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::round_ties_even);
    228 dround(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::round_ties_even);
    1343 trunc(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::trunc);
    229 dtrunc(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::trunc);
    2310 sign(Float8) -> Float8: strict immutable = |c, a| unary(c, a, sign);
    1344 sqrt(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, sqrt);
    230 dsqrt(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, sqrt);
    1345 cbrt(Float8) -> Float8: strict immutable = |c, a| unary(c, a, libm::cbrt);
    231 dcbrt(Float8) -> Float8: strict immutable = |c, a| unary(c, a, libm::cbrt);
    1347 exp(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, exp);
    233 dexp(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, exp);
    1341 ln(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| logarithm(x, f64::ln));
    234 dlog1(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| logarithm(x, f64::ln));
    1340 log(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| logarithm(x, f64::log10));
    1194 log10(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| logarithm(x, f64::log10));
    1339 dlog10(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| logarithm(x, f64::log10));
    1368 power(Float8, Float8) -> Float8: strict immutable raises = |c, a| map2(c, a, power);
    1346 pow(Float8, Float8) -> Float8: strict immutable raises = |c, a| map2(c, a, power);
    232 dpow(Float8, Float8) -> Float8: strict immutable raises = |c, a| map2(c, a, power);
    1608 degrees(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| checked(x.to_degrees(), x));
    1609 radians(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| checked(x.to_radians(), x));
    1610 pi() -> Float8: strict immutable = |c, _| map0(c, || std::f64::consts::PI);
    1604 sin(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| circular(x, f64::sin));
    1605 cos(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| circular(x, f64::cos));
    1606 tan(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| circular(x, f64::tan));
    1607 cot(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| if x.is_infinite() { Err(out_of_range()) } else { Ok(x.tan().recip()) });
    1600 asin(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| inverse(x, within_one, f64::asin));
    1601 acos(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| inverse(x, within_one, f64::acos));
    1602 atan(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::atan);
    1603 atan2(Float8, Float8) -> Float8: strict immutable = |c, a| map2(c, a, f64::atan2);
    2735 sind(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| circular(x, sind));
    2736 cosd(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| circular(x, cosd));
    2737 tand(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| if x.is_infinite() { Err(out_of_range()) } else { Ok(tand(x)) });
    2738 cotd(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| if x.is_infinite() { Err(out_of_range()) } else { Ok(cotd(x)) });
    2731 asind(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| inverse(x, within_one, asind));
    2732 acosd(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| inverse(x, within_one, acosd));
    2733 atand(Float8) -> Float8: strict immutable = |c, a| unary(c, a, atand);
    2734 atan2d(Float8, Float8) -> Float8: strict immutable = |c, a| map2(c, a, |y: f64, x: f64| y.atan2(x) / 1f64.atan() * 45.0);
    2462 sinh(Float8) -> Float8: strict immutable raises = |c, a| unary(c, a, f64::sinh);
    2463 cosh(Float8) -> Float8: strict immutable raises = |c, a| unary(c, a, f64::cosh);
    2464 tanh(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::tanh);
    2465 asinh(Float8) -> Float8: strict immutable = |c, a| unary(c, a, f64::asinh);
    2466 acosh(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| inverse(x, |x| x >= 1.0, f64::acosh));
    2467 atanh(Float8) -> Float8: strict immutable raises = |c, a| map1(c, a, |x: f64| inverse(x, within_one, f64::atanh));
    1598 random() -> Float8: strict volatile = random;
    1599 setseed(Float8) -> Void: strict volatile raises = setseed;
    320 width_bucket(Float8, Float8, Float8, Int4) -> Int4: strict immutable raises = |c, a| map4(c, a, width_bucket);
    2170 width_bucket(Numeric, Numeric, Numeric, Int4) -> Int4: strict immutable raises = |c, a| map4(c, a, |x: Numeric, low: Numeric, high: Numeric, count: i32| width_bucket_numeric(&x, &low, &high, count));
    3218 width_bucket(AnyCompatible, AnyCompatibleArray) -> Int4: strict immutable raises = |c, a| map2(c, a, |x: Value, thresholds: &ArrayValue| width_bucket_array(thresholds.element, &x, thresholds));
    1711 ceil(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.ceil());
    2167 ceiling(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.ceil());
    1712 floor(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.floor());
    1708 round(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.round(0));
    1707 round(Numeric, Int4) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, scale: i32| x.round(scale));
    1710 trunc(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.trunc(0));
    1709 trunc(Numeric, Int4) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, scale: i32| x.trunc(scale));
    1706 sign(Numeric) -> Numeric: strict immutable = |c, a| map1(c, a, |x: Numeric| x.sign());
    5048 gcd(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.gcd(&y));
    5049 lcm(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.lcm(&y));
    1376 factorial(Int8) -> Numeric: strict immutable raises = |c, a| map1(c, a, Numeric::factorial);
    3281 scale(Numeric) -> Int4: strict immutable = |c, a| map1(c, a, |x: Numeric| x.scale().map(i32::from));
    5042 min_scale(Numeric) -> Int4: strict immutable = |c, a| map1(c, a, |x: Numeric| x.min_scale().map(i32::from));
    5043 trim_scale(Numeric) -> Numeric: strict immutable = |c, a| map1(c, a, |x: Numeric| x.trim_scale());
    1730 sqrt(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.sqrt());
    1731 numeric_sqrt(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.sqrt());
    1732 exp(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.exp());
    1733 numeric_exp(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.exp());
    1734 ln(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.ln());
    1735 numeric_ln(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.ln());
    1741 log(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.log10());
    1481 log10(Numeric) -> Numeric: strict immutable raises = |c, a| map1(c, a, |x: Numeric| x.log10());
    1736 log(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |base: Numeric, x: Numeric| x.log(&base));
    1737 numeric_log(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |base: Numeric, x: Numeric| x.log(&base));
    2169 power(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.power(&y));
    1738 pow(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.power(&y));
    1739 numeric_power(Numeric, Numeric) -> Numeric: strict immutable raises = |c, a| map2(c, a, |x: Numeric, y: Numeric| x.power(&y));
};
