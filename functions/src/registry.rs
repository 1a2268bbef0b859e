//! How operators, functions and casts are found.
//!
//! The tables are static slices, one for each family, joined once into maps by name. OIDs are PostgreSQL's own from `pg_proc`,
//! `pg_operator` and `pg_cast`, so that the catalog, drivers and `regprocedure` agree.

mod arguments;

pub use arguments::{argument_defaults, argument_names};

use crate::aggregate::AggregateFunction;
use crate::cast::table::{CASTS, Method};
use crate::kernel::Kernel;
use crate::operator::table::OPERATORS;
pub use crate::scalar::array_assign::{ARRAY_SET, ARRAY_SET_SLICE};
use damask_types::{Oid, PhysicalType, TypeId};
use std::collections::HashMap;
use std::sync::LazyLock;

/// From here on OIDs name helper functions of our own (conversions that PostgreSQL has no function for); they have no
/// place in the catalog and no name that SQL can reach.
pub const FIRST_HELPER_OID: Oid = Oid(0xffff_0000);

/// Whether a call may be evaluated early, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    /// The same result for the same arguments, for ever: may be folded at plan time.
    Immutable,
    /// The same within one statement: may be evaluated once per statement.
    Stable,
    /// Anything: must be evaluated for each row, in place.
    Volatile,
}

/// A scalar function, also the body of operators and casts.
#[derive(Clone, Copy, Debug)]
pub struct ScalarFunction {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// `pg_proc.proname`.
    pub name: &'static str,
    /// Argument types; may be polymorphic. The last one of a variadic function is the array type.
    pub args: &'static [TypeId],
    /// Whether the last argument takes any number of values (`VARIADIC`); `"any"` takes values of mixed types.
    pub variadic: bool,
    /// How many trailing arguments have defaults (the kernel sees fewer arguments).
    pub defaults: usize,
    /// Result type; may be polymorphic.
    pub result: TypeId,
    /// Whether a null argument gives null without a call.
    pub strict: bool,
    /// When it may be evaluated.
    pub volatility: Volatility,
    /// Whether some arguments make it raise.
    pub may_raise: bool,
    /// The body.
    pub kernel: Kernel,
}

/// An operator: a name and operand types for a function.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// `pg_operator.oid`.
    pub oid: Oid,
    /// `pg_operator.oprname`.
    pub name: &'static str,
    /// Left operand; `None` for a prefix operator.
    pub lhs: Option<TypeId>,
    /// Right operand.
    pub rhs: TypeId,
    /// What it runs.
    pub function: &'static ScalarFunction,
    /// `oprcom`: the operator with operands swapped, by name.
    pub commutator: Option<&'static str>,
    /// `oprnegate`: the operator that gives the opposite, by name.
    pub negator: Option<&'static str>,
}

/// Where a cast is applied without being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastContext {
    /// Anywhere.
    Implicit,
    /// When a value is stored in a column.
    Assignment,
    /// Only where written.
    Explicit,
}

/// How a cast converts.
#[derive(Clone, Copy, Debug)]
pub enum CastMethod {
    /// By this function: (value), or (value, typmod int4, is_explicit bool) when it takes three arguments.
    Function(&'static ScalarFunction),
    /// The representation is the same ([`damask_types::Vector::retype`]).
    Binary,
    /// Through the text form (`typoutput`, then `typinput`).
    InOut,
}

/// A cast between two types.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// From.
    pub source: TypeId,
    /// To.
    pub target: TypeId,
    /// Where it applies by itself.
    pub context: CastContext,
    /// How.
    pub method: CastMethod,
}

