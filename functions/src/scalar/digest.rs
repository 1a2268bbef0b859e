//! `md5` and the SHA-2 functions, after RFC 1321 and FIPS 180-4.

use super::bytea::hex;
use crate::registry::{ScalarFunction, family};
use crate::rows::map1;
use std::sync::LazyLock;

/// The message with 0x80, zeros and its bit length, to a multiple of `block` bytes.
fn padded(message: &[u8], block: usize, big_endian: bool) -> Vec<u8> {
    let bits = message.len() as u64 * 8;
    let length_bytes = block / 8;
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % block != block - length_bytes {
        padded.push(0);
    }
    // Of a 16-byte length the upper half is zero.
    padded.resize(padded.len() + length_bytes - 8, 0);
    padded.extend(if big_endian { bits.to_be_bytes() } else { bits.to_le_bytes() });
    padded
}

/// The MD5 digest.
pub(crate) fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] =
        [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    static CONSTANTS: LazyLock<Vec<u32>> = LazyLock::new(|| {
        (1..=64).map(|i| (f64::from(i).sin().abs() * 4_294_967_296.0) as u32).collect()
    });
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(message, 64, false).chunks_exact(64) {
        let word = |i: usize| {
            u32::from_le_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64 {
            let (mix, index) = match i / 16 {
                0 => (b & c | !b & d, i),
                1 => (d & b | !d & c, (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), 7 * i % 16),
            };
            let sum = a.wrapping_add(mix).wrapping_add(CONSTANTS[i]).wrapping_add(word(index));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (state, word) in state.iter_mut().zip([a, b, c, d]) {
            *state = state.wrapping_add(word);
        }
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// The first `count` primes.
fn primes(count: usize) -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::with_capacity(count);
    let mut candidate = 2;
    while primes.len() < count {
        if primes.iter().all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
        candidate += 1;
    }
    primes
}

/// The first 64 bits after the point of the `power`-th root of `n`: what FIPS 180-4 makes its constants of.
fn root_fraction(n: u64, power: u32) -> u64 {
    // The largest x with x^power <= n * 2^(64 * power), by bits; its low word is the fraction.
    let target = Wide::from(n).shifted(64 * power);
    let mut x: u128 = 0;
    for bit in (0..70).rev() {
        let candidate = x | 1 << bit;
        if Wide::power(candidate, power) <= target {
            x = candidate;
        }
    }
    x as u64
}

/// Just enough wide arithmetic for [`root_fraction`]: 256 bits, most significant word first so that the derived order is numeric.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide([u64; 4]);

impl Wide {
    fn from(n: u64) -> Self {
        Self([0, 0, 0, n])
    }

    fn shifted(self, bits: u32) -> Self {
        let words = (bits / 64) as usize;
        Self(std::array::from_fn(|i| self.0.get(i + words).copied().unwrap_or(0)))
    }

    fn times(self, factor: u128) -> Self {
        let factor = [factor as u64, (factor >> 64) as u64];
        let mut result = [0u64; 4];
        for (i, &x) in self.0.iter().rev().enumerate() {
            let mut carry = 0u128;
            for (j, &y) in factor.iter().enumerate() {
                if i + j < 4 {
                    let sum = u128::from(x) * u128::from(y) + u128::from(result[i + j]) + carry;
                    result[i + j] = sum as u64;
                    carry = sum >> 64;
                }
            }
            if i + 2 < 4 {
                result[i + 2] = result[i + 2].wrapping_add(carry as u64);
            }
        }
        result.reverse();
        Self(result)
    }

    fn power(x: u128, power: u32) -> Self {
        (0..power).fold(Self::from(1), |product, _| product.times(x))
    }
}

macro_rules! sha2 {
    ($name:ident, $word:ty, $block:literal, $rounds:literal, $shift:literal, $sums:expr) => {
        fn $name(message: &[u8], mut state: [$word; 8]) -> Vec<u8> {
            const BYTES: usize = size_of::<$word>();
            // Rotations and shifts of the four mixing functions.
            const SUMS: [[u32; 3]; 4] = $sums;
            static CONSTANTS: LazyLock<Vec<$word>> = LazyLock::new(|| {
                let prime_root = |prime| (root_fraction(prime, 3) >> $shift) as $word;
                primes($rounds).into_iter().map(prime_root).collect()
            });
            let constants = &*CONSTANTS;
            let big = |x: $word, [a, b, c]: [u32; 3]| {
                x.rotate_right(a) ^ x.rotate_right(b) ^ x.rotate_right(c)
            };
            let small =
                |x: $word, [a, b, c]: [u32; 3]| x.rotate_right(a) ^ x.rotate_right(b) ^ (x >> c);
            for block in padded(message, $block, true).chunks_exact($block) {
                let mut words: Vec<$word> = block
                    .chunks_exact(BYTES)
                    .map(|bytes| {
                        bytes.iter().fold(0, |word: $word, &byte| word << 8 | <$word>::from(byte))
                    })
                    .collect();
                for t in 16..$rounds {
                    words.push(
                        small(words[t - 2], SUMS[3])
                            .wrapping_add(words[t - 7])
                            .wrapping_add(small(words[t - 15], SUMS[2]))
                            .wrapping_add(words[t - 16]),
                    );
                }
                let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
                for t in 0..$rounds {
                    let first = h
                        .wrapping_add(big(e, SUMS[1]))
                        .wrapping_add(e & f ^ !e & g)
                        .wrapping_add(constants[t])
                        .wrapping_add(words[t]);
                    let second = big(a, SUMS[0]).wrapping_add(a & b ^ a & c ^ b & c);
                    (h, g, f, e) = (g, f, e, d.wrapping_add(first));
                    (d, c, b, a) = (c, b, a, first.wrapping_add(second));
                }
                for (state, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                    *state = state.wrapping_add(word);
                }
            }
            state.iter().flat_map(|word| word.to_be_bytes()).collect()
        }
    };
}
sha2!(sha2_32, u32, 64, 64, 32, [[2, 13, 22], [6, 11, 25], [7, 18, 3], [17, 19, 10]]);
sha2!(sha2_64, u64, 128, 80, 0, [[28, 34, 39], [14, 18, 41], [1, 8, 7], [19, 61, 6]]);

/// The initial state of SHA-384 (primes 9 to 16) or SHA-512 (primes 1 to 8).
fn initial(skip: usize) -> [u64; 8] {
    static ROOTS: LazyLock<Vec<u64>> =
        LazyLock::new(|| primes(16).into_iter().map(|prime| root_fraction(prime, 2)).collect());
    std::array::from_fn(|i| ROOTS[skip + i])
}

fn sha224(message: &[u8]) -> Vec<u8> {
    // Of SHA-384's initial words the lower halves.
    let mut digest = sha2_32(message, initial(8).map(|word| word as u32));
    digest.truncate(28);
    digest
}

/// The SHA-256 digest.
pub fn sha256(message: &[u8]) -> Vec<u8> {
    sha2_32(message, initial(0).map(|word| (word >> 32) as u32))
}

fn sha384(message: &[u8]) -> Vec<u8> {
    let mut digest = sha2_64(message, initial(8));
    digest.truncate(48);
    digest
}

fn sha512(message: &[u8]) -> Vec<u8> {
    sha2_64(message, initial(0))
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    2311 md5(Text) -> Text: strict immutable = |c, a| map1(c, a, |text: &str| hex(&md5(text.as_bytes())));
    2321 md5(Bytea) -> Text: strict immutable = |c, a| map1(c, a, |bytes: &[u8]| hex(&md5(bytes)));
    3419 sha224(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, sha224);
    3420 sha256(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, sha256);
    3421 sha384(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, sha384);
    3422 sha512(Bytea) -> Bytea: strict immutable = |c, a| map1(c, a, sha512);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_abc() {
        assert_eq!(hex(&md5(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            hex(&sha224(b"abc")),
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"
        );
        assert_eq!(
            hex(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hex(&sha384(b"abc")).starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0ede"));
        assert!(hex(&sha512(b"abc")).starts_with("ddaf35a193617abacc417349ae20413112e6fa4e89a9"));
    }
}
