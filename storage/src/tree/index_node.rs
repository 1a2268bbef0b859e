//! Nodes of index trees in their pages.
//!
//! ```text
//! 64: slots, ascending | gap | entries and fences, anywhere |
//! slot   offset u16 | length 15 bits, mark 1 bit | head u32: four bytes of the suffix, big-endian
//! leaf   an entry is key || row id (8 bytes, big-endian) without the node's prefix
//! inner  an entry is the lowest position of a child without the node's prefix, then the child u32; the first is empty,
//!        its position is the low fence
//!
//! fixed leaf, where all entries have one length
//! 64: entries, ascending, a flags u8 behind each | gap | fences |
//! ```
//! A leaf is written fixed whenever its entries have one length and are short (keys of numbers, dates, hashes), which saves the slots; an entry
//! of another length makes it a leaf with slots again. Long entries keep their slots: an insert moves half of what is sorted, and moving slots
//! is less than what leaving them out saves.
//!
//! The prefix is what the two fences have in common; all keys between them have it too. A node without a high fence (its
//! offset is 0) has no prefix. Searching compares heads and reads an entry only where they are equal; so that they
//! differ where they can, heads begin behind what all suffixes in the node had in common when it was last written whole
//! (`head_skip` bytes). An entry without that has the node written again, and so has every sixteenth, 32nd, 64th ... entry.
//!
//! Separators are cut to the shortest string that parts two leaves.

use super::base::{Format, Image, Measured};
use super::search;
use crate::page::{self, PAGE_HEADER_BYTES, PageId, PageKind, get_u16, get_u32, offset};
use crate::page::{put_u16, put_u32};
use damask_types::{Error, Result, SqlState};

/// u16: bytes that the suffixes have in common and heads leave out.
pub(crate) const HEAD_SKIP: usize = offset::SPARE;
/// u16: bytes of an entry of a fixed leaf with its flags; 0 in nodes with slots.
pub(crate) const STRIDE: usize = offset::SPARE + 2;
/// Bytes of a slot.
pub(crate) const SLOT_BYTES: usize = 8;
/// Bytes of the flags behind an entry of a fixed leaf.
pub(crate) const FLAGS_BYTES: usize = 1;
/// Bytes of the row id at the end of a leaf's entry.
pub(crate) const ROWID_BYTES: usize = 8;
/// Bytes of the child at the end of an inner node's entry.
pub(crate) const CHILD_BYTES: usize = 4;
/// The mark in a slot's length.
pub(crate) const MARK: u16 = 1 << 15;
/// Entry flag of a mark.
pub(crate) const DELETE_MARK: u8 = 1;

/// Layout of nodes with slots.
const LAYOUT_SLOTS: u8 = 0;
/// Layout of fixed leaves.
pub(crate) const LAYOUT_FIXED: u8 = 1;

/// Most bytes of an entry of a fixed leaf with its flags.
const STRIDE_MAX: usize = 20;

/// Index trees' format.
pub(super) struct IndexFormat;

impl Measured for Vec<u8> {
    fn byte_len(&self) -> usize {
        self.len()
    }
}

/// A node, its head checked.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    page: &'a [u8],
    count: usize,
    prefix: &'a [u8],
    is_leaf: bool,
    /// Bytes from one entry to the next in a fixed leaf; 0 if there are slots.
    stride: usize,
}

/// From which count on, at each power of two, an insert writes the node again for better heads.
const REHEAD_COUNT: usize = 16;

#[cold]
fn corrupted(page: &[u8], what: &str) -> Error {
    IndexFormat::corrupted(format!("page {} of an index tree: {what}", page::page_id(page)))
}

/// The first eight bytes, zeros behind the end.
#[inline]
fn long_head_of(suffix: &[u8]) -> u64 {
    if let Some(bytes) = suffix.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 8];
    bytes[..suffix.len()].copy_from_slice(suffix);
    u64::from_be_bytes(bytes)
}

