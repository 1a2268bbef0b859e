//! A store's life without crashes: made, changed, checkpointed, closed, opened again.

use super::{CheckpointProgress, Recovered, Store, StoreOptions, verify_file};
use crate::env::{Env, Random, SeededRandom};
use crate::log::{LogCompression, LogFrame};
use crate::page::{self, PAGE_BYTES, PAGE_BYTES_MIN, PAGE_HEADER_BYTES, PageId, PageKind, TreeId};
use crate::superblock::{
    FEATURE_COMPRESSED_PAGES, FEATURE_FIXED_LEAVES, FEATURE_LOG_LANES, FEATURE_WRITE_BUFFERS,
};
use crate::testing::env_of_nodes;
use crate::tree::{RowFlags, RowTree};
use crate::vfs::OpenOptions;
use crate::{PageCodec, TreeDescriptor};
use damask_types::{RowId, SqlState, Timestamp};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

fn options() -> StoreOptions {
    StoreOptions {
        page_bytes: PAGE_BYTES_MIN,
        pool_bytes: 16 * PAGE_BYTES_MIN,
        log_segment_bytes: 64 << 10,
        ..StoreOptions::default()
    }
}

fn open(env: &Env, path: &str) -> (Store, Recovered) {
    Store::open(env.clone(), Path::new(path), options()).unwrap()
}

/// Frames after the checkpoint.
fn frames(recovered: Recovered) -> Vec<(u64, Vec<u8>)> {
    let all = recovered.frames.map(|frame| frame.map(|(ts, bytes)| (ts.0, bytes)).unwrap());
    all.filter(|(ts, _)| *ts > recovered.checkpoint_ts.0).collect()
}

fn new_page(store: &Store, content: u8) -> PageId {
    let mut page = store.pool().allocate(PageKind::RowLeaf, TreeId(1)).unwrap();
    page[PAGE_HEADER_BYTES..].fill(content);
    page.page()
}

fn descriptor(rows: &RowTree) -> TreeDescriptor {
    let (tree, root) = (rows.id(), rows.root());
    TreeDescriptor { tree, kind: PageKind::RowLeaf, root, codec: PageCodec::None }
}

fn clean(store: &Store) {
    let report = store.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_closed_store_is_one_file_and_comes_back() {
    let env = Env::in_memory(1);
    let (store, recovered) = open(&env, "d.damask");
    assert!(recovered.meta.is_none());
    let rows = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    rows.insert(RowId(7), b"row", RowFlags::NONE).unwrap();
    let tree = descriptor(&rows);
    drop(rows);
    store.set_tree(tree);
    let lsn = store.log().append(Timestamp(1), b"one").unwrap();
    store.log().flush(lsn).unwrap();
    store.close(Timestamp(1), b"meta").unwrap();
    assert_eq!(env.vfs.list(Path::new(".")).unwrap(), ["d.damask"]);
    assert!(store.log().append(Timestamp(2), b"late").is_err());
    drop(store);
    assert!(verify_file(&env, Path::new("d.damask")).unwrap().is_clean());

    let (store, recovered) = open(&env, "d.damask");
    assert_eq!(recovered.meta.as_deref(), Some(&b"meta"[..]));
    assert_eq!(recovered.checkpoint_ts, Timestamp(1));
    assert_eq!(frames(recovered), []);
    assert_eq!(store.trees(), [tree]);
    assert_ne!(store.next_tree_id(), tree.tree);
    let rows = RowTree::open(Arc::clone(store.pool()), tree.tree, tree.root).unwrap();
    assert_eq!(rows.get(RowId(7)).unwrap().unwrap().0, b"row");
    clean(&store);
}

#[test]
fn a_crash_before_the_first_write_after_opening_is_harmless() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, "d");
    let lsn = store.log().append(Timestamp(1), b"one").unwrap();
    store.log().flush(lsn).unwrap();
    store.close(Timestamp(1), b"meta").unwrap();
    drop(store);
    for _ in 0..3 {
        let (store, recovered) = open(&env, "d");
        assert_eq!(recovered.meta.as_deref(), Some(&b"meta"[..]));
        // Not closed: the process ended.
        drop(store);
    }
    let (store, _) = open(&env, "d");
    let lsn = store.log().append(Timestamp(2), b"two").unwrap();
    store.log().flush(lsn).unwrap();
    drop(store);
    let (_, recovered) = open(&env, "d");
    assert_eq!(frames(recovered).len(), 1);
}

