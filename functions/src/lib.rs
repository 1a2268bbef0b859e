//! The operator table: every operator, function, cast and aggregate of SQL, each with one meaning.
//!
//! Constant folding, the vectorized interpreter and the JIT's helpers all call the kernels registered here, so there is one
//! `+`. Kernels are pure: what they need of the session (clock, time zone, names of catalog objects) comes through
//! [`kernel::Session`].
//!
//! Reading order: [`kernel`] is what a function's body looks like, [`registry`] how one is found, [`resolve`] which one a call
//! means, [`aggregate`] the same for aggregates; one function family a file below `scalar`, `operator`, `cast`, `table`;
//! `lanes` and `rows` are the loops that bodies run in.
//!
//! Invariants
//! - F1: a kernel raises only for rows in its context's active mask, and computes or skips the others as it likes.
//! - F2: a strict function's kernel is called with nulls in its arguments; its result is null there and the body is not run for them.
//! - F3: the registry is static: the same pointers for the life of the process, safe to compare.

pub mod aggregate;
pub(crate) mod cast;
mod fixed_session;
pub mod kernel;
pub(crate) mod lanes;
pub(crate) mod operator;
pub mod registry;
pub mod resolve;
pub(crate) mod rows;
pub(crate) mod scalar;
pub(crate) mod table;
pub mod text_io;

pub use fixed_session::FixedSession;
pub use kernel::{Kernel, KernelContext, Session};
pub use registry::{Cast, CastContext, Operator, ScalarFunction, Volatility};
pub use resolve::{CommonContext, Resolved, ResolvedFunction};
