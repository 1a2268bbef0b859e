//! Files as a trait, so that a test can cut the power between any two calls.
//!
//! [`OsVfs`] is the machine's file system, [`MemoryVfs`] keeps files in memory and loses nothing, [`SimVfs`] is a disk
//! that loses, tears, reorders and rots what it was given.
//!
//! Contracts every implementation keeps
//! - V1: `read_at` fills the buffer unless the file ends first; `write_at` writes all or fails. Short system calls are
//!   repeated inside.
//! - V2: bytes survive a crash only after [`VfsFile::sync_data`] or [`VfsFile::sync_all`] returned; a name (created,
//!   renamed, removed) only after [`Vfs::sync_dir`] of its directory returned.
//! - V3: after a failed sync nothing is known about the bytes written since the last good one. Callers stop trusting the
//!   file; a second sync that succeeds proves nothing.
//! - V4: errors carry a SQLSTATE (53100 disk full, 58P01 no such file, 42501 no permission, 58030 else), the operation
//!   and the file's name.

mod aligned;
mod memory;
mod os;
mod sim;
#[cfg(target_os = "linux")]
mod uring;

pub(crate) use aligned::Aligned;
pub use memory::MemoryVfs;
pub(crate) use os::memory_bytes;
pub use os::{IoMethod, OsVfs};
pub use sim::{
    CrashImage, CrashImages, Event, Fault, FaultCounts, FileId, ImageKind, RoomClock, SimVfs,
};

use damask_types::{Error, Result, SqlState};
use smallvec::SmallVec;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// Makes the file if there is none, readable and writable by its owner alone.
    pub create: bool,
    /// Fails if there is one already; only with `create`.
    pub create_new: bool,
    /// Opens for reading only.
    pub read_only: bool,
    /// A write has returned only when it is durable (V2), as if a sync followed it.
    pub writes_through: Option<WriteThrough>,
}

/// What a write makes durable by itself. Where the file system lets it, such writes go past the system's cache: buffers should begin at
/// multiples of [`DIRECT_ALIGNMENT`] in memory, and writes begin and end at multiples of it in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteThrough {
    /// As [`VfsFile::sync_data`].
    Data,
    /// As [`VfsFile::sync_all`].
    All,
}

/// See [`WriteThrough`].
pub const DIRECT_ALIGNMENT: usize = 4096;

impl OpenOptions {
    /// An existing file, for reading and writing.
    pub const EXISTING: Self =
        Self { create: false, create_new: false, read_only: false, writes_through: None };
    /// A file that is made if it is missing.
    pub const CREATE: Self = Self { create: true, ..Self::EXISTING };
    /// A file that must not exist yet.
    pub const CREATE_NEW: Self = Self { create: true, create_new: true, ..Self::EXISTING };
    /// An existing file, for reading.
    pub const READ_ONLY: Self = Self { read_only: true, ..Self::EXISTING };
}

/// A file system.
pub trait Vfs: Send + Sync + fmt::Debug {
    /// Opens a file.
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn VfsFile>>;

    /// Whether a file or directory has this name.
    fn exists(&self, path: &Path) -> Result<bool>;

    /// Takes a file's name away; open files of that name stay readable.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Gives a file another name, replacing a file that had it.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Names in a directory, sorted.
    fn list(&self, directory: &Path) -> Result<Vec<String>>;

    /// Makes a directory that only its owner may enter; none of its parents. Not an error if it exists.
    fn create_dir(&self, directory: &Path) -> Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, directory: &Path) -> Result<()>;

    /// Makes the names in a directory durable (V2).
    fn sync_dir(&self, directory: &Path) -> Result<()>;

    /// Bytes by which the files of the file system that a directory is in may still grow; `None` if that is not known.
    fn free_bytes(&self, directory: &Path) -> Result<Option<u64>> {
        let _ = directory;
        Ok(None)
    }

    /// Takes the exclusive lock that the file `path` stands for, or `None` if someone else holds it. The file is made
    /// if needed, and removed when the lock is dropped.
    fn lock(&self, path: &Path) -> Result<Option<Box<dyn VfsLock>>>;
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub len: usize,
}

/// Bytes of each of some parts.
type Counts = SmallVec<[usize; 32]>;

/// A part of a file to read, and where to.
#[derive(Debug)]
pub struct Piece<'b> {
    /// Is filled.
    pub buffer: &'b mut [u8],
    /// Where the part begins.
    pub offset: u64,
}

/// An open file. Positions are explicit, so any number of threads may use it.
pub trait VfsFile: Send + Sync + fmt::Debug {
    /// Reads at `offset` until `buffer` is full or the file ends; the number of bytes read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;

