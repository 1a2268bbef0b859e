//! Machine code for hot scalar expressions.
//!
//! A [`Group`] is an expression that is worth compiling, with its inputs cut out: the columns, parameters and parts that stay with
//! the interpreter. Given the physical [`Form`] of each input (lane type, scale, nulls or not) it becomes a typed tree, and that
//! becomes one function over a tile by way of Cranelift. Code is shared by every expression of the same shape, whatever its literals.
//!
//! Invariants
//! - J1: the interpreter is the reference. Code never raises: when a row that counts would raise (overflow, division by zero, an
//!   infinite float), it says so, and the caller runs the tile through the interpreter, whose answer or error stands.
//! - J2: no instruction can trap. Divisors are replaced before they divide; there are no calls, no stack slots, no relocations.
//! - J3: overflow checks are left out only when the bounds of the tile at hand prove that they cannot fire, never by statistics.
//! - J4: code memory is writable or executable, never both, and lives as long as anything that may call it.
//!
//! Reading order: [`operation`] says what is known of the operator table, [`group`] cuts expressions out, [`typed`] gives them lanes,
//! [`bounds`] proves checks away, [`emit`] writes code, [`memory`] holds it, [`program`] runs it.
//!
//! Left out: vector instructions, several results a function, row pages, anything but x86-64 (elsewhere nothing is compiled).

mod bounds;
mod cache;
mod emit;
mod group;
mod memory;
mod operation;
mod program;
mod shape;
mod typed;

pub use group::{Group, OPERATIONS_MIN, ROWS_MIN};
pub use program::Outcome;
pub use shape::{Form, Lane};