#[test]
fn compressed_frames_come_back() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, "d");
    let mut random = vec![0; 50_000];
    env.random.fill(&mut random);
    let text = b"so it goes; ".repeat(10_000);
    let mut expected = Vec::new();
    let mut ts = 0;
    let mut write = |frame: &[u8], compression| {
        ts += 1;
        let before = store.log().bytes_since_checkpoint();
        let mut room = store.log().reserve([frame.len()]).unwrap();
        let frame_of = LogFrame::Borrowed(frame);
        let lsn = store.log().append_with(Timestamp(ts), frame_of, compression, &mut room).unwrap();
        store.log().flush(lsn).unwrap();
        expected.push((ts, frame.to_vec()));
        store.log().bytes_since_checkpoint() - before
    };
    let (off, lz4) = (LogCompression::Off, LogCompression::Lz4);
    let plain = write(&text, off);
    let compressed = write(&text, lz4);
    assert!(compressed * 5 < plain, "{compressed} bytes against {plain}");
    // What does not save a block stays as it is.
    assert!(write(&random, lz4) > random.len() as u64);
    assert_eq!(write(b"short", lz4), 4096);
    drop(store);
    let (_, recovered) = open(&env, "d");
    assert_eq!(frames(recovered), expected);
}

#[test]
fn the_log_behind_a_checkpoint_comes_back() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, "d");
    let mut expected = Vec::new();
    let mut ts = 0;
    for round in 0..4 {
        store.checkpoint(Timestamp(ts), format!("round {round}").as_bytes()).unwrap();
        expected.clear();
        for len in [0, 1, 100, 5000, 150_000] {
            ts += 1;
            let frame = vec![ts as u8; len];
            let lsn = store.log().append(Timestamp(ts), &frame).unwrap();
            if len != 1 {
                store.log().flush(lsn).unwrap();
                assert_eq!(store.log().durable_ts(), Timestamp(ts));
            }
            expected.push((ts, frame));
        }
    }
    let lost = store.log().append(Timestamp(ts + 1), b"never flushed").unwrap();
    assert!(store.log().durable_lsn() < lost);
    drop(store);
    for _ in 0..3 {
        let (store, recovered) = open(&env, "d");
        assert_eq!(recovered.meta.as_deref(), Some(&b"round 3"[..]));
        assert_eq!(frames(recovered), expected);
        // What the last life did not finish must not stand between the frames of this one.
        ts += 1;
        let lsn = store.log().append(Timestamp(ts), b"after").unwrap();
        store.log().flush(lsn).unwrap();
        expected.push((ts, b"after".to_vec()));
    }
    // Recycled segments: never more than what is in use and two spares.
    let count = env.vfs.list(Path::new("d.wal")).unwrap().len();
    assert!(count <= 7, "{count}");
}

#[test]
fn a_store_that_is_open_cannot_be_opened() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, "d");
    let error = Store::open(env.clone(), Path::new("d"), options()).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::OBJECT_IN_USE);
    drop(store);
    open(&env, "d");
}

#[test]
fn what_is_no_database_is_left_alone() {
    let env = Env::in_memory(1);
    let file = env.vfs.open(Path::new("d"), OpenOptions::CREATE).unwrap();
    file.write_at(b"a letter to someone", 0).unwrap();
    let error = Store::open(env.clone(), Path::new("d"), options()).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::DATA_CORRUPTED);
    assert_eq!(file.len().unwrap(), 19);
    let none = StoreOptions { create: false, ..options() };
    let error = Store::open(env, Path::new("e"), none).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::UNDEFINED_FILE);
}

#[test]
fn a_missing_log_is_not_overlooked() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, "d");
    let lsn = store.log().append(Timestamp(1), b"one").unwrap();
    store.log().flush(lsn).unwrap();
    drop(store);
    for name in env.vfs.list(Path::new("d.wal")).unwrap() {
        env.vfs.remove(&Path::new("d.wal").join(name)).unwrap();
    }
    env.vfs.remove_dir(Path::new("d.wal")).unwrap();
    let error = Store::open(env, Path::new("d"), options()).unwrap_err();
    assert!(error.message().contains("missing"), "{error}");
}

