//! VACUUM and ANALYZE.
//!
//! Nothing waits for a VACUUM: versions go when no snapshot needs them, whoever commits next ([`damask_txn`]). VACUUM collects at once
//! what may go. PostgreSQL's options are taken; those about how its heap is swept change nothing, since there is none. ANALYZE draws
//! the samples that plans are made from, of whole tables even if columns are listed.

use super::Session;
use super::settings::Level;
use damask_catalog::object::{Relation, RelationKind};
use damask_catalog::system::Maintained;
use damask_sql::ast::{self, OptionValue, UtilityOption};
use damask_txn::{LockTag, TableLock};
use damask_types::{Error, Position, Result, SqlState};
use std::sync::Arc;

/// Workers that the option PARALLEL may name at most.
const WORKERS_MAX: i64 = 1024;

/// What the options say.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    vacuums: bool,
    analyzes: bool,
    is_full: bool,
    is_verbose: bool,
    skips_locked: bool,
}

fn flag(option: &UtilityOption) -> Result<bool> {
    option.as_bool().ok_or_else(|| {
        let name = option.name.as_str();
        Error::new(SqlState::SYNTAX_ERROR, format!("{name} requires a Boolean value"))
    })
}

/// Checks the option PARALLEL; the number of workers.
fn workers(option: &UtilityOption) -> Result<i64> {
    let at = Position(option.name.span.start);
    let error = |text: &str| Err(Error::new(SqlState::SYNTAX_ERROR, text).at(at));
    let Some(value) = &option.value else {
        return error("parallel option requires a value between 0 and 1024");
    };
    match value {
        OptionValue::Number(text) => match text.parse() {
            Ok(count) if (0..=WORKERS_MAX).contains(&count) => Ok(count),
            Ok(_) => error("parallel workers for vacuum must be between 0 and 1024"),
            Err(_) => error("parallel requires an integer value"),
        },
        OptionValue::Text(_) | OptionValue::Star | OptionValue::List(_) => {
            error("parallel requires an integer value")
        }
    }
}

fn options(vacuum: &ast::Vacuum) -> Result<Options> {
    let mut options = Options {
        vacuums: !vacuum.analyze_only,
        analyzes: vacuum.analyze_only,
        ..Options::default()
    };
    let (mut parallel, mut sweeps_all, mut has_toast) = (0, false, true);
    for option in &vacuum.options {
        match option.name.as_str() {
            "verbose" => options.is_verbose = flag(option)?,
            "skip_locked" => options.skips_locked = flag(option)?,
            "analyze" if options.vacuums => options.analyzes = flag(option)?,
            "full" if options.vacuums => options.is_full = flag(option)?,
            "disable_page_skipping" if options.vacuums => sweeps_all = flag(option)?,
            "process_toast" if options.vacuums => has_toast = flag(option)?,
            "freeze" | "truncate" if options.vacuums => drop(flag(option)?),
            "index_cleanup" if options.vacuums => {
                if !option.as_text().is_some_and(|text| text.eq_ignore_ascii_case("auto")) {
                    flag(option)?;
                }
            }
            "parallel" if options.vacuums => parallel = workers(option)?,
            name => {
                let command = if options.vacuums { "VACUUM" } else { "ANALYZE" };
                let text = format!("unrecognized {command} option \"{name}\"");
                let at = Position(option.name.span.start);
                return Err(Error::new(SqlState::SYNTAX_ERROR, text).at(at));
            }
        }
    }
    let refused = |text: &str| Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, text));
    if options.is_full && parallel > 0 {
        return refused("VACUUM FULL cannot be performed in parallel");
    }
    if options.is_full && sweeps_all {
        return refused("VACUUM option DISABLE_PAGE_SKIPPING cannot be used with FULL");
    }
    if options.is_full && !has_toast {
        return refused("PROCESS_TOAST required with VACUUM FULL");
    }
    if !options.analyzes && vacuum.tables.iter().any(|(_, columns)| !columns.is_empty()) {
        return refused("ANALYZE option must be specified when a column list is provided");
    }
    Ok(options)
}

/// 42703 or 42701 if a list of columns is not one of this table's.
fn check_columns(relation: &Relation, columns: &[ast::Ident]) -> Result<()> {
    for (i, column) in columns.iter().enumerate() {
        let name = column.as_str();
        let problem = if !relation.live_columns().any(|(_, column)| column.name == name) {
            Some((SqlState::UNDEFINED_COLUMN, "does not exist"))
        } else if columns[..i].iter().any(|other| other.as_str() == name) {
            Some((SqlState::DUPLICATE_COLUMN, "appears more than once"))
        } else {
            None
        };
        if let Some((state, what)) = problem {
            let text = format!("column \"{name}\" of relation \"{}\" {what}", relation.name);
            return Err(Error::new(state, text));
        }
    }
    Ok(())
}

