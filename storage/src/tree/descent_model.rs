//! Descents under schedules that a model checker chooses: [`descent`](super::descent)'s own file, on its mutex and atomics, over a tree
//! of two levels at most whose leaves have room for two keys, so that nearly every change splits or merges one.
//!
//! Splits and merges keep the order of latches that [`restructure`](super::restructure) keeps. Pages that get free are used again at once,
//! also as nodes of another tree. Checked is that a key that is there all the time is always found, that a key is never seen without what
//! its change did elsewhere, that nobody waits for ever, and that the tree is whole in the end. Planted defects must be found.

use shuttle::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use shuttle::thread;
use std::sync::Arc;

/// What descents run on here.
mod sync {
    pub(super) use shuttle::sync::MutexGuard;
    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};

    /// A mutex that does without poisoning.
    pub(super) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

#[path = "descent.rs"]
mod modelled;

use modelled::{Change, Restructuring, Structure};
use sync::{AtomicU64, Mutex, Ordering};

/// Schedules tried of each case.
const SCHEDULES: usize = 3_000;
/// Keys that a leaf has room for.
const ROOM: usize = 2;
/// Pages there are.
const PAGES: usize = 9;
/// The page of the root.
const ROOT: usize = 0;
/// The tree, and one that uses pages that the tree gave back.
const TREE: u8 = 1;
const OTHER_TREE: u8 = 2;
/// Keys are below.
const KEYS: u64 = 60;

/// What is done wrongly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Planted {
    Nothing,
    /// Any leaf will do, whatever its fences.
    NoFences,
    /// Structure changes leave the version as it is.
    NoVersion,
    /// A leaf that is to be split is let go and latched again.
    LeafLetGo,
    /// Merges wait for the neighbour's latch.
    WaitsForNeighbour,
    /// Who wants to shrink the root waits for its latch although it may be a leaf.
    WaitsForRoot,
}

/// A page.
#[derive(Clone, Debug, Default)]
struct Node {
    /// 0 for a page that is free.
    tree: u8,
    level: u8,
    low: u64,
    /// The lowest key above.
    high: u64,
    /// Keys and what they map to: in the root above leaves, low fences and pages.
    entries: Vec<(u64, u64)>,
}

impl Node {
    fn leaf(low: u64, high: u64, entries: &[(u64, u64)]) -> Self {
        Self { tree: TREE, level: 0, low, high, entries: entries.to_vec() }
    }

    fn has(&self, key: u64) -> bool {
        (self.low..self.high).contains(&key)
    }

    fn get(&self, key: u64) -> Option<u64> {
        self.entries.iter().find(|entry| entry.0 == key).map(|entry| entry.1)
    }

    /// Index and page of the child that has `key`.
    fn child(&self, key: u64) -> (usize, usize) {
        let index = self.entries.partition_point(|entry| entry.0 <= key) - 1;
        (index, self.entries[index].1 as usize)
    }
}

type Read<'t> = RwLockReadGuard<'t, Node>;
type Write<'t> = (usize, RwLockWriteGuard<'t, Node>);

struct Tree {
    pages: Vec<RwLock<Node>>,
    free: Mutex<Vec<usize>>,
    structure: Structure,
    /// What was last done to each key, kept elsewhere: changed under the leaf's latch.
    versions: Vec<AtomicU64>,
    planted: Planted,
}

impl Tree {
    /// A tree with some keys, each mapped to itself, at most [`ROOM`] a leaf. A single leaf is the root.
    fn new(leaves: &[&[u64]], planted: Planted) -> Self {
        let mut nodes = vec![Node::default()];
        let versions: Vec<_> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
        let mut low = 0;
        for (i, keys) in leaves.iter().enumerate() {
            let high = leaves.get(i + 1).map_or(KEYS, |next| next[0]);
            let entries: Vec<_> = keys.iter().map(|key| (*key, *key)).collect();
            keys.iter().for_each(|key| versions[*key as usize].store(*key, Ordering::SeqCst));
            let page = nodes.len() as u64;
            nodes[ROOT].entries.push((low, page));
            nodes.push(Node::leaf(low, high, &entries));
            low = high;
        }
        nodes[ROOT] = match nodes.len() {
            2 => nodes.pop().expect("there is a leaf"),
            _ => Node {
                tree: TREE,
                level: 1,
                low: 0,
                high: KEYS,
                entries: nodes[ROOT].entries.clone(),
            },
        };
        let free = (nodes.len()..PAGES).collect();
        nodes.resize(PAGES, Node::default());
        Self {
            pages: nodes.into_iter().map(RwLock::new).collect(),
            free: Mutex::new(free),
            structure: Structure::new(),
            versions,
            planted,
        }
    }

