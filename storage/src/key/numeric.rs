//! Numerics of any length as bytes in their order.
//!
//! ```text
//! class u8: -infinity, negative, zero, positive, infinity, NaN
//! of a positive number:  exponent, digits + 1 each, 0
//! of a negative number:  the same inverted
//! ```
//! The number is `0.D1 D2 D3... * 100^exponent` with base-100 digits, D1 not zero and the last one not zero, so equal
//! numbers have one form whatever their display scale. Digits are stored plus one, so that the 0 at the end is below
//! all: a number is below any that goes on after the same digits.
//!
//! An exponent from -64 to 63 is one byte; others are an escape byte, below or above all those, and three more.

use damask_types::Numeric;
use smallvec::SmallVec;

const NEGATIVE_INFINITY: u8 = 0x10;
const NEGATIVE: u8 = 0x20;
const ZERO: u8 = 0x30;
const POSITIVE: u8 = 0x40;
const INFINITY: u8 = 0x50;
const NAN: u8 = 0x60;

/// An exponent in one byte is this far up.
const SHORT_BIAS: i32 = 128;
/// Exponents in one byte.
const SHORT: std::ops::Range<i32> = -64..64;
/// Before an exponent below [`SHORT`], and what three bytes of it are counted from.
const FAR_BELOW: u8 = 0x10;
/// Before an exponent above [`SHORT`].
const FAR_ABOVE: u8 = 0xf0;
const FAR_BIAS: i32 = 1 << 23;

/// Decimal digits, most significant first.
type Digits = SmallVec<[u8; 64]>;

/// Appends a numeric.
pub(super) fn encode(value: &Numeric, out: &mut Vec<u8>) {
    let (negative, mut digits, scale) = match value {
        Numeric::NaN => return out.push(NAN),
        Numeric::PositiveInfinity => return out.push(INFINITY),
        Numeric::NegativeInfinity => return out.push(NEGATIVE_INFINITY),
        Numeric::Decimal { mantissa, scale } => {
            (*mantissa < 0, digits_of(mantissa.unsigned_abs()), *scale)
        }
        Numeric::Big(big) => {
            let mut digits = Digits::new();
            for limb in &big.limbs {
                push_digits(&mut digits, (*limb).into(), 9);
            }
            digits.reverse();
            (big.negative, digits, big.scale)
        }
    };
    // Leading and trailing zeros say nothing; `point` digits are before the point.
    let leading = digits.iter().take_while(|&&digit| digit == 0).count();
    let point = (digits.len() - leading) as i32 - i32::from(scale);
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let Some(digits) = digits.get(leading..).filter(|digits| !digits.is_empty()) else {
        return out.push(ZERO);
    };
    out.push(if negative { NEGATIVE } else { POSITIVE });
    let start = out.len();
    push_exponent((point + 1).div_euclid(2), out);
    // With an odd number of digits before the point the first pair is "0d".
    let (first, rest) = digits.split_at((point.rem_euclid(2) as usize).min(digits.len()));
    out.extend(first.iter().map(|digit| digit + 1));
    for pair in rest.chunks(2) {
        out.push(pair[0] * 10 + pair.get(1).copied().unwrap_or(0) + 1);
    }
    out.push(0);
    if negative {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn push_exponent(exponent: i32, out: &mut Vec<u8>) {
    if SHORT.contains(&exponent) {
        return out.push((exponent + SHORT_BIAS) as u8);
    }
    out.push(if exponent < 0 { FAR_BELOW } else { FAR_ABOVE });
    out.extend_from_slice(&((exponent + FAR_BIAS) as u32).to_be_bytes()[1..]);
}

fn digits_of(mut value: u128) -> Digits {
    const CHUNK: u128 = 10u128.pow(18);
    let mut digits = Digits::new();
    while value >= CHUNK {
        push_digits(&mut digits, (value % CHUNK) as u64, 18);
        value /= CHUNK;
    }
    let mut value = value as u64;
    while value != 0 {
        digits.push((value % 10) as u8);
        value /= 10;
    }
    digits.reverse();
    digits
}

/// Appends `count` digits of `value`, least significant first.
fn push_digits(digits: &mut Digits, mut value: u64, count: usize) {
    for _ in 0..count {
        digits.push((value % 10) as u8);
        value /= 10;
    }
}
