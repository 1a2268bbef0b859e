//! Joins of every kind, by hash and by nested loop, against two nested loops over plain rows.

use crate::support::*;
use damask_planner::physical::{JoinKey, JoinKind};
use damask_types::{Result, SqlState, Value};

const KINDS: [JoinKind; 9] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
    JoinKind::NullAwareAnti,
    JoinKind::Mark,
    JoinKind::Single,
];

/// What a join tests.
#[derive(Clone, Copy, Debug)]
struct Condition {
    /// `a = a` or `a IS NOT DISTINCT FROM a`.
    null_safe: bool,
    /// Also `b = b`.
    two_keys: bool,
    /// Also `left.number % 5 < right.number % 7`, which neither the first nor the last of several rows is likelier to meet.
    residual: bool,
}

impl Condition {
    /// Three-valued: `None` is unknown.
    fn test(self, left: Row, right: Row) -> Option<bool> {
        let equal = |a: Option<i32>, b: Option<i32>, null_safe: bool| match (a, b) {
            (Some(a), Some(b)) => Some(a == b),
            _ if null_safe => Some(a == b),
            _ => None,
        };
        let and = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        let mut result = equal(left.0, right.0, self.null_safe);
        if self.two_keys {
            result = and(result, equal(left.1, right.1, false));
        }
        if self.residual {
            result = and(result, Some(left.2 % 5 < right.2 % 7));
        }
        result
    }
}

fn both(left: Option<Row>, right: Option<Row>) -> String {
    let side = |row: Option<Row>| match row {
        Some(row) => row_values(row),
        None => vec![Value::Null; 3],
    };
    format!("{}|{}", show(&side(left)), show(&side(right)))
}

/// The rows of the join; `None` if a scalar subquery would give two.
fn model(kind: JoinKind, left: &[Row], right: &[Row], condition: Condition) -> Option<Vec<String>> {
    let mut out = vec![];
    let mut right_matched = vec![false; right.len()];
    for &l in left {
        let (mut matches, mut is_unknown) = (0, false);
        for (i, &r) in right.iter().enumerate() {
            match condition.test(l, r) {
                Some(true) => {
                    matches += 1;
                    right_matched[i] = true;
                    let pairs = matches!(
                        kind,
                        JoinKind::Inner
                            | JoinKind::Left
                            | JoinKind::Right
                            | JoinKind::Full
                            | JoinKind::Single
                    );
                    if pairs {
                        out.push(both(Some(l), Some(r)));
                    }
                }
                Some(false) => {}
                None => is_unknown = true,
            }
        }
        let line = show(&row_values(l));
        match kind {
            JoinKind::Single if matches > 1 => return None,
            JoinKind::Left | JoinKind::Full | JoinKind::Single if matches == 0 => {
                out.push(both(Some(l), None));
            }
            JoinKind::Semi if matches > 0 => out.push(line),
            JoinKind::Anti if matches == 0 => out.push(line),
            JoinKind::NullAwareAnti if matches == 0 && !is_unknown => out.push(line),
            JoinKind::Mark if matches > 0 => out.push(format!("{line}|t")),
            JoinKind::Mark if is_unknown => out.push(format!("{line}|null")),
            JoinKind::Mark => out.push(format!("{line}|f")),
            _ => {}
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        for (i, &r) in right.iter().enumerate() {
            if !right_matched[i] {
                out.push(both(None, Some(r)));
            }
        }
    }
    Some(sorted(out))
}

fn run(
    kind: JoinKind,
    left: &[Row],
    right: &[Row],
    condition: Condition,
    by_hash: bool,
    random: &mut Random,
) -> Result<Vec<String>> {
    let mut planner = Planner::default();
    let l = planner.rows(left, random);
    let r = planner.rows(right, random);
    let (l, r) = (leading(&mut planner, &l), leading(&mut planner, &r));
    let mut conditions = vec![];
    if condition.residual {
        let modulo = |number, by| binary("%", number, &literal(Value::Int4(by)));
        let (lhs, rhs) = (modulo(&l.columns[2], 5), modulo(&r.columns[2], 7));
        conditions.push(binary("<", &lhs, &rhs));
    }
    let key = |i: usize, null_safe| JoinKey {
        left: l.columns[i].clone(),
        right: r.columns[i].clone(),
        null_safe,
    };
    let keys = by_hash.then(|| {
        let mut keys = vec![key(0, condition.null_safe)];
        keys.extend(condition.two_keys.then(|| key(1, false)));
        keys
    });
    if !by_hash {
        for i in 0..=usize::from(condition.two_keys) {
            conditions.insert(0, binary("=", &l.columns[i], &r.columns[i]));
        }
    }
    let root = join(&mut planner, kind, &l, &r, keys, conditions);
    Ok(sorted(show_all(&planner.run(&root)?)))
}

/// The first three columns of an input.
fn leading(planner: &mut Planner, input: &Input) -> Input {
    let columns: Vec<_> = input.columns[..3].to_vec();
    let exprs = columns.clone();
    planner.add(damask_planner::physical::Operator::Project { input: input.id, exprs }, &columns)
}

fn check(left: usize, right: usize, keys: usize, condition: Condition, by_hash: bool, seed: u64) {
    let mut random = Random::new(seed);
    let left = random_rows(&mut random, left, keys, 9);
    let right = random_rows(&mut random, right, keys, 40);
    for kind in KINDS {
        let what = format!(
            "{kind:?} of {} and {}, {condition:?}, hash {by_hash}, seed {seed}",
            left.len(),
            right.len()
        );
        let found = run(kind, &left, &right, condition, by_hash, &mut random);
        match (model(kind, &left, &right, condition), found) {
            (Some(expected), Ok(found)) => assert_rows(&found, &expected, &what),
            (None, Err(error)) => {
                assert_eq!(error.sqlstate(), SqlState::CARDINALITY_VIOLATION, "{what}");
            }
            (expected, found) => panic!("{what}: {found:?} for {:?}", expected.map(|e| e.len())),
        }
    }
}

#[test]
fn hash_joins_of_every_kind_and_size() {
    let mut seed = 1;
    for left in SIZES {
        for right in SIZES {
            seed += 1;
            let null_safe = seed % 3 == 0;
            let condition =
                Condition { null_safe, two_keys: seed % 2 == 0, residual: seed % 5 < 2 };
            check(left, right, 400, condition, true, seed);
        }
    }
}

#[test]
fn hash_joins_of_many_small_inputs() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let (left, right, keys) = (random.below(12), random.below(12), 1 + random.below(6));
        let condition = Condition {
            null_safe: random.once_in(3),
            two_keys: random.once_in(2),
            residual: random.once_in(2),
        };
        check(left, right, keys, condition, true, seed);
    }
}

/// A key with so many rows that its matches fill several tiles.
#[test]
fn one_key_with_many_rows() {
    let condition = Condition { null_safe: false, two_keys: false, residual: false };
    check(3, 1500, 1, condition, true, 7);
    check(1500, 3, 1, condition, true, 8);
}

#[test]
fn nested_loops_of_every_kind() {
    for seed in 0..60 {
        let mut random = Random::new(seed + 1000);
        let size = |random: &mut Random| match random.below(8) {
            0 => 1024 + random.below(2),
            _ => random.below(20),
        };
        let (left, right) = (size(&mut random), random.below(20));
        let condition = Condition {
            null_safe: false,
            two_keys: random.once_in(2),
            residual: random.once_in(2),
        };
        check(left, right, 1 + random.below(9), condition, false, seed);
    }
    let condition = Condition { null_safe: false, two_keys: false, residual: true };
    check(2, 1025, 300, condition, false, 5);
}
