//! Which changes of a column's type leave the rows as they are.

use crate::ir::{Name, TypeName};
use crate::world::World;

/// The kind of a type change, and what would have to be known.
pub(super) fn key(
    table: &Name,
    column: &str,
    to: &TypeName,
    has_using: bool,
    has_collate: bool,
    world: &World,
    is_utc: Option<bool>,
) -> (&'static str, Option<String>) {
    let facts = world.table(table);
    let from = facts
        .and_then(|facts| facts.columns.get(column))
        .and_then(|it| it.type_name.clone());
    let is_indexed = world
        .indexes
        .iter()
        .any(|index| index.table.is(table) && index.columns.iter().any(|of| of == column));
    let is_checked = facts.is_some_and(|facts| facts.is_checked(column));
    let is_key = || {
        let is_primary = facts.is_some_and(|facts| {
            facts.constraints.values().any(|it| {
                matches!(&it.kind, crate::ir::ConstraintKind::PrimaryKey { columns, .. } if columns.iter().any(|of| of == column))
            })
        });
        is_primary && !world.referencing(table).is_empty()
    };
    if has_using {
        return ("type.using", None);
    }
    let Some(from) = from else {
        return (
            "type.other",
            Some(format!(
                "the type that {column} has now: some changes only touch the catalogue"
            )),
        );
    };
    if is_checked {
        let key = if change(&from, to, is_indexed, is_utc).is_some_and(|key| !rewrites(key)) {
            "type.varchar-wider-checked"
        } else {
            "type.checked"
        };
        return (key, None);
    }
    if has_collate && from.base == to.base && from.modifiers == to.modifiers {
        return (
            if is_indexed {
                "type.collation-indexed"
            } else {
                "type.collation"
            },
            None,
        );
    }
    if rewrites(change(&from, to, is_indexed, is_utc).unwrap_or("type.other")) && is_key() {
        return ("type.referenced-key", None);
    }
    match change(&from, to, is_indexed, is_utc) {
        Some(key) => {
            let is_zone = key.starts_with("type.timestamp-to") || key.starts_with("type.timestamptz-to");
            (
                key,
                (is_zone && is_utc.is_none())
                    .then(|| "the session's time zone: with UTC the rows stay as they are".to_owned()),
            )
        }
        None => ("type.other", None),
    }
}

/// Whether a kind of type change writes all rows anew.
pub(super) fn rewrites(key: &str) -> bool {
    crate::facts::of(key, crate::facts::MAJOR_MAX).is_none_or(|fact| fact.rewrites("table"))
}

fn change(from: &TypeName, to: &TypeName, is_indexed: bool, is_utc: Option<bool>) -> Option<&'static str> {
    let wider = |default: i64| {
        to.modifiers.first().copied().unwrap_or(default) >= from.modifiers.first().copied().unwrap_or(default)
    };
    if from.is_array || to.is_array {
        return (from == to).then_some("type.same");
    }
    if from.base == to.base && from.modifiers == to.modifiers {
        return Some("type.same");
    }
    Some(match (from.base.as_str(), to.base.as_str()) {
        ("varchar", "text") if is_indexed => "type.varchar-to-text-indexed",
        ("varchar", "text") => "type.varchar-to-text",
        ("text", "varchar") if to.modifiers.is_empty() => "type.varchar-to-text",
        ("text", "varchar") => "type.text-to-varchar",
        ("varchar", "varchar") if to.modifiers.is_empty() => "type.varchar-unbounded",
        ("varchar", "varchar") if wider(i64::MAX) && is_indexed => "type.varchar-wider-indexed",
        ("varchar", "varchar") if wider(i64::MAX) => "type.varchar-wider",
        ("varchar", "varchar") => "type.varchar-narrower",
        ("int4", "int8") => "type.int-to-bigint",
        ("numeric", "numeric") if to.modifiers.is_empty() => "type.numeric-unbounded",
        ("numeric", "numeric")
            if from.modifiers.get(1).unwrap_or(&0) != to.modifiers.get(1).unwrap_or(&0) =>
        {
            "type.numeric-scale"
        }
        ("numeric", "numeric") if !from.modifiers.is_empty() && wider(0) => "type.numeric-wider",
        ("numeric", "numeric") => "type.numeric-narrower",
        ("timestamptz", "timestamptz") | ("timestamp", "timestamp") if to.modifiers.is_empty() => {
            "type.timestamptz-unbounded"
        }
        ("timestamptz", "timestamptz") | ("timestamp", "timestamp") if wider(6) => {
            "type.timestamptz-precision-wider"
        }
        ("timestamptz", "timestamptz") | ("timestamp", "timestamp") => "type.timestamptz-precision-narrower",
        ("timestamp", "timestamptz") if is_utc == Some(true) => "type.timestamp-to-timestamptz.utc",
        ("timestamp", "timestamptz") => "type.timestamp-to-timestamptz",
        ("timestamptz", "timestamp") if is_utc == Some(true) => "type.timestamptz-to-timestamp.utc",
        ("timestamptz", "timestamp") => "type.timestamptz-to-timestamp",
        ("cidr", "inet") => "type.cidr-to-inet",
        ("interval", "interval") if wider(6) => "type.interval-wider",
        _ => return None,
    })
}
