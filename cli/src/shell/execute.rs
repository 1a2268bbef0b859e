//! Runs a text and keeps its results as text.

use damask::session::{Completion, CopyShape, Session, Sink};
use damask::types::Batch;
use damask::types::TypeId;
use damask::types::format::{FormatSettings, write_text_at};
use damask::{Error, OutputColumn, Result};
use std::io::BufRead;
use std::sync::Arc;

/// Rows of a statement.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Printed above it.
    pub(crate) title: Option<String>,
    /// Names of its columns.
    pub(crate) names: Vec<String>,
    /// Whether a column stands at its right edge.
    pub(crate) is_right: Vec<bool>,
    /// Values; null is empty text.
    pub(crate) rows: Vec<Vec<String>>,
    /// Printed below it instead of the number of rows.
    pub(crate) footers: Option<Vec<String>>,
}

/// What came of a statement.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Its rows, if it has some.
    pub(crate) table: Option<Table>,
    /// Its tag.
    pub(crate) tag: Option<String>,
    /// What COPY TO STDOUT gave.
    pub(crate) copied: Vec<u8>,
    /// Whether it was COPY TO STDOUT.
    pub(crate) is_copy_out: bool,
}

/// Runs the statements of a text; `source` has the data of COPY FROM STDIN.
///
/// # Errors
/// The first error, with the outcomes before it.
pub(crate) fn run(
    session: &mut Session,
    text: &str,
    source: &mut dyn BufRead,
) -> Result<Vec<Outcome>, (Vec<Outcome>, Error)> {
    let mut outcomes = vec![];
    let statements = match session.prepare_text(text) {
        Ok(statements) => statements,
        Err(error) => {
            session.fail();
            return Err((outcomes, error));
        }
    };
    for prepared in &statements {
        let mut outcome = Outcome::default();
        let completion = match session.run(prepared, &mut outcome) {
            Ok(Completion::CopyIn(_)) => copy_in(session, source),
            Ok(completion) => Ok(completion),
            Err(error) => Err(error),
        };
        match completion {
            Ok(Completion::Tag(tag)) => outcome.tag = Some(tag.into_owned()),
            Ok(_) => {}
            Err(error) => return Err((outcomes, error)),
        }
        outcomes.push(outcome);
    }
    match session.end_message() {
        Ok(()) => Ok(outcomes),
        Err(error) => Err((outcomes, error)),
    }
}

/// Feeds lines up to `\.` or the end of the source.
fn copy_in(session: &mut Session, source: &mut dyn BufRead) -> Result<Completion> {
    let mut line = vec![];
    loop {
        line.clear();
        match source.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) if line == b"\\.\n" || line == b"\\.\r\n" || line == b"\\." => break,
            Ok(_) => session.copy_data(&line)?,
            Err(error) => return Err(session.copy_fail(&error.to_string())),
        }
    }
    session.copy_done().map(|tag| Completion::Tag(tag.into()))
}

impl Sink for Outcome {
    fn columns(&mut self, columns: &Arc<[OutputColumn]>) -> Result<()> {
        self.table = Some(Table {
            names: columns.iter().map(|column| column.name.clone()).collect(),
            is_right: columns.iter().map(|column| is_right(column.ty.id)).collect(),
            ..Table::default()
        });
        Ok(())
    }

    fn rows(&mut self, batch: &Batch, settings: &FormatSettings) -> Result<()> {
        let Some(table) = &mut self.table else {
            return Err(Error::internal("rows come after their columns"));
        };
        for row in batch.active().iter() {
            let values = batch.columns.iter().map(|column| {
                let mut text = vec![];
                write_text_at(column, row, settings, &mut text);
                String::from_utf8(text)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
            });
            table.rows.push(values.collect());
        }
        Ok(())
    }

    fn copy_out(&mut self, data: &[u8]) -> Result<()> {
        self.copied.extend_from_slice(data);
        Ok(())
    }

    fn copy_out_start(&mut self, _shape: CopyShape) -> Result<()> {
        self.is_copy_out = true;
        Ok(())
    }
}

/// psql's right-aligned types.
fn is_right(ty: TypeId) -> bool {
    matches!(ty.oid().0, 20 | 21 | 23 | 26 | 28 | 29 | 700 | 701 | 790 | 1700 | 5069)
}
