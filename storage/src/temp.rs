//! Temporary files: what a statement writes because it does not fit in memory, and reads back before it ends.
//!
//! A database has one folder for them, `name.damask.tmp/`; a database in memory has the same over files in memory. A [`TempFile`] is
//! a sequence of blocks: eight bytes of head (`u32` length, `u32` checksum) and the payload. The checksum also covers the file's
//! number and the block's place, so that a block read from elsewhere is found out.
//!
//! Invariants
//! - T1: the file of a [`TempFile`] is gone when the value is dropped, however the statement ended; what a killed process left is
//!   removed when the folder is opened next.
//! - T2: nothing here is ever synced: a crash needs none of it.
//! - T3: a write that fails leaves the file's blocks as they were.
//!
//! Left out: compression; a limit on the space of all files.

use crate::vfs::{OpenOptions, Vfs, VfsFile, read_exact_at, with_suffix};
use damask_types::{Error, Result, SqlState};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes before a block's payload.
const HEAD_BYTES: usize = 8;

/// The temporary files of one database.
pub struct TempFolder {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    /// Whether the folder is there; it is made with the first file.
    exists: AtomicBool,
    next: AtomicU64,
    counters: Counters,
}

/// Of the folder since it was opened.
#[derive(Debug, Default)]
struct Counters {
    open: AtomicU64,
    bytes: AtomicU64,
    files: AtomicU64,
    bytes_written: AtomicU64,
}

/// What temporary files came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TempStats {
    /// Files there are now.
    pub open: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files made since the database was opened.
    pub files: u64,
    /// Bytes written since then.
    pub bytes_written: u64,
}

impl TempFolder {
    /// The folder of the database in file `database`, without what an earlier process left in it.
    ///
    /// # Errors
    /// What removing left-overs raises: someone should know that their space is not coming back.
    pub fn open(vfs: Arc<dyn Vfs>, database: &Path) -> Result<Arc<Self>> {
        let path = with_suffix(database, ".tmp");
        if vfs.exists(&path)? {
            for name in vfs.list(&path)? {
                vfs.remove(&path.join(name))?;
            }
            vfs.remove_dir(&path)?;
        }
        Ok(Arc::new(Self {
            vfs,
            path,
            exists: AtomicBool::new(false),
            next: AtomicU64::new(1),
            counters: Counters::default(),
        }))
    }

    /// A new file without blocks.
    ///
    /// # Errors
    /// 53100, 42501, 58030: what the file system says.
    pub fn create(self: &Arc<Self>) -> Result<TempFile> {
        if !self.exists.load(Ordering::Acquire) {
            self.vfs.create_dir(&self.path)?;
            self.exists.store(true, Ordering::Release);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(number.to_string());
        let file = self.vfs.open(&path, OpenOptions::CREATE_NEW)?;
        self.counters.open.fetch_add(1, Ordering::Relaxed);
        self.counters.files.fetch_add(1, Ordering::Relaxed);
        Ok(TempFile { folder: Arc::clone(self), file, path, number, end: 0, frame: vec![] })
    }

    /// Removes the folder, if no file is in it. It is made again for the next file.
    pub fn close(&self) {
        if self.exists.swap(false, Ordering::AcqRel) {
            // With a file in it, it stays until the next opening (T1).
            drop(self.vfs.remove_dir(&self.path));
        }
    }

    /// What its files came to.
    pub fn stats(&self) -> TempStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TempStats {
            open: load(&self.counters.open),
            bytes: load(&self.counters.bytes),
            files: load(&self.counters.files),
            bytes_written: load(&self.counters.bytes_written),
        }
    }
}

impl fmt::Debug for TempFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TempFolder({}, {:?})", self.path.display(), self.stats())
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        self.close();
    }
}

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TempBlock {
    offset: u64,
    /// Of the payload.
    len: u32,
}

impl TempBlock {
    /// Bytes of the payload.
    pub fn bytes(self) -> usize {
        self.len as usize
    }
}

/// A file of blocks that is removed when it is dropped.
pub struct TempFile {
    folder: Arc<TempFolder>,
    file: Arc<dyn VfsFile>,
    path: PathBuf,
    number: u64,
    end: u64,
    /// Head and payload of the block being written, kept for its memory.
    frame: Vec<u8>,
}

