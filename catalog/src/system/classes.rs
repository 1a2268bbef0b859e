//! Relations about relations: `pg_class`, `pg_attribute`, `pg_index`, `pg_constraint` and the views over them.

use super::describe;
use super::row::{
    Rows, int2_array, int2_vector, letter, oid_array, oid_vector, text, text_or_null,
};
use super::{SystemContext, operator_classes};
use crate::object::{
    Column, Constraint, ConstraintKind, Identity, Index, IndexKey, IndexMethod, KeySource,
    Relation, RelationKind,
};
use crate::snapshot::{PG_CATALOG, PUBLIC};
use crate::store::parameters_value;
use damask_types::{ColumnIndex, Oid, PhysicalType, RelId, TypeId, Value};

/// Access method OIDs.
const HEAP: Oid = Oid(2);

fn number(column: ColumnIndex) -> i16 {
    column.0 as i16 + 1
}

/// `relkind`.
pub(super) fn kind_letter(relation: &Relation) -> char {
    match relation.kind {
        RelationKind::Table => 'r',
        RelationKind::Index => 'i',
        RelationKind::Sequence => 'S',
        RelationKind::View => 'v',
        RelationKind::System if super::is_system_view(relation.oid) => 'v',
        RelationKind::System => 'r',
    }
}

pub(super) fn pg_class(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.all_relations() {
        let kind = kind_letter(relation);
        let stored =
            relation.kind == RelationKind::Table || relation.kind == RelationKind::Sequence;
        let persistence = letter(if ctx.snapshot.is_temp(relation.schema) { 't' } else { 'p' });
        let (tuples, pages) = if stored { ctx.session.size(relation) } else { (-1, 0) };
        rows.push(&[
            ("oid", Value::Oid(relation.oid)),
            ("relname", text(&relation.name)),
            ("relnamespace", Value::Oid(relation.schema)),
            ("relowner", Value::Oid(relation.owner)),
            ("relam", Value::Oid(if kind == 'r' { HEAP } else { Oid::NONE })),
            ("relfilenode", Value::Oid(if kind == 'v' { Oid::NONE } else { relation.oid })),
            ("relpages", Value::Int4(pages as i32)),
            ("reltuples", Value::Float4(tuples as f32)),
            ("relhasindex", Value::Bool(!relation.indexes.is_empty())),
            ("relpersistence", persistence.clone()),
            ("relkind", letter(kind)),
            ("relnatts", Value::Int2(column_count(relation))),
            ("relchecks", Value::Int2(check_count(relation))),
            ("relhasrules", Value::Bool(kind == 'v')),
            ("relhastriggers", Value::Bool(has_foreign_key(relation))),
            ("relispopulated", Value::Bool(true)),
            ("relreplident", letter(if kind == 'r' { 'd' } else { 'n' })),
            ("relfrozenxid", Value::Oid(Oid(if kind == 'r' { 3 } else { 0 }))),
            ("relminmxid", Value::Oid(Oid(u32::from(kind == 'r')))),
            ("reloptions", parameters_value(&relation.parameters)),
        ]);
        for index in &relation.indexes {
            rows.push(&[
                ("oid", Value::Oid(index.oid)),
                ("relname", text(&index.name)),
                ("relnamespace", Value::Oid(relation.schema)),
                ("relowner", Value::Oid(relation.owner)),
                ("relam", Value::Oid(index.method.oid())),
                ("relfilenode", Value::Oid(index.oid)),
                ("reltuples", Value::Float4(tuples as f32)),
                ("relpersistence", persistence.clone()),
                ("relkind", letter('i')),
                ("relnatts", Value::Int2((index.keys.len() + index.included.len()) as i16)),
                ("relispopulated", Value::Bool(true)),
                ("relreplident", letter('n')),
            ]);
        }
    }
}

fn column_count(relation: &Relation) -> i16 {
    if relation.kind == RelationKind::Sequence { 3 } else { relation.columns.len() as i16 }
}

