//! The values of names and strings: folding, truncation, escapes, continuations.
//!
//! These run on tokens that the scanner has already found the ends of, so quotes are known to be balanced.

use super::{Kind, Token};
use crate::error::{ParseError, Result};

/// The most bytes of a name.
const NAME_BYTES_MAX: usize = 63;

/// The name that `token`, an identifier or key word, stands for: folded to lower case unless quoted, and cut to 63 bytes
/// at a character's border.
pub(crate) fn decode_identifier(text: &str, token: Token) -> Result<Box<str>> {
    let source = &text[token.start as usize..token.end as usize];
    let mut name = match token.kind {
        Kind::QuotedIdentifier => {
            let inner = &source[1..source.len() - 1];
            if inner.contains('"') { inner.replace("\"\"", "\"") } else { inner.to_owned() }
        }
        Kind::UnicodeIdentifier => unicode(source, token.start, b'"')?,
        _ => source.to_ascii_lowercase(),
    };
    if name.len() > NAME_BYTES_MAX {
        let mut end = NAME_BYTES_MAX;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    Ok(name.into_boxed_str())
}

/// The content of `token`, a string of any spelling.
pub(crate) fn decode_string(text: &str, token: Token) -> Result<Box<str>> {
    let source = &text[token.start as usize..token.end as usize];
    let content = match token.kind {
        Kind::EscapeString => return escaped(source, token.start),
        Kind::UnicodeString => unicode(source, token.start, b'\'')?,
        Kind::DollarString => {
            let tag = source[1..].find('$').map_or(source.len(), |at| at + 2);
            return Ok(source.get(tag..source.len() - tag).unwrap_or("").into());
        }
        Kind::BitString | Kind::HexString => plain(&source[1..]),
        _ => plain(source),
    };
    Ok(content.into_boxed_str())
}

/// A string without escapes: `'a''b'`, with continuations. `source` starts and ends with a quote.
fn plain(source: &str) -> String {
    let inner = &source[1..source.len() - 1];
    if !inner.contains('\'') {
        return inner.to_owned();
    }
    let mut content = String::with_capacity(inner.len());
    segments(source, |part| content.push_str(part));
    content
}

/// Calls `push` with each run of content of a string that may have doubled quotes and continuations.
fn segments(source: &str, mut push: impl FnMut(&str)) {
    let mut rest = &source[1..];
    while let Some(quote) = rest.find('\'') {
        push(&rest[..quote]);
        rest = &rest[quote + 1..];
        if let Some(after) = rest.strip_prefix('\'') {
            push("'");
            rest = after;
        } else {
            // A continuation, or the end.
            rest = skip_to_quote(rest);
        }
    }
}

/// Behind the opening quote of a continuation; empty at the end of the string.
fn skip_to_quote(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.trim_start_matches(|c| c != '\n' && c != '\r');
        } else {
            return rest.strip_prefix('\'').unwrap_or("");
        }
    }
}

/// `E'...'`.
fn escaped(source: &str, start: u32) -> Result<Box<str>> {
    let bytes = source.as_bytes();
    let mut content: Vec<u8> = Vec::with_capacity(source.len());
    let mut at = 2;
    // The first half of a surrogate pair that waits for its second.
    let mut high: Option<u32> = None;
    while at < bytes.len() {
        let byte = bytes[at];
        let here = start + at as u32;
        if high.is_some() && !(byte == b'\\' && matches!(bytes.get(at + 1), Some(b'u' | b'U'))) {
            return Err(invalid_surrogate(source, at, here));
        }
        if byte == b'\'' {
            if bytes.get(at + 1) == Some(&b'\'') {
                content.push(b'\'');
                at += 2;
            } else {
                at = bytes.len() - skip_to_quote(&source[at + 1..]).len();
            }
            continue;
        }
        if byte != b'\\' {
            content.push(byte);
            at += 1;
            continue;
        }
        let Some(&letter) = bytes.get(at + 1) else { break };
        at += 2;
        match letter {
            b'b' => content.push(8),
            b'f' => content.push(12),
            b'n' => content.push(b'\n'),
            b'r' => content.push(b'\r'),
            b't' => content.push(b'\t'),
            b'0'..=b'7' => {
                let mut value = u32::from(letter - b'0');
                let mut count = 1;
                while count < 3 && matches!(bytes.get(at), Some(b'0'..=b'7')) {
                    value = value * 8 + u32::from(bytes[at] - b'0');
                    at += 1;
                    count += 1;
                }
                push_byte(&mut content, value as u8)?;
            }
            b'x' if bytes.get(at).is_some_and(u8::is_ascii_hexdigit) => {
                let mut value = 0;
                let mut count = 0;
                while count < 2 && bytes.get(at).is_some_and(u8::is_ascii_hexdigit) {
                    value = value * 16 + hex_digit(bytes[at]);
                    at += 1;
                    count += 1;
                }
                push_byte(&mut content, value as u8)?;
            }
            b'u' | b'U' => {
                let width = if letter == b'u' { 4 } else { 8 };
                let digits = bytes.get(at..at + width).unwrap_or(&[]);
                if digits.len() < width || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(ParseError::new("22025", "invalid Unicode escape", here)
                        .with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX."));
                }
                at += width;
                let value = hex(digits);
                push_unicode(&mut content, &mut high, value)
                    .map_err(|failure| failure.at(source, at - width - 2, here))?;
            }
            _ => {
                // Any other character stands for itself; it may be several bytes long.
                content.push(letter);
            }
        }
    }
    String::from_utf8(content).map(String::into_boxed_str).map_err(|error| {
        let bytes = error.as_bytes();
        let bad = error.utf8_error();
        let from = bad.valid_up_to();
        let to = bad.error_len().map_or(bytes.len(), |length| from + length);
        invalid_bytes(&bytes[from..to], start)
    })
}

