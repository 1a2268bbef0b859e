//! Who a client is: SCRAM-SHA-256 against a stored verifier, or trust for a role without a password on this machine.
//!
//! | peer | role | what happens |
//! |---|---|---|
//! | this machine | has no password | let in |
//! | this machine | unknown | 28000 |
//! | any | has a password | SCRAM |
//! | elsewhere | unknown, or has no password | a SCRAM exchange that looks real and fails (28P01) |
//!
//! Passwords in clear text and MD5 are not offered. pgwire does the cryptography.

use crate::protocol::frontend::{self, Message};
use crate::protocol::violation;
use crate::wire::{Wire, lost};
use damask_types::{Error, Result, SqlState};
use pgwire::api::auth::sasl::scram::{ScramSecret, ScramServerAuth};
use std::hash::{BuildHasher, RandomState};

const MECHANISM: &str = "SCRAM-SHA-256";
/// The most bytes of a message before authentication is done.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// The number of rounds that a pretended verifier claims: the same as a new password's.
const ROUNDS: usize = 4096;

/// What the catalog knows of a role that wants to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// There is no such role.
    Unknown,
    /// It exists but may not log in.
    Forbidden,
    /// It has no password.
    Passwordless,
    /// Its verifier, as `pg_authid.rolpassword` has it.
    Verifier(String),
}

/// Makes verifiers for roles that have none, always the same for a name, so that guessing names tells nothing.
#[derive(Debug, Default)]
pub(crate) struct Pretender(RandomState);

impl Pretender {
    fn secret(&self, user: &str) -> ScramSecret {
        let bytes = |part: u32| {
            (0..4_u32).flat_map(move |word| self.0.hash_one((user, part, word)).to_be_bytes())
        };
        ScramSecret::Verifier {
            salt: bytes(0).take(16).collect(),
            iterations: ROUNDS,
            stored_key: bytes(1).collect(),
            server_key: bytes(2).collect(),
        }
    }
}

/// Finds out that the client may be `user`.
///
/// # Errors
/// 28000 for a role that is unknown or may not log in, 28P01 for a wrong password, 08P01 for a broken exchange.
pub(crate) fn authenticate(
    wire: &mut Wire,
    user: &str,
    login: &Login,
    local: bool,
    pretender: &Pretender,
) -> Result<()> {
    let secret = match login {
        Login::Passwordless if local => return Ok(()),
        Login::Unknown if local => {
            return Err(Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("role \"{user}\" does not exist"),
            ));
        }
        Login::Forbidden if local => return Err(forbidden(user)),
        Login::Passwordless | Login::Unknown | Login::Forbidden => pretender.secret(user),
        Login::Verifier(text) => match parse_verifier(text) {
            Some(secret) => secret,
            None => pretender.secret(user),
        },
    };
    scram(wire, secret).map_err(|failure| match failure {
        Failure::Password => Error::new(
            SqlState::INVALID_PASSWORD,
            format!("password authentication failed for user \"{user}\""),
        ),
        Failure::Other(error) => error,
    })
}

fn forbidden(user: &str) -> Error {
    Error::new(
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        format!("role \"{user}\" is not permitted to log in"),
    )
}

/// Why an exchange failed.
enum Failure {
    Password,
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn scram(wire: &mut Wire, secret: ScramSecret) -> Result<(), Failure> {
    wire.out.sasl(MECHANISM);
    let first = password_message(wire)?;
    let data = initial_response(&first)?;
    let (challenge, waiting) = ScramServerAuth::new()
        .on_client_first_message_with_secret(data, secret)
        .map_err(|_| violation("malformed SCRAM message"))?;
    wire.out.sasl_step(11, challenge.as_bytes());
    let last = password_message(wire)?;
    let verdict = waiting.on_client_final_message(&last).map_err(|_| Failure::Password)?;
    wire.out.sasl_step(12, verdict.as_bytes());
    Ok(())
}

/// The client's next message, which must be part of the exchange.
fn password_message(wire: &mut Wire) -> Result<Vec<u8>> {
    loop {
        if let Some(frame) = wire.inbound.frame(MESSAGE_BYTES_MAX)? {
            return match frontend::decode(frame.letter, wire.inbound.body(&frame))? {
                Message::Password(data) => Ok(data.to_vec()),
                _ => Err(violation(format!(
                    "expected SASL response, got message type {}",
                    frame.letter
                ))),
            };
        }
        match wire.exchange() {
            Ok(true) => {}
            Ok(false) => return Err(lost(&std::io::ErrorKind::UnexpectedEof.into())),
            Err(error) => return Err(lost(&error)),
        }
    }
}

/// The data of the first message: mechanism, length, data.
fn initial_response(message: &[u8]) -> Result<&[u8]> {
    let malformed = || violation("invalid SASL initial response");
    let end = message.iter().position(|&byte| byte == 0).ok_or_else(malformed)?;
    if &message[..end] != MECHANISM.as_bytes() {
        return Err(violation("client selected an invalid SASL authentication mechanism"));
    }
    let (length, data) = message[end + 1..].split_first_chunk::<4>().ok_or_else(malformed)?;
    if u32::from_be_bytes(*length) as usize == data.len() { Ok(data) } else { Err(malformed()) }
}

/// `SCRAM-SHA-256$rounds:salt$stored:server`.
fn parse_verifier(text: &str) -> Option<ScramSecret> {
    let rest = text.strip_prefix("SCRAM-SHA-256$")?;
    let (head, keys) = rest.split_once('$')?;
    let (rounds, salt) = head.split_once(':')?;
    let (stored, server) = keys.split_once(':')?;
    let secret = ScramSecret::Verifier {
        salt: base64(salt)?,
        iterations: rounds.parse().ok().filter(|&rounds: &usize| rounds > 0)?,
        stored_key: base64(stored).filter(|key| key.len() == 32)?,
        server_key: base64(server).filter(|key| key.len() == 32)?,
    };
    Some(secret)
}

/// Undoes base64 with padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let padding = bytes.iter().rev().take_while(|&&byte| byte == b'=').count();
    if !bytes.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let mut word = 0_u32;
    for (index, &byte) in bytes[..bytes.len() - padding].iter().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(value);
        if index % 4 == 3 {
            out.extend_from_slice(&word.to_be_bytes()[1..]);
            word = 0;
        }
    }
    match padding {
        1 => out.extend_from_slice(&(word << 6).to_be_bytes()[1..3]),
        2 => out.extend_from_slice(&(word << 12).to_be_bytes()[1..2]),
        _ => {}
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_undone() {
        assert_eq!(base64("").unwrap(), b"");
        assert_eq!(base64("TWFu").unwrap(), b"Man");
        assert_eq!(base64("TWE=").unwrap(), b"Ma");
        assert_eq!(base64("TQ==").unwrap(), b"M");
        for bad in ["TQ=", "T", "TQ!=", "===="] {
            assert_eq!(base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn verifiers_are_read() {
        let key = "A".repeat(43) + "=";
        assert!(parse_verifier(&format!("SCRAM-SHA-256$4096:c2FsdA==${key}:{key}")).is_some());
        for bad in ["", "md5abc", "SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA", "SCRAM-SHA-256$x:$:"] {
            assert!(parse_verifier(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn pretended_secrets_are_stable() {
        let pretender = Pretender::default();
        let salt = |user| match pretender.secret(user) {
            ScramSecret::Verifier { salt, .. } => salt,
            ScramSecret::SaltedPassword { .. } => panic!("a verifier"),
        };
        assert_eq!(salt("a"), salt("a"));
        assert_ne!(salt("a"), salt("b"));
        assert_eq!(salt("a").len(), 16);
    }
}
