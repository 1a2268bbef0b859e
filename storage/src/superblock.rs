//! The two superblocks: where everything else begins.
//!
//! Units 0 and 1 each hold one. A checkpoint writes the one that is not in force, after everything it names is durable;
//! the valid one with the higher generation is in force. All that is not zero lies in the first 512 bytes, so even a
//! torn write leaves the old content, the new, or something the checksum refuses.
//!
//! Invariants
//! - B1: the superblock in force is never written to.
//! - B2: a block found in the other slot than its own is refused.
//! - B3: what we do not understand we do not open: a newer major version or an unknown incompatible feature.

use crate::alloc::{Run, SUPERBLOCK_UNITS};
use crate::log::{LANES_MAX, LogPosition};
use crate::page::{UNIT_BYTES, get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use crate::vfs::VfsFile;
use damask_types::{Error, Result, SqlState, Timestamp};

/// What every data file begins with.
pub(crate) const MAGIC: [u8; 8] = *b"Damask\x1a\n";
/// The format's version: a reader opens its own major and any minor.
pub(crate) const MAJOR: u16 = 1;
/// Grows with additions that an older reader may ignore. 1: the page table knows the pages' trees.
pub(crate) const MINOR: u16 = 1;
/// Pages may be compressed.
pub(crate) const FEATURE_COMPRESSED_PAGES: u64 = 1;
/// Leaves of indexes may have entries of one length and no slots. Every checkpoint says so, since no page of one is reached but through a
/// checkpoint.
pub(crate) const FEATURE_FIXED_LEAVES: u64 = 2;
/// Row trees may have write buffers.
pub(crate) const FEATURE_WRITE_BUFFERS: u64 = 4;
/// The log may have several lanes.
pub(crate) const FEATURE_LOG_LANES: u64 = 8;
/// Incompatible features this code understands.
const FEATURES_INCOMPATIBLE_KNOWN: u64 =
    FEATURE_COMPRESSED_PAGES | FEATURE_FIXED_LEAVES | FEATURE_WRITE_BUFFERS | FEATURE_LOG_LANES;
/// The database was closed: there is no log to read.
const FLAG_CLEAN: u32 = 1;

/// Offsets in a superblock.
pub(crate) mod offset {
    /// 8 bytes.
    pub(crate) const MAGIC: usize = 0;
    /// u16.
    pub(crate) const MAJOR: usize = 8;
    /// u16.
    pub(crate) const MINOR: usize = 10;
    /// u32: bytes of a page.
    pub(crate) const PAGE_BYTES: usize = 12;
    /// u64: features a reader may ignore.
    pub(crate) const FEATURES_COMPATIBLE: usize = 16;
    /// u64: features a reader may ignore as long as it does not write.
    pub(crate) const FEATURES_READ_ONLY: usize = 24;
    /// u64: features a reader must know.
    pub(crate) const FEATURES_INCOMPATIBLE: usize = 32;
    /// 16 bytes: the database's identity.
    pub(crate) const UUID: usize = 40;
    /// u64: grows with every superblock written.
    pub(crate) const GENERATION: usize = 56;
    /// u64: the checkpoint's commit timestamp.
    pub(crate) const CHECKPOINT_TS: usize = 64;
    /// u64: byte position in lane 0 of the log where recovery begins to read.
    pub(crate) const LOG_OFFSET: usize = 72;
    /// u64: the number of the first group to read, in whatever lane.
    pub(crate) const LOG_GROUP_SEQ: usize = 80;
    /// u64: bytes of frames logged before it.
    pub(crate) const LOG_STREAM: usize = 88;
    /// u32: checksum of the group before it.
    pub(crate) const LOG_PREV_CRC: usize = 96;
    /// u32: bit 0 is set when the database was closed.
    pub(crate) const FLAGS: usize = 100;
    /// u64: bytes of a log segment.
    pub(crate) const LOG_SEGMENT_BYTES: usize = 104;
    /// u64: units the checkpoint needs the file to have.
    pub(crate) const UNIT_COUNT: usize = 112;
    /// u64: the checkpoint root's first run; 0 before the first checkpoint.
    pub(crate) const ROOT: usize = 120;
    /// u32: its checksum.
    pub(crate) const ROOT_CRC: usize = 128;
    /// u32: the slot the block belongs in, 0 or 1.
    pub(crate) const SLOT: usize = 132;
    /// u32: lanes of the log besides lane 0.
    pub(crate) const LOG_MORE_LANES: usize = 136;
    /// u64 each: byte positions in the lanes from 1 on; 0 for those that are not there.
    pub(crate) const LOG_LANE_OFFSETS: usize = 144;
    /// u32: crc32c of the whole unit with these four bytes zero.
    pub(crate) const CHECKSUM: usize = 508;
}

/// Lanes besides lane 0, at most.
pub(crate) const MORE_LANES_MAX: usize = LANES_MAX - 1;

const _: () = assert!(offset::LOG_LANE_OFFSETS + 8 * MORE_LANES_MAX <= offset::CHECKSUM);

/// A reference to a block: where it is and what its checksum must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRef {
    /// Where.
    pub(crate) run: Run,
    /// Its checksum, so that an older version of the block is not taken for it.
    pub(crate) crc: u32,
}

