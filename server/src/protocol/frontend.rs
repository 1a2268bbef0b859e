//! The client's messages.

use super::violation;
use damask_types::format::utf8;
use damask_types::{Error, Oid, Result, SqlState};

/// A message, borrowed from its frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Message<'a> {
    /// Simple query.
    Query(&'a str),
    /// Makes a prepared statement.
    Parse {
        /// Its name; empty for the unnamed one.
        name: &'a str,
        /// Its text.
        text: &'a str,
        /// Types of its first parameters; 0 where they are to be found out.
        types: Vec<Oid>,
    },
    /// Makes a portal.
    Bind(Bind<'a>),
    /// Asks for the shape of a statement (true) or portal.
    Describe(bool, &'a str),
    /// Runs a portal for at most so many rows; 0 is all.
    Execute(&'a str, u32),
    /// Drops a statement (true) or portal.
    Close(bool, &'a str),
    /// Ends a batch.
    Sync,
    /// Asks for what is there.
    Flush,
    /// Data of a copy.
    CopyData(&'a [u8]),
    /// The end of a copy's data.
    CopyDone,
    /// The client gives a copy up.
    CopyFail(&'a str),
    /// A function call by number.
    FunctionCall,
    /// A password, or a step of SASL.
    Password(&'a [u8]),
    /// Goodbye.
    Terminate,
}

/// The message that makes a portal.
#[derive(Debug, PartialEq)]
pub struct Bind<'a> {
    /// The portal.
    pub portal: &'a str,
    /// The statement.
    pub statement: &'a str,
    /// Which parameters are binary: none, one for all, or one each.
    pub parameter_formats: Vec<bool>,
    /// The parameters; none is null.
    pub parameters: Vec<Option<&'a [u8]>>,
    /// Which result columns are binary: none, one for all, or one each.
    pub result_formats: Vec<bool>,
}

/// Reads the message in a frame.
///
/// # Errors
/// 08P01 for a letter or a body that the protocol does not know, 22021 for text that is not UTF-8.
pub(crate) fn decode(letter: u8, body: &[u8]) -> Result<Message<'_>> {
    let mut reader = Reader(body);
    let message = match letter {
        b'Q' => Message::Query(reader.text()?),
        b'P' => {
            let name = reader.text()?;
            let text = reader.text()?;
            let count = reader.count()?;
            let types = (0..count).map(|_| reader.u32().map(Oid)).collect::<Result<_>>()?;
            Message::Parse { name, text, types }
        }
        b'B' => Message::Bind(bind(&mut reader)?),
        b'D' => {
            let statement = reader.target("DESCRIBE")?;
            Message::Describe(statement, reader.text()?)
        }
        b'E' => {
            let portal = reader.text()?;
            let rows = reader.u32()?;
            // A negative limit is none, as in PostgreSQL.
            Message::Execute(portal, if rows > i32::MAX as u32 { 0 } else { rows })
        }
        b'C' => {
            let statement = reader.target("CLOSE")?;
            Message::Close(statement, reader.text()?)
        }
        b'S' => Message::Sync,
        b'H' => Message::Flush,
        b'd' => return Ok(Message::CopyData(body)),
        // What its body holds does not matter.
        b'c' => return Ok(Message::CopyDone),
        b'f' => Message::CopyFail(reader.text()?),
        b'F' => return Ok(Message::FunctionCall),
        b'p' => return Ok(Message::Password(body)),
        b'X' => return Ok(Message::Terminate),
        _ => return Err(violation(format!("invalid frontend message type {letter}"))),
    };
    if reader.0.is_empty() { Ok(message) } else { Err(violation("invalid message format")) }
}

fn bind<'a>(reader: &mut Reader<'a>) -> Result<Bind<'a>> {
    let portal = reader.text()?;
    let statement = reader.text()?;
    let parameter_formats = reader.formats()?;
    let count = reader.count()?;
    let parameters = (0..count).map(|_| reader.value()).collect::<Result<_>>()?;
    let result_formats = reader.formats()?;
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, tail) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| violation("insufficient data left in message"))?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self
            .0
            .split_first_chunk()
            .ok_or_else(|| violation("insufficient data left in message"))?;
        self.0 = tail;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A count of 16 bits. It allocates nothing: a list grows as its items are read.
    fn count(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn formats(&mut self) -> Result<Vec<bool>> {
        let count = self.count()?;
        (0..count)
            .map(|_| match self.count()? {
                0 => Ok(false),
                1 => Ok(true),
                code => Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("unsupported format code: {}", code.cast_signed()),
                )),
            })
            .collect()
    }

    fn value(&mut self) -> Result<Option<&'a [u8]>> {
        let length = self.u32()?;
        if length == u32::MAX { Ok(None) } else { self.bytes(length as usize).map(Some) }
    }

    /// A string that ends in a zero byte.
    fn text(&mut self) -> Result<&'a str> {
        let end = self
            .0
            .iter()
            .position(|&byte| byte == 0)
            .ok_or_else(|| violation("invalid string in message"))?;
        let text = self.bytes(end)?;
        self.0 = &self.0[1..];
        utf8(text)
    }

    /// `S` (true) or `P`.
    fn target(&mut self, message: &str) -> Result<bool> {
        match self.array()? {
            [b'S'] => Ok(true),
            [b'P'] => Ok(false),
            [byte] => Err(violation(format!("invalid {message} message subtype {byte}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        assert_eq!(decode(b'Q', b"select 1\0").unwrap(), Message::Query("select 1"));
        assert_eq!(
            decode(b'P', b"s\0select $1\0\0\x01\0\0\0\x17").unwrap(),
            Message::Parse { name: "s", text: "select $1", types: vec![Oid(23)] }
        );
        let bind = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x01\0\0";
        assert_eq!(
            decode(b'B', bind).unwrap(),
            Message::Bind(Bind {
                portal: "p",
                statement: "s",
                parameter_formats: vec![true],
                parameters: vec![Some(b"x"), None],
                result_formats: vec![false],
            })
        );
        assert_eq!(decode(b'D', b"Sx\0").unwrap(), Message::Describe(true, "x"));
        assert_eq!(decode(b'E', b"\0\0\0\0\x05").unwrap(), Message::Execute("", 5));
        assert_eq!(decode(b'S', b"").unwrap(), Message::Sync);
    }

    #[test]
    fn every_cut_of_a_message_is_an_error() {
        let bind = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x01\0\0";
        for cut in 0..bind.len() {
            assert!(decode(b'B', &bind[..cut]).is_err(), "{cut}");
        }
        assert!(decode(b'S', b"x").is_err());
        assert!(decode(b'Q', b"\xff\0").is_err());
        assert!(decode(b'z', b"").is_err());
        assert!(decode(b'D', b"xx\0").is_err());
        assert!(decode(b'B', b"\0\0\0\x01\0\x02").is_err());
    }
}
