//! Opening a store: making it, or finding the checkpoint in force and the log behind it.

use super::{Disk, Recovered, Store, StoreOptions, Trees, log_directory};
use crate::alloc::Allocator;
use crate::codec::PageRef;
use crate::env::Env;
use crate::health::Health;
use crate::huge_pages::{HugePageSource, HugePages};
use crate::log::{Frames, LANES_MAX, Log, LogParts, LogPosition};
use crate::page::{PAGE_BYTES_MAX, PAGE_BYTES_MIN, UNIT_BYTES};
use crate::page_table;
use crate::pool::{ContentionRule, Pool, PoolParts, block_problem, try_huge_page};
use crate::root::{self, Root};
use crate::superblock::{FEATURE_LOG_LANES, Slot, Superblock};
use crate::vfs::{MemoryVfs, OpenOptions, Vfs, VfsFile, parent, read_exact_at, with_suffix};
use damask_types::{Error, Result, SqlState, Timestamp};
use parking_lot::{Mutex, RwLock};
use std::path::Path;
use std::sync::Arc;

/// What a checkpoint says, read and verified.
pub(super) struct Loaded {
    pub(super) root: Root,
    pub(super) root_runs: Vec<crate::alloc::Run>,
    /// Locations by page number.
    pub(super) pages: Vec<Option<PageRef>>,
}

/// What starts the checksums of a database's blocks.
pub(super) fn seed(superblock: &Superblock) -> u32 {
    crc32c::crc32c(&superblock.uuid)
}

impl Store {
    /// Opens the store in file `path`, or a new one in memory if `path` is `:memory:`.
    ///
    /// The frames in [`Recovered`] are to be replayed before anything else is changed.
    ///
    /// # Errors
    /// 55006 if another process (or another part of this one) has it open; 58P01 if there is none and it is not to be
    /// made; XX001 if the file is not a database or damaged; 0A000 if its format is newer or there are no huge pages and it is to have
    /// them; 22023 for impossible options.
    pub fn open(env: Env, path: &Path, options: StoreOptions) -> Result<(Self, Recovered)> {
        check_options(&options)?;
        // Before anything is made.
        let huge_pages = huge_pages(&env, options.huge_pages)?;
        if path == Path::new(":memory:") {
            return Self::open_in_memory(env, path, &options, huge_pages);
        }
        let lock_path = with_suffix(path, ".lock");
        if !options.create && !env.vfs.exists(path)? {
            let message = format!("database file \"{}\" does not exist", path.display());
            return Err(Error::new(SqlState::UNDEFINED_FILE, message));
        }
        let Some(lock) = env.vfs.lock(&lock_path)? else {
            let message = format!("database file \"{}\" is already open", path.display());
            let detail = format!("Someone holds the lock file \"{}\".", lock_path.display());
            return Err(Error::new(SqlState::OBJECT_IN_USE, message).detail(detail).hint(
                "Only one process can have a database open; connect to its server instead.",
            ));
        };
        let file = env.vfs.open(path, OpenOptions::CREATE)?;
        let mut superblock = match find_superblock(&*env.vfs, path, &*file)? {
            Some(superblock) => superblock,
            None => create(&env, path, &*file, &options)?,
        };
        if superblock.clean {
            // The log of a closed database is gone. The next begins with a segment, so that a crash before its first
            // write leaves nothing that recovery would miss.
            for offset in &mut superblock.log.offsets {
                *offset = offset.next_multiple_of(superblock.log_segment_bytes.max(1));
            }
        }
        let seed = seed(&superblock);
        let loaded = load(&*file, &superblock)?;
        let allocator = allocator(&*file, &loaded)?;
        let health = Arc::new(Health::default());
        let parts = LogParts {
            env: &env,
            directory: &log_directory(path),
            segment_bytes: superblock.log_segment_bytes,
            sync: options.log_sync,
            lane_count: options.log_lanes,
            uuid: superblock.uuid,
            start: superblock.log.clone(),
            checkpoint_ts: superblock.checkpoint_ts,
            health: Arc::clone(&health),
            #[cfg(test)]
            planted: options.planted,
        };
        let lane_count = options.log_lanes;
        let (log, frames, superblock) = if superblock.clean {
            (Log::create(parts)?, Frames::none(), mark_open(&*file, superblock, lane_count)?)
        } else {
            let directory = log_directory(path);
            if !env.vfs.exists(&directory)? {
                let message = format!(
                    "log directory \"{}\" of database file \"{}\" is missing",
                    directory.display(),
                    path.display()
                );
                return Err(Error::corrupted(message)
                    .detail("The database was not closed, so its last commits are in the log."));
            }
            let (log, frames) = Log::recover(parts)?;
            // Before anything is written in a lane that it does not name.
            let names_all = superblock.log.offsets.len() >= lane_count;
            let superblock =
                if names_all { superblock } else { mark_open(&*file, superblock, lane_count)? };
            (log, frames, superblock)
        };
        let Loaded { root, root_runs, pages } = loaded;
        let pool = Pool::new(PoolParts {
            page_bytes: superblock.page_bytes as usize,
            pool_bytes: options.pool_bytes,
            memory: Arc::clone(&env.memory),
            topology: Arc::clone(&env.topology),
            huge_pages,
            contention: contention(&options),
            chance: env.random.next_u64(),
            seed,
            file: Arc::clone(&file),
            pages,
            allocator,
            keeps_old: keeps_old(&options),
            #[cfg(test)]
            planted: options.planted,
        });
        let recovered = Recovered {
            meta: superblock.root.map(|_| root.meta),
            checkpoint_ts: superblock.checkpoint_ts,
            frames,
        };
        for tree in &root.trees {
            pool.set_codec(tree.tree, tree.codec);
        }
        let descriptors = root.trees.into_iter().map(|tree| (tree.tree, tree)).collect();
        let disk =
            Disk { superblock, nodes: root.nodes, root_runs, running: None, lock: Some(lock) };
        let store = Self {
            env,
            path: path.to_owned(),
            seed,
            file,
            pool: Arc::new(pool),
            log: Arc::new(log),
            health,
            trees: RwLock::new(Trees { descriptors, next: root.next_tree.max(1) }),
            disk: Some(Mutex::new(disk)),
            #[cfg(test)]
            planted: options.planted,
        };
        Ok((store, recovered))
    }

