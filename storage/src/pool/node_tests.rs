//! A pool on a machine with several nodes: whose frames pages are given, and who must leave. And on one with huge pages: which frames lie there.

use super::{Pool, PoolHoldings};
use crate::env::{Env, Random, SeededRandom};
use crate::huge_pages::{HugePageSource, HugePages, NoHugePages, SimulatedHugePages};
use crate::page::{PAGE_BYTES_MIN, PageId, PageKind, TreeId};
use crate::store::{Store, StoreOptions};
use crate::topology::{SimulatedTopology, Topology};
use damask_types::SqlState;
use std::path::Path;
use std::sync::Arc;

/// A pool with so many frames on so many nodes; this thread is on node 0.
struct Machine {
    topology: Arc<SimulatedTopology>,
    store: Store,
}

impl Machine {
    fn new(node_count: usize, frames: usize) -> Self {
        let topology = Arc::new(SimulatedTopology::new(node_count));
        let env = Env { topology: Arc::clone(&topology) as Arc<dyn Topology>, ..Env::in_memory(1) };
        let pool_bytes = frames * PAGE_BYTES_MIN;
        let options =
            StoreOptions { page_bytes: PAGE_BYTES_MIN, pool_bytes, ..StoreOptions::default() };
        let store = Store::open(env, Path::new("d"), options).unwrap().0;
        Self { topology, store }
    }

    fn pool(&self) -> &Pool {
        self.store.pool()
    }

    /// Makes pages on a thread of a node.
    fn make(&self, node: usize, count: usize) -> Vec<PageId> {
        self.topology.bind_thread(node);
        let make = |_| self.pool().allocate(PageKind::Overflow, TreeId(1)).unwrap().page();
        (0..count).map(make).collect()
    }

    /// How many of these pages are loaded when a thread of a node reads them all.
    fn read(&self, node: usize, pages: &[PageId]) -> u64 {
        self.topology.bind_thread(node);
        let before = self.pool().statistics().load_count;
        for page in pages {
            self.pool().read(*page).unwrap();
        }
        self.pool().statistics().load_count - before
    }

    /// The node whose memory a page in memory is in; to ask is not to use it.
    fn node_of(&self, page: PageId) -> Option<usize> {
        let slot = self.pool().entries.get(page)?.latch.read();
        let frame = slot.bytes.as_ref()?;
        let bound = self.topology.node_of(frame.as_ptr().addr());
        assert!(
            bound == Some(frame.node()) || self.topology.nodes().len() == 1,
            "frames are bound"
        );
        Some(frame.node())
    }

    /// How many of these pages are in memory of each node.
    fn spread(&self, pages: &[PageId]) -> Vec<usize> {
        let mut counts = vec![0; self.topology.nodes().len()];
        for node in pages.iter().filter_map(|page| self.node_of(*page)) {
            counts[node] += 1;
        }
        counts
    }

    /// Of each node the frames it may have, has, and has to spare, and what its threads took from others.
    fn figures(&self) -> Vec<(usize, usize, usize, u64)> {
        let nodes = self.pool().node_statistics().into_iter();
        nodes
            .map(|node| (node.frames_max, node.frame_count, node.spare_count, node.afar_count))
            .collect()
    }

    fn check(&self) {
        let statistics = self.pool().statistics();
        assert!(statistics.frame_count <= statistics.frames_max, "{statistics:?}");
        assert!(self.figures().iter().all(|(max, count, spare, _)| spare <= count && count <= max));
        assert_eq!(self.pool().holdings(), PoolHoldings::default());
        let report = self.store.verify().unwrap();
        assert!(report.is_clean(), "{report:?}");
    }
}

#[test]
fn pages_lie_where_their_threads_run() {
    let machine = Machine::new(2, 64);
    let (near, far) = (machine.make(0, 32), machine.make(1, 32));
    assert_eq!((machine.spread(&near), machine.spread(&far)), (vec![32, 0], vec![0, 32]));
    // Both are full, and each makes room among its own.
    let (more_near, more_far) = (machine.make(0, 7), machine.make(1, 7));
    assert_eq!((machine.spread(&more_near), machine.spread(&more_far)), (vec![7, 0], vec![0, 7]));
    assert_eq!((machine.spread(&near), machine.spread(&far)), (vec![25, 0], vec![0, 25]));
    assert_eq!(machine.figures(), [(32, 32, 0, 0), (32, 32, 0, 0)]);
    // What is in memory stays where it is, whoever reads it; what is loaded goes to the reader.
    assert_eq!(machine.read(1, &more_near), 0);
    assert_eq!(machine.spread(&more_near), [7, 0]);
    let evicted: Vec<PageId> =
        near.iter().copied().filter(|page| machine.node_of(*page).is_none()).collect();
    assert_eq!(machine.read(1, &evicted[..5]), 5);
    assert_eq!(machine.spread(&evicted[..5]), [0, 5]);
    machine.check();
}

