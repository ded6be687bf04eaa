//! Facts from a real server: each case of `facts/cases.sql` on the schema of `facts/base.sql`, made anew for each.
//!
//! A statement is run in a transaction, and the locks that it holds at its end are read from inside. One that has
//! transactions of its own is held up by another session at its first wait, and its locks are read from a third.

use std::collections::{BTreeMap, BTreeSet};

use corridor_testbed::cluster::connect;
use corridor_testbed::{Cluster, ClusterOptions};
use tokio_postgres::{Client, SimpleQueryMessage};

const BASE: &str = include_str!("../../facts/base.sql");
const CASES: &str = include_str!("../../facts/cases.sql");
const SCHEMA: &str = "ground";

/// One kind of statement.
#[derive(Debug, Default, Clone)]
pub(crate) struct Case {
    pub(crate) key: String,
    pub(crate) since: u32,
    pub(crate) session: String,
    pub(crate) before: String,
    pub(crate) hold: String,
    pub(crate) sql: String,
}

/// All kinds.
pub(crate) fn cases() -> Vec<Case> {
    let mut found: Vec<Case> = Vec::new();
    for line in CASES.lines() {
        if let Some(key) = line.strip_prefix("-- case: ") {
            found.push(Case {
                key: key.to_owned(),
                ..Case::default()
            });
        }
        let Some(case) = found.last_mut() else { continue };
        let take = |word: &str| line.strip_prefix(word).map(str::to_owned);
        if let Some(text) = take("-- since: ") {
            case.since = text.parse().unwrap();
        } else if let Some(text) = take("-- session: ") {
            case.session = text;
        } else if let Some(text) = take("-- before: ") {
            case.before = text;
        } else if let Some(text) = take("-- hold: ") {
            case.hold = text;
        } else if !line.starts_with("--") && !line.is_empty() {
            case.sql = line.trim_end_matches(';').to_owned();
        }
    }
    found
}

/// What was seen: all columns of the facts but key and majors.
pub(crate) async fn measure(major: u32) -> BTreeMap<String, String> {
    let options = ClusterOptions::new(major)
        .setting("autovacuum", "off")
        .setting("timezone", "UTC")
        .setting("wal_level", "logical");
    let cluster = Cluster::start(options).await.unwrap();
    let database = cluster.fresh_database("facts").await.unwrap();
    let mut seen = BTreeMap::new();
    let client = connect(&database.url).await.unwrap();
    let mut is_fresh = false;
    for case in cases().into_iter().filter(|case| case.since <= major) {
        if !is_fresh || !case.before.is_empty() {
            ground(&client).await;
        }
        let row = one(&database.url, &client, &case).await;
        // What was only done in a transaction that was rolled back has left nothing.
        is_fresh = case.before.is_empty() && case.session.is_empty() && row.starts_with("yes");
        seen.insert(case.key, row);
    }
    seen
}

