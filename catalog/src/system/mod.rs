//! `pg_catalog` and `information_schema`: relations computed from a snapshot.

pub mod definitions;

use crate::object::{Column, Relation, RelationKind};
use crate::snapshot::{INFORMATION_SCHEMA, PG_CATALOG};
use damask_types::{Oid, SqlType};
use hashbrown::HashMap;
use std::sync::{Arc, LazyLock};

/// The system relations by OID and by name.
struct SystemRelations {
    by_oid: HashMap<Oid, Arc<Relation>>,
    by_name: HashMap<(bool, &'static str), Oid>,
}

static RELATIONS: LazyLock<SystemRelations> = LazyLock::new(|| {
    let mut relations = SystemRelations { by_oid: HashMap::new(), by_name: HashMap::new() };
    for definition in definitions::DEFINITIONS {
        let oid = Oid(definition.oid);
        let schema = if definition.information_schema { INFORMATION_SCHEMA } else { PG_CATALOG };
        let mut relation = Relation::new(oid, schema, definition.name, RelationKind::System);
        relation.columns = definition
            .columns
            .iter()
            .map(|&(name, ty, not_null)| Column {
                not_null,
                ..Column::new(name, SqlType::plain(ty))
            })
            .collect();
        relations.by_name.insert((definition.information_schema, definition.name), oid);
        relations.by_oid.insert(oid, Arc::new(relation));
    }
    relations
});

/// The system relation of this OID.
pub fn relation(oid: Oid) -> Option<&'static Arc<Relation>> {
    RELATIONS.by_oid.get(&oid)
}

/// The system relation of this name in `pg_catalog` or `information_schema`.
pub fn relation_by_name(schema: Oid, name: &str) -> Option<&'static Arc<Relation>> {
    let oid = RELATIONS.by_name.get(&(schema == INFORMATION_SCHEMA, name))?;
    RELATIONS.by_oid.get(oid)
}

/// Every system relation, by OID.
pub fn all_relations() -> impl Iterator<Item = &'static Arc<Relation>> {
    let mut oids: Vec<_> = RELATIONS.by_oid.keys().copied().collect();
    oids.sort_unstable();
    oids.into_iter().map(|oid| &RELATIONS.by_oid[&oid])
}