#[test]
fn shares_add_up_to_the_capacity() {
    for (node_count, frames) in [(1, 50), (2, 51), (4, 50), (4, 19), (32, 16)] {
        let machine = Machine::new(node_count, frames);
        let pages = machine.make(node_count - 1, 3 * frames);
        let figures = machine.figures();
        let sum = |of: fn(&(usize, usize, usize, u64)) -> usize| figures.iter().map(of).sum();
        assert_eq!((sum(|node| node.0), sum(|node| node.1)), (frames, frames));
        assert_eq!(machine.pool().statistics().frame_count, frames);
        assert_eq!(machine.spread(&pages).iter().sum::<usize>(), frames, "all are used");
        machine.check();
    }
}

/// A node whose pages are all in use is helped by the others, and only when all are does anybody fail.
#[test]
fn latched_pages_send_eviction_elsewhere() {
    let machine = Machine::new(2, 32);
    let (near, far) = (machine.make(0, 16), machine.make(1, 16));
    let latched: Vec<_> = near.iter().map(|page| machine.pool().read(*page).unwrap()).collect();
    let lent = machine.make(0, 10);
    assert_eq!((machine.spread(&lent), machine.spread(&far)), (vec![0, 10], vec![0, 6]));
    assert_eq!(machine.figures()[0].3, 10);
    let in_memory = far.iter().chain(&lent).filter(|page| machine.node_of(**page).is_some());
    let others: Vec<_> = in_memory.map(|page| machine.pool().read(*page).unwrap()).collect();
    let missing = far.iter().find(|page| machine.node_of(**page).is_none()).copied().unwrap();
    let error = machine.pool().read(missing).err().unwrap();
    assert_eq!(error.sqlstate(), SqlState::OUT_OF_MEMORY);
    drop((latched, others));
    machine.check();
}

/// One node's threads have the whole pool if the others do nothing, and what was left there by others leaves in time.
#[test]
fn an_idle_node_lends_what_it_has() {
    let machine = Machine::new(2, 64);
    // Pages of long ago, everywhere.
    machine.make(1, 64);
    let pages = machine.make(0, 48);
    let chance = SeededRandom::new(1);
    let read_some = || {
        let some: Vec<PageId> = (0..1000).map(|_| pages[chance.below(48) as usize]).collect();
        machine.read(0, &some)
    };
    let loaded: Vec<u64> = (0..10).map(|_| read_some()).collect();
    assert_eq!(loaded[9], 0, "{loaded:?}");
    // The other node's threads come back to it.
    let own = machine.make(1, 24);
    let loaded: Vec<u64> = (0..10).map(|_| machine.read(1, &own)).collect();
    assert_eq!(loaded[9], 0, "{loaded:?}");
    assert!(machine.spread(&own)[1] >= 20, "{:?}", machine.spread(&own));
    machine.check();
}

/// A page that was freed while a queue had its number, and made again on another node, leaves for that node's sake.
#[test]
fn a_page_made_again_elsewhere_is_that_nodes() {
    let machine = Machine::new(2, 32);
    let near = machine.make(0, 16);
    for page in &near {
        machine.pool().free(*page).unwrap();
    }
    assert_eq!(machine.figures()[0], (16, 16, 16, 0), "frames given back are their node's");
    let again = machine.make(1, 16);
    assert_eq!((&again, machine.spread(&again)), (&near, vec![0, 16]));
    // Node 0 has 16 spare frames, and queues full of numbers that are not its own any more.
    let own = machine.make(0, 16);
    // Those that are used again go to the main queue, where the others are first.
    machine.read(0, &own);
    let more = machine.make(0, 7);
    let near: Vec<PageId> = own.iter().chain(&more).copied().collect();
    assert_eq!((machine.spread(&near), machine.spread(&again)), (vec![16, 0], vec![0, 16]));
    let all: Vec<PageId> = again.iter().chain(&own).chain(&more).copied().collect();
    for _ in 0..3 {
        machine.read(1, &all);
        machine.read(0, &all);
    }
    assert_eq!(machine.spread(&all), [16, 16]);
    let freed = all.iter().find(|page| machine.node_of(**page) == Some(1)).unwrap();
    machine.pool().free(*freed).unwrap();
    assert_eq!([0, 1].map(|node| machine.figures()[node].2), [0, 1], "a frame stays its node's");
    machine.check();
}

