//! Interval arithmetic over one tile: proves that no overflow check can fire (J3).
//!
//! The bounds of the inputs are the least and greatest of *all* their entries in the tile, those of rows that do not count and of nulls
//! included, so a proof covers every lane that code computes. Intervals are of i128: with operands of at most 64 bits no step leaves it.

use crate::shape::Lane;
use crate::typed::{Op, Typed};
use damask_types::{Vector, VectorData};

/// Least and greatest value.
pub(crate) type Interval = (i128, i128);

/// Least and greatest entry of an integer vector; `None` for others.
pub(crate) fn of_vector(vector: &Vector) -> Option<Interval> {
    fn range<T: Copy + Ord + Into<i128>>(entries: &[T]) -> Interval {
        let Some(&first) = entries.first() else { return (0, 0) };
        let bounds = entries.iter().fold((first, first), |(low, high), &entry| {
            (if entry < low { entry } else { low }, if entry > high { entry } else { high })
        });
        (bounds.0.into(), bounds.1.into())
    }
    let entries = if vector.is_const() { 1 } else { vector.rows() };
    Some(match &vector.data {
        VectorData::Int2(v) => range(&v[..entries]),
        VectorData::Int4(v) => range(&v[..entries]),
        VectorData::Int8(v) => range(&v[..entries]),
        VectorData::Decimal64 { values, .. } => range(&values[..entries]),
        _ => return None,
    })
}

/// Whether checks may be left out of the whole tree.
pub(crate) fn proves(root: &Typed, inputs: &[Option<Interval>], slots: &[(Lane, u64)]) -> bool {
    let mut proof = Proof { inputs, slots, holds: true };
    proof.bounds(root);
    proof.holds
}

struct Proof<'a> {
    inputs: &'a [Option<Interval>],
    slots: &'a [(Lane, u64)],
    holds: bool,
}

impl Proof<'_> {
    /// Bounds of an integer node; `None` for other lanes, and once the proof has failed.
    fn bounds(&mut self, node: &Typed) -> Option<Interval> {
        if !self.holds {
            return None;
        }
        if node.args.is_empty() {
            return match node.op {
                Op::Input(index) => self.inputs[index],
                Op::Slot(index) => node.lane.limits().map(|_| {
                    let value = i128::from(self.slots[index].1 as i64);
                    (value, value)
                }),
                _ => Some((0, 0)),
            };
        }
        let limits = node.lane.limits();
        match node.op {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mod => {
                let (a, b) = (self.bounds(&node.args[0]), self.bounds(&node.args[1]));
                let (Some(a), Some(b)) = (a, b) else { return self.fail() };
                let result = match node.op {
                    Op::Add => (a.0 + b.0, a.1 + b.1),
                    Op::Sub => (a.0 - b.1, a.1 - b.0),
                    Op::Mul => product(a, b),
                    _ if b.0 <= 0 && b.1 >= 0 => return self.fail(),
                    // |quotient| <= |dividend|, and so is the remainder's.
                    _ => {
                        let most = a.0.abs().max(a.1.abs());
                        if b.1 < 0 && limits.is_some_and(|limits| a.0 == limits.0) {
                            return self.fail();
                        }
                        (-most, most)
                    }
                };
                self.within(result, limits)
            }
            Op::Neg | Op::Abs | Op::Narrow | Op::ScaleUp(_) => {
                let Some(a) = self.bounds(&node.args[0]) else {
                    // Signs of floats need no check.
                    return if node.lane == Lane::Float8 { None } else { self.fail() };
                };
                let result = match node.op {
                    Op::Neg => (-a.1, -a.0),
                    Op::Abs => (0, a.0.abs().max(a.1.abs())),
                    Op::ScaleUp(digits) => {
                        let up = 10i128.pow(digits.into());
                        (a.0 * up, a.1 * up)
                    }
                    _ => a,
                };
                self.within(result, limits)
            }
            Op::DecimalFloat(_) => {
                let exact = 1i128 << 53;
                match self.bounds(&node.args[0]) {
                    Some((low, high)) if low >= -exact && high <= exact => None,
                    _ => self.fail(),
                }
            }
            Op::Widen => self.bounds(&node.args[0]),
            Op::Case => {
                let last = node.args.len() - 1;
                let mut all: Option<Interval> = None;
                for (i, arg) in node.args.iter().enumerate() {
                    let bounds = self.bounds(arg);
                    if i % 2 == 1 || i == last {
                        all = union(all, bounds);
                    }
                }
                // A result without bounds has none as a whole; its lane's limits hold.
                all.or(limits)
            }
            Op::Coalesce | Op::MinMax(_) => {
                let mut all: Option<Interval> = None;
                for arg in &node.args {
                    let bounds = self.bounds(arg);
                    all = union(all, bounds);
                }
                all.or(limits)
            }
            Op::NullIf => {
                let bounds = self.bounds(&node.args[0]);
                self.bounds(&node.args[1]);
                self.bounds(&node.args[2]);
                bounds
            }
            Op::Input(_)
            | Op::Slot(_)
            | Op::Null
            | Op::BitAnd
            | Op::BitOr
            | Op::BitXor
            | Op::BitNot
            | Op::Float
            | Op::Compare(_)
            | Op::And
            | Op::Or
            | Op::Not
            | Op::IsNull(_)
            | Op::IsBool(..)
            | Op::IsDistinct(_) => {
                for arg in &node.args {
                    self.bounds(arg);
                }
                limits
            }
        }
    }

    fn within(&mut self, bounds: Interval, limits: Option<Interval>) -> Option<Interval> {
        match limits {
            Some((low, high)) if bounds.0 >= low && bounds.1 <= high => Some(bounds),
            _ => self.fail(),
        }
    }

    fn fail(&mut self) -> Option<Interval> {
        self.holds = false;
        None
    }
}

fn union(a: Option<Interval>, b: Option<Interval>) -> Option<Interval> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// The corners of a product; operands are of at most 64 bits, so it fits.
fn product(a: Interval, b: Interval) -> Interval {
    let corners = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
    let low = corners.into_iter().fold(i128::MAX, i128::min);
    (low, corners.into_iter().fold(i128::MIN, i128::max))
}
