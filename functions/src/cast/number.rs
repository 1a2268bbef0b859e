//! Casts between numbers, and of numbers to and from bool and oid.
//!
//! Floats round half to even on their way to an integer, numerics half away from zero. What does not fit is 22003.

use crate::KernelContext;
use crate::lanes::{Lane, unary, unary_checked, with_data};
use crate::operator::float::{overflow, underflow};
use crate::operator::integer::{bigint, integer, smallint};
use crate::operator::numeric::pow10;
use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2};
use damask_types::{Error, Numeric, Result, SqlState, SqlType, TypeId, Value, Vector, VectorData};

/// Integers as numerics: mantissas of scale 0.
fn to_numeric<T: Lane + Into<i64>>(_: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let values: Vec<i64> = T::entries(&args[0]).iter().map(|&value| value.into()).collect();
    let data = VectorData::Decimal64 { scale: 0, values: values.into() };
    Ok(with_data(&args[0], TypeId::Numeric, data))
}

/// Numerics as float8: by one division where mantissa and power of ten are exact, so that the quotient is rounded once.
fn numeric_to_float8(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    const EXACT: u64 = 1 << 53;
    if let VectorData::Decimal64 { scale, values } = &args[0].data
        && *scale <= 22
        && values.iter().all(|value| value.unsigned_abs() <= EXACT)
    {
        let power = 10f64.powi(i32::from(*scale));
        let values: Vec<f64> = values.iter().map(|&value| value as f64 / power).collect();
        return Ok(with_data(&args[0], TypeId::Float8, VectorData::Float8(values.into())));
    }
    map1(ctx, args, |value: Numeric| value.to_f64())
}

/// `numeric(p,s)`: one scale stays one scale.
fn numeric_typmod(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    if args[1].is_const()
        && ctx.rows > 0
        && let Value::Int4(typmod) = args[1].value(0)
    {
        let ty = SqlType { id: TypeId::Numeric, typmod };
        let Some((precision, scale)) = ty.numeric_shape() else {
            return Ok(args[0].clone());
        };
        if let Some(vector) = constrain_short(&args[0], precision, scale) {
            return Ok(vector);
        }
        return map1(ctx, &args[..1], |value: Numeric| value.constrain(precision, scale));
    }
    map2(ctx, args, |value: Numeric, typmod: i32| {
        match (SqlType { id: TypeId::Numeric, typmod }).numeric_shape() {
            Some((precision, scale)) => value.constrain(precision, scale),
            None => Ok(value),
        }
    })
}

/// Decimal64 to Decimal64; `None` if the shape is unusual or any entry does not fit.
fn constrain_short(vector: &Vector, precision: u16, wanted: i16) -> Option<Vector> {
    let VectorData::Decimal64 { scale, values } = &vector.data else { return None };
    let wanted = u8::try_from(wanted).ok()?;
    let limit = i64::try_from(pow10(u32::from(precision).min(18))?).ok()?;
    let fits = |value: &i64| value.unsigned_abs() < limit as u64;
    if precision > 18 && *scale == wanted {
        return Some(vector.clone());
    }
    if *scale == wanted {
        return values.iter().all(fits).then(|| vector.clone());
    }
    let scaled: Vec<i64> = if *scale < wanted {
        let up = i64::try_from(pow10((wanted - scale).into())?).ok()?;
        values.iter().map(|value| value.checked_mul(up)).collect::<Option<_>>()?
    } else {
        let down = i64::try_from(pow10((scale - wanted).into())?).ok()?;
        let half = down / 2;
        values.iter().map(|&value| (value / down) + (value % down / half).clamp(-1, 1)).collect()
    };
    if precision > 18 || !scaled.iter().all(fits) {
        return None;
    }
    let data = VectorData::Decimal64 { scale: wanted, values: scaled.into() };
    Some(with_data(vector, TypeId::Numeric, data))
}

macro_rules! float_to_int {
    ($name:ident, $float:ty, $int:ty, $error:ident) => {
        fn $name(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
            // Powers of two are exact in either float type.
            const LOW: $float = <$int>::MIN as $float;
            unary_checked(
                ctx,
                args,
                |value: $float| {
                    let rounded = value.round_ties_even();
                    (rounded as $int, !(LOW..-LOW).contains(&rounded))
                },
                $error,
            )
        }
    };
}
float_to_int!(float4_to_int2, f32, i16, smallint);
float_to_int!(float4_to_int4, f32, i32, integer);
float_to_int!(float4_to_int8, f32, i64, bigint);
float_to_int!(float8_to_int2, f64, i16, smallint);
float_to_int!(float8_to_int4, f64, i32, integer);
float_to_int!(float8_to_int8, f64, i64, bigint);

fn float8_to_float4(value: f64) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_infinite() && !value.is_infinite() {
        return Err(overflow());
    }
    if narrow == 0.0 && value != 0.0 {
        return Err(underflow());
    }
    Ok(narrow)
}

