//! The common type of several expressions (PostgreSQL's `select_common_type`).

use super::{can_coerce, type_text};
use crate::registry::CastContext;
use damask_types::{Error, Result, SqlState, TypeId};

/// Where the expressions meet; the word in error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommonContext {
    /// CASE and its results.
    Case,
    /// COALESCE.
    Coalesce,
    /// GREATEST.
    Greatest,
    /// LEAST.
    Least,
    /// UNION's columns.
    Union,
    /// INTERSECT's columns.
    Intersect,
    /// EXCEPT's columns.
    Except,
    /// VALUES' columns.
    Values,
    /// ARRAY[...].
    Array,
    /// IN and ANY lists.
    In,
    /// JOIN ... USING columns.
    JoinUsing,
    /// NULLIF's operands.
    NullIf,
}

impl CommonContext {
    fn word(self) -> &'static str {
        match self {
            Self::Case => "CASE",
            Self::Coalesce => "COALESCE",
            Self::Greatest => "GREATEST",
            Self::Least => "LEAST",
            Self::Union => "UNION",
            Self::Intersect => "INTERSECT",
            Self::Except => "EXCEPT",
            Self::Values => "VALUES",
            Self::Array => "ARRAY",
            Self::In => "IN",
            Self::JoinUsing => "JOIN/USING",
            Self::NullIf => "NULLIF",
        }
    }
}

/// The type all of `types` are converted to; text if all are unknown.
///
/// # Errors
/// 42804 `CASE types text and integer cannot be matched`.
pub fn common_type(types: &[TypeId], context: CommonContext) -> Result<TypeId> {
    let mut chosen: Option<TypeId> = None;
    for &ty in types.iter().filter(|&&ty| ty != TypeId::Unknown) {
        let Some(current) = chosen else {
            chosen = Some(ty);
            continue;
        };
        if ty == current {
            continue;
        }
        if ty.info().category != current.info().category {
            return Err(mismatch(context, current, ty));
        }
        // Widen unless the current one is preferred already or converts back as well.
        if !current.info().preferred
            && can_coerce(current, ty, CastContext::Implicit)
            && !can_coerce(ty, current, CastContext::Implicit)
        {
            chosen = Some(ty);
        }
    }
    let Some(chosen) = chosen else {
        return Ok(TypeId::Text);
    };
    // The order of the list may have hidden one that does not convert.
    for &ty in types {
        if !can_coerce(ty, chosen, CastContext::Implicit) {
            return Err(Error::new(
                SqlState::CANNOT_COERCE,
                format!(
                    "{} could not convert type {} to {}",
                    context.word(),
                    type_text(ty),
                    type_text(chosen)
                ),
            ));
        }
    }
    Ok(chosen)
}

fn mismatch(context: CommonContext, current: TypeId, ty: TypeId) -> Error {
    Error::new(
        SqlState::DATATYPE_MISMATCH,
        format!(
            "{} types {} and {} cannot be matched",
            context.word(),
            type_text(current),
            type_text(ty)
        ),
    )
}
