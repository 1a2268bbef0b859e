//! The packets that come first: encryption requests, cancel requests, and the startup message.

use super::violation;
use damask_types::format::utf8;
use damask_types::{Error, Result, SqlState};

/// The most bytes of a startup packet.
pub(crate) const STARTUP_BYTES_MAX: usize = 10_000;
/// The most parameters of a startup packet.
const PARAMETERS_MAX: usize = 64;

/// A packet before the first frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Startup {
    /// Asks for TLS.
    Ssl,
    /// Asks for GSSAPI encryption.
    Gss,
    /// Cancels what another connection runs.
    Cancel {
        /// Its process id.
        pid: i32,
        /// Its secret.
        secret: i32,
    },
    /// Begins a session.
    Begin(Parameters),
}

/// What a client asks for at startup.
#[derive(Debug, Default, PartialEq)]
pub struct Parameters {
    /// The minor version of protocol 3 that it speaks.
    pub minor: u16,
    /// The role.
    pub user: String,
    /// The database; the role's name if none was given.
    pub database: String,
    /// Settings, those inside `options` last.
    pub settings: Vec<(String, String)>,
    /// Protocol options (`_pq_.`), of which none is known.
    pub unknown_options: Vec<String>,
}

/// Reads a packet.
///
/// # Errors
/// 08P01 for what is malformed, 0A000 for another protocol, 28000 without a user.
pub(crate) fn decode(body: &[u8]) -> Result<Startup> {
    let Some((code, rest)) = body.split_first_chunk::<4>() else {
        return Err(violation("invalid length of startup packet"));
    };
    let (major, minor) = {
        let code = u32::from_be_bytes(*code);
        ((code >> 16) as u16, code as u16)
    };
    match (major, minor) {
        (1234, 5679) => Ok(Startup::Ssl),
        (1234, 5680) => Ok(Startup::Gss),
        (1234, 5678) => match rest {
            &[a, b, c, d, e, f, g, h] => Ok(Startup::Cancel {
                pid: i32::from_be_bytes([a, b, c, d]),
                secret: i32::from_be_bytes([e, f, g, h]),
            }),
            _ => Err(violation("invalid length of cancel request packet")),
        },
        (3, minor) => parameters(minor, rest).map(Startup::Begin),
        _ => Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0"),
        )),
    }
}

fn parameters(minor: u16, mut rest: &[u8]) -> Result<Parameters> {
    let mut found = Parameters { minor, ..Parameters::default() };
    let mut options = None;
    for _ in 0..=PARAMETERS_MAX {
        let name = string(&mut rest)?;
        if name.is_empty() {
            if !rest.is_empty() {
                break;
            }
            return finish(found, options);
        }
        let value = string(&mut rest)?;
        match name {
            "user" => value.clone_into(&mut found.user),
            "database" => value.clone_into(&mut found.database),
            "options" => options = Some(value),
            "replication" => {
                if !matches!(value, "false" | "off" | "no" | "0") {
                    return Err(Error::unsupported("replication"));
                }
            }
            _ if name.starts_with("_pq_.") => found.unknown_options.push(name.to_owned()),
            _ => found.settings.push((name.to_owned(), value.to_owned())),
        }
    }
    Err(violation("invalid startup packet layout: expected terminator as last byte"))
}

fn finish(mut found: Parameters, options: Option<&str>) -> Result<Parameters> {
    if found.user.is_empty() {
        return Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    if found.database.is_empty() {
        found.database.clone_from(&found.user);
    }
    if let Some(options) = options {
        command_line(options, &mut found.settings)?;
    }
    Ok(found)
}

/// The settings of `-c name=value` and `--name=value`; a backslash keeps the next character.
fn command_line(options: &str, settings: &mut Vec<(String, String)>) -> Result<()> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            _ if character.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next(),
            Some(assignment) => Some(assignment.to_owned()),
            None => None,
        };
        let assignment = assignment.ok_or_else(|| {
            Error::new(
                SqlState::SYNTAX_ERROR,
                format!("invalid command-line argument for server process: {word}"),
            )
        })?;
        let Some((name, value)) = assignment.split_once('=') else {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("-c {assignment} requires a value"),
            ));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(())
}

fn string<'a>(rest: &mut &'a [u8]) -> Result<&'a str> {
    let end = rest.iter().position(|&byte| byte == 0).ok_or_else(|| {
        violation("invalid startup packet layout: expected terminator as last byte")
    })?;
    let text = utf8(&rest[..end])?;
    *rest = &rest[end + 1..];
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(pairs: &[u8]) -> Result<Startup> {
        decode(&[&[0, 3, 0, 0], pairs].concat())
    }

    #[test]
    fn packets_are_told_apart() {
        assert_eq!(decode(&80_877_103_u32.to_be_bytes()).unwrap(), Startup::Ssl);
        assert_eq!(decode(&80_877_104_u32.to_be_bytes()).unwrap(), Startup::Gss);
        let cancel = [&80_877_102_u32.to_be_bytes()[..], &[0, 0, 0, 1], &[0, 0, 0, 2]].concat();
        assert_eq!(decode(&cancel).unwrap(), Startup::Cancel { pid: 1, secret: 2 });
        let Startup::Begin(parameters) =
            begin(b"user\0me\0application_name\0x\0options\0-c a.b=1\\ 2 --work-mem=5\0\0")
                .unwrap()
        else {
            panic!()
        };
        assert_eq!((&*parameters.user, &*parameters.database), ("me", "me"));
        let settings: Vec<(&str, &str)> =
            parameters.settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(settings, [("application_name", "x"), ("a.b", "1 2"), ("work_mem", "5")]);
    }

    #[test]
    fn malformed_packets_are_errors() {
        for bytes in [&b""[..], b"user", b"user\0me", b"user\0me\0", b"user\0me\0\0x", b"\0"] {
            assert!(begin(bytes).is_err(), "{bytes:?}");
        }
        assert!(begin(&[&b"a\0b\0".repeat(100)[..], b"user\0u\0\0"].concat()).is_err());
        assert!(decode(&[0, 2, 0, 0]).is_err());
        assert!(decode(&[]).is_err());
    }
}
