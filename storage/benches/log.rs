//! Commits a second by the number of the log's lanes, on a disk in memory whose syncs take a while.
//!
//! Threads append a frame each and wait for it, again and again. Syncs of different files run beside each other, as a device with a queue
//! does them, or one at a time.
//!
//! `cargo bench -p damask-storage --bench log` measures; without `--bench` (as `cargo test` runs it) or with `--test` every case runs
//! for a few commits.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]

use damask_storage::env::{Clock, Env};
use damask_storage::vfs::{MemoryVfs, OpenOptions, Vfs, VfsFile, VfsLock};
use damask_storage::{Store, StoreOptions};
use damask_types::{Lsn, Result, Timestamp};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a case is measured.
const MEASURED: Duration = Duration::from_secs(2);
/// Bytes of a frame.
const FRAME: [u8; 200] = [7; 200];

/// A disk whose syncs of files take a while.
#[derive(Clone, Debug)]
struct Disk {
    files: Arc<MemoryVfs>,
    clock: Slow,
    /// Held during a sync by a disk that does one at a time.
    head: Option<Arc<Mutex<()>>>,
}

/// How long syncs take, and what times them.
#[derive(Clone)]
struct Slow(Arc<dyn Clock>, Duration);

impl std::fmt::Debug for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.1)
    }
}

#[derive(Debug)]
struct File {
    file: Arc<dyn VfsFile>,
    disk: Disk,
}

impl Vfs for Disk {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn VfsFile>> {
        let file = self.files.open(path, options)?;
        Ok(Arc::new(File { file, disk: self.clone() }))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.files.exists(path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.files.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.files.rename(from, to)
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        self.files.list(directory)
    }

    fn create_dir(&self, directory: &Path) -> Result<()> {
        self.files.create_dir(directory)
    }

    fn remove_dir(&self, directory: &Path) -> Result<()> {
        self.files.remove_dir(directory)
    }

    fn sync_dir(&self, directory: &Path) -> Result<()> {
        self.files.sync_dir(directory)
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn VfsLock>>> {
        self.files.lock(path)
    }
}

impl VfsFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn sync_data(&self) -> Result<()> {
        let _head = self.disk.head.as_ref().map(|head| head.lock());
        let Slow(clock, pause) = &self.disk.clock;
        clock.sleep(*pause);
        self.file.sync_data()
    }

    fn sync_all(&self) -> Result<()> {
        self.sync_data()
    }

    fn path(&self) -> &Path {
        self.file.path()
    }
}

struct Case {
    sync: Duration,
    /// Syncs run beside each other.
    is_parallel: bool,
    threads: usize,
    lanes: usize,
}

/// What a case came to.
struct Outcome {
    commits: u64,
    flushes: u64,
    seconds: f64,
}

fn run(case: &Case, measured: Duration) -> Result<Outcome> {
    let real = Env::real();
    let clock = Slow(Arc::clone(&real.clock), case.sync);
    let head = (!case.is_parallel).then(Arc::default);
    let disk = Disk { files: Arc::default(), clock, head };
    let env = Env { vfs: Arc::new(disk), ..real };
    let options =
        StoreOptions { pool_bytes: 1 << 20, log_lanes: case.lanes, ..StoreOptions::default() };
    let (store, _) = Store::open(env.clone(), Path::new("d"), options)?;
    let (log, last) = (store.log(), Mutex::new(Timestamp(0)));
    let append = || -> Result<Lsn> {
        let mut last = last.lock();
        last.0 += 1;
        log.append(*last, &FRAME)
    };
    let start = env.clock.now();
    let commit = || -> Result<u64> {
        let mut count = 0;
        while count == 0 || env.clock.now().saturating_sub(start) < measured {
            log.expect_writer();
            log.unexpect_writer();
            log.flush(append()?)?;
            count += 1;
        }
        Ok(count)
    };
    let commits = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..case.threads).map(|_| scope.spawn(commit)).collect();
        let counts = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
        counts.sum::<Result<u64>>()
    })?;
    let seconds = env.clock.now().saturating_sub(start).as_secs_f64();
    Ok(Outcome { commits, flushes: log.flush_count(), seconds })
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let measured = if has("--bench") && !has("--test") { MEASURED } else { Duration::ZERO };
    println!("sync us  beside  threads  lanes  commits/s  flushes/s  mean ms");
    for (micros, is_parallel) in [(100, true), (1000, true), (1000, false)] {
        for threads in [2, 8, 32] {
            for lanes in [1, 2, 4, 8] {
                let sync = Duration::from_micros(micros);
                let outcome = run(&Case { sync, is_parallel, threads, lanes }, measured)?;
                let Outcome { commits, flushes, seconds } = outcome;
                let (rate, flushes) = (commits as f64 / seconds, flushes as f64 / seconds);
                let mean = threads as f64 / rate * 1000.0;
                println!(
                    "{micros:7}  {is_parallel:>6}  {threads:7}  {lanes:5}  {rate:9.0}  {flushes:9.0}  {mean:7.2}"
                );
            }
        }
    }
    Ok(())
}
