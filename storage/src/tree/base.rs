//! What both trees share: descent, splits, merges. ([`super::build`] fills new trees, [`super::verify`] looks at whole ones.)
//!
//! A [`Format`] says how nodes lie in pages. Common changes touch a page in place and are the trees' own affair. What
//! moves entries between pages goes through an [`Image`], a node taken out of its page: splits and merges are worked
//! out on images first, then all pages they need are allocated and latched, and only then the first byte changes. So a
//! change that cannot be made (disk full, a page that does not load) leaves the tree as it was.

use crate::page::{self, PageId, PageKind, TreeId};
use crate::pool::{PageRead, PageWrite, Pool, Usage};
use damask_types::{Error, Result};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::fmt::Debug;
use std::sync::Arc;

/// Most levels of a tree; a fan-out of two would fill the page numbers with less.
pub(super) const HEIGHT_MAX: usize = 40;
/// How often a descent begins anew because a page is not in memory; above the number of levels that may be missing.
const RESTARTS_MAX: usize = 16;

/// A key that knows its length.
pub(super) trait Measured {
    /// Bytes of the key.
    fn byte_len(&self) -> usize;
}

/// How the nodes of a kind of tree lie in pages.
pub(super) trait Format: Sized {
    /// What entries and separators are ordered by; its default is the lowest.
    type Key: Borrow<Self::Probe> + Ord + Clone + Default + Debug + Measured;
    /// What is searched for.
    type Probe: ?Sized + Ord;

    /// The kind of its leaves.
    const LEAF: PageKind;
    /// The kind of its inner nodes.
    const INNER: PageKind;

    /// The error for a damaged node.
    fn corrupted(message: String) -> Error;
    /// Number of entries, checked against the page's size.
    fn count(page: &[u8]) -> Result<usize>;
    /// Bytes in use for entries.
    fn used(page: &[u8]) -> usize;
    /// The child of an inner node whose range has `probe`: its index and page.
    fn find_child(page: &[u8], probe: &Self::Probe) -> Result<(usize, PageId)>;
    /// Child `index` of an inner node.
    fn child(page: &[u8], index: usize) -> Result<PageId>;
    /// Takes a node out of its page.
    fn read(page: &[u8]) -> Result<Image<Self::Key>>;
    /// Puts a node that fits into a page whose header has the common part.
    fn write(page: &mut [u8], image: &Image<Self::Key>);
    /// Bytes of a page that a node needs, the header included.
    fn size(image: &Image<Self::Key>) -> usize;
    /// Bytes that entry `index` needs in a page with the image's fences.
    fn entry_size(image: &Image<Self::Key>, index: usize) -> usize;
    /// Whether an inner node has room for a child under `key`.
    fn has_room(page: &[u8], key: &Self::Key) -> Result<bool>;
    /// Adds a child to an inner node that has room for it.
    fn insert_child(page: &mut [u8], index: usize, key: &Self::Key, child: PageId) -> Result<()>;
    /// A key above `left` and not above `right`, neighbours in a leaf.
    fn separator(left: &Self::Key, right: &Self::Key) -> Self::Key;
    /// Where the bodies in a node's heap lie: offset and length. Empty for nodes without a heap.
    fn bodies(page: &[u8]) -> Result<Vec<(usize, usize)>>;
    /// Tells the pages that a leaf's entries own outside the tree.
    fn owned_pages(
        pool: &Pool,
        image: &Image<Self::Key>,
        visit: &mut dyn FnMut(PageId) -> Result<()>,
    ) -> Result<()> {
        let _ = (pool, image, visit);
        Ok(())
    }
    /// Whether an entry's tag says that it is not plainly there.
    fn is_marked(tag: u32) -> bool;
}

/// A node outside its page.
#[derive(Clone, Debug, Default)]
pub(super) struct Image<K> {
    /// Height above the leaves.
    pub(super) level: u8,
    /// Lowest key it may have.
    pub(super) low: K,
    /// Lowest key above; `None` for no limit.
    pub(super) high: Option<K>,
    /// By key. The first entry of an inner node has the low fence as its key.
    pub(super) entries: Vec<Entry<K>>,
    /// Where bodies lie.
    pub(super) bytes: Vec<u8>,
    /// Keys of different lengths may be among the entries.
    pub(super) is_mixed: bool,
}

