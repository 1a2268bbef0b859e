//! The redo log: frames in commit order, durable after a flush that many committers share.
//!
//! [`Log::append`] copies a frame into the batch that is being collected. [`Log::flush`] makes it durable: the first who
//! needs it writes the whole batch and syncs once; who comes meanwhile waits for the next batch, whose writer is one of
//! them. There is no timer and no thread: the disk's own pace decides how much a batch collects (group commit, DeWitt et
//! al., SIGMOD 1984).
//!
//! ```text
//!   append -> [batch n+1 collects]      leader writes [batch n] -> sync -> durable = end of n, wake n, one of n+1 leads
//! ```
//!
//! Invariants
//! - W1: `durable <= appended`; neither moves back. Frames become durable in the order they were appended.
//! - W2: nothing is reported durable before the sync that covers it returned.
//! - W3: after a failed write or sync nothing is reported durable ever again ([`Health`]).
//! - W4: a block that was written is never written again: groups are padded, the next begins behind. After a crash the
//!   log goes on behind the last sound group with a group of random bytes, so that what a torn flush left further on
//!   does not fit the new chain.
//!
//! Left out: lanes. docs/wal.md tells the whole story.

pub(crate) mod group;
mod handover;
#[cfg(test)]
mod handover_model;
mod reader;
mod segment;

/// What [`handover`] runs on.
mod sync {
    pub(super) use parking_lot::{Mutex, MutexGuard};
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(super) use std::thread::{Thread, current, park, yield_now};
}

use crate::env::Env;
use crate::health::Health;
use damask_types::{Error, Lsn, Result, SqlState, Timestamp};
use group::{
    BLOCK_BYTES, FLAG_CONTINUES, FLAG_FIRST, FLAG_LZ4, FLAG_RESTART, FRAME_HEAD_BYTES,
    GROUP_HEADER_BYTES, GroupHeader, PAYLOAD_BYTES_MAX, group_bytes,
};
use handover::{Collect, Handover, Turn};
use parking_lot::Mutex;
use segment::{Aligned, Segments};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use reader::Frames;
pub use segment::LogSync;

/// The longest frame: larger transactions come in pieces.
pub const FRAME_BYTES_MAX: usize = 1 << 30;
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

/// A place between two groups of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct LogPosition {
    /// Byte position in the log's files; a multiple of 4 KiB.
    pub(crate) offset: u64,
    /// The number of the group that begins there.
    pub(crate) group_seq: u64,
    /// Stream bytes before it.
    pub(crate) stream: u64,
    /// Checksum of the group before it.
    pub(crate) prev_crc: u32,
}

/// Frames collected for one flush.
#[derive(Debug, Default)]
struct Batch {
    /// The stream's bytes.
    bytes: Vec<u8>,
    /// Where each frame begins, and its timestamp.
    frames: Vec<(usize, Timestamp)>,
    /// What one of them asks for.
    compression: LogCompression,
}

/// Where frames collect.
#[derive(Debug)]
struct Collecting {
    batch: Batch,
    /// An empty one to swap in.
    spare: Batch,
    /// Timestamp of the last frame appended.
    appended_ts: Timestamp,
    /// Frames and bytes appended since the log was opened.
    appended_since: (u64, u64),
}

impl Collect for Collecting {
    /// The frames, and the timestamp of the last.
    type Batch = (Batch, Timestamp);

    fn take(&mut self) -> Self::Batch {
        let spare = std::mem::take(&mut self.spare);
        (std::mem::replace(&mut self.batch, spare), self.appended_ts)
    }

    fn put_back(&mut self, (mut batch, _): Self::Batch) {
        batch.bytes.clear();
        batch.bytes.shrink_to(BATCH_BYTES_KEPT);
        batch.frames.clear();
        batch.frames.shrink_to(BATCH_BYTES_KEPT / 64);
        batch.compression = LogCompression::Off;
        self.spare = batch;
    }
}

