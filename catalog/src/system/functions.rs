//! Functions that answer from the catalog: `pg_get_*`, `pg_*_is_visible`, `obj_description`, `has_*_privilege` and their kin.

use super::SystemContext;
use super::describe;
use crate::object::RelationKind;
use crate::snapshot::{CatalogSnapshot, ObjectName, SearchPath};
use crate::template;
use damask_types::format::{format_type, type_by_name};
use damask_types::{Error, Oid, Result, SqlState, SqlType, TypeId, Value};
use std::sync::Arc;

/// Arguments of a call.
struct Args<'a>(&'a [Value]);

impl Args<'_> {
    fn oid(&self, i: usize) -> Oid {
        self.0.get(i).and_then(Value::as_i64).map_or(Oid::NONE, |oid| Oid(oid as u32))
    }

    fn int(&self, i: usize) -> i64 {
        self.0.get(i).and_then(Value::as_i64).unwrap_or(0)
    }

    fn flag(&self, i: usize) -> bool {
        matches!(self.0.get(i), Some(Value::Bool(true)))
    }

    fn text(&self, i: usize) -> Option<&str> {
        self.0.get(i).and_then(Value::as_text)
    }
}

/// Calls a function by its SQL name; `None` if this is not one of them.
pub fn call(ctx: &SystemContext<'_>, function: &str, args: &[Value]) -> Option<Result<Value>> {
    let args = Args(args);
    let snapshot = ctx.snapshot;
    let text = |text: Option<String>| text.map_or(Value::Null, Value::text);
    let value = match function {
        "format_type" => {
            if args.0.first().is_none_or(Value::is_null) {
                Value::Null
            } else {
                let typmod = args
                    .0
                    .get(1)
                    .filter(|value| !value.is_null())
                    .map_or(-1, |_| args.int(1) as i32);
                text(Some(type_text(args.oid(0), typmod)))
            }
        }
        "pg_get_expr" => {
            text(
                args.text(0).map(|expr| {
                    if args.flag(2) { template::pretty(expr) } else { expr.to_owned() }
                }),
            )
        }
        "pg_get_indexdef" => text(describe::indexdef(ctx, args.oid(0), args.int(1), args.flag(2))),
        "pg_get_constraintdef" => {
            text(snapshot.constraint(args.oid(0)).map(|(relation, constraint)| {
                describe::constraint_definition(ctx, relation, constraint)
            }))
        }
        "pg_get_viewdef" => match view_oid(ctx, &args) {
            Ok(oid) => text(
                snapshot
                    .relation(oid)
                    .and_then(|relation| relation.view.clone())
                    .map(|view| format!(" {view};")),
            ),
            Err(error) => return Some(Err(error)),
        },
        "pg_get_userbyid" => text(Some(match snapshot.role(args.oid(0)) {
            Some(role) => role.name.clone(),
            None => format!("unknown (OID={})", args.oid(0).0),
        })),
        "pg_table_is_visible" => Value::Bool(snapshot.is_visible(args.oid(0), ctx.path)),
        "pg_type_is_visible"
        | "pg_function_is_visible"
        | "pg_operator_is_visible"
        | "pg_collation_is_visible"
        | "pg_opclass_is_visible"
        | "pg_opfamily_is_visible"
        | "pg_conversion_is_visible"
        | "pg_statistics_obj_is_visible"
        | "pg_ts_config_is_visible"
        | "pg_ts_dict_is_visible"
        | "pg_ts_parser_is_visible"
        | "pg_ts_template_is_visible" => Value::Bool(true),
        "obj_description" | "shobj_description" => {
            let class = args.text(1).and_then(class_oid);
            text(comment(snapshot, class, args.oid(0), 0))
        }
        "col_description" => {
            text(comment(snapshot, Some(Oid(1259)), args.oid(0), args.int(1) as i32))
        }
        // What PostgreSQL has in other forks is in no file here.
        "pg_relation_size" if args.text(1).is_some_and(|fork| fork != "main") => Value::Int8(0),
        "pg_relation_size" | "pg_table_size" => size(ctx, args.oid(0), true, false),
        "pg_indexes_size" => size(ctx, args.oid(0), false, true),
        "pg_total_relation_size" => size(ctx, args.oid(0), true, true),
        "pg_database_size" => Value::Int8(ctx.session.database_bytes()),
        "pg_tablespace_size" => Value::Int8(ctx.session.database_bytes()),
        "pg_get_serial_sequence" => return Some(serial_sequence(ctx, &args)),
        "pg_encoding_to_char" => text(Some(if args.int(0) == 6 { "UTF8" } else { "" }.to_owned())),
        "pg_char_to_encoding" => Value::Int4(
            if args.text(0).is_some_and(|name| {
                matches!(name.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode")
            }) {
                6
            } else {
                -1
            },
        ),
        "getdatabaseencoding" | "pg_client_encoding" => text(Some("UTF8".to_owned())),
        "pg_tablespace_location" => text(Some(String::new())),
        "pg_get_partkeydef"
        | "pg_get_statisticsobjdef"
        | "pg_get_statisticsobjdef_columns"
        | "pg_get_triggerdef"
        | "pg_get_ruledef"
        | "pg_get_replica_identity_index"
        | "pg_get_function_sqlbody"
        | "pg_get_functiondef"
        | "pg_describe_object" => Value::Null,
        "pg_get_function_result" => text(function_result(args.oid(0))),
        "pg_get_function_arguments" => text(function_arguments(args.oid(0), true)),
        "pg_get_function_identity_arguments" => text(function_arguments(args.oid(0), false)),
        "pg_get_function_arg_default" => Value::Null,
        "has_table_privilege"
        | "has_schema_privilege"
        | "has_database_privilege"
        | "has_column_privilege"
        | "has_any_column_privilege"
        | "has_function_privilege"
        | "has_sequence_privilege"
        | "has_type_privilege"
        | "has_tablespace_privilege"
        | "has_language_privilege"
        | "pg_has_role" => Value::Bool(true),
        "pg_is_other_temp_schema" => {
            let schema = args.oid(0);
            Value::Bool(snapshot.is_temp(schema) && ctx.path.temp != Some(schema))
        }
        "pg_my_temp_schema" => Value::Oid(ctx.path.temp.unwrap_or(Oid::NONE)),
        "to_regclass" => found(args.text(0).map(|name| reg_from_name(ctx, TypeId::RegClass, name))),
        "to_regtype" => found(args.text(0).map(|name| reg_from_name(ctx, TypeId::RegType, name))),
        "to_regnamespace" => {
            found(args.text(0).map(|name| reg_from_name(ctx, TypeId::RegNamespace, name)))
        }
        "to_regrole" => found(args.text(0).map(|name| reg_from_name(ctx, TypeId::RegRole, name))),
        "to_regproc" => found(args.text(0).map(|name| reg_from_name(ctx, TypeId::RegProc, name))),
        _ => return None,
    };
    Some(Ok(value))
}

/// Bytes of a table's rows or an index (`is_itself`), and of a table's indexes; null if there is no such relation.
fn size(ctx: &SystemContext<'_>, oid: Oid, is_itself: bool, has_indexes: bool) -> Value {
    if let Some((relation, index)) = ctx.snapshot.index(oid) {
        let bytes = if is_itself { ctx.session.index_stored_bytes(relation, index) } else { 0 };
        return Value::Int8(bytes);
    }
    let Some(relation) = ctx.snapshot.relation(oid) else { return Value::Null };
    let mut bytes = 0;
    if relation.kind == RelationKind::Table {
        if is_itself {
            bytes += ctx.session.stored_bytes(relation);
        }
        if has_indexes {
            let of_index = |index| ctx.session.index_stored_bytes(relation, index);
            bytes += relation.indexes.iter().map(|index| of_index(index)).sum::<i64>();
        }
    }
    Value::Int8(bytes)
}

/// The OID found, or null: `to_reg*` do not raise.
fn found(oid: Option<Result<Oid>>) -> Value {
    match oid {
        Some(Ok(oid)) => Value::Oid(oid),
        Some(Err(_)) | None => Value::Null,
    }
}

fn type_text(oid: Oid, typmod: i32) -> String {
    match TypeId::from_oid(oid) {
        Some(id) => format_type(SqlType { id, typmod }),
        None if oid == Oid::NONE => "-".to_owned(),
        None => "???".to_owned(),
    }
}

fn comment(
    snapshot: &CatalogSnapshot,
    class: Option<Oid>,
    object: Oid,
    sub: i32,
) -> Option<String> {
    let text = match class {
        Some(class) => snapshot.comment(class, object, sub).cloned(),
        None => snapshot
            .comments()
            .find(|((_, oid, column), _)| *oid == object && *column == sub)
            .map(|(_, text)| Arc::clone(text)),
    };
    text.map(|text| text.as_ref().to_owned())
}

/// The OID of a catalog by name.
fn class_oid(name: &str) -> Option<Oid> {
    super::relation_by_name(crate::snapshot::PG_CATALOG, name).map(|relation| relation.oid)
}

fn view_oid(ctx: &SystemContext<'_>, args: &Args<'_>) -> Result<Oid> {
    match args.text(0) {
        Some(name) => reg_from_name(ctx, TypeId::RegClass, name),
        None => Ok(args.oid(0)),
    }
}

fn serial_sequence(ctx: &SystemContext<'_>, args: &Args<'_>) -> Result<Value> {
    let (Some(table), Some(column)) = (args.text(0), args.text(1)) else {
        return Ok(Value::Null);
    };
    let oid = reg_from_name(ctx, TypeId::RegClass, table)?;
    let relation = ctx.snapshot.relation(oid).ok_or_else(|| undefined_table(table))?;
    let (_, definition) = relation.column(column).ok_or_else(|| {
        Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{column}\" of relation \"{}\" does not exist", relation.name),
        )
    })?;
    let Some(sequence) = definition.sequence.and_then(|oid| ctx.snapshot.relation(oid)) else {
        return Ok(Value::Null);
    };
    let name = crate::ddl::quote_identifier(&sequence.name);
    Ok(Value::text(super::classes::qualified_always(ctx, sequence, &name)))
}

