//! Sockets: listening, accepting, limits, and the end of the server.
//!
//! One thread a connection, blocking: on two cores it beats every asynchronous runtime tried (`docs/decisions`), and an
//! idle connection costs a parked thread of which only the touched pages of its stack are resident.
//!
//! A watch thread wakes four times a second. It cuts off who has not authenticated in time, wakes connections whose
//! session another one has terminated, and stops statements whose client is gone. It needs no clock: it counts its own
//! ticks. A client that has closed its socket and one that has only said that it sends no more look alike until something
//! is sent to them; so the watch thread sends a message that changes nothing, and the socket of a client that is gone fails.
//!
//! It wakes a connection by ending what can be read from its socket; the connection then finds out why, and tells
//! its client before it closes.

use crate::auth::{Login, Pretender, authenticate};
use crate::connection::Connection;
use crate::protocol::startup::{self, Parameters, STARTUP_BYTES_MAX, Startup};
use crate::protocol::{Severity, Status};
use crate::session::Session;
use crate::wire::{Stream, Waited, Wire, lost};
use damask_types::{Error, Result, SqlState};
use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How often the watch thread looks.
const TICK: Duration = Duration::from_millis(250);
/// Ticks from accepting a connection to the end of its authentication.
const AUTHENTICATION_TICKS_MAX: u32 = 40;
/// Ticks that a client has stopped sending before it is found out whether it still listens.
const PROBE_TICKS: u32 = 2;
/// What is sent for that: a parameter status that says what the client knows.
const PROBE: &[u8] = b"S\0\0\0\x19integer_datetimes\0on\0";
/// Ticks that a connection which is to end has to write what is left.
const ENDING_TICKS_MAX: u32 = 20;
/// How long the end of a connection waits for its client to close.
const LINGER: Duration = Duration::from_millis(500);
/// Connections of one address that have not authenticated.
const UNAUTHENTICATED_MAX: usize = 20;
/// Address space of a connection's stack; what is not touched is not resident.
const STACK_BYTES: usize = 16 << 20;
/// How long the end of the server waits for its connections.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The database, as the server uses it.
pub trait Host: Send + Sync + 'static {
    /// Its sessions.
    type Session: Session + Started;
    /// What is known of a role.
    fn login(&self, user: &str) -> Login;
    /// Some role can log in with a password.
    fn has_password(&self) -> bool;
    /// Begins a session for an authenticated client.
    fn open(&self, parameters: &Parameters, peer: SocketAddr) -> Result<Self::Session>;
    /// Cancels what a session runs, if the secret is its.
    fn cancel(&self, pid: i32, secret: i32);
    /// Another session has asked this one to end.
    fn is_terminated(&self, pid: i32) -> bool;
    /// Asks a session to end, because the server does.
    fn terminate(&self, pid: i32);
    /// The client of a session is gone: stops what it runs.
    fn client_gone(&self, pid: i32);
}

/// What a new session tells its client.
pub trait Started {
    /// Its process id and secret.
    fn key(&self) -> (i32, i32);
    /// The settings that clients are told about, with their values.
    fn parameters(&mut self) -> Vec<(String, String)>;
}

/// What a server may be told at its start.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// `HOST:PORT` to listen on; port 0 takes a free one.
    pub listen: String,
    /// The most connections at one time.
    pub connections_max: usize,
    /// The most bytes of one message from a client.
    pub message_bytes_max: usize,
}

impl Default for ServerOptions {
    /// This machine only, PostgreSQL's port, 100 connections, 64 MiB.
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5432".to_owned(),
            connections_max: 100,
            message_bytes_max: 64 << 20,
        }
    }
}

/// A socket that the watch thread may shut down, and write to between messages.
struct Socket {
    stream: Arc<TcpStream>,
    /// Held while whole messages are written.
    writing: Arc<Mutex<()>>,
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self.stream).write(buffer)
    }

    fn write_all(&mut self, buffer: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock();
        (&*self.stream).write_all(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn wait(&mut self, wake: &UnixStream, limit: Option<Duration>) -> io::Result<Waited> {
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let mut polled =
            [PollFd::new(&*self.stream, PollFlags::IN), PollFd::new(wake, PollFlags::IN)];
        loop {
            match poll(&mut polled, limit.as_ref()) {
                Ok(0) => return Ok(Waited::TooLong),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) if !polled[0].revents().is_empty() => return Ok(Waited::Bytes),
                Ok(_) => return Ok(Waited::Woken),
            }
        }
    }

    fn limit_wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        // A limit of nothing is refused by the socket.
        self.stream.set_read_timeout(limit.map(|limit| limit.max(Duration::from_millis(1))))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(LINGER))?;
        self.stream.shutdown(Shutdown::Write)
    }
}

