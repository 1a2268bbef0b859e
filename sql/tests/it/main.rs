//! Tests of the parser from outside.

mod corpus;
mod depth;
mod errors;
mod precedence;
