//! How pages lie in the file: whole, or compressed into fewer units.
//!
//! Each tree has a [`PageCodec`]. A page of a tree with one is compressed whenever it is written, by a checkpoint or to make
//! room in memory, and takes as many units as it then needs; a page that would not save a unit is stored whole. In memory
//! pages are as ever. The page table says of each page how it is stored, so a tree may have pages of several kinds.
//!
//! ```text
//! whole       the page
//! compressed  the first 20 bytes of the page, with the checksum of this block | checksum of the page u32 | length u16
//!             | zero u16 | so many bytes, which are the rest of the page | zeros up to the end of the last unit
//! ```
//!
//! Invariants
//! - K1: a compressed block has fewer units than its page.
//! - K2: nothing is decompressed before the block's checksum, its number and the page table's checksum are found right, and
//!   nothing is written past the page's end, whatever the bytes say.
//! - K3: what comes out has the checksum of the page that went in.
//!
//! Left out: dictionaries that pages share; levels to choose from.

use crate::alloc::Run;
use crate::page::{self, PAGE_BYTES_MAX, TreeId, UNIT_BYTES, get_u16, get_u32, put_u16, put_u32};
use crate::pool::block_problem;
use crate::superblock::BlockRef;
use crate::vfs::{Part, Piece, VfsFile};
use damask_types::Result;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::fmt;

/// Offsets in a compressed block, behind the common part of the header.
pub(crate) mod offset {
    /// u32: the checksum that the page has when it is whole (K3).
    pub(crate) const PAGE_CHECKSUM: usize = 20;
    /// u16: bytes that the rest of the page is compressed to.
    pub(crate) const LENGTH: usize = 24;
    /// Two bytes zero.
    pub(crate) const ZERO: usize = 26;
}

/// Bytes of a page that stand as they are at a compressed block's beginning.
const COMMON_BYTES: usize = page::offset::COUNT;
/// Where the compressed bytes begin.
pub(crate) const PAYLOAD: usize = 28;
/// Most bytes that a codec makes of a page: Snappy's bound, the largest of the three.
const SCRATCH_BYTES: usize = 32 + PAGE_BYTES_MAX + PAGE_BYTES_MAX / 6;
/// zstd's effort: its usual one.
const ZSTD_LEVEL: i32 = 3;

const _: () = assert!(COMMON_BYTES == offset::PAGE_CHECKSUM && PAYLOAD == offset::ZERO + 2);
const _: () = assert!(PAGE_BYTES_MAX <= u16::MAX as usize, "a length is a u16");

/// What compresses a tree's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PageCodec {
    /// Pages are stored whole.
    #[default]
    None = 0,
    /// LZ4 blocks: the fastest to read.
    Lz4 = 1,
    /// Snappy.
    Snappy = 2,
    /// Zstandard: the smallest.
    Zstd = 3,
}

impl PageCodec {
    /// Every codec.
    pub const ALL: [Self; 4] = [Self::None, Self::Lz4, Self::Snappy, Self::Zstd];

    /// The codec a byte stands for.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::None,
            1 => Self::Lz4,
            2 => Self::Snappy,
            3 => Self::Zstd,
            _ => return None,
        })
    }

    /// Its name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
        }
    }
}

/// Where the file has a page, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageRef {
    /// Where.
    pub(crate) run: Run,
    /// The stored block's checksum, so that an older version of the page is not taken for it.
    pub(crate) crc: u32,
    /// The tree that this version belongs to; 0 if a version before 1.1 wrote it.
    pub(crate) tree: TreeId,
    /// How it is stored.
    pub(crate) codec: PageCodec,
}

impl PageRef {
    /// The stored block.
    pub(crate) fn block(&self) -> BlockRef {
        BlockRef { run: self.run, crc: self.crc }
    }
}

/// Compresses and decompresses pages. zstd's parts are large, so they are made when they are needed, and kept.
struct Coder {
    /// Bytes of a block that is being made or was read.
    scratch: Vec<u8>,
    lz4: lz4_flex::block::CompressTable,
    snappy: snap::raw::Encoder,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
}

impl Coder {
    fn new() -> Self {
        Self {
            scratch: Vec::new(),
            lz4: lz4_flex::block::CompressTable::default(),
            snappy: snap::raw::Encoder::new(),
            compressor: None,
            decompressor: None,
        }
    }

