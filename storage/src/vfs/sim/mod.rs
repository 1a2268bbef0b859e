//! A simulated disk: it loses, reorders and tears what was not synced, and fails, fills up and rots on demand.
//!
//! Every call is recorded as an [`Event`], so a test can run a workload once and then crash it at every event:
//! [`SimVfs::crashes`] makes the disks that each crash could leave, each again a `SimVfs` to open the database from. All
//! chance comes from seeds, so a failure repeats.
//!
//! Faults are put in by [`SimVfs::inject`]; [`SimVfs::counts`] tells how often each one struck, because a test whose
//! faults never strike shows nothing.
//!
//! Left out: virtual latency; sectors of other sizes.

mod clock;
mod disk;

pub use clock::RoomClock;
pub use disk::{Event, FileId, ImageKind};

use super::{OpenOptions, Operation, Vfs, VfsFile, VfsLock, io_error};
use crate::env::SeededRandom;
use damask_types::{Error, Result, SqlState};
use disk::{Disk, Node};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A fault to inject. Counted calls are counted from the injection on, 1 being the next.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The `nth` call of any kind fails with 58030; a failing sync loses what it should have made durable.
    FailCall(u64),
    /// The `nth` call of any kind panics before it does anything.
    PanicCall(u64),
    /// The `nth` read fails.
    FailRead(u64),
    /// The `nth` write or change of length fails; nothing of it arrives.
    FailWrite(u64),
    /// The `nth` sync fails, loses what it should have made durable, and the next one succeeds.
    FailSync(u64),
    /// From the `nth` write or change of length on, none succeeds (53100) until the faults are taken out.
    FullDisk(u64),
    /// Of the `nth` write only the first half arrives, and it fails with 53100.
    ShortWrite(u64),
    /// Files may grow to this many bytes in all; a write beyond fails with 53100.
    Budget(u64),
    /// Syncs of files whose name contains this text succeed without doing anything.
    LyingSync(&'static str),
    /// Of the syncs of the file with this name, every second one succeeds without doing anything: the next, or the one
    /// after it.
    #[expect(missing_docs, reason = "the names say it")]
    LyingEverySecondSync { file: &'static str, lies_next: bool },
    /// The `nth` write is reported done but never happens: later reads see the old bytes.
    DropWrite(u64),
    /// The `nth` write lands this many bytes further on.
    MisdirectWrite(u64, u64),
}

/// How often faults struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FaultCounts {
    pub failed_reads: u64,
    pub failed_writes: u64,
    pub failed_syncs: u64,
    pub failed_others: u64,
    pub short_writes: u64,
    pub disk_full: u64,
    pub lying_syncs: u64,
    pub dropped_writes: u64,
    pub misdirected_writes: u64,
    pub flipped_bits: u64,
    pub panics: u64,
}

/// A simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimVfs {
    state: Arc<Mutex<State>>,
}

struct State {
    disk: Disk,
    /// The disk before the first event.
    base: Disk,
    events: Vec<Event>,
    faults: Vec<Fault>,
    counts: FaultCounts,
    call_count: u64,
    locks: BTreeSet<PathBuf>,
    /// Files that are open.
    open_files: usize,
}

struct SimFile {
    state: Arc<Mutex<State>>,
    file: FileId,
    path: PathBuf,
    /// A sync follows every write.
    writes_through: bool,
}

struct SimLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
}

/// A disk that a crash left.
pub struct CrashImage {
    /// Which one.
    pub kind: ImageKind,
    /// The disk.
    pub vfs: SimVfs,
}

/// The crashes that one recorded run could have had.
pub struct CrashImages {
    disk: Disk,
    events: Vec<Event>,
    applied: usize,
    /// Writes and names that crashes so far put at stake.
    at_stake: (usize, usize),
}

impl Default for SimVfs {
    fn default() -> Self {
        Self::from_disk(Disk::default())
    }
}

