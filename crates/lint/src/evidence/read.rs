//! Reading what a live database adds: a handful of statements about the tables that the files name, and no others.

use std::collections::BTreeSet;
use std::time::Instant;

use corridor_pg::{Fault, Result};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::{Figures, Live, Query, SessionUse};
use crate::fault::NO_STATEMENTS;
use crate::ir::{Name, Script};
use crate::parse;
use crate::usage::{Between, Entry, Moment};
use crate::world::World;

/// Pages that the probe of the disk's speed reads at most.
const PROBE_PAGES: i64 = 512;

/// The relations that files name.
pub fn names(scripts: &[Script]) -> Vec<Name> {
    let mut found: Vec<Name> = Vec::new();
    for statement in scripts.iter().flat_map(|script| &script.statements) {
        let effects = crate::facts::key::effects(statement, &World::default(), None);
        let mut kind = statement.kind.clone();
        let mut take = |name: &Name| {
            if !name.name.is_empty() && !found.contains(name) {
                found.push(name.clone());
            }
        };
        kind.each_name(&mut |name| take(name));
        for effect in &effects {
            take(&effect.table);
            effect.others.values().flatten().for_each(&mut take);
        }
    }
    found
}

/// Reads figures and the catalogue of the named tables, in one transaction that only reads. What the role may not see is left
/// out.
pub async fn read(client: &Client, names: &[Name]) -> Result<(World, Live)> {
    read_since(client, names, None).await
}

/// The same, and what was called since an earlier moment.
pub async fn read_since(client: &Client, names: &[Name], then: Option<Moment>) -> Result<(World, Live)> {
    client.batch_execute("begin read only").await?;
    let done = read_in_transaction(client, names, then).await;
    // What has failed matters more than that this fails as well.
    let ended = client.batch_execute("rollback").await;
    let done = done?;
    ended?;
    Ok(done)
}

async fn read_in_transaction(client: &Client, names: &[Name], then: Option<Moment>) -> Result<(World, Live)> {
    client
        .query_one(include_str!("../../sql/evidence/search_path.sql"), &[])
        .await?;
    let mut world = World {
        is_catalogue: true,
        ..World::default()
    };
    let mut live = Live::default();
    let row = client
        .query_one(include_str!("../../sql/evidence/server.sql"), &[])
        .await?;
    live.major = u32::try_from(row.get::<_, i32>("major")).unwrap_or(0);
    live.is_utc = row.get("is_utc");
    live.oldest_transaction_s = row.get("oldest_transaction_s");
    live.replicas = u32::try_from(row.get::<_, i64>("replicas")).unwrap_or(u32::MAX);
    live.slots = u32::try_from(row.get::<_, i64>("slots")).unwrap_or(u32::MAX);
    live.has_statements = row.get("has_statements");
    let mut asked: BTreeSet<String> = names.iter().map(Name::sql).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut largest: Option<(i64, u32)> = None;
    // Twice: what the first round names (parents, default partitions) is looked at in the second.
    for _ in 0..2 {
        let list: Vec<String> = asked.difference(&seen).cloned().collect();
        if list.is_empty() {
            break;
        }
        seen.extend(list.iter().cloned());
        for row in client
            .query(include_str!("../../sql/evidence/tables.sql"), &[&list])
            .await?
        {
            let (pages, oid): (i64, u32) = (row.get("pages"), row.get("oid"));
            if row.get::<_, String>("kind") == "r" && largest.is_none_or(|(most, _)| pages > most) {
                largest = Some((pages, oid));
            }
            take(&row, &mut world, &mut live, &mut asked);
        }
    }
    domains(client, &mut world).await?;
    if live.has_statements {
        statements(client, names, then, &mut live).await?;
    } else if then.is_some() {
        let why = "pg_stat_statements is not in this database";
        return Err(Fault::new(&NO_STATEMENTS, why));
    }
    if let Some((pages, oid)) = largest.filter(|(pages, _)| *pages > 0) {
        live.scan_bytes_per_s = probe(client, pages, oid).await?;
    }
    world.settle();
    Ok((world, live))
}

/// All domains: a column that a file adds may be of any.
async fn domains(client: &Client, world: &mut World) -> Result<()> {
    for row in client
        .query(include_str!("../../sql/evidence/domains.sql"), &[])
        .await?
    {
        world.domains.insert(row.get("name"), row.get("is_constrained"));
    }
    Ok(())
}

