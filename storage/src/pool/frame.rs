//! A frame: the memory that one page lives in.
//!
//! On a machine with one node, frames come from the allocator one by one. On one with several, they are cut from *regions*: mappings that begin
//! at a multiple of 2 MiB and are bound to a node before anybody touches them. A region is unmapped when the last frame that was cut from it
//! is gone and nobody will cut more.
//!
//! Invariants
//! - M1: a frame's bytes are its own: no other frame, and nothing else that lives, has any of them.
//! - M2: a frame's bytes are initialized, and stay where they are as long as it lives.

#![expect(unsafe_code, reason = "frames of a region are parts of one mapping")]

use crate::topology::Topology;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

/// What regions begin at multiples of, and have multiples of: the size of huge pages.
const REGION_ALIGNMENT: usize = 2 << 20;
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
        Some(Self { start, len })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is this region's, and all its frames are gone.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Cuts frames for a node from regions.
pub(super) struct Cutter {
    node: usize,
    frame_bytes: usize,
    region_bytes: usize,
    /// The last region, and the bytes of it that were cut off.
    region: Option<(Arc<Region>, usize)>,
}

impl Cutter {
    /// For up to `frames_max` frames of a node.
    pub(super) fn new(node: usize, frame_bytes: usize, frames_max: usize) -> Self {
        let bytes = (frames_max * frame_bytes).div_ceil(REGIONS_MAX);
        let region_bytes = bytes.max(1).next_multiple_of(REGION_ALIGNMENT);
        Self { node, frame_bytes, region_bytes, region: None }
    }

    /// A frame that was never used: zeros.
    pub(super) fn cut(&mut self, topology: &dyn Topology) -> Frame {
        let has_room = |(_, used): &(_, usize)| used + self.frame_bytes <= self.region_bytes;
        if !self.region.as_ref().is_some_and(has_room) {
            self.region = Region::map(self.region_bytes).map(|mut region| {
                topology.bind_memory(self.node, region.bytes_mut());
                (Arc::new(region), 0)
            });
        }
        let Some((region, used)) = &mut self.region else {
            return Frame::alone(self.node, self.frame_bytes);
        };
        // SAFETY: the frame ends within the region.
        let start = unsafe { region.start.add(*used) };
        *used += self.frame_bytes;
        let (len, node) = (self.frame_bytes as u32, self.node as u32);
        Frame { start, len, node, region: Some(Arc::clone(region)) }
    }
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
    use crate::topology::SimulatedTopology;

    #[test]
    fn frames_are_apart_and_their_nodes() {
        let topology = SimulatedTopology::new(2);
        // More than one region of frames.
        let count = REGION_ALIGNMENT / 8192 + 3;
        let mut cutter = Cutter::new(1, 8192, count);
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

    #[test]
    fn large_pools_have_large_regions() {
        let bytes = |frames| Cutter::new(0, 16_384, frames).region_bytes;
        assert_eq!(bytes(10), REGION_ALIGNMENT);
        assert_eq!(bytes(1 << 20), 16 << 20, "of 16 GiB");
        assert_eq!(bytes(1 << 25), 512 << 20, "of 512 GiB");
    }
}
