//! COPY, with the session around it.

use super::copy::binary::{self, BinaryDecoder};
use super::copy::decode::{Field, Fields, bad_format};
use super::copy::options::Header;
use super::copy::{CopyFormat, CopyOptions, Decoder, Encoder};
use super::plan::Prepared;
use super::{Completion, CopyShape, Session, Sink};
use damask_catalog::object::{Relation, RelationKind};
use damask_executor::Execution;
use damask_planner::physical::Plan;
use damask_sql::ast::{self, CopySource, CopyTarget};
use damask_txn::TableLock;
use damask_types::format::{parse_binary, parse_text_into, utf8};
use damask_types::{
    Batch, ColumnIndex, Error, Position, Result, SqlState, TILE_ROWS, Value, VectorBuilder,
};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Room for the strings of a column that is made before they come.
const ROOM_BYTES_MAX: usize = 1 << 20;

/// Rows are inserted when so many bytes of strings have come, if not before.
const BATCH_BYTES: usize = 8 << 20;

/// COPY FROM STDIN under way.
pub(crate) struct CopyIn {
    relation: Arc<Relation>,
    columns: Vec<ColumnIndex>,
    options: CopyOptions,
    decoder: Decoder,
    /// In the binary format, what cuts the data instead.
    binary: Option<BinaryDecoder>,
    fields: Fields,
    builders: Vec<VectorBuilder>,
    plan: Arc<Plan>,
    env: Arc<super::env::StatementEnv>,
    header_is_due: bool,
    /// Per column: the null text is data.
    not_null: Vec<bool>,
    /// Per column: the null text is null even in quotes.
    null_text: Vec<bool>,
    /// What inserts them; begun with the first ones.
    execution: Option<Execution>,
    /// The line of each row that is not inserted.
    lines: VecDeque<u64>,
}

impl Session {
    pub(crate) fn copy(
        &mut self,
        prepared: &Arc<Prepared>,
        copy: &ast::Copy,
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        match &copy.target {
            CopyTarget::Client => {}
            CopyTarget::File(_) => {
                return Err(Error::unsupported("COPY to or from a file of the server")
                    .hint("Use COPY ... FROM STDIN or TO STDOUT, or psql's \\copy."));
            }
            CopyTarget::Program(_) => return Err(Error::unsupported("COPY ... PROGRAM")),
        }
        let options = CopyOptions::new(&copy.options, copy.from)?;
        self.begin_statement()?;
        if copy.from {
            self.copy_from(copy, options)
        } else {
            self.copy_to(prepared, copy, options, sink)
        }
    }

