//! A connection's two directions, and what a running statement may say through them.
//!
//! Output collects in one buffer. It is written when the connection waits for input, and when it passes
//! [`FLUSH_BYTES`], so that a large result streams and a batch of messages costs one write. The buffers are lent ([`Room`]): a
//! connection that waits for its client has none.

use crate::protocol::frontend::{self, Message};
use crate::protocol::rows::{Formats, write_rows, write_values};
use crate::protocol::{Columns, Filled, Inbound, Outbound, Severity, violation};
use crate::socket::Socket;
use damask_types::format::FormatSettings;
use damask_types::{Batch, Error, Result, SqlState, TypeId, Value};
use std::io::{self, Read, Write};

/// Output beyond this is written at once.
const FLUSH_BYTES: usize = 64 * 1024;
/// An output buffer that grew beyond this is given back once it is empty.
const KEEP_BYTES: usize = 256 * 1024;
/// A frame's buffer that grew beyond this is given back.
const BODY_KEEP_BYTES: usize = 64 * 1024;

/// Buffers that a worker lends to the connections that it serves, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Room {
    inbound: Vec<u8>,
    out: Vec<u8>,
    body: Vec<u8>,
}

/// A connection's stream with its buffers.
pub(crate) struct Wire {
    socket: Socket,
    pub(crate) inbound: Inbound,
    pub(crate) out: Outbound,
    /// For the bodies of frames.
    pub(crate) body: Vec<u8>,
    /// The most bytes of a message from the client.
    pub(crate) limit: usize,
    /// The client is at another place of the conversation: the connection ends.
    pub(crate) out_of_step: bool,
    /// What is collected must not be written just because it is much.
    is_held: bool,
}

impl Wire {
    pub(crate) fn new(socket: Socket, limit: usize) -> Self {
        Self {
            socket,
            inbound: Inbound::default(),
            out: Outbound::default(),
            body: Vec::new(),
            limit,
            out_of_step: false,
            is_held: false,
        }
    }

    /// Takes buffers for a while. A connection that waits has none of its own, save for what is in them.
    pub(crate) fn borrow(&mut self, room: &mut Room) {
        self.inbound.borrow(&mut room.inbound);
        self.body = std::mem::take(&mut room.body);
        if self.out.bytes.is_empty() {
            self.out.bytes = std::mem::take(&mut room.out);
        }
    }

    /// Gives them back.
    pub(crate) fn give_back(&mut self, room: &mut Room) {
        self.inbound.give_back(&mut room.inbound);
        if self.body.capacity() <= BODY_KEEP_BYTES {
            room.body = std::mem::take(&mut self.body);
        }
        if self.out.bytes.is_empty() {
            room.out = std::mem::take(&mut self.out.bytes);
        }
        self.body = Vec::new();
    }

    /// Writes what is collected.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.is_held = false;
        if self.out.bytes.is_empty() {
            return Ok(());
        }
        self.socket.write_all(&self.out.bytes)?;
        self.out.bytes.clear();
        self.out.bytes.shrink_to(KEEP_BYTES);
        Ok(())
    }

    /// Reads what has arrived, once.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has.
    pub(crate) fn receive(&mut self) -> io::Result<Filled> {
        self.inbound.fill(&mut self.socket.arrived())
    }

    /// Writes what is collected, and reads once, in the middle of something that cannot be put aside: this waits. False at the
    /// end of the stream.
    pub(crate) fn exchange(&mut self) -> io::Result<bool> {
        self.flush()?;
        Ok(self.inbound.fill(&mut self.socket)? != Filled::End)
    }

    /// What arrives from now on is reported.
    pub(crate) fn watch(&mut self) -> io::Result<()> {
        self.socket.watch()
    }

    /// Writes what is left, and nothing after it.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.socket.finish()
    }

    /// Reads what has arrived and drops it. False at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has arrived.
    pub(crate) fn discard(&mut self) -> io::Result<bool> {
        let mut dropped = [0; 4096];
        Ok(self.socket.arrived().read(&mut dropped)? > 0)
    }

    /// The stream of bytes itself, for a single byte before the first frame.
    pub(crate) fn write_raw(&mut self, byte: u8) -> io::Result<()> {
        self.flush()?;
        self.socket.write_all(&[byte])
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