    fn read(&self, page: usize) -> Read<'_> {
        self.pages[page].read().unwrap()
    }

    fn write(&self, page: usize) -> Write<'_> {
        (page, self.pages[page].write().unwrap())
    }

    /// Whether a page is a leaf of the tree.
    fn check(page: usize, node: &Node) -> Result<(), String> {
        if node.tree == TREE && node.level == 0 {
            return Ok(());
        }
        Err(format!("page {page} is no leaf: {node:?}"))
    }

    fn is_there(&self, node: &Node, key: u64) -> bool {
        self.planted == Planted::NoFences || node.has(key)
    }

    fn reach(&self, key: u64) -> Read<'_> {
        let down = || {
            let root = self.read(ROOT);
            if root.level == 0 {
                return Ok(Ok(root));
            }
            let child = root.child(key).1;
            drop(root);
            let leaf = self.read(child);
            Ok(Self::check(child, &leaf).map(|()| leaf))
        };
        self.structure.descend(down, |leaf| Ok(self.is_there(leaf, key))).unwrap()
    }

    fn reach_exclusive(&self, key: u64) -> Write<'_> {
        let down = || {
            let root = self.read(ROOT);
            let child = if root.level == 0 { ROOT } else { root.child(key).1 };
            drop(root);
            let leaf = self.write(child);
            Ok(Self::check(child, &leaf.1).map(|()| leaf))
        };
        self.structure.descend(down, |leaf| Ok(self.is_there(&leaf.1, key))).unwrap()
    }

    /// What `key` maps to and what was last done to it, 0 for nothing.
    fn get(&self, key: u64) -> (u64, u64) {
        let leaf = self.reach(key);
        (leaf.get(key).unwrap_or(0), self.versions[key as usize].load(Ordering::SeqCst))
    }

    /// A free page, latched, as long as there is one.
    fn allocate(&self) -> Write<'_> {
        let page = self.free.lock().pop().expect("there are pages enough");
        let node = self.write(page);
        assert_eq!(node.1.tree, 0, "a free page is nobody's");
        node
    }

    fn free(&self, (page, mut node): Write<'_>) {
        *node = Node::default();
        self.free.lock().push(page);
    }

    fn begin<'r>(&self, right: &'r mut Restructuring<'_>) -> Option<Change<'r>> {
        (self.planted != Planted::NoVersion).then(|| right.begin())
    }

    fn put(&self, key: u64, value: u64) {
        let mut leaf = self.reach_exclusive(key);
        self.versions[key as usize].store(value, Ordering::SeqCst);
        let at = leaf.1.entries.partition_point(|entry| entry.0 < key);
        if leaf.1.get(key).is_some() {
            leaf.1.entries[at].1 = value;
        } else if leaf.1.entries.len() < ROOM {
            leaf.1.entries.insert(at, (key, value));
        } else {
            self.split(leaf, key, value);
        }
    }

    fn split<'t>(&'t self, mut leaf: Write<'t>, key: u64, value: u64) {
        if self.planted == Planted::LeafLetGo {
            drop(leaf);
            leaf = self.reach_exclusive(key);
            if leaf.1.entries.len() < ROOM {
                leaf.1.entries.push((key, value));
                return leaf.1.entries.sort_unstable();
            }
        }
        let mut fresh = self.allocate();
        let mut right = self.structure.lock();
        let mut lower = leaf.1.entries.clone();
        lower.push((key, value));
        lower.sort_unstable();
        let upper = lower.split_off(ROOM);
        let (low, middle, high) = (leaf.1.low, upper[0].0, leaf.1.high);
        if leaf.0 == ROOT {
            let mut left = self.allocate();
            let _change = self.begin(&mut right);
            *fresh.1 = Node::leaf(middle, high, &upper);
            *left.1 = Node::leaf(low, middle, &lower);
            let entries = vec![(low, left.0 as u64), (middle, fresh.0 as u64)];
            *leaf.1 = Node { tree: TREE, level: 1, low, high, entries };
            return;
        }
        let mut root = self.write(ROOT);
        let (index, child) = root.1.child(low);
        assert_eq!(child, leaf.0, "the root leads to the leaf");
        let _change = self.begin(&mut right);
        *fresh.1 = Node::leaf(middle, high, &upper);
        *leaf.1 = Node::leaf(low, middle, &lower);
        root.1.entries.insert(index + 1, (middle, fresh.0 as u64));
    }

    fn remove(&self, key: u64) {
        let mut leaf = self.reach_exclusive(key);
        self.versions[key as usize].store(0, Ordering::SeqCst);
        leaf.1.entries.retain(|entry| entry.0 != key);
        if leaf.0 != ROOT && leaf.1.entries.len() < ROOM {
            self.merge(leaf);
            self.shrink_root();
        }
    }

    /// A leaf's latch, if it is free.
    fn try_write(&self, page: usize) -> Option<Write<'_>> {
        if self.planted == Planted::WaitsForNeighbour {
            return Some(self.write(page));
        }
        Some((page, self.pages[page].try_write().ok()?))
    }

    /// Whether the root is known to be above leaves; it stays so for whoever has the right to change that.
    fn is_root_above(&self) -> bool {
        if self.planted == Planted::WaitsForRoot {
            return self.read(ROOT).level > 0;
        }
        self.pages[ROOT].try_read().is_ok_and(|root| root.level > 0)
    }

    fn merge<'t>(&'t self, leaf: Write<'t>) {
        let mut right = self.structure.lock();
        let root = self.read(ROOT);
        let (index, child) = root.child(leaf.1.low);
        assert_eq!(child, leaf.0, "the root leads to the leaf");
        let pages: Vec<usize> = root.entries.iter().map(|entry| entry.1 as usize).collect();
        drop(root);
        let other_index = if index + 1 < pages.len() { index + 1 } else { index.wrapping_sub(1) };
        let Some(other) = pages.get(other_index) else { return };
        let Some(other) = self.try_write(*other) else { return };
        if leaf.1.entries.len() + other.1.entries.len() > ROOM {
            return;
        }
        let (mut left, gone) = if other_index > index { (leaf, other) } else { (other, leaf) };
        let mut root = self.write(ROOT);
        let _change = self.begin(&mut right);
        root.1.entries.remove(index.max(other_index));
        left.1.high = gone.1.high;
        left.1.entries.extend(&gone.1.entries);
        self.free(gone);
    }

    fn shrink_root(&self) {
        let mut right = self.structure.lock();
        if !self.is_root_above() {
            return;
        }
        let mut root = self.write(ROOT);
        if root.1.entries.len() > 1 {
            return;
        }
        let Some(child) = self.try_write(root.1.entries[0].1 as usize) else { return };
        let _change = self.begin(&mut right);
        *root.1 = child.1.clone();
        self.free(child);
    }

    /// Another tree takes a page and gives it back.
    fn use_elsewhere(&self) {
        let page = self.free.lock().pop();
        let Some(page) = page else { return };
        *self.write(page).1 = Node { tree: OTHER_TREE, ..Node::leaf(0, KEYS, &[]) };
        thread::yield_now();
        self.free(self.write(page));
    }

    /// All keys, when nothing runs; the leaves tile the range and no page is lost.
    fn keys(&self) -> Vec<u64> {
        let root = self.read(ROOT).clone();
        let pages: Vec<usize> = match root.level {
            0 => vec![ROOT],
            _ => root.entries.iter().map(|entry| entry.1 as usize).collect(),
        };
        let (mut keys, mut low) = (Vec::new(), 0);
        for page in &pages {
            let leaf = self.read(*page);
            assert_eq!((leaf.tree, leaf.level, leaf.low), (TREE, 0, low), "leaves tile the range");
            assert!(leaf.entries.iter().all(|entry| leaf.has(entry.0)), "{leaf:?}");
            keys.extend(leaf.entries.iter().map(|entry| entry.0));
            low = leaf.high;
        }
        assert_eq!(low, KEYS);
        let inners = usize::from(root.level);
        assert_eq!(inners + pages.len() + self.free.lock().len(), PAGES, "no page is lost");
        keys
    }
}

