//! CREATE TABLE, CREATE TABLE AS, SELECT INTO.

use super::super::env::StatementEnv;
use super::super::plan::{Prepared, into_clause};
use super::super::{Completion, Session};
use super::parameters;
use super::sequence::sequence_of;
use damask_catalog::ddl::{NewColumn, NewConstraint, NewConstraintKind, NewTable};
use damask_catalog::object::{ForeignKeyAction, Identity, Relation, RelationKind, Timing};
use damask_planner::{ColumnUse, check_collation, resolve_type, serial_type};
use damask_sql::ast::{
    self, ColumnConstraintKind, ColumnDefinition, MatchKind, References, ReferentialAction,
    TableConstraint, TableConstraintKind, TableElement,
};
use damask_txn::TableLock;
use damask_types::{ColumnIndex, Error, Oid, Position, Result, SqlState, SqlType, TypeId, Value};
use std::sync::Arc;

/// The parts of a table being defined.
#[derive(Default)]
struct Parts {
    columns: Vec<NewColumn>,
    constraints: Vec<NewConstraint>,
}

impl Session {
    pub(crate) fn create_table(
        &mut self,
        prepared: &Prepared,
        create: &ast::CreateTable,
    ) -> Result<String> {
        const TAG: &str = "CREATE TABLE";
        if let Some((what, span)) = create.unsupported {
            return Err(Error::unsupported(what).at(Position(span.start)));
        }
        if !create.inherits.is_empty() {
            return Err(Error::unsupported("INHERITS"));
        }
        let schema = self.creation_schema(&create.name, create.persistence)?;
        self.check_on_commit(schema, create.on_commit)?;
        let name = create.name.base().as_str();
        if self.is_taken(schema, name, create.if_not_exists)? {
            return Ok(TAG.to_owned());
        }
        let env = self.statement_env()?;
        let mut parts = Parts::default();
        // Columns first: constraints may name columns that come later.
        for element in &create.elements {
            match element {
                TableElement::Column(column) => {
                    let made = self.new_column(&env, prepared, name, column)?;
                    parts.columns.push(made);
                }
                TableElement::Like(like) => self.like(&mut parts, like)?,
                TableElement::Constraint(_) => {}
            }
        }
        for element in &create.elements {
            match element {
                TableElement::Column(column) => {
                    for constraint in &column.constraints {
                        self.column_constraint(
                            &env, prepared, name, column, constraint, &mut parts,
                        )?;
                    }
                }
                TableElement::Constraint(constraint) => {
                    let made =
                        self.table_constraint(&env, prepared, name, constraint, &parts.columns)?;
                    parts.constraints.push(made);
                }
                TableElement::Like(_) => {}
            }
        }
        for constraint in &parts.constraints {
            if let NewConstraintKind::PrimaryKey { columns } = &constraint.kind {
                for column in columns {
                    parts.columns[usize::from(column.0)].not_null = true;
                }
            }
        }
        let owner = self.state.user.0;
        let parameters = parameters::of_new_table(&create.options)?;
        let new = NewTable {
            schema,
            name: name.to_owned(),
            owner,
            columns: parts.columns,
            constraints: parts.constraints,
            codec: parameters::codec_of(&parameters),
            engine: parameters::engine_of(&parameters),
            parameters,
        };
        let made = self.change(|catalog, txn| catalog.create_table(txn, new))?;
        self.note_on_commit(made.oid, create.on_commit);
        Ok(TAG.to_owned())
    }

    /// Whether a name is taken and that is fine (IF NOT EXISTS: a notice).
    pub(crate) fn is_taken(
        &mut self,
        schema: Oid,
        name: &str,
        if_not_exists: bool,
    ) -> Result<bool> {
        let taken = self.catalog.snapshot().name_in(schema, name).is_some();
        if taken && if_not_exists {
            self.skip_existing(SqlState::DUPLICATE_TABLE, &format!("relation \"{name}\""));
            return Ok(true);
        }
        self.catalog.check_name_free(schema, name)?;
        Ok(false)
    }