fn oid(value: i64) -> (u32, bool) {
    (value as u32, u32::try_from(value).is_err())
}

#[cold]
fn oid_out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range")
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    714 int2(Int8) -> Int2: strict immutable raises = |c, a| unary_checked(c, a, |v: i64| (v as i16, i16::try_from(v).is_err()), smallint);
    480 int4(Int8) -> Int4: strict immutable raises = |c, a| unary_checked(c, a, |v: i64| (v as i32, i32::try_from(v).is_err()), integer);
    314 int2(Int4) -> Int2: strict immutable raises = |c, a| unary_checked(c, a, |v: i32| (v as i16, i16::try_from(v).is_err()), smallint);
    754 int8(Int2) -> Int8: strict immutable = |c, a| unary(c, a, |v: i16| i64::from(v));
    313 int4(Int2) -> Int4: strict immutable = |c, a| unary(c, a, |v: i16| i32::from(v));
    481 int8(Int4) -> Int8: strict immutable = |c, a| unary(c, a, |v: i32| i64::from(v));
    236 float4(Int2) -> Float4: strict immutable = |c, a| unary(c, a, |v: i16| f32::from(v));
    318 float4(Int4) -> Float4: strict immutable = |c, a| unary(c, a, |v: i32| v as f32);
    652 float4(Int8) -> Float4: strict immutable = |c, a| unary(c, a, |v: i64| v as f32);
    235 float8(Int2) -> Float8: strict immutable = |c, a| unary(c, a, |v: i16| f64::from(v));
    316 float8(Int4) -> Float8: strict immutable = |c, a| unary(c, a, |v: i32| f64::from(v));
    482 float8(Int8) -> Float8: strict immutable = |c, a| unary(c, a, |v: i64| v as f64);
    311 float8(Float4) -> Float8: strict immutable = |c, a| unary(c, a, |v: f32| f64::from(v));
    312 float4(Float8) -> Float4: strict immutable raises = |c, a| map1(c, a, float8_to_float4);
    238 int2(Float4) -> Int2: strict immutable raises = float4_to_int2;
    319 int4(Float4) -> Int4: strict immutable raises = float4_to_int4;
    653 int8(Float4) -> Int8: strict immutable raises = float4_to_int8;
    237 int2(Float8) -> Int2: strict immutable raises = float8_to_int2;
    317 int4(Float8) -> Int4: strict immutable raises = float8_to_int4;
    483 int8(Float8) -> Int8: strict immutable raises = float8_to_int8;
    1782 numeric(Int2) -> Numeric: strict immutable = to_numeric::<i16>;
    1740 numeric(Int4) -> Numeric: strict immutable = to_numeric::<i32>;
    1781 numeric(Int8) -> Numeric: strict immutable = to_numeric::<i64>;
    1742 numeric(Float4) -> Numeric: strict immutable = |c, a| map1(c, a, Numeric::from_f32);
    1743 numeric(Float8) -> Numeric: strict immutable = |c, a| map1(c, a, Numeric::from_f64);
    1783 int2(Numeric) -> Int2: strict immutable raises = |c, a| map1(c, a, |v: Numeric| v.to_i16());
    1744 int4(Numeric) -> Int4: strict immutable raises = |c, a| map1(c, a, |v: Numeric| v.to_i32());
    1779 int8(Numeric) -> Int8: strict immutable raises = |c, a| map1(c, a, |v: Numeric| v.to_i64());
    1745 float4(Numeric) -> Float4: strict immutable raises = |c, a| map1(c, a, |v: Numeric| v.to_f32());
    1746 float8(Numeric) -> Float8: strict immutable raises = numeric_to_float8;
    1703 numeric(Numeric, Int4) -> Numeric: strict immutable raises = numeric_typmod;
    2557 bool(Int4) -> Bool: strict immutable = |c, a| map1(c, a, |v: i32| v != 0);
    2558 int4(Bool) -> Int4: strict immutable = |c, a| map1(c, a, |v: bool| i32::from(v));
    1287 oid(Int8) -> Oid: strict immutable raises = |c, a| unary_checked(c, a, oid, oid_out_of_range);
    1288 int8(Oid) -> Int8: strict immutable = |c, a| unary(c, a, |v: u32| i64::from(v));
    5071 xid(Xid8) -> Xid: strict immutable = |c, a| unary(c, a, |v: i64| v as u32);
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Arg;

    #[test]
    fn constraining_rounds_half_away_from_zero() {
        let data = VectorData::Decimal64 { scale: 2, values: vec![149, 150, -150, 99].into() };
        let vector = Vector::flat(TypeId::Numeric, 4, data, None);
        let got = constrain_short(&vector, 5, 0).expect("all fit");
        let VectorData::Decimal64 { scale: 0, values } = &got.data else { panic!("{got:?}") };
        assert_eq!(values.as_ref(), [1, 2, -2, 1]);
        assert_eq!(Numeric::get(&got, 0), Numeric::Decimal { mantissa: 1, scale: 0 });
    }
}