#[test]
fn in_memory_nothing_is_kept_and_everything_works() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, ":memory:");
    let pages: Vec<_> = (0..100).map(|i| new_page(&store, i)).collect();
    for (i, page) in pages.iter().enumerate() {
        assert_eq!(store.pool().read(*page).unwrap()[PAGE_HEADER_BYTES], i as u8);
    }
    let lsn = store.log().append(Timestamp(3), b"frame").unwrap();
    store.log().flush(lsn).unwrap();
    assert_eq!(store.log().durable_ts(), Timestamp(3));
    store.checkpoint(Timestamp(3), b"").unwrap();
    clean(&store);
    store.close(Timestamp(3), b"").unwrap();
    assert!(env.vfs.list(Path::new(".")).unwrap().is_empty());
}

/// Random page changes, evictions, checkpoints beside them and reopenings against a map of what each page should hold.
#[test]
fn pages_are_what_the_model_says() {
    for (seed, node_count) in (0..6).zip([1, 2, 1, 2, 1, 4]) {
        let random = SeededRandom::new(seed);
        let env = env_of_nodes(seed, node_count);
        let mut store = open(&env, "d").0;
        let mut model: BTreeMap<PageId, u8> = BTreeMap::new();
        let mut saved = model.clone();
        let mut begun: Option<BTreeMap<PageId, u8>> = None;
        let (mut ts, mut saved_ts) = (0, 0);
        for _ in 0..3000 {
            // The thread moves about.
            env.topology.bind_thread(random.below(node_count as u64) as usize);
            let some = |model: &BTreeMap<PageId, u8>| {
                model.keys().nth(random.below(model.len() as u64) as usize).copied()
            };
            match random.below(100) {
                0..30 => {
                    let content = random.next_u64() as u8;
                    let page = new_page(&store, content);
                    assert!(model.insert(page, content).is_none());
                }
                30..60 => {
                    let Some(page) = some(&model) else { continue };
                    let content = random.next_u64() as u8;
                    let mut latched = store.pool().write(page).unwrap();
                    latched[PAGE_HEADER_BYTES..].fill(content);
                    model.insert(page, content);
                }
                60..75 => {
                    let Some(page) = some(&model) else { continue };
                    store.pool().free(page).unwrap();
                    model.remove(&page);
                    assert!(store.pool().read(page).is_err());
                }
                75..95 => {
                    let Some(page) = some(&model) else { continue };
                    let latched = store.pool().read(page).unwrap();
                    assert_eq!(page::page_id(&latched), u64::from(page.0));
                    assert!(latched[PAGE_HEADER_BYTES..].iter().all(|b| *b == model[&page]));
                }
                95..99 if begun.is_some() => {
                    if store.continue_checkpoint(3).unwrap() == CheckpointProgress::Finished {
                        saved = begun.take().unwrap();
                        saved_ts = ts;
                    }
                    clean(&store);
                }
                95..98 => {
                    ts += 1;
                    let start = store.prepare_checkpoint().unwrap();
                    store.begin_checkpoint(&start, Timestamp(ts), Vec::new()).unwrap();
                    begun = Some(model.clone());
                }
                98 => {
                    ts += 1;
                    store.checkpoint(Timestamp(ts), b"").unwrap();
                    saved.clone_from(&model);
                    saved_ts = ts;
                    clean(&store);
                }
                _ => {
                    // Without a close: back to the last checkpoint.
                    drop(store);
                    begun = None;
                    let (again, recovered) = open(&env, "d");
                    assert_eq!(recovered.checkpoint_ts, Timestamp(saved_ts));
                    store = again;
                    model.clone_from(&saved);
                    clean(&store);
                }
            }
            let statistics = store.pool().statistics();
            assert!(statistics.frame_count <= statistics.frames_max);
            assert_eq!(statistics.page_count, model.len());
        }
        for (page, content) in &model {
            assert_eq!(store.pool().read(*page).unwrap()[PAGE_HEADER_BYTES], *content);
        }
    }
}

