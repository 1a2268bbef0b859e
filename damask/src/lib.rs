//! Damask: a SQL relational database in the process, which also speaks PostgreSQL over the wire.
//!
//! A [`Database`] is one file (or memory); a [`Connection`] runs statements in it. Connections are cheap, and each thread takes its own:
//!
//! ```
//! # fn main() -> damask::Result<()> {
//! let database = damask::Database::open_in_memory()?;
//! let mut connection = database.connect()?;
//! connection.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")?;
//! connection.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")?;
//! let rows = connection.query("SELECT name FROM t WHERE id = $1", &damask::params![2])?;
//! assert_eq!(rows.get::<String>(0, "name")?, "two");
//! # Ok(())
//! # }
//! ```
//!
//! [`session`] is the engine under both doors: the embedded API and the server encode its results differently and share all else.

pub mod configuration;
pub mod connection;
pub mod database;
pub mod notify;
mod parameter;
mod programs;
pub mod rows;
pub mod session;
mod statistics;

pub use arrow_array::RecordBatch;
pub use configuration::Configuration;
pub use connection::{Connection, Statement, Transaction};
pub use damask_types::{Error, Position, Result, SqlState, Value};
pub use database::{Database, DatabaseOptions};
pub use notify::Notification;
pub use rows::{ColumnRef, FromValue, Rows};
pub use session::{Completion, OutputColumn, Session, SessionOptions, Sink, TransactionStatus};

/// The machine's nodes, for those who start threads that run sessions.
pub use damask_storage::topology;
/// Types, values and vectors, for those who take results in batches.
pub use damask_types as types;
