//! What a server shows of a statement: locks, files, scans. The facts are measured with this, and rehearsals observe with it.
//!
//! Everything is asked in the simple protocol: a session that a migration works in may have thrown its prepared statements
//! away, and has the search path of the migration.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use corridor_pg::{Fault, Result};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::catalogue::{Catalogue, Part, Relation, Tie};
use crate::facts::Mode;

/// Modes of locks by relation.
pub type Locks = BTreeMap<u32, BTreeSet<Mode>>;

/// How often a session that is to wait for another one is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The rows that a text answers with.
pub async fn rows(client: &Client, sql: &str) -> Result<Vec<SimpleQueryRow>> {
    let messages = client.simple_query(sql).await.map_err(Fault::from_driver)?;
    Ok(messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect())
}

fn text<'a>(row: &'a SimpleQueryRow, column: &str) -> &'a str {
    row.try_get(column).ok().flatten().unwrap_or_default()
}

fn oid(row: &SimpleQueryRow, column: &str) -> u32 {
    text(row, column).parse().unwrap_or(0)
}

/// The relations as the session sees them now, its own uncommitted ones too.
pub async fn catalogue(client: &Client) -> Result<Catalogue> {
    let relations = rows(client, include_str!("../../sql/rehearse/relations.sql")).await?;
    let relations = relations
        .iter()
        .map(|row| {
            let kind = text(row, "kind").chars().next().unwrap_or('?');
            let owner = oid(row, "owner");
            let part = match kind {
                _ if owner == 0 => None,
                _ if matches!(text(row, "is_toast"), "t" | "true") => Some(Part::Toast),
                'i' | 'I' => Some(Part::Index),
                _ => Some(Part::Sequence),
            };
            let relation = Relation {
                schema: text(row, "schema").to_owned(),
                name: text(row, "name").to_owned(),
                kind,
                file: oid(row, "file"),
                part: part.map(|part| (part, owner)),
            };
            (oid(row, "oid"), relation)
        })
        .collect();
    let ties = rows(client, include_str!("../../sql/rehearse/ties.sql")).await?;
    let ties = ties
        .iter()
        .filter_map(|row| {
            let (relation, other) = (oid(row, "relation"), oid(row, "other"));
            Some(match text(row, "tie") {
                "child" => Tie::Child {
                    relation,
                    parent: other,
                },
                "default" => Tie::Default {
                    relation,
                    parent: other,
                },
                "references" => Tie::References {
                    relation,
                    referenced: other,
                },
                "domain" => Tie::Domain {
                    relation,
                    domain: text(row, "name").to_owned(),
                },
                _ => return None,
            })
        })
        .collect();
    Ok(Catalogue { relations, ties })
}

/// The locks on relations of this database that a session holds, or waits for. Any session may ask.
pub async fn locks(client: &Client, pid: i32) -> Result<Locks> {
    let sql = format!(
        "select l.relation::text as relation, l.mode from pg_catalog.pg_locks l where l.pid = {pid} and l.locktype = 'relation' \
         and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())"
    );
    let mut held = Locks::new();
    for row in rows(client, &sql).await? {
        if let Some(mode) = Mode::of_server(text(&row, "mode")) {
            held.entry(oid(&row, "relation")).or_default().insert(mode);
        }
    }
    Ok(held)
}

/// How often each relation was scanned so far in this transaction, by the session that asks. TOAST is not asked about.
pub async fn scans(client: &Client, catalogue: &Catalogue) -> Result<BTreeMap<u32, i64>> {
    let list: Vec<String> = catalogue
        .relations
        .iter()
        .filter(|(_, relation)| !matches!(relation.part, Some((Part::Toast, _))))
        .map(|(oid, _)| oid.to_string())
        .collect();
    let sql = format!(
        "select o::text as oid, coalesce(pg_catalog.pg_stat_get_xact_numscans(o), 0)::text as scans from pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]) o",
        list.join(",")
    );
    let found = rows(client, &sql).await?;
    Ok(found
        .iter()
        .map(|row| (oid(row, "oid"), text(row, "scans").parse().unwrap_or(0)))
        .collect())
}

/// A setting of the session.
pub async fn setting(client: &Client, name: &str) -> Result<String> {
    let sql = format!(
        "select pg_catalog.current_setting({}) as value",
        corridor_pg::Literal(name)
    );
    Ok(rows(client, &sql)
        .await?
        .first()
        .map(|row| text(row, "value").to_owned())
        .unwrap_or_default())
}

/// The server process of a session.
pub async fn pid(client: &Client) -> Result<i32> {
    let found = rows(client, "select pg_catalog.pg_backend_pid()::text as pid").await?;
    Ok(found
        .first()
        .map_or(0, |row| text(row, "pid").parse().unwrap_or(0)))
}

/// The relations of these names, under the session's search path; 0 where there is none.
pub async fn resolve(client: &Client, names: &[String]) -> Result<Vec<u32>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "coalesce(pg_catalog.to_regclass({})::pg_catalog.oid, 0)::text",
                corridor_pg::Literal(name)
            )
        })
        .collect();
    let sql = format!("select pg_catalog.unnest(array[{}]) as oid", list.join(", "));
    Ok(rows(client, &sql)
        .await?
        .iter()
        .map(|row| oid(row, "oid"))
        .collect())
}

/// Carries `work` out, which is done by the session of the process `pid` and has transactions of its own, while `holders` stand in
/// its way one after the other; each goes when the work waits for it. The locks that the work had whenever it waited.
///
/// The second value counts the holders that it has waited for.
pub async fn held_up<T>(
    work: impl Future<Output = T>,
    pid: i32,
    watcher: &Client,
    holders: &[(&Client, i32)],
) -> Result<(T, Locks, usize)> {
    let mut held = Locks::new();
    let mut waiting = holders.iter();
    let mut holder = waiting.next();
    let mut met = 0;
    tokio::pin!(work);
    loop {
        let done = tokio::select! {
            biased;
            done = &mut work => Some(done),
            () = tokio::time::sleep(LOOK_INTERVAL) => None,
        };
        if let Some(done) = done {
            for (client, _) in holder.into_iter().chain(waiting) {
                client
                    .batch_execute("rollback")
                    .await
                    .map_err(Fault::from_driver)?;
            }
            return Ok((done, held, met));
        }
        let Some((client, holder_pid)) = holder else {
            continue;
        };
        let question = format!(
            "select 1 from pg_catalog.pg_stat_activity where pid = {pid} and (wait_event_type = 'BufferPin' or {holder_pid} = any (pg_catalog.pg_blocking_pids(pid)))"
        );
        if rows(watcher, &question).await?.is_empty() {
            continue;
        }
        for (relation, modes) in locks(watcher, pid).await? {
            held.entry(relation).or_default().extend(modes);
        }
        client
            .batch_execute("rollback")
            .await
            .map_err(Fault::from_driver)?;
        met += 1;
        holder = waiting.next();
    }
}
