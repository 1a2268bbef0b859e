//! The redo log: frames in commit order, durable after a flush that many committers share.
//!
//! [`Log::append`] copies a frame into the batch that is being collected, or hands over one that is long. [`Log::flush`] makes it durable: the first who
//! needs it and finds a *lane* free writes the whole batch there and syncs once; who comes meanwhile waits for the next batch, whose
//! writer is one of them. There is no timer and no thread: the disk's own pace decides how much a batch collects (group commit, DeWitt et
//! al., SIGMOD 1984).
//!
//! ```text
//!   append -> [batch n+1 collects]      leader writes [batch n] -> sync -> durable = end of n, wake n, one of n+1 leads
//! ```
//!
//! With several lanes, several batches are written at once. There is one stream of frames all the same, and one chain of groups over all
//! lanes ([`writer`]); what is durable is a prefix of it ([`handover`]).
//!
//! Invariants
//! - W1: `durable <= appended`; neither moves back. Frames become durable in the order they were appended.
//! - W2: nothing is reported durable before the sync that covers it, and those of all flushes before it, returned.
//! - W3: after a failed write or sync nothing that it was to cover, and nothing behind that, is reported durable ever again ([`Health`]).
//! - W4: a block that was written is never written again: groups are padded, the next begins behind. After a crash the
//!   log goes on behind the last sound group with a group of random bytes, so that what torn flushes left further on, or in other lanes,
//!   does not fit the new chain.
//!
//! docs/wal.md tells the whole story.

pub(crate) mod group;
mod handover;
#[cfg(test)]
mod handover_model;
mod reader;
mod room;
#[cfg(test)]
mod room_model;
mod segment;
mod writer;

/// What [`handover`] and [`room`] run on.
mod sync {
    pub(super) use parking_lot::{Mutex, MutexGuard};
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(super) use std::thread::{Thread, current, park, yield_now};
}

use crate::env::Env;
use crate::health::Health;
use crate::row::ROW_BYTES_MAX;
use damask_types::{Error, Lsn, Result, SqlState, Timestamp};
use handover::{Collect, Handover, Leader, Turn};
use parking_lot::MutexGuard;
use reader::GroupReader;
use segment::LogDirectory;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use writer::{Lane, Writer};

pub use group::{FRAME_HEAD_BYTES, LANES_MAX};
pub use reader::Frames;
pub use segment::LogSync;

/// The longest frame: a row and what is said of it. Larger transactions come in pieces.
pub const FRAME_BYTES_MAX: usize = ROW_BYTES_MAX + (4 << 20);
/// A batch's memory is given back beyond this.
const BATCH_BYTES_KEPT: usize = 8 << 20;

/// Whether a frame may be compressed together with those that it is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogCompression {
    /// It does not ask for it.
    #[default]
    Off,
    /// By LZ4, if that saves blocks.
    Lz4,
}

/// A place between two groups of the log, where a frame begins.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LogPosition {
    /// Byte position in each lane's files; multiples of 4 KiB.
    pub(crate) offsets: Vec<u64>,
    /// The number of the group that begins there, in one of the lanes.
    pub(crate) group_seq: u64,
    /// Stream bytes before it.
    pub(crate) stream: u64,
    /// Checksum of the group before it.
    pub(crate) prev_crc: u32,
}

impl LogPosition {
    /// The earlier of two positions of one life.
    pub(crate) fn earlier<'p>(&'p self, other: &'p Self) -> &'p Self {
        if other.group_seq < self.group_seq { other } else { self }
    }

    /// Bytes of log between an earlier position and this one, which have the same lanes.
    fn bytes_behind(&self, earlier: &Self) -> u64 {
        debug_assert_eq!(self.offsets.len(), earlier.offsets.len());
        self.offsets.iter().zip(&earlier.offsets).map(|(now, then)| now - then).sum()
    }
}

