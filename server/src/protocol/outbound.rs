//! Messages to the client, collected in one buffer and written in one go.

use damask_types::{Error, Oid, SqlType};

/// The buffer of messages to the client.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    /// What is to be written.
    pub(crate) bytes: Vec<u8>,
}

/// A result column, as a row description has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its table, or 0.
    pub table: Oid,
    /// Its number in the table, from 1, or 0.
    pub attribute: i16,
    /// Its type.
    pub ty: SqlType,
}

/// Result columns.
pub trait Columns {
    /// How many there are.
    fn count(&self) -> usize;
    /// One of them.
    fn column(&self, index: usize) -> Column<'_>;
}

/// The state of the transaction, as a ready message has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Outside a transaction block.
    Idle,
    /// Inside one.
    Active,
    /// Inside one that failed.
    Failed,
}

/// How bad a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The connection ends.
    Fatal,
    /// The statement failed.
    Error,
    /// Something to know, with PostgreSQL's word for how much: `WARNING`, `NOTICE`, `INFO`, `LOG`, `DEBUG`.
    Notice(&'static str),
}

impl Outbound {
    /// A message with this letter, whose body `write` appends.
    pub(crate) fn message(&mut self, letter: u8, write: impl FnOnce(&mut Self)) {
        self.bytes.push(letter);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// Drops a message that was begun and not finished: what a panic leaves.
    pub(crate) fn drop_unfinished(&mut self) {
        let mut at = 0;
        while let Some(&length) = self.bytes.get(at + 1..).and_then(|rest| rest.first_chunk::<4>())
        {
            // The length is written last.
            let length = u32::from_be_bytes(length) as usize;
            if length < 4 || self.bytes.len() - at - 1 < length {
                break;
            }
            at += 1 + length;
        }
        self.bytes.truncate(at);
    }

    fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Text with a zero byte behind it; zero bytes inside cannot be sent and are dropped.
    fn text(&mut self, text: &str) {
        if text.bytes().any(|byte| byte == 0) {
            self.bytes.extend(text.bytes().filter(|&byte| byte != 0));
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self.bytes.push(0);
    }

    /// The authentication is done.
    pub(crate) fn authentication_ok(&mut self) {
        self.message(b'R', |out| out.i32(0));
    }

    /// Asks for SASL with one mechanism.
    pub(crate) fn sasl(&mut self, mechanism: &str) {
        self.message(b'R', |out| {
            out.i32(10);
            out.text(mechanism);
            out.bytes.push(0);
        });
    }

    /// A step of SASL: 11 goes on, 12 is the last.
    pub(crate) fn sasl_step(&mut self, code: i32, data: &[u8]) {
        self.message(b'R', |out| {
            out.i32(code);
            out.bytes.extend_from_slice(data);
        });
    }

    /// What a cancel request must know.
    pub(crate) fn backend_key(&mut self, pid: i32, secret: i32) {
        self.message(b'K', |out| {
            out.i32(pid);
            out.i32(secret);
        });
    }

    /// The newest protocol that is spoken, and the options that are not known.
    pub(crate) fn negotiate_version(&mut self, options: &[String]) {
        self.message(b'v', |out| {
            out.i32(3 << 16);
            out.i32(options.len() as i32);
            for option in options {
                out.text(option);
            }
        });
    }

    /// A setting's value.
    pub(crate) fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |out| {
            out.text(name);
            out.text(value);
        });
    }

    /// A notification from the session `pid`.
    pub(crate) fn notification(&mut self, pid: i32, channel: &str, payload: &str) {
        self.message(b'A', |out| {
            out.i32(pid);
            out.text(channel);
            out.text(payload);
        });
    }

    /// Waits for the next batch.
    pub(crate) fn ready(&mut self, status: Status) {
        let letter = match status {
            Status::Idle => b'I',
            Status::Active => b'T',
            Status::Failed => b'E',
        };
        self.bytes.extend_from_slice(&[b'Z', 0, 0, 0, 5, letter]);
    }

    /// A message without a body.
    pub(crate) fn bare(&mut self, letter: u8) {
        self.bytes.extend_from_slice(&[letter, 0, 0, 0, 4]);
    }

    /// Parse is done.
    pub(crate) fn parse_complete(&mut self) {
        self.bare(b'1');
    }

    /// Bind is done.
    pub(crate) fn bind_complete(&mut self) {
        self.bare(b'2');
    }

    /// Close is done.
    pub(crate) fn close_complete(&mut self) {
        self.bare(b'3');
    }

