//! A frame: the memory that one page lives in.
//!
//! On a machine with several nodes, and where they are to lie in huge pages, frames are cut from *regions*: mappings that begin at a multiple of
//! 2 MiB, and are bound to a node or asked to be huge before anybody touches them. A region is unmapped when the last frame that was cut from it
//! is gone and nobody will cut more; frames live as long as their pool. Otherwise frames come from the allocator one by one.
//!
//! Invariants
//! - M1: a frame's bytes are its own: no other frame, and nothing else that lives, has any of them.
//! - M2: a frame's bytes are initialized, and stay where they are as long as it lives.

#![expect(unsafe_code, reason = "frames of a region are parts of one mapping")]

use crate::huge_pages::{HUGE_PAGE_BYTES, HugePageSource};
use crate::topology::Topology;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

/// What regions begin at multiples of, and have multiples of.
const REGION_ALIGNMENT: usize = HUGE_PAGE_BYTES;
/// Most regions of a node, so that the system's limit on mappings is far away.
const REGIONS_MAX: usize = 1024;

/// The memory of a page.
pub(super) struct Frame {
    start: NonNull<u8>,
    len: u32,
    node: u32,
    /// What it is a part of; none if it is the allocator's, a box.
    region: Option<Arc<Region>>,
}

// SAFETY: a frame owns its bytes (M1), and a region's handle is made for several threads.
unsafe impl Send for Frame {}
// SAFETY: as above; a shared frame gives shared bytes only.
unsafe impl Sync for Frame {}

impl Frame {
    /// One from the allocator, which counts as the node's.
    pub(super) fn alone(node: usize, len: usize) -> Self {
        let bytes = Box::leak(vec![0; len].into_boxed_slice());
        Self {
            start: NonNull::from(bytes).cast(),
            len: len as u32,
            node: node as u32,
            region: None,
        }
    }

    /// The node whose memory it is.
    pub(super) fn node(&self) -> usize {
        self.node as usize
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: M1 and M2.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len as usize) }
    }
}

impl DerefMut for Frame {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: M1 and M2, and the frame is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len as usize) }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if self.region.is_none() {
            let bytes = ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.len as usize);
            // SAFETY: it was leaked when the frame was made, and only the frame has it.
            drop(unsafe { Box::from_raw(bytes) });
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes of node {})", self.len, self.node)
    }
}

/// A mapping.
struct Region {
    start: NonNull<u8>,
    len: usize,
    /// Bytes at its start that the system agreed to put in huge pages.
    huge_bytes: usize,
}

