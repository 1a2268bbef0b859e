//! The tasks by their keys, in parts, so that workers which look for different tasks do not write to the same cache line.

use super::pool::Handle;
use crossbeam_utils::CachePadded;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Keys are given out one after the other, so neighbours are in different parts.
const PARTS: usize = 16;

type Part<T> = RwLock<HashMap<u64, Arc<Handle<T>>>>;

/// See the head of the file.
pub(super) struct Tasks<T> {
    parts: [CachePadded<Part<T>>; PARTS],
    count: AtomicUsize,
}

impl<T> Tasks<T> {
    pub(super) fn new() -> Self {
        let parts = std::array::from_fn(|_| CachePadded::default());
        Self { parts, count: AtomicUsize::new(0) }
    }

    fn part(&self, key: u64) -> &Part<T> {
        &self.parts[key as usize % PARTS]
    }

    /// The task with this key.
    pub(super) fn get(&self, key: u64) -> Option<Arc<Handle<T>>> {
        self.part(key).read().get(&key).map(Arc::clone)
    }

    /// Whether there is one.
    pub(super) fn has(&self, key: u64) -> bool {
        self.part(key).read().contains_key(&key)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Adds one; no two have the same key.
    pub(super) fn insert(&self, key: u64, task: Arc<Handle<T>>) {
        if self.part(key).write().insert(key, task).is_none() {
            self.count.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Forgets one, if it is there.
    pub(super) fn remove(&self, key: u64) {
        if self.part(key).write().remove(&key).is_some() {
            self.count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
