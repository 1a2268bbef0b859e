//! Runs physical plans: operators that hand tiles of at most 1,024 rows up a tree.
//!
//! Reading order: [`context`] is what an execution is given, [`execution`] the handle a session holds, [`eval`] how expressions run
//! over a tile, [`short`] how a statement of one row runs without tiles, [`store`] and [`hash`] how rows are kept, then one operator a file below [`operator`].
//!
//! Invariants
//! - E1: an operator's state is a plain struct; between two calls of `next` nothing is held but memory and a read view, so an
//!   execution can pause for ever (portals, cursors) and be dropped at any point.
//! - E2: every loop over tiles calls [`context::Control::check`], so cancel and timeouts act within one tile.
//! - E3: memory is reserved with the control before it grows; an operator above its soft limit goes on in temporary files
//!   ([`spill`]), and what cannot be reserved is 53200.
//! - E4: an expression raises only for rows that reach it (see [`eval`]).

pub(crate) mod build;
pub mod context;
pub(crate) mod eval;
pub mod execution;
pub(crate) mod hash;
pub mod held;
pub(crate) mod operator;
pub(crate) mod order;
pub mod short;
pub(crate) mod spill;
pub(crate) mod store;

pub use context::{Control, ExecContext, NoControl, SystemRows};
pub use execution::{Execution, JitStats, NodeNote, NodeStats, SortMethod};
pub use held::HeldRows;
pub use operator::deferred::Due;
pub use short::{Short, ShortContext};
