//! Bound expressions: the form between binding and machine, shared by rewrites, the interpreter and the JIT.
//!
//! Every node has its type, every operator, function and cast is resolved to an entry of the operator table. Columns are
//! global ids: a column keeps its id from the scan that makes it to the top of the plan, whatever position it has on the way.

use damask_functions::ScalarFunction;
use damask_types::{Position, SqlType, Value};

/// A column's identity in one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u32);

/// An expression over one row.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// Its type.
    pub ty: SqlType,
    /// Where it stands in the statement's text; errors it raises at run time do not carry it (as in PostgreSQL).
    pub position: Option<Position>,
}

/// What an expression computes.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A column of the input.
    Column(ColumnId),
    /// A constant.
    Literal(Value),
    /// `$n`, from 0.
    Parameter(usize),
    /// A column of the outer side of an enclosing [`crate::physical::Operator::Apply`]; constant while the inner side runs.
    Outer(ColumnId),
    /// The one value of a subplan without free columns, run at most once, on first use; null if it gives no row, 21000 if several.
    Subplan(crate::physical::PlanId),
    /// Whether a subplan without free columns gives a row; run at most once, on first use.
    Exists(crate::physical::PlanId),
    /// `ARRAY(subplan)` without free columns: its first column as an array; run at most once.
    ArraySubplan(crate::physical::PlanId),
    /// A function or operator.
    Call {
        /// The entry of the operator table.
        function: &'static ScalarFunction,
        /// Its arguments, already converted to the types of its signature.
        args: Vec<Expr>,
    },
    /// A cast that keeps the representation.
    Retype(Box<Expr>),
    /// A cast through text: the output function of the operand's type, then the input function of `ty` (modifier applied).
    InOut(Box<Expr>),
    /// Array to array, each element converted by `element` (an expression whose input is `Element`).
    ArrayCast {
        /// The array.
        arg: Box<Expr>,
        /// The conversion of one element.
        element: Box<Expr>,
    },
    /// The element that the enclosing [`ExprKind::ArrayCast`] converts.
    Element,
    /// AND; operands in text order.
    And(Vec<Expr>),
    /// OR; operands in text order.
    Or(Vec<Expr>),
    /// NOT.
    Not(Box<Expr>),
    /// IS [NOT] NULL; for records, of all fields.
    IsNull {
        /// Operand.
        arg: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
    },
    /// IS [NOT] TRUE, FALSE or UNKNOWN (`None`).
    IsBool {
        /// Operand, a bool.
        arg: Box<Expr>,
        /// The value asked for.
        value: Option<bool>,
        /// NOT.
        negated: bool,
    },
    /// IS [NOT] DISTINCT FROM, by the equality function of the operands' type.
    IsDistinct {
        /// Left operand.
        lhs: Box<Expr>,
        /// Right operand.
        rhs: Box<Expr>,
        /// `=` of their type.
        equality: &'static ScalarFunction,
        /// NOT DISTINCT.
        negated: bool,
    },
    /// Searched CASE (`CASE x WHEN ...` is bound to it with equality calls). Branches are evaluated only for rows that reach them.
    Case {
        /// Conditions and results, in order.
        branches: Vec<(Expr, Expr)>,
        /// ELSE; null if absent.
        otherwise: Option<Box<Expr>>,
    },
    /// COALESCE: the first that is not null; later ones are evaluated only for rows that need them.
    Coalesce(Vec<Expr>),
    /// NULLIF(lhs, rhs).
    NullIf {
        /// The value.
        lhs: Box<Expr>,
        /// What makes it null.
        rhs: Box<Expr>,
        /// `=` of their type.
        equality: &'static ScalarFunction,
    },
    /// GREATEST or LEAST, nulls ignored.
    MinMax {
        /// Operands.
        args: Vec<Expr>,
        /// LEAST.
        least: bool,
        /// `<` of their type.
        less: &'static ScalarFunction,
    },
    /// `lhs op ANY (array)` or `ALL`. IN lists are bound to it with an [`ExprKind::Array`].
    AnyAll {
        /// Left operand.
        lhs: Box<Expr>,
        /// The comparison.
        function: &'static ScalarFunction,
        /// The array.
        array: Box<Expr>,
        /// ALL.
        all: bool,
    },
    /// ARRAY[...] (elements, or arrays of one shape for more dimensions).
    Array(Vec<Expr>),
    /// `array[i]`, `array[i][j]`; null outside.
    Subscript {
        /// The array.
        array: Box<Expr>,
        /// One subscript a dimension.
        subscripts: Vec<Expr>,
    },
    /// `array[lower:upper]` of one dimension.
    Slice {
        /// The array.
        array: Box<Expr>,
        /// Lower bound.
        lower: Option<Box<Expr>>,
        /// Upper bound.
        upper: Option<Box<Expr>>,
    },
    /// ROW(...).
    Row(Vec<Expr>),
    /// Field `index` of a record.
    Field {
        /// The record.
        arg: Box<Expr>,
        /// From 0.
        index: usize,
    },
    /// An error found while folding constants, raised only if a row gets here.
    Raise(std::sync::Arc<damask_types::Error>),
}
