//! Nodes of row trees in their pages.
//!
//! ```text
//! leaf   64: slots, ascending by row id | gap | rows, anywhere |
//!        slot: row id - base u32 (u64 in a wide leaf) | offset 14 bits, length 14 bits, flags 4 bits
//! inner  64: key u64 of each child, room for N | child u32 of each, room for N;  N = (page size - 64) / 12
//! both   48: lowest row id of the node's range u64 | 56: highest u64
//! ```
//! A leaf's base is the row id of a slot or lower; it is chosen when the leaf is written as a whole, and a row below it
//! has the leaf written again. A leaf whose row ids span 2^32 or more is wide.

use super::base::{Format, Image, Measured};
use super::{overflow, search};
use crate::page::{self, PAGE_HEADER_BYTES, PageId, PageKind, get_u16, get_u32, get_u64, offset};
use crate::page::{put_u16, put_u32, put_u64};
use crate::pool::Pool;
use damask_types::{Error, Result};
use std::convert::Infallible;

/// u64: lowest row id of the node's range.
pub(crate) const LOW: usize = 48;
/// u64: highest row id of the node's range.
pub(crate) const HIGH: usize = 56;
/// Header flag: slots have 12 bytes.
pub(crate) const WIDE: u8 = 1;
/// Bytes of a slot.
pub(crate) const SLOT_BYTES: usize = 8;
/// Bytes of a slot in a wide leaf.
pub(crate) const WIDE_SLOT_BYTES: usize = 12;
/// Bytes a child takes in an inner node.
pub(crate) const CHILD_BYTES: usize = 12;

/// Slot flag: the bytes are a reference to overflow pages.
pub(crate) const OVERFLOW: u8 = 4;
/// Slot flag of a ghost.
pub(crate) const GHOST: u8 = 2;

const FIELD_BITS: u32 = 14;
const FIELD_MASK: u32 = (1 << FIELD_BITS) - 1;

const _: () = assert!(page::PAGE_BYTES_MAX <= 1 << FIELD_BITS, "offsets have 14 bits");
const _: () = assert!(LOW >= offset::SPARE && HIGH + 8 == PAGE_HEADER_BYTES);

/// Row trees' format.
pub(super) struct RowFormat;

/// A leaf, its head checked.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'a> {
    page: &'a [u8],
    count: usize,
    slot_bytes: usize,
    base: u64,
}

#[cold]
fn corrupted(page: &[u8], what: &str) -> Error {
    Error::corrupted(format!("page {} of a row tree: {what}", page::page_id(page)))
}

fn slot_bytes(page: &[u8]) -> usize {
    if page[offset::FLAGS] & WIDE != 0 { WIDE_SLOT_BYTES } else { SLOT_BYTES }
}

fn pack(at: usize, len: usize, flags: u8) -> u32 {
    debug_assert!(at as u32 <= FIELD_MASK && len as u32 <= FIELD_MASK && flags < 16);
    at as u32 | (len as u32) << FIELD_BITS | u32::from(flags) << (2 * FIELD_BITS)
}

fn unpack(packed: u32) -> (usize, usize, u8) {
    let at = (packed & FIELD_MASK) as usize;
    let len = (packed >> FIELD_BITS & FIELD_MASK) as usize;
    (at, len, (packed >> (2 * FIELD_BITS)) as u8)
}

