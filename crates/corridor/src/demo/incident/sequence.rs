//! An integer key near the end of its type, fed by a sequence, while the application inserts.

use corridor_limits::Sample;
use corridor_limits::fault::KEY_ENDS;
use corridor_limits::probe::sequences::VALUE;
use corridor_limits::sample::store;
use corridor_migration::schema;
use corridor_pg::Fault;
use corridor_testbed::traffic::{KeyType, Table};

use super::account::{Gauge, Unit};
use super::look::session;
use super::scene::{Play, Scene};
use super::{Incident, Kind};
use crate::demo::Halt;
use crate::demo::figures::Phase;
use crate::demo::verdict::Claim;
use crate::fault::DEMO;
use crate::output::number::{grouped, seconds};

pub(super) const INCIDENT: Incident = Incident {
    name: "sequence",
    title: "an integer key is about to reach 2,147,483,647, after which no row can be inserted",
    takes: "40 s",
    rows: 80_000,
    // Below 16 MB it is simpler to change the type in place.
    rows_min: 30_000,
    kind: Kind::Sequence,
};

pub(super) const PLAY: Play = Play {
    settings: &[],
    gauges: &[
        Gauge {
            key: "last_id",
            head: "last id",
            unit: Unit::Count,
        },
        Gauge {
            key: "type_used_ratio",
            head: "of the type",
            unit: Unit::Ratio,
        },
    ],
    gauges_sql: include_str!("../../../sql/demo/sequence_gauges.sql"),
};

const KEY: &str = "public.orders.id";
/// The last value of a 32-bit integer.
const LAST: f64 = 2_147_483_647.0;
/// Where years of inserts have brought the sequence.
const NEAR: i64 = 2_112_000_000;
/// Ids that are left when time is turned forward again, behind the move.
const LEFT: i64 = 150;
/// How much of a past the history has; a point for each hour.
const HOURS: u32 = 24;
const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;
/// The days that are said and those that are left at this rate agree to within this.
const DAYS_WITHIN: f64 = 0.2;

/// Rows of some 600 bytes, all in their pages.
pub(super) fn table(rows: u64) -> Table {
    Table {
        large_percent: 50,
        large_bytes: 1_024,
        ..Table::ledger("public.orders", KeyType::BigInt, rows)
    }
}

/// Plays it.
pub(super) async fn play(scene: &mut Scene<'_>) -> Result<Vec<Claim>, Halt> {
    let table = scene.table.clone();
    scene.board.begin(&format!(
        "filling {} with {} rows",
        table.name,
        grouped(table.rows)
    ));
    scene.run(&table.create_sql()).await?;
    scene
        .run(include_str!("../../../sql/demo/sequence_column.sql"))
        .await?;
    scene.run(&table.fill_sql(0, table.rows)).await?;
    scene
        .run(include_str!("../../../sql/demo/sequence_keys.sql"))
        .await?;
    scene
        .run(include_str!("../../../sql/demo/sequence_vacuum.sql"))
        .await?;
    scene.open().await?;
    scene
        .phase(Phase::Before, "orders come in; the key is young")
        .await?;

    forward(scene, NEAR).await?;
    scene.stands();
    let begun = last_id(scene).await?;
    scene
        .phase(
            Phase::During,
            "the same, years later: the sequence is near the end of the type",
        )
        .await?;
    let now = scene.gauge(Phase::During, "last_id");
    let per_s = (now - begun) / scene.seconds.as_secs_f64();
    remember(scene, now, per_s).await?;
    let finding = scene.watch(&KEY_ENDS, KEY).await?;
    let days = finding.runway.days_mid();

    let shape = write_shape(scene)?;
    scene.carry(&finding, ("shape.sql", &shape)).await?;
    scene.finish().await?;
    let before = last_id(scene).await?;
    forward(scene, LAST as i64 - LEFT).await?;
    scene
        .phase(Phase::After, "the key is a bigint; its ids pass the old end")
        .await?;
    let no_more = scene.named_no_more(&KEY_ENDS, KEY).await?;
    let row = scene
        .ask(include_str!("../../../sql/demo/sequence_beyond.sql"), &[])
        .await?;
    let mut claims = vec![scene.named(&KEY_ENDS, KEY), in_days(days, LAST - now, per_s)];
    claims.extend(scene.moved());
    claims.push(passed(before, row.get(0), row.get(1)));
    claims.push(no_more);
    Ok(claims)
}

