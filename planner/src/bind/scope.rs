//! Which names mean what.

use super::qualified::joined;
use super::subquery::Pending;
use super::{Binder, CteEntry, without_database};
use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr};
use crate::logical::Call;
use damask_catalog::ObjectName;
use damask_catalog::object::{Relation, RelationKind};
use damask_sql::ast::{Ident, Name};
use damask_types::{Error, Oid, Position, Result, SqlState, TypeId, Value};
use std::cell::RefCell;
use std::sync::Arc;

/// The names in sight at one place: tables of this query, then those of the queries around it.
#[derive(Default)]
pub(crate) struct Scope<'s> {
    /// The query around this one.
    pub(crate) parent: Option<&'s Scope<'s>>,
    pub(crate) tables: Vec<ScopeTable>,
    /// Columns of USING and NATURAL joins, found before the tables' own.
    pub(crate) merged: Vec<(String, Expr)>,
    /// Common table expressions of this query's WITH.
    pub(crate) ctes: Vec<CteEntry>,
    /// What this query aggregates, its own expressions and those of the queries inside it together.
    pub(crate) aggregates: RefCell<Aggregates>,
}

/// The aggregate calls that belong to one query.
///
/// A call belongs to the innermost query whose columns its arguments read, so that one found deep in a subquery may be
/// computed out here, before the subquery runs.
#[derive(Debug)]
pub(crate) struct Aggregates {
    /// The clause being bound, for messages.
    clause: &'static str,
    /// Whether that clause is evaluated above the aggregation.
    is_allowed: bool,
    pub(crate) calls: Vec<(ColumnId, Call)>,
    /// Joins that the arguments wait for, to be put under the aggregation.
    pub(crate) below: Vec<Pending>,
}

impl Aggregates {
    /// The calls' results.
    pub(crate) fn ids(&self) -> ColumnSet {
        self.calls.iter().map(|(id, _)| *id).collect()
    }
}

impl Default for Aggregates {
    fn default() -> Self {
        Self {
            clause: "FROM clause of their own query level",
            is_allowed: false,
            calls: vec![],
            below: vec![],
        }
    }
}

/// A table under its alias.
#[derive(Clone, Debug)]
pub(crate) struct ScopeTable {
    pub(crate) alias: String,
    pub(crate) columns: Vec<ScopeColumn>,
    /// The stored table, for system columns.
    pub(crate) relation: Option<Arc<Relation>>,
    /// The table or view that stands here under its own name, which `schema.table` means too.
    pub(crate) named: Option<Oid>,
    /// Ids of the system columns that a scan of it can give.
    pub(crate) row_id: Option<ColumnId>,
    pub(crate) table_oid: Option<ColumnId>,
    /// The column that says whose change it is that the row is still to settle; elsewhere nobody's.
    pub(crate) xmax: Option<ColumnId>,
}

impl ScopeTable {
    /// Whether the two may not stand in one FROM: one alias for both, unless they are different tables under their own names.
    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        self.alias == other.alias
            && !self.alias.is_empty()
            && (self.named.is_none() || other.named.is_none() || self.named == other.named)
    }

    /// Columns that tell its rows apart: the row id of a stored table, else all there are.
    pub(crate) fn identity(&self) -> Vec<ColumnId> {
        match (&self.relation, self.row_id) {
            (Some(relation), Some(row_id)) if relation.kind == RelationKind::Table => vec![row_id],
            _ => self.columns.iter().map(|column| column.id).collect(),
        }
    }
}

/// A column under its name.
#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    pub(crate) name: String,
    pub(crate) id: ColumnId,
    /// Whether a USING or NATURAL join merged it: found by qualified name alone.
    pub(crate) is_merged: bool,
}

impl Scope<'static> {
    /// A scope with nothing in it.
    pub(crate) fn root() -> Self {
        Self::default()
    }
}

impl<'s> Scope<'s> {
    /// A scope inside `parent`.
    pub(crate) fn inside(parent: &'s Scope<'s>) -> Self {
        Self { parent: Some(parent), ..Self::default() }
    }

