//! Splits and merges: the changes of which nodes there are. A leaf is split when it has no room, or when it is fought for ([`super::contention`]).
//!
//! One thread at a time makes them ([`super::descent`], S2). It comes with the leaf latched exclusively that brought it here, takes
//! the right to change the structure, and then finds the leaf's parents: nobody else changes inner nodes, and whoever
//! latches one lets go of it without waiting for anything. The leaf stays latched until it is split, since what its change was told of
//! elsewhere (a row's version) must not be seen without the change. Of other leaves, those that are merged, it only *tries* the
//! latches: their holders may wait for the right that it has.
//!
//! Everything is worked out on images first; then all pages are at hand and latched, and only then the first byte changes.
//! So a change that cannot be made (disk full, a page that does not load) leaves the tree as it was.
//!
//! No page is loaded or made under the right to change the structure: whoever misses one gives the right back, gets it, and begins
//! anew; merges give the leaf back, too. A split gets what it misses under its leaf's latch: new pages always, for which others may have to be
//! written, inner nodes hardly ever, since they were in memory a moment ago.

use super::base::{Base, Format, Image};
use super::descent::Restructuring;
use crate::ledger::{Part, Taking, Token};
use crate::page::{self, PageId, PageKind};
use crate::pool::{PageRead, PageWrite, Tried};
use damask_types::{Error, Result};
use smallvec::SmallVec;
use std::borrow::Borrow;

/// How often something begins anew because a page is not in memory; above the number of levels that may be missing. The last time,
/// pages are loaded under whatever is held: they leave as fast as they come.
const TRIES_MAX: usize = 16;

/// Latched pages.
type Pages<'p> = SmallVec<[PageWrite<'p>; 4]>;

/// The way from the root to a node: its parents' pages and the indexes of the children taken, from above.
type Path = SmallVec<[(PageId, usize); 8]>;

/// A node that becomes two.
struct Split<K> {
    left: Image<K>,
    right: Image<K>,
    /// Set where the left one's entries stay where they are, and are not in its image: moves its upper fence.
    set_high: Option<SetHigh<K>>,
}

/// Sets the upper fence of a leaf that has no entry at or above it.
type SetHigh<K> = fn(&mut [u8], K);

/// Why a leaf becomes two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// It has no room for what it should have.
    Full,
    /// Changes of different entries wait for each other ([`super::contention`]).
    Contention,
}

/// What splits besides a leaf.
struct Above<K> {
    /// From below. Their entries for new children have no page yet.
    splits: SmallVec<[Split<K>; 3]>,
    /// Where the last separator goes into the parent of the topmost; none if the root splits.
    absorber: Option<usize>,
}

impl<K> Above<K> {
    /// Pages that are made: the right halves, the leaf's too, and if the root splits the left half of what was in it.
    fn page_count(&self) -> usize {
        1 + self.splits.len() + usize::from(self.absorber.is_none())
    }
}

/// The right to change the structure of a tree, and that this thread has it.
struct Right<'t> {
    restructuring: Restructuring<'t>,
    _token: Token,
}

/// What trying to merge a node came to.
enum Merged {
    Done,
    /// No neighbour has room, or none that is free.
    Not,
    /// This page is needed in memory.
    Missing(PageId),
}

