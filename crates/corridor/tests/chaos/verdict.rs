//! What must hold when a life is over.

use std::process::Stdio;
use std::time::{Duration, Instant};

use corridor_testbed::Servers;
use corridor_testbed::cluster::connect;
use corridor_testbed::traffic::Ledger;

use crate::Result;
use crate::scene::Scene;

/// Errors that an application must be ready for when its server crashes, its disk is full, or it asks for strict isolation.
const EXPECTED_ERRORS: &[&str] = &["connection", "connecting", "40001", "40P01", "53100", "55P03"];
/// A server process needs a moment to see that its client is gone.
const FAREWELL: Duration = Duration::from_secs(15);

/// What must not be there any more, each with the query that finds it.
const LEFTOVERS: &[(&str, &str)] = &[
    (
        "a relation of the move",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname not in ('corridor_retired', 'pg_toast') and n.nspname not like 'pg\\_%'
           and (c.relname ~ '__c_(new|old)_' or (n.nspname = 'corridor' and c.relname ~ '_(fwd|rev)'))",
    ),
    (
        "a function of the move",
        "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = to_regnamespace('corridor')::oid
         and p.proname ~ '_(fwd|rev)'",
    ),
    (
        "a trigger of the move",
        "select format('%s on %s', tgname, tgrelid::regclass) from pg_trigger where tgname ~ 'corridor'",
    ),
    (
        "a constraint that is not validated",
        "select format('%s on %s', conname, conrelid::regclass) from pg_constraint
         where not convalidated and conname <> 'short'
           -- What refers to a partitioned table has a row for each partition, which the server leaves unmarked.
           and not exists (select from pg_class where oid = confrelid and relispartition)
           and connamespace <> all (array(select oid from pg_namespace where nspname in ('corridor_retired')))",
    ),
    (
        "an index that is not valid",
        "select indexrelid::regclass::text from pg_index where not indisvalid",
    ),
    (
        // Repaired before the cut-over, so that no row is lost by it; but the rule says that there is nothing to repair.
        "a difference that a verification found",
        "select format('%s %s', side, report) from corridor.verification
         where report -> 'differences' <> '[]' or (report ->> 'repaired_keys')::bigint > 0",
    ),
    (
        "a prepared transaction",
        "select gid from pg_prepared_xacts where database = current_database()",
    ),
];

/// Everything that is wrong with what the life left.
pub(crate) async fn wrongs(url: &str, scene: &Scene, ledger: &Ledger, is_moved: bool) -> Result<Vec<String>> {
    let mut wrongs = Vec::new();
    for (code, count) in &ledger.errors {
        if !EXPECTED_ERRORS.contains(&&**code) {
            wrongs.push(format!("the application met {code}: {count:?}"));
        }
    }
    let comparison = ledger.compare(url, &scene.table.name).await?;
    if !comparison.is_exact() {
        wrongs.push(comparison.to_string());
    }
    let client = connect(url).await?;
    for (what, sql) in &scene.checks {
        let rows = client.simple_query(&format!("{sql} limit 3")).await?;
        let found: Vec<_> = rows
            .iter()
            .filter(|m| matches!(m, tokio_postgres::SimpleQueryMessage::Row(_)))
            .collect();
        if !found.is_empty() {
            wrongs.push(format!("{what}: {found:?}"));
        }
    }
    for (what, sql) in LEFTOVERS {
        let rows = client.query(*sql, &[]).await?;
        let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if !names.is_empty() {
            wrongs.push(format!("{what} is left: {}", names.join(", ")));
        }
    }
    let kind: String = client
        .query_one(
            "select relkind::text from pg_class where oid = to_regclass($1)",
            &[&scene.table.name],
        )
        .await?
        .get(0);
    let is_partitioned = match is_moved {
        true => scene.becomes_partitioned,
        false => scene.parts.contains(&"partitioned source"),
    };
    if (kind == "p") != is_partitioned {
        wrongs.push(format!("{} is of kind {kind}", scene.table.name));
    }
    let deadline = Instant::now() + FAREWELL;
    loop {
        let sql = "select application_name from pg_stat_activity where application_name like 'corridor:%' \
                   and datname = current_database()";
        let rows = client.query(sql, &[]).await?;
        if rows.is_empty() {
            break;
        }
        if Instant::now() > deadline {
            let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            wrongs.push(format!("sessions are left: {}", names.join(", ")));
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(wrongs)
}

/// The schema as `pg_dump` tells it, without what is Corridor's own; `None` where there is no `pg_dump`.
pub(crate) async fn dump(url: &str, major: u32) -> Result<Option<String>> {
    // The server's own knows best what its minor version keeps for itself.
    let own = Servers::major(major)?.program("pg_dump");
    let Some(program) = own.or_else(|| Servers::client("pg_dump")) else {
        return Ok(None);
    };
    let output = tokio::process::Command::new(program)
        .args([
            "--schema-only",
            "--exclude-schema=corridor",
            "--exclude-schema=corridor_retired",
        ])
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    // The key of `\restrict` is drawn anew each time.
    let lines = text
        .lines()
        .filter(|l| !l.starts_with("\\restrict ") && !l.starts_with("\\unrestrict "));
    Ok(Some(
        lines.filter_map(without_marks).collect::<Vec<_>>().join("\n"),
    ))
}

/// Minor releases of November 2026 keep a mark of their own among a column's options; a `pg_dump` that does not know it
/// takes it for an option.
fn without_marks(line: &str) -> Option<String> {
    let Some((head, tail)) = line.split_once("pg_attver=") else {
        return Some(line.to_owned());
    };
    let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    match tail.strip_prefix(", ") {
        Some(others) => Some(format!("{head}{others}")),
        None => (!head.ends_with('(')).then(|| format!("{}{tail}", head.trim_end_matches(", "))),
    }
}

/// The first lines in which two dumps differ.
pub(crate) fn difference(before: &str, after: &str) -> Option<String> {
    if before == after {
        return None;
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let gone: Vec<_> = a.iter().filter(|l| !b.contains(l)).take(6).collect();
    let came: Vec<_> = b.iter().filter(|l| !a.contains(l)).take(6).collect();
    Some(format!("the dump differs: gone {gone:?}, came {came:?}"))
}
