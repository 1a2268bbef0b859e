//! The tables agree with themselves.

use damask_functions::registry::{self, CastMethod};
use damask_types::{Oid, TypeId};
use std::collections::HashSet;

#[test]
fn oids_are_unique() {
    let mut seen: HashSet<Oid> = HashSet::new();
    for function in registry::all_functions() {
        assert!(seen.insert(function.oid), "{} {:?}", function.name, function.oid);
        assert_eq!(
            registry::function_by_oid(function.oid).map(|found| found.oid),
            Some(function.oid)
        );
    }
    for aggregate in registry::all_aggregates() {
        assert!(seen.insert(aggregate.oid), "{} {:?}", aggregate.name, aggregate.oid);
    }
    for function in registry::all_table_functions() {
        assert!(seen.insert(function.oid), "{} {:?}", function.name, function.oid);
    }
}

#[test]
fn operators_fit_their_functions() {
    for operator in registry::all_operators() {
        let operands: Vec<TypeId> = operator.lhs.into_iter().chain([operator.rhs]).collect();
        assert_eq!(operands, operator.function.args, "{} {:?}", operator.name, operator.oid);
        if let (Some(name), Some(lhs)) = (operator.commutator, operator.lhs) {
            let swapped = registry::operator(name, Some(operator.rhs), lhs);
            assert!(swapped.is_some(), "commutator of {} {:?}", operator.name, operator.oid);
        }
        if let Some(name) = operator.negator {
            assert_eq!(operator.function.result, TypeId::Bool);
            let negator = registry::operator(name, operator.lhs, operator.rhs);
            assert!(negator.is_some(), "negator of {} {:?}", operator.name, operator.oid);
        }
    }
}

#[test]
fn casts_fit_their_functions() {
    for cast in registry::all_casts() {
        let (from, to) = (cast.source.physical(), cast.target.physical());
        match cast.method {
            CastMethod::Binary => assert_eq!(from, to, "{cast:?}"),
            CastMethod::InOut => {}
            CastMethod::Function(function) => {
                assert_eq!(function.args[0].physical(), from, "{cast:?}");
                assert_eq!(function.result.physical(), to, "{cast:?}");
            }
        }
    }
    // Every numeric type reaches every other.
    let numbers =
        [TypeId::Int2, TypeId::Int4, TypeId::Int8, TypeId::Float4, TypeId::Float8, TypeId::Numeric];
    for source in numbers {
        for target in numbers.into_iter().filter(|&target| target != source) {
            assert!(registry::cast(source, target).is_some(), "{source:?} to {target:?}");
        }
    }
    assert!(registry::cast(TypeId::Int4Array, TypeId::TextArray).is_some());
    assert!(registry::cast(TypeId::Date, TypeId::Int4).is_none());
}
