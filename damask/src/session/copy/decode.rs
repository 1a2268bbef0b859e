//! Bytes to fields, in any chunking.
//!
//! The decoder keeps what it was given until a whole record is there. A record is one line, except that a quoted CSV field may
//! hold line ends. The kind of line end is found in the first line; mixing kinds is an error, as in PostgreSQL.
//!
//! Invariants
//! - D1: the records found do not depend on how the bytes were cut.
//! - D2: memory is bounded by the longest record, and that by [`RECORD_BYTES_MAX`].

use super::{CopyFormat, CopyOptions};
use damask_types::{Error, Result, SqlState};
use memchr::{memchr2, memchr3};
use std::ops::Range;

/// Longest record.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 30;

/// Bytes of a field that are looked at one by one.
const NEAR_BYTES: usize = 16;

/// Splits bytes into records and fields.
#[derive(Debug)]
pub(crate) struct Decoder {
    options: CopyOptions,
    /// Bytes given and not yet consumed, from `start`.
    buffer: Vec<u8>,
    start: usize,
    /// Where the search for the record's end goes on, and whether it stands inside quotes.
    scanned: usize,
    in_quotes: bool,
    line_end: Option<LineEnd>,
    /// Number of the record last found, from 1.
    line: u64,
    /// Whether `\.` was met.
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Lf,
    Cr,
    CrLf,
}

/// The fields of one record; reused between records.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    fields: Vec<Field>,
    /// Those that do not lie in the record as they are.
    bytes: Vec<u8>,
}

/// Where a field lies.
#[derive(Clone, Debug)]
pub(crate) enum Field {
    Null,
    /// In the record, at these bytes.
    Verbatim(Range<usize>),
    /// In the fields' own bytes: it had escapes or quotes.
    Decoded(Range<usize>),
}

impl Fields {
    /// Number of fields.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Where field `i` lies.
    pub(crate) fn place(&self, i: usize) -> &Field {
        &self.fields[i]
    }

    /// Field `i` of `record`, which was split into these; `None` is null.
    pub(crate) fn get<'f>(&'f self, record: &'f [u8], i: usize) -> Option<&'f [u8]> {
        match &self.fields[i] {
            Field::Null => None,
            Field::Verbatim(range) => Some(&record[range.clone()]),
            Field::Decoded(range) => Some(&self.bytes[range.clone()]),
        }
    }

    fn clear(&mut self) {
        self.fields.clear();
        self.bytes.clear();
    }
}

/// 54000 for a record over [`RECORD_BYTES_MAX`].
#[cold]
pub(super) fn too_long() -> Error {
    Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("a COPY record is longer than {RECORD_BYTES_MAX} bytes"),
    )
}

impl Decoder {
    /// A decoder of these options.
    pub(crate) fn new(options: CopyOptions) -> Self {
        Self {
            options,
            buffer: vec![],
            start: 0,
            scanned: 0,
            in_quotes: false,
            line_end: None,
            line: 0,
            ended: false,
        }
    }

    /// Takes bytes in.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Number of the record last found, from 1 (the header counts).
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The next record's bytes without its line end, as a range of the buffer; `None` if more bytes are needed (or, when `is_last`,
    /// if there is none).
    ///
    /// # Errors
    /// 22P04 for mixed line ends, an unterminated quoted field or text after the end marker; 54000 over [`RECORD_BYTES_MAX`].
    pub(crate) fn next_record(&mut self, is_last: bool) -> Result<Option<Range<usize>>> {
        if self.ended {
            return Ok(None);
        }
        let is_csv = self.options.format == CopyFormat::Csv;
        let end = if is_csv { self.find_csv_end(is_last) } else { self.find_text_end(is_last) };
        let Some(end) = end else {
            if self.buffer.len() - self.start > RECORD_BYTES_MAX {
                return Err(too_long());
            }
            if !is_last || self.start == self.buffer.len() {
                return Ok(None);
            }
            if self.in_quotes {
                self.line += 1;
                return Err(bad_format("unterminated CSV quoted field"));
            }
            let record = self.start..self.buffer.len();
            self.start = self.buffer.len();
            self.scanned = self.start;
            return self.found(record);
        };
        let kind = match (self.buffer[end], self.buffer.get(end + 1)) {
            (b'\r', Some(b'\n')) => LineEnd::CrLf,
            (b'\r', _) => LineEnd::Cr,
            _ => LineEnd::Lf,
        };
        let known = *self.line_end.get_or_insert(kind);
        if known != kind {
            self.line += 1;
            return Err(line_end_error(kind, is_csv));
        }
        let record = self.start..end;
        self.start = end + if kind == LineEnd::CrLf { 2 } else { 1 };
        self.scanned = self.start;
        self.found(record)
    }