/// What the writer of a batch owns.
#[derive(Debug)]
struct Writer {
    segments: Segments,
    position: LogPosition,
    /// A restart group is due before the next frame (W4).
    restart: Option<[u8; 16]>,
    /// Reused memory for groups.
    buffer: Aligned,
    /// Reused memory for compressed payloads.
    compressed: Vec<u8>,
}

impl Writer {
    fn new(segments: Segments, position: LogPosition, restart: Option<[u8; 16]>) -> Self {
        Self { segments, position, restart, buffer: Aligned::default(), compressed: Vec::new() }
    }
}

/// The redo log of one database.
#[derive(Debug)]
pub struct Log {
    uuid: [u8; 16],
    health: Arc<Health>,
    handover: Handover<Collecting>,
    /// `None` for a database in memory, which has no log. Locked by the one that flushes.
    writer: Option<Mutex<Writer>>,
    /// Stored before the handover's position moves.
    durable_ts: AtomicU64,
    /// The position of the last checkpoint.
    checkpoint_offset: AtomicU64,
    /// The position behind the last group written.
    written_offset: AtomicU64,
    flush_count: AtomicU64,
}

/// How a log is opened.
pub(crate) struct LogParts<'a> {
    pub(crate) env: &'a Env,
    pub(crate) directory: &'a Path,
    pub(crate) segment_bytes: u64,
    pub(crate) sync: LogSync,
    pub(crate) uuid: [u8; 16],
    /// Where the last checkpoint says recovery begins.
    pub(crate) start: LogPosition,
    /// The last checkpoint's time.
    pub(crate) checkpoint_ts: Timestamp,
    pub(crate) health: Arc<Health>,
}

impl Log {
    /// A log that keeps nothing, for a database in memory.
    pub(crate) fn none(health: Arc<Health>, ts: Timestamp) -> Self {
        Self::build([0; 16], health, LogPosition::default(), ts, None)
    }

    /// A new log for a database that was closed: nothing to read.
    pub(crate) fn create(parts: LogParts<'_>) -> Result<Self> {
        let vfs = Arc::clone(&parts.env.vfs);
        let segments = Segments::create(vfs, parts.directory, parts.segment_bytes, parts.sync)?;
        let position = parts.start;
        let writer = Writer::new(segments, position, None);
        Ok(Self::build(parts.uuid, parts.health, position, parts.checkpoint_ts, Some(writer)))
    }

    /// The log of a database that was not closed, and the frames in it.
    pub(crate) fn recover(parts: LogParts<'_>) -> Result<(Self, Frames)> {
        let LogParts { env, directory, segment_bytes, sync, uuid, start, checkpoint_ts, health } =
            parts;
        let open = || Segments::open(Arc::clone(&env.vfs), directory, segment_bytes, sync);
        let segments = open()?;
        let end = reader::scan(&segments, uuid, start)?;
        let frames = Frames::new(open()?, uuid, start, end, checkpoint_ts);
        let mut random = [0; 16];
        env.random.fill(&mut random);
        let writer = Writer::new(segments, end, Some(random));
        let log = Self::build(uuid, health, end, checkpoint_ts, Some(writer));
        log.checkpoint_offset.store(start.offset, Ordering::Relaxed);
        Ok((log, frames))
    }

    fn build(
        uuid: [u8; 16],
        health: Arc<Health>,
        position: LogPosition,
        ts: Timestamp,
        writer: Option<Writer>,
    ) -> Self {
        let collecting = Collecting {
            batch: Batch::default(),
            spare: Batch::default(),
            appended_ts: ts,
            appended_since: (0, 0),
        };
        Self {
            uuid,
            health,
            handover: Handover::new(position.stream, collecting),
            writer: writer.map(Mutex::new),
            durable_ts: AtomicU64::new(ts.0),
            checkpoint_offset: AtomicU64::new(position.offset),
            written_offset: AtomicU64::new(position.offset),
            flush_count: AtomicU64::new(0),
        }
    }

