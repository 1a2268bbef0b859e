//! Byte strings: parts, single bytes and bits, `encode` and `decode`.

use super::string::substring_range;
use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2, map3, map4};
use damask_types::{Error, Result, SqlState};

fn substring(bytes: &[u8], start: i32, count: Option<i32>) -> Result<Vec<u8>> {
    let (start, end) = substring_range(start, count)?;
    let len = bytes.len();
    Ok(bytes[start.min(len)..end.min(len).max(start.min(len))].to_vec())
}

fn position(bytes: &[u8], part: &[u8]) -> i32 {
    memchr::memmem::find(bytes, part).map_or(0, |at| at as i32 + 1)
}

fn index_error(index: i64, len: usize, per_byte: i64) -> Error {
    Error::new(
        SqlState::ARRAY_SUBSCRIPT_ERROR,
        format!("index {index} out of valid range, 0..{}", len as i64 * per_byte - 1),
    )
}

fn get_byte(bytes: &[u8], index: i32) -> Result<i32> {
    usize::try_from(index)
        .ok()
        .and_then(|at| bytes.get(at))
        .map(|&byte| byte.into())
        .ok_or_else(|| index_error(index.into(), bytes.len(), 1))
}

fn set_byte(bytes: &[u8], index: i32, value: i32) -> Result<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let len = bytes.len();
    *usize::try_from(index)
        .ok()
        .and_then(|at| bytes.get_mut(at))
        .ok_or_else(|| index_error(index.into(), len, 1))? = value as u8;
    Ok(bytes)
}

fn get_bit(bytes: &[u8], index: i64) -> Result<i32> {
    usize::try_from(index)
        .ok()
        .and_then(|at| bytes.get(at / 8).map(|byte| i32::from(byte >> (at % 8) & 1)))
        .ok_or_else(|| index_error(index, bytes.len(), 8))
}

fn set_bit(bytes: &[u8], index: i64, value: i32) -> Result<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let len = bytes.len();
    let at = usize::try_from(index)
        .ok()
        .filter(|at| at / 8 < len)
        .ok_or_else(|| index_error(index, len, 8))?;
    if !(0..=1).contains(&value) {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
    }
    bytes[at / 8] = bytes[at / 8] & !(1 << (at % 8)) | (value as u8) << (at % 8);
    Ok(bytes)
}

fn overlay(bytes: &[u8], with: &[u8], start: i32, count: i32) -> Result<Vec<u8>> {
    if start <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start.checked_add(count).ok_or_else(crate::operator::integer::integer)?;
    let mut result = substring(bytes, 1, Some(start - 1))?;
    result.extend_from_slice(with);
    result.extend(substring(bytes, after, None)?);
    Ok(result)
}

fn trim<'a>(mut bytes: &'a [u8], set: &[u8], start: bool, end: bool) -> &'a [u8] {
    while start
        && let [first, rest @ ..] = bytes
        && set.contains(first)
    {
        bytes = rest;
    }
    while end
        && let [rest @ .., last] = bytes
        && set.contains(last)
    {
        bytes = rest;
    }
    bytes
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base 64 in lines of 76 characters.
fn base64_encode(bytes: &[u8]) -> String {
    let mut result = String::with_capacity(bytes.len() / 3 * 4 + 4);
    let mut line = 0;
    for chunk in bytes.chunks(3) {
        if line == 76 {
            result.push('\n');
            line = 0;
        }
        let word = chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let index = (word >> (18 - 6 * i) & 63) as usize;
            result.push(if i <= chunk.len() { char::from(BASE64[index]) } else { '=' });
        }
        line += 4;
    }
    result
}

fn base64_decode(text: &str) -> Result<Vec<u8>> {
    let bad = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut result = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut digits, mut end) = (0u32, 0, 0);
    for char in text.chars() {
        if matches!(char, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        let digit = if char == '=' {
            if end == 0 {
                match digits {
                    2 => end = 1,
                    3 => end = 2,
                    _ => {
                        return Err(bad(
                            "unexpected \"=\" while decoding base64 sequence".to_owned()
                        ));
                    }
                }
            }
            0
        } else {
            let digit = BASE64.iter().position(|&candidate| char::from(candidate) == char);
            digit.filter(|_| end == 0).ok_or_else(|| {
                bad(format!("invalid symbol \"{char}\" found while decoding base64 sequence"))
            })?
        };
        word = word << 6 | digit as u32;
        digits += 1;
        if digits == 4 {
            result.push((word >> 16) as u8);
            if end == 0 || end > 1 {
                result.push((word >> 8) as u8);
            }
            if end == 0 {
                result.push(word as u8);
            }
            (word, digits) = (0, 0);
        }
    }
    if digits != 0 {
        return Err(bad("invalid base64 end sequence".to_owned())
            .hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(result)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hex_decode(text: &str) -> Result<Vec<u8>> {
    let bad = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut result = Vec::with_capacity(text.len() / 2);
    let mut half: Option<u32> = None;
    for char in text.chars() {
        if matches!(char, ' ' | '\t' | '\n' | '\r') && half.is_none() {
            continue;
        }
        let digit = char
            .to_digit(16)
            .ok_or_else(|| bad(format!("invalid hexadecimal digit: \"{char}\"")))?;
        match half.take() {
            None => half = Some(digit),
            Some(high) => result.push((high << 4 | digit) as u8),
        }
    }
    if half.is_some() {
        return Err(bad("invalid hexadecimal data: odd number of digits".to_owned()));
    }
    Ok(result)
}

fn escape_encode(bytes: &[u8]) -> String {
    let mut result = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            0 | 0x80.. => {
                result.push('\\');
                for shift in [6, 3, 0] {
                    result.push(char::from(b'0' + (byte >> shift & 7)));
                }
            }
            b'\\' => result.push_str("\\\\"),
            _ => result.push(char::from(byte)),
        }
    }
    result
}

fn escape_decode(text: &str) -> Result<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut result = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            result.push(bytes[at]);
            at += 1;
            continue;
        }
        match &bytes[at + 1..] {
            [b'\\', ..] => {
                result.push(b'\\');
                at += 2;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                result.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            _ => {
                return Err(Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type bytea",
                ));
            }
        }
    }
    Ok(result)
}

