//! Indexes: made, filled, built again, dropped.

use super::{CatalogTxn, NewIndex, quote_identifier};
use crate::object::{Index, IndexKey, IndexMethod, KeySource, Relation};
use crate::template;
use damask_txn::{IndexDesc, KeyColumn, Txn};
use damask_types::{ColumnIndex, Oid, RelId, Result};
use std::sync::Arc;

impl CatalogTxn {
    /// An index built from the table's rows.
    ///
    /// # Errors
    /// 42P07 if the name is taken, 23505 if it is unique and the rows are not.
    pub fn create_index(&mut self, txn: &mut Txn, table: Oid, new: NewIndex) -> Result<Arc<Index>> {
        let relation =
            Arc::clone(self.current.relation(table).expect("the caller resolved the table"));
        let name = new.name.clone().unwrap_or_else(|| {
            let column =
                |column: ColumnIndex| relation.columns[usize::from(column.0)].name.as_str();
            let mut parts = vec![relation.name.as_str()];
            parts.extend(new.keys.iter().map(|key| match key.source {
                KeySource::Column(number) => column(number),
                KeySource::Expr(place) => new.exprs[place].name.as_str(),
            }));
            parts.extend(new.included.iter().map(|&number| column(number)));
            self.choose_name(relation.schema, &parts, "idx")
        });
        self.build_index(txn, table, name, new, false)
    }

    pub(super) fn build_index(
        &mut self,
        txn: &mut Txn,
        table: Oid,
        name: String,
        new: NewIndex,
        primary: bool,
    ) -> Result<Arc<Index>> {
        let mut relation = self.owned(table);
        self.check_name_free(relation.schema, &name)?;
        let mut index = Index {
            oid: self.new_oid()?,
            name,
            table,
            rel: RelId(0),
            keys: new.keys,
            included: new.included,
            exprs: new.exprs,
            predicate: new.predicate,
            unique: new.unique,
            primary,
            nulls_not_distinct: new.nulls_not_distinct,
            method: new.method,
            valid: !new.concurrently,
            immediate: !new.deferrable,
        };
        // The primary key of an alias table is the row id itself.
        if !primary || relation.alias.is_none() {
            let made = txn.add_index(relation.rel, index_desc(&relation, &index));
            index.rel = made.map_err(|error| {
                error.table(self.current.schema_name(relation.schema), relation.name.as_str())
            })?;
        }
        let index = Arc::new(index);
        relation.indexes.push(Arc::clone(&index));
        self.put_relation(txn, relation)?;
        Ok(index)
    }

    /// An index that was made `concurrently` has every row now.
    pub fn finish_index(&mut self, txn: &mut Txn, oid: Oid) -> Result<()> {
        self.change_index(txn, oid, |rel, index, txn| {
            txn.finish_index(rel, index.rel)?;
            index.valid = true;
            Ok(())
        })
    }

    /// Takes the storage of an index that could not be filled; its name stays.
    pub fn empty_index(&mut self, txn: &mut Txn, oid: Oid) -> Result<()> {
        self.change_index(txn, oid, |rel, index, txn| {
            if !index.valid && index.rel != RelId(0) {
                txn.drop_index(rel, std::mem::replace(&mut index.rel, RelId(0)))?;
            }
            Ok(())
        })
    }

    /// Builds an index again. The caller holds ACCESS EXCLUSIVE on its table.
    ///
    /// # Errors
    /// 23505.
    pub fn rebuild_index(&mut self, txn: &mut Txn, oid: Oid) -> Result<()> {
        let Some((relation, _)) = self.current.index(oid) else {
            return Ok(());
        };
        let relation = Arc::clone(relation);
        let schema = self.current.schema_name(relation.schema).to_owned();
        self.change_index(txn, oid, |rel, index, txn| {
            // The primary key that is the row id has no storage, and wants none.
            if index.valid && index.rel == RelId(0) {
                return Ok(());
            }
            index.valid = true;
            let made = txn.add_index(rel, index_desc(&relation, index));
            let made = made.map_err(|error| error.table(schema, relation.name.as_str()))?;
            let old = std::mem::replace(&mut index.rel, made);
            if old == RelId(0) { Ok(()) } else { txn.drop_index(rel, old) }
        })
    }

