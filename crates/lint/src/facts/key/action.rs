//! Which line of the facts an action of `alter` is.

use super::{Effect, index_table, is_volatile};
use crate::ir::{Action, ActionKind, Constraint, ConstraintKind, Generated, Name, Object};
use crate::world::World;

pub(super) fn relation(object: Object, name: &Name, action: &Action, world: &World) -> Option<Effect> {
    let table = if object == Object::Index {
        index_table(name, world)
    } else {
        name.clone()
    };
    let key = match (object, &action.kind) {
        (Object::Index, ActionKind::Rename { .. }) => "rename-index",
        (Object::Index, ActionKind::Other(words)) if words.starts_with("attach") => "attach-index",
        (Object::Index, _) => "alter-index.options",
        (Object::View, ActionKind::Rename { .. }) => "rename-view",
        (Object::View, _) => "alter-view.owner",
        (Object::MaterializedView, ActionKind::Rename { .. }) => "rename-materialized-view",
        (Object::Sequence, ActionKind::Rename { .. }) => "rename-sequence",
        (Object::Sequence, ActionKind::Other(words)) if words.starts_with("owned by") => {
            "alter-sequence.owned-by"
        }
        (Object::Sequence, _) => "alter-sequence",
        (Object::Schema, _) => "rename-schema",
        (Object::Type, ActionKind::Rename { .. }) => "rename-type",
        _ => return None,
    };
    Some(Effect::new(key, action.span.clone(), &table))
}

