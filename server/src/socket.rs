//! A connection's socket: read as far as bytes have arrived, or waited for in the middle of a statement; shut down and probed by others.

use crate::reactor::{Poller, about_to_wait};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What is sent to find out whether a client still listens: a parameter status that says what it knows.
const PROBE: &[u8] = b"S\0\0\0\x19integer_datetimes\0on\0";

/// The kernel's socket, of either family.
#[derive(Debug)]
struct Stream(OwnedFd);

impl Stream {
    fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        Ok(recv(&self.0, buffer, flags)?.0)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        Ok(rustix::net::shutdown(&self.0, how)?)
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer, RecvFlags::empty())
    }
}

impl Write for &Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, buffer, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What others than its connection see of a socket.
#[derive(Debug)]
pub(crate) struct Line {
    stream: Stream,
    /// Held while whole messages are written.
    writing: Mutex<()>,
}

impl Line {
    pub(crate) fn new(socket: OwnedFd) -> Arc<Self> {
        Arc::new(Self { stream: Stream(socket), writing: Mutex::default() })
    }

    pub(crate) fn stream(&self) -> &OwnedFd {
        &self.stream.0
    }

    /// Ends one direction, or both. It is over already if that fails.
    pub(crate) fn shut(&self, how: Shutdown) {
        let _ = self.stream.shutdown(how);
    }

    /// Sends what makes the socket fail if its client is gone. A connection that is writing finds out by itself, and one
    /// whose client does not read cannot be asked.
    pub(crate) fn probe(&self) {
        let Some(_writing) = self.writing.try_lock() else { return };
        let mut polled = [PollFd::new(&self.stream.0, PollFlags::OUT)];
        let is_free = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        if matches!(is_free, Ok(1)) && polled[0].revents().contains(PollFlags::OUT) {
            // A socket that polls as writable has more room than this takes.
            let _ = (&self.stream).write_all(PROBE);
        }
    }
}

/// A connection's socket.
#[derive(Debug)]
pub(crate) struct Socket {
    line: Arc<Line>,
    /// Who reports what arrives, and under what key.
    poller: Option<(Arc<Poller>, u64)>,
    /// Nothing is reported: its bytes are waited for here.
    is_paused: bool,
}

impl Socket {
    /// One that `poller`, if there is one, reports under a key.
    pub(crate) fn new(line: Arc<Line>, poller: Option<(Arc<Poller>, u64)>) -> Self {
        Self { line, poller, is_paused: false }
    }

    /// Reads what has arrived; fails with `WouldBlock` if nothing has.
    pub(crate) fn arrived(&self) -> Arrived<'_> {
        Arrived(&self.line.stream)
    }

    /// What arrives from now on is reported.
    pub(crate) fn watch(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_paused)
            && let Some((poller, key)) = &self.poller
        {
            poller.resume(self.line.stream(), *key)?;
        }
        Ok(())
    }

    /// Nothing more will be written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.line.stream.shutdown(Shutdown::Write)
    }
}

impl Read for Socket {
    /// Waits for bytes, and while it does nobody is woken by what arrives.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.arrived().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        about_to_wait();
        if let Some((poller, key)) = &self.poller
            && !self.is_paused
        {
            poller.pause(self.line.stream(), *key)?;
            self.is_paused = true;
        }
        (&self.line.stream).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&self.line.stream).write(buffer)
    }

    fn write_all(&mut self, buffer: &[u8]) -> io::Result<()> {
        let _writing = self.line.writing.lock();
        (&self.line.stream).write_all(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes that have arrived.
pub(crate) struct Arrived<'a>(&'a Stream);

impl Read for Arrived<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.receive(buffer, RecvFlags::DONTWAIT)
    }
}
