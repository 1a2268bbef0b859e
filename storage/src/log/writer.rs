//! Writing batches as groups: into which lane, under which numbers, in what order with the disk.
//!
//! A batch is *put in order* under the chain's lock, which is short: its groups get their numbers, each the checksum of the one before,
//! in whatever lane that is, and their places in the lane. Of a batch of several groups all but the last are written meanwhile, so
//! that one group is in memory at a time; the last one is written, and all are synced, without that lock, while the next batch is put in
//! order for another lane.
//!
//! Room in the lanes' files is made by those who are about to append ([`Writer::reserve`]), beside whoever writes.
//!
//! Invariants
//! - N1: the chain has the order of the stream, since whoever takes a batch puts it in order before the next is taken (O1 of `handover`).
//! - N2: a lane is locked by the one that writes in it, and before the chain.

use super::group::{
    BLOCK_BYTES, FLAG_CONTINUES, FLAG_FIRST, FLAG_LZ4, FLAG_OVERLAPS, FLAG_RESTART,
    GROUP_HEADER_BYTES, GroupHeader, PAYLOAD_BYTES_MAX, group_bytes,
};
use super::room::{Promise, Room, bytes_for};
use super::segment::{Growth, LaneFile, LogDirectory, Segments};
use super::{Batch, LogCompression, LogPosition};
use crate::vfs::Aligned;
use damask_types::{Error, Result, SqlState, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far zeros run ahead in a segment: as far as there is content, within these bounds. Who makes them waits for them, so they are few.
const GROW_BYTES_MIN: u64 = 256 << 10;
const GROW_BYTES_MAX: u64 = 1 << 20;
/// Room to spare, at most; with less, more is made.
const SPARE_BYTES_MAX: u64 = 64 << 10;
/// For so many bytes at once room is not made of zeros: they would be written twice.
const LONG_BYTES: u64 = 512 << 10;

/// The files of a log, and how far they are.
#[derive(Debug)]
pub(super) struct Writer {
    uuid: [u8; 16],
    directory: Arc<LogDirectory>,
    lanes: Vec<Mutex<Lane>>,
    /// The files of each lane.
    files: Vec<Mutex<Segments>>,
    room: Room,
    /// Lanes in which making room failed, and not because the disk was full: what was written there and not synced may be lost.
    is_lost: Box<[AtomicBool]>,
    /// With less room to spare, more is made.
    spare_bytes: u64,
    chain: Mutex<Chain>,
    /// Bytes in all lanes behind the position of the last checkpoint. Written under the chain's lock.
    bytes_since_checkpoint: AtomicU64,
}

/// What the writer in a lane owns.
#[derive(Debug)]
pub(super) struct Lane {
    number: usize,
    file: LaneFile,
    /// Bytes that were put in order and are not taken off the lane's room.
    ordered: u64,
    /// Where the group in `buffer` goes, if it is not written yet.
    due: Option<u64>,
    /// Reused memory for groups.
    buffer: Aligned,
    /// Reused memory for compressed payloads.
    compressed: Vec<u8>,
}

/// The order of groups over all lanes.
#[derive(Debug)]
struct Chain {
    /// Where the next group goes.
    position: LogPosition,
    /// A restart group is due before the next frame (W4).
    restart: Option<[u8; 16]>,
    /// Groups before this are known to be durable.
    settled: u64,
    /// Flushes behind that: the position in the stream and the number behind each.
    under_way: VecDeque<(u64, u64)>,
    /// There may be files of lanes that are not written any more.
    has_old_lanes: bool,
}

impl Chain {
    /// Takes note of how far the stream is durable. Whether all that was put in order is.
    fn settle(&mut self, durable: u64) -> bool {
        while let Some((_, behind)) = self.under_way.pop_front_if(|(stream, _)| *stream <= durable)
        {
            self.settled = behind;
        }
        self.under_way.is_empty()
    }
}

impl Writer {
    /// Goes on at `position`, which has the lanes that the last life wrote. There are `lane_count` from now on.
    pub(super) fn new(
        uuid: [u8; 16],
        directory: Arc<LogDirectory>,
        lane_count: usize,
        mut position: LogPosition,
        restart: Option<[u8; 16]>,
        bytes_since_checkpoint: u64,
    ) -> Result<Self> {
        let has_old_lanes = position.offsets.len() > lane_count;
        position.offsets.resize(lane_count, 0);
        let lane = |number| {
            let file = LaneFile::new(&directory, number as u8);
            let (buffer, compressed) = (Aligned::default(), Vec::new());
            Mutex::new(Lane { number, file, ordered: 0, due: None, buffer, compressed })
        };
        let lanes = (0..lane_count).map(lane).collect();
        let files = directory.lanes(lane_count)?.into_iter().zip(&position.offsets);
        let files = files.map(|(mut files, end)| {
            files.go_on_at(*end);
            Mutex::new(files)
        });
        let (files, room) = (files.collect(), Room::new(lane_count));
        let is_lost = (0..lane_count).map(|_| AtomicBool::new(false)).collect();
        let spare_bytes = SPARE_BYTES_MAX.min(directory.segment_bytes / 4);
        let settled = position.group_seq;
        let under_way = VecDeque::new();
        let chain = Chain { position, restart, settled, under_way, has_old_lanes };
        let bytes_since_checkpoint = AtomicU64::new(bytes_since_checkpoint);
        let chain = Mutex::new(chain);
        Ok(Self {
            uuid,
            directory,
            lanes,
            files,
            room,
            is_lost,
            spare_bytes,
            chain,
            bytes_since_checkpoint,
        })
    }

    /// The most bytes that a frame takes whose head and content have so many.
    pub(super) fn bytes_for(&self, len: usize) -> u64 {
        bytes_for(len, self.directory.segment_bytes)
    }

    /// Promises room for so many bytes, and makes it if need be.
    ///
    /// # Errors
    /// 53100 if the disk is full: nothing is promised then, and the log is what it was. 58030 and the like when it is to be trusted no more.
    pub(super) fn reserve(&self, bytes: u64) -> Result<()> {
        let promise = self.room.promise(bytes);
        if self.room.keeps(promise, self.spare_bytes) { Ok(()) } else { self.make_room(promise) }
    }

    /// Makes room in the first lane for a restart, if one is due.
    ///
    /// # Errors
    /// As [`Writer::reserve`].
    pub(super) fn reserve_restart(&self) -> Result<()> {
        if self.chain.lock().restart.is_none() {
            return Ok(());
        }
        let (lane, mut files) = (0, self.files[0].lock());
        let missing = self.room.needed().saturating_sub(self.room.ahead(lane));
        self.grow_lane(lane, &mut files, missing, Growth::Zeros)
    }

    #[cold]
    fn make_room(&self, promise: Promise) -> Result<()> {
        loop {
            let made = self.grow(promise);
            if self.room.keeps(promise, 0) {
                return Ok(());
            }
            // If there was no error, room was written in since, with what it was promised to.
            made.inspect_err(|_| self.room.take_back(promise.bytes))?;
        }
    }

    /// Makes room for a promise in every lane; beyond it as well, unless somebody does that just now.
    fn grow(&self, promise: Promise) -> Result<()> {
        let is_kept = self.room.keeps(promise, 0);
        let mut result = Ok(());
        for (lane, files) in self.files.iter().enumerate() {
            let files = if is_kept { files.try_lock() } else { Some(files.lock()) };
            let Some(mut files) = files else { continue };
            let (needed, ahead) = (self.room.needed(), self.room.ahead(lane));
            if ahead >= needed + self.spare_bytes {
                continue;
            }
            let missing = needed.saturating_sub(ahead);
            let (bytes, growth) = if promise.bytes >= LONG_BYTES {
                // What is to spare stays for others.
                (missing.max(promise.bytes), Growth::Allocated)
            } else {
                let begin = files.room_end() % self.directory.segment_bytes;
                let step = begin.clamp(GROW_BYTES_MIN, GROW_BYTES_MAX);
                (missing + step.min(self.directory.segment_bytes), Growth::Zeros)
            };
            let grown = match self.grow_lane(lane, &mut files, bytes, growth) {
                Err(error) if error.is_disk_full() && missing > 0 => {
                    self.grow_lane(lane, &mut files, missing, Growth::Zeros)
                }
                grown => grown,
            };
            result = result.and(grown);
        }
        result
    }

    /// Makes so many bytes of room more in a lane.
    fn grow_lane(
        &self,
        lane: usize,
        files: &mut Segments,
        bytes: u64,
        growth: Growth,
    ) -> Result<()> {
        let before = files.room_end();
        let written = before - self.room.ahead(lane);
        let result = files.make_room(written, before + bytes, growth);
        self.room.made(lane, files.room_end() - before);
        result.inspect_err(|error| {
            if !error.is_disk_full() {
                self.is_lost[lane].store(true, Ordering::Release);
            }
        })
    }

    /// Takes back room that was promised and is not needed.
    pub(super) fn take_back(&self, bytes: u64) {
        self.room.take_back(bytes);
    }

    /// Writes what is left of a batch that was put in order. Its frames had so much room promised.
    pub(super) fn write(&self, lane: &mut Lane, promised: u64) -> Result<()> {
        lane.write()?;
        self.room.written(lane.number, std::mem::take(&mut lane.ordered), promised);
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self, lane: &Lane) -> Result<()> {
        lane.sync()?;
        // A system may tell only the first who syncs a file of a failure: here it may have been who made room.
        if self.is_lost[lane.number].load(Ordering::Acquire) {
            return Err(Error::new(SqlState::IO_ERROR, "a sync of the log failed"));
        }
        Ok(())
    }

    /// Plants the defect, or not.
    #[cfg(test)]
    pub(super) fn skip_room(&self, skips: bool) {
        self.room.promises_all.store(skips, Ordering::Relaxed);
    }

    pub(super) fn bytes_since_checkpoint(&self) -> u64 {
        self.bytes_since_checkpoint.load(Ordering::Relaxed)
    }

    /// The lane of this number, for the one that writes in it.
    pub(super) fn lane(&self, number: usize) -> MutexGuard<'_, Lane> {
        self.lanes[number].lock()
    }

    /// Puts a batch in order in a lane. What is left is [`Writer::write`] and [`Writer::sync`]. The stream is durable up to `durable` at
    /// least.
    pub(super) fn order(&self, lane: &mut Lane, batch: &Batch, durable: u64) -> Result<()> {
        self.order_in(&mut self.chain.lock(), lane, batch, durable)
    }

    fn order_in(
        &self,
        chain: &mut Chain,
        lane: &mut Lane,
        batch: &Batch,
        durable: u64,
    ) -> Result<()> {
        let is_alone = chain.settle(durable);
        let settled = if is_alone { chain.position.group_seq } else { chain.settled };
        let mut flags = if is_alone { FLAG_FIRST } else { FLAG_FIRST | FLAG_OVERLAPS };
        let begin = chain.position.offsets[lane.number];
        let number = lane.number as u8;
        let header = |position: &LogPosition, flags, len, first_ts, last_ts| GroupHeader {
            flags,
            lane: number,
            group_seq: position.group_seq,
            raw_len: len as u32,
            stored_len: len as u32,
            first_ts,
            last_ts,
            settled,
            uuid: self.uuid,
            prev_crc: position.prev_crc,
        };
        if let Some(random) = chain.restart.take() {
            let position = &mut chain.position;
            let head = header(position, flags | FLAG_RESTART, random.len(), 0, 0);
            lane.put(position, head, &random)?;
            flags = 0;
        }
        let position = &mut chain.position;
        let mut from = 0;
        let mut frames = &batch.frames[..];
        for mut part in batch.parts() {
            while !part.is_empty() {
                let segment_bytes = self.directory.segment_bytes;
                let room = segment_bytes - position.offsets[lane.number] % segment_bytes;
                let room = (room as usize - GROUP_HEADER_BYTES).min(PAYLOAD_BYTES_MAX);
                let (payload, tail) = part.split_at(part.len().min(room));
                let begin_count = frames.partition_point(|(at, _)| *at < from + payload.len());
                let (begin, rest) = frames.split_at(begin_count);
                if begin.first().is_none_or(|(at, _)| *at > from) {
                    flags |= FLAG_CONTINUES;
                }
                let ts = |frame: Option<&(usize, Timestamp)>| frame.map_or(0, |(_, ts)| ts.0);
                let (first_ts, last_ts) = (ts(begin.first()), ts(begin.last()));
                let head = header(position, flags, payload.len(), first_ts, last_ts);
                match batch.compression {
                    LogCompression::Off => lane.put(position, head, payload)?,
                    LogCompression::Lz4 => lane.put_compressed(position, head, payload)?,
                }
                position.stream += payload.len() as u64;
                from += payload.len();
                part = tail;
                frames = rest;
                flags = 0;
            }
        }
        chain.under_way.push_back((position.stream, position.group_seq));
        let bytes = position.offsets[lane.number] - begin;
        self.bytes_since_checkpoint.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes by which its files may still grow, if that is known.
    pub(super) fn free_bytes(&self) -> Result<Option<u64>> {
        self.directory.vfs.free_bytes(&self.directory.path)
    }

    /// Bytes in all lanes from an earlier position on.
    pub(super) fn bytes_since(&self, position: &LogPosition) -> u64 {
        self.chain.lock().position.bytes_behind(position)
    }

    /// Where the log goes on. What is before it in the stream may be under way; a restart that was due is not.
    pub(super) fn position(&self, durable: u64) -> Result<LogPosition> {
        {
            let chain = self.chain.lock();
            if chain.restart.is_none() {
                return Ok(chain.position.clone());
            }
        }
        let mut lane = self.lane(0);
        let mut chain = self.chain.lock();
        if chain.restart.is_some() {
            // Without it, a frame written at this position could continue what the last life tore.
            self.order_in(&mut chain, &mut lane, &Batch::default(), durable)?;
            self.write(&mut lane, 0)?;
            self.sync(&lane)?;
        }
        Ok(chain.position.clone())
    }

    /// Notes a checkpoint at `position`, and lets go of the segments before `kept` and of lanes that the checkpoint does not have.
    pub(super) fn recycle(&self, position: &LogPosition, kept: &LogPosition) -> Result<()> {
        let has_old_lanes = {
            let mut chain = self.chain.lock();
            let bytes = chain.position.bytes_behind(position);
            self.bytes_since_checkpoint.store(bytes, Ordering::Relaxed);
            std::mem::take(&mut chain.has_old_lanes)
        };
        for (files, offset) in self.files.iter().zip(&kept.offsets) {
            files.lock().recycle(*offset)?;
        }
        if has_old_lanes { self.directory.remove_lanes(self.lanes.len()) } else { Ok(()) }
    }

    /// Removes the log's files.
    pub(super) fn remove(&self) -> Result<()> {
        self.lanes.iter().for_each(|lane| lane.lock().file.forget());
        self.files.iter().for_each(|files| files.lock().forget());
        self.directory.remove()
    }
}

impl Lane {
    /// Writes the group that is left of what was put in order.
    fn write(&mut self) -> Result<()> {
        match self.due.take() {
            Some(place) => self.file.write(self.buffer.bytes(), place),
            None => Ok(()),
        }
    }

    /// Makes what was written durable.
    fn sync(&self) -> Result<()> {
        debug_assert!(self.due.is_none(), "all is written before it is synced");
        self.file.sync()
    }

    /// Puts one group in order, compressed if it takes fewer blocks then.
    fn put_compressed(
        &mut self,
        position: &mut LogPosition,
        mut header: GroupHeader,
        payload: &[u8],
    ) -> Result<()> {
        if group_bytes(payload.len()) == BLOCK_BYTES {
            return self.put(position, header, payload);
        }
        let mut compressed = std::mem::take(&mut self.compressed);
        compressed.resize(lz4_flex::block::get_maximum_output_size(payload.len()), 0);
        let result = match lz4_flex::block::compress_into(payload, &mut compressed) {
            Ok(len) if group_bytes(len) < group_bytes(payload.len()) => {
                header.flags |= FLAG_LZ4;
                header.stored_len = len as u32;
                self.put(position, header, &compressed[..len])
            }
            _ => self.put(position, header, payload),
        };
        self.compressed = compressed;
        result
    }

    /// Puts one group in order; the one before it is written.
    fn put(
        &mut self,
        position: &mut LogPosition,
        header: GroupHeader,
        stored: &[u8],
    ) -> Result<()> {
        self.write()?;
        let offset = &mut position.offsets[self.number];
        let bytes = group_bytes(stored.len());
        let crc = header.encode(stored, *offset, self.buffer.begin(bytes));
        debug_assert_eq!(self.buffer.bytes().len(), bytes);
        self.due = Some(*offset);
        *offset += bytes as u64;
        self.ordered += bytes as u64;
        position.group_seq += 1;
        position.prev_crc = crc;
        Ok(())
    }
}
