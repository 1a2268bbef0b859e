//! ON CONFLICT: which unique indexes are meant, and what DO UPDATE does.
//!
//! DO UPDATE sees two rows: the one that is there, under the table's name, and the one that was to be inserted, as `excluded`. Both come
//! to its expressions as plain columns. Subqueries that read them make a plan of their own over the two rows ([`ConflictUpdate::source`]);
//! without such, WHERE and SET are expressions that the insert evaluates itself.
//!
//! Left out (0A000): indexes on expressions, partial indexes, collations and operator classes in the target.

use super::expr::Env;
use super::scope::{Scope, ScopeColumn, ScopeTable};
use super::{Binder, at};
use crate::expr::{ColumnId, Expr};
use crate::logical::Logical;
use damask_catalog::object::{Index, Relation};
use damask_sql::ast::{self, ConflictTarget, ExprKind, OrderDirection};
use damask_types::{ColumnIndex, Error, Oid, Result, SqlState, TypeId};
use std::sync::Arc;

/// A bound ON CONFLICT.
#[derive(Debug)]
pub(crate) struct Conflict {
    /// See [`crate::physical::OnConflict::arbiters`].
    pub(crate) arbiters: Option<Vec<Arc<Index>>>,
    pub(crate) update: Option<ConflictUpdate>,
}

/// A bound DO UPDATE; see [`crate::physical::ConflictUpdate`].
#[derive(Debug)]
pub(crate) struct ConflictUpdate {
    pub(crate) row_id: ColumnId,
    pub(crate) table_oid: ColumnId,
    pub(crate) old: Vec<(ColumnIndex, ColumnId)>,
    pub(crate) excluded: Vec<(ColumnIndex, ColumnId)>,
    pub(crate) predicates: Vec<Expr>,
    pub(crate) assignments: Vec<(ColumnIndex, Expr)>,
    pub(crate) source: Option<Logical>,
    pub(crate) xmax: ColumnId,
}

/// What the target names.
#[derive(Debug)]
pub(crate) enum Target {
    /// Nothing: every unique index.
    Any,
    /// The unique indexes on just these columns.
    Columns(Vec<ColumnIndex>),
    /// The index of a constraint, if that has one.
    Constraint(Option<Oid>),
}

impl Target {
    /// The indexes meant.
    ///
    /// # Errors
    /// 42P10 if no unique index is on the columns, 42809 for a constraint without an index.
    pub(crate) fn arbiters(&self, relation: &Relation) -> Result<Option<Vec<Arc<Index>>>> {
        let found: Vec<Arc<Index>> = match self {
            Self::Any => return Ok(None),
            Self::Columns(columns) => {
                let is_on = |index: &Index| {
                    index.constraint_columns().is_some_and(|keys| {
                        keys.iter().all(|key| columns.contains(key))
                            && columns.iter().all(|column| keys.contains(column))
                    })
                };
                let indexes = relation.indexes.iter();
                indexes.filter(|index| is_on(index)).cloned().collect()
            }
            Self::Constraint(oid) => {
                let indexes = relation.indexes.iter();
                indexes.filter(|index| Some(index.oid) == *oid).cloned().collect()
            }
        };
        if !found.is_empty() {
            return Ok(Some(found));
        }
        Err(match self {
            Self::Constraint(_) => Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                "constraint in ON CONFLICT clause has no associated index",
            ),
            Self::Any | Self::Columns(_) => Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            ),
        })
    }
}

