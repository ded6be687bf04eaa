//! What each column is made from, in both directions.

use corridor_mirror::spec::{Column as Copied, Digest, Value};
use corridor_pg::catalog::{Column, Table};
use corridor_pg::ident::join;
use corridor_pg::{Ident, Oid};

use super::Remarks;
use crate::fault::{BAD_EXPRESSION, NO_VALUE, NO_WAY_BACK};
use crate::plan::copied::digest;
use crate::preflight::{Expression, Origin, Reading, Understood};

const JSON: Oid = Oid(114);
const JSONB: Oid = Oid(3802);
pub(super) const INTEGERS: [Oid; 3] = [Oid(21), Oid(23), Oid(20)];
pub(super) const TEXTS: [Oid; 2] = [Oid(25), Oid(1043)];

/// The new table's columns that something is copied to.
pub(super) fn forward(source: &Table, reading: &Reading, remarks: &mut Remarks) -> Vec<Copied> {
    let table = &reading.table;
    let mut columns = Vec::new();
    for expression in &reading.forward {
        let Some(column) = table.column(&expression.column) else {
            continue;
        };
        if matches!(expression.origin, Origin::Nothing) {
            unfilled(column, remarks);
            continue;
        }
        let word = format!("--set '{} = …'", column.name);
        if let Some(why) = obstacle(expression, "", &word, remarks) {
            remarks.refuse(why.0, why.1);
            continue;
        }
        if let (Origin::Cast { from }, Some(_)) = (&expression.origin, &expression.understood) {
            remarks.note(format!(
                "{}: {from} becomes {} by the server's own assignment cast",
                column.name, column.type_sql
            ));
        }
        let is_new = source.column(&column.name).is_none();
        if is_new && column.is_not_null && column.default_sql.is_none() && column.identity.is_none() {
            remarks.note(format!(
                "{} is new and must not be null: after the cut-over an insert that does not name it fails; a default in \
                 the file would fill it",
                column.name
            ));
        }
        columns.push(copied(column, expression, digest_of(column, expression)));
    }
    let gone = source.columns.iter().filter(|c| table.column(&c.name).is_none());
    for column in gone {
        let reader = reading.forward.iter().find(|e| {
            let understood = e.understood.as_ref();
            understood.is_some_and(|u| u.reads.contains(&column.name))
        });
        remarks.note(match reader {
            Some(reader) => format!("{} goes; {} is made from it", column.name, reader.column),
            None => format!("{} goes, with what stands in it", column.name),
        });
    }
    let is_changed = |new: &&Column| {
        source
            .column(&new.name)
            .is_some_and(|old| old.type_sql != new.type_sql)
    };
    let changed: Vec<&Ident> = table.columns.iter().filter(is_changed).map(|c| &c.name).collect();
    if !changed.is_empty() {
        remarks.note(format!(
            "sessions that keep a prepared statement which returns {} meet \"cached plan must not change result type\" once \
             after the cut-over, until they prepare it anew",
            join(changed, ", ")
        ));
    }
    columns
}

/// A column of the new table that nothing is copied to.
fn unfilled(column: &Column, remarks: &mut Remarks) {
    let name = &column.name;
    match &column.default_sql {
        Some(default) => remarks.note(format!("{name} is new: its default, {default}, in every row")),
        None if column.identity.is_some() => {} // `blend` says what is wrong
        None if !column.is_not_null => remarks.note(format!("{name} is new: null in every row")),
        None => remarks.refuse(
            &NO_VALUE,
            format!("{name} must not be null, and nothing says what it is: --set '{name} = …', or a default in the file"),
        ),
    }
}

/// The old table's columns on the way back.
///
/// What is compared while they are held in step: a column that came from the old one by itself or by a cast, and goes
/// back in the same manner. An expression may lose something on the way, on purpose; then the old rows that were not
/// touched since differ from what the way back would make of them, and that is no fault.
pub(super) fn back(
    source: &Table,
    reading: &Reading,
    forward: &[Copied],
    remarks: &mut Remarks,
) -> Vec<Copied> {
    let mut columns = Vec::new();
    let mut uncompared: Vec<&Ident> = Vec::new();
    for expression in &reading.back {
        let Some(column) = source.column(&expression.column) else {
            continue;
        };
        let name = &column.name;
        let word = format!("--reverse-set '{name} = …', or --one-way");
        let newer = reading.table.column(name);
        let lossless = match &expression.origin {
            Origin::Nothing => Err(format!("{name}: the new table has no such column")),
            Origin::Cast { from } => match newer.is_some_and(|new| is_lossless(new, column, expression)) {
                true => Ok(()),
                false => Err(format!(
                    "{name}: {from} does not become {} again by itself",
                    column.type_sql
                )),
            },
            Origin::Same | Origin::Said(_) => Ok(()),
        };
        if let Err(why) = lossless {
            remarks.refuse(&NO_WAY_BACK, format!("{why}; {word}"));
            continue;
        }
        let is_null = expression
            .understood
            .as_ref()
            .is_some_and(|u| u.sql.trim_start_matches('(').starts_with("NULL::"));
        if is_null && column.is_not_null {
            remarks.refuse(
                &NO_WAY_BACK,
                format!("{name} must not be null in the old table; {word}"),
            );
            continue;
        }
        if let Some(why) = obstacle(expression, "on the way back, ", &word, remarks) {
            remarks.refuse(why.0, why.1);
            continue;
        }
        if let Origin::Cast { from } = &expression.origin {
            remarks.note(format!(
                "on the way back, {name} is cast from {from} to {}: a row written after the cut-over that does not fit is \
                 noted, and rollback is refused while there is one",
                column.type_sql
            ));
        }
        let is_inverse = !matches!(expression.origin, Origin::Said(_))
            && forward.iter().any(|f| &f.name == name && is_plain(f, name));
        if !is_inverse {
            uncompared.push(name);
        }
        let digest = match is_inverse {
            true => digest_of(column, expression),
            false => Digest::Nothing,
        };
        columns.push(copied(column, expression, digest));
    }
    if !uncompared.is_empty() {
        remarks.note(format!(
            "on the way back, made by expressions: {}; rows that are not written after the cut-over keep what they had there, \
             and a comparison after it leaves that out",
            join(uncompared, ", ")
        ));
    }
    columns
}