/// An open connection, as the watch thread sees it.
struct Entry {
    stream: Arc<TcpStream>,
    /// As of [`Socket`].
    writing: Arc<Mutex<()>>,
    peer: IpAddr,
    /// Its session's process id, once it has one.
    pid: Option<i32>,
    /// Ticks without a session.
    waited: u32,
    /// Ticks since its session was asked to end.
    ending: u32,
    /// Ticks in which its client was seen to send no more.
    gone: u32,
}

impl Entry {
    /// Sends what makes the socket fail if its client is gone. A connection that is writing finds out by itself, and one
    /// whose client does not read cannot be asked.
    fn probe(&self) {
        let Some(_writing) = self.writing.try_lock() else { return };
        let mut polled = [PollFd::new(&*self.stream, PollFlags::OUT)];
        let is_free = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        if matches!(is_free, Ok(1)) && polled[0].revents().contains(PollFlags::OUT) {
            // A socket that polls as writable has more room than this takes.
            let _ = (&*self.stream).write_all(PROBE);
        }
    }
}

struct Shared<H> {
    host: H,
    options: ServerOptions,
    pretender: Pretender,
    stopping: AtomicBool,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Entry>>,
    /// A connection has ended.
    ended: Condvar,
    /// The server is to stop.
    stop_asked: Condvar,
}

/// A running server. Dropping it leaves it running; [`Server::stop`] ends it.
pub struct Server {
    addresses: Vec<SocketAddr>,
    threads: Vec<thread::JoinHandle<()>>,
    stop: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Server {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Every address it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A function that ends the server, for a signal handler.
    pub fn stopper(&self) -> Arc<dyn Fn() + Send + Sync> {
        Arc::clone(&self.stop)
    }

    /// Ends the server: no new connections, the open ones are cut off, their transactions rolled back.
    pub fn stop(self) {
        (self.stop)();
        self.wait();
    }

    /// Waits until the server has ended.
    pub fn wait(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// Listens and serves in threads of its own.
///
/// # Errors
/// 55000 when the address cannot be had, with the reason; 28000 for an address beyond this machine without a password.
pub fn start<H: Host>(host: H, options: ServerOptions) -> Result<Server> {
    let listeners = bind(&options.listen, &host)?;
    let addresses: Vec<SocketAddr> =
        listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let shared = Arc::new(Shared {
        host,
        options,
        pretender: Pretender::default(),
        stopping: AtomicBool::new(false),
        next: AtomicU64::new(0),
        open: Mutex::default(),
        ended: Condvar::new(),
        stop_asked: Condvar::new(),
    });
    let mut threads = Vec::new();
    for listener in listeners {
        let shared = Arc::clone(&shared);
        threads.push(spawn("listener", move || accept(&listener, &shared))?);
    }
    {
        let shared = Arc::clone(&shared);
        threads.push(spawn("watch", move || watch(&shared))?);
    }
    let stop = {
        let addresses = addresses.clone();
        Arc::new(move || {
            shared.stopping.store(true, Ordering::Release);
            shared.stop_asked.notify_all();
            // Wakes the threads that accept.
            for address in &addresses {
                let _ = TcpStream::connect(address);
            }
        })
    };
    Ok(Server { addresses, threads, stop })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body).map_err(
        |error| {
            Error::new(
                SqlState::INSUFFICIENT_RESOURCES,
                format!("could not start a thread: {error}"),
            )
        },
    )
}

fn bind<H: Host>(listen: &str, host: &H) -> Result<Vec<TcpListener>> {
    let refuse = |reason: String| {
        Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("could not listen on {listen}: {reason}"),
        )
    };
    let addresses: Vec<SocketAddr> =
        listen.to_socket_addrs().map_err(|error| refuse(error.to_string()))?.collect();
    if addresses.iter().any(|address| !address.ip().is_loopback()) && !host.has_password() {
        return Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("refusing to listen on {listen} without a password"),
        )
        .hint(
            "Other machines could connect. Start on 127.0.0.1 first and set one: \
             ALTER ROLE postgres PASSWORD '...'.",
        ));
    }
    let mut listeners = Vec::new();
    let mut failure = None;
    for address in addresses {
        match TcpListener::bind(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if listeners.is_empty() => Err(if error.kind() == io::ErrorKind::AddrInUse {
            refuse("the port is taken".to_owned()).hint(
                    "Another server runs there. Stop it, or listen on another port with --listen HOST:PORT.",
                )
        } else {
            refuse(error.to_string())
        }),
        _ => Ok(listeners),
    }
}

