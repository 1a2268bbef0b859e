//! Expressions, calls and type names.
//!
//! A node's [`Expr::span`] covers all of its text. PostgreSQL points errors at one token of a node (the operator of
//! `a + b`, the name of `f(x)`, the `::` of a cast): that is [`Expr::location`].

use super::{Ident, Name, OrderBy, Query, Span};

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// All of its text.
    pub span: Span,
}

impl Expr {
    /// `kind` at `span`.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// The byte offset that PostgreSQL's messages about this node point at.
    pub fn location(&self) -> u32 {
        match &self.kind {
            ExprKind::Binary { operator, .. } | ExprKind::Quantified { operator, .. } => {
                operator.span.start
            }
            ExprKind::Chain { rest, .. } => {
                rest.last().map_or(self.span.start, |(operator, _)| operator.span.start)
            }
            ExprKind::Cast { location, .. }
            | ExprKind::Like { location, .. }
            | ExprKind::Between { location, .. }
            | ExprKind::InList { location, .. }
            | ExprKind::InSubquery { location, .. }
            | ExprKind::IsNull { location, .. }
            | ExprKind::IsTruth { location, .. }
            | ExprKind::IsDistinctFrom { location, .. }
            | ExprKind::Collate { location, .. }
            | ExprKind::AtTimeZone { location, .. } => *location,
            _ => self.span.start,
        }
    }
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A constant without a written type.
    Literal(Literal),
    /// `a`, `t.a`, `s.t.a`. Which parts are table and column is for the binder to find.
    Column(Name),
    /// `*` (none) or `t.*`, in a select list, a call or a row.
    Wildcard(Option<Name>),
    /// `$n`, from 1.
    Parameter(u32),
    /// A prefix operator: `- a`, `@ a`, `OPERATOR(s.-) a`. A minus before a number literal is already in the literal.
    Unary {
        /// The operator.
        operator: Operator,
        /// Its operand.
        expr: Box<Expr>,
    },
    /// An infix operator: arithmetic, comparison, `||`, `~`, custom ones. `<>` covers `!=`.
    Binary {
        /// The operator.
        operator: Operator,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// A long chain of left-associative operators, `first op x op y ...`, kept flat so that trees stay low (A3). It
    /// means the left-deep tree of [`ExprKind::Binary`] nodes and only appears where that would be very high.
    Chain {
        /// The leftmost operand.
        first: Box<Expr>,
        /// Each operator with its right operand, from left to right. Never empty.
        rest: Vec<(Operator, Expr)>,
    },
    /// `a AND b AND ...`, two or more.
    And(Vec<Expr>),
    /// `a OR b OR ...`, two or more.
    Or(Vec<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `a IS [NOT] NULL`, `a ISNULL`, `a NOTNULL`.
    IsNull {
        /// The tested value.
        expr: Box<Expr>,
        /// With `NOT`.
        negated: bool,
        /// Offset of `IS`.
        location: u32,
    },
    /// `a IS [NOT] TRUE | FALSE | UNKNOWN`.
    IsTruth {
        /// The tested value.
        expr: Box<Expr>,
        /// True, false, or none for `UNKNOWN`.
        truth: Option<bool>,
        /// With `NOT`.
        negated: bool,
        /// Offset of `IS`.
        location: u32,
    },
    /// `a IS [NOT] DISTINCT FROM b`.
    IsDistinctFrom {
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
        /// With `NOT`: true when the two are the same.
        negated: bool,
        /// Offset of `IS`.
        location: u32,
    },
    /// `a [NOT] BETWEEN [SYMMETRIC] low AND high`.
    Between {
        /// The tested value.
        expr: Box<Expr>,
        /// Lower bound.
        low: Box<Expr>,
        /// Upper bound.
        high: Box<Expr>,
        /// With `SYMMETRIC`: the bounds may be in either order.
        symmetric: bool,
        /// With `NOT`.
        negated: bool,
        /// Offset of `BETWEEN`.
        location: u32,
    },
    /// `a [NOT] IN (x, y, ...)`.
    InList {
        /// The tested value.
        expr: Box<Expr>,
        /// The candidates, one or more.
        list: Vec<Expr>,
        /// With `NOT`.
        negated: bool,
        /// Offset of `IN`.
        location: u32,
    },
    /// `a [NOT] IN (SELECT ...)`; `expr` may be a row.
    InSubquery {
        /// The tested value.
        expr: Box<Expr>,
        /// The candidates.
        query: Box<Query>,
        /// With `NOT`.
        negated: bool,
        /// Offset of `IN`.
        location: u32,
    },
    /// `a [NOT] LIKE | ILIKE | SIMILAR TO pattern [ESCAPE e]`.
    Like {
        /// Which of the three.
        kind: LikeKind,
        /// The text.
        expr: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape character.
        escape: Option<Box<Expr>>,
        /// With `NOT`.
        negated: bool,
        /// Offset of the keyword.
        location: u32,
    },
    /// `a op ANY | ALL (array or query)`. `LIKE ANY` has the operator `~~`.
    Quantified {
        /// Left operand.
        left: Box<Expr>,
        /// The operator.
        operator: Operator,
        /// `ANY` (also written `SOME`) or `ALL`.
        quantifier: Quantifier,
        /// What it ranges over.
        over: QuantifiedOver,
    },
    /// `EXISTS (SELECT ...)`.
    Exists(Box<Query>),
    /// `(SELECT ...)` as a value.
    Subquery(Box<Query>),
    /// `ARRAY(SELECT ...)`.
    ArraySubquery(Box<Query>),
    /// `ARRAY[...]`; an inner `[...]` is an `Array` too.
    Array(Vec<Expr>),
    /// `ROW(...)` or `(a, b)`.
    Row {
        /// The fields.
        fields: Vec<Expr>,
        /// Written with `ROW`.
        explicit: bool,
    },
    /// `a[i][j:k]`.
    Subscript {
        /// What is subscripted.
        expr: Box<Expr>,
        /// The subscripts, one or more.
        subscripts: Vec<Subscript>,
    },
    /// `(expr).field`.
    Field {
        /// The composite value.
        expr: Box<Expr>,
        /// The field.
        field: Ident,
    },
    /// `(expr).*`.
    FieldAll(Box<Expr>),
    /// `expr::type`, `CAST(expr AS type)`, `type 'literal'`.
    Cast {
        /// What is converted; an untyped string literal when `syntax` is [`CastSyntax::Literal`].
        expr: Box<Expr>,
        /// The target.
        type_name: Box<TypeName>,
        /// How it was written.
        syntax: CastSyntax,
        /// Offset of `::`, `CAST` or the type name.
        location: u32,
    },
    /// `a COLLATE c`.
    Collate {
        /// The text.
        expr: Box<Expr>,
        /// The collation.
        collation: Name,
        /// Offset of `COLLATE`.
        location: u32,
    },
    /// `a AT TIME ZONE zone`: the function `pg_catalog.timezone(zone, a)`.
    AtTimeZone {
        /// The time.
        expr: Box<Expr>,
        /// The zone.
        zone: Box<Expr>,
        /// Offset of `AT`.
        location: u32,
    },
    /// `CASE`.
    Case {
        /// The value that each `WHEN` is compared with, if given.
        operand: Option<Box<Expr>>,
        /// Conditions and results, one or more.
        whens: Vec<When>,
        /// `ELSE`.
        otherwise: Option<Box<Expr>>,
    },
    /// `COALESCE(...)`.
    Coalesce(Vec<Expr>),
    /// `GREATEST(...)`.
    Greatest(Vec<Expr>),
    /// `LEAST(...)`.
    Least(Vec<Expr>),
    /// `NULLIF(a, b)`.
    NullIf(Box<Expr>, Box<Expr>),
    /// A function call.
    Function(Box<FunctionCall>),
    /// `CURRENT_DATE` and its kin, which are called without parentheses.
    SqlValue(SqlValue),
    /// `DEFAULT` as a value of `INSERT` or `UPDATE`.
    Default,
    /// `GROUPING(...)`.
    Grouping(Vec<Expr>),
    /// `WHERE CURRENT OF cursor`.
    CurrentOf(Ident),
}

/// One `WHEN condition THEN result`.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The condition, or the value to compare with the operand.
    pub condition: Expr,
    /// The result.
    pub result: Expr,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// `TRUE`, `FALSE`.
    Boolean(bool),
    /// A whole number that fits 64 bits: `int4` when it fits 32, else `int8`. Negative when a minus stood before it.
    Integer(i64),
    /// Any other number: `numeric`. Digits, at most one point, at most one exponent, perhaps a leading minus.
    Number(Box<str>),
    /// A string of unknown type, escapes already undone.
    String(Box<str>),
    /// `B'0101'`: the digits.
    BitString(Box<str>),
    /// `X'1F'`: a bit string too, here its hexadecimal digits.
    HexString(Box<str>),
}

/// An operator as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The schema of `OPERATOR(schema.op)`; only the last part of a longer qualification.
    pub schema: Option<Box<Ident>>,
    /// Its symbol; `!=` is already `<>`.
    pub symbol: Symbol,
    /// The symbol's place.
    pub span: Span,
}

