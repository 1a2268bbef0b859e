//! Set operations and duplicates against counted lists.

use crate::support::*;
use damask_planner::physical::{Operator, SetKind};
use std::collections::BTreeMap;

/// Two columns of an input.
fn pairs(planner: &mut Planner, input: &Input) -> Input {
    let columns = input.columns[..2].to_vec();
    let exprs = columns.clone();
    planner.add(Operator::Project { input: input.id, exprs }, &columns)
}

fn line(row: Row) -> String {
    show(&[int(row.0), int(row.1)])
}

fn counts(rows: &[Row]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for &row in rows {
        *counts.entry(line(row)).or_default() += 1;
    }
    counts
}

fn model(kind: SetKind, all: bool, left: &[Row], right: &[Row]) -> Vec<String> {
    let right = counts(right);
    let mut out = vec![];
    for (line, count) in counts(left) {
        let other = right.get(&line).copied().unwrap_or(0);
        let times = match (kind, all) {
            (SetKind::Intersect, true) => count.min(other),
            (SetKind::Intersect, false) => usize::from(other > 0),
            (SetKind::Except, true) => count.saturating_sub(other),
            (SetKind::Except, false) => usize::from(other == 0),
        };
        out.extend(std::iter::repeat_n(line, times));
    }
    out
}

#[test]
fn intersect_and_except() {
    let mut seed = 0;
    for left_size in SIZES {
        for right_size in SIZES {
            for kind in [SetKind::Intersect, SetKind::Except] {
                for all in [false, true] {
                    seed += 1;
                    let mut random = Random::new(seed);
                    let keys = [3, 30][random.below(2)];
                    let left = random_rows(&mut random, left_size, keys, 5);
                    let right = random_rows(&mut random, right_size, keys, 5);
                    let mut planner = Planner::default();
                    let (l, r) =
                        (planner.rows(&left, &mut random), planner.rows(&right, &mut random));
                    let (l, r) = (pairs(&mut planner, &l), pairs(&mut planner, &r));
                    let operator = Operator::SetOperation { kind, all, left: l.id, right: r.id };
                    let root = planner.add(operator, &l.columns);
                    let found = sorted(show_all(&planner.run(&root).expect("it does not raise")));
                    let what = format!("{kind:?} all {all}: {left_size} and {right_size}");
                    assert_rows(&found, &sorted(model(kind, all, &left, &right)), &what);
                }
            }
        }
    }
}

#[test]
fn union_keeps_or_drops_duplicates() {
    for (seed, size) in SIZES.into_iter().enumerate() {
        let mut random = Random::new(seed as u64 + 70);
        let left = random_rows(&mut random, size, 12, 5);
        let right = random_rows(&mut random, 1025 - size, 12, 5);
        let both: Vec<Row> = left.iter().chain(&right).copied().collect();
        for all in [false, true] {
            let mut planner = Planner::default();
            let (l, r) = (planner.rows(&left, &mut random), planner.rows(&right, &mut random));
            let (l, r) = (pairs(&mut planner, &l), pairs(&mut planner, &r));
            let append = Operator::Append { inputs: vec![l.id, r.id] };
            let mut root = planner.add(append, &l.columns);
            if !all {
                let keys = l.columns.iter().map(id).collect();
                root = planner
                    .add(Operator::Distinct { input: root.id, keys, sorted: false }, &l.columns);
            }
            let found = sorted(show_all(&planner.run(&root).expect("it does not raise")));
            let mut expected = sorted(both.iter().map(|&row| line(row)).collect());
            if !all {
                expected.dedup();
            }
            assert_rows(&found, &expected, &format!("all {all}: {size}"));
        }
    }
}

/// DISTINCT ON keeps the first row of each key.
#[test]
fn distinct_on_keeps_the_first() {
    for (seed, size) in SIZES.into_iter().enumerate() {
        let mut random = Random::new(seed as u64 + 90);
        let rows = random_rows(&mut random, size, 40, 7);
        let mut planner = Planner::default();
        let input = planner.rows(&rows, &mut random);
        let keys = vec![id(&input.columns[0])];
        let root = planner.add(
            Operator::Distinct { input: input.id, keys, sorted: false },
            &input.columns.clone(),
        );
        let found = show_all(&planner.run(&root).expect("it does not raise"));
        let mut seen = std::collections::BTreeSet::new();
        let first = rows.iter().filter(|row| seen.insert(row.0));
        let expected: Vec<String> =
            first.map(|&row| format!("{}|1", show(&row_values(row)))).collect();
        assert_rows(&found, &expected, &format!("{size} rows"));
    }
}
