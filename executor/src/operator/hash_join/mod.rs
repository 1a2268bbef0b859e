//! Joins by equality of keys: the right side is built into a hash table, the left side probes it.
//!
//! When the table has grown too large, both sides are divided by the hash of their keys (hybrid hash join). Some of the sixteen parts stay in
//! the table, first half of them and fewer each time it is too large again; rows of the others go to temporary files, left rows as they
//! come. Left rows whose part is in the table, and those that can match nothing, are answered at once; then each pair of parts is joined
//! like a pair of inputs.
//!
//! ```text
//! right ──> part < resident ──> table <── part < resident <── left
//!           part >= resident ─> file  ... file <─ part >= resident   (then pair by pair)
//! ```
//!
//! A part that is too large is divided again by further bits. If that does not help, as it cannot when one key has too many rows, the table
//! holds as much of the part's right side as fits, all its left rows pass, and so on with the rest; which left rows have met a match is
//! carried from round to round, and what depends on having met none comes out in the last.
//!
//! Left out: joins that compare nulls of several columns ([`Shape::compares_unknown`]) are not divided and must fit in memory.

mod probe;
mod table;

use super::Operator;
use crate::context::{Grant, State};
use crate::eval::Eval;
use crate::execution::NodeNote;
use crate::hash::not_null_rows;
use crate::spill::partition::{LEVELS, PARTITIONS, Part, Partitions, bytes_of, partition};
use crate::spill::{BlockReader, Blocks};
use damask_planner::physical::JoinKind;
use damask_types::{Batch, Mask, Result, TILE_ROWS, TypeId, Vector};
use probe::Probe;
use std::sync::Arc;
use table::{Facts, Keyed, Table};

/// Bytes below which a part is not divided again.
const DIVIDED_BYTES_MIN: u64 = 1 << 10;

/// What the join is.
pub(crate) struct Shape {
    pub(crate) kind: JoinKind,
    pub(crate) left_keys: Vec<Eval>,
    pub(crate) right_keys: Vec<Eval>,
    /// Of each key, whether nulls are equal.
    pub(crate) null_safe: Vec<bool>,
    pub(crate) key_types: Vec<TypeId>,
    pub(crate) residual: Vec<Eval>,
    pub(crate) left_types: Arc<[TypeId]>,
    pub(crate) right_types: Arc<[TypeId]>,
}

impl Shape {
    /// Rows whose keys can be equal to something: not null, or compared null-safely.
    fn usable(&self, keys: &[Vector], active: &Mask) -> Mask {
        let mut mask = *active;
        for (key, &null_safe) in keys.iter().zip(&self.null_safe) {
            if !null_safe {
                mask = not_null_rows(std::slice::from_ref(key), &mask);
            }
        }
        mask
    }
}

/// A hash join of any kind.
pub(crate) struct HashJoin {
    shape: Shape,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    table: Option<Table>,
    facts: Facts,
    probe: Option<Probe>,
    /// Right rows of the table are being given because no left row matched them; the next to look at.
    rest: Option<usize>,
    /// While the inputs are read: how they are divided, if they are.
    division: Option<Division>,
    /// Pairs of parts that wait.
    pairs: Vec<Pair>,
    /// The pair that is being joined; none while the inputs are.
    current: Option<Current>,
    is_done: bool,
    note: NodeNote,
}

/// A division of both inputs.
struct Division {
    /// Parts below this are in the table.
    resident: usize,
    right: Option<Partitions>,
    /// When the right side is read: which of its parts have rows.
    right_parts: Vec<Part>,
    left: Option<Partitions>,
}

/// Rows of both sides whose keys may meet.
struct Pair {
    right: Part,
    left: Part,
    /// Whether dividing it further may help.
    is_divisible: bool,
}

/// A pair being joined, a tableful of right rows after the other.
struct Current {
    right: BlockReader,
    left: BlockReader,
    /// The left tile at hand.
    tile: usize,
    /// The left rows that have met a match in the rounds before, by tile.
    carried: Vec<Mask>,
    grant: Grant,
}

impl HashJoin {
    pub(crate) fn new(shape: Shape, left: Box<dyn Operator>, right: Box<dyn Operator>) -> Self {
        Self {
            shape,
            left,
            right,
            table: None,
            facts: Facts::default(),
            probe: None,
            rest: None,
            division: None,
            pairs: vec![],
            current: None,
            is_done: false,
            note: NodeNote::default(),
        }
    }