    /// Says which clause of this query is bound next, and whether aggregates may stand in it; gives what was said before.
    pub(crate) fn enter(&self, clause: &'static str, is_allowed: bool) -> (&'static str, bool) {
        let mut aggregates = self.aggregates.borrow_mut();
        let before = (aggregates.clause, aggregates.is_allowed);
        (aggregates.clause, aggregates.is_allowed) = (clause, is_allowed);
        before
    }

    /// The query that an aggregate belongs to whose arguments read `reads`: the innermost that one of the columns is of, this
    /// one if there is none. `place` says where the arguments read a column.
    ///
    /// # Errors
    /// 42803 when an argument is itself an aggregate of that query, or the query's clause takes none.
    pub(crate) fn aggregating(
        &self,
        reads: &ColumnSet,
        place: impl Fn(&ColumnSet) -> Option<Position>,
    ) -> Result<&Self> {
        let mut level = Some(self);
        let mut owner = self;
        while let Some(scope) = level {
            let calls = scope.aggregates.borrow().ids();
            if calls.intersects(reads) {
                return Err(Error::new(
                    SqlState::GROUPING_ERROR,
                    "aggregate function calls cannot be nested",
                )
                .at(place(&calls).unwrap_or_default()));
            }
            if scope.owns(reads) {
                owner = scope;
                break;
            }
            level = scope.parent;
        }
        let aggregates = owner.aggregates.borrow();
        if !aggregates.is_allowed {
            return Err(Error::new(
                SqlState::GROUPING_ERROR,
                format!("aggregate functions are not allowed in {}", aggregates.clause),
            ));
        }
        drop(aggregates);
        Ok(owner)
    }

    /// Whether one of the columns is of a table of this query.
    pub(crate) fn owns(&self, columns: &ColumnSet) -> bool {
        self.own_columns().intersects(columns)
    }

    /// The columns of this query's tables.
    pub(crate) fn own_columns(&self) -> ColumnSet {
        let mut own = ColumnSet::default();
        for table in &self.tables {
            let columns = table.columns.iter().map(|column| column.id);
            own.extend(columns.chain(table.row_id).chain(table.table_oid));
        }
        for (_, merged) in &self.merged {
            merged.add_columns(&mut own);
        }
        own
    }

    /// The common table expression of this name, innermost first.
    pub(crate) fn cte(&self, name: &str) -> Option<&CteEntry> {
        self.ctes
            .iter()
            .rev()
            .find(|cte| cte.name == name)
            .or_else(|| self.parent.and_then(|parent| parent.cte(name)))
    }

    /// The table that `is_meant` holds for, of the innermost query that has one; the error for several.
    fn find(
        &self,
        name: &str,
        is_meant: &dyn Fn(&ScopeTable) -> bool,
    ) -> Result<Option<&ScopeTable>> {
        let mut level = Some(self);
        while let Some(scope) = level {
            let mut found = scope.tables.iter().filter(|table| is_meant(table));
            if let Some(table) = found.next() {
                return match found.next() {
                    None => Ok(Some(table)),
                    Some(_) => Err(Error::new(
                        SqlState::AMBIGUOUS_ALIAS,
                        format!("table reference \"{name}\" is ambiguous"),
                    )),
                };
            }
            level = scope.parent;
        }
        Ok(None)
    }

    /// Whether some table has this alias.
    pub(crate) fn has_table(&self, alias: &str) -> bool {
        self.find(alias, &|table| table.alias == alias).is_ok_and(|found| found.is_some())
    }

    /// # Errors
    /// 42712 if the alias is taken.
    pub(crate) fn add(&mut self, table: ScopeTable, position: Position) -> Result<()> {
        if self.tables.iter().any(|other| other.conflicts(&table)) {
            return Err(Error::new(
                SqlState::DUPLICATE_ALIAS,
                format!("table name \"{}\" specified more than once", table.alias),
            )
            .at(position));
        }
        self.tables.push(table);
        Ok(())
    }
}

