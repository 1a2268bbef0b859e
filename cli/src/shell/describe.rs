//! What the `\d` commands say, from `pg_catalog`.

use super::execute::{self, Table};
use super::{Shell, print};
use crate::command::say;
use damask::Result;
use std::io;

/// Schemas whose relations are shown only by name.
const NOT_SYSTEM: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'";
const KIND: &str = "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' END";

impl Shell {
    /// Runs a query of ours; `None` if it failed, which is told.
    fn ask(&mut self, sql: &str) -> Option<Table> {
        match execute::run(&mut self.session, sql, &mut io::empty()) {
            Ok(outcomes) => outcomes.into_iter().find_map(|outcome| outcome.table),
            Err((_, error)) => {
                self.fail(&error, sql);
                None
            }
        }
    }

    fn show(&mut self, title: &str, sql: &str) {
        if let Some(table) = self.ask(sql) {
            self.print(Table { title: Some(title.to_owned()), ..table });
        }
    }

    fn print(&self, table: Table) {
        let mut out = vec![];
        print::table(&table, self.is_expanded, &mut out);
        say(&String::from_utf8_lossy(&out));
    }

    /// `\d`, `\dt` and their kin.
    pub(super) fn list(&mut self, kinds: &[&str], pattern: Option<&str>) -> Result<()> {
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
        let (columns, joins) = if kinds == ["'i'"] {
            (
                ", t.relname AS \"Table\"",
                "LEFT JOIN pg_catalog.pg_index AS x ON x.indexrelid = c.oid \
                 LEFT JOIN pg_catalog.pg_class AS t ON t.oid = x.indrelid",
            )
        } else {
            ("", "")
        };
        let sql = format!(
            "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", {KIND} AS \"Type\", \
             pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\"{columns} \
             FROM pg_catalog.pg_class AS c \
             LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace {joins} \
             WHERE c.relkind IN ({}) AND {} ORDER BY 1, 2",
            kinds.join(", "),
            condition(pattern)
        );
        let Some(table) = self.ask(&sql) else {
            return Ok(());
        };
        if table.rows.is_empty() {
            match pattern {
                Some(pattern) => {
                    self.complain(&format!("Did not find any relation named \"{pattern}\".\n"));
                }
                None => self.complain("Did not find any relations.\n"),
            }
        } else {
            self.print(Table { title: Some("List of relations".to_owned()), ..table });
        }
        Ok(())
    }

    pub(super) fn schemas(&mut self) -> Result<()> {
        self.show(
            "List of schemas",
            "SELECT n.nspname AS \"Name\", pg_catalog.pg_get_userbyid(n.nspowner) AS \"Owner\" \
             FROM pg_catalog.pg_namespace AS n \
             WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1",
        );
        Ok(())
    }

    pub(super) fn databases(&mut self) -> Result<()> {
        self.show(
            "List of databases",
            "SELECT d.datname AS \"Name\", pg_catalog.pg_get_userbyid(d.datdba) AS \"Owner\", \
             pg_catalog.pg_encoding_to_char(d.encoding) AS \"Encoding\", d.datcollate AS \"Collate\", \
             d.datctype AS \"Ctype\" FROM pg_catalog.pg_database AS d ORDER BY 1",
        );
        Ok(())
    }

    pub(super) fn roles(&mut self) -> Result<()> {
        self.show(
            "List of roles",
            "SELECT rolname AS \"Role name\", \
             concat_ws(', ', CASE WHEN rolsuper THEN 'Superuser' END, \
             CASE WHEN NOT rolinherit THEN 'No inheritance' END, \
             CASE WHEN rolcreaterole THEN 'Create role' END, \
             CASE WHEN rolcreatedb THEN 'Create DB' END, \
             CASE WHEN NOT rolcanlogin THEN 'Cannot login' END) AS \"Attributes\" \
             FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1",
        );
        Ok(())
    }

    pub(super) fn functions(&mut self, pattern: Option<&str>) -> Result<()> {
        let name = pattern.map_or_else(
            || "n.nspname NOT IN ('pg_catalog', 'information_schema')".to_owned(),
            |pattern| format!("p.proname ~ {}", regex(pattern)),
        );
        self.show(
            "List of functions",
            &format!(
                "SELECT n.nspname AS \"Schema\", p.proname AS \"Name\", \
                 pg_catalog.pg_get_function_result(p.oid) AS \"Result data type\", \
                 pg_catalog.pg_get_function_arguments(p.oid) AS \"Argument data types\", \
                 CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END AS \"Type\" \
                 FROM pg_catalog.pg_proc AS p \
                 LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace \
                 WHERE {name} ORDER BY 1, 2, 4"
            ),
        );
        Ok(())
    }