/// A frame to be appended.
#[derive(Debug)]
pub enum LogFrame<'f> {
    /// It is copied.
    Borrowed(&'f [u8]),
    /// It is written from where it lies, behind [`FRAME_HEAD_BYTES`] of room: for frames so long that a copy would be felt.
    Owned(Vec<u8>),
}

impl LogFrame<'_> {
    /// The frame's bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes.get(FRAME_HEAD_BYTES..).unwrap_or_default(),
        }
    }
}

/// Frames collected for one flush.
#[derive(Debug, Default)]
struct Batch {
    /// The stream's bytes, in parts, save the last.
    parts: Vec<Vec<u8>>,
    /// Bytes in them.
    parts_len: usize,
    /// The stream's last bytes.
    bytes: Vec<u8>,
    /// Where each frame begins, and its timestamp.
    frames: Vec<(usize, Timestamp)>,
    /// Bytes of room that they were promised.
    promised: u64,
    /// What one of them asks for.
    compression: LogCompression,
}

impl Batch {
    /// The stream's bytes, one part after the other.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().chain([&self.bytes]).map(Vec::as_slice)
    }

    fn push(&mut self, ts: Timestamp, frame: LogFrame<'_>) {
        self.frames.push((self.parts_len + self.bytes.len(), ts));
        let mut head = [0; FRAME_HEAD_BYTES];
        head[..4].copy_from_slice(&(frame.bytes().len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&ts.0.to_le_bytes());
        match frame {
            LogFrame::Borrowed(frame) => {
                self.bytes.extend_from_slice(&head);
                self.bytes.extend_from_slice(frame);
            }
            LogFrame::Owned(mut frame) => {
                frame[..FRAME_HEAD_BYTES].copy_from_slice(&head);
                let before = std::mem::take(&mut self.bytes);
                if !before.is_empty() {
                    self.push_part(before);
                }
                self.push_part(frame);
            }
        }
    }

    fn push_part(&mut self, part: Vec<u8>) {
        self.parts_len += part.len();
        self.parts.push(part);
    }
}

/// Where frames collect.
#[derive(Debug)]
struct Collecting {
    batch: Batch,
    /// Empty ones to swap in, at most one a lane.
    spares: Vec<Batch>,
    /// Timestamp of the last frame appended.
    appended_ts: Timestamp,
    /// Frames and bytes appended since the log was opened.
    appended_since: (u64, u64),
}

/// The timestamps of a batch's first and last frame.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: Timestamp,
    last: Timestamp,
}

impl Collect for Collecting {
    type Batch = Batch;
    type Mark = Span;

    fn take(&mut self) -> (Batch, Span) {
        let spare = self.spares.pop().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, spare);
        // In memory no frames are kept.
        let first = batch.frames.first().map_or(self.appended_ts, |(_, ts)| *ts);
        (batch, Span { first, last: self.appended_ts })
    }

    fn put_back(&mut self, mut batch: Batch) {
        batch.parts.clear();
        batch.parts.shrink_to(BATCH_BYTES_KEPT / 64);
        batch.parts_len = 0;
        batch.bytes.clear();
        batch.bytes.shrink_to(BATCH_BYTES_KEPT);
        batch.frames.clear();
        batch.frames.shrink_to(BATCH_BYTES_KEPT / 64);
        batch.promised = 0;
        batch.compression = LogCompression::Off;
        self.spares.push(batch);
    }
}

/// The redo log of one database.
#[derive(Debug)]
pub struct Log {
    health: Arc<Health>,
    handover: Handover<Collecting>,
    /// `None` for a database in memory, which has no log.
    writer: Option<Writer>,
    /// Stored before the handover's position moves.
    durable_ts: AtomicU64,
    flush_count: AtomicU64,
}

/// Room in the log's files for frames that are about to be appended; what is left of it is given back when it is dropped.
#[derive(Debug)]
#[must_use = "it is given back when it is dropped"]
pub struct LogRoom<'l> {
    /// None for a database in memory.
    writer: Option<&'l Writer>,
    bytes: u64,
}

