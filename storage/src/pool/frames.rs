//! The memory that pages live in, and who must leave when it is full.
//!
//! S3-FIFO (Yang et al., SOSP 2023): new pages enter a small queue; those used again move to the main queue, the others
//! leave and are remembered as ghosts; a ghost that returns goes straight to the main queue. So a scan passes through
//! the small queue and does not wash out what is used often. Differences: the ghost queue holds page numbers, and a
//! latched page is passed over.
//!
//! Each node of the machine ([`crate::topology`]) has a share of the frames, with queues and a lock of its own. Whoever needs a frame is
//! given, in this order: a frame without a page, or a new one, of the node that it runs on; such a frame of another node, since memory that is
//! far is nearer than the disk; the frame of a page of its own node that has to leave; of another node.
//! So what a thread loads lies near it as long as its node has room, and a node of which no thread loads anything lends what it has. Lest pages that were
//! put there stay for ever, one of [`EVICT_AFAR`] pages that leave for a node's threads leaves another node, if few do there. With one node,
//! all of this is one set of queues.
//!
//! Invariants
//! - F1: frames in pages plus spare frames never exceed the capacity, and beyond [`FRAMES_MIN`] what the governor grants. Of a node
//!   there are no more than its share. A huge page has all of its memory as soon as its first frame is touched; so the process may hold up to 2 MiB
//!   for each node beyond what was granted, but no more than the node's share has ([`Cutter`]).
//! - F2: the queues hold a page number at most once, all together, and [`Slot::queued`] says so.
//! - F3: a node's lock is held only for picking, and no other node's with it; a page's latch is only *tried* under it, so there is no
//!   order to break.
//! - F4: a page is in a queue of the node that its frame is of. One that was freed while it was queued and then given a frame of another node
//!   moves there when it is met; it is not evicted for the node's sake.

use super::entries::{Entries, Slot};
use super::frame::{Cutter, Frame};
use crate::governor::{Governor, Purpose};
use crate::huge_pages::HugePageSource;
use crate::page::PageId;
use crate::topology::Topology;
use parking_lot::{Mutex, MutexGuard, RwLockWriteGuard};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Fewest frames a pool works with: a split holds several latches, and threads do so at once.
pub(super) const FRAMES_MIN: usize = 16;

/// Of how many evictions for a node's threads one looks whether another node's pages stay too long.
const EVICT_AFAR: u64 = 8;

/// The memory for pages.
#[derive(Debug)]
pub(super) struct Frames {
    page_bytes: usize,
    /// Most frames there may be.
    capacity: usize,
    /// Frames there are, and most there can be as far as is known: fewer than may be if the governor grants no more.
    made_count: AtomicUsize,
    reach: AtomicUsize,
    memory: Arc<Governor>,
    topology: Arc<dyn Topology>,
    nodes: Box<[Node]>,
}

/// A node's frames; in cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Node {
    queues: Mutex<Queues>,
    /// Most frames of the node.
    share: usize,
    /// Frames that it could give without an eviction, spare ones and those not made; read without the lock, to pass it by.
    idle_count: AtomicUsize,
    /// Evictions for threads of this node.
    asked_count: AtomicU64,
    /// Evictions of its pages since another node looked.
    evicted_count: AtomicU64,
    /// Frames of other nodes that its threads were given.
    afar_count: AtomicU64,
}

#[derive(Debug)]
struct Queues {
    /// Frames without a page.
    spare: Vec<Frame>,
    /// Frames there are.
    made_count: usize,
    /// Where new ones come from.
    cutter: Cutter,
    small: VecDeque<PageId>,
    main: VecDeque<PageId>,
    ghosts: VecDeque<PageId>,
}

/// A page that is in a queue of another node than its frame's, and that node.
type Stray = (PageId, usize);

/// A page to evict, latched; it is in no queue any more.
pub(super) type Victim<'p> = (PageId, RwLockWriteGuard<'p, Slot>);

/// What a search for a frame came to.
pub(super) enum Found<'p> {
    /// A frame.
    Frame(Frame),
    /// Who must give one up.
    Victim(Victim<'p>),
    /// Every page is latched, or may not leave.
    Nothing,
}

