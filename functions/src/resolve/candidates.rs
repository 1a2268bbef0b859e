//! Choosing among candidates (PostgreSQL's `func_match_argtypes` and `func_select_candidate`).

use super::can_coerce;
use crate::registry::CastContext;
use damask_types::TypeId;

/// A callable with as many argument types as the call has operands.
#[derive(Clone, Debug)]
pub(super) struct Candidate<E> {
    pub(super) entry: E,
    pub(super) args: Vec<TypeId>,
    /// From which operand on they stand for one array.
    pub(super) variadic_from: Option<usize>,
}

/// What choosing came to.
pub(super) enum Choice<'a, E> {
    One(&'a Candidate<E>),
    None,
    Several,
}

impl<'a, E> Choice<'a, E> {
    fn of(candidates: &[&'a Candidate<E>]) -> Option<Self> {
        match candidates {
            [] => Some(Self::None),
            [one] => Some(Self::One(one)),
            _ => None,
        }
    }
}

/// The best candidate for operands of these types.
pub(super) fn choose<'a, E>(candidates: &'a [Candidate<E>], operands: &[TypeId]) -> Choice<'a, E> {
    let fits = |candidate: &&Candidate<E>| {
        candidate
            .args
            .iter()
            .zip(operands)
            .all(|(&arg, &operand)| can_coerce(operand, arg, CastContext::Implicit))
    };
    let mut left: Vec<&Candidate<E>> = candidates.iter().filter(fits).collect();
    // A variadic expansion loses against a plain function with the same arguments.
    if left.iter().any(|candidate| candidate.variadic_from.is_none()) {
        let plain: Vec<Vec<TypeId>> = left
            .iter()
            .filter(|candidate| candidate.variadic_from.is_none())
            .map(|candidate| candidate.args.clone())
            .collect();
        left.retain(|candidate| {
            candidate.variadic_from.is_none() || !plain.contains(&candidate.args)
        });
    }
    if let Some(choice) = Choice::of(&left) {
        return choice;
    }
    keep_best(&mut left, |candidate| {
        count(candidate, operands, |arg, operand| operand != TypeId::Unknown && arg == operand)
    });
    if let Some(choice) = Choice::of(&left) {
        return choice;
    }
    keep_best(&mut left, |candidate| {
        count(candidate, operands, |arg, operand| {
            operand != TypeId::Unknown
                && (arg == operand
                    || arg.info().preferred && arg.info().category == operand.info().category)
        })
    });
    if let Some(choice) = Choice::of(&left) {
        return choice;
    }
    if !operands.contains(&TypeId::Unknown) {
        return Choice::Several;
    }
    by_category(&mut left, operands);
    if let Some(choice) = Choice::of(&left) {
        return choice;
    }
    by_known_type(&left, operands)
}

fn count<E>(
    candidate: &Candidate<E>,
    operands: &[TypeId],
    test: impl Fn(TypeId, TypeId) -> bool,
) -> usize {
    candidate.args.iter().zip(operands).filter(|&(&arg, &operand)| test(arg, operand)).count()
}

fn keep_best<E>(left: &mut Vec<&Candidate<E>>, score: impl Fn(&Candidate<E>) -> usize) {
    let best = left.iter().map(|candidate| score(candidate)).max().unwrap_or(0);
    left.retain(|candidate| score(candidate) == best);
}

/// For each unknown operand, the category that candidates agree on (text if any takes text); candidates outside it go, and
/// those that take another type of it if some takes the preferred one.
fn by_category<E>(left: &mut Vec<&Candidate<E>>, operands: &[TypeId]) {
    let mut wanted: Vec<Option<(char, bool)>> = vec![None; operands.len()];
    for (i, _) in operands.iter().enumerate().filter(|(_, operand)| **operand == TypeId::Unknown) {
        let mut category: Option<(char, bool)> = None;
        let mut conflict = false;
        for candidate in left.iter() {
            let info = candidate.args[i].info();
            match &mut category {
                None => category = Some((info.category, info.preferred)),
                Some((seen, preferred)) if *seen == info.category => *preferred |= info.preferred,
                Some(_) if info.category == 'S' => {
                    category = Some(('S', info.preferred));
                    conflict = false;
                }
                // Text stays the choice whatever else there is.
                Some(('S', _)) => {}
                Some(_) => conflict = true,
            }
        }
        if conflict && category.is_none_or(|(category, _)| category != 'S') {
            return;
        }
        wanted[i] = category;
    }
    let fits = |candidate: &&&Candidate<E>| {
        wanted.iter().zip(&candidate.args).all(|(wanted, arg)| {
            wanted.is_none_or(|(category, preferred)| {
                let info = arg.info();
                info.category == category && (!preferred || info.preferred)
            })
        })
    };
    let kept: Vec<_> = left.iter().filter(fits).copied().collect();
    if !kept.is_empty() {
        *left = kept;
    }
}

/// If the known operands are all of one type, assume it for the unknown ones.
fn by_known_type<'a, E>(left: &[&'a Candidate<E>], operands: &[TypeId]) -> Choice<'a, E> {
    let mut known = operands.iter().copied().filter(|&operand| operand != TypeId::Unknown);
    let Some(first) = known.next() else {
        return Choice::Several;
    };
    if known.any(|ty| ty != first) {
        return Choice::Several;
    }
    let fits = |candidate: &&&Candidate<E>| {
        candidate.args.iter().all(|&arg| can_coerce(first, arg, CastContext::Implicit))
    };
    let kept: Vec<_> = left.iter().filter(fits).collect();
    match kept.as_slice() {
        [one] => Choice::One(one),
        _ => Choice::Several,
    }
}
