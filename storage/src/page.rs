//! The shape of a page: sizes, the 64-byte header, and little-endian access at explicit offsets.
//!
//! Every block of the data file that is not a superblock opens with the same 20 bytes: kind, layout, level, flags,
//! checksum, own number, tree. The rest of the header is the trees'; its offsets stand here so that
//! `docs/format.md` has one counterpart in code.
//!
//! Invariants
//! - P1: the checksum covers the database's identity, then every byte of the page but the checksum's own four. It is
//!   written when a page is written out and checked whenever one is loaded.
//! - P2: a page carries its own number; a page found under another number is corrupt, whatever its checksum says.
//!
//! Left out: timestamps (versions live in memory only).

use std::fmt;

/// The smallest piece of the data file that is allocated, in bytes.
pub const UNIT_BYTES: usize = 4096;
/// The usual page size in bytes.
pub const PAGE_BYTES: usize = 16_384;
/// The largest page size in bytes.
pub const PAGE_BYTES_MAX: usize = 16_384;
/// The smallest page size in bytes; tests use it to force splits.
pub const PAGE_BYTES_MIN: usize = 4096;
/// Bytes of the header that opens every page.
pub const PAGE_HEADER_BYTES: usize = 64;

/// Offsets in the page header.
pub mod offset {
    /// u8: [`super::PageKind`].
    pub const KIND: usize = 0;
    /// u8: version of the layout of this kind.
    pub const LAYOUT: usize = 1;
    /// u8: height above the leaves.
    pub const LEVEL: usize = 2;
    /// u8: flags of this kind.
    pub const FLAGS: usize = 3;
    /// u32: crc32c (P1).
    pub const CHECKSUM: usize = 4;
    /// u64: the page's own number (P2).
    pub const PAGE: usize = 8;
    /// u32: the tree it belongs to.
    pub const TREE: usize = 16;
    /// u16: slots in use.
    pub const COUNT: usize = 20;
    /// u16: where the heap of bodies begins.
    pub const HEAP_LOW: usize = 22;
    /// u16: bytes in holes of the heap.
    pub const FREE_BYTES: usize = 24;
    /// u16: bytes of key prefix that all slots share.
    pub const PREFIX_LEN: usize = 26;
    /// u16: where the low fence is.
    pub const LOW_FENCE_OFFSET: usize = 28;
    /// u16: how long it is.
    pub const LOW_FENCE_LEN: usize = 30;
    /// u64: what row-id deltas count from.
    pub const BASE: usize = 32;
    /// u16: where the high fence is.
    pub const HIGH_FENCE_OFFSET: usize = 40;
    /// u16: how long it is.
    pub const HIGH_FENCE_LEN: usize = 42;
    /// Twenty bytes for the kind's own use.
    pub const SPARE: usize = 44;
}

const _: () = assert!(offset::CHECKSUM.is_multiple_of(4) && offset::PAGE.is_multiple_of(8));
const _: () = assert!(offset::TREE == offset::PAGE + 8 && offset::COUNT == offset::TREE + 4);
const _: () = assert!(offset::BASE.is_multiple_of(8) && offset::LOW_FENCE_LEN + 2 == offset::BASE);
const _: () = assert!(offset::SPARE + 20 == PAGE_HEADER_BYTES);
const _: () = assert!(PAGE_BYTES.is_multiple_of(UNIT_BYTES));
const _: () = assert!(PAGE_BYTES_MAX <= u16::MAX as usize, "offsets inside a page are u16");

/// A logical page's number. It stays the same while the page moves in the file; 0 is "none".
///
/// Four bytes in memory, eight on disk. Numbers of freed pages are given out again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PageId(pub u32);

impl PageId {
    /// No page.
    pub const NONE: Self = Self(0);
}

impl fmt::Debug for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageId({})", self.0)
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A tree's number, unique in its database; 0 is "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreeId(pub u32);

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeId({})", self.0)
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PageKind {
    /// Rows of a row-id tree.
    RowLeaf = 1,
    /// Separators of a row-id tree.
    RowInner = 2,
    /// Entries of an index tree.
    IndexLeaf = 3,
    /// Separators of an index tree.
    IndexInner = 4,
    /// Bytes of a value that is too large for its row.
    Overflow = 5,
    /// A piece of the page table; addressed by place, not by page number.
    PageTable = 0x20,
    /// A piece of a checkpoint's root; addressed by place.
    Root = 0x21,
}

