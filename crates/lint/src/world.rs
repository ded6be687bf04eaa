//! What is known of the database: from the file so far, and from its catalogue where it was read.
//!
//! What a file makes is empty and nobody's: the hazards of big, busy tables are not there. So the world remembers what is
//! new, what was validated, and which checks prove that a column is not null.

use std::collections::{BTreeMap, HashMap};

use crate::ir::{
    Action, ActionKind, Column, Constraint, ConstraintKind, Kind, Name, Object, Statement, TypeName,
};

/// A column.
#[derive(Debug, Clone, Default)]
pub struct ColumnFacts {
    /// Its type, where it is known.
    pub type_name: Option<TypeName>,
    /// It refuses NULL.
    pub is_not_null: bool,
    /// The database fills it where an insert does not: a default, an identity, generated.
    pub has_default: bool,
}

/// A constraint.
#[derive(Debug, Clone)]
pub struct ConstraintFacts {
    /// What it demands.
    pub kind: ConstraintKind,
    /// All rows are known to satisfy it.
    pub is_valid: bool,
}

/// A table, a view or a materialized view.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its name.
    pub name: Name,
    /// This file made it: it is empty, or was, and no release uses it yet.
    pub is_new: bool,
    /// Nobody else sees it.
    pub is_temporary: bool,
    /// Its columns, as far as they are known.
    pub columns: BTreeMap<String, ColumnFacts>,
    /// All of its columns are known.
    pub has_all_columns: bool,
    /// Its constraints, as far as they are known; those without a name by a name that nobody gives.
    pub constraints: BTreeMap<String, ConstraintFacts>,
    /// It is partitioned.
    pub is_partitioned: bool,
    /// Its default partition.
    pub default_partition: Option<Name>,
    /// The table that it is a partition of.
    pub parent: Option<Name>,
    /// It is a materialized view.
    pub is_materialized: bool,
}

impl Table {
    /// Whether a valid check proves that no row has NULL here.
    pub fn proves_not_null(&self, column: &str) -> bool {
        self.constraints.values().any(|it| match &it.kind {
            ConstraintKind::Check(check) => {
                it.is_valid && check.proves_not_null.iter().any(|of| of == column)
            }
            ConstraintKind::NotNull(of) => it.is_valid && of == column,
            _ => false,
        })
    }

    /// Whether a check speaks of the column.
    pub fn is_checked(&self, column: &str) -> bool {
        self.constraints.values().any(|it| matches!(&it.kind, ConstraintKind::Check(check) if check.columns.iter().any(|of| of == column)))
    }

    /// Tables that it points to.
    pub fn references(&self) -> impl Iterator<Item = &Name> {
        self.constraints.values().filter_map(|it| match &it.kind {
            ConstraintKind::ForeignKey { references, .. } => Some(references),
            _ => None,
        })
    }
}

/// An index.
#[derive(Debug, Clone)]
pub struct Index {
    /// Its name.
    pub name: Name,
    /// Its table.
    pub table: Name,
    /// Its plain columns.
    pub columns: Vec<String>,
    /// This file made it.
    pub is_new: bool,
    /// It is unique.
    pub is_unique: bool,
    /// Its last build did not come to its end.
    pub is_invalid: bool,
    /// It belongs to a primary key, or to another constraint.
    pub is_of_constraint: bool,
}

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Tables, views and materialized views.
    pub tables: Vec<Table>,
    /// Where the tables of a name stand: a thousand files make many of them.
    #[doc(hidden)]
    pub places: HashMap<String, Vec<usize>>,
    /// Indexes.
    pub indexes: Vec<Index>,
    /// Enum types that this file made.
    pub new_types: Vec<Name>,
    /// Domains with a constraint: true; without: false.
    pub domains: BTreeMap<String, bool>,
    /// Views: what each reads.
    pub views: Vec<(Name, Vec<Name>)>,
    /// The catalogue was read: what is not here is not there.
    pub is_catalogue: bool,
}

impl World {
    fn place(&self, name: &Name) -> Option<usize> {
        let places = self.places.get(&name.name)?;
        places
            .iter()
            .rev()
            .copied()
            .find(|at| self.tables.get(*at).is_some_and(|table| table.name.is(name)))
    }

    fn push(&mut self, table: Table) {
        self.places
            .entry(table.name.name.clone())
            .or_default()
            .push(self.tables.len());
        self.tables.push(table);
    }

    /// After a table has gone or has another name.
    fn find_places(&mut self) {
        self.places.clear();
        for (at, table) in self.tables.iter().enumerate() {
            self.places.entry(table.name.name.clone()).or_default().push(at);
        }
    }

