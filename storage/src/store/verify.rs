//! Checking a whole data file: every block readable and itself, every unit owned once.
//!
//! What is checked is the checkpoint in force, as the disk has it. [`Store::verify`] checks the open store's books
//! too: every unit of the file belongs to exactly one page, node, root piece, deferred run or free run; and the trees:
//! each is in order, and has its pages for itself.
//!
//! Left out: that indexes match rows, which the layer above checks.

use super::open::{Loaded, find_superblock, load, seed};
use super::{Disk, Store};
use crate::alloc::{Allocator, SUPERBLOCK_UNITS};
use crate::codec::{Coders, Wanted};
use crate::env::Env;
use crate::page::{self, PageId, PageKind, TreeId, UNIT_BYTES};
use crate::pool::Ownership;
use crate::superblock::Superblock;
use crate::tree::{IndexTree, RowTree};
use crate::vfs::{OpenOptions, VfsFile};
use damask_types::{Error, Result, SqlState};
use hashbrown::HashSet;
use std::path::Path;
use std::sync::Arc;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Pages looked at.
    pub page_count: u64,
    /// Bytes read.
    pub byte_count: u64,
    /// One sentence for each problem, naming file and page.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds what another check found.
    pub fn merge(&mut self, other: Self) {
        self.page_count += other.page_count;
        self.byte_count += other.byte_count;
        self.problems.extend(other.problems);
    }
}

/// Checks the data file of a database that need not be open: the checkpoint in force and all it names.
///
/// The log is not looked at: opening the database reads it.
///
/// # Errors
/// 58030 if the file cannot be read, 58P01 if there is none, 0A000 if its format is newer. Damage is not an error but a
/// problem in the report.
pub fn verify_file(env: &Env, path: &Path) -> Result<VerifyReport> {
    let file = env.vfs.open(path, OpenOptions::READ_ONLY)?;
    match find_superblock(&*env.vfs, path, &*file) {
        Ok(Some(superblock)) => check_checkpoint(&*file, &superblock),
        Ok(None) => {
            let problem = format!("file \"{}\" was never completely made", path.display());
            Ok(VerifyReport { problems: vec![problem], ..VerifyReport::default() })
        }
        Err(error) => problem_of(error),
    }
}

/// Damage as a report, other errors as they are.
fn problem_of(error: Error) -> Result<VerifyReport> {
    if error.sqlstate() != SqlState::DATA_CORRUPTED {
        return Err(error);
    }
    let problems = vec![error.message().to_owned()];
    Ok(VerifyReport { problems, ..VerifyReport::default() })
}

/// Checks everything a superblock leads to.
fn check_checkpoint(file: &dyn VfsFile, superblock: &Superblock) -> Result<VerifyReport> {
    let loaded = match load(file, superblock) {
        Ok(loaded) => loaded,
        Err(error) => return problem_of(error),
    };
    let mut report = VerifyReport::default();
    let name = file.path().display();
    let mut bytes = vec![0; superblock.page_bytes as usize];
    let coders = Coders::default();
    for (number, location) in loaded.pages.iter().enumerate() {
        let Some(location) = *location else { continue };
        report.page_count += 1;
        report.byte_count += u64::from(location.run.count) * UNIT_BYTES as u64;
        let page = Wanted { number: number as u64, location, bytes: &mut bytes };
        let problem = coders
            .read(file, seed(superblock), page)
            .unwrap_or_else(|error| Some(error.message().to_owned()));
        if let Some(problem) = problem {
            report.problems.push(format!("invalid page {number} in file \"{name}\": {problem}"));
        }
    }
    let nodes = loaded.root.nodes.iter().map(|node| node.run);
    let Loaded { root_runs, pages, .. } = &loaded;
    let pages = pages.iter().flatten().map(|page| page.run);
    let used = root_runs.iter().copied().chain(nodes).chain(pages).collect();
    match Allocator::from_used(used) {
        Ok(allocator) if allocator.unit_count() > superblock.unit_count.max(SUPERBLOCK_UNITS) => {
            report.problems.push(format!("file \"{name}\": a block lies behind the file's end"));
        }
        Ok(_) => {}
        Err(problem) => report.problems.push(format!("file \"{name}\": {problem}")),
    }
    Ok(report)
}