impl Operator {
    /// The symbol's text.
    pub fn as_str(&self) -> &str {
        self.symbol.as_str()
    }
}

/// An operator's symbol, at most 63 bytes: the short ones, which are nearly all, need no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Symbol(SymbolText);

#[derive(Clone, PartialEq, Eq)]
enum SymbolText {
    Short { bytes: [u8; 6], length: u8 },
    Long(Box<str>),
}

impl Symbol {
    /// The symbol `text`.
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; 6];
        match bytes.get_mut(..text.len()) {
            Some(head) if text.is_ascii() => {
                head.copy_from_slice(text.as_bytes());
                Self(SymbolText::Short { bytes, length: text.len() as u8 })
            }
            _ => Self(SymbolText::Long(text.into())),
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            SymbolText::Short { bytes, length } => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or("")
            }
            SymbolText::Long(text) => text,
        }
    }
}

impl std::fmt::Debug for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The pattern matching keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikeKind {
    /// `LIKE`, operator `~~`.
    Like,
    /// `ILIKE`, operator `~~*`.
    ILike,
    /// `SIMILAR TO`: `~` with `similar_to_escape(pattern)`.
    SimilarTo,
}

/// `ANY` or `ALL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// `ANY`, `SOME`.
    Any,
    /// `ALL`.
    All,
}