    fn copy_from(&mut self, copy: &ast::Copy, options: CopyOptions) -> Result<Completion> {
        if copy.filter.is_some() {
            return Err(Error::unsupported("COPY FROM ... WHERE"));
        }
        let CopySource::Table(name, names) = &copy.source else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "COPY FROM needs a table")
                .at(Position(copy.span.start)));
        };
        let relation = self.resolve(name)?;
        if relation.kind != RelationKind::Table {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "cannot copy to {} \"{}\"",
                    damask_catalog::ddl::kind_name(relation.kind),
                    relation.name
                ),
            ));
        }
        self.check_writable("COPY FROM")?;
        self.use_relation(&relation, true)?;
        self.lock(relation.oid, TableLock::RowExclusive)?;
        let relation = self.resolve(name)?;
        let columns = columns(&relation, names)?;
        let env = self.statement_env()?;
        let plan = self.with_plan_context(&env, "", &[], |ctx| {
            damask_planner::plan_copy_from(&relation, &columns, ctx)
        })?;
        let not_null = forced("FORCE_NOT_NULL", &options.force_not_null, &relation, &columns)?;
        let null_text = forced("FORCE_NULL", &options.force_null, &relation, &columns)?;
        let count = columns.len();
        let is_binary = options.format == CopyFormat::Binary;
        let mut copy = CopyIn {
            decoder: Decoder::new(options.clone()),
            binary: is_binary.then(BinaryDecoder::default),
            header_is_due: options.header != Header::No,
            options,
            relation,
            columns,
            fields: Fields::default(),
            builders: vec![],
            plan: Arc::new(plan),
            env,
            not_null,
            null_text,
            execution: None,
            lines: VecDeque::new(),
        };
        copy.take_builders();
        self.copy = Some(copy);
        Ok(Completion::CopyIn(CopyShape { columns: count, binary: is_binary }))
    }

    /// Takes data of COPY FROM STDIN in, cut anywhere.
    ///
    /// # Errors
    /// What the data or the table's constraints raise; the statement is over then.
    pub fn copy_data(&mut self, data: &[u8]) -> Result<()> {
        let Some(mut copy) = self.copy.take() else {
            return Err(Error::new(
                SqlState::PROTOCOL_VIOLATION,
                "no COPY FROM STDIN is under way",
            ));
        };
        match &mut copy.binary {
            Some(binary) => binary.feed(data),
            None => copy.decoder.feed(data),
        }
        let result = self
            .guarded(|session| session.drain(&mut copy, false))
            .map_err(|error| located(error, &copy));
        match result {
            Ok(()) => {
                self.copy = Some(copy);
                Ok(())
            }
            Err(error) => {
                self.state.backend.end_statement();
                self.fail_transaction();
                Err(error)
            }
        }
    }

    /// Ends COPY FROM STDIN; gives the command tag.
    ///
    /// # Errors
    /// As [`Session::copy_data`].
    pub fn copy_done(&mut self) -> Result<String> {
        let Some(mut copy) = self.copy.take() else {
            return Err(Error::new(
                SqlState::PROTOCOL_VIOLATION,
                "no COPY FROM STDIN is under way",
            ));
        };
        let result = self
            .guarded(|session| {
                session.drain(&mut copy, true)?;
                session.insert_batch(&mut copy)?;
                session.finish_copy(&mut copy)
            })
            .map_err(|error| located(error, &copy));
        let result = result.map(|rows| Completion::Tag(format!("COPY {rows}").into()));
        match self.settle(result)? {
            Completion::Tag(tag) => Ok(tag.into_owned()),
            _ => Err(Error::internal("COPY ends with a tag")),
        }
    }

    /// Ends COPY FROM STDIN because the client gave up.
    pub fn copy_fail(&mut self, message: &str) -> Error {
        self.copy = None;
        self.state.backend.end_statement();
        self.fail_transaction();
        Error::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {message}"))
    }

    /// Whether COPY FROM STDIN waits for data.
    pub fn is_copying(&self) -> bool {
        self.copy.is_some()
    }

    /// Turns complete records into rows.
    fn drain(&mut self, copy: &mut CopyIn, is_last: bool) -> Result<()> {
        if let Some(mut binary) = copy.binary.take() {
            let result = self.drain_binary(copy, &mut binary, is_last);
            copy.binary = Some(binary);
            return result;
        }
        while let Some(record) = copy.decoder.next_record(is_last)? {
            copy.take_record(record)?;
            if copy.is_full() {
                self.state.backend.check()?;
                self.insert_batch(copy)?;
            }
        }
        Ok(())
    }

    /// As [`Session::drain`], in the binary format.
    fn drain_binary(
        &mut self,
        copy: &mut CopyIn,
        binary: &mut BinaryDecoder,
        is_last: bool,
    ) -> Result<()> {
        let mut fields = vec![];
        while binary.next_row(copy.columns.len(), is_last, &mut fields)? {
            for (i, field) in fields.iter().enumerate() {
                let definition = &copy.relation.columns[usize::from(copy.columns[i].0)];
                let value = match field {
                    None => Value::Null,
                    Some(field) => {
                        parse_binary(definition.ty, binary.bytes(field)).map_err(|error| {
                            error.context(format!(
                                "COPY {}, column {}",
                                copy.relation.name, definition.name
                            ))
                        })?
                    }
                };
                copy.builders[i].push(&value);
            }
            copy.lines.push_back(copy.decoder.line());
            if copy.is_full() {
                self.state.backend.check()?;
                self.insert_batch(copy)?;
            }
        }
        Ok(())
    }

    /// Hands the rows that have come to the plan.
    fn insert_batch(&mut self, copy: &mut CopyIn) -> Result<()> {
        let builders = copy.take_builders();
        let rows = builders.first().map_or(0, VectorBuilder::len);
        if rows == 0 {
            return Ok(());
        }
        let columns = builders.into_iter().map(VectorBuilder::finish).collect();
        let batch = Batch::new(columns, rows);
        let mut execution = match copy.execution.take() {
            Some(execution) => execution,
            None => self.execution(Arc::clone(&copy.plan), vec![], &copy.env, false)?,
        };
        let txn = self.txn.as_mut().expect("COPY runs in a transaction");
        let first = execution.affected_rows() - execution.pending_rows();
        let fed = execution.feed(batch, txn);
        fed.map_err(|error| copy.located_at(first, &execution, error))?;
        copy.lines.drain(..copy.lines.len() - execution.pending_rows() as usize);
        copy.execution = Some(execution);
        Ok(())
    }

    /// Has all rows inserted; how many there were.
    fn finish_copy(&mut self, copy: &mut CopyIn) -> Result<u64> {
        let Some(mut execution) = copy.execution.take() else { return Ok(0) };
        let txn = self.txn.as_mut().expect("COPY runs in a transaction");
        let first = execution.affected_rows() - execution.pending_rows();
        let ended = execution.next(txn);
        ended.map_err(|error| copy.located_at(first, &execution, error))?;
        Ok(execution.affected_rows())
    }

    fn copy_to(
        &mut self,
        prepared: &Arc<Prepared>,
        copy: &ast::Copy,
        options: CopyOptions,
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        let text = match &copy.source {
            CopySource::Table(name, names) => {
                let relation = self.resolve(name)?;
                if relation.kind == RelationKind::View {
                    return Err(Error::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("cannot copy from view \"{}\"", relation.name),
                    )
                    .hint("Try the COPY (SELECT ...) TO variant."));
                }
                let quote = damask_catalog::ddl::quote_identifier;
                let shown: Vec<String> = columns(&relation, names)?
                    .iter()
                    .map(|column| quote(&relation.columns[usize::from(column.0)].name))
                    .collect();
                let schema = self.catalog.snapshot().schema_name(relation.schema).to_owned();
                format!(
                    "SELECT {} FROM {}.{}",
                    shown.join(", "),
                    quote(&schema),
                    quote(&relation.name)
                )
            }
            CopySource::Statement(statement) => match &**statement {
                ast::Statement::Query(query) => prepared.slice(query.span).to_owned(),
                _ => return Err(Error::unsupported("COPY of a statement that changes rows")),
            },
        };
        let inner = self.prepare(&text, vec![])?;
        let mut execution = self.start(&inner, &[])?;
        let names: Vec<String> =
            execution.plan().columns.iter().map(|column| column.name.clone()).collect();
        let is_binary = options.format == CopyFormat::Binary;
        sink.copy_out_start(CopyShape { columns: names.len(), binary: is_binary })?;
        let mut encoder = Encoder::new(options, &names);
        let mut out = vec![];
        if is_binary {
            binary::write_header(&mut out);
        } else {
            encoder.header(&names, &mut out);
        }
        // The binary header goes out with the first row, as clients expect.
        if !is_binary && !out.is_empty() {
            sink.copy_out(&out)?;
        }
        let format = self.format_settings();
        let mut rows = 0;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        while let Some(batch) = execution.next(txn)? {
            rows += batch.rows() as u64;
            if is_binary {
                binary::write_rows(&batch, &mut out, &mut |row: &[u8]| sink.copy_out(row))?;
            } else {
                encoder.rows(&batch, &format, &mut |line: &[u8]| sink.copy_out(line))?;
            }
        }
        if is_binary {
            binary::write_end(&mut out);
            sink.copy_out(&out)?;
        }
        Ok(Completion::Tag(format!("COPY {rows}").into()))
    }
}