fn function_result(oid: Oid) -> Option<String> {
    use damask_functions::registry;
    if let Some(function) = registry::function_by_oid(oid) {
        return Some(format_type(function.result.into()));
    }
    if let Some(function) = registry::all_aggregates().find(|function| function.oid == oid) {
        return Some(format_type(function.result.into()));
    }
    let function = registry::all_table_functions().find(|function| function.oid == oid)?;
    Some(match function.columns {
        [(_, ty)] => format!("SETOF {}", format_type((*ty).into())),
        _ => "SETOF record".to_owned(),
    })
}

fn function_arguments(oid: Oid, with_defaults: bool) -> Option<String> {
    use damask_functions::registry;
    let args = registry::function_by_oid(oid)
        .map(|function| (function.args, function.variadic))
        .or_else(|| {
            registry::all_aggregates()
                .find(|function| function.oid == oid)
                .map(|function| (function.args, false))
        })
        .or_else(|| {
            registry::all_table_functions()
                .find(|function| function.oid == oid)
                .map(|function| (function.args, false))
        })?;
    let last = args.0.len();
    let (names, defaults) = (registry::argument_names(oid), registry::argument_defaults(oid));
    let texts: Vec<String> = args
        .0
        .iter()
        .enumerate()
        .map(|(i, &ty)| {
            let variadic = if args.1 && i + 1 == last { "VARIADIC " } else { "" };
            let name = names.get(i).map_or(String::new(), |name| format!("{name} "));
            let default = (i + defaults.len()).checked_sub(last).and_then(|i| defaults.get(i));
            let default = default
                .filter(|_| with_defaults)
                .map_or(String::new(), |default| format!(" DEFAULT {default}"));
            format!("{variadic}{name}{}{default}", format_type(ty.into()))
        })
        .collect();
    Some(texts.join(", "))
}

