//! Reads by `io_uring`: several parts of a file are asked for with one call, and the disk works on them at the same time.
//!
//! A ring is used by one thread at a time. There are as many as were ever used at once; a thread that can have none reads
//! nothing, and its caller reads in the ordinary way.
//!
//! Invariant R1: [`Rings::read`] returns only when the system is done with every buffer that it was told of, whatever happens.

#![expect(unsafe_code, reason = "the system writes to buffers until it says that it is done")]

use super::{Counts, Piece};
use io_uring::{IoUring, opcode, types};
use parking_lot::Mutex;
use smallvec::smallvec;
use std::fmt;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

/// Reads that a ring has room for.
const ENTRIES: usize = 32;

/// Rings that nobody uses at the moment.
pub(super) struct Rings(Mutex<Vec<IoUring>>);

impl fmt::Debug for Rings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rings({})", self.0.lock().len())
    }
}

impl Rings {
    /// `None` if the system gives no ring, as in many containers.
    pub(super) fn new() -> Option<Arc<Self>> {
        let first = ring()?;
        Some(Arc::new(Self(Mutex::new(vec![first]))))
    }

    /// Reads parts of a file at the same time; how much of each is read, from its beginning. What fails is not read, and what comes alone is
    /// not worth a ring.
    pub(super) fn read(&self, file: BorrowedFd<'_>, pieces: &mut [Piece<'_>]) -> Counts {
        let mut done: Counts = smallvec![0; pieces.len()];
        if pieces.len() == 1 {
            return done;
        }
        let idle = self.0.lock().pop();
        let Some(mut ring) = idle.or_else(ring) else { return done };
        let chunks = pieces.chunks_mut(ENTRIES).zip(done.chunks_mut(ENTRIES));
        let mut is_sound = true;
        for (pieces, done) in chunks {
            is_sound = is_sound && read_chunk(&mut ring, file, pieces, done);
        }
        if is_sound {
            self.0.lock().push(ring);
        }
        done
    }
}

fn ring() -> Option<IoUring> {
    let entries = ENTRIES as u32;
    // A thread that waits needs no signal of what is done. Systems before 5.19 do not know that wish.
    let patient = IoUring::builder().setup_coop_taskrun().build(entries);
    patient.or_else(|_| IoUring::new(entries)).ok()
}

/// Reads as many parts as a ring takes, and notes how much of each; false if the ring is not to be used again.
fn read_chunk(
    ring: &mut IoUring,
    file: BorrowedFd<'_>,
    pieces: &mut [Piece<'_>],
    done: &mut [usize],
) -> bool {
    let file = types::Fd(file.as_raw_fd());
    let mut left = 0;
    for (index, piece) in pieces.iter_mut().enumerate() {
        let (start, len) = (piece.buffer.as_mut_ptr(), piece.buffer.len() as u32);
        let read = opcode::Read::new(file, start, len).offset(piece.offset).build();
        // SAFETY: the buffer is borrowed exclusively until this function returns, which is when nothing is under way (R1); the
        // file is open as long.
        let pushed = unsafe { ring.submission().push(&read.user_data(index as u64)) };
        left += usize::from(pushed.is_ok());
    }
    let mut is_sound = true;
    loop {
        for completion in ring.completion() {
            left -= 1;
            if let Some(done) = done.get_mut(completion.user_data() as usize) {
                // Below zero it is an error.
                *done = usize::try_from(completion.result()).unwrap_or(0);
            }
        }
        // What the system refuses to take is never under way.
        let refused = if is_sound { 0 } else { ring.submission().len() };
        if left == refused {
            return is_sound;
        }
        match ring.submit_and_wait(left - refused) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => {
                is_sound = false;
                std::thread::yield_now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, open, unlink};
    use rustix::io::pwrite;
    use std::os::fd::AsFd;

    /// More parts than a ring takes, one beyond the file, one across its end, from several threads at once. Where the system
    /// gives no ring there is nothing to look at.
    #[test]
    fn parts_come_to_their_buffers() {
        let Some(rings) = Rings::new() else { return };
        let path = std::env::temp_dir().join(format!("damask-rings-{}", std::process::id()));
        let file = open(&path, OFlags::RDWR | OFlags::CREATE, Mode::RUSR | Mode::WUSR).unwrap();
        unlink(&path).unwrap();
        let byte = |at: usize| (at * 7 / 3) as u8;
        let content: Vec<u8> = (0..100_000).map(byte).collect();
        assert_eq!(pwrite(&file, &content, 0).unwrap(), content.len());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let starts =
                        (0..ENTRIES * 2 + 5).map(|index| index * 1000).chain([99_990, 1 << 30]);
                    let starts: Vec<usize> = starts.collect();
                    let mut buffers = vec![[0xa5; 700]; starts.len()];
                    let mut pieces: Vec<Piece<'_>> = buffers
                        .iter_mut()
                        .zip(&starts)
                        .map(|(buffer, start)| Piece { buffer, offset: *start as u64 })
                        .collect();
                    let done = rings.read(file.as_fd(), &mut pieces);
                    for ((buffer, start), done) in buffers.iter().zip(starts).zip(done) {
                        let expected = content.len().saturating_sub(start).min(buffer.len());
                        assert_eq!(done, expected, "at {start}");
                        assert_eq!(buffer[..done], content[start.min(99_999)..][..done]);
                        assert!(buffer[done..].iter().all(|byte| *byte == 0xa5));
                    }
                });
            }
        });
        assert!((1..=3).contains(&rings.0.lock().len()), "{rings:?}");
        // What is no file to read from is not read, and the ring goes on.
        let nowhere = open("/", OFlags::RDONLY, Mode::empty()).unwrap();
        let (mut first, mut second) = ([1; 10], [1; 20]);
        let mut pieces =
            [Piece { buffer: &mut first, offset: 0 }, Piece { buffer: &mut second, offset: 3 }];
        assert_eq!(rings.read(nowhere.as_fd(), &mut pieces)[..], [0, 0]);
        assert_eq!(rings.read(file.as_fd(), &mut pieces)[..], [10, 20]);
    }
}
