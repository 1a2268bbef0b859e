//! The nodes that Linux tells of in `/sys/devices/system/node`, `mbind` and `sched_setaffinity`.

#![expect(unsafe_code, reason = "mbind is a call of the system that no crate of ours wraps")]

use super::{Node, Topology};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the system tells of its nodes.
const FOLDER: &str = "/sys/devices/system/node";
/// Numbers of nodes that are understood.
const NODES_MAX: usize = 1024;
/// Memory is bound in whole pages of this size; on machines with larger ones the system refuses what is not a multiple.
const PAGE_BYTES: usize = 4096;

/// A machine with several nodes.
#[derive(Debug)]
pub(super) struct SystemTopology {
    nodes: Vec<Node>,
    /// The node of each processor by its number; those that the process may not use count as the first node's.
    node_of_cpu: Vec<u16>,
    /// The system has refused to bind memory, and is asked no more.
    is_memory_refused: AtomicBool,
    /// It has refused to bind a thread.
    is_thread_refused: AtomicBool,
}

impl SystemTopology {
    /// The machine's nodes; `None` if there is one, or the system does not tell.
    pub(super) fn new() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let read = |name: &str| std::fs::read_to_string(format!("{FOLDER}/{name}")).ok();
        let is_allowed = |cpu| cpu < CpuSet::MAX_CPU && allowed.is_set(cpu);
        let nodes = nodes(read, is_allowed).filter(|nodes| nodes.len() > 1)?;
        let cpu_count = nodes.iter().flat_map(|node| &node.cpus).max()? + 1;
        let mut node_of_cpu = vec![0; cpu_count];
        for (index, node) in nodes.iter().enumerate() {
            node.cpus.iter().for_each(|cpu| node_of_cpu[*cpu] = index as u16);
        }
        let (is_memory_refused, is_thread_refused) = Default::default();
        Some(Self { nodes, node_of_cpu, is_memory_refused, is_thread_refused })
    }
}

impl Topology for SystemTopology {
    fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn node_here(&self) -> usize {
        self.node_of_cpu.get(sched_getcpu()).copied().map_or(0, usize::from)
    }

    fn bind_memory(&self, node: usize, memory: &mut [u8]) {
        let is_refused = &self.is_memory_refused;
        if !is_refused.load(Ordering::Relaxed) && !prefer(self.nodes[node].number as usize, memory)
        {
            is_refused.store(true, Ordering::Relaxed);
        }
    }

    fn bind_thread(&self, node: usize) {
        let mut cpus = CpuSet::new();
        self.nodes[node].cpus.iter().for_each(|cpu| cpus.set(*cpu));
        if sched_setaffinity(None, &cpus).is_err() {
            self.is_thread_refused.store(true, Ordering::Relaxed);
        }
    }

    fn is_obeyed(&self) -> bool {
        let is_refused = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        !is_refused(&self.is_memory_refused) && !is_refused(&self.is_thread_refused)
    }
}

/// Asks for the whole pages of `memory` to come from the node with that number; false if the system refuses, as it does in many containers.
fn prefer(number: usize, memory: &mut [u8]) -> bool {
    let skipped = memory.as_ptr().align_offset(PAGE_BYTES).min(memory.len());
    let pages = &mut memory[skipped..];
    let len = pages.len() / PAGE_BYTES * PAGE_BYTES;
    if len == 0 || number >= NODES_MAX {
        return len == 0;
    }
    const WORD: usize = libc::c_ulong::BITS as usize;
    let mut mask = [0 as libc::c_ulong; NODES_MAX / WORD];
    mask[number / WORD] = 1 << (number % WORD);
    // The system looks at one bit less than it is told.
    let (mask_bits, no_flags) = (NODES_MAX as libc::c_ulong + 1, 0 as libc::c_ulong);
    let mode = libc::c_ulong::try_from(libc::MPOL_PREFERRED).expect("modes are small numbers");
    // SAFETY: the range is part of a slice that the caller owns, its contents are not changed by where it lies, and the system reads
    // NODES_MAX bits of the mask, which has them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mbind,
            pages.as_mut_ptr(),
            len,
            mode,
            mask.as_ptr(),
            mask_bits,
            no_flags,
        )
    };
    result == 0
}

/// The nodes that files below [`FOLDER`] tell of, each with memory and processors that are allowed; `None` if they cannot be understood.
fn nodes(
    read: impl Fn(&str) -> Option<String>,
    is_allowed: impl Fn(usize) -> bool,
) -> Option<Vec<Node>> {
    let online = parse_list(&read("online")?, NODES_MAX)?;
    let with_memory = match read("has_memory") {
        Some(list) => parse_list(&list, NODES_MAX)?,
        None => online.clone(),
    };
    let mut cpus_of: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for number in &online {
        let cpus = parse_list(&read(&format!("node{number}/cpulist"))?, CpuSet::MAX_CPU)?;
        let home = if with_memory.contains(number) {
            *number
        } else if let Some(nearest) = nearest(&read, *number, &online, &with_memory) {
            nearest
        } else {
            continue;
        };
        cpus_of.entry(home).or_default().extend(cpus.into_iter().filter(|cpu| is_allowed(*cpu)));
    }
    cpus_of.retain(|_, cpus| !cpus.is_empty());
    let mut seen = BTreeSet::new();
    if !cpus_of.values().flatten().all(|cpu| seen.insert(*cpu)) {
        // A processor of two nodes.
        return None;
    }
    let node = |(number, cpus): (usize, BTreeSet<usize>)| Node {
        number: number as u32,
        cpus: cpus.into_iter().collect(),
    };
    Some(cpus_of.into_iter().map(node).collect())
}

