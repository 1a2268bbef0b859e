//! What belongs to no family: types of values, counts of nulls, sizes as text, UUIDs, names of catalog objects, encodings.

use super::compose::{elements, null, quote_ident};
use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values, map_values_strict, map1, map2};
use crate::text_io::input;
use damask_types::array::ArrayValue;
use damask_types::{Error, Numeric, Result, SqlState, SqlType, TypeId, Value, Vector, VectorData};

fn typeof_(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    Ok(Vector::constant(TypeId::RegType, &Value::Oid(args[0].ty.oid()), ctx.rows))
}

fn count_nulls(ctx: &KernelContext<'_>, args: &[Vector], nulls: bool) -> Result<Vector> {
    map_values(ctx, args, Calls::Once, |values| Ok(nulls_among(values, nulls)))
}

fn nulls_among(values: &[Value], nulls: bool) -> Value {
    Value::Int4(values.iter().filter(|value| value.is_null() == nulls).count() as i32)
}

/// The units of `pg_size_pretty`: name, limit below which the unit is used, whether a half is kept for rounding, and its power of two.
const UNITS: [(&str, i64, bool, u32); 6] = [
    ("bytes", 10 * 1024, false, 0),
    ("kB", 20 * 1024 - 1, true, 10),
    ("MB", 20 * 1024 - 1, true, 20),
    ("GB", 20 * 1024 - 1, true, 30),
    ("TB", 20 * 1024 - 1, true, 40),
    ("PB", 20 * 1024 - 1, true, 50),
];

fn size_pretty(mut size: i64) -> String {
    for (at, &(name, limit, round, power)) in UNITS.iter().enumerate() {
        let next = UNITS.get(at + 1);
        let magnitude = size.unsigned_abs();
        match next {
            Some(&(_, _, next_round, next_power)) if magnitude >= limit as u64 => {
                let bits = next_power - power - u32::from(next_round) + u32::from(round);
                size /= 1 << bits;
            }
            _ => {
                let shown = if round { size / 2 + size % 2 } else { size };
                return format!("{shown} {name}");
            }
        }
    }
    unreachable!("the last unit has no next one")
}

fn size_pretty_numeric(size: &Numeric) -> Result<String> {
    let limit = Numeric::from(UNITS[0].1);
    if size.abs().compare(&limit).is_lt() {
        return Ok(format!("{size} bytes"));
    }
    // Beyond bytes only whole units matter.
    if let Ok(size) = size.trunc(0)?.to_i64() {
        return Ok(size_pretty(size));
    }
    let halves = size.div_trunc(&Numeric::from(1i64 << 49))?;
    let petabytes = halves.add(&halves.sign())?.div_trunc(&Numeric::from(2i64))?;
    Ok(format!("{petabytes} PB"))
}

fn size_bytes(text: &str) -> Result<i64> {
    let invalid =
        || Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid size: \"{text}\""));
    let trimmed = text.trim();
    let end = trimmed
        .find(|char: char| !(char.is_ascii_digit() || matches!(char, '.' | '+' | '-')))
        .unwrap_or(trimmed.len());
    let (number, unit) = (&trimmed[..end], trimmed[end..].trim());
    let number = Numeric::parse(number).map_err(|_| invalid())?;
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 0,
        "kb" => 10,
        "mb" => 20,
        "gb" => 30,
        "tb" => 40,
        "pb" => 50,
        _ => {
            return Err(invalid().detail(format!("Invalid size unit: \"{unit}\".")).hint(
                "Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".",
            ));
        }
    };
    number.mul(&Numeric::from(1i64 << power))?.round(0)?.to_i64()
}

/// A random UUID for each row, version 4.
fn random_uuid(ctx: &KernelContext<'_>, _: &[Vector]) -> Result<Vector> {
    let mut uuids = vec![[0u8; 16]; ctx.rows];
    for row in ctx.active.iter().take_while(|&row| row < ctx.rows) {
        let uuid = &mut uuids[row];
        ctx.session.random_bytes(uuid)?;
        uuid[6] = uuid[6] & 0x0f | 0x40;
        uuid[8] = uuid[8] & 0x3f | 0x80;
    }
    Ok(Vector::flat(TypeId::Uuid, ctx.rows, VectorData::Uuid(uuids.into()), None))
}

/// The object of a name, null if there is none.
fn to_reg(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let ty = ctx.result.id;
    map_values_strict(ctx, args, Calls::Once, |values| {
        let name = values[0].as_text().unwrap_or_default();
        match input(ctx.session, SqlType::plain(ty), name) {
            Ok(value) => Ok(value),
            Err(error) => match error.sqlstate() {
                SqlState::UNDEFINED_TABLE
                | SqlState::UNDEFINED_OBJECT
                | SqlState::UNDEFINED_FUNCTION
                | SqlState::AMBIGUOUS_FUNCTION
                | SqlState::INVALID_SCHEMA_NAME => Ok(Value::Null),
                _ => Err(error),
            },
        }
    })
}

fn regclass(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    map1(ctx, args, |name: &str| match input(ctx.session, TypeId::RegClass.into(), name)? {
        Value::Oid(oid) => Ok(oid),
        _ => Err(Error::internal("regclass input gives an OID")),
    })
}