/// The first four bytes, zeros behind the end.
#[inline]
fn head_of(suffix: &[u8]) -> u32 {
    if let Some(bytes) = suffix.first_chunk() {
        return u32::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 4];
    bytes[..suffix.len()].copy_from_slice(suffix);
    u32::from_be_bytes(bytes)
}

pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl<'a> Node<'a> {
    pub(super) fn new(page: &'a [u8]) -> Result<Self> {
        let count = page::count(page);
        let heap = usize::from(get_u16(page, offset::HEAP_LOW));
        if entries_end(page) > heap || heap > page.len() {
            return Err(corrupted(page, "slots and heap overlap"));
        }
        let prefix_len = usize::from(get_u16(page, offset::PREFIX_LEN));
        let is_leaf = page::level(page) == 0;
        let stride = stride(page);
        if stride > 0 && !is_leaf {
            return Err(corrupted(page, "an inner node has no slots"));
        }
        let mut node = Self { page, count, prefix: &[], is_leaf, stride };
        match node.low()?.get(..prefix_len) {
            Some(prefix) => node.prefix = prefix,
            None => return Err(corrupted(page, "its prefix is longer than its low fence")),
        }
        Ok(node)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn bytes(&self, at: usize, len: usize) -> Result<&'a [u8]> {
        self.page.get(at..at + len).ok_or_else(|| corrupted(self.page, "an entry is outside"))
    }

    /// The lowest position of its range.
    pub(super) fn low(&self) -> Result<&'a [u8]> {
        let at = usize::from(get_u16(self.page, offset::LOW_FENCE_OFFSET));
        self.bytes(at, usize::from(get_u16(self.page, offset::LOW_FENCE_LEN)))
    }

    /// The lowest position above its range.
    pub(super) fn high(&self) -> Result<Option<&'a [u8]>> {
        match usize::from(get_u16(self.page, offset::HIGH_FENCE_OFFSET)) {
            0 => Ok(None),
            at => {
                let len = usize::from(get_u16(self.page, offset::HIGH_FENCE_LEN));
                self.bytes(at, len).map(Some)
            }
        }
    }

    /// Whether its range has all positions from `start` on that are below `end`.
    pub(super) fn has_all(&self, start: &[u8], end: Option<&[u8]>) -> Result<bool> {
        let is_below = |high: &[u8]| end.is_some_and(|end| end <= high);
        Ok(self.low()? <= start && self.high()?.is_none_or(is_below))
    }

    /// Whether its range has the last position below `position`; the last of all for `None`.
    pub(super) fn has_before(&self, position: Option<&[u8]>) -> Result<bool> {
        let high = self.high()?;
        Ok(match position {
            None => high.is_none(),
            Some(position) => self.low()? < position && high.is_none_or(|high| position <= high),
        })
    }

    /// What all its keys begin with.
    pub(super) fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// The first entry that has a suffix.
    fn first(&self) -> usize {
        usize::from(!self.is_leaf)
    }

    /// What the suffixes have in common and heads leave out; empty if there is no suffix.
    fn skipped(&self) -> Result<&'a [u8]> {
        let skip = usize::from(get_u16(self.page, HEAD_SKIP));
        if skip == 0 || self.count <= self.first() {
            return Ok(&[]);
        }
        let suffix = self.suffix(self.first())?;
        suffix.get(..skip).ok_or_else(|| corrupted(self.page, "it skips more than a suffix has"))
    }

    #[inline]
    fn slot(index: usize) -> usize {
        PAGE_HEADER_BYTES + index * SLOT_BYTES
    }

    #[inline]
    fn head(&self, index: usize) -> u32 {
        get_u32(self.page, Self::slot(index) + 4)
    }

    /// Entry `index` without the prefix, and without the child of an inner node.
    #[inline]
    pub(super) fn suffix(&self, index: usize) -> Result<&'a [u8]> {
        if self.stride > 0 {
            return self.bytes(fixed(index, self.stride), self.stride - FLAGS_BYTES);
        }
        let slot = Self::slot(index);
        let at = usize::from(get_u16(self.page, slot));
        self.bytes(at, usize::from(get_u16(self.page, slot + 2) & !MARK))
    }

    /// The flags of a leaf's entry.
    pub(super) fn flags(&self, index: usize) -> u8 {
        if self.stride > 0 {
            return self.page[fixed(index + 1, self.stride) - FLAGS_BYTES] & DELETE_MARK;
        }
        if get_u16(self.page, Self::slot(index) + 2) & MARK != 0 { DELETE_MARK } else { 0 }
    }

    /// The child of an inner node's entry.
    fn child(&self, index: usize) -> Result<PageId> {
        let slot = Self::slot(index);
        let len = usize::from(get_u16(self.page, slot + 2) & !MARK);
        let at = usize::from(get_u16(self.page, slot)) + len;
        Ok(PageId(get_u32(self.bytes(at, CHILD_BYTES)?, 0)))
    }

    /// The first entry that is not below `position`.
    pub(super) fn lower_bound(&self, position: &[u8]) -> Result<usize> {
        let Some(target) = position.strip_prefix(self.prefix) else {
            return self.side(position);
        };
        self.partition(target, |suffix, target| suffix < target)
    }

    /// The same for a position between its fences, which begins with its prefix: that lies far from the entries, and is not looked at.
    pub(super) fn lower_bound_inside(&self, position: &[u8]) -> Result<usize> {
        match position.get(self.prefix.len()..) {
            Some(target) => self.partition(target, |suffix, target| suffix < target),
            None => self.side(position),
        }
    }

    /// The first entry that is above `position`, which is between its fences.
    fn upper_bound_inside(&self, position: &[u8]) -> Result<usize> {
        match position.get(self.prefix.len()..) {
            Some(target) => self.partition(target, |suffix, target| suffix <= target),
            // Only a descent that was led astray comes here.
            None => self.side(position),
        }
    }

    /// The end of the entries on which a position lies that does not begin with the prefix.
    fn side(&self, position: &[u8]) -> Result<usize> {
        Ok(if position < self.prefix { self.first() } else { self.count.max(self.first()) })
    }

    /// The first entry whose suffix is not before `target`. `is_before` compares them, and agrees with byte order.
    #[inline]
    fn partition(&self, target: &[u8], is_before: impl Fn(&[u8], &[u8]) -> bool) -> Result<usize> {
        let first = self.first();
        let skipped = self.skipped()?;
        // (Not for nothing: a comparison with no bytes at no address is slow.)
        let rest = if skipped.is_empty() { Some(target) } else { target.strip_prefix(skipped) };
        let Some(rest) = rest else {
            return Ok(if target < skipped { first } else { self.count.max(first) });
        };
        let within = first..self.count;
        if self.stride > 0 {
            // Entries are as near as heads would be.
            let head = long_head_of(rest);
            let head_at = |index| {
                let suffix = self.suffix(index)?;
                Ok(suffix.get(skipped.len()..).map_or(0, long_head_of))
            };
            return search::partition_point(within, head, head_at, |index| {
                let other = head_at(index)?;
                Ok(if other == head {
                    is_before(self.suffix(index)?, target)
                } else {
                    other < head
                })
            });
        }
        let head = head_of(rest);
        let number = |index| Ok(self.head(index).into());
        search::partition_point(within, head.into(), number, |index| {
            let other = self.head(index);
            Ok(if other == head { is_before(self.suffix(index)?, target) } else { other < head })
        })
    }

    /// Whether entry `index` of a leaf is `position`, which is between its fences.
    pub(super) fn is_at(&self, index: usize, position: &[u8]) -> Result<bool> {
        if index >= self.count {
            return Ok(false);
        }
        Ok(position.get(self.prefix.len()..) == Some(self.suffix(index)?))
    }

    /// The child whose range ends at or has the last position below `position`; the last child for `None`.
    pub(super) fn child_before(&self, position: Option<&[u8]>) -> Result<PageId> {
        if self.count == 0 {
            return Err(corrupted(self.page, "it has no children"));
        }
        match position {
            None => self.child(self.count - 1),
            Some(position) => self.child(self.lower_bound(position)?.min(self.count) - 1),
        }
    }
}

