//! SQL types and values, the vectors they travel in, identifiers, and the error every layer speaks.
//!
//! The foundation of the workspace: pure data and pure functions, no files, clock, threads or global state.
//! Reading order: [`type_id`] names the types, [`value`] holds one value, [`vector`] a column of at most
//! [`TILE_ROWS`] values, [`batch`] the unit operators exchange, [`error`] what goes wrong.
//!
//! Invariants
//! - T1: a [`vector::Vector`] and a [`batch::Batch`] never hold more than [`TILE_ROWS`] rows.
//! - T2: text is valid UTF-8 without NUL bytes; whoever takes bytes from outside checks that.
//! - T3: dates and times count from 2000-01-01 (PostgreSQL's epoch); the shift to Arrow's happens in [`arrow`].

pub mod array;
pub mod arrow;
pub mod batch;
pub mod compare;
pub mod datetime;
pub mod error;
pub mod format;
pub mod ids;
pub mod interval;
pub mod mask;
pub mod numeric;
pub mod sqlstate;
pub mod type_id;
pub mod value;
pub mod vector;

pub use batch::Batch;
pub use error::{Error, Position, Result};
pub use ids::{ColumnIndex, CommandId, Lsn, Oid, RelId, RowId, Timestamp, TxnId};
pub use interval::Interval;
pub use mask::Mask;
pub use numeric::Numeric;
pub use sqlstate::SqlState;
pub use type_id::{PhysicalType, SqlType, TypeId};
pub use value::Value;
pub use vector::{Vector, VectorBuilder, VectorData, Views};

/// Rows in a tile: the longest vector and the largest batch.
pub const TILE_ROWS: usize = 1024;
