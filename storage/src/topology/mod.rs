//! The machine's nodes: which processors have which memory near (NUMA).
//!
//! On a machine with several nodes a processor reaches its own node's memory sooner than another's. So the pool gives pages frames of the
//! node of the thread that asks ([`crate::pool`]), and the server spreads its workers over the nodes. Both ask a [`Topology`], which comes
//! with the [`crate::Env`]: the machine's ([`system`]), one that a test makes up ([`SimulatedTopology`]), or none to speak of
//! ([`OneNode`]).
//!
//! Invariants
//! - U1: there is one node at least. Whatever the system says that cannot be understood means one node, and is no error.
//! - U2: with one node nothing is bound and nobody is asked where a thread runs.
//! - U3: binding is a wish. What the system refuses stays where it is, and all works as without it.
//!
//! Left out: nodes that have memory and no processors that the process may use, since nobody is near them; distances between nodes, save to
//! find the memory of processors that have none; processors and memory that come and go while the database is open.

mod simulated;
#[cfg(target_os = "linux")]
mod system;

pub use simulated::SimulatedTopology;

use std::fmt::Debug;
use std::sync::Arc;

/// Processors that have the same memory near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The system's number for it.
    pub number: u32,
    /// The system's numbers of its processors that the process may use, ascending; none if there is one node and they are unknown.
    pub cpus: Vec<usize>,
}

impl Node {
    /// Its processors as the system writes such lists: `0-3,8`; empty if they are unknown.
    pub fn cpu_list(&self) -> String {
        let runs = self.cpus.chunk_by(|cpu, next| cpu + 1 == *next);
        let texts = runs.map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            single => single.iter().map(usize::to_string).collect(),
        });
        texts.collect::<Vec<_>>().join(",")
    }
}

/// Which nodes there are, and binding to them. Nodes are named by their index in [`Topology::nodes`].
pub trait Topology: Send + Sync + Debug {
    /// All nodes.
    fn nodes(&self) -> &[Node];

    /// The node of the processor that the calling thread runs on, which may be another a moment later.
    fn node_here(&self) -> usize;

    /// Asks that whole pages of `memory` that were not touched yet come from a node, as long as it has some.
    fn bind_memory(&self, node: usize, memory: &mut [u8]);

    /// Asks that the calling thread runs on the processors of a node, as threads do that it starts from then on.
    fn bind_thread(&self, node: usize);

    /// Whether the system did what it was asked to so far.
    fn is_obeyed(&self) -> bool;
}

/// All memory is near.
#[derive(Debug)]
pub struct OneNode([Node; 1]);

impl Default for OneNode {
    fn default() -> Self {
        Self([Node { number: 0, cpus: Vec::new() }])
    }
}

impl Topology for OneNode {
    fn nodes(&self) -> &[Node] {
        &self.0
    }

    fn node_here(&self) -> usize {
        0
    }

    fn bind_memory(&self, _node: usize, _memory: &mut [u8]) {}

    fn bind_thread(&self, _node: usize) {}

    fn is_obeyed(&self) -> bool {
        true
    }
}

/// The machine's.
pub(crate) fn of_machine() -> Arc<dyn Topology> {
    #[cfg(target_os = "linux")]
    if let Some(several) = system::SystemTopology::new() {
        return Arc::new(several);
    }
    Arc::new(OneNode::default())
}