    /// What is known of a table.
    pub fn table(&self, name: &Name) -> Option<&Table> {
        self.place(name).and_then(|at| self.tables.get(at))
    }

    fn table_mut(&mut self, name: &Name) -> &mut Table {
        let at = self.place(name).unwrap_or_else(|| {
            self.push(Table {
                name: name.clone(),
                ..Table::default()
            });
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }

    /// What is known of an index.
    pub fn index(&self, name: &Name) -> Option<&Index> {
        self.indexes.iter().rev().find(|index| index.name.is(name))
    }

    /// This file made it, or nobody else sees it.
    pub fn is_new(&self, name: &Name) -> bool {
        self.table(name)
            .is_some_and(|table| table.is_new || table.is_temporary)
    }

    /// Tables whose foreign keys point to it.
    pub fn referencing(&self, name: &Name) -> Vec<&Table> {
        self.tables
            .iter()
            .filter(|table| table.references().any(|of| of.is(name)) && !table.name.is(name))
            .collect()
    }

    /// What stands there, as if no file had been read: `is_new` is taken off.
    pub fn settle(&mut self) {
        self.tables.iter_mut().for_each(|table| table.is_new = false);
        self.indexes.iter_mut().for_each(|index| index.is_new = false);
        self.new_types.clear();
    }

    /// Carries a statement out on what is known.
    pub fn apply(&mut self, statement: &Statement) {
        match &statement.kind {
            Kind::CreateTable(it) => {
                if it.if_not_exists && self.table(&it.name).is_some() {
                    return;
                }
                let mut table = Table {
                    name: it.name.clone(),
                    is_new: true,
                    is_temporary: it.is_temporary,
                    is_partitioned: it.is_partitioned,
                    parent: it.partition_of.clone(),
                    has_all_columns: !it.is_as
                        && !it.has_like
                        && it.partition_of.is_none()
                        && it.inherits.is_empty(),
                    ..Table::default()
                };
                for column in &it.columns {
                    add_column(&mut table, column, &mut self.indexes);
                }
                for constraint in &it.constraints {
                    add_constraint(&mut table, constraint, true, &mut self.indexes);
                }
                self.push(table);
                if let Some(parent) = &it.partition_of
                    && it.is_default_partition
                {
                    self.table_mut(parent).default_partition = Some(it.name.clone());
                }
            }
            Kind::CreateView {
                name,
                materialized,
                reads,
                ..
            } => {
                self.push(Table {
                    name: name.clone(),
                    is_new: true,
                    is_materialized: *materialized,
                    ..Table::default()
                });
                self.views.push((name.clone(), reads.clone()));
            }
            Kind::CreateIndex(it) => {
                let name = it.name.clone().unwrap_or_default();
                self.indexes.push(Index {
                    name,
                    table: it.table.clone(),
                    columns: it.columns.clone(),
                    is_new: true,
                    is_unique: it.is_unique,
                    is_invalid: false,
                    is_of_constraint: false,
                });
            }
            Kind::CreateType { name, .. } => self.new_types.push(name.clone()),
            Kind::CreateDomain { name, is_constrained } => {
                self.domains.insert(name.name.clone(), *is_constrained);
            }
            Kind::Drop {
                object: Object::Table | Object::View | Object::MaterializedView,
                names,
                ..
            } => {
                if names.iter().all(|name| self.place(name).is_none()) {
                    return;
                }
                self.tables
                    .retain(|table| !names.iter().any(|name| table.name.is(name)));
                self.indexes
                    .retain(|index| !names.iter().any(|name| index.table.is(name)));
                self.find_places();
            }
            Kind::Drop {
                object: Object::Index,
                names,
                ..
            } => self
                .indexes
                .retain(|index| !names.iter().any(|name| index.name.is(name))),
            Kind::Alter {
                object: Object::Table | Object::ForeignTable,
                name,
                actions,
                ..
            } => {
                for action in actions {
                    self.alter(name, action);
                }
            }
            Kind::Alter {
                object: Object::Index,
                name,
                actions,
                ..
            } => {
                for action in actions {
                    if let ActionKind::Rename { to } = &action.kind {
                        for index in self.indexes.iter_mut().filter(|index| index.name.is(name)) {
                            index.name.name.clone_from(to);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn alter(&mut self, name: &Name, action: &Action) {
        let mut indexes = std::mem::take(&mut self.indexes);
        let table = self.table_mut(name);
        match &action.kind {
            ActionKind::AddColumn { column, .. } => add_column(table, column, &mut indexes),
            ActionKind::DropColumn { column, .. } => {
                table.columns.remove(column);
                table.constraints.retain(|_, it| match &it.kind {
                    ConstraintKind::ForeignKey { columns, .. }
                    | ConstraintKind::Unique { columns, .. }
                    | ConstraintKind::PrimaryKey { columns, .. } => !columns.contains(column),
                    ConstraintKind::Check(check) => !check.columns.contains(column),
                    _ => true,
                });
            }
            ActionKind::RenameColumn { from, to } => {
                if let Some(facts) = table.columns.remove(from) {
                    table.columns.insert(to.clone(), facts);
                }
            }
            ActionKind::AlterType {
                column, type_name, ..
            } => table.columns.entry(column.clone()).or_default().type_name = Some(type_name.clone()),
            ActionKind::SetNotNull { column } | ActionKind::AddIdentity { column } => {
                table.columns.entry(column.clone()).or_default().is_not_null = true
            }
            ActionKind::DropNotNull { column } => {
                table.columns.entry(column.clone()).or_default().is_not_null = false
            }
            ActionKind::SetDefault { column, value } => {
                table.columns.entry(column.clone()).or_default().has_default = !value.is_null
            }
            ActionKind::DropDefault { column } => {
                table.columns.entry(column.clone()).or_default().has_default = false
            }
            ActionKind::AddConstraint(constraint) => {
                add_constraint(table, constraint, !constraint.is_not_valid, &mut indexes)
            }
            ActionKind::DropConstraint { name, .. } => {
                table.constraints.remove(name);
            }
            ActionKind::ValidateConstraint { name } => {
                if let Some(it) = table.constraints.get_mut(name) {
                    it.is_valid = true;
                }
            }
            ActionKind::Rename { to } => {
                table.name.name.clone_from(to);
                self.find_places();
            }
            ActionKind::SetSchema { schema } => table.name.schema = Some(schema.clone()),
            ActionKind::AttachPartition {
                partition,
                is_default,
            } => {
                if *is_default {
                    table.default_partition = Some(partition.clone());
                }
                // With a table that is in use the new one is in use as well.
                let is_in_use = !self.is_new(partition);
                self.table_mut(partition).parent = Some(name.clone());
                if is_in_use {
                    self.table_mut(name).is_new = false;
                }
            }
            ActionKind::DetachPartition { partition, .. } => self.table_mut(partition).parent = None,
            _ => {}
        }
        self.indexes = indexes;
    }
}

fn add_column(table: &mut Table, column: &Column, indexes: &mut Vec<Index>) {
    let facts = ColumnFacts {
        type_name: Some(column.type_name.clone()),
        is_not_null: column.is_not_null,
        has_default: column.default.as_ref().is_some_and(|it| !it.is_null)
            || column.is_identity
            || column.generated.is_some()
            || column.type_name.is_serial(),
    };
    table.columns.insert(column.name.clone(), facts);
    for constraint in &column.constraints {
        add_constraint(table, constraint, true, indexes);
    }
}

fn add_constraint(table: &mut Table, constraint: &Constraint, is_valid: bool, indexes: &mut Vec<Index>) {
    let (suffix, columns): (&str, &[String]) = match &constraint.kind {
        ConstraintKind::Check(check) => ("check", check.columns.get(..1).unwrap_or_default()),
        ConstraintKind::ForeignKey { columns, .. } => ("fkey", columns),
        ConstraintKind::Unique { columns, .. } => ("key", columns),
        ConstraintKind::PrimaryKey { .. } => ("pkey", &[]),
        ConstraintKind::Exclude => ("excl", &[]),
        ConstraintKind::NotNull(_) => ("not_null", &[]),
    };
    let mut parts = vec![table.name.name.as_str()];
    parts.extend(columns.iter().map(String::as_str));
    parts.push(suffix);
    let name = constraint.name.clone().unwrap_or_else(|| parts.join("_"));
    if let ConstraintKind::Unique { columns, .. } | ConstraintKind::PrimaryKey { columns, .. } =
        &constraint.kind
    {
        if matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }) {
            for column in columns {
                table.columns.entry(column.clone()).or_default().is_not_null = true;
            }
        }
        let index = Name {
            schema: table.name.schema.clone(),
            name: name.clone(),
            span: 0..0,
        };
        let facts = Index {
            name: index,
            table: table.name.clone(),
            columns: columns.clone(),
            is_new: true,
            is_unique: true,
            is_invalid: false,
            is_of_constraint: true,
        };
        indexes.push(facts);
    }
    table.constraints.insert(
        name,
        ConstraintFacts {
            kind: constraint.kind.clone(),
            is_valid,
        },
    );
}
