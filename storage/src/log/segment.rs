//! The log's files: segments of one size in one directory, made as needed and used again.
//!
//! Each lane has segments of its own. Byte `o` of a lane is byte `o % segment_bytes` of its segment `o / segment_bytes`, whose file is
//! named by its number in sixteen hexadecimal digits, behind the lane in two but for lane 0. A new segment grows in steps of zeros ahead of what is written, so that most flushes
//! change no metadata; a segment that no checkpoint needs is renamed to a number ahead and has its full length already.
//!
//! How what was written becomes durable is a choice ([`LogSync`]): by a sync after it, or by writes that go through.

use super::group::BLOCK_BYTES;
use crate::vfs::{DIRECT_ALIGNMENT, OpenOptions, Vfs, VfsFile, WriteThrough, parent};
use damask_types::{Result, SqlState};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// How far zeros run ahead of a new segment's content: as far as there is content, within these bounds. Whoever flushes when they come
/// to an end waits for the next ones, so they are few.
const GROW_BYTES_MIN: u64 = 256 << 10;
const GROW_BYTES_MAX: u64 = 1 << 20;
/// Behind a write of so many bytes there are none: the next one will be as long, and changes the file's length anyway.
const LONG_WRITE_BYTES: usize = 512 << 10;
/// Bytes of one write of zeros.
const ZERO_BYTES: usize = 256 << 10;
/// Segments kept for use again.
const SPARE_SEGMENTS_MAX: usize = 2;

/// How the log becomes durable (`wal_sync_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogSync {
    /// `fdatasync` after the writes of a flush.
    #[default]
    Fdatasync,
    /// `fsync` after them.
    Fsync,
    /// Writes that go through (`O_DSYNC`), past the system's cache where that is possible (`O_DIRECT`).
    OpenDatasync,
    /// The same with `O_SYNC`.
    OpenSync,
}

impl LogSync {
    fn writes_through(self) -> Option<WriteThrough> {
        match self {
            Self::Fdatasync | Self::Fsync => None,
            Self::OpenDatasync => Some(WriteThrough::Data),
            Self::OpenSync => Some(WriteThrough::All),
        }
    }
}

/// Bytes in memory that begin where a write past the system's cache may begin.
#[derive(Debug, Default)]
pub(super) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    /// Empties it and makes room for `len` bytes.
    pub(super) fn begin(&mut self, len: usize) -> &mut Vec<u8> {
        self.bytes.clear();
        self.bytes.reserve(len + DIRECT_ALIGNMENT);
        self.start = self.bytes.as_ptr().align_offset(DIRECT_ALIGNMENT);
        debug_assert!(self.start < DIRECT_ALIGNMENT, "bytes can be aligned");
        self.bytes.resize(self.start, 0);
        &mut self.bytes
    }

    /// What was appended since; no more than there was room for.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Where the files of all lanes are, and how they are written.
#[derive(Debug)]
pub(super) struct LogDirectory {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) path: PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) sync: LogSync,
}

/// The files of a lane.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    directory: Arc<LogDirectory>,
    lane: u8,
    /// Numbers whose files exist.
    existing: BTreeSet<u64>,
    /// The segment written to last.
    current: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    number: u64,
    file: Arc<dyn VfsFile>,
    len: u64,
}

/// The file name of a segment.
fn file_name(lane: u8, number: u64) -> String {
    if lane == 0 { format!("{number:016x}.log") } else { format!("{lane:02x}-{number:016x}.log") }
}

/// The lane and the number of the segment that a file name stands for.
fn parse_file_name(name: &str) -> Option<(u8, u64)> {
    let digits = name.strip_suffix(".log")?;
    let (lane, digits) = digits.split_once('-').unwrap_or(("00", digits));
    let parsed = (u8::from_str_radix(lane, 16).ok()?, u64::from_str_radix(digits, 16).ok()?);
    (file_name(parsed.0, parsed.1) == name).then_some(parsed)
}

impl LogDirectory {
    /// Makes an empty, durable directory, removing what an unfinished close left in it.
    pub(super) fn create(&self) -> Result<()> {
        if self.vfs.exists(&self.path)? {
            self.remove_files(0)?;
        }
        self.vfs.create_dir(&self.path)?;
        self.vfs.sync_dir(parent(&self.path))
    }

    /// The files of the first `count` lanes.
    pub(super) fn lanes(self: &Arc<Self>, count: usize) -> Result<Vec<Segments>> {
        let names = self.vfs.list(&self.path)?;
        let found: Vec<_> = names.iter().filter_map(|name| parse_file_name(name)).collect();
        let segments = |lane| {
            let of_lane = found.iter().filter(|(of, _)| *of == lane);
            let existing = of_lane.map(|(_, number)| *number).collect();
            Segments { directory: Arc::clone(self), lane, existing, current: None }
        };
        Ok((0..count as u8).map(segments).collect())
    }

    /// Removes the files of the lanes from `first` on, for good.
    pub(super) fn remove_lanes(&self, first: usize) -> Result<()> {
        if self.remove_files(first)? { self.vfs.sync_dir(&self.path) } else { Ok(()) }
    }

