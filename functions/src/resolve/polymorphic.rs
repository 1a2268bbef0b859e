//! Pseudo-types in signatures: which operands fit, and what they stand for in a call.

use super::{CommonContext, common_type, type_text};
use damask_types::{Error, Result, SqlState, TypeId};

/// Whether an operand of type `source` fits the pseudo-type `target`.
pub(super) fn accepts(target: TypeId, source: TypeId) -> bool {
    match target {
        TypeId::Any | TypeId::AnyElement | TypeId::AnyCompatible => true,
        TypeId::AnyNonArray | TypeId::AnyCompatibleNonArray => !is_array(source),
        TypeId::AnyArray | TypeId::AnyCompatibleArray => is_array(source),
        TypeId::RecordArray => false,
        _ => false,
    }
}

fn is_array(ty: TypeId) -> bool {
    ty.is_array() || ty == TypeId::AnyArray
}

/// The element of an array type or array pseudo-type.
pub(super) fn element(ty: TypeId) -> Option<TypeId> {
    match ty {
        TypeId::AnyArray => Some(TypeId::AnyElement),
        TypeId::AnyCompatibleArray => Some(TypeId::AnyCompatible),
        _ => ty.element(),
    }
}

/// What the pseudo-types of a signature stand for.
#[derive(Default)]
struct Binding {
    /// `anyelement` (and the element of `anyarray`).
    any: Option<TypeId>,
    /// `anyarray` as given.
    any_array: Option<TypeId>,
    /// `anycompatible`.
    compatible: Option<TypeId>,
}

/// The argument types and the result type of a call with pseudo-types replaced; `None` if the operands do not agree.
///
/// # Errors
/// 42804 if the operands leave a pseudo-type undetermined.
pub(super) fn resolve(
    declared: &[TypeId],
    operands: &[TypeId],
    result: TypeId,
) -> Result<Option<(Vec<TypeId>, TypeId)>> {
    let Some(binding) = bind(declared, operands)? else {
        return Ok(None);
    };
    let mut args = Vec::with_capacity(declared.len());
    for (&declared, &operand) in declared.iter().zip(operands) {
        args.push(match declared {
            // An unknown literal stays one: `pg_typeof('a')` tells.
            TypeId::Any => operand,
            _ => match substitute(declared, &binding)? {
                Some(ty) => ty,
                None => return Ok(None),
            },
        });
    }
    let Some(result) = substitute(result, &binding)? else {
        return Ok(None);
    };
    Ok(Some((args, result)))
}

fn bind(declared: &[TypeId], operands: &[TypeId]) -> Result<Option<Binding>> {
    let mut binding = Binding::default();
    let mut compatible = Vec::new();
    let (mut has_any, mut has_compatible) = (false, false);
    for (&declared, &operand) in declared.iter().zip(operands) {
        match declared {
            TypeId::AnyElement | TypeId::AnyNonArray => {
                has_any = true;
                if operand != TypeId::Unknown && *binding.any.get_or_insert(operand) != operand {
                    return Ok(None);
                }
            }
            TypeId::AnyArray => {
                has_any = true;
                if operand == TypeId::Unknown {
                    continue;
                }
                let Some(element) = element(operand) else { return Ok(None) };
                if *binding.any.get_or_insert(element) != element
                    || *binding.any_array.get_or_insert(operand) != operand
                {
                    return Ok(None);
                }
            }
            TypeId::AnyCompatible | TypeId::AnyCompatibleNonArray => {
                has_compatible = true;
                compatible.push(operand);
            }
            TypeId::AnyCompatibleArray => {
                has_compatible = true;
                if operand != TypeId::Unknown {
                    let Some(element) = element(operand) else { return Ok(None) };
                    compatible.push(element);
                }
            }
            _ => {}
        }
    }
    if has_any && binding.any.is_none() {
        return Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            "could not determine polymorphic type because input has type unknown",
        ));
    }
    if has_compatible {
        if compatible.iter().all(|&ty| ty == TypeId::Unknown) {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                "could not determine polymorphic type because input has type unknown",
            ));
        }
        match common_type(&compatible, CommonContext::Array) {
            Ok(ty) => binding.compatible = Some(ty),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(binding))
}

fn substitute(ty: TypeId, binding: &Binding) -> Result<Option<TypeId>> {
    let array_of = |element: TypeId| {
        element.array().map(Some).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("could not find array type for data type {}", type_text(element)),
            )
        })
    };
    Ok(match ty {
        TypeId::AnyElement | TypeId::AnyNonArray => binding.any,
        TypeId::AnyArray => match (binding.any_array, binding.any) {
            (Some(array), _) => Some(array),
            (None, Some(element)) => return array_of(element),
            (None, None) => None,
        },
        TypeId::AnyCompatible | TypeId::AnyCompatibleNonArray => binding.compatible,
        TypeId::AnyCompatibleArray => match binding.compatible {
            Some(element) => return array_of(element),
            None => None,
        },
        _ => Some(ty),
    })
}