    /// Reads all of several parts, in any order, and together if the disk can do so. `soon` is likely to be read next: who can have it
    /// ready by then.
    ///
    /// # Errors
    /// As [`read_exact_at`], for one of `pieces`; nothing is known of what their buffers hold then.
    fn read_pieces(&self, pieces: &mut [Piece<'_>], soon: &[Part]) -> Result<()> {
        let _ = soon;
        pieces.iter_mut().try_for_each(|piece| read_exact_at(self, piece.buffer, piece.offset))
    }

    /// What reads parts together.
    fn io_method(&self) -> IoMethod {
        IoMethod::Sync
    }

    /// Writes all of `bytes` at `offset`, growing the file as needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// Cuts or grows the file (with zeros).
    fn set_len(&self, len: u64) -> Result<()>;

    /// Sees to it that writes of the bytes from `from` to `to` find room on the disk; the file has them then, and what it did not have is
    /// zeros. Where a file system does not lend itself to that, what the file has already is left as it is.
    fn allocate(&self, from: u64, to: u64) -> Result<()> {
        let _ = from;
        if self.len()? < to { self.set_len(to) } else { Ok(()) }
    }

    /// The file's length in bytes.
    fn len(&self) -> Result<u64>;

    /// Whether the file holds nothing.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Makes content and length durable.
    fn sync_data(&self) -> Result<()>;

    /// Makes content, length and metadata durable.
    fn sync_all(&self) -> Result<()>;

    /// The name the file was opened under, for messages.
    fn path(&self) -> &Path;
}

/// Bytes of one write of zeros.
const ZERO_BYTES: u64 = 256 << 10;

/// Writes zeros from `from` to `to`.
///
/// # Errors
/// Those of [`VfsFile::write_at`]. What was written until then is there.
pub(crate) fn write_zeros<F: VfsFile + ?Sized>(file: &F, mut from: u64, to: u64) -> Result<()> {
    let len = ZERO_BYTES.min(to.saturating_sub(from)) as usize;
    let zeros = Aligned::zeros(len);
    while from < to {
        let step = (to - from).min(len as u64) as usize;
        file.write_at(&zeros.bytes()[..step], from)?;
        from += step as u64;
    }
    Ok(())
}

/// A lock that is held until it is dropped.
pub trait VfsLock: Send + Sync {}

/// Reads exactly `buffer.len()` bytes.
///
/// # Errors
/// XX001 if the file ends too early: our files never refer to bytes they do not have.
pub fn read_exact_at<F: VfsFile + ?Sized>(file: &F, buffer: &mut [u8], offset: u64) -> Result<()> {
    let read = file.read_at(buffer, offset)?;
    if read == buffer.len() {
        return Ok(());
    }
    Err(Error::corrupted(format!(
        "could not read file \"{}\" at offset {offset}: read only {read} of {} bytes",
        file.path().display(),
        buffer.len()
    )))
}

/// The directory a file's name is in.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `path` with `suffix` after its whole name: `a/b.damask` and `.wal` give `a/b.damask.wal`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What a file operation tried to do, as messages say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    Open,
    Create,
    Read,
    Write,
    Truncate,
    Stat,
    Sync,
    Remove,
    Rename,
    List,
    CreateDirectory,
    RemoveDirectory,
    SyncDirectory,
    Lock,
}

impl Operation {
    /// The message's opening, up to the name.
    const fn verb(self) -> &'static str {
        match self {
            Self::Open => "could not open file",
            Self::Create => "could not create file",
            Self::Read => "could not read file",
            Self::Write => "could not write file",
            Self::Truncate => "could not truncate file",
            Self::Stat => "could not stat file",
            Self::Sync => "could not fsync file",
            Self::Remove => "could not remove file",
            Self::Rename => "could not rename file",
            Self::List => "could not read directory",
            Self::CreateDirectory => "could not create directory",
            Self::RemoveDirectory => "could not remove directory",
            Self::SyncDirectory => "could not fsync directory",
            Self::Lock => "could not lock file",
        }
    }
}

/// The error of a failed file operation (V4); `reason` is the system's text.
#[cold]
pub fn io_error(
    operation: Operation,
    path: &Path,
    sqlstate: SqlState,
    reason: impl fmt::Display,
) -> Error {
    let error =
        Error::new(sqlstate, format!("{} \"{}\": {reason}", operation.verb(), path.display()));
    if sqlstate == SqlState::DISK_FULL {
        return error.hint("Check free disk space.");
    }
    error
}
