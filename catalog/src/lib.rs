//! The catalog: what objects exist, and what they are.
//!
//! Objects a user makes are rows of ordinary tables ([`store`]), so DDL is transactional and recovers like data. Readers use an
//! immutable [`CatalogSnapshot`]; a transaction that changes the catalog works on a private copy ([`CatalogTxn`]) and its changes
//! are applied to the shared one when it commits. `pg_catalog` and `information_schema` are computed from the snapshot
//! ([`system`]).
//!
//! Invariants
//! - C1: a snapshot never changes; whoever holds one sees one consistent catalog.
//! - C2: what the tables of [`store`] hold and what the published snapshot says are equal after every commit.
//! - C3: relations and indexes of one schema share one space of names.

pub mod ddl;
pub mod object;
pub mod snapshot;
pub mod store;
pub mod system;
pub mod template;

pub use ddl::CatalogTxn;
pub use snapshot::{CatalogSnapshot, ObjectName, SearchPath};
pub use store::Catalog;