    /// What the codec makes of `bytes`; `None` if it fails.
    fn compress(&mut self, codec: PageCodec, bytes: &[u8]) -> Option<&[u8]> {
        let out = &mut self.scratch;
        out.resize(SCRATCH_BYTES, 0);
        let len = match codec {
            PageCodec::None => return None,
            PageCodec::Lz4 => {
                lz4_flex::block::compress_into_with_table(bytes, out, &mut self.lz4).ok()?
            }
            PageCodec::Snappy => self.snappy.compress(bytes, out).ok()?,
            PageCodec::Zstd => {
                if self.compressor.is_none() {
                    self.compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
                }
                self.compressor.as_mut()?.compress_to_buffer(bytes, &mut out[..]).ok()?
            }
        };
        self.scratch.get(..len)
    }

    /// Decompresses `bytes`, which must fill `out` exactly; else what is wrong.
    fn decompress(&mut self, codec: PageCodec, bytes: &[u8], out: &mut [u8]) -> Result<(), String> {
        let len = match codec {
            PageCodec::None => return Err("it is not compressed".to_owned()),
            PageCodec::Lz4 => {
                lz4_flex::block::decompress_into(bytes, out).map_err(|error| error.to_string())?
            }
            PageCodec::Snappy => snap::raw::Decoder::new()
                .decompress(bytes, out)
                .map_err(|error| error.to_string())?,
            PageCodec::Zstd => {
                if self.decompressor.is_none() {
                    let made = zstd::bulk::Decompressor::new();
                    self.decompressor = Some(made.map_err(|error| error.to_string())?);
                }
                let decompressor = self.decompressor.as_mut().expect("it was just made");
                decompressor.decompress_to_buffer(bytes, out).map_err(|error| error.to_string())?
            }
        };
        if len == out.len() {
            return Ok(());
        }
        Err(format!("{len} bytes come out, not {}", out.len()))
    }
}

/// [`Coder`]s that nobody uses at the moment: as many as were ever used at once.
#[derive(Default)]
pub(crate) struct Coders(Mutex<Vec<Coder>>);

impl fmt::Debug for Coders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coders({})", self.0.lock().len())
    }
}

impl Coders {
    fn with<T>(&self, work: impl FnOnce(&mut Coder) -> T) -> T {
        let mut coder = self.0.lock().pop().unwrap_or_else(Coder::new);
        let result = work(&mut coder);
        self.0.lock().push(coder);
        result
    }

    /// Makes the block that stores a sealed page into `out`; its checksum. `None` if the page is to be stored whole (K1).
    pub(crate) fn compress(
        &self,
        codec: PageCodec,
        seed: u32,
        page: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<u32> {
        if codec == PageCodec::None || page.len() <= UNIT_BYTES {
            return None;
        }
        self.with(|coder| {
            let payload = coder.compress(codec, &page[COMMON_BYTES..])?;
            let block_bytes = (PAYLOAD + payload.len()).next_multiple_of(UNIT_BYTES);
            if block_bytes >= page.len() {
                return None;
            }
            out.clear();
            out.extend_from_slice(&page[..PAYLOAD]);
            put_u32(out, offset::PAGE_CHECKSUM, get_u32(page, page::offset::CHECKSUM));
            put_u16(out, offset::LENGTH, payload.len() as u16);
            put_u16(out, offset::ZERO, 0);
            out.extend_from_slice(payload);
            out.resize(block_bytes, 0);
            Some(page::seal(seed, out))
        })
    }

    /// Reads a page from its place; what is wrong with it, if anything.
    ///
    /// # Errors
    /// 58030 if the file cannot be read, XX001 if it ends before.
    pub(crate) fn read(
        &self,
        file: &dyn VfsFile,
        seed: u32,
        page: Wanted<'_>,
    ) -> Result<Option<String>> {
        let mut problems = self.read_together(file, seed, &mut [page], &[])?;
        Ok(problems.pop().flatten())
    }

    /// Reads pages from their places, together; what is wrong with each, if anything. `soon` is likely to be read next.
    ///
    /// # Errors
    /// As [`Coders::read`], of one of the pages.
    pub(crate) fn read_together(
        &self,
        file: &dyn VfsFile,
        seed: u32,
        pages: &mut [Wanted<'_>],
        soon: &[Part],
    ) -> Result<Problems> {
        let mut problems: Problems = pages.iter().map(Wanted::place_problem).collect();
        self.with(|coder| {
            let mut blocks = std::mem::take(&mut coder.scratch);
            let read = read_blocks(file, pages, soon, &mut problems, &mut blocks);
            if read.is_ok() {
                let mut rest = &blocks[..];
                for (page, problem) in placed(pages, &mut problems) {
                    *problem = if page.is_whole() {
                        page.block_problem(seed, page.bytes)
                    } else {
                        let (block, others) = rest.split_at(page.block_bytes());
                        rest = others;
                        let damage = page.block_problem(seed, block);
                        let codec = page.location.codec;
                        damage.or_else(|| coder.unpack(codec, seed, block, page.bytes).err())
                    };
                }
            }
            coder.scratch = blocks;
            read.map(|()| problems)
        })
    }
}

/// A page to be read.
pub(crate) struct Wanted<'p> {
    /// Its number.
    pub(crate) number: u64,
    /// Its place.
    pub(crate) location: PageRef,
    /// What it is read into, as long as a page.
    pub(crate) bytes: &'p mut [u8],
}

/// What is wrong with each of some pages.
pub(crate) type Problems = SmallVec<[Option<String>; 1]>;

impl Wanted<'_> {
    fn is_whole(&self) -> bool {
        self.location.codec == PageCodec::None
    }