    /// `\d NAME`.
    pub(super) fn describe(&mut self, pattern: &str) -> Result<()> {
        let Some(found) = self.ask(&format!(
            "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class AS c \
             LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE {} ORDER BY 2, 3",
            condition(Some(pattern))
        )) else {
            return Ok(());
        };
        if found.rows.is_empty() {
            self.complain(&format!("Did not find any relation named \"{pattern}\".\n"));
        }
        for row in &found.rows {
            if let [oid, schema, name, kind] = row.as_slice() {
                self.describe_relation(oid, &format!("{schema}.{name}"), kind);
            }
        }
        Ok(())
    }

    fn describe_relation(&mut self, oid: &str, name: &str, kind: &str) {
        let title = match kind {
            "v" => "View",
            "i" => "Index",
            "S" => "Sequence",
            _ => "Table",
        };
        let columns = format!(
            "SELECT a.attname AS \"Column\", pg_catalog.format_type(a.atttypid, a.atttypmod) AS \"Type\", \
             '' AS \"Collation\", CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS \"Nullable\", \
             CASE a.attidentity WHEN 'a' THEN 'generated always as identity' \
             WHEN 'd' THEN 'generated by default as identity' \
             ELSE coalesce((SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef AS d \
             WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum), '') END AS \"Default\" \
             FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY a.attnum"
        );
        let Some(table) = self.ask(&columns) else {
            return;
        };
        let mut footers = vec![];
        if kind == "r" {
            self.footer(
                "Indexes:",
                &format!(
                    "SELECT '\"' || c.relname || '\"' || CASE WHEN x.indisprimary THEN ' PRIMARY KEY,' \
                     WHEN k.oid IS NOT NULL THEN ' UNIQUE CONSTRAINT,' WHEN x.indisunique THEN ' UNIQUE,' ELSE '' END || ' ' || \
                     substring(pg_catalog.pg_get_indexdef(c.oid) FROM ' USING (.*)$') \
                     FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS c ON c.oid = x.indexrelid \
                     LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = c.oid AND k.contype = 'u' \
                     WHERE x.indrelid = {oid} ORDER BY x.indisprimary DESC, c.relname"
                ),
                &mut footers,
            );
            for (head, kind, column) in [
                ("Check constraints:", "c", "conrelid"),
                ("Foreign-key constraints:", "f", "conrelid"),
            ] {
                self.footer(
                    head,
                    &format!(
                        "SELECT '\"' || conname || '\" ' || pg_catalog.pg_get_constraintdef(oid) \
                         FROM pg_catalog.pg_constraint WHERE {column} = {oid} AND contype = '{kind}' ORDER BY conname"
                    ),
                    &mut footers,
                );
            }
            self.footer(
                "Referenced by:",
                &format!(
                    "SELECT 'TABLE \"' || conrelid::pg_catalog.regclass::text || '\" CONSTRAINT \"' || conname || '\" ' || \
                     pg_catalog.pg_get_constraintdef(oid) \
                     FROM pg_catalog.pg_constraint WHERE confrelid = {oid} AND contype = 'f' ORDER BY conname"
                ),
                &mut footers,
            );
        }
        self.print(Table {
            title: Some(format!("{title} \"{name}\"")),
            footers: Some(footers),
            ..table
        });
    }

    fn footer(&mut self, head: &str, sql: &str, footers: &mut Vec<String>) {
        let Some(table) = self.ask(sql) else {
            return;
        };
        if !table.rows.is_empty() {
            footers.push(head.to_owned());
            footers.extend(table.rows.iter().flatten().map(|line| format!("    {line}")));
        }
    }
}

/// The condition on `c` and `n` for a name that may have a schema and wildcards.
fn condition(pattern: Option<&str>) -> String {
    match pattern {
        None => format!("{NOT_SYSTEM} AND pg_catalog.pg_table_is_visible(c.oid)"),
        Some(pattern) => match pattern.split_once('.') {
            Some((schema, name)) => {
                format!("n.nspname ~ {} AND c.relname ~ {}", regex(schema), regex(name))
            }
            None => {
                format!("c.relname ~ {} AND pg_catalog.pg_table_is_visible(c.oid)", regex(pattern))
            }
        },
    }
}

/// psql's pattern as a literal with a regular expression: folded outside quotes, `*` and `?` are wild.
fn regex(pattern: &str) -> String {
    let mut out = String::from("'^(");
    let mut is_quoted = false;
    for c in pattern.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '*' if !is_quoted => out.push_str(".*"),
            '?' if !is_quoted => out.push('.'),
            '\'' => out.push_str("''"),
            c if "\\^$.|()[]{}*+?".contains(c) => {
                out.push('\\');
                out.push(c);
            }
            c if is_quoted => out.push(c),
            c => out.extend(c.to_lowercase()),
        }
    }
    out.push_str(")$'");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_regular_expressions() {
        assert_eq!(regex("Foo*"), "'^(foo.*)$'");
        assert_eq!(regex("\"Foo*\".x"), "'^(Foo\\*\\.x)$'");
        assert_eq!(regex("a'b?"), "'^(a''b.)$'");
    }
}
