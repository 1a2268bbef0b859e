//! Text cut into fields, whose kind follows from their characters alone.

use super::word::{Word, word};
use super::{Failure, Parse};
use crate::format::is_space;

/// Most fields of a date or time.
pub(super) const FIELDS_MAX: usize = 25;
/// Longest text that is looked at.
const TEXT_MAX: usize = 128 + FIELDS_MAX;

/// What a field's characters make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Digits, perhaps with one point.
    Number,
    /// Digits with colons.
    Time,
    /// Digits and words with separators; also names of zones.
    Date,
    /// A sign and digits.
    Zone,
    /// Letters.
    Word,
    /// A sign and letters.
    Special,
}

/// A field of the text, in lower case.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// Cuts text into fields.
pub(crate) fn split(text: &str) -> Parse<Vec<Field>> {
    let bytes = text.as_bytes();
    if bytes.len() > TEXT_MAX {
        return Err(Failure::Format);
    }
    let mut fields = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let peek = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let run = |mut at: usize, test: &dyn Fn(u8) -> bool| {
            while at < bytes.len() && test(bytes[at]) {
                at += 1;
            }
            at
        };
        let digits = |at| run(at, &|b| b.is_ascii_digit());
        let kind = match bytes[at] {
            b if is_space(b as char) => {
                at += 1;
                continue;
            }
            b'0'..=b'9' => {
                at = digits(at);
                match peek(at) {
                    b':' => {
                        at = run(at, &|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
                        Kind::Time
                    }
                    separator @ (b'-' | b'/' | b'.') => {
                        at += 1;
                        if peek(at).is_ascii_digit() {
                            at = digits(at);
                            if peek(at) == separator {
                                at = run(at, &|b| b.is_ascii_digit() || b == separator);
                                Kind::Date
                            } else if separator == b'.' {
                                Kind::Number
                            } else {
                                Kind::Date
                            }
                        } else {
                            at = run(at, &|b| b.is_ascii_alphanumeric() || b == separator);
                            Kind::Date
                        }
                    }
                    _ => Kind::Number,
                }
            }
            b'.' => {
                at = digits(at + 1);
                Kind::Number
            }
            b if b.is_ascii_alphabetic() => {
                at = run(at, &|b| b.is_ascii_alphabetic());
                let joined = match peek(at) {
                    b'-' | b'/' | b'.' => true,
                    // "EST5EDT", but not "t040506".
                    b'+' | b'0'..=b'9' => {
                        word(&text[start..at].to_ascii_lowercase()) == Word::Unknown
                    }
                    _ => false,
                };
                if joined {
                    at = run(at, &|b| {
                        b.is_ascii_alphanumeric()
                            || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':')
                    });
                    Kind::Date
                } else {
                    Kind::Word
                }
            }
            sign @ (b'+' | b'-') => {
                at = run(at + 1, &|b| is_space(b as char));
                let body = at;
                let kind = if peek(at).is_ascii_digit() {
                    at = run(at, &|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
                    Kind::Zone
                } else if peek(at).is_ascii_alphabetic() {
                    at = run(at, &|b| b.is_ascii_alphabetic());
                    Kind::Special
                } else {
                    return Err(Failure::Format);
                };
                if fields.len() == FIELDS_MAX {
                    return Err(Failure::Format);
                }
                let text = format!("{}{}", sign as char, text[body..at].to_ascii_lowercase());
                fields.push(Field { kind, text });
                continue;
            }
            b if b.is_ascii_punctuation() => {
                at += 1;
                continue;
            }
            _ => return Err(Failure::Format),
        };
        if fields.len() == FIELDS_MAX {
            return Err(Failure::Format);
        }
        fields.push(Field { kind, text: text[start..at].to_ascii_lowercase() });
    }
    Ok(fields)
}
