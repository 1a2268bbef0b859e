//! Overload resolution: which operator, function or cast a call means, by PostgreSQL's rules.
//!
//! Pure functions over the operator table; the binder calls them with the types of its operands and gets back the entry and
//! the types to which each operand must be converted. The rules are those of PostgreSQL's manual, chapter "Type Conversion"
//! (10.2 operators, 10.3 functions, 10.5 UNION, CASE and related), and of `parse_coerce.c` where the manual is silent:
//!
//! 1. an exact match wins (for operators, an unknown operand is first taken as the other operand's type);
//! 2. else candidates to which every operand converts implicitly; among them the ones with most exact matches, then the
//!    ones that take preferred types, then for unknown literals the category that the candidates agree on;
//! 3. if exactly one is left it is the answer, else the call is ambiguous (42725) or does not exist (42883).
//!
//! Unknown literals are [`TypeId::Unknown`]; the caller has replaced domains by their base types.
//! Left out: user-defined functions and casts, composite and range pseudo-types.

mod candidates;
mod common;
mod named;
mod polymorphic;

pub use common::{CommonContext, common_type};
pub use named::{Argument, NamedCall, resolve_named};

use crate::aggregate::AggregateFunction;
use crate::registry::{self, CastContext, CastMethod, Operator, ScalarFunction, TableFunction};
use candidates::{Candidate, Choice, choose};
use damask_types::{Error, Result, SqlState, TypeId};

/// What a call resolved to.
#[derive(Clone, Debug)]
pub struct Resolved<T: 'static> {
    /// The entry of the operator table.
    pub entry: &'static T,
    /// The type each operand is converted to (implicit conversion), without pseudo-types. For a call with `variadic_from`, the
    /// types of all operands as written.
    pub args: Vec<TypeId>,
    /// The result type, without pseudo-types.
    pub result: TypeId,
    /// From this operand on they are collected into one array (the function's last argument); `None` for `"any"`
    /// variadics, whose kernels see the operands as they are.
    pub variadic_from: Option<usize>,
}

/// Any entry that a function call may resolve to.
#[derive(Clone, Debug)]
pub enum ResolvedFunction {
    /// A scalar function.
    Scalar(Resolved<ScalarFunction>),
    /// An aggregate.
    Aggregate(Resolved<AggregateFunction>),
    /// A set-returning function; `result` is its first column's type.
    Table(Resolved<TableFunction>),
    /// `type(value)`: a cast in the form of a function call.
    Cast {
        /// The type.
        target: TypeId,
        /// How.
        method: CastMethod,
    },
}

/// Whether a value of `source` becomes `target` in this context (42846 or 42804 if not, by the caller). Unknown literals become anything.
pub fn can_coerce(source: TypeId, target: TypeId, context: CastContext) -> bool {
    if source == target || source == TypeId::Unknown {
        return true;
    }
    if target == TypeId::Any || polymorphic::accepts(target, source) {
        return true;
    }
    // The record type takes any row; arrays of it likewise.
    registry::cast(source, target).is_some_and(|cast| cast.context <= context)
}

/// Resolves an operator; `lhs` is `None` for a prefix operator.
///
/// # Errors
/// 42883 if there is none, 42725 if there are several and none is best.
pub fn resolve_operator(
    name: &str,
    lhs: Option<TypeId>,
    rhs: TypeId,
) -> Result<Resolved<Operator>> {
    let all = registry::operators(name);
    // An unknown operand is first taken to be of the other's type.
    let assumed = match lhs {
        Some(TypeId::Unknown) => (Some(rhs), rhs),
        Some(lhs) if rhs == TypeId::Unknown => (Some(lhs), lhs),
        _ => (lhs, rhs),
    };
    let exact = all.iter().find(|operator| {
        (operator.lhs, operator.rhs) == assumed && operator.rhs != TypeId::Unknown
    });
    let args_of = |operator: &Operator| operator.lhs.into_iter().chain([operator.rhs]).collect();
    let operands: Vec<TypeId> = lhs.into_iter().chain([rhs]).collect();
    let entry = if let Some(entry) = exact {
        *entry
    } else {
        let candidates: Vec<Candidate<&'static Operator>> = all
            .iter()
            .filter(|operator| operator.lhs.is_some() == lhs.is_some())
            .map(|operator| Candidate {
                entry: *operator,
                args: args_of(operator),
                variadic_from: None,
            })
            .collect();
        match choose(&candidates, &operands) {
            Choice::One(candidate) => candidate.entry,
            Choice::None => return Err(operator_missing(name, lhs, rhs)),
            Choice::Several => {
                return Err(Error::new(
                    SqlState::AMBIGUOUS_FUNCTION,
                    format!("operator is not unique: {}", operator_text(name, lhs, rhs)),
                )
                .hint("Could not choose a best candidate operator. You might need to add explicit type casts."));
            }
        }
    };
    let args: Vec<TypeId> = args_of(entry);
    let Some((args, result)) = polymorphic::resolve(&args, &operands, entry.function.result)?
    else {
        return Err(operator_missing(name, lhs, rhs));
    };
    Ok(Resolved { entry, args, result, variadic_from: None })
}