/// What `ANY` and `ALL` range over.
#[derive(Clone, Debug, PartialEq)]
pub enum QuantifiedOver {
    /// `op ANY (SELECT ...)`.
    Query(Box<Query>),
    /// `op ANY (array)`.
    Array(Box<Expr>),
}

/// One pair of brackets.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// `[i]`.
    Index(Expr),
    /// `[low:high]`, either may be missing.
    Slice(Option<Expr>, Option<Expr>),
}

/// How a cast was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastSyntax {
    /// `expr::type`.
    Colons,
    /// `CAST(expr AS type)`.
    Call,
    /// `type 'text'`, also `f 'text'`.
    Literal,
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// The function.
    pub name: Name,
    /// Its arguments in order; empty for `f(*)`.
    pub args: Vec<FunctionArg>,
    /// `f(*)`.
    pub star: bool,
    /// `f(DISTINCT ...)`.
    pub distinct: bool,
    /// `f(... ORDER BY ...)`, or the list of `WITHIN GROUP (ORDER BY ...)`.
    pub order_by: Vec<OrderBy>,
    /// The order is a `WITHIN GROUP`.
    pub within_group: bool,
    /// `FILTER (WHERE ...)`.
    pub filter: Option<Expr>,
    /// `OVER ...`.
    pub over: Option<Over>,
    /// The spelling, when it was not an ordinary call.
    pub syntax: CallSyntax,
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionArg {
    /// `name => value` (or `:=`).
    pub name: Option<Ident>,
    /// `VARIADIC value`.
    pub variadic: bool,
    /// The value.
    pub value: Expr,
}

/// How a call was spelled; it does not change the meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallSyntax {
    /// `f(a, b)`.
    Ordinary,
    /// `EXTRACT(field FROM a)` is `extract('field', a)`.
    Extract,
    /// `SUBSTRING(a FROM b FOR c)` is `substring(a, b, c)`.
    Substring,
    /// `SUBSTRING(a SIMILAR b ESCAPE c)` is `substring(a, b, c)`.
    SubstringSimilar,
    /// `POSITION(a IN b)` is `position(b, a)`.
    Position,
    /// `TRIM(BOTH b FROM a)` is `btrim(a, b)`, with `ltrim` and `rtrim` for `LEADING` and `TRAILING`.
    Trim,
    /// `OVERLAY(a PLACING b FROM c FOR d)` is `overlay(a, b, c, d)`.
    Overlay,
    /// `(a, b) OVERLAPS (c, d)` is `overlaps(a, b, c, d)`.
    Overlaps,
    /// `COLLATION FOR (a)` is `pg_collation_for(a)`.
    CollationFor,
    /// `NORMALIZE(a, form)` is `normalize(a, 'form')`.
    Normalize,
    /// `a IS [form] NORMALIZED` is `is_normalized(a, 'form')`.
    IsNormalized,
}

