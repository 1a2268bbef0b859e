//! The catalog: what objects exist, and what they are.
pub mod object;
pub mod snapshot;
pub mod system;
pub use snapshot::{CatalogSnapshot, ObjectName, SearchPath};
