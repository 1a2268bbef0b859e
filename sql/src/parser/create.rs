//! `CREATE`: which object, and the names of those without a tree.

use super::Parser;
use crate::ast::{CreateDatabase, DefinitionOption, Ident, Name, Persistence, Statement};
use crate::error::Result;
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    pub(super) fn create(&mut self, start: u32) -> Result<Statement> {
        self.bump();
        let or_replace = self.eat_all(&[Keyword::Or, Keyword::Replace]);
        let persistence = self.persistence();
        let Kind::Keyword(keyword) = self.kind() else { return Err(self.unexpected()) };
        if or_replace && !may_replace(keyword) {
            return Err(self.unexpected());
        }
        match keyword {
            Keyword::Table => {
                self.bump();
                self.create_table(persistence)
            }
            Keyword::View => self.create_view(or_replace, persistence),
            Keyword::Recursive if self.keyword_at(1, Keyword::View) => {
                self.create_view(or_replace, persistence)
            }
            Keyword::Sequence => {
                self.bump();
                self.create_sequence(persistence)
            }
            _ if persistence == Persistence::Temporary => Err(self.unexpected()),
            Keyword::Unique if self.keyword_at(1, Keyword::Index) => {
                self.at += 2;
                self.create_index(true)
            }
            Keyword::Index => {
                self.bump();
                self.create_index(false)
            }
            Keyword::Schema => {
                self.bump();
                self.create_schema()
            }
            Keyword::User if self.keyword_at(1, Keyword::Mapping) => {
                Ok(self.unsupported_statement("CREATE USER MAPPING", start))
            }
            Keyword::Role | Keyword::User | Keyword::Group => {
                self.bump();
                self.create_role(keyword == Keyword::User)
            }
            Keyword::Database => {
                self.bump();
                self.create_database()
            }
            _ => {
                let name = self.create_tag(keyword).ok_or_else(|| self.unexpected())?;
                Ok(self.unsupported_statement(name, start))
            }
        }
    }

    /// The command tag of a `CREATE` without a tree.
    fn create_tag(&self, keyword: Keyword) -> Option<&'static str> {
        let next = match self.kind_at(1) {
            Kind::Keyword(next) => Some(next),
            _ => None,
        };
        Some(match (keyword, next) {
            (Keyword::Function, _) => "CREATE FUNCTION",
            (Keyword::Procedure, _) => "CREATE PROCEDURE",
            (Keyword::Aggregate, _) => "CREATE AGGREGATE",
            (Keyword::Trigger, _) | (Keyword::Constraint, Some(Keyword::Trigger)) => {
                "CREATE TRIGGER"
            }
            (Keyword::Event, _) => "CREATE EVENT TRIGGER",
            (Keyword::Type, _) => "CREATE TYPE",
            (Keyword::Domain, _) => "CREATE DOMAIN",
            (Keyword::Extension, _) => "CREATE EXTENSION",
            (Keyword::Materialized, _) => "CREATE MATERIALIZED VIEW",
            (Keyword::Rule, _) => "CREATE RULE",
            (Keyword::Policy, _) => "CREATE POLICY",
            (Keyword::Operator, Some(Keyword::Class)) => "CREATE OPERATOR CLASS",
            (Keyword::Operator, Some(Keyword::Family)) => "CREATE OPERATOR FAMILY",
            (Keyword::Operator, _) => "CREATE OPERATOR",
            (Keyword::Cast, _) => "CREATE CAST",
            (Keyword::Collation, _) => "CREATE COLLATION",
            (Keyword::Conversion | Keyword::Default, _) => "CREATE CONVERSION",
            (Keyword::Statistics, _) => "CREATE STATISTICS",
            (Keyword::Text, _) => "CREATE TEXT SEARCH",
            (Keyword::Foreign, Some(Keyword::Table)) => "CREATE FOREIGN TABLE",
            (Keyword::Foreign, _) => "CREATE FOREIGN DATA WRAPPER",
            (Keyword::Server, _) => "CREATE SERVER",
            (Keyword::Publication, _) => "CREATE PUBLICATION",
            (Keyword::Subscription, _) => "CREATE SUBSCRIPTION",
            (Keyword::Access, _) => "CREATE ACCESS METHOD",
            (Keyword::Language | Keyword::Trusted | Keyword::Procedural, _) => "CREATE LANGUAGE",
            (Keyword::Transform, _) => "CREATE TRANSFORM",
            (Keyword::Tablespace, _) => "CREATE TABLESPACE",
            _ => return None,
        })
    }

    fn create_database(&mut self) -> Result<Statement> {
        let name = self.column_id()?;
        self.eat(Keyword::With);
        let mut options = Vec::new();
        while !self.at_statement_end() {
            let first = self.label()?;
            let first = match &*first.value {
                "connection" => {
                    self.expect(Keyword::Limit)?;
                    Ident::new("connection limit", first.span)
                }
                _ => first,
            };
            self.eat_punctuation(b'=');
            let value = if self.eat(Keyword::Default) { None } else { Some(self.option_text()?) };
            options.push(DefinitionOption { name: Name(vec![first]), value });
        }
        Ok(Statement::CreateDatabase(CreateDatabase { name, options }))
    }
}

/// `OR REPLACE` may stand before this kind of object.
fn may_replace(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::View
            | Keyword::Recursive
            | Keyword::Function
            | Keyword::Procedure
            | Keyword::Aggregate
            | Keyword::Rule
            | Keyword::Trigger
            | Keyword::Constraint
            | Keyword::Language
            | Keyword::Trusted
            | Keyword::Procedural
            | Keyword::Transform
    )
}