/// An entry of an [`Image`].
#[derive(Clone, Debug, Default)]
pub(super) struct Entry<K> {
    pub(super) key: K,
    /// Start of its body in the image's bytes.
    pub(super) start: usize,
    /// Length of its body.
    pub(super) len: usize,
    /// Flags in a leaf, child in an inner node.
    pub(super) tag: u32,
}

impl<K: Clone + Ord + Measured> Image<K> {
    /// An empty node.
    pub(super) fn new(level: u8, low: K, high: Option<K>) -> Self {
        Self { level, low, high, entries: Vec::new(), bytes: Vec::new(), is_mixed: false }
    }

    /// The body of an entry.
    pub(super) fn body(&self, index: usize) -> &[u8] {
        let entry = &self.entries[index];
        &self.bytes[entry.start..entry.start + entry.len]
    }

    /// Adds an entry before entry `index`.
    pub(super) fn insert(&mut self, index: usize, key: K, body: &[u8], tag: u32) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.is_mixed |=
            self.entries.first().is_some_and(|first| first.key.byte_len() != key.byte_len());
        self.entries.insert(index, Entry { key, start, len: body.len(), tag });
    }

    /// Adds an entry at the end.
    pub(super) fn push(&mut self, key: K, body: &[u8], tag: u32) {
        self.insert(self.entries.len(), key, body, tag);
    }

    /// Cuts entries from `index` on off into a right neighbour that begins at `separator`.
    fn cut(&mut self, index: usize, separator: K) -> Self {
        let mut right = Self::new(self.level, separator.clone(), self.high.replace(separator));
        for i in index..self.entries.len() {
            right.push(self.entries[i].key.clone(), self.body(i), self.entries[i].tag);
        }
        self.entries.truncate(index);
        right
    }

    /// Appends the right neighbour.
    pub(super) fn join(&mut self, right: &Self) {
        for (i, entry) in right.entries.iter().enumerate() {
            self.push(entry.key.clone(), right.body(i), entry.tag);
        }
        self.high.clone_from(&right.high);
    }
}

/// The way from the root to a node: page and the index of the child taken; the last one's index is unused.
pub(super) type Path = SmallVec<[(PageId, usize); 8]>;

/// A tree of some format.
pub(super) struct Base<F> {
    pub(super) pool: Arc<Pool>,
    pub(super) tree: TreeId,
    pub(super) root: PageId,
    /// The coarse latch.
    pub(super) latch: RwLock<()>,
    format: std::marker::PhantomData<fn() -> F>,
}

/// A node that becomes two.
struct Split<K> {
    page: PageId,
    left: Image<K>,
    right: Image<K>,
}

impl<F: Format> Base<F> {
    pub(super) fn create(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        let mut root = pool.allocate(F::LEAF, tree)?;
        F::write(&mut root, &Image::new(0, F::Key::default(), None));
        let page = root.page();
        drop(root);
        Ok(Self::with_root(pool, tree, page))
    }

    pub(super) fn open(pool: Arc<Pool>, tree: TreeId, root: PageId) -> Result<Self> {
        let base = Self::with_root(pool, tree, root);
        let page = base.pool.read(root)?;
        base.check(&page, root)?;
        drop(page);
        Ok(base)
    }

    fn with_root(pool: Arc<Pool>, tree: TreeId, root: PageId) -> Self {
        Self { pool, tree, root, latch: RwLock::new(()), format: std::marker::PhantomData }
    }

    pub(super) fn page_bytes(&self) -> usize {
        self.pool.page_bytes()
    }

    /// Whether a page is a node of this tree at all.
    pub(super) fn check(&self, bytes: &[u8], page: PageId) -> Result<()> {
        let kind = page::kind(bytes);
        let expected = if page::level(bytes) == 0 { F::LEAF } else { F::INNER };
        if kind != Some(expected) || page::tree(bytes) != self.tree {
            return Err(F::corrupted(format!(
                "page {page} is not a node of tree {}: kind {}, tree {}",
                self.tree,
                bytes[page::offset::KIND],
                page::tree(bytes)
            )));
        }
        Ok(())
    }

