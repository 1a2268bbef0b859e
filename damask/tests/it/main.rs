//! The library as its users see it.

mod definitions;
mod errors;
mod support;
mod transactions;
