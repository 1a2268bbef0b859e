//! A tree as a whole: its pages one by one, what must hold of them, and the end of all of them.
//!
//! What is checked is B1 to B4 of [`super`], the heaps of the nodes, and that no page stands twice (by the caller, who is told each page).

use super::TreeStatistics;
use super::base::{Base, Format, Image};
use crate::page::{self, PageId};
use damask_types::Result;

impl<F: Format> Base<F> {
    /// Visits every page, children before their parents.
    fn walk(&self, mut visit: impl FnMut(PageId, &Image<F::Key>) -> Result<()>) -> Result<()> {
        // Nodes on the way down, each with the index of the next child to visit.
        let mut stack: Vec<(PageId, Image<F::Key>, usize)> = Vec::new();
        let load = |page: PageId, level: Option<u8>| {
            let bytes = self.pool.read(page)?;
            self.check(&bytes, page)?;
            Self::check_heap(&bytes, page)?;
            let image = F::read(&bytes)?;
            if level.is_some_and(|level| image.level + 1 != level) {
                return Err(F::corrupted(format!("page {page} is not one level below its parent")));
            }
            Ok((page, image, 0))
        };
        stack.push(load(self.root, None)?);
        while let Some((page, image, next)) = stack.last_mut() {
            if image.level > 0 && *next < image.entries.len() {
                let child = PageId(image.entries[*next].tag);
                *next += 1;
                let level = image.level;
                stack.push(load(child, Some(level))?);
                continue;
            }
            visit(*page, image)?;
            stack.pop();
        }
        Ok(())
    }

    /// Bodies do not overlap, and with the holes they fill the heap.
    fn check_heap(bytes: &[u8], page: PageId) -> Result<()> {
        let mut bodies = F::bodies(bytes)?;
        bodies.sort_unstable();
        let mut end = usize::from(page::get_u16(bytes, page::offset::HEAP_LOW));
        let mut holes = 0;
        for (at, len) in bodies.into_iter().filter(|(_, len)| *len > 0) {
            if at < end {
                return Err(F::corrupted(format!("bodies in page {page} overlap")));
            }
            holes += at - end;
            end = at + len;
        }
        let has_heap = end > 0;
        holes += bytes.len().saturating_sub(end);
        let expected = usize::from(page::get_u16(bytes, page::offset::FREE_BYTES));
        if end > bytes.len() || (has_heap && holes != expected) {
            return Err(F::corrupted(format!("the holes in page {page} are not as counted")));
        }
        Ok(())
    }

    /// Frees every page of a tree whose entries own no pages; its leaves are not read.
    pub(super) fn destroy_nodes(&self) -> Result<()> {
        let root = self.pool.read(self.root)?;
        self.check(&root, self.root)?;
        let image = F::read(&root)?;
        drop(root);
        let mut pages = vec![self.root];
        let mut inners = vec![image];
        while let Some(image) = inners.pop() {
            if image.level == 0 {
                // The root is a leaf.
                break;
            }
            for child in image.entries.iter().map(|entry| PageId(entry.tag)) {
                pages.push(child);
                if image.level == 1 {
                    continue;
                }
                let bytes = self.pool.read(child)?;
                self.check(&bytes, child)?;
                let inner = F::read(&bytes)?;
                if inner.level + 1 != image.level {
                    let message = format!("page {child} is not one level below its parent");
                    return Err(F::corrupted(message));
                }
                inners.push(inner);
            }
        }
        pages.into_iter().try_for_each(|page| self.pool.free(page))
    }

    /// Frees every page of the tree.
    pub(super) fn destroy(&self) -> Result<()> {
        let mut pages = Vec::new();
        self.walk(|page, image| {
            if image.level == 0 {
                F::owned_pages(&self.pool, image, &mut |page| {
                    pages.push(page);
                    Ok(())
                })?;
            }
            pages.push(page);
            Ok(())
        })?;
        pages.into_iter().try_for_each(|page| self.pool.free(page))
    }

    pub(super) fn verify(
        &self,
        visit: &mut dyn FnMut(PageId) -> Result<()>,
    ) -> Result<TreeStatistics> {
        let mut statistics = TreeStatistics::default();
        let mut ranges: Vec<(u8, F::Key, Option<F::Key>)> = Vec::new();
        self.walk(|page, image| {
            visit(page)?;
            statistics.height = statistics.height.max(u32::from(image.level) + 1);
            Self::verify_node(page, image)?;
            if image.level == 0 {
                statistics.leaves += 1;
                statistics.entries += image.entries.len() as u64;
                let marked = image.entries.iter().filter(|entry| F::is_marked(entry.tag));
                statistics.marked += marked.count() as u64;
                F::owned_pages(&self.pool, image, &mut |page| {
                    statistics.overflows += 1;
                    visit(page)
                })?;
            } else {
                statistics.inners += 1;
                // The children's ranges are the last ones: they came just before.
                let first = ranges.len().checked_sub(image.entries.len());
                let children = first.map(|first| ranges.split_off(first)).unwrap_or_default();
                Self::verify_children(page, image, &children)?;
            }
            ranges.push((image.level, image.low.clone(), image.high.clone()));
            Ok(())
        })?;
        match ranges.pop() {
            Some((_, low, None)) if low == F::Key::default() => Ok(statistics),
            _ => Err(F::corrupted(format!("the root of tree {} has a limit", self.tree))),
        }
    }

    /// B1.
    fn verify_node(page: PageId, image: &Image<F::Key>) -> Result<()> {
        let entries = &image.entries;
        if !entries.is_sorted_by(|a, b| a.key < b.key) {
            return Err(F::corrupted(format!("keys in page {page} do not ascend")));
        }
        let is_low = entries.first().is_some_and(|entry| entry.key < image.low);
        let is_high = entries
            .last()
            .is_some_and(|entry| image.high.as_ref().is_some_and(|high| entry.key >= *high));
        if is_low || is_high {
            return Err(F::corrupted(format!("a key in page {page} is outside the page's range")));
        }
        Ok(())
    }

    /// B2 and B3, and B4 as far as inner nodes go.
    fn verify_children(
        page: PageId,
        image: &Image<F::Key>,
        children: &[(u8, F::Key, Option<F::Key>)],
    ) -> Result<()> {
        if image.entries.is_empty() || children.len() != image.entries.len() {
            return Err(F::corrupted(format!("inner page {page} has no children")));
        }
        for (i, (level, low, high)) in children.iter().enumerate() {
            let next = image.entries.get(i + 1).map(|entry| &entry.key).or(image.high.as_ref());
            if *level + 1 != image.level || *low != image.entries[i].key || high.as_ref() != next {
                return Err(F::corrupted(format!(
                    "child {i} of page {page} does not have the range its parent gives it"
                )));
            }
        }
        Ok(())
    }
}