impl Binder<'_> {
    /// Binds the clause for an insert into `relation`, which its expressions know as `table`. The indexes are found later, for PostgreSQL
    /// looks at them last.
    pub(super) fn bind_conflict(
        &mut self,
        clause: &ast::OnConflict,
        relation: &Arc<Relation>,
        table: &ScopeTable,
        outer: &Scope<'_>,
    ) -> Result<(Target, Conflict)> {
        if clause.target == ConflictTarget::None && clause.update.is_some() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "ON CONFLICT DO UPDATE requires inference specification or constraint name",
            )
            .hint("For example, ON CONFLICT (column_name).")
            .at(at(clause.span)));
        }
        let target = match &clause.target {
            ConflictTarget::None => Target::Any,
            ConflictTarget::Constraint(name) => Self::constraint_target(relation, name.as_str())?,
            ConflictTarget::Columns(columns, filter) => {
                let columns = columns
                    .iter()
                    .map(|column| Self::inferred_column(relation, column, clause))
                    .collect::<Result<_>>()?;
                if let Some(filter) = filter {
                    return Err(
                        Error::unsupported("index predicate in ON CONFLICT").at(at(filter.span))
                    );
                }
                Target::Columns(columns)
            }
        };
        let update = match &clause.update {
            Some(update) => Some(self.bind_conflict_update(update, relation, table, outer)?),
            None => None,
        };
        Ok((target, Conflict { arbiters: None, update }))
    }

    fn constraint_target(relation: &Relation, name: &str) -> Result<Target> {
        let constraint = relation.constraints.iter().find(|constraint| constraint.name == name);
        let constraint = constraint.ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("constraint \"{name}\" for table \"{}\" does not exist", relation.name),
            )
        })?;
        Ok(Target::Constraint(constraint.kind.index()))
    }

    fn inferred_column(
        relation: &Relation,
        column: &ast::IndexColumn,
        clause: &ast::OnConflict,
    ) -> Result<ColumnIndex> {
        let not_allowed = |what: &str| {
            Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("{what} is not allowed in ON CONFLICT clause"),
            )
            .at(at(clause.target_span))
        };
        if column.direction != OrderDirection::Default {
            return Err(not_allowed("ASC/DESC"));
        }
        if column.nulls_first.is_some() {
            return Err(not_allowed("NULLS FIRST/LAST"));
        }
        let place = at(column.expr.span);
        let ExprKind::Column(name) = &column.expr.kind else {
            return Err(Error::unsupported("expressions in ON CONFLICT").at(place));
        };
        if column.collation.is_some() || column.operator_class.is_some() {
            let what = "collations and operator classes in ON CONFLICT";
            return Err(Error::unsupported(what).at(place));
        }
        let name = name.base().as_str();
        let found = relation.column(name).map(|(index, _)| index);
        found.ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
                .at(at(clause.target_span))
        })
    }

    fn bind_conflict_update(
        &mut self,
        (assignments, filter): &(Vec<ast::Assignment>, Option<ast::Expr>),
        relation: &Arc<Relation>,
        table: &ScopeTable,
        outer: &Scope<'_>,
    ) -> Result<ConflictUpdate> {
        let row_id = self.new_column(TypeId::Int8.into());
        let table_oid = self.new_column(TypeId::Oid.into());
        let (old, old_columns) = self.row_columns(relation);
        let (excluded, excluded_columns) = self.row_columns(relation);
        let there = ScopeTable {
            columns: old_columns,
            row_id: Some(row_id),
            table_oid: Some(table_oid),
            ..table.clone()
        };
        let proposed = ScopeTable {
            alias: "excluded".to_owned(),
            columns: excluded_columns,
            relation: None,
            named: None,
            row_id: None,
            table_oid: None,
            xmax: None,
        };
        let tables = vec![there, proposed];
        let scope = Scope { tables, ctes: outer.ctes.clone(), ..Scope::root() };
        let mut env = Env::plain(&scope, "UPDATE");
        let assignments = self.bind_assignments(assignments, relation, &old, &mut env)?;
        let set_pending = env.pending;
        let mut env = Env::plain(&scope, "WHERE");
        let mut predicates = vec![];
        if let Some(filter) = filter {
            self.bind_condition(filter, &mut env)?.conjuncts(&mut predicates);
        }
        let where_pending = env.pending;
        let mut source = None;
        if !set_pending.is_empty() || !where_pending.is_empty() {
            let both = old.iter().chain(&excluded).map(|(_, id)| *id);
            let columns = [row_id, table_oid].into_iter().chain(both).collect();
            let plan = Logical::Input { columns, rows: 1.0 };
            let plan = Self::attach(plan, where_pending, &mut predicates);
            let plan = plan.filter(std::mem::take(&mut predicates));
            source = Some(Self::attach(plan, set_pending, &mut vec![]));
        }
        let xmax = self.new_column(TypeId::Xid.into());
        Ok(ConflictUpdate {
            row_id,
            table_oid,
            old,
            excluded,
            predicates,
            assignments,
            source,
            xmax,
        })
    }

    /// Columns of their own for a row of the table.
    fn row_columns(
        &mut self,
        relation: &Relation,
    ) -> (Vec<(ColumnIndex, ColumnId)>, Vec<ScopeColumn>) {
        let mut columns = vec![];
        let mut scope = vec![];
        for (index, column) in relation.live_columns() {
            let id = self.new_stored_column(relation.oid, index, column.ty);
            columns.push((index, id));
            scope.push(ScopeColumn { name: column.name.clone(), id, is_merged: false });
        }
        (columns, scope)
    }
}
