//! Left rows on their way through a table.

use super::Shape;
use super::table::{Facts, Keyed, Table};
use crate::context::State;
use crate::hash::equal;
use crate::operator::simple::apply_predicates;
use crate::store::NO_ROW;
use damask_planner::physical::JoinKind;
use damask_types::{Batch, Error, Mask, Result, SqlState, TILE_ROWS, Vector};

/// A left tile on its way.
pub(super) struct Probe {
    batch: Batch,
    keys: Vec<Vector>,
    hashes: Vec<u64>,
    /// Rows that can match at all.
    candidates: Vec<u32>,
    /// Where in `candidates` the search stands, and the cursor in its chain.
    at: usize,
    cursor: Option<u32>,
    /// Left rows that have a match.
    pub(super) matched: Mask,
}

impl Probe {
    /// A tile of which the rows `matched` have met a match in another part of the right side.
    pub(super) fn new(left: Keyed, matched: Mask, shape: &Shape) -> Self {
        let Keyed { batch, keys, hashes, usable } = left;
        let open = if shape.stops_at_first() { usable.and_not(&matched) } else { usable };
        let candidates = open.iter().map(|row| row as u32).collect();
        Self { batch, keys, hashes, candidates, at: 0, cursor: None, matched }
    }

    pub(super) fn is_through(&self) -> bool {
        self.at == self.candidates.len()
    }
}

impl Shape {
    /// Whether one match settles a left row, whatever else there is.
    fn stops_at_first(&self) -> bool {
        matches!(
            self.kind,
            JoinKind::Semi | JoinKind::Anti | JoinKind::NullAwareAnti | JoinKind::Mark
        )
    }

    /// The next pairs of left row and right row with equal keys, at most a tile.
    fn pairs(&self, probe: &mut Probe, table: &Table) -> (Vec<u32>, Vec<u32>) {
        // A right row that does not come out and meets no further test need not be looked for twice.
        let first_only = self.residual.is_empty() && self.stops_at_first();
        let (mut left, mut right) = (vec![], vec![]);
        while left.len() < TILE_ROWS
            && let Some(&row) = probe.candidates.get(probe.at)
        {
            let hash = probe.hashes[row as usize];
            let mut cursor = probe.cursor.take().unwrap_or_else(|| table.chains.first(hash));
            let mut is_through = true;
            while let Some((entry, next)) = table.chains.follow(cursor, hash) {
                cursor = next;
                let columns = &table.keys.store.columns;
                if columns
                    .iter()
                    .zip(&probe.keys)
                    .all(|(column, key)| equal(column, entry, key, row as usize))
                {
                    left.push(row);
                    right.push(table.sources[entry]);
                    if first_only {
                        break;
                    }
                    if left.len() == TILE_ROWS {
                        probe.cursor = Some(cursor);
                        is_through = false;
                        break;
                    }
                }
            }
            if is_through {
                probe.at += 1;
            }
        }
        (left, right)
    }

    /// Takes the next pairs of a probe: gives them if they come out, or only notes them.
    pub(super) fn step(
        &self,
        probe: &mut Probe,
        table: &mut Table,
        state: &mut State<'_>,
    ) -> Result<Option<Batch>> {
        let (left, right) = self.pairs(probe, table);
        if left.is_empty() {
            return Ok(None);
        }
        let gives_pairs = matches!(
            self.kind,
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full | JoinKind::Single
        );
        let mut pairs = None;
        let mut kept = Mask::first(left.len());
        if gives_pairs || !self.residual.is_empty() {
            let mut batch = combine(&probe.batch, &left, table, &right);
            apply_predicates(&self.residual, &mut batch, state)?;
            kept = batch.active();
            pairs = Some(batch);
        }
        for pair in kept.iter() {
            let row = left[pair] as usize;
            if self.kind == JoinKind::Single && probe.matched.get(row) {
                return Err(Error::new(
                    SqlState::CARDINALITY_VIOLATION,
                    "more than one row returned by a subquery used as an expression",
                ));
            }
            probe.matched.set(row, true);
            if !table.matched.is_empty() {
                table.matched[right[pair] as usize] = true;
            }
        }
        Ok(pairs.filter(|_| gives_pairs))
    }

