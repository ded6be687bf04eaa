//! ALTER TABLE.

use super::super::NotEvaluated;
use super::super::script::{Cursor, Part};
use super::super::statement::{Action, Alter, Kind, Name, Piece, What};
use super::column::{column, column_name};
use super::{Gathered, Read, Unread, cluster, guard, is_access, mutation, name, tail};

/// What an action begins with.
const VERBS: &[&str] = &[
    "ADD",
    "DROP",
    "MODIFY",
    "ALTER",
    "CLEAR",
    "COMMENT",
    "RENAME",
    "MATERIALIZE",
    "UPDATE",
    "DELETE",
    "FREEZE",
    "UNFREEZE",
    "ATTACH",
    "DETACH",
    "MOVE",
    "REPLACE",
    "FETCH",
    "FORGET",
    "RESET",
    "REMOVE",
    "APPLY",
    "REWRITE",
    "EXPORT",
];
const PIECES: &[&str] = &["COLUMN", "INDEX", "PROJECTION", "CONSTRAINT", "STATISTICS", "TTL"];

pub(super) fn read(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    cursor.step();
    cursor.eat("TEMPORARY");
    if cursor
        .eat_one(&["TABLE", "LIVE VIEW", "VIEW", "MATERIALIZED VIEW"])
        .is_none()
    {
        let is_known = is_access(&cursor) || cursor.sees("DATABASE");
        return if is_known {
            Ok(Kind::Other)
        } else {
            Err(Unread("what is altered is not known"))
        };
    }
    let table = name(&mut cursor)?;
    cluster(&mut cursor, gathered)?;
    let mut actions = Vec::new();
    loop {
        let mark = cursor.mark();
        while !(cursor.is_end() || is_boundary(&cursor) || is_settings(&cursor)) {
            cursor.step();
        }
        let part = cursor.since(mark);
        let span = cursor.script.span(part);
        match action(cursor.script.cursor(part), &table, gathered) {
            // An action behind a comma that is none would be taken for a part of the one before.
            Ok(what) if !may_have_commas(&what) && cursor.script.cursor(part).list().len() > 1 => {
                gathered
                    .unread
                    .push(NotEvaluated::new(span, "something behind a comma is not known"));
            }
            Ok(what) => actions.push(Action { span, what }),
            Err(Unread(reason)) => gathered.unread.push(NotEvaluated::new(span, reason)),
        }
        if !cursor.eat_sign(",") {
            break;
        }
    }
    tail(&mut cursor, gathered)?;
    Ok(Kind::Alter(Alter { table, actions }))
}

fn may_have_commas(what: &What) -> bool {
    match what {
        What::Clear(piece) | What::Drop { piece, .. } | What::Materialize { piece, .. } => {
            *piece == Piece::Statistics
        }
        What::RenameColumn { .. } | What::RemoveTtl | What::CommentColumn => false,
        _ => true,
    }
}

/// A comma behind which the next action begins. `UPDATE a = 1, delete = 0` has one that is none.
fn is_boundary(cursor: &Cursor<'_, '_>) -> bool {
    let mut next = cursor.clone();
    if !next.eat_sign(",") {
        return false;
    }
    if let Some(inside) = next.clone().group() {
        next = next.script.cursor(inside);
    }
    let is_verb = VERBS.contains(&next.keyword().as_str());
    next.step();
    is_verb && !next.is_sign("=") && !next.is_sign(",") && !next.is_end()
}

fn is_settings(cursor: &Cursor<'_, '_>) -> bool {
    let mut next = cursor.clone();
    next.eat("SETTINGS") && next.ident().is_some() && next.is_sign("=")
}

