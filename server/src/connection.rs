//! The message loop of one connection, after authentication.
//!
//! ```text
//!            error in an extended message
//!   Ready ────────────────────────────────► Skipping
//!     ▲  ◄──────────────────────────────────   │ every message but Sync and Terminate
//!     │                Sync                    ▼ is read and dropped
//! ```
//!
//! [`Connection::advance`] handles every frame that has arrived before it writes and reads again, so a batch costs one read
//! and one write. It never waits for the client between messages; it says what it waits for, and is called again. A message that has ended
//! is not followed by another before what it said may leave the process: the connection is to be settled first.
//!
//! Copies from the client are read inside the statement that wants them ([`Replies::copy_in_data`]); stray messages of a copy that has
//! failed are dropped here, as PostgreSQL does.

use crate::protocol::frontend::{self, Message};
use crate::protocol::rows::Formats;
use crate::protocol::{Filled, Severity, Status};
use crate::reactor::Signs;
use crate::session::{Outcome, Session};
use crate::wire::{Replies, Wire};
use damask::session::ByName;
use damask_types::{Error, Result, SqlState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Its client, or a notification; until this time at the latest.
    Client(Option<Duration>),
    /// Its session, which is not settled.
    Settling {
        /// Other sessions are expected to commit before long.
        others_follow: bool,
    },
    /// Nothing: it is over, and what was to be said is collected.
    Over,
    /// Nothing: its client has ended it.
    Left,
}

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
    formats: ByName<Formats>,
    /// An extended message failed; waits for Sync.
    skipping: bool,
    /// Everything that had arrived was read.
    has_read_all: bool,
    /// The client was told so last: it may be silent for as long as its settings say.
    is_ready: bool,
    /// When it was first seen silent after that, if its settings say how long it may be.
    silent_since: Option<Duration>,
}

impl<S: Session> Connection<S> {
    pub(crate) fn new(wire: Wire, session: S) -> Self {
        Self {
            wire,
            session,
            formats: ByName::default(),
            skipping: false,
            has_read_all: false,
            is_ready: true,
            silent_since: None,
        }
    }

    /// The wire, without its session.
    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }

    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Whether [`Connection::settle`] would not wait.
    pub(crate) fn is_settled(&self) -> bool {
        self.session.is_settled()
    }

    fn settling(&self) -> Rest {
        Rest::Settling { others_follow: self.session.expects_commits() }
    }

    /// Waits until what was said may leave, or cannot: the session then says so again.
    pub(crate) fn settle(&mut self) {
        let _ = self.session.settle();
    }

    /// Goes on as far as it can. `now` tells the time.
    ///
    /// # Errors
    /// When the client cannot be written to or read from.
    pub(crate) fn advance(&mut self, signs: Signs, now: &dyn Fn() -> Duration) -> io::Result<Rest> {
        if signs.has_news {
            self.has_read_all = false;
        }
        loop {
            if let Some(reason) = self.session.end_reason() {
                return Ok(self.end(&reason));
            }
            if self.wire.out_of_step {
                let error = crate::protocol::violation(
                    "terminating connection because protocol synchronization was lost",
                );
                return Ok(self.end(&error));
            }
            let frame = match self.wire.inbound.frame(self.wire.limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    if !self.session.is_settled() {
                        return Ok(self.settling());
                    }
                    if let Err(error) = self.session.settle() {
                        return Ok(self.end(&error));
                    }
                    self.wire.flush()?;
                    if self.has_read_all {
                        return Ok(self.rest(now));
                    }
                    match self.wire.receive() {
                        Ok(Filled::Full) => {}
                        // The end of the stream is read, not waited for.
                        Ok(Filled::Short) => self.has_read_all = !signs.is_hung_up,
                        Ok(Filled::End) => {
                            return Ok(match self.session.end_reason() {
                                Some(reason) => self.end(&reason),
                                None => Rest::Left,
                            });
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            self.has_read_all = true;
                            if self.is_ready {
                                self.notifications();
                            }
                        }
                        Err(error) => return Err(error),
                    }
                    continue;
                }
                Err(error) => return Ok(self.end(&error)),
            };
            // The body is borrowed from the buffer, and a copy reads more into it: take it out first.
            let mut body = std::mem::take(&mut self.wire.body);
            body.clear();
            body.extend_from_slice(self.wire.inbound.body(&frame));
            self.is_ready = false;
            self.silent_since = None;
            // A panic in a statement is the session's to catch. One that comes here is of the protocol's own code.
            let next = catch_unwind(AssertUnwindSafe(|| self.frame(frame.letter, &body)));
            self.wire.body = body;
            match next {
                Ok(Next::Continue) if self.is_ready && !self.session.is_settled() => {
                    return Ok(self.settling());
                }
                Ok(Next::Continue) => {}
                Ok(Next::End) => return Ok(self.over()),
                Err(payload) => {
                    self.wire.out.drop_unfinished();
                    return Ok(self.end(&Error::panicked(&*payload)));
                }
            }
        }
    }

    /// Waits for the client, as long as it may be silent.
    fn rest(&mut self, now: &dyn Fn() -> Duration) -> Rest {
        if !self.is_ready {
            return Rest::Client(None);
        }
        let Some((limit, reason)) = self.session.idle_limit() else {
            return Rest::Client(None);
        };
        let now = now();
        let until = self.silent_since.get_or_insert(now).saturating_add(limit);
        if until <= now { self.end(&reason) } else { Rest::Client(Some(until)) }
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
    fn end(&mut self, error: &Error) -> Rest {
        let rest = self.over();
        self.wire.out.report(Severity::Fatal, error, None);
        rest
    }

    /// The connection ends. What is not durable is not said.
    fn over(&mut self) -> Rest {
        if self.session.settle().is_err() {
            self.wire.out.bytes.clear();
        }
        Rest::Over
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
                self.formats.insert(bind.portal, Formats::new(bind.result_formats));
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
                let mut replies = Replies::new(&mut self.wire, &formats, false);
                let result = self.session.execute(portal, limit, &mut replies);
                self.notices();
                match result {
                    Ok(Outcome::Complete) => {}
                    Ok(Outcome::Suspended) => self.wire.out.portal_suspended(),
                    Err(error) => return Err((error, self.session.failed_text())),
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
