//! What is printed parses again and prints the same again.

use damask_sql::ast::Statement;
use damask_sql::{parse, parse_expression, print_expression, print_query, quote_identifier};

#[test]
fn expressions_print_as_postgresql_deparses_them() {
    for (text, expected) in [
        ("a+b*c", "(a + (b * c))"),
        ("-2^2", "((-2) ^ 2)"),
        ("not a or b and c", "((NOT a) OR (b AND c))"),
        ("x::int", "(x)::integer"),
        ("cast('1' as numeric(10,2))", "'1'::numeric(10, 2)"),
        ("date '2020-01-01' - interval '1' day", "('2020-01-01'::date - '1'::interval day)"),
        ("timestamp(3) with time zone 'x'", "'x'::timestamp(3) with time zone"),
        ("'a\\b''c'", "E'a\\\\b''c'"),
        ("\"Order\".\"select\"", "\"Order\".\"select\""),
        ("nextval('s'::regclass)", "nextval('s'::regclass)"),
        ("extract(year from d)", "EXTRACT(year FROM d)"),
        ("substring(a from 2 for 3)", "SUBSTRING(a FROM 2 FOR 3)"),
        ("trim(leading 'x' from b)", "TRIM(LEADING 'x' FROM b)"),
        ("position('a' in b)", "POSITION('a' IN b)"),
        ("a is distinct from null", "(a IS DISTINCT FROM NULL)"),
        ("a not between 1 and 2", "(a NOT BETWEEN 1 AND 2)"),
        ("a in (1, -2)", "(a IN (1, (-2)))"),
        ("a = any (array[1,2])", "(a = ANY (ARRAY[1, 2]))"),
        ("case a when 1 then 'x' else null end", "CASE a WHEN 1 THEN 'x' ELSE NULL END"),
        ("(a).b[1]", "((a).b)[1]"),
        ("a operator(pg_catalog.+) b", "(a OPERATOR(pg_catalog.+) b)"),
        (
            "count(distinct a order by b desc) filter (where c)",
            "count(DISTINCT a ORDER BY b DESC) FILTER (WHERE c)",
        ),
        ("current_timestamp(3) at time zone 'utc'", "(CURRENT_TIMESTAMP(3) AT TIME ZONE 'utc')"),
        ("(a, b) overlaps (c, d)", "(ROW(a, b) OVERLAPS ROW(c, d))"),
        ("(-5)::int8", "(-5)::int8"),
        ("(select 1)::int", "(SELECT 1)::integer"),
    ] {
        let printed = print_expression(&parse_expression(text).unwrap());
        assert_eq!(printed, expected);
        assert_eq!(print_expression(&parse_expression(&printed).unwrap()), printed);
    }
    assert_eq!(quote_identifier("plain_1"), "plain_1");
    assert_eq!(quote_identifier("table"), "\"table\"");
    assert_eq!(quote_identifier("a\"B"), "\"a\"\"B\"");
}

#[test]
fn long_chains_print_flat() {
    let text = format!("a{}{}", " + b".repeat(2_000), " || c".repeat(2_000));
    for text in [text.clone(), format!("({text}) * d = e")] {
        let printed = print_expression(&parse_expression(&text).unwrap());
        let again = print_expression(&parse_expression(&printed).unwrap());
        assert!(again == printed, "a chain prints otherwise the second time");
        assert!(printed.len() < text.len() + 20);
    }
}

/// Prints a query and reads it again.
fn check(text: &str) -> bool {
    let Ok(parsed) = parse(text) else { return false };
    let [damask_sql::Parsed { statement: Statement::Query(query), .. }] = &parsed[..] else {
        return false;
    };
    let Some(printed) = print_query(query) else { return false };
    let again = parse(&printed).unwrap_or_else(|error| panic!("{error}\n{text}\n{printed}"));
    let [damask_sql::Parsed { statement: Statement::Query(query), .. }] = &again[..] else {
        panic!("{printed}");
    };
    assert_eq!(print_query(query).unwrap(), printed, "{text}");
    true
}

#[test]
fn queries_print_to_what_reads_the_same() {
    for text in [
        "select a, b.* from t b, lateral (select 1) c (x) where a > 1 group by a, rollup (b, c)",
        "with recursive r (n) as (values (1) union all select n + 1 from r) select * from r",
        "(select 1 order by 1 limit 1) union all (select 2 except select 3) intersect select 4",
        "select 1 union select 2 except select 3",
        "select distinct on (a) a from t left join u using (a) natural join v order by a desc",
        "select * from f(1) with ordinality x (a, b), rows from (g(), h() as (a int)) y",
        "select sum(a) over w, rank() over (order by b rows 1 preceding) from t window w as (partition by c)",
        "select a from t order by a fetch first 3 rows with ties for update of t nowait",
        "select from t tablesample system (10) repeatable (1)",
        "table t",
    ] {
        assert!(check(text), "{text}");
    }
    let mut count = 0;
    for folder in ["catalog-queries", "pg-regress/sql"] {
        count += crate::corpus::shared(folder).iter().filter(|text| check(text)).count();
    }
    println!("{count} queries of real texts print and read the same");
}
