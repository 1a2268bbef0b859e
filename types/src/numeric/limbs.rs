//! Magnitudes of any length: base 10^9 limbs, least significant first, without leading zero limbs.
//!
//! Zero is the empty slice. Decimal shifts are the common operation of numerics, hence the decimal base. Multiplication
//! is schoolbook and division Knuth's algorithm D; the length of numerics is bounded by their format.

use std::cmp::Ordering;

/// The base of a limb.
pub(crate) const BASE: u32 = 1_000_000_000;
/// Decimal digits in a limb.
pub(crate) const LIMB_DIGITS: usize = 9;

/// A magnitude.
pub(crate) type Limbs = Vec<u32>;

/// 10^`n` for n below 10.
pub(crate) const fn small_pow10(n: usize) -> u32 {
    10u32.pow(n as u32)
}

/// Removes leading zero limbs.
pub(crate) fn trim(limbs: &mut Limbs) {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
}

/// The limbs of an integer.
pub(crate) fn from_u128(mut value: u128) -> Limbs {
    let mut limbs = Vec::with_capacity(5);
    while value != 0 {
        limbs.push((value % u128::from(BASE)) as u32);
        value /= u128::from(BASE);
    }
    limbs
}

/// The integer, if it has at most 38 digits.
pub(crate) fn to_u128(limbs: &[u32]) -> Option<u128> {
    if limbs.len() > 5 {
        return None;
    }
    let mut value = 0u128;
    for &limb in limbs.iter().rev() {
        value = value.checked_mul(u128::from(BASE))?.checked_add(u128::from(limb))?;
    }
    (value < super::MANTISSA_LIMIT).then_some(value)
}

/// Order of two magnitudes.
pub(crate) fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

/// a + b.
pub(crate) fn add(a: &[u32], b: &[u32]) -> Limbs {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut out = Vec::with_capacity(long.len() + 1);
    let mut carry = 0;
    for (i, &limb) in long.iter().enumerate() {
        let sum = limb + short.get(i).copied().unwrap_or(0) + carry;
        carry = u32::from(sum >= BASE);
        out.push(if carry == 1 { sum - BASE } else { sum });
    }
    if carry == 1 {
        out.push(1);
    }
    out
}

/// a - b, where a is not less.
pub(crate) fn sub(a: &[u32], b: &[u32]) -> Limbs {
    debug_assert!(compare(a, b).is_ge(), "the difference of magnitudes is not negative");
    let mut out = Vec::with_capacity(a.len());
    let mut borrow = 0;
    for (i, &limb) in a.iter().enumerate() {
        let take = b.get(i).copied().unwrap_or(0) + borrow;
        borrow = u32::from(limb < take);
        out.push(if borrow == 1 { limb + BASE - take } else { limb - take });
    }
    trim(&mut out);
    out
}

/// a * b.
pub(crate) fn mul(a: &[u32], b: &[u32]) -> Limbs {
    let mut out = vec![0u32; a.len() + b.len()];
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0u64;
        for (j, &y) in b.iter().enumerate() {
            // At most 10^9 + 10^18 + 10^9.
            let sum = u64::from(out[i + j]) + u64::from(x) * u64::from(y) + carry;
            out[i + j] = (sum % u64::from(BASE)) as u32;
            carry = sum / u64::from(BASE);
        }
        out[i + b.len()] = carry as u32;
    }
    trim(&mut out);
    out
}

/// a * small + carry, in place; `small` is at most [`BASE`].
pub(crate) fn mul_small(a: &mut Limbs, small: u32, carry: u32) {
    let mut carry = u64::from(carry);
    for limb in a.iter_mut() {
        let sum = u64::from(*limb) * u64::from(small) + carry;
        *limb = (sum % u64::from(BASE)) as u32;
        carry = sum / u64::from(BASE);
    }
    if carry != 0 {
        a.push(carry as u32);
    }
    trim(a);
}

/// a / small in place; gives the remainder.
pub(crate) fn div_small(a: &mut Limbs, small: u32) -> u32 {
    let mut rest = 0u64;
    for limb in a.iter_mut().rev() {
        let value = rest * u64::from(BASE) + u64::from(*limb);
        *limb = (value / u64::from(small)) as u32;
        rest = value % u64::from(small);
    }
    trim(a);
    rest as u32
}