/// Functions of the system's own schema: whether one of the name is volatile.
pub(crate) async fn functions(major: u32) -> BTreeMap<String, bool> {
    let cluster = Cluster::shared(major).await;
    let database = cluster.fresh_database("functions").await.unwrap();
    let client = connect(&database.url).await.unwrap();
    let sql = "select proname::text, bool_or(provolatile = 'v') from pg_catalog.pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a', 'w') group by 1";
    client
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

/// The file of functions.
pub(crate) fn function_list(seen: &BTreeMap<String, bool>) -> String {
    let mut text = String::from(
        "# Functions of pg_catalog, PostgreSQL 14 to 18, as pg_proc has them. Written by script/facts; do not edit.\n",
    );
    for (name, is_volatile) in seen {
        text.push_str(&format!(
            "{} {name}\n",
            if *is_volatile { "volatile" } else { "other" }
        ));
    }
    text
}

async fn ground(client: &Client) {
    let drops = "drop schema if exists other, other2, fresh_schema cascade; drop publication if exists paper, fresh; drop schema if exists ground cascade";
    batch(client, &format!("reset all; set client_min_messages = error; {drops}; create schema {SCHEMA}; set search_path = {SCHEMA}; {BASE}")).await;
}

/// The relations of the ground, by id: what role each has.
async fn roles(client: &Client, case: &Case) -> BTreeMap<u32, (String, String, u32)> {
    let rows = client
        .query(
            "select c.oid, coalesce(tt.relname, it.relname, c.relname)::text, \
                case when tt.oid is not null or c.relkind = 't' then '.toast' when it.oid is not null or c.relkind in ('i', 'I') then '.index' else '' end, \
                pg_catalog.pg_relation_filenode(c.oid), c.relname::text \
             from pg_catalog.pg_class c \
             left join pg_catalog.pg_index x on x.indexrelid = c.oid \
             left join pg_catalog.pg_class it on it.oid = x.indrelid and it.relkind <> 't' \
             left join pg_catalog.pg_class tt on tt.reltoastrelid = coalesce(case when it.oid is null then x.indrelid end, c.oid) \
             where coalesce(tt.relnamespace, it.relnamespace, c.relnamespace) = any (array(select oid from pg_catalog.pg_namespace where nspname in ('ground', 'other')))",
            &[],
        )
        .await
        .unwrap();
    let subject = subject(&case.sql);
    rows.iter()
        .map(|row| {
            let (oid, table, suffix): (u32, String, String) = (row.get(0), row.get(1), row.get(2));
            let name: String = row.get(4);
            let file: Option<u32> = row.get(3);
            (
                oid,
                (
                    format!("{}{suffix}", role(&table, &subject, &case.key)),
                    name,
                    file.unwrap_or(0),
                ),
            )
        })
        .collect()
}

/// The relation that a statement is about: the first of the ground that it names.
fn subject(sql: &str) -> String {
    const INDEXES: [(&str, &str); 5] = [
        ("target_", "target"),
        ("apart_", "apart"),
        ("part_fresh", "sole_part"),
        ("store_", "store"),
        ("mood", ""),
    ];
    for word in sql.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
        if matches!(
            word,
            "target"
                | "apart"
                | "root"
                | "sole"
                | "sole_part"
                | "part"
                | "watched"
                | "referencing"
                | "referenced"
                | "store"
                | "pane"
                | "counter"
        ) {
            return word.to_owned();
        }
        if word == "used" {
            return "user_of_domain".to_owned();
        }
        if let Some((_, table)) = INDEXES.iter().find(|(prefix, _)| word.starts_with(prefix)) {
            return (*table).to_owned();
        }
    }
    String::new()
}

fn role(table: &str, subject: &str, key: &str) -> String {
    let role = match table {
        _ if key.starts_with("create-table.partition-of") || key == "create-table.default-partition" => {
            match table {
                "sole" | "root" => "parent",
                "fallback" => "default",
                other => other,
            }
        }
        "target" if key == "create-table.foreign-key" => "referenced",
        "target" if key == "create-table.inherits" => "parent",
        "target" if key.starts_with("create-") && (key.contains("view") || key.contains("table")) => "source",
        _ if table == subject => "table",
        "target" if subject == "referencing" => "referenced",
        "target" => "source",
        "root" | "sole" => "parent",
        "part" | "sole_part" | "apart" => "partition",
        "fallback" => "default",
        "user_of_domain" => "user",
        other => other,
    };
    role.to_owned()
}

