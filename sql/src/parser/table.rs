//! `CREATE TABLE`, `CREATE TABLE AS`, column definitions and constraints.

use super::Parser;
use crate::ast::{
    ColumnConstraint, ColumnConstraintKind, ColumnDefinition, ConstraintTiming, CreateTable,
    CreateTableAs, DefinitionOption, Ident, LikeOptions, LikeTable, MatchKind, Name, OnCommit,
    Persistence, References, ReferentialAction, Statement, TableConstraint, TableConstraintKind,
    TableElement, UniqueOptions,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

/// The clauses between a table's columns and `AS`.
#[derive(Default)]
struct TableClauses {
    access_method: Option<Ident>,
    options: Vec<DefinitionOption>,
    on_commit: Option<OnCommit>,
    tablespace: Option<Ident>,
}

impl Parser<'_> {
    /// `CREATE [TEMP] TABLE`, from behind `TABLE`.
    pub(super) fn create_table(&mut self, persistence: Persistence) -> Result<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = self.relation_name()?;
        let names_only = self.at_punctuation(b'(')
            && self.column_id_at(1)
            && matches!(self.kind_at(2), Kind::Punctuation(b',' | b')'));
        if names_only
            || !self.at_punctuation(b'(') && !self.at_any(&[Keyword::Of, Keyword::Partition])
        {
            return self.create_table_as(name, persistence, if_not_exists);
        }
        let start = self.start();
        let mut unsupported = None;
        let mut elements = Vec::new();
        if self.eat(Keyword::Of) {
            unsupported = Some("CREATE TABLE OF");
            self.name()?;
        } else if self.eat_all(&[Keyword::Partition, Keyword::Of]) {
            unsupported = Some("PARTITION OF");
            self.relation_name()?;
        }
        if unsupported.is_some() {
            self.skip_statement();
        } else {
            self.expect_punctuation(b'(')?;
            if !self.at_punctuation(b')') {
                elements = self.list(Self::table_element)?;
            }
            self.expect_punctuation(b')')?;
        }
        let inherits = if self.eat(Keyword::Inherits) {
            self.parenthesised(Self::relation_name)?
        } else {
            Vec::new()
        };
        let mut unsupported = unsupported.map(|what| (what, self.span_from(start)));
        if self.at_keyword(Keyword::Partition) {
            let start = self.start();
            self.expect_all(&[Keyword::Partition, Keyword::By])?;
            self.column_id()?;
            self.skip_parenthesis()?;
            unsupported = Some(("PARTITION BY", self.span_from(start)));
        }
        let clauses = self.table_clauses()?;
        Ok(Statement::CreateTable(Box::new(CreateTable {
            name,
            persistence,
            if_not_exists,
            elements,
            inherits,
            unsupported,
            options: clauses.options,
            on_commit: clauses.on_commit,
            access_method: clauses.access_method,
            tablespace: clauses.tablespace,
        })))
    }

    fn table_clauses(&mut self) -> Result<TableClauses> {
        let mut clauses = TableClauses::default();
        if self.eat(Keyword::Using) {
            clauses.access_method = Some(self.column_id()?);
        }
        if self.at_keyword(Keyword::With) {
            self.bump();
            clauses.options = self.definition_options()?;
        } else {
            self.eat_all(&[Keyword::Without, Keyword::Oids]);
        }
        if self.eat_all(&[Keyword::On, Keyword::Commit]) {
            clauses.on_commit = Some(if self.eat(Keyword::Drop) {
                OnCommit::Drop
            } else if self.eat_all(&[Keyword::Delete, Keyword::Rows]) {
                OnCommit::DeleteRows
            } else {
                self.expect_all(&[Keyword::Preserve, Keyword::Rows])?;
                OnCommit::PreserveRows
            });
        }
        if self.eat(Keyword::Tablespace) {
            clauses.tablespace = Some(self.column_id()?);
        }
        Ok(clauses)
    }

    fn create_table_as(
        &mut self,
        name: Name,
        persistence: Persistence,
        if_not_exists: bool,
    ) -> Result<Statement> {
        let columns = self.optional_columns()?;
        let clauses = self.table_clauses()?;
        self.expect(Keyword::As)?;
        let source = if self.at_keyword(Keyword::Execute) {
            self.bump();
            self.execute()?
        } else {
            Statement::Query(Box::new(self.query()?))
        };
        let with_data = self.with_data()?;
        Ok(Statement::CreateTableAs(Box::new(CreateTableAs {
            name,
            columns,
            persistence,
            if_not_exists,
            options: clauses.options,
            on_commit: clauses.on_commit,
            source,
            with_data,
        })))
    }

    /// `WITH DATA`, `WITH NO DATA`, or nothing.
    pub(super) fn with_data(&mut self) -> Result<bool> {
        if !self.eat(Keyword::With) {
            return Ok(true);
        }
        let data = !self.eat(Keyword::No);
        self.expect(Keyword::Data)?;
        Ok(data)
    }

    fn table_element(&mut self) -> Result<TableElement> {
        if self.at_keyword(Keyword::Like) {
            return Ok(TableElement::Like(self.like_table()?));
        }
        if self.at_any(&[
            Keyword::Constraint,
            Keyword::Check,
            Keyword::Unique,
            Keyword::Primary,
            Keyword::Foreign,
        ]) || (self.at_keyword(Keyword::Exclude)
            && (self.kind_at(1) == Kind::Punctuation(b'(') || self.keyword_at(1, Keyword::Using)))
        {
            return Ok(TableElement::Constraint(self.table_constraint()?));
        }
        Ok(TableElement::Column(self.column_definition()?))
    }

    fn like_table(&mut self) -> Result<LikeTable> {
        self.bump();
        let table = self.relation_name()?;
        let mut including = LikeOptions::default();
        loop {
            let include = if self.eat(Keyword::Including) {
                true
            } else if self.eat(Keyword::Excluding) {
                false
            } else {
                return Ok(LikeTable { table, including });
            };
            let Kind::Keyword(keyword) = self.kind() else { return Err(self.unexpected()) };
            let option = match keyword {
                Keyword::Comments => &mut including.comments,
                Keyword::Compression => &mut including.compression,
                Keyword::Constraints => &mut including.constraints,
                Keyword::Defaults => &mut including.defaults,
                Keyword::Generated => &mut including.generated,
                Keyword::Identity => &mut including.identity,
                Keyword::Indexes => &mut including.indexes,
                Keyword::Statistics => &mut including.statistics,
                Keyword::Storage => &mut including.storage,
                Keyword::All => {
                    self.bump();
                    including = LikeOptions {
                        comments: include,
                        compression: include,
                        constraints: include,
                        defaults: include,
                        generated: include,
                        identity: include,
                        indexes: include,
                        statistics: include,
                        storage: include,
                    };
                    continue;
                }
                _ => return Err(self.unexpected()),
            };
            *option = include;
            self.bump();
        }
    }

    /// `name type constraints`.
    pub(super) fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let start = self.start();
        let name = self.column_id()?;
        let type_name = self.type_name()?;
        let mut collation = None;
        let mut constraints = Vec::new();
        if self.eat(Keyword::Compression) {
            self.column_id()?;
        }
        loop {
            if self.at_keyword(Keyword::Collate) {
                let position = self.bump().start;
                if collation.is_some() {
                    let message = "multiple COLLATE clauses not allowed";
                    return Err(ParseError::new("42601", message, position));
                }
                collation = Some(self.name()?);
            } else if let Some(constraint) = self.column_constraint()? {
                constraints.push(constraint);
            } else {
                break;
            }
        }
        let span = self.span_from(start);
        Ok(ColumnDefinition { name, type_name, collation, constraints, span })
    }

    fn column_constraint(&mut self) -> Result<Option<ColumnConstraint>> {
        let start = self.start();
        let name = if self.eat(Keyword::Constraint) { Some(self.column_id()?) } else { None };
        let Some(kind) = self.column_constraint_kind()? else {
            return if name.is_some() { Err(self.unexpected()) } else { Ok(None) };
        };
        let timing = match kind {
            ColumnConstraintKind::Unique(_)
            | ColumnConstraintKind::PrimaryKey(_)
            | ColumnConstraintKind::References(_) => self.timing(false)?,
            _ => ConstraintTiming::default(),
        };
        Ok(Some(ColumnConstraint { name, kind, timing, span: self.span_from(start) }))
    }

    fn column_constraint_kind(&mut self) -> Result<Option<ColumnConstraintKind>> {
        let Kind::Keyword(keyword) = self.kind() else { return Ok(None) };
        let kind = match keyword {
            Keyword::Not if self.keyword_at(1, Keyword::Null) => {
                self.at += 2;
                ColumnConstraintKind::NotNull
            }
            Keyword::Null => {
                self.bump();
                ColumnConstraintKind::Null
            }
            Keyword::Default => {
                self.bump();
                ColumnConstraintKind::Default(self.restricted_expr()?)
            }
            Keyword::Check => {
                self.bump();
                self.expect_punctuation(b'(')?;
                let expr = self.expr()?;
                self.expect_punctuation(b')')?;
                let no_inherit = self.eat_all(&[Keyword::No, Keyword::Inherit]);
                ColumnConstraintKind::Check { expr, no_inherit }
            }
            Keyword::Unique => {
                self.bump();
                ColumnConstraintKind::Unique(self.unique_options(false)?)
            }
            Keyword::Primary => {
                self.expect_all(&[Keyword::Primary, Keyword::Key])?;
                ColumnConstraintKind::PrimaryKey(self.unique_options(false)?)
            }
            Keyword::References => ColumnConstraintKind::References(self.references()?),
            Keyword::Generated => {
                self.bump();
                self.generated()?
            }
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    /// What follows `GENERATED` in a column's definition.
    fn generated(&mut self) -> Result<ColumnConstraintKind> {
        let position = self.start();
        let always = self.generated_when()?;
        self.expect(Keyword::As)?;
        if self.eat(Keyword::Identity) {
            let options = self.parenthesised_sequence_options()?;
            return Ok(ColumnConstraintKind::Identity { always, options });
        }
        self.expect_punctuation(b'(')?;
        let expr = self.expr()?;
        self.expect_punctuation(b')')?;
        self.expect(Keyword::Stored)?;
        if !always {
            let message = "for a generated column, GENERATED ALWAYS must be specified";
            return Err(ParseError::new("42601", message, position));
        }
        Ok(ColumnConstraintKind::Generated(expr))
    }

    /// `ALWAYS` (true) or `BY DEFAULT`.
    pub(super) fn generated_when(&mut self) -> Result<bool> {
        if self.eat(Keyword::Always) {
            return Ok(true);
        }
        self.expect_all(&[Keyword::By, Keyword::Default])?;
        Ok(false)
    }

    /// What may follow `UNIQUE` and `PRIMARY KEY`; `INCLUDE` in table constraints only.
    fn unique_options(&mut self, include: bool) -> Result<UniqueOptions> {
        let mut options = UniqueOptions::default();
        if include && self.eat(Keyword::Include) {
            options.include = self.parenthesised(Self::column_id)?;
        }
        self.nulls_distinct(&mut options.nulls_not_distinct);
        if self.eat(Keyword::With) {
            options.options = self.definition_options()?;
        }
        if self.eat_all(&[Keyword::Using, Keyword::Index, Keyword::Tablespace]) {
            options.tablespace = Some(self.column_id()?);
        }
        Ok(options)
    }

    /// `NULLS [NOT] DISTINCT`.
    pub(super) fn nulls_distinct(&mut self, not_distinct: &mut bool) {
        if self.eat_all(&[Keyword::Nulls, Keyword::Not, Keyword::Distinct]) {
            *not_distinct = true;
        } else {
            self.eat_all(&[Keyword::Nulls, Keyword::Distinct]);
        }
    }

    fn references(&mut self) -> Result<References> {
        self.expect(Keyword::References)?;
        let table = self.relation_name()?;
        let columns = self.optional_columns()?;
        let match_kind = if self.eat(Keyword::Match) {
            if self.eat(Keyword::Full) {
                MatchKind::Full
            } else if self.eat(Keyword::Partial) {
                return Err(ParseError::new(
                    "0A000",
                    "MATCH PARTIAL not yet implemented",
                    self.start(),
                ));
            } else {
                self.expect(Keyword::Simple)?;
                MatchKind::Simple
            }
        } else {
            MatchKind::Simple
        };
        let mut on_update = ReferentialAction::NoAction;
        let mut on_delete = ReferentialAction::NoAction;
        while self.at_keyword(Keyword::On) {
            self.bump();
            if self.eat(Keyword::Update) {
                on_update = self.referential_action()?;
            } else {
                self.expect(Keyword::Delete)?;
                on_delete = self.referential_action()?;
            }
        }
        Ok(References { table, columns, match_kind, on_update, on_delete })
    }

    fn referential_action(&mut self) -> Result<ReferentialAction> {
        if self.eat_all(&[Keyword::No, Keyword::Action]) {
            return Ok(ReferentialAction::NoAction);
        }
        if self.eat(Keyword::Restrict) {
            return Ok(ReferentialAction::Restrict);
        }
        if self.eat(Keyword::Cascade) {
            return Ok(ReferentialAction::Cascade);
        }
        self.expect(Keyword::Set)?;
        if self.eat(Keyword::Null) {
            return Ok(ReferentialAction::SetNull(self.optional_columns()?));
        }
        self.expect(Keyword::Default)?;
        Ok(ReferentialAction::SetDefault(self.optional_columns()?))
    }

    /// `DEFERRABLE`, `INITIALLY ...`, and in table constraints `NOT VALID` and `NO INHERIT`.
    pub(super) fn timing(&mut self, table: bool) -> Result<ConstraintTiming> {
        let mut timing = ConstraintTiming::default();
        loop {
            let position = self.start();
            if self.eat(Keyword::Deferrable) {
                timing.deferrable = Some(true);
            } else if self.eat_all(&[Keyword::Not, Keyword::Deferrable]) {
                timing.deferrable = Some(false);
            } else if self.eat(Keyword::Initially) {
                timing.initially_deferred = Some(if self.eat(Keyword::Deferred) {
                    true
                } else {
                    self.expect(Keyword::Immediate)?;
                    false
                });
            } else if table && self.eat_all(&[Keyword::Not, Keyword::Valid]) {
                timing.not_valid = true;
            } else if table && self.eat_all(&[Keyword::No, Keyword::Inherit]) {
                timing.no_inherit = true;
            } else {
                return Ok(timing);
            }
            if timing.deferrable == Some(false) && timing.initially_deferred == Some(true) {
                let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
                return Err(ParseError::new("42601", message, position));
            }
        }
    }

    /// A table constraint with its name and timing.
    pub(super) fn table_constraint(&mut self) -> Result<TableConstraint> {
        let start = self.start();
        let name = if self.eat(Keyword::Constraint) { Some(self.column_id()?) } else { None };
        let kind = self.table_constraint_kind()?;
        let timing = self.timing(true)?;
        Ok(TableConstraint { name, kind, timing, span: self.span_from(start) })
    }

    fn table_constraint_kind(&mut self) -> Result<TableConstraintKind> {
        if self.eat(Keyword::Check) {
            self.expect_punctuation(b'(')?;
            let expr = self.expr()?;
            self.expect_punctuation(b')')?;
            return Ok(TableConstraintKind::Check(expr));
        }
        if self.eat(Keyword::Unique) {
            if self.eat_all(&[Keyword::Using, Keyword::Index]) {
                return Ok(TableConstraintKind::UsingIndex(self.column_id()?, false));
            }
            let mut not_distinct = false;
            self.nulls_distinct(&mut not_distinct);
            let columns = self.parenthesised(Self::column_id)?;
            let mut options = self.unique_options(true)?;
            options.nulls_not_distinct |= not_distinct;
            return Ok(TableConstraintKind::Unique(columns, options));
        }
        if self.eat_all(&[Keyword::Primary, Keyword::Key]) {
            if self.eat_all(&[Keyword::Using, Keyword::Index]) {
                return Ok(TableConstraintKind::UsingIndex(self.column_id()?, true));
            }
            let columns = self.parenthesised(Self::column_id)?;
            return Ok(TableConstraintKind::PrimaryKey(columns, self.unique_options(true)?));
        }
        if self.eat_all(&[Keyword::Foreign, Keyword::Key]) {
            let columns = self.parenthesised(Self::column_id)?;
            return Ok(TableConstraintKind::ForeignKey(columns, self.references()?));
        }
        self.expect(Keyword::Exclude)?;
        if self.eat(Keyword::Using) {
            self.column_id()?;
        }
        self.skip_parenthesis()?;
        if self.eat(Keyword::Include) {
            self.skip_parenthesis()?;
        }
        if self.eat(Keyword::With) {
            self.definition_options()?;
        }
        if self.eat_all(&[Keyword::Using, Keyword::Index, Keyword::Tablespace]) {
            self.column_id()?;
        }
        if self.eat(Keyword::Where) {
            self.skip_parenthesis()?;
        }
        Ok(TableConstraintKind::Exclude)
    }

    /// `(name = value, ...)` of a `WITH` clause.
    pub(super) fn definition_options(&mut self) -> Result<Vec<DefinitionOption>> {
        self.parenthesised(|parser| {
            let first = parser.label()?;
            let name = parser.name_after(first)?;
            let value =
                if parser.eat_punctuation(b'=') { Some(parser.option_text()?) } else { None };
            Ok(DefinitionOption { name, value })
        })
    }

    /// A word, name, number, string or operator as text (`def_arg`).
    pub(super) fn option_text(&mut self) -> Result<Box<str>> {
        if let Some(text) = self.eat_string()? {
            return Ok(text);
        }
        if let Some(number) = self.eat_number() {
            return Ok(number);
        }
        if let Some(symbol) = self.symbol() {
            self.bump();
            return Ok(symbol.as_str().into());
        }
        let first = self.label()?;
        Ok(self.name_after(first)?.to_string().into())
    }

    /// A parenthesis with anything balanced in it.
    pub(super) fn skip_parenthesis(&mut self) -> Result<()> {
        self.expect_punctuation(b'(')?;
        let mut depth = 1_usize;
        while depth > 0 {
            match self.kind() {
                Kind::End | Kind::Error => return Err(self.unexpected()),
                Kind::Punctuation(b'(') => depth += 1,
                Kind::Punctuation(b')') => depth -= 1,
                _ => {}
            }
            self.bump();
        }
        Ok(())
    }
}
