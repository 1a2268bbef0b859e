//! Sequences.

use super::super::Session;
use damask_catalog::object::{RelationKind, Sequence};
use damask_sql::ast::{self, SequenceOption, SequenceOptionKind};
use damask_txn::{SequenceState, TableLock};
use damask_types::{Error, Position, Result, SqlState, SqlType, TypeId};

/// A sequence of a type with options.
///
/// # Errors
/// 22023 for options that contradict each other.
pub(crate) fn sequence_of(ty: TypeId, options: &[SequenceOption]) -> Result<Sequence> {
    let mut sequence = Sequence {
        ty: SqlType::plain(ty),
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cache: 1,
        cycle: false,
        owned_by: None,
    };
    apply(&mut sequence, options, true)?;
    Ok(sequence)
}

/// Applies options; `is_new` fills what they leave out. Gives the value RESTART asks for.
fn apply(sequence: &mut Sequence, options: &[SequenceOption], is_new: bool) -> Result<Option<i64>> {
    let invalid = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let (mut min, mut max, mut start, mut restart) = (None, None, None, None);
    let mut ty_changed = is_new;
    for option in options {
        match &option.kind {
            SequenceOptionKind::As(name) => {
                let ty = damask_planner::resolve_type(name)?;
                if !matches!(ty.id, TypeId::Int2 | TypeId::Int4 | TypeId::Int8) {
                    return Err(invalid(
                        "sequence type must be smallint, integer, or bigint".to_owned(),
                    ));
                }
                sequence.ty = SqlType::plain(ty.id);
                ty_changed = true;
            }
            SequenceOptionKind::Increment(0) => {
                return Err(invalid("INCREMENT must not be zero".to_owned()));
            }
            SequenceOptionKind::Increment(by) => {
                ty_changed |= is_new;
                sequence.increment = *by;
            }
            SequenceOptionKind::MinValue(value) => min = Some(*value),
            SequenceOptionKind::MaxValue(value) => max = Some(*value),
            SequenceOptionKind::Start(value) => start = Some(*value),
            SequenceOptionKind::Restart(value) => restart = Some(*value),
            SequenceOptionKind::Cache(value) if *value < 1 => {
                return Err(invalid(format!("CACHE ({value}) must be greater than zero")));
            }
            SequenceOptionKind::Cache(value) => sequence.cache = *value,
            SequenceOptionKind::Cycle(value) => sequence.cycle = *value,
            // Owners are settled by the caller.
            SequenceOptionKind::OwnedBy(_) | SequenceOptionKind::SequenceName(_) => {}
        }
    }
    let (lowest, highest) = match sequence.ty.id {
        TypeId::Int2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        TypeId::Int4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let ascending = sequence.increment > 0;
    let (default_min, default_max) = if ascending { (1, highest) } else { (lowest, -1) };
    match min {
        Some(value) => sequence.min = value.unwrap_or(default_min),
        None if ty_changed => sequence.min = default_min,
        None => {}
    }
    match max {
        Some(value) => sequence.max = value.unwrap_or(default_max),
        None if ty_changed => sequence.max = default_max,
        None => {}
    }
    if sequence.min >= sequence.max {
        return Err(invalid(format!(
            "MINVALUE ({}) must be less than MAXVALUE ({})",
            sequence.min, sequence.max
        )));
    }
    match start {
        Some(value) => sequence.start = value,
        None if is_new => sequence.start = if ascending { sequence.min } else { sequence.max },
        None => {}
    }
    if sequence.start < sequence.min {
        return Err(invalid(format!(
            "START value ({}) cannot be less than MINVALUE ({})",
            sequence.start, sequence.min
        )));
    }
    if sequence.start > sequence.max {
        return Err(invalid(format!(
            "START value ({}) cannot be greater than MAXVALUE ({})",
            sequence.start, sequence.max
        )));
    }
    Ok(restart.map(|value| value.unwrap_or(sequence.start)))
}

impl Session {
    pub(crate) fn create_sequence(&mut self, create: &ast::CreateSequence) -> Result<String> {
        let schema = self.creation_schema(&create.name, create.persistence)?;
        let name = create.name.base().as_str();
        if self.is_taken(schema, name, create.if_not_exists)? {
            return Ok("CREATE SEQUENCE".to_owned());
        }
        let mut sequence = sequence_of(TypeId::Int8, &create.options)?;
        sequence.owned_by = self.owner_of(&create.options)?;
        let owner = self.state.user.0;
        let owned_by = sequence.owned_by;
        let oid = self
            .change(|catalog, txn| catalog.create_sequence(txn, schema, name, owner, sequence))?;
        if let Some((table, column)) = owned_by {
            self.change(|catalog, txn| {
                let mut table = catalog.owned(table);
                table.columns[usize::from(column.0)].sequence = Some(oid);
                catalog.put_relation(txn, table)
            })?;
        }
        Ok("CREATE SEQUENCE".to_owned())
    }

    /// OWNED BY table.column.
    fn owner_of(
        &mut self,
        options: &[SequenceOption],
    ) -> Result<Option<(damask_types::Oid, damask_types::ColumnIndex)>> {
        for option in options {
            let SequenceOptionKind::OwnedBy(Some(name)) = &option.kind else { continue };
            let mut table = name.clone();
            let Some(column) = table.0.pop().filter(|_| !table.0.is_empty()) else {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "invalid OWNED BY option")
                    .hint("Specify OWNED BY table.column or OWNED BY NONE.")
                    .at(Position(option.span.start)));
            };
            let relation = self.resolve(&table)?;
            let (column, _) = relation.column(column.as_str()).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!(
                        "column \"{}\" of relation \"{}\" does not exist",
                        column.as_str(),
                        relation.name
                    ),
                )
            })?;
            return Ok(Some((relation.oid, column)));
        }
        Ok(None)
    }

    pub(crate) fn alter_sequence(&mut self, alter: &ast::AlterSequence) -> Result<String> {
        let Some(relation) = self.find(&alter.name)? else {
            if alter.if_exists {
                return Ok("ALTER SEQUENCE".to_owned());
            }
            self.resolve(&alter.name)?;
            return Err(Error::internal("the name resolved after all"));
        };
        if relation.kind != RelationKind::Sequence {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a sequence", relation.name),
            ));
        }
        let relation = self.lock_and_refresh(&relation, TableLock::ShareRowExclusive)?;
        let mut sequence = relation.sequence.clone().expect("a sequence has a definition");
        let restart = apply(&mut sequence, &alter.options, false)?;
        if let Some(owner) = self.owner_of(&alter.options)? {
            sequence.owned_by = Some(owner);
        }
        let rel = relation.rel;
        self.change(|catalog, txn| {
            let mut changed = catalog.owned(relation.oid);
            changed.sequence = Some(sequence);
            catalog.put_relation(txn, changed)
        })?;
        if let Some(value) = restart {
            let state = SequenceState { last_value: value, is_called: false };
            self.database.shared.catalog.engine().sequence_set(rel, state)?;
        }
        Ok("ALTER SEQUENCE".to_owned())
    }
}
