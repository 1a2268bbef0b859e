//! `ALTER`.

use super::Parser;
use crate::ast::{
    AlterAction, AlterActionKind, AlterSequence, AlterTable, ChangeOwner, Ident, Name, ObjectKind,
    Rename, SequenceOption, SetSchema, Statement,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    pub(super) fn alter(&mut self, start: u32) -> Result<Statement> {
        self.bump();
        if self.at_any(&[Keyword::Role, Keyword::User, Keyword::Group])
            && !self.keyword_at(1, Keyword::Mapping)
        {
            return self.alter_role(start);
        }
        let tag_at = self.at;
        let Some(object) = self.eat_object_kind() else {
            let name = match self.kind() {
                Kind::Keyword(Keyword::Default) => "ALTER DEFAULT PRIVILEGES",
                Kind::Keyword(Keyword::System) => "ALTER SYSTEM",
                Kind::Keyword(Keyword::Operator) => match self.kind_at(1) {
                    Kind::Keyword(Keyword::Class) => "ALTER OPERATOR CLASS",
                    Kind::Keyword(Keyword::Family) => "ALTER OPERATOR FAMILY",
                    _ => "ALTER OPERATOR",
                },
                Kind::Keyword(Keyword::Large) => "ALTER LARGE OBJECT",
                Kind::Keyword(Keyword::User) => "ALTER USER MAPPING",
                _ => return Err(self.unexpected()),
            };
            return Ok(self.unsupported_statement(name, start));
        };
        match object {
            ObjectKind::Table
            | ObjectKind::Index
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable
            | ObjectKind::Sequence => self.alter_relation(object, start),
            ObjectKind::Schema
            | ObjectKind::Database
            | ObjectKind::Type
            | ObjectKind::Domain
            | ObjectKind::Extension
            | ObjectKind::Collation
            | ObjectKind::Conversion
            | ObjectKind::Tablespace
            | ObjectKind::Statistics
            | ObjectKind::Publication
            | ObjectKind::Subscription
            | ObjectKind::Server
            | ObjectKind::Language
            | ObjectKind::ForeignDataWrapper
            | ObjectKind::EventTrigger => self.alter_named(object, start),
            _ => {
                self.at = tag_at;
                Ok(self.unsupported_statement(alter_tag(object), start))
            }
        }
    }

    /// `RENAME TO`, `OWNER TO` and `SET SCHEMA` of an object with a plain name.
    fn alter_named(&mut self, object: ObjectKind, start: u32) -> Result<Statement> {
        let name = self.name()?;
        if self.eat_all(&[Keyword::Rename, Keyword::To]) {
            return self.rename_to(object, name, false);
        }
        if self.eat_all(&[Keyword::Owner, Keyword::To]) {
            let owner = self.role_name()?;
            return Ok(Statement::ChangeOwner(ChangeOwner { object, name, owner }));
        }
        if self.eat_all(&[Keyword::Set, Keyword::Schema]) {
            let schema = self.column_id()?;
            let set = SetSchema { object, name, if_exists: false, schema };
            return Ok(Statement::SetSchema(set));
        }
        Ok(self.unsupported_statement(alter_tag(object), start))
    }

    fn rename_to(&mut self, object: ObjectKind, name: Name, if_exists: bool) -> Result<Statement> {
        let new_name = self.column_id()?;
        Ok(Statement::Rename(Rename {
            object,
            relation: object,
            name,
            if_exists,
            part: None,
            new_name,
        }))
    }

    fn alter_relation(&mut self, object: ObjectKind, start: u32) -> Result<Statement> {
        if self.eat_all(&[Keyword::All, Keyword::In, Keyword::Tablespace]) {
            return Ok(self.unsupported_statement(alter_tag(object), start));
        }
        let if_exists = self.if_exists();
        let (name, only) = self.relation()?;
        if self.eat(Keyword::Rename) {
            return self.rename_part(object, name, if_exists);
        }
        if self.eat_all(&[Keyword::Set, Keyword::Schema]) {
            let schema = self.column_id()?;
            return Ok(Statement::SetSchema(SetSchema { object, name, if_exists, schema }));
        }
        if object == ObjectKind::Sequence && !self.at_any(&[Keyword::Owner, Keyword::Set]) {
            let options = self.sequence_options()?;
            if options.is_empty() {
                return Err(self.unexpected());
            }
            return Ok(Statement::AlterSequence(AlterSequence { name, if_exists, options }));
        }
        if object == ObjectKind::Index
            && self.at_any(&[Keyword::Depends, Keyword::No, Keyword::Attach])
            || object == ObjectKind::MaterializedView
                && self.at_any(&[Keyword::Depends, Keyword::No])
        {
            return Ok(self.unsupported_statement(alter_tag(object), start));
        }
        let actions = self.list(Self::alter_action)?;
        Ok(Statement::AlterTable(Box::new(AlterTable { object, name, only, if_exists, actions })))
    }

    /// What follows `RENAME` of a relation.
    fn rename_part(
        &mut self,
        object: ObjectKind,
        name: Name,
        if_exists: bool,
    ) -> Result<Statement> {
        if self.at_keyword(Keyword::To) {
            self.bump();
            return self.rename_to(object, name, if_exists);
        }
        let constraint = self.at_keyword(Keyword::Constraint);
        let part = if constraint {
            self.bump();
            self.column_id()?
        } else {
            self.eat(Keyword::Column);
            self.column_id()?
        };
        self.expect(Keyword::To)?;
        let new_name = self.column_id()?;
        Ok(Statement::Rename(Rename {
            object: if constraint { ObjectKind::Constraint } else { ObjectKind::Column },
            relation: object,
            name,
            if_exists,
            part: Some(part),
            new_name,
        }))
    }

    fn alter_action(&mut self) -> Result<AlterAction> {
        let start = self.start();
        let Kind::Keyword(keyword) = self.kind() else { return Err(self.unexpected()) };
        let kind = match keyword {
            Keyword::Add => self.alter_add()?,
            Keyword::Drop => self.alter_drop()?,
            Keyword::Alter => self.alter_alter()?,
            Keyword::Set => self.alter_set()?,
            Keyword::Validate => {
                self.expect_all(&[Keyword::Validate, Keyword::Constraint])?;
                AlterActionKind::ValidateConstraint(self.column_id()?)
            }
            Keyword::Owner => {
                self.expect_all(&[Keyword::Owner, Keyword::To])?;
                AlterActionKind::OwnerTo(self.role_name()?)
            }
            Keyword::Reset => {
                self.bump();
                AlterActionKind::ResetOptions(self.definition_options()?)
            }
            Keyword::Cluster => {
                self.expect_all(&[Keyword::Cluster, Keyword::On])?;
                AlterActionKind::ClusterOn(Some(self.column_id()?))
            }
            Keyword::Inherit => {
                self.bump();
                AlterActionKind::Inherit(self.relation_name()?, true)
            }
            Keyword::No if self.keyword_at(1, Keyword::Inherit) => {
                self.at += 2;
                AlterActionKind::Inherit(self.relation_name()?, false)
            }
            Keyword::Attach => self.skip_action("ATTACH PARTITION"),
            Keyword::Detach => self.skip_action("DETACH PARTITION"),
            Keyword::Of => self.skip_action("OF"),
            Keyword::Not => self.skip_action("NOT OF"),
            Keyword::Replica => self.skip_action("REPLICA IDENTITY"),
            Keyword::Options => self.skip_action("OPTIONS"),
            Keyword::Enable | Keyword::Disable | Keyword::Force | Keyword::No => {
                let name = self.switch_action().ok_or_else(|| self.unexpected())?;
                self.skip_action(name)
            }
            _ => return Err(self.unexpected()),
        };
        Ok(AlterAction { kind, span: self.span_from(start) })
    }

    /// The words of an action that switches something on or off.
    fn switch_action(&self) -> Option<&'static str> {
        let mut ahead = 1;
        while matches!(self.kind_at(ahead), Kind::Keyword(Keyword::Replica | Keyword::Always)) {
            ahead += 1;
        }
        let enable = self.at_keyword(Keyword::Enable);
        Some(match self.kind_at(ahead) {
            Kind::Keyword(Keyword::Trigger) if enable => "ENABLE TRIGGER",
            Kind::Keyword(Keyword::Trigger) => "DISABLE TRIGGER",
            Kind::Keyword(Keyword::Rule) if enable => "ENABLE RULE",
            Kind::Keyword(Keyword::Rule) => "DISABLE RULE",
            Kind::Keyword(Keyword::Row) if enable => "ENABLE ROW LEVEL SECURITY",
            Kind::Keyword(Keyword::Row) => "DISABLE ROW LEVEL SECURITY",
            Kind::Keyword(Keyword::Force) => "NO FORCE ROW LEVEL SECURITY",
            _ => return None,
        })
    }

    /// An action without a tree, to its comma or the statement's end.
    fn skip_action(&mut self, name: &'static str) -> AlterActionKind {
        let mut depth = 0_usize;
        loop {
            match self.kind() {
                Kind::End | Kind::Error => break,
                Kind::Punctuation(b',' | b';' | b')') if depth == 0 => break,
                Kind::Punctuation(b'(') => depth += 1,
                Kind::Punctuation(b')') => depth -= 1,
                _ => {}
            }
            self.bump();
        }
        AlterActionKind::Unsupported(name)
    }

    fn alter_add(&mut self) -> Result<AlterActionKind> {
        self.bump();
        if self.at_any(&[
            Keyword::Constraint,
            Keyword::Check,
            Keyword::Unique,
            Keyword::Primary,
            Keyword::Foreign,
            Keyword::Exclude,
        ]) {
            return Ok(AlterActionKind::AddConstraint(Box::new(self.table_constraint()?)));
        }
        self.eat(Keyword::Column);
        let if_not_exists = self.if_not_exists();
        let column = Box::new(self.column_definition()?);
        Ok(AlterActionKind::AddColumn { column, if_not_exists })
    }

    fn alter_drop(&mut self) -> Result<AlterActionKind> {
        self.bump();
        let constraint = self.eat(Keyword::Constraint);
        if !constraint {
            self.eat(Keyword::Column);
        }
        let if_exists = self.if_exists();
        let name = self.column_id()?;
        let cascade = self.cascade();
        Ok(if constraint {
            AlterActionKind::DropConstraint { name, if_exists, cascade }
        } else {
            AlterActionKind::DropColumn { name, if_exists, cascade }
        })
    }

    /// `ALTER [COLUMN] name ...` and `ALTER CONSTRAINT name ...`.
    fn alter_alter(&mut self) -> Result<AlterActionKind> {
        self.bump();
        if self.eat(Keyword::Constraint) {
            let name = self.column_id()?;
            return Ok(AlterActionKind::AlterConstraint(name, self.timing(true)?));
        }
        self.eat(Keyword::Column);
        // The column of an expression index goes by its number.
        if self.kind() == Kind::Integer {
            return Ok(self.skip_action("ALTER COLUMN"));
        }
        let name = self.column_id()?;
        if self.eat(Keyword::Type) {
            return self.alter_type(name);
        }
        if self.eat_all(&[Keyword::Set, Keyword::Data, Keyword::Type]) {
            return self.alter_type(name);
        }
        if self.eat(Keyword::Drop) {
            if self.eat(Keyword::Default) {
                return Ok(AlterActionKind::SetDefault(name, None));
            }
            if self.eat_all(&[Keyword::Not, Keyword::Null]) {
                return Ok(AlterActionKind::SetNotNull(name, false));
            }
            if self.eat(Keyword::Identity) {
                return Ok(AlterActionKind::DropIdentity(name, self.if_exists()));
            }
            self.expect(Keyword::Expression)?;
            self.if_exists();
            return Ok(AlterActionKind::Unsupported("DROP EXPRESSION"));
        }
        if self.eat_all(&[Keyword::Add, Keyword::Generated]) {
            let always = self.generated_when()?;
            self.expect_all(&[Keyword::As, Keyword::Identity])?;
            let options = self.parenthesised_sequence_options()?;
            return Ok(AlterActionKind::AddIdentity { name, always, options });
        }
        if self.eat(Keyword::Reset) {
            self.definition_options()?;
            return Ok(AlterActionKind::Unsupported("ALTER COLUMN RESET"));
        }
        self.alter_column_set(name)
    }

    fn alter_type(&mut self, name: Ident) -> Result<AlterActionKind> {
        let type_name = self.type_name()?;
        let collation = if self.eat(Keyword::Collate) { Some(self.name()?) } else { None };
        let using = if self.eat(Keyword::Using) { Some(Box::new(self.expr()?)) } else { None };
        Ok(AlterActionKind::SetType { name, type_name, collation, using })
    }

    /// `SET ...` of a column, and `RESTART` of its identity.
    fn alter_column_set(&mut self, name: Ident) -> Result<AlterActionKind> {
        if self.at_keyword(Keyword::Set) {
            match self.kind_at(1) {
                Kind::Keyword(Keyword::Default) => {
                    self.at += 2;
                    let value = Some(Box::new(self.expr()?));
                    return Ok(AlterActionKind::SetDefault(name, value));
                }
                Kind::Keyword(Keyword::Not) => {
                    self.bump();
                    self.expect_all(&[Keyword::Not, Keyword::Null])?;
                    return Ok(AlterActionKind::SetNotNull(name, true));
                }
                Kind::Keyword(Keyword::Statistics) => {
                    self.at += 2;
                    let position = self.start();
                    let target = i32::try_from(self.signed_integer()?)
                        .map_err(|_| ParseError::new("22003", "integer out of range", position))?;
                    return Ok(AlterActionKind::SetStatistics(name, target));
                }
                Kind::Keyword(Keyword::Storage) => {
                    self.at += 2;
                    return Ok(AlterActionKind::SetStorage(name, self.column_id()?));
                }
                Kind::Keyword(Keyword::Compression) => {
                    self.at += 2;
                    self.label()?;
                    return Ok(AlterActionKind::Unsupported("SET COMPRESSION"));
                }
                Kind::Punctuation(b'(') => {
                    self.bump();
                    self.definition_options()?;
                    return Ok(AlterActionKind::Unsupported("ALTER COLUMN SET"));
                }
                _ => {}
            }
        }
        if self.at_keyword(Keyword::Options) {
            return Ok(self.skip_action("OPTIONS"));
        }
        self.alter_identity(name)
    }

    /// `SET GENERATED ...`, `SET` a sequence option, `RESTART`, one or more of them.
    fn alter_identity(&mut self, name: Ident) -> Result<AlterActionKind> {
        let mut always = None;
        let mut options: Vec<SequenceOption> = Vec::new();
        while self.at_any(&[Keyword::Set, Keyword::Restart]) {
            if self.at_keyword(Keyword::Set) {
                self.bump();
                if self.eat(Keyword::Generated) {
                    always = Some(self.generated_when()?);
                    continue;
                }
            }
            let option = self.sequence_option()?;
            options.push(option.ok_or_else(|| self.unexpected())?);
        }
        if always.is_none() && options.is_empty() {
            return Err(self.unexpected());
        }
        Ok(AlterActionKind::SetIdentity { name, always, options })
    }

    /// `SET ...` of a relation.
    fn alter_set(&mut self) -> Result<AlterActionKind> {
        self.bump();
        if self.at_punctuation(b'(') {
            return Ok(AlterActionKind::SetOptions(self.definition_options()?));
        }
        if self.eat(Keyword::Logged) {
            return Ok(AlterActionKind::SetLogged(true));
        }
        if self.eat(Keyword::Unlogged) {
            return Ok(AlterActionKind::SetLogged(false));
        }
        if self.eat_all(&[Keyword::Without, Keyword::Cluster]) {
            return Ok(AlterActionKind::ClusterOn(None));
        }
        if self.eat(Keyword::Tablespace) {
            let name = self.column_id()?;
            self.eat(Keyword::Nowait);
            return Ok(AlterActionKind::SetTablespace(name));
        }
        if self.eat_all(&[Keyword::Without, Keyword::Oids]) {
            return Ok(AlterActionKind::SetOptions(Vec::new()));
        }
        self.expect_all(&[Keyword::Access, Keyword::Method])?;
        self.column_id()?;
        Ok(AlterActionKind::Unsupported("SET ACCESS METHOD"))
    }
}

