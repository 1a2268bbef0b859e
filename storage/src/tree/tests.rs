//! Random operations against a plain model, over small pages and few frames, with a verification every so often.

use super::*;
use crate::env::Env;
use crate::page::{PageId, PageKind, TreeId};
use crate::pool::ContentionRule;
use crate::store::{Planted, Store, StoreOptions};
use crate::testing::Chance;
use crate::vfs::{Fault, SimVfs};
use damask_types::{Error, Result, RowId, SqlState};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

type Rows = BTreeMap<u64, (Vec<u8>, RowFlags)>;
type Entries = BTreeMap<(Vec<u8>, u64), EntryFlags>;

/// Pages of 4 KiB, and far fewer frames than pages.
fn store() -> Store {
    fought_for(0)
}

/// [`store`], where one change in `one_in` counts as one that fights for its leaf, if that is not zero.
fn fought_for(one_in: u64) -> Store {
    let options = StoreOptions {
        page_bytes: 4096,
        pool_bytes: 24 * 4096,
        contention: ContentionRule::pretending(one_in),
        ..StoreOptions::default()
    };
    Store::open(Env::in_memory(1), Path::new(":memory:"), options).unwrap().0
}

fn pages_of(
    verify: impl FnOnce(&mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics>,
) -> (TreeStatistics, HashSet<PageId>) {
    let mut pages = HashSet::new();
    let statistics = verify(&mut |page| {
        assert!(pages.insert(page), "{page} is reached twice");
        Ok(())
    });
    (statistics.unwrap(), pages)
}

/// The tree is sound and has all pages of the store.
fn check_rows(store: &Store, tree: &RowTree, model: &Rows) -> TreeStatistics {
    let (statistics, pages) = pages_of(|visit| tree.verify(visit));
    assert_eq!(statistics.entries, model.len() as u64);
    assert_eq!(pages.len(), store.pool().statistics().page_count);
    assert_eq!(tree.max_rowid().unwrap(), model.keys().last().copied().map(RowId));
    let mut rows = Vec::new();
    let mut next = Some(RowId(0));
    while let Some(from) = next {
        next = tree
            .scan_leaf(from, |rowid, flags, row| {
                rows.push((rowid.0, (row.to_vec(), flags)));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
    }
    assert!(rows.iter().map(|(rowid, row)| (rowid, row)).eq(model.iter()));
    let mut reversed = Vec::new();
    let mut next = Some(RowId(u64::MAX));
    while let Some(from) = next {
        next = tree
            .scan_leaf_reverse(from, |rowid, _, _| {
                reversed.push(rowid.0);
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
    }
    assert!(reversed.iter().eq(model.keys().rev()));
    statistics
}

/// One random change of the tree and its model.
fn change_row(chance: &mut Chance, tree: &RowTree, model: &mut Rows, rowid: u64, len: u64) {
    let id = RowId(rowid);
    let bytes = vec![chance.next() as u8; len as usize];
    let flags = if chance.one_in(4) { RowFlags::GHOST } else { RowFlags::VERSIONED };
    let is_there = model.contains_key(&rowid);
    match chance.below(6) {
        5 => add_run(chance, tree, model, rowid),
        0 | 1 => {
            assert_eq!(tree.insert(id, &bytes, flags).unwrap(), !is_there);
            model.entry(rowid).or_insert((bytes, flags));
        }
        2 => {
            assert_eq!(tree.replace(id, &bytes, flags).unwrap(), is_there);
            model.entry(rowid).and_modify(|row| *row = (bytes, flags));
        }
        3 => {
            assert_eq!(tree.set_flags(id, flags).unwrap(), is_there);
            model.entry(rowid).and_modify(|row| row.1 = flags);
        }
        _ => {
            assert_eq!(tree.remove(id).unwrap(), is_there);
            model.remove(&rowid);
        }
    }
    assert_eq!(tree.get(id).unwrap(), model.get(&rowid).cloned());
}

/// Adds a run of rows, of which the leaf takes what it takes.
fn add_run(chance: &mut Chance, tree: &RowTree, model: &mut Rows, rowid: u64) {
    let len = 1 + chance.below(40);
    let rows: Vec<Vec<u8>> =
        (0..len).map(|_| vec![chance.next() as u8; chance.below(150) as usize]).collect();
    let slices: Vec<&[u8]> = rows.iter().map(|row| &row[..]).collect();
    let mut admitted = 0;
    let placed = tree.insert_run(RowId(rowid), &slices, |count| admitted = count).unwrap();
    assert_eq!(placed, admitted);
    for (i, row) in rows.into_iter().take(placed).enumerate() {
        let old = model.insert(rowid + i as u64, (row, RowFlags::NONE));
        assert_eq!(old, None, "no slot is overwritten");
    }
}

#[test]
fn a_row_tree_is_what_its_model_says() {
    for seed in 0..6 {
        // In the later rounds leaves are split and merged for being fought for, too.
        let fight_one_in = seed / 3 * 3;
        let store = fought_for(fight_one_in);
        let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        let mut model = Rows::new();
        let mut chance = Chance(seed);
        // Dense, gappy, or all over the range, so that leaves go wide.
        let shift = [54, 44, 0][seed as usize % 3];
        for step in 0..4000 {
            // Phases of mostly adding and mostly removing.
            let rowid = chance.next() >> shift;
            let len = match chance.below(60) {
                0 => chance.below(20_000),
                1..=4 => chance.below(1100),
                _ => chance.below(150),
            };
            change_row(&mut chance, &tree, &mut model, rowid, len);
            if step > 2500 && chance.one_in(2) {
                let Some(rowid) = model.range(rowid..).next().map(|(rowid, _)| *rowid) else {
                    continue;
                };
                assert!(tree.remove(RowId(rowid)).unwrap());
                model.remove(&rowid);
            }
            if step % 500 == 0 {
                check_rows(&store, &tree, &model);
            }
        }
        let statistics = check_rows(&store, &tree, &model);
        let splits = store.pool().statistics().contention_splits;
        // Rows that are all over the range are hardly ever changed.
        assert_eq!(splits > 10, fight_one_in > 0 && shift == 54, "{splits}");
        assert!(statistics.height >= 2, "{statistics:?}");
        for rowid in model.keys() {
            assert!(tree.remove(RowId(*rowid)).unwrap());
        }
        let statistics = check_rows(&store, &tree, &Rows::new());
        assert_eq!((statistics.height, statistics.leaves), (1, 1), "{statistics:?}");
        tree.destroy().unwrap();
        assert_eq!(store.pool().statistics().page_count, 0);
    }
}

#[test]
fn rows_in_order_fill_their_leaves() {
    let store = store();
    let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    let mut model = Rows::new();
    for i in 0..60_000 {
        let row = (vec![i as u8; 20], RowFlags::NONE);
        assert!(tree.insert(RowId(i), &row.0, row.1).unwrap());
        model.insert(i, row);
    }
    let statistics = check_rows(&store, &tree, &model);
    assert_eq!(statistics.leaves, 60_000 / (4032 / 28) + 1);
    assert_eq!(statistics.height, 3);
    // A queue: rows leave at the head.
    for i in 0..59_000 {
        tree.remove(RowId(i)).unwrap();
        model.remove(&i);
    }
    let statistics = check_rows(&store, &tree, &model);
    assert!(statistics.leaves <= 1000 / 100 + 1, "{statistics:?}");
    // Row ids at both ends of what there is.
    for rowid in [0, u64::MAX] {
        assert!(tree.insert(RowId(rowid), b"end", RowFlags::NONE).unwrap());
        model.insert(rowid, (b"end".to_vec(), RowFlags::NONE));
    }
    check_rows(&store, &tree, &model);
}

#[test]
fn scans_stop_and_go_on_at_any_row() {
    let store = store();
    let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    for i in 0..1000 {
        tree.insert(RowId(i * 3), &[0; 50], RowFlags::NONE).unwrap();
    }
    let mut chance = Chance(4);
    let (mut next, mut seen) = (Some(RowId(0)), Vec::new());
    while let Some(from) = next {
        next = tree
            .scan_leaf(from, |rowid, _, _| {
                seen.push(rowid.0);
                Ok(if chance.one_in(7) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })
            .unwrap();
    }
    assert!(seen.into_iter().eq((0..1000).map(|i| i * 3)));
    // The same in runs, within limits, over rows with flags here and there and a long one.
    tree.set_flags(RowId(300), RowFlags::GHOST).unwrap();
    tree.replace(RowId(303), &[1; 9000], RowFlags::NONE).unwrap();
    for (first, last) in [(0, u64::MAX), (7, 1500), (1500, 1500), (301, 302), (9000, 9100)] {
        let (mut next, mut seen) = (Some(RowId(first)), Vec::new());
        while let Some(from) = next {
            next = tree
                .scan_leaf_runs(from, RowId(last), |flags, rowids, rows| {
                    assert_eq!(rowids.len(), rows.len());
                    assert_eq!(flags.has(RowFlags::GHOST), rowids == [RowId(300)]);
                    let taken = chance.below(rowids.len() as u64 + 1) as usize;
                    for (rowid, row) in rowids.iter().zip(rows).take(taken) {
                        assert_eq!(row.len(), if rowid.0 == 303 { 9000 } else { 50 });
                        seen.push(rowid.0);
                    }
                    Ok(taken)
                })
                .unwrap();
        }
        let expected = (0..1000).map(|i| i * 3).filter(|i| (first..=last).contains(i));
        assert!(seen.into_iter().eq(expected), "{first} to {last}");
    }
    // An error of the visitor comes out.
    let error = tree.scan_leaf(RowId(0), |_, _, _| Err(Error::internal("enough"))).unwrap_err();
    assert_eq!(error.message(), "enough");
}

#[test]
fn a_modification_that_fails_changes_nothing() {
    let store = store();
    let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    tree.insert(RowId(1), b"old", RowFlags::NONE).unwrap();
    let failed: Result<()> = tree.modify(RowId(1), |slot| {
        slot.put(&b"new"[..], RowFlags::NONE);
        Err(Error::internal("no"))
    });
    failed.unwrap_err();
    assert_eq!(tree.get(RowId(1)).unwrap().unwrap().0, b"old");
    let too_long = vec![0; crate::row::ROW_BYTES_MAX + 1];
    let error = tree.insert(RowId(2), &too_long, RowFlags::NONE).unwrap_err();
    assert_eq!(error.sqlstate(), SqlState::PROGRAM_LIMIT_EXCEEDED);
}

#[test]
fn trees_come_back_by_their_roots() {
    let store = store();
    let rows = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    for i in 0..1000 {
        rows.insert(RowId(i), &[1; 100], RowFlags::NONE).unwrap();
    }
    let again = RowTree::open(Arc::clone(store.pool()), rows.id(), rows.root()).unwrap();
    assert_eq!(again.get(RowId(999)).unwrap().unwrap().0, [1; 100]);
    assert!(IndexTree::open(Arc::clone(store.pool()), rows.id(), rows.root()).is_err());
}

fn key(chance: &mut Chance, shape: u64) -> Vec<u8> {
    // No key may be a prefix of another: a 0 ends it, and is nowhere else.
    let mut key: Vec<u8> = match shape {
        0 => chance.below(2000).to_be_bytes().map(|byte| byte.max(1)).to_vec(),
        1 => (0..chance.below(6)).map(|_| 1 + chance.below(3) as u8).collect(),
        // Of one length, but for a few.
        3 => {
            let bytes = chance.below(2000).to_be_bytes().map(|byte| byte.max(1));
            let len = if chance.one_in(100) { 1 + chance.below(8) } else { 8 };
            bytes[8 - len as usize..].to_vec()
        }
        _ => {
            let mut key = vec![7; [0, 30, 630][chance.below(3) as usize]];
            key.extend((0..chance.below(12)).map(|_| 1 + chance.below(255) as u8));
            key
        }
    };
    key.push(0);
    key
}

fn collect(
    tree: &IndexTree,
    mut range: KeyRange,
    direction: Direction,
    chance: &mut Chance,
) -> Vec<((Vec<u8>, u64), EntryFlags)> {
    let mut out = Vec::new();
    while tree
        .scan_leaf(&mut range, direction, |entry| {
            out.push(((entry.key.to_vec(), entry.rowid.0), entry.flags));
            Ok(if chance.one_in(20) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap()
    {}
    out
}

fn check_index(
    store: &Store,
    tree: &IndexTree,
    model: &Entries,
    chance: &mut Chance,
) -> TreeStatistics {
    let (statistics, pages) = pages_of(|visit| tree.verify(visit));
    assert_eq!(statistics.entries, model.len() as u64);
    assert_eq!(pages.len(), store.pool().statistics().page_count);
    let ranges = |chance: &mut Chance| {
        let mut keys = [key(chance, chance_shape(model)), key(chance, chance_shape(model))];
        keys.sort();
        keys
    };
    for _ in 0..8 {
        let [low, high] = ranges(chance);
        let bound = |which: u64, key: &[u8]| match which {
            0 => Bound::Unbounded,
            1 => Bound::Included(key.to_vec()),
            _ => Bound::Excluded(key.to_vec()),
        };
        let (low, high) = (bound(chance.below(3), &low), bound(chance.below(3), &high));
        let range =
            KeyRange::between(low.as_ref().map(|key| &key[..]), high.as_ref().map(|key| &key[..]));
        let is_inside = |key: &Vec<u8>| {
            (match &low {
                Bound::Unbounded => true,
                Bound::Included(low) => key >= low,
                Bound::Excluded(low) => key > low,
            }) && match &high {
                Bound::Unbounded => true,
                Bound::Included(high) => key <= high,
                Bound::Excluded(high) => key < high,
            }
        };
        let expected: Vec<_> = model
            .iter()
            .filter(|((key, _), _)| is_inside(key))
            .map(|(entry, flags)| (entry.clone(), *flags))
            .collect();
        assert_eq!(collect(tree, range.clone(), Direction::Forward, chance), expected);
        let mut backward = collect(tree, range, Direction::Backward, chance);
        backward.reverse();
        assert_eq!(backward, expected);
    }
    statistics
}

/// The shape of keys that the model has.
fn chance_shape(model: &Entries) -> u64 {
    model.keys().next().map_or(0, |(key, _)| u64::from(key.len() > 9) * 2)
}

#[test]
fn an_index_tree_is_what_its_model_says() {
    for seed in 0..8 {
        // In every second round leaves are split and merged for being fought for, too.
        let fight_one_in = seed % 2 * 3;
        let store = fought_for(fight_one_in);
        let tree = IndexTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        let mut model = Entries::new();
        let mut chance = Chance(seed);
        for step in 0..5000 {
            let key = key(&mut chance, seed % 4);
            let rowid = chance.below(if seed % 4 == 1 { 1000 } else { 3 });
            let entry = (key.clone(), rowid);
            let flags = if chance.one_in(3) { EntryFlags::DELETE_MARK } else { EntryFlags::NONE };
            assert_eq!(tree.get(&key, RowId(rowid)).unwrap(), model.get(&entry).copied());
            match chance.below(6) {
                0..=2 => {
                    let is_new = tree.insert(&key, RowId(rowid), flags).unwrap();
                    assert_eq!(model.insert(entry, flags).is_none(), is_new);
                }
                3 => {
                    let is_there = tree.set_flags(&key, RowId(rowid), flags).unwrap();
                    assert_eq!(model.contains_key(&entry), is_there);
                    model.entry(entry).and_modify(|old| *old = flags);
                }
                4 => {
                    let mut seen = Vec::new();
                    let inserted =
                        tree.insert_unless(&key, key.len(), RowId(rowid), flags, |rowid, flags| {
                            seen.push((rowid.0, flags));
                            Ok((flags == EntryFlags::NONE).then_some(rowid))
                        });
                    let others: Vec<_> = model
                        .range((key.clone(), 0)..=(key.clone(), u64::MAX))
                        .map(|((_, rowid), flags)| (*rowid, *flags))
                        .collect();
                    let conflict = others.iter().find(|(_, flags)| *flags == EntryFlags::NONE);
                    match inserted.unwrap() {
                        Err(rowid) => assert_eq!(rowid.0, conflict.unwrap().0),
                        Ok(is_new) => {
                            assert_eq!((conflict, &seen), (None, &others));
                            assert_eq!(model.insert(entry, flags).is_none(), is_new);
                        }
                    }
                }
                _ => {
                    let is_there = tree.remove(&key, RowId(rowid)).unwrap();
                    assert_eq!(model.remove(&entry).is_some(), is_there);
                }
            }
            if step > 3500 && chance.one_in(2) {
                let from = (key, 0);
                if let Some(entry) = model.range(from..).next().map(|(entry, _)| entry.clone()) {
                    assert!(tree.remove(&entry.0, RowId(entry.1)).unwrap());
                    model.remove(&entry);
                }
            }
            if step % 500 == 0 {
                check_index(&store, &tree, &model, &mut chance);
            }
        }
        let statistics = check_index(&store, &tree, &model, &mut chance);
        let splits = store.pool().statistics().contention_splits;
        assert_eq!(splits > 10, fight_one_in > 0, "{splits}");
        assert!(statistics.height >= 2, "{statistics:?}");
        for (key, rowid) in model.keys() {
            assert!(tree.remove(key, RowId(*rowid)).unwrap());
        }
        check_index(&store, &tree, &Entries::new(), &mut chance);
        tree.destroy().unwrap();
        assert_eq!(store.pool().statistics().page_count, 0);
    }
}

#[test]
fn bulk_builds_are_as_if_inserted() {
    for count in [0, 1, 100, 20_000] {
        let store = store();
        let mut builder = RowBuilder::new(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        let mut model = Rows::new();
        let mut chance = Chance(count);
        let mut rowid = 0;
        for _ in 0..count {
            rowid += 1 + chance.below(3) + (u64::from(chance.one_in(1000)) << 40);
            let len = if chance.one_in(200) { 5000 } else { chance.below(60) };
            let row = (vec![chance.next() as u8; len as usize], RowFlags::NONE);
            builder.push(RowId(rowid), &row.0, row.1).unwrap();
            model.insert(rowid, row);
        }
        if count > 0 {
            assert!(builder.push(RowId(rowid), b"", RowFlags::NONE).is_err());
        }
        let tree = builder.finish().unwrap();
        check_rows(&store, &tree, &model);
        for i in 0..200 {
            change_row(&mut chance, &tree, &mut model, i, 80);
        }
        check_rows(&store, &tree, &model);
        tree.destroy().unwrap();

        let mut builder =
            IndexBuilder::new(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        let entries: BTreeSet<(Vec<u8>, u64)> =
            (0..count).map(|i| (key(&mut chance, 2 * (count % 2)), i)).collect();
        let mut model = Entries::new();
        for (key, rowid) in entries {
            builder.push(&key, RowId(rowid), EntryFlags::NONE).unwrap();
            model.insert((key, rowid), EntryFlags::NONE);
        }
        let tree = builder.finish().unwrap();
        check_index(&store, &tree, &model, &mut chance);
        tree.destroy().unwrap();
        assert_eq!(store.pool().statistics().page_count, 0);
    }
    // Long and short keys in turns, so that fences are long and prefixes change; and a build given up.
    let store = store();
    let mut chance = Chance(9);
    let keys: BTreeSet<Vec<u8>> = (0..3000).map(|_| key(&mut chance, 2)).collect();
    let mut builder = IndexBuilder::new(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    let mut model = Entries::new();
    for key in keys {
        builder.push(&key, RowId(5), EntryFlags::NONE).unwrap();
        model.insert((key, 5), EntryFlags::NONE);
    }
    let tree = builder.finish().unwrap();
    check_index(&store, &tree, &model, &mut chance);
    tree.destroy().unwrap();
    let mut builder = RowBuilder::new(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    for i in 0..2000 {
        let len = if i % 100 == 0 { 9000 } else { 30 };
        builder.push(RowId(i), &vec![1; len], RowFlags::NONE).unwrap();
    }
    builder.abort().unwrap();
    assert_eq!(store.pool().statistics().page_count, 0);
}

#[test]
fn verification_finds_damage() {
    let store = store();
    let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    let (id, root) = (tree.id(), tree.root());
    for i in 0..2000 {
        tree.insert(RowId(i), &[1; 60], RowFlags::NONE).unwrap();
    }
    let (kind, codec) = (PageKind::RowLeaf, crate::PageCodec::None);
    store.set_tree(crate::store::TreeDescriptor { tree: id, kind, root, codec });
    assert!(store.verify().unwrap().is_clean());
    let damage = |page: PageId, at: usize, bits: u8| {
        let mut page = store.pool().write(page).unwrap();
        page[at] ^= bits;
    };
    let leaf =
        PageId(crate::page::get_u32(&store.pool().read(root).unwrap(), 64 + (4096 - 64) / 12 * 8));
    // A slot's row id, the fences, a separator, the level, a row outside its page.
    for (page, at, bits) in [
        (leaf, 64 + 8, 1),
        (leaf, row_node::LOW, 1),
        (leaf, row_node::HIGH, 1),
        (root, 64 + 8, 1),
        (leaf, crate::page::offset::LEVEL, 1),
        (leaf, 64 + 4, 0xff),
        (root, crate::page::offset::TREE, 1),
    ] {
        damage(page, at, bits);
        let report = store.verify().unwrap();
        let found = !report.is_clean();
        damage(page, at, bits);
        assert!(found, "byte {at} of page {page}");
    }
    // A page of the tree that the tree does not reach.
    drop(store.pool().allocate(PageKind::RowLeaf, id).unwrap());
    assert_eq!(store.verify().unwrap().problems.len(), 1);
}

#[test]
fn verification_finds_damage_in_fixed_leaves() {
    let store = store();
    let tree = IndexTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    for i in 0..50_u64 {
        let key = (i * 2).to_be_bytes();
        tree.insert(&key, RowId(i), EntryFlags::NONE).unwrap();
    }
    let (id, root, kind) = (tree.id(), tree.root(), PageKind::IndexLeaf);
    let codec = crate::PageCodec::None;
    store.set_tree(crate::store::TreeDescriptor { tree: id, kind, root, codec });
    assert!(store.verify().unwrap().is_clean());
    let stride = crate::page::get_u16(&store.pool().read(root).unwrap(), index_node::STRIDE);
    assert_eq!(stride, 8 + 8 + 1);
    let damage = |at: usize, bits: u8| {
        let mut page = store.pool().write(root).unwrap();
        page[at] ^= bits;
    };
    // The layout, the stride, what all entries have in common, an entry's key, that there are so many.
    for (at, bits) in [
        (crate::page::offset::LAYOUT, 1),
        (index_node::STRIDE, 1),
        (index_node::STRIDE, 17),
        (index_node::STRIDE + 1, 0xff),
        (64 + 17, 1),
        (64 + 17 + 7, 4),
        (crate::page::offset::COUNT + 1, 0xff),
    ] {
        damage(at, bits);
        let found = !store.verify().unwrap().is_clean();
        damage(at, bits);
        assert!(found, "byte {at}");
    }
    assert!(store.verify().unwrap().is_clean());
}

/// The nodes of `docs/format.md`, read by hand.
#[test]
fn nodes_lie_as_documented() {
    use crate::page::{get_u16, get_u32, get_u64};
    let store = store();
    let rows = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    rows.insert(RowId(1000), b"abc", RowFlags::NONE).unwrap();
    rows.insert(RowId(1002), b"de", RowFlags::GHOST).unwrap();
    let page = store.pool().read(rows.root()).unwrap();
    assert_eq!((page[0], page[2], page[3]), (1, 0, 0));
    assert_eq!((get_u16(&page, 20), get_u16(&page, 22), get_u64(&page, 32)), (2, 4091, 1000));
    assert_eq!((get_u64(&page, 48), get_u64(&page, 56)), (0, u64::MAX));
    assert_eq!((get_u32(&page, 64), get_u32(&page, 68)), (0, 4093 + (3 << 14)));
    assert_eq!((get_u32(&page, 72), get_u32(&page, 76)), (2, 4091 + (2 << 14) + (2 << 28)));
    assert_eq!(&page[4091..], b"deabc");
    drop(page);
    for i in 0..200 {
        rows.insert(RowId(i), &[0; 50], RowFlags::NONE).unwrap();
    }
    let page = store.pool().read(rows.root()).unwrap();
    let capacity = (4096 - 64) / 12;
    assert_eq!((page[0], page[2], get_u64(&page, 64)), (2, 1, 0));
    let child = PageId(get_u32(&page, 64 + 8 * capacity + 4));
    let low = get_u64(&page, 72);
    drop(page);
    assert_eq!(get_u64(&store.pool().read(child).unwrap(), 48), low);

    let index = IndexTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    index.insert(b"key\0", RowId(0x0102), EntryFlags::DELETE_MARK).unwrap();
    let page = store.pool().read(index.root()).unwrap();
    // Entries of one length need no slots.
    assert_eq!(
        (page[0], page[1], page[2], get_u16(&page, 26), get_u16(&page, 40)),
        (3, 1, 0, 0, 0)
    );
    assert_eq!((get_u16(&page, 22), get_u16(&page, 46)), (4096, 13));
    assert_eq!(&page[64..78], b"key\0\0\0\0\0\0\0\x01\x02\x01\0");
    drop(page);
    index.insert(b"other\0", RowId(3), EntryFlags::NONE).unwrap();
    let page = store.pool().read(index.root()).unwrap();
    assert_eq!((page[1], get_u16(&page, 46), get_u16(&page, 22)), (0, 0, 4070));
    assert_eq!((get_u16(&page, 64), get_u16(&page, 66)), (4084, 12 + (1 << 15)));
    assert_eq!(get_u32(&page, 68).to_be_bytes(), *b"key\0");
    assert_eq!(&page[4084..], b"key\0\0\0\0\0\0\0\x01\x02");
}

#[test]
fn a_full_disk_fails_changes_whole() {
    for seed in 0..2 {
        let vfs = SimVfs::default();
        let env = Env::simulated(Arc::new(vfs.clone()), seed);
        let options = StoreOptions {
            page_bytes: 4096,
            pool_bytes: 24 * 4096,
            log_segment_bytes: 8192,
            ..StoreOptions::default()
        };
        let store = Store::open(env, Path::new("d.damask"), options).unwrap().0;
        let rows = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        let index = IndexTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
        for (id, kind, root) in [
            (rows.id(), PageKind::RowLeaf, rows.root()),
            (index.id(), PageKind::IndexLeaf, index.root()),
        ] {
            let codec = crate::PageCodec::None;
            store.set_tree(crate::store::TreeDescriptor { tree: id, kind, root, codec });
        }
        let (mut row_model, mut index_model) = (Rows::new(), Entries::new());
        let mut chance = Chance(seed);
        vfs.inject(Fault::Budget(700_000));
        let mut failures = 0;
        for _ in 0..4000 {
            let rowid = chance.below(1 << 20);
            let len = if chance.one_in(30) { 9000 } else { chance.below(300) };
            let row = vec![chance.next() as u8; len as usize];
            let key = key(&mut chance, 2);
            // Mostly adding, so that it is the splits that find no room.
            let done = if chance.one_in(5) {
                let rowid = row_model.range(rowid..).next().map_or(rowid, |(rowid, _)| *rowid);
                rows.remove(RowId(rowid)).map(|_| drop(row_model.remove(&rowid)))
            } else {
                rows.modify(RowId(rowid), |slot| {
                    slot.put(&row[..], RowFlags::NONE);
                    Ok(())
                })
                .map(|()| drop(row_model.insert(rowid, (row.clone(), RowFlags::NONE))))
            };
            let added = index.insert(&key, RowId(rowid), EntryFlags::NONE).map(|_| {
                index_model.insert((key, rowid), EntryFlags::NONE);
            });
            for error in [done.err(), added.err()].into_iter().flatten() {
                assert_eq!(error.sqlstate(), SqlState::DISK_FULL, "{error}");
                failures += 1;
            }
        }
        assert!(failures > 100, "{failures} failures");
        vfs.heal();
        let report = store.verify().unwrap();
        assert!(report.is_clean(), "{:?}", report.problems);
        let mut found = Rows::new();
        let mut next = Some(RowId(0));
        while let Some(from) = next {
            next = rows
                .scan_leaf(from, |rowid, flags, row| {
                    found.insert(rowid.0, (row.to_vec(), flags));
                    Ok(ControlFlow::Continue(()))
                })
                .unwrap();
        }
        assert!(found == row_model, "rows after {failures} failures");
        let entries = collect(&index, KeyRange::all(), Direction::Forward, &mut chance);
        assert!(entries.into_iter().eq(index_model), "entries after {failures} failures");
    }
}

#[test]
fn threads_share_a_tree() {
    let store = store();
    let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let tree = &tree;
            scope.spawn(move || {
                for i in 0..1000 {
                    let rowid = RowId(i * 3 + writer);
                    tree.insert(rowid, &rowid.0.to_le_bytes(), RowFlags::NONE).unwrap();
                    if i % 3 == 0 {
                        tree.remove(rowid).unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                let (mut next, mut before) = (Some(RowId(0)), None);
                while let Some(from) = next {
                    next = tree
                        .scan_leaf(from, |rowid, _, row| {
                            assert_eq!(row, rowid.0.to_le_bytes());
                            assert!(before < Some(rowid), "rows ascend");
                            before = Some(rowid);
                            Ok(ControlFlow::Continue(()))
                        })
                        .unwrap();
                }
            }
        });
    });
    let (statistics, _) = pages_of(|visit| tree.verify(visit));
    assert_eq!(statistics.entries, 3 * (1000 - 334));
}

#[test]
fn a_long_row_needs_few_frames() {
    let store = store();
    let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id()).unwrap();
    let row: Vec<u8> = (0..2_000_000u32).map(|i| (i / 7) as u8).collect();
    tree.insert(RowId(1), &row, RowFlags::NONE).unwrap();
    assert!(tree.get(RowId(1)).unwrap().unwrap().0 == row);
    tree.set_flags(RowId(1), RowFlags::VERSIONED).unwrap();
    let flags = tree.read(RowId(1), |found| found.map(|(bytes, flags)| (bytes == row, flags)));
    assert_eq!(flags.unwrap(), Some((true, RowFlags::VERSIONED)));
    tree.replace(RowId(1), b"short", RowFlags::NONE).unwrap();
    assert_eq!(store.pool().statistics().page_count, 1);
}

/// Inserts rows in scattered order, and each time looks for the last of all, which splits move on; how often that was found.
fn found_after_splits(planted: Planted) -> usize {
    let options = StoreOptions { page_bytes: 4096, planted, ..StoreOptions::default() };
    let (store, _) = Store::open(Env::in_memory(1), Path::new("d"), options).unwrap();
    let tree = RowTree::create(Arc::clone(store.pool()), TreeId(1)).unwrap();
    let last = RowId(2002);
    tree.insert(last, &[1; 100], RowFlags::NONE).unwrap();
    let insert_and_look = |i: u64| {
        let is_new = tree.insert(RowId(i * 7919 % last.0), &[1; 100], RowFlags::NONE);
        is_new.is_ok_and(|is_new| is_new)
            && tree.read(last, |row| row.is_some()).is_ok_and(|is_there| is_there)
    };
    (1..2000).filter(|i| insert_and_look(*i)).count()
}

#[test]
fn copies_of_nodes_go_when_the_nodes_change() {
    assert_eq!(found_after_splits(Planted::Nothing), 1999);
    let found = found_after_splits(Planted::StaleCopies);
    assert!(found < 1999, "a copy that stays leads astray");
}
