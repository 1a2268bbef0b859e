//! Receive and send functions: the binary form of every type, in network byte order.

use super::array::{DIMENSIONS_MAX, ELEMENTS_MAX, too_large, too_many_dimensions};
use super::{apply_typmod, json};
use crate::array::ArrayValue;
use crate::datetime::timetz;
use crate::{
    Error, Interval, Numeric, Oid, Result, SqlState, SqlType, TypeId, Value, Vector, VectorData,
};

/// Deepest nesting of arrays in records in arrays.
const DEPTH_MAX: usize = 32;

/// 08P01.
#[cold]
fn too_short() -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// 22P03.
#[cold]
fn malformed(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(len).ok_or_else(too_short)?;
        self.0 = rest;
        Ok(first)
    }

    fn i16(&mut self) -> Result<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn text(&mut self) -> Result<&'a str> {
        super::utf8(self.rest())
    }
}

/// Reads a value of type `ty` and applies its modifier.
///
/// # Errors
/// 08P01 if bytes are missing, 22P03 if some are left or mean nothing, 22021 for text that is not UTF-8, 22008 for
/// dates out of range; 0A000 for types without a binary form here.
pub fn parse_binary(ty: SqlType, bytes: &[u8]) -> Result<Value> {
    let value = parse(ty.id, bytes, 0)?;
    if ty.typmod < 0 { Ok(value) } else { apply_typmod(ty, value, false) }
}

fn parse(ty: TypeId, bytes: &[u8], depth: usize) -> Result<Value> {
    if depth > DEPTH_MAX {
        return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
    }
    let mut reader = Reader(bytes);
    let value = match ty {
        TypeId::Bool => Value::Bool(reader.take::<1>()? != [0]),
        TypeId::Int2 => Value::Int2(reader.i16()?),
        TypeId::Int4 => Value::Int4(reader.i32()?),
        TypeId::Int8 | TypeId::Xid8 => Value::Int8(reader.i64()?),
        TypeId::Float4 => Value::Float4(f32::from_bits(reader.i32()? as u32)),
        TypeId::Float8 => Value::Float8(f64::from_bits(reader.i64()? as u64)),
        TypeId::Numeric => Value::Numeric(parse_numeric(&mut reader)?),
        TypeId::Bytea => Value::Bytes(reader.rest().into()),
        TypeId::Uuid => Value::Uuid(reader.take()?),
        TypeId::Date => Value::Date(crate::datetime::check_date(reader.i32()?)?),
        TypeId::Time => Value::Time(crate::datetime::check_time(reader.i64()?)?),
        TypeId::TimeTz => {
            let time = crate::datetime::check_time(reader.i64()?)?;
            Value::Int8(timetz::pack_checked(time, reader.i32()?)?)
        }
        TypeId::Timestamp => Value::Timestamp(crate::datetime::check_timestamp(reader.i64()?)?),
        TypeId::TimestampTz => Value::TimestampTz(crate::datetime::check_timestamp(reader.i64()?)?),
        TypeId::Interval => {
            let micros = reader.i64()?;
            let days = reader.i32()?;
            Value::Interval(Interval { months: reader.i32()?, days, micros })
        }
        TypeId::Tid => {
            let block = reader.take().map(u32::from_be_bytes)?;
            Value::Int8(i64::from(block) << 16 | i64::from(reader.u16()?))
        }
        TypeId::Json => {
            let text = reader.text()?;
            json::validate(text)?;
            Value::text(text)
        }
        TypeId::Name => {
            let text = reader.text()?;
            if text.len() > super::text::NAME_BYTES_MAX {
                return Err(Error::new(SqlState::NAME_TOO_LONG, "identifier too long")
                    .detail("Identifier must be less than 64 characters."));
            }
            Value::text(text)
        }
        TypeId::Char => {
            let [byte] = reader.take()?;
            let text = [byte];
            match str::from_utf8(&text) {
                Ok("\0") => Value::text(""),
                Ok(text) => Value::text(text),
                Err(_) => return Err(malformed("\"char\" value is not ASCII")),
            }
        }
        TypeId::Record => parse_record(&mut reader, depth)?,
        TypeId::Text
        | TypeId::Varchar
        | TypeId::BpChar
        | TypeId::Unknown
        | TypeId::CString
        | TypeId::RefCursor
        | TypeId::Xml => Value::text(reader.text()?),
        TypeId::Void => Value::text(""),
        _ if ty.physical() == crate::PhysicalType::Oid => {
            Value::Oid(Oid(reader.take().map(u32::from_be_bytes)?))
        }
        _ => match ty.element() {
            Some(element) => parse_array(element, &mut reader, depth)?,
            None => {
                return Err(Error::unsupported(format_args!(
                    "binary input of type {}",
                    super::type_name(ty)
                )));
            }
        },
    };
    if reader.0.is_empty() { Ok(value) } else { Err(malformed("incorrect binary data format")) }
}

