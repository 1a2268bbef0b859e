//! Sockets: listening, accepting, limits, and the end of the server.
//!
//! A thread for each place that clients connect to (`addresses`) accepts connections and puts them into the pool (`reactor`), whose workers serve them.
//!
//! A watch thread wakes four times a second. It cuts off who has not authenticated in time, wakes connections whose
//! session another one has terminated, and stops statements whose client is gone. It needs no clock: it counts its own
//! ticks. A client that has closed its socket and one that has only said that it sends no more look alike until something
//! is sent to them; so the watch thread sends a message that changes nothing, and the socket of a client that is gone fails.
//! Connections that run nothing find out by themselves.
//!
//! It wakes a connection by ending what can be read from its socket; the connection then finds out why, and tells
//! its client before it closes.

use crate::addresses::{Listening, Place, bind};
use crate::auth::{Login, Pretender};
use crate::client::Client;
use crate::protocol::Severity;
use crate::protocol::startup::{Parameters, STARTUP_BYTES_MAX};
use crate::reactor::{Clock, Handle, Pool};
use crate::session::Session;
use crate::socket::{Line, Socket};
use crate::wire::Wire;
use damask::topology::{OneNode, Topology};
use damask_types::{Error, Result, SqlState};
use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::path::PathBuf;
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
/// Ticks that a connection which is to end has to write what is left.
const ENDING_TICKS_MAX: u32 = 20;
/// Connections of one address that have not authenticated.
const UNAUTHENTICATED_MAX: usize = 20;
/// How long the end of the server waits for its connections while none of them ends.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The database, as the server uses it.
pub trait Host: Send + Sync + 'static {
    /// Its sessions.
    type Session: Session + Started + Send;
    /// What is known of a role.
    fn login(&self, user: &str) -> Login;
    /// Some role can log in with a password.
    fn has_password(&self) -> bool;
    /// Begins a session for an authenticated client; one that came by a Unix-domain socket has no address.
    fn open(&self, parameters: &Parameters, peer: Option<SocketAddr>) -> Result<Self::Session>;
    /// What tells the time since some fixed moment; it times how long clients are silent.
    fn clock(&self) -> Arc<dyn Fn() -> Duration + Send + Sync>;
    /// The nodes of the machine that sessions are to be spread over; one, unless the host says otherwise.
    fn topology(&self) -> Arc<dyn Topology> {
        Arc::new(OneNode::default())
    }
    /// How many flushes of the log may be under way at a time.
    fn flushes_max(&self) -> usize {
        1
    }
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
    /// `HOST:PORT` to listen on; port 0 takes a free one. There may be several hosts, with commas between them, and `*` is every address of the
    /// machine. Without a host there are Unix-domain sockets alone.
    pub listen: String,
    /// Where Unix-domain sockets are made, if anywhere.
    pub socket_directories: Vec<PathBuf>,
    /// The most connections at one time.
    pub connections_max: usize,
    /// The most bytes of one message from a client.
    pub message_bytes_max: usize,
}

impl Default for ServerOptions {
    /// This machine only, PostgreSQL's port, no Unix-domain socket, 100 connections, 64 MiB.
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5432".to_owned(),
            socket_directories: vec![],
            connections_max: 100,
            message_bytes_max: 64 << 20,
        }
    }
}

/// An open connection, as the watch thread sees it.
pub(crate) struct Entry<H: Host> {
    line: Arc<Line>,
    /// None if it came by a Unix-domain socket.
    peer: Option<IpAddr>,
    /// Its place in the pool; none while it is being made.
    handle: Option<Arc<Handle<Client<H>>>>,
    /// Its session's process id, once it has one.
    pub(crate) pid: Option<i32>,
    /// Ticks without a session.
    waited: u32,
    /// Ticks since its session was asked to end.
    ending: u32,
    /// Ticks in which its client was seen to send no more.
    gone: u32,
}

/// What the connections of a server share.
pub(crate) struct Shared<H: Host> {
    pub(crate) host: H,
    pub(crate) options: ServerOptions,
    pub(crate) pretender: Pretender,
    pub(crate) clock: Clock,
    stopping: AtomicBool,
    next: AtomicU64,
    pub(crate) open: Mutex<HashMap<u64, Entry<H>>>,
    /// A connection has ended.
    ended: Condvar,
    /// The server is to stop.
    stop_asked: Condvar,
}

impl<H: Host> Shared<H> {
    /// The server is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Forgets a connection, and shuts its socket so that no client waits for it.
    pub(crate) fn forget(&self, number: u64) {
        if let Some(entry) = self.open.lock().remove(&number) {
            entry.line.shut(Shutdown::Both);
        }
        self.ended.notify_all();
    }
}

