//! Calls with named arguments, `f(1, b => 2)`: which function takes them, and in which order.
//!
//! As PostgreSQL's `MatchNamedCall`: positional operands take the first arguments, named ones those of their name, and
//! what is left must have a default. Candidates are then compared as for any call, operand by operand.
//!
//! Left out: variadic, aggregate and set-returning functions, none of which is called this way.

use super::candidates::{Candidate, Choice, choose};
use super::{Resolved, polymorphic, type_text};
use crate::registry::{self, ScalarFunction};
use damask_types::{Error, Result, SqlState, TypeId};

/// Where an argument's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// An operand, by its place in the call.
    Given(usize),
    /// A default: the text of a literal of this type.
    Default(&'static str, TypeId),
}

/// A call with named arguments, resolved.
#[derive(Clone, Debug)]
pub struct NamedCall {
    /// The function; `args` are the types of the operands in the order of the call.
    pub function: Resolved<ScalarFunction>,
    /// The arguments in the function's order.
    pub arguments: Vec<Argument>,
}

/// Resolves a call whose operand `i` is given by name if `names[i]` is one. Named operands follow positional ones.
///
/// # Errors
/// 42883 if no function takes them, 42725 if several do and none is best.
pub fn resolve_named(name: &str, operands: &[TypeId], names: &[Option<&str>]) -> Result<NamedCall> {
    let candidates: Vec<Candidate<(&'static ScalarFunction, Vec<Argument>)>> =
        registry::functions(name)
            .iter()
            .filter_map(|function| {
                let arguments = order(function, names)?;
                let mut args = vec![TypeId::Any; operands.len()];
                for (argument, ty) in arguments.iter().zip(function.args) {
                    if let Argument::Given(at) = argument {
                        args[*at] = *ty;
                    }
                }
                Some(Candidate { entry: (*function, arguments), args, variadic_from: None })
            })
            .collect();
    let missing = || {
        Error::new(
            SqlState::UNDEFINED_FUNCTION,
            format!("function {} does not exist", call_text(name, operands, names)),
        )
        .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
    };
    let candidate = match choose(&candidates, operands) {
        Choice::One(candidate) => candidate,
        Choice::None => return Err(missing()),
        Choice::Several => {
            return Err(Error::new(
                SqlState::AMBIGUOUS_FUNCTION,
                format!("function {} is not unique", call_text(name, operands, names)),
            )
            .hint("Could not choose a best candidate function. You might need to add explicit type casts."));
        }
    };
    let (entry, arguments) = candidate.entry.clone();
    let resolved = polymorphic::resolve(&candidate.args, operands, entry.result)?;
    let (args, result) = resolved.ok_or_else(missing)?;
    let function = Resolved { entry, args, result, variadic_from: None };
    Ok(NamedCall { function, arguments })
}

/// The arguments of `function` in order; `None` if it does not take these names.
fn order(function: &'static ScalarFunction, names: &[Option<&str>]) -> Option<Vec<Argument>> {
    let own = registry::argument_names(function.oid);
    let defaults = registry::argument_defaults(function.oid);
    if own.len() < names.len() || function.variadic {
        return None;
    }
    let mut given: Vec<Option<usize>> = vec![None; own.len()];
    for (at, name) in names.iter().enumerate() {
        let place = match name {
            None => at,
            Some(name) => own.iter().position(|own| own == name)?,
        };
        if given[place].replace(at).is_some() {
            return None;
        }
    }
    let first_default = own.len() - defaults.len();
    given
        .into_iter()
        .enumerate()
        .map(|(place, at)| {
            if let Some(at) = at {
                return Some(Argument::Given(at));
            }
            let text = defaults.get(place.checked_sub(first_default)?)?;
            Some(Argument::Default(text, *function.args.get(place)?))
        })
        .collect()
}

fn call_text(name: &str, operands: &[TypeId], names: &[Option<&str>]) -> String {
    let operands: Vec<String> = operands
        .iter()
        .zip(names)
        .map(|(&ty, name)| match name {
            Some(name) => format!("{name} => {}", type_text(ty)),
            None => type_text(ty).to_owned(),
        })
        .collect();
    format!("{name}({})", operands.join(", "))
}
