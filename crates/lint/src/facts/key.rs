//! Which line of the facts a statement is.
//!
//! Where the answer depends on what is not known here (the type that a column has now), the kind is the one that does more
//! harm, and what would have to be known is said.

mod action;
mod column_type;
mod volatility;

use std::collections::BTreeMap;

use crate::ir::{ConstraintKind, DomainAction, Kind, Name, Object, ReindexTarget, Span, Statement};
use crate::world::World;

pub use volatility::is_volatile;

/// What one statement, or one action of it, is to the server.
#[derive(Debug, Clone)]
pub struct Effect {
    /// The kind: a line of the facts.
    pub key: &'static str,
    /// The part of the text.
    pub span: Span,
    /// What it speaks of: the role `table`.
    pub table: Name,
    /// Who has the other roles, as far as that is known.
    pub others: BTreeMap<&'static str, Vec<Name>>,
    /// Which action of the statement.
    pub action: Option<usize>,
    /// What would have to be known to be sure.
    pub unknown: Vec<String>,
}

impl Effect {
    fn new(key: &'static str, span: Span, table: &Name) -> Effect {
        Effect {
            key,
            span,
            table: table.clone(),
            others: BTreeMap::new(),
            action: None,
            unknown: Vec::new(),
        }
    }

    fn with(mut self, role: &'static str, name: &Name) -> Effect {
        self.others.entry(role).or_default().push(name.clone());
        self
    }

    fn unsure(mut self, what: impl Into<String>) -> Effect {
        self.unknown.push(what.into());
        self
    }

    /// The relations that have a role.
    pub fn relations(&self, role: &str) -> &[Name] {
        if role == "table" {
            return std::slice::from_ref(&self.table);
        }
        self.others.get(role).map_or(&[], Vec::as_slice)
    }
}