fn operator_text(name: &str, lhs: Option<TypeId>, rhs: TypeId) -> String {
    match lhs {
        Some(lhs) => format!("{} {name} {}", type_text(lhs), type_text(rhs)),
        None => format!("{name} {}", type_text(rhs)),
    }
}

fn operator_missing(name: &str, lhs: Option<TypeId>, rhs: TypeId) -> Error {
    let hint = if lhs.is_some() {
        "No operator matches the given name and argument types. You might need to add explicit type casts."
    } else {
        "No operator matches the given name and argument type. You might need to add an explicit type cast."
    };
    Error::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("operator does not exist: {}", operator_text(name, lhs, rhs)),
    )
    .hint(hint)
}

/// Resolves a call `name(args)` among scalar functions, aggregates and set-returning functions, and casts written as calls.
/// `count(*)` is the aggregate `count` without arguments. `explicit_variadic` is `f(..., VARIADIC array)`.
///
/// # Errors
/// 42883 if there is none, 42725 if there are several and none is best.
pub fn resolve_function(
    name: &str,
    args: &[TypeId],
    explicit_variadic: bool,
) -> Result<ResolvedFunction> {
    let candidates = function_candidates(name, args.len(), explicit_variadic);
    if let Some(exact) = candidates.iter().find(|candidate| candidate.args == args) {
        return finish(name, exact, args);
    }
    // A type name with one argument is a cast if the conversion is trivial or the argument is an unknown literal.
    if let [arg] = *args
        && let Some(target) = type_named(name)
    {
        if arg == TypeId::Unknown {
            return Ok(ResolvedFunction::Cast { target, method: CastMethod::InOut });
        }
        if let Some(cast) = registry::cast(arg, target)
            && !matches!(cast.method, CastMethod::Function(_))
        {
            return Ok(ResolvedFunction::Cast { target, method: cast.method });
        }
        if arg == target {
            return Ok(ResolvedFunction::Cast { target, method: CastMethod::Binary });
        }
    }
    match choose(&candidates, args) {
        Choice::One(candidate) => finish(name, candidate, args),
        Choice::None => Err(function_missing(name, args)),
        Choice::Several => Err(Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("function {} is not unique", call_text(name, args)),
        )
        .hint("Could not choose a best candidate function. You might need to add explicit type casts.")),
    }
}

/// Whether any function, aggregate or set-returning function has this name.
pub fn function_exists(name: &str) -> bool {
    !registry::functions(name).is_empty()
        || !registry::aggregates(name).is_empty()
        || !registry::table_functions(name).is_empty()
}

