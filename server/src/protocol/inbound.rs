//! Bytes from the client, cut into frames.
//!
//! A frame is a letter, a length that counts itself, and a body. The packets before authentication have no letter.

use super::violation;
use damask_types::Result;
use std::io::{self, Read};
use std::ops::Range;

/// How much a read asks for.
const READ_BYTES: usize = 16 * 1024;
/// A buffer that grew beyond this is given back once it is empty.
const KEEP_BYTES: usize = 256 * 1024;

/// Bytes that arrived and are not used up.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    /// What lies behind `end` is room for the next read, written once when it is made.
    buffer: Vec<u8>,
    /// First byte that is not used up.
    start: usize,
    /// First byte that has not arrived.
    end: usize,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// All that had arrived.
    Short,
    /// As much as there was room for; there may be more.
    Full,
    /// Nothing: the stream has ended.
    End,
}

/// A frame's place in the buffer. It stays valid until the next [`Inbound::fill`].
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The message's letter; 0 for a packet without one.
    pub(crate) letter: u8,
    body: Range<usize>,
}

impl Inbound {
    /// Takes a buffer to read into, if there is nothing in its own.
    pub(crate) fn borrow(&mut self, room: &mut Vec<u8>) {
        if self.is_empty() {
            self.buffer = std::mem::take(room);
            (self.start, self.end) = (0, 0);
        }
    }

    /// Gives it back, and keeps what has arrived of a frame.
    pub(crate) fn give_back(&mut self, room: &mut Vec<u8>) {
        let rest = self.arrived().to_vec();
        *room = std::mem::replace(&mut self.buffer, rest);
        if room.len() > KEEP_BYTES {
            room.truncate(KEEP_BYTES);
            room.shrink_to_fit();
        }
        (self.start, self.end) = (0, self.buffer.len());
    }

    /// Reads once, however much there is.
    pub(crate) fn fill(&mut self, stream: &mut impl Read) -> io::Result<Filled> {
        self.make_room();
        let room = self.end + READ_BYTES;
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let read = loop {
            match stream.read(&mut self.buffer[self.end..room]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = read?;
        self.end += count;
        Ok(match count {
            0 => Filled::End,
            READ_BYTES => Filled::Full,
            _ => Filled::Short,
        })
    }

    /// Appends bytes that were read elsewhere.
    #[cfg(test)]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.make_room();
        self.buffer.truncate(self.end);
        self.buffer.extend_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Moves what is left to the front.
    fn make_room(&mut self) {
        if self.start == self.end {
            if self.buffer.len() > KEEP_BYTES {
                self.buffer.truncate(KEEP_BYTES);
                self.buffer.shrink_to_fit();
            }
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
        }
        self.end -= self.start;
        self.start = 0;
    }

    /// No byte is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The bytes that have arrived and are not used up.
    fn arrived(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The next whole frame, used up; none until more bytes arrive.
    ///
    /// # Errors
    /// 08P01 when the announced length is impossible or above `limit` bytes; the stream cannot go on after that.
    pub(crate) fn frame(&mut self, limit: usize) -> Result<Option<Frame>> {
        let Some(&letter) = self.arrived().first() else { return Ok(None) };
        self.take(1, letter, limit)
    }

    /// The next whole packet without a letter.
    ///
    /// # Errors
    /// As [`Inbound::frame`].
    pub(crate) fn packet(&mut self, limit: usize) -> Result<Option<Frame>> {
        self.take(0, 0, limit)
    }

    fn take(&mut self, skip: usize, letter: u8, limit: usize) -> Result<Option<Frame>> {
        let at = self.start + skip;
        let rest = self.arrived().get(skip..);
        let Some(&length) = rest.and_then(|rest| rest.first_chunk::<4>()) else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(length) as usize;
        if length < 4 || length > limit {
            return Err(violation("invalid message length"));
        }
        if self.end - at < length {
            return Ok(None);
        }
        self.start = at + length;
        Ok(Some(Frame { letter, body: at + 4..at + length }))
    }

    /// The body of a frame.
    pub(crate) fn body(&self, frame: &Frame) -> &[u8] {
        self.buffer.get(frame.body.clone()).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_whatever_the_cuts() {
        let bytes = b"Q\0\0\0\x0dselect 1\0S\0\0\0\x04";
        for cut in 0..bytes.len() {
            let mut inbound = Inbound::default();
            let mut letters = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                inbound.push(part);
                while let Some(frame) = inbound.frame(100).unwrap() {
                    letters.push((frame.letter, inbound.body(&frame).len()));
                }
            }
            assert_eq!(letters, [(b'Q', 9), (b'S', 0)]);
            assert!(inbound.is_empty());
        }
    }

    #[test]
    fn lengths_are_checked_before_the_bytes_are_there() {
        for length in [0_u32, 3, 101, u32::MAX] {
            let mut inbound = Inbound::default();
            inbound.push(b"Q");
            inbound.push(&length.to_be_bytes());
            assert!(inbound.frame(100).is_err());
        }
    }
}
