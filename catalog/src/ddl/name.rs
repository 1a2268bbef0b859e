//! Names: which are free, which are chosen as PostgreSQL chooses them, how they are quoted and told.
//!
//! `t_pkey`, `t_a_key`, `t_a_check`, `t_a_fkey`, `t_a_idx`, cut to 63 bytes, with a number when taken.

use super::{CatalogTxn, NAME_BYTES_MAX};
use crate::object::{Relation, RelationKind};
use crate::snapshot::PG_CATALOG;
use damask_types::{Error, Oid, Result, SqlState};

impl CatalogTxn {
    /// # Errors
    /// 42P07 if a relation or index of the schema has the name (C3); 42501 for the system schemas.
    pub fn check_name_free(&self, schema: Oid, name: &str) -> Result<()> {
        if schema == PG_CATALOG {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to create \"pg_catalog.{name}\""),
            )
            .detail("System catalog modifications are currently disallowed."));
        }
        if self.current.name_in(schema, name).is_some()
            || self.current.relation_in(schema, name).is_some()
        {
            return Err(Error::new(
                SqlState::DUPLICATE_TABLE,
                format!("relation \"{name}\" already exists"),
            ));
        }
        Ok(())
    }

    /// A free name for a relation or index: parts and suffix joined by underscores.
    pub fn choose_name(&self, schema: Oid, parts: &[&str], suffix: &str) -> String {
        free_name(parts, suffix, |name| self.current.name_in(schema, name).is_some())
    }

    pub(super) fn choose_constraint_name(
        &self,
        relation: &Relation,
        parts: &[&str],
        suffix: &str,
    ) -> String {
        free_name(parts, suffix, |name| {
            relation.constraints.iter().any(|constraint| constraint.name == name)
                || self.current.name_in(relation.schema, name).is_some()
        })
    }
}

/// What messages call a kind of relation.
pub fn kind_name(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table | RelationKind::System => "table",
        RelationKind::Index => "index",
        RelationKind::Sequence => "sequence",
        RelationKind::View => "view",
    }
}

/// An identifier as SQL text: quoted unless it is plain lower case.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn free_name(parts: &[&str], suffix: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = choose(parts, suffix);
    let mut number = 0;
    while is_taken(&name) {
        number += 1;
        name = choose(parts, &format!("{suffix}{number}"));
    }
    name
}

/// `table_columns_suffix`, with the longer of table and columns cut until the whole fits.
pub(super) fn choose(parts: &[&str], suffix: &str) -> String {
    let mut first = parts[0].to_owned();
    let mut second = parts[1..].join("_");
    let fixed = suffix.len() + 1 + usize::from(!second.is_empty());
    while first.len() + second.len() + fixed > NAME_BYTES_MAX {
        let longer = if first.len() > second.len() { &mut first } else { &mut second };
        longer.pop();
    }
    if second.is_empty() {
        format!("{first}_{suffix}")
    } else {
        format!("{first}_{second}_{suffix}")
    }
}

pub(super) fn duplicate_column(name: &str) -> Error {
    Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"))
}

/// # Errors
/// 42701 for the names of system columns.
pub(super) fn check_column_name(name: &str) -> Result<()> {
    if ["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"].contains(&name) {
        return Err(Error::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column name \"{name}\" conflicts with a system column name"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_chosen_and_cut_like_postgresql() {
        assert_eq!(choose(&["t", "a", "b"], "key"), "t_a_b_key");
        assert_eq!(choose(&["t"], "pkey"), "t_pkey");
        let long = "x".repeat(63);
        let name = choose(&[&long, "col"], "idx");
        assert_eq!(name.len(), NAME_BYTES_MAX);
        assert!(name.ends_with("_col_idx"));
        assert_eq!(free_name(&["t", "a"], "idx", |name| name == "t_a_idx"), "t_a_idx1");
    }

    #[test]
    fn identifiers_are_quoted_when_they_must_be() {
        assert_eq!(quote_identifier("plain_1"), "plain_1");
        assert_eq!(quote_identifier("Mixed\"x"), "\"Mixed\"\"x\"");
    }
}
