//! A connection's two directions, and what a running statement may say through them.
//!
//! Output collects in one buffer. It is written when the connection waits for input, and when it passes
//! [`FLUSH_BYTES`], so that a large result streams and a batch of messages costs one write.

use crate::protocol::frontend::{self, Message};
use crate::protocol::rows::{Formats, write_rows, write_values};
use crate::protocol::{Columns, Inbound, Outbound, Severity, violation};
use damask_types::format::FormatSettings;
use damask_types::{Batch, Error, Result, SqlState, TypeId, Value};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Output beyond this is written at once.
const FLUSH_BYTES: usize = 64 * 1024;
/// An output buffer that grew beyond this is given back once it is empty.
const KEEP_BYTES: usize = 256 * 1024;

/// How many reads the end of a connection waits for its client to stop writing.
const LINGER_READS_MAX: usize = 16 * 1024;

/// A socket, or what stands for one.
pub(crate) trait Stream: Read + Write + Send {
    /// Waits until there is something to read, here or at `wake`.
    fn wait(&mut self, wake: &UnixStream, limit: Option<Duration>) -> io::Result<Waited>;
    /// How long a read waits at most, before it fails with `WouldBlock` or `TimedOut`; `None` is for ever.
    fn limit_wait(&mut self, limit: Option<Duration>) -> io::Result<()>;
    /// Nothing more will be written; reads wait only briefly from now on.
    fn finish(&mut self) -> io::Result<()>;
}

/// What came of waiting for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Bytes arrived.
    Bytes,
    /// The client writes no more, or is gone.
    End,
    /// It took too long.
    TooLong,
    /// The session has something to tell.
    Woken,
}

/// A connection's stream with its buffers.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    pub(crate) inbound: Inbound,
    pub(crate) out: Outbound,
    /// The most bytes of a message from the client.
    pub(crate) limit: usize,
    /// The client is at another place of the conversation: the connection ends.
    pub(crate) out_of_step: bool,
    /// What is collected must not be written just because it is much.
    is_held: bool,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>, limit: usize) -> Self {
        Self {
            stream,
            inbound: Inbound::default(),
            out: Outbound::default(),
            limit,
            out_of_step: false,
            is_held: false,
        }
    }

    /// Writes what is collected.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.is_held = false;
        if self.out.bytes.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.out.bytes)?;
        self.out.bytes.clear();
        self.out.bytes.shrink_to(KEEP_BYTES);
        Ok(())
    }

    /// Writes what is collected and reads once. False at the end of the stream.
    pub(crate) fn exchange(&mut self) -> io::Result<bool> {
        self.flush()?;
        self.inbound.fill(&mut self.stream)
    }

    /// As [`Wire::exchange`], waiting at most so long.
    pub(crate) fn exchange_within(&mut self, limit: Option<Duration>) -> io::Result<Waited> {
        let Some(limit) = limit else {
            return Ok(if self.exchange()? { Waited::Bytes } else { Waited::End });
        };
        self.flush()?;
        self.stream.limit_wait(Some(limit))?;
        let filled = self.inbound.fill(&mut self.stream);
        self.stream.limit_wait(None)?;
        match filled {
            Ok(true) => Ok(Waited::Bytes),
            Ok(false) => Ok(Waited::End),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                Ok(Waited::TooLong)
            }
            Err(error) => Err(error),
        }
    }

    /// As [`Wire::exchange_within`]; ends also when there is something to read at `wake`.
    pub(crate) fn exchange_or_wake(
        &mut self,
        wake: &UnixStream,
        limit: Option<Duration>,
    ) -> io::Result<Waited> {
        self.flush()?;
        match self.stream.wait(wake, limit)? {
            Waited::Bytes if self.exchange()? => Ok(Waited::Bytes),
            Waited::Bytes => Ok(Waited::End),
            other => Ok(other),
        }
    }

    /// Writes what is left, and ends the stream so that the client gets all of it: a socket closed while bytes from the
    /// client are unread is reset, and what was on its way to the client may be lost. So the rest is read and dropped.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.finish()?;
        let mut dropped = [0; 4096];
        for _ in 0..LINGER_READS_MAX {
            if self.stream.read(&mut dropped)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The stream of bytes itself, for a single byte before the first frame.
    pub(crate) fn write_raw(&mut self, byte: u8) -> io::Result<()> {
        self.flush()?;
        self.stream.write_all(&[byte])
    }
}

/// The client is gone: 08006.
pub(crate) fn lost(error: &io::Error) -> Error {
    Error::new(SqlState::CONNECTION_FAILURE, format!("connection to client lost: {error}"))
}

/// Where a running statement sends its rows and reports, and takes the data of a copy from.
pub struct Replies<'a> {
    wire: &'a mut Wire,
    /// Formats of the result columns.
    formats: &'a Formats,
    /// Row descriptions are sent: in the simple protocol.
    describe: bool,
}