/// Bytes from one entry to the next in a fixed leaf; 0 in other nodes.
#[inline]
fn stride(page: &[u8]) -> usize {
    usize::from(get_u16(page, STRIDE))
}

/// Where entry `index` of a fixed leaf is.
#[inline]
fn fixed(index: usize, stride: usize) -> usize {
    PAGE_HEADER_BYTES + index * stride
}

/// Where the slots, or the entries of a fixed leaf, end.
#[inline]
fn entries_end(page: &[u8]) -> usize {
    let step = match stride(page) {
        0 => SLOT_BYTES,
        stride => stride,
    };
    PAGE_HEADER_BYTES + page::count(page) * step
}

fn gap(page: &[u8]) -> usize {
    usize::from(get_u16(page, offset::HEAP_LOW)).saturating_sub(entries_end(page))
}

fn take_heap(page: &mut [u8], parts: [&[u8]; 2]) -> usize {
    let len = parts[0].len() + parts[1].len();
    let at = usize::from(get_u16(page, offset::HEAP_LOW)) - len;
    page[at..at + parts[0].len()].copy_from_slice(parts[0]);
    page[at + parts[0].len()..at + len].copy_from_slice(parts[1]);
    put_u16(page, offset::HEAP_LOW, at as u16);
    at
}

fn put_slot(page: &mut [u8], index: usize, at: usize, suffix: &[u8], mark: u16) {
    let slot = Node::slot(index);
    let skip = usize::from(get_u16(page, HEAD_SKIP)).min(suffix.len());
    put_u16(page, slot, at as u16);
    put_u16(page, slot + 2, suffix.len() as u16 | mark);
    put_u32(page, slot + 4, head_of(&suffix[skip..]));
}

