//! Statements that define objects.

use super::{ColumnTarget, Expr, Ident, Name, OrderDirection, Query, Span, Statement, TypeName};

/// How long a relation lives and whether it is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// An ordinary relation.
    Permanent,
    /// `TEMP`.
    Temporary,
    /// `UNLOGGED`.
    Unlogged,
}

/// `column = value`, or `(a, b) = row`, in `SET`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The columns: one, or several for the parenthesised form.
    pub columns: Vec<ColumnTarget>,
    /// The value. For several columns a row, a subquery or another expression of row type.
    pub value: Expr,
    /// Written with parentheses, even around one column.
    pub tuple: bool,
}

/// `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub name: Name,
    /// Temporary or unlogged.
    pub persistence: Persistence,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Columns, table constraints and `LIKE`, in order.
    pub elements: Vec<TableElement>,
    /// `INHERITS`.
    pub inherits: Vec<Name>,
    /// `PARTITION BY`, `PARTITION OF` or `OF type`, which have no tree: what it is called and where.
    pub unsupported: Option<(&'static str, Span)>,
    /// `WITH (...)`.
    pub options: Vec<DefinitionOption>,
    /// `ON COMMIT`.
    pub on_commit: Option<OnCommit>,
    /// `USING method`.
    pub access_method: Option<Ident>,
    /// `TABLESPACE`.
    pub tablespace: Option<Ident>,
}

/// `ON COMMIT` of a temporary table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keywords of its name")]
pub enum OnCommit {
    PreserveRows,
    DeleteRows,
    Drop,
}

/// An entry of a table's definition.
#[derive(Clone, Debug, PartialEq)]
pub enum TableElement {
    /// A column.
    Column(ColumnDefinition),
    /// A table constraint.
    Constraint(TableConstraint),
    /// `LIKE table INCLUDING ...`.
    Like(LikeTable),
}

/// `LIKE table`.
#[derive(Clone, Debug, PartialEq)]
pub struct LikeTable {
    /// The model.
    pub table: Name,
    /// What is copied beyond names, types and `NOT NULL`.
    pub including: LikeOptions,
}

/// The options of `LIKE`, after all `INCLUDING` and `EXCLUDING`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keyword of its name")]
pub struct LikeOptions {
    pub comments: bool,
    pub compression: bool,
    pub constraints: bool,
    pub defaults: bool,
    pub generated: bool,
    pub identity: bool,
    pub indexes: bool,
    pub statistics: bool,
    pub storage: bool,
}

/// A column's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Ident,
    /// Its type; `serial` and its sizes are names like any other.
    pub type_name: TypeName,
    /// `COLLATE`.
    pub collation: Option<Name>,
    /// Its constraints, in order.
    pub constraints: Vec<ColumnConstraint>,
    /// All of its text.
    pub span: Span,
}

/// A constraint of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnConstraint {
    /// `CONSTRAINT name`.
    pub name: Option<Ident>,
    /// What it is.
    pub kind: ColumnConstraintKind,
    /// `DEFERRABLE` and its kin.
    pub timing: ConstraintTiming,
    /// All of its text.
    pub span: Span,
}

/// The kinds of column constraint.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnConstraintKind {
    /// `NOT NULL`.
    NotNull,
    /// `NULL`.
    Null,
    /// `DEFAULT expr`.
    Default(Expr),
    /// `CHECK (expr) [NO INHERIT]`.
    Check {
        /// The condition.
        expr: Expr,
        /// `NO INHERIT`.
        no_inherit: bool,
    },
    /// `UNIQUE`.
    Unique(UniqueOptions),
    /// `PRIMARY KEY`.
    PrimaryKey(UniqueOptions),
    /// `REFERENCES`.
    References(References),
    /// `GENERATED ALWAYS | BY DEFAULT AS IDENTITY (...)`.
    Identity {
        /// `ALWAYS`.
        always: bool,
        /// The sequence's options.
        options: Vec<SequenceOption>,
    },
    /// `GENERATED ALWAYS AS (expr) STORED`.
    Generated(Expr),
}

