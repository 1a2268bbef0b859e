//! Leaves that are fought for, with a latch that is held until a change waits for it.

use super::*;
use crate::page::PageId;
use crate::pool::{ContentionRule, PoolStatistics};
use crate::store::{Store, StoreOptions};
use crate::testing::{Chance, env_of_nodes};
use damask_types::RowId;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Three waits between two entries are a fight; each is looked at.
const RULE: ContentionRule = ContentionRule {
    sample_one_in: 1,
    window_changes: 100,
    crossings: 3,
    entries_min: 2,
    apart_changes: 50,
    pretend_one_in: 0,
};

fn store(contention: ContentionRule) -> Store {
    let options = StoreOptions { contention, ..StoreOptions::default() };
    Store::open(env_of_nodes(1, 1), Path::new(":memory:"), options).unwrap().0
}

fn statistics(store: &Store) -> PoolStatistics {
    store.pool().statistics()
}

/// Makes a change that finds a page latched.
fn wait_for(store: &Store, page: PageId, change: impl FnOnce() + Send) {
    let before = statistics(store).leaf_waits;
    let latched = store.pool().read(page).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(change);
        while statistics(store).leaf_waits == before {
            std::thread::yield_now();
        }
        drop(latched);
    });
}

/// A tree with ten entries in one leaf.
trait Ten {
    fn make(store: &Store) -> Self;
    fn root(&self) -> PageId;
    /// Changes an entry that is there.
    fn change(&self, entry: u64);
    fn add(&self, entry: u64);
    fn remove(&self, entry: u64);
    fn statistics(&self) -> TreeStatistics;
    /// The entries of each leaf.
    fn leaves(&self) -> Vec<Vec<u64>>;
}

impl Ten for RowTree {
    fn make(store: &Store) -> Self {
        let tree = Self::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        (0..10).for_each(|entry| tree.add(entry));
        tree
    }

    fn root(&self) -> PageId {
        self.root()
    }

    fn change(&self, entry: u64) {
        assert!(self.replace(RowId(entry), &[1; 20], RowFlags::NONE).unwrap());
    }

    fn add(&self, entry: u64) {
        assert!(self.insert(RowId(entry), &[0; 20], RowFlags::NONE).unwrap());
    }

    fn remove(&self, entry: u64) {
        assert!(self.remove(RowId(entry)).unwrap());
    }

    fn statistics(&self) -> TreeStatistics {
        self.verify(&mut |_| Ok(())).unwrap()
    }

    fn leaves(&self) -> Vec<Vec<u64>> {
        let (mut leaves, mut next) = (Vec::new(), Some(RowId(0)));
        while let Some(from) = next {
            let mut leaf = Vec::new();
            let visit = |rowid: RowId, _, _: &[u8]| {
                leaf.push(rowid.0);
                Ok(ControlFlow::Continue(()))
            };
            next = self.scan_leaf(from, visit).unwrap();
            leaves.push(leaf);
        }
        leaves
    }
}

/// The key of an entry, whose row is 7.
fn key(entry: u64) -> [u8; 3] {
    [9, entry as u8, 0]
}

impl Ten for IndexTree {
    fn make(store: &Store) -> Self {
        let tree = Self::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        (0..10).for_each(|entry| tree.add(entry));
        tree
    }

    fn root(&self) -> PageId {
        self.root()
    }

    fn change(&self, entry: u64) {
        assert!(self.set_flags(&key(entry), RowId(7), EntryFlags::DELETE_MARK).unwrap());
    }

    fn add(&self, entry: u64) {
        assert!(self.insert(&key(entry), RowId(7), EntryFlags::NONE).unwrap());
    }

    fn remove(&self, entry: u64) {
        assert!(self.remove(&key(entry), RowId(7)).unwrap());
    }

    fn statistics(&self) -> TreeStatistics {
        self.verify(&mut |_| Ok(())).unwrap()
    }

    fn leaves(&self) -> Vec<Vec<u64>> {
        let (mut leaves, mut range) = (Vec::new(), KeyRange::all());
        let mut is_more = true;
        while is_more {
            let mut leaf = Vec::new();
            let visit = |entry: IndexEntry<'_>| {
                leaf.push(u64::from(entry.key[1]));
                Ok(ControlFlow::Continue(()))
            };
            is_more = self.scan_leaf(&mut range, Direction::Forward, visit).unwrap();
            leaves.push(leaf);
        }
        leaves
    }
}

