//! No text overflows the stack, neither in parsing nor in dropping the tree, and none takes more than linear time.

use damask_sql::ast::{ExprKind, QueryBody, Statement};
use damask_sql::{parse, parse_expression};

/// A thread's usual stack.
const STACK_BYTES: usize = 2 << 20;

fn on_small_stack(check: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(check).unwrap();
    thread.join().unwrap();
}

fn refused(text: &str) {
    let error = parse(text).expect_err("too deep");
    assert_eq!(error.sqlstate, "54001", "{error} for {}", &text[..40]);
}

#[test]
fn deep_nesting_is_refused() {
    on_small_stack(|| {
        const N: usize = 100_000;
        for (open, middle, close) in [
            ("(", "1", ")"),
            ("(", "select 1", ")"),
            ("(select ", "1", ")"),
            ("- ", "a", ""),
            ("not ", "a", ""),
            ("@ ", "a", ""),
            ("f(", "1", ")"),
            ("case when ", "1", " then 1 end"),
            ("array[", "1", "]"),
            ("row(", "1", ")"),
            ("a[", "1", "]"),
            ("1 in (", "1", ")"),
            ("1 = any (", "a", ")"),
            ("exists (select ", "1", ")"),
            ("cast(", "1", " as int)"),
            ("1 ^ (", "a", ")"),
            ("((select 1) + ", "1", ")"),
        ] {
            refused(&format!("select {}{middle}{}", open.repeat(N), close.repeat(N)));
        }
        for (open, middle, close) in [
            ("(select * from ", "t", ") x"),
            ("((", "select 1", ") x cross join b)"),
            ("(a cross join ", "t", ")"),
            ("a join ", "b", " on true"),
        ] {
            refused(&format!("select * from {}{middle}{}", open.repeat(N), close.repeat(N)));
        }
        refused(&format!("select 1 from t group by {}a", "grouping sets (".repeat(N)));
        refused(&format!("{}select 1{}", "with a as (".repeat(N), ") select 1".repeat(N)));
    });
}

#[test]
fn long_spines_of_single_wraps_are_refused() {
    on_small_stack(|| {
        const N: usize = 100_000;
        for step in ["::int", " at time zone 'x'", " collate \"C\"", " is null", " isnull"] {
            refused(&format!("select a{}", step.repeat(N)));
        }
        refused(&format!("select (a){}", ".b".repeat(N)));
        refused(&format!("select * from a{}", " cross join b".repeat(N)));
        refused(&format!("select 1{}", " union select 1".repeat(N)));
        // Spines inside spines: each alone is allowed.
        let mut text = "a".to_owned();
        for _ in 0..50 {
            text = format!("({text}){}", "::int".repeat(100));
        }
        refused(&format!("select {text}"));
    });
}

#[test]
fn long_chains_are_flat() {
    on_small_stack(|| {
        const N: usize = 100_000;
        for (operator, name) in [("and", "And"), ("or", "Or"), ("+", "Chain"), ("||", "Chain")] {
            let text = format!("a{}", format!(" {operator} a").repeat(N));
            let expr = parse_expression(&text).unwrap();
            let found = match &expr.kind {
                ExprKind::And(list) if list.len() == N + 1 => "And",
                ExprKind::Or(list) if list.len() == N + 1 => "Or",
                ExprKind::Chain { rest, .. } if rest.len() > N - 1000 => "Chain",
                _ => "other",
            };
            assert_eq!(found, name);
        }
        let list = format!("select a in (1{})", ",1".repeat(N));
        let parsed = parse(&list).unwrap();
        let Statement::Query(query) = &parsed[0].statement else { panic!() };
        let QueryBody::Select(select) = &query.body else { panic!() };
        let ExprKind::InList { list, .. } = &select.items[0].expr.kind else { panic!() };
        assert_eq!(list.len(), N + 1);
        assert!(parse(&"select 1;".repeat(N)).is_ok());
        assert!(parse(&format!("values (1){}", ",(1)".repeat(N))).is_ok());
    });
}

#[test]
fn ordinary_depth_is_accepted() {
    on_small_stack(|| {
        for (open, middle, close) in [
            ("(", "1", ")"),
            ("f(", "1", ")"),
            ("(select ", "1", ")"),
            ("case when ", "1", " then 1 end"),
        ] {
            // Frames without optimisation are several times as large.
            let depth = if cfg!(debug_assertions) { 50 } else { 300 };
            let text = format!("select {}{middle}{}", open.repeat(depth), close.repeat(depth));
            assert!(parse(&text).is_ok(), "{open}: {:?}", parse(&text).err());
        }
    });
}

/// Random bytes and random runs of tokens: any answer, but an answer.
#[test]
fn noise_never_panics() {
    let words = [
        "select", "from", "(", ")", ",", "a", "1", "'x'", "union", "join", "on", "=", "-", "::",
        "int", "[", "]", ".", "*", "with", "as", "insert", "into", "values", "create", "table",
        "not", "null", "in", "like", "is", "case", "when", "end", "$1", ";", "E'\\", "\"", "$$",
        "interval", "U&'\\00", "é", "\u{0}", "over", "order", "by", "alter", "set", "any", "array",
        "default", "row", "exists", "lateral", "copy", "primary", "key", "/*", "--", "\n",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for round in 0..20_000 {
        let mut text = String::new();
        for _ in 0..random(24) {
            if round % 5 == 0 {
                text.push(char::from(random(256) as u8));
            } else {
                text.push_str(words[random(words.len())]);
                if random(4) > 0 {
                    text.push(' ');
                }
            }
        }
        if let Err(error) = parse(&text) {
            assert!(error.position as usize <= text.len(), "{text:?}");
        }
        let _ = damask_sql::split(&text);
        let _ = parse_expression(&text);
    }
}