// SAFETY: a region's bytes are its frames'; what it does itself is to be unmapped by its last owner.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Maps `len` bytes, a multiple of the alignment; `None` if the system gives no memory.
    fn map(len: usize) -> Option<Self> {
        let mapped_len = len + REGION_ALIGNMENT;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: an anonymous private mapping at an address of the system's choice overlaps nothing.
        let mapped =
            unsafe { mmap_anonymous(ptr::null_mut(), mapped_len, protection, MapFlags::PRIVATE) };
        let mapped: *mut u8 = mapped.ok()?.cast();
        let skipped = mapped.align_offset(REGION_ALIGNMENT);
        // What is before and behind goes back; both are multiples of the system's pages. If the system will not have it, it stays mapped
        // and is never touched.
        for (at, len) in [(0, skipped), (skipped + len, mapped_len - skipped - len)] {
            if len > 0 {
                // SAFETY: that part of the mapping was just made, and nobody has it.
                let _ = unsafe { munmap(mapped.wrapping_add(at).cast(), len) };
            }
        }
        let start = NonNull::new(mapped.wrapping_add(skipped))?;
        Some(Self { start, len, huge_bytes: 0 })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is this region's, and all its frames are gone.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Makes frames for a node: cuts them from regions if there is use for these, else takes them from the allocator.
///
/// Huge pages are asked for only where frames will fill them, so that the node's share is not exceeded by memory either; the frames of the
/// last part of a share that is no multiple of 2 MiB lie in ordinary pages.
pub(super) struct Cutter {
    node: usize,
    frame_bytes: usize,
    region_bytes: usize,
    /// Frames still to be made.
    left_count: usize,
    /// There are several nodes, to one of which regions are bound.
    is_bound: bool,
    /// Who is asked for huge pages; none if nobody is, or once somebody has refused.
    huge_pages: Option<Arc<dyn HugePageSource>>,
    /// The last region, and the bytes of it that were cut off.
    region: Option<(Arc<Region>, usize)>,
    huge_count: usize,
}

impl Cutter {
    /// For up to `frames_max` frames of a node.
    pub(super) fn new(
        node: usize,
        frame_bytes: usize,
        frames_max: usize,
        is_bound: bool,
        huge_pages: Option<Arc<dyn HugePageSource>>,
    ) -> Self {
        let bytes = (frames_max * frame_bytes).div_ceil(REGIONS_MAX);
        let region_bytes = bytes.max(1).next_multiple_of(REGION_ALIGNMENT);
        Self {
            node,
            frame_bytes,
            region_bytes,
            left_count: frames_max,
            is_bound,
            huge_pages,
            region: None,
            huge_count: 0,
        }
    }

    /// A frame that was never used: zeros.
    pub(super) fn cut(&mut self, topology: &dyn Topology) -> Frame {
        let has_room = |(_, used): &(_, usize)| used + self.frame_bytes <= self.region_bytes;
        if !self.region.as_ref().is_some_and(has_room) {
            self.region = self.map(topology).map(|region| (Arc::new(region), 0));
        }
        self.left_count -= 1;
        let Some((region, used)) = &mut self.region else {
            return Frame::alone(self.node, self.frame_bytes);
        };
        // SAFETY: the frame ends within the region.
        let start = unsafe { region.start.add(*used) };
        *used += self.frame_bytes;
        self.huge_count += usize::from(*used <= region.huge_bytes);
        let (len, node) = (self.frame_bytes as u32, self.node as u32);
        Frame { start, len, node, region: Some(Arc::clone(region)) }
    }

    /// Frames that lie in huge pages, if the system does as it said.
    pub(super) fn huge_count(&self) -> usize {
        self.huge_count
    }

    /// The next region; `None` if there is no use for it, or no memory.
    fn map(&mut self, topology: &dyn Topology) -> Option<Region> {
        let left_bytes = self.left_count * self.frame_bytes;
        let huge_bytes = (left_bytes - left_bytes % HUGE_PAGE_BYTES).min(self.region_bytes);
        let asks = huge_bytes > 0 && self.huge_pages.is_some();
        if !self.is_bound && !asks {
            return None;
        }
        let mut region = Region::map(self.region_bytes)?;
        if self.is_bound {
            topology.bind_memory(self.node, region.bytes_mut());
        }
        if asks && let Some(source) = &self.huge_pages {
            match source.ask(&mut region.bytes_mut()[..huge_bytes]) {
                Ok(()) => region.huge_bytes = huge_bytes,
                Err(_) => self.huge_pages = None,
            }
        }
        (self.is_bound || region.huge_bytes > 0).then_some(region)
    }
}

/// Asks for a huge page, and gives it back.
///
/// # Errors
/// Why there is none, as a sentence.
pub(crate) fn try_huge_page(source: &dyn HugePageSource) -> Result<(), String> {
    let region = Region::map(HUGE_PAGE_BYTES);
    let mut region = region.ok_or_else(|| "The system gives no memory.".to_owned())?;
    source.ask(region.bytes_mut())
}

impl fmt::Debug for Cutter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cutter(node {})", self.node)
    }
}

impl Region {
    /// All of it, before the first frame is cut.
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is zeros and nobody else has any of it: no frame was cut, since whoever cuts shares the region.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huge_pages::SimulatedHugePages;
    use crate::topology::SimulatedTopology;

    #[test]
    fn frames_are_apart_and_their_nodes() {
        let topology = SimulatedTopology::new(2);
        // More than one region of frames.
        let count = REGION_ALIGNMENT / 8192 + 3;
        let mut cutter = Cutter::new(1, 8192, count, true, None);
        let mut frames: Vec<Frame> = (0..count).map(|_| cutter.cut(&topology)).collect();
        drop(cutter);
        for (index, frame) in frames.iter_mut().enumerate() {
            assert!(frame.iter().all(|byte| *byte == 0));
            assert_eq!((frame.len(), frame.node()), (8192, 1));
            assert_eq!(topology.node_of(frame.as_ptr().addr()), Some(1));
            frame.fill(index as u8);
        }
        let regions = topology.bound_memory();
        assert_eq!(regions.len(), 2);
        assert!(regions.iter().all(|(region, _)| region.start % REGION_ALIGNMENT == 0));
        frames.push(Frame::alone(1, 8192));
        // Those that are left keep their region.
        for (index, frame) in frames.iter().enumerate().skip(count - 1).chain([(0, &frames[0])]) {
            let expected = if index == count { 0 } else { index as u8 };
            assert!(frame.iter().all(|byte| *byte == expected));
        }
        let last = frames.swap_remove(count - 1);
        drop(frames);
        assert!(last.iter().all(|byte| *byte == (count - 1) as u8));
    }

