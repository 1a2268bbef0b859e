//! Rows too long for their page: a reference in the leaf, the rest in a chain of overflow pages.
//!
//! ```text
//! reference  length of the whole row u64 | first page u64 | the row's first bytes
//! page       48: next page u64, 0 at the end | 56: bytes used u32 | 64: bytes
//! ```
//! The chain belongs to its slot: it is written anew with each new state of the row and freed with the old state, so
//! nothing else may keep a reference. The first bytes stay in the leaf, with all fixed columns of most tables.
//!
//! One row is in memory at once, as everywhere above; of its chain, one or two pages.

use crate::page::{self, PAGE_HEADER_BYTES, PageId, PageKind, TreeId, get_u32, get_u64};
use crate::page::{put_u32, put_u64};
use crate::pool::{PageWrite, Pool};
use crate::row::ROW_BYTES_MAX;
use damask_types::{Error, Result};

/// u64: the next page of the chain.
pub(crate) const NEXT: usize = 48;
/// u32: bytes used.
pub(crate) const USED: usize = 56;

/// Bytes of a reference before the row's first bytes.
const REFERENCE_BYTES: usize = 16;

/// Longest row that a leaf holds whole: with four of them a page can always be split.
pub(super) const fn inline_bytes_max(page_bytes: usize) -> usize {
    page_bytes / 4 - 64
}

/// How many of a row's first bytes stay in the leaf.
const fn head_bytes(page_bytes: usize) -> usize {
    page_bytes / 16
}

#[cold]
fn corrupted(what: &str) -> Error {
    Error::corrupted(format!("an overflow chain: {what}"))
}

/// Writes a row that is too long for a leaf, and returns what the leaf holds instead.
pub(super) fn write(pool: &Pool, tree: TreeId, row: &[u8]) -> Result<Vec<u8>> {
    let (head, tail) = row.split_at(head_bytes(pool.page_bytes()));
    let mut pages = Vec::new();
    let first = match write_chain(pool, tree, tail, &mut pages) {
        Ok(first) => first,
        Err(error) => {
            free(pool, &pages)?;
            return Err(error);
        }
    };
    let mut reference = Vec::with_capacity(REFERENCE_BYTES + head.len());
    reference.extend_from_slice(&(row.len() as u64).to_le_bytes());
    reference.extend_from_slice(&u64::from(first.0).to_le_bytes());
    reference.extend_from_slice(head);
    Ok(reference)
}

fn write_chain(pool: &Pool, tree: TreeId, tail: &[u8], pages: &mut Vec<PageId>) -> Result<PageId> {
    let mut before: Option<PageWrite<'_>> = None;
    for chunk in tail.chunks(pool.page_bytes() - PAGE_HEADER_BYTES) {
        let mut page = pool.allocate(PageKind::Overflow, tree)?;
        pages.push(page.page());
        put_u32(&mut page, USED, chunk.len() as u32);
        page[PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + chunk.len()].copy_from_slice(chunk);
        if let Some(mut before) = before.take() {
            put_u64(&mut before, NEXT, page.page().0.into());
        }
        before = Some(page);
    }
    pages.first().copied().ok_or_else(|| Error::internal("an overflow chain without bytes"))
}

struct Reference<'a> {
    len: usize,
    first: PageId,
    head: &'a [u8],
}

impl<'a> Reference<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let (reference, head) = bytes
            .split_at_checked(REFERENCE_BYTES)
            .ok_or_else(|| corrupted("a short reference"))?;
        let len = get_u64(reference, 0);
        if len > ROW_BYTES_MAX as u64 {
            return Err(corrupted("a length above the limit"));
        }
        Ok(Self { len: len as usize, first: page_number(get_u64(reference, 8))?, head })
    }
}

fn page_number(number: u64) -> Result<PageId> {
    u32::try_from(number).map(PageId).map_err(|_| corrupted("a page number above the limit"))
}

/// Walks the chain of a reference; `visit` gets each page's number and bytes.
fn walk(
    pool: &Pool,
    reference: &Reference<'_>,
    mut visit: impl FnMut(PageId, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut rest = reference.len.saturating_sub(reference.head.len());
    let mut next = reference.first;
    while rest > 0 {
        let page = pool.read(next)?;
        let used = get_u32(&page, USED) as usize;
        let bytes = page.get(PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + used);
        let (Some(bytes), Some(PageKind::Overflow)) = (bytes, page::kind(&page)) else {
            return Err(corrupted(&format!("page {next} is not of it")));
        };
        if used == 0 || used > rest {
            return Err(corrupted("pages and length disagree"));
        }
        visit(next, bytes)?;
        rest -= used;
        next = page_number(get_u64(&page, NEXT))?;
    }
    Ok(())
}

/// Reads the whole row of a reference into `out`, which is cleared first.
pub(super) fn read(pool: &Pool, reference: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let reference = Reference::read(reference)?;
    out.clear();
    out.extend_from_slice(reference.head);
    walk(pool, &reference, |_, bytes| {
        out.extend_from_slice(bytes);
        Ok(())
    })
}

/// Tells the pages of a reference's chain.
pub(super) fn pages(
    pool: &Pool,
    reference: &[u8],
    visit: &mut dyn FnMut(PageId) -> Result<()>,
) -> Result<()> {
    walk(pool, &Reference::read(reference)?, |page, _| visit(page))
}

/// Frees pages.
pub(super) fn free(pool: &Pool, pages: &[PageId]) -> Result<()> {
    pages.iter().try_for_each(|page| pool.free(*page))
}
