//! The history in `corridor.series` and `corridor.sample`: kept as measured for two days, by the hour for 60 days, by the
//! day for three years.
//!
//! Bounded: of each metric the [`OBJECTS_MAX`] objects with the largest figures are kept at a time, and at most
//! [`SERIES_MAX`] series in all; with 30 metrics of every table and a figure each minute that is some 5 million rows.
//! Nothing here takes a lock that the application could meet: only Corridor's own tables are touched.

use std::collections::BTreeMap;
use std::time::Duration;

use corridor_pg::{FaultContext, Isolation, Result, Retry, Session, fault};
use tokio_postgres::GenericClient;

use super::{Past, Point, Sample};
use crate::metric::Metric;
use crate::reader::Degraded;

/// Objects of one metric that are kept at a time: those with the largest figures.
pub const OBJECTS_MAX: usize = 40;
/// Series of one metric: room for objects that come and go. Beyond it those go that had no figure for longest.
pub const SERIES_MAX: i64 = 60;
/// How long figures are kept as they were measured, unless it was said otherwise.
pub const RAW_DEFAULT: Duration = Duration::from_secs(2 * 86_400);
/// Hours are kept so long.
const HOURS_S: f64 = 60.0 * 86_400.0;
/// Days are kept so long.
const DAYS_S: f64 = 1_100.0 * 86_400.0;
/// Rows that one delete takes.
const FORGET_ROWS: i64 = 5_000;
/// Deletes of one roll-up: what is left is for the next one.
const FORGET_TIMES: usize = 20;
/// What a role that only checks lacks.
const GRANTS_TO_READ: &str =
    "grant usage on schema corridor, and select on corridor.series and corridor.sample, to the role";
/// A name that is longer is cut: it is a name, and has its limit in the table.
const OBJECT_BYTES_MAX: usize = 300;

/// What was kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// So many figures.
    pub figures: u64,
    /// Metrics with more objects than are kept, and how many were left out.
    pub left_out: Vec<(&'static str, usize)>,
}

/// What a roll-up did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rolled {
    /// False when another roll-up was at work: nothing was done.
    pub is_done: bool,
    /// Rows that were too old and are gone.
    pub forgotten: u64,
}

/// Keeps figures that were measured at `at_s` (seconds since 1970, by the server's clock). Figures that are no number are
/// not kept; one that is there already stays as it is.
///
/// Locks: row locks in `corridor.series` and `corridor.sample`.
pub async fn keep(client: &impl GenericClient, samples: &[Sample], at_s: f64) -> Result<Kept> {
    let (chosen, left_out) = chosen(samples);
    let metrics: Vec<&str> = chosen.iter().map(|(metric, _, _)| *metric).collect();
    let objects: Vec<&str> = chosen.iter().map(|(_, object, _)| *object).collect();
    let values: Vec<f64> = chosen.iter().map(|(_, _, value)| *value).collect();
    let figures = client
        .execute(
            include_str!("../../sql/sample/keep.sql"),
            &[&metrics, &objects, &values, &at_s],
        )
        .await
        .doing(|| "keeping samples")?;
    Ok(Kept { figures, left_out })
}

type Chosen<'a> = Vec<(&'static str, &'a str, f64)>;

/// The largest of each metric, each object once; and how many are left out. Pure.
fn chosen(samples: &[Sample]) -> (Chosen<'_>, Vec<(&'static str, usize)>) {
    let mut by_metric: BTreeMap<&'static str, BTreeMap<&str, f64>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.value.is_finite()) {
        by_metric
            .entry(sample.metric.name)
            .or_default()
            .insert(cut(&sample.object), sample.value);
    }
    let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
    for (metric, objects) in by_metric {
        let mut objects: Vec<(&str, f64)> = objects.into_iter().collect();
        objects.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        if objects.len() > OBJECTS_MAX {
            left_out.push((metric, objects.len() - OBJECTS_MAX));
            objects.truncate(OBJECTS_MAX);
        }
        chosen.extend(objects.into_iter().map(|(object, value)| (metric, object, value)));
    }
    (chosen, left_out)
}

fn cut(object: &str) -> &str {
    let mut end = object.len().min(OBJECT_BYTES_MAX);
    while !object.is_char_boundary(end) {
        end -= 1;
    }
    &object[..end]
}