fn check_count(relation: &Relation) -> i16 {
    let is_check = |constraint: &&std::sync::Arc<Constraint>| {
        matches!(constraint.kind, ConstraintKind::Check { .. })
    };
    relation.constraints.iter().filter(is_check).count() as i16
}

fn has_foreign_key(relation: &Relation) -> bool {
    !relation.referenced_by.is_empty()
        || relation
            .constraints
            .iter()
            .any(|constraint| matches!(constraint.kind, ConstraintKind::ForeignKey { .. }))
}

/// The collation of a type's columns.
fn collation(ty: TypeId) -> Oid {
    ty.info().collation
}

fn push_attribute(rows: &mut Rows<'_>, relation: Oid, attnum: i16, column: &Column) {
    let info = column.ty.id.info();
    let live = !column.dropped;
    rows.push(&[
        ("attrelid", Value::Oid(relation)),
        ("attname", text(&column.name)),
        ("atttypid", Value::Oid(if live { column.ty.id.oid() } else { Oid::NONE })),
        ("attstattarget", Value::Int4(-1)),
        ("attlen", Value::Int2(info.len)),
        ("attnum", Value::Int2(attnum)),
        ("attndims", Value::Int4(i32::from(column.ty.id.is_array()))),
        ("attcacheoff", Value::Int4(-1)),
        ("atttypmod", Value::Int4(column.ty.typmod)),
        ("attbyval", Value::Bool(info.by_value)),
        ("attalign", letter(info.align)),
        ("attstorage", letter(info.storage)),
        ("attnotnull", Value::Bool(column.not_null)),
        ("atthasdef", Value::Bool(column.default.is_some())),
        ("atthasmissing", Value::Bool(!column.missing.is_null())),
        (
            "attidentity",
            text(match column.identity {
                None => "",
                Some(Identity::Always) => "a",
                Some(Identity::ByDefault) => "d",
            }),
        ),
        ("attisdropped", Value::Bool(column.dropped)),
        ("attislocal", Value::Bool(true)),
        ("attcollation", Value::Oid(collation(column.ty.id))),
    ]);
}

pub(super) fn pg_attribute(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.all_relations() {
        if relation.kind == RelationKind::Sequence {
            for (i, column) in super::sequence_columns().into_iter().enumerate() {
                push_attribute(rows, relation.oid, i as i16 + 1, &column);
            }
        }
        for (i, column) in relation.columns.iter().enumerate() {
            push_attribute(rows, relation.oid, i as i16 + 1, column);
        }
        if matches!(kind_letter(relation), 'r' | 'S') {
            let system = [
                ("tableoid", TypeId::Oid, -6),
                ("cmax", TypeId::Cid, -5),
                ("xmax", TypeId::Xid, -4),
                ("cmin", TypeId::Cid, -3),
                ("xmin", TypeId::Xid, -2),
                ("ctid", TypeId::Tid, -1),
            ];
            for (name, ty, attnum) in system {
                let column = Column { not_null: true, ..Column::new(name, ty.into()) };
                push_attribute(rows, relation.oid, attnum, &column);
            }
        }
        for index in &relation.indexes {
            for (i, column) in index_columns(relation, index).iter().enumerate() {
                push_attribute(rows, index.oid, i as i16 + 1, column);
            }
        }
    }
}

/// The OID of a column's default: PostgreSQL gives each an own one; here it follows from table and column.
pub(super) fn default_oid(table: Oid, attnum: i16) -> Oid {
    Oid(0x8000_0000 | table.0 << 11 | u32::from(attnum.cast_unsigned()))
}

pub(super) fn pg_attrdef(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        for (column, definition) in relation.live_columns() {
            if let Some(default) = &definition.default {
                rows.push(&[
                    ("oid", Value::Oid(default_oid(relation.oid, number(column)))),
                    ("adrelid", Value::Oid(relation.oid)),
                    ("adnum", Value::Int2(number(column))),
                    ("adbin", text(default)),
                ]);
            }
        }
    }
}

