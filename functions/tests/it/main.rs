//! Tests of the operator table as a whole.

mod aggregate;
mod golden;
mod resolve;
mod session;