    /// Removes every file and the directory.
    pub(super) fn remove(&self) -> Result<()> {
        self.remove_files(0)?;
        self.vfs.remove_dir(&self.path)?;
        self.vfs.sync_dir(parent(&self.path))
    }

    /// Removes the segments of the lanes from `first` on; files that are not ours stay. Whether there were any.
    fn remove_files(&self, first: usize) -> Result<bool> {
        let mut found = false;
        for name in self.vfs.list(&self.path)? {
            if parse_file_name(&name).is_some_and(|(lane, _)| usize::from(lane) >= first) {
                self.vfs.remove(&self.path.join(name))?;
                found = true;
            }
        }
        Ok(found)
    }
}

impl Segments {
    /// Whether there are segments behind the one of this number.
    pub(super) fn has_later(&self, number: u64) -> bool {
        self.existing.range(number + 1..).next().is_some()
    }

    pub(super) fn lane(&self) -> u8 {
        self.lane
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        self.directory.segment_bytes
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.path.join(file_name(self.lane, number))
    }

    /// The file of a segment for reading, if it exists.
    pub(super) fn reader(&self, number: u64) -> Result<Option<Arc<dyn VfsFile>>> {
        if !self.existing.contains(&number) {
            return Ok(None);
        }
        self.directory.vfs.open(&self.path(number), OpenOptions::EXISTING).map(Some)
    }

