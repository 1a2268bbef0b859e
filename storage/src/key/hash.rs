//! Keys of hash indexes: 64 bits of a key, for indexes that answer nothing but `=`.
//!
//! The numbers are part of the file format: an index made by one version is read by the next.

/// Bytes of a hashed key.
pub const HASH_BYTES: usize = 8;

/// Odd constants with well mixed bits (from the digits of pi).
const FACTORS: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7345];

/// Spreads `key` over 64 bits.
pub fn hash_key(key: &[u8]) -> [u8; HASH_BYTES] {
    let mut hash = (key.len() as u64).wrapping_mul(FACTORS[1]);
    for chunk in key.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(word));
    }
    mix(hash).to_be_bytes()
}

fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ FACTORS[1]) * u128::from(FACTORS[0]);
    let folded = (product as u64) ^ (product >> 64) as u64;
    (folded ^ (folded >> 32)).wrapping_mul(FACTORS[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_stay() {
        assert_eq!(u64::from_be_bytes(hash_key(b"")), mix(0));
        let seen: std::collections::HashSet<_> =
            (0..100_000_u32).map(|i| hash_key(&i.to_be_bytes())).collect();
        assert_eq!(seen.len(), 100_000, "small numbers do not meet");
        let high: std::collections::HashSet<_> =
            (0..1_000_u32).map(|i| hash_key(&i.to_be_bytes())[0]).collect();
        assert!(high.len() > 200, "the first byte is spread, too");
    }
}
