//! The logical algebra: what a statement means, before how.
//!
//! A tree of operators whose columns are global ids. Binding makes it, [`crate::rewrite`] improves it, [`crate::lower`] turns it into a
//! [`crate::physical::Plan`]. A column keeps its id through every operator that passes it on, so expressions can move up and down
//! without being rewritten.
//!
//! A subtree may read columns that it does not make: those of an enclosing [`Join::is_dependent`]'s left side (correlation).

use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr, ExprKind};
use crate::physical::{JoinKind, LockStrength, LockWait, SetKind};
use damask_catalog::object::Relation;
use damask_functions::aggregate::AggregateFunction;
use damask_functions::registry::TableFunction;
use damask_types::{ColumnIndex, Position, SqlType};
use std::sync::Arc;

/// An operator with its inputs.
#[derive(Clone, Debug)]
pub(crate) enum Logical {
    /// Rows of expressions. With no column: one empty row for each entry.
    Values { columns: Vec<ColumnId>, rows: Vec<Vec<Expr>> },
    /// Rows handed in from outside.
    Input {
        columns: Vec<ColumnId>,
        /// How many are expected.
        rows: f64,
    },
    /// A stored or computed relation.
    Get(Get),
    /// A set-returning function.
    Function {
        function: &'static TableFunction,
        args: Vec<Expr>,
        columns: Vec<ColumnId>,
        ordinality: bool,
    },
    /// Rows for which every conjunct is true.
    Filter { input: Box<Logical>, predicates: Vec<Expr> },
    /// New columns, and the old ones that are passed on.
    Project { input: Box<Logical>, exprs: Vec<(ColumnId, Expr)> },
    /// Set-returning functions beside the input's columns.
    ProjectSet {
        input: Box<Logical>,
        functions: Vec<(ColumnId, &'static TableFunction, Vec<Expr>)>,
    },
    /// Two inputs combined.
    Join(Join),
    /// Groups.
    Aggregate { input: Box<Logical>, groups: Vec<(ColumnId, Expr)>, calls: Vec<(ColumnId, Call)> },
    /// Rows that differ in `keys`.
    Distinct { input: Box<Logical>, keys: Vec<ColumnId> },
    /// Rows in order.
    Sort { input: Box<Logical>, keys: Vec<SortKey> },
    /// The first rows.
    Limit { input: Box<Logical>, limit: Option<Expr>, offset: Option<Expr> },
    /// UNION ALL: each input's columns by position.
    Append { inputs: Vec<Logical>, sources: Vec<Vec<ColumnId>>, columns: Vec<ColumnId> },
    /// INTERSECT or EXCEPT.
    SetOperation {
        kind: SetKind,
        all: bool,
        left: Box<Logical>,
        right: Box<Logical>,
        left_columns: Vec<ColumnId>,
        right_columns: Vec<ColumnId>,
        columns: Vec<ColumnId>,
    },
    /// A common table expression that is computed once.
    Cte { id: usize, columns: Vec<ColumnId> },
    /// Locks the rows it passes on. `kept` are columns that tell which rows of the other tables belong to one of its rows.
    Lock {
        input: Box<Logical>,
        tables: Vec<(Arc<Relation>, ColumnId, LockStrength, LockWait)>,
        kept: Vec<ColumnId>,
    },
}

/// A relation's rows.
#[derive(Clone, Debug)]
pub(crate) struct Get {
    pub(crate) table: Arc<Relation>,
    pub(crate) alias: String,
    /// Columns given; pruning shortens it.
    pub(crate) columns: Vec<(ColumnIndex, ColumnId)>,
    /// The row id, if asked for.
    pub(crate) row_id: Option<ColumnId>,
    /// `tableoid`, if asked for.
    pub(crate) table_oid: Option<ColumnId>,
    /// Conjuncts pushed down to it.
    pub(crate) predicates: Vec<Expr>,
}

/// A join.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    pub(crate) left: Box<Logical>,
    pub(crate) right: Box<Logical>,
    /// Conjuncts.
    pub(crate) predicates: Vec<Expr>,
    /// The bool column of a [`JoinKind::Mark`].
    pub(crate) mark: Option<ColumnId>,
    /// Whether the right side reads columns of the left side.
    pub(crate) is_dependent: bool,
}

/// An aggregate call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) function: &'static AggregateFunction,
    pub(crate) args: Vec<Expr>,
    pub(crate) distinct: bool,
    pub(crate) filter: Option<Expr>,
    pub(crate) order: Vec<SortKey>,
    pub(crate) ty: SqlType,
}