    /// The same code over a file in memory, without a log.
    fn open_in_memory(
        env: Env,
        path: &Path,
        options: &StoreOptions,
        huge_pages: Option<Arc<dyn HugePageSource>>,
    ) -> Result<(Self, Recovered)> {
        let file = MemoryVfs::default().open(path, OpenOptions::CREATE)?;
        let allocator = Allocator::from_used(Vec::new()).map_err(Error::internal)?;
        let pool = Pool::new(PoolParts {
            page_bytes: options.page_bytes,
            pool_bytes: options.pool_bytes,
            memory: Arc::clone(&env.memory),
            topology: Arc::clone(&env.topology),
            huge_pages,
            contention: contention(options),
            chance: env.random.next_u64(),
            seed: 0,
            file: Arc::clone(&file),
            pages: Vec::new(),
            allocator,
            keeps_old: false,
            #[cfg(test)]
            planted: options.planted,
        });
        let health = Arc::new(Health::default());
        let log = Log::none(Arc::clone(&health), Timestamp(0));
        let store = Self {
            env,
            path: path.to_owned(),
            seed: 0,
            file,
            pool: Arc::new(pool),
            log: Arc::new(log),
            health,
            trees: RwLock::new(Trees { descriptors: std::collections::BTreeMap::new(), next: 1 }),
            disk: None,
            #[cfg(test)]
            planted: options.planted,
        };
        let frames = Frames::none();
        Ok((store, Recovered { meta: None, checkpoint_ts: Timestamp(0), frames }))
    }
}

#[cfg(not(test))]
fn keeps_old(_options: &StoreOptions) -> bool {
    true
}

#[cfg(test)]
fn keeps_old(options: &StoreOptions) -> bool {
    options.planted != super::Planted::EarlyReuse
}