impl SimVfs {
    fn from_disk(disk: Disk) -> Self {
        let state = State {
            base: disk.clone(),
            disk,
            events: Vec::new(),
            faults: Vec::new(),
            counts: FaultCounts::default(),
            call_count: 0,
            locks: BTreeSet::new(),
            open_files: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Notes something of the test's among the events.
    pub fn mark(&self, number: u64) {
        self.state.lock().events.push(Event::Mark(number));
    }

    /// How many events there were.
    pub fn event_count(&self) -> usize {
        self.state.lock().events.len()
    }

    /// How many calls there were that a fault could have struck.
    pub fn call_count(&self) -> u64 {
        self.state.lock().call_count
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        self.state.lock().events.clone()
    }

    /// Puts in a fault.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().faults.push(fault);
    }

    /// Takes all faults out.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// Takes out the faults of a full disk.
    pub fn make_room(&self) {
        let is_full = |fault: &Fault| matches!(fault, Fault::FullDisk(_) | Fault::Budget(_));
        self.state.lock().faults.retain(|fault| !is_full(fault));
    }

    /// Files that are open now.
    pub fn open_file_count(&self) -> usize {
        self.state.lock().open_files
    }

    /// Bytes of all files.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().disk.used_bytes()
    }

    /// How often faults struck.
    pub fn counts(&self) -> FaultCounts {
        self.state.lock().counts
    }

    /// Flips bits of a byte at rest.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) {
        let mut state = self.state.lock();
        if let Some(Node::File(file)) = state.disk.names.get(path).copied() {
            state.disk.flip(file, offset as usize, mask);
            state.counts.flipped_bits += u64::from(mask.count_ones());
        }
    }

    /// The disk if the process died now but the machine went on: everything given to it is there.
    pub fn killed(&self) -> Self {
        let state = self.state.lock();
        Self::from_disk(state.disk.image(ImageKind::All, &SeededRandom::new(0)))
    }

    /// The disk after a crash now.
    pub fn crashed(&self, kind: ImageKind, random: &SeededRandom) -> Self {
        Self::from_disk(self.state.lock().disk.image(kind, random))
    }

    /// A number that tells disks of different content apart, as they are after a crash.
    pub fn fingerprint(&self) -> u64 {
        self.state.lock().disk.fingerprint()
    }

    /// The crashes this run could have had, from its beginning to now.
    pub fn crashes(&self) -> CrashImages {
        let state = self.state.lock();
        CrashImages {
            disk: state.base.clone(),
            events: state.events.clone(),
            applied: 0,
            at_stake: (0, 0),
        }
    }
}

impl CrashImages {
    /// Events of the run.
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// One disk of each kind after a crash behind the first `event_index` events, and the marks noted before it.
    /// Indexes may not go back.
    pub fn at(&mut self, event_index: usize, random: &SeededRandom) -> Vec<CrashImage> {
        self.advance(event_index);
        ImageKind::ALL.map(|kind| self.image(kind, random)).into()
    }

    /// Moves the crash behind the first `event_index` events. Indexes may not go back.
    pub fn advance(&mut self, event_index: usize) {
        assert!(event_index >= self.applied, "crashes are visited in order");
        for event in &self.events[self.applied..event_index] {
            self.disk.apply(event);
        }
        self.applied = event_index;
        let (writes, names) = self.disk.pending_counts();
        self.at_stake.0 += writes;
        self.at_stake.1 += names;
    }

    /// A disk that a crash at this moment could leave.
    pub fn image(&self, kind: ImageKind, random: &SeededRandom) -> CrashImage {
        CrashImage { kind, vfs: SimVfs::from_disk(self.disk.image(kind, random)) }
    }

    /// The event that the crash comes behind, with the name that its file has now.
    pub fn site(&self) -> Option<(&Event, Option<&Path>)> {
        let event = &self.events[..self.applied].last()?;
        let name = match event {
            Event::Write { file, .. }
            | Event::SetLen { file, .. }
            | Event::Sync { file }
            | Event::SyncLost { file } => self.disk.name_of(*file),
            Event::Create { path, .. }
            | Event::CreateDir { path }
            | Event::Remove { path }
            | Event::Rename { to: path, .. }
            | Event::SyncDir { directory: path } => Some(path.as_path()),
            Event::Mark(_) => None,
        };
        Some((event, name))
    }

