//! The statement list, the choice by first word, and statements that are known by name only.

use super::Parser;
use crate::Parsed;
use crate::ast::{Discard, Do, Notify, Statement, Unsupported};
use crate::error::Result;
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    /// The whole text as statements separated by semicolons.
    pub(crate) fn statements(&mut self) -> Result<Vec<Parsed>> {
        let mut list = Vec::new();
        loop {
            while self.eat_punctuation(b';') {}
            if self.kind() == Kind::End {
                return Ok(list);
            }
            let start = self.start();
            let statement = self.statement()?;
            if !matches!(self.kind(), Kind::End | Kind::Punctuation(b';')) {
                return Err(self.unexpected());
            }
            list.push(Parsed { statement, span: self.span_from(start) });
        }
    }

    /// One statement.
    pub(super) fn statement(&mut self) -> Result<Statement> {
        self.enter()?;
        let statement = self.statement_inner()?;
        self.leave();
        Ok(statement)
    }

    fn statement_inner(&mut self) -> Result<Statement> {
        let start = self.start();
        let keyword = match self.kind() {
            Kind::Punctuation(b'(') => return self.preparable_statement(),
            Kind::Keyword(keyword) => keyword,
            _ => return Err(self.unexpected()),
        };
        match keyword {
            Keyword::Select
            | Keyword::Values
            | Keyword::Table
            | Keyword::With
            | Keyword::Insert
            | Keyword::Update
            | Keyword::Delete => self.preparable_statement(),
            Keyword::Truncate => self.truncate().map(Statement::Truncate),
            Keyword::Create => self.create(start),
            Keyword::Alter => self.alter(start),
            Keyword::Drop => self.drop_statement(start),
            Keyword::Explain => self.explain(),
            Keyword::Begin
            | Keyword::Start
            | Keyword::Commit
            | Keyword::End
            | Keyword::Rollback
            | Keyword::Abort
            | Keyword::Savepoint
            | Keyword::Release => self.transaction(keyword).map(Statement::Transaction),
            Keyword::Set => self.set(),
            Keyword::Reset => self.reset(),
            Keyword::Show => self.show(),
            Keyword::Prepare => self.prepare(),
            Keyword::Execute => {
                self.bump();
                self.execute()
            }
            Keyword::Deallocate => self.deallocate(),
            Keyword::Copy => self.copy(),
            Keyword::Declare => self.declare_cursor(),
            Keyword::Fetch | Keyword::Move => self.fetch_cursor(keyword == Keyword::Move),
            Keyword::Close => self.close_cursor(),
            Keyword::Discard => self.discard(),
            Keyword::Lock => self.lock_table(),
            Keyword::Comment => {
                self.bump();
                match self.comment()? {
                    Some(statement) => Ok(statement),
                    None => Ok(self.unsupported_statement("COMMENT", start)),
                }
            }
            Keyword::Vacuum => self.vacuum(),
            Keyword::Analyze | Keyword::Analyse => self.analyze(),
            Keyword::Checkpoint => {
                self.bump();
                Ok(Statement::Checkpoint)
            }
            Keyword::Cluster => self.cluster(),
            Keyword::Reindex => self.reindex(),
            Keyword::Listen => {
                self.bump();
                self.column_id().map(Statement::Listen)
            }
            Keyword::Unlisten => {
                self.bump();
                if self.eat_punctuation(b'*') {
                    return Ok(Statement::Unlisten(None));
                }
                Ok(Statement::Unlisten(Some(self.column_id()?)))
            }
            Keyword::Notify => {
                self.bump();
                let channel = self.column_id()?;
                let payload = if self.eat_punctuation(b',') { Some(self.string()?) } else { None };
                Ok(Statement::Notify(Notify { channel, payload }))
            }
            Keyword::Grant | Keyword::Revoke => self.grant(start),
            Keyword::Do => self.do_block(),
            Keyword::Merge => Ok(self.unsupported_statement("MERGE", start)),
            Keyword::Call => Ok(self.unsupported_statement("CALL", start)),
            Keyword::Load => Ok(self.unsupported_statement("LOAD", start)),
            Keyword::Refresh => Ok(self.unsupported_statement("REFRESH MATERIALIZED VIEW", start)),
            Keyword::Reassign => Ok(self.unsupported_statement("REASSIGN OWNED", start)),
            Keyword::Security => Ok(self.unsupported_statement("SECURITY LABEL", start)),
            Keyword::Import => Ok(self.unsupported_statement("IMPORT FOREIGN SCHEMA", start)),
            _ => Err(self.unexpected()),
        }
    }

    /// A query or a statement that changes rows, with its `WITH` (`PreparableStmt`).
    pub(super) fn preparable_statement(&mut self) -> Result<Statement> {
        self.enter()?;
        let collect = self.collect();
        let start = self.start();
        let with = if self.at_keyword(Keyword::With) { Some(self.with()?) } else { None };
        let statement = match self.kind() {
            Kind::Keyword(Keyword::Insert) => {
                Statement::Insert(Box::new(self.insert(with, start)?))
            }
            Kind::Keyword(Keyword::Update) => {
                Statement::Update(Box::new(self.update(with, start)?))
            }
            Kind::Keyword(Keyword::Delete) => {
                Statement::Delete(Box::new(self.delete(with, start)?))
            }
            Kind::Keyword(Keyword::Merge) => self.unsupported_statement("MERGE", start),
            _ => Statement::Query(Box::new(self.query_with(with, start)?)),
        };
        self.grown(collect)?;
        self.count_child();
        self.leave();
        Ok(statement)
    }

    fn drop_statement(&mut self, start: u32) -> Result<Statement> {
        self.bump();
        if let Some(statement) = self.drop_object()? {
            return Ok(statement);
        }
        let name = match self.kind() {
            Kind::Keyword(Keyword::Owned) => "DROP OWNED",
            Kind::Keyword(Keyword::Operator) => match self.kind_at(1) {
                Kind::Keyword(Keyword::Class) => "DROP OPERATOR CLASS",
                Kind::Keyword(Keyword::Family) => "DROP OPERATOR FAMILY",
                _ => "DROP OPERATOR",
            },
            Kind::Keyword(Keyword::Cast) => "DROP CAST",
            Kind::Keyword(Keyword::Transform) => "DROP TRANSFORM",
            Kind::Keyword(Keyword::User) => "DROP USER MAPPING",
            _ => return Err(self.unexpected()),
        };
        Ok(self.unsupported_statement(name, start))
    }

    fn discard(&mut self) -> Result<Statement> {
        self.bump();
        let what = match self.kind() {
            Kind::Keyword(Keyword::All) => Discard::All,
            Kind::Keyword(Keyword::Plans) => Discard::Plans,
            Kind::Keyword(Keyword::Sequences) => Discard::Sequences,
            Kind::Keyword(Keyword::Temp | Keyword::Temporary) => Discard::Temp,
            _ => return Err(self.unexpected()),
        };
        self.bump();
        Ok(Statement::Discard(what))
    }

    fn do_block(&mut self) -> Result<Statement> {
        self.bump();
        let mut language = None;
        let mut body = None;
        loop {
            if self.eat(Keyword::Language) {
                language = Some(self.non_reserved()?);
            } else if let Some(text) = self.eat_string()? {
                body = Some(text);
            } else {
                break;
            }
        }
        let body = body.ok_or_else(|| self.unexpected())?;
        Ok(Statement::Do(Do { language, body }))
    }

    /// The statement `name` from `start` on, to its end, unread.
    pub(super) fn unsupported_statement(&mut self, name: &'static str, start: u32) -> Statement {
        self.skip_statement();
        Statement::Unsupported(Unsupported { name, span: self.span_from(start) })
    }

    /// Moves to the semicolon that ends the statement: not one in parentheses, or in a `BEGIN ATOMIC` body.
    pub(super) fn skip_statement(&mut self) {
        let mut parentheses = 0_usize;
        let mut blocks = 0_usize;
        loop {
            match self.kind() {
                Kind::End | Kind::Error => return,
                Kind::Punctuation(b'(') => parentheses += 1,
                Kind::Punctuation(b')') if parentheses == 0 => return,
                Kind::Punctuation(b')') => parentheses -= 1,
                Kind::Punctuation(b';') if parentheses == 0 && blocks == 0 => return,
                Kind::Keyword(Keyword::Begin) if self.keyword_at(1, Keyword::Atomic) => {
                    blocks += 1;
                }
                Kind::Keyword(Keyword::Case) if blocks > 0 => blocks += 1,
                Kind::Keyword(Keyword::End) => blocks = blocks.saturating_sub(1),
                _ => {}
            }
            self.bump();
        }
    }
}
