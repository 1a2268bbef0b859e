//! `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`.

use super::Parser;
use crate::ast::{
    Assignment, ColumnTarget, ConflictTarget, Delete, Expr, ExprKind, Ident, Insert, Name,
    OnConflict, Overriding, SelectItem, TargetStep, Truncate, Update, With,
};
use crate::error::Result;
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    pub(super) fn insert(&mut self, with: Option<With>, start: u32) -> Result<Insert> {
        self.expect_all(&[Keyword::Insert, Keyword::Into])?;
        let table = self.relation_name()?;
        let alias = if self.eat(Keyword::As) { Some(self.column_id()?) } else { None };
        let mut columns = Vec::new();
        if self.at_punctuation(b'(') && !self.query_after_parentheses(0) {
            columns = self.parenthesised(Self::column_target)?;
        }
        let overriding = if self.eat(Keyword::Overriding) {
            let kind =
                if self.eat(Keyword::System) { Overriding::System } else { Overriding::User };
            if kind == Overriding::User {
                self.expect(Keyword::User)?;
            }
            self.expect(Keyword::Value)?;
            Some(kind)
        } else {
            None
        };
        let source = if columns.is_empty()
            && overriding.is_none()
            && self.eat_all(&[Keyword::Default, Keyword::Values])
        {
            None
        } else {
            Some(Box::new(self.query()?))
        };
        let on_conflict =
            if self.at_keyword(Keyword::On) { Some(Box::new(self.on_conflict()?)) } else { None };
        let returning = self.returning()?;
        Ok(Insert {
            with,
            table,
            alias,
            columns,
            overriding,
            source,
            on_conflict,
            returning,
            span: self.span_from(start),
        })
    }

    /// A column and steps into it.
    fn column_target(&mut self) -> Result<ColumnTarget> {
        let name = self.column_id()?;
        let mut path = Vec::new();
        loop {
            if self.eat_punctuation(b'.') {
                path.push(TargetStep::Field(self.label()?));
            } else if self.at_punctuation(b'[') {
                path.push(TargetStep::Subscript(self.subscript()?));
            } else {
                return Ok(ColumnTarget { name, path });
            }
        }
    }

    fn on_conflict(&mut self) -> Result<OnConflict> {
        let start = self.start();
        self.expect_all(&[Keyword::On, Keyword::Conflict])?;
        let target_start = self.start();
        let target = if self.eat_all(&[Keyword::On, Keyword::Constraint]) {
            ConflictTarget::Constraint(self.column_id()?)
        } else if self.at_punctuation(b'(') {
            let columns = self.parenthesised(Self::index_column)?;
            ConflictTarget::Columns(columns, self.optional_where()?)
        } else {
            ConflictTarget::None
        };
        let is_any = target == ConflictTarget::None;
        let target_span = self.span_from(if is_any { start } else { target_start });
        self.expect(Keyword::Do)?;
        let update = if self.eat(Keyword::Nothing) {
            None
        } else {
            self.expect_all(&[Keyword::Update, Keyword::Set])?;
            let assignments = self.list(Self::assignment)?;
            Some((assignments, self.optional_where()?))
        };
        Ok(OnConflict { target, target_span, update, span: self.span_from(start) })
    }

    /// `WHERE condition`, or nothing.
    pub(super) fn optional_where(&mut self) -> Result<Option<Expr>> {
        if self.eat(Keyword::Where) { self.expr().map(Some) } else { Ok(None) }
    }

    /// `WHERE condition`, `WHERE CURRENT OF cursor`, or nothing.
    fn where_or_current_of(&mut self) -> Result<Option<Expr>> {
        if self.at_keyword(Keyword::Where)
            && self.keyword_at(1, Keyword::Current)
            && self.keyword_at(2, Keyword::Of)
        {
            let start = self.tokens[self.at + 1].start;
            self.at += 3;
            let cursor = self.column_id()?;
            return Ok(Some(Expr::new(ExprKind::CurrentOf(cursor), self.span_from(start))));
        }
        self.optional_where()
    }

    fn returning(&mut self) -> Result<Vec<SelectItem>> {
        if self.eat(Keyword::Returning) { self.list(Self::select_item) } else { Ok(Vec::new()) }
    }

    /// `a = value` or `(a, b) = row`.
    pub(super) fn assignment(&mut self) -> Result<Assignment> {
        let tuple = self.at_punctuation(b'(');
        let columns = if tuple {
            self.parenthesised(Self::column_target)?
        } else {
            vec![self.column_target()?]
        };
        self.expect_punctuation(b'=')?;
        Ok(Assignment { columns, value: self.expr()?, tuple })
    }

    /// A table to change: with `ONLY`, and an alias that is not `SET` unless `AS` stands before it.
    fn target_table(&mut self) -> Result<(Name, bool, Option<Ident>)> {
        let (name, only) = self.relation()?;
        let alias =
            if self.eat(Keyword::As) || (self.at_column_id() && !self.at_keyword(Keyword::Set)) {
                Some(self.column_id()?)
            } else {
                None
            };
        Ok((name, only, alias))
    }

    pub(super) fn update(&mut self, with: Option<With>, start: u32) -> Result<Update> {
        self.expect(Keyword::Update)?;
        let (table, only, alias) = self.target_table()?;
        self.expect(Keyword::Set)?;
        let assignments = self.list(Self::assignment)?;
        let from = if self.eat(Keyword::From) { self.list(Self::table_ref)? } else { Vec::new() };
        let filter = self.where_or_current_of()?;
        let returning = self.returning()?;
        let span = self.span_from(start);
        Ok(Update { with, table, only, alias, assignments, from, filter, returning, span })
    }

    pub(super) fn delete(&mut self, with: Option<With>, start: u32) -> Result<Delete> {
        self.expect_all(&[Keyword::Delete, Keyword::From])?;
        let (table, only, alias) = self.target_table()?;
        let using = if self.eat(Keyword::Using) { self.list(Self::table_ref)? } else { Vec::new() };
        let filter = self.where_or_current_of()?;
        let returning = self.returning()?;
        let span = self.span_from(start);
        Ok(Delete { with, table, only, alias, using, filter, returning, span })
    }

    pub(super) fn truncate(&mut self) -> Result<Truncate> {
        self.expect(Keyword::Truncate)?;
        self.eat(Keyword::Table);
        let tables = self.list(Self::relation)?;
        let restart_identity = self.eat_all(&[Keyword::Restart, Keyword::Identity]);
        if !restart_identity {
            self.eat_all(&[Keyword::Continue, Keyword::Identity]);
        }
        Ok(Truncate { tables, restart_identity, cascade: self.cascade() })
    }

    /// The statement ends here.
    pub(super) fn at_statement_end(&self) -> bool {
        matches!(self.kind(), Kind::End | Kind::Error | Kind::Punctuation(b';'))
    }
}