impl TempFile {
    /// Writes a block behind the others.
    ///
    /// # Errors
    /// 53100 if the disk is full, naming the file; 54000 for a payload of 4 GiB.
    pub fn append(&mut self, payload: &[u8]) -> Result<TempBlock> {
        let len = u32::try_from(payload.len()).map_err(|_| {
            Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a block of a temporary file is too large")
        })?;
        self.frame.clear();
        self.frame.extend_from_slice(&len.to_le_bytes());
        self.frame.extend_from_slice(&self.checksum(self.end, payload).to_le_bytes());
        self.frame.extend_from_slice(payload);
        self.file.write_at(&self.frame, self.end)?;
        let block = TempBlock { offset: self.end, len };
        let written = self.frame.len() as u64;
        self.end += written;
        self.folder.counters.bytes.fetch_add(written, Ordering::Relaxed);
        self.folder.counters.bytes_written.fetch_add(written, Ordering::Relaxed);
        Ok(block)
    }

    /// Reads a block's payload into `buffer`, whose content is lost.
    ///
    /// # Errors
    /// XX001 if it is not what was written.
    pub fn read<'a>(&self, block: TempBlock, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        buffer.resize(HEAD_BYTES + block.bytes(), 0);
        read_exact_at(&*self.file, buffer, block.offset)?;
        let (head, payload) = buffer.split_at(HEAD_BYTES);
        let mut expected = block.len.to_le_bytes().to_vec();
        expected.extend_from_slice(&self.checksum(block.offset, payload).to_le_bytes());
        if head != expected {
            return Err(Error::corrupted(format!(
                "temporary file \"{}\" is damaged at offset {}",
                self.path.display(),
                block.offset
            )));
        }
        Ok(payload)
    }

    /// Bytes of its blocks.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    fn checksum(&self, offset: u64, payload: &[u8]) -> u32 {
        let crc = crc32c::crc32c(&self.number.to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &offset.to_le_bytes());
        crc32c::crc32c_append(crc, payload)
    }
}

impl fmt::Debug for TempFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TempFile({}, {} bytes)", self.path.display(), self.end)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // If it cannot be removed it stays until the next opening (T1).
        drop(self.folder.vfs.remove(&self.path));
        self.folder.counters.open.fetch_sub(1, Ordering::Relaxed);
        self.folder.counters.bytes.fetch_sub(self.end, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{Fault, MemoryVfs, SimVfs};

    const DATABASE: &str = "/data/a.damask";

    fn folder(vfs: &Arc<dyn Vfs>) -> Arc<TempFolder> {
        TempFolder::open(Arc::clone(vfs), Path::new(DATABASE)).unwrap()
    }

    #[test]
    fn blocks_come_back_and_files_go() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        let folder = folder(&vfs);
        let mut file = folder.create().unwrap();
        let payloads: Vec<Vec<u8>> = (0..5).map(|i| vec![i as u8; i * 1000]).collect();
        let blocks: Vec<TempBlock> = payloads.iter().map(|p| file.append(p).unwrap()).collect();
        let mut buffer = vec![];
        for (block, payload) in blocks.iter().zip(&payloads).rev() {
            assert_eq!(file.read(*block, &mut buffer).unwrap(), payload);
        }
        assert_eq!(vfs.list(Path::new("/data/a.damask.tmp")).unwrap(), ["1"]);
        assert_eq!(folder.stats().bytes, file.bytes());
        drop(file);
        assert!(vfs.list(Path::new("/data/a.damask.tmp")).unwrap().is_empty());
        assert_eq!((folder.stats().open, folder.stats().bytes), (0, 0));
        drop(folder);
        assert!(!vfs.exists(Path::new("/data/a.damask.tmp")).unwrap());
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::default());
        vfs.create_dir(Path::new("/data/a.damask.tmp")).unwrap();
        vfs.open(Path::new("/data/a.damask.tmp/7"), OpenOptions::CREATE).unwrap();
        let folder = folder(&vfs);
        assert!(!vfs.exists(Path::new("/data/a.damask.tmp/7")).unwrap());
        assert_eq!(folder.stats(), TempStats::default());
    }

    #[test]
    fn a_full_disk_names_the_file_and_a_damaged_block_is_found() {
        let disk = SimVfs::default();
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        vfs.create_dir(Path::new("/data")).unwrap();
        let folder = folder(&vfs);
        let mut file = folder.create().unwrap();
        disk.inject(Fault::Budget(10_000));
        let first = file.append(&[1; 6000]).unwrap();
        let error = file.append(&[2; 6000]).unwrap_err();
        assert_eq!(error.sqlstate(), SqlState::DISK_FULL);
        assert!(error.message().contains("/data/a.damask.tmp/1"), "{error}");
        let mut buffer = vec![];
        assert_eq!(file.read(first, &mut buffer).unwrap(), [1; 6000]);
        file.file.write_at(&[9], 100).unwrap();
        assert_eq!(file.read(first, &mut buffer).unwrap_err().sqlstate(), SqlState::DATA_CORRUPTED);
        drop(file);
        assert_eq!(folder.stats().open, 0);
    }
}
