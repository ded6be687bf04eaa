//! A column, as it stands in CREATE TABLE and behind ADD and MODIFY COLUMN.

use super::super::NotEvaluated;
use super::super::script::{Cursor, Part};
use super::super::statement::Column;
use super::{Gathered, Read, Unread};

/// What ends a type.
const BEHIND_TYPE: &[&str] = &[
    "NULL",
    "NOT NULL",
    "DEFAULT",
    "MATERIALIZED",
    "EPHEMERAL",
    "ALIAS",
    "COMMENT",
    "CODEC",
    "STATISTICS",
    "TTL",
    "PRIMARY KEY",
    "COLLATE",
    "SETTINGS",
    "AFTER",
    "FIRST",
    "REMOVE",
    "MODIFY SETTING",
    "RESET SETTING",
    "AUTO_INCREMENT",
    "EXPRESSION",
    "HIERARCHICAL",
    "INJECTIVE",
    "IS_OBJECT_ID",
];
/// What ends an expression.
const BEHIND_EXPRESSION: &[&str] = &[
    "COMMENT",
    "CODEC",
    "STATISTICS",
    "TTL",
    "PRIMARY KEY",
    "COLLATE",
    "SETTINGS",
    "AFTER",
    "FIRST",
    "EXPRESSION",
    "HIERARCHICAL",
    "INJECTIVE",
    "IS_OBJECT_ID",
];

/// `name` of a column, which may have parts: `nested.field`.
pub(super) fn column_name(cursor: &mut Cursor<'_, '_>) -> Read<String> {
    let mut name = cursor
        .ident()
        .ok_or(Unread("the name of a column was expected"))?;
    while cursor.eat_sign(".") {
        name.push('.');
        name.push_str(
            &cursor
                .ident()
                .ok_or(Unread("a name was expected behind the dot"))?,
        );
    }
    Ok(name)
}

/// Up to one of these phrases, or to a comma: in an ALTER that is where something begins that is not known.
fn until(cursor: &mut Cursor<'_, '_>, phrases: &[&str]) -> Part {
    let mark = cursor.mark();
    while !(cursor.is_end() || cursor.is_sign(",") || phrases.iter().any(|phrase| cursor.sees(phrase))) {
        cursor.step();
    }
    cursor.since(mark)
}

/// A column, to the end of the cursor.
pub(super) fn column(cursor: &mut Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Column> {
    let start = cursor.offset();
    let name = column_name(cursor)?;
    cursor.eat("TYPE");
    let data_type = Some(until(cursor, BEHIND_TYPE)).filter(|part| !part.is_empty());
    let mut column = Column {
        name,
        span: start..start,
        data_type,
        default: None,
        codec: None,
        ttl: None,
        has_comment: false,
        is_null: false,
        is_attribute_only: false,
    };
    while attribute(cursor, &mut column) {}
    column.span = start..cursor.last_end();
    if !cursor.is_end() {
        gathered.unread.push(NotEvaluated::new(
            cursor.script.span(cursor.rest()),
            "this part of the column is not known",
        ));
    }
    Ok(column)
}

fn attribute(cursor: &mut Cursor<'_, '_>, column: &mut Column) -> bool {
    let at = cursor.offset();
    let Some(word) = cursor.eat_one(BEHIND_TYPE) else {
        return false;
    };
    match word {
        "NULL" => column.is_null = true,
        "DEFAULT" | "MATERIALIZED" | "EPHEMERAL" | "ALIAS" => {
            column.default = Some(until(cursor, BEHIND_EXPRESSION));
        }
        "EXPRESSION" => _ = until(cursor, BEHIND_EXPRESSION),
        "COMMENT" => {
            column.has_comment = true;
            cursor.step();
        }
        "CODEC" => {
            if let Some(inside) = cursor.group() {
                column.codec = Some((inside, at..cursor.last_end()));
            }
        }
        "STATISTICS" | "SETTINGS" => _ = cursor.group(),
        "TTL" => {
            column.ttl = Some(until(
                cursor,
                &["COMMENT", "CODEC", "SETTINGS", "AFTER", "FIRST", "PRIMARY KEY"],
            ))
        }
        "COLLATE" => cursor.step(),
        "AFTER" => _ = column_name(cursor),
        "REMOVE" => {
            column.is_attribute_only = true;
            cursor.step();
        }
        "MODIFY SETTING" | "RESET SETTING" => {
            column.is_attribute_only = true;
            cursor.until(&[]);
        }
        _ => {}
    }
    true
}
