//! A session over TCP, by a small client of our own: simple queries and results as text.
//!
//! It shares no code with the server, so the two cannot agree on a mistake. Left out: authentication (the runner's server trusts
//! its own machine), COPY, the extended protocol.

use super::{Answer, SqlError};
use sqllogictest::{DB, DBOutput, DefaultColumnType};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Longest message taken from the server.
const MESSAGE_BYTES_MAX: usize = 1 << 30;
/// Protocol 3.0.
const PROTOCOL_VERSION: u32 = 196_608;

/// A connection to a server.
#[derive(Debug)]
pub struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    /// Connects as `postgres`.
    ///
    /// # Errors
    /// 08006 if there is no server; what it refuses with.
    pub fn connect(address: SocketAddr) -> Result<Self, SqlError> {
        let stream = TcpStream::connect(address).map_err(SqlError::broken)?;
        stream.set_nodelay(true).map_err(SqlError::broken)?;
        let mut wire = Self { stream: BufReader::new(stream) };
        let mut body = PROTOCOL_VERSION.to_be_bytes().to_vec();
        for text in ["user", "postgres", "database", "postgres", "TimeZone", "UTC", ""] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        wire.send(None, &body)?;
        wire.until_ready(&mut Answer::default())?;
        Ok(wire)
    }

    fn send(&mut self, tag: Option<u8>, body: &[u8]) -> Result<(), SqlError> {
        let length = u32::try_from(body.len() + 4).map_err(SqlError::broken)?;
        let mut message = Vec::with_capacity(body.len() + 5);
        message.extend(tag);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(body);
        self.stream.get_mut().write_all(&message).map_err(SqlError::broken)
    }

    fn receive(&mut self) -> Result<(u8, Vec<u8>), SqlError> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).map_err(SqlError::broken)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(SqlError::broken(format!("a message of {length} bytes")));
        }
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).map_err(SqlError::broken)?;
        Ok((head[0], body))
    }

    /// Reads up to ReadyForQuery; the first error counts.
    fn until_ready(&mut self, answer: &mut Answer) -> Result<(), SqlError> {
        let mut error = None;
        loop {
            let (tag, body) = self.receive()?;
            let mut body = Body(&body);
            match tag {
                b'Z' => return error.map_or(Ok(()), Err),
                b'E' => {
                    error.get_or_insert(body.error()?);
                }
                b'T' => answer.columns(body.row_description()?.into_iter()),
                b'D' => answer.row(body.data_row()?.into_iter()),
                b'C' => answer.tag(body.text()?),
                b'G' => self.send(Some(b'f'), b"no data in a case\0")?,
                b'R' => {
                    let method = body.u32()?;
                    if method != 0 {
                        return Err(SqlError::broken(format!("authentication {method} asked for")));
                    }
                }
                _ => {}
            }
        }
    }
}

impl DB for Wire {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        let mut answer = Answer::default();
        self.until_ready(&mut answer)?;
        Ok(answer.into_output())
    }

    fn shutdown(&mut self) {
        // The server may be gone, and then there is nobody to say goodbye to.
        let _ = self.send(Some(b'X'), &[]);
    }

    fn engine_name(&self) -> &'static str {
        "damask"
    }

    fn error_sql_state(error: &SqlError) -> Option<String> {
        Some(error.sqlstate.clone())
    }
}

/// What is left of a message.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], SqlError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| SqlError::broken("a message too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, SqlError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32, SqlError> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn text(&mut self) -> Result<&'a str, SqlError> {
        let length = self
            .0
            .iter()
            .position(|&byte| byte == 0)
            .ok_or_else(|| SqlError::broken("a text without an end"))?;
        let text = std::str::from_utf8(self.take(length)?).map_err(SqlError::broken)?;
        self.take(1)?;
        Ok(text)
    }

    /// The types of a row's columns.
    fn row_description(&mut self) -> Result<Vec<u32>, SqlError> {
        let count = self.u16()?;
        let mut oids = Vec::with_capacity(count.into());
        for _ in 0..count {
            self.text()?;
            self.take(6)?;
            oids.push(self.u32()?);
            self.take(8)?;
        }
        Ok(oids)
    }

    fn data_row(&mut self) -> Result<Vec<Option<&'a [u8]>>, SqlError> {
        let count = self.u16()?;
        let mut values = Vec::with_capacity(count.into());
        for _ in 0..count {
            let length = self.u32()?;
            values.push(if length == u32::MAX { None } else { Some(self.take(length as usize)?) });
        }
        Ok(values)
    }

    fn error(&mut self) -> Result<SqlError, SqlError> {
        let mut error = SqlError { sqlstate: String::new(), message: String::new() };
        while let Some(&field) = self.0.first() {
            if field == 0 {
                break;
            }
            self.take(1)?;
            let text = self.text()?;
            match field {
                b'C' => text.clone_into(&mut error.sqlstate),
                b'M' => text.clone_into(&mut error.message),
                _ => {}
            }
        }
        Ok(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_are_cut_short_are_errors() {
        assert!(Body(b"\x00").u16().is_err());
        assert!(Body(b"abc").text().is_err());
        assert!(Body(b"\x00\x01\x00\x00\x00\x05ab").data_row().is_err());
    }

    #[test]
    fn an_error_has_its_state_and_message() {
        let error = Body(b"SERROR\0C22012\0Mdivision by zero\0\0").error().expect("whole");
        assert_eq!(error.to_string(), "22012: division by zero");
    }
}