/// A set-returning function (`generate_series`, `unnest`, `generate_subscripts`, ...).
#[derive(Clone, Copy, Debug)]
pub struct TableFunction {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// Name.
    pub name: &'static str,
    /// Argument types; may be polymorphic.
    pub args: &'static [TypeId],
    /// Result columns: names and types; a single column is named after the function.
    pub columns: &'static [(&'static str, TypeId)],
    /// The rows for one set of argument values, in order. Nulls are passed on; a strict function gives no rows for them.
    pub rows: fn(
        session: &dyn crate::Session,
        args: &[damask_types::Value],
    ) -> damask_types::Result<
        Box<dyn Iterator<Item = damask_types::Result<Vec<damask_types::Value>>> + Send>,
    >,
    /// When it may be evaluated.
    pub volatility: Volatility,
}

impl ScalarFunction {
    /// A function that is not strict, immutable, and cannot raise, until told otherwise.
    pub(crate) const fn new(
        oid: u32,
        name: &'static str,
        args: &'static [TypeId],
        result: TypeId,
        kernel: Kernel,
    ) -> Self {
        Self {
            oid: Oid(oid),
            name,
            args,
            variadic: false,
            defaults: 0,
            result,
            strict: false,
            volatility: Volatility::Immutable,
            may_raise: false,
            kernel,
        }
    }

    pub(crate) const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    pub(crate) const fn immutable(mut self) -> Self {
        self.volatility = Volatility::Immutable;
        self
    }

    pub(crate) const fn stable(mut self) -> Self {
        self.volatility = Volatility::Stable;
        self
    }

    pub(crate) const fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }

    pub(crate) const fn raises(mut self) -> Self {
        self.may_raise = true;
        self
    }

    pub(crate) const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    pub(crate) const fn defaults_1(mut self) -> Self {
        self.defaults = 1;
        self
    }

    pub(crate) const fn defaults_7(mut self) -> Self {
        self.defaults = 7;
        self
    }
}

/// A family of functions, one line each: `oid name(argument types) -> result: flags = kernel;`.
macro_rules! family {
    ($($oid:literal $name:tt($($arg:ident),*) -> $result:ident: $($flag:ident)* = $kernel:expr;)*) => {
        &[$(
            $crate::registry::ScalarFunction::new(
                $oid,
                stringify!($name),
                &[$(damask_types::TypeId::$arg),*],
                damask_types::TypeId::$result,
                $kernel,
            )$(.$flag())*
        ),*]
    };
}
pub(crate) use family;

/// The tables joined: what the static families say, by name and by OID.
struct Tables {
    functions: Vec<&'static ScalarFunction>,
    functions_by_name: HashMap<&'static str, Vec<&'static ScalarFunction>>,
    functions_by_oid: HashMap<Oid, &'static ScalarFunction>,
    operators_by_name: HashMap<&'static str, Vec<&'static Operator>>,
    operators_by_oid: HashMap<Oid, &'static Operator>,
    aggregates_by_name: HashMap<&'static str, Vec<&'static AggregateFunction>>,
    table_functions_by_name: HashMap<&'static str, Vec<&'static TableFunction>>,
    casts: HashMap<(TypeId, TypeId), &'static Cast>,
}

/// The operators themselves; apart from [`Tables`] so that it can refer to them.
static OPERATOR_LIST: LazyLock<Vec<Operator>> = LazyLock::new(|| {
    let functions: HashMap<u32, &'static ScalarFunction> =
        families().map(|function| (function.oid.0, function)).collect();
    OPERATORS
        .iter()
        .filter_map(|spec| {
            Some(Operator {
                oid: Oid(spec.oid),
                name: spec.name,
                lhs: spec.lhs,
                rhs: spec.rhs,
                function: functions.get(&spec.function)?,
                commutator: spec.commutator,
                negator: spec.negator,
            })
        })
        .collect()
});

static CAST_LIST: LazyLock<Vec<Cast>> = LazyLock::new(|| {
    let functions: HashMap<u32, &'static ScalarFunction> =
        families().map(|function| (function.oid.0, function)).collect();
    CASTS
        .iter()
        .filter_map(|spec| {
            let method = match spec.method {
                Method::Function(oid) => cast_function(&functions, spec.source, spec.target, oid)?,
                Method::Binary => binary(&functions, spec.source, spec.target)?,
            };
            Some(Cast { source: spec.source, target: spec.target, context: spec.context, method })
        })
        .collect()
});

