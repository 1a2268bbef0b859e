//! The message loop of one connection, after authentication.
//!
//! ```text
//!            error in an extended message
//!   Ready ────────────────────────────────► Skipping
//!     ▲  ◄──────────────────────────────────   │ every message but Sync and Terminate
//!     │                Sync                    ▼ is read and dropped
//! ```
//!
//! [`Connection::run`] handles every frame that has arrived before it writes and reads again, so a batch costs one read
//! and one write. Copies from the client are read inside the statement that wants them ([`Replies::copy_in_data`]);
//! stray messages of a copy that has failed are dropped here, as PostgreSQL does.

use crate::protocol::frontend::{self, Message};
use crate::protocol::rows::Formats;
use crate::protocol::{Severity, Status};
use crate::session::{Outcome, Session};
use crate::wire::{Replies, Waited, Wire};
use damask_types::{Error, Result, SqlState};
use hashbrown::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A frame's buffer that grew beyond this is given back.
const BODY_KEEP_BYTES: usize = 64 * 1024;

/// What a frame asks of the loop.
#[derive(PartialEq)]
enum Next {
    Continue,
    End,
}

/// A connection whose session has begun.
pub(crate) struct Connection<S> {
    wire: Wire,
    session: S,
    /// Result formats of the open portals.
    formats: HashMap<String, Formats>,
    /// An extended message failed; waits for Sync.
    skipping: bool,
    /// Kept between frames for their bodies.
    body: Vec<u8>,
    /// The client was told so last: it may be silent for as long as its settings say.
    is_ready: bool,
}

impl<S: Session> Connection<S> {
    pub(crate) fn new(wire: Wire, session: S) -> Self {
        Self {
            wire,
            session,
            formats: HashMap::new(),
            skipping: false,
            body: Vec::new(),
            is_ready: true,
        }
    }

