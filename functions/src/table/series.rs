//! `generate_series` and `generate_subscripts`.

use super::{Rows, none, one_column};
use crate::Session;
use crate::registry::{TableFunction, Volatility};
use damask_types::datetime::arithmetic::{timestamp_add, timestamptz_add};
use damask_types::datetime::is_infinite;
use damask_types::format::TimeZone;
use damask_types::{Error, Interval, Numeric, Oid, Result, SqlState, TypeId, Value};

#[cold]
fn zero_step() -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero")
}

/// Integers from `start` to `stop`; ends quietly where the type ends.
fn integers(start: i64, stop: i64, step: i64, value: fn(i64) -> Value) -> Result<Rows> {
    if step == 0 {
        return Err(zero_step());
    }
    let mut next = Some(start);
    Ok(Box::new(std::iter::from_fn(move || {
        let current = next.filter(|&at| if step > 0 { at <= stop } else { at >= stop })?;
        next = current.checked_add(step);
        Some(Ok(vec![value(current)]))
    })))
}

fn int4(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    match *args {
        [Value::Int4(start), Value::Int4(stop)] => {
            integers(start.into(), stop.into(), 1, |v| Value::Int4(v as i32))
        }
        [Value::Int4(start), Value::Int4(stop), Value::Int4(step)] => {
            integers(start.into(), stop.into(), step.into(), |v| Value::Int4(v as i32))
        }
        _ => none(),
    }
}

fn int8(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    match *args {
        [Value::Int8(start), Value::Int8(stop)] => integers(start, stop, 1, Value::Int8),
        [Value::Int8(start), Value::Int8(stop), Value::Int8(step)] => {
            integers(start, stop, step, Value::Int8)
        }
        _ => none(),
    }
}

fn numeric(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    let one = Value::Numeric(Numeric::from(1i64));
    let (start, stop, step) = match args {
        [Value::Numeric(start), Value::Numeric(stop)] => (start, stop, &one),
        [Value::Numeric(start), Value::Numeric(stop), step] => (start, stop, step),
        _ => return none(),
    };
    let Value::Numeric(step) = step else { return none() };
    for (what, value) in [("start value", start), ("stop value", stop), ("step size", step)] {
        let kind = if value.is_nan() {
            "NaN"
        } else if value.is_infinite() {
            "infinity"
        } else {
            continue;
        };
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("{what} cannot be {kind}"),
        ));
    }
    if step.is_zero() {
        return Err(zero_step());
    }
    let ascending = step.signum() == Some(1);
    let (stop, step) = (stop.clone(), step.clone());
    let mut next = Some(start.clone());
    Ok(Box::new(std::iter::from_fn(move || {
        let current = next.take()?;
        let order = current.compare(&stop);
        if if ascending { order.is_gt() } else { order.is_lt() } {
            return None;
        }
        match current.add(&step) {
            Ok(following) => next = Some(following),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(vec![Value::Numeric(current)]))
    })))
}

/// Timestamps; the step is added again and again, so months clamp once and stay clamped, as in PostgreSQL.
fn timestamps(start: i64, stop: i64, step: Interval, zone: Option<TimeZone>) -> Result<Rows> {
    let direction = step.cmp_key().signum();
    if direction == 0 {
        return Err(zero_step());
    }
    let value = if zone.is_some() { Value::TimestampTz } else { Value::Timestamp };
    let mut next = Some(start);
    Ok(Box::new(std::iter::from_fn(move || {
        let current = next.take()?;
        if if direction > 0 { current > stop } else { current < stop } {
            return None;
        }
        let following = match &zone {
            Some(zone) => timestamptz_add(current, step, zone),
            None => timestamp_add(current, step),
        };
        match following {
            // An infinity would never end.
            Ok(following) if is_infinite(following) => {}
            Ok(following) => next = Some(following),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(vec![value(current)]))
    })))
}

fn timestamp(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    match *args {
        [Value::Timestamp(start), Value::Timestamp(stop), Value::Interval(step)] => {
            timestamps(start, stop, step, None)
        }
        _ => none(),
    }
}

fn timestamptz(session: &dyn Session, args: &[Value]) -> Result<Rows> {
    match *args {
        [Value::TimestampTz(start), Value::TimestampTz(stop), Value::Interval(step)] => {
            timestamps(start, stop, step, Some(session.time_zone().clone()))
        }
        _ => none(),
    }
}

fn subscripts(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    let (Some(Value::Array(array)), Some(Value::Int4(dimension))) = (args.first(), args.get(1))
    else {
        return none();
    };
    let reverse = match args.get(2) {
        None => false,
        Some(Value::Bool(reverse)) => *reverse,
        Some(_) => return none(),
    };
    let dims = usize::try_from(*dimension).ok().and_then(|at| array.dims.get(at.checked_sub(1)?));
    let Some(&(len, lower)) = dims else { return none() };
    let value = |v: i64| Value::Int4(v as i32);
    let (low, high) = (i64::from(lower), i64::from(lower) + i64::from(len) - 1);
    if reverse { integers(high, low, -1, value) } else { integers(low, high, 1, value) }
}

/// The family.
pub(crate) static FUNCTIONS: &[TableFunction] = &[
    one_column(
        1066,
        "generate_series",
        &[TypeId::Int4; 3],
        &[("generate_series", TypeId::Int4)],
        int4,
    ),
    one_column(
        1067,
        "generate_series",
        &[TypeId::Int4; 2],
        &[("generate_series", TypeId::Int4)],
        int4,
    ),
    one_column(
        1068,
        "generate_series",
        &[TypeId::Int8; 3],
        &[("generate_series", TypeId::Int8)],
        int8,
    ),
    one_column(
        1069,
        "generate_series",
        &[TypeId::Int8; 2],
        &[("generate_series", TypeId::Int8)],
        int8,
    ),
    one_column(
        3259,
        "generate_series",
        &[TypeId::Numeric; 3],
        &[("generate_series", TypeId::Numeric)],
        numeric,
    ),
    one_column(
        3260,
        "generate_series",
        &[TypeId::Numeric; 2],
        &[("generate_series", TypeId::Numeric)],
        numeric,
    ),
    one_column(
        938,
        "generate_series",
        &[TypeId::Timestamp, TypeId::Timestamp, TypeId::Interval],
        &[("generate_series", TypeId::Timestamp)],
        timestamp,
    ),
    TableFunction {
        oid: Oid(939),
        name: "generate_series",
        args: &[TypeId::TimestampTz, TypeId::TimestampTz, TypeId::Interval],
        columns: &[("generate_series", TypeId::TimestampTz)],
        rows: timestamptz,
        volatility: Volatility::Stable,
    },
    one_column(
        1191,
        "generate_subscripts",
        &[TypeId::AnyArray, TypeId::Int4, TypeId::Bool],
        &[("generate_subscripts", TypeId::Int4)],
        subscripts,
    ),
    one_column(
        1192,
        "generate_subscripts",
        &[TypeId::AnyArray, TypeId::Int4],
        &[("generate_subscripts", TypeId::Int4)],
        subscripts,
    ),
];
