//! Constants lifted out of a text, so that texts that differ in them alone share a plan.
//!
//! ```text
//! UPDATE t SET a = a + -5 WHERE id = 12;      template: UPDATE t SET a = a + $1 WHERE id = $2
//!                                             constants: Int4(-5), Int4(12)
//! ```
//! Numbers keep the type that PostgreSQL's scanner gives them, strings stay without one, as parameters of unknown type.
//! What a parameter could not stand for in the same sense (a number after ORDER BY, a string after a type's name) either
//! makes the text unfit here, or its template fails to parse or plan. A text that is not understood at a glance is unfit: this is a
//! shortcut, and whoever uses it has the way without it.
//!
//! Invariant: a fit text and its template with the constants put in mean the same, up to the positions in errors.

use std::fmt::Write as _;

/// A constant of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A whole number that fits in int4.
    Int4(i32),
    /// Another one that fits in int8.
    Int8(i64),
    /// A number with a point, as written.
    Numeric(String),
    /// A string.
    String(String),
}

/// A text without its constants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifted {
    /// The text with parameters in the constants' places.
    pub template: String,
    /// The constants, in order.
    pub constants: Vec<Constant>,
}

/// Most constants that are lifted out of a text.
const CONSTANTS_MAX: usize = 4096;

/// Words after which a constant may be more than a value.
const UNFIT_WORDS: &[&[u8]] = &[
    b"by",
    b"limit",
    b"offset",
    b"fetch",
    b"interval",
    b"on",
    b"over",
    b"window",
    b"with",
    b"union",
    b"intersect",
    b"except",
    b"escape",
    b"collate",
    b"array",
    b"row",
    b"case",
    b"exists",
];

/// Lifts the constants out of a text of one statement; none if it has no constants or is not of the simple kind.
pub fn lift(text: &str) -> Option<Lifted> {
    let bytes = text.as_bytes();
    let first = bytes.trim_ascii_start().first_chunk::<6>()?.to_ascii_lowercase();
    if ![b"select", b"insert", b"update", b"delete"].contains(&first.as_slice().first_chunk()?) {
        return None;
    }
    let mut out = Lifted { template: String::with_capacity(text.len() + 8), constants: vec![] };
    let mut at = 0;
    // The last byte that is no blank, and how much of the template is copied of the text.
    let (mut before, mut copied) = (b'(', 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let start = at;
                while bytes.get(at).is_some_and(|&byte| is_word(byte)) {
                    at += 1;
                }
                let word = &bytes[start..at];
                // A string right behind a word is of the word's kind.
                if bytes.get(at) == Some(&b'\'')
                    || UNFIT_WORDS.iter().any(|unfit| word.eq_ignore_ascii_case(unfit))
                {
                    return None;
                }
                before = b'a';
                continue;
            }
            b'"' => {
                at += 1 + bytes[at + 1..].iter().position(|&byte| byte == b'"')?;
                before = b'a';
            }
            b'0'..=b'9' if before != b'.' => {
                // A sign behind an operator or at the head of an expression is the number's own.
                let head = text[copied..at].trim_end_matches(' ');
                let is_negative = before == b'-' && is_sign(&text[..copied], head);
                let kept = if is_negative { &head[..head.len() - 1] } else { &text[copied..at] };
                out.template.push_str(kept);
                at = number(bytes, at, is_negative, &mut out)?;
                copied = at;
                before = b'0';
                continue;
            }
            b'\'' => {
                out.template.push_str(&text[copied..at]);
                at = string(text, at, &mut out)?;
                copied = at;
                before = b'0';
                continue;
            }
            b';' => {
                if !text[at + 1..].trim_ascii().is_empty() {
                    return None;
                }
                break;
            }
            b' ' | b'\n' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            // Comments, or nearly so.
            b'-' | b'*' if before == byte || before == b'/' => return None,
            b'(' | b')' | b',' | b'=' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' => {
                before = byte;
            }
            // Qualified names; a number that begins with a point is rare.
            b'.' if before == b'a' => before = byte,
            _ => return None,
        }
        at += 1;
    }
    out.template.push_str(&text[copied..at]);
    (!out.constants.is_empty()).then_some(out)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the minus at the end of `head` is a sign; `done` is the text before it.
fn is_sign(done: &str, head: &str) -> bool {
    let rest = head[..head.len() - 1].trim_ascii_end();
    match rest.as_bytes().last() {
        Some(byte) => matches!(byte, b'(' | b',' | b'=' | b'<' | b'>' | b'+' | b'*' | b'/'),
        // A constant, or nothing at all, is before it.
        None => done.is_empty(),
    }
}

