//! A session in the process.

use super::{Answer, SqlError};
use damask::session::{Completion, CopyShape, Session, SessionOptions, Sink};
use damask::types::Batch;
use damask::types::format::{FormatSettings, write_text_at};
use damask::{Database, OutputColumn, Result};
use sqllogictest::{DB, DBOutput, DefaultColumnType};
use std::sync::Arc;

/// A session of a database that other sessions of the same file share.
#[derive(Debug)]
pub struct Embedded {
    session: Session,
}

impl Embedded {
    /// A new session as `postgres`.
    ///
    /// # Errors
    /// What opening a session raises.
    pub fn new(database: &Database) -> Result<Self, SqlError> {
        Ok(Self { session: database.session(options())? })
    }

    fn run_text(&mut self, sql: &str) -> Result<Answer> {
        let mut sink = Collect { answer: Answer::default(), field: vec![], row: vec![] };
        let statements = match self.session.prepare_text(sql) {
            Ok(statements) => statements,
            Err(error) => {
                self.session.fail();
                return Err(error);
            }
        };
        for prepared in &statements {
            match self.session.run(prepared, &mut sink)? {
                Completion::Tag(tag) => sink.answer.tag(&tag),
                Completion::Suspended | Completion::Empty => {}
                Completion::CopyIn(_) => return Err(self.session.copy_fail("no data in a case")),
            }
        }
        self.session.end_message()?;
        Ok(sink.answer)
    }
}

/// Both doors begin alike.
pub(super) fn options() -> SessionOptions {
    SessionOptions {
        settings: vec![("TimeZone".to_owned(), "UTC".to_owned())],
        ..SessionOptions::default()
    }
}

impl DB for Embedded {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        Ok(self.run_text(sql)?.into_output())
    }

    fn engine_name(&self) -> &'static str {
        "damask"
    }

    fn error_sql_state(error: &SqlError) -> Option<String> {
        Some(error.sqlstate.clone())
    }
}

/// Takes results as text.
struct Collect {
    answer: Answer,
    /// The fields of a row, one after the other.
    field: Vec<u8>,
    /// Where each field lies; `None` is null.
    row: Vec<Option<std::ops::Range<usize>>>,
}

impl Sink for Collect {
    fn columns(&mut self, columns: &Arc<[OutputColumn]>) -> Result<()> {
        self.answer.columns(columns.iter().map(|column| column.ty.id.oid().0));
        Ok(())
    }

    fn rows(&mut self, batch: &Batch, settings: &FormatSettings) -> Result<()> {
        for row in batch.active().iter() {
            self.field.clear();
            self.row.clear();
            for column in &batch.columns {
                let start = self.field.len();
                write_text_at(column, row, settings, &mut self.field);
                self.row.push((!column.is_null(row)).then_some(start..self.field.len()));
            }
            let Self { answer, field, row } = self;
            answer.row(row.iter().map(|range| range.as_ref().map(|range| &field[range.clone()])));
        }
        Ok(())
    }

    fn copy_out(&mut self, _data: &[u8]) -> Result<()> {
        Ok(())
    }

    fn copy_out_start(&mut self, _shape: CopyShape) -> Result<()> {
        Ok(())
    }
}