    /// Where the line end after the record stands, in the text format. If that needs more bytes, notes how far it was looked for.
    fn find_text_end(&mut self, is_last: bool) -> Option<usize> {
        let buffer = &self.buffer;
        let mut i = self.scanned;
        loop {
            // An escape at the end of the data reaches beyond it.
            let rest = buffer.get(i..).unwrap_or_default();
            let Some(at) = memchr3(b'\\', b'\n', b'\r', rest) else {
                self.scanned = buffer.len();
                return None;
            };
            i += at;
            let (next, after) = (buffer.get(i + 1), buffer.get(i + 2));
            let needs_more = match (buffer[i], next) {
                (b'\n', _) => false,
                (_, None) => true,
                (b'\\', Some(b'\r')) => after.is_none(),
                _ => false,
            };
            if needs_more && !is_last {
                self.scanned = i;
                return None;
            }
            if buffer[i] != b'\\' {
                return Some(i);
            }
            // The byte after a backslash never ends a line by itself, but a real line end after one does data's work.
            i += if (next, after) == (Some(&b'\r'), Some(&b'\n')) { 3 } else { 2 };
        }
    }

    /// As [`Decoder::find_text_end`], in the CSV format.
    fn find_csv_end(&mut self, is_last: bool) -> Option<usize> {
        let (quote, escape) = (self.options.quote, self.options.escape);
        let mut i = self.scanned;
        while let Some(&byte) = self.buffer.get(i) {
            let is_at_end = i + 1 == self.buffer.len() && !is_last;
            if self.in_quotes {
                if byte == escape && escape != quote {
                    if is_at_end {
                        break;
                    }
                    i += 2;
                    continue;
                }
                // A doubled quote closes and opens again, which comes to the same.
                self.in_quotes = byte != quote;
            } else if byte == quote {
                self.in_quotes = true;
            } else if byte == b'\n' || byte == b'\r' {
                if byte == b'\r' && is_at_end {
                    break;
                }
                return Some(i);
            }
            i += 1;
        }
        self.scanned = i.min(self.buffer.len());
        None
    }

    /// Counts a record; the end-of-data marker ends the data.
    fn found(&mut self, record: Range<usize>) -> Result<Option<Range<usize>>> {
        self.line += 1;
        let bytes = &self.buffer[record.clone()];
        if bytes == b"\\." {
            self.ended = true;
            return Ok(None);
        }
        if self.options.format != CopyFormat::Csv && bytes.starts_with(b"\\.") {
            return Err(bad_format("end-of-copy marker corrupt"));
        }
        Ok(Some(record))
    }

    /// The bytes of a record, until more are fed.
    pub(crate) fn record(&self, record: Range<usize>) -> &[u8] {
        &self.buffer[record]
    }

    /// Splits a record into fields.
    pub(crate) fn split(&self, record: &[u8], fields: &mut Fields) {
        fields.clear();
        match self.options.format {
            CopyFormat::Text | CopyFormat::Binary => self.split_text(record, fields),
            CopyFormat::Csv => self.split_csv(record, fields),
        }
    }

    fn split_text(&self, record: &[u8], fields: &mut Fields) {
        let delimiter = self.options.delimiter;
        let mut start = 0;
        loop {
            let mut has_escape = false;
            let mut at = start;
            let end = loop {
                let rest = record.get(at..).unwrap_or_default();
                let Some(found) = find2(delimiter, b'\\', rest) else { break record.len() };
                at += found;
                if record[at] == delimiter {
                    break at;
                }
                has_escape = true;
                at += 2;
            };
            let raw = &record[start..end];
            // The null text is compared before escapes are undone.
            fields.fields.push(if raw == self.options.null {
                Field::Null
            } else if has_escape {
                let from = fields.bytes.len();
                unescape(raw, &mut fields.bytes);
                Field::Decoded(from..fields.bytes.len())
            } else {
                Field::Verbatim(start..end)
            });
            if end == record.len() {
                return;
            }
            start = end + 1;
        }
    }

