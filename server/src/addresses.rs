//! Where a server listens: TCP addresses, and Unix-domain sockets in directories of this machine.
//!
//! A Unix-domain socket is a file `.s.PGSQL.PORT`, as PostgreSQL's clients look for it. Beside it lies a file `.s.PGSQL.PORT.lock` that the
//! server keeps locked and that names its process, so that of two servers for one port one gives up, PostgreSQL's included. What a server
//! that crashed left there is taken over. Both files go with the server.

use crate::listener::Host;
use damask_types::{Error, Result, SqlState};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, ftruncate};
use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ipv6_v6only, set_socket_keepalive, set_socket_reuseaddr, set_tcp_nodelay,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Clients that may wait until they are accepted; the kernel has its own limit.
const BACKLOG: i32 = 4096;
/// Who may connect to a Unix-domain socket: everyone who can reach its directory.
const SOCKET_MODE: u32 = 0o777;
/// Others need not write to the lock's file; PostgreSQL reads it.
const LOCK_MODE: u32 = 0o644;

/// What clients connect to. It is displayed as the address, or the path of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address and port.
    Tcp(SocketAddr),
    /// The Unix-domain socket of a port in a directory.
    Local(PathBuf, u16),
}

impl Place {
    /// What clients are told as host: an address, or a directory.
    pub fn host(&self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_string(),
            Self::Local(directory, _) => directory.display().to_string(),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Tcp(address) => address.port(),
            Self::Local(_, port) => *port,
        }
    }

    /// Its TCP address, if it has one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Local(..) => None,
        }
    }

    /// Connects for a moment, which wakes who waits for a client there.
    pub(crate) fn ring(&self) {
        match self {
            Self::Tcp(address) => drop(TcpStream::connect(address)),
            Self::Local(directory, port) => {
                drop(UnixStream::connect(socket_path(directory, *port)));
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Local(directory, port) => socket_path(directory, *port).display().fmt(f),
        }
    }
}

/// A place that clients are waited for at.
#[derive(Debug)]
pub(crate) enum Listening {
    Tcp(TcpListener, SocketAddr),
    Local(LocalListener, PathBuf, u16),
}

impl Listening {
    /// Waits for a client: its socket, and its address if it has one.
    pub(crate) fn accept(&self) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, peer) = listener.accept()?;
                // Both help and neither is needed.
                let _ = set_tcp_nodelay(&stream, true);
                let _ = set_socket_keepalive(&stream, true);
                Ok((stream.into(), Some(peer)))
            }
            Self::Local(local, ..) => Ok((local.listener.accept()?.0.into(), None)),
        }
    }

    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Tcp(_, address) => Place::Tcp(*address),
            Self::Local(_, directory, port) => Place::Local(directory.clone(), *port),
        }
    }
}

/// A Unix-domain socket. Dropping it removes its files.
#[derive(Debug)]
pub(crate) struct LocalListener {
    listener: UnixListener,
    path: PathBuf,
    // The last field: the lock goes after what it protects.
    _lock: Lock,
}

impl LocalListener {
    /// Makes the socket of a port in a directory.
    fn bind(directory: &Path, port: u16) -> io::Result<Self> {
        let path = socket_path(directory, port);
        let lock = Lock::take(&path)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        let local = Self { listener, path, _lock: lock };
        fs::set_permissions(&local.path, fs::Permissions::from_mode(SOCKET_MODE))?;
        Ok(local)
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        // What stays is taken over by the next server.
        let _ = fs::remove_file(&self.path);
    }
}

/// The file that says whose a socket is. Dropping it removes it.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    /// Locked.
    _file: OwnedFd,
}

impl Lock {
    /// Locks the file of a socket that nobody listens on, and writes this process's id into it.
    fn take(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let file = loop {
            // What others put there in its place is not followed.
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(LOCK_MODE))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Err(io::ErrorKind::AddrInUse.into()),
                locked => locked?,
            }
            // Its last owner may have removed it meanwhile.
            let own = fstat(&file)?.st_ino;
            if fs::metadata(&path).is_ok_and(|found| found.ino() == own) {
                break file;
            }
        };
        // PostgreSQL does not lock its file.
        if UnixStream::connect(socket).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        ftruncate(&file, 0)?;
        rustix::io::write(&file, format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stays is taken over by the next server.
        let _ = fs::remove_file(&self.path);
    }
}

