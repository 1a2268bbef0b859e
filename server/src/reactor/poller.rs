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

/// Most events that are taken by one call of the kernel.
const EVENTS_MAX: usize = 16;

/// Something that happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    /// As given to [`Poller::add`].
    pub(super) key: u64,
    /// Nothing more will arrive than what has.
    pub(super) is_hung_up: bool,
}

/// What one call of the kernel told, in memory that is used again.
pub(super) struct Events {
    events: [Event; EVENTS_MAX],
    count: usize,
}

impl Events {
    pub(super) fn new() -> Self {
        let none = Event { flags: EventFlags::empty(), data: EventData::new_u64(WAKE) };
        Self { events: [none; EVENTS_MAX], count: 0 }
    }

    /// What happened to sockets.
    pub(super) fn iter(&self) -> impl Iterator<Item = Happened> {
        let ends = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        self.events[..self.count].iter().filter_map(move |&Event { flags, data }| {
            let key = data.u64();
            (key != WAKE).then(|| Happened { key, is_hung_up: flags.intersects(ends) })
        })
    }
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

    /// Waits until something happens or somebody calls [`Poller::wake`]; takes one event, or all that `events` has room for.
    pub(super) fn wait(&self, events: &mut Events, takes_all: bool) {
        self.take(events, takes_all, None);
    }

    /// The same without waiting; whether there was something.
    pub(super) fn look(&self, events: &mut Events, takes_all: bool) -> bool {
        self.take(events, takes_all, Some(&NOW));
        events.count > 0
    }

    /// Wakes one of those who wait, or the next who does.
    pub(super) fn wake(&self) {
        #[expect(clippy::host_endian_bytes, reason = "an eventfd takes the machine's own")]
        let one = 1_u64.to_ne_bytes();
        // It fails only when 2^64 - 2 calls have come before.
        let _ = rustix::io::write(&self.wake, &one);
    }

    fn take(&self, events: &mut Events, takes_all: bool, timeout: Option<&Timespec>) {
        let room = if takes_all { EVENTS_MAX } else { 1 };
        events.count = loop {
            match epoll::wait(&self.epoll, &mut events.events[..room], timeout) {
                Ok(count) => break count,
                Err(Errno::INTR) => {}
                Err(error) => panic!("waiting for sockets: {error}"),
            }
        };
    }
}

fn interest() -> EventFlags {
    EventFlags::IN | EventFlags::RDHUP | EventFlags::ET
}
