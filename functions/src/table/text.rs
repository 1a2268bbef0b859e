//! `unnest`, rows from texts and regular expressions, and small fixed tables.

use super::{Rows, none, one_column, values};
use crate::Session;
use crate::operator::regex::{Options, cached};
use crate::registry::{TableFunction, Volatility};
use crate::scalar::array::split_fields;
use crate::scalar::keywords::KEYWORDS;
use crate::scalar::regexp::{groups, split};
use damask_types::{Oid, Result, TypeId, Value};

fn unnest(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    match &args[0] {
        Value::Array(array) => values(array.values.clone()),
        _ => none(),
    }
}

/// The arguments as texts; `None` if one is null.
fn texts(args: &[Value]) -> Option<Vec<&str>> {
    args.iter().map(Value::as_text).collect()
}

fn regexp_matches(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    let Some(texts) = texts(args) else { return none() };
    let options = Options::parse(texts.get(2).copied().unwrap_or(""))?;
    let regex = cached(texts[1], options)?;
    let limit = if options.global { usize::MAX } else { 1 };
    let found = regex.captures_iter(texts[0]).take(limit);
    values(found.map(|captures| groups(&captures).into()).collect())
}

fn regexp_split(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    let Some(texts) = texts(args) else { return none() };
    let flags = texts.get(2).copied().unwrap_or("");
    let parts = split(texts[0], texts[1], flags, "regexp_split_to_table")?;
    values(parts.into_iter().map(Value::text).collect())
}

fn string_to_table(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    let Some(text) = args[0].as_text() else { return none() };
    let null = args.get(2).and_then(Value::as_text);
    let fields = split_fields(text, args[1].as_text()).into_iter();
    values(
        fields
            .map(|field| if Some(field) == null { Value::Null } else { Value::text(field) })
            .collect(),
    )
}

fn keywords(_: &dyn Session, _: &[Value]) -> Result<Rows> {
    Ok(Box::new(KEYWORDS.iter().map(|&(word, class, bare)| {
        let description = match class {
            'U' => "unreserved",
            'C' => "unreserved (cannot be function or type name)",
            'T' => "reserved (can be function or type name)",
            _ => "reserved",
        };
        let label = if bare { "can be bare label" } else { "requires AS" };
        Ok(vec![
            Value::text(word),
            Value::text(class.to_string()),
            Value::Bool(bare),
            Value::text(description),
            Value::text(label),
        ])
    })))
}

/// `name=value` texts as rows.
fn options(_: &dyn Session, args: &[Value]) -> Result<Rows> {
    let Value::Array(array) = &args[0] else { return none() };
    let rows: Vec<_> = array
        .values
        .iter()
        .filter_map(Value::as_text)
        .map(|option| match option.split_once('=') {
            Some((name, value)) => Ok(vec![Value::text(name), Value::text(value)]),
            None => Ok(vec![Value::text(option), Value::Null]),
        })
        .collect();
    Ok(Box::new(rows.into_iter()))
}

/// The elements of the array that the session answers a function of this name with.
fn listening_channels(session: &dyn Session, args: &[Value]) -> Result<Rows> {
    match session.catalog_function("pg_listening_channels", args)? {
        Value::Array(array) => values(array.values.clone()),
        _ => none(),
    }
}

const fn stable(
    oid: u32,
    name: &'static str,
    args: &'static [TypeId],
    columns: &'static [(&'static str, TypeId)],
    rows: fn(&dyn Session, &[Value]) -> Result<Rows>,
) -> TableFunction {
    TableFunction { oid: Oid(oid), name, args, columns, rows, volatility: Volatility::Stable }
}

/// The family. There are no partitions and no publications yet, so their functions give no rows.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[TableFunction] = &[
    one_column(2331, "unnest", &[TypeId::AnyArray], &[("unnest", TypeId::AnyElement)], unnest),
    one_column(2763, "regexp_matches", &[TypeId::Text; 2], &[("regexp_matches", TypeId::TextArray)], regexp_matches),
    one_column(2764, "regexp_matches", &[TypeId::Text; 3], &[("regexp_matches", TypeId::TextArray)], regexp_matches),
    one_column(2765, "regexp_split_to_table", &[TypeId::Text; 2], &[("regexp_split_to_table", TypeId::Text)], regexp_split),
    one_column(2766, "regexp_split_to_table", &[TypeId::Text; 3], &[("regexp_split_to_table", TypeId::Text)], regexp_split),
    one_column(6160, "string_to_table", &[TypeId::Text; 2], &[("string_to_table", TypeId::Text)], string_to_table),
    one_column(6161, "string_to_table", &[TypeId::Text; 3], &[("string_to_table", TypeId::Text)], string_to_table),
    stable(3035, "pg_listening_channels", &[], &[("pg_listening_channels", TypeId::Text)], listening_channels),
    stable(1686, "pg_get_keywords", &[], &[
        ("word", TypeId::Text),
        ("catcode", TypeId::Char),
        ("barelabel", TypeId::Bool),
        ("catdesc", TypeId::Text),
        ("baredesc", TypeId::Text),
    ], keywords),
    stable(2289, "pg_options_to_table", &[TypeId::TextArray], &[("option_name", TypeId::Text), ("option_value", TypeId::Text)], options),
    stable(3423, "pg_partition_tree", &[TypeId::RegClass], &[
        ("relid", TypeId::RegClass),
        ("parentrelid", TypeId::RegClass),
        ("isleaf", TypeId::Bool),
        ("level", TypeId::Int4),
    ], |_, _| none()),
    stable(3425, "pg_partition_ancestors", &[TypeId::RegClass], &[("relid", TypeId::RegClass)], |_, _| none()),
    stable(6119, "pg_get_publication_tables", &[TypeId::Text], &[
        ("relid", TypeId::Oid),
        ("attrs", TypeId::Int2Vector),
        ("qual", TypeId::PgNodeTree),
    ], |_, _| none()),
];