#[expect(clippy::too_many_lines, reason = "one line for each action: a list")]
pub(super) fn table(name: &Name, action: &Action, world: &World, is_utc: Option<bool>) -> Option<Effect> {
    let effect = |key: &'static str| Effect::new(key, action.span.clone(), name);
    let table = world.table(name);
    let is_partitioned = table.is_some_and(|table| table.is_partitioned);
    let knows = world.is_catalogue || table.is_some_and(|table| table.has_all_columns);
    Some(match &action.kind {
        ActionKind::AddColumn { column, .. } => add_column(effect, column, is_partitioned, world),
        ActionKind::DropColumn { column, .. } => {
            let references: Vec<Name> = table
                .map(|table| {
                    table
                        .constraints
                        .values()
                        .filter_map(|it| match &it.kind {
                            ConstraintKind::ForeignKey { columns, references }
                                if columns.contains(column) =>
                            {
                                Some(references.clone())
                            }
                            _ => None,
                        })
                        .collect()
                })
                .unwrap_or_default();
            let is_indexed = world
                .indexes
                .iter()
                .any(|index| index.table.is(name) && index.columns.contains(column));
            match references.is_empty() {
                false => references
                    .iter()
                    .fold(effect("drop-column.foreign-key"), |effect, of| {
                        effect.with("referenced", of)
                    }),
                true if is_indexed => effect("drop-column.indexed"),
                true => effect("drop-column"),
            }
        }
        ActionKind::RenameColumn { .. } => effect("rename-column"),
        ActionKind::Rename { .. } => effect("rename-table"),
        ActionKind::RenameConstraint { .. } => effect("rename-constraint"),
        ActionKind::SetSchema { .. } => effect("set-schema"),
        ActionKind::AlterType {
            column,
            type_name,
            has_using,
            has_collate,
        } => {
            let (key, unknown) =
                super::column_type::key(name, column, type_name, *has_using, *has_collate, world, is_utc);
            let mut effect = effect(key);
            effect.unknown.extend(unknown);
            if !matches!(key, "type.referenced-key" | "type.same") && may_be_referenced(column, name, world) {
                effect.unknown.push(format!(
                    "whether a foreign key of another table points to {column}; that table would be locked too"
                ));
            }
            effect
        }
        ActionKind::SetNotNull { column } => match table.is_some_and(|table| {
            table.proves_not_null(column) || table.columns.get(column).is_some_and(|it| it.is_not_null)
        }) {
            true => effect("set-not-null.proven"),
            false if knows => effect("set-not-null"),
            false => effect("set-not-null")
                .unsure(format!("whether a valid check proves that {column} is not null")),
        },
        ActionKind::DropNotNull { .. } => effect("drop-not-null"),
        ActionKind::SetDefault { .. } => effect("set-default"),
        ActionKind::DropDefault { .. } => effect("drop-default"),
        ActionKind::AddIdentity { .. } => effect("add-identity"),
        ActionKind::DropIdentity { .. } => effect("drop-identity"),
        ActionKind::DropExpression { .. } => effect("drop-expression"),
        ActionKind::SetExpression { .. } => effect("set-expression"),
        ActionKind::SetStatistics => effect("set-statistics"),
        ActionKind::SetStorage => effect("set-storage"),
        ActionKind::SetCompression => effect("set-compression"),
        ActionKind::SetColumnOptions => effect("set-column-options"),
        ActionKind::AddConstraint(constraint) => {
            add_constraint(&effect, name, constraint, is_partitioned, world)
        }
        ActionKind::DropConstraint { name: constraint, .. } => match table
            .and_then(|table| table.constraints.get(constraint))
            .map(|it| &it.kind)
        {
            Some(ConstraintKind::ForeignKey { references, .. }) => {
                effect("drop-constraint.foreign-key").with("referenced", references)
            }
            Some(ConstraintKind::Unique { .. } | ConstraintKind::Exclude) => effect("drop-constraint.unique"),
            Some(ConstraintKind::PrimaryKey { .. }) => effect("drop-constraint.primary-key"),
            Some(_) => effect("drop-constraint.check"),
            None if looks_like_foreign_key(constraint) => effect("drop-constraint.foreign-key")
                .unsure(format!("which table {constraint} points to; it is locked too")),
            None => {
                effect("drop-constraint.check").unsure(format!("what kind of constraint {constraint} is"))
            }
        },
        ActionKind::ValidateConstraint { name: constraint } => match table
            .and_then(|table| table.constraints.get(constraint))
            .map(|it| &it.kind)
        {
            Some(ConstraintKind::ForeignKey { references, .. }) => {
                effect("validate.foreign-key").with("referenced", references)
            }
            Some(ConstraintKind::NotNull(_)) => effect("validate.not-null"),
            Some(_) => effect("validate.check"),
            None => effect("validate.foreign-key").unsure(format!("what kind of constraint {constraint} is")),
        },
        ActionKind::AlterConstraint {
            not_enforced: true, ..
        } => effect("alter-constraint.not-enforced"),
        ActionKind::AlterConstraint { enforced: true, .. } => effect("validate.foreign-key"),
        ActionKind::AlterConstraint { .. } => effect("alter-constraint"),
        ActionKind::AttachPartition {
            partition,
            is_default,
        } => {
            let made = attach(&effect, name, partition, world);
            match is_default {
                true => made.unsure(format!(
                    "whether {name} has other partitions: without any no row is read"
                )),
                false => made,
            }
        }
        ActionKind::DetachPartition {
            partition,
            concurrently,
            finalize,
        } => {
            let default = table.and_then(|table| table.default_partition.clone());
            match (concurrently | finalize, default) {
                (true, _) => effect("detach-partition.concurrently").with("partition", partition),
                (false, Some(default)) => effect("detach-partition.default-exists")
                    .with("partition", partition)
                    .with("default", &default),
                (false, None) => effect("detach-partition").with("partition", partition),
            }
        }
        ActionKind::Inherit { parent } => effect("inherit").with("parent", parent),
        ActionKind::NoInherit { parent } => effect("no-inherit").with("parent", parent),
        ActionKind::SetOptions { names } => match names.first().map(String::as_str) {
            Some(first) if first.starts_with("autovacuum") => effect("set-options.autovacuum"),
            Some("toast_tuple_target") => effect("set-options.toast"),
            _ => effect("set-options.fillfactor"),
        },
        ActionKind::SetUnlogged => effect("set-unlogged"),
        ActionKind::SetLogged => effect("set-logged"),
        ActionKind::SetTablespace => effect("set-tablespace"),
        ActionKind::SetAccessMethod => effect("set-access-method"),
        ActionKind::ClusterOn => effect("cluster-on"),
        ActionKind::ReplicaIdentity { .. } => effect("replica-identity"),
        ActionKind::EnableRowSecurity => effect("enable-row-security"),
        ActionKind::DisableRowSecurity => effect("disable-row-security"),
        ActionKind::ForceRowSecurity => effect("force-row-security"),
        ActionKind::OwnerTo => effect("owner"),
        ActionKind::EnableTrigger => effect("enable-trigger"),
        ActionKind::DisableTrigger => effect("disable-trigger"),
        ActionKind::Rule => effect("disable-rule"),
        ActionKind::Other(_) => return None,
    })
}

