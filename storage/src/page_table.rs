//! The page table on disk: which run of units holds which logical page.
//!
//! Nodes of one unit each cover [`NODE_ENTRIES`] page numbers. A checkpoint writes every node that changed to a fresh
//! unit, and the list of all nodes into its root; nothing is overwritten. Each entry repeats the page's checksum, so an
//! old version of a page that a disk hands out is noticed although its own checksum is right.
//!
//! Invariants
//! - T1: entry `i` of node `n` is page number `n * NODE_ENTRIES + i`; page 0 does not exist.
//! - T2: an entry with location 0 is a page number that is free.
//!
//! Left out: loading nodes on demand; the whole table is in memory while the file is open.

use crate::alloc::{RUN_BITS, Run};
use crate::codec::{PageCodec, PageRef};
use crate::page::{
    self, PAGE_HEADER_BYTES, PageKind, TreeId, UNIT_BYTES, get_u32, get_u64, put_u16, put_u32,
    put_u64,
};

/// Bytes of an entry: location u64 (the run, and the codec above it), checksum u32, tree u32.
pub(crate) const ENTRY_BYTES: usize = 16;
/// Entries of a node.
pub(crate) const NODE_ENTRIES: usize = (UNIT_BYTES - PAGE_HEADER_BYTES) / ENTRY_BYTES;
/// Offset of the checksum in an entry.
pub(crate) const ENTRY_CRC: usize = 8;
/// Offset of the tree in an entry.
pub(crate) const ENTRY_TREE: usize = 12;

const _: () = assert!(NODE_ENTRIES == 252);

/// The node that a page's entry is in.
pub(crate) const fn node_of(page: u32) -> u32 {
    page / NODE_ENTRIES as u32
}

/// The first page number of a node.
pub(crate) const fn first_page(node: u32) -> u32 {
    node * NODE_ENTRIES as u32
}

/// Builds the unit of node `node`; returns its checksum.
pub(crate) fn encode_node(
    unit: &mut [u8],
    node: u32,
    seed: u32,
    entries: impl Iterator<Item = Option<PageRef>>,
) -> u32 {
    page::format(unit, PageKind::PageTable, u64::from(node), TreeId(0));
    put_u16(unit, page::offset::COUNT, NODE_ENTRIES as u16);
    for (index, entry) in entries.take(NODE_ENTRIES).enumerate() {
        let at = PAGE_HEADER_BYTES + index * ENTRY_BYTES;
        if let Some(entry) = entry {
            put_u64(unit, at, entry.run.pack() | (entry.codec as u64) << RUN_BITS);
            put_u32(unit, at + ENTRY_CRC, entry.crc);
            put_u32(unit, at + ENTRY_TREE, entry.tree.0);
        }
    }
    page::seal(seed, unit)
}

/// The entries of a node's unit, whose checksum was verified; `Err` says what is wrong.
pub(crate) fn decode_node(unit: &[u8], node: u32) -> Result<Vec<Option<PageRef>>, String> {
    if page::kind(unit) != Some(PageKind::PageTable) || page::page_id(unit) != u64::from(node) {
        return Err(format!("it is not node {node} of the page table"));
    }
    let entry = |index| {
        let at = PAGE_HEADER_BYTES + index * ENTRY_BYTES;
        let word = get_u64(unit, at);
        if word == 0 {
            return Ok(None);
        }
        let codec = u8::try_from(word >> RUN_BITS).ok().and_then(PageCodec::from_u8);
        match (Run::unpack(word & ((1 << RUN_BITS) - 1)), codec) {
            (Some(run), Some(codec)) => Ok(Some(PageRef {
                run,
                crc: get_u32(unit, at + ENTRY_CRC),
                tree: TreeId(get_u32(unit, at + ENTRY_TREE)),
                codec,
            })),
            _ => Err(format!("entry {index} has the impossible location {word:#x}")),
        }
    };
    (0..NODE_ENTRIES).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_survives_its_unit() {
        let entry = |i: u64| {
            let run = Run { start: 2 + i, count: 1 + i as u32 % 4 };
            let codec = PageCodec::ALL[i as usize % 4];
            let entry = PageRef { run, crc: i as u32, tree: TreeId(i as u32 * 5), codec };
            (!i.is_multiple_of(3)).then_some(entry)
        };
        let entries: Vec<_> = (0..NODE_ENTRIES as u64).map(entry).collect();
        let mut unit = vec![0; UNIT_BYTES];
        encode_node(&mut unit, 3, 9, entries.iter().copied());
        assert_eq!(decode_node(&unit, 3).unwrap(), entries);
        assert!(decode_node(&unit, 4).is_err());
        // A codec that does not exist.
        unit[PAGE_HEADER_BYTES + ENTRY_BYTES + 6] |= 0x20;
        assert!(decode_node(&unit, 3).is_err());
    }
}
