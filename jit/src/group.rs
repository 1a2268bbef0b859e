//! Expressions cut out for compilation.
//!
//! A group takes what it can from the top of an expression. Where it meets a part it has no code for, that part becomes an input if
//! evaluating it early can neither raise nor cost much for nothing; otherwise there is no group. So the later operands of AND, OR, CASE and
//! COALESCE may hold columns and constants only, besides what is compiled: the interpreter would reach them for some rows.

use crate::operation::{Operation, Test, has_lane, operation};
use crate::program::Programs;
use crate::shape::Lane;
use damask_functions::Volatility;
use damask_planner::expr::{Expr, ExprKind};
use damask_types::{Numeric, TypeId, Value};

/// Fewer operations than this are not worth a function: precompiled kernels are as fast.
pub const OPERATIONS_MIN: usize = 6;
/// Rows that a group must have seen before it is compiled.
pub const ROWS_MIN: u64 = 250_000;
/// Larger ones stay with the interpreter.
const OPERATIONS_MAX: usize = 1_000;
/// Deeper ones stay with the interpreter.
const DEPTH_MAX: usize = 64;
/// Longer IN lists stay with the interpreter.
const LIST_MAX: usize = 16;
/// Decimals of more digits after the point do not fit an i64 anyway.
pub(crate) const SCALE_MAX: u8 = 18;

/// An expression that can be compiled, once the forms of its inputs are known.
#[derive(Debug)]
pub struct Group {
    pub(crate) root: Node,
    /// Its result type.
    pub(crate) ty: TypeId,
    inputs: Vec<Expr>,
    /// Literals in it: their lanes and bits.
    pub(crate) slots: Vec<(Lane, u64)>,
    operations: usize,
    pub(crate) programs: Programs,
}

/// An operation on inputs and literals, lanes not yet decided.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Input(usize),
    Slot(usize),
    Null,
    Call(Operation, TypeId, Vec<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>, bool),
    IsBool(Box<Node>, Option<bool>, bool),
    IsDistinct(Box<Node>, Box<Node>, bool),
    Case(Vec<(Node, Node)>, Box<Node>),
    Coalesce(Vec<Node>),
    NullIf(Box<Node>, Box<Node>),
    MinMax(Vec<Node>, bool),
}

impl Group {
    /// Cuts out `expr`, if it has at least `operations_min` operations that can be compiled and nothing that cannot be handled.
    pub fn new(expr: &Expr, operations_min: usize) -> Option<Self> {
        if !has_lane(expr.ty.id) {
            return None;
        }
        let mut cutter = Cutter { inputs: vec![], slots: vec![], operations: 0 };
        let root = cutter.cut(expr, Place { depth: 0, conditional: false })?;
        (cutter.operations >= operations_min.max(1)).then(|| Self {
            root,
            ty: expr.ty.id,
            inputs: cutter.inputs,
            slots: cutter.slots,
            operations: cutter.operations,
            programs: Programs::default(),
        })
    }

    /// What must be evaluated for every row and handed to [`Group::run`], in this order. None of it raises.
    pub fn inputs(&self) -> &[Expr] {
        &self.inputs
    }

    /// Operations that are compiled.
    pub fn operations(&self) -> usize {
        self.operations
    }
}

/// Where in the expression.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Whether only some rows get here.
    conditional: bool,
}

impl Place {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// The place of operand `index` of something that evaluates its operands in turn.
    fn operand(self, index: usize) -> Self {
        Self { depth: self.depth + 1, conditional: self.conditional || index > 0 }
    }
}

struct Cutter {
    inputs: Vec<Expr>,
    slots: Vec<(Lane, u64)>,
    operations: usize,
}

impl Cutter {
    fn cut(&mut self, expr: &Expr, place: Place) -> Option<Node> {
        if place.depth > DEPTH_MAX || self.operations > OPERATIONS_MAX || !has_lane(expr.ty.id) {
            return None;
        }
        let before = (self.inputs.len(), self.slots.len(), self.operations);
        if let Some(node) = self.cut_inside(expr, place) {
            return Some(node);
        }
        self.inputs.truncate(before.0);
        self.slots.truncate(before.1);
        self.operations = before.2;
        (!place.conditional && is_total(expr, place.depth)).then(|| self.input(expr))
    }