pub(super) fn pg_index(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        for index in &relation.indexes {
            let columns = index_columns(relation, index);
            let keys = &columns[..index.keys.len()];
            // An expression has no number.
            let numbers = index.keys.iter().map(|key| key.column().map_or(0, number));
            let numbers = numbers.chain(index.included.iter().map(|&column| number(column)));
            let exprs: Vec<String> =
                index.exprs.iter().map(|expr| describe::named(relation, &expr.text)).collect();
            let predicate = index.predicate.as_ref().map(|text| describe::named(relation, text));
            rows.push(&[
                ("indexrelid", Value::Oid(index.oid)),
                ("indrelid", Value::Oid(relation.oid)),
                ("indnatts", Value::Int2(columns.len() as i16)),
                ("indnkeyatts", Value::Int2(index.keys.len() as i16)),
                ("indisunique", Value::Bool(index.unique)),
                ("indnullsnotdistinct", Value::Bool(index.nulls_not_distinct)),
                ("indisprimary", Value::Bool(index.primary)),
                ("indimmediate", Value::Bool(index.immediate)),
                ("indisvalid", Value::Bool(index.valid)),
                ("indisready", Value::Bool(index.valid || index.rel != RelId(0))),
                ("indislive", Value::Bool(true)),
                ("indkey", int2_vector(numbers)),
                ("indcollation", oid_vector(keys.iter().map(|column| collation(column.ty.id)))),
                (
                    "indclass",
                    oid_vector(
                        keys.iter().map(|column| operator_class(index.method, column.ty.id)),
                    ),
                ),
                (
                    "indoption",
                    int2_vector(
                        index
                            .keys
                            .iter()
                            .map(|key| i16::from(key.descending) | i16::from(key.nulls_first) << 1),
                    ),
                ),
                ("indexprs", if exprs.is_empty() { Value::Null } else { text(exprs.join(", ")) }),
                ("indpred", predicate.as_deref().map_or(Value::Null, text)),
            ]);
        }
    }
}

/// An index's columns: its keys, then what it carries.
fn index_columns(relation: &Relation, index: &Index) -> Vec<Column> {
    let column = |number: ColumnIndex| {
        let source = &relation.columns[usize::from(number.0)];
        Column::new(source.name.as_str(), source.ty)
    };
    let key = |key: &IndexKey| match key.source {
        KeySource::Column(number) => column(number),
        KeySource::Expr(place) => {
            Column::new(index.exprs[place].name.as_str(), index.exprs[place].ty)
        }
    };
    index.keys.iter().map(key).chain(index.included.iter().map(|&number| column(number))).collect()
}

/// Whether an index can be of values of a type: the access method has a default operator class for it.
pub fn has_operator_class(method: IndexMethod, ty: TypeId) -> bool {
    operator_class(method, ty) != Oid::NONE
}

/// Whether an operator class of this name takes values of a type, as they are compared here; none if there is no such class.
pub fn operator_class_takes(method: IndexMethod, name: &str, ty: TypeId) -> Option<bool> {
    let mut of_name = operator_classes::OPERATOR_CLASSES
        .iter()
        .filter(|class| class.1 == method.oid().0 && class.2 == name)
        .peekable();
    of_name.peek()?;
    Some(of_name.any(|class| class.4 == ordered_as(ty).oid().0))
}

/// The default operator class of a type.
fn operator_class(method: IndexMethod, ty: TypeId) -> Oid {
    operator_classes::OPERATOR_CLASSES
        .iter()
        .find(|class| class.1 == method.oid().0 && class.4 == ordered_as(ty).oid().0 && class.5)
        .map_or(Oid::NONE, |class| Oid(class.0))
}

/// The type whose operator classes order values of `ty`, being of the same bytes.
fn ordered_as(ty: TypeId) -> TypeId {
    match ty {
        TypeId::Varchar => TypeId::Text,
        _ if ty.is_array() => TypeId::AnyArray,
        _ if ty.physical() == PhysicalType::Oid => TypeId::Oid,
        _ => ty,
    }
}