impl<'a> Leaf<'a> {
    pub(super) fn new(page: &'a [u8]) -> Result<Self> {
        let count = page::count(page);
        let slot_bytes = slot_bytes(page);
        let heap = usize::from(get_u16(page, offset::HEAP_LOW));
        if PAGE_HEADER_BYTES + count * slot_bytes > heap || heap > page.len() {
            return Err(corrupted(page, "slots and heap overlap"));
        }
        Ok(Self { page, count, slot_bytes, base: get_u64(page, offset::BASE) })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn low(&self) -> u64 {
        get_u64(self.page, LOW)
    }

    pub(super) fn high(&self) -> u64 {
        get_u64(self.page, HIGH)
    }

    #[inline]
    fn slot(&self, index: usize) -> usize {
        PAGE_HEADER_BYTES + index * self.slot_bytes
    }

    #[inline]
    fn delta(&self, index: usize) -> u64 {
        let at = self.slot(index);
        if self.slot_bytes == SLOT_BYTES {
            get_u32(self.page, at).into()
        } else {
            get_u64(self.page, at)
        }
    }

    /// The row id in slot `index`.
    #[inline]
    pub(super) fn rowid(&self, index: usize) -> u64 {
        self.base.wrapping_add(self.delta(index))
    }

    /// Flags and bytes in slot `index`.
    #[inline]
    pub(super) fn row(&self, index: usize) -> Result<(u8, &'a [u8])> {
        let (at, len, flags) = unpack(get_u32(self.page, self.slot(index) + self.slot_bytes - 4));
        match self.page.get(at..at + len) {
            Some(bytes) => Ok((flags, bytes)),
            None => Err(corrupted(self.page, "a row is outside the page")),
        }
    }

    /// The slot of a row id, or the slot it would have.
    ///
    /// Row ids without gaps are found by the first guess, with few gaps by the second.
    #[inline]
    pub(super) fn search(&self, rowid: u64) -> Result<usize, usize> {
        if rowid < self.base {
            return Err(0);
        }
        let target = rowid - self.base;
        let (mut low, mut high) = (0, self.count);
        let guess = target.min(self.count as u64) as usize;
        for guess in [guess, guess.saturating_sub(1)] {
            if low <= guess && guess < high {
                match self.delta(guess).cmp(&target) {
                    std::cmp::Ordering::Equal => return Ok(guess),
                    std::cmp::Ordering::Less => low = guess + 1,
                    std::cmp::Ordering::Greater => high = guess,
                }
            }
        }
        let delta = |index| Ok::<_, Infallible>(self.delta(index));
        let Ok(place) = search::partition_point(low..high, target, delta, |index| {
            Ok(self.delta(index) < target)
        });
        if place < high && self.delta(place) == target { Ok(place) } else { Err(place) }
    }
}

/// Free bytes between slots and heap.
fn gap(page: &[u8]) -> usize {
    let slots_end = PAGE_HEADER_BYTES + page::count(page) * slot_bytes(page);
    usize::from(get_u16(page, offset::HEAP_LOW)).saturating_sub(slots_end)
}

fn holes(page: &[u8]) -> usize {
    usize::from(get_u16(page, offset::FREE_BYTES))
}

fn add_hole(page: &mut [u8], bytes: usize) {
    let bytes = holes(page) + bytes;
    put_u16(page, offset::FREE_BYTES, bytes as u16);
}

/// Takes `bytes` from the gap's upper end; the gap has them.
fn take_heap(page: &mut [u8], body: &[u8]) -> usize {
    let at = usize::from(get_u16(page, offset::HEAP_LOW)) - body.len();
    page[at..at + body.len()].copy_from_slice(body);
    put_u16(page, offset::HEAP_LOW, at as u16);
    at
}

fn put_slot(page: &mut [u8], index: usize, delta: u64, packed: u32) {
    let slot_bytes = slot_bytes(page);
    let at = PAGE_HEADER_BYTES + index * slot_bytes;
    if slot_bytes == SLOT_BYTES {
        put_u32(page, at, delta as u32);
    } else {
        put_u64(page, at, delta);
    }
    put_u32(page, at + slot_bytes - 4, packed);
}

/// Adds a row as slot `index`, its place by order; false if the leaf has no room for it.
pub(super) fn insert(
    page: &mut [u8],
    index: usize,
    rowid: u64,
    body: &[u8],
    flags: u8,
) -> Result<bool> {
    let leaf = Leaf::new(page)?;
    let (count, slot_bytes) = (leaf.count, leaf.slot_bytes);
    // The first row of a leaf sets the base.
    let base = if count == 0 { rowid } else { leaf.base };
    let is_in_reach =
        rowid >= base && (slot_bytes == WIDE_SLOT_BYTES || u32::try_from(rowid - base).is_ok());
    let needed = slot_bytes + body.len();
    if !is_in_reach || gap(page) < needed {
        // Rows that are moved together leave no more room than there is, save that slots may become narrow.
        if is_in_reach && slot_bytes == SLOT_BYTES && gap(page) + holes(page) < needed {
            return Ok(false);
        }
        let mut image = RowFormat::read(page)?;
        image.insert(index, rowid, body, flags.into());
        let fits = RowFormat::size(&image) <= page.len();
        if fits {
            RowFormat::write(page, &image);
        }
        return Ok(fits);
    }
    put_u64(page, offset::BASE, base);
    let at = take_heap(page, body);
    let slot = PAGE_HEADER_BYTES + index * slot_bytes;
    page.copy_within(slot..PAGE_HEADER_BYTES + count * slot_bytes, slot + slot_bytes);
    put_slot(page, index, rowid - base, pack(at, body.len(), flags));
    put_u16(page, offset::COUNT, (count + 1) as u16);
    Ok(true)
}

/// A leaf without its rows, as it is to be when a row that comes behind them is alone in a leaf to its right, and that leaf.
pub(super) fn split_behind(page: &[u8], rowid: u64, body: &[u8], flags: u8) -> [Image<u64>; 2] {
    let high = get_u64(page, HIGH).checked_add(1);
    let left = Image::new(0, get_u64(page, LOW), Some(rowid));
    let mut right = Image::new(0, rowid, high);
    right.push(rowid, body, flags.into());
    [left, right]
}

/// Lets a node's range end below `high`; none of its rows is there.
pub(super) fn set_high(page: &mut [u8], high: u64) {
    put_u64(page, HIGH, high - 1);
}

/// How many of `rows`, whose ids go up one by one from `rowid`, have their places from slot `index` on and room in the leaf's
/// gap, none being longer than `len_max`.
pub(super) fn room(
    page: &[u8],
    index: usize,
    rowid: u64,
    rows: &[&[u8]],
    len_max: usize,
) -> Result<usize> {
    let leaf = Leaf::new(page)?;
    let base = if leaf.count == 0 { rowid } else { leaf.base };
    let mut last =
        if index < leaf.count { leaf.rowid(index).saturating_sub(1) } else { leaf.high() };
    if leaf.slot_bytes == SLOT_BYTES {
        last = last.min(base.saturating_add(u32::MAX.into()));
    }
    if rowid < base || last < rowid {
        return Ok(0);
    }
    let ids = usize::try_from(last - rowid).unwrap_or(usize::MAX).saturating_add(1);
    let mut left = gap(page);
    let fits = |row: &&&[u8]| {
        let bytes = leaf.slot_bytes + row.len();
        let fits = row.len() <= len_max && bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    };
    Ok(rows.iter().take(ids).take_while(fits).count())
}

/// Adds rows whose ids go up one by one from `rowid` as slots from `index` on; [`room`] says that there is room.
pub(super) fn insert_run(
    page: &mut [u8],
    index: usize,
    rowid: u64,
    rows: &[&[u8]],
    flags: u8,
) -> Result<()> {
    let leaf = Leaf::new(page)?;
    let (count, slot_bytes) = (leaf.count, leaf.slot_bytes);
    let base = if count == 0 { rowid } else { leaf.base };
    put_u64(page, offset::BASE, base);
    let slot = PAGE_HEADER_BYTES + index * slot_bytes;
    let end = PAGE_HEADER_BYTES + count * slot_bytes;
    page.copy_within(slot..end, slot + rows.len() * slot_bytes);
    for (i, row) in rows.iter().enumerate() {
        let at = take_heap(page, row);
        put_slot(page, index + i, rowid - base + i as u64, pack(at, row.len(), flags));
    }
    put_u16(page, offset::COUNT, (count + rows.len()) as u16);
    Ok(())
}

/// Replaces the row in slot `index`; false if the leaf has no room for it.
pub(super) fn replace(page: &mut [u8], index: usize, body: &[u8], flags: u8) -> Result<bool> {
    let leaf = Leaf::new(page)?;
    let slot_at = leaf.slot(index) + leaf.slot_bytes - 4;
    let (at, len, _) = unpack(get_u32(page, slot_at));
    leaf.row(index)?;
    let at = if body.len() <= len {
        page[at..at + body.len()].copy_from_slice(body);
        add_hole(page, len - body.len());
        at
    } else if gap(page) >= body.len() {
        add_hole(page, len);
        take_heap(page, body)
    } else {
        let mut image = RowFormat::read(page)?;
        let rowid = image.entries.remove(index).key;
        image.insert(index, rowid, body, flags.into());
        let fits = RowFormat::size(&image) <= page.len();
        if fits {
            RowFormat::write(page, &image);
        }
        return Ok(fits);
    };
    put_u32(page, slot_at, pack(at, body.len(), flags));
    Ok(true)
}

/// Replaces the flags in slot `index`.
pub(super) fn set_flags(page: &mut [u8], index: usize, flags: u8) -> Result<()> {
    let leaf = Leaf::new(page)?;
    let slot_at = leaf.slot(index) + leaf.slot_bytes - 4;
    let (at, len, old) = unpack(get_u32(page, slot_at));
    if old != flags {
        put_u32(page, slot_at, pack(at, len, flags));
    }
    Ok(())
}

/// Takes slot `index` and its row away.
pub(super) fn remove(page: &mut [u8], index: usize) -> Result<()> {
    let leaf = Leaf::new(page)?;
    let (_, body) = leaf.row(index)?;
    let (slot, slot_bytes, len, count) =
        (leaf.slot(index), leaf.slot_bytes, body.len(), leaf.count);
    add_hole(page, len);
    page.copy_within(slot + slot_bytes..PAGE_HEADER_BYTES + count * slot_bytes, slot);
    put_u16(page, offset::COUNT, (count - 1) as u16);
    Ok(())
}

/// Most children of an inner node.
fn capacity(page_bytes: usize) -> usize {
    (page_bytes - PAGE_HEADER_BYTES) / CHILD_BYTES
}

fn key_at(index: usize) -> usize {
    PAGE_HEADER_BYTES + index * 8
}

fn child_at(page_bytes: usize, index: usize) -> usize {
    PAGE_HEADER_BYTES + capacity(page_bytes) * 8 + index * 4
}

fn inner_count(page: &[u8]) -> Result<usize> {
    let count = page::count(page);
    if count == 0 || count > capacity(page.len()) {
        return Err(corrupted(page, "its number of children is impossible"));
    }
    Ok(count)
}

fn row_slot_bytes(image: &Image<u64>) -> usize {
    let first = image.entries.first().map_or(0, |entry| entry.key);
    let last = image.entries.last().map_or(0, |entry| entry.key);
    if last - first > u64::from(u32::MAX) { WIDE_SLOT_BYTES } else { SLOT_BYTES }
}

impl Measured for u64 {
    fn byte_len(&self) -> usize {
        size_of::<Self>()
    }
}

impl Format for RowFormat {
    type Key = u64;
    type Probe = u64;