/// Puts an entry of a fixed leaf, whose stride goes with it.
fn put_fixed(page: &mut [u8], index: usize, suffix: &[u8], flags: u8) {
    let at = fixed(index, suffix.len() + FLAGS_BYTES);
    page[at..at + suffix.len()].copy_from_slice(suffix);
    page[at + suffix.len()] = flags & DELETE_MARK;
}

fn mark_of(flags: u8) -> u16 {
    if flags & DELETE_MARK != 0 { MARK } else { 0 }
}

/// Adds an entry as number `index`, its place by order; `tail` is the child in an inner node. False if there is no
/// room for it.
fn insert_entry(page: &mut [u8], index: usize, key: &[u8], tail: &[u8], tag: u32) -> Result<bool> {
    let node = Node::new(page)?;
    let count = node.count;
    let suffix =
        key.strip_prefix(node.prefix).ok_or_else(|| corrupted(page, "a key without its prefix"))?;
    let stride = node.stride;
    let is_fixed = stride == suffix.len() + FLAGS_BYTES;
    let need = if is_fixed { stride } else { SLOT_BYTES + suffix.len() + tail.len() };
    let has_skipped = count > node.first() && suffix.starts_with(node.skipped()?);
    let is_due = count >= REHEAD_COUNT && count.is_power_of_two();
    if gap(page) < need || !has_skipped || is_due || stride > 0 && !is_fixed {
        if gap(page) + usize::from(get_u16(page, offset::FREE_BYTES)) < need {
            return Ok(false);
        }
        let mut image = IndexFormat::read(page)?;
        image.insert(index, key.to_vec(), &[], tag);
        // An entry of another length wants slots for all.
        if stride > 0 && !is_fixed && IndexFormat::size(&image) > page.len() {
            return Ok(false);
        }
        IndexFormat::write(page, &image);
        return Ok(true);
    }
    if is_fixed {
        let at = fixed(index, stride);
        page.copy_within(at..fixed(count, stride), at + stride);
        put_fixed(page, index, suffix, tag as u8);
        put_u16(page, offset::COUNT, (count + 1) as u16);
        return Ok(true);
    }
    let at = take_heap(page, [suffix, tail]);
    let slot = Node::slot(index);
    page.copy_within(slot..Node::slot(count), slot + SLOT_BYTES);
    let mark = if tail.is_empty() { mark_of(tag as u8) } else { 0 };
    put_slot(page, index, at, suffix, mark);
    put_u16(page, offset::COUNT, (count + 1) as u16);
    Ok(true)
}

