//! Tests of transactions and tables through the public interface.

mod basics;
mod isolation;
mod support;