/// What follows `UNIQUE` and `PRIMARY KEY`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UniqueOptions {
    /// `NULLS NOT DISTINCT`.
    pub nulls_not_distinct: bool,
    /// `INCLUDE (...)`.
    pub include: Vec<Ident>,
    /// `WITH (...)`.
    pub options: Vec<DefinitionOption>,
    /// `USING INDEX TABLESPACE`.
    pub tablespace: Option<Ident>,
}

/// `REFERENCES table (columns) ...`.
#[derive(Clone, Debug, PartialEq)]
pub struct References {
    /// The referenced table.
    pub table: Name,
    /// Its columns; empty for its primary key.
    pub columns: Vec<Ident>,
    /// `MATCH`.
    pub match_kind: MatchKind,
    /// `ON UPDATE`.
    pub on_update: ReferentialAction,
    /// `ON DELETE`.
    pub on_delete: ReferentialAction,
}

/// `MATCH` of a foreign key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keyword of its name")]
pub enum MatchKind {
    Simple,
    Full,
    Partial,
}

/// What a foreign key does when the referenced row changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferentialAction {
    /// `NO ACTION`, the default.
    NoAction,
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`, perhaps for some columns only (empty for all).
    SetNull(Vec<Ident>),
    /// `SET DEFAULT`, perhaps for some columns only (empty for all).
    SetDefault(Vec<Ident>),
}

/// When a constraint is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConstraintTiming {
    /// `DEFERRABLE` or `NOT DEFERRABLE`.
    pub deferrable: Option<bool>,
    /// `INITIALLY DEFERRED` or `INITIALLY IMMEDIATE`.
    pub initially_deferred: Option<bool>,
    /// `NOT VALID`.
    pub not_valid: bool,
    /// `NO INHERIT`.
    pub no_inherit: bool,
}

/// A constraint of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableConstraint {
    /// `CONSTRAINT name`.
    pub name: Option<Ident>,
    /// What it is.
    pub kind: TableConstraintKind,
    /// `DEFERRABLE`, `NOT VALID` and their kin.
    pub timing: ConstraintTiming,
    /// All of its text.
    pub span: Span,
}

/// The kinds of table constraint.
#[derive(Clone, Debug, PartialEq)]
pub enum TableConstraintKind {
    /// `CHECK (expr)`.
    Check(Expr),
    /// `UNIQUE (columns)`.
    Unique(Vec<Ident>, UniqueOptions),
    /// `PRIMARY KEY (columns)`.
    PrimaryKey(Vec<Ident>, UniqueOptions),
    /// `UNIQUE USING INDEX i` or, with true, `PRIMARY KEY USING INDEX i`.
    UsingIndex(Ident, bool),
    /// `FOREIGN KEY (columns) REFERENCES ...`.
    ForeignKey(Vec<Ident>, References),
    /// `EXCLUDE`, which has no tree.
    Exclude,
}

/// `name = value` of a `WITH (...)` clause.
#[derive(Clone, Debug, PartialEq)]
pub struct DefinitionOption {
    /// The name, with a namespace such as `toast.` before it.
    pub name: Name,
    /// The value's text; none for a bare name.
    pub value: Option<Box<str>>,
}

/// `CREATE TABLE ... AS`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableAs {
    /// The table.
    pub name: Name,
    /// Names for its columns.
    pub columns: Vec<Ident>,
    /// Temporary or unlogged.
    pub persistence: Persistence,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `WITH (...)`.
    pub options: Vec<DefinitionOption>,
    /// `ON COMMIT`.
    pub on_commit: Option<OnCommit>,
    /// A query or an `EXECUTE`.
    pub source: Statement,
    /// False for `WITH NO DATA`.
    pub with_data: bool,
}

/// `CREATE INDEX`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIndex {
    /// Its name; none to have one chosen.
    pub name: Option<Ident>,
    /// The table.
    pub table: Name,
    /// `ON ONLY`.
    pub only: bool,
    /// `UNIQUE`.
    pub unique: bool,
    /// `CONCURRENTLY`.
    pub concurrently: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `USING method`.
    pub method: Option<Ident>,
    /// The key.
    pub columns: Vec<IndexColumn>,
    /// `INCLUDE`.
    pub include: Vec<IndexColumn>,
    /// `NULLS NOT DISTINCT`.
    pub nulls_not_distinct: bool,
    /// `WITH (...)`.
    pub options: Vec<DefinitionOption>,
    /// `TABLESPACE`.
    pub tablespace: Option<Ident>,
    /// `WHERE`.
    pub filter: Option<Expr>,
}

/// A column of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexColumn {
    /// A plain column is [`super::ExprKind::Column`] with one part.
    pub expr: Expr,
    /// `COLLATE`.
    pub collation: Option<Name>,
    /// The operator class.
    pub operator_class: Option<Name>,
    /// Its parameters.
    pub operator_class_options: Vec<DefinitionOption>,
    /// `ASC` or `DESC`; never `USING`.
    pub direction: OrderDirection,
    /// `NULLS FIRST` (true) or `NULLS LAST` (false).
    pub nulls_first: Option<bool>,
}

/// `CREATE VIEW`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateView {
    /// The view.
    pub name: Name,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// Temporary.
    pub persistence: Persistence,
    /// `RECURSIVE`.
    pub recursive: bool,
    /// Names for its columns.
    pub columns: Vec<Ident>,
    /// `WITH (...)`.
    pub options: Vec<DefinitionOption>,
    /// Its query.
    pub query: Box<Query>,
    /// `WITH CHECK OPTION`.
    pub check_option: Option<CheckOption>,
}

/// `WITH CHECK OPTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keyword of its name")]
pub enum CheckOption {
    Local,
    Cascaded,
}

