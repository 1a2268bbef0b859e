//! Transactions, settings, cursors, `COPY`, roles and other statements that are neither queries nor definitions.

use super::{
    DefinitionOption, Expr, Ident, Name, ObjectKind, Query, RoleName, Span, Statement, TypeName,
};

/// `EXPLAIN`.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    /// The options: `analyze` and `verbose` also from the old spelling, in order.
    pub options: Vec<UtilityOption>,
    /// What is explained.
    pub statement: Statement,
}

/// `name [value]` of a parenthesised option list.
#[derive(Clone, Debug, PartialEq)]
pub struct UtilityOption {
    /// Its name, in lower case.
    pub name: Ident,
    /// Its value.
    pub value: Option<OptionValue>,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue {
    /// A word or a string.
    Text(Box<str>),
    /// A number, as written, with its sign.
    Number(Box<str>),
    /// `*`.
    Star,
    /// A parenthesised list of words.
    List(Vec<Ident>),
}

impl UtilityOption {
    /// The option as a boolean, as PostgreSQL's `defGetBoolean` reads it; none when it is not one.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.value {
            None => Some(true),
            Some(OptionValue::Number(text)) => match &**text {
                "0" => Some(false),
                "1" => Some(true),
                _ => None,
            },
            Some(OptionValue::Text(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "on" => Some(true),
                "false" | "off" => Some(false),
                _ => None,
            },
            Some(OptionValue::Star | OptionValue::List(_)) => None,
        }
    }

    /// The option's value as text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Some(OptionValue::Text(text) | OptionValue::Number(text)) => Some(text),
            Some(OptionValue::Star) => Some("*"),
            Some(OptionValue::List(_)) | None => None,
        }
    }
}

/// Transaction control.
#[derive(Clone, Debug, PartialEq)]
pub enum Transaction {
    /// `BEGIN` (tag `BEGIN`) or, with `start`, `START TRANSACTION` (its own tag).
    Begin {
        /// Written `START TRANSACTION`.
        start: bool,
        /// Its modes.
        modes: TransactionModes,
    },
    /// `COMMIT`, `END`.
    Commit {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`.
    Rollback {
        /// `AND CHAIN`.
        chain: bool,
    },
    /// `SAVEPOINT name`.
    Savepoint(Ident),
    /// `RELEASE [SAVEPOINT] name`.
    Release(Ident),
    /// `ROLLBACK TO [SAVEPOINT] name`.
    RollbackTo(Ident),
    /// `PREPARE TRANSACTION 'id'`.
    PrepareTransaction(Box<str>),
    /// `COMMIT PREPARED 'id'`.
    CommitPrepared(Box<str>),
    /// `ROLLBACK PREPARED 'id'`.
    RollbackPrepared(Box<str>),
}

/// Transaction modes; where one is written twice the last counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionModes {
    /// `ISOLATION LEVEL`.
    pub isolation: Option<Isolation>,
    /// `READ ONLY` (true) or `READ WRITE`.
    pub read_only: Option<bool>,
    /// `DEFERRABLE` or `NOT DEFERRABLE`.
    pub deferrable: Option<bool>,
}

/// Isolation levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keywords of its name")]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// `SET name = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// `LOCAL`.
    pub local: bool,
    /// The setting, in lower case unless quoted: `work_mem`, `my.var`. The special spellings are already names:
    /// `TIME ZONE` is `timezone`, `NAMES` is `client_encoding`, `SCHEMA` is `search_path`, `SESSION AUTHORIZATION` is
    /// `session_authorization`, `ROLE` is `role`, `SEED` is `seed`, `XML OPTION` is `xmloption`.
    pub name: Box<str>,
    /// Where the name stands.
    pub span: Span,
    /// The new value.
    pub value: SetValue,
}

/// The value of `SET`.
#[derive(Clone, Debug, PartialEq)]
pub enum SetValue {
    /// `DEFAULT` (and `SET TIME ZONE LOCAL`).
    Default,
    /// `FROM CURRENT`, of functions.
    FromCurrent,
    /// One or more values.
    Values(Vec<SetItem>),
}

/// One value of `SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetItem {
    /// A word or a string.
    Text(Box<str>),
    /// A number with its sign, as written.
    Number(Box<str>),
    /// `INTERVAL '...' fields` of `SET TIME ZONE`: the text of the literal.
    Interval(Box<str>),
}

impl SetItem {
    /// The value's text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Interval(text) => text,
        }
    }
}