fn push_byte(content: &mut Vec<u8>, byte: u8) -> Result<()> {
    if byte == 0 {
        return Err(invalid_bytes(&[0], 0));
    }
    content.push(byte);
    Ok(())
}

fn invalid_bytes(bytes: &[u8], position: u32) -> ParseError {
    let list: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let message = format!("invalid byte sequence for encoding \"UTF8\": {}", list.join(" "));
    ParseError::new("22021", message, position)
}

/// Why a code point was refused.
enum BadUnicode {
    Value,
    Surrogate,
}

impl BadUnicode {
    fn at(&self, source: &str, offset: usize, position: u32) -> ParseError {
        match self {
            Self::Value => {
                let near = &source[offset..];
                let near = near.get(..6).unwrap_or(near);
                ParseError::new(
                    "42601",
                    format!("invalid Unicode escape value at or near \"{near}\""),
                    position,
                )
            }
            Self::Surrogate => invalid_surrogate(source, offset, position),
        }
    }
}

fn invalid_surrogate(source: &str, offset: usize, position: u32) -> ParseError {
    let near: String = source.get(offset..).unwrap_or("").chars().take(1).collect();
    ParseError::new(
        "42601",
        format!("invalid Unicode surrogate pair at or near \"{near}\""),
        position,
    )
}

/// Appends code point `value`, or keeps the first half of a surrogate pair in `high`.
fn push_unicode(
    content: &mut Vec<u8>,
    high: &mut Option<u32>,
    value: u32,
) -> Result<(), BadUnicode> {
    let value = match (high.take(), value) {
        (None, 0xd800..=0xdbff) => {
            *high = Some(value);
            return Ok(());
        }
        (Some(first), 0xdc00..=0xdfff) => 0x1_0000 + ((first - 0xd800) << 10) + (value - 0xdc00),
        (Some(_), _) | (None, 0xdc00..=0xdfff) => return Err(BadUnicode::Surrogate),
        (None, value) => value,
    };
    let Some(character) = char::from_u32(value).filter(|&character| character != '\0') else {
        return Err(BadUnicode::Value);
    };
    content.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

fn hex_digit(byte: u8) -> u32 {
    (byte as char).to_digit(16).unwrap_or(0)
}

fn hex(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, &digit| value.wrapping_mul(16) + hex_digit(digit))
}