/// `CREATE SEQUENCE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSequence {
    /// The sequence.
    pub name: Name,
    /// Temporary or unlogged.
    pub persistence: Persistence,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Its options.
    pub options: Vec<SequenceOption>,
}

/// `ALTER SEQUENCE`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterSequence {
    /// The sequence.
    pub name: Name,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The options to change.
    pub options: Vec<SequenceOption>,
}

/// An option of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceOption {
    /// Which.
    pub kind: SequenceOptionKind,
    /// All of its text.
    pub span: Span,
}

/// The options of a sequence. A number that does not fit is an error of the parser (22003).
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceOptionKind {
    /// `AS type`.
    As(TypeName),
    /// `INCREMENT BY`.
    Increment(i64),
    /// `MINVALUE`, none for `NO MINVALUE`.
    MinValue(Option<i64>),
    /// `MAXVALUE`, none for `NO MAXVALUE`.
    MaxValue(Option<i64>),
    /// `START WITH`.
    Start(i64),
    /// `RESTART [WITH n]`.
    Restart(Option<i64>),
    /// `CACHE`.
    Cache(i64),
    /// `CYCLE` or `NO CYCLE`.
    Cycle(bool),
    /// `OWNED BY table.column`, none for `NONE`.
    OwnedBy(Option<Name>),
    /// `SEQUENCE NAME`, of an identity column as pg_dump writes it.
    SequenceName(Name),
}

/// `CREATE SCHEMA`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSchema {
    /// Its name; none to take the role's.
    pub name: Option<Ident>,
    /// `AUTHORIZATION`.
    pub authorization: Option<RoleName>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// Statements that create objects inside it.
    pub elements: Vec<Statement>,
}

/// A role, by name or as one of the special words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleName {
    /// A role.
    Named(Ident),
    /// `PUBLIC`.
    Public(Span),
    /// `CURRENT_USER`, `CURRENT_ROLE`.
    CurrentUser(Span),
    /// `SESSION_USER`.
    SessionUser(Span),
}

