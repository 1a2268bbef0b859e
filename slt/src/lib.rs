//! Runs sqllogictest files against Damask, in the process and over the wire.
//!
//! A file is SQL statements with the answers they must have. The project's own cases are in `slt/cases`, one folder an area;
//! their answers are PostgreSQL's. The format is that of the `sqllogictest` crate; what is particular to us:
//!
//! - Columns of a row are separated by a tab (a space is taken, too), NULL is `NULL`, the empty string `(empty)`; newlines, tabs
//!   and carriage returns inside a value are written `\n`, `\t` and `\r`.
//! - `statement error (22012)` expects a SQLSTATE.
//! - `connection NAME` before a record runs it in a session of that name; all of a file's sessions share its database.
//!
//! Reading order: [`runner`] is files and records, [`engine`] what they run against.

pub mod engine;
pub mod runner;

pub use engine::Door;
pub use runner::{Failure, Summary, collect_files, run_file, run_files};