/// `U&'...'` and `U&"..."`, with `UESCAPE 'c'` behind them.
fn unicode(source: &str, start: u32, quote: u8) -> Result<String> {
    // The escape character is what stands before the last quote of a UESCAPE clause.
    let (body, escape) = split_uescape(source, quote);
    let mut raw = String::with_capacity(body.len());
    let mark = if quote == b'"' {
        raw.push_str(&body[3..body.len() - 1].replace("\"\"", "\""));
        "\""
    } else {
        segments(&body[2..], |part| raw.push_str(part));
        "'"
    };
    let bytes = raw.as_bytes();
    let mut content = Vec::with_capacity(bytes.len());
    let mut high = None;
    let mut at = 0;
    // Positions are exact as long as no quote or continuation stands before the escape.
    let here = |at: usize| start + 3 + at as u32;
    while at < bytes.len() {
        if bytes[at] != escape || bytes.get(at + 1) == Some(&escape) {
            if high.is_some() {
                return Err(invalid_surrogate(&raw, at, here(at)));
            }
            content.push(bytes[at]);
            at += if bytes[at] == escape { 2 } else { 1 };
            continue;
        }
        let (skip, width) = if bytes.get(at + 1) == Some(&b'+') { (2, 6) } else { (1, 4) };
        let digits = bytes.get(at + skip..at + skip + width).unwrap_or(&[]);
        if digits.len() < width || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(ParseError::new("42601", "invalid Unicode escape", here(at))
                .with_hint("Unicode escapes must be \\XXXX or \\+XXXXXX."));
        }
        push_unicode(&mut content, &mut high, hex(digits))
            .map_err(|failure| failure.at(&raw, at, here(at)))?;
        at += skip + width;
    }
    if high.is_some() {
        return Err(invalid_surrogate(mark, 0, here(bytes.len())));
    }
    // The scanner works on characters' borders: what is between escapes is the text's own UTF-8.
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// The quoted part of a `U&` token, and its escape character.
fn split_uescape(source: &str, quote: u8) -> (&str, u8) {
    let bytes = source.as_bytes();
    let length = bytes.len();
    let simple = (source, b'\\');
    if length < 10 || bytes[length - 1] != b'\'' || bytes[length - 3] != b'\'' {
        return simple;
    }
    // Walk the quoted part to its end; whatever follows is the clause.
    let mut at = 3;
    loop {
        match bytes.get(at) {
            None => return simple,
            Some(&byte) if byte == quote => {
                if bytes.get(at + 1) == Some(&quote) {
                    at += 2;
                    continue;
                }
                at += 1;
                let rest = &source[at..];
                if quote == b'\'' {
                    let continued = skip_to_quote(rest);
                    if !continued.is_empty() {
                        at = length - continued.len();
                        continue;
                    }
                }
                return if rest.is_empty() { simple } else { (&source[..at], bytes[length - 2]) };
            }
            Some(_) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokenize;
    use super::*;

    fn string(text: &str) -> Result<Box<str>> {
        decode_string(text, tokenize(text).list[0])
    }

    fn name(text: &str) -> Box<str> {
        decode_identifier(text, tokenize(text).list[0]).unwrap()
    }

    #[test]
    fn strings_are_unescaped() {
        for (text, content) in [
            ("'a''b'", "a'b"),
            ("'a'\n 'b'", "ab"),
            ("'a' -- c'\n 'b'", "ab"),
            (r"E'a\n\x41\101\u0042\\\'''x'", "a\nAAB\\''x"),
            (r"E'\u00e9é\é'", "\u{e9}\u{e9}\u{e9}"),
            ("E'a'\n'b'", "ab"),
            (r"E'\ud83d\ude00'", "\u{1f600}"),
            (r"U&'d\0061t\+000061'", "data"),
            (r"U&'d!0061' UESCAPE '!'", "da"),
            (r"U&'d\\x'", "d\\x"),
            ("$$a'b$$", "a'b"),
            ("$x$a$$b$x$", "a$$b"),
            ("B'01'", "01"),
            ("'a\\n'", "a\\n"),
            ("''", ""),
        ] {
            assert_eq!(string(text).as_deref(), Ok(content), "{text}");
        }
    }

    #[test]
    fn bad_escapes_are_named() {
        for (text, sqlstate, message) in [
            (r"E'\u12'", "22025", "invalid Unicode escape"),
            (r"U&'\12'", "42601", "invalid Unicode escape"),
            (r"E'\ud800'", "42601", "invalid Unicode surrogate pair at or near \"'\""),
            (r"E'\xff'", "22021", "invalid byte sequence for encoding \"UTF8\": 0xff"),
            (r"E'\000'", "22021", "invalid byte sequence for encoding \"UTF8\": 0x00"),
        ] {
            let error = string(text).unwrap_err();
            assert_eq!((error.sqlstate, error.message.as_str()), (sqlstate, message), "{text}");
        }
    }

    #[test]
    fn names_are_folded_and_cut() {
        assert_eq!(&*name("FooÉ"), "fooÉ");
        assert_eq!(&*name("\"Fo\"\"o\""), "Fo\"o");
        assert_eq!(&*name(r#"U&"d\0061t!""#), "dat!");
        assert_eq!(&*name(r#"U&"d!0061t" UESCAPE '!'"#), "dat");
        assert_eq!(name(&"x".repeat(80)).len(), 63);
        assert_eq!(name(&"é".repeat(40)).len(), 62);
    }
}
