//! The counter of object ids over a stretch of used ones.
//!
//! `pg_nextoid` takes an id of the same counter and looks it up in the index of `pg_class`, some hundred nanoseconds, where a
//! writer would look it up in the index of a TOAST relation and read its heap. It goes in steps, with a pause after each;
//! steps get shorter and pauses longer while writes are slower than before ([`super::throttle`]), so that nobody feels it.
//!
//! The counter is the cluster's. So the way goes on until it stands in no stretch of any database's TOAST relations.

use std::time::{Duration, Instant};

use corridor_pg::{ApplicationName, ConnectOptions, Fault, FaultContext, Result, Session};

use crate::check;
use crate::fault::WITHOUT_EFFECT;
use crate::finding::Remedy;
use crate::probe::Scope;
use crate::probe::toast::space::{IDS, ahead, distance};
use crate::probe::words::{grouped, percent, seconds};
use crate::sample::Past;

use super::throttle::{Throttle, Watch};

/// Behind the end, so that an id that is just being taken is behind it too.
const MARGIN: u64 = 1_000;
/// A counter that is further before the stretch than this is left where it is: it would be a jump of minutes, for a wall
/// that is far away.
const APPROACH_MAX: u64 = 200_000_000;
/// Stretches one after the other that are jumped in one go.
const STRETCHES_MAX: usize = 16;