    /// Marks noted before the crash visited last.
    pub fn marks(&self) -> impl Iterator<Item = u64> + '_ {
        self.events[..self.applied].iter().filter_map(|event| match event {
            Event::Mark(number) => Some(*number),
            _ => None,
        })
    }

    /// How many unsynced writes and names the crashes visited put at stake, so that a test can see it tested something.
    pub fn at_stake(&self) -> (usize, usize) {
        self.at_stake
    }
}

/// The kinds of calls that faults tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Sync,
    Other,
}

/// What to do with a call.
enum Verdict {
    Proceed,
    /// Report success and do nothing.
    Pretend,
    /// Do it this many bytes further on.
    Shift(u64),
    /// Do half of it and fail.
    Half,
}

/// The error of a full disk.
fn full(path: &Path) -> Error {
    io_error(Operation::Write, path, SqlState::DISK_FULL, "No space left on device")
}

impl State {
    /// Counts a call down on every fault; what strikes decides.
    fn strike(&mut self, call: Call, operation: Operation, path: &Path) -> Result<Verdict> {
        self.call_count += 1;
        let mut verdict = Verdict::Proceed;
        let (mut fails, mut panics, mut is_full) = (false, false, false);
        let counts = &mut self.counts;
        self.faults.retain_mut(|fault| {
            let (counted, left) = match fault {
                Fault::FailCall(left) | Fault::PanicCall(left) => (true, left),
                Fault::FailRead(left) => (call == Call::Read, left),
                Fault::FailWrite(left)
                | Fault::FullDisk(left)
                | Fault::ShortWrite(left)
                | Fault::DropWrite(left)
                | Fault::MisdirectWrite(left, _) => (call == Call::Write, left),
                Fault::FailSync(left) => (call == Call::Sync, left),
                Fault::Budget(_) | Fault::LyingSync(_) | Fault::LyingEverySecondSync { .. } => {
                    return true;
                }
            };
            if !counted {
                return true;
            }
            *left = left.saturating_sub(1);
            if *left > 0 {
                return true;
            }
            match fault {
                Fault::FullDisk(left) => {
                    *left = 1;
                    counts.disk_full += 1;
                    is_full = true;
                    return true;
                }
                Fault::ShortWrite(_) => {
                    counts.short_writes += 1;
                    verdict = Verdict::Half;
                }
                Fault::PanicCall(_) => panics = true,
                Fault::DropWrite(_) => {
                    counts.dropped_writes += 1;
                    verdict = Verdict::Pretend;
                }
                Fault::MisdirectWrite(_, by) => {
                    counts.misdirected_writes += 1;
                    verdict = Verdict::Shift(*by);
                }
                _ => fails = true,
            }
            false
        });
        if panics {
            counts.panics += 1;
            panic!("planted");
        }
        if is_full {
            return Err(full(path));
        }
        if !fails {
            return Ok(verdict);
        }
        match call {
            Call::Read => counts.failed_reads += 1,
            Call::Write => counts.failed_writes += 1,
            Call::Sync => counts.failed_syncs += 1,
            Call::Other => counts.failed_others += 1,
        }
        Err(io_error(operation, path, SqlState::IO_ERROR, "Input/output error"))
    }

    fn record(&mut self, event: Event) {
        self.disk.apply(&event);
        self.events.push(event);
    }

    /// What is left of the budget, if there is one.
    fn free_bytes(&self) -> Option<u64> {
        let budget = self.faults.iter().find_map(|fault| match fault {
            Fault::Budget(bytes) => Some(*bytes),
            _ => None,
        });
        budget.map(|budget| budget.saturating_sub(self.disk.used_bytes()))
    }

    /// Fails if a file that grows from `from` to `to` bytes outgrows the budget.
    fn check_budget(&mut self, from: u64, to: u64, path: &Path) -> Result<()> {
        if to > from && self.free_bytes().is_some_and(|free| to - from > free) {
            self.counts.disk_full += 1;
            return Err(full(path));
        }
        Ok(())
    }

    fn missing(operation: Operation, path: &Path) -> Error {
        io_error(operation, path, SqlState::UNDEFINED_FILE, "No such file or directory")
    }
}

