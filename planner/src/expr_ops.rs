//! Walks over bound expressions, and what they are asked: which columns, may it raise, is it constant.
//!
//! Every walk recurses as deep as the expression, which binding bounds.

use crate::column_set::ColumnSet;
use crate::expr::{ColumnId, Expr, ExprKind};
use damask_functions::{ScalarFunction, Volatility};
use damask_types::{Position, SqlType, TypeId, Value};

/// Hands each direct operand of an expression to a function, in text order; once for references, once for mutable ones.
macro_rules! for_each_operand {
    ($expr:expr, $f:ident, $iter:ident $(, $mutable:tt)?) => {
        match & $($mutable)? $expr.kind {
            ExprKind::Column(_)
            | ExprKind::Literal(_)
            | ExprKind::Parameter(_)
            | ExprKind::Outer(_)
            | ExprKind::Subplan(_)
            | ExprKind::Exists(_)
            | ExprKind::ArraySubplan(_)
            | ExprKind::Element
            | ExprKind::Raise(_) => {}
            ExprKind::Call { args, .. }
            | ExprKind::And(args)
            | ExprKind::Or(args)
            | ExprKind::Coalesce(args)
            | ExprKind::Array(args)
            | ExprKind::Row(args)
            | ExprKind::MinMax { args, .. } => args.$iter().for_each($f),
            ExprKind::Retype(arg)
            | ExprKind::InOut(arg)
            | ExprKind::Not(arg)
            | ExprKind::IsNull { arg, .. }
            | ExprKind::IsBool { arg, .. }
            | ExprKind::Field { arg, .. } => $f(arg),
            ExprKind::ArrayCast { arg, element } => {
                $f(arg);
                $f(element);
            }
            ExprKind::IsDistinct { lhs, rhs, .. } | ExprKind::NullIf { lhs, rhs, .. } => {
                $f(lhs);
                $f(rhs);
            }
            ExprKind::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    $f(condition);
                    $f(result);
                }
                if let Some(otherwise) = otherwise {
                    $f(otherwise);
                }
            }
            ExprKind::AnyAll { lhs, array, .. } => {
                $f(lhs);
                $f(array);
            }
            ExprKind::Subscript { array, subscripts } => {
                $f(array);
                subscripts.$iter().for_each($f);
            }
            ExprKind::Slice { array, lower, upper } => {
                $f(array);
                if let Some(lower) = lower {
                    $f(lower);
                }
                if let Some(upper) = upper {
                    $f(upper);
                }
            }
        }
    };
}

impl Expr {
    /// An expression without a place in the text.
    pub fn new(kind: ExprKind, ty: impl Into<SqlType>) -> Self {
        Self { kind, ty: ty.into(), position: None }
    }

    /// A column.
    pub fn column(id: ColumnId, ty: SqlType) -> Self {
        Self::new(ExprKind::Column(id), ty)
    }

    /// A constant.
    pub fn literal(value: Value, ty: impl Into<SqlType>) -> Self {
        Self::new(ExprKind::Literal(value), ty)
    }

    /// A bool constant.
    pub fn bool(value: bool) -> Self {
        Self::literal(Value::Bool(value), TypeId::Bool)
    }

    /// A null of a type.
    pub fn null(ty: SqlType) -> Self {
        Self::literal(Value::Null, ty)
    }

    /// NOT.
    pub fn negate(self) -> Self {
        Self::new(ExprKind::Not(Box::new(self)), TypeId::Bool)
    }

    /// A call.
    pub fn call(function: &'static ScalarFunction, args: Vec<Self>, ty: SqlType) -> Self {
        Self::new(ExprKind::Call { function, args }, ty)
    }