/// Other tables point here, and the column is unique: which column they point to is not known.
fn may_be_referenced(column: &String, name: &Name, world: &World) -> bool {
    let is_unique = world.table(name).is_some_and(|table| {
        table.constraints.values().any(|it| match &it.kind {
            ConstraintKind::Unique { columns, .. } | ConstraintKind::PrimaryKey { columns, .. } => {
                columns.contains(column)
            }
            _ => false,
        })
    });
    is_unique && !world.referencing(name).is_empty()
}

/// A column that gets another type takes its foreign key along: that is dropped and made again, at both ends.
pub(super) fn foreign_key_made_anew(changed: &Effect, action: &Action, world: &World) -> Option<Effect> {
    let ActionKind::AlterType { column, .. } = &action.kind else {
        return None;
    };
    let table = world.table(&changed.table)?;
    let referenced: Vec<&Name> = table
        .constraints
        .values()
        .filter_map(|it| match &it.kind {
            ConstraintKind::ForeignKey { columns, references } if columns.contains(column) => {
                Some(references)
            }
            _ => None,
        })
        .collect();
    if referenced.is_empty() || changed.key == "type.same" {
        return None;
    }
    let key = match super::column_type::rewrites(changed.key) {
        true => "type.foreign-key-rewritten",
        false => "type.foreign-key",
    };
    let made = Effect::new(key, action.span.clone(), &changed.table);
    Some(
        referenced
            .into_iter()
            .fold(made, |effect, of| effect.with("referenced", of)),
    )
}

/// By the names that the server, Rails and Django give.
fn looks_like_foreign_key(constraint: &str) -> bool {
    constraint.ends_with("_fkey")
        || constraint.starts_with("fk_")
        || constraint.contains("_fk_")
        || constraint.ends_with("_fk")
}