const SIGN_NEGATIVE: u16 = 0x4000;
const SIGN_NAN: u16 = 0xC000;
const SIGN_POSITIVE_INFINITY: u16 = 0xD000;
const SIGN_NEGATIVE_INFINITY: u16 = 0xF000;

fn parse_numeric(reader: &mut Reader<'_>) -> Result<Numeric> {
    let invalid = |part: &str| malformed(format!("invalid {part} in external \"numeric\" value"));
    let count = reader.u16()?;
    let weight = reader.i16()?;
    let sign = reader.u16()?;
    let scale = reader.u16()?;
    let negative = match sign {
        0 => false,
        SIGN_NEGATIVE => true,
        SIGN_NAN | SIGN_POSITIVE_INFINITY | SIGN_NEGATIVE_INFINITY => {
            reader.bytes(usize::from(count) * 2)?;
            return Ok(match sign {
                SIGN_NAN => Numeric::NaN,
                SIGN_POSITIVE_INFINITY => Numeric::PositiveInfinity,
                _ => Numeric::NegativeInfinity,
            });
        }
        _ => return Err(invalid("sign")),
    };
    if usize::from(scale) > crate::numeric::SCALE_MAX {
        return Err(invalid("scale"));
    }
    let mut digits = Vec::with_capacity(usize::from(count) * 4);
    for _ in 0..count {
        let digit = reader.i16()?;
        if !(0..10_000).contains(&digit) {
            return Err(invalid("digit"));
        }
        super::digits::write_padded(&mut digits, digit as u64, 4);
    }
    Numeric::from_base_10000(negative, &digits, weight.into(), scale)
}

fn parse_array(element: TypeId, reader: &mut Reader<'_>, depth: usize) -> Result<Value> {
    let count = reader.i32()?;
    if count < 0 {
        return Err(malformed(format!("invalid number of dimensions: {count}")));
    }
    if count as usize > DIMENSIONS_MAX {
        return Err(too_many_dimensions(count as usize));
    }
    let flags = reader.i32()?;
    if flags != 0 && flags != 1 {
        return Err(malformed("invalid array flags"));
    }
    let sent = reader.i32()?;
    if sent as u32 != element as u32 {
        return Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "binary data has array element type {} ({}) instead of expected {} ({})",
                sent as u32,
                TypeId::from_oid(Oid(sent as u32)).map_or("unknown".to_owned(), super::type_name),
                element as u32,
                super::type_name(element),
            ),
        ));
    }
    let mut dims = Vec::with_capacity(count as usize);
    let mut total = 1usize;
    for _ in 0..count {
        let length = reader.i32()?;
        let lower = reader.i32()?;
        if length < 0 {
            return Err(too_large());
        }
        if lower.checked_add(length).is_none() {
            return Err(Error::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("array lower bound is too large: {lower}"),
            ));
        }
        total = total.saturating_mul(length as usize);
        dims.push((length, lower));
    }
    if total > ELEMENTS_MAX {
        return Err(too_large());
    }
    if count == 0 || total == 0 {
        return Ok(Value::array(element, vec![]));
    }
    // A length word for each element bounds what a message can ask for.
    let mut values = Vec::with_capacity(total.min(reader.0.len() / 4));
    for _ in 0..total {
        values.push(parse_field(element, reader, depth)?);
    }
    if matches!(element, TypeId::Int2 | TypeId::Oid) && dims.len() == 1 && dims[0].1 == 0 {
        return Ok(Value::from(ArrayValue { element, dims, values }));
    }
    Ok(Value::from(ArrayValue { element, dims, values }))
}