fn undefined_table(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

/// Splits `schema.name` with PostgreSQL's quoting; unquoted parts are folded.
///
/// # Errors
/// 42602 for a malformed name.
pub fn parse_name(text: &str) -> Result<Vec<String>> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = vec![];
    let mut rest = text.trim();
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut tail = quoted;
            loop {
                let (before, after) = tail.split_once('"').ok_or_else(invalid)?;
                name.push_str(before);
                if let Some(after) = after.strip_prefix('"') {
                    name.push('"');
                    tail = after;
                } else {
                    rest = after.trim_start();
                    break;
                }
            }
            part = name;
        } else {
            let end = rest.find(['.', '"']).unwrap_or(rest.len());
            part = rest[..end].trim().to_lowercase();
            if part.is_empty() || part.contains(char::is_whitespace) {
                return Err(invalid());
            }
            rest = &rest[end..];
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

/// The OID behind a name of a `reg*` type.
///
/// # Errors
/// 42P01, 42704, 42883, 3F000 for names of nothing; 42602 for malformed ones; 0A000 for kinds that are not looked up by name.
pub fn reg_from_name(ctx: &SystemContext<'_>, ty: TypeId, name: &str) -> Result<Oid> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        let out_of_range = |_| {
            Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{name}\" is out of range for type oid"),
            )
        };
        return name.parse().map(Oid).map_err(out_of_range);
    }
    if name == "-" {
        return Ok(Oid::NONE);
    }
    match ty {
        TypeId::RegClass => relation_by_text(ctx.snapshot, ctx.path, name),
        TypeId::RegType => type_from_text(name).map(TypeId::oid).ok_or_else(|| {
            Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
        }),
        TypeId::RegNamespace => {
            let parts = parse_name(name)?;
            ctx.snapshot.schema_for(&parts[0], ctx.path).map(|schema| schema.oid).ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    format!("schema \"{}\" does not exist", parts[0]),
                )
            })
        }
        TypeId::RegRole => {
            let parts = parse_name(name)?;
            ctx.snapshot.role_by_name(&parts[0]).map(|role| role.oid).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("role \"{}\" does not exist", parts[0]),
                )
            })
        }
        TypeId::RegProc | TypeId::RegProcedure => {
            let base = name.split('(').next().unwrap_or(name);
            let parts = parse_name(base)?;
            let name = parts.last().expect("a name has a part");
            damask_functions::registry::functions(name)
                .first()
                .map(|function| function.oid)
                .or_else(|| {
                    damask_functions::registry::aggregates(name)
                        .first()
                        .map(|function| function.oid)
                })
                .ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_FUNCTION,
                        format!("function \"{name}\" does not exist"),
                    )
                })
        }
        TypeId::RegOper | TypeId::RegOperator => {
            let base = name.split('(').next().unwrap_or(name);
            damask_functions::registry::operators(base)
                .first()
                .map(|operator| operator.oid)
                .ok_or_else(|| {
                    Error::new(
                        SqlState::UNDEFINED_FUNCTION,
                        format!("operator does not exist: {base}"),
                    )
                })
        }
        other => Err(Error::unsupported(format!("looking up a name of type {}", other.name()))),
    }
}

