//! Tests of the operator table as a whole.

mod aggregate;
mod golden;
mod registry;
mod resolve;
mod session;