fn unrecognized(encoding: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{encoding}\""))
}

fn encode(bytes: &[u8], encoding: &str) -> Result<String> {
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => Ok(hex(bytes)),
        "base64" => Ok(base64_encode(bytes)),
        "escape" => Ok(escape_encode(bytes)),
        _ => Err(unrecognized(encoding)),
    }
}

fn decode(text: &str, encoding: &str) -> Result<Vec<u8>> {
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => hex_decode(text),
        "base64" => base64_decode(text),
        "escape" => escape_decode(text),
        _ => Err(unrecognized(encoding)),
    }
}

fn from_utf8(bytes: &[u8], encoding: &str) -> Result<String> {
    if !matches!(
        encoding.to_ascii_uppercase().replace('-', "").as_str(),
        "UTF8" | "UNICODE" | "SQL_ASCII"
    ) {
        return Err(Error::unsupported(format_args!("encoding \"{encoding}\"")));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
        other => {
            let at =
                other.map_or_else(|error| error.valid_up_to(), |text| text.find('\0').unwrap_or(0));
            Err(Error::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                format!("invalid byte sequence for encoding \"UTF8\": 0x{:02x}", bytes[at]),
            ))
        }
    }
}

fn to_utf8(text: &str, encoding: &str) -> Result<Vec<u8>> {
    from_utf8(text.as_bytes(), encoding).map(String::into_bytes)
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    2010 length(Bytea) -> Int4: strict immutable = |c, a| map1(c, a, |bytes: &[u8]| bytes.len() as i32);
    720 octet_length(Bytea) -> Int4: strict immutable = |c, a| map1(c, a, |bytes: &[u8]| bytes.len() as i32);
    1810 bit_length(Bytea) -> Int4: strict immutable = |c, a| map1(c, a, |bytes: &[u8]| bytes.len() as i32 * 8);
    2086 substr(Bytea, Int4) -> Bytea: strict immutable raises = |c, a| map2(c, a, |bytes: &[u8], start: i32| substring(bytes, start, None));
    2013 substring(Bytea, Int4) -> Bytea: strict immutable raises = |c, a| map2(c, a, |bytes: &[u8], start: i32| substring(bytes, start, None));
    2085 substr(Bytea, Int4, Int4) -> Bytea: strict immutable raises = |c, a| map3(c, a, |bytes: &[u8], start: i32, count: i32| substring(bytes, start, Some(count)));
    2012 substring(Bytea, Int4, Int4) -> Bytea: strict immutable raises = |c, a| map3(c, a, |bytes: &[u8], start: i32, count: i32| substring(bytes, start, Some(count)));
    2014 position(Bytea, Bytea) -> Int4: strict immutable = |c, a| map2(c, a, position);
    721 get_byte(Bytea, Int4) -> Int4: strict immutable raises = |c, a| map2(c, a, get_byte);
    722 set_byte(Bytea, Int4, Int4) -> Bytea: strict immutable raises = |c, a| map3(c, a, set_byte);
    723 get_bit(Bytea, Int8) -> Int4: strict immutable raises = |c, a| map2(c, a, get_bit);
    724 set_bit(Bytea, Int8, Int4) -> Bytea: strict immutable raises = |c, a| map3(c, a, set_bit);
    749 overlay(Bytea, Bytea, Int4, Int4) -> Bytea: strict immutable raises = |c, a| map4(c, a, overlay);
    752 overlay(Bytea, Bytea, Int4) -> Bytea: strict immutable raises = |c, a| map3(c, a, |bytes: &[u8], with: &[u8], start: i32| overlay(bytes, with, start, with.len() as i32));
    2015 btrim(Bytea, Bytea) -> Bytea: strict immutable = |c, a| map2(c, a, |bytes: &[u8], set: &[u8]| trim(bytes, set, true, true).to_vec());
    6195 ltrim(Bytea, Bytea) -> Bytea: strict immutable = |c, a| map2(c, a, |bytes: &[u8], set: &[u8]| trim(bytes, set, true, false).to_vec());
    6196 rtrim(Bytea, Bytea) -> Bytea: strict immutable = |c, a| map2(c, a, |bytes: &[u8], set: &[u8]| trim(bytes, set, false, true).to_vec());
    6163 bit_count(Bytea) -> Int8: strict immutable = |c, a| map1(c, a, |bytes: &[u8]| bytes.iter().map(|byte| i64::from(byte.count_ones())).sum::<i64>());
    2011 byteacat(Bytea, Bytea) -> Bytea: strict immutable = |c, a| map2(c, a, |x: &[u8], y: &[u8]| [x, y].concat());
    1946 encode(Bytea, Text) -> Text: strict immutable raises = |c, a| map2(c, a, encode);
    1947 decode(Text, Text) -> Bytea: strict immutable raises = |c, a| map2(c, a, decode);
    1714 convert_from(Bytea, Name) -> Text: strict stable raises = |c, a| map2(c, a, from_utf8);
    1717 convert_to(Text, Name) -> Bytea: strict stable raises = |c, a| map2(c, a, to_utf8);
};
