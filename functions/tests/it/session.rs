//! A session that stands still: fixed clock, no catalog.

use damask_functions::Session;
use damask_types::format::{FormatSettings, TimeZone};
use damask_types::{Error, Oid, Result, TypeId, Value};

/// The session of every test here.
pub(crate) struct Fixed {
    format: FormatSettings,
}

impl Fixed {
    pub(crate) fn new() -> Self {
        let time_zone = TimeZone::parse("Europe/Berlin").expect("a zone of the database");
        Self { format: FormatSettings { time_zone, ..FormatSettings::default() } }
    }
}

impl Session for Fixed {
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
            Some(named) if ty == TypeId::RegType => {
                damask_functions::resolve::type_text(named).to_owned()
            }
            _ => oid.to_string(),
        }
    }
}
