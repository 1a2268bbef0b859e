//! The syntax tree that the parser hands out: PostgreSQL's statements as plain Rust values.
//!
//! The tree says what was written, not what it means: names are unresolved, types are names, and a literal keeps its
//! text. It is ours alone (no other crate's types appear in it), so a binder matches it without `_`.
//!
//! Invariants
//! - A1: every node that can be the subject of an error has a [`Span`], in bytes of the text that was parsed.
//! - A2: identifiers are already folded to lower case (unless quoted) and cut to 63 bytes.
//! - A3: the height of a tree is at most the parser's depth limit, so a recursive walk is bounded; long chains of `AND`
//!   and `OR` are flat lists and long chains of other operators are [`ExprKind::Chain`].
//! - A4: SQL's special call syntax (`EXTRACT(x FROM y)`, `TRIM(...)`, `a OVERLAPS b`) is an ordinary [`FunctionCall`] of
//!   the function in `pg_catalog` that PostgreSQL calls for it; [`CallSyntax`] remembers the spelling for printing.

mod expr;
mod query;
mod schema;
mod utility;

pub use expr::*;
pub use query::*;
pub use schema::*;
pub use utility::*;

/// A range of byte offsets in the statement text, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The smallest range that holds both.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One identifier, folded and truncated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name without quotes.
    pub value: Box<str>,
    /// Where it stands.
    pub span: Span,
}

impl Ident {
    /// An identifier named `value` at `span`.
    pub fn new(value: impl Into<Box<str>>, span: Span) -> Self {
        Self { value: value.into(), span }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.value
    }
}

/// A possibly qualified name: `t`, `s.t`, `c.s.t`. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub Vec<Ident>);

impl Name {
    /// The last part: the object's own name.
    pub fn base(&self) -> &Ident {
        self.0.last().expect("a name has at least one part")
    }

    /// The part before the last, if there is one: the schema of a table, the table of a column.
    pub fn qualifier(&self) -> Option<&Ident> {
        self.0.len().checked_sub(2).map(|index| &self.0[index])
    }

    /// From the first byte of the first part to the last byte of the last.
    pub fn span(&self) -> Span {
        self.0[0].span.to(self.base().span)
    }
}

impl std::fmt::Display for Name {
    /// The parts joined by dots, without quotes, as PostgreSQL writes names in messages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&part.value)?;
        }
        Ok(())
    }
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `SELECT`, `VALUES`, `TABLE`, `WITH ... SELECT`; also `SELECT ... INTO` (see [`Select::into`]).
    Query(Box<Query>),
    /// `INSERT`.
    Insert(Box<Insert>),
    /// `UPDATE`.
    Update(Box<Update>),
    /// `DELETE`.
    Delete(Box<Delete>),
    /// `TRUNCATE`.
    Truncate(Truncate),
    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `CREATE TABLE ... AS` a query (or `EXECUTE`), and `CREATE MATERIALIZED VIEW`'s plain relative.
    CreateTableAs(Box<CreateTableAs>),
    /// `ALTER TABLE`, and `ALTER INDEX | VIEW | SEQUENCE` where they share its actions.
    AlterTable(Box<AlterTable>),
    /// `CREATE INDEX`.
    CreateIndex(Box<CreateIndex>),
    /// `CREATE VIEW`.
    CreateView(Box<CreateView>),
    /// `CREATE SEQUENCE`.
    CreateSequence(CreateSequence),
    /// `ALTER SEQUENCE` with sequence options.
    AlterSequence(AlterSequence),
    /// `CREATE SCHEMA`.
    CreateSchema(CreateSchema),
    /// `ALTER ... RENAME TO`, of a table, column, constraint, index, view, sequence, schema, role or database.
    Rename(Rename),
    /// `ALTER ... SET SCHEMA`.
    SetSchema(SetSchema),
    /// `ALTER ... OWNER TO` for what is not a table.
    ChangeOwner(ChangeOwner),
    /// `DROP` of any object.
    Drop(Drop),
    /// `EXPLAIN`.
    Explain(Box<Explain>),
    /// `BEGIN`, `COMMIT`, `SAVEPOINT` and their family.
    Transaction(Transaction),
    /// `SET`, also `SET LOCAL`, `SET TIME ZONE`, `SET SESSION AUTHORIZATION` and the like.
    Set(Set),
    /// `RESET`.
    Reset(Reset),
    /// `SHOW`.
    Show(Show),
    /// `SET TRANSACTION` and `SET SESSION CHARACTERISTICS AS TRANSACTION`.
    SetTransaction(SetTransaction),
    /// `SET CONSTRAINTS`.
    SetConstraints(SetConstraints),
    /// `PREPARE`.
    Prepare(Box<Prepare>),
    /// `EXECUTE`.
    Execute(Execute),
    /// `DEALLOCATE`.
    Deallocate(Deallocate),
    /// `COPY`.
    Copy(Box<Copy>),
    /// `DECLARE ... CURSOR`.
    DeclareCursor(Box<DeclareCursor>),
    /// `FETCH` and `MOVE`.
    Fetch(Fetch),
    /// `CLOSE`.
    CloseCursor(CloseCursor),
    /// `DISCARD`.
    Discard(Discard),
    /// `LOCK TABLE`.
    LockTable(LockTable),
    /// `COMMENT ON`.
    Comment(Comment),
    /// `VACUUM` and `ANALYZE`.
    Vacuum(Vacuum),
    /// `CHECKPOINT`.
    Checkpoint,
    /// `CLUSTER`.
    Cluster(Cluster),
    /// `REINDEX`.
    Reindex(Reindex),
    /// `LISTEN`.
    Listen(Ident),
    /// `UNLISTEN`; none is `*`.
    Unlisten(Option<Ident>),
    /// `NOTIFY`.
    Notify(Notify),
    /// `GRANT` and `REVOKE` of privileges or of roles.
    Grant(Box<Grant>),
    /// `CREATE ROLE | USER | GROUP`.
    CreateRole(CreateRole),
    /// `ALTER ROLE | USER` with options, or its `SET`/`RESET` form.
    AlterRole(AlterRole),
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `DO`.
    Do(Do),
    /// A statement that is PostgreSQL's but has no tree here: the session answers 0A000 and names it.
    Unsupported(Unsupported),
}

/// A statement known by name only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Its command tag as PostgreSQL would give it, for example `CREATE FUNCTION`.
    pub name: &'static str,
    /// The whole statement.
    pub span: Span,
}