#[test]
fn the_file_shrinks_when_pages_go() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, "d");
    let pages: Vec<_> = (0..1000).map(|i| new_page(&store, i as u8)).collect();
    store.checkpoint(Timestamp(1), b"").unwrap();
    let file = env.vfs.open(Path::new("d"), OpenOptions::EXISTING).unwrap();
    let before = file.len().unwrap();
    for page in &pages[1..] {
        store.pool().free(*page).unwrap();
    }
    store.checkpoint(Timestamp(2), b"").unwrap();
    store.checkpoint(Timestamp(3), b"").unwrap();
    store.close(Timestamp(4), b"").unwrap();
    let after = file.len().unwrap();
    assert!(after * 20 < before, "{before} before, {after} after");
}

/// A scan of ten times the pool leaves inner nodes and what is used often where they are.
#[test]
fn a_scan_does_not_wash_out_the_pool() {
    let env = Env::in_memory(1);
    let options = StoreOptions { pool_bytes: 64 * PAGE_BYTES_MIN, ..options() };
    let (store, _) = Store::open(env, Path::new("d"), options).unwrap();
    let rows = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    let count = 6000;
    for row in 0..count {
        rows.insert(RowId(row), &[row as u8; 400], RowFlags::NONE).unwrap();
    }
    let leaf_count = rows.verify(&mut |_| Ok(())).unwrap().leaves;
    assert!(leaf_count > 10 * 60, "{leaf_count} leaves");
    let load_count = || store.pool().statistics().load_count;
    let read_hot = || {
        let before = load_count();
        for row in (0..count).step_by(300) {
            assert_eq!(rows.get(RowId(row)).unwrap().unwrap().0[0], row as u8);
        }
        load_count() - before
    };
    for _ in 0..4 {
        read_hot();
    }
    for _ in 0..3 {
        let before = load_count();
        let mut next = Some(RowId(0));
        let mut seen = 0;
        while let Some(from) = next {
            // Three rows at a time: each leaf is looked at several times.
            let mut left = 3;
            next = rows
                .scan_leaf(from, |_, _, _| {
                    seen += 1;
                    left -= 1;
                    Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                })
                .unwrap();
        }
        assert_eq!(seen, count);
        let loaded = load_count() - before;
        assert!(loaded <= leaf_count, "{loaded} loads for {leaf_count} leaves");
        assert_eq!(read_hot(), 0, "of the pages that are used often");
    }
}

#[test]
fn a_pool_full_of_latched_pages_says_so() {
    let env = Env::in_memory(1);
    let (store, _) = open(&env, ":memory:");
    // Of nodes, nobody holds so many.
    let page = |_| store.pool().allocate(PageKind::Overflow, TreeId(1)).unwrap().page();
    let pages: Vec<_> = (0..20).map(page).collect();
    let latched: Vec<_> =
        pages[..16].iter().map(|page| store.pool().read(*page).unwrap()).collect();
    let error = store.pool().read(pages[17]).err().unwrap();
    assert_eq!(error.sqlstate(), SqlState::OUT_OF_MEMORY);
    drop(latched);
    store.pool().read(pages[17]).unwrap();
}

/// Committers at once, who wait for their own frame or for that of another, beside checkpoints.
#[test]
fn many_committers_share_flushes() {
    for lanes in [1, 2, 4] {
        let env = Env::in_memory(1);
        let options = StoreOptions { log_lanes: lanes, ..options() };
        let (store, _) = Store::open(env.clone(), Path::new("d"), options).unwrap();
        let section = parking_lot::Mutex::new(0_u64);
        let commit = |thread: u64| {
            for i in 0..200 {
                let (mine, lsn) = {
                    let mut ts = section.lock();
                    *ts += 1;
                    let mine = Timestamp(*ts);
                    (mine, store.log().append(mine, &ts.to_le_bytes()).unwrap())
                };
                match (thread + i) % 2 {
                    0 => store.log().flush(lsn).unwrap(),
                    _ => store.log().flush_ts(mine).unwrap(),
                }
                assert!(store.log().durable_ts() >= mine && store.log().durable_lsn() >= lsn);
            }
        };
        let mut saved = 0;
        std::thread::scope(|scope| {
            let commit = &commit;
            let threads: Vec<_> = (0..4).map(|it| scope.spawn(move || commit(it))).collect();
            while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let start = store.prepare_checkpoint().unwrap();
                {
                    let ts = section.lock();
                    saved = *ts;
                    store.begin_checkpoint(&start, Timestamp(saved), Vec::new()).unwrap();
                }
                while store.continue_checkpoint(5).unwrap() != CheckpointProgress::Finished {}
            }
        });
        assert!(store.log().flush_count() <= 800);
        drop(store);
        let found = frames(open(&env, "d").1);
        assert!(found.iter().map(|(ts, _)| *ts).eq(saved + 1..=800), "{lanes} lanes");
    }
}