/// What one thread does.
type Work = fn(&Tree);

/// A key that is there all the time is found, and none without what was done to it.
fn look(tree: &Tree, always: &[u64], sometimes: &[u64]) {
    for key in always {
        assert_eq!(tree.get(*key).0, *key, "key {key} is there all the time");
    }
    for key in sometimes {
        let (found, version) = tree.get(*key);
        assert_eq!(found, version, "key {key} is seen without its version");
    }
}

fn run(tree: Tree, work: &[Work], left: &[u64]) {
    let tree = Arc::new(tree);
    let start = |work: &Work| {
        let (tree, work) = (Arc::clone(&tree), *work);
        thread::spawn(move || work(&tree))
    };
    let threads: Vec<_> = work.iter().map(start).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(tree.keys(), left);
}

/// Two who change, one who reads what stays, and another tree.
fn between_leaves(planted: Planted) {
    let work: [Work; 4] = [
        |tree| {
            tree.put(15, 15);
            tree.remove(10);
            tree.remove(15);
        },
        |tree| {
            tree.remove(30);
            tree.put(35, 35);
            tree.put(45, 45);
            tree.remove(35);
        },
        |tree| look(tree, &[20, 40, 20], &[15, 45]),
        Tree::use_elsewhere,
    ];
    run(Tree::new(&[&[10, 20], &[30, 40]], planted), &work, &[20, 40, 45]);
}

