//! A checkpoint's root: what a superblock leads to, as one string of bytes in a chain of blocks.
//!
//! The string holds the page table's nodes, the trees' roots and the blob that the layer above wants back. It is cut
//! into pieces of up to 4 MiB, each a run of units with the common page header. Each piece names the next with its
//! checksum, so the superblock's checksum of the first vouches for all.
//!
//! Left out: keeping pieces that did not change; a root is small next to what a checkpoint writes.

use crate::alloc::{RUN_UNITS_MAX, Run};
use crate::codec::PageCodec;
use crate::page::{
    self, PAGE_HEADER_BYTES, PageId, PageKind, TreeId, UNIT_BYTES, get_u32, get_u64, put_u32,
    put_u64,
};
use crate::pool::block_problem;
use crate::store::TreeDescriptor;
use crate::superblock::BlockRef;
use crate::vfs::{VfsFile, read_exact_at};
use damask_types::{Error, Result};

/// Offsets in the header of a piece, behind the common part.
pub(crate) mod offset {
    /// u64: the generation of the superblock it was written for.
    pub(crate) const GENERATION: usize = 24;
    /// u32: bytes of the string in this piece.
    pub(crate) const LEN: usize = 32;
    /// u32: checksum of the next piece.
    pub(crate) const NEXT_CRC: usize = 36;
    /// u64: where the next piece is; 0 in the last.
    pub(crate) const NEXT: usize = 40;
}

/// Bytes of the string in a full piece.
const PIECE_BYTES_MAX: usize = RUN_UNITS_MAX as usize * UNIT_BYTES - PAGE_HEADER_BYTES;
/// Bytes of a node reference: location u64, checksum u32, zero u32.
const NODE_BYTES: usize = 16;
/// Bytes of a tree: number u32, root page u32, kind u8, codec u8, zero.
const TREE_BYTES: usize = 16;
/// Pieces a chain may have before it is taken for a loop (64 GiB).
const PIECES_MAX: u64 = 1 << 14;

/// A root's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root {
    /// The page table's nodes, in order.
    pub(crate) nodes: Vec<BlockRef>,
    /// The trees, by number.
    pub(crate) trees: Vec<TreeDescriptor>,
    /// The first tree number that was never given out.
    pub(crate) next_tree: u32,
    /// What the layer above wants back.
    pub(crate) meta: Vec<u8>,
}

impl Root {
    /// The string: three counts (u64, u32, u32), meta's length (u64), then nodes, trees, meta.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let len = 24 + self.nodes.len() * NODE_BYTES + self.trees.len() * TREE_BYTES;
        let mut bytes = Vec::with_capacity(len + self.meta.len());
        bytes.extend_from_slice(&(self.nodes.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.trees.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.next_tree.to_le_bytes());
        bytes.extend_from_slice(&(self.meta.len() as u64).to_le_bytes());
        for node in &self.nodes {
            bytes.extend_from_slice(&node.run.pack().to_le_bytes());
            bytes.extend_from_slice(&node.crc.to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
        }
        for tree in &self.trees {
            bytes.extend_from_slice(&tree.tree.0.to_le_bytes());
            bytes.extend_from_slice(&tree.root.0.to_le_bytes());
            bytes.push(tree.kind as u8);
            bytes.push(tree.codec as u8);
            bytes.extend_from_slice(&[0; 6]);
        }
        bytes.extend_from_slice(&self.meta);
        bytes
    }

    /// Reads the string; `None` if it makes no sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(24)?;
        let node_bytes = usize::try_from(get_u64(head, 0)).ok()?.checked_mul(NODE_BYTES)?;
        let tree_bytes = (get_u32(head, 8) as usize).checked_mul(TREE_BYTES)?;
        let (nodes, rest) = rest.split_at_checked(node_bytes)?;
        let (trees, meta) = rest.split_at_checked(tree_bytes)?;
        if meta.len() as u64 != get_u64(head, 16) {
            return None;
        }
        let node = |bytes: &[u8]| {
            Some(BlockRef { run: Run::unpack(get_u64(bytes, 0))?, crc: get_u32(bytes, 8) })
        };
        let tree = |bytes: &[u8]| {
            Some(TreeDescriptor {
                tree: TreeId(get_u32(bytes, 0)),
                root: PageId(get_u32(bytes, 4)),
                kind: PageKind::from_u8(bytes[8])?,
                codec: PageCodec::from_u8(bytes[9])?,
            })
        };
        Some(Self {
            nodes: nodes.chunks_exact(NODE_BYTES).map(node).collect::<Option<_>>()?,
            trees: trees.chunks_exact(TREE_BYTES).map(tree).collect::<Option<_>>()?,
            next_tree: get_u32(head, 12),
            meta: meta.to_vec(),
        })
    }
}

