//! Files in memory that lose nothing: for `:memory:` databases and for tests that are not about crashes.
//!
//! A file is a list of 64 KiB pieces, so that growing it copies nothing.
//!
//! Left out: faults (see [`super::SimVfs`]); directories are names only and are not checked for existence.

use super::{OpenOptions, Operation, Vfs, VfsFile, VfsLock, io_error};
use damask_types::{Result, SqlState};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a piece of a file.
const PIECE_BYTES: usize = 64 << 10;

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryVfs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Arc<RwLock<Content>>>,
    directories: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Content {
    pieces: Vec<Box<[u8]>>,
    len: u64,
}

#[derive(Debug)]
struct MemoryFile {
    content: Arc<RwLock<Content>>,
    path: PathBuf,
}

struct MemoryLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
}

impl Content {
    fn set_len(&mut self, len: u64) {
        if len < self.len {
            // What is cut off must read as zeros if the file grows again.
            let within = (len % PIECE_BYTES as u64) as usize;
            if let Some(piece) = self.pieces.get_mut((len / PIECE_BYTES as u64) as usize) {
                piece[within..].fill(0);
            }
        }
        let piece_count = len.div_ceil(PIECE_BYTES as u64) as usize;
        self.pieces.resize_with(piece_count, || vec![0; PIECE_BYTES].into_boxed_slice());
        self.len = len;
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let count = self.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (mut done, mut at) = (0, offset);
        while done < count {
            let piece = &self.pieces[(at / PIECE_BYTES as u64) as usize];
            let within = (at % PIECE_BYTES as u64) as usize;
            let step = (PIECE_BYTES - within).min(count - done);
            buffer[done..done + step].copy_from_slice(&piece[within..within + step]);
            done += step;
            at += step as u64;
        }
        count
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        if offset + bytes.len() as u64 > self.len {
            self.set_len(offset + bytes.len() as u64);
        }
        let (mut done, mut at) = (0, offset);
        while done < bytes.len() {
            let piece = &mut self.pieces[(at / PIECE_BYTES as u64) as usize];
            let within = (at % PIECE_BYTES as u64) as usize;
            let step = (PIECE_BYTES - within).min(bytes.len() - done);
            piece[within..within + step].copy_from_slice(&bytes[done..done + step]);
            done += step;
            at += step as u64;
        }
    }
}

/// The error for a name that no file has.
fn missing(operation: Operation, path: &Path) -> damask_types::Error {
    io_error(operation, path, SqlState::UNDEFINED_FILE, "No such file or directory")
}

impl Vfs for MemoryVfs {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn VfsFile>> {
        let mut state = self.state.lock();
        let content = match state.files.get(path) {
            Some(_) if options.create_new => {
                let taken = SqlState::DUPLICATE_FILE;
                return Err(io_error(Operation::Create, path, taken, "File exists"));
            }
            Some(content) => Arc::clone(content),
            None if options.create => {
                let content = Arc::new(RwLock::new(Content::default()));
                state.files.insert(path.to_owned(), Arc::clone(&content));
                content
            }
            None => return Err(missing(Operation::Open, path)),
        };
        Ok(Arc::new(MemoryFile { content, path: path.to_owned() }))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let state = self.state.lock();
        Ok(state.files.contains_key(path) || state.directories.contains(path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let removed = self.state.lock().files.remove(path);
        removed.map(drop).ok_or_else(|| missing(Operation::Remove, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.state.lock();
        let content = state.files.remove(from).ok_or_else(|| missing(Operation::Rename, from))?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let state = self.state.lock();
        let names = state.files.keys().filter(|path| super::parent(path) == directory);
        Ok(names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_dir(&self, directory: &Path) -> Result<()> {
        self.state.lock().directories.insert(directory.to_owned());
        Ok(())
    }

    fn remove_dir(&self, directory: &Path) -> Result<()> {
        let removed = self.state.lock().directories.remove(directory);
        if removed { Ok(()) } else { Err(missing(Operation::RemoveDirectory, directory)) }
    }

    fn sync_dir(&self, _directory: &Path) -> Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn VfsLock>>> {
        if !self.state.lock().locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(MemoryLock { state: Arc::clone(&self.state), path: path.to_owned() })))
    }
}

impl VfsLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.state.lock().locks.remove(&self.path);
    }
}

impl VfsFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        Ok(self.content.read().read(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.content.write().write(bytes, offset);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.content.write().set_len(len);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.content.read().len)
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
