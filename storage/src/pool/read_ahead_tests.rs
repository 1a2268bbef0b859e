//! What scans of a tree load that is not in memory, and how much of it together.

use super::read_ahead::AHEAD_MAX;
use super::{PoolHoldings, PoolStatistics};
use crate::codec::PageCodec;
use crate::env::Env;
use crate::page::{self, PAGE_BYTES_MIN, PageId, PageKind};
use crate::store::{Store, StoreOptions, TreeDescriptor};
use crate::testing::Chance;
use crate::tree::{HeapTree, RowFlags, RowTree, TreeStatistics};
use crate::vfs::{Fault, IoMethod, SimVfs};
use damask_types::{Result, RowId, SqlState, Timestamp};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Larger than a unit, so that pages can be compressed.
const PAGE_BYTES: usize = 2 * PAGE_BYTES_MIN;
const ROWS: u64 = 3000;

fn row(id: u64) -> Vec<u8> {
    // Every other row is one that nothing makes shorter.
    let mut chance = Chance(id);
    (0..300).map(|_| if id.is_multiple_of(2) { 7 } else { chance.next() as u8 }).collect()
}

fn open(env: Env, path: &Path, frames: usize) -> Store {
    let pool_bytes = frames * PAGE_BYTES;
    let options = StoreOptions { page_bytes: PAGE_BYTES, pool_bytes, ..StoreOptions::default() };
    Store::open(env, path, options).unwrap().0
}

/// A closed store with a tree of rows that is stored so.
fn make(env: Env, path: &Path, codec: PageCodec) -> TreeStatistics {
    let store = open(env, path, 4000);
    let rows = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    let (tree, root) = (rows.id(), rows.root());
    store.set_tree(TreeDescriptor { tree, kind: PageKind::RowLeaf, root, codec });
    for id in 0..ROWS {
        assert!(rows.insert(RowId(id), &row(id), RowFlags::NONE).unwrap());
    }
    let statistics = rows.verify(&mut |_| Ok(())).unwrap();
    store.close(Timestamp(1), b"").unwrap();
    statistics
}

fn tree(store: &Store) -> RowTree {
    let descriptor = store.trees()[0];
    RowTree::open(Arc::clone(store.pool()), descriptor.tree, descriptor.root).unwrap()
}