/// Splits a qualified name into its parts, unquoted and folded.
fn parse_ident(text: &str, strict: bool) -> Result<ArrayValue> {
    let invalid = |detail: Option<String>| {
        let error = Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("string is not a valid identifier: \"{text}\""),
        );
        match detail {
            Some(detail) => error.detail(detail),
            None => error,
        }
    };
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next() {
                    Some((_, '"')) if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                        chars.next();
                        part.push('"');
                    }
                    Some((at, '"')) => break at + 1,
                    Some((_, char)) => part.push(char),
                    None => {
                        return Err(invalid(Some("String has unclosed double quotes.".to_owned())));
                    }
                }
            };
            if part.is_empty() {
                return Err(invalid(Some("Quoted identifier must not be empty.".to_owned())));
            }
            parts.push(Value::text(part));
            rest = &quoted[end..];
        } else {
            let starts = |char: char| char.is_alphabetic() || char == '_' || !char.is_ascii();
            let continues = |char: char| starts(char) || char.is_ascii_digit() || char == '$';
            if !rest.starts_with(starts) {
                return Err(if rest.starts_with('.') {
                    invalid(Some("No valid identifier before \".\".".to_owned()))
                } else if parts.is_empty() {
                    invalid(None)
                } else {
                    invalid(Some("No valid identifier after \".\".".to_owned()))
                });
            }
            let end = rest.find(|char| !continues(char)).unwrap_or(rest.len());
            parts.push(Value::text(rest[..end].to_lowercase()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() || !strict => break,
            None => return Err(invalid(None)),
        }
    }
    Ok(ArrayValue::new(TypeId::Text, parts))
}

fn parse_ident_default(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    match args.len() {
        1 => map1(ctx, args, |text: &str| parse_ident(text, true)),
        _ => map2(ctx, args, parse_ident),
    }
}

/// Encodings by number; only UTF8 is Damask's own.
const ENCODINGS: [&str; 8] =
    ["SQL_ASCII", "EUC_JP", "EUC_CN", "EUC_KR", "EUC_TW", "EUC_JIS_2004", "UTF8", "MULE_INTERNAL"];

fn encoding_name(number: i32) -> &'static str {
    usize::try_from(number).ok().and_then(|at| ENCODINGS.get(at).copied()).unwrap_or("")
}

fn encoding_number(name: &str) -> i32 {
    let plain = |name: &str| name.to_ascii_uppercase().replace(['-', '_'], "");
    let wanted = match plain(name).as_str() {
        "UNICODE" => "UTF8".to_owned(),
        other => other.to_owned(),
    };
    ENCODINGS.iter().position(|encoding| plain(encoding) == wanted).map_or(-1, |at| at as i32)
}

/// `pg_collation_for`: the collation of text, null for types without.
fn collation_for(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let text = if args[0].ty.info().collation.0 == 0 {
        Value::Null
    } else {
        Value::text(quote_ident("default"))
    };
    Ok(Vector::constant(TypeId::Text, &text, ctx.rows))
}

/// Bytes that a value takes in a row: its length for strings, the type's width otherwise.
fn column_size(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector> {
    let width = args[0].ty.info().len;
    map_values_strict(ctx, args, Calls::Once, |values| {
        Ok(Value::Int4(match &values[0] {
            Value::Text(text) if width < 0 => text.len() as i32 + 1,
            Value::Bytes(bytes) => bytes.len() as i32 + 1,
            _ if width > 0 => i32::from(width),
            value => crate::text_io::output(ctx.session, args[0].ty, value)
                .unwrap_or_default()
                .len() as i32,
        }))
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1619 pg_typeof(Any) -> RegType: stable = typeof_;
    438 num_nulls(Any) -> Int4: immutable variadic = |c, a| count_nulls(c, a, true);
    440 num_nonnulls(Any) -> Int4: immutable variadic = |c, a| count_nulls(c, a, false);
    0xffff_0023 num_nulls(AnyArray) -> Int4: immutable = |c, a| elements(c, a, |_, _, values| Ok(nulls_among(values, true)), null);
    0xffff_0024 num_nonnulls(AnyArray) -> Int4: immutable = |c, a| elements(c, a, |_, _, values| Ok(nulls_among(values, false)), null);
    2288 pg_size_pretty(Int8) -> Text: strict immutable = |c, a| map1(c, a, size_pretty);
    3166 pg_size_pretty(Numeric) -> Text: strict immutable raises = |c, a| map1(c, a, |size: Numeric| size_pretty_numeric(&size));
    3334 pg_size_bytes(Text) -> Int8: strict immutable raises = |c, a| map1(c, a, size_bytes);
    3432 gen_random_uuid() -> Uuid: strict volatile raises = random_uuid;
    3495 to_regclass(Text) -> RegClass: strict stable raises = to_reg;
    3493 to_regtype(Text) -> RegType: strict stable raises = to_reg;
    4086 to_regnamespace(Text) -> RegNamespace: strict stable raises = to_reg;
    3494 to_regproc(Text) -> RegProc: strict stable raises = to_reg;
    3479 to_regprocedure(Text) -> RegProcedure: strict stable raises = to_reg;
    4093 to_regrole(Text) -> RegRole: strict stable raises = to_reg;
    3492 to_regoper(Text) -> RegOper: strict stable raises = to_reg;
    3476 to_regoperator(Text) -> RegOperator: strict stable raises = to_reg;
    1079 regclass(Text) -> RegClass: strict stable raises = regclass;
    1268 parse_ident(Text, Bool) -> TextArray: strict immutable raises defaults_1 = parse_ident_default;
    1597 pg_encoding_to_char(Int4) -> Name: strict stable = |c, a| map1(c, a, encoding_name);
    1264 pg_char_to_encoding(Name) -> Int4: strict stable = |c, a| map1(c, a, encoding_number);
    1039 getdatabaseencoding() -> Name: strict stable = |c, _| crate::rows::map0(c, || "UTF8");
    2319 pg_encoding_max_length(Int4) -> Int4: strict immutable = |c, a| map1(c, a, |number: i32| if number == 6 { Some(4) } else { (0..8).contains(&number).then_some(1) });
    3162 pg_collation_for(Any) -> Text: stable = collation_for;
    1269 pg_column_size(Any) -> Int4: strict stable = column_size;
};