    /// Appends a frame; the position to pass to [`Log::flush`].
    ///
    /// Cheap: the frame is copied into memory. The caller holds its commit section, so that frames arrive in the order
    /// of their timestamps; several frames may have the same one.
    ///
    /// # Errors
    /// 58030 once a write or sync failed; 54000 if the frame is longer than [`FRAME_BYTES_MAX`].
    pub fn append(&self, ts: Timestamp, frame: &[u8]) -> Result<Lsn> {
        self.append_with(ts, frame, LogCompression::Off)
    }

    /// The same, and says whether the frame may be compressed.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_with(
        &self,
        ts: Timestamp,
        frame: &[u8],
        compression: LogCompression,
    ) -> Result<Lsn> {
        self.health.check()?;
        if frame.len() > FRAME_BYTES_MAX {
            let message = format!("log frame of {} bytes is too long", frame.len());
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let bytes = (FRAME_HEAD_BYTES + frame.len()) as u64;
        let end = self.handover.append(|tail| {
            assert!(ts >= tail.appended_ts, "frames are appended in the order of their timestamps");
            tail.appended_ts = ts;
            tail.appended_since.0 += 1;
            tail.appended_since.1 += bytes;
            if self.writer.is_some() {
                let batch = &mut tail.batch;
                batch.frames.push((batch.bytes.len(), ts));
                batch.bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
                batch.bytes.extend_from_slice(&ts.0.to_le_bytes());
                batch.bytes.extend_from_slice(frame);
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
    /// 58030 (53100 for the one who met a full disk) if that cannot be promised any more; the database then takes no
    /// more writes.
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
            // Also when it unwinds: an error is noted already then, a panic is not.
            let mut poison = PoisonUnlessWritten { health: &self.health, is_written: false };
            let (batch, ts) = leader.batch();
            self.write_batch(batch)?;
            poison.is_written = true;
            self.durable_ts.store(ts.0, Ordering::Release);
            self.flush_count.fetch_add(1, Ordering::Relaxed);
            leader.succeed();
        }
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
        if let Some(position) = self.handover.position(collects) {
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
        let written = self.written_offset.load(Ordering::Relaxed);
        written.saturating_sub(self.checkpoint_offset.load(Ordering::Relaxed))
    }

    /// Frames appended since the log was opened, and their bytes.
    pub fn appended_since_open(&self) -> (u64, u64) {
        self.handover.look(|tail| tail.appended_since)
    }

    /// How many syncs made frames durable so far.
    pub fn flush_count(&self) -> u64 {
        self.flush_count.load(Ordering::Relaxed)
    }

    /// Flushes everything and tells where the log goes on: what a checkpoint records. Frames may be appended meanwhile;
    /// those behind the position that the checkpoint has are known by their timestamps.
    pub(crate) fn checkpoint_position(&self) -> Result<LogPosition> {
        self.flush_all()?;
        let Some(writer) = &self.writer else { return Ok(LogPosition::default()) };
        let mut writer = writer.lock();
        if writer.restart.is_some() {
            // Without it, a frame written at this position could continue the torn flush of the last life.
            self.written(writer.write(self.uuid, &Batch::default()))?;
            self.written_offset.store(writer.position.offset, Ordering::Relaxed);
        }
        Ok(writer.position)
    }

    /// Notes that a checkpoint at `position` is durable and lets go of the segments before it.
    pub(crate) fn checkpoint_done(&self, position: LogPosition) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        self.checkpoint_offset.store(position.offset, Ordering::Relaxed);
        self.written(writer.lock().segments.recycle(position.offset))
    }

    /// Removes the log's files; nothing may be appended afterwards.
    pub(crate) fn remove(&self) -> Result<()> {
        match &self.writer {
            Some(writer) => writer.lock().segments.remove(),
            None => Ok(()),
        }
    }

    fn write_batch(&self, batch: &Batch) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let mut writer = writer.lock();
        // A flush that failed just before this one took the lock must not be followed by one that succeeds.
        self.health.check()?;
        self.written(writer.write(self.uuid, batch))?;
        self.written_offset.store(writer.position.offset, Ordering::Relaxed);
        Ok(())
    }

    /// The log after a failed write is trusted no more (W3).
    fn written<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.health.poison(error))
    }
}