/// What a statement does, one effect for each action. `is_utc`: the session's time zone, where it is known.
pub fn effects(statement: &Statement, world: &World, is_utc: Option<bool>) -> Vec<Effect> {
    let span = statement.span.clone();
    let one = |key: &'static str, name: &Name| vec![Effect::new(key, span.clone(), name)];
    let each = |key: &'static str, names: &[Name]| {
        names
            .iter()
            .map(|name| Effect::new(key, span.clone(), name))
            .collect::<Vec<_>>()
    };
    let none = Name::default();
    match &statement.kind {
        Kind::Alter {
            object,
            name,
            actions,
            ..
        } => actions
            .iter()
            .enumerate()
            .flat_map(|(at, action)| {
                let effect = match object {
                    Object::Table | Object::ForeignTable => action::table(name, action, world, is_utc),
                    other => action::relation(*other, name, action, world),
                };
                let effect = effect.map(|effect| Effect {
                    action: Some(at),
                    ..effect
                });
                let beside = effect
                    .as_ref()
                    .and_then(|effect| action::foreign_key_made_anew(effect, action, world));
                effect.into_iter().chain(beside)
            })
            .collect(),
        Kind::CreateTable(it) => vec![create_table(it, span, world)],
        Kind::CreateIndex(it) => {
            let table = world.table(&it.table);
            let is_partitioned = table.is_some_and(|table| table.is_partitioned);
            let key = match (it.is_concurrent, is_partitioned, it.is_only, it.is_unique) {
                (true, true, false, _) => "create-index.partitioned-concurrently",
                (true, _, _, true) => "create-index.unique-concurrently",
                (true, ..) => "create-index.concurrently",
                (false, _, true, _) => "create-index.partitioned-only",
                (false, true, ..) => "create-index.partitioned",
                (false, false, _, true) => "create-index.unique",
                (false, ..) => "create-index",
            };
            one(key, &it.table)
        }
        Kind::CreateView {
            name,
            materialized: true,
            with_data,
            reads,
        } => {
            let key = if *with_data {
                "create-materialized-view"
            } else {
                "create-materialized-view.no-data"
            };
            let mut effect = Effect::new(key, span, name);
            effect.others.insert("source", reads.clone());
            vec![effect]
        }
        Kind::CreateView { name, .. } => {
            let is_there = world.table(name).is_some();
            one(
                if is_there {
                    "create-view.replace"
                } else {
                    "create-view"
                },
                name,
            )
        }
        Kind::CreateTrigger { table, .. } => one("create-trigger", table),
        Kind::CreateRule { table } => one("create-rule", table),
        Kind::CreatePolicy { table } => one("create-policy", table),
        Kind::CreateType { .. } => one("create-type", &none),
        Kind::CreateDomain { .. } => one("create-domain", &none),
        Kind::CreateSchema { .. } => one("create-schema", &none),
        Kind::CreateSequence { .. } => one("create-sequence", &none),
        Kind::CreateFunction { .. } => one("create-function", &none),
        Kind::CreateExtension { .. } => one("create-extension", &none),
        Kind::CreatePublication { all_tables: true, .. } => one("create-publication.all-tables", &none),
        Kind::CreatePublication { tables, .. } => each("create-publication", tables),
        Kind::AlterPublication { tables } => each("alter-publication", tables),
        Kind::CreateStatistics { table } => one("create-statistics", table.as_ref().unwrap_or(&none)),
        Kind::CreateDatabase => one("create-database", &none),
        Kind::AlterSystem => one("alter-system", &none),
        Kind::Drop { .. } => drop(statement, world),
        Kind::Reindex {
            target,
            name,
            concurrently,
            ..
        } => {
            let table = index_table(name, world);
            match (target, concurrently) {
                (ReindexTarget::Index, false) => one("reindex.index", &table),
                (ReindexTarget::Index, true) => one("reindex.index-concurrently", &table),
                (_, false) => one("reindex.table", name),
                (_, true) => one("reindex.table-concurrently", name),
            }
        }
        Kind::Refresh {
            name,
            concurrently,
            with_data,
            ..
        } => one(
            match (concurrently, with_data) {
                (true, _) => "refresh.concurrently",
                (false, true) => "refresh",
                (false, false) => "refresh.no-data",
            },
            name,
        ),
        Kind::Truncate { tables, cascade } => {
            let mut effects = each(if *cascade { "truncate.cascade" } else { "truncate" }, tables);
            for effect in &mut effects {
                let children = if *cascade {
                    world
                        .referencing(&effect.table)
                        .into_iter()
                        .map(|table| table.name.clone())
                        .collect()
                } else {
                    Vec::new()
                };
                effect.others.insert("referencing", children);
            }
            effects
        }
        Kind::Lock { tables, mode } => each(
            match mode.as_str() {
                "access share" => "lock-table.access-share",
                "row share" => "lock-table.row-share",
                "row exclusive" => "lock-table.row-exclusive",
                "share update exclusive" => "lock-table.share-update-exclusive",
                "share" => "lock-table.share",
                "share row exclusive" => "lock-table.share-row-exclusive",
                "exclusive" => "lock-table.exclusive",
                _ => "lock-table",
            },
            tables,
        ),
        Kind::Vacuum { tables, full } => each(
            if *full { "vacuum.full" } else { "vacuum" },
            if tables.is_empty() {
                std::slice::from_ref(&none)
            } else {
                tables
            },
        ),
        Kind::Cluster { table } => one("cluster", table.as_ref().unwrap_or(&none)),
        Kind::Analyze { tables } => each("analyze", tables),
        Kind::AlterDomain { name, action } => one(
            match action {
                DomainAction::AddCheck { is_not_valid: false } => "domain-check",
                DomainAction::AddCheck { is_not_valid: true } => "domain-check.not-valid",
                DomainAction::SetNotNull => "domain-not-null",
                DomainAction::Validate => "domain-validate",
                DomainAction::Other => "domain-other",
            },
            name,
        ),
        Kind::AlterTypeAddValue { name, .. } => one("add-enum-value", name),
        Kind::AlterTypeRenameValue { name } => one("rename-enum-value", name),
        Kind::Comment {
            object: Object::Table,
            name: Some(name),
        } => one("comment.table", name),
        Kind::Comment {
            object: Object::Index,
            name: Some(name),
        } => one("comment.index", name),
        Kind::Grant { tables } => each("grant", tables),
        Kind::Insert {
            table, from_query, ..
        } => one(if *from_query { "insert.query" } else { "insert" }, table),
        Kind::Update { table, has_where, .. } => {
            one(if *has_where { "update" } else { "update.whole" }, table)
        }
        Kind::Delete { table, has_where } => one(if *has_where { "delete" } else { "delete.whole" }, table),
        Kind::Merge { table } => one("merge", table),
        Kind::Copy {
            table: Some(table),
            is_from: true,
        } => one("insert", table),
        _ => Vec::new(),
    }
}

