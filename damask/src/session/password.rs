//! Passwords as SCRAM-SHA-256 verifiers (RFC 5803), in the text that PostgreSQL stores.

use damask_functions::sha256;
use damask_storage::env::Random;
use damask_types::Result;

/// Rounds of the key derivation; PostgreSQL's default.
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;

/// What is stored for a password; a verifier is stored as it is.
///
/// # Errors
/// None today.
pub(crate) fn verifier(password: &str, random: &dyn Random) -> Result<String> {
    if password.starts_with("SCRAM-SHA-256$") {
        return Ok(password.to_owned());
    }
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    Ok(derive(password, &salt))
}

/// The verifier of a password and a salt.
fn derive(password: &str, salt: &[u8]) -> String {
    let salted = salted_password(password.as_bytes(), salt);
    let stored = sha256(&hmac(&salted, b"Client Key"));
    let server = hmac(&salted, b"Server Key");
    format!("SCRAM-SHA-256${ITERATIONS}:{}${}:{}", base64(salt), base64(&stored), base64(&server))
}

/// PBKDF2 with HMAC-SHA-256, one block.
fn salted_password(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut first = salt.to_vec();
    first.extend_from_slice(&1_u32.to_be_bytes());
    let mut round = hmac(password, &first);
    let mut key = round.clone();
    for _ in 1..ITERATIONS {
        round = hmac(password, &round);
        for (key, byte) in key.iter_mut().zip(&round) {
            *key ^= byte;
        }
    }
    key
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK_BYTES: usize = 64;
    let mut block = if key.len() > BLOCK_BYTES { sha256(key) } else { key.to_vec() };
    block.resize(BLOCK_BYTES, 0);
    let mut inner: Vec<u8> = block.iter().map(|byte| byte ^ 0x36).collect();
    inner.extend_from_slice(message);
    let mut outer: Vec<u8> = block.iter().map(|byte| byte ^ 0x5c).collect();
    outer.extend_from_slice(&sha256(&inner));
    sha256(&outer)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for i in 0..4 {
            if i <= chunk.len() {
                out.push(char::from(ALPHABET[(word >> (18 - 6 * i) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677's example exchange: the stored key and server key follow from its password and salt.
    #[test]
    fn keys_follow_from_password_and_salt() {
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(b"Ma"), "TWE=");
        assert_eq!(base64(b"M"), "TQ==");
        let salt = [
            0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36,
            0xfa, 0x81,
        ];
        let verifier = derive("pencil", &salt);
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"));
        assert!(verifier.ends_with(":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="), "{verifier}");
    }
}
