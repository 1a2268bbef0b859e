//! Reading the log after a crash: groups in order up to the first that is not one, frames out of them.
//!
//! Reading happens twice. [`scan`] walks the groups once when the store is opened, to find the end and to see that what
//! follows it is only the torn end of the last flush. [`Frames`] then hands out the frames one by one, so that recovery
//! needs memory for one frame at a time.

use super::LogPosition;
use super::group::{
    BLOCK_BYTES, FLAG_CONTINUES, FLAG_FIRST, FLAG_LZ4, FLAG_RESTART, FRAME_HEAD_BYTES,
    GROUP_HEADER_BYTES, GroupHeader, Parsed, checksum, group_bytes,
};
use super::segment::Segments;
use crate::vfs::VfsFile;
use damask_types::{Error, Result, SqlState, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads groups one after another.
#[derive(Debug)]
pub(super) struct GroupReader {
    uuid: [u8; 16],
    position: LogPosition,
    file: Option<(u64, Arc<dyn VfsFile>)>,
    /// The payload of the group read last.
    payload: Vec<u8>,
    /// The same as it is stored, if that is compressed.
    stored: Vec<u8>,
}

impl GroupReader {
    pub(super) fn new(uuid: [u8; 16], position: LogPosition) -> Self {
        Self { uuid, position, file: None, payload: Vec::new(), stored: Vec::new() }
    }

    /// Where the next group begins.
    pub(super) fn position(&self) -> LogPosition {
        self.position
    }

    /// Reads the next group; `None` if there is no valid one.
    fn next(&mut self, segments: &Segments) -> Result<Option<GroupHeader>> {
        let place = self.position.offset;
        let Some((header, crc)) = self.group_at(segments, place)? else { return Ok(None) };
        if header.group_seq != self.position.group_seq || header.prev_crc != self.position.prev_crc
        {
            return Ok(None);
        }
        self.position.offset += group_bytes(header.stored_len as usize) as u64;
        self.position.group_seq += 1;
        self.position.prev_crc = crc;
        if header.flags & FLAG_RESTART == 0 {
            self.position.stream += u64::from(header.raw_len);
        } else {
            self.payload.clear();
        }
        Ok(Some(header))
    }

    /// Reads the group at `place` into `payload`, whatever its number; `None` if there is no sound one.
    fn group_at(&mut self, segments: &Segments, place: u64) -> Result<Option<(GroupHeader, u32)>> {
        let segment_bytes = segments.segment_bytes();
        let (number, offset) = (place / segment_bytes, place % segment_bytes);
        if self.file.as_ref().is_none_or(|(open, _)| *open != number) {
            self.file = segments.reader(number)?.map(|file| (number, file));
        }
        let Some((_, file)) = &self.file else { return Ok(None) };
        let mut head = [0; GROUP_HEADER_BYTES];
        if file.read_at(&mut head, offset)? < head.len() {
            return Ok(None);
        }
        let (header, crc) = match GroupHeader::parse(&head, &self.uuid) {
            Parsed::Header(header, crc) => (header, crc),
            Parsed::Nothing => return Ok(None),
            Parsed::Unknown(version, flags) => {
                let message = format!("log file \"{}\" is incompatible", file.path().display());
                let detail =
                    format!("The group at {offset} has version {version}, flags {flags:#x}.");
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).detail(detail));
            }
        };
        let len = header.stored_len as usize;
        if offset + group_bytes(len) as u64 > segment_bytes {
            return Ok(None);
        }
        let is_compressed = header.flags & FLAG_LZ4 != 0;
        let stored = if is_compressed { &mut self.stored } else { &mut self.payload };
        stored.resize(len, 0);
        let read = file.read_at(stored, offset + GROUP_HEADER_BYTES as u64)?;
        if read < len || checksum(&head, stored, place) != crc {
            return Ok(None);
        }
        if is_compressed {
            self.payload.resize(header.raw_len as usize, 0);
            let made = lz4_flex::block::decompress_into(&self.stored, &mut self.payload);
            if made.ok() != Some(self.payload.len()) {
                return Err(Error::corrupted(format!(
                    "log file \"{}\" has a group at {offset} that cannot be decompressed",
                    file.path().display()
                )));
            }
        }
        Ok(Some((header, crc)))
    }
}

