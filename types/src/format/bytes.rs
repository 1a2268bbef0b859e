//! Text forms of bytea, uuid and tid.

use super::{invalid_text, is_space};
use crate::{Error, Result, SqlState};

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex_digit(b: u8) -> Option<u8> {
    (b as char).to_digit(16).map(|digit| digit as u8)
}

/// `\x0102` or the escape form.
pub(crate) fn parse_bytea(text: &str) -> Result<Vec<u8>> {
    if let Some(digits) = text.strip_prefix("\\x") {
        return parse_hex(digits);
    }
    let malformed = || invalid_text("bytea", "").clear_to("invalid input syntax for type bytea");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match &bytes[i..] {
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                i += 2;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                i += 4;
            }
            [b'\\', ..] => return Err(malformed()),
            [b, ..] => {
                out.push(*b);
                i += 1;
            }
            [] => break,
        }
    }
    Ok(out)
}

fn parse_hex(digits: &str) -> Result<Vec<u8>> {
    let error = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut out = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for c in digits.chars() {
        if high.is_none() && matches!(c, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let digit = u8::try_from(c)
            .ok()
            .and_then(hex_digit)
            .ok_or_else(|| error(format!("invalid hexadecimal digit: \"{c}\"")))?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push(high << 4 | digit),
        }
    }
    if high.is_some() {
        return Err(error("invalid hexadecimal data: odd number of digits".to_owned()));
    }
    Ok(out)
}

impl Error {
    /// The same error with another message.
    fn clear_to(mut self, message: &str) -> Self {
        message.clone_into(&mut self.fields_mut().message);
        self
    }
}

/// Appends bytea in hex or escape form.
pub(crate) fn write_bytea(out: &mut Vec<u8>, bytes: &[u8], hex: bool) {
    if hex {
        out.reserve(2 + bytes.len() * 2);
        out.extend_from_slice(b"\\x");
        for &b in bytes {
            out.extend_from_slice(&[HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        }
        return;
    }
    for &b in bytes {
        match b {
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x20..=0x7e => out.push(b),
            _ => out.extend_from_slice(&[
                b'\\',
                b'0' + (b >> 6),
                b'0' + (b >> 3 & 7),
                b'0' + (b & 7),
            ]),
        }
    }
}

/// 32 hex digits, a hyphen allowed after every four, braces around allowed.
pub(crate) fn parse_uuid(text: &str) -> Result<[u8; 16]> {
    let malformed = || invalid_text("uuid", text);
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(malformed)?,
        None => text,
    };
    let mut out = [0; 16];
    let mut rest = inner.as_bytes();
    for (i, byte) in out.iter_mut().enumerate() {
        let [a, b, ..] = *rest else {
            return Err(malformed());
        };
        let digits = hex_digit(a).zip(hex_digit(b)).ok_or_else(malformed)?;
        *byte = digits.0 << 4 | digits.1;
        rest = &rest[2..];
        if i % 2 == 1 && i < 15 && rest.first() == Some(&b'-') {
            rest = &rest[1..];
        }
    }
    if rest.is_empty() { Ok(out) } else { Err(malformed()) }
}

/// Appends a uuid with its hyphens.
pub(crate) fn write_uuid(out: &mut Vec<u8>, uuid: &[u8; 16]) {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (i, b) in uuid.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(b >> 4)];
        text[at + 1] = HEX[usize::from(b & 15)];
        at += 2;
    }
    out.extend_from_slice(&text);
}

/// `(block,offset)`, as block * 2^16 + offset.
pub(crate) fn parse_tid(text: &str) -> Result<i64> {
    let parts = text
        .trim_matches(is_space)
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|inner| inner.split_once(','));
    let parsed = parts.and_then(|(block, offset)| {
        Some((block.parse::<u32>().ok()?, offset.parse::<u16>().ok()?))
    });
    let (block, offset) = parsed.ok_or_else(|| invalid_text("tid", text))?;
    Ok(i64::from(block) << 16 | i64::from(offset))
}

/// Appends `(block,offset)`.
pub(crate) fn write_tid(out: &mut Vec<u8>, tid: i64) {
    out.push(b'(');
    super::digits::write_u64(out, (tid as u64) >> 16);
    out.push(b',');
    super::digits::write_u64(out, tid as u64 & 0xffff);
    out.push(b')');
}