    /// The tree's latch, shared, and the leaf that `choose` leads to: it picks a child of each inner node.
    ///
    /// No latch is held while a page is loaded: whoever misses one lets go of everything, loads it, and begins anew.
    pub(super) fn reach(
        &self,
        usage: Usage,
        choose: impl Fn(&[u8]) -> Result<PageId>,
    ) -> Result<(RwLockReadGuard<'_, ()>, PageRead<'_>)> {
        for _ in 0..RESTARTS_MAX {
            let latch = self.latch.read();
            match self.descend_resident(usage, &choose)? {
                Ok(leaf) => return Ok((latch, leaf)),
                Err(missing) => {
                    drop(latch);
                    self.pool.load_ahead(missing);
                }
            }
        }
        // Pages leave as fast as they come.
        let latch = self.latch.read();
        let leaf = self.descend(choose)?;
        Ok((latch, leaf))
    }

    /// The tree's latch, exclusive, and the leaf whose range has `probe`, latched exclusively, with the way to it; loads pages as
    /// [`Base::reach`] does.
    pub(super) fn reach_exclusive(
        &self,
        probe: &F::Probe,
    ) -> Result<(RwLockWriteGuard<'_, ()>, Path, PageWrite<'_>)> {
        for _ in 0..RESTARTS_MAX {
            let latch = self.latch.write();
            match self.descend_exclusive_with(
                probe,
                &|page| self.pool.read_resident(page, Usage::Point),
                &|page| self.pool.write_resident(page),
            )? {
                Ok((path, leaf)) => return Ok((latch, path, leaf)),
                Err(missing) => {
                    drop(latch);
                    self.pool.load_ahead(missing);
                }
            }
        }
        let latch = self.latch.write();
        let (path, leaf) = self.descend_exclusive(probe)?;
        Ok((latch, path, leaf))
    }