impl Store {
    /// Checks the file and the open store's books. Page changes stand still meanwhile; a checkpoint that is being written waits. Readers may make
    /// room in a full pool: of units that changed hands while they were looked at nothing is said.
    ///
    /// # Errors
    /// As [`verify_file`].
    pub fn verify(&self) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        {
            // What the end of a checkpoint takes and lets go is in no book for a while: none is written meanwhile.
            let disk = self.disk.as_ref().map(|disk| disk.lock());
            report.problems.extend(self.book_problems(disk.as_deref()));
            if let Some(disk) = &disk {
                report.merge(check_checkpoint(&*self.file, &disk.superblock)?);
            }
        }
        report.problems.extend(self.pool.check_pages());
        report.problems.extend(self.tree_problems());
        Ok(report)
    }

    /// Units of the file that do not belong to exactly one page, node, root piece, deferred run or free run.
    pub(super) fn book_problems(&self, disk: Option<&Disk>) -> Vec<String> {
        let mut owned = self.pool.ownership();
        if let Some(disk) = disk {
            owned.runs.extend(disk.nodes.iter().map(|node| node.run));
            owned.runs.extend(&disk.root_runs);
        }
        unit_problems(owned)
    }

    /// What is wrong with the trees: each is in order, no page belongs to two of them, and none of a tree's pages is out
    /// of its reach.
    fn tree_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut reached = HashSet::new();
        let trees = self.trees();
        for descriptor in &trees {
            let (tree, root) = (descriptor.tree, descriptor.root);
            if !self.pool.is_live(root) {
                problems.push(format!("tree {tree} begins at page {root}, which is free"));
                continue;
            }
            let mut visit = |page| {
                if reached.insert(page) {
                    return Ok(());
                }
                Err(Error::corrupted(format!("page {page} is reached twice")))
            };
            let pool = Arc::clone(&self.pool);
            let verified = match descriptor.kind {
                PageKind::IndexLeaf => IndexTree::open(pool, tree, root)
                    .and_then(|index| index.verify(&mut visit).map(drop)),
                _ => RowTree::open(pool, tree, root)
                    .and_then(|rows| rows.verify(&mut visit).map(drop)),
            };
            if let Err(error) = verified {
                problems.push(format!("tree {tree}: {}", error.message()));
            }
        }
        // After damage, pages out of reach are to be expected.
        if problems.is_empty() {
            let lost = |page: PageId| -> Result<Option<TreeId>> {
                let bytes = self.pool.read(page)?;
                let tree = page::tree(&bytes);
                Ok((trees.iter().any(|one| one.tree == tree)).then_some(tree))
            };
            for page in (1..self.pool.page_bound().0).map(PageId) {
                if reached.contains(&page) || !self.pool.is_live(page) {
                    continue;
                }
                match lost(page) {
                    Ok(None) => {}
                    Ok(Some(tree)) => {
                        problems.push(format!("page {page} of tree {tree} is out of its reach"));
                    }
                    Err(error) => problems.push(error.message().to_owned()),
                }
            }
        }
        problems
    }
}

/// Units that do not belong to exactly one run, save those that changed hands.
fn unit_problems(owned: Ownership) -> Vec<String> {
    let Ownership { mut runs, unit_count, mut moved } = owned;
    runs.sort_unstable();
    moved.sort_unstable();
    let mut excused: Vec<(u64, u64)> = Vec::new();
    for run in moved {
        match excused.last_mut() {
            Some((_, end)) if run.start <= *end => *end = run.end().max(*end),
            _ => excused.push((run.start, run.end())),
        }
    }
    let mut problems = Vec::new();
    let mut complain = |mut from: u64, to: u64, what: &str| {
        let first = excused.partition_point(|(_, end)| *end <= from);
        let excused = excused[first..].iter().copied().take_while(|(start, _)| *start < to);
        for (start, end) in excused.chain([(to, to)]) {
            if from < start {
                problems.push(format!("units {from} to {} {what}", start - 1));
            }
            from = end;
        }
    };
    let mut next = SUPERBLOCK_UNITS;
    for run in runs {
        if run.start < next {
            complain(run.start, next.min(run.end()), "have two owners");
        } else {
            complain(next, run.start, "have no owner");
        }
        next = next.max(run.end());
    }
    complain(next, unit_count, "have no owner");
    complain(unit_count, next, "lie behind the file's end");
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::Run;

    #[test]
    fn units_have_one_owner_each() {
        let runs = |runs: &[(u64, u32)]| {
            runs.iter().map(|&(start, count)| Run { start, count }).collect::<Vec<_>>()
        };
        let problems = |owners: &[(u64, u32)], moved: &[(u64, u32)]| {
            let (runs, moved) = (runs(owners), runs(moved));
            unit_problems(Ownership { runs, unit_count: 20, moved }).join("; ")
        };
        assert_eq!(problems(&[(2, 8), (10, 10)], &[]), "");
        assert_eq!(
            problems(&[(12, 8), (2, 8), (4, 4)], &[]),
            "units 4 to 7 have two owners; units 10 to 11 have no owner"
        );
        assert_eq!(
            problems(&[(3, 7), (12, 9)], &[]),
            "units 2 to 2 have no owner; units 10 to 11 have no owner; units 20 to 20 lie behind the file's end"
        );
        assert_eq!(problems(&[(2, 8), (10, 8)], &[]), "units 18 to 19 have no owner");
        // What changed hands is excused, what lies beside it is not.
        assert_eq!(problems(&[(12, 8), (2, 8), (4, 4)], &[(4, 4), (10, 2)]), "");
        assert_eq!(
            problems(&[(2, 4), (12, 8)], &[(11, 3), (7, 2)]),
            "units 6 to 6 have no owner; units 9 to 10 have no owner"
        );
        assert_eq!(
            problems(&[(2, 10), (4, 16)], &[(0, 5), (6, 1)]),
            "units 5 to 5 have two owners; units 7 to 11 have two owners"
        );
    }
}