/// A type by the text `regtype` takes: a name of the grammar, perhaps with `[]`, perhaps qualified.
fn type_from_text(name: &str) -> Option<TypeId> {
    let name = name.trim();
    if let Some(element) = name.strip_suffix("[]") {
        return type_from_text(element)?.array();
    }
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    let name = name.split('(').next().unwrap_or(name).trim();
    let plain = name.trim_matches('"');
    type_by_name(plain).or_else(|| type_by_name(&plain.to_lowercase())).or_else(|| {
        TypeId::ALL.iter().copied().find(|&ty| format_type(ty.into()) == plain.to_lowercase())
    })
}

fn relation_by_text(snapshot: &CatalogSnapshot, path: &SearchPath, name: &str) -> Result<Oid> {
    let mut parts = parse_name(name)?;
    let base = parts.pop().expect("a name has a part");
    let wanted = ObjectName { schema: parts.pop(), name: base };
    if let Some(schema) = &wanted.schema
        && snapshot.schema_for(schema, path).is_none()
    {
        return Err(Error::new(
            SqlState::INVALID_SCHEMA_NAME,
            format!("schema \"{schema}\" does not exist"),
        ));
    }
    if let Some(relation) = snapshot.find(&wanted, path)? {
        return Ok(relation.oid);
    }
    match snapshot.find_index(&wanted, path) {
        Some((_, index)) => Ok(index.oid),
        None => Err(undefined_table(&wanted.to_string())),
    }
}