    /// Writes whole blocks at `place`, within one segment; [`Segments::sync`] makes them durable.
    pub(super) fn write(&mut self, bytes: &[u8], place: u64) -> Result<()> {
        debug_assert!(place.is_multiple_of(BLOCK_BYTES as u64) && !bytes.is_empty());
        let segment_bytes = self.segment_bytes();
        let (number, offset) = (place / segment_bytes, place % segment_bytes);
        let end = offset + bytes.len() as u64;
        debug_assert!(end <= segment_bytes, "a write stays in its segment");
        self.switch_to(number)?;
        let open = self.current.as_mut().expect("the segment was just opened");
        // A crash may have left the file shorter, without the padding of the last group; what is skipped reads as zeros, as that did.
        open.file.write_at(bytes, offset)?;
        if open.len >= end {
            return Ok(());
        }
        open.len = end;
        if bytes.len() < LONG_WRITE_BYTES {
            let target = (end + end.clamp(GROW_BYTES_MIN, GROW_BYTES_MAX)).min(segment_bytes);
            match grow(&*open.file, end, target) {
                Ok(()) => open.len = target,
                // Room ahead is a comfort.
                Err(error) if error.sqlstate() == SqlState::DISK_FULL => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes what was written to the current segment durable.
    pub(super) fn sync(&self) -> Result<()> {
        match (&self.current, self.directory.sync) {
            (Some(open), LogSync::Fdatasync) => open.file.sync_data(),
            (Some(open), LogSync::Fsync) => open.file.sync_all(),
            // Every write was durable when it returned.
            (Some(_), LogSync::OpenDatasync | LogSync::OpenSync) | (None, _) => Ok(()),
        }
    }

    /// Opens a segment for writing, making it if needed; the one before is durable then.
    fn switch_to(&mut self, number: u64) -> Result<()> {
        if self.current.as_ref().is_some_and(|open| open.number == number) {
            return Ok(());
        }
        self.sync()?;
        let LogDirectory { vfs, path, sync, .. } = &*self.directory;
        let options = OpenOptions { writes_through: sync.writes_through(), ..OpenOptions::CREATE };
        let file = vfs.open(&self.path(number), options)?;
        if self.existing.insert(number) {
            vfs.sync_dir(path)?;
        }
        let len = file.len()?;
        self.current = Some(Open { number, file, len });
        Ok(())
    }

    /// Lets go of segments wholly before `place`: some become segments to come, the others go away.
    pub(super) fn recycle(&mut self, place: u64) -> Result<()> {
        let LogDirectory { vfs, path, .. } = &*self.directory;
        let needed = place / self.segment_bytes();
        let old: Vec<u64> = self.existing.range(..needed).copied().collect();
        for number in old {
            // Numbers stay without gaps, so that a missing segment can be told from one that was never made.
            let next = self.existing.range(needed..).next_back().map_or(needed, |last| last + 1);
            if self.existing.range(needed + 1..).count() < SPARE_SEGMENTS_MAX {
                vfs.rename(&self.path(number), &self.path(next))?;
                // The new name must be durable before anything in it is acknowledged, and before the next one is.
                vfs.sync_dir(path)?;
                self.existing.insert(next);
            } else {
                vfs.remove(&self.path(number))?;
            }
            self.existing.remove(&number);
        }
        Ok(())
    }

    /// Lets go of the files, which are about to be removed.
    pub(super) fn forget(&mut self) {
        self.current = None;
        self.existing.clear();
    }
}

/// Writes zeros from `from` to `to`.
fn grow(file: &dyn VfsFile, mut from: u64, to: u64) -> Result<()> {
    let mut zeros = Aligned::default();
    let len = ZERO_BYTES.min((to - from) as usize);
    let bytes = zeros.begin(len);
    bytes.resize(bytes.len() + len, 0);
    while from < to {
        let step = (to - from).min(len as u64) as usize;
        file.write_at(&zeros.bytes()[..step], from)?;
        from += step as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::MemoryVfs;

    #[test]
    fn names_are_lanes_and_numbers() {
        for (lane, number, name) in
            [(0, 0xab, "00000000000000ab.log"), (15, 0xab, "0f-00000000000000ab.log")]
        {
            assert_eq!(file_name(lane, number), name);
            assert_eq!(parse_file_name(name), Some((lane, number)));
        }
        for name in [
            "ab.log",
            "00000000000000ab",
            "00000000000000zz.log",
            ".log",
            "00-00000000000000ab.log",
            "1-00000000000000ab.log",
            "01-ab.log",
            "01-00000000000000AB.log",
        ] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn memory_is_aligned_again_and_again() {
        let mut aligned = Aligned::default();
        for len in [1, 4096, 100, 1 << 20, 4096] {
            let bytes = aligned.begin(len);
            bytes.resize(bytes.len() + len, 7);
            assert!((aligned.bytes().as_ptr() as usize).is_multiple_of(DIRECT_ALIGNMENT));
            assert_eq!(aligned.bytes(), vec![7; len]);
        }
    }

    fn directory(vfs: &Arc<dyn Vfs>) -> Arc<LogDirectory> {
        let (vfs, path, sync) = (Arc::clone(vfs), PathBuf::from("d.wal"), LogSync::Fdatasync);
        Arc::new(LogDirectory { vfs, path, segment_bytes: 8192, sync })
    }

    #[test]
    fn old_segments_come_back_under_new_numbers() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        let directory = directory(&vfs);
        directory.create().unwrap();
        let mut segments = directory.lanes(1).unwrap().remove(0);
        for block in 0..10 {
            segments.write(&[1; BLOCK_BYTES], block * BLOCK_BYTES as u64).unwrap();
        }
        segments.recycle(4 * 8192 + 100).unwrap();
        let names = vfs.list(&directory.path).unwrap();
        assert_eq!(names, [4, 5, 6].map(|number| file_name(0, number)));
        segments.recycle(4 * 8192 + 200).unwrap();
        assert_eq!(vfs.list(&directory.path).unwrap(), names);
        directory.remove().unwrap();
        assert!(!vfs.exists(&directory.path).unwrap());
    }

    /// Nobody waits for more than a step of zeros, and long writes are written once.
    #[test]
    fn a_segment_grows_in_small_steps() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        let (path, segment_bytes) = (PathBuf::from("d.wal"), 16 << 20);
        let directory = LogDirectory { vfs, path, segment_bytes, sync: LogSync::Fdatasync };
        directory.create().unwrap();
        let mut segments = Arc::new(directory).lanes(1).unwrap().remove(0);
        let (mut place, mut len, mut steps) = (0, 0, 0);
        let mut write = |segments: &mut Segments, bytes: usize| {
            segments.write(&vec![1; bytes], place).unwrap();
            place += bytes as u64;
            let grown = segments.reader(0).unwrap().unwrap().len().unwrap();
            steps += u32::from(grown > len);
            assert!(grown - len <= bytes as u64 + GROW_BYTES_MAX, "{len} to {grown}");
            len = grown;
            (place, grown, steps)
        };
        while write(&mut segments, BLOCK_BYTES).0 < 8 << 20 {}
        let (_, _, steps) = write(&mut segments, BLOCK_BYTES);
        assert!(steps < 16, "{steps} changes of the length");
        // The first may end in zeros that are there.
        write(&mut segments, 2 << 20);
        let (place, len, _) = write(&mut segments, 2 << 20);
        assert_eq!(place, len);
    }

    #[test]
    fn each_lane_has_its_own_files() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        let directory = directory(&vfs);
        directory.create().unwrap();
        for (lane, segments) in directory.lanes(3).unwrap().iter_mut().enumerate() {
            for number in 0..3 {
                segments.write(&[lane as u8; BLOCK_BYTES], number * 8192).unwrap();
            }
        }
        let mut lanes = directory.lanes(2).unwrap();
        lanes[1].recycle(2 * 8192).unwrap();
        let existing: Vec<Vec<u64>> =
            lanes.iter().map(|lane| lane.existing.iter().copied().collect()).collect();
        assert_eq!(existing, [vec![0, 1, 2], vec![2, 3, 4]]);
        directory.remove_lanes(2).unwrap();
        assert_eq!(directory.lanes(3).unwrap()[2].existing.len(), 0);
        for (lane, number) in [(0, 0), (0, 2), (1, 2)] {
            let mut byte = [9];
            let file = directory.lanes(2).unwrap()[lane].reader(number).unwrap().unwrap();
            file.read_at(&mut byte, 0).unwrap();
            assert_eq!(usize::from(byte[0]), lane);
        }
    }
}