/// Poisons the log when it is dropped before the batch is written.
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

impl Writer {
    /// Writes a batch as groups and syncs.
    fn write(&mut self, uuid: [u8; 16], batch: &Batch) -> Result<()> {
        let mut flags = FLAG_FIRST;
        if let Some(random) = self.restart {
            let header = GroupHeader {
                flags: flags | FLAG_RESTART,
                group_seq: self.position.group_seq,
                raw_len: random.len() as u32,
                stored_len: random.len() as u32,
                first_ts: 0,
                last_ts: 0,
                uuid,
                prev_crc: self.position.prev_crc,
            };
            self.put(header, &random)?;
            flags = 0;
        }
        let mut from = 0;
        let mut frames = &batch.frames[..];
        while from < batch.bytes.len() {
            let segment_bytes = self.segments.segment_bytes();
            let room = segment_bytes - self.position.offset % segment_bytes;
            let room = (room as usize - GROUP_HEADER_BYTES).min(PAYLOAD_BYTES_MAX);
            let payload = &batch.bytes[from..batch.bytes.len().min(from + room)];
            let begin_count = frames.partition_point(|(at, _)| *at < from + payload.len());
            let (begin, rest) = frames.split_at(begin_count);
            if begin.first().is_none_or(|(at, _)| *at > from) {
                flags |= FLAG_CONTINUES;
            }
            let header = GroupHeader {
                flags,
                group_seq: self.position.group_seq,
                raw_len: payload.len() as u32,
                stored_len: payload.len() as u32,
                first_ts: begin.first().map_or(0, |(_, ts)| ts.0),
                last_ts: begin.last().map_or(0, |(_, ts)| ts.0),
                uuid,
                prev_crc: self.position.prev_crc,
            };
            match batch.compression {
                LogCompression::Off => self.put(header, payload)?,
                LogCompression::Lz4 => self.put_compressed(header, payload)?,
            }
            self.position.stream += payload.len() as u64;
            from += payload.len();
            frames = rest;
            flags = 0;
        }
        self.segments.sync()?;
        self.restart = None;
        Ok(())
    }

    /// Writes one group where the log ends, compressed if it takes fewer blocks then.
    fn put_compressed(&mut self, mut header: GroupHeader, payload: &[u8]) -> Result<()> {
        if group_bytes(payload.len()) == BLOCK_BYTES {
            return self.put(header, payload);
        }
        let mut compressed = std::mem::take(&mut self.compressed);
        compressed.resize(lz4_flex::block::get_maximum_output_size(payload.len()), 0);
        let result = match lz4_flex::block::compress_into(payload, &mut compressed) {
            Ok(len) if group_bytes(len) < group_bytes(payload.len()) => {
                header.flags |= FLAG_LZ4;
                header.stored_len = len as u32;
                self.put(header, &compressed[..len])
            }
            _ => self.put(header, payload),
        };
        self.compressed = compressed;
        result
    }

    /// Writes one group where the log ends.
    fn put(&mut self, header: GroupHeader, stored: &[u8]) -> Result<()> {
        let place = self.position.offset;
        let bytes = group_bytes(stored.len());
        let crc = header.encode(stored, place, self.buffer.begin(bytes));
        debug_assert_eq!(self.buffer.bytes().len(), bytes);
        self.segments.write(self.buffer.bytes(), place)?;
        self.position.offset += bytes as u64;
        self.position.group_seq += 1;
        self.position.prev_crc = crc;
        Ok(())
    }
}