pub(super) fn pg_constraint(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        for constraint in &relation.constraints {
            let columns =
                int2_array(constraint.kind.columns().iter().map(|&column| number(column)));
            let mut row = vec![
                ("oid", Value::Oid(constraint.oid)),
                ("conname", text(&constraint.name)),
                ("connamespace", Value::Oid(relation.schema)),
                ("condeferrable", Value::Bool(constraint.timing.deferrable)),
                ("condeferred", Value::Bool(constraint.timing.deferred)),
                ("convalidated", Value::Bool(true)),
                ("conrelid", Value::Oid(relation.oid)),
                ("conislocal", Value::Bool(true)),
                ("conkey", columns),
            ];
            if !matches!(constraint.kind, ConstraintKind::ForeignKey { .. }) {
                row.extend(
                    ["confupdtype", "confdeltype", "confmatchtype"].map(|name| (name, letter(' '))),
                );
            }
            match &constraint.kind {
                ConstraintKind::Check { expr, .. } => {
                    row.extend([("contype", letter('c')), ("conbin", text(expr))]);
                }
                ConstraintKind::PrimaryKey { index, .. } => row.extend([
                    ("contype", letter('p')),
                    ("conindid", Value::Oid(*index)),
                    ("connoinherit", Value::Bool(true)),
                ]),
                ConstraintKind::Unique { index, .. } => row.extend([
                    ("contype", letter('u')),
                    ("conindid", Value::Oid(*index)),
                    ("connoinherit", Value::Bool(true)),
                ]),
                ConstraintKind::ForeignKey {
                    target,
                    target_columns,
                    target_index,
                    on_update,
                    on_delete,
                    match_full,
                    columns,
                } => {
                    let operators = columns.iter().map(|column| {
                        let ty = relation.columns[usize::from(column.0)].ty.id;
                        damask_functions::registry::operator("=", Some(ty), ty)
                            .map_or(Oid::NONE, |operator| operator.oid)
                    });
                    let operators = oid_array(operators);
                    row.extend([
                        ("contype", letter('f')),
                        ("conindid", Value::Oid(*target_index)),
                        ("confrelid", Value::Oid(*target)),
                        ("confupdtype", letter(on_update.letter())),
                        ("confdeltype", letter(on_delete.letter())),
                        ("confmatchtype", letter(if *match_full { 'f' } else { 's' })),
                        ("connoinherit", Value::Bool(true)),
                        (
                            "confkey",
                            int2_array(target_columns.iter().map(|&column| number(column))),
                        ),
                        ("conpfeqop", operators.clone()),
                        ("conppeqop", operators.clone()),
                        ("conffeqop", operators),
                    ]);
                }
            }
            rows.push(&row);
        }
    }
}

pub(super) fn pg_sequence(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        let Some(sequence) = &relation.sequence else { continue };
        rows.push(&[
            ("seqrelid", Value::Oid(relation.oid)),
            ("seqtypid", Value::Oid(sequence.ty.id.oid())),
            ("seqstart", Value::Int8(sequence.start)),
            ("seqincrement", Value::Int8(sequence.increment)),
            ("seqmax", Value::Int8(sequence.max)),
            ("seqmin", Value::Int8(sequence.min)),
            ("seqcache", Value::Int8(sequence.cache)),
            ("seqcycle", Value::Bool(sequence.cycle)),
        ]);
    }
}

pub(super) fn pg_sequences(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        let Some(sequence) = &relation.sequence else { continue };
        let state = ctx.session.sequence_state(relation);
        let last = state.filter(|(_, is_called)| *is_called).map(|(last, _)| last);
        rows.push(&[
            ("schemaname", text(ctx.snapshot.schema_name(relation.schema))),
            ("sequencename", text(&relation.name)),
            ("sequenceowner", text(ctx.role_name(relation.owner))),
            ("data_type", Value::Oid(sequence.ty.id.oid())),
            ("start_value", Value::Int8(sequence.start)),
            ("min_value", Value::Int8(sequence.min)),
            ("max_value", Value::Int8(sequence.max)),
            ("increment_by", Value::Int8(sequence.increment)),
            ("cycle", Value::Bool(sequence.cycle)),
            ("cache_size", Value::Int8(sequence.cache)),
            ("last_value", last.map_or(Value::Null, Value::Int8)),
        ]);
    }
}

