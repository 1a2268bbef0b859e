//! The library as its users see it.

mod advisory;
mod compression;
mod definitions;
mod durability;
mod embedded;
mod engine;
mod errors;
mod estimates;
mod failures;
mod indexes;
mod locking;
mod lookup_joins;
mod memory;
mod notify;
mod own_plans;
mod panics;
mod serializable;
mod settings;
mod short_path;
mod spill;
mod support;
mod table_locks;
mod temporary;
mod transactions;
mod upsert;
