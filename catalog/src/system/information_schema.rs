//! The relations of `information_schema`.
//!
//! Types and lengths follow the standard's rules as PostgreSQL applies them; privileges do not hide anything yet.

use super::SystemContext;
use super::classes::kind_letter;
use super::describe;
use super::row::{Rows, text, text_or_null, yes_or_no};
use crate::object::{
    Column, Constraint, ConstraintKind, ForeignKeyAction, Identity, Relation, RelationKind, Timing,
};
use damask_types::{ColumnIndex, SqlType, TypeId, Value};

fn number(value: i32) -> Value {
    Value::Int4(value)
}

/// Catalog and schema of a relation, under a prefix such as `table_`.
fn place(ctx: &SystemContext<'_>, relation: &Relation) -> (Value, Value) {
    (text(ctx.database), text(ctx.snapshot.schema_name(relation.schema)))
}

pub(super) fn schemata(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for schema in ctx.snapshot.schemas() {
        rows.push(&[
            ("catalog_name", text(ctx.database)),
            ("schema_name", text(&schema.name)),
            ("schema_owner", text(ctx.role_name(schema.owner))),
        ]);
    }
}

pub(super) fn tables(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.all_relations() {
        let kind = kind_letter(relation);
        let is_temp = ctx.snapshot.is_temp(relation.schema);
        if kind == 'S' || (is_temp && ctx.path.temp != Some(relation.schema)) {
            continue;
        }
        let table_type = match kind {
            _ if is_temp => "LOCAL TEMPORARY",
            'v' => "VIEW",
            _ => "BASE TABLE",
        };
        let (catalog, schema) = place(ctx, relation);
        rows.push(&[
            ("table_catalog", catalog),
            ("table_schema", schema),
            ("table_name", text(&relation.name)),
            ("table_type", text(table_type)),
            ("is_insertable_into", yes_or_no(kind == 'r')),
            ("is_typed", yes_or_no(false)),
            ("commit_action", if is_temp { text("PRESERVE") } else { Value::Null }),
        ]);
    }
}

pub(super) fn views(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.all_relations() {
        if kind_letter(relation) == 'v' {
            let (catalog, schema) = place(ctx, relation);
            rows.push(&[
                ("table_catalog", catalog),
                ("table_schema", schema),
                ("table_name", text(&relation.name)),
                ("view_definition", text_or_null(relation.view.as_ref())),
                ("check_option", text("NONE")),
                ("is_updatable", yes_or_no(false)),
                ("is_insertable_into", yes_or_no(false)),
                ("is_trigger_updatable", yes_or_no(false)),
                ("is_trigger_deletable", yes_or_no(false)),
                ("is_trigger_insertable_into", yes_or_no(false)),
            ]);
        }
    }
}

/// The standard's name of a type.
fn data_type(ty: TypeId) -> String {
    if ty.is_array() && ty.info().name.starts_with('_') {
        return "ARRAY".to_owned();
    }
    damask_types::format::format_type(SqlType::plain(ty))
}

pub(super) fn columns(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.all_relations() {
        if relation.kind == RelationKind::Sequence {
            continue;
        }
        let is_table = kind_letter(relation) == 'r';
        for (i, column) in relation.live_columns() {
            let (catalog, schema) = place(ctx, relation);
            let mut row = vec![
                ("table_catalog", catalog),
                ("table_schema", schema),
                ("table_name", text(&relation.name)),
                ("column_name", text(&column.name)),
                ("ordinal_position", number(i32::from(i.0) + 1)),
                ("column_default", text_or_null(column.default.as_ref())),
                ("is_nullable", yes_or_no(!column.not_null)),
                ("data_type", text(data_type(column.ty.id))),
                ("udt_catalog", text(ctx.database)),
                ("udt_schema", text("pg_catalog")),
                ("udt_name", text(column.ty.id.name())),
                ("dtd_identifier", text((i.0 + 1).to_string())),
                ("is_self_referencing", yes_or_no(false)),
                ("is_identity", yes_or_no(column.identity.is_some())),
                ("identity_cycle", yes_or_no(false)),
                ("is_generated", text("NEVER")),
                ("is_updatable", yes_or_no(is_table)),
            ];
            row.extend(lengths(column));
            row.extend(identity(ctx, column));
            rows.push(&row);
        }
    }
}