impl<'a> Replies<'a> {
    pub(crate) fn new(wire: &'a mut Wire, formats: &'a Formats, describe: bool) -> Self {
        Self { wire, formats, describe }
    }

    /// Row descriptions are wanted.
    pub fn describes(&self) -> bool {
        self.describe
    }

    fn written(&mut self) -> Result<()> {
        if self.wire.out.bytes.len() >= FLUSH_BYTES && !self.wire.is_held {
            self.wire.flush().map_err(|error| lost(&error))?;
        }
        Ok(())
    }

    /// Whether rows are only collected, however many, until the connection has settled what they show and waits for its client.
    pub fn hold(&mut self, is_held: bool) {
        self.wire.is_held = is_held;
    }

    /// Rows of these columns follow.
    pub fn columns(&mut self, columns: &impl Columns) {
        if self.describe {
            self.wire.out.row_description(columns, |index| self.formats.is_binary(index));
        }
    }

    /// Rows of `batch`: those that `rows` names.
    ///
    /// # Errors
    /// 08006 when the client is gone.
    pub fn rows(
        &mut self,
        batch: &Batch,
        rows: impl Iterator<Item = usize>,
        settings: &FormatSettings,
    ) -> Result<()> {
        write_rows(&mut self.wire.out, batch, rows, self.formats, settings);
        self.written()
    }

    /// One row of values of these types.
    ///
    /// # Errors
    /// 08006 when the client is gone.
    pub fn row(
        &mut self,
        types: &[TypeId],
        values: &[Value],
        settings: &FormatSettings,
    ) -> Result<()> {
        write_values(&mut self.wire.out.bytes, types, values, self.formats, settings);
        self.written()
    }

    /// A statement is done.
    pub fn complete(&mut self, tag: &str) {
        self.wire.out.command_complete(tag);
    }

    /// The text held no statement.
    pub fn empty(&mut self) {
        self.wire.out.empty_query();
    }

    /// A notice with PostgreSQL's word for its severity.
    pub fn notice(&mut self, severity: &'static str, notice: &Error) {
        self.wire.out.report(Severity::Notice(severity), notice, None);
    }

    /// A notification from a session.
    pub fn notification(&mut self, pid: i32, channel: &str, payload: &str) {
        self.wire.out.notification(pid, channel, payload);
    }

    /// A setting that clients are told about has changed.
    pub fn parameter(&mut self, name: &str, value: &str) {
        self.wire.out.parameter_status(name, value);
    }

    /// A copy to the client begins.
    pub fn copy_out(&mut self, binary: bool, columns: usize) {
        self.wire.out.copy_response(b'H', binary, columns);
    }

    /// A piece of a copy to the client; one row a piece is what clients expect.
    ///
    /// # Errors
    /// 08006 when the client is gone.
    pub fn copy_out_data(&mut self, data: &[u8]) -> Result<()> {
        self.wire.out.copy_data(data);
        self.written()
    }

    /// A copy to the client ends.
    pub fn copy_out_done(&mut self) {
        self.wire.out.copy_done();
    }

    /// A copy from the client begins.
    pub fn copy_in(&mut self, binary: bool, columns: usize) {
        self.wire.out.copy_response(b'G', binary, columns);
    }

    /// Appends the next data of a copy from the client, at least one message and then all that are here, up to about
    /// 64 KiB. False when the data has ended.
    ///
    /// # Errors
    /// 57014 when the client gives up, 08P01 for another message, 08006 when the client is gone.
    pub fn copy_in_data(&mut self, data: &mut Vec<u8>) -> Result<bool> {
        let before = data.len();
        loop {
            let Some(frame) = self.wire.inbound.frame(self.wire.limit)? else {
                if data.len() > before {
                    return Ok(true);
                }
                match self.wire.exchange() {
                    Ok(true) => continue,
                    Ok(false) => {
                        return Err(Error::new(
                            SqlState::CONNECTION_FAILURE,
                            "unexpected EOF on client connection with an open transaction",
                        ));
                    }
                    Err(error) => return Err(lost(&error)),
                }
            };
            if !b"dcfHS".contains(&frame.letter) {
                // What follows is not read as data, nor would the client expect it to be read as anything else.
                self.wire.out_of_step = true;
                return Err(violation(format!(
                    "unexpected message type 0x{:02X} during COPY from stdin",
                    frame.letter
                )));
            }
            match frontend::decode(frame.letter, self.wire.inbound.body(&frame))? {
                Message::CopyData(piece) => {
                    data.extend_from_slice(piece);
                    if data.len() - before >= FLUSH_BYTES {
                        return Ok(true);
                    }
                }
                Message::CopyDone => return Ok(false),
                Message::CopyFail(reason) => {
                    return Err(Error::new(
                        SqlState::QUERY_CANCELED,
                        format!("COPY from stdin failed: {reason}"),
                    ));
                }
                _ => {}
            }
        }
    }
}
