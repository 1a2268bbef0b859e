//! Statements that are neither planned nor definitions: settings, prepared statements, cursors, EXPLAIN, locks, maintenance.

use super::named::Promised;
use super::plan::{Prepared, is_planned};
use super::portal::Portal;
use super::run::command_name;
use super::settings::{Level, unknown_setting};
use super::{Completion, CopyShape, Session, Sink};
use damask_executor::SortMethod;
use damask_planner::physical::OutputColumn;
use damask_sql::ast::{self, FetchDirection, SetValue, Statement};
use damask_types::{
    Batch, Error, Position, Result, SqlState, SqlType, TILE_ROWS, TypeId, Value, Vector,
};
use std::sync::Arc;

impl Session {
    /// Runs a statement that the planner does not run.
    pub(crate) fn utility(
        &mut self,
        prepared: &Arc<Prepared>,
        statement: &Statement,
        params: &[Value],
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        let tag = match statement {
            Statement::Set(set) => self.set(set)?,
            Statement::Reset(reset) => {
                self.ensure_transaction()?;
                let mut settings = self.state.settings.lock();
                match &reset.name {
                    Some(name) => settings.set(name, None, false)?,
                    None => settings.reset_all()?,
                }
                "RESET".to_owned()
            }
            Statement::Show(show) => self.show(show.name.as_deref(), sink)?,
            Statement::SetTransaction(set) => {
                if set.snapshot.is_some() {
                    return Err(Error::unsupported("SET TRANSACTION SNAPSHOT"));
                }
                if set.session {
                    self.set_default_modes(set.modes)?;
                } else if self.block.is_open() {
                    self.set_modes(set.modes)?;
                } else {
                    self.notice(
                        Level::Warning,
                        Error::new(
                            SqlState::NO_ACTIVE_SQL_TRANSACTION,
                            "SET TRANSACTION can only be used in transaction blocks",
                        ),
                    );
                }
                "SET".to_owned()
            }
            Statement::SetConstraints(set) => {
                self.set_constraints(set)?;
                "SET CONSTRAINTS".to_owned()
            }
            Statement::Prepare(prepare) => self.sql_prepare(prepared, prepare)?,
            Statement::Execute(execute) => return self.sql_execute(execute, sink),
            Statement::Deallocate(deallocate) => {
                if let Some(name) = &deallocate.name {
                    self.statement(name.as_str())?;
                    self.close_statement(name.as_str());
                    "DEALLOCATE".to_owned()
                } else {
                    self.statements.clear();
                    "DEALLOCATE ALL".to_owned()
                }
            }
            Statement::Explain(explain) => self.explain(prepared, explain, params, sink)?,
            Statement::Copy(copy) => return self.copy(prepared, copy, sink),
            Statement::DeclareCursor(declare) => self.declare(prepared, declare, params)?,
            Statement::Fetch(fetch) => return self.fetch(fetch, sink),
            Statement::CloseCursor(close) => {
                if let Some(name) = &close.name {
                    if self.portals.remove(name.as_str()).is_none() {
                        return Err(no_cursor(name.as_str()));
                    }
                    "CLOSE CURSOR".to_owned()
                } else {
                    self.portals.retain(|portal| !portal.is_named_cursor);
                    "CLOSE CURSOR ALL".to_owned()
                }
            }
            Statement::Discard(discard) => self.discard(*discard)?,
            Statement::LockTable(lock) => self.lock_tables(lock)?,
            Statement::Vacuum(vacuum) => self.vacuum(vacuum)?.to_owned(),
            Statement::Checkpoint => {
                self.database.checkpoint()?;
                "CHECKPOINT".to_owned()
            }
            Statement::Cluster(_) => return Err(Error::unsupported("CLUSTER")),
            Statement::Reindex(reindex) => {
                self.reindex(reindex)?;
                "REINDEX".to_owned()
            }
            Statement::Listen(channel) => {
                self.ensure_transaction()?;
                self.state.pending.lock().listen(channel.as_str());
                "LISTEN".to_owned()
            }
            Statement::Unlisten(channel) => {
                self.ensure_transaction()?;
                let channel = channel.as_ref().map(ast::Ident::as_str);
                self.state.pending.lock().unlisten(channel);
                "UNLISTEN".to_owned()
            }
            Statement::Notify(notify) => {
                self.ensure_transaction()?;
                let payload = notify.payload.as_deref().unwrap_or("");
                self.state.pending.lock().notify(notify.channel.as_str(), payload)?;
                "NOTIFY".to_owned()
            }
            Statement::Grant(grant) => {
                let what = if grant.revoke { "REVOKE" } else { "GRANT" };
                return Err(Error::unsupported(what));
            }
            Statement::CreateDatabase(_) => return Err(Error::unsupported("CREATE DATABASE")),
            Statement::Do(_) => return Err(Error::unsupported("DO")),
            Statement::Unsupported(unsupported) => {
                return Err(
                    Error::unsupported(unsupported.name).at(Position(unsupported.span.start))
                );
            }
            other => return self.define(prepared, other, params),
        };
        Ok(Completion::Tag(tag.into()))
    }

