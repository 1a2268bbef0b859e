//! Queries.

use super::Printer;
use crate::ast::{
    ColumnDefinition, Distinct, GroupItem, Join, JoinCondition, JoinKind, LockStrength, LockWait,
    Locking, Persistence, Query, QueryBody, Select, SelectItem, SetOperation, SetOperationKind,
    Statement, TableAlias, TableRef, TableRefKind, With,
};

impl Printer {
    pub(super) fn query(&mut self, query: &Query) {
        if let Some(with) = &query.with {
            self.with(with);
        }
        match &query.body {
            QueryBody::Select(select) => self.select(select),
            QueryBody::Values(rows) => {
                self.push("VALUES ");
                self.list_with(rows, ", ", |printer, row| {
                    printer.push("(");
                    printer.exprs(row);
                    printer.push(")");
                });
            }
            QueryBody::SetOperation(operation) => self.set_operation(operation),
        }
        if !query.order_by.is_empty() {
            self.push(" ");
            self.order_by(&query.order_by);
        }
        if let Some(offset) = &query.offset {
            self.push(" OFFSET ");
            self.expr(offset);
        }
        if let Some(limit) = &query.limit {
            if query.with_ties {
                self.push(" FETCH FIRST (");
                self.expr(limit);
                self.push(") ROWS WITH TIES");
            } else {
                self.push(" LIMIT ");
                self.expr(limit);
            }
        }
        for locking in &query.locking {
            self.locking(locking);
        }
    }

    fn with(&mut self, with: &With) {
        self.push(if with.recursive { "WITH RECURSIVE " } else { "WITH " });
        self.list_with(&with.tables, ", ", |printer, table| {
            printer.ident(&table.name);
            if !table.columns.is_empty() {
                printer.columns(&table.columns);
            }
            printer.push(match table.materialized {
                None => " AS (",
                Some(true) => " AS MATERIALIZED (",
                Some(false) => " AS NOT MATERIALIZED (",
            });
            match &*table.statement {
                Statement::Query(query) => printer.query(query),
                _ => printer.incomplete = true,
            }
            printer.incomplete |= table.search_or_cycle.is_some();
            printer.push(")");
        });
        self.push(" ");
    }

    /// An arm stands bare when it is one `SELECT` or `VALUES`, or a set operation on the left that reads the same.
    fn set_operation(&mut self, operation: &SetOperation) {
        let binds = |kind| u8::from(kind == SetOperationKind::Intersect);
        let bare = |query: &Query, is_left: bool| {
            let inner = match &query.body {
                QueryBody::SetOperation(inner) => {
                    is_left && binds(inner.kind) >= binds(operation.kind)
                }
                QueryBody::Select(_) | QueryBody::Values(_) => true,
            };
            inner
                && query.with.is_none()
                && query.order_by.is_empty()
                && query.limit.is_none()
                && query.offset.is_none()
                && query.locking.is_empty()
        };
        for (arm, is_left) in [(&operation.left, true), (&operation.right, false)] {
            if bare(arm, is_left) {
                self.query(arm);
            } else {
                self.push("(");
                self.query(arm);
                self.push(")");
            }
            if is_left {
                self.push(match operation.kind {
                    SetOperationKind::Union => " UNION ",
                    SetOperationKind::Intersect => " INTERSECT ",
                    SetOperationKind::Except => " EXCEPT ",
                });
                self.push(if operation.all { "ALL " } else { "" });
            }
        }
    }

    fn select(&mut self, select: &Select) {
        self.push("SELECT");
        match &select.distinct {
            Distinct::No => {}
            Distinct::Rows => self.push(" DISTINCT"),
            Distinct::On(keys) => {
                self.push(" DISTINCT ON (");
                self.exprs(keys);
                self.push(")");
            }
        }
        if !select.items.is_empty() {
            self.push(" ");
            self.items(&select.items);
        }
        if let Some(into) = &select.into {
            self.push(match into.persistence {
                Persistence::Permanent => " INTO ",
                Persistence::Temporary => " INTO TEMPORARY ",
                Persistence::Unlogged => " INTO UNLOGGED ",
            });
            self.name(&into.name);
        }
        if !select.from.is_empty() {
            self.push(" FROM ");
            self.list_with(&select.from, ", ", Self::table_ref);
        }
        if let Some(filter) = &select.filter {
            self.push(" WHERE ");
            self.expr(filter);
        }
        if !select.group_by.is_empty() {
            self.push(if select.group_distinct { " GROUP BY DISTINCT " } else { " GROUP BY " });
            self.list_with(&select.group_by, ", ", Self::group_item);
        }
        if let Some(having) = &select.having {
            self.push(" HAVING ");
            self.expr(having);
        }
        if !select.windows.is_empty() {
            self.push(" WINDOW ");
            self.list_with(&select.windows, ", ", |printer, window| {
                printer.ident(&window.name);
                printer.push(" AS ");
                printer.window(&window.definition);
            });
        }
    }