fn add_column(
    effect: impl Fn(&'static str) -> Effect,
    column: &crate::ir::Column,
    is_partitioned: bool,
    world: &World,
) -> Effect {
    let mut references = None;
    let (mut is_unique, mut is_primary, mut has_check) = (false, false, false);
    for constraint in &column.constraints {
        match &constraint.kind {
            ConstraintKind::ForeignKey { references: of, .. } => references = Some(of),
            ConstraintKind::Unique { .. } => is_unique = true,
            ConstraintKind::PrimaryKey { .. } => is_primary = true,
            ConstraintKind::Check(_) => has_check = true,
            _ => {}
        }
    }
    let default = column.default.as_ref().filter(|default| !default.is_null);
    let domain = world.domains.get(&column.type_name.base);
    let volatile =
        default.is_some_and(|default| default.calls.iter().any(|call| is_volatile(call) != Some(false)));
    let mut made = match () {
        () if is_primary => effect("add-column.primary-key"),
        () if column.type_name.is_serial() => effect("add-column.serial"),
        () if column.is_identity => effect("add-column.identity"),
        () if column.generated == Some(Generated::Stored) => effect("add-column.generated-stored"),
        () if column.generated == Some(Generated::Virtual) => effect("add-column.generated-virtual"),
        () if volatile => {
            let strangers: Vec<&String> = default
                .iter()
                .flat_map(|default| &default.calls)
                .filter(|call| is_volatile(call).is_none())
                .collect();
            match strangers.first() {
                Some(call) => effect("add-column.volatile-default")
                    .unsure(format!("whether the function {call} is volatile")),
                None => effect("add-column.volatile-default"),
            }
        }
        () if domain == Some(&true) && default.is_some() => effect("add-column.constrained-domain-default"),
        () if domain == Some(&true) => effect("add-column.constrained-domain"),
        () if is_unique => effect("add-column.unique"),
        () if references.is_some() && default.is_some() => effect("add-column.references-default"),
        () if references.is_some() => effect("add-column.references"),
        () if has_check && default.is_some() => effect("add-column.check-default"),
        () if has_check => effect("add-column.check"),
        () if column.is_not_null && default.is_none() => effect("add-column.not-null"),
        () if column.is_not_null => effect("add-column.not-null-default"),
        () if default.is_some_and(|default| !default.calls.is_empty()) => effect("add-column.stable-default"),
        () if default.is_some() => effect("add-column.default"),
        () if is_partitioned => effect("add-column.partitioned"),
        () if domain == Some(&false) => effect("add-column.domain"),
        () => effect("add-column"),
    };
    if let Some(of) = references {
        made = made.with("referenced", of);
    }
    made
}

fn add_constraint(
    effect: &dyn Fn(&'static str) -> Effect,
    table: &Name,
    constraint: &Constraint,
    is_partitioned: bool,
    world: &World,
) -> Effect {
    match &constraint.kind {
        ConstraintKind::Check(_) if constraint.is_not_valid => effect("add-check.not-valid"),
        ConstraintKind::Check(_) if is_partitioned => effect("add-check.partitioned"),
        ConstraintKind::Check(_) => effect("add-check"),
        ConstraintKind::ForeignKey { references, .. } => {
            let key = match (constraint.is_not_valid, is_partitioned) {
                (true, _) => "add-foreign-key.not-valid",
                (false, true) => "add-foreign-key.partitioned",
                (false, false) => "add-foreign-key",
            };
            effect(key).with("referenced", references)
        }
        ConstraintKind::Unique {
            using_index: Some(_), ..
        } => effect("add-unique.using-index"),
        ConstraintKind::Unique { .. } => effect("add-unique"),
        ConstraintKind::PrimaryKey { columns, using_index } => {
            let index = using_index.as_ref().and_then(|index| {
                world.index(&Name {
                    schema: table.schema.clone(),
                    name: index.clone(),
                    span: 0..0,
                })
            });
            let columns = if columns.is_empty() {
                index.map(|index| index.columns.clone()).unwrap_or_default()
            } else {
                columns.clone()
            };
            let facts = world.table(table);
            let is_proven = |column: &String| {
                facts.is_some_and(|facts| {
                    facts.columns.get(column).is_some_and(|it| it.is_not_null)
                        || facts.proves_not_null(column)
                })
            };
            let all_proven = !columns.is_empty() && columns.iter().all(is_proven);
            let doubt = || format!("whether the columns of the key of {table} are not null already");
            let knows = world.is_catalogue || facts.is_some_and(|facts| facts.has_all_columns);
            let made = match (using_index.is_some(), all_proven) {
                (true, true) => effect("add-primary-key.using-index"),
                (true, false) => effect("add-primary-key.using-index-nullable"),
                (false, true) => effect("add-primary-key"),
                (false, false) => effect("add-primary-key.nullable"),
            };
            if all_proven || knows {
                made
            } else {
                made.unsure(doubt())
            }
        }
        ConstraintKind::Exclude => effect("add-exclude"),
        ConstraintKind::NotNull(_) if constraint.is_not_valid => effect("add-not-null.not-valid"),
        ConstraintKind::NotNull(_) => effect("add-not-null"),
    }
}

fn attach(effect: &dyn Fn(&'static str) -> Effect, parent: &Name, partition: &Name, world: &World) -> Effect {
    let is_proven = |name: &Name| {
        world.table(name).is_some_and(|table| {
            table
                .constraints
                .values()
                .any(|it| it.is_valid && matches!(it.kind, ConstraintKind::Check(_)))
        })
    };
    let default = world
        .table(parent)
        .and_then(|table| table.default_partition.clone());
    match default {
        Some(default) if is_proven(partition) && is_proven(&default) => {
            effect("attach-partition.default-proven")
                .with("partition", partition)
                .with("default", &default)
        }
        Some(default) => effect("attach-partition.default-exists")
            .with("partition", partition)
            .with("default", &default),
        None if is_proven(partition) => effect("attach-partition.proven").with("partition", partition),
        None => {
            let made = effect("attach-partition").with("partition", partition);
            match world.is_catalogue || world.is_new(partition) {
                true => made,
                false => made.unsure(format!("whether a valid check of {partition} implies its bounds, and whether {parent} has a default partition")),
            }
        }
    }
}
