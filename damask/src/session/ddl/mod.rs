//! Statements that define things: from syntax to the catalog's operations.
//!
//! Each takes ACCESS EXCLUSIVE (or what PostgreSQL takes) on the relations it changes before it looks at them for good. Expressions
//! are bound once, to find their errors, and kept as text.

mod alter;
mod drop;
mod index;
mod misc;
mod parameters;
mod reindex;
mod rewrite;
mod sequence;
mod table;
pub(crate) mod temporary;
mod using_index;

use super::env::StatementEnv;
use super::plan::Prepared;
use super::settings::Level;
use super::{Completion, Session};
use damask_catalog::ObjectName;
use damask_catalog::object::{Relation, RelationKind};
use damask_planner::expr::Expr;
use damask_planner::{ColumnUse, columns_read};
use damask_sql::ast::{self, Statement};
use damask_txn::{TableLock, Txn};
use damask_types::{ColumnIndex, Error, Position, Result, SqlState, SqlType, Value};
use std::sync::Arc;

impl Session {
    /// Runs a definition.
    pub(crate) fn define(
        &mut self,
        prepared: &Arc<Prepared>,
        statement: &Statement,
        params: &[Value],
    ) -> Result<Completion> {
        self.begin_statement()?;
        self.check_writable(&command(statement))?;
        let tag = match statement {
            Statement::CreateTable(create) => self.create_table(prepared, create)?,
            Statement::CreateTableAs(create) => {
                return self.create_table_as(prepared, create, params);
            }
            Statement::Query(query) => return self.select_into(prepared, query, params),
            Statement::AlterTable(alter) => self.alter_table(prepared, alter)?,
            Statement::CreateIndex(create) => self.create_index(prepared, create)?,
            Statement::CreateView(create) => self.create_view(prepared, create)?,
            Statement::CreateSequence(create) => self.create_sequence(create)?,
            Statement::AlterSequence(alter) => self.alter_sequence(alter)?,
            Statement::CreateSchema(create) => self.create_schema(create)?,
            Statement::Rename(rename) => self.rename(rename)?,
            Statement::SetSchema(set) => self.set_schema(set)?,
            Statement::ChangeOwner(change) => self.change_owner(change)?,
            Statement::Drop(drop) => self.drop_objects(drop)?,
            Statement::Truncate(truncate) => self.truncate(truncate)?,
            Statement::Comment(comment) => self.comment(comment)?,
            Statement::CreateRole(create) => self.create_role(create)?,
            Statement::AlterRole(alter) => self.alter_role(alter)?,
            _ => return Err(Error::unsupported("this statement")),
        };
        Ok(Completion::Tag(tag.into()))
    }