    const LEAF: PageKind = PageKind::RowLeaf;
    const INNER: PageKind = PageKind::RowInner;

    fn corrupted(message: String) -> Error {
        Error::corrupted(message)
    }

    fn count(page: &[u8]) -> Result<usize> {
        if page::level(page) == 0 {
            Leaf::new(page).map(|leaf| leaf.count)
        } else {
            inner_count(page)
        }
    }

    fn used(page: &[u8]) -> usize {
        if page::level(page) > 0 {
            return page::count(page) * CHILD_BYTES;
        }
        (page.len() - PAGE_HEADER_BYTES).saturating_sub(gap(page) + holes(page))
    }

    #[inline]
    fn has(page: &[u8], probe: &u64) -> Result<bool> {
        Ok((get_u64(page, LOW)..=get_u64(page, HIGH)).contains(probe))
    }

    fn low(page: &[u8]) -> Result<u64> {
        Ok(get_u64(page, LOW))
    }

    fn find_entry(page: &[u8], probe: &u64) -> Result<Option<usize>> {
        Ok(Leaf::new(page)?.search(*probe).ok())
    }

    fn find_child(page: &[u8], probe: &u64) -> Result<(usize, PageId)> {
        let count = inner_count(page)?;
        let key = |index| get_u64(page, key_at(index));
        let above = search::partition_point(
            1..count,
            *probe,
            |index| Ok(key(index)),
            |index| Ok(key(index) <= *probe),
        )?;
        let index = above - 1;
        Ok((index, PageId(get_u32(page, child_at(page.len(), index)))))
    }