/// The command tag of `ALTER object`.
fn alter_tag(object: ObjectKind) -> &'static str {
    match object {
        ObjectKind::Table | ObjectKind::Column | ObjectKind::Constraint => "ALTER TABLE",
        ObjectKind::Index => "ALTER INDEX",
        ObjectKind::View => "ALTER VIEW",
        ObjectKind::MaterializedView => "ALTER MATERIALIZED VIEW",
        ObjectKind::Sequence => "ALTER SEQUENCE",
        ObjectKind::Schema => "ALTER SCHEMA",
        ObjectKind::Type => "ALTER TYPE",
        ObjectKind::Domain | ObjectKind::DomainConstraint => "ALTER DOMAIN",
        ObjectKind::Function => "ALTER FUNCTION",
        ObjectKind::Procedure => "ALTER PROCEDURE",
        ObjectKind::Routine => "ALTER ROUTINE",
        ObjectKind::Aggregate => "ALTER AGGREGATE",
        ObjectKind::Operator => "ALTER OPERATOR",
        ObjectKind::Trigger => "ALTER TRIGGER",
        ObjectKind::Rule => "ALTER RULE",
        ObjectKind::Policy => "ALTER POLICY",
        ObjectKind::Extension => "ALTER EXTENSION",
        ObjectKind::Collation => "ALTER COLLATION",
        ObjectKind::Conversion => "ALTER CONVERSION",
        ObjectKind::Database => "ALTER DATABASE",
        ObjectKind::Role => "ALTER ROLE",
        ObjectKind::Tablespace => "ALTER TABLESPACE",
        ObjectKind::Statistics => "ALTER STATISTICS",
        ObjectKind::ForeignTable => "ALTER FOREIGN TABLE",
        ObjectKind::EventTrigger => "ALTER EVENT TRIGGER",
        ObjectKind::Language => "ALTER LANGUAGE",
        ObjectKind::Publication => "ALTER PUBLICATION",
        ObjectKind::Subscription => "ALTER SUBSCRIPTION",
        ObjectKind::AccessMethod => "ALTER ACCESS METHOD",
        ObjectKind::Server => "ALTER SERVER",
        ObjectKind::ForeignDataWrapper => "ALTER FOREIGN DATA WRAPPER",
        ObjectKind::TextSearchConfiguration => "ALTER TEXT SEARCH CONFIGURATION",
        ObjectKind::TextSearchDictionary => "ALTER TEXT SEARCH DICTIONARY",
        ObjectKind::TextSearchParser => "ALTER TEXT SEARCH PARSER",
        ObjectKind::TextSearchTemplate => "ALTER TEXT SEARCH TEMPLATE",
    }
}