/// Which of a copy's columns an option names.
///
/// # Errors
/// 42703 for a name that the table has not, 42P10 for one that is not copied.
fn forced(
    option: &str,
    names: &[String],
    relation: &Relation,
    columns: &[ColumnIndex],
) -> Result<Vec<bool>> {
    let mut flags = vec![false; columns.len()];
    for name in names {
        let place =
            columns.iter().position(|column| relation.columns[usize::from(column.0)].name == *name);
        if let Some(place) = place {
            flags[place] = true;
            continue;
        }
        let is_there = relation.live_columns().any(|(_, column)| column.name == *name);
        return Err(if is_there {
            Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("{option} column \"{name}\" not referenced by COPY"),
            )
        } else {
            Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
            )
        });
    }
    Ok(flags)
}

impl CopyIn {
    /// The rows so far; the next ones begin.
    fn take_builders(&mut self) -> Vec<VectorBuilder> {
        let relation = &self.relation;
        let builder = |column: &ColumnIndex| {
            VectorBuilder::new(relation.columns[usize::from(column.0)].ty.id, TILE_ROWS)
        };
        let mut next: Vec<VectorBuilder> = self.columns.iter().map(builder).collect();
        // The next rows are most often like these.
        for (next, last) in next.iter_mut().zip(&self.builders) {
            next.reserve_bytes(last.bytes_len().min(ROOM_BYTES_MAX));
        }
        std::mem::replace(&mut self.builders, next)
    }