fn accept<H: Host>(listener: &TcpListener, shared: &Arc<Shared<H>>) {
    loop {
        let accepted = listener.accept();
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        // Out of descriptors, most likely: go on when a connection has ended.
        let Ok((stream, peer)) = accepted else {
            shared.ended.wait_for(&mut shared.open.lock(), Duration::from_millis(100));
            continue;
        };
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(stream);
        let writing = Arc::default();
        let entry = Entry {
            stream: Arc::clone(&stream),
            writing: Arc::clone(&writing),
            peer: peer.ip(),
            pid: None,
            waited: 0,
            ending: 0,
            gone: 0,
        };
        {
            let mut open = shared.open.lock();
            let waiting = open
                .values()
                .filter(|entry| entry.pid.is_none() && entry.peer == peer.ip())
                .count();
            if waiting >= UNAUTHENTICATED_MAX {
                refuse(Socket { stream, writing });
                continue;
            }
            open.insert(number, entry);
        }
        let thread_shared = Arc::clone(shared);
        let spawned = spawn("connection", move || {
            let end = Ended { shared: thread_shared, number };
            let _ = serve(&end.shared, number, Socket { stream, writing }, peer);
        });
        if spawned.is_err() {
            shared.open.lock().remove(&number);
        }
    }
}

/// A connection's entry: gone, and its socket shut, when the thread ends in whatever way, so that no client waits for it.
struct Ended<H> {
    shared: Arc<Shared<H>>,
    number: u64,
}

impl<H> Drop for Ended<H> {
    fn drop(&mut self) {
        if let Some(entry) = self.shared.open.lock().remove(&self.number) {
            let _ = entry.stream.shutdown(Shutdown::Both);
        }
        self.shared.ended.notify_all();
    }
}

/// Tells a client that there are too many, and closes.
fn refuse(socket: Socket) {
    let mut wire = Wire::new(Box::new(socket), STARTUP_BYTES_MAX);
    let error = Error::new(
        SqlState::TOO_MANY_CONNECTIONS,
        "too many connections from this address wait to be authenticated",
    );
    wire.out.report(Severity::Fatal, &error, None);
    // Whoever floods a server with connections may miss why they are refused.
    let _ = wire.flush();
}

/// Cuts off who is late, terminated or gone, and at the end of the server everyone.
fn watch<H: Host>(shared: &Shared<H>) {
    let mut open = shared.open.lock();
    while !shared.stopping.load(Ordering::Acquire) {
        if shared.stop_asked.wait_for(&mut open, TICK).timed_out() {
            tick(shared, &mut open);
        }
    }
    for entry in open.values() {
        if let Some(pid) = entry.pid {
            shared.host.terminate(pid);
        }
        let _ = entry.stream.shutdown(Shutdown::Read);
    }
    let mut left = STOP_TIMEOUT;
    let step = Duration::from_millis(100);
    while !open.is_empty() && left > Duration::ZERO {
        shared.ended.wait_for(&mut open, step);
        left = left.saturating_sub(step);
    }
    for entry in open.values() {
        let _ = entry.stream.shutdown(Shutdown::Both);
    }
}