    /// Cuts all frames of 16 KiB of a share of so many huge pages and a few frames more, on the first of some nodes; says of each whether it lies
    /// in memory that huge pages were asked for.
    fn cut_all(pages: usize, node_count: usize, source: &Arc<SimulatedHugePages>) -> Vec<bool> {
        let topology = SimulatedTopology::new(node_count);
        let count = pages * (HUGE_PAGE_BYTES / 16_384) + 5;
        let asked = Some(Arc::clone(source) as Arc<dyn HugePageSource>);
        let mut cutter = Cutter::new(0, 16_384, count, node_count > 1, asked);
        let mut frames: Vec<Frame> = (0..count).map(|_| cutter.cut(&topology)).collect();
        for (index, frame) in frames.iter_mut().enumerate() {
            assert!(frame.iter().all(|byte| *byte == 0));
            frame.fill(index as u8);
        }
        for (index, frame) in frames.iter().enumerate() {
            assert!(frame.iter().all(|byte| *byte == index as u8), "they are apart");
            let node = topology.node_of(frame.as_ptr().addr());
            assert_eq!(node, (node_count > 1).then_some(0), "one node binds nothing");
        }
        let granted: Vec<_> = source.asked().into_iter().take(source.granted_max()).collect();
        let is_huge = |frame: &Frame| {
            let range = frame.as_ptr_range();
            let (start, end) = (range.start.addr(), range.end.addr());
            granted.iter().any(|huge| huge.start <= start && end <= huge.end)
        };
        let huge: Vec<bool> = frames.iter().map(is_huge).collect();
        assert_eq!(cutter.huge_count(), huge.iter().filter(|is_huge| **is_huge).count());
        huge
    }

    #[test]
    fn whole_huge_pages_of_a_share_are_asked_for() {
        for node_count in [1, 2] {
            let source = Arc::new(SimulatedHugePages::new(usize::MAX));
            let huge = cut_all(3, node_count, &source);
            assert_eq!(huge, [vec![true; 3 * 128], vec![false; 5]].concat());
            assert_eq!(source.asked().len(), 3);
            for asked in source.asked() {
                assert_eq!((asked.start % HUGE_PAGE_BYTES, asked.len()), (0, HUGE_PAGE_BYTES));
            }
            let source = Arc::new(SimulatedHugePages::new(usize::MAX));
            assert_eq!(cut_all(0, node_count, &source), [false; 5]);
            assert!(source.asked().is_empty(), "a huge page would be more than the share");
        }
    }

    #[test]
    fn where_huge_pages_are_refused_there_are_others() {
        for (node_count, granted) in [(1, 0), (1, 2), (2, 0), (2, 2)] {
            let source = Arc::new(SimulatedHugePages::new(granted));
            let huge = cut_all(5, node_count, &source);
            let expected = [vec![true; granted * 128], vec![false; (5 - granted) * 128 + 5]];
            assert_eq!(huge, expected.concat());
            assert_eq!(source.asked().len(), granted + 1, "a refusal ends it");
        }
    }

    #[test]
    fn the_end_of_a_large_region_may_lie_in_ordinary_pages() {
        let source = Arc::new(SimulatedHugePages::new(usize::MAX));
        let asked = Some(Arc::clone(&source) as Arc<dyn HugePageSource>);
        // 2 GiB, and one huge page more, make regions of 4 MiB.
        let count = 1024 * (HUGE_PAGE_BYTES / 16_384) + 128 + 5;
        let mut cutter = Cutter::new(0, 16_384, count, false, asked);
        let topology = SimulatedTopology::new(1);
        let frames: Vec<Frame> = (0..count).map(|_| cutter.cut(&topology)).collect();
        assert_eq!((frames.len(), cutter.huge_count()), (count, count - 5));
        let asked: Vec<usize> = source.asked().iter().map(ExactSizeIterator::len).collect();
        assert_eq!(asked, [vec![2 * HUGE_PAGE_BYTES; 512], vec![HUGE_PAGE_BYTES]].concat());
    }

    #[test]
    fn large_pools_have_large_regions() {
        let bytes = |frames| Cutter::new(0, 16_384, frames, true, None).region_bytes;
        assert_eq!(bytes(10), REGION_ALIGNMENT);
        assert_eq!(bytes(1 << 20), 16 << 20, "of 16 GiB");
        assert_eq!(bytes(1 << 25), 512 << 20, "of 512 GiB");
    }
}