impl Call {
    /// Its expressions, in text order.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let order = self.order.iter().map(|key| &key.expr);
        self.args.iter().chain(order).chain(&self.filter)
    }

    /// The columns it reads.
    pub(crate) fn columns(&self) -> ColumnSet {
        let mut columns = ColumnSet::default();
        for expr in self.exprs() {
            expr.add_columns(&mut columns);
        }
        columns
    }
}

/// A key of an order.
pub(crate) type SortKey = crate::physical::SortKey;

impl Logical {
    /// One empty row.
    pub(crate) fn one_row() -> Self {
        Self::Values { columns: vec![], rows: vec![vec![]] }
    }

    /// Filters, unless there is nothing to test.
    pub(crate) fn filter(self, predicates: Vec<Expr>) -> Self {
        if predicates.is_empty() {
            return self;
        }
        Self::Filter { input: Box::new(self), predicates }
    }

    /// An independent join.
    pub(crate) fn join(self, kind: JoinKind, right: Self, predicates: Vec<Expr>) -> Self {
        Self::Join(Join {
            kind,
            left: Box::new(self),
            right: Box::new(right),
            predicates,
            mark: None,
            is_dependent: false,
        })
    }

    /// The columns it gives, in order.
    pub(crate) fn output(&self) -> Vec<ColumnId> {
        match self {
            Self::Values { columns, .. }
            | Self::Input { columns, .. }
            | Self::Function { columns, .. }
            | Self::Append { columns, .. }
            | Self::SetOperation { columns, .. }
            | Self::Cte { columns, .. } => columns.clone(),
            Self::Get(get) => get.output(),
            Self::Filter { input, .. }
            | Self::Distinct { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. }
            | Self::Lock { input, .. } => input.output(),
            Self::Project { exprs, .. } => exprs.iter().map(|(id, _)| *id).collect(),
            Self::ProjectSet { input, functions } => {
                let mut output = input.output();
                output.extend(functions.iter().map(|(id, ..)| *id));
                output
            }
            Self::Join(join) => {
                let mut output = join.left.output();
                if join.kind.gives_right() {
                    output.extend(join.right.output());
                }
                output.extend(join.mark);
                output
            }
            Self::Aggregate { groups, calls, .. } => {
                groups.iter().map(|(id, _)| *id).chain(calls.iter().map(|(id, _)| *id)).collect()
            }
        }
    }

    /// The columns it gives, as a set.
    pub(crate) fn output_set(&self) -> ColumnSet {
        self.output().into_iter().collect()
    }

    /// Its inputs.
    pub(crate) fn inputs(&self) -> Vec<&Self> {
        match self {
            Self::Values { .. }
            | Self::Input { .. }
            | Self::Get(_)
            | Self::Function { .. }
            | Self::Cte { .. } => vec![],
            Self::Filter { input, .. }
            | Self::Project { input, .. }
            | Self::ProjectSet { input, .. }
            | Self::Aggregate { input, .. }
            | Self::Distinct { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. }
            | Self::Lock { input, .. } => vec![input],
            Self::Join(join) => vec![&join.left, &join.right],
            Self::Append { inputs, .. } => inputs.iter().collect(),
            Self::SetOperation { left, right, .. } => vec![left, right],
        }
    }