impl PageKind {
    /// The kind a byte stands for.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::RowLeaf,
            2 => Self::RowInner,
            3 => Self::IndexLeaf,
            4 => Self::IndexInner,
            5 => Self::Overflow,
            0x20 => Self::PageTable,
            0x21 => Self::Root,
            _ => return None,
        })
    }
}

/// Reads the u16 at `at`.
#[inline]
pub fn get_u16(page: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([page[at], page[at + 1]])
}

/// Reads the u32 at `at`.
#[inline]
pub fn get_u32(page: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(page[at..at + 4].try_into().expect("four bytes were taken"))
}

/// Reads the u64 at `at`.
#[inline]
pub fn get_u64(page: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(page[at..at + 8].try_into().expect("eight bytes were taken"))
}

/// Writes the u16 at `at`.
#[inline]
pub fn put_u16(page: &mut [u8], at: usize, value: u16) {
    page[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

/// Writes the u32 at `at`.
#[inline]
pub fn put_u32(page: &mut [u8], at: usize, value: u32) {
    page[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Writes the u64 at `at`.
#[inline]
pub fn put_u64(page: &mut [u8], at: usize, value: u64) {
    page[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// The page's kind, if its byte names one.
pub fn kind(page: &[u8]) -> Option<PageKind> {
    PageKind::from_u8(page[offset::KIND])
}

/// The page's height above the leaves.
pub fn level(page: &[u8]) -> u8 {
    page[offset::LEVEL]
}

/// The page's own number.
pub fn page_id(page: &[u8]) -> u64 {
    get_u64(page, offset::PAGE)
}

/// The tree the page belongs to.
pub fn tree(page: &[u8]) -> TreeId {
    TreeId(get_u32(page, offset::TREE))
}

/// Whether the page is of this kind, level and tree.
#[inline]
pub fn is_node(page: &[u8], kind: PageKind, level: u8, tree: TreeId) -> bool {
    let Some(head) = page.first_chunk::<PAGE_HEADER_BYTES>() else { return false };
    let is_kind = head[offset::KIND] == kind as u8 && head[offset::LEVEL] == level;
    is_kind && get_u32(head, offset::TREE) == tree.0
}

/// Slots in use.
pub fn count(page: &[u8]) -> usize {
    usize::from(get_u16(page, offset::COUNT))
}

/// Zeroes `page` and writes the header's common part.
pub fn format(page: &mut [u8], kind: PageKind, number: u64, tree: TreeId) {
    page.fill(0);
    page[offset::KIND] = kind as u8;
    put_u64(page, offset::PAGE, number);
    put_u32(page, offset::TREE, tree.0);
}

/// The checksum of a block with the common header, under a database's seed (P1).
pub fn checksum(seed: u32, page: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(seed, &page[..offset::CHECKSUM]);
    crc32c::crc32c_append(crc, &page[offset::CHECKSUM + 4..])
}

/// Writes the checksum into the header and returns it.
pub(crate) fn seal(seed: u32, page: &mut [u8]) -> u32 {
    let crc = checksum(seed, page);
    put_u32(page, offset::CHECKSUM, crc);
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_sees_every_bit_and_the_database() {
        let mut page = vec![0; PAGE_BYTES_MIN];
        format(&mut page, PageKind::RowLeaf, 7, TreeId(3));
        let sealed = seal(1, &mut page);
        assert_eq!(checksum(1, &page), sealed);
        assert_ne!(checksum(2, &page), sealed);
        for byte in (0..page.len()).filter(|byte| !(4..8).contains(byte)) {
            page[byte] ^= 0x10;
            assert_ne!(checksum(1, &page), sealed, "byte {byte}");
            page[byte] ^= 0x10;
        }
    }

    #[test]
    fn kinds_survive_their_byte() {
        for byte in 0..=u8::MAX {
            assert!(PageKind::from_u8(byte).is_none_or(|kind| kind as u8 == byte));
        }
    }
}
