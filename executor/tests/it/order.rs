//! Sort, top-n, limit and offset against a sorted list.

use crate::support::*;
use damask_planner::expr::Expr;
use damask_planner::physical::{Operator, SortKey};
use damask_types::{SqlState, SqlType, TypeId, Value};
use std::cmp::Ordering;
use std::sync::Arc;

/// DESC, NULLS FIRST.
type Direction = (bool, bool);

fn order(a: Option<i32>, b: Option<i32>, (descending, nulls_first): Direction) -> Ordering {
    let nulls = if nulls_first { Ordering::Less } else { Ordering::Greater };
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => nulls,
        (Some(_), None) => nulls.reverse(),
        (Some(a), Some(b)) if descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
    }
}

/// Rows in order; equal ones as they came.
fn model(rows: &[Row], directions: [Direction; 2]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| order(a.0, b.0, directions[0]).then(order(a.1, b.1, directions[1])));
    rows
}

fn keys(input: &Input, directions: [Direction; 2]) -> Vec<SortKey> {
    let key = |(column, (descending, nulls_first)): (&Expr, Direction)| SortKey {
        expr: column.clone(),
        descending,
        nulls_first,
    };
    input.columns.iter().zip(directions).map(key).collect()
}

fn count(value: usize) -> Expr {
    Expr::literal(Value::Int8(value as i64), SqlType::plain(TypeId::Int8))
}

fn keys_of(lines: &[String]) -> Vec<String> {
    let keys = |line: &String| line.split('|').take(2).collect::<Vec<_>>().join("|");
    lines.iter().map(keys).collect()
}

fn lines(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|&row| format!("{}|1", show(&row_values(row)))).collect()
}

#[test]
fn sorts_by_two_keys_in_every_direction() {
    let flags = [false, true];
    for size in SIZES {
        for bits in 0..16 {
            let directions =
                [(flags[bits & 1], flags[bits >> 1 & 1]), (flags[bits >> 2 & 1], flags[bits >> 3])];
            let mut random = Random::new(bits as u64 + size as u64);
            let rows = random_rows(&mut random, size, 20, 5);
            let mut planner = Planner::default();
            let input = planner.rows(&rows, &mut random);
            let operator = Operator::Sort { input: input.id, keys: keys(&input, directions) };
            let root = planner.add(operator, &input.columns.clone());
            let plan = Arc::new(planner.finish(&root));
            // Rows that are equal by the keys come as they came: ORDER BY promises less, DISTINCT ON and tests need it.
            let expected = lines(&model(&rows, directions));
            for work_mem in [1 << 30, 10_000, 0] {
                let found = show_all(&run_plan(&plan, work_mem).expect("a sort does not raise"));
                let what = format!("{size} rows, {directions:?}, {work_mem} bytes");
                assert_rows(&found, &expected, &what);
            }
        }
    }
}

#[test]
fn top_n_is_the_beginning_of_the_sort() {
    for seed in 0..120 {
        let mut random = Random::new(seed + 200);
        let size = SIZES[random.below(SIZES.len())] + random.below(2) * 2000;
        let keys_below = 1 + random.below(400);
        let rows = random_rows(&mut random, size, keys_below, 6);
        let flag = |random: &mut Random| random.once_in(2);
        let directions =
            [(flag(&mut random), flag(&mut random)), (flag(&mut random), flag(&mut random))];
        let (limit, offset) = (random.below(1100), [0, 3, 1024][random.below(3)]);
        let mut planner = Planner::default();
        let input = planner.rows(&rows, &mut random);
        let operator = Operator::TopN {
            input: input.id,
            keys: keys(&input, directions),
            limit: count(limit),
            offset: Some(count(offset)),
        };
        let root = planner.add(operator, &input.columns.clone());
        let found = show_all(&planner.run(&root).expect("a sort does not raise"));
        let expected: Vec<Row> =
            model(&rows, directions).into_iter().skip(offset).take(limit).collect();
        let what = format!("{size} rows, limit {limit}, offset {offset}, seed {seed}");
        assert_rows(&keys_of(&found), &keys_of(&lines(&expected)), &what);
        let all = sorted(lines(&rows));
        let mut given = sorted(found);
        assert!(given.iter().all(|line| all.binary_search(line).is_ok()), "{what}");
        given.dedup();
        assert_eq!(given.len(), expected.len(), "{what}: a row came twice");
    }
}

#[test]
fn limit_and_offset_cut() {
    for seed in 0..120 {
        let mut random = Random::new(seed + 400);
        let size = SIZES[random.below(SIZES.len())] + random.below(2) * 1500;
        let rows = random_rows(&mut random, size, 9, 6);
        let bounds = [0, 1, 1023, 1024, 1025, 5000];
        let limit = (!random.once_in(4)).then(|| bounds[random.below(6)]);
        let offset = (!random.once_in(3)).then(|| bounds[random.below(6)]);
        let mut planner = Planner::default();
        let input = planner.rows(&rows, &mut random);
        let operator =
            Operator::Limit { input: input.id, limit: limit.map(count), offset: offset.map(count) };
        let root = planner.add(operator, &input.columns.clone());
        let found = show_all(&planner.run(&root).expect("the bounds are not negative"));
        let end = limit.unwrap_or(usize::MAX);
        let expected: Vec<Row> = rows.into_iter().skip(offset.unwrap_or(0)).take(end).collect();
        assert_rows(&found, &lines(&expected), &format!("limit {limit:?} offset {offset:?}"));
    }
}

#[test]
fn negative_bounds_are_errors() {
    let negative = || Some(Expr::literal(Value::Int8(-1), SqlType::plain(TypeId::Int8)));
    for (limit, offset, state) in [
        (negative(), None, SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE),
        (None, negative(), SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE),
    ] {
        let mut planner = Planner::default();
        let input = planner.rows(&[], &mut Random::new(1));
        let operator = Operator::Limit { input: input.id, limit, offset };
        let root = planner.add(operator, &input.columns.clone());
        assert_eq!(planner.run(&root).expect_err("it is negative").sqlstate(), state);
    }
}
