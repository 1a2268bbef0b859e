//! Threads on one tree, over small pages and fewer frames than pages: what each did is there in the end, what nobody touches is seen by
//! every scan exactly once, and nothing is seen without what its change did elsewhere.
//!
//! The ledger of latches watches over their order meanwhile ([`crate::ledger`]).

use super::*;
use crate::page::PageId;
use crate::pool::ContentionRule;
use crate::store::{Store, StoreOptions};
use crate::testing::{Chance, env_of_nodes};
use damask_types::{Result, RowId};
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Threads that write.
const WRITERS: u64 = 4;
/// Row ids go to the writers in blocks of this many, whose first row is always there.
const BLOCK: u64 = 16;
/// Row ids in use.
const ROWS: u64 = 200 * BLOCK;

/// A store with so many frames, on a machine with so many nodes, where one change in `fight_one_in` counts as one that has waited for its
/// leaf and fights with the one before, if that is not zero.
fn store(frames: usize, node_count: usize, fight_one_in: u64) -> Store {
    let options = StoreOptions {
        page_bytes: 4096,
        pool_bytes: frames * 4096,
        contention: ContentionRule::pretending(fight_one_in),
        ..StoreOptions::default()
    };
    Store::open(env_of_nodes(1, node_count), Path::new(":memory:"), options).unwrap().0
}

/// The calling thread, one of many, runs on some node.
fn settle_down(store: &Store, thread: u64) {
    let topology = &store.env().topology;
    topology.bind_thread(thread as usize % topology.nodes().len());
}

/// The tree is sound and has all pages of the store.
fn check(
    store: &Store,
    verify: impl FnOnce(&mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics>,
) -> TreeStatistics {
    let mut pages = HashSet::new();
    let statistics = verify(&mut |page| {
        assert!(pages.insert(page), "{page} is reached twice");
        Ok(())
    })
    .unwrap();
    assert_eq!(pages.len(), store.pool().statistics().page_count);
    assert_eq!(store.pool().holdings(), crate::pool::PoolHoldings::default());
    statistics
}

/// One writer less when it is dropped, by a panic too.
struct Until<'f>(&'f AtomicU64);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A row tree with what was last done to each row, kept elsewhere as versions are: changed under the leaf's latch only.
struct Stamped {
    tree: RowTree,
    /// By row id; 0 for a row that is not there.
    stamps: Vec<AtomicU64>,
}

/// A row of `len` bytes at least that carries its stamp.
fn row(stamp: u64, len: u64) -> Vec<u8> {
    let mut row = stamp.to_le_bytes().to_vec();
    row.resize(8 + len as usize, stamp as u8);
    row
}

impl Stamped {
    /// What a reader finds under the latch is what was last done.
    fn check(&self, rowid: RowId, bytes: Option<&[u8]>) {
        let stamp = bytes.map_or(0, |bytes| u64::from_le_bytes(bytes[..8].try_into().unwrap()));
        let last = self.stamps[rowid.0 as usize].load(Ordering::Acquire);
        assert_eq!(stamp, last, "row {rowid:?} is seen without its change");
        if let Some(bytes) = bytes {
            assert!(bytes[8..].iter().all(|byte| *byte == stamp as u8), "a row is whole");
        }
    }

    fn put(&self, rowid: RowId, bytes: &[u8], stamp: u64) {
        let put = self.tree.modify(rowid, |slot| {
            self.stamps[rowid.0 as usize].store(stamp, Ordering::Release);
            slot.put(bytes, RowFlags::NONE);
            Ok(())
        });
        put.unwrap();
    }