    fn split_csv(&self, record: &[u8], fields: &mut Fields) {
        let CopyOptions { delimiter, quote, escape, .. } = self.options;
        let mut i = 0;
        loop {
            let start = fields.bytes.len();
            let mut was_quoted = false;
            let mut in_quotes = false;
            while let Some(&byte) = record.get(i) {
                if in_quotes {
                    let next = record.get(i + 1);
                    if byte == escape && next.is_some_and(|&next| next == quote || next == escape) {
                        fields.bytes.push(record[i + 1]);
                        i += 2;
                        continue;
                    }
                    if byte == quote {
                        in_quotes = false;
                    } else {
                        fields.bytes.push(byte);
                    }
                } else if byte == quote {
                    in_quotes = true;
                    was_quoted = true;
                } else if byte == delimiter {
                    break;
                } else {
                    fields.bytes.push(byte);
                }
                i += 1;
            }
            let text = &fields.bytes[start..];
            let is_null = !was_quoted && text == self.options.null;
            fields.fields.push(if is_null {
                Field::Null
            } else {
                Field::Decoded(start..fields.bytes.len())
            });
            if i >= record.len() {
                return;
            }
            i += 1;
        }
    }
}

/// The first place of either byte.
fn find2(a: u8, b: u8, bytes: &[u8]) -> Option<usize> {
    // Most fields are short: by the time that the search for long ones has begun, theirs is over.
    let (near, far) = bytes.split_at(bytes.len().min(NEAR_BYTES));
    let is_found = |&byte: &u8| byte == a || byte == b;
    let found = near.iter().position(is_found);
    found.or_else(|| memchr2(a, b, far).map(|at| near.len() + at))
}

/// Undoes the text format's escapes.
fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut i = 0;
    while i < raw.len() {
        let byte = raw[i];
        i += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(&escaped) = raw.get(i) else {
            out.push(b'\\');
            return;
        };
        i += 1;
        match escaped {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'0'..=b'7' => {
                let mut value = u32::from(escaped - b'0');
                let mut digits = 1;
                while digits < 3 && raw.get(i).is_some_and(|digit| (b'0'..=b'7').contains(digit)) {
                    value = value * 8 + u32::from(raw[i] - b'0');
                    i += 1;
                    digits += 1;
                }
                out.push(value as u8);
            }
            b'x' if raw.get(i).is_some_and(u8::is_ascii_hexdigit) => {
                let mut value = 0;
                let mut digits = 0;
                while digits < 2
                    && let Some(digit) =
                        raw.get(i).and_then(|&digit| char::from(digit).to_digit(16))
                {
                    value = value * 16 + digit;
                    i += 1;
                    digits += 1;
                }
                out.push(value as u8);
            }
            other => out.push(other),
        }
    }
}

