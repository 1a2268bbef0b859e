//! Relations about what is built in: types, functions, operators, casts, access methods, collations.

use super::operator_classes::{OPERATOR_CLASSES, OPERATOR_FAMILIES};
use super::row::{Rows, letter, oid_vector, text};
use crate::snapshot::{BOOTSTRAP_ROLE, PG_CATALOG};
use damask_functions::registry::{self, CastContext, CastMethod, Volatility};
use damask_types::{Oid, TypeId, Value};

pub(super) fn pg_type(rows: &mut Rows<'_>) {
    for &ty in TypeId::ALL {
        let info = ty.info();
        let [input, output, receive, send, modin, modout] =
            info.procs.map(|oid| Value::Oid(Oid(oid)));
        rows.push(&[
            ("oid", Value::Oid(ty.oid())),
            ("typname", text(info.name)),
            ("typnamespace", Value::Oid(PG_CATALOG)),
            ("typowner", Value::Oid(BOOTSTRAP_ROLE)),
            ("typlen", Value::Int2(info.len)),
            ("typbyval", Value::Bool(info.by_value)),
            ("typtype", letter(info.kind)),
            ("typcategory", letter(info.category)),
            ("typispreferred", Value::Bool(info.preferred)),
            ("typisdefined", Value::Bool(true)),
            ("typdelim", letter(info.delimiter)),
            ("typsubscript", Value::Oid(Oid(info.subscript))),
            ("typelem", Value::Oid(info.element)),
            ("typarray", Value::Oid(info.array)),
            ("typinput", input),
            ("typoutput", output),
            ("typreceive", receive),
            ("typsend", send),
            ("typmodin", modin),
            ("typmodout", modout),
            ("typalign", letter(info.align)),
            ("typstorage", letter(info.storage)),
            ("typtypmod", Value::Int4(-1)),
            ("typcollation", Value::Oid(info.collation)),
        ]);
    }
}

/// What `pg_proc` says of one function.
struct Function<'a> {
    oid: Oid,
    name: &'a str,
    kind: char,
    args: &'a [TypeId],
    variadic: bool,
    defaults: usize,
    result: TypeId,
    strict: bool,
    set: bool,
    volatility: Volatility,
}

fn push_function(rows: &mut Rows<'_>, function: &Function<'_>) {
    let variadic = match function.args.last() {
        Some(last) if function.variadic => last.element().unwrap_or(TypeId::Any).oid(),
        _ => Oid::NONE,
    };
    rows.push(&[
        ("oid", Value::Oid(function.oid)),
        ("proname", text(function.name)),
        ("pronamespace", Value::Oid(PG_CATALOG)),
        ("proowner", Value::Oid(BOOTSTRAP_ROLE)),
        ("prolang", Value::Oid(Oid(12))),
        ("procost", Value::Float4(1.0)),
        ("prorows", Value::Float4(if function.set { 1000.0 } else { 0.0 })),
        ("provariadic", Value::Oid(variadic)),
        ("prokind", letter(function.kind)),
        ("proisstrict", Value::Bool(function.strict)),
        ("proretset", Value::Bool(function.set)),
        (
            "provolatile",
            letter(match function.volatility {
                Volatility::Immutable => 'i',
                Volatility::Stable => 's',
                Volatility::Volatile => 'v',
            }),
        ),
        ("proparallel", letter('s')),
        ("pronargs", Value::Int2(function.args.len() as i16)),
        ("pronargdefaults", Value::Int2(function.defaults as i16)),
        ("prorettype", Value::Oid(function.result.oid())),
        ("proargtypes", oid_vector(function.args.iter().map(|arg| arg.oid()))),
        ("proargnames", argument_names(function.oid)),
        ("prosrc", text(function.name)),
    ]);
}

fn argument_names(oid: Oid) -> Value {
    match registry::argument_names(oid) {
        [] => Value::Null,
        names => Value::array(TypeId::Text, names.iter().map(|&name| text(name)).collect()),
    }
}

