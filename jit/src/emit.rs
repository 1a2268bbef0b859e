//! From a typed tree to machine code.
//!
//! One function works on one tile:
//!
//! ```text
//! fn(columns: *const *const u8, validities: *const *const u64, slots: *const u64, active: *const u64,
//!    rows: u64, out: *mut u8, out_validity: *mut u64) -> u32
//! ```
//!
//! The outer loop takes 64 rows at a time: the words of masks (bools, validities, active rows) are read and written there. The inner loop is
//! one straight line of code a row, without branches: every part is computed for every row, and CASE selects. What a row *reaches*
//! matters to errors alone: in checked code each check is ANDed with the condition under which the interpreter would evaluate that part.
//! The function returns 1 if some check fired (J1); then `out` is worthless.
//!
//! A null's value is whatever its operands give; only its validity bit says null (V1 of vectors).

mod arithmetic;

use crate::operation::Test;
use crate::shape::{Form, Lane};
use crate::typed::{Op, Typed};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, Function, InstBuilder, MemFlagsData, Signature, Type, UserFuncName,
    Value, types,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, isa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The machine to compile for; `None` where nothing is compiled.
static ISA: LazyLock<Option<OwnedTargetIsa>> = LazyLock::new(|| {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return None;
    }
    let mut flags = settings::builder();
    flags.set("opt_level", "speed").ok()?;
    flags.set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }).ok()?;
    let builder: isa::Builder = cranelift_native::builder().ok()?;
    builder.finish(settings::Flags::new(flags)).ok()
});

/// Code for a tree over inputs of these forms, without checks if they are proved not to fire. `None` if this machine is not supported
/// or the code could not stand alone.
pub(crate) fn compile(root: &Typed, forms: &[Form], checked: bool) -> Option<Vec<u8>> {
    let isa = ISA.as_ref()?;
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend([AbiParam::new(types::I64); 7]);
    signature.returns.push(AbiParam::new(types::I32));
    let mut context =
        Context::for_function(Function::with_name_signature(UserFuncName::default(), signature));
    let mut shared = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut context.func, &mut shared);
    let body = Body {
        builder,
        forms,
        checked,
        done: HashMap::new(),
        counted: HashSet::new(),
        slots: HashMap::new(),
        inputs: vec![],
        index: None,
        error: None,
    };
    body.write(root, isa.frontend_config());
    let code = context.compile(&**isa, &mut ControlPlane::default()).ok()?;
    // J2: whatever would need a relocation (a call, a far constant) is not run.
    code.buffer.relocs().is_empty().then(|| code.code_buffer().to_vec())
}

/// A value in registers.
#[derive(Clone, Copy)]
struct Lanes {
    value: Value,
    /// 1 unless it is null; `None` if it never is.
    valid: Option<Value>,
}

/// An input as the loops see it.
#[derive(Clone, Copy)]
enum Source {
    /// The same for every row.
    Constant(Lanes),
    /// The base address of entries, and this round's word of validity bits.
    Entries(Value, Option<Value>),
    /// This round's words of bits and of validity bits.
    Bits(Value, Option<Value>),
}

struct Body<'a> {
    builder: FunctionBuilder<'a>,
    forms: &'a [Form],
    checked: bool,
    /// Results by number, with the raw check of that node.
    done: HashMap<usize, (Lanes, Option<Value>)>,
    /// Checks that are part of `error` already, with their condition.
    counted: HashSet<(Value, Value)>,
    slots: HashMap<usize, (Value, Lane)>,
    inputs: Vec<Source>,
    /// The row.
    index: Option<Value>,
    /// 1 if a check fired in this row.
    error: Option<Value>,
}

fn register(lane: Lane) -> Type {
    match lane {
        Lane::Bool => types::I8,
        Lane::Int2 => types::I16,
        Lane::Int4 | Lane::Oid => types::I32,
        Lane::Int8 | Lane::Decimal(_) => types::I64,
        Lane::Float8 => types::F64,
    }
}