    fn items(&mut self, items: &[SelectItem]) {
        self.list_with(items, ", ", |printer, item| {
            printer.expr(&item.expr);
            if let Some(alias) = &item.alias {
                printer.push(" AS ");
                printer.ident(alias);
            }
        });
    }

    fn group_item(&mut self, item: &GroupItem) {
        match item {
            GroupItem::Expr(expr) => self.expr(expr),
            GroupItem::Empty(_) => self.push("()"),
            GroupItem::Rollup(list, _) => {
                self.push("ROLLUP (");
                self.exprs(list);
                self.push(")");
            }
            GroupItem::Cube(list, _) => {
                self.push("CUBE (");
                self.exprs(list);
                self.push(")");
            }
            GroupItem::Sets(items, _) => {
                self.push("GROUPING SETS (");
                self.list_with(items, ", ", Self::group_item);
                self.push(")");
            }
        }
    }

    fn locking(&mut self, locking: &Locking) {
        self.push(match locking.strength {
            LockStrength::KeyShare => " FOR KEY SHARE",
            LockStrength::Share => " FOR SHARE",
            LockStrength::NoKeyUpdate => " FOR NO KEY UPDATE",
            LockStrength::Update => " FOR UPDATE",
        });
        if !locking.tables.is_empty() {
            self.push(" OF ");
            self.list_with(&locking.tables, ", ", Self::name);
        }
        self.push(match locking.wait {
            LockWait::Block => "",
            LockWait::NoWait => " NOWAIT",
            LockWait::SkipLocked => " SKIP LOCKED",
        });
    }

    fn table_ref(&mut self, table: &TableRef) {
        match &table.kind {
            TableRefKind::Table { name, only, sample } => {
                self.push(if *only { "ONLY " } else { "" });
                self.name(name);
                self.alias(table.alias.as_ref());
                if let Some(sample) = sample {
                    self.push(" TABLESAMPLE ");
                    self.name(&sample.method);
                    self.push(" (");
                    self.exprs(&sample.args);
                    self.push(")");
                    if let Some(seed) = &sample.repeatable {
                        self.push(" REPEATABLE (");
                        self.expr(seed);
                        self.push(")");
                    }
                }
                return;
            }
            TableRefKind::Subquery { lateral, query } => {
                self.push(if *lateral { "LATERAL (" } else { "(" });
                self.query(query);
                self.push(")");
            }
            TableRefKind::Function { lateral, functions, rows_from, ordinality } => {
                self.push(if *lateral { "LATERAL " } else { "" });
                self.push(if *rows_from { "ROWS FROM (" } else { "" });
                self.list_with(functions, ", ", |printer, function| {
                    printer.expr(&function.call);
                    if !function.columns.is_empty() {
                        printer.push(" AS ");
                        printer.definitions(&function.columns);
                    }
                });
                self.push(if *rows_from { ")" } else { "" });
                self.push(if *ordinality { " WITH ORDINALITY" } else { "" });
            }
            TableRefKind::Join(join) => {
                self.push("(");
                self.join(join);
                self.push(")");
            }
        }
        self.alias(table.alias.as_ref());
    }

    fn join(&mut self, join: &Join) {
        self.table_ref(&join.left);
        self.push(match join.condition {
            JoinCondition::Natural => " NATURAL",
            _ => "",
        });
        self.push(match join.kind {
            JoinKind::Cross => " CROSS JOIN ",
            JoinKind::Inner => " JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Full => " FULL JOIN ",
        });
        self.table_ref(&join.right);
        match &join.condition {
            JoinCondition::None | JoinCondition::Natural => {}
            JoinCondition::On(condition) => {
                self.push(" ON ");
                self.expr(condition);
            }
            JoinCondition::Using(columns, alias) => {
                self.push(" USING ");
                self.columns(columns);
                if let Some(alias) = alias {
                    self.push(" AS ");
                    self.ident(alias);
                }
            }
        }
    }

    fn alias(&mut self, alias: Option<&TableAlias>) {
        let Some(alias) = alias else { return };
        self.push(" AS ");
        if let Some(name) = &alias.name {
            self.ident(name);
        }
        if !alias.columns.is_empty() {
            self.columns(&alias.columns);
        }
        if !alias.definitions.is_empty() {
            self.definitions(&alias.definitions);
        }
    }

    fn definitions(&mut self, definitions: &[ColumnDefinition]) {
        self.push("(");
        self.list_with(definitions, ", ", |printer, column| {
            printer.ident(&column.name);
            printer.push(" ");
            printer.type_name(&column.type_name);
            if let Some(collation) = &column.collation {
                printer.push(" COLLATE ");
                printer.name(collation);
            }
        });
        self.push(")");
    }
}
