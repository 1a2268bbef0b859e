//! The library as its users see it.

mod definitions;
mod errors;
mod locking;
mod support;
mod transactions;
