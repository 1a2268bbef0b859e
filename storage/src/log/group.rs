//! A flush group: the unit in which the log reaches the disk.
//!
//! A group is a 64-byte header and a piece of the frame stream, padded with zeros to a multiple of 4 KiB, at a multiple
//! of 4 KiB. The stream is frames one after another, each a 12-byte head {length u32, timestamp u64} and its bytes; a
//! frame may begin in one group and end in a later one.
//!
//! Invariants
//! - G1: a group names its database, its lane, its number and the checksum of the group before it, in whatever lane that is, and its
//!   checksum covers all that and its place in the lane. So what an earlier use of a recycled segment left behind is never taken for a
//!   successor, nor a group of one lane for one of another.
//! - G2: a flag marks the first group of each flush. It tells up to which group all was known to be durable when it was written: all
//!   before it, or, if flushes before it were under way, up to a number that it has. So a sound first group that tells so of a bad one
//!   proves that acknowledged bytes were damaged, not merely that a crash tore the end.
//!
//! A payload may be stored compressed, which a flag tells; then `stored_len` is below `raw_len`, else they are equal.

use crate::page::{get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};

/// Groups begin and end at multiples of this.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Bytes of the header.
pub(crate) const GROUP_HEADER_BYTES: usize = 64;
/// The most stream bytes in one group.
pub(crate) const PAYLOAD_BYTES_MAX: usize = (1 << 20) - GROUP_HEADER_BYTES;
/// What a group begins with: "DMKG".
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"DMKG");
/// The version of the group format.
pub(crate) const VERSION: u16 = 1;
/// The payload begins inside a frame.
pub(crate) const FLAG_CONTINUES: u8 = 1;
/// The group is the first of its flush (G2).
pub(crate) const FLAG_FIRST: u8 = 2;
/// The payload is a random number that makes the chain differ from one that a crash cut off; no frames.
pub(crate) const FLAG_RESTART: u8 = 4;
/// The payload is stored as one LZ4 block.
pub(crate) const FLAG_LZ4: u8 = 8;
/// Flushes before the one that the group is the first of were under way (G2).
pub(crate) const FLAG_OVERLAPS: u8 = 16;
/// Flags that this version knows.
const FLAGS_KNOWN: u8 = FLAG_CONTINUES | FLAG_FIRST | FLAG_RESTART | FLAG_LZ4 | FLAG_OVERLAPS;
/// The most lanes of a log.
pub const LANES_MAX: usize = 16;
/// Bytes of the head of a frame in the stream.
pub const FRAME_HEAD_BYTES: usize = 12;

const _: () = assert!((PAYLOAD_BYTES_MAX + GROUP_HEADER_BYTES).is_multiple_of(BLOCK_BYTES));

/// Offsets in a group's header.
pub(crate) mod offset {
    /// u32.
    pub(crate) const MAGIC: usize = 0;
    /// u16.
    pub(crate) const VERSION: usize = 4;
    /// u8.
    pub(crate) const FLAGS: usize = 6;
    /// u8: the lane that the group is in.
    pub(crate) const LANE: usize = 7;
    /// u64: counts groups over the database's life.
    pub(crate) const GROUP_SEQ: usize = 8;
    /// u32: stream bytes.
    pub(crate) const RAW_LEN: usize = 16;
    /// u32: bytes that are stored after the header.
    pub(crate) const STORED_LEN: usize = 20;
    /// u64: timestamp of the first frame that begins here; 0 if none does.
    pub(crate) const FIRST_TS: usize = 24;
    /// u64: timestamp of the last frame that begins here, 0 if none does; with `FLAG_OVERLAPS` instead of it the number of the first
    /// group that was not known to be durable.
    pub(crate) const LAST_TS: usize = 32;
    /// 16 bytes: the database's identity.
    pub(crate) const UUID: usize = 40;
    /// u32: checksum of the group before.
    pub(crate) const PREV_CRC: usize = 56;
    /// u32: crc32c of the place (u64), the header without these four bytes, and the stored bytes.
    pub(crate) const CHECKSUM: usize = 60;
}

const _: () = assert!(offset::CHECKSUM + 4 == GROUP_HEADER_BYTES);

/// A group's header, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) flags: u8,
    pub(crate) lane: u8,
    pub(crate) group_seq: u64,
    /// Bytes of the stream.
    pub(crate) raw_len: u32,
    /// Bytes that hold them.
    pub(crate) stored_len: u32,
    pub(crate) first_ts: u64,
    /// 0 with `FLAG_OVERLAPS`.
    pub(crate) last_ts: u64,
    /// If it is the first of a flush: all groups before this number were known to be durable. Its own number but with `FLAG_OVERLAPS`.
    pub(crate) settled: u64,
    pub(crate) uuid: [u8; 16],
    pub(crate) prev_crc: u32,
}

/// What a block that should begin a group turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A header of ours with its checksum, which still has to be compared.
    Header(GroupHeader, u32),
    /// Ours, but of a version or with flags that we do not know.
    Unknown(u16, u8),
    /// Not a group of this database.
    Nothing,
}

/// Bytes on disk of a group with `len` stored bytes.
pub(crate) const fn group_bytes(len: usize) -> usize {
    (GROUP_HEADER_BYTES + len).next_multiple_of(BLOCK_BYTES)
}

