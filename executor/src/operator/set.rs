//! UNION ALL, INTERSECT, EXCEPT, and rows that several operators read.

use super::Operator;
use super::groups::Groups;
use crate::build::build;
use crate::context::State;
use crate::execution::NodeNote;
use crate::spill::BlockReader;
use crate::spill::partition::{LEVELS, Part, Partitions, bytes_of};
use crate::spill::spool::{Spool, SpoolPlace};
use damask_planner::physical::{PlanId, SetKind};
use damask_types::{Batch, Mask, Result, TypeId};
use std::sync::Arc;

/// The rows of each input in turn.
pub(crate) struct Append {
    inputs: Vec<Box<dyn Operator>>,
    at: usize,
}

impl Append {
    pub(crate) fn new(inputs: Vec<Box<dyn Operator>>) -> Self {
        Self { inputs, at: 0 }
    }
}

impl Operator for Append {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        while let Some(input) = self.inputs.get_mut(self.at) {
            state.check()?;
            if let Some(batch) = input.next(state)? {
                return Ok(Some(batch));
            }
            self.at += 1;
        }
        Ok(None)
    }

    fn rewind(&mut self) {
        self.at = 0;
        for input in &mut self.inputs {
            input.rewind();
        }
    }
}

/// INTERSECT and EXCEPT, nulls equal: the right side is counted by row, the left side is held against it.
///
/// A table that has grown too large is frozen ([`super::groups`]): rows of either side that it does not have are put aside by hash, and each
/// pair of parts is worked on like a pair of inputs.
pub(crate) struct SetOperation {
    kind: SetKind,
    all: bool,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    types: Arc<[TypeId]>,
    /// The rows met, and how many of each the right side still has to offer.
    table: Option<(Groups, Vec<u64>)>,
    /// Without ALL: which rows were given.
    given: Vec<bool>,
    left_postponed: Option<Partitions>,
    right_postponed: Option<Partitions>,
    /// Parts that wait: right and left.
    parts: Vec<(Option<Part>, Part)>,
    /// The parts at hand, right and left, and the next level; none while the inputs are read.
    readers: Option<(Option<BlockReader>, BlockReader)>,
    level: u32,
    note: NodeNote,
}

impl SetOperation {
    pub(crate) fn new(
        kind: SetKind,
        all: bool,
        left: Box<dyn Operator>,
        right: Box<dyn Operator>,
        types: Vec<TypeId>,
    ) -> Self {
        Self {
            kind,
            all,
            left,
            right,
            types: types.into(),
            table: None,
            given: vec![],
            left_postponed: None,
            right_postponed: None,
            parts: vec![],
            readers: None,
            level: 0,
            note: NodeNote::default(),
        }
    }

    fn next_right(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        state.check()?;
        match &mut self.readers {
            Some((Some(right), _)) => right.next(),
            Some((None, _)) => Ok(None),
            None => self.right.next(state),
        }
    }

    fn next_left(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        state.check()?;
        match &mut self.readers {
            Some((_, left)) => left.next(),
            None => self.left.next(state),
        }
    }