    /// AND of all; TRUE of none.
    pub fn and(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            0 => Self::bool(true),
            1 => parts.remove(0),
            _ => Self::new(ExprKind::And(parts), TypeId::Bool),
        }
    }

    /// OR of all; FALSE of none.
    pub fn or(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            0 => Self::bool(false),
            1 => parts.remove(0),
            _ => Self::new(ExprKind::Or(parts), TypeId::Bool),
        }
    }

    /// The column, if it is just one.
    pub fn as_column(&self) -> Option<ColumnId> {
        match self.kind {
            ExprKind::Column(id) => Some(id),
            _ => None,
        }
    }

    /// The value, if it is a constant.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.kind {
            ExprKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Calls `f` for each direct operand, in text order.
    pub fn for_each_child<'a>(&'a self, f: &mut dyn FnMut(&'a Self)) {
        for_each_operand!(self, f, iter);
    }

    /// As [`Expr::for_each_child`], to change them.
    pub fn for_each_child_mut(&mut self, f: &mut dyn FnMut(&mut Self)) {
        for_each_operand!(self, f, iter_mut, mut);
    }

    /// Calls `f` for this and everything below it, parents first.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Self)) {
        f(self);
        self.for_each_child(&mut |child| child.walk(f));
    }

    /// Whether this is a literal, or one whose text is read when the statement runs.
    pub fn is_constant_text(&self) -> bool {
        match &self.kind {
            ExprKind::Literal(_) => true,
            ExprKind::InOut(arg) | ExprKind::Retype(arg) => {
                matches!(arg.kind, ExprKind::Literal(_))
            }
            _ => false,
        }
    }

    /// Whether `f` holds here or anywhere below.
    pub fn any(&self, f: &dyn Fn(&Self) -> bool) -> bool {
        let mut found = f(self);
        if !found {
            self.for_each_child(&mut |child| found = found || child.any(f));
        }
        found
    }

    /// Changes everything below and then this.
    pub fn transform(&mut self, f: &mut dyn FnMut(&mut Self)) {
        self.for_each_child_mut(&mut |child| child.transform(f));
        f(self);
    }

    /// Adds the columns it reads to `set` (outer ones too).
    pub fn add_columns(&self, set: &mut ColumnSet) {
        self.walk(&mut |expr| {
            if let ExprKind::Column(id) | ExprKind::Outer(id) = expr.kind {
                set.insert(id);
            }
        });
    }

    /// Where it reads one of `columns`.
    pub fn place_of(&self, columns: &ColumnSet) -> Option<Position> {
        let mut place = None;
        self.walk(&mut |expr| {
            if place.is_none() && expr.as_column().is_some_and(|id| columns.contains(id)) {
                place = expr.position;
            }
        });
        place
    }

    /// The columns it reads.
    pub fn columns(&self) -> ColumnSet {
        let mut set = ColumnSet::default();
        self.add_columns(&mut set);
        set
    }

    /// Replaces columns by what `f` gives for them.
    pub fn replace_columns(&mut self, f: &dyn Fn(ColumnId) -> Option<Self>) {
        self.transform(&mut |expr| {
            if let ExprKind::Column(id) = expr.kind
                && let Some(replacement) = f(id)
            {
                *expr = replacement;
            }
        });
    }

    /// How early it may be evaluated.
    pub fn volatility(&self) -> Volatility {
        let mut worst = Volatility::Immutable;
        self.walk(&mut |expr| {
            let own = match &expr.kind {
                ExprKind::Call { function, .. } | ExprKind::AnyAll { function, .. } => {
                    function.volatility
                }
                // Text forms depend on settings; parameters and subplans are fixed for a statement.
                ExprKind::InOut(_)
                | ExprKind::Parameter(_)
                | ExprKind::Subplan(_)
                | ExprKind::Exists(_)
                | ExprKind::ArraySubplan(_) => Volatility::Stable,
                _ => Volatility::Immutable,
            };
            worst = worst.max(own);
        });
        worst
    }

    /// Whether it must be evaluated for each row, in place.
    pub fn is_volatile(&self) -> bool {
        self.volatility() == Volatility::Volatile
    }

    /// Whether some row might make it raise.
    pub fn may_raise(&self) -> bool {
        self.any(&|expr| match &expr.kind {
            ExprKind::Call { function, .. } | ExprKind::AnyAll { function, .. } => {
                function.may_raise
            }
            ExprKind::InOut(arg) => !expr.ty.id.is_text() || arg.ty.id == TypeId::Unknown,
            ExprKind::Raise(_)
            | ExprKind::Subplan(_)
            | ExprKind::ArraySubplan(_)
            | ExprKind::ArrayCast { .. } => true,
            _ => false,
        })
    }

    /// Whether it reads no column: the same for every row of one run of its operator.
    pub fn is_row_constant(&self) -> bool {
        !self.is_volatile() && !self.any(&|expr| matches!(expr.kind, ExprKind::Column(_)))
    }

    /// Whether it is certainly not true when every column of `columns` is null.
    pub fn rejects_nulls_of(&self, columns: &ColumnSet) -> bool {
        match &self.kind {
            ExprKind::And(parts) => parts.iter().any(|part| part.rejects_nulls_of(columns)),
            ExprKind::Or(parts) => parts.iter().all(|part| part.rejects_nulls_of(columns)),
            ExprKind::IsNull { arg, negated: true } => arg.is_null_with(columns),
            ExprKind::IsBool { arg, value: Some(_), negated: false }
            | ExprKind::IsBool { arg, value: None, negated: true } => arg.is_null_with(columns),
            ExprKind::Not(arg) => arg.is_null_with(columns),
            _ => self.is_null_with(columns),
        }
    }

    /// Whether it is certainly null when every column of `columns` is null.
    pub fn is_null_with(&self, columns: &ColumnSet) -> bool {
        match &self.kind {
            ExprKind::Column(id) => columns.contains(*id),
            ExprKind::Literal(value) => value.is_null(),
            ExprKind::Call { function, args } => {
                function.strict && args.iter().any(|arg| arg.is_null_with(columns))
            }
            ExprKind::Retype(arg)
            | ExprKind::InOut(arg)
            | ExprKind::Not(arg)
            | ExprKind::ArrayCast { arg, .. } => arg.is_null_with(columns),
            ExprKind::AnyAll { lhs, function, array, .. } => {
                // An empty array gives false (or true) whatever the left side is.
                function.strict
                    && (array.is_null_with(columns)
                        || matches!(&array.kind, ExprKind::Array(items) if !items.is_empty())
                            && lhs.is_null_with(columns))
            }
            ExprKind::And(parts) | ExprKind::Or(parts) => {
                parts.iter().all(|part| part.is_null_with(columns))
            }
            ExprKind::Coalesce(parts) => parts.iter().all(|part| part.is_null_with(columns)),
            _ => false,
        }
    }

    /// Whether two expressions are the same computation.
    pub fn same(&self, other: &Self) -> bool {
        if self.ty != other.ty {
            return false;
        }
        let all =
            |a: &[Self], b: &[Self]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b));
        match (&self.kind, &other.kind) {
            (ExprKind::Column(a), ExprKind::Column(b))
            | (ExprKind::Outer(a), ExprKind::Outer(b)) => a == b,
            (ExprKind::Literal(a), ExprKind::Literal(b)) => a == b,
            (ExprKind::Parameter(a), ExprKind::Parameter(b)) => a == b,
            (ExprKind::Subplan(a), ExprKind::Subplan(b))
            | (ExprKind::Exists(a), ExprKind::Exists(b))
            | (ExprKind::ArraySubplan(a), ExprKind::ArraySubplan(b)) => a == b,
            (ExprKind::Call { function: f, args: a }, ExprKind::Call { function: g, args: b }) => {
                std::ptr::eq(*f, *g) && f.volatility != Volatility::Volatile && all(a, b)
            }
            (ExprKind::And(a), ExprKind::And(b))
            | (ExprKind::Or(a), ExprKind::Or(b))
            | (ExprKind::Coalesce(a), ExprKind::Coalesce(b))
            | (ExprKind::Array(a), ExprKind::Array(b))
            | (ExprKind::Row(a), ExprKind::Row(b)) => all(a, b),
            (
                ExprKind::MinMax { args: a, least: x, less: f },
                ExprKind::MinMax { args: b, least: y, less: g },
            ) => x == y && std::ptr::eq(*f, *g) && all(a, b),
            (ExprKind::Retype(a), ExprKind::Retype(b))
            | (ExprKind::InOut(a), ExprKind::InOut(b))
            | (ExprKind::Not(a), ExprKind::Not(b)) => a.same(b),
            (
                ExprKind::ArrayCast { arg: a, element: x },
                ExprKind::ArrayCast { arg: b, element: y },
            ) => a.same(b) && x.same(y),
            (ExprKind::Element, ExprKind::Element) => true,
            (ExprKind::IsNull { arg: a, negated: x }, ExprKind::IsNull { arg: b, negated: y }) => {
                x == y && a.same(b)
            }
            (
                ExprKind::IsBool { arg: a, value: v, negated: x },
                ExprKind::IsBool { arg: b, value: w, negated: y },
            ) => v == w && x == y && a.same(b),
            (
                ExprKind::IsDistinct { lhs: a, rhs: b, equality: f, negated: x },
                ExprKind::IsDistinct { lhs: c, rhs: d, equality: g, negated: y },
            ) => x == y && std::ptr::eq(*f, *g) && a.same(c) && b.same(d),
            (
                ExprKind::NullIf { lhs: a, rhs: b, equality: f },
                ExprKind::NullIf { lhs: c, rhs: d, equality: g },
            ) => std::ptr::eq(*f, *g) && a.same(c) && b.same(d),
            (
                ExprKind::Case { branches: a, otherwise: x },
                ExprKind::Case { branches: b, otherwise: y },
            ) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|((c, r), (d, s))| c.same(d) && r.same(s))
                    && match (x, y) {
                        (None, None) => true,
                        (Some(x), Some(y)) => x.same(y),
                        _ => false,
                    }
            }
            (
                ExprKind::AnyAll { lhs: a, function: f, array: x, all: p },
                ExprKind::AnyAll { lhs: b, function: g, array: y, all: q },
            ) => p == q && std::ptr::eq(*f, *g) && a.same(b) && x.same(y),
            (
                ExprKind::Subscript { array: a, subscripts: x },
                ExprKind::Subscript { array: b, subscripts: y },
            ) => a.same(b) && all(x, y),
            (ExprKind::Field { arg: a, index: i }, ExprKind::Field { arg: b, index: j }) => {
                i == j && a.same(b)
            }
            _ => false,
        }
    }

    /// Splits an AND into its parts.
    pub fn conjuncts(self, into: &mut Vec<Self>) {
        match self.kind {
            ExprKind::And(parts) => {
                for part in parts {
                    part.conjuncts(into);
                }
            }
            ExprKind::Literal(Value::Bool(true)) => {}
            kind => into.push(Self { kind, ..self }),
        }
    }
}
