//! The log's files: segments of one size in one directory, made as needed and used again.
//!
//! Each lane has segments of its own. Byte `o` of a lane is byte `o % segment_bytes` of its segment `o / segment_bytes`, whose file is
//! named by its number in sixteen hexadecimal digits, behind the lane in two but for lane 0. A new segment grows ahead of what is
//! written ([`Segments::make_room`]); a segment that no checkpoint needs is renamed to a number ahead and has its full length already. The
//! writer of a lane ([`LaneFile`]) finds its file, and room in it.
//!
//! How what was written becomes durable is a choice ([`LogSync`]): by a sync after it, or by writes that go through.

use super::group::BLOCK_BYTES;
use crate::vfs::{OpenOptions, Vfs, VfsFile, WriteThrough, parent, write_zeros};
use damask_types::{Error, Result, SqlState};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// The lane has room up to here.
    room_end: u64,
    /// The segment that room was made in last, and its length.
    growing: Option<(Open, u64)>,
}

/// Where the writer of a lane writes.
#[derive(Debug)]
pub(super) struct LaneFile {
    directory: Arc<LogDirectory>,
    lane: u8,
    /// The segment written to last.
    current: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    number: u64,
    file: Arc<dyn VfsFile>,
}

/// What room is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// Zeros: a flush that writes over them changes nothing but content, and its sync is short.
    Zeros,
    /// What the file system has for the purpose: nothing is written twice.
    Allocated,
}

/// Whatever the reason is: what others wrote in the file may be lost, which a full disk does not stand for.
#[cold]
fn sync_failed(error: Error) -> Error {
    Error::new(SqlState::IO_ERROR, error.message())
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
            // One that comes back while those before it do not would be taken for a gap.
            self.remove_lanes(0)?;
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
            let directory = Arc::clone(self);
            Segments { directory, lane, existing, room_end: 0, growing: None }
        };
        Ok((0..count as u8).map(segments).collect())
    }

    /// Opens a segment as it is written.
    fn open(&self, lane: u8, number: u64, options: OpenOptions) -> Result<Open> {
        let options = OpenOptions { writes_through: self.sync.writes_through(), ..options };
        let file = self.vfs.open(&self.path.join(file_name(lane, number)), options)?;
        Ok(Open { number, file })
    }

    /// Removes the segments of the lanes from `first` on, for good; files that are not ours stay.
    pub(super) fn remove_lanes(&self, first: usize) -> Result<()> {
        let mut found = false;
        for name in self.vfs.list(&self.path)? {
            if parse_file_name(&name).is_some_and(|(lane, _)| usize::from(lane) >= first) {
                self.vfs.remove(&self.path.join(name))?;
                found = true;
            }
        }
        if found { self.vfs.sync_dir(&self.path) } else { Ok(()) }
    }

    /// Removes every file and the directory.
    pub(super) fn remove(&self) -> Result<()> {
        self.remove_lanes(0)?;
        self.vfs.remove_dir(&self.path)?;
        self.vfs.sync_dir(parent(&self.path))
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

    /// Says that nothing is known of room behind `place`, where the log goes on.
    pub(super) fn go_on_at(&mut self, place: u64) {
        self.room_end = place;
    }

    /// The lane has room up to here.
    pub(super) fn room_end(&self) -> u64 {
        self.room_end
    }

    /// Makes room up to `end`, in new segments if need be. It is durable then, but for what is allocated in the segment of `written`: that is
    /// when what is written there is synced. After an error there may be some more than there was.
    ///
    /// # Errors
    /// 53100: what was written is not touched. After another error it may be lost, since it is synced with the room.
    pub(super) fn make_room(&mut self, written: u64, end: u64, growth: Growth) -> Result<()> {
        let segment_bytes = self.segment_bytes();
        while self.room_end < end {
            let (number, from) = (self.room_end / segment_bytes, self.room_end % segment_bytes);
            let to = (end - number * segment_bytes).min(segment_bytes);
            let (file, len) = self.growing(number)?;
            let to = if from < *len {
                // A segment that is used again, or what a crash left, which may have holes.
                let to = to.min(*len);
                file.allocate(from, to)?;
                to
            } else {
                match growth {
                    Growth::Zeros => write_zeros(&**file, from, to)?,
                    Growth::Allocated => file.allocate(from, to)?,
                }
                *len = to;
                to
            };
            if growth == Growth::Zeros || number > written / segment_bytes {
                file.sync_data().map_err(sync_failed)?;
            }
            self.room_end = number * segment_bytes + to;
        }
        Ok(())
    }

    /// The file of a segment to make room in, which may be new, and its length.
    fn growing(&mut self, number: u64) -> Result<(&Arc<dyn VfsFile>, &mut u64)> {
        if self.growing.as_ref().is_none_or(|(open, _)| open.number != number) {
            let open = self.directory.open(self.lane, number, OpenOptions::CREATE)?;
            if !self.existing.contains(&number) {
                self.directory.vfs.sync_dir(&self.directory.path)?;
                self.existing.insert(number);
            }
            let len = open.file.len()?;
            self.growing = Some((open, len));
        }
        let (open, len) = self.growing.as_mut().expect("it was just opened");
        Ok((&open.file, len))
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
        self.growing = None;
        self.existing.clear();
    }
}