/// Finds where the log ends: the position after the last group of the chain that begins at `start`.
///
/// What was read is made durable, since a process that crashed may have left it in the system's memory only, and what
/// recovery showed to someone must not vanish in a power cut.
///
/// # Errors
/// XX001 if a group in the middle is damaged: a later flush proves that it had been durable.
pub(super) fn scan(segments: &Segments, uuid: [u8; 16], start: LogPosition) -> Result<LogPosition> {
    let mut reader = GroupReader::new(uuid, start);
    let mut numbers = BTreeSet::new();
    loop {
        let number = reader.position().offset / segments.segment_bytes();
        if reader.next(segments)?.is_none() {
            break;
        }
        if numbers.insert(number)
            && let Some(file) = segments.reader(number)?
        {
            file.sync_data()?;
        }
    }
    let end = reader.position();
    let number = end.offset / segments.segment_bytes();
    let may_be_missing =
        end.offset.is_multiple_of(segments.segment_bytes()) && !segments.has_later(number);
    if !may_be_missing && segments.reader(number)?.is_none() {
        return Err(Error::corrupted(format!(
            "log directory \"{}\" has no segment {number:016x}, which the last checkpoint needs",
            segments.directory().display()
        )));
    }
    check_tail(segments, uuid, end)?;
    Ok(end)
}

/// Looks behind the end for the beginning of a later flush (G2).
fn check_tail(segments: &Segments, uuid: [u8; 16], end: LogPosition) -> Result<()> {
    let segment_bytes = segments.segment_bytes();
    let last_place = (end.offset / segment_bytes + 2) * segment_bytes;
    let mut reader = GroupReader::new(uuid, end);
    let mut place = end.offset + BLOCK_BYTES as u64;
    while place < last_place {
        // What parses as unknown here is leftover of some other use.
        if let Ok(Some((header, _))) = reader.group_at(segments, place)
            && header.flags & FLAG_FIRST != 0
            && header.group_seq > end.group_seq
        {
            return Err(Error::corrupted(format!(
                "invalid log group {} in directory \"{}\" at position {}: group {} of a later flush follows it",
                end.group_seq,
                segments.directory().display(),
                end.offset,
                header.group_seq
            )));
        }
        place += BLOCK_BYTES as u64;
    }
    Ok(())
}

/// Frames to replay, in the order of their timestamps.
#[derive(Debug)]
pub struct Frames {
    source: Option<(Segments, GroupReader)>,
    /// Where the scan found the end.
    end: u64,
    /// Stream bytes not handed out yet.
    pending: Vec<u8>,
    /// How many of them were.
    taken: usize,
    /// Frames up to this are in the checkpoint already.
    after: Timestamp,
}

impl Frames {
    /// No frames.
    pub(crate) fn none() -> Self {
        let after = Timestamp(0);
        Self { source: None, end: 0, pending: Vec::new(), taken: 0, after }
    }

    pub(super) fn new(
        segments: Segments,
        uuid: [u8; 16],
        start: LogPosition,
        end: LogPosition,
        after: Timestamp,
    ) -> Self {
        let source = Some((segments, GroupReader::new(uuid, start)));
        Self { source, end: end.offset, pending: Vec::new(), taken: 0, after }
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
        let Some((segments, reader)) = &mut self.source else { return Ok(false) };
        if reader.position().offset >= self.end {
            return Ok(false);
        }
        let Some(header) = reader.next(segments)? else {
            let place = reader.position().offset;
            let directory = segments.directory().display();
            return Err(Error::corrupted(format!(
                "log directory \"{directory}\" changed while it was read, at position {place}"
            )));
        };
        if header.flags & FLAG_CONTINUES == 0 {
            // A frame whose end never came: its transaction was not acknowledged.
            self.pending.clear();
        } else {
            self.pending.drain(..self.taken);
        }
        self.taken = 0;
        self.pending.extend_from_slice(&reader.payload);
        Ok(true)
    }
}

impl Iterator for Frames {
    type Item = Result<(Timestamp, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((ts, bytes)) = self.take() {
                if ts > self.after {
                    return Some(Ok((ts, bytes)));
                }
                continue;
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