/// Why an expression cannot be used.
fn obstacle(
    expression: &Expression,
    on_the_way: &str,
    word: &str,
    remarks: &mut Remarks,
) -> Option<(&'static corridor_pg::Code, String)> {
    let name = &expression.column;
    let understood = expression.understood.as_ref()?;
    if let Some(why) = &understood.obstacle {
        return Some((&BAD_EXPRESSION, format!("{on_the_way}{name}: {why}")));
    }
    if let Some(words) = &understood.unassignable {
        return Some((
            &NO_VALUE,
            format!("{on_the_way}{name}: {words}; say what it is: {word}"),
        ));
    }
    if understood.is_of_settings && !understood.is_label {
        if matches!(expression.origin, Origin::Cast { .. }) {
            let why = "the cast depends on settings of the session, such as the time zone";
            return Some((
                &NO_VALUE,
                format!("{on_the_way}{name}: {why}; say what is meant: {word}"),
            ));
        }
        remarks.note(format!(
            "{on_the_way}{name} is computed with Corridor's settings (time zone UTC, ISO dates), where it depends on them"
        ));
    }
    None
}

fn copied(column: &Column, expression: &Expression, digest: Digest) -> Copied {
    let value = |understood: &Understood| Value {
        sql: understood.sql.clone(),
        stored_sql: format!("({})::{}", understood.sql, column.type_sql),
        reads: understood.reads.clone(),
    };
    Copied {
        name: column.name.clone(),
        digest,
        value: expression.understood.as_ref().map(value),
    }
}

fn digest_of(column: &Column, expression: &Expression) -> Digest {
    match &expression.understood {
        // Its blanks and the order of its members were lost on the way.
        Some(_) if column.base_type_oid == JSON => Digest::Json,
        _ => digest(column),
    }
}

/// The new column's values become the old one's again by an assignment, or the assignment fails: nothing is rounded.
fn is_lossless(new: &Column, old: &Column, expression: &Expression) -> bool {
    let both = |family: &[Oid]| family.contains(&new.base_type_oid) && family.contains(&old.base_type_oid);
    let is_label = expression.understood.as_ref().is_some_and(|u| u.is_label);
    both(&INTEGERS)
        || both(&TEXTS)
        || both(&[JSON, JSONB])
        || (is_label && TEXTS.contains(&old.base_type_oid))
}

/// True when the two types have one order, so that a key may change from one to the other.
pub(super) fn has_one_order(a: &Column, b: &Column) -> bool {
    let both = |family: &[Oid]| family.contains(&a.base_type_oid) && family.contains(&b.base_type_oid);
    let is_same_text = || a.collation == b.collation;
    let is_same = a.base_type_oid == b.base_type_oid && a.type_oid == b.type_oid;
    (is_same && is_same_text()) || both(&INTEGERS) || (both(&TEXTS) && is_same_text())
}

/// The type's name that holds the values of both.
pub(super) fn wider(a: &Column, b: &Column) -> String {
    let place = |c: &Column| INTEGERS.iter().position(|oid| *oid == c.base_type_oid);
    match (place(a), place(b)) {
        (Some(of_a), Some(of_b)) if of_a >= of_b => a.base_type_sql.clone(),
        (Some(_), Some(_)) => b.base_type_sql.clone(),
        _ if a.base_type_sql == b.base_type_sql => a.base_type_sql.clone(),
        _ => "text".to_owned(),
    }
}

/// True when the expression is the column of this name and nothing else, but for a cast of the server's own.
pub(super) fn is_plain(column: &Copied, of: &Ident) -> bool {
    match &column.value {
        None => &column.name == of,
        Some(value) => {
            let name = format!("s.{of}");
            let is_cast =
                value.sql.starts_with(&format!("({name})::")) && !value.sql[name.len() + 2..].contains('(');
            value.reads == [of.clone()] && (value.sql == name || is_cast)
        }
    }
}
