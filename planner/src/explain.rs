//! Plans as EXPLAIN shows them.
