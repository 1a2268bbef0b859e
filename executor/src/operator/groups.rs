//! Numbers for keys, and rows of which each key is wanted once.
//!
//! A table that has grown too large is *frozen*: it takes no new key, and the rows whose key it does not have are put into temporary files
//! by hash, to be worked on after the others by a table of their own. Rows of a key are so never divided: all are worked on by the table
//! that has it. As each table takes a tile's keys at least, this comes to an end also when all hashes are equal.

use super::Rows;
use crate::context::{Grant, State};
use crate::hash::{Chains, equal, hash_rows};
use crate::spill::BlockReader;
use crate::spill::partition::{LEVELS, Part, Partitions, bytes_of};
use damask_types::{Batch, Mask, Result, TypeId, Vector};
use std::sync::Arc;

/// Rows by key: numbers equal keys equally, from 0, in order of appearance.
pub(crate) struct Groups {
    keys: Rows,
    chains: Chains,
    /// Of the last tile, by row.
    hashes: Vec<u64>,
    /// Whether keys that are not there are left out.
    is_frozen: bool,
    /// Rows of the last tile that were left out.
    missing: Vec<u32>,
    grant: Grant,
}

/// The group of a row that was left out.
const NO_GROUP: u32 = u32::MAX;

impl Groups {
    pub(crate) fn new(types: &[TypeId]) -> Self {
        Self {
            keys: Rows::new(types),
            chains: Chains::default(),
            hashes: vec![],
            is_frozen: false,
            missing: vec![],
            grant: Grant::default(),
        }
    }

    /// Takes no new key from now on; rows with other keys are [`Groups::missing`].
    pub(crate) fn freeze(&mut self) {
        self.is_frozen = true;
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// Rows of the last tile whose key was not there and not taken.
    pub(crate) fn missing(&self) -> &[u32] {
        &self.missing
    }

    /// The same as a mask.
    pub(crate) fn missing_mask(&self) -> Mask {
        let mut mask = Mask::NONE;
        for &row in &self.missing {
            mask.set(row as usize, true);
        }
        mask
    }

    /// The hashes of the last tile, by row.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.store.bytes() + self.chains.bytes()
    }

    pub(crate) fn buckets(&self) -> usize {
        self.chains.buckets()
    }

    pub(crate) fn len(&self) -> usize {
        self.chains.len()
    }

    /// The keys, a row for each group.
    pub(crate) fn keys(&self) -> &crate::store::Store {
        &self.keys.store
    }

    /// The group of each active row of a tile; `fresh` gets the rows that began one.
    pub(crate) fn find(
        &mut self,
        keys: &[Vector],
        rows: usize,
        active: &Mask,
        groups: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
        state: &State<'_>,
    ) -> Result<()> {
        groups.clear();
        groups.resize(rows, 0);
        fresh.clear();
        self.missing.clear();
        hash_rows(keys, rows, &mut self.hashes);
        for row in active.iter() {
            let hash = self.hashes[row];
            let columns = &self.keys.store.columns;
            let mut at = self.chains.first(hash);
            let mut found = None;
            while let Some((group, next)) = self.chains.follow(at, hash) {
                at = next;
                if columns.iter().zip(keys).all(|(column, key)| equal(column, group, key, row)) {
                    found = Some(group);
                    break;
                }
            }
            groups[row] = if let Some(group) = found {
                group as u32
            } else if self.is_frozen {
                self.missing.push(row as u32);
                NO_GROUP
            } else {
                let group = self.chains.len() as u32;
                self.chains.insert(hash);
                self.keys.store.append(keys, &[row as u32]);
                fresh.push(row as u32);
                group
            };
        }
        if !fresh.is_empty() {
            self.keys.account(&state.run.memory)?;
            self.grant.grow(self.chains.bytes(), &state.run.memory)?;
        }
        Ok(())
    }
}

/// Passes on the first row of each key.
pub(crate) struct Dedup {
    /// Where the keys stand among the columns.
    keys: Vec<usize>,
    key_types: Vec<TypeId>,
    types: Arc<[TypeId]>,
    groups: Groups,
    postponed: Postponed,
    numbers: Vec<u32>,
    fresh: Vec<u32>,
}

