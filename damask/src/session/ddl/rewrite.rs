//! ALTER COLUMN TYPE where values change: the table's rows go into new storage.
//!
//! The old storage is dropped, with its indexes, when the transaction commits. Every row is held in memory between reading and
//! writing.

use super::super::Session;
use super::super::plan::Prepared;
use damask_catalog::ddl::quote_identifier;
use damask_catalog::object::{Column, Index, Relation};
use damask_planner::ColumnUse;
use damask_sql::ast;
use damask_txn::{AliasKey, IndexDesc, KeyColumn, RelationDesc};
use damask_types::format::format_type;
use damask_types::{
    Batch, ColumnIndex, Error, Oid, RelId, Result, SqlState, SqlType, TypeId, Value, Vector,
};
use std::sync::Arc;

impl Session {
    /// Gives a column another type, its values converted by `using` or by an assignment cast.
    pub(super) fn rewrite_type(
        &mut self,
        prepared: &Prepared,
        relation: &Arc<Relation>,
        column: ColumnIndex,
        ty: SqlType,
        using: Option<&ast::Expr>,
    ) -> Result<()> {
        let name = relation.columns[usize::from(column.0)].name.clone();
        let (_, views) = self.catalog.dependents(relation.oid);
        if let Some(view) = views.first().and_then(|view| self.catalog.snapshot().relation(*view)) {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot alter type of a column used by a view or rule",
            )
            .detail(format!(
                "rule _RETURN on view {} depends on column \"{name}\"",
                self.catalog.qualified(view)
            )));
        }
        let is_integer = matches!(ty.id, TypeId::Int2 | TypeId::Int4 | TypeId::Int8);
        if relation.alias == Some(column) && !is_integer {
            return Err(Error::unsupported(
                "changing an integer primary key column to another kind of type",
            ));
        }
        let quoted = quote_identifier(&name);
        let value = match using {
            Some(expr) => {
                let span = expr.span.start as usize..expr.span.end as usize;
                prepared.text().get(span).unwrap_or("").to_owned()
            }
            None => quoted.clone(),
        };
        let plain = damask_sql::parse_expression(&quoted)
            .map_err(|error| damask_planner::parse_error(&error))?;
        let columns: Vec<(String, SqlType)> =
            relation.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        let env = self.statement_env()?;
        let purpose = ColumnUse::Using(&name, ty);
        let expr = using.unwrap_or(&plain);
        let bound = self.bind_definition(&env, prepared, expr, &relation.name, &columns, purpose);
        bound.map_err(|error| match using {
            None if error.sqlstate() == SqlState::DATATYPE_MISMATCH => {
                let target = format_type(ty);
                Error::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!("column \"{name}\" cannot be cast automatically to type {target}"),
                )
                .hint(format!("You might need to specify \"USING {quoted}::{target}\"."))
            }
            _ => error,
        })?;
        let exprs: Vec<String> = relation
            .live_columns()
            .map(|(number, other)| {
                if number == column {
                    format!("({value})::{}", format_type(ty))
                } else {
                    quote_identifier(&other.name)
                }
            })
            .collect();
        let mut columns = relation.columns.clone();
        columns[usize::from(column.0)].ty = ty;
        self.rewrite_table(relation.oid, columns, &exprs)
    }

    /// Replaces the columns and rows of a table. `exprs` has the text of each new live column over the old row.
    fn rewrite_table(&mut self, oid: Oid, columns: Vec<Column>, exprs: &[String]) -> Result<()> {
        let old = self.catalog.owned(oid);
        let query = format!("SELECT {} FROM {}", exprs.join(", "), self.sql_name(&old));
        let batches = self.collect_internal(&query)?;
        let mut new = old.clone();
        new.columns = columns;
        for column in &mut new.columns {
            column.missing = Value::Null;
        }
        let alias = new.alias.map(|column| AliasKey {
            column,
            name: new.primary_key().map_or_else(String::new, |index| index.name.clone()),
            column_name: new.columns[usize::from(column.0)].name.clone(),
        });
        let types = new.columns.iter().map(|column| column.ty).collect();
        let engine = Arc::clone(self.database.shared.catalog.engine());
        self.change(|catalog, txn| {
            new.rel =
                txn.create_relation(RelationDesc { columns: types, alias, indexes: vec![] })?;
            let table = engine.table(new.rel)?;
            for batch in batches {
                table.insert_batch(txn, &with_dropped(&new, batch))?;
            }
            let mut indexes = vec![];
            for index in &new.indexes {
                let rel = match index.rel {
                    RelId(0) => RelId(0),
                    _ => txn.add_index(new.rel, index_desc(&new, index))?,
                };
                indexes.push(Arc::new(Index { rel, ..Index::clone(index) }));
            }
            new.indexes = indexes;
            txn.drop_relation(old.rel)?;
            catalog.put_relation(txn, new)?;
            Ok(())
        })
    }

    /// The rows of an internal query.
    fn collect_internal(&mut self, text: &str) -> Result<Vec<Batch>> {
        let prepared = self.prepare(text, vec![])?;
        self.txn.as_mut().expect("a statement runs in a transaction").begin_statement()?;
        let mut execution = self.start(&prepared, &[])?;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        let mut batches = vec![];
        while let Some(batch) = execution.next(txn)? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// How the engine makes an index.
fn index_desc(relation: &Relation, index: &Index) -> IndexDesc {
    let name = |column: ColumnIndex| relation.columns[usize::from(column.0)].name.clone();
    let key = |key: &damask_catalog::object::IndexKey| KeyColumn {
        column: key.column,
        descending: key.descending,
        nulls_first: key.nulls_first,
    };
    IndexDesc {
        name: index.name.clone(),
        keys: index.keys.iter().map(key).collect(),
        key_names: index.keys.iter().map(|key| name(key.column)).collect(),
        unique: index.unique,
        nulls_not_distinct: index.nulls_not_distinct,
    }
}

/// A batch of live columns with nulls for the dropped ones.
fn with_dropped(relation: &Relation, batch: Batch) -> Batch {
    let rows = batch.rows();
    let mut live = batch.columns.into_iter();
    let columns = relation
        .columns
        .iter()
        .map(|column| {
            if column.dropped {
                Vector::nulls(column.ty.id, rows)
            } else {
                live.next().expect("the query has every live column")
            }
        })
        .collect();
    Batch::new(columns, rows)
}