fn create_table(it: &crate::ir::CreateTable, span: Span, world: &World) -> Effect {
    let name = &it.name;
    let references: Vec<&Name> = it
        .columns
        .iter()
        .flat_map(|column| &column.constraints)
        .chain(&it.constraints)
        .filter_map(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey { references, .. } if !references.is(name) => Some(references),
            _ => None,
        })
        .collect();
    if let Some(parent) = &it.partition_of {
        let default = world
            .table(parent)
            .and_then(|table| table.default_partition.clone());
        let key = match (&default, it.is_default_partition) {
            (_, true) => "create-table.default-partition",
            (Some(_), false) => "create-table.partition-of-default-exists",
            (None, false) => "create-table.partition-of",
        };
        let mut effect = Effect::new(key, span, name).with("parent", parent);
        if let Some(default) = &default {
            effect = effect.with("default", default);
        } else if !world.is_catalogue && !world.is_new(parent) && !it.is_default_partition {
            effect = effect.unsure(format!(
                "whether {parent} has a default partition, which would be read under the lock"
            ));
        }
        return effect;
    }
    if !references.is_empty() {
        return references.into_iter().fold(
            Effect::new("create-table.foreign-key", span, name),
            |effect, of| effect.with("referenced", of),
        );
    }
    if let Some(parent) = it.inherits.first() {
        return Effect::new("create-table.inherits", span, name).with("parent", parent);
    }
    let key = match () {
        () if it.is_temporary => "create-table.temporary",
        () if it.is_as => "create-table.as",
        () if it.has_like => "create-table.like",
        () if it.is_partitioned => "create-table.partitioned",
        () => "create-table",
    };
    Effect::new(key, span, name)
}

fn drop(statement: &Statement, world: &World) -> Vec<Effect> {
    let Kind::Drop {
        object,
        names,
        on,
        concurrently,
        cascade,
        ..
    } = &statement.kind
    else {
        return Vec::new();
    };
    let span = statement.span.clone();
    let target = |name: &Name| on.clone().unwrap_or_else(|| name.clone());
    names
        .iter()
        .map(|name| match object {
            Object::Table => drop_table(name, *cascade, span.clone(), world),
            Object::Index => {
                let table = index_table(name, world);
                let is_partitioned = world.table(&table).is_some_and(|table| table.is_partitioned);
                let key = match (concurrently, is_partitioned) {
                    (true, _) => "drop-index.concurrently",
                    (false, true) => "drop-index.partitioned",
                    (false, false) => "drop-index",
                };
                let effect = Effect::new(key, span.clone(), &table);
                // It was measured by the index's name alone: there its table is the parent.
                match is_partitioned {
                    true => effect.with("parent", &table),
                    false => effect,
                }
            }
            other => {
                let key = match other {
                    Object::View => "drop-view",
                    Object::MaterializedView => "drop-materialized-view",
                    Object::Sequence => "drop-sequence",
                    Object::Schema => "drop-schema",
                    Object::Function => "drop-function",
                    Object::Trigger => "drop-trigger",
                    Object::Policy => "drop-policy",
                    Object::Rule => "drop-rule",
                    Object::Statistics => "drop-statistics",
                    Object::Publication => "drop-publication",
                    _ => "drop-type",
                };
                Effect::new(key, span.clone(), &target(name))
            }
        })
        .collect()
}

fn drop_table(name: &Name, cascade: bool, span: Span, world: &World) -> Effect {
    let table = world.table(name);
    let referencing = world.referencing(name);
    if let Some(parent) = table.and_then(|table| table.parent.clone()) {
        let default = world
            .table(&parent)
            .and_then(|table| table.default_partition.clone());
        return match default {
            Some(default) => Effect::new("drop-table.partition-default-exists", span, name)
                .with("parent", &parent)
                .with("default", &default),
            None => Effect::new("drop-table.partition", span, name).with("parent", &parent),
        };
    }
    if table.is_some_and(|table| table.is_partitioned) {
        return Effect::new("drop-table.partitioned", span, name);
    }
    let references: Vec<Name> = table
        .map(|table| table.references().cloned().collect())
        .unwrap_or_default();
    if !references.is_empty() {
        return references
            .iter()
            .fold(Effect::new("drop-table.referencing", span, name), |effect, of| {
                effect.with("referenced", of)
            });
    }
    if cascade && !referencing.is_empty() {
        let effect = Effect::new("drop-table.referenced-cascade", span, name);
        return referencing
            .iter()
            .fold(effect, |effect, of| effect.with("source", &of.name));
    }
    let effect = Effect::new("drop-table", span, name);
    if world.is_catalogue || world.is_new(name) {
        effect
    } else {
        effect.unsure(format!(
            "foreign keys of {name}: the tables that they point to are locked too"
        ))
    }
}

/// The table of an index; without a name where it is not known.
fn index_table(name: &Name, world: &World) -> Name {
    world
        .index(name)
        .map(|index| index.table.clone())
        .unwrap_or_default()
}