    /// Gives an index the storage of another one of the same keys, which gets that of the first and is not valid.
    pub fn swap_indexes(&mut self, txn: &mut Txn, oid: Oid, other: Oid) -> Result<()> {
        let Some((table, _)) = self.current.index(oid) else {
            return Ok(());
        };
        let mut relation = self.owned(table.oid);
        let at = |oid: Oid| relation.indexes.iter().position(|index| index.oid == oid);
        let (Some(first), Some(second)) = (at(oid), at(other)) else {
            return Ok(());
        };
        let (mut one, mut two) =
            (Index::clone(&relation.indexes[first]), Index::clone(&relation.indexes[second]));
        std::mem::swap(&mut one.rel, &mut two.rel);
        // Nobody is to plan with the second from here on.
        (one.valid, two.valid) = (true, false);
        for index in [&one, &two] {
            if index.rel != RelId(0) {
                let names = index_key_names(&relation, index);
                txn.rename_index(relation.rel, index.rel, index.name.clone(), names)?;
            }
        }
        relation.indexes[first] = Arc::new(one);
        relation.indexes[second] = Arc::new(two);
        self.put_relation(txn, relation).map(drop)
    }

    fn change_index(
        &mut self,
        txn: &mut Txn,
        oid: Oid,
        change: impl FnOnce(RelId, &mut Index, &mut Txn) -> Result<()>,
    ) -> Result<()> {
        let Some((table, _)) = self.current.index(oid) else {
            return Ok(());
        };
        let mut relation = self.owned(table.oid);
        if let Some(index) = relation.indexes.iter_mut().find(|index| index.oid == oid) {
            change(relation.rel, Arc::make_mut(index), txn)?;
        }
        self.put_relation(txn, relation).map(drop)
    }

    /// A name for the new storage of an index while it is built beside the old.
    pub fn transient_name(&self, index: &Index) -> String {
        let schema = self.current.index(index.oid).map_or(Oid::NONE, |(table, _)| table.schema);
        self.choose_name(schema, &[index.name.as_str()], "ccnew")
    }

    /// Drops an index that belongs to no constraint.
    pub fn drop_index(&mut self, txn: &mut Txn, oid: Oid) -> Result<()> {
        let Some((table, index)) = self.current.index(oid) else {
            return Ok(());
        };
        let (table, rel) = (table.oid, index.rel);
        let mut relation = self.owned(table);
        relation.indexes.retain(|index| index.oid != oid);
        if rel != RelId(0) {
            txn.drop_index(relation.rel, rel)?;
        }
        self.put_relation(txn, relation)?;
        Ok(())
    }

    // Roles and comments.
}

/// How the engine makes an index.
pub fn index_desc(relation: &Relation, index: &Index) -> IndexDesc {
    let mut keys: Vec<KeyColumn> = index
        .keys
        .iter()
        .map(|key| KeyColumn {
            source: match key.source {
                KeySource::Column(column) => damask_txn::KeySource::Column(column),
                KeySource::Expr(place) => {
                    damask_txn::KeySource::Computed(place as u16, index.exprs[place].ty)
                }
            },
            descending: key.descending,
            nulls_first: key.nulls_first,
        })
        .collect();
    keys.extend(index.included.iter().map(|&column| KeyColumn::ascending(column)));
    IndexDesc {
        name: index.name.clone(),
        keys,
        key_names: index_key_names(relation, index),
        unique: index.unique,
        deferrable: !index.immediate,
        hash: index.method == IndexMethod::Hash,
        building: !index.valid,
        nulls_not_distinct: index.nulls_not_distinct,
        included: index.included.len(),
        exprs: index.exprs.iter().map(|expr| expr.text.clone()).collect(),
        predicate: index.predicate.clone(),
    }
}

/// What errors call the keys of an index, and the columns that it carries.
pub fn index_key_names(relation: &Relation, index: &Index) -> Vec<String> {
    let column = |column: ColumnIndex| relation.columns[usize::from(column.0)].name.clone();
    let key = |key: &IndexKey| match key.source {
        KeySource::Column(number) => column(number),
        KeySource::Expr(place) => index_expr_text(relation, &index.exprs[place].text, true),
    };
    let included = index.included.iter().map(|&number| column(number));
    index.keys.iter().map(key).chain(included).collect()
}

/// A key expression as the definition of its index shows it: in parentheses unless it is a call.
pub fn index_expr_text(relation: &Relation, text: &str, is_pretty: bool) -> String {
    let text = template::named(text, |column| {
        quote_identifier(&relation.columns[usize::from(column.0)].name)
    });
    let text = if is_pretty { template::pretty(&text) } else { text };
    if template::is_call(&text) { text } else { format!("({text})") }
}