impl Vfs for SimVfs {
    fn free_bytes(&self, _directory: &Path) -> Result<Option<u64>> {
        Ok(self.state.lock().free_bytes())
    }

    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn VfsFile>> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::Open, path)?;
        let file = match state.disk.names.get(path).copied() {
            Some(Node::File(_)) if options.create_new => {
                let taken = SqlState::DUPLICATE_FILE;
                return Err(io_error(Operation::Create, path, taken, "File exists"));
            }
            Some(Node::File(file)) => file,
            Some(Node::Directory) => {
                let reason = "Is a directory";
                return Err(io_error(Operation::Open, path, SqlState::IO_ERROR, reason));
            }
            None if options.create => {
                let file = state.disk.next_file();
                state.record(Event::Create { path: path.to_owned(), file });
                file
            }
            None => return Err(State::missing(Operation::Open, path)),
        };
        state.open_files += 1;
        let (state, path) = (Arc::clone(&self.state), path.to_owned());
        let writes_through = options.writes_through.is_some();
        Ok(Arc::new(SimFile { state, file, path, writes_through }))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::Stat, path)?;
        Ok(state.disk.names.contains_key(path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::Remove, path)?;
        if !state.disk.names.contains_key(path) {
            return Err(State::missing(Operation::Remove, path));
        }
        state.record(Event::Remove { path: path.to_owned() });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::Rename, from)?;
        if !state.disk.names.contains_key(from) {
            return Err(State::missing(Operation::Rename, from));
        }
        state.record(Event::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::List, directory)?;
        let here = state.disk.names.keys().filter(|path| super::parent(path) == directory);
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_dir(&self, directory: &Path) -> Result<()> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::CreateDirectory, directory)?;
        if !state.disk.names.contains_key(directory) {
            state.record(Event::CreateDir { path: directory.to_owned() });
        }
        Ok(())
    }

    fn remove_dir(&self, directory: &Path) -> Result<()> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::RemoveDirectory, directory)?;
        if state.disk.names.keys().any(|path| super::parent(path) == directory) {
            let reason = "Directory not empty";
            return Err(io_error(
                Operation::RemoveDirectory,
                directory,
                SqlState::IO_ERROR,
                reason,
            ));
        }
        state.record(Event::Remove { path: directory.to_owned() });
        Ok(())
    }

    fn sync_dir(&self, directory: &Path) -> Result<()> {
        let mut state = self.state.lock();
        state.strike(Call::Sync, Operation::SyncDirectory, directory)?;
        state.record(Event::SyncDir { directory: directory.to_owned() });
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn VfsLock>>> {
        let mut state = self.state.lock();
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { state: Arc::clone(&self.state), path: path.to_owned() })))
    }
}

impl VfsLock for SimLock {}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.state.lock().open_files -= 1;
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.state.lock().locks.remove(&self.path);
    }
}

