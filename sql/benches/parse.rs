//! Time to parse, beside the `sqlparser` crate: `cargo bench -p damask-sql`. With `--test` it only checks that it runs.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints and times"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

const POINT_SELECT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 12345";
const UPDATE: &str =
    "UPDATE pgbench_accounts SET abalance = abalance + -431 WHERE aid = 12345 RETURNING abalance";
const Q5: &str = "select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue \
    from customer, orders, lineitem, supplier, nation, region \
    where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey \
    and c_nationkey = s_nationkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey \
    and r_name = 'ASIA' and o_orderdate >= date '1994-01-01' \
    and o_orderdate < date '1994-01-01' + interval '1' year \
    group by n_name order by revenue desc";

/// Microseconds of one call: the best of several rounds.
fn time(rounds: u32, calls: u32, mut call: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() * 1e6 / f64::from(calls)
}

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let (rounds, calls) = if test { (1, 1) } else { (20, 2_000) };
    let rows: Vec<String> = (0..100).map(|n| format!("({n}, 'name {n}', {n}.5, true)")).collect();
    let insert = format!("INSERT INTO t (a, b, c, d) VALUES {}", rows.join(", "));
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    println!(
        "{:<22}{:>8}{:>10}{:>12}{:>10}",
        "statement", "bytes", "ours, us", "sqlparser", "split"
    );
    for (name, text) in [
        ("point select", POINT_SELECT),
        ("update, returning", UPDATE),
        ("TPC-H Q5", Q5),
        ("insert, 100 rows", &insert),
    ] {
        let ours = time(rounds, calls, || {
            drop(black_box(damask_sql::parse(black_box(text)).expect("it parses")));
        });
        let theirs = time(rounds, calls, || {
            let parsed = sqlparser::parser::Parser::parse_sql(&dialect, black_box(text));
            drop(black_box(parsed.expect("it parses")));
        });
        let lexed = time(rounds, calls, || {
            black_box(damask_sql::split(black_box(text)));
        });
        println!("{name:<22}{:>8}{ours:>10.2}{theirs:>12.2}{lexed:>10.2}", text.len());
    }
}
