//! A session that stands still: for what indexes compute of rows, which must come out the same whoever computes it, and for tests.

use crate::kernel::Session;
use crate::resolve::type_text;
use damask_types::format::{FormatSettings, TimeZone};
use damask_types::{Error, Oid, Result, TypeId, Value};

/// A session whose clock and chance do not move, with no catalog.
#[derive(Debug, Default)]
pub struct FixedSession {
    /// How values are written and read.
    pub format: FormatSettings,
}

impl Session for FixedSession {
    fn transaction_timestamp(&self) -> i64 {
        0
    }
    fn statement_timestamp(&self) -> i64 {
        0
    }
    fn clock_timestamp(&self) -> i64 {
        0
    }
    fn time_zone(&self) -> &TimeZone {
        &self.format.time_zone
    }
    fn format(&self) -> &FormatSettings {
        &self.format
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn set_seed(&self, _: f64) {}
    fn setting(&self, _: &str) -> Option<String> {
        None
    }
    fn set_setting(&self, _: &str, value: Option<&str>, _: bool) -> Result<String> {
        Ok(value.unwrap_or_default().to_owned())
    }
    fn catalog_function(&self, function: &str, _: &[Value]) -> Result<Value> {
        Err(Error::unsupported(function))
    }
    fn reg_from_name(&self, ty: TypeId, name: &str) -> Result<Oid> {
        Err(Error::unsupported(format_args!("{ty:?} {name}")))
    }
    fn reg_to_name(&self, ty: TypeId, oid: Oid) -> String {
        // Types are known without a catalog.
        match TypeId::from_oid(oid) {
            Some(named) if ty == TypeId::RegType => type_text(named).to_owned(),
            _ => oid.to_string(),
        }
    }
}