    /// One thread's changes of its blocks; what is there of them in the end.
    fn write(&self, writer: u64, steps: u64) -> BTreeMap<u64, Vec<u8>> {
        let mut chance = Chance(writer);
        let mut model = BTreeMap::new();
        for step in 1..=steps {
            let block = chance.below(ROWS / BLOCK / WRITERS) * WRITERS + writer;
            let offset = chance.below(BLOCK);
            let rowid = RowId(block * BLOCK + offset);
            let stamp = step * WRITERS + writer;
            let len = if chance.one_in(60) { 4000 } else { chance.below(400) };
            // Phases of mostly adding and mostly removing, so that leaves split and merge all the time.
            let is_adding = step / 400 % 2 == 0;
            match chance.below(8) {
                0 => self.add_run(&mut chance, &mut model, rowid, stamp),
                1..=4 if is_adding || offset == 0 => {
                    self.put(rowid, &row(stamp, len), stamp);
                    model.insert(rowid.0, row(stamp, len));
                }
                5 if is_adding => {}
                _ if offset > 0 => {
                    let remove = self.tree.modify(rowid, |slot| {
                        self.stamps[rowid.0 as usize].store(0, Ordering::Release);
                        slot.remove();
                        Ok(())
                    });
                    remove.unwrap();
                    model.remove(&rowid.0);
                }
                _ => {
                    let read = self.tree.read(rowid, |found| {
                        self.check(rowid, found.map(|(bytes, _)| bytes));
                        found.map(|(bytes, _)| bytes.to_vec())
                    });
                    if let Some(row) = model.get(&rowid.0) {
                        assert_eq!(read.unwrap().as_ref(), Some(row));
                    }
                }
            }
        }
        model
    }

    /// Adds rows up to the end of a block, as many as there are places free.
    fn add_run(
        &self,
        chance: &mut Chance,
        model: &mut BTreeMap<u64, Vec<u8>>,
        first: RowId,
        stamp: u64,
    ) {
        let count = BLOCK - first.0 % BLOCK;
        let rows: Vec<Vec<u8>> = (0..count).map(|_| row(stamp, chance.below(100))).collect();
        let slices: Vec<&[u8]> = rows.iter().map(|row| &row[..]).collect();
        let admit = |count: usize| {
            for stamped in &self.stamps[first.0 as usize..first.0 as usize + count] {
                stamped.store(stamp, Ordering::Release);
            }
        };
        let placed = self.tree.insert_run(first, &slices, admit).unwrap();
        model.extend((first.0..).zip(rows).take(placed));
    }

    /// Scans of all kinds, each of which sees rows in order, and those that are always there.
    fn scan(&self, kind: u64) {
        let mut seen: Vec<RowId> = Vec::new();
        let mut next = Some(RowId(if kind == 1 { u64::MAX } else { 0 }));
        while let Some(from) = next {
            let mut visit = |rowid: RowId, _, bytes: &[u8]| {
                self.check(rowid, Some(bytes));
                seen.push(rowid);
                Ok(ControlFlow::Continue(()))
            };
            next = match kind {
                0 => self.tree.scan_leaf(from, visit).unwrap(),
                1 => self.tree.scan_leaf_reverse(from, visit).unwrap(),
                _ => {
                    let runs = self.tree.scan_leaf_runs(from, RowId(ROWS), |flags, ids, rows| {
                        for (rowid, row) in ids.iter().zip(rows) {
                            let _ = visit(*rowid, flags, row)?;
                        }
                        Ok(ids.len())
                    });
                    runs.unwrap()
                }
            };
        }
        if kind == 1 {
            seen.reverse();
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "no row is seen twice");
        let always = seen.iter().filter(|rowid| rowid.0 % BLOCK == 0).count() as u64;
        assert_eq!(always, ROWS / BLOCK, "every row that is always there is seen");
    }
}

