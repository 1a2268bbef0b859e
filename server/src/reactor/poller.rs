//! The kernel's list of sockets: one epoll instance, edge-triggered, and an eventfd to wake who waits there.
//!
//! A socket is registered once. An event is reported when more bytes arrive or the client ends its side, to one of those who wait; nothing
//! is registered again between messages. So whoever reads must either read less than there was room for or be told that there is nothing
//! more, before it waits for the next event.

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The key of the eventfd.
const WAKE: u64 = u64::MAX;
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// Something, to the socket with this key.
    At {
        /// As given to [`Poller::add`].
        key: u64,
        /// Nothing more will arrive than what has.
        is_hung_up: bool,
    },
    /// Nothing: somebody called [`Poller::wake`].
    Woken,
}

/// See the head of the file.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

impl Poller {
    /// An empty list.
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered, so it need not be read: each write reports an event.
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, wake })
    }

    /// Adds a socket; what has arrived already is reported. It goes when it is closed.
    pub(super) fn add(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(key), interest())?)
    }

    /// Reports no more of a socket: its bytes are waited for in another way.
    pub(crate) fn pause(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        let nothing = EventFlags::ET;
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(key), nothing)?)
    }

    /// Takes back [`Poller::pause`]; what has arrived meanwhile is reported.
    pub(crate) fn resume(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(key), interest())?)
    }

    /// Waits for an event.
    pub(super) fn wait(&self) -> Happened {
        self.take(None).unwrap_or(Happened::Woken)
    }

    /// An event, if there is one.
    pub(super) fn look(&self) -> Option<Happened> {
        self.take(Some(&NOW))
    }

    /// Wakes one of those who wait, or the next who does.
    pub(super) fn wake(&self) {
        #[expect(clippy::host_endian_bytes, reason = "an eventfd takes the machine's own")]
        let one = 1_u64.to_ne_bytes();
        // It fails only when 2^64 - 2 calls have come before.
        let _ = rustix::io::write(&self.wake, &one);
    }

    fn take(&self, timeout: Option<&Timespec>) -> Option<Happened> {
        let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }];
        loop {
            match epoll::wait(&self.epoll, &mut events, timeout) {
                Ok(0) => return None,
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => panic!("waiting for sockets: {error}"),
            }
        }
        let Event { flags, data } = events[0];
        let key = data.u64();
        if key == WAKE {
            return Some(Happened::Woken);
        }
        let ends = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        Some(Happened::At { key, is_hung_up: flags.intersects(ends) })
    }
}

fn interest() -> EventFlags {
    EventFlags::IN | EventFlags::RDHUP | EventFlags::ET
}