/// Adds an entry to a leaf; false if there is no room for it.
pub(super) fn insert(page: &mut [u8], index: usize, entry: &[u8], flags: u8) -> Result<bool> {
    insert_entry(page, index, entry, &[], flags.into())
}

/// Replaces the flags of a leaf's entry.
pub(super) fn set_flags(page: &mut [u8], index: usize, flags: u8) {
    let stride = stride(page);
    if stride > 0 {
        page[fixed(index + 1, stride) - FLAGS_BYTES] = flags & DELETE_MARK;
        return;
    }
    let at = Node::slot(index) + 2;
    let old = get_u16(page, at);
    let new = old & !MARK | mark_of(flags);
    if old != new {
        put_u16(page, at, new);
    }
}

/// Takes an entry of a leaf away.
pub(super) fn remove(page: &mut [u8], index: usize) -> Result<()> {
    let node = Node::new(page)?;
    let (count, len, stride) = (node.count, node.suffix(index)?.len(), node.stride);
    if stride > 0 {
        page.copy_within(fixed(index + 1, stride)..fixed(count, stride), fixed(index, stride));
        put_u16(page, offset::COUNT, (count - 1) as u16);
        return Ok(());
    }
    let holes = usize::from(get_u16(page, offset::FREE_BYTES)) + len;
    put_u16(page, offset::FREE_BYTES, holes as u16);
    page.copy_within(Node::slot(index + 1)..Node::slot(count), Node::slot(index));
    put_u16(page, offset::COUNT, (count - 1) as u16);
    Ok(())
}

/// What the suffixes of a node have in common.
fn head_skip(image: &Image<Vec<u8>>, prefix_len: usize) -> usize {
    let entries = &image.entries[usize::from(image.level > 0).min(image.entries.len())..];
    match entries {
        [first, .., last] => common_prefix(&first.key, &last.key) - prefix_len,
        _ => 0,
    }
}

fn prefix_len(image: &Image<Vec<u8>>) -> usize {
    image.high.as_ref().map_or(0, |high| common_prefix(&image.low, high))
}

/// Bytes from one entry to the next if the node is written as a fixed leaf; none if it is not.
fn fixed_stride(image: &Image<Vec<u8>>, prefix_len: usize) -> Option<usize> {
    let stride = image.entries.first()?.key.len() - prefix_len + FLAGS_BYTES;
    (image.level == 0 && !image.is_mixed && stride <= STRIDE_MAX).then_some(stride)
}

/// Bytes of entry `index` without its slot.
fn body_len(image: &Image<Vec<u8>>, index: usize, prefix_len: usize) -> usize {
    if image.level == 0 {
        image.entries[index].key.len() - prefix_len
    } else if index == 0 {
        CHILD_BYTES
    } else {
        image.entries[index].key.len() - prefix_len + CHILD_BYTES
    }
}

impl Format for IndexFormat {
    type Key = Vec<u8>;
    type Probe = [u8];

    const LEAF: PageKind = PageKind::IndexLeaf;
    const INNER: PageKind = PageKind::IndexInner;