/// Rows that a scan from `from` upwards finds, up to `count`.
fn up(rows: &RowTree, from: u64, count: usize) -> Result<Vec<u64>> {
    let (mut found, mut next) = (Vec::new(), Some(RowId(from)));
    while let Some(from) = next.filter(|_| found.len() < count) {
        next = rows.scan_leaf(from, |id, _, bytes| {
            assert_eq!(bytes, row(id.0));
            found.push(id.0);
            Ok(if found.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
    }
    Ok(found)
}

/// All rows, downwards.
fn down(rows: &RowTree) -> Result<Vec<u64>> {
    let (mut found, mut next) = (Vec::new(), Some(RowId(u64::MAX)));
    while let Some(from) = next {
        next = rows.scan_leaf_reverse(from, |id, _, bytes| {
            assert_eq!(bytes, row(id.0));
            found.push(id.0);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(found)
}

#[test]
fn a_scan_either_way_loads_each_page_once_and_most_of_them_together() {
    for codec in PageCodec::ALL {
        let env = Env::in_memory(1);
        let path = Path::new("d");
        let TreeStatistics { leaves, inners, .. } = make(env.clone(), path, codec);
        let all: Vec<u64> = (0..ROWS).collect();
        for upwards in [true, false] {
            let store = open(env.clone(), path, 4000);
            let rows = tree(&store);
            if upwards {
                assert_eq!(up(&rows, 0, usize::MAX).unwrap(), all);
            } else {
                assert!(down(&rows).unwrap().into_iter().eq(all.iter().rev().copied()));
            }
            let loaded = store.pool().statistics();
            assert_eq!(loaded.load_count, leaves + inners, "{codec:?}");
            // Others are the inner nodes, and the first leaf of each batch.
            assert!(loaded.ahead_count * 10 > loaded.load_count * 8, "{codec:?}: {loaded:?}");
            assert!(store.verify().unwrap().is_clean());
        }
    }
}

#[test]
fn a_scan_that_ends_soon_loads_little() {
    let env = Env::in_memory(1);
    let path = Path::new("d");
    make(env.clone(), path, PageCodec::None);
    let store = open(env, path, 4000);
    let rows = tree(&store);
    let count = || (store.pool().statistics().load_count, store.pool().statistics().ahead_count);
    assert_eq!(up(&rows, 1000, 5).unwrap().len(), 5);
    let (first, ahead) = count();
    assert_eq!(ahead, 0, "nothing is known of where it will go");
    // A row of another leaf, for itself.
    rows.get(RowId(100)).unwrap().unwrap();
    assert_eq!(count(), (first + 1, 0));
    // Further up, more with each turn, and never more than that.
    let (mut last, mut steps) = (0, Vec::new());
    for leaf_rows in 1..60 {
        up(&rows, 1000, leaf_rows * 40).unwrap();
        steps.push(count().1 - last);
        last = count().1;
    }
    steps.retain(|step| *step > 0);
    assert_eq!(steps[..3], [1, 3, 7], "{steps:?}");
    assert!(steps.iter().all(|step| *step < AHEAD_MAX as u64), "{steps:?}");
}

/// Rows that an index names lie anywhere; they are wanted in an order of their own, two of them twice, and one is not there.
#[test]
fn leaves_of_rows_that_will_be_read_are_loaded_together() {
    let env = Env::in_memory(1);
    let path = Path::new("d");
    make(env.clone(), path, PageCodec::Snappy);
    let scattered = (0..60).map(|at| at * 977 % ROWS);
    let wanted: Vec<RowId> = scattered.chain([977, ROWS, 1954]).map(RowId).collect();
    let read = |wanted: &[RowId], announced: &[RowId]| {
        let store = open(env.clone(), path, 4000);
        let rows = HeapTree::Plain(tree(&store));
        let mut reader = rows.reader(announced);
        for id in wanted {
            let found = reader.read(*id, |found| found.map(|(bytes, _)| bytes.to_vec())).unwrap();
            assert_eq!(found, (id.0 < ROWS).then(|| row(id.0)));
        }
        drop(reader);
        let PoolStatistics { load_count, ahead_count, .. } = store.pool().statistics();
        assert!(store.verify().unwrap().is_clean());
        (load_count, ahead_count)
    };
    let (one_by_one, none) = read(&wanted, &[]);
    assert!(one_by_one > 30 && none == 0, "{one_by_one}, {none}");
    let (loaded, ahead) = read(&wanted, &wanted);
    // Not the inner nodes on the way, and one of each batch.
    assert!(loaded == one_by_one && ahead + 4 >= loaded, "{ahead} of {loaded}");
    // What was announced and is not asked for is not in the way.
    assert_eq!(read(&wanted[..1], &wanted[1..]), read(&wanted[..1], &[]));
}

/// So are those of rows that will be changed, as in the replay of a log.
#[test]
fn leaves_of_rows_that_will_be_changed_are_loaded_together() {
    let env = Env::in_memory(1);
    let path = Path::new("d");
    let leaves = make(env.clone(), path, PageCodec::Lz4).leaves;
    let store = open(env, path, 200);
    let rows = HeapTree::Plain(tree(&store));
    let wanted: Vec<RowId> = (0..ROWS).step_by(9).map(RowId).collect();
    for place in 0..wanted.len() {
        let changed = rows.modify_first(&wanted[place..], |slot| {
            assert_eq!(slot.current().unwrap().0, row(wanted[place].0));
            slot.put(&b"changed"[..], RowFlags::NONE);
            Ok(place)
        });
        assert_eq!(changed.unwrap(), place);
    }
    let statistics = store.pool().statistics();
    assert!(statistics.ahead_count * 10 > leaves * 7, "{statistics:?}");
    for id in 0..ROWS {
        let expected = if id % 9 == 0 { b"changed".to_vec() } else { row(id) };
        assert_eq!(rows.get(RowId(id)).unwrap().unwrap().0, expected);
    }
    assert!(store.verify().unwrap().is_clean());
}

#[test]
fn a_small_pool_reads_nothing_ahead_and_a_middling_one_a_little() {
    let env = Env::in_memory(1);
    let path = Path::new("d");
    make(env.clone(), path, PageCodec::Lz4);
    for (frames, expected) in [(16, 0..=0), (64, 1..=u64::MAX)] {
        let store = open(env.clone(), path, frames);
        let rows = tree(&store);
        std::thread::scope(|scope| {
            for upwards in [true, false, true] {
                let rows = &rows;
                scope.spawn(move || {
                    let found = if upwards { up(rows, 0, usize::MAX) } else { down(rows) };
                    assert_eq!(found.unwrap().len(), ROWS as usize);
                });
            }
        });
        let statistics = store.pool().statistics();
        assert!(expected.contains(&statistics.ahead_count), "{statistics:?}");
        assert!(statistics.frame_count <= frames);
        assert!(store.verify().unwrap().is_clean());
    }
}

/// However many scan at a time, most frames can be had.
#[test]
fn scans_leave_frames_to_others() {
    let env = Env::in_memory(1);
    let path = Path::new("d");
    make(env.clone(), path, PageCodec::None);
    let is_ahead = |others: usize| {
        let store = open(env.clone(), path, 64);
        let pool = store.pool();
        pool.ahead_frames.store(others, Ordering::Relaxed);
        assert_eq!(up(&tree(&store), 0, usize::MAX).unwrap().len(), ROWS as usize);
        assert_eq!(pool.ahead_frames.load(Ordering::Relaxed), others, "all are given back");
        pool.statistics().ahead_count > 0
    };
    assert_eq!([0, 6, 7, 64].map(is_ahead), [true, true, false, false]);
}

/// A page that is damaged is an error for the scan that comes to it and not before, whatever came along.
#[test]
fn damage_is_told_by_who_comes_to_it() {
    let vfs = SimVfs::default();
    let path = Path::new("d");
    let env = |vfs: &SimVfs| Env::simulated(Arc::new(vfs.clone()), 3);
    make(env(&vfs), path, PageCodec::None);
    let place = {
        let store = open(env(&vfs), path, 4000);
        let rows = tree(&store);
        rows.get(RowId(1500)).unwrap();
        let pages = (1..store.pool().page_bound().0).map(PageId);
        let is_leaf = |page: &PageId| {
            let bytes = store.pool().read_resident(*page);
            bytes.is_some_and(|bytes| bytes[page::offset::KIND] == PageKind::RowLeaf as u8)
        };
        let leaf = pages.clone().filter(is_leaf).collect::<Vec<_>>();
        assert_eq!(leaf.len(), 1);
        store.pool().location(leaf[0]).unwrap().run
    };
    let image = vfs.killed();
    image.flip(path, place.offset() + 900, 1);
    let store = open(env(&image), path, 4000);
    let rows = tree(&store);
    let error = up(&rows, 0, usize::MAX).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::DATA_CORRUPTED);
    assert!(store.pool().statistics().ahead_count > 10);
    // Rows before it are there, those behind it as well.
    let (mut first, mut after) = (0, ROWS - 1);
    while rows.get(RowId(first)).is_ok() {
        first += 1;
    }
    while rows.get(RowId(after)).is_ok() {
        after -= 1;
    }
    assert!((first..=after).contains(&1500), "{first} {after}");
    assert!(after - first < 120, "one leaf: {first} to {after}");
}

/// Whichever read fails, the scan has all rows or an error, and nothing is left behind.
#[test]
fn a_failing_disk_is_no_loss() {
    let path = Path::new("d");
    let (mut failed, mut forgiven) = (0, 0);
    for nth in 1.. {
        let vfs = SimVfs::default();
        let env = Env::simulated(Arc::new(vfs.clone()), 3);
        make(env.clone(), path, PageCodec::Zstd);
        let store = open(env, path, 4000);
        let rows = tree(&store);
        vfs.inject(Fault::FailRead(nth));
        let found = up(&rows, 0, usize::MAX);
        vfs.heal();
        let has_fired = vfs.counts().failed_reads > 0;
        match found {
            Ok(found) => {
                assert_eq!(found.len(), ROWS as usize);
                forgiven += usize::from(has_fired);
            }
            Err(error) => {
                assert_eq!(error.sqlstate(), SqlState::IO_ERROR);
                failed += 1;
            }
        }
        assert_eq!(store.pool().holdings(), PoolHoldings::default());
        assert_eq!(up(&rows, 0, usize::MAX).unwrap().len(), ROWS as usize);
        assert!(store.verify().unwrap().is_clean());
        if !has_fired {
            break;
        }
    }
    // The first leaf is read alone. One that could not be read with others is read once more by itself.
    assert!(failed == 1 && forgiven > 20, "{failed}, {forgiven}");
}

#[test]
fn real_files_are_read_by_each_method() {
    let folder = std::env::temp_dir().join(format!("damask-ahead-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("d");
    make(Env::real(), &path, PageCodec::Lz4);
    for method in [IoMethod::Sync, IoMethod::IoUring] {
        let store = open(Env::real().with_io(method), &path, 4000);
        assert_eq!(up(&tree(&store), 0, usize::MAX).unwrap().len(), ROWS as usize);
        let statistics = store.pool().statistics();
        assert!(statistics.ahead_count > 10, "{statistics:?}");
        // Where the system gives no rings, files are read without.
        assert!([method, IoMethod::Sync].contains(&statistics.io_method));
        store.close(Timestamp(2), b"").unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