/// A value after its length; -1 is null.
fn parse_field(ty: TypeId, reader: &mut Reader<'_>, depth: usize) -> Result<Value> {
    let len = reader.i32()?;
    if len == -1 {
        return Ok(Value::Null);
    }
    let len = usize::try_from(len).map_err(|_| too_short())?;
    parse(ty, reader.bytes(len)?, depth + 1)
}

fn parse_record(reader: &mut Reader<'_>, depth: usize) -> Result<Value> {
    let count = reader.i32()?;
    let mut fields = Vec::with_capacity((count.max(0) as usize).min(reader.0.len() / 8));
    for _ in 0..count {
        let oid = Oid(reader.i32()? as u32);
        let ty = TypeId::from_oid(oid)
            .ok_or_else(|| Error::unsupported(format_args!("binary input of type {oid}")))?;
        fields.push((ty, parse_field(ty, reader, depth)?));
    }
    Ok(Value::Record(fields.into()))
}

/// Appends the binary form of a value of type `ty`; nothing for null.
pub fn write_binary(ty: TypeId, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(v) => out.push((*v).into()),
        Value::Int2(v) => out.extend_from_slice(&v.to_be_bytes()),
        Value::Int4(v) | Value::Date(v) => out.extend_from_slice(&v.to_be_bytes()),
        Value::Int8(v) => write_int8(ty, *v, out),
        Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => {
            out.extend_from_slice(&v.to_be_bytes());
        }
        Value::Oid(v) => out.extend_from_slice(&v.0.to_be_bytes()),
        Value::Float4(v) => out.extend_from_slice(&v.to_be_bytes()),
        Value::Float8(v) => out.extend_from_slice(&v.to_be_bytes()),
        Value::Numeric(v) => write_numeric(v, out),
        Value::Text(v) => write_bytes(ty, v.as_bytes(), out),
        Value::Bytes(v) => out.extend_from_slice(v),
        Value::Interval(v) => write_interval(*v, out),
        Value::Uuid(v) => out.extend_from_slice(v),
        Value::Array(v) => write_array(v, out),
        Value::Record(v) => {
            out.extend_from_slice(&(v.len() as i32).to_be_bytes());
            for (ty, field) in v.iter() {
                out.extend_from_slice(&(*ty as u32).to_be_bytes());
                write_field(*ty, field, out);
            }
        }
    }
}

/// Appends the length and the binary form; -1 for null.
fn write_field(ty: TypeId, value: &Value, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&(-1i32).to_be_bytes());
    if value.is_null() {
        return;
    }
    write_binary(ty, value, out);
    let len = (out.len() - start - 4) as i32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

fn write_bytes(ty: TypeId, bytes: &[u8], out: &mut Vec<u8>) {
    match ty {
        // One byte always, zero for the empty one.
        TypeId::Char if bytes.is_empty() => out.push(0),
        TypeId::Char => out.push(bytes[0]),
        // The version of jsonb's form.
        TypeId::Jsonb => {
            out.push(1);
            out.extend_from_slice(bytes);
        }
        _ => out.extend_from_slice(bytes),
    }
}

fn write_int8(ty: TypeId, value: i64, out: &mut Vec<u8>) {
    match ty {
        TypeId::TimeTz => {
            let (time, zone) = timetz::unpack(value);
            out.extend_from_slice(&time.to_be_bytes());
            out.extend_from_slice(&zone.to_be_bytes());
        }
        TypeId::Tid => {
            out.extend_from_slice(&((value >> 16) as u32).to_be_bytes());
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        _ => out.extend_from_slice(&value.to_be_bytes()),
    }
}

fn write_interval(value: Interval, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.micros.to_be_bytes());
    out.extend_from_slice(&value.days.to_be_bytes());
    out.extend_from_slice(&value.months.to_be_bytes());
}

fn write_array(array: &ArrayValue, out: &mut Vec<u8>) {
    out.extend_from_slice(&(array.dims.len() as i32).to_be_bytes());
    let has_null = array.values.iter().any(Value::is_null);
    out.extend_from_slice(&i32::from(has_null).to_be_bytes());
    out.extend_from_slice(&(array.element as u32).to_be_bytes());
    for (length, lower) in &array.dims {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&lower.to_be_bytes());
    }
    for value in &array.values {
        write_field(array.element, value, out);
    }
}

