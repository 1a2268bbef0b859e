//! Passwords as SCRAM-SHA-256 verifiers.

use damask_storage::env::Random;
use damask_types::{Error, Result};

/// What is stored for a password: PostgreSQL's text of a SCRAM-SHA-256 verifier.
///
/// # Errors
/// 0A000 for passwords given in clear: deriving a verifier is the client's work (`psql`'s `\password`).
pub(crate) fn verifier(password: &str, _random: &dyn Random) -> Result<String> {
    if password.starts_with("SCRAM-SHA-256$") {
        return Ok(password.to_owned());
    }
    Err(Error::unsupported("a password in clear text")
        .hint("Set it with psql's \\password, which sends a SCRAM-SHA-256 verifier."))
}