impl LogRoom<'_> {
    /// The most bytes that a frame of so many takes.
    fn bytes_for(&self, frame_len: usize) -> u64 {
        self.writer.map_or(0, |writer| writer.bytes_for(FRAME_HEAD_BYTES + frame_len))
    }

    /// Takes out what a frame takes.
    fn take(&mut self, frame_len: usize) -> u64 {
        let bytes = self.bytes_for(frame_len);
        self.bytes =
            self.bytes.checked_sub(bytes).expect("room is made before a frame is appended");
        bytes
    }
}

impl Drop for LogRoom<'_> {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.filter(|_| self.bytes > 0) {
            writer.take_back(self.bytes);
        }
    }
}

/// How a log is opened.
pub(crate) struct LogParts<'a> {
    pub(crate) env: &'a Env,
    pub(crate) directory: &'a Path,
    pub(crate) segment_bytes: u64,
    pub(crate) sync: LogSync,
    /// How many lanes are written.
    pub(crate) lane_count: usize,
    pub(crate) uuid: [u8; 16],
    /// Where the last checkpoint says recovery begins, in the lanes that were written then.
    pub(crate) start: LogPosition,
    /// The last checkpoint's time.
    pub(crate) checkpoint_ts: Timestamp,
    pub(crate) health: Arc<Health>,
    #[cfg(test)]
    pub(crate) planted: crate::store::Planted,
}

impl LogParts<'_> {
    fn directory(&self) -> Arc<LogDirectory> {
        Arc::new(LogDirectory {
            vfs: Arc::clone(&self.env.vfs),
            path: self.directory.to_owned(),
            segment_bytes: self.segment_bytes,
            sync: self.sync,
        })
    }

    #[cfg(not(test))]
    fn skips_restart(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(test)]
    fn skips_restart(&self) -> bool {
        self.planted == crate::store::Planted::NoRestart
    }
}

impl Log {
    /// A log that keeps nothing, for a database in memory.
    pub(crate) fn none(health: Arc<Health>, ts: Timestamp) -> Self {
        Self::build(health, 0, ts, None, 1)
    }

    /// A new log for a database that was closed: nothing to read.
    pub(crate) fn create(parts: LogParts<'_>) -> Result<Self> {
        let directory = parts.directory();
        directory.create()?;
        Self::go_on(parts, directory, None, None)
    }

    /// The log of a database that was not closed, and the frames in it.
    pub(crate) fn recover(parts: LogParts<'_>) -> Result<(Self, Frames)> {
        let directory = parts.directory();
        let start = &parts.start;
        let read_count = start.offsets.len();
        // A checkpoint let them go, and a lane of that number begins anew.
        directory.remove_lanes(read_count)?;
        let end = reader::scan(&directory.path, directory.lanes(read_count)?, parts.uuid, start)?;
        let groups = GroupReader::new(directory.lanes(read_count)?, parts.uuid, start);
        let frames = Frames::new(groups, &end);
        let mut random = [0; 16];
        parts.env.random.fill(&mut random);
        let restart = (!parts.skips_restart()).then_some(random);
        Ok((Self::go_on(parts, directory, Some(end), restart)?, frames))
    }

    /// Goes on behind `end`, or behind the start if there was nothing to read.
    fn go_on(
        parts: LogParts<'_>,
        directory: Arc<LogDirectory>,
        end: Option<LogPosition>,
        restart: Option<[u8; 16]>,
    ) -> Result<Self> {
        let bytes = end.as_ref().map_or(0, |end| end.bytes_behind(&parts.start));
        let position = end.unwrap_or(parts.start);
        let (stream, lane_count) = (position.stream, parts.lane_count);
        let writer = Writer::new(parts.uuid, directory, lane_count, position, restart, bytes)?;
        let (health, ts) = (parts.health, parts.checkpoint_ts);
        let log = Self::build(health, stream, ts, Some(writer), lane_count);
        #[cfg(test)]
        log.plant(parts.planted);
        Ok(log)
    }

