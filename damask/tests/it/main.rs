//! The library as its users see it.

mod definitions;
mod durability;
mod embedded;
mod errors;
mod estimates;
mod locking;
mod panics;
mod support;
mod temporary;
mod transactions;