    /// A column without what its constraints say, but for NOT NULL, DEFAULT and identity.
    pub(crate) fn new_column(
        &mut self,
        env: &Arc<StatementEnv>,
        prepared: &Prepared,
        table: &str,
        column: &ColumnDefinition,
    ) -> Result<NewColumn> {
        let name = column.name.as_str();
        let serial = serial_type(&column.type_name);
        let ty = match serial {
            Some(ty) => SqlType::plain(ty),
            None => resolve_type(&column.type_name)?,
        };
        if ty.id.info().kind == 'p' {
            return Err(Error::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!("column \"{name}\" has pseudo-type {}", ty.id.name()),
            )
            .at(Position(column.name.span.start)));
        }
        if let Some(collation) = &column.collation {
            check_collation(collation, ty.id)
                .map_err(|error| error.at(Position(collation.span().start)))?;
        }
        let mut made = NewColumn {
            name: name.to_owned(),
            ty,
            not_null: serial.is_some(),
            default: None,
            identity: None,
            serial: serial.map(|ty| sequence_of(ty, &[])).transpose()?,
            missing: Value::Null,
        };
        let says = |wanted: fn(&ColumnConstraintKind) -> bool| {
            column.constraints.iter().find(|constraint| wanted(&constraint.kind))
        };
        if let Some(null) = says(|kind| matches!(kind, ColumnConstraintKind::Null))
            && let Some(not_null) = says(|kind| matches!(kind, ColumnConstraintKind::NotNull))
        {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("conflicting NULL/NOT NULL declarations for column \"{name}\" of table \"{table}\""),
            )
            .at(Position(null.span.start.max(not_null.span.start))));
        }
        for constraint in &column.constraints {
            let at = Position(constraint.span.start);
            match &constraint.kind {
                ColumnConstraintKind::NotNull => made.not_null = true,
                ColumnConstraintKind::Null => {}
                ColumnConstraintKind::Default(expr) => {
                    if made.serial.is_some() || made.default.is_some() {
                        return Err(Error::new(
                            SqlState::SYNTAX_ERROR,
                            format!("multiple default values specified for column \"{name}\" of table \"{table}\""),
                        )
                        .at(at));
                    }
                    self.bind_definition(
                        env,
                        prepared,
                        expr,
                        table,
                        &[],
                        ColumnUse::Default(name, ty),
                    )?;
                    made.default = Some(default_text(prepared.slice(expr.span), ty));
                }
                ColumnConstraintKind::Identity { always, options } => {
                    if !matches!(ty.id, TypeId::Int2 | TypeId::Int4 | TypeId::Int8) {
                        return Err(Error::new(
                            SqlState::INVALID_PARAMETER_VALUE,
                            "identity column type must be smallint, integer, or bigint",
                        ));
                    }
                    let identity = if *always { Identity::Always } else { Identity::ByDefault };
                    made.identity = Some((identity, sequence_of(ty.id, options)?));
                    made.not_null = true;
                }
                ColumnConstraintKind::Generated(_) => {
                    return Err(
                        Error::unsupported("GENERATED ALWAYS AS (expression) STORED").at(at)
                    );
                }
                ColumnConstraintKind::PrimaryKey(_) => made.not_null = true,
                ColumnConstraintKind::Check { .. }
                | ColumnConstraintKind::Unique(_)
                | ColumnConstraintKind::References(_) => {}
            }
        }
        Ok(made)
    }

    fn column_constraint(
        &mut self,
        env: &Arc<StatementEnv>,
        prepared: &Prepared,
        table: &str,
        column: &ColumnDefinition,
        constraint: &ast::ColumnConstraint,
        parts: &mut Parts,
    ) -> Result<()> {
        let at = find(&parts.columns, &column.name)?;
        let made =
            self.constraint_of_column(env, prepared, table, at, constraint, &parts.columns)?;
        parts.constraints.extend(made);
        Ok(())
    }

    /// The table constraint that a column's constraint is, if it is one.
    pub(crate) fn constraint_of_column(
        &mut self,
        env: &Arc<StatementEnv>,
        prepared: &Prepared,
        table: &str,
        column: ColumnIndex,
        constraint: &ast::ColumnConstraint,
        columns: &[NewColumn],
    ) -> Result<Option<NewConstraint>> {
        let timing = timing_of(constraint.timing, false, constraint.span)?;
        if let ColumnConstraintKind::Unique(options) | ColumnConstraintKind::PrimaryKey(options) =
            &constraint.kind
        {
            check_unique_options(options, constraint.span)?;
        }
        let kind = match &constraint.kind {
            ColumnConstraintKind::Check { expr, .. } => {
                self.check_constraint(env, prepared, table, expr, columns)?
            }
            ColumnConstraintKind::Unique(options) => NewConstraintKind::Unique {
                columns: vec![column],
                nulls_not_distinct: options.nulls_not_distinct,
            },
            ColumnConstraintKind::PrimaryKey(_) => {
                NewConstraintKind::PrimaryKey { columns: vec![column] }
            }
            ColumnConstraintKind::References(references) => {
                self.foreign_key(table, vec![column], references)?
            }
            ColumnConstraintKind::NotNull
            | ColumnConstraintKind::Null
            | ColumnConstraintKind::Default(_)
            | ColumnConstraintKind::Identity { .. }
            | ColumnConstraintKind::Generated(_) => return Ok(None),
        };
        let name = constraint.name.as_ref().map(|name| name.as_str().to_owned());
        Ok(Some(NewConstraint { name, kind, timing }))
    }

    /// A table constraint over these columns (by place in the table).
    pub(crate) fn table_constraint(
        &mut self,
        env: &Arc<StatementEnv>,
        prepared: &Prepared,
        table: &str,
        constraint: &TableConstraint,
        columns: &[NewColumn],
    ) -> Result<NewConstraint> {
        let is_check = matches!(constraint.kind, TableConstraintKind::Check(_));
        let timing = timing_of(constraint.timing, is_check, constraint.span)?;
        let at = Position(constraint.span.start);
        let all = |names: &[ast::Ident]| {
            let mut found: Vec<ColumnIndex> = vec![];
            for name in names {
                let column = find(columns, name)?;
                if found.contains(&column) {
                    return Err(Error::new(
                        SqlState::DUPLICATE_COLUMN,
                        format!(
                            "column \"{}\" appears twice in primary key constraint",
                            name.as_str()
                        ),
                    )
                    .at(Position(name.span.start)));
                }
                found.push(column);
            }
            Ok(found)
        };
        if let TableConstraintKind::Unique(_, options)
        | TableConstraintKind::PrimaryKey(_, options) = &constraint.kind
        {
            check_unique_options(options, constraint.span)?;
        }
        let kind = match &constraint.kind {
            TableConstraintKind::Check(expr) => {
                self.check_constraint(env, prepared, table, expr, columns)?
            }
            TableConstraintKind::Unique(names, options) => NewConstraintKind::Unique {
                columns: all(names)?,
                nulls_not_distinct: options.nulls_not_distinct,
            },
            TableConstraintKind::PrimaryKey(names, _) => {
                NewConstraintKind::PrimaryKey { columns: all(names)? }
            }
            TableConstraintKind::ForeignKey(names, references) => {
                let columns = all(names).map_err(|mut error| {
                    if error.sqlstate() == SqlState::UNDEFINED_COLUMN {
                        let message = error.message().replace(
                            "named in key does not exist",
                            "referenced in foreign key constraint does not exist",
                        );
                        error.fields_mut().message = message;
                    }
                    error
                })?;
                self.foreign_key(table, columns, references)?
            }
            TableConstraintKind::UsingIndex(..) => {
                return Err(Error::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "cannot use an existing index in CREATE TABLE",
                )
                .at(at));
            }
            TableConstraintKind::Exclude => {
                return Err(Error::unsupported("EXCLUDE constraints").at(at));
            }
        };
        let name = constraint.name.as_ref().map(|name| name.as_str().to_owned());
        Ok(NewConstraint { name, kind, timing })
    }

    fn check_constraint(
        &mut self,
        env: &Arc<StatementEnv>,
        prepared: &Prepared,
        table: &str,
        expr: &ast::Expr,
        columns: &[NewColumn],
    ) -> Result<NewConstraintKind> {
        let named: Vec<(String, SqlType)> =
            columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        let (_, read) =
            self.bind_definition(env, prepared, expr, table, &named, ColumnUse::Check)?;
        Ok(NewConstraintKind::Check {
            expr: parenthesized(prepared.slice(expr.span)),
            columns: read,
        })
    }

    fn foreign_key(
        &mut self,
        table: &str,
        columns: Vec<ColumnIndex>,
        references: &References,
    ) -> Result<NewConstraintKind> {
        // A table may refer to itself before it is there.
        let itself = references.table.0.len() == 1 && references.table.base().as_str() == table;
        let target = match self.find(&references.table)? {
            Some(relation) => {
                if relation.kind != RelationKind::Table {
                    return Err(Error::new(
                        SqlState::WRONG_OBJECT_TYPE,
                        format!("referenced relation \"{}\" is not a table", relation.name),
                    ));
                }
                self.lock(relation.oid, TableLock::ShareRowExclusive)?;
                Some(relation.oid)
            }
            None if itself => None,
            None => {
                self.resolve(&references.table)?;
                None
            }
        };
        if references.match_kind == MatchKind::Partial {
            return Err(Error::unsupported("MATCH PARTIAL"));
        }
        let action = |action: &ReferentialAction| {
            Ok(match action {
                ReferentialAction::NoAction => ForeignKeyAction::NoAction,
                ReferentialAction::Restrict => ForeignKeyAction::Restrict,
                ReferentialAction::Cascade => ForeignKeyAction::Cascade,
                ReferentialAction::SetNull(columns) if columns.is_empty() => {
                    ForeignKeyAction::SetNull
                }
                ReferentialAction::SetDefault(columns) if columns.is_empty() => {
                    ForeignKeyAction::SetDefault
                }
                ReferentialAction::SetNull(_) | ReferentialAction::SetDefault(_) => {
                    return Err(Error::unsupported("SET NULL or SET DEFAULT of a list of columns"));
                }
            })
        };
        Ok(NewConstraintKind::ForeignKey {
            columns,
            target,
            target_columns: references
                .columns
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect(),
            on_update: action(&references.on_update)?,
            on_delete: action(&references.on_delete)?,
            match_full: references.match_kind == MatchKind::Full,
        })
    }

    /// LIKE: the columns of another table.
    fn like(&mut self, parts: &mut Parts, like: &ast::LikeTable) -> Result<()> {
        let source = self.resolve(&like.table)?;
        if like.including.indexes || like.including.constraints {
            return Err(Error::unsupported("LIKE ... INCLUDING INDEXES or CONSTRAINTS"));
        }
        for (_, column) in source.live_columns() {
            parts.columns.push(NewColumn {
                name: column.name.clone(),
                ty: column.ty,
                not_null: column.not_null,
                default: column.default.clone().filter(|_| like.including.defaults),
                identity: None,
                serial: None,
                missing: Value::Null,
            });
        }
        Ok(())
    }

    pub(crate) fn create_table_as(
        &mut self,
        prepared: &Arc<Prepared>,
        create: &ast::CreateTableAs,
        params: &[Value],
    ) -> Result<Completion> {
        let Some(query) = self.inner_query(prepared)? else {
            return Err(Error::unsupported("CREATE TABLE AS EXECUTE"));
        };
        let schema = self.creation_schema(&create.name, create.persistence)?;
        self.check_on_commit(schema, create.on_commit)?;
        if self.is_taken(schema, create.name.base().as_str(), create.if_not_exists)? {
            return Ok(Completion::Tag("CREATE TABLE AS".into()));
        }
        let names: Vec<String> =
            create.columns.iter().map(|name| name.as_str().to_owned()).collect();
        let rows = self.fill_new_table(
            schema,
            create.name.base().as_str(),
            &names,
            (&query, params),
            create.with_data,
            create.on_commit,
            &create.options,
        )?;
        Ok(Completion::Tag(if create.with_data {
            format!("SELECT {rows}").into()
        } else {
            "CREATE TABLE AS".into()
        }))
    }

    pub(crate) fn select_into(
        &mut self,
        prepared: &Arc<Prepared>,
        query: &ast::Query,
        params: &[Value],
    ) -> Result<Completion> {
        let (Some(into), Some(inner)) = (into_clause(query), self.inner_query(prepared)?) else {
            return Err(Error::internal("SELECT INTO has a table"));
        };
        let schema = self.creation_schema(&into.name, into.persistence)?;
        self.is_taken(schema, into.name.base().as_str(), false)?;
        let rows = self.fill_new_table(
            schema,
            into.name.base().as_str(),
            &[],
            (&inner, params),
            true,
            None,
            &[],
        )?;
        Ok(Completion::Tag(format!("SELECT {rows}").into()))
    }

    /// Makes a table of a query's columns and puts its rows in.
    fn fill_new_table(
        &mut self,
        schema: Oid,
        name: &str,
        names: &[String],
        (query, params): (&Arc<Prepared>, &[Value]),
        with_data: bool,
        on_commit: Option<ast::OnCommit>,
        options: &[ast::DefinitionOption],
    ) -> Result<u64> {
        let parameters = parameters::of_new_table(options)?;
        let (_, columns) = self.describe(query)?;
        let columns = columns.unwrap_or_default();
        if names.len() > columns.len() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
        }
        let new_columns = columns
            .iter()
            .enumerate()
            .map(|(i, column)| NewColumn {
                name: names.get(i).unwrap_or(&column.name).clone(),
                ty: if column.ty.id == TypeId::Unknown { TypeId::Text.into() } else { column.ty },
                not_null: false,
                default: None,
                identity: None,
                serial: None,
                missing: Value::Null,
            })
            .collect();
        let owner = self.state.user.0;
        let new = NewTable {
            schema,
            name: name.to_owned(),
            owner,
            columns: new_columns,
            constraints: vec![],
            codec: parameters::codec_of(&parameters),
            engine: parameters::engine_of(&parameters),
            parameters,
        };
        let relation: Arc<Relation> = self.change(|catalog, txn| catalog.create_table(txn, new))?;
        self.note_on_commit(relation.oid, on_commit);
        if !with_data {
            return Ok(0);
        }
        let text = format!("INSERT INTO {} {}", self.sql_name(&relation), query.text());
        let insert = self.prepare(&text, query.parameter_types())?;
        self.run_prepared_internal(&insert, params)
    }
}