fn action(mut cursor: Cursor<'_, '_>, table: &Name, gathered: &mut Gathered) -> Read<What> {
    if let Some(inside) = cursor.clone().group() {
        cursor = cursor.script.cursor(inside);
    }
    let verb = cursor.keyword();
    cursor.step();
    match verb.as_str() {
        "ADD" => add(cursor, gathered),
        "DROP" => drop(cursor),
        "MODIFY" | "ALTER" => modify(cursor, gathered),
        "CLEAR" => {
            let piece = piece(&mut cursor)?;
            cursor.eat("IF EXISTS");
            column_name(&mut cursor)?;
            Ok(What::Clear(piece))
        }
        "MATERIALIZE" => materialize(cursor),
        "RENAME" if cursor.eat("COLUMN") => {
            let guard = guard(&mut cursor, "IF EXISTS");
            let from = column_name(&mut cursor)?;
            if !cursor.eat("TO") {
                return Err(Unread("RENAME COLUMN without TO"));
            }
            Ok(What::RenameColumn {
                from,
                to: column_name(&mut cursor)?,
                guard,
            })
        }
        "COMMENT" if cursor.eat("COLUMN") => Ok(What::CommentColumn),
        "UPDATE" => Ok(What::Update(mutation(&mut cursor, table.clone()))),
        "DELETE" => Ok(What::Delete(mutation(&mut cursor, table.clone()))),
        "RESET" if cursor.eat("SETTING") => Ok(What::ModifyOther),
        "REMOVE" if cursor.eat("TTL") => Ok(What::RemoveTtl),
        "REMOVE" if cursor.eat("SAMPLE BY") => Ok(What::ModifySampleBy),
        "APPLY" | "REWRITE" => Ok(What::ModifyOther),
        "FREEZE" | "UNFREEZE" | "ATTACH" | "DETACH" | "MOVE" | "REPLACE" | "FETCH" | "FORGET" | "EXPORT" => {
            // FREEZE alone means all partitions.
            let is_partition =
                cursor.sees("PARTITION") || cursor.sees("PART") || cursor.is_end() || cursor.sees("WITH");
            if is_partition {
                Ok(What::Partition(verb))
            } else {
                Err(Unread("this action is not known"))
            }
        }
        _ => Err(Unread("this action is not known")),
    }
}

fn piece(cursor: &mut Cursor<'_, '_>) -> Read<Piece> {
    Ok(
        match cursor.eat_one(PIECES).ok_or(Unread("this action is not known"))? {
            "COLUMN" => Piece::Column,
            "INDEX" => Piece::Index,
            "PROJECTION" => Piece::Projection,
            "CONSTRAINT" => Piece::Constraint,
            "STATISTICS" => Piece::Statistics,
            _ => Piece::Ttl,
        },
    )
}

fn add(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<What> {
    let piece = piece(&mut cursor)?;
    let guard = guard(&mut cursor, "IF NOT EXISTS");
    if piece == Piece::Column {
        return Ok(What::AddColumn {
            column: column(&mut cursor, gathered)?,
            guard,
        });
    }
    Ok(What::Add {
        piece,
        name: column_name(&mut cursor)?,
        guard,
    })
}

fn drop(mut cursor: Cursor<'_, '_>) -> Read<What> {
    if cursor
        .eat_one(&["PARTITION", "PART", "DETACHED PARTITION", "DETACHED PART"])
        .is_some()
    {
        return Ok(What::Partition("DROP".to_owned()));
    }
    let piece = piece(&mut cursor)?;
    let guard = guard(&mut cursor, "IF EXISTS");
    Ok(What::Drop {
        piece,
        name: column_name(&mut cursor)?,
        guard,
    })
}

fn materialize(mut cursor: Cursor<'_, '_>) -> Read<What> {
    let piece = piece(&mut cursor)?;
    cursor.eat("IF EXISTS");
    let name = if piece == Piece::Ttl || cursor.is_end() {
        String::new()
    } else {
        column_name(&mut cursor)?
    };
    cursor.until(&["IN PARTITION"]);
    Ok(What::Materialize {
        piece,
        name,
        in_partition: !cursor.is_end(),
    })
}

fn modify(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<What> {
    const OTHERS: &[&str] = &[
        "COMMENT",
        "REFRESH",
        "SQL SECURITY",
        "DEFINER",
        "STATISTICS",
        "CONSTRAINT",
        "PROJECTION",
        "INDEX",
        "DATABASE",
    ];
    let rest = |cursor: &Cursor<'_, '_>| -> Part { cursor.rest() };
    if cursor.eat("COLUMN") {
        cursor.eat("IF EXISTS");
        return Ok(What::ModifyColumn {
            column: column(&mut cursor, gathered)?,
        });
    }
    if cursor.eat("ORDER BY") {
        return Ok(What::ModifyOrderBy(rest(&cursor)));
    }
    if cursor.eat("SAMPLE BY") {
        return Ok(What::ModifySampleBy);
    }
    if cursor.eat("TTL") {
        return Ok(What::ModifyTtl);
    }
    if cursor.eat("QUERY") {
        return Ok(What::ModifyQuery(rest(&cursor)));
    }
    if cursor.eat("SETTING") {
        return Ok(What::ModifySetting);
    }
    if let Some(key) = cursor.eat_one(&["PARTITION BY", "PRIMARY KEY", "ENGINE"]) {
        return Ok(What::ModifyKey(key));
    }
    if cursor.eat_one(OTHERS).is_some() {
        return Ok(What::ModifyOther);
    }
    Err(Unread("this action is not known"))
}
