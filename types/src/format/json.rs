//! Validation of JSON text: the grammar of RFC 8259, with PostgreSQL's messages.

use crate::{Error, Result, SqlState};

/// Deepest nesting taken; PostgreSQL's own limit is its stack.
const DEPTH_MAX: usize = 6_000;

/// Checks that `text` is one JSON value.
///
/// # Errors
/// 22P02 with what was expected as detail; 54001 if it is nested too deeply.
pub(crate) fn validate(text: &str) -> Result<()> {
    let mut lexer = Lexer { text, at: 0, token: 0 };
    // Containers that are open: true for objects.
    let mut open: Vec<bool> = vec![];
    let mut state = State::Value;
    loop {
        let token = lexer.next()?;
        state = match (state, token) {
            (State::Value | State::FirstElement, Token::Scalar | Token::String) => {
                State::AfterValue
            }
            (State::Value | State::FirstElement, Token::Symbol(b'{')) => {
                open.push(true);
                State::FirstKey
            }
            (State::Value | State::FirstElement, Token::Symbol(b'[')) => {
                open.push(false);
                State::FirstElement
            }
            (State::FirstElement, Token::Symbol(b']')) | (State::FirstKey, Token::Symbol(b'}')) => {
                open.pop();
                State::AfterValue
            }
            (State::FirstKey | State::Key, Token::String) => State::Colon,
            (State::Colon, Token::Symbol(b':')) => State::Value,
            (State::AfterValue, Token::Symbol(b',')) => match open.last() {
                Some(true) => State::Key,
                Some(false) => State::Value,
                None => return Err(lexer.expected("end of input")),
            },
            (State::AfterValue, Token::Symbol(b'}')) if open.last() == Some(&true) => {
                open.pop();
                State::AfterValue
            }
            (State::AfterValue, Token::Symbol(b']')) if open.last() == Some(&false) => {
                open.pop();
                State::AfterValue
            }
            (State::AfterValue, Token::End) if open.is_empty() => return Ok(()),
            (_, Token::End) => {
                return Err(lexer.error("The input string ended unexpectedly.".to_owned()));
            }
            (state, _) => {
                return Err(lexer.expected(match (state, open.last()) {
                    (State::Value, _) => "JSON value",
                    (State::FirstElement, _) => "array element or \"]\"",
                    (State::FirstKey, _) => "string or \"}\"",
                    (State::Key, _) => "string",
                    (State::Colon, _) => "\":\"",
                    (State::AfterValue, Some(true)) => "\",\" or \"}\"",
                    (State::AfterValue, Some(false)) => "\",\" or \"]\"",
                    (State::AfterValue, None) => "end of input",
                }));
            }
        };
        if open.len() > DEPTH_MAX {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
    }
}

#[derive(Clone, Copy)]
enum State {
    Value,
    FirstElement,
    FirstKey,
    Key,
    Colon,
    AfterValue,
}

enum Token {
    /// A number or one of the three words.
    Scalar,
    String,
    Symbol(u8),
    End,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Where the current token begins.
    token: usize,
}

impl Lexer<'_> {
    #[cold]
    fn error(&self, detail: String) -> Error {
        // The context shows the line up to here, as PostgreSQL does.
        let line_start = self.text[..self.token].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[..self.token].matches('\n').count() + 1;
        let mut end = self.at.max(self.token).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let mut start = line_start;
        if end - start > 50 {
            start = end - 50;
            while !self.text.is_char_boundary(start) {
                start += 1;
            }
        }
        let before = if start > line_start { "..." } else { "" };
        let after = if end < self.text.len() { "..." } else { "" };
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .detail(detail)
            .context(format!("JSON data, line {line}: {before}{}{after}", &self.text[start..end]))
    }

    #[cold]
    fn expected(&self, what: &str) -> Error {
        let found = &self.text[self.token..self.at];
        if what == "end of input" {
            return self.error(format!("Expected end of input, but found \"{found}\"."));
        }
        self.error(format!("Expected {what}, but found \"{found}\"."))
    }

    #[cold]
    fn invalid_token(&mut self) -> Error {
        let rest = &self.text[self.at..];
        let len = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()))
            .unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        self.at += len.max(first);
        let found = &self.text[self.token..self.at];
        self.error(format!("Token \"{found}\" is invalid."))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Result<Token> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.token = self.at;
        let Some(b) = self.peek() else {
            return Ok(Token::End);
        };
        match b {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                self.at += 1;
                Ok(Token::Symbol(b))
            }
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let rest = &self.text[self.at..];
                let len = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()))
                    .unwrap_or(rest.len());
                if matches!(&rest[..len], "true" | "false" | "null") {
                    self.at += len;
                    return Ok(Token::Scalar);
                }
                Err(self.invalid_token())
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Token> {
        let mut valid = true;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            valid &= self.digits() > 0;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            valid &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            valid &= self.digits() > 0;
        }
        let follows = self.text[self.at..].chars().next();
        if !valid || follows.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii())
        {
            return Err(self.invalid_token());
        }
        Ok(Token::Scalar)
    }

    fn string(&mut self) -> Result<Token> {
        self.at += 1;
        loop {
            let Some(b) = self.peek() else {
                let found = &self.text[self.token..];
                return Err(self.error(format!("Token \"{found}\" is invalid.")));
            };
            self.at += 1;
            match b {
                b'"' => return Ok(Token::String),
                b'\\' => self.escape()?,
                0..0x20 => {
                    self.at -= 1;
                    return Err(
                        self.error(format!("Character with value 0x{b:02x} must be escaped."))
                    );
                }
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.error(
                            "\"\\u\" must be followed by four hexadecimal digits.".to_owned(),
                        ));
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => {
                let c = self.text[self.at..].chars().next();
                let found = c.map(String::from).unwrap_or_default();
                self.at += found.len();
                Err(self.error(format!("Escape sequence \"\\{found}\" is invalid.")))
            }
        }
    }
}
