//! Decimal digits of integers, two at a time.
//!
//! The wire encoder spends much of its time here, so nothing goes through `fmt`.

/// "00" to "99".
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut i = 0;
    while i < 100 {
        pairs[i * 2] = b'0' + (i / 10) as u8;
        pairs[i * 2 + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    pairs
};

/// 10^19, the largest power of ten in u64.
const TEN_19: u128 = 10_000_000_000_000_000_000;

/// Fills `slot` from its end with the digits of `value`; gives the first used place.
#[inline]
fn fill(slot: &mut [u8], mut value: u64) -> usize {
    let mut at = slot.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        slot[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        at -= 2;
        slot[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        slot[at] = b'0' + value as u8;
    }
    at
}

/// Appends `value`.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    let mut slot = [0; 20];
    let at = fill(&mut slot, value);
    out.extend_from_slice(&slot[at..]);
}

/// Appends `value`.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(out, value.unsigned_abs());
}

/// Appends two digits; `value` is below 100.
#[inline]
pub(crate) fn write_2(out: &mut Vec<u8>, value: u32) {
    let pair = value as usize % 100 * 2;
    out.extend_from_slice(&PAIRS[pair..pair + 2]);
}

/// Appends `value` with at least `width` digits (at most 20), zeros in front.
#[inline]
pub(crate) fn write_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut slot = [b'0'; 20];
    let at = fill(&mut slot, value);
    out.extend_from_slice(&slot[at.min(20 - width.min(20))..]);
}

/// Digits of any u128, in a buffer of 39; gives the first used place.
fn fill_u128(slot: &mut [u8; 39], value: u128) -> usize {
    if let Ok(small) = u64::try_from(value) {
        return fill(slot, small);
    }
    // Two steps, since 2^128 is above 10^38: the low 19 digits, then what is left.
    slot.fill(b'0');
    fill(slot, (value % TEN_19) as u64);
    let high = value / TEN_19;
    if let Ok(small) = u64::try_from(high) {
        return fill(&mut slot[..20], small);
    }
    fill(&mut slot[..20], (high % TEN_19) as u64);
    slot[0] = b'0' + (high / TEN_19) as u8;
    0
}

/// Appends `mantissa` * 10^-`scale` with all `scale` digits after the point.
pub(crate) fn write_decimal(out: &mut Vec<u8>, mantissa: i128, scale: usize) {
    if mantissa < 0 {
        out.push(b'-');
    }
    let mut slot = [0; 39];
    let at = fill_u128(&mut slot, mantissa.unsigned_abs());
    let digits = &slot[at..];
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_fmt() {
        let mut seed = 1u128;
        for shift in 0..128 {
            for _ in 0..20 {
                seed = seed.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).wrapping_add(1);
                let value = (seed >> shift) as i128 & i128::MAX | 1;
                let mut out = vec![];
                write_decimal(&mut out, -value, 0);
                assert_eq!(String::from_utf8_lossy(&out), format!("-{value}"));
            }
        }
        let mut out = vec![];
        write_decimal(&mut out, 5, 3);
        out.push(b' ');
        write_decimal(&mut out, -12345, 3);
        out.push(b' ');
        write_i64(&mut out, i64::MIN);
        out.push(b' ');
        write_padded(&mut out, 7, 4);
        assert_eq!(out, b"0.005 -12.345 -9223372036854775808 0007");
    }
}