#[test]
fn threads_split_and_merge_a_row_tree() {
    // More frames than pages, and fewer, and those on two nodes; leaves that are split and merged for being fought for.
    for (frames, node_count, fight_one_in) in [(2048, 1, 0), (64, 1, 0), (64, 2, 0), (64, 1, 3)] {
        let store = store(frames, node_count, fight_one_in);
        let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        let stamps = (0..ROWS).map(|_| AtomicU64::new(0)).collect();
        let stamped = Stamped { tree, stamps };
        let mut model = BTreeMap::new();
        for rowid in (0..ROWS).step_by(BLOCK as usize) {
            stamped.put(RowId(rowid), &row(7, 20), 7);
            model.insert(rowid, row(7, 20));
        }
        let writing = AtomicU64::new(WRITERS);
        std::thread::scope(|scope| {
            let (stamped, writing, store) = (&stamped, &writing, &store);
            let write = |writer| {
                scope.spawn(move || {
                    let _until = Until(writing);
                    settle_down(store, writer);
                    stamped.write(writer, 12_000)
                })
            };
            let writers: Vec<_> = (0..WRITERS).map(write).collect();
            for first in 0..2 {
                scope.spawn(move || {
                    let mut kind = first;
                    while writing.load(Ordering::Acquire) > 0 {
                        stamped.scan(kind % 3);
                        kind += 1;
                    }
                });
            }
            for writer in writers {
                model.extend(writer.join().unwrap());
            }
        });
        for kind in 0..3 {
            stamped.scan(kind);
        }
        assert!(fight_one_in == 0 || store.pool().statistics().contention_splits > 100);
        let statistics = check(&store, |visit| stamped.tree.verify(visit));
        assert_eq!(statistics.entries, model.len() as u64);
        for (rowid, row) in &model {
            assert_eq!(stamped.tree.get(RowId(*rowid)).unwrap().unwrap().0, *row);
        }
    }
}

/// A key of the index; keys of different numbers have different lengths, and leaves hold a dozen of them.
fn key(number: u64) -> Vec<u8> {
    let mut key = vec![1 + (number / 200) as u8; (number * 37 % 300) as usize];
    key.extend_from_slice(format!("{number:05}").as_bytes());
    key.push(0);
    key
}

/// Each thread adds and takes entries of its own rows under keys that all share; those of row 0 are always there.
#[test]
fn threads_split_and_merge_an_index_tree() {
    for (node_count, fight_one_in) in [(1, 0), (2, 0), (1, 3)] {
        let store = store(64, node_count, fight_one_in);
        split_and_merge_an_index_tree(&store);
        assert!(fight_one_in == 0 || store.pool().statistics().contention_splits > 100);
    }
}

