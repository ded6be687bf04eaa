//! CREATE, REPLACE and ATTACH.

use super::super::script::{Cursor, Part};
use super::super::statement::{Create, Engine, Kind, Object};
use super::column::column;
use super::{Gathered, Read, Unread, cluster, guard, is_access, name, object, settings};

/// What begins a clause behind the columns.
const CLAUSES: &[&str] = &[
    "ENGINE",
    "INNER ENGINE",
    "ORDER BY",
    "PARTITION BY",
    "PRIMARY KEY",
    "SAMPLE BY",
    "TTL",
    "SETTINGS",
    "COMMENT",
    "AS",
    "POPULATE",
    "EMPTY",
    "TO",
    "REFRESH",
    "APPEND",
    "DEPENDS ON",
    "RANDOMIZE FOR",
    "DEFINER",
    "SQL SECURITY",
    "SOURCE",
    "LAYOUT",
    "LIFETIME",
    "RANGE",
    "UUID",
    "CLONE AS",
    "FROM",
    "WATERMARK",
    "ALLOWED_LATENESS",
    "INNER",
    "ON CLUSTER",
    "UNIQUE KEY",
];
/// The same, without the words that a TTL or an expression may use itself.
const BEHIND_EXPRESSION: &[&str] = &[
    "ENGINE",
    "ORDER BY",
    "PARTITION BY",
    "PRIMARY KEY",
    "SAMPLE BY",
    "TTL",
    "SETTINGS",
    "COMMENT",
    "AS SELECT",
    "AS WITH",
    "POPULATE",
    "EMPTY",
    "DEFINER",
    "SQL SECURITY",
];

pub(super) fn read(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    let verb = cursor.keyword();
    cursor.step();
    let is_replace = verb == "REPLACE" || cursor.eat("OR REPLACE");
    let is_temporary = cursor.eat("TEMPORARY");
    let Some(object) = object(&mut cursor) else {
        return if is_access(&cursor) {
            Ok(Kind::Other)
        } else {
            Err(Unread("what is created is not known"))
        };
    };
    let guard = guard(&mut cursor, "IF NOT EXISTS");
    let name = name(&mut cursor)?;
    if verb == "ATTACH" {
        cursor.eat("AS REPLICATED");
        cursor.eat("AS NOT REPLICATED");
    }
    let mut create = Create {
        object,
        name,
        guard,
        is_replace,
        is_temporary,
        is_attach: verb == "ATTACH",
        columns: Vec::new(),
        like: None,
        query: None,
        to: None,
        engine: None,
        order_by: None,
        primary_key: None,
        partition_by: None,
        populate: None,
        source: None,
    };
    if object == Object::Function {
        cluster(&mut cursor, gathered)?;
        return Ok(Kind::Create(Box::new(create)));
    }
    while !cursor.is_end() {
        clause(&mut cursor, &mut create, gathered)?;
    }
    if create.is_attach && create.columns.is_empty() && create.engine.is_none() {
        return Ok(Kind::Attach(create.name));
    }
    Ok(Kind::Create(Box::new(create)))
}