/// The statement, for the plan.
pub(super) fn statement() -> String {
    include_str!("../../sql/apply/jump.sql")
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Where the counter must go to be behind all of `stretches` (first id and number of ids), when it is at `next`. `None`: it
/// is in none of them, and before none that is within `near`.
pub(super) fn goal(next: u32, stretches: &[(u32, u64)], near: u64) -> Option<u32> {
    let mut at = next;
    let mut has_moved = false;
    for _ in 0..STRETCHES_MAX {
        let hit = stretches.iter().find(|(first, ids)| {
            let inside = distance(*first, at);
            inside < *ids || distance(at, *first) <= near
        });
        let Some((first, ids)) = hit else { break };
        at = ahead(*first, ids + MARGIN);
        has_moved = true;
    }
    has_moved.then_some(at)
}

pub(super) async fn carry_out(
    connect: &ConnectOptions,
    session: &Session,
    first: u32,
    ids: u64,
    say: &impl Fn(&str),
) -> Result<String> {
    let begun_at = next(session).await?;
    let mut stretches = vec![(first, ids)];
    stretches.extend(stretches_of_all(connect, session, say).await?);
    let is_inside = distance(first, begun_at) < ids;
    if !is_inside && distance(begun_at, first) > APPROACH_MAX {
        let why = format!(
            "the counter is at {begun_at}, {} ids before the stretch: too far to jump, and no wall yet",
            grouped(distance(begun_at, first) as f64)
        );
        return Err(Fault::new(&WITHOUT_EFFECT, why));
    }
    let approach = if is_inside { 0 } else { distance(begun_at, first) };
    let Some(goal) = goal(begun_at, &stretches, approach.max(MARGIN)) else {
        return Ok(format!(
            "the counter is at {begun_at}, behind all stretches already"
        ));
    };
    let way = distance(begun_at, goal);
    say(&format!(
        "{} ids to go, from {begun_at} to {goal}",
        grouped(way as f64)
    ));
    let watch = Watch::new(connect.connect(&ApplicationName::new("apply", "jump")).await?);
    let (at, held) = walk(session, &watch, (begun_at, goal), say).await?;
    if let Some((first, ids)) = stretches.iter().find(|(first, ids)| distance(*first, at) < *ids) {
        let why = format!("the counter is at {at}, inside of {ids} used ids from {first}");
        return Err(Fault::new(&WITHOUT_EFFECT, why).with_durable_change());
    }
    Ok(format!(
        "the counter went from {begun_at} to {at}, behind {} used ids: {} of a lap{held}",
        grouped(ids as f64),
        percent(distance(begun_at, at) as f64 / IDS)
    ))
}

/// Step by step from the one id to the other, as fast as writes do not feel it. Returns where the counter is, and how long
/// it was held up, in words.
async fn walk(
    session: &Session,
    watch: &Watch,
    (from, goal): (u32, u32),
    say: &impl Fn(&str),
) -> Result<(u32, String)> {
    let way = distance(from, goal);
    let mut throttle = Throttle::new(watch.before().await?);
    let (mut at, mut said) = (from, None::<Instant>);
    let (mut holds, mut held) = (0, Duration::ZERO);
    // Writers move the counter too: what is left is asked for anew after each step.
    loop {
        let left = distance(at, goal);
        if left == 0 || left > way {
            break;
        }
        let begun = Instant::now();
        let now = watch.during(step(session, left.min(throttle.step()))).await?;
        let pause = throttle.after(&now, begun.elapsed());
        let is_time = |every: u64| said.is_none_or(|at| at.elapsed() > Duration::from_secs(every));
        let left = grouped(distance(at, goal) as f64);
        match &pause.why {
            Some(why) if is_time(2) => {
                let ms = pause.length.as_millis();
                say(&format!("pausing for {ms} ms: {why}; {left} ids to go"));
                said = Some(Instant::now());
            }
            None if is_time(5) => {
                say(&format!("{left} ids to go"));
                said = Some(Instant::now());
            }
            _ => (),
        }
        tokio::time::sleep(pause.length).await;
        if pause.why.is_some() {
            holds += 1;
            held += pause.length;
            throttle.learn(&watch.look().await?, pause.length);
        }
        at = next(session).await?;
    }
    let words = match holds {
        0 => String::new(),
        holds => format!(
            "; {holds} pauses for writes that had become slower, {} in all",
            seconds(held.as_secs_f64())
        ),
    };
    Ok((at, words))
}

/// One step.
async fn step(session: &Session, ids: u64) -> Result<()> {
    session
        .query_one(
            include_str!("../../sql/apply/jump.sql"),
            &[&i64::try_from(ids).unwrap_or(0)],
        )
        .await
        .doing(|| "taking ids of the counter")?;
    Ok(())
}

async fn next(session: &Session) -> Result<u32> {
    let row = session
        .query_one(include_str!("../../sql/apply/next_oid.sql"), &[])
        .await
        .doing(|| "asking for the counter")?;
    Ok(row.get(0))
}

/// The next stretch of each TOAST relation of each database.
async fn stretches_of_all(
    connect: &ConnectOptions,
    session: &Session,
    say: &impl Fn(&str),
) -> Result<Vec<(u32, u64)>> {
    let rows = session
        .query(include_str!("../../sql/apply/databases.sql"), &[])
        .await
        .doing(|| "listing the databases")?;
    let mut all = Vec::new();
    for row in rows {
        let database: String = row.get(0);
        let name = ApplicationName::new("apply", "jump");
        let other = match connect
            .clone()
            .with_dbname(database.as_str())
            .connect(&name)
            .await
        {
            Ok(other) => other,
            Err(fault) => {
                say(&format!("database {database} is not looked at: {fault}"));
                continue;
            }
        };
        let report = check::run(other, &Scope::default(), &["toast".to_owned()], &Past::default()).await?;
        for remedy in report.findings.iter().flat_map(|finding| &finding.remedies) {
            if let Remedy::Jump { first, ids } = remedy {
                all.push((*first, *ids));
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goal_is_behind_all_stretches_that_touch() {
        // In the first; the second begins right behind it; the third is far away.
        let stretches = [(100_000, 50_000), (150_500, 10_000), (9_000_000, 1_000)];
        assert_eq!(goal(120_000, &stretches, MARGIN), Some(161_500));
        assert_eq!(goal(161_500, &stretches, MARGIN), None);
        // Before the first, near enough.
        assert_eq!(goal(99_500, &stretches, MARGIN), Some(161_500));
        assert_eq!(goal(90_000, &stretches, MARGIN), None);
    }

    #[test]
    fn the_goal_goes_round() {
        let stretches = [(u32::MAX - 999, 2_000)];
        let goal = goal(u32::MAX - 10, &stretches, MARGIN).unwrap();
        assert!(goal > 16_384 && goal < 20_000, "{goal}");
    }
}
