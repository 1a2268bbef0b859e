//! Reading the log after a crash: groups in order up to the first that no lane has, frames out of them.
//!
//! Reading happens twice. [`scan`] walks the groups once when the store is opened, to find the end and to see that what
//! follows it is only what the last flushes tore. [`Frames`] then hands out the frames one by one, so that recovery
//! needs memory for one frame at a time.
//!
//! All lanes are walked at once: the next group is the one, in whatever lane, that has the next number and names the checksum of the last.
//! What lies behind a gap in other lanes was not acknowledged and stays unread, for ever: the chain goes on with another checksum (W4).

use super::LogPosition;
use super::group::{
    BLOCK_BYTES, FLAG_CONTINUES, FLAG_FIRST, FLAG_LZ4, FLAG_RESTART, FRAME_HEAD_BYTES,
    GROUP_HEADER_BYTES, GroupHeader, Parsed, checksum, group_bytes,
};
use super::segment::Segments;
use crate::vfs::VfsFile;
use damask_types::{Error, Result, SqlState, Timestamp};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// A group's header as it was read; nothing says yet that the group is sound.
#[derive(Clone, Debug)]
struct Head {
    bytes: [u8; GROUP_HEADER_BYTES],
    header: GroupHeader,
    crc: u32,
}

/// What is known of a lane's next group.
#[derive(Clone, Debug)]
enum Next {
    Unread,
    /// There is none.
    Nothing,
    Seen(Head),
}

/// Reads groups of one lane.
#[derive(Clone, Debug)]
struct LaneReader {
    uuid: [u8; 16],
    segments: Segments,
    /// Where the lane's next group begins.
    offset: u64,
    next: Next,
    file: Option<(u64, Arc<dyn VfsFile>)>,
    /// A payload as it is stored, if that is compressed.
    stored: Vec<u8>,
}

impl LaneReader {
    /// The header of the next group, as far as one can tell from it alone.
    fn peek(&mut self) -> Result<Option<&Head>> {
        if matches!(self.next, Next::Unread) {
            self.next = self.head_at(self.offset)?.map_or(Next::Nothing, Next::Seen);
        }
        Ok(if let Next::Seen(head) = &self.next { Some(head) } else { None })
    }

    /// Reads the next group if it has this number and follows a group of this checksum.
    fn next(
        &mut self,
        group_seq: u64,
        prev_crc: u32,
        payload: &mut Vec<u8>,
    ) -> Result<Option<Head>> {
        let Some(head) = self.peek()? else { return Ok(None) };
        if head.header.group_seq != group_seq || head.header.prev_crc != prev_crc {
            return Ok(None);
        }
        let head = head.clone();
        if !self.body(&head, self.offset, payload)? {
            return Ok(None);
        }
        self.offset += group_bytes(head.header.stored_len as usize) as u64;
        self.next = Next::Unread;
        Ok(Some(head))
    }

