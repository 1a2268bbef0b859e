//! Syntax to algebra: names to columns, operators to functions, subqueries to joins.
//!
//! One pass over the tree. A [`scope::Scope`] says which names mean what at a place of the text; each SELECT has one, with the
//! enclosing query's as its parent. A subquery that reads nothing of its surroundings becomes a subplan that runs once; one that does
//! becomes a join of the query it stands in (see [`subquery`]).
//!
//! Recursion is bounded by the height of the syntax tree, which the parser limits, and by [`VIEW_DEPTH_MAX`] for views.

mod aggregate;
mod coerce;
mod column_expression;
mod comparison;
pub(crate) mod conflict;
pub(crate) mod dml;
mod expr;
mod from;
mod function;
mod insert;
mod qualified;
mod query;
mod row_lock;
pub(crate) mod scope;
mod set_operation;
mod subquery;
mod target;
mod types;

pub use qualified::without_database;
pub(crate) use query::output_name;
pub use types::{check_collation, resolve_type, serial_type};

use crate::PlanContext;
use crate::expr::{ColumnId, Expr};
use crate::logical::Logical;
use crate::physical::RelationUse;
use damask_catalog::object::Relation;
use damask_sql::ast;
use damask_types::{ColumnIndex, Error, Oid, Position, Result, SqlState, SqlType, TypeId};
use scope::Scope;
use std::cell::RefCell;
use std::sync::Arc;

/// Views within views.
const VIEW_DEPTH_MAX: usize = 64;

/// A bound query: its plan and what it shows.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) plan: Logical,
    pub(crate) columns: Vec<BoundColumn>,
}

/// A result column of a query.
#[derive(Clone, Debug)]
pub(crate) struct BoundColumn {
    pub(crate) name: String,
    pub(crate) id: ColumnId,
    pub(crate) ty: SqlType,
}

/// A common table expression in sight.
#[derive(Clone, Debug)]
pub(crate) struct CteEntry {
    pub(crate) name: String,
    /// Its place in [`Binder::ctes`].
    pub(crate) id: usize,
}

/// A bound common table expression.
#[derive(Debug)]
pub(crate) struct CtePlan {
    pub(crate) plan: Logical,
    pub(crate) columns: Vec<BoundColumn>,
    pub(crate) references: usize,
    /// MATERIALIZED or NOT MATERIALIZED.
    pub(crate) materialized: Option<bool>,
}

/// Binds one statement.
pub(crate) struct Binder<'a> {
    pub(crate) ctx: &'a PlanContext<'a>,
    /// Type of each column made so far.
    pub(crate) columns: Vec<SqlType>,
    /// Table column that a column comes from, for `RowDescription` and messages.
    pub(crate) origins: Vec<Option<Origin>>,
    /// Types of the parameters, as far as they are known.
    pub(crate) parameters: Vec<Option<TypeId>>,
    /// Plans of subqueries that run once; expressions name them by position.
    pub(crate) subplans: Vec<Logical>,
    pub(crate) ctes: Vec<CtePlan>,
    pub(crate) relations: Vec<RelationUse>,
    /// Stored columns that the statement's text reads, views' texts left out.
    read: RefCell<Vec<(Oid, ColumnIndex)>>,
    view_depth: usize,
    /// What the view that is being bound reads: its names mean these, whatever the search path has come to be.
    pub(crate) view_reads: Vec<Oid>,
}