fn take(row: &Row, world: &mut World, live: &mut Live, asked: &mut BTreeSet<String>) {
    let name: String = row.get("name");
    let list = |column: &str| row.get::<_, Vec<String>>(column);
    let partition_by: Option<String> = row.get("partition_by");
    let kind: String = row.get("kind");
    let mut ddl = Vec::new();
    let partition = partition_by
        .map(|by| format!(" partition by {by}"))
        .unwrap_or_default();
    if kind == "m" || kind == "v" {
        let materialized = if kind == "m" { "materialized " } else { "" };
        ddl.push(format!("create {materialized}view {name} as select 1"));
    } else {
        ddl.push(format!(
            "create table {name} ({}){partition}",
            list("columns").join(", ")
        ));
    }
    ddl.extend(list("constraints"));
    ddl.extend(list("indexes"));
    let of = |text: &str| match parse::read(&format!("analyze {text}"))
        .statements
        .first()
        .map(|statement| statement.kind.clone())
    {
        Some(crate::ir::Kind::Analyze { tables }) => tables.into_iter().next().unwrap_or_default(),
        _ => Name::default(),
    };
    let own = of(&name);
    for statement in &mut parse::read(&ddl.join(";\n")).statements {
        // The server writes it with its schema, whatever the search path; the file need not.
        if let crate::ir::Kind::CreateIndex(it) = &mut statement.kind {
            it.table.clone_from(&own);
            if let Some(name) = &mut it.name {
                name.schema.clone_from(&own.schema);
            }
        }
        world.apply(statement);
    }
    if kind == "v" {
        return;
    }
    let (parent, default): (Option<String>, Option<String>) =
        (row.get("parent"), row.get("default_partition"));
    if let Some(table) = world.tables.iter_mut().rev().find(|table| table.name.is(&own)) {
        table.has_all_columns = true;
        table.parent = parent.as_deref().map(&of);
        table.default_partition = default.as_deref().map(&of);
    }
    asked.extend(parent);
    asked.extend(default);
    let invalid: Vec<Name> = list("invalid").iter().map(|text| of(text)).collect();
    for index in &mut world.indexes {
        index.is_invalid = index.is_invalid || invalid.iter().any(|name| name.is(&index.name));
    }
    let schema = own.schema.as_deref().unwrap_or("public");
    let unsigned = |column: &str| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, not below zero"
    )]
    let rows = row.get::<_, f64>("rows") as u64;
    live.tables.insert(
        format!("{schema}.{}", own.name),
        Figures {
            table_bytes: unsigned("table_bytes"),
            index_bytes: unsigned("index_bytes"),
            rows,
            is_published: row.get("is_published"),
            has_wraparound_vacuum: row.get("has_wraparound_vacuum"),
            oldest_lock_s: row.get("oldest_lock_s"),
            ..Figures::default()
        },
    );
}

/// What pg_stat_statements says now.
pub async fn moment(client: &Client) -> Result<Moment> {
    client.batch_execute("begin read only").await?;
    let done = moment_in_transaction(client).await;
    let ended = client.batch_execute("rollback").await;
    let done = done?;
    ended?;
    done.ok_or_else(|| {
        let why = "pg_stat_statements is not there, or this role may not read it, or the server was started without its library";
        Fault::new(&NO_STATEMENTS, why)
    })
}

async fn moment_in_transaction(client: &Client) -> Result<Option<Moment>> {
    client
        .query_one(include_str!("../../sql/evidence/search_path.sql"), &[])
        .await?;
    let server = client
        .query_one(include_str!("../../sql/evidence/server.sql"), &[])
        .await?;
    if !server.get::<_, bool>("has_statements") {
        return Ok(None);
    }
    moment_here(client).await
}

/// `None` where it cannot be read.
async fn moment_here(client: &Client) -> Result<Option<Moment>> {
    let Some(head) = asked(client, include_str!("../../sql/evidence/moment.sql"), &[]).await? else {
        return Ok(None);
    };
    let Some(entries) = asked(client, include_str!("../../sql/evidence/entries.sql"), &[]).await? else {
        return Ok(None);
    };
    let Some(head) = head.first() else { return Ok(None) };
    Ok(Some(Moment {
        version: 1,
        server: head.get("server"),
        database: head.get("database"),
        taken_at: head.get("taken_at"),
        taken_at_s: head.get("taken_at_s"),
        stats_reset: head.get("stats_reset"),
        deallocations: head.get("deallocations"),
        track: head.get("track"),
        entries: entries
            .iter()
            .map(|row| Entry {
                text: row.get("text"),
                ..entry(row)
            })
            .collect(),
    }))
}

fn entry(row: &Row) -> Entry {
    Entry {
        user_id: row.get("userid"),
        role: row.get("role"),
        query_id: row.get("query_id"),
        is_top_level: row.get("is_top_level"),
        calls: row.get("calls"),
        total_ms: row.get("total_ms"),
        counted_since: row.get("counted_since"),
        text: None,
    }
}

