//! A replication slot that nobody reads any more keeps WAL, until the disk is full.

use std::time::{Duration, Instant};

use corridor_limits::fault::SLOT_KEEPS_WAL;
use corridor_testbed::cluster::connect;
use corridor_testbed::traffic::Table;
use tokio::task::JoinHandle;

use super::account::{Gauge, Unit};
use super::follow::recommended;
use super::scene::{Play, Scene};
use super::{Incident, Kind};
use crate::demo::Halt;
use crate::demo::figures::Phase;
use crate::demo::verdict::Claim;
use crate::output::number::{bytes, seconds};

pub(super) const INCIDENT: Incident = Incident {
    name: "slot",
    title: "a replication slot that nobody reads any more keeps WAL until the disk is full",
    takes: "40 s",
    rows: 5_000,
    rows_min: 1_000,
    kind: Kind::Slot,
};

/// The limit that the server has for its WAL: the slot is why it is not kept.
const MAX_WAL_BYTES: f64 = 32.0 * 1024.0 * 1024.0;

pub(super) const PLAY: Play = Play {
    settings: &[
        ("max_wal_size", "32MB"),
        ("min_wal_size", "32MB"),
        ("checkpoint_timeout", "30s"),
    ],
    gauges: &[
        Gauge {
            key: "wal_bytes",
            head: "pg_wal",
            unit: Unit::Bytes,
        },
        Gauge {
            key: "slot_keeps_bytes",
            head: "slot keeps",
            unit: Unit::Bytes,
        },
    ],
    gauges_sql: include_str!("../../../sql/demo/slot_gauges.sql"),
};

const SLOT: &str = "slot reporting_standby";
/// What the demo shows must be more than what the server keeps by itself.
const KEPT_FROM: f64 = MAX_WAL_BYTES * 1.5;
/// Somebody's disk, to say what the growth means.
const DISK_BYTES: f64 = 100e9;

/// Wide rows: WAL comes fast.
pub(super) fn table(rows: u64) -> Table {
    Table {
        large_percent: 100,
        large_bytes: 16_384,
        ..Table::persons("public.events", rows)
    }
}

/// Plays it.
pub(super) async fn play(scene: &mut Scene<'_>) -> Result<Vec<Claim>, Halt> {
    let (url, table) = (scene.url(), scene.table.clone());
    scene.board.begin(&format!("filling {}", table.name));
    scene.beside(async { table.create(&url).await }).await??;
    scene.run(include_str!("../../../sql/demo/slot_make.sql")).await?;
    let consumer = consume(url.clone());
    scene.open().await?;
    scene
        .phase(Phase::Before, "the standby confirms what it gets")
        .await?;
    scene.beside(stop(consumer)).await?;
    let stood = scene.stands();
    scene
        .board
        .begin_phase(Phase::During, "the standby is gone, and its slot was forgotten");
    let finding = scene.watch(&SLOT_KEEPS_WAL, SLOT).await?;
    let per_s = grows(scene, stood).await?;
    let is_followed = finding
        .advice
        .as_ref()
        .is_some_and(|advice| advice.way == "drop-slot")
        && recommended(&finding)?.contains("'reporting_standby'");
    let relief = Instant::now();
    scene.board.begin_phase(Phase::Relief, &recommended(&finding)?);
    if is_followed {
        scene.send(&finding).await?;
    }
    scene
        .run(include_str!("../../../sql/demo/checkpoint.sql"))
        .await?;
    scene.wait(Duration::from_secs(1)).await?;
    scene.measured(Phase::Relief, relief).await?;
    scene
        .phase(
            Phase::After,
            "the slot is gone; the WAL went with the next checkpoint",
        )
        .await?;
    let no_more = scene.named_no_more(&SLOT_KEEPS_WAL, SLOT).await?;
    Ok(vec![
        scene.named(&SLOT_KEEPS_WAL, SLOT),
        Claim {
            name: "followed",
            holds: is_followed,
            words: format!(
                "what was carried out is what was recommended: {}",
                recommended(&finding)?
            ),
        },
        given_back(scene, per_s),
        no_more,
    ])
}

/// Until it has become what cannot be overlooked; how much comes in a second.
async fn grows(scene: &mut Scene<'_>, stood: Instant) -> Result<f64, Halt> {
    loop {
        let row = scene
            .ask(include_str!("../../../sql/demo/slot_gauges.sql"), &[])
            .await?;
        let kept: Option<f64> = row.get(1);
        let kept = kept.unwrap_or(0.0);
        let time = stood.elapsed();
        if (kept >= KEPT_FROM && time >= scene.seconds) || time > Duration::from_secs(180) {
            scene.measured(Phase::During, stood).await?;
            return Ok(kept / time.as_secs_f64());
        }
        scene.wait(Duration::from_millis(500)).await?;
    }
}

fn given_back(scene: &Scene<'_>, per_s: f64) -> Claim {
    let at = |phase| {
        (
            scene.gauge(phase, "wal_bytes"),
            scene.gauge(phase, "slot_keeps_bytes"),
        )
    };
    let ((during, kept), (after, kept_after)) = (at(Phase::During), at(Phase::After));
    Claim {
        name: "wal_given_back",
        // A file of 16 MB more at each end: the one that is written, and the one that comes next.
        holds: kept >= KEPT_FROM && kept_after == 0.0 && after < during && after <= MAX_WAL_BYTES * 2.0,
        words: format!(
            "pg_wal went from {} to {}, of which the slot kept {}; at {} a second a disk with {} free would have been full in {}",
            bytes(during as u64),
            bytes(after as u64),
            bytes(kept as u64),
            bytes(per_s as u64),
            bytes(DISK_BYTES as u64),
            seconds(DISK_BYTES / per_s.max(1.0))
        ),
    }
}

/// The standby, as far as the slot is concerned: it confirms what there is.
fn consume(url: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Ok(client) = connect(&url).await else { return };
        loop {
            let sql = include_str!("../../../sql/demo/slot_confirm.sql");
            if client.batch_execute(sql).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
}

async fn stop(consumer: JoinHandle<()>) {
    consumer.abort();
    consumer.await.ok();
}
