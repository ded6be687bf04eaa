//! A table and its indexes, bloated by updates while somebody held the horizon.

use std::time::{Duration, Instant};

use corridor_limits::Finding;
use corridor_limits::fault::TABLE_BLOAT;
use corridor_pg::Fault;
use corridor_testbed::cluster::connect;
use corridor_testbed::traffic::{KeyType, Table};

use super::account::{Gauge, Unit};
use super::scene::{Play, Scene};
use super::{Incident, Kind};
use crate::demo::Halt;
use crate::demo::figures::Phase;
use crate::demo::verdict::Claim;
use crate::output::number::{bytes, grouped};

pub(super) const INCIDENT: Incident = Incident {
    name: "bloat",
    title: "a report that ran for long let a job's updates swell a table to a multiple of its rows",
    takes: "40 s",
    rows: 60_000,
    // What is wasted must be worth a word.
    rows_min: 10_000,
    kind: Kind::Bloat,
};

pub(super) const PLAY: Play = Play {
    // The figures that a check begins with are those of the last vacuum.
    settings: &[("autovacuum_naptime", "1s")],
    gauges: &[
        Gauge {
            key: "table_bytes",
            head: "table",
            unit: Unit::Bytes,
        },
        Gauge {
            key: "index_bytes",
            head: "indexes",
            unit: Unit::Bytes,
        },
    ],
    gauges_sql: include_str!("../../../sql/demo/bloat_gauges.sql"),
};

const TABLE: &str = "public.accounts";
/// How often the job touches each row.
const ROUNDS: u32 = 4;
/// Rows that the job takes at a time. It waits for nobody.
const BATCH_ROWS: i64 = 500;
/// Pieces of advice that are followed: a vacuum, then a move.
const STEPS_MAX: usize = 3;
/// So that there is something to measure behind a command that takes no time.
const SETTLING: Duration = Duration::from_secs(1);
/// The table is as good as new when it is at most so many times as large as it was.
const BACK_WITHIN: f64 = 1.3;

/// Rows of some 600 bytes, all in their pages.
pub(super) fn table(rows: u64) -> Table {
    Table {
        large_percent: 50,
        large_bytes: 1_024,
        ..Table::ledger(TABLE, KeyType::BigInt, rows)
    }
}

/// Plays it.
pub(super) async fn play(scene: &mut Scene<'_>) -> Result<Vec<Claim>, Halt> {
    let (url, table) = (scene.url(), scene.table.clone());
    scene.board.begin(&format!(
        "filling {} with {} rows",
        table.name,
        grouped(table.rows)
    ));
    scene.beside(async { table.create(&url).await }).await??;
    scene
        .run(include_str!("../../../sql/demo/bloat_vacuum.sql"))
        .await?;
    scene.open().await?;
    scene.phase(Phase::Before, "all is well").await?;

    let stood = scene.stands();
    scene.board.begin_phase(
        Phase::During,
        "a report begins to read, and a job to touch each row",
    );
    let report = scene.beside(hold(url.clone())).await??;
    scene.beside(touch_all(url, table.rows)).await??;
    scene.wait(scene.seconds.saturating_sub(stood.elapsed())).await?;
    scene.measured(Phase::During, stood).await?;
    scene.board.begin("the report ends");
    scene
        .beside(async move { report.batch_execute("rollback").await })
        .await?
        .map_err(Fault::from_driver)?;

    let mut finding = scene.watch(&TABLE_BLOAT, TABLE).await?;
    let mut ways = Vec::new();
    while ways.len() < STEPS_MAX {
        let way = finding.advice.as_ref().map_or("none", |advice| advice.way);
        ways.push(way);
        match way {
            "vacuum" => vacuum(scene, &finding).await?,
            "repack" => {
                scene.carry(&finding, ("", "")).await?;
                break;
            }
            _ => break,
        }
        finding = scene.watch(&TABLE_BLOAT, TABLE).await?;
    }
    scene.finish().await?;
    scene.phase(Phase::After, "the table is written anew").await?;
    let no_more = scene.named_no_more(&TABLE_BLOAT, TABLE).await?;
    let mut claims = vec![scene.named(&TABLE_BLOAT, TABLE), followed(&ways)];
    claims.extend(scene.moved());
    claims.push(shrunk(
        scene.gauge(Phase::Before, "table_bytes"),
        scene.gauge(Phase::During, "table_bytes"),
        scene.gauge(Phase::After, "table_bytes"),
    ));
    claims.push(no_more);
    Ok(claims)
}

async fn vacuum(scene: &mut Scene<'_>, finding: &Finding) -> Result<(), Halt> {
    let begun = Instant::now();
    scene
        .board
        .begin_phase(Phase::Relief, "the dead rows become room for new ones");
    scene.send(finding).await?;
    scene.wait(SETTLING).await?;
    scene.measured(Phase::Relief, begun).await
}

/// A report that reads in one snapshot, until it is dropped.
async fn hold(url: String) -> Result<tokio_postgres::Client, Halt> {
    let client = connect(&url).await?;
    let sql = include_str!("../../../sql/demo/bloat_report.sql");
    client
        .batch_execute("begin isolation level repeatable read")
        .await
        .map_err(Fault::from_driver)?;
    client.query_one(sql, &[]).await.map_err(Fault::from_driver)?;
    Ok(client)
}

/// The job: each row again and again, a few at a time, passing over those that somebody else has locked.
async fn touch_all(url: String, rows: u64) -> Result<(), Halt> {
    let client = connect(&url).await?;
    let touch = client
        .prepare(include_str!("../../../sql/demo/bloat_touch.sql"))
        .await
        .map_err(Fault::from_driver)?;
    // Keys are three apart: see the traffic's own.
    let last = rows as i64 * 3;
    for _ in 0..ROUNDS {
        let mut from = -1_000;
        while from < last {
            let to = from + BATCH_ROWS * 3;
            client
                .execute(&touch, &[&from, &to])
                .await
                .map_err(Fault::from_driver)?;
            from = to;
        }
    }
    Ok(())
}

fn followed(ways: &[&str]) -> Claim {
    Claim {
        name: "followed",
        holds: ways.last() == Some(&"repack"),
        words: format!("the advice was followed to its end: {}", ways.join(", then ")),
    }
}

fn shrunk(before: f64, during: f64, after: f64) -> Claim {
    Claim {
        name: "shrunk",
        holds: during >= 2.0 * before && after <= before * BACK_WITHIN,
        words: format!(
            "the table went from {} to {}, and is {} now",
            bytes(before as u64),
            bytes(during as u64),
            bytes(after as u64)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_stays_large_breaks_it() {
        assert!(shrunk(10e6, 50e6, 11e6).holds);
        assert!(!shrunk(10e6, 50e6, 14e6).holds);
        assert!(!shrunk(10e6, 15e6, 10e6).holds, "there was no incident");
    }

    #[test]
    fn advice_that_is_not_followed_to_its_end_breaks_it() {
        assert!(followed(&["vacuum", "repack"]).holds);
        assert!(!followed(&["vacuum", "reuse"]).holds);
        assert!(!followed(&[]).holds);
    }
}
