//! Facts from a real server: each case of `facts/cases.sql` on the schema of `facts/base.sql`, made anew for each.
//!
//! A statement is run in a transaction, and the locks that it holds at its end are read from inside. One that has
//! transactions of its own is held up by another session at its first wait, and its locks are read from a third.

use std::collections::{BTreeMap, BTreeSet};

use corridor_lint::facts::Mode;
use corridor_lint::rehearse::catalogue::{Catalogue, Part};
use corridor_lint::rehearse::observe::{self, Locks};
use corridor_testbed::cluster::connect;
use corridor_testbed::{Cluster, ClusterOptions};
use tokio_postgres::Client;

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

/// The relations of the ground.
struct Ground {
    catalogue: Catalogue,
    /// By id: what role each has.
    roles: BTreeMap<u32, String>,
}

async fn relations(client: &Client, case: &Case) -> Ground {
    let mut catalogue = observe::catalogue(client).await.unwrap();
    catalogue
        .relations
        .retain(|_, relation| matches!(relation.schema.as_str(), "ground" | "other"));
    let subject = subject(&case.sql);
    let roles = catalogue
        .relations
        .iter()
        .map(|(oid, relation)| {
            // A sequence has a role of its own, whoever it belongs to.
            let (owner, suffix) = match relation.part {
                Some((Part::Index, owner)) => (owner, ".index"),
                Some((Part::Toast, owner)) => (owner, ".toast"),
                Some((Part::Sequence, _)) | None => (*oid, ""),
            };
            let table = &catalogue.relations[&owner].name;
            (*oid, format!("{}{suffix}", role(table, &subject, &case.key)))
        })
        .collect();
    Ground { catalogue, roles }
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
    let before = relations(client, case).await;
    batch(client, "begin").await;
    let scans_before = observe::scans(client, &before.catalogue).await.unwrap();
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
            let pid = observe::pid(client).await.unwrap();
            let held = observe::locks(client, pid).await.unwrap();
            let locks = locks(client, &held, &before).await;
            let files = files(client, case, &before).await;
            let scanned = observe::scans(client, &before.catalogue).await.unwrap();
            let scanned = listed(
                scanned
                    .iter()
                    .filter(|(oid, count)| scans_before.get(*oid) < Some(*count))
                    .map(|(oid, _)| before.roles[oid].trim_end_matches(".index").to_owned()),
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

/// Locks by role; of one role those that no other one covers.
async fn locks(client: &Client, held: &Locks, before: &Ground) -> String {
    let now = observe::catalogue(client).await.unwrap();
    let mut by_role: BTreeMap<String, BTreeSet<Mode>> = BTreeMap::new();
    for (oid, modes) in held {
        let role = match (before.roles.get(oid), now.relations.get(oid)) {
            (Some(role), _) => role.clone(),
            (None, Some(new))
                if matches!(new.schema.as_str(), "ground" | "other" | "other2")
                    && !matches!(new.part, Some((Part::Toast, _))) =>
            {
                if matches!(new.kind, 'i' | 'I') {
                    "new.index"
                } else {
                    "new"
                }
                .to_owned()
            }
            (None, _) => continue,
        };
        by_role.entry(role).or_default().extend(modes);
    }
    listed(by_role.into_iter().flat_map(|(role, modes)| {
        let kept: Vec<Mode> = modes
            .iter()
            .copied()
            .filter(|mode| !modes.iter().any(|other| other.covers(*mode)))
            .collect();
        kept.into_iter().map(move |mode| format!("{role}:{mode:?}"))
    }))
}

/// Relations that have a new file: written anew, or emptied.
async fn files(client: &Client, case: &Case, before: &Ground) -> String {
    let after = relations(client, case).await;
    listed(after.catalogue.relations.iter().filter_map(|(oid, relation)| {
        let role = &after.roles[oid];
        let (was, of) = match before.catalogue.relations.get(oid) {
            Some(was) => (was, oid),
            // An index that was made anew beside the old one has the old one's name.
            None => before
                .catalogue
                .relations
                .iter()
                .find(|(_, was)| was.name == relation.name && role.ends_with(".index"))
                .map(|(of, was)| (was, of))?,
        };
        (was.file != relation.file && relation.file != 0 && was.file != 0).then(|| before.roles[of].clone())
    }))
}

/// A statement that has transactions of its own.
async fn alone(url: &str, client: &Client, case: &Case, before: &Ground) -> String {
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
        let pid = observe::pid(&holder).await.unwrap();
        holders.push((holder, pid));
    }
    let worker = connect(url).await.unwrap();
    batch(&worker, &format!("set search_path = {SCHEMA}")).await;
    let pid = observe::pid(&worker).await.unwrap();
    let standing: Vec<_> = holders.iter().map(|(holder, pid)| (holder, *pid)).collect();
    let work = worker.batch_execute(&case.sql);
    let (done, held, met) = observe::held_up(work, pid, client, &standing).await.unwrap();
    assert_eq!(met, standing.len(), "{}: nothing held it up", case.key);
    let locks = locks(client, &held, before).await;
    let outcome = match done {
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