impl LaneFile {
    pub(super) fn new(directory: &Arc<LogDirectory>, lane: u8) -> Self {
        Self { directory: Arc::clone(directory), lane, current: None }
    }

    /// Writes whole blocks at `place`, within one segment, where room was made; [`LaneFile::sync`] makes them durable.
    pub(super) fn write(&mut self, bytes: &[u8], place: u64) -> Result<()> {
        debug_assert!(place.is_multiple_of(BLOCK_BYTES as u64) && !bytes.is_empty());
        let segment_bytes = self.directory.segment_bytes;
        let (number, offset) = (place / segment_bytes, place % segment_bytes);
        debug_assert!(offset + bytes.len() as u64 <= segment_bytes, "a write stays in its segment");
        self.switch_to(number)?.write_at(bytes, offset)
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

    /// The file of a segment; the one before is durable then.
    fn switch_to(&mut self, number: u64) -> Result<&dyn VfsFile> {
        if self.current.as_ref().is_none_or(|open| open.number != number) {
            self.sync()?;
            self.current = Some(self.directory.open(self.lane, number, OpenOptions::EXISTING)?);
        }
        Ok(&*self.current.as_ref().expect("it was just opened").file)
    }

    /// Lets go of the file, which is about to be removed.
    pub(super) fn forget(&mut self) {
        self.current = None;
    }
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
        segments.make_room(0, 10 * BLOCK_BYTES as u64, Growth::Zeros).unwrap();
        segments.recycle(4 * 8192 + 100).unwrap();
        let names = vfs.list(&directory.path).unwrap();
        assert_eq!(names, [4, 5, 6].map(|number| file_name(0, number)));
        segments.recycle(4 * 8192 + 200).unwrap();
        assert_eq!(vfs.list(&directory.path).unwrap(), names);
        directory.remove().unwrap();
        assert!(!vfs.exists(&directory.path).unwrap());
    }

    /// Room is where the file ends, whatever was there before.
    #[test]
    fn room_is_made_in_new_segments_and_in_old_ones() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        let directory = directory(&vfs);
        directory.create().unwrap();
        let mut segments = directory.lanes(1).unwrap().remove(0);
        let mut file = LaneFile::new(&directory, 0);
        assert!(file.write(&[1; BLOCK_BYTES], 0).is_err(), "there is no file");
        segments.make_room(0, 8192 + 100, Growth::Allocated).unwrap();
        let len = |segments: &Segments, number| {
            segments.reader(number).unwrap().map(|file| file.len().unwrap())
        };
        assert_eq!([0, 1, 2].map(|number| len(&segments, number)), [Some(8192), Some(100), None]);
        for block in 0..2 {
            file.write(&[1; BLOCK_BYTES], block * BLOCK_BYTES as u64).unwrap();
        }
        segments.recycle(8192).unwrap();
        segments.make_room(0, 2 * 8192 + 4096, Growth::Zeros).unwrap();
        assert_eq!([0, 1, 2].map(|number| len(&segments, number)), [None, Some(8192), Some(8192)]);
        assert_eq!(segments.room_end(), 2 * 8192 + 4096);
        let mut bytes = [9; 8192];
        segments.reader(2).unwrap().unwrap().read_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [1; 8192], "what was there is only written over by groups");
    }

    #[test]
    fn each_lane_has_its_own_files() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        let directory = directory(&vfs);
        directory.create().unwrap();
        for (lane, segments) in directory.lanes(3).unwrap().iter_mut().enumerate() {
            segments.make_room(0, 2 * 8192 + 4096, Growth::Zeros).unwrap();
            let mut file = LaneFile::new(&directory, lane as u8);
            for number in 0..3 {
                file.write(&[lane as u8; BLOCK_BYTES], number * 8192).unwrap();
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