/// An entry of any kind.
#[derive(Clone, Copy)]
enum Entry {
    Scalar(&'static ScalarFunction),
    Aggregate(&'static AggregateFunction),
    Table(&'static TableFunction),
}

fn function_candidates(name: &str, count: usize, explicit_variadic: bool) -> Vec<Candidate<Entry>> {
    let mut candidates = Vec::new();
    for function in registry::functions(name) {
        let entry = Entry::Scalar(function);
        let declared = function.args.len();
        if function.variadic && !explicit_variadic {
            // The last argument stands for one or more operands of its element type.
            if count + 1 < declared || count == 0 && declared > 0 {
                continue;
            }
            let last = function.args[declared - 1];
            let element =
                if last == TypeId::Any { last } else { polymorphic::element(last).unwrap_or(last) };
            let mut args = function.args[..declared - 1].to_vec();
            if count < declared {
                continue;
            }
            args.resize(count, element);
            let variadic_from = (last != TypeId::Any).then_some(declared - 1);
            candidates.push(Candidate { entry, args, variadic_from });
            continue;
        }
        // `VARIADIC` may also stand before the last operand of a function that is not variadic: it changes nothing there.
        if count <= declared && count + function.defaults >= declared {
            candidates.push(Candidate {
                entry,
                args: function.args[..count].to_vec(),
                variadic_from: None,
            });
        }
    }
    for aggregate in registry::aggregates(name) {
        if aggregate.args.len() == count {
            let entry = Entry::Aggregate(aggregate);
            candidates.push(Candidate {
                entry,
                args: aggregate.args.to_vec(),
                variadic_from: None,
            });
        }
    }
    for function in registry::table_functions(name) {
        if function.args.len() == count {
            let entry = Entry::Table(function);
            candidates.push(Candidate { entry, args: function.args.to_vec(), variadic_from: None });
        }
    }
    candidates
}

fn finish(
    name: &str,
    candidate: &Candidate<Entry>,
    operands: &[TypeId],
) -> Result<ResolvedFunction> {
    let declared = match candidate.entry {
        Entry::Scalar(function) => function.result,
        Entry::Aggregate(aggregate) => aggregate.result,
        Entry::Table(function) => {
            function.columns.first().map_or(TypeId::Record, |column| column.1)
        }
    };
    let Some((mut args, result)) = polymorphic::resolve(&candidate.args, operands, declared)?
    else {
        return Err(function_missing(name, operands));
    };
    // Functions of any number of values of any types see text, which also gives parameters a type.
    if let Entry::Scalar(ScalarFunction { variadic: true, .. }) = candidate.entry {
        for arg in args.iter_mut().filter(|arg| **arg == TypeId::Unknown) {
            *arg = TypeId::Text;
        }
    }
    let variadic_from = candidate.variadic_from;
    Ok(match candidate.entry {
        Entry::Scalar(entry) => {
            ResolvedFunction::Scalar(Resolved { entry, args, result, variadic_from })
        }
        Entry::Aggregate(entry) => {
            ResolvedFunction::Aggregate(Resolved { entry, args, result, variadic_from })
        }
        Entry::Table(entry) => {
            ResolvedFunction::Table(Resolved { entry, args, result, variadic_from })
        }
    })
}

fn call_text(name: &str, args: &[TypeId]) -> String {
    let args: Vec<&str> = args.iter().map(|&arg| type_text(arg)).collect();
    format!("{name}({})", args.join(", "))
}

fn function_missing(name: &str, args: &[TypeId]) -> Error {
    Error::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("function {} does not exist", call_text(name, args)),
    )
    .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
}

/// The built-in base type with this `typname`, for casts written as calls.
fn type_named(name: &str) -> Option<TypeId> {
    TypeId::ALL.iter().copied().find(|ty| ty.name() == name && ty.info().kind == 'b')
}

/// A type's name in messages: `format_type` without modifier.
pub fn type_text(ty: TypeId) -> &'static str {
    match ty {
        TypeId::Bool => "boolean",
        TypeId::Int2 => "smallint",
        TypeId::Int4 => "integer",
        TypeId::Int8 => "bigint",
        TypeId::Float4 => "real",
        TypeId::Float8 => "double precision",
        TypeId::BpChar => "character",
        TypeId::Varchar => "character varying",
        TypeId::Char => "\"char\"",
        TypeId::Time => "time without time zone",
        TypeId::TimeTz => "time with time zone",
        TypeId::Timestamp => "timestamp without time zone",
        TypeId::TimestampTz => "timestamp with time zone",
        TypeId::VarBit => "bit varying",
        TypeId::Any => "\"any\"",
        TypeId::BoolArray => "boolean[]",
        TypeId::ByteaArray => "bytea[]",
        TypeId::CharArray => "\"char\"[]",
        TypeId::NameArray => "name[]",
        TypeId::Int8Array => "bigint[]",
        TypeId::Int2Array => "smallint[]",
        TypeId::Int4Array => "integer[]",
        TypeId::TextArray => "text[]",
        TypeId::OidArray => "oid[]",
        TypeId::Float4Array => "real[]",
        TypeId::Float8Array => "double precision[]",
        TypeId::BpCharArray => "character[]",
        TypeId::VarcharArray => "character varying[]",
        TypeId::DateArray => "date[]",
        TypeId::TimeArray => "time without time zone[]",
        TypeId::TimestampArray => "timestamp without time zone[]",
        TypeId::TimestampTzArray => "timestamp with time zone[]",
        TypeId::IntervalArray => "interval[]",
        TypeId::NumericArray => "numeric[]",
        TypeId::UuidArray => "uuid[]",
        TypeId::RegClassArray => "regclass[]",
        TypeId::RegTypeArray => "regtype[]",
        TypeId::RecordArray => "record[]",
        TypeId::CStringArray => "cstring[]",
        TypeId::AclItemArray => "aclitem[]",
        TypeId::JsonArray => "json[]",
        TypeId::JsonbArray => "jsonb[]",
        TypeId::XidArray => "xid[]",
        _ => ty.name(),
    }
}
