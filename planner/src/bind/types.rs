//! Type names to types.

use damask_functions::resolve::type_text;
use damask_sql::ast::{Expr, ExprKind, IntervalFields, Literal, Name, TypeName};
use damask_types::format::type_by_name;
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId};

/// The type a name stands for, with its modifier.
///
/// `serial` names are columns' business ([`serial_type`]).
///
/// # Errors
/// 42704 for an unknown type, 22023 for a modifier out of range, 42601 for one that the type does not take.
pub fn resolve_type(name: &TypeName) -> Result<SqlType> {
    let at = Position(name.span.start);
    let undefined = || {
        Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{}\" does not exist", name.name))
            .at(at)
    };
    if name.percent_type {
        return Err(Error::unsupported("%TYPE").at(at));
    }
    super::without_database(&name.name.0, || name.name.to_string())?;
    let in_catalog = name.name.qualifier().is_none_or(|schema| schema.as_str() == "pg_catalog");
    if !in_catalog {
        return Err(undefined());
    }
    let base = type_by_name(name.name.base().as_str()).ok_or_else(undefined)?;
    let modifiers = modifiers(name)?;
    let typmod = typmod(base, &modifiers, name, at)?;
    if name.array.is_empty() {
        return Ok(SqlType { id: base, typmod });
    }
    let id = base.array().ok_or_else(undefined)?;
    Ok(SqlType { id, typmod })
}

/// Checks that values of `ty` have a collation and that this one orders them as they are ordered here, by bytes.
///
/// # Errors
/// 42804 for a type without collations, 42704 for any collation but `C` and its other names.
pub fn check_collation(name: &Name, ty: TypeId) -> Result<()> {
    if ty.info().collation.0 == 0 {
        return Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!("collations are not supported by type {}", type_text(ty)),
        ));
    }
    match name.base().as_str() {
        "default" | "C" | "POSIX" | "ucs_basic" | "C.UTF-8" | "C.utf8" => Ok(()),
        other => Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("collation \"{other}\" for encoding \"UTF8\" does not exist"),
        )),
    }
}

/// The integer type of `serial`, `bigserial`, `smallserial` and their numbered names.
pub fn serial_type(name: &TypeName) -> Option<TypeId> {
    if name.name.0.len() != 1 || !name.array.is_empty() || !name.modifiers.is_empty() {
        return None;
    }
    Some(match name.name.base().as_str() {
        "serial" | "serial4" => TypeId::Int4,
        "bigserial" | "serial8" => TypeId::Int8,
        "smallserial" | "serial2" => TypeId::Int2,
        _ => return None,
    })
}

fn modifiers(name: &TypeName) -> Result<Vec<i64>> {
    fn number(expr: &Expr) -> Option<i64> {
        match &expr.kind {
            ExprKind::Literal(Literal::Integer(value)) => Some(*value),
            ExprKind::Unary { operator, expr } if operator.as_str() == "-" => Some(-number(expr)?),
            _ => None,
        }
    }
    name.modifiers
        .iter()
        .map(|modifier| {
            number(modifier).ok_or_else(|| {
                Error::new(
                    SqlState::SYNTAX_ERROR,
                    "type modifiers must be simple constants or identifiers",
                )
                .at(Position(modifier.span.start))
            })
        })
        .collect()
}

fn typmod(base: TypeId, modifiers: &[i64], name: &TypeName, at: Position) -> Result<i32> {
    let invalid = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message).at(at);
    if base == TypeId::Interval {
        return interval_typmod(modifiers, name.interval, at);
    }
    // CHAR is CHAR(1) when it is the grammar's word rather than the type's name.
    if modifiers.is_empty() {
        let is_char = base == TypeId::BpChar && name.system;
        return Ok(if is_char { 5 } else { -1 });
    }
    match base {
        TypeId::Varchar | TypeId::BpChar => {
            let type_name = if base == TypeId::Varchar { "varchar" } else { "char" };
            let [length] = *modifiers else {
                return Err(invalid("invalid type modifier".to_owned()));
            };
            if length < 1 {
                return Err(invalid(format!("length for type {type_name} must be at least 1")));
            }
            if length > 10_485_760 {
                return Err(invalid(format!("length for type {type_name} cannot exceed 10485760")));
            }
            Ok(length as i32 + 4)
        }
        TypeId::Numeric => {
            let (precision, scale) = match *modifiers {
                [precision] => (precision, 0),
                [precision, scale] => (precision, scale),
                _ => return Err(invalid("invalid NUMERIC type modifier".to_owned())),
            };
            if !(1..=1000).contains(&precision) {
                return Err(invalid(format!(
                    "NUMERIC precision {precision} must be between 1 and 1000"
                )));
            }
            if !(-1000..=1000).contains(&scale) {
                return Err(invalid(format!(
                    "NUMERIC scale {scale} must be between -1000 and 1000"
                )));
            }
            Ok(SqlType::numeric_typmod(precision as u16, scale as i16))
        }
        TypeId::Time | TypeId::TimeTz | TypeId::Timestamp | TypeId::TimestampTz => {
            let [precision] = *modifiers else {
                return Err(invalid("invalid type modifier".to_owned()));
            };
            if precision < 0 {
                return Err(invalid(format!(
                    "{} precision must not be negative",
                    base.name().to_uppercase()
                )));
            }
            Ok(precision.min(6) as i32)
        }
        TypeId::Bit | TypeId::VarBit => Err(Error::unsupported("type bit").at(at)),
        _ => Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!("type modifier is not allowed for type \"{}\"", name.name.base().as_str()),
        )
        .at(at)),
    }
}

/// PostgreSQL's field mask in the high 16 bits (0x7fff for all), precision in the low (0xffff for full).
fn interval_typmod(modifiers: &[i64], fields: Option<IntervalFields>, at: Position) -> Result<i32> {
    const YEAR: i32 = 1 << 2;
    const MONTH: i32 = 1 << 1;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    if modifiers.is_empty() && fields.is_none() {
        return Ok(-1);
    }
    let mask = match fields {
        None => 0x7fff,
        Some(IntervalFields::Year) => YEAR,
        Some(IntervalFields::Month) => MONTH,
        Some(IntervalFields::Day) => DAY,
        Some(IntervalFields::Hour) => HOUR,
        Some(IntervalFields::Minute) => MINUTE,
        Some(IntervalFields::Second) => SECOND,
        Some(IntervalFields::YearToMonth) => YEAR | MONTH,
        Some(IntervalFields::DayToHour) => DAY | HOUR,
        Some(IntervalFields::DayToMinute) => DAY | HOUR | MINUTE,
        Some(IntervalFields::DayToSecond) => DAY | HOUR | MINUTE | SECOND,
        Some(IntervalFields::HourToMinute) => HOUR | MINUTE,
        Some(IntervalFields::HourToSecond) => HOUR | MINUTE | SECOND,
        Some(IntervalFields::MinuteToSecond) => MINUTE | SECOND,
    };
    let precision = match *modifiers {
        [] => 0xffff,
        [precision] if precision >= 0 => precision.min(6) as i32,
        [precision] => {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("INTERVAL({precision}) precision must not be negative"),
            )
            .at(at));
        }
        _ => {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "invalid INTERVAL type modifier",
            )
            .at(at));
        }
    };
    Ok(mask << 16 | precision)
}
