//! The catalog: what objects exist, and what they are.
pub mod object;