    fn block_bytes(&self) -> usize {
        self.location.run.count as usize * UNIT_BYTES
    }

    /// What is wrong with a place of that length (K1).
    fn place_problem(&self) -> Option<String> {
        let (block_bytes, page_bytes) = (self.block_bytes(), self.bytes.len());
        let is_right =
            if self.is_whole() { block_bytes == page_bytes } else { block_bytes < page_bytes };
        (!is_right).then(|| format!("it occupies {} units", self.location.run.count))
    }

    fn block_problem(&self, seed: u32, block: &[u8]) -> Option<String> {
        block_problem(seed, self.number, self.location.block(), block)
    }
}

/// Those of some pages with which nothing is wrong so far.
fn placed<'a, 'p>(
    pages: &'a mut [Wanted<'p>],
    problems: &'a mut Problems,
) -> impl Iterator<Item = (&'a mut Wanted<'p>, &'a mut Option<String>)> {
    pages.iter_mut().zip(problems).filter(|(_, problem)| problem.is_none())
}

/// Reads whole pages to where they are wanted, and the blocks of the others into `blocks`, one behind the other.
fn read_blocks(
    file: &dyn VfsFile,
    pages: &mut [Wanted<'_>],
    soon: &[Part],
    problems: &mut Problems,
    blocks: &mut Vec<u8>,
) -> Result<()> {
    let compressed = placed(pages, problems).filter(|(page, _)| !page.is_whole());
    let bytes = compressed.map(|(page, _)| page.block_bytes()).sum();
    blocks.resize(bytes, 0);
    let mut rest = &mut blocks[..];
    let mut pieces: SmallVec<[Piece<'_>; 1]> = SmallVec::new();
    for (page, _) in placed(pages, problems) {
        let offset = page.location.run.offset();
        let buffer = if page.is_whole() {
            &mut *page.bytes
        } else {
            let (block, others) = std::mem::take(&mut rest).split_at_mut(page.block_bytes());
            rest = others;
            block
        };
        pieces.push(Piece { buffer, offset });
    }
    file.read_pieces(&mut pieces, soon)
}

impl Coder {
    /// Takes a page out of a block whose checksum is right (K2, K3).
    fn unpack(
        &mut self,
        codec: PageCodec,
        seed: u32,
        block: &[u8],
        page: &mut [u8],
    ) -> Result<(), String> {
        let name = codec.name();
        let len = usize::from(get_u16(block, offset::LENGTH));
        let payload = block[PAYLOAD..].get(..len);
        let payload = payload.ok_or_else(|| format!("{len} bytes of {name} are not in it"))?;
        let (common, rest) = page.split_at_mut(COMMON_BYTES);
        common.copy_from_slice(&block[..COMMON_BYTES]);
        self.decompress(codec, payload, rest)
            .map_err(|problem| format!("it is not what {name} compressed: {problem}"))?;
        let expected = get_u32(block, offset::PAGE_CHECKSUM);
        put_u32(page, page::offset::CHECKSUM, expected);
        let computed = page::checksum(seed, page);
        if computed != expected {
            return Err(format!(
                "its checksum was {expected:08x} before {name} compressed it, now {computed:08x}"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{PAGE_BYTES, PageKind};
    use crate::testing::Chance;
    use crate::vfs::{MemoryVfs, OpenOptions, Vfs};
    use std::path::Path;
    use std::sync::Arc;

    const SEED: u32 = 9;
    const CODECS: [PageCodec; 3] = [PageCodec::Lz4, PageCodec::Snappy, PageCodec::Zstd];

    /// A sealed page with this content behind the common part of its header.
    fn page(len: usize, content: impl Fn(usize) -> u8) -> Vec<u8> {
        let mut page = vec![0; len];
        page::format(&mut page, PageKind::RowLeaf, 7, TreeId(3));
        for (i, byte) in page[COMMON_BYTES..].iter_mut().enumerate() {
            *byte = content(i);
        }
        page::seal(SEED, &mut page);
        page
    }

    /// Bytes that nothing compresses.
    fn noise(len: usize) -> Vec<u8> {
        let mut chance = Chance(1);
        (0..len).map(|_| chance.next() as u8).collect()
    }

    fn file(block: &[u8]) -> Arc<dyn VfsFile> {
        let file = MemoryVfs::default().open(Path::new("d"), OpenOptions::CREATE).unwrap();
        file.write_at(block, 2 * UNIT_BYTES as u64).unwrap();
        file
    }

    fn place(block: &[u8], crc: u32, codec: PageCodec) -> PageRef {
        let run = Run { start: 2, count: (block.len() / UNIT_BYTES) as u32 };
        PageRef { run, crc, tree: TreeId(3), codec }
    }

    fn read(block: &[u8], location: PageRef, page_bytes: usize) -> Result<Vec<u8>, String> {
        let mut page = vec![0xaa; page_bytes];
        let wanted = Wanted { number: 7, location, bytes: &mut page };
        let problem = Coders::default().read(&*file(block), SEED, wanted).unwrap();
        problem.map_or(Ok(page), Err)
    }

    #[test]
    fn pages_come_back_from_as_few_units_as_they_need() {
        let noise = noise(PAGE_BYTES);
        let coders = Coders::default();
        for codec in CODECS {
            let mut seen = [false; 4];
            for page_bytes in [8192, PAGE_BYTES] {
                for noisy_bytes in (0..=page_bytes).step_by(256) {
                    let page = page(page_bytes, |i| if i < noisy_bytes { noise[i] } else { 0 });
                    let mut block = Vec::new();
                    let Some(crc) = coders.compress(codec, SEED, &page, &mut block) else {
                        assert!(noisy_bytes + 1000 > page_bytes - UNIT_BYTES, "{noisy_bytes}");
                        seen[0] = true;
                        continue;
                    };
                    assert!(block.len() < page_bytes && block.len().is_multiple_of(UNIT_BYTES));
                    // Noise can only be stored; of the rest, Snappy leaves a part in twenty.
                    let needed = (noisy_bytes + 1000).next_multiple_of(UNIT_BYTES);
                    assert!(block.len() <= needed, "{codec:?}: {noisy_bytes}: {}", block.len());
                    let found = read(&block, place(&block, crc, codec), page_bytes).unwrap();
                    assert_eq!(found, page, "{codec:?}");
                    seen[block.len() / UNIT_BYTES] = true;
                }
            }
            assert_eq!(seen, [true; 4], "{codec:?}");
        }
    }

    /// One byte more of noise is one unit more, at some place; both sides of it come back.
    #[test]
    fn a_block_may_end_with_its_unit() {
        let noise = noise(PAGE_BYTES);
        let coders = Coders::default();
        let mut full = 0;
        for codec in CODECS {
            for step in 0..4000 {
                // Much noise at the beginning, a little at the end: lengths in steps of a byte.
                let (noisy_bytes, end) =
                    (3000 + step / 40 * 11, PAGE_BYTES - COMMON_BYTES - step % 40);
                let is_noisy = |i: usize| i < noisy_bytes || i >= end;
                let page = page(PAGE_BYTES, |i| if is_noisy(i) { noise[i] } else { 0 });
                let mut block = Vec::new();
                let crc = coders.compress(codec, SEED, &page, &mut block).unwrap();
                let len = PAYLOAD + usize::from(get_u16(&block, offset::LENGTH));
                assert_eq!(block.len(), len.next_multiple_of(UNIT_BYTES));
                full += usize::from(len.is_multiple_of(UNIT_BYTES));
                let found = read(&block, place(&block, crc, codec), PAGE_BYTES).unwrap();
                assert_eq!(found, page, "{codec:?}: step {step}");
            }
        }
        assert!(full > 0, "no block filled its units");
    }

    #[test]
    fn a_page_that_saves_nothing_is_stored_whole() {
        let coders = Coders::default();
        let noise = noise(PAGE_BYTES);
        let zeros = page(UNIT_BYTES, |_| 0);
        for codec in PageCodec::ALL {
            let noisy = page(PAGE_BYTES, |i| noise[i]);
            assert_eq!(coders.compress(codec, SEED, &noisy, &mut Vec::new()), None, "{codec:?}");
            assert_eq!(coders.compress(codec, SEED, &zeros, &mut Vec::new()), None, "{codec:?}");
        }
        let zeros = page(PAGE_BYTES, |_| 0);
        assert_eq!(coders.compress(PageCodec::None, SEED, &zeros, &mut Vec::new()), None);
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        for codec in CODECS {
            let page = page(8192, |i| (i / 7 % 50) as u8);
            let mut block = Vec::new();
            let crc = Coders::default().compress(codec, SEED, &page, &mut block).unwrap();
            for byte in 0..block.len() {
                let mut flipped = block.clone();
                flipped[byte] ^= 0x10;
                let problem = read(&flipped, place(&block, crc, codec), 8192).unwrap_err();
                assert!(problem.contains("checksum"), "{codec:?}, byte {byte}: {problem}");
            }
        }
    }

    /// What the checksum lets through, since it was computed after the damage, is noticed or does no harm.
    #[test]
    fn payloads_that_make_no_sense_are_errors() {
        let noise = noise(PAGE_BYTES);
        for codec in CODECS {
            let page = page(8192, |i| if i % 100 < 20 { noise[i] } else { (i / 9) as u8 });
            let mut block = Vec::new();
            let coders = Coders::default();
            coders.compress(codec, SEED, &page, &mut block).unwrap();
            let used = PAYLOAD + usize::from(get_u16(&block, offset::LENGTH));
            let mut other = 0;
            for byte in offset::PAGE_CHECKSUM..used {
                for flip in [1, 0x80, 0xff] {
                    let mut flipped = block.clone();
                    flipped[byte] ^= flip;
                    let crc = page::seal(SEED, &mut flipped);
                    match read(&flipped, place(&flipped, crc, codec), 8192) {
                        Ok(found) => assert_eq!(found, page, "{codec:?}, byte {byte}"),
                        Err(_) => other += 1,
                    }
                }
            }
            assert!(other > used, "{codec:?}: {other} errors");
            // Lengths that reach behind the block, and blocks of other sizes.
            let mut long = block.clone();
            put_u16(&mut long, offset::LENGTH, u16::MAX);
            let crc = page::seal(SEED, &mut long);
            assert!(read(&long, place(&long, crc, codec), 8192).is_err());
            let crc = get_u32(&block, page::offset::CHECKSUM);
            assert!(read(&block, place(&block, crc, PageCodec::None), 8192).is_err());
            assert!(read(&block, place(&block, crc, codec), UNIT_BYTES).is_err());
            assert!(read(&block, place(&block, crc, codec), PAGE_BYTES).is_err());
            for wrong in CODECS.into_iter().filter(|wrong| *wrong != codec) {
                assert!(read(&block, place(&block, crc, wrong), 8192).is_err(), "{wrong:?}");
            }
        }
    }

    #[test]
    fn codecs_survive_their_byte_and_have_names() {
        for byte in 0..=u8::MAX {
            assert!(PageCodec::from_u8(byte).is_none_or(|codec| codec as u8 == byte));
        }
        assert_eq!(PageCodec::ALL.map(PageCodec::name), ["none", "lz4", "snappy", "zstd"]);
    }
}
