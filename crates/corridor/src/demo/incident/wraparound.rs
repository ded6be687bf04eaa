//! Transaction ids run short, because an old slot keeps every vacuum from freezing.

use std::time::{Duration, Instant};

use corridor_limits::Finding;
use corridor_limits::fault::{HELD_BY_SLOT, XID_WRAPAROUND};
use corridor_limits::probe::wraparound::STOP;
use corridor_pg::Fault;
use corridor_testbed::traffic::Table;

use super::account::{Gauge, Unit};
use super::follow::recommended;
use super::scene::{Play, Scene};
use super::{Incident, Kind};
use crate::demo::Halt;
use crate::demo::figures::Phase;
use crate::demo::verdict::Claim;
use crate::fault::DEMO;
use crate::output::number::grouped;

pub(super) const INCIDENT: Incident = Incident {
    name: "wraparound",
    title: "transaction ids run out: an old slot lets no vacuum freeze, and writes are about to be refused",
    takes: "40 s",
    rows: 20_000,
    rows_min: 1_000,
    kind: Kind::Wraparound,
};

pub(super) const PLAY: Play = Play {
    settings: &[],
    gauges: &[
        Gauge {
            key: "oldest_xid_age",
            head: "oldest xid age",
            unit: Unit::Count,
        },
        Gauge {
            key: "xids_left",
            head: "ids left",
            unit: Unit::Count,
        },
    ],
    gauges_sql: include_str!("../../../sql/demo/wraparound_gauges.sql"),
};

const DATABASE: &str = "database postgres";
const SLOT: &str = "slot old_cdc";
/// Ids that are left until the server refuses writes.
const LEFT: f64 = 60e6;
/// No database is older than this afterwards: younger than what any vacuum would be forced by.
const AGE_MAX: f64 = 200e6;
/// So that there is something to measure behind the last command.
const SETTLING: Duration = Duration::from_secs(1);
/// How long the way out may take.
const WITHIN: Duration = Duration::from_secs(120);

/// The table of the application.
pub(super) fn table(rows: u64) -> Table {
    Table::persons("public.persons", rows)
}

/// Plays it.
pub(super) async fn play(scene: &mut Scene<'_>) -> Result<Vec<Claim>, Halt> {
    let (url, table) = (scene.url(), scene.table.clone());
    scene.board.begin(&format!("filling {}", table.name));
    scene.beside(async { table.create(&url).await }).await??;
    scene
        .run(include_str!("../../../sql/demo/wraparound_slot.sql"))
        .await?;
    scene.open().await?;
    scene
        .phase(Phase::Before, "all is well; a slot was forgotten")
        .await?;

    scene
        .board
        .begin("years go by: the counter of transactions is set forward (pg_resetwal -x); the server restarts for that");
    let row = scene
        .ask(include_str!("../../../sql/demo/wraparound_oldest.sql"), &[])
        .await?;
    let next = row.get::<_, f64>(0) + STOP - LEFT;
    scene.set_next_xid(next as u32).await?;
    let stood = scene.stands();
    scene
        .board
        .begin_phase(Phase::During, "the end is near, and no vacuum helps");
    let finding = scene.watch(&XID_WRAPAROUND, DATABASE).await?;
    scene.wait(scene.seconds).await?;
    scene.measured(Phase::During, stood).await?;

    let relief = Instant::now();
    scene.board.begin_phase(Phase::Relief, &recommended(&finding)?);
    let who = let_go(scene, &finding).await?;
    freeze(scene).await?;
    scene.wait(SETTLING).await?;
    scene.measured(Phase::Relief, relief).await?;
    scene.phase(Phase::After, "the old ids are frozen").await?;
    let no_more = scene.named_no_more(&XID_WRAPAROUND, DATABASE).await?;
    Ok(vec![
        scene.named(&XID_WRAPAROUND, DATABASE),
        who,
        fell(
            scene.gauge(Phase::Before, "oldest_xid_age"),
            scene.gauge(Phase::During, "oldest_xid_age"),
            scene.gauge(Phase::After, "oldest_xid_age"),
        ),
        no_more,
    ])
}

/// Asks who holds the horizon, as it is recommended, and lets go of it as is recommended there.
async fn let_go(scene: &mut Scene<'_>, finding: &Finding) -> Result<Claim, Halt> {
    let begun = Instant::now();
    let command = recommended(finding)?;
    let is_asked = finding
        .advice
        .as_ref()
        .is_some_and(|advice| advice.way == "let-go");
    let holder = scene.look(&["horizon"], &HELD_BY_SLOT, SLOT).await?;
    scene.step(finding, command.clone(), command, begun);
    let is_drop = |holder: &Finding| {
        holder
            .advice
            .as_ref()
            .is_some_and(|advice| advice.way == "drop-slot")
    };
    let words = match &holder {
        None => "corridor check did not name who holds the horizon".to_owned(),
        Some(holder) => format!(
            "it named who: {} {}: {}",
            holder.code.id, holder.object, holder.headline
        ),
    };
    let holds = is_asked && holder.as_ref().is_some_and(is_drop);
    if let Some(holder) = holder.filter(is_drop) {
        scene.send(&holder).await?;
    }
    Ok(Claim {
        name: "who",
        holds,
        words,
    })
}

/// Follows the advice until no database is near the end any more. The server's own vacuums work beside.
async fn freeze(scene: &mut Scene<'_>) -> Result<(), Halt> {
    let begun = Instant::now();
    scene.board.note(
        "the server's own vacuums come each second from now on, and not each minute: the demo is short",
    );
    scene
        .run(include_str!("../../../sql/demo/wraparound_naptime.sql"))
        .await?;
    scene.run(include_str!("../../../sql/demo/reload.sql")).await?;
    loop {
        let (report, _) = scene.check(&["wraparound"]).await?;
        let mut left = report
            .findings
            .into_iter()
            .filter(|finding| finding.code.id == XID_WRAPAROUND.id);
        let Some(first) = left.next() else { return Ok(()) };
        let ours = std::iter::once(first)
            .chain(left)
            .find(|finding| finding.object == DATABASE);
        match ours {
            Some(finding) if is_vacuum(&finding) => scene.send(&finding).await?,
            _ => scene.wait(Duration::from_millis(500)).await?,
        }
        if begun.elapsed() > WITHIN {
            let why = "the age of the databases did not fall in time";
            return Err(Fault::new(&DEMO, why).into());
        }
    }
}

fn is_vacuum(finding: &Finding) -> bool {
    let way = finding.advice.as_ref().map(|advice| advice.way);
    matches!(way, Some("vacuum" | "vacuum-fast"))
}

fn fell(before: f64, during: f64, after: f64) -> Claim {
    Claim {
        name: "age_fell",
        holds: during >= STOP - 2.0 * LEFT && after < AGE_MAX,
        words: format!(
            "the age of the oldest database went from {} to {}, and is {} now; at {} the server refuses writes",
            grouped(before as u64),
            grouped(during as u64),
            grouped(after as u64),
            grouped(STOP as u64)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_that_stays_breaks_it() {
        assert!(fell(1_000.0, STOP - LEFT, 50e6).holds);
        assert!(!fell(1_000.0, STOP - LEFT, STOP - LEFT).holds);
        assert!(!fell(1_000.0, 2_000.0, 3_000.0).holds, "there was no incident");
    }
}
