//! Objects as SQL text: `pg_get_indexdef`, `pg_get_constraintdef` and their kin.

use super::SystemContext;
use super::classes::{constraint_of, qualified_always, qualified_name};
use crate::ddl::{index_expr_text, quote_identifier};
use crate::object::{Constraint, ConstraintKind, ForeignKeyAction, Index, KeySource, Relation};
use crate::template;
use damask_types::{ColumnIndex, Oid};

/// `CREATE INDEX` for an index, the table's name qualified.
pub(super) fn index_definition(
    ctx: &SystemContext<'_>,
    relation: &Relation,
    index: &Index,
    is_pretty: bool,
) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let keys: Vec<String> =
        (0..index.keys.len()).map(|i| index_key(relation, index, i, true, is_pretty)).collect();
    let table = quote_identifier(&relation.name);
    let table = if is_pretty {
        qualified_name(ctx, relation)
    } else {
        qualified_always(ctx, relation, &table)
    };
    let mut out = format!(
        "CREATE {unique}INDEX {} ON {table} USING {} ({})",
        quote_identifier(&index.name),
        index.method.name(),
        keys.join(", ")
    );
    if !index.included.is_empty() {
        out.extend([" INCLUDE (", &column_list(relation, &index.included), ")"]);
    }
    if index.nulls_not_distinct {
        out.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        let predicate = named(relation, predicate);
        let predicate = if is_pretty { template::pretty(&predicate) } else { predicate };
        out.extend([" WHERE ", &predicate]);
    }
    out
}

/// An index's expression or predicate with the names of its columns.
pub(super) fn named(relation: &Relation, text: &str) -> String {
    template::named(text, |column| quote_identifier(&relation.columns[usize::from(column.0)].name))
}

/// One key column of an index, with its order if asked for.
fn index_key(
    relation: &Relation,
    index: &Index,
    i: usize,
    with_order: bool,
    is_pretty: bool,
) -> String {
    let key = index.keys[i];
    let mut out = match key.source {
        KeySource::Column(column) => {
            quote_identifier(&relation.columns[usize::from(column.0)].name)
        }
        KeySource::Expr(place) => index_expr_text(relation, &index.exprs[place].text, is_pretty),
    };
    if with_order {
        if key.descending {
            out.push_str(" DESC");
        }
        // NULLS FIRST is the default of DESC, NULLS LAST of ASC.
        match (key.descending, key.nulls_first) {
            (false, true) => out.push_str(" NULLS FIRST"),
            (true, false) => out.push_str(" NULLS LAST"),
            (false, false) | (true, true) => {}
        }
    }
    out
}

fn column_list(relation: &Relation, columns: &[ColumnIndex]) -> String {
    let names: Vec<String> = columns
        .iter()
        .map(|column| quote_identifier(&relation.columns[usize::from(column.0)].name))
        .collect();
    names.join(", ")
}

/// The constraint as `ALTER TABLE ... ADD` takes it.
pub(super) fn constraint_definition(
    ctx: &SystemContext<'_>,
    relation: &Relation,
    constraint: &Constraint,
) -> String {
    let mut out = demand(ctx, relation, constraint);
    if constraint.timing.deferrable {
        out.push_str(" DEFERRABLE");
    }
    if constraint.timing.deferred {
        out.push_str(" INITIALLY DEFERRED");
    }
    out
}

/// The INCLUDE clause of a constraint's index.
fn carried(relation: &Relation, index: Oid) -> String {
    let index = relation.indexes.iter().find(|candidate| candidate.oid == index);
    match index.map(|index| &index.included[..]) {
        None | Some([]) => String::new(),
        Some(columns) => format!(" INCLUDE ({})", column_list(relation, columns)),
    }
}

/// What a constraint demands.
fn demand(ctx: &SystemContext<'_>, relation: &Relation, constraint: &Constraint) -> String {
    match &constraint.kind {
        ConstraintKind::Check { expr, .. } => format!("CHECK ({expr})"),
        ConstraintKind::PrimaryKey { columns, index } => {
            format!("PRIMARY KEY ({}){}", column_list(relation, columns), carried(relation, *index))
        }
        ConstraintKind::Unique { columns, index } => {
            let nulls = relation
                .indexes
                .iter()
                .any(|candidate| candidate.oid == *index && candidate.nulls_not_distinct);
            let nulls = if nulls { " NULLS NOT DISTINCT" } else { "" };
            let columns = column_list(relation, columns);
            format!("UNIQUE{nulls} ({columns}){}", carried(relation, *index))
        }
        ConstraintKind::ForeignKey {
            columns,
            target,
            target_columns,
            on_update,
            on_delete,
            match_full,
            ..
        } => {
            let Some(target) = ctx.snapshot.relation(*target) else {
                return String::new();
            };
            let mut out = format!(
                "FOREIGN KEY ({}) REFERENCES {}({})",
                column_list(relation, columns),
                qualified_name(ctx, target),
                column_list(target, target_columns)
            );
            if *match_full {
                out.push_str(" MATCH FULL");
            }
            for (event, action) in [("UPDATE", on_update), ("DELETE", on_delete)] {
                if let Some(action) = action_name(*action) {
                    out.extend([" ON ", event, " ", action]);
                }
            }
            out
        }
    }
}

/// A referential action as SQL; the default is left out.
fn action_name(action: ForeignKeyAction) -> Option<&'static str> {
    Some(match action {
        ForeignKeyAction::NoAction => return None,
        ForeignKeyAction::Restrict => "RESTRICT",
        ForeignKeyAction::Cascade => "CASCADE",
        ForeignKeyAction::SetNull => "SET NULL",
        ForeignKeyAction::SetDefault => "SET DEFAULT",
    })
}

/// What `pg_get_indexdef(index, column, pretty)` gives; column 0 is the whole.
pub(super) fn indexdef(
    ctx: &SystemContext<'_>,
    oid: Oid,
    column: i64,
    is_pretty: bool,
) -> Option<String> {
    let (relation, index) = ctx.snapshot.index(oid)?;
    if column == 0 {
        return Some(index_definition(ctx, relation, index, is_pretty));
    }
    let i = usize::try_from(column - 1).ok()?;
    if let Some(included) = i.checked_sub(index.keys.len()) {
        let column = index.included.get(included)?;
        return Some(column_list(relation, &[*column]));
    }
    Some(index_key(relation, index, i, false, is_pretty))
}

/// Whether an index serves a constraint.
pub(super) fn is_constraint_index(relation: &Relation, index: &Index) -> bool {
    constraint_of(relation, index).is_some()
}
