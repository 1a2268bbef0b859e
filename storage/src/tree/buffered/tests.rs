//! Random operations against a plain model, with small layers, so that merges begin and end many times; and threads that see each
//! other's changes at once.

use super::*;
use crate::env::Env;
use crate::store::{Store, StoreOptions};
use crate::testing::Chance;
use crate::tree::HeapTree;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

type Rows = BTreeMap<u64, (Vec<u8>, RowFlags)>;

/// A tree and what is needed to find its layers again.
struct Fixture {
    store: Store,
    tree: HeapTree,
    roots: Mutex<HashMap<TreeId, PageId>>,
    limits: BufferLimits,
    merges: AtomicU64,
}

impl Fixture {
    fn new(page_bytes: usize, frames: usize, bytes: usize) -> Self {
        let pool_bytes = frames * page_bytes;
        let options = StoreOptions { page_bytes, pool_bytes, ..StoreOptions::default() };
        let store = Store::open(Env::in_memory(1), Path::new(":memory:"), options).unwrap().0;
        let (roots, limits) = (Mutex::default(), BufferLimits::new(bytes, 1 << 20));
        let [main, active] = [(); 2].map(|()| Self::make(&store, &roots).unwrap());
        let tree = HeapTree::Buffered(Box::new(BufferedTree::create(main, active, limits)));
        Self { store, tree, roots, limits, merges: AtomicU64::new(0) }
    }

    fn make(store: &Store, roots: &Mutex<HashMap<TreeId, PageId>>) -> Result<RowTree> {
        let tree = RowTree::create(Arc::clone(store.pool()), store.next_tree_id())?;
        roots.lock().insert(tree.id(), tree.root());
        Ok(tree)
    }

    fn buffered(&self) -> &BufferedTree {
        match &self.tree {
            HeapTree::Buffered(tree) => tree,
            HeapTree::Plain(_) => panic!("it was made with a buffer"),
        }
    }

    /// One step, if one is due.
    fn tend(&self) {
        if !self.buffered().is_due() {
            return;
        }
        match self.buffered().tend(|| Self::make(&self.store, &self.roots)).unwrap() {
            Tended::Nothing | Tended::Done => {}
            Tended::Merged(runs) => {
                self.merges.fetch_add(1, Ordering::Relaxed);
                for run in &runs {
                    run.destroy().unwrap();
                }
            }
        }
    }

    /// Forgets what is in memory only.
    fn reopen(&mut self) {
        let LayerIds { active, runs } = self.tree.layers().unwrap();
        let roots = self.roots.lock();
        let open =
            |id: TreeId| RowTree::open(Arc::clone(self.store.pool()), id, roots[&id]).unwrap();
        let runs = runs.into_iter().map(open).collect();
        let tree =
            BufferedTree::open(open(self.tree.id()), open(active), runs, self.limits).unwrap();
        drop(roots);
        self.tree = HeapTree::Buffered(Box::new(tree));
    }
}

