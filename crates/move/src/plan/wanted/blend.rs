//! The table that is carried: the file's columns, keys, checks and indexes; and from the old table what no file says, or
//! what it does not say and still holds.

use corridor_pg::catalog::{Column, Constraint, ConstraintKind, Sequence, SequenceLink, Table};
use corridor_pg::ident::join;
use corridor_pg::{Ident, Oid};

use super::value::{INTEGERS, TEXTS};
use super::{Remarks, index};
use crate::fault::{COLUMN_USED, FOREIGN_KEY_NOT_CARRIED, NOT_A_WANTED_TABLE, REFERENCED_KEY_LOST};
use crate::preflight::Reading;

/// Which columns stay as they are.
pub(super) struct Columns<'a> {
    source: &'a Table,
    wanted: &'a Table,
}

impl Columns<'_> {
    pub(super) fn is_gone(&self, name: &Ident) -> bool {
        self.source.column(name).is_some() && self.wanted.column(name).is_none()
    }

    pub(super) fn is_changed(&self, name: &Ident) -> bool {
        match (self.source.column(name), self.wanted.column(name)) {
            (Some(old), Some(new)) => old.type_sql != new.type_sql,
            _ => false,
        }
    }
}

/// A name that the file's table gave by itself, as it would be on a table of the old one's name.
pub(super) fn lasting_name(name: &Ident, made: &Table, source: &Table) -> Ident {
    let prefix = format!("{}_", made.name.name.as_str());
    match name.as_str().strip_prefix(&prefix) {
        Some(rest) => Ident::derived(source.name.name.as_str(), &format!("_{rest}")),
        None => name.clone(),
    }
}

pub(super) fn blend(source: &Table, reading: &Reading, remarks: &mut Remarks) -> Table {
    let wanted = &reading.table;
    let names = Columns { source, wanted };
    let mut columns: Vec<Column> = wanted
        .columns
        .iter()
        .map(|column| blend_column(column, source, reading, remarks))
        .collect();
    let indexes = index::blend(source, reading, &names, remarks);
    for column in &mut columns {
        // A primary key that the file left out makes its columns not null.
        let is_primary = indexes
            .iter()
            .any(|i| i.is_primary && i.has_key_column(&column.name));
        if is_primary && !column.is_not_null {
            column.is_not_null = true;
            let old = source.column(&column.name);
            column.not_null_constraint = old.and_then(|old| old.not_null_constraint.clone());
        }
    }
    let mut table = Table {
        sequences: sequences(source, wanted, &columns),
        columns,
        options: or(&wanted.options, &source.options),
        toast_options: or(&wanted.toast_options, &source.toast_options),
        ..source.clone()
    };
    table.constraints = constraints(source, reading, &names, &indexes, remarks);
    table.indexes = indexes;
    table
        .grants
        .retain(|grant| grant.column.as_ref().is_none_or(|name| !names.is_gone(name)));
    judge_users(reading, &names, remarks);
    judge_incoming(source, &table, reading, remarks);
    table
}

fn or(first: &[String], second: &[String]) -> Vec<String> {
    if first.is_empty() {
        second.to_vec()
    } else {
        first.to_vec()
    }
}

fn blend_column(wanted: &Column, source: &Table, reading: &Reading, remarks: &mut Remarks) -> Column {
    let mut column = wanted.clone();
    let old = source.column(&wanted.name);
    if let Some(constraint) = &mut column.not_null_constraint {
        let twin = old.and_then(|c| c.not_null_constraint.as_ref());
        match twin {
            Some(twin) => *constraint = twin.clone(),
            None => constraint.name = lasting_name(&constraint.name, &reading.table, source),
        }
        constraint.is_validated = true;
    }
    let Some(old) = old else {
        own_sequence(&mut column, None, reading, source, remarks);
        return column;
    };
    column.comment = old.comment.clone();
    column.statistics_target = wanted.statistics_target.or(old.statistics_target);
    column.options = or(&wanted.options, &old.options);
    if wanted.type_sql == old.type_sql {
        column.storage = wanted.storage.clone().or_else(|| old.storage.clone());
        column.compression = wanted.compression.clone().or_else(|| old.compression.clone());
    }
    own_sequence(&mut column, Some(old), reading, source, remarks);
    column
}