impl<F: Format> Base<F> {
    /// Takes the right to change the structure.
    fn restructure(&self) -> Right<'_> {
        let restructuring = self.structure.lock();
        let is_row = F::LEAF == PageKind::RowLeaf;
        let token = Token::of_tree(self.tree, is_row, Part::Structure, Taking::Waiting);
        Right { restructuring, _token: token }
    }

    /// An inner node, for whoever has the right to change the structure; `None` if it is not in memory and it is not the last try.
    fn inner(&self, page: PageId, tries: usize) -> Result<Option<PageRead<'_>>> {
        if tries < TRIES_MAX {
            return Ok(self.pool.read_resident(page));
        }
        self.pool.read(page).map(Some)
    }

    /// [`Base::inner`], latched exclusively.
    fn inner_exclusive(&self, page: PageId, tries: usize) -> Result<Option<PageWrite<'_>>> {
        if tries < TRIES_MAX {
            return Ok(self.pool.write_resident(page));
        }
        self.pool.write(page).map(Some)
    }

    /// The level of the root, for whoever has the right to change the structure; it stays the same meanwhile. The latch is only tried, since the
    /// root may be a leaf, whose holder may wait for that right.
    fn root_level(&self) -> Tried<u8> {
        match self.pool.try_read(self.root) {
            Tried::Got(root) => Tried::Got(page::level(&root)),
            Tried::Taken => Tried::Taken,
            Tried::Missing => Tried::Missing,
        }
    }

    /// The node at `level` whose range has `key`, and the way there from the root, which is above it. The inner error is a page that is not in
    /// memory. For whoever has the right to change the structure.
    fn way_to(
        &self,
        key: &F::Probe,
        level: u8,
        tries: usize,
    ) -> Result<std::result::Result<(PageId, Path), PageId>> {
        let mut path = Path::new();
        let (mut page, mut parent_level) = (self.root, None);
        loop {
            let Some(node) = self.inner(page, tries)? else { return Ok(Err(page)) };
            match parent_level {
                Some(parent_level) => self.check_child(&node, page, parent_level)?,
                None => self.check(&node, page)?,
            }
            let found = page::level(&node);
            if found <= level {
                return Err(F::corrupted(format!("page {page} is not above level {level}")));
            }
            let (index, child) = F::find_child(&node, key)?;
            path.push((page, index));
            if found == level + 1 {
                return Ok(Ok((child, path)));
            }
            (page, parent_level) = (child, Some(found));
        }
    }

    /// The parents of a leaf that the caller has latched exclusively.
    fn parents_of(
        &self,
        leaf: PageId,
        low: &F::Probe,
        tries: usize,
    ) -> Result<std::result::Result<Path, PageId>> {
        if leaf == self.root {
            return Ok(Ok(Path::new()));
        }
        Ok(match self.way_to(low, 0, tries)? {
            Err(missing) => Err(missing),
            Ok((found, path)) if found == leaf => Ok(path),
            Ok((found, _)) => {
                return Err(F::corrupted(format!("page {found} is where page {leaf} should be")));
            }
        })
    }

    /// Puts `image`, what `leaf` should have and has no room for, into two pages, and its parents too where they overflow.
    /// `changed` is the entry that was added or grew. The leaf is latched until all is done.
    pub(super) fn split(
        &self,
        leaf: PageWrite<'_>,
        image: Image<F::Key>,
        changed: usize,
    ) -> Result<()> {
        let split = self.split_image(image, changed)?;
        self.split_into(leaf, split, Reason::Full)
    }

    /// Puts an entry that comes behind all others of a full leaf into a page of its own, `right`. The others stay where they are: `left` is
    /// their leaf without them, which is not the root, and `set_high` sets a leaf's upper fence.
    pub(super) fn split_behind(
        &self,
        leaf: PageWrite<'_>,
        left: Image<F::Key>,
        right: Image<F::Key>,
        set_high: SetHigh<F::Key>,
    ) -> Result<()> {
        debug_assert!(
            leaf.page() != self.root && left.high.is_some(),
            "what is left stays in its page"
        );
        self.split_into(leaf, Split { left, right, set_high: Some(set_high) }, Reason::Full)
    }

    /// Splits a leaf that is fought for before entry `cut`; false if its halves do not fit their pages. What fails leaves it as it was.
    pub(super) fn split_apart(&self, leaf: PageWrite<'_>, cut: usize) -> Result<bool> {
        let mut left = F::read(&leaf)?;
        let right = Self::cut_at(&mut left, cut);
        // Entries may share less with the fences of a half.
        if F::size(&left).max(F::size(&right)) > self.page_bytes() {
            return Ok(false);
        }
        let split = Split { left, right, set_high: None };
        self.split_into(leaf, split, Reason::Contention).map(|()| true)
    }

    fn split_into(&self, leaf: PageWrite<'_>, split: Split<F::Key>, reason: Reason) -> Result<()> {
        let mut fresh = Pages::new();
        let result = self.split_with(leaf, split, reason, &mut fresh);
        // Those of a change that cannot be made, and what was made for one that another thread made needless.
        let freed = fresh.into_iter().try_for_each(PageWrite::free);
        result.and(freed)
    }

    fn split_with<'p>(
        &'p self,
        leaf: PageWrite<'p>,
        split: Split<F::Key>,
        reason: Reason,
        fresh: &mut Pages<'p>,
    ) -> Result<()> {
        let mut held = Pages::from_iter([leaf]);
        let (mut page_count, mut missing) = (1, None);
        let mut tries = 0;
        loop {
            while fresh.len() < page_count {
                fresh.push(self.allocate()?);
            }
            if let Some(page) = missing.take() {
                drop(self.pool.read(page)?);
            }
            let right = self.restructure();
            match self.latch_above(&split, &mut held, tries)? {
                Ok(above) if above.page_count() <= fresh.len() => {
                    return Self::apply(right, split, above, reason, &mut held, fresh);
                }
                Ok(above) => page_count = above.page_count(),
                Err(page) => missing = Some(page),
            }
            held.truncate(1);
            tries += 1;
        }
    }

    /// Works out what splits above the leaf `held[0]` and latches it behind it, as well as the node that takes the last separator. The
    /// inner error is a page that is not in memory.
    fn latch_above<'p>(
        &'p self,
        leaf: &Split<F::Key>,
        held: &mut Pages<'p>,
        tries: usize,
    ) -> Result<std::result::Result<Above<F::Key>, PageId>> {
        let mut path = match self.parents_of(held[0].page(), leaf.left.low.borrow(), tries)? {
            Ok(path) => path,
            Err(missing) => return Ok(Err(missing)),
        };
        let mut above = Above { splits: SmallVec::new(), absorber: None };
        while let Some((page, index)) = path.pop() {
            let Some(node) = self.inner_exclusive(page, tries)? else { return Ok(Err(page)) };
            let below = above.splits.last().unwrap_or(leaf);
            let separator = below.right.low.clone();
            if F::has_room(&node, &separator)? {
                above.absorber = Some(index);
                held.push(node);
                break;
            }
            let mut image = F::read(&node)?;
            image.insert(index + 1, separator, &[], PageId::NONE.0);
            above.splits.push(self.split_image(image, index + 1)?);
            held.push(node);
        }
        Ok(Ok(above))
    }

    /// Writes the halves of all that splits. `held` has the pages from the leaf upwards, `fresh` enough new ones, of which those used are
    /// taken out.
    fn apply<'p>(
        mut right: Right<'_>,
        leaf: Split<F::Key>,
        above: Above<F::Key>,
        reason: Reason,
        held: &mut Pages<'p>,
        fresh: &mut Pages<'p>,
    ) -> Result<()> {
        let mut made: Pages<'p> = fresh.drain(..above.page_count()).collect();
        let mut splits: SmallVec<[Split<F::Key>; 4]> = SmallVec::from_iter([leaf]);
        splits.extend(above.splits);
        let top = splits.len() - 1;
        for k in 1..splits.len() {
            let child = made[k - 1].page().0;
            let Split { left, right, .. } = &mut splits[k];
            let entries = left.entries.iter_mut().chain(&mut right.entries);
            entries.filter(|entry| entry.tag == PageId::NONE.0).for_each(|entry| entry.tag = child);
        }
        let _change = right.restructuring.begin();
        for (k, split) in splits.iter().enumerate() {
            F::write(&mut made[k], &split.right);
            let is_root = k == top && above.absorber.is_none();
            match (split.set_high, &split.left.high) {
                (Some(set_high), Some(high)) => set_high(&mut held[k], high.clone()),
                _ => F::write(if is_root { &mut made[k + 1] } else { &mut held[k] }, &split.left),
            }
            if k == 0 && reason == Reason::Contention {
                made[0].keep_apart();
                if is_root { &mut made[1] } else { &mut held[0] }.keep_apart();
            }
        }
        let Split { left, right, .. } = &splits[top];
        let right_page = made[top].page();
        if let Some(index) = above.absorber {
            return F::insert_child(&mut held[top + 1], index + 1, &right.low, right_page);
        }
        let mut root = Image::new(left.level + 1, F::Key::default(), None);
        root.push(F::Key::default(), &[], made[top + 1].page().0);
        root.push(right.low.clone(), &[], right_page.0);
        F::write(&mut held[top], &root);
        Ok(())
    }

    /// Works out where to cut: behind everything when entries are appended, before everything when they are
    /// prepended, else in the middle by bytes.
    fn split_image(&self, mut left: Image<F::Key>, changed: usize) -> Result<Split<F::Key>> {
        let count = left.entries.len();
        if count < 2 {
            return Err(Error::internal("an entry does not fit a page"));
        }
        let cut = if changed + 1 == count {
            count - 1
        } else if changed == 0 {
            1
        } else {
            Self::middle(&left)
        };
        let mut right = Self::cut_at(&mut left, cut);
        if F::size(&left).max(F::size(&right)) > self.page_bytes() {
            left.join(&right);
            let middle = Self::middle(&left);
            right = Self::cut_at(&mut left, middle);
        }
        if F::size(&left).max(F::size(&right)) > self.page_bytes() {
            return Err(Error::internal("half a node does not fit a page"));
        }
        Ok(Split { left, right, set_high: None })
    }

    pub(super) fn cut_at(left: &mut Image<F::Key>, cut: usize) -> Image<F::Key> {
        let separator = if left.level == 0 {
            F::separator(&left.entries[cut - 1].key, &left.entries[cut].key)
        } else {
            left.entries[cut].key.clone()
        };
        left.cut(cut, separator)
    }

    /// The cut that makes both sides as even as entries allow; both get one at least.
    fn middle(image: &Image<F::Key>) -> usize {
        let count = image.entries.len();
        let total: usize = (0..count).map(|i| F::entry_size(image, i)).sum();
        let mut before = 0;
        for i in 0..count {
            let size = F::entry_size(image, i);
            // Entry `i` goes left if that leaves the left side the smaller or is the lesser excess.
            if before + size / 2 >= total / 2 {
                return i.clamp(1, count - 1);
            }
            before += size;
        }
        count - 1
    }

    /// Whether a node has so little in it that a neighbour should take it in.
    fn is_underfull(&self, page: &[u8]) -> bool {
        F::used(page) < self.page_bytes() / 4
    }

    /// Lets go of a leaf from which something was taken, and merges it with a neighbour if it is underfull, and then its parents. What
    /// was taken is gone whether or not nodes can be merged, so what fails here changes nothing.
    pub(super) fn let_go(&self, leaf: PageWrite<'_>) {
        if leaf.page() != self.root && self.is_underfull(&leaf) && !Self::stays_apart(&leaf) {
            self.rebalance(leaf).ok();
        }
    }

    /// Whether a leaf was split not long ago because it was fought for, so that merging it would only begin that anew.
    fn stays_apart(leaf: &PageWrite<'_>) -> bool {
        leaf.is_apart() && F::count(leaf).is_ok_and(|count| count > 0)
    }

    fn rebalance(&self, leaf: PageWrite<'_>) -> Result<()> {
        let key = F::low(&leaf)?;
        let mut is_merged = self.merge_leaf(leaf, key.borrow())?;
        let mut level = 1;
        while is_merged {
            is_merged = self.merge_inner(level, key.borrow())?;
            level += 1;
        }
        self.shrink_root()
    }

    /// Merges the leaf that has `key`, `leaf` at first, with a neighbour if it is underfull.
    fn merge_leaf(&self, leaf: PageWrite<'_>, key: &F::Probe) -> Result<bool> {
        let mut latched = Some(leaf);
        self.merge_with(|tries| {
            let leaf = match latched.take() {
                Some(leaf) => leaf,
                None => self.reach_counted(key, None)?.0,
            };
            if !self.is_underfull(&leaf) {
                return Ok(Merged::Not);
            }
            let right = self.restructure();
            match self.parents_of(leaf.page(), key, tries)? {
                Ok(path) => self.merge(right, leaf, &path, tries),
                Err(missing) => Ok(Merged::Missing(missing)),
            }
        })
    }

    /// Merges the node at `level`, above the leaves, that has `key` with a neighbour if it is underfull.
    fn merge_inner(&self, level: u8, key: &F::Probe) -> Result<bool> {
        self.merge_with(|tries| {
            let right = self.restructure();
            match self.root_level() {
                Tried::Got(root_level) if root_level > level => {}
                Tried::Got(_) | Tried::Taken => return Ok(Merged::Not),
                Tried::Missing => return Ok(Merged::Missing(self.root)),
            }
            let (page, path) = match self.way_to(key, level, tries)? {
                Ok(found) => found,
                Err(missing) => return Ok(Merged::Missing(missing)),
            };
            match self.inner_exclusive(page, tries)? {
                Some(node) if self.is_underfull(&node) => self.merge(right, node, &path, tries),
                Some(_) => Ok(Merged::Not),
                None => Ok(Merged::Missing(page)),
            }
        })
    }

    /// Calls `merge` until it misses no page; what it misses is loaded when it has let go of everything.
    fn merge_with(&self, mut merge: impl FnMut(usize) -> Result<Merged>) -> Result<bool> {
        for tries in 0..TRIES_MAX {
            match merge(tries)? {
                Merged::Done => return Ok(true),
                Merged::Not => return Ok(false),
                Merged::Missing(page) => drop(self.pool.read(page)?),
            }
        }
        Ok(false)
    }

    /// Merges a node with a neighbour, the right one first, if one page has room for both.
    fn merge(
        &self,
        mut right: Right<'_>,
        node: PageWrite<'_>,
        path: &Path,
        tries: usize,
    ) -> Result<Merged> {
        let Some((parent, index)) = path.last().copied() else { return Ok(Merged::Not) };
        let Some(bytes) = self.inner(parent, tries)? else { return Ok(Merged::Missing(parent)) };
        let (level, count) = (page::level(&bytes), F::count(&bytes)?);
        // Each with the entry of the right one of both.
        let mut neighbours = SmallVec::<[(PageId, usize); 2]>::new();
        if index + 1 < count {
            neighbours.push((F::child(&bytes, index + 1)?, index + 1));
        }
        if index > 0 {
            neighbours.push((F::child(&bytes, index - 1)?, index));
        }
        drop(bytes);
        for (other_page, right_index) in neighbours {
            let is_left = right_index == index + 1;
            let other = match self.try_neighbour(other_page, page::level(&node), tries)? {
                Tried::Got(other) => other,
                Tried::Taken => continue,
                Tried::Missing => return Ok(Merged::Missing(other_page)),
            };
            self.check_child(&other, other_page, level)?;
            let is_leaf = level == 1;
            if is_leaf && F::count(&node)? > 0 && Self::stays_apart(&other) {
                continue;
            }
            // Some room is left, lest the next insert split what this merged. What both come to is worked out only if it may fit: beside a
            // full neighbour, every entry that goes comes here. Together they need what they use now, or more, as they share less.
            let bytes_max = self.page_bytes() / 8 * 7;
            if F::used(&node) + F::used(&other) > bytes_max {
                continue;
            }
            let (here, there) = (F::read(&node)?, F::read(&other)?);
            let (mut joined, tail) = if is_left { (here, there) } else { (there, here) };
            joined.join(&tail);
            if F::size(&joined) > bytes_max {
                continue;
            }
            let Some(mut parent) = self.inner_exclusive(parent, tries)? else {
                return Ok(Merged::Missing(parent));
            };
            let mut image = F::read(&parent)?;
            image.entries.remove(right_index);
            let (mut left, gone) = if is_left { (node, other) } else { (other, node) };
            let _change = right.restructuring.begin();
            F::write(&mut parent, &image);
            F::write(&mut left, &joined);
            gone.free()?;
            return Ok(Merged::Done);
        }
        Ok(Merged::Not)
    }

    /// A node beside one that is latched, latched exclusively too. Leaves' latches are only tried.
    fn try_neighbour(&self, page: PageId, level: u8, tries: usize) -> Result<Tried<PageWrite<'_>>> {
        if level == 0 {
            return Ok(self.pool.try_write(page));
        }
        Ok(self.inner_exclusive(page, tries)?.map_or(Tried::Missing, Tried::Got))
    }

    /// While the root has a single child, that child's node moves into the root's page, unless that is a leaf in use.
    fn shrink_root(&self) -> Result<()> {
        while self.merge_with(|tries| self.shrink_root_once(tries))? {}
        Ok(())
    }

    fn shrink_root_once(&self, tries: usize) -> Result<Merged> {
        let mut right = self.restructure();
        let level = match self.root_level() {
            Tried::Got(level) if level > 0 => level,
            Tried::Got(_) | Tried::Taken => return Ok(Merged::Not),
            Tried::Missing => return Ok(Merged::Missing(self.root)),
        };
        let Some(root) = self.inner(self.root, tries)? else {
            return Ok(Merged::Missing(self.root));
        };
        self.check(&root, self.root)?;
        if F::count(&root)? != 1 {
            return Ok(Merged::Not);
        }
        let child_page = F::child(&root, 0)?;
        drop(root);
        let Some(mut root) = self.inner_exclusive(self.root, tries)? else {
            return Ok(Merged::Missing(self.root));
        };
        let child = match self.try_neighbour(child_page, level - 1, tries)? {
            Tried::Got(child) => child,
            Tried::Taken => return Ok(Merged::Not),
            Tried::Missing => return Ok(Merged::Missing(child_page)),
        };
        self.check_child(&child, child_page, level)?;
        let image = F::read(&child)?;
        let _change = right.restructuring.begin();
        F::write(&mut root, &image);
        child.free()?;
        Ok(Merged::Done)
    }
}