    /// Result columns of a statement that is not planned.
    pub(crate) fn utility_columns(
        &mut self,
        statement: &Statement,
    ) -> Result<Option<Arc<[OutputColumn]>>> {
        Ok(match statement {
            Statement::Show(show) => Some(match &show.name {
                Some(name) => [text_column(&show_title(name))].into(),
                None => ["name", "setting", "description"].map(text_column).into(),
            }),
            Statement::Explain(_) => Some([text_column("QUERY PLAN")].into()),
            Statement::Execute(execute) => {
                let prepared = Arc::clone(self.statement(execute.name.as_str())?);
                self.describe(&prepared)?.1
            }
            Statement::Fetch(fetch) if !fetch.is_move => {
                let statement = match self.portals.get(fetch.cursor.as_str()) {
                    Some(portal) => Arc::clone(&portal.statement),
                    None => return Err(no_cursor(fetch.cursor.as_str())),
                };
                self.describe(&statement.prepared)?.1
            }
            _ => None,
        })
    }

    /// SET SESSION CHARACTERISTICS: what transactions begin with from the next one on.
    fn set_default_modes(&mut self, modes: ast::TransactionModes) -> Result<()> {
        self.ensure_transaction()?;
        let isolation = modes.isolation.map(|isolation| match isolation {
            ast::Isolation::ReadUncommitted => "read uncommitted",
            ast::Isolation::ReadCommitted => "read committed",
            ast::Isolation::RepeatableRead => "repeatable read",
            ast::Isolation::Serializable => "serializable",
        });
        let switch = |mode: Option<bool>| mode.map(|mode| if mode { "on" } else { "off" });
        let mut settings = self.state.settings.lock();
        for (name, value) in [
            ("default_transaction_isolation", isolation),
            ("default_transaction_read_only", switch(modes.read_only)),
            ("default_transaction_deferrable", switch(modes.deferrable)),
        ] {
            if value.is_some() {
                settings.set(name, value, false)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, set: &ast::Set) -> Result<String> {
        // The session's role is fixed; a client that resets it gets what it wants.
        let name = set.name.to_ascii_lowercase();
        if matches!(name.as_str(), "session_authorization" | "role") {
            let own = match &set.value {
                SetValue::Default | SetValue::FromCurrent => true,
                SetValue::Values(items) => items.iter().all(|item| {
                    item.as_str() == self.state.user.1 || item.as_str().eq_ignore_ascii_case("none")
                }),
            };
            if own {
                return Ok("SET".to_owned());
            }
            return Err(
                Error::unsupported(format!("SET {}", set.name)).at(Position(set.span.start))
            );
        }
        if let SetValue::Values(items) = &set.value {
            let texts: Vec<&str> = items.iter().map(ast::SetItem::as_str).collect();
            match name.as_str() {
                "transaction_isolation" | "transaction_read_only" => {
                    return self
                        .set_transaction_setting(&name, texts.first().copied().unwrap_or(""));
                }
                _ => {}
            }
            self.ensure_transaction()?;
            // A list is kept as text that splits again: names that need quotes get them.
            let value = if name == "search_path" {
                let quoted: Vec<String> =
                    texts.iter().map(|text| damask_catalog::ddl::quote_identifier(text)).collect();
                quoted.join(", ")
            } else {
                texts.join(", ")
            };
            self.state.settings.lock().set(&set.name, Some(&value), set.local)?;
        } else {
            self.ensure_transaction()?;
            self.state.settings.lock().set(&set.name, None, set.local)?;
        }
        if set.local && !self.block.is_open() {
            self.notice(
                Level::Warning,
                Error::new(
                    SqlState::NO_ACTIVE_SQL_TRANSACTION,
                    "SET LOCAL can only be used in transaction blocks",
                ),
            );
        }
        if name == "application_name" {
            let value = self.state.settings.lock().raw("application_name");
            self.state.backend.show(|activity| activity.application_name = value);
        }
        Ok("SET".to_owned())
    }

    fn set_transaction_setting(&mut self, name: &str, value: &str) -> Result<String> {
        let mut modes = ast::TransactionModes::default();
        if name == "transaction_isolation" {
            modes.isolation = Some(match value.to_ascii_lowercase().as_str() {
                "read uncommitted" => ast::Isolation::ReadUncommitted,
                "read committed" => ast::Isolation::ReadCommitted,
                "repeatable read" => ast::Isolation::RepeatableRead,
                "serializable" => ast::Isolation::Serializable,
                _ => {
                    return Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!(
                            "invalid value for parameter \"transaction_isolation\": \"{value}\""
                        ),
                    ));
                }
            });
        } else {
            modes.read_only =
                Some(matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "yes" | "1"));
        }
        self.ensure_transaction()?;
        self.set_modes(modes)?;
        Ok("SET".to_owned())
    }

    /// The value of a setting as SHOW prints it.
    fn shown(&mut self, name: &str) -> Result<String> {
        let modes = self.modes();
        self.state.shown_setting(name, modes).ok_or_else(|| unknown_setting(name))
    }

    fn show(&mut self, name: Option<&str>, sink: &mut dyn Sink) -> Result<String> {
        if let Some(name) = name {
            let value = self.shown(name)?;
            self.text_rows(&[&show_title(name)], vec![vec![value]], sink)?;
        } else {
            let rows = {
                let settings = self.state.settings.lock();
                settings
                    .all()
                    .into_iter()
                    .map(|(definition, value)| {
                        vec![definition.name.to_owned(), value, definition.description.to_owned()]
                    })
                    .collect()
            };
            self.text_rows(&["name", "setting", "description"], rows, sink)?;
        }
        Ok("SHOW".to_owned())
    }

    /// Sends rows of text.
    pub(crate) fn text_rows(
        &self,
        names: &[&str],
        rows: Vec<Vec<String>>,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let columns = names.iter().map(|name| text_column(name)).collect();
        sink.columns(&columns)?;
        let format = self.format_settings();
        for chunk in rows.chunks(TILE_ROWS) {
            let vectors = (0..names.len())
                .map(|i| {
                    let values: Vec<Value> =
                        chunk.iter().map(|row| Value::text(row[i].as_str())).collect();
                    Vector::from_values(TypeId::Text, &values)
                })
                .collect();
            sink.rows(&Batch::new(vectors, chunk.len()), &format)?;
        }
        Ok(())
    }

    // PREPARE and EXECUTE.

    fn sql_prepare(&mut self, prepared: &Prepared, prepare: &ast::Prepare) -> Result<String> {
        let name = prepare.name.as_str();
        if self.statements.get(name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        let types = prepare
            .types
            .iter()
            .map(|ty| damask_planner::resolve_type(ty).map(|ty| Some(ty.id)))
            .collect::<Result<Vec<_>>>()?;
        let text = prepared.slice(prepare.span).to_owned();
        let made = self.prepare(&text, types)?;
        // Errors of the statement show now, as in PostgreSQL.
        let (_, columns) = self.describe(&made)?;
        let whole = Arc::clone(prepared.text());
        let statement = self.keep_statement(name, made, whole, true);
        statement.check(&columns.unwrap_or_default())?;
        Ok("PREPARE".to_owned())
    }

    fn sql_execute(&mut self, execute: &ast::Execute, sink: &mut dyn Sink) -> Result<Completion> {
        let statement = self.use_statement(execute.name.as_str())?;
        let prepared = &statement.prepared;
        let (types, columns) = self.describe(prepared).map_err(without_position)?;
        statement.check(&columns.unwrap_or_default())?;
        if types.len() != execute.args.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!(
                    "wrong number of parameters for prepared statement \"{}\"",
                    execute.name.as_str()
                ),
            )
            .detail(format!(
                "Expected {} parameters but got {}.",
                types.len(),
                execute.args.len()
            )));
        }
        let params = self.evaluate(&execute.args, &types)?;
        self.run_statement(prepared, prepared.own_text(), &params, sink).map_err(without_position)
    }

    /// Values of expressions without columns, converted to types.
    pub(crate) fn evaluate(
        &mut self,
        exprs: &[ast::Expr],
        types: &[SqlType],
    ) -> Result<Vec<Value>> {
        if exprs.is_empty() {
            return Ok(vec![]);
        }
        self.begin_statement()?;
        let env = self.statement_env()?;
        let mut values = vec![];
        for (expr, ty) in exprs.iter().zip(types) {
            let bound = self.with_plan_context(&env, "", &[], |ctx| {
                let purpose = damask_planner::ColumnUse::Default("parameter", *ty);
                damask_planner::bind_column_expression(expr, "", &[], purpose, ctx)
            })?;
            values.push(self.value_of(bound, &env)?);
        }
        Ok(values)
    }

    /// The value of a bound expression without columns.
    pub(crate) fn value_of(
        &mut self,
        expr: damask_planner::expr::Expr,
        env: &Arc<super::env::StatementEnv>,
    ) -> Result<Value> {
        use damask_planner::expr::ColumnId;
        use damask_planner::physical::{Node, Operator, Plan, PlanId};
        if let Some(value) = expr.as_literal() {
            return Ok(value.clone());
        }
        let ty = expr.ty;
        let node = Node {
            operator: Operator::Values { rows: vec![vec![expr]] },
            output: vec![ColumnId(0)],
            types: vec![ty],
            rows: 1.0,
            cost: (0.0, 0.0),
        };
        let plan = Plan {
            nodes: vec![node],
            root: PlanId(0),
            columns: [].into(),
            parameters: [].into(),
            relations: vec![],
            writes: false,
            locks_rows: false,
        };
        let mut execution = self.execution(Arc::new(plan), vec![], env, false)?;
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        Ok(execution.next(txn)?.map_or(Value::Null, |batch| batch.columns[0].value(0)))
    }

    // EXPLAIN.

    fn explain(
        &mut self,
        prepared: &Arc<Prepared>,
        explain: &ast::Explain,
        params: &[Value],
        sink: &mut dyn Sink,
    ) -> Result<String> {
        let lines = self.explain_lines(prepared, explain, params)?;
        let rows = lines.into_iter().map(|line| vec![line]).collect();
        self.text_rows(&["QUERY PLAN"], rows, sink)?;
        Ok("EXPLAIN".to_owned())
    }

    // Cursors.

    fn declare(
        &mut self,
        prepared: &Prepared,
        declare: &ast::DeclareCursor,
        params: &[Value],
    ) -> Result<String> {
        if !declare.hold {
            self.require_block("DECLARE CURSOR")?;
        }
        if declare.scroll == Some(true) {
            return Err(Error::unsupported("SCROLL cursors"));
        }
        if declare.binary {
            return Err(Error::unsupported("BINARY cursors"));
        }
        let name = declare.name.as_str();
        if self.portals.get(name).is_some() {
            return Err(Error::new(
                SqlState::DUPLICATE_CURSOR,
                format!("cursor \"{name}\" already exists"),
            ));
        }
        let made = Promised::new(self.inner_query(prepared)?.expect("a cursor has a query"));
        let mut portal = Portal::new(made, params.to_vec(), self.state.clock.wall_micros());
        portal.is_named_cursor = true;
        portal.declared = Some(Arc::clone(prepared.text()));
        self.begin_statement()?;
        let execution = self.start(&portal.statement.prepared, params)?;
        if declare.hold {
            portal.is_held = true;
            let txn = self.txn.as_mut().expect("a statement runs in a transaction");
            portal.held = Some(execution.hold(txn)?);
            portal.is_done = true;
        } else {
            portal.execution = Some(Box::new(execution));
        }
        self.portals.insert(name, Box::new(portal));
        Ok("DECLARE CURSOR".to_owned())
    }

    fn fetch(&mut self, fetch: &ast::Fetch, sink: &mut dyn Sink) -> Result<Completion> {
        let name = fetch.cursor.as_str();
        let limit = match fetch.direction {
            FetchDirection::Forward(None) => 0,
            FetchDirection::Forward(Some(count)) if count > 0 => count.cast_unsigned(),
            FetchDirection::Relative(1) => 1,
            FetchDirection::Forward(Some(_))
            | FetchDirection::Backward(_)
            | FetchDirection::Absolute(_)
            | FetchDirection::Relative(_) => {
                return Err(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cursor can only scan forward",
                )
                .hint("Declare it with SCROLL option to enable backward scan."));
            }
        };
        let Some(mut portal) = self.portals.remove(name) else {
            return Err(no_cursor(name));
        };
        let before = portal.given;
        let result = if fetch.is_move {
            self.step_portal(&mut portal, limit, &mut Nowhere)
        } else {
            let described = self
                .describe(&portal.statement.prepared)
                .and_then(|(_, columns)| sink.columns(&columns.unwrap_or_else(|| [].into())));
            described.and_then(|()| self.step_portal(&mut portal, limit, &mut NoHeader(sink)))
        };
        let given = portal.given - before;
        self.portals.insert(name, portal);
        result?;
        let word = if fetch.is_move { "MOVE" } else { "FETCH" };
        Ok(Completion::Tag(format!("{word} {given}").into()))
    }

    fn discard(&mut self, discard: ast::Discard) -> Result<String> {
        if discard == ast::Discard::All {
            if self.block.is_open() {
                return Err(Error::new(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "DISCARD ALL cannot run inside a transaction block",
                ));
            }
            self.ensure_transaction()?;
            self.portals.clear();
            self.statements.clear();
            self.state.settings.lock().reset_all()?;
            self.state.discard_sequences();
            self.state.pending.lock().unlisten(None);
            self.state.locks.unlock_all();
        }
        if matches!(discard, ast::Discard::All | ast::Discard::Temp) {
            self.discard_temporary()?;
        }
        if discard == ast::Discard::Sequences {
            self.state.discard_sequences();
        }
        Ok(match discard {
            ast::Discard::All => "DISCARD ALL",
            ast::Discard::Plans => "DISCARD PLANS",
            ast::Discard::Sequences => "DISCARD SEQUENCES",
            ast::Discard::Temp => "DISCARD TEMP",
        }
        .to_owned())
    }

    /// The plan of an inner statement with its text form, and what running it showed.
    fn explain_lines(
        &mut self,
        prepared: &Arc<Prepared>,
        explain: &ast::Explain,
        params: &[Value],
    ) -> Result<Vec<String>> {
        let mut options = damask_planner::explain::ExplainOptions::default();
        let mut analyze = false;
        let mut summary = None;
        for option in &explain.options {
            let name = option.name.as_str();
            let at = Position(option.name.span.start);
            let value = || {
                option.as_bool().ok_or_else(|| {
                    Error::new(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"))
                        .at(at)
                })
            };
            match name {
                "analyze" => analyze = value()?,
                "verbose" => options.verbose = value()?,
                "costs" => options.costs = value()?,
                "timing" => options.timing = value()?,
                "summary" => summary = Some(value()?),
                "buffers" | "settings" | "wal" => {
                    value()?;
                }
                "format" => match option.as_text() {
                    Some(text) if text.eq_ignore_ascii_case("text") => {}
                    other => {
                        return Err(Error::unsupported(format!(
                            "EXPLAIN (FORMAT {})",
                            other.unwrap_or("")
                        ))
                        .at(at));
                    }
                },
                _ => {
                    return Err(Error::new(
                        SqlState::SYNTAX_ERROR,
                        format!("unrecognized EXPLAIN option \"{name}\""),
                    )
                    .at(at));
                }
            }
        }
        let inner = match &explain.statement {
            Statement::Execute(execute) => Arc::clone(self.statement(execute.name.as_str())?),
            statement if is_planned(statement) => {
                let span = ast::Span::new(0, prepared.text().len() as u32);
                let parsed = damask_sql::Parsed { statement: statement.clone(), span };
                Arc::new(Prepared::new(Arc::clone(prepared.text()), Some(parsed), vec![]))
            }
            _ => return Err(Error::unsupported("EXPLAIN of this statement")),
        };
        self.begin_statement()?;
        let planning = self.state.clock.now();
        let (env, own) = self.plan_and_lock(&inner)?;
        let plan = &own.plan;
        let planning = self.state.clock.now().saturating_sub(planning);
        if !analyze {
            let mut lines = damask_planner::explain::text(plan, options, None);
            if summary == Some(true) {
                lines.push(planning_line(planning));
            }
            return Ok(lines);
        }
        if plan.writes {
            self.check_writable(inner.statement().map_or("", command_name))?;
        }
        let mut execution = self.execution(Arc::clone(plan), params.to_vec(), &env, true)?;
        let started = self.state.clock.now();
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        while execution.next(txn)?.is_some() {}
        let total = self.state.clock.now().saturating_sub(started);
        let actuals = |id| {
            let stats = execution.stats(id);
            damask_planner::explain::NodeStats {
                rows: stats.rows,
                loops: stats.loops,
                first_ms: stats.first.as_secs_f64() * 1e3,
                total_ms: stats.time.as_secs_f64() * 1e3,
                sort_method: stats.note.sort.map(|method| match method {
                    SortMethod::Quicksort => "quicksort",
                    SortMethod::TopN => "top-N heapsort",
                    SortMethod::ExternalMerge => "external merge",
                }),
                batches: stats.note.batches,
                buckets: stats.note.buckets,
                memory_bytes: stats.note.memory_bytes,
                disk_bytes: stats.note.disk_bytes,
                compiled: execution.compiled(id).cloned().collect(),
            }
        };
        let mut lines = damask_planner::explain::text(plan, options, Some(&actuals));
        if summary != Some(false) {
            lines.push(planning_line(planning));
            let jit = execution.jit_stats();
            let total_ms = jit.time.as_secs_f64() * 1e3;
            let jit = damask_planner::explain::JitStats { functions: jit.functions, total_ms };
            lines.extend(damask_planner::explain::jit_text(jit, options));
            lines.push(format!("Execution Time: {:.3} ms", total.as_secs_f64() * 1e3));
        }
        Ok(lines)
    }
}

