//! Queries: `WITH`, `SELECT`, `VALUES`, set operations, and the clauses that follow them.

use super::Parser;
use super::primary::Parenthesis;
use crate::ast::{
    CommonTable, Distinct, Expr, ExprKind, GroupItem, IntoTable, Literal, LockStrength, LockWait,
    Locking, NamedWindow, OrderBy, OrderDirection, Persistence, Query, QueryBody, Select,
    SelectItem, SetOperation, SetOperationKind, Span, TableRef, TableRefKind, With,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    /// A query, with its `WITH` (`select_no_parens`, or in parentheses).
    pub(super) fn query(&mut self) -> Result<Query> {
        self.enter()?;
        let collect = self.collect();
        let start = self.start();
        let with = if self.at_keyword(Keyword::With) { Some(self.with()?) } else { None };
        let mut query = self.query_body(start)?;
        if let Some(with) = with {
            attach_with(&mut query, with)?;
        }
        query.span = self.span_from(start);
        self.grown(collect)?;
        self.count_child();
        self.leave();
        Ok(query)
    }

    /// What follows a `WITH` that is already read.
    pub(super) fn query_with(&mut self, with: Option<With>, start: u32) -> Result<Query> {
        let mut query = self.query_body(start)?;
        if let Some(with) = with {
            attach_with(&mut query, with)?;
        }
        query.span = self.span_from(start);
        Ok(query)
    }

    fn query_body(&mut self, start: u32) -> Result<Query> {
        let first = self.query_arm()?;
        let query = self.set_operations(first, 0)?;
        self.query_clauses(query, start)
    }

    /// The rest of a query whose first arm, a parenthesised query, is `first`.
    pub(super) fn query_after(&mut self, first: Query) -> Result<Query> {
        let start = first.span.start;
        let query = self.set_operations(first, 0)?;
        let query = self.query_clauses(query, start)?;
        self.count_child();
        Ok(query)
    }

    /// What follows a parenthesised query goes on with it.
    pub(super) fn at_query_continuation(&self) -> bool {
        self.at_any(&[
            Keyword::Union,
            Keyword::Intersect,
            Keyword::Except,
            Keyword::Order,
            Keyword::Limit,
            Keyword::Offset,
            Keyword::Fetch,
            Keyword::For,
        ])
    }

    /// An arm of a set operation: `SELECT`, `VALUES`, `TABLE`, or a query in parentheses.
    fn query_arm(&mut self) -> Result<Query> {
        self.enter()?;
        let collect = self.collect();
        let start = self.start();
        let query = match self.kind() {
            Kind::Keyword(Keyword::Select) => self.select()?,
            Kind::Keyword(Keyword::Values) => self.values()?,
            Kind::Keyword(Keyword::Table) => self.table_query()?,
            Kind::Punctuation(b'(') => match self.parenthesis()? {
                Parenthesis::Query(query) => *query,
                Parenthesis::Expr(_) | Parenthesis::List(_) => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        let _ = start;
        self.grown(collect)?;
        self.count_child();
        self.leave();
        Ok(query)
    }

    /// `left` and the set operations after it that bind at least as tightly as `min`.
    fn set_operations(&mut self, mut left: Query, min: u8) -> Result<Query> {
        loop {
            let (kind, bind) = match self.kind() {
                Kind::Keyword(Keyword::Union) => (SetOperationKind::Union, 0),
                Kind::Keyword(Keyword::Except) => (SetOperationKind::Except, 0),
                Kind::Keyword(Keyword::Intersect) => (SetOperationKind::Intersect, 1),
                _ => return Ok(left),
            };
            if bind < min {
                return Ok(left);
            }
            let height = self.height;
            let collect = self.collect();
            let token = self.bump();
            let all = self.eat(Keyword::All);
            if !all {
                self.eat(Keyword::Distinct);
            }
            let right = self.query_arm()?;
            let right = self.set_operations(right, bind + 1)?;
            self.wrapped(collect, height)?;
            let span = left.span.to(right.span);
            let operation =
                SetOperation { kind, all, left, right, span: Span::new(token.start, token.end) };
            left = plain_query(QueryBody::SetOperation(Box::new(operation)), span);
            self.count_child();
        }
    }

    /// `ORDER BY`, `LIMIT`, `OFFSET`, `FETCH` and `FOR ...` into `query`.
    fn query_clauses(&mut self, mut query: Query, start: u32) -> Result<Query> {
        let position = self.start();
        let order_by = self.optional_order_by()?;
        if !order_by.is_empty() {
            refuse_second(!query.order_by.is_empty(), "ORDER BY", position)?;
            query.order_by = order_by;
        }
        loop {
            match self.kind() {
                Kind::Keyword(Keyword::Limit) => self.limit(&mut query)?,
                Kind::Keyword(Keyword::Fetch) => self.fetch(&mut query)?,
                Kind::Keyword(Keyword::Offset) => {
                    let position = self.bump().start;
                    refuse_second(query.offset.is_some(), "OFFSET", position)?;
                    query.offset = Some(self.expr()?);
                    if !self.eat(Keyword::Row) {
                        self.eat(Keyword::Rows);
                    }
                }
                Kind::Keyword(Keyword::For) => self.locking(&mut query)?,
                _ => break,
            }
        }
        let skips = |locking: &Locking| locking.wait == LockWait::SkipLocked;
        if query.with_ties && query.locking.iter().any(skips) {
            let message = "SKIP LOCKED and WITH TIES options cannot be used together";
            return Err(ParseError::new("42601", message, start));
        }
        query.span = self.span_from(start);
        Ok(query)
    }

    fn limit(&mut self, query: &mut Query) -> Result<()> {
        let position = self.bump().start;
        refuse_second(query.limit.is_some(), "LIMIT", position)?;
        if !self.eat(Keyword::All) {
            query.limit = Some(self.expr()?);
        }
        if self.at_punctuation(b',') {
            return Err(ParseError::new("42601", "LIMIT #,# syntax is not supported", position)
                .with_hint("Use separate LIMIT and OFFSET clauses."));
        }
        Ok(())
    }

    /// `FETCH FIRST [n] ROWS ONLY | WITH TIES`.
    fn fetch(&mut self, query: &mut Query) -> Result<()> {
        let word = self.bump();
        refuse_second(query.limit.is_some(), "LIMIT", word.start)?;
        if !self.eat(Keyword::First) {
            self.expect(Keyword::Next)?;
        }
        query.limit = Some(if self.at_any(&[Keyword::Row, Keyword::Rows]) {
            let one = ExprKind::Literal(Literal::Integer(1));
            Expr::new(one, Span::new(word.start, word.end))
        } else if let Kind::Punctuation(b'+' | b'-') = self.kind() {
            let start = self.start();
            let number = self.signed_integer()?;
            Expr::new(ExprKind::Literal(Literal::Integer(number)), self.span_from(start))
        } else {
            let expr = self.primary()?;
            self.count_child();
            expr
        });
        if !self.eat(Keyword::Row) {
            self.expect(Keyword::Rows)?;
        }
        if self.eat(Keyword::Only) {
            return Ok(());
        }
        self.expect_all(&[Keyword::With, Keyword::Ties])?;
        query.with_ties = true;
        if query.order_by.is_empty() {
            return Err(ParseError::new(
                "42601",
                "WITH TIES cannot be specified without ORDER BY clause",
                word.start,
            ));
        }
        Ok(())
    }

    fn locking(&mut self, query: &mut Query) -> Result<()> {
        let start = self.bump().start;
        if self.eat(Keyword::Read) {
            return self.expect(Keyword::Only);
        }
        let strength = if self.eat(Keyword::Update) {
            LockStrength::Update
        } else if self.eat_all(&[Keyword::No, Keyword::Key, Keyword::Update]) {
            LockStrength::NoKeyUpdate
        } else if self.eat(Keyword::Share) {
            LockStrength::Share
        } else {
            self.expect_all(&[Keyword::Key, Keyword::Share])?;
            LockStrength::KeyShare
        };
        let tables =
            if self.eat(Keyword::Of) { self.list(Self::relation_name)? } else { Vec::new() };
        let wait = if self.eat(Keyword::Nowait) {
            LockWait::NoWait
        } else if self.eat_all(&[Keyword::Skip, Keyword::Locked]) {
            LockWait::SkipLocked
        } else {
            LockWait::Block
        };
        query.locking.push(Locking { strength, tables, wait, span: self.span_from(start) });
        Ok(())
    }

    /// `WITH ...`; the word is the next token.
    pub(super) fn with(&mut self) -> Result<With> {
        let start = self.start();
        self.expect(Keyword::With)?;
        let recursive = self.eat(Keyword::Recursive);
        let tables = self.list(Self::common_table)?;
        Ok(With { recursive, tables, span: self.span_from(start) })
    }

    fn common_table(&mut self) -> Result<CommonTable> {
        let name = self.column_id()?;
        let columns = self.optional_columns()?;
        self.expect(Keyword::As)?;
        let materialized = if self.eat(Keyword::Materialized) {
            Some(true)
        } else if self.eat_all(&[Keyword::Not, Keyword::Materialized]) {
            Some(false)
        } else {
            None
        };
        self.expect_punctuation(b'(')?;
        let statement = Box::new(self.preparable_statement()?);
        self.expect_punctuation(b')')?;
        let search_or_cycle = self.search_or_cycle()?;
        Ok(CommonTable { name, columns, materialized, statement, search_or_cycle })
    }

    /// `SEARCH ... SET name` and `CYCLE ... USING name`: where they stand.
    fn search_or_cycle(&mut self) -> Result<Option<Span>> {
        if !self.at_any(&[Keyword::Search, Keyword::Cycle]) {
            return Ok(None);
        }
        let start = self.start();
        if self.eat(Keyword::Search) {
            if !self.eat(Keyword::Breadth) {
                self.expect(Keyword::Depth)?;
            }
            self.expect_all(&[Keyword::First, Keyword::By])?;
            self.list(Self::column_id)?;
            self.expect(Keyword::Set)?;
            self.column_id()?;
        }
        if self.eat(Keyword::Cycle) {
            self.list(Self::column_id)?;
            self.expect(Keyword::Set)?;
            self.column_id()?;
            if self.eat(Keyword::To) {
                self.primary()?;
                self.expect(Keyword::Default)?;
                self.primary()?;
            }
            self.expect(Keyword::Using)?;
            self.column_id()?;
        }
        Ok(Some(self.span_from(start)))
    }

    fn values(&mut self) -> Result<Query> {
        let start = self.bump().start;
        let rows = self.list(|parser| parser.parenthesised(Self::expr))?;
        Ok(plain_query(QueryBody::Values(rows), self.span_from(start)))
    }

    /// `TABLE t`.
    fn table_query(&mut self) -> Result<Query> {
        let start = self.bump().start;
        let (name, only) = self.relation()?;
        let span = self.span_from(start);
        let kind = TableRefKind::Table { name, only, sample: None };
        let mut select = empty_select(span);
        select
            .items
            .push(SelectItem { expr: Expr::new(ExprKind::Wildcard(None), span), alias: None });
        select.from.push(TableRef { kind, alias: None, span });
        Ok(plain_query(QueryBody::Select(Box::new(select)), span))
    }

    fn select(&mut self) -> Result<Query> {
        let start = self.bump().start;
        let mut select = Box::new(empty_select(Span::new(start, start)));
        if self.eat(Keyword::Distinct) {
            select.distinct = if self.eat(Keyword::On) {
                Distinct::On(self.parenthesised(Self::expr)?)
            } else {
                Distinct::Rows
            };
        } else {
            self.eat(Keyword::All);
        }
        if select.distinct != Distinct::No || !self.at_end_of_items() {
            select.items = self.list(Self::select_item)?;
        }
        if self.eat(Keyword::Into) {
            select.into = Some(self.table_after_into()?);
        }
        if self.eat(Keyword::From) {
            select.from = self.list(Self::table_ref)?;
        }
        if self.eat(Keyword::Where) {
            select.filter = Some(self.expr()?);
        }
        if self.eat_all(&[Keyword::Group, Keyword::By]) {
            if self.eat(Keyword::Distinct) {
                select.group_distinct = true;
            } else {
                self.eat(Keyword::All);
            }
            select.group_by = self.list(Self::group_item)?;
        }
        if self.eat(Keyword::Having) {
            select.having = Some(self.expr()?);
        }
        if self.eat(Keyword::Window) {
            select.windows = self.list(|parser| {
                let name = parser.column_id()?;
                parser.expect(Keyword::As)?;
                Ok(NamedWindow { name, definition: parser.window_definition()? })
            })?;
        }
        select.span = self.span_from(start);
        let span = select.span;
        Ok(plain_query(QueryBody::Select(select), span))
    }

    /// Nothing that could be a select item follows: the list is empty.
    fn at_end_of_items(&self) -> bool {
        matches!(self.kind(), Kind::End | Kind::Punctuation(b')' | b';'))
            || self.at_query_continuation()
            || self.at_any(&[
                Keyword::From,
                Keyword::Into,
                Keyword::Where,
                Keyword::Group,
                Keyword::Having,
                Keyword::Window,
            ])
    }

    /// `*`, `expr`, `expr AS label`, `expr label`.
    pub(super) fn select_item(&mut self) -> Result<SelectItem> {
        if self.at_punctuation(b'*') {
            let token = self.bump();
            let span = Span::new(token.start, token.end);
            return Ok(SelectItem { expr: Expr::new(ExprKind::Wildcard(None), span), alias: None });
        }
        let expr = self.expr()?;
        let alias = if self.eat(Keyword::As) {
            Some(self.label()?)
        } else {
            match self.kind() {
                Kind::Identifier | Kind::QuotedIdentifier | Kind::UnicodeIdentifier => {
                    Some(self.label()?)
                }
                Kind::Keyword(keyword) if keyword.bare_label() => Some(self.label()?),
                _ => None,
            }
        };
        Ok(SelectItem { expr, alias })
    }

    /// `[TEMP | UNLOGGED] [TABLE] name`.
    fn table_after_into(&mut self) -> Result<IntoTable> {
        let persistence = self.persistence();
        self.eat(Keyword::Table);
        Ok(IntoTable { name: self.relation_name()?, persistence })
    }

    /// `TEMP`, `TEMPORARY`, `LOCAL TEMP`, `GLOBAL TEMP`, `UNLOGGED`, or nothing.
    pub(super) fn persistence(&mut self) -> Persistence {
        let scoped = self.at_any(&[Keyword::Local, Keyword::Global]);
        let temporary = Kind::Keyword(Keyword::Temporary);
        let temp = Kind::Keyword(Keyword::Temp);
        let kind = self.kind_at(usize::from(scoped));
        if kind == temp || kind == temporary {
            self.at += 1 + usize::from(scoped);
            return Persistence::Temporary;
        }
        if self.eat(Keyword::Unlogged) { Persistence::Unlogged } else { Persistence::Permanent }
    }

    fn group_item(&mut self) -> Result<GroupItem> {
        let start = self.start();
        let opens = self.kind_at(1) == Kind::Punctuation(b'(');
        if self.at_punctuation(b'(') && self.kind_at(1) == Kind::Punctuation(b')') {
            self.at += 2;
            return Ok(GroupItem::Empty(self.span_from(start)));
        }
        if opens && self.eat(Keyword::Rollup) {
            let list = self.parenthesised(Self::expr)?;
            return Ok(GroupItem::Rollup(list, self.span_from(start)));
        }
        if opens && self.eat(Keyword::Cube) {
            let list = self.parenthesised(Self::expr)?;
            return Ok(GroupItem::Cube(list, self.span_from(start)));
        }
        if self.eat_all(&[Keyword::Grouping, Keyword::Sets]) {
            self.enter()?;
            let items = self.parenthesised(Self::group_item)?;
            self.leave();
            return Ok(GroupItem::Sets(items, self.span_from(start)));
        }
        Ok(GroupItem::Expr(self.expr()?))
    }

    /// `ORDER BY ...`, or nothing.
    pub(super) fn optional_order_by(&mut self) -> Result<Vec<OrderBy>> {
        if self.at_keyword(Keyword::Order) { self.order_by() } else { Ok(Vec::new()) }
    }

    pub(super) fn order_by(&mut self) -> Result<Vec<OrderBy>> {
        self.expect_all(&[Keyword::Order, Keyword::By])?;
        self.list(|parser| {
            let expr = parser.expr()?;
            let direction = if parser.eat(Keyword::Using) {
                OrderDirection::Using(parser.order_operator()?)
            } else {
                parser.direction()
            };
            Ok(OrderBy { expr, direction, nulls_first: parser.nulls_first()? })
        })
    }

    fn order_operator(&mut self) -> Result<crate::ast::Operator> {
        if self.at_keyword(Keyword::Operator) {
            self.operator_call()
        } else {
            self.qualified_operator()
        }
    }

    /// `ASC`, `DESC`, or nothing.
    pub(super) fn direction(&mut self) -> OrderDirection {
        if self.eat(Keyword::Asc) {
            OrderDirection::Ascending
        } else if self.eat(Keyword::Desc) {
            OrderDirection::Descending
        } else {
            OrderDirection::Default
        }
    }

    /// `NULLS FIRST`, `NULLS LAST`, or nothing.
    pub(super) fn nulls_first(&mut self) -> Result<Option<bool>> {
        if !self.eat(Keyword::Nulls) {
            return Ok(None);
        }
        if self.eat(Keyword::First) {
            return Ok(Some(true));
        }
        self.expect(Keyword::Last)?;
        Ok(Some(false))
    }
}

/// `query` under another `WITH`, which it may not have already.
fn attach_with(query: &mut Query, with: With) -> Result<()> {
    if query.with.is_some() {
        let position = with.span.start;
        return Err(ParseError::new("42601", "multiple WITH clauses not allowed", position));
    }
    query.with = Some(with);
    Ok(())
}

fn refuse_second(present: bool, clause: &str, position: u32) -> Result<()> {
    if !present {
        return Ok(());
    }
    Err(ParseError::new("42601", format!("multiple {clause} clauses not allowed"), position))
}

/// A query that is `body` alone.
pub(super) fn plain_query(body: QueryBody, span: Span) -> Query {
    Query {
        with: None,
        body,
        order_by: Vec::new(),
        limit: None,
        with_ties: false,
        offset: None,
        locking: Vec::new(),
        span,
    }
}

fn empty_select(span: Span) -> Select {
    Select {
        distinct: Distinct::No,
        items: Vec::new(),
        into: None,
        from: Vec::new(),
        filter: None,
        group_by: Vec::new(),
        group_distinct: false,
        having: None,
        windows: Vec::new(),
        span,
    }
}
