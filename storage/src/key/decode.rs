//! Values out of keys, for index-only scans.

use super::{KeyColumn, NOT_NULL, NULL_FIRST, NULL_LAST};
use damask_types::{Error, Oid, PhysicalType, Result, SqlState, TypeId, Value};

/// The values of a key's columns up to the last of `columns`, which must all be [`KeyColumn::is_lossless`].
///
/// # Errors
/// XX002 for bytes that no encoder wrote; XX000 for a column whose encoding does not give values back.
pub fn decode_key(columns: &[KeyColumn], key: &[u8], out: &mut Vec<Value>) -> Result<()> {
    let mut rest = key;
    for column in columns {
        if !column.is_lossless() {
            return Err(Error::internal(format!(
                "a key does not give back values of type {}",
                column.ty.id.name()
            )));
        }
        let (&marker, after) = rest.split_first().ok_or_else(bad_key)?;
        rest = after;
        out.push(match marker {
            NOT_NULL => decode_value(column, &mut rest)?,
            NULL_FIRST | NULL_LAST => Value::Null,
            _ => return Err(bad_key()),
        });
    }
    Ok(())
}

#[cold]
fn bad_key() -> Error {
    Error::new(SqlState::INDEX_CORRUPTED, "an index key's bytes are damaged")
}

fn decode_value(column: &KeyColumn, rest: &mut &[u8]) -> Result<Value> {
    let flip = if column.descending { u8::MAX } else { 0 };
    let ty = column.ty.id;
    Ok(match ty.physical() {
        PhysicalType::Bool => Value::Bool(take::<1>(rest, flip)? != [0]),
        PhysicalType::Int2 => Value::Int2(i16::from_be_bytes(take(rest, flip)?) ^ i16::MIN),
        PhysicalType::Int4 => {
            let v = i32::from_be_bytes(take(rest, flip)?) ^ i32::MIN;
            if ty == TypeId::Date { Value::Date(v) } else { Value::Int4(v) }
        }
        PhysicalType::Int8 => {
            let v = i64::from_be_bytes(take(rest, flip)?) ^ i64::MIN;
            match ty {
                TypeId::Time => Value::Time(v),
                TypeId::Timestamp => Value::Timestamp(v),
                TypeId::TimestampTz => Value::TimestampTz(v),
                _ => Value::Int8(v),
            }
        }
        PhysicalType::Oid => Value::Oid(Oid(u32::from_be_bytes(take(rest, flip)?))),
        PhysicalType::Uuid => Value::Uuid(take(rest, flip)?),
        PhysicalType::Bytes if ty == TypeId::Bytea => Value::Bytes(take_bytes(rest, flip)?.into()),
        PhysicalType::Bytes => {
            let end = rest.iter().position(|&byte| byte == flip).ok_or_else(bad_key)?;
            let bytes: Vec<u8> = rest[..end].iter().map(|byte| byte ^ flip).collect();
            *rest = &rest[end + 1..];
            Value::text(String::from_utf8(bytes).map_err(|_| bad_key())?)
        }
        PhysicalType::Float4
        | PhysicalType::Float8
        | PhysicalType::Numeric
        | PhysicalType::Interval
        | PhysicalType::Boxed => return Err(Error::internal("the column is not lossless")),
    })
}

fn take<const N: usize>(rest: &mut &[u8], flip: u8) -> Result<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>().ok_or_else(bad_key)?;
    *rest = after;
    Ok(bytes.map(|byte| byte ^ flip))
}

fn take_bytes(rest: &mut &[u8], flip: u8) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let [byte] = take(rest, flip)?;
        if byte != 0 {
            out.push(byte);
            continue;
        }
        match take(rest, flip)? {
            [0] => return Ok(out),
            [u8::MAX] => out.push(0),
            _ => return Err(bad_key()),
        }
    }
}