    /// Reads the right input.
    fn build(&mut self, state: &mut State<'_>) -> Result<()> {
        let mut table = Table::new(&self.shape);
        while let Some(batch) = self.right.next(state)? {
            state.check()?;
            let active = batch.active();
            let mut keyed = Keyed::new(batch, &self.shape.right_keys, &self.shape, state)?;
            self.facts.rows += active.count() as u64;
            self.facts.has_null |= keyed.usable != active;
            if let Some(division) = &mut self.division {
                division.take_right(&mut keyed, state)?;
            }
            table.insert(&keyed, &self.shape, state)?;
            if state.should_spill(table.bytes(), state.ctx.hash_mem_bytes)
                && !self.shape.compares_unknown()
            {
                table = self.divide_table(table, state)?;
            }
            self.note.hashed(1, table.chains.buckets(), table.bytes(), 0);
        }
        if let Some(division) = &mut self.division
            && let Some(right) = division.right.take()
        {
            division.right_parts = right.finish(state)?;
            self.note.disk_bytes = bytes_of(&division.right_parts);
        }
        self.table = Some(table);
        Ok(())
    }

    /// Puts about half of a table's rows aside.
    fn divide_table(&mut self, table: Table, state: &mut State<'_>) -> Result<Table> {
        if self.division.is_none() {
            let right = Some(Partitions::new(0, &self.shape.right_types, state)?);
            let (resident, right_parts, left) = (PARTITIONS, vec![], None);
            self.division = Some(Division { resident, right, right_parts, left });
        }
        let Some(division) = &mut self.division else { return Ok(table) };
        if division.resident == 0 {
            return Ok(table);
        }
        division.resident /= 2;
        let mut kept = Table::new(&self.shape);
        for from in (0..table.rows.store.len()).step_by(TILE_ROWS) {
            state.check()?;
            let batch = table.rows.store.tile(from);
            let mut keyed = Keyed::new(batch, &self.shape.right_keys, &self.shape, state)?;
            division.take_right(&mut keyed, state)?;
            kept.insert(&keyed, &self.shape, state)?;
        }
        Ok(kept)
    }

    /// The next left rows: of the input those that the table answers, or of the pair at hand.
    fn next_left(&mut self, state: &mut State<'_>) -> Result<Option<Probe>> {
        if let Some(current) = &mut self.current {
            let Some(batch) = current.left.next()? else { return Ok(None) };
            let carried = current.carried.get(current.tile).copied().unwrap_or(Mask::NONE);
            let keyed = Keyed::new(batch, &self.shape.left_keys, &self.shape, state)?;
            return Ok(Some(Probe::new(keyed, carried, &self.shape)));
        }
        let Some(batch) = self.left.next(state)? else { return Ok(None) };
        let mut keyed = Keyed::new(batch, &self.shape.left_keys, &self.shape, state)?;
        if let Some(division) = &mut self.division {
            division.take_left(&mut keyed, &self.shape, state)?;
        }
        Ok(Some(Probe::new(keyed, Mask::NONE, &self.shape)))
    }

    /// Whether the table holds the last right rows that the left rows at hand may meet.
    fn is_last_round(&self) -> bool {
        self.current.as_ref().is_none_or(|current| !current.right.has_more())
    }