/// `RESET name`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reset {
    /// The setting, as in [`Set::name`]; none for `RESET ALL`.
    pub name: Option<Box<str>>,
}

/// `SHOW name`.
#[derive(Clone, Debug, PartialEq)]
pub struct Show {
    /// The setting, as in [`Set::name`] (`transaction_isolation` for its long spelling); none for `SHOW ALL`.
    pub name: Option<Box<str>>,
}

/// `SET TRANSACTION`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetTransaction {
    /// `SET SESSION CHARACTERISTICS AS TRANSACTION`.
    pub session: bool,
    /// The modes.
    pub modes: TransactionModes,
    /// `SNAPSHOT 'id'`.
    pub snapshot: Option<Box<str>>,
}

/// `SET CONSTRAINTS`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetConstraints {
    /// The constraints; empty for `ALL`.
    pub names: Vec<Name>,
    /// `DEFERRED` (true) or `IMMEDIATE`.
    pub deferred: bool,
}

/// `PREPARE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepare {
    /// Its name.
    pub name: Ident,
    /// The types of the parameters.
    pub types: Vec<TypeName>,
    /// The statement.
    pub statement: Statement,
    /// The statement's own text.
    pub span: Span,
}

/// `EXECUTE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute {
    /// The prepared statement.
    pub name: Ident,
    /// The parameters.
    pub args: Vec<Expr>,
}

/// `DEALLOCATE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Deallocate {
    /// The prepared statement; none for `ALL`.
    pub name: Option<Ident>,
}

/// `COPY`.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// What is copied.
    pub source: CopySource,
    /// `FROM` (true) or `TO`.
    pub from: bool,
    /// The other end.
    pub target: CopyTarget,
    /// The options under their new names (`format`, `delimiter`, `null`, `header`, `quote`, `escape`, `force_quote`,
    /// `force_not_null`, `force_null`, `encoding`, `freeze`), also for the old syntax.
    pub options: Vec<UtilityOption>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// All of its text.
    pub span: Span,
}

/// What `COPY` reads or writes in the database.
#[derive(Clone, Debug, PartialEq)]
pub enum CopySource {
    /// A table with some of its columns (empty for all).
    Table(Name, Vec<Ident>),
    /// `(SELECT ...)`, `(INSERT ... RETURNING ...)`.
    Statement(Box<Statement>),
}

/// The other end of `COPY`.
#[derive(Clone, Debug, PartialEq)]
pub enum CopyTarget {
    /// `STDIN` or `STDOUT`.
    Client,
    /// A file on the server.
    File(Box<str>),
    /// `PROGRAM 'command'`.
    Program(Box<str>),
}

/// `DECLARE name CURSOR FOR query`.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclareCursor {
    /// Its name.
    pub name: Ident,
    /// `BINARY`.
    pub binary: bool,
    /// `INSENSITIVE` (true) or `ASENSITIVE`.
    pub insensitive: Option<bool>,
    /// `SCROLL` or `NO SCROLL`.
    pub scroll: Option<bool>,
    /// `WITH HOLD`.
    pub hold: bool,
    /// Its query.
    pub query: Query,
}

/// `FETCH` and `MOVE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// `MOVE`.
    pub is_move: bool,
    /// Where to.
    pub direction: FetchDirection,
    /// The cursor.
    pub cursor: Ident,
}

/// The direction of `FETCH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchDirection {
    /// `NEXT`, `FORWARD`, `FORWARD n`, `n`; none for `ALL`. Negative goes backward.
    Forward(Option<i64>),
    /// `PRIOR`, `BACKWARD`, `BACKWARD n`; none for `BACKWARD ALL`.
    Backward(Option<i64>),
    /// `ABSOLUTE n`; `FIRST` is 1 and `LAST` is -1.
    Absolute(i64),
    /// `RELATIVE n`.
    Relative(i64),
}

/// `CLOSE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseCursor {
    /// The cursor; none for `ALL`.
    pub name: Option<Ident>,
}

/// `DISCARD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keyword of its name")]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temp,
}

/// `LOCK TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct LockTable {
    /// The tables, one or more, each with its `ONLY`.
    pub tables: Vec<(Name, bool)>,
    /// The mode.
    pub mode: TableLockMode,
    /// `NOWAIT`.
    pub no_wait: bool,
}

