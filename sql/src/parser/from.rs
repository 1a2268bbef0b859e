//! `FROM`: tables, subqueries, functions and joins.

use super::Parser;
use crate::ast::{
    ColumnDefinition, Expr, ExprKind, Join, JoinCondition, JoinKind, Name, Query, QueryBody,
    TableAlias, TableFunction, TableRef, TableRefKind, TableSample,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

/// What a parenthesis in `FROM` holds.
enum FromParenthesis {
    Query(Box<Query>),
    Table(TableRef),
}

impl Parser<'_> {
    /// An entry of `FROM`, with its joins.
    pub(super) fn table_ref(&mut self) -> Result<TableRef> {
        self.enter()?;
        let collect = self.collect();
        let left = self.table_primary()?;
        self.grown(collect)?;
        let table = self.joins(left)?;
        self.count_child();
        self.leave();
        Ok(table)
    }

    /// `left` and the joins after it.
    fn joins(&mut self, mut left: TableRef) -> Result<TableRef> {
        while let Some(kind) = self.join_kind()? {
            let height = self.height;
            let collect = self.collect();
            let (kind, natural) = kind;
            let (right, condition) = if natural || kind == JoinKind::Cross {
                let right = self.table_primary()?;
                let natural = if natural { JoinCondition::Natural } else { JoinCondition::None };
                (right, natural)
            } else {
                // Joins whose condition comes later belong to the right side.
                let right = self.table_ref()?;
                (right, self.join_condition()?)
            };
            self.wrapped(collect, height)?;
            let span = self.span_from(left.span.start);
            let join = Join { left, right, kind, condition };
            left = TableRef { kind: TableRefKind::Join(Box::new(join)), alias: None, span };
        }
        Ok(left)
    }

    /// The words of a join up to `JOIN`, and whether it is natural.
    fn join_kind(&mut self) -> Result<Option<(JoinKind, bool)>> {
        if self.eat_all(&[Keyword::Cross, Keyword::Join]) {
            return Ok(Some((JoinKind::Cross, false)));
        }
        let natural = self.at_keyword(Keyword::Natural);
        if natural {
            self.bump();
        }
        let kind = match self.kind() {
            Kind::Keyword(Keyword::Join) => {
                self.bump();
                return Ok(Some((JoinKind::Inner, natural)));
            }
            Kind::Keyword(Keyword::Inner) => JoinKind::Inner,
            Kind::Keyword(Keyword::Left) => JoinKind::Left,
            Kind::Keyword(Keyword::Right) => JoinKind::Right,
            Kind::Keyword(Keyword::Full) => JoinKind::Full,
            _ if natural => return Err(self.unexpected()),
            _ => return Ok(None),
        };
        self.bump();
        if kind != JoinKind::Inner {
            self.eat(Keyword::Outer);
        }
        self.expect(Keyword::Join)?;
        Ok(Some((kind, natural)))
    }

    fn join_condition(&mut self) -> Result<JoinCondition> {
        if self.eat(Keyword::On) {
            return Ok(JoinCondition::On(self.expr()?));
        }
        self.expect(Keyword::Using)?;
        let columns = self.parenthesised(Self::column_id)?;
        let alias = if self.eat(Keyword::As) { Some(self.column_id()?) } else { None };
        Ok(JoinCondition::Using(columns, alias))
    }

    /// A table, subquery, function or parenthesised join, with its alias.
    fn table_primary(&mut self) -> Result<TableRef> {
        let start = self.start();
        let lateral = self.eat(Keyword::Lateral);
        if self.at_punctuation(b'(') {
            let content = self.join_parenthesis()?;
            return self.after_join_parenthesis(content, lateral, start);
        }
        if self.keyword_at(1, Keyword::From) && self.at_keyword(Keyword::Rows) {
            return self.rows_from(lateral, start);
        }
        if self.at_function() {
            let call = self.primary()?;
            return self.function_ref(call, lateral, start);
        }
        if lateral {
            return Err(self.unexpected());
        }
        let (name, only) = self.relation()?;
        let alias = self.optional_alias()?;
        let sample = if self.at_keyword(Keyword::Tablesample) {
            Some(Box::new(self.table_sample()?))
        } else {
            None
        };
        let kind = TableRefKind::Table { name, only, sample };
        Ok(TableRef { kind, alias, span: self.span_from(start) })
    }

    /// A function's call, and not a table's name, follows.
    fn at_function(&self) -> bool {
        if let Kind::Keyword(keyword) = self.kind()
            && matches!(
                keyword,
                Keyword::CurrentDate
                    | Keyword::CurrentTime
                    | Keyword::CurrentTimestamp
                    | Keyword::Localtime
                    | Keyword::Localtimestamp
                    | Keyword::CurrentRole
                    | Keyword::CurrentUser
                    | Keyword::SessionUser
                    | Keyword::User
                    | Keyword::CurrentCatalog
                    | Keyword::CurrentSchema
                    | Keyword::Cast
                    | Keyword::Collation
            )
        {
            return keyword != Keyword::Collation || self.keyword_at(1, Keyword::For);
        }
        // A name, perhaps qualified, and then an opening parenthesis.
        if !matches!(
            self.kind(),
            Kind::Identifier | Kind::QuotedIdentifier | Kind::UnicodeIdentifier | Kind::Keyword(_)
        ) {
            return false;
        }
        if self.at_keyword(Keyword::Only) {
            return false;
        }
        let mut ahead = 1;
        while self.kind_at(ahead) == Kind::Punctuation(b'.') {
            ahead += 2;
        }
        self.kind_at(ahead) == Kind::Punctuation(b'(')
    }

    fn function_ref(&mut self, call: Expr, lateral: bool, start: u32) -> Result<TableRef> {
        if let ExprKind::Function(call) = &call.kind
            && call.over.is_some()
        {
            return Err(self.unexpected());
        }
        let ordinality = self.eat_all(&[Keyword::With, Keyword::Ordinality]);
        let alias = self.function_alias()?;
        let kind = TableRefKind::Function {
            lateral,
            functions: vec![TableFunction { call, columns: Vec::new() }],
            rows_from: false,
            ordinality,
        };
        Ok(TableRef { kind, alias, span: self.span_from(start) })
    }

    /// `ROWS FROM (f(...) AS (...), ...)`.
    fn rows_from(&mut self, lateral: bool, start: u32) -> Result<TableRef> {
        self.at += 2;
        let functions = self.parenthesised(|parser| {
            if !parser.at_function() {
                return Err(parser.unexpected());
            }
            let call = parser.primary()?;
            let columns = if parser.eat(Keyword::As) {
                parser.parenthesised(Self::function_column)?
            } else {
                Vec::new()
            };
            Ok(TableFunction { call, columns })
        })?;
        let ordinality = self.eat_all(&[Keyword::With, Keyword::Ordinality]);
        let alias = self.function_alias()?;
        let kind = TableRefKind::Function { lateral, functions, rows_from: true, ordinality };
        Ok(TableRef { kind, alias, span: self.span_from(start) })
    }

    /// The alias of a function: like a table's, or with column definitions.
    fn function_alias(&mut self) -> Result<Option<TableAlias>> {
        let with_as = self.eat(Keyword::As);
        if with_as && self.at_punctuation(b'(') {
            let definitions = self.parenthesised(Self::function_column)?;
            return Ok(Some(TableAlias { name: None, columns: Vec::new(), definitions }));
        }
        if !with_as && !self.at_column_id() {
            return Ok(None);
        }
        let name = Some(self.column_id()?);
        let mut alias = TableAlias { name, columns: Vec::new(), definitions: Vec::new() };
        if self.at_punctuation(b'(') {
            let typed =
                self.column_id_at(1) && !matches!(self.kind_at(2), Kind::Punctuation(b',' | b')'));
            if typed {
                alias.definitions = self.parenthesised(Self::function_column)?;
            } else {
                alias.columns = self.parenthesised(Self::column_id)?;
            }
        }
        Ok(Some(alias))
    }

    /// `name type [COLLATE c]`.
    fn function_column(&mut self) -> Result<ColumnDefinition> {
        let start = self.start();
        let name = self.column_id()?;
        let type_name = self.type_name()?;
        let collation = if self.eat(Keyword::Collate) { Some(self.name()?) } else { None };
        let span = self.span_from(start);
        Ok(ColumnDefinition { name, type_name, collation, constraints: Vec::new(), span })
    }

    /// `AS t (a, b)`, `t`, or nothing.
    fn optional_alias(&mut self) -> Result<Option<TableAlias>> {
        if !self.eat(Keyword::As) && !self.at_column_id() {
            return Ok(None);
        }
        let name = Some(self.column_id()?);
        let columns = self.optional_columns()?;
        Ok(Some(TableAlias { name, columns, definitions: Vec::new() }))
    }

    fn table_sample(&mut self) -> Result<TableSample> {
        self.expect(Keyword::Tablesample)?;
        let method = self.function_name()?;
        let args = self.parenthesised(Self::expr)?;
        let repeatable = if self.eat(Keyword::Repeatable) {
            self.expect_punctuation(b'(')?;
            let seed = self.expr()?;
            self.expect_punctuation(b')')?;
            Some(seed)
        } else {
            None
        };
        Ok(TableSample { method, args, repeatable })
    }

    /// `t`, `t *`, `ONLY t`, `ONLY (t)` (`relation_expr`).
    pub(super) fn relation(&mut self) -> Result<(Name, bool)> {
        if self.eat(Keyword::Only) {
            let parenthesised = self.eat_punctuation(b'(');
            let name = self.relation_name()?;
            if parenthesised {
                self.expect_punctuation(b')')?;
            }
            return Ok((name, true));
        }
        let name = self.relation_name()?;
        self.eat_punctuation(b'*');
        Ok((name, false))
    }

    fn join_parenthesis(&mut self) -> Result<FromParenthesis> {
        self.enter()?;
        let start = self.start();
        self.expect_punctuation(b'(')?;
        let content = if self.at_query_word() {
            FromParenthesis::Query(Box::new(self.query()?))
        } else if self.query_after_parentheses(0) {
            self.nested_join_parenthesis()?
        } else {
            FromParenthesis::Table(self.table_ref()?)
        };
        if let FromParenthesis::Table(table) = &content
            && !matches!(table.kind, TableRefKind::Join(_))
        {
            return Err(self.unexpected());
        }
        self.expect_punctuation(b')')?;
        self.leave();
        Ok(match content {
            FromParenthesis::Table(mut table) => {
                table.span = self.span_from(start);
                FromParenthesis::Table(table)
            }
            query @ FromParenthesis::Query(_) => query,
        })
    }

    /// What begins with another parenthesis that holds a query at its bottom.
    fn nested_join_parenthesis(&mut self) -> Result<FromParenthesis> {
        let start = self.start();
        let collect = self.collect();
        let inner = self.join_parenthesis()?;
        self.grown(collect)?;
        let inner = match inner {
            FromParenthesis::Query(query) => {
                if self.at_punctuation(b')') {
                    self.count_child();
                    return Ok(FromParenthesis::Query(query));
                }
                if self.at_query_continuation() {
                    return Ok(FromParenthesis::Query(Box::new(self.query_after(*query)?)));
                }
                FromParenthesis::Query(query)
            }
            inner @ FromParenthesis::Table(_) => inner,
        };
        let left = self.after_join_parenthesis(inner, false, start)?;
        let table = self.joins(left)?;
        self.count_child();
        Ok(FromParenthesis::Table(table))
    }

    fn after_join_parenthesis(
        &mut self,
        content: FromParenthesis,
        lateral: bool,
        start: u32,
    ) -> Result<TableRef> {
        let alias = self.optional_alias()?;
        let kind = match content {
            FromParenthesis::Query(query) => {
                if alias.is_none() {
                    return Err(missing_alias(&query, start));
                }
                TableRefKind::Subquery { lateral, query }
            }
            FromParenthesis::Table(mut table) => {
                if lateral {
                    return Err(self.unexpected());
                }
                if alias.is_none() {
                    return Ok(table);
                }
                if table.alias.is_none() {
                    table.alias = alias;
                    table.span = self.span_from(start);
                    return Ok(table);
                }
                return Err(self.unexpected());
            }
        };
        Ok(TableRef { kind, alias, span: self.span_from(start) })
    }
}

fn missing_alias(query: &Query, start: u32) -> ParseError {
    if matches!(query.body, QueryBody::Values(_)) {
        return ParseError::new("42601", "VALUES in FROM must have an alias", start)
            .with_hint("For example, FROM (VALUES ...) [AS] foo.");
    }
    ParseError::new("42601", "subquery in FROM must have an alias", start)
        .with_hint("For example, FROM (SELECT ...) [AS] foo.")
}