impl Binder<'_> {
    /// The column that a name means.
    ///
    /// # Errors
    /// 42703, 42702, 42P01 with PostgreSQL's texts and hints.
    pub(crate) fn resolve_column(&self, name: &Name, scope: &Scope<'_>) -> Result<Expr> {
        let at = Position(name.span().start);
        let mut expr = match &name.0[..] {
            [column] => self.resolve_bare(column, scope)?,
            [table @ .., column] => self.resolve_qualified(table, column, scope)?,
            [] => return Err(Error::internal("a name without parts")),
        };
        expr.position = Some(at);
        self.note_read(&expr);
        Ok(expr)
    }

    fn resolve_bare(&self, column: &Ident, scope: &Scope<'_>) -> Result<Expr> {
        let name = column.as_str();
        let at = Position(column.span.start);
        let ambiguous = || {
            Error::new(
                SqlState::AMBIGUOUS_COLUMN,
                format!("column reference \"{name}\" is ambiguous"),
            )
            .at(at)
        };
        let mut level = Some(scope);
        while let Some(scope) = level {
            let mut found: Option<Expr> = None;
            for (merged, expr) in &scope.merged {
                if merged == name {
                    if found.is_some() {
                        return Err(ambiguous());
                    }
                    found = Some(expr.clone());
                }
            }
            for table in &scope.tables {
                for candidate in table.columns.iter().filter(|c| !c.is_merged && c.name == name) {
                    if found.is_some() {
                        return Err(ambiguous());
                    }
                    found = Some(self.column_expr(candidate.id));
                }
            }
            if found.is_none() {
                let mut system =
                    scope.tables.iter().filter_map(|table| self.system_column(table, name));
                found = system.next();
                if found.is_some() && system.next().is_some() {
                    return Err(ambiguous());
                }
            }
            if let Some(expr) = found {
                return Ok(expr);
            }
            level = scope.parent;
        }
        // A table's name stands for its row.
        if let Some(table) = self.table(std::slice::from_ref(column), scope)? {
            return Ok(self.whole_row(table));
        }
        let mut error =
            Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
                .at(at);
        if let Some((table, similar)) = similar_column(name, scope) {
            error = error
                .hint(format!("Perhaps you meant to reference the column \"{table}.{similar}\"."));
        }
        Err(error)
    }

    /// The table that a name means: an alias, or `schema.table` for one that stands under its own name.
    ///
    /// # Errors
    /// 42P09 when it could be several, 0A000 for a name that starts with a database.
    pub(crate) fn table<'t>(
        &self,
        name: &[Ident],
        scope: &'t Scope<'_>,
    ) -> Result<Option<&'t ScopeTable>> {
        let Some((table, qualifiers)) = name.split_last() else {
            return Ok(None);
        };
        let at = Position(name[0].span.start);
        let table = table.as_str();
        let schema = match qualifiers {
            [] => {
                return scope
                    .find(table, &|found| found.alias == table)
                    .map_err(|error| error.at(at));
            }
            [schema] => schema.as_str(),
            _ => match without_database(name, || joined(name)) {
                Ok([schema, _]) => schema.as_str(),
                Ok(_) => return Ok(None),
                Err(error) => return Err(error.at(at)),
            },
        };
        let Some(oid) = self.stored(Some(schema), table) else {
            return Ok(None);
        };
        scope.find(table, &|found| found.named == Some(oid)).map_err(|error| error.at(at))
    }

    /// The stored relation of this name.
    fn stored(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        let object = ObjectName { schema: schema.map(str::to_owned), name: name.to_owned() };
        let found = self.ctx.catalog.find(&object, self.ctx.path).ok()?;
        found.map(|relation| relation.oid)
    }

    /// 42P01 for a table that is not in sight, with what may have been meant.
    fn missing_from(&self, name: &[Ident], scope: &Scope<'_>) -> Error {
        let wanted = name.last().map_or("", Ident::as_str);
        let at = Position(name.first().map_or(0, |first| first.span.start));
        let schema = name.iter().rev().nth(1).map(Ident::as_str);
        let oid = self.stored(schema, wanted);
        let mut level = Some(scope);
        while let Some(scope) = level {
            let is_meant = |table: &&ScopeTable| {
                let own = table.relation.as_ref().map(|relation| relation.oid);
                table.alias == wanted || own.is_some() && own == oid
            };
            if let Some(table) = scope.tables.iter().find(is_meant) {
                let hint = if table.alias == wanted {
                    format!(
                        "There is an entry for table \"{wanted}\", but it cannot be referenced from this part of the query."
                    )
                } else {
                    format!("Perhaps you meant to reference the table alias \"{}\".", table.alias)
                };
                return Error::new(
                    SqlState::UNDEFINED_TABLE,
                    format!("invalid reference to FROM-clause entry for table \"{wanted}\""),
                )
                .hint(hint)
                .at(at);
            }
            level = scope.parent;
        }
        Error::new(
            SqlState::UNDEFINED_TABLE,
            format!("missing FROM-clause entry for table \"{wanted}\""),
        )
        .at(at)
    }

    /// As [`Binder::table`].
    ///
    /// # Errors
    /// 42P01 when there is none.
    pub(crate) fn known_table<'t>(
        &self,
        name: &[Ident],
        scope: &'t Scope<'_>,
    ) -> Result<&'t ScopeTable> {
        match self.table(name, scope)? {
            Some(table) => Ok(table),
            None => Err(self.missing_from(name, scope)),
        }
    }

    fn resolve_qualified(
        &self,
        table: &[Ident],
        column: &Ident,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let at = Position(table[0].span.start);
        without_database(table, || format!("{}.{}", joined(table), column.as_str()))?;
        let found = self.known_table(table, scope)?;
        let table = table.last().expect("a qualified name has a qualifier");
        let name = column.as_str();
        let mut candidates = found.columns.iter().filter(|candidate| candidate.name == name);
        if let Some(first) = candidates.next() {
            if candidates.next().is_some() {
                return Err(Error::new(
                    SqlState::AMBIGUOUS_COLUMN,
                    format!("column reference \"{name}\" is ambiguous"),
                )
                .at(at));
            }
            return Ok(self.column_expr(first.id));
        }
        if let Some(expr) = self.system_column(found, name) {
            return Ok(expr);
        }
        let mut error = Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column {}.{name} does not exist", table.as_str()),
        )
        .at(at);
        let alone = Scope { tables: vec![found.clone()], ..Scope::default() };
        if let Some((table, similar)) = similar_column(name, &alone) {
            error = error
                .hint(format!("Perhaps you meant to reference the column \"{table}.{similar}\"."));
        }
        Err(error)
    }

    /// `ctid`, `tableoid`, `xmin` and the like of a stored table.
    fn system_column(&self, table: &ScopeTable, name: &str) -> Option<Expr> {
        table.relation.as_ref()?;
        match name {
            "tableoid" => Some(match (table.table_oid, &table.relation) {
                (Some(id), _) => self.column_expr(id),
                (None, relation) => {
                    let oid = relation.as_ref()?.oid;
                    Expr::literal(Value::Oid(oid), TypeId::Oid)
                }
            }),
            "ctid" => {
                let row_id = self.column_expr(table.row_id?);
                // The row id in the representation of a tid: block in the high bits, offset in the low 16.
                Some(Expr {
                    kind: crate::expr::ExprKind::Retype(Box::new(row_id)),
                    ty: TypeId::Tid.into(),
                    position: None,
                })
            }
            "xmax" if table.xmax.is_some() => table.xmax.map(|id| self.column_expr(id)),
            // Versions live in memory alone; a row on a page is settled.
            "xmin" | "xmax" => Some(Expr::literal(
                Value::Oid(Oid(if name == "xmin" { 2 } else { 0 })),
                TypeId::Xid,
            )),
            "cmin" | "cmax" => Some(Expr::literal(Value::Oid(Oid(0)), TypeId::Cid)),
            _ => None,
        }
    }

    /// ROW of a table's columns.
    pub(crate) fn whole_row(&self, table: &ScopeTable) -> Expr {
        let fields = table.columns.iter().map(|column| self.column_expr(column.id)).collect();
        Expr::new(crate::expr::ExprKind::Row(fields), TypeId::Record)
    }
}

/// The nearest column name, if it is near: at most a third of the name's letters apart.
fn similar_column<'t>(name: &str, scope: &'t Scope<'_>) -> Option<(&'t str, &'t str)> {
    let limit = name.chars().count().div_ceil(3).min(3);
    scope
        .tables
        .iter()
        .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
        .filter(|(table, _)| !table.alias.is_empty())
        .map(|(table, column)| (distance(name, &column.name), table, column))
        .filter(|(distance, ..)| *distance <= limit)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(_, table, column)| (table.alias.as_str(), column.name.as_str()))
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replace = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("same", "same"), 0);
    }
}