/// Threads of different nodes with different loads: nothing is lost, and no node has more than its share.
#[test]
fn nodes_of_different_load_share_a_pool() {
    for node_count in [2, 4] {
        let machine = Machine::new(node_count, 40);
        let pages = machine.make(0, 120);
        let work = |node: usize| {
            machine.topology.bind_thread(node);
            let chance = SeededRandom::new(node as u64);
            let mut made = Vec::new();
            for _ in 0..6000 / (1 + 5 * node) {
                match chance.below(10) {
                    0 => made.extend(machine.make(node, 1)),
                    1 if !made.is_empty() => {
                        let page = made.swap_remove(chance.below(made.len() as u64) as usize);
                        machine.pool().free(page).unwrap();
                    }
                    2 => {
                        let page = pages[chance.below(pages.len() as u64) as usize];
                        let mut page = machine.pool().write(page).unwrap();
                        let byte = chance.next_u64() as u8;
                        page[64..].fill(byte);
                    }
                    _ => {
                        let page = pages[chance.below(pages.len() as u64) as usize];
                        let page = machine.pool().read(page).unwrap();
                        assert!(page[64..].iter().all(|byte| *byte == page[64]), "it is whole");
                    }
                }
            }
            made.len()
        };
        let made: usize = std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> =
                (0..node_count).map(|node| scope.spawn(move || work(node))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(machine.pool().statistics().page_count, 120 + made);
        assert_eq!(machine.pool().statistics().frame_count, 40);
        machine.check();
    }
}

/// Frames, those of them in huge pages, and how often these were asked for, when all of a pool of two huge pages and a half is used.
fn in_huge_pages(node_count: usize, wish: HugePages, granted_max: usize) -> (usize, usize, usize) {
    let source = Arc::new(SimulatedHugePages::new(granted_max));
    let topology = Arc::new(SimulatedTopology::new(node_count));
    let huge_pages = Arc::clone(&source) as Arc<dyn HugePageSource>;
    let env = Env { topology, huge_pages, ..Env::in_memory(1) };
    let options = StoreOptions {
        page_bytes: PAGE_BYTES_MIN,
        pool_bytes: 5 << 20,
        huge_pages: wish,
        ..StoreOptions::default()
    };
    let store = Store::open(env, Path::new("d"), options).unwrap().0;
    for _ in 0..2000 {
        store.pool().allocate(PageKind::Overflow, TreeId(1)).unwrap();
    }
    let statistics = store.pool().statistics();
    assert!(store.verify().unwrap().is_clean());
    (statistics.frame_count, statistics.frame_huge_count, source.asked().len())
}

#[test]
fn frames_lie_in_huge_pages_if_there_are_any() {
    for node_count in [1, 2] {
        assert_eq!(in_huge_pages(node_count, HugePages::Off, 9), (1280, 0, 0));
        assert_eq!(in_huge_pages(node_count, HugePages::Try, 9), (1280, 1024, 2));
        // A refusal is no error, and each node meets it once.
        assert_eq!(in_huge_pages(node_count, HugePages::Try, 0), (1280, 0, node_count));
        assert_eq!(in_huge_pages(node_count, HugePages::Try, 1), (1280, 512, 2));
        // One is tried when the store opens.
        assert_eq!(in_huge_pages(node_count, HugePages::On, 9), (1280, 1024, 3));
    }
}

#[test]
fn who_must_have_huge_pages_makes_no_store_without() {
    let env = Env::in_memory(1);
    let sources: [Arc<dyn HugePageSource>; 2] =
        [Arc::new(NoHugePages), Arc::new(SimulatedHugePages::new(0))];
    for huge_pages in sources {
        for name in ["d", ":memory:"] {
            let env = Env { huge_pages: Arc::clone(&huge_pages), ..env.clone() };
            let options = StoreOptions { huge_pages: HugePages::On, ..StoreOptions::default() };
            let error = Store::open(env, Path::new(name), options).err().unwrap();
            assert_eq!(error.sqlstate(), SqlState::FEATURE_NOT_SUPPORTED);
        }
    }
    assert!(!env.vfs.exists(Path::new("d")).unwrap(), "nothing was made");
    Store::open(env, Path::new("d"), StoreOptions::default()).unwrap();
}
