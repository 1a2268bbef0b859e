//! What both trees share: how nodes lie in pages, nodes outside their pages, and the way to a leaf. ([`super::restructure`] splits and
//! merges, [`super::build`] fills new trees, [`super::verify`] looks at whole ones.)
//!
//! A [`Format`] says how nodes lie in pages. Common changes touch a page in place and are the trees' own affair. What
//! moves entries between pages goes through an [`Image`], a node taken out of its page.
//!
//! [`Base::reach`] and [`Base::reach_exclusive`] go down as [`super::descent`] says: they hold no latch while they wait for one, or while a
//! page is loaded.

use super::contention::Fights;
use super::descent::Structure;
use crate::page::{self, PageId, PageKind, TreeId};
use crate::pool::{AHEAD_MAX, PageRead, PageWrite, Pool, Usage};
use damask_types::{Error, Result};
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::fmt::Debug;
use std::sync::Arc;

/// Most levels of a tree; a fan-out of two would fill the page numbers with less.
pub(super) const HEIGHT_MAX: usize = 40;

/// Rows that will be visited of which it is found out whether their leaves are in memory, when one is not.
const LOOKED_AT_MAX: usize = 1024;

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
    type Probe: ?Sized + Ord + ToOwned<Owned = Self::Key>;

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
    /// Whether a node's range has `probe`.
    fn has(page: &[u8], probe: &Self::Probe) -> Result<bool>;
    /// The lowest key of a node's range.
    fn low(page: &[u8]) -> Result<Self::Key>;
    /// The child of an inner node whose range has `probe`: its index and page.
    fn find_child(page: &[u8], probe: &Self::Probe) -> Result<(usize, PageId)>;
    /// Child `index` of an inner node.
    fn child(page: &[u8], index: usize) -> Result<PageId>;
    /// The index of the entry of a leaf whose key is `probe`.
    fn find_entry(page: &[u8], probe: &Self::Probe) -> Result<Option<usize>>;
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
    pub(super) fn cut(&mut self, index: usize, separator: K) -> Self {
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

/// Where a descent goes.
pub(super) trait Target {
    /// The child of an inner node that leads there.
    fn child(&self, page: &[u8]) -> Result<PageId>;
    /// Whether a leaf is where to go.
    fn is_in(&self, page: &[u8]) -> Result<bool>;
}

/// To the leaf whose range has a probe.
pub(super) struct At<'p, F: Format>(pub(super) &'p F::Probe);

impl<F: Format> Target for At<'_, F> {
    #[inline]
    fn child(&self, page: &[u8]) -> Result<PageId> {
        Ok(F::find_child(page, self.0)?.1)
    }

    #[inline]
    fn is_in(&self, page: &[u8]) -> Result<bool> {
        F::has(page, self.0)
    }
}

/// Is told of a leaf that is not in memory, and of its parent, before the leaf is loaded: it may load others with it.
pub(super) type Load<'l> = &'l dyn Fn(PageId, PageId);

/// Where a descent comes to before its last latch.
enum End<'p> {
    /// To a child of an inner node, a leaf.
    Leaf {
        /// The inner node.
        parent: PageId,
        /// The child.
        leaf: PageId,
    },
    /// To the root, which is a leaf.
    Root(PageRead<'p>),
}