    /// The leaf that `choose` leads to; pages are loaded under the latches of their parents.
    pub(super) fn descend(&self, choose: impl Fn(&[u8]) -> Result<PageId>) -> Result<PageRead<'_>> {
        match self.descend_with(&choose, &|page, _| self.pool.read(page).map(Some))? {
            Ok(leaf) => Ok(leaf),
            Err(page) => Err(self.pool.no_such_page(page)),
        }
    }

    /// The leaf that `choose` leads to, or the first page on the way that is not in memory.
    fn descend_resident(
        &self,
        usage: Usage,
        choose: &impl Fn(&[u8]) -> Result<PageId>,
    ) -> Result<Result<PageRead<'_>, PageId>> {
        self.descend_with(choose, &|page, is_leaf| {
            let usage = if is_leaf { usage } else { Usage::Point };
            self.pool.read_resident(page, usage)
        })
    }

    /// Goes down; `read` gets a page, if it has it, told whether it is a leaf.
    fn descend_with<'p>(
        &'p self,
        choose: &impl Fn(&[u8]) -> Result<PageId>,
        read: &impl Fn(PageId, bool) -> Result<Option<PageRead<'p>>>,
    ) -> Result<Result<PageRead<'p>, PageId>> {
        let Some(mut page) = read(self.root, false)? else { return Ok(Err(self.root)) };
        for _ in 0..HEIGHT_MAX {
            let level = page::level(&page);
            if level == 0 {
                self.check(&page, page.page())?;
                return Ok(Ok(page));
            }
            let child = choose(&page)?;
            let Some(next) = read(child, level == 1)? else { return Ok(Err(child)) };
            page = Self::step(page, next, level)?;
        }
        Err(self.too_high())
    }

    /// Lets go of the parent; `child` is what it led to.
    fn step<'p>(parent: PageRead<'p>, child: PageRead<'p>, level: u8) -> Result<PageRead<'p>> {
        drop(parent);
        if page::level(&child) + 1 != level {
            let page = child.page();
            return Err(F::corrupted(format!("page {page} is not one level below its parent")));
        }
        Ok(child)
    }

    pub(super) fn too_high(&self) -> Error {
        F::corrupted(format!("tree {} is higher than {HEIGHT_MAX} levels", self.tree))
    }

    /// The leaf whose range has `probe`, latched exclusively, and the way to it; pages are loaded under latches.
    pub(super) fn descend_exclusive(&self, probe: &F::Probe) -> Result<(Path, PageWrite<'_>)> {
        let read = |page| self.pool.read(page).map(Some);
        let write = |page| self.pool.write(page).map(Some);
        match self.descend_exclusive_with(probe, &read, &write)? {
            Ok(found) => Ok(found),
            Err(page) => Err(self.pool.no_such_page(page)),
        }
    }

    fn descend_exclusive_with<'p>(
        &'p self,
        probe: &F::Probe,
        read: &impl Fn(PageId) -> Result<Option<PageRead<'p>>>,
        write: &impl Fn(PageId) -> Result<Option<PageWrite<'p>>>,
    ) -> Result<Result<(Path, PageWrite<'p>), PageId>> {
        let mut path = Path::new();
        let Some(mut page) = read(self.root)? else { return Ok(Err(self.root)) };
        for _ in 0..HEIGHT_MAX {
            let level = page::level(&page);
            if level == 0 {
                // Only a root that is a leaf comes here.
                let leaf = page.page();
                self.check(&page, leaf)?;
                drop(page);
                path.push((leaf, 0));
                return Ok(write(leaf)?.map(|page| (path, page)).ok_or(leaf));
            }
            let (index, child) = F::find_child(&page, probe)?;
            path.push((page.page(), index));
            if level == 1 {
                drop(page);
                let Some(leaf) = write(child)? else { return Ok(Err(child)) };
                self.check(&leaf, child)?;
                if page::level(&leaf) != 0 {
                    return Err(F::corrupted(format!("page {child} is not a leaf")));
                }
                path.push((child, 0));
                return Ok(Ok((path, leaf)));
            }
            let Some(next) = read(child)? else { return Ok(Err(child)) };
            page = Self::step(page, next, level)?;
        }
        Err(self.too_high())
    }

    /// Puts `leaf`, the node at the end of `path` with too many entries, into two pages, and its parents too where
    /// they overflow. `changed` is the entry that was added or grew.
    pub(super) fn split(&self, path: &Path, leaf: Image<F::Key>, changed: usize) -> Result<()> {
        let mut splits: SmallVec<[Split<F::Key>; 4]> = SmallVec::new();
        let mut depth = path.len() - 1;
        splits.push(self.split_image(path[depth].0, leaf, changed)?);
        let absorber = loop {
            let Some(parent) = depth.checked_sub(1) else { break None };
            depth = parent;
            let (page, index) = path[depth];
            let separator = &splits.last().expect("one split at least").right.low;
            let bytes = self.pool.read(page)?;
            if F::has_room(&bytes, separator)? {
                break Some((page, index));
            }
            let mut image = F::read(&bytes)?;
            drop(bytes);
            // The child's page is not known yet; `apply` fills it in.
            image.insert(index + 1, separator.clone(), &[], PageId::NONE.0);
            splits.push(self.split_image(page, image, index + 1)?);
        };
        self.apply(splits, absorber)
    }

    /// Works out where to cut: behind everything when entries are appended, before everything when they are
    /// prepended, else in the middle by bytes.
    fn split_image(
        &self,
        page: PageId,
        mut left: Image<F::Key>,
        changed: usize,
    ) -> Result<Split<F::Key>> {
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
        Ok(Split { page, left, right })
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

    /// Allocates and latches all pages of `splits`, which go from the leaf upwards, then writes them.
    fn apply(
        &self,
        mut splits: SmallVec<[Split<F::Key>; 4]>,
        absorber: Option<(PageId, usize)>,
    ) -> Result<()> {
        let top = splits.len() - 1;
        // The right halves and, if the root splits, the left half of what was in it.
        let mut fresh: SmallVec<[PageWrite<'_>; 8]> = SmallVec::new();
        // The pages that split and, unless the root does, the parent that takes the last separator.
        let mut held: SmallVec<[PageWrite<'_>; 8]> = SmallVec::new();
        if let Err(error) = self.latch_for(&splits, absorber, &mut fresh, &mut held) {
            drop(held);
            for page in fresh {
                page.free()?;
            }
            return Err(error);
        }
        for k in 1..splits.len() {
            let child = fresh[k - 1].page().0;
            let Split { left, right, .. } = &mut splits[k];
            let entries = left.entries.iter_mut().chain(&mut right.entries);
            entries.filter(|entry| entry.tag == PageId::NONE.0).for_each(|entry| entry.tag = child);
        }
        for (k, split) in splits.iter().enumerate() {
            F::write(&mut fresh[k], &split.right);
            let left =
                if k == top && absorber.is_none() { &mut fresh[k + 1] } else { &mut held[k] };
            F::write(left, &split.left);
        }
        let Split { left, right, .. } = &splits[top];
        let right_page = fresh[top].page();
        if let Some((_, index)) = absorber {
            return F::insert_child(&mut held[top + 1], index + 1, &right.low, right_page);
        }
        let mut root = Image::new(left.level + 1, F::Key::default(), None);
        root.push(F::Key::default(), &[], fresh[top + 1].page().0);
        root.push(right.low.clone(), &[], right_page.0);
        F::write(&mut held[top], &root);
        Ok(())
    }

    fn latch_for<'p>(
        &'p self,
        splits: &[Split<F::Key>],
        absorber: Option<(PageId, usize)>,
        fresh: &mut SmallVec<[PageWrite<'p>; 8]>,
        held: &mut SmallVec<[PageWrite<'p>; 8]>,
    ) -> Result<()> {
        let grown = splits.last().filter(|_| absorber.is_none());
        for split in splits.iter().chain(grown) {
            fresh.push(self.allocate(split.left.level)?);
        }
        for split in splits {
            held.push(self.pool.write(split.page)?);
        }
        if let Some((page, _)) = absorber {
            held.push(self.pool.write(page)?);
        }
        Ok(())
    }

    pub(super) fn allocate(&self, level: u8) -> Result<PageWrite<'_>> {
        self.pool.allocate(if level == 0 { F::LEAF } else { F::INNER }, self.tree)
    }

    /// Whether a node has so little in it that a neighbour should take it in.
    pub(super) fn is_underfull(&self, page: &[u8]) -> bool {
        F::used(page) < self.page_bytes() / 4
    }

    /// Merges the node at the end of `path` with a neighbour if it is underfull, and then its parents.
    pub(super) fn rebalance(&self, path: &Path) -> Result<()> {
        for depth in (1..path.len()).rev() {
            let bytes = self.pool.read(path[depth].0)?;
            let is_underfull = self.is_underfull(&bytes);
            drop(bytes);
            if !is_underfull || !self.merge(path[depth - 1])? {
                break;
            }
        }
        self.shrink_root()
    }

    /// Merges child `index` of `parent` with a neighbour, the right one first, if one page has room for both.
    fn merge(&self, (parent, index): (PageId, usize)) -> Result<bool> {
        let mut image = F::read(&self.pool.read(parent)?)?;
        for right_index in [index + 1, index] {
            if right_index == 0 || right_index >= image.entries.len() {
                continue;
            }
            let left_page = PageId(image.entries[right_index - 1].tag);
            let right_page = PageId(image.entries[right_index].tag);
            let mut left = F::read(&self.pool.read(left_page)?)?;
            let right = F::read(&self.pool.read(right_page)?)?;
            if left.level + 1 != image.level || right.level + 1 != image.level {
                return Err(F::corrupted(format!("levels below page {parent} disagree")));
            }
            left.join(&right);
            // Some room is left, lest the next insert split what this merged.
            if F::size(&left) > self.page_bytes() / 8 * 7 {
                continue;
            }
            image.entries.remove(right_index);
            let mut parent = self.pool.write(parent)?;
            let mut page = self.pool.write(left_page)?;
            let gone = self.pool.write(right_page)?;
            F::write(&mut parent, &image);
            F::write(&mut page, &left);
            drop((parent, page));
            gone.free()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// While the root has a single child, that child's node moves into the root's page.
    fn shrink_root(&self) -> Result<()> {
        for _ in 0..HEIGHT_MAX {
            let root = self.pool.read(self.root)?;
            if page::level(&root) == 0 || F::count(&root)? != 1 {
                return Ok(());
            }
            let child = F::child(&root, 0)?;
            drop(root);
            let mut root = self.pool.write(self.root)?;
            let child = self.pool.write(child)?;
            let image = F::read(&child)?;
            F::write(&mut root, &image);
            drop(root);
            child.free()?;
        }
        Err(self.too_high())
    }
}
