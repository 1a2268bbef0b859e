//! Tests of transactions and tables through the public interface.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod basics;
mod building;
mod codec;
mod engine;
mod garbage;
mod isolation;
mod model;
mod support;