async fn batch(client: &Client, sql: &str) {
    client
        .batch_execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

async fn one(url: &str, client: &Client, case: &Case) -> String {
    for part in case.before.split(';').filter(|part| !part.trim().is_empty()) {
        batch(client, part).await;
    }
    if !case.session.is_empty() {
        batch(client, &case.session).await;
    }
    let before = roles(client, case).await;
    batch(client, "begin").await;
    let scans_before = scans(client, &before).await;
    let outcome = client.batch_execute(&case.sql).await;
    match &outcome {
        Err(error) if error.code().is_some_and(|code| code.code() == "25001") => {
            batch(client, "rollback").await;
            alone(url, client, case, &before).await
        }
        Err(error) => {
            let code = error
                .code()
                .map(|code| code.code().to_owned())
                .unwrap_or_default();
            batch(client, "rollback").await;
            format!("yes\t-\t-\t-\tfails {code}")
        }
        Ok(()) => {
            let pid: i32 = client
                .query_one("select pg_catalog.pg_backend_pid()", &[])
                .await
                .unwrap()
                .get(0);
            let locks = locks(client, pid, &before).await;
            let files = files(client, case, &before).await;
            let scanned = scans(client, &before).await;
            let scanned = listed(
                scanned
                    .iter()
                    .filter(|(oid, count)| scans_before.get(*oid) < Some(*count))
                    .map(|(oid, _)| before[oid].0.trim_end_matches(".index").to_owned()),
            );
            batch(client, "rollback").await;
            format!("yes\t{locks}\t{files}\t{scanned}\tdone")
        }
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let words: BTreeSet<String> = words.collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.into_iter().collect::<Vec<_>>().join(" ")
    }
}

/// The locks of a session by role; of one role those that no other one covers.
async fn locks(client: &Client, pid: i32, before: &BTreeMap<u32, (String, String, u32)>) -> String {
    let rows = client
        .query(
            "select l.relation, l.mode, c.relname::text, coalesce(c.relkind::text, ''), coalesce(c.relnamespace::regnamespace::text, 'dropped') \
             from pg_catalog.pg_locks l left join pg_catalog.pg_class c on c.oid = l.relation \
             where l.pid = $1 and l.locktype = 'relation' and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())",
            &[&pid],
        )
        .await
        .unwrap();
    let mut held: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for row in rows {
        let oid: u32 = row.get(0);
        let mode: String = row.get(1);
        let namespace: String = row.get(4);
        let kind: String = row.get(3);
        let role = match before.get(&oid) {
            Some((role, ..)) => role.clone(),
            None if matches!(namespace.as_str(), "ground" | "other" | "other2") => {
                if matches!(kind.as_str(), "i" | "I") {
                    "new.index"
                } else {
                    "new"
                }
                .to_owned()
            }
            None => continue,
        };
        let rank = MODES
            .iter()
            .position(|name| mode.strip_suffix("Lock") == Some(name))
            .unwrap();
        held.entry(role).or_default().insert(rank);
    }
    listed(held.into_iter().flat_map(|(role, ranks)| {
        let kept: Vec<usize> = ranks
            .iter()
            .copied()
            .filter(|rank| !ranks.iter().any(|other| covers(*other, *rank)))
            .collect();
        kept.into_iter()
            .map(move |rank| format!("{role}:{}", MODES[rank]))
    }))
}

const MODES: [&str; 8] = [
    "AccessShare",
    "RowShare",
    "RowExclusive",
    "ShareUpdateExclusive",
    "Share",
    "ShareRowExclusive",
    "Exclusive",
    "AccessExclusive",
];

/// Whatever waits for `weaker` waits for `stronger` too.
fn covers(stronger: usize, weaker: usize) -> bool {
    stronger > weaker && (stronger != 4 || weaker < 2)
}

/// Relations that have a new file: written anew, or emptied.
async fn files(client: &Client, case: &Case, before: &BTreeMap<u32, (String, String, u32)>) -> String {
    let after = roles(client, case).await;
    listed(after.iter().filter_map(|(oid, (role, name, file))| {
        let was = before.get(oid).or_else(|| {
            before
                .values()
                .find(|(_, of, _)| of == name && role.ends_with(".index"))
        })?;
        (was.2 != *file && *file != 0 && was.2 != 0).then(|| was.0.clone())
    }))
}

/// How often each table and index was scanned in this transaction.
async fn scans(client: &Client, before: &BTreeMap<u32, (String, String, u32)>) -> BTreeMap<u32, i64> {
    let oids: Vec<u32> = before
        .iter()
        .filter(|(_, (role, ..))| !role.ends_with(".toast"))
        .map(|(oid, _)| *oid)
        .collect();
    let rows = client
        .query(
            "select o, pg_catalog.pg_stat_get_xact_numscans(o) from unnest($1::oid[]) o",
            &[&oids],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get::<_, Option<i64>>(1).unwrap_or(0)))
        .collect()
}