/// Defaults, and what draws from a sequence: that goes on drawing from the same one, whatever the file makes for itself.
fn own_sequence(
    column: &mut Column,
    old: Option<&Column>,
    reading: &Reading,
    source: &Table,
    remarks: &mut Remarks,
) {
    let name = column.name.clone();
    let link = |table: &Table| table.sequences.iter().find(|s| s.column == name).map(|s| s.link);
    let is_temporary = link(&reading.table) == Some(SequenceLink::Owned);
    let is_wanted = column.identity.is_some() || is_temporary;
    let is_silent = column.default_sql.is_none() && column.identity.is_none() && column.generated.is_none();
    match old {
        Some(old) if old.identity.is_some() && (is_wanted || is_silent) => {
            column.identity = column.identity.or(old.identity);
            column.default_sql = None;
        }
        Some(old) if link(source).is_some() && column.identity.is_none() && (is_temporary || is_silent) => {
            column.default_sql = old.default_sql.clone();
        }
        _ if is_wanted => remarks.refuse(
            &NOT_A_WANTED_TABLE,
            format!("{name} would draw from a new sequence: add it after the move, or write default nextval('…') of one that is there"),
        ),
        Some(old) if old.default_sql != column.default_sql && !old.is_generated() => {
            let word = |sql: &Option<String>| sql.clone().unwrap_or_else(|| "none".into());
            remarks.note(format!(
                "{name}: the default changes from {} to {}",
                word(&old.default_sql),
                word(&column.default_sql)
            ));
        }
        _ => {}
    }
}

/// The sequences that the new columns draw from; a column that was renamed may go on drawing from its own.
fn sequences(source: &Table, made: &Table, columns: &[Column]) -> Vec<Sequence> {
    let mut all = Vec::new();
    for sequence in &source.sequences {
        let renamed = made.sequences.iter().find(|s| s.oid == sequence.oid);
        let name = renamed.map_or(&sequence.column, |s| &s.column);
        let new = columns.iter().find(|c| &c.name == name);
        let (Some(new), Some(old)) = (new, source.column(&sequence.column)) else {
            continue;
        };
        let is_drawn = match sequence.link {
            SequenceLink::Identity => new.identity.is_some(),
            SequenceLink::Owned | SequenceLink::Default => {
                renamed.is_some() || new.default_sql == old.default_sql
            }
        };
        if is_drawn {
            all.push(Sequence {
                column: new.name.clone(),
                ..widened(sequence, old, new)
            });
        }
    }
    all
}

/// The sequence of an identity column is made anew: where it ended with the old type, it ends with the new one.
fn widened(sequence: &Sequence, old: &Column, new: &Column) -> Sequence {
    let mut sequence = sequence.clone();
    if let (SequenceLink::Identity, Some(was), Some(is)) = (sequence.link, bounds(old), bounds(new)) {
        sequence.type_sql = new.base_type_sql.clone();
        if sequence.max == was.1 {
            sequence.max = is.1;
        }
        if sequence.min == was.0 {
            sequence.min = is.0;
        }
    }
    sequence
}