pub(super) fn pg_proc(rows: &mut Rows<'_>) {
    for function in registry::all_functions() {
        push_function(
            rows,
            &Function {
                oid: function.oid,
                name: function.name,
                kind: 'f',
                args: function.args,
                variadic: function.variadic,
                defaults: function.defaults,
                result: function.result,
                strict: function.strict,
                set: false,
                volatility: function.volatility,
            },
        );
    }
    for function in registry::all_aggregates() {
        push_function(
            rows,
            &Function {
                oid: function.oid,
                name: function.name,
                kind: 'a',
                args: function.args,
                variadic: false,
                defaults: 0,
                result: function.result,
                strict: false,
                set: false,
                volatility: Volatility::Immutable,
            },
        );
    }
    for function in registry::all_table_functions() {
        let result = match function.columns {
            [(_, ty)] => *ty,
            _ => TypeId::Record,
        };
        push_function(
            rows,
            &Function {
                oid: function.oid,
                name: function.name,
                kind: 'f',
                args: function.args,
                variadic: false,
                defaults: 0,
                result,
                strict: true,
                set: true,
                volatility: function.volatility,
            },
        );
    }
    // Clients join `pg_type` with the functions that read and write each type (`array_recv` tells arrays apart).
    let mut seen = std::collections::BTreeSet::new();
    for &ty in TypeId::ALL {
        let info = ty.info();
        for (oid, suffix) in info.procs.into_iter().zip(IO_SUFFIXES) {
            if oid == 0 || !seen.insert(oid) {
                continue;
            }
            push_function(
                rows,
                &Function {
                    oid: Oid(oid),
                    name: &io_name(ty, suffix),
                    kind: 'f',
                    args: match suffix {
                        "in" => &[TypeId::CString],
                        "recv" => &[TypeId::Internal],
                        _ => std::slice::from_ref(
                            TypeId::ALL
                                .iter()
                                .find(|&&known| known == ty)
                                .expect("a type is in ALL"),
                        ),
                    },
                    variadic: false,
                    defaults: 0,
                    result: match suffix {
                        "out" => TypeId::CString,
                        "send" => TypeId::Bytea,
                        _ => ty,
                    },
                    strict: true,
                    set: false,
                    volatility: Volatility::Immutable,
                },
            );
        }
    }
}

/// The ends of the names of a type's functions, in the order of `TypeInfo::procs`.
const IO_SUFFIXES: [&str; 4] = ["in", "out", "recv", "send"];

/// The name of a type's function.
fn io_name(ty: TypeId, suffix: &str) -> String {
    let info = ty.info();
    let is_array =
        ty.is_array() && info.category == 'A' && info.len == -1 && info.name.starts_with('_');
    let base = if is_array { "array_".to_owned() } else { io_prefix(info.name) };
    format!("{base}{suffix}")
}

/// The name of the function `oid` that reads or writes some type.
pub(super) fn io_function_name(oid: Oid) -> Option<String> {
    TypeId::ALL.iter().find_map(|&ty| {
        let at = ty.info().procs.iter().take(IO_SUFFIXES.len()).position(|&proc| proc == oid.0)?;
        Some(io_name(ty, IO_SUFFIXES[at]))
    })
}

/// PostgreSQL's input and output functions are `int4in` but `date_in`.
fn io_prefix(name: &str) -> String {
    const JOINED: &[&str] = &[
        "bool",
        "bytea",
        "char",
        "name",
        "int8",
        "int2",
        "int2vector",
        "int4",
        "regproc",
        "text",
        "oid",
        "tid",
        "xid",
        "cid",
        "oidvector",
        "float4",
        "float8",
        "unknown",
        "bpchar",
        "varchar",
        "regprocedure",
        "regoper",
        "regoperator",
        "regclass",
        "regtype",
        "regrole",
        "regnamespace",
        "regconfig",
        "regdictionary",
        "aclitem",
    ];
    if JOINED.contains(&name) { name.to_owned() } else { format!("{name}_") }
}

pub(super) fn pg_aggregate(rows: &mut Rows<'_>) {
    for function in registry::all_aggregates() {
        rows.push(&[
            ("aggfnoid", Value::Oid(function.oid)),
            ("aggkind", letter('n')),
            ("aggtranstype", Value::Oid(function.result.oid())),
        ]);
    }
}

pub(super) fn pg_operator(rows: &mut Rows<'_>) {
    for operator in registry::all_operators() {
        rows.push(&[
            ("oid", Value::Oid(operator.oid)),
            ("oprname", text(operator.name)),
            ("oprnamespace", Value::Oid(PG_CATALOG)),
            ("oprowner", Value::Oid(BOOTSTRAP_ROLE)),
            ("oprkind", letter(if operator.lhs.is_some() { 'b' } else { 'l' })),
            ("oprleft", Value::Oid(operator.lhs.map_or(Oid::NONE, TypeId::oid))),
            ("oprright", Value::Oid(operator.rhs.oid())),
            ("oprresult", Value::Oid(operator.function.result.oid())),
            ("oprcode", Value::Oid(operator.function.oid)),
        ]);
    }
}