fn split_and_merge_an_index_tree(store: &Store) {
    const KEYS: u64 = 300;
    let tree = IndexTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    for number in 0..KEYS {
        tree.insert(&key(number), RowId(0), EntryFlags::NONE).unwrap();
    }
    let writing = AtomicU64::new(WRITERS);
    let write = |writer: u64| {
        let _until = Until(&writing);
        settle_down(store, writer);
        let mut chance = Chance(writer);
        let mut model = BTreeMap::new();
        for step in 0..12_000 {
            let number = chance.below(KEYS);
            let rowid = 1 + writer + chance.below(6) * WRITERS;
            let (key, entry) = (key(number), (number, rowid));
            let flags = if chance.one_in(3) { EntryFlags::DELETE_MARK } else { EntryFlags::NONE };
            let is_adding = step / 300 % 2 == 0;
            match chance.below(4) {
                0 => {
                    let is_there = tree.set_flags(&key, RowId(rowid), flags).unwrap();
                    assert_eq!(model.contains_key(&entry), is_there);
                    model.entry(entry).and_modify(|old| *old = flags);
                }
                1 | 2 if is_adding => {
                    let is_new = tree.insert(&key, RowId(rowid), flags).unwrap();
                    assert_eq!(model.insert(entry, flags).is_none(), is_new);
                }
                _ => {
                    let is_there = tree.remove(&key, RowId(rowid)).unwrap();
                    assert_eq!(model.remove(&entry).is_some(), is_there);
                }
            }
            assert_eq!(tree.get(&key, RowId(rowid)).unwrap(), model.get(&entry).copied());
        }
        model
    };
    let scan = |direction| {
        let mut range = KeyRange::all();
        let mut seen: Vec<(Vec<u8>, RowId)> = Vec::new();
        while tree
            .scan_leaf(&mut range, direction, |entry| {
                seen.push((entry.key.to_vec(), entry.rowid));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap()
        {}
        if direction == Direction::Backward {
            seen.reverse();
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "no entry is seen twice");
        let always = seen.iter().filter(|entry| entry.1 == RowId(0)).count() as u64;
        assert_eq!(always, KEYS, "every entry that is always there is seen");
    };
    let mut model = BTreeMap::new();
    std::thread::scope(|scope| {
        let (write, scan, writing) = (&write, &scan, &writing);
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        for direction in [Direction::Forward, Direction::Backward] {
            scope.spawn(move || {
                while writing.load(Ordering::Acquire) > 0 {
                    scan(direction);
                }
            });
        }
        for writer in writers {
            model.extend(writer.join().unwrap());
        }
    });
    let statistics = check(store, |visit| tree.verify(visit));
    assert_eq!(statistics.entries, KEYS + model.len() as u64);
    for ((number, rowid), flags) in model {
        assert_eq!(tree.get(&key(number), RowId(rowid)).unwrap(), Some(flags));
    }
}

/// Threads take the same unique keys for rows of their own and give them up again, mostly by marking the entry, so that a key has many
/// entries and they lie in several leaves. Nobody ever has a key that another one has.
#[test]
fn a_unique_key_is_one_threads_at_a_time() {
    const KEYS: u64 = 4;
    let store = store(64, 2, 10);
    let tree = IndexTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    let taken: Vec<AtomicBool> = (0..KEYS).map(|_| AtomicBool::new(false)).collect();
    let met = AtomicU64::new(0);
    let work = |writer: u64| {
        settle_down(&store, writer);
        let mut chance = Chance(writer);
        // Entries there are, and which of them stand.
        let mut own: BTreeMap<(u64, u64), bool> = BTreeMap::new();
        for _ in 0..6000 {
            let number = chance.below(KEYS);
            let rowid = writer + chance.below(100) * WRITERS;
            let (key, is_taken) = (key(number), &taken[number as usize]);
            let has_key = own.range((number, 0)..(number + 1, 0)).find(|(_, stands)| **stands);
            if let Some((&(_, rowid), _)) = has_key {
                assert!(is_taken.swap(false, Ordering::AcqRel), "it was this thread's");
                if chance.one_in(4) {
                    assert!(tree.remove(&key, RowId(rowid)).unwrap());
                    own.remove(&(number, rowid));
                } else {
                    assert!(tree.set_flags(&key, RowId(rowid), EntryFlags::DELETE_MARK).unwrap());
                    own.insert((number, rowid), false);
                }
                continue;
            }
            let conflict = |other, flags| Ok((flags == EntryFlags::NONE).then_some(other));
            let none = EntryFlags::NONE;
            match tree.insert_unless(&key, key.len(), RowId(rowid), none, conflict).unwrap() {
                Ok(is_new) => {
                    assert!(!is_taken.swap(true, Ordering::AcqRel), "nobody else has the key");
                    assert_eq!(own.insert((number, rowid), true).is_none(), is_new);
                }
                Err(other) => {
                    assert_ne!(other.0 % WRITERS, writer, "another thread has it");
                    met.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        own
    };
    let mut entries = 0;
    std::thread::scope(|scope| {
        let work = &work;
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || work(writer))).collect();
        entries = writers.into_iter().map(|writer| writer.join().unwrap().len()).sum();
    });
    assert!(met.into_inner() > 0, "keys were fought for");
    let statistics = check(&store, |visit| tree.verify(visit));
    assert_eq!(statistics.entries, entries as u64);
    assert!(statistics.height > 1, "{statistics:?}");
}