    fn cut_inside(&mut self, expr: &Expr, place: Place) -> Option<Node> {
        let node = match &expr.kind {
            ExprKind::Column(_) | ExprKind::Parameter(_) | ExprKind::Outer(_) => {
                return Some(self.input(expr));
            }
            ExprKind::Literal(value) => return self.literal(value),
            ExprKind::Retype(arg) => {
                let same = arg.ty.id.physical() == expr.ty.id.physical();
                return if same { self.cut(arg, place.deeper()) } else { None };
            }
            ExprKind::Call { function, args } => {
                let operation = operation(function)?;
                let args = args
                    .iter()
                    .map(|arg| self.cut(arg, place.deeper()))
                    .collect::<Option<Vec<_>>>()?;
                Node::Call(operation, expr.ty.id, args)
            }
            ExprKind::And(parts) => Node::And(self.operands(parts, place)?),
            ExprKind::Or(parts) => Node::Or(self.operands(parts, place)?),
            ExprKind::Not(arg) => Node::Not(self.boxed(arg, place.deeper())?),
            ExprKind::IsNull { arg, negated } => {
                Node::IsNull(self.boxed(arg, place.deeper())?, *negated)
            }
            ExprKind::IsBool { arg, value, negated } => {
                Node::IsBool(self.boxed(arg, place.deeper())?, *value, *negated)
            }
            ExprKind::IsDistinct { lhs, rhs, equality, negated } => {
                equality_of(equality)?;
                Node::IsDistinct(
                    self.boxed(lhs, place.deeper())?,
                    self.boxed(rhs, place.deeper())?,
                    *negated,
                )
            }
            ExprKind::Case { branches, otherwise } => {
                let mut nodes = vec![];
                for (i, (condition, result)) in branches.iter().enumerate() {
                    self.operations += 1;
                    let condition = self.cut(condition, place.operand(i))?;
                    nodes.push((condition, self.cut(result, place.operand(1))?));
                }
                let otherwise = match otherwise {
                    Some(otherwise) => self.cut(otherwise, place.operand(1))?,
                    None => Node::Null,
                };
                Node::Case(nodes, Box::new(otherwise))
            }
            ExprKind::Coalesce(parts) => Node::Coalesce(self.operands(parts, place)?),
            ExprKind::NullIf { lhs, rhs, equality } => {
                equality_of(equality)?;
                Node::NullIf(self.boxed(lhs, place.deeper())?, self.boxed(rhs, place.deeper())?)
            }
            ExprKind::MinMax { args, least, less } => {
                let Some(Operation::Compare(Test::Less)) = operation(less) else { return None };
                let args = args
                    .iter()
                    .map(|arg| self.cut(arg, place.deeper()))
                    .collect::<Option<Vec<_>>>()?;
                self.operations += args.len();
                Node::MinMax(args, *least)
            }
            ExprKind::AnyAll { lhs, function, array, all } => {
                let ExprKind::Array(items) = &array.kind else { return None };
                let Some(compare @ Operation::Compare(_)) = operation(function) else {
                    return None;
                };
                if items.is_empty() || items.len() > LIST_MAX {
                    return None;
                }
                let lhs = self.cut(lhs, place.deeper())?;
                let mut parts = vec![];
                for item in items {
                    self.operations += 1;
                    let item = self.cut(item, place.operand(1))?;
                    parts.push(Node::Call(compare, TypeId::Bool, vec![lhs.clone(), item]));
                }
                if *all { Node::And(parts) } else { Node::Or(parts) }
            }
            ExprKind::Subplan(_)
            | ExprKind::Exists(_)
            | ExprKind::ArraySubplan(_)
            | ExprKind::InOut(_)
            | ExprKind::ArrayCast { .. }
            | ExprKind::Element
            | ExprKind::Array(_)
            | ExprKind::Subscript { .. }
            | ExprKind::Slice { .. }
            | ExprKind::Row(_)
            | ExprKind::Field { .. }
            | ExprKind::Raise(_) => return None,
        };
        self.operations += 1;
        Some(node)
    }

    fn boxed(&mut self, expr: &Expr, place: Place) -> Option<Box<Node>> {
        self.cut(expr, place).map(Box::new)
    }

    fn operands(&mut self, exprs: &[Expr], place: Place) -> Option<Vec<Node>> {
        exprs.iter().enumerate().map(|(i, expr)| self.cut(expr, place.operand(i))).collect()
    }

    /// An input; the same column twice is one.
    fn input(&mut self, expr: &Expr) -> Node {
        let same = |other: &Expr| match (&expr.kind, &other.kind) {
            (ExprKind::Column(a), ExprKind::Column(b))
            | (ExprKind::Outer(a), ExprKind::Outer(b)) => a == b,
            (ExprKind::Parameter(a), ExprKind::Parameter(b)) => a == b,
            _ => false,
        };
        Node::Input(self.inputs.iter().position(same).unwrap_or_else(|| {
            self.inputs.push(expr.clone());
            self.inputs.len() - 1
        }))
    }

    fn literal(&mut self, value: &Value) -> Option<Node> {
        let slot = match value {
            Value::Null => return Some(Node::Null),
            Value::Bool(v) => (Lane::Bool, u64::from(*v)),
            Value::Int2(v) => (Lane::Int2, i64::from(*v) as u64),
            Value::Int4(v) | Value::Date(v) => (Lane::Int4, i64::from(*v) as u64),
            Value::Int8(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => {
                (Lane::Int8, *v as u64)
            }
            Value::Oid(v) => (Lane::Oid, u64::from(v.0)),
            Value::Float8(v) => (Lane::Float8, v.to_bits()),
            Value::Numeric(Numeric::Decimal { mantissa, scale }) => {
                let scale = u8::try_from(*scale).ok().filter(|scale| *scale <= SCALE_MAX)?;
                (Lane::Decimal(scale), i64::try_from(*mantissa).ok()? as u64)
            }
            _ => return None,
        };
        self.slots.push(slot);
        Some(Node::Slot(self.slots.len() - 1))
    }
}

fn equality_of(function: &damask_functions::ScalarFunction) -> Option<()> {
    matches!(operation(function), Some(Operation::Compare(Test::Equal))).then_some(())
}

/// Whether evaluating it for every row shows in nothing but the result: it cannot raise and has no effects.
fn is_total(expr: &Expr, depth: usize) -> bool {
    depth <= DEPTH_MAX
        && match &expr.kind {
            ExprKind::Column(_)
            | ExprKind::Literal(_)
            | ExprKind::Parameter(_)
            | ExprKind::Outer(_) => true,
            ExprKind::Retype(arg) | ExprKind::IsNull { arg, .. } => is_total(arg, depth + 1),
            ExprKind::Call { function, args } => {
                !function.may_raise
                    && function.volatility != Volatility::Volatile
                    && args.iter().all(|arg| is_total(arg, depth + 1))
            }
            _ => false,
        }
}