impl Session {
    /// VACUUM and ANALYZE; the command tag.
    pub(super) fn vacuum(&mut self, vacuum: &ast::Vacuum) -> Result<&'static str> {
        let options = options(vacuum)?;
        if options.vacuums && self.block.is_open() {
            return Err(Error::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "VACUUM cannot run inside a transaction block",
            ));
        }
        self.begin_statement()?;
        let mut done = vec![];
        for (relation, columns) in self.vacuumed(vacuum, options)? {
            if self.maintain(&relation, columns, options)? {
                done.push(relation.oid);
            }
        }
        if options.analyzes {
            self.database.shared.samples.advance();
        }
        if options.vacuums {
            // Its own snapshot must not keep what it collects.
            self.commit_transaction()?;
            self.database.shared.catalog.engine().vacuum()?;
            self.ensure_transaction()?;
        }
        let now = self.state.clock.wall_micros();
        let change = |maintained: &mut Maintained| {
            // PostgreSQL does not count rewriting a table.
            if options.vacuums && !options.is_full {
                maintained.last_vacuum = Some(now);
                maintained.vacuum_count += 1;
            }
            if options.analyzes {
                maintained.last_analyze = Some(now);
                maintained.analyze_count += 1;
            }
        };
        let catalog = self.catalog.snapshot();
        self.state.backends.maintain(&done, change, |oid| catalog.relation(oid).is_some());
        Ok(if options.vacuums { "VACUUM" } else { "ANALYZE" })
    }

    /// The tables that are meant, with the columns that are listed.
    fn vacuumed<'a>(
        &mut self,
        vacuum: &'a ast::Vacuum,
        options: Options,
    ) -> Result<Vec<(Arc<Relation>, &'a [ast::Ident])>> {
        let what = if options.vacuums { "vacuum" } else { "analyze" };
        let mut relations: Vec<(Arc<Relation>, &[ast::Ident])> = vec![];
        if vacuum.tables.is_empty() {
            let env = self.statement_env()?;
            let tables = env.catalog.user_relations().into_iter();
            let tables = tables.filter(|relation| relation.kind == RelationKind::Table);
            relations.extend(tables.map(|relation| (Arc::clone(relation), &[][..])));
        }
        for (name, columns) in &vacuum.tables {
            let found = self.find(name)?;
            let relation = match found {
                Some(relation) => Some(relation),
                None if self.is_index(name)? => None,
                None => Some(self.resolve(name)?),
            };
            let table = relation.filter(|relation| relation.kind == RelationKind::Table);
            let Some(table) = table else {
                let text = format!(
                    "skipping \"{}\" --- cannot {what} non-tables or special system tables",
                    name.base().as_str()
                );
                self.notice(Level::Warning, Error::new(SqlState::WARNING, text));
                continue;
            };
            relations.push((table, columns));
        }
        Ok(relations)
    }

    /// Locks a table and draws its sample; whether it could be locked.
    fn maintain(
        &mut self,
        relation: &Relation,
        columns: &[ast::Ident],
        options: Options,
    ) -> Result<bool> {
        let mode = if options.is_full {
            TableLock::AccessExclusive
        } else {
            TableLock::ShareUpdateExclusive
        };
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        match txn.lock_relation(LockTag::Relation(relation.oid), mode, !options.skips_locked) {
            Err(error)
                if options.skips_locked && error.sqlstate() == SqlState::LOCK_NOT_AVAILABLE =>
            {
                let what = if options.vacuums { "vacuum" } else { "analyze" };
                let text =
                    format!("skipping {what} of \"{}\" --- lock not available", relation.name);
                self.notice(Level::Warning, Error::new(SqlState::LOCK_NOT_AVAILABLE, text));
                return Ok(false);
            }
            locked => locked?,
        }
        self.catalog.refresh();
        let Some(relation) = self.catalog.snapshot().relation(relation.oid).cloned() else {
            return Ok(false);
        };
        check_columns(&relation, columns)?;
        let schema = self.catalog.snapshot().schema_name(relation.schema).to_owned();
        if options.is_verbose && options.vacuums {
            let database = &self.state.database;
            let text = format!("vacuuming \"{database}.{schema}.{}\"", relation.name);
            self.notice(Level::Info, Error::new(SqlState::SUCCESSFUL_COMPLETION, text));
        }
        if options.analyzes {
            if options.is_verbose {
                let text = format!("analyzing \"{schema}.{}\"", relation.name);
                self.notice(Level::Info, Error::new(SqlState::SUCCESSFUL_COMPLETION, text));
            }
            self.table_statistics().analyze(&relation)?;
        }
        Ok(true)
    }
}
