//! Building a tree from sorted entries: nodes are filled from the left and written once.

use super::base::{Base, Format, HEIGHT_MAX, Image};
use crate::page::{PageId, TreeId};
use crate::pool::Pool;
use damask_types::Result;
use std::sync::Arc;

/// Fills a new tree from entries in ascending order, without a descent an entry.
pub(super) struct Builder<F: Format> {
    base: Base<F>,
    /// The last node of each level, not written yet.
    levels: Vec<Image<F::Key>>,
    /// Bytes of each of those, at most.
    sizes: Vec<usize>,
    /// Pages written, for when the build is given up.
    pages: Vec<PageId>,
}

impl<F: Format> Builder<F> {
    pub(super) fn new(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        let base = Base::create(pool, tree)?;
        let leaf = Image::new(0, F::Key::default(), None);
        let size = F::size(&leaf);
        Ok(Self { base, levels: vec![leaf], sizes: vec![size], pages: Vec::new() })
    }

    /// The tree's pool.
    pub(super) fn pool(&self) -> &Pool {
        &self.base.pool
    }

    /// The last key given.
    pub(super) fn last_key(&self) -> Option<&F::Key> {
        self.levels[0].entries.last().map(|entry| &entry.key)
    }

    /// Adds an entry to the leaves; its key is above all before it.
    pub(super) fn push(&mut self, key: F::Key, body: &[u8], tag: u32) -> Result<()> {
        self.push_at(0, key, body, tag)
    }

    fn push_at(&mut self, level: usize, key: F::Key, body: &[u8], tag: u32) -> Result<()> {
        let image = &mut self.levels[level];
        image.push(key, body, tag);
        let last = image.entries.len() - 1;
        self.sizes[level] += F::entry_size(image, last);
        // A sixteenth is left for rows that grow.
        if last == 0 || self.sizes[level] <= self.base.page_bytes() / 16 * 15 {
            return Ok(());
        }
        let right = self.cut(level, last);
        self.sizes[level] = F::size(&right);
        let left = std::mem::replace(&mut self.levels[level], right);
        self.close(left)
    }

    /// Cuts at `last` or, should the fence not fit there, at the first place before it where it does.
    fn cut(&mut self, level: usize, last: usize) -> Image<F::Key> {
        let page_bytes = self.base.page_bytes();
        let image = &mut self.levels[level];
        let mut at = last;
        loop {
            let right = Base::<F>::cut_at(image, at);
            if at == 1 || F::size(image) <= page_bytes {
                return right;
            }
            image.join(&right);
            at -= 1;
        }
    }

    /// Writes a finished node and adds it to its parent.
    fn close(&mut self, image: Image<F::Key>) -> Result<()> {
        let mut page = self.base.allocate()?;
        self.pages.push(page.page());
        let child = page.page().0;
        F::write(&mut page, &image);
        drop(page);
        let level = usize::from(image.level) + 1;
        if level == HEIGHT_MAX {
            return Err(self.base.too_high());
        }
        if level == self.levels.len() {
            let parent = Image::new(level as u8, F::Key::default(), None);
            self.sizes.push(F::size(&parent));
            self.levels.push(parent);
        }
        self.push_at(level, image.low, &[], child)
    }

    /// Writes what is left, the top node into the root's page.
    pub(super) fn finish(mut self) -> Result<Base<F>> {
        let mut level = 0;
        while level + 1 < self.levels.len() {
            let image = std::mem::take(&mut self.levels[level]);
            self.close(image)?;
            level += 1;
        }
        let mut root = self.base.pool.write(self.base.root)?;
        F::write(&mut root, &self.levels[level]);
        drop(root);
        Ok(self.base)
    }

    /// Gives the pages back; those that entries own are the caller's.
    pub(super) fn abort(self) -> Result<()> {
        self.pages.iter().try_for_each(|page| self.base.pool.free(*page))?;
        self.base.pool.free(self.base.root)
    }
}
