//! Statements' tokens to statements.
//!
//! Heads and the clauses that rules ask for are read; expressions, types and queries stay tokens.

mod alter;
mod column;
mod create;

use super::NotEvaluated;
use super::script::{Cursor, Part, Script};
use super::statement::{Cluster, Drop, Guard, Kind, Mutation, Name, Object, Optimize, Setting, Statement};

/// Why a statement, or a part of one, was not read.
pub(super) struct Unread(pub(super) &'static str);

type Read<T> = Result<T, Unread>;

/// Statements that change nothing that a rule asks for.
const OTHERS: &[&str] = &[
    "SYSTEM", "SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "KILL",
    "GRANT", "REVOKE", "BACKUP", "RESTORE", "UNDROP", "WATCH", "BEGIN", "START", "COMMIT", "ROLLBACK",
    "MOVE", "UNFREEZE",
];

/// What a statement gathers while it is read.
pub(super) struct Gathered {
    pub(super) cluster: Option<Cluster>,
    pub(super) settings: Vec<Setting>,
    pub(super) unread: Vec<NotEvaluated>,
}

/// Reads one statement. What it cannot read is added to `unread`.
pub(crate) fn statement(
    script: &Script<'_>,
    part: Part,
    unread: &mut Vec<NotEvaluated>,
) -> Option<Statement> {
    let mut gathered = Gathered {
        cluster: None,
        settings: Vec::new(),
        unread: Vec::new(),
    };
    let span = script.span(part);
    match kind(script.cursor(part), &mut gathered) {
        Ok(kind) => {
            unread.append(&mut gathered.unread);
            Some(Statement {
                span,
                cluster: gathered.cluster,
                settings: gathered.settings,
                kind,
            })
        }
        Err(Unread(reason)) => {
            unread.push(NotEvaluated::new(span, reason));
            None
        }
    }
}

fn kind(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    let word = cursor.keyword();
    match word.as_str() {
        "CREATE" | "REPLACE" | "ATTACH" => create::read(cursor, gathered),
        "ALTER" => alter::read(cursor, gathered),
        "DROP" | "DETACH" | "TRUNCATE" => drop(cursor, gathered),
        "RENAME" | "EXCHANGE" => rename(cursor, gathered),
        "OPTIMIZE" => optimize(cursor, gathered),
        "INSERT" => insert(cursor),
        "DELETE" | "UPDATE" => light_mutation(cursor, gathered),
        "SET" => {
            cursor.step();
            if cursor.eat_one(&["ROLE", "DEFAULT ROLE", "TRANSACTION"]).is_none() {
                gathered.settings = settings(cursor.script, cursor.rest());
            }
            Ok(Kind::Set)
        }
        "USE" => {
            cursor.step();
            cursor.eat("DATABASE");
            Ok(Kind::Use(cursor.ident().ok_or(Unread("USE names no database"))?))
        }
        other if OTHERS.contains(&other) => Ok(Kind::Other),
        "" if cursor.group().is_some() => Ok(Kind::Other),
        _ => Err(Unread("no statement that is known begins like this")),
    }
}

/// `[database.]name`, as one name or quoted.
pub(super) fn name(cursor: &mut Cursor<'_, '_>) -> Read<Name> {
    let start = cursor.offset();
    let first = cursor.ident().ok_or(Unread("a name was expected"))?;
    if cursor.eat_sign(".") {
        let object = cursor
            .ident()
            .ok_or(Unread("a name was expected behind the dot"))?;
        return Ok(Name {
            database: Some(first),
            object,
            span: start..cursor.last_end(),
        });
    }
    Ok(Name {
        database: None,
        object: first,
        span: start..cursor.last_end(),
    })
}

pub(super) fn guard(cursor: &mut Cursor<'_, '_>, words: &str) -> Guard {
    let at = cursor.last_end();
    Guard {
        is_present: cursor.eat(words),
        at,
    }
}

pub(super) fn cluster(cursor: &mut Cursor<'_, '_>, gathered: &mut Gathered) -> Read<()> {
    let start = cursor.offset();
    if cursor.eat("ON CLUSTER") {
        let name = cursor
            .ident_or_text()
            .ok_or(Unread("ON CLUSTER names no cluster"))?;
        gathered.cluster = Some(Cluster {
            name,
            span: start..cursor.last_end(),
        });
    }
    Ok(())
}

/// `a = 1, b = 'x'`.
pub(super) fn settings(script: &Script<'_>, part: Part) -> Vec<Setting> {
    let mut all = Vec::new();
    for piece in script.cursor(part).list() {
        let mut cursor = script.cursor(piece);
        let Some(name) = cursor.ident() else { continue };
        let value = if cursor.eat_sign("=") {
            script.words(cursor.rest())
        } else {
            "1".to_owned()
        };
        all.push(Setting {
            name: name.to_ascii_lowercase(),
            value: value.trim_matches('\'').to_owned(),
        });
    }
    all
}

/// `SETTINGS …` to the end, and what may stand before it.
pub(super) fn tail(cursor: &mut Cursor<'_, '_>, gathered: &mut Gathered) -> Read<()> {
    loop {
        if cursor.eat("SETTINGS") {
            let part = cursor.until(&["FORMAT", "PARALLEL WITH"]);
            gathered.settings = settings(cursor.script, part);
        } else if cursor.eat("FORMAT") {
            cursor.step();
        } else if cursor.is_end() {
            return Ok(());
        } else {
            return Err(Unread("something stands behind the statement that is not known"));
        }
    }
}

fn drop(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    let verb = cursor.keyword();
    cursor.step();
    if verb == "TRUNCATE" {
        return truncate(cursor, gathered);
    }
    let is_temporary = cursor.eat("TEMPORARY");
    let Some(object) = object(&mut cursor) else {
        // Users, roles, quotas, policies, collections: nothing of a table.
        return if is_access(&cursor) {
            Ok(Kind::Other)
        } else {
            Err(Unread("what is dropped is not known"))
        };
    };
    let guard = guard(&mut cursor, "IF EXISTS");
    cursor.eat("IF EMPTY");
    let names = names(&mut cursor)?;
    cluster(&mut cursor, gathered)?;
    cursor.eat("PERMANENTLY");
    let sync_at = cursor.last_end();
    let is_sync = cursor.eat_one(&["SYNC", "NO DELAY"]).is_some();
    tail(&mut cursor, gathered)?;
    let is_whole_database = object == Object::Database;
    let all = Drop {
        object,
        names,
        guard,
        is_temporary,
        is_sync,
        is_whole_database,
        sync_at,
    };
    Ok(if verb == "DROP" {
        Kind::Drop(all)
    } else {
        Kind::Detach(all)
    })
}

fn truncate(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    let is_database = cursor.eat("DATABASE");
    let is_whole_database = is_database
        || cursor
            .eat_one(&["ALL TABLES FROM", "ALL TABLES IN", "TABLES FROM", "TABLES IN"])
            .is_some();
    let is_temporary = cursor.eat("TEMPORARY");
    cursor.eat("TABLE");
    let guard = guard(&mut cursor, "IF EXISTS");
    let names = names(&mut cursor)?;
    if is_whole_database {
        // LIKE '…' narrows which of its tables.
        while cursor.eat_one(&["NOT", "LIKE", "ILIKE"]).is_some() {}
        if cursor
            .token()
            .is_some_and(|t| t.kind == super::token::TokenKind::Text)
        {
            cursor.step();
        }
    }
    cluster(&mut cursor, gathered)?;
    let sync_at = cursor.last_end();
    let is_sync = cursor.eat_one(&["SYNC", "NO DELAY"]).is_some();
    tail(&mut cursor, gathered)?;
    let object = if is_whole_database {
        Object::Database
    } else {
        Object::Table
    };
    Ok(Kind::Truncate(Drop {
        object,
        names,
        guard,
        is_temporary,
        is_sync,
        is_whole_database,
        sync_at,
    }))
}

fn names(cursor: &mut Cursor<'_, '_>) -> Read<Vec<Name>> {
    let mut names = vec![name(cursor)?];
    while cursor.eat_sign(",") {
        names.push(name(cursor)?);
    }
    Ok(names)
}

pub(super) fn object(cursor: &mut Cursor<'_, '_>) -> Option<Object> {
    Some(
        match cursor.eat_one(&[
            "MATERIALIZED VIEW",
            "LIVE VIEW",
            "WINDOW VIEW",
            "DATABASE",
            "TABLE",
            "VIEW",
            "DICTIONARY",
            "FUNCTION",
        ])? {
            "MATERIALIZED VIEW" => Object::MaterializedView,
            "DATABASE" => Object::Database,
            "TABLE" => Object::Table,
            "DICTIONARY" => Object::Dictionary,
            "FUNCTION" => Object::Function,
            _ => Object::View,
        },
    )
}

/// What is no data and no schema: access, limits, named collections.
pub(super) fn is_access(cursor: &Cursor<'_, '_>) -> bool {
    const WORDS: &[&str] = &[
        "USER",
        "ROLE",
        "QUOTA",
        "ROW POLICY",
        "POLICY",
        "SETTINGS PROFILE",
        "PROFILE",
        "NAMED COLLECTION",
        "WORKLOAD",
        "RESOURCE",
        "MASKING POLICY",
        "INDEX",
        "UNIQUE INDEX",
    ];
    WORDS.iter().any(|words| cursor.sees(words))
}

fn rename(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    let is_exchange = cursor.is_word("EXCHANGE");
    cursor.step();
    if !is_exchange && is_access(&cursor) {
        return Ok(Kind::Other);
    }
    let kinds = ["TABLES", "TABLE", "DICTIONARIES", "DICTIONARY", "DATABASE"];
    let kind = cursor
        .eat_one(&kinds)
        .ok_or(Unread("what is renamed is not known"))?;
    cursor.eat("IF EXISTS");
    let mut pairs = Vec::new();
    loop {
        let from = name(&mut cursor)?;
        if cursor.eat_one(&["TO", "AND"]).is_none() {
            return Err(Unread("TO or AND was expected"));
        }
        pairs.push((from, name(&mut cursor)?));
        if !cursor.eat_sign(",") {
            break;
        }
    }
    cluster(&mut cursor, gathered)?;
    tail(&mut cursor, gathered)?;
    Ok(match (is_exchange, kind) {
        (true, _) => Kind::Exchange(pairs),
        (false, "DATABASE") => Kind::Other,
        (false, _) => Kind::Rename(pairs),
    })
}

fn optimize(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    cursor.step();
    if !cursor.eat("TABLE") {
        return Err(Unread("OPTIMIZE without TABLE"));
    }
    let table = name(&mut cursor)?;
    cluster(&mut cursor, gathered)?;
    let mut all = Optimize {
        table,
        is_final: false,
        in_partition: false,
    };
    if cursor.eat("PARTITION") {
        all.in_partition = true;
        cursor.until(&["FINAL", "FORCE", "DEDUPLICATE", "CLEANUP", "SETTINGS"]);
    }
    while let Some(word) = cursor.eat_one(&[
        "FINAL",
        "FORCE",
        "CLEANUP",
        "DRY RUN",
        "DEDUPLICATE BY",
        "DEDUPLICATE",
    ]) {
        all.is_final |= matches!(word, "FINAL" | "FORCE");
        if word == "DEDUPLICATE BY" {
            cursor.until(&["SETTINGS"]);
        }
    }
    tail(&mut cursor, gathered)?;
    Ok(Kind::Optimize(all))
}

fn insert(mut cursor: Cursor<'_, '_>) -> Read<Kind> {
    cursor.step();
    cursor.eat("INTO");
    cursor.eat("TABLE");
    if cursor.eat("FUNCTION") {
        return Ok(Kind::Other);
    }
    Ok(Kind::Insert(name(&mut cursor)?))
}

fn light_mutation(mut cursor: Cursor<'_, '_>, gathered: &mut Gathered) -> Read<Kind> {
    let is_delete = cursor.eat("DELETE FROM");
    if !is_delete {
        cursor.step();
    }
    let table = name(&mut cursor)?;
    cluster(&mut cursor, gathered)?;
    let mutation = mutation(&mut cursor, table);
    tail(&mut cursor, gathered)?;
    Ok(if is_delete {
        Kind::LightDelete(mutation)
    } else {
        Kind::LightUpdate(mutation)
    })
}

/// Assignments, `IN PARTITION …`, `WHERE …`.
pub(super) fn mutation(cursor: &mut Cursor<'_, '_>, table: Name) -> Mutation {
    let mark = cursor.mark();
    let mut in_partition = false;
    while !cursor.is_end() && !cursor.sees("SETTINGS") {
        in_partition |= cursor.sees("IN PARTITION");
        cursor.step();
    }
    Mutation {
        table,
        in_partition,
        expressions: cursor.since(mark),
    }
}