/// Changes of these entries in turns, each of which finds the leaf latched.
fn fight<T: Ten + Sync>(store: &Store, tree: &T, leaf: PageId, entries: &[u64], count: usize) {
    for entry in entries.iter().cycle().take(count) {
        wait_for(store, leaf, || tree.change(*entry));
    }
}

fn two_entries_are_parted<T: Ten + Sync>() {
    let store = store(RULE);
    let tree = T::make(&store);
    fight(&store, &tree, tree.root(), &[3, 4], 3);
    assert_eq!(statistics(&store).contention_splits, 0, "two waits for another entry");
    fight(&store, &tree, tree.root(), &[4], 1);
    assert_eq!(tree.leaves(), [[0, 1, 2, 3].to_vec(), [4, 5, 6, 7, 8, 9].to_vec()]);
    assert_eq!((statistics(&store).contention_splits, statistics(&store).leaf_waits), (1, 4));
    assert_eq!((tree.statistics().entries, tree.statistics().height), (10, 2));

    // They stay so, though one is underfull and a neighbour has room, until many changes were made.
    tree.remove(9);
    assert_eq!(tree.leaves().len(), 2);
    (0..60).for_each(|_| tree.change(5));
    tree.remove(8);
    assert_eq!(tree.leaves().len(), 2, "the other half's time is not over");
    (0..60).for_each(|_| tree.change(0));
    tree.remove(7);
    assert_eq!(tree.leaves(), [(0..7).collect::<Vec<_>>()]);
    assert_eq!((tree.statistics().entries, tree.statistics().height), (7, 1));
}

#[test]
fn two_entries_that_are_fought_for_are_parted() {
    two_entries_are_parted::<RowTree>();
    two_entries_are_parted::<IndexTree>();
}

fn nothing_else_is_split<T: Ten + Sync>() {
    let store = store(RULE);
    let tree = T::make(&store);
    fight(&store, &tree, tree.root(), &[5], 12);
    assert_eq!(statistics(&store).leaf_waits, 12, "one hot entry");
    // Entries that are added, as at the end of a table.
    for entry in 10..20 {
        wait_for(&store, tree.root(), || tree.add(entry));
    }
    // Too many other changes in between.
    for entry in [3, 4].into_iter().cycle().take(8) {
        wait_for(&store, tree.root(), || tree.change(entry));
        (0..60).for_each(|_| tree.change(entry));
    }
    // Nothing would be left beside the first.
    fight(&store, &tree, tree.root(), &[0, 1], 12);
    assert_eq!(statistics(&store).contention_splits, 0);
    assert_eq!((tree.leaves().len(), tree.statistics().height), (1, 1));
}

#[test]
fn one_entry_and_new_ones_split_nothing() {
    nothing_else_is_split::<RowTree>();
    nothing_else_is_split::<IndexTree>();
}

/// All are fought for: leaves are split until they have as few entries as they may.
fn all_are_parted<T: Ten + Sync>() {
    let store = store(ContentionRule { pretend_one_in: 1, crossings: 1, ..RULE });
    let tree = T::make(&store);
    let mut chance = Chance(1);
    for _ in 0..2000 {
        tree.change(chance.below(10));
    }
    let leaves = tree.leaves();
    assert_eq!(leaves.concat(), (0..10).collect::<Vec<_>>());
    assert!(
        leaves.len() >= 3 && leaves.iter().all(|leaf| (2..4).contains(&leaf.len())),
        "{leaves:?}"
    );
    assert_eq!(statistics(&store).contention_splits, leaves.len() as u64 - 1);
    // A leaf that is empty goes at once.
    leaves[1].iter().for_each(|entry| tree.remove(*entry));
    assert!(tree.leaves().iter().all(|leaf| !leaf.is_empty()));
    assert_eq!(tree.statistics().entries, 10 - leaves[1].len() as u64);
}

#[test]
fn leaves_keep_a_least_number_of_entries() {
    all_are_parted::<RowTree>();
    all_are_parted::<IndexTree>();
}
