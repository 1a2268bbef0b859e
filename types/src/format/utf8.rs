//! Bytes as text, as clients send them.

use crate::{Error, Result, SqlState};

/// `bytes` as text of UTF-8 without zero bytes, which SQL's text cannot hold.
///
/// # Errors
/// 22021 with the first bytes that are none, as many as their first byte announces.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    let (valid, text) = match str::from_utf8(bytes) {
        Ok(text) => (bytes.len(), text),
        Err(error) => (error.valid_up_to(), ""),
    };
    match memchr::memchr(0, &bytes[..valid]) {
        Some(zero) => Err(invalid(&bytes[zero..])),
        None if valid < bytes.len() => Err(invalid(&bytes[valid..])),
        None => Ok(text),
    }
}

#[cold]
fn invalid(rest: &[u8]) -> Error {
    let announced = match rest[0] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    let shown: Vec<String> =
        rest.iter().take(announced).map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_shown() {
        assert_eq!(utf8("aé".as_bytes()).unwrap(), "aé");
        for (bytes, shown) in [
            (&b"a\xff"[..], "0xff"),
            (b"a\0b", "0x00"),
            (b"\xc3(x", "0xc3 0x28"),
            (b"x\xe4\xbd", "0xe4 0xbd"),
            (b"\0\xff", "0x00"),
        ] {
            let error = utf8(bytes).unwrap_err();
            assert!(error.message().ends_with(&format!(": {shown}")), "{error}");
        }
    }
}