    fn corrupted(message: String) -> Error {
        Error::new(SqlState::INDEX_CORRUPTED, message)
    }

    fn count(page: &[u8]) -> Result<usize> {
        Node::new(page).map(|node| node.count)
    }

    fn used(page: &[u8]) -> usize {
        let holes = usize::from(get_u16(page, offset::FREE_BYTES));
        let fences = usize::from(get_u16(page, offset::LOW_FENCE_LEN))
            + usize::from(get_u16(page, offset::HIGH_FENCE_LEN));
        (page.len() - PAGE_HEADER_BYTES).saturating_sub(gap(page) + holes + fences)
    }

    fn has(page: &[u8], probe: &[u8]) -> Result<bool> {
        let node = Node::new(page)?;
        Ok(node.low()? <= probe && node.high()?.is_none_or(|high| probe < high))
    }

    fn find_entry(page: &[u8], probe: &[u8]) -> Result<Option<usize>> {
        let node = Node::new(page)?;
        let index = node.lower_bound_inside(probe)?;
        Ok(node.is_at(index, probe)?.then_some(index))
    }

    fn low(page: &[u8]) -> Result<Vec<u8>> {
        Ok(Node::new(page)?.low()?.to_vec())
    }

    fn find_child(page: &[u8], probe: &[u8]) -> Result<(usize, PageId)> {
        let node = Node::new(page)?;
        if node.count == 0 || node.is_leaf {
            return Err(corrupted(page, "it has no children"));
        }
        let index = node.upper_bound_inside(probe)? - 1;
        Ok((index, node.child(index)?))
    }

    fn child(page: &[u8], index: usize) -> Result<PageId> {
        let node = Node::new(page)?;
        if index >= node.count {
            return Err(corrupted(page, "it has too few children"));
        }
        node.child(index)
    }

    fn read(page: &[u8]) -> Result<Image<Vec<u8>>> {
        let node = Node::new(page)?;
        let (low, high) = (node.low()?, node.high()?);
        let prefix = node.prefix;
        let mut image = Image::new(page::level(page), low.to_vec(), high.map(<[u8]>::to_vec));
        image.entries.reserve(node.count + 1);
        for index in 0..node.count {
            if node.is_leaf {
                let key = [prefix, node.suffix(index)?].concat();
                image.push(key, &[], node.flags(index).into());
            } else {
                let suffix = node.suffix(index)?;
                let key = if index == 0 { low.to_vec() } else { [prefix, suffix].concat() };
                image.push(key, &[], node.child(index)?.0);
            }
        }
        Ok(image)
    }

    fn write(page: &mut [u8], image: &Image<Vec<u8>>) {
        debug_assert!(Self::size(image) <= page.len(), "the node fits its page");
        let prefix_len = prefix_len(image);
        page[offset::COUNT..].fill(0);
        page[offset::KIND] =
            if image.level == 0 { PageKind::IndexLeaf } else { PageKind::IndexInner } as u8;
        page[offset::LEVEL] = image.level;
        put_u16(page, offset::HEAP_LOW, page.len() as u16);
        put_u16(page, offset::COUNT, image.entries.len() as u16);
        put_u16(page, offset::PREFIX_LEN, prefix_len as u16);
        put_u16(page, HEAD_SKIP, head_skip(image, prefix_len) as u16);
        let stride = fixed_stride(image, prefix_len);
        page[offset::LAYOUT] = if stride.is_some() { LAYOUT_FIXED } else { LAYOUT_SLOTS };
        put_u16(page, STRIDE, stride.unwrap_or(0) as u16);
        let at = take_heap(page, [&image.low, &[]]);
        put_u16(page, offset::LOW_FENCE_OFFSET, at as u16);
        put_u16(page, offset::LOW_FENCE_LEN, image.low.len() as u16);
        if let Some(high) = &image.high {
            let at = take_heap(page, [high, &[]]);
            put_u16(page, offset::HIGH_FENCE_OFFSET, at as u16);
            put_u16(page, offset::HIGH_FENCE_LEN, high.len() as u16);
        }
        for (index, entry) in image.entries.iter().enumerate() {
            if stride.is_some() {
                put_fixed(page, index, &entry.key[prefix_len..], entry.tag as u8);
            } else if image.level == 0 {
                let suffix = &entry.key[prefix_len..];
                let at = take_heap(page, [suffix, &[]]);
                put_slot(page, index, at, suffix, mark_of(entry.tag as u8));
            } else {
                let suffix = if index == 0 { &[] } else { &entry.key[prefix_len..] };
                let at = take_heap(page, [suffix, &entry.tag.to_le_bytes()]);
                put_slot(page, index, at, suffix, 0);
            }
        }
    }

