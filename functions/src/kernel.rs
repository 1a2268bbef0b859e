//! What the body of a scalar function sees and gives.

use damask_types::{Mask, Oid, Result, SqlType, TypeId, Value, Vector};

/// A function over whole vectors.
///
/// `args` all have `ctx.rows` rows. The result has `ctx.rows` rows too (const if it is the same for every row). It is of
/// the function's result type; rows outside `ctx.active` may hold anything valid.
pub type Kernel = fn(ctx: &KernelContext<'_>, args: &[Vector]) -> Result<Vector>;

/// What a kernel may know besides its arguments.
#[derive(Clone, Copy)]
pub struct KernelContext<'a> {
    /// Rows of the tile.
    pub rows: usize,
    /// Rows whose result counts: only these may raise (F1).
    pub active: &'a Mask,
    /// Result type of this call, resolved (polymorphic functions, and modifiers in length-coercion casts).
    pub result: SqlType,
    /// The session on whose behalf it runs.
    pub session: &'a dyn Session,
}

/// What functions may ask of the session and its catalog. Implemented once, in `damask`.
///
/// Every method that looks something up returns `None` for an object that does not exist.
pub trait Session {
    /// Start of the current transaction: microseconds since 2000-01-01 UTC (`now()`).
    fn transaction_timestamp(&self) -> i64;
    /// Start of the current statement.
    fn statement_timestamp(&self) -> i64;
    /// This moment.
    fn clock_timestamp(&self) -> i64;
    /// The `TimeZone` setting.
    fn time_zone(&self) -> &damask_types::format::TimeZone;
    /// Settings that shape the text form of values.
    fn format(&self) -> &damask_types::format::FormatSettings;
    /// A number in [0, 1) (`random()`).
    fn random(&self) -> f64;
    /// Fills `out` with bytes that nobody can foresee (`gen_random_uuid`).
    ///
    /// # Errors
    /// 0A000 where there is no source of them.
    fn random_bytes(&self, out: &mut [u8]) -> Result<()> {
        let _ = out;
        Err(damask_types::Error::unsupported("a source of random bytes in this context"))
    }
    /// Restarts `random()` (`setseed`).
    fn set_seed(&self, seed: f64);
    /// The current value of a setting as `SHOW` prints it.
    fn setting(&self, name: &str) -> Option<String>;
    /// `set_config(name, value, is_local)`; gives the new value.
    fn set_setting(&self, name: &str, value: Option<&str>, is_local: bool) -> Result<String>;
    /// Everything about the catalog and the session that a handful of functions want, by name:
    /// `current_schema`, `pg_get_indexdef`, `nextval`, `pg_table_is_visible`, `obj_description`, ...
    ///
    /// `function` is the function's SQL name, `args` its arguments (no nulls if it is strict).
    ///
    /// # Errors
    /// 0A000 for a function the catalog does not answer; whatever the function itself raises.
    fn catalog_function(&self, function: &str, args: &[Value]) -> Result<Value>;
    /// The OID behind a name of a `reg*` type, quoted and schema-qualified as in text input; error texts and SQLSTATEs
    /// are PostgreSQL's (42P01 `relation "x" does not exist`, 42704 `type "x" does not exist`, ...).
    fn reg_from_name(&self, ty: TypeId, name: &str) -> Result<Oid>;
    /// The text of an OID of a `reg*` type, qualified if the search path does not reach it; the number as text if there is no such object.
    fn reg_to_name(&self, ty: TypeId, oid: Oid) -> String;
}

impl KernelContext<'_> {
    /// A context like this one for fewer rows.
    pub fn with_active<'b>(&self, active: &'b Mask) -> KernelContext<'b>
    where
        Self: 'b,
    {
        KernelContext { rows: self.rows, active, result: self.result, session: self.session }
    }
}
