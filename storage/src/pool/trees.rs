//! What the pool knows of trees: how their pages are stored, and how many units they have.

use super::Pool;
use super::entries::Slot;
use crate::codec::PageCodec;
use crate::page::{self, PageId, TreeId, UNIT_BYTES};
use hashbrown::HashMap;
use parking_lot::RwLock;

/// The codecs of trees that have one.
#[derive(Debug, Default)]
pub(super) struct TreeCodecs(RwLock<HashMap<TreeId, PageCodec>>);

/// Units of trees that have any.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TreeUnits(HashMap<TreeId, u64>);

impl TreeUnits {
    pub(super) fn add(&mut self, tree: TreeId, units: u32) {
        *self.0.entry(tree).or_default() += u64::from(units);
    }

    pub(super) fn remove(&mut self, tree: TreeId, units: u32) {
        let left = self.0.get_mut(&tree).expect("what is removed was added");
        *left -= u64::from(units);
        if *left == 0 {
            self.0.remove(&tree);
        }
    }
}

/// The units of trees counted again, page by page, while pages are written.
#[derive(Debug, Default)]
pub(super) struct Recount {
    /// The first page that is not counted yet.
    pub(super) bound: PageId,
    pub(super) units: TreeUnits,
}

impl Pool {
    /// How pages of a tree are stored from now on.
    pub(crate) fn codec(&self, tree: TreeId) -> PageCodec {
        self.codecs.0.read().get(&tree).copied().unwrap_or_default()
    }

    /// Says how pages of a tree are to be stored. Those in the file stay as they are until they are written again.
    pub(crate) fn set_codec(&self, tree: TreeId, codec: PageCodec) {
        let mut codecs = self.codecs.0.write();
        if codec == PageCodec::None {
            codecs.remove(&tree);
        } else {
            codecs.insert(tree, codec);
        }
    }

    /// Bytes that the newest versions of a tree's pages have in the file; pages that were never written count whole.
    ///
    /// Pages that a version before 1.1 wrote count for no tree until they are written again.
    pub fn tree_bytes(&self, tree: TreeId) -> u64 {
        self.changes.lock().tree_units.0.get(&tree).copied().unwrap_or(0) * UNIT_BYTES as u64
    }

    /// What a live page counts for (L5).
    pub(super) fn units_of(&self, slot: &Slot) -> (TreeId, u32) {
        match (slot.location, &slot.bytes) {
            (Some(location), _) => (location.tree, location.run.count),
            (None, Some(bytes)) => (page::tree(bytes), self.page_units()),
            (None, None) => unreachable!("a live page is somewhere"),
        }
    }
}