/// The kinds of object that statements name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the keyword of its name")]
pub enum ObjectKind {
    Table,
    Index,
    View,
    MaterializedView,
    Sequence,
    Schema,
    Column,
    /// A constraint of a table.
    Constraint,
    /// A constraint of a domain.
    DomainConstraint,
    Type,
    Domain,
    Function,
    Procedure,
    Routine,
    Aggregate,
    Operator,
    Trigger,
    Rule,
    Policy,
    Extension,
    Collation,
    Conversion,
    Database,
    Role,
    Tablespace,
    Statistics,
    ForeignTable,
    EventTrigger,
    Language,
    Publication,
    Subscription,
    AccessMethod,
    Server,
    ForeignDataWrapper,
    TextSearchConfiguration,
    TextSearchDictionary,
    TextSearchParser,
    TextSearchTemplate,
}

impl ObjectKind {
    /// Its keywords, as a command tag has them.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "TABLE",
            Self::Index => "INDEX",
            Self::View => "VIEW",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Sequence => "SEQUENCE",
            Self::Schema => "SCHEMA",
            Self::Column => "COLUMN",
            Self::Constraint | Self::DomainConstraint => "CONSTRAINT",
            Self::Type => "TYPE",
            Self::Domain => "DOMAIN",
            Self::Function => "FUNCTION",
            Self::Procedure => "PROCEDURE",
            Self::Routine => "ROUTINE",
            Self::Aggregate => "AGGREGATE",
            Self::Operator => "OPERATOR",
            Self::Trigger => "TRIGGER",
            Self::Rule => "RULE",
            Self::Policy => "POLICY",
            Self::Extension => "EXTENSION",
            Self::Collation => "COLLATION",
            Self::Conversion => "CONVERSION",
            Self::Database => "DATABASE",
            Self::Role => "ROLE",
            Self::Tablespace => "TABLESPACE",
            Self::Statistics => "STATISTICS",
            Self::ForeignTable => "FOREIGN TABLE",
            Self::EventTrigger => "EVENT TRIGGER",
            Self::Language => "LANGUAGE",
            Self::Publication => "PUBLICATION",
            Self::Subscription => "SUBSCRIPTION",
            Self::AccessMethod => "ACCESS METHOD",
            Self::Server => "SERVER",
            Self::ForeignDataWrapper => "FOREIGN DATA WRAPPER",
            Self::TextSearchConfiguration => "TEXT SEARCH CONFIGURATION",
            Self::TextSearchDictionary => "TEXT SEARCH DICTIONARY",
            Self::TextSearchParser => "TEXT SEARCH PARSER",
            Self::TextSearchTemplate => "TEXT SEARCH TEMPLATE",
        }
    }
}

/// `ALTER TABLE name action, ...`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTable {
    /// What kind of relation the statement names: table, index, view, sequence, materialized view, foreign table.
    pub object: ObjectKind,
    /// The relation.
    pub name: Name,
    /// `ONLY`.
    pub only: bool,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The actions, one or more.
    pub actions: Vec<AlterAction>,
}

/// One action of `ALTER TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterAction {
    /// What to do.
    pub kind: AlterActionKind,
    /// All of its text.
    pub span: Span,
}