/// What was kept of these metrics, as far as a check needs it: at most some 400 points for each series. Empty where there
/// is no history; empty and with a word where the role may not read it, or it could not be read in the session's time.
///
/// Errors: what ends the session.
pub async fn load(session: &Session, metrics: &[&'static Metric]) -> Result<(Past, Option<Degraded>)> {
    let unread = |why: String, remedy: &str| {
        Some(Degraded {
            probe: "history",
            what: "the past in corridor.sample".to_owned(),
            why,
            remedy: remedy.to_owned(),
        })
    };
    match try_load(session, metrics).await {
        Ok(Some(past)) => Ok((past, None)),
        Ok(None) => {
            let why = "the role may not read it".to_owned();
            Ok((Past::default(), unread(why, GRANTS_TO_READ)))
        }
        Err(fault) if fault.code().retry == Retry::AfterReconnect || session.is_closed() => Err(fault),
        Err(fault) => Ok((Past::default(), unread(fault.detail().to_owned(), ""))),
    }
}

/// `None` when the role may not read it.
async fn try_load(session: &Session, metrics: &[&'static Metric]) -> Result<Option<Past>> {
    let row = session
        .query_one(include_str!("../../sql/sample/look.sql"), &[])
        .await
        .doing(|| "looking for the history")?;
    let mut past = Past::default();
    if !row.get::<_, bool>("is_there") {
        return Ok(Some(past));
    }
    if !row.get::<_, bool>("is_readable") {
        return Ok(None);
    }
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name).collect();
    let rows = session
        .query(include_str!("../../sql/sample/load.sql"), &[&names])
        .await
        .doing(|| "reading the history")?;
    for row in rows {
        let at_s: Vec<f64> = row.get("at_s");
        let values: Vec<f64> = row.get("value");
        let points = at_s
            .into_iter()
            .zip(values)
            .map(|(at_s, value)| Point { at_s, value });
        past.put(row.get("metric"), row.get("object"), points.collect());
    }
    Ok(Some(past))
}

/// Makes hours of what was measured and days of hours, and deletes what is too old, in bounded deletes. `raw` is how long
/// figures are kept as they were measured. One at a time; it may be called at any time and any number of times.
///
/// Locks: row locks in Corridor's own tables, and an advisory lock of the transaction that is tried, not waited for.
pub async fn roll_up(session: &mut Session, raw: Duration) -> Result<Rolled> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let row = tx
        .query_one(include_str!("../../sql/sample/serialise.sql"), &[])
        .await
        .doing(|| "asking for the roll-up")?;
    if !row.get::<_, bool>(0) {
        return Ok(Rolled::default());
    }
    for sql in [
        include_str!("../../sql/sample/roll_up_hours.sql"),
        include_str!("../../sql/sample/roll_up_days.sql"),
    ] {
        tx.execute(sql, &[]).await.doing(|| "rolling samples up")?;
    }
    tx.commit().await.doing(|| "rolling samples up")?;
    let mut forgotten = session
        .execute(include_str!("../../sql/sample/prune.sql"), &[&SERIES_MAX])
        .await
        .doing(|| "giving series up")?;
    for (resolution, age_s) in [(0i16, raw.as_secs_f64()), (1, HOURS_S), (2, DAYS_S)] {
        for _ in 0..FORGET_TIMES {
            let rows = session
                .execute(
                    include_str!("../../sql/sample/forget.sql"),
                    &[&resolution, &age_s, &FORGET_ROWS],
                )
                .await
                .doing(|| "deleting old samples")?;
            forgotten += rows;
            if rows < FORGET_ROWS as u64 {
                break;
            }
        }
    }
    Ok(Rolled {
        is_done: true,
        forgotten,
    })
}

/// What the role lacks to keep a history, as statements; empty when nothing is missing.
pub async fn missing_grants(client: &impl GenericClient) -> Result<Vec<String>> {
    let rows = client
        .query(include_str!("../../sql/collector/grants.sql"), &[])
        .await
        .doing(|| "looking for what the role may do")?;
    Ok(rows.iter().map(|row| row.get("statement")).collect())
}

/// True when the fault says that a right is missing.
pub fn is_about_rights(fault: &corridor_pg::Fault) -> bool {
    fault.code().id == fault::NO_PRIVILEGE.id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Unit;

    static SIZE: Metric = Metric::gauge("size_bytes", Unit::Bytes, "A size.");

    #[test]
    fn the_largest_are_kept_and_the_others_counted() {
        let samples: Vec<Sample> = (0..100)
            .map(|n| Sample::new(&SIZE, format!("t{n}"), f64::from(n)))
            .chain([Sample::new(&SIZE, "no number", f64::NAN)])
            .collect();
        let (chosen, left_out) = chosen(&samples);
        assert_eq!(chosen.len(), OBJECTS_MAX);
        assert!(chosen.iter().all(|(_, _, value)| *value >= 60.0));
        assert_eq!(left_out, [("size_bytes", 60)]);
    }

    #[test]
    fn an_object_is_kept_once_and_its_name_is_cut() {
        let long = "ä".repeat(400);
        let samples = [
            Sample::new(&SIZE, "t", 1.0),
            Sample::new(&SIZE, "t", 2.0),
            Sample::new(&SIZE, long.as_str(), 3.0),
        ];
        let (chosen, left_out) = chosen(&samples);
        assert_eq!((chosen.len(), left_out.len()), (2, 0));
        assert_eq!(chosen[0].1.len(), 300);
        assert_eq!(chosen[1], ("size_bytes", "t", 2.0));
    }
}
