//! What our reader says of a statement.

use std::collections::BTreeSet;

use corridor_lint::ir::{Kind, Name, Object, ReindexTarget};
use corridor_lint::parse;

pub(crate) fn kind(kind: &Kind) -> String {
    let word = match kind {
        Kind::Alter { object, .. } => return format!("alter {object:?}"),
        Kind::Drop {
            object: Object::Other,
            ..
        } => "other",
        Kind::Drop { object, .. } => return format!("drop {object:?}"),
        Kind::CreateTable(_) => "create table",
        Kind::CreateIndex(_) => "create index",
        Kind::CreateView {
            materialized: false, ..
        } => "create view",
        Kind::CreateView { .. } => "create materialized view",
        Kind::CreateTrigger { .. } => "create trigger",
        Kind::CreateRule { .. } => "create rule",
        Kind::CreatePolicy { .. } => "policy",
        Kind::CreateType { .. } => "create type",
        Kind::CreateDomain { .. } => "create domain",
        Kind::CreateSchema { .. } => "create schema",
        Kind::CreateSequence { .. } => "create sequence",
        Kind::CreateFunction { .. } => "create function",
        Kind::CreatePublication { .. } => "create publication",
        Kind::AlterPublication { .. } => "alter publication",
        Kind::CreateStatistics { .. } => "create statistics",
        Kind::CreateExtension { .. } => "create extension",
        Kind::CreateDatabase => "create database",
        Kind::Reindex { target, .. } => {
            return format!(
                "reindex {}",
                match target {
                    ReindexTarget::Index => "index",
                    ReindexTarget::Table => "table",
                    ReindexTarget::Schema => "schema",
                    ReindexTarget::Database => "database",
                }
            );
        }
        Kind::Refresh { .. } => "refresh",
        Kind::Truncate { .. } => "truncate",
        Kind::Lock { .. } => "lock",
        Kind::Vacuum { .. } => "vacuum",
        Kind::Cluster { .. } => "cluster",
        Kind::Analyze { .. } => "analyze",
        Kind::AlterDomain { .. } => "alter domain",
        Kind::AlterTypeAddValue { .. } => "add value",
        Kind::AlterTypeRenameValue { .. } => "rename value",
        Kind::Comment { .. } => "comment",
        Kind::Grant { .. } => "grant",
        Kind::Insert { .. } => "insert",
        Kind::Update { .. } => "update",
        Kind::Delete { .. } => "delete",
        Kind::Merge { .. } => "merge",
        Kind::Copy { .. } => "copy",
        Kind::Select { .. } => "select",
        Kind::Set(_) | Kind::SearchPath(_) | Kind::ResetAll => "set",
        Kind::Begin => "begin",
        Kind::Commit { .. } => "commit",
        Kind::Rollback { .. } => "rollback",
        Kind::RollbackTo(_) => "rollback to",
        Kind::Savepoint(_) => "savepoint",
        Kind::Release(_) => "release",
        Kind::AlterSystem => "alter system",
        Kind::Harmless("a comment") => "comment",
        Kind::Harmless("a setting") => "set",
        Kind::Harmless(_) => "other",
        Kind::NotEvaluated { .. } => "not evaluated",
    };
    word.to_owned()
}

/// The relations that the statement itself is about, in alphabetic order.
pub(crate) fn relations(kind: &Kind) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    match kind {
        Kind::Alter {
            object: Object::Type | Object::Schema,
            ..
        } => return names,
        Kind::Drop { object, .. } if !is_relation(*object) => return names,
        Kind::Reindex {
            target: ReindexTarget::Schema | ReindexTarget::Database,
            ..
        } => return names,
        Kind::Vacuum { tables, .. } | Kind::Analyze { tables } | Kind::Grant { tables } => {
            names.extend(tables.iter().map(word))
        }
        Kind::Cluster { table } | Kind::Copy { table, .. } => names.extend(table.iter().map(word)),
        Kind::CreateSequence { name } => names.push(word(name)),
        _ => {}
    }
    let mut kind = kind.clone();
    kind.each_name(&mut |name| names.push(word(name)));
    names.sort();
    names
}

pub(crate) fn is_relation(object: Object) -> bool {
    matches!(
        object,
        Object::Table
            | Object::Index
            | Object::View
            | Object::MaterializedView
            | Object::Sequence
            | Object::ForeignTable
    )
}

fn word(name: &Name) -> String {
    match &name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.clone(),
    }
}

/// What a query reads and writes.
pub(crate) fn accessed(text: &str) -> BTreeSet<String> {
    parse::accesses(text)
        .iter()
        .map(|access| word(&access.table))
        .collect()
}