    fn build(&mut self, state: &mut State<'_>) -> Result<(Groups, Vec<u64>)> {
        let mut groups = Groups::new(&self.types);
        let mut counts = vec![];
        let (mut numbers, mut fresh) = (vec![], vec![]);
        while let Some(batch) = self.next_right(state)? {
            let active = batch.active();
            groups.find(&batch.columns, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
            counts.resize(groups.len(), 0);
            postpone(&mut self.right_postponed, &groups, &batch, &self.types, self.level, state)?;
            for row in active.and_not(&groups.missing_mask()).iter() {
                counts[numbers[row] as usize] += 1;
            }
            self.bound(&mut groups, state);
        }
        Ok((groups, counts))
    }

    fn bound(&mut self, groups: &mut Groups, state: &State<'_>) {
        let bytes = groups.bytes() + groups.len() * 9;
        self.note.hashed(1, groups.buckets(), bytes, 0);
        if state.should_spill(bytes, state.ctx.hash_mem_bytes) {
            groups.freeze();
        }
    }

    /// Whether a left row of this group comes out.
    fn takes(&mut self, group: usize, counts: &mut [u64]) -> bool {
        let on_right = counts[group] > 0;
        if self.all {
            counts[group] = counts[group].saturating_sub(1);
            return on_right == (self.kind == SetKind::Intersect);
        }
        on_right == (self.kind == SetKind::Intersect)
            && !std::mem::replace(&mut self.given[group], true)
    }

    /// Turns to the next pair of parts; `false` if there is none.
    fn next_part(&mut self, state: &State<'_>) -> Result<bool> {
        let (left, right) = (self.left_postponed.take(), self.right_postponed.take());
        let right = right.map(|partitions| partitions.finish(state)).transpose()?;
        let mut disk_bytes = right.as_ref().map_or(0, |parts| bytes_of(parts));
        let mut right = right.map(Vec::into_iter);
        if let Some(left) = left {
            let left = left.finish(state)?;
            disk_bytes += bytes_of(&left);
            for part in left {
                let right = right.as_mut().and_then(Iterator::next);
                // Only left rows come out.
                if part.blocks.rows() > 0 {
                    self.parts.push((right, part));
                }
            }
        }
        let Some((right, left)) = self.parts.pop() else { return Ok(false) };
        self.level = left.level;
        self.readers = Some((right.map(|part| part.blocks.reader()), left.blocks.reader()));
        self.given.clear();
        self.note.hashed(self.note.batches + 1, 0, 0, disk_bytes);
        Ok(true)
    }
}

/// Puts the rows of a tile aside that a frozen table left out.
fn postpone(
    partitions: &mut Option<Partitions>,
    groups: &Groups,
    batch: &Batch,
    types: &Arc<[TypeId]>,
    level: u32,
    state: &State<'_>,
) -> Result<()> {
    if groups.missing().is_empty() {
        return Ok(());
    }
    let partitions = match partitions {
        Some(partitions) => partitions,
        None => partitions.insert(Partitions::new(level.min(LEVELS - 1), types, state)?),
    };
    let rows = groups.missing().iter().map(|&row| row as usize);
    partitions.push(&batch.columns, rows, groups.hashes(), state)
}

impl Operator for SetOperation {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        let (mut groups, mut counts) = match self.table.take() {
            Some(table) => table,
            None => self.build(state)?,
        };
        let (mut numbers, mut fresh) = (vec![], vec![]);
        let result = loop {
            let Some(mut batch) = self.next_left(state)? else {
                if !self.next_part(state)? {
                    break None;
                }
                drop((groups, counts));
                (groups, counts) = self.build(state)?;
                continue;
            };
            let active = batch.active();
            groups.find(&batch.columns, batch.rows(), &active, &mut numbers, &mut fresh, state)?;
            counts.resize(groups.len(), 0);
            self.given.resize(groups.len(), false);
            postpone(&mut self.left_postponed, &groups, &batch, &self.types, self.level, state)?;
            let mut kept = Mask::NONE;
            for row in active.and_not(&groups.missing_mask()).iter() {
                if self.takes(numbers[row] as usize, &mut counts) {
                    kept.set(row, true);
                }
            }
            batch.select(&kept);
            self.bound(&mut groups, state);
            if batch.selected_count() > 0 {
                break Some(batch);
            }
        };
        self.table = Some((groups, counts));
        Ok(result)
    }

    fn rewind(&mut self) {
        (self.table, self.readers, self.level) = (None, None, 0);
        (self.left_postponed, self.right_postponed) = (None, None);
        self.parts.clear();
        self.given.clear();
        self.left.rewind();
        self.right.rewind();
    }

    fn note(&self) -> NodeNote {
        self.note
    }
}

/// Rows computed once for all that read them.
pub(crate) struct Shared {
    source: PlanId,
    types: Vec<TypeId>,
    rows: Option<Arc<Spool>>,
    place: SpoolPlace,
}

impl Shared {
    pub(crate) fn new(source: PlanId, types: Vec<TypeId>) -> Self {
        Self { source, types, rows: None, place: SpoolPlace::default() }
    }

    fn rows(&self, state: &mut State<'_>) -> Result<Arc<Spool>> {
        if let Some(rows) = state.run.shared.get(&self.source) {
            return Ok(Arc::clone(rows));
        }
        let plan = Arc::clone(&state.run.plan);
        let mut operator = build(&plan, self.source, state)?;
        let rows = Arc::new(Spool::fill(&self.types, &mut *operator, state)?);
        state.run.shared.insert(self.source, Arc::clone(&rows));
        Ok(rows)
    }
}

impl Operator for Shared {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        state.check()?;
        if self.rows.is_none() {
            self.rows = Some(self.rows(state)?);
        }
        let Some(rows) = &self.rows else { return Ok(None) };
        Ok(rows.read(&mut self.place)?.map(|(batch, _)| batch))
    }

    fn rewind(&mut self) {
        self.place.restart();
    }
}