    /// There are no rows.
    pub(crate) fn no_data(&mut self) {
        self.bare(b'n');
    }

    /// The portal stopped at its row limit.
    pub(crate) fn portal_suspended(&mut self) {
        self.bare(b's');
    }

    /// The query text was empty.
    pub(crate) fn empty_query(&mut self) {
        self.bare(b'I');
    }

    /// A statement is done.
    pub(crate) fn command_complete(&mut self, tag: &str) {
        self.message(b'C', |out| out.text(tag));
    }

    /// Types of a statement's parameters.
    pub(crate) fn parameter_description(&mut self, types: &[Oid]) {
        self.message(b't', |out| {
            out.i16(types.len() as i16);
            for ty in types {
                out.i32(ty.0.cast_signed());
            }
        });
    }

    /// The columns of rows to come; `binary` says of each whether it is.
    pub(crate) fn row_description(
        &mut self,
        columns: &impl Columns,
        binary: impl Fn(usize) -> bool,
    ) {
        self.message(b'T', |out| {
            out.i16(columns.count() as i16);
            for index in 0..columns.count() {
                let column = columns.column(index);
                out.text(column.name);
                out.i32(column.table.0.cast_signed());
                out.i16(column.attribute);
                out.i32(column.ty.id.oid().0.cast_signed());
                out.i16(column.ty.id.info().len);
                out.i32(column.ty.typmod);
                out.i16(binary(index).into());
            }
        });
    }

    /// A copy begins: `G` to the server, `H` to the client.
    pub(crate) fn copy_response(&mut self, letter: u8, binary: bool, columns: usize) {
        self.message(letter, |out| {
            out.bytes.push(binary.into());
            out.i16(columns as i16);
            (0..columns).for_each(|_| out.i16(binary.into()));
        });
    }

    /// Data of a copy to the client.
    pub(crate) fn copy_data(&mut self, data: &[u8]) {
        self.message(b'd', |out| out.bytes.extend_from_slice(data));
    }

    /// The end of a copy to the client.
    pub(crate) fn copy_done(&mut self) {
        self.bare(b'c');
    }

    /// An error or a notice. `text` is the statement, for the position in characters.
    pub(crate) fn report(&mut self, severity: Severity, error: &Error, text: Option<&str>) {
        let (letter, word) = match severity {
            Severity::Fatal => (b'E', "FATAL"),
            Severity::Error => (b'E', "ERROR"),
            Severity::Notice(word) => (b'N', word),
        };
        let fields = error.fields();
        let position = match (fields.position, text) {
            (Some(position), Some(text)) => Some(character_number(text, position.0 as usize)),
            _ => None,
        };
        self.message(letter, |out| {
            out.field(b'S', Some(word));
            out.field(b'V', Some(word));
            out.field(b'C', Some(fields.sqlstate.as_str()));
            out.field(b'M', Some(&fields.message));
            out.field(b'D', fields.detail.as_deref());
            out.field(b'H', fields.hint.as_deref());
            out.field(b'P', position.map(|number| number.to_string()).as_deref());
            out.field(b'W', fields.context.as_deref());
            out.field(b's', fields.schema.as_deref());
            out.field(b't', fields.table.as_deref());
            out.field(b'c', fields.column.as_deref());
            out.field(b'd', fields.data_type.as_deref());
            out.field(b'n', fields.constraint.as_deref());
            out.field(b'R', fields.routine);
            out.bytes.push(0);
        });
    }

    fn field(&mut self, letter: u8, value: Option<&str>) {
        if let Some(value) = value {
            self.bytes.push(letter);
            self.text(value);
        }
    }
}

/// The number, from 1, of the character at byte `offset`.
fn character_number(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < offset).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask_types::{Position, SqlState};

    #[test]
    fn positions_count_characters_from_one() {
        assert_eq!(character_number("é é", 0), 1);
        assert_eq!(character_number("é é", 3), 3);
        assert_eq!(character_number("abc", 3), 4);
        assert_eq!(character_number("abc", 99), 4);
    }

    #[test]
    fn errors_carry_their_fields() {
        let mut out = Outbound::default();
        let error = Error::new(SqlState::SYNTAX_ERROR, "syntax error").at(Position(3)).hint("No.");
        out.report(Severity::Error, &error, Some("é x"));
        let expected = b"SERROR\0VERROR\0C42601\0Msyntax error\0HNo.\0P3\0\0";
        assert_eq!(&out.bytes[5..], expected);
        assert_eq!(out.bytes[0], b'E');
        assert_eq!(out.bytes[4] as usize, expected.len() + 4);
    }
}