    #[cfg(test)]
    fn plant(&self, defect: crate::store::Planted) {
        self.handover.skip_order(defect == crate::store::Planted::OutOfOrder);
        if let Some(writer) = &self.writer {
            writer.skip_room(defect == crate::store::Planted::NoRoom);
        }
    }

    fn build(
        health: Arc<Health>,
        stream: u64,
        ts: Timestamp,
        writer: Option<Writer>,
        lane_count: usize,
    ) -> Self {
        let collecting = Collecting {
            batch: Batch::default(),
            spares: Vec::new(),
            appended_ts: ts,
            appended_since: (0, 0),
        };
        Self {
            health,
            handover: Handover::new(stream, collecting, lane_count),
            writer,
            durable_ts: AtomicU64::new(ts.0),
            flush_count: AtomicU64::new(0),
        }
    }

    /// Sees to it that there is room in the log's files for frames of these lengths. May wait for the disk, so latches are not held.
    ///
    /// # Errors
    /// 53100 if the disk is full: the log is what it was. 58030 and the like once a write or sync failed; 54000 if a frame is longer than [`FRAME_BYTES_MAX`].
    pub fn reserve(&self, frame_lens: impl IntoIterator<Item = usize>) -> Result<LogRoom<'_>> {
        self.health.check()?;
        let mut room = LogRoom { writer: self.writer.as_ref(), bytes: 0 };
        let mut bytes = 0;
        for len in frame_lens {
            if len > FRAME_BYTES_MAX {
                let message = format!("log frame of {len} bytes is too long");
                return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
            }
            bytes += room.bytes_for(len);
        }
        if let Some(writer) = &self.writer {
            self.room_made(writer.reserve(bytes))?;
            room.bytes = bytes;
        }
        Ok(room)
    }

    /// Makes room for a frame and appends it, as [`Log::append_with`].
    ///
    /// # Errors
    /// As [`Log::reserve`].
    pub fn append(&self, ts: Timestamp, frame: &[u8]) -> Result<Lsn> {
        let mut room = self.reserve([frame.len()])?;
        self.append_with(ts, LogFrame::Borrowed(frame), LogCompression::Off, &mut room)
    }

    /// Appends a frame, for which there is room; the position to pass to [`Log::flush`].
    ///
    /// Cheap: the frame is kept in memory. The caller holds its commit section, so that frames arrive in the order
    /// of their timestamps; several frames may have the same one.
    ///
    /// # Errors
    /// 58030 once a write or sync failed.
    ///
    /// # Panics
    /// If `room` is too little; if an owned frame has no room for its head.
    pub fn append_with(
        &self,
        ts: Timestamp,
        frame: LogFrame<'_>,
        compression: LogCompression,
        room: &mut LogRoom<'_>,
    ) -> Result<Lsn> {
        self.health.check()?;
        let len = frame.bytes().len();
        let promised = room.take(len);
        let bytes = (FRAME_HEAD_BYTES + len) as u64;
        let end = self.handover.append(|tail| {
            assert!(ts >= tail.appended_ts, "frames are appended in the order of their timestamps");
            tail.appended_ts = ts;
            tail.appended_since.0 += 1;
            tail.appended_since.1 += bytes;
            if self.writer.is_some() {
                let batch = &mut tail.batch;
                batch.push(ts, frame);
                batch.promised += promised;
                if compression != LogCompression::Off {
                    batch.compression = compression;
                }
            }
            bytes
        });
        if self.writer.is_none() {
            self.flush(Lsn(end))?;
        }
        Ok(Lsn(end))
    }

    /// Returns when everything up to `up_to` is durable. One caller writes for all who wait.
    ///
    /// # Errors
    /// 58030 if that cannot be promised any more; the database then takes no more writes.
    pub fn flush(&self, up_to: Lsn) -> Result<()> {
        loop {
            let leader = match self.handover.turn(up_to.0) {
                Turn::Durable => return Ok(()),
                Turn::Broken => {
                    self.health.check()?;
                    return Err(Error::internal("the log could not be written"));
                }
                Turn::Lead(leader) => leader,
            };
            let mut flush = self.begin(leader)?;
            flush.write()?;
            flush.sync()?;
            flush.finish();
        }
    }

    /// Begins a flush of what has collected, if there is something and a lane is free. It goes on as its holder likes, which lets a test
    /// say how flushes overlap; [`Log::flush`] does it in one go.
    ///
    /// Whoever holds one must not wait for the log: it would wait for itself.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn begin_flush(&self) -> Result<Option<Flush<'_>>> {
        self.handover.try_lead().map(|leader| self.begin(leader)).transpose()
    }

    /// Puts a leader's batch in order; the next may take what has collected then.
    fn begin<'l>(&'l self, mut leader: Leader<'l, Collecting>) -> Result<Flush<'l>> {
        let poison = PoisonUnlessWritten { health: &self.health, is_written: false };
        let mut lane = None;
        if let Some(writer) = &self.writer {
            let mut locked = writer.lane(leader.lane());
            // A flush that failed just before this one must not be followed by one that succeeds.
            self.health.check()?;
            self.written(writer.order(&mut locked, leader.batch(), self.handover.durable()))?;
            lane = Some((writer, locked));
        }
        let promised = leader.batch().promised;
        leader.begun();
        Ok(Flush { poison, lane, promised, leader, log: self })
    }

    /// Returns when every frame up to `ts` is durable: those before it are, and it is not made to wait for later ones.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn flush_ts(&self, ts: Timestamp) -> Result<()> {
        if self.durable_ts() >= ts {
            return Ok(());
        }
        let collects =
            |tail: &Collecting| tail.batch.frames.first().is_some_and(|(_, first)| *first <= ts);
        if let Some(position) = self.handover.position(collects, |span| span.first <= ts) {
            return self.flush(Lsn(position));
        }
        if self.durable_ts() >= ts {
            return Ok(());
        }
        self.health.check()?;
        Err(Error::internal("a frame to be flushed was never appended"))
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn flush_all(&self) -> Result<()> {
        self.flush(self.appended_lsn())
    }

    /// Says that a transaction has begun to write: it will append a frame before long, or give it up. Whoever flushes meanwhile may
    /// let it come along.
    pub fn expect_writer(&self) {
        self.handover.expect_writer();
    }

    /// Takes back [`Log::expect_writer`], just before the frame is appended or when there will be none.
    pub fn unexpect_writer(&self) {
        self.handover.unexpect_writer();
    }

    /// How many flushes may be under way at a time.
    pub fn lane_count(&self) -> usize {
        self.handover.lane_count()
    }

    /// Bytes appended and not durable.
    pub fn unflushed_bytes(&self) -> u64 {
        self.appended_lsn().0.saturating_sub(self.durable_lsn().0)
    }

    /// Where the next frame would begin.
    pub fn appended_lsn(&self) -> Lsn {
        Lsn(self.handover.appended())
    }

    /// Everything before this is durable.
    pub fn durable_lsn(&self) -> Lsn {
        Lsn(self.handover.durable())
    }

    /// The timestamp of the last durable frame, or of the checkpoint that the log began with.
    pub fn durable_ts(&self) -> Timestamp {
        Timestamp(self.durable_ts.load(Ordering::Acquire))
    }

    /// Bytes of log written since the last checkpoint: what recovery would read.
    pub fn bytes_since_checkpoint(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::bytes_since_checkpoint)
    }

    /// Frames appended since the log was opened, and their bytes.
    pub fn appended_since_open(&self) -> (u64, u64) {
        self.handover.look(|tail| tail.appended_since)
    }

    /// How many syncs made frames durable so far.
    pub fn flush_count(&self) -> u64 {
        self.flush_count.load(Ordering::Relaxed)
    }

    /// A place that is before every frame that is appended from now on.
    ///
    /// # Errors
    /// 53100 if the disk is full; 58030 when the log could not be written.
    pub fn position(&self) -> Result<LogPosition> {
        let Some(writer) = &self.writer else { return Ok(LogPosition::default()) };
        self.health.check()?;
        self.room_made(writer.reserve_restart())?;
        self.written(writer.position(self.handover.durable()))
    }

    /// Bytes by which the log's files may still grow, if that is known.
    ///
    /// # Errors
    /// 58030 if the system does not tell.
    pub fn free_bytes(&self) -> Result<Option<u64>> {
        self.writer.as_ref().map_or(Ok(None), Writer::free_bytes)
    }

    /// Bytes of log from an earlier position of this life on.
    pub fn bytes_since(&self, position: &LogPosition) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.bytes_since(position))
    }

    /// Flushes everything and tells where the log goes on: what a checkpoint records. Frames may be appended meanwhile;
    /// those behind the position that the checkpoint has are known by their timestamps. Of those before it, which are not above its time,
    /// some may be under way: it is written when all is flushed up to its instant.
    pub(crate) fn checkpoint_position(&self) -> Result<LogPosition> {
        self.flush_all()?;
        self.position()
    }

    /// Notes that a checkpoint at `position` is durable and lets go of the segments before `kept`, which is not behind it.
    pub(crate) fn checkpoint_done(&self, position: &LogPosition, kept: &LogPosition) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        self.written(writer.recycle(position, kept))
    }

    /// Removes the log's files; nothing may be appended afterwards.
    pub(crate) fn remove(&self) -> Result<()> {
        self.writer.as_ref().map_or(Ok(()), Writer::remove)
    }

    /// A disk that is full has no room for more; after any other failure the log is trusted no more (W3).
    fn room_made<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if error.is_disk_full() => Err(error),
            result => self.written(result),
        }
    }

    /// The log after a failed write is trusted no more (W3).
    fn written<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.health.poison(error))
    }
}

