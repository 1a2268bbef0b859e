//! One client, from its first byte to its last.
//!
//! ```text
//!   Starting ── authenticated, a session is open ──► Open ── over ──► Ending ── closed, or a while ──► gone
//!       └───────────────── refused ─────────────────────────────────────▲
//! ```
//!
//! In each state it waits for its client without a thread, save for a password exchange, which is short and limited
//! ([`crate::auth`]).
//!
//! A socket that is closed while bytes from the client are unread is reset, and what was on its way to the client may be lost. So at the end
//! the rest is read and dropped, for a while. The session is gone by then.

use crate::auth::authenticate;
use crate::connection::{Connection, Rest};
use crate::listener::{Host, Shared, Started};
use crate::protocol::startup::{self, Parameters, STARTUP_BYTES_MAX, Startup};
use crate::protocol::{Filled, Severity, Status};
use crate::reactor::{Next, Signs, Task};
use crate::session::{Session, Waker};
use crate::socket::Socket;
use crate::wire::{Room, Wire, lost};
use damask_types::{Error, Result, SqlState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of a connection waits for its client to close.
const LINGER: Duration = Duration::from_millis(500);
/// How many reads it drops meanwhile.
const LINGER_READS_MAX: u32 = 16 * 1024;

/// See the head of the file.
pub(crate) struct Client<H: Host> {
    phase: Phase<H::Session>,
    peer: Option<SocketAddr>,
    waker: Waker,
    // The last field: the session is gone before others hear that the connection is.
    place: Place<H>,
}

/// A connection's entry with the listener, given up when the client is dropped.
struct Place<H: Host> {
    shared: Arc<Shared<H>>,
    number: u64,
}

impl<H: Host> Drop for Place<H> {
    fn drop(&mut self) {
        self.shared.forget(self.number);
    }
}

enum Phase<S> {
    Starting(Starting),
    Open(Connection<S>),
    Ending(Ending),
    /// Nothing more is done.
    Over,
}

/// A connection without a session.
struct Starting {
    wire: Wire,
    has_asked_ssl: bool,
    has_asked_gss: bool,
}

/// A connection that is over for us.
struct Ending {
    wire: Wire,
    until: Duration,
    reads_left: u32,
}

/// What became of the packets before authentication.
enum Begun {
    /// There is more to come.
    Waits,
    /// The connection was for something else, or is gone.
    Over,
    /// A session is wanted.
    Session(Parameters),
}

impl<H: Host> Client<H> {
    pub(crate) fn new(
        shared: Arc<Shared<H>>,
        number: u64,
        peer: Option<SocketAddr>,
        socket: Socket,
        waker: Waker,
    ) -> Self {
        let wire = Wire::new(socket, shared.options.message_bytes_max);
        let starting = Starting { wire, has_asked_ssl: false, has_asked_gss: false };
        Self { phase: Phase::Starting(starting), peer, waker, place: Place { shared, number } }
    }

    fn wire(&mut self) -> Option<&mut Wire> {
        match &mut self.phase {
            Phase::Starting(starting) => Some(&mut starting.wire),
            Phase::Open(connection) => Some(connection.wire()),
            Phase::Ending(ending) => Some(&mut ending.wire),
            Phase::Over => None,
        }
    }

    fn advance(&mut self, signs: Signs) -> io::Result<Next> {
        loop {
            match &mut self.phase {
                Phase::Starting(starting) => match starting.advance(&self.place.shared, signs) {
                    Ok(Begun::Waits) => return Ok(Next::Wait(None)),
                    Ok(Begun::Over) => return Ok(Next::End),
                    Ok(Begun::Session(parameters)) => self.begin(&parameters)?,
                    Err(error) => {
                        starting.wire.out.report(Severity::Fatal, &error, None);
                        self.finish()?;
                    }
                },
                Phase::Open(connection) => {
                    let clock = &*self.place.shared.clock;
                    match connection.advance(signs, &clock)? {
                        Rest::Client(until) => return Ok(Next::Wait(until)),
                        Rest::Settling { others_follow } => {
                            return Ok(Next::Settle { others_follow });
                        }
                        Rest::Over => self.finish()?,
                        Rest::Left => return Ok(Next::End),
                    }
                }
                Phase::Ending(ending) => {
                    let is_over = ending.is_over(&|| (self.place.shared.clock)())?;
                    return Ok(if is_over { Next::End } else { Next::Wait(Some(ending.until)) });
                }
                Phase::Over => return Ok(Next::End),
            }
        }
    }

    /// Authenticates the client and opens its session, or refuses it.
    fn begin(&mut self, parameters: &Parameters) -> io::Result<()> {
        let Phase::Starting(Starting { mut wire, .. }) =
            std::mem::replace(&mut self.phase, Phase::Over)
        else {
            return Ok(());
        };
        match self.open(&mut wire, parameters) {
            Ok(session) => self.phase = Phase::Open(Connection::new(wire, session)),
            Err(error) => {
                wire.out.report(Severity::Fatal, &error, None);
                self.linger(wire)?;
            }
        }
        Ok(())
    }

    fn open(&self, wire: &mut Wire, parameters: &Parameters) -> Result<H::Session> {
        let shared = &self.place.shared;
        if parameters.minor > 0 || !parameters.unknown_options.is_empty() {
            wire.out.negotiate_version(&parameters.unknown_options);
        }
        let login = shared.host.login(&parameters.user);
        let local = self.peer.is_none_or(|peer| peer.ip().is_loopback());
        authenticate(wire, &parameters.user, &login, local, &shared.pretender)?;
        if shared.open.lock().values().filter(|entry| entry.pid.is_some()).count()
            >= shared.options.connections_max
        {
            let message = "sorry, too many clients already";
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, message));
        }
        let mut session = shared.host.open(parameters, self.peer)?;
        if shared.is_stopping() {
            return Err(Error::new(
                SqlState::CANNOT_CONNECT_NOW,
                "the database system is shutting down",
            ));
        }
        session.set_waker(Arc::clone(&self.waker));
        let (pid, secret) = session.key();
        if let Some(entry) = shared.open.lock().get_mut(&self.place.number) {
            entry.pid = Some(pid);
        }
        wire.out.authentication_ok();
        for (name, value) in session.parameters() {
            wire.out.parameter_status(&name, &value);
        }
        wire.out.backend_key(pid, secret);
        wire.out.ready(Status::Idle);
        Ok(session)
    }

    /// Writes what is left, and drops the session.
    fn finish(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Starting(starting) => self.linger(starting.wire),
            Phase::Open(mut connection) => {
                connection.wire().flush()?;
                self.linger(connection.into_wire())
            }
            Phase::Ending(_) | Phase::Over => Ok(()),
        }
    }

    fn linger(&mut self, mut wire: Wire) -> io::Result<()> {
        wire.finish()?;
        let until = (self.place.shared.clock)().saturating_add(LINGER);
        self.phase = Phase::Ending(Ending { wire, until, reads_left: LINGER_READS_MAX });
        Ok(())
    }
}