/// 22P04.
pub(crate) fn bad_format(message: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

fn line_end_error(kind: LineEnd, is_csv: bool) -> Error {
    let (what, quoted) = match kind {
        LineEnd::Lf => ("newline", "\\n"),
        LineEnd::Cr | LineEnd::CrLf => ("carriage return", "\\r"),
    };
    if is_csv {
        bad_format(format!("unquoted {what} found in data"))
            .hint(format!("Use quoted CSV field to represent {what}."))
    } else {
        bad_format(format!("literal {what} found in data"))
            .hint(format!("Use \"{quoted}\" to represent {what}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::copy::options::{ForceColumns, Header};

    fn options(format: CopyFormat) -> CopyOptions {
        let is_csv = format == CopyFormat::Csv;
        CopyOptions {
            format,
            delimiter: if is_csv { b',' } else { b'\t' },
            null: if is_csv { vec![] } else { b"\\N".to_vec() },
            header: Header::No,
            quote: b'"',
            escape: b'"',
            force_quote: ForceColumns::Some(vec![]),
            force_not_null: vec![],
            force_null: vec![],
        }
    }

    fn decode(format: CopyFormat, input: &[u8], chunk: usize) -> Result<Vec<Vec<Option<String>>>> {
        let mut decoder = Decoder::new(options(format));
        let mut fields = Fields::default();
        let mut rows = vec![];
        let mut chunks = input.chunks(chunk).peekable();
        loop {
            let bytes = chunks.next();
            decoder.feed(bytes.unwrap_or(&[]));
            let is_last = bytes.is_none();
            while let Some(record) = decoder.next_record(is_last)? {
                let record = decoder.record(record);
                decoder.split(record, &mut fields);
                let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
                rows.push((0..fields.len()).map(|i| fields.get(record, i).map(text)).collect());
            }
            if is_last {
                return Ok(rows);
            }
        }
    }

    #[track_caller]
    fn check(format: CopyFormat, input: &str, expected: &str) {
        for chunk in [1, 2, 3, 7, input.len().max(1)] {
            let rows = decode(format, input.as_bytes(), chunk);
            let text = match rows {
                Err(error) => error.message().to_owned(),
                Ok(rows) => rows
                    .iter()
                    .map(|row| {
                        let fields: Vec<_> =
                            row.iter().map(|field| field.as_deref().unwrap_or("<null>")).collect();
                        fields.join("|")
                    })
                    .collect::<Vec<_>>()
                    .join(";"),
            };
            assert_eq!(text, expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn text_format() {
        let check = |input, expected| check(CopyFormat::Text, input, expected);
        check("1\ta\n2\t\\N\n", "1|a;2|<null>");
        check("1\ta\\tb\\\\\\x41\\101\n", "1|a\tb\\AA");
        check("1\r\n2\r\n", "1;2");
        check("1\n\\.\nnot data\n", "1");
        check("a\\\nb\n", "a\nb");
        check("", "");
        check("\n", "");
        check("1\n2\r\n", "literal carriage return found in data");
        check("last", "last");
        check("a\\\r\nb\r\nc\r\n", "a\r\nb;c");
        check("a\t\\N\t\\\\N\t\n", "a|<null>|\\N|");
        check("1\r\n\\.\r\nnot data", "1");
        check("1\n\\.x\n", "end-of-copy marker corrupt");
        check("1\t\\", "1|\\");
        check("\t\n", "|");
    }

    /// Where a field ends and an escape stands must not matter to a search that takes bytes one by one, then many at once.
    #[test]
    fn fields_of_every_length() {
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for len in 0..letters.len() {
            let field = &letters[..len];
            check(CopyFormat::Text, &format!("{field}\t{field}\n"), &format!("{field}|{field}"));
            for at in 0..=len {
                let (head, tail) = field.split_at(at);
                check(
                    CopyFormat::Text,
                    &format!("{head}\\t{tail}\t{head}\\\t{tail}\nx\n"),
                    &format!("{head}\t{tail}|{head}\t{tail};x"),
                );
            }
        }
    }

    #[test]
    fn a_huge_field() {
        let long = "x".repeat(300_000);
        let mut decoder = Decoder::new(options(CopyFormat::Text));
        let mut fields = Fields::default();
        let input = format!("1\t{long}\t2\n");
        for piece in input.as_bytes().chunks(10_000) {
            assert_eq!(decoder.next_record(false).unwrap(), None);
            decoder.feed(piece);
        }
        let record = decoder.next_record(false).unwrap().unwrap();
        let record = decoder.record(record);
        decoder.split(record, &mut fields);
        assert_eq!(fields.get(record, 1), Some(long.as_bytes()));
        assert_eq!((fields.len(), fields.get(record, 2)), (3, Some(&b"2"[..])));
    }

    #[test]
    fn csv_format() {
        let check = |input, expected| check(CopyFormat::Csv, input, expected);
        check("1,\"a,\"\"b\"\"\"\n,\"\"\n", "1|a,\"b\";<null>|");
        check("\"two\nlines\",x\n", "two\nlines|x");
        check("a\"b\"c\n", "abc");
        check("\"open\n", "unterminated CSV quoted field");
        check("1,2\r\n3,4\r\n", "1|2;3|4");
    }
}