impl GroupHeader {
    /// Appends the group whose payload is stored as `stored` to `out`; the checksum. `place` is its byte position in the log.
    pub(crate) fn encode(&self, stored: &[u8], place: u64, out: &mut Vec<u8>) -> u32 {
        debug_assert_eq!(self.stored_len as usize, stored.len());
        let mut header = [0; GROUP_HEADER_BYTES];
        put_u32(&mut header, offset::MAGIC, MAGIC);
        put_u16(&mut header, offset::VERSION, VERSION);
        header[offset::FLAGS] = self.flags;
        header[offset::LANE] = self.lane;
        put_u64(&mut header, offset::GROUP_SEQ, self.group_seq);
        put_u32(&mut header, offset::RAW_LEN, self.raw_len);
        put_u32(&mut header, offset::STORED_LEN, self.stored_len);
        put_u64(&mut header, offset::FIRST_TS, self.first_ts);
        let overlaps = self.flags & FLAG_OVERLAPS != 0;
        put_u64(&mut header, offset::LAST_TS, if overlaps { self.settled } else { self.last_ts });
        header[offset::UUID..offset::UUID + 16].copy_from_slice(&self.uuid);
        put_u32(&mut header, offset::PREV_CRC, self.prev_crc);
        let crc = checksum(&header, stored, place);
        put_u32(&mut header, offset::CHECKSUM, crc);
        let end = out.len() + group_bytes(stored.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(stored);
        out.resize(end, 0);
        crc
    }

    /// Reads a header; `uuid` is the database's.
    pub(crate) fn parse(bytes: &[u8], uuid: &[u8; 16]) -> Parsed {
        if bytes.len() < GROUP_HEADER_BYTES
            || get_u32(bytes, offset::MAGIC) != MAGIC
            || bytes[offset::UUID..offset::UUID + 16] != *uuid
        {
            return Parsed::Nothing;
        }
        let (version, flags) = (get_u16(bytes, offset::VERSION), bytes[offset::FLAGS]);
        let (raw_len, stored_len) =
            (get_u32(bytes, offset::RAW_LEN), get_u32(bytes, offset::STORED_LEN));
        let lane = bytes[offset::LANE];
        if version != VERSION || flags & !FLAGS_KNOWN != 0 || usize::from(lane) >= LANES_MAX {
            return Parsed::Unknown(version, flags);
        }
        let is_sound =
            if flags & FLAG_LZ4 == 0 { stored_len == raw_len } else { stored_len < raw_len };
        if raw_len as usize > PAYLOAD_BYTES_MAX || !is_sound {
            return Parsed::Nothing;
        }
        let group_seq = get_u64(bytes, offset::GROUP_SEQ);
        let last = get_u64(bytes, offset::LAST_TS);
        let (last_ts, settled) =
            if flags & FLAG_OVERLAPS == 0 { (last, group_seq) } else { (0, last) };
        let header = Self {
            flags,
            lane,
            group_seq,
            raw_len,
            stored_len,
            first_ts: get_u64(bytes, offset::FIRST_TS),
            last_ts,
            settled,
            uuid: *uuid,
            prev_crc: get_u32(bytes, offset::PREV_CRC),
        };
        Parsed::Header(header, get_u32(bytes, offset::CHECKSUM))
    }
}

/// The checksum of a group (G1).
pub(crate) fn checksum(header: &[u8], stored: &[u8], place: u64) -> u32 {
    let crc = crc32c::crc32c(&place.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &header[..offset::CHECKSUM]);
    crc32c::crc32c_append(crc, stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: GroupHeader = GroupHeader {
        flags: FLAG_FIRST,
        lane: 0,
        group_seq: 9,
        raw_len: 5,
        stored_len: 5,
        first_ts: 1,
        last_ts: 2,
        settled: 9,
        uuid: [7; 16],
        prev_crc: 3,
    };

    #[test]
    fn a_header_survives_its_bytes() {
        let mut bytes = Vec::new();
        let crc = HEADER.encode(b"hello", 4096, &mut bytes);
        assert_eq!(bytes.len(), BLOCK_BYTES);
        assert_eq!(GroupHeader::parse(&bytes, &[7; 16]), Parsed::Header(HEADER, crc));
        assert_eq!(checksum(&bytes[..64], b"hello", 4096), crc);
        let flags = FLAG_FIRST | FLAG_OVERLAPS;
        let overlapping = GroupHeader { flags, lane: 15, last_ts: 0, settled: 7, ..HEADER };
        bytes.clear();
        let crc = overlapping.encode(b"hello", 4096, &mut bytes);
        assert_eq!(GroupHeader::parse(&bytes, &[7; 16]), Parsed::Header(overlapping, crc));
        assert_ne!(checksum(&bytes[..64], b"hello", 8192), crc, "the place counts");
        assert_eq!(GroupHeader::parse(&bytes, &[8; 16]), Parsed::Nothing);
        assert_eq!(GroupHeader::parse(&bytes[..63], &[7; 16]), Parsed::Nothing);
    }

    #[test]
    fn lengths_fit_the_flag() {
        let header = GroupHeader { flags: FLAG_LZ4, raw_len: 9, ..HEADER };
        let mut bytes = Vec::new();
        let crc = header.encode(b"hello", 0, &mut bytes);
        assert_eq!(GroupHeader::parse(&bytes, &[7; 16]), Parsed::Header(header, crc));
        for (flags, raw_len) in [(FLAG_LZ4, 5), (0, 9), (FLAG_LZ4, PAYLOAD_BYTES_MAX as u32 + 1)] {
            let header = GroupHeader { flags, raw_len, ..HEADER };
            bytes.clear();
            header.encode(b"hello", 0, &mut bytes);
            assert_eq!(GroupHeader::parse(&bytes, &[7; 16]), Parsed::Nothing);
        }
    }

    #[test]
    fn a_newer_version_is_not_taken_for_the_end() {
        let mut bytes = Vec::new();
        HEADER.encode(b"hello", 0, &mut bytes);
        put_u16(&mut bytes, offset::VERSION, 2);
        assert_eq!(GroupHeader::parse(&bytes, &[7; 16]), Parsed::Unknown(2, FLAG_FIRST));
    }
}