    fn child(page: &[u8], index: usize) -> Result<PageId> {
        if index >= inner_count(page)? {
            return Err(corrupted(page, "it has too few children"));
        }
        Ok(PageId(get_u32(page, child_at(page.len(), index))))
    }

    fn read(page: &[u8]) -> Result<Image<u64>> {
        let high = get_u64(page, HIGH).checked_add(1);
        let mut image = Image::new(page::level(page), get_u64(page, LOW), high);
        if image.level == 0 {
            let leaf = Leaf::new(page)?;
            image.bytes.reserve(page.len());
            for index in 0..leaf.count {
                let (flags, body) = leaf.row(index)?;
                image.push(leaf.rowid(index), body, flags.into());
            }
        } else {
            for index in 0..inner_count(page)? {
                let child = get_u32(page, child_at(page.len(), index));
                image.push(get_u64(page, key_at(index)), &[], child);
            }
        }
        Ok(image)
    }

    fn write(page: &mut [u8], image: &Image<u64>) {
        debug_assert!(Self::size(image) <= page.len(), "the node fits its page");
        let count = image.entries.len();
        page[offset::COUNT..].fill(0);
        page[offset::KIND] =
            if image.level == 0 { PageKind::RowLeaf } else { PageKind::RowInner } as u8;
        page[offset::LEVEL] = image.level;
        page[offset::FLAGS] = 0;
        put_u64(page, LOW, image.low);
        put_u64(page, HIGH, image.high.map_or(u64::MAX, |high| high - 1));
        put_u16(page, offset::COUNT, count as u16);
        if image.level > 0 {
            for (index, entry) in image.entries.iter().enumerate() {
                put_u64(page, key_at(index), entry.key);
                put_u32(page, child_at(page.len(), index), entry.tag);
            }
            return;
        }
        if row_slot_bytes(image) == WIDE_SLOT_BYTES {
            page[offset::FLAGS] |= WIDE;
        }
        let base = image.entries.first().map_or(image.low, |entry| entry.key);
        put_u64(page, offset::BASE, base);
        put_u16(page, offset::HEAP_LOW, page.len() as u16);
        for (index, entry) in image.entries.iter().enumerate() {
            let at = take_heap(page, image.body(index));
            put_slot(page, index, entry.key - base, pack(at, entry.len, entry.tag as u8));
        }
    }

