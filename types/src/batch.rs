//! The unit that operators exchange: columns of one tile and the rows of it that count.

use crate::{Mask, Vector};

/// At most [`crate::TILE_ROWS`] rows in columns, with a selection.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The columns, each of `rows` rows.
    pub columns: Vec<Vector>,
    rows: usize,
    /// The rows that count; `None` when all do.
    pub selection: Option<Mask>,
}

impl Batch {
    /// A batch in which every row counts.
    pub fn new(columns: Vec<Vector>, rows: usize) -> Self {
        debug_assert!(
            columns.iter().all(|column| column.rows() == rows),
            "columns have the batch's rows"
        );
        Self { columns, rows, selection: None }
    }

    /// Rows, those that do not count included.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows that count.
    #[inline]
    pub fn active(&self) -> Mask {
        self.selection.unwrap_or_else(|| Mask::first(self.rows))
    }

    /// How many rows count.
    pub fn selected_count(&self) -> usize {
        self.selection.as_ref().map_or(self.rows, Mask::count)
    }

    /// Narrows the selection to rows that are also in `mask`.
    pub fn select(&mut self, mask: &Mask) {
        let active = self.active().and(mask);
        self.selection = (active != Mask::first(self.rows)).then_some(active);
    }

    /// The same rows without those that do not count.
    pub fn compact(self) -> Self {
        let Some(mask) = self.selection else {
            return self;
        };
        let rows: Vec<u32> = mask.iter().map(|i| i as u32).collect();
        let columns = self.columns.iter().map(|column| column.gather(&rows)).collect();
        Self { columns, rows: rows.len(), selection: None }
    }
}
