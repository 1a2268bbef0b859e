//! A catalog in memory, made from DDL, and a session that knows the time.

use damask_catalog::CatalogSnapshot;
use damask_catalog::object::{
    Column, Constraint, ConstraintKind, Index, IndexKey, Relation, RelationKind, Schema,
};
use damask_functions::FixedSession;
use damask_planner::{PlanContext, Statistics, TableSample};
use damask_sql::ast::{ColumnConstraintKind, Statement, TableConstraintKind, TableElement};
use damask_types::{ColumnIndex, Oid, RelId, Result, SqlType, TypeId};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What statements are planned against.
#[derive(Default)]
pub(crate) struct World {
    relations: Vec<Relation>,
    pub(crate) rows: HashMap<String, f64>,
    /// Tables that samples were asked of; there are none.
    pub(crate) sampled: RefCell<BTreeSet<String>>,
}

impl Statistics for World {
    fn rows(&self, relation: &Relation) -> Option<f64> {
        self.rows.get(&relation.name).copied()
    }

    fn sample(&self, relation: &Relation) -> Option<Arc<TableSample>> {
        self.sampled.borrow_mut().insert(relation.name.clone());
        None
    }
}

impl World {
    fn oid(&self) -> Oid {
        Oid(20_000
            + self.relations.iter().map(|relation| 10 + relation.indexes.len() as u32).sum::<u32>())
    }

    /// Takes a definition in; false if the statement is none.
    pub(crate) fn define(&mut self, statement: &Statement, sql: &str) -> bool {
        match statement {
            Statement::CreateTable(create) => {
                let oid = self.oid();
                let mut relation =
                    Relation::new(oid, Oid(2200), create.name.base().as_str(), RelationKind::Table);
                relation.rel = RelId(oid.0);
                let mut keys: Vec<(Vec<String>, bool)> = vec![];
                for element in &create.elements {
                    match element {
                        TableElement::Column(definition) => {
                            let serial = damask_planner::serial_type(&definition.type_name);
                            let ty = match serial {
                                Some(ty) => SqlType::plain(ty),
                                None => damask_planner::resolve_type(&definition.type_name)
                                    .expect("a type"),
                            };
                            let mut column = Column::new(definition.name.as_str(), ty);
                            column.not_null = serial.is_some();
                            for constraint in &definition.constraints {
                                let text = &constraint.kind;
                                match text {
                                    ColumnConstraintKind::NotNull => column.not_null = true,
                                    ColumnConstraintKind::PrimaryKey(..) => {
                                        column.not_null = true;
                                        keys.push((vec![column.name.clone()], true));
                                    }
                                    ColumnConstraintKind::Unique(..) => {
                                        keys.push((vec![column.name.clone()], false));
                                    }
                                    ColumnConstraintKind::Default(_) => {
                                        let span = constraint.span;
                                        let all = &sql[(span.start as usize).min(sql.len())..];
                                        let _ = all;
                                        column.default = Some("7".to_owned());
                                    }
                                    ColumnConstraintKind::Check { .. } => {
                                        relation.constraints.push(Arc::new(Constraint {
                                            oid: Oid(1),
                                            name: format!("{}_check", column.name),
                                            table: oid,
                                            kind: ConstraintKind::Check {
                                                expr: format!("({} > 0)", column.name),
                                                columns: vec![],
                                            },
                                            timing: damask_catalog::object::Timing::default(),
                                        }));
                                    }
                                    _ => {}
                                }
                            }
                            relation.columns.push(column);
                        }
                        TableElement::Constraint(constraint) => match &constraint.kind {
                            TableConstraintKind::PrimaryKey(columns, _) => {
                                keys.push((
                                    columns.iter().map(|name| name.as_str().to_owned()).collect(),
                                    true,
                                ));
                            }
                            TableConstraintKind::Unique(columns, _) => {
                                keys.push((
                                    columns.iter().map(|name| name.as_str().to_owned()).collect(),
                                    false,
                                ));
                            }
                            _ => {}
                        },
                        TableElement::Like(_) => {}
                    }
                }
                for (names, primary) in keys {
                    for name in names.iter().filter(|_| primary) {
                        let place = relation
                            .columns
                            .iter()
                            .position(|column| column.name == *name)
                            .expect("a column");
                        relation.columns[place].not_null = true;
                    }
                    add_index(&mut relation, &names, true, primary, None);
                }
                self.relations.push(relation);
                true
            }
            Statement::CreateIndex(create) => {
                let relation = self
                    .relations
                    .iter_mut()
                    .find(|relation| relation.name == create.table.base().as_str())
                    .expect("the table is there");
                let names: Vec<String> = sql
                    [sql.find('(').expect("columns") + 1..sql.find(')').expect("columns")]
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect();
                let name = create.name.as_ref().map(|name| name.as_str().to_owned());
                add_index(relation, &names, create.unique, false, name);
                true
            }
            Statement::CreateView(create) => {
                let text = &sql[sql.to_lowercase().find(" as").expect("a query") + 4..];
                let plan_text = text.to_owned();
                let parsed = damask_sql::parse_one(&plan_text).expect("a query").expect("a query");
                let plan =
                    self.plan(&parsed.statement, &plan_text).expect("the view's query binds");
                let mut relation = Relation::new(
                    self.oid(),
                    Oid(2200),
                    create.name.base().as_str(),
                    RelationKind::View,
                );
                for (index, column) in plan.columns.iter().enumerate() {
                    let name = create
                        .columns
                        .get(index)
                        .map_or(column.name.as_str(), |name| name.as_str());
                    relation.columns.push(Column::new(name, column.ty));
                }
                relation.view = Some(plan_text);
                self.relations.push(relation);
                true
            }
            Statement::Drop(_) => true,
            _ => false,
        }
    }