    /// Its inputs, to change them.
    pub(crate) fn inputs_mut(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Values { .. }
            | Self::Input { .. }
            | Self::Get(_)
            | Self::Function { .. }
            | Self::Cte { .. } => vec![],
            Self::Filter { input, .. }
            | Self::Project { input, .. }
            | Self::ProjectSet { input, .. }
            | Self::Aggregate { input, .. }
            | Self::Distinct { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. }
            | Self::Lock { input, .. } => vec![input],
            Self::Join(join) => vec![&mut join.left, &mut join.right],
            Self::Append { inputs, .. } => inputs.iter_mut().collect(),
            Self::SetOperation { left, right, .. } => vec![left, right],
        }
    }

    /// Calls `f` for each of its own expressions.
    pub(crate) fn for_each_expr<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Values { rows, .. } => rows.iter().flatten().for_each(f),
            Self::Get(get) => get.predicates.iter().for_each(f),
            Self::Function { args, .. } => args.iter().for_each(f),
            Self::Filter { predicates, .. } => predicates.iter().for_each(f),
            Self::Project { exprs, .. } => exprs.iter().for_each(|(_, expr)| f(expr)),
            Self::ProjectSet { functions, .. } => {
                functions.iter().flat_map(|(_, _, args)| args).for_each(f);
            }
            Self::Join(join) => join.predicates.iter().for_each(f),
            Self::Aggregate { groups, calls, .. } => {
                for (_, expr) in groups {
                    f(expr);
                }
                for (_, call) in calls {
                    call.args.iter().for_each(&mut *f);
                    call.filter.iter().for_each(&mut *f);
                    for key in &call.order {
                        f(&key.expr);
                    }
                }
            }
            Self::Sort { keys, .. } => keys.iter().for_each(|key| f(&key.expr)),
            Self::Limit { limit, offset, .. } => {
                limit.iter().for_each(&mut *f);
                offset.iter().for_each(f);
            }
            Self::Input { .. }
            | Self::Distinct { .. }
            | Self::Append { .. }
            | Self::SetOperation { .. }
            | Self::Cte { .. }
            | Self::Lock { .. } => {}
        }
    }

    /// Calls `f` for each of its own expressions, to change it.
    pub(crate) fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match self {
            Self::Values { rows, .. } => rows.iter_mut().flatten().for_each(f),
            Self::Get(get) => get.predicates.iter_mut().for_each(f),
            Self::Function { args, .. } => args.iter_mut().for_each(f),
            Self::Filter { predicates, .. } => predicates.iter_mut().for_each(f),
            Self::Project { exprs, .. } => exprs.iter_mut().for_each(|(_, expr)| f(expr)),
            Self::ProjectSet { functions, .. } => {
                functions.iter_mut().flat_map(|(_, _, args)| args).for_each(f);
            }
            Self::Join(join) => join.predicates.iter_mut().for_each(f),
            Self::Aggregate { groups, calls, .. } => {
                for (_, expr) in groups {
                    f(expr);
                }
                for (_, call) in calls {
                    call.args.iter_mut().for_each(&mut *f);
                    call.filter.iter_mut().for_each(&mut *f);
                    for key in &mut call.order {
                        f(&mut key.expr);
                    }
                }
            }
            Self::Sort { keys, .. } => keys.iter_mut().for_each(|key| f(&mut key.expr)),
            Self::Limit { limit, offset, .. } => {
                limit.iter_mut().for_each(&mut *f);
                offset.iter_mut().for_each(f);
            }
            Self::Input { .. }
            | Self::Distinct { .. }
            | Self::Append { .. }
            | Self::SetOperation { .. }
            | Self::Cte { .. }
            | Self::Lock { .. } => {}
        }
    }

    /// Calls `f` for every expression of the tree, to change it.
    pub(crate) fn transform_exprs(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        self.for_each_expr_mut(f);
        for input in self.inputs_mut() {
            input.transform_exprs(f);
        }
    }

    /// The columns it reads and does not make: those of an outer query.
    pub(crate) fn free_columns(&self) -> ColumnSet {
        let mut free = ColumnSet::default();
        let mut made = ColumnSet::default();
        self.collect_free(&mut free, &mut made);
        free.subtract(&made);
        free
    }

    /// Where its text reads one of `columns`.
    pub(crate) fn place_of(&self, columns: &ColumnSet) -> Option<Position> {
        let mut place = None;
        self.for_each_expr(&mut |expr| place = place.or_else(|| expr.place_of(columns)));
        self.inputs()
            .into_iter()
            .fold(place, |place, input| place.or_else(|| input.place_of(columns)))
    }

    fn collect_free(&self, free: &mut ColumnSet, made: &mut ColumnSet) {
        self.for_each_expr(&mut |expr| expr.add_columns(free));
        match self {
            // A column that is passed on under its own id is made below, or nowhere.
            Self::Project { exprs, .. } | Self::Aggregate { groups: exprs, .. } => {
                let is_own = |id: ColumnId, expr: &Expr| matches!(expr.kind, ExprKind::Column(of) if of == id);
                let passed: Vec<ColumnId> = exprs
                    .iter()
                    .filter(|(id, expr)| is_own(*id, expr))
                    .map(|(id, _)| *id)
                    .collect();
                made.extend(self.output().into_iter().filter(|id| !passed.contains(id)));
            }
            _ => made.extend(self.output()),
        }
        if let Self::Get(get) = self {
            // Predicates may read columns that are not given.
            made.extend(get.columns.iter().map(|(_, id)| *id));
        }
        for input in self.inputs() {
            input.collect_free(free, made);
        }
    }
}

impl Get {
    fn output(&self) -> Vec<ColumnId> {
        let mut output: Vec<_> = self.columns.iter().map(|(_, id)| *id).collect();
        output.extend(self.row_id);
        output.extend(self.table_oid);
        output
    }
}