    /// The header at `place`.
    fn head_at(&mut self, place: u64) -> Result<Option<Head>> {
        let segment_bytes = self.segments.segment_bytes();
        let (number, offset) = (place / segment_bytes, place % segment_bytes);
        if self.file.as_ref().is_none_or(|(open, _)| *open != number) {
            self.file = self.segments.reader(number)?.map(|file| (number, file));
        }
        let Some((_, file)) = &self.file else { return Ok(None) };
        let mut bytes = [0; GROUP_HEADER_BYTES];
        if file.read_at(&mut bytes, offset)? < bytes.len() {
            return Ok(None);
        }
        let (header, crc) = match GroupHeader::parse(&bytes, &self.uuid) {
            Parsed::Header(header, crc) => (header, crc),
            Parsed::Nothing => return Ok(None),
            Parsed::Unknown(version, flags) => {
                let message = format!("log file \"{}\" is incompatible", file.path().display());
                let detail =
                    format!("The group at {offset} has version {version}, flags {flags:#x}.");
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).detail(detail));
            }
        };
        let fits = offset + group_bytes(header.stored_len as usize) as u64 <= segment_bytes;
        let is_here = header.lane == self.segments.lane();
        Ok((fits && is_here).then_some(Head { bytes, header, crc }))
    }

    /// Reads the payload of the group at `place`, whose header was read last; false if it is not sound.
    fn body(&mut self, head: &Head, place: u64, payload: &mut Vec<u8>) -> Result<bool> {
        let Some((_, file)) = &self.file else { return Ok(false) };
        let offset = place % self.segments.segment_bytes();
        let len = head.header.stored_len as usize;
        let is_compressed = head.header.flags & FLAG_LZ4 != 0;
        let stored = if is_compressed { &mut self.stored } else { &mut *payload };
        stored.resize(len, 0);
        let read = file.read_at(stored, offset + GROUP_HEADER_BYTES as u64)?;
        if read < len || checksum(&head.bytes, stored, place) != head.crc {
            return Ok(false);
        }
        if is_compressed {
            payload.resize(head.header.raw_len as usize, 0);
            let made = lz4_flex::block::decompress_into(&self.stored, payload);
            if made.ok() != Some(payload.len()) {
                return Err(Error::corrupted(format!(
                    "log file \"{}\" has a group at {offset} that cannot be decompressed",
                    file.path().display()
                )));
            }
        }
        Ok(true)
    }
}

/// Reads groups one after another.
#[derive(Clone, Debug)]
pub(super) struct GroupReader {
    lanes: Vec<LaneReader>,
    /// The number of the next group.
    group_seq: u64,
    /// Stream bytes before it.
    stream: u64,
    /// Checksum of the group before it.
    prev_crc: u32,
    /// The payload of the group read last.
    payload: Vec<u8>,
}

impl GroupReader {
    pub(super) fn new(lanes: Vec<Segments>, uuid: [u8; 16], start: &LogPosition) -> Self {
        debug_assert_eq!(lanes.len(), start.offsets.len());
        let lane = |(segments, offset): (Segments, &u64)| LaneReader {
            uuid,
            segments,
            offset: *offset,
            next: Next::Unread,
            file: None,
            stored: Vec::new(),
        };
        Self {
            lanes: lanes.into_iter().zip(&start.offsets).map(lane).collect(),
            group_seq: start.group_seq,
            stream: start.stream,
            prev_crc: start.prev_crc,
            payload: Vec::new(),
        }
    }

    /// Where the next group begins in whatever lane.
    pub(super) fn position(&self) -> LogPosition {
        LogPosition {
            offsets: self.lanes.iter().map(|lane| lane.offset).collect(),
            group_seq: self.group_seq,
            stream: self.stream,
            prev_crc: self.prev_crc,
        }
    }

    /// Reads the next group; the lane it is in and its header, or `None` if no lane has it.
    fn next(&mut self) -> Result<Option<(usize, GroupHeader)>> {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let found = lane.next(self.group_seq, self.prev_crc, &mut self.payload)?;
            let Some(Head { header, crc, .. }) = found else { continue };
            self.group_seq += 1;
            self.prev_crc = crc;
            if header.flags & FLAG_RESTART == 0 {
                self.stream += u64::from(header.raw_len);
            } else {
                self.payload.clear();
            }
            return Ok(Some((number, header)));
        }
        Ok(None)
    }
}

/// Finds where the log ends: the position after the last group of the chain that begins at `start`.
///
/// What was read is made durable, since a process that crashed may have left it in the system's memory only, and what
/// recovery showed to someone must not vanish in a power cut.
///
/// # Errors
/// XX001 if a group in the middle is damaged: a later flush proves that it had been durable.
pub(super) fn scan(
    directory: &Path,
    lanes: Vec<Segments>,
    uuid: [u8; 16],
    start: &LogPosition,
) -> Result<LogPosition> {
    let mut reader = GroupReader::new(lanes, uuid, start);
    let mut synced = BTreeSet::new();
    while let Some((lane, _)) = reader.next()? {
        if let Some((number, file)) = &reader.lanes[lane].file
            && synced.insert((lane, *number))
        {
            file.sync_data()?;
        }
    }
    let end = reader.position();
    for lane in &mut reader.lanes {
        check_segments(directory, lane)?;
        check_tail(directory, lane, end.group_seq)?;
    }
    Ok(end)
}