/// The same where the root grows and shrinks.
fn at_the_root(planted: Planted) {
    let work: [Work; 4] = [
        |tree| {
            tree.put(10, 10);
            tree.put(30, 30);
            tree.remove(10);
            tree.remove(30);
        },
        |tree| {
            tree.put(40, 40);
            tree.remove(40);
            tree.put(25, 25);
        },
        |tree| look(tree, &[20, 20], &[10, 40]),
        Tree::use_elsewhere,
    ];
    run(Tree::new(&[&[20]], planted), &work, &[20, 25]);
}

#[test]
fn nobody_is_led_astray() {
    for case in [between_leaves, at_the_root] {
        shuttle::check_random(move || case(Planted::Nothing), SCHEDULES);
        shuttle::check_pct(move || case(Planted::Nothing), SCHEDULES, 3);
    }
}

/// Runs enough schedules with a defect to meet it.
fn find(case: fn(Planted), planted: Planted) {
    shuttle::check_random(move || case(planted), 10 * SCHEDULES);
    shuttle::check_pct(move || case(planted), 10 * SCHEDULES, 3);
}

/// One split, and one who reads what goes to the new leaf.
fn one_split(planted: Planted) {
    let work: [Work; 2] = [|tree| tree.put(15, 15), |tree| look(tree, &[20, 20], &[])];
    run(Tree::new(&[&[10, 20], &[30, 40]], planted), &work, &[10, 15, 20, 30, 40]);
}

#[test]
#[should_panic(expected = "all the time")]
fn fences_that_are_not_looked_at_are_found() {
    find(one_split, Planted::NoFences);
}

#[test]
#[should_panic(expected = "all the time")]
fn a_version_that_stays_is_found() {
    find(one_split, Planted::NoVersion);
}

#[test]
#[should_panic(expected = "without its version")]
fn a_leaf_let_go_before_its_split_is_found() {
    find(between_leaves, Planted::LeafLetGo);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_merge_that_waits_for_its_neighbour_is_found() {
    find(between_leaves, Planted::WaitsForNeighbour);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_wait_for_a_root_that_may_be_a_leaf_is_found() {
    find(at_the_root, Planted::WaitsForRoot);
}