#[cfg(not(test))]
fn contention(_options: &StoreOptions) -> ContentionRule {
    ContentionRule::default()
}

#[cfg(test)]
fn contention(options: &StoreOptions) -> ContentionRule {
    options.contention
}

fn check_options(options: &StoreOptions) -> Result<()> {
    let page_bytes = options.page_bytes;
    if !page_bytes.is_power_of_two() || !(PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes) {
        let message = format!("invalid page size {page_bytes}");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .detail("Pages have 4096, 8192 or 16384 bytes."));
    }
    let segment_bytes = options.log_segment_bytes;
    if segment_bytes < 2 * UNIT_BYTES as u64 || !segment_bytes.is_multiple_of(UNIT_BYTES as u64) {
        let message = format!("invalid log segment size {segment_bytes}");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .detail("A segment is a multiple of 4096 bytes, at least 8192."));
    }
    let lanes = options.log_lanes;
    if !(1..=LANES_MAX).contains(&lanes) {
        let message = format!("invalid number of log lanes {lanes}");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .detail(format!("There are 1 to {LANES_MAX} lanes.")));
    }
    Ok(())
}

/// Who the pool asks for huge pages, if it is to ask.
fn huge_pages(env: &Env, wish: HugePages) -> Result<Option<Arc<dyn HugePageSource>>> {
    match wish {
        HugePages::Off => return Ok(None),
        HugePages::Try => {}
        HugePages::On => try_huge_page(&*env.huge_pages).map_err(|reason| {
            Error::new(SqlState::FEATURE_NOT_SUPPORTED, "huge pages are not available")
                .detail(reason)
                .hint("Set huge_pages to \"try\" or \"off\", or have the system give huge pages to processes that ask for them.")
        })?,
    }
    Ok(Some(Arc::clone(&env.huge_pages)))
}

/// The superblock in force; `None` if the file was never completely made.
pub(super) fn find_superblock(
    vfs: &dyn Vfs,
    path: &Path,
    file: &dyn VfsFile,
) -> Result<Option<Superblock>> {
    let name = path.display();
    let slots = (Superblock::read(file, 0)?, Superblock::read(file, 1)?);
    let (found, other) = match slots {
        (Slot::Valid(a), Slot::Valid(b)) => {
            let (newer, older) = if a.generation > b.generation { (a, b) } else { (b, a) };
            if newer.uuid != older.uuid || newer.generation != older.generation + 1 {
                let message = format!("superblocks of file \"{name}\" contradict each other");
                return Err(Error::corrupted(message));
            }
            return Ok(Some(newer));
        }
        (Slot::Valid(found), other) | (other, Slot::Valid(found)) => (found, other),
        (Slot::Foreign, _) => {
            let message = format!("file \"{name}\" is not a Damask database");
            return Err(Error::corrupted(message));
        }
        _ => {
            // Making a database writes slot 0 first, so neither is valid only if that was interrupted; or both rotted.
            if file.len()? <= 2 * UNIT_BYTES as u64 && !has_log(vfs, path)? {
                return Ok(None);
            }
            let message = format!("both superblocks of file \"{name}\" are damaged");
            return Err(Error::corrupted(message));
        }
    };
    // A crash while the other slot was written is harmless, since that superblock was in force for nobody yet. But the
    // one that marks a database as open comes before its first log segment: if there is a segment, it had been whole.
    if found.clean && !matches!(other, Slot::Empty) && has_log(vfs, path)? {
        let message = format!("a superblock of file \"{name}\" is damaged");
        return Err(Error::corrupted(message)
            .detail("The other one is of a closed database, yet there is a log."));
    }
    Ok(Some(found))
}

/// Whether there are log segments.
fn has_log(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
    let directory = log_directory(path);
    Ok(vfs.exists(&directory)? && !vfs.list(&directory)?.is_empty())
}

