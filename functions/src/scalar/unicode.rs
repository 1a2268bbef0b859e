//! Unicode: normal forms, and escapes in text (`normalize`, `IS NORMALIZED`, `unistr`).

use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2};
use damask_types::{Error, Result, SqlState};
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

/// A normal form.
#[derive(Clone, Copy)]
enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

fn form(name: &str) -> Result<Form> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "NFC" => Form::Nfc,
        "NFD" => Form::Nfd,
        "NFKC" => Form::Nfkc,
        "NFKD" => Form::Nfkd,
        _ => {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("invalid normalization form: {name}"),
            ));
        }
    })
}

fn normalize(text: &str, form: Form) -> String {
    match form {
        Form::Nfc => text.nfc().collect(),
        Form::Nfd => text.nfd().collect(),
        Form::Nfkc => text.nfkc().collect(),
        Form::Nfkd => text.nfkd().collect(),
    }
}

fn is_normalized(text: &str, form: Form) -> bool {
    match form {
        Form::Nfc => is_nfc(text),
        Form::Nfd => is_nfd(text),
        Form::Nfkc => is_nfkc(text),
        Form::Nfkd => is_nfkd(text),
    }
}

fn bad_pair() -> Error {
    Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair")
}

/// The code after a backslash, `XXXX`, `+XXXXXX`, `uXXXX` or `UXXXXXXXX`, and its length in bytes.
fn escape(rest: &str) -> Result<(u32, usize)> {
    let (skip, digits) = match rest.as_bytes().first() {
        Some(b'+') => (1, 6),
        Some(b'u') => (1, 4),
        Some(b'U') => (1, 8),
        _ => (0, 4),
    };
    let code = rest
        .get(skip..skip + digits)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| u32::from_str_radix(text, 16).ok());
    let code = code.ok_or_else(|| {
        Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
            .hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    })?;
    if code == 0 || code > 0x0010_ffff {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid Unicode code point: {code:04X}"),
        ));
    }
    Ok((code, skip + digits))
}

fn unistr(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    // The first half of a surrogate pair, whose second must follow.
    let mut high: Option<u32> = None;
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        if char != '\\' || rest.starts_with('\\') {
            if high.is_some() {
                return Err(bad_pair());
            }
            if char == '\\' {
                rest = &rest[1..];
            }
            out.push(char);
            continue;
        }
        let (code, length) = escape(rest)?;
        rest = &rest[length..];
        let code = match (high.take(), code) {
            (None, 0xd800..=0xdbff) => {
                high = Some(code);
                continue;
            }
            (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high & 0x3ff) << 10) + (code & 0x3ff),
            (Some(_), _) => return Err(bad_pair()),
            (None, code) => code,
        };
        out.push(char::from_u32(code).ok_or_else(bad_pair)?);
    }
    if high.is_some() {
        return Err(bad_pair());
    }
    Ok(out)
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    4350 normalize(Text, Text) -> Text: strict immutable raises defaults_1 = |c, a| match a.len() {
        1 => map1(c, a, |text: &str| normalize(text, Form::Nfc)),
        _ => map2(c, a, |text: &str, name: &str| form(name).map(|form| normalize(text, form))),
    };
    4351 is_normalized(Text, Text) -> Bool: strict immutable raises defaults_1 = |c, a| match a.len() {
        1 => map1(c, a, |text: &str| is_normalized(text, Form::Nfc)),
        _ => map2(c, a, |text: &str, name: &str| form(name).map(|form| is_normalized(text, form))),
    };
    6198 unistr(Text) -> Text: strict immutable raises = |c, a| map1(c, a, unistr);
};
