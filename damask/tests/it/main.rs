//! The library as its users see it.

mod definitions;
mod embedded;
mod errors;
mod locking;
mod support;
mod temporary;
mod transactions;
