//! Passwords as SCRAM-SHA-256 verifiers (RFC 5803), in the text that PostgreSQL stores.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use damask_storage::env::Random;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Rounds of the key derivation; PostgreSQL's default.
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;

/// What is stored for a password; a verifier is stored as it is.
pub(crate) fn verifier(password: &str, random: &dyn Random) -> String {
    if password.starts_with("SCRAM-SHA-256$") {
        return password.to_owned();
    }
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    derive(password, &salt)
}

/// The verifier of a password and a salt.
fn derive(password: &str, salt: &[u8]) -> String {
    // Clients prepare the password too; one that cannot be prepared is taken as it is, as PostgreSQL does.
    let password = stringprep::saslprep(password).unwrap_or(password.into());
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, ITERATIONS, &mut salted);
    let stored = Sha256::digest(hmac(&salted, b"Client Key"));
    let server = hmac(&salted, b"Server Key");
    let [salt, stored, server] =
        [salt, &stored[..], &server[..]].map(|bytes| BASE64_STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

fn hmac(key: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The salt of RFC 7677's example.
    const SALT: [u8; SALT_BYTES] = [
        0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa,
        0x81,
    ];

    /// RFC 7677's example exchange: the stored key and server key follow from its password and salt.
    #[test]
    fn keys_follow_from_password_and_salt() {
        let verifier = derive("pencil", &SALT);
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"));
        assert!(verifier.ends_with(":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="), "{verifier}");
    }

    /// RFC 4013's examples: clients derive keys from the prepared form.
    #[test]
    fn passwords_are_prepared() {
        assert_eq!(derive("I\u{ad}X", &SALT), derive("IX", &SALT));
        assert_eq!(derive("\u{aa}", &SALT), derive("a", &SALT));
        assert_ne!(derive("\u{7}", &SALT), derive("", &SALT));
    }
}