/// Sees to it that the segment in which a lane ends is there, unless it has not been made yet.
fn check_segments(directory: &Path, lane: &LaneReader) -> Result<()> {
    let segments = &lane.segments;
    let number = lane.offset / segments.segment_bytes();
    let may_be_missing =
        lane.offset.is_multiple_of(segments.segment_bytes()) && !segments.has_later(number);
    if may_be_missing || segments.reader(number)?.is_some() {
        return Ok(());
    }
    Err(Error::corrupted(format!(
        "log directory \"{}\" has no segment {number:016x} of lane {}, which the last checkpoint needs",
        directory.display(),
        segments.lane()
    )))
}

/// Looks behind the end of a lane for the beginning of a flush that tells that the group `end` was durable (G2).
fn check_tail(directory: &Path, lane: &mut LaneReader, end: u64) -> Result<()> {
    let segment_bytes = lane.segments.segment_bytes();
    let last_place = (lane.offset / segment_bytes + 2) * segment_bytes;
    let mut payload = Vec::new();
    let mut place = lane.offset;
    while place < last_place {
        // What parses as unknown here is leftover of some other use.
        if let Ok(Some(head)) = lane.head_at(place)
            && head.header.flags & FLAG_FIRST != 0
            && head.header.settled > end
            && let Ok(true) = lane.body(&head, place, &mut payload)
        {
            return Err(Error::corrupted(format!(
                "invalid log group {end} in directory \"{}\": group {} at position {place} of lane {} was written when it was durable",
                directory.display(),
                head.header.group_seq,
                lane.segments.lane()
            )));
        }
        place += BLOCK_BYTES as u64;
    }
    Ok(())
}

/// Frames to replay, in the order of their timestamps. A copy reads on by itself.
#[derive(Clone, Debug)]
pub struct Frames {
    source: Option<GroupReader>,
    /// The number of the group that the scan did not find.
    end: u64,
    /// Stream bytes not handed out yet.
    pending: Vec<u8>,
    /// How many of them were.
    taken: usize,
}

impl Frames {
    /// No frames.
    pub(crate) fn none() -> Self {
        Self { source: None, end: 0, pending: Vec::new(), taken: 0 }
    }

    pub(super) fn new(groups: GroupReader, end: &LogPosition) -> Self {
        let end = end.group_seq;
        Self { source: Some(groups), end, pending: Vec::new(), taken: 0 }
    }

    /// A whole frame from the pending bytes.
    fn take(&mut self) -> Option<(Timestamp, Vec<u8>)> {
        let (head, rest) = self.pending[self.taken..].split_first_chunk::<FRAME_HEAD_BYTES>()?;
        let len = crate::page::get_u32(head, 0) as usize;
        let bytes = rest.get(..len)?.to_vec();
        self.taken += FRAME_HEAD_BYTES + len;
        Some((Timestamp(crate::page::get_u64(head, 4)), bytes))
    }

    /// Reads one more group; false at the end.
    fn fill(&mut self) -> Result<bool> {
        let Some(groups) = &mut self.source else { return Ok(false) };
        if groups.group_seq >= self.end {
            return Ok(false);
        }
        let Some((_, header)) = groups.next()? else {
            let number = groups.group_seq;
            let message = format!("the log changed while it was read, at group {number}");
            return Err(Error::corrupted(message));
        };
        if header.flags & FLAG_CONTINUES == 0 {
            // A frame whose end never came: its transaction was not acknowledged.
            self.pending.clear();
        } else {
            self.pending.drain(..self.taken);
        }
        self.taken = 0;
        self.pending.extend_from_slice(&groups.payload);
        Ok(true)
    }
}

impl Iterator for Frames {
    type Item = Result<(Timestamp, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(frame) = self.take() {
                return Some(Ok(frame));
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.source = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