/// Digits in base 10^4 after a header of count, weight, sign and scale.
fn write_numeric(value: &Numeric, out: &mut Vec<u8>) {
    let mut header = |count: u16, weight: i16, sign: u16, scale: u16| {
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&weight.to_be_bytes());
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&scale.to_be_bytes());
    };
    let (mantissa, scale) = match value {
        Numeric::Decimal { mantissa, scale } => (*mantissa, *scale),
        Numeric::Big(_) => {
            let (negative, digits, scale) = value.to_base_10000().expect("a big numeric is finite");
            let (digits, weight) = digits;
            header(digits.len() as u16, weight, if negative { SIGN_NEGATIVE } else { 0 }, scale);
            for digit in digits {
                out.extend_from_slice(&digit.to_be_bytes());
            }
            return;
        }
        Numeric::NaN => return header(0, 0, SIGN_NAN, 0),
        Numeric::PositiveInfinity => return header(0, 0, SIGN_POSITIVE_INFINITY, 0),
        Numeric::NegativeInfinity => return header(0, 0, SIGN_NEGATIVE_INFINITY, 0),
    };
    if mantissa == 0 {
        return header(0, 0, 0, scale);
    }
    // At most 38 digits, spread over at most 11 places of four.
    let mut slot = [0u16; 12];
    let mut count = 0;
    let mut rest = mantissa.unsigned_abs();
    // Fill the last place up to four digits.
    let places = usize::from(scale).div_ceil(4);
    let partial = usize::from(scale) % 4;
    if partial != 0 {
        let unit = 10u128.pow(partial as u32);
        slot[0] = (rest % unit) as u16 * 10u16.pow(4 - partial as u32);
        rest /= unit;
        count = 1;
    }
    while rest != 0 {
        if let Ok(mut small) = u64::try_from(rest) {
            while small != 0 {
                slot[count] = (small % 10_000) as u16;
                small /= 10_000;
                count += 1;
            }
            break;
        }
        slot[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    while slot[count - 1] == 0 {
        count -= 1;
    }
    let weight = count as i64 - 1 - places as i64;
    let zeros = slot[..count].iter().take_while(|digit| **digit == 0).count();
    let sign = if mantissa < 0 { SIGN_NEGATIVE } else { 0 };
    header((count - zeros) as u16, weight as i16, sign, scale);
    slot[zeros..count].iter().rev().for_each(|digit| out.extend_from_slice(&digit.to_be_bytes()));
}

/// Appends the binary form of row `row`; nothing if it is null (ask [`Vector::is_null`] first).
pub fn write_binary_at(vector: &Vector, row: usize, out: &mut Vec<u8>) {
    if vector.is_null(row) {
        return;
    }
    let ty = vector.ty;
    let i = vector.index(row);
    match &vector.data {
        VectorData::Bool(v) => out.push(v.get(i).into()),
        VectorData::Int2(v) => out.extend_from_slice(&v[i].to_be_bytes()),
        VectorData::Int4(v) => out.extend_from_slice(&v[i].to_be_bytes()),
        VectorData::Int8(v) => write_int8(ty, v[i], out),
        VectorData::Oid(v) => out.extend_from_slice(&v[i].to_be_bytes()),
        VectorData::Float4(v) => out.extend_from_slice(&v[i].to_be_bytes()),
        VectorData::Float8(v) => out.extend_from_slice(&v[i].to_be_bytes()),
        VectorData::Decimal64 { scale, values } => write_numeric(
            &Numeric::Decimal { mantissa: values[i].into(), scale: (*scale).into() },
            out,
        ),
        VectorData::Decimal128 { scale, values } => {
            write_numeric(&Numeric::Decimal { mantissa: values[i], scale: (*scale).into() }, out);
        }
        VectorData::Numeric(v) => write_numeric(&v[i], out),
        VectorData::Interval(v) => write_interval(v[i], out),
        VectorData::Uuid(v) => out.extend_from_slice(&v[i]),
        VectorData::Bytes(v) => write_bytes(ty, v.get(i), out),
        VectorData::Boxed(v) => write_binary(ty, &v[i], out),
    }
}