/// Asks pg_stat_statements. `None`: the extension is there, and its library was not loaded; or the role may not look.
async fn asked(client: &Client, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Vec<Row>>> {
    client.batch_execute("savepoint look").await?;
    match client.query(sql, values).await {
        Ok(rows) => Ok(Some(rows)),
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE | &SqlState::INSUFFICIENT_PRIVILEGE)
            ) =>
        {
            client.batch_execute("rollback to look").await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is counted of the tables, since `then` too where it is given, and which sessions name them.
async fn statements(client: &Client, names: &[Name], then: Option<Moment>, live: &mut Live) -> Result<()> {
    let bare: Vec<String> = names.iter().map(|name| name.name.to_lowercase()).collect();
    let between = match then {
        Some(then) => match moment_here(client).await? {
            Some(now) => Some(Between::of(then, &now)?),
            None => return Err(Fault::new(&NO_STATEMENTS, "pg_stat_statements cannot be read")),
        },
        None => None,
    };
    let sql = include_str!("../../sql/evidence/statements.sql");
    let Some(rows) = asked(client, sql, &[&bare]).await? else {
        live.has_statements = false;
        return Ok(());
    };
    let mut time: Vec<(String, f64, f64)> = Vec::new();
    let matching = rows.first().map_or(0, |row| row.get::<_, i64>("matching"));
    if matching > rows.len() as i64 {
        live.unseen.push(format!(
            "the statements that are called least: {matching} name the tables, the {} most frequent ones were read",
            rows.len()
        ));
    }
    for row in rows {
        let entry = entry(&row);
        let (mean, since): (f64, f64) = (row.get("mean_exec_time"), row.get("since_s"));
        let text: String = row.get("query");
        let accesses = parse::accesses(&text);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let per_s = entry.calls as f64 / since;
        for access in &accesses {
            let schema = access.table.schema.as_deref().unwrap_or("public");
            time.push((format!("{schema}.{}", access.table.name), per_s, mean));
        }
        live.queries.push(Query {
            calls: entry.calls,
            calls_since: between.as_ref().map(|between| between.calls(&entry)),
            role: entry.role,
            text,
            accesses,
        });
    }
    for (key, figures) in &mut live.tables {
        let of: Vec<&(String, f64, f64)> = time.iter().filter(|(table, ..)| table == key).collect();
        let calls: f64 = of.iter().map(|(_, calls, _)| calls).sum();
        figures.calls_per_s = Some(calls);
        figures.mean_ms = Some(if calls > 0.0 {
            of.iter().map(|(_, calls, mean)| calls * mean).sum::<f64>() / calls
        } else {
            0.0
        });
    }
    if let Some(rows) = asked(client, include_str!("../../sql/evidence/unseen.sql"), &[&bare]).await?
        && let Some(row) = rows.first()
    {
        let (hidden, long): (i64, i64) = (row.get("hidden"), row.get("long"));
        if hidden > 0 {
            live.unseen.push(format!(
                "{hidden} statements of other roles, whose text this role may not see: `grant pg_read_all_stats` to it"
            ));
        }
        if long > 0 {
            live.unseen.push(format!(
                "{long} statements that name it and are too long to be read"
            ));
        }
    }
    live.between = between;
    sessions(client, &bare, live).await
}

/// Sessions that name the tables in what they run, or ran last; of two moments, since the first.
async fn sessions(client: &Client, names: &[String], live: &mut Live) -> Result<()> {
    let since_s = live.between.as_ref().map_or(0.0, |between| between.since_s);
    for row in client
        .query(include_str!("../../sql/evidence/sessions.sql"), &[&names])
        .await?
    {
        if row.get::<_, bool>("is_active") || row.get::<_, f64>("begun_s") >= since_s {
            let text: String = row.get("query");
            live.sessions.push(SessionUse {
                application: row.get("application"),
                role: row.get("role"),
                accesses: parse::accesses(&text),
            });
        }
    }
    Ok(())
}

/// Reads a few pages of the largest table, and takes the time.
async fn probe(client: &Client, pages: i64, oid: u32) -> Result<Option<f64>> {
    let table: String = client
        .query_one("select ($1::oid)::regclass::text", &[&oid])
        .await?
        .get(0);
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = (100.0 * PROBE_PAGES as f64 / pages as f64).clamp(0.000_1, 100.0);
    // The name is the server's own rendering of an oid: quoted where it has to be.
    let sql = format!(
        "/* corridor */ select pg_catalog.count(*) from only {table} tablesample system ({share:.6})"
    );
    client.batch_execute("savepoint probe").await?;
    let begun = Instant::now();
    if let Err(error) = client.simple_query(&sql).await {
        return match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE | &SqlState::QUERY_CANCELED) => {
                client.batch_execute("rollback to probe").await?;
                Ok(None)
            }
            _ => Err(error.into()),
        };
    }
    let elapsed_s = begun.elapsed().as_secs_f64().max(0.000_2);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let bytes = (pages.min(PROBE_PAGES) * 8_192) as f64;
    Ok(Some(bytes / elapsed_s))
}