    /// Says in which line the row is that raised an error. The first of the lines is that of row `first`.
    fn located_at(&self, first: u64, execution: &Execution, error: Error) -> Error {
        let failed = execution.failed_row();
        let place = failed.and_then(|row| usize::try_from(row.checked_sub(first)?).ok());
        match place.and_then(|place| self.lines.get(place)) {
            Some(line) if error.fields().context.is_none() => {
                error.context(format!("COPY {}, line {line}", self.relation.name))
            }
            _ => error,
        }
    }

    /// Whether the rows that have come are to be inserted.
    fn is_full(&self) -> bool {
        let bytes: usize = self.builders.iter().map(VectorBuilder::bytes_len).sum();
        bytes >= BATCH_BYTES
            || self.builders.first().is_some_and(|builder| builder.len() == TILE_ROWS)
    }

    fn take_record(&mut self, record: Range<usize>) -> Result<()> {
        let record = self.decoder.record(record);
        self.decoder.split(record, &mut self.fields);
        let fields = &self.fields;
        if std::mem::take(&mut self.header_is_due) {
            return self.check_header(record);
        }
        // A line without anything is a row of no columns only if there are none.
        if fields.len() < self.columns.len() {
            let column = &self.relation.columns[usize::from(self.columns[fields.len()].0)];
            return Err(bad_format(format!("missing data for column \"{}\"", column.name)));
        }
        if fields.len() > self.columns.len() {
            return Err(bad_format("extra data after last expected column"));
        }
        let settings = &self.env.effective.format;
        // If all of a record is text, so are the fields that lie in it: delimiters are ASCII.
        let record_text = utf8(record).ok();
        for i in 0..fields.len() {
            let definition = &self.relation.columns[usize::from(self.columns[i].0)];
            let field = match fields.get(record, i) {
                None if self.not_null[i] => Some(&self.options.null[..]),
                Some(bytes) if self.null_text[i] && bytes == self.options.null => None,
                other => other,
            };
            let Some(bytes) = field else {
                self.builders[i].push(&Value::Null);
                continue;
            };
            let located = |error: Error, text: &str| {
                error.context(format!(
                    "COPY {}, line {}, column {}: \"{text}\"",
                    self.relation.name,
                    self.decoder.line(),
                    definition.name
                ))
            };
            let text = match (record_text, fields.place(i)) {
                (Some(record), Field::Verbatim(place)) => &record[place.clone()],
                _ => {
                    utf8(bytes).map_err(|error| located(error, &String::from_utf8_lossy(bytes)))?
                }
            };
            let now = self.env.transaction_timestamp;
            parse_text_into(definition.ty, text, settings, now, &mut self.builders[i])
                .map_err(|error| located(error, text))?;
        }
        self.lines.push_back(self.decoder.line());
        Ok(())
    }

    fn check_header(&self, record: &[u8]) -> Result<()> {
        let fields = &self.fields;
        if self.options.header != Header::Match {
            return Ok(());
        }
        if fields.len() != self.columns.len() {
            return Err(bad_format(format!(
                "wrong number of fields in header line: got {}, expected {}",
                fields.len(),
                self.columns.len()
            )));
        }
        for (i, column) in self.columns.iter().enumerate() {
            let name = &self.relation.columns[usize::from(column.0)].name;
            let found = fields.get(record, i).map(String::from_utf8_lossy).unwrap_or_default();
            if found != name.as_str() {
                return Err(bad_format(format!(
                    "column name mismatch in header line field {}: got \"{found}\", expected \"{name}\"",
                    i + 1
                )));
            }
        }
        Ok(())
    }
}

/// Says in which line an error lies, unless it says so already.
fn located(error: Error, copy: &CopyIn) -> Error {
    if error.fields().context.is_some() {
        return error;
    }
    error.context(format!("COPY {}, line {}", copy.relation.name, copy.decoder.line()))
}

/// The columns named, or all live ones.
fn columns(relation: &Relation, names: &[ast::Ident]) -> Result<Vec<ColumnIndex>> {
    if names.is_empty() {
        return Ok(relation.live_columns().map(|(column, _)| column).collect());
    }
    let mut columns: Vec<ColumnIndex> = vec![];
    for name in names {
        let at = Position(name.span.start);
        let (column, _) = relation.column(name.as_str()).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!(
                    "column \"{}\" of relation \"{}\" does not exist",
                    name.as_str(),
                    relation.name
                ),
            )
            .at(at)
        })?;
        if columns.contains(&column) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", name.as_str()),
            )
            .at(at));
        }
        columns.push(column);
    }
    Ok(columns)
}