/// A running server. Dropping it leaves it running; [`Server::stop`] ends it.
pub struct Server {
    places: Vec<Place>,
    warnings: Vec<Error>,
    threads: Vec<thread::JoinHandle<()>>,
    stop: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Server {
    /// Its first TCP address.
    ///
    /// # Panics
    /// If it has Unix-domain sockets alone.
    pub fn local_addr(&self) -> SocketAddr {
        self.places.iter().find_map(Place::address).expect("there is a TCP address")
    }

    /// Every place that clients can connect to, at least one; TCP addresses come first.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Where it was to listen and does not, with the reasons.
    pub fn warnings(&self) -> &[Error] {
        &self.warnings
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
/// 55000 when no address can be had, with the reason; 28000 for an address beyond this machine without a password.
pub fn start<H: Host>(host: H, options: ServerOptions) -> Result<Server> {
    let (listeners, warnings) = bind(&options.listen, &options.socket_directories, &host)?;
    let places: Vec<Place> = listeners.iter().map(Listening::place).collect();
    let shared = Arc::new(Shared {
        clock: host.clock(),
        host,
        options,
        pretender: Pretender::default(),
        stopping: AtomicBool::new(false),
        next: AtomicU64::new(0),
        open: Mutex::default(),
        ended: Condvar::new(),
        stop_asked: Condvar::new(),
    });
    let pool =
        Pool::start(Arc::clone(&shared.clock), shared.host.topology(), shared.host.flushes_max())
            .map_err(|error| no_thread(&error))?;
    let mut threads = Vec::new();
    for listener in listeners {
        let (shared, pool) = (Arc::clone(&shared), Arc::clone(&pool));
        threads.push(spawn("listener", move || accept(&listener, &shared, &pool))?);
    }
    {
        let shared = Arc::clone(&shared);
        threads.push(spawn("watch", move || {
            watch(&shared);
            pool.close();
        })?);
    }
    let stop = {
        let places = places.clone();
        Arc::new(move || {
            shared.stopping.store(true, Ordering::Release);
            shared.stop_asked.notify_all();
            // Wakes the threads that accept.
            places.iter().for_each(Place::ring);
        })
    };
    Ok(Server { places, warnings, threads, stop })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|error| no_thread(&error))
}

fn no_thread(error: &io::Error) -> Error {
    Error::new(SqlState::INSUFFICIENT_RESOURCES, format!("could not start a thread: {error}"))
}

fn accept<H: Host>(listener: &Listening, shared: &Arc<Shared<H>>, pool: &Arc<Pool<Client<H>>>) {
    loop {
        let accepted = listener.accept();
        if shared.is_stopping() {
            return;
        }
        // Out of descriptors, most likely: go on when a connection has ended.
        let Ok((stream, peer)) = accepted else {
            shared.ended.wait_for(&mut shared.open.lock(), Duration::from_millis(100));
            continue;
        };
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let line = Line::new(stream);
        let entry = Entry {
            line: Arc::clone(&line),
            peer: peer.map(|peer| peer.ip()),
            handle: None,
            pid: None,
            waited: 0,
            ending: 0,
            gone: 0,
        };
        {
            let mut open = shared.open.lock();
            let waiting = open
                .values()
                .filter(|entry| entry.pid.is_none() && entry.peer == peer.map(|peer| peer.ip()))
                .count();
            if waiting >= UNAUTHENTICATED_MAX {
                refuse(line);
                continue;
            }
            open.insert(number, entry);
        }
        let socket = Socket::new(Arc::clone(&line), Some((Arc::clone(pool.poller()), number)));
        let client = Client::new(Arc::clone(shared), number, peer, socket, pool.waker(number));
        // If it cannot be added it is dropped, which forgets it.
        if let Ok(handle) = pool.add(number, client, line.stream())
            && let Some(entry) = shared.open.lock().get_mut(&number)
        {
            entry.handle = Some(handle);
        }
    }
}

/// Tells a client that there are too many, and closes.
fn refuse(line: Arc<Line>) {
    let mut wire = Wire::new(Socket::new(line, None), STARTUP_BYTES_MAX);
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
        entry.line.shut(Shutdown::Read);
    }
    let mut left = STOP_TIMEOUT;
    let step = Duration::from_millis(100);
    while !open.is_empty() && left > Duration::ZERO {
        // Each end is waited for anew.
        if shared.ended.wait_for(&mut open, step).timed_out() {
            left = left.saturating_sub(step);
        }
    }
    for (_, entry) in open.drain() {
        entry.line.shut(Shutdown::Both);
    }
}

fn tick<H: Host>(shared: &Shared<H>, open: &mut HashMap<u64, Entry<H>>) {
    for entry in open.values_mut() {
        match entry.pid {
            None => {
                entry.waited += 1;
                if entry.waited > AUTHENTICATION_TICKS_MAX {
                    entry.line.shut(Shutdown::Both);
                }
            }
            Some(pid) if shared.host.is_terminated(pid) => {
                entry.ending += 1;
                // A client that does not read what it is told does not keep its connection.
                let late = entry.ending > ENDING_TICKS_MAX;
                entry.line.shut(if late { Shutdown::Both } else { Shutdown::Read });
            }
            Some(_) => {}
        }
    }
    // A client that has sent all and waits for the answer looks like one that is gone, until it is sent something.
    let is_busy = |entry: &Entry<H>| entry.handle.as_ref().is_some_and(|handle| handle.is_busy());
    let lines: Vec<(Arc<Line>, u64)> = open
        .iter()
        .filter(|(_, entry)| entry.pid.is_some() && entry.ending == 0 && is_busy(entry))
        .map(|(&number, entry)| (Arc::clone(&entry.line), number))
        .collect();
    let mut polled: Vec<PollFd<'_>> =
        lines.iter().map(|(line, _)| PollFd::new(line.stream(), PollFlags::RDHUP)).collect();
    // When this fails, the next read or write finds out.
    let _ = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    for (polled, (_, number)) in polled.iter().zip(&lines) {
        let Some(entry) = open.get_mut(number) else { continue };
        let events = polled.revents();
        if events.intersects(PollFlags::HUP | PollFlags::ERR) {
            if let Some(pid) = entry.pid {
                shared.host.client_gone(pid);
            }
        } else if events.intersects(PollFlags::RDHUP) {
            entry.gone = entry.gone.saturating_add(1);
            if entry.gone == PROBE_TICKS {
                entry.line.probe();
            }
        }
    }
}