    fn size(image: &Image<u64>) -> usize {
        let count = image.entries.len();
        if image.level > 0 {
            return PAGE_HEADER_BYTES + count * CHILD_BYTES;
        }
        let bodies: usize = image.entries.iter().map(|entry| entry.len).sum();
        PAGE_HEADER_BYTES + count * row_slot_bytes(image) + bodies
    }

    fn entry_size(image: &Image<u64>, index: usize) -> usize {
        if image.level > 0 {
            return CHILD_BYTES;
        }
        row_slot_bytes(image) + image.entries[index].len
    }

    fn has_room(page: &[u8], _key: &u64) -> Result<bool> {
        Ok(inner_count(page)? < capacity(page.len()))
    }

    fn insert_child(page: &mut [u8], index: usize, key: &u64, child: PageId) -> Result<()> {
        let count = inner_count(page)?;
        let page_bytes = page.len();
        page.copy_within(key_at(index)..key_at(count), key_at(index + 1));
        page.copy_within(
            child_at(page_bytes, index)..child_at(page_bytes, count),
            child_at(page_bytes, index + 1),
        );
        put_u64(page, key_at(index), *key);
        put_u32(page, child_at(page_bytes, index), child.0);
        put_u16(page, offset::COUNT, (count + 1) as u16);
        Ok(())
    }

    fn separator(_left: &u64, right: &u64) -> u64 {
        *right
    }

    fn bodies(page: &[u8]) -> Result<Vec<(usize, usize)>> {
        if page::level(page) > 0 {
            return Ok(Vec::new());
        }
        let leaf = Leaf::new(page)?;
        let body = |index| {
            let packed = get_u32(page, leaf.slot(index) + leaf.slot_bytes - 4);
            let (at, len, _) = unpack(packed);
            (at, len)
        };
        Ok((0..leaf.count).map(body).collect())
    }

    fn owned_pages(
        pool: &Pool,
        image: &Image<u64>,
        visit: &mut dyn FnMut(PageId) -> Result<()>,
    ) -> Result<()> {
        for (index, entry) in image.entries.iter().enumerate() {
            if entry.tag & u32::from(OVERFLOW) != 0 {
                overflow::pages(pool, image.body(index), visit)?;
            }
        }
        Ok(())
    }

    fn is_marked(tag: u32) -> bool {
        tag & u32::from(GHOST) != 0
    }
}