/// OIDs of the catalogs that `pg_depend` and `pg_description` name.
pub(super) const CLASS: Oid = Oid(1259);
pub(super) const CONSTRAINT: Oid = Oid(2606);
const ATTRDEF: Oid = Oid(2604);
const REWRITE: Oid = Oid(2618);
const NAMESPACE: Oid = Oid(2615);

/// The OID of a view's rule.
fn rule_oid(view: Oid) -> Oid {
    Oid(0x4000_0000 | view.0)
}

pub(super) fn pg_depend(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let mut push =
        |(class, object, sub): (Oid, Oid, i16), (on, of, of_sub): (Oid, Oid, i16), kind| {
            rows.push(&[
                ("classid", Value::Oid(class)),
                ("objid", Value::Oid(object)),
                ("objsubid", Value::Int4(sub.into())),
                ("refclassid", Value::Oid(on)),
                ("refobjid", Value::Oid(of)),
                ("refobjsubid", Value::Int4(of_sub.into())),
                ("deptype", letter(kind)),
            ]);
        };
    for relation in ctx.snapshot.user_relations() {
        let itself = (CLASS, relation.oid, 0);
        push(itself, (NAMESPACE, relation.schema, 0), 'n');
        if let Some((table, column)) =
            relation.sequence.as_ref().and_then(|sequence| sequence.owned_by)
        {
            let is_identity = ctx
                .snapshot
                .relation(table)
                .and_then(|table| table.columns.get(usize::from(column.0)))
                .is_some_and(|column| column.identity.is_some());
            push(itself, (CLASS, table, number(column)), if is_identity { 'i' } else { 'a' });
        }
        for (column, definition) in relation.live_columns() {
            if definition.default.is_some() {
                let default = (ATTRDEF, default_oid(relation.oid, number(column)), 0);
                push(default, (CLASS, relation.oid, number(column)), 'a');
                if let Some(sequence) = definition.sequence {
                    push(default, (CLASS, sequence, 0), 'n');
                }
            }
        }
        for constraint in &relation.constraints {
            let entry = (CONSTRAINT, constraint.oid, 0);
            for &column in constraint.kind.columns() {
                push(entry, (CLASS, relation.oid, number(column)), 'a');
            }
            match &constraint.kind {
                ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } => {
                    push((CLASS, *index, 0), entry, 'i');
                }
                ConstraintKind::ForeignKey { target, target_columns, target_index, .. } => {
                    for &column in target_columns {
                        push(entry, (CLASS, *target, number(column)), 'n');
                    }
                    push(entry, (CLASS, *target_index, 0), 'n');
                }
                ConstraintKind::Check { .. } => {}
            }
        }
        for index in
            relation.indexes.iter().filter(|index| constraint_of(relation, index).is_none())
        {
            for (column, _) in relation.live_columns().filter(|(column, _)| index.uses(*column)) {
                push((CLASS, index.oid, 0), (CLASS, relation.oid, number(column)), 'a');
            }
        }
        if relation.kind == RelationKind::View {
            let rule = (REWRITE, rule_oid(relation.oid), 0);
            push(rule, itself, 'i');
            for read in &relation.reads {
                if read.columns.is_empty() {
                    push(rule, (CLASS, read.relation, 0), 'n');
                }
                for &column in &read.columns {
                    push(rule, (CLASS, read.relation, number(column)), 'n');
                }
            }
        }
    }
}

/// The constraint that an index serves.
pub(super) fn constraint_of<'a>(relation: &'a Relation, index: &Index) -> Option<&'a Constraint> {
    relation.constraint_of_index(index.oid).map(AsRef::as_ref)
}

pub(super) fn pg_rewrite(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        if relation.kind == RelationKind::View {
            rows.push(&[
                ("oid", Value::Oid(rule_oid(relation.oid))),
                ("rulename", text("_RETURN")),
                ("ev_class", Value::Oid(relation.oid)),
                ("ev_type", letter('1')),
                ("ev_enabled", letter('O')),
                ("is_instead", Value::Bool(true)),
            ]);
        }
    }
}