/// A tree of some format.
pub(super) struct Base<F: Format> {
    pub(super) pool: Arc<Pool>,
    pub(super) tree: TreeId,
    pub(super) root: PageId,
    pub(super) structure: Structure,
    pub(super) fights: Fights<F::Key>,
    format: std::marker::PhantomData<fn() -> F>,
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
        let (structure, fights) = (Structure::new(), Fights::new());
        Self { pool, tree, root, structure, fights, format: std::marker::PhantomData }
    }

    pub(super) fn page_bytes(&self) -> usize {
        self.pool.page_bytes()
    }

    /// Whether a page is a node of this tree at all.
    #[inline]
    pub(super) fn check(&self, bytes: &[u8], page: PageId) -> Result<()> {
        let level = page::level(bytes);
        if page::is_node(bytes, Self::kind_at(level), level, self.tree) {
            return Ok(());
        }
        Err(self.no_node(bytes, page))
    }

    /// Whether a page is the node that its parent, at level `parent_level`, leads to.
    #[inline]
    pub(super) fn check_child(&self, bytes: &[u8], page: PageId, parent_level: u8) -> Result<()> {
        let level = parent_level.saturating_sub(1);
        if page::is_node(bytes, Self::kind_at(level), level, self.tree) {
            return Ok(());
        }
        self.check(bytes, page)?;
        Err(F::corrupted(format!("page {page} is not one level below its parent")))
    }

    #[inline]
    fn kind_at(level: u8) -> PageKind {
        if level == 0 { F::LEAF } else { F::INNER }
    }

    #[cold]
    fn no_node(&self, bytes: &[u8], page: PageId) -> Error {
        F::corrupted(format!(
            "page {page} is not a node of tree {}: kind {}, tree {}",
            self.tree,
            bytes[page::offset::KIND],
            page::tree(bytes)
        ))
    }

    /// The leaf that `target` says, latched.
    #[inline]
    pub(super) fn reach(&self, usage: Usage, target: &impl Target) -> Result<PageRead<'_>> {
        match usage {
            Usage::Point => self.reach_with(usage, target, None),
            Usage::Scan => {
                self.reach_with(usage, target, Some(&|parent, leaf| self.read_ahead(parent, leaf)))
            }
        }
    }

    /// [`Base::reach`] of a leaf with which others may be loaded.
    #[inline]
    pub(super) fn reach_with(
        &self,
        usage: Usage,
        target: &impl Target,
        load: Option<Load<'_>>,
    ) -> Result<PageRead<'_>> {
        self.structure.descend(|| self.go_down(usage, target, load), |leaf| target.is_in(leaf))
    }

    /// The leaf whose range has `probe`, latched exclusively. It may be split on the way, if it is one that is fought for ([`super::contention`]).
    #[inline]
    pub(super) fn reach_exclusive(&self, probe: &F::Probe) -> Result<PageWrite<'_>> {
        self.reach_exclusive_with(probe, None)
    }

    /// [`Base::reach_exclusive`] of a leaf with which others may be loaded.
    #[inline]
    pub(super) fn reach_exclusive_with(
        &self,
        probe: &F::Probe,
        load: Option<Load<'_>>,
    ) -> Result<PageWrite<'_>> {
        loop {
            let (leaf, has_waited) = self.reach_counted(probe, load)?;
            if !has_waited {
                return Ok(leaf);
            }
            if let Some(leaf) = self.after_wait(leaf, probe)? {
                return Ok(leaf);
            }
        }
    }

    /// The leaf whose range has `probe`, latched exclusively, and whether that had to be waited for.
    #[inline]
    pub(super) fn reach_counted(
        &self,
        probe: &F::Probe,
        load: Option<Load<'_>>,
    ) -> Result<(PageWrite<'_>, bool)> {
        self.structure
            .descend(|| self.go_down_exclusive(probe, load), |(leaf, _)| F::has(leaf, probe))
    }

    /// Goes down once. The inner error is what cannot be so if nobody changed the structure meanwhile.
    fn go_down(
        &self,
        usage: Usage,
        target: &impl Target,
        load: Option<Load<'_>>,
    ) -> Result<Result<PageRead<'_>>> {
        let (parent, leaf) = match self.way_down(target)? {
            Ok(End::Leaf { parent, leaf }) => (parent, leaf),
            Ok(End::Root(root)) => return Ok(Ok(root)),
            Err(stray) => return Ok(Err(stray)),
        };
        // To look and to latch is one: index scans come here for each row.
        let loaded = load.and_then(|load| {
            let loaded = self.pool.read_loaded(leaf, usage);
            if loaded.is_none() {
                load(parent, leaf);
            }
            loaded
        });
        let node = match loaded {
            Some(node) => Some(node),
            None => self.pool.read_live(leaf, usage)?,
        };
        let Some(node) = node else {
            return Ok(Err(self.pool.no_such_page(leaf)));
        };
        Ok(self.check_child(&node, leaf, 1).map(|()| node))
    }

    /// [`Base::go_down`] to the leaf that has `probe`, which is latched exclusively.
    fn go_down_exclusive(
        &self,
        probe: &F::Probe,
        load: Option<Load<'_>>,
    ) -> Result<Result<(PageWrite<'_>, bool)>> {
        let leaf = match self.way_down(&At::<F>(probe))? {
            Ok(End::Leaf { parent, leaf }) => {
                if let Some(load) = load
                    && self.pool.is_absent(leaf)
                {
                    load(parent, leaf);
                }
                leaf
            }
            // It is latched once more, and may have grown in between.
            Ok(End::Root(_)) => self.root,
            Err(stray) => return Ok(Err(stray)),
        };
        let Some((node, has_waited)) = self.pool.write_counted(leaf)? else {
            return Ok(Err(self.pool.no_such_page(leaf)));
        };
        Ok(self.check_child(&node, leaf, 1).map(|()| (node, has_waited)))
    }

    /// Goes down to the leaf that is to be latched next. Of inner nodes copies are read, where there are any: they tell what latches would.
    fn way_down(&self, target: &impl Target) -> Result<Result<End<'_>>> {
        let (mut page, mut parent_level) = (self.root, None);
        loop {
            let (child, level) = if let Some(copy) = self.pool.copy(page) {
                if let Err(stray) = self.check_inner(&copy, page, parent_level) {
                    return Ok(Err(stray));
                }
                (target.child(&copy)?, page::level(&copy))
            } else {
                let Some(node) = self.pool.read_live(page, Usage::Point)? else {
                    return Ok(Err(self.pool.no_such_page(page)));
                };
                if let Err(stray) = self.check_inner(&node, page, parent_level) {
                    return Ok(Err(stray));
                }
                let level = page::level(&node);
                if level == 0 {
                    return Ok(Ok(End::Root(node)));
                }
                let child = target.child(&node)?;
                self.pool.note_read(&node);
                (child, level)
            };
            if level == 1 {
                return Ok(Ok(End::Leaf { parent: page, leaf: child }));
            }
            (page, parent_level) = (child, Some(level));
        }
    }

    /// Loads a leaf that a scan has come to, and with it those that the scan is likely to come to next. What goes wrong is for the scan to find
    /// out.
    #[cold]
    fn read_ahead(&self, parent: PageId, leaf: PageId) {
        if self.pool.ahead_max() < 2 {
            return;
        }
        let children = {
            let Some(node) = self.pool.read_resident(parent) else { return };
            // It may be another node by now.
            if self.check(&node, parent).is_err() || page::level(&node) != 1 {
                return;
            }
            let children = F::count(&node)
                .and_then(|count| (0..count).map(|index| F::child(&node, index)).collect());
            let Ok::<Vec<_>, _>(children) = children else { return };
            children
        };
        if let Some(index) = children.iter().position(|child| *child == leaf) {
            self.pool.read_ahead(&children, index);
        }
    }

    /// Loads the leaves of the first of `targets` that are not in memory, as far as they are found among
    /// [`LOOKED_AT_MAX`].
    #[cold]
    pub(super) fn load_leaves<T: Target>(&self, targets: impl Iterator<Item = T>) {
        if self.pool.ahead_max() < 2 {
            return;
        }
        // As many again for the system to get.
        let count_max = 2 * self.pool.ahead_max();
        let mut leaves: SmallVec<[PageId; 2 * AHEAD_MAX]> = SmallVec::new();
        for target in targets.take(LOOKED_AT_MAX) {
            if let Ok(Ok(End::Leaf { leaf, .. })) = self.way_down(&target)
                && !leaves.contains(&leaf)
                && self.pool.is_absent(leaf)
            {
                leaves.push(leaf);
            }
            if leaves.len() == count_max {
                break;
            }
        }
        self.pool.load_ahead(&leaves);
    }

    /// Whether a page is what its parent at level `parent_level` leads to, or for none whether it is the root.
    #[inline]
    fn check_inner(&self, bytes: &[u8], page: PageId, parent_level: Option<u8>) -> Result<()> {
        match parent_level {
            Some(parent_level) => self.check_child(bytes, page, parent_level),
            None => self.check(bytes, page),
        }
    }

    pub(super) fn too_high(&self) -> Error {
        F::corrupted(format!("tree {} is higher than {HEIGHT_MAX} levels", self.tree))
    }

    /// A page for a node, which says what it is when it is written.
    pub(super) fn allocate(&self) -> Result<PageWrite<'_>> {
        self.pool.allocate(F::LEAF, self.tree)
    }
}
