//! Numerics as text: what PostgreSQL's `numeric_in` takes and `numeric_out` gives.

use super::{Dec, Numeric, SCALE_MAX, WHOLE_DIGITS_MAX, limbs, overflow};
use crate::format::digits::write_decimal;
use crate::{Error, Result, SqlState};
use std::fmt;

/// An exponent of this size or more is out of range whatever it belongs to.
const EXPONENT_LIMIT: i64 = i32::MAX as i64 / 2;

impl Numeric {
    /// Reads `text`: digits with a point, an exponent, `NaN`, `Infinity`, `inf`, blanks around.
    ///
    /// # Errors
    /// 22P02 for malformed text, 22003 if it has too many digits.
    pub fn parse(text: &str) -> Result<Self> {
        let bytes = text.trim_matches(crate::format::is_space).as_bytes();
        match parse_bytes(bytes) {
            Some(result) => result,
            None => Err(Error::new(
                SqlState::INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type numeric: \"{text}\""),
            )),
        }
    }

    /// Appends the text form.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Decimal { mantissa, scale } => write_decimal(out, *mantissa, (*scale).into()),
            Self::Big(big) => write_big(big.negative, &big.limbs, big.scale.into(), out),
            Self::NaN => out.extend_from_slice(b"NaN"),
            Self::PositiveInfinity => out.extend_from_slice(b"Infinity"),
            Self::NegativeInfinity => out.extend_from_slice(b"-Infinity"),
        }
    }
}

fn write_big(negative: bool, magnitude: &[u32], scale: usize, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    if scale == 0 {
        return limbs::write_digits(magnitude, out);
    }
    let mut digits = Vec::new();
    limbs::write_digits(magnitude, &mut digits);
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(&digits);
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out);
        f.write_str(str::from_utf8(&out).expect("digits are ASCII"))
    }
}

/// `None` is a syntax error.
fn parse_bytes(bytes: &[u8]) -> Option<Result<Numeric>> {
    let (negative, rest) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let whole = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = whole;
    let mut fraction = 0;
    if rest.get(at) == Some(&b'.') {
        fraction = rest[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return special(bytes).map(Ok);
    }
    let number = &rest[..at];
    let mut exponent = 0i64;
    if let Some(b'e' | b'E') = rest.get(at) {
        at += 1;
        let minus = rest.get(at) == Some(&b'-');
        at += usize::from(matches!(rest.get(at), Some(b'+' | b'-')));
        let digits = rest[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for digit in &rest[at..at + digits] {
            exponent = (exponent * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT);
        }
        if exponent >= EXPONENT_LIMIT {
            return Some(Err(overflow()));
        }
        if minus {
            exponent = -exponent;
        }
        at += digits;
    }
    if at != rest.len() {
        return None;
    }
    // The common case: a short number without an exponent.
    if whole + fraction <= 38 && exponent == 0 {
        let mut magnitude = 0i128;
        for digit in number.iter().filter(|b| **b != b'.') {
            magnitude = magnitude * 10 + i128::from(digit - b'0');
        }
        let mantissa = if negative { -magnitude } else { magnitude };
        return Some(Ok(Numeric::Decimal { mantissa, scale: fraction as u16 }));
    }
    Some(parse_long(negative, &rest[..whole], fraction, rest, exponent))
}

fn parse_long(
    negative: bool,
    whole: &[u8],
    fraction: usize,
    rest: &[u8],
    exponent: i64,
) -> Result<Numeric> {
    let mut digits = Vec::with_capacity(whole.len() + fraction);
    digits.extend_from_slice(whole);
    if fraction > 0 {
        digits.extend_from_slice(&rest[whole.len() + 1..whole.len() + 1 + fraction]);
    }
    let magnitude = limbs::from_digits(&digits);
    let scale = fraction as i64 - exponent;
    if magnitude.is_empty() {
        let scale = scale.max(0) as usize;
        return Dec { negative: false, limbs: vec![], scale }.finish();
    }
    if scale > SCALE_MAX as i64
        || limbs::digits(&magnitude) as i64 - scale > WHOLE_DIGITS_MAX as i64
    {
        return Err(overflow());
    }
    let (limbs, scale) = if scale < 0 {
        (limbs::shift_up(&magnitude, scale.unsigned_abs() as usize), 0)
    } else {
        (magnitude, scale as usize)
    };
    Dec { negative, limbs, scale }.finish()
}

fn special(bytes: &[u8]) -> Option<Numeric> {
    if bytes.eq_ignore_ascii_case(b"nan") {
        return Some(Numeric::NaN);
    }
    let (negative, rest) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let infinite = rest.eq_ignore_ascii_case(b"infinity") || rest.eq_ignore_ascii_case(b"inf");
    infinite.then(|| Numeric::infinity(negative))
}