fn planning_line(time: std::time::Duration) -> String {
    format!("Planning Time: {:.3} ms", time.as_secs_f64() * 1e3)
}

/// What SHOW names its column.
fn show_title(name: &str) -> String {
    super::settings::definition(name)
        .map_or_else(|| name.to_ascii_lowercase(), |definition| definition.name.to_owned())
}

fn text_column(name: &str) -> OutputColumn {
    OutputColumn { name: name.to_owned(), ty: TypeId::Text.into(), origin: None }
}

/// An error of another text than the client's.
fn without_position(mut error: Error) -> Error {
    error.fields_mut().position = None;
    error
}

fn no_cursor(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}

/// Drops rows (MOVE).
struct Nowhere;

impl Sink for Nowhere {
    fn columns(&mut self, _columns: &Arc<[OutputColumn]>) -> Result<()> {
        Ok(())
    }

    fn rows(
        &mut self,
        _batch: &Batch,
        _settings: &damask_types::format::FormatSettings,
    ) -> Result<()> {
        Ok(())
    }

    fn copy_out(&mut self, _data: &[u8]) -> Result<()> {
        Ok(())
    }

    fn copy_out_start(&mut self, _shape: CopyShape) -> Result<()> {
        Ok(())
    }
}

/// Passes rows on, but not the columns: they were sent already.
struct NoHeader<'a>(&'a mut dyn Sink);

impl Sink for NoHeader<'_> {
    fn columns(&mut self, _columns: &Arc<[OutputColumn]>) -> Result<()> {
        Ok(())
    }

    fn rows(
        &mut self,
        batch: &Batch,
        settings: &damask_types::format::FormatSettings,
    ) -> Result<()> {
        self.0.rows(batch, settings)
    }

    fn row(
        &mut self,
        types: &[TypeId],
        values: &[Value],
        settings: &damask_types::format::FormatSettings,
    ) -> Result<()> {
        self.0.row(types, values, settings)
    }

    fn copy_out(&mut self, data: &[u8]) -> Result<()> {
        self.0.copy_out(data)
    }

    fn copy_out_start(&mut self, shape: CopyShape) -> Result<()> {
        self.0.copy_out_start(shape)
    }
}
