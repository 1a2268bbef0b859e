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
use crate::wire::{Replies, Wire};
use damask_types::{Error, Result, SqlState};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

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
}

impl<S: Session> Connection<S> {
    pub(crate) fn new(wire: Wire, session: S) -> Self {
        Self { wire, session, formats: HashMap::new(), skipping: false }
    }

    /// Serves the connection until either side ends it.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        loop {
            let frame = match self.wire.inbound.frame(self.wire.limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    if self.session.is_terminated() {
                        return self.end(&terminated());
                    }
                    if self.wire.exchange()? {
                        continue;
                    }
                    return Ok(());
                }
                Err(error) => return self.end(&error),
            };
            // The body is borrowed from the buffer, and a copy reads more into it: take it out first.
            let body = self.wire.inbound.body(&frame).to_vec();
            let next = match frontend::decode(frame.letter, &body) {
                Ok(message) => self.message(message),
                Err(error) if error.message().starts_with("invalid frontend message type") => {
                    return self.end(&error);
                }
                Err(error) if frame.letter == b'Q' || frame.letter == b'F' => {
                    self.simple_error(&error, None);
                    self.ready();
                    Next::Continue
                }
                Err(error) => {
                    self.extended_error(&error, None);
                    Next::Continue
                }
            };
            if next == Next::End {
                return self.wire.flush();
            }
        }
    }

    /// Reports why the connection ends.
    fn end(&mut self, error: &Error) -> io::Result<()> {
        self.wire.out.report(Severity::Fatal, error, None);
        self.wire.flush()
    }

    fn message(&mut self, message: Message<'_>) -> Next {
        match message {
            Message::Terminate => return Next::End,
            Message::Sync => self.sync(),
            _ if self.skipping => {}
            Message::Query(text) => self.query(text),
            Message::FunctionCall => {
                self.simple_error(&Error::unsupported("the function call message"), None);
                self.ready();
            }
            // What is left of a copy that has failed, and passwords out of place.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => {}
            Message::Flush => {}
            Message::Password(_) => {
                let error = crate::protocol::violation("invalid frontend message type 112");
                let _ = self.end(&error);
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
            self.simple_error(&error, Some(text));
        }
        self.ready();
    }

    fn simple_error(&mut self, error: &Error, text: Option<&str>) {
        self.session.failed(error);
        self.notices();
        self.wire.out.report(severity(error), error, text);
    }

    fn extended_error(&mut self, error: &Error, text: Option<&str>) {
        self.session.failed(error);
        self.notices();
        self.wire.out.report(severity(error), error, text);
        self.skipping = true;
    }

    fn notices(&mut self) {
        self.session.notices(&mut Replies::new(&mut self.wire, &Formats::Text, false));
    }

    fn ready(&mut self) {
        self.session.changes(&mut Replies::new(&mut self.wire, &Formats::Text, false));
        let status = self.session.status();
        if status == Status::Idle {
            self.formats.clear();
        }
        self.wire.out.ready(status);
    }

    fn sync(&mut self) {
        self.skipping = false;
        if let Err(error) = self.session.sync() {
            self.session.failed(&error);
            self.wire.out.report(severity(&error), &error, None);
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

/// Errors after which a connection cannot go on are fatal.
fn severity(error: &Error) -> Severity {
    if error.sqlstate() == SqlState::ADMIN_SHUTDOWN { Severity::Fatal } else { Severity::Error }
}

fn terminated() -> Error {
    Error::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}
