//! Length coercion: fitting a value into its type's modifier.

use super::type_name;
use crate::{Error, Result, SqlState, SqlType, TypeId, Value, datetime};
use std::borrow::Cow;

/// The value under `ty`'s modifier.
///
/// With `explicit` (a cast somebody wrote) text that is too long is cut; otherwise that is an error unless only blanks
/// are lost.
///
/// # Errors
/// 22001 for text that is too long, 22003 for a numeric with too many digits.
pub fn apply_typmod(ty: SqlType, value: Value, explicit: bool) -> Result<Value> {
    if ty.typmod < 0 {
        return Ok(value);
    }
    Ok(match value {
        Value::Text(text) if matches!(ty.id, TypeId::Varchar | TypeId::BpChar) => {
            let limit = length_limit(ty).unwrap_or(0);
            match fit_text(ty, &text, limit, explicit)? {
                Cow::Borrowed(fitted) if fitted.len() == text.len() => Value::Text(text),
                fitted => Value::text(&*fitted),
            }
        }
        Value::Numeric(number) => match ty.numeric_shape() {
            Some((precision, scale)) => Value::Numeric(number.constrain(precision, scale)?),
            None => Value::Numeric(number),
        },
        Value::Time(time) => Value::Time(datetime::round_micros(time, ty.typmod)),
        Value::Timestamp(time) => Value::Timestamp(datetime::round_timestamp(time, ty.typmod)?),
        Value::TimestampTz(time) => Value::TimestampTz(datetime::round_timestamp(time, ty.typmod)?),
        Value::Int8(packed) if ty.id == TypeId::TimeTz => {
            Value::Int8(datetime::round_timetz(packed, ty.typmod))
        }
        Value::Interval(interval) => Value::Interval(interval.apply_typmod(ty.typmod)?),
        Value::Array(array) => {
            let element = SqlType { id: array.element, typmod: ty.typmod };
            let mut fitted = (*array).clone();
            for slot in &mut fitted.values {
                *slot = apply_typmod(element, std::mem::replace(slot, Value::Null), explicit)?;
            }
            Value::from(fitted)
        }
        other => other,
    })
}

/// How many characters a `varchar` or `char` may have, if its type says so.
pub(super) fn length_limit(ty: SqlType) -> Option<usize> {
    (ty.typmod >= 0).then(|| (ty.typmod - 4).max(0) as usize)
}

/// Text of at most `limit` characters; `char(n)` is padded to them.
fn fit_text(ty: SqlType, text: &str, limit: usize, explicit: bool) -> Result<Cow<'_, str>> {
    let chars = if text.is_ascii() { text.len() } else { text.chars().count() };
    if chars <= limit {
        if ty.id == TypeId::BpChar && chars < limit {
            let mut padded = String::with_capacity(text.len() + limit - chars);
            padded.push_str(text);
            padded.extend(std::iter::repeat_n(' ', limit - chars));
            return Ok(Cow::Owned(padded));
        }
        return Ok(Cow::Borrowed(text));
    }
    let end = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
    if !explicit && text[end..].bytes().any(|b| b != b' ') {
        return Err(Error::new(
            SqlState::STRING_DATA_RIGHT_TRUNCATION,
            format!("value too long for type {}({limit})", type_name(ty.id)),
        ));
    }
    Ok(Cow::Borrowed(&text[..end]))
}