/// The node with memory that is nearest to one without.
fn nearest(
    read: impl Fn(&str) -> Option<String>,
    number: usize,
    online: &BTreeSet<usize>,
    with_memory: &BTreeSet<usize>,
) -> Option<usize> {
    let distances = read(&format!("node{number}/distance")).unwrap_or_default();
    // One for each node that is online, in their order.
    let distances = distances.split_whitespace().map(|word| word.parse().unwrap_or(u32::MAX));
    let by_number: BTreeMap<usize, u32> = online.iter().copied().zip(distances).collect();
    let distance = |number: &usize| by_number.get(number).copied().unwrap_or(u32::MAX);
    with_memory.intersection(online).copied().min_by_key(distance)
}

/// A list of numbers below `limit` as the system writes them: `0-3,8,10-11`, or nothing. `None` if it is none.
fn parse_list(list: &str, limit: usize) -> Option<BTreeSet<usize>> {
    let mut numbers = BTreeSet::new();
    let list = list.trim();
    if list.is_empty() {
        return Some(numbers);
    }
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= limit {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Option<Vec<usize>> {
        parse_list(text, 1024).map(|numbers| numbers.into_iter().collect())
    }

    #[test]
    fn lists_of_numbers() {
        assert_eq!(list("0-3,8,10-11\n"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(list("7"), Some(vec![7]));
        assert_eq!(list("\n"), Some(vec![]));
        let cpus = vec![0, 1, 2, 3, 8, 10, 11];
        assert_eq!(Node { number: 0, cpus }.cpu_list(), "0-3,8,10-11");
        assert_eq!(Node { number: 0, cpus: vec![] }.cpu_list(), "");
        assert_eq!(list("0-1023").map(|numbers| numbers.len()), Some(1024));
        for garbage in ["a", "1-", "-1", "3-1", "1,,2", "1-2-3", "0-1024", "0-4294967295", "0x1"] {
            assert_eq!(list(garbage), None, "{garbage}");
        }
    }

    /// Nodes as numbers and processors, from files.
    fn found(files: &[(&str, &str)], allowed: &[usize]) -> Option<Vec<(u32, Vec<usize>)>> {
        let read = |name: &str| {
            let file = files.iter().find(|(file, _)| *file == name);
            file.map(|(_, content)| (*content).to_owned())
        };
        let nodes = nodes(read, |cpu| allowed.contains(&cpu))?;
        Some(nodes.into_iter().map(|node| (node.number, node.cpus)).collect())
    }

    #[test]
    fn nodes_need_memory_and_processors() {
        let two = [
            ("online", "0-1\n"),
            ("has_memory", "0-1\n"),
            ("node0/cpulist", "0-1,4\n"),
            ("node1/cpulist", "2-3\n"),
        ];
        let all = [0, 1, 2, 3, 4];
        assert_eq!(found(&two, &all), Some(vec![(0, vec![0, 1, 4]), (1, vec![2, 3])]));
        // Where no node is said to have memory, all do.
        assert_eq!(found(&[two[0], two[2], two[3]], &all), found(&two, &all));
        // What the process may not use does not count.
        assert_eq!(found(&two, &[1, 3]), Some(vec![(0, vec![1]), (1, vec![3])]));
        assert_eq!(found(&two, &[2, 3]), Some(vec![(1, vec![2, 3])]));
        // Memory without processors.
        let far = [two[0], two[1], two[2], ("node1/cpulist", "\n")];
        assert_eq!(found(&far, &all), Some(vec![(0, vec![0, 1, 4])]));
        // Processors without memory go with those whose memory is nearest.
        let poor = [
            ("online", "0,2,5"),
            ("has_memory", "0,5"),
            ("node0/cpulist", "0-1"),
            ("node2/cpulist", "2"),
            ("node5/cpulist", "3-4"),
            ("node2/distance", "30 10 20"),
        ];
        assert_eq!(found(&poor, &all), Some(vec![(0, vec![0, 1]), (5, vec![2, 3, 4])]));
        assert_eq!(found(&poor[..5], &all), Some(vec![(0, vec![0, 1, 2]), (5, vec![3, 4])]));
    }

    #[test]
    fn what_cannot_be_understood_is_no_node() {
        let all = [0, 1, 2, 3];
        assert_eq!(found(&[], &all), None);
        assert_eq!(found(&[("online", "0-1")], &all), None, "no processors");
        assert_eq!(found(&[("online", "zero")], &all), None);
        let twice = [("online", "0-1"), ("node0/cpulist", "0-2"), ("node1/cpulist", "2-3")];
        assert_eq!(found(&twice, &all), None, "a processor of two nodes");
        let garbage = [("online", "0"), ("has_memory", "?"), ("node0/cpulist", "0-3")];
        assert_eq!(found(&garbage, &all), None);
        assert_eq!(found(&[("online", "")], &all), Some(vec![]), "no node is one");
    }

    /// The calls themselves, on whatever machine this is: the first node is there, unless the system refuses to bind at all.
    #[test]
    fn the_machine_is_asked() {
        let mut memory = vec![0_u8; 8 * PAGE_BYTES];
        prefer(0, &mut memory);
        assert!(memory.iter().all(|byte| *byte == 0), "binding changes nothing");
        assert!(!prefer(NODES_MAX, &mut memory), "a node that there cannot be");
        assert!(!prefer(NODES_MAX - 1, &mut memory), "a node that there is not");
        let topology = crate::topology::of_machine();
        assert!(topology.node_here() < topology.nodes().len());
        let thread = std::thread::spawn(move || {
            (0..topology.nodes().len()).all(|node| {
                topology.bind_thread(node);
                topology.node_here() == node || !topology.is_obeyed()
            })
        });
        assert!(thread.join().unwrap(), "a bound thread is on its node");
    }
}
