//! Text forms of booleans, integers, object identifiers and floats.

use super::digits::write_padded;
use super::{invalid_text, is_space};
use crate::{Error, Result, SqlState};
use std::fmt::Write as _;

/// `true`, `yes`, `on`, `1` and their beginnings, and the opposites.
pub fn parse_bool(text: &str) -> Result<bool> {
    let word = text.trim_matches(is_space);
    let begins = |full: &str, least: usize| {
        word.len() >= least
            && word.len() <= full.len()
            && full.as_bytes()[..word.len()].eq_ignore_ascii_case(word.as_bytes())
    };
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || word == "1" {
        Ok(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(invalid_text("boolean", text))
    }
}

/// A signed integer between two bounds.
fn parse_signed(text: &str, type_name: &str, least: i64, most: i64) -> Result<i64> {
    let bytes = text.trim_matches(is_space).as_bytes();
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(invalid_text(type_name, text));
    }
    let mut value = Some(0i64);
    for &digit in digits {
        let digit = i64::from(digit - b'0');
        value = value.and_then(|value| value.checked_mul(10)).and_then(|value| {
            if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
        });
    }
    value.filter(|value| (least..=most).contains(value)).ok_or_else(|| {
        Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{text}\" is out of range for type {type_name}"),
        )
    })
}

/// An int2.
pub fn parse_i16(text: &str) -> Result<i16> {
    parse_signed(text, "smallint", i16::MIN.into(), i16::MAX.into()).map(|value| value as i16)
}

/// An int4.
pub fn parse_i32(text: &str) -> Result<i32> {
    parse_signed(text, "integer", i32::MIN.into(), i32::MAX.into()).map(|value| value as i32)
}

/// An int8.
pub fn parse_i64(text: &str) -> Result<i64> {
    parse_signed(text, "bigint", i64::MIN, i64::MAX)
}

/// An oid or one of its aliases given as a number; a negative number wraps, as in PostgreSQL.
pub fn parse_oid(text: &str, type_name: &str) -> Result<u32> {
    let word = text.trim_matches(is_space);
    let value: i128 = match word.strip_prefix('+').unwrap_or(word) {
        digits if !digits.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) => {
            return Err(invalid_text(type_name, text));
        }
        "" | "-" => return Err(invalid_text(type_name, text)),
        digits => digits.parse().unwrap_or(i128::MAX),
    };
    if (i32::MIN.into()..0).contains(&value) {
        return Ok(value as i32 as u32);
    }
    u32::try_from(value).map_err(|_| {
        Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{text}\" is out of range for type {type_name}"),
        )
    })
}

/// An unsigned 64-bit number (`xid8`).
pub(crate) fn parse_u64(text: &str, type_name: &str) -> Result<u64> {
    let word = text.trim_matches(is_space);
    word.parse().map_err(|_| invalid_text(type_name, text))
}

/// `NaN` and the infinities in any case.
fn parse_special(word: &str) -> Option<f64> {
    let (negative, rest) = match word.as_bytes() {
        [b'-', ..] => (true, &word[1..]),
        [b'+', ..] => (false, &word[1..]),
        _ => (false, word),
    };
    if rest.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    let infinite = rest.eq_ignore_ascii_case("infinity") || rest.eq_ignore_ascii_case("inf");
    infinite.then_some(if negative { f64::NEG_INFINITY } else { f64::INFINITY })
}

/// Whether `word` is a decimal number that some float could be near.
fn is_decimal(word: &str) -> bool {
    let mut seen_digit = false;
    for (i, b) in word.bytes().enumerate() {
        match b {
            b'0'..=b'9' => seen_digit = true,
            b'.' | b'e' | b'E' => {}
            b'+' | b'-' if i == 0 || matches!(word.as_bytes()[i - 1], b'e' | b'E') => {}
            _ => return false,
        }
    }
    seen_digit
}

/// Whether a number's digits before the exponent are all zero.
fn is_zero(word: &str) -> bool {
    word.bytes().take_while(|b| !matches!(b, b'e' | b'E')).all(|b| !matches!(b, b'1'..=b'9'))
}