/// The text of an OID of a `reg*` type.
pub fn reg_to_name(ctx: &SystemContext<'_>, ty: TypeId, oid: Oid) -> String {
    if oid == Oid::NONE {
        return "-".to_owned();
    }
    let number = || oid.0.to_string();
    let quoted = crate::ddl::quote_identifier;
    match ty {
        TypeId::RegClass => match ctx.snapshot.relation_name(oid) {
            Some((_, name)) if ctx.snapshot.is_visible(oid, ctx.path) => quoted(name),
            Some((schema, name)) => {
                format!("{}.{}", quoted(ctx.snapshot.schema_name(schema)), quoted(name))
            }
            None => number(),
        },
        TypeId::RegType => match TypeId::from_oid(oid) {
            // Without a length the name of `format_type` would be the internal one.
            Some(TypeId::BpChar) => "character".to_owned(),
            Some(TypeId::BpCharArray) => "character[]".to_owned(),
            Some(id) => format_type(id.into()),
            None => number(),
        },
        TypeId::RegNamespace => {
            ctx.snapshot.schema(oid).map_or_else(number, |schema| quoted(&schema.name))
        }
        TypeId::RegRole => ctx.snapshot.role(oid).map_or_else(number, |role| quoted(&role.name)),
        TypeId::RegProc => proc_name(oid).map_or_else(number, quoted_owned),
        TypeId::RegProcedure => match (proc_name(oid), function_arguments(oid, false)) {
            (Some(name), Some(args)) => format!("{}({})", quoted(&name), args.replace(", ", ",")),
            _ => number(),
        },
        TypeId::RegOper | TypeId::RegOperator => damask_functions::registry::operator_by_oid(oid)
            .map_or_else(number, |operator| operator.name.to_owned()),
        _ => number(),
    }
}

fn quoted_owned(name: String) -> String {
    crate::ddl::quote_identifier(&name)
}

fn proc_name(oid: Oid) -> Option<String> {
    use damask_functions::registry;
    registry::function_by_oid(oid)
        .map(|function| function.name)
        .or_else(|| {
            registry::all_aggregates()
                .find(|function| function.oid == oid)
                .map(|function| function.name)
        })
        .or_else(|| {
            registry::all_table_functions()
                .find(|function| function.oid == oid)
                .map(|function| function.name)
        })
        .map(str::to_owned)
        .or_else(|| super::types::io_function_name(oid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_as_in_text_input() {
        assert_eq!(parse_name("public.T").unwrap(), ["public", "t"]);
        assert_eq!(parse_name("\"A b\".\"c\"\"d\"").unwrap(), ["A b", "c\"d"]);
        assert!(parse_name("a b").is_err());
        assert!(parse_name("\"open").is_err());
    }

    #[test]
    fn types_by_text() {
        assert_eq!(type_from_text("integer[]"), Some(TypeId::Int4Array));
        assert_eq!(type_from_text("pg_catalog.text"), Some(TypeId::Text));
        assert_eq!(type_from_text("timestamp with time zone"), Some(TypeId::TimestampTz));
        assert_eq!(type_from_text("nothing"), None);
    }
}
