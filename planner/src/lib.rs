//! From syntax to plan.
pub mod expr;
pub mod physical;