/// Readers, writers, loads, evictions and checkpoints at once: a page is always whole, and no change is lost.
#[test]
fn threads_share_a_small_pool() {
    for node_count in [1, 2] {
        share_a_small_pool(node_count);
    }
}

fn share_a_small_pool(node_count: usize) {
    let env = env_of_nodes(1, node_count);
    let store = open(&env, "d").0;
    let page_count = 100;
    let pages: Vec<_> = (0..page_count).map(|_| new_page(&store, 0)).collect();
    let gate = parking_lot::RwLock::new(());
    let work = &|thread: u64| {
        env.topology.bind_thread(thread as usize % node_count);
        let random = SeededRandom::new(thread);
        let mut added = vec![0_u8; pages.len()];
        for _ in 0..3000 {
            let gate = gate.read();
            let index = random.below(page_count) as usize;
            if random.below(2) == 0 {
                let page = store.pool().read(pages[index]).unwrap();
                let body = &page[PAGE_HEADER_BYTES..];
                assert!(body.iter().all(|byte| *byte == body[0]));
            } else {
                let mut page = store.pool().write(pages[index]).unwrap();
                let next = page[PAGE_HEADER_BYTES].wrapping_add(1);
                page[PAGE_HEADER_BYTES..].fill(next);
                added[index] = added[index].wrapping_add(1);
            }
            drop(gate);
        }
        added
    };
    let sums = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|thread| scope.spawn(move || work(thread))).collect();
        for ts in 1..20 {
            let start = store.prepare_checkpoint().unwrap();
            let gate = gate.write();
            store.begin_checkpoint(&start, Timestamp(ts), Vec::new()).unwrap();
            drop(gate);
            while store.is_checkpointing() {
                store.continue_checkpoint(5).unwrap();
                std::thread::yield_now();
            }
        }
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    for (index, page) in pages.iter().enumerate() {
        let expected = sums.iter().fold(0_u8, |sum, added| sum.wrapping_add(added[index]));
        assert_eq!(store.pool().read(*page).unwrap()[PAGE_HEADER_BYTES], expected);
    }
    let statistics = store.pool().statistics();
    assert_eq!((statistics.frame_count, statistics.frames_max), (16, 16));
    clean(&store);
}

/// All pages that were left may be put aside after a call has looked at what lies aside: it finds nothing to write then, and the
/// pages are left all the same.
#[test]
fn a_call_that_writes_nothing_does_not_end_a_checkpoint() {
    let env = Env::in_memory(3);
    let (store, _) = open(&env, "d");
    let page = new_page(&store, 1);
    let start = store.prepare_checkpoint().unwrap();
    store.begin_checkpoint(&start, Timestamp(1), Vec::new()).unwrap();
    store.pool().write(page).unwrap()[PAGE_HEADER_BYTES..].fill(2);
    let progress = store.continue_checkpoint(0).unwrap();
    assert!(matches!(progress, CheckpointProgress::Writing { .. }), "{progress:?}");
    while store.is_checkpointing() {
        store.continue_checkpoint(1).unwrap();
    }
    drop(store);
    let (store, _) = open(&env, "d");
    assert_eq!(store.pool().read(page).unwrap()[PAGE_HEADER_BYTES], 1);
}

