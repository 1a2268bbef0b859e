//! Transactions, settings, prepared statements, cursors, `EXPLAIN`, locks and maintenance.

use super::Parser;
use super::copy::bare_option;
use crate::ast::{
    CloseCursor, Cluster, Deallocate, DeclareCursor, Execute, Explain, Fetch, FetchDirection,
    Isolation, LockTable, Name, ObjectKind, Prepare, Reindex, Reset, Set, SetConstraints, SetItem,
    SetTransaction, SetValue, Show, Span, Statement, TableLockMode, Transaction, TransactionModes,
    UtilityOption, Vacuum,
};
use crate::error::{ParseError, Result};
use crate::lexer::{Keyword, Kind};

impl Parser<'_> {
    pub(super) fn explain(&mut self) -> Result<Statement> {
        self.bump();
        let mut options = Vec::new();
        if self.at_punctuation(b'(') && !self.query_after_parentheses(0) {
            options = self.utility_options()?;
        } else {
            let token = self.token();
            if self.eat_any(&[Keyword::Analyze, Keyword::Analyse]) {
                options.push(bare_option("analyze", Span::new(token.start, token.end)));
            }
            let token = self.token();
            if self.eat(Keyword::Verbose) {
                options.push(bare_option("verbose", Span::new(token.start, token.end)));
            }
        }
        let statement = match self.kind() {
            Kind::Keyword(
                Keyword::Create | Keyword::Declare | Keyword::Execute | Keyword::Refresh,
            ) => self.statement()?,
            _ => self.preparable_statement()?,
        };
        Ok(Statement::Explain(Box::new(Explain { options, statement })))
    }

    pub(super) fn transaction(&mut self, keyword: Keyword) -> Result<Transaction> {
        self.bump();
        match keyword {
            Keyword::Begin => {
                self.transaction_word();
                let modes = self.optional_modes()?;
                Ok(Transaction::Begin { start: false, modes })
            }
            Keyword::Start => {
                self.expect(Keyword::Transaction)?;
                let modes = self.optional_modes()?;
                Ok(Transaction::Begin { start: true, modes })
            }
            Keyword::Commit if self.eat(Keyword::Prepared) => {
                self.string().map(Transaction::CommitPrepared)
            }
            Keyword::Commit | Keyword::End => {
                self.transaction_word();
                Ok(Transaction::Commit { chain: self.chain()? })
            }
            Keyword::Savepoint => self.column_id().map(Transaction::Savepoint),
            Keyword::Release => {
                self.eat(Keyword::Savepoint);
                self.column_id().map(Transaction::Release)
            }
            Keyword::Rollback if self.eat(Keyword::Prepared) => {
                self.string().map(Transaction::RollbackPrepared)
            }
            _ => {
                self.transaction_word();
                if keyword == Keyword::Rollback && self.eat(Keyword::To) {
                    self.eat(Keyword::Savepoint);
                    return self.column_id().map(Transaction::RollbackTo);
                }
                Ok(Transaction::Rollback { chain: self.chain()? })
            }
        }
    }

    fn transaction_word(&mut self) {
        self.eat_any(&[Keyword::Work, Keyword::Transaction]);
    }

    /// `AND CHAIN` (true), `AND NO CHAIN`, or nothing.
    fn chain(&mut self) -> Result<bool> {
        if !self.eat(Keyword::And) {
            return Ok(false);
        }
        let chain = !self.eat(Keyword::No);
        self.expect(Keyword::Chain)?;
        Ok(chain)
    }

    fn optional_modes(&mut self) -> Result<TransactionModes> {
        if self.at_mode() { self.modes() } else { Ok(TransactionModes::default()) }
    }

    fn at_mode(&self) -> bool {
        self.at_any(&[Keyword::Isolation, Keyword::Read, Keyword::Deferrable, Keyword::Not])
    }

    /// One or more modes, with or without commas.
    fn modes(&mut self) -> Result<TransactionModes> {
        let mut modes = TransactionModes::default();
        loop {
            if self.eat(Keyword::Isolation) {
                self.expect(Keyword::Level)?;
                modes.isolation = Some(self.isolation()?);
            } else if self.eat_all(&[Keyword::Read, Keyword::Only]) {
                modes.read_only = Some(true);
            } else if self.eat_all(&[Keyword::Read, Keyword::Write]) {
                modes.read_only = Some(false);
            } else if self.eat(Keyword::Deferrable) {
                modes.deferrable = Some(true);
            } else if self.eat_all(&[Keyword::Not, Keyword::Deferrable]) {
                modes.deferrable = Some(false);
            } else {
                return Err(self.unexpected());
            }
            if !self.eat_punctuation(b',') && !self.at_mode() {
                return Ok(modes);
            }
        }
    }

    fn isolation(&mut self) -> Result<Isolation> {
        if self.eat(Keyword::Serializable) {
            return Ok(Isolation::Serializable);
        }
        if self.eat_all(&[Keyword::Repeatable, Keyword::Read]) {
            return Ok(Isolation::RepeatableRead);
        }
        self.expect(Keyword::Read)?;
        if self.eat(Keyword::Committed) {
            return Ok(Isolation::ReadCommitted);
        }
        self.expect(Keyword::Uncommitted)?;
        Ok(Isolation::ReadUncommitted)
    }

    /// `SET ...`, all of its forms.
    pub(super) fn set(&mut self) -> Result<Statement> {
        self.bump();
        if self.eat(Keyword::Constraints) {
            return self.set_constraints();
        }
        let session = self.at_keyword(Keyword::Session)
            && !matches!(self.kind_at(1), Kind::Keyword(Keyword::Authorization | Keyword::To))
            && self.kind_at(1) != Kind::Punctuation(b'=');
        if session {
            self.bump();
            if self.eat(Keyword::Characteristics) {
                self.expect_all(&[Keyword::As, Keyword::Transaction])?;
                let modes = self.modes()?;
                let set = SetTransaction { session: true, modes, snapshot: None };
                return Ok(Statement::SetTransaction(set));
            }
        }
        let local = !session
            && self.at_keyword(Keyword::Local)
            && !matches!(self.kind_at(1), Kind::Keyword(Keyword::To))
            && self.kind_at(1) != Kind::Punctuation(b'=');
        if local {
            self.bump();
        }
        if self.at_keyword(Keyword::Transaction)
            && !matches!(self.kind_at(1), Kind::Punctuation(b'='))
        {
            self.bump();
            if self.eat(Keyword::Snapshot) {
                let snapshot = Some(self.string()?);
                let modes = TransactionModes::default();
                let set = SetTransaction { session: false, modes, snapshot };
                return Ok(Statement::SetTransaction(set));
            }
            let modes = self.modes()?;
            let set = SetTransaction { session: false, modes, snapshot: None };
            return Ok(Statement::SetTransaction(set));
        }
        let start = self.start();
        let (name, value) = self.set_rest()?;
        Ok(Statement::Set(Set { local, name, span: self.span_from(start), value }))
    }

    /// The name and value of `SET`.
    fn set_rest(&mut self) -> Result<(Box<str>, SetValue)> {
        let assigns =
            matches!(self.kind_at(1), Kind::Punctuation(b'=' | b'.') | Kind::Keyword(Keyword::To));
        if !assigns && let Kind::Keyword(keyword) = self.kind() {
            let text = |text| SetValue::Values(vec![SetItem::Text(text)]);
            match keyword {
                Keyword::Time if self.keyword_at(1, Keyword::Zone) => {
                    self.at += 2;
                    return Ok(("timezone".into(), self.zone_value()?));
                }
                Keyword::Names => {
                    self.bump();
                    let value = if let Some(encoding) = self.eat_string()? {
                        text(encoding)
                    } else {
                        self.eat(Keyword::Default);
                        SetValue::Default
                    };
                    return Ok(("client_encoding".into(), value));
                }
                Keyword::Schema => {
                    self.bump();
                    return Ok(("search_path".into(), text(self.string()?)));
                }
                Keyword::Catalog => {
                    let position = self.start();
                    return Err(ParseError::new(
                        "0A000",
                        "current database cannot be changed",
                        position,
                    ));
                }
                Keyword::Role => {
                    self.bump();
                    let role = self.word_or_string()?;
                    return Ok(("role".into(), text(role)));
                }
                Keyword::Session if self.keyword_at(1, Keyword::Authorization) => {
                    self.at += 2;
                    let value = if self.eat(Keyword::Default) {
                        SetValue::Default
                    } else {
                        text(self.word_or_string()?)
                    };
                    return Ok(("session_authorization".into(), value));
                }
                Keyword::Xml if self.keyword_at(1, Keyword::Option) => {
                    self.at += 2;
                    let option = self.label()?;
                    return Ok(("xmloption".into(), text(option.value)));
                }
                _ => {}
            }
        }
        let name = self.setting_name()?;
        if self.eat_all(&[Keyword::From, Keyword::Current]) {
            return Ok((name, SetValue::FromCurrent));
        }
        if !self.eat_punctuation(b'=') {
            self.expect(Keyword::To)?;
        }
        if self.eat(Keyword::Default) {
            return Ok((name, SetValue::Default));
        }
        let values = self.list(Self::set_item)?;
        Ok((name, SetValue::Values(values)))
    }

    /// `a.b`, joined by dots (`var_name`).
    fn setting_name(&mut self) -> Result<Box<str>> {
        let mut name = String::from(self.column_id()?.value);
        while self.eat_punctuation(b'.') {
            name.push('.');
            name.push_str(&self.column_id()?.value);
        }
        Ok(name.into())
    }

    fn word_or_string(&mut self) -> Result<Box<str>> {
        match self.eat_string()? {
            Some(text) => Ok(text),
            None => Ok(self.non_reserved()?.value),
        }
    }

    fn set_item(&mut self) -> Result<SetItem> {
        if let Some(number) = self.eat_number() {
            return Ok(SetItem::Number(number));
        }
        if let Some(text) = self.eat_string()? {
            return Ok(SetItem::Text(text));
        }
        if self.at_any(&[Keyword::True, Keyword::False, Keyword::On]) {
            return Ok(SetItem::Text(self.label()?.value));
        }
        Ok(SetItem::Text(self.non_reserved()?.value))
    }

    fn zone_value(&mut self) -> Result<SetValue> {
        if self.eat_any(&[Keyword::Default, Keyword::Local]) {
            return Ok(SetValue::Default);
        }
        let item = if self.eat(Keyword::Interval) {
            if self.at_punctuation(b'(') {
                self.skip_parenthesis()?;
            }
            let text = self.string()?;
            if self.eat(Keyword::Hour) && self.eat(Keyword::To) {
                self.expect(Keyword::Minute)?;
            }
            SetItem::Interval(text)
        } else if let Some(number) = self.eat_number() {
            SetItem::Number(number)
        } else if let Some(text) = self.eat_string()? {
            SetItem::Text(text)
        } else {
            SetItem::Text(self.ident(|category| category.is_none())?.value)
        };
        Ok(SetValue::Values(vec![item]))
    }

    fn set_constraints(&mut self) -> Result<Statement> {
        let names =
            if self.eat(Keyword::All) { Vec::new() } else { self.list(Self::relation_name)? };
        let deferred = self.eat(Keyword::Deferred);
        if !deferred {
            self.expect(Keyword::Immediate)?;
        }
        Ok(Statement::SetConstraints(SetConstraints { names, deferred }))
    }

    /// The setting of `RESET` and `SHOW`, in all its spellings; none for `ALL`.
    fn setting_or_all(&mut self) -> Result<Option<Box<str>>> {
        if self.eat(Keyword::All) {
            return Ok(None);
        }
        let special = if self.eat_all(&[Keyword::Time, Keyword::Zone]) {
            Some("timezone")
        } else if self.eat_all(&[Keyword::Transaction, Keyword::Isolation, Keyword::Level]) {
            Some("transaction_isolation")
        } else if self.eat_all(&[Keyword::Session, Keyword::Authorization]) {
            Some("session_authorization")
        } else {
            None
        };
        match special {
            Some(name) => Ok(Some(name.into())),
            None => self.setting_name().map(Some),
        }
    }

    pub(super) fn reset(&mut self) -> Result<Statement> {
        self.bump();
        Ok(Statement::Reset(Reset { name: self.setting_or_all()? }))
    }

    pub(super) fn show(&mut self) -> Result<Statement> {
        self.bump();
        Ok(Statement::Show(Show { name: self.setting_or_all()? }))
    }

    pub(super) fn prepare(&mut self) -> Result<Statement> {
        self.bump();
        if self.at_keyword(Keyword::Transaction) && self.kind_at(1) == Kind::String {
            self.bump();
            let id = self.string()?;
            return Ok(Statement::Transaction(Transaction::PrepareTransaction(id)));
        }
        let name = self.column_id()?;
        let types = if self.at_punctuation(b'(') {
            self.parenthesised(Self::type_name)?
        } else {
            Vec::new()
        };
        self.expect(Keyword::As)?;
        let start = self.start();
        let statement = self.preparable_statement()?;
        let span = self.span_from(start);
        Ok(Statement::Prepare(Box::new(Prepare { name, types, statement, span })))
    }

    /// From behind `EXECUTE`.
    pub(super) fn execute(&mut self) -> Result<Statement> {
        let name = self.column_id()?;
        let args =
            if self.at_punctuation(b'(') { self.parenthesised(Self::expr)? } else { Vec::new() };
        Ok(Statement::Execute(Execute { name, args }))
    }

    pub(super) fn deallocate(&mut self) -> Result<Statement> {
        self.bump();
        if self.at_keyword(Keyword::Prepare) && !self.ends_after(1) {
            self.bump();
        }
        let name = if self.eat(Keyword::All) { None } else { Some(self.column_id()?) };
        Ok(Statement::Deallocate(Deallocate { name }))
    }

    fn ends_after(&self, ahead: usize) -> bool {
        matches!(self.kind_at(ahead), Kind::End | Kind::Punctuation(b';'))
    }

    pub(super) fn declare_cursor(&mut self) -> Result<Statement> {
        self.bump();
        let name = self.column_id()?;
        let mut binary = false;
        let mut insensitive = None;
        let mut scroll = None;
        loop {
            if self.eat(Keyword::Binary) {
                binary = true;
            } else if self.eat(Keyword::Insensitive) {
                insensitive = Some(true);
            } else if self.eat(Keyword::Asensitive) {
                insensitive = Some(false);
            } else if self.eat(Keyword::Scroll) {
                scroll = Some(true);
            } else if self.eat_all(&[Keyword::No, Keyword::Scroll]) {
                scroll = Some(false);
            } else {
                break;
            }
        }
        self.expect(Keyword::Cursor)?;
        let hold = self.eat_all(&[Keyword::With, Keyword::Hold]);
        if !hold {
            self.eat_all(&[Keyword::Without, Keyword::Hold]);
        }
        self.expect(Keyword::For)?;
        let query = self.query()?;
        let cursor = DeclareCursor { name, binary, insensitive, scroll, hold, query };
        Ok(Statement::DeclareCursor(Box::new(cursor)))
    }

    pub(super) fn fetch_cursor(&mut self, is_move: bool) -> Result<Statement> {
        self.bump();
        let direction = self.fetch_direction()?;
        self.eat_any(&[Keyword::From, Keyword::In]);
        let cursor = self.column_id()?;
        Ok(Statement::Fetch(Fetch { is_move, direction, cursor }))
    }

    fn fetch_direction(&mut self) -> Result<FetchDirection> {
        // A word alone, or before the cursor's name, is a direction; a word at the end is the cursor.
        if self.ends_after(1) {
            return Ok(FetchDirection::Forward(Some(1)));
        }
        let Kind::Keyword(keyword) = self.kind() else {
            return match self.eat_count()? {
                Some(count) => Ok(FetchDirection::Forward(Some(count))),
                None => Ok(FetchDirection::Forward(Some(1))),
            };
        };
        let direction = match keyword {
            Keyword::Next => FetchDirection::Forward(Some(1)),
            Keyword::Prior => FetchDirection::Backward(Some(1)),
            Keyword::First => FetchDirection::Absolute(1),
            Keyword::Last => FetchDirection::Absolute(-1),
            Keyword::All => FetchDirection::Forward(None),
            Keyword::Absolute => {
                self.bump();
                return Ok(FetchDirection::Absolute(self.signed_integer()?));
            }
            Keyword::Relative => {
                self.bump();
                return Ok(FetchDirection::Relative(self.signed_integer()?));
            }
            Keyword::Forward | Keyword::Backward => {
                self.bump();
                let count = if self.eat(Keyword::All) {
                    None
                } else {
                    Some(self.eat_count()?.unwrap_or(1))
                };
                return Ok(if keyword == Keyword::Forward {
                    FetchDirection::Forward(count)
                } else {
                    FetchDirection::Backward(count)
                });
            }
            _ => return Ok(FetchDirection::Forward(Some(1))),
        };
        self.bump();
        Ok(direction)
    }

    fn eat_count(&mut self) -> Result<Option<i64>> {
        if matches!(self.kind(), Kind::Integer | Kind::Punctuation(b'-' | b'+')) {
            self.signed_integer().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn close_cursor(&mut self) -> Result<Statement> {
        self.bump();
        let name = if self.eat(Keyword::All) { None } else { Some(self.column_id()?) };
        Ok(Statement::CloseCursor(CloseCursor { name }))
    }

    pub(super) fn lock_table(&mut self) -> Result<Statement> {
        self.bump();
        self.eat(Keyword::Table);
        let tables = self.list(Self::relation)?;
        let mode = if self.eat(Keyword::In) {
            let mode = self.lock_mode()?;
            self.expect(Keyword::Mode)?;
            mode
        } else {
            TableLockMode::AccessExclusive
        };
        let no_wait = self.eat(Keyword::Nowait);
        Ok(Statement::LockTable(LockTable { tables, mode, no_wait }))
    }

    fn lock_mode(&mut self) -> Result<TableLockMode> {
        for (words, mode) in [
            (&[Keyword::Access, Keyword::Share][..], TableLockMode::AccessShare),
            (&[Keyword::Access, Keyword::Exclusive], TableLockMode::AccessExclusive),
            (&[Keyword::Row, Keyword::Share], TableLockMode::RowShare),
            (&[Keyword::Row, Keyword::Exclusive], TableLockMode::RowExclusive),
            (
                &[Keyword::Share, Keyword::Update, Keyword::Exclusive],
                TableLockMode::ShareUpdateExclusive,
            ),
            (&[Keyword::Share, Keyword::Row, Keyword::Exclusive], TableLockMode::ShareRowExclusive),
            (&[Keyword::Share], TableLockMode::Share),
            (&[Keyword::Exclusive], TableLockMode::Exclusive),
        ] {
            if self.eat_all(words) {
                return Ok(mode);
            }
        }
        Err(self.unexpected())
    }

    pub(super) fn vacuum(&mut self) -> Result<Statement> {
        self.bump();
        let mut options = Vec::new();
        if self.at_punctuation(b'(') {
            options = self.utility_options()?;
        } else {
            for (keyword, name) in [
                (Keyword::Full, "full"),
                (Keyword::Freeze, "freeze"),
                (Keyword::Verbose, "verbose"),
                (Keyword::Analyze, "analyze"),
                (Keyword::Analyse, "analyze"),
            ] {
                self.old_option(keyword, name, &mut options);
            }
        }
        let tables = self.vacuum_tables()?;
        Ok(Statement::Vacuum(Vacuum { analyze_only: false, options, tables }))
    }

    pub(super) fn analyze(&mut self) -> Result<Statement> {
        self.bump();
        let mut options = Vec::new();
        if self.at_punctuation(b'(') {
            options = self.utility_options()?;
        } else {
            self.old_option(Keyword::Verbose, "verbose", &mut options);
        }
        let tables = self.vacuum_tables()?;
        Ok(Statement::Vacuum(Vacuum { analyze_only: true, options, tables }))
    }

    fn old_option(&mut self, keyword: Keyword, name: &str, options: &mut Vec<UtilityOption>) {
        let token = self.token();
        if self.eat(keyword) {
            options.push(bare_option(name, Span::new(token.start, token.end)));
        }
    }

    fn vacuum_tables(&mut self) -> Result<Vec<(Name, Vec<crate::ast::Ident>)>> {
        if self.at_statement_end() {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            let table = parser.relation_name()?;
            Ok((table, parser.optional_columns()?))
        })
    }

    pub(super) fn cluster(&mut self) -> Result<Statement> {
        self.bump();
        let mut options = Vec::new();
        if self.at_punctuation(b'(') {
            options = self.utility_options()?;
        } else {
            self.old_option(Keyword::Verbose, "verbose", &mut options);
        }
        if self.at_statement_end() {
            return Ok(Statement::Cluster(Cluster { options, table: None, index: None }));
        }
        let mut table = self.relation_name()?;
        let mut index = None;
        if self.eat(Keyword::Using) {
            index = Some(self.column_id()?);
        } else if self.eat(Keyword::On) {
            // The oldest spelling: `CLUSTER index ON table`.
            let on = self.relation_name()?;
            index = std::mem::replace(&mut table, on).0.pop();
        }
        Ok(Statement::Cluster(Cluster { options, table: Some(table), index }))
    }

    pub(super) fn reindex(&mut self) -> Result<Statement> {
        self.bump();
        let mut options =
            if self.at_punctuation(b'(') { self.utility_options()? } else { Vec::new() };
        let object = match self.kind() {
            Kind::Keyword(Keyword::Index) => ObjectKind::Index,
            Kind::Keyword(Keyword::Table) => ObjectKind::Table,
            Kind::Keyword(Keyword::Schema) => ObjectKind::Schema,
            Kind::Keyword(Keyword::Database | Keyword::System) => ObjectKind::Database,
            _ => return Err(self.unexpected()),
        };
        self.bump();
        self.old_option(Keyword::Concurrently, "concurrently", &mut options);
        let name = if object == ObjectKind::Database && self.at_statement_end() {
            None
        } else {
            Some(self.name()?)
        };
        Ok(Statement::Reindex(Reindex { options, object, name }))
    }
}