/// Binary-compatible in PostgreSQL; between int4 and the OID types, whose vectors differ, by helper functions here.
fn binary(
    functions: &HashMap<u32, &'static ScalarFunction>,
    source: TypeId,
    target: TypeId,
) -> Option<CastMethod> {
    let helper = match (source.physical(), target.physical()) {
        (a, b) if a == b => return Some(CastMethod::Binary),
        (PhysicalType::Int4, PhysicalType::Oid) => crate::cast::INT4_TO_OID,
        (PhysicalType::Oid, PhysicalType::Int4) => crate::cast::OID_TO_INT4,
        _ => return None,
    };
    functions.get(&helper).map(|function| CastMethod::Function(function))
}

/// The function of a cast; those that go from int2 to the OID types through int4 need a helper of our own.
fn cast_function(
    functions: &HashMap<u32, &'static ScalarFunction>,
    source: TypeId,
    target: TypeId,
    oid: u32,
) -> Option<CastMethod> {
    let oid = if source == TypeId::Int2 && target.physical() == PhysicalType::Oid {
        crate::cast::INT2_TO_OID
    } else {
        oid
    };
    functions.get(&oid).map(|function| CastMethod::Function(function))
}

fn families() -> impl Iterator<Item = &'static ScalarFunction> {
    crate::operator::FAMILIES
        .iter()
        .chain(crate::scalar::FAMILIES)
        .chain(crate::cast::FAMILIES)
        .flat_map(|family| family.iter())
}

fn group<T>(
    items: impl Iterator<Item = &'static T>,
    name: impl Fn(&T) -> &'static str,
) -> HashMap<&'static str, Vec<&'static T>> {
    let mut map: HashMap<&'static str, Vec<&'static T>> = HashMap::new();
    for item in items {
        map.entry(name(item)).or_default().push(item);
    }
    map
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let is_helper = |function: &&'static ScalarFunction| function.oid >= FIRST_HELPER_OID;
    let functions: Vec<_> = families().filter(|function| !is_helper(function)).collect();
    Tables {
        functions_by_name: group(functions.iter().copied(), |function| function.name),
        functions_by_oid: families().map(|function| (function.oid, function)).collect(),
        functions,
        operators_by_name: group(OPERATOR_LIST.iter(), |operator| operator.name),
        operators_by_oid: OPERATOR_LIST.iter().map(|operator| (operator.oid, operator)).collect(),
        aggregates_by_name: group(all_aggregates(), |aggregate| aggregate.name),
        table_functions_by_name: group(all_table_functions(), |function| function.name),
        casts: CAST_LIST.iter().map(|cast| ((cast.source, cast.target), cast)).collect(),
    }
});

/// Every scalar function of this name.
pub fn functions(name: &str) -> &'static [&'static ScalarFunction] {
    TABLES.functions_by_name.get(name).map_or(&[], Vec::as_slice)
}

/// The scalar function with this OID, helpers included.
pub fn function_by_oid(oid: Oid) -> Option<&'static ScalarFunction> {
    TABLES.functions_by_oid.get(&oid).copied()
}

/// The form of an `"any"` variadic function for calls that hand it an array, `concat(VARIADIC array)`; `None` for others,
/// which take the array as it is.
pub fn array_form(function: &ScalarFunction) -> Option<&'static ScalarFunction> {
    let helper = match function.oid.0 {
        438 => 0xffff_0023,  // num_nulls
        440 => 0xffff_0024,  // num_nonnulls
        3058 => 0xffff_0020, // concat
        3059 => 0xffff_0021, // concat_ws
        3539 => 0xffff_0022, // format
        _ => return None,
    };
    function_by_oid(Oid(helper))
}

