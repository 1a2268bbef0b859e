//! Indexes, views, sequences, schemas, `DROP` and `COMMENT`.

use super::Parser;
use crate::ast::{
    CheckOption, Comment, CreateIndex, CreateSchema, CreateSequence, CreateView, Drop, DropName,
    Expr, ExprKind, Ident, IndexColumn, Name, ObjectKind, Persistence, SequenceOption,
    SequenceOptionKind, Statement, TypeName,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    /// `CREATE [UNIQUE] INDEX`, from behind `INDEX`.
    pub(super) fn create_index(&mut self, unique: bool) -> Result<Statement> {
        let concurrently = self.eat(Keyword::Concurrently);
        let if_not_exists = self.if_not_exists();
        let name = if self.at_keyword(Keyword::On) && !if_not_exists {
            None
        } else {
            Some(self.column_id()?)
        };
        self.expect(Keyword::On)?;
        let (table, only) = self.relation()?;
        let method = if self.eat(Keyword::Using) { Some(self.column_id()?) } else { None };
        let columns = self.parenthesised(Self::index_column)?;
        let include = if self.eat(Keyword::Include) {
            self.parenthesised(Self::index_column)?
        } else {
            Vec::new()
        };
        let mut nulls_not_distinct = false;
        self.nulls_distinct(&mut nulls_not_distinct);
        let options = if self.eat(Keyword::With) { self.definition_options()? } else { Vec::new() };
        let tablespace = if self.eat(Keyword::Tablespace) { Some(self.column_id()?) } else { None };
        let filter = self.optional_where()?;
        Ok(Statement::CreateIndex(Box::new(CreateIndex {
            name,
            table,
            only,
            unique,
            concurrently,
            if_not_exists,
            method,
            columns,
            include,
            nulls_not_distinct,
            options,
            tablespace,
            filter,
        })))
    }

    /// A column, call or parenthesised expression, with its order (`index_elem`).
    pub(super) fn index_column(&mut self) -> Result<IndexColumn> {
        let start = self.start();
        let expr = if self.eat_punctuation(b'(') {
            let mut expr = self.expr()?;
            self.expect_punctuation(b')')?;
            expr.span = self.span_from(start);
            expr
        } else if self.column_id_at(0) && !matches!(self.kind_at(1), Kind::Punctuation(b'(' | b'.'))
        {
            let name = self.column_id()?;
            let span = name.span;
            Expr::new(ExprKind::Column(Name(vec![name])), span)
        } else {
            let expr = self.primary()?;
            if matches!(expr.kind, ExprKind::Column(_) | ExprKind::Literal(_)) {
                return Err(self.unexpected());
            }
            expr
        };
        let collation = if self.eat(Keyword::Collate) { Some(self.name()?) } else { None };
        let mut operator_class_options = Vec::new();
        let operator_class = if self.at_column_id()
            && !self.at_any(&[Keyword::Asc, Keyword::Desc, Keyword::Nulls])
        {
            let name = self.name()?;
            if self.at_punctuation(b'(') {
                operator_class_options = self.definition_options()?;
            }
            Some(name)
        } else {
            None
        };
        let direction = self.direction();
        let nulls_first = self.nulls_first()?;
        Ok(IndexColumn {
            expr,
            collation,
            operator_class,
            operator_class_options,
            direction,
            nulls_first,
        })
    }

    /// `CREATE [OR REPLACE] [TEMP] [RECURSIVE] VIEW`, from `RECURSIVE` or `VIEW` on.
    pub(super) fn create_view(
        &mut self,
        or_replace: bool,
        persistence: Persistence,
    ) -> Result<Statement> {
        let recursive = self.eat(Keyword::Recursive);
        self.expect(Keyword::View)?;
        let name = self.relation_name()?;
        let columns =
            if recursive { self.parenthesised(Self::column_id)? } else { self.optional_columns()? };
        let options = if self.eat(Keyword::With) { self.definition_options()? } else { Vec::new() };
        self.expect(Keyword::As)?;
        let query = Box::new(self.query()?);
        let check_option = if self.eat(Keyword::With) {
            let kind = if self.eat(Keyword::Local) {
                CheckOption::Local
            } else {
                self.eat(Keyword::Cascaded);
                CheckOption::Cascaded
            };
            self.expect_all(&[Keyword::Check, Keyword::Option])?;
            Some(kind)
        } else {
            None
        };
        Ok(Statement::CreateView(Box::new(CreateView {
            name,
            or_replace,
            persistence,
            recursive,
            columns,
            options,
            query,
            check_option,
        })))
    }

    /// `CREATE [TEMP] SEQUENCE`, from behind `SEQUENCE`.
    pub(super) fn create_sequence(&mut self, persistence: Persistence) -> Result<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = self.relation_name()?;
        let options = self.sequence_options()?;
        Ok(Statement::CreateSequence(CreateSequence { name, persistence, if_not_exists, options }))
    }

    /// Zero or more sequence options.
    pub(super) fn sequence_options(&mut self) -> Result<Vec<SequenceOption>> {
        let mut options = Vec::new();
        while let Some(option) = self.sequence_option()? {
            options.push(option);
        }
        Ok(options)
    }

    /// `(options)`, or nothing.
    pub(super) fn parenthesised_sequence_options(&mut self) -> Result<Vec<SequenceOption>> {
        if !self.eat_punctuation(b'(') {
            return Ok(Vec::new());
        }
        let options = self.sequence_options()?;
        if options.is_empty() {
            return Err(self.unexpected());
        }
        self.expect_punctuation(b')')?;
        Ok(options)
    }

    pub(super) fn sequence_option(&mut self) -> Result<Option<SequenceOption>> {
        let start = self.start();
        let Kind::Keyword(keyword) = self.kind() else { return Ok(None) };
        let kind = match keyword {
            Keyword::As => {
                self.bump();
                SequenceOptionKind::As(self.type_name()?)
            }
            Keyword::Increment => {
                self.bump();
                self.eat(Keyword::By);
                SequenceOptionKind::Increment(self.signed_integer()?)
            }
            Keyword::Minvalue => {
                self.bump();
                SequenceOptionKind::MinValue(Some(self.signed_integer()?))
            }
            Keyword::Maxvalue => {
                self.bump();
                SequenceOptionKind::MaxValue(Some(self.signed_integer()?))
            }
            Keyword::Start => {
                self.bump();
                self.eat(Keyword::With);
                SequenceOptionKind::Start(self.signed_integer()?)
            }
            Keyword::Restart => {
                self.bump();
                let with = self.eat(Keyword::With);
                let number = matches!(
                    self.kind(),
                    Kind::Integer | Kind::Number | Kind::Punctuation(b'-' | b'+')
                );
                SequenceOptionKind::Restart(if with || number {
                    Some(self.signed_integer()?)
                } else {
                    None
                })
            }
            Keyword::Cache => {
                self.bump();
                SequenceOptionKind::Cache(self.signed_integer()?)
            }
            Keyword::Cycle => {
                self.bump();
                SequenceOptionKind::Cycle(true)
            }
            Keyword::No => {
                let kind = match self.kind_at(1) {
                    Kind::Keyword(Keyword::Minvalue) => SequenceOptionKind::MinValue(None),
                    Kind::Keyword(Keyword::Maxvalue) => SequenceOptionKind::MaxValue(None),
                    Kind::Keyword(Keyword::Cycle) => SequenceOptionKind::Cycle(false),
                    _ => return Ok(None),
                };
                self.at += 2;
                kind
            }
            Keyword::Owned => {
                self.expect_all(&[Keyword::Owned, Keyword::By])?;
                let name = self.name()?;
                let none = name.0.len() == 1 && &*name.0[0].value == "none";
                SequenceOptionKind::OwnedBy(if none { None } else { Some(name) })
            }
            Keyword::Sequence if self.keyword_at(1, Keyword::Name) => {
                self.at += 2;
                SequenceOptionKind::SequenceName(self.name()?)
            }
            _ => return Ok(None),
        };
        Ok(Some(SequenceOption { kind, span: self.span_from(start) }))
    }

    /// `CREATE SCHEMA`, from behind `SCHEMA`.
    pub(super) fn create_schema(&mut self) -> Result<Statement> {
        let if_not_exists = self.if_not_exists();
        let name =
            if self.at_keyword(Keyword::Authorization) { None } else { Some(self.column_id()?) };
        let authorization =
            if self.eat(Keyword::Authorization) { Some(self.role_name()?) } else { None };
        let mut elements = Vec::new();
        while self.at_any(&[Keyword::Create, Keyword::Grant]) {
            if if_not_exists {
                return Err(ParseError::new(
                    "0A000",
                    "CREATE SCHEMA IF NOT EXISTS cannot include schema elements",
                    self.start(),
                ));
            }
            elements.push(self.statement()?);
        }
        Ok(Statement::CreateSchema(CreateSchema { name, authorization, if_not_exists, elements }))
    }

    /// `DROP`, from behind the word; none when the kind of object is not known.
    pub(super) fn drop_object(&mut self) -> Result<Option<Statement>> {
        let Some(object) = self.eat_object_kind() else { return Ok(None) };
        let concurrently = object == ObjectKind::Index && self.eat(Keyword::Concurrently);
        let if_exists = self.if_exists();
        let names = self.list(|parser| parser.drop_name(object))?;
        if object == ObjectKind::Database && self.at_punctuation(b'(')
            || self.at_keyword(Keyword::With)
        {
            self.eat(Keyword::With);
            self.skip_parenthesis()?;
        }
        let cascade = self.cascade();
        Ok(Some(Statement::Drop(Drop { object, names, if_exists, cascade, concurrently })))
    }

    fn drop_name(&mut self, object: ObjectKind) -> Result<DropName> {
        let name = match object {
            ObjectKind::Function
            | ObjectKind::Procedure
            | ObjectKind::Routine
            | ObjectKind::Aggregate => self.function_name()?,
            ObjectKind::Type | ObjectKind::Domain => self.type_name()?.name,
            ObjectKind::Table
            | ObjectKind::Index
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable
            | ObjectKind::Sequence => self.relation_name()?,
            ObjectKind::Role => Name(vec![self.role_ident()?]),
            _ => self.name()?,
        };
        let args = self.object_args(object)?;
        let on = match object {
            ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
                self.expect(Keyword::On)?;
                Some(self.name()?)
            }
            _ => None,
        };
        Ok(DropName { name, args, on })
    }

    /// `(types)` after the name of a function or aggregate.
    fn object_args(&mut self, object: ObjectKind) -> Result<Option<Vec<TypeName>>> {
        let callable = matches!(
            object,
            ObjectKind::Function
                | ObjectKind::Procedure
                | ObjectKind::Routine
                | ObjectKind::Aggregate
        );
        if !callable || !self.eat_punctuation(b'(') {
            return Ok(None);
        }
        let mut types = Vec::new();
        self.eat_punctuation(b'*');
        while !self.at_punctuation(b')') {
            self.eat_any(&[
                Keyword::In,
                Keyword::Out,
                Keyword::Inout,
                Keyword::Variadic,
                Keyword::Order,
                Keyword::By,
            ]);
            // An argument's name before its type does not count.
            if self.column_id_at(0)
                && !matches!(
                    self.kind_at(1),
                    Kind::Punctuation(b',' | b')' | b'(' | b'[' | b'.' | b'%')
                )
                && !self.at_any(&[
                    Keyword::Double,
                    Keyword::Character,
                    Keyword::Char,
                    Keyword::National,
                    Keyword::Nchar,
                    Keyword::Bit,
                    Keyword::Time,
                    Keyword::Timestamp,
                    Keyword::Interval,
                    Keyword::Setof,
                ])
            {
                self.bump();
            }
            types.push(self.type_name()?);
            if !self.eat_punctuation(b',') && !self.at_keyword(Keyword::Order) {
                break;
            }
        }
        self.expect_punctuation(b')')?;
        Ok(Some(types))
    }

    pub(super) fn eat_any(&mut self, keywords: &[Keyword]) -> bool {
        let found = self.at_any(keywords);
        if found {
            self.bump();
        }
        found
    }

    /// The key words of a kind of object, if they follow.
    pub(super) fn eat_object_kind(&mut self) -> Option<ObjectKind> {
        let Kind::Keyword(keyword) = self.kind() else { return None };
        let (object, words) = match keyword {
            Keyword::Table => (ObjectKind::Table, 1),
            Keyword::Index => (ObjectKind::Index, 1),
            Keyword::View => (ObjectKind::View, 1),
            Keyword::Materialized if self.keyword_at(1, Keyword::View) => {
                (ObjectKind::MaterializedView, 2)
            }
            Keyword::Sequence => (ObjectKind::Sequence, 1),
            Keyword::Schema => (ObjectKind::Schema, 1),
            Keyword::Type => (ObjectKind::Type, 1),
            Keyword::Domain => (ObjectKind::Domain, 1),
            Keyword::Function => (ObjectKind::Function, 1),
            Keyword::Procedure => (ObjectKind::Procedure, 1),
            Keyword::Routine => (ObjectKind::Routine, 1),
            Keyword::Aggregate => (ObjectKind::Aggregate, 1),
            Keyword::Trigger => (ObjectKind::Trigger, 1),
            Keyword::Rule => (ObjectKind::Rule, 1),
            Keyword::Policy => (ObjectKind::Policy, 1),
            Keyword::Extension => (ObjectKind::Extension, 1),
            Keyword::Collation => (ObjectKind::Collation, 1),
            Keyword::Conversion => (ObjectKind::Conversion, 1),
            Keyword::Database => (ObjectKind::Database, 1),
            Keyword::Role | Keyword::User | Keyword::Group => {
                if self.keyword_at(1, Keyword::Mapping) {
                    return None;
                }
                (ObjectKind::Role, 1)
            }
            Keyword::Tablespace => (ObjectKind::Tablespace, 1),
            Keyword::Statistics => (ObjectKind::Statistics, 1),
            Keyword::Foreign if self.keyword_at(1, Keyword::Table) => (ObjectKind::ForeignTable, 2),
            Keyword::Foreign
                if self.keyword_at(1, Keyword::Data) && self.keyword_at(2, Keyword::Wrapper) =>
            {
                (ObjectKind::ForeignDataWrapper, 3)
            }
            Keyword::Event if self.keyword_at(1, Keyword::Trigger) => (ObjectKind::EventTrigger, 2),
            Keyword::Language => (ObjectKind::Language, 1),
            Keyword::Procedural if self.keyword_at(1, Keyword::Language) => {
                (ObjectKind::Language, 2)
            }
            Keyword::Publication => (ObjectKind::Publication, 1),
            Keyword::Subscription => (ObjectKind::Subscription, 1),
            Keyword::Access if self.keyword_at(1, Keyword::Method) => (ObjectKind::AccessMethod, 2),
            Keyword::Server => (ObjectKind::Server, 1),
            Keyword::Text if self.keyword_at(1, Keyword::Search) => match self.kind_at(2) {
                Kind::Keyword(Keyword::Configuration) => (ObjectKind::TextSearchConfiguration, 3),
                Kind::Keyword(Keyword::Dictionary) => (ObjectKind::TextSearchDictionary, 3),
                Kind::Keyword(Keyword::Parser) => (ObjectKind::TextSearchParser, 3),
                Kind::Keyword(Keyword::Template) => (ObjectKind::TextSearchTemplate, 3),
                _ => return None,
            },
            _ => return None,
        };
        self.at += words;
        Some(object)
    }

    /// `COMMENT ON`, from behind `COMMENT`; none when the kind of object has no tree.
    pub(super) fn comment(&mut self) -> Result<Option<Statement>> {
        self.expect(Keyword::On)?;
        let object = if self.eat(Keyword::Column) {
            ObjectKind::Column
        } else if self.eat(Keyword::Constraint) {
            ObjectKind::Constraint
        } else if let Some(object) = self.eat_object_kind() {
            object
        } else {
            return Ok(None);
        };
        let name = match object {
            ObjectKind::Function
            | ObjectKind::Procedure
            | ObjectKind::Routine
            | ObjectKind::Aggregate => self.function_name()?,
            ObjectKind::Type | ObjectKind::Domain => self.type_name()?.name,
            ObjectKind::Role => Name(vec![self.role_ident()?]),
            _ => self.name()?,
        };
        let args = self.object_args(object)?;
        let mut object = object;
        let on = if matches!(
            object,
            ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy
        ) {
            self.expect(Keyword::On)?;
            if object == ObjectKind::Constraint && self.eat(Keyword::Domain) {
                object = ObjectKind::DomainConstraint;
            }
            Some(self.name()?)
        } else {
            None
        };
        self.expect(Keyword::Is)?;
        let text = if self.eat(Keyword::Null) { None } else { Some(self.string()?) };
        Ok(Some(Statement::Comment(Comment { object, name, args, on, text })))
    }

    /// The name of a role as an identifier: any word that is not reserved, or one of the special ones.
    pub(super) fn role_ident(&mut self) -> Result<Ident> {
        if self.at_any(&[Keyword::CurrentUser, Keyword::CurrentRole, Keyword::SessionUser]) {
            return self.label();
        }
        self.non_reserved()
    }
}