pub(super) fn pg_description(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for ((class, object, sub), comment) in ctx.snapshot.comments() {
        rows.push(&[
            ("objoid", Value::Oid(*object)),
            ("classoid", Value::Oid(*class)),
            ("objsubid", Value::Int4(*sub)),
            ("description", text(comment)),
        ]);
    }
}

pub(super) fn pg_namespace(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for schema in ctx.snapshot.schemas() {
        rows.push(&[
            ("oid", Value::Oid(schema.oid)),
            ("nspname", text(&schema.name)),
            ("nspowner", Value::Oid(schema.owner)),
        ]);
    }
}

pub(super) fn pg_tables(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.all_relations() {
        if kind_letter(relation) == 'r' {
            rows.push(&[
                ("schemaname", text(ctx.snapshot.schema_name(relation.schema))),
                ("tablename", text(&relation.name)),
                ("tableowner", text(ctx.role_name(relation.owner))),
                ("hasindexes", Value::Bool(!relation.indexes.is_empty())),
                ("hasrules", Value::Bool(false)),
                ("hastriggers", Value::Bool(has_foreign_key(relation))),
                ("rowsecurity", Value::Bool(false)),
            ]);
        }
    }
}

pub(super) fn pg_views(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.all_relations() {
        if kind_letter(relation) == 'v' {
            rows.push(&[
                ("schemaname", text(ctx.snapshot.schema_name(relation.schema))),
                ("viewname", text(&relation.name)),
                ("viewowner", text(ctx.role_name(relation.owner))),
                ("definition", text_or_null(relation.view.as_ref())),
            ]);
        }
    }
}

pub(super) fn pg_indexes(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for relation in ctx.snapshot.user_relations() {
        for index in &relation.indexes {
            rows.push(&[
                ("schemaname", text(ctx.snapshot.schema_name(relation.schema))),
                ("tablename", text(&relation.name)),
                ("indexname", text(&index.name)),
                ("indexdef", text(describe::index_definition(ctx, relation, index, false))),
            ]);
        }
    }
}

/// Rows of the `pg_stat_*_tables` family, as far as they are known.
pub(super) fn pg_stat_tables(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let dead_rows = ctx.session.dead_rows();
    let moment = |moment: Option<i64>| moment.map_or(Value::Null, Value::TimestampTz);
    for relation in ctx.snapshot.user_relations() {
        if relation.kind != RelationKind::Table {
            continue;
        }
        let (tuples, _) = ctx.session.size(relation);
        let dead = dead_rows.get(&relation.rel).copied().unwrap_or(0);
        let maintained = ctx.session.maintained(relation);
        rows.push(&[
            ("relid", Value::Oid(relation.oid)),
            ("schemaname", text(ctx.snapshot.schema_name(relation.schema))),
            ("relname", text(&relation.name)),
            ("n_live_tup", Value::Int8(tuples.max(0))),
            ("n_dead_tup", Value::Int8(dead.cast_signed())),
            ("last_vacuum", moment(maintained.last_vacuum)),
            ("vacuum_count", Value::Int8(maintained.vacuum_count)),
            ("last_analyze", moment(maintained.last_analyze)),
            ("analyze_count", Value::Int8(maintained.analyze_count)),
            ("autovacuum_count", Value::Int8(0)),
            ("autoanalyze_count", Value::Int8(0)),
        ]);
    }
}

/// Whether an unqualified name suffices in a definition: PostgreSQL's deparser qualifies by the search path.
pub(super) fn qualified_name(ctx: &SystemContext<'_>, relation: &Relation) -> String {
    let name = crate::ddl::quote_identifier(&relation.name);
    if relation.schema == PG_CATALOG || ctx.snapshot.is_visible(relation.oid, ctx.path) {
        return name;
    }
    qualified_always(ctx, relation, &name)
}

pub(super) fn qualified_always(ctx: &SystemContext<'_>, relation: &Relation, name: &str) -> String {
    let schema = if relation.schema == PUBLIC {
        "public"
    } else {
        ctx.snapshot.schema_name(relation.schema)
    };
    format!("{}.{name}", crate::ddl::quote_identifier(schema))
}