/// A statement that has transactions of its own.
async fn alone(
    url: &str,
    client: &Client,
    case: &Case,
    before: &BTreeMap<u32, (String, String, u32)>,
) -> String {
    if case.hold.is_empty() {
        let code = client
            .batch_execute(&case.sql)
            .await
            .err()
            .and_then(|error| error.code().map(|code| code.code().to_owned()));
        let outcome = code.map_or_else(|| "done".to_owned(), |code| format!("fails {code}"));
        if case.key == "create-database" {
            batch(client, "drop database if exists fresh_database_x").await;
        }
        return format!("no\t-\t-\t-\t{outcome}");
    }
    let mut holders = Vec::new();
    for hold in case.hold.split(" | ") {
        let holder = connect(url).await.unwrap();
        batch(&holder, &format!("set search_path = {SCHEMA}; begin; {hold}")).await;
        let pid: i32 = holder
            .query_one("select pg_catalog.pg_backend_pid()", &[])
            .await
            .unwrap()
            .get(0);
        holders.push((holder, pid));
    }
    let worker = connect(url).await.unwrap();
    batch(&worker, &format!("set search_path = {SCHEMA}")).await;
    let pid: i32 = worker
        .query_one("select pg_catalog.pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let sql = case.sql.clone();
    let work = tokio::spawn(async move { worker.batch_execute(&sql).await });
    let mut held: BTreeSet<String> = BTreeSet::new();
    for (holder, holder_pid) in holders {
        let question = format!(
            "select 1 from pg_catalog.pg_stat_activity where pid = {pid} and (wait_event_type = 'BufferPin' or {holder_pid} = any (pg_catalog.pg_blocking_pids(pid)))"
        );
        while !client
            .simple_query(&question)
            .await
            .unwrap()
            .iter()
            .any(|message| matches!(message, SimpleQueryMessage::Row(_)))
        {
            assert!(!work.is_finished(), "{}: nothing held it up", case.key);
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        held.extend(
            locks(client, pid, before)
                .await
                .split(' ')
                .filter(|word| *word != "-")
                .map(str::to_owned),
        );
        batch(&holder, "rollback").await;
    }
    let locks = listed(held.into_iter());
    let outcome = match work.await.unwrap() {
        Ok(()) => "done".to_owned(),
        Err(error) => format!(
            "fails {}",
            error
                .code()
                .map(|code| code.code().to_owned())
                .unwrap_or_default()
        ),
    };
    let files = files(client, case, before).await;
    format!("no\t{locks}\t{files}\t?\t{outcome}")
}

/// The file of facts from what was seen on each major.
pub(crate) fn table(seen: &BTreeMap<u32, BTreeMap<String, String>>) -> String {
    let mut text = String::from(
        "# Measured by script/facts on the statements of cases.sql; do not edit. Majors that agree share a line.\n\
         # Locks by role: `table` is what the statement speaks of. `no` transaction: locks as they are at its first wait; `?`: not looked at.\n\
         # kind\tmajors\tin a transaction\tlocks\tnew files\tscans\toutcome\n",
    );
    for case in cases() {
        let mut groups: Vec<(u32, u32, &str)> = Vec::new();
        for (major, rows) in seen {
            let Some(row) = rows.get(&case.key) else { continue };
            match groups.last_mut() {
                Some((_, last, same)) if *same == row => *last = *major,
                _ => groups.push((*major, *major, row)),
            }
        }
        for (first, last, row) in groups {
            let majors = if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            };
            text.push_str(&format!("{}\t{majors}\t{row}\n", case.key));
        }
    }
    text
}