/// A flush under way: see [`Log::begin_flush`]. One that is dropped before it is finished has failed.
pub struct Flush<'l> {
    // Dropped in this order: whoever wakes finds the error noted, and the lane free.
    poison: PoisonUnlessWritten<'l>,
    lane: Option<(&'l Writer, MutexGuard<'l, Lane>)>,
    /// Bytes of room that its frames were promised.
    promised: u64,
    leader: Leader<'l, Collecting>,
    log: &'l Log,
}

impl Flush<'_> {
    /// Hands all of it to the disk.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn write(&mut self) -> Result<()> {
        let Some((writer, lane)) = &mut self.lane else { return Ok(()) };
        self.log.written(writer.write(lane, std::mem::take(&mut self.promised)))
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn sync(&mut self) -> Result<()> {
        let lane = self.lane.as_ref();
        self.log.written(lane.map_or(Ok(()), |(writer, lane)| writer.sync(lane)))?;
        self.poison.is_written = true;
        Ok(())
    }

    /// Acknowledges it, and later ones that wait for it, as soon as all before it are.
    ///
    /// # Panics
    /// If it was not synced.
    pub fn finish(self) {
        let Self { poison, lane, leader, log, promised: _ } = self;
        assert!(poison.is_written, "a flush is synced before it is acknowledged");
        drop(lane);
        log.flush_count.fetch_add(1, Ordering::Relaxed);
        leader.succeed(|span| log.durable_ts.store(span.last.0, Ordering::Release));
    }
}

impl fmt::Debug for Flush<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flush(lane {})", self.leader.lane())
    }
}

/// Poisons the log when it is dropped before the batch is written: an error is noted already then, a panic is not.
struct PoisonUnlessWritten<'h> {
    health: &'h Health,
    is_written: bool,
}

impl Drop for PoisonUnlessWritten<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            self.health.poison(Error::internal("the log could not be written"));
        }
    }
}