    /// What comes out for a left tile that has been through the whole right side that its keys may meet.
    pub(super) fn finish_probe(
        &self,
        probe: Probe,
        table: &Table,
        facts: Facts,
        state: &mut State<'_>,
    ) -> Result<Option<Batch>> {
        let unknown =
            if self.compares_unknown() { Some(self.unknown(&probe, table, state)?) } else { None };
        let Probe { mut batch, keys, matched, .. } = probe;
        let active = batch.active();
        Ok(match self.kind {
            JoinKind::Inner | JoinKind::Right => None,
            JoinKind::Left | JoinKind::Full | JoinKind::Single => {
                let alone: Vec<u32> =
                    active.and_not(&matched).iter().map(|row| row as u32).collect();
                let none = vec![NO_ROW; alone.len()];
                (!alone.is_empty()).then(|| combine(&batch, &alone, table, &none))
            }
            JoinKind::Semi => {
                batch.select(&matched);
                Some(batch)
            }
            JoinKind::Anti => {
                batch.select(&active.and_not(&matched));
                Some(batch)
            }
            JoinKind::NullAwareAnti => {
                // NOT IN over no rows holds for every row; over a null it holds for none.
                if let Some(unknown) = unknown {
                    batch.select(&active.and_not(&matched).and_not(&unknown));
                } else if facts.rows > 0 {
                    let known = self.usable(&keys, &active);
                    let kept = if facts.has_null { Mask::NONE } else { known.and_not(&matched) };
                    batch.select(&kept);
                }
                Some(batch)
            }
            JoinKind::Mark => {
                let rows = batch.rows();
                let valid = if facts.rows == 0 {
                    Mask::first(rows)
                } else if let Some(unknown) = unknown {
                    Mask::first(rows).and_not(&unknown)
                } else if facts.has_null {
                    matched
                } else {
                    self.usable(&keys, &Mask::first(rows)).or(&matched)
                };
                let valid = (valid != Mask::first(rows)).then_some(valid);
                batch.columns.push(Vector::bools(rows, matched, valid));
                Some(batch)
            }
        })
    }

    /// Whether it takes more than "is there a null" to tell no match from an unknown one: one null of a row comparison may be
    /// outweighed by another column that differs, and a row that the residual rejects does not count at all.
    pub(super) fn compares_unknown(&self) -> bool {
        matches!(self.kind, JoinKind::Mark | JoinKind::NullAwareAnti)
            && (self.left_keys.len() > 1 || !self.residual.is_empty())
    }

    /// Left rows without a match for which the condition is unknown with some right row.
    fn unknown(&self, probe: &Probe, table: &Table, state: &mut State<'_>) -> Result<Mask> {
        let open = probe.batch.active().and_not(&probe.matched);
        let comparable = self.usable(&probe.keys, &open);
        let mut unknown = Mask::NONE;
        for row in open.iter() {
            state.check()?;
            let is_unknown = if comparable.get(row) {
                // Besides rows with nulls only those with equal keys can be; the residual decides.
                let mut candidates = table.null_rows.clone();
                if !self.residual.is_empty() {
                    let hash = probe.hashes[row];
                    let mut cursor = table.chains.first(hash);
                    while let Some((entry, next)) = table.chains.follow(cursor, hash) {
                        candidates.push(table.sources[entry]);
                        cursor = next;
                    }
                }
                self.is_unknown(probe, row, table, candidates.into_iter(), state)?
            } else {
                let all = 0..table.rows.store.len() as u32;
                self.is_unknown(probe, row, table, all, state)?
            };
            unknown.set(row, is_unknown);
        }
        Ok(unknown)
    }

    /// Whether the condition of an unmatched left row is not false with one of these right rows.
    fn is_unknown(
        &self,
        probe: &Probe,
        row: usize,
        table: &Table,
        candidates: impl Iterator<Item = u32>,
        state: &mut State<'_>,
    ) -> Result<bool> {
        let keys = &table.all_keys.store.columns;
        let may_match = |at: &u32| {
            keys.iter().zip(&probe.keys).zip(&self.null_safe).all(|((column, key), null_safe)| {
                let has_null = column.is_null(*at as usize) || key.is_null(row);
                !null_safe && has_null || equal(column, *at as usize, key, row)
            })
        };
        let mut candidates = candidates.filter(may_match);
        loop {
            let right: Vec<u32> = candidates.by_ref().take(TILE_ROWS).collect();
            if right.is_empty() || self.residual.is_empty() {
                return Ok(!right.is_empty());
            }
            state.check()?;
            let left = vec![row as u32; right.len()];
            let pairs = combine(&probe.batch, &left, table, &right);
            let mut open = pairs.active();
            for predicate in &self.residual {
                if open.is_empty() {
                    break;
                }
                let value = predicate.run(&pairs, &open, state)?;
                open = open.and_not(&value.valid_rows().and_not(&value.true_rows()));
            }
            if !open.is_empty() {
                return Ok(true);
            }
        }
    }
}

/// Left columns at `left` beside right columns at `right`.
fn combine(batch: &Batch, left: &[u32], table: &Table, right: &[u32]) -> Batch {
    let mut columns: Vec<Vector> = batch.columns.iter().map(|column| column.gather(left)).collect();
    columns.extend(table.rows.store.columns.iter().map(|column| column.gather(right)));
    Batch::new(columns, left.len())
}