/// A superblock's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) page_bytes: u32,
    pub(crate) features_compatible: u64,
    pub(crate) features_read_only: u64,
    pub(crate) features_incompatible: u64,
    pub(crate) uuid: [u8; 16],
    pub(crate) generation: u64,
    pub(crate) checkpoint_ts: Timestamp,
    pub(crate) log: LogPosition,
    pub(crate) log_segment_bytes: u64,
    pub(crate) unit_count: u64,
    pub(crate) root: Option<BlockRef>,
    pub(crate) clean: bool,
}

/// What a slot was found to hold.
pub(crate) enum Slot {
    /// A superblock.
    Valid(Superblock),
    /// Zeros, or nothing: the file ends before.
    Empty,
    /// Our magic but a wrong checksum: a torn or rotten superblock.
    Damaged,
    /// Something else.
    Foreign,
}

impl Superblock {
    /// The slot it goes to.
    pub(crate) fn slot(&self) -> u64 {
        self.generation % SUPERBLOCK_UNITS
    }

    /// Its unit.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut unit = vec![0; UNIT_BYTES];
        unit[offset::MAGIC..offset::MAGIC + 8].copy_from_slice(&MAGIC);
        put_u16(&mut unit, offset::MAJOR, MAJOR);
        put_u16(&mut unit, offset::MINOR, MINOR);
        put_u32(&mut unit, offset::PAGE_BYTES, self.page_bytes);
        put_u64(&mut unit, offset::FEATURES_COMPATIBLE, self.features_compatible);
        put_u64(&mut unit, offset::FEATURES_READ_ONLY, self.features_read_only);
        put_u64(&mut unit, offset::FEATURES_INCOMPATIBLE, self.features_incompatible);
        unit[offset::UUID..offset::UUID + 16].copy_from_slice(&self.uuid);
        put_u64(&mut unit, offset::GENERATION, self.generation);
        put_u64(&mut unit, offset::CHECKPOINT_TS, self.checkpoint_ts.0);
        let (first, more) = self.log.offsets.split_first().expect("a log has a lane");
        put_u64(&mut unit, offset::LOG_OFFSET, *first);
        put_u32(&mut unit, offset::LOG_MORE_LANES, more.len() as u32);
        for (index, lane) in more.iter().enumerate() {
            put_u64(&mut unit, offset::LOG_LANE_OFFSETS + 8 * index, *lane);
        }
        put_u64(&mut unit, offset::LOG_GROUP_SEQ, self.log.group_seq);
        put_u64(&mut unit, offset::LOG_STREAM, self.log.stream);
        put_u32(&mut unit, offset::LOG_PREV_CRC, self.log.prev_crc);
        put_u32(&mut unit, offset::FLAGS, if self.clean { FLAG_CLEAN } else { 0 });
        put_u64(&mut unit, offset::LOG_SEGMENT_BYTES, self.log_segment_bytes);
        put_u64(&mut unit, offset::UNIT_COUNT, self.unit_count);
        put_u64(&mut unit, offset::ROOT, self.root.map_or(0, |root| root.run.pack()));
        put_u32(&mut unit, offset::ROOT_CRC, self.root.map_or(0, |root| root.crc));
        put_u32(&mut unit, offset::SLOT, self.slot() as u32);
        let crc = crc32c::crc32c(&unit);
        put_u32(&mut unit, offset::CHECKSUM, crc);
        unit
    }

    /// Reads the unit of slot `slot`.
    ///
    /// # Errors
    /// 0A000 if the format is one we do not know (B3).
    fn decode(unit: &[u8], slot: u64, file: &dyn VfsFile) -> Result<Slot> {
        if unit.iter().all(|byte| *byte == 0) {
            return Ok(Slot::Empty);
        }
        if !unit.starts_with(&MAGIC) {
            return Ok(Slot::Foreign);
        }
        if unit.len() < UNIT_BYTES {
            return Ok(Slot::Damaged);
        }
        let crc = get_u32(unit, offset::CHECKSUM);
        let mut zeroed = unit.to_vec();
        put_u32(&mut zeroed, offset::CHECKSUM, 0);
        if crc32c::crc32c(&zeroed) != crc || u64::from(get_u32(unit, offset::SLOT)) != slot {
            return Ok(Slot::Damaged);
        }
        check_version(unit, file)?;
        let more_lanes = get_u32(unit, offset::LOG_MORE_LANES) as usize;
        if more_lanes > MORE_LANES_MAX {
            let name = file.path().display();
            return Err(Error::corrupted(format!("superblock of file \"{name}\" makes no sense"))
                .detail(format!("The log is said to have {more_lanes} lanes and one.")));
        }
        let more_lanes =
            (0..more_lanes).map(|index| get_u64(unit, offset::LOG_LANE_OFFSETS + 8 * index));
        let offsets = std::iter::once(get_u64(unit, offset::LOG_OFFSET)).chain(more_lanes);
        let root = Run::unpack(get_u64(unit, offset::ROOT))
            .map(|run| BlockRef { run, crc: get_u32(unit, offset::ROOT_CRC) });
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&unit[offset::UUID..offset::UUID + 16]);
        Ok(Slot::Valid(Self {
            page_bytes: get_u32(unit, offset::PAGE_BYTES),
            features_compatible: get_u64(unit, offset::FEATURES_COMPATIBLE),
            features_read_only: get_u64(unit, offset::FEATURES_READ_ONLY),
            features_incompatible: get_u64(unit, offset::FEATURES_INCOMPATIBLE),
            uuid,
            generation: get_u64(unit, offset::GENERATION),
            checkpoint_ts: Timestamp(get_u64(unit, offset::CHECKPOINT_TS)),
            log: LogPosition {
                offsets: offsets.collect(),
                group_seq: get_u64(unit, offset::LOG_GROUP_SEQ),
                stream: get_u64(unit, offset::LOG_STREAM),
                prev_crc: get_u32(unit, offset::LOG_PREV_CRC),
            },
            log_segment_bytes: get_u64(unit, offset::LOG_SEGMENT_BYTES),
            unit_count: get_u64(unit, offset::UNIT_COUNT),
            root,
            clean: get_u32(unit, offset::FLAGS) & FLAG_CLEAN != 0,
        }))
    }

    /// Reads slot 0 or 1 of a data file.
    pub(crate) fn read(file: &dyn VfsFile, slot: u64) -> Result<Slot> {
        let mut unit = vec![0; UNIT_BYTES];
        let read = file.read_at(&mut unit, slot * UNIT_BYTES as u64)?;
        Self::decode(&unit[..read], slot, file)
    }

    /// Writes it to its slot; the caller syncs before and after.
    pub(crate) fn write(&self, file: &dyn VfsFile) -> Result<()> {
        file.write_at(&self.encode(), self.slot() * UNIT_BYTES as u64)
    }
}