    /// Serves the connection until either side ends it.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        loop {
            if let Some(reason) = self.session.end_reason() {
                return self.end(&reason);
            }
            if self.wire.out_of_step {
                let error = crate::protocol::violation(
                    "terminating connection because protocol synchronization was lost",
                );
                return self.end(&error);
            }
            let frame = match self.wire.inbound.frame(self.wire.limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    match self.wait()? {
                        Waited::Bytes => {}
                        Waited::Woken => self.notifications(),
                        Waited::End => {
                            return match self.session.end_reason() {
                                Some(reason) => self.end(&reason),
                                None => Ok(()),
                            };
                        }
                        Waited::TooLong => {
                            if let Some((_, reason)) = self.session.idle_limit() {
                                return self.end(&reason);
                            }
                        }
                    }
                    continue;
                }
                Err(error) => return self.end(&error),
            };
            // The body is borrowed from the buffer, and a copy reads more into it: take it out first.
            let mut body = std::mem::take(&mut self.body);
            body.clear();
            body.extend_from_slice(self.wire.inbound.body(&frame));
            self.is_ready = false;
            // A panic in a statement is the session's to catch. One that comes here is of the protocol's own code.
            let next = catch_unwind(AssertUnwindSafe(|| self.frame(frame.letter, &body)));
            if body.capacity() <= BODY_KEEP_BYTES {
                self.body = body;
            }
            match next {
                Ok(Next::Continue) => {}
                Ok(Next::End) => return self.wire.end(),
                Err(payload) => {
                    self.wire.out.drop_unfinished();
                    return self.end(&Error::panicked(&*payload));
                }
            }
        }
    }

    /// Waits for the client, as long as it may be silent.
    fn wait(&mut self) -> io::Result<Waited> {
        self.session.settle().map_err(io::Error::other)?;
        let limit = self.session.idle_limit().filter(|_| self.is_ready);
        let limit = limit.map(|(limit, _)| limit);
        match self.session.wake() {
            Some(wake) if self.is_ready => self.wire.exchange_or_wake(wake, limit),
            _ => self.wire.exchange_within(limit),
        }
    }

    fn frame(&mut self, letter: u8, body: &[u8]) -> Next {
        // What is dropped is not looked at.
        if self.skipping && b"QFBCDEHPdcf".contains(&letter) {
            return Next::Continue;
        }
        match frontend::decode(letter, body) {
            Ok(message) => self.message(message),
            Err(error) if error.message().starts_with("invalid frontend message type") => {
                self.wire.out.report(Severity::Fatal, &error, None);
                Next::End
            }
            // Left over from a copy that has failed.
            Err(_) if letter == b'f' => Next::Continue,
            Err(error) if b"QFS".contains(&letter) => {
                self.skipping = false;
                self.error(&error, None);
                self.ready();
                Next::Continue
            }
            Err(error) => {
                self.extended_error(&error, None);
                Next::Continue
            }
        }
    }

    /// Reports why the connection ends.
    fn end(&mut self, error: &Error) -> io::Result<()> {
        if self.session.settle().is_err() {
            self.wire.out.bytes.clear();
        }
        self.wire.out.report(Severity::Fatal, error, None);
        self.wire.end()
    }

    fn message(&mut self, message: Message<'_>) -> Next {
        match message {
            Message::Terminate => return Next::End,
            Message::Sync => self.sync(),
            _ if self.skipping => {}
            Message::Query(text) => self.query(text),
            Message::FunctionCall => {
                self.error(&Error::unsupported("the function call message"), None);
                self.ready();
            }
            // What is left of a copy that has failed, and passwords out of place.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => {}
            Message::Flush => {}
            Message::Password(_) => {
                let error = crate::protocol::violation("invalid frontend message type 112");
                self.wire.out.report(Severity::Fatal, &error, None);
                return Next::End;
            }
            message => {
                if let Err((error, text)) = self.extended(message) {
                    self.extended_error(&error, text.as_deref());
                }
            }
        }
        Next::Continue
    }

    fn query(&mut self, text: &str) {
        // A simple query drops the unnamed portal, like a new bind.
        self.formats.remove("");
        let formats = Formats::Text;
        let result = self.session.query(text, &mut Replies::new(&mut self.wire, &formats, true));
        self.notices();
        if let Err(error) = result {
            self.error(&error, Some(text));
        }
        self.ready();
    }

    /// Reports an error. The one that ends the session is left to the loop, which finds it next.
    fn error(&mut self, error: &Error, text: Option<&str>) {
        self.session.failed(error);
        self.notices();
        if error.sqlstate() == SqlState::INTERNAL_ERROR {
            self.wire.out.drop_unfinished();
        }
        let ends = self.session.end_reason();
        if ends.is_none_or(|reason| reason.sqlstate() != error.sqlstate()) {
            self.wire.out.report(Severity::Error, error, text);
        }
    }

    fn extended_error(&mut self, error: &Error, text: Option<&str>) {
        self.error(error, text);
        self.skipping = true;
    }

    fn notices(&mut self) {
        self.session.notices(&mut Replies::new(&mut self.wire, &Formats::Text, false));
    }

    /// Tells what other sessions notified this one of, outside transaction blocks.
    fn notifications(&mut self) {
        if self.session.status() == Status::Idle {
            let replies = &mut Replies::new(&mut self.wire, &Formats::Text, false);
            self.session.notifications(replies);
        }
    }

    fn ready(&mut self) {
        // No client is told to go on before it is told that it ends.
        if self.session.end_reason().is_some() || self.wire.out_of_step {
            return;
        }
        self.is_ready = true;
        self.session.changes(&mut Replies::new(&mut self.wire, &Formats::Text, false));
        let status = self.session.status();
        if status == Status::Idle {
            self.formats.clear();
        }
        self.notifications();
        self.wire.out.ready(status);
    }

    fn sync(&mut self) {
        self.skipping = false;
        if let Err(error) = self.session.sync() {
            self.error(&error, None);
        }
        self.notices();
        self.ready();
    }

    /// A message of the extended protocol; an error comes with the text that its position counts in.
    fn extended(&mut self, message: Message<'_>) -> Result<(), (Error, Option<Arc<str>>)> {
        let plain = |error| (error, None);
        match message {
            Message::Parse { name, text, types } => {
                let parsed = self.session.parse(name, text, &types);
                self.notices();
                parsed.map_err(|error| (error, Some(text.into())))?;
                self.wire.out.parse_complete();
            }
            Message::Bind(bind) => {
                let result = self.session.bind(&bind);
                self.notices();
                result.map_err(plain)?;
                self.formats.insert(bind.portal.to_owned(), Formats::new(bind.result_formats));
                self.wire.out.bind_complete();
            }
            Message::Describe(true, name) => {
                let (types, columns) = self.session.describe_statement(name).map_err(plain)?;
                self.wire.out.parameter_description(&types);
                match columns {
                    Some(columns) => self.wire.out.row_description(&columns, |_| false),
                    None => self.wire.out.no_data(),
                }
            }
            Message::Describe(false, name) => {
                let columns = self.session.describe_portal(name).map_err(plain)?;
                let formats = self.formats.get(name).cloned().unwrap_or_default();
                match columns {
                    Some(columns) => {
                        self.wire.out.row_description(&columns, |index| formats.is_binary(index));
                    }
                    None => self.wire.out.no_data(),
                }
            }
            Message::Execute(portal, limit) => {
                let formats = self.formats.get(portal).cloned().unwrap_or_default();
                // The portal may be gone once it has failed.
                let text = self.session.portal_text(portal);
                let mut replies = Replies::new(&mut self.wire, &formats, false);
                let result = self.session.execute(portal, limit, &mut replies);
                self.notices();
                match result {
                    Ok(Outcome::Complete) => {}
                    Ok(Outcome::Suspended) => self.wire.out.portal_suspended(),
                    Err(error) => return Err((error, text)),
                }
            }
            Message::Close(statement, name) => {
                if statement {
                    self.session.close_statement(name);
                } else {
                    self.session.close_portal(name);
                    self.formats.remove(name);
                }
                self.wire.out.close_complete();
            }
            Message::Query(_)
            | Message::Sync
            | Message::Flush
            | Message::CopyData(_)
            | Message::CopyDone
            | Message::CopyFail(_)
            | Message::FunctionCall
            | Message::Password(_)
            | Message::Terminate => {}
        }
        Ok(())
    }
}