/// Lengths, precisions and scales of a column's type.
fn lengths(column: &Column) -> Vec<(&'static str, Value)> {
    let SqlType { id, typmod } = column.ty;
    let numeric = |precision: i32, radix: i32, scale: Value| {
        vec![
            ("numeric_precision", number(precision)),
            ("numeric_precision_radix", number(radix)),
            ("numeric_scale", scale),
        ]
    };
    match id {
        TypeId::Varchar | TypeId::BpChar if typmod >= 4 => vec![
            ("character_maximum_length", number(typmod - 4)),
            ("character_octet_length", number((typmod - 4) * 4)),
        ],
        TypeId::Text | TypeId::Varchar => vec![("character_octet_length", number(1 << 30))],
        TypeId::Int2 => numeric(16, 2, number(0)),
        TypeId::Int4 => numeric(32, 2, number(0)),
        TypeId::Int8 => numeric(64, 2, number(0)),
        TypeId::Float4 => numeric(24, 2, Value::Null),
        TypeId::Float8 => numeric(53, 2, Value::Null),
        TypeId::Numeric => match column.ty.numeric_shape() {
            Some((precision, scale)) => numeric(precision.into(), 10, number(scale.into())),
            None => vec![("numeric_precision_radix", number(10))],
        },
        TypeId::Date => vec![("datetime_precision", number(0))],
        TypeId::Time
        | TypeId::TimeTz
        | TypeId::Timestamp
        | TypeId::TimestampTz
        | TypeId::Interval => {
            let precision = if typmod >= 0 { typmod & 0xffff } else { 6 };
            vec![("datetime_precision", number(precision.min(6)))]
        }
        _ => vec![],
    }
}

fn identity(ctx: &SystemContext<'_>, column: &Column) -> Vec<(&'static str, Value)> {
    let Some(identity) = column.identity else {
        return vec![];
    };
    let mut row = vec![(
        "identity_generation",
        text(match identity {
            Identity::Always => "ALWAYS",
            Identity::ByDefault => "BY DEFAULT",
        }),
    )];
    let sequence = column
        .sequence
        .and_then(|oid| ctx.snapshot.relation(oid))
        .and_then(|relation| relation.sequence.as_ref());
    if let Some(sequence) = sequence {
        row.extend([
            ("identity_start", text(sequence.start.to_string())),
            ("identity_increment", text(sequence.increment.to_string())),
            ("identity_maximum", text(sequence.max.to_string())),
            ("identity_minimum", text(sequence.min.to_string())),
            ("identity_cycle", yes_or_no(sequence.cycle)),
        ]);
    }
    row
}

/// Every constraint of every table.
fn each_constraint(ctx: &SystemContext<'_>, mut f: impl FnMut(&Relation, &Constraint)) {
    for relation in ctx.snapshot.user_relations() {
        for constraint in &relation.constraints {
            f(relation, constraint);
        }
    }
}

pub(super) fn table_constraints(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let mut push = |relation: &Relation, name: &str, kind: &str, timing: Timing| {
        let (catalog, schema) = place(ctx, relation);
        rows.push(&[
            ("constraint_catalog", catalog.clone()),
            ("constraint_schema", schema.clone()),
            ("constraint_name", text(name)),
            ("table_catalog", catalog),
            ("table_schema", schema),
            ("table_name", text(&relation.name)),
            ("constraint_type", text(kind)),
            ("is_deferrable", yes_or_no(timing.deferrable)),
            ("initially_deferred", yes_or_no(timing.deferred)),
            ("enforced", yes_or_no(true)),
        ]);
    };
    each_constraint(ctx, |relation, constraint| {
        let kind = match constraint.kind {
            ConstraintKind::Check { .. } => "CHECK",
            ConstraintKind::PrimaryKey { .. } => "PRIMARY KEY",
            ConstraintKind::Unique { .. } => "UNIQUE",
            ConstraintKind::ForeignKey { .. } => "FOREIGN KEY",
        };
        push(relation, &constraint.name, kind, constraint.timing);
    });
    for relation in ctx.snapshot.user_relations() {
        for (i, column) in relation.live_columns().filter(|(_, column)| column.not_null) {
            let _ = column;
            push(relation, &not_null_name(relation, i), "CHECK", Timing::default());
        }
    }
}

/// The name that PostgreSQL's view makes up for a NOT NULL.
fn not_null_name(relation: &Relation, column: ColumnIndex) -> String {
    format!("{}_{}_{}_not_null", relation.schema.0, relation.oid.0, column.0 + 1)
}

pub(super) fn check_constraints(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    each_constraint(ctx, |relation, constraint| {
        if let ConstraintKind::Check { expr, .. } = &constraint.kind {
            let (catalog, schema) = place(ctx, relation);
            rows.push(&[
                ("constraint_catalog", catalog),
                ("constraint_schema", schema),
                ("constraint_name", text(&constraint.name)),
                ("check_clause", text(format!("({expr})"))),
            ]);
        }
    });
    for relation in ctx.snapshot.user_relations() {
        for (i, column) in relation.live_columns().filter(|(_, column)| column.not_null) {
            let (catalog, schema) = place(ctx, relation);
            rows.push(&[
                ("constraint_catalog", catalog),
                ("constraint_schema", schema),
                ("constraint_name", text(not_null_name(relation, i))),
                ("check_clause", text(format!("{} IS NOT NULL", column.name))),
            ]);
        }
    }
}