    fn size(image: &Image<Vec<u8>>) -> usize {
        let prefix_len = prefix_len(image);
        let count = image.entries.len();
        let fences = image.low.len() + image.high.as_ref().map_or(0, Vec::len);
        let entries = match fixed_stride(image, prefix_len) {
            Some(stride) => count * stride,
            None => (0..count).map(|index| SLOT_BYTES + body_len(image, index, prefix_len)).sum(),
        };
        PAGE_HEADER_BYTES + fences + entries
    }

    fn entry_size(image: &Image<Vec<u8>>, index: usize) -> usize {
        let prefix_len = prefix_len(image);
        let slotted = || SLOT_BYTES + body_len(image, index, prefix_len);
        fixed_stride(image, prefix_len).unwrap_or_else(slotted)
    }

    fn has_room(page: &[u8], key: &Vec<u8>) -> Result<bool> {
        let node = Node::new(page)?;
        let holes = usize::from(get_u16(page, offset::FREE_BYTES));
        let need = SLOT_BYTES + key.len().saturating_sub(node.prefix.len()) + CHILD_BYTES;
        Ok(gap(page) + holes >= need)
    }

    fn insert_child(page: &mut [u8], index: usize, key: &Vec<u8>, child: PageId) -> Result<()> {
        if insert_entry(page, index, key, &child.0.to_le_bytes(), child.0)? {
            return Ok(());
        }
        Err(corrupted(page, "it has less room than it had"))
    }

    fn separator(left: &Vec<u8>, right: &Vec<u8>) -> Vec<u8> {
        right[..=common_prefix(left, right)].to_vec()
    }

    fn bodies(page: &[u8]) -> Result<Vec<(usize, usize)>> {
        let node = Node::new(page)?;
        let tail = if node.is_leaf { 0 } else { CHILD_BYTES };
        let skipped = node.skipped()?;
        let has_slots = node.stride == 0;
        if has_slots != (page[offset::LAYOUT] == LAYOUT_SLOTS) {
            return Err(corrupted(page, "its layout and its stride disagree"));
        }
        for index in node.first()..node.count {
            let rest = node.suffix(index)?.strip_prefix(skipped);
            if rest.is_none() || has_slots && rest.map(head_of) != Some(node.head(index)) {
                return Err(corrupted(page, "a head is not the entry's"));
            }
        }
        let field = |at| usize::from(get_u16(page, at));
        let slots = if has_slots { node.count } else { 0 };
        let mut bodies: Vec<_> = (0..slots)
            .map(|index| {
                let slot = Node::slot(index);
                (field(slot), field(slot + 2) & !usize::from(MARK))
            })
            .map(|(at, len)| (at, len + tail))
            .collect();
        bodies.push((field(offset::LOW_FENCE_OFFSET), field(offset::LOW_FENCE_LEN)));
        bodies.push((field(offset::HIGH_FENCE_OFFSET), field(offset::HIGH_FENCE_LEN)));
        Ok(bodies)
    }

    fn is_marked(tag: u32) -> bool {
        tag & u32::from(DELETE_MARK) != 0
    }
}
