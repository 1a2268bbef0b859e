//! Input and output functions: the text form of every type.

use super::digits::{write_decimal, write_i64, write_u64};
use super::{FormatSettings, apply_typmod, array, bytes, json, number, typmod};
use crate::{
    Error, Interval, Numeric, Oid, Result, SqlType, TypeId, Value, Vector, VectorBuilder,
    VectorData, datetime,
};
use std::borrow::Cow;

/// Longest `name`, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 63;

/// Reads a value of type `ty` and applies its modifier as the type's input function does.
///
/// `now` is the transaction's start (microseconds since 2000-01-01 UTC), which `'now'` and `'today'` mean.
///
/// # Errors
/// The type's own: 22P02, 22003, 22007, 22008, 22001 and others; 0A000 for types Damask does not read.
pub fn parse_text(ty: SqlType, text: &str, settings: &FormatSettings, now: i64) -> Result<Value> {
    let plain = |ty: SqlType| SqlType::plain(ty.id);
    let value = match ty.id {
        TypeId::Bool => Value::Bool(number::parse_bool(text)?),
        TypeId::Int2 => Value::Int2(number::parse_i16(text)?),
        TypeId::Int4 => Value::Int4(number::parse_i32(text)?),
        TypeId::Int8 => Value::Int8(number::parse_i64(text)?),
        TypeId::Oid | TypeId::Xid | TypeId::Cid => {
            Value::Oid(Oid(number::parse_oid(text, ty.id.name())?))
        }
        TypeId::RegProc
        | TypeId::RegProcedure
        | TypeId::RegOper
        | TypeId::RegOperator
        | TypeId::RegClass
        | TypeId::RegType
        | TypeId::RegRole
        | TypeId::RegNamespace
        | TypeId::RegConfig
        | TypeId::RegDictionary => match text {
            "-" => Value::Oid(Oid::NONE),
            _ if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                Value::Oid(Oid(number::parse_oid(text, "oid")?))
            }
            // Names are the catalog's business.
            _ => return Err(Error::unsupported(format_args!("{} from a name here", ty.id.name()))),
        },
        TypeId::Xid8 => Value::Int8(number::parse_u64(text, "xid8")? as i64),
        TypeId::Float4 => Value::Float4(number::parse_f32(text)?),
        TypeId::Float8 => Value::Float8(number::parse_f64(text)?),
        TypeId::Numeric => Value::Numeric(Numeric::parse(text)?),
        TypeId::Bytea => Value::Bytes(bytes::parse_bytea(text)?.into()),
        TypeId::Uuid => Value::Uuid(bytes::parse_uuid(text)?),
        TypeId::Tid => Value::Int8(bytes::parse_tid(text)?),
        TypeId::Name => Value::text(truncate_name(text)),
        TypeId::Char => Value::text(text.chars().next().map(String::from).unwrap_or_default()),
        TypeId::Text
        | TypeId::Varchar
        | TypeId::BpChar
        | TypeId::Unknown
        | TypeId::CString
        | TypeId::RefCursor
        | TypeId::PgNodeTree => Value::text(text),
        TypeId::Json => {
            json::validate(text)?;
            Value::text(text)
        }
        TypeId::Date => Value::Date(datetime::parse_date(text, settings, now)?),
        TypeId::Time => Value::Time(datetime::parse_time(text, settings, now)?),
        TypeId::TimeTz => Value::Int8(datetime::parse_timetz(text, settings, now)?),
        TypeId::Timestamp => Value::Timestamp(datetime::parse_timestamp(text, settings, now)?),
        TypeId::TimestampTz => {
            Value::TimestampTz(datetime::parse_timestamptz(text, settings, now)?)
        }
        TypeId::Interval => {
            Value::Interval(Interval::parse(text, settings.interval_style, ty.typmod)?)
        }
        TypeId::Int2Vector | TypeId::OidVector => {
            return array::parse_vector(ty.id, text);
        }
        TypeId::Record => return Err(Error::unsupported("input of anonymous composite types")),
        TypeId::Void => Value::text(""),
        _ => match ty.id.element() {
            // The modifier is the elements'.
            Some(_) => return array::parse_array(ty, text, settings, now),
            None => {
                return Err(Error::unsupported(format_args!(
                    "input of type {}",
                    super::type_name(plain(ty).id)
                )));
            }
        },
    };
    if ty.typmod < 0 { Ok(value) } else { apply_typmod(ty, value, false) }
}

/// Appends what [`parse_text`] makes of `text`; strings that stay as they are need no value for that.
///
/// # Errors
/// As [`parse_text`]; nothing is appended then.
pub fn parse_text_into(
    ty: SqlType,
    text: &str,
    settings: &FormatSettings,
    now: i64,
    builder: &mut VectorBuilder,
) -> Result<()> {
    if is_kept(ty, text) {
        builder.push_text(text);
    } else {
        builder.push(&parse_text(ty, text, settings, now)?);
    }
    Ok(())
}

/// Whether `text` is the value of a string type as it is, seen without counting characters.
fn is_kept(ty: SqlType, text: &str) -> bool {
    match ty.id {
        TypeId::Text => true,
        TypeId::Varchar => typmod::length_limit(ty).is_none_or(|limit| text.len() <= limit),
        TypeId::BpChar => {
            typmod::length_limit(ty).is_none_or(|limit| text.len() == limit && text.is_ascii())
        }
        _ => false,
    }
}

