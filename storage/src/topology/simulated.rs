//! Nodes that a test makes up.

use super::{Node, Topology};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ops::Range;
use std::thread::{self, ThreadId};

/// Processors of each node.
const NODE_CPUS: usize = 2;

/// Nodes of two processors each. A thread is on node 0 unless it was put elsewhere; what is bound is noted.
#[derive(Debug)]
pub struct SimulatedTopology {
    nodes: Vec<Node>,
    threads: Mutex<HashMap<ThreadId, usize>>,
    memory: Mutex<Vec<(Range<usize>, usize)>>,
}

impl SimulatedTopology {
    /// So many nodes.
    pub fn new(node_count: usize) -> Self {
        let cpus = |node| (node * NODE_CPUS..(node + 1) * NODE_CPUS).collect();
        let nodes = (0..node_count).map(|node| Node { number: node as u32, cpus: cpus(node) });
        Self { nodes: nodes.collect(), threads: Mutex::default(), memory: Mutex::default() }
    }

    /// The node that an address was bound to.
    pub fn node_of(&self, address: usize) -> Option<usize> {
        let memory = self.memory.lock();
        memory.iter().rfind(|(range, _)| range.contains(&address)).map(|(_, node)| *node)
    }

    /// Where the memory is that was bound, and the node of each piece.
    pub fn bound_memory(&self) -> Vec<(Range<usize>, usize)> {
        self.memory.lock().clone()
    }

    /// How many threads were bound to each node last.
    pub fn bound_threads(&self) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        self.threads.lock().values().for_each(|node| counts[*node] += 1);
        counts
    }
}

impl Topology for SimulatedTopology {
    fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn node_here(&self) -> usize {
        self.threads.lock().get(&thread::current().id()).copied().unwrap_or(0)
    }

    fn bind_memory(&self, node: usize, memory: &mut [u8]) {
        let range = memory.as_ptr_range();
        self.memory.lock().push((range.start.addr()..range.end.addr(), node));
    }

    fn bind_thread(&self, node: usize) {
        assert!(node < self.nodes.len(), "there is no node {node}");
        self.threads.lock().insert(thread::current().id(), node);
    }

    fn is_obeyed(&self) -> bool {
        true
    }
}
