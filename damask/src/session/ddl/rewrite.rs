//! Tables written anew: ALTER COLUMN TYPE where values change, and an integer primary key that is dropped, whose values were
//! the row ids. The rows go into new storage.
//!
//! The old storage is dropped, with its indexes, when the transaction commits. Every row is held in memory between reading and
//! writing.

use super::super::Session;
use super::super::plan::Prepared;
use super::parameters::{codec_of, engine_of};
use damask_catalog::ddl::{index_desc, quote_identifier};
use damask_catalog::object::{Column, Index, Relation};
use damask_planner::{ColumnUse, rebind_index_text};
use damask_sql::ast;
use damask_txn::{AliasKey, RelationDesc};
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
        let quoted = quote_identifier(&name);
        let value = match using {
            Some(expr) => {
                let span = expr.span.start as usize..expr.span.end as usize;
                prepared.text().get(span).unwrap_or("").to_owned()
            }
            None => quoted.clone(),
        };
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
        let is_integer = matches!(ty.id, TypeId::Int2 | TypeId::Int4 | TypeId::Int8);
        let alias = relation.alias.filter(|&alias| alias != column || is_integer);
        self.rewrite_table(relation.oid, columns, alias, &exprs)
    }

    /// # Errors
    /// 42804 for a value, a default or a foreign key that does not fit a column's new type; 0A000 if a view reads the column.
    pub(super) fn check_type_change(
        &mut self,
        prepared: &Prepared,
        relation: &Arc<Relation>,
        column: ColumnIndex,
        ty: SqlType,
        using: Option<&ast::Expr>,
    ) -> Result<()> {
        let definition = &relation.columns[usize::from(column.0)];
        let name = &definition.name;
        let quoted = quote_identifier(name);
        let parse = |text: &str| {
            damask_sql::parse_expression(text).map_err(|error| damask_planner::parse_error(&error))
        };
        let plain = parse(&quoted)?;
        let columns: Vec<(String, SqlType)> =
            relation.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        let env = self.statement_env()?;
        let purpose = ColumnUse::Using(name, ty);
        let expr = using.unwrap_or(&plain);
        let bound = self.bind_definition(&env, prepared, expr, &relation.name, &columns, purpose);
        let cannot_cast = |what: &str| {
            Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "{what} \"{name}\" cannot be cast automatically to type {}",
                    format_type(ty)
                ),
            )
        };
        bound.map_err(|error| match using {
            None if error.sqlstate() == SqlState::DATATYPE_MISMATCH => cannot_cast("column").hint(
                format!("You might need to specify \"USING {quoted}::{}\".", format_type(ty)),
            ),
            _ => error,
        })?;
        if let Some(view) = self
            .catalog
            .snapshot()
            .user_relations()
            .into_iter()
            .find(|view| view.reads(relation.oid, Some(column)))
        {
            return Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot alter type of a column used by a view or rule",
            )
            .detail(format!(
                "rule _RETURN on view {} depends on column \"{name}\"",
                self.catalog.qualified(view)
            )));
        }
        if let Some(default) =
            definition.default.as_deref().filter(|_| definition.identity.is_none())
        {
            let default = parse(default)?;
            let purpose = ColumnUse::Default(name, ty);
            self.bind_definition(&env, prepared, &default, &relation.name, &[], purpose).map_err(
                |error| {
                    if error.sqlstate() == SqlState::DATATYPE_MISMATCH {
                        return cannot_cast("default for column");
                    }
                    error
                },
            )?;
        }
        let mut changed = Relation::clone(relation);
        changed.columns[usize::from(column.0)].ty = ty;
        self.catalog.check_foreign_keys(&changed)
    }

    /// Takes the row ids of a table from its integer primary key, which is no more: rows are numbered like those of tables
    /// without one.
    pub(super) fn number_rows(&mut self, oid: Oid) -> Result<()> {
        let relation = self.present(oid);
        let exprs: Vec<String> =
            relation.live_columns().map(|(_, column)| quote_identifier(&column.name)).collect();
        self.rewrite_table(oid, relation.columns.clone(), None, &exprs)
    }

    /// Replaces the columns and rows of a table. `exprs` has the text of each new live column over the old row, `alias` the
    /// column whose values are the row ids.
    fn rewrite_table(
        &mut self,
        oid: Oid,
        columns: Vec<Column>,
        alias: Option<ColumnIndex>,
        exprs: &[String],
    ) -> Result<()> {
        let old = self.catalog.owned(oid);
        let query = format!("SELECT {} FROM {}", exprs.join(", "), self.sql_name(&old));
        let batches = self.collect_internal(&query)?;
        let mut new = old.clone();
        (new.columns, new.alias) = (columns, alias);
        for column in &mut new.columns {
            column.missing = Value::Null;
        }
        let alias = new.alias.map(|column| AliasKey {
            column,
            name: new.primary_key().map_or_else(String::new, |index| index.name.clone()),
            column_name: new.columns[usize::from(column.0)].name.clone(),
        });
        let types = new.columns.iter().map(|column| column.ty).collect();
        let (codec, table_engine) = (codec_of(&new.parameters), engine_of(&new.parameters));
        let engine = Arc::clone(self.database.shared.catalog.engine());
        self.change(|catalog, txn| {
            new.rel = txn.create_relation(RelationDesc {
                columns: types,
                alias,
                indexes: vec![],
                codec,
                engine: table_engine,
            })?;
            let table = engine.table(new.rel)?;
            for batch in batches {
                table.insert_batch(txn, &with_dropped(&new, batch))?;
            }
            let mut indexes = vec![];
            for index in &rebound(&new)? {
                let rel = match index.rel {
                    RelId(0) if new.alias.is_some() => RelId(0),
                    _ => txn.add_index(new.rel, index_desc(&new, index))?,
                };
                indexes.push(Arc::new(Index { rel, ..index.clone() }));
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

/// A table's indexes, what they compute bound to the present types of its columns.
fn rebound(relation: &Relation) -> Result<Vec<Index>> {
    let types: Vec<SqlType> = relation.columns.iter().map(|column| column.ty).collect();
    let again = |index: &Arc<Index>| {
        let mut index = Index::clone(index);
        for expr in &mut index.exprs {
            (expr.text, expr.ty) = rebind_index_text(&expr.text, &types)?;
        }
        if let Some(predicate) = &mut index.predicate {
            (*predicate, _) = rebind_index_text(predicate, &types)?;
        }
        Ok(index)
    };
    relation.indexes.iter().map(again).collect()
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
