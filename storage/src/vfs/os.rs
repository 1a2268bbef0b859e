//! The machine's file system.
//!
//! Descriptors are `OwnedFd`s and every call is a positioned one, so files are shared between threads without a lock.
//! Files are made 0600 and directories 0700. Interrupted calls are repeated.
//!
//! A file whose writes go through is opened with `O_DIRECT` as well, and without where the file system does not have it.
//!
//! Parts of a file that are read together are read as [`IoMethod`] says. All else is a call for each read and write
//! (docs/decisions/0008-reads-together-and-huge-pages.md).

#[cfg(target_os = "linux")]
use super::uring::Rings;
use super::{
    Counts, OpenOptions, Operation, Part, Piece, Vfs, VfsFile, VfsLock, WriteThrough, io_error,
    read_exact_at, write_zeros,
};
use damask_types::{Error, Result, SqlState};
#[cfg(target_os = "linux")]
use rustix::fs::Advice;
use rustix::fs::{self, AtFlags, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::{self, Errno};
use smallvec::smallvec;
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Past the system's cache, where there is such a thing.
#[cfg(target_os = "linux")]
const DIRECT: OFlags = OFlags::DIRECT;
#[cfg(not(target_os = "linux"))]
const DIRECT: OFlags = OFlags::empty();

/// Memory of the machine, or of the group of processes that it lets this one be in; none if it does not tell.
pub(crate) fn memory_bytes() -> Option<usize> {
    let info = rustix::system::sysinfo();
    let machine = usize::try_from(info.totalram).ok()?.checked_mul(info.mem_unit as usize)?;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max");
    let group = group.ok().and_then(|limit| limit.trim().parse().ok());
    Some(group.map_or(machine, |group: usize| group.min(machine)))
}

/// How parts of a file are read together ([`VfsFile::read_pieces`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoMethod {
    /// The system is told of all of them, where it can be, and then asked for one after the other.
    #[default]
    Sync,
    /// By `io_uring` of Linux; as `Sync` where there is none, or the process may not use it.
    IoUring,
}

/// The machine's file system.
#[derive(Debug, Default)]
pub struct OsVfs {
    /// What files are read by with [`IoMethod::IoUring`].
    #[cfg(target_os = "linux")]
    rings: Option<Arc<Rings>>,
}

impl IoMethod {
    /// Its name in `io_method`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::IoUring => "io_uring",
        }
    }
}

impl OsVfs {
    /// Files that are read by `method`, or as can be.
    pub fn new(method: IoMethod) -> Self {
        #[cfg(target_os = "linux")]
        return Self { rings: if method == IoMethod::IoUring { Rings::new() } else { None } };
        #[cfg(not(target_os = "linux"))]
        Self::default()
    }
}

#[derive(Debug)]
struct OsFile {
    fd: OwnedFd,
    path: PathBuf,
    #[cfg(target_os = "linux")]
    rings: Option<Arc<Rings>>,
}

