//! Expressions over a tile.
//!
//! An [`Eval`] is an expression whose columns are positions in the input and whose constants are vectors already. It runs bottom-up
//! over whole vectors; parts that are reached by some rows only (the later operands of AND, OR, CASE, COALESCE) run under a narrower
//! mask, so that they raise for no other row (E4).

mod array;
mod compiled;

use crate::build::Layout;
use crate::context::{State, SubplanResult};
use array::{any_all, array_cast, make_array, slice, subscript};
use compiled::{Compiled, is_large};
use damask_functions::text_io::{self, is_reg_type, output};
use damask_functions::{KernelContext, ScalarFunction};
use damask_jit::{Group, OPERATIONS_MIN};
use damask_planner::expr::{ColumnId, Expr, ExprKind};
use damask_planner::physical::PlanId;
use damask_types::format::parse_text;
use damask_types::{
    Batch, Error, Mask, Result, SqlState, SqlType, TypeId, Value, Vector, VectorBuilder,
};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// An expression ready to run.
#[derive(Debug)]
pub(crate) struct Eval {
    node: Node,
    ty: SqlType,
}

#[derive(Debug)]
enum Node {
    Column(usize),
    Constant(Value),
    Parameter(usize),
    Outer(ColumnId),
    Subplan(PlanId),
    Exists(PlanId),
    ArraySubplan(PlanId),
    Call(&'static ScalarFunction, Vec<Eval>),
    Retype(Box<Eval>),
    InOut(Box<Eval>),
    ArrayCast(Box<Eval>, Box<Eval>),
    Element,
    And(Vec<Eval>),
    Or(Vec<Eval>),
    Not(Box<Eval>),
    IsNull(Box<Eval>, bool),
    IsBool(Box<Eval>, Option<bool>, bool),
    IsDistinct(Box<Eval>, Box<Eval>, &'static ScalarFunction, bool),
    Case(Vec<(Eval, Eval)>, Option<Box<Eval>>),
    Coalesce(Vec<Eval>),
    NullIf(Box<Eval>, Box<Eval>, &'static ScalarFunction),
    MinMax(Vec<Eval>, bool, &'static ScalarFunction),
    AnyAll {
        lhs: Box<Eval>,
        function: &'static ScalarFunction,
        array: Box<Eval>,
        all: bool,
    },
    /// `lhs op ANY (ARRAY[...])` with the elements as expressions.
    AnyAllList {
        lhs: Box<Eval>,
        function: &'static ScalarFunction,
        items: Vec<Eval>,
        all: bool,
    },
    Array(Vec<Eval>, TypeId),
    Subscript(Box<Eval>, Vec<Eval>),
    Slice(Box<Eval>, Option<Box<Eval>>, Option<Box<Eval>>),
    Row(Vec<Eval>),
    Field(Box<Eval>, usize),
    Raise(Arc<Error>),
    /// A part that is worth machine code once many rows have come.
    Compiled(Box<Compiled>),
}

impl Eval {
    /// Prepares an expression over an input of this layout.
    ///
    /// # Panics
    /// If it reads a column that the layout does not have: plans are checked where they are made.
    pub(crate) fn new(expr: &Expr, layout: &Layout) -> Self {
        Self::prepare(expr, layout, true)
    }

    /// `compiles` is off below a compiled part, whose interpreted form is for what code cannot answer.
    fn prepare(expr: &Expr, layout: &Layout, compiles: bool) -> Self {
        if compiles
            && is_large(expr)
            && let Some(group) = Group::new(expr, OPERATIONS_MIN)
        {
            let inputs =
                group.inputs().iter().map(|input| Self::prepare(input, layout, false)).collect();
            let interpreted = Self::prepare(expr, layout, false);
            let is_counted = AtomicBool::new(false);
            let compiled = Compiled { expr: expr.clone(), group, inputs, interpreted, is_counted };
            return Self { node: Node::Compiled(Box::new(compiled)), ty: expr.ty };
        }
        let of = |expr: &Expr| Self::prepare(expr, layout, compiles);
        let one = |expr: &Expr| Box::new(of(expr));
        let all = |exprs: &[Expr]| exprs.iter().map(of).collect::<Vec<_>>();
        let node = match &expr.kind {
            ExprKind::Column(id) => Node::Column(layout.position(*id)),
            ExprKind::Literal(value) => Node::Constant(value.clone()),
            ExprKind::Parameter(index) => Node::Parameter(*index),
            ExprKind::Outer(id) => Node::Outer(*id),
            ExprKind::Subplan(id) => Node::Subplan(*id),
            ExprKind::Exists(id) => Node::Exists(*id),
            ExprKind::ArraySubplan(id) => Node::ArraySubplan(*id),
            ExprKind::Call { function, args } => Node::Call(function, all(args)),
            ExprKind::Retype(arg) => Node::Retype(one(arg)),
            ExprKind::InOut(arg) => Node::InOut(one(arg)),
            ExprKind::ArrayCast { arg, element } => Node::ArrayCast(one(arg), one(element)),
            ExprKind::Element => Node::Element,
            ExprKind::And(parts) => Node::And(all(parts)),
            ExprKind::Or(parts) => Node::Or(all(parts)),
            ExprKind::Not(arg) => Node::Not(one(arg)),
            ExprKind::IsNull { arg, negated } => Node::IsNull(one(arg), *negated),
            ExprKind::IsBool { arg, value, negated } => Node::IsBool(one(arg), *value, *negated),
            ExprKind::IsDistinct { lhs, rhs, equality, negated } => {
                Node::IsDistinct(one(lhs), one(rhs), equality, *negated)
            }
            ExprKind::Case { branches, otherwise } => Node::Case(
                branches.iter().map(|(condition, result)| (of(condition), of(result))).collect(),
                otherwise.as_deref().map(one),
            ),
            ExprKind::Coalesce(parts) => Node::Coalesce(all(parts)),
            ExprKind::NullIf { lhs, rhs, equality } => Node::NullIf(one(lhs), one(rhs), equality),
            ExprKind::MinMax { args, least, less } => Node::MinMax(all(args), *least, less),
            ExprKind::AnyAll { lhs, function, array, all: is_all } => match &array.kind {
                ExprKind::Array(items) => {
                    Node::AnyAllList { lhs: one(lhs), function, items: all(items), all: *is_all }
                }
                _ => Node::AnyAll { lhs: one(lhs), function, array: one(array), all: *is_all },
            },
            ExprKind::Array(items) => {
                Node::Array(all(items), expr.ty.id.element().unwrap_or(TypeId::Text))
            }
            ExprKind::Subscript { array, subscripts } => {
                Node::Subscript(one(array), all(subscripts))
            }
            ExprKind::Slice { array, lower, upper } => {
                Node::Slice(one(array), lower.as_deref().map(one), upper.as_deref().map(one))
            }
            ExprKind::Row(fields) => Node::Row(all(fields)),
            ExprKind::Field { arg, index } => Node::Field(one(arg), *index),
            ExprKind::Raise(error) => Node::Raise(Arc::clone(error)),
        };
        Self { node, ty: expr.ty }
    }

    /// Its values over a batch; rows outside `active` hold anything valid.
    pub(crate) fn run(
        &self,
        batch: &Batch,
        active: &Mask,
        state: &mut State<'_>,
    ) -> Result<Vector> {
        self.eval(&Input { batch, element: None }, active, state)
    }

    /// The place of the input's column that it is, if it is no more than that.
    pub(crate) fn as_column(&self) -> Option<usize> {
        match self.node {
            Node::Column(position) => Some(position),
            _ => None,
        }
    }

    /// Its value without any input.
    pub(crate) fn value(&self, state: &mut State<'_>) -> Result<Value> {
        let batch = Batch::new(vec![], 1);
        Ok(self.run(&batch, &Mask::first(1), state)?.value(0))
    }

    fn eval(&self, input: &Input<'_>, active: &Mask, state: &mut State<'_>) -> Result<Vector> {
        let rows = input.rows();
        let constant = |value: &Value| Vector::constant(self.ty.id, value, rows);
        Ok(match &self.node {
            Node::Column(position) => input.batch.columns[*position].clone(),
            Node::Constant(value) => constant(value),
            Node::Parameter(index) => {
                constant(state.ctx.params.get(*index).unwrap_or(&Value::Null))
            }
            Node::Outer(id) => constant(state.run.outer.get(id).unwrap_or(&Value::Null)),
            Node::Element => {
                input.element.clone().expect("an element is read inside an array cast")
            }
            // Without a row nothing is reached, so nothing may run or raise.
            _ if active.is_empty() => Vector::nulls(self.ty.id, rows),
            Node::Subplan(id) => {
                let result = subplan(*id, 2, state)?;
                if result.rows > 1 {
                    return Err(Error::new(
                        SqlState::CARDINALITY_VIOLATION,
                        "more than one row returned by a subquery used as an expression",
                    ));
                }
                constant(result.values.first().unwrap_or(&Value::Null))
            }
            Node::Exists(id) => constant(&Value::Bool(subplan(*id, 1, state)?.rows > 0)),
            Node::ArraySubplan(id) => {
                let result = subplan(*id, usize::MAX, state)?;
                let element = self.ty.id.element().unwrap_or(TypeId::Text);
                constant(&Value::array(element, result.values.clone()))
            }
            Node::Call(function, args) => {
                let args = args
                    .iter()
                    .map(|arg| arg.eval(input, active, state))
                    .collect::<Result<Vec<_>>>()?;
                call(function, &args, self.ty, rows, active, state)?
            }
            Node::Retype(arg) => retype(arg.eval(input, active, state)?, self.ty.id),
            Node::InOut(arg) => {
                let value = arg.eval(input, active, state)?;
                in_out(&value, self.ty, active, state)?
            }
            Node::ArrayCast(arg, element) => {
                let arrays = arg.eval(input, active, state)?;
                array_cast(&arrays, element, self.ty.id, active, state)?
            }
            Node::And(parts) => connective(parts, false, input, active, state)?,
            Node::Or(parts) => connective(parts, true, input, active, state)?,
            Node::Not(arg) => {
                let value = arg.eval(input, active, state)?;
                let valid = value.valid_rows();
                bools(rows, valid.and_not(&value.true_rows()), valid)
            }
            Node::IsNull(arg, negated) => {
                let value = arg.eval(input, active, state)?;
                let null = if arg.ty.id == TypeId::Record {
                    Mask::from_fn(rows, |row| record_is(&value.value(row), !negated))
                } else {
                    let valid = value.valid_rows();
                    if *negated { valid } else { Mask::first(rows).and_not(&valid) }
                };
                bools(rows, null, Mask::first(rows))
            }
            Node::IsBool(arg, wanted, negated) => {
                let value = arg.eval(input, active, state)?;
                let (all, valid, is_true) =
                    (Mask::first(rows), value.valid_rows(), value.true_rows());
                let found = match wanted {
                    Some(true) => is_true,
                    Some(false) => valid.and_not(&is_true),
                    None => all.and_not(&valid),
                };
                bools(rows, if *negated { all.and_not(&found) } else { found }, all)
            }
            Node::IsDistinct(lhs, rhs, equality, negated) => {
                let lhs = lhs.eval(input, active, state)?;
                let rhs = rhs.eval(input, active, state)?;
                let (left, right) = (lhs.valid_rows(), rhs.valid_rows());
                let both = left.and(&right).and(active);
                let equal = call(equality, &[lhs, rhs], TypeId::Bool.into(), rows, &both, state)?;
                let all = Mask::first(rows);
                let same = equal.true_rows().and(&both).or(&all.and_not(&left).and_not(&right));
                bools(rows, if *negated { same } else { all.and_not(&same) }, all)
            }
            Node::Case(branches, otherwise) => {
                let mut choice = Choice::new(self.ty.id, rows);
                let mut left = *active;
                for (condition, result) in branches {
                    if left.is_empty() {
                        break;
                    }
                    let taken = condition.eval(input, &left, state)?.true_rows().and(&left);
                    if !taken.is_empty() {
                        choice.take(result.eval(input, &taken, state)?, taken);
                    }
                    left = left.and_not(&taken);
                }
                if let Some(otherwise) = otherwise
                    && !left.is_empty()
                {
                    choice.take(otherwise.eval(input, &left, state)?, left);
                }
                choice.finish()
            }
            Node::Coalesce(parts) => {
                let mut choice = Choice::new(self.ty.id, rows);
                let mut left = *active;
                for part in parts {
                    if left.is_empty() {
                        break;
                    }
                    let value = part.eval(input, &left, state)?;
                    let taken = value.valid_rows().and(&left);
                    if !taken.is_empty() {
                        choice.take(value, taken);
                    }
                    left = left.and_not(&taken);
                }
                choice.finish()
            }
            Node::NullIf(lhs, rhs, equality) => {
                let value = lhs.eval(input, active, state)?;
                let other = rhs.eval(input, active, state)?;
                let equal = call(
                    equality,
                    &[value.clone(), other],
                    TypeId::Bool.into(),
                    rows,
                    active,
                    state,
                )?;
                let mut choice = Choice::new(self.ty.id, rows);
                choice.take(retype(value, self.ty.id), active.and_not(&equal.true_rows()));
                choice.finish()
            }
            Node::MinMax(args, least, less) => {
                let mut best = args[0].eval(input, active, state)?;
                for arg in &args[1..] {
                    let value = arg.eval(input, active, state)?;
                    let (have, new) = (best.valid_rows(), value.valid_rows());
                    let both = have.and(&new).and(active);
                    let operands = if *least {
                        [value.clone(), best.clone()]
                    } else {
                        [best.clone(), value.clone()]
                    };
                    let better = call(less, &operands, TypeId::Bool.into(), rows, &both, state)?;
                    let replace = better.true_rows().and(&both).or(&new.and_not(&have));
                    let mut choice = Choice::new(self.ty.id, rows);
                    choice.take(value, replace);
                    choice.take(best, Mask::first(rows).and_not(&replace));
                    best = choice.finish();
                }
                best
            }
            Node::AnyAll { lhs, function, array, all } => {
                let lhs = lhs.eval(input, active, state)?;
                let arrays = array.eval(input, active, state)?;
                any_all(&lhs, function, &arrays, *all, active, state)?
            }
            Node::AnyAllList { lhs, function, items, all } => {
                let lhs = lhs.eval(input, active, state)?;
                let mut decided = Mask::NONE;
                let mut unknown = Mask::NONE;
                for item in items {
                    let left = active.and_not(&decided);
                    if left.is_empty() {
                        break;
                    }
                    let item = item.eval(input, &left, state)?;
                    let result = call(
                        function,
                        &[lhs.clone(), item],
                        TypeId::Bool.into(),
                        rows,
                        &left,
                        state,
                    )?;
                    let valid = result.valid_rows();
                    let is_true = result.true_rows();
                    // ANY is decided by a true, ALL by a false.
                    let hit = if *all { valid.and_not(&is_true) } else { is_true };
                    decided = decided.or(&hit.and(&left));
                    unknown = unknown.or(&left.and_not(&valid));
                }
                let all_rows = Mask::first(rows);
                let valid = all_rows.and_not(&unknown.and_not(&decided));
                bools(rows, if *all { all_rows.and_not(&decided) } else { decided }, valid)
            }
            Node::Array(items, element) => {
                let values = items
                    .iter()
                    .map(|item| item.eval(input, active, state))
                    .collect::<Result<Vec<_>>>()?;
                by_row(self.ty.id, rows, active, |row| {
                    make_array(*element, values.iter().map(|value| value.value(row)).collect())
                })?
            }
            Node::Subscript(array, subscripts) => {
                let arrays = array.eval(input, active, state)?;
                let subscripts = subscripts
                    .iter()
                    .map(|s| s.eval(input, active, state))
                    .collect::<Result<Vec<_>>>()?;
                by_row(self.ty.id, rows, active, |row| {
                    Ok(subscript(
                        &arrays.value(row),
                        subscripts.iter().map(|s| s.value(row).as_i64()),
                    ))
                })?
            }
            Node::Slice(array, lower, upper) => {
                let arrays = array.eval(input, active, state)?;
                let mut bound = |bound: &Option<Box<Self>>| {
                    bound.as_ref().map(|bound| bound.eval(input, active, state)).transpose()
                };
                let (lower, upper) = (bound(lower)?, bound(upper)?);
                by_row(self.ty.id, rows, active, |row| {
                    let at = |bound: &Option<Vector>| bound.as_ref().map(|bound| bound.value(row));
                    Ok(slice(&arrays.value(row), at(&lower), at(&upper)))
                })?
            }
            Node::Row(fields) => {
                let types: Vec<TypeId> = fields.iter().map(|field| field.ty.id).collect();
                let values = fields
                    .iter()
                    .map(|field| field.eval(input, active, state))
                    .collect::<Result<Vec<_>>>()?;
                by_row(self.ty.id, rows, active, |row| {
                    let fields =
                        types.iter().zip(&values).map(|(&ty, value)| (ty, value.value(row)));
                    Ok(Value::Record(fields.collect()))
                })?
            }
            Node::Field(arg, index) => {
                let records = arg.eval(input, active, state)?;
                by_row(self.ty.id, rows, active, |row| {
                    Ok(match records.value(row) {
                        Value::Record(fields) => {
                            fields.get(*index).map_or(Value::Null, |field| field.1.clone())
                        }
                        _ => Value::Null,
                    })
                })?
            }
            Node::Raise(error) => return Err(copy_error(error)),
            Node::Compiled(compiled) => compiled.eval(input, active, state)?,
        })
    }
}

/// What an expression reads.
struct Input<'a> {
    batch: &'a Batch,
    /// The elements of an array that an [`Node::ArrayCast`] converts; then `batch` is not read.
    element: Option<Vector>,
}

impl Input<'_> {
    fn rows(&self) -> usize {
        self.element.as_ref().map_or_else(|| self.batch.rows(), Vector::rows)
    }
}

/// Calls a function's kernel; a call over constants alone is made once.
pub(crate) fn call(
    function: &'static ScalarFunction,
    args: &[Vector],
    result: SqlType,
    rows: usize,
    active: &Mask,
    state: &State<'_>,
) -> Result<Vector> {
    let session = &*state.ctx.session;
    let is_constant = rows != 1
        && !args.is_empty()
        && args.iter().all(Vector::is_const)
        && function.volatility != damask_functions::Volatility::Volatile;
    if is_constant && !active.is_empty() {
        let args: Vec<Vector> = args.iter().map(|arg| arg.clone().with_rows(1)).collect();
        let one = Mask::first(1);
        let ctx = KernelContext { rows: 1, active: &one, result, session };
        let value = (function.kernel)(&ctx, &args)?.value(0);
        return Ok(Vector::constant(result.id, &value, rows));
    }
    run_kernel(function, args, result, rows, active, session)
}

/// Calls a function's kernel.
pub(crate) fn run_kernel(
    function: &'static ScalarFunction,
    args: &[Vector],
    result: SqlType,
    rows: usize,
    active: &Mask,
    session: &dyn damask_functions::Session,
) -> Result<Vector> {
    let ctx = KernelContext { rows, active, result, session };
    let vector = (function.kernel)(&ctx, args)?;
    Ok(if vector.ty == result.id { vector } else { retype(vector, result.id) })
}

/// The same values as those of another type.
pub(crate) fn retype(vector: Vector, ty: TypeId) -> Vector {
    if vector.ty.physical() == ty.physical() {
        return vector.retype(ty);
    }
    // Pseudo-types and aliases that lie differently (an int8 row id shown as `tid`).
    let mut builder = VectorBuilder::new(ty, vector.rows());
    for row in 0..vector.rows() {
        builder.push(&vector.value(row));
    }
    builder.finish()
}

fn bools(rows: usize, values: Mask, valid: Mask) -> Vector {
    let all = valid == Mask::first(rows);
    Vector::bools(rows, values.and(&valid), (!all).then_some(valid))
}

/// AND (or OR) with three-valued logic: a part runs only for rows that no part before it decided.
fn connective(
    parts: &[Eval],
    is_or: bool,
    input: &Input<'_>,
    active: &Mask,
    state: &mut State<'_>,
) -> Result<Vector> {
    let rows = input.rows();
    let mut decided = Mask::NONE;
    let mut unknown = Mask::NONE;
    for part in parts {
        let left = active.and_not(&decided);
        if left.is_empty() {
            break;
        }
        let value = part.eval(input, &left, state)?;
        let (valid, is_true) = (value.valid_rows(), value.true_rows());
        let hit = if is_or { is_true } else { valid.and_not(&is_true) };
        decided = decided.or(&hit.and(&left));
        unknown = unknown.or(&left.and_not(&valid));
    }
    let all = Mask::first(rows);
    let valid = all.and_not(&unknown.and_not(&decided));
    Ok(bools(rows, if is_or { decided } else { all.and_not(&decided) }, valid))
}

/// A vector put together from parts of others.
struct Choice {
    ty: TypeId,
    rows: usize,
    parts: Vec<(Vector, Mask)>,
}

impl Choice {
    fn new(ty: TypeId, rows: usize) -> Self {
        Self { ty, rows, parts: vec![] }
    }

    fn take(&mut self, vector: Vector, rows: Mask) {
        self.parts.push((vector, rows));
    }

    /// Rows that no part took are null.
    fn finish(self) -> Vector {
        if let [(vector, rows)] = &self.parts[..]
            && *rows == Mask::first(self.rows)
        {
            return vector.clone();
        }
        let mut column = crate::store::Column::new(self.ty);
        let mut source = vec![crate::store::NO_ROW; self.rows];
        for (vector, mask) in &self.parts {
            let rows: Vec<u32> = mask.iter().map(|row| row as u32).collect();
            let base = column.len() as u32;
            column.append(vector, &rows);
            for (i, row) in rows.into_iter().enumerate() {
                source[row as usize] = base + i as u32;
            }
        }
        column.gather(&source)
    }
}

/// Computes a value for each active row; the others are null.
fn by_row(
    ty: TypeId,
    rows: usize,
    active: &Mask,
    mut f: impl FnMut(usize) -> Result<Value>,
) -> Result<Vector> {
    let mut builder = VectorBuilder::new(ty, rows);
    for row in 0..rows {
        let value = if active.get(row) { f(row)? } else { Value::Null };
        builder.push(&value);
    }
    Ok(builder.finish())
}

/// A cast through text, of a vector.
fn in_out(value: &Vector, target: SqlType, active: &Mask, state: &State<'_>) -> Result<Vector> {
    let convert = |row| cast_by_text(&*state.ctx.session, value.ty, target, &value.value(row));
    if value.is_const() {
        return Ok(Vector::constant(target.id, &convert(0)?, value.rows()));
    }
    by_row(target.id, value.rows(), active, convert)
}

/// A cast through text, of one value.
pub(crate) fn cast_by_text(
    session: &dyn damask_functions::Session,
    source: TypeId,
    target: SqlType,
    value: &Value,
) -> Result<Value> {
    let names_objects = |ty: TypeId| is_reg_type(ty) || ty.element().is_some_and(is_reg_type);
    match output(session, source, value) {
        None => Ok(Value::Null),
        Some(text) if names_objects(target.id) => text_io::input(session, target, &text),
        Some(text) => parse_text(target, &text, session.format(), session.transaction_timestamp()),
    }
}

/// IS NULL of a record: every field is null; IS NOT NULL: none is.
pub(crate) fn record_is(value: &Value, null: bool) -> bool {
    match value {
        Value::Record(fields) => fields.iter().all(|(_, field)| field.is_null() == null),
        other => other.is_null() == null,
    }
}

/// Runs a subplan on first use, until it has given `enough` rows.
fn subplan(id: PlanId, enough: usize, state: &mut State<'_>) -> Result<Arc<SubplanResult>> {
    if let Some(result) = state.run.subplans.get(&id) {
        return Ok(Arc::clone(result));
    }
    let plan = Arc::clone(&state.run.plan);
    let mut operator = crate::build::build(&plan, id, state)?;
    let (mut values, mut rows) = (vec![], 0);
    while rows < enough
        && let Some(batch) = operator.next(state)?
    {
        state.check()?;
        for row in batch.active().iter() {
            rows += 1;
            if let Some(column) = batch.columns.first() {
                let value = column.value(row);
                state.run.memory.reserve(size_of::<Value>())?;
                values.push(value);
            }
        }
    }
    let result = Arc::new(SubplanResult { values, rows });
    state.run.subplans.insert(id, Arc::clone(&result));
    Ok(result)
}

/// The same error again: a folded error may be raised more than once.
fn copy_error(error: &Error) -> Error {
    let fields = error.fields();
    let mut copy = Error::new(fields.sqlstate, fields.message.clone());
    let target = copy.fields_mut();
    target.detail.clone_from(&fields.detail);
    target.hint.clone_from(&fields.hint);
    target.position = fields.position;
    copy
}
