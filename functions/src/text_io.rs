//! Values to and from text inside expressions: what `typoutput` and `typinput` do, with the catalog's help for `reg*` types.
//!
//! The forms themselves are in [`damask_types::format`]; this adds the names of catalog objects, and conversion of vectors
//! for casts that go through text.

use crate::Session;
use crate::rows::Text;
use crate::{Kernel, KernelContext};
use damask_types::array::ArrayValue;
use damask_types::format::text::{parse_text, to_text};
use damask_types::{
    Error, Mask, Oid, Result, SqlState, SqlType, TypeId, Value, Vector, VectorBuilder, VectorData,
};
use std::borrow::Cow;

/// Whether values of a type are OIDs that have names.
pub fn is_reg_type(ty: TypeId) -> bool {
    matches!(
        ty,
        TypeId::RegProc
            | TypeId::RegProcedure
            | TypeId::RegOper
            | TypeId::RegOperator
            | TypeId::RegClass
            | TypeId::RegType
            | TypeId::RegRole
            | TypeId::RegNamespace
            | TypeId::RegConfig
            | TypeId::RegDictionary
    )
}

/// The text form of a value; `None` for null.
pub fn output(session: &dyn Session, ty: TypeId, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text.to_string()),
        Value::Oid(oid) if is_reg_type(ty) => Some(session.reg_to_name(ty, *oid)),
        Value::Array(array) if is_reg_type(array.element) => {
            let names = array.values.iter().map(|value| {
                output(session, array.element, value).map_or(Value::Null, Value::text)
            });
            let names = ArrayValue {
                element: TypeId::Text,
                dims: array.dims.clone(),
                values: names.collect(),
            };
            Some(to_text(TypeId::TextArray, &names.into(), session.format()))
        }
        _ => Some(to_text(ty, value, session.format())),
    }
}

/// The value behind a text, with the type's modifier applied as a written cast does.
///
/// # Errors
/// 22P02 and others of the type's input.
pub fn input(session: &dyn Session, ty: SqlType, text: &str) -> Result<Value> {
    if is_reg_type(ty.id) {
        return reg_input(session, ty.id, text).map(Value::Oid);
    }
    if let Some(element) = ty.id.element().filter(|&element| is_reg_type(element)) {
        let names = parse_text(
            TypeId::TextArray.into(),
            text,
            session.format(),
            session.transaction_timestamp(),
        )?;
        let Value::Array(names) = names else { return Ok(names) };
        let values = names.values.iter().map(|name| match name.as_text() {
            Some(name) => reg_input(session, element, name).map(Value::Oid),
            None => Ok(Value::Null),
        });
        let values = values.collect::<Result<_>>()?;
        return Ok(ArrayValue { element, dims: names.dims.clone(), values }.into());
    }
    parse_text(ty, text, session.format(), session.transaction_timestamp())
}

/// A number is itself, `-` is none, everything else is a name.
fn reg_input(session: &dyn Session, ty: TypeId, text: &str) -> Result<Oid> {
    if text == "-" {
        return Ok(Oid::NONE);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Oid).map_err(|_| {
            Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{text}\" is out of range for type oid"),
            )
        });
    }
    session.reg_from_name(ty, text)
}

/// Converts a vector through text, for active rows: the cast method [`crate::registry::CastMethod::InOut`].
///
/// # Errors
/// Those of [`input`].
pub fn convert(
    session: &dyn Session,
    vector: &Vector,
    target: SqlType,
    active: &Mask,
) -> Result<Vector> {
    let rows = if vector.is_const() { vector.rows().min(1) } else { vector.rows() };
    let live = active.and(&vector.valid_rows());
    if live.is_empty() || rows == 0 {
        return Ok(Vector::nulls(target.id, vector.rows()));
    }
    let mut builder = VectorBuilder::new(target.id, rows);
    for row in 0..rows {
        if !vector.is_const() && !live.get(row) {
            builder.push(&Value::Null);
            continue;
        }
        let text = text_of(session, vector, row);
        builder.push(&input(session, target, &text)?);
    }
    let converted = builder.finish();
    Ok(if vector.is_const() { converted.first_as_const(vector.rows()) } else { converted })
}

/// The text of a row that is not null as a cast to text gives it, borrowed where it is text already.
pub(crate) fn text_of<'a>(session: &dyn Session, vector: &'a Vector, row: usize) -> Cow<'a, str> {
    match &vector.data {
        VectorData::Bool(_) => {
            if matches!(vector.value(row), Value::Bool(true)) { "true" } else { "false" }.into()
        }
        VectorData::Bytes(views) if vector.ty != TypeId::Bytea => {
            views.text(vector.index(row)).into()
        }
        _ => output(session, vector.ty, &vector.value(row)).unwrap_or_default().into(),
    }
}

/// Bodies over the texts of two arguments of any type (`text || anynonarray`).
pub(crate) const CONCATENATE: Kernel = |ctx: &KernelContext<'_>, args: &[Vector]| {
    crate::rows::map_rows(ctx, args, |row| {
        let (x, y) = (text_of(ctx.session, &args[0], row), text_of(ctx.session, &args[1], row));
        Text(Cow::Owned([x.as_ref(), y.as_ref()].concat()))
    })
};