/// Which pages may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// All.
    Any,
    /// Those for which the file needs no more room: clean ones, and dirty ones that can be written where they are.
    WithoutRoom,
    /// Clean ones.
    Clean,
    /// Dirty ones.
    Dirty,
    /// Dirty ones that can be written where they are.
    DirtyWithoutRoom,
}

impl Leaving {
    fn allows(self, slot: &Slot) -> bool {
        match self {
            Self::Any => true,
            Self::WithoutRoom => !slot.is_dirty() || slot.own_place().is_some(),
            Self::Clean => !slot.is_dirty(),
            Self::Dirty => slot.is_dirty(),
            Self::DirtyWithoutRoom => slot.is_dirty() && slot.own_place().is_some(),
        }
    }
}

/// Figures about the frames of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatistics {
    /// Which it is.
    pub node: crate::topology::Node,
    /// Most frames it may have.
    pub frames_max: usize,
    /// Frames it has.
    pub frame_count: usize,
    /// Those that hold no page.
    pub spare_count: usize,
    /// Pages that its threads loaded or made and that were given frames of other nodes.
    pub afar_count: u64,
    /// There are several nodes, and the system binds memory and threads to them as it is asked to.
    pub is_bound: bool,
}

impl Frames {
    pub(super) fn new(
        page_bytes: usize,
        capacity: usize,
        memory: Arc<Governor>,
        topology: Arc<dyn Topology>,
        huge_pages: Option<Arc<dyn HugePageSource>>,
    ) -> Self {
        let capacity = capacity.max(FRAMES_MIN);
        let node_count = topology.nodes().len();
        let node = |index: usize| {
            let share = capacity / node_count + usize::from(index < capacity % node_count);
            let huge_pages = huge_pages.clone();
            let cutter = Cutter::new(index, page_bytes, share, node_count > 1, huge_pages);
            Node::new(share, cutter)
        };
        let nodes = (0..node_count).map(node).collect();
        Self {
            page_bytes,
            capacity,
            made_count: AtomicUsize::new(0),
            reach: AtomicUsize::new(capacity),
            memory,
            topology,
            nodes,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Most frames there can be as far as is known.
    #[inline]
    pub(super) fn reach(&self) -> usize {
        self.reach.load(Ordering::Relaxed)
    }

    /// Frames there are, spare ones included.
    pub(super) fn made_count(&self) -> usize {
        self.counts().0
    }

    /// Frames that lie in huge pages, if the system does as it said.
    pub(super) fn huge_count(&self) -> usize {
        self.nodes.iter().map(|node| node.queues.lock().cutter.huge_count()).sum()
    }

    /// Frames there are, and those of them that are spare.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.nodes.iter().fold((0, 0), |(made, spare), node| {
            let queues = node.queues.lock();
            (made + queues.made_count, spare + queues.spare.len())
        })
    }

    /// Figures of each node.
    pub(super) fn statistics(&self) -> Vec<NodeStatistics> {
        let is_bound = self.nodes.len() > 1 && self.topology.is_obeyed();
        let of = |(node, place): (&Node, &crate::topology::Node)| {
            let queues = node.queues.lock();
            NodeStatistics {
                node: place.clone(),
                frames_max: node.share,
                frame_count: queues.made_count,
                spare_count: queues.spare.len(),
                afar_count: node.afar_count.load(Ordering::Relaxed),
                is_bound,
            }
        };
        self.nodes.iter().zip(self.topology.nodes()).map(of).collect()
    }

    /// Finds a frame or someone who must give one up.
    pub(super) fn find<'p>(&self, entries: &'p Entries, leaving: Leaving) -> Found<'p> {
        if let [only] = &*self.nodes {
            let mut queues = only.queues.lock();
            return match self.take(only, &mut queues) {
                Some(frame) => Found::Frame(frame),
                None => Self::pick(0, only.share, &mut queues, entries, leaving)
                    .0
                    .map_or(Found::Nothing, Found::Victim),
            };
        }
        let home = self.topology.node_here();
        let found = self.find_from(home, entries, leaving);
        let node = match &found {
            Found::Frame(frame) => frame.node(),
            Found::Victim((_, slot)) => slot.bytes.as_ref().map_or(home, Frame::node),
            Found::Nothing => home,
        };
        if node != home {
            self.nodes[home].afar_count.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// [`Frames::find`] for a thread of the node `home`, one of several.
    fn find_from<'p>(&self, home: usize, entries: &'p Entries, leaving: Leaving) -> Found<'p> {
        let count = self.nodes.len();
        for index in (home..home + count).map(|index| index % count) {
            let node = &self.nodes[index];
            if node.idle_count.load(Ordering::Relaxed) > 0
                && let Some(frame) = self.take(node, &mut node.queues.lock())
            {
                return Found::Frame(frame);
            }
        }
        let first = self.evicted_from(home);
        for index in (first..first + count).map(|index| index % count) {
            let node = &self.nodes[index];
            let mut queues = node.queues.lock();
            // Someone may have given one back.
            if let Some(frame) = self.take(node, &mut queues) {
                return Found::Frame(frame);
            }
            let (found, strays) = Self::pick(index, node.share, &mut queues, entries, leaving);
            drop(queues);
            self.move_home(strays);
            if let Some(victim) = found {
                node.evicted_count.fetch_add(1, Ordering::Relaxed);
                return Found::Victim(victim);
            }
        }
        Found::Nothing
    }

    /// Finds a page to evict, whether or not there are frames.
    pub(super) fn find_victim<'p>(
        &self,
        entries: &'p Entries,
        leaving: Leaving,
    ) -> Option<Victim<'p>> {
        let (home, count) = (self.topology.node_here(), self.nodes.len());
        (home..home + count).map(|index| index % count).find_map(|index| {
            let node = &self.nodes[index];
            let mut queues = node.queues.lock();
            let (found, strays) = Self::pick(index, node.share, &mut queues, entries, leaving);
            drop(queues);
            self.move_home(strays);
            found
        })
    }

    /// Enters pages in the queues of the nodes that their frames are of.
    fn move_home(&self, strays: impl IntoIterator<Item = Stray>) {
        for (page, node) in strays {
            self.nodes[node].queues.lock().small.push_back(page);
        }
    }

    /// The node that is first to give up a page for a thread of the node `home`.
    fn evicted_from(&self, home: usize) -> usize {
        let asked = self.nodes[home].asked_count.fetch_add(1, Ordering::Relaxed) + 1;
        if !asked.is_multiple_of(EVICT_AFAR) {
            return home;
        }
        // The others take turns.
        let turn = (asked / EVICT_AFAR) as usize % (self.nodes.len() - 1);
        let other = (home + 1 + turn) % self.nodes.len();
        let evicted = self.nodes[other].evicted_count.swap(0, Ordering::Relaxed);
        if evicted < EVICT_AFAR / 2 { other } else { home }
    }

    /// A frame of a node without a page, or a new one if there may be more.
    fn take(&self, node: &Node, queues: &mut MutexGuard<'_, Queues>) -> Option<Frame> {
        let frame = match queues.spare.pop() {
            Some(spare) => spare,
            None if queues.made_count < node.share && self.may_grow(queues.made_count) => {
                queues.made_count += 1;
                self.made_count.fetch_add(1, Ordering::Relaxed);
                queues.cutter.cut(&*self.topology)
            }
            None => return None,
        };
        node.note_idle(queues);
        Some(frame)
    }

    /// Finds a page of the node `index` to evict, and those in its queues that are not its own.
    fn pick<'p>(
        index: usize,
        share: usize,
        queues: &mut Queues,
        entries: &'p Entries,
        leaving: Leaving,
    ) -> (Option<Victim<'p>>, SmallVec<[Stray; 2]>) {
        let mut strays = SmallVec::new();
        // Each page can be passed over three times for its usage and once for its latch.
        let tries = 5 * (queues.small.len() + queues.main.len());
        let mut passed_over = [0, 0];
        for _ in 0..tries {
            // A queue of which every page was passed over leaves it to the other.
            let [passed_small, passed_main] = passed_over;
            let small_is_long = queues.small.len() > share / 10;
            let from_small = queues.main.is_empty()
                || passed_main >= queues.main.len() && !queues.small.is_empty()
                || small_is_long && passed_small < queues.small.len();
            let queue = if from_small { &mut queues.small } else { &mut queues.main };
            let Some(page) = queue.pop_front() else { break };
            let entry = entries.get(page).expect("a queued page has an entry");
            let Some(mut slot) = entry.latch.try_write() else {
                queue.push_back(page);
                passed_over[usize::from(!from_small)] += 1;
                continue;
            };
            let Some(frame) = &slot.bytes else {
                // Freed while it was queued.
                slot.queued = false;
                continue;
            };
            if frame.node() != index {
                strays.push((page, frame.node()));
                continue;
            }
            let usage = entry.usage.load(Ordering::Relaxed);
            if from_small && usage > 1 {
                entry.usage.store(0, Ordering::Relaxed);
                queues.main.push_back(page);
                continue;
            }
            if !from_small && usage > 0 {
                entry.usage.store(usage - 1, Ordering::Relaxed);
                queues.main.push_back(page);
                continue;
            }
            if !leaving.allows(&slot) {
                queue.push_back(page);
                passed_over[usize::from(!from_small)] += 1;
                continue;
            }
            slot.queued = false;
            if from_small {
                entry.ghost.store(true, Ordering::Relaxed);
                queues.ghosts.push_back(page);
                if queues.ghosts.len() > share
                    && let Some(forgotten) = queues.ghosts.pop_front()
                    && let Some(entry) = entries.get(forgotten)
                {
                    entry.ghost.store(false, Ordering::Relaxed);
                }
            }
            return (Some((page, slot)), strays);
        }
        (Self::pick_used(index, queues, entries, leaving), strays)
    }

    /// [`Frames::pick`] when nothing that is little used may leave: the first page that may.
    fn pick_used<'p>(
        index: usize,
        queues: &mut Queues,
        entries: &'p Entries,
        leaving: Leaving,
    ) -> Option<Victim<'p>> {
        let is_victim = |page: PageId| {
            let slot = entries.get(page)?.latch.try_write()?;
            let is_here = slot.bytes.as_ref().is_some_and(|frame| frame.node() == index);
            (is_here && leaving.allows(&slot)).then_some((page, slot))
        };
        [&mut queues.small, &mut queues.main].into_iter().find_map(|queue| {
            let found = (0..queue.len()).find_map(|at| Some((at, is_victim(queue[at])?)));
            let (at, (page, mut slot)) = found?;
            queue.remove(at);
            slot.queued = false;
            Some((page, slot))
        })
    }

    /// Takes memory for a frame of a node that has `made_count`, if there is some.
    fn may_grow(&self, made_count: usize) -> bool {
        if made_count < FRAMES_MIN.div_ceil(self.nodes.len()) {
            self.memory.take_anyway(Purpose::Pages, self.page_bytes);
            return true;
        }
        let is_granted = self.memory.try_take(Purpose::Pages, self.page_bytes);
        let made_count = || self.made_count.load(Ordering::Relaxed).max(FRAMES_MIN);
        let reach = if is_granted { self.capacity } else { made_count() };
        self.reach.store(reach, Ordering::Relaxed);
        is_granted
    }

    /// Enters a page whose slot was just given a frame; the caller holds its latch.
    pub(super) fn enqueue(&self, entries: &Entries, page: PageId, slot: &mut Slot) {
        if std::mem::replace(&mut slot.queued, true) {
            return;
        }
        let entry = entries.get(page).expect("a page in memory has an entry");
        let node = slot.bytes.as_ref().expect("the slot was given a frame").node();
        let mut queues = self.nodes[node].queues.lock();
        if entry.ghost.swap(false, Ordering::Relaxed) {
            queues.main.push_back(page);
        } else {
            queues.small.push_back(page);
        }
    }

    /// Takes back a frame that holds no page any more.
    pub(super) fn give_back(&self, frame: Frame) {
        let node = &self.nodes[frame.node()];
        let mut queues = node.queues.lock();
        queues.spare.push(frame);
        node.note_idle(&queues);
    }
}

impl Node {
    fn new(share: usize, cutter: Cutter) -> Self {
        let queues = Queues {
            spare: Vec::new(),
            made_count: 0,
            cutter,
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
        };
        Self {
            queues: Mutex::new(queues),
            share,
            idle_count: AtomicUsize::new(share),
            asked_count: AtomicU64::new(0),
            evicted_count: AtomicU64::new(0),
            afar_count: AtomicU64::new(0),
        }
    }

    /// Notes what it could give now, under its lock.
    fn note_idle(&self, queues: &Queues) {
        let count = queues.spare.len() + self.share - queues.made_count;
        self.idle_count.store(count, Ordering::Relaxed);
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.memory.give_back(Purpose::Pages, self.made_count() * self.page_bytes);
    }
}