impl OsFile {
    /// Begins to read parts; how much of each there is already, from its beginning.
    #[cfg(target_os = "linux")]
    fn begin_pieces(&self, pieces: &mut [Piece<'_>], soon: &[Part]) -> Counts {
        let advise = |Part { offset, len }| {
            // If the system does not take it, a later read waits the longer.
            let _ = fs::fadvise(&self.fd, offset, NonZeroU64::new(len as u64), Advice::WillNeed);
        };
        if let Some(rings) = &self.rings {
            soon.iter().copied().for_each(advise);
            return rings.read(self.fd.as_fd(), pieces);
        }
        if pieces.len() > 1 {
            let parts = pieces
                .iter()
                .map(|Piece { buffer, offset }| Part { offset: *offset, len: buffer.len() });
            parts.for_each(advise);
        }
        soon.iter().copied().for_each(advise);
        smallvec![0; pieces.len()]
    }

    #[cfg(not(target_os = "linux"))]
    fn begin_pieces(&self, pieces: &mut [Piece<'_>], _soon: &[Part]) -> Counts {
        smallvec![0; pieces.len()]
    }

    /// Reads what is missing of parts, of each of which there is so much.
    fn end_pieces(&self, pieces: &mut [Piece<'_>], done: &[usize]) -> Result<()> {
        for (Piece { buffer, offset }, &done) in pieces.iter_mut().zip(done) {
            if done < buffer.len() {
                read_exact_at(self, &mut buffer[done..], *offset + done as u64)?;
            }
        }
        Ok(())
    }
}

/// An exclusive `flock` on a lock file; the file goes away with the lock.
struct OsLock {
    /// Closing it releases the lock.
    _fd: OwnedFd,
    path: PathBuf,
}

/// An error of the system, in our words (V4).
#[cold]
fn failed(operation: Operation, path: &Path, errno: Errno) -> Error {
    let sqlstate = match errno {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => SqlState::DISK_FULL,
        Errno::NOENT => SqlState::UNDEFINED_FILE,
        Errno::EXIST => SqlState::DUPLICATE_FILE,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => SqlState::INSUFFICIENT_PRIVILEGE,
        Errno::MFILE | Errno::NFILE => SqlState::INSUFFICIENT_RESOURCES,
        _ => SqlState::IO_ERROR,
    };
    let text = std::io::Error::from(errno).to_string();
    // Rust appends " (os error 5)"; PostgreSQL's messages end with the system's text.
    let reason = text.split(" (os error").next().unwrap_or(&text);
    io_error(operation, path, sqlstate, reason)
}

impl Vfs for OsVfs {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn VfsFile>> {
        let mut flags = OFlags::CLOEXEC;
        flags |= if options.read_only { OFlags::RDONLY } else { OFlags::RDWR };
        if options.create {
            flags |= OFlags::CREATE;
        }
        if options.create_new {
            flags |= OFlags::EXCL;
        }
        let operation = if options.create { Operation::Create } else { Operation::Open };
        let open = |flags| io::retry_on_intr(|| fs::open(path, flags, Mode::RUSR | Mode::WUSR));
        let opened = match options.writes_through {
            None => open(flags),
            Some(through) => {
                flags |= match through {
                    WriteThrough::Data => OFlags::DSYNC,
                    WriteThrough::All => OFlags::SYNC,
                };
                match open(flags | DIRECT) {
                    Err(Errno::INVAL) => open(flags),
                    opened => opened,
                }
            }
        };
        let fd = opened.map_err(|errno| failed(operation, path, errno))?;
        Ok(Arc::new(OsFile {
            fd,
            path: path.to_owned(),
            #[cfg(target_os = "linux")]
            rings: self.rings.clone(),
        }))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match fs::stat(path) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(failed(Operation::Stat, path, errno)),
        }
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::unlink(path).map_err(|errno| failed(Operation::Remove, path, errno))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(|errno| failed(Operation::Rename, from, errno))
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let error = |errno| failed(Operation::List, directory, errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(directory, flags, Mode::empty()).map_err(error)?;
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(fd).map_err(error)? {
            let entry = entry.map_err(error)?;
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn create_dir(&self, directory: &Path) -> Result<()> {
        match fs::mkdir(directory, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(failed(Operation::CreateDirectory, directory, errno)),
        }
    }

    fn remove_dir(&self, directory: &Path) -> Result<()> {
        fs::unlinkat(fs::CWD, directory, AtFlags::REMOVEDIR)
            .map_err(|errno| failed(Operation::RemoveDirectory, directory, errno))
    }

    fn sync_dir(&self, directory: &Path) -> Result<()> {
        let error = |errno| failed(Operation::SyncDirectory, directory, errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(directory, flags, Mode::empty()).map_err(error)?;
        fs::fsync(fd).map_err(error)
    }

    fn free_bytes(&self, directory: &Path) -> Result<Option<u64>> {
        let found =
            fs::statvfs(directory).map_err(|errno| failed(Operation::Stat, directory, errno))?;
        Ok(Some(found.f_bavail.saturating_mul(found.f_frsize)))
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn VfsLock>>> {
        let error = |errno| failed(Operation::Lock, path, errno);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        loop {
            let fd = fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(error)?;
            match fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(error(errno)),
            }
            // Whoever held the lock before may have removed the file between our open and our lock; then our lock is
            // on a file without a name, which protects nothing.
            let ours = fs::fstat(&fd).map_err(error)?;
            match fs::stat(path) {
                Ok(named) if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino) => {
                    return Ok(Some(Box::new(OsLock { _fd: fd, path: path.to_owned() })));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(error(errno)),
            }
        }
    }
}

impl VfsLock for OsLock {}

impl Drop for OsLock {
    fn drop(&mut self) {
        // The name goes first, while the lock is still held; a failure leaves an empty file, which does no harm.
        let _ = fs::unlink(&self.path);
    }
}

impl VfsFile for OsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match io::pread(&self.fd, &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(Operation::Read, &self.path, errno)),
            }
        }
        Ok(done)
    }

    fn read_pieces(&self, pieces: &mut [Piece<'_>], soon: &[Part]) -> Result<()> {
        let done = self.begin_pieces(pieces, soon);
        self.end_pieces(pieces, &done)
    }

    fn io_method(&self) -> IoMethod {
        #[cfg(target_os = "linux")]
        if self.rings.is_some() {
            return IoMethod::IoUring;
        }
        IoMethod::Sync
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match io::pwrite(&self.fd, &bytes[done..], offset + done as u64) {
                Ok(0) => return Err(failed(Operation::Write, &self.path, Errno::NOSPC)),
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(Operation::Write, &self.path, errno)),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        io::retry_on_intr(|| fs::ftruncate(&self.fd, len))
            .map_err(|errno| failed(Operation::Truncate, &self.path, errno))
    }

    fn allocate(&self, from: u64, to: u64) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let allocate = || fs::fallocate(&self.fd, FallocateFlags::empty(), from, to - from);
        match io::retry_on_intr(allocate) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(self, from.max(self.len()?), to),
            Err(errno) => Err(failed(Operation::Write, &self.path, errno)),
        }
    }

    fn len(&self) -> Result<u64> {
        let stat =
            fs::fstat(&self.fd).map_err(|errno| failed(Operation::Stat, &self.path, errno))?;
        Ok(stat.st_size as u64)
    }

    fn sync_data(&self) -> Result<()> {
        // Not repeated when interrupted: V3 leaves no room for a second try.
        fs::fdatasync(&self.fd).map_err(|errno| failed(Operation::Sync, &self.path, errno))
    }

    fn sync_all(&self) -> Result<()> {
        fs::fsync(&self.fd).map_err(|errno| failed(Operation::Sync, &self.path, errno))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_were_read_in_part_are_completed() {
        let path = std::env::temp_dir().join(format!("damask-parts-{}", std::process::id()));
        let opened = OsVfs::default().open(&path, OpenOptions::CREATE_NEW).unwrap();
        opened.write_at(b"The quick brown fox", 0).unwrap();
        let fd = fs::open(&path, OFlags::RDONLY, Mode::empty()).unwrap();
        fs::unlink(&path).unwrap();
        let file = OsFile {
            fd,
            path,
            #[cfg(target_os = "linux")]
            rings: None,
        };
        let (mut whole, mut half, mut none) = (*b"seen!", *b"br---", *b"---");
        let mut pieces = [
            Piece { buffer: &mut whole, offset: 0 },
            Piece { buffer: &mut half, offset: 10 },
            Piece { buffer: &mut none, offset: 16 },
        ];
        file.end_pieces(&mut pieces, &[5, 2, 0]).unwrap();
        let error = file.end_pieces(&mut [Piece { buffer: &mut [0; 9], offset: 12 }], &[3]);
        assert_eq!(error.unwrap_err().sqlstate(), SqlState::DATA_CORRUPTED);
        assert_eq!((&whole, &half, &none), (b"seen!", b"brown", b"fox"));
    }
}
