//! PostgreSQL's frontend/backend protocol 3.0 as bytes: no sockets, no sessions.
//!
//! [`Inbound`] turns what was read into frames, [`frontend`] turns a frame into a message, [`startup`] reads the packets
//! that come before any frame, [`Outbound`] collects what is to be written, [`rows`] writes rows of batches into it.
//!
//! Invariants
//! - N1: no bytes from a client panic; what is malformed is an error with SQLSTATE 08P01.
//! - N2: nothing is allocated from an announced length: buffers grow with the bytes that arrived.

pub(crate) mod frontend;
mod inbound;
mod outbound;
pub(crate) mod rows;
pub(crate) mod startup;

pub(crate) use inbound::{Filled, Inbound};
pub use outbound::{Column, Columns, Status};
pub(crate) use outbound::{Outbound, Severity};

use damask_types::{Error, SqlState};

/// 08P01.
#[cold]
pub(crate) fn violation(message: impl Into<String>) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}
