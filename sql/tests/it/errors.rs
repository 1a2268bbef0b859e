//! Errors with PostgreSQL's words, codes and positions (counted here in bytes from 0).

use damask_sql::{parse, parse_one};

#[test]
fn errors_are_postgresqls() {
    for (text, sqlstate, message, position) in [
        ("select a, from t", "42601", "syntax error at or near \"from\"", 10),
        ("selec 1", "42601", "syntax error at or near \"selec\"", 0),
        ("select 1 +", "42601", "syntax error at end of input", 10),
        ("select 1 +;", "42601", "syntax error at or near \";\"", 10),
        ("select 'abc", "42601", "unterminated quoted string at or near \"'abc\"", 7),
        ("select \"\"", "42601", "zero-length delimited identifier at or near \"\"\"\"", 7),
        ("select 1 /* x", "42601", "unterminated /* comment at or near \"/* x\"", 9),
        ("select 123abc", "42601", "trailing junk after numeric literal at or near \"123abc\"", 7),
        ("select 0x1F", "42601", "trailing junk after numeric literal at or near \"0x1F\"", 7),
        ("select 1 < 2 < 3", "42601", "syntax error at or near \"<\"", 13),
        ("select a = b = c", "42601", "syntax error at or near \"=\"", 13),
        ("select a like b like c", "42601", "syntax error at or near \"like\"", 16),
        ("select 'a' 'b'", "42601", "syntax error at or near \"'b'\"", 11),
        ("select \\", "42601", "syntax error at or near \"\\\"", 7),
        ("select f(1)[1]", "42601", "syntax error at or near \"[\"", 11),
        ("select * from (select 1)", "42601", "subquery in FROM must have an alias", 14),
        ("select * from (t)", "42601", "syntax error at or near \")\"", 16),
        ("select 1 limit 1, 2", "42601", "LIMIT #,# syntax is not supported", 9),
        ("create table t (a int primary)", "42601", "syntax error at or near \")\"", 29),
        ("select 1::float(60)", "22023", "precision for type float must be less than 54 bits", 16),
        (
            "select * from a.b.c.d",
            "42601",
            "improper qualified name (too many dotted names): a.b.c.d",
            14,
        ),
        ("select $99999999999", "42P02", "there is no parameter $99999999999", 7),
        ("copy t to stdout where a", "42601", "WHERE clause not allowed with COPY TO", 17),
        ("insert into t values (1", "42601", "syntax error at end of input", 23),
        ("select é é é", "42601", "syntax error at or near \"é\"", 13),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(
            (error.sqlstate, error.message.as_str(), error.position),
            (sqlstate, message, position),
            "{text}"
        );
    }
}

#[test]
fn one_statement_is_one() {
    assert_eq!(parse_one(" ; ").unwrap(), None);
    assert!(parse_one("select 1;").unwrap().is_some());
    let error = parse_one("select 1; select 2").unwrap_err();
    assert_eq!(error.message, "cannot insert multiple commands into a prepared statement");
}