/// Makes a new database: closed and empty.
fn create(
    env: &Env,
    path: &Path,
    file: &dyn VfsFile,
    options: &StoreOptions,
) -> Result<Superblock> {
    let mut uuid = [0; 16];
    env.random.fill(&mut uuid);
    let superblock = Superblock {
        page_bytes: options.page_bytes as u32,
        features_compatible: 0,
        features_read_only: 0,
        features_incompatible: 0,
        uuid,
        generation: 2,
        checkpoint_ts: Timestamp(0),
        log: LogPosition { offsets: vec![0], group_seq: 1, stream: 0, prev_crc: 0 },
        log_segment_bytes: options.log_segment_bytes,
        // Not two: after a crash the file may have this block and yet not the length set above.
        unit_count: 1,
        root: None,
        clean: true,
    };
    // What an interrupted attempt left must not be taken for the other slot.
    file.set_len(0)?;
    file.set_len(2 * UNIT_BYTES as u64)?;
    superblock.write(file)?;
    file.sync_all()?;
    env.vfs.sync_dir(parent(path))?;
    Ok(superblock)
}

/// Moves a database to open with so many lanes at least; returns the superblock in force.
fn mark_open(
    file: &dyn VfsFile,
    mut superblock: Superblock,
    lane_count: usize,
) -> Result<Superblock> {
    superblock.clean = false;
    if lane_count > superblock.log.offsets.len() {
        superblock.log.offsets.resize(lane_count, 0);
        superblock.features_incompatible |= FEATURE_LOG_LANES;
    }
    superblock.generation += 1;
    superblock.write(file)?;
    file.sync_data()?;
    Ok(superblock)
}

/// Reads what the superblock's root leads to.
pub(super) fn load(file: &dyn VfsFile, superblock: &Superblock) -> Result<Loaded> {
    let name = file.path().display();
    let page_bytes = superblock.page_bytes as usize;
    if !page_bytes.is_power_of_two()
        || !(PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes)
        || superblock.log_segment_bytes < 2 * UNIT_BYTES as u64
        || !superblock.log_segment_bytes.is_multiple_of(UNIT_BYTES as u64)
    {
        return Err(Error::corrupted(format!("superblock of file \"{name}\" makes no sense")));
    }
    let needed = superblock.unit_count.saturating_mul(UNIT_BYTES as u64);
    let len = file.len()?;
    if len < needed {
        let message =
            format!("file \"{name}\" has {len} bytes, its last checkpoint needs {needed}");
        return Err(Error::corrupted(message));
    }
    let Some(first) = superblock.root else {
        return Ok(Loaded { root: Root::default(), root_runs: Vec::new(), pages: Vec::new() });
    };
    let seed = seed(superblock);
    let (string, root_runs) = root::read_chain(file, seed, first)?;
    let root = Root::decode(&string).ok_or_else(|| {
        Error::corrupted(format!("invalid checkpoint root in file \"{name}\": it makes no sense"))
    })?;
    let mut pages = Vec::with_capacity(root.nodes.len() * page_table::NODE_ENTRIES);
    let mut unit = vec![0; UNIT_BYTES];
    for (index, node) in root.nodes.iter().enumerate() {
        let number = index as u32;
        let problem = if node.run.count == 1 {
            read_exact_at(file, &mut unit, node.run.offset())?;
            block_problem(seed, u64::from(number), *node, &unit)
        } else {
            Some("it has more than one unit".to_owned())
        };
        let entries = match problem {
            None => page_table::decode_node(&unit, number),
            Some(problem) => Err(problem),
        };
        pages.extend(entries.map_err(|problem| {
            let unit = node.run.start;
            let message = format!("invalid page table node {number} in file \"{name}\": {problem}");
            Error::corrupted(message).detail(format!("The node is at unit {unit}."))
        })?);
    }
    Ok(Loaded { root, root_runs, pages })
}

/// Finds free space: all that nothing owns.
fn allocator(file: &dyn VfsFile, loaded: &Loaded) -> Result<Allocator> {
    let nodes = loaded.root.nodes.iter().map(|node| node.run);
    let pages = loaded.pages.iter().flatten().map(|page| page.run);
    let used = loaded.root_runs.iter().copied().chain(nodes).chain(pages).collect();
    Allocator::from_used(used).map_err(|problem| {
        let name = file.path().display();
        Error::corrupted(format!("invalid page table in file \"{name}\": {problem}"))
    })
}