/// Takes a number; gives where it ends.
fn number(bytes: &[u8], start: usize, is_negative: bool, out: &mut Lifted) -> Option<usize> {
    let mut at = start;
    let mut value: i64 = 0;
    let mut is_whole = true;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' if is_whole => {
                value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
            }
            b'0'..=b'9' => {}
            b'.' if is_whole => is_whole = false,
            _ if is_word(byte) || byte == b'.' || byte == b'$' || byte >= 128 => return None,
            _ => break,
        }
        at += 1;
    }
    // Where the sign decides of the type.
    if value == i64::from(i32::MAX) + 1 {
        return None;
    }
    let digits = std::str::from_utf8(&bytes[start..at]).ok()?;
    let value = if is_negative { -value } else { value };
    push(
        out,
        match i32::try_from(value) {
            _ if !is_whole => {
                Constant::Numeric(format!("{}{digits}", if is_negative { "-" } else { "" }))
            }
            Ok(value) => Constant::Int4(value),
            Err(_) => Constant::Int8(value),
        },
    )?;
    Some(at)
}

/// Takes a string; gives where it ends.
fn string(text: &str, start: usize, out: &mut Lifted) -> Option<usize> {
    let mut value = String::new();
    let mut at = start + 1;
    loop {
        let end = at + text[at..].find('\'')?;
        value.push_str(&text[at..end]);
        at = end + 1;
        if text.as_bytes().get(at) != Some(&b'\'') {
            break;
        }
        value.push('\'');
        at += 1;
    }
    // Strings that a line break separates are one.
    if text[at..].trim_ascii_start().starts_with('\'') {
        return None;
    }
    push(out, Constant::String(value))?;
    Some(at)
}

fn push(out: &mut Lifted, constant: Constant) -> Option<()> {
    out.constants.push(constant);
    let _ = write!(out.template, "${}", out.constants.len());
    (out.constants.len() <= CONSTANTS_MAX).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        match lift(text) {
            None => "unfit".to_owned(),
            Some(Lifted { template, constants }) => {
                let show = |constant: &Constant| match constant {
                    Constant::Int4(value) => format!("int4 {value}"),
                    Constant::Int8(value) => format!("int8 {value}"),
                    Constant::Numeric(text) => format!("numeric {text}"),
                    Constant::String(text) => format!("'{text}'"),
                };
                let constants: Vec<_> = constants.iter().map(show).collect();
                format!("{template} [{}]", constants.join(", "))
            }
        }
    }

    #[test]
    fn constants_become_parameters() {
        for (text, wanted) in [
            ("SELECT a FROM t WHERE id = 12;", "SELECT a FROM t WHERE id = $1 [int4 12]"),
            (
                "UPDATE t SET a = a + -5 WHERE id=3",
                "UPDATE t SET a = a + $1 WHERE id=$2 [int4 -5, int4 3]",
            ),
            ("UPDATE t SET a = a - 5, b = -1", "UPDATE t SET a = a - $1, b = $2 [int4 5, int4 -1]"),
            ("SELECT 3-2, -5 AS \"x\"", "SELECT $1-$2, $3 AS \"x\" [int4 3, int4 2, int4 -5]"),
            (
                "INSERT INTO t1 VALUES (1.50, 'it''s', 2147483647)",
                "INSERT INTO t1 VALUES ($1, $2, $3) [numeric 1.50, 'it's', int4 2147483647]",
            ),
            (
                "SELECT \"a 1\".x FROM s.t WHERE x=-9000000000 ",
                "SELECT \"a 1\".x FROM s.t WHERE x=$1  [int8 -9000000000]",
            ),
            ("SELECT a FROM t", "unfit"),
        ] {
            assert_eq!(show(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_unfit() {
        for text in [
            "SELECT 1; SELECT 2",
            "SELECT 1 -- one",
            "SELECT 1 /* one */",
            "SELECT a FROM t WHERE b = 2 ORDER BY 1",
            "SELECT a FROM t WHERE b = 2 LIMIT 1",
            "SELECT E'a\\n'",
            "SELECT $1 + 1",
            "SELECT '1'::int",
            "SELECT 1e5",
            "SELECT 0x1f",
            "SELECT .5",
            "SELECT 1..2",
            "SELECT 2147483648",
            "SELECT -2147483648",
            "SELECT 99999999999999999999",
            "SELECT 'a'\n'b'",
            "SELECT 'open",
            "SELECT \"open",
            "SELECT 3 - -2",
            "SELECT 5 %-1",
            "SET a = 1",
            "SELECT é = 1",
            "SELECT 1 || 'a'",
        ] {
            assert_eq!(show(text), "unfit", "{text}");
        }
    }
}