pub(super) fn key_column_usage(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    each_constraint(ctx, |relation, constraint| {
        if matches!(constraint.kind, ConstraintKind::Check { .. }) {
            return;
        }
        let target_place = |i: usize| match &constraint.kind {
            // The place of the referenced column in its unique key.
            ConstraintKind::ForeignKey { target_columns, target_index, .. } => {
                let (_, index) = ctx.snapshot.index(*target_index)?;
                index.keys.iter().position(|key| key.column() == Some(target_columns[i]))
            }
            _ => None,
        };
        for (i, column) in constraint.kind.columns().iter().enumerate() {
            let (catalog, schema) = place(ctx, relation);
            rows.push(&[
                ("constraint_catalog", catalog.clone()),
                ("constraint_schema", schema.clone()),
                ("constraint_name", text(&constraint.name)),
                ("table_catalog", catalog),
                ("table_schema", schema),
                ("table_name", text(&relation.name)),
                ("column_name", text(&relation.columns[usize::from(column.0)].name)),
                ("ordinal_position", number(i as i32 + 1)),
                (
                    "position_in_unique_constraint",
                    target_place(i).map_or(Value::Null, |place| number(place as i32 + 1)),
                ),
            ]);
        }
    });
}

pub(super) fn constraint_column_usage(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    each_constraint(ctx, |relation, constraint| {
        let (used, columns) = match &constraint.kind {
            ConstraintKind::ForeignKey { target, target_columns, .. } => {
                let Some(target) = ctx.snapshot.relation(*target) else { return };
                (&**target, target_columns.as_slice())
            }
            kind => (relation, kind.columns()),
        };
        for column in columns {
            let (catalog, schema) = place(ctx, used);
            let (constraint_catalog, constraint_schema) = place(ctx, relation);
            rows.push(&[
                ("table_catalog", catalog),
                ("table_schema", schema),
                ("table_name", text(&used.name)),
                ("column_name", text(&used.columns[usize::from(column.0)].name)),
                ("constraint_catalog", constraint_catalog),
                ("constraint_schema", constraint_schema),
                ("constraint_name", text(&constraint.name)),
            ]);
        }
    });
}

pub(super) fn referential_constraints(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    each_constraint(ctx, |relation, constraint| {
        let ConstraintKind::ForeignKey { target_index, on_update, on_delete, match_full, .. } =
            &constraint.kind
        else {
            return;
        };
        let unique = ctx.snapshot.index(*target_index).and_then(|(target, index)| {
            describe::is_constraint_index(target, index).then_some((target, index))
        });
        let (catalog, schema) = place(ctx, relation);
        rows.push(&[
            ("constraint_catalog", catalog.clone()),
            ("constraint_schema", schema),
            ("constraint_name", text(&constraint.name)),
            ("unique_constraint_catalog", unique.map_or(Value::Null, |_| catalog)),
            (
                "unique_constraint_schema",
                text_or_null(unique.map(|(target, _)| ctx.snapshot.schema_name(target.schema))),
            ),
            ("unique_constraint_name", text_or_null(unique.map(|(_, index)| &index.name))),
            ("match_option", text(if *match_full { "FULL" } else { "NONE" })),
            ("update_rule", text(rule(*on_update))),
            ("delete_rule", text(rule(*on_delete))),
        ]);
    });
}

fn rule(action: ForeignKeyAction) -> &'static str {
    match action {
        ForeignKeyAction::NoAction => "NO ACTION",
        ForeignKeyAction::Restrict => "RESTRICT",
        ForeignKeyAction::Cascade => "CASCADE",
        ForeignKeyAction::SetNull => "SET NULL",
        ForeignKeyAction::SetDefault => "SET DEFAULT",
    }
}

pub(super) fn sequences(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        let Some(sequence) = &relation.sequence else { continue };
        let (catalog, schema) = place(ctx, relation);
        let precision = match sequence.ty.id {
            TypeId::Int2 => 16,
            TypeId::Int4 => 32,
            _ => 64,
        };
        rows.push(&[
            ("sequence_catalog", catalog),
            ("sequence_schema", schema),
            ("sequence_name", text(&relation.name)),
            ("data_type", text(damask_types::format::format_type(sequence.ty))),
            ("numeric_precision", number(precision)),
            ("numeric_precision_radix", number(2)),
            ("numeric_scale", number(0)),
            ("start_value", text(sequence.start.to_string())),
            ("minimum_value", text(sequence.min.to_string())),
            ("maximum_value", text(sequence.max.to_string())),
            ("increment", text(sequence.increment.to_string())),
            ("cycle_option", yes_or_no(sequence.cycle)),
        ]);
    }
}

pub(super) fn catalog_name(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.push(&[("catalog_name", text(ctx.database))]);
}