/// The machine's own files, in a directory of their own.
#[test]
fn real_files_work_alike() {
    let name = format!("damask-store-{}", SeededRandom::new(std::process::id().into()).next_u64());
    let directory = std::env::temp_dir().join(name);
    let env = Env::real();
    env.vfs.create_dir(&directory).unwrap();
    let path = directory.join("d.damask");
    let (store, _) = Store::open(env.clone(), &path, options()).unwrap();
    let page = new_page(&store, 9);
    store.checkpoint(Timestamp(1), b"m").unwrap();
    let lsn = store.log().append(Timestamp(2), b"two").unwrap();
    store.log().flush(lsn).unwrap();
    let taken = Store::open(env.clone(), &path, options()).unwrap_err();
    assert_eq!(taken.sqlstate(), SqlState::OBJECT_IN_USE);
    drop(store);
    let (store, recovered) = Store::open(env.clone(), &path, options()).unwrap();
    assert_eq!(frames(recovered), [(2, b"two".to_vec())]);
    assert_eq!(store.pool().read(page).unwrap()[PAGE_HEADER_BYTES], 9);
    store.close(Timestamp(2), b"m").unwrap();
    assert_eq!(env.vfs.list(&directory).unwrap(), ["d.damask"]);
    env.vfs.remove(&path).unwrap();
    env.vfs.remove_dir(&directory).unwrap();
}

/// Rows of a tree with a codec: fewer bytes in the file, the same rows, also after a change of the codec.
#[test]
fn compressed_trees_come_back() {
    for codec in [PageCodec::Lz4, PageCodec::Snappy, PageCodec::Zstd] {
        let env = Env::in_memory(1);
        let options = StoreOptions { page_bytes: PAGE_BYTES, ..options() };
        let open = || Store::open(env.clone(), Path::new("d"), options.clone()).unwrap().0;
        let store = open();
        let id = store.next_tree_id();
        // As of a tree that is only being made.
        store.allow_codecs().unwrap();
        store.set_codec(id, codec);
        let rows = RowTree::create(Arc::clone(store.pool()), id).unwrap();
        store.set_tree(TreeDescriptor { codec: store.codec(id), ..descriptor(&rows) });
        let tree = store.tree(id).unwrap();
        let row = |i: u64| format!("a row of some length, number {i}").into_bytes();
        // A row in overflow pages, too; and more rows than the pool has frames for.
        let long = b"so it goes; ".repeat(5000);
        rows.insert(RowId(0), &long, RowFlags::NONE).unwrap();
        for i in 1..20_000 {
            rows.insert(RowId(i), &row(i), RowFlags::NONE).unwrap();
        }
        drop(rows);
        clean(&store);
        store.checkpoint(Timestamp(1), &[]).unwrap();
        clean(&store);
        let page_bytes = (store.pool().statistics().page_count * PAGE_BYTES) as u64;
        let bytes = store.pool().tree_bytes(id);
        assert!(bytes * 2 <= page_bytes, "{codec:?}: {bytes} of {page_bytes} bytes");
        store.close(Timestamp(1), &[]).unwrap();
        drop(store);
        let len = env.vfs.open(Path::new("d"), OpenOptions::READ_ONLY).unwrap().len().unwrap();
        assert!(len < bytes + (64 << 10), "{codec:?}: a file of {len} bytes");
        assert!(verify_file(&env, Path::new("d")).unwrap().is_clean());

        let store = open();
        assert_eq!((store.tree(id), store.codec(id)), (Some(tree), codec));
        assert_eq!(store.pool().tree_bytes(id), bytes);
        let rows = RowTree::open(Arc::clone(store.pool()), id, tree.root).unwrap();
        assert_eq!(rows.get(RowId(0)).unwrap().unwrap().0, long);
        for i in 1..20_000 {
            assert_eq!(rows.get(RowId(i)).unwrap().unwrap().0, row(i));
        }
        // What is written from now on is written whole; the rest stays.
        store.set_codec(id, PageCodec::None);
        rows.insert(RowId(20_000), &row(20_000), RowFlags::NONE).unwrap();
        store.checkpoint(Timestamp(2), &[]).unwrap();
        let more = store.pool().tree_bytes(id);
        assert!(more > bytes && more < bytes + 5 * PAGE_BYTES as u64, "{bytes}, then {more}");
        clean(&store);
        rows.destroy().unwrap();
        store.remove_tree(id);
        assert_eq!(store.pool().tree_bytes(id), 0);
        store.checkpoint(Timestamp(3), &[]).unwrap();
        clean(&store);
    }
}