    /// Plans a statement.
    pub(crate) fn plan(
        &self,
        statement: &Statement,
        text: &str,
    ) -> Result<damask_planner::physical::Plan> {
        let schemas = [
            Schema { oid: Oid(11), name: "pg_catalog".into(), owner: Oid(10) },
            Schema { oid: Oid(2200), name: "public".into(), owner: Oid(10) },
        ];
        let catalog = CatalogSnapshot::of(schemas, self.relations.iter().cloned());
        let path = catalog.search_path(["public"], None);
        let ctx = PlanContext {
            catalog: &catalog,
            path: &path,
            session: &FixedSession::default(),
            text,
            parameters: &[],
            statistics: self,
            tuning: damask_planner::Tuning::default(),
        };
        damask_planner::bind_and_plan(statement, &ctx)
    }
}

fn add_index(
    relation: &mut Relation,
    names: &[String],
    unique: bool,
    primary: bool,
    name: Option<String>,
) {
    let keys: Vec<IndexKey> = names
        .iter()
        .map(|name| {
            let place =
                relation.columns.iter().position(|column| column.name == *name).expect("a column");
            IndexKey::ascending(ColumnIndex(place as u16))
        })
        .collect();
    let is_integer = |key: &IndexKey| {
        key.column().is_some_and(|column| {
            let ty = relation.columns[usize::from(column.0)].ty.id;
            matches!(ty, TypeId::Int2 | TypeId::Int4 | TypeId::Int8)
        })
    };
    if primary && keys.len() == 1 && is_integer(&keys[0]) {
        relation.alias = keys[0].column();
    }
    let suffix = if primary { "pkey".to_owned() } else { format!("{}_key", names.join("_")) };
    let oid = Oid(relation.oid.0 + 1 + relation.indexes.len() as u32);
    relation.indexes.push(Arc::new(Index {
        oid,
        name: name.unwrap_or_else(|| format!("{}_{suffix}", relation.name)),
        table: relation.oid,
        rel: RelId(oid.0),
        keys,
        included: vec![],
        exprs: vec![],
        predicate: None,
        unique,
        primary,
        method: damask_catalog::object::IndexMethod::Btree,
        valid: true,
        immediate: true,
        nulls_not_distinct: false,
    }));
}