fn socket_path(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

/// Listens on each host of `HOST,...:PORT`, if there is one, and on a socket in each directory. Also tells what could not be had.
///
/// # Errors
/// 55000 if nothing could be had, with the reason; 28000 for an address beyond this machine without a password; 22023 if that is not
/// the form of `listen`.
pub(crate) fn bind<H: Host>(
    listen: &str,
    directories: &[PathBuf],
    host: &H,
) -> Result<(Vec<Listening>, Vec<Error>)> {
    let (hosts, port) = split(listen)?;
    let (mut listening, mut failures) = tcp(hosts, port, host)?;
    let port = listening.first().map_or(port, |bound| bound.place().port());
    for directory in directories.iter().filter(|_| port != 0) {
        match LocalListener::bind(directory, port) {
            Ok(local) => listening.push(Listening::Local(local, directory.clone(), port)),
            Err(error) => {
                let place = Place::Local(directory.clone(), port);
                failures.push(refusal(&place.to_string(), &error));
            }
        }
    }
    if listening.is_empty() {
        let none = || refusal(listen, &io::Error::from(io::ErrorKind::AddrNotAvailable));
        return Err(failures.pop().unwrap_or_else(none));
    }
    Ok((listening, failures))
}

/// The list of hosts and the port.
fn split(listen: &str) -> Result<(&str, u16)> {
    let parts = listen.rsplit_once(':').and_then(|(hosts, port)| Some((hosts, port.parse().ok()?)));
    parts.ok_or_else(|| {
        let message = format!("\"{listen}\" is not of the form HOST:PORT");
        Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
    })
}

fn tcp<H: Host>(hosts: &str, port: u16, host: &H) -> Result<(Vec<Listening>, Vec<Error>)> {
    let (mut listening, mut failures) = (vec![], vec![]);
    let mut addresses: Vec<SocketAddr> = vec![];
    for name in hosts.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match resolve(name, port) {
            Ok(found) => addresses.extend(found),
            Err(error) => failures.push(refusal(&format!("{name}:{port}"), &error)),
        }
    }
    let mut known = HashSet::new();
    addresses.retain(|address| known.insert(*address));
    let open = addresses.iter().find(|address| !address.ip().is_loopback());
    if let Some(open) = open
        && !host.has_password()
    {
        return Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("refusing to listen on {open} without a password"),
        )
        .hint(
            "Other machines could connect. Start on 127.0.0.1 first and set one: \
             ALTER ROLE postgres PASSWORD '...'.",
        ));
    }
    let mut port = port;
    for mut address in addresses {
        address.set_port(port);
        match listen_at(address) {
            Ok((listener, bound)) => {
                // One that the first took because it was free is everywhere's.
                port = bound.port();
                listening.push(Listening::Tcp(listener, bound));
            }
            Err(error) => failures.push(refusal(&address.to_string(), &error)),
        }
    }
    // A server that has lost its port to another one must not go on with a socket alone.
    match failures.pop() {
        Some(failure) if listening.is_empty() => Err(failure),
        last => {
            failures.extend(last);
            Ok((listening, failures))
        }
    }
}

/// The addresses of a host: a name, a number, or `*` for all that the machine has.
fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host == "*" {
        return Ok(vec![
            (Ipv4Addr::UNSPECIFIED, port).into(),
            (Ipv6Addr::UNSPECIFIED, port).into(),
        ]);
    }
    let number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((number, port).to_socket_addrs()?.collect())
}

/// Listens on one address; one of the sixth version is not one of the fourth, too, as it would be by itself.
fn listen_at(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    // Connections of the last server that are not quite over do not stand in the way.
    set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = TcpListener::from(socket);
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

fn refusal(place: &str, error: &io::Error) -> Error {
    let refuse = |reason: &str| {
        Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("could not listen on {place}: {reason}"),
        )
    };
    if error.kind() == io::ErrorKind::AddrInUse {
        refuse("the port is taken").hint(
            "Another server runs there. Stop it, or listen on another port with --listen HOST:PORT.",
        )
    } else {
        refuse(&error.to_string())
    }
}