/// Where a column comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Table OID and attribute number, for stored columns.
    pub(crate) table: Option<(Oid, u16)>,
    /// Whether the statement's own text has the table, not that of a view.
    is_direct: bool,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(ctx: &'a PlanContext<'a>) -> Self {
        Self {
            ctx,
            columns: vec![],
            origins: vec![],
            parameters: ctx.parameters.to_vec(),
            subplans: vec![],
            ctes: vec![],
            relations: vec![],
            read: RefCell::new(vec![]),
            view_depth: 0,
            view_reads: vec![],
        }
    }

    /// A new column.
    pub(crate) fn new_column(&mut self, ty: SqlType) -> ColumnId {
        self.columns.push(ty);
        self.origins.push(None);
        ColumnId(self.columns.len() as u32 - 1)
    }

    /// The type of a column.
    pub(crate) fn type_of(&self, id: ColumnId) -> SqlType {
        self.columns[id.0 as usize]
    }

    /// An expression that reads a column.
    pub(crate) fn column_expr(&self, id: ColumnId) -> Expr {
        Expr::column(id, self.type_of(id))
    }

    /// The type of parameter `index`, which becomes `wanted` if nothing was known of it.
    pub(crate) fn parameter_type(&mut self, index: usize, wanted: TypeId) -> TypeId {
        if self.parameters.len() <= index {
            self.parameters.resize(index + 1, None);
        }
        match self.parameters[index] {
            Some(known) if known != TypeId::Unknown => known,
            _ => {
                self.parameters[index] = Some(wanted);
                wanted
            }
        }
    }

    /// Notes that the statement uses a relation.
    pub(crate) fn uses(&mut self, relation: &Arc<Relation>, written: bool) {
        let is_direct = self.view_depth == 0;
        match self.relations.iter_mut().find(|used| used.relation.oid == relation.oid) {
            Some(used) => {
                (used.written, used.is_direct) =
                    (used.written | written, used.is_direct | is_direct);
            }
            None => self.relations.push(RelationUse {
                relation: Arc::clone(relation),
                written,
                is_direct,
                columns: vec![],
            }),
        }
    }

    /// A column of a stored relation.
    pub(crate) fn new_stored_column(
        &mut self,
        table: Oid,
        number: ColumnIndex,
        ty: SqlType,
    ) -> ColumnId {
        let id = self.new_column(ty);
        let is_direct = self.view_depth == 0;
        self.origins[id.0 as usize] =
            Some(Origin { table: Some((table, number.0 + 1)), is_direct });
        id
    }

    /// Notes the stored columns that an expression of the statement's own text reads.
    pub(crate) fn note_read(&self, expr: &Expr) {
        let mut read = self.read.borrow_mut();
        expr.walk(&mut |expr| {
            if let Some(id) = expr.as_column()
                && let Some(Origin { table: Some((table, number)), is_direct: true }) =
                    self.origins[id.0 as usize]
            {
                read.push((table, ColumnIndex(number - 1)));
            }
        });
    }

    /// What the statement uses, once it is bound.
    pub(crate) fn take_relations(&mut self) -> Vec<RelationUse> {
        let mut relations = std::mem::take(&mut self.relations);
        for (table, column) in self.read.take() {
            if let Some(used) = relations.iter_mut().find(|used| used.relation.oid == table)
                && !used.columns.contains(&column)
            {
                used.columns.push(column);
            }
        }
        relations
    }

    /// Binds a view's text in a scope of its own.
    pub(crate) fn bind_view(&mut self, relation: &Relation) -> Result<Bound> {
        let text = relation.view.as_deref().unwrap_or_default();
        if self.view_depth >= VIEW_DEPTH_MAX {
            return Err(Error::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                format!("views are nested deeper than {VIEW_DEPTH_MAX}"),
            ));
        }
        let parsed = damask_sql::parse_one(text).map_err(|error| parse_error(&error))?;
        let Some(ast::Statement::Query(query)) = parsed.map(|parsed| parsed.statement) else {
            return Err(Error::internal(format!("view \"{}\" is not a query", relation.name)));
        };
        self.view_depth += 1;
        let reads = relation.reads.iter().map(|read| read.relation).collect();
        let outer = std::mem::replace(&mut self.view_reads, reads);
        let bound = self.bind_query(&query, &Scope::root());
        self.view_reads = outer;
        self.view_depth -= 1;
        bound.map_err(|mut error| {
            // Positions in the view's text mean nothing in the statement's.
            error.fields_mut().position = None;
            error
        })
    }
}

/// A parse error as the engine's.
pub fn parse_error(error: &damask_sql::ParseError) -> Error {
    let sqlstate = SqlState::from_text(error.sqlstate).unwrap_or(SqlState::SYNTAX_ERROR);
    let mut made = Error::new(sqlstate, error.message.clone()).at(Position(error.position));
    if let Some(hint) = &error.hint {
        made = made.hint(hint.clone());
    }
    made
}

/// The place of a node's text.
pub(crate) fn at(span: ast::Span) -> Position {
    Position(span.start)
}
