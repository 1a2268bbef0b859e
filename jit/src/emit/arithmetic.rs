//! One value or two to one: arithmetic with its checks, and comparisons.

use super::{Body, register};
use crate::operation::Test;
use crate::shape::Lane;
use crate::typed::{Op, Typed};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

impl Body<'_> {
    pub(super) fn unary(&mut self, node: &Typed, x: Value) -> (Value, Option<Value>) {
        let lane = node.args[0].lane;
        match node.op {
            Op::Not => (self.not(x), None),
            Op::BitNot => (self.builder.ins().bnot(x), None),
            Op::Neg if lane == Lane::Float8 => (self.builder.ins().fneg(x), None),
            Op::Abs if lane == Lane::Float8 => (self.builder.ins().fabs(x), None),
            Op::Neg | Op::Abs => {
                let value = if node.op == Op::Neg {
                    self.builder.ins().ineg(x)
                } else {
                    self.builder.ins().iabs(x)
                };
                let least = lane.limits().map_or(0, |limits| limits.0 as i64);
                let check =
                    self.checked.then(|| self.builder.ins().icmp_imm_s(IntCC::Equal, x, least));
                (value, check)
            }
            Op::Widen => (self.builder.ins().sextend_if_needed(register(node.lane), x), None),
            Op::Narrow => {
                let value = self.builder.ins().ireduce(register(node.lane), x);
                let back = self.builder.ins().sextend(register(lane), value);
                let check = self.checked.then(|| self.builder.ins().icmp(IntCC::NotEqual, back, x));
                (value, check)
            }
            Op::Float => {
                let wide = self.builder.ins().sextend_if_needed(types::I64, x);
                (self.builder.ins().fcvt_from_sint(types::F64, wide), None)
            }
            Op::DecimalFloat(scale) => {
                let value = self.builder.ins().fcvt_from_sint(types::F64, x);
                let power = self.builder.ins().f64const(10f64.powi(scale.into()));
                let value = self.builder.ins().fdiv(value, power);
                let check = self.checked.then(|| {
                    let size = self.builder.ins().iabs(x);
                    self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, size, 1 << 53)
                });
                (value, check)
            }
            Op::ScaleUp(digits) => {
                let power = self.builder.ins().iconst(types::I64, 10i64.pow(digits.into()));
                self.overflowing(Op::Mul, x, power)
            }
            _ => unreachable!("only unary operations come here"),
        }
    }

    pub(super) fn overflowing(&mut self, op: Op, x: Value, y: Value) -> (Value, Option<Value>) {
        let ins = self.builder.ins();
        if self.checked {
            let (value, overflow) = match op {
                Op::Add => ins.sadd_overflow(x, y),
                Op::Sub => ins.ssub_overflow(x, y),
                _ => ins.smul_overflow(x, y),
            };
            return (value, Some(overflow));
        }
        let value = match op {
            Op::Add => ins.iadd(x, y),
            Op::Sub => ins.isub(x, y),
            _ => ins.imul(x, y),
        };
        (value, None)
    }

    pub(super) fn integer(
        &mut self,
        op: Op,
        lane: Lane,
        x: Value,
        y: Value,
    ) -> (Value, Option<Value>) {
        match op {
            Op::Add | Op::Sub | Op::Mul => self.overflowing(op, x, y),
            Op::BitAnd => (self.builder.ins().band(x, y), None),
            Op::BitOr => (self.builder.ins().bor(x, y), None),
            Op::BitXor => (self.builder.ins().bxor(x, y), None),
            _ => self.divide(op, lane, x, y),
        }
    }

    /// Division that cannot trap, with or without checks (J2): divisors 0 and -1 are replaced by 1 first.
    pub(super) fn divide(
        &mut self,
        op: Op,
        lane: Lane,
        x: Value,
        y: Value,
    ) -> (Value, Option<Value>) {
        let zero = self.builder.ins().icmp_imm_s(IntCC::Equal, y, 0);
        let minus = self.builder.ins().icmp_imm_s(IntCC::Equal, y, -1);
        let one = self.constant(lane, 1);
        let special = self.builder.ins().bor(zero, minus);
        let divisor = self.builder.ins().select(special, one, y);
        // Narrow divisions are made wide: there is no narrow instruction worth the name.
        let wide = if lane.bytes() == 2 { types::I32 } else { register(lane) };
        let (top, bottom) = (
            self.builder.ins().sextend_if_needed(wide, x),
            self.builder.ins().sextend_if_needed(wide, divisor),
        );
        if op == Op::Mod {
            let rest = self.builder.ins().srem(top, bottom);
            let rest = self.builder.ins().ireduce_if_needed(register(lane), rest);
            return (rest, self.checked.then_some(zero));
        }
        let quotient = self.builder.ins().sdiv(top, bottom);
        let quotient = self.builder.ins().ireduce_if_needed(register(lane), quotient);
        let negated = self.builder.ins().ineg(x);
        let value = self.builder.ins().select(minus, negated, quotient);
        let check = self.checked.then(|| {
            let least = lane.limits().map_or(0, |limits| limits.0 as i64);
            let lowest = self.builder.ins().icmp_imm_s(IntCC::Equal, x, least);
            let overflow = self.builder.ins().band(lowest, minus);
            self.builder.ins().bor(overflow, zero)
        });
        (value, check)
    }

    /// Float arithmetic. The checks fire for every infinite result and for a zero that is too small to be right, some of which are no
    /// errors: the interpreter decides.
    pub(super) fn float(&mut self, op: Op, x: Value, y: Value) -> (Value, Option<Value>) {
        let value = match op {
            Op::Add => self.builder.ins().fadd(x, y),
            Op::Sub => self.builder.ins().fsub(x, y),
            Op::Mul => self.builder.ins().fmul(x, y),
            _ => self.builder.ins().fdiv(x, y),
        };
        if !self.checked {
            return (value, None);
        }
        let size = self.builder.ins().fabs(value);
        let infinity = self.builder.ins().f64const(f64::INFINITY);
        let infinite = self.builder.ins().fcmp(FloatCC::Equal, size, infinity);
        let zero = self.builder.ins().f64const(0.0);
        let check = match op {
            Op::Add | Op::Sub => infinite,
            Op::Mul | Op::Div => {
                let is_zero = self.builder.ins().fcmp(FloatCC::Equal, value, zero);
                let x_counts = self.builder.ins().fcmp(FloatCC::NotEqual, x, zero);
                let small = self.builder.ins().band(is_zero, x_counts);
                let y_zero = self.builder.ins().fcmp(FloatCC::Equal, y, zero);
                if op == Op::Mul {
                    let y_counts = self.not(y_zero);
                    let small = self.builder.ins().band(small, y_counts);
                    self.builder.ins().bor(infinite, small)
                } else {
                    let wrong = self.builder.ins().bor(infinite, y_zero);
                    self.builder.ins().bor(wrong, small)
                }
            }
            _ => unreachable!("floats have four operations"),
        };
        (value, Some(check))
    }

    pub(super) fn compare(&mut self, test: Test, lane: Lane, x: Value, y: Value) -> Value {
        if lane == Lane::Float8 {
            return self.compare_floats(test, x, y);
        }
        let signed = !matches!(lane, Lane::Bool | Lane::Oid);
        let code = match (test, signed) {
            (Test::Equal, _) => IntCC::Equal,
            (Test::NotEqual, _) => IntCC::NotEqual,
            (Test::Less, true) => IntCC::SignedLessThan,
            (Test::LessEqual, true) => IntCC::SignedLessThanOrEqual,
            (Test::Greater, true) => IntCC::SignedGreaterThan,
            (Test::GreaterEqual, true) => IntCC::SignedGreaterThanOrEqual,
            (Test::Less, false) => IntCC::UnsignedLessThan,
            (Test::LessEqual, false) => IntCC::UnsignedLessThanOrEqual,
            (Test::Greater, false) => IntCC::UnsignedGreaterThan,
            (Test::GreaterEqual, false) => IntCC::UnsignedGreaterThanOrEqual,
        };
        self.builder.ins().icmp(code, x, y)
    }

    /// SQL's order: NaN equals itself and is above everything.
    fn compare_floats(&mut self, test: Test, x: Value, y: Value) -> Value {
        match test {
            Test::Equal => {
                let equal = self.builder.ins().fcmp(FloatCC::Equal, x, y);
                let x_nan = self.builder.ins().fcmp(FloatCC::Unordered, x, x);
                let y_nan = self.builder.ins().fcmp(FloatCC::Unordered, y, y);
                let both = self.builder.ins().band(x_nan, y_nan);
                self.builder.ins().bor(equal, both)
            }
            Test::Less => {
                // Less or unordered, and x is a number: then y is NaN if unordered.
                let less = self.builder.ins().fcmp(FloatCC::UnorderedOrLessThan, x, y);
                let number = self.builder.ins().fcmp(FloatCC::Ordered, x, x);
                self.builder.ins().band(less, number)
            }
            Test::Greater => self.compare_floats(Test::Less, y, x),
            Test::NotEqual => {
                let equal = self.compare_floats(Test::Equal, x, y);
                self.not(equal)
            }
            Test::LessEqual => {
                let greater = self.compare_floats(Test::Less, y, x);
                self.not(greater)
            }
            Test::GreaterEqual => {
                let less = self.compare_floats(Test::Less, x, y);
                self.not(less)
            }
        }
    }
}

/// Conversions that may be none.
trait IfNeeded {
    fn sextend_if_needed(self, ty: Type, x: Value) -> Value;
    fn ireduce_if_needed(self, ty: Type, x: Value) -> Value;
}

impl<'f, T: InstBuilder<'f>> IfNeeded for T {
    fn sextend_if_needed(self, ty: Type, x: Value) -> Value {
        if self.data_flow_graph().value_type(x) == ty { x } else { self.sextend(ty, x) }
    }

    fn ireduce_if_needed(self, ty: Type, x: Value) -> Value {
        if self.data_flow_graph().value_type(x) == ty { x } else { self.ireduce(ty, x) }
    }
}