    /// # Errors
    /// 25001 inside of a transaction block.
    pub(super) fn check_outside_block(&self, command: &str) -> Result<()> {
        if self.block.is_open() {
            return Err(Error::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                format!("{command} cannot run inside a transaction block"),
            ));
        }
        Ok(())
    }

    /// Runs a change of the catalog with its transaction.
    pub(crate) fn change<R>(
        &mut self,
        f: impl FnOnce(&mut damask_catalog::CatalogTxn, &mut Txn) -> Result<R>,
    ) -> Result<R> {
        self.check_writable("this command")?;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        f(&mut self.catalog, txn)
    }

    /// The relation of a name that a command is about.
    ///
    /// # Errors
    /// 3F000 and 42P01, without a position as in PostgreSQL: names are looked up when the command runs, not when it is parsed.
    pub(crate) fn resolve(&mut self, name: &ast::Name) -> Result<Arc<Relation>> {
        let env = self.statement_env()?;
        let wanted = object_name(name)?;
        if let Some(schema) = &wanted.schema
            && env.catalog.schema_for(schema, &env.path).is_none()
        {
            return Err(Error::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            ));
        }
        env.catalog.resolve(&wanted, &env.path).cloned()
    }

    /// As [`Session::resolve`]; none if there is no such relation.
    pub(crate) fn find(&mut self, name: &ast::Name) -> Result<Option<Arc<Relation>>> {
        let env = self.statement_env()?;
        Ok(env.catalog.find(&object_name(name)?, &env.path)?.cloned())
    }

    /// Locks a relation and looks at it again: it may have changed while we waited.
    pub(crate) fn lock_and_refresh(
        &mut self,
        relation: &Relation,
        lock: TableLock,
    ) -> Result<Arc<Relation>> {
        self.lock(relation.oid, lock)?;
        self.catalog.refresh();
        self.catalog.snapshot().relation(relation.oid).cloned().ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_TABLE,
                format!("relation \"{}\" does not exist", relation.name),
            )
        })
    }

    /// A table of a name, locked ACCESS EXCLUSIVE.
    ///
    /// # Errors
    /// 42P01; 42809 if it is something else.
    pub(crate) fn owned_table(&mut self, name: &ast::Name) -> Result<Arc<Relation>> {
        let relation = self.resolve(name)?;
        Self::check_user_relation(&relation)?;
        if relation.kind != RelationKind::Table {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a table", relation.name),
            )
            .at(Position(name.span().start)));
        }
        self.lock_and_refresh(&relation, TableLock::AccessExclusive)
    }

    /// # Errors
    /// 42501 for system relations.
    pub(crate) fn check_user_relation(relation: &Relation) -> Result<()> {
        if relation.kind == RelationKind::System {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{}\" is a system catalog", relation.name),
            ));
        }
        Ok(())
    }

    /// Tells the client that something is there already and is left alone.
    pub(crate) fn skip_existing(&mut self, sqlstate: SqlState, what: &str) {
        self.notice(
            Level::Notice,
            Error::new(sqlstate, format!("{what} already exists, skipping")),
        );
    }

    /// Binds an expression of a definition, to find what is wrong with it; gives it with the columns it reads.
    pub(crate) fn bind_definition(
        &mut self,
        env: &Arc<StatementEnv>,
        prepared: &Prepared,
        expr: &ast::Expr,
        table: &str,
        columns: &[(String, SqlType)],
        purpose: ColumnUse<'_>,
    ) -> Result<(Expr, Vec<ColumnIndex>)> {
        let bound = self.with_plan_context(env, prepared.text(), &[], |ctx| {
            damask_planner::bind_column_expression(expr, table, columns, purpose, ctx)
        })?;
        let read = columns_read(&bound).into_iter().map(|id| ColumnIndex(id.0 as u16)).collect();
        Ok((bound, read))
    }

    /// Runs an internal query and says whether it gave a row, and the first value of it.
    pub(crate) fn probe(&mut self, text: &str) -> Result<Option<Value>> {
        let prepared = self.prepare(text, vec![])?;
        self.txn.as_mut().expect("a statement runs in a transaction").begin_statement()?;
        let mut execution = self.start(&prepared, &[])?;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        Ok(execution.next(txn)?.map(|batch| match batch.columns.first() {
            Some(column) => column.value(0),
            None => Value::Null,
        }))
    }

    /// Runs an internal statement to its end.
    pub(crate) fn run_internal(&mut self, text: &str) -> Result<u64> {
        let prepared = self.prepare(text, vec![])?;
        self.run_prepared_internal(&prepared, &[])
    }

    fn run_prepared_internal(&mut self, prepared: &Arc<Prepared>, params: &[Value]) -> Result<u64> {
        self.txn.as_mut().expect("a statement runs in a transaction").begin_statement()?;
        let mut execution = self.start(prepared, params)?;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        while execution.next(txn)?.is_some() {}
        Ok(execution.affected_rows())
    }

    /// A relation's qualified name as SQL.
    pub(crate) fn sql_name(&self, relation: &Relation) -> String {
        let quote = damask_catalog::ddl::quote_identifier;
        let schema = self.catalog.snapshot().schema_name(relation.schema);
        format!("{}.{}", quote(schema), quote(&relation.name))
    }
}

/// What a definition is called in messages.
fn command(statement: &Statement) -> String {
    match statement {
        Statement::Query(_) => "SELECT INTO".to_owned(),
        Statement::CreateTable(_) => "CREATE TABLE".to_owned(),
        Statement::CreateTableAs(_) => "CREATE TABLE AS".to_owned(),
        Statement::CreateIndex(_) => "CREATE INDEX".to_owned(),
        Statement::CreateView(_) => "CREATE VIEW".to_owned(),
        Statement::CreateSequence(_) => "CREATE SEQUENCE".to_owned(),
        Statement::AlterSequence(_) => "ALTER SEQUENCE".to_owned(),
        Statement::CreateSchema(_) => "CREATE SCHEMA".to_owned(),
        Statement::AlterTable(alter) => format!("ALTER {}", alter.object.as_str()),
        Statement::Rename(rename) => format!("ALTER {}", rename.relation.as_str()),
        Statement::SetSchema(set) => format!("ALTER {}", set.object.as_str()),
        Statement::ChangeOwner(change) => format!("ALTER {}", change.object.as_str()),
        Statement::Drop(drop) => format!("DROP {}", drop.object.as_str()),
        Statement::Truncate(_) => "TRUNCATE TABLE".to_owned(),
        Statement::Comment(_) => "COMMENT".to_owned(),
        Statement::CreateRole(_) => "CREATE ROLE".to_owned(),
        Statement::AlterRole(_) => "ALTER ROLE".to_owned(),
        _ => "this command".to_owned(),
    }
}

/// A syntax tree's name as the catalog looks it up.
///
/// # Errors
/// 42601 for more than three parts.
pub(crate) fn object_name(name: &ast::Name) -> Result<ObjectName> {
    if name.0.len() > 3 {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            format!("improper qualified name (too many dotted names): {name}"),
        )
        .at(Position(name.span().start)));
    }
    damask_planner::without_database(&name.0, || format!("\"{name}\""))
        .map_err(|error| error.at(Position(name.span().start)))?;
    Ok(ObjectName {
        schema: name.qualifier().map(|schema| schema.as_str().to_owned()),
        name: name.base().as_str().to_owned(),
    })
}