/// A column of a table being defined.
fn find(columns: &[NewColumn], name: &ast::Ident) -> Result<ColumnIndex> {
    columns
        .iter()
        .position(|column| column.name == name.as_str())
        .map(|i| ColumnIndex(i as u16))
        .ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{}\" named in key does not exist", name.as_str()),
            )
            .at(Position(name.span.start))
        })
}

/// When a constraint is checked.
///
/// # Errors
/// 0A000 for NOT VALID, and for timing of a constraint whose kind has none.
pub(super) fn timing_of(
    timing: ast::ConstraintTiming,
    is_check: bool,
    span: ast::Span,
) -> Result<Timing> {
    let deferred = timing.initially_deferred == Some(true);
    // INITIALLY DEFERRED says DEFERRABLE, too.
    let deferrable = timing.deferrable == Some(true) || deferred;
    if deferrable && is_check {
        return Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "CHECK constraints cannot be marked DEFERRABLE",
        ));
    }
    if timing.not_valid {
        return Err(Error::unsupported("NOT VALID constraints").at(Position(span.start)));
    }
    Ok(Timing { deferrable, deferred })
}

/// # Errors
/// 0A000 for INCLUDE: only indexes of their own carry columns. 22023 for storage parameters that cannot be.
fn check_unique_options(options: &ast::UniqueOptions, span: ast::Span) -> Result<()> {
    parameters::check_index(&options.options)?;
    if options.include.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported("INCLUDE columns of a constraint").at(Position(span.start)))
}