    /// Carries the matches of a left tile into the next round.
    fn carry(&mut self, matched: Mask, state: &State<'_>) -> Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        match current.carried.get_mut(current.tile) {
            Some(carried) => *carried = matched,
            None => current.carried.push(matched),
        }
        let bytes = current.carried.len() * size_of::<Mask>();
        current.grant.grow(bytes, &state.run.memory)
    }

    /// Fills the table with the next right rows: of the pair at hand, or of the next one. `false` when all are joined.
    fn next_table(&mut self, state: &mut State<'_>) -> Result<bool> {
        self.table = None;
        if let Some(division) = self.division.take() {
            self.end_division(division, state)?;
        }
        loop {
            state.check()?;
            if let Some(mut current) = self.current.take()
                && current.right.has_more()
            {
                current.left.restart();
                current.tile = 0;
                self.current = Some(current);
                self.fill_table(state)?;
                return Ok(true);
            }
            let Some(pair) = self.pairs.pop() else { return Ok(false) };
            if pair.is_to_be_divided(state) {
                self.divide_pair(pair, state)?;
                continue;
            }
            self.note.batches += 1;
            self.current = Some(Current {
                right: pair.right.blocks.reader(),
                left: pair.left.blocks.reader(),
                tile: 0,
                carried: vec![],
                grant: Grant::default(),
            });
            self.fill_table(state)?;
            return Ok(true);
        }
    }

    fn fill_table(&mut self, state: &mut State<'_>) -> Result<()> {
        let mut table = Table::new(&self.shape);
        if let Some(current) = &mut self.current {
            while let Some(batch) = current.right.next()? {
                state.check()?;
                let keyed = Keyed::new(batch, &self.shape.right_keys, &self.shape, state)?;
                table.insert(&keyed, &self.shape, state)?;
                if state.should_spill(table.bytes(), state.ctx.hash_mem_bytes) {
                    break;
                }
            }
        }
        self.note.hashed(0, table.chains.buckets(), table.bytes(), 0);
        self.table = Some(table);
        Ok(())
    }

    /// Both inputs are read: their parts become pairs.
    fn end_division(&mut self, mut division: Division, state: &State<'_>) -> Result<()> {
        let left = match division.left.take() {
            Some(left) => left,
            None => Partitions::new(0, &self.shape.left_types, state)?,
        };
        let left = left.finish(state)?;
        self.note.disk_bytes += bytes_of(&left);
        let pairs = division.right_parts.into_iter().zip(left);
        self.add_pairs(pairs.map(|(right, left)| Pair { right, left, is_divisible: true }));
        Ok(())
    }

    /// Adds the pairs of which something may come out.
    fn add_pairs(&mut self, pairs: impl Iterator<Item = Pair>) {
        let keeps_right = self.shape.keeps_unmatched_right();
        self.pairs.extend(pairs.filter(|pair| {
            pair.left.blocks.rows() > 0 || keeps_right && pair.right.blocks.rows() > 0
        }));
    }

    fn divide_pair(&mut self, pair: Pair, state: &mut State<'_>) -> Result<()> {
        let rows = pair.right.blocks.rows();
        let level = pair.right.level;
        let right = self.divide_part(pair.right.blocks, level, true, state)?;
        let left = self.divide_part(pair.left.blocks, level, false, state)?;
        self.add_pairs(right.into_iter().zip(left).map(|(right, left)| {
            // A part that has nearly all rows has one key with too many of them.
            let is_divisible = right.blocks.rows() < rows - rows / 10;
            Pair { right, left, is_divisible }
        }));
        Ok(())
    }

    fn divide_part(
        &mut self,
        blocks: Blocks,
        level: u32,
        is_right: bool,
        state: &mut State<'_>,
    ) -> Result<Vec<Part>> {
        let (keys, types) = if is_right {
            (&self.shape.right_keys, &self.shape.right_types)
        } else {
            (&self.shape.left_keys, &self.shape.left_types)
        };
        let mut partitions = Partitions::new(level, types, state)?;
        let mut reader = blocks.reader();
        while let Some(batch) = reader.next()? {
            state.check()?;
            let keyed = Keyed::new(batch, keys, &self.shape, state)?;
            let rows = keyed.batch.active();
            partitions.push(&keyed.batch.columns, rows.iter(), &keyed.hashes, state)?;
        }
        let parts = partitions.finish(state)?;
        self.note.disk_bytes += bytes_of(&parts);
        Ok(parts)
    }

    /// Right rows of the table without a match, for right and full joins.
    fn unmatched(&mut self) -> Option<Batch> {
        let (table, at) = (self.table.as_ref()?, self.rest.as_mut()?);
        let mut rows = vec![];
        while rows.len() < TILE_ROWS && *at < table.matched.len() {
            if !table.matched[*at] {
                rows.push(*at as u32);
            }
            *at += 1;
        }
        if rows.is_empty() {
            return None;
        }
        let mut columns: Vec<Vector> =
            self.shape.left_types.iter().map(|&ty| Vector::nulls(ty, rows.len())).collect();
        columns.extend(table.rows.store.columns.iter().map(|column| column.gather(&rows)));
        Some(Batch::new(columns, rows.len()))
    }

    /// Takes a probe one step further; what comes out of it.
    fn step(&mut self, mut probe: Probe, state: &mut State<'_>) -> Result<Option<Batch>> {
        let mut table = self.table.take().expect("rows are probed against a table");
        let result = self.shape.step(&mut probe, &mut table, state);
        let out = match result? {
            None if probe.is_through() && self.is_last_round() => {
                let out = self.shape.finish_probe(probe, &table, self.facts, state)?;
                self.end_tile();
                out
            }
            None if probe.is_through() => {
                self.carry(probe.matched, state)?;
                self.end_tile();
                None
            }
            out => {
                self.probe = Some(probe);
                out
            }
        };
        self.table = Some(table);
        Ok(out)
    }

    fn end_tile(&mut self) {
        if let Some(current) = &mut self.current {
            current.tile += 1;
        }
    }

    fn reset(&mut self) {
        (self.table, self.probe, self.rest) = (None, None, None);
        (self.division, self.current, self.is_done) = (None, None, false);
        self.facts = Facts::default();
        self.pairs.clear();
    }
}