/// A reader that does not know compression, or write buffers, is told by the superblock, from the moment on that there may be any.
#[test]
fn features_are_told_by_the_superblock() {
    let env = Env::in_memory(1);
    let mark = |env: &Env| {
        let file = env.vfs.open(Path::new("d"), OpenOptions::READ_ONLY).unwrap();
        let newest = super::open::find_superblock(&*env.vfs, Path::new("d"), &*file);
        newest.unwrap().unwrap().features_incompatible
    };
    let (store, _) = open(&env, "d");
    store.checkpoint(Timestamp(1), &[]).unwrap();
    assert_eq!(mark(&env), FEATURE_FIXED_LEAVES);
    store.allow_codecs().unwrap();
    assert_eq!(mark(&env), FEATURE_FIXED_LEAVES | FEATURE_COMPRESSED_PAGES);
    store.checkpoint(Timestamp(2), &[]).unwrap();
    store.allow_write_buffers().unwrap();
    store.close(Timestamp(3), &[]).unwrap();
    let all = FEATURE_FIXED_LEAVES | FEATURE_COMPRESSED_PAGES | FEATURE_WRITE_BUFFERS;
    assert_eq!(mark(&env), all);
    drop(store);
    // Also of a database that was not closed.
    for (lanes, is_marked) in [(1, false), (2, true), (1, true)] {
        let options = StoreOptions { log_lanes: lanes, ..options() };
        let (store, _) = Store::open(env.clone(), Path::new("d"), options).unwrap();
        assert_eq!(mark(&env) & FEATURE_LOG_LANES != 0, is_marked);
        let lsn = store.log().append(Timestamp(4), b"frame").unwrap();
        store.log().flush(lsn).unwrap();
    }
}

#[test]
fn there_are_as_many_lanes_as_are_said() {
    let env = Env::in_memory(1);
    for (lanes, is_possible) in [(0, false), (1, true), (16, true), (17, false)] {
        let options = StoreOptions { log_lanes: lanes, ..options() };
        match Store::open(env.clone(), Path::new("d"), options) {
            Ok((store, _)) => assert!(is_possible && store.log().lane_count() == lanes),
            Err(error) => {
                assert!(!is_possible, "{error}");
                assert_eq!(error.sqlstate(), SqlState::INVALID_PARAMETER_VALUE);
            }
        }
    }
}

/// Readers that make room in a full pool move changed pages and, where they are compressed, change how many units they have; there is nothing
/// wrong with that.
#[test]
fn a_store_is_verified_beside_evictions() {
    let env = Env::in_memory(1);
    let options = StoreOptions { pool_bytes: 64 * PAGE_BYTES, page_bytes: PAGE_BYTES, ..options() };
    let store = Store::open(env, Path::new("d"), options).unwrap().0;
    let id = store.next_tree_id();
    store.allow_codecs().unwrap();
    store.set_codec(id, PageCodec::Lz4);
    let rows = RowTree::create(Arc::clone(store.pool()), id).unwrap();
    store.set_tree(TreeDescriptor { codec: store.codec(id), ..descriptor(&rows) });
    let count = 3000;
    for row in 0..count {
        rows.insert(RowId(row), &[b' '; 1000], RowFlags::NONE).unwrap();
    }
    store.checkpoint(Timestamp(1), &[]).unwrap();
    let random = SeededRandom::new(1);
    let mut moves = 0;
    for round in 0..50 {
        // Every other time what cannot be compressed.
        let mut content = [b' '; 1000];
        for row in (0..count).step_by(2) {
            if round % 2 == 0 {
                random.fill(&mut content);
            }
            rows.replace(RowId(row), &content, RowFlags::NONE).unwrap();
        }
        let dirty_count = || store.pool().statistics().dirty_count;
        let before = dirty_count();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                for row in (0..count).step_by(10) {
                    rows.get(RowId(row)).unwrap().unwrap();
                }
            });
            while !reader.is_finished() {
                // Without the trees, which takes longer than moving all there is to move.
                let disk = store.disk.as_ref().unwrap().lock();
                assert_eq!(store.book_problems(Some(&disk)), [""; 0]);
                assert_eq!(store.pool().check_pages(), [""; 0]);
            }
        });
        moves += before - dirty_count();
    }
    assert!(moves > 500, "{moves} changed pages were moved");
    clean(&store);
}
