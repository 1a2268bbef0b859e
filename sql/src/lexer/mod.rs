//! Text to tokens, by the rules of PostgreSQL's scanner.
//!
//! The whole text becomes one vector of 12-byte tokens, which the parser indexes with any lookahead it likes. A token
//! holds its place, not its value: names are folded and strings unescaped when the parser takes them ([`decode`]).
//!
//! What is wrong in the text becomes a token of kind [`Kind::Error`] and ends the scan; the parser raises it when it gets
//! there, so that an earlier syntax error wins, as in PostgreSQL.
//!
//! Rules worth knowing
//! - An operator of several characters may end in `+` or `-` only if it holds one of `~ ! @ # ^ & | ? %` or a backquote: `a<>-1` is
//!   `a <> -1`. It also ends where a comment starts.
//! - String constants separated by white space with a line break are one constant.
//! - Comments nest, and are skipped in linear time.

mod decode;
mod keyword;

pub(crate) use decode::{decode_identifier, decode_string};
pub(crate) use keyword::{Category, Keyword};

use crate::error::{ParseError, Result};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the text.
    End,
    /// A name without quotes that is no key word.
    Identifier,
    /// `"name"`.
    QuotedIdentifier,
    /// `U&"name"`, with its `UESCAPE`.
    UnicodeIdentifier,
    /// A key word.
    Keyword(Keyword),
    /// A whole number.
    Integer,
    /// Another number.
    Number,
    /// `'text'`.
    String,
    /// `E'text'`.
    EscapeString,
    /// `U&'text'`, with its `UESCAPE`.
    UnicodeString,
    /// `$tag$text$tag$`.
    DollarString,
    /// `B'01'`.
    BitString,
    /// `X'1F'`.
    HexString,
    /// `$1`.
    Parameter,
    /// An operator of several characters, or of one that is not punctuation.
    Operator,
    /// One of `, ( ) [ ] . ; : + - * / % ^ < > =`.
    Punctuation(u8),
    /// `::`.
    Colons,
    /// `..`.
    Dots,
    /// `:=`.
    ColonEquals,
    /// `=>`.
    EqualsGreater,
    /// `<=`.
    LessEquals,
    /// `>=`.
    GreaterEquals,
    /// `<>`, `!=`.
    NotEquals,
    /// A character that starts no token.
    Other,
    /// The scan failed here; see [`Tokens::error`].
    Error,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its first byte.
    pub(crate) start: u32,
    /// One past its last byte.
    pub(crate) end: u32,
}

/// A scanned text.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// The tokens; the last is [`Kind::End`] or [`Kind::Error`].
    pub(crate) list: Vec<Token>,
    /// Why the scan failed.
    pub(crate) error: Option<ParseError>,
}

/// The most bytes of a text: offsets are 32 bits wide.
const TEXT_BYTES_MAX: usize = 1 << 30;
/// The most bytes of an operator's name.
const OPERATOR_BYTES_MAX: usize = 63;

/// Scans `text`.
pub(crate) fn tokenize(text: &str) -> Tokens {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0 };
    let mut list = Vec::with_capacity(text.len().min(TEXT_BYTES_MAX) / 4 + 4);
    let mut error = None;
    if text.len() > TEXT_BYTES_MAX {
        error = Some(ParseError::new("54000", "statement text is too long", 0));
        list.push(Token { kind: Kind::Error, start: 0, end: 0 });
        return Tokens { list, error };
    }
    loop {
        match scanner.next() {
            Ok(token) => {
                list.push(token);
                if token.kind == Kind::End {
                    break;
                }
            }
            Err(failure) => {
                let start = failure.position;
                list.push(Token { kind: Kind::Error, start, end: text.len() as u32 });
                error = Some(failure);
                break;
            }
        }
    }
    Tokens { list, error }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    Space,
    Letter,
    Digit,
    /// Punctuation that no operator holds.
    Single,
    /// An operator character.
    Operator,
    Quote,
    DoubleQuote,
    Dollar,
    Dot,
    Colon,
}

static CLASSES: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b',' | b'(' | b')' | b'[' | b']' | b';' => Class::Single,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'-' | b'*'
            | b'/' | b'%' | b'<' | b'>' | b'=' => Class::Operator,
            b'\'' => Class::Quote,
            b'"' => Class::DoubleQuote,
            b'$' => Class::Dollar,
            b'.' => Class::Dot,
            b':' => Class::Colon,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

fn is_letter(byte: u8) -> bool {
    class(byte) == Class::Letter
}

