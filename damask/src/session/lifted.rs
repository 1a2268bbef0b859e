//! Texts that differ in their constants alone share a plan ([`damask_sql::lift`]).
//!
//! The template is a prepared statement like any other, in the same cache. A text runs by it only where the constants decide
//! nothing: its plan is of the kind that runs by value ([`super::short`]), found by a key or the beginning of one, or made of rows that
//! are spelled out.
//! Whatever else happens (a constant that its type does not read, a template that does not parse or plan) the text goes its own
//! way, which raises the errors, with positions in the text.

use super::plan::Prepared;
use super::{Completion, Session, Sink};
use damask_sql::{Constant, Lifted, ast};
use damask_types::{Numeric, Result, SqlType, TypeId, Value};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A text that runs by its template.
#[derive(Debug)]
pub struct LiftedText {
    template: Arc<Prepared>,
    constants: Vec<Value>,
}

impl Session {
    /// The template and the constants of a text of one statement, if it runs by one.
    pub fn lift(&mut self, text: &str) -> Option<LiftedText> {
        if self.avoids_short_path {
            return None;
        }
        let Lifted { template, constants } = damask_sql::lift(text)?;
        let types: Vec<Option<TypeId>> = constants
            .iter()
            .map(|constant| match constant {
                Constant::Int4(_) => Some(TypeId::Int4),
                Constant::Int8(_) => Some(TypeId::Int8),
                Constant::Numeric(_) => Some(TypeId::Numeric),
                Constant::String(_) => None,
            })
            .collect();
        let plans = &self.database.shared.plans;
        let template = match plans.find(&template, &types) {
            Some(known) => known,
            None => self.template(&template, types),
        };
        let version = self.catalog.snapshot().version;
        if template.unfit.load(Ordering::Relaxed) == version {
            return None;
        }
        if !template.statement().is_some_and(may_be_short) {
            return None;
        }
        let env = self.statement_env().ok()?;
        let own = self.guarded(|session| session.plan(&template, &env)).ok()?;
        if own.short.is_none() {
            template.unfit.store(env.catalog.version, Ordering::Relaxed);
            return None;
        }
        let constants = constants
            .into_iter()
            .zip(&*own.plan.parameters)
            .map(|(constant, ty)| self.constant(constant, *ty))
            .collect::<Option<_>>()?;
        Some(LiftedText { template, constants })
    }

    /// Makes and keeps a template; one without a statement if it does not parse.
    fn template(&mut self, text: &str, types: Vec<Option<TypeId>>) -> Arc<Prepared> {
        let parsed = damask_sql::parse_one(text).ok().flatten();
        let template = Arc::new(Prepared::new(text.into(), parsed, types));
        self.database.shared.plans.keep_any(&template);
        template
    }

    fn constant(&mut self, constant: Constant, ty: SqlType) -> Option<Value> {
        match constant {
            Constant::Int4(value) => Some(Value::Int4(value)),
            Constant::Int8(value) => Some(Value::Int8(value)),
            Constant::Numeric(text) => Numeric::parse(&text).ok().map(Value::Numeric),
            Constant::String(text) => self.read_text(ty, &text).ok(),
        }
    }

    /// As [`Session::run`], of a text by its template.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_lifted(
        &mut self,
        lifted: &LiftedText,
        text: &str,
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        let text = text.trim().trim_end_matches(';');
        self.guarded(|session| {
            let result = session.run_statement(&lifted.template, text, &lifted.constants, sink);
            session.settle(result)
        })
    }
}

/// Whether a statement's plan can be of the kind that runs by value: planning the others twice would be too dear.
fn may_be_short(statement: &ast::Statement) -> bool {
    match statement {
        ast::Statement::Query(query) => match &query.body {
            ast::QueryBody::Select(select) => {
                select.from.len() == 1
                    && select.filter.is_some()
                    && select.into.is_none()
                    && select.group_by.is_empty()
                    && query.order_by.is_empty()
            }
            _ => false,
        },
        ast::Statement::Insert(_) | ast::Statement::Update(_) | ast::Statement::Delete(_) => true,
        _ => false,
    }
}
