//! A group with lanes: what code is written from.
//!
//! Every operand has the lane its operation works on, conversions are nodes of their own, and equal subtrees have equal numbers, so that
//! they are computed once. The tree's `Debug` text with the forms of the inputs is the key of its code.

use crate::group::{Group, Node, SCALE_MAX};
use crate::operation::{Operation, Test};
use crate::shape::{Form, Lane};
use std::collections::HashMap;

/// What a node computes from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Input(usize),
    Slot(usize),
    Null,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Neg,
    Abs,
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    /// To a wider integer, or an integer to a decimal of scale 0.
    Widen,
    /// To a narrower integer.
    Narrow,
    /// An integer to float8.
    Float,
    /// A decimal of this scale to float8.
    DecimalFloat(u8),
    /// Times 10 to this power.
    ScaleUp(u8),
    Compare(Test),
    And,
    Or,
    Not,
    IsNull(bool),
    IsBool(Option<bool>, bool),
    /// Of the second and third argument; with `true` IS NOT DISTINCT.
    IsDistinct(bool),
    /// Condition, result, condition, result, ..., otherwise.
    Case,
    Coalesce,
    /// The first argument unless the second equals the third.
    NullIf,
    /// LEAST if true.
    MinMax(bool),
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) op: Op,
    pub(crate) lane: Lane,
    pub(crate) args: Vec<Typed>,
    /// Equal for equal subtrees.
    pub(crate) number: usize,
}

/// Gives lanes to a group; `None` if the forms do not go together in code (scales that differ from row to row, too many digits).
pub(crate) fn lower(group: &Group, forms: &[Form]) -> Option<Typed> {
    let mut lowering = Lowering { group, forms, numbers: HashMap::new() };
    let root = lowering.node(&group.root)?;
    let fits = match Lane::of(group.ty) {
        Some(lane) => lane == root.lane,
        None => matches!(root.lane, Lane::Decimal(_)),
    };
    (fits && root.op != Op::Null).then_some(root)
}

struct Lowering<'a> {
    group: &'a Group,
    forms: &'a [Form],
    numbers: HashMap<(Op, Lane, Vec<usize>), usize>,
}

