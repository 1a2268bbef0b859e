//! The log's files: segments of one size in one directory, made as needed and used again.
//!
//! Byte `o` of the log is byte `o % segment_bytes` of segment `o / segment_bytes`, whose file is named by its number in
//! sixteen hexadecimal digits. A new segment grows in steps of zeros ahead of what is written, so that later flushes
//! change no metadata; a segment that no checkpoint needs is renamed to a number ahead and has its full length already.
//!
//! How what was written becomes durable is a choice ([`LogSync`]): by a sync after it, or by writes that go through.

use super::group::BLOCK_BYTES;
use crate::vfs::{DIRECT_ALIGNMENT, OpenOptions, Vfs, VfsFile, WriteThrough, parent};
use damask_types::{Result, SqlState};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How far zeros run ahead of a new segment's content, at least.
const GROW_BYTES_MIN: u64 = 256 << 10;
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

/// The files of a log directory.
#[derive(Debug)]
pub(super) struct Segments {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    segment_bytes: u64,
    sync: LogSync,
    /// Numbers whose files exist.
    existing: BTreeSet<u64>,
    /// The segment written to last.
    current: Option<Open>,
}

#[derive(Debug)]
struct Open {
    number: u64,
    file: Arc<dyn VfsFile>,
    len: u64,
}

/// The file name of a segment.
fn file_name(number: u64) -> String {
    format!("{number:016x}.log")
}

/// The segment a file name stands for.
fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

impl Segments {
    /// The files of an existing directory.
    pub(super) fn open(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        segment_bytes: u64,
        sync: LogSync,
    ) -> Result<Self> {
        let names = vfs.list(directory)?;
        let existing = names.iter().filter_map(|name| parse_file_name(name)).collect();
        let directory = directory.to_owned();
        Ok(Self { vfs, directory, segment_bytes, sync, existing, current: None })
    }

    /// Makes an empty, durable directory, removing what an unfinished close left in it.
    pub(super) fn create(
        vfs: Arc<dyn Vfs>,
        directory: &Path,
        segment_bytes: u64,
        sync: LogSync,
    ) -> Result<Self> {
        if vfs.exists(directory)? {
            remove_all(&*vfs, directory)?;
        }
        vfs.create_dir(directory)?;
        vfs.sync_dir(parent(directory))?;
        let directory = directory.to_owned();
        let existing = BTreeSet::new();
        Ok(Self { vfs, directory, segment_bytes, sync, existing, current: None })
    }

    /// Whether there are segments behind the one of this number.
    pub(super) fn has_later(&self, number: u64) -> bool {
        self.existing.range(number + 1..).next().is_some()
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(file_name(number))
    }

    /// The file of a segment for reading, if it exists.
    pub(super) fn reader(&self, number: u64) -> Result<Option<Arc<dyn VfsFile>>> {
        if !self.existing.contains(&number) {
            return Ok(None);
        }
        self.vfs.open(&self.path(number), OpenOptions::EXISTING).map(Some)
    }

    /// Writes whole blocks at `place`, within one segment; [`Segments::sync`] makes them durable.
    pub(super) fn write(&mut self, bytes: &[u8], place: u64) -> Result<()> {
        debug_assert!(place.is_multiple_of(BLOCK_BYTES as u64) && !bytes.is_empty());
        let (number, offset) = (place / self.segment_bytes, place % self.segment_bytes);
        let end = offset + bytes.len() as u64;
        debug_assert!(end <= self.segment_bytes, "a write stays in its segment");
        self.switch_to(number)?;
        let segment_bytes = self.segment_bytes;
        let open = self.current.as_mut().expect("the segment was just opened");
        if open.len < end {
            let target = end.max(open.len * 2).max(GROW_BYTES_MIN).min(segment_bytes);
            match grow(&*open.file, open.len, target) {
                Ok(()) => open.len = target,
                // Room ahead is a comfort; only the room for these bytes is needed, and writing them will tell.
                Err(error) if error.sqlstate() == SqlState::DISK_FULL => open.len = end,
                Err(error) => return Err(error),
            }
        }
        open.file.write_at(bytes, offset)
    }

    /// Makes what was written to the current segment durable.
    pub(super) fn sync(&self) -> Result<()> {
        match (&self.current, self.sync) {
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
        let writes_through = self.sync.writes_through();
        let options = OpenOptions { writes_through, ..OpenOptions::CREATE };
        let file = self.vfs.open(&self.path(number), options)?;
        if self.existing.insert(number) {
            self.vfs.sync_dir(&self.directory)?;
        }
        let len = file.len()?;
        self.current = Some(Open { number, file, len });
        Ok(())
    }

    /// Lets go of segments wholly before `place`: some become segments to come, the others go away.
    pub(super) fn recycle(&mut self, place: u64) -> Result<()> {
        let needed = place / self.segment_bytes;
        let old: Vec<u64> = self.existing.range(..needed).copied().collect();
        for number in old {
            // Numbers stay without gaps, so that a missing segment can be told from one that was never made.
            let next = self.existing.range(needed..).next_back().map_or(needed, |last| last + 1);
            if self.existing.range(needed + 1..).count() < SPARE_SEGMENTS_MAX {
                self.vfs.rename(&self.path(number), &self.path(next))?;
                // The new name must be durable before anything in it is acknowledged, and before the next one is.
                self.vfs.sync_dir(&self.directory)?;
                self.existing.insert(next);
            } else {
                self.vfs.remove(&self.path(number))?;
            }
            self.existing.remove(&number);
        }
        Ok(())
    }

    /// Removes every file and the directory.
    pub(super) fn remove(&mut self) -> Result<()> {
        self.current = None;
        self.existing.clear();
        remove_all(&*self.vfs, &self.directory)?;
        self.vfs.remove_dir(&self.directory)?;
        self.vfs.sync_dir(parent(&self.directory))
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

/// Removes the segments of a directory; files that are not ours stay.
fn remove_all(vfs: &dyn Vfs, directory: &Path) -> Result<()> {
    for name in vfs.list(directory)? {
        if parse_file_name(&name).is_some() {
            vfs.remove(&directory.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::MemoryVfs;

    #[test]
    fn names_are_numbers() {
        assert_eq!(file_name(0xab), "00000000000000ab.log");
        assert_eq!(parse_file_name("00000000000000ab.log"), Some(0xab));
        for name in ["ab.log", "00000000000000ab", "00000000000000zz.log", ".log"] {
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

    #[test]
    fn old_segments_come_back_under_new_numbers() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        let directory = Path::new("d.wal");
        let mut segments =
            Segments::create(Arc::clone(&vfs), directory, 8192, LogSync::Fdatasync).unwrap();
        for block in 0..10 {
            segments.write(&[1; BLOCK_BYTES], block * BLOCK_BYTES as u64).unwrap();
        }
        segments.recycle(4 * 8192 + 100).unwrap();
        let names = vfs.list(directory).unwrap();
        assert_eq!(names, [4, 5, 6].map(file_name));
        segments.recycle(4 * 8192 + 200).unwrap();
        assert_eq!(vfs.list(directory).unwrap(), names);
        segments.remove().unwrap();
        assert!(!vfs.exists(directory).unwrap());
    }
}