impl VfsFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut state = self.state.lock();
        state.strike(Call::Read, Operation::Read, &self.path)?;
        let content = &state.disk.files[self.file.0].current;
        let rest = content.get(offset as usize..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut state = self.state.lock();
        let (offset, arriving) = match state.strike(Call::Write, Operation::Write, &self.path)? {
            Verdict::Proceed => (offset, bytes.len()),
            Verdict::Pretend => return Ok(()),
            Verdict::Shift(by) => (offset + by, bytes.len()),
            Verdict::Half => (offset, bytes.len() / 2),
        };
        let is_whole = arriving == bytes.len();
        let bytes = &bytes[..arriving];
        let len = state.disk.files[self.file.0].current.len() as u64;
        state.check_budget(len, offset + bytes.len() as u64, &self.path)?;
        state.record(Event::Write { file: self.file, offset, bytes: bytes.into() });
        drop(state);
        if !is_whole {
            return Err(full(&self.path));
        }
        if self.writes_through { self.sync_data() } else { Ok(()) }
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.state.lock();
        let verdict = state.strike(Call::Write, Operation::Truncate, &self.path)?;
        let before = state.disk.files[self.file.0].current.len() as u64;
        state.check_budget(before, len, &self.path)?;
        state.record(Event::SetLen { file: self.file, len });
        if matches!(verdict, Verdict::Half) { Err(full(&self.path)) } else { Ok(()) }
    }

    fn len(&self) -> Result<u64> {
        let mut state = self.state.lock();
        state.strike(Call::Other, Operation::Stat, &self.path)?;
        Ok(state.disk.files[self.file.0].current.len() as u64)
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.state.lock();
        if let Err(error) = state.strike(Call::Sync, Operation::Sync, &self.path) {
            state.record(Event::SyncLost { file: self.file });
            return Err(error);
        }
        let name = self.path.to_string_lossy();
        let mut lies = false;
        for fault in &mut state.faults {
            match fault {
                Fault::LyingSync(text) => lies |= name.contains(*text),
                Fault::LyingEverySecondSync { file, lies_next } if name == *file => {
                    lies |= *lies_next;
                    *lies_next = !*lies_next;
                }
                _ => {}
            }
        }
        if lies {
            state.counts.lying_syncs += 1;
        } else {
            state.record(Event::Sync { file: self.file });
        }
        Ok(())
    }

    fn sync_all(&self) -> Result<()> {
        self.sync_data()
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for SimVfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimVfs({} events)", self.event_count())
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(vfs: &SimVfs, path: &str) -> Option<Vec<u8>> {
        let file = vfs.open(Path::new(path), OpenOptions::EXISTING).ok()?;
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        Some(bytes)
    }

    #[test]
    fn only_what_was_synced_survives_for_sure() {
        let vfs = SimVfs::default();
        let file = vfs.open(Path::new("f"), OpenOptions::CREATE).unwrap();
        file.write_at(b"one", 0).unwrap();
        file.sync_data().unwrap();
        let random = SeededRandom::new(1);
        assert_eq!(content(&vfs.crashed(ImageKind::Nothing, &random), "f"), None, "no name");
        vfs.sync_dir(Path::new(".")).unwrap();
        file.write_at(b"two", 0).unwrap();
        assert_eq!(content(&vfs.crashed(ImageKind::Nothing, &random), "f").unwrap(), b"one");
        assert_eq!(content(&vfs.crashed(ImageKind::All, &random), "f").unwrap(), b"two");
        assert_eq!(content(&vfs, "f").unwrap(), b"two");
    }

    #[test]
    fn a_failed_sync_loses_and_the_next_succeeds() {
        let vfs = SimVfs::default();
        let file = vfs.open(Path::new("f"), OpenOptions::CREATE).unwrap();
        vfs.sync_dir(Path::new(".")).unwrap();
        vfs.inject(Fault::FailSync(1));
        file.write_at(b"one", 0).unwrap();
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(vfs.counts().failed_syncs, 1);
        assert_eq!(content(&vfs.killed(), "f").unwrap(), b"");
    }

    #[test]
    fn torn_writes_keep_whole_sectors() {
        let (mut kept, mut lost) = (0, 0);
        for seed in 0..50 {
            let vfs = SimVfs::default();
            let file = vfs.open(Path::new("f"), OpenOptions::CREATE).unwrap();
            vfs.sync_dir(Path::new(".")).unwrap();
            file.set_len(4096).unwrap();
            file.sync_data().unwrap();
            file.write_at(&[1; 4096], 0).unwrap();
            let image = vfs.crashed(ImageKind::Torn, &SeededRandom::new(seed));
            for sector in content(&image, "f").unwrap().chunks(disk::SECTOR_BYTES) {
                assert!(sector.iter().all(|byte| *byte == sector[0]));
                kept += usize::from(sector[0] == 1);
                lost += usize::from(sector[0] == 0);
            }
        }
        assert!(kept > 50 && lost > 50, "{kept} sectors kept, {lost} lost");
    }

    #[test]
    fn a_full_disk_takes_no_more() {
        let vfs = SimVfs::default();
        let file = vfs.open(Path::new("f"), OpenOptions::CREATE).unwrap();
        vfs.inject(Fault::Budget(100));
        file.write_at(&[1; 100], 0).unwrap();
        let error = file.write_at(&[1; 1], 100).unwrap_err();
        assert_eq!(error.sqlstate(), SqlState::DISK_FULL);
        file.write_at(&[2; 100], 0).unwrap();
        assert_eq!(vfs.counts().disk_full, 1);
    }
}