/// Table lock modes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the keywords of its name")]
pub enum TableLockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// `COMMENT ON`.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// The kind of object.
    pub object: ObjectKind,
    /// The object; for a column its table's name with the column last; for a constraint, trigger, rule or policy its own.
    pub name: Name,
    /// The argument types of a function, aggregate or operator.
    pub args: Option<Vec<TypeName>>,
    /// The table of a constraint, trigger, rule or policy.
    pub on: Option<Name>,
    /// The text; none for `NULL`.
    pub text: Option<Box<str>>,
}

/// `VACUUM` and `ANALYZE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Vacuum {
    /// `ANALYZE`, not `VACUUM`.
    pub analyze_only: bool,
    /// The options: `full`, `freeze`, `verbose`, `analyze` also from the old syntax.
    pub options: Vec<UtilityOption>,
    /// Tables with some of their columns; empty for all tables.
    pub tables: Vec<(Name, Vec<Ident>)>,
}

/// `CLUSTER`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// The options.
    pub options: Vec<UtilityOption>,
    /// The table; none for all.
    pub table: Option<Name>,
    /// `USING index`.
    pub index: Option<Ident>,
}

/// `REINDEX`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reindex {
    /// The options, with `concurrently`.
    pub options: Vec<UtilityOption>,
    /// What kind of object: index, table, schema or database (`SYSTEM` is a database too).
    pub object: ObjectKind,
    /// The object; a database's may be missing.
    pub name: Option<Name>,
}

/// `NOTIFY`.
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// The channel.
    pub channel: Ident,
    /// The payload.
    pub payload: Option<Box<str>>,
}

/// `GRANT` and `REVOKE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// `REVOKE`.
    pub revoke: bool,
    /// The privileges with their columns, or the roles when `objects` is none; empty for `ALL`.
    pub privileges: Vec<(Ident, Vec<Ident>)>,
    /// `ON ...`; none when roles are granted.
    pub objects: Option<GrantObjects>,
    /// To whom or from whom.
    pub grantees: Vec<RoleName>,
    /// `WITH GRANT OPTION`, `GRANT OPTION FOR`, or the same with `ADMIN`.
    pub grant_option: bool,
    /// `GRANTED BY`.
    pub granted_by: Option<RoleName>,
    /// `CASCADE`, of `REVOKE`.
    pub cascade: bool,
}

/// What privileges are granted on.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantObjects {
    /// Their kind.
    pub object: ObjectKind,
    /// `ALL TABLES IN SCHEMA`: the names are schemas.
    pub all_in_schema: bool,
    /// Their names.
    pub names: Vec<Name>,
}

/// `CREATE ROLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRole {
    /// The role.
    pub name: RoleName,
    /// `CREATE USER`, which may log in unless told otherwise.
    pub user: bool,
    /// Its options.
    pub options: Vec<RoleOption>,
}

/// `ALTER ROLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterRole {
    /// The role; none for `ALL`.
    pub name: Option<RoleName>,
    /// Its options.
    pub options: Vec<RoleOption>,
    /// `IN DATABASE`.
    pub database: Option<Ident>,
    /// `SET` or `RESET` a setting.
    pub setting: Option<Box<Statement>>,
}

/// An option of a role.
#[derive(Clone, Debug, PartialEq)]
pub enum RoleOption {
    /// `SUPERUSER`, `NOSUPERUSER`.
    Superuser(bool),
    /// `CREATEDB`.
    CreateDb(bool),
    /// `CREATEROLE`.
    CreateRole(bool),
    /// `INHERIT`.
    Inherit(bool),
    /// `LOGIN`.
    Login(bool),
    /// `REPLICATION`.
    Replication(bool),
    /// `BYPASSRLS`.
    BypassRls(bool),
    /// `CONNECTION LIMIT n`.
    ConnectionLimit(i64),
    /// `PASSWORD 'text'`, none for `PASSWORD NULL`.
    Password(Option<Box<str>>),
    /// `VALID UNTIL 'time'`.
    ValidUntil(Box<str>),
    /// `IN ROLE`, `IN GROUP`.
    InRole(Vec<RoleName>),
    /// `ROLE`, `USER`.
    Members(Vec<RoleName>),
    /// `ADMIN`.
    Admins(Vec<RoleName>),
    /// `SYSID n`, ignored.
    SysId,
}

/// `CREATE DATABASE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDatabase {
    /// Its name.
    pub name: Ident,
    /// Its options.
    pub options: Vec<DefinitionOption>,
}

/// `DO`.
#[derive(Clone, Debug, PartialEq)]
pub struct Do {
    /// The language; plpgsql when none.
    pub language: Option<Ident>,
    /// The text.
    pub body: Box<str>,
}
