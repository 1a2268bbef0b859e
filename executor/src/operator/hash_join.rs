//! Joins by equality of keys: the right side is built into a hash table, the left side probes it.

use super::simple::apply_predicates;
use super::{Operator, Rows};
use crate::context::{Grant, State};
use crate::eval::Eval;
use crate::hash::{Chains, equal, hash_rows, not_null_rows};
use crate::store::NO_ROW;
use damask_planner::physical::JoinKind;
use damask_types::{Batch, Error, Mask, Result, SqlState, TILE_ROWS, TypeId, Vector};

/// A hash join of any kind.
pub(crate) struct HashJoin {
    kind: JoinKind,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    left_keys: Vec<Eval>,
    right_keys: Vec<Eval>,
    null_safe: Vec<bool>,
    key_types: Vec<TypeId>,
    residual: Vec<Eval>,
    left_types: Vec<TypeId>,
    right_types: Vec<TypeId>,
    table: Option<Table>,
    probe: Option<Probe>,
    /// Right rows that are still to be given because no left row matched them.
    rest: Option<usize>,
    hashes: Vec<u64>,
}

/// The built side.
struct Table {
    rows: Rows,
    keys: Rows,
    chains: Chains,
    grant: Grant,
    /// Row of `rows` for each row of `keys` (rows with null keys are not among the keys).
    sources: Vec<u32>,
    /// Which rows have met a match (right and full joins).
    matched: Vec<bool>,
    /// Whether a right row had a null key.
    has_null: bool,
    /// If the join is [`HashJoin::compares_unknown`]: the keys of all rows, and the rows with a null key.
    all_keys: Rows,
    null_rows: Vec<u32>,
}

/// A left tile on its way through the table.
struct Probe {
    batch: Batch,
    keys: Vec<Vector>,
    hashes: Vec<u64>,
    /// Rows that can match at all.
    candidates: Vec<u32>,
    /// Where in `candidates` the search stands, and the cursor in its chain.
    at: usize,
    cursor: Option<u32>,
    /// Left rows that have a match.
    matched: Mask,
}

impl HashJoin {
    pub(crate) fn new(
        kind: JoinKind,
        left: Box<dyn Operator>,
        right: Box<dyn Operator>,
        left_keys: Vec<Eval>,
        right_keys: Vec<Eval>,
        null_safe: Vec<bool>,
        key_types: Vec<TypeId>,
        residual: Vec<Eval>,
        left_types: Vec<TypeId>,
        right_types: Vec<TypeId>,
    ) -> Self {
        Self {
            kind,
            left,
            right,
            left_keys,
            right_keys,
            null_safe,
            key_types,
            residual,
            left_types,
            right_types,
            table: None,
            probe: None,
            rest: None,
            hashes: vec![],
        }
    }

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

    fn build(&mut self, state: &mut State<'_>) -> Result<Table> {
        let keeps_unmatched = matches!(self.kind, JoinKind::Right | JoinKind::Full);
        let mut table = Table {
            rows: Rows::new(&self.right_types),
            keys: Rows::new(&self.key_types),
            chains: Chains::default(),
            grant: Grant::default(),
            sources: vec![],
            matched: vec![],
            has_null: false,
            all_keys: Rows::new(&self.key_types),
            null_rows: vec![],
        };
        while let Some(batch) = self.right.next(state)? {
            state.check()?;
            let batch = batch.compact();
            let active = batch.active();
            let keys = self
                .right_keys
                .iter()
                .map(|key| key.run(&batch, &active, state))
                .collect::<Result<Vec<_>>>()?;
            let usable = self.usable(&keys, &active);
            table.has_null |= usable != active;
            let base = table.rows.store.len() as u32;
            table.rows.append(&batch, state)?;
            if self.compares_unknown() {
                table.all_keys.append(&Batch::new(keys.clone(), batch.rows()), state)?;
                let nulls = active.and_not(&usable);
                table.null_rows.extend(nulls.iter().map(|row| base + row as u32));
            }
            hash_rows(&keys, batch.rows(), &mut self.hashes);
            for row in usable.iter() {
                table.chains.insert(self.hashes[row]);
                table.sources.push(base + row as u32);
            }
            let rows: Vec<u32> = usable.iter().map(|row| row as u32).collect();
            table.keys.store.append(&keys, &rows);
            table.keys.account(&state.run.memory)?;
            table.grant.grow(table.chains.bytes(), &state.run.memory)?;
        }
        if keeps_unmatched {
            table.matched = vec![false; table.rows.store.len()];
        }
        Ok(table)
    }