/// Turns time forward: the sequence goes on behind `last`.
async fn forward(scene: &mut Scene<'_>, last: i64) -> Result<(), Halt> {
    let sql = include_str!("../../../sql/demo/sequence_forward.sql");
    scene.ask(sql, &[&last]).await.map(|_| ())
}

async fn last_id(scene: &mut Scene<'_>) -> Result<f64, Halt> {
    let row = scene
        .ask(include_str!("../../../sql/demo/sequence_gauges.sql"), &[])
        .await?;
    Ok(row.get::<_, Option<f64>>(0).unwrap_or(0.0))
}

/// A day of history, as `corridor watch` would have kept it had these writers been at work since yesterday.
async fn remember(scene: &mut Scene<'_>, now: f64, per_s: f64) -> Result<(), Halt> {
    scene
        .board
        .note("a day of history is written, at the rate that these writers have (corridor watch keeps it)");
    let (report, _) = scene.check(&["sequences"]).await?;
    let url = scene.url();
    let work = async move {
        let mut session = session(&url).await?;
        schema::ensure(&mut session).await?;
        // Each hour speaks by its last figure.
        let hour_began_s = (report.at_s / HOUR_S).floor() * HOUR_S;
        for hours in 0..HOURS {
            let ago_s = report.at_s - hour_began_s + f64::from(hours) * HOUR_S + 1.0;
            let sample = Sample::new(&VALUE, KEY, now - per_s * ago_s);
            store::keep(&*session, &[sample], report.at_s - ago_s).await?;
        }
        store::roll_up(&mut session, store::RAW_DEFAULT).await?;
        Ok::<_, Fault>(())
    };
    scene.beside(work).await??;
    Ok(())
}

/// The wanted table, as a person would write it.
fn write_shape(scene: &Scene<'_>) -> Result<String, Halt> {
    let path = scene.cluster.directory().join("shape.sql");
    std::fs::write(&path, include_str!("../../../sql/demo/sequence_shape.sql")).map_err(|error| {
        Fault::new(&DEMO, format!("writing {}: {error}", path.display())).caused_by(error)
    })?;
    Ok(path.display().to_string())
}

fn in_days(said: Option<f64>, left: f64, per_s: f64) -> Claim {
    let true_days = left / per_s.max(f64::MIN_POSITIVE) / DAY_S;
    Claim {
        name: "in_days",
        holds: said.is_some_and(|said| (said / true_days - 1.0).abs() <= DAYS_WITHIN),
        words: format!(
            "it said how long that lasts: {}; {} values at {} a second are {}",
            said.map_or("it did not".to_owned(), |days| seconds(days * DAY_S)),
            grouped(left as u64),
            grouped(per_s as u64),
            seconds(true_days * DAY_S)
        ),
    }
}

fn passed(before: f64, highest: Option<i64>, beyond: i64) -> Claim {
    Claim {
        name: "passed",
        holds: beyond > 0 && highest.is_some_and(|highest| highest as f64 > LAST),
        words: format!(
            "behind the move ids went on from {} past {}: {} rows lie beyond, the highest id is {}",
            grouped(before as u64),
            grouped(LAST as u64),
            grouped(beyond.unsigned_abs()),
            grouped(highest.unwrap_or(0).unsigned_abs())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_wrong_or_not_said_break_it() {
        // A hundred a second: a day takes 8.64 million.
        assert!(in_days(Some(1.1), 8.64e6, 100.0).holds);
        assert!(!in_days(Some(1.3), 8.64e6, 100.0).holds);
        assert!(!in_days(None, 8.64e6, 100.0).holds);
    }

    #[test]
    fn ids_that_stay_below_break_it() {
        assert!(passed(1.0, Some(2_147_483_700), 53).holds);
        assert!(!passed(1.0, Some(2_147_483_600), 0).holds);
        assert!(!passed(1.0, None, 0).holds);
    }
}