impl<H: Host> Task for Client<H> {
    type Room = Room;

    fn run(&mut self, room: &mut Room, signs: Signs) -> Next {
        if let Some(wire) = self.wire() {
            wire.borrow(room);
        }
        let mut next = self.advance(signs).unwrap_or(Next::End);
        if let Some(wire) = self.wire() {
            wire.give_back(room);
            if matches!(next, Next::Wait(_)) && wire.watch().is_err() {
                next = Next::End;
            }
        }
        next
    }

    fn is_settled(&self) -> bool {
        match &self.phase {
            Phase::Open(connection) => connection.is_settled(),
            Phase::Starting(_) | Phase::Ending(_) | Phase::Over => true,
        }
    }

    fn settle(&mut self) {
        if let Phase::Open(connection) = &mut self.phase {
            connection.settle();
        }
    }
}

impl Starting {
    /// Reads the packets before authentication, up to the one that begins a session.
    fn advance<H: Host>(&mut self, shared: &Shared<H>, signs: Signs) -> Result<Begun> {
        let mut has_read_all = false;
        loop {
            let Some(frame) = self.wire.inbound.packet(STARTUP_BYTES_MAX)? else {
                if has_read_all {
                    return Ok(Begun::Waits);
                }
                match self.wire.receive() {
                    Ok(Filled::Full) => {}
                    Ok(Filled::Short) => has_read_all = !signs.is_hung_up,
                    Ok(Filled::End) => return Ok(Begun::Over),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Begun::Waits);
                    }
                    Err(error) => return Err(lost(&error)),
                }
                continue;
            };
            match startup::decode(self.wire.inbound.body(&frame))? {
                // Each kind of encryption may be asked for once, and nothing may follow before the answer.
                Startup::Ssl if !self.has_asked_ssl && self.wire.inbound.is_empty() => {
                    self.has_asked_ssl = true;
                }
                Startup::Gss if !self.has_asked_gss && self.wire.inbound.is_empty() => {
                    self.has_asked_gss = true;
                }
                Startup::Ssl | Startup::Gss => {
                    return Err(crate::protocol::violation(
                        "received unencrypted data after an encryption request",
                    ));
                }
                Startup::Cancel { pid, secret } => {
                    shared.host.cancel(pid, secret);
                    return Ok(Begun::Over);
                }
                Startup::Begin(parameters) => return Ok(Begun::Session(parameters)),
            }
            self.wire.write_raw(b'N').map_err(|error| lost(&error))?;
        }
    }
}

impl Ending {
    /// Drops what has arrived. Whether the end of it has come, or the time.
    fn is_over(&mut self, now: &dyn Fn() -> Duration) -> io::Result<bool> {
        while self.reads_left > 0 {
            self.reads_left -= 1;
            match self.wire.discard() {
                Ok(true) => {}
                Ok(false) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(now() >= self.until);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
