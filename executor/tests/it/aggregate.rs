//! Groups and their aggregates against lists kept by key.

use crate::support::*;
use damask_planner::physical::{AggregateStrategy, Operator, SortKey};
use damask_types::{TypeId, Value};
use std::collections::{BTreeMap, BTreeSet};

/// `count(*), count(b), sum(b), sum(DISTINCT b), min(b), max(b) FILTER (WHERE number < 500), count(*) FILTER (...)` of some rows.
fn model(rows: &[Row]) -> String {
    let values: Vec<i64> = rows.iter().filter_map(|row| row.1).map(i64::from).collect();
    let different: BTreeSet<i64> = values.iter().copied().collect();
    let early: Vec<&Row> = rows.iter().filter(|row| row.2 < 500).collect();
    let or_null = |value: Option<i64>| value.map_or("null".to_owned(), |value| value.to_string());
    let sum = |values: &[i64]| (!values.is_empty()).then(|| values.iter().sum());
    [
        rows.len().to_string(),
        values.len().to_string(),
        or_null(sum(&values)),
        or_null(sum(&different.iter().copied().collect::<Vec<_>>())),
        different.len().to_string(),
        or_null(values.iter().min().copied()),
        or_null(early.iter().filter_map(|row| row.1).max().map(i64::from)),
        early.len().to_string(),
    ]
    .join("|")
}

fn run(
    rows: &[Row],
    grouped: bool,
    strategy: AggregateStrategy,
    random: &mut Random,
) -> Vec<String> {
    let mut planner = Planner::default();
    let mut input = planner.rows(rows, random);
    let (a, b, number) =
        (input.columns[0].clone(), input.columns[1].clone(), input.columns[2].clone());
    if strategy == AggregateStrategy::Streaming {
        let keys = vec![SortKey { expr: a.clone(), descending: false, nulls_first: false }];
        let columns = input.columns.clone();
        input = planner.add(Operator::Sort { input: input.id, keys }, &columns);
    }
    let early = binary("<", &number, &literal(Value::Int4(500)));
    let mut distinct = aggregate("sum", vec![b.clone()], TypeId::Int8);
    distinct.distinct = true;
    let mut different = aggregate("count", vec![b.clone()], TypeId::Int8);
    different.distinct = true;
    let mut filtered = aggregate("max", vec![b.clone()], TypeId::Int4);
    filtered.filter = Some(early.clone());
    let mut counted = aggregate("count", vec![], TypeId::Int8);
    counted.filter = Some(early);
    let aggregates = vec![
        aggregate("count", vec![], TypeId::Int8),
        aggregate("count", vec![b.clone()], TypeId::Int8),
        aggregate("sum", vec![b.clone()], TypeId::Int8),
        distinct,
        different,
        aggregate("min", vec![b], TypeId::Int4),
        filtered,
        counted,
    ];
    let groups = if grouped { vec![a] } else { vec![] };
    let types =
        [TypeId::Int8, TypeId::Int8, TypeId::Int8, TypeId::Int8, TypeId::Int8, TypeId::Int4];
    let mut columns: Vec<_> = groups.iter().map(|_| planner.column(TypeId::Int4)).collect();
    columns.extend(types.iter().map(|&ty| planner.column(ty)));
    columns.push(planner.column(TypeId::Int4));
    columns.push(planner.column(TypeId::Int8));
    let operator = Operator::Aggregate { input: input.id, groups, aggregates, strategy };
    let root = planner.add(operator, &columns);
    show_all(&planner.run(&root).expect("nothing overflows"))
}

#[test]
fn groups_of_every_size() {
    for (seed, size) in SIZES.into_iter().chain([3000]).enumerate() {
        for keys in [1, 5, 1200] {
            let mut random = Random::new(seed as u64 + 10);
            let rows = random_rows(&mut random, size, keys, 8);
            let mut groups: BTreeMap<Option<i32>, Vec<Row>> = BTreeMap::new();
            for &row in &rows {
                groups.entry(row.0).or_default().push(row);
            }
            let expected: Vec<String> = groups
                .iter()
                .map(|(key, rows)| format!("{}|{}", show(&[int(*key)]), model(rows)))
                .collect();
            let expected = sorted(expected);
            for strategy in [AggregateStrategy::Hash, AggregateStrategy::Streaming] {
                let found = sorted(run(&rows, true, strategy, &mut random));
                assert_rows(&found, &expected, &format!("{strategy:?} of {size}, {keys} keys"));
            }
        }
    }
}

#[test]
fn one_group_also_of_no_rows() {
    for (seed, size) in SIZES.into_iter().enumerate() {
        let mut random = Random::new(seed as u64 + 40);
        let rows = random_rows(&mut random, size, 50, 3);
        let found = run(&rows, false, AggregateStrategy::Plain, &mut random);
        assert_rows(&found, &[model(&rows)], &format!("{size} rows"));
    }
}