macro_rules! parse_float {
    ($(#[$doc:meta])* $name:ident, $ty:ty, $type_name:literal) => {
        $(#[$doc])*
        pub fn $name(text: &str) -> Result<$ty> {
            let word = text.trim_matches(is_space);
            if !is_decimal(word) {
                return match parse_special(word) {
                    Some(value) => Ok(value as $ty),
                    None => Err(invalid_text($type_name, text)),
                };
            }
            let value: $ty = word.parse().map_err(|_| invalid_text($type_name, text))?;
            if value.is_infinite() || (value == 0.0 && !is_zero(word)) {
                return Err(Error::new(
                    SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                    format!("\"{word}\" is out of range for type {}", $type_name),
                ));
            }
            Ok(value)
        }
    };
}
parse_float!(
    /// A float8.
    ///
    /// # Errors
    /// 22P02 for malformed text, 22003 if it is too large or too near zero.
    parse_f64,
    f64,
    "double precision"
);
parse_float!(
    /// A float4.
    ///
    /// # Errors
    /// 22P02 for malformed text, 22003 if it is too large or too near zero.
    parse_f32,
    f32,
    "real"
);

/// A stack buffer for a float's digits: the longest shortest form has 24 bytes, `{:.16e}` 23.
struct Digits {
    bytes: [u8; 40],
    len: usize,
}

impl Digits {
    /// The digits as an integer and the exponent of its last one.
    fn parts(&self) -> (u64, i32) {
        let text = &self.bytes[..self.len];
        let e = text.iter().position(|&b| b == b'e').unwrap_or(text.len());
        let exponent = str::from_utf8(text.get(e + 1..).unwrap_or(&[]))
            .ok()
            .and_then(|text| text.parse::<i32>().ok())
            .unwrap_or(0);
        let digits = text[..e].iter().filter(|b| b.is_ascii_digit());
        let (value, count) = digits.fold((0u64, 0), |(value, count), digit| {
            (value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')), count + 1)
        });
        (value, exponent - (count - 1))
    }

    fn significant(&self) -> usize {
        let e = self.bytes[..self.len].iter().position(|&b| b == b'e').unwrap_or(self.len);
        self.bytes[..e].iter().filter(|b| b.is_ascii_digit()).count()
    }

    /// Whether the digits lie exactly between the float `mantissa` * 2^`exponent` and a neighbour. Rust takes such
    /// digits, because reading them rounds to the even float; PostgreSQL does not rely on how others round.
    fn is_halfway(&self, mantissa: u64, exponent: i32) -> bool {
        if mantissa == 0 || mantissa % 2 == 1 {
            return false;
        }
        let (digits, scale) = self.parts();
        // Halves have 54 bits: more factors of 5 than these fit neither side.
        if !(-2..=24).contains(&scale) || digits == 0 {
            return false;
        }
        let odd = |value: u128| (value >> value.trailing_zeros(), value.trailing_zeros() as i32);
        let (fives, five_exponent) = (5u128.pow(scale.unsigned_abs()), scale);
        let (left, left_twos) =
            if scale >= 0 { odd(u128::from(digits) * fives) } else { odd(digits.into()) };
        [2 * mantissa - 1, 2 * mantissa + 1].into_iter().any(|half| {
            let right = if scale >= 0 { half.into() } else { u128::from(half) * fives };
            left == right && left_twos + five_exponent == exponent - 1
        })
    }

    /// Removes zeros at the end of the fraction.
    fn strip_zeros(&mut self) {
        let Some(e) = self.bytes[..self.len].iter().position(|&b| b == b'e') else {
            return;
        };
        let mut end = e;
        while end > 1 && self.bytes[end - 1] == b'0' {
            end -= 1;
        }
        if self.bytes[end - 1] == b'.' {
            end -= 1;
        }
        self.bytes.copy_within(e..self.len, end);
        self.len -= e - end;
    }
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Appends a float8 under `extra_float_digits`.
#[inline]
pub fn write_f64(out: &mut Vec<u8>, value: f64, extra_float_digits: i32) {
    if extra_float_digits > 0 {
        if write_special(out, value) {
            return;
        }
        let mut digits = Digits { bytes: [0; 40], len: 0 };
        write!(digits, "{value:e}").expect("a float's digits fit their buffer");
        let bits = value.to_bits();
        let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7FF) as i32);
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        let exponent = exponent.max(1) - 1075;
        let mut places = digits.significant();
        while digits.is_halfway(mantissa, exponent) && places < 17 {
            places += 1;
            digits.len = 0;
            write!(digits, "{value:.*e}", places - 1).expect("a float's digits fit their buffer");
            digits.strip_zeros();
        }
        if places >= 16 && (-12..0).contains(&exponent) {
            // The value may lie between two candidates; the exact form takes the even one, as PostgreSQL.
            digits.len = 0;
            write!(digits, "{value:.*e}", places - 1).expect("a float's digits fit their buffer");
        }
        write_scientific(out, &digits.bytes[..digits.len], 15);
    } else {
        write_significant(out, value, (15 + extra_float_digits).max(1));
    }
}

/// Appends a float4 under `extra_float_digits`.
#[inline]
pub fn write_f32(out: &mut Vec<u8>, value: f32, extra_float_digits: i32) {
    if extra_float_digits > 0 {
        if write_special(out, value.into()) {
            return;
        }
        let mut digits = Digits { bytes: [0; 40], len: 0 };
        write!(digits, "{value:e}").expect("a float's digits fit their buffer");
        let bits = value.to_bits();
        let (fraction, exponent) = (bits & ((1 << 23) - 1), (bits >> 23 & 0xFF) as i32);
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 23 };
        let exponent = exponent.max(1) - 150;
        let mut places = digits.significant();
        while digits.is_halfway(mantissa.into(), exponent) && places < 9 {
            places += 1;
            digits.len = 0;
            write!(digits, "{value:.*e}", places - 1).expect("a float's digits fit their buffer");
            digits.strip_zeros();
        }
        if places >= 8 && (-12..0).contains(&exponent) {
            // The value may lie between two candidates; the exact form takes the even one, as PostgreSQL.
            digits.len = 0;
            write!(digits, "{value:.*e}", places - 1).expect("a float's digits fit their buffer");
        }
        write_scientific(out, &digits.bytes[..digits.len], 6);
    } else {
        write_significant(out, value.into(), (6 + extra_float_digits).max(1));
    }
}

/// C's `%.{significant}g`.
pub(crate) fn write_significant(out: &mut Vec<u8>, value: f64, significant: i32) {
    if write_special(out, value) {
        return;
    }
    let mut digits = Digits { bytes: [0; 40], len: 0 };
    write!(digits, "{value:.*e}", significant as usize - 1)
        .expect("a float's digits fit their buffer");
    let text = &digits.bytes[..digits.len];
    let e = text.iter().position(|&b| b == b'e').expect("{:e} writes an exponent");
    let mantissa = if text[..e].contains(&b'.') {
        let zeros = text[..e].iter().rev().take_while(|b| **b == b'0').count();
        let end = e - zeros;
        if text[end - 1] == b'.' { &text[..end - 1] } else { &text[..end] }
    } else {
        &text[..e]
    };
    let mut short = [0; 40];
    short[..mantissa.len()].copy_from_slice(mantissa);
    short[mantissa.len()..mantissa.len() + text.len() - e].copy_from_slice(&text[e..]);
    write_scientific(out, &short[..mantissa.len() + text.len() - e], significant);
}

fn write_special(out: &mut Vec<u8>, value: f64) -> bool {
    if value.is_finite() {
        return false;
    }
    out.extend_from_slice(if value.is_nan() {
        b"NaN".as_slice()
    } else if value > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    });
    true
}

/// Appends `d.ddde±x` as PostgreSQL lays it out: without an exponent from 10^-4 to below 10^`limit`.
fn write_scientific(out: &mut Vec<u8>, text: &[u8], limit: i32) {
    let text = match text {
        [b'-', rest @ ..] => {
            out.push(b'-');
            rest
        }
        rest => rest,
    };
    let e = text.iter().position(|&b| b == b'e').expect("{:e} writes an exponent");
    let (negative, exponent_digits) = match &text[e + 1..] {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let size = exponent_digits.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    let exponent = if negative { -size } else { size };
    let first = text[0];
    let rest = if e > 2 { &text[2..e] } else { &[][..] };
    if exponent < -4 || exponent >= limit {
        out.push(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(if negative { b"e-" } else { b"e+" });
        write_padded(out, size as u64, 2);
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + size as usize - 1, b'0');
        out.push(first);
        out.extend_from_slice(rest);
    } else {
        let whole = size as usize;
        out.push(first);
        if rest.len() <= whole {
            out.extend_from_slice(rest);
            out.resize(out.len() + whole - rest.len(), b'0');
        } else {
            out.extend_from_slice(&rest[..whole]);
            out.push(b'.');
            out.extend_from_slice(&rest[whole..]);
        }
    }
}