fn bounds(column: &Column) -> Option<(i64, i64)> {
    match column.base_type_oid {
        Oid(21) => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        Oid(23) => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        Oid(20) => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

fn constraints(
    source: &Table,
    reading: &Reading,
    columns: &Columns<'_>,
    indexes: &[corridor_pg::catalog::Index],
    remarks: &mut Remarks,
) -> Vec<Constraint> {
    let made = &reading.table;
    let mut all: Vec<Constraint> = Vec::new();
    for constraint in &made.constraints {
        let mut constraint = constraint.clone();
        let index = constraint
            .index_oid
            .and_then(|oid| indexes.iter().find(|i| i.oid == oid));
        constraint.name = match index {
            Some(index) => index.name.clone(),
            None => lasting_name(&constraint.name, made, source),
        };
        let twin = source.constraints.iter().find(|old| {
            old.kind == constraint.kind
                && (old.name == constraint.name || old.definition == constraint.definition)
        });
        if let Some(twin) = twin {
            constraint.name = twin.name.clone();
            constraint.comment = twin.comment.clone();
        }
        all.push(constraint);
    }
    let has_checks = all.iter().any(|c| c.kind == ConstraintKind::Check);
    for old in &source.constraints {
        if all.iter().any(|c| c.name == old.name) {
            continue;
        }
        let why = match old.kind {
            ConstraintKind::Check => unheld_check(old, reading, columns, has_checks),
            ConstraintKind::ForeignKey => lost_foreign_key(old, columns, reading, remarks),
            // With its index.
            _ => match indexes.iter().any(|i| Some(i.oid) == old.index_oid) {
                true => None,
                false => continue,
            },
        };
        match why {
            Some(why) => remarks.note(format!("constraint {} is not carried: {why}", old.name)),
            None => all.push(old.clone()),
        }
    }
    all
}

fn unheld_check(
    old: &Constraint,
    reading: &Reading,
    columns: &Columns<'_>,
    has_checks: bool,
) -> Option<String> {
    if let Some(gone) = old.columns.iter().find(|name| columns.is_gone(name)) {
        return Some(format!("{gone} goes"));
    }
    if let Some((_, words)) = reading.unheld.iter().find(|(name, _)| name == &old.name) {
        return Some(words.clone());
    }
    let changed = old.columns.iter().find(|name| columns.is_changed(name));
    match (changed, has_checks) {
        (Some(changed), true) => Some(format!(
            "{changed} changes its type, and the file has checks of its own"
        )),
        _ => None,
    }
}

fn lost_foreign_key(
    old: &Constraint,
    columns: &Columns<'_>,
    reading: &Reading,
    remarks: &mut Remarks,
) -> Option<String> {
    if let Some(gone) = old.columns.iter().find(|name| columns.is_gone(name)) {
        return Some(format!(
            "{gone} goes; after a way back it is there again, not validated"
        ));
    }
    for name in old.columns.iter().filter(|name| columns.is_changed(name)) {
        let pair = (columns.source.column(name), reading.table.column(name));
        if !matches!(pair, (Some(old), Some(new)) if is_comparable(old, new)) {
            remarks.refuse(
                &FOREIGN_KEY_NOT_CARRIED,
                format!(
                    "{}: {name} changes to a type that may not compare with what it references",
                    old.name
                ),
            );
        }
    }
    None
}

/// Both are integers, or both are texts: a foreign key between any two of them holds.
fn is_comparable(a: &Column, b: &Column) -> bool {
    let both = |family: &[Oid]| family.contains(&a.base_type_oid) && family.contains(&b.base_type_oid);
    both(&INTEGERS) || both(&TEXTS)
}

/// What names a column that goes, or whose type changes.
fn judge_users(reading: &Reading, columns: &Columns<'_>, remarks: &mut Remarks) {
    for user in &reading.users {
        let name = &user.column;
        if columns.is_gone(name) {
            remarks.refuse(&COLUMN_USED, format!("{}: it uses {name}, which goes", user.what));
        } else if columns.is_changed(name) {
            match user.kind.as_str() {
                "pg_rewrite" | "pg_proc" => remarks.refuse(
                    &COLUMN_USED,
                    format!("{}: it uses {name}, whose type changes", user.what),
                ),
                _ => remarks.note(format!(
                    "{}: it uses {name}, whose type changes; it is made anew by its definition",
                    user.what
                )),
            }
        }
    }
}

/// Foreign keys of other tables need a unique key over exactly what they reference, of a type that compares.
fn judge_incoming(source: &Table, table: &Table, reading: &Reading, remarks: &mut Remarks) {
    for key in &source.incoming {
        let referenced = join(&key.referenced_columns, ", ");
        let is_unique = table.indexes.iter().any(|index| {
            let is_plain =
                index.is_unique && index.predicate.is_none() && !index.has_expressions && index.is_immediate;
            is_plain
                && index.key().count() == key.referenced_columns.len()
                && key
                    .referenced_columns
                    .iter()
                    .all(|name| index.has_key_column(name))
        });
        if !is_unique {
            remarks.refuse(
                &REFERENCED_KEY_LOST,
                format!(
                    "{} of {}: it references ({referenced}), and the new table has no unique key over that",
                    key.name, key.table
                ),
            );
        }
        for name in &key.referenced_columns {
            let pair = (source.column(name), reading.table.column(name));
            if let (Some(old), Some(new)) = pair
                && old.type_sql != new.type_sql
                && !is_comparable(old, new)
            {
                remarks.refuse(
                    &FOREIGN_KEY_NOT_CARRIED,
                    format!(
                        "{} of {}: {name} changes to {}",
                        key.name, key.table, new.type_sql
                    ),
                );
            }
        }
    }
}