/// The tree is sound, has all pages of the store, and shows the model's rows whichever way it is asked.
fn check(fixture: &Fixture, model: &Rows, chance: &mut Chance) {
    let tree = &fixture.tree;
    let mut pages = HashSet::new();
    let reached = |page| {
        assert!(pages.insert(page), "{page} is reached twice");
        Ok(())
    };
    let mut reached = reached;
    tree.verify(&mut reached).unwrap();
    assert_eq!(pages.len(), fixture.store.pool().statistics().page_count);
    assert_eq!(tree.max_rowid().unwrap(), model.keys().last().copied().map(RowId));
    let mut rows = Vec::new();
    let mut next = Some(RowId(0));
    while let Some(from) = next {
        next = tree
            .scan_leaf(from, |row, flags, bytes| {
                rows.push((row.0, (bytes.to_vec(), flags)));
                let stops = chance.one_in(9);
                Ok(if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })
            .unwrap();
    }
    assert!(rows.iter().map(|(row, found)| (row, found)).eq(model.iter()));
    let mut reversed = Vec::new();
    let mut next = Some(RowId(u64::MAX));
    while let Some(from) = next {
        next = tree
            .scan_leaf_reverse(from, |row, flags, bytes| {
                reversed.push((row.0, (bytes.to_vec(), flags)));
                let stops = chance.one_in(9);
                Ok(if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })
            .unwrap();
    }
    assert!(reversed.iter().map(|(row, found)| (row, found)).eq(model.iter().rev()));
    check_runs(tree, model, chance);
}

/// Scans a range for columns.
fn check_runs(tree: &HeapTree, model: &Rows, chance: &mut Chance) {
    let some = |chance: &mut Chance| {
        let place = chance.below(model.len() as u64 + 1) as usize;
        model.keys().nth(place).copied().unwrap_or(u64::MAX)
    };
    let (a, b) = (some(chance), some(chance));
    let (first, last) = if chance.one_in(3) { (0, u64::MAX) } else { (a.min(b), a.max(b)) };
    let mut rows = Vec::new();
    let mut next = Some(RowId(first));
    while let Some(from) = next {
        next = tree
            .scan_leaf_runs(from, RowId(last), |flags, ids, found| {
                assert!(flags == RowFlags::NONE || ids.len() == 1, "rows with flags come alone");
                let taken = if chance.one_in(4) {
                    chance.below(ids.len() as u64) as usize
                } else {
                    ids.len()
                };
                for (id, bytes) in ids.iter().zip(found).take(taken) {
                    rows.push((id.0, (bytes.to_vec(), flags)));
                }
                Ok(taken)
            })
            .unwrap();
    }
    assert!(rows.iter().map(|(row, found)| (row, found)).eq(model.range(first..=last)));
}

/// One random change of the tree and its model.
fn change(tree: &HeapTree, model: &mut Rows, row: u64, chance: &mut Chance) {
    let id = RowId(row);
    let len = match chance.below(60) {
        0 => chance.below(9_000),
        1..=4 => chance.below(1100),
        _ => chance.below(150),
    };
    // No row is empty.
    let bytes = vec![chance.next() as u8; len as usize + 1];
    let flags = [RowFlags::NONE, RowFlags::VERSIONED, RowFlags::GHOST][chance.below(3) as usize];
    let before = model.get(&row).cloned();
    let shown = |slot: &RowSlot<'_, '_>| slot.current().map(|(row, flags)| (row.to_vec(), flags));
    match chance.below(7) {
        0..3 => {
            tree.modify(id, |slot| {
                assert_eq!(shown(slot), before);
                slot.put(&bytes[..], flags);
                Ok(())
            })
            .unwrap();
            model.insert(row, (bytes.clone(), flags));
        }
        3 => {
            tree.modify(id, |slot| {
                assert_eq!(shown(slot), before);
                slot.set_flags(flags);
                Ok(())
            })
            .unwrap();
            model.entry(row).and_modify(|found| found.1 = flags);
        }
        4 => {
            assert_eq!(tree.remove(id).unwrap(), before.is_some());
            model.remove(&row);
        }
        5 => {
            let refused = tree.modify(id, |slot| {
                slot.remove();
                Err::<(), _>(Error::internal("refused"))
            });
            assert_eq!(refused.unwrap_err().message(), "refused");
        }
        _ => {
            tree.modify(id, |slot| {
                slot.settle();
                Ok(())
            })
            .unwrap();
            let after = tree.get(id).unwrap();
            let settled =
                before.clone().map(|(row, flags)| (row, flags.without(RowFlags::VERSIONED)));
            assert!(after == settled || after == before, "the flag goes or stays");
            if let Some(after) = after {
                model.insert(row, after);
            }
        }
    }
    assert_eq!(tree.get(id).unwrap(), model.get(&row).cloned());
}

/// Adds a run of rows, of which the tree takes what it takes.
fn add_run(tree: &HeapTree, model: &mut Rows, row: u64, chance: &mut Chance) -> usize {
    let rows: Vec<Vec<u8>> = (0..=chance.below(40))
        .map(|_| vec![chance.next() as u8; chance.below(150) as usize + 1])
        .collect();
    let slices: Vec<&[u8]> = rows.iter().map(|row| &row[..]).collect();
    let mut admitted = 0;
    let placed = tree.insert_run(RowId(row), &slices, |count| admitted = count).unwrap();
    assert_eq!(placed, admitted);
    for (i, bytes) in rows.into_iter().take(placed).enumerate() {
        let old = model.insert(row + i as u64, (bytes, RowFlags::NONE));
        assert_eq!(old, None, "no slot is overwritten");
    }
    placed
}

#[test]
fn a_buffered_tree_is_what_its_model_says() {
    for seed in 0..6 {
        let page_bytes = [4096, 16_384][seed as usize / 3];
        let mut fixture = Fixture::new(page_bytes, 32, [700, 3000, 12_000][seed as usize % 3]);
        let mut model = Rows::new();
        let mut chance = Chance(seed);
        // Dense, gappy, or all over the range, so that leaves go wide.
        let shift = [54, 44, 0][seed as usize % 3];
        let mut placed = 0;
        for step in 0..5000 {
            let row = chance.next() >> shift;
            if chance.one_in(6) {
                placed += add_run(&fixture.tree, &mut model, row, &mut chance);
            } else {
                // Rows that are there are changed as often as others.
                let there = model.range(row..).next().map(|(row, _)| *row);
                let row = there.filter(|_| chance.one_in(2)).unwrap_or(row);
                change(&fixture.tree, &mut model, row, &mut chance);
            }
            if chance.one_in(2) {
                fixture.tend();
            }
            if step % 250 == 0 {
                check(&fixture, &model, &mut chance);
            }
            if step % 1250 == 700 {
                fixture.reopen();
                check(&fixture, &model, &mut chance);
            }
        }
        check(&fixture, &model, &mut chance);
        assert!(placed > 500, "{placed} rows came in runs");
        let merges = fixture.merges.load(Ordering::Relaxed);
        assert!(merges >= 5, "{merges} merges");
        for row in model.keys() {
            assert!(fixture.tree.remove(RowId(*row)).unwrap());
            fixture.tend();
        }
        check(&fixture, &Rows::new(), &mut chance);
        assert!(!fixture.buffered().filter.is_open(), "a merge has made it again");
        fixture.tree.destroy().unwrap();
        assert_eq!(fixture.store.pool().statistics().page_count, 0);
    }
}

#[test]
fn runs_of_new_ids_stay_whole() {
    let fixture = Fixture::new(4096, 64, 20_000);
    let rows = [[7_u8; 50]; 30];
    let rows: Vec<&[u8]> = rows.iter().map(|row| &row[..]).collect();
    let (mut next, mut calls) = (1, 0);
    while next < 20_000 {
        // Up to where a leaf is full.
        let placed = fixture.tree.insert_run(RowId(next), &rows, |_| {}).unwrap();
        if placed == 0 {
            fixture
                .tree
                .modify(RowId(next), |slot| {
                    slot.put(rows[0], RowFlags::NONE);
                    Ok(())
                })
                .unwrap();
        }
        next += placed.max(1) as u64;
        calls += 1;
        fixture.tend();
    }
    assert!(fixture.merges.load(Ordering::Relaxed) > 3);
    assert!(calls < 20_000 / 15, "{calls} calls");
}

/// What a closure is shown is the newest state as long as it runs, from whichever layer it comes (W2).
#[test]
fn closures_see_the_newest_rows() {
    const ROWS: u64 = 300;
    let fixture = Fixture::new(4096, 400, 2500);
    let state: Vec<AtomicU64> = (0..ROWS).map(|_| AtomicU64::new(0)).collect();
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap();
    for row in 0..ROWS {
        fixture
            .tree
            .modify(RowId(row), |slot| {
                slot.put(0_u64.to_le_bytes().to_vec(), RowFlags::NONE);
                Ok(())
            })
            .unwrap();
    }
    let is_over = AtomicBool::new(false);
    let write = |seed: u64| {
        let mut chance = Chance(seed);
        for _ in 0..6000 {
            let row = chance.below(ROWS);
            fixture
                .tree
                .modify(RowId(row), |slot| {
                    let before = slot.current().map_or(0, |(bytes, _)| number(bytes));
                    assert_eq!(before, state[row as usize].load(Ordering::Relaxed));
                    state[row as usize].store(before + 1, Ordering::Relaxed);
                    slot.put((before + 1).to_le_bytes().to_vec(), RowFlags::NONE);
                    Ok(())
                })
                .unwrap();
            fixture.tend();
        }
    };
    let read = |seed: u64| {
        let mut chance = Chance(seed);
        while !is_over.load(Ordering::Relaxed) {
            let row = chance.below(ROWS);
            // Also after others had their turn: they are kept from this row as long as the closure runs.
            let same = |bytes: &[u8], row: u64| {
                for _ in 0..2 {
                    assert_eq!(number(bytes), state[row as usize].load(Ordering::Relaxed));
                    std::thread::yield_now();
                }
            };
            for row in (row..ROWS).take(50) {
                fixture.tree.read(RowId(row), |slot| same(slot.unwrap().0, row)).unwrap();
            }
            let mut count = 0;
            fixture
                .tree
                .scan_leaf(RowId(row), |row, _, bytes| {
                    same(bytes, row.0);
                    count += 1;
                    Ok(if count < 20 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
                })
                .unwrap();
            fixture
                .tree
                .scan_leaf_runs(RowId(row), RowId(row + 20), |_, ids, rows| {
                    for (row, bytes) in ids.iter().zip(rows) {
                        same(bytes, row.0);
                    }
                    Ok(ids.len())
                })
                .unwrap();
        }
    };
    std::thread::scope(|scope| {
        let readers = [10, 11].map(|seed| scope.spawn(move || read(seed)));
        let writers = [1, 2].map(|seed| scope.spawn(move || write(seed)));
        let ended = writers.map(std::thread::ScopedJoinHandle::join);
        is_over.store(true, Ordering::Relaxed);
        for end in ended.into_iter().chain(readers.map(std::thread::ScopedJoinHandle::join)) {
            end.unwrap();
        }
    });
    let sum: u64 = state.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    assert_eq!(sum, 12_000);
    assert!(fixture.merges.load(Ordering::Relaxed) > 10);
}

/// What a closure is shown does not change before it ends, though it comes from a lower layer (W2).
#[test]
fn writers_wait_for_closures() {
    let fixture = Fixture::new(4096, 64, 2500);
    for row in 0..400 {
        let put = |slot: &mut RowSlot<'_, '_>| {
            slot.put(vec![1; 20], RowFlags::NONE);
            Ok(())
        };
        fixture.tree.modify(RowId(row), put).unwrap();
        fixture.tend();
    }
    let main = (0..400).map(RowId).find(|row| fixture.buffered().filter.may_have(*row)).unwrap();
    let run = {
        let layers = fixture.buffered().layers.read();
        let low = layers.runs.first().unwrap().bounds().0;
        assert!(!fixture.buffered().filter.may_have(RowId(low)));
        RowId(low)
    };
    for row in [main, run] {
        keeps_writers_off(&fixture, row, |inside| {
            fixture.tree.read(row, |found| inside(found.is_some())).unwrap();
        });
        keeps_writers_off(&fixture, RowId(row.0 + 1), |inside| {
            fixture
                .tree
                .scan_leaf(RowId(row.0 + 1), |_, _, _| {
                    inside(true);
                    Ok(ControlFlow::Break(()))
                })
                .unwrap();
        });
    }
}

/// Has another thread change the row inside the closure that `look` runs, where it does not come to an end.
fn keeps_writers_off(fixture: &Fixture, row: RowId, look: impl FnOnce(&mut dyn FnMut(bool))) {
    let is_changed = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut writer = None;
        look(&mut |is_there| {
            assert!(is_there, "row {row}");
            writer = Some(scope.spawn(move || {
                assert!(fixture.tree.remove(row).unwrap());
                is_changed.store(true, Ordering::Release);
            }));
            for _ in 0..2000 {
                std::thread::yield_now();
                assert!(!is_changed.load(Ordering::Acquire), "row {row} goes while it is read");
            }
        });
        writer.expect("the closure runs").join().unwrap();
    });
    assert_eq!(fixture.tree.get(row).unwrap(), None);
}