/// Writes the string as a chain and returns its runs and its first piece. `allocate` gives runs, `write` writes one.
///
/// The runs are in `runs` even if a write fails, so that the caller can give them back.
pub(crate) fn write_chain(
    string: &[u8],
    generation: u64,
    seed: u32,
    runs: &mut Vec<Run>,
    mut allocate: impl FnMut(u32) -> Run,
    mut write: impl FnMut(&[u8], Run) -> Result<()>,
) -> Result<BlockRef> {
    let pieces: Vec<&[u8]> = string.chunks(PIECE_BYTES_MAX).collect();
    let unit_count = |len: usize| (PAGE_HEADER_BYTES + len).div_ceil(UNIT_BYTES) as u32;
    runs.extend(pieces.iter().map(|piece| allocate(unit_count(piece.len()))));
    // From the last to the first, since each names its successor's checksum.
    let mut next: Option<BlockRef> = None;
    for (index, piece) in pieces.iter().enumerate().rev() {
        let run = runs[index];
        let mut block = vec![0; run.count as usize * UNIT_BYTES];
        page::format(&mut block, PageKind::Root, index as u64, TreeId(0));
        put_u64(&mut block, offset::GENERATION, generation);
        put_u32(&mut block, offset::LEN, piece.len() as u32);
        put_u32(&mut block, offset::NEXT_CRC, next.map_or(0, |next| next.crc));
        put_u64(&mut block, offset::NEXT, next.map_or(0, |next| next.run.pack()));
        block[PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + piece.len()].copy_from_slice(piece);
        let crc = page::seal(seed, &mut block);
        write(&block, run)?;
        next = Some(BlockRef { run, crc });
    }
    Ok(next.expect("a root's string is never empty"))
}

/// Reads a chain: the string and the runs it occupies.
///
/// # Errors
/// XX001 if a piece is not what was written.
pub(crate) fn read_chain(
    file: &dyn VfsFile,
    seed: u32,
    first: BlockRef,
) -> Result<(Vec<u8>, Vec<Run>)> {
    let (mut string, mut runs) = (Vec::new(), Vec::new());
    let mut next = Some(first);
    while let Some(reference) = next {
        let index = runs.len() as u64;
        let corrupted = |problem: String| {
            let name = file.path().display();
            let unit = reference.run.start;
            Error::corrupted(format!("invalid checkpoint root in file \"{name}\": {problem}"))
                .detail(format!("Piece {index} is at unit {unit}."))
        };
        let mut block = vec![0; reference.run.count as usize * UNIT_BYTES];
        read_exact_at(file, &mut block, reference.run.offset())?;
        if let Some(problem) = block_problem(seed, index, reference, &block) {
            return Err(corrupted(problem));
        }
        let len = get_u32(&block, offset::LEN) as usize;
        let piece = block[PAGE_HEADER_BYTES..].get(..len);
        let (Some(PageKind::Root), Some(piece)) = (page::kind(&block), piece) else {
            return Err(corrupted("it is no piece of a root".to_owned()));
        };
        string.extend_from_slice(piece);
        runs.push(reference.run);
        if index == PIECES_MAX {
            return Err(corrupted("the chain does not end".to_owned()));
        }
        next = Run::unpack(get_u64(&block, offset::NEXT))
            .map(|run| BlockRef { run, crc: get_u32(&block, offset::NEXT_CRC) });
    }
    Ok((string, runs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{MemoryVfs, OpenOptions, Vfs};
    use std::path::Path;

    fn example() -> Root {
        let node = |i: u64| BlockRef { run: Run { start: 5 + i, count: 1 }, crc: i as u32 };
        let tree = TreeDescriptor {
            tree: TreeId(3),
            kind: PageKind::RowLeaf,
            root: PageId(8),
            codec: PageCodec::Snappy,
        };
        Root {
            nodes: (0..5).map(node).collect(),
            trees: vec![tree],
            next_tree: 4,
            meta: vec![7; 99],
        }
    }

    #[test]
    fn a_root_survives_its_bytes() {
        let bytes = example().encode();
        assert_eq!(Root::decode(&bytes), Some(example()));
        for len in 0..bytes.len() {
            assert_eq!(Root::decode(&bytes[..len]), None);
        }
    }

    #[test]
    fn a_long_string_is_a_chain() {
        let file = MemoryVfs::default().open(Path::new("d"), OpenOptions::CREATE).unwrap();
        let string: Vec<u8> = (0..PIECE_BYTES_MAX + 10_000).map(|i| (i % 251) as u8).collect();
        let mut runs = Vec::new();
        let mut end = 2;
        let allocate = |count| {
            let start = end;
            end += u64::from(count);
            Run { start, count }
        };
        let write = |bytes: &[u8], run: Run| file.write_at(bytes, run.offset());
        let first = write_chain(&string, 1, 5, &mut runs, allocate, write).unwrap();
        assert_eq!(read_chain(&*file, 5, first).unwrap(), (string, runs.clone()));
        file.write_at(&[1], runs[1].offset() + 9000).unwrap();
        let error = read_chain(&*file, 5, first).unwrap_err();
        assert!(error.message().contains("checksum"), "{error}");
    }
}