fn tick<H: Host>(shared: &Shared<H>, open: &mut HashMap<u64, Entry>) {
    for entry in open.values_mut() {
        match entry.pid {
            None => {
                entry.waited += 1;
                if entry.waited > AUTHENTICATION_TICKS_MAX {
                    let _ = entry.stream.shutdown(Shutdown::Both);
                }
            }
            Some(pid) if shared.host.is_terminated(pid) => {
                entry.ending += 1;
                // A client that does not read what it is told does not keep its connection.
                let late = entry.ending > ENDING_TICKS_MAX;
                let _ = entry.stream.shutdown(if late { Shutdown::Both } else { Shutdown::Read });
            }
            Some(_) => {}
        }
    }
    // A client that has sent all and waits for the answer looks like one that is gone, until it is sent something.
    let streams: Vec<(Arc<TcpStream>, u64)> = open
        .iter()
        .filter(|(_, entry)| entry.pid.is_some() && entry.ending == 0)
        .map(|(&number, entry)| (Arc::clone(&entry.stream), number))
        .collect();
    let mut polled: Vec<PollFd<'_>> =
        streams.iter().map(|(stream, _)| PollFd::new(stream, PollFlags::RDHUP)).collect();
    // When this fails, the next read or write finds out.
    let _ = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    for (polled, (_, number)) in polled.iter().zip(&streams) {
        let Some(entry) = open.get_mut(number) else { continue };
        let events = polled.revents();
        if events.intersects(PollFlags::HUP | PollFlags::ERR) {
            if let Some(pid) = entry.pid {
                shared.host.client_gone(pid);
            }
        } else if events.intersects(PollFlags::RDHUP) {
            entry.gone = entry.gone.saturating_add(1);
            if entry.gone == PROBE_TICKS {
                entry.probe();
            }
        }
    }
}

/// One connection, from its first byte to its last.
fn serve<H: Host>(
    shared: &Shared<H>,
    number: u64,
    socket: Socket,
    peer: SocketAddr,
) -> io::Result<()> {
    let mut wire = Wire::new(Box::new(socket), shared.options.message_bytes_max);
    let session = match begin(shared, number, &mut wire, peer) {
        Ok(Some(session)) => session,
        Ok(None) => return Ok(()),
        Err(error) => {
            wire.out.report(Severity::Fatal, &error, None);
            return wire.end();
        }
    };
    Connection::new(wire, session).run()
}

/// Startup and authentication; none when the connection was for something else or is gone.
fn begin<H: Host>(
    shared: &Shared<H>,
    number: u64,
    wire: &mut Wire,
    peer: SocketAddr,
) -> Result<Option<H::Session>> {
    let Some(parameters) = startup(shared, wire)? else { return Ok(None) };
    if parameters.minor > 0 || !parameters.unknown_options.is_empty() {
        wire.out.negotiate_version(&parameters.unknown_options);
    }
    let login = shared.host.login(&parameters.user);
    let local = peer.ip().is_loopback();
    authenticate(wire, &parameters.user, &login, local, &shared.pretender)?;
    if shared.open.lock().values().filter(|entry| entry.pid.is_some()).count()
        >= shared.options.connections_max
    {
        return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already"));
    }
    let mut session = shared.host.open(&parameters, peer)?;
    if shared.stopping.load(Ordering::Acquire) {
        return Err(Error::new(
            SqlState::CANNOT_CONNECT_NOW,
            "the database system is shutting down",
        ));
    }
    let (pid, secret) = session.key();
    if let Some(entry) = shared.open.lock().get_mut(&number) {
        entry.pid = Some(pid);
    }
    wire.out.authentication_ok();
    for (name, value) in session.parameters() {
        wire.out.parameter_status(&name, &value);
    }
    wire.out.backend_key(pid, secret);
    wire.out.ready(Status::Idle);
    Ok(Some(session))
}

/// The packets before authentication, up to the one that begins a session.
fn startup<H: Host>(shared: &Shared<H>, wire: &mut Wire) -> Result<Option<Parameters>> {
    let (mut asked_ssl, mut asked_gss) = (false, false);
    loop {
        let Some(frame) = wire.inbound.packet(STARTUP_BYTES_MAX)? else {
            match wire.exchange() {
                Ok(true) => continue,
                Ok(false) => return Ok(None),
                Err(error) => return Err(lost(&error)),
            }
        };
        match startup::decode(wire.inbound.body(&frame))? {
            // Each kind of encryption may be asked for once, and nothing may follow before the answer.
            Startup::Ssl if !asked_ssl && wire.inbound.is_empty() => asked_ssl = true,
            Startup::Gss if !asked_gss && wire.inbound.is_empty() => asked_gss = true,
            Startup::Ssl | Startup::Gss => {
                return Err(crate::protocol::violation(
                    "received unencrypted data after an encryption request",
                ));
            }
            Startup::Cancel { pid, secret } => {
                shared.host.cancel(pid, secret);
                return Ok(None);
            }
            Startup::Begin(parameters) => return Ok(Some(parameters)),
        }
        wire.write_raw(b'N').map_err(|error| lost(&error))?;
    }
}