/// The actions of `ALTER TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterActionKind {
    /// `ADD [COLUMN] [IF NOT EXISTS] ...`.
    AddColumn {
        /// The column.
        column: Box<ColumnDefinition>,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
    },
    /// `DROP [COLUMN] [IF EXISTS] name`.
    DropColumn {
        /// The column.
        name: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `ALTER [COLUMN] name TYPE t USING expr`.
    SetType {
        /// The column.
        name: Ident,
        /// Its new type.
        type_name: TypeName,
        /// `COLLATE`.
        collation: Option<Name>,
        /// `USING`.
        using: Option<Box<Expr>>,
    },
    /// `ALTER [COLUMN] name SET DEFAULT expr`, none for `DROP DEFAULT`.
    SetDefault(Ident, Option<Box<Expr>>),
    /// `ALTER [COLUMN] name SET NOT NULL` (true) or `DROP NOT NULL`.
    SetNotNull(Ident, bool),
    /// `ALTER [COLUMN] name ADD GENERATED ... AS IDENTITY`.
    AddIdentity {
        /// The column.
        name: Ident,
        /// `ALWAYS`.
        always: bool,
        /// The sequence's options.
        options: Vec<SequenceOption>,
    },
    /// `ALTER [COLUMN] name SET GENERATED ... | SET sequence option | RESTART ...`.
    SetIdentity {
        /// The column.
        name: Ident,
        /// `SET GENERATED ALWAYS` (true) or `BY DEFAULT`.
        always: Option<bool>,
        /// The options to change.
        options: Vec<SequenceOption>,
    },
    /// `ALTER [COLUMN] name DROP IDENTITY [IF EXISTS]`.
    DropIdentity(Ident, bool),
    /// `ALTER [COLUMN] name SET STATISTICS n`.
    SetStatistics(Ident, i32),
    /// `ALTER [COLUMN] name SET STORAGE s`.
    SetStorage(Ident, Ident),
    /// `ADD` a table constraint.
    AddConstraint(Box<TableConstraint>),
    /// `ALTER CONSTRAINT name` with a new timing.
    AlterConstraint(Ident, ConstraintTiming),
    /// `VALIDATE CONSTRAINT name`.
    ValidateConstraint(Ident),
    /// `DROP CONSTRAINT [IF EXISTS] name`.
    DropConstraint {
        /// The constraint.
        name: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `OWNER TO role`.
    OwnerTo(RoleName),
    /// `SET (option = value)`.
    SetOptions(Vec<DefinitionOption>),
    /// `RESET (option)`.
    ResetOptions(Vec<DefinitionOption>),
    /// `SET LOGGED` (true) or `SET UNLOGGED`.
    SetLogged(bool),
    /// `SET TABLESPACE name`.
    SetTablespace(Ident),
    /// `CLUSTER ON index`, none for `SET WITHOUT CLUSTER`.
    ClusterOn(Option<Ident>),
    /// `INHERIT` (true) or `NO INHERIT` a table.
    Inherit(Name, bool),
    /// An action without a tree, by its keywords, for example `ENABLE TRIGGER`; the session answers 0A000.
    Unsupported(&'static str),
}

/// `ALTER object RENAME ...`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rename {
    /// What is renamed.
    pub object: ObjectKind,
    /// For a column or constraint: what kind of relation it is in.
    pub relation: ObjectKind,
    /// The object, or the relation that has the column or constraint.
    pub name: Name,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The column or constraint.
    pub part: Option<Ident>,
    /// Its new name.
    pub new_name: Ident,
}

/// `ALTER object SET SCHEMA`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetSchema {
    /// Its kind.
    pub object: ObjectKind,
    /// The object.
    pub name: Name,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The schema.
    pub schema: Ident,
}

/// `ALTER object OWNER TO`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeOwner {
    /// Its kind.
    pub object: ObjectKind,
    /// The object.
    pub name: Name,
    /// The new owner.
    pub owner: RoleName,
}

/// `DROP`.
#[derive(Clone, Debug, PartialEq)]
pub struct Drop {
    /// What kind of object.
    pub object: ObjectKind,
    /// The objects, one or more.
    pub names: Vec<DropName>,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// `CASCADE`.
    pub cascade: bool,
    /// `CONCURRENTLY`, of an index.
    pub concurrently: bool,
}

/// An object to drop.
#[derive(Clone, Debug, PartialEq)]
pub struct DropName {
    /// Its name.
    pub name: Name,
    /// The argument types of a function, aggregate or operator, if given.
    pub args: Option<Vec<TypeName>>,
    /// The table of a trigger, rule or policy.
    pub on: Option<Name>,
}
