//! Index keys as bytes whose order is the values' order.
//!
//! Left out: collations other than C.

use damask_types::{Error, Result, SqlState, SqlType, Value};

/// How one column of an index is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Type of its values.
    pub ty: SqlType,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// Appends the encoding of `values`, the first of the key's `columns` or all of them.
pub fn encode_key_into(columns: &[KeyColumn], values: &[Value], out: &mut Vec<u8>) -> Result<()> {
    let _ = (columns, values, out);
    Err(Error::unsupported("index keys"))
}

/// The encoding of `values`: a whole key, or, with fewer values than columns, the prefix of all keys that begin so.
pub fn encode_key(columns: &[KeyColumn], values: &[Value]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    encode_key_into(columns, values, &mut out)?;
    Ok(out)
}

/// The least byte string above everything that begins with `prefix`; `None` if nothing is.
pub fn prefix_successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut successor = prefix[..=keep].to_vec();
    successor[keep] += 1;
    Some(successor)
}

/// Longest entry (key and row id) of an index tree over pages of this size.
pub const fn entry_bytes_max(page_bytes: usize) -> usize {
    (page_bytes - crate::page::PAGE_HEADER_BYTES) / 6 - 16
}

/// # Errors
/// 54000 if a key is too long for an index over pages of `page_bytes`.
pub fn check_key_len(key: &[u8], page_bytes: usize, index_name: &str) -> Result<()> {
    let (bytes, max) = (key.len() + 8, entry_bytes_max(page_bytes));
    if bytes <= max {
        return Ok(());
    }
    Err(Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!(
            "index row size {bytes} exceeds btree version 4 maximum {max} for index \"{index_name}\""
        ),
    )
    .hint("Values larger than 1/3 of a buffer page cannot be indexed.\nConsider a function index of an MD5 hash of the value, or use full text indexing."))
}