/// A function that is called without parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlValue {
    /// `CURRENT_DATE`.
    CurrentDate,
    /// `CURRENT_TIME [(precision)]`.
    CurrentTime(Option<i32>),
    /// `CURRENT_TIMESTAMP [(precision)]`.
    CurrentTimestamp(Option<i32>),
    /// `LOCALTIME [(precision)]`.
    LocalTime(Option<i32>),
    /// `LOCALTIMESTAMP [(precision)]`.
    LocalTimestamp(Option<i32>),
    /// `CURRENT_ROLE`.
    CurrentRole,
    /// `CURRENT_USER`.
    CurrentUser,
    /// `USER`.
    User,
    /// `SESSION_USER`.
    SessionUser,
    /// `CURRENT_CATALOG`.
    CurrentCatalog,
    /// `CURRENT_SCHEMA`.
    CurrentSchema,
}

/// The window of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// `OVER name`.
    Named(Ident),
    /// `OVER (...)`.
    Window(WindowDefinition),
}

/// The inside of `OVER (...)` or `WINDOW w AS (...)`.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowDefinition {
    /// The window that this one refines.
    pub base: Option<Ident>,
    /// `PARTITION BY`.
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderBy>,
    /// `ROWS | RANGE | GROUPS ...`.
    pub frame: Option<Frame>,
    /// The parentheses.
    pub span: Span,
}

/// A window frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The unit.
    pub unit: FrameUnit,
    /// Its start.
    pub start: FrameBound,
    /// Its end; `CURRENT ROW` when none was written.
    pub end: FrameBound,
    /// `EXCLUDE`.
    pub exclude: FrameExclude,
}

/// What a frame counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameUnit {
    /// `ROWS`.
    Rows,
    /// `RANGE`.
    Range,
    /// `GROUPS`.
    Groups,
}

/// One end of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBound {
    /// `UNBOUNDED PRECEDING`.
    UnboundedPreceding,
    /// `n PRECEDING`.
    Preceding(Box<Expr>),
    /// `CURRENT ROW`.
    CurrentRow,
    /// `n FOLLOWING`.
    Following(Box<Expr>),
    /// `UNBOUNDED FOLLOWING`.
    UnboundedFollowing,
}

/// What a frame leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameExclude {
    /// `EXCLUDE NO OTHERS`, the default.
    NoOthers,
    /// `EXCLUDE CURRENT ROW`.
    CurrentRow,
    /// `EXCLUDE GROUP`.
    Group,
    /// `EXCLUDE TIES`.
    Ties,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeName {
    /// The name. Spellings of the grammar's own are already the catalog's: `integer` is `int4`, `character varying` is
    /// `varchar`, `char` is `bpchar`, `timestamp with time zone` is `timestamptz`, `dec` is `numeric`, `real` is `float4`.
    pub name: Name,
    /// The grammar spelled it, so it is the type in `pg_catalog` whatever the search path says (`"char"` is not).
    pub system: bool,
    /// `(10, 2)`: the modifiers. `char` and `bit` without one have an explicit 1, as the standard says.
    pub modifiers: Vec<Expr>,
    /// `interval DAY TO SECOND`; a precision is in `modifiers`.
    pub interval: Option<IntervalFields>,
    /// One per `[]`, with its (ignored) bound.
    pub array: Vec<Option<i32>>,
    /// `SETOF`.
    pub setof: bool,
    /// `name%TYPE`.
    pub percent_type: bool,
    /// All of its text.
    pub span: Span,
}

/// The fields of an interval type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keywords of its name")]
pub enum IntervalFields {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    YearToMonth,
    DayToHour,
    DayToMinute,
    DayToSecond,
    HourToMinute,
    HourToSecond,
    MinuteToSecond,
}
