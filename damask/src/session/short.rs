//! Statements of one row: run by value ([`damask_executor::short`]), their rows straight to the sink.

use super::run::Ready;
use super::{Session, Sink};
use damask_executor::{Due, Short, ShortContext};
use damask_types::{Result, Value};

impl Session {
    /// Whether a statement runs by value: for tests, which compare that with the way of batches.
    ///
    /// # Errors
    /// What parsing and planning it raise.
    pub fn runs_by_value(&mut self, text: &str) -> Result<bool> {
        let statements = self.prepare_text(text)?;
        let env = self.statement_env()?;
        let Some(planned) = statements
            .first()
            .filter(|prepared| prepared.statement().is_some_and(super::plan::is_planned))
        else {
            return Ok(false);
        };
        Ok(self.guarded(|session| session.plan(planned, &env))?.short.is_some())
    }

    /// Runs a short plan of the statement that has begun; says how many rows it gave or changed. `is_early` tells whether its rows stay
    /// in the process until the end of the message.
    pub(crate) fn run_short(
        &mut self,
        short: &Short,
        ready: &Ready,
        params: &[Value],
        is_early: bool,
        sink: &mut dyn Sink,
    ) -> Result<u64> {
        let txn = self.txn.as_mut().expect("a statement runs in a transaction");
        txn.allow_early(is_early);
        let ctx = ShortContext {
            params,
            session: &*ready.env,
            tables: ready.plan.tables(self.database.shared.catalog.engine())?,
            catalog: &ready.env.catalog,
            control: &*self.state.backend,
            room: &mut self.room,
        };
        let (types, format) = (short.types(), &ready.env.effective.format);
        let count = short.run(ctx, txn, &mut |values| sink.row(types, values, format))?;
        if txn.has_unswept() {
            self.check_deferred(Due::Statement)?;
        }
        Ok(count)
    }
}
