//! Where a statement ends: at a semicolon outside quotes, comments and parentheses.
//!
//! The library parses for itself; this only cuts a stream of lines so that each statement can run when it is complete. The states are
//! PostgreSQL's lexer's: `'…'`, `E'…'`, `"…"`, `$tag$…$tag$`, `--` and nested `/* */`.

/// A complete part of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A statement with its semicolon.
    Statement(String),
    /// A backslash and the rest of its line.
    Command(String),
}

/// Lines that are not run yet.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    text: String,
}

impl Scanner {
    /// Whether nothing but space waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Adds a line with its newline.
    pub(crate) fn push(&mut self, line: &str) {
        if self.is_empty() {
            self.text.clear();
        }
        self.text.push_str(line);
    }

    /// Takes the next complete piece.
    pub(crate) fn next_piece(&mut self) -> Option<Piece> {
        match find_end(&self.text)? {
            End::Semicolon(at) => {
                let rest = self.text.split_off(at + 1);
                let statement = std::mem::replace(&mut self.text, rest);
                Some(Piece::Statement(statement.trim_start().to_owned()))
            }
            End::Backslash(at) => {
                let end = self.text[at..].find('\n').map_or(self.text.len(), |length| at + length);
                let command = self.text[at..end].to_owned();
                self.text.replace_range(at..end, "");
                Some(Piece::Command(command))
            }
        }
    }

    /// What is left when the input is over.
    pub(crate) fn rest(&mut self) -> String {
        std::mem::take(&mut self.text).trim().to_owned()
    }
}

/// Whether a text is ready to run: its last statement is over, or it is a command.
pub(crate) fn is_complete(text: &str) -> bool {
    if text.trim().is_empty() || text.trim_start().starts_with('\\') {
        return true;
    }
    let mut scanner = Scanner::default();
    scanner.push(text);
    let mut taken = false;
    while scanner.next_piece().is_some() {
        taken = true;
    }
    taken && scanner.is_empty()
}

enum End {
    Semicolon(usize),
    Backslash(usize),
}

/// The first byte that ends a piece.
fn find_end(text: &str) -> Option<End> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'\'' => {
                let escapes = i > 0
                    && matches!(bytes[i - 1], b'e' | b'E')
                    && !(i > 1 && is_word(bytes[i - 2]));
                i = skip_quoted(bytes, i, b'\'', escapes)?;
            }
            b'"' => i = skip_quoted(bytes, i, b'"', false)?,
            b'-' if bytes.get(i + 1) == Some(&b'-') => {
                i += bytes[i..].iter().position(|&byte| byte == b'\n')?;
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => i = skip_comment(bytes, i)?,
            b'$' if i == 0 || !is_word(bytes[i - 1]) => match dollar_tag(&text[i..]) {
                Some(tag) => i += tag.len() + text[i + tag.len()..].find(tag)? + tag.len(),
                None => i += 1,
            },
            b'(' => {
                depth += 1;
                i += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                i += 1;
            }
            b';' if depth == 0 => return Some(End::Semicolon(i)),
            b'\\' => return Some(End::Backslash(i)),
            _ => i += 1,
        }
    }
    None
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The byte after a quoted text; none if it does not end.
fn skip_quoted(bytes: &[u8], start: usize, quote: u8, escapes: bool) -> Option<usize> {
    let mut i = start + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' if escapes => i += 2,
            byte if byte == quote && bytes.get(i + 1) == Some(&quote) => i += 2,
            byte if byte == quote => return Some(i + 1),
            _ => i += 1,
        }
    }
    None
}

fn skip_comment(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0;
    let mut i = start;
    while i < bytes.len() {
        match (bytes[i], bytes.get(i + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                i += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => i += 1,
        }
    }
    None
}

/// `$tag$` at the start of a text.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[1..end - 1];
    let is_tag = tag.bytes().all(is_word) && !tag.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> (Vec<String>, String) {
        let mut scanner = Scanner::default();
        scanner.push(text);
        let mut found = vec![];
        while let Some(piece) = scanner.next_piece() {
            found.push(match piece {
                Piece::Statement(text) | Piece::Command(text) => text,
            });
        }
        (found, scanner.rest())
    }

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_count() {
        let whole = "SELECT ';', E'\\';', \"a;b\", $x$;$$;$x$ /* ; /* ; */ ; */, (1;2) -- ;\n;";
        assert_eq!(pieces(whole), (vec![whole.to_owned()], String::new()));
        assert_eq!(pieces("a; b;c"), (vec!["a;".to_owned(), "b;".to_owned()], "c".to_owned()));
        assert_eq!(pieces("SELECT $1; x"), (vec!["SELECT $1;".to_owned()], "x".to_owned()));
        assert_eq!(pieces("SELECT 'open;\n"), (vec![], "SELECT 'open;".to_owned()));
    }

    #[test]
    fn commands_end_with_their_line() {
        assert_eq!(pieces("\\x\nSELECT 1;\n").0, ["\\x", "SELECT 1;"]);
        assert!(is_complete("\\dt"));
        assert!(is_complete("SELECT 1;"));
        assert!(!is_complete("SELECT 1"));
        assert!(!is_complete("SELECT '1;"));
    }
}