/// Refuses formats from the future (B3).
fn check_version(unit: &[u8], file: &dyn VfsFile) -> Result<()> {
    let (major, minor) = (get_u16(unit, offset::MAJOR), get_u16(unit, offset::MINOR));
    let unknown = get_u64(unit, offset::FEATURES_INCOMPATIBLE) & !FEATURES_INCOMPATIBLE_KNOWN;
    if major == MAJOR && unknown == 0 {
        return Ok(());
    }
    let message =
        format!("database file \"{}\" is incompatible with this version", file.path().display());
    let detail = if major == MAJOR {
        format!("The file uses features {unknown:#x}, which this version does not know.")
    } else {
        format!("The file has format version {major}.{minor}; this version reads {MAJOR}.{MINOR}.")
    };
    Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).detail(detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{MemoryVfs, OpenOptions, Vfs};
    use std::path::Path;
    use std::sync::Arc;

    fn example() -> Superblock {
        Superblock {
            page_bytes: 16_384,
            features_compatible: 0,
            features_read_only: 0,
            features_incompatible: FEATURE_COMPRESSED_PAGES,
            uuid: *b"0123456789abcdef",
            generation: 5,
            checkpoint_ts: Timestamp(77),
            log: LogPosition {
                offsets: vec![8192, 0, 4096],
                group_seq: 9,
                stream: 1234,
                prev_crc: 42,
            },
            log_segment_bytes: 64 << 20,
            unit_count: 100,
            root: Some(BlockRef { run: Run { start: 9, count: 3 }, crc: 7 }),
            clean: false,
        }
    }

    fn file() -> Arc<dyn VfsFile> {
        MemoryVfs::default().open(Path::new("d"), OpenOptions::CREATE).unwrap()
    }

    #[test]
    fn a_superblock_survives_its_unit() {
        let (file, superblock) = (file(), example());
        superblock.write(&*file).unwrap();
        let Slot::Valid(read) = Superblock::read(&*file, 1).unwrap() else { panic!("not valid") };
        assert_eq!(read, superblock);
        assert!(matches!(Superblock::read(&*file, 0).unwrap(), Slot::Empty));
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let (file, unit) = (file(), example().encode());
        for byte in 0..unit.len() {
            let mut flipped = unit.clone();
            flipped[byte] ^= 4;
            let slot = Superblock::decode(&flipped, 1, &*file).unwrap();
            assert!(!matches!(slot, Slot::Valid(_)), "byte {byte}");
        }
        assert!(matches!(Superblock::decode(&unit, 0, &*file).unwrap(), Slot::Damaged));
    }

    #[test]
    fn the_future_is_refused() {
        let refused = |change: fn(&mut [u8])| {
            let mut unit = example().encode();
            change(&mut unit);
            put_u32(&mut unit, offset::CHECKSUM, 0);
            let crc = crc32c::crc32c(&unit);
            put_u32(&mut unit, offset::CHECKSUM, crc);
            let error = Superblock::decode(&unit, 1, &*file()).err().unwrap();
            assert_eq!(error.sqlstate(), SqlState::FEATURE_NOT_SUPPORTED);
            error.fields().detail.clone().unwrap_or_default()
        };
        let detail = refused(|unit| put_u16(unit, offset::MAJOR, 2));
        assert!(detail.contains("format version 2.1"), "{detail}");
        let detail = refused(|unit| put_u64(unit, offset::FEATURES_INCOMPATIBLE, 31));
        assert!(detail.contains("features 0x10"), "{detail}");
    }
}