/// Quotient and remainder of a / b, where b is not zero (Knuth, TAOCP 4.3.1, algorithm D).
pub(crate) fn div_rem(a: &[u32], b: &[u32]) -> (Limbs, Limbs) {
    debug_assert!(!b.is_empty(), "division by zero is the caller's error");
    if compare(a, b).is_lt() {
        return (vec![], a.to_vec());
    }
    if let [small] = *b {
        let mut quotient = a.to_vec();
        let rest = div_small(&mut quotient, small);
        return (quotient, if rest == 0 { vec![] } else { vec![rest] });
    }
    let base = u64::from(BASE);
    // D1: a factor that makes the divisor's first limb at least half the base.
    let factor = BASE / (b[b.len() - 1] + 1);
    let mut u = a.to_vec();
    mul_small(&mut u, factor, 0);
    u.resize(a.len() + 1, 0);
    let mut v = b.to_vec();
    mul_small(&mut v, factor, 0);
    let n = v.len();
    let m = u.len() - n - 1;
    let (first, second) = (u64::from(v[n - 1]), u64::from(v[n - 2]));
    let mut quotient = vec![0u32; m + 1];
    for j in (0..=m).rev() {
        // D3: a guess from two limbs, at most one too large after the correction by the third.
        let top = u64::from(u[j + n]) * base + u64::from(u[j + n - 1]);
        let mut guess = top / first;
        let mut rest = top % first;
        while guess >= base || guess * second > rest * base + u64::from(u[j + n - 2]) {
            guess -= 1;
            rest += first;
            if rest >= base {
                break;
            }
        }
        // D4: subtract guess * v.
        let mut carry = 0u64;
        let mut borrow = 0i64;
        for i in 0..n {
            let product = guess * u64::from(v[i]) + carry;
            carry = product / base;
            let mut limb = i64::from(u[i + j]) - (product % base) as i64 - borrow;
            borrow = i64::from(limb < 0);
            if limb < 0 {
                limb += base as i64;
            }
            u[i + j] = limb as u32;
        }
        let mut limb = i64::from(u[j + n]) - carry as i64 - borrow;
        if limb < 0 {
            // D6: the guess was one too large; add v back.
            limb += base as i64;
            guess -= 1;
            let mut carry = 0u32;
            for i in 0..n {
                let sum = u[i + j] + v[i] + carry;
                carry = u32::from(sum >= BASE);
                u[i + j] = if carry == 1 { sum - BASE } else { sum };
            }
            limb = (limb + i64::from(carry)) % base as i64;
        }
        u[j + n] = limb as u32;
        quotient[j] = guess as u32;
    }
    trim(&mut quotient);
    u.truncate(n);
    trim(&mut u);
    div_small(&mut u, factor);
    (quotient, u)
}

/// a * 10^n.
pub(crate) fn shift_up(a: &[u32], n: usize) -> Limbs {
    if a.is_empty() {
        return vec![];
    }
    let mut out = vec![0; n / LIMB_DIGITS];
    out.reserve(a.len() + 1);
    out.extend_from_slice(a);
    if !n.is_multiple_of(LIMB_DIGITS) {
        mul_small(&mut out, small_pow10(n % LIMB_DIGITS), 0);
    }
    out
}

/// a / 10^n, cut off.
pub(crate) fn shift_down(a: &[u32], n: usize) -> Limbs {
    let limbs = n / LIMB_DIGITS;
    if limbs >= a.len() {
        return vec![];
    }
    let mut out = a[limbs..].to_vec();
    if !n.is_multiple_of(LIMB_DIGITS) {
        div_small(&mut out, small_pow10(n % LIMB_DIGITS));
    }
    out
}

/// The decimal digit at place `n` (0 is the last).
pub(crate) fn digit(a: &[u32], n: usize) -> u32 {
    a.get(n / LIMB_DIGITS).map_or(0, |limb| limb / small_pow10(n % LIMB_DIGITS) % 10)
}

/// a / 10^n, halves rounded up.
pub(crate) fn round_down(a: &[u32], n: usize) -> Limbs {
    let out = shift_down(a, n);
    if n > 0 && digit(a, n - 1) >= 5 { add(&out, &[1]) } else { out }
}

/// Number of decimal digits; 0 for zero.
pub(crate) fn digits(a: &[u32]) -> usize {
    a.last().map_or(0, |&limb| (a.len() - 1) * LIMB_DIGITS + limb.ilog10() as usize + 1)
}

/// Number of zeros at the end; 0 for zero.
pub(crate) fn trailing_zeros(a: &[u32]) -> usize {
    let limbs = a.iter().take_while(|&&limb| limb == 0).count();
    let Some(&limb) = a.get(limbs) else {
        return 0;
    };
    limbs * LIMB_DIGITS + (1..LIMB_DIGITS).take_while(|&n| limb % small_pow10(n) == 0).count()
}

/// The limbs of ASCII digits.
pub(crate) fn from_digits(text: &[u8]) -> Limbs {
    let mut out: Limbs = text
        .rchunks(LIMB_DIGITS)
        .map(|chunk| chunk.iter().fold(0, |limb, &b| limb * 10 + u32::from(b - b'0')))
        .collect();
    trim(&mut out);
    out
}

/// Appends the digits ("0" for zero).
pub(crate) fn write_digits(a: &[u32], out: &mut Vec<u8>) {
    let Some((&first, rest)) = a.split_last() else {
        out.push(b'0');
        return;
    };
    crate::format::digits::write_u64(out, first.into());
    for &limb in rest.iter().rev() {
        crate::format::digits::write_padded(out, limb.into(), LIMB_DIGITS);
    }
}