pub(super) fn pg_cast(rows: &mut Rows<'_>) {
    for (i, cast) in registry::all_casts().enumerate() {
        let (function, method) = match cast.method {
            CastMethod::Function(function) => (function.oid, 'f'),
            CastMethod::Binary => (Oid::NONE, 'b'),
            CastMethod::InOut => (Oid::NONE, 'i'),
        };
        rows.push(&[
            ("oid", Value::Oid(Oid(10_100 + i as u32))),
            ("castsource", Value::Oid(cast.source.oid())),
            ("casttarget", Value::Oid(cast.target.oid())),
            ("castfunc", Value::Oid(function)),
            (
                "castcontext",
                letter(match cast.context {
                    CastContext::Implicit => 'i',
                    CastContext::Assignment => 'a',
                    CastContext::Explicit => 'e',
                }),
            ),
            ("castmethod", letter(method)),
        ]);
    }
}

pub(super) fn pg_am(rows: &mut Rows<'_>) {
    for (oid, name, kind) in [(2, "heap", 't'), (403, "btree", 'i'), (405, "hash", 'i')] {
        rows.push(&[
            ("oid", Value::Oid(Oid(oid))),
            ("amname", text(name)),
            ("amtype", letter(kind)),
        ]);
    }
}

pub(super) fn pg_opclass(rows: &mut Rows<'_>) {
    for &(oid, method, name, family, ty, is_default) in OPERATOR_CLASSES {
        rows.push(&[
            ("oid", Value::Oid(Oid(oid))),
            ("opcmethod", Value::Oid(Oid(method))),
            ("opcname", text(name)),
            ("opcnamespace", Value::Oid(PG_CATALOG)),
            ("opcowner", Value::Oid(BOOTSTRAP_ROLE)),
            ("opcfamily", Value::Oid(Oid(family))),
            ("opcintype", Value::Oid(Oid(ty))),
            ("opcdefault", Value::Bool(is_default)),
        ]);
    }
}

pub(super) fn pg_opfamily(rows: &mut Rows<'_>) {
    for &(oid, method, name) in OPERATOR_FAMILIES {
        rows.push(&[
            ("oid", Value::Oid(Oid(oid))),
            ("opfmethod", Value::Oid(Oid(method))),
            ("opfname", text(name)),
            ("opfnamespace", Value::Oid(PG_CATALOG)),
            ("opfowner", Value::Oid(BOOTSTRAP_ROLE)),
        ]);
    }
}

pub(super) fn pg_language(rows: &mut Rows<'_>) {
    for (oid, name, is_trusted) in [(12, "internal", false), (13, "c", false), (14, "sql", true)] {
        rows.push(&[
            ("oid", Value::Oid(Oid(oid))),
            ("lanname", text(name)),
            ("lanowner", Value::Oid(BOOTSTRAP_ROLE)),
            ("lanpltrusted", Value::Bool(is_trusted)),
        ]);
    }
}

pub(super) fn pg_collation(rows: &mut Rows<'_>) {
    for (oid, name, provider) in [(100, "default", 'd'), (950, "C", 'c'), (951, "POSIX", 'c')] {
        let locale = if provider == 'c' { text(name) } else { Value::Null };
        rows.push(&[
            ("oid", Value::Oid(Oid(oid))),
            ("collname", text(name)),
            ("collnamespace", Value::Oid(PG_CATALOG)),
            ("collowner", Value::Oid(BOOTSTRAP_ROLE)),
            ("collprovider", letter(provider)),
            ("collisdeterministic", Value::Bool(true)),
            ("collencoding", Value::Int4(-1)),
            ("collcollate", locale.clone()),
            ("collctype", locale),
        ]);
    }
}

pub(super) fn pg_tablespace(rows: &mut Rows<'_>) {
    for (oid, name) in [(1663, "pg_default"), (1664, "pg_global")] {
        rows.push(&[
            ("oid", Value::Oid(Oid(oid))),
            ("spcname", text(name)),
            ("spcowner", Value::Oid(BOOTSTRAP_ROLE)),
        ]);
    }
}