/// Every operator of this name.
pub fn operators(name: &str) -> &'static [&'static Operator] {
    TABLES.operators_by_name.get(name).map_or(&[], Vec::as_slice)
}

/// The operator with this OID.
pub fn operator_by_oid(oid: Oid) -> Option<&'static Operator> {
    TABLES.operators_by_oid.get(&oid).copied()
}

/// The operator with exactly these operand types (polymorphic ones as registered).
pub fn operator(name: &str, lhs: Option<TypeId>, rhs: TypeId) -> Option<&'static Operator> {
    operators(name).iter().copied().find(|operator| operator.lhs == lhs && operator.rhs == rhs)
}

/// Every aggregate of this name.
pub fn aggregates(name: &str) -> &'static [&'static AggregateFunction] {
    TABLES.aggregates_by_name.get(name).map_or(&[], Vec::as_slice)
}

/// Every set-returning function of this name.
pub fn table_functions(name: &str) -> &'static [&'static TableFunction] {
    TABLES.table_functions_by_name.get(name).map_or(&[], Vec::as_slice)
}

/// How `source` becomes `target` where the cast is written out: the registered cast; else, between arrays, the cast of
/// their elements (the method is that of one element); else through text, if either side is of the text category.
///
/// A type to itself is found only where it has a length coercion (`varchar`, `numeric`, ...).
/// `None` means 42846 `cannot cast type x to y`.
pub fn cast(source: TypeId, target: TypeId) -> Option<Cast> {
    if let Some(cast) = TABLES.casts.get(&(source, target)) {
        return Some(**cast);
    }
    if source == target || source.info().kind == 'p' && source != TypeId::Unknown {
        return None;
    }
    if let (Some(from), Some(to)) = (array_element(source), array_element(target)) {
        if from == to {
            return Some(Cast {
                source,
                target,
                context: CastContext::Implicit,
                method: CastMethod::Binary,
            });
        }
        let element = cast(from, to)?;
        return Some(Cast { source, target, ..element });
    }
    let context = if target.info().category == 'S' {
        CastContext::Assignment
    } else if source.info().category == 'S' || source == TypeId::Unknown {
        CastContext::Explicit
    } else {
        return None;
    };
    (target.info().kind != 'p').then_some(Cast {
        source,
        target,
        context,
        method: CastMethod::InOut,
    })
}

/// The element type of a true array; the vectors of system columns (`int2vector`) convert as whole values.
fn array_element(ty: TypeId) -> Option<TypeId> {
    match ty {
        TypeId::Int2Vector | TypeId::OidVector => None,
        _ => ty.element(),
    }
}

/// The function that applies a modifier to a value of this type (`varchar(n)`, `numeric(p,s)`, `timestamp(p)`):
/// (value, typmod, is explicit) or (value, typmod).
pub fn length_coercion(ty: TypeId) -> Option<&'static ScalarFunction> {
    match TABLES.casts.get(&(ty, ty))?.method {
        CastMethod::Function(function) => Some(function),
        CastMethod::Binary | CastMethod::InOut => None,
    }
}

/// All of them, for the catalog.
pub fn all_functions() -> impl Iterator<Item = &'static ScalarFunction> {
    TABLES.functions.iter().copied()
}

/// All of them, for the catalog.
pub fn all_operators() -> impl Iterator<Item = &'static Operator> {
    OPERATOR_LIST.iter()
}

/// All of them, for the catalog.
pub fn all_aggregates() -> impl Iterator<Item = &'static AggregateFunction> {
    crate::aggregate::FAMILIES.iter().flat_map(|family| family.iter())
}

/// All of them, for the catalog.
pub fn all_table_functions() -> impl Iterator<Item = &'static TableFunction> {
    crate::table::FAMILIES.iter().flat_map(|family| family.iter())
}

/// All of them, for the catalog.
pub fn all_casts() -> impl Iterator<Item = &'static Cast> {
    CAST_LIST.iter()
}