impl Dedup {
    pub(crate) fn new(keys: Vec<usize>, types: &Arc<[TypeId]>) -> Self {
        let key_types: Vec<TypeId> = keys.iter().map(|&key| types[key]).collect();
        let groups = Groups::new(&key_types);
        let types = Arc::clone(types);
        let postponed = Postponed::default();
        Self { keys, key_types, types, groups, postponed, numbers: vec![], fresh: vec![] }
    }

    /// Narrows a batch to rows whose key was not there before; others may be postponed.
    pub(crate) fn push(&mut self, batch: &mut Batch, state: &State<'_>) -> Result<()> {
        let keys: Vec<Vector> = self.keys.iter().map(|&key| batch.columns[key].clone()).collect();
        let active = batch.active();
        let (numbers, fresh) = (&mut self.numbers, &mut self.fresh);
        self.groups.find(&keys, batch.rows(), &active, numbers, fresh, state)?;
        self.postponed.take_missing(&self.groups, &batch.columns, &self.types, state)?;
        if state.should_spill(self.groups.bytes(), state.ctx.hash_mem_bytes) {
            self.groups.freeze();
        }
        let mut kept = Mask::NONE;
        for &row in &self.fresh {
            kept.set(row as usize, true);
        }
        batch.select(&kept);
        Ok(())
    }

    /// After the last [`Dedup::push`]: the next rows that were postponed, narrowed like the others.
    pub(crate) fn next_postponed(&mut self, state: &State<'_>) -> Result<Option<Batch>> {
        loop {
            state.check()?;
            if let Some(mut batch) = self.postponed.next()? {
                self.push(&mut batch, state)?;
                if batch.selected_count() > 0 {
                    return Ok(Some(batch));
                }
            } else if self.postponed.next_part(state)? {
                self.groups = Groups::new(&self.key_types);
            } else {
                return Ok(None);
            }
        }
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.groups.bytes()
    }

    /// Forgets everything.
    pub(crate) fn reset(&mut self) {
        self.groups = Groups::new(&self.key_types);
        self.postponed = Postponed::default();
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    pub(crate) fn postponed(&self) -> &Postponed {
        &self.postponed
    }
}

/// Rows that tables did not take, in parts that are worked on one after the other.
#[derive(Debug, Default)]
pub(crate) struct Postponed {
    /// Where missing rows go.
    partitions: Option<Partitions>,
    /// Parts that wait.
    parts: Vec<Part>,
    /// The part at hand; none while the input itself is read.
    reader: Option<BlockReader>,
    level: u32,
    /// Parts worked on or begun, the input among them, and bytes written.
    batches: u64,
    disk_bytes: u64,
}

impl Postponed {
    /// Takes the rows of a tile that a frozen table left out.
    pub(crate) fn take_missing(
        &mut self,
        groups: &Groups,
        columns: &[Vector],
        types: &Arc<[TypeId]>,
        state: &State<'_>,
    ) -> Result<()> {
        if groups.missing().is_empty() {
            return Ok(());
        }
        let level = self.level.min(LEVELS - 1);
        let partitions = match &mut self.partitions {
            Some(partitions) => partitions,
            None => self.partitions.insert(Partitions::new(level, types, state)?),
        };
        let rows = groups.missing().iter().map(|&row| row as usize);
        partitions.push(columns, rows, groups.hashes(), state)
    }

    /// The next rows of the part at hand.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>> {
        match &mut self.reader {
            Some(reader) => reader.next(),
            None => Ok(None),
        }
    }

    /// Whether a part is at hand, rather than the input.
    pub(crate) fn is_begun(&self) -> bool {
        self.reader.is_some()
    }

    /// Turns to the next part; `false` if there is none.
    pub(crate) fn next_part(&mut self, state: &State<'_>) -> Result<bool> {
        if let Some(partitions) = self.partitions.take() {
            let parts = partitions.finish(state)?;
            self.disk_bytes += bytes_of(&parts);
            self.parts.extend(parts.into_iter().filter(|part| part.blocks.rows() > 0));
        }
        let Some(part) = self.parts.pop() else { return Ok(false) };
        self.level = part.level;
        self.batches += 1;
        self.reader = Some(part.blocks.reader());
        Ok(true)
    }

    /// Parts begun so far, the input counted.
    pub(crate) fn batches(&self) -> u64 {
        self.batches + 1
    }

    /// Bytes written so far.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }
}