impl Lowering<'_> {
    fn make(&mut self, op: Op, lane: Lane, args: Vec<Typed>) -> Typed {
        let key = (op, lane, args.iter().map(|arg| arg.number).collect());
        let next = self.numbers.len();
        let number = *self.numbers.entry(key).or_insert(next);
        Typed { op, lane, args, number }
    }

    fn nodes(&mut self, nodes: &[Node]) -> Option<Vec<Typed>> {
        nodes.iter().map(|node| self.node(node)).collect()
    }

    fn node(&mut self, node: &Node) -> Option<Typed> {
        Some(match node {
            Node::Input(index) => self.make(Op::Input(*index), self.forms[*index].lane, vec![]),
            Node::Slot(index) => self.make(Op::Slot(*index), self.group.slots[*index].0, vec![]),
            // Its lane is decided by what it stands beside.
            Node::Null => self.make(Op::Null, Lane::Bool, vec![]),
            Node::Call(operation, ty, args) => {
                let args = self.nodes(args)?;
                if args.iter().any(|arg| arg.op == Op::Null) {
                    return None;
                }
                self.call(*operation, Lane::of(*ty), args)?
            }
            Node::And(parts) => self.bools(Op::And, parts)?,
            Node::Or(parts) => self.bools(Op::Or, parts)?,
            Node::Not(arg) => {
                let arg = self.node(arg)?;
                self.make(Op::Not, Lane::Bool, vec![arg])
            }
            Node::IsNull(arg, negated) => {
                let arg = self.node(arg)?;
                self.make(Op::IsNull(*negated), Lane::Bool, vec![arg])
            }
            Node::IsBool(arg, value, negated) => {
                let arg = self.node(arg)?;
                self.make(Op::IsBool(*value, *negated), Lane::Bool, vec![arg])
            }
            Node::IsDistinct(lhs, rhs, negated) => {
                let (lhs, rhs) = (self.node(lhs)?, self.node(rhs)?);
                let (lhs, rhs) = self.aligned(lhs, rhs)?;
                self.make(Op::IsDistinct(*negated), Lane::Bool, vec![lhs, rhs])
            }
            Node::Case(branches, otherwise) => {
                let mut args = vec![];
                for (condition, result) in branches {
                    args.push(self.node(condition)?);
                    args.push(self.node(result)?);
                }
                args.push(self.node(otherwise)?);
                let last = args.len() - 1;
                let is_result = |i: usize| i % 2 == 1 || i == last;
                let lane = self.unify(&mut args, is_result)?;
                self.make(Op::Case, lane, args)
            }
            Node::Coalesce(parts) => {
                let mut args = self.nodes(parts)?;
                let lane = self.unify(&mut args, |_| true)?;
                self.make(Op::Coalesce, lane, args)
            }
            Node::NullIf(lhs, rhs) => {
                let (lhs, rhs) = (self.node(lhs)?, self.node(rhs)?);
                let (a, b) = self.aligned(lhs.clone(), rhs)?;
                let lane = lhs.lane;
                self.make(Op::NullIf, lane, vec![lhs, a, b])
            }
            Node::MinMax(args, least) => {
                let mut args = self.nodes(args)?;
                let lane = self.unify(&mut args, |_| true)?;
                self.make(Op::MinMax(*least), lane, args)
            }
        })
    }

    fn bools(&mut self, op: Op, parts: &[Node]) -> Option<Typed> {
        let mut parts = self.nodes(parts)?;
        let lane = self.unify(&mut parts, |_| true)?;
        (lane == Lane::Bool).then(|| self.make(op, lane, parts))
    }

    /// One lane for the arguments that `wanted` names. Decimals of several scales have none: each value keeps its own.
    fn unify(&mut self, args: &mut [Typed], wanted: impl Fn(usize) -> bool) -> Option<Lane> {
        let named =
            |(i, arg): (usize, &Typed)| (wanted(i) && arg.op != Op::Null).then_some(arg.lane);
        let mut lanes = args.iter().enumerate().filter_map(named);
        let lane = lanes.next()?;
        if lanes.any(|other| other != lane) {
            return None;
        }
        for (i, arg) in args.iter_mut().enumerate() {
            if arg.op == Op::Null {
                let own = if wanted(i) { lane } else { Lane::Bool };
                *arg = self.make(Op::Null, own, vec![]);
            }
        }
        Some(lane)
    }

    /// Both sides of a comparison in one lane: the wider integer, the larger scale.
    fn aligned(&mut self, lhs: Typed, rhs: Typed) -> Option<(Typed, Typed)> {
        if lhs.op == Op::Null || rhs.op == Op::Null {
            return None;
        }
        if lhs.lane == rhs.lane {
            return Some((lhs, rhs));
        }
        match (lhs.lane, rhs.lane) {
            (Lane::Decimal(s), Lane::Decimal(t)) => {
                let scale = s.max(t);
                Some((self.scaled(lhs, scale)?, self.scaled(rhs, scale)?))
            }
            (Lane::Int2 | Lane::Int4 | Lane::Int8, Lane::Int2 | Lane::Int4 | Lane::Int8) => {
                let lane = if lhs.lane.bytes() > rhs.lane.bytes() { lhs.lane } else { rhs.lane };
                Some((self.widened(lhs, lane), self.widened(rhs, lane)))
            }
            _ => None,
        }
    }

    fn widened(&mut self, arg: Typed, lane: Lane) -> Typed {
        if arg.lane == lane { arg } else { self.make(Op::Widen, lane, vec![arg]) }
    }

    fn scaled(&mut self, arg: Typed, scale: u8) -> Option<Typed> {
        let Lane::Decimal(own) = arg.lane else { return None };
        if own == scale {
            return Some(arg);
        }
        (scale > own && scale <= SCALE_MAX)
            .then(|| self.make(Op::ScaleUp(scale - own), Lane::Decimal(scale), vec![arg]))
    }

    fn call(
        &mut self,
        operation: Operation,
        result: Option<Lane>,
        args: Vec<Typed>,
    ) -> Option<Typed> {
        let mut args = args.into_iter();
        let first = args.next()?;
        let Some(second) = args.next() else {
            return self.unary(operation, result, first);
        };
        let op = match operation {
            Operation::Add => Op::Add,
            Operation::Sub => Op::Sub,
            Operation::Mul => Op::Mul,
            Operation::Div => Op::Div,
            Operation::Mod => Op::Mod,
            Operation::BitAnd => Op::BitAnd,
            Operation::BitOr => Op::BitOr,
            Operation::BitXor => Op::BitXor,
            Operation::Compare(test) => Op::Compare(test),
            Operation::Neg
            | Operation::Abs
            | Operation::BitNot
            | Operation::Same
            | Operation::Convert => return None,
        };
        if let (Op::Mul, Lane::Decimal(s), Lane::Decimal(t)) = (op, first.lane, second.lane) {
            let scale = s.checked_add(t).filter(|scale| *scale <= SCALE_MAX)?;
            return Some(self.make(op, Lane::Decimal(scale), vec![first, second]));
        }
        let (first, second) = self.aligned(first, second)?;
        let lane = if matches!(op, Op::Compare(_)) { Lane::Bool } else { first.lane };
        let is_known = match result {
            Some(result) => result == lane,
            None => matches!(lane, Lane::Decimal(_)) && !matches!(op, Op::Div | Op::Mod),
        };
        is_known.then(|| self.make(op, lane, vec![first, second]))
    }

    fn unary(&mut self, operation: Operation, result: Option<Lane>, arg: Typed) -> Option<Typed> {
        let lane = arg.lane;
        let op = match (operation, lane, result) {
            (Operation::Same, ..) => return Some(arg),
            (Operation::Neg, ..) => Op::Neg,
            (Operation::Abs, ..) => Op::Abs,
            (Operation::BitNot, ..) => Op::BitNot,
            (Operation::Convert, Lane::Decimal(scale), Some(Lane::Float8)) => {
                return Some(self.make(Op::DecimalFloat(scale), Lane::Float8, vec![arg]));
            }
            (Operation::Convert, Lane::Int2 | Lane::Int4 | Lane::Int8, Some(Lane::Float8)) => {
                return Some(self.make(Op::Float, Lane::Float8, vec![arg]));
            }
            (Operation::Convert, Lane::Int2 | Lane::Int4 | Lane::Int8, None) => {
                return Some(self.make(Op::Widen, Lane::Decimal(0), vec![arg]));
            }
            (
                Operation::Convert,
                Lane::Int2 | Lane::Int4 | Lane::Int8,
                Some(to @ (Lane::Int2 | Lane::Int4 | Lane::Int8)),
            ) => {
                let op = if to.bytes() > lane.bytes() { Op::Widen } else { Op::Narrow };
                return Some(self.make(op, to, vec![arg]));
            }
            _ => return None,
        };
        Some(self.make(op, lane, vec![arg]))
    }
}

/// Whether code gives validity bits for a node: it has the same rule.
pub(crate) fn may_be_null(node: &Typed, forms: &[Form]) -> bool {
    let any = |args: &[Typed]| args.iter().any(|arg| may_be_null(arg, forms));
    match node.op {
        Op::Input(index) => forms[index].nullable,
        Op::Slot(_) | Op::IsNull(_) | Op::IsBool(..) | Op::IsDistinct(_) => false,
        Op::Null | Op::NullIf => true,
        Op::Case => {
            let last = node.args.len() - 1;
            let is_result = |i: usize| i % 2 == 1 || i == last;
            node.args.iter().enumerate().any(|(i, arg)| is_result(i) && may_be_null(arg, forms))
        }
        Op::Coalesce | Op::MinMax(_) => node.args.iter().all(|arg| may_be_null(arg, forms)),
        _ => any(&node.args),
    }
}