impl Pair {
    fn is_to_be_divided(&self, state: &State<'_>) -> bool {
        let limit = state.ctx.hash_mem_bytes as u64;
        self.is_divisible
            && self.right.level < LEVELS
            && self.right.blocks.bytes() > limit.max(DIVIDED_BYTES_MIN)
    }
}

impl Division {
    /// Puts right rows aside whose part is not in the table.
    fn take_right(&mut self, keyed: &mut Keyed, state: &State<'_>) -> Result<()> {
        let Some(partitions) = &mut self.right else { return Ok(()) };
        let active = keyed.batch.active();
        let mut aside = Mask::NONE;
        for row in active.iter() {
            aside.set(row, partition(keyed.hashes[row], 0) >= self.resident);
        }
        partitions.push(&keyed.batch.columns, aside.iter(), &keyed.hashes, state)?;
        keyed.batch.select(&active.and_not(&aside));
        Ok(())
    }

    /// Puts left rows aside that may match right rows which are not in the table.
    fn take_left(&mut self, keyed: &mut Keyed, shape: &Shape, state: &State<'_>) -> Result<()> {
        let mut aside = Mask::NONE;
        for row in keyed.usable.iter() {
            let part = partition(keyed.hashes[row], 0);
            aside.set(row, part >= self.resident && self.right_parts[part].blocks.rows() > 0);
        }
        if aside.is_empty() {
            return Ok(());
        }
        let partitions = match &mut self.left {
            Some(partitions) => partitions,
            None => self.left.insert(Partitions::new(0, &shape.left_types, state)?),
        };
        partitions.push(&keyed.batch.columns, aside.iter(), &keyed.hashes, state)?;
        keyed.batch.select(&keyed.batch.active().and_not(&aside));
        keyed.usable = keyed.usable.and_not(&aside);
        Ok(())
    }
}

impl Operator for HashJoin {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.is_done {
            return Ok(None);
        }
        if self.table.is_none() {
            self.build(state)?;
        }
        // Without a right row an inner or semi join has no row either.
        let gives_nothing =
            matches!(self.shape.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Right);
        while !(self.facts.rows == 0 && gives_nothing) {
            state.check()?;
            let probe = match self.probe.take() {
                Some(probe) => Some(probe),
                None if self.rest.is_some() => None,
                None => self.next_left(state)?,
            };
            if let Some(probe) = probe {
                if let Some(batch) = self.step(probe, state)?
                    && batch.selected_count() > 0
                {
                    return Ok(Some(batch));
                }
                continue;
            }
            if self.shape.keeps_unmatched_right() {
                self.rest.get_or_insert(0);
                if let Some(batch) = self.unmatched() {
                    return Ok(Some(batch));
                }
                self.rest = None;
            }
            if !self.next_table(state)? {
                break;
            }
        }
        self.is_done = true;
        Ok(None)
    }

    fn rewind(&mut self) {
        self.reset();
        self.left.rewind();
        self.right.rewind();
    }

    fn note(&self) -> NodeNote {
        self.note
    }
}
