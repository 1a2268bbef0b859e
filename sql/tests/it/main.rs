//! Tests of the parser from outside.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod corpus;
mod depth;
mod errors;
mod precedence;
mod print;