fn clause(cursor: &mut Cursor<'_, '_>, create: &mut Create, gathered: &mut Gathered) -> Read<()> {
    if cursor.sees("ON CLUSTER") {
        return cluster(cursor, gathered);
    }
    if let Some(inside) = cursor.group() {
        return elements(cursor, inside, create, gathered);
    }
    let start = cursor.offset();
    let Some(word) = cursor.eat_one(CLAUSES) else {
        return Err(Unread("a clause of this statement is not known"));
    };
    match word {
        "ENGINE" => create.engine = Some(engine(cursor, start)?),
        "INNER ENGINE" => _ = engine(cursor, start)?,
        "ORDER BY" => create.order_by = Some(cursor.until(BEHIND_EXPRESSION)),
        "PARTITION BY" => create.partition_by = Some(cursor.until(BEHIND_EXPRESSION)),
        "PRIMARY KEY" => {
            // A dictionary's source may follow directly.
            let ends: Vec<&str> = BEHIND_EXPRESSION
                .iter()
                .copied()
                .chain(["SOURCE", "LAYOUT", "LIFETIME"])
                .collect();
            create.primary_key = Some(cursor.until(&ends));
        }
        "SAMPLE BY" | "TTL" | "UNIQUE KEY" | "WATERMARK" | "ALLOWED_LATENESS" => {
            _ = cursor.until(BEHIND_EXPRESSION)
        }
        "SETTINGS" if cursor.group().is_some() => {}
        "SETTINGS" => {
            let part = cursor.until(&[
                "COMMENT",
                "AS SELECT",
                "AS WITH",
                "TTL",
                "ORDER BY",
                "POPULATE",
                "EMPTY",
            ]);
            gathered.settings = settings(cursor.script, part);
        }
        "COMMENT" | "UUID" | "FROM" | "SQL SECURITY" => cursor.step(),
        "DEFINER" => {
            cursor.eat_sign("=");
            cursor.step();
        }
        "POPULATE" => create.populate = Some(start..cursor.last_end()),
        "TO" => {
            // A window view's inner table, and a uuid of it, are no target.
            create.to = Some(name(cursor)?);
        }
        "CLONE AS" => create.like = Some(name(cursor)?),
        "AS" => source(cursor, create)?,
        "REFRESH" | "DEPENDS ON" | "RANDOMIZE FOR" => {
            let ends = [
                "TO",
                "ENGINE",
                "AS",
                "APPEND",
                "EMPTY",
                "DEFINER",
                "SQL SECURITY",
                "SETTINGS",
                "DEPENDS ON",
                "RANDOMIZE FOR",
                "ORDER BY",
            ];
            while !cursor.is_end() && !ends.iter().any(|end| cursor.sees(end)) {
                let is_columns = cursor.clone().group().is_some();
                if is_columns {
                    break;
                }
                cursor.step();
            }
        }
        "SOURCE" => create.source = cursor.group(),
        "LAYOUT" | "LIFETIME" | "RANGE" if cursor.group().is_none() => cursor.step(),
        _ => {}
    }
    Ok(())
}

fn engine(cursor: &mut Cursor<'_, '_>, start: usize) -> Read<Engine> {
    cursor.eat_sign("=");
    let name = cursor.ident().ok_or(Unread("ENGINE names no engine"))?;
    let arguments = cursor
        .group()
        .map(|inside| cursor.script.cursor(inside).list())
        .unwrap_or_default();
    Ok(Engine {
        name,
        arguments,
        span: start..cursor.last_end(),
    })
}

/// What stands behind AS: a query, a table, or a table function.
fn source(cursor: &mut Cursor<'_, '_>, create: &mut Create) -> Read<()> {
    let is_query = ["SELECT", "WITH", "FROM", "EXPLAIN", "VALUES"]
        .iter()
        .any(|word| cursor.sees(word));
    if is_query || cursor.clone().group().is_some() {
        create.query = Some(cursor.until(&[]));
        return Ok(());
    }
    create.like = Some(name(cursor)?);
    if cursor.group().is_some() {
        // A table function: its rows, or a table that is somewhere else.
        create.like = None;
    }
    Ok(())
}

fn elements(cursor: &Cursor<'_, '_>, inside: Part, create: &mut Create, gathered: &mut Gathered) -> Read<()> {
    for piece in cursor.script.cursor(inside).list() {
        let mut piece = cursor.script.cursor(piece);
        if is_column(&piece) {
            create.columns.push(column(&mut piece, gathered)?);
        } else if piece.eat("PRIMARY KEY") {
            create.primary_key = Some(piece.rest());
        }
    }
    Ok(())
}

/// `index`, `projection` and `constraint` are names of columns as well.
fn is_column(piece: &Cursor<'_, '_>) -> bool {
    let mut next = piece.clone();
    if next.is_end() {
        return false;
    }
    match next.keyword().as_str() {
        "INDEX" => {
            next.step();
            let is_named = next.ident().is_some();
            !(is_named && !next.is_end() && {
                next.until(&["TYPE"]);
                !next.is_end()
            })
        }
        "PROJECTION" => {
            next.step();
            next.ident().is_none() || !(next.clone().group().is_some() || next.sees("INDEX"))
        }
        "CONSTRAINT" => {
            next.step();
            next.ident().is_none() || !(next.sees("CHECK") || next.sees("ASSUME"))
        }
        "PRIMARY" | "FOREIGN" => {
            next.step();
            !next.sees("KEY")
        }
        _ => true,
    }
}