    fn begin(&mut self, batch: Batch, state: &mut State<'_>) -> Result<Probe> {
        let active = batch.active();
        let keys = self
            .left_keys
            .iter()
            .map(|key| key.run(&batch, &active, state))
            .collect::<Result<Vec<_>>>()?;
        let mut hashes = vec![];
        hash_rows(&keys, batch.rows(), &mut hashes);
        let candidates = self.usable(&keys, &active).iter().map(|row| row as u32).collect();
        Ok(Probe { batch, keys, hashes, candidates, at: 0, cursor: None, matched: Mask::NONE })
    }

    /// The next pairs of left row and right row with equal keys, at most a tile.
    fn pairs(&self, probe: &mut Probe, table: &Table) -> (Vec<u32>, Vec<u32>) {
        // One match settles a left row when nothing else is to be tested and the right row does not come out.
        let first_only = self.residual.is_empty()
            && matches!(
                self.kind,
                JoinKind::Semi | JoinKind::Anti | JoinKind::NullAwareAnti | JoinKind::Mark
            );
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

    /// Left columns at `left` beside right columns at `right`.
    fn combine(batch: &Batch, left: &[u32], table: &Table, right: &[u32]) -> Batch {
        let mut columns: Vec<Vector> =
            batch.columns.iter().map(|column| column.gather(left)).collect();
        columns.extend(table.rows.store.columns.iter().map(|column| column.gather(right)));
        Batch::new(columns, left.len())
    }

    /// What comes out for a left tile that is through.
    fn finish_probe(
        &self,
        probe: Probe,
        table: &Table,
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
                (!alone.is_empty()).then(|| Self::combine(&batch, &alone, table, &none))
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
                } else if table.rows.store.len() > 0 {
                    let known = self.usable(&keys, &active);
                    let kept = if table.has_null { Mask::NONE } else { known.and_not(&matched) };
                    batch.select(&kept);
                }
                Some(batch)
            }
            JoinKind::Mark => {
                let rows = batch.rows();
                let valid = if table.rows.store.len() == 0 {
                    Mask::first(rows)
                } else if let Some(unknown) = unknown {
                    Mask::first(rows).and_not(&unknown)
                } else if table.has_null {
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
    fn compares_unknown(&self) -> bool {
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
            let pairs = Self::combine(&probe.batch, &left, table, &right);
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

    /// Right rows without a match, for right and full joins.
    fn unmatched(&mut self) -> Option<Batch> {
        let table = self.table.as_ref()?;
        let at = self.rest.get_or_insert(0);
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
            self.left_types.iter().map(|&ty| Vector::nulls(ty, rows.len())).collect();
        columns.extend(table.rows.store.columns.iter().map(|column| column.gather(&rows)));
        Some(Batch::new(columns, rows.len()))
    }
}

impl Operator for HashJoin {
    fn next(&mut self, state: &mut State<'_>) -> Result<Option<Batch>> {
        if self.table.is_none() {
            self.table = Some(self.build(state)?);
        }
        if self.rest.is_some() {
            return Ok(self.unmatched());
        }
        loop {
            state.check()?;
            let Some(mut probe) = self.probe.take() else {
                // Without a right row an inner or semi join has no row either.
                let is_empty = self.table.as_ref().is_some_and(|table| table.rows.store.len() == 0);
                if is_empty
                    && matches!(self.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Right)
                {
                    return Ok(None);
                }
                match self.left.next(state)? {
                    Some(batch) => {
                        let probe = self.begin(batch, state)?;
                        self.probe = Some(probe);
                        continue;
                    }
                    None if matches!(self.kind, JoinKind::Right | JoinKind::Full) => {
                        return Ok(self.unmatched());
                    }
                    None => return Ok(None),
                }
            };
            let mut table = self.table.take().expect("the table was built above");
            let result = self.step(&mut probe, &mut table, state);
            let is_through = probe.at == probe.candidates.len();
            let out = match result? {
                Some(batch) => {
                    self.probe = Some(probe);
                    Some(batch)
                }
                None if is_through => self.finish_probe(probe, &table, state)?,
                None => {
                    self.probe = Some(probe);
                    None
                }
            };
            self.table = Some(table);
            if let Some(batch) = out
                && batch.selected_count() > 0
            {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) {
        (self.table, self.probe, self.rest) = (None, None, None);
        self.left.rewind();
        self.right.rewind();
    }
}

impl HashJoin {
    /// Takes the next pairs of a probe: gives them if they come out, or only notes them.
    fn step(
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
            let mut batch = Self::combine(&probe.batch, &left, table, &right);
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
}