/// `text` cut to the length of a `name`, at a character's end.
pub(crate) fn truncate_name(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_BYTES_MAX)]
}

/// Appends the text form of a value of type `ty`; nothing for null.
pub fn write_text(ty: TypeId, value: &Value, settings: &FormatSettings, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(v) => out.push(if *v { b't' } else { b'f' }),
        Value::Int2(v) => write_i64(out, (*v).into()),
        Value::Int4(v) => write_i64(out, (*v).into()),
        Value::Int8(v) => write_int8(ty, *v, settings, out),
        Value::Oid(v) => write_oid(ty, v.0, out),
        Value::Float4(v) => number::write_f32(out, *v, settings.extra_float_digits),
        Value::Float8(v) => number::write_f64(out, *v, settings.extra_float_digits),
        Value::Numeric(v) => v.write(out),
        Value::Text(v) => out.extend_from_slice(v.as_bytes()),
        Value::Bytes(v) => bytes::write_bytea(out, v, settings.bytea_hex),
        Value::Date(v) => datetime::write_date(*v, settings, out),
        Value::Time(v) => datetime::write_time(*v, out),
        Value::Timestamp(v) => datetime::write_timestamp(*v, settings, out),
        Value::TimestampTz(v) => datetime::write_timestamptz(*v, settings, out),
        Value::Interval(v) => v.write(settings.interval_style, out),
        Value::Uuid(v) => bytes::write_uuid(out, v),
        Value::Array(v) if matches!(ty, TypeId::Int2Vector | TypeId::OidVector) => {
            array::write_vector(v, out);
        }
        Value::Array(v) => array::write_array(v, settings, out),
        Value::Record(v) => array::write_record(v, settings, out),
    }
}

/// Types that lie as int8.
fn write_int8(ty: TypeId, value: i64, settings: &FormatSettings, out: &mut Vec<u8>) {
    match ty {
        TypeId::Time => datetime::write_time(value, out),
        TypeId::TimeTz => datetime::write_timetz(value, settings, out),
        TypeId::Timestamp => datetime::write_timestamp(value, settings, out),
        TypeId::TimestampTz => datetime::write_timestamptz(value, settings, out),
        TypeId::Tid => bytes::write_tid(out, value),
        TypeId::Xid8 => write_u64(out, value as u64),
        _ => write_i64(out, value),
    }
}

fn write_oid(ty: TypeId, value: u32, out: &mut Vec<u8>) {
    match ty {
        TypeId::RegProc
        | TypeId::RegProcedure
        | TypeId::RegClass
        | TypeId::RegType
        | TypeId::RegRole
        | TypeId::RegNamespace
        | TypeId::RegConfig
        | TypeId::RegDictionary
            if value == 0 =>
        {
            out.push(b'-');
        }
        _ => write_u64(out, value.into()),
    }
}

/// The text form; empty for null.
pub fn to_text(ty: TypeId, value: &Value, settings: &FormatSettings) -> String {
    let mut out = Vec::new();
    write_text(ty, value, settings, &mut out);
    match String::from_utf8_lossy(&out) {
        Cow::Owned(text) => text,
        Cow::Borrowed(_) => String::from_utf8(out).expect("just found to be UTF-8"),
    }
}

/// Appends the text form of row `row`; nothing if it is null (ask [`Vector::is_null`] first).
///
/// Does not allocate but for `out` and what lies boxed.
pub fn write_text_at(vector: &Vector, row: usize, settings: &FormatSettings, out: &mut Vec<u8>) {
    if vector.is_null(row) {
        return;
    }
    let ty = vector.ty;
    let i = vector.index(row);
    match &vector.data {
        VectorData::Bool(v) => out.push(if v.get(i) { b't' } else { b'f' }),
        VectorData::Int2(v) => write_i64(out, v[i].into()),
        VectorData::Int4(v) if ty == TypeId::Date => datetime::write_date(v[i], settings, out),
        VectorData::Int4(v) => write_i64(out, v[i].into()),
        VectorData::Int8(v) => write_int8(ty, v[i], settings, out),
        VectorData::Oid(v) => write_oid(ty, v[i], out),
        VectorData::Float4(v) => number::write_f32(out, v[i], settings.extra_float_digits),
        VectorData::Float8(v) => number::write_f64(out, v[i], settings.extra_float_digits),
        VectorData::Decimal64 { scale, values } => {
            write_decimal(out, values[i].into(), (*scale).into());
        }
        VectorData::Decimal128 { scale, values } => {
            write_decimal(out, values[i], (*scale).into());
        }
        VectorData::Numeric(v) => v[i].write(out),
        VectorData::Interval(v) => v[i].write(settings.interval_style, out),
        VectorData::Uuid(v) => bytes::write_uuid(out, &v[i]),
        VectorData::Bytes(v) if ty == TypeId::Bytea => {
            bytes::write_bytea(out, v.get(i), settings.bytea_hex);
        }
        VectorData::Bytes(v) => out.extend_from_slice(v.get(i)),
        VectorData::Boxed(v) => write_text(ty, &v[i], settings, out),
    }
}