/// A check's expression in parentheses, as `pg_get_constraintdef` shows it.
pub(crate) fn parenthesized(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('(') && text.ends_with(')') && is_one_group(text) {
        text.to_owned()
    } else {
        format!("({text})")
    }
}

/// Whether the first parenthesis of a text is closed by its last.
fn is_one_group(text: &str) -> bool {
    let mut depth = 0;
    let mut in_string = false;
    for (i, c) in text.char_indices() {
        match c {
            '\'' => in_string = !in_string,
            '(' if !in_string => depth += 1,
            ')' if !in_string => {
                depth -= 1;
                if depth == 0 && i + 1 < text.len() {
                    return false;
                }
            }
            _ => {}
        }
    }
    depth == 0
}

/// A default as `pg_get_expr` shows it: a string literal with its type.
pub(crate) fn default_text(text: &str, ty: SqlType) -> String {
    let text = text.trim();
    let is_string = text.starts_with('\'') && text.ends_with('\'') && text.len() >= 2;
    if is_string && !text[1..text.len() - 1].replace("''", "").contains('\'') {
        return format!("{text}::{}", damask_types::format::format_type(SqlType::plain(ty.id)));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_definitions() {
        assert_eq!(parenthesized("a > 0"), "(a > 0)");
        assert_eq!(parenthesized("(a > 0)"), "(a > 0)");
        assert_eq!(parenthesized("(a) > (0)"), "((a) > (0))");
        assert_eq!(default_text("'x'", TypeId::Text.into()), "'x'::text");
        assert_eq!(default_text("1 + 1", TypeId::Int4.into()), "1 + 1");
    }
}