impl Body<'_> {
    fn write(mut self, root: &Typed, config: isa::TargetFrontendConfig) {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        let params = self.builder.block_params(entry).to_vec();
        let [columns, validities, slots, active, rows, out, out_validity] = params[..] else {
            return;
        };
        let mut used = HashSet::new();
        collect(root, &mut used);
        self.read_slots(&used, slots);
        let bases = self.bases(&used, columns, validities);

        // Loop over words: (first row of the word, error).
        let words = self.block(&[types::I64, types::I8]);
        let word = self.builder.create_block();
        let exit = self.block(&[types::I8]);
        let zero = self.builder.ins().iconst(types::I64, 0);
        let no = self.builder.ins().iconst(types::I8, 0);
        self.jump(words, &[zero, no]);
        self.builder.switch_to_block(words);
        let base = self.builder.block_params(words)[0];
        let error = self.builder.block_params(words)[1];
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, base, rows);
        self.builder.ins().brif(more, word, &[], exit, &[error.into()]);

        self.builder.switch_to_block(word);
        let place = self.builder.ins().ushr_imm_u(base, 3);
        self.inputs = bases.iter().map(|base| self.at_word(*base, place)).collect();
        let active_word = if self.checked { Some(self.word(active, place)) } else { None };
        let end = self.builder.ins().iadd_imm_u(base, 64);
        let is_last = self.builder.ins().icmp(IntCC::UnsignedLessThan, rows, end);
        let end = self.builder.ins().select(is_last, rows, end);

        // Loop over rows: (row, bits, validity bits, error).
        let row = self.block(&[types::I64, types::I64, types::I64, types::I8]);
        let done = self.block(&[types::I64, types::I64, types::I8]);
        self.jump(row, &[base, zero, zero, error]);
        self.builder.switch_to_block(row);
        let [index, bits, valid_bits, error] = self.builder.block_params(row)[..] else { return };
        self.index = Some(index);
        self.error = Some(error);
        let reach = active_word.map(|word| self.bit(word, index));
        let result = self.node(root, reach);
        let bits = if root.lane == Lane::Bool {
            self.push_bit(bits, result.value, index)
        } else {
            let address = self.address(out, index, root.lane);
            self.builder.ins().store(MemFlagsData::trusted(), result.value, address, 0);
            bits
        };
        let valid_bits = match result.valid {
            Some(valid) => self.push_bit(valid_bits, valid, index),
            None => valid_bits,
        };
        let error = self.error.unwrap_or(error);
        let next = self.builder.ins().iadd_imm_u(index, 1);
        let more = self.builder.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.builder.ins().brif(
            more,
            row,
            &[next.into(), bits.into(), valid_bits.into(), error.into()],
            done,
            &[bits.into(), valid_bits.into(), error.into()],
        );

        self.builder.switch_to_block(done);
        let [bits, valid_bits, error] = self.builder.block_params(done)[..] else { return };
        if root.lane == Lane::Bool {
            let address = self.builder.ins().iadd(out, place);
            self.builder.ins().store(MemFlagsData::trusted(), bits, address, 0);
        }
        if result.valid.is_some() {
            let address = self.builder.ins().iadd(out_validity, place);
            self.builder.ins().store(MemFlagsData::trusted(), valid_bits, address, 0);
        }
        let base = self.builder.ins().iadd_imm_u(base, 64);
        self.jump(words, &[base, error]);

        self.builder.switch_to_block(exit);
        let error = self.builder.block_params(exit)[0];
        let error = self.builder.ins().uextend(types::I32, error);
        self.builder.ins().return_(&[error]);
        self.builder.seal_all_blocks();
        self.builder.finalize(config);
    }

    fn block(&mut self, params: &[Type]) -> Block {
        let block = self.builder.create_block();
        for ty in params {
            self.builder.append_block_param(block, *ty);
        }
        block
    }

    fn jump(&mut self, block: Block, values: &[Value]) {
        let args: Vec<BlockArg> = values.iter().map(|value| (*value).into()).collect();
        self.builder.ins().jump(block, &args);
    }

    /// The literals that are used, read before the loops.
    fn read_slots(&mut self, used: &HashSet<(Op, Lane)>, slots: Value) {
        for (op, lane) in used {
            let Op::Slot(index) = *op else { continue };
            let value = self.builder.ins().load(
                register(*lane),
                MemFlagsData::trusted(),
                slots,
                (index * 8) as i32,
            );
            self.slots.insert(index, (value, *lane));
        }
    }

    /// Base addresses of the inputs, and const inputs themselves, read before the loops. Inputs that are not used are not read.
    fn bases(
        &mut self,
        used: &HashSet<(Op, Lane)>,
        columns: Value,
        validities: Value,
    ) -> Vec<Base> {
        let forms = self.forms;
        let mut bases = vec![];
        for (i, form) in forms.iter().enumerate() {
            if !used.contains(&(Op::Input(i), form.lane)) {
                bases.push(Base::Unused);
                continue;
            }
            let flags = MemFlagsData::trusted();
            let at = (i * 8) as i32;
            let entries = self.builder.ins().load(types::I64, flags, columns, at);
            let validity =
                form.nullable.then(|| self.builder.ins().load(types::I64, flags, validities, at));
            bases.push(if form.is_const {
                let low = |body: &mut Self, address: Value| {
                    let word = body.builder.ins().load(types::I8, flags, address, 0);
                    body.builder.ins().band_imm_u(word, 1)
                };
                let value = match form.lane {
                    Lane::Bool => low(self, entries),
                    lane => self.builder.ins().load(register(lane), flags, entries, 0),
                };
                let valid = validity.map(|validity| low(self, validity));
                Base::Constant(Lanes { value, valid })
            } else if form.lane == Lane::Bool {
                Base::Bits(entries, validity)
            } else {
                Base::Entries(entries, validity)
            });
        }
        bases
    }

    fn at_word(&mut self, base: Base, place: Value) -> Source {
        match base {
            Base::Constant(lanes) => Source::Constant(lanes),
            Base::Entries(entries, validity) => {
                Source::Entries(entries, validity.map(|validity| self.word(validity, place)))
            }
            Base::Bits(bits, validity) => {
                let bits = self.word(bits, place);
                Source::Bits(bits, validity.map(|validity| self.word(validity, place)))
            }
            Base::Unused => {
                let value = self.builder.ins().iconst(types::I8, 0);
                Source::Constant(Lanes { value, valid: None })
            }
        }
    }

    fn word(&mut self, base: Value, place: Value) -> Value {
        let address = self.builder.ins().iadd(base, place);
        self.builder.ins().load(types::I64, MemFlagsData::trusted(), address, 0)
    }

    /// Bit `index % 64`: shifts take the amount modulo the width.
    fn bit(&mut self, word: Value, index: Value) -> Value {
        let shifted = self.builder.ins().ushr(word, index);
        let low = self.builder.ins().ireduce(types::I8, shifted);
        self.builder.ins().band_imm_u(low, 1)
    }

    fn push_bit(&mut self, bits: Value, bit: Value, index: Value) -> Value {
        let wide = self.builder.ins().uextend(types::I64, bit);
        let shifted = self.builder.ins().ishl(wide, index);
        self.builder.ins().bor(bits, shifted)
    }

    fn address(&mut self, base: Value, index: Value, lane: Lane) -> Value {
        let shift = lane.bytes().trailing_zeros();
        let amount = self.builder.ins().iconst(types::I64, i64::from(shift));
        let offset = self.builder.ins().ishl(index, amount);
        self.builder.ins().iadd(base, offset)
    }

    fn input(&mut self, index: usize, lane: Lane) -> Lanes {
        let row = self.index.expect("inputs are read inside the row loop");
        match self.inputs[index] {
            Source::Constant(lanes) => lanes,
            Source::Entries(base, validity) => {
                let address = self.address(base, row, lane);
                let value =
                    self.builder.ins().load(register(lane), MemFlagsData::trusted(), address, 0);
                Lanes { value, valid: validity.map(|word| self.bit(word, row)) }
            }
            Source::Bits(word, validity) => {
                let value = self.bit(word, row);
                Lanes { value, valid: validity.map(|word| self.bit(word, row)) }
            }
        }
    }

    fn and(&mut self, a: Option<Value>, b: Option<Value>) -> Option<Value> {
        match (a, b) {
            (Some(a), Some(b)) if a != b => Some(self.builder.ins().band(a, b)),
            (a, b) => a.or(b),
        }
    }

    fn not(&mut self, bit: Value) -> Value {
        self.builder.ins().bxor_imm_u(bit, 1)
    }

    /// Whether a bool is true (and not null).
    fn is_true(&mut self, lanes: Lanes) -> Value {
        match lanes.valid {
            Some(valid) => self.builder.ins().band(lanes.value, valid),
            None => lanes.value,
        }
    }

    fn constant(&mut self, lane: Lane, value: i64) -> Value {
        match register(lane) {
            types::F64 => self.builder.ins().f64const(value as f64),
            ty => self.builder.ins().iconst(ty, value),
        }
    }

    /// Adds a check to the row's error: it counts if the row reaches this part and no operand is null.
    fn count(&mut self, check: Value, reach: Option<Value>, valid: Option<Value>) {
        let Some(reach) = reach else { return };
        if !self.counted.insert((check, reach)) {
            return;
        }
        let counts = self.and(Some(reach), valid);
        let counts = self.and(counts, Some(check));
        if let (Some(error), Some(counts)) = (self.error, counts) {
            self.error = Some(self.builder.ins().bor(error, counts));
        }
    }

    /// A node's value. `reach` is 1 if the interpreter would evaluate it for this row; `None` in code without checks.
    fn node(&mut self, node: &Typed, reach: Option<Value>) -> Lanes {
        if let Some(&(lanes, check)) = self.done.get(&node.number) {
            // The value is known, but this place may be reached when the other is not: its checks count again.
            if self.checked {
                self.again(node, reach);
                if let Some(check) = check {
                    self.count(check, reach, lanes.valid);
                }
            }
            return lanes;
        }
        let (lanes, check) = self.compute(node, reach);
        if let Some(check) = check {
            self.count(check, reach, lanes.valid);
        }
        self.done.insert(node.number, (lanes, check));
        lanes
    }

    /// Counts the checks below a node whose value is known. Conditional parts are counted as if they were reached wherever the node
    /// is, which may send a tile to the interpreter for nothing, but never misses an error.
    fn again(&mut self, node: &Typed, reach: Option<Value>) {
        for arg in &node.args {
            self.node(arg, reach);
        }
    }

    fn compute(&mut self, node: &Typed, reach: Option<Value>) -> (Lanes, Option<Value>) {
        let plain = |lanes: Lanes| (lanes, None);
        match node.op {
            Op::Input(index) => plain(self.input(index, node.lane)),
            Op::Slot(index) => plain(Lanes { value: self.slots[&index].0, valid: None }),
            Op::Null => {
                let value = self.constant(node.lane, 0);
                let valid = self.builder.ins().iconst(types::I8, 0);
                plain(Lanes { value, valid: Some(valid) })
            }
            Op::And => plain(self.connective(node, reach, false)),
            Op::Or => plain(self.connective(node, reach, true)),
            Op::Case => plain(self.case(node, reach)),
            Op::Coalesce => plain(self.coalesce(node, reach)),
            Op::MinMax(least) => plain(self.min_max(node, reach, least)),
            Op::IsNull(negated) => {
                let arg = self.node(&node.args[0], reach);
                let value = match arg.valid {
                    Some(valid) if negated => valid,
                    Some(valid) => self.not(valid),
                    None => self.builder.ins().iconst(types::I8, i64::from(negated)),
                };
                plain(Lanes { value, valid: None })
            }
            Op::IsBool(wanted, negated) => {
                let arg = self.node(&node.args[0], reach);
                let value = match wanted {
                    Some(true) => self.is_true(arg),
                    Some(false) => {
                        let value = self.not(arg.value);
                        self.is_true(Lanes { value, valid: arg.valid })
                    }
                    None => match arg.valid {
                        Some(valid) => self.not(valid),
                        None => self.builder.ins().iconst(types::I8, 0),
                    },
                };
                let value = if negated { self.not(value) } else { value };
                plain(Lanes { value, valid: None })
            }
            Op::IsDistinct(negated) => {
                let lane = node.args[0].lane;
                let (a, b) = (self.node(&node.args[0], reach), self.node(&node.args[1], reach));
                let equal = self.compare(Test::Equal, lane, a.value, b.value);
                let one = self.builder.ins().iconst(types::I8, 1);
                let (x, y) = (a.valid.unwrap_or(one), b.valid.unwrap_or(one));
                // Same: both null, or both not null and equal.
                let both = self.builder.ins().band(x, y);
                let either = self.builder.ins().bor(x, y);
                let none = self.not(either);
                let same = self.builder.ins().band(both, equal);
                let same = self.builder.ins().bor(same, none);
                let value = if negated { same } else { self.not(same) };
                plain(Lanes { value, valid: None })
            }
            Op::NullIf => {
                let lane = node.args[1].lane;
                let lhs = self.node(&node.args[0], reach);
                let (a, b) = (self.node(&node.args[1], reach), self.node(&node.args[2], reach));
                let equal = self.compare(Test::Equal, lane, a.value, b.value);
                let valid = self.and(a.valid, b.valid);
                let equal = self.is_true(Lanes { value: equal, valid });
                let differs = self.not(equal);
                let valid = self.and(lhs.valid, Some(differs));
                plain(Lanes { value: lhs.value, valid })
            }
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Mod
            | Op::BitAnd
            | Op::BitOr
            | Op::BitXor
            | Op::Compare(_) => {
                let (a, b) = (self.node(&node.args[0], reach), self.node(&node.args[1], reach));
                let lane = node.args[0].lane;
                let valid = self.and(a.valid, b.valid);
                let (value, check) = if let Op::Compare(test) = node.op {
                    (self.compare(test, lane, a.value, b.value), None)
                } else if lane == Lane::Float8 {
                    self.float(node.op, a.value, b.value)
                } else {
                    self.integer(node.op, lane, a.value, b.value)
                };
                (Lanes { value, valid }, check)
            }
            Op::Neg
            | Op::Abs
            | Op::BitNot
            | Op::Not
            | Op::Widen
            | Op::Narrow
            | Op::Float
            | Op::DecimalFloat(_)
            | Op::ScaleUp(_) => {
                let arg = self.node(&node.args[0], reach);
                let (value, check) = self.unary(node, arg.value);
                (Lanes { value, valid: arg.valid }, check)
            }
        }
    }

    /// AND (or OR): a part is reached unless one before it decided.
    fn connective(&mut self, node: &Typed, reach: Option<Value>, is_or: bool) -> Lanes {
        let mut decided: Option<Value> = None;
        let mut all_valid: Option<Value> = None;
        let mut reach = reach;
        for arg in &node.args {
            let part = self.node(arg, reach);
            let value = if is_or { part.value } else { self.not(part.value) };
            let hit = self.is_true(Lanes { value, valid: part.valid });
            decided = Some(match decided {
                Some(decided) => self.builder.ins().bor(decided, hit),
                None => hit,
            });
            all_valid = self.and(all_valid, part.valid);
            if reach.is_some() {
                let go_on = self.not(hit);
                reach = self.and(reach, Some(go_on));
            }
        }
        let decided = decided.expect("AND and OR have operands");
        let valid = all_valid.map(|valid| self.builder.ins().bor(valid, decided));
        let value = if is_or { decided } else { self.not(decided) };
        Lanes { value, valid }
    }

    fn select(&mut self, condition: Value, a: Lanes, b: Lanes) -> Lanes {
        let value = self.builder.ins().select(condition, a.value, b.value);
        let valid = (a.valid.is_some() || b.valid.is_some()).then(|| {
            let one = self.builder.ins().iconst(types::I8, 1);
            self.builder.ins().select(condition, a.valid.unwrap_or(one), b.valid.unwrap_or(one))
        });
        Lanes { value, valid }
    }

    fn case(&mut self, node: &Typed, reach: Option<Value>) -> Lanes {
        let mut reach = reach;
        let mut branches = vec![];
        let (pairs, otherwise) = node.args.split_at(node.args.len() - 1);
        for pair in pairs.chunks(2) {
            let condition = self.node(&pair[0], reach);
            let taken = self.is_true(condition);
            let inside = reach.and_then(|reach| self.and(Some(reach), Some(taken)));
            branches.push((taken, self.node(&pair[1], inside)));
            if reach.is_some() {
                let go_on = self.not(taken);
                reach = self.and(reach, Some(go_on));
            }
        }
        let otherwise = self.node(&otherwise[0], reach);
        branches
            .into_iter()
            .rev()
            .fold(otherwise, |rest, (taken, result)| self.select(taken, result, rest))
    }

    fn coalesce(&mut self, node: &Typed, reach: Option<Value>) -> Lanes {
        let mut reach = reach;
        let mut parts = vec![];
        for arg in &node.args {
            let part = self.node(arg, reach);
            parts.push(part);
            let Some(valid) = part.valid else { break };
            if reach.is_some() {
                let go_on = self.not(valid);
                reach = self.and(reach, Some(go_on));
            }
        }
        let last = parts.pop().expect("COALESCE has operands");
        parts.into_iter().rev().fold(last, |rest, part| match part.valid {
            Some(valid) => {
                let part = Lanes { value: part.value, valid: None };
                self.select(valid, part, rest)
            }
            None => part,
        })
    }

    /// The first of the least (or greatest), nulls left out.
    fn min_max(&mut self, node: &Typed, reach: Option<Value>, least: bool) -> Lanes {
        let mut best = self.node(&node.args[0], reach);
        for arg in &node.args[1..] {
            let next = self.node(arg, reach);
            let (a, b) = if least { (next.value, best.value) } else { (best.value, next.value) };
            let better = self.compare(Test::Less, node.lane, a, b);
            let one = self.builder.ins().iconst(types::I8, 1);
            let (have, new) = (best.valid.unwrap_or(one), next.valid.unwrap_or(one));
            let lacks = self.not(have);
            let replace = self.builder.ins().bor(better, lacks);
            let replace = self.builder.ins().band(replace, new);
            best = self.select(replace, next, best);
        }
        best
    }
}

/// An input before the loops.
#[derive(Clone, Copy)]
enum Base {
    Unused,
    Constant(Lanes),
    Entries(Value, Option<Value>),
    Bits(Value, Option<Value>),
}

fn collect(node: &Typed, used: &mut HashSet<(Op, Lane)>) {
    if node.args.is_empty() {
        used.insert((node.op, node.lane));
    }
    for arg in &node.args {
        collect(arg, used);
    }
}