fn is_word(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit | Class::Dollar)
}

impl Scanner<'_> {
    /// The byte `ahead` of the current one; 0 past the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn fail(&self, message: &str, start: usize, end: usize) -> ParseError {
        let near = self.text.get(start..end).unwrap_or("");
        ParseError::new("42601", format!("{message} at or near \"{near}\""), start as u32)
    }

    fn next(&mut self) -> Result<Token> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(&byte) = self.bytes.get(start) else {
            return Ok(Token { kind: Kind::End, start: start as u32, end: start as u32 });
        };
        let kind = match class(byte) {
            Class::Letter => self.word(byte)?,
            Class::Single => self.take(1, Kind::Punctuation(byte)),
            Class::Digit => self.number()?,
            Class::Dot => match self.peek(1) {
                b'0'..=b'9' => self.number()?,
                b'.' => self.take(2, Kind::Dots),
                _ => self.take(1, Kind::Punctuation(byte)),
            },
            Class::Colon => match self.peek(1) {
                b':' => self.take(2, Kind::Colons),
                b'=' => self.take(2, Kind::ColonEquals),
                _ => self.take(1, Kind::Punctuation(byte)),
            },
            Class::Operator => self.operator()?,
            Class::Quote => self.quoted(1, Kind::String, "unterminated quoted string")?,
            Class::DoubleQuote => self.double_quoted(1, Kind::QuotedIdentifier)?,
            Class::Dollar => self.dollar()?,
            Class::Space | Class::Other => self.take(1, Kind::Other),
        };
        Ok(Token { kind, start: start as u32, end: self.at as u32 })
    }

    fn take(&mut self, bytes: usize, kind: Kind) -> Kind {
        self.at += bytes;
        kind
    }

    /// Skips white space and comments.
    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.bytes[self.at], b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_comment(&mut self) -> Result<()> {
        let start = self.at;
        let mut depth = 1_usize;
        self.at += 2;
        while depth > 0 {
            match (self.peek(0), self.peek(1)) {
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                }
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                _ if self.at >= self.bytes.len() => {
                    return Err(self.fail("unterminated /* comment", start, self.bytes.len()));
                }
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    /// A name, a key word, or a string with a letter before it.
    fn word(&mut self, first: u8) -> Result<Kind> {
        match (first, self.peek(1)) {
            (b'e' | b'E', b'\'') => return self.escape_string(),
            (b'b' | b'B', b'\'') => {
                return self.quoted(2, Kind::BitString, "unterminated bit string literal");
            }
            (b'x' | b'X', b'\'') => {
                return self.quoted(2, Kind::HexString, "unterminated hexadecimal string literal");
            }
            // The national form is the type `nchar` before an ordinary string.
            (b'n' | b'N', b'\'') => return Ok(self.take(1, Kind::Keyword(Keyword::Nchar))),
            (b'u' | b'U', b'&') if self.peek(2) == b'\'' => {
                self.quoted(3, Kind::UnicodeString, "unterminated quoted string")?;
                return self.unicode_escape(Kind::UnicodeString);
            }
            (b'u' | b'U', b'&') if self.peek(2) == b'"' => {
                self.double_quoted(3, Kind::UnicodeIdentifier)?;
                return self.unicode_escape(Kind::UnicodeIdentifier);
            }
            _ => {}
        }
        let start = self.at;
        while self.bytes.get(self.at).copied().is_some_and(is_word) {
            self.at += 1;
        }
        Ok(Keyword::lookup(&self.bytes[start..self.at]).map_or(Kind::Identifier, Kind::Keyword))
    }

    fn number(&mut self) -> Result<Kind> {
        let start = self.at;
        let mut kind = Kind::Integer;
        self.digits();
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            kind = Kind::Number;
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                kind = Kind::Number;
                self.at += 1 + sign;
                self.digits();
            } else if sign == 1 {
                let end = self.at + 2;
                return Err(self.fail("trailing junk after numeric literal", start, end));
            }
        }
        self.refuse_junk(start, "trailing junk after numeric literal")?;
        Ok(kind)
    }

    fn digits(&mut self) {
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    /// A number or parameter may not run into a name.
    fn refuse_junk(&mut self, start: usize, message: &str) -> Result<()> {
        if !is_letter(self.peek(0)) {
            return Ok(());
        }
        let mut end = self.at;
        while self.bytes.get(end).copied().is_some_and(is_word) {
            end += 1;
        }
        Err(self.fail(message, start, end))
    }

    fn operator(&mut self) -> Result<Kind> {
        let start = self.at;
        let mut end = start;
        while end < self.bytes.len() && class(self.bytes[end]) == Class::Operator {
            let pair = (self.bytes[end], self.bytes.get(end + 1).copied().unwrap_or(0));
            if end > start && matches!(pair, (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            end += 1;
        }
        let freeing = |byte: &u8| {
            matches!(byte, b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%')
        };
        if end - start > 1 && !self.bytes[start..end].iter().any(freeing) {
            while end - start > 1 && matches!(self.bytes[end - 1], b'+' | b'-') {
                end -= 1;
            }
        }
        self.at = end;
        let text = &self.bytes[start..end];
        Ok(match text {
            [byte @ (b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'<' | b'>' | b'=')] => {
                Kind::Punctuation(*byte)
            }
            b"=>" => Kind::EqualsGreater,
            b"<=" => Kind::LessEquals,
            b">=" => Kind::GreaterEquals,
            b"<>" | b"!=" => Kind::NotEquals,
            _ if text.len() > OPERATOR_BYTES_MAX => {
                return Err(self.fail("operator too long", start, end));
            }
            _ => Kind::Operator,
        })
    }

    /// A string of plain quotes, `prefix` bytes before its content, with its continuations.
    fn quoted(&mut self, prefix: usize, kind: Kind, unterminated: &str) -> Result<Kind> {
        let start = self.at;
        self.at += prefix;
        loop {
            match memchr(b'\'', &self.bytes[self.at..]) {
                None => return Err(self.fail(unterminated, start, self.bytes.len())),
                Some(offset) => self.at += offset + 1,
            }
            if self.peek(0) == b'\'' {
                self.at += 1;
            } else if !self.continues() {
                return Ok(kind);
            }
        }
    }

    fn escape_string(&mut self) -> Result<Kind> {
        let start = self.at;
        self.at += 2;
        loop {
            match self.peek(0) {
                b'\\' if self.at + 1 < self.bytes.len() => self.at += 2,
                b'\'' if self.peek(1) == b'\'' => self.at += 2,
                b'\'' => {
                    self.at += 1;
                    if !self.continues() {
                        return Ok(Kind::EscapeString);
                    }
                }
                _ if self.at >= self.bytes.len() => {
                    return Err(self.fail("unterminated quoted string", start, self.bytes.len()));
                }
                _ => self.at += 1,
            }
        }
    }

    /// After a closing quote: if white space with a line break and another quote follow, moves behind that quote.
    fn continues(&mut self) -> bool {
        let mut at = self.at;
        let mut broken = false;
        loop {
            match self.bytes.get(at) {
                Some(b'\n' | b'\r') => {
                    broken = true;
                    at += 1;
                }
                Some(b' ' | b'\t' | 0x0c) => at += 1,
                Some(b'-') if self.bytes.get(at + 1) == Some(&b'-') => {
                    while at < self.bytes.len() && !matches!(self.bytes[at], b'\n' | b'\r') {
                        at += 1;
                    }
                }
                Some(b'\'') if broken => {
                    self.at = at + 1;
                    return true;
                }
                _ => return false,
            }
        }
    }

    fn double_quoted(&mut self, prefix: usize, kind: Kind) -> Result<Kind> {
        let start = self.at;
        self.at += prefix;
        let content = self.at;
        loop {
            match memchr(b'"', &self.bytes[self.at..]) {
                None => {
                    return Err(self.fail(
                        "unterminated quoted identifier",
                        start,
                        self.bytes.len(),
                    ));
                }
                Some(offset) => self.at += offset + 1,
            }
            if self.peek(0) == b'"' {
                self.at += 1;
            } else if self.at - 1 == content {
                return Err(self.fail("zero-length delimited identifier", start, self.at));
            } else {
                return Ok(kind);
            }
        }
    }

    /// Takes `UESCAPE 'c'` after a `U&` form into its token.
    fn unicode_escape(&mut self, kind: Kind) -> Result<Kind> {
        let end = self.at;
        self.skip_blanks()?;
        let word = self.bytes.get(self.at..self.at + 7).unwrap_or(&[]);
        if !word.eq_ignore_ascii_case(b"uescape") || is_word(self.peek(7)) {
            self.at = end;
            return Ok(kind);
        }
        self.at += 7;
        self.skip_blanks()?;
        let start = self.at;
        if self.peek(0) != b'\'' {
            let token_end = self.next().map_or(self.bytes.len(), |token| token.end as usize);
            return Err(if token_end == start {
                ParseError::new(
                    "42601",
                    "UESCAPE must be followed by a simple string literal at end of input",
                    start as u32,
                )
            } else {
                self.fail("UESCAPE must be followed by a simple string literal", start, token_end)
            });
        }
        self.quoted(1, kind, "unterminated quoted string")?;
        let valid = match self.bytes[start + 1..self.at - 1] {
            [byte] => {
                !byte.is_ascii_hexdigit()
                    && !matches!(byte, b'+' | b'"')
                    && !matches!(class(byte), Class::Space)
                    && byte.is_ascii()
            }
            _ => false,
        };
        if !valid {
            return Err(self.fail("invalid Unicode escape character", start, self.at));
        }
        Ok(kind)
    }

    /// `$1`, `$tag$...$tag$`, or a lone `$`.
    fn dollar(&mut self) -> Result<Kind> {
        let start = self.at;
        if self.peek(1).is_ascii_digit() {
            self.at += 1;
            self.digits();
            self.refuse_junk(start, "trailing junk after parameter")?;
            return Ok(Kind::Parameter);
        }
        let mut end = start + 1;
        if self.bytes.get(end).copied().is_some_and(is_letter) {
            while self.bytes.get(end).copied().is_some_and(|byte| is_word(byte) && byte != b'$') {
                end += 1;
            }
        }
        if self.bytes.get(end) != Some(&b'$') {
            return Ok(self.take(1, Kind::Other));
        }
        let tag = &self.bytes[start..=end];
        self.at = end + 1;
        loop {
            match memchr(b'$', &self.bytes[self.at..]) {
                None => {
                    let end = self.bytes.len();
                    return Err(self.fail("unterminated dollar-quoted string", start, end));
                }
                Some(offset) => self.at += offset,
            }
            if self.bytes[self.at..].starts_with(tag) {
                self.at += tag.len();
                return Ok(Kind::DollarString);
            }
            self.at += 1;
        }
    }
}

/// The first place of `byte`; `std` searches a word at a time.
fn memchr(byte: u8, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&candidate| candidate == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        let tokens = tokenize(text);
        assert_eq!(tokens.error, None);
        tokens.list.iter().map(|token| &text[token.start as usize..token.end as usize]).collect()
    }

    #[test]
    fn operators_end_where_postgresql_ends_them() {
        assert_eq!(texts("a<>-1"), ["a", "<>", "-", "1", ""]);
        assert_eq!(texts("a>=-1"), ["a", ">=", "-", "1", ""]);
        assert_eq!(texts("a*-1"), ["a", "*", "-", "1", ""]);
        assert_eq!(texts("a@-1"), ["a", "@-", "1", ""]);
        assert_eq!(texts("a<--1\n1"), ["a", "<", "1", ""]);
        assert_eq!(texts("a+/* + */1"), ["a", "+", "1", ""]);
        assert_eq!(texts("a->>'b'"), ["a", "->>", "'b'", ""]);
        assert_eq!(texts("a||-b"), ["a", "||-", "b", ""]);
    }

    #[test]
    fn strings_continue_over_lines_only() {
        assert_eq!(texts("'a'\n  'b'"), ["'a'\n  'b'", ""]);
        assert_eq!(texts("'a' -- x\n'b'"), ["'a' -- x\n'b'", ""]);
        assert_eq!(texts("'a' 'b'"), ["'a'", "'b'", ""]);
        assert_eq!(texts("'a''b'"), ["'a''b'", ""]);
        assert_eq!(texts("$x$a$$b$x$"), ["$x$a$$b$x$", ""]);
        assert_eq!(texts("U&'d!0061' UESCAPE '!' x"), ["U&'d!0061' UESCAPE '!'", "x", ""]);
    }

    #[test]
    fn comments_nest_in_linear_time() {
        assert_eq!(texts("/* a /* b */ c */ 1 -- x"), ["1", ""]);
        let deep = "/*".repeat(100_000);
        assert!(tokenize(&deep).error.is_some());
    }

    #[test]
    fn numbers_do_not_run_into_names() {
        for text in ["123abc", "0x1F", "1_000", "1e+", "1.5e", "1e5x", "$1a"] {
            let error = tokenize(text).error.expect(text);
            assert!(error.message.contains(&format!("at or near \"{text}\"")), "{error}");
        }
        assert_eq!(texts("1..2 1.5.2"), ["1", "..", "2", "1.5", ".2", ""]);
    }
}
