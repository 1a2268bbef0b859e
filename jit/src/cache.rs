//! Compiled functions by shape, for the whole process.
//!
//! The key is the typed tree's text with the forms of its inputs: everything code depends on but literals, which it reads from slots. Small
//! and cleared as a whole when full: what is in use stays alive through its users.

use crate::emit::compile;
use crate::memory::Code;
use crate::shape::Form;
use crate::typed::Typed;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Bytes of code kept for later statements.
const BYTES_MAX: usize = 16 << 20;

#[derive(Default)]
struct Cache {
    codes: HashMap<String, Option<Arc<Code>>>,
    bytes: usize,
}

static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

/// The code of a tree; `None` (remembered too) if it cannot be compiled.
pub(crate) fn code(root: &Typed, forms: &[Form], checked: bool) -> Option<Arc<Code>> {
    let key = format!("{checked} {forms:?} {root:?}");
    // A panic of another thread leaves the map as it was.
    let lock = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(code) = lock().codes.get(&key) {
        return code.clone();
    }
    let code = compile(root, forms, checked).and_then(|bytes| Code::new(&bytes)).map(Arc::new);
    let mut cache = lock();
    cache.bytes += key.len() + code.as_ref().map_or(0, |code| code.mapped_bytes());
    if cache.bytes > BYTES_MAX {
        *cache = Cache::default();
    }
    cache.codes.insert(key, code.clone());
    code
}
